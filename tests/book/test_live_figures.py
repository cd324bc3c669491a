"""The live figures of the built book, moved in a real browser.

What a figure computes is compared with Python in `tests/test_live.py`. Here the page is
on trial: that its sliders, buttons and panels move what `live.js` computes in V8 from
the page's own specification.
"""

import json
from urllib.parse import urlsplit

import numpy as np
import pytest
import yaml
from py_mini_racer import MiniRacer

from tests.book.conftest import HTML, ROOT, lay_out

WIDTHS = (1440, 390)
PARTS = ("Foundations", "Regression", "Classification", "Imbalanced classes")

CHAPTERS = [
    chapter["file"]
    for part in yaml.safe_load((ROOT / "_toc.yml").read_text("utf-8"))["parts"]
    for chapter in part["chapters"]
    if part["caption"] in PARTS and chapter["file"] != "book/notation"
]
PAGES = [
    path.relative_to(ROOT).with_suffix("").as_posix()
    for path in sorted((ROOT / "book").rglob("*.md"))
    if "tags: [live" in path.read_text("utf-8")
]

LIVE_CELL = ".cell:has(form.live)"

# A pixel of a colour of the book: axes, grid and labels are grey.
COLOURED = """canvas => {
  const { width, height } = canvas;
  const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
  for (let i = 0; i < data.length; i += 4) {
    const [r, g, b, alpha] = data.subarray(i, i + 4);
    if (alpha > 200 && Math.max(r, g, b) - Math.min(r, g, b) > 60) return true;
  }
  return false;
}"""
# All that a figure shows: its numbers, and its pictures.
SHOWN = """cell => [
  cell.querySelector("output").textContent,
  ...[...cell.querySelectorAll("canvas")].map(canvas => canvas.toDataURL()),
].join()"""
# For each slider at its two ends: the values of all, and the cells of the table.
EACH_SLIDER_AT_ITS_ENDS = """async cell => {
  const sliders = [...cell.querySelectorAll("input[type=range]")];
  const states = [];
  for (const slider of sliders) for (const end of [slider.min, slider.max]) {
    slider.value = end;
    slider.dispatchEvent(new Event("input", { bubbles: true }));
    await new Promise(requestAnimationFrame);
    await new Promise(requestAnimationFrame);
    states.push({
      values: Object.fromEntries(sliders.map(s => [s.name, Number(s.value)])),
      table: [...cell.querySelectorAll("output tr")].map(
        row => [...row.cells].map(entry => entry.textContent)),
    });
  }
  return states;
}"""
# Start and stop at once, and what the slider was at then and three frames later.
START_AND_STOP = """async button => {
  const slider = button.form.elements[button.dataset.play];
  const frames = async n => {
    while (n--) await new Promise(requestAnimationFrame);
  };
  button.click();
  await frames(3);
  button.click();
  const stopped = slider.value;
  await frames(3);
  return [stopped, slider.value, button.textContent];
}"""


class LivePage:
    """A page of the book whose live figures have started: its cells with figures.

    problems: errors, and requests to another host, one sentence each.
    """

    def __init__(self, tab, url):
        self.tab, self.problems = tab, []
        home = urlsplit(url).netloc

        def note_request(request):
            address = urlsplit(request.url)
            if address.scheme not in ("data", "blob") and address.netloc != home:
                self.problems.append(f"request to another host: {request.url}")

        def note_console(message):
            if message.type == "error":
                self.problems.append(f"console error: {message.text}")

        tab.on("request", note_request)
        tab.on("console", note_console)
        tab.on("pageerror", lambda e: self.problems.append(f"page error: {e}"))
        tab.goto(url)
        lay_out(tab)
        for form in tab.locator("form.live").all():
            form.scroll_into_view_if_needed()
        self.cells = tab.locator(LIVE_CELL).all()
        for cell in self.cells:
            cell.locator("form[data-ready]").wait_for()


@pytest.fixture(scope="module", params=PAGES)
def page(request, browser, site):
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    live = LivePage(context.new_page(), f"{site}/{request.param}.html")
    yield live
    context.close()
    assert live.problems == []


@pytest.fixture(scope="module")
def engine():
    context = MiniRacer()
    for script in ("formulas.js", "live.js"):
        context.eval((HTML / "_static" / script).read_text("utf-8"))
    context.eval(
        "const compute = (what, spec, values) => "
        "JSON.stringify(lossbookLive.KINDS[spec.kind][what](spec, values))"
    )
    return context


def computed(engine, what, cell, values):
    """What the specification in the page gives for these numbers of its sliders."""
    spec = json.loads(cell.locator("form script").text_content())
    return json.loads(engine.call("compute", what, spec, values))


def sliders(cell):
    return cell.locator("input[type=range]").all()


def values(cell):
    return {s.get_attribute("name"): float(s.input_value()) for s in sliders(cell)}


def press(slider, key):
    """Press the key, and say whether the slider has moved."""
    before = slider.input_value()
    slider.press(key)
    settle(slider)
    return slider.input_value() != before


def settle(element):
    """Wait until the page has drawn what the sliders say, as it does once a frame."""
    element.evaluate(
        "() => new Promise(r => requestAnimationFrame(() => requestAnimationFrame(r)))"
    )


def reset(cell):
    cell.get_by_role("button", name="Reset").click()
    settle(sliders(cell)[0])


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_chapter_has_a_live_figure(site, chapter):
    assert '<form class="live"' in (HTML / f"{chapter}.html").read_text("utf-8")


@pytest.mark.parametrize("name", PAGES)
def test_without_scripts_the_still_picture_stands(browser, site, name):
    context = browser.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto(f"{site}/{name}.html")
    cells = tab.locator(LIVE_CELL).all()
    assert cells
    display = "(cell, part) => getComputedStyle(cell.querySelector(part)).display"
    for cell in cells:
        assert cell.evaluate(display, "form") == "none"
        assert cell.evaluate(display, "figure img") != "none"
        assert cell.locator("canvas").count() == 0
    context.close()


def test_every_panel_is_drawn(page, engine):
    for cell in page.cells:
        canvases = cell.locator("canvas").all()
        assert len(canvases) == len(computed(engine, "panels", cell, values(cell)))
        assert all(canvas.evaluate(COLOURED) for canvas in canvases)
        assert cell.locator("figure img").count() == 0
        assert cell.locator(".live-plots").get_attribute("aria-label")


def test_every_slider_moves_the_figure_by_keyboard(page):
    for cell in page.cells:
        reset(cell)
        for slider in sliders(cell):
            # an exponent of the positives is idle while the target is 0
            moved = nudged(cell, slider) or any(
                nudged(cell, target) and nudged(cell, slider)
                for target in cell.locator("input[name=target]").all()
            )
            assert moved, slider.get_attribute("name")


def nudged(cell, slider):
    """Move the slider by a step, and say whether the figure has changed."""
    shown = slider.locator("xpath=following-sibling::*[1]")
    before, figure = shown.text_content(), cell.evaluate(SHOWN)
    assert press(slider, "ArrowRight") or press(slider, "ArrowLeft")
    assert shown.text_content() != before
    return cell.evaluate(SHOWN) != figure


def test_the_readout_is_what_the_specification_gives(page, engine):
    for cell in page.cells:
        reset(cell)
        for state in cell.evaluate(EACH_SLIDER_AT_ITS_ENDS):
            columns, rows = computed(engine, "readout", cell, state["values"])
            head, *body = state["table"]
            assert head[1:] == columns
            assert [label for label, *_ in body] == list(rows)
            shown = [[number(text) for text in row[1:]] for row in body]
            # the page shows four digits
            np.testing.assert_allclose(
                shown, list(rows.values()), rtol=6e-4, atol=1e-12
            )


def number(text):
    return float(text.replace("\N{MINUS SIGN}", "-"))


def test_reset_goes_back(page):
    for cell in page.cells:
        reset(cell)
        start, figure = values(cell), cell.evaluate(SHOWN)
        for slider in sliders(cell):
            press(slider, "End") or press(slider, "Home")
        assert values(cell) != start
        reset(cell)
        assert values(cell) == start and cell.evaluate(SHOWN) == figure


def test_play_runs_to_the_end_and_stop_stops(page):
    for cell in page.cells:
        for button in cell.locator("[data-play]").all():
            slider = cell.locator(f"input[name='{button.get_attribute('data-play')}']")
            press(slider, "Home")
            stopped, later, text = button.evaluate(START_AND_STOP)
            assert 0 < float(stopped) < float(slider.get_attribute("max"))
            assert later == stopped and text == "Play"
            button.click()
            cell.get_by_role("button", name="Play").wait_for()
            assert slider.input_value() == slider.get_attribute("max")


def test_a_pointer_on_a_panel_moves_its_sliders(page, engine):
    for cell in page.cells:
        reset(cell)
        panels = computed(engine, "panels", cell, values(cell))
        for panel, plot in zip(panels, cell.locator(".u-over").all(), strict=True):
            expected = values(cell)
            drag(page.tab, plot, (0.5, 0.5), (0.7, 0.4))
            for axis, share, name in zip("xy", (0.7, 0.6), panel["drag"], strict=False):
                if name:
                    _, low, high = panel[axis]
                    expected[name] = low + share * (high - low)
            settle(plot)
            for slider in sliders(cell):
                name, moved = slider.get_attribute("name"), slider.input_value()
                low, high, step = (
                    float(slider.get_attribute(key)) for key in ("min", "max", "step")
                )
                aim = np.clip(expected[name], low, high)
                assert abs(float(moved) - aim) <= step + 0.02 * (high - low), name


def drag(tab, plot, start, end):
    """Draw the pointer from one place of the plot to another, in shares of its size
    from the upper left corner."""
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    places = [
        (box["x"] + x * box["width"], box["y"] + y * box["height"])
        for x, y in (start, end)
    ]
    tab.mouse.move(*places[0])
    tab.mouse.down()
    tab.mouse.move(*places[1])
    tab.mouse.up()


@pytest.mark.parametrize("name", PAGES)
def test_nothing_shifts_when_a_figure_starts(tab, site, name):
    def heights():
        for width in WIDTHS:
            tab.set_viewport_size({"width": width, "height": 900})
            boxes = [c.bounding_box() for c in tab.locator(LIVE_CELL).all()]
            yield [round(box["height"]) for box in boxes]

    tab.route("**/live.js*", lambda route: route.abort())
    tab.goto(f"{site}/{name}.html")
    lay_out(tab)
    before = list(heights())
    tab.unroute("**/live.js*")
    LivePage(tab, f"{site}/{name}.html")
    assert list(heights()) == before
    # at the last width, a phone's
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_from_a_folder_without_a_server(tab, site):
    page = LivePage(tab, (HTML / f"{PAGES[0]}.html").as_uri())
    # what a page asks for ahead of time is for a server's pages only, and the console
    # says so; fonts and scripts come all the same
    problems = [p for p in page.problems if not p.startswith("console error")]
    assert problems == []
    assert tab.evaluate("[...document.fonts].every(font => font.status != 'error')")
    assert page.cells[0].locator("canvas").first.evaluate(COLOURED)
