"""The search of the built book, in a real browser, and the weights it goes by."""

import math
import sys
from urllib.parse import quote

import pytest
from docutils import nodes
from docutils.core import publish_doctree

from tests.book.conftest import HTML, ROOT

sys.path.insert(0, str(ROOT / "book" / "_ext"))

from search_ranking import HALF, count_words, lead, weights  # noqa: E402

FIRST = {
    "focal loss alpha": "imbalance/focal",
    "pos_weight": "imbalance/weighted_cross_entropy",
    "logit adjustment": "imbalance/logit_adjusted",
    "perplexity": "embeddings/neural_language_model",
    "chain rule": "foundations/chain_rule",
    "subgradient": "regression/linear_regression",
    "outlier": "regression/huber",
    "HuberLoss": "regression/huber",
    "label smoothing": "classification/information",
    "Softmax": "classification/multiclass_classification",
    "calibration": "classification/multiclass_classification",
    "effective number of samples": "imbalance/class_balanced",
    "negative sampling": "embeddings/negative_sampling",
    "Huffman": "embeddings/hierarchical_softmax",
    "GloVe": "embeddings/glove",
    "analogies": "embeddings/looking_at_vectors",
    "autocast": "practice/own_training",
}
SYMBOLS = {
    "check_gradient": "lossbook.checks.check_gradient",
    "AsymmetricLoss": "lossbook.losses.asymmetric.AsymmetricLoss",
    "effective_number": "lossbook.losses.class_balanced.effective_number",
}
RESULTS = "ul.search > li"


def results(tab, address, query):
    """The results for a query, once they are all there."""
    tab.goto(f"{address}/search.html?q={quote(query)}")
    tab.locator(".search-summary", has_text="finished").wait_for()
    return tab.locator(RESULTS)


@pytest.mark.parametrize("query", FIRST)
def test_the_right_chapter_comes_first(tab, site, query):
    link = results(tab, site, query).first.locator("a")
    assert link.get_attribute("href").partition("#")[0] == f"book/{FIRST[query]}.html"


@pytest.mark.parametrize("query", SYMBOLS)
def test_a_symbol_is_found_in_the_reference(tab, site, query):
    found = results(tab, site, query).locator("a").all_inner_texts()
    assert SYMBOLS[query] in found[:5]


def test_a_term_is_found_in_the_glossary(tab, site):
    found = results(tab, site, "perplexity")
    term = found.filter(has=tab.locator("a[href*='#term-perplexity']"))
    term.locator("p", has_text="how many equally likely words").wait_for()


@pytest.mark.parametrize("width", [1440, 390])
def test_a_result_has_a_title_and_an_excerpt_of_prose(tab, site, width):
    tab.set_viewport_size({"width": width, "height": 900})
    first = results(tab, site, "effective number").first
    assert first.locator("a").inner_text() == "Class-balanced loss"
    excerpt = first.locator("p.context")
    excerpt.wait_for()
    assert len(excerpt.inner_text()) > 50
    assert excerpt.locator(".highlighted").count()
    box = excerpt.bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= width


def test_excerpts_hold_no_code_and_no_tex(tab, site):
    found = results(tab, site, "logit adjustment")
    found.first.locator("p.context").wait_for()
    tab.wait_for_load_state("networkidle")
    excerpts = " ".join(found.locator("p.context").all_inner_texts())
    assert "logit" in excerpts.lower()
    assert "import" not in excerpts and "\\log" not in excerpts


def test_the_keyboard_reaches_the_search(tab, site):
    tab.goto(f"{site}/book/notation.html", wait_until="networkidle")
    tab.keyboard.press("Control+k")
    tab.keyboard.type("perplexity")
    tab.keyboard.press("Enter")
    tab.wait_for_url("**/search.html?q=perplexity*")
    tab.locator(RESULTS).first.wait_for()


def test_a_book_opened_as_files_is_searched_too(tab):
    errors = []
    tab.on("pageerror", lambda error: errors.append(error))
    first = results(tab, HTML.as_uri(), "effective number").first
    assert first.locator("a").inner_text() == "Class-balanced loss"
    assert "(" in first.locator("span").inner_text()
    first.locator("a").click()
    tab.wait_for_url("**/class_balanced.html*")
    assert not errors


TEXT = """
Focal loss
==========

The focal loss is ``gamma``. ``gamma`` again.

Losses
------

Lossy.

.. code-block:: python

   gamma = focal(loss)

.. math:: gamma

.. raw:: html

   <p>gamma</p>
"""


def doctree(text):
    return publish_doctree(text, settings_overrides={"doctitle_xform": False})


def test_words_are_counted_in_prose():
    counts = count_words(doctree(TEXT))
    assert counts["focal"] == 50 + 1
    assert counts["gamma"] == 2
    assert counts["loss"] == 50 + 1 + 5  # "Lossy" has another stem
    assert counts["the"] == 0


def test_a_cell_of_a_notebook_is_no_prose():
    tree = doctree("Text.")
    cell = nodes.container("", nodes.paragraph("", "output"), classes=["cell"])
    tree.append(cell)
    assert dict(count_words(tree)) == {"text": 1}


def test_the_weight_is_the_formula():
    found = weights([{"a": 5, "b": 20}, {"b": 40}, {"c": 1}])
    assert found["a"] == [0, round(100 * math.log(4) * 5 / (5 + HALF))]
    b = [round(100 * math.log(4 / 2) * k / (k + HALF)) for k in (20, 40)]
    assert found["b"] == [0, b[0], 1, b[1]]
    assert "c" not in found  # too small to keep


def test_a_page_is_led_in_by_its_first_paragraph():
    assert lead(doctree(TEXT)) == "The focal loss is gamma. gamma again."
    long = lead(doctree("word " * 100))
    assert len(long) < 165 and long.endswith("word …")
