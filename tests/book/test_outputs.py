"""An output of a code cell cannot bring markup into a page."""

import subprocess
import sys
from pathlib import Path

import nbformat
import nbformat.v4 as v4

EXTENSIONS = Path(__file__).parents[2] / "book" / "_ext"
sys.path.insert(0, str(EXTENSIONS))

CONF = f"""
import sys
sys.path.insert(0, {str(EXTENSIONS)!r})
extensions = ["myst_nb", "outputs"]
exclude_patterns = ["_build"]
html_theme = "basic"
nb_execution_mode = "off"
nb_render_markdown_format = "myst"
"""
SVG = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:x="http://www.w3.org/1999/xlink">'
# What the output is, and what the warning names.
REFUSED = [
    ("text/html", "<script>alert(1)</script>", "<script>"),
    ("text/html", "<SCRIPT type=text/javascript>alert(1)</SCRIPT>", "<SCRIPT type="),
    ("text/html", '<img src="x" onerror="alert(1)">', "<img"),
    ("text/html", '<p onclick="alert(1)">text</p>', "<p onclick="),
    ("text/html", '<form class="live" action="https://example.org">', "<form"),
    ("text/html", "<style>p { display: none }</style>", "<style>"),
    ("text/markdown", "text <b onclick='alert(1)'>bold</b>", "<b onclick="),
    ("application/javascript", "alert(1)", "<script type="),
    ("image/svg+xml", f"{SVG}<script>alert(1)</script></svg>", "<script>"),
    ("image/svg+xml", f'{SVG}<g onload="alert(1)"/></svg>', "onload"),
    ("image/svg+xml", f"{SVG}<foreignObject/></svg>", "<foreignObject>"),
    ("image/svg+xml", f'{SVG}<use x:href="https://example.org/a"/></svg>', "href="),
]
ALLOWED = [
    ("text/html", '<table class="gradient-check"><tr><td>1 &lt; 2</td></tr></table>'),
    ("text/html", '<p><script type="application/json">{"a": 1}</script></p>'),
    ("text/markdown", "**bold**, and [no link](javascript:alert(1))"),
    ("image/svg+xml", f'{SVG}<defs/><use x:href="#m1"/></svg>'),
]


def build(folder, outputs):
    """The page that shows these outputs, and the warnings."""
    (folder / "conf.py").write_text(CONF)
    cells = [v4.new_markdown_cell("# Page")]
    cells += [v4.new_code_cell(f"# {n}", outputs=[o]) for n, o in enumerate(outputs)]
    language = {"name": "python", "pygments_lexer": "python"}
    notebook = v4.new_notebook(cells=cells, metadata={"language_info": language})
    nbformat.write(notebook, folder / "index.ipynb")
    command = [sys.executable, "-m", "sphinx", "-q", "-b", "html", ".", "_build"]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    return (folder / "_build" / "index.html").read_text("utf-8"), result.stderr


def display(kind, content):
    return v4.new_output("display_data", data={kind: content})


def test_markup_that_is_not_the_packages_is_a_warning(tmp_path):
    _, warnings = build(tmp_path, [display(*output[:2]) for output in REFUSED])
    lines = [line for line in warnings.splitlines() if "WARNING: output:" in line]
    for line, (_, _, named) in zip(lines, REFUSED, strict=True):
        assert f"output: {named}" in line and "index.ipynb" in line


def test_the_packages_markup_pictures_and_text_pass(tmp_path):
    shown = [display(*output) for output in ALLOWED]
    text = v4.new_output("stream", text="<script>alert(1)</script>")
    value = display("text/plain", "<img src=x onerror=alert(1)>")
    page, warnings = build(tmp_path, [*shown, text, value])
    assert warnings == ""
    assert "<script>alert" not in page and "<img src=x" not in page
    assert "&lt;script&gt;" in page and "&lt;img" in page
    assert 'href="javascript' not in page
    assert '<table class="gradient-check">' in page
