"""The Huber loss: a parabola for small residuals, a straight line for large ones."""

from dataclasses import dataclass

from lossbook._validation import array_namespace, require_positive
from lossbook.losses._base import RegressionLoss


@dataclass(frozen=True)
class HuberLoss(RegressionLoss):
    """The Huber loss of Huber (1964): r²/2 while the residual r is at most delta, delta
    (abs(r) - delta/2) beyond.

    delta: positive, in target units: the residual at which a sample starts to count as
        far away.

    Same as ``torch.nn.HuberLoss(delta=delta, reduction="none")``; scikit-learn's
    ``HuberRegressor`` calls it ``epsilon`` and estimates the scale of the noise beside
    it.

    Raises TypeError when delta is not a number, ValueError when it is not positive and
    finite.
    """

    delta: float = 1.0

    def __post_init__(self):
        object.__setattr__(self, "delta", require_positive(self.delta, "delta"))

    def _clipped(self, residual):
        return array_namespace(residual).clip(residual, -self.delta, self.delta)

    def _value(self, scores, targets):
        residual = scores - targets
        clipped = self._clipped(residual)
        # both branches at once, and no square that could overflow
        return clipped * (residual - clipped / 2)

    def _gradient(self, scores, targets):
        return self._clipped(scores - targets)

    def derivation(self):
        """Both branches, differentiated in the score ŷ: the residual, clipped to plus
        or minus delta."""
        from sympy import Abs, Max, Min, Piecewise, sign, symbols

        from lossbook.derivation import Derivation, Line, Partial, as_written

        ell, y_hat, y, r = symbols("ell yhat y r", real=True)
        delta = symbols("delta", positive=True)
        with as_written():
            near = Abs(r) <= delta
            lines = [
                Line(
                    Piecewise((r**2 / 2, near), (delta * (Abs(r) - delta / 2), True)),
                    "a parabola, continued by its tangents",
                ),
                Line(
                    Piecewise((r, near), (delta * sign(r), True)) * Partial(r, y_hat),
                    "chain rule, on each branch",
                    wrt=y_hat,
                ),
                Line(
                    Piecewise((r, near), (delta * sign(r), True)),
                    "the residual moves one for one with the score",
                ),
                Line(
                    Max(-delta, Min(r, delta)),
                    "that is the residual, clipped to the interval from -δ to δ",
                ),
                Line(Max(-delta, Min(y_hat - y, delta)), "put the residual back"),
            ]
            return Derivation(ell, lines, where={r: y_hat - y})
