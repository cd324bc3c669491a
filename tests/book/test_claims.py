"""Every claim of a chapter leads to what shows it, and one with nothing to show it fails
the build."""

import subprocess
import sys
from pathlib import Path

import nbformat
import nbformat.v4 as v4
import pytest
from bs4 import BeautifulSoup

from tests.book.conftest import CHAPTERS, HTML

EXTENSIONS = Path(__file__).parents[2] / "book" / "_ext"
CONF = f"""
import sys
sys.path.insert(0, {str(EXTENSIONS)!r})
extensions = ["myst_nb", "claims"]
myst_enable_extensions = ["dollarmath"]
exclude_patterns = ["_build"]
html_theme = "basic"
nb_execution_mode = "off"
"""
INDEX = """# Book

```{toctree}
chapter
```

```{claims}
```
"""
# The outputs of a notebook that is not run: a cell with a source only has none.
CHAPTER = {
    "# Chapter": None,
    "## One": None,
    "first": "1",
    "no output": None,
    "A claim: {claim}`the *rate* $u$ is **small**`. {claim}``by `C` <named>``": None,
    "{claim}`next <below>`. {claim}`in a file <data/results.json>`. CLAIM": None,
    "(named)=": None,
    "third": "3",
}
SHOWN = {
    "One: the rate \\(u\\) is small": "chapter.html#cell-1",
    "One: by C": "chapter.html#cell-3",
    "One: next": "chapter.html#cell-3",
    "One: in a file": "data/results.json",
}


def notebook(extra):
    cells = []
    for text, output in CHAPTER.items():
        if text in ("first", "no output", "third"):
            outputs = output and [v4.new_output("stream", text=output)] or []
            cells.append(v4.new_code_cell(f"# {text}", outputs=outputs))
        else:
            cells.append(v4.new_markdown_cell(text.replace("CLAIM", extra)))
    language = {"name": "python", "pygments_lexer": "python"}
    return v4.new_notebook(cells=cells, metadata={"language_info": language})


def build(folder, extra=""):
    (folder / "conf.py").write_text(CONF)
    (folder / "index.md").write_text(INDEX)
    (folder / "data").mkdir()
    (folder / "data" / "results.json").write_text("{}")
    nbformat.write(notebook(extra), folder / "chapter.ipynb")
    command = [sys.executable, "-m", "sphinx", "-q", "-b", "html", ".", "_build"]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    return read(folder / "_build" / "index.html"), result.stderr


def read(path):
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


def rows(page):
    return [row.find_all("td") for row in page.select("table tbody tr")]


def test_a_claim_stands_beside_what_shows_it(tmp_path):
    page, warnings = build(tmp_path)
    assert warnings == ""
    shown = {}
    for claim, evidence in rows(page):
        link = evidence.a and evidence.a["href"]
        shown[claim.get_text()] = link or evidence.get_text()
    assert shown == SHOWN
    chapter = read(tmp_path / "_build" / "chapter.html")
    for claim, _ in rows(page):
        place = chapter.find(id=claim.a["href"].removeprefix("chapter.html#"))
        assert f"One: {place.get_text()}" == claim.get_text()
    assert "# third" in chapter.find(id="cell-3").parent.get_text()


def test_a_claim_that_nothing_shows_is_a_warning(tmp_path):
    _, warnings = build(
        tmp_path,
        "{claim}`told <nowhere>`, {claim}`measured <data/lost.json>`\n\n"
        "## Two\n\n{claim}`in another section than its cell`",
    )
    # and "next" of section one, whose cell is now in section two
    missing = ["below", "nowhere", "data/lost.json", "above"]
    lines = [line for line in warnings.splitlines() if "WARNING: claim:" in line]
    for line, place in zip(lines, missing, strict=True):
        assert line.endswith(f"nothing shows it: {place}") and "chapter.ipynb" in line


@pytest.mark.parametrize("chapter", CHAPTERS, ids=str)
def test_the_table_has_every_claim_of_a_chapter(chapter):
    claims = read(HTML / f"{chapter}.html").select("article .claim")
    table = read(HTML / "book" / "reference" / "claims.html")
    address = f"../{chapter.relative_to('book')}.html#"
    listed = [row[0].a["href"] for row in rows(table)]
    assert claims
    assert [f"{address}{claim['id']}" for claim in claims] == [
        link for link in listed if link.startswith(address)
    ]
