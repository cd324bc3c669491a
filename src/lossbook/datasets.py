"""The data of the book, generated: every function takes a ``random_state`` and gives
the same numbers for it each time."""

import numpy as np

from lossbook._validation import as_list, finite_floats, require_count, require_number


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
    if require_number(noise, "noise") < 0:
        raise ValueError(f"noise must not be negative, got {noise}")
    slope, intercept = (
        require_number(slope, "slope"),
        require_number(intercept, "intercept"),
    )
    outlier_shift = require_number(outlier_shift, "outlier_shift")
    rng = np.random.default_rng(require_count(random_state, "random_state", minimum=0))
    features = rng.uniform(0, 2, size=(n_samples, 1))
    targets = (
        intercept + slope * features[:, 0] + noise * rng.standard_normal(n_samples)
    )
    targets[rng.choice(n_samples, size=n_outliers, replace=False)] += outlier_shift
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
    means = np.asarray(finite_floats(means, "means", ndim=2))
    n_classes, n_features = means.shape
    covariances = np.asarray(finite_floats(covariances, "covariances"))
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
