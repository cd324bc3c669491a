"""Squared and absolute error: what is theirs alone. The rest is in test_contract.py."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lossbook.losses import AbsoluteError, SquaredError

finite = st.floats(-1e4, 1e4)


def test_values_and_gradients_by_hand():
    scores, targets = [1.0, 2.0, -0.5], [4.0, 2.0, -1.0]
    np.testing.assert_array_equal(
        SquaredError().value(scores, targets), [9.0, 0.0, 0.25]
    )
    np.testing.assert_array_equal(
        SquaredError().gradient(scores, targets), [-6.0, 0.0, 1.0]
    )
    np.testing.assert_array_equal(
        AbsoluteError().value(scores, targets), [3.0, 0.0, 0.5]
    )
    np.testing.assert_array_equal(
        AbsoluteError().gradient(scores, targets), [-1.0, 0.0, 1.0]
    )


@given(st.lists(finite, min_size=1, max_size=9))
def test_the_mean_has_the_least_squared_error_and_the_median_the_least_absolute_error(
    targets,
):
    def total(loss, score):
        return np.sum(loss.value(np.full(len(targets), score), targets))

    mean, median = np.mean(targets), np.median(targets)
    pull = np.sum(SquaredError().gradient(np.full(len(targets), mean), targets))
    assert pull == pytest.approx(0, abs=1e-9 * (1 + np.sum(np.abs(targets))))
    for other in (mean - 1, mean + 1, *targets):
        slack = 1e-9 * (1 + total(SquaredError(), other))
        assert total(SquaredError(), mean) <= total(SquaredError(), other) + slack
        assert total(AbsoluteError(), median) <= total(AbsoluteError(), other) + slack


@given(finite, finite, finite)
def test_a_gradient_is_a_subgradient(score, other, target):
    for loss in (SquaredError(), AbsoluteError()):
        value, gradient = loss.value_and_gradient(score, target)
        tangent = value + gradient * (other - score)
        assert tangent <= loss.value(other, target) + 1e-9 * (
            1 + abs(value) + abs(tangent)
        )


def test_the_square_of_a_huge_residual_is_infinite_as_documented():
    with np.errstate(over="ignore"):
        assert (
            SquaredError()
            .value(np.float32([1.7e19, 1.9e19]), np.float32([0, 0]))
            .tolist()[1]
            == np.inf
        )
        assert np.isfinite(
            SquaredError().value(np.float32([1.7e19]), np.float32([0]))
        ).all()
        assert np.isinf(SquaredError().value(1.4e154, 0))
    assert np.isfinite(
        AbsoluteError().value(np.float32([1e38]), np.float32([-1e38]))
    ).all()
