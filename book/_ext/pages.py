"""What a page tells of itself: a description for those who search, the sizes of its
figures so that nothing moves when they arrive, and only the assets that are its own.
"""

import posixpath
import re
from html import escape
from itertools import takewhile
from pathlib import Path
from textwrap import shorten

from docutils import nodes

DESCRIPTION = 160  # characters; search engines cut what is longer
FIGURE = re.compile(r'<img [^>]*src="[^"]*_images/(?P<name>[^"]+\.svg)"')
SIZE = re.compile(rb'<svg[^>]* width="([\d.]+)pt" height="([\d.]+)pt"')


def setup(app):
    app.connect("html-page-context", complete, priority=900)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}


def complete(app, pagename, templatename, context, doctree):
    text = description(doctree) if doctree else None
    text = escape(text or context["docstitle"])
    tags = context.get("metatags", "")  # the index and the search page have none
    context["metatags"] = f'{tags}\n    <meta name="description" content="{text}">'
    if "body" in context:
        context["body"] = with_sizes(context["body"], app.builder)


def description(doctree):
    """The sentences that begin the page, up to the first formula; None where no
    paragraph begins with one."""
    for paragraph in doctree.findall(nodes.paragraph):
        if isinstance(paragraph.parent, nodes.section):
            words = takewhile(lambda n: not isinstance(n, nodes.math), paragraph)
            text = shorten(
                "".join(n.astext() for n in words), DESCRIPTION, placeholder=""
            )
            if sentences := re.match(r".*[.?!](?!\S)", text):
                return sentences[0]
    return None


def with_sizes(body, builder):
    """The page with width and height on every figure; all but the first wait until they
    come near the screen."""
    sources = {posixpath.basename(new): old for old, new in builder.images.items()}
    seen = []

    def complete_figure(tag):
        svg = Path(builder.srcdir, sources[tag["name"]]).read_bytes()
        points = SIZE.search(svg)
        width, height = (round(float(size) * 4 / 3) for size in points.groups())
        lazy = ' loading="lazy"' if seen else ""
        seen.append(tag["name"])
        return f'{tag[0]} width="{width}" height="{height}"{lazy} decoding="async"'

    return FIGURE.sub(complete_figure, body)
