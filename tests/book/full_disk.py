"""Build a small book on a disk that a chapter fills, but for so many kilobytes; then make
room and build again. Needs the right to mount: `sudo python -m tests.book.full_disk`."""

import subprocess
import sys
import tempfile
from pathlib import Path

from tests.book.conftest import run_sphinx, write_files
from tests.book.test_execution import chapter
from tests.book.test_faults import FILES, seen

LEFT = range(0, 400, 50)
FILL = """
import os
disk = os.statvfs(".")
with open("ballast", "wb") as file:
    file.write(bytes(disk.f_bavail * disk.f_frsize - {left} * 1024))
"""


def try_disk(folder, left, right):
    """Whether the build failed for want of space, and the next one is right."""
    write_files(folder, FILES | {"b.md": chapter(FILL.format(left=left))})
    full = run_sphinx(folder)
    (folder / "ballast").unlink()
    write_files(folder, {"b.md": FILES["b.md"]})
    after = run_sphinx(folder)
    lines = full.stderr.strip().splitlines()
    print(f"{left:3} KB left: status {full.returncode},", *lines[-1:])
    return after.returncode == 0 and seen(folder) == right


def main():
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        write_files(folder / "right", FILES)
        run_sphinx(folder / "right").check_returncode()
        right = seen(folder / "right")
        disk = folder / "disk"
        disk.mkdir()
        wrong = []
        for left in LEFT:
            mount = ["mount", "-t", "tmpfs", "-o", "size=30m", "tmpfs", disk]
            subprocess.run(mount, check=True)
            try:
                if not try_disk(disk, left, right):
                    wrong.append(left)
            finally:
                subprocess.run(["umount", disk], check=True)
    print(f"wrong afterwards: {wrong}" if wrong else "Each next build was right.")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
