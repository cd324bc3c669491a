"""The doctor: planted mistakes are named, right numbers are never blamed, and noise is
explained by nothing."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from lossbook.case import Case
from lossbook.checks import diagnose, diagnose_parameters, diagnose_value
from lossbook.hypotheses import HYPOTHESES, Hypothesis
from lossbook.linear import Linear
from lossbook.losses import (
    AbsoluteError,
    AsymmetricLoss,
    BinaryCrossEntropy,
    BinaryFocalLoss,
    ClassBalancedLoss,
    CrossEntropy,
    FocalLoss,
    HuberLoss,
    LogitAdjustedLoss,
    SquaredError,
    WeightedBinaryCrossEntropy,
    WeightedCrossEntropy,
)

W, PI = (1.0, 0.5, 2.5), (0.7, 0.2, 0.1)
LOSSES = [
    SquaredError(),
    AbsoluteError(),
    HuberLoss(0.7),
    BinaryCrossEntropy(),
    CrossEntropy(),
    CrossEntropy(label_smoothing=0.1),
    WeightedBinaryCrossEntropy(pos_weight=9, neg_weight=0.5),
    WeightedCrossEntropy(W),
    BinaryFocalLoss(),
    BinaryFocalLoss(gamma=0.5, alpha=None),
    FocalLoss(),
    FocalLoss(gamma=1.5, weights=W),
    AsymmetricLoss(),
    AsymmetricLoss(gamma_pos=1, gamma_neg=2.5, margin=0.2),
    ClassBalancedLoss(CrossEntropy(), counts=(900, 40, 3)),
    ClassBalancedLoss(BinaryFocalLoss(), counts=(900, 3)),
    LogitAdjustedLoss(PI),
    LogitAdjustedLoss(PI, tau=0.5),
]
every_loss = pytest.mark.parametrize("loss", LOSSES, ids=str)
both_types = pytest.mark.parametrize(
    "dtype", [np.float32, np.float64], ids=["float32", "float64"]
)


def kind(loss):
    return Case(loss, np.zeros(1), np.zeros(1)).kind


def batch(loss, n=5, seed=0):
    """Scores and targets of every class, in disorder."""
    rng = np.random.default_rng(seed)
    if kind(loss) == "regression":
        return 2 * rng.standard_normal(n), rng.standard_normal(n)
    shape, n_classes = ((n, 3), 3) if kind(loss) == "softmax" else ((n,), 2)
    targets = rng.permutation(np.arange(n) % n_classes)
    return 1.5 * rng.standard_normal(shape), targets


@st.composite
def batches(draw, loss, dtype, limit=1e4):
    """Any shape, any score, from no spread to the far tails, any targets."""
    size = draw(st.sampled_from([1.0, 10.0, limit]))
    numbers = st.floats(-size, size, width=np.dtype(dtype).itemsize * 8)
    shape = draw(array_shapes(min_dims=0, max_dims=2, max_side=4))
    if kind(loss) == "regression":
        scores = draw(arrays(dtype, shape, elements=numbers))
        hit = draw(arrays(bool, shape))
        other = draw(arrays(dtype, shape, elements=numbers))
        return scores, np.where(hit, scores, other).astype(dtype)
    if kind(loss) == "sigmoid":
        if isinstance(loss, ClassBalancedLoss):
            shape = shape[:1]
        targets = draw(arrays(np.int64, shape, elements=st.integers(0, 1)))
        return draw(arrays(dtype, shape, elements=numbers)), targets
    targets = draw(arrays(np.int64, shape, elements=st.integers(0, 2)))
    return draw(arrays(dtype, (*shape, 3), elements=numbers)), targets


def names(diagnosis):
    return " / ".join(diagnosis.hypotheses)


# Never blamed


@every_loss
@both_types
@settings(max_examples=20)
@given(data=st.data())
def test_a_right_gradient_and_a_right_value_are_never_blamed(loss, dtype, data):
    scores, targets = data.draw(batches(loss, dtype))
    value, gradient = loss.value_and_gradient(scores, targets)
    assert diagnose(gradient, loss, scores, targets).right
    assert diagnose_value(value, loss, scores, targets).right


@every_loss
@both_types
@settings(max_examples=20)
@given(data=st.data())
def test_a_gradient_of_autograd_is_never_blamed(loss, dtype, data):
    scores, targets = data.draw(batches(loss, dtype, limit=20))
    tensor = torch.tensor(scores, requires_grad=True)
    real = torch.tensor(targets)
    loss.value(tensor, real).sum().backward()
    if torch.isfinite(tensor.grad).all():
        assert diagnose(tensor.grad, loss, tensor, real).right


def typed(name, z, y):
    """The formula as it stands in a textbook, whatever it loses in the tails."""
    if name == "binary":
        return 1 / (1 + np.exp(-z)) - y
    powers = np.exp(z)
    return powers / powers.sum(axis=-1, keepdims=True) - np.eye(3, dtype=z.dtype)[y]


@both_types
@given(data=st.data())
def test_the_formula_as_it_stands_is_right_while_it_can_be(dtype, data):
    for name, loss in (("binary", BinaryCrossEntropy()), ("many", CrossEntropy())):
        scores, targets = data.draw(batches(loss, dtype, limit=30))
        got = typed(name, scores, targets.astype(dtype if name == "binary" else int))
        assert diagnose(got.astype(dtype), loss, scores, targets).right


def test_any_slope_at_a_kink_is_right():
    for slope in (-1.0, 0.3, 1.0):
        assert diagnose([slope, 1.0], AbsoluteError(), [2.0, 3.0], [2.0, 1.0]).right
    assert not diagnose([1.5, 1.0], AbsoluteError(), [2.0, 3.0], [2.0, 1.0]).right


def test_numbers_of_float32_in_float64_and_differences_are_right_to_that_precision():
    loss = BinaryCrossEntropy()
    z, y = batch(loss)
    for gradient in (
        loss.gradient(z.astype(np.float32), y).astype(np.float64),
        (loss.value(z + 1e-6, y) - loss.value(z - 1e-6, y)) / 2e-6,
    ):
        found = diagnose(gradient, loss, z, y)
        assert found.right and "float32" in found.sentence


# Planted from the table


def planted(case, right):
    """(hypothesis, numbers) of every mistake that can be made and seen in a case."""
    for hypothesis in HYPOTHESES:
        with np.errstate(all="ignore"):
            made = hypothesis.apply(case)
            try:
                numbers = made.result()
            except (AttributeError, ValueError, IndexError):
                continue
        same = numbers.shape == right.shape and np.allclose(numbers, right, 1e-5, 1e-5)
        if np.all(np.isfinite(numbers)) and not same:
            yield hypothesis, numbers


def head(mistake):
    """A mistake without its details."""
    return mistake.partition(",")[0]


@every_loss
@pytest.mark.parametrize(
    "of, dtype",
    [("gradient", np.float64), ("gradient", np.float32), ("value", np.float64)],
    ids=["gradient", "gradient in float32", "value"],
)
def test_every_mistake_of_the_table_is_found(loss, of, dtype):
    scores, targets = batch(loss)
    right = getattr(loss, of)(scores, targets)
    made, doctor = 0, {"gradient": diagnose, "value": diagnose_value}[of]
    for hypothesis, numbers in planted(Case(loss, scores, targets, of), right):
        if not numbers.any():
            continue  # looks like zeros, whatever it was
        found = doctor(numbers.astype(dtype), loss, scores, targets)
        likely = [head(name) for name in found.hypotheses + found.alike]
        assert len(found.hypotheses) == 1, hypothesis.mistake
        assert head(hypothesis.mistake) in likely
        made += 1
    assert made > 15
