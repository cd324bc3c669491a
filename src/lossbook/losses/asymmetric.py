"""The asymmetric loss: focusing of its own for positives and negatives, and easy negatives
left alone."""

from dataclasses import dataclass

from array_api_compat import array_namespace

from lossbook._validation import require_not_negative
from lossbook.losses._base import BinaryLoss, power
from lossbook.losses.binary_classification import _surprise


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
            number = require_not_negative(getattr(self, name), name)
            object.__setattr__(self, name, number)
        if self.margin >= 1:
            raise ValueError(f"margin must be below 1, got {self.margin}")

    def _value(self, scores, targets):
        return self._value_and_gradient(scores, targets)[0]

    def _gradient(self, scores, targets):
        return self._value_and_gradient(scores, targets)[1]

    def _value_and_gradient(self, scores, targets):
        xp = array_namespace(scores)
        positive = targets > 0
        surprise, wrong, right = _surprise(scores, targets)
        pull, focus = wrong, right * surprise
        if self.margin:
            # a negative is judged by p_m = wrong - margin, its rest is right + margin
            shifted = wrong - self.margin
            wrong = xp.where(positive, wrong, xp.where(shifted > 0, shifted, 0))
            rest = xp.where(positive, 1, right + self.margin)
            small = xp.where(wrong < 0.5, wrong, 0)
            lowered = xp.where(wrong < 0.5, -xp.log1p(-small), -xp.log(rest))
            surprise = xp.where(positive, surprise, lowered)
            seen = wrong > 0
            steep = pull * right  # the slope of the sigmoid
            pull = xp.where(positive, pull, xp.where(seen, steep / rest, 0))
            ratio = lowered / xp.where(seen, wrong, 1)
            focus = xp.where(positive, focus, steep * ratio)
        gamma = self.gamma_pos * targets + self.gamma_neg * (1 - targets)
        factor = self._factor(wrong, positive)
        return factor * surprise, (1 - 2 * targets) * factor * (pull + gamma * focus)

    def _factor(self, wrong, positive):
        pos, neg = power(wrong, self.gamma_pos), power(wrong, self.gamma_neg)
        return array_namespace(wrong).where(positive, pos, neg)

    def derivation(self):
        """Both terms, differentiated in the logit; below the margin the second has no
        slope."""
        from sympy import Max, Piecewise, exp, log, symbols

        from lossbook.derivation import Derivation, Line, Partial, as_written

        ell, z, y, p, p_m = symbols("ell z y p p_m", real=True)
        pos, neg, margin = symbols("gamma_pos gamma_neg m", nonnegative=True)
        with as_written():

            def above(expression):
                return Piecewise((expression, p > margin), (0, True))

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
                    (y * first + (1 - y) * above(slope)) * (p * (1 - p)),
                    "product rule in both terms; $p_m$ moves with p above the margin "
                    "and not below; the slope of the sigmoid",
                ),
                Line(
                    y * (1 - p) ** pos * (pos * p * log(p) - (1 - p))
                    + (1 - y) * p * (1 - p) * above(slope),
                    "multiply in: for positives it is the focal gradient",
                ),
            ]
            where = {p_m: Max(p - margin, 0), p: 1 / (1 + exp(-z))}
            return Derivation(ell, lines, where)

    def derivation_values(self, targets):
        """The exponents and the margin, by the symbols of `derivation`."""
        exponents = {"gamma_pos": self.gamma_pos, "gamma_neg": self.gamma_neg}
        return {**exponents, "m": self.margin}
