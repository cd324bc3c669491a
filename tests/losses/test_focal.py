"""The focal losses: what is theirs alone. The rest is in test_contract.py."""

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lossbook.checks import check_gradient
from lossbook.losses import (
    BinaryCrossEntropy,
    BinaryFocalLoss,
    CrossEntropy,
    FocalLoss,
    WeightedBinaryCrossEntropy,
    WeightedCrossEntropy,
    sigmoid,
)

GAMMAS = [0, 0.01, 0.5, 1, 2, 3, 4.5]
SCORES = [0, 1e-9, 0.3, 1, 5, 17, 37, 40, 104, 746, 1e4]
SCORES = np.array([sign * score for score in SCORES for sign in (1, -1)])
logits = st.one_of(st.floats(-1e4, 1e4), st.floats(-40, 40))
gammas = st.one_of(st.floats(0, 6), st.sampled_from(GAMMAS))


def exact(score, target, gamma, alpha):
    """Equation 5 of the paper and its slope, to 50 digits and more."""
    with mpmath.workdps(60 + int(0.9 * abs(score))):
        z = mpmath.mpf(float(score))
        p = 1 / (1 + mpmath.exp(-z))
        right, sign = (p, 1) if target else (1 - p, -1)
        weight = 1 if alpha is None else (alpha if target else 1 - mpmath.mpf(alpha))
        log_right = mpmath.log(right)
        value = -weight * (1 - right) ** gamma * log_right
        slope = gamma * right * log_right - (1 - right)
        gradient = sign * weight * (1 - right) ** gamma * slope
        return float(value), float(gradient)


@pytest.mark.parametrize("gamma", GAMMAS)
@pytest.mark.parametrize("alpha", [None, 0.25])
@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("library", [np.asarray, torch.tensor], ids=["NumPy", "torch"])
def test_value_and_gradient_are_exact_at_every_score(gamma, alpha, library):
    loss = BinaryFocalLoss(gamma, alpha)
    for target in (0, 1):
        expected = [exact(score, target, gamma, alpha) for score in SCORES]
        targets = library(np.full(SCORES.shape, float(target)))
        ours = loss.value_and_gradient(library(SCORES), targets)
        for got, wanted in zip(ours, zip(*expected, strict=True), strict=True):
            np.testing.assert_allclose(np.asarray(got), wanted, rtol=2e-14, atol=1e-300)


@given(logits, st.sampled_from([0, 1]), gammas)
def test_the_softmax_form_of_two_classes_is_the_binary_one(score, target, gamma):
    binary = BinaryFocalLoss(gamma, alpha=None).value_and_gradient(score, target)
    value, slopes = FocalLoss(gamma).value_and_gradient([0.0, score], target)
    assert value == pytest.approx(binary[0], rel=1e-12, abs=1e-300)
    assert slopes[1] == pytest.approx(binary[1], rel=1e-12, abs=1e-300)
    assert slopes[0] == pytest.approx(-binary[1], rel=1e-12, abs=1e-300)


@given(logits, st.sampled_from([0, 1]), st.floats(0.01, 1))
def test_without_focusing_it_is_the_cross_entropy(score, target, alpha):
    plain = BinaryCrossEntropy().value_and_gradient(score, target)
    ours = BinaryFocalLoss(gamma=0, alpha=None).value_and_gradient(score, target)
    np.testing.assert_allclose(ours, plain, rtol=1e-15, atol=1e-300)
    weight = alpha if target else 1 - alpha
    ours = BinaryFocalLoss(gamma=0, alpha=alpha).value_and_gradient(score, target)
    np.testing.assert_allclose(ours, np.multiply(weight, plain), rtol=1e-13, atol=1e-16)


def test_without_focusing_the_softmax_form_is_the_weighted_cross_entropy():
    rng = np.random.default_rng(0)
    scores, classes = 5 * rng.normal(size=(50, 4)), rng.integers(4, size=50)
    for weights, plain in (
        (None, CrossEntropy()),
        ((1, 2, 3, 0.5), WeightedCrossEntropy((1, 2, 3, 0.5))),
    ):
        for ours, theirs in zip(
            FocalLoss(0, weights).value_and_gradient(scores, classes),
            plain.value_and_gradient(scores, classes),
            strict=True,
        ):
            np.testing.assert_allclose(ours, theirs, rtol=1e-15)


def test_alpha_is_the_weight_of_the_positives():
    scores, rest = np.array([0.3, -0.7]), BinaryFocalLoss(2, None)
    value = BinaryFocalLoss(2, alpha=0.25).value(scores, [1, 0])
    np.testing.assert_allclose(value, [0.25, 0.75] * rest.value(scores, [1, 0]))
    weighted = WeightedBinaryCrossEntropy(0.25, 0.75).value(scores, [1, 0])
    np.testing.assert_allclose(BinaryFocalLoss(0, 0.25).value(scores, [1, 0]), weighted)
    assert BinaryFocalLoss(alpha=1).value(0.0, 0) == 0
    assert BinaryFocalLoss(alpha=0).gradient(0.0, 1) == 0


def test_without_alpha_the_derivation_has_no_weight():
    loss, weighted = BinaryFocalLoss(2, None), BinaryFocalLoss(2, 0.25)
    assert loss.derivation_values([0]) == {"gamma": 2.0}
    assert weighted.derivation_values([0]) == {"gamma": 2.0, "alpha": 0.25}
    assert r"\alpha" not in loss.derivation()._repr_markdown_()
    assert r"\alpha" in weighted.derivation()._repr_markdown_()
    assert loss.derivation().verify() == weighted.derivation().verify()
    assert check_gradient(loss, SCORES[:8], [0, 1] * 4).agrees
    assert FocalLoss(2).derivation_values(0) == {"gamma": 2.0}
    weighted = FocalLoss(2, (1, 3)).derivation_values(0)
    assert weighted == {"gamma": 2.0, "alpha": (1.0, 3.0)}


def test_the_softmax_form_is_proved_from_two_classes_on():
    assert FocalLoss().derivation().smallest_size == 2


def test_the_reductions_that_the_paper_names():
    # section 3.2: with gamma = 2, a hundred times less at p = 0.9, about a thousand
    # times less at 0.968, and at most four times less up to 0.5
    for p, factor in ((0.9, 100), (0.968, 1000), (0.5, 4)):
        z = np.log(p / (1 - p))
        quotient = BinaryCrossEntropy().value(z, 1) / BinaryFocalLoss(2, None).value(
            z, 1
        )
        assert quotient == pytest.approx(factor, rel=0.03)


@pytest.mark.parametrize("loss", [BinaryFocalLoss(), BinaryFocalLoss(0.5, None)])
def test_a_gradient_without_the_term_of_the_factor_is_found_out(loss):
    class OneTerm(type(loss)):
        def value_and_gradient(self, scores, targets):
            value, _ = super().value_and_gradient(scores, targets)
            p = sigmoid(np.asarray(scores))
            right = np.where(targets == 1, p, 1 - p)
            factor = self.alpha if self.alpha is not None else 1
            return value, (1 - 2 * targets) * factor * (1 - right) ** (self.gamma + 1)

    scores, targets = np.linspace(-2, 2, 9), np.ones(9)
    assert check_gradient(loss, scores, targets).agrees
    wrong = OneTerm(loss.gamma, loss.alpha)
    assert not check_gradient(wrong, scores, targets).agrees


@pytest.mark.parametrize("gamma", [0.1, 0.5, 0.999, 2.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_autograd_through_the_value_meets_no_infinite_slope(gamma, dtype):
    scores = torch.tensor([1e4, -1e4, 90, -90, 0.0], dtype=dtype, requires_grad=True)
    ones = torch.ones(5, dtype=dtype)
    BinaryFocalLoss(gamma).value(scores, ones).sum().backward()
    assert torch.isfinite(scores.grad).all()
    pairs = torch.stack([scores.detach(), torch.zeros_like(ones)], 1).requires_grad_()
    FocalLoss(gamma).value(pairs, torch.zeros(5, dtype=torch.int64)).sum().backward()
    assert torch.isfinite(pairs.grad).all()


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda: BinaryFocalLoss(gamma=-1), ValueError, "gamma must not be negative"),
        (lambda: FocalLoss(gamma=-0.1), ValueError, "gamma must not be negative"),
        (lambda: FocalLoss(gamma=np.inf), ValueError, "gamma must be finite"),
        (lambda: FocalLoss(gamma=None), TypeError, "gamma must be a number"),
        (lambda: BinaryFocalLoss(alpha=1.1), ValueError, "alpha must be from 0 to 1"),
        (lambda: BinaryFocalLoss(alpha=-0.1), ValueError, "alpha must be from 0 to 1"),
        (lambda: BinaryFocalLoss(alpha="0.25"), TypeError, "alpha must be a number"),
        (
            lambda: BinaryFocalLoss(alpha=[0.2, 0.8]),
            TypeError,
            "alpha must be a number",
        ),
        (
            lambda: FocalLoss(weights=[1, 0]),
            ValueError,
            r"weights\[1\] must be positive",
        ),
        (lambda: FocalLoss(weights=0.25), TypeError, "weights must be a sequence"),
    ],
)
def test_bad_hyper_parameters_are_refused_by_name(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_weights_must_be_as_many_as_the_classes():
    with pytest.raises(ValueError, match="scores must have 3 classes .*as weights"):
        FocalLoss(weights=[1, 2, 3]).value(np.zeros((5, 4)), np.zeros(5, int))


def test_a_small_alpha_keeps_its_digits_in_float32():
    loss, z = BinaryFocalLoss(gamma=0, alpha=1e-5), np.array([-3.0], dtype=np.float32)
    value, gradient = loss.value_and_gradient(z, [1])
    assert value[0] == pytest.approx(1e-5 * np.log1p(np.exp(3)), rel=1e-6)
    assert gradient[0] == pytest.approx(-1e-5 / (1 + np.exp(-3)), rel=1e-6)
