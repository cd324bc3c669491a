"""The mistakes that `lossbook.checks.diagnose` looks for, one line each.

A `Hypothesis` is a sentence and a function that makes the mistake: it takes the right
computation, a `lossbook.case.Case`, and returns what someone who makes that mistake would
get. It returns either numbers,

    Hypothesis("it is multiplied by 3", lambda case: 3 * case.numbers)

or the same case with a piece of its formula changed, from which everything after that
piece follows,

    Hypothesis("the targets are halved", lambda case: case.given(q=case.q / 2))

or None where the mistake cannot be made. A mistake that is not in the table is tried with
``diagnose(..., hypotheses=[*HYPOTHESES, Hypothesis(...)])``.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lossbook._validation import (
    require_callable,
    require_choice,
    require_flag,
    require_instance,
    require_text,
)
from lossbook.case import OF, Case
from lossbook.case import _sigmoid as sigmoid
from lossbook.case import _softmax as softmax

CLASSES, SIGMOID, SOFTMAX, REGRESSION = (
    "sigmoid softmax",
    "sigmoid",
    "softmax",
    "regression",
)
ELEMENTWISE, EVERY = "regression sigmoid", "regression sigmoid softmax"
WEIGHTS, BIAS, LAYER, VALUE = "weights", "bias", "weights bias", "value"
GRADIENTS, ALL = "gradient weights bias", "value gradient weights bias"


@dataclass(frozen=True)
class Hypothesis:
    """A mistake, and what comes of it.

    mistake: a clause that says what is wrong. make: a function of a `Case` that returns
        the mistaken numbers, the case with a piece changed, or None.
    kinds: the kinds of losses that it is tried for. of: what it is tried on.
    reduction: whether it is only another way of adding up or averaging.
    """

    mistake: str
    make: Callable[[Case], Any]
    kinds: str = EVERY
    of: str = ALL
    reduction: bool = False

    def __post_init__(self):
        require_text(self.mistake, "mistake")
        require_callable(self.make, "make")
        require_flag(self.reduction, "reduction")
        for name, choices in (("kinds", EVERY.split()), ("of", OF)):
            for word in require_text(getattr(self, name), name).split():
                require_choice(word, name, choices)

    def apply(self, case):
        """The mistaken `Case`; None where the mistake cannot be made there."""
        require_instance(case, "case", Case, "a Case")
        if case.kind not in self.kinds.split() or case.of not in self.of.split():
            return None
        try:
            made = self.make(case)
            if made is None:
                return None
            if not isinstance(made, Case):
                made = replace(case, answer=np.asarray(made, dtype=np.float64))
            made.numbers  # noqa: B018 (its pieces may not fit together)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
            return None  # such a mistake needs another loss or another shape
        return made


def _times(factor):
    """A maker of numbers that are off by a factor; None or 1 is no mistake."""

    def make(case):
        by = factor(case)
        return None if by is None or by == 1 else by * case.numbers

    return make


def _reweighted(new):
    """A maker of a case with other weights of the classes."""

    def make(case):
        old = case.weights
        return None if old is None else case.given(weights=new(np.asarray(old), case))

    return make


def _axes(n_axes, change):
    """A maker of a result with other axes, where it has at least so many."""

    def changed(numbers):
        if np.ndim(numbers) < n_axes:
            raise ValueError("too few axes")
        return change(numbers)

    return lambda case: case.then(changed)


def _signed(case):
    """Targets -1 and 1 where 0 and 1 belong."""
    return 2 * case.y - 1


def _signed_weight(case):
    """The weights by their formula, with such targets in it."""
    if case.weights is None:
        raise ValueError("no weights")
    return case.weight_of(_signed(case))


def _beside_factor(make):
    """A maker that is tried where a weight or a modulating factor knows the targets too,
    and may have them right."""
    return lambda c: make(c) if c.weights is not None or np.any(c.gamma != 0) else None


def _by_target(case, mixed):
    """y times the formula of a positive plus 1 - y times that of a negative, for targets
    that are not 0 and 1."""
    ones = np.ones_like(case.targets)
    positive, negative = (replace(case, targets=t).numbers for t in (ones, 0 * ones))
    return mixed * positive + (1 - mixed) * negative


def _jacobian_diagonal(case):
    """The chain rule through the diagonal of the softmax's Jacobian alone."""
    true = case.y if np.ndim(case.gamma) == 0 and case.gamma else case.q
    return -case.factor * true * case.rest


def _in_p(case):
    """d value / d p: for classes only the terms with a target."""
    if case.kind == "sigmoid":
        return case.gradient / (case.p * case.rest)
    return -case.factor * case.q / case.p


def _huber(inside, outside):
    def make(case):
        delta, r = case.base.delta, case.residual
        return np.where(np.abs(r) <= delta, inside(r, delta), outside(r, delta))

    return make


def _table(case):
    """(N, 1) against (N,): every score with every target."""
    if case.kind == "softmax" or case.scores.ndim != 1 or case.features is not None:
        return None
    whole = np.broadcast_to(case.targets, (case.n, case.n))
    scores = np.broadcast_to(case.scores[:, None], whole.shape)
    if hasattr(case.loss, "counts"):
        return None
    return case.given(scores=scores, targets=whole)


def _argmax(p):
    return (p == p.max(axis=-1, keepdims=True)).astype(np.float64)


def _columns(case):
    """The weights along the axis of classes, the same for every sample."""
    if case.weights is None or case.scores.ndim == 0 or case.of == "value":
        return None
    if case.scores.shape[-1] != len(case.weights):
        return None
    return case.given(weight=np.asarray(case.weights))


def _weighted_mean(case):
    """PyTorch's mean: the sum divided by the sum of the samples' weights."""
    if case.weights is None:
        return None
    shape = case.targets.shape + (1,) * (case.kind == "softmax")
    total = np.broadcast_to(case.weight, shape).sum()
    return case.numbers * (case.n if case.features is not None else 1) / total


def _smoothed(make):
    def given(case):
        share = getattr(case.base, "label_smoothing", 0)
        return case.given(q=make(case.y, share, case.n_classes)) if share else None

    return given


def _prior(shift):
    def given(case):
        tau, priors = case.base.tau, np.array(case.base.priors)
        return case.given(z=case.scores + shift(tau, priors))

    return given


def _negatives(wrong):
    """A maker of a case with another ``wrong`` for negatives, of p and the margin."""

    def given(case):
        if not case.margin:
            return None
        changed = wrong(case.p, case.margin)
        return case.given(wrong=np.where(case.y == 1, case.wrong, changed))

    return given


def _balanced(weights):
    """A maker of a case with class-balanced weights by another formula of counts and
    beta."""

    def given(case):
        counts = np.array(case.loss.counts, dtype=np.float64)
        return case.given(weights=weights(counts, case.loss.beta))

    return given


def _focal(make):
    """A maker that is tried where there is a focusing exponent."""
    return lambda case: make(case) if np.any(case.gamma != 0) else None


def _scaled(weights):
    """To sum to the number of classes."""
    return len(weights) * weights / weights.sum()


def _through_softmax(case):
    g = case.given(z=softmax(case.z)).numbers
    return case.p * (g - np.sum(g * case.p, axis=-1, keepdims=True))


def _inside(case):
    """The weight goes into the surprise before the factor is computed from it."""
    if case.weights is None or not np.any(case.gamma):
        return None
    weighted = case.weight * case.surprise
    return case.given(modulation=(-np.expm1(-weighted)) ** case.gamma)


def _unclipped(case):
    """p - margin below 0 has slopes as well."""
    if not case.margin:
        return None
    lowered = np.where(case.y == 1, case.wrong, case.p - case.margin)
    reach = np.where(case.y == 1, 1.0, case.rest / (1 - lowered))
    return case.given(wrong=lowered, reach=reach)


def _margin(case, positives, negatives, sign=1):
    """The margin on the positives, where p_y is lowered, and on the negatives."""
    margin = case.margin
    if not margin:
        return None
    lowered = np.clip(case.p - sign * margin, 0, 1) if positives else case.p
    raised = np.clip(case.p - margin, 0, None) if negatives else case.p
    right = np.where(case.y == 1, lowered, 1 - raised)
    reach = np.where(right > 0, np.where(case.y == 1, case.p, case.rest) / right, 0)
    inside = np.where(case.y == 1, (lowered > 0) & (lowered < 1), raised > 0)
    return case.given(
        wrong=1 - right, surprise=-np.log(right), reach=np.where(inside, reach, 0)
    )


def _rows(kinds, of, rows, reduction=False):
    return [
        Hypothesis(mistake, make, kinds, of, reduction)
        for mistake, make in rows.items()
    ]


# fmt: off
HYPOTHESES = (
    # signs, factors and reductions
    *_rows(EVERY, ALL, {
        "the sign is wrong": lambda c: -c.numbers,
    }),
    *_rows(EVERY, ALL, {
        "it is divided by N, the number of samples": _times(lambda c: 1 / c.n),
        "it is multiplied by N, the number of samples": _times(lambda c: float(c.n)),
        "it is divided by the number of all its entries":
            _times(lambda c: 1 / c.scores.size if c.scores.size != c.n else None),
        "it is divided by the number of all targets":
            _times(lambda c: 1 / c.targets.size if c.targets.size not in (c.n, c.scores.size) else None),
    }, reduction=True),
    *_rows(CLASSES, ALL, {
        "it is divided by the sum of the samples' weights": _weighted_mean,
    }, reduction=True),
    *_rows(EVERY, VALUE, {
        "it is added up, to one number": _axes(1, np.sum),
        "it is averaged, to one number": _axes(1, np.mean),
    }, reduction=True),
    *_rows(EVERY, ALL, {
        "it is multiplied by 2": _times(lambda c: 2),
        "it is multiplied by 1/2": _times(lambda c: 1 / 2),
    }),
    *_rows(CLASSES, ALL, {
        "it is divided by C, the number of classes": _times(lambda c: 1 / c.n_classes),
        "it is multiplied by C, the number of classes": _times(lambda c: c.n_classes),
        "it is divided by log 2, as with logarithms to the base 2": _times(lambda c: 1 / math.log(2)),
        "it is multiplied by log 2": _times(lambda c: math.log(2)),
        "it is divided by log 10, as with logarithms to the base 10": _times(lambda c: 1 / math.log(10)),
    }),
    *_rows(EVERY, ALL, {
        "its sign is lost: every entry is positive": lambda c: abs(c.numbers),
        "it is nothing but zeros": lambda c: 0 * c.numbers,
    }),
    *_rows(EVERY, GRADIENTS, {
        "it is the value of the loss, not its gradient": lambda c: c.value,
    }),
    *_rows(EVERY, VALUE, {
        "it is the gradient of the loss, not its value": lambda c: c.gradient,
    }),
    # axes
    *_rows(EVERY, ALL, {
        "it is transposed": _axes(2, lambda a: np.swapaxes(a, -1, -2)),
        "the first axis runs backwards": _axes(1, lambda a: a[::-1]),
        "the last axis runs backwards": _axes(2, lambda a: a[..., ::-1]),
        "it is shifted by one along the first axis": _axes(1, lambda a: np.roll(a, 1, 0)),
        "it is shifted by one back along the first axis": _axes(1, lambda a: np.roll(a, -1, 0)),
        "it is added up over the first axis": _axes(2, lambda a: a.sum(0)),
        "it is averaged over the first axis": _axes(2, lambda a: a.mean(0)),
        "it is added up over the last axis": _axes(2, lambda a: a.sum(-1)),
        "it is averaged over the last axis": _axes(2, lambda a: a.mean(-1)),
        "it is a column (N, 1), not a vector": _axes(1, lambda a: a[..., None]),
        "it has an axis of length 1 in front": lambda c: c.then(lambda a: a[None]),
        "it is flattened": _axes(2, np.ravel),
    }),
    *_rows(EVERY, GRADIENTS, {
        "it is added up, to one number": _axes(1, np.sum),
        "it is averaged, to one number": _axes(1, np.mean),
    }),
    *_rows(ELEMENTWISE, ALL, {
        "a column (N, 1) met a vector (N,), and every score every target": _table,
    }),
    # regression
    *_rows(REGRESSION, GRADIENTS, {
        "it is the residual itself": lambda c: c.residual,
        "it is the sign of the residual": lambda c: np.sign(c.residual),
        "it is twice the residual, as for the squared error": lambda c: 2 * c.residual,
        "delta is missing beyond delta, where only the sign is left": _huber(lambda r, d: r, lambda r, d: np.sign(r)),
        "it is 0 beyond delta, where it should stay at delta": _huber(lambda r, d: r, lambda r, d: 0 * r),
        "the sign is missing beyond delta": _huber(lambda r, d: r, lambda r, d: d + 0 * r),
        "it is twice the residual within delta": _huber(lambda r, d: 2 * r, lambda r, d: d * np.sign(r)),
        "it is delta times the sign everywhere": _huber(lambda r, d: d * np.sign(r), lambda r, d: d * np.sign(r)),
        "the two branches have changed places": _huber(lambda r, d: d * np.sign(r), lambda r, d: r),
        "beyond delta it is delta times the residual": _huber(lambda r, d: r, lambda r, d: d * r),
    }),
    *_rows(REGRESSION, ALL, {
        "targets are added to the scores, not subtracted": lambda c: c.given(targets=-c.targets),
        "the targets are ignored": lambda c: c.given(targets=0 * c.targets),
        "it is the square of the residual": lambda c: c.residual ** 2,
        "it is the size of the residual": lambda c: abs(c.residual),
        "it is divided by delta, as SmoothL1Loss is": _times(lambda c: 1 / c.base.delta),
        "it is multiplied by delta": _times(lambda c: c.base.delta),
        "delta is left at 1": lambda c: c.hyper(delta=1.0),
    }),
    *_rows(REGRESSION, VALUE, {
        "it is half the square of the residual": lambda c: c.residual ** 2 / 2,
        "the half is missing within delta": _huber(lambda r, d: r ** 2, lambda r, d: d * (abs(r) - d / 2)),
        "delta / 2 is not subtracted beyond delta": _huber(lambda r, d: r ** 2 / 2, lambda r, d: d * abs(r)),
        "delta is subtracted beyond delta, not delta / 2":
            _huber(lambda r, d: r ** 2 / 2, lambda r, d: d * (abs(r) - d)),
        "the factor delta is missing beyond delta": _huber(lambda r, d: r ** 2 / 2, lambda r, d: abs(r) - d / 2),
        "the two branches have changed places": _huber(lambda r, d: d * (abs(r) - d / 2), lambda r, d: r ** 2 / 2),
    }),
    # the chain rule through the probability
    *_rows(SIGMOID, GRADIENTS, {
        "it is the gradient in p: the factor p (1 - p) of the sigmoid is missing": _in_p,
    }),
    *_rows(SOFTMAX, GRADIENTS, {
        "it is the gradient in p: the Jacobian of the softmax is missing": _in_p,
        "only the diagonal of the softmax's Jacobian is used": _jacobian_diagonal,
        "a factor p (1 - p) is missing": lambda c: c.numbers / (c.p * c.rest),
    }),
    *_rows(CLASSES, GRADIENTS, {
        "a factor p (1 - p) is too many": lambda c: c.numbers * c.p * c.rest,
        "a factor p is too many": lambda c: c.numbers * c.p,
        "a factor 1 - p is too many": lambda c: c.numbers * c.rest,
        "a factor p is missing": lambda c: c.numbers / c.p,
        "a factor 1 - p is missing": lambda c: c.numbers / c.rest,
        "a factor p_y, the probability of the true class, is missing": lambda c: c.numbers / c.p_y,
        "a factor p_y, the probability of the true class, is too many": lambda c: c.numbers * c.p_y,
        "a factor 1 - p_y is too many": lambda c: c.numbers * (1 - c.p_y),
        "a factor 1 - p_y is missing": lambda c: c.numbers / (1 - c.p_y),
    }),
    # targets
    *_rows(SIGMOID, GRADIENTS, {
        "the targets are -1 and 1 where 0 and 1 belong, in p - y": lambda c: c.given(q=_signed(c)),
        "the targets are flipped, 0 for 1, in p - y": _beside_factor(lambda c: c.given(q=1 - c.q)),
    }),
    *_rows(SIGMOID, ALL, {
        "the targets are -1 and 1 where 0 and 1 belong": lambda c: _by_target(c, _signed(c)),
        "the targets are -1 and 1 where 0 and 1 belong, in the weights too":
            lambda c: c.given(q=_signed(c), weight=_signed_weight(c)),
        "the targets are -1 and 1 where 0 and 1 belong, in the weights":
            lambda c: c.given(weight=_signed_weight(c)),
        "the targets are flipped, 0 for 1": lambda c: c.given(targets=1 - c.targets),
        "only the samples of class 1 count: the term of class 0 is missing": lambda c: c.numbers * c.y,
        "only the samples of class 0 count: the term of class 1 is missing": lambda c: c.numbers * (1 - c.y),
        "the sign is wrong for class 0": lambda c: c.numbers * (2 * c.y - 1),
        "the sign is wrong for class 1": lambda c: c.numbers * (1 - 2 * c.y),
    }),
    *_rows(SOFTMAX, ALL, {
        "the classes are counted from 1: each target is one too small":
            lambda c: c.given(targets=(c.targets - 1) % c.n_classes),
        "the classes are off by one: each target is one too large":
            lambda c: c.given(targets=(c.targets + 1) % c.n_classes),
        "the classes are in reverse order": lambda c: c.given(targets=c.n_classes - 1 - c.targets),
    }),
    *_rows(SOFTMAX, GRADIENTS, {
        "the classes of p - y are counted from 1: each is one too small":
            _beside_factor(lambda c: c.given(q=np.roll(c.q, -1, -1))),
        "the classes of p - y are off by one: each is one too large":
            _beside_factor(lambda c: c.given(q=np.roll(c.q, 1, -1))),
        "the one-hot targets are -1 and 1": lambda c: c.given(q=_signed(c)),
        "only the entry of the true class is computed": lambda c: c.numbers * c.y,
        "the entry of the true class is missing": lambda c: c.numbers * (1 - c.y),
        "the sign is wrong in the entry of the true class": lambda c: c.numbers * (1 - 2 * c.y),
    }),
    *_rows(CLASSES, GRADIENTS, {
        "the target is not subtracted: p in place of p - y": lambda c: c.given(q=0 * c.q),
        "p is missing: -y in place of p - y": lambda c: -c.factor * c.q,
        "the target is added: p + y in place of p - y": lambda c: c.given(q=-c.q),
        "1 is subtracted everywhere: p - 1 in place of p - y": lambda c: c.given(q=1 + 0 * c.q),
    }),
    # the probability
    *_rows(CLASSES, GRADIENTS, {
        "the scores stand where the probabilities belong": lambda c: c.given(p=c.z),
        "log-probabilities stand where the probabilities belong": lambda c: c.given(p=np.log(c.p)),
    }),
    *_rows(SIGMOID, ALL, {
        "a softmax stands where a sigmoid belongs": lambda c: c.given(p=softmax(c.z)),
        "a softmax over the first axis stands where a sigmoid belongs":
            lambda c: c.given(p=softmax(c.z, 0)) if c.z.ndim > 1 else None,
        "the sigmoid is applied twice": lambda c: c.given(z=sigmoid(c.z)),
        "the scores have the wrong sign in the sigmoid": lambda c: c.given(z=-c.z),
        "a tanh stands where the sigmoid belongs": lambda c: c.given(p=np.tanh(c.z)),
    }),
    *_rows(SOFTMAX, ALL, {
        "a sigmoid stands where the softmax belongs": lambda c: c.given(p=sigmoid(c.z)),
        "the softmax runs over the first axis, not over the classes":
            lambda c: c.given(p=softmax(c.z, 0)) if c.z.ndim > 1 else None,
        "the softmax runs over the whole array, not over the classes":
            lambda c: c.given(p=softmax(c.z, None)) if c.z.ndim > 1 else None,
        "the softmax is not scaled to sum to one": lambda c: c.given(p=np.exp(c.z)),
        "the softmax, less the largest score, is not scaled to sum to one":
            lambda c: c.given(p=np.exp(c.z - c.z.max(-1, keepdims=True))),
        "the softmax is applied twice": lambda c: c.given(z=softmax(c.z)),
        "the scores have the wrong sign in the softmax": lambda c: c.given(z=-c.z),
    }),
    *_rows(SOFTMAX, GRADIENTS, {
        "the softmax is applied twice, the second time with its chain rule": _through_softmax,
        "the decision stands where the probabilities belong": lambda c: c.given(p=_argmax(c.z)),
    }),
    *_rows(SIGMOID, GRADIENTS, {
        "the sigmoid is applied twice, the second time with its chain rule":
            lambda c: c.given(z=sigmoid(c.z)).numbers * c.p * c.rest,
        "the decision stands where the probability belongs": lambda c: c.given(p=(c.z > 0).astype(float)),
    }),
    *_rows(CLASSES, VALUE, {
        "the logarithm is missing: p where log p belongs": lambda c: c.given(surprise=-c.p_y),
        "the loss is 1 - p, not -log p": lambda c: c.given(surprise=1 - c.p_y),
    }),
    *_rows(SOFTMAX, VALUE, {
        "the score of the class stands where its log-probability belongs":
            lambda c: c.given(surprise=-np.sum(c.y * c.z, -1, keepdims=True)),
        "it is the log of the sum of exponentials alone":
            lambda c: c.given(surprise=np.logaddexp.reduce(c.z, -1, keepdims=True)),
    }),
    # weights of the classes
    *_rows(CLASSES, ALL, {
        "the weights of the classes are missing": _reweighted(lambda w, c: 1 + 0 * w),
        "the weights are on the wrong classes": _reweighted(lambda w, c: w[::-1]),
        "the weights are applied twice": _reweighted(lambda w, c: w ** 2),
        "the weights are upside down, 1/w for w": _reweighted(lambda w, c: 1 / w),
        "the root of the weights stands where they belong": _reweighted(lambda w, c: np.sqrt(w)),
        "the weights are scaled to sum to 1": _reweighted(lambda w, c: w / w.sum()),
        "the weights are scaled to sum to the number of classes": _reweighted(lambda w, c: len(w) * w / w.sum()),
        "the weights are scaled so that the largest is 1": _reweighted(lambda w, c: w / w.max()),
        "the weights are scaled so that the smallest is 1": _reweighted(lambda w, c: w / w.min()),
    }),
    *_rows(SOFTMAX, ALL, {
        "the weights are those of the next class": _reweighted(lambda w, c: np.roll(w, -1)),
        "the weights are those of the class before": _reweighted(lambda w, c: np.roll(w, 1)),
        "the weights are those of the predicted class":
            lambda c: c.given(weight=c.weight_of(_argmax(c.z))) if c.weights is not None else None,
    }),
    *_rows(SIGMOID, ALL, {
        "the weight of class 1 is on all samples": _reweighted(lambda w, c: w[1] + 0 * w),
        "the weight of class 0 is on all samples": _reweighted(lambda w, c: w[0] + 0 * w),
        "the weight of class 0 is missing": _reweighted(lambda w, c: np.array([1, w[1]])),
        "the weight of class 1 is missing": _reweighted(lambda w, c: np.array([w[0], 1])),
        "the weights are those of the predicted class":
            lambda c: c.given(weight=c.weight_of((c.z > 0).astype(float))) if c.weights is not None else None,
    }),
    *_rows(CLASSES, GRADIENTS, {
        "the weights are on the axis of classes, not on the samples": _columns,
        "the weight multiplies the target alone: p - w y":
            lambda c: c.given(weight=1.0, q=c.weight * c.q) if c.weights is not None else None,
        "the weight multiplies the probability alone: w p - y":
            lambda c: c.given(weight=1.0, p=c.weight * c.p) if c.weights is not None else None,
        "only the entry of the true class has its weight":
            lambda c: c.given(weight=np.where(c.y == 1, c.weight, 1.0)) if c.weights is not None else None,
    }),
    # class-balanced weights
    *_rows(CLASSES, ALL, {
        "the class-balanced weights are not scaled to sum to the number of classes":
            _balanced(lambda n, b: (1 - b) / -np.expm1(n * np.log(b))),
        "the class-balanced weights lack 1 - beta, and the scaling":
            _balanced(lambda n, b: 1 / -np.expm1(n * np.log(b))),
        "the effective numbers are the weights, not their inverses":
            _balanced(lambda n, b: -np.expm1(n * np.log(b)) / (1 - b)),
        "the weights are proportional to the effective numbers, not to their inverses":
            _balanced(lambda n, b: _scaled(-np.expm1(n * np.log(b)))),
        "the weights are the inverse counts, scaled to the number of classes": _balanced(lambda n, b: _scaled(1 / n)),
        "the weights are the inverse counts": _balanced(lambda n, b: 1 / n),
        "the weights are N / (C n), as scikit-learn's 'balanced' are": _balanced(lambda n, b: n.sum() / (len(n) * n)),
        "the weights are proportional to 1 - beta^n, not to its inverse":
            _balanced(lambda n, b: -np.expm1(n * np.log(b))),
        "the weights are the counts, scaled to the number of classes": _balanced(lambda n, b: _scaled(n)),
    }),
    # the modulating factor of the focal losses
    *_rows(CLASSES, GRADIENTS, {
        "the modulating factor's own derivative is missing": _focal(lambda c: c.given(slope=0.0)),
        "the modulating factor's own derivative has the wrong sign": _focal(lambda c: c.given(slope=-c.slope)),
        "the exponent is missing in front of the modulating factor's own derivative":
            _focal(lambda c: c.given(slope=c.slope / np.where(c.gamma == 0, 1, c.gamma))),
        "the modulating factor's own derivative keeps the power gamma":
            _focal(lambda c: c.given(slope=c.slope * c.wrong)),
        "the modulating factor's own derivative lacks p_y": _focal(lambda c: c.given(slope=c.slope / c.p_y)),
        "the modulating factor's own derivative lacks the logarithm":
            _focal(lambda c: c.given(slope=c.slope / c.surprise)),
        "only the modulating factor is differentiated, not the logarithm": _focal(lambda c: c.given(reach=0.0)),
        "the modulating factor is missing, but not its derivative":
            _focal(lambda c: c.given(modulation=1.0, slope=c.slope)),
        "the modulating factor is p_y ** gamma, not (1 - p_y) ** gamma":
            _focal(lambda c: c.given(modulation=c.p_y ** c.gamma, slope=-c.gamma * c.p_y**c.gamma * c.surprise)),
    }),
    *_rows(CLASSES, ALL, {
        "the modulating factor is missing": _focal(lambda c: c.given(gamma=0 * c.gamma)),
        "the modulating factor is p_y ** gamma, not (1 - p_y) ** gamma":
            _focal(lambda c: c.given(modulation=c.p_y ** c.gamma, slope=0.0)),
        "gamma is one too large": lambda c: c.hyper(gamma=lambda g: g + 1),
        "gamma is one too small": lambda c: c.hyper(gamma=lambda g: g - 1),
        "gamma is left at 2": lambda c: c.hyper(gamma=2.0),
        "gamma is doubled": lambda c: c.hyper(gamma=lambda g: 2 * g),
        "gamma is left at 1": lambda c: c.hyper(gamma=1.0),
    }),
    *_rows(SIGMOID, ALL, {
        "the modulating factor has 1 - p for both classes, not 1 - p_y":
            _focal(lambda c: c.given(modulation=c.rest ** c.gamma, slope=0.0)),
        "the modulating factor has p for both classes, not 1 - p_y":
            _focal(lambda c: c.given(modulation=c.p ** c.gamma, slope=0.0)),
    }),
    *_rows(SOFTMAX, GRADIENTS, {
        "the modulating factor has each entry's own 1 - p, not 1 - p_y":
            _focal(lambda c: c.given(modulation=c.rest ** c.gamma, slope=0.0)),
    }),
    *_rows(CLASSES, VALUE, {
        "alpha is inside: p_y ** alpha stands where p_y belongs in the factor": _inside,
    }),
    # the asymmetric loss
    *_rows(SIGMOID, ALL, {
        "the two exponents have changed places":
            lambda c: c.hyper(gamma_pos=c.base.gamma_neg, gamma_neg=c.base.gamma_pos),
        "the exponent of the negatives is on the positives too": lambda c: c.hyper(gamma_pos=c.base.gamma_neg),
        "the exponent of the positives is on the negatives too": lambda c: c.hyper(gamma_neg=c.base.gamma_pos),
        "the margin is missing": lambda c: c.hyper(margin=0.0),
        "the margin is added, not subtracted": _negatives(lambda p, m: np.clip(p + m, 0, 1)),
        "the margin is added, not subtracted, and not clipped at 1": _negatives(lambda p, m: p + m),
        "the lowered probability is not clipped at 0": _negatives(lambda p, m: p - m),
        "the margin is applied to the positives, not to the negatives": lambda c: _margin(c, True, False),
        "the margin is applied to the positives too": lambda c: _margin(c, True, True),
        "the margin raises the probability of the positives, not lowers that of the negatives":
            lambda c: _margin(c, True, False, -1),
    }),
    *_rows(SIGMOID, GRADIENTS, {
        "the lowered probability is not clipped at 0, nor its slope": _unclipped,
        "the margin is in the modulating factor alone":
            lambda c: c.given(reach=np.where(c.wrong > 0, 1.0, c.y)) if c.margin else None,
        "the margin does not stop the gradient below it":
            lambda c: c.given(reach=np.where(c.y == 1, 1.0, c.rest / (1 - c.wrong))) if c.margin else None,
    }),
    # label smoothing
    *_rows(SOFTMAX, ALL, {
        "the label smoothing is missing": _smoothed(lambda y, s, n: y),
        "the smoothing is spread over the other classes only":
            _smoothed(lambda y, s, n: (1 - s) * y + s / (n - 1) * (1 - y)),
        "the true class gets no share of the smoothing": _smoothed(lambda y, s, n: (1 - s) * y + s / n * (1 - y)),
        "the smoothing is added without taking it from the true class": _smoothed(lambda y, s, n: y + s / n),
        "the smoothing is not divided by the number of classes": _smoothed(lambda y, s, n: (1 - s) * y + s),
        "only the true class is smoothed": _smoothed(lambda y, s, n: (1 - s) * y),
    }),
    # log-priors
    *_rows(SOFTMAX, ALL, {
        "the log-priors are missing": _prior(lambda t, pi: 0 * pi),
        "the log-priors are subtracted, not added": _prior(lambda t, pi: -t * np.log(pi)),
        "the logarithm of the priors is missing": _prior(lambda t, pi: t * pi),
        "the priors are subtracted, without a logarithm": _prior(lambda t, pi: -t * pi),
        "tau is missing in front of the log-priors": _prior(lambda t, pi: np.log(pi)),
        "the log-priors are added twice": _prior(lambda t, pi: 2 * t * np.log(pi)),
        "the priors are in reverse order": _prior(lambda t, pi: t * np.log(pi[::-1])),
        "the log-priors are divided by tau, not multiplied": _prior(lambda t, pi: np.log(pi) / t),
        "the logarithm of the priors is to the base 2": _prior(lambda t, pi: t * np.log2(pi)),
        "the logarithm of the priors is to the base 10": _prior(lambda t, pi: t * np.log10(pi)),
        "the scores are multiplied by the priors":
            lambda c: c.given(z=c.scores * np.array(c.base.priors)),
        "the scores are multiplied by the log-priors":
            lambda c: c.given(z=c.scores * c.base.tau * np.log(c.base.priors)),
        "the prior of the true class alone is added":
            lambda c: c.given(z=c.scores + c.y * c.base.tau * np.log(c.base.priors)),
        "the probabilities are multiplied by the priors, and not scaled again":
            lambda c: c.given(p=softmax(c.scores) * np.array(c.base.priors)),
    }),
    # weights and bias of the linear layer
    *_rows(EVERY, WEIGHTS, {
        "the features are missing in the chain rule":
            lambda c: c.given(pull=lambda x, g: np.broadcast_to(g.sum(0) / len(x), x.shape[1:] + g.shape[1:])),
        "the features are not transposed": lambda c: c.given(pull=lambda x, g: x @ g / len(x)),
        "it is divided by D, the number of features, not by N":
            lambda c: c.given(pull=lambda x, g: x.T @ g / x.shape[1]),
        "only the last sample counts, as when a sum is overwritten in a loop":
            lambda c: c.given(pull=lambda x, g: np.multiply.outer(x[-1], g[-1])),
        "only the first sample counts": lambda c: c.given(pull=lambda x, g: np.multiply.outer(x[0], g[0])),
        "the features are squared": lambda c: c.given(pull=lambda x, g: (x ** 2).T @ g / len(x)),
        "the mean of the features is subtracted first":
            lambda c: c.given(pull=lambda x, g: (x - x.mean(0)).T @ g / len(x)),
        "the features are standardised first":
            lambda c: c.given(pull=lambda x, g: ((x - x.mean(0)) / x.std(0)).T @ g / len(x)),
        "the mean of the features stands where the features belong":
            lambda c: c.given(pull=lambda x, g: np.multiply.outer(x.mean(0), g.sum(0) / len(x))),
        "the gradient in the bias stands where that in the weights belongs":
            lambda c: c.given(pull=lambda x, g: g.sum(0) / len(x)),
    }),
    *_rows(EVERY, LAYER, {
        "it is the gradient in the scores, not in the parameter": lambda c: c.given(pull=lambda x, g: g),
        "it is the gradient of the mean in the scores, not in the parameter":
            lambda c: c.given(pull=lambda x, g: g / len(x)),
    }),
    *_rows(EVERY, BIAS, {
        "only the last sample counts, as when a sum is overwritten in a loop":
            lambda c: c.given(pull=lambda x, g: g[-1]),
        "only the first sample counts": lambda c: c.given(pull=lambda x, g: g[0]),
        "it is averaged over the samples and the classes": lambda c: c.given(pull=lambda x, g: np.mean(g)),
        "it is added up over the samples and the classes": lambda c: c.given(pull=lambda x, g: np.sum(g)),
        "the sum runs over the classes, not over the samples": lambda c: c.given(pull=lambda x, g: g.sum(-1)),
        "the mean runs over the classes, not over the samples": lambda c: c.given(pull=lambda x, g: g.mean(-1)),
        "the gradient in the weights stands where that in the bias belongs":
            lambda c: c.given(pull=lambda x, g: x.T @ g / len(x)),
    }),
)
# fmt: on
"""The mistakes, the simplest first: where two look the same, the first is named.

:meta hide-value:
"""
