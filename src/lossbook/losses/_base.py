"""What all losses share: the contract, and the checks of what comes in."""

from dataclasses import dataclass, fields
from functools import reduce
from operator import mul

import numpy as np

from lossbook._validation import (
    array_namespace,
    as_array,
    float_array,
    refuse_where,
    require_finite,
)


@dataclass(frozen=True)
class Loss:
    """The contract of a loss: value and gradient from raw scores, never averaged.

    A loss defines `_value` and `_gradient` on arrays that were checked, or
    `_value_and_gradient` where the two share work; and `derivation`.
    """

    def value(self, scores, targets):
        """The loss of each sample, not averaged, in nats or in squared or plain target
        units."""
        return self._value(*self._checked(scores, targets))

    def gradient(self, scores, targets):
        """d value / d scores, of the shape and type of ``scores``."""
        return self._gradient(*self._checked(scores, targets))

    def value_and_gradient(self, scores, targets):
        """Both, ``(value, gradient)``, sharing the work."""
        return self._value_and_gradient(*self._checked(scores, targets))

    def derivation(self):
        """The `lossbook.derivation.Derivation` whose last line is what `gradient`
        computes."""
        raise NotImplementedError

    def derivation_values(self, targets):
        """The hyper-parameters by the names that the symbols of `derivation` have, for
        these targets."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def _value(self, scores, targets):
        return self._value_and_gradient(scores, targets)[0]

    def _gradient(self, scores, targets):
        return self._value_and_gradient(scores, targets)[1]

    def _value_and_gradient(self, scores, targets):
        return self._value(scores, targets), self._gradient(scores, targets)

    def _checked(self, scores, targets):
        scores = require_finite(float_array(scores, "scores"), "scores")
        scores, targets = self._fitted(scores, targets)
        self._check_targets(scores, targets)
        return scores, targets

    def _fitted(self, scores, targets):
        """Both as arrays of one library whose shapes and types fit; no value is read."""
        raise NotImplementedError

    def _check_targets(self, scores, targets):
        """Refuse a target whose value is not allowed."""
        raise NotImplementedError


class RegressionLoss(Loss):
    """An elementwise loss of real targets.

    scores, targets: arrays of any one shape (NumPy arrays or PyTorch tensors), in
        target units. float32 or float64 is kept; Python numbers and lists become
        float64 arrays. Targets are converted to the type of the scores.
    value, gradient: arrays of that shape.

    Raises TypeError when the scores are an array of another type or the two come from
    different libraries, ValueError when the shapes differ or a number is NaN or
    infinite.
    """

    def _fitted(self, scores, targets):
        return _elementwise(scores, targets)

    def _check_targets(self, scores, targets):
        require_finite(targets, "targets")


class BinaryLoss(Loss):
    """An elementwise loss of 0/1 targets, for logits.

    scores: logits of any shape; kinds and types of arrays as in `RegressionLoss`.
    targets: 0 or 1, of the shape of the scores, of any real or boolean type.
    value, gradient: arrays of that shape, in nats, and in nats per unit of the logit.

    Raises TypeError as `RegressionLoss` does, ValueError when the shapes differ, a score
    is NaN or infinite, or a target is neither 0 nor 1.
    """

    def _fitted(self, scores, targets):
        return _elementwise(scores, targets)

    def _check_targets(self, scores, targets):
        refuse_where((targets != 0) & (targets != 1), targets, "targets", "be 0 or 1")


class SoftmaxLoss(Loss):
    """A loss of class targets, for the logits of C classes.

    scores: logits (..., C); kinds and types of arrays as in `RegressionLoss`.
    targets: integers (...), each from 0 to C - 1.
    value: (...), in nats. gradient: (..., C), in nats per unit of the logit.

    Raises TypeError as `RegressionLoss` does, or when the targets are not integers;
    ValueError when the shapes do not fit, a score is NaN or infinite, or a target is
    none of the classes.
    """

    def _fitted(self, scores, targets):
        scores = float_array(scores, "scores", axis_of_classes=True)
        for name, numbers in self._per_class().items():
            require_classes(scores, scores.shape[-1], numbers, name)
        if isinstance(targets, list | tuple) and not targets:
            xp = array_namespace(scores)
            targets = xp.zeros(0, dtype=xp.int64, device=scores.device)
        scores, targets = matching_arrays(scores, targets)
        if not array_namespace(targets).isdtype(targets.dtype, "integral"):
            raise TypeError(f"targets must be integer classes, got {targets.dtype}")
        if targets.shape != scores.shape[:-1]:
            raise ValueError(
                f"targets must have the shape of scores without its last axis, "
                f"{tuple(scores.shape[:-1])}, got {tuple(targets.shape)}"
            )
        return scores, targets

    def _check_targets(self, scores, targets):
        n_classes = scores.shape[-1]
        outside = (targets < 0) | (targets >= n_classes)
        expected = f"be classes from 0 to {n_classes - 1}"
        refuse_where(outside, targets, "targets", expected)

    def _per_class(self):
        """The hyper-parameters with an entry for each class, by name."""
        return {}


def matching_arrays(scores, targets):
    """(scores, targets), with targets a real array of the library and device of the
    scores; numbers and lists become one."""
    xp, came = array_namespace(scores), targets
    targets = as_array(came, "targets", None)
    if targets is not came:
        targets = xp.asarray(targets, device=scores.device)
    if array_namespace(targets) is not xp:
        raise TypeError(
            f"targets must be the same kind of array as scores, {type(scores)}, "
            f"got {type(targets)}"
        )
    if targets.device != scores.device:
        raise ValueError(
            f"targets must be on the device of scores, {scores.device}, "
            f"got {targets.device}"
        )
    if not xp.isdtype(targets.dtype, ("bool", "integral", "real floating")):
        raise TypeError(f"targets must be real numbers, got {targets.dtype}")
    return scores, targets


def _elementwise(scores, targets):
    """Both as arrays of one shape, the targets in the type of the scores."""
    scores, targets = matching_arrays(float_array(scores, "scores"), targets)
    if scores.shape != targets.shape:
        raise ValueError(
            f"targets must have the shape of scores, {tuple(scores.shape)}, "
            f"got {tuple(targets.shape)}"
        )
    return scores, array_namespace(scores).astype(targets, scores.dtype, copy=False)


def require_classes(scores, n_classes, numbers, name, what="scores"):
    """Refuse scores, or what they are called, whose classes are not as many as the
    numbers called ``name``."""
    if n_classes != len(numbers):
        raise ValueError(
            f"{what} must have {len(numbers)} classes on the last axis, as many as "
            f"{name}, got {tuple(scores.shape)}"
        )


def one_hot(classes, scores):
    """A boolean array of the shape of the scores (..., C): is it this class?"""
    xp = array_namespace(scores)
    every = xp.arange(scores.shape[-1], device=scores.device)
    return every == classes[..., None]


def with_entry(array, classes, numbers):
    """The array (..., C), with the entry of each class replaced by the numbers (..., 1)."""
    if hasattr(array, "scatter"):  # a tensor; half as many passes over the memory
        return array.scatter(-1, classes[..., None], numbers)
    return np.where(one_hot(classes, array), numbers, array)


def of_class(numbers, classes, scores):
    """The entry of each class in a sequence with one for each, in the type of the
    scores and the shape of the classes."""
    xp = array_namespace(scores)
    table = xp.asarray(numbers, dtype=scores.dtype, device=scores.device)
    return table[xp.astype(classes, xp.int64, copy=False)]


def sign_of(numbers):
    """-1, 0 or 1. For tensors it is PyTorch's own, without the extra passes over the
    memory in which array_api_compat looks for NaN."""
    if hasattr(numbers, "sign"):
        return numbers.sign()
    return array_namespace(numbers).sign(numbers)


def power(base, exponent):
    """``base ** exponent`` of numbers from 0 to 1, with 0 ** 0 = 1.

    Small whole exponents are multiplied out, which is several times faster. For others a
    base below the normal numbers counts as the smallest of them, so that autograd meets
    no infinite slope.
    """
    if exponent == 0:
        return 1.0
    if exponent in (1, 2, 3):
        return reduce(mul, int(exponent) * [base])
    if exponent == 4:
        return power(power(base, 2), 2)
    xp = array_namespace(base)
    return xp.clip(base, float(xp.finfo(base.dtype).smallest_normal), None) ** exponent
