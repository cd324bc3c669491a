"""Runs inside each chapter's kernel, before the first cell: which files did it use, how
long were imports?

The build asks for `report()` after the last cell. Nothing here is visible in the
chapter's namespace.
"""

import builtins
import json
import os
import sys
import time

opened = set()
folder = beside = ""
import_seconds = 0.0
_import_depth = 0
_plain_import = builtins.__import__


def watch(package, chapters):
    """Start to note the files opened below the folder `package`, the scripts in the folder
    `chapters`, and the time spent importing."""
    global folder, beside
    folder = os.path.join(os.path.realpath(package), "")
    beside = os.path.realpath(chapters)
    sys.addaudithook(_note_open)
    builtins.__import__ = _timed_import


def report():
    """The files of the package and the scripts beside the chapter that were imported or
    opened, and the import seconds."""
    imported = {
        getattr(module, "__file__", None) or "" for module in list(sys.modules.values())
    }
    files = {
        name
        for name in map(os.path.realpath, imported | opened)
        if name.startswith(folder)
        or (os.path.dirname(name) == beside and name.endswith(".py"))
    }
    # a .pyc stands for its source, which is in sys.modules
    return json.dumps(
        {
            "files": sorted(name for name in files if "__pycache__" not in name),
            "imports": import_seconds,
        }
    )


def _note_open(event, arguments):
    # data files matter as much as modules: a chapter whose digits changed is out of
    # date
    if event == "open" and isinstance(arguments[0], str):
        opened.add(arguments[0])


def _timed_import(*arguments, **keywords):
    # only the outermost import counts: its time contains that of the imports it causes
    global import_seconds, _import_depth
    start = time.perf_counter()
    _import_depth += 1
    try:
        return _plain_import(*arguments, **keywords)
    finally:
        _import_depth -= 1
        if not _import_depth:
            import_seconds += time.perf_counter() - start
