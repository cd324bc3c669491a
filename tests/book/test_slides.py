"""The slides that the build made from the chapters."""

import re
from urllib.parse import unquote, urlsplit

import pytest
from bs4 import BeautifulSoup

from tests.book.conftest import CHAPTERS, HTML


def slides(chapter):
    text = (HTML / "slides" / f"{chapter.name}.html").read_text(encoding="utf-8")
    return BeautifulSoup(text, "html.parser")


@pytest.mark.parametrize("chapter", CHAPTERS, ids=str)
def test_every_section_figure_and_derivation_of_a_chapter_is_on_a_slide(chapter):
    page = BeautifulSoup((HTML / f"{chapter}.html").read_text("utf-8"), "html.parser")
    article = page.select_one("article.bd-article")
    made = slides(chapter)
    headings = [re.sub("#$", "", h.get_text()) for h in article.find_all(["h1", "h2"])]
    shown = {h.get_text() for h in made.find_all(["h1", "h2"])}
    assert shown.issuperset(h for h in headings if h != "Sources")
    for solution in article.select(".solution, .admonition.dropdown"):
        solution.decompose()
    for what in ("figure", "form.live", ".question", ".exercise"):
        assert len(made.select(what)) == len(article.select(what)), what
    assert not made.select(".solution")


@pytest.mark.parametrize("chapter", CHAPTERS, ids=str)
def test_what_a_slide_refers_to_is_there(chapter):
    made = slides(chapter)
    for element in made.find_all(["img", "script", "link", "a"]):
        address = element.get("src") or element.get("href")
        if address is None or urlsplit(address).scheme:
            continue
        target = HTML / "slides" / unquote(urlsplit(address).path)
        assert target.exists(), address


def test_slides_turn_by_key_without_a_server_and_a_live_figure_works(tab):
    problems = []
    tab.on("pageerror", lambda error: problems.append(str(error)))
    tab.on("requestfailed", lambda request: problems.append(request.url))
    name = next(c.name for c in CHAPTERS if slides(c).select("form.live"))
    tab.goto((HTML / "slides" / f"{name}.html").as_uri())
    total = tab.evaluate("Reveal.getTotalSlides()")
    seen = set()
    for _ in range(total):
        seen.add(tab.evaluate("JSON.stringify(Reveal.getIndices())"))
        if tab.locator("section.present:not(.stack) form.live").count():
            tab.wait_for_selector("section.present form.live[data-ready]")
            assert tab.locator("section.present:not(.stack) canvas").count() >= 1
        tab.keyboard.press("Space")
    assert len(seen) == total
    assert problems == []


@pytest.mark.parametrize("name", ["comparison", "neural_language_model", "focal"])
def test_no_slide_is_higher_than_the_window(tab, name):
    tab.set_viewport_size({"width": 1280, "height": 800})
    tab.goto((HTML / "slides" / f"{name}.html").as_uri())
    tab.wait_for_function("Reveal.isReady()")
    too_high = tab.evaluate("""() => {
      const found = [];
      for (let turn = Reveal.getTotalSlides(); turn--; Reveal.next()) {
        const slide = Reveal.getCurrentSlide();
        if (slide.scrollHeight > slide.clientHeight) found.push(slide.textContent);
      }
      return found;
    }""")
    assert too_high == []
