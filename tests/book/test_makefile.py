"""The Makefile's installation, with programs that only note that they were called."""

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.book.conftest import ROOT, reached, write_files

# runs code, and notes that it was asked for a module
PYTHON = f"""#!/bin/sh
[ "$1" = -m ] || exec {sys.executable!r} "$@"
echo "$*" >> calls
"""
PACKAGES = ".venv/lib/python3.11/site-packages"
# without what `make test` tells the makes that it starts
ALONE = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}


@pytest.fixture
def folder(tmp_path):
    """A checkout's Makefile, with a Python and a venv of this kind."""
    folder = tmp_path / "Büchlein d'été"
    write_files(folder, {"python": PYTHON, ".venv/bin/python": PYTHON})
    for name in ("Makefile", "requirements.txt", "requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    for name in ("python", ".venv/bin/python"):
        (folder / name).chmod(0o755)
    return folder


INSTALL = ["make", "PYTHON=./python", ".venv/.installed"]


def install(folder):
    return subprocess.run(
        INSTALL, cwd=folder, env=ALONE, capture_output=True, text=True
    )


def test_a_package_whose_installation_was_killed_is_installed_again(folder):
    whole, half = f"{PACKAGES}/whole-1.dist-info", f"{PACKAGES}/half-1.dist-info"
    write_files(folder, {f"{whole}/INSTALLER": "", f"{half}/RECORD": ""})
    assert install(folder).returncode == 0
    assert (folder / whole).exists() and not (folder / half).exists()
    calls = (folder / "calls").read_text().splitlines()
    assert calls[0] == "-m venv .venv" and calls[-1].startswith("-m pip install")


def test_an_installation_that_failed_is_tried_again(folder):
    good = (folder / ".venv/bin/python").read_text()
    (folder / ".venv/bin/python").write_text("#!/bin/sh\nexit 1\n")
    assert install(folder).returncode != 0
    (folder / ".venv/bin/python").write_text(good)
    assert install(folder).returncode == 0
    assert "is up to date" in install(folder).stdout


def test_one_installation_at_a_time(folder):
    os.mkfifo(folder / "gate")
    at_gate = "[ -e passed ] || read line < gate; touch passed; echo"
    waiting = PYTHON.replace("echo", at_gate, 1)
    (folder / ".venv/bin/python").write_text(waiting)
    making = subprocess.Popen(
        INSTALL, cwd=folder, env=ALONE, stderr=subprocess.PIPE, text=True
    )
    end = reached(folder / "gate", making)  # the installation is in pip
    with open(folder / ".venv/.lock") as lock:
        with pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(end)
        making.communicate()
        assert making.returncode == 0
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_read_only_checkout():
    """As a user who may not write there; root may write everywhere."""
    user = {"user": 65534} if os.geteuid() == 0 else {}
    with tempfile.TemporaryDirectory() as folder:
        for name in ("Makefile", "requirements.txt", "requirements.lock"):
            shutil.copy(ROOT / name, folder)
        (Path(folder) / "pyproject.toml").touch()
        os.chmod(folder, 0o555)
        made = subprocess.run(
            ["make", "book"],
            cwd=folder,
            env=ALONE,
            capture_output=True,
            text=True,
            **user,
        )
    assert made.returncode != 0 and made.stdout == ""
    assert made.stderr.count("\n") == 1
    assert (
        "This folder is read-only: copy it to one that you may write to" in made.stderr
    )
