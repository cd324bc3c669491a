"""How a line of a derivation looks: as its author wrote it, in LaTeX and in plain text.

SymPy's printers put terms and factors into an order of their own; these leave them where they were typed.
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
        isinstance(factor, sympy.Pow) and factor.exp.is_Number and factor.exp.is_negative
    )


def _denominator(factor):
    if factor.is_Rational:
        return sympy.Integer(factor.q)
    power = -factor.exp
    return factor.base if power == 1 else sympy.Pow(factor.base, power, evaluate=False)


def _summand(e):
    """What a sum adds up, without the factor 1 that SymPy puts in front of it when it does not evaluate."""
    first, *rest = _factors(e.args[0])
    if first != 1 or not rest:
        return e.args[0]
    return sympy.Mul(*rest, evaluate=False) if len(rest) > 1 else rest[0]


class _AsWritten(LatexPrinter):
    """SymPy's LaTeX printer with the order of terms and factors left alone."""

    def _print_Add(self, e):
        terms = []
        for argument in e.args:
            terms.extend(argument.args if isinstance(argument, sympy.Add) else [argument])
        text = ""
        for term in terms:
            negative, term = _without_sign(term)
            text += (" - " if negative else " + ") if text else ("-" if negative else "")
            needs_brackets = isinstance(term, sympy.Add) or isinstance(term, sympy.Piecewise)
            text += self._bracketed(term) if needs_brackets else self._print(term)
        return text

    def _print_Mul(self, e):
        negative, e = _without_sign(e)
        done, numerator, denominator = [], [], []

        def close_fraction():
            if denominator:
                above = self._juxtaposed([(self._print(f), f) for f in numerator], len(numerator) > 1)
                below = self._juxtaposed([(self._print(f), f) for f in denominator], len(denominator) > 1)
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
        return ("-" if negative else "") + self._juxtaposed(done, len(done) > 1)

    def _juxtaposed(self, pieces, several):
        text = ""
        for position, (tex, factor) in enumerate(pieces):
            last = position == len(pieces) - 1
            if several and self._must_bracket(factor, position, last):
                tex = rf"\left({tex}\right)"
            if text:
                dotted = tex.startswith(r"\frac") or (factor is not None and factor.is_Number)
                text += r" \cdot " if dotted else r" \, " if tex.startswith((r"\log", r"\sum", r"\op", r"\m")) else " "
            text += tex
        return text

    @staticmethod
    def _must_bracket(factor, position, last):
        if isinstance(factor, sympy.Sum):
            return not last
        if factor is not None and position and factor.is_Number and factor.is_negative:
            return True
        return isinstance(factor, (sympy.Add, sympy.Piecewise))

    def _bracketed(self, e):
        return rf"\left({self._print(e)}\right)"

    def _print_Pow(self, e):
        if e.exp == -1:
            return rf"\frac{{1}}{{{self._print(e.base)}}}"
        return super()._print_Pow(e)

    def _print_Partial(self, e):
        expression, variable = e.args
        below = rf"\partial {self._print(variable)}"
        if isinstance(expression, (sympy.Symbol, sympy.Indexed, AppliedUndef)):
            return rf"\frac{{\partial {self._print(expression)}}}{{{below}}}"
        return rf"\frac{{\partial}}{{{below}}} {self._bracketed(expression)}"

    def _print_AppliedUndef(self, e):
        return self._function(self._print(sympy.Symbol(e.func.__name__)), e)

    def _print_Sum(self, e):
        body, *limits = _summand(e), *e.args[1:]
        signs = "".join(
            rf"\sum_{{{self._print(i)}={self._print(low)}}}^{{{self._print(high)}}} " for i, low, high in limits
        )
        return signs + (self._bracketed(body) if isinstance(body, sympy.Add) else self._print(body))

    def _print_Abs(self, e, exp=None):
        text = rf"\left\lvert {self._print(e.args[0])} \right\rvert"
        return text + (rf"^{{{exp}}}" if exp else "")

    def _print_Idx(self, e):
        return self._print(e.label)

    def _print_Indexed(self, e):
        separator = "" if all(isinstance(i, sympy.Idx) for i in e.indices) else ","
        return rf"{self._print(e.base)}_{{{separator.join(self._print(i) for i in e.indices)}}}"

    def _print_KroneckerDelta(self, e, exp=None):
        return rf"\delta_{{{''.join(self._print(i) for i in e.args)}}}"

    def _print_log(self, e, exp=None):
        return rf"\log {self._bracketed(e.args[0])}" if exp is None else rf"\log^{{{exp}}} {self._bracketed(e.args[0])}"

    def _print_sign(self, e, exp=None):
        return rf"\operatorname{{sign}} {self._bracketed(e.args[0])}"

    def _print_Max(self, e, exp=None):
        return self._function(r"\max", e)

    def _print_Min(self, e, exp=None):
        return self._function(r"\min", e)

    def _function(self, name, e):
        return rf"{name}\left({', '.join(self._print(a) for a in e.args)}\right)"

    def _print_Piecewise(self, e):
        *some, (last, _) = e.args
        rows = [rf"{self._print(value)} & \text{{if }} {self._print(condition)}" for value, condition in some]
        rows.append(rf"{self._print(last)} & \text{{otherwise}}")
        return r"\begin{cases} " + r" \\ ".join(rows) + r" \end{cases}"


def latex(e):
    return _AsWritten({"order": "none"}).doprint(sympy.sympify(e))


class _PlainText(StrPrinter):
    def _print_Partial(self, e):
        return f"d({self._print(e.args[0])})/d({self._print(e.args[1])})"

    def _print_Idx(self, e):
        return str(e.label)

    def _print_Sum(self, e):
        ranges = ", ".join(f"{i.label}={low}..{high}" for i, low, high in e.args[1:])
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
    above = rf"\partial {latex(name)}" if order == 1 else rf"\partial^{{{order}}} {latex(name)}"
    groups = [(variable, len(list(group))) for variable, group in itertools.groupby(reversed(taken))]
    below = r" \, ".join(rf"\partial {latex(v)}" + (f"^{{{n}}}" if n > 1 else "") for v, n in groups)
    return rf"\frac{{{above}}}{{{below}}}"
