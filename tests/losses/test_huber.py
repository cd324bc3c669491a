"""The Huber loss: what is its alone. The rest is in test_contract.py."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lossbook.losses import AbsoluteError, HuberLoss, SquaredError

residuals = st.floats(-1e4, 1e4)
deltas = st.floats(1e-3, 1e3)


def test_values_and_gradients_by_hand():
    value, gradient = HuberLoss(delta=2).value_and_gradient(
        [-5.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0], np.zeros(7)
    )
    np.testing.assert_array_equal(value, [8.0, 2.0, 0.5, 0.0, 0.5, 2.0, 4.0])
    np.testing.assert_array_equal(gradient, [-2.0, -2.0, -1.0, 0.0, 1.0, 2.0, 2.0])


@given(residuals, deltas)
def test_it_is_the_definition_of_huber_in_exact_arithmetic(residual, delta):
    r, d = abs(Fraction(residual)), Fraction(delta)
    exact = r * r / 2 if r <= d else d * (r - d / 2)
    assert HuberLoss(delta).value(residual, 0) == pytest.approx(
        float(exact), rel=4e-16, abs=1e-323
    )
    assert HuberLoss(delta).gradient(residual, 0) == np.sign(residual) * float(
        min(r, d)
    )


@given(residuals)
def test_with_a_large_delta_it_is_half_the_squared_error(residual):
    value, gradient = HuberLoss(delta=1e5).value_and_gradient(residual, 0)
    assert value == pytest.approx(
        SquaredError().value(residual, 0) / 2, rel=1e-15, abs=1e-323
    )
    assert gradient == SquaredError().gradient(residual, 0) / 2


@given(residuals.filter(lambda r: abs(r) > 1e-3))
def test_with_a_small_delta_it_is_delta_times_the_absolute_error(residual):
    delta = 1e-12
    value, gradient = HuberLoss(delta).value_and_gradient(residual, 0)
    assert value == pytest.approx(delta * AbsoluteError().value(residual, 0), rel=1e-8)
    assert gradient == delta * AbsoluteError().gradient(residual, 0)


@given(deltas)
def test_value_and_gradient_do_not_jump_at_delta(delta):
    inside, at, beyond = np.nextafter(delta, 0), delta, np.nextafter(delta, np.inf)
    value, gradient = HuberLoss(delta).value_and_gradient(
        [inside, at, beyond], np.zeros(3)
    )
    assert np.ptp(value) <= 8 * np.finfo(float).eps * delta**2
    assert np.ptp(gradient) <= 2 * np.finfo(float).eps * delta


def test_a_residual_whose_square_overflows_has_a_finite_loss():
    value, gradient = HuberLoss(delta=2).value_and_gradient(
        np.float32([1e30, -1e30]), np.float32([-1e30, 1e30])
    )
    np.testing.assert_allclose(value, [4e30, 4e30], rtol=1e-6)
    np.testing.assert_array_equal(gradient, [2, -2])
    assert HuberLoss(delta=2).value(1e300, -1e300) == pytest.approx(4e300)


@pytest.mark.parametrize(
    "delta, error, message",
    [
        (0, ValueError, "delta must be positive, got 0"),
        (-1.5, ValueError, "delta must be positive, got -1.5"),
        (float("nan"), ValueError, "delta must be finite, got nan"),
        (float("inf"), ValueError, "delta must be finite, got inf"),
        ("x", TypeError, "delta must be a number, got str: 'x'"),
        (None, TypeError, "delta must be a number, got NoneType"),
        (True, TypeError, "delta must be a number, got bool"),
        ([1.0], TypeError, "delta must be a number, got list"),
        (1j, TypeError, "delta must be a number, got complex"),
    ],
)
def test_a_bad_delta_is_refused_when_the_loss_is_made(delta, error, message):
    with pytest.raises(error, match=message):
        HuberLoss(delta=delta)


@pytest.mark.parametrize("delta", [2, 2.0, np.float32(2), np.int64(2), Fraction(2)])
def test_delta_may_be_any_real_number_and_becomes_a_float(delta):
    assert type(HuberLoss(delta).delta) is float
    assert HuberLoss(delta) == HuberLoss(2.0)
    assert HuberLoss(delta) != HuberLoss(2.5)
    assert hash(HuberLoss(delta)) == hash(HuberLoss(2.0))


def test_delta_is_one_unless_told():
    assert HuberLoss() == HuberLoss(delta=1.0)
