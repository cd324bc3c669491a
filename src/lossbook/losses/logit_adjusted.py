"""The logit-adjusted loss: cross-entropy with the log-priors added to the logits."""

import math
from dataclasses import dataclass

from lossbook._validation import (
    LARGEST,
    array_namespace,
    floating,
    require_not_negative,
    require_positives,
)
from lossbook.losses._base import SoftmaxLoss, require_classes
from lossbook.losses.multiclass_classification import CrossEntropy

PLAIN = CrossEntropy()


@dataclass(frozen=True)
class LogitAdjustedLoss(SoftmaxLoss):
    """The cross-entropy of scores + tau * log(priors), in nats: Menon et al. (2021),
    equation 10.

    priors: C positive numbers that sum to one (to within 0.01: a common factor moves all
        logits alike and changes nothing), the probability of each class in training.
    tau: at least 0; 0 gives the cross-entropy, 1 the one that is consistent for the
        balanced error.

    The scores are used as they are afterwards, without the priors: their largest is the
    predicted class.

    Raises TypeError or ValueError when priors or tau are no such numbers, or there are
    not as many priors as classes.
    """

    priors: tuple
    tau: float = 1.0

    def __post_init__(self):
        object.__setattr__(self, "priors", _priors(self.priors))
        object.__setattr__(self, "tau", _tau(self.tau))

    def _per_class(self):
        return {"priors": self.priors}

    def _value_and_gradient(self, scores, targets):
        shift = _shift(self.priors, self.tau, scores)
        return PLAIN._value_and_gradient(scores + shift, targets)

    def derivation(self):
        """-log of the adjusted probability of the class, differentiated in logit i."""
        from sympy import Idx, IndexedBase, KroneckerDelta, Sum, exp, log, symbols

        from lossbook.derivation import Derivation, Line, as_written

        ell = symbols("ell", real=True)
        tau = symbols("tau", nonnegative=True)
        size = symbols("C", integer=True, positive=True)
        i, j, y = (Idx(name, (1, size)) for name in "ijy")
        z, p = (IndexedBase(name, real=True) for name in "zp")
        pi = IndexedBase("pi", positive=True)
        with as_written():

            def adjusted(c):
                return z[c] + tau * log(pi[c])

            total = Sum(exp(adjusted(j)), j)
            lines = [
                Line(-log(p[y]), "minus the log of the adjusted probability"),
                Line(
                    log(total) - adjusted(y),
                    "the softmax of the adjusted logits; the log of a quotient",
                ),
                Line(
                    exp(adjusted(i)) / total - KroneckerDelta(i, y),
                    "chain rule in the first term: the prior is a constant; the second "
                    "holds $z_i$ or does not",
                    wrt=z[i],
                ),
                Line(p[i] - KroneckerDelta(i, y), "the softmax again"),
            ]
            return Derivation(ell, lines, where={p[i]: exp(adjusted(i)) / total})

    def derivation_values(self, targets):
        """π and τ, by the symbols of `derivation`."""
        return {"pi": self.priors, "tau": self.tau}


def adjust_logits(scores, priors, tau=1.0):
    """scores - tau * log(priors): the logits (..., C) of a model that was trained plainly,
    adjusted afterwards. Menon et al. (2021), equation 9.

    priors, tau: as in `LogitAdjustedLoss`. float32 and float64 are kept.

    Raises TypeError or ValueError when the scores are not finite floating-point numbers,
    or priors and tau are not as `LogitAdjustedLoss` asks.
    """
    scores = floating(scores, "scores", axis_of_classes=True)
    priors, tau = _priors(priors), _tau(tau)
    require_classes(scores, scores.shape[-1], priors, "priors")
    return scores - _shift(priors, tau, scores)


def _shift(priors, tau, scores):
    xp = array_namespace(scores)
    shift = [tau * math.log(prior) for prior in priors]
    return xp.asarray(shift, dtype=scores.dtype, device=scores.device)


def _tau(tau):
    return require_not_negative(tau, "tau", LARGEST)


def _priors(priors):
    priors = require_positives(priors, "priors")
    total = math.fsum(priors)
    if abs(total - 1) > 0.01 + 1e-9:
        raise ValueError(f"priors must sum to one, got {priors} with the sum {total:g}")
    return priors
