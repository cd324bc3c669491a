"""Whatever stops a build, the next one gives the right book or says in a line what to
do. Asked of a small book, in a folder with a name that scripts stumble over.

MOMENTS=500 kills the build at each of its writes, which takes an hour.
"""

import os
import shutil
import sqlite3
import subprocess
from pathlib import Path

import pytest

from tests.book.conftest import (
    ROOT,
    run_sphinx,
    sphinx_command,
    sphinx_environment,
    write_files,
)
from tests.book.test_execution import chapter
from tests.book.twice import differences

FAULT = Path(__file__).with_name("fault.py")
MOMENTS = int(os.environ.get("MOMENTS", 4))
CONF = """
extensions = ["guard", "myst_nb", "execution"]
exclude_patterns = ["_build"]
html_theme = "basic"
html_last_updated_fmt = None
nb_execution_mode = "cache"
nb_output_stderr = "warn"
execution_package = "src/tiny"
"""
SHOW = "from tiny import one\nfrom IPython.display import SVG\nSVG(one.CIRCLE)"
CIRCLE = "<svg xmlns='http://www.w3.org/2000/svg'><circle r='{radius}'/></svg>"
FILES = {
    "conf.py": CONF,
    "requirements.lock": "numpy==1\n",
    "index.md": "# Book\n\n```{toctree}\na\nb\n```\n",
    "a.md": chapter(SHOW),
    "b.md": chapter("print('alone')"),
    "src/tiny/__init__.py": "",
    "src/tiny/one.py": f'CIRCLE = "{CIRCLE.format(radius=1)}"\n',
}
EDITED = {
    "b.md": chapter("print('not alone')"),
    "src/tiny/one.py": f'CIRCLE = "{CIRCLE.format(radius=2)}"\n',
}


def site(book):
    return book / "_build" / "html"


def is_right(book, right):
    """Build without a fault, and compare with a build that met none."""
    result = run_sphinx(book)
    assert result.returncode == 0, result.stderr
    return differences(site(book), site(right)) == []


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """The book, built; and in the file `writes` how many writes that took."""
    book = tmp_path_factory.mktemp("faults") / "das erste «Büchlein»"
    write_files(book, FILES)
    assert run_sphinx(book, [FAULT, "count", "0"]).returncode == 0
    return book


@pytest.fixture(scope="module")
def edited(first):
    """The book after an edit, built without anything from before."""
    book = first.with_name("l'édité")
    write_files(book, FILES | EDITED)
    assert run_sphinx(book, [FAULT, "count", "0"]).returncode == 0
    assert differences(site(first), site(book))
    return book


@pytest.fixture
def book(first, tmp_path):
    return shutil.copytree(first, tmp_path / "Mein Büchlein")


def moment(book, part):
    """The write that comes this part of MOMENTS + 1 into a build."""
    return str(1 + int((book / "writes").read_text()) * part // (MOMENTS + 1))


@pytest.mark.parametrize("part", range(1, MOMENTS + 1))
def test_killed_while_nothing_was_there(part, first, tmp_path):
    book = tmp_path / "Mein Büchlein"
    write_files(book, FILES)
    killed = run_sphinx(book, [FAULT, "kill", moment(first, part)])
    assert killed.returncode < 0
    assert is_right(book, first)


@pytest.mark.parametrize("part", range(1, MOMENTS + 1))
def test_killed_after_an_edit(part, book, edited):
    write_files(book, EDITED)
    killed = run_sphinx(book, [FAULT, "kill", moment(edited, part)])
    # this build has less to write than one from nothing, and may be over before
    assert killed.returncode <= 0
    assert is_right(book, edited)


def test_a_warning_outlives_the_build(book):
    write_files(book, {"b.md": "# B\n\n{nosuchrole}`warned of`\n"})
    for _ in range(2):
        result = run_sphinx(book)
        assert result.returncode != 0
        assert "b.md:3" in result.stderr and "nosuchrole" in result.stderr


@pytest.mark.parametrize("part", range(1, MOMENTS + 1))
def test_full_disk(part, first, tmp_path):
    book = tmp_path / "Mein Büchlein"
    write_files(book, FILES)
    result = run_sphinx(book, [FAULT, "full", moment(first, part)])
    assert result.returncode != 0
    message = result.stderr.strip()
    assert message.startswith("No space left on device")
    assert message.endswith("Free some space, then build again.")
    assert "\n" not in message
    assert is_right(book, first)


def half(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path):
    """Change a byte in the middle."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def without_tables(path):
    path.unlink()
    sqlite3.connect(path).close()


@pytest.mark.parametrize("damage", [half, flip, Path.unlink])
@pytest.mark.parametrize(
    "name",
    [
        "_build/.jupyter_cache/executed/*/base.ipynb",
        "_build/.jupyter_cache/global.db",
        "_build/.doctrees/a.doctree",
        "_build/.doctrees/environment.pickle",
        "_build/jupyter_execute/*.svg",
        "_build/finished",
    ],
)
def test_damaged(name, damage, book, first):
    for path in list(book.glob(name)):
        damage(path)
    assert is_right(book, first)
