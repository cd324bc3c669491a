"""The softmax, and the cross-entropy of many classes on top of it."""

from dataclasses import dataclass

from lossbook._validation import array_namespace, floating, require_number
from lossbook.losses._base import SoftmaxLoss, with_entry


def softmax(scores):
    """Probabilities (..., C) from logits (..., C): exp(score), scaled to sum to one.

    float32 and float64 are kept, lists become float64. No overflow for finite scores.

    Raises TypeError when the scores are not floating-point numbers, ValueError when one
    is NaN or infinite or there is no axis of classes.
    """
    return _softmax_and_log(floating(scores, "scores", axis_of_classes=True))[0]


def log_softmax(scores):
    """The logarithms of `softmax`, in nats, finite where all differences of scores are.

    Shapes, types and errors as in `softmax`.
    """
    return _softmax_and_log(floating(scores, "scores", axis_of_classes=True))[1]


def _softmax_and_log(scores):
    xp = array_namespace(scores)
    shifted = scores - xp.max(scores, axis=-1, keepdims=True)
    powers = xp.exp(shifted)  # at most one, so nothing overflows
    # The largest power is exactly one; log1p keeps the digits of all the others, whose
    # sum is that of the smaller ones, and one for each that is as large.
    largest = xp.floor(powers)
    others = xp.sum(powers - largest, axis=-1, keepdims=True)
    others = others + (xp.sum(largest, axis=-1, keepdims=True) - 1)
    return powers / (1 + others), shifted - xp.log1p(others)


@dataclass(frozen=True)
class CrossEntropy(SoftmaxLoss):
    """The cross-entropy of a class under softmax(scores), in nats.

    label_smoothing: the share ξ of the target's probability that is spread evenly over
        all C classes, from 0 to 1.

    Same as ``torch.nn.CrossEntropyLoss(label_smoothing=..., reduction="none")``.

    Raises TypeError or ValueError when label_smoothing is not such a number.
    """

    label_smoothing: float = 0.0

    def __post_init__(self):
        smoothing = require_number(self.label_smoothing, "label_smoothing")
        if not 0 <= smoothing <= 1:
            raise ValueError(f"label_smoothing must be from 0 to 1, got {smoothing}")
        object.__setattr__(self, "label_smoothing", smoothing)

    def _value_and_gradient(self, scores, targets):
        xp = array_namespace(scores)
        p, log_p = _softmax_and_log(scores)
        log_p_y = xp.take_along_axis(log_p, targets[..., None], axis=-1)
        smoothing, even = self.label_smoothing, 1 / scores.shape[-1]
        value = -(1 - smoothing) * log_p_y[..., 0]
        # p - y; where y is 1, p - 1 is taken from log p, which has its digits
        gradient = with_entry(p, targets, xp.expm1(log_p_y) + smoothing)
        if smoothing:
            value = value - smoothing * xp.mean(log_p, axis=-1)
            gradient = gradient - smoothing * even
        return value, gradient

    def derivation(self):
        """-log of the probability of the class, differentiated in logit i: p_i minus
        the target."""
        from sympy import Idx, IndexedBase, KroneckerDelta, Sum, exp, log, symbols

        from lossbook.derivation import Derivation, Line, as_written

        ell = symbols("ell", real=True)
        size = symbols("C", integer=True, positive=True)
        xi = symbols("xi", nonnegative=True)
        i, j, k, y = (Idx(name, (1, size)) for name in "ijky")
        z, p, q = (IndexedBase(name, real=True) for name in "zpq")
        with as_written():
            p_of_i = {p[i]: exp(z[i]) / Sum(exp(z[j]), j)}
            if not self.label_smoothing:
                lines = [
                    Line(-log(p[y]), "minus the log of the probability of the class"),
                    Line(-log(exp(z[y]) / Sum(exp(z[j]), j)), "the softmax"),
                    Line(log(Sum(exp(z[j]), j)) - z[y], "the log of a quotient"),
                    Line(
                        exp(z[i]) / Sum(exp(z[j]), j) - KroneckerDelta(i, y),
                        "chain rule in the first term; the second is $z_i$ or is not",
                        wrt=z[i],
                    ),
                    Line(p[i] - KroneckerDelta(i, y), "the softmax again"),
                ]
                return Derivation(ell, lines, where=p_of_i)
            smoothed = (1 - xi) * KroneckerDelta(i, y) + xi / size
            lines = [
                Line(-Sum(q[k] * log(p[k]), k), "the cross-entropy of soft targets"),
                Line(
                    -Sum(q[k] * (z[k] - log(Sum(exp(z[j]), j))), k),
                    "the log of the softmax",
                ),
                Line(
                    log(Sum(exp(z[j]), j)) - Sum(q[k] * z[k], k),
                    "the targets sum to one",
                ),
                Line(
                    exp(z[i]) / Sum(exp(z[j]), j) - q[i],
                    "chain rule in the first term; one term of the sum holds $z_i$",
                    wrt=z[i],
                ),
                Line(p[i] - q[i], "the softmax again"),
            ]
            return Derivation(ell, lines, where={**p_of_i, q[i]: smoothed})

    def derivation_values(self, targets):
        """ξ, the symbol of the label smoothing in `derivation`."""
        return {"xi": self.label_smoothing}


def softmax_derivation():
    """The Jacobian of the softmax, p_i (δ_ij - p_j), as a `Derivation`."""
    from sympy import Idx, IndexedBase, KroneckerDelta, Sum, exp, symbols

    from lossbook.derivation import Derivation, Line, as_written

    size = symbols("C", integer=True, positive=True)
    i, j, k = (Idx(name, (1, size)) for name in "ijk")
    z, p = (IndexedBase(name, real=True) for name in "zp")
    total = Sum(exp(z[k]), k)
    with as_written():
        lines = [
            Line(exp(z[i]) / total, "the softmax"),
            Line(
                KroneckerDelta(i, j) * exp(z[i]) / total
                - exp(z[i]) * exp(z[j]) / total**2,
                "quotient rule; $z_j$ is in the numerator only if it is $z_i$",
                wrt=z[j],
            ),
            Line(
                KroneckerDelta(i, j) * p[i] - p[i] * p[j],
                "two softmaxes, multiplied",
            ),
            Line(p[i] * (KroneckerDelta(i, j) - p[j]), "factor out"),
        ]
        return Derivation(
            symbols("p_i", real=True), lines, where={p[i]: exp(z[i]) / total}
        )
