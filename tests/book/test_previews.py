"""The previews of links, in a real browser: on pages of this test's own, and on the
built book."""

import gzip
import shutil

import pytest

from tests.book.conftest import ROOT

SCRIPT = ROOT / "book/_static/previews.js"
PAGE = """<!doctype html><html lang="en"><title>Page</title><link rel="icon" href="data:,">
<body><article class="bd-article"><section id="page"><h1>Page</h1><p>How it begins.</p>
<a class="internal" id="to-equation" href="#equation-one">(1)</a>
<a class="footnote-reference" id="to-source" href="#footcite-one">[1]</a>
<a class="internal" id="to-term" href="other.html#term-logit">logit</a>
<a class="internal" id="to-figure" href="other.html#fig-one">Fig. 1</a>
<a class="internal" id="to-section" href="other.html#part">part</a>
<a class="internal" id="to-label" href="other.html#label">label</a>
<a class="internal" id="to-page" href="other.html">other</a>
<a class="internal" id="to-nothing" href="other.html#nothing">nothing</a>
<a class="internal" id="to-missing" href="missing.html#x">missing</a>
<a class="external" id="away" href="#equation-one">away</a>
<div class="math" id="equation-one">E = mc<a class="headerlink" href="#equation-one">#</a></div>
<aside id="footcite-one"><span class="label">[1]</span><span class="backrefs">(1,2)</span>
<p>A. Author. <a href="https://example.org">A title</a>.</p></aside>
</section></article><script src="previews.js"></script>
"""
OTHER = """<!doctype html><title>Other</title>
<article class="bd-article"><section id="other"><h1>Other</h1><p>What it asks.</p><p>More.</p>
<section id="part"><span id="label"></span><h2>A part</h2><div>code</div><p>Its first words.</p><p>Next.</p></section>
<figure id="fig-one"><img src="dot.gif" alt="a dot"><figcaption>One dot.</figcaption></figure>
<dl class="glossary"><dt id="term-logit">logit</dt><dt id="term-raw">raw score</dt><dd><p>A score.</p></dd></dl>
</section></article>
"""
SHOWN = {
    "to-equation": "E = mc",
    "to-source": "A. Author. A title.",
    "to-term": "logit A score.",
    "to-figure": "One dot.",
    "to-section": "A part Its first words.",
    "to-label": "A part Its first words.",
    "to-page": "Other What it asks.",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("previews")
    (folder / "page.html").write_text(PAGE, encoding="utf-8")
    (folder / "other.html").write_text(OTHER, encoding="utf-8")
    shutil.copy(SCRIPT, folder)
    return folder


@pytest.fixture
def page(tab, serve, folder):
    tab.goto(serve(folder) + "/page.html")
    return tab


def shown(tab):
    """What the preview says, once it is there."""
    preview = tab.locator("#preview")
    preview.wait_for(state="visible")
    return " ".join(preview.inner_text().split())


def hidden(tab):
    tab.locator("#preview").wait_for(state="hidden")
    return tab.locator("[aria-describedby]").count() == 0


@pytest.mark.parametrize("link", SHOWN)
def test_the_pointer_shows_what_a_link_leads_to(page, link):
    page.hover(f"#{link}")
    assert shown(page) == SHOWN[link]
    page.mouse.move(0, 600)
    assert hidden(page)


def focus(tab, link):
    """Bring the keyboard to a link, as the Tab key does."""
    while tab.evaluate("document.activeElement.id") != link:
        tab.keyboard.press("Tab")


@pytest.mark.parametrize("link", SHOWN)
def test_the_keyboard_shows_it_and_escape_hides_it(page, link):
    focus(page, link)
    assert shown(page) == SHOWN[link]
    assert page.locator(f"#{link}").get_attribute("aria-describedby") == "preview"
    assert page.locator("#preview").get_attribute("role") == "tooltip"
    page.keyboard.press("Escape")
    assert hidden(page)
    assert page.evaluate("document.activeElement.id") == link


def test_the_keyboard_leaves_and_the_preview_goes(page):
    focus(page, "to-equation")
    shown(page)
    page.focus("#away")
    assert hidden(page)


def test_the_pointer_may_move_onto_the_preview(page):
    page.clock.install()
    page.hover("#to-source")
    page.clock.run_for(300)
    shown(page)
    page.hover("#preview")
    page.clock.run_for(5000)
    assert page.locator("#preview").is_visible()
    page.mouse.move(0, 600)
    page.clock.run_for(300)
    assert hidden(page)


def test_a_pointer_that_only_passes_shows_nothing(page):
    page.clock.install()
    page.hover("#to-equation")
    page.clock.run_for(200)
    assert page.locator("#preview").is_hidden()
    page.mouse.move(0, 600)
    page.clock.run_for(5000)
    assert page.locator("#preview").is_hidden()


@pytest.mark.parametrize("link", ["to-nothing", "to-missing", "away"])
def test_where_there_is_nothing_to_show_nothing_is_shown(page, link):
    errors = []
    page.on("pageerror", lambda error: errors.append(error))
    focus(page, link)
    page.wait_for_load_state("networkidle")
    assert page.locator("#preview").is_hidden()
    assert not errors


def test_the_copy_has_no_ids_and_nothing_to_tab_to(page):
    focus(page, "to-source")
    shown(page)
    assert page.locator("#preview [id], #preview [href]").count() == 0
    assert page.locator("[id=footcite-one]").count() == 1


def test_an_image_of_another_page_is_found(page, serve, folder):
    focus(page, "to-figure")
    shown(page)
    source = page.locator("#preview img").get_attribute("src")
    assert source == page.url.replace("page.html", "dot.gif")


def test_another_page_is_fetched_once(page):
    requests = []
    page.on("request", lambda request: requests.append(request.url))
    for link in ("to-term", "to-section", "to-page"):
        page.hover(f"#{link}")
        shown(page)
        page.keyboard.press("Escape")
    assert len([url for url in requests if url.endswith("other.html")]) == 1


def test_a_tap_follows_the_link(browser, serve, folder):
    context = browser.new_context(has_touch=True, is_mobile=True)
    page = context.new_page()
    page.goto(serve(folder) + "/page.html")
    page.clock.install()
    # a finger that scrolls comes over links, too
    page.dispatch_event("#to-source", "pointerover", {"pointerType": "touch"})
    page.clock.run_for(5000)
    assert page.locator("#preview").is_hidden()
    page.tap("#to-equation")
    page.wait_for_url("**/page.html#equation-one")
    page.clock.run_for(5000)
    assert page.locator("#preview").is_hidden()
    context.close()


def test_from_a_file_the_link_works_without_a_preview(tab, folder):
    tab.goto((folder / "page.html").as_uri())
    errors = []
    tab.on("pageerror", lambda error: errors.append(error))
    focus(tab, "to-equation")
    assert shown(tab) == SHOWN["to-equation"]
    with tab.expect_event("requestfailed"):
        focus(tab, "to-section")
    assert hidden(tab)
    assert not errors
    tab.keyboard.press("Enter")
    tab.wait_for_url("**/other.html#part")


IN_THE_BOOK = {
    "a source": ("imbalance/focal", "a.footnote-reference", "Focal loss for dense"),
    "an equation": ("imbalance/focal", "a.internal[href^='#equation-']", "("),
    "an equation elsewhere": ("imbalance/focal", "a[href*='.html#equation-']", "("),
    "a figure": ("imbalance/comparison", "a.internal[href^='#fig-']", "Fig."),
    "a term": ("imbalance/focal", "a[href*='#term-sigmoid']", "sigmoid The function"),
    "a chapter": (
        "imbalance/focal",
        "a[href='weighted_cross_entropy.html']",
        "Weighted cross-entropy ",
    ),
    "a function": (
        "reference/losses_at_a_glance",
        "a[href*='#lossbook.torch']",
        "class",
    ),
}


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("what", IN_THE_BOOK)
def test_in_the_book(tab, site, what, width):
    name, link, beginning = IN_THE_BOOK[what]
    tab.set_viewport_size({"width": width, "height": 900})
    tab.goto(f"{site}/book/{name}.html")
    tab.hover(f".bd-article {link} >> nth=0")
    assert beginning in shown(tab)
    box = tab.locator("#preview").bounding_box()
    assert 0 <= box["x"] and box["x"] + box["width"] <= width
    assert 0 <= box["y"] and box["y"] + box["height"] <= 900


def test_script_and_styles_are_small():
    files = SCRIPT, SCRIPT.with_suffix(".css")
    assert sum(len(gzip.compress(path.read_bytes())) for path in files) < 15_000
