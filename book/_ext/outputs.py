"""What a code cell puts out cannot bring markup of its own into the page: HTML other than
the tables and live figures of the package, and pictures that run or load something, are
a warning at the cell. Text is escaped anyway.
"""

import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser
from pathlib import Path

from docutils import nodes
from sphinx.util import logging

logger = logging.getLogger(__name__)

# The elements that the package's own outputs are made of, with their attributes.
HTML = {
    "p": "",
    "table": "class",
    "thead": "",
    "tbody": "",
    "tr": "",
    "th": "scope",
    "td": "",
    "form": "aria-label class data-panels",
    "div": "class",
    "span": "class",
    "label": "",
    "input": "max min name step type value",
    "button": "data-play type",
    "output": "class",
    "script": "type",  # as data only, see below
}
DATA = ("script", [("type", "application/json")])


def setup(app):
    app.connect("doctree-read", check, priority=400)  # before the forms are moved
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def check(app, tree):
    for output in tree.findall(lambda n: is_output(n)):
        for raw in output.findall(nodes.raw):
            if "html" in raw["format"].split():
                report(foreign_html(raw.astext()), output)
        for image in output.findall(nodes.image):
            if image["uri"].endswith(".svg"):
                file = Path(app.srcdir, image["uri"].lstrip("/"))
                report(active_svg(file.read_bytes()), output)


def is_output(node):
    return isinstance(node, nodes.container) and (
        node.get("nb_element") == "cell_code_output"
    )


def report(found, output):
    for markup in found:
        logger.warning("output: %s is not allowed in one", markup, location=output)


def foreign_html(text):
    """The tags of some HTML that are not among those of the package."""
    parser, found = HTMLParser(), []

    def look(tag, attributes):
        names = {name for name, _ in attributes}
        known = tag in HTML and names <= set(HTML[tag].split())
        if not known or (tag == "script" and (tag, attributes) != DATA):
            found.append(parser.get_starttag_text())

    parser.handle_starttag = parser.handle_startendtag = look
    parser.feed(text)
    parser.close()
    return found


def active_svg(svg):
    """What runs, or loads another file, in an SVG picture."""
    for element in ElementTree.fromstring(svg).iter():
        name = local_name(element.tag)
        if name in ("script", "foreignObject", "a", "iframe"):
            yield f"<{name}>"
        for attribute, value in element.attrib.items():
            attribute = local_name(attribute)
            if attribute.startswith("on"):
                yield attribute
            if attribute == "href" and not value.startswith(("#", "data:image/png")):
                yield f"{attribute}={value}"


def local_name(name):
    return name.rpartition("}")[2]
