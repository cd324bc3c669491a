"""Squared and absolute error: the two losses of a straight line, with the gradients
that fit it."""

from dataclasses import dataclass

from lossbook._validation import array_namespace
from lossbook.losses._base import RegressionLoss, sign_of


@dataclass(frozen=True)
class SquaredError(RegressionLoss):
    """The squared error (score - target)², in squared target units.

    Same as ``torch.nn.MSELoss(reduction="none")``; no factor 1/2. The square of a
    residual beyond about 1.8e19 in float32 (1.3e154 in float64) is infinite, as it is
    in PyTorch.
    """

    def _value(self, scores, targets):
        return (scores - targets) ** 2

    def _gradient(self, scores, targets):
        return 2 * (scores - targets)

    def derivation(self):
        """(ŷ - y)², differentiated in the score ŷ: 2 (ŷ - y)."""
        from sympy import symbols

        from lossbook.derivation import Derivation, Line, Partial, as_written

        ell, y_hat, y, r = symbols("ell yhat y r", real=True)
        with as_written():
            lines = [
                Line(r**2, "the squared error, in terms of the residual"),
                Line(Partial(ell, r) * Partial(r, y_hat), "chain rule", wrt=y_hat),
                Line(
                    2 * r * 1,
                    "power rule; the residual moves one for one with the score",
                ),
                Line(2 * (y_hat - y), "put the residual back"),
            ]
            return Derivation(ell, lines, where={r: y_hat - y})


@dataclass(frozen=True)
class AbsoluteError(RegressionLoss):
    """The absolute error |score - target|, in target units; its subgradient is taken to
    be 0 where the two are equal.

    Same as ``torch.nn.L1Loss(reduction="none")``.
    """

    def _value(self, scores, targets):
        return array_namespace(scores).abs(scores - targets)

    def _gradient(self, scores, targets):
        return sign_of(scores - targets)

    def derivation(self):
        """|ŷ - y|, differentiated in the score ŷ on both sides of the kink: sign(ŷ -
        y)."""
        from sympy import Abs, Piecewise, sign, symbols

        from lossbook.derivation import Derivation, Line, Partial, as_written

        ell, y_hat, y, r = symbols("ell yhat y r", real=True)
        with as_written():
            lines = [
                Line(Abs(r), "the absolute error, in terms of the residual"),
                Line(Piecewise((r, r > 0), (-r, True)), "what an absolute value means"),
                Line(
                    Piecewise((1, r > 0), (-1, True)) * Partial(r, y_hat),
                    "chain rule, on each side of the kink",
                    wrt=y_hat,
                ),
                Line(sign(r) * 1, "the two slopes are the sign of the residual"),
                Line(sign(y_hat - y), "put the residual back"),
            ]
            return Derivation(ell, lines, where={r: y_hat - y})
