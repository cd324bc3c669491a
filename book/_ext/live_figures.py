"""The scripts of the live figures: the formulas are printed from the derivations when
the book is built, and a page gets the scripts only where it has a figure."""

from pathlib import Path

from docutils import nodes

from lossbook.javascript import source


def setup(app):
    app.connect("doctree-read", lift_forms)
    app.connect("html-page-context", add_script)
    app.connect("build-finished", write_formulas)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def lift_forms(app, doctree):
    """Put a figure's form above its picture: both come in one output, of which Sphinx
    would choose one. Number the forms, so that a screen reader tells them apart."""
    number = 0
    for raw in list(doctree.findall(nodes.raw)):
        if raw.astext().startswith('<form class="live"'):
            number += 1
            text = raw.astext().replace("of the figure", f"of live figure {number}", 1)
            container = raw.parent  # of the one kind of output
            figure = container.parent.parent
            container.parent.remove(container)
            form = nodes.raw("", text, format="html")
            figure.parent.insert(figure.parent.index(figure), form)


def add_script(app, page, template, context, doctree):
    if '<form class="live"' in context.get("body", ""):
        app.add_js_file("live.js", defer="defer")


def write_formulas(app, exception):
    if not exception and app.builder.format == "html":
        Path(app.outdir, "_static", "formulas.js").write_text(source(), "utf-8")
