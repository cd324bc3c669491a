"""Generated data have the distribution that was asked for, and are the same every time.

Bounds on moments are five standard errors: a right generator misses one of them for one
random_state in two million.
"""

import numpy as np
import pytest

from lossbook.datasets import gaussians, straight_line

LINE = {"slope": -3.0, "intercept": 2.0, "noise": 0.5}
MEANS = np.array([[0.0, 1.0], [4.0, -2.0], [-3.0, -3.0]])
COVARIANCES = np.array(
    [[[1.0, 0.6], [0.6, 2.0]], [[0.5, 0.0], [0.0, 0.1]], [[1.0, -1.0], [-1.0, 1.0]]]
)


def test_a_straight_line_has_uniform_features_and_gaussian_noise_about_the_line():
    n = 20_000
    features, targets = straight_line(n, **LINE, random_state=1)
    assert features.shape == (n, 1) and targets.shape == (n,)
    assert features.dtype == targets.dtype == np.float64
    assert 0 <= features.min() and features.max() <= 2
    for quarter in np.histogram(features, bins=4, range=(0, 2))[0]:
        assert abs(quarter - n / 4) < 5 * np.sqrt(n * 0.25 * 0.75)
    noise = (targets - 2 + 3 * features[:, 0]) / 0.5  # standard normal
    assert abs(noise.mean()) < 5 / np.sqrt(n)
    assert abs(np.mean(noise**2) - 1) < 5 * np.sqrt(2 / n)
    assert abs(np.mean(noise**4) - 3) < 5 * np.sqrt(96 / n)
    assert abs(np.mean(noise * (features[:, 0] - 1))) < 5 * np.sqrt(1 / 3 / n)


def test_without_noise_the_samples_lie_on_the_line():
    features, targets = straight_line(
        10, slope=2, intercept=-1, noise=0, random_state=3
    )
    np.testing.assert_array_equal(targets, -1 + 2 * features[:, 0])


@pytest.mark.parametrize("n_outliers", [0, 1, 7, 20])
@pytest.mark.parametrize("shift", [8.0, -2.5])
def test_outliers_are_moved_by_exactly_the_shift_and_nothing_else_is(n_outliers, shift):
    features, targets = straight_line(20, **LINE, random_state=5)
    moved_features, moved = straight_line(
        20, **LINE, n_outliers=n_outliers, outlier_shift=shift, random_state=5
    )
    np.testing.assert_array_equal(moved_features, features)
    assert np.count_nonzero(moved != targets) == n_outliers
    np.testing.assert_array_equal(
        moved[moved != targets], targets[moved != targets] + shift
    )


def test_which_samples_are_outliers_is_random():
    chosen = set()
    for random_state in range(20):
        calm, moved = (
            straight_line(
                10, **LINE, n_outliers=m, outlier_shift=9, random_state=random_state
            )[1]
            for m in (0, 1)
        )
        chosen.add(int(np.argmax(moved - calm)))
    assert len(chosen) > 3  # the chance of three or fewer is below 1e-8


def test_gaussian_clouds_have_the_means_covariances_and_counts_asked_for():
    counts = [20_000, 10_000, 15_000]
    features, targets = gaussians(MEANS, COVARIANCES, counts, random_state=2)
    assert features.shape == (45_000, 2) and features.dtype == np.float64
    assert np.issubdtype(targets.dtype, np.integer)
    np.testing.assert_array_equal(np.bincount(targets), counts)
    for label, (mean, covariance, n) in enumerate(
        zip(MEANS, COVARIANCES, counts, strict=True)
    ):
        deviation = features[targets == label] - mean
        variance = np.diag(covariance)
        assert np.all(np.abs(deviation.mean(axis=0)) < 5 * np.sqrt(variance / n))
        error = np.sqrt(
            (np.outer(variance, variance) + covariance**2) / n
        )  # of a covariance of Gaussians
        assert np.all(np.abs(deviation.T @ deviation / n - covariance) < 5 * error)


def test_one_covariance_serves_all_classes():
    shared = gaussians(MEANS, COVARIANCES[0], [5, 6, 7], random_state=4)
    repeated = gaussians(MEANS, [COVARIANCES[0]] * 3, [5, 6, 7], random_state=4)
    for ours, expected in zip(shared, repeated, strict=True):
        np.testing.assert_array_equal(ours, expected)


def test_a_class_may_have_no_samples_and_a_cloud_no_width():
    features, targets = gaussians(MEANS, np.zeros((2, 2)), [2, 0, 3], random_state=0)
    np.testing.assert_array_equal(np.bincount(targets), [2, 0, 3])
    np.testing.assert_array_equal(features, MEANS[targets])


def test_the_order_of_the_classes_is_random():
    _, targets = gaussians(MEANS, COVARIANCES, [40, 40, 40], random_state=0)
    switches = np.count_nonzero(np.diff(targets))
    assert switches > 40  # expected 80, standard deviation about 5; sorted would be 2


MAKERS = {
    "line": lambda seed: straight_line(
        9, **LINE, n_outliers=2, outlier_shift=5, random_state=seed
    ),
    "gaussians": lambda seed: gaussians(
        MEANS, COVARIANCES, [3, 4, 5], random_state=seed
    ),
}


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_the_same_random_state_gives_the_same_numbers_and_another_gives_others(make):
    np.random.seed(1)  # noqa: NPY002 (the global state must not matter)
    first = make(7)
    np.random.seed(2)  # noqa: NPY002
    for ours, again, other in zip(first, make(7), make(8), strict=True):
        np.testing.assert_array_equal(ours, again)
        assert not np.array_equal(ours, other)


def line(**changed):
    return straight_line(**({"n_samples": 5, **LINE, "random_state": 0} | changed))


def clouds(means=MEANS, covariances=COVARIANCES, counts=(1, 2, 3), random_state=0):
    return gaussians(means, covariances, counts, random_state=random_state)


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda: line(n_samples=0), ValueError, "n_samples must be at least 1, got 0"),
        (lambda: line(n_samples=2.5), TypeError, "n_samples must be an integer"),
        (
            lambda: line(n_outliers=6),
            ValueError,
            "n_outliers must be at most n_samples, 5, got 6",
        ),
        (lambda: line(n_outliers=-1), ValueError, "n_outliers must be at least 0"),
        (lambda: line(noise=-0.1), ValueError, "noise must not be negative, got -0.1"),
        (lambda: line(noise="loud"), TypeError, "noise must be a number"),
        (lambda: line(slope=float("inf")), ValueError, "slope must be finite"),
        (lambda: line(intercept=None), TypeError, "intercept must be a number"),
        (lambda: line(outlier_shift=[1]), TypeError, "outlier_shift must be a number"),
        (lambda: line(random_state=None), TypeError, "random_state must be an integer"),
        (lambda: line(random_state=-1), ValueError, "random_state must be at least 0"),
        (lambda: clouds(means=[0.0, 1.0]), ValueError, "means must have 2 dimension"),
        (lambda: clouds(means="m"), TypeError, "means must be"),
        (
            lambda: clouds(covariances=np.eye(3)),
            ValueError,
            r"covariances must have shape \(2, 2\) or \(3, 2, 2\)",
        ),
        (
            lambda: clouds(covariances=np.ones((2, 2, 2))),
            ValueError,
            r"covariances must have .*got \(2, 2, 2\)",
        ),
        (
            lambda: clouds(covariances=[[1, 0.5], [0, 1]]),
            ValueError,
            r"covariances\[0\] must be symmetric",
        ),
        (
            lambda: clouds(covariances=[np.eye(2), np.eye(2), -np.eye(2)]),
            ValueError,
            r"covariances\[2\] .*semi-def",
        ),
        (
            lambda: clouds(covariances=[[1, 2], [2, 1]]),
            ValueError,
            "positive semi-definite",
        ),
        (
            lambda: clouds(covariances=[[np.nan, 0], [0, 1]]),
            ValueError,
            "covariances must be finite",
        ),
        (lambda: clouds(counts=[1, 2]), ValueError, "counts must be 3 numbers"),
        (lambda: clouds(counts=[0, 0, 0]), ValueError, "counts must be .*not all zero"),
        (
            lambda: clouds(counts=[1, -2, 3]),
            ValueError,
            "counts must be at least 0, got -2",
        ),
        (lambda: clouds(counts=[1, 2.5, 3]), TypeError, "counts must be an integer"),
        (
            lambda: clouds(random_state=0.5),
            TypeError,
            "random_state must be an integer",
        ),
    ],
)
def test_bad_input_is_refused_by_name(make, error, message):
    with pytest.raises(error, match=message):
        make()
