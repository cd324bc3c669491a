"""Entropy, cross-entropy and the Kullback-Leibler divergence of distributions.

Written H(q), H(q, p) and KL(q || p), with q the distribution that the data come from (the
target) and p the one that is believed (the model's).
"""

import math

from lossbook._validation import (
    array_namespace,
    floating,
    refuse_where,
    require_choice,
)

UNITS = {"nats": 1.0, "bits": math.log(2)}


def entropy(q, *, unit="nats"):
    """H(q), the mean surprise of one who knows q: the sum of -q log q over the last axis.

    q: probabilities (..., C) that sum to one. unit: "nats" (natural logarithm) or "bits"
        (base 2). Returns (...). An impossible outcome, q = 0, adds nothing.

    Raises TypeError when q is not floating-point, ValueError when its entries are not
    probabilities that sum to one, or when the unit is another.

    Source: Shannon (1948), section 6.
    """
    return cross_entropy(q, q, unit=unit)


def cross_entropy(q, p, *, unit="nats"):
    """H(q, p), the mean surprise of one who believes p where q is true: -sum q log p.

    q, p: probabilities (..., C) of the same shape that sum to one. unit: as in `entropy`.
    Returns (...): infinite where p rules out what q allows, 0 log 0 being 0.

    Raises as `entropy` does, for either argument, and ValueError when the shapes differ.
    """
    q, p = _distribution(q, "q"), _distribution(p, "p")
    if array_namespace(q) is not array_namespace(p):
        raise TypeError(
            f"p must be the same kind of array as q, {type(q)}, got {type(p)}"
        )
    if q.shape != p.shape:
        raise ValueError(
            f"p must have the shape of q, {tuple(q.shape)}, got {tuple(p.shape)}"
        )
    require_choice(unit, "unit", UNITS)
    xp = array_namespace(q)
    possible = q > 0
    reachable = xp.where(possible & (p > 0), p, 1)
    surprise = xp.where(possible & (p == 0), math.inf, -xp.log(reachable))
    return (
        xp.sum(xp.where(possible, q, 1) * xp.where(possible, surprise, 0), axis=-1)
        / UNITS[unit]
    )


def kl_divergence(q, p, *, unit="nats"):
    """KL(q || p) = H(q, p) - H(q), the surprise that the wrong belief adds: 0 or more.

    Arguments, shapes, units and errors as in `cross_entropy`.

    Source: Kullback and Leibler (1951), the mean information for discrimination.
    """
    q, p = _distribution(q, "q"), _distribution(p, "p")
    difference = cross_entropy(q, p, unit=unit) - entropy(q, unit=unit)
    return array_namespace(difference).clip(difference, 0, None)  # rounding only


def _distribution(values, name):
    array = floating(values, name, axis_of_classes=True)
    xp = array_namespace(array)
    refuse_where((array < 0) | (array > 1), array, name, "be probabilities from 0 to 1")
    total = xp.sum(array, axis=-1)
    allowed = 8 * float(xp.finfo(array.dtype).eps) * array.shape[-1]
    refuse_where(
        xp.abs(total - 1) > allowed, total, name, "sum to one over its last axis"
    )
    return array
