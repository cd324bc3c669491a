"""The grader on submissions that are right, wrong, broken and hostile. Each is the worked
solution of the first set with one thing changed, so that its marks are known."""

import csv
import subprocess
import sys

import nbformat
import pytest

from assignments import grade, release, worker

SET = "1_regression"
FULL = {
    "by-hand-loss": 1,
    "by-hand-gradients": 2,
    "layer": 4,
    "huber": 3,
    "derivation": None,
    "experiment-squared": 2,
    "experiment-huber": 2,
    "meaning": None,
}
HUBER = "def huber_gradient(scores, targets, delta):\n    "
RIGHT = HUBER + "return np.clip(scores - targets, -delta, delta)\n"
QUICK = grade.Limits(step=10)


def cells_of(notebook):
    return {c.metadata.get("nbgrader", {}).get("grade_id"): c for c in notebook.cells}


def handed_in(folder, change=None, name=SET, **answers):
    """The path of a worked solution with other answers in it, {task: source}."""
    notebook = release.solution(name)
    for task, answer in answers.items():
        cells_of(notebook)[f"{task.replace('_', '-')}-answer"].source = answer
    if change:
        change(notebook)
    path = folder / f"{name}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
    return path


def marks_of(path, name=SET, limits=QUICK, **options):
    marks = grade.grade(path, name, limits=limits, **options)
    return {m.task: m.points for m in marks}, {m.task: m.message for m in marks}


@pytest.mark.parametrize("name", release.names())
def test_the_worked_solution_has_full_marks_and_a_blank_one_none(tmp_path, name):
    for notebook, share in ((release.solution(name), 1), (release.release(name), 0)):
        nbformat.write(notebook, tmp_path / f"{name}.ipynb")
        marks = grade.grade(tmp_path / f"{name}.ipynb", name)
        by_person = [mark for mark in marks if mark.points is None]
        assert len(by_person) == 2 * share, "a derivation and a written answer"
        for mark in marks:
            assert mark in by_person or mark.points == share * mark.of, mark


WRONG = {
    "a wrong sign": (
        HUBER + "return -np.clip(scores - targets, -delta, delta)",
        "sign",
    ),
    "averaged": (HUBER + "return np.clip(scores - targets, -delta, delta) / 4", ""),
    "not clipped": (HUBER + "return scores - targets", ""),
    "right for the visible numbers only": (
        HUBER + "return np.array([0.2, 1.0, -1.0, -0.3])",
        "",
    ),
    "no array": (HUBER + "return 'right'", ""),
    "nothing": (HUBER + "pass", ""),
    "an object that equals everything": (
        "class Any:\n    __eq__ = __le__ = __lt__ = lambda *a: True\n"
        + HUBER
        + "return Any()",
        "expected, got Any",
    ),
    "the loss of the book": (
        HUBER + "return HuberLoss(delta).gradient(scores, targets)",
        "rules out",
    ),
    "a crash": ("1 / 0", "ZeroDivisionError"),
    "no Python": ("def huber_gradient(", "huber-answer"),
    "another name": (RIGHT.replace("huber_gradient", "gradient"), "not defined"),
    "a long exception": ("raise ValueError('x' * 10**8)", "ValueError: xxx"),
    "unbounded recursion": (HUBER + "return huber_gradient(scores, 0, 0)", "Recursion"),
    "an exception that has no text": (
        "class Silent(Exception):\n    def __str__(self):\n        1 / 0\nraise Silent",
        "",
    ),
    "sys.exit": ("import sys\nsys.exit(0)", "SystemExit"),
    "sys.exit when called": (HUBER + "raise SystemExit", "SystemExit"),
    "os._exit": ("import os\nos._exit(0)", "ended the process"),
    "os._exit when called": (HUBER + "import os; os._exit(0)", "ended the process"),
    "killing the grader": ("import os\nos.kill(os.getppid(), 9)", "not allowed"),
    "an endless loop": ("while True:\n    pass", "longer than 10 s"),
    "an endless loop when called": (HUBER + "while True: pass", "longer than 10 s"),
    "endless output": ("while True:\n    print('x' * 2**20)", "longer than 10 s"),
    "a memory bomb": ("x = bytearray(2**40)", "MemoryError"),
    "a memory bomb when called": (HUBER + "return np.ones((2**20, 2**20))", "Memory"),
    "more memory": (
        "import resource\nresource.setrlimit(resource.RLIMIT_AS, (-1, -1))",
        "not allowed",
    ),
    "forks": ("import os\nwhile True:\n    os.fork()", "os.fork is not allowed"),
    "a shell": ("import subprocess\nsubprocess.run(['ls'])", "Popen is not allowed"),
    "noise on the wire": (
        "import gc, socket\nfor s in gc.get_objects():\n"
        "    if isinstance(s, socket.socket): s.sendall(b'\\xff' * 64)",
        "",
    ),
    "the test redefined": (
        "import builtins, lossbook.checks\n"
        "class Fine:\n    right, sentence = True, ''\n"
        "diagnose = lossbook.checks.diagnose = lambda *a, **k: Fine()\n"
        "np.allclose = builtins.abs = lambda *a, **k: 0\n" + HUBER + "return scores",
        "",
    ),
}


@pytest.mark.parametrize("mistake", WRONG)
def test_a_mistake_costs_its_own_task_and_no_other(tmp_path, mistake):
    answer, said = WRONG[mistake]
    points, messages = marks_of(handed_in(tmp_path, huber=answer))
    assert points == FULL | {"huber": 0}
    assert said in messages["huber"]
    assert len(messages["huber"]) < 3000 and messages["huber"].isprintable()


FINE = {
    "lists": HUBER
    + "pairs = zip(np.ravel(scores), np.ravel(targets))\n"
    + "    flat = [float(max(-delta, min(delta, s - t))) for s, t in pairs]\n"
    + "    return np.reshape(flat, np.shape(scores)).tolist()",
    "magics": "%matplotlib inline\n%timeit -n1 -r1 1\n" + RIGHT,
    "a plot": "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()\n" + RIGHT,
    "a file of its own": "open('notes', 'w').write('x')\nopen('notes').read()\n"
    + RIGHT,
    "a thread that never ends": "import threading, time\n"
    "threading.Thread(target=time.sleep, args=(3600,)).start()\n" + RIGHT,
}


@pytest.mark.parametrize("habit", FINE)
def test_what_is_right_is_right_in_any_style(tmp_path, habit):
    path = handed_in(tmp_path, huber=FINE[habit])
    points, messages = marks_of(path, limits=grade.Limits())
    assert points == FULL, messages


def test_half_of_a_task_gives_half_of_its_points(tmp_path):
    answer = "mean_loss, gradient_w, gradient_b = 5 / 3, -6.0, -3.0"
    points, messages = marks_of(handed_in(tmp_path, by_hand=answer))
    assert points == FULL | {"by-hand-gradients": 0}
    assert messages["by-hand-loss"] == "right"


@pytest.mark.parametrize("value", ["'-6'", "None", "float('nan')", "[-6.0]", "np.nan"])
def test_a_number_must_be_a_number(tmp_path, value):
    answer = f"mean_loss, gradient_w, gradient_b = 5 / 3, {value}, -2.0"
    points, _ = marks_of(handed_in(tmp_path, by_hand=answer))
    assert points == FULL | {"by-hand-gradients": 0}


def test_edited_tests_are_replaced(tmp_path):
    def edit(notebook):
        for cell in notebook.cells:
            if "assert" in cell.source:
                cell.source = "print('all tests pass')"

    wrong = HUBER + "return scores"
    points, messages = marks_of(handed_in(tmp_path, edit, huber=wrong))
    assert points == FULL | {"huber": 0}
    assert "changed or missing" in messages["huber"] and "changed" in messages["layer"]


def test_missing_tests_and_given_cells_are_put_back(tmp_path):
    def remove(notebook):
        notebook.cells = [c for c in notebook.cells if "-answer" in str(c.metadata)]

    points, messages = marks_of(handed_in(tmp_path, remove))
    assert points == FULL, messages
    assert "missing" in messages["huber"]


def test_renamed_tasks_are_nothing_but_code(tmp_path):
    def rename(notebook):
        for cell in notebook.cells:
            if "nbgrader" in cell.metadata:
                cell.metadata.nbgrader.grade_id += "-mine"

    points, messages = marks_of(handed_in(tmp_path, rename))
    assert points == FULL, messages


def test_a_missing_answer_costs_its_task(tmp_path):
    def remove(notebook):
        notebook.cells.remove(cells_of(notebook)["huber-answer"])

    points, messages = marks_of(handed_in(tmp_path, remove))
    assert points == FULL | {"huber": 0}
    assert "huber_gradient is not defined" in messages["huber"]


def test_an_answer_has_a_limit(tmp_path):
    limits = grade.Limits(answer=2000)
    path = handed_in(tmp_path, huber=HUBER + "return [0.0] * 1000")
    points, messages = marks_of(path, limits=limits)
    assert points == FULL | {"huber": 0}
    assert "could not be read" in messages["huber"]


def test_the_whole_notebook_has_a_limit(tmp_path):
    limits = grade.Limits(step=30, total=8)
    path = handed_in(tmp_path, by_hand="while True:\n    pass")
    points, messages = marks_of(path, limits=limits)
    assert not any(points.values())
    assert "the notebook took longer than 8 s" in messages["layer"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"cells": 3, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}',
        '{"cells": [{"source": "1"}], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}',
        "\0",
        "x = 1",
        "[" * 10**5,
    ],
    ids=range(9),
)
def test_a_file_that_is_no_notebook_has_no_points(tmp_path, text):
    path = tmp_path / f"{SET}.ipynb"
    path.write_text(text)
    points, messages = marks_of(path)
    assert points.keys() == FULL.keys() and not any(points.values())
    assert all("not a notebook" in messages[t] for t, of in FULL.items() if of)


def test_an_empty_notebook_has_no_points(tmp_path):
    nbformat.write(nbformat.v4.new_notebook(), tmp_path / f"{SET}.ipynb")
    points, _ = marks_of(tmp_path / f"{SET}.ipynb")
    assert points.keys() == FULL.keys() and not any(points.values())


STOLEN = "\nimport pathlib\nx = pathlib.Path({path!r}).read_text()\n"


def test_neither_the_tests_nor_other_work_can_be_read(tmp_path):
    other = handed_in(tmp_path / "bea")
    for path in (release.FOLDER / SET / f"{SET}.md", other):
        path = handed_in(tmp_path / "ada", huber=STOLEN.format(path=str(path)) + RIGHT)
        hidden = [tmp_path, release.FOLDER]
        points, messages = marks_of(path, hidden=hidden)
        assert points == FULL | {"huber": 0}
        assert "not open to a submission" in messages["huber"]


@pytest.mark.parametrize(
    "listing",
    [
        "os.listdir('..')",
        "os.scandir('/')",
        "open('/tmp/x', 'w')",
        "os.remove('/x')",
        "os.chdir('/tmp'); open('x', 'w')",
    ],
)
def test_nothing_outside_its_folder_can_be_listed_or_changed(tmp_path, listing):
    path = handed_in(tmp_path, huber=f"import os\n{listing}\n{RIGHT}")
    points, messages = marks_of(path)
    assert points == FULL | {"huber": 0}
    assert "not open to a submission" in messages["huber"]


def test_a_submission_sees_no_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET_OF_THE_TEACHER", "42")
    answer = "import os\nif 'SECRET_OF_THE_TEACHER' in os.environ: 1 / 0\n" + RIGHT
    assert marks_of(handed_in(tmp_path, huber=answer))[0] == FULL


def test_a_folder_becomes_tables_and_feedback(tmp_path):
    work = tmp_path / "handed in"
    handed_in(work / "ada")
    handed_in(work / "bea" / SET, huber=HUBER + "return targets - scores")  # nbgrader's
    handed_in(work / "eve" / "again", by_hand="import os\nos._exit(1)")
    (work / "cyd").mkdir()
    (work / "cyd" / f"{SET}.ipynb").write_text("{")
    (work / "cyd" / "my homework.pdf").write_text("x")
    (work / "dan").mkdir()
    (work / "loose.ipynb").write_text("{}")
    marks = grade.grade_all(work, QUICK)
    grade.write(marks, tmp_path)

    with (tmp_path / "marks.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == "student assignment task points of message".split()
    of_ada = {row["task"]: row["points"] for row in rows if row["student"] == "ada"}
    assert of_ada == {t: "" if p is None else str(p) for t, p in FULL.items()}
    with (tmp_path / "summary.csv").open(encoding="utf-8", newline="") as file:
        summary = {row["student"]: row for row in csv.DictReader(file)}
    columns = "points", "of", "by_hand"
    assert {s: tuple(row[c] for c in columns) for s, row in summary.items()} == {
        "ada": ("14", "14", "6"),
        "bea": ("11", "14", "6"),
        "cyd": ("0", "20", "0"),
        "dan": ("0", "0", "0"),
        "eve": ("11", "14", "6"),
        "loose.ipynb": ("0", "0", "0"),
    }
    assert "my homework.pdf" in (tmp_path / "feedback" / "cyd.md").read_text("utf-8")
    feedback = (tmp_path / "feedback" / "bea.md").read_text("utf-8")
    assert "**huber**: 0 of 3" in feedback and "**layer**: 4 of 4" in feedback


@pytest.mark.parametrize("arguments", [[""], ["no/such/folder"]])
def test_the_command_says_what_it_wants(arguments):
    command = [sys.executable, "-m", "assignments.grade", *arguments]
    done = subprocess.run(
        command, cwd=release.FOLDER.parent, capture_output=True, text=True
    )
    assert done.returncode == 2 and "submissions must" in done.stderr


def test_the_page_for_the_teacher_names_the_limits():
    page, limits = (release.FOLDER / "README.md").read_text("utf-8"), grade.Limits()
    said = f"{limits.step} seconds, the whole notebook {limits.total}, and"
    assert f"{said} {limits.memory >> 30} GiB" in page
    assert f"({worker.FILE_BYTES >> 20} MiB)" in page


@pytest.mark.parametrize("value", [1, -2.5, True, None, "é", [1, (2.0, {"a": [3]})]])
def test_plain_data_comes_back_as_it_was(value):
    assert worker.decode(worker.encode(value)) == value


def test_other_data_is_refused():
    for value in (object(), {1, 2}, b"x", 1j):
        with pytest.raises(TypeError, match="expected, got"):
            worker.encode(value)
