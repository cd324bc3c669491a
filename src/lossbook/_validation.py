"""Checks of what comes in, shared by the modules: each names the argument, what was
expected and what came."""

import math
from numbers import Integral, Real

import array_api_compat
import numpy as np


class NotFiniteError(ValueError):
    """An array that must be finite holds NaN or infinity."""


def is_array(values):
    """Whether ``values`` is an array of NumPy, PyTorch or another library of the array
    API."""
    return _is_tensor(values) or array_api_compat.is_array_api_obj(values)


def array_namespace(*arrays):
    """That of ``array_api_compat``, which keeps its answers where torch.compile cannot
    follow; so PyTorch's is looked up without it."""
    if all(map(_is_tensor, arrays)):
        from array_api_compat import torch

        return torch
    return array_api_compat.array_namespace(*arrays)


def _is_tensor(values):
    return type(values).__module__.partition(".")[0] == "torch"


def as_array(values, name, dtype=np.float64):
    """``values`` as it is when it is an array, else as a NumPy array of ``dtype`` (None:
    of the type that the numbers have); TypeError naming the argument."""
    if is_array(values):
        return values
    came = f"{type(values).__name__}: {values!r:.60}"
    try:
        array = np.asarray(values)
    except ValueError:  # rows of different lengths
        raise TypeError(f"{name} must be an array or numbers, got {came}") from None
    if array.dtype.kind not in "buif":
        raise TypeError(f"{name} must be an array or numbers, got {came}")
    return array.astype(dtype or array.dtype)


def as_list(values, name):
    """``values`` as a list; TypeError naming the argument when it is no sequence."""
    try:
        return list(values)
    except TypeError:
        raise TypeError(f"{name} must be a sequence, got {values!r:.60}") from None


def finite_floats(values, name, ndim=None):
    """``values`` as a finite float array of ``ndim`` dimensions; a NumPy array of other
    numbers becomes float64."""
    array = as_array(values, name)
    xp = array_namespace(array)
    if not xp.isdtype(array.dtype, "real floating"):
        if not xp.isdtype(array.dtype, ("integral", "bool")):
            raise TypeError(f"{name} must be real numbers, got {array.dtype}")
        array = xp.astype(array, xp.float64)
    if ndim is not None and array.ndim != ndim:
        raise ValueError(
            f"{name} must have {ndim} dimension(s), got shape {tuple(array.shape)}"
        )
    return require_finite(array, name)


def floats_of_shape(values, name, shape):
    """`finite_floats` of exactly that shape; ValueError naming it otherwise."""
    array = finite_floats(values, name)
    if tuple(array.shape) != tuple(shape):
        raise ValueError(
            f"{name} must have shape {tuple(shape)}, got {tuple(array.shape)}"
        )
    return array


def floating(values, name, axis_of_classes=False):
    """`float_array`, and finite."""
    return require_finite(float_array(values, name, axis_of_classes), name)


def float_array(values, name, axis_of_classes=False):
    """``values`` as a float32 or float64 array, with an axis of classes if asked; Python
    numbers and lists become float64."""
    array = as_array(values, name)
    xp = array_namespace(array)
    if not xp.isdtype(array.dtype, (xp.float32, xp.float64)):
        raise TypeError(f"{name} must be float32 or float64, got {array.dtype}")
    if axis_of_classes and (array.ndim == 0 or array.shape[-1] == 0):
        raise ValueError(f"{name} must have shape (..., C), got {tuple(array.shape)}")
    return array


def require_finite(array, name):
    """``array`` itself; `NotFiniteError` naming the first entry that is NaN or
    infinite."""
    infinite = ~array_namespace(array).isfinite(array)
    refuse_where(infinite, array, name, "be finite", NotFiniteError)
    return array


def refuse_where(wrong, array, name, expected, error=ValueError):
    """Raise ``error`` naming the first entry of ``array`` where ``wrong`` is true."""
    if bool(array_namespace(wrong).any(wrong)):
        where = tuple(np.argwhere(np.asarray(wrong.tolist()))[0].tolist())
        raise error(f"{name} must {expected}, got {array[where]} at index {where}")


def require_positive(value, name):
    """``value`` as a float; TypeError or ValueError naming it when it is not a positive
    finite number."""
    if require_number(value, name) <= 0:
        raise ValueError(f"{name} must be positive, got {value}")
    return float(value)


def require_not_negative(value, name):
    """``value`` as a float; TypeError or ValueError naming it when it is not a finite
    number of at least 0."""
    if require_number(value, name) < 0:
        raise ValueError(f"{name} must not be negative, got {value}")
    return float(value)


def require_positives(values, name):
    """One number a class, as a tuple of floats; TypeError or ValueError naming the first
    that is not positive and finite."""
    if is_array(values):
        values = values.tolist()
    numbers = as_list(values, name)
    if not numbers:
        raise ValueError(f"{name} must hold a number for each class, got none")
    return tuple(require_positive(x, f"{name}[{c}]") for c, x in enumerate(numbers))


def require_number(value, name):
    """``value`` as a float; TypeError or ValueError naming it when it is not a finite
    number."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(
            f"{name} must be a number, got {type(value).__name__}: {value!r:.60}"
        )
    if not math.isfinite(value):
        raise ValueError(f"{name} must be finite, got {value}")
    return float(value)


def require_count(value, name, minimum=1):
    """``value`` as an int; TypeError or ValueError naming it when it is not an integer
    of at least ``minimum``."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(
            f"{name} must be an integer, got {type(value).__name__}: {value!r:.60}"
        )
    if value < minimum:
        raise ValueError(f"{name} must be at least {minimum}, got {value}")
    return int(value)


def require_words(words, name, n_words, shape):
    """``words`` as an integer NumPy array of ``shape``, where a letter or None stands for
    any length; TypeError or ValueError naming it when they are not words from 0 to
    ``n_words - 1``."""
    words = np.asarray(words)
    if words.dtype.kind not in "iu":
        raise TypeError(f"{name} must be integers, got {words.dtype}")
    fits = words.ndim == len(shape) and all(
        not isinstance(expected, int) or expected == length
        for expected, length in zip(shape, words.shape, strict=True)
    )
    if not fits:
        expected = ", ".join("any" if n is None else str(n) for n in shape)
        raise ValueError(f"{name} must have shape ({expected}), got {words.shape}")
    outside = (words < 0) | (words >= n_words)
    refuse_where(outside, words, name, f"be words from 0 to {n_words - 1}")
    return words
