"""One build at a time, and none on the remains of one that did not finish.

A build that is killed may leave half of a page, of a figure or of what Sphinx remembers,
and Sphinx would take each for whole. So the last act of a build is to write a digest of
what later builds will take over, and the first act of the next one is to compare it. If
they differ, all is thrown away but the results of the chapters, which `execution`
checks itself. There is no digest after a build with warnings, either: Sphinx reports a
page's warnings only when it reads the page.
"""

import errno
import hashlib
import shutil
import sqlite3
from pathlib import Path

from filelock import FileLock, Timeout
from sphinx.util import logging

logger = logging.getLogger(__name__)

SPACE = 20  # megabytes without which no build gets far
NO_SPACE = "Free some space, then build again."
NOT_ALLOWED = "Build in a folder that you may write to."
ADVICE = {
    errno.ENOSPC: NO_SPACE,
    errno.EDQUOT: NO_SPACE,
    errno.EROFS: NOT_ALLOWED,
    errno.EACCES: NOT_ALLOWED,
    errno.EPERM: NOT_ALLOWED,
}
SQLITE = {sqlite3.SQLITE_FULL: errno.ENOSPC, sqlite3.SQLITE_READONLY: errno.EROFS}


def setup(app):
    folder = Path(app.outdir).parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = wait_for(FileLock(folder / "lock"), folder)
        discard_remains(app)
        if shutil.disk_usage(folder).free < SPACE * 2**20:
            raise OSError(errno.ENOSPC, f"Less than {SPACE} MB are left", str(folder))
    except OSError as error:
        stop_with_advice(error)
        raise
    # While chapters run no page is touched, so one that fails costs no other.
    app.connect("env-get-outdated", note_digest, priority=100)
    app.connect("env-before-read-docs", remove_digest)
    app.connect("build-finished", finish, priority=1000)
    app.connect("build-finished", lambda app, exception: lock.release(), priority=1001)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def wait_for(lock, folder):
    """The lock, acquired. The system frees it when its process ends, however that is."""
    try:
        lock.acquire(timeout=0)
    except Timeout:
        logger.info(f"another build is writing {folder}: waiting for its end")
        lock.acquire()
    return lock


def taken_over(app):
    """The folders whose files a later build takes over."""
    return [Path(app.doctreedir), Path(app.outdir).with_name("jupyter_execute")]


def digest_file(app):
    return Path(app.outdir).with_name("finished")


def digest(folders):
    """Of the names and contents of all files in these folders."""
    total = hashlib.sha256()
    for folder in folders:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            total.update(path.relative_to(folder).as_posix().encode())
            total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest().encode()


def discard_remains(app):
    noted = digest_file(app)
    if not noted.exists() or noted.read_bytes() != digest(taken_over(app)):
        for folder in [*taken_over(app), Path(app.outdir)]:
            if folder.exists():
                shutil.rmtree(folder)
    noted.unlink(missing_ok=True)


def note_digest(app, *_):
    digest_file(app).write_bytes(digest(taken_over(app)))
    return []


def remove_digest(app, *_):
    digest_file(app).unlink()


def finish(app, exception):
    if exception:
        stop_with_advice(exception)
    elif not (app.keep_going and app._warncount):  # that is -W --keep-going
        note_digest(app)


def stop_with_advice(error):
    """End the build with one line if this error comes from the disk."""
    while error:
        if isinstance(error, sqlite3.Error):
            code = SQLITE.get(getattr(error, "sqlite_errorcode", None))
            error = OSError(code, str(error)) if code else error.__cause__
        elif isinstance(error, OSError) and error.errno in ADVICE:
            # no exception of Sphinx's: Jupyter Book would bury the line
            todo = ADVICE[error.errno]
            # of a full disk the error may name the file that was copied to it
            where = f" ({error.filename})" if todo == NOT_ALLOWED else ""
            raise SystemExit(f"\n{error.strerror}{where}. {todo}")
        else:
            error = error.__cause__ or error.__context__
