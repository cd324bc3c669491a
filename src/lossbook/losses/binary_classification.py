"""The sigmoid, and the cross-entropy of two classes on top of it."""

from dataclasses import dataclass

from lossbook._validation import array_namespace, floating
from lossbook.losses._base import BinaryLoss


def sigmoid(scores):
    """The probability 1 / (1 + exp(-score)) that belongs to a logit, of any shape.

    float32 and float64 are kept, Python numbers become float64. No overflow for any
    finite score: the exponential is only taken of numbers that are not positive.

    Raises TypeError when the scores are not floating-point numbers, ValueError when one
    is NaN or infinite.
    """
    return _sigmoid(floating(scores, "scores"))


def _sigmoid(scores):
    xp = array_namespace(scores)
    zero = xp.zeros((), dtype=scores.dtype, device=scores.device)
    # above 0 it is 1 / (1 + exp(-z)), below 0 exp(z) / (1 + exp(z))
    return xp.exp(xp.minimum(scores, zero)) / (1 + xp.exp(-xp.abs(scores)))


def _quick_sigmoid(scores):
    """PyTorch's own for tensors, one pass over the memory where `_sigmoid` makes seven; a
    result below the normal numbers may be 0."""
    xp = array_namespace(scores)
    return xp.sigmoid(scores) if hasattr(xp, "sigmoid") else _sigmoid(scores)


def _softplus(scores, p, rest):
    """log(1 + exp(score)), all its digits, with p the sigmoid of the score and 1 - p in
    the place of another exponential."""
    xp = array_namespace(scores)
    zero = xp.zeros((), dtype=scores.dtype, device=scores.device)
    if getattr(p, "requires_grad", False):
        return xp.logaddexp(zero, scores)  # the minimum below has no slope next to 0
    smaller = xp.minimum(p, rest)
    smaller *= -1
    softplus = xp.maximum(scores, zero)
    softplus -= xp.log1p(smaller)
    return softplus


@dataclass(frozen=True)
class BinaryCrossEntropy(BinaryLoss):
    """The cross-entropy of a 0/1 target under the probability sigmoid(score), in nats.

    Same as ``torch.nn.BCEWithLogitsLoss(reduction="none")``. Both value and gradient
    keep their digits where the prediction is nearly right and they are tiny; of tensors,
    down to the smallest normal number.
    """

    def _value_and_gradient(self, scores, targets):
        sign = 1 - 2 * targets
        toward_wrong = sign * scores
        wrong = _quick_sigmoid(toward_wrong)  # the probability of the other class
        value = _softplus(toward_wrong, wrong, 1 - wrong)
        return value, sign * wrong  # p - y, without the subtraction

    def derivation(self):
        """-log of the probability of the target, differentiated in the logit: p - y."""
        from sympy import exp, log, symbols

        from lossbook.derivation import Derivation, Line, Partial, as_written

        ell, z, y, p = symbols("ell z y p", real=True)
        with as_written():
            lines = [
                Line(
                    -y * log(p) - (1 - y) * log(1 - p),
                    "minus the log of the probability of what was seen",
                ),
                Line(Partial(ell, p) * Partial(p, z), "chain rule", wrt=z),
                Line(
                    (-(y / p) + (1 - y) / (1 - p)) * (p * (1 - p)),
                    "differentiate the logarithms; the slope of the sigmoid",
                ),
                Line(-y * (1 - p) + (1 - y) * p, "multiply out: each p cancels one"),
                Line(p - y, "collect terms"),
            ]
            return Derivation(ell, lines, where={p: 1 / (1 + exp(-z))})


def sigmoid_derivation():
    """The slope of the sigmoid, p (1 - p), as a `lossbook.derivation.Derivation`."""
    from sympy import exp, symbols

    from lossbook.derivation import Derivation, Line, as_written

    p, z = symbols("p z", real=True)
    with as_written():
        lines = [
            Line(1 / (1 + exp(-z)), "the sigmoid"),
            Line(exp(-z) / (1 + exp(-z)) ** 2, "quotient rule", wrt=z),
            Line(
                1 / (1 + exp(-z)) * (exp(-z) / (1 + exp(-z))),
                "split the square",
            ),
            Line(p * (1 - p), "the second factor is what is missing to one"),
        ]
        return Derivation(p, lines)
