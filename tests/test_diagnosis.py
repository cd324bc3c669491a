"""The doctor: planted mistakes are named, right numbers are never blamed, and noise is
explained by nothing."""

import re
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
@settings(max_examples=15)
@given(data=st.data())
def test_a_right_gradient_and_a_right_value_are_never_blamed(loss, dtype, data):
    scores, targets = data.draw(batches(loss, dtype))
    value, gradient = loss.value_and_gradient(scores, targets)
    assert diagnose(gradient, loss, scores, targets).right
    assert diagnose_value(value, loss, scores, targets).right


def several(reference):
    """A loss of PyTorch for (N, C), for any shape (..., C)."""
    return lambda z, y: reference(z.reshape(-1, z.shape[-1]), y.reshape(-1))


REFERENCES = [
    (SquaredError(), torch.nn.MSELoss(reduction="sum")),
    (HuberLoss(0.7), torch.nn.HuberLoss(delta=0.7, reduction="sum")),
    (BinaryCrossEntropy(), torch.nn.BCEWithLogitsLoss(reduction="sum")),
    (
        WeightedCrossEntropy(W),
        several(torch.nn.CrossEntropyLoss(torch.tensor(W), reduction="sum")),
    ),
]


@pytest.mark.parametrize("loss, reference", REFERENCES, ids=lambda pair: str(pair)[:20])
@settings(max_examples=20)
@given(data=st.data())
def test_a_gradient_of_pytorch_is_never_blamed(loss, reference, data):
    scores, targets = data.draw(batches(loss, np.float32))
    z, y = torch.tensor(scores, requires_grad=True), torch.tensor(targets)
    reference(z, y if kind(loss) == "softmax" else y.float()).backward()
    assert diagnose(z.grad, loss, z, y).right


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


@pytest.mark.parametrize("loss", [LOSSES[i] for i in (0, 3, 5, 7)], ids=str)
@both_types
@pytest.mark.parametrize(
    "first, second",
    [
        ("the sign is wrong", "it is divided by N, the number of samples"),
        ("it is divided by N, the number of samples", "it is multiplied by 1/2"),
    ],
)
def test_two_mistakes_of_the_table_are_found(loss, dtype, first, second):
    scores, targets = batch(loss)
    case = Case(loss, scores, targets)
    for name in (first, second):
        case = next(h for h in HYPOTHESES if h.mistake == name).apply(case)
    found = diagnose(case.result().astype(dtype), loss, scores, targets)
    assert found.hypotheses == (first, second)


# As students write them


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def softmax(z, axis=-1):
    powers = np.exp(z - z.max(axis=axis, keepdims=True))
    return powers / powers.sum(axis=axis, keepdims=True)


def one_hot(y):
    return np.eye(3)[y]


def focal(z, y, alpha=0.25, gamma=2, own=1):
    """By hand, for p_y; own scales the derivative of the modulating factor."""
    p = np.where(y == 1, sigmoid(z), sigmoid(-z))
    weight = np.where(y == 1, alpha, 1 - alpha)
    slope = (1 - p) ** gamma * (own * gamma * p * np.log(p) - (1 - p))
    return (2 * y - 1) * weight * slope


def asymmetric(z, y, positive=1, negative=2.5, margin=0.2):
    p = sigmoid(z)
    low = np.maximum(p - margin, 0)
    with np.errstate(all="ignore"):
        up = (1 - p) ** positive / p - positive * (1 - p) ** (positive - 1) * np.log(p)
        down = low**negative / (1 - low)
        down -= negative * low ** (negative - 1) * np.log(1 - low)
    return np.where(y == 1, -up, np.where(low > 0, down, 0)) * p * (1 - p)


BCE, CE, WCE = BinaryCrossEntropy(), CrossEntropy(), WeightedCrossEntropy(W)
WBCE, FOCAL = LOSSES[6], BinaryFocalLoss()
ASYMMETRIC, ADJUSTED, BALANCED = LOSSES[13], LogitAdjustedLoss(PI), LOSSES[14]
SE, AE, HUBER = SquaredError(), AbsoluteError(), HuberLoss(0.7)
N = 5


def weigh(z, y, w):
    return np.asarray(w)[y][:, None] * (softmax(z) - one_hot(y))


def adjusted(z, y, shift):
    return softmax(z + shift) - one_hot(y)


def residual(within, beyond):
    return lambda s, y: np.where(abs(s - y) <= 0.7, within(s - y), beyond(s - y))


EFFECTIVE = (1 - 0.999 ** np.array([900, 40, 3])) / (1 - 0.999)
STUDENTS = [
    (SE, lambda s, y: 2 * (y - s), "the sign is wrong"),
    (SE, lambda s, y: s - y, "multiplied by 1/2"),
    (SE, lambda s, y: 2 * (s - y) / N, "divided by N"),
    (SE, lambda s, y: (s - y) / N, "divided by N, .* / .* by 1/2"),
    (SE, lambda s, y: (y - s) / N, r"every entry is multiplied by -1 / \(2 N\)"),
    (SE, lambda s, y: 2 * (s[:, None] - y), "a column .N, 1. met a vector"),
    (SE, lambda s, y: 2 * (s + y), "targets are added"),
    (AE, lambda s, y: s - y, "the residual itself"),
    (AE, lambda s, y: abs(s - y), "the value of the loss"),
    (HUBER, residual(lambda r: r, lambda r: r), "the residual itself"),
    (HUBER, residual(lambda r: r, lambda r: 0 * r), "0 beyond delta"),
    (HUBER, residual(lambda r: r, np.sign), "delta is missing beyond"),
    (HUBER, lambda s, y: -np.clip(s - y, -0.7, 0.7) / N, "sign .* / .* by N"),
    (BCE, lambda z, y: y - sigmoid(z), "the sign is wrong"),
    (BCE, lambda z, y: -(y / sigmoid(z) - (1 - y) / sigmoid(-z)), "gradient in p"),
    (BCE, lambda z, y: sigmoid(z) - (2 * y - 1), "targets are -1 and 1"),
    (
        BCE,
        lambda z, y: -((2 * y - 1) / sigmoid(z)) + (2 - 2 * y) / sigmoid(-z),
        "targets are -1 and 1 .* / .*gradient in p",
    ),
    (BCE, lambda z, y: (y - sigmoid(z)) / N, "sign .* / .* by N"),
    (BCE, lambda z, y: (sigmoid(z) - y) * sigmoid(z) * sigmoid(-z), "is too many"),
    (BCE, lambda z, y: z - y, "scores stand where"),
    (BCE, lambda z, y: softmax(z) - y, "a softmax stands where a sigmoid"),
    (BCE, lambda z, y: sigmoid(sigmoid(z)) - y, "sigmoid is applied twice"),
    (BCE, lambda z, y: -y * sigmoid(-z), "term of class 0 is missing"),
    (BCE, lambda z, y: (sigmoid(z) - y) / np.log(2), "divided by log 2"),
    (WBCE, lambda z, y: sigmoid(z) - y, "weights of the classes are missing"),
    (WBCE, lambda z, y: np.where(y, 0.5, 9) * (sigmoid(z) - y), "on the wrong classes"),
    (FOCAL, lambda z, y: focal(z, y, alpha=0.75), "on the wrong classes"),
    (FOCAL, lambda z, y: focal(z, y, own=0), "own derivative is missing"),
    (FOCAL, lambda z, y: focal(z, y, own=-1), "own derivative has the wrong sign"),
    (FOCAL, lambda z, y: focal(z, y, 0.75, own=0), "wrong classes / .* is missing"),
    (FOCAL, lambda z, y: focal(z, y, gamma=0), "modulating factor is missing"),
    (FOCAL, lambda z, y: 2 * focal(z, y, 0.5), "weights of the classes are missing"),
    (ASYMMETRIC, lambda z, y: asymmetric(z, y, 2.5, 1), "have changed places"),
    (ASYMMETRIC, lambda z, y: asymmetric(z, y, margin=0), "the margin is missing"),
    (ASYMMETRIC, lambda z, y: asymmetric(z, y, margin=-0.2), "margin is added"),
    (CE, lambda z, y: softmax(z) - one_hot(y - 1), "classes are counted from 1"),
    (
        CE,
        lambda z, y: (one_hot(y - 1) - softmax(z)) / N,
        "counted from 1.* / .*by -1 / N",
    ),
    (CE, lambda z, y: softmax(z, 0) - one_hot(y), "softmax runs over the first axis"),
    (CE, lambda z, y: sigmoid(z) - one_hot(y), "a sigmoid stands where the softmax"),
    (CE, lambda z, y: -one_hot(y) / softmax(z), "Jacobian of the softmax is missing"),
    (CE, lambda z, y: -one_hot(y) * (1 - softmax(z)), "only the diagonal"),
    (CE, lambda z, y: (softmax(z) - one_hot(y)).T, "transposed"),
    (CE, lambda z, y: (softmax(z) - one_hot(y)) / 3, "divided by C"),
    (
        CE,
        lambda z, y: (softmax(z) - one_hot(y)).mean(axis=0),
        "averaged over the first",
    ),
    (LOSSES[5], lambda z, y: softmax(z) - one_hot(y), "label smoothing is missing"),
    (WCE, lambda z, y: weigh(z, y, W) / np.sum(np.array(W)[y]), "sum of the samples'"),
    (WCE, lambda z, y: np.array(W) * weigh(z, y, np.ones(3)), "on the axis of classes"),
    (WCE, lambda z, y: weigh(z, y, np.array(W) / sum(W)), "scaled to sum to 1"),
    (WCE, lambda z, y: -weigh(z, y, W[::-1]), "wrong classes / .*sign"),
    (ADJUSTED, lambda z, y: adjusted(z, y, 0), "log-priors are missing"),
    (ADJUSTED, lambda z, y: adjusted(z, y, -np.log(PI)), "subtracted, not added"),
    (ADJUSTED, lambda z, y: adjusted(z, y, np.array(PI)), "logarithm of the priors is"),
    (BALANCED, lambda z, y: weigh(z, y, 1 / EFFECTIVE), "not scaled to sum"),
    (
        BALANCED,
        lambda z, y: weigh(z, y, EFFECTIVE),
        "effective numbers are the weights",
    ),
]


@pytest.mark.parametrize(
    "loss, wrong, expected",
    STUDENTS,
    ids=[f"{type(loss).__name__}-{clue}" for loss, _, clue in STUDENTS],
)
def test_mistakes_as_students_write_them_are_named(loss, wrong, expected):
    scores, targets = batch(loss)
    for got, seen in (
        (wrong(scores, targets), targets),
        (torch.tensor(wrong(scores, targets), dtype=torch.float32), targets),
    ):
        found = diagnose(got, loss, scores, seen)
        assert not found.right
        assert re.search(expected, names(found)), found.sentence


def test_a_mean_is_right_but_for_the_reduction():
    z, y = batch(BCE)
    found = diagnose((sigmoid(z) - y) / N, BCE, z, y)
    assert found.sentence.startswith("Right but for the reduction: it is divided by N")
    value = diagnose_value(BCE.value(z, y).mean(), BCE, z, y)
    assert value.sentence.startswith("Right but for the reduction: it is averaged")
    z, y = batch(WCE)
    weighted = torch.nn.CrossEntropyLoss(torch.tensor(W, dtype=torch.float64))
    value = diagnose_value(weighted(torch.tensor(z), torch.tensor(y)), WCE, z, y)
    assert value.sentence.startswith("Right but for the reduction: it is added up")
    assert "divided by the sum of the samples' weights" in value.sentence


def test_weights_on_the_wrong_axis_of_one_hot_targets_are_named():
    loss = ClassBalancedLoss(BCE, counts=(50, 5, 2))
    z, y = batch(CE)
    error = sigmoid(z) - one_hot(y)
    columns = diagnose(np.array(loss.weights) * error, loss, z, one_hot(y))
    assert (
        names(columns) == "the weights are on the axis of classes, not on the samples"
    )
    assert "weights of the classes are missing" in names(
        diagnose(error, loss, z, one_hot(y))
    )


def test_a_mistake_in_one_class_is_placed_there():
    z, y = batch(BCE, n=8)
    y[:3] = 0  # so that the class is the smaller one
    found = diagnose(np.where(y == 1, 2, 1) * (sigmoid(z) - y), BCE, z, y)
    assert (
        "but for the samples of class 1: there it is multiplied by 2" in found.sentence
    )


def test_a_clamp_is_found_in_the_tail_of_gradient_and_value():
    z = np.array([-40.0, -20, -3, -1, 0, 1, 4, 20, 40])
    y = np.array([1, 1, 0, 1, 0, 1, 0, 0, 0])
    p = np.clip(sigmoid(z), 1e-7, 1 - 1e-7)
    gradient = np.where(p == sigmoid(z), p - y, 0)
    value = -y * np.log(p) - (1 - y) * np.log(1 - p)
    for found in (diagnose(gradient, BCE, z, y), diagnose_value(value, BCE, z, y)):
        assert "is at most 4, and wrong in the tail, from 20 on" in found.sentence


def test_numbers_that_are_not_finite_are_placed_and_the_others_judged():
    z, y = np.array([-800.0, -2, 0, 1, 800, 40]), np.array([1, 0, 1, 0, 0, 1])
    with np.errstate(all="ignore"):
        typed_p = np.exp(z) / (1 + np.exp(z))
    found = diagnose(typed_p - y, BCE, z, y)
    assert "1 of 6 entries is not finite, the first nan at [4]" in found.sentence
    assert "overflows in float64" in found.sentence
    assert "The other entries are right." in found.sentence
    with np.errstate(all="ignore"):
        value = -y * np.log(sigmoid(z)) - (1 - y) * np.log(1 - sigmoid(z))
    assert "not finite" in diagnose_value(value, BCE, z, y).sentence
    wrong = np.where(np.arange(6) == 4, np.nan, 2 * (typed_p - y))
    assert "multiplied by 2" in names(diagnose(wrong, BCE, z, y))


# Nothing fits, and nothing can be told


@every_loss
def test_noise_is_explained_by_nothing(loss):
    scores, targets = batch(loss)
    noise = np.random.default_rng(1).standard_normal(scores.shape)
    found = diagnose(noise, loss, scores, targets)
    assert not found.right and not found.hypotheses
    assert "no known mistake fits" in found.sentence


def test_zeros_tell_nothing_and_one_number_tells_little():
    found = diagnose([0.0, 0.0], SE, [1.0, 2.0], [1.0, 2.0])
    assert found.right and "take other scores" in found.sentence
    assert "the sign is wrong" in found.alike
    loss, z, y = FOCAL, np.array([0.3]), np.array([1])
    numbers = (focal(z, y, own=0) * sigmoid(z)).astype(np.float32)
    assert "Take more samples" in diagnose(numbers, loss, z, y).sentence


def test_a_wrong_shape_is_named():
    z, y = batch(CE)
    assert "(2, 2), it should be (5, 3)" in diagnose(np.ones((2, 2)), CE, z, y).sentence
    reshaped = (softmax(z) - one_hot(y)).reshape(3, 5)
    assert (
        "its numbers, in their order, are right"
        in diagnose(reshaped, CE, z, y).sentence
    )


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        (("noise", BCE, [0.5], [1]), TypeError, "gradient must be an array or numbers"),
        (([0.5], "BCE", [0.5], [1]), TypeError, "loss must be a loss of lossbook"),
        (([], BCE, [], []), ValueError, "scores must hold at least one number"),
        (([0.5], BCE, [0.5], [-1]), ValueError, "targets must be 0 or 1, got -1"),
        (([0.5], BCE, [np.nan], [1]), ValueError, "scores must be finite"),
        (([0.5], BCE, [0.5, 1.0], [1]), ValueError, "must have the shape of scores"),
        ((np.float16([1]), BCE, [0.5], [1]), TypeError, "must be float32 or float64"),
    ],
)
def test_what_cannot_be_diagnosed_is_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        diagnose(*arguments)


# The layer


def layer(loss):
    rng = np.random.default_rng(2)
    features = rng.standard_normal((6, 4)) + 0.5
    outputs = (3,) if kind(loss) == "softmax" else ()
    model = Linear(rng.standard_normal((4, *outputs)), rng.standard_normal(outputs))
    return model, features, np.array([0, 1, 1, 0, 1, 0])


LAYER = [
    (
        lambda x, g: (x.T @ g / 6, g.mean(axis=0)),
        "^Right: the gradients in the weights",
    ),
    (lambda x, g: (x.T @ g, g.sum(axis=0)), "Weights and bias: right but for the red"),
    (lambda x, g: (-x.T @ g / 6, -g.mean(axis=0)), "and bias: .* the sign is wrong"),
    (lambda x, g: (x.T @ g / 6, g), "^Weights: right.*Bias: .*gradient in the scores"),
    (
        lambda x, g: (0 * x.T @ g + g.mean(axis=0), g.mean(axis=0)),
        "features are missing",
    ),
    (lambda x, g: ((x.T @ g).T / 6, g.mean(axis=0)), "Weights: .* transposed"),
    (lambda x, g: (np.outer(x[-1], g[-1]), g[-1]), "Weights and bias: .* last sample"),
    (
        lambda x, g: (x.T @ g * np.nan, g.mean(axis=0)),
        "12 of 12 entries are not finite",
    ),
]


@pytest.mark.parametrize("wrong, expected", LAYER, ids=[clue for _, clue in LAYER])
def test_mistakes_in_the_layer_are_named(wrong, expected):
    model, features, targets = layer(CE)
    gradient = softmax(model.scores(features)) - one_hot(targets)
    weights, bias = wrong(features, gradient)
    found = diagnose_parameters(weights, bias, model, CE, features, targets)
    assert re.search(expected, found.sentence), found.sentence
    assert [row.of for row in found.evidence] == ["weights", "bias"]


# What it shows, and what a teacher adds


def test_a_teacher_adds_a_mistake():
    z, y = batch(BCE)
    halved = sigmoid(z) - y / 2
    assert not diagnose(halved, BCE, z, y).hypotheses
    hypothesis = Hypothesis("the targets are halved", lambda c: c.given(q=c.q / 2))
    found = diagnose(halved, BCE, z, y, hypotheses=[*HYPOTHESES, hypothesis])
    assert found.hypotheses == ("the targets are halved",)
    with pytest.raises(NameError, match="no piece 'target'"):
        Hypothesis("a misspelt piece", lambda c: c.given(target=0)).apply(
            Case(BCE, z, y)
        )


def test_a_diagnosis_shows_its_sentence_and_the_worst_entry():
    found = diagnose([0.5, -0.25], SE, [1.0, 2.0], [1.25, 1.875])
    assert found.sentence == "Most likely one mistake: the sign is wrong."
    assert (
        repr(found).split()
        == (
            f"{found.sentence} diagnosed worst at got right error error explained "
            "gradient [0] 0.5 -0.5 1.0e+00 all but rounding"
        ).split()
    )
    fine = diagnose([-0.5, 0.25], SE, [1.0, 2.0], [1.25, 1.875])
    assert repr(fine).splitlines()[-1].split() == (
        "gradient - - - rounding none to explain".split()
    )
    page = replace(found, sentence="a < b")._repr_html_()
    assert "<p>a &lt; b</p>" in page and page.count("<td>") == 6
