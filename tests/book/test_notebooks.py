"""Each page's notebook: plain Markdown, the page's own code, and it runs. The links to
it are there, and those to Binder and Colab where the repository's address is known."""

import re

import nbformat
import pytest
from bs4 import BeautifulSoup
from nbclient import NotebookClient

from tests.book.conftest import HTML, run_sphinx, write_files
from tests.book.test_site import toctree

CONF = """
extensions = ["myst_nb", "sphinx_exercise", "sphinxcontrib.bibtex", "katex_math",
              "notebooks", "odd", "questions"]
myst_enable_extensions = ["dollarmath"]
bibtex_bibfiles = ["references.bib"]
exclude_patterns = ["_build"]
html_theme = "basic"
html_title = "Tiny"
html_math_renderer = "katex"
nb_execution_mode = "off"
numfig = True
suppress_warnings = ["myst.domains", "myst.footnote"]
myst_footnote_transition = False
"""
# an extension whose node the notebooks have never heard of
ODD = """
from docutils import nodes
from docutils.parsers.rst import Directive

class odd(nodes.General, nodes.Element):
    pass

class Odd(Directive):
    has_content = True
    def run(self):
        node = odd()
        self.state.nested_parse(self.content, self.content_offset, node)
        return [node]

def setup(app):
    app.add_node(odd, html=(lambda *_: None, lambda *_: None))
    app.add_directive("odd", Odd)
    app.add_role("odd", lambda role, raw, text, *_: ([nodes.inline(text, text)], []))
"""
HEADER = """---
file_format: mystnb
kernelspec: {name: python3, language: python, display_name: Python}
---
"""
BIB = "@book{huber, author={Peter Huber}, title={Robust}, publisher={W}, year={1981}}"
PAGE = rf"""{HEADER}
# Losses

It costs \$5, 2 \* 3 and a_b. {{footcite:t}}`huber` and {{eq}}`sum`, {{ref}}`ex-one`, {{term}}`loss`,
{{odd}}`strange`, [the other](part/other.md), [](#second), [away](https://example.org/).

$$
a &= b \\
  &= c
$$ (sum)

```{{toctree}}
part/other
plain
```

(second)=
## Second

```{{odd}}
Held by a *directive*.
```

```{{note}}
Take *care*.

- One.
```

```{{glossary}}
loss
  A number.
```

| n | p |
| --: | :-- |
| 1 | `x` |

```{{code-cell}} python
---
tags: [remove-cell]
---
import script
```

```{{question}}
How *many*?

- [ ] $1$

  One too few.
- [x] two

  One and one.
```

```{{exercise}}
:label: ex-one
Do it.
```

````{{solution-start}} ex-one
:class: dropdown
````
Thus:

```{{code-cell}} python
done = script.VALUE
```
````{{solution-end}}
````

## Sources

```{{footbibliography}}
```
"""


def build(folder, **config):
    conf = CONF + "".join(f"{key} = {value!r}\n" for key, value in config.items())
    files = {
        "conf.py": conf,
        "odd.py": ODD,
        "references.bib": BIB,
        "index.md": PAGE,
        "script.py": "VALUE = 3\n",
        "part/other.md": f"{HEADER}\n# Other\n\n[Back](../index.md), [plain](../plain.md)\n",
        "plain.md": "# Plain\n\nNot a notebook.\n",
    }
    write_files(folder, files)
    return folder / "_build/html", run_sphinx(folder).stderr


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """The small book without a repository."""
    site, warnings = build(tmp_path_factory.mktemp("plain"))
    assert warnings == ""
    return site


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """The small book in a repository."""
    site, warnings = build(
        tmp_path_factory.mktemp("published"),
        repository_url="https://github.com/someone/book",
        repository_branch="main",
    )
    assert warnings == ""
    return site


def text_of(path):
    cells = nbformat.read(path, as_version=4).cells
    return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def links_under_the_title(page):
    html = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")
    return {a.text: a["href"] for a in html.select("h1 ~ .run-chapter a")}


@pytest.mark.parametrize(
    "expected",
    [
        r"It costs \$5, 2 \* 3 and a\_b. Huber\[1\] and (1), Exercise 1, loss, strange, ",
        "strange, [the other](part/other.ipynb), Second, [away](https://example.org/).",
        "$$\n\\begin{split}a &= b \\\\\n  &= c\\end{split} \\tag{1}\n$$",
        "\n## Second\n\nHeld by a *directive*.\n",
        "> **Note**\n> \n> Take *care*.\n> \n> - One.\n",
        "**loss**\n\nA number.",
        "| n | p |\n| --: | :-- |\n| 1 | `x` |",
        "### Exercise 1\n\nDo it.\n\n### Solution to Exercise 1\n\nThus:",
        r"\[1\] Peter Huber. *Robust*. W, 1981.",
        "### Question 1\n\nHow *many*?\n\n- (a) $1$\n- (b) two\n\n"
        "### Question 1: the answers\n\n(a) **Not this one.** One too few.\n\n"
        "(b) **Right.** One and one.",
    ],
)
def test_roles_and_directives_become_plain_markdown(plain, expected):
    assert expected in text_of(plain / "index.ipynb")


def test_code_is_all_there_in_order_and_a_solution_is_folded(plain):
    cells = nbformat.read(plain / "index.ipynb", as_version=4).cells
    code = [cell.source for cell in cells if cell.cell_type == "code"]
    assert code == [
        "%%writefile script.py\nVALUE = 3\n",
        "import script",  # which the page does not show
        "done = script.VALUE",
    ]
    folded = [c.source for c in cells if "jp-MarkdownHeadingCollapsed" in c.metadata]
    assert folded == ["### Question 1: the answers", "### Solution to Exercise 1"]


def test_links_lead_to_notebooks_that_exist(plain):
    assert text_of(plain / "part/other.ipynb").startswith(
        "# Other\n\n[Back](../index.ipynb), plain\n"
    )
    assert not (plain / "plain.ipynb").exists()
    assert links_under_the_title(plain / "plain.html") == {}


def test_without_an_address_only_the_download(plain):
    links = links_under_the_title(plain / "part/other.html")
    assert links == {"Download as a notebook": "other.ipynb"}
    assert "%pip" not in (plain / "index.ipynb").read_text()


def test_with_an_address_binder_and_colab(published):
    assert links_under_the_title(published / "part/other.html") == {
        "Download as a notebook": "other.ipynb",
        "Run on Binder": "https://mybinder.org/v2/gh/someone/book/main"
        "?urlpath=lab%2Ftree%2Fpart%2Fother.md",
        "Run on Colab": "https://colab.research.google.com/github/someone/book/blob/"
        "gh-pages/part/other.ipynb",
    }
    cells = nbformat.read(published / "part/other.ipynb", as_version=4).cells
    first = next(cell.source for cell in cells if cell.cell_type == "code")
    assert first.endswith(
        "    %pip install --quiet git+https://github.com/someone/book@main"
    )


def test_another_kind_of_address_is_refused(tmp_path):
    _, message = build(tmp_path, repository_url="git@github.com:someone/book.git")
    assert "repository_url must be https://github.com/OWNER/NAME" in message
    assert "git@github.com:someone/book.git" in message


@pytest.mark.parametrize("name", toctree())
def test_each_chapter_offers_a_sound_notebook(name):
    page = HTML / f"{name}.html"
    shown = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")
    path = page.with_suffix(".ipynb")
    if not shown.select(".cell"):  # the reference page
        assert not path.exists()
        return
    assert links_under_the_title(page)["Download as a notebook"] == path.name
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not any(cell.outputs for cell in code)
    sources = [cell.source.rstrip() for cell in code]
    on_page = [pre.text.rstrip() for pre in shown.select(".cell_input pre")]
    assert sources[-len(on_page) :] == on_page
    prose = re.sub(r"(`+).*?\1", "", text_of(path), flags=re.DOTALL)
    assert not re.search(
        r"\{[a-z:]+\}|<[a-z]+[ >]|:class:|:label:", without_math(prose)
    )


def without_math(text):
    return re.sub(r"\$\$.*?\$\$|\$.*?\$", "", text, flags=re.DOTALL)


def test_a_downloaded_notebook_prints_what_the_page_shows(tmp_path):
    page = (HTML / "book/notation.html").read_text(encoding="utf-8")
    shown = [
        pre.text for pre in BeautifulSoup(page, "html.parser").select(".stream pre")
    ]
    notebook = nbformat.read(HTML / "book/notation.ipynb", as_version=4)
    NotebookClient(notebook, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [o for cell in notebook.cells for o in cell.get("outputs", [])]
    printed = [o.text for o in outputs if o.output_type == "stream"]
    assert printed == shown != []
