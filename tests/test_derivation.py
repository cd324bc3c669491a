"""A derivation is accepted exactly when every line follows from the one before it."""

import random
import re

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sympy import (
    Abs,
    Derivative,
    Function,
    Idx,
    IndexedBase,
    Integer,
    KroneckerDelta,
    Max,
    Min,
    Piecewise,
    Product,
    Rational,
    Sum,
    exp,
    log,
    sign,
    sqrt,
    symbols,
)

from lossbook.derivation import (
    Derivation,
    DerivationError,
    Line,
    Partial,
    _at_random_points,
    _draw,
    as_written,
)

y_hat, y, r, ell, L, x, w, b, s, q = symbols("yhat y r ell L x w b s q", real=True)
delta = symbols("delta", positive=True)
C, N, D = symbols("C N D", integer=True, positive=True)
i, j, k, c = (Idx(name, (1, C)) for name in ("i", "j", "k", "y"))
n, d, e = Idx("n", (1, N)), Idx("d", (1, D)), Idx("e", (1, D))
z, p, W, X, t = (IndexedBase(name, real=True) for name in "zpwxt")
f, g = Function("f"), Function("g")
PRIOR = IndexedBase("a", positive=True)

RESIDUAL = {r: y_hat - y}
LOGISTIC = {q: 1 / (1 + exp(-s)), s: w * x + b}
SOFTMAX = {p[i]: exp(z[i]) / Sum(exp(z[k]), k)}
LINEAR = {t[n]: Sum(X[n, e] * W[e], e) + b}
MEAN = Sum(f(t[n]), n) / N
HUBER = Piecewise((r**2 / 2, Abs(r) <= delta), (delta * (Abs(r) - delta / 2), True))
HUBER_SLOPE = Piecewise((r, Abs(r) <= delta), (delta * sign(r), True))


def derivation(*expressions, wrt=None, where=None):
    """Equal lines, except that the last one is a derivative when wrt is given."""
    lines = [Line(expression, "because") for expression in expressions]
    if wrt is not None:
        lines[-1] = Line(expressions[-1], "differentiate", wrt=wrt)
    return Derivation(ell, lines, where)


# The first line, the derivative that follows from it, the variable, and the
# abbreviations.
RIGHT = {
    "a square": (r**2, 2 * (y_hat - y), y_hat, RESIDUAL),
    "the chain rule through an abbreviation": (
        r**2,
        Partial(ell, r) * Partial(r, y_hat),
        y_hat,
        RESIDUAL,
    ),
    "nested abbreviations": (-log(q), (q - 1) * x, w, LOGISTIC),
    "in an abbreviation itself": (-log(q), -1 / q, q, LOGISTIC),
    "softmax cross-entropy": (-log(p[c]), p[i] - KroneckerDelta(i, c), z[i], SOFTMAX),
    "the softmax Jacobian": (p[i], p[i] * (KroneckerDelta(i, j) - p[j]), z[j], SOFTMAX),
    "a sum over all roads": (
        -log(p[c]),
        Sum(Partial(ell, p[k]) * Partial(p[k], z[i]), k),
        z[i],
        SOFTMAX,
    ),
    "the mean loss of a linear model": (
        MEAN,
        Sum(Partial(f(t[n]), t[n]) * X[n, d], n) / N,
        W[d],
        LINEAR,
    ),
    "any function of any function": (
        f(g(x)),
        Partial(f(r), r) * Partial(g(x), x),
        x,
        {r: g(x)},
    ),
    "a product of any functions": (
        f(x) * g(x),
        Partial(f(x), x) * g(x) + f(x) * Partial(g(x), x),
        x,
        None,
    ),
    "a function of two": (f(x, y), Partial(f(r, y), r) * 1, x, {r: x}),
    "a product over an index": (Product(z[k], k), Product(z[k], k) / z[i], z[i], None),
    "branches": (HUBER, HUBER_SLOPE, y_hat, RESIDUAL),
    "a maximum": (Max(0, 1 - x), Piecewise((-1, x < 1), (0, True)), x, None),
    "a second derivative across a kink": (
        HUBER_SLOPE,
        Piecewise((1, Abs(r) <= delta), (0, True)),
        y_hat,
        RESIDUAL,
    ),
    "a power": ((1 - x) ** delta, -delta * (1 - x) ** (delta - 1), x, None),
    "an entry with a number": (z[1] ** 2 * z[2], 2 * z[1] * z[2], z[1], None),
    "in an abbreviation inside another": (
        -log(p[c]),
        p[i] - KroneckerDelta(i, c),
        t[i],
        {p[i]: exp(t[i]) / Sum(exp(t[k]), k), t[i]: 2 * z[i]},
    ),
    "a sum of abbreviations, in one of them": (
        Sum(p[k] ** 2, k),
        2 * p[i],
        p[i],
        SOFTMAX,
    ),
}


@pytest.mark.parametrize("first, second, wrt, where", RIGHT.values(), ids=RIGHT)
def test_a_right_derivative_is_accepted(first, second, wrt, where):
    assert derivation(first, second, wrt=wrt, where=where).verify()[0] == "definition"


@pytest.mark.parametrize("first, second, wrt, where", RIGHT.values(), ids=RIGHT)
@pytest.mark.parametrize(
    "spoil",
    [
        lambda e: -e,
        lambda e: 2 * e,
        lambda e: e + Rational(1, 10**12),
        lambda e: e * (1 + Rational(1, 10**12)),
    ],
    ids=["sign", "factor 2", "plus 1e-12", "times 1 + 1e-12"],
)
def test_a_right_derivative_that_was_spoilt_is_refused(
    first, second, wrt, where, spoil
):
    with pytest.raises(DerivationError) as caught:
        derivation(first, first, spoil(second), wrt=wrt, where=where).verify()
    assert caught.value.line == 3
    assert caught.value.difference > 0


@pytest.mark.parametrize("first, second, wrt, where", RIGHT.values(), ids=RIGHT)
def test_a_derivative_is_not_an_equal_line(first, second, wrt, where):
    with pytest.raises(DerivationError) as caught:
        derivation(first, second, where=where).verify()
    assert caught.value.line == 2


WRONG = {
    "equal line claimed to be a derivative": (r**2, (y_hat - y) ** 2, y_hat, RESIDUAL),
    "in the target": (r**2, 2 * (y_hat - y), y, RESIDUAL),
    "missing chain factor": (-log(q), q - 1, w, LOGISTIC),
    "missing chain factor of any function": (f(g(x)), Partial(f(r), r), x, {r: g(x)}),
    "missing chain factor -1": (r**2, 2 * r, y_hat, {r: y - y_hat}),
    "abbreviation the wrong way round": (
        r**3,
        3 * (y_hat - y) ** 2,
        y_hat,
        {r: y - y_hat},
    ),
    "abbreviation of another thing": (
        -log(q),
        (q - 1) * x,
        w,
        {**LOGISTIC, s: w * x * x + b},
    ),
    "half of a product": (f(x) * g(x), Partial(f(x), x) * g(x), x, None),
    "derivative of a quotient": (x / (1 + x**2), 1 / (2 * x), x, None),
    "z[y] for z[i]": (-log(p[c]), p[c] - KroneckerDelta(i, c), z[i], SOFTMAX),
    "wrong Kronecker delta": (-log(p[c]), p[i] - KroneckerDelta(i, j), z[i], SOFTMAX),
    "no Kronecker delta": (-log(p[c]), p[i] - 1, z[i], SOFTMAX),
    "forgotten Kronecker delta": (-log(p[c]), p[i], z[i], SOFTMAX),
    "Jacobian without its off-diagonal": (
        p[i],
        p[i] * (1 - p[i]) * KroneckerDelta(i, j),
        z[j],
        SOFTMAX,
    ),
    "Jacobian of the diagonal everywhere": (p[i], p[i] * (1 - p[j]), z[j], SOFTMAX),
    "one road only": (
        -log(p[c]),
        Partial(ell, p[i]) * Partial(p[i], z[i]),
        z[i],
        SOFTMAX,
    ),
    "softmax without its sum": (
        -log(p[c]),
        p[i] - KroneckerDelta(i, c),
        z[i],
        {p[i]: exp(z[i]) / exp(z[1])},
    ),
    "x transposed": (MEAN, Sum(Partial(f(t[n]), t[n]) * X[d, n], n) / N, W[d], LINEAR),
    "weight of another feature": (
        MEAN,
        Sum(Partial(f(t[n]), t[n]) * X[n, 1], n) / N,
        W[d],
        LINEAR,
    ),
    "sum for mean": (MEAN, Sum(Partial(f(t[n]), t[n]) * X[n, d], n), W[d], LINEAR),
    "1/D for 1/N": (MEAN, Sum(Partial(f(t[n]), t[n]) * X[n, d], n) / D, W[d], LINEAR),
    "mean of products for product of means": (
        MEAN,
        Sum(Partial(f(t[n]), t[n]), n) * Sum(X[n, d], n) / N**2,
        W[d],
        LINEAR,
    ),
    "first branch": (
        HUBER,
        Piecewise((2 * r, Abs(r) <= delta), (delta * sign(r), True)),
        y_hat,
        RESIDUAL,
    ),
    "last branch": (
        HUBER,
        Piecewise((r, Abs(r) <= delta), (delta, True)),
        y_hat,
        RESIDUAL,
    ),
    "condition": (
        HUBER,
        Piecewise((r, r <= delta), (delta * sign(r), True)),
        y_hat,
        RESIDUAL,
    ),
    "edge of a branch": (
        HUBER,
        Piecewise((r, Abs(r) <= 2 * delta), (delta * sign(r), True)),
        y_hat,
        RESIDUAL,
    ),
    "clipped on one side": (HUBER, Min(y_hat - y, delta), y_hat, RESIDUAL),
    "differences for a second derivative": (  # right for every parabola
        Partial(f(x), x),
        f(x + 2) - 2 * f(x + 1) + f(x),
        x,
        None,
    ),
    "no real value on one side": (
        x**2,
        Piecewise((2 * x, x > 0), (log(x), True)),
        x,
        None,
    ),
}


@pytest.mark.parametrize("first, second, wrt, where", WRONG.values(), ids=WRONG)
def test_a_planted_error_is_refused(first, second, wrt, where):
    with pytest.raises(DerivationError) as caught:
        derivation(first, second, wrt=wrt, where=where).verify()
    assert caught.value.line == 2
    assert caught.value.difference > 0


WRONG_EQUAL = {
    "square root of a square": (sqrt(x**2), x, None),
    "sign lost in brackets": (x - (y - b), x - y - b, None),
    "log of a sum": (log(exp(x) + exp(y)), x + y, None),
    "1e-29": (r**2, r**2 + Rational(1, 10**29), RESIDUAL),
    "on one branch": (Abs(x), Piecewise((x, x > 0), (-x, x > -1), (2 * x, True)), None),
    "of the index of a sum": (Sum(z[k] * p[k], k), Sum(z[k] * p[1], k), None),
    "of the range of a sum": (Sum(z[k], k), z[C], None),
    "of a square of a sum": (Sum(z[k], k) ** 2, Sum(z[k] ** 2, k), None),
    "of another function": (f(x), g(x), None),
    "of two free indices": (z[i] * p[j], z[j] * p[i], None),
    "of four free indices": (z[i] * z[j] * p[k] * p[c], z[i] * z[j] * p[k] ** 2, None),
    "from three classes on": (x, x + (C - 1) * (C - 2) * z[i], None),
    "of two sizes": (Sum(1, n) + 0 * z[i], Sum(1, d) + 0 * z[i], None),
    "large, 1e-29 of it": (x + 10**40, x + 10**40 + 10**11, None),
}


@pytest.mark.parametrize("first, second, where", WRONG_EQUAL.values(), ids=WRONG_EQUAL)
def test_a_line_that_does_not_equal_the_one_before_is_refused(first, second, where):
    with pytest.raises(DerivationError) as caught:
        derivation(first, second, where=where).verify()
    assert caught.value.line == 2


RIGHT_EQUAL = {
    "absolute value": (Abs(x), Piecewise((x, x > 0), (-x, True))),
    "square of a sum": (Sum(z[k], k) ** 2, Sum(z[i] * z[j], i, j)),
    "sum of a delta": (Sum(z[k] * KroneckerDelta(i, k), k), z[i]),
    "sum of a constant": (Sum(x, k), C * x),
    "any function": (f(x) - f(x), Integer(0)),
    "where both have a value": (exp(log(x)) + 0 * x, x),
    "four free indices": (z[i] * z[j] * p[k] * p[c], p[c] * p[k] * z[j] * z[i]),
    "an entry that is known to be positive": (sqrt(PRIOR[i] ** 2), PRIOR[i]),
    "large, to 1e-31 of it": (x + 10**40, x + 10**40 + 10**9),
}


@pytest.mark.parametrize("first, second", RIGHT_EQUAL.values(), ids=RIGHT_EQUAL)
def test_a_line_that_equals_the_one_before_is_accepted(first, second):
    assert len(derivation(first, second).verify()) == 2


coefficients = st.lists(st.integers(-9, 9), min_size=1, max_size=6)


@given(coefficients, st.data())
def test_any_polynomial_is_accepted_with_its_derivative_and_refused_with_one_coefficient_off(
    numbers, data
):
    slopes = [power * number for power, number in enumerate(numbers)][1:] or [0]
    wrong = list(slopes)
    wrong[data.draw(st.integers(0, len(slopes) - 1))] += data.draw(
        st.sampled_from([-1, 1])
    )

    def polynomial(numbers):
        return sum(
            (number * x**power for power, number in enumerate(numbers)), Integer(0)
        )

    derivation(polynomial(numbers), polynomial(slopes), wrt=x).verify()
    with pytest.raises(DerivationError) as caught:
        derivation(polynomial(numbers), polynomial(wrong), wrt=x).verify()
    at = caught.value.point.get("x", 0.0)
    by_hand = abs(np.polyval(slopes[::-1], at) - np.polyval(wrong[::-1], at))
    assert caught.value.difference == pytest.approx(by_hand, rel=1e-6, abs=1e-9)


def test_a_second_derivative_is_accepted_in_either_order_of_variables():
    lines = [
        Line(x**3 * y**2, "start"),
        Line(3 * x**2 * y**2, "in x", wrt=x),
        Line(6 * x**2 * y, "in y", wrt=y),
    ]
    assert Derivation(ell, lines).verify() == ["definition", "algebra", "algebra"]


def test_a_derivative_in_one_abbreviation_leaves_the_others_alone():
    mixed = Partial(Partial(r * s, r), s)
    derivation(mixed, Integer(1), where={r: x, s: x + y}).verify()


def test_every_step_of_the_classical_softmax_derivation_is_accepted():
    roads = Sum(
        Partial(ell, p[k]) * Partial(p[k], z[i]), k
    )  # the class y stands in ell alone
    lines = [
        Line(-log(p[c]), "the loss of class y"),
        Line(roads, "chain rule", wrt=z[i]),
        Line(
            Sum(Partial(ell, p[k]) * p[k] * (KroneckerDelta(i, k) - p[i]), k),
            "the softmax Jacobian",
        ),
        Line(
            -1 / p[c] * p[c] * (KroneckerDelta(i, c) - p[i]),
            "only class y is in the loss",
        ),
        Line(p[i] - KroneckerDelta(i, c), "cancel"),
    ]
    assert len(Derivation(ell, lines, SOFTMAX).verify()) == 5
    wrong = Sum(Partial(ell, p[k]) * p[k] * (KroneckerDelta(i, k) + p[i]), k)
    with pytest.raises(DerivationError, match="line 3 "):
        Derivation(
            ell, [*lines[:2], Line(wrong, "a wrong sign"), *lines[3:]], SOFTMAX
        ).verify()


@pytest.mark.parametrize("wrong_line", [2, 3, 4])
def test_the_first_wrong_line_is_the_one_that_is_named(wrong_line):
    expressions = [r**2, Partial(ell, r) * Partial(r, y_hat), 2 * r, 2 * (y_hat - y)]
    lines = [
        Line(e, f"reason {k}", wrt=y_hat if k == 2 else None)
        for k, e in enumerate(expressions, 1)
    ]
    lines[wrong_line - 1] = Line(
        3 * lines[wrong_line - 1].expression, "a slip", wrt=lines[wrong_line - 1].wrt
    )
    with pytest.raises(DerivationError) as caught:
        Derivation(ell, lines, RESIDUAL).verify()
    assert caught.value.line == wrong_line


def test_the_error_shows_the_line_the_one_before_the_point_and_the_difference():
    with as_written():
        first, second = (y_hat - y) ** 2, 2 * (y - y_hat)
    with pytest.raises(DerivationError) as caught:
        derivation(first, second, wrt=y_hat).verify()
    error, message = caught.value, str(caught.value)
    assert "line 2 of the derivation of ell" in message
    assert "line 1: (yhat - y)**2" in message
    assert "line 2: 2*(y - yhat)    (differentiate)" in message
    assert "be its derivative in yhat" in message
    assert set(error.point) == {"y", "yhat"}
    residual = error.point["yhat"] - error.point["y"]
    assert error.difference == pytest.approx(4 * abs(residual), rel=1e-12)
    shown = re.search(
        r"at y = (.*), yhat = (.*)\n.*should be (.*) and is (.*): they differ by (.*)\.$",
        message,
    ).groups()
    expected = [
        error.point["y"],
        error.point["yhat"],
        2 * residual,
        -2 * residual,
        error.difference,
    ]
    np.testing.assert_allclose([float(number) for number in shown], expected, rtol=1e-4)
    digits = [
        12,
        12,
        6,
    ]  # of what it should be, what it is, and by how much they differ
    assert list(shown[2:]) == [
        f"{e:.{n}g}" for e, n in zip(expected[2:], digits, strict=True)
    ]


def test_the_error_of_an_equal_line_says_equal_and_wraps_a_long_point():
    letters = symbols("a0:9", real=True)
    with pytest.raises(DerivationError) as caught:
        derivation(sum(letters), sum(letters[1:])).verify()
    first, *more = str(caught.value).splitlines()[3:-1]
    assert first.startswith("  Line 2 should equal it, but at a0 = ")
    assert more and all(re.match("    [^ ]", line) for line in more)
    assert max(map(len, [first, *more])) <= 88
    whole = " ".join([first, *more])
    assert all(f"{letter} = " in whole for letter in letters)
    with pytest.raises(
        DerivationError, match="  Line 2 should equal it, but at every "
    ):
        derivation(Integer(2), Integer(3)).verify()


def test_the_point_of_an_indexed_error_names_size_indices_and_entries():
    with pytest.raises(DerivationError) as caught:
        derivation(p[i], p[i] * (1 - p[j]), wrt=z[j], where=SOFTMAX).verify()
    point = caught.value.point
    assert point["C"] == 2
    assert point["i"] != point["j"]  # on the diagonal the wrong line is right
    probabilities = np.exp([point["z[1]"], point["z[2]"]])
    probabilities /= probabilities.sum()
    # right: -p_i p_j, claimed: p_i (1 - p_j); they differ by p_i
    assert caught.value.difference == pytest.approx(
        probabilities[int(point["i"]) - 1], rel=1e-9
    )


def test_verdicts_say_how_each_line_was_proved():
    two = [Line(-log(q), "start"), Line((q - 1) * x, "chain rule", wrt=w)]
    assert Derivation(ell, two, LOGISTIC).verify() == ["definition", "algebra"]
    assert derivation(Sum(z[k], k), 1 * Sum(z[j], j)).verify() == [
        "definition",
        "points",
    ]


VERDICTS = {
    "a product rule": (x**2 * y, 2 * x * y, x, "algebra"),
    "what only simplifies to zero": (
        exp(-x) / (1 + exp(-x)),
        1 / (1 + exp(x)),
        None,
        "algebra",
    ),
    "a step of a kink": (*RIGHT["a maximum"][:3], "points"),
    "any function": (f(x), f(x) * 1, None, "points"),
    "an index, though SymPy could": (z[i] + z[i], 2 * z[i], None, "points"),
    "an equation SymPy has no proof of": (
        sqrt(x**2 + 2 * Abs(x) + 1),
        Piecewise((1 + x, x > 0), (1 - x, True)),
        None,
        "points",
    ),
}


@pytest.mark.parametrize("first, second, wrt, verdict", VERDICTS.values(), ids=VERDICTS)
def test_by_algebra_is_said_only_of_what_sympy_proves_for_all_numbers(
    first, second, wrt, verdict
):
    assert derivation(first, second, wrt=wrt).verify() == ["definition", verdict]


def test_two_runs_look_at_the_same_points():
    def point():
        with pytest.raises(DerivationError) as caught:
            derivation(x * y, x + y).verify()
        return caught.value.point

    assert point() == point()


def test_an_index_inside_an_abbreviation_takes_every_value():
    with pytest.raises(DerivationError) as caught:
        derivation(s, 2 * s, where={s: z[i]}).verify()
    assert {"C", "i"} < set(caught.value.point)
    derivation(2 * s, s + s, where={s: z[i]}).verify()
    with pytest.raises(DerivationError) as caught:
        derivation(p[1], p[1] * z[j], where={p[i]: z[i] + z[j]}).verify()
    assert "j" in caught.value.point and "i" not in caught.value.point


@pytest.mark.parametrize(
    "assumed, low, high",
    [
        ({"integer": True, "positive": True}, 1, 5),
        ({"integer": True}, -5, 5),
        ({"nonnegative": True}, 0, np.inf),
        ({"real": True}, -np.inf, np.inf),
    ],
)
def test_a_point_respects_what_is_assumed_and_varies_its_scale(assumed, low, high):
    symbol, rng = symbols("m", **assumed), random.Random(0)
    drawn = [float(_draw(symbol, rng)) for _ in range(400)]
    assert min(drawn) >= low and max(drawn) <= high
    if "integer" in assumed:
        assert set(drawn) == set(range(low, high + 1))
        return
    assert (min(drawn) < 0) == (low < 0)
    sizes = np.abs(drawn)
    assert np.mean(sizes < 0.05) > 0.05 and np.mean(sizes > 2) > 0.05
    assert max(sizes) < 30  # exponentials of it stay numbers


def test_a_step_with_too_few_points_to_check_is_refused():
    nowhere = log(-(x**2) - 1)
    with pytest.raises(
        DerivationError,
        match="line 2 .* could not be checked: the line before it, "
        r"log\(-1 - x\*\*2\), has .* at only 0 of 1280 random points",
    ) as caught:
        derivation(nowhere, nowhere).verify()
    assert (caught.value.line, caught.value.point, caught.value.difference) == (
        2,
        None,
        None,
    )


def test_a_step_with_half_of_the_points_is_refused_too():
    seldom = log(x - 3)
    with pytest.raises(DerivationError, match="could not be checked") as caught:
        derivation(seldom, seldom).verify()
    points = int(re.search(r"at only (\d+) of", str(caught.value)).group(1))
    assert 32 < points < 64


def test_a_partial_derivative_is_a_factor_like_any_other():
    outer, inner = Partial(ell, r), Partial(r, y_hat)
    assert outer * inner == inner * outer
    assert Partial(2, x).args == (Integer(2), x)


def test_result_is_the_last_line_as_written():
    with as_written():
        last = 2 * (y_hat - y)
    assert derivation(r**2, last, wrt=y_hat, where=RESIDUAL).result is last


def test_evaluate_takes_numbers_lists_and_arrays():
    square = derivation(r**2, 2 * r, wrt=y_hat, where=RESIDUAL)
    assert square.evaluate({"yhat": 3, "y": 1.5}) == 3.0
    np.testing.assert_array_equal(
        square.evaluate({"yhat": [1.0, 2.0], "y": np.array([0.0, 4.0])}), [2.0, -4.0]
    )
    np.testing.assert_array_equal(
        derivation(2 * x).evaluate({"x": [1.0, 2.0]}), [2.0, 4.0]
    )


@pytest.mark.parametrize("score", [0.5, 20.0, 200.0, 1e3, 1e4])
def test_evaluate_keeps_digits_until_one_minus_a_probability_is_not_zero(score):
    log_odds = derivation(log(q / (1 - q)), where={q: 1 / (1 + exp(-s))})
    assert log_odds.evaluate({"s": score}) == pytest.approx(score, rel=1e-15)


def test_evaluate_gives_nan_where_there_is_no_finite_real_value():
    assert np.isnan(derivation(log(x)).evaluate({"x": -1.0}))
    assert np.isnan(derivation(1 / x).evaluate({"x": 0.0}))
    assert np.isnan(derivation(log(Integer(-1), evaluate=False)).evaluate({}))
    np.testing.assert_array_equal(
        derivation(sqrt(x)).evaluate({"x": [4.0, -4.0, 9.0]}), [2.0, np.nan, 3.0]
    )


def test_evaluate_takes_several_indices_and_several_samples_at_once():
    matrix = np.arange(6.0).reshape(2, 3)
    total = derivation(Sum(X[n, d] * W[d], d))
    values = {"x": matrix, "w": [1.0, 10.0, 100.0], "D": 3, "N": 2}
    assert [total.evaluate({**values, "n": row}) for row in (1, 2)] == [210.0, 543.0]
    entry = derivation(z[i] - z[1])
    samples = np.array([[1.0, 2.0], [5.0, 9.0]])  # a class a row
    values = {"z": samples, "C": 2, "i": 2}
    np.testing.assert_array_equal(entry.evaluate(values), [4.0, 7.0])
    assert derivation(2 * C).evaluate({"C": 3}) == 6.0


def test_values_are_by_name_and_their_arrays_of_one_shape():
    product = derivation(x * w)
    assert product.evaluate({"x": np.zeros(0), "w": 2.0}).shape == (0,)
    with pytest.raises(TypeError, match="^values must be a dict"):
        product.evaluate([1.0])
    match = r"values must be numbers and arrays of one shape, got \[\(2,\), \(3,\)\]"
    with pytest.raises(ValueError, match=match):
        product.evaluate({"x": [1.0, 2.0], "w": [1.0, 2.0, 3.0]})


def test_a_real_value_by_way_of_imaginary_numbers_counts():
    assert derivation(sqrt(x) * sqrt(x + 3)).evaluate({"x": -4.0}) == -2.0


@pytest.mark.parametrize(
    "expression, n_points", [(x**2, 7), (sqrt(x), 7), (sqrt(-(x**2)), 0)]
)
def test_as_many_points_are_tried_as_are_wanted(expression, n_points):
    points = _at_random_points(expression, x, 7, random.Random(0))
    assert len(list(points)) == n_points


@pytest.mark.parametrize(
    "expression, integers, error, message",
    [
        (p[i], {C: 2}, ValueError, "integers must have a value for i, got C"),
        (p[i], {i: 1}, ValueError, "integers must have a value for C, got i"),
        (p[i], None, ValueError, "integers must have a value for C and i, got none"),
        (x, {}, ValueError, "integers must have a value for C, got none"),
        (p[i], [2, 1], TypeError, "integers must be a dict of integers"),
        ("x", {}, TypeError, "expression must be a SymPy expression, got 'x'"),
    ],
)
def test_written_out_says_what_it_was_not_given(expression, integers, error, message):
    with pytest.raises(error, match=f"^{message}"):
        derivation(p[i], where=SOFTMAX).written_out(expression, integers)


@pytest.mark.parametrize(
    "where, circle",
    [
        ({p[i]: 2 * t[i], t[i]: p[i]}, "p by t by p|t by p by t"),
        ({p[i]: p[i] + 1}, "p by p"),
        ({q: 2 * s, s: p[i], p[i]: q + 1}, "q by s by p by q|s by p by q by s"),
    ],
)
def test_abbreviations_that_end_in_themselves_are_refused(where, circle):
    with pytest.raises(ValueError, match=f"an abbreviation by itself, got ({circle})$"):
        derivation(p[i], where=where)


def test_written_out_puts_in_abbreviations_sums_and_derivatives():
    whole = derivation(-log(p[c]), where=SOFTMAX)
    z1, z2 = symbols("z[1] z[2]", real=True)
    meant = whole.written_out(Partial(ell, z[i]), {C: 2, i: 1, c: 2})
    share = exp(z1) / (exp(z1) + exp(z2))
    assert (meant - share).simplify() == 0
    assert derivation(r, where=RESIDUAL).written_out(r**2) == (y_hat - y) ** 2


@given(st.lists(st.floats(-8, 8), min_size=2, max_size=5), st.data())
def test_evaluate_of_the_softmax_gradient_is_what_autograd_finds(scores, data):
    label = data.draw(st.integers(1, len(scores)))
    gradient = derivation(
        -log(p[c]), p[i] - KroneckerDelta(i, c), wrt=z[i], where=SOFTMAX
    )
    ours = [
        gradient.evaluate({"z": scores, "C": len(scores), "i": entry, "y": label})
        for entry in range(1, len(scores) + 1)
    ]
    tensor = torch.tensor(scores, dtype=torch.float64, requires_grad=True)
    torch.nn.functional.cross_entropy(tensor, torch.tensor(label - 1)).backward()
    np.testing.assert_allclose(ours, tensor.grad.numpy(), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    "values, message",
    [
        ({"C": 2, "i": 1, "y": 1}, "no value for z"),
        ({"z": [0.0, 1.0], "C": 2, "y": 1}, "no value for i; got z, C, y"),
        ({"z": [0.0, 1.0], "C": 2, "i": 1}, "no value for y"),
        ({"z": [0.0, 1.0], "i": 1, "y": 1}, "no value for C"),
        ({}, "no value for .*got none"),
        ({"z": [0.0, 1.0], "C": 2, "i": 3, "y": 1}, r"no entry z\[3\]"),
        ({"z": [0.0, 1.0], "C": 2, "i": 0, "y": 1}, r"no entry z\[0\]"),
        ({"z": [0.0, 1.0], "C": 3, "i": 1, "y": 1}, r"no entry z\[3\]"),
    ],
)
def test_evaluate_names_the_value_that_is_missing(values, message):
    gradient = derivation(
        -log(p[c]), p[i] - KroneckerDelta(i, c), wrt=z[i], where=SOFTMAX
    )
    with pytest.raises(ValueError, match=message):
        gradient.evaluate(values)


LINE = Line(x, "start")


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda: Line(x > 0, "start"), TypeError, "expression must be"),
        (lambda: Line(x, ""), ValueError, "reason must say"),
        (lambda: Line(x, "  "), ValueError, "reason must say"),
        (lambda: Line(x, None), ValueError, "reason must say"),
        (lambda: Line(x, "start", wrt="x"), TypeError, "wrt must be"),
        (lambda: Line(x, "start", wrt=x + 1), TypeError, "wrt must be"),
        (lambda: Derivation("ell", [LINE]), TypeError, "name must be"),
        (lambda: Derivation(ell, []), TypeError, "lines must be"),
        (lambda: Derivation(ell, [x]), TypeError, "lines must be"),
        (
            lambda: Derivation(ell, [Line(x, "start", wrt=x)]),
            ValueError,
            "the first line",
        ),
        (lambda: Derivation(ell, [LINE], {x + 1: y}), TypeError, "a key must be"),
        (
            lambda: Derivation(ell, [LINE], smallest_size=0),
            ValueError,
            "smallest_size must be at least 1, got 0",
        ),
        (
            lambda: Derivation(ell, [LINE], None, 1.5),
            TypeError,
            "smallest_size must be an integer",
        ),
        (
            lambda: Derivation(ell, [Line(z[Idx("k")], "start")]),
            ValueError,
            "index needs a range",
        ),
        (
            lambda: Derivation(ell, [Line(z[Idx("k", (0, C - 1))], "start")]),
            ValueError,
            "starts at 1",
        ),
        (
            lambda: Derivation(ell, [Line(p[i, c], "start")], {p[i]: x}),
            ValueError,
            r"p must have as many indices everywhere, got p\[i, .* and p\[i\]",
        ),
        (
            lambda: derivation(x**2, Derivative(x**2, x), wrt=x).verify(),
            TypeError,
            "use .*Partial",
        ),
    ],
)
def test_what_is_no_derivation_is_refused_when_it_is_made(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_numbers_of_python_are_taken_as_sympy_has_them():
    whole = Derivation(ell, [Line(4, "start"), Line(2 * x, "with x")], {x: 2})
    assert whole.lines[0].expression == Integer(4)
    assert whole.verify() == ["definition", "algebra"]
    assert whole.evaluate({}) == 4.0


def test_a_derivation_is_proved_where_sympy_keeps_what_is_typed():
    with as_written():
        assert derivation(x * y, y * 1, wrt=x).verify() == ["definition", "algebra"]


def test_a_smallest_size_spares_the_sizes_below_it():
    first, second = z[i] / (C - 1), 2 * z[i] / (2 * C - 2)
    lines = [Line(first, "shared among the others"), Line(second, "twice both")]
    with pytest.raises(DerivationError, match="could not be checked"):
        Derivation(ell, lines).verify()
    assert len(Derivation(ell, lines, smallest_size=2).verify()) == 2
    wrong = [lines[0], Line(second * KroneckerDelta(C, 2), "for two classes")]
    with pytest.raises(DerivationError) as caught:
        Derivation(ell, wrong, smallest_size=2).verify()
    assert caught.value.point["C"] == 3


def test_a_wrong_derivation_cannot_be_shown():
    wrong = derivation(r**2, r, wrt=y_hat, where=RESIDUAL)
    with pytest.raises(DerivationError):
        wrong._repr_markdown_()


def test_symbols_that_look_alike_but_are_not_are_refused():
    x, positive_x = symbols("x", real=True), symbols("x", positive=True)
    with pytest.raises(ValueError, match="two symbols are called x"):
        Derivation(
            symbols("ell"), [Line(x**2, "a square"), Line(2 * positive_x, "d", wrt=x)]
        )


def test_a_line_that_is_undefined_where_the_one_before_is_defined_is_refused():
    x = symbols("x", real=True)
    with as_written():
        lines = [Line(x, "a number"), Line(x**2 / (x - x), "divided by zero")]
    with pytest.raises(DerivationError, match="has no finite real value"):
        Derivation(symbols("ell"), lines).verify()


@pytest.mark.parametrize("size, allowed", [(0, -30), (8, -22), (-9, -39), (-20, -40)])
def test_two_lines_agree_to_30_digits_and_below_1e_10_to_1e_40(size, allowed):
    number, rounding = Rational(10) ** size, Rational(10) ** allowed
    assert len(derivation(number, number + rounding * 7 / 10).verify()) == 2
    with pytest.raises(DerivationError):
        derivation(number, number + rounding * 12 / 10).verify()


def test_small_numbers_are_compared_on_their_own_scale():
    x = symbols("x", positive=True)
    tiny = Rational(1, 10**12)
    lines = [Line(tiny * x, "tiny"), Line((tiny + tiny / 10**19) * x, "off by 1e-19")]
    with pytest.raises(DerivationError):
        Derivation(symbols("ell"), lines).verify()
