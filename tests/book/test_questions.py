"""A quick question folds its answers open without a script, and one that is not well
formed fails the build."""

import re

import pytest

from tests.book.conftest import run_sphinx, write_files

CONF = """
extensions = ["myst_parser", "questions"]
myst_enable_extensions = ["dollarmath"]
html_theme = "basic"
html_math_renderer = "mathjax"
exclude_patterns = ["_build"]
"""
QUESTION = """# Page

```{question}
How large is *one* half?

- [ ] $2$

  That is its inverse.
- [x] 0.5

  One over two.

  And nothing else.
```
"""


def build(folder, text):
    write_files(folder, {"conf.py": CONF, "index.md": text})
    result = run_sphinx(folder)
    html = (folder / "_build/html/index.html").read_text(encoding="utf-8")
    return html, result.stderr


def test_every_answer_is_a_fold_with_its_verdict(tmp_path):
    html, warnings = build(tmp_path, QUESTION + QUESTION)
    assert warnings == ""
    assert html.count("<details") == 4 and html.count('class="question"') == 2
    right = re.search(r'<details class="right"><summary>(.*?)</details>', html, re.S)[1]
    assert right.startswith('<span class="answer-word">Answer: </span>0.5</summary>')
    assert "Right." in right
    assert "One over two." in right and "And nothing else." in right
    wrong = re.search(r'<details class="wrong"><summary>(.*?)</details>', html, re.S)[1]
    assert "Not this one." in wrong and "its inverse" in wrong
    assert re.findall(r'id="(question-\d)"', html) == ["question-1", "question-2"]
    assert "[x]" not in html and "[ ]" not in html


@pytest.mark.parametrize(
    "old, new, complaint",
    [
        ("[x]", "[ ]", "one right answer"),
        ("[ ]", "[x]", "one right answer"),
        ("[ ] $2$", "$2$", "before each answer"),
        ("[ ] $2$", "[ ] [two](https://example.org)", "holds no link"),
        ("  That is its inverse.\n", "", "a paragraph after it"),
        ("- [ ] $2$\n\n  That is its inverse.\n", "", "one or more wrong"),
        (QUESTION[QUESTION.index("- ") : -4], "", "end with a list of answers"),
    ],
)
def test_a_question_that_is_not_one_is_a_warning_at_its_place(
    tmp_path, old, new, complaint
):
    _, warnings = build(tmp_path, QUESTION.replace(old, new))
    assert complaint in warnings and "index.md:3" in warnings
