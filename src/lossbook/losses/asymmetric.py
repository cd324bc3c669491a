"""The asymmetric loss: focusing of its own for positives and negatives, and easy negatives
left alone."""

from dataclasses import dataclass

from lossbook._validation import (
    LARGEST,
    array_namespace,
    require_not_negative,
)
from lossbook.losses._base import BinaryLoss, power, sign_of
from lossbook.losses.binary_classification import _quick_sigmoid, _softplus


@dataclass(frozen=True)
class AsymmetricLoss(BinaryLoss):
    """The asymmetric loss of Ridnik et al. (2021), equation 7, in nats.

    A positive costs -(1 - p)^γ₊ log p; a negative costs -p_m^γ₋ log(1 - p_m), where p_m
    is the larger of p - margin and 0.

    gamma_pos, gamma_neg: at least 0, the focusing exponents.
    margin: from 0 to below 1; a negative with a probability up to it has neither loss nor
        gradient.

    With equal exponents and no margin it is the focal loss without alpha, and the
    cross-entropy where they are 0. The gradient goes through the focusing factor too; the
    authors' code can leave that out.

    Raises TypeError or ValueError when a number is not in its range.
    """

    gamma_pos: float = 0.0
    gamma_neg: float = 4.0
    margin: float = 0.05

    def __post_init__(self):
        for name in ("gamma_pos", "gamma_neg", "margin"):
            number = require_not_negative(getattr(self, name), name, LARGEST)
            object.__setattr__(self, name, number)
        if self.margin >= 1:
            raise ValueError(f"margin must be below 1, got {self.margin}")

    def _value_and_gradient(self, scores, targets):
        minus, others = -scores, 1 - targets
        p, rest = _quick_sigmoid(scores), _quick_sigmoid(minus)
        moved = self._moved(p, rest)
        positive, negative = self._surprises(
            scores, minus, targets, others, p, rest, *moved
        )
        value, positive_slope = _focused(rest, positive, p, self.gamma_pos)
        if self.margin:
            negative, negative_slope = self._lowered(negative, p, rest, *moved)
        else:
            negative, negative_slope = _focused(p, negative, rest, self.gamma_neg)
        value *= targets
        value += negative
        gradient = others * negative_slope
        gradient -= targets * positive_slope
        return value, gradient

    def _surprises(self, scores, minus, targets, others, p, rest, p_m, rest_m):
        """-log p, and -log(1 - p_m) for negatives and 0 for positives."""
        xp = array_namespace(p)
        if self.margin >= 0.01 and not getattr(p, "requires_grad", False):
            # one logarithm for both classes
            smaller = targets * xp.minimum(p, rest)
            smaller += others * p_m
            smaller *= -1
            log = xp.log1p(smaller)
            zero = xp.zeros((), dtype=p.dtype, device=p.device)
            return xp.maximum(minus, zero) - log, -log * others
        if not self.margin:
            negative = _softplus(scores, p, rest)
        else:  # 1 - p_m would lose the digits of a small margin; rest_m keeps them
            above = p_m > 0.5
            negative = -xp.log1p(-xp.where(above, 0, p_m))
            negative -= xp.log(xp.where(above, rest_m, 1))
        return _softplus(minus, rest, p), negative * others

    def _moved(self, p, rest):
        """p_m and, above the margin, 1 - p_m."""
        xp = array_namespace(p)
        tiny = float(xp.finfo(p.dtype).smallest_normal)
        return xp.clip(p - self.margin, 0, None), rest + max(self.margin, tiny)

    def _lowered(self, surprise, p, rest, p_m, rest_m):
        """The loss of a negative by p_m, and its slope in the logit."""
        tiny = float(array_namespace(p).finfo(p.dtype).smallest_normal)
        factor = power(p_m, self.gamma_neg)
        if self.gamma_neg not in (1, 2, 3, 4):  # then `power` of 0 may not be 0
            factor = factor * sign_of(p_m)
        slope = surprise / (p_m + tiny)  # the quotient tends to 1 at the margin
        slope *= self.gamma_neg
        slope *= factor
        slope += factor / rest_m
        slope *= p  # the slope of the sigmoid, p (1 - p)
        slope *= rest
        return factor * surprise, slope

    def derivation(self):
        """Both terms, differentiated in the logit; below the margin the second has no
        slope."""
        from sympy import Max, Piecewise, exp, log, symbols

        from lossbook.derivation import Derivation, Line, Partial, as_written

        ell, z, y, p, p_m, v = symbols("ell z y p p_m v", real=True)
        pos, neg, margin = symbols("gamma_pos gamma_neg m", nonnegative=True)
        with as_written():
            slope = p_m**neg / (1 - p_m) - neg * p_m ** (neg - 1) * log(1 - p_m)
            first = pos * (1 - p) ** (pos - 1) * log(p) - (1 - p) ** pos / p
            lines = [
                Line(
                    -y * (1 - p) ** pos * log(p) - (1 - y) * p_m**neg * log(1 - p_m),
                    "each class with its own exponent; "
                    "negatives with the lowered probability",
                ),
                Line(Partial(ell, p) * Partial(p, z), "chain rule", wrt=z),
                Line(
                    y * first * (p * (1 - p)) + (1 - y) * v * (p * (1 - p)),
                    "product rule in both terms, the second one's slope being $v$: "
                    "$p_m$ moves with p above the margin and not below",
                ),
                Line(
                    y * (1 - p) ** pos * (pos * p * log(p) - (1 - p))
                    + (1 - y) * p * (1 - p) * v,
                    "multiply in: for positives it is the focal gradient",
                ),
            ]
            where = {
                v: Piecewise((slope, p > margin), (0, True)),
                p_m: Max(p - margin, 0),
                p: 1 / (1 + exp(-z)),
            }
            return Derivation(ell, lines, where)

    def derivation_values(self, targets):
        """The exponents and the margin, by the symbols of `derivation`."""
        exponents = {"gamma_pos": self.gamma_pos, "gamma_neg": self.gamma_neg}
        return {**exponents, "m": self.margin}


def _focused(wrong, surprise, right, gamma):
    """-wrong ** gamma * log(right), where wrong = 1 - right, and its slope in the logit
    that raises wrong; surprise is -log(right)."""
    if gamma == 0:
        return surprise, wrong
    factor = power(wrong, gamma)
    slope = right * surprise
    slope *= gamma
    slope += wrong
    slope *= factor
    return factor * surprise, slope
