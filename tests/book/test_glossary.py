"""The glossary, and the links of the chapters to it: where a term first stands in a
chapter's prose, it is a link."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BOOK = ROOT / "book"
CHAPTERS = sorted(
    path.relative_to(BOOK).with_suffix("").as_posix()
    for path in BOOK.glob("*/*.md")
    if path.parent.name not in ("reference", "teaching")
)

# A word of the glossary that a chapter uses for something else.
OTHER_SENSE = {
    "regression/huber": {"temperature"},  # of the weather
    "imbalance/focal": {"score"},  # a proper score, which is a loss
    "imbalance/class_balanced": {"surprise"},
    "embeddings/cbow_skip_gram": {"surprise"},
    "embeddings/glove": {"threshold"},  # of a count
    "embeddings/looking_at_vectors": {"score"},  # of a list of questions
    "embeddings/negative_sampling": {"threshold"},  # of a word's share
    "embeddings/noise_contrastive_estimation": {"surprise"},
}

NOT_PROSE = re.compile(
    r"""
      \A---\n.*?\n---\n                                         # the header
    | ^(?P<fence>`{3,})(\{(code|literalinclude|math)[^}]*\}|\w).*?^(?P=fence)\n
    | ^[`:]{3,}.*?\n | ^:[\w-]+:.*?\n | ^\(\S+\)=\n             # directives, labels
    | ^\#.*?\n | ^\|.*?\n                                       # headings, tables
    | ^-\ \[[ x]\]\ .*?\n                                      # answers hold no link
    | \$\$.*?\$\$ | \$[^$]+\$                                   # mathematics
    | (\{[\w:]+\})?(?P<ticks>`+).*?(?P=ticks)                   # roles, code
    | \[[^\]]*\]\([^)]*\)                                       # links
    """,
    re.MULTILINE | re.DOTALL | re.VERBOSE,
)
LINK = re.compile(r"\{term\}`(?:[^`<]*<)?([^`<>]+?)>?`")


def entries(text):
    """The names of each entry of a glossary, lists of one or more."""
    body = text.split("```{glossary}\n")[1].split("\n```")[0]
    return [
        [line for line in entry.splitlines() if not line.startswith(" ")]
        for entry in body.strip().split("\n\n")
    ]


def pattern(names):
    """Finds any of the names, the longest where several fit, singular or plural."""
    forms = [
        re.escape(name.removesuffix("y")).replace(r"\ ", r"\s+")
        + ("(?:y|ies)" if name.endswith("y") else "(?:e?s)?")
        for name in sorted(names, key=len, reverse=True)
    ]
    return re.compile(rf"(?<![\w-])(?:({')|('.join(forms)}))(?![\w-])", re.I)


def occurrences(text, glossary):
    """(entry, place, word) of each term in the prose of a chapter that is no link."""
    names = sorted((n for names in glossary for n in names), key=len, reverse=True)
    home = {name: names[0] for names in glossary for name in names}
    prose = NOT_PROSE.sub(lambda found: "\n" * len(found[0]), text)
    for found in pattern(names).finditer(prose):
        yield home[names[found.lastindex - 1]], found.start(), found[0]


def unlinked(text, glossary, other_sense=()):
    """What is to be done in a chapter, one sentence for each term."""
    home = {name.lower(): names[0] for names in glossary for name in names}
    linked = {}
    for found in LINK.finditer(text):
        linked.setdefault(home.get(found[1].lower()), found.start())
    first = {}
    for entry, place, word in occurrences(text, glossary):
        first.setdefault(entry, (place, word))
    return [
        f"line {text.count(chr(10), 0, place) + 1}: make the first {word!r} a link, "
        f"{{term}}`{word}`"
        for entry, (place, word) in first.items()
        if entry not in other_sense and linked.get(entry, len(text)) > place
    ]


@pytest.fixture(scope="module")
def glossary():
    return entries((BOOK / "reference/glossary.md").read_text(encoding="utf-8"))


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_term_is_a_link_where_it_first_stands(chapter, glossary):
    text = (BOOK / f"{chapter}.md").read_text(encoding="utf-8")
    assert unlinked(text, glossary, OTHER_SENSE.get(chapter, ())) == []


def test_every_term_is_linked_from_a_chapter(glossary):
    texts = [(BOOK / f"{name}.md").read_text(encoding="utf-8") for name in CHAPTERS]
    linked = {found[1].lower() for text in texts for found in LINK.finditer(text)}
    assert [n for n in glossary if linked.isdisjoint(map(str.lower, n))] == []


def test_the_glossary_is_in_the_order_of_the_alphabet(glossary):
    keys = [names[0].lower().replace("-", " ") for names in glossary]
    assert keys == sorted(keys)


def test_every_entry_names_the_chapter_that_teaches_it(glossary):
    text = (BOOK / "reference/glossary.md").read_text(encoding="utf-8")
    definitions = re.findall(r"^  (\S.*)$", text, re.M)
    assert len(definitions) == len(glossary)
    assert [
        d
        for d in definitions
        if not re.search(r"\]\(\.\./[\w/]+\.md\)\.$|\.md\) and", d)
    ] == []


WORDS = [["logit", "raw score"], ["loss"], ["focal loss"], ["score"]]


@pytest.mark.parametrize(
    "text",
    [
        "A {term}`logit` is a {term}`score`. Another logit, another score.",
        "{term}`Logits <logit>` and then a raw score",
        "# The loss\n\n`loss`, $loss$, [the loss](loss.md), {ref}`the loss <a>`",
        "```{code-cell} python\nloss = 1\n```\n",
        "| loss |\n\nlossless, loss-free",
        "the {term}`focal loss`",
    ],
)
def test_a_text_with_its_links_passes(text):
    assert unlinked(text, WORDS) == []


@pytest.mark.parametrize(
    "text, n_missing",
    [
        ("A logit.", 1),
        ("A logit, then {term}`logit`.", 1),
        ("Two Losses.", 1),
        ("the focal\nloss", 1),
        ("the *focal loss* and the loss", 2),
        ("{term}`focal loss` and the loss", 1),
        ("```{admonition} Note\nA score.\n```\n", 1),
        ("A raw score.", 1),
    ],
)
def test_a_missing_link_is_found(text, n_missing):
    assert len(unlinked(text, WORDS)) == n_missing
