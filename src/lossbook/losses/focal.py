"""The focal loss: cross-entropy that fades where the model is already right."""

from dataclasses import dataclass

from lossbook._validation import (
    LARGEST,
    array_namespace,
    require_not_negative,
    require_number,
    require_positives,
)
from lossbook.losses._base import BinaryLoss, SoftmaxLoss, of_class, power
from lossbook.losses.binary_classification import _quick_sigmoid, _softplus
from lossbook.losses.multiclass_classification import CrossEntropy

PLAIN = CrossEntropy()


@dataclass(frozen=True)
class BinaryFocalLoss(BinaryLoss):
    """The focal loss of Lin et al. (2017), equation 5: -α_y (1 - p_y)^γ log p_y, in nats.

    gamma: at least 0; 0 gives the cross-entropy.
    alpha: from 0 to 1, the weight of the positives; the negatives weigh 1 - alpha. None
        gives both the weight 1 (equation 4).

    Raises TypeError or ValueError when gamma or alpha is no such number.
    """

    gamma: float = 2.0
    alpha: float | None = 0.25

    def __post_init__(self):
        gamma = require_not_negative(self.gamma, "gamma", LARGEST)
        object.__setattr__(self, "gamma", gamma)
        if self.alpha is not None:
            alpha = require_number(self.alpha, "alpha")
            if not 0 <= alpha <= 1:
                raise ValueError(f"alpha must be from 0 to 1, or None, got {alpha}")
            object.__setattr__(self, "alpha", alpha)

    def _value_and_gradient(self, scores, targets):
        toward_wrong = 1 - targets
        toward_wrong -= targets  # 1 for negatives, -1 for positives
        toward_wrong *= scores
        wrong = _quick_sigmoid(toward_wrong)
        right = 1 - wrong  # p_y
        surprise = _softplus(toward_wrong, wrong, right)
        factor = power(wrong, self.gamma)
        # no power of gamma - 1: its factor 1 - p_y was cancelled on paper
        slope = right * surprise
        slope *= self.gamma
        slope += wrong
        # the weight with the sign: -alpha for positives, 1 - alpha for negatives
        alpha, rest = (1, 1) if self.alpha is None else (self.alpha, 1 - self.alpha)
        signed = rest * (1 - targets)
        signed -= alpha * targets
        signed *= factor
        slope *= signed
        return array_namespace(signed).abs(signed) * surprise, slope

    def derivation(self):
        """Differentiated in the logit, with the product rule: both factors hold p_y."""
        from sympy import exp, log, symbols

        from lossbook.derivation import Derivation, Line, Partial, as_written

        ell, z, y, p, s = symbols("ell z y p_y s_y", real=True)
        gamma = symbols("gamma", nonnegative=True)
        alpha, weight = symbols("alpha alpha_y", real=True)
        with as_written():
            where = {p: 1 / (1 + exp(-s * z)), s: 2 * y - 1}
            if self.alpha is not None:
                where[weight] = alpha * y + (1 - alpha) * (1 - y)

            def line(expression, reason):
                whole = expression if self.alpha is None else weight * expression
                return Line(whole, reason)

            by_factors = gamma * (1 - p) ** (gamma - 1) * log(p) - (1 - p) ** gamma / p
            lines = [
                line(
                    -((1 - p) ** gamma) * log(p),
                    "the cross-entropy of the true class, times the modulating factor",
                ),
                Line(Partial(ell, p) * Partial(p, z), "chain rule", wrt=z),
                line(
                    by_factors * (s * p * (1 - p)),
                    "product rule: the factor's own slope, then the logarithm's; "
                    "the slope of the sigmoid",
                ),
                line(
                    s * (1 - p) ** gamma * (gamma * p * log(p) - (1 - p)),
                    "multiply in: $p_y$ cancels, and $1 - p_y$ makes the power whole",
                ),
            ]
        return Derivation(ell, lines, where)

    def derivation_values(self, targets):
        """γ, and α where there is one."""
        alpha = {} if self.alpha is None else {"alpha": self.alpha}
        return {"gamma": self.gamma, **alpha}


@dataclass(frozen=True)
class FocalLoss(SoftmaxLoss):
    """The focal loss of a class under softmax(scores): -α_y (1 - p_y)^γ log p_y, in nats.

    gamma: at least 0; 0 gives the (weighted) cross-entropy.
    weights: C positive numbers α_c, a factor for each class; None gives all the weight 1.

    Source: Lin et al. (2017), equation 5, with the probability of the softmax.

    Raises TypeError or ValueError when gamma or a weight is no such number, or there are
    not as many weights as classes.
    """

    gamma: float = 2.0
    weights: tuple | None = None

    def __post_init__(self):
        gamma = require_not_negative(self.gamma, "gamma", LARGEST)
        object.__setattr__(self, "gamma", gamma)
        if self.weights is not None:
            weights = require_positives(self.weights, "weights")
            object.__setattr__(self, "weights", weights)

    def _per_class(self):
        return {} if self.weights is None else {"weights": self.weights}

    def _value_and_gradient(self, scores, targets):
        xp = array_namespace(scores)
        surprise, gradient = PLAIN._value_and_gradient(scores, targets)
        wrong, right = -xp.expm1(-surprise), xp.exp(-surprise)
        factor = power(wrong, self.gamma)
        if self.weights is not None:
            factor = factor * of_class(self.weights, targets, scores)
        # surprise / wrong, which tends to 1 as both go to 0
        seen = wrong > 0
        ratio = xp.where(seen, surprise, 1) / xp.where(seen, wrong, 1)
        slope = factor * (1 + self.gamma * right * ratio)
        return factor * surprise, slope[..., None] * gradient

    def derivation(self):
        """Differentiated in logit i, with the product rule: both factors hold p_y."""
        from sympy import Idx, IndexedBase, KroneckerDelta, Sum, exp, log, symbols

        from lossbook.derivation import Derivation, Line, Partial, as_written

        ell = symbols("ell", real=True)
        gamma = symbols("gamma", nonnegative=True)
        size = symbols("C", integer=True, positive=True)
        i, j, y = (Idx(name, (1, size)) for name in "ijy")
        z, p = (IndexedBase(name, real=True) for name in "zp")
        alpha = IndexedBase("alpha", positive=True)

        def line(expression, reason):
            whole = expression if self.weights is None else alpha[y] * expression
            return Line(whole, reason)

        with as_written():
            q = 1 - p[y]
            by_factors = gamma * q ** (gamma - 1) * log(p[y]) - q**gamma / p[y]
            lines = [
                line(
                    -(q**gamma) * log(p[y]),
                    "the cross-entropy of the true class, times the modulating factor",
                ),
                Line(Partial(ell, p[y]) * Partial(p[y], z[i]), "chain rule", wrt=z[i]),
                line(
                    by_factors * (p[y] * (KroneckerDelta(i, y) - p[i])),
                    "product rule: the factor's own slope, then the logarithm's; "
                    "the Jacobian of the softmax",
                ),
                line(
                    (q**gamma - gamma * q ** (gamma - 1) * p[y] * log(p[y]))
                    * (p[i] - KroneckerDelta(i, y)),
                    "multiply by $p_y$, and turn both signs",
                ),
            ]
            where = {p[i]: exp(z[i]) / Sum(exp(z[j]), j)}
        # one class is always right: its 1 - p is 0
        return Derivation(ell, lines, where, smallest_size=2)

    def derivation_values(self, targets):
        """γ, and the weights α where there are any."""
        alpha = {} if self.weights is None else {"alpha": self.weights}
        return {"gamma": self.gamma, **alpha}
