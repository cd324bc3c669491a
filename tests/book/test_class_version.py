"""The book for a class holds every exercise and no solution."""

import re
from pathlib import Path

import pytest

from book._class.class_version import copy_sources, without_solutions

ROOT = Path(__file__).parents[2]
TEXT = """# Chapter

```{exercise}
:label: ex-a
Ask.
```

```{solution} ex-a
:class: dropdown

Tell.
```

Between.

````{solution-start} ex-a
:class: dropdown
````

```{code-cell} python
secret = 1
```

````{solution-end}
````

After.
"""


def test_solutions_and_their_cells_are_left_out():
    text = without_solutions(TEXT)
    assert text == (
        "# Chapter\n\n```{exercise}\n:label: ex-a\nAsk.\n```\n\nBetween.\n\nAfter.\n"
    )


def test_a_solution_without_an_end_is_an_error():
    with pytest.raises(ValueError, match="no end"):
        without_solutions(TEXT.replace("````{solution-end}\n````\n", ""))


def test_every_chapter_keeps_its_exercises_and_loses_its_solutions(tmp_path):
    copy_sources(tmp_path)
    for chapter in (tmp_path / "book").rglob("*.md"):
        text = chapter.read_text(encoding="utf-8")
        source = (ROOT / chapter.relative_to(tmp_path)).read_text(encoding="utf-8")
        assert "{solution" not in text
        exercises = re.findall("^:label: ex-.*", source, re.M)
        assert re.findall("^:label: ex-.*", text, re.M) == exercises
