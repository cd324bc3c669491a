"""Write mathematics into the pages at build time, with KaTeX in an embedded V8: no
script, no other host.

A formula that KaTeX refuses, or accepts with a complaint, is a warning at its place in
the source.
"""

import json
from functools import cache
from pathlib import Path

from docutils import nodes
from py_mini_racer import JSEvalException, MiniRacer
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number

logger = logging.getLogger(__name__)
HERE = Path(__file__).parent

# The complaints of KaTeX's strict mode are collected, and returned with the formula.
RENDER = """
function render(tex, display, macros) {
  const complaints = [];
  const html = katex.renderToString(tex, {
    displayMode: display, output: "htmlAndMathml", throwOnError: true, macros: macros,
    strict: (code, message) => { complaints.push(message); return "ignore"; },
  });
  return JSON.stringify([html, complaints]);
}
"""


def setup(app):
    app.add_config_value("katex_macros", {}, "env")
    app.add_html_math_renderer("katex", (visit_inline, None), (visit_display, None))
    app.connect("doctree-read", unnumber_environments)
    app.add_css_file("katex/katex.min.css")
    return {"parallel_read_safe": True, "parallel_write_safe": True}


@cache
def engine():
    context = MiniRacer()
    context.eval((HERE / "katex" / "katex.min.js").read_text(encoding="utf-8"))
    context.eval(RENDER)
    return context


@cache
def render(tex, display, macros):
    """The formula as HTML with MathML for screen readers, and what KaTeX has to say
    against it."""
    try:
        return json.loads(engine().call("render", tex, display, json.loads(macros)))
    except JSEvalException as error:
        message = next(line for line in str(error).splitlines() if "ParseError" in line)
        return None, [message.split("ParseError: ")[-1]]


def rendered(translator, node, tex, display):
    macros = json.dumps(translator.config.katex_macros, sort_keys=True)
    html, complaints = render(tex, display, macros)
    for complaint in complaints:
        logger.warning("%s\n    in: %s", complaint, tex, location=node, type="katex")
    return html or f'<code class="katex-error">{translator.encode(tex)}</code>'


def visit_inline(translator, node):
    translator.body.append(
        translator.starttag(node, "span", "", CLASS="math notranslate nohighlight")
    )
    translator.body.append(
        rendered(translator, node, node.astext(), display=False) + "</span>"
    )
    raise nodes.SkipNode


def visit_display(translator, node):
    translator.body.append(
        translator.starttag(node, "div", CLASS="math notranslate nohighlight")
    )
    if node["number"]:
        number = get_node_equation_number(translator, node)
        translator.body.append(f'<span class="eqno">({number})')
        translator.add_permalink_ref(node, "Link to this equation")
        translator.body.append("</span>")
    # a box of its own, so that a long formula scrolls and its number stays in sight
    html = rendered(translator, node, display_tex(node), display=True)
    translator.body.append(f'<div class="math-scroll">{html}</div></div>\n')
    raise nodes.SkipNode


def display_tex(node):
    tex = node.astext().strip()
    if "amsmath" in node["classes"]:
        # KaTeX would number the rows itself, out of step with the book
        for name in ("equation", "align", "gather", "alignat"):
            tex = tex.replace(f"{{{name}}}", f"{{{name}*}}")
        return tex
    # `$$ a &= b \\ c &= d $$` is allowed in the book, as it is in other Sphinx
    # renderers
    return (
        rf"\begin{{split}}{tex}\end{{split}}"
        if r"\\" in tex and r"\begin" not in tex
        else tex
    )


def unnumber_environments(app, doctree):
    """Take the number from `\\begin{align}` and its kin: it cannot be referred to.

    MyST gives each a random label, so it would also differ from build to build. An
    equation to refer to is written `$$ ... $$ (its-label)`.
    """
    for node in doctree.findall(nodes.math_block):
        if "amsmath" in node["classes"] and node["ids"]:
            for target in list(doctree.findall(nodes.target)):
                if target.get("refid") in node["ids"]:
                    target.parent.remove(target)
            node["ids"], node["number"] = [], None
