"""How a line of a derivation looks: as its author wrote it, in LaTeX and in plain text.

SymPy's printers put terms and factors into an order of their own; these leave them
where they were typed.
"""

import itertools

import mpmath
import sympy
from sympy.core.function import AppliedUndef
from sympy.printing.latex import LatexPrinter
from sympy.printing.str import StrPrinter


def _factors(e):
    """The factors of a product in the order they were written."""
    if isinstance(e, sympy.Mul):
        return [factor for argument in e.args for factor in _factors(argument)]
    return [e]


def _without_sign(e):
    """(True, -e) when e is written with a leading minus, else (False, e)."""
    first, *rest = _factors(e)
    if first == -1 and rest:
        return True, sympy.Mul(*rest, evaluate=False) if len(rest) > 1 else rest[0]
    if first.is_Number and first.is_negative:
        return True, sympy.Mul(-first, *rest, evaluate=False) if rest else -first
    return False, e


def _is_reciprocal(factor):
    return (factor.is_Rational and factor.p == 1 and factor.q > 1) or (
        isinstance(factor, sympy.Pow)
        and factor.exp.is_Number
        and factor.exp.is_negative
    )


def _denominator(factor):
    if factor.is_Rational:
        return sympy.Integer(factor.q)
    power = -factor.exp
    return factor.base if power == 1 else sympy.Pow(factor.base, power, evaluate=False)


def _summand(e):
    """What a sum adds up, without the factors 1 that SymPy puts in front of it."""
    factors = _factors(e.args[0])
    while len(factors) > 1 and factors[0] == 1:
        factors = factors[1:]
    return sympy.Mul(*factors, evaluate=False) if len(factors) > 1 else factors[0]


def _limits(e):
    """The limits of a sum, outermost first; SymPy keeps the innermost first."""
    return e.args[:0:-1]


class _AsWritten(LatexPrinter):
    """SymPy's LaTeX printer with the order of terms and factors left alone."""

    def _print_Add(self, e):
        terms = []
        for argument in e.args:
            terms.extend(
                argument.args if isinstance(argument, sympy.Add) else [argument]
            )
        text = ""
        for term in terms:
            negative, term = _without_sign(term)
            text += (
                (" - " if negative else " + ") if text else ("-" if negative else "")
            )
            tex = self._print(term)
            needs_brackets = isinstance(
                term, (sympy.Add, sympy.Piecewise)
            ) or tex.startswith("-")
            text += rf"\left({tex}\right)" if needs_brackets else tex
        return text

    def _print_Mul(self, e):
        negative, e = _without_sign(e)
        done, numerator, denominator = [], [], []

        def close_fraction():
            if denominator:
                above = self._juxtaposed(
                    [(self._print(f), f) for f in numerator], len(numerator) > 1
                )
                below = self._juxtaposed(
                    [(self._print(f), f) for f in denominator], len(denominator) > 1
                )
                done.append((rf"\frac{{{above or '1'}}}{{{below}}}", None))
            else:
                done.extend((self._print(f), f) for f in numerator)
            numerator.clear()
            denominator.clear()

        for factor in _factors(e):
            if _is_reciprocal(factor):
                denominator.append(_denominator(factor))
            else:
                if denominator:
                    close_fraction()
                numerator.append(factor)
        close_fraction()
        return self._juxtaposed(
            done, negative or len(done) > 1, "-" if negative else ""
        )

    def _juxtaposed(self, pieces, several, sign=""):
        text = ""
        for position, (tex, factor) in enumerate(pieces):
            last = position == len(pieces) - 1
            negative = tex.startswith("-") and (position or sign)
            if several and (negative or self._must_bracket(factor, last)):
                tex = rf"\left({tex}\right)"
            if text:
                dotted = (
                    tex.startswith(r"\frac")
                    or tex[0].isdigit()
                    or (factor is not None and factor.is_Number)
                )
                text += (
                    r" \cdot "
                    if dotted
                    else r" \, "
                    if tex.startswith((r"\log", r"\sum", r"\op", r"\m"))
                    else " "
                )
            text += tex
        return sign + text

    @staticmethod
    def _must_bracket(factor, last):
        if isinstance(factor, (sympy.Sum, sympy.Product)):
            return not last
        return isinstance(factor, (sympy.Add, sympy.Piecewise))

    def _bracketed(self, e):
        return rf"\left({self._print(e)}\right)"

    def _print_Pow(self, e):
        if e.exp == -1:
            return rf"\frac{{1}}{{{self._print(e.base)}}}"
        if isinstance(e.base, sympy.Piecewise):
            return rf"{self._bracketed(e.base)}^{{{self._print(e.exp)}}}"
        return super()._print_Pow(e)

    def _print_Partial(self, e):
        expression, variable = e.args
        below = rf"\partial {self._print(variable)}"
        if isinstance(expression, (sympy.Symbol, sympy.Indexed, AppliedUndef)):
            return rf"\frac{{\partial {self._print(expression)}}}{{{below}}}"
        return rf"\frac{{\partial}}{{{below}}} {self._bracketed(expression)}"

    def _print_AppliedUndef(self, e, exp=None):
        return self._function(self._print(sympy.Symbol(e.func.__name__)), e, exp)

    def _print_Sum(self, e):
        body = _summand(e)
        signs = "".join(
            rf"\sum_{{{self._print(i)}={self._print(low)}}}^{{{self._print(high)}}} "
            for i, low, high in _limits(e)
        )
        return signs + (
            self._bracketed(body) if isinstance(body, sympy.Add) else self._print(body)
        )

    def _print_Abs(self, e, exp=None):
        text = rf"\left\lvert {self._print(e.args[0])} \right\rvert"
        return text + (rf"^{{{exp}}}" if exp else "")

    def _print_Idx(self, e):
        return self._print(e.label)

    def _print_Indexed(self, e):
        separator = "" if all(isinstance(i, sympy.Idx) for i in e.indices) else ","
        return rf"{self._print(e.base)}_{{{separator.join(self._print(i) for i in e.indices)}}}"

    def _print_KroneckerDelta(self, e, exp=None):
        return rf"\delta_{{{''.join(self._print(i) for i in e.args)}}}" + (
            rf"^{{{exp}}}" if exp else ""
        )

    def _print_log(self, e, exp=None):
        return (
            rf"\log {self._bracketed(e.args[0])}"
            if exp is None
            else rf"\log^{{{exp}}} {self._bracketed(e.args[0])}"
        )

    def _print_sign(self, e, exp=None):
        return (
            r"\operatorname{sign}"
            + (rf"^{{{exp}}}" if exp else "")
            + f" {self._bracketed(e.args[0])}"
        )

    def _print_Max(self, e, exp=None):
        return self._function(r"\max", e, exp)

    def _print_Min(self, e, exp=None):
        return self._function(r"\min", e, exp)

    def _function(self, name, e, exp):
        return rf"{name}\left({', '.join(self._print(a) for a in e.args)}\right)" + (
            rf"^{{{exp}}}" if exp else ""
        )

    def _print_Piecewise(self, e):
        *some, (last, _) = e.args
        rows = [
            rf"{self._print(value)} & \text{{if }} {self._print(condition)}"
            for value, condition in some
        ]
        rows.append(rf"{self._print(last)} & \text{{otherwise}}")
        return r"\begin{cases} " + r" \\ ".join(rows) + r" \end{cases}"


def latex(e):
    return _AsWritten({"order": "none"}).doprint(sympy.sympify(e))


class _PlainText(StrPrinter):
    def _print_Partial(self, e):
        above, below = (self._print(argument) for argument in e.args)
        above = (
            above if e.args[0].is_Atom or e.args[0].func.is_Function else f"({above})"
        )
        return f"∂{above}/∂{below}"

    def _print_Idx(self, e):
        return str(e.label)

    def _print_Sum(self, e):
        ranges = ", ".join(f"{i.label}={low}..{high}" for i, low, high in _limits(e))
        return f"Sum[{ranges}]({self._print(_summand(e))})"


def short(value):
    return str(value) if isinstance(value, int) else mpmath.nstr(value, 6)


def plain_text(e):
    return _PlainText({"order": "none"}).doprint(e)


def left_side(name, taken):
    """ℓ, ∂ℓ/∂ŷ, ∂²ℓ/∂ŷ², ..."""
    if not taken:
        return latex(name)
    order = len(taken)
    above = (
        rf"\partial {latex(name)}"
        if order == 1
        else rf"\partial^{{{order}}} {latex(name)}"
    )
    groups = [
        (variable, len(list(group)))
        for variable, group in itertools.groupby(reversed(taken))
    ]
    below = r" \, ".join(
        rf"\partial {latex(v)}" + (f"^{{{n}}}" if n > 1 else "") for v, n in groups
    )
    return rf"\frac{{{above}}}{{{below}}}"
