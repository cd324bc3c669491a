"""The weighted cross-entropies: what is theirs alone. The rest is in test_contract.py."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.utils.class_weight import compute_class_weight
from sympy import Symbol

from lossbook.losses import (
    BinaryCrossEntropy,
    CrossEntropy,
    WeightedBinaryCrossEntropy,
    WeightedCrossEntropy,
    sigmoid,
    softmax,
)
from lossbook.losses.weighted_cross_entropy import weighted_derivation

RNG = np.random.default_rng(0)
SCORES, CLASSES = RNG.normal(size=(60, 3)), RNG.integers(3, size=60)
LOGITS, TARGETS = RNG.normal(size=60), RNG.integers(2, size=60)


def test_whole_weights_are_copies_of_the_samples():
    weights = np.array([1, 4, 2])
    copies = np.repeat(np.arange(60), weights[CLASSES])
    weighted = WeightedCrossEntropy(weights).value(SCORES, CLASSES).sum()
    copied = CrossEntropy().value(SCORES[copies], CLASSES[copies]).sum()
    assert weighted == pytest.approx(copied, rel=1e-13)
    copies = np.repeat(np.arange(60), np.where(TARGETS == 1, 5, 2))
    weighted = WeightedBinaryCrossEntropy(5, 2).value(LOGITS, TARGETS).sum()
    copied = BinaryCrossEntropy().value(LOGITS[copies], TARGETS[copies]).sum()
    assert weighted == pytest.approx(copied, rel=1e-13)


def test_equal_weights_only_scale_the_cross_entropy():
    for ours, plain in zip(
        WeightedCrossEntropy([2.5] * 3).value_and_gradient(SCORES, CLASSES),
        CrossEntropy().value_and_gradient(SCORES, CLASSES),
        strict=True,
    ):
        np.testing.assert_allclose(ours, 2.5 * plain, rtol=1e-15)


def test_the_softmax_form_of_two_classes_is_the_binary_one():
    two = np.column_stack([np.zeros(60), LOGITS])
    value, gradient = WeightedCrossEntropy([0.5, 3]).value_and_gradient(two, TARGETS)
    ours = WeightedBinaryCrossEntropy(3, 0.5).value_and_gradient(LOGITS, TARGETS)
    np.testing.assert_allclose(value, ours[0], rtol=1e-13)
    np.testing.assert_allclose(gradient[:, 1], ours[1], rtol=1e-13)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_weight_is_exact_beside_a_much_larger_one(dtype):
    loss = WeightedBinaryCrossEntropy(pos_weight=1e-9, neg_weight=1.0)
    value, gradient = loss.value_and_gradient(np.zeros(2, dtype), [1, 0])
    np.testing.assert_allclose(value, np.log(2) * np.array([1e-9, 1]), rtol=1e-6)
    np.testing.assert_allclose(gradient, [-0.5e-9, 0.5], rtol=1e-6)


def test_the_mean_of_pytorch_divides_by_the_weights_and_not_by_the_samples():
    weights = [1.0, 4.0, 2.0]
    ours = WeightedCrossEntropy(weights).value(SCORES, CLASSES)
    theirs = torch.nn.CrossEntropyLoss(weight=torch.tensor(weights).double())
    theirs = theirs(torch.tensor(SCORES), torch.tensor(CLASSES)).item()
    assert theirs == pytest.approx(ours.sum() / np.take(weights, CLASSES).sum())
    assert theirs != pytest.approx(ours.mean())


def test_the_class_weights_of_scikit_learn_have_the_minimum_of_this_loss():
    features = RNG.normal(size=(200, 2))
    targets = (features[:, 0] + RNG.normal(size=200) > 1).astype(int)
    negative, positive = compute_class_weight(
        "balanced", classes=np.array([0, 1]), y=targets
    )
    fit = LogisticRegression(
        C=np.inf, class_weight="balanced", tol=1e-10, max_iter=1000
    )
    logits = fit.fit(features, targets).decision_function(features)
    loss = WeightedBinaryCrossEntropy(positive, negative)
    gradient = loss.gradient(logits, targets)
    assert np.abs(features.T @ gradient).max() < 1e-3
    assert abs(gradient.sum()) < 1e-3


def test_the_minimiser_is_the_posterior_with_other_odds():
    share, loss = 0.07, WeightedBinaryCrossEntropy(9, 2)
    logit = np.log(9 / 2) + np.log(share / (1 - share))
    pulls = loss.gradient(np.full(2, logit), [1, 0])
    assert share * pulls[0] + (1 - share) * pulls[1] == pytest.approx(0, abs=1e-15)
    assert sigmoid(logit - np.log(9 / 2)) == pytest.approx(share)
    shares, weights = np.array([0.7, 0.2, 0.1]), np.array([1.0, 3.0, 8.0])
    logits = np.tile(np.log(shares * weights), (3, 1))
    pulls = WeightedCrossEntropy(weights).gradient(logits, np.arange(3))
    np.testing.assert_allclose(shares @ pulls, 0, atol=1e-15)
    np.testing.assert_allclose(softmax(logits - np.log(weights))[0], shares)


@pytest.mark.parametrize(
    "make, error, message",
    [
        (
            lambda: WeightedCrossEntropy([1, 0]),
            ValueError,
            r"weights\[1\] .*positive.*0",
        ),
        (lambda: WeightedCrossEntropy([1, -2.0]), ValueError, r"weights\[1\] .*-2"),
        (
            lambda: WeightedCrossEntropy([np.nan, 1]),
            ValueError,
            r"weights\[0\] .*finite",
        ),
        (lambda: WeightedCrossEntropy([1, "2"]), TypeError, r"weights\[1\] .*number"),
        (lambda: WeightedCrossEntropy(3.0), TypeError, "weights must be a sequence"),
        (lambda: WeightedCrossEntropy([]), ValueError, "weights .*got none"),
        (lambda: WeightedBinaryCrossEntropy(0), ValueError, "pos_weight .*positive"),
        (
            lambda: WeightedBinaryCrossEntropy(1, -1),
            ValueError,
            "neg_weight .*positive",
        ),
        (lambda: weighted_derivation(None, Symbol("w")), TypeError, "loss must be"),
        (lambda: WeightedBinaryCrossEntropy("1"), TypeError, "pos_weight .*number"),
        (lambda: WeightedBinaryCrossEntropy(True), TypeError, "pos_weight .*number"),
    ],
)
def test_weights_that_are_none_are_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize("container", [tuple, list, np.array, torch.tensor])
def test_the_weights_may_come_in_any_container(container):
    loss = WeightedCrossEntropy(container([1.0, 2.0, 0.5]))
    assert loss.weights == (1.0, 2.0, 0.5)
    assert loss == WeightedCrossEntropy((1, 2, 0.5))
