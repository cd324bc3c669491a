"""The losses of the book, one module each, named as its chapter.

Importing a name loads only the module it lives in, so a chapter depends on the losses
it uses and no others.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "linear_regression": ["SquaredError", "AbsoluteError"],
        "huber": ["HuberLoss"],
    },
)
