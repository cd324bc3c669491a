"""Execute the chapters whose results are out of date, in parallel, before Sphinx reads
any page.

MyST-NB takes a chapter's results from jupyter-cache when the code cells are the same.
That is not enough: the chapter's numbers also come from `src/`. So each cached result
keeps, in the `data` of its record, the digest of every file it came from: the files of
the watched package, and the scripts beside the chapter, that the kernel had imported or
opened when the chapter ended, and the lock file, which stands for all other packages;
and that of the result itself, which may be half-written or damaged.
When one of them has changed, the result is dropped and the chapter executed here.
MyST-NB then finds every chapter in the cache and executes nothing itself.
"""

import ast
import hashlib
import json
import os
import re
import shutil
import signal
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import nbformat
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from jupyter_cache.cache.db import NbCacheRecord
from myst_nb.core.read import create_nb_reader
from myst_nb.sphinx_ import NbMetadataCollector
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from sphinx.util import logging

logger = logging.getLogger(__name__)
HERE = Path(__file__).parent


class ChapterFailed(Exception):
    pass


def setup(app):
    # both relative to the folder of _config.yml
    app.add_config_value("execution_package", "src", "")
    app.add_config_value("execution_lock", "requirements.lock", "")
    app.connect("env-get-outdated", execute_outdated)
    app.connect("build-finished", note_time)
    return {"parallel_read_safe": True}


def execute_outdated(app, env, added, changed, removed):
    """Bring the cache up to date; return the chapters that Sphinx must read again
    because of it."""
    root = Path(app.srcdir).resolve()
    cache = open_cache(env.mystnb_config.execution_cache_path)
    chapters = {
        name: nb for name in sorted(env.found_docs) if (nb := read_chapter(env, name))
    }

    outdated = {}
    for name, notebook in chapters.items():
        record = find_record(cache, notebook)
        if record and not is_current(record, cache, root):
            remove(record, cache)
            record = None
        if not record:
            outdated[name] = notebook

    logger.info("")
    if outdated:
        # Building matplotlib's font cache takes seconds and says so on stderr, which
        # would end up in the first chapter's output; two kernels would both do it.
        import matplotlib.font_manager  # noqa: F401
    # Taken before any kernel starts: a file that is edited while they run leaves its
    # result out of date.
    folders = {Path(env.doc2path(name)).parent for name in outdated}
    scripts = [path for folder in folders for path in folder.glob("*.py")]
    watched = app.config.execution_package, app.config.execution_lock
    digests = hash_files(root, *watched, scripts)
    failures = []
    pool = ThreadPoolExecutor(os.cpu_count())
    try:
        running = {
            pool.submit(execute, env, name, nb, root): name
            for name, nb in outdated.items()
        }
        for future in as_completed(running):
            name = running[future]
            try:
                notebook, files, seconds = future.result()
            except ChapterFailed as failure:
                failures.append(str(failure))
                continue
            data = {
                "files": {
                    file: digests.get(file)
                    for file in [*files, app.config.execution_lock]
                },
                "result": digest_of_result(notebook, cache),
                "seconds": seconds,
                "execution_seconds": sum(
                    seconds.values()
                ),  # the name that MyST-NB reads
            }
            cache.cache_notebook_bundle(
                CacheBundleIn(notebook, str(env.doc2path(name)), data=data),
                overwrite=True,
            )
            logger.info(
                f"executed {name} in {sum(seconds.values()):.1f} s (kernel start "
                f"{seconds['kernel']:.1f}, imports {seconds['imports']:.1f}, work {seconds['work']:.1f})"
            )
    except KeyboardInterrupt:
        # not to wait for the chapters that run; their kernels end with this process
        os._exit(128 + signal.SIGINT)
    finally:
        pool.shutdown(cancel_futures=True)
    if failures:
        # not an exception of Sphinx's: Jupyter Book would bury the message under its
        # own traceback
        raise SystemExit(
            "\n" + "\n\n".join([*sorted(failures), "The book was not built."])
        )
    logger.info(
        f"{len(outdated)} chapters executed, {len(chapters) - len(outdated)} taken from the cache"
    )

    # Comparing with the results that Sphinx last read, rather than returning
    # `outdated`, also covers a chapter executed in a build that another chapter's
    # failure stopped.
    return [
        name
        for name, notebook in chapters.items()
        if (NbMetadataCollector.get_exec_data(env, name) or {}).get("mtime")
        != find_record(cache, notebook).created.timestamp()
    ]


def note_time(app, exception):
    # Sphinx writes nothing when nothing changed; the tests compare this time with that
    # of the sources.
    if not exception:
        Path(app.outdir).touch()


def read_chapter(env, name):
    """The notebook, read as MyST-NB reads it so that the cache knows it again; None for
    a plain page."""
    path = env.doc2path(name)
    text = Path(path).read_text(encoding="utf-8")
    reader = create_nb_reader(path, env.myst_config, env.mystnb_config, text)
    return reader and reader.read(text)


def find_record(cache, notebook):
    try:
        return cache.match_cache_notebook(notebook)
    except KeyError:
        return None


def open_cache(path):
    """The cache; an empty one if its database is damaged."""
    cache = get_cache(path)
    try:
        with cache.db.connect() as connection:
            check = connection.exec_driver_sql("PRAGMA integrity_check").scalar()
        cache.list_cache_records()
        cache.list_project_records()
        cache.get_cache_limit()  # so that each of its tables has been read
        whole = check == "ok"
    except Exception:  # SQLAlchemy's, or of the JSON in a table
        whole = False
    if not whole:
        logger.info("the cache of the chapters' results is damaged, and emptied")
        cache.clear_cache()
    return cache


def is_current(record, cache, root):
    files = record.data.get("files")  # absent from a result that MyST-NB made itself
    return (
        bool(files)
        and hash_file(result_file(record, cache)) == record.data.get("result", "")
        and all(hash_file(root / name) == known for name, known in files.items())
    )


def remove(record, cache):
    """As `cache.remove_cache`, which refuses when the result's file is missing."""
    folder = result_file(record, cache).parent
    if folder.exists():
        shutil.rmtree(folder)
    NbCacheRecord.remove_records([record.pk], cache.db)


def result_file(record, cache):
    return cache.path / "executed" / record.hashkey / "base.ipynb"


def digest_of_result(notebook, cache):
    """Of what the cache is about to write to the result's file."""
    kept, _ = cache.create_hashed_notebook(notebook)
    return hashlib.sha256(nbformat.writes(kept).encode()).hexdigest()


def hash_files(root, package, lock, scripts):
    files = [
        root / lock,
        *(path for path in (root / package).rglob("*") if path.is_file()),
        *scripts,
    ]
    return {path.relative_to(root).as_posix(): hash_file(path) for path in files}


def hash_file(path):
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None


def execute(env, name, notebook, root):
    """Run a chapter in a kernel of its own; return it with the files it used and the
    seconds it took."""
    package = root / env.config.execution_package
    path = Path(env.doc2path(name))
    client = NotebookClient(
        notebook,
        timeout=env.mystnb_config.execution_timeout,
        shutdown_kernel="immediate",
        coalesce_streams=True,
        record_timing=False,  # it would change the cells' metadata, by which the cache knows them
        resources={"metadata": {"path": str(path.parent)}},
    )
    # One thread per kernel: chapters run side by side, and sums come out the same on
    # every machine. A page has no use for a progress bar.
    environment = os.environ | {
        "OMP_NUM_THREADS": "1",
        "TQDM_DISABLE": "1",
        "LOSSBOOK_PAGE": "1",  # live figures for the page, not for the notebook
    }

    start = time.perf_counter()
    with client.setup_kernel(env=environment, transport_encryption="auto"):
        ask(client, f"import sys; sys.path.insert(0, {str(HERE)!r})")
        watched = f"{str(package)!r}, {str(path.parent)!r}"
        ask(client, f"import observer; observer.watch({watched}); del observer")
        ask(client, "sys.path.pop(0); del sys")
        info = client.wait_for_reply(client.kc.kernel_info())
        notebook.metadata["language_info"] = info["content"]["language_info"]
        ready = time.perf_counter()
        for index, cell in enumerate(notebook.cells):
            try:
                client.execute_cell(
                    cell, index, execution_count=client.code_cells_executed + 1
                )
            except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
                raise ChapterFailed(
                    describe(error, path, root, package, notebook, index)
                ) from None
        done = time.perf_counter()
        reply = ask(client, "", report="__import__('observer').report()")
    report = json.loads(ast.literal_eval(reply["report"]["data"]["text/plain"]))

    files = [Path(file).relative_to(root).as_posix() for file in report["files"]]
    seconds = {
        "kernel": ready - start,
        "imports": report["imports"],
        "work": done - ready - report["imports"],
    }
    return notebook, files, seconds


def ask(client, code, **expressions):
    """Run code outside the chapter: no output, no cell number. Return the expressions'
    values."""
    message = client.kc.execute(code, silent=True, user_expressions=expressions)
    return client.wait_for_reply(message)["content"]["user_expressions"]


def describe(error, path, root, package, notebook, index):
    """One message: chapter, cell, source line, error, and the functions of the book it
    came through."""
    number = sum(cell.cell_type == "code" for cell in notebook.cells[: index + 1])
    source = notebook.cells[index].source.splitlines()
    trace = re.sub(r"\x1b\[[0-9;]*m", "", getattr(error, "traceback", ""))
    in_cell = re.search(r"Cell In\[\d+\], line (\d+)", trace)
    # an error raised while the cell's result was shown has no line in the cell: it is
    # the last one's
    offset = int(in_cell[1]) - 1 if in_cell else len(source) - 1

    # the cell's options (`:tags:` and the like) stand between its fence and its first
    # line
    lines = path.read_text(encoding="utf-8").splitlines()
    fence = notebook.metadata["source_map"][index]
    first = lines.index(source[0], fence) if source[0] in lines[fence:] else fence
    if isinstance(error, CellExecutionError):
        what = f"{error.ename}: {error.evalue}"
        if (
            error.ename == "NoneType"
        ):  # IPython forgets the name of such an error, but not its traceback
            what = re.search(r"^\w+(?:Error|Exception)?: .*", trace, re.M | re.S)[
                0
            ].strip()
    else:
        what = f"{type(error).__name__}: {error}".splitlines()[0]
    message = [
        f"{path.relative_to(root)}:{first + offset + 1}, code cell {number}, line {offset + 1}:",
        f"    {source[offset].strip()}",
        what,
    ]
    for file, line, function in re.findall(r"File (\S.*?):(\d+), in (\w+)", trace):
        if Path(file).is_relative_to(package):
            message.append(f"    in {function}, {Path(file).relative_to(root)}:{line}")
    return "\n".join(message)
