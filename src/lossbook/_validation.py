"""Checks of what comes in, shared by the modules: each names the argument, what was
expected and what came."""

import math
from collections.abc import Iterable, Mapping
from numbers import Integral, Real

import array_api_compat
import numpy as np

LARGEST = 1e30  # of a factor, so that float32 holds what it is multiplied with
LARGEST_COUNT = 2**63 - 1


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
    # PyTorch's types and modules come from there too, and have no such attribute
    torch = type(values).__module__.partition(".")[0] == "torch"
    return torch and hasattr(values, "grad_fn")


def as_array(values, name, dtype=np.float64):
    """``values`` as it is when it is an array, else as a NumPy array of ``dtype`` (None:
    of the type that the numbers have); TypeError naming the argument."""
    if is_array(values):
        if _is_dense(values):
            return values
        raise TypeError(f"{name} must be a plain, dense array, got {_what(values)}")
    try:
        array = np.asarray(values)
    except Exception:  # rows of different lengths; or what its own methods raise
        array = np.asarray(None)
    if array.dtype.kind not in "buif":
        raise TypeError(f"{name} must be an array or numbers, got {_what(values)}")
    return array.astype(dtype or array.dtype)


def _is_dense(array):
    """Whether an array has one number in each place, and none hidden."""
    if _is_tensor(array):
        sparse = array.is_sparse or array.is_sparse_csr
        return not (sparse or array.is_nested or array.is_quantized)
    return array.dtype.names is None and not isinstance(array, np.ma.MaskedArray)


def as_list(values, name):
    """``values`` as a list; TypeError naming the argument when it is no sequence."""
    try:
        if isinstance(values, Iterable) and not isinstance(
            values, str | bytes | dict | set
        ):
            return list(values)
    except Exception:  # what its own methods raise
        pass
    raise TypeError(f"{name} must be a sequence, got {_what(values)}")


def require_list(values, name):
    """``values`` itself; TypeError naming it when it is not a list or a tuple, which can
    be read more than once."""
    return require_instance(values, name, list | tuple, "a list or a tuple")


def as_numpy(values, name):
    """``values`` as a NumPy array of the numbers that came; TypeError naming the
    argument."""
    array = as_array(values, name, dtype=None)
    try:
        array = array.detach().cpu().numpy() if _is_tensor(array) else np.asarray(array)
    except (NotImplementedError, RuntimeError, TypeError):  # bfloat16, or no numbers
        array = np.asarray(None)
    if array.dtype.kind not in "buif":
        raise TypeError(f"{name} must be an array or numbers, got {_what(values)}")
    return array


def float_numpy(values, name, ndim=None):
    """``values`` as a finite float64 NumPy array of ``ndim`` dimensions."""
    array = finite_floats(as_numpy(values, name), name, ndim)
    return array.astype(np.float64, copy=False)


def require_one_kind(arrays):
    """Refuse arrays, by name, of which one is of another library than the first; tensors
    must have its type too, since PyTorch multiplies no others."""
    (first, expected), *others = arrays.items()
    for name, array in others:
        if _is_tensor(expected) != _is_tensor(array):
            raise TypeError(
                f"{name} must be the same kind of array as {first}, {type(expected)}, "
                f"got {type(array)}"
            )
        if _is_tensor(array) and array.dtype != expected.dtype:
            raise TypeError(
                f"{name} must be {expected.dtype}, as {first}, got {array.dtype}"
            )


def require_writeable(array, name):
    """Refuse a NumPy array that a step in place could not change."""
    if not array.flags.writeable:
        raise ValueError(f"{name} must be writeable, got a read-only array")


def numpy_gradient(score_gradient, shape, parameters):
    """A gradient in the scores as floats of that shape; TypeError where it, or one of the
    parameters by name, is a tensor, since NumPy adds up the rows."""
    for name, array in {**parameters, "score_gradient": score_gradient}.items():
        if _is_tensor(array):
            raise TypeError(f"{name} must be a NumPy array for this, got {type(array)}")
    return floats_of_shape(score_gradient, "score_gradient", shape)


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
    if getattr(array, "is_meta", False):
        raise ValueError(f"{name} must hold numbers, got a tensor on the device meta")
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


def require_factor(value, name):
    """`require_positive` of a number that others are multiplied by: at most `LARGEST`."""
    return require_at_most(require_positive(value, name), name, LARGEST)


def require_at_most(value, name, most):
    """``value`` itself; ValueError naming it when it is larger."""
    if value > most:
        raise ValueError(f"{name} must be at most {most}, got {value}")
    return value


def require_not_negative(value, name, most=math.inf):
    """``value`` as a float; TypeError or ValueError naming it when it is not a finite
    number of at least 0, or more than ``most``."""
    number = require_number(value, name)
    if number < 0:
        raise ValueError(f"{name} must not be negative, got {value}")
    return require_at_most(number, name, most)


def require_positives(values, name):
    """One number a class, as a tuple of floats; TypeError or ValueError naming the first
    that is not positive and at most `LARGEST`."""
    if is_array(values):
        values = as_numpy(values, name).tolist()
    numbers = as_list(values, name)
    if not numbers:
        raise ValueError(f"{name} must hold a number for each class, got none")
    return tuple(require_factor(x, f"{name}[{c}]") for c, x in enumerate(numbers))


def require_number(value, name):
    """``value`` as a float; TypeError or ValueError naming it when it is not a finite
    number."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a number, got {_what(value)}")
    try:
        number = float(value)
    except OverflowError:  # an integer beyond all floats
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(f"{name} must be finite, got {number}")
    return number


def require_count(value, name, minimum=1):
    """``value`` as an int; TypeError or ValueError naming it when it is not an integer
    of at least ``minimum``, or more than an int64 holds."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"{name} must be an integer, got {_what(value)}")
    if value < minimum:
        raise ValueError(f"{name} must be at least {minimum}, got {value}")
    return int(require_at_most(value, name, LARGEST_COUNT))


def require_flag(value, name):
    """``value`` as a bool; TypeError naming it when it is another thing that could be
    taken for one."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be True or False, got {_what(value)}")
    return bool(value)


def require_choice(value, name, choices):
    """``value`` itself; ValueError naming it when it is none of the choices, strings."""
    if not isinstance(value, str) or value not in choices:
        raise ValueError(
            f"{name} must be one of {', '.join(choices)}, got {value!r:.60}"
        )
    return value


def require_text(value, name):
    """``value`` itself; TypeError naming it when it is not a string."""
    return require_instance(value, name, str, "text")


def require_instance(value, name, kind, called):
    """``value`` itself; TypeError naming it when it is not of that class."""
    if not isinstance(value, kind):
        raise TypeError(f"{name} must be {called}, got {_what(value)}")
    return value


def require_able(value, name, called, *attributes):
    """``value`` itself; TypeError naming it when it is a class, or does not have the
    attributes that make it what it is called."""
    if isinstance(value, type) or not all(hasattr(value, a) for a in attributes):
        raise TypeError(
            f"{name} must be {called}, with {' and '.join(attributes)}, "
            f"got {_what(value)}"
        )
    return value


def require_callable(value, name):
    """``value`` itself; TypeError naming it when it is not a function or the like."""
    return require_able(value, name, "a function", "__call__")


def require_filled(value, name):
    """`require_dict`; ValueError naming it when it has no entry."""
    if not require_dict(value, name):
        raise ValueError(f"{name} must hold at least one entry, got none")
    return value


def require_dict(value, name, of="values"):
    """``value`` itself; TypeError naming it when it is not a dict by strings."""
    if not isinstance(value, Mapping) or not all(isinstance(k, str) for k in value):
        raise TypeError(f"{name} must be a dict of names and {of}, got {_what(value)}")
    return value


def require_rng(value, name):
    """``value``, a NumPy Generator, or a new one from an integer of at least 0; TypeError
    or ValueError naming it when it is neither."""
    if isinstance(value, np.random.Generator):
        return value
    if isinstance(value, Integral):
        return np.random.default_rng(require_count(value, name, minimum=0))
    raise TypeError(
        f"{name} must be a NumPy Generator or an integer, got {_what(value)}"
    )


def require_integers(values, name, shape):
    """``values`` as an integer NumPy array of ``shape``, where a letter or None stands for
    any length; TypeError or ValueError naming it otherwise."""
    values = as_numpy(values, name)
    if values.dtype.kind not in "iu":
        raise TypeError(f"{name} must be integers, got {values.dtype}")
    fits = values.ndim == len(shape) and all(
        not isinstance(expected, int) or expected == length
        for expected, length in zip(shape, values.shape, strict=True)
    )
    if not fits:
        expected = ", ".join("any" if n is None else str(n) for n in shape)
        raise ValueError(f"{name} must have shape ({expected}), got {values.shape}")
    return values


def require_words(words, name, n_words, shape):
    """`require_integers` that are words from 0 to ``n_words - 1``; ValueError naming the
    first that is not."""
    words = require_integers(words, name, shape)
    outside = (words < 0) | (words >= n_words)
    refuse_where(outside, words, name, f"be words from 0 to {n_words - 1}")
    return words


def require_corpus(corpus):
    """``corpus`` itself; TypeError or ValueError naming it, or the part of it, when it is
    no `lossbook.corpora.Corpus` of words and their sentences."""
    from lossbook.corpora import Corpus

    require_instance(corpus, "corpus", Corpus, "a Corpus")
    n_words = len(as_list(corpus.vocabulary, "corpus.vocabulary"))
    words = require_words(corpus.words, "corpus.words", n_words, ("N",))
    require_integers(corpus.sentences, "corpus.sentences", words.shape)
    return corpus


def require_table(counts, n_words=None, name="counts"):
    """A sparse or dense table of finite numbers (V, V) as a sparse ``coo_array``."""
    from scipy.sparse import coo_array, issparse

    if not issparse(counts):
        counts = float_numpy(counts, name, ndim=2)
    shape = 2 * (counts.shape[0] if n_words is None else n_words,)
    if counts.shape != shape:
        raise ValueError(f"{name} must have shape {shape}, got {counts.shape}")
    table = coo_array(counts)
    finite_floats(table.data, name)
    return table


def require_float_type(dtype):
    """``dtype`` as float32 or float64; TypeError naming it otherwise."""
    try:
        found = np.dtype(dtype)
    except Exception:  # what NumPy says of it names no argument
        found = None
    if dtype is None or found not in (np.float32, np.float64):
        raise TypeError(f"dtype must be float32 or float64, got {dtype!r:.60}")
    return found


def _what(value):
    """A value for an error: its type and how it begins."""
    return f"{type(value).__name__}: {value!r:.60}"
