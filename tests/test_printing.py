"""What is shown is what was written, in the author's order, and means what was
verified."""

import re
from fractions import Fraction

import pytest
import sympy
from hypothesis import assume, given, reject, settings
from hypothesis import strategies as st
from sympy import (
    Abs,
    Function,
    Idx,
    IndexedBase,
    Integer,
    KroneckerDelta,
    Max,
    Piecewise,
    Pow,
    Product,
    Rational,
    Sum,
    exp,
    log,
    sign,
    symbols,
)

from lossbook import linear
from lossbook._printing import latex, plain_text
from lossbook.derivation import Derivation, Line, Partial, as_written
from lossbook.losses import AbsoluteError, HuberLoss, SquaredError

y_hat, y, r, x, a, ell = symbols("yhat y r x a ell", real=True)
C, N = symbols("C N", integer=True, positive=True)
i, j, k, c = (Idx(name, (1, C)) for name in ("i", "j", "k", "y"))
n = Idx("n", (1, N))
z, p, X = (IndexedBase(name, real=True) for name in "zpx")
f = Function("f")

with as_written():
    SHOWN = [
        (y_hat - y, r"\hat{y} - y"),
        (2 * (y_hat - y), r"2 \left(\hat{y} - y\right)"),
        (-(y_hat - y), r"-\left(\hat{y} - y\right)"),
        (x - (y_hat - y), r"x - \left(\hat{y} - y\right)"),
        (r / 2 / (-y), r"\frac{r}{2 \left(-y\right)}"),
        (3 * Pow(2, x), r"3 \cdot 2^{x}"),
        (x + (-1) * (-2 * y), r"x - \left(-2 y\right)"),
        ((y_hat - y) * x, r"\left(\hat{y} - y\right) x"),
        (2 * r * 1, r"2 r \cdot 1"),
        (r * (-2), r"r \cdot \left(-2\right)"),
        (r**2 / 2, r"\frac{r^{2}}{2}"),
        (Rational(1, 2) * r**2, r"\frac{1}{2} r^{2}"),
        (-(x + y) / 2, r"-\frac{x + y}{2}"),
        (1 / (1 + exp(-x)), r"\frac{1}{1 + e^{-x}}"),
        (x / (y * r), r"\frac{x}{y r}"),
        (x / y * (r / a), r"\frac{x}{y} \cdot \frac{r}{a}"),
        (-log(p[c]), r"-\log \left(p_{y}\right)"),
        (log(x) ** 2, r"\log^{2} \left(x\right)"),
        (p[i] - KroneckerDelta(i, c), r"p_{i} - \delta_{iy}"),
        (
            p[i] * (KroneckerDelta(i, j) - p[j]),
            r"p_{i} \left(\delta_{ij} - p_{j}\right)",
        ),
        (X[n, j], r"x_{nj}"),
        (X[1, 2], r"x_{1,2}"),
        (exp(z[i]) / Sum(exp(z[k]), k), r"\frac{e^{z_{i}}}{\sum_{k=1}^{C} e^{z_{k}}}"),
        (
            1 / N * Sum(y_hat - y, n),
            r"\frac{1}{N} \, \sum_{n=1}^{N} \left(\hat{y} - y\right)",
        ),
        (Sum(p[k], k) * x, r"\left(\sum_{k=1}^{C} p_{k}\right) x"),
        (Sum(p[k], k) ** 2, r"\left(\sum_{k=1}^{C} p_{k}\right)^{2}"),
        (Product(p[k], k) * x, r"\left(\prod_{k=1}^{C} p_{k}\right) x"),
        (Sum(z[i] * z[j], i, j), r"\sum_{j=1}^{C} \sum_{i=1}^{C} z_{i} z_{j}"),
        (
            Partial(ell, r) * Partial(r, y_hat),
            r"\frac{\partial \ell}{\partial r} \cdot \frac{\partial r}{\partial \hat{y}}",
        ),
        (
            Partial(r, y_hat) ** 2,
            r"\left(\frac{\partial r}{\partial \hat{y}}\right)^{2}",
        ),
        (Partial(r**2, r), r"\frac{\partial}{\partial r} \left(r^{2}\right)"),
        (Partial(f(x), x), r"\frac{\partial f\left(x\right)}{\partial x}"),
        (f(x, y) ** 2, r"f\left(x, y\right)^{2}"),
        (sign(r) ** 2, r"\operatorname{sign}^{2} \left(r\right)"),
        (Max(0, x) ** 2, r"\max\left(0, x\right)^{2}"),
        (KroneckerDelta(i, j) ** 2, r"\delta_{ij}^{2}"),
        (Abs(r) ** 2, r"\left\lvert r \right\rvert^{2}"),
        (
            Piecewise((r, r > 0), (-r, True)),
            r"\begin{cases} r & \text{if } r > 0 \\ -r & \text{otherwise} \end{cases}",
        ),
        (
            2 * Piecewise((r, r > 0), (-r, True)) ** 2,
            r"2 \left(\begin{cases} r & \text{if } r > 0 \\ -r & \text{otherwise} \end{cases}\right)^{2}",
        ),
    ]


@pytest.mark.parametrize(
    "expression, expected", SHOWN, ids=[expected for _, expected in SHOWN]
)
def test_an_expression_is_shown_as_it_was_written(expression, expected):
    assert latex(expression) == expected


def build(operation):
    with as_written():
        return operation()


NUMBERS = {"x": Fraction(7, 10), "y": Fraction(-13, 10), "a": Fraction(2)}
expressions = st.recursive(
    st.sampled_from([x, y, a])
    | st.integers(-3, 3).filter(bool).map(Integer)
    | st.just(Rational(-1, 2)),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda e: build(lambda: e[0] + e[1])),
        st.tuples(inner, inner).map(lambda e: build(lambda: e[0] - e[1])),
        st.tuples(inner, inner).map(lambda e: build(lambda: e[0] * e[1])),
        st.tuples(inner, inner).map(lambda e: build(lambda: e[0] / e[1])),
        inner.map(lambda e: build(lambda: -e)),
        inner.map(lambda e: build(lambda: Integer(-1) * e)),
        st.tuples(inner, st.sampled_from([2, 3, -2])).map(
            lambda e: build(lambda: Pow(e[0], e[1]))
        ),
        inner.map(lambda e: build(lambda: Abs(e))),
        inner.map(lambda e: build(lambda: sign(e) ** 2)),
        st.tuples(inner, inner).map(lambda e: build(lambda: f(e[0], e[1]) ** 2)),
    ),
    max_leaves=8,
)


@settings(max_examples=400)
@given(expressions)
def test_the_latex_of_an_expression_read_back_has_its_value(expression):
    numbers = {symbol: Rational(NUMBERS[symbol.name]) for symbol in (x, y, a)}
    value = expression.replace(f, lambda u, v: u - 2 * v).subs(numbers).doit()
    assume(value.is_finite)
    try:
        read = Reader(latex(expression)).value()
    except ZeroDivisionError:  # SymPy gives sign(1/0) a value
        reject()
    assert read == Fraction(int(value.p), int(value.q))


class Reader:
    """Reads mathematics as a person does: a product is what stands side by side, a
    fraction ends with its brace."""

    TOKEN = re.compile(
        r"\\(?:left|right)(?:\\[lr]vert|[()])|\\operatorname\{sign\}|\\[a-z]+|\\,|\d+(?:\.\d+)?|\S"
    )

    def __init__(self, tex):
        self.tokens = [token for token in self.TOKEN.findall(tex) if token != r"\,"]

    def value(self):
        value = self.sum()
        assert not self.tokens, f"not understood: {self.tokens}"
        return value

    def peek(self):
        return self.tokens[0] if self.tokens else None

    def take(self, expected=None):
        token = self.tokens.pop(0)
        assert expected in (None, token), f"{expected} expected, got {token}"
        return token

    def sum(self):
        value = self.product()
        while self.peek() in ("+", "-"):
            value = (
                value + self.product() if self.take() == "+" else value - self.product()
            )
        return value

    def product(self):
        if self.peek() == "-":
            self.take()
            return -self.product()
        value = self.power()
        while self.peek() not in (
            None,
            "+",
            "-",
            ",",
            "}",
            ")",
            r"\right)",
            r"\right\rvert",
        ):
            dotted = self.peek() == r"\cdot" and self.take()
            assert dotted or not self.peek()[0].isdigit(), (
                "a number side by side with another factor"
            )
            value *= self.power()
        return value

    def power(self):
        if self.peek() == r"\operatorname{sign}":
            self.take()
            exponent = self.exponent()
            value = self.atom()
            return Fraction((value > 0) - (value < 0)) ** exponent
        base = self.atom()
        return base ** self.exponent()

    def exponent(self):
        if self.peek() != "^":
            return 1
        self.take()
        return int(self.group("{", "}"))

    def atom(self):
        if self.peek() == r"\frac":
            self.take()
            return self.group("{", "}") / self.group("{", "}")
        if self.peek() == r"\left(":
            return self.group(r"\left(", r"\right)")
        if self.peek() == "(":
            return self.group("(", ")")
        if self.peek() == r"\left\lvert":
            return abs(self.group(r"\left\lvert", r"\right\rvert"))
        token = self.take()
        if token == "f":
            self.take(r"\left(")
            first = self.sum()
            self.take(",")
            second = self.sum()
            self.take(r"\right)")
            return first - 2 * second
        return NUMBERS[token] if token in NUMBERS else Fraction(token)

    def group(self, opening, closing):
        self.take(opening)
        value = self.sum()
        self.take(closing)
        return value


def test_plain_text_keeps_the_order_and_names_the_derivative():
    with as_written():
        assert plain_text(2 * (y_hat - y)) == "2*(yhat - y)"
        assert plain_text(Partial(ell, r) * Partial(r, y_hat)) == "∂ell/∂r*∂r/∂yhat"
        assert plain_text(Sum(X[n, j], n)) == "Sum[n=1..N](x[n, j])"


ROW = re.compile(r"^\|(.*)\|$", re.MULTILINE)


def test_a_derivation_is_shown_as_a_table_of_its_lines_with_reasons():
    shown = SquaredError().derivation()._repr_markdown_()
    assert shown.startswith(r"With $r = \hat{y} - y$:")
    assert [row.strip() for row in ROW.findall(shown)[2:]] == [
        r"$\displaystyle \ell$ | $\displaystyle = r^{2}$ | the squared error, in terms of the residual",
        r"$\displaystyle \frac{\partial \ell}{\partial \hat{y}}$ | $\displaystyle = \frac{\partial \ell}{\partial r} "
        r"\cdot \frac{\partial r}{\partial \hat{y}}$ | chain rule",
        r"| $\displaystyle = 2 r \cdot 1$ | power rule; the residual moves one for one with the score",
        r"| $\displaystyle = 2 \left(\hat{y} - y\right)$ | put the residual back",
    ]
    assert (
        "each of the 3 steps at 64 or more random points to 30 digits, and by algebra"
        in shown
    )


@pytest.mark.parametrize(
    "derivation",
    [
        SquaredError().derivation(),
        AbsoluteError().derivation(),
        HuberLoss().derivation(),
        linear.derivation(),
    ],
    ids=["squared", "absolute", "huber", "linear"],
)
def test_every_row_of_the_table_has_three_cells(derivation):
    rows = ROW.findall(derivation._repr_markdown_())
    assert len(rows) == len(derivation.lines) + 2
    assert all(len(re.split(r"(?<!\\)\|", row)) == 3 for row in rows)


def test_a_bar_in_a_reason_does_not_break_the_table():
    shown = Derivation(ell, [Line(Abs(x), "the size |x|")])._repr_markdown_()
    assert r"| the size \|x\| |" in shown


def test_the_left_side_says_which_derivative_a_line_is():
    lines = [
        Line(x**3 * y, "start"),
        Line(3 * x**2 * y, "in x", wrt=x),
        Line(6 * x * y, "again", wrt=x),
    ]
    shown = Derivation(
        ell, [*lines, Line(6 * x, "in y", wrt=y), Line(6 * x, "same")]
    )._repr_markdown_()
    left = [row.split("|")[0].strip() for row in ROW.findall(shown)[2:]]
    assert left == [
        r"$\displaystyle \ell$",
        r"$\displaystyle \frac{\partial \ell}{\partial x}$",
        r"$\displaystyle \frac{\partial^{2} \ell}{\partial x^{2}}$",
        r"$\displaystyle \frac{\partial^{3} \ell}{\partial y \, \partial x^{2}}$",
        "",
    ]


@pytest.mark.parametrize(
    "lines, summary",
    [
        ([Line(x, "start")], "A definition: nothing to verify."),
        (
            [Line(x**2, "start"), Line(2 * x, "power rule", wrt=x)],
            "Verified: the step at 64",
        ),
        (
            [Line(Sum(z[k], k), "start"), Line(Sum(z[j], j), "renamed")],
            "random points to 30 digits.*",
        ),
    ],
)
def test_the_summary_says_what_was_verified(lines, summary):
    assert summary in Derivation(ell, lines)._repr_markdown_()


def test_a_table_without_abbreviations_starts_at_once_and_counts_the_proofs():
    cases = sympy.Piecewise((1 + x, x > 0), (1 - x, True))
    root = sympy.sqrt(x**2 + 2 * Abs(x) + 1)
    lines = [Line(root, "start"), Line(cases, "cases"), Line(1 * cases, "the same")]
    shown = Derivation(ell, lines)._repr_markdown_()
    assert shown.startswith("| quantity | expression | reason |")
    assert "each of the 2 steps at 64" in shown
    assert "to 30 digits, 1 of them also by algebra." in shown


def test_the_plain_form_lists_lines_and_reasons():
    assert (
        repr(SquaredError().derivation()).splitlines()[-1]
        == "  2*(yhat - y)    (put the residual back)"
    )


def test_a_double_sum_keeps_its_order_and_gains_no_factor():
    size_n, size_c = symbols("N C", integer=True, positive=True)
    n, i = Idx("n", (1, size_n)), Idx("i", (1, size_c))
    z = IndexedBase("z", real=True)
    with as_written():
        e = Sum(Sum(z[n, i], i), n)
    assert latex(e) == r"\sum_{n=1}^{N} \sum_{i=1}^{C} z_{ni}"
    assert plain_text(e) == "Sum[n=1..N, i=1..C](z[n, i])"


def test_plain_text_brackets_what_is_differentiated():
    assert plain_text(Partial(r + y, y)) == "∂(r + y)/∂y"
