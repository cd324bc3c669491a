"""Makes what is handed out from the sources in this folder; `make assignments` runs it.

An assignment `<name>` is a folder with `<name>.md`, a MyST notebook marked up for
nbgrader, and `rubric.md`. From it come, below `_build/assignments`,

    release/<name>/    the notebook without solutions and hidden tests, and the rubric
    solution/<name>/   the worked solution: the notebook without hidden tests
    source/<name>/     everything, the `source` folder of an nbgrader course
"""

import shutil
from pathlib import Path

import jupytext
import nbformat
from nbgrader.preprocessors import (
    CheckCellMetadata,
    ClearHiddenTests,
    ClearSolutions,
    ComputeChecksums,
    LockCells,
)

FOLDER = Path(__file__).resolve().parent
BUILT = FOLDER.parent / "_build" / "assignments"


def names():
    """The names of all assignments, in order."""
    return sorted(path.stem for path in FOLDER.glob("*/*_*.md"))


def source(name):
    """The notebook of an assignment as its author wrote it, with solutions and hidden
    tests. Raises FileNotFoundError when there is no such assignment."""
    notebook = jupytext.read(FOLDER / name / f"{name}.md")
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"  # jupytext draws one at random
    notebook.metadata.pop("jupytext", None)
    notebook.metadata["kernelspec"]["language"] = "python"
    return _after(notebook, CheckCellMetadata)


def release(name):
    """The notebook that students get. Its test cells and given cells are locked."""
    steps = LockCells, ClearSolutions, ClearHiddenTests, ComputeChecksums
    return _after(source(name), *steps)


def solution(name):
    """The notebook as a student would hand it in who got everything right."""
    notebook = _after(source(name), LockCells, ClearHiddenTests, ComputeChecksums)
    for cell in notebook.cells:
        lines = cell.source.splitlines()
        marks = "### BEGIN SOLUTION", "### END SOLUTION"
        cell.source = "\n".join(x for x in lines if x.strip() not in marks)
    return notebook


def _after(notebook, *preprocessors):
    for preprocessor in preprocessors:
        notebook, _ = preprocessor().preprocess(notebook, {})
    return notebook


def write(folder=BUILT):
    """Write all three versions of every assignment below a folder, anew."""
    for kind in (release, solution, source):
        shutil.rmtree(folder / kind.__name__, ignore_errors=True)
        for name in names():
            place = folder / kind.__name__ / name
            place.mkdir(parents=True)
            nbformat.write(kind(name), place / f"{name}.ipynb")
            shutil.copy(FOLDER / name / "rubric.md", place)


if __name__ == "__main__":
    write()
    print(f"{', '.join(names())}: in {BUILT}/release, solution and source")
