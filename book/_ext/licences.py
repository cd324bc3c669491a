"""What the site ships of others: the directive `licences` lists it, and all licence texts
go into `_static/licences.txt`.

Every static file must be the book's own or belong to a part listed here, so that a new
dependency cannot bring a file whose licence nobody has looked at.
"""

import importlib.metadata
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

from docutils import nodes
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective

HERE = Path(__file__).parent
TEXTS = "_static/licences.txt"
MADE_HERE = ["formulas.js", "licences.txt", "site.css", "site.js"]


class Part(NamedTuple):
    name: str
    licence: str  # by its SPDX identifier
    text: str  # an installed package, or a file relative to this folder
    use: str
    files: str  # patterns, relative to _static


PARTS = [
    Part(
        "Sphinx",
        "BSD-2-Clause",
        "sphinx",
        "the search, the base of the style sheet",
        "basic.css doctools.js documentation_options.js language_data.js searchtools.js "
        "sphinx_highlight.js file.png minus.png plus.png",
    ),
    Part(
        "PyData Sphinx Theme",
        "BSD-3-Clause",
        "pydata-sphinx-theme",
        "layout, light and dark",
        "*/pydata-sphinx-theme.* styles/theme.css webpack-macros.html",
    ),
    Part(
        "Sphinx Book Theme",
        "BSD-3-Clause",
        "sphinx-book-theme",
        "layout",
        "*/sphinx-book-theme.* images/* locales/* sbt-webpack-macros.html",
    ),
    Part(
        "Bootstrap",
        "MIT",
        "licences/bootstrap.txt",
        "in the style sheet of the theme",
        "scripts/bootstrap.*",
    ),
    Part(
        "Font Awesome Free",
        "CC-BY-4.0 AND OFL-1.1 AND MIT",
        "licences/font_awesome.txt",
        "icons",
        "vendor/fontawesome/* scripts/fontawesome.*",
    ),
    Part("Pygments", "BSD-2-Clause", "pygments", "colours of code", "pygments.css"),
    Part(
        "MyST-NB",
        "BSD-3-Clause",
        "myst-nb",
        "style of the code cells",
        "mystnb.*",
    ),
    Part(
        "sphinx-copybutton",
        "MIT",
        "sphinx-copybutton",
        "the button that copies code",
        "check-solid.svg copy-button.svg copybutton*",
    ),
    Part(
        "clipboard.js",
        "MIT",
        "licences/clipboard.txt",
        "used by that button",
        "clipboard.min.js",
    ),
    Part(
        "sphinx-design",
        "MIT",
        "sphinx-design",
        "cards and tabs",
        "design-tabs.js sphinx-design.*",
    ),
    Part(
        "sphinx-togglebutton",
        "MIT",
        "sphinx-togglebutton",
        "what folds",
        "togglebutton.*",
    ),
    Part("sphinx-proof", "MIT", "sphinx-proof", "proofs", "proof.css"),
    Part("sphinx-exercise", "MIT", "sphinx-exercise", "exercises", "exercise.css"),
    Part("KaTeX", "MIT", "katex/LICENSE", "formulas, and their fonts", "katex/*"),
    Part("uPlot", "MIT", "../_static/uplot/LICENSE", "live figures", "uplot/*"),
    Part("reveal.js", "MIT", "../_static/reveal/LICENSE", "slides", "reveal/*"),
    Part("marked", "MIT", "licences/marked.txt", "inside reveal.js", ""),
    Part("fitty", "MIT", "licences/fitty.txt", "inside reveal.js", ""),
]


def setup(app):
    app.add_directive("licences", Licences)
    # once the theme has put its files there, and before assets.py joins them
    app.connect("build-finished", write_texts, priority=850)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}


class Licences(SphinxDirective):
    def run(self):
        self.env.note_dependency(__file__)
        rows = ["| Part | Licence | Used for |", "| --- | --- | --- |"]
        rows += [f"| {part.name} | {part.licence} | {part.use} |" for part in PARTS]
        up = "../" * self.env.docname.count("/")
        link = nodes.reference("", "Their licence texts", refuri=up + TEXTS)
        return [
            *self.parse_text_to_nodes("\n".join(rows)),
            nodes.paragraph("", "", link, nodes.Text(", in one file.")),
        ]


def write_texts(app, exception):
    static = Path(app.outdir, "_static")
    if exception or app.builder.format != "html":
        return
    own = [Path(app.srcdir, folder) for folder in app.config.html_static_path]
    files = [p.relative_to(static).as_posix() for p in static.rglob("*") if p.is_file()]
    if unknown := [file for file in sorted(files) if not owner(file, own)]:
        raise ExtensionError(f"licences.py lists no part for {', '.join(unknown)}")
    texts = [f"{part.name} ({part.licence})\n\n{text_of(part)}" for part in PARTS]
    rule = f"\n\n{'-' * 80}\n\n"
    (static / "licences.txt").write_text(rule.join(texts) + "\n", encoding="utf-8")


def owner(file, own):
    """Whose a static file is: the name of a part, "this book", or None."""
    for part in PARTS:
        if any(fnmatch(file, pattern) for pattern in part.files.split()):
            return part.name
    is_ours = file in MADE_HERE or any((folder / file).is_file() for folder in own)
    return "this book" if is_ours else None


def text_of(part):
    """The text of a part's licence, from the installed package or from this folder."""
    if "/" in part.text:
        return (HERE / part.text).read_text(encoding="utf-8").strip()
    files = importlib.metadata.files(part.text)
    names = [file for file in files if file.name.startswith("LICENSE")]
    return "\n\n".join(file.read_text(encoding="utf-8").strip() for file in names)
