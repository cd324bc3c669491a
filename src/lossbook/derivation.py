"""A derivation is an ordered list of lines, and every line is proved.

Each `Line` is a SymPy expression with a reason in words. It either equals the line
before it, or is the derivative of the line before it in a named variable.
`Derivation.verify` proves every step or raises a `DerivationError`; showing a
derivation in a notebook verifies it first, so a wrong line cannot be printed.

    from sympy import symbols
    from lossbook.derivation import Derivation, Line, Partial, as_written

    y_hat, y, r, ell = symbols("yhat y r ell", real=True)
    with as_written():
        Derivation(
            ell,
            [
                Line(r**2, "the squared error, in terms of the residual"),
                Line(Partial(ell, r) * Partial(r, y_hat), "chain rule", wrt=y_hat),
                Line(2 * r * 1, "differentiate both factors"),
                Line(2 * (y_hat - y), "put the residual back"),
            ],
            where={r: y_hat - y},
        )
"""

import itertools
import math
import random
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from numbers import Number

import mpmath
import numpy as np
import sympy
from sympy.core.function import AppliedUndef
from sympy.printing.precedence import PRECEDENCE

from lossbook._printing import latex, left_side, plain_text, short
from lossbook._validation import (
    as_list,
    float_numpy,
    require_count,
    require_dict,
    require_instance,
)

DIGITS = 30
POINTS = 64
TOLERANCE = mpmath.mpf(10) ** -DIGITS
FLOOR = mpmath.mpf(10) ** -10  # numbers below it are compared as if they were as large


def as_written():
    """Context manager: SymPy keeps the expressions built inside it exactly as they are
    typed.

    Outside it, ``2 * (y_hat - y) * 1`` becomes ``-2*y + 2*yhat`` before anyone has seen
    it.
    """
    return sympy.evaluate(False)


def _expression(value, name):
    """``value`` as a SymPy expression; a text is none, since SymPy would execute it."""
    expression = None
    if isinstance(value, sympy.Basic | Number):
        expression = sympy.sympify(value)
    if not isinstance(expression, sympy.Expr):
        raise TypeError(f"{name} must be a SymPy expression, got {value!r:.60}")
    return expression


class DerivationError(ValueError):
    """A line of a derivation does not follow from the one before it.

    Attributes: ``line`` (its number, counting from 1), ``point`` (dict: where the two
        sides differ, or None) and
    ``difference`` (float: by how much, or None).
    """

    def __init__(self, message, line, point=None, difference=None):
        super().__init__(message)
        self.line = line
        self.point = point
        self.difference = difference


class Partial(sympy.Expr):
    """The derivative of an expression in a variable, left as it stands: ``Partial(ell,
    r)`` shows as ∂ℓ/∂r.

    Unlike `sympy.Derivative` it may name an abbreviation of the derivation (``where``)
    above or below the line, which is how the chain rule is written.
    """

    is_commutative = True
    precedence = PRECEDENCE["Pow"]  # in brackets when it is raised to a power

    def __new__(cls, expression, variable):
        expression = _expression(expression, "expression")
        return sympy.Expr.__new__(cls, expression, _expression(variable, "variable"))


@dataclass(frozen=True)
class Line:
    """One line of a derivation.

    expression: a SymPy expression, shown as it was written (see `as_written`).
    reason: why the line follows, in words.
    wrt: None when the line equals the one before it; a symbol or an indexed symbol such
        as ``z[i]`` when the line is the derivative of the one before it in that
        variable.
    """

    expression: sympy.Expr
    reason: str
    wrt: sympy.Expr | None = None

    def __post_init__(self):
        expression = _expression(self.expression, "expression")
        object.__setattr__(self, "expression", expression)
        if not isinstance(self.reason, str) or not self.reason.strip():
            raise ValueError(
                f"reason must say in words why the line follows, got {self.reason!r}"
            )
        if self.wrt is not None and not isinstance(
            self.wrt, (sympy.Symbol, sympy.Indexed)
        ):
            raise TypeError(
                f"wrt must be a symbol or an indexed symbol, got {self.wrt!r}"
            )


class Derivation:
    """An ordered list of lines, each equal to the one before or its derivative.

    name: the symbol of what is derived, such as ``ell``; it may be used in later lines
        for the first one.
    lines: `Line` objects in reading order; the first one is the definition that the
        others start from.
    where: abbreviations, ``{r: y_hat - y}``; a key may be indexed, ``{p[i]: exp(z[i]) /
        Sum(exp(z[k]), k)}`` with ``i`` an `Idx`.

    Build the expressions of ``where`` inside `as_written` as well, or SymPy reorders
    them. Write fractions as fractions: ``0.1 * x`` is not x/10 to 30 digits.

    An index is a `sympy.Idx` with its range, which starts at 1: ``Idx("k", (1, C))``.
    Lines with sums over it, free indices and Kronecker deltas are checked for three
    sizes, ``C`` = 1, 2, 3 (or from ``smallest_size`` on, where one class would divide
    zero by zero), and every value of the free indices. An undefined function,
    ``Function("f")(x)``, stands for any smooth one: it is checked with random cubic
    polynomials in its place.

    Raises ValueError or TypeError when the lines are not a derivation at all;
    `DerivationError` comes from `verify`.
    """

    def __init__(
        self,
        name: sympy.Symbol,
        lines: Sequence[Line],
        where: Mapping | None = None,
        smallest_size: int = 1,
    ):
        if not isinstance(name, sympy.Symbol):
            raise TypeError(f"name must be a SymPy symbol, got {name!r}")
        lines = tuple(as_list(lines, "lines"))
        if not lines or not all(isinstance(line, Line) for line in lines):
            raise TypeError(
                f"lines must be a non-empty list of Line objects, got {lines!r:.60}"
            )
        if lines[0].wrt is not None:
            raise ValueError(
                "the first line is a definition: it cannot be a derivative (wrt must be None)"
            )
        self.name = name
        self.lines = lines
        if where is not None:
            require_instance(where, "where", Mapping, "a dict of abbreviations")
        self.where = dict(where or {})
        self.smallest_size = require_count(smallest_size, "smallest_size")
        for key in self.where:
            if not isinstance(key, (sympy.Symbol, sympy.Indexed)):
                raise TypeError(
                    f"where: a key must be a symbol or an indexed symbol, got {key!r}"
                )
            self.where[key] = _expression(self.where[key], f"where[{key}]")
        self._refuse_circles()
        names = {}
        for symbol in _atoms(self._expressions(), sympy.Symbol):
            if names.setdefault(symbol.name, symbol) != symbol:
                raise ValueError(
                    f"two symbols are called {symbol.name} and differ in what is assumed "
                    f"of them (real, positive, integer): use one"
                )
        for index in _atoms(self._expressions(), sympy.Idx):
            if index.lower != 1:
                raise ValueError(
                    f'an index needs a range that starts at 1, such as Idx("{index}", (1, C)); got {index!r}'
                )
        ranks = {}
        for entry in _atoms(self._expressions(), sympy.Indexed):
            other = ranks.setdefault(entry.base, entry)
            if len(entry.indices) != len(other.indices):
                raise ValueError(
                    f"{entry.base} must have as many indices everywhere, got "
                    f"{' and '.join(sorted(map(str, (entry, other))))}"
                )

    def _refuse_circles(self):
        """Refuse abbreviations that end in themselves, by whatever way."""
        uses = {}
        for key, body in self._definitions().items():
            uses[getattr(key, "base", key)] = body.atoms(
                sympy.Symbol, sympy.IndexedBase
            )
        try:
            TopologicalSorter(uses).prepare()
        except CycleError as error:
            circle = " by ".join(map(str, reversed(error.args[1])))
            raise ValueError(
                f"where must not define an abbreviation by itself, got {circle}"
            ) from None

    @property
    def result(self) -> sympy.Expr:
        """The expression of the last line."""
        return self.lines[-1].expression

    def verify(self) -> list[str]:
        """Prove every step; return for each line how it was proved.

        A step is evaluated to 30 digits at 64 random points (for each of several sizes
        and all their indices, if it has any); when the two sides agree at all of them,
        SymPy is asked for a symbolic proof as well. The answer is a list with
        "definition", "algebra" (SymPy proved it) or "points" for each line.

        Raises `DerivationError` with the line, the one before it, the point where they
        differ and by how much.
        """
        verdicts = ["definition"]
        for number in range(2, len(self.lines) + 1):
            before, line = self.lines[number - 2 : number]
            claimed = (
                before.expression
                if line.wrt is None
                else Partial(before.expression, line.wrt)
            )
            with sympy.evaluate(True):  # in the middle of `as_written` too
                verdicts.append(self._prove(number, claimed, line.expression))
        return verdicts

    def _prove(self, number, before, after):
        definitions = self._definitions()
        rng = random.Random(number)
        free = _free_indices(before, definitions) | _free_indices(after, definitions)
        cases = _index_bindings(free, self._expressions(), self.smallest_size, rng)
        wanted = -(-POINTS // len(cases))
        for bindings in cases:
            scope = _Scope(definitions, bindings)
            left, right = scope.meaning(before), scope.meaning(after)
            found = 0
            for point, a, b in _at_random_points(left, right, wanted, rng):
                found += 1
                difference = mpmath.inf if b is None else abs(a - b)
                if difference > TOLERANCE * max(FLOOR, abs(a)):
                    point = {**bindings, **point}
                    raise self._error(number, after, point, a, b, difference)
            if found < wanted:
                raise DerivationError(
                    f"line {number} of the derivation of {self.name} could not be "
                    f"checked: the line before it, {plain_text(before)}, has a finite "
                    f"real value at only {found} of {20 * wanted} random points",
                    number,
                )
        functions = _atoms([before, after, *self._expressions()], AppliedUndef)
        general = cases == [{}] and not functions
        return "algebra" if general and _is_zero(left - right) else "points"

    def _error(self, number, after, at, a, b, difference):
        line = self.lines[number - 1]
        step = (
            "equal it"
            if line.wrt is None
            else f"be its derivative in {plain_text(line.wrt)}"
        )
        point = ", ".join(f"{symbol} = {short(value)}" for symbol, value in at.items())
        claim = textwrap.fill(
            f"Line {number} should {step}, but at {point or 'every point'}",
            width=88,
            initial_indent="  ",
            subsequent_indent="    ",
        )
        there = "has no finite real value" if b is None else f"is {mpmath.nstr(b, 12)}"
        message = (
            f"line {number} of the derivation of {self.name} does not follow.\n"
            f"  line {number - 1}: {plain_text(self.lines[number - 2].expression)}\n"
            f"  line {number}: {plain_text(after)}    ({line.reason})\n"
            f"{claim}\n"
            f"  it should be {mpmath.nstr(a, 12)} and {there}: "
            f"they differ by {mpmath.nstr(difference, 6)}."
        )
        point = {str(symbol): float(value) for symbol, value in at.items()}
        return DerivationError(message, number, point, float(difference))

    def _definitions(self):
        return {**self.where, self.name: self.lines[0].expression}

    def _expressions(self):
        return [
            *self.where.keys(),
            *self.where.values(),
            *(line.expression for line in self.lines),
            *(line.wrt for line in self.lines if line.wrt is not None),
        ]

    def evaluate(self, values: Mapping[str, object]):
        """The last line as a number, or as an array when scalar symbols are given
        arrays: computed to 30 digits or more, then rounded to float64; NaN where it has
        no finite real value.

        values: by the name of the symbol: numbers or arrays of one shape for plain
            symbols, a sequence for an indexed symbol, an integer for each free index
            (counting from 1) and each size: ``{"z": [0.1, 2.0], "C": 2, "i": 1}``.

        Raises TypeError or ValueError naming the symbol for which there is no value, or
        none that it can have.
        """
        require_dict(values, "values")
        arrays = {
            str(base.label) for base in _atoms(self._expressions(), sympy.IndexedBase)
        }
        indices = _atoms(self._expressions(), sympy.Idx)
        sizes = _sizes(indices)
        free = sorted(_free_indices(self.result, self._definitions()), key=str)
        integers = {
            s: require_count(_value_of(str(s), values), f"values: {s}", int(s in sizes))
            for s in (*sizes, *free)
        }
        meaning = self.written_out(self.result, integers)
        numbers = {}
        for symbol in sorted(meaning.free_symbols, key=str):
            name, _, places = symbol.name.partition("[")
            numbers[symbol] = float_numpy(_value_of(name, values), f"values: {name}")
            if places and name in arrays:
                entries = np.atleast_1d(numbers[symbol])
                for place in places.rstrip("]").split(", "):
                    if not 1 <= int(place) <= len(entries):
                        raise ValueError(
                            f"values: {name} must be longer, it has no entry {symbol}; "
                            f"got {len(entries)}"
                        )
                    entries = entries[int(place) - 1]
                numbers[symbol] = entries
        function = sympy.lambdify(list(numbers), meaning, "mpmath")

        def rounded(*entries):
            # more digits where 1 - p is 0 to 30 of them, and is divided by
            for digits in (DIGITS, 20 * DIGITS, 200 * DIGITS):
                with mpmath.workdps(digits):
                    value = _finite(function, map(mpmath.mpf, entries))
                    if value is not None:
                        return float(value)
            return math.nan

        if not numbers:
            return rounded()
        if len(shapes := {n.shape for n in numbers.values()} - {()}) > 1:
            raise ValueError(
                f"values must be numbers and arrays of one shape, got {sorted(shapes)}"
            )
        return np.vectorize(rounded, otypes=[np.float64])(*numbers.values())[()]

    def written_out(self, expression, integers: Mapping | None = None) -> sympy.Expr:
        """What an expression of this derivation stands for, without abbreviations, sums
        and `Partial`; an indexed symbol is left as a plain symbol, ``z[2]``.

        integers: for each size and free index its value, by symbol: ``{C: 3, i: 2}``.

        Raises TypeError or ValueError when expression is no expression, or integers no
        such dict; ValueError when one is missing.
        """
        expression = _expression(expression, "expression")
        if integers is not None:
            require_instance(integers, "integers", Mapping, "a dict of integers")
        integers = {
            symbol: require_count(number, f"integers[{symbol}]", minimum=0)
            for symbol, number in (integers or {}).items()
        }
        needed = _free_indices(expression, self._definitions())
        needed |= set(_sizes(_atoms([expression, *self._expressions()], sympy.Idx)))
        if missing := sorted(map(str, needed - integers.keys())):
            raise ValueError(
                f"integers must have a value for {' and '.join(missing)}, "
                f"got {', '.join(map(str, integers)) or 'none'}"
            )
        return _Scope(self._definitions(), integers).meaning(expression)

    def _rows(self):
        taken = []
        for number, line in enumerate(self.lines):
            if line.wrt is not None:
                taken.append(line.wrt)
            left = (
                left_side(self.name, taken)
                if number == 0 or line.wrt is not None
                else ""
            )
            yield left, "= " + latex(line.expression), line.reason

    def _where_latex(self):
        return ", ".join(
            f"${latex(key)} = {latex(value)}$" for key, value in self.where.items()
        )

    def _repr_markdown_(self):
        verdicts = self.verify()[1:]
        where = f"With {self._where_latex()}:\n\n" if self.where else ""
        rows = "\n".join(
            _row(_math(left), _math(right), reason)
            for left, right, reason in self._rows()
        )
        return f"{where}| quantity | expression | reason |\n|---:|:---|:---|\n{rows}\n\n*{_summary(verdicts)}*\n"

    def __repr__(self):
        lines = [
            f"  {plain_text(line.expression)}    ({line.reason})" for line in self.lines
        ]
        return "\n".join([f"Derivation of {self.name}", *lines])


def _row(*cells):
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"


def _math(tex):
    return rf"$\displaystyle {tex}$" if tex else ""


def _value_of(name, values):
    if name not in values:
        raise ValueError(
            f"values must be for all symbols, there is no value for {name}; "
            f"got {', '.join(values) or 'none'}"
        )
    return values[name]


def _summary(verdicts):
    if not verdicts:
        return "A definition: nothing to verify."
    steps = "the step" if len(verdicts) == 1 else f"each of the {len(verdicts)} steps"
    algebra = verdicts.count("algebra")
    also = (
        f", {'and' if algebra == len(verdicts) else f'{algebra} of them also'} by algebra"
        if algebra
        else ""
    )
    return (
        f"Verified: {steps} at {POINTS} or more random points to {DIGITS} digits{also}."
    )


# What a line means: abbreviations put in, sums written out, derivatives taken.


@dataclass
class _Scope:
    definitions: dict
    bindings: dict

    def meaning(self, expression, opaque=frozenset()):
        """The scalar expression that `expression` stands for, evaluated by SymPy.

        opaque: abbreviations that stay symbols because a derivative is taken in them.
        """
        e = expression
        if e in self.bindings:
            return sympy.Integer(self.bindings[e])
        if isinstance(e, Partial):
            return self._derivative(*e.args, opaque)
        if isinstance(e, (sympy.Sum, sympy.Product)):
            return self._written_out(e, opaque)
        if isinstance(e, (sympy.Symbol, sympy.Indexed)):
            return self._value(e, opaque)
        if isinstance(e, sympy.Derivative):
            raise TypeError(
                "use lossbook.derivation.Partial instead of sympy.Derivative"
            )
        if isinstance(e, AppliedUndef):
            return _any_function(
                e.func, [self.meaning(argument, opaque) for argument in e.args]
            )
        if not e.args:
            return e
        return e.func(*[self.meaning(argument, opaque) for argument in e.args])

    def _derivative(self, expression, variable, opaque):
        name = self._name(variable)
        inner = self.meaning(expression, opaque | {name})
        derivative = inner.diff(name).replace(
            sympy.DiracDelta, lambda *_: sympy.S.Zero
        )  # a kink has no derivative
        return derivative.subs(name, self._value(variable, opaque))

    def _written_out(self, e, opaque):
        body, *limits = e.args
        ranges = [
            range(int(self.meaning(low)), int(self.meaning(high)) + 1)
            for _, low, high in limits
        ]
        terms = [
            _Scope(
                self.definitions,
                {
                    **self.bindings,
                    **dict(zip([i for i, *_ in limits], values, strict=True)),
                },
            )
            for values in itertools.product(*ranges)
        ]
        operation = sympy.Add if isinstance(e, sympy.Sum) else sympy.Mul
        return operation(*[term.meaning(body, opaque) for term in terms])

    def _name(self, e):
        """The plain symbol that stands for e: z itself, or z[2, 1] for z[i, j] with i =
        2, j = 1."""
        if isinstance(e, sympy.Symbol):
            return e
        places = ", ".join(str(self.meaning(index)) for index in e.indices)
        return sympy.Symbol(f"{e.base.label}[{places}]", **e.base.label.assumptions0)

    def _value(self, e, opaque):
        name = self._name(e)
        if name in opaque:
            return name
        if isinstance(e, sympy.Symbol):
            return (
                self.meaning(self.definitions[e], opaque)
                if e in self.definitions
                else e
            )
        for key, body in self.definitions.items():
            if isinstance(key, sympy.Indexed) and key.base == e.base:
                places = [self.meaning(index) for index in e.indices]
                inner = {
                    **self.bindings,
                    **dict(zip(key.indices, map(int, places), strict=True)),
                }
                return _Scope(self.definitions, inner).meaning(body, opaque)
        return name


def _any_function(function, arguments):
    """A cubic polynomial with coefficients of its own, drawn at random like any symbol,
    stands for any function."""
    powers = [
        p for p in itertools.product(range(4), repeat=len(arguments)) if sum(p) <= 3
    ]
    return sympy.Add(
        *[
            sympy.Symbol(f"{function}_{''.join(map(str, p))}", real=True)
            * sympy.Mul(*[a**power for a, power in zip(arguments, p, strict=True)])
            for p in powers
        ]
    )


def _atoms(expressions, kind):
    return sorted(set().union(*(e.atoms(kind) for e in expressions)), key=str)


def _sizes(indices):
    return sorted(
        set().union(*(index.upper.free_symbols for index in indices)), key=str
    )


def _index_bindings(free, expressions, smallest_size, rng):
    """Every value of the free indices of a step, for three sizes; one empty binding
    where there are no indices."""
    indices = _atoms(expressions, sympy.Idx)
    if not indices:
        return [{}]
    free, sizes = sorted(free, key=str), _sizes(indices)
    bindings = []
    for smallest in range(smallest_size, smallest_size + 3):
        size_of = {size: smallest + j for j, size in enumerate(sizes)}
        ranges = [range(1, int(index.upper.subs(size_of)) + 1) for index in free]
        choices = list(itertools.product(*ranges))
        for values in (
            choices if len(choices) <= POINTS else rng.sample(choices, POINTS)
        ):
            bindings.append({**size_of, **dict(zip(free, values, strict=True))})
    return bindings


def _free_indices(e, definitions):
    """The indices that must have a value before e has one, those inside its
    abbreviations included."""
    if isinstance(e, sympy.Idx):
        return {e}
    if isinstance(e, (sympy.Sum, sympy.Product)):
        return _free_indices(e.args[0], definitions) - {
            limit[0] for limit in e.args[1:]
        }
    free = set().union(*(_free_indices(argument, definitions) for argument in e.args))
    if isinstance(e, sympy.Symbol) and e in definitions:
        free |= _free_indices(definitions[e], definitions)
    elif isinstance(e, sympy.Indexed):
        for key, body in definitions.items():
            if isinstance(key, sympy.Indexed) and key.base == e.base:
                free |= _free_indices(body, definitions) - set(key.indices)
    return free


def _draw(symbol, rng):
    """A random value that respects the symbol's assumptions; the scale varies so that
    every branch is visited."""
    if symbol.is_integer:
        return mpmath.mpf(
            rng.randint(1, 5) if symbol.is_positive else rng.randint(-5, 5)
        )
    value = mpmath.mpf(rng.gauss(0, 1)) * mpmath.mpf(10) ** rng.uniform(-1, 0.7)
    return abs(value) if symbol.is_nonnegative else value


def _at_random_points(left, right, wanted, rng):
    """Yield (point, left, right) for as many random points as wanted, or as can be found.

    A point counts when left is finite and real there; right is None where it is not.
    """
    symbols = sorted(left.free_symbols | right.free_symbols, key=str)
    left, right = (
        sympy.lambdify(symbols, sympy.nan if e.has(sympy.zoo) else e, "mpmath")
        for e in (left, right)
    )
    found = 0
    for _ in range(20 * wanted):
        with mpmath.workdps(DIGITS + 20):
            point = [_draw(symbol, rng) for symbol in symbols]
            a, b = _finite(left, point), _finite(right, point)
            if a is not None:
                found += 1
                yield dict(zip(symbols, point, strict=True)), a, b
        if found == wanted:
            return


def _finite(function, point):
    try:
        value = mpmath.mpmathify(function(*point))
    except (ZeroDivisionError, ValueError, OverflowError):
        return None
    if isinstance(value, mpmath.mpc):
        value = value.real if value.imag == 0 else mpmath.nan
    return value if mpmath.isfinite(value) else None


def _is_zero(difference):
    if sympy.expand(difference) == 0:
        return True
    if difference.has(sympy.Heaviside) and difference.has(sympy.Piecewise):
        return False  # SymPy tries for long and does not find that a step is a case
    return sympy.simplify(difference) == 0
