"""The logit-adjusted loss and the adjustment afterwards: what is theirs alone."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lossbook.losses import CrossEntropy, LogitAdjustedLoss, adjust_logits, softmax

PRIORS = (0.9, 0.08, 0.02)
positive = st.floats(0.01, 1)


def normalised(numbers):
    return np.asarray(numbers) / np.sum(numbers)


@given(
    st.lists(positive, min_size=3, max_size=3).map(normalised),
    st.lists(positive, min_size=3, max_size=3).map(normalised),
    st.floats(0, 3),
)
def test_the_minimiser_is_the_log_posterior_without_the_prior(posterior, priors, tau):
    logits = np.log(posterior) - tau * np.log(priors)
    pulls = LogitAdjustedLoss(priors, tau).gradient(np.tile(logits, (3, 1)), range(3))
    np.testing.assert_allclose(posterior @ pulls, 0, atol=1e-14)


def test_with_tau_1_the_minimiser_decides_for_the_likeliest_features():
    # Pr(x | c) at one x, and the posterior that the priors make of it
    likelihood = np.array([0.2, 0.5, 0.3])
    posterior = normalised(likelihood * PRIORS)
    assert posterior.argmax() == 0
    adjusted = adjust_logits(np.log(posterior), PRIORS, 1.0)
    assert adjusted.argmax() == likelihood.argmax()
    np.testing.assert_allclose(softmax(adjusted), likelihood)


def test_tau_0_is_the_cross_entropy():
    scores, classes = np.random.default_rng(0).normal(size=(20, 3)), np.arange(20) % 3
    for ours, plain in zip(
        LogitAdjustedLoss(PRIORS, 0).value_and_gradient(scores, classes),
        CrossEntropy().value_and_gradient(scores, classes),
        strict=True,
    ):
        np.testing.assert_array_equal(ours, plain)
    np.testing.assert_array_equal(adjust_logits(scores, PRIORS, 0), scores)


@given(arrays(np.float64, (4, 3), elements=st.floats(-50, 50)), st.floats(0, 2))
def test_adjusting_undoes_what_the_loss_adds(scores, tau):
    classes = np.array([0, 1, 2, 0])
    ours = LogitAdjustedLoss(PRIORS, tau).value(
        adjust_logits(scores, PRIORS, tau), classes
    )
    expected = CrossEntropy().value(scores, classes)
    np.testing.assert_allclose(ours, expected, rtol=1e-12, atol=1e-12)


@given(st.floats(-20, 20), st.floats(-20, 20), st.sampled_from([0, 1]))
def test_it_is_the_pairwise_loss_with_a_margin_for_each_pair(a, b, y):
    # log(1 + (prior of the other / prior of y) ** tau * exp(other logit - logit of y))
    logits, priors, tau = np.array([a, b]), np.array([0.95, 0.05]), 0.7
    other = 1 - y
    margin = tau * np.log(priors[other] / priors[y])
    expected = np.logaddexp(0, margin + logits[other] - logits[y])
    ours = LogitAdjustedLoss(priors, tau).value(logits, y)
    assert ours == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_for_two_classes_the_adjustment_moves_the_threshold():
    logits = np.linspace(-6, 6, 25)
    two = np.column_stack([np.zeros(25), logits])
    adjusted = adjust_logits(two, (0.95, 0.05))
    np.testing.assert_array_equal(
        adjusted.argmax(axis=1) == 1, logits > np.log(0.05 / 0.95)
    )


def test_a_rare_class_is_pushed_harder_and_not_less():
    scores = np.zeros((2, 3))
    pulls = -LogitAdjustedLoss(PRIORS).gradient(scores, [0, 2])
    plain = -CrossEntropy().gradient(scores, [0, 2])
    assert pulls[1, 2] > plain[1, 2] and pulls[0, 0] < plain[0, 0]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("library", [np.asarray, torch.tensor], ids=["NumPy", "torch"])
def test_adjusted_logits_keep_library_type_and_shape(dtype, library):
    scores = library(np.zeros((2, 4, 3), dtype))
    adjusted = adjust_logits(scores, PRIORS)
    assert type(adjusted) is type(scores) and adjusted.dtype == scores.dtype
    np.testing.assert_allclose(np.asarray(adjusted)[1, 2], -np.log(PRIORS), rtol=1e-6)


@pytest.mark.parametrize("container", [tuple, list, np.array, torch.tensor])
def test_priors_may_come_in_any_container(container):
    priors = LogitAdjustedLoss(container([0.5, 0.25, 0.25])).priors
    assert priors == (0.5, 0.25, 0.25)


REFUSED = [
    (lambda: LogitAdjustedLoss((0.5, 0.5, 0.0)), ValueError, r"priors\[2\] .*positive"),
    (lambda: LogitAdjustedLoss((1.5, -0.5)), ValueError, r"priors\[1\] .*positive"),
    (lambda: LogitAdjustedLoss((90, 10)), ValueError, "priors must sum to one.*100"),
    (lambda: LogitAdjustedLoss((0.5, 0.4)), ValueError, "priors must sum to one"),
    (lambda: LogitAdjustedLoss(()), ValueError, "priors .*got none"),
    (lambda: LogitAdjustedLoss(0.5), TypeError, "priors must be a sequence"),
    (lambda: LogitAdjustedLoss(("a", "b")), TypeError, r"priors\[0\] must be a number"),
    (lambda: LogitAdjustedLoss(PRIORS, -1), ValueError, "tau must not be negative"),
    (lambda: LogitAdjustedLoss(PRIORS, None), TypeError, "tau must be a number"),
    (
        lambda: adjust_logits(0.5, PRIORS),
        ValueError,
        r"scores must have shape \(..., C\), got \(\)",
    ),
    (
        lambda: adjust_logits(np.zeros((2, 4)), PRIORS),
        ValueError,
        "scores must have 3 classes on the last axis, as many as priors",
    ),
    (
        lambda: adjust_logits([np.nan, 0, 0], PRIORS),
        ValueError,
        "scores must be finite",
    ),
    (
        lambda: adjust_logits(np.zeros(3, int), PRIORS),
        TypeError,
        "scores must be float",
    ),
    (lambda: adjust_logits(np.zeros(3), (9, 1, 1)), ValueError, "priors must sum"),
    (lambda: adjust_logits(np.zeros(3), PRIORS, -1), ValueError, "tau must not be neg"),
]


@pytest.mark.parametrize("call, error, message", REFUSED)
def test_bad_input_is_refused_by_name(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_priors_that_were_rounded_are_taken():
    for priors in ((0.33, 0.33, 0.33), (0.505, 0.505), (0.495, 0.495)):
        assert LogitAdjustedLoss(priors).priors == priors
    for priors in ((0.5, 0.511), (0.5, 0.489)):
        with pytest.raises(ValueError, match="priors must sum to one"):
            LogitAdjustedLoss(priors)


def test_the_adjustment_is_whole_unless_told():
    whole = adjust_logits([1.0, 2.0, 3.0], PRIORS)
    np.testing.assert_array_equal(whole, adjust_logits([1.0, 2.0, 3.0], PRIORS, tau=1))
    np.testing.assert_allclose(whole, [1, 2, 3] - np.log(PRIORS))
