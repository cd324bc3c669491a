"""The lock holds what requirements.txt asks for, with hashes, and no CUDA; pip refuses a
file that does not fit its hash by itself."""

import re
import tomllib
from importlib.metadata import requires
from pathlib import Path

ROOT = Path(__file__).parents[1]
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
ASKED = (ROOT / "requirements.txt").read_text(encoding="utf-8")
# name==version, with a marker or without, and then one hash or more
LOCKED = re.compile(
    r"^(?P<name>[\w.-]+)==(?P<version>\S+)(?: ; [^\\]*?)? \\\n"
    r"(?P<hashes>(?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)",
    re.MULTILINE,
)


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_line_of_the_lock_is_a_version_with_hashes():
    rest = LOCKED.sub("", LOCK)
    assert [line for line in rest.splitlines() if not line.startswith("#")] == []


def test_the_lock_holds_what_is_asked_for_but_pytorch():
    locked = {(normal(m["name"]), m["version"]) for m in LOCKED.finditer(LOCK)}
    asked = re.findall(r"^([\w.-]+)==([\w.]+)", ASKED, re.MULTILINE)
    asked = {(normal(name), version) for name, version in asked}
    assert {name for name, _ in asked - locked} == {"torch"}


def test_the_lock_brings_no_pytorch_and_no_cuda():
    names = {normal(match["name"]) for match in LOCKED.finditer(LOCK)}
    assert not [n for n in names if re.match("torch|nvidia|cuda|triton", n)]


def test_the_lock_holds_what_pytorch_needs():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (told,) = project["tool"]["uv"]["dependency-metadata"]
    needed = {line for line in requires("torch") if ";" not in line}
    assert told["name"] == "torch"
    assert needed <= set(told["requires-dist"])
