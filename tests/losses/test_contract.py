"""What holds for every loss of `lossbook.losses`: a new one is tested by being listed
in `EXAMPLES`."""

import pickle
from dataclasses import FrozenInstanceError, fields

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

import lossbook.losses
from lossbook.losses import AbsoluteError, HuberLoss, SquaredError

# By name: examples of the loss, each with PyTorch's own, unreduced.
EXAMPLES = {
    "SquaredError": [(SquaredError(), torch.nn.MSELoss(reduction="none"))],
    "AbsoluteError": [(AbsoluteError(), torch.nn.L1Loss(reduction="none"))],
    "HuberLoss": [
        (HuberLoss(), torch.nn.HuberLoss(reduction="none")),
        (HuberLoss(delta=0.3), torch.nn.HuberLoss(delta=0.3, reduction="none")),
        (HuberLoss(delta=40), torch.nn.HuberLoss(delta=40, reduction="none")),
    ],
}
PAIRS = [pair for pairs in EXAMPLES.values() for pair in pairs]
LOSSES = [loss for loss, _ in PAIRS]
every_loss = pytest.mark.parametrize("loss", LOSSES, ids=str)
every_pair = pytest.mark.parametrize(
    "loss, reference", PAIRS, ids=[str(loss) for loss in LOSSES]
)
both_types = pytest.mark.parametrize(
    "dtype", [np.float32, np.float64], ids=["float32", "float64"]
)


@st.composite
def samples(draw, dtype=np.float64, limit=1e4):
    """Scores and targets of one shape; some of the targets are the scores
    themselves."""
    numbers = st.floats(-limit, limit, width=np.dtype(dtype).itemsize * 8)
    shape = draw(array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4))
    scores, targets = (draw(arrays(dtype, shape, elements=numbers)) for _ in range(2))
    hit = draw(arrays(bool, shape))
    return scores, np.where(hit, scores, targets).astype(dtype)


def test_every_loss_of_the_book_is_tested_here():
    assert set(EXAMPLES) == set(lossbook.losses.__all__)
    assert all(
        name == type(loss).__name__
        for name, pairs in EXAMPLES.items()
        for loss, _ in pairs
    )


@every_pair
@both_types
@given(data=st.data())
def test_value_and_gradient_are_those_of_pytorch(loss, reference, dtype, data):
    scores, targets = data.draw(samples(dtype))
    tensor = torch.tensor(scores, requires_grad=True)
    expected = reference(tensor, torch.tensor(targets))
    expected.sum().backward()
    value, gradient = loss.value(scores, targets), loss.gradient(scores, targets)
    ulps = 2 * np.finfo(dtype).eps
    np.testing.assert_allclose(value, expected.detach().numpy(), rtol=ulps)
    np.testing.assert_allclose(gradient, tensor.grad.numpy(), rtol=ulps)
    assert value.dtype == gradient.dtype == dtype
    assert value.shape == gradient.shape == scores.shape


@every_loss
@given(data=st.data())
def test_the_last_line_of_the_derivation_is_the_gradient(loss, data):
    scores, targets = data.draw(samples(limit=100))
    parameters = {field.name: getattr(loss, field.name) for field in fields(loss)}
    derived = loss.derivation().evaluate({"yhat": scores, "y": targets, **parameters})
    np.testing.assert_allclose(loss.gradient(scores, targets), derived, rtol=1e-14)


@every_loss
def test_the_derivation_is_proved(loss):
    assert loss.derivation().verify()[0] == "definition"


@every_loss
@given(data=st.data())
def test_the_first_line_of_the_derivation_is_the_value(loss, data):
    scores, targets = data.draw(samples(limit=100))
    parameters = {field.name: getattr(loss, field.name) for field in fields(loss)}
    whole = loss.derivation()
    first = type(whole)(whole.name, whole.lines[:1], whole.where)
    expected = first.evaluate({"yhat": scores, "y": targets, **parameters})
    np.testing.assert_allclose(loss.value(scores, targets), expected, rtol=1e-14)


@every_loss
@both_types
@given(data=st.data())
def test_value_and_gradient_together_are_the_two(loss, dtype, data):
    scores, targets = data.draw(samples(dtype))
    value, gradient = loss.value_and_gradient(scores, targets)
    np.testing.assert_array_equal(value, loss.value(scores, targets))
    np.testing.assert_array_equal(gradient, loss.gradient(scores, targets))


@every_loss
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_tensors_come_back_as_tensors_with_the_numbers_of_arrays(loss, dtype):
    scores = torch.linspace(-3, 3, 24, dtype=dtype).reshape(2, 3, 4)
    targets = torch.flip(scores, (0, 2)) / 2
    for ours, arrays_ in zip(
        loss.value_and_gradient(scores, targets),
        loss.value_and_gradient(scores.numpy(), targets.numpy()),
        strict=True,
    ):
        assert isinstance(ours, torch.Tensor) and ours.dtype == dtype
        np.testing.assert_allclose(
            ours.numpy(), arrays_, rtol=1e-6 if dtype == torch.float32 else 1e-15
        )


@every_loss
def test_autograd_runs_through_the_value_of_a_tensor(loss):
    scores = torch.tensor(
        [-3.0, -0.2, 0.1, 5.0], dtype=torch.float64, requires_grad=True
    )
    targets = torch.zeros(4, dtype=torch.float64)
    loss.value(scores, targets).sum().backward()
    np.testing.assert_allclose(
        scores.grad, loss.gradient(scores.detach(), targets), rtol=1e-15
    )


@every_loss
@pytest.mark.parametrize(
    "scores, targets",
    [(1, 3), (1.5, 3), ([1, 2], [3.0, 4]), ([[1.0, 2.0]], [[0, 0]]), ([], [])],
)
def test_numbers_and_lists_are_taken_as_float64(loss, scores, targets):
    value, gradient = loss.value_and_gradient(scores, targets)
    expected = loss.value_and_gradient(
        np.asarray(scores, dtype=float), np.asarray(targets, dtype=float)
    )
    np.testing.assert_array_equal([value, gradient], expected)
    assert value.dtype == gradient.dtype == np.float64
    assert value.shape == gradient.shape == np.shape(scores)


@every_loss
@pytest.mark.parametrize(
    "targets",
    [
        [0, 1, 1],
        np.array([0, 1, 1]),
        np.array([0, 1, 1], dtype=np.float64),
        (False, True, True),
    ],
)
def test_targets_take_the_type_of_the_scores(loss, targets):
    scores = np.array([0.5, 2.0, -1.0], dtype=np.float32)
    value, gradient = loss.value_and_gradient(scores, targets)
    assert value.dtype == gradient.dtype == np.float32
    np.testing.assert_array_equal(
        value, loss.value(scores, np.array([0, 1, 1], dtype=np.float32))
    )


@every_loss
def test_a_tensor_of_scores_takes_a_list_of_targets(loss):
    value = loss.value(torch.tensor([0.5, 2.0]), [0, 1])
    assert value.dtype == torch.float32
    assert torch.equal(
        value, loss.value(torch.tensor([0.5, 2.0]), torch.tensor([0.0, 1.0]))
    )


@every_loss
def test_the_layout_of_an_array_does_not_matter_and_it_is_not_changed(loss):
    whole = np.linspace(-4, 4, 48).reshape(6, 8)
    scores, targets = whole[::2, ::-1].T, whole[1::2].T  # not contiguous
    before = whole.copy()
    whole.flags.writeable = False
    for ours, expected in zip(
        loss.value_and_gradient(scores, targets),
        loss.value_and_gradient(scores.copy(), targets.copy()),
        strict=True,
    ):
        np.testing.assert_array_equal(ours, expected)
        ours[:] = 7  # the result is the caller's own
    np.testing.assert_array_equal(whole, before)


@every_loss
@both_types
@pytest.mark.filterwarnings("error")
def test_extreme_scores_give_finite_values_and_gradients(loss, dtype):
    scores = np.array(
        [
            1e4,
            -1e4,
            1e4,
            -1e4,
            0,
            np.finfo(dtype).tiny,
            np.finfo(dtype).smallest_subnormal,
        ],
        dtype=dtype,
    )
    targets = np.array([0, 0, -1e4, 1e4, 1e4, 0, 0], dtype=dtype)
    assert np.isfinite(loss.value_and_gradient(scores, targets)).all()


@every_loss
@given(data=st.data())
def test_only_the_residual_counts_and_its_sign_only_in_the_gradient(loss, data):
    residual, _ = data.draw(samples())
    zero = np.zeros_like(residual)
    value, gradient = loss.value_and_gradient(residual, zero)
    for scores, targets in ((-residual, zero), (zero, residual)):
        np.testing.assert_array_equal(loss.value(scores, targets), value)
        np.testing.assert_array_equal(loss.gradient(scores, targets), -gradient)
    assert np.all(value >= 0)
    assert np.all(gradient * residual >= 0)


@every_loss
def test_a_hit_costs_nothing_and_does_not_pull(loss):
    assert loss.value_and_gradient(2.5, 2.5) == (0, 0)


NAN, INF = float("nan"), float("inf")
ONE = np.array([1.0])
REFUSED = [
    ([NAN], [1.0], ValueError, r"scores must be finite, got nan at index \(0,\)"),
    (
        [[0.0, 1.0], [2.0, INF]],
        np.zeros((2, 2)),
        ValueError,
        r"scores must be finite, got inf at index \(1, 1\)",
    ),
    (1.0, -INF, ValueError, r"targets must be finite, got -inf"),
    (
        [1.0, 2.0],
        [1.0, NAN],
        ValueError,
        r"targets must be finite, got nan at index \(1,\)",
    ),
    (
        torch.tensor([0.0, NAN]),
        torch.zeros(2),
        ValueError,
        r"scores must be finite, got nan at index \(1,\)",
    ),
    ([1.0], [1.0, 2.0], ValueError, r"targets .*shape of scores, \(1,\), got \(2,\)"),
    ([[1.0], [2.0]], [1.0, 2.0], ValueError, r"targets .*\(2, 1\), got \(2,\)"),
    ([1.0, 2.0], 1.0, ValueError, r"targets .*\(2,\), got \(\)"),
    (torch.zeros(2, 1), torch.zeros(2), ValueError, r"targets .*\(2, 1\), got \(2,\)"),
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
    (1.0, "x", TypeError, "targets must be .*got str: 'x'"),
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


@every_loss
@pytest.mark.parametrize("method", ["value", "gradient", "value_and_gradient"])
@pytest.mark.parametrize(
    "scores, targets, error, message", REFUSED, ids=[row[-1] for row in REFUSED]
)
def test_bad_input_is_refused_by_name(loss, method, scores, targets, error, message):
    with pytest.raises(error, match=message):
        getattr(loss, method)(scores, targets)


@every_loss
def test_a_loss_is_a_value_that_cannot_be_changed(loss):
    again = type(loss)(
        **{field.name: getattr(loss, field.name) for field in fields(loss)}
    )
    assert again == loss and hash(again) == hash(loss)
    assert pickle.loads(pickle.dumps(loss)) == loss
    assert (
        eval(repr(loss), vars(lossbook.losses) | {type(loss).__name__: type(loss)})
        == loss
    )
    for field in fields(loss):
        with pytest.raises(FrozenInstanceError):
            setattr(loss, field.name, 2.0)


def test_different_losses_are_not_equal():
    assert len(set(LOSSES)) == len(LOSSES)
