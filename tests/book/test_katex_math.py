"""Mathematics is in the page when it is built, numbered and linked; a formula in error
fails the build."""

import re

from tests.book.conftest import run_sphinx, write_files

CONF = r"""
extensions = ["myst_parser", "katex_math"]
myst_enable_extensions = ["amsmath", "dollarmath"]
exclude_patterns = ["_build"]
html_theme = "basic"
html_math_renderer = "katex"
numfig = True  # as in the book
katex_macros = {r"\R": r"\mathbb{R}"}
"""
PAGE = r"""# Page

A weight $w \in \R$.

$$ \frac{a}{b} $$ (ratio)

\begin{align}
a &= b \\
  &= c
\end{align}

$$ a + b $$ (sum)

See {eq}`ratio` and {eq}`sum`.
"""


def build(folder, text):
    write_files(folder, {"conf.py": CONF, "index.md": text})
    result = run_sphinx(folder)
    html = (folder / "_build/html/index.html").read_text(encoding="utf-8")
    return html, result.stderr


def test_rendered_numbered_and_linked(tmp_path):
    html, warnings = build(tmp_path, PAGE)
    assert warnings == ""
    assert html.count('<span class="katex">') == 4
    assert "<mfrac>" in html  # MathML, for screen readers
    assert 'mathbb">R<' in html  # the macro
    assert not re.search("<script[^>]*(katex|mathjax)", html, re.IGNORECASE)
    # the two equations with a label have a number and an anchor, the align has neither
    assert re.findall(r'class="eqno">\((\d)\)', html) == ["1", "2"]
    assert re.findall(r'id="(equation-[^"]*)"', html) == [
        "equation-ratio",
        "equation-sum",
    ]
    assert 'href="#equation-ratio">(1)</a>' in html
    assert "eqn-num" not in html  # KaTeX's own numbers


def test_two_builds_write_the_same_page(tmp_path):
    first, _ = build(tmp_path, PAGE)
    second, _ = build(tmp_path, PAGE + "\n")
    assert first == second


def test_a_formula_in_error_is_a_warning_at_its_line(tmp_path):
    html, warnings = build(tmp_path, "# Page\n\nGood $x$.\n\nBad $\\frac{1}$.\n")
    assert "index.md:5: WARNING: " in warnings and "\\frac{1}" in warnings
    assert "katex-error" in html


def test_a_complaint_of_katex_is_a_warning(tmp_path):
    _, warnings = build(tmp_path, "# Page\n\n$$ ŷ $$\n")
    assert "index.md:3: WARNING: Accented Unicode text character" in warnings
