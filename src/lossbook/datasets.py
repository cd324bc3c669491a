"""The data of the book, generated: every function takes a ``random_state`` and gives
the same numbers for it each time."""

import math

import numpy as np

from lossbook._validation import (
    as_list,
    float_numpy,
    require_able,
    require_count,
    require_not_negative,
    require_number,
    require_positives,
)
from lossbook.linear import Linear


def straight_line(
    n_samples, *, slope, intercept, noise, n_outliers=0, outlier_shift=0.0, random_state
):
    """Samples of a straight line with Gaussian noise, some of them moved away from it.

    Each feature is uniform on 0 to 2, each target is ``intercept + slope * feature``
    plus noise of standard deviation ``noise`` (in target units); ``outlier_shift`` is
    added to the targets of n_outliers samples chosen at random.

    Returns ``(features, targets)`` of shape (n_samples, 1) and (n_samples,), float64.

    Raises TypeError or ValueError naming the argument that is not a number, not a
    count, or negative.
    """
    n_samples = require_count(n_samples, "n_samples")
    n_outliers = require_count(n_outliers, "n_outliers", minimum=0)
    if n_outliers > n_samples:
        raise ValueError(
            f"n_outliers must be at most n_samples, {n_samples}, got {n_outliers}"
        )
    noise = require_not_negative(noise, "noise")
    slope, intercept = (
        require_number(slope, "slope"),
        require_number(intercept, "intercept"),
    )
    outlier_shift = require_number(outlier_shift, "outlier_shift")
    rng = np.random.default_rng(require_count(random_state, "random_state", minimum=0))
    features = rng.uniform(0, 2, size=(n_samples, 1))
    with np.errstate(over="ignore", invalid="ignore"):
        targets = (
            intercept + slope * features[:, 0] + noise * rng.standard_normal(n_samples)
        )
    targets[rng.choice(n_samples, size=n_outliers, replace=False)] += outlier_shift
    if not np.isfinite(targets).all():
        raise ValueError(
            f"slope, intercept, noise and outlier_shift must give finite targets, got "
            f"{slope}, {intercept}, {noise} and {outlier_shift}"
        )
    return features, targets


def gaussians(means, covariances, counts, *, random_state):
    """Classes that are Gaussian clouds, in a random order.

    means: (C, D), a row for each class. covariances: (C, D, D), or one (D, D) for all.
        counts: C integers of at least 0, the
    samples of each class; at least one of them positive.

    Returns ``(features, targets)``: float64 (N, D) and integers 0..C-1 (N,), with N the
    sum of the counts.

    Raises TypeError or ValueError naming the argument whose shape or values do not fit,
    or a covariance that is not symmetric and positive semi-definite.
    """
    means = float_numpy(means, "means", ndim=2)
    n_classes, n_features = _shape_of(means)
    covariances = float_numpy(covariances, "covariances")
    if covariances.shape not in (
        (n_features, n_features),
        (n_classes, n_features, n_features),
    ):
        expected = (
            f"{(n_features, n_features)} or {(n_classes, n_features, n_features)}"
        )
        raise ValueError(
            f"covariances must have shape {expected}, got {covariances.shape}"
        )
    covariances = np.broadcast_to(covariances, (n_classes, n_features, n_features))
    for c, covariance in enumerate(covariances):
        tolerance = 1e-12 * max(1.0, np.abs(covariance).max())
        if (
            np.abs(covariance - covariance.T).max() > tolerance
            or np.linalg.eigvalsh(covariance)[0] < -tolerance
        ):
            raise ValueError(
                f"covariances[{c}] must be symmetric and positive semi-definite, got {covariance.tolist()}"
            )
    counts = [require_count(n, "counts", minimum=0) for n in as_list(counts, "counts")]
    if len(counts) != n_classes or sum(counts) == 0:
        raise ValueError(
            f"counts must be {n_classes} numbers of samples, not all zero, got {counts}"
        )
    rng = np.random.default_rng(require_count(random_state, "random_state", minimum=0))
    clouds = [
        rng.multivariate_normal(*cloud)
        for cloud in zip(means, covariances, counts, strict=True)
    ]
    order = rng.permutation(sum(counts))
    return np.concatenate(clouds)[order], np.repeat(np.arange(n_classes), counts)[order]


def bayes_classifier(means, covariance, priors):
    """The best possible classifier of Gaussian clouds with one covariance, as a
    `lossbook.linear.Linear` with a score for each class.

    Score c is the log of prior times density, without what all classes share:
    μ_cᵀ Σ⁻¹ x - μ_cᵀ Σ⁻¹ μ_c / 2 + log π_c. The softmax of the scores is the probability
    of the classes; with equal priors the largest score makes the balanced error least.

    means: (C, D). covariance: (D, D), of all classes. priors: C positive numbers; a
        common factor changes nothing.

    Raises TypeError or ValueError naming the argument whose shape or values do not fit.
    """
    means, covariance = _clouds(means, covariance)
    priors = require_positives(priors, "priors")
    if len(priors) != len(means):
        raise ValueError(f"priors must be {len(means)} numbers, got {len(priors)}")
    weights = np.linalg.solve(covariance, means.T)
    bias = np.log(priors) - np.sum(means.T * weights, axis=0) / 2
    if not np.isfinite(bias).all():
        raise ValueError(
            f"means and covariance must give finite scores, got a bias of {bias}"
        )
    return Linear(weights, bias)


def error_rates(model, means, covariance):
    """The share of each of two Gaussian clouds that a linear model gets wrong, exactly.

    model: weights (D,) and a bias: class 1 is predicted where the score is positive; or
        weights (D, 2): the class with the larger score. means: (2, D). covariance: (D, D).
    Returns (2,): the error of class 0, of class 1. Their mean is the balanced error.

    Raises TypeError or ValueError naming the argument whose shape or values do not fit.
    """
    means, covariance = _clouds(means, covariance)
    require_able(model, "model", "a linear model", "weights", "bias")
    weights = float_numpy(model.weights, "model.weights")
    bias = float_numpy(model.bias, "model.bias")
    if bias.shape != weights.shape[1:] or weights.shape[:1] != means.shape[1:]:
        raise ValueError(
            f"model must have weights for the {means.shape[1]} features of means, and a "
            f"bias for each score, got shapes {weights.shape} and {bias.shape}"
        )
    if weights.ndim == 2 and weights.shape[1] == 2:
        weights, bias = weights[:, 1] - weights[:, 0], bias[1] - bias[0]
    if weights.ndim != 1 or len(means) != 2:
        raise ValueError(
            f"model must tell two classes apart and means hold two rows, got weights of "
            f"shape {np.shape(model.weights)} and {len(means)} means"
        )
    with np.errstate(over="ignore"):  # so that no square of a weight is lost
        power = np.frexp(np.abs(weights).max())[1]
        weights, bias = np.ldexp(weights, -power), np.ldexp(bias, -power)
    spread = math.sqrt(weights @ covariance @ weights)
    center = means @ weights + bias
    if spread == 0:  # the same class everywhere
        return np.array([center[0] > 0, center[1] <= 0], dtype=np.float64)
    wrong = np.array([center[0], -center[1]]) / (spread * math.sqrt(2))
    return np.array([math.erfc(-u) / 2 for u in wrong])


def _shape_of(means):
    """(C, D), of which none is 0."""
    if means.size == 0:
        raise ValueError(
            f"means must hold a class and a feature at least, got {means.shape}"
        )
    return means.shape


def _clouds(means, covariance):
    means = float_numpy(means, "means", ndim=2)
    covariance = float_numpy(covariance, "covariance", ndim=2)
    _, n_features = _shape_of(means)
    if covariance.shape != (n_features, n_features):
        raise ValueError(
            f"covariance must have shape {(n_features, n_features)}, got {covariance.shape}"
        )
    if np.any(covariance != covariance.T) or np.linalg.eigvalsh(covariance)[0] <= 0:
        raise ValueError(
            f"covariance must be symmetric and positive definite, got {covariance.tolist()}"
        )
    return means, covariance


def long_tailed_counts(largest, n_classes, ratio):
    """The class counts of an exponential long tail, as in Cui et al. (2019).

    Class c of C has ``largest * ratio ** (-c / (C - 1))`` samples, rounded, and at least
    one: from ``largest`` down to ``largest / ratio``. Returns a list of n_classes ints.

    Raises TypeError or ValueError when largest or n_classes is not a count, or ratio is
    below 1.
    """
    largest = require_count(largest, "largest")
    n_classes = require_count(n_classes, "n_classes", minimum=2)
    if require_number(ratio, "ratio") < 1:
        raise ValueError(f"ratio must be at least 1, got {ratio}")
    shares = ratio ** -(np.arange(n_classes) / (n_classes - 1))
    return [max(1, round(largest * share)) for share in shares.tolist()]


def long_tailed_digits(ratio, *, random_state):
    """Scikit-learn's handwritten digits, with a training set that has a long tail.

    Of each of the ten digits, 50 images are kept for the test and 30 for validation, both
    balanced. From the rest the training set takes `long_tailed_counts` of them, at most
    90; which digit is how frequent is drawn at random.

    Returns (training, validation, test), each ``(features, targets)``: float64 (N, 64),
    the 8 x 8 pixels scaled to 0 to 1, and integers 0 to 9 (N,).

    Raises TypeError or ValueError naming the argument as `long_tailed_counts` does, or
    when random_state is not an integer of at least 0.
    """
    from sklearn.datasets import load_digits

    counts = long_tailed_counts(90, 10, ratio)
    rng = np.random.default_rng(require_count(random_state, "random_state", minimum=0))
    digits = load_digits()
    test, validation, training = [], [], []
    for digit, count in zip(rng.permutation(10), counts, strict=True):
        places = rng.permutation(np.flatnonzero(digits.target == digit))
        test.append(places[:50])
        validation.append(places[50:80])
        training.append(places[80 : 80 + count])
    parts = [rng.permutation(np.concatenate(p)) for p in (training, validation, test)]
    return tuple((digits.data[p] / 16, digits.target[p]) for p in parts)
