"""Plant small mistakes in the code that the book rests on, one at a time, and see
whether the tests notice: ``make mutation``.

The mistakes are mutmut's: another operator, a number one larger, an argument left out.
Prose, which is any string with a space in it, is left alone.

    python tests/mutation/run.py                # all of it
    python tests/mutation/run.py huber focal    # the modules of these names

Fails where fewer than 95 % are noticed, or one that is not comes without a reason in
``survivors.toml``.

The tests are collected once. They then run once under coverage, which tells which of
them reach a line. For each mistake the process forks, and the copy runs those tests, the
module's own first, then those of bad input for it, then the others, and of each the fast
ones first, until one fails. A mistake outside every function needs fresh imports; its
copy starts pytest anew, as does that of a mistake which no test has noticed so far.
"""

import argparse
import ast
import os
import pickle
import resource
import sys
import time
import tomllib
from bisect import bisect
from collections import Counter, defaultdict
from dataclasses import dataclass
from hashlib import sha256
from importlib.machinery import SourceFileLoader
from itertools import accumulate, groupby
from pathlib import Path

import coverage
import libcst
import pytest
from _pytest.runner import runtestprotocol
from hypothesis import Phase, settings
from libcst.metadata import MetadataWrapper, PositionProvider
from mutmut.mutation import mutators
from mutmut.mutation.file_mutation import create_mutations

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src/lossbook"
SOURCES = sorted((PACKAGE / "losses").glob("[!_]*.py")) + [
    PACKAGE / name
    for name in ("losses/_base.py", "derivation.py", "linear.py", "checks.py")
]
TESTS = [
    "tests/losses",
    "tests/test_derivation.py",
    "tests/test_printing.py",
    "tests/test_linear.py",
    "tests/test_checks.py",
    "tests/test_bad_input.py",
]
KEPT = ROOT / "_build/mutation"
SURVIVORS = Path(__file__).with_name("survivors.toml")
WANTED = 0.95
NOTICED, NOT_PLANTED = 1, 2
PROCESSES = 2
BUDGET = 20  # seconds of tests of each of these kinds for one mutant


@dataclass
class Mutant:
    path: Path
    function: str  # the name that its code has in its module, "" outside of functions
    lines: tuple[int, int]
    change: str
    source: str

    @property
    def name(self):
        where = self.path.relative_to(PACKAGE)
        return f"{where} {self.function or 'module'}: {self.change}"


def operator_word(node):
    if " " not in libcst.Module([]).code_for_node(node):
        yield from list(mutators.operator_string(node))[:1]


def mutants_of(path):
    """Every mutant of a file, its source included."""
    operators = mutators.mutation_operators
    operators[:] = [
        (kind, operator_word if operator is mutators.operator_string else operator)
        for kind, operator in operators
    ]
    source = path.read_text()
    lines = source.splitlines(keepends=True)
    module, mutations, *_ = create_mutations(str(path), source)
    positions = MetadataWrapper(module, unsafe_skip_copy=True).resolve(PositionProvider)
    tree = ast.parse(source)
    for mutation in mutations:
        old, new = mutation.original_node, mutation.mutated_node
        span = positions[old]
        start, end = (
            sum(map(len, lines[: place.line - 1])) + place.column
            for place in (span.start, span.end)
        )
        code = module.code_for_node(new)
        mutated = source[:start] + code + source[end:]
        yield Mutant(
            path,
            _function(tree, span.start.line),
            _statement(tree, (span.start.line, span.end.line)),
            _change(source, mutated),
            mutated,
        )


def _change(source, mutated):
    """The lines that differ, as "old -> new"."""
    old, new = source.splitlines(), mutated.splitlines()
    while old and new and old[0] == new[0]:
        del old[0], new[0]
    while old and new and old[-1] == new[-1]:
        del old[-1], new[-1]
    return " -> ".join(" ".join(" ".join(lines).split()) for lines in (old, new))


def _function(tree, line):
    """The function or method, not one inside another, whose body holds the line."""
    for node in tree.body:
        inside = node.body if isinstance(node, ast.ClassDef) else [node]
        for function in inside:
            if isinstance(function, ast.FunctionDef):
                if function.body[0].lineno <= line <= function.end_lineno:
                    owner = f"{node.name}." if node is not function else ""
                    return owner + function.name
    return ""


def _concerns(tests, path):
    """Whether a file of tests is one that should notice the mistakes of a module: its
    own, that of bad input, for a loss those of all losses, for derivations that of their
    tables, and for the one of the linear layer that of the letters of all."""
    if tests.name == "test_bad_input.py":
        return True
    if path.parent.name == "losses":
        return tests.parent.name == "losses"
    also = {"derivation.py": "test_printing.py", "linear.py": "test_base.py"}
    return tests.name in (f"test_{path.name}", also.get(path.name))


def _row_name(path):
    """What the rows of bad input for a module's functions are called after."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts).removesuffix("._base")


def _statement(tree, lines):
    """The lines of the innermost statement that holds these."""
    spans = [
        (node.lineno, node.end_lineno)
        for node in ast.walk(tree)
        if isinstance(node, ast.stmt)
        and node.lineno <= lines[0]
        and lines[1] <= node.end_lineno
    ]
    return min(spans, key=lambda span: span[1] - span[0])


def _code_of(function, code):
    """The code object of a function, by its qualified name, inside a module's."""
    for constant in code.co_consts:
        if isinstance(constant, type(code)):
            if constant.co_qualname == function:
                return constant
            if function.startswith(f"{constant.co_qualname}."):
                return _code_of(function, constant)


def _module_name(path):
    return ".".join(path.relative_to(ROOT / "src").with_suffix("").parts)


class Run:
    """A pytest plugin whose loop over the tests is the mutation run."""

    def __init__(self, mutants):
        self.mutants = mutants
        self.survivors = []

    def pytest_collection(self):
        # enough to notice a mistake, and no shrinking of what noticed it
        phases = [Phase.explicit, Phase.generate]
        profile = settings.get_profile("book")
        settings.register_profile("short", profile, max_examples=20, phases=phases)
        settings.load_profile("short")

    def pytest_runtestloop(self, session):
        items = {item.nodeid: item for item in session.items}
        reached, seconds = _tests_of_lines(session.items)
        running = {}
        for count, mutant in enumerate(self.mutants, 1):
            lines = reached[str(mutant.path)]
            first, last = mutant.lines if mutant.function else (min(lines), max(lines))
            tests = set().union(*(lines[n] for n in range(first, last + 1)))
            tests = {t for t in tests if _concerns(items[t].path, mutant.path)}
            own = {t for t in items if items[t].path.name == f"test_{mutant.path.name}"}
            rows = {t for t in tests if f"[{_row_name(mutant.path)}." in t}
            *groups, anew = (
                [items[t] for t in _fastest(some, seconds)]
                for some in (tests & own, rows, tests - own - rows, own)
            )
            if len(running) == PROCESSES:
                self._wait(running)
            running[_started(mutant, sum(groups, []), anew)] = mutant
            if count % 100 == 0:
                print(f"{count} of {len(self.mutants)}", flush=True)
        while running:
            self._wait(running)
        return True

    def _wait(self, running):
        pid, status = os.wait()
        mutant, status = running.pop(pid), os.waitstatus_to_exitcode(status)
        if status == NOT_PLANTED:
            sys.exit(f"could not be planted: {mutant.name}")
        if status == 0:
            self.survivors.append(mutant.name)
            print("survived:", mutant.name, flush=True)


def _fastest(tests, seconds):
    tests = sorted(tests, key=seconds.get)
    spent = list(accumulate(seconds[test] for test in tests))
    return tests[: bisect(spent, BUDGET) + 1]


def _tests_of_lines(items):
    """({file: {line: tests that reach it}}, {test: its seconds}). What a file of tests
    reaches is kept in _build while it and the sources stay the same."""
    reached = {str(path): defaultdict(set) for path in SOURCES}
    seconds = {}
    for path, tests in groupby(items, lambda item: item.path):
        tests = list(tests)
        content = b"".join(file.read_bytes() for file in [*SOURCES, path])
        content += "".join(item.nodeid for item in tests).encode()
        kept = KEPT / f"{path.stem}-{sha256(content).hexdigest()[:16]}.pickle"
        if not kept.exists():
            # in a copy of this process, so that nothing has run before a mutant's tests
            pid = os.fork()
            if pid == 0:
                kept.parent.mkdir(parents=True, exist_ok=True)
                kept.write_bytes(pickle.dumps(_measured(tests)))
                os._exit(0)
            if os.waitpid(pid, 0)[1]:
                sys.exit("a test fails without a mutant")
        for source, line, nodeids in (found := pickle.loads(kept.read_bytes()))[0]:
            reached[source][line] |= nodeids
        seconds |= found[1]
    return reached, seconds


def _measured(tests):
    """([(file, line, tests that reach it)], {test: its seconds})."""
    include = [str(path) for path in SOURCES]
    measure = coverage.Coverage(data_file=None, include=include)
    seconds = {}
    measure.start()
    for item in tests:
        measure.switch_context(item.nodeid)
        started = time.process_time()
        for report in runtestprotocol(item, log=False):
            if report.failed:
                print(f"{item.nodeid} fails\n{report.longreprtext}", flush=True)
                os._exit(1)
        seconds[item.nodeid] = time.process_time() - started
    measure.stop()
    data = measure.get_data()
    reached = [
        (path, line, set(contexts) - {""})
        for path in include
        for line, contexts in data.contexts_by_lineno(path).items()
    ]
    return reached, seconds


def _started(mutant, items, own):
    """The process that runs the tests on a mutant; its status is 0 where all pass. Those
    of its own name run with fresh imports too, for what they make when imported."""
    pid = os.fork()
    if pid:
        return pid
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.dup2(1, 2)
    resource.setrlimit(resource.RLIMIT_CPU, (10 * BUDGET, 10 * BUDGET))
    try:
        code = compile(mutant.source, str(mutant.path), "exec")
        if mutant.function:
            live = sys.modules[_module_name(mutant.path)]
            for part in mutant.function.split("."):
                live = getattr(live, part)
            live = getattr(live, "__func__", live)
            live.__code__ = _code_of(mutant.function, code)
    except BaseException:
        os._exit(NOT_PLANTED)
    try:
        noticed = (
            _fails(items) or _fails_anew(mutant, code, own)
            if mutant.function
            else _fails_anew(mutant, code, items)
        )
    except BaseException:
        noticed = True
    os._exit(NOTICED if noticed else 0)


def _fails(items):
    return any(
        report.failed for item in items for report in runtestprotocol(item, log=False)
    )


def _fails_anew(mutant, code, items):
    """Whether a test fails in modules imported anew, one of them from this code."""
    get_code = SourceFileLoader.get_code
    SourceFileLoader.get_code = lambda loader, name: (
        code if loader.path == str(mutant.path) else get_code(loader, name)
    )
    files = list(dict.fromkeys(str(item.path) for item in items))
    for name, module in list(sys.modules.items()):
        if name.startswith("lossbook") or getattr(module, "__file__", "") in files:
            del sys.modules[name]
    options = ["-x", "-q", "-p", "no:cacheprovider"]
    only = Only([item.nodeid for item in items])
    status = pytest.main([*options, *files], plugins=[only])
    return status in (pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERRUPTED)


@dataclass
class Only:
    """A pytest plugin that keeps these tests, in this order."""

    tests: list

    def pytest_collection_modifyitems(self, items):
        found = {item.nodeid: item for item in items}
        items[:] = [found[test] for test in self.tests if test in found]


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("modules", nargs="*", help="names of modules, such as huber")
    parser.add_argument("--tests", nargs="*", default=TESTS, help="files of tests")
    arguments = parser.parse_args()
    os.chdir(ROOT)
    mutants = [
        mutant
        for path in SOURCES
        if path.stem in arguments.modules or not arguments.modules
        for mutant in mutants_of(path)
    ]
    run = Run(mutants)
    options = ["-q", "-s", "-p", "no:cacheprovider"]
    if pytest.main([*options, *arguments.tests], plugins=[run]):
        sys.exit("the tests could not be run")
    report(run)


def report(run):
    """Print the counts by module and what is wrong; exit with 1 if anything is."""
    reasons = tomllib.loads(SURVIVORS.read_text()) if SURVIVORS.exists() else {}
    listed = {name: reason for reason, names in reasons.items() for name in names}
    made = Counter(mutant.path for mutant in run.mutants)
    kept = Counter(
        mutant.path for mutant in run.mutants if mutant.name in run.survivors
    )
    for path in made:
        print(f"{path.relative_to(PACKAGE)}: {made[path] - kept[path]} of {made[path]}")
    share = 1 - len(run.survivors) / len(run.mutants)
    print(f"noticed: {share:.1%} of {len(run.mutants)} mutants")
    wrong = [name for name in run.survivors if name not in listed]
    for name in wrong:
        print("no reason is given for the survivor", name)
    if share < WANTED or wrong:
        sys.exit(1)


if __name__ == "__main__":
    main()
