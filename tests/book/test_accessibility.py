"""The book without a mouse or without sight: axe-core's rules on every page, and a walk
with the Tab key."""

from pathlib import Path

import axe_playwright_python
import pytest

from tests.book.test_site import toctree

AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js").read_text("utf-8")
# The rules that may come out differently in the dark, and on a narrow screen.
RULES = {
    (1440, "light"): None,
    (1440, "dark"): ["color-contrast", "link-in-text-block"],
    (390, "light"): ["scrollable-region-focusable", "target-size", "label"],
}
RUN = """
  async rules => {
    const only = rules ? { runOnly: { type: "rule", values: rules } } : {};
    const { violations } = await axe.run({ ...only, resultTypes: ["violations"] });
    return violations.flatMap(rule => rule.nodes.map(
      node => `${rule.id}: ${node.html.slice(0, 120)} ${node.failureSummary}`));
  }
"""
# What is drawn of a formula is hidden from screen readers, which have its MathML, and is
# nine tenths of a page. A section far below the window is laid out like the others.
PREPARE = """
  () => {
    if (document.querySelector(".katex-html:not([aria-hidden=true])")) throw "formula read twice";
    for (const drawn of document.querySelectorAll(".katex-html")) drawn.replaceChildren("x");
    document.body.append(Object.assign(document.createElement("style"),
      { textContent: "section { content-visibility: visible !important }" }));
  }
"""


@pytest.fixture
def tab(browser):
    context = browser.new_context(reduced_motion="reduce")  # no colour half-way
    yield context.new_page()
    context.close()


def violations(tab, address):
    tab.goto(address)
    tab.evaluate(PREPARE)
    tab.evaluate(AXE)
    for (width, theme), rules in RULES.items():
        tab.set_viewport_size({"width": width, "height": 900})
        tab.evaluate("theme => document.documentElement.dataset.theme = theme", theme)
        tab.evaluate("() => new Promise(done => setTimeout(done))")  # after observers
        for found in tab.evaluate(RUN, rules):
            yield f"{width} px, {theme}: {found}"


@pytest.mark.parametrize("page", [*toctree(), "search", "genindex"])
def test_page_has_no_violation(tab, site, page):
    assert list(violations(tab, f"{site}/{page}.html")) == []


PLANTED = {
    "image-alt": "<img src='data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA='>",
    "color-contrast": "<p style='color: #999; background: #fff'>faint</p>",
    "button-name": "<button></button>",
    "scrollable-region-focusable": f"<pre style='overflow: auto'>{'wide ' * 999}</pre>",
}


@pytest.mark.parametrize("rule", PLANTED)
def test_a_planted_barrier_is_found(tab, serve, tmp_path, rule):
    (tmp_path / "page.html").write_text(
        "<!doctype html><html lang='en'><title>Page</title><link rel='icon' href='data:,'>"
        f"<main><h1>Page</h1>{PLANTED[rule]}</main>"
    )
    found = list(violations(tab, serve(tmp_path) + "/page.html"))
    assert found and all(rule in violation for violation in found)


FOCUSED = """
  async () => {
    const e = document.activeElement;
    for (const part of [e, e.parentElement])  // the skip link slides into sight
      await Promise.all(part.getAnimations().map(animation => animation.finished));
    const style = getComputedStyle(e);
    const box = e.getBoundingClientRect();
    const drawn = style.outlineStyle != "none" && parseFloat(style.outlineWidth) > 0
      || style.boxShadow != "none";
    return { what: e.outerHTML.slice(0, 100), text: e.textContent.trim().slice(0, 40), tag: e.tagName,
      visible: drawn, seen: box.bottom > 0 && box.top < innerHeight && box.width > 0 };
  }
"""
KEYBOARD = "book/regression/huber"


def test_tab_reaches_everything_in_order_and_leaves(tab, site):
    """Every stop shows where the focus is, none holds it, and all are reached: a trap,
    or an element that cannot be reached, would make the walk too short."""
    tab.set_viewport_size({"width": 1440, "height": 900})
    tab.goto(f"{site}/{KEYBOARD}.html", wait_until="networkidle")
    stops = []
    while True:
        tab.keyboard.press("Tab")
        stop = tab.evaluate(FOCUSED)
        if stop["tag"] == "BODY" or len(stops) > 600:
            break
        stops.append(stop)
    assert stops[0]["text"] == "Skip to main content"
    assert [
        stop["what"] for stop in stops if not (stop["visible"] and stop["seen"])
    ] == []
    reachable = tab.evaluate(
        """() => [...document.querySelectorAll("a[href], button, input, summary, [tabindex='0']")]
        .filter(e => e.checkVisibility({ visibilityProperty: true })).length"""
    )
    assert len(stops) == reachable


def test_skip_link_leads_past_the_sidebar(tab, site):
    tab.goto(f"{site}/{KEYBOARD}.html", wait_until="networkidle")
    tab.keyboard.press("Tab")
    tab.keyboard.press("Enter")
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.closest('main') != null")


def test_solution_opens_with_the_keyboard(tab, site):
    tab.goto(f"{site}/{KEYBOARD}.html", wait_until="networkidle")
    solution = tab.locator(".solution.dropdown").first
    button = solution.locator("button.toggle-button")
    assert not solution.locator("p").nth(1).is_visible()
    button.focus()
    tab.keyboard.press("Enter")
    assert solution.locator("p").nth(1).is_visible()
    assert button.get_attribute("aria-expanded") == "true"


def test_theme_switch_and_search_with_the_keyboard(tab, site):
    tab.goto(f"{site}/{KEYBOARD}.html", wait_until="networkidle")
    tab.locator("button.theme-switch-button:visible").first.focus()
    themes = set()
    for _ in range(3):
        tab.keyboard.press("Enter")
        themes.add(tab.evaluate("document.documentElement.dataset.theme"))
    assert themes == {"light", "dark"}
    tab.keyboard.press("Control+k")
    tab.keyboard.type("outlier")
    tab.keyboard.press("Enter")
    tab.wait_for_url("**/search.html?q=outlier*")
    assert tab.locator("#search-results a").first.get_attribute("href")


def test_sidebar_of_a_phone_opens_and_closes_with_the_keyboard(tab, site):
    tab.set_viewport_size({"width": 390, "height": 844})
    tab.goto(f"{site}/{KEYBOARD}.html", wait_until="networkidle")
    button = tab.locator("button.primary-toggle:visible")
    button.focus()
    tab.keyboard.press("Enter")
    dialog = tab.locator("dialog#pst-primary-sidebar-modal")
    assert dialog.is_visible()
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.closest('dialog') != null")
    tab.keyboard.press("Escape")
    assert not dialog.is_visible()
    assert button.evaluate("e => e == document.activeElement")
