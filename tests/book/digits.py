"""Which digits depend on the processor? Execute the chapters of the built book once more,
with the libraries told to use the instructions of a processor of 2008, and print what
comes out otherwise than on the page. `make digits` runs it; names of chapters after
`python -m tests.book.digits` run these alone."""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from difflib import unified_diff
from pathlib import Path

import nbformat
from jupyter_cache import get_cache
from nbclient import NotebookClient

ROOT = Path(__file__).parents[2]
OLD = {
    "OPENBLAS_CORETYPE": "Nehalem",  # NumPy's and SciPy's products of matrices
    "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4",  # the rest of NumPy
    "ATEN_CPU_CAPABILITY": "default",  # PyTorch, and the libraries that it brings:
    "MKL_CBWR": "COMPATIBLE",
    "ONEDNN_MAX_CPU_ISA": "SSE41",
}


def results():
    """(chapter, executed notebook) of the last build."""
    cache = get_cache(ROOT / "_build" / ".jupyter_cache")
    records = sorted(cache.list_cache_records(), key=lambda record: record.created)
    newest = {record.uri: record for record in records}
    return [
        (Path(uri), cache.get_cache_bundle(record.pk).nb)
        for uri, record in sorted(newest.items())
        if Path(uri).is_relative_to(ROOT)
    ]


def texts(notebook):
    """What the cells print, line by line."""
    lines = []
    for cell in notebook.cells:
        for output in cell.outputs:
            text = output.get("text") or output.get("data", {}).get("text/plain", "")
            lines += text.splitlines()
    return lines


def difference(path, notebook):
    again = nbformat.from_dict(notebook)
    environment = (
        os.environ
        | OLD
        | {
            "OMP_NUM_THREADS": "1",
            "TQDM_DISABLE": "1",
            "LOSSBOOK_PAGE": "1",
        }
    )
    folder = {"metadata": {"path": str(path.parent)}}
    client = NotebookClient(
        again, timeout=1800, resources=folder, coalesce_streams=True
    )
    before = texts(notebook)
    client.execute(env=environment, transport_encryption="auto")
    return list(unified_diff(before, texts(again), "page", "old", n=0, lineterm=""))


def main(names):
    chosen = [(p, nb) for p, nb in results() if not names or p.stem in names]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = list(pool.map(lambda one: difference(*one), chosen))
    for (path, _), lines in zip(chosen, found, strict=True):
        print(f"{path.stem}: {'the same' if not lines else ''}", *lines, sep="\n")
    return any(found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
