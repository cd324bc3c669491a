"""The sigmoid and the binary cross-entropy: what is theirs alone. The rest is in
test_contract.py."""

import math

import mpmath
import numpy as np
import pytest
import scipy.special
import sympy
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from lossbook.checks import check_gradient
from lossbook.derivation import Derivation, DerivationError, Line
from lossbook.losses import BinaryCrossEntropy, CrossEntropy, sigmoid, softmax
from lossbook.losses.binary_classification import sigmoid_derivation

LOSS = BinaryCrossEntropy()
both_types = pytest.mark.parametrize(
    "dtype", [np.float32, np.float64], ids=["float32", "float64"]
)
both_libraries = pytest.mark.parametrize(
    "library", [np.asarray, torch.tensor], ids=["NumPy", "torch"]
)
logits = st.one_of(st.floats(-1e4, 1e4), st.floats(-40, 40), st.just(0.0))
classes = st.sampled_from([0, 1])

# ordinary, tiny, around where exp overflows, where the tails underflow, and far beyond
MAGNITUDES = [0, 1e-40, 1e-9, 1e-4, 0.1, 0.5, 1, 2, 5, 10, 16.6, 17, 30, 36.7, 37, 50]
MAGNITUDES += [80, 87.3, 88.7, 89, 100, 103.9, 104, 200, 500, 700, 708.3, 709.7, 710]
MAGNITUDES += [740, 745, 745.2, 746, 800, 1e3, 9999.5, 1e4, 3e38]


def extremes(dtype):
    return np.array([s * m for m in MAGNITUDES for s in (1, -1)], dtype=dtype)


def nearest(number, dtype):
    return dtype(float(number))


def assert_close_to_the_last_digits(ours, exact, dtype, smallest=None):
    """Each to a few units in its own last place, however small it is; or down to the
    smallest."""
    exact = np.array([nearest(number, dtype) for number in exact])
    info = np.finfo(dtype)
    np.testing.assert_allclose(
        np.asarray(ours),
        exact,
        rtol=4 * info.eps,
        atol=2 * info.smallest_subnormal if smallest is None else smallest,
    )


def precise_sigmoid(score):
    return 1 / (1 + mpmath.exp(-mpmath.mpf(float(score))))


@both_types
@both_libraries
@pytest.mark.filterwarnings("error")
def test_value_and_gradient_have_all_their_digits_at_every_score(dtype, library):
    scores = extremes(dtype)
    for target in (0, 1):
        sign = 1 - 2 * target
        with mpmath.workdps(50):
            wrong = [sign * mpmath.mpf(float(score)) for score in scores]
            # log1p, since 1 + exp(-1e4) is 1 even to 50 digits
            values = [max(w, 0) + mpmath.log1p(mpmath.exp(-abs(w))) for w in wrong]
            gradients = [sign * precise_sigmoid(w) for w in wrong]
        targets = library(np.full(scores.shape, target, dtype))
        value, gradient = LOSS.value_and_gradient(library(scores), targets)
        # PyTorch's sigmoid may be 0 below the normal numbers
        smallest = np.finfo(dtype).tiny if library is torch.tensor else None
        assert_close_to_the_last_digits(value, values, dtype, smallest)
        assert_close_to_the_last_digits(gradient, gradients, dtype, smallest)


@both_types
@both_libraries
@pytest.mark.filterwarnings("error")
def test_the_sigmoid_has_all_its_digits_at_every_score(dtype, library):
    scores = extremes(dtype)
    with mpmath.workdps(50):
        exact = [precise_sigmoid(score) for score in scores]
    assert_close_to_the_last_digits(sigmoid(library(scores)), exact, dtype)


@given(st.floats(-1e4, 1e4), classes)
@example(-745.1332191019411, 0)
@example(-36.5, 0)
@example(36.5, 1)
def test_value_and_gradient_have_all_their_digits_at_any_score(score, target):
    with mpmath.workdps(50):
        wrong = (1 - 2 * target) * mpmath.mpf(score)
        exact = max(wrong, 0) + mpmath.log1p(mpmath.exp(-abs(wrong)))
        slope = (1 - 2 * target) * precise_sigmoid(wrong)
    value, gradient = LOSS.value_and_gradient(score, target)
    assert_close_to_the_last_digits([value], [exact], np.float64)
    assert_close_to_the_last_digits([gradient], [slope], np.float64)


@given(logits)
def test_the_sigmoid_is_that_of_scipy_and_the_softmax_over_the_score_and_zero(score):
    p = sigmoid(score)
    # below the normal numbers SciPy's may be 0
    assert p == pytest.approx(scipy.special.expit(score), rel=1e-15, abs=2.3e-308)
    pair = softmax([score, 0.0])
    assert p == pytest.approx(pair[0], rel=1e-15, abs=1e-323)
    assert sigmoid(-score) == pytest.approx(pair[1], rel=1e-15, abs=1e-323)
    assert p + sigmoid(-score) == pytest.approx(1, rel=3e-16)


@given(logits, logits)
def test_the_sigmoid_never_decreases_and_stays_between_0_and_1(a, b):
    low, high = sorted([a, b])
    assert 0 <= sigmoid(low) <= sigmoid(high) + 2e-16 <= 1 + 2e-16


@given(logits, classes)
def test_it_is_the_cross_entropy_of_two_classes_with_logits_zero_and_z(score, target):
    value, gradient = LOSS.value_and_gradient(score, target)
    both, slopes = CrossEntropy().value_and_gradient([0.0, score], target)
    assert value == pytest.approx(both, rel=1e-15, abs=1e-323)
    assert gradient == pytest.approx(slopes[1], rel=1e-15, abs=1e-323)
    assert -gradient == pytest.approx(slopes[0], rel=1e-15, abs=1e-323)


@given(arrays(np.float64, array_shapes(), elements=logits), st.data())
def test_turning_the_classes_round_turns_the_score_round(scores, data):
    targets = data.draw(arrays(np.int64, scores.shape, elements=classes))
    value, gradient = LOSS.value_and_gradient(scores, targets)
    turned, slope = LOSS.value_and_gradient(-scores, 1 - targets)
    np.testing.assert_array_equal(turned, value)
    np.testing.assert_array_equal(slope, -gradient)


@given(logits, classes)
def test_value_minus_value_of_the_other_class_is_the_score(score, target):
    difference = LOSS.value(score, 0) - LOSS.value(score, 1)
    assert difference == pytest.approx(score, rel=1e-15, abs=1e-15)
    assert np.sign(LOSS.gradient(score, target)) in (0, 1 - 2 * target)
    assert LOSS.value(score, target) >= 0
    assert abs(LOSS.gradient(score, target)) <= 1


@given(logits, logits, classes)
def test_it_is_convex_a_tangent_lies_below(score, other, target):
    value, gradient = LOSS.value_and_gradient(score, target)
    tangent = value + gradient * (other - score)
    slack = 1e-15 * (1 + abs(score) + abs(other))
    assert tangent <= LOSS.value(other, target) + 4 * slack


def test_values_and_gradients_by_hand():
    for p in (0.99, 0.9, 0.5, 0.05):
        score = math.log(p / (1 - p))
        assert sigmoid(score) == pytest.approx(p, rel=1e-14)
        assert LOSS.value(score, 1) == pytest.approx(-math.log(p), rel=1e-13)
        assert LOSS.value(score, 0) == pytest.approx(-math.log(1 - p), rel=1e-13)
        assert LOSS.gradient(score, 1) == pytest.approx(p - 1, rel=1e-13)
        assert LOSS.gradient(score, 0) == pytest.approx(p, rel=1e-13)
    assert LOSS.value_and_gradient(0, 1) == (math.log(2), -0.5)
    assert LOSS.value_and_gradient(0, 0) == (math.log(2), 0.5)
    assert sigmoid(0) == 0.5


@both_types
def test_the_sigmoid_keeps_type_kind_and_shape_and_leaves_its_argument_alone(dtype):
    scores = np.linspace(-3, 3, 24, dtype=dtype).reshape(4, 6)[::2, ::-1]
    before = scores.copy()
    scores.flags.writeable = False
    p = sigmoid(scores)
    np.testing.assert_array_equal(scores, before)
    assert p.dtype == dtype and p.shape == scores.shape
    np.testing.assert_allclose(p, scipy.special.expit(scores), rtol=2e-7)
    tensor = sigmoid(torch.tensor(before))
    assert isinstance(tensor, torch.Tensor)
    np.testing.assert_allclose(tensor.numpy(), p, rtol=4 * np.finfo(dtype).eps)
    assert tensor.numpy().dtype == dtype
    assert sigmoid(np.zeros((0, 3), dtype)).shape == (0, 3)


def test_the_sigmoid_of_numbers_and_lists_is_float64():
    for numbers in (1, 1.5, [1, -2], ([0.5],), []):
        assert sigmoid(numbers).dtype == np.float64
        assert np.shape(sigmoid(numbers)) == np.shape(numbers)


def test_autograd_runs_through_the_sigmoid_at_zero_too():
    numbers = [0.0, -0.0, 1.0, -2.0, 30.0, -30.0, 1e4, -1e4]
    scores = torch.tensor(numbers, dtype=torch.float64, requires_grad=True)
    p = sigmoid(scores)
    p.sum().backward()
    expected = [math.exp(-abs(z)) / (1 + math.exp(-abs(z))) ** 2 for z in numbers]
    np.testing.assert_allclose(scores.grad, expected, rtol=1e-14)


@pytest.mark.parametrize(
    "scores, error, message",
    [
        ([0.0, float("nan")], ValueError, r"finite, got nan at index \(1,\)"),
        (float("inf"), ValueError, r"finite, got inf at index \(\)"),
        (np.array([1]), TypeError, "float32 or float64, got int64"),
        (np.array([True]), TypeError, "float32 or float64, got bool"),
        (np.float16([1]), TypeError, "float32 or float64, got float16"),
        (torch.tensor([1]), TypeError, "float32 or float64, got torch.int64"),
        (torch.tensor([float("nan")]), ValueError, "finite, got nan"),
        ("1", TypeError, "an array or numbers, got str: '1'"),
        (None, TypeError, "an array or numbers, got NoneType"),
        ([[1.0], [1.0, 2.0]], TypeError, "an array or numbers, got list"),
        (1j, TypeError, "an array or numbers, got complex"),
    ],
)
def test_bad_scores_of_the_sigmoid_are_refused_by_name(scores, error, message):
    with pytest.raises(error, match="^scores must be " + message):
        sigmoid(scores)


def test_the_check_agrees_at_ordinary_scores():
    scores, targets = np.linspace(-8, 8, 33), np.arange(33) % 2
    reference = torch.nn.BCEWithLogitsLoss(reduction="none")
    assert check_gradient(LOSS, scores, targets, reference=reference).agrees


# The derivations


def planted(derivation, number, wrong):
    """The derivation with another expression in the line of that number, from 1."""
    lines = list(derivation.lines)
    right = lines[number - 1]
    lines[number - 1] = Line(wrong(right.expression), right.reason, right.wrt)
    return Derivation(derivation.name, lines, derivation.where)


def symbols_of(derivation):
    found = {s for e in derivation._expressions() for s in e.free_symbols}
    return {symbol.name: symbol for symbol in found}


DERIVATIONS = {"loss": LOSS.derivation(), "sigmoid": sigmoid_derivation()}
STEPS = [(n, i) for n, d in DERIVATIONS.items() for i in range(2, len(d.lines) + 1)]


@pytest.mark.parametrize("name, number", STEPS)
@pytest.mark.parametrize(
    "wrong",
    [lambda e: -e, lambda e: e + 10**-15, lambda e: 2 * e, lambda e: e * 0],
    ids=["sign", "shifted", "factor", "zero"],
)
def test_a_slip_in_any_line_is_refused_in_that_line(name, number, wrong):
    with pytest.raises(DerivationError) as caught:
        planted(DERIVATIONS[name], number, wrong).verify()
    assert caught.value.line == number


@pytest.mark.parametrize(
    "number, wrong",
    [
        (2, "p * (1 - p)"),  # half of the chain
        (2, "-(y / p) + (1 - y) / (1 - p)"),  # the other half
        (3, "-y / p + (1 - y) / (1 - p)"),  # the slope of the sigmoid forgotten
        (3, "(-(y / p) + (1 - y) / (1 - p)) * p"),
        (3, "(-(y / p) - (1 - y) / (1 - p)) * (p * (1 - p))"),
        (4, "-y * (1 - p) + (1 - y) * (1 - p)"),
        (4, "-y * p + (1 - y) * p"),
        (5, "y - p"),
        (5, "p"),
        (5, "p * (1 - p) - y"),
    ],
)
def test_the_slips_that_people_make_in_the_loss_are_refused(number, wrong):
    derivation = DERIVATIONS["loss"]
    expression = sympy.sympify(wrong, locals=symbols_of(derivation))
    with pytest.raises(DerivationError) as caught:
        planted(derivation, number, lambda _: expression).verify()
    assert caught.value.line == number


def test_every_line_of_the_derivations_is_proved():
    for derivation in DERIVATIONS.values():
        verdicts = derivation.verify()
        assert verdicts[0] == "definition"
        assert len(verdicts) == len(derivation.lines)


def test_the_derivation_of_the_sigmoid_ends_in_its_slope():
    scores = np.linspace(-20, 20, 81)
    with mpmath.workdps(50):
        slopes = [precise_sigmoid(z) * precise_sigmoid(-z) for z in scores]
    derived = sigmoid_derivation().evaluate({"z": scores})
    np.testing.assert_allclose(derived, np.array(slopes, float), atol=1e-15)
