"""The same book twice: a part of it, with the book's own settings, is built from nothing
in two folders. One has a name that scripts stumble over, and there is no network."""

import shutil

import yaml

from book._class.class_version import SOURCES
from tests.book import twice
from tests.book.conftest import ROOT, write_files

PART = ["book/notation", "book/foundations/chain_rule"]
# run by Python before anything else, in the build and in its kernels
OFFLINE = """
import sys

def refuse(event, arguments):
    if event == "socket.getaddrinfo":
        host = arguments[0]
    elif event == "socket.connect" and isinstance(arguments[1], tuple):
        host = arguments[1][0]
    else:
        return
    if host not in ("127.0.0.1", "::1", "localhost", None):
        raise OSError(f"there is no network to reach {host}")

sys.addaudithook(refuse)
"""


def checkout(folder):
    """The sources of the book, with this part of its contents."""
    for name in SOURCES:
        source = ROOT / name
        copy = shutil.copytree if source.is_dir() else shutil.copy
        folder.mkdir(parents=True, exist_ok=True)
        copy(source, folder / name)
    contents = yaml.safe_load((ROOT / "_toc.yml").read_text())
    contents = {key: contents[key] for key in ("format", "root")}
    contents["chapters"] = [{"file": name} for name in PART]
    write_files(
        folder, {"_toc.yml": yaml.safe_dump(contents), "src/sitecustomize.py": OFFLINE}
    )
    return folder


def test_two_builds_are_the_same(tmp_path):
    names = ["first", "das zweite «Büchlein», l'été"]
    sites = [
        twice.build(checkout(tmp_path / name), tmp_path / name, seed)
        for seed, name in enumerate(names)
    ]
    chapter = (sites[0] / f"{PART[-1]}.html").read_text()
    assert "verified" in chapter and "_images/" in chapter
    assert twice.differences(*sites) == []


def test_what_differs_is_named(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    write_files(one, {"same.txt": "a", "page.txt": "b\nc", "longer.txt": "d", "e": ""})
    write_files(two, {"same.txt": "a", "page.txt": "b\nx", "longer.txt": "d\n"})
    found = twice.differences(one, two)
    assert [line.split(":\n")[0] for line in found] == [
        f"e: only in {one}",
        "longer.txt:1",
        "page.txt:2",
    ]
