"""What students get, against what their teacher keeps."""

import json
import re

import nbformat
import numpy as np
import pytest
from nbgrader import utils

from assignments import release

NAMES = release.names()


def test_there_are_four_sets_with_a_rubric_each():
    assert [name[0] for name in NAMES] == ["1", "2", "3", "4"]
    assert all((release.FOLDER / name / "rubric.md").exists() for name in NAMES)


def source_cells(name, wanted):
    return [cell for cell in release.source(name).cells if wanted(cell)]


def is_test(cell):
    return utils.is_grade(cell) and not utils.is_solution(cell)


def lines_of(*texts):
    return {line.strip() for text in texts for line in text.splitlines()} - {""}


@pytest.mark.parametrize("name", NAMES)
def test_a_release_holds_no_solution_and_no_hidden_test(name):
    released = lines_of(*(cell.source for cell in release.release(name).cells))
    assert not [x for x in released if "SOLUTION" in x or "HIDDEN" in x]
    for cell in source_cells(name, is_test):
        parts = re.split("### (?:BEGIN|END) HIDDEN TESTS", cell.source)
        assert len(parts) == 3, f"no hidden test in {cell.metadata.nbgrader.grade_id}"
        hidden = lines_of(parts[1]) - lines_of(parts[0], parts[2])
        shared = {x for x in hidden if x in released}
        assert len(hidden) > len(shared), "nothing of it is hidden"
        assert not [x for x in shared if "assert" in x or "default_rng" in x]
    for cell in source_cells(name, utils.is_solution):
        parts = re.split("### (?:BEGIN|END) SOLUTION", cell.source)
        solution = lines_of(*parts[1::2]) or lines_of(cell.source)
        assert solution and not [x for x in solution & released if len(x) > 20]


@pytest.mark.parametrize("name", NAMES)
def test_every_cell_of_a_release_can_be_locked_graded_and_told_apart(name):
    cells = release.release(name).cells
    tests = [c for c in cells if is_test(c)]
    assert 4 <= len(tests) and all(c.metadata.editable is False for c in tests)
    assert all(c.metadata.nbgrader.checksum == utils.compute_checksum(c) for c in tests)
    code = [c for c in cells if c.cell_type == "code"]
    assert all("nbgrader" in c.metadata and not c.outputs for c in code)


@pytest.mark.parametrize("name", NAMES)
def test_the_points_in_the_text_are_the_points_that_are_given(name):
    graded = source_cells(name, utils.is_grade)
    by_person = sum(c.metadata.nbgrader.points for c in graded if utils.is_solution(c))
    total = sum(c.metadata.nbgrader.points for c in graded)
    said = "\n".join(cell.source for cell in release.release(name).cells)
    program, person = total - by_person, by_person
    words = dict(
        zip(range(10), "zero one two three four five six seven".split(), strict=False)
    )
    assert (
        f"There are {total} points: {program} are given by a program, {person} by"
        in said
    )
    rubric = (release.FOLDER / name / "rubric.md").read_text("utf-8")
    assert rubric.count("\n| ") - 2 * rubric.count("| 1 point for") == person
    assert f"{words[person].capitalize()} of the {total} points" in rubric
    readme = (release.FOLDER / "README.md").read_text("utf-8")
    row = next(line for line in readme.splitlines() if f"`{name}`" in line)
    assert row.endswith(f"| {program} | {person} |")
    tasks = re.findall(
        r"^## Task \d.*?\((\d+) points?(?:, and (\d+) marked)?", said, re.M
    )
    assert sum(int(x or 0) for task in tasks for x in task) == total


@pytest.mark.parametrize("name", NAMES)
def test_every_visible_check_runs_on_the_worked_solution_and_fails_on_blanks(name):
    """Cell after cell, as a student runs them."""
    for notebook, solved in (
        (release.solution(name), True),
        (release.release(name), False),
    ):
        namespace = {}
        for cell in notebook.cells:
            if cell.cell_type != "code":
                continue
            if solved or not utils.is_grade(cell) and not utils.is_solution(cell):
                exec(cell.source, namespace)
            else:
                with pytest.raises((NotImplementedError, NameError)):
                    exec(cell.source, namespace)
                    assert utils.is_solution(cell)  # a function that only raises
                    raise NotImplementedError


@pytest.mark.parametrize("name", NAMES)
def test_no_random_number_of_a_hidden_test_is_drawn_in_the_open(name):
    released = "\n".join(cell.source for cell in release.release(name).cells)
    source = "\n".join(cell.source for cell in release.source(name).cells)
    seeds = re.findall(r"default_rng\((\d+)\)", source)
    shown = re.findall(r"default_rng\((\d+)\)", released)
    assert len(set(seeds)) == len(seeds) > len(shown)


def test_what_is_written_can_be_read_and_is_the_same_each_time(tmp_path):
    release.write(tmp_path)
    first = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    release.write(tmp_path)
    assert first == {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    for kind in ("release", "solution", "source"):
        for name in NAMES:
            path = tmp_path / kind / name / f"{name}.ipynb"
            nbformat.validate(nbformat.read(path, as_version=4))
            assert (path.parent / "rubric.md").exists()
            assert json.loads(path.read_text("utf-8"))["nbformat"] == 4
    assert np.all(
        [
            b"BEGIN HIDDEN" not in text
            for p, text in first.items()
            if "source" not in p.parts
        ]
    )
