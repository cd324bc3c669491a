"""What the pages load is cut down without loss."""

import sys

import pytest
from fontTools.ttLib import TTFont

from tests.book.conftest import HTML, ROOT

sys.path.insert(0, str(ROOT / "book" / "_ext"))
import assets  # noqa: E402
import pages  # noqa: E402

SHEET = """
/* what could not match goes, what a script adds stays */
.used, .unused { color: red }
.unused p { color: blue }
.used:not(.unused) { margin: 0 }
#here > a[data-x="unused"]::before { content: "\\f0c9, }" }
@media (max-width: 9px) { .unused { top: 0 } .added { top: 0; &:hover { top: 1px } } }
@media print { .unused { top: 0 } }
@keyframes turn { to { rotate: 1turn } }
"""
KEPT = """
.used{color: red}
.used:not(.unused){margin: 0}
#here > a[data-x="unused"]::before{content: "\uf0c9, }"}
@media (max-width: 9px){.added{top: 0; &:hover { top: 1px }}}
@keyframes turn { to { rotate: 1turn } }
"""


def test_only_rules_that_can_match_are_kept(tmp_path):
    (tmp_path / "_static").mkdir()
    (tmp_path / "_static" / "a.css").write_text(SHEET)
    rules = assets.read_rules(tmp_path, "_static/a.css")
    assert assets.prune(rules, {"used", "here", "added"}) == KEPT.strip()


def test_addresses_in_a_sheet_follow_it(tmp_path):
    (tmp_path / "_static" / "katex").mkdir(parents=True)
    (tmp_path / "_static" / "katex" / "a.css").write_text(
        '@font-face{src:url(fonts/a.woff2) format("woff2"),'
        'url("fonts/a.ttf") format("truetype")}'
        "a{b:url('../c.svg')}d{e:url(data:image/png;base64,AA==)}"
    )
    rules = assets.read_rules(tmp_path, "_static/katex/a.css")
    assert assets.prune(rules, set()) == (
        '@font-face{src:url(katex/fonts/a.woff2) format("woff2")}\n'
        "a{b:url(c.svg)}\nd{e:url(data:image/png;base64,AA==)}"
    )


def test_paths_keep_their_shape_and_glyphs_their_scale():
    svg = '<path d="M -1.234567 8.5 L 2.999999 4" transform="scale(0.015625)"/>'
    short = '<path d="M -1.23 8.5 L 3.00 4" transform="scale(0.015625)"/>'
    assert assets.round_paths(svg) == assets.round_paths(short) == short


def test_an_asset_that_changes_changes_its_address(tmp_path):
    page = '<link href="../_static/a.css?v=old"><a href="_static/none.css">'
    versions = []
    for content in ("one", "two"):
        (tmp_path / "a.css").write_text(content)
        page = assets.with_versions(page, tmp_path)
        versions.append(page.split("?v=")[1][:8])
    assert versions[0] != versions[1] and "none.css" in page
    assert page.count("?v=") == 1


@pytest.mark.usefixtures("site")
def test_fonts_have_every_character_of_a_formula():
    font = HTML / "_static/katex/fonts/KaTeX_Math-Italic.woff2"
    original = TTFont(ROOT / "book/_static/katex/fonts" / font.name).getBestCmap()
    shown = {
        ord(letter) for path in HTML.rglob("*.html") for letter in path.read_text()
    }
    assert set(TTFont(font).getBestCmap()) == shown & set(original) != set(original)


def test_figures_learn_their_sizes_and_wait_their_turn(tmp_path):
    (tmp_path / "plot.svg").write_text('<svg a="b" width="75.0pt" height="30pt">')

    class Builder:
        srcdir = tmp_path
        images = {"plot.svg": "1.svg"}

    body = '<img alt="A plot." src="../_images/1.svg" /><img src="_images/1.svg">'
    assert pages.with_sizes(body, Builder) == (
        '<img alt="A plot." src="../_images/1.svg" width="100" height="40" decoding="async" />'
        '<img src="_images/1.svg" width="100" height="40" loading="lazy" decoding="async">'
    )
