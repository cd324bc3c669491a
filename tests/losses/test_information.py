"""Entropy, cross-entropy and divergence: against sums written out, against SciPy, and
the laws that hold for every distribution."""

import math

import mpmath
import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from lossbook.losses import (
    CrossEntropy,
    cross_entropy,
    entropy,
    kl_divergence,
    log_softmax,
    softmax,
)

weights = st.one_of(st.just(0.0), st.floats(1e-6, 1))
two_of_one = pytest.mark.parametrize("function", [cross_entropy, kl_divergence])


@st.composite
def distributions(draw, number=2, positive=False):
    """Distributions over 1 to 6 outcomes, some of them impossible unless ``positive``."""
    size = draw(st.integers(1, 6))
    found = []
    for _ in range(number):
        entries = st.floats(1e-6, 1) if positive else weights
        w = np.array(draw(st.lists(entries, min_size=size, max_size=size)))
        assume(w.sum() > 0)
        found.append(w / w.sum())
    return found


def summed(q, p):
    """H(q, p) to 50 digits, term by term, from the definition."""
    with mpmath.workdps(50):
        terms = [
            mpmath.inf if b == 0 else -mpmath.mpf(a) * mpmath.log(mpmath.mpf(b))
            for a, b in zip(q.tolist(), p.tolist(), strict=True)
            if a > 0
        ]
        return mpmath.fsum(terms)


@given(distributions())
def test_they_are_the_sums_of_the_definition(qp):
    q, p = qp
    for unit, log in {"nats": 1, "bits": mpmath.log(2)}.items():
        expected = {
            entropy(q, unit=unit): summed(q, q) / log,
            cross_entropy(q, p, unit=unit): summed(q, p) / log,
            kl_divergence(q, p, unit=unit): (summed(q, p) - summed(q, q)) / log,
        }
        for ours, exact in expected.items():
            assert ours == pytest.approx(float(exact), rel=1e-14, abs=2e-15)


@given(distributions())
def test_they_are_those_of_scipy(qp):
    q, p = qp
    for unit, base in {"nats": None, "bits": 2}.items():
        np.testing.assert_allclose(
            entropy(q, unit=unit), scipy.stats.entropy(q, base=base), atol=2e-15
        )
        np.testing.assert_allclose(
            kl_divergence(q, p, unit=unit),
            scipy.stats.entropy(q, p, base=base),
            rtol=1e-13,
            atol=4e-15,
        )


@given(distributions())
def test_the_wrong_belief_costs_the_entropy_and_the_divergence(qp):
    q, p = qp
    for unit in ("nats", "bits"):
        total = entropy(q, unit=unit) + kl_divergence(q, p, unit=unit)
        np.testing.assert_allclose(
            cross_entropy(q, p, unit=unit), total, rtol=1e-14, atol=1e-14
        )


@given(distributions())
def test_the_divergence_is_never_negative_and_zero_for_the_same_distribution_alone(qp):
    q, p = qp
    assert kl_divergence(q, q) == 0
    assert cross_entropy(q, q) == entropy(q)
    distance = np.abs(q - p).sum()
    # Pinsker's inequality: how far apart they are bounds the divergence from below
    assert kl_divergence(q, p) >= max(0, distance**2 / 2 - 1e-14)
    if distance > 1e-6:
        assert kl_divergence(q, p) > 0


@given(distributions(number=1))
def test_the_entropy_lies_between_zero_and_that_of_the_uniform_distribution(q):
    (q,) = q
    even = np.full(len(q), 1 / len(q))
    assert -1e-15 <= entropy(q) <= math.log(len(q)) + 1e-14
    assert entropy(even) == pytest.approx(math.log(len(q)), rel=1e-15)
    assert kl_divergence(q, even) == pytest.approx(
        math.log(len(q)) - entropy(q), abs=1e-14
    )


@given(distributions())
def test_a_bit_is_log_2_nats(qp):
    q, p = qp
    for function, arguments in (
        (entropy, (q,)),
        (cross_entropy, (q, p)),
        (kl_divergence, (q, p)),
    ):
        nats = function(*arguments)
        assert function(*arguments, unit="nats") == nats
        np.testing.assert_allclose(
            function(*arguments, unit="bits"),
            nats / math.log(2),
            rtol=1e-15,
            atol=2e-15,
        )


@given(distributions(), st.randoms(use_true_random=False))
def test_the_order_of_the_outcomes_does_not_matter_and_impossible_ones_add_nothing(
    qp, random
):
    q, p = qp
    order = random.sample(range(len(q)), len(q))
    for function in (cross_entropy, kl_divergence):
        value = function(q, p)
        for other in ((q[order], p[order]), (np.append(q, 0), np.append(p, 0))):
            np.testing.assert_allclose(function(*other), value, rtol=1e-14, atol=2e-15)


@given(distributions(number=3, positive=True), st.floats(0, 1))
def test_cross_entropy_is_linear_in_what_is_true_and_entropy_concave(three, share):
    a, b, p = three
    mixed = share * a + (1 - share) * b
    assert cross_entropy(mixed, p) == pytest.approx(
        share * cross_entropy(a, p) + (1 - share) * cross_entropy(b, p), abs=1e-13
    )
    apart = share * entropy(a) + (1 - share) * entropy(b)
    assert entropy(mixed) >= apart - 1e-14


@given(distributions(number=2, positive=True))
def test_independent_outcomes_add_their_entropies(qp):
    q, p = qp
    assert entropy(np.outer(q, p).ravel()) == pytest.approx(
        entropy(q) + entropy(p), abs=1e-13
    )


@given(st.lists(st.floats(-30, 30), min_size=1, max_size=6), st.data())
def test_the_loss_is_the_cross_entropy_of_a_target_with_the_softmax(scores, data):
    scores, n = np.array(scores), len(scores)
    y, smoothing = data.draw(st.integers(0, n - 1)), data.draw(st.floats(0, 1))
    q = (1 - smoothing) * (np.arange(n) == y) + smoothing / n
    q = q / q.sum()
    value = CrossEntropy(smoothing).value(scores, y)
    assert value == pytest.approx(cross_entropy(q, softmax(scores)), abs=1e-12)
    assert CrossEntropy().value(scores, y) == -log_softmax(scores)[y]
    assert value >= entropy(q) - 1e-14  # the best that smoothing allows


def test_known_values():
    assert entropy([0.5, 0.5], unit="bits") == 1
    assert entropy([0.5, 0.25, 0.125, 0.125], unit="bits") == 1.75
    assert entropy([1.0, 0.0]) == 0
    assert entropy([1.0]) == 0
    assert cross_entropy([0.0, 1.0, 0.0], [0.4, 0.4, 0.2]) == pytest.approx(
        0.9162907318741551, rel=1e-15
    )
    q, p = [0.5, 0.5], [0.75, 0.25]
    assert kl_divergence(q, p) == pytest.approx(math.log(4 / 3) / 2, rel=1e-15)
    other_way = 0.75 * math.log(1.5) + 0.25 * math.log(0.5)
    assert kl_divergence(p, q) == pytest.approx(other_way, rel=1e-14)


@pytest.mark.filterwarnings("error")
def test_what_is_ruled_out_and_happens_is_an_infinite_surprise_without_a_warning():
    q, p = np.array([[0.5, 0.5], [1.0, 0.0], [0.0, 1.0]]), [[1.0, 0.0]] * 3
    np.testing.assert_array_equal(cross_entropy(q, p), [np.inf, 0, np.inf])
    np.testing.assert_array_equal(kl_divergence(q, p), [np.inf, 0, np.inf])
    np.testing.assert_array_equal(entropy(q), [math.log(2), 0, 0])
    assert kl_divergence(torch.tensor([0.5, 0.5]), torch.tensor([1.0, 0.0])) == np.inf


@pytest.mark.parametrize("library", [np.asarray, torch.tensor], ids=["NumPy", "torch"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(), (1,), (3,), (2, 3), (0,), (2, 0)])
def test_the_last_axis_is_summed_and_type_and_kind_are_kept(library, dtype, shape):
    rng = np.random.default_rng(0)
    q, p = rng.dirichlet(np.ones(4), (2, *shape)).astype(dtype)
    for function, arguments in (
        (entropy, [q]),
        (cross_entropy, [q, p]),
        (kl_divergence, [q, p]),
    ):
        result = function(*[library(a) for a in arguments])
        assert str(result.dtype).removeprefix("torch.") == dtype
        assert isinstance(result, torch.Tensor) == (library is torch.tensor)
        assert tuple(result.shape) == shape
        for where in np.ndindex(shape):
            alone = function(*[a[where] for a in arguments])
            rounding = 8 * float(np.finfo(dtype).eps)
            assert float(result[where]) == pytest.approx(float(alone), abs=rounding)


def test_lists_and_arrays_of_any_layout_are_taken_and_not_changed():
    whole = np.random.default_rng(1).dirichlet(np.ones(5), 6).T
    before = whole.copy()
    whole.flags.writeable = False
    q, p = whole.T[::2], whole.T[::-2]
    for function in (cross_entropy, kl_divergence):
        expected = function(q.copy("C"), p.copy("C"))
        np.testing.assert_allclose(function(q, p), expected, rtol=1e-14)
        np.testing.assert_allclose(
            function(q.tolist(), tuple(p.tolist())), expected, rtol=1e-14
        )
    np.testing.assert_array_equal(whole, before)


def test_autograd_runs_through_them_past_impossible_outcomes_too():
    q = torch.tensor([0.5, 0.5, 0.0], dtype=torch.float64, requires_grad=True)
    p = torch.tensor([0.25, 0.5, 0.25], dtype=torch.float64, requires_grad=True)
    cross_entropy(q.detach(), p).backward()
    np.testing.assert_allclose(p.grad, [-2, -1, 0])
    entropy(q).backward()
    np.testing.assert_allclose(q.grad, [math.log(2) - 1] * 2 + [0])


BAD = [  # as q and as p
    ([0.5, 0.6], ValueError, r"must sum to one over its last axis, got 1.1 at index \(\)"),
    ([[0.5, 0.5], [0.2, 0.2]], ValueError, r"must sum to one .*got 0.4 at index \(1,\)"),
    ([0.5, 0.5 + 1e-13], ValueError, "must sum to one"),
    (np.float32([0.5, 0.50001]), ValueError, "must sum to one"),
    ([0.0, 0.0], ValueError, "must sum to one over its last axis, got 0.0"),
    ([1.5, -0.5], ValueError, r"must be probabilities from 0 to 1, got 1.5 at index \(0,\)"),
    ([0.5, 1.5, -1.0], ValueError, r"must be probabilities .*got 1.5 at index \(1,\)"),
    ([-1e-9, 1 + 1e-9], ValueError, r"must be probabilities .*got -1e-09 at index \(0,\)"),
    (torch.tensor([0.5, 0.25]), ValueError, "must sum to one over its last axis, got 0.75"),
    ([float("nan"), 1.0], ValueError, r"must be finite, got nan at index \(0,\)"),
    ([float("inf"), 1.0], ValueError, "must be finite, got inf"),
    (1.0, ValueError, r"must have shape \(..., C\), got \(\)"),
    ([], ValueError, r"must have shape \(..., C\), got \(0,\)"),
    (np.zeros((2, 0)), ValueError, r"must have shape \(..., C\), got \(2, 0\)"),
    (np.array([1, 0]), TypeError, "must be float32 or float64, got int64"),
    (np.float16([0.5, 0.5]), TypeError, "must be float32 or float64, got float16"),
    (np.array([1j, 0]), TypeError, "must be float32 or float64, got complex128"),
    ("ab", TypeError, "must be an array or numbers, got str: 'ab'"),
    (None, TypeError, "must be an array or numbers, got NoneType"),
    ([[0.5, 0.5], [1.0]], TypeError, "must be an array or numbers, got list"),
]  # fmt: skip


@pytest.mark.parametrize("bad, error, message", BAD, ids=[str(row[0]) for row in BAD])
def test_what_is_no_distribution_is_refused_by_name(bad, error, message):
    with pytest.raises(error, match="^q " + message):
        entropy(bad)
    for function in (cross_entropy, kl_divergence):
        with pytest.raises(error, match="^q " + message):
            function(bad, [0.5, 0.5])
        with pytest.raises(error, match="^p " + message):
            function([0.5, 0.5], bad)


@two_of_one
@pytest.mark.parametrize(
    "q, p, error, message",
    [
        ([0.5, 0.5], [1.0], ValueError, r"p must have the shape of q, \(2,\), got \(1,\)"),
        ([[0.5, 0.5]], [0.5, 0.5], ValueError, r"p .*shape of q, \(1, 2\), got \(2,\)"),
        (
            np.array([0.5, 0.5]),
            torch.tensor([0.5, 0.5]),
            TypeError,
            "p must be the same kind of array as q, .*ndarray.*Tensor",
        ),
        (
            torch.tensor([0.5, 0.5]),
            np.array([0.5, 0.5]),
            TypeError,
            "p must be the same kind of array as q, .*Tensor.*ndarray",
        ),
    ],
)  # fmt: skip
def test_distributions_that_do_not_fit_together_are_refused(
    function, q, p, error, message
):
    with pytest.raises(error, match=message):
        function(q, p)


@pytest.mark.parametrize("unit", ["bit", "BITS", "", None, 2, ["bits"], math.e])
def test_another_unit_is_refused(unit):
    with pytest.raises(ValueError, match="unit must be one of nats, bits, got "):
        entropy([0.5, 0.5], unit=unit)
    for function in (cross_entropy, kl_divergence):
        with pytest.raises(ValueError, match="unit must be one of nats, bits, got "):
            function([0.5, 0.5], [0.5, 0.5], unit=unit)


@pytest.mark.parametrize("sign", [1, -1])
def test_eight_roundings_for_each_outcome_are_allowed_and_no_more(sign):
    for dtype in (np.float32, np.float64):
        q = np.full(4, 0.25, dtype=dtype)
        q[0] += sign * 32 * np.finfo(dtype).eps
        assert entropy(q) == pytest.approx(math.log(4), rel=1e-5)
        q[0] += sign * 2 * np.finfo(dtype).eps
        with pytest.raises(ValueError, match="q must sum to one"):
            entropy(q)


def test_rounding_makes_no_divergence_negative():
    q = softmax(np.random.default_rng(0).normal(size=(200, 5)))
    p = softmax(np.log(q) + 1e-9 * np.arange(5))
    assert (cross_entropy(q, p) - entropy(q)).min() < 0
    assert kl_divergence(q, p).min() == 0


def test_rounding_of_the_sum_is_allowed_for():
    for dtype in (np.float32, np.float64):
        q = np.full(1000, 1 / 1000, dtype=dtype)
        assert entropy(q) == pytest.approx(math.log(1000), rel=1e-5)
        assert math.isclose(
            kl_divergence(q, softmax(np.zeros(1000, dtype))), 0, abs_tol=1e-5
        )
