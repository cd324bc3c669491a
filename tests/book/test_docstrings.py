"""The reference page, and the docstrings as it shows them."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "book" / "_ext"))

import docstrings  # noqa: E402


def rewritten(text, name="lossbook.losses.huber.HuberLoss"):
    from lossbook.losses import HuberLoss

    lines = text.split("\n")
    docstrings.rewrite(None, "class", name, HuberLoss, None, lines)
    return "\n".join(lines).rstrip("\n")


@pytest.mark.parametrize(
    "text, expected",
    [
        ("scores: the\n    logits.\nmore", "scores: the\nlogits.\nmore"),
        ("- one\n  goes on\n- two", "- one\n  goes on\n- two"),
        (
            "Such:\n\n    x = 2 * 3\n\n    y = |x|\n\nEnd.",
            "Such:\n\n.. code-block:: python\n\n    x = 2 * 3\n\n    y = |x|\n\nEnd.",
        ),
        ("(N, *shape) and |r|", r"(N, \*shape) and \|r\|"),
        ("``a * b``", "``a * b``"),
        ("the `nothing`", "the ``nothing``"),
        (
            "a `lossbook.linear.Linear`",
            "a :py:obj:`Linear <lossbook.linear.Linear>`",
        ),
        (
            "see `gradient`",
            "see :py:obj:`gradient <lossbook.losses._base.Loss.gradient>`",
        ),
    ],
    ids=lambda text: text[:15].replace("\n", " "),
)
def test_a_docstring_becomes_restructured_text(text, expected):
    assert rewritten(text) == expected


def test_every_public_module_is_on_the_reference_page():
    page = (ROOT / "book/reference/package.md").read_text(encoding="utf-8")
    listed = {
        line.rpartition(" ")[2]
        for line in page.splitlines()
        if line.startswith(".. automodule::")
    }
    source = ROOT / "src"
    public = {
        ".".join(path.relative_to(source).with_suffix("").parts)
        for path in source.rglob("*.py")
        if not path.stem.startswith("_")
    }
    assert public <= listed
    assert {name for name in listed if name not in public} == {
        "lossbook.losses",
        "lossbook.embeddings",
    }
