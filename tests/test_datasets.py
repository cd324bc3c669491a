"""Generated data have the distribution that was asked for, and are the same every time.

Bounds on moments are five standard errors: a right generator misses one of them for one
random_state in two million.
"""

import math

import numpy as np
import pytest
import scipy.special
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal
from sklearn.datasets import load_digits

from lossbook.datasets import (
    bayes_classifier,
    error_rates,
    gaussians,
    long_tailed_counts,
    long_tailed_digits,
    straight_line,
)
from lossbook.linear import Linear

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


TWO = np.array([[0.0, 0.0], [2.0, 1.0]])
COVARIANCE = np.array([[1.0, 0.5], [0.5, 1.0]])


@pytest.mark.parametrize("n_classes", [2, 4])
def test_the_softmax_of_the_bayes_classifier_is_the_posterior(n_classes):
    rng = np.random.default_rng(n_classes)
    means, priors = 2 * rng.normal(size=(n_classes, 2)), rng.dirichlet([2] * n_classes)
    points = 3 * rng.normal(size=(50, 2))
    densities = np.column_stack(
        [multivariate_normal(mean, COVARIANCE).pdf(points) for mean in means]
    )
    joint = priors * densities
    posterior = joint / joint.sum(axis=1, keepdims=True)
    model = bayes_classifier(means, COVARIANCE, priors)
    ours = scipy.special.softmax(model.scores(points), axis=1)
    np.testing.assert_allclose(ours, posterior, rtol=1e-10)
    scaled = bayes_classifier(means, COVARIANCE, 70 * priors)  # a common factor
    np.testing.assert_allclose(
        scipy.special.softmax(scaled.scores(points), axis=1), posterior, rtol=1e-10
    )


def test_the_error_rates_of_a_line_are_those_of_a_large_sample():
    model = Linear([1.5, -0.3], -0.8)
    x, y = gaussians(TWO, COVARIANCE, [200_000, 200_000], random_state=0)
    wrong = (model.scores(x) > 0) != y
    counted = [wrong[y == 0].mean(), wrong[y == 1].mean()]
    ours = error_rates(model, TWO, COVARIANCE)
    np.testing.assert_allclose(ours, counted, atol=4 * np.sqrt(0.25 / 200_000))


def test_the_error_rates_are_the_normal_distribution_function():
    # the Bayes line of equal priors: both are wrong beyond half the distance
    distance = np.sqrt(TWO[1] @ np.linalg.solve(COVARIANCE, TWO[1]))
    expected = scipy.stats.norm.cdf(-distance / 2)
    model = bayes_classifier(TWO, COVARIANCE, [0.5, 0.5])
    np.testing.assert_allclose(error_rates(model, TWO, COVARIANCE), expected)
    two = Linear([2.0, 0.0], -2.0)
    np.testing.assert_allclose(error_rates(two, TWO, COVARIANCE), expected)


@given(st.floats(-8, 8), st.floats(-3, 3), st.floats(-3, 3))
def test_no_line_has_a_smaller_balanced_error_than_the_bayes_line(bias, w1, w2):
    best = error_rates(bayes_classifier(TWO, COVARIANCE, [1, 1]), TWO, COVARIANCE)
    ours = error_rates(Linear([w1, w2], bias), TWO, COVARIANCE)
    assert ours.mean() >= best.mean() - 1e-12


@pytest.mark.parametrize(
    "bias, expected", [(1.0, [1, 0]), (-1.0, [0, 1]), (0.0, [0, 1])]
)
def test_a_model_without_weights_says_one_class_everywhere(bias, expected):
    ours = error_rates(Linear([0.0, 0.0], bias), TWO, COVARIANCE)
    np.testing.assert_array_equal(ours, expected)


def test_long_tailed_counts_are_geometric_from_the_largest_to_the_smallest():
    assert long_tailed_counts(1000, 4, 1000) == [1000, 100, 10, 1]
    assert long_tailed_counts(500, 3, 1) == [500, 500, 500]
    # CIFAR-10 with the imbalance 100, as the long-tail papers have it, up to rounding
    counts = long_tailed_counts(5000, 10, 100)
    known = [5000, 2997, 1796, 1077, 645, 387, 232, 139, 83, 50]
    assert np.abs(np.subtract(counts, known)).max() <= 1
    assert long_tailed_counts(10, 5, 1e6)[-1] == 1


@pytest.mark.parametrize("ratio", [1, 10, 50])
def test_long_tailed_digits_have_the_counts_and_no_image_twice(ratio):
    training, validation, test = long_tailed_digits(ratio, random_state=3)
    counts = np.sort(np.bincount(training[1], minlength=10))[::-1]
    np.testing.assert_array_equal(counts, long_tailed_counts(90, 10, ratio))
    np.testing.assert_array_equal(np.bincount(validation[1]), 30)
    np.testing.assert_array_equal(np.bincount(test[1]), 50)
    features = np.concatenate([x for x, _ in (training, validation, test)])
    assert len(np.unique(features, axis=0)) == len(features)
    assert features.min() == 0 and features.max() == 1
    pixels = {
        tuple(image): digit
        for image, digit in zip(*load_digits(return_X_y=True), strict=True)
    }
    for x, y in (training, validation, test):
        assert [pixels[tuple(image)] for image in (16 * x).tolist()] == y.tolist()


def test_the_seed_says_which_digit_is_rare():
    rarest = set()
    for seed in range(6):
        (x, y), *_ = long_tailed_digits(50, random_state=seed)
        (again, _), *_ = long_tailed_digits(50, random_state=seed)
        np.testing.assert_array_equal(x, again)
        rarest.add(np.bincount(y).argmin())
    assert len(rarest) > 1


seeds = st.integers(0, 2**32 - 1)


@given(
    n=st.integers(1, 30),
    slope=st.floats(-1e3, 1e3),
    intercept=st.floats(-1e3, 1e3),
    noise=st.floats(0, 100),
    shift=st.floats(-1e3, 1e3).filter(lambda shift: abs(shift) > 1e-3),
    share=st.floats(0, 1),
    seed=seeds,
)
def test_any_line_is_the_standard_one_stretched_and_moved(
    n, slope, intercept, noise, shift, share, seed
):
    moved = int(share * n)
    features, standard = straight_line(
        n, slope=0, intercept=0, noise=1, random_state=seed
    )
    x, y = straight_line(
        n,
        slope=slope,
        intercept=intercept,
        noise=noise,
        n_outliers=moved,
        outlier_shift=shift,
        random_state=seed,
    )
    np.testing.assert_array_equal(x, features)
    off = y - (intercept + slope * x[:, 0] + noise * standard)
    away = np.abs(off) > 1e-9
    assert away.sum() == moved
    np.testing.assert_allclose(off[away], shift, rtol=1e-6)


@given(
    counts=st.lists(st.integers(0, 6), min_size=1, max_size=4).filter(any),
    n_features=st.integers(1, 3),
    scale=st.floats(0.01, 100),
    seed=seeds,
    listed=st.booleans(),
)
def test_any_clouds_are_stretched_about_their_means(
    counts, n_features, scale, seed, listed
):
    rng = np.random.default_rng(seed)
    means = rng.normal(size=(len(counts), n_features))
    root = rng.normal(size=(len(counts), n_features, n_features))
    covariances = root @ root.mT
    x, y = gaussians(means, covariances, counts, random_state=seed)
    np.testing.assert_array_equal(np.bincount(y, minlength=len(counts)), counts)
    arguments = 10 * means, scale**2 * covariances
    if listed:
        arguments = [array.tolist() for array in arguments]
    stretched, same = gaussians(*arguments, counts, random_state=seed)
    np.testing.assert_array_equal(same, y)
    np.testing.assert_allclose(
        stretched - 10 * means[y], scale * (x - means[y]), rtol=1e-6, atol=1e-6 * scale
    )


@given(n_classes=st.integers(1, 4), n_features=st.integers(1, 3), seed=seeds)
def test_any_bayes_classifier_gives_the_posterior(n_classes, n_features, seed):
    rng = np.random.default_rng(seed)
    means, priors = (
        rng.normal(size=(n_classes, n_features)),
        rng.uniform(1, 9, n_classes),
    )
    root = rng.normal(size=(n_features, n_features))
    covariance = root @ root.T + 0.1 * np.eye(n_features)
    points = rng.normal(size=(5, n_features))
    log_joint = [
        math.log(prior) + multivariate_normal(mean, covariance).logpdf(points)
        for prior, mean in zip(priors, means, strict=True)
    ]
    ours = bayes_classifier(means, covariance, priors).scores(points)
    np.testing.assert_allclose(
        scipy.special.log_softmax(ours, axis=1),
        scipy.special.log_softmax(np.column_stack(log_joint), axis=1),
        rtol=1e-8,
        atol=1e-8,
    )


@given(n_features=st.integers(1, 3), seed=seeds, two_scores=st.booleans())
def test_any_error_rates_are_those_of_the_normal_distribution(
    n_features, seed, two_scores
):
    rng = np.random.default_rng(seed)
    means, root = rng.normal(size=(2, n_features)), rng.normal(size=2 * (n_features,))
    covariance = root @ root.T + 0.1 * np.eye(n_features)
    weights, bias = rng.normal(size=n_features), rng.normal()
    score = scipy.stats.norm(
        means @ weights + bias, math.sqrt(weights @ covariance @ weights)
    )
    model = Linear(weights, bias)
    if two_scores:  # a common part of both scores decides nothing
        common = rng.normal(size=n_features)
        model = Linear(np.stack([common, common + weights], axis=1), [1.0, 1 + bias])
    ours = error_rates(model, means, covariance)
    np.testing.assert_allclose(ours, [score.sf(0)[0], score.cdf(0)[1]], rtol=1e-9)


@pytest.mark.parametrize("size", [5e-324, 1e-200, 1e200, 1e308])
def test_the_size_of_the_weights_does_not_matter(size):
    ours = error_rates(Linear([0.0, size], 0.0), TWO, COVARIANCE)
    np.testing.assert_allclose(ours, [0.5, scipy.stats.norm.sf(1)], rtol=1e-12)


@given(
    largest=st.integers(1, 10**6), n_classes=st.integers(2, 40), ratio=st.floats(1, 1e6)
)
def test_any_long_tail_falls_by_one_factor(largest, n_classes, ratio):
    counts = long_tailed_counts(largest, n_classes, ratio)
    expected = np.geomspace(largest, largest / ratio, n_classes)
    assert counts[0] == largest and len(counts) == n_classes
    assert np.abs(np.maximum(expected, 1) - counts).max() <= 0.5 + 1e-9 * largest
    assert counts == sorted(counts, reverse=True)


@settings(max_examples=20)
@given(ratio=st.floats(1, 1e4), seed=seeds)
def test_any_long_tailed_digits_have_that_tail(ratio, seed):
    (x, y), *balanced = long_tailed_digits(ratio, random_state=seed)
    counts = sorted(np.bincount(y, minlength=10), reverse=True)
    assert counts == long_tailed_counts(90, 10, ratio)
    assert [set(np.bincount(labels)) for _, labels in balanced] == [{30}, {50}]
    whole = np.concatenate([x, *(features for features, _ in balanced)])
    assert len(np.unique(whole, axis=0)) == len(whole)


REFUSED_HERE = [
    (lambda: bayes_classifier([0, 1], COVARIANCE, [1, 1]), ValueError, "means must"),
    (lambda: bayes_classifier(TWO, np.eye(3), [1, 1]), ValueError, "covariance must"),
    (
        lambda: bayes_classifier(TWO, -np.eye(2), [1, 1]),
        ValueError,
        "covariance must be symmetric and positive definite",
    ),
    (
        lambda: bayes_classifier(TWO, [[1, 0.5], [0, 1]], [1, 1]),
        ValueError,
        "covariance must be symmetric",
    ),
    (lambda: bayes_classifier(TWO, COVARIANCE, [1]), ValueError, "priors must be 2"),
    (
        lambda: bayes_classifier(TWO, COVARIANCE, [1, 0]),
        ValueError,
        r"priors\[1\] must be positive",
    ),
    (
        lambda: error_rates(Linear.zeros(2, 3), TWO, COVARIANCE),
        ValueError,
        "model must tell two classes apart",
    ),
    (lambda: long_tailed_counts(0, 3, 10), ValueError, "largest must be at least 1"),
    (lambda: long_tailed_counts(9, 1, 10), ValueError, "n_classes must be at least 2"),
    (lambda: long_tailed_counts(9, 3, 0.5), ValueError, "ratio must be at least 1"),
    (lambda: long_tailed_counts(9, 3, "10"), TypeError, "ratio must be a number"),
    (lambda: long_tailed_digits(0.1, random_state=0), ValueError, "ratio must be"),
    (lambda: long_tailed_digits(10, random_state=-1), ValueError, "random_state must"),
    (lambda: long_tailed_digits(10, random_state=0.5), TypeError, "random_state must"),
]


@pytest.mark.parametrize("call, error, message", REFUSED_HERE)
def test_bad_input_of_the_imbalanced_data_is_refused_by_name(call, error, message):
    with pytest.raises(error, match=message):
        call()
