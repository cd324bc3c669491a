"""Which chapters run again after which change? Asked of a small book with a package of
its own."""

import re
import shutil

import pytest

from tests.book.conftest import run_sphinx, write_files

CONF = """
extensions = ["myst_nb", "execution"]
exclude_patterns = ["_build"]
html_theme = "basic"
nb_execution_mode = "cache"
nb_output_stderr = "warn"
execution_package = "src/tiny"
"""
HEADER = """---
file_format: mystnb
kernelspec: {name: python3}
---
"""


def chapter(code, prose="Prose."):
    return f"{HEADER}\n# Title\n\n{prose}\n\n```{{code-cell}} python\n{code}\n```\n"


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Three chapters: one uses tiny.one, one uses tiny.two and its data file, one uses
    the script beside it."""
    book = tmp_path_factory.mktemp("book")
    files = {
        "conf.py": CONF,
        "requirements.lock": "numpy==1\n",
        "index.md": "# Book\n\n```{toctree}\na\nb\nc\n```\n",
        "a.md": chapter("from tiny import one\nprint(one.VALUE)"),
        "b.md": chapter("import tiny.two\nprint(tiny.two.VALUE)"),
        "c.md": chapter("import script\nprint(script.VALUE)"),
        "script.py": "VALUE = 'alone'\n",
        "src/tiny/__init__.py": "",
        "src/tiny/one.py": "VALUE = 'one'\n",
        "src/tiny/two.py": "from pathlib import Path\nVALUE = (Path(__file__).parent / 'two.txt').read_text()\n",
        "src/tiny/two.txt": "two",
    }
    write_files(book, files)
    assert build(book) == {"a", "b", "c"}
    return book


@pytest.fixture
def book(built, tmp_path):
    return shutil.copytree(built, tmp_path / "book")


def build(book):
    """Build, and return the chapters that were executed, by this project or by MyST-NB
    itself."""
    result = run_sphinx(book)
    assert result.returncode == 0, result.stderr
    assert (
        "Executing notebook using" not in result.stdout
    )  # what MyST-NB says when it executes one
    executed = set(re.findall(r"^executed (\w+) in", result.stdout, re.MULTILINE))
    assert (
        f"{len(executed)} chapters executed, {3 - len(executed)} taken" in result.stdout
    )
    return executed


def page(book, name):
    return (book / f"_build/html/{name}.html").read_text()


def test_nothing_changed(book):
    assert build(book) == set()


def test_the_script_beside_a_chapter_edited(book):
    (book / "script.py").write_text("VALUE = 'changed'\n")
    assert build(book) == {"c"}
    assert "changed" in page(book, "c") and build(book) == set()


def test_one_chapter_edited(book):
    (book / "a.md").write_text(chapter("from tiny import one\nprint(one.VALUE * 2)"))
    assert build(book) == {"a"}
    assert "oneone" in page(book, "a")


def test_prose_edited(book):
    (book / "c.md").write_text(
        chapter("import script\nprint(script.VALUE)", prose="Other prose.")
    )
    assert build(book) == set()
    assert "Other prose." in page(book, "c")


def test_cell_metadata_edited(book):
    (book / "c.md").write_text(chapter(":tags: [hide-input]\nprint('alone')"))
    assert build(book) == {"c"}
    assert "tag_hide-input" in page(book, "c")


def test_module_edited(book):
    (book / "src/tiny/one.py").write_text("VALUE = 'changed'\n")
    assert build(book) == {"a"}
    assert "changed" in page(book, "a")
    assert build(book) == set()


def test_shared_module_edited(book):
    (book / "src/tiny/__init__.py").write_text("# imported by a and b\n")
    assert build(book) == {"a", "b"}


def test_data_file_edited(book):
    (book / "src/tiny/two.txt").write_text("other data")
    assert build(book) == {"b"}
    assert "other data" in page(book, "b")


def test_module_removed(book):
    (book / "src/tiny/one.py").unlink()
    (book / "src/tiny/one").mkdir()
    (book / "src/tiny/one/__init__.py").write_text("VALUE = 'now a package'\n")
    assert build(book) == {"a"}


def test_module_edited_while_its_chapter_runs(book):
    edit = "from tiny import one\nopen(one.__file__, 'w').write('VALUE = 3')"
    (book / "a.md").write_text(chapter(edit))
    assert build(book) == {"a"}
    assert build(book) == {
        "a"
    }  # the first result was made with a module that is no more
    assert build(book) == set()


def test_lock_file_edited(book):
    (book / "requirements.lock").write_text("numpy==2\n")
    assert build(book) == {"a", "b", "c"}


def test_raising_cell(book):
    assert build(book) == set()  # so that Sphinx has read this copy's pages
    (book / "src/tiny/one.py").write_text(
        "VALUE = 'changed'\ndef fail():\n    return 1 / 0\n"
    )
    (book / "c.md").write_text(
        chapter(
            "print('alone')\n```\n\n```{code-cell} python\n:tags: [hide-input]\nfrom tiny import one\none.fail()"
        )
    )
    result = run_sphinx(book)
    assert result.returncode != 0
    assert (
        "c.md:17, code cell 2, line 2:\n    one.fail()\nZeroDivisionError"
        in result.stderr
    )
    assert "in fail, src/tiny/one.py:3" in result.stderr
    # nothing is remembered of the failure, and what succeeded beside it reaches its
    # page
    (book / "c.md").write_text(chapter("print('mended')"))
    assert build(book) == {"c"}
    assert "mended" in page(book, "c")
    assert "changed" in page(book, "a")


def test_stderr_is_a_warning(book):
    (book / "c.md").write_text(chapter("import warnings\nwarnings.warn('planted')"))
    result = run_sphinx(book)
    assert result.returncode != 0
    assert (
        "stderr was found in the cell outputs" in result.stderr
        and "c.md" in result.stderr
    )
