"""The printed book: its links lead somewhere, its outline names the chapters, no page is
empty, and its contents tell the truth. Asked of the first chapters of the built site."""

import os
import re
import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest
import yaml
from bs4 import BeautifulSoup
from pypdf import PdfReader

from book._pdf import book_pdf
from tests.book.conftest import HTML, ROOT

CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
TOC = {
    "root": "book/index",
    "parts": [
        {"caption": "Foundations", "chapters": [{"file": "book/notation"}]},
        {"caption": "Regression", "chapters": [{"file": "book/regression/huber"}]},
    ],
}


@pytest.fixture(scope="session")
def chromium():
    if book_pdf.find_browser() is None:
        message = "no Chromium or Chrome is installed"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)


def print_book(*arguments):
    # in a thread of its own, since other tests' browser may be open in this one
    with ThreadPoolExecutor(1) as pool:
        pool.submit(book_pdf.print_book, *arguments).result()


@pytest.fixture(scope="module")
def printed(chromium, tmp_path_factory):
    """The PDF of two chapters, as pypdf reads it."""
    path = tmp_path_factory.mktemp("pdf") / "book.pdf"
    print_book(HTML, CONFIG, TOC, path)
    return PdfReader(path)


def links_of(pdf):
    """The places inside the PDF, and the addresses outside, that its links lead to."""
    annotations = [
        a.get_object() for page in pdf.pages for a in page.get("/Annots", [])
    ]
    inside = {a["/Dest"] for a in annotations if "/Dest" in a}
    outside = {a["/A"]["/URI"] for a in annotations if "/URI" in a.get("/A", {})}
    return inside, outside


def titles(outline):
    for item in outline:
        if isinstance(item, list):
            yield from titles(item)
        else:
            yield item.title


def test_links_lead_to_places_in_the_book(printed):
    targets, addresses = links_of(printed)
    assert targets <= set(printed.named_destinations)
    assert all(address.startswith("https://") for address in addresses), addresses
    # to another chapter, an equation, an exercise, a source, a heading of the contents
    for name in (
        "book/notation",
        "book/notation--equation-eq-cross-entropy",
        "book/regression/huber--ex-huber-meet",
        "book/regression/huber--footcite-huber1964",
        "book/regression/huber--the-derivation",
    ):
        assert f"/{name}" in targets


def test_every_chapter_is_in_the_outline(printed):
    found = list(titles(printed.outline))
    for title in (
        "Foundations",
        "Notation",
        "Regression",
        "Choosing a regression loss",
    ):
        assert title in found


def test_no_page_is_empty(printed):
    for number, page in enumerate(printed.pages, 1):
        text = page.extract_text().replace(str(number), "")
        assert len(text.split()) > 5, f"page {number}"


def test_the_contents_name_the_pages(printed):
    """The number beside a title, on a page of which the text begins with that title."""
    pages = [page.extract_text() for page in printed.pages]
    contents = pages[1]
    numbers = re.findall(r"^Choosing a regression loss *\n? *(\d+)$", contents, re.M)
    assert len(numbers) == 1
    chapter = pages[int(numbers[0]) - 1]
    assert "A sensor reports the temperature" in chapter


def test_a_formula_in_a_title_is_read_once():
    formula = '<span class="katex"><span class="katex-mathml">pp</span><i>p</i></span>'
    heading = BeautifulSoup(f"<h2>Is {formula} one?</h2>", "lxml").h2
    assert book_pdf.text_of(heading) == "Is p one?"


@pytest.mark.parametrize(
    "words",
    [
        "By hand. For the readings",  # an exercise of one paragraph
        "clipped from 2",  # its solution
        "a clip with soft corners",  # the end of a solution with code
    ],
)
def test_exercises_and_solutions_are_printed(printed, words):
    text = " ".join(page.extract_text() for page in printed.pages)
    assert words in " ".join(text.split())


@pytest.mark.parametrize(
    "problem, planted",
    [
        ("wider than the paper", "<div style='width: 900px'>wide</div>"),
        ("leads nowhere", "<a href='#missing'>there</a>"),
    ],
)
def test_a_planted_problem_stops_it(chromium, tmp_path, problem, planted):
    page = f"<article><section id='a'><h1>A</h1>{planted}</section></article>"
    (tmp_path / "a.html").write_text(page)
    with pytest.raises(SystemExit, match=problem):
        toc = {"root": "a", "parts": []}
        print_book(tmp_path, CONFIG, toc, tmp_path / "a.pdf")


def test_without_a_browser_it_says_what_is_missing(monkeypatch, tmp_path):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(SystemExit, match="Chromium or Chrome"):
        book_pdf.print_book(HTML, CONFIG, TOC, tmp_path / "a.pdf")
