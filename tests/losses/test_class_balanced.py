"""The effective number of samples and the loss that is weighted by it."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lossbook.checks import check_gradient
from lossbook.losses import (
    AsymmetricLoss,
    BinaryCrossEntropy,
    BinaryFocalLoss,
    ClassBalancedLoss,
    CrossEntropy,
    FocalLoss,
    LogitAdjustedLoss,
    SquaredError,
    WeightedBinaryCrossEntropy,
    WeightedCrossEntropy,
    effective_number,
)
from lossbook.losses.class_balanced import effective_number_derivation

COUNTS = (500, 60, 9, 1)
RNG = np.random.default_rng(0)
SCORES, CLASSES = 2 * RNG.normal(size=(40, 4)), RNG.integers(4, size=40)
ONE_HOT = np.eye(4)[CLASSES]
CE, BCE = CrossEntropy(), BinaryCrossEntropy()


@given(st.integers(1, 300), st.integers(0, 999))
def test_the_effective_number_is_the_geometric_sum(n, thousandths):
    beta = Fraction(thousandths, 1000)
    total = sum(beta**k for k in range(n))
    ours = effective_number([n], thousandths / 1000)[0]
    assert ours == pytest.approx(float(total), rel=1e-12)


@pytest.mark.parametrize("volume, n", [(2, 3), (6, 4), (5, 5)])
def test_it_is_the_mean_number_of_places_that_n_draws_hit(volume, n):
    draws = np.stack(np.meshgrid(*[np.arange(volume)] * n), -1).reshape(-1, n)
    distinct = [len(set(row)) for row in draws.tolist()]
    ours = effective_number([n], (volume - 1) / volume)[0]
    assert ours == pytest.approx(np.mean(distinct), rel=1e-12)


def test_a_single_count_gives_a_single_number():
    ours = effective_number(3, 0.5)
    assert isinstance(ours, float) and ours == 1.75


def test_counts_may_be_an_array_of_any_library():
    for library in (np.asarray, torch.tensor):
        np.testing.assert_array_equal(effective_number(library([1, 3]), 0.5), [1, 1.75])


def test_its_limits_are_one_and_the_number_of_samples():
    counts = [1, 10, 10**6]
    np.testing.assert_array_equal(effective_number(counts, 0), 1)
    np.testing.assert_allclose(effective_number(counts, 1 - 2**-50), counts, rtol=1e-8)
    np.testing.assert_allclose(effective_number([10**9], 0.99), 100)


def test_near_one_it_keeps_the_digits_that_the_formula_loses():
    beta, n = 1 - 2**-52, 3
    exact = float(sum(Fraction(beta) ** k for k in range(n)))
    assert effective_number([n], beta)[0] == pytest.approx(exact, rel=1e-15)


def test_the_induction_is_proved():
    assert str(effective_number_derivation().name) == "E_n"
    assert effective_number_derivation().verify() == [
        "definition",
        "algebra",
        "algebra",
    ]


@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=6), st.floats(0, 0.999999))
def test_the_weights_are_inverse_effective_numbers_that_sum_to_the_number_of_classes(
    counts, beta
):
    loss = ClassBalancedLoss(CrossEntropy(), counts, beta)
    assert sum(loss.weights) == pytest.approx(len(counts))
    product = np.array(loss.weights) * effective_number(counts, beta)
    np.testing.assert_allclose(product, product[0], rtol=1e-12)


def test_the_limits_of_the_weights():
    equal = ClassBalancedLoss(CrossEntropy(), COUNTS, beta=0)
    assert equal.weights == pytest.approx([1, 1, 1, 1])
    inverse = 1 / np.array(COUNTS)
    nearly = ClassBalancedLoss(CrossEntropy(), COUNTS, beta=1 - 1e-12)
    np.testing.assert_allclose(nearly.weights, 4 * inverse / inverse.sum(), rtol=1e-6)


@pytest.mark.parametrize(
    "base",
    [
        CrossEntropy(),
        CrossEntropy(label_smoothing=0.1),
        FocalLoss(1.5),
        FocalLoss(2, (1, 2, 3, 4)),
        WeightedCrossEntropy((1, 2, 3, 4)),
        LogitAdjustedLoss((0.4, 0.3, 0.2, 0.1)),
    ],
    ids=str,
)
def test_a_softmax_base_is_weighted_by_the_class_of_the_sample(base):
    loss = ClassBalancedLoss(base, COUNTS, 0.99)
    value, gradient = loss.value_and_gradient(SCORES, CLASSES)
    weight = np.take(loss.weights, CLASSES)
    np.testing.assert_allclose(value, weight * base.value(SCORES, CLASSES))
    slopes = base.gradient(SCORES, CLASSES)
    np.testing.assert_allclose(gradient, weight[:, None] * slopes)
    assert check_gradient(loss, SCORES, CLASSES).agrees
    assert loss.derivation().verify()[0] == "definition"


SIGMOID = [
    BinaryCrossEntropy(),
    BinaryFocalLoss(),
    AsymmetricLoss(),
    WeightedBinaryCrossEntropy(3),
]


@pytest.mark.parametrize("base", SIGMOID, ids=str)
@pytest.mark.parametrize("library", [np.asarray, torch.tensor], ids=["NumPy", "torch"])
def test_all_sigmoids_of_a_sample_have_the_weight_of_its_class(base, library):
    loss = ClassBalancedLoss(base, COUNTS, 0.99)
    scores, targets = library(SCORES), library(ONE_HOT)
    value, gradient = map(np.asarray, loss.value_and_gradient(scores, targets))
    weight = np.take(loss.weights, CLASSES)[:, None]
    assert value.shape == gradient.shape == (40, 4)
    np.testing.assert_allclose(value, weight * base.value(SCORES, ONE_HOT))
    np.testing.assert_allclose(gradient, weight * base.gradient(SCORES, ONE_HOT))
    np.testing.assert_array_equal(value, np.asarray(loss.value(scores, targets)))


@pytest.mark.parametrize("base", SIGMOID, ids=str)
def test_the_gradients_of_a_sigmoid_base_agree_with_autograd_and_the_derivation(base):
    loss = ClassBalancedLoss(base, COUNTS, 0.99)
    assert check_gradient(loss, SCORES, ONE_HOT).agrees
    two = ClassBalancedLoss(base, (90, 7))
    assert check_gradient(two, SCORES[:, 0], CLASSES % 2).agrees


@pytest.mark.parametrize("base", SIGMOID, ids=str)
def test_binary_scores_take_the_counts_of_negatives_and_positives(base):
    loss, scores, targets = ClassBalancedLoss(base, (90, 7)), SCORES[:, 0], CLASSES % 2
    negative, positive = loss.weights
    assert positive > negative
    weight = np.where(targets == 1, positive, negative)
    np.testing.assert_allclose(
        loss.value(scores, targets), weight * base.value(scores, targets)
    )
    alone = loss.value_and_gradient(scores[3], targets[3])
    np.testing.assert_allclose(alone[0], loss.value(scores, targets)[3], rtol=1e-14)


def test_the_derivation_takes_a_weight_for_each_target():
    two = ClassBalancedLoss(BCE, (90, 7))
    values = two.derivation_values(torch.tensor([0, 1, 0]))
    np.testing.assert_array_equal(values["omega"], np.take(two.weights, [0, 1, 0]))
    four = ClassBalancedLoss(BinaryFocalLoss(1), COUNTS)
    values = four.derivation_values(ONE_HOT[:3].astype(int))
    rows = np.take(four.weights, CLASSES[:3])[:, None]
    np.testing.assert_array_equal(values["omega"], np.tile(rows, 4))
    assert (values["gamma"], values["alpha"]) == (1.0, 0.25)
    deep = four.derivation_values(ONE_HOT.reshape(8, 5, 4))["omega"]
    np.testing.assert_array_equal(deep[0, :3], np.tile(rows, 4))
    nested = ClassBalancedLoss(WeightedBinaryCrossEntropy(3), COUNTS)
    assert nested.derivation_values(ONE_HOT)["alpha_1"] == 3.0


def test_the_weighted_loss_of_pytorch_is_the_one_with_a_softmax_base():
    loss = ClassBalancedLoss(CrossEntropy(), COUNTS, 0.9)
    weight = torch.tensor(loss.weights, dtype=torch.float64)
    theirs = torch.nn.CrossEntropyLoss(weight=weight, reduction="none")
    expected = theirs(torch.tensor(SCORES), torch.tensor(CLASSES)).numpy()
    np.testing.assert_allclose(loss.value(SCORES, CLASSES), expected, rtol=1e-12)


REFUSED = [
    (lambda: effective_number([0], 0.9), ValueError, r"counts\[0\] must be positive"),
    (
        lambda: effective_number([5, -1], 0.9),
        ValueError,
        r"counts\[1\] must be positive",
    ),
    (lambda: effective_number([2.5], 0.9), ValueError, r"counts\[0\] .*whole number"),
    (lambda: effective_number(["3"], 0.9), TypeError, r"counts\[0\] must be a number"),
    (lambda: effective_number(0, 0.9), ValueError, r"counts\[0\] must be positive"),
    (lambda: effective_number(None, 0.9), TypeError, r"counts\[0\] must be a number"),
    (lambda: effective_number(np.array(5), 0.9), TypeError, "counts must be a seq"),
    (lambda: effective_number([5], 1), ValueError, "beta must be from 0 to below 1"),
    (lambda: effective_number([5], -0.1), ValueError, "beta must be from 0 to below 1"),
    (lambda: effective_number([5], None), TypeError, "beta must be a number"),
    (lambda: ClassBalancedLoss(SquaredError(), (5, 1)), TypeError, "base must be"),
    (lambda: ClassBalancedLoss(CrossEntropy, (5, 1)), TypeError, "base must be"),
    (
        lambda: ClassBalancedLoss(CE, (5, 0)),
        ValueError,
        r"counts\[1\] must be positive",
    ),
    (lambda: ClassBalancedLoss(CE, (5, 1), 1.0), ValueError, "beta must be"),
    (
        lambda: ClassBalancedLoss(BCE, (5, 1)).value(
            np.zeros((3, 1)), np.zeros((3, 1))
        ),
        ValueError,
        r"scores must have 2 classes on the last axis, as many as counts, got \(3, 1\)",
    ),
    (
        lambda: ClassBalancedLoss(BCE, COUNTS).value(np.zeros(3), np.zeros(3)),
        ValueError,
        "scores must have 4 classes",
    ),
    (
        lambda: ClassBalancedLoss(BCE, (5, 1)).value(np.zeros((2, 2)), np.ones((2, 2))),
        ValueError,
        "targets must be one-hot, with a single 1 a row, got 2",
    ),
    (
        lambda: ClassBalancedLoss(BCE, (5, 1)).value(
            np.zeros((2, 2)), np.zeros((2, 2))
        ),
        ValueError,
        "targets must be one-hot",
    ),
    (
        lambda: ClassBalancedLoss(BCE, (5, 1)).value(np.zeros(2), [0, 2]),
        ValueError,
        "targets must be 0 or 1",
    ),
    (
        lambda: ClassBalancedLoss(BCE, COUNTS).derivation_values(np.eye(3)),
        ValueError,
        r"targets must have 4 classes .*as many as counts, got \(3, 3\)",
    ),
    (
        lambda: ClassBalancedLoss(BCE, (5, 1)).derivation_values({1, 0}),
        TypeError,
        "targets must be",
    ),
    (
        lambda: ClassBalancedLoss(BCE, (5, 1)).derivation_values([0, np.nan]),
        ValueError,
        "targets must be .*got nan",
    ),
]


@pytest.mark.parametrize("call, error, message", REFUSED)
def test_bad_input_is_refused_by_name(call, error, message):
    with pytest.raises(error, match=message):
        call()
