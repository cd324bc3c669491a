"""Every page of the built book, opened in a real browser.

`problems_of` does the looking. The tests at the end plant each kind of error in a page
and see it found.
"""

import functools
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import pytest
import yaml

ROOT = Path(__file__).parents[2]

# Returns a list of sentences, one per problem.
LOOK = r"""
() => {
  const found = [];
  const short = element => element.outerHTML.replace(/\s+/g, " ").slice(0, 120);
  for (const image of document.querySelectorAll("img"))
    if (!(image.getAttribute("alt") || "").trim()) found.push("image without alt text: " + short(image));

  for (const math of document.querySelectorAll(".math"))
    if (!math.querySelector(".katex")) found.push("equation left unrendered: " + short(math));
  for (const error of document.querySelectorAll(".katex-error"))
    found.push("equation in error: " + short(error));
  for (const cell of document.querySelectorAll("table.gradient-check td"))
    if (cell.textContent == "DIFFERS" && !cell.closest(".tag_expected-difference"))
      found.push("a gradient check that differs: " + short(cell.parentElement));
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const text = texts.currentNode;
    if (text.parentElement.closest("pre, code, kbd, script, style, .katex")) continue;
    const raw = text.data.match(/\\[a-zA-Z]{2,}|\\[()[\]]|\$[^\s$][^$]*\$/);
    if (raw) found.push("raw TeX in the text: " + raw[0]);
  }

  for (const output of document.querySelectorAll(".cell_output")) {
    if (output.querySelector(".stderr")) found.push("stderr in an output: " + short(output));
    const bad = output.textContent.match(/Traceback \(most recent call last\)|\b[A-Z]\w*Warning:.*/);
    if (bad) found.push("traceback or warning in an output: " + bad[0]);
    if (output.querySelector(".traceback")) found.push("traceback in an output: " + short(output));
  }
  return found;
}
"""

# The page must not scroll sideways; tells what sticks out.
OVERFLOW = r"""
() => {
  if (document.documentElement.scrollWidth <= innerWidth) return null;
  const clipped = e => e && (getComputedStyle(e).overflowX !== "visible" || clipped(e.parentElement));
  const wide = [...document.body.querySelectorAll("*")].filter(
    e => e.getBoundingClientRect().right > innerWidth + 1 && !clipped(e.parentElement));
  return wide.length ? wide[wide.length - 1].outerHTML.slice(0, 120) : "unknown element";
}
"""


def toctree():
    """The pages of `_toc.yml`, as paths without suffix."""

    def files(entry):
        if isinstance(entry, dict):
            yield from (entry[key] for key in ("root", "file") if key in entry)
        for child in entry.values() if isinstance(entry, dict) else entry:
            if isinstance(child, (dict, list)):
                yield from files(child)

    return list(files(yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))))


def problems_of(tab, url):
    """Open the page and return everything that is wrong with it, one sentence each."""
    problems = []
    home = urlsplit(url).netloc

    def note_request(request):
        if (
            not request.url.startswith(("data:", "blob:"))
            and urlsplit(request.url).netloc != home
        ):
            problems.append(f"request to another host: {request.url}")

    def note_response(response):
        if response.status >= 400:
            problems.append(f"request failed with {response.status}: {response.url}")

    def note_console(message):
        if message.type == "error":
            problems.append(
                f"console error: {message.text} ({message.location['url']})"
            )

    tab.on("request", note_request)
    tab.on("response", note_response)
    tab.on(
        "requestfailed",
        lambda r: problems.append(f"request failed: {r.url} ({r.failure})"),
    )
    tab.on("console", note_console)
    tab.on("pageerror", lambda error: problems.append(f"page error: {error}"))

    tab.goto(url, wait_until="networkidle")
    problems += tab.evaluate(LOOK)
    problems += broken_links(tab, url)
    for theme in ("light", "dark"):
        tab.evaluate(
            "theme => { document.documentElement.dataset.theme = theme }", theme
        )
        for width in (390, 1440):
            tab.set_viewport_size({"width": width, "height": 900})
            if culprit := tab.evaluate(OVERFLOW):
                problems.append(f"scrolls sideways at {width} px, {theme}: {culprit}")
    return problems


def broken_links(tab, url):
    hrefs = tab.evaluate(
        "[...document.querySelectorAll('a[href]')].map(a => a.getAttribute('href'))"
    )
    for href in sorted(set(hrefs)):
        target = urlsplit(urljoin(url, href))
        if target.netloc != urlsplit(url).netloc:
            continue  # another site's links are its own affair
        ids = ids_of(tab, target._replace(fragment="").geturl())
        if ids is None:
            yield f"broken link: {href}"
        elif target.fragment and unquote(target.fragment) not in ids:
            yield f"broken anchor: {href}"


@functools.cache
def ids_of(tab, address):
    """The anchors of a page; None when there is no such page."""
    response = tab.request.get(address)
    if not response.ok:
        return None
    ids = set()
    if "html" in response.headers["content-type"]:
        parser = HTMLParser()
        parser.handle_starttag = lambda tag, attributes: ids.update(
            value
            for name, value in attributes
            if name == "id" or (tag == "a" and name == "name")
        )
        parser.feed(response.text())
    return ids


@pytest.mark.parametrize("name", toctree())
def test_page(tab, site, name):
    assert problems_of(tab, f"{site}/{name}.html") == []


def test_front_page_leads_into_the_book(tab, site):
    tab.goto(site)
    tab.wait_for_url(f"{site}/{toctree()[0]}.html")


GOOD = """<!doctype html><html lang="en"><title>Good</title><link rel="icon" href="data:,">
<body style="margin: 0"><h1 id="top">Good</h1><a href="#top">up</a> <a href="page.html#top">here</a>
<a href="https://example.org/">away</a> <code>\\frac</code> costs $5
<img src="data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA=" alt="a dot">
<div style="overflow: auto"><div style="width: 3000px">scrolls in its own box</div></div>
<span class="math"><span class="katex">x</span></span>
<div class="cell_output"><pre>ValueError: shown on purpose</pre></div>
<div class="tag_expected-difference"><table class="gradient-check"><td>DIFFERS</td></table></div>
"""
PLANTED = {
    "console error": "<script>console.error('planted')</script>",
    "page error": "<script>throw new Error('planted')</script>",
    "request failed": "<script src='missing.js'></script>",
    "request to another host": "<script src='http://localhost:9/x.js'></script>",
    "broken link": "<a href='missing.html'>missing</a>",
    "broken anchor": "<a href='page.html#missing'>missing</a>",
    "image without alt text": "<img src='data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA='>",
    "equation left unrendered": "<div class='math'>x^2</div>",
    "equation in error": "<code class='katex-error'>x^</code>",
    "a gradient check that differs": "<table class='gradient-check'><td>DIFFERS</td></table>",
    "raw TeX in the text: \\frac": "<p>so \\frac12 is a half</p>",
    "raw TeX in the text: $x_i$": "<p>where $x_i$ is known</p>",
    "raw TeX in the text: \\(": "<p>where \\(x\\) is known</p>",
    "stderr in an output": "<div class='cell_output'><div class='output stderr'>oh</div></div>",
    "traceback or warning in an output: Traceback": "<div class='cell_output'><pre>"
    "Traceback (most recent call last):</pre></div>",
    "traceback or warning in an output: RuntimeWarning": "<div class='cell_output'><pre>"
    "x.py:1: RuntimeWarning: overflow</pre></div>",
    "traceback in an output": "<div class='cell_output'><div class='output traceback'>E</div></div>",
    "scrolls sideways at 390 px, light": "<div style='width: 400px; height: 1px'></div>",
    "scrolls sideways at 1440 px, light": "<div style='width: 1500px; height: 1px'></div>",
    "scrolls sideways at 390 px, dark": "<style>[data-theme=dark] p {width: 500px}</style><p>wide</p>",
}


def look_at(html, tab, serve, folder):
    (folder / "page.html").write_text(html)
    ids_of.cache_clear()
    return problems_of(tab, serve(folder) + "/page.html")


def test_a_good_page_has_no_problems(tab, serve, tmp_path):
    assert look_at(GOOD, tab, serve, tmp_path) == []


@pytest.mark.parametrize("problem", PLANTED)
def test_a_planted_problem_is_found(tab, serve, tmp_path, problem):
    problems = look_at(GOOD + PLANTED[problem], tab, serve, tmp_path)
    assert any(found.startswith(problem) for found in problems), problems
