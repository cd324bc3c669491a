"""The linear layer against sums written out and against autograd."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lossbook import linear
from lossbook.derivation import Derivation, Line
from lossbook.linear import Linear

numbers = st.floats(-100, 100)
outputs = pytest.mark.parametrize(
    "n_outputs", [(), (1,), (3,)], ids=["one score", "a column", "three scores"]
)


@outputs
@given(data=st.data())
def test_scores_and_gradients_are_the_sums_written_out(n_outputs, data):
    n_samples, n_features = data.draw(st.tuples(st.integers(0, 5), st.integers(1, 4)))
    features = data.draw(arrays(float, (n_samples, n_features), elements=numbers))
    weights = data.draw(arrays(float, (n_features, *n_outputs), elements=numbers))
    bias = data.draw(arrays(float, n_outputs, elements=numbers))
    pull = data.draw(arrays(float, (n_samples, *n_outputs), elements=numbers))
    model = Linear(weights, bias)
    scores = [
        bias + sum(x * w for x, w in zip(row, weights, strict=True)) for row in features
    ]
    in_weights = [
        sum(row[j] * g for row, g in zip(features, pull, strict=True))
        for j in range(n_features)
    ]
    gradients = model.gradients(features, pull)
    np.testing.assert_allclose(
        model.scores(features), np.reshape(scores, (n_samples, *n_outputs)), atol=1e-9
    )
    np.testing.assert_allclose(
        gradients["weights"],
        np.broadcast_to(np.array(in_weights).T, weights.T.shape).T,
        atol=1e-9,
    )
    np.testing.assert_allclose(gradients["bias"], np.sum(pull, axis=0), atol=1e-9)
    assert {name: np.shape(g) for name, g in gradients.items()} == {
        n: p.shape for n, p in model.parameters.items()
    }


@outputs
def test_gradients_are_what_autograd_finds(n_outputs):
    rng = np.random.default_rng(0)
    features, pull = rng.normal(size=(7, 4)), rng.normal(size=(7, *n_outputs))
    weights = torch.tensor(rng.normal(size=(4, *n_outputs)), requires_grad=True)
    bias = torch.tensor(rng.normal(size=n_outputs), requires_grad=True)
    scores = Linear(weights, bias).scores(torch.tensor(features))
    scores.backward(torch.tensor(pull))
    ours = Linear(weights.detach().numpy(), bias.detach().numpy()).gradients(
        features, pull
    )
    np.testing.assert_allclose(ours["weights"], weights.grad, rtol=1e-13)
    np.testing.assert_allclose(ours["bias"], bias.grad, rtol=1e-13)


def test_the_bias_is_zero_unless_given():
    assert Linear([1.0, 2.0]).scores([[3.0, 4.0]]).tolist() == [11.0]


def test_zeros_has_the_shapes_that_are_asked_for():
    one, many = Linear.zeros(3), Linear.zeros(3, 2)
    assert (one.weights.shape, one.bias.shape) == ((3,), ())
    assert (many.weights.shape, many.bias.shape) == ((3, 2), (2,))
    assert (
        not many.weights.any()
        and not many.bias.any()
        and not one.weights.any()
        and one.bias == 0
    )


def test_integers_become_floats():
    model = Linear([1, 2], 3)
    assert model.weights.dtype == model.bias.dtype == np.float64
    np.testing.assert_array_equal(model.scores(np.array([[1, 1]])), [6.0])


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda: Linear(1.0), ValueError, r"weights must have shape .*got \(\)"),
        (
            lambda: Linear(np.zeros((1, 2, 3))),
            ValueError,
            r"weights must have shape .*\(1, 2, 3\)",
        ),
        (
            lambda: Linear([1.0], [0.0]),
            ValueError,
            r"bias must have shape \(\), got \(1,\)",
        ),
        (
            lambda: Linear([[1.0, 2.0]], 0.0),
            ValueError,
            r"bias must have shape \(2,\), got \(\)",
        ),
        (
            lambda: Linear([1.0, float("nan")]),
            ValueError,
            r"weights must be finite, got nan at index \(1,\)",
        ),
        (
            lambda: Linear([1.0], float("inf")),
            ValueError,
            "bias must be finite, got inf",
        ),
        (lambda: Linear("w"), TypeError, "weights must be .*got str"),
        (lambda: Linear([1.0], None), TypeError, "bias must be .*got NoneType"),
        (lambda: Linear.zeros(0), ValueError, "n_features must be at least 1, got 0"),
        (lambda: Linear.zeros(2, 0), ValueError, "n_outputs must be at least 1, got 0"),
        (lambda: Linear.zeros(1.5), TypeError, "n_features must be an integer"),
        (
            lambda: Linear([1.0]).scores([1.0]),
            ValueError,
            r"features must have 2 dimension\(s\), got shape \(1,\)",
        ),
        (
            lambda: Linear([1.0]).scores([[1.0, 2.0]]),
            ValueError,
            r"features must have shape \(N, 1\), got \(1, 2\)",
        ),
        (
            lambda: Linear([1.0]).scores([[float("nan")]]),
            ValueError,
            "features must be finite",
        ),
        (
            lambda: Linear([1.0]).gradients([[1.0]], 1.0),
            ValueError,
            r"score_gradient must have shape \(1,\), got \(\)",
        ),
        (
            lambda: Linear([1.0]).gradients([[1.0]], [[1.0]]),
            ValueError,
            r"score_gradient must have shape \(1,\)",
        ),
        (
            lambda: Linear([1.0]).gradients([[1.0]], [None]),
            TypeError,
            "score_gradient must be",
        ),
    ],
)
def test_bad_input_is_refused_by_name(make, error, message):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize(
    "make, name, first",
    [
        (lambda: Linear(np.ones(2), torch.tensor(0.0)), "bias", "weights"),
        (lambda: Linear(torch.ones(2), np.array(0.0)), "bias", "weights"),
        (lambda: Linear(np.ones(2)).scores(torch.ones(3, 2)), "features", "weights"),
        (
            lambda: Linear(np.ones(2)).gradients(np.ones((3, 2)), torch.ones(3)),
            "score_gradient",
            "features",
        ),
    ],
)
def test_arrays_of_two_libraries_are_refused_by_name(make, name, first):
    match = f"^{name} must be the same kind of array as {first}, "
    with pytest.raises(TypeError, match=match):
        make()


def test_the_derivation_of_the_linear_layer_is_what_its_gradients_compute():
    general = linear.derivation()
    assert general.verify() == ["definition", "points", "points"]
    assert repr(general).splitlines()[0] == "Derivation of L"
    assert general._where_latex() == r"$s_{n} = \sum_{k=1}^{D} x_{nk} w_{k} + b$"

    def squared(e):
        return e.replace(
            lambda a: a.func.__name__ == "ell" and len(a.args) == 2,
            lambda a: (a.args[0] - a.args[1]) ** 2,
        )

    lines = [
        Line(squared(line.expression), line.reason, line.wrt) for line in general.lines
    ]
    concrete = Derivation(general.name, lines, general.where)
    assert len(concrete.verify()) == 3
    rng = np.random.default_rng(0)
    features, targets, weights = (
        rng.normal(size=(4, 3)),
        rng.normal(size=4),
        rng.normal(size=3),
    )
    values = {"N": 4, "D": 3, "x": features, "y": targets, "w": weights, "b": 0.7}
    model = Linear(weights, 0.7)
    ours = model.gradients(features, 2 * (model.scores(features) - targets) / 4)[
        "weights"
    ]
    np.testing.assert_allclose(
        [concrete.evaluate({**values, "j": j}) for j in (1, 2, 3)], ours, rtol=1e-13
    )
