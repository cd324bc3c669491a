"""The class-balanced loss: a class weighs the less, the more its samples repeat one
another."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from lossbook._validation import (
    array_namespace,
    as_numpy,
    floating,
    refuse_where,
    require_number,
    require_positives,
)
from lossbook.losses._base import (
    BinaryLoss,
    Loss,
    SoftmaxLoss,
    of_class,
    require_classes,
)
from lossbook.losses.weighted_cross_entropy import weighted_derivation


def effective_number(counts, beta):
    """The effective number of samples, (1 - β^n) / (1 - β).

    Source: Cui et al. (2019), proposition 1.

    counts: positive whole numbers n, one for each class, or a single one. beta: from 0
        (every class counts as one sample) to below 1 (towards 1: as its n samples).
    Returns a float64 NumPy array with one for each class, or a float, from 1 to n.

    Raises TypeError or ValueError when a count or beta is no such number.
    """
    if not isinstance(counts, Iterable):
        return float(effective_number([counts], beta)[0])
    counts, beta = _counts(counts), _beta(beta)
    if beta == 0:
        return np.ones(len(counts))
    # 1 - beta^n without the subtraction, which costs digits where beta is near 1
    return -np.expm1(np.array(counts) * math.log(beta)) / (1 - beta)


@dataclass(frozen=True)
class ClassBalancedLoss(Loss):
    """A loss whose samples are weighted by the inverse effective number of their class:
    Cui et al. (2019), section 4.

    base: a `SoftmaxLoss` or a `BinaryLoss` of the book.
    counts: C positive whole numbers, the samples of each class in training.
    beta: from 0 to below 1. The weights are (1 - beta) / (1 - beta^n), scaled to sum to C.

    With a softmax base, scores (..., C) and integer targets (...). With a sigmoid base
    either scores (N, C) and one-hot targets (N, C), where all C losses of a sample have
    the weight of its class, or scores (N,) and targets 0 and 1, with ``counts =
    (negatives, positives)``. value, gradient: as the base's.

    Attribute ``weights``: the weights of the classes, a tuple of C floats that sum to C.

    Raises TypeError or ValueError when the base is another loss, counts or beta are no
    such numbers, or the shapes do not fit the counts.
    """

    base: Any
    counts: tuple
    beta: float = 0.999

    def __post_init__(self):
        if not isinstance(self.base, SoftmaxLoss | BinaryLoss):
            raise TypeError(
                f"base must be a loss of classes, of logits, got {self.base!r:.60}"
            )
        object.__setattr__(self, "counts", _counts(self.counts))
        object.__setattr__(self, "beta", _beta(self.beta))
        inverse = 1 / effective_number(self.counts, self.beta)
        weights = len(inverse) * inverse / inverse.sum()
        object.__setattr__(self, "weights", tuple(weights.tolist()))

    def _fitted(self, scores, targets):
        scores, targets = self.base._fitted(scores, targets)
        n_classes = 2 if self._binary(scores) else scores.shape[-1]
        require_classes(scores, n_classes, self.counts, "counts")
        return scores, targets

    def _binary(self, scores):
        return isinstance(self.base, BinaryLoss) and scores.ndim < 2

    def _check_targets(self, scores, targets):
        self.base._check_targets(scores, targets)
        if isinstance(self.base, BinaryLoss) and not self._binary(scores):
            ones = array_namespace(targets).sum(targets, axis=-1)
            refuse_where(
                ones != 1, ones, "targets", "be one-hot, with a single 1 a row"
            )

    def _weight(self, scores, targets):
        """The weight of each sample, in a shape that fits its value."""
        xp = array_namespace(scores)
        if isinstance(self.base, SoftmaxLoss):
            return of_class(self.weights, targets, scores)
        if self._binary(scores):
            negative, positive = self.weights
            return negative * (1 - targets) + positive * targets
        weights = xp.asarray(self.weights, dtype=scores.dtype, device=scores.device)
        return xp.sum(weights * targets, axis=-1, keepdims=True)

    def _value(self, scores, targets):
        return self._weight(scores, targets) * self.base._value(scores, targets)

    def _value_and_gradient(self, scores, targets):
        value, gradient = self.base._value_and_gradient(scores, targets)
        weight = self._weight(scores, targets)
        softmax = isinstance(self.base, SoftmaxLoss)
        return weight * value, (weight[..., None] if softmax else weight) * gradient

    def derivation(self):
        """The derivation of the base, every line times ω, the weight of the sample."""
        from sympy import Idx, IndexedBase, symbols

        if isinstance(self.base, BinaryLoss):
            return weighted_derivation(self.base, symbols("omega", positive=True))
        size = symbols("C", integer=True, positive=True)
        weights = IndexedBase("omega", positive=True)
        return weighted_derivation(self.base, weights[Idx("y", (1, size))])

    def derivation_values(self, targets):
        """The base's, and ω: a weight for each class, or for each of the targets where
        the base is a sigmoid loss."""
        weights = self.weights
        if isinstance(self.base, BinaryLoss):
            targets = floating(as_numpy(targets, "targets").astype(float), "targets")
            if not self._binary(targets):
                n_classes = targets.shape[-1]
                require_classes(targets, n_classes, self.counts, "counts", "targets")
            self._check_targets(targets, targets)
            weights = np.broadcast_to(self._weight(targets, targets), targets.shape)
        return {**self.base.derivation_values(targets), "omega": weights}


def effective_number_derivation():
    """The induction of Cui et al. (2019), proposition 1: from n - 1 samples to n."""
    from sympy import symbols

    from lossbook.derivation import Derivation, Line, as_written

    number = symbols("E_n", real=True)
    beta = symbols("beta", nonnegative=True)
    n = symbols("n", integer=True, positive=True)
    with as_written():
        before = (1 - beta ** (n - 1)) / (1 - beta)
        lines = [
            Line(
                1 + beta * before,
                "one new sample, and β of what the others covered",
            ),
            Line(
                (1 - beta + beta - beta * beta ** (n - 1)) / (1 - beta),
                "over one denominator",
            ),
            Line((1 - beta**n) / (1 - beta), "collect terms"),
        ]
        return Derivation(number, lines)


def _counts(counts):
    counts = require_positives(counts, "counts")
    for c, count in enumerate(counts):
        if count != int(count):
            raise ValueError(f"counts[{c}] must be a whole number, got {count}")
    return tuple(map(int, counts))


def _beta(beta):
    beta = require_number(beta, "beta")
    if not 0 <= beta < 1:
        raise ValueError(f"beta must be from 0 to below 1, got {beta}")
    return beta
