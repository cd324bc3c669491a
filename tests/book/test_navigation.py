"""Previous and next lead through the whole book in the order of `_toc.yml`."""

import re

import pytest

from tests.book.conftest import HTML
from tests.book.test_site import toctree

PAGES = toctree()


def neighbour(name, direction):
    """The page to which the arrow at the foot of another leads; None without one."""
    page = HTML / f"{name}.html"
    found = re.search(
        rf'<a class="{direction}"\s+href="([^"]+)\.html"', page.read_text("utf-8")
    )
    if not found:
        return None
    target = (page.parent / found[1]).resolve()
    return target.relative_to(HTML.resolve()).as_posix()


@pytest.mark.parametrize("i", range(len(PAGES)), ids=PAGES)
def test_previous_and_next_are_the_neighbours_in_the_contents(site, i):
    before, after = [None, *PAGES][i], [*PAGES, None][i + 1]
    assert neighbour(PAGES[i], "left-prev") == before
    assert neighbour(PAGES[i], "right-next") == after
