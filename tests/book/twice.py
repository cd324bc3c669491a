"""Build the whole book twice, each time cold, and compare the two sites byte for byte.
`make twice` runs it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def build(checkout, output, seed, *options):
    """Build the book of a checkout into output/_build/html, with nothing remembered from
    before: no executed chapter, no text of docstrings, no list of fonts. Python orders
    its sets by the seed."""
    program = Path(sys.executable).with_name("jupyter-book")
    command = [program, "build", ".", "--path-output", output, *options]
    environment = os.environ | {
        "PYTHONHASHSEED": str(seed),
        "PYTHONPATH": str(checkout / "src"),
        "XDG_CACHE_HOME": str(output / "cache"),
    }
    subprocess.run(command, cwd=checkout, env=environment, check=True)
    return output / "_build" / "html"


def differences(first, second):
    """A line for each file that only one of two folders has, or that differs."""
    return [
        line
        for name in sorted(files(first) | files(second))
        if (line := difference(first / name, second / name, name))
    ]


def files(folder):
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file()
    }


def difference(first, second, name):
    """Where two files part; None if they are the same."""
    if not (first.exists() and second.exists()):
        return f"{name}: only in {(first if first.exists() else second).parent}"
    a, b = first.read_bytes(), second.read_bytes()
    if a != b:
        place = len(os.path.commonprefix([a, b]))
        near = slice(max(0, place - 60), place + 60)
        line = a.count(b"\n", 0, place) + 1
        return f"{name}:{line}:\n    {a[near]}\n    {b[near]}"


def main():
    folder = ROOT / "_build" / "twice"
    shutil.rmtree(folder, ignore_errors=True)
    options = ["-W", "-n", "--keep-going"]
    sites = [build(ROOT, folder / str(seed), seed, *options) for seed in (1, 2)]
    found = differences(*sites)
    print("\n".join(found) or f"{len(files(sites[0]))} files, the same twice.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
