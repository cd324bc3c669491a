"""Whatever stops a build, the next one gives the right book or says in a line what to
do. Asked of a small book, in a folder with a name that scripts stumble over.

MOMENTS=500 kills the build at each of its writes, which takes an hour.
"""

import os
import re
import shutil
import signal
import sqlite3
import subprocess
from pathlib import Path

import pytest

from tests.book.conftest import (
    reached,
    run_sphinx,
    sphinx_command,
    sphinx_environment,
    write_files,
)
from tests.book.test_execution import chapter
from tests.book.twice import differences

FAULT = Path(__file__).with_name("fault.py")
MOMENTS = int(os.environ.get("MOMENTS", 3))
CONF = """
extensions = ["guard", "myst_nb", "execution"]
exclude_patterns = ["_build"]
html_theme = "basic"
nb_execution_mode = "cache"
nb_output_stderr = "warn"
execution_package = "src/tiny"
"""
SHOW = "from tiny import one\nfrom IPython.display import SVG\nSVG(one.CIRCLE)"
CIRCLE = "<svg xmlns='http://www.w3.org/2000/svg'><circle r='1'/></svg>"
FILES = {
    "conf.py": CONF,
    "requirements.lock": "numpy==1\n",
    "index.md": "# Book\n\n```{toctree}\na\nb\n```\n",
    "a.md": chapter(SHOW),
    "b.md": chapter("print('alone')"),
    "src/tiny/__init__.py": "",
    "src/tiny/one.py": f'CIRCLE = "{CIRCLE}"\n',
}
# the result of a stays as it is, and its page does not
EDITED = {
    "a.md": chapter(SHOW, prose="Other prose."),
    "b.md": chapter("print('not alone')"),
}


def site(book):
    return book / "_build" / "html"


def build(book):
    result = run_sphinx(book)
    assert result.returncode == 0, result.stderr


def seen(book):
    """The pages and the figures they show. Besides, a build that took over an earlier one
    has that one's figures and searched words."""
    pages = {
        path.name: re.sub(r"\?v=\w+", "", path.read_text())
        for path in site(book).glob("*.html")
    }
    figures = set(re.findall(r'_images/[^"]*', "".join(pages.values())))
    assert pages and figures
    return pages | {name: (site(book) / name).read_text() for name in figures}


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
    build(book)
    assert differences(site(book), site(first)) == []


@pytest.mark.parametrize("part", range(1, MOMENTS + 1))
def test_killed_after_an_edit(part, book, edited):
    write_files(book, EDITED)
    killed = run_sphinx(book, [FAULT, "kill", moment(edited, part)])
    # this build has less to write than one from nothing, and may be over before
    assert killed.returncode <= 0
    build(book)
    assert seen(book) == seen(edited)


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
    result = run_sphinx(book, [FAULT, "ENOSPC", moment(first, part)])
    assert result.returncode != 0
    # where Sphinx goes on, it has warned of the file
    assert "No space left on device" in result.stderr
    assert result.stderr.endswith("Free some space, then build again.\n")
    build(book)
    assert seen(book) == seen(first)


def half(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def altered(path):
    path.write_text(path.read_text().replace("circle", "square"))


def without_tables(path):
    path.unlink()
    sqlite3.connect(path).close()


@pytest.mark.parametrize(
    "name, damage",
    [
        (".jupyter_cache/executed/*/base.ipynb", half),
        (".jupyter_cache/executed/*/base.ipynb", altered),
        (".jupyter_cache/executed/*/base.ipynb", Path.unlink),
        (".jupyter_cache/global.db", half),
        (".jupyter_cache/global.db", without_tables),
        (".doctrees/environment.pickle", half),
        (".doctrees/index.doctree", half),
        ("jupyter_execute/*.svg", half),
    ],
)
def test_damaged_cache(name, damage, book, edited):
    damaged = list((book / "_build").glob(name))
    assert damaged
    for path in damaged:
        damage(path)
    write_files(book, EDITED)
    build(book)
    assert seen(book) == seen(edited)


def start(book):
    return subprocess.Popen(
        sphinx_command(),
        cwd=book,
        env=sphinx_environment(book) | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # what runs in a shell's background is told to ignore it
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def test_interrupted_while_a_chapter_runs(book, first):
    os.mkfifo(book / "gate")
    write_files(book, {"b.md": chapter("print(open('gate').read())")})
    running = start(book)
    end = reached(book / "gate", running)
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=60)  # the chapter would never end
    os.close(end)
    assert running.returncode == 128 + signal.SIGINT
    write_files(book, {"b.md": FILES["b.md"]})
    build(book)
    assert seen(book) == seen(first)


def test_two_builds_at_once(book, first):
    os.mkfifo(book / "gate")
    write_files(book, {"b.md": chapter("print(open('gate').read() or 'alone')")})
    one = start(book)
    end = reached(book / "gate", one)
    two = start(book)
    for line in two.stdout:
        assert "updating environment" not in line
        if "waiting for its end" in line:
            break
    os.close(end)
    outputs = [running.communicate() for running in (one, two)]
    assert [one.returncode, two.returncode] == [0, 0], outputs
    assert "0 chapters executed" in outputs[1][0]
    write_files(book, {"b.md": FILES["b.md"]})
    build(book)
    assert seen(book) == seen(first)


def test_read_only_build_folder(book):
    result = run_sphinx(book, [FAULT, "EROFS", "1"])
    assert result.returncode != 0
    assert result.stderr.startswith("\nRead-only file system (")
    assert result.stderr.endswith("Build in a folder that you may write to.\n")
