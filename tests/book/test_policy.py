"""The content security policy: every page has it, everything works under it, and a script
that somebody wrote into a page does not run."""

import sys

import pytest
from bs4 import BeautifulSoup

from tests.book.conftest import CHAPTERS, HTML, ROOT, lay_out

sys.path.insert(0, str(ROOT / "book" / "_ext"))
import policy  # noqa: E402

PAGES = sorted(p for p in HTML.rglob("*.html") if "_static" not in p.parts)
# One of each kind. The pages of the table of contents are opened in test_site.py, where
# a refusal is an error on the console.
KINDS = {
    "index.html": "article h1",
    "genindex.html": "article h1",
    "py-modindex.html": "article h1",
    "search.html?q=focal+loss": "ul.search > li",
    "book/imbalance/focal.html": "form.live",
    "book/reference/package.html": "article dt",
    "slides/focal.html": ".reveal.ready section.present",
}
REFUSALS = """
  addEventListener("securitypolicyviolation", event =>
    console.error(`refused: ${event.violatedDirective} ${event.blockedURI}`));
"""
INJECTED = """
<script>ran.push("script")</script>
<img src="data:," alt="" onerror="ran.push('attribute')">
<a id="link" href="javascript:void(ran.push('link'))">link</a>
<iframe src="http://localhost:9/"></iframe>
"""


def note(message, problems):
    if message.text.startswith("refused:") or "Content Security Policy" in message.text:
        problems.append(message.text)


@pytest.fixture
def watched(tab):
    """The tab, and the list of what its pages were refused, or failed at."""
    problems = []
    tab.add_init_script(REFUSALS)
    tab.on("console", lambda m: note(m, problems))
    tab.on("pageerror", lambda error: problems.append(str(error)))
    return tab, problems


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(HTML)))
def test_a_page_has_the_policy_first_and_no_script_of_its_own(page):
    soup = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")
    tag = soup.select_one('head meta[http-equiv="Content-Security-Policy"]')
    assert tag is not None
    before = [e.name for e in tag.find_all_previous() if e.name not in ("html", "head")]
    assert set(before) <= {"meta"}
    assert "script-src 'self'" in tag["content"]
    for script in soup.find_all("script"):
        assert script.get("src") or script.get("type") == "application/json"
    for element in soup.find_all(True):
        assert not [name for name in element.attrs if name.startswith("on")]
        assert not element.get("href", "").startswith("javascript:")


@pytest.mark.parametrize("scheme", ["http", "file"])
@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_page_works_under_the_policy(watched, site, kind, scheme):
    tab, problems = watched
    address = f"{site}/{kind}" if scheme == "http" else f"{HTML.as_uri()}/{kind}"
    tab.goto(address)
    shown = tab.locator(KINDS[kind]).first
    shown.wait_for(state="attached")
    if "live" in KINDS[kind]:  # it is drawn when it comes near the window
        lay_out(tab)
        shown.scroll_into_view_if_needed()
        tab.locator("form.live[data-ready]").first.wait_for(state="attached")
    assert problems == []


def test_the_speakers_view_works_under_the_policy(watched, site):
    tab, problems = watched
    tab.goto(f"{site}/slides/{CHAPTERS[0].name}.html")
    tab.locator(".reveal.ready").wait_for()
    with tab.expect_popup() as opened:
        tab.keyboard.press("s")
    window = opened.value
    window.on("console", lambda m: note(m, problems))
    window.locator("#current-slide iframe").wait_for()
    slide = window.frame_locator("#current-slide iframe")
    slide.locator(".reveal.ready section.present").first.wait_for()
    assert problems == []


@pytest.mark.parametrize("protected", [True, False])
def test_what_is_injected_into_a_page_does_not_run(tab, serve, tmp_path, protected):
    tag = policy.policy_tag() if protected else ""
    head = f"<!doctype html><html><head>{tag}<title>Page</title></head>"
    (tmp_path / "page.html").write_text(f"{head}<body>{INJECTED}</body></html>")
    asked = []
    tab.on("request", lambda request: asked.append(request.url))
    tab.add_init_script(
        "window.ran = []; window.refused = [];"
        "addEventListener('securitypolicyviolation', e => refused.push(e.blockedURI))"
    )
    tab.goto(serve(tmp_path) + "/page.html")
    tab.click("#link")
    tab.wait_for_function("ran.length + refused.length >= (refused.length ? 4 : 3)")
    ran = set(tab.evaluate("ran"))
    assert ran == (set() if protected else {"script", "attribute", "link"})
    assert any("localhost:9" in url for url in asked) != protected


def test_the_policy_allows_the_site_alone():
    words = " ".join(policy.POLICY.values()).split()
    assert set(words) == {"'self'", "'none'", "'unsafe-inline'", "data:"}
    assert policy.POLICY["script-src"] == "'self'"
    assert policy.POLICY["default-src"] == "'none'"
