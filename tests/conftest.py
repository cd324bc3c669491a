"""One profile for every property test: the same examples on every machine and in every
run."""

from hypothesis import settings

settings.register_profile("book", max_examples=60, derandomize=True, deadline=None)
settings.load_profile("book")
