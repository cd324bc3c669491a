"""Grades a folder of submissions; `make grade SUBMISSIONS=folder` runs it.

A submission is `<student>/<assignment>.ipynb`, at any depth below the student's folder.
Its cells run in a process of their own, worker.py, which holds no test. The tests run
here, taken from the source of the assignment, never from the submission; a name in them
that no given cell defines is the student's, and is asked for over there.
"""

import argparse
import ast
import builtins
import contextlib
import csv
import io
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import nbformat
from nbgrader import utils
from tqdm import tqdm

import lossbook
from assignments import release, worker

LARGEST_NOTEBOOK = 32 * 2**20  # bytes
LONGEST_TEXT = 600  # characters of anything that a submission says


@dataclass(frozen=True)
class Limits:
    """What a submission may use: seconds for each cell and each call of a function,
    seconds for the whole, bytes of memory, bytes of one answer."""

    step: float = 20
    total: float = 120
    memory: int = 4 * 2**30
    answer: int = 64 * 2**20


@dataclass(frozen=True)
class Mark:
    """A row of the marks. points: None until a person has given them."""

    student: str
    assignment: str
    task: str
    points: float | None
    of: float
    message: str


class Failed(Exception):
    """The student's code raised, has no such name, or answered with no plain data."""


class Stopped(Exception):
    """The student's process is gone: it left, or was stopped at a limit."""


class Process:
    """A running worker.py with a folder of its own, an empty environment, and limits."""

    def __init__(self, limits, deadline, hidden):
        self.limits, self.deadline = limits, deadline
        self.folder = tempfile.mkdtemp(prefix="submission-")
        self.stream, theirs = socket.socketpair()
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-P", worker.__file__, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=self._environment(),
                cwd=self.folder,
                start_new_session=True,
            )
        seconds = max(1, round(limits.total))
        settings = {"memory": limits.memory, "seconds": seconds, "hidden": hidden}
        try:
            self.ask(settings, seconds=limits.total)
        except Stopped:
            self.stop()
            raise

    def _environment(self):
        threads = dict.fromkeys(
            ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"
        )
        places = dict.fromkeys(
            ("HOME", "TMPDIR", "IPYTHONDIR", "MPLCONFIGDIR", "XDG_CACHE_HOME"),
            self.folder,
        )
        return {
            "PATH": os.defpath,
            "LANG": "C.UTF-8",
            "MPLBACKEND": "agg",
            "PYTHONPATH": str(Path(lossbook.__file__).parents[1]),
            **threads,
            **places,
        }

    def ask(self, question, seconds=None):
        """The answer of the worker. Raises Stopped when there is none in time."""
        left = self.deadline - time.monotonic()
        seconds = min(seconds or self.limits.step, left)
        if seconds <= 0:
            raise Stopped(f"the notebook took longer than {self.limits.total:g} s")
        until = time.monotonic() + seconds
        try:
            self.stream.settimeout(seconds)
            worker.send(self.stream, question)
            return self._receive(until)
        except TimeoutError:
            whole = "the notebook" if seconds == left else "it"
            limit = self.limits.total if seconds == left else self.limits.step
            raise Stopped(f"{whole} took longer than {limit:g} s") from None
        except (EOFError, OSError):
            raise Stopped("it ended the process that ran it") from None
        except (ValueError, RecursionError):
            raise Stopped("its answer could not be read") from None

    def _receive(self, until):
        stream = _Until(self.stream, until)
        answer = worker.receive(stream, self.limits.answer)
        if not isinstance(answer, dict):
            raise ValueError(f"expected a dict, got {type(answer).__name__}")
        return answer

    def stop(self):
        """End the process and all that it started, and remove its folder."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.stream.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class _Until:
    """A socket whose reading must be over at a point in time, however it trickles."""

    def __init__(self, stream, until):
        self.stream, self.until = stream, until

    def recv(self, size):
        left = self.until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self.stream.settimeout(left)
        return self.stream.recv(size)


class Submission:
    """The student's code, in a `Process` that is started anew when it has ended. A cell
    that ended it, or reached a limit, is then left out.

    hidden: folders that it may not read. problems: what went wrong, {cell: text}.
    """

    def __init__(self, limits, hidden=()):
        self.limits, self.cells, self.problems = limits, {}, {}
        self.hidden = [str(Path(path).resolve()) for path in hidden]
        self.deadline = time.monotonic() + limits.total
        self.process = None

    def run(self, name, source):
        """Run a cell after those before it; an error is kept in ``problems``."""
        try:
            self._ask("run", source=source)
        except Failed as error:
            self.problems[name] = str(error)
        except Stopped as error:
            self.problems[name] = str(error)
            return
        self.cells[name] = source

    def _ask(self, do, **question):
        if self.process is None:
            self.process = Process(self.limits, self.deadline, self.hidden)
            before, self.cells = self.cells, {}
            for name, source in before.items():
                self.run(name, source)
        if self.process is None:  # a cell that was run before has ended it now
            return self._ask(do, **question)
        try:
            answer = self.process.ask({"do": do, **question})
        except Stopped:
            self.close()
            raise
        if "error" in answer:
            raise Failed(_tidy(answer["error"]))
        return answer

    def close(self):
        """End the process, if there is one."""
        if self.process:
            self.process.stop()
        self.process = None

    def name(self, name, without):
        """The student's variable, or a function that calls the student's."""
        answer = self._ask("get", name=name)
        if not answer.get("function"):
            return _decoded(answer, name)

        def call(*arguments, **options):
            question = {
                "arguments": worker.encode(arguments),
                "options": worker.encode(options),
            }
            answer = self._ask("call", name=name, without=without, **question)
            return _decoded(answer, name)

        return call


def _decoded(answer, name):
    try:
        return worker.decode(answer["value"])
    except Exception:  # the student's process may send anything
        raise Failed(f"{name} gave no plain numbers") from None


def _tidy(text):
    """Text from a submission, fit to be shown: printable, and not too long."""
    text = str(text)[: 2 * LONGEST_TEXT]
    text = re.sub(r"\s+", " ", "".join(c if c.isprintable() else " " for c in text))
    return text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT] + " ..."


def _foreign_names(code, namespace):
    """The names that some code reads and neither sets itself nor finds."""
    tree = ast.parse(code)
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    set_here = {node.id for node in names if not isinstance(node.ctx, ast.Load)}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            set_here.add(node.name)
        elif isinstance(node, ast.arg):
            set_here.add(node.arg)
        elif isinstance(node, ast.alias):
            set_here.add((node.asname or node.name).split(".")[0])
    read = dict.fromkeys(node.id for node in names)
    found = {*set_here, *namespace, *vars(builtins)}
    return [name for name in read if name not in found]


@contextlib.contextmanager
def _to(file):
    """Print into a file; progress bars too."""
    with contextlib.redirect_stdout(file), contextlib.redirect_stderr(file):
        yield


def _run_test(cell, namespace, submission):
    """(whether the test passes, what is to be said)."""
    namespace = dict(namespace)
    without = cell.metadata.get("written_without", [])
    try:
        for name in _foreign_names(cell.source, namespace):
            namespace[name] = submission.name(name, without)
        with _to(io.StringIO()):
            exec(compile(cell.source, "<test>", "exec"), namespace)
    except AssertionError as error:
        return False, _tidy(error) or "the answer is wrong"
    except (Failed, Stopped) as error:
        return False, _tidy(error)
    except Exception as error:  # such as a comparison of a number with a text
        return False, _tidy(f"the answer does not fit: {error}")
    return True, "right"


def _id(cell):
    marked = cell.metadata.get("nbgrader")
    return marked.get("grade_id") if isinstance(marked, dict) else None


def _is_given(cell):
    is_code = cell.cell_type == "code"
    return is_code and not (utils.is_grade(cell) or utils.is_solution(cell))


def _is_test(cell):
    return utils.is_grade(cell) and not utils.is_solution(cell)


def _steps(source, submitted):
    """What to run, as {name: code of a cell, or the cell of a test}, in the student's
    order. Given cells and tests are those of the source; given cells that are missing
    come first, tests that are missing last."""
    ours = {_id(c): c.source for c in source.cells if _is_given(c)}
    given = list(ours)
    ours |= {_id(c): c for c in source.cells if _is_test(c)}
    steps = {}
    for number, cell in enumerate(submitted.cells, start=1):
        name = _id(cell)
        if name in ours:
            steps.pop(name, None)  # of copies the last one counts
            steps[name] = ours[name]
        elif cell.cell_type == "code":
            known = name and name not in steps
            steps[name if known else f"cell {number}"] = cell.source
    first = {name: ours[name] for name in given if name not in steps}
    return first | steps | {n: c for n, c in ours.items() if n not in steps}


def _read(path):
    """The notebook in a file. Raises ValueError when there is none."""
    try:
        if not path.is_file():
            raise ValueError("it is no ordinary file")
        if path.stat().st_size > LARGEST_NOTEBOOK:
            raise ValueError(f"the file is larger than {LARGEST_NOTEBOOK >> 20} MiB")
        notebook = nbformat.reads(path.read_text("utf-8"), as_version=4)
        for cell in notebook.cells:
            if not isinstance(cell.source, str) or not isinstance(
                _id(cell), str | None
            ):
                raise ValueError("a cell has no text")
    except Exception as error:  # whatever a file may hold
        text = _tidy(f"the file is not a notebook: {error}")
        raise ValueError(text) from None
    return notebook


def grade(path, name, *, student="", limits=None, hidden=()):
    """The marks of one submission, a `Mark` for each graded cell of the assignment.

    path: the notebook. name: the assignment. limits: a `Limits`. hidden: folders that
        the submission may not read.
    """
    source = release.source(name)
    released = {_id(cell): cell.source for cell in release.release(name).cells}
    graded = {_id(cell): cell for cell in source.cells if utils.is_grade(cell)}
    try:
        submitted = _read(path)
        results = _results(source, submitted, Submission(limits or Limits(), hidden))
        texts = {_id(cell): cell.source for cell in submitted.cells}
    except ValueError as error:
        results, texts = {task: (False, str(error)) for task in graded}, released
    marks = []
    for task, cell in graded.items():
        of, as_released = (
            cell.metadata.nbgrader.points,
            texts.get(task) == released[task],
        )
        if task in results:
            passed, message = results[task]
            points = of if passed else 0
            if not as_released:
                message += (
                    " (the test cell was changed or missing; the original was run)"
                )
        elif as_released:
            points, message = 0, "not answered"
        else:
            points, message = None, "for a person to mark, with the rubric"
        marks.append(Mark(student, name, task, points, of, message))
    return marks


def _results(source, submitted, submission):
    """{task: (whether its test passes, what is to be said)}."""
    namespace, results = {}, {}
    with _to(io.StringIO()):
        for cell in filter(_is_given, source.cells):
            exec(cell.source, namespace)
    try:
        for name, step in _steps(source, submitted).items():
            if isinstance(step, str):
                submission.run(name, step)
                continue
            passed, message = _run_test(step, namespace, submission)
            if not passed:
                message = "; ".join([message, *_problems(name, submission.problems)])
            results[name] = passed, message
    finally:
        submission.close()
    return results


def _problems(task, problems):
    """What went wrong in the answer to a task, or else in cells that answer none."""
    suffix = "-answer"
    named = [name for name in problems if name.endswith(suffix)]
    of_task = [name for name in named if task.startswith(name.removesuffix(suffix))]
    others = [name for name in problems if name.startswith("cell ")]
    return [f"{name}: {problems[name]}" for name in of_task or others]


def grade_all(folder, limits=None):
    """The marks of every submission in a folder, student by student.

    Raises NotADirectoryError when there is no such folder.
    """
    folder = Path(folder)
    root = release.FOLDER.parent
    hidden = [folder, release.FOLDER, root / "tests", root / "_build"]
    marks = []
    for place in tqdm(sorted(folder.iterdir()), desc="students", leave=False):
        if not place.name.startswith("."):
            marks += _marks_of(_tidy(place.name), place, limits, hidden)
    return marks


def _marks_of(student, place, limits, hidden):
    """The marks of all that one student has handed in."""

    def note(message):
        return Mark(student, "", "", 0, 0, message)

    if not place.is_dir():
        return [note("not graded: it lies in no student's folder")]
    marks, done = [], set()
    for path in sorted(place.rglob("*")):
        parts = path.relative_to(place).parts
        if any(part.startswith(".") for part in parts) or path.is_dir():
            continue
        name, shown = path.stem, _tidy("/".join(parts))
        if path.suffix != ".ipynb" or name not in release.names():
            marks.append(note(f"not graded: {shown} has no assignment's name"))
        elif name in done:
            marks.append(note(f"not graded: {shown} is there a second time"))
        else:
            done.add(name)
            marks += grade(path, name, student=student, limits=limits, hidden=hidden)
    return marks or [note("nothing was handed in")]


def summary(marks):
    """A dict for each student: points, of how many, and how many a person has to mark."""
    rows = {}
    for mark in marks:
        row = rows.setdefault(
            mark.student, {"student": mark.student, "points": 0, "of": 0, "by_hand": 0}
        )
        if mark.points is None:
            row["by_hand"] += mark.of
        else:
            row["points"] += mark.points
            row["of"] += mark.of
    return list(rows.values())


def feedback(marks):
    """What one student is told, as Markdown."""
    lines = [f"# Feedback for {marks[0].student}"]
    for name in dict.fromkeys(mark.assignment for mark in marks):
        rows = [mark for mark in marks if mark.assignment == name]
        lines += ["", f"## {name or 'Other files'}", ""]
        for mark in rows:
            points = "?" if mark.points is None else f"{mark.points:g}"
            lines.append(f"- **{mark.task}**: {points} of {mark.of:g}.")
            lines += ["", f"      {mark.message}", ""]
    return "\n".join(lines) + "\n"


def write(marks, folder):
    """Write marks.csv, summary.csv and feedback/<student>.md below a folder."""
    folder = Path(folder)
    shutil.rmtree(folder / "feedback", ignore_errors=True)
    (folder / "feedback").mkdir(parents=True)
    _write_csv(folder / "marks.csv", [asdict(mark) for mark in marks])
    _write_csv(folder / "summary.csv", summary(marks))
    for student in dict.fromkeys(mark.student for mark in marks):
        text = feedback([mark for mark in marks if mark.student == student])
        (folder / "feedback" / f"{student}.md").write_text(text, "utf-8")


def _write_csv(path, rows):
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, rows[0].keys())
        table.writeheader()
        table.writerows(rows)


def main():
    """Grade the folder named on the command line and write the marks."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("submissions", help="a folder with a folder for each student")
    named = parser.parse_args().submissions
    submissions = Path(named).expanduser()
    if not named or not submissions.is_dir():
        parser.error(f"submissions must be a folder, got {named!r}")
    marks = grade_all(submissions)
    if not marks:
        parser.error(
            f"submissions must hold a folder for each student, {submissions} has none"
        )
    write(marks, release.BUILT)
    for row in summary(marks):
        said = "{student}: {points:g} of {of:g}, and {by_hand:g} to mark by hand"
        print(said.format(**row))
    print(f"marks.csv, summary.csv and feedback/ are in {release.BUILT}")


if __name__ == "__main__":
    main()
