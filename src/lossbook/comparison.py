"""The fair comparison of the losses for imbalanced classes, with the same rules for all.

`make comparison` (``python -m lossbook.comparison``) plays all of it and writes
``results/comparison.json``. The chapter of this name reads that file through `load`.

One round is one problem in one setting with one seed, which draws data and starting
weights. In it every contender trains once for each of its `BUDGET` candidates. A network
is judged after each of the numbers of steps in `STEPS`, and the one with the least error
on the validation data is kept. Then the candidate with the least error on the validation
data is taken (of equal ones the first; the papers' usual value stands first), and only
its error on the test counts.

The problems: ``gaussians``, two clouds and a linear model, by the ratio of their sizes;
``digits``, scikit-learn's digits with a long tail and a small network, by the ratio;
``labels``, twenty labels that do not exclude each other and a small network, by the share
of the positive labels that are missing in training and validation.
"""

import argparse
import json
import math
import multiprocessing
import os
import platform
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from array_api_compat import array_namespace
from tqdm import tqdm

from lossbook._validation import (
    LARGEST,
    as_list,
    as_numpy,
    float_numpy,
    floats_of_shape,
    refuse_where,
    require_able,
    require_at_most,
    require_callable,
    require_choice,
    require_count,
    require_dict,
    require_instance,
    require_not_negative,
    require_number,
    require_positives,
    require_text,
    require_words,
)
from lossbook.datasets import error_rates, gaussians, long_tailed_digits
from lossbook.linear import Linear
from lossbook.losses import (
    AsymmetricLoss,
    BinaryCrossEntropy,
    BinaryFocalLoss,
    ClassBalancedLoss,
    CrossEntropy,
    FocalLoss,
    LogitAdjustedLoss,
    WeightedCrossEntropy,
    sigmoid,
    softmax,
)
from lossbook.losses._base import BinaryLoss, SoftmaxLoss, one_hot
from lossbook.training import mean_loss_and_gradients

RESULTS = Path(__file__).parent / "results" / "comparison.json"
BUDGET = 6
SEEDS = {"gaussians": 20, "digits": 10, "labels": 10}
DIGITS_KEPT = 4  # after the point, in the results file

# the two clouds of the book, and how many samples the rare class has
MEANS = ((0.0, 0.0), (2.0, 1.0))
COVARIANCE = ((1.0, 0.5), (0.5, 1.0))
RARE = 20

# the networks: features - HIDDEN - classes or labels, by full-batch AdamW
HIDDEN = 32
RATE = 0.03
STEPS = (10, 20, 40, 60, 90, 120, 160)

# the labels: how many samples, and how frequent the most and the least frequent label is
LABELLED = {"training": 500, "validation": 500, "test": 2000}
N_LABELS = 20
FREQUENCIES = (0.3, 0.02)
THRESHOLDS = tuple(k / 20 for k in range(1, 20))

# candidates, the usual value first
TAUS = (1.0, 0.75, 1.25, 0.5, 1.5, 2.0)
EXPONENTS = (1.0, 0.75, 1.25, 0.5, 1.5, 0.25)
GAMMAS = (2.0, 1.0, 3.0, 0.5, 5.0, 0.25)
BETAS = (0.999, 0.9999, 0.99, 0.9, 0.97, 0.99999)
GAMMAS_AND_EXPONENTS = (
    (2.0, 1.0),
    (2.0, 0.5),
    (1.0, 1.0),
    (1.0, 0.5),
    (0.5, 1.0),
    (0.5, 0.5),
)
GAMMAS_AND_MARGINS = (
    (4.0, 0.05),
    (4.0, 0.0),
    (2.0, 0.05),
    (2.0, 0.0),
    (1.0, 0.05),
    (1.0, 0.0),
)
PENALTIES = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1)  # of the linear model
DECAYS = (0.01, 0.001, 0.1, 0.3, 1.0, 3.0)  # of the networks


@dataclass(frozen=True)
class Contender:
    """A way to train: a loss for each candidate.

    loss: a function of a candidate and of the training counts, that gives the loss.
    candidates: `BUDGET` of them, the usual value first. tunes: what they are.
    """

    loss: Callable
    candidates: tuple
    tunes: str

    def __post_init__(self):
        require_callable(self.loss, "loss")
        candidates = tuple(as_list(self.candidates, "candidates"))
        object.__setattr__(self, "candidates", candidates)
        require_text(self.tunes, "tunes")


@dataclass(frozen=True, eq=False)
class Weighted(BinaryLoss):
    """A binary loss times a weight: for the negatives and the positives, of each label.

    negative, positive: numbers, or arrays (C,) for scores (N, C).
    """

    base: BinaryLoss
    negative: Any
    positive: Any

    def __post_init__(self):
        require_instance(self.base, "base", BinaryLoss, "a binary loss")
        for name in ("negative", "positive"):
            weights = _for_labels(getattr(self, name), name)
            refuse_where(weights < 0, weights, name, "not be negative")

    def _fitted(self, scores, targets):
        scores, targets = super()._fitted(scores, targets)
        for name in ("negative", "positive"):
            _require_labels(scores, getattr(self, name), name)
        return scores, targets

    def _value_and_gradient(self, scores, targets):
        negative, positive = (_like(w, scores) for w in (self.negative, self.positive))
        weight = negative * (1 - targets) + positive * targets
        value, gradient = self.base._value_and_gradient(scores, targets)
        return weight * value, weight * gradient


@dataclass(frozen=True, eq=False)
class Shifted(BinaryLoss):
    """A binary loss of ``scores + shift``: with τ times the prior log-odds it is the
    logit-adjusted loss of two classes, for each label.

    shift: a number, or an array (C,) for scores (N, C).
    """

    base: BinaryLoss
    shift: Any

    def __post_init__(self):
        require_instance(self.base, "base", BinaryLoss, "a binary loss")
        _for_labels(self.shift, "shift")

    def _fitted(self, scores, targets):
        scores, targets = super()._fitted(scores, targets)
        _require_labels(scores, self.shift, "shift")
        return scores, targets

    def _value_and_gradient(self, scores, targets):
        moved = scores + _like(self.shift, scores)
        return self.base._value_and_gradient(moved, targets)


@dataclass(frozen=True)
class OneAgainstRest(SoftmaxLoss):
    """A binary loss for classes: each class against the rest, summed over the classes."""

    base: BinaryLoss

    def __post_init__(self):
        require_instance(self.base, "base", BinaryLoss, "a binary loss")

    def _value_and_gradient(self, scores, targets):
        xp = array_namespace(scores)
        ones = xp.astype(one_hot(targets, scores), scores.dtype)
        value, gradient = self.base._value_and_gradient(scores, ones)
        return xp.sum(value, axis=-1), gradient


def _for_labels(numbers, name):
    """A number, or one for each label."""
    array = float_numpy(numbers, name)
    if array.ndim > 1:
        raise ValueError(
            f"{name} must be a number or one for each label, got {array.shape}"
        )
    return array


def _require_labels(scores, numbers, name):
    if np.ndim(numbers) and tuple(scores.shape[-1:]) != np.shape(numbers):
        raise ValueError(
            f"scores must have {len(numbers)} labels on the last axis, as many as "
            f"{name}, got {tuple(scores.shape)}"
        )


def _like(numbers, scores):
    xp = array_namespace(scores)
    return xp.asarray(numbers, dtype=scores.dtype, device=scores.device)


def inverse_frequency(counts, exponent):
    """Weights proportional to ``counts ** -exponent`` with a mean of 1 over the samples.

    counts: (C,), or (2, L) for the negatives and positives of L labels. exponent: at
        least 0; 1 gives every class the same total weight.
    Returns an array of the shape of counts.

    Raises TypeError or ValueError when one is no such argument.
    """
    counts = _counts(counts)
    exponent = require_not_negative(exponent, "exponent")
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        weights = counts**-exponent
        weights = weights * counts.sum(axis=0) / (weights * counts).sum(axis=0)
    if not np.isfinite(weights).all():
        raise ValueError(
            f"exponent must give finite weights of these counts, got {exponent}"
        )
    return weights


def _counts(counts):
    """Positive numbers (C,) or (2, L)."""
    counts = float_numpy(counts, "counts")
    if counts.ndim not in (1, 2) or counts.size == 0 or counts.ndim > len(counts):
        raise ValueError(f"counts must have shape (C,) or (2, L), got {counts.shape}")
    refuse_where(counts <= 0, counts, "counts", "be positive")
    return counts


def log_odds(counts):
    """log π₁/π₀ from the counts of negatives and positives, (2,) or (2, L).

    Raises TypeError or ValueError when counts are no such numbers.
    """
    counts = _counts(counts)
    if len(counts) != 2:
        raise ValueError(f"counts must have shape (2,) or (2, L), got {counts.shape}")
    return np.log(counts[1] / counts[0])


def _class_balanced(beta, counts):
    def weights(pair):
        return ClassBalancedLoss(BinaryCrossEntropy(), tuple(pair), beta).weights

    return Weighted(
        BinaryCrossEntropy(), *np.apply_along_axis(weights, 0, np.asarray(counts))
    )


def _weighted_focal(candidate, counts):
    gamma, exponent = candidate
    return Weighted(BinaryFocalLoss(gamma, None), *inverse_frequency(counts, exponent))


def _priors(counts):
    return tuple(np.asarray(counts) / np.sum(counts))


# For one logit a class 1 or a label. counts: the negatives and the positives.
BINARY = {
    "plain": Contender(lambda _, counts: BinaryCrossEntropy(), PENALTIES, "decay"),
    "post-hoc": Contender(lambda _, counts: BinaryCrossEntropy(), TAUS, "τ"),
    "weighted": Contender(
        lambda e, counts: Weighted(BinaryCrossEntropy(), *inverse_frequency(counts, e)),
        EXPONENTS,
        "exponent",
    ),
    "focal": Contender(lambda g, counts: BinaryFocalLoss(g, None), GAMMAS, "γ"),
    "weighted focal": Contender(_weighted_focal, GAMMAS_AND_EXPONENTS, "γ, exponent"),
    "class-balanced": Contender(_class_balanced, BETAS, "β"),
    "logit-adjusted": Contender(
        lambda tau, counts: Shifted(BinaryCrossEntropy(), tau * log_odds(counts)),
        TAUS,
        "τ",
    ),
    "asymmetric": Contender(
        lambda c, counts: AsymmetricLoss(0.0, *c), GAMMAS_AND_MARGINS, "γ₋, m"
    ),
}
# For classes that exclude each other. counts: of each class.
SOFTMAX = {
    "plain": Contender(lambda _, counts: CrossEntropy(), DECAYS, "decay"),
    "post-hoc": Contender(lambda _, counts: CrossEntropy(), TAUS, "τ"),
    "weighted": Contender(
        lambda e, counts: WeightedCrossEntropy(inverse_frequency(counts, e)),
        EXPONENTS,
        "exponent",
    ),
    "focal": Contender(lambda g, counts: FocalLoss(g), GAMMAS, "γ"),
    "weighted focal": Contender(
        lambda c, counts: FocalLoss(c[0], inverse_frequency(counts, c[1])),
        GAMMAS_AND_EXPONENTS,
        "γ, exponent",
    ),
    "class-balanced": Contender(
        lambda b, counts: ClassBalancedLoss(CrossEntropy(), counts, b), BETAS, "β"
    ),
    "logit-adjusted": Contender(
        lambda tau, counts: LogitAdjustedLoss(_priors(counts), tau), TAUS, "τ"
    ),
    "asymmetric": Contender(
        lambda c, counts: OneAgainstRest(AsymmetricLoss(0.0, *c)),
        GAMMAS_AND_MARGINS,
        "γ₋, m",
    ),
}
# The ranking that average precision judges does not change when a logit is shifted.
LABELS = {
    name: Contender(c.loss, DECAYS, c.tunes) if name == "plain" else c
    for name, c in BINARY.items()
    if name != "post-hoc"
}


class Gaussians:
    """Two clouds; `RARE` samples of the rare one, ``ratio`` times as many of the other.

    The validation set is drawn as the training set is. The test is the exact error.
    """

    contenders, usual_decay = BINARY, PENALTIES[0]

    def __init__(self, ratio, seed):
        ratio = require_at_most(require_count(ratio, "ratio"), "ratio", 10**6)
        seed = require_at_most(require_count(seed, "seed", 0), "seed", 2**62 - 1)
        self.counts = np.array([RARE * ratio, RARE])
        self.training, self.validation = (
            gaussians(MEANS, COVARIANCE, self.counts.tolist(), random_state=state)
            for state in (2 * seed, 2 * seed + 1)
        )

    def fit(self, loss, decay):
        """The linear model whose mean loss, plus ``decay / 2`` times its squared weights,
        is least; a list of this one."""
        from scipy.optimize import minimize

        require_able(loss, "loss", "a loss", "value_and_gradient")
        decay = require_not_negative(decay, "decay")

        def objective(theta):
            model = Linear(theta[:2], theta[2])
            value, slopes = mean_loss_and_gradients(model, loss, *self.training)
            penalised = value + decay / 2 * theta[:2] @ theta[:2]
            slope = slopes["weights"] + decay * theta[:2]
            return penalised, np.append(slope, slopes["bias"])

        stop = {"maxiter": 2000, "maxfun": 4000, "ftol": 1e-14, "gtol": 1e-9}
        start = np.zeros(3)
        found = minimize(objective, start, jac=True, method="L-BFGS-B", options=stop)
        return [Linear(found.x[:2], found.x[2])]

    def adjust(self, model, tau):
        """The model with τ times the prior log-odds taken from its logit."""
        _require_line(model)
        require_at_most(abs(require_number(tau, "tau")), "tau", LARGEST)
        return Linear(model.weights, model.bias - tau * log_odds(self.counts))

    def validate(self, model):
        """The balanced error on the validation data."""
        _require_line(model)
        features, targets = self.validation
        return balanced_error(model.scores(features) > 0, targets, 2)

    def test(self, model):
        """The balanced error of all future samples, exactly."""
        _require_line(model)
        return float(np.mean(error_rates(model, MEANS, COVARIANCE)))

    def measure(self, model):
        """The errors of the two classes, and how well the probabilities are calibrated:
        where both classes are equally frequent, and at the ratio of the training data."""
        _require_line(model)
        common, rare = error_rates(model, MEANS, COVARIANCE)
        ece, nll = exact_calibration(model, (0.5, 0.5))
        ece_as_trained, nll_as_trained = exact_calibration(model, _priors(self.counts))
        return {
            "common": common,
            "rare": rare,
            "ece": ece,
            "nll": nll,
            "ece as trained": ece_as_trained,
            "nll as trained": nll_as_trained,
        }


def _require_line(model):
    require_instance(model, "model", Linear, "a Linear")
    floats_of_shape(model.weights, "model.weights", (2,))
    return model


class _Networks:
    """What problems share whose models are scores on validation and test data."""

    def _scores(self, scores):
        """The two arrays of scores, checked."""
        scores = as_list(scores, "scores")
        if len(scores) != 2:
            raise ValueError(
                f"scores must be two, on validation and test data, got {len(scores)}"
            )
        shapes = (
            (len(part[1]), self.n_outputs) for part in (self.validation, self.tested)
        )
        return [
            floats_of_shape(float_numpy(part, name), name, shape)
            for part, name, shape in zip(
                scores, ("scores[0]", "scores[1]"), shapes, strict=True
            )
        ]


class Digits(_Networks):
    """Scikit-learn's digits, `lossbook.datasets.long_tailed_digits`, and a network.

    Validation and test are balanced.
    """

    contenders, usual_decay, n_outputs = SOFTMAX, DECAYS[0], 10

    def __init__(self, ratio, seed):
        seed = require_count(seed, "seed", minimum=0)
        parts = long_tailed_digits(ratio, random_state=seed)
        self.training, self.validation, self.tested = parts
        self.counts = np.bincount(self.training[1], minlength=10)
        self.seed = seed

    def fit(self, loss, decay):
        """The scores (N, 10) on validation and test data of the network after each of
        the steps; their softmax is the probability of the classes."""
        parts = self.validation[0], self.tested[0]
        fitted = train_network(loss, *self.training, parts, 10, self.seed, decay)
        if isinstance(loss, OneAgainstRest):  # ten sigmoids, divided by their sum
            return [[-np.logaddexp(0, -s) for s in scores] for scores in fitted]
        return fitted

    def adjust(self, scores, tau):
        """The scores less τ log π."""
        require_at_most(abs(require_number(tau, "tau")), "tau", LARGEST)
        shift = tau * np.log(_priors(self.counts))
        return [part - shift for part in self._scores(scores)]

    def validate(self, scores):
        """The balanced error on the validation data."""
        scores = self._scores(scores)
        return balanced_error(scores[0].argmax(axis=1), self.validation[1], 10)

    def test(self, scores):
        """The balanced error on the test data."""
        scores = self._scores(scores)
        return balanced_error(scores[1].argmax(axis=1), self.tested[1], 10)

    def measure(self, scores):
        """Accuracy on the three most frequent classes of the training data, the next
        four, and the three rarest; calibration."""
        scores, targets = self._scores(scores), self.tested[1]
        right = scores[1].argmax(axis=1) == targets
        recalls = np.array([right[targets == c].mean() for c in range(10)])
        head, middle, tail = np.split(
            recalls[np.argsort(-self.counts, kind="stable")], [3, 7]
        )
        confidence = softmax(scores[1]).max(axis=1)
        return {
            "head": head.mean(),
            "middle": middle.mean(),
            "tail": tail.mean(),
            "ece": calibration_error(confidence, right),
            "nll": CrossEntropy().value(scores[1], targets).mean(),
        }


class Labels(_Networks):
    """Twenty labels, not exclusive, of different frequency, and a network.

    The truth is a random network with one hidden layer, and chance. ``missing`` is the
    share of the positive labels that are left out in training and validation.
    """

    contenders, usual_decay, n_outputs = LABELS, DECAYS[0], N_LABELS

    def __init__(self, missing, seed):
        if not 0 <= require_number(missing, "missing") < 1:
            raise ValueError(f"missing must be from 0 to below 1, got {missing}")
        rng = np.random.default_rng(require_count(seed, "seed", minimum=0))
        features = rng.standard_normal((sum(LABELLED.values()), 10))
        hidden = np.maximum(features @ rng.standard_normal((10, 16)), 0)
        signal = hidden @ rng.standard_normal((16, N_LABELS))
        signal = 4 * (signal - signal.mean(axis=0)) / signal.std(axis=0)
        truth = signal + _bias_for(signal, np.geomspace(*FREQUENCIES, N_LABELS))
        targets = (rng.random(truth.shape) < sigmoid(truth)).astype(np.float64)
        ends = np.cumsum(list(LABELLED.values()))
        left_out = rng.random((ends[1], N_LABELS)) < missing
        self.truth, clean = truth[ends[1] :], targets[ends[1] :]
        seen = np.where(left_out, 0, targets[: ends[1]])
        self.training = features[: ends[0]], seen[: ends[0]]
        self.validation = features[ends[0] : ends[1]], seen[ends[0] :]
        self.tested = features[ends[1] :], clean
        positives = self.training[1].sum(axis=0)
        if not (positives.all() and self.validation[1].any()):
            raise ValueError(
                f"missing must leave positives of every label, got {missing} and "
                f"{positives.astype(int).tolist()}"
            )
        self.counts = np.array([ends[0] - positives, positives])
        self.seed = seed

    def fit(self, loss, decay):
        """The scores (N, 20) on validation and test data of the network after each of
        the steps."""
        parts = self.validation[0], self.tested[0]
        return train_network(loss, *self.training, parts, N_LABELS, self.seed, decay)

    def validate(self, scores):
        """1 less the mean average precision on the validation data, over the labels that
        occur in them."""
        scores = self._scores(scores)
        return 1 - np.nanmean(average_precisions(scores[0], self.validation[1]))

    def test(self, scores):
        """1 less the mean average precision on the test data."""
        scores = self._scores(scores)
        return 1 - average_precisions(scores[1], self.tested[1]).mean()

    def measure(self, scores):
        """Average precision of the seven most frequent labels, the next six and the seven
        rarest; F1 by how the thresholds are set; calibration."""
        scores = self._scores(scores)
        precisions = average_precisions(scores[1], self.tested[1])
        head, middle, tail = np.split(precisions, [7, 13])
        (p_seen, seen), (p, y) = (
            (sigmoid(s), part[1])
            for s, part in zip(scores, (self.validation, self.tested), strict=True)
        )
        on_validation = np.array([f1_scores(p_seen > t, seen) for t in THRESHOLDS])
        common = THRESHOLDS[on_validation.mean(axis=1).argmax()]
        each = np.array(THRESHOLDS)[on_validation.argmax(axis=0)]
        return {
            "head": head.mean(),
            "middle": middle.mean(),
            "tail": tail.mean(),
            "macro F1, 0.5": f1_scores(p > 0.5, y).mean(),
            "macro F1, common": f1_scores(p > common, y).mean(),
            "macro F1, each": f1_scores(p > each, y).mean(),
            "micro F1, 0.5": f1_scores((p > 0.5).reshape(-1, 1), y.reshape(-1, 1))[0],
            "micro F1, common": f1_scores(
                (p > common).reshape(-1, 1), y.reshape(-1, 1)
            )[0],
            "ece": calibration_error(p.ravel(), y.ravel()),
            "nll": BinaryCrossEntropy().value(scores[1], y).mean(),
        }

    def ceiling(self):
        """1 less the mean average precision of the true probabilities on the test data."""
        return 1 - average_precisions(self.truth, self.tested[1]).mean()


PROBLEMS = {"gaussians": Gaussians, "digits": Digits, "labels": Labels}
SETTINGS = {"gaussians": (1, 10, 100, 1000), "digits": (10, 50), "labels": (0.0, 0.3)}


def balanced_error(predicted, targets, n_classes):
    """The mean over the classes of the share of its samples that are predicted wrong.

    predicted, targets: classes (N,), each class at least once among the targets.

    Raises TypeError or ValueError when they, or n_classes, are none of that.
    """
    n_classes = require_count(n_classes, "n_classes")
    targets = require_words(targets, "targets", n_classes, ("N",))
    if len(np.unique(targets)) < n_classes:
        raise ValueError(
            f"targets must hold each of {n_classes} classes, got {np.unique(targets)}"
        )
    predicted = as_numpy(predicted, "predicted")
    if predicted.dtype.kind == "b":
        predicted = predicted.astype(int)
    wrong = require_words(predicted, "predicted", n_classes, targets.shape) != targets
    return float(np.mean([wrong[targets == c].mean() for c in range(n_classes)]))


def _zeros_and_ones(values, name, ndim=None):
    array = float_numpy(values, name, ndim)
    refuse_where((array != 0) & (array != 1), array, name, "be 0 or 1")
    return array


def calibration_error(confidence, right, bins=10):
    """The expected calibration error: Guo et al. (2017), equation 3.

    confidence: probabilities (N,). right: (N,), 1 where what they were given to came
        true. bins: of equal width.

    Raises TypeError or ValueError when one is no such argument.
    """
    confidence = float_numpy(confidence, "confidence", ndim=1)
    outside = (confidence < 0) | (confidence > 1)
    refuse_where(outside, confidence, "confidence", "be from 0 to 1")
    right, bins = _zeros_and_ones(right, "right"), require_count(bins, "bins")
    if len(confidence) == 0 or right.shape != confidence.shape:
        raise ValueError(
            f"right must have the shape of confidence, {confidence.shape}, at least "
            f"one, got {right.shape}"
        )
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    gap = np.bincount(place, confidence - right, minlength=bins)
    return float(np.abs(gap).sum() / len(confidence))


def exact_calibration(model, priors):
    """(expected calibration error, mean cross-entropy in nats) of a linear model of the
    two clouds of the book, by numerical integration over its logit.

    model: `lossbook.linear.Linear` with weights (2,). priors: of the two classes where it
        is used. The error is the mean of |p - share of class 1 among those with this p|.

    Raises TypeError or ValueError when one is no such argument.
    """
    _require_line(model)
    if not np.any(model.weights):
        raise ValueError("model must have a weight that is not 0, got none")
    priors = require_positives(priors, "priors")
    if len(priors) != 2:
        raise ValueError(f"priors must be two numbers, got {len(priors)}")
    centers = np.array(MEANS) @ model.weights + model.bias
    spread = math.sqrt(model.weights @ np.array(COVARIANCE) @ model.weights)
    z = np.linspace(centers.min() - 9 * spread, centers.max() + 9 * spread, 4001)
    heights = np.exp(-(((z[:, None] - centers) / spread) ** 2) / 2) * priors
    heights /= spread * math.sqrt(2 * math.pi)
    loss = BinaryCrossEntropy()
    cost = sum(heights[:, c] * loss.value(z, np.full(len(z), c)) for c in (0, 1))
    gap = np.abs(sigmoid(z) * heights.sum(axis=1) - heights[:, 1])
    return float(np.trapezoid(gap, z)), float(np.trapezoid(cost, z))


def average_precisions(scores, targets):
    """The average precision of each label, (L,): the mean, over its positives, of the
    precision among the samples with a score at least as high. NaN without positives.

    scores, targets: (N, L), targets 0 and 1. Equal scores are ranked as they stand.

    Raises TypeError or ValueError when they are none of that.
    """
    scores = float_numpy(scores, "scores", ndim=2)
    targets = _zeros_and_ones(
        floats_of_shape(targets, "targets", scores.shape), "targets"
    )
    order = np.argsort(-scores, axis=0, kind="stable")
    hits = np.take_along_axis(targets, order, axis=0)
    precision = np.cumsum(hits, axis=0) / np.arange(1, len(hits) + 1)[:, None]
    positives = hits.sum(axis=0)
    mean = (precision * hits).sum(axis=0) / np.maximum(positives, 1)
    return np.where(positives > 0, mean, np.nan)


def f1_scores(predicted, targets):
    """The F1 score of each label, (L,): 2 TP / (predicted + true), 0 where it is 0/0.

    predicted, targets: 0 and 1, or booleans, (N, L).

    Raises TypeError or ValueError when they are none of that.
    """
    predicted = _zeros_and_ones(predicted, "predicted", ndim=2)
    targets = floats_of_shape(targets, "targets", predicted.shape)
    targets = _zeros_and_ones(targets, "targets")
    hits = np.sum(predicted * targets, axis=0)
    return 2 * hits / np.maximum(np.sum(predicted, axis=0) + np.sum(targets, axis=0), 1)


def train_network(loss, features, targets, parts, n_outputs, seed, decay):
    """A network with one hidden layer, trained on the whole set in every step; AdamW.

    loss: a loss of the book; it gives the gradient in the scores, and PyTorch goes on
    from there. features: (N, D) float64. parts: features of other samples. seed: of the
    starting weights.
    Returns a list with an entry for each of `STEPS`: the scores (N, n_outputs), NumPy
    arrays, of each of the parts after so many steps.

    Raises TypeError or ValueError when one is no such argument.
    """
    import torch

    require_able(loss, "loss", "a loss", "gradient")
    features = float_numpy(features, "features", ndim=2)
    targets = as_numpy(targets, "targets")
    if len(features) == 0 or targets.shape[:1] != features.shape[:1]:
        raise ValueError(
            f"targets must be as many as features, {len(features)}, at least one, "
            f"got shape {targets.shape}"
        )
    parts = [
        floats_of_shape(
            float_numpy(part, f"parts[{i}]", ndim=2),
            f"parts[{i}]",
            (len(part), features.shape[1]),
        )
        for i, part in enumerate(as_list(parts, "parts"))
    ]
    n_outputs = require_count(n_outputs, "n_outputs")
    seed, decay = require_count(seed, "seed", 0), require_not_negative(decay, "decay")
    torch.manual_seed(seed)
    network = torch.nn.Sequential(
        torch.nn.Linear(features.shape[1], HIDDEN),
        torch.nn.ReLU(),
        torch.nn.Linear(HIDDEN, n_outputs),
    ).double()
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=decay)
    inputs, outputs = torch.tensor(features), torch.tensor(targets)
    parts, kept = [torch.tensor(part) for part in parts], []
    for step in range(1, STEPS[-1] + 1):
        scores = network(inputs)
        gradient = loss.gradient(scores.detach(), outputs)
        optimizer.zero_grad()
        scores.backward(gradient / len(inputs))
        optimizer.step()
        if step in STEPS:
            with torch.no_grad():
                kept.append([network(part).numpy() for part in parts])
    return kept


def _bias_for(signal, frequencies):
    """The bias of each label that makes its mean probability the given one: bisection."""
    low, high = np.full(len(frequencies), -50.0), np.full(len(frequencies), 50.0)
    for _ in range(50):
        middle = (low + high) / 2
        above = sigmoid(signal + middle).mean(axis=0) > frequencies
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return middle


def play(problem, setting, seed):
    """One round: every contender on one set of data.

    problem: a name in `PROBLEMS`. setting: one of `SETTINGS`. seed: an integer of at
        least 0.
    Returns, for each contender, a dict with ``validation`` and ``test``, the error of
    each candidate, ``chosen``, the place of the candidate that validation prefers, and
    what ``measure`` gives for it. The labels have a ``ceiling`` besides.

    Raises TypeError or ValueError when one is no such argument.
    """
    require_choice(problem, "problem", PROBLEMS)
    require_number(setting, "setting")
    data = PROBLEMS[problem](setting, seed)
    usual, results = [], {}
    for name, contender in data.contenders.items():
        fitted = []
        for candidate in contender.candidates:
            if name == "post-hoc":  # the usual plain model, judged in another way
                models = [data.adjust(model, candidate) for model in usual]
            else:
                decay = candidate if name == "plain" else data.usual_decay
                models = data.fit(contender.loss(candidate, data.counts), decay)
            usual = usual or models  # the first: plain, with the usual decay
            fitted.append(min(models, key=data.validate))
        validation = [round(data.validate(model), DIGITS_KEPT) for model in fitted]
        chosen = int(np.argmin(validation))
        results[name] = {
            "validation": validation,
            "test": [data.test(model) for model in fitted],
            "chosen": chosen,
            **data.measure(fitted[chosen]),
        }
    if problem == "labels":
        results["ceiling"] = {"test": data.ceiling()}
    return results


def settings():
    """Every constant that the results depend on, as it stands in the results file."""
    constants = {
        "budget": BUDGET,
        "seeds": SEEDS,
        "settings": SETTINGS,
        "gaussians": {"means": MEANS, "covariance": COVARIANCE, "rare": RARE},
        "networks": {"hidden": HIDDEN, "rate": RATE, "steps": STEPS},
        "labels": {
            "samples": LABELLED,
            "labels": N_LABELS,
            "frequencies": FREQUENCIES,
            "thresholds": THRESHOLDS,
        },
        "candidates": {
            problem: {name: c.candidates for name, c in data.contenders.items()}
            for problem, data in PROBLEMS.items()
        },
    }
    return json.loads(json.dumps(constants))


def _round(x):
    if isinstance(x, list):
        return [_round(entry) for entry in x]
    return x if isinstance(x, int) else round(float(x), DIGITS_KEPT) + 0.0


def _play(task):
    import torch

    torch.set_num_threads(1)
    return task, play(*task)


def play_all(seeds=SEEDS, processes=2):
    """All rounds, side by side in processes of one thread.

    Returns ``{problem: {setting: {contender: {measure: [a number or list a seed]}}}}``,
    settings as text, numbers rounded.

    Raises TypeError or ValueError when seeds are not a count for each problem, or
    processes is none.
    """
    if require_dict(seeds, "seeds").keys() != PROBLEMS.keys():
        raise ValueError(f"seeds must be for {', '.join(PROBLEMS)}, got {[*seeds]}")
    for problem, number in seeds.items():
        require_count(number, f"seeds[{problem!r}]", minimum=0)
    processes = require_count(processes, "processes")
    tasks = [
        (problem, setting, seed)
        for problem in PROBLEMS
        for setting in SETTINGS[problem]
        for seed in range(seeds[problem])
    ]
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    # the longest first, so that no process waits for the other at the end
    order = sorted(tasks, key=lambda task: (task[0] == "gaussians", str(task[1])))
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        rounds = pool.imap_unordered(_play, order)
        played = dict(tqdm(rounds, total=len(tasks), desc="rounds", unit="round"))
    results = {}
    for problem, setting, seed in tasks:
        group = results.setdefault(problem, {}).setdefault(str(setting), {})
        for name, numbers in played[problem, setting, seed].items():
            for measure, number in numbers.items():
                group.setdefault(name, {}).setdefault(measure, []).append(
                    _round(number)
                )
    return results


def load(path=RESULTS):
    """The results file: a dict with ``settings``, ``versions`` and ``results``.

    Raises TypeError when path is no path, ValueError when its file is none of results,
    OSError when there is none.
    """
    require_instance(path, "path", str | os.PathLike, "a path")
    with open(path, encoding="utf-8") as file:
        try:
            found = json.load(file)
        except ValueError:  # no JSON, or no text
            found = None
    if not isinstance(found, dict) or "results" not in found:
        raise ValueError(f"path must be a file of results, got {path}")
    return found


def interval(values):
    """(mean, half the width of its 95 % interval) of numbers of independent seeds, by
    Student's t. Raises TypeError or ValueError when they are not two numbers or more."""
    from scipy.stats import t

    values = float_numpy(values, "values", ndim=1)
    if len(values) < 2:
        raise ValueError(f"values must be at least two numbers, got {len(values)}")
    half = t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / math.sqrt(len(values))
    return float(values.mean()), float(half)


def _entry(group, name):
    """The tests (seeds, candidates) of a contender in a group of the results file, and
    which candidate was chosen (seeds,)."""
    require_choice(name, "name", require_dict(group, "group", "results"))
    entry = require_dict(group[name], f"group[{name!r}]", "results")
    if not {"test", "chosen"} <= entry.keys():
        raise ValueError(
            f"group[{name!r}] must hold test and chosen, got {', '.join(entry)}"
        )
    where = f"group[{name!r}]"
    test = float_numpy(entry["test"], f"{where}['test']", ndim=2)
    shape = (len(test),)
    chosen = require_words(entry["chosen"], f"{where}['chosen']", test.shape[1], shape)
    if test.size == 0:
        raise ValueError(f"{where}['test'] must hold a seed, got shape {test.shape}")
    return test, chosen


def chosen_test(group, name):
    """(seeds,): the test error of the candidate that validation chose."""
    test, chosen = _entry(group, name)
    return test[np.arange(len(test)), chosen]


def usual_test(group, name):
    """(seeds,): the test error of the usual candidate, the first, without any tuning."""
    return _entry(group, name)[0][:, 0]


def summary(group):
    """How the contenders did in one setting: ``{name: {"usual", "tuned", "difference"}}``,
    each an `interval`, of the test error of the usual candidate and of the chosen one, and
    of the latter less that of plain with the same seeds."""
    if "plain" not in require_dict(group, "group", "results"):
        raise ValueError(
            f"group must hold plain, to compare with, got {', '.join(group)}"
        )
    plain = chosen_test(group, "plain")
    return {
        name: {
            "usual": interval(usual_test(group, name)),
            "tuned": interval(chosen_test(group, name)),
            "difference": interval(chosen_test(group, name) - plain),
        }
        for name in group
        if name != "ceiling"
    }


def _compact(results):
    """JSON with a line for each measure."""
    text = json.dumps(results, indent=1, ensure_ascii=False)
    lines, depth = [], 0
    for line in text.splitlines():
        opens = depth
        depth += line.count("[") - line.count("]")
        if opens:
            lines[-1] += line.strip() + ("" if depth == 0 else " ")
        else:
            lines.append(line)
    return "\n".join(lines).replace("[ ", "[").replace(" ]", "]") + "\n"


def main():
    """Play all rounds and write the results file."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--output", type=Path, default=RESULTS)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seeds", type=int, help="at most this many of each problem")
    arguments = parser.parse_args()
    most = arguments.seeds or max(SEEDS.values())
    seeds = {problem: min(most, n) for problem, n in SEEDS.items()}
    packages = ("numpy", "scipy", "scikit-learn", "torch")
    document = {
        "settings": {**settings(), "seeds": seeds},
        "versions": {
            "python": platform.python_version(),
            **{name: version(name).split("+")[0] for name in packages},
        },
        "results": play_all(seeds, arguments.processes),
    }
    arguments.output.write_text(_compact(document), encoding="utf-8")


if __name__ == "__main__":
    main()
