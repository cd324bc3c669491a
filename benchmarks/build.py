"""Time a cold build: no pages, no executed chapters. Run by `make bench`."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from jupyter_cache import get_cache

ROOT = Path(__file__).parents[1]

with tempfile.TemporaryDirectory() as folder:
    command = [
        Path(sys.executable).parent / "jupyter-book",
        "build",
        ".",
        "--path-output",
        folder,
    ]
    start = time.perf_counter()
    build = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    total = time.perf_counter() - start
    if build.returncode:
        sys.exit(build.stderr)
    records = get_cache(f"{folder}/_build/.jupyter_cache").list_cache_records()
    chapters = {
        os.path.relpath(record.uri, ROOT): record.data["seconds"] for record in records
    }

cores = os.cpu_count()
work = sum(seconds["work"] for seconds in chapters.values())
width = max(map(len, chapters))
print(f"{'seconds':{width}}  kernel start  imports   work")
for name, seconds in sorted(chapters.items()):
    print(
        f"{name:{width}}  {seconds['kernel']:12.1f}  {seconds['imports']:7.1f}  {seconds['work']:5.1f}"
    )
print()
print(f"whole build         {total:6.1f} s")
print(
    f"floor               {work / cores:6.1f} s  ({work:.1f} s of work on {cores} cores)"
)
print(f"whole over floor    {total / (work / cores):6.1f}")
