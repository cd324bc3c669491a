"""The parts that the losses are made of."""

from dataclasses import dataclass

import mpmath
import numpy as np
import pytest
import sympy
import torch

from lossbook import linear
from lossbook.derivation import _atoms
from lossbook.losses import (
    AsymmetricLoss,
    BinaryFocalLoss,
    ClassBalancedLoss,
    CrossEntropy,
    FocalLoss,
    HuberLoss,
    LogitAdjustedLoss,
    WeightedBinaryCrossEntropy,
)
from lossbook.losses._base import Loss, of_class, one_hot, power, sign_of
from lossbook.losses.binary_classification import sigmoid_derivation
from lossbook.losses.class_balanced import effective_number_derivation
from lossbook.losses.multiclass_classification import softmax_derivation
from tests.losses.test_contract import LOSSES

both_libraries = pytest.mark.parametrize(
    "library", [np.asarray, torch.tensor], ids=["NumPy", "torch"]
)


@both_libraries
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("exponent", [0, 0.5, 1, 1.0, 2, 2.5, 3, 4, 5, 7.0])
def test_a_power_is_that_of_exact_arithmetic(library, dtype, exponent):
    base = np.array([1e-3, 0.1, 1 / 3, 0.5, 0.9, 1.0], dtype=dtype)
    with mpmath.workdps(40):
        expected = [float(mpmath.mpf(float(b)) ** exponent) for b in base]
    got = np.broadcast_to(np.asarray(power(library(base), exponent)), base.shape)
    np.testing.assert_allclose(got, expected, rtol=6 * np.finfo(dtype).eps)
    assert exponent == 0 or got.dtype == dtype


@both_libraries
def test_a_small_whole_power_of_zero_is_zero_and_the_power_zero_is_one(library):
    zero = library(np.zeros(1))
    assert [float(power(zero, exponent)[0]) for exponent in (1, 2, 3, 4)] == [0] * 4
    assert power(zero, 0) == 1.0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("exponent", [0.5, 0.01, 1.5, 5])
def test_a_power_of_almost_nothing_is_that_of_the_smallest_normal_number(
    dtype, exponent
):
    smallest = torch.finfo(dtype).smallest_normal
    base = torch.tensor([0.0, smallest / 4, smallest], dtype=dtype, requires_grad=True)
    got = power(base, exponent)
    np.testing.assert_array_equal(got.detach(), got[[2, 2, 2]].detach())
    got.sum().backward()
    assert torch.isfinite(base.grad).all()


@both_libraries
def test_a_sign_is_minus_one_zero_or_one(library):
    signs = sign_of(library(np.array([-2.5, -0.0, 0.0, 1e-300, np.inf])))
    np.testing.assert_array_equal(signs, [-1, 0, 0, 1, 1])


@both_libraries
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_number_and_the_place_of_a_class(library, dtype):
    scores = library(np.zeros((2, 2, 3), dtype=dtype))
    classes = library(np.array([[2, 0], [1, 2]], dtype=np.int8))
    numbers = of_class((0.1, 0.2, 0.3), classes, scores)
    expected = np.array([[0.3, 0.1], [0.2, 0.3]], dtype=dtype)
    np.testing.assert_array_equal(numbers, expected)
    assert numbers.dtype == scores.dtype
    places = one_hot(classes, scores)
    np.testing.assert_array_equal(places, np.eye(3)[np.asarray(classes)])


def test_a_loss_that_has_no_derivation_or_checks_says_so():
    loss, nothing = Loss(), np.zeros(1)
    for unwritten in (
        loss.derivation,
        lambda: loss._fitted(nothing, nothing),
        lambda: loss._check_targets(nothing, nothing),
    ):
        with pytest.raises(NotImplementedError):
            unwritten()


def test_a_loss_needs_either_both_halves_or_the_whole():
    @dataclass(frozen=True)
    class Whole(Loss):
        def _fitted(self, scores, targets):
            return scores, targets

        def _check_targets(self, scores, targets):
            pass

        def _value_and_gradient(self, scores, targets):
            return 2 * scores, 3 * scores

    @dataclass(frozen=True)
    class Halves(Whole):
        def _value(self, scores, targets):
            return 2 * scores

        def _gradient(self, scores, targets):
            return 3 * scores

        _value_and_gradient = Loss._value_and_gradient

    score = np.array(1.5)
    for loss in (Whole(), Halves()):
        assert loss.value(score, None) == 3.0
        assert loss.gradient(score, None) == 4.5
        assert loss.value_and_gradient(score, None) == (3.0, 4.5)


def test_the_hyper_parameters_go_by_the_names_of_the_fields():
    @dataclass(frozen=True)
    class Two(Loss):
        slope: float = 2.0
        shift: float = -1.0

    assert Two().derivation_values(None) == {"slope": 2.0, "shift": -1.0}


def test_a_loss_with_a_bad_number_of_classes_names_what_it_was_made_with():
    loss = LogitAdjustedLoss(priors=(0.5, 0.5))
    with pytest.raises(
        ValueError,
        match=r"scores must have 2 classes on the last axis, as many as priors, got \(3,\)",
    ):
        loss.value([0.0, 0.0, 0.0], 0)
    assert BinaryFocalLoss().value([0.0, 0.0, 0.0], [0, 1, 1]).shape == (3,)


def test_targets_on_another_device_are_refused():
    meta, loss = torch.zeros(2, device="meta"), BinaryFocalLoss()
    match = "targets must be on the device of scores, cpu, got meta"
    with pytest.raises(ValueError, match=match):
        loss.value(torch.zeros(2), meta)


# what the notation page says of these letters; every other one is any real number
POSITIVE = {"C", "D", "N", "n", "alpha_0", "alpha_1", "delta", "omega", "pi"}
NOT_NEGATIVE = {"beta", "gamma", "gamma_neg", "gamma_pos", "m", "tau", "xi"}
DERIVATIONS = [
    *(loss.derivation for loss in LOSSES),
    ClassBalancedLoss(BinaryFocalLoss(alpha=None), (9, 1)).derivation,
    *(sigmoid_derivation, softmax_derivation, effective_number_derivation),
    linear.derivation,
]


@pytest.mark.parametrize("derivation", DERIVATIONS)
def test_a_letter_stands_for_the_same_numbers_in_every_derivation(derivation):
    made = derivation()
    letters = [made.name, *_atoms(made._expressions(), sympy.Symbol)]
    letters += _atoms(made._expressions(), sympy.IndexedBase)
    for letter in letters:
        name = str(letter)
        if name == "alpha" and isinstance(letter, sympy.Symbol):
            continue  # a weight of any size, or the balance of the focal loss from 0 to 1
        if name in map(str, _atoms(made._expressions(), sympy.Idx)):
            continue  # its range says what it is
        assumed = (letter.is_real, letter.is_nonnegative, letter.is_positive)
        positive = name in POSITIVE or name == "alpha"
        not_negative = positive or name in NOT_NEGATIVE
        assert assumed == (True, not_negative or None, positive or None), name
        assert letter.is_integer or name not in ("C", "D", "N", "n")


@pytest.mark.parametrize(
    "make",
    [
        lambda: BinaryFocalLoss(gamma=np.int64(2), alpha=np.float16(0.5)),
        lambda: FocalLoss(gamma=np.int64(2)),
        lambda: AsymmetricLoss(np.int64(1), np.int64(2), np.float16(0.5)),
        lambda: ClassBalancedLoss(CrossEntropy(), [3, 1], beta=np.float16(0.5)),
        lambda: LogitAdjustedLoss([0.5, 0.5], tau=np.float16(1)),
        lambda: CrossEntropy(label_smoothing=np.float16(0.5)),
        lambda: HuberLoss(delta=np.int64(2)),
        lambda: WeightedBinaryCrossEntropy(np.int64(2), np.int64(3)),
    ],
)
@pytest.mark.filterwarnings("error")
def test_a_number_of_any_type_is_kept_as_a_float(make):
    loss = make()
    numbers = [v for v in vars(loss).values() if not isinstance(v, tuple | Loss | None)]
    assert numbers and {type(number) for number in numbers} == {float}
