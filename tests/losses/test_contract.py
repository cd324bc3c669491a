"""What holds for every loss of `lossbook.losses`: a new one is tested by being listed
in `EXAMPLES`."""

import contextlib
import inspect
import itertools
import math
import pickle
import re
from dataclasses import FrozenInstanceError, fields, replace
from pathlib import Path

import numpy as np
import pytest
import sympy
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

import lossbook.losses
from lossbook._printing import latex
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
from lossbook.losses._base import BinaryLoss, Loss, RegressionLoss, SoftmaxLoss


def flat(loss):
    """A loss of PyTorch for scores (N, C), for scores (..., C)."""

    def reference(scores, targets):
        values = loss(scores.reshape(-1, scores.shape[-1]), targets.reshape(-1))
        return values.reshape(targets.shape)

    return reference


def torch_cross_entropy(label_smoothing=0.0):
    return flat(
        torch.nn.CrossEntropyLoss(reduction="none", label_smoothing=label_smoothing)
    )


def torch_weighted(loss):
    def reference(scores, targets):
        weight = torch.tensor(loss.weights, dtype=scores.dtype)
        return flat(torch.nn.CrossEntropyLoss(weight, reduction="none"))(
            scores, targets
        )

    return reference


def torch_weighted_binary(loss):
    def reference(scores, targets):
        ratio = torch.tensor(loss.pos_weight / loss.neg_weight, dtype=scores.dtype)
        plain = torch.nn.BCEWithLogitsLoss(pos_weight=ratio, reduction="none")
        return loss.neg_weight * plain(scores, targets)

    return reference


def torch_binary_focal(loss):
    """Equation 5 of the paper by autograd, in log space."""
    log_sigmoid = torch.nn.functional.logsigmoid

    def reference(scores, targets):
        right = torch.where(targets == 1, scores, -scores)
        weight = 1.0
        if loss.alpha is not None:
            weight = loss.alpha * targets + (1 - loss.alpha) * (1 - targets)
        return (
            -weight * torch.exp(loss.gamma * log_sigmoid(-right)) * log_sigmoid(right)
        )

    return reference


def torch_focal(loss):
    """Its softmax form by autograd; 1 - p is the share of the other classes."""

    def reference(scores, targets):
        if scores.shape[-1] == 1:
            return 0 * scores[..., 0]
        truth = torch.nn.functional.one_hot(targets, scores.shape[-1]) == 1
        log_all = torch.logsumexp(scores, -1)
        log_p = torch.where(truth, scores, 0).sum(-1) - log_all
        log_q = torch.logsumexp(scores.masked_fill(truth, -math.inf), -1) - log_all
        weights = loss.weights or [1.0] * scores.shape[-1]
        weight = torch.tensor(weights, dtype=scores.dtype)[targets]
        return -weight * torch.exp(loss.gamma * log_q) * log_p

    return reference


def torch_asymmetric(loss):
    """Equation 7 of the paper by autograd."""
    log_sigmoid = torch.nn.functional.logsigmoid

    def reference(scores, targets):
        positive = -torch.exp(loss.gamma_pos * log_sigmoid(-scores))
        positive = positive * log_sigmoid(scores)
        if loss.margin == 0:
            negative = -torch.exp(loss.gamma_neg * log_sigmoid(scores))
            negative = negative * log_sigmoid(-scores)
        else:
            above = torch.sigmoid(scores) > loss.margin
            z = torch.where(above, scores, 50)  # where the power has a slope
            p_m = torch.sigmoid(z) - loss.margin
            negative = p_m**loss.gamma_neg * -torch.log(torch.sigmoid(-z) + loss.margin)
            negative = torch.where(above, negative, 0)
        return torch.where(targets == 1, positive, negative)

    return reference


def torch_class_balanced(loss):
    """Equation 3 of the paper: the weights of the classes by their formula."""

    def reference(scores, targets):
        inverse = [(1 - loss.beta) / (1 - loss.beta**n) for n in loss.counts]
        weights = torch.tensor(inverse, dtype=scores.dtype)
        weights = len(inverse) * weights / weights.sum()
        return weights[targets] * REFERENCES[type(loss.base)](loss.base)(
            scores, targets
        )

    return reference


def torch_logit_adjusted(loss):
    def reference(scores, targets):
        shift = loss.tau * torch.log(torch.tensor(loss.priors, dtype=scores.dtype))
        return torch_cross_entropy()(scores + shift, targets)

    return reference


REFERENCES = {
    SquaredError: lambda loss: torch.nn.MSELoss(reduction="none"),
    AbsoluteError: lambda loss: torch.nn.L1Loss(reduction="none"),
    HuberLoss: lambda loss: torch.nn.HuberLoss(delta=loss.delta, reduction="none"),
    BinaryCrossEntropy: lambda loss: torch.nn.BCEWithLogitsLoss(reduction="none"),
    CrossEntropy: lambda loss: torch_cross_entropy(loss.label_smoothing),
    WeightedBinaryCrossEntropy: torch_weighted_binary,
    WeightedCrossEntropy: torch_weighted,
    BinaryFocalLoss: torch_binary_focal,
    FocalLoss: torch_focal,
    AsymmetricLoss: torch_asymmetric,
    ClassBalancedLoss: torch_class_balanced,
    LogitAdjustedLoss: torch_logit_adjusted,
}
THREE = (0.7, 0.2, 0.1)
LOSSES = [
    SquaredError(),
    AbsoluteError(),
    HuberLoss(),
    HuberLoss(delta=0.3),
    HuberLoss(delta=40),
    BinaryCrossEntropy(),
    CrossEntropy(),
    CrossEntropy(label_smoothing=0.1),
    CrossEntropy(label_smoothing=1),
    WeightedBinaryCrossEntropy(pos_weight=9),
    WeightedBinaryCrossEntropy(pos_weight=1.5, neg_weight=0.25),
    WeightedCrossEntropy(weights=(1.0, 0.5, 2.5)),
    BinaryFocalLoss(),
    BinaryFocalLoss(gamma=0.5, alpha=None),
    BinaryFocalLoss(gamma=0, alpha=0.9),
    BinaryFocalLoss(gamma=3.7, alpha=0.5),
    FocalLoss(),
    FocalLoss(gamma=0.5, weights=(1.0, 0.5, 2.5)),
    FocalLoss(gamma=0),
    AsymmetricLoss(),
    AsymmetricLoss(gamma_pos=1, gamma_neg=2.5, margin=0.2),
    AsymmetricLoss(gamma_pos=0.5, gamma_neg=0.3, margin=0),
    ClassBalancedLoss(CrossEntropy(), counts=(900, 40, 3)),
    ClassBalancedLoss(FocalLoss(gamma=1.5), counts=(900, 40, 3), beta=0.9),
    LogitAdjustedLoss(priors=THREE),
    LogitAdjustedLoss(priors=THREE, tau=0.5),
]
PLAIN = [SquaredError, AbsoluteError, HuberLoss, BinaryCrossEntropy, CrossEntropy]


def reference_of(loss):
    return REFERENCES[type(loss)](loss)


def slack(loss):
    """The others do more arithmetic than those that PyTorch has, on both sides."""
    return 1 if type(loss) in PLAIN else 32


def fitted(loss, scores):
    """The loss, with its numbers for each class repeated for as many as the scores have."""
    if kind(loss) is not SoftmaxLoss:
        return loss
    new = {}
    for name in ("weights", "counts", "priors"):
        numbers = name in [f.name for f in fields(loss)] and getattr(loss, name)
        if numbers and np.shape(scores)[-1] > 0:
            several = itertools.islice(itertools.cycle(numbers), np.shape(scores)[-1])
            new[name] = np.array(list(several))
    if "priors" in new:
        new["priors"] = new["priors"] / new["priors"].sum()
    return replace(loss, **new)


def kind(loss):
    loss = getattr(loss, "base", loss)
    return next(
        base
        for base in (RegressionLoss, BinaryLoss, SoftmaxLoss)
        if isinstance(loss, base)
    )


def losses_of(*kinds):
    losses = [loss for loss in LOSSES if Loss in kinds or kind(loss) in kinds]
    return pytest.mark.parametrize("loss", losses, ids=str)


every_loss = losses_of(Loss)
elementwise_loss = losses_of(RegressionLoss, BinaryLoss)
regression_loss = losses_of(RegressionLoss)
binary_loss = losses_of(BinaryLoss)
softmax_loss = losses_of(SoftmaxLoss)
both_types = pytest.mark.parametrize(
    "dtype", [np.float32, np.float64], ids=["float32", "float64"]
)


@st.composite
def samples(draw, loss, dtype=np.float64, limit=1e4):
    """Scores and targets as the loss takes them. Some of the scores are equal: to their
    targets for a regression, to zero for two classes, to each other for more."""
    numbers = st.floats(-limit, limit, width=np.dtype(dtype).itemsize * 8)
    shape = draw(array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4))
    classes = (draw(st.integers(1, 5)),) if kind(loss) is SoftmaxLoss else ()
    scores = draw(arrays(dtype, shape + classes, elements=numbers))
    hit = draw(arrays(bool, shape))
    if kind(loss) is RegressionLoss:
        targets = draw(arrays(dtype, shape, elements=numbers))
        return scores, np.where(hit, scores, targets).astype(dtype)
    if kind(loss) is BinaryLoss:
        targets = draw(arrays(dtype, shape, elements=st.sampled_from([0, 1])))
        return np.where(hit, 0, scores).astype(dtype), targets
    targets = draw(arrays(np.int64, shape, elements=st.integers(0, classes[0] - 1)))
    tied = np.where(hit[..., None], scores[..., :1], scores)
    return tied.astype(dtype), targets


def grid_of_samples(loss, dtype=np.float64):
    """The same scores (2, 3, 4) for every loss, with targets for it."""
    scores = np.linspace(-3, 3, 24, dtype=dtype).reshape(2, 3, 4)
    targets = {
        RegressionLoss: scores[::-1, :, ::-1] / 2,
        BinaryLoss: (np.arange(24) % 3 == 0).astype(dtype).reshape(2, 3, 4),
        SoftmaxLoss: np.array([[0, 1, 2], [3, 3, 0]]),
    }[kind(loss)]
    return scores, targets.copy()


def evaluate(loss, derivation, scores, targets, index=None):
    """The last line of a derivation of the loss; for one class, where there is an
    index."""
    values = loss.derivation_values(targets)
    if kind(loss) is not SoftmaxLoss:
        name = "yhat" if kind(loss) is RegressionLoss else "z"
        return derivation.evaluate({name: scores, "y": targets, **values})
    at = {} if index is None else {"i": index + 1}
    result, n_classes = np.empty(targets.shape, scores.dtype), scores.shape[-1]
    for y in np.unique(targets):
        logits = np.moveaxis(scores[targets == y], -1, 0)
        sizes = {"z": logits, "C": n_classes, "y": int(y) + 1}
        result[targets == y] = derivation.evaluate({**values, **sizes, **at})
    return result


def test_every_loss_of_the_book_is_tested_here():
    listed = {name: getattr(lossbook.losses, name) for name in lossbook.losses.__all__}
    classes = {name for name, thing in listed.items() if inspect.isclass(thing)}
    assert {type(loss).__name__ for loss in LOSSES} == classes
    assert all(issubclass(listed[name], Loss) for name in classes)
    assert all(callable(thing) for thing in listed.values())


@every_loss
@both_types
@settings(max_examples=60)
@given(data=st.data())
def test_value_and_gradient_are_those_of_pytorch(loss, dtype, data):
    # adding the log-priors rounds as coarsely as the scores are large
    limit = 50 if isinstance(loss, LogitAdjustedLoss) else 1e4
    scores, targets = data.draw(samples(loss, dtype, limit))
    loss = fitted(loss, scores)
    reference = reference_of(loss)
    exact = dtype if type(loss) in PLAIN else np.float64
    tensor = torch.tensor(scores.astype(exact), requires_grad=True)
    if kind(loss) is not SoftmaxLoss:
        targets = targets.astype(exact)
    expected = reference(tensor, torch.tensor(targets))
    expected.sum().backward()
    value, gradient = loss.value(scores, targets), loss.gradient(scores, targets)
    ulps = 2 * slack(loss) * np.finfo(dtype).eps
    # PyTorch subtracts numbers as large as the scores, and 1 from a probability
    subtracts = 0 if kind(loss) is RegressionLoss else 2 * ulps
    largest = np.abs(scores).max(initial=1)
    np.testing.assert_allclose(
        value, expected.detach().numpy(), rtol=ulps, atol=subtracts * largest
    )
    if type(loss) not in PLAIN:
        subtracts += 64 * np.finfo(exact).eps * largest
    np.testing.assert_allclose(gradient, tensor.grad.numpy(), rtol=ulps, atol=subtracts)
    assert value.dtype == gradient.dtype == dtype
    assert value.shape == targets.shape
    assert gradient.shape == scores.shape


@elementwise_loss
@settings(max_examples=60)
@given(data=st.data())
def test_the_last_line_of_the_derivation_is_the_gradient(loss, data):
    scores, targets = data.draw(samples(loss, limit=100))
    derived = evaluate(loss, loss.derivation(), scores, targets)
    subtracts = 0 if kind(loss) is RegressionLoss else 1e-15 * slack(loss)
    rounding = 1e-14 * slack(loss)
    np.testing.assert_allclose(
        loss.gradient(scores, targets), derived, rtol=rounding, atol=subtracts
    )


@softmax_loss
@pytest.mark.parametrize("n_classes", [2, 4])
def test_the_last_line_of_the_derivation_is_the_gradient_in_every_class(
    loss, n_classes
):
    rng = np.random.default_rng(n_classes)
    scores = rng.uniform(-100, 100, (40, n_classes)) * rng.choice([0.01, 1], (40, 1))
    targets = rng.integers(n_classes, size=40)
    loss = fitted(loss, scores)
    derivation, gradient = loss.derivation(), loss.gradient(scores, targets)
    for i in range(n_classes):
        derived = evaluate(loss, derivation, scores, targets, i)
        np.testing.assert_allclose(
            gradient[:, i], derived, rtol=1e-13, atol=1e-15 * slack(loss)
        )


# two losses with other numbers in them may share their symbols
DERIVED = {(type(loss), repr(loss.derivation())): loss for loss in LOSSES}


@pytest.mark.parametrize("loss", DERIVED.values(), ids=str)
def test_the_derivation_is_proved(loss):
    assert loss.derivation().verify()[0] == "definition"


def first_line(loss):
    whole = loss.derivation()
    return type(whole)(whole.name, whole.lines[:1], whole.where, whole.smallest_size)


@elementwise_loss
@settings(max_examples=60)
@given(data=st.data())
def test_the_first_line_of_the_derivation_is_the_value(loss, data):
    # beyond a few units the log of 1 - p, as the first line has it, loses digits
    limit, lost = (100, 0) if kind(loss) is RegressionLoss else (5, 1e-13 * slack(loss))
    scores, targets = data.draw(samples(loss, limit=limit))
    expected = evaluate(loss, first_line(loss), scores, targets)
    np.testing.assert_allclose(
        loss.value(scores, targets), expected, rtol=1e-14, atol=lost
    )


@softmax_loss
@pytest.mark.parametrize("n_classes", [1, 2, 4])
def test_the_first_line_of_the_derivation_is_the_value_in_every_class(loss, n_classes):
    rng = np.random.default_rng(n_classes)
    scores, targets = (
        rng.uniform(-5, 5, (40, n_classes)),
        rng.integers(n_classes, size=40),
    )
    loss = fitted(loss, scores)
    expected = evaluate(loss, first_line(loss), scores, targets)
    np.testing.assert_allclose(
        loss.value(scores, targets), expected, rtol=1e-13, atol=1e-14 * slack(loss)
    )


@every_loss
@both_types
@settings(max_examples=60)
@given(data=st.data())
def test_value_and_gradient_together_are_the_two(loss, dtype, data):
    scores, targets = data.draw(samples(loss, dtype))
    loss = fitted(loss, scores)
    value, gradient = loss.value_and_gradient(scores, targets)
    np.testing.assert_array_equal(value, loss.value(scores, targets))
    np.testing.assert_array_equal(gradient, loss.gradient(scores, targets))


@every_loss
@settings(max_examples=30)
@given(data=st.data())
def test_a_sample_of_a_batch_is_as_it_is_alone(loss, data):
    scores, targets = data.draw(samples(loss))
    loss, ulps = fitted(loss, scores), 1e-15 * math.sqrt(slack(loss))
    value, gradient = loss.value_and_gradient(scores, targets)
    for where in list(np.ndindex(targets.shape))[:6]:
        alone = loss.value_and_gradient(scores[where], targets[where])
        one = loss.value_and_gradient(scores[where][None], targets[where][None])
        np.testing.assert_allclose(value[where], alone[0], rtol=ulps)
        np.testing.assert_allclose(gradient[where], alone[1], rtol=ulps)
        np.testing.assert_allclose(value[where][None], one[0], rtol=ulps)
        np.testing.assert_allclose(gradient[where][None], one[1], rtol=ulps)


@every_loss
@both_types
def test_tensors_come_back_as_tensors_with_the_numbers_of_arrays(loss, dtype):
    scores, targets = grid_of_samples(loss, dtype)
    loss = fitted(loss, scores)
    tensors = torch.tensor(scores), torch.tensor(targets)
    for ours, expected in zip(
        loss.value_and_gradient(*tensors),
        loss.value_and_gradient(scores, targets),
        strict=True,
    ):
        assert isinstance(ours, torch.Tensor) and ours.dtype == tensors[0].dtype
        assert expected.dtype == dtype
        eps = np.finfo(dtype).eps
        np.testing.assert_allclose(
            ours.numpy(),
            expected,
            rtol=8 * slack(loss) * eps,
            atol=slack(loss) * eps / 2,
        )


SMOOTH_AND_NOT = {  # no score is on the kink of a regression loss
    RegressionLoss: ([-3.0, -0.2, 0.1, 5.0], [0.0, 0.0, 0.0, 0.0]),
    BinaryLoss: (
        [-3.0, 0.0, 0.0, -0.0, 0.1, 40.0, -40.0, 1e4, -1e4, 1e4, -1e4],
        [1.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0],
    ),
    SoftmaxLoss: (
        [
            [0.0] * 3,
            [0.0] * 3,
            [2, 2, -1],
            [2, 2, -1],
            [1, 2, 2],
            [1e4, 0, 1e4],
            [-1e4, 1e4, 0],
        ],
        [0, 2, 0, 2, 1, 1, 1],
    ),
}


@every_loss
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_autograd_runs_through_the_value_of_a_tensor_at_zero_and_at_ties_too(
    loss, dtype
):
    scores, targets = map(torch.tensor, SMOOTH_AND_NOT[kind(loss)])
    scores = scores.to(dtype).requires_grad_()
    value, gradient = loss.value_and_gradient(scores, targets)
    assert value.requires_grad
    value.sum().backward()
    eps = torch.finfo(dtype).eps
    rounding = 0 if kind(loss) is RegressionLoss else 2 * eps * slack(loss)
    np.testing.assert_allclose(
        scores.grad, gradient.detach(), rtol=4 * eps * slack(loss), atol=rounding
    )


@losses_of(BinaryLoss, SoftmaxLoss)
def test_autograd_runs_through_the_gradient_of_a_tensor_too(loss):
    reference = reference_of(loss)
    scores, targets = map(torch.tensor, SMOOTH_AND_NOT[kind(loss)])
    scores = scores.to(torch.float64).requires_grad_()
    along = torch.linspace(0.5, 2, scores.numel(), dtype=torch.float64)
    along = along.reshape(scores.shape)
    theirs = targets.to(torch.float64) if kind(loss) is BinaryLoss else targets
    total = reference(scores, theirs).sum()
    (slope,) = torch.autograd.grad(total, scores, create_graph=True)
    (expected,) = torch.autograd.grad((slope * along).sum(), scores)
    (curve,) = torch.autograd.grad(
        (loss.gradient(scores, targets) * along).sum(), scores
    )
    np.testing.assert_allclose(
        curve,
        expected,
        rtol=1e-14 * slack(loss),
        atol=1e-15 if type(loss) in PLAIN else 1e-11,  # the reference subtracts 1e4
    )


ELEMENTWISE_NUMBERS = [(1, 0), (1.5, 1), ([1, 2], [0.0, 1]), ([[1.0, 2.0]], [[0, 0]])]
NUMBERS = [
    (loss, *row)
    for loss in LOSSES
    for row in {
        RegressionLoss: [*ELEMENTWISE_NUMBERS, (1, 3), ([1, 2], [3.0, 4]), ([], [])],
        BinaryLoss: [*ELEMENTWISE_NUMBERS, ([1, 2.5], (True, False)), ([], [])],
        SoftmaxLoss: [
            ([1, 2], 1),
            ([1, 2], np.int64(0)),
            ([[1, 2.5, 0]], [2]),
            ([[1.0], [2.0]], (0, 0)),
            ([[[1, 2], [3, 4]]], [[1, 0]]),
            (np.zeros((0, 3)), []),
        ],
    }[kind(loss)]
]


@pytest.mark.parametrize("loss, scores, targets", NUMBERS, ids=str)
def test_numbers_and_lists_are_taken_as_float64(loss, scores, targets):
    loss = fitted(loss, scores)
    value, gradient = loss.value_and_gradient(scores, targets)
    as_type = int if kind(loss) is SoftmaxLoss else float
    expected = loss.value_and_gradient(
        np.asarray(scores, dtype=float), np.asarray(targets, dtype=as_type)
    )
    np.testing.assert_array_equal(value, expected[0])
    np.testing.assert_array_equal(gradient, expected[1])
    assert value.dtype == gradient.dtype == np.float64
    assert value.shape == np.shape(targets)
    assert gradient.shape == np.shape(scores)


@elementwise_loss
@pytest.mark.parametrize(
    "targets",
    [
        [0, 1, 1],
        np.array([0, 1, 1]),
        np.array([0, 1, 1], dtype=np.uint8),
        np.array([0, 1, 1], dtype=np.float64),
        np.array([False, True, True]),
        (False, True, True),
    ],
)
def test_targets_take_the_type_of_the_scores(loss, targets):
    scores = np.array([0.5, 2.0, -1.0], dtype=np.float32)
    value, gradient = loss.value_and_gradient(scores, targets)
    assert value.dtype == gradient.dtype == np.float32
    same = np.array([0, 1, 1], dtype=np.float32)
    np.testing.assert_array_equal(value, loss.value(scores, same))
    np.testing.assert_array_equal(gradient, loss.gradient(scores, same))


@softmax_loss
@both_types
@pytest.mark.parametrize("integer", ["int8", "uint8", "int32", "int64", "uint64"])
def test_classes_may_be_integers_of_any_type(loss, dtype, integer):
    scores = np.array([[0.5, 2.0, -1.0], [0.0, 1.0, 3.0]], dtype=dtype)
    value, gradient = loss.value_and_gradient(scores, np.array([2, 1], dtype=integer))
    assert value.dtype == gradient.dtype == dtype
    expected = loss.value_and_gradient(scores, [2, 1])
    np.testing.assert_array_equal(value, expected[0])
    np.testing.assert_array_equal(gradient, expected[1])


@every_loss
@both_types
def test_a_tensor_of_scores_takes_a_list_of_targets(loss, dtype):
    scores, targets = grid_of_samples(loss, dtype)
    loss = fitted(loss, scores)
    scores = torch.tensor(scores)
    value, gradient = loss.value_and_gradient(scores, targets.tolist())
    assert value.dtype == gradient.dtype == scores.dtype
    expected = loss.value_and_gradient(scores, torch.tensor(targets))
    assert torch.equal(value, expected[0]) and torch.equal(gradient, expected[1])


@every_loss
def test_no_samples_give_no_values_and_no_gradients(loss):
    shape = (0, 3) if kind(loss) is SoftmaxLoss else (0,)
    for scores in (np.zeros(shape, np.float32), torch.zeros(shape)):
        value, gradient = loss.value_and_gradient(scores, [])
        assert type(value) is type(gradient) is type(scores)
        assert tuple(value.shape) == (0,) and tuple(gradient.shape) == shape
        assert value.dtype == gradient.dtype == scores.dtype


@every_loss
def test_the_layout_of_an_array_does_not_matter_and_it_is_not_changed(loss):
    whole = np.linspace(-4, 4, 48).reshape(6, 8)
    labels = np.arange(48).reshape(6, 8) % 3
    before = whole.copy(), labels.copy()
    whole.flags.writeable = labels.flags.writeable = False
    scores = whole[::2, ::-1].T  # not contiguous
    loss = fitted(loss, scores)
    targets = {
        RegressionLoss: whole[1::2].T,
        BinaryLoss: (labels == 1)[1::2].T,
        SoftmaxLoss: labels[1, ::-1],
    }[kind(loss)]
    for ours, expected in zip(
        loss.value_and_gradient(scores, targets),
        loss.value_and_gradient(scores.copy("C"), targets.copy("C")),
        strict=True,
    ):
        np.testing.assert_allclose(ours, expected, rtol=1e-15 * slack(loss))
        ours[:] = 7  # the result is the caller's own
    np.testing.assert_array_equal(whole, before[0])
    np.testing.assert_array_equal(labels, before[1])


@every_loss
@both_types
@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("library", [np.asarray, torch.tensor], ids=["NumPy", "torch"])
def test_extreme_scores_give_finite_values_and_gradients(loss, dtype, library):
    tiny, smallest = np.finfo(dtype).tiny, np.finfo(dtype).smallest_subnormal
    scores = np.array([1e4, -1e4, 1e4, -1e4, 0, tiny, smallest], dtype=dtype)
    targets = np.array([0, 0, -1e4, 1e4, 1e4, 0, 0], dtype=dtype)
    if kind(loss) is BinaryLoss:
        targets = np.array([0, 0, 1, 1, 1, 0, 1])
    if kind(loss) is SoftmaxLoss:
        scores = np.array([*np.ndindex(7, 7, 7)]).astype(int)
        scores = np.array([1e4, -1e4, 88, -746, 0, tiny, smallest], dtype=dtype)[scores]
        targets = np.arange(343) % 3
    value, gradient = loss.value_and_gradient(library(scores), library(targets))
    assert np.isfinite(np.asarray(value)).all()
    assert np.isfinite(np.asarray(gradient)).all()
    assert (np.asarray(value) >= 0).all()


@regression_loss
@given(data=st.data())
def test_only_the_residual_counts_and_its_sign_only_in_the_gradient(loss, data):
    residual, _ = data.draw(samples(loss))
    zero = np.zeros_like(residual)
    value, gradient = loss.value_and_gradient(residual, zero)
    for scores, targets in ((-residual, zero), (zero, residual)):
        np.testing.assert_array_equal(loss.value(scores, targets), value)
        np.testing.assert_array_equal(loss.gradient(scores, targets), -gradient)
    assert np.all(value >= 0)
    assert np.all(gradient * residual >= 0)


@regression_loss
def test_a_hit_costs_nothing_and_does_not_pull(loss):
    assert loss.value_and_gradient(2.5, 2.5) == (0, 0)


NAN, INF = float("nan"), float("inf")
ONE = np.array([1.0])
TWO_BY_THREE = np.zeros((2, 3))
REFUSED = [  # by every loss
    ([NAN], [1.0], ValueError, r"scores must be finite, got nan at index \(0,\)"),
    (
        [[0.0, 1.0], [2.0, INF]],
        np.zeros((2, 2)),
        ValueError,
        r"scores must be finite, got inf at index \(1, 1\)",
    ),
    (
        torch.tensor([0.0, NAN]),
        torch.zeros(2),
        ValueError,
        r"scores must be finite, got nan at index \(1,\)",
    ),
    (
        np.array([1, 2]),
        [1, 2],
        TypeError,
        "scores must be float32 or float64, got int64",
    ),
    (
        torch.tensor([1]),
        [1],
        TypeError,
        "scores must be float32 or float64, got torch.int64",
    ),
    (np.array([1], dtype=np.float16), [1], TypeError, "scores .*float16"),
    (torch.tensor([1], dtype=torch.bfloat16), [1], TypeError, "scores .*bfloat16"),
    (np.array([1j]), [1], TypeError, "scores .*complex128"),
    (ONE, np.array([1j]), TypeError, "targets .*complex128"),
    (ONE, np.array([1.0], dtype=object), TypeError, "targets .*object"),
    (ONE, np.array(["a"]), TypeError, "targets .*U1"),
    ("a", 1.0, TypeError, "scores must be .*got str: 'a'"),
    ("1.5", 1.0, TypeError, "scores must be .*got str: '1.5'"),
    (None, 1.0, TypeError, "scores must be .*got NoneType: None"),
    ([1.0], [None], TypeError, r"targets must be .*got list: \[None\]"),
    ([1.0, [2.0]], [1.0, 2.0], TypeError, "scores must be .*got list"),
    ({}, 1.0, TypeError, "scores must be .*got dict"),
    (1j, 1.0, TypeError, "scores must be .*got complex"),
    (
        ONE,
        torch.tensor([1.0]),
        TypeError,
        "targets must be the same kind .*ndarray.*Tensor",
    ),
    (
        torch.tensor([1.0]),
        ONE,
        TypeError,
        "targets must be the same kind .*Tensor.*ndarray",
    ),
]
REFUSED_ELEMENTWISE = [
    ([1.0], [1.0, 2.0], ValueError, r"targets .*shape of scores, \(1,\), got \(2,\)"),
    ([[1.0], [2.0]], [1.0, 2.0], ValueError, r"targets .*\(2, 1\), got \(2,\)"),
    ([1.0, 2.0], 1.0, ValueError, r"targets .*\(2,\), got \(\)"),
    (torch.zeros(2, 1), torch.zeros(2), ValueError, r"targets .*\(2, 1\), got \(2,\)"),
    (1.0, "x", TypeError, "targets must be .*got str: 'x'"),
]
REFUSED_REGRESSION = [
    (1.0, -INF, ValueError, r"targets must be finite, got -inf"),
    (
        [1.0, 2.0],
        [1.0, NAN],
        ValueError,
        r"targets must be finite, got nan at index \(1,\)",
    ),
]
REFUSED_BINARY = [
    (1.0, 2, ValueError, r"targets must be 0 or 1, got 2.0 at index \(\)"),
    (
        [1.0, 2.0],
        [1, -1],
        ValueError,
        r"targets must be 0 or 1, got -1.0 at index \(1,\)",
    ),
    ([1.0], [0.5], ValueError, "targets must be 0 or 1, got 0.5"),
    ([1.0], [NAN], ValueError, "targets must be 0 or 1, got nan"),
    ([1.0], [INF], ValueError, "targets must be 0 or 1, got inf"),
    (
        torch.zeros(2),
        torch.tensor([1, 2]),
        ValueError,
        r"targets must be 0 or 1, got .*2.* at index \(1,\)",
    ),
]
REFUSED_SOFTMAX = [
    (1.0, 0, ValueError, r"scores must have shape \(..., C\), got \(\)"),
    ([], [], ValueError, r"scores must have shape \(..., C\), got \(0,\)"),
    (
        np.zeros((2, 0)),
        [0, 0],
        ValueError,
        r"scores must have shape \(..., C\), got \(2, 0\)",
    ),
    (
        TWO_BY_THREE,
        [0, 3],
        ValueError,
        r"targets must be classes from 0 to 2, got 3 at index \(1,\)",
    ),
    (
        TWO_BY_THREE,
        [-1, 2],
        ValueError,
        r"targets must be classes from 0 to 2, got -1 at index \(0,\)",
    ),
    (np.ones((1, 1)), [1], ValueError, "targets must be classes from 0 to 0, got 1"),
    (
        torch.zeros(2, 3),
        torch.tensor([0, -1]),
        ValueError,
        r"targets must be classes from 0 to 2, got .*-1",
    ),
    (
        TWO_BY_THREE,
        np.uint8([0, 255]),
        ValueError,
        "targets must be classes from 0 to 2, got 255",
    ),
    (
        TWO_BY_THREE,
        [0.0, 1.0],
        TypeError,
        "targets must be integer classes, got float64",
    ),
    (TWO_BY_THREE, [0, NAN], TypeError, "targets must be integer classes, got float64"),
    (
        TWO_BY_THREE,
        [True, False],
        TypeError,
        "targets must be integer classes, got bool",
    ),
    (
        torch.zeros(2, 3),
        torch.zeros(2),
        TypeError,
        "targets must be integer classes, got torch.float32",
    ),
    (
        TWO_BY_THREE,
        0,
        ValueError,
        r"targets .*shape of scores without its last axis, \(2,\), got \(\)",
    ),
    (
        TWO_BY_THREE,
        [0],
        ValueError,
        r"targets .*without its last axis, \(2,\), got \(1,\)",
    ),
    (
        np.zeros((2, 1, 3)),
        [0, 1],
        ValueError,
        r"targets .*without its last axis, \(2, 1\), got \(2,\)",
    ),
    (
        TWO_BY_THREE,
        [[0], [1]],
        ValueError,
        r"targets .*without its last axis, \(2,\), got \(2, 1\)",
    ),
    (
        TWO_BY_THREE,
        np.eye(3, dtype=int)[:2],
        ValueError,
        r"targets .*without its last axis, \(2,\), got \(2, 3\)",
    ),
    (
        TWO_BY_THREE,
        [],
        ValueError,
        r"targets .*without its last axis, \(2,\), got \(0,\)",
    ),
    ([1.0, 2.0], "x", TypeError, "targets must be .*got str: 'x'"),
]
EVERY_REFUSED = [
    (loss, *row)
    for loss in LOSSES
    for row in REFUSED
    + {
        RegressionLoss: REFUSED_ELEMENTWISE + REFUSED_REGRESSION,
        BinaryLoss: REFUSED_ELEMENTWISE + REFUSED_BINARY,
        SoftmaxLoss: REFUSED_SOFTMAX,
    }[kind(loss)]
]


REFUSED_NUMBERS = {  # of classes, by a loss with three
    "weights": WeightedCrossEntropy(weights=THREE),
    "counts": ClassBalancedLoss(CrossEntropy(), counts=(9, 3, 1)),
    "priors": LogitAdjustedLoss(priors=THREE),
}


@pytest.mark.parametrize("name", REFUSED_NUMBERS)
def test_scores_of_another_number_of_classes_are_refused(name):
    message = (
        rf"scores must have 3 classes on the last axis, as many as {name}, got \(4, 2\)"
    )
    with pytest.raises(ValueError, match=message):
        REFUSED_NUMBERS[name].value(np.zeros((4, 2)), np.zeros(4, dtype=int))


@pytest.mark.parametrize("method", ["value", "gradient", "value_and_gradient"])
@pytest.mark.parametrize(
    "loss, scores, targets, error, message",
    EVERY_REFUSED,
    ids=[f"{row[0]}-{row[-1]}" for row in EVERY_REFUSED],
)
def test_bad_input_is_refused_by_name(loss, method, scores, targets, error, message):
    with contextlib.suppress(ValueError, IndexError):  # there may be no classes at all
        loss = fitted(loss, scores)
    with pytest.raises(error, match=message):
        getattr(loss, method)(scores, targets)


@every_loss
def test_a_loss_is_a_value_that_cannot_be_changed(loss):
    again = type(loss)(
        **{field.name: getattr(loss, field.name) for field in fields(loss)}
    )
    assert again == loss and hash(again) == hash(loss)
    assert pickle.loads(pickle.dumps(loss)) == loss
    names = {name: getattr(lossbook.losses, name) for name in lossbook.losses.__all__}
    assert eval(repr(loss), names | {type(loss).__name__: type(loss)}) == loss
    for field in fields(loss):
        with pytest.raises(FrozenInstanceError):
            setattr(loss, field.name, 2.0)


def test_different_losses_are_not_equal():
    assert len(set(LOSSES)) == len(LOSSES)


@every_loss
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_nothing_is_made_on_another_device_or_of_another_type(loss, dtype):
    shape, n_classes = (2, 3), (4,) if kind(loss) is SoftmaxLoss else ()
    scores = torch.zeros((*shape, *n_classes), dtype=dtype, device="meta")
    loss = fitted(loss, scores)
    targets = torch.zeros(shape, dtype=torch.int64, device="meta")
    value, gradient = loss._value_and_gradient(*loss._fitted(scores, targets))
    assert value.is_meta and gradient.is_meta
    assert value.dtype == gradient.dtype == dtype
    assert (value.shape, gradient.shape) == (targets.shape, scores.shape)
    listed = loss._fitted(scores, np.zeros(shape, dtype=int).tolist())[1]
    assert listed.is_meta
    assert loss._fitted(scores[0, :0], [])[1].is_meta


def test_what_is_not_given_is_what_papers_and_frameworks_take():
    assert HuberLoss() == HuberLoss(delta=1)
    assert CrossEntropy() == CrossEntropy(label_smoothing=0)
    assert WeightedBinaryCrossEntropy(3) == WeightedBinaryCrossEntropy(3, neg_weight=1)
    assert BinaryFocalLoss() == BinaryFocalLoss(gamma=2, alpha=0.25)
    assert FocalLoss() == FocalLoss(gamma=2, weights=None)
    assert AsymmetricLoss() == AsymmetricLoss(gamma_pos=0, gamma_neg=4, margin=0.05)
    balanced = ClassBalancedLoss(CrossEntropy(), counts=(9, 1))
    assert balanced == ClassBalancedLoss(CrossEntropy(), counts=(9, 1), beta=0.999)
    assert LogitAdjustedLoss(THREE) == LogitAdjustedLoss(priors=THREE, tau=1)


NOTATION = Path(__file__).parents[2] / "book/notation.md"


@every_loss
def test_every_letter_of_a_derivation_stands_on_the_page_of_notation(loss):
    mathematics = NOTATION.read_text().split("$")[1::2]
    letters = set(re.findall(r"\\?[A-Za-z]+", " ".join(mathematics)))
    derivation = loss.derivation()
    expressions = [line.expression for line in derivation.lines]
    expressions += [*derivation.where, *derivation.where.values(), derivation.name]
    symbols = set().union(*(e.atoms(sympy.Symbol) for e in expressions))
    assert symbols
    for symbol in symbols:
        letter = re.search(r"\\?[A-Za-z]+", latex(symbol)).group()
        assert letter in letters, f"{symbol} is not on the page of notation"
