"""Whatever the site ships of others is listed with its licence, and the text is there."""

import sys

import pytest
from bs4 import BeautifulSoup

from tests.book.conftest import HTML, ROOT

sys.path.insert(0, str(ROOT / "book" / "_ext"))
import licences  # noqa: E402

# Who must be named in each text: MIT and BSD licences ask for that line.
HOLDERS = {
    "Sphinx": "the Sphinx team",
    "PyData Sphinx Theme": "pandas",
    "Sphinx Book Theme": "Chris Holdgraf",
    "Bootstrap": "The Bootstrap Authors",
    "Font Awesome Free": "Fonticons",
    "Pygments": "the respective authors",
    "MyST-NB": "ExecutableBookProject",
    "sphinx-copybutton": "Chris Holdgraf",
    "clipboard.js": "Zeno Rocha",
    "sphinx-design": "Chris Sewell",
    "sphinx-togglebutton": "Chris Holdgraf",
    "sphinx-proof": "ExecutableBookProject",
    "sphinx-exercise": "ExecutableBookProject",
    "KaTeX": "Khan Academy",
    "uPlot": "Leon Sorokin",
    "reveal.js": "Hakim El Hattab",
    "marked": "MarkedJS",
    "fitty": "Rik Schennink",
}


def test_every_file_of_the_site_has_an_owner():
    own = [ROOT / "book" / "_static"]
    static = HTML / "_static"
    files = [p.relative_to(static).as_posix() for p in static.rglob("*") if p.is_file()]
    owners = {file: licences.owner(file, own) for file in files}
    assert [file for file, name in owners.items() if name is None] == []
    assert owners["site.js"] == owners["live.js"] == "this book"
    assert owners["katex/LICENSE"] == "KaTeX"


def test_a_file_that_nobody_has_looked_at_has_none(tmp_path):
    assert licences.owner("vendor/new.js", [tmp_path]) is None


@pytest.mark.parametrize("part", licences.PARTS, ids=lambda part: part.name)
def test_the_text_of_each_licence_is_shipped(part):
    shipped = (HTML / "_static" / "licences.txt").read_text(encoding="utf-8")
    text = licences.text_of(part)
    assert f"{part.name} ({part.licence})\n\n{text}" in shipped
    assert HOLDERS[part.name] in text
    begins = "Redistribution" if "BSD" in part.licence else "Permission"
    assert begins in text


def test_the_page_lists_each_and_links_to_the_texts():
    page = BeautifulSoup(
        (HTML / "book/reference/licences.html").read_text("utf-8"), "html.parser"
    )
    rows = [[c.get_text() for c in r.find_all("td")] for r in page.select("tbody tr")]
    assert [row[:2] for row in rows] == [[p.name, p.licence] for p in licences.PARTS]
    assert page.select_one('article a[href*="_static/licences.txt"]')
