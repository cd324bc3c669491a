"""Each chapter as a Jupyter notebook, beside its page, with links to run it.

The notebook is written from the finished page, after Sphinx has resolved every role and
directive: a reference is the text that the site shows, and a directive that Jupyter does
not know is the plain Markdown of what it holds. The code cells are the chapter's own,
without their outputs.

Where `repository_url` is set, the page also links to Binder and to Colab, and the
notebook's first code cell installs the package from there. Binder opens the chapter's
`.md` file; Colab opens notebooks only, and finds this one in the branch that the site is
published from.
"""

import posixpath
import re
from functools import singledispatch
from html import escape
from itertools import groupby
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import quote, urlsplit

import nbformat
from docutils import nodes
from execution import read_chapter
from katex_math import display_tex
from questions import VERDICTS, answer, question
from sphinx.errors import ConfigError
from sphinx.util.math import get_node_equation_number

SITE_BRANCH = "gh-pages"  # where .github/workflows/book.yml puts the site
FOLDED = "jp-MarkdownHeadingCollapsed"  # JupyterLab's name in a cell's metadata
INSTALL = """\
try:
    import lossbook
except ImportError:
    %pip install --quiet git+{url}@{branch}"""


def setup(app):
    app.add_config_value("repository_url", "", "html")
    app.add_config_value("repository_branch", "main", "html")
    app.connect("config-inited", check_address)
    app.connect("html-page-context", add_notebook)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def check_address(app, config):
    url = config.repository_url
    if url and not re.fullmatch(r"https://github\.com/[\w.-]+/[\w.-]+", url):
        raise ConfigError(
            f"repository_url must be https://github.com/OWNER/NAME or empty, got {url!r}"
        )


def add_notebook(app, name, template, context, doctree):
    """Write the page's notebook beside it, and the links to it under its title."""
    chapter = doctree and read_chapter(app.env, name)
    if not chapter or app.builder.name != "html":
        return
    notebook = make_notebook(app, name, chapter, doctree)
    path = Path(app.outdir, f"{name}.ipynb")
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
    line = " · ".join(
        f'<a href="{escape(address)}"{attribute}>{text}</a>'
        for text, address, attribute in links(app.config, app.env.doc2path(name), name)
    )
    title_end = "</h1>\n"
    context["body"] = context["body"].replace(
        title_end, f'{title_end}<p class="run-chapter">{line}</p>\n', 1
    )


def links(config, source, name):
    yield (
        "Download as a notebook",
        quote(posixpath.basename(name)) + ".ipynb",
        " download",
    )
    if config.repository_url:
        repository = config.repository_url.removeprefix("https://github.com/")
        branch = quote(config.repository_branch, safe="")
        file = quote(quote(name) + Path(source).suffix, safe="")
        yield (
            "Run on Binder",
            f"https://mybinder.org/v2/gh/{repository}/{branch}?urlpath=lab%2Ftree%2F{file}",
            "",
        )
        yield (
            "Run on Colab",
            f"https://colab.research.google.com/github/{repository}/blob/"
            f"{SITE_BRANCH}/{quote(name)}.ipynb",
            "",
        )


def make_notebook(app, name, chapter, doctree):
    """The page's notebook: its text as plain Markdown, the code cells of `chapter`."""
    page = SimpleNamespace(
        app=app, name=name, writer=SimpleNamespace(builder=app.builder)
    )
    pending = [i for i, cell in enumerate(chapter.cells) if cell.cell_type == "code"]
    cells = []
    parts = [*blocks(doctree, page), len(chapter.cells)]
    for is_code, group in groupby(parts, lambda part: isinstance(part, int)):
        if not is_code:
            cells += markdown_cells(group)
            continue
        for index in group:
            # and every cell before it that the page does not show
            while pending and pending[0] <= index:
                cells.append(code_cell(chapter.cells[pending.pop(0)]))
    cells[1:1] = first_cells(app, name, chapter)
    for number, cell in enumerate(cells):
        cell.id = f"cell-{number}"  # nbformat's own are random
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    notebook = nbformat.v4.new_notebook(cells=cells, metadata=metadata)
    nbformat.validate(notebook)
    return notebook


def first_cells(app, name, chapter):
    """What the notebook needs to run away from the book: the package, and each script
    beside the chapter that it imports."""
    config = app.config
    note = (
        f"*From {config.html_title}. The code cells need the book's package, `lossbook`"
    )
    if config.repository_url:
        note += ", which the next cell installs where it is missing"
        code = INSTALL.format(
            url=config.repository_url, branch=config.repository_branch
        )
        installing = [nbformat.v4.new_code_cell(code)]
    else:
        installing = []
    sources = "\n".join(
        cell.source for cell in chapter.cells if cell.cell_type == "code"
    )
    scripts = [
        nbformat.v4.new_code_cell(f"%%writefile {path.name}\n{path.read_text('utf-8')}")
        for path in sorted(Path(app.env.doc2path(name)).parent.glob("*.py"))
        if re.search(rf"^import {path.stem}\b", sources, re.MULTILINE)
    ]
    return [nbformat.v4.new_markdown_cell(note + ".*"), *installing, *scripts]


def code_cell(cell):
    tags = cell.metadata.get("tags")
    metadata = {"tags": tags} if tags else {}
    return nbformat.v4.new_code_cell(cell.source, metadata=metadata)


class Folded(str):
    """A heading whose section JupyterLab opens folded."""


def markdown_cells(parts):
    """A cell from each heading to the next. A folded heading has a cell of its own,
    since JupyterLab hides only whole cells."""
    cells = []
    for part in parts:
        last = cells[-1] if cells else None
        if part.startswith("#") or not last or FOLDED in last.metadata:
            cells.append(nbformat.v4.new_markdown_cell(str(part)))
            if isinstance(part, Folded):
                cells[-1].metadata[FOLDED] = True
        else:
            last.source += f"\n\n{part}"
    return cells


def joined(children, page):
    """The Markdown of blocks that hold no code cell."""
    return "\n\n".join(part for child in children for part in blocks(child, page))


@singledispatch
def blocks(node, page):
    """What the notebook holds of a node of the page: pieces of Markdown, and the index
    of each code cell. A block that is not listed below is what its children are."""
    for child in node.children:
        yield from blocks(child, page)


@blocks.register
def _(node: nodes.TextElement, page):
    if text := inline(node, page).strip():
        yield text


@blocks.register(nodes.Invisible)
@blocks.register(nodes.raw)
@blocks.register(nodes.transition)
def _(node, page):
    return ()


@blocks.register
def _(node: nodes.title, page):
    yield f"{'#' * depth_of(node)} {inline(node, page)}"


@blocks.register
def _(node: nodes.rubric, page):
    yield f"**{inline(node, page)}**"


def depth_of(node):
    """In how many sections with a title a node stands."""
    depth = 0
    while node := node.parent:
        depth += isinstance(node, nodes.section) and isinstance(node[0], nodes.title)
    return depth


def number_of(node, kind, page):
    numbers = page.app.env.toc_fignumbers.get(page.name, {}).get(kind, {})
    return ".".join(map(str, numbers.get(node["ids"][0], ())))


@blocks.register
def _(node: nodes.container, page):
    if node.get("nb_element") != "cell_code":
        for child in node.children:
            yield from blocks(child, page)
        return
    yield node["cell_index"]
    for figure in node.findall(nodes.figure):
        for caption in figure.findall(nodes.caption):
            label = page.app.config.numfig_format["figure"]
            label %= number_of(figure, "figure", page)
            yield f"**{label}** {inline(caption, page)}"


@blocks.register
def _(node: nodes.Admonition, page):
    title, *rest = node.children
    classes = node["classes"]
    title = inline(title, page)
    if "exercise" in classes:
        title = f"Exercise {number_of(node, 'exercise', page)}{title}"
    if not {"exercise", "solution", "dropdown"} & set(classes):
        yield indented(f"**{title}**\n\n{joined(rest, page)}", "> ", "> ")
        return
    line = f"{'#' * (depth_of(node) + 1)} {title}"
    after = node.next_node(descend=False, siblings=True)
    ends_here = after is None or isinstance(after, (nodes.Admonition, nodes.section))
    yield line if "exercise" in classes or not ends_here else Folded(line)
    for child in rest:
        yield from blocks(child, page)


def indented(text, first, others):
    """Text with `first` before its first line and `others` before the rest."""
    return first + text.replace("\n", f"\n{others}")


@blocks.register(nodes.bullet_list)
@blocks.register(nodes.enumerated_list)
def _(node, page):
    items = []
    for number, item in enumerate(node.children, node.get("start", 1)):
        mark = f"{number}. " if isinstance(node, nodes.enumerated_list) else "- "
        items.append(indented(joined(item.children, page), mark, " " * len(mark)))
    yield "\n".join(items)


@blocks.register
def _(node: question, page):
    """The question with its answers, and what they are worth in a folded section."""
    asked = [child for child in node.children if not isinstance(child, answer)]
    answers = list(zip("abcdef", node.findall(answer), strict=False))
    heading = f"{'#' * (depth_of(node) + 1)} Question {node['number']}"
    yield heading
    yield joined(asked, page)
    yield "\n".join(f"- ({letter}) {inline(a[0], page)}" for letter, a in answers)
    yield Folded(f"{heading}: the answers")
    for letter, a in answers:
        yield f"({letter}) **{VERDICTS[a['right']]}** {joined(a.children[1:], page)}"


@blocks.register
def _(node: nodes.block_quote, page):
    yield indented(joined(node.children, page), "> ", "> ")


@blocks.register
def _(node: nodes.term, page):
    yield f"**{inline(node, page).strip()}**"


@blocks.register
def _(node: nodes.footnote, page):
    label, *rest = node.children
    yield rf"\[{label.astext()}\] {joined(rest, page)}"


@blocks.register
def _(node: nodes.literal_block, page):
    text = node.astext().rstrip()
    ticks = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(3, ticks + 1)
    language = node.get("language", "default").replace("default", "python")
    yield f"{fence}{language}\n{text}\n{fence}"


@blocks.register
def _(node: nodes.math_block, page):
    number = ""
    if node["number"]:
        number = rf" \tag{{{get_node_equation_number(page.writer, node)}}}"
    yield f"$$\n{display_tex(node)}{number}\n$$"


@blocks.register
def _(node: nodes.table, page):
    rows = [
        [joined(entry.children, page).replace("\n", " ") for entry in row]
        for row in node.findall(nodes.row)
    ]
    rules = {"text-right": "--:", "text-center": ":-:"}
    first = next(node.findall(nodes.row))
    rule = [
        next((rules[name] for name in entry["classes"] if name in rules), ":--")
        for entry in first
    ]
    yield "\n".join(f"| {' | '.join(row)} |" for row in [rows[0], rule, *rows[1:]])


def inline(node, page):
    return "".join(span(child, page) for child in node.children)


@singledispatch
def span(node, page):
    """The Markdown of a node inside a paragraph."""
    return inline(node, page)


@span.register(nodes.Invisible)
@span.register(nodes.raw)
def _(node, page):
    return ""


@span.register
def _(node: nodes.Text, page):
    return re.sub(r"([\\`*_$<\[\]])", r"\\\1", node.astext().replace("\n", " "))


@span.register
def _(node: nodes.emphasis, page):
    return f"*{inline(node, page)}*"


@span.register
def _(node: nodes.strong, page):
    return f"**{inline(node, page)}**"


@span.register
def _(node: nodes.literal, page):
    text = node.astext().replace("\n", " ")
    if "`" in text:
        return f"`` {text} ``"
    return f"`{text}`"


@span.register
def _(node: nodes.math, page):
    return f"${node.astext().strip()}$".replace("\n", " ")


@span.register
def _(node: nodes.footnote_reference, page):
    return rf"\[{node.astext()}\]"


@span.register
def _(node: nodes.image, page):
    return node.get("alt", "")


@span.register
def _(node: nodes.reference, page):
    """A link to another host, or to the notebook of another chapter; text otherwise,
    since a notebook has no anchors."""
    text = inline(node, page)
    address = node.get("refuri", "")
    if not node.get("internal"):
        return f"[{text}]({address})" if address else text
    target = urlsplit(address).path.removesuffix(".html")
    other = posixpath.normpath(posixpath.join(posixpath.dirname(page.name), target))
    if target and other != page.name and read_chapter(page.app.env, other):
        return f"[{text}]({target}.ipynb)"
    return text
