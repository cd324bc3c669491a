"""The role `claim` marks what a chapter has found by measuring, where it says so; the
directive `claims` makes a table of them all, each beside what shows it.

    {claim}`The softmax is best`                    the cell above it, in its section
    {claim}`The second word makes it worse <below>`           the cell below it
    {claim}`Focal gains nothing <fig-digits>`                 the cell of that label
    {claim}`No loss is ahead <src/lossbook/results/a.json>`   a file of the repository

A claim without such a cell or file is a warning at its place.
"""

import re
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective, SphinxRole

logger = logging.getLogger(__name__)
DROPPED = (nodes.footnote_reference, addnodes.index)  # what a table cannot hold


class claims_table(nodes.General, nodes.Element):
    pass


def setup(app):
    app.add_role("claim", Claim())
    app.add_directive("claims", Claims)
    app.add_node(claims_table)
    app.connect("doctree-read", find_evidence)
    app.connect("doctree-resolved", write_tables)
    return {"env_version": 1, "parallel_read_safe": True, "parallel_write_safe": True}


class Claim(SphinxRole):
    def run(self):
        text, place = re.fullmatch(r"(.+?)(?: <([^<>]*)>)?", self.text, re.S).groups()
        children, messages = self.inliner.parse(
            text, self.lineno, None, self.inliner.parent
        )
        marked = nodes.inline("", "", *children, classes=["claim"])
        marked["shown_by"] = place or "above"
        self.set_source_info(marked)
        return [marked], messages


class Claims(SphinxDirective):
    def run(self):
        for name in self.env.found_docs:
            self.env.note_dependency(self.env.doc2path(name))
        return [claims_table()]


def find_evidence(app, tree):
    """Give every claim and what shows it an anchor, and note them with the page."""
    cells = list(tree.findall(is_cell))
    claims = [n for n in tree.findall(nodes.inline) if "claim" in n["classes"]]
    noted = []
    for number, claim in enumerate(claims, 1):
        claim["ids"].append(f"claim-{number}")
        shown_by = claim["shown_by"]
        anchor = None
        if "/" in shown_by:
            found = shown_by if Path(app.srcdir, shown_by).is_file() else None
        else:
            cell = find_cell(tree, claim, shown_by)
            found = cell and f"cell {cells.index(cell) + 1}"
            anchor = found and found.replace(" ", "-")
            if cell and anchor not in cell["ids"]:
                cell["ids"].append(anchor)
        if found:
            part = section_of(claim)
            content = plain(claim)
            if part.parent is not tree:
                content.insert(0, nodes.emphasis("", f"{part[0].astext()}: "))
            noted.append((content, claim["ids"][0], found, anchor))
        else:
            logger.warning("claim: nothing shows it: %s", shown_by, location=claim)
    app.env.metadata[app.env.docname]["claims"] = noted


def find_cell(tree, claim, place):
    """The last cell with an output before a claim in its section, the first after it, or
    the one of a label."""
    if place in ("above", "below"):
        nodes_of_section = list(section_of(claim).findall())
        here = nodes_of_section.index(claim)
        before, after = nodes_of_section[here::-1], nodes_of_section[here:]
        nearby = before if place == "above" else after
        return next((n for n in nearby if is_cell(n) and has_output(n)), None)
    node = tree.ids.get(tree.nameids.get(place))
    if isinstance(node, nodes.target):
        node = node.next_node(descend=False, siblings=True)
    while node is not None and not is_cell(node):
        node = node.parent
    return node


def is_cell(node):
    return isinstance(node, nodes.container) and node.get("nb_element") == "cell_code"


def has_output(cell):
    return any(n.get("nb_element") == "cell_code_output" for n in cell.children)


def section_of(node):
    """The part of the chapter under one heading of the second level."""
    sections = []
    while node := node.parent:
        if isinstance(node, nodes.section):
            sections.append(node)
    return sections[-2:][0]


def plain(claim):
    """The claim's content without links and notes, for another page."""
    copy = claim.deepcopy()
    for node in list(copy.findall(lambda n: isinstance(n, DROPPED))):
        node.parent.remove(node)
    for node in list(copy.findall(addnodes.pending_xref)):
        node.replace_self(nodes.Text(node.astext()))
    return copy.children


def write_tables(app, tree, docname):
    for placeholder in list(tree.findall(claims_table)):
        parts = []
        for name in chapters(app.env):
            if noted := app.env.metadata[name].get("claims"):
                title = nodes.Text(app.env.titles[name].astext())
                parts.append(nodes.rubric("", "", link(app, docname, name, title)))
                parts.append(table(app, docname, name, noted))
        placeholder.replace_self(parts)


def chapters(env):
    """The pages in the order of the book."""
    order = [env.config.root_doc]
    for name in order:
        order += env.toctree_includes.get(name, [])
    return order


def table(app, page, chapter, noted):
    rows = []
    for content, place, found, anchor in noted:
        claim = link(app, page, chapter, *(n.deepcopy() for n in content), to=place)
        evidence = nodes.literal("", found)
        if anchor:
            evidence = link(app, page, chapter, nodes.Text(found), to=anchor)
        rows.append(row(claim, evidence))
    group = nodes.tgroup("", cols=2)
    group += [nodes.colspec(colwidth=75), nodes.colspec(colwidth=25)]
    group += nodes.thead("", row(nodes.Text("Claim"), nodes.Text("Shown by")))
    group += nodes.tbody("", *rows)
    return nodes.table("", group)


def row(*cells):
    return nodes.row("", *(nodes.entry("", nodes.paragraph("", "", c)) for c in cells))


def link(app, page, chapter, *content, to=None):
    address = app.builder.get_relative_uri(page, chapter) + (f"#{to}" if to else "")
    return nodes.reference("", "", *content, internal=True, refuri=address)
