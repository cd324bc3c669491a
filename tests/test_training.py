"""Gradient descent: one step by hand, many steps as PyTorch takes them, and what
happens when it diverges."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LinearRegression

from lossbook.datasets import straight_line
from lossbook.linear import Linear
from lossbook.losses import AbsoluteError, HuberLoss, SquaredError
from lossbook.training import (
    gradient_descent,
    mean_loss_and_gradients,
    stochastic_gradient_descent,
)

FEATURES, TARGETS = straight_line(
    30, slope=2, intercept=1, noise=0.3, n_outliers=3, outlier_shift=5, random_state=0
)
TORCH = {
    "squared": (SquaredError(), torch.nn.MSELoss()),
    "absolute": (AbsoluteError(), torch.nn.L1Loss()),
    "huber": (HuberLoss(0.5), torch.nn.HuberLoss(delta=0.5)),
}


def test_one_step_by_hand():
    x, y = np.array([[0.0], [1.0], [2.0]]), np.array([1.0, 3.0, 5.0])
    history = gradient_descent(
        Linear([1.0], 0.0), SquaredError(), x, y, learning_rate=0.1, steps=1
    )
    np.testing.assert_allclose(
        history.parameter("weights"), [[1.0], [1 + 0.1 * 16 / 3]], rtol=1e-15
    )
    np.testing.assert_allclose(history.parameter("bias"), [0.0, 0.4], rtol=1e-15)
    after = np.array([0.4, 0.4 + 23 / 15, 0.4 + 46 / 15]) - y
    np.testing.assert_allclose(history.losses, [14 / 3, np.mean(after**2)], rtol=1e-15)
    assert not history.diverged


def test_the_mean_divides_by_the_number_of_samples():
    model = Linear([0.5], -1.0)
    value, gradients = mean_loss_and_gradients(model, SquaredError(), FEATURES, TARGETS)
    residuals = 0.5 * FEATURES[:, 0] - 1 - TARGETS
    assert value == pytest.approx(sum(residuals**2) / 30, rel=1e-14)
    np.testing.assert_allclose(
        gradients["weights"], [sum(2 * residuals * FEATURES[:, 0]) / 30], rtol=1e-13
    )
    np.testing.assert_allclose(gradients["bias"], sum(2 * residuals) / 30, rtol=1e-13)


def test_samples_that_are_there_twice_change_nothing():
    once = mean_loss_and_gradients(Linear([0.5]), HuberLoss(), FEATURES, TARGETS)
    twice = mean_loss_and_gradients(
        Linear([0.5]), HuberLoss(), np.tile(FEATURES, (2, 1)), np.tile(TARGETS, 2)
    )
    assert once[0] == pytest.approx(twice[0], rel=1e-14)
    np.testing.assert_allclose(once[1]["weights"], twice[1]["weights"], rtol=1e-13)


@pytest.mark.parametrize("loss, reference", TORCH.values(), ids=TORCH)
def test_three_hundred_steps_are_those_of_pytorch(loss, reference):
    history = gradient_descent(
        Linear([-1.0], 0.5), loss, FEATURES, TARGETS, learning_rate=0.1, steps=300
    )
    w = torch.tensor([-1.0], dtype=torch.float64, requires_grad=True)
    b = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.SGD([w, b], lr=0.1)
    weights, biases, losses = [], [], []
    for _ in range(301):
        mean = reference(torch.tensor(FEATURES) @ w + b, torch.tensor(TARGETS))
        weights.append(w.detach().numpy().copy())
        biases.append(b.item())
        losses.append(mean.item())
        optimizer.zero_grad()
        mean.backward()
        optimizer.step()
    np.testing.assert_allclose(
        history.parameter("weights"), weights, rtol=0, atol=1e-12
    )
    np.testing.assert_allclose(history.parameter("bias"), biases, rtol=0, atol=1e-12)
    np.testing.assert_allclose(history.losses, losses, rtol=0, atol=1e-12)


def test_on_the_squared_error_it_ends_in_the_least_squares_of_scikit_learn():
    history = gradient_descent(
        Linear.zeros(1),
        SquaredError(),
        FEATURES,
        TARGETS,
        learning_rate=0.3,
        steps=2000,
    )
    exact = LinearRegression().fit(FEATURES, TARGETS)
    np.testing.assert_allclose(history.model.weights, exact.coef_, rtol=1e-10)
    np.testing.assert_allclose(history.model.bias, exact.intercept_, rtol=1e-10)


def test_a_model_with_several_outputs_trains_each_as_if_alone():
    both = np.column_stack([TARGETS, -3 * TARGETS])
    run = gradient_descent(
        Linear.zeros(1, 2), SquaredError(), FEATURES, both, learning_rate=0.1, steps=40
    )
    alone = [
        gradient_descent(
            Linear.zeros(1),
            SquaredError(),
            FEATURES,
            column,
            learning_rate=0.1,
            steps=40,
        ).model
        for column in both.T
    ]
    np.testing.assert_allclose(
        run.model.weights[0], [m.weights[0] for m in alone], rtol=1e-12
    )
    np.testing.assert_allclose(run.model.bias, [m.bias for m in alone], rtol=1e-12)


def test_history_keeps_the_model_before_the_first_step_and_after_every_one():
    start = Linear.zeros(1)
    history = gradient_descent(
        start, SquaredError(), FEATURES, TARGETS, learning_rate=0.1, steps=7
    )
    assert len(history.models) == len(history.losses) == 8
    assert history.models[0] is start and history.model is history.models[-1]
    assert history.parameter("weights").shape == (8, 1) and history.parameter(
        "bias"
    ).shape == (8,)
    for model, value in zip(history.models, history.losses, strict=True):
        assert value == pytest.approx(
            np.mean((model.scores(FEATURES) - TARGETS) ** 2), rel=1e-14
        )
    assert not start.weights.any()


def test_no_steps_leave_the_model_where_it_was():
    history = gradient_descent(
        Linear([2.0]), SquaredError(), FEATURES, TARGETS, learning_rate=0.1, steps=0
    )
    assert history.parameter("weights").tolist() == [[2.0]]
    assert len(history.losses) == 1 and not history.diverged


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("learning_rate", [10.0, 1e100, 1e308])
def test_divergence_is_said_and_what_came_before_is_finite(learning_rate):
    history = gradient_descent(
        Linear.zeros(1),
        SquaredError(),
        FEATURES,
        TARGETS,
        learning_rate=learning_rate,
        steps=2000,
    )
    assert history.diverged
    assert 1 <= len(history.losses) < 2001 and len(history.models) == len(
        history.losses
    )
    assert (
        np.isfinite(history.losses).all()
        and np.isfinite(history.parameter("weights")).all()
    )
    assert np.all(np.diff(history.losses) > 0)


def test_the_learning_rate_at_which_it_diverges_is_two_over_the_largest_curvature():
    design = np.column_stack([FEATURES, np.ones(30)])
    limit = 2 / np.linalg.eigvalsh(2 / 30 * design.T @ design)[-1]
    below, above = (
        gradient_descent(
            Linear.zeros(1),
            SquaredError(),
            FEATURES,
            TARGETS,
            learning_rate=part * limit,
            steps=3000,
        )
        for part in (0.99, 1.01)
    )
    assert below.losses[-1] < below.losses[0]
    assert above.diverged or above.losses[-1] > 1e6 * above.losses[0]


@pytest.mark.parametrize(
    "changed, error, message",
    [
        ({"learning_rate": 0}, ValueError, "learning_rate must be positive, got 0"),
        ({"learning_rate": -0.1}, ValueError, "learning_rate must be positive"),
        ({"learning_rate": float("nan")}, ValueError, "learning_rate must be finite"),
        (
            {"learning_rate": "fast"},
            TypeError,
            "learning_rate must be a number, got str",
        ),
        ({"steps": -1}, ValueError, "steps must be at least 0, got -1"),
        ({"steps": 1.5}, TypeError, "steps must be an integer, got float"),
        ({"steps": True}, TypeError, "steps must be an integer, got bool"),
        (
            {"features": np.zeros((0, 1)), "targets": np.zeros(0)},
            ValueError,
            "features must hold at least one sample",
        ),
        (
            {"features": np.zeros((30, 2))},
            ValueError,
            r"features must have shape \(N, 1\)",
        ),
        (
            {"targets": TARGETS[:, None]},
            ValueError,
            "targets must have the shape of scores",
        ),
        ({"targets": np.full(30, np.nan)}, ValueError, "targets must be finite"),
    ],
)
def test_bad_arguments_are_refused_by_name(changed, error, message):
    arguments = {
        "features": FEATURES,
        "targets": TARGETS,
        "learning_rate": 0.1,
        "steps": 3,
    } | changed
    with pytest.raises(error, match=message):
        gradient_descent(Linear.zeros(1), SquaredError(), **arguments)


def test_a_parameter_that_does_not_exist_is_refused_with_the_names_of_those_that_do():
    history = gradient_descent(
        Linear.zeros(1), SquaredError(), FEATURES, TARGETS, learning_rate=0.1, steps=1
    )
    with pytest.raises(
        ValueError, match="name must be one of weights, bias, got 'slope'"
    ):
        history.parameter("slope")


def test_an_infinite_loss_at_the_start_is_refused():
    with pytest.raises(ValueError, match="finite mean loss"):
        gradient_descent(
            Linear([1e200], 0.0),
            SquaredError(),
            np.ones((2, 1)),
            np.zeros(2),
            learning_rate=0.1,
            steps=1,
        )


# stochastic gradient descent


def stochastic(**changed):
    arguments = {
        "features": FEATURES,
        "targets": TARGETS,
        "learning_rate": 0.1,
        "batch_size": 8,
        "epochs": 3,
        "random_state": 0,
    } | changed
    return stochastic_gradient_descent(Linear([-1.0], 0.5), SquaredError(), **arguments)


def test_its_epochs_are_those_of_pytorch_in_the_same_order():
    history = stochastic(epochs=20)
    w = torch.tensor([-1.0], dtype=torch.float64, requires_grad=True)
    b = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.SGD([w, b], lr=0.1)
    x, y = torch.tensor(FEATURES), torch.tensor(TARGETS)
    orders = np.random.default_rng(0)
    for epoch in range(21):
        with torch.no_grad():
            mean = torch.nn.functional.mse_loss(x @ w + b, y).item()
        assert history.losses[epoch] == pytest.approx(mean, rel=1e-12)
        assert history.parameter("weights")[epoch, 0] == pytest.approx(
            w.item(), rel=1e-12
        )
        for batch in torch.tensor(orders.permutation(30)).split(8):
            optimizer.zero_grad()
            torch.nn.functional.mse_loss(x[batch] @ w + b, y[batch]).backward()
            optimizer.step()


def test_one_batch_of_all_samples_is_gradient_descent():
    whole = stochastic(batch_size=30, epochs=5)
    plain = gradient_descent(
        Linear([-1.0], 0.5),
        SquaredError(),
        FEATURES,
        TARGETS,
        learning_rate=0.1,
        steps=5,
    )
    np.testing.assert_allclose(whole.losses, plain.losses, rtol=1e-12)
    larger = stochastic(batch_size=1000, epochs=5)
    np.testing.assert_array_equal(whole.losses, larger.losses)


def test_every_sample_is_used_once_in_an_epoch():
    seen = []

    class Noting(Linear):
        def gradients(self, features, score_gradient):
            seen.append(features[:, 0])
            return super().gradients(features, score_gradient)

    stochastic_gradient_descent(
        Noting([0.0]),
        SquaredError(),
        np.arange(30.0)[:, None],
        np.zeros(30),
        learning_rate=1e-3,
        batch_size=8,
        epochs=2,
        random_state=1,
    )
    assert [len(batch) for batch in seen] == [8, 8, 8, 6] * 2
    first, second = np.concatenate(seen[:4]), np.concatenate(seen[4:])
    assert sorted(first) == sorted(second) == list(range(30))
    assert first.tolist() != second.tolist() != list(range(30))


def test_its_history_has_an_entry_for_every_epoch_and_the_start():
    history = stochastic()
    assert len(history.models) == len(history.losses) == 4
    for model, value in zip(history.models, history.losses, strict=True):
        assert value == pytest.approx(
            np.mean((model.scores(FEATURES) - TARGETS) ** 2), rel=1e-12
        )
    again, other = stochastic(), stochastic(random_state=1)
    np.testing.assert_array_equal(history.losses, again.losses)
    assert history.losses[-1] != other.losses[-1]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("learning_rate", [1e3, 1e200])
def test_its_divergence_is_said_and_what_came_before_is_finite(learning_rate):
    history = stochastic(learning_rate=learning_rate, epochs=100)
    assert history.diverged and 1 <= len(history.losses) < 101
    assert len(history.models) == len(history.losses)
    assert np.isfinite(history.losses).all()


@pytest.mark.parametrize(
    "changed, error, message",
    [
        ({"learning_rate": 0}, ValueError, "learning_rate must be positive"),
        ({"batch_size": 0}, ValueError, "batch_size must be at least 1, got 0"),
        ({"batch_size": 2.0}, TypeError, "batch_size must be an integer, got float"),
        ({"epochs": -1}, ValueError, "epochs must be at least 0"),
        ({"random_state": None}, TypeError, "random_state must be an integer"),
        ({"targets": TARGETS[:29]}, ValueError, "features must hold .*got 30 and 29"),
        (
            {"features": np.zeros((0, 1)), "targets": np.zeros(0)},
            ValueError,
            "features must hold at least one sample",
        ),
        ({"features": np.full((30, 1), 1e200)}, ValueError, "finite mean loss"),
        ({"features": np.zeros((30, 2))}, ValueError, "features must have shape"),
    ],
)
def test_its_bad_arguments_are_refused_by_name(changed, error, message):
    with pytest.raises(error, match=message):
        stochastic(**changed)
