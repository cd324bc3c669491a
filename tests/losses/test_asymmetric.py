"""The asymmetric loss: what is its alone. The rest is in test_contract.py."""

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lossbook.losses import AsymmetricLoss, BinaryCrossEntropy, BinaryFocalLoss

logits = st.one_of(st.floats(-1e4, 1e4), st.floats(-40, 40))
classes = st.sampled_from([0, 1])
SETTINGS = [(0, 4, 0.05), (1, 4, 0.05), (0.5, 0.5, 0.2), (2, 1, 0.0), (0, 0, 0.3)]
SETTINGS += [(0, 3, 1e-3), (0, 4, 0.9)]
SCORES = [0, 0.3, 1, 2.5, 3, 5, 17, 37, 40, 90, 104, 746, 1e4]
SCORES = np.array([sign * score for score in SCORES for sign in (1, -1)])


def exact(score, target, gamma_pos, gamma_neg, margin):
    """Equation 7 of the paper and its slope, to 50 digits and more."""
    with mpmath.workdps(60 + int(0.9 * abs(score))):
        p = 1 / (1 + mpmath.exp(-mpmath.mpf(float(score))))
        if target:
            factor = (1 - p) ** gamma_pos
            slope = factor * (gamma_pos * p * mpmath.log(p) - (1 - p))
            return float(-factor * mpmath.log(p)), float(slope)
        p_m = p - mpmath.mpf(margin)
        if p_m <= 0:
            return 0.0, 0.0
        log_rest = mpmath.log(1 - p_m)
        slope = (
            p_m**gamma_neg / (1 - p_m) - gamma_neg * p_m ** (gamma_neg - 1) * log_rest
        )
        return float(-(p_m**gamma_neg) * log_rest), float(slope * p * (1 - p))


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("library", [np.asarray, torch.tensor], ids=["NumPy", "torch"])
def test_value_and_gradient_are_exact_at_every_score(setting, library):
    loss = AsymmetricLoss(*setting)
    for target in (0, 1):
        expected = [exact(score, target, *setting) for score in SCORES]
        targets = library(np.full(SCORES.shape, float(target)))
        ours = loss.value_and_gradient(library(SCORES), targets)
        for got, wanted in zip(ours, zip(*expected, strict=True), strict=True):
            np.testing.assert_allclose(np.asarray(got), wanted, rtol=2e-13, atol=1e-300)


@given(logits, classes)
def test_without_focusing_and_margin_it_is_the_binary_cross_entropy(score, target):
    ours = AsymmetricLoss(0, 0, 0).value_and_gradient(score, target)
    plain = BinaryCrossEntropy().value_and_gradient(score, target)
    np.testing.assert_allclose(ours, plain, rtol=1e-14, atol=1e-300)


@given(logits, classes, st.floats(0, 6))
def test_with_equal_exponents_and_no_margin_it_is_the_focal_loss(score, target, gamma):
    ours = AsymmetricLoss(gamma, gamma, 0).value_and_gradient(score, target)
    focal = BinaryFocalLoss(gamma, alpha=None).value_and_gradient(score, target)
    np.testing.assert_allclose(ours, focal, rtol=1e-12, atol=1e-300)


@given(st.floats(0, 1, exclude_max=True), st.floats(0, 6), st.floats(0.01, 0.9))
def test_a_negative_up_to_the_margin_has_exactly_no_loss_and_no_pull(
    share, gamma, margin
):
    p = share * margin
    score = -1e4 if p == 0 else np.log(p / (1 - p))
    if p > margin * (1 - 1e-9):  # on the edge itself rounding decides
        return
    value, gradient = AsymmetricLoss(0, gamma, margin).value_and_gradient(score, 0)
    assert value == 0 and gradient == 0


@pytest.mark.parametrize("gamma_neg", [0, 0.5, 1, 4])
def test_beyond_the_margin_a_negative_pulls(gamma_neg):
    margin = 0.05
    edge = np.log(margin / (1 - margin))
    scores = edge + np.array([1e-3, 0.1, 1, 3])
    value, gradient = AsymmetricLoss(0, gamma_neg, margin).value_and_gradient(
        scores, np.zeros(4)
    )
    assert (value > 0).all() and (gradient > 0).all()


@pytest.mark.parametrize("margin", [5e-324, 1e-30, 1e-12, 1e-3, 0.999])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.filterwarnings("error")
def test_no_margin_and_no_score_give_anything_infinite(margin, dtype):
    loss = AsymmetricLoss(0.5, 0.5, margin)
    for target in (0, 1):
        targets = np.full(SCORES.shape, target, dtype)
        value, gradient = loss.value_and_gradient(SCORES.astype(dtype), targets)
        assert np.isfinite(value).all() and np.isfinite(gradient).all()
        assert (value >= 0).all()


def test_the_positives_do_not_feel_the_margin_or_the_other_exponent():
    scores, ones = np.linspace(-5, 5, 11), np.ones(11)
    for loss in (AsymmetricLoss(1, 4, 0.05), AsymmetricLoss(1, 0, 0.5)):
        expected = BinaryFocalLoss(1, None).value_and_gradient(scores, ones)
        ours = loss.value_and_gradient(scores, ones)
        np.testing.assert_allclose(ours, expected, rtol=1e-13)


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda: AsymmetricLoss(gamma_pos=-1), ValueError, "gamma_pos must not be neg"),
        (lambda: AsymmetricLoss(gamma_neg=-1), ValueError, "gamma_neg must not be neg"),
        (
            lambda: AsymmetricLoss(margin=-0.1),
            ValueError,
            "margin must not be negative",
        ),
        (lambda: AsymmetricLoss(margin=1), ValueError, "margin must be below 1"),
        (lambda: AsymmetricLoss(margin=np.nan), ValueError, "margin must be finite"),
        (
            lambda: AsymmetricLoss(gamma_neg="4"),
            TypeError,
            "gamma_neg must be a number",
        ),
    ],
)
def test_bad_hyper_parameters_are_refused_by_name(make, error, message):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize("z", [1.4e-7, -1.4e-7, 1e-8, 0.0])
def test_autograd_has_the_slope_next_to_zero_with_a_tiny_margin(z):
    scores = torch.tensor([z], requires_grad=True)
    value = AsymmetricLoss(0, 0, 2**-24).value(scores, torch.tensor([0]))
    (slope,) = torch.autograd.grad(value, scores)
    assert slope.item() == pytest.approx(0.5, rel=1e-6)
