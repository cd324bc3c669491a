"""What all losses share: the contract, and the checks of what comes in."""

from dataclasses import dataclass

from array_api_compat import array_namespace, is_array_api_obj

from lossbook._validation import as_array, require_finite


@dataclass(frozen=True)
class Loss:
    """The contract of a loss: value and gradient from raw scores, never averaged.

    A loss defines `_value` and `_gradient` on arrays that were checked, and
    `derivation`; where the two share work it overrides `_value_and_gradient`.
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

    def _value_and_gradient(self, scores, targets):
        return self._value(scores, targets), self._gradient(scores, targets)

    def _checked(self, scores, targets):
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

    def _checked(self, scores, targets):
        xp, scores, targets = matching_arrays(scores, targets)
        if scores.shape != targets.shape:
            raise ValueError(
                f"targets must have the shape of scores, {tuple(scores.shape)}, got {tuple(targets.shape)}"
            )
        return scores, require_finite(xp.astype(targets, scores.dtype), "targets")


def matching_arrays(scores, targets):
    """(namespace, scores, targets): scores floating and finite, targets an array of the
    same library and device."""
    scores = as_array(scores, "scores")
    xp = array_namespace(scores)
    if not xp.isdtype(scores.dtype, (xp.float32, xp.float64)):
        raise TypeError(f"scores must be float32 or float64, got {scores.dtype}")
    if not is_array_api_obj(targets):
        targets = xp.asarray(as_array(targets, "targets"), device=scores.device)
    if array_namespace(targets) is not xp:
        raise TypeError(
            f"targets must be the same kind of array as scores, {type(scores)}, got {type(targets)}"
        )
    if not xp.isdtype(targets.dtype, ("bool", "integral", "real floating")):
        raise TypeError(f"targets must be real numbers, got {targets.dtype}")
    return xp, require_finite(scores, "scores"), targets
