"""Every address in every page leads somewhere: chapters, slides, indexes and all. The
browser's own look at the chapters is in test_site.py."""

from functools import cache
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

import pytest

from tests.book.conftest import HTML

PAGES = sorted(p for p in HTML.rglob("*.html") if "_static" not in p.parts)


@cache
def read(path):
    """The addresses and the anchors of a page."""
    addresses, anchors = set(), set()

    def look(tag, attributes):
        for name, value in attributes:
            if name in ("href", "src") and value:
                addresses.add(value)
            if name == "id" or (tag, name) == ("a", "name"):
                anchors.add(value)

    parser = HTMLParser()
    parser.handle_starttag = parser.handle_startendtag = look
    parser.feed(path.read_text(encoding="utf-8"))
    return addresses, anchors


def broken(page):
    for address in sorted(read(page)[0]):
        parts = urlsplit(address)
        if parts.scheme or parts.netloc:
            continue  # another host's, or data
        target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
        if not target.is_file():
            yield address
        elif parts.fragment and target.suffix == ".html":
            if unquote(parts.fragment) not in read(target)[1]:
                yield address


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(HTML)))
def test_every_address_leads_somewhere(page):
    assert list(broken(page)) == []


def test_what_leads_nowhere_is_found(tmp_path):
    (tmp_path / "other.html").write_text('<p id="here"><a name="there">')
    page = tmp_path / "page.html"
    good = '<a href="other.html#here"><a href="other.html#there"><a href="#top"><p id="top">'
    page.write_text(
        f'{good}<img src="lost.svg"/><a href="other.html#lost"><a href="#lost">'
    )
    assert list(broken(page)) == ["#lost", "lost.svg", "other.html#lost"]
