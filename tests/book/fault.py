"""Build a small book with Sphinx, and have the build meet a fault at one of its writes:

    python fault.py FAULT N [arguments of Sphinx]

A write is an event of Python's that creates, opens for writing, renames or removes a file
or folder below `_build`. The fault `kill` cuts what was written last in half and kills
the process at the Nth. The name of an error, as ENOSPC, lets it and every later one that
needs space fail with it. `count` writes the number of them to the file `writes`.
"""

import errno
import os
import signal
import sys
from pathlib import Path

from sphinx.cmd.build import main

WRITES = {"os.mkdir", "os.remove", "os.rename", "os.rmdir"}  # besides "open"
BUILD = os.path.abspath("_build")

fault, moment = sys.argv[1], int(sys.argv[2])
count = 0
last = None


def needs_space(event):
    return event in ("open", "os.mkdir")


def watch(event, arguments):
    global count, last
    opened = event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR)
    if not (opened or event in WRITES) or not isinstance(arguments[0], str | Path):
        return
    path = os.path.abspath(arguments[0])
    if not path.startswith(BUILD):
        return
    count += 1
    if fault == "kill" and count == moment:
        if last and os.path.isfile(last):
            os.truncate(last, os.path.getsize(last) // 2)
        os.kill(os.getpid(), signal.SIGKILL)
    if fault in errno.errorcode.values() and count >= moment and needs_space(event):
        number = getattr(errno, fault)
        raise OSError(number, os.strerror(number), path)
    last = path if opened else None


if __name__ == "__main__":
    sys.addaudithook(watch)
    status = main(sys.argv[3:])
    if fault == "count":
        Path("writes").write_text(str(count))
    sys.exit(status)
