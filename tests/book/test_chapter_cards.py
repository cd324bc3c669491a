"""What the teaching kit says of a chapter is what the chapter says."""

import re
import sys
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from tests.book.conftest import CHAPTERS, HTML, ROOT

sys.path.insert(0, str(ROOT / "book" / "_ext"))
from chapter_cards import minutes  # noqa: E402


@pytest.fixture(scope="module")
def cards():
    page = HTML / "book" / "teaching" / "kit.html"
    soup = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")
    return {
        Path(card.select_one(".rubric a")["href"]).stem: card
        for card in soup.select(".chapter-card")
    }


def test_there_is_a_card_for_every_chapter(cards):
    assert sorted(cards) == sorted(chapter.stem for chapter in CHAPTERS)


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_a_card_has_the_objectives_and_the_counts_of_its_chapter(cards, path):
    page = HTML / f"{path}.html"
    chapter = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")
    card = cards[path.stem]
    objectives = chapter.select("#what-you-will-be-able-to-do li")
    shown = [item.get_text() for item in card.select("li")]
    assert shown[: len(objectives)] == [item.get_text() for item in objectives]
    facts = card.select_one(".chapter-facts").get_text()
    n_questions = len(chapter.select(".question"))
    n_exercises = len(chapter.select(".exercise"))
    assert f"{n_questions} quick questions, {n_exercises} exercises" in facts
    assert n_questions >= 3 and n_exercises >= 6
    assert "Needs" in card.get_text() and "Misconceptions" in card.get_text()


def test_minutes_are_those_of_the_prose():
    words = "word " * 899
    code = "```{code-cell} python\n" + "code " * 5000 + "\n```\n"
    after = "\n## Quick questions\n" + "word " * 5000
    assert minutes(words + "\n" + code + after) == 5
    assert minutes(words + "one more " + after) == 10


def test_every_problem_set_of_the_plans_is_there():
    kit = (ROOT / "book" / "teaching" / "kit.md").read_text(encoding="utf-8")
    sets = {number for number in re.findall(r"(\d) is (?:due|handed)", kit)}
    folders = (ROOT / "assignments").glob("[0-9]_*")
    assert sets == {folder.name[0] for folder in folders}
