"""Whatever is misused in the package says so: for every public function, class and method
of `lossbook`, each argument in turn is given every wrong value of its kind in `bad_input`."""

import dataclasses
import importlib
import inspect
import pkgutil
import re
import types
from pathlib import Path

import numpy as np
import pytest

import lossbook
from tests.bad_input import ABSTRACT, CALLS, KINDS, RECORDS, SLOW, Changed, of, values

PACKAGE = Path(lossbook.__file__).parent


def modules():
    """Every public module of the package."""
    for found in pkgutil.walk_packages(lossbook.__path__, "lossbook."):
        if not any(part.startswith("_") for part in found.name.split(".")):
            yield importlib.import_module(found.name)


def public():
    """{name without lossbook: function} of all public functions, classes and methods."""
    found = {}
    for module in modules():
        for name, thing in vars(module).items():
            if (
                name.startswith("_")
                or getattr(thing, "__module__", "") != module.__name__
            ):
                continue
            if not callable(thing):
                continue
            name = f"{module.__name__}.{name}".removeprefix("lossbook.")
            if name in ABSTRACT:
                continue
            found[name] = thing
            for method in dir(thing) if inspect.isclass(thing) else ():
                function = getattr(thing, method)
                ours = getattr(function, "__module__", None) or ""
                if callable(function) and ours.startswith("lossbook"):
                    if not method.startswith("_"):
                        found[f"{name}.{method}"] = function
    return found


def parameters(function):
    """The names of its parameters without self, and whether it takes any others."""
    found = inspect.signature(function).parameters.values()
    return (
        {p.name for p in found if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)}
        - {"self"},
        any(p.kind == p.VAR_KEYWORD for p in found),
    )


PUBLIC = public()


def call(name, arguments):
    """The result, and of a generator all that it yields."""
    result = PUBLIC[name](**arguments)
    return list(result) if isinstance(result, types.GeneratorType) else result


def snapshot(value):
    """What must be the same after a misuse."""
    if isinstance(value, np.ndarray):
        return value.tobytes(), value.shape, str(value.dtype)
    if isinstance(value, dict):
        return {key: snapshot(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [snapshot(entry) for entry in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return snapshot(
            {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
        )
    return repr(value)


def test_everything_public_has_its_rows_and_every_row_something_public():
    for name, function in PUBLIC.items():
        if name in RECORDS or not (parameters(function)[0] or name in CALLS):
            continue
        assert name in CALLS, f"{name} has no right call in the table"
        have, (names, others) = set(CALLS[name]) - {"self"}, parameters(function)
        assert names <= have, f"{name}: no rows for {names - have}"
        assert others or have <= names, f"{name} has no parameter {have - names}"
        for argument in have:
            if not isinstance(CALLS[name][argument], of):
                assert argument in KINDS, f"{name}: no kind for {argument}"
    assert set(CALLS) | set(RECORDS) <= set(PUBLIC)
    assert not set(CALLS) & set(RECORDS)


@pytest.mark.parametrize("name", sorted(CALLS.keys() - SLOW))
def test_the_right_call_is_right(name):
    call(name, values(CALLS[name]))


ROWS = [
    (name, argument) for name in CALLS for argument in CALLS[name] if argument != "self"
]


@pytest.mark.parametrize("name, argument", ROWS, ids=[" ".join(row) for row in ROWS])
def test_a_misuse_is_refused_by_name(name, argument):
    entry = CALLS[name][argument]
    failures = []
    for error, expected, *wrong_values in (
        entry.kind if isinstance(entry, of) else KINDS[argument]
    ):
        for wrong in wrong_values:
            arguments, together = values(CALLS[name]), False
            if isinstance(wrong, Changed):
                together = wrong.together
                wrong = wrong.change(arguments[argument])
            arguments[argument] = wrong
            if fault := misuse(name, argument, arguments, error, expected, together):
                failures.append(f"{argument}={wrong!r:.60}: {fault}")
    assert not failures, "\n".join([name, *failures])


def misuse(name, argument, arguments, error, expected, together):
    """What is wrong with how the call refuses its arguments; None when nothing is."""
    before = snapshot(arguments)
    try:
        result = call(name, arguments)
    except Exception as caught:
        if not isinstance(caught, error):
            return f"{type(caught).__name__} in the place of {error.__name__}: {caught}"
        last = caught.__traceback__
        while last.tb_next:
            last = last.tb_next
        if not Path(last.tb_frame.f_code.co_filename).is_relative_to(PACKAGE):
            return f"a traceback from the depths: {caught}"
        message = str(caught)
        # what misfits another argument is named with it, or the other one is
        possible = CALLS[name] if together else [argument]
        named = any(
            re.search(rf"(?<!\w){re.escape(a)}(?!\w)", message) for a in possible
        )
        if not (named and re.search(r"(?s)must .*got", message)):
            return f"the message does not name it, what must be and what came: {caught}"
        if not re.search(expected, str(caught)):
            return f"no {expected!r} in: {caught}"
        if snapshot(arguments) != before:
            return "the arguments were changed"
        return None
    return f"no error, but {result!r:.80}"
