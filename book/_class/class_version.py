"""The book without its solutions, for a class: `make class` builds it in _build/class.

The sources are copied, and every `{solution}` block and everything from
`{solution-start}` to `{solution-end}` is left out, cells included. So the pages, the
notebooks, the slides and the search hold no solution.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
CLASS = ROOT / "_build" / "class"
SOURCES = ["_config.yml", "_toc.yml", "requirements.lock", "book", "src"]


def without_solutions(text):
    """A chapter's text without solutions, and without the blank lines after them."""
    kept, fence, gated = [], None, False
    for line in text.splitlines(keepends=True):
        opening = re.match(r"(`{3,})\{solution(-start|-end)?\}", line)
        if fence is None and opening:
            fence = opening[1]
            gated = {"-start": True, "-end": False}.get(opening[2], gated)
        elif fence is not None:
            if line.rstrip() == fence:
                fence = None
        elif not gated and (line.strip() or "".join(kept[-1:]).strip()):
            kept.append(line)
    if fence is not None or gated:
        raise ValueError("a solution has no end")
    return "".join(kept)


def copy_sources(folder):
    """The book's sources in this folder, chapters without solutions."""
    for name in SOURCES:
        source, target = ROOT / name, folder / name
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
        else:
            shutil.copy2(source, target)
    for chapter in (folder / "book").rglob("*.md"):
        text = chapter.read_text(encoding="utf-8")
        chapter.write_text(without_solutions(text), encoding="utf-8")


def main():
    for name in SOURCES:
        target = CLASS / name
        if target.is_dir():
            shutil.rmtree(target)
    CLASS.mkdir(parents=True, exist_ok=True)
    copy_sources(CLASS)
    program = Path(sys.executable).with_name("jupyter-book")
    build = [program, "build", ".", "-W", "-n", "--keep-going"]
    environment = os.environ | {"PYTHONPATH": str(CLASS / "src")}
    return subprocess.run(build, cwd=CLASS, env=environment).returncode


if __name__ == "__main__":
    sys.exit(main())
