"""The softmax and the cross-entropy of classes: what is theirs alone. The rest is in
test_contract.py."""

import math
import warnings
from fractions import Fraction
from functools import cache

import mpmath
import numpy as np
import pytest
import scipy.special
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from sympy import Idx, IndexedBase, KroneckerDelta, Rational, Sum, exp, symbols

from lossbook.derivation import Derivation, DerivationError, Line, as_written
from lossbook.losses import CrossEntropy, log_softmax, softmax
from lossbook.losses.multiclass_classification import softmax_derivation

both_types = pytest.mark.parametrize(
    "dtype", [np.float32, np.float64], ids=["float32", "float64"]
)
both_libraries = pytest.mark.parametrize(
    "library", [np.asarray, torch.tensor], ids=["NumPy", "torch"]
)
both_functions = pytest.mark.parametrize("function", [softmax, log_softmax])

# Sixteenths, so that their differences are exact in float32 and float64
GAPS = [0, 0.0625, 0.5, 1, 3, 10, 16.5, 17, 30, 36.5, 37, 60, 80, 88, 103.5, 104]
GAPS += [200, 500, 708, 710, 740, 745, 746, 1000, 9999.5, 1e4, 2e4]
BASES = [0, -3.25, 800, -1e4]


@st.composite
def batches(draw, limit=1e4):
    """Scores (..., C) with ties in some samples, and classes (...)."""
    shape, n = (
        draw(array_shapes(min_dims=0, max_dims=2, max_side=3)),
        draw(st.integers(1, 6)),
    )
    numbers = st.one_of(st.floats(-limit, limit), st.integers(-3, 3).map(float))
    scores = draw(arrays(np.float64, (*shape, n), elements=numbers))
    targets = draw(arrays(np.int64, shape, elements=st.integers(0, n - 1)))
    return scores, targets


smoothings = st.one_of(st.just(0.0), st.just(1.0), st.floats(0, 1))


@cache
def exact(*scores):
    """(p, -log p, 1 - p) for each class, to 50 digits however small it is."""
    z = [mpmath.mpf(score) for score in scores]
    largest = z.index(max(z))
    powers = [mpmath.exp(entry - z[largest]) for entry in z]
    others = mpmath.fsum(p for k, p in enumerate(powers) if k != largest)
    p = [power / (1 + others) for power in powers]
    surprise = [z[largest] - entry + mpmath.log1p(others) for entry in z]
    rest = [mpmath.fsum(b for k, b in enumerate(p) if k != c) for c in range(len(p))]
    return p, surprise, rest


def assert_close_to_the_last_digits(ours, expected, dtype, ulps=8):
    """Each to a few units in its own last place, however small it is."""
    info = np.finfo(dtype)
    expected = np.array([dtype(float(number)) for number in expected])
    atol = 4 * info.smallest_subnormal
    np.testing.assert_allclose(
        np.asarray(ours), expected, rtol=ulps * info.eps, atol=atol
    )


SAMPLES = [[base, base - gap] for base in BASES for gap in GAPS]
SAMPLES += [[b - gap, b, b - 2 * gap, b - 0.5] for b in BASES for gap in GAPS]


@both_types
@both_libraries
@pytest.mark.filterwarnings("error")
def test_value_and_gradient_have_all_their_digits_at_every_gap(dtype, library):
    for sample in SAMPLES:
        scores = np.array(sample, dtype=dtype)
        with mpmath.workdps(50):
            p, surprise, rest = exact(*scores.tolist())
        n = len(sample)
        batch = library(np.tile(scores, (n, 1)))
        value, gradient = CrossEntropy().value_and_gradient(
            batch, library(np.arange(n))
        )
        assert_close_to_the_last_digits(value, surprise, dtype)
        for c in range(n):
            expected = [-rest[c] if k == c else p[k] for k in range(n)]
            assert_close_to_the_last_digits(gradient[c], expected, dtype)
        assert_close_to_the_last_digits(softmax(batch)[0], p, dtype)
        minus = [-s for s in surprise]
        assert_close_to_the_last_digits(log_softmax(batch)[0], minus, dtype)


@both_types
@pytest.mark.parametrize("smoothing", [0.1, 1 / 3, 1.0])
def test_with_label_smoothing_too(dtype, smoothing):
    eps = float(np.finfo(dtype).eps)
    for sample in SAMPLES[::7]:
        scores, n = np.array(sample, dtype=dtype), len(sample)
        with mpmath.workdps(50):
            p, surprise, _ = exact(*scores.tolist())
            share = mpmath.mpf(smoothing)
            even = mpmath.fsum(surprise) / n
            values = [(1 - share) * s + share * even for s in surprise]
            slopes = [
                [p[k] - (1 - share) * (k == c) - share / n for k in range(n)]
                for c in range(n)
            ]
        loss, batch = CrossEntropy(smoothing), np.tile(scores, (n, 1))
        value, gradient = loss.value_and_gradient(batch, np.arange(n))
        assert value.dtype == gradient.dtype == dtype
        assert_close_to_the_last_digits(value, values, dtype)
        np.testing.assert_allclose(
            gradient, np.array(slopes, dtype=float), rtol=0, atol=2 * eps
        )
        tensors = torch.tensor(batch), torch.arange(n)
        value, gradient = loss.value_and_gradient(*tensors)
        assert value.dtype == gradient.dtype == tensors[0].dtype
        assert_close_to_the_last_digits(value, values, dtype)
        np.testing.assert_allclose(
            gradient, np.array(slopes, dtype=float), rtol=0, atol=2 * eps
        )


@given(batches())
def test_softmax_and_its_logarithm_are_those_of_scipy_and_pytorch(batch):
    scores, _ = batch
    largest = np.abs(scores).max(initial=1)
    for ours, scipys, torchs in (
        (softmax(scores), scipy.special.softmax, torch.softmax),
        (log_softmax(scores), scipy.special.log_softmax, torch.log_softmax),
    ):
        # these two subtract the log of the sum from the scores, so they lose digits
        theirs = scipys(scores, axis=-1), torchs(torch.tensor(scores), dim=-1).numpy()
        for expected in theirs:
            np.testing.assert_allclose(ours, expected, rtol=1e-12, atol=1e-15 * largest)


@given(batches())
def test_probabilities_sum_to_one_and_their_logarithms_belong_to_them(batch):
    scores, _ = batch
    p, log_p = softmax(scores), log_softmax(scores)
    np.testing.assert_allclose(p.sum(axis=-1), 1, rtol=1e-15)
    assert np.all((p >= 0) & (p <= 1))
    assert np.all(log_p <= 0) and np.isfinite(log_p).all()
    np.testing.assert_allclose(np.exp(log_p), p, rtol=1e-12, atol=1e-300)


@given(batches(), smoothings, st.integers(-5000, 5000))
def test_adding_a_number_to_all_scores_of_a_sample_changes_nothing(batch, ls, shift):
    scores, targets = batch
    scores = np.round(scores * 16) / 16  # so that the shifted scores are exact
    shifted = scores + shift
    np.testing.assert_array_equal(softmax(shifted), softmax(scores))
    np.testing.assert_array_equal(log_softmax(shifted), log_softmax(scores))
    for ours, expected in zip(
        CrossEntropy(ls).value_and_gradient(shifted, targets),
        CrossEntropy(ls).value_and_gradient(scores, targets),
        strict=True,
    ):
        np.testing.assert_array_equal(ours, expected)


@settings(max_examples=60)
@given(batches(), smoothings, st.randoms(use_true_random=False))
def test_the_numbers_of_the_classes_do_not_matter(batch, smoothing, random):
    scores, targets = batch
    n = scores.shape[-1]
    order = np.array(random.sample(range(n), n))
    loss, place = CrossEntropy(smoothing), np.argsort(order)
    value, gradient = loss.value_and_gradient(scores, targets)
    again, slopes = loss.value_and_gradient(scores[..., order], place[targets])
    np.testing.assert_allclose(again, value, rtol=2e-15)
    np.testing.assert_allclose(slopes, gradient[..., order], rtol=2e-15, atol=1e-15)
    p = softmax(scores)[..., order]
    np.testing.assert_allclose(softmax(scores[..., order]), p, rtol=2e-15)


@given(batches(), smoothings)
def test_the_order_of_the_samples_does_not_matter(batch, smoothing):
    scores, targets = (
        np.stack([a, a[..., ::-1] if a is batch[0] else a]) for a in batch
    )
    loss = CrossEntropy(smoothing)
    value, gradient = loss.value_and_gradient(scores, targets)
    turned, slopes = loss.value_and_gradient(scores[::-1], targets[::-1])
    np.testing.assert_allclose(turned, value[::-1], rtol=1e-15)
    np.testing.assert_allclose(slopes, gradient[::-1], rtol=1e-15)


@given(batches(), smoothings)
def test_the_gradient_sums_to_zero_over_the_classes(batch, smoothing):
    gradient = CrossEntropy(smoothing).gradient(*batch)
    np.testing.assert_allclose(gradient.sum(axis=-1), 0, atol=2e-15)
    assert np.all(np.abs(gradient) <= 1 + 1e-15)  # but for rounding


@given(batches(limit=300), smoothings)
def test_smoothing_mixes_the_one_hot_target_with_the_uniform_one(batch, smoothing):
    scores, targets = batch
    n = scores.shape[-1]
    hard = CrossEntropy().value_and_gradient(scores, targets)
    each = [
        CrossEntropy().value_and_gradient(scores, np.full(targets.shape, c))
        for c in range(n)
    ]
    smoothed = CrossEntropy(smoothing).value_and_gradient(scores, targets)
    for part in (0, 1):
        even = np.mean([pair[part] for pair in each], axis=0)
        mixed = (1 - smoothing) * hard[part] + smoothing * even
        np.testing.assert_allclose(smoothed[part], mixed, rtol=2e-15, atol=4e-15)
    np.testing.assert_allclose(
        smoothed[1],
        softmax(scores)
        - ((1 - smoothing) * (np.arange(n) == targets[..., None]) + smoothing / n),
        rtol=1e-14,
        atol=2e-15,
    )


@given(batches(limit=50), smoothings, st.data())
def test_it_is_convex_a_tangent_lies_below(batch, smoothing, data):
    scores, targets = batch
    step = data.draw(arrays(np.float64, scores.shape, elements=st.floats(-9, 9)))
    loss = CrossEntropy(smoothing)
    value, gradient = loss.value_and_gradient(scores, targets)
    tangent = value + (gradient * step).sum(axis=-1)
    assert np.all(tangent <= loss.value(scores + step, targets) + 1e-12)


@given(batches())
def test_it_is_minus_the_logarithm_of_the_probability_of_the_class(batch):
    scores, targets = batch
    at = targets[..., None]
    expected = -np.take_along_axis(log_softmax(scores), at, axis=-1)[..., 0]
    np.testing.assert_array_equal(CrossEntropy().value(scores, targets), expected)
    assert np.all(CrossEntropy().value(scores, targets) >= 0)


@given(st.floats(-1e4, 1e4), smoothings)
def test_a_single_class_is_certain(score, smoothing):
    value, gradient = CrossEntropy(smoothing).value_and_gradient([[score]], [0])
    assert value == [0] and gradient == [[0]]
    assert softmax([score]) == [1] and log_softmax([score]) == [0]


def test_values_and_gradients_by_hand():
    scores = np.log([[0.4, 0.4, 0.2]])  # cat, dog, horse; the truth is a dog
    value, gradient = CrossEntropy().value_and_gradient(scores, [1])
    assert value == pytest.approx(0.916290731874155)
    np.testing.assert_allclose(gradient, [[0.4, -0.6, 0.2]], rtol=1e-15)
    value, gradient = CrossEntropy(0.3).value_and_gradient(scores, [1])
    by_hand = 0.1 * math.log(0.4) + 0.8 * math.log(0.4) + 0.1 * math.log(0.2)
    assert value == pytest.approx(-by_hand)
    np.testing.assert_allclose(gradient, [[0.3, -0.4, 0.1]], rtol=1e-14)
    np.testing.assert_allclose(softmax(scores), [[0.4, 0.4, 0.2]], rtol=1e-15)
    np.testing.assert_allclose(log_softmax([0, 0, 0, 0]), -math.log(4), rtol=1e-15)


@both_types
@pytest.mark.parametrize("n_classes", [2, 3, 7])
def test_all_scores_equal_is_the_uniform_distribution(dtype, n_classes):
    for level in (0, 1e4, -1e4):
        scores = np.full((n_classes, n_classes), level, dtype=dtype)
        p = softmax(scores)
        np.testing.assert_allclose(p, 1 / n_classes, rtol=2 * np.finfo(dtype).eps)
        value, gradient = CrossEntropy().value_and_gradient(
            scores, np.arange(n_classes)
        )
        np.testing.assert_allclose(value, math.log(n_classes), rtol=3e-7)
        expected = 1 / n_classes - np.eye(n_classes)
        np.testing.assert_allclose(gradient, expected, rtol=3e-7)


@both_functions
@both_types
def test_type_kind_and_shape_are_kept_and_the_argument_is_left_alone(function, dtype):
    scores = np.linspace(-3, 3, 48, dtype=dtype).reshape(4, 2, 6)[::2, :, ::-1]
    before = scores.copy("C")
    scores.flags.writeable = False
    ours = function(scores)
    np.testing.assert_array_equal(scores, before)
    assert ours.dtype == dtype and ours.shape == scores.shape
    np.testing.assert_allclose(ours, function(before), rtol=4 * np.finfo(dtype).eps)
    tensor = function(torch.tensor(before))
    assert isinstance(tensor, torch.Tensor) and tensor.numpy().dtype == dtype
    np.testing.assert_allclose(tensor.numpy(), ours, rtol=8 * np.finfo(dtype).eps)
    assert function(np.zeros((0, 3), dtype)).shape == (0, 3)
    assert function([1, 2]).dtype == np.float64
    np.testing.assert_array_equal(function([1, 2]), function(np.array([1.0, 2.0])))


@both_functions
@pytest.mark.parametrize(
    "scores",
    [[0, 0, 0], [1, 1, 0], [-2, 3, 3], [7], [1e4, -1e4, 0], [1e4, 1e4, 1e4]],
)
def test_autograd_runs_through_them_at_ties_too(function, scores):
    scores = torch.tensor(scores, dtype=torch.float64, requires_grad=True)
    reference = torch.softmax if function is softmax else torch.log_softmax
    ours = torch.autograd.functional.jacobian(function, scores)
    theirs = torch.autograd.functional.jacobian(lambda z: reference(z, dim=-1), scores)
    np.testing.assert_allclose(ours, theirs, rtol=1e-14, atol=1e-15)


NAN, INF = float("nan"), float("inf")


@both_functions
@pytest.mark.parametrize(
    "scores, error, message",
    [
        ([0.0, NAN], ValueError, r"be finite, got nan at index \(1,\)"),
        ([[0.0, 1.0], [-INF, 0.0]], ValueError, r"be finite, got -inf at index \(1, 0\)"),
        (1.0, ValueError, r"have shape \(..., C\), got \(\)"),
        ([], ValueError, r"have shape \(..., C\), got \(0,\)"),
        (torch.zeros(2, 0), ValueError, r"have shape \(..., C\), got \(2, 0\)"),
        (np.array([1, 2]), TypeError, "be float32 or float64, got int64"),
        (np.float16([1, 2]), TypeError, "be float32 or float64, got float16"),
        (torch.tensor([1, 2]), TypeError, "be float32 or float64, got torch.int64"),
        (None, TypeError, "be an array or numbers, got NoneType"),
        ("ab", TypeError, "be an array or numbers, got str"),
        ([[1.0], [1.0, 2.0]], TypeError, "be an array or numbers, got list"),
    ],
)  # fmt: skip
def test_bad_scores_are_refused_by_name(function, scores, error, message):
    with pytest.raises(error, match="^scores must " + message):
        function(scores)


@pytest.mark.parametrize(
    "smoothing, error, message",
    [
        (-0.1, ValueError, "must be from 0 to 1, got -0.1"),
        (1.0000001, ValueError, "must be from 0 to 1, got 1.0000001"),
        (NAN, ValueError, "must be finite, got nan"),
        (INF, ValueError, "must be finite, got inf"),
        ("x", TypeError, "must be a number, got str: 'x'"),
        (None, TypeError, "must be a number, got NoneType"),
        (True, TypeError, "must be a number, got bool"),
        ([0.1], TypeError, "must be a number, got list"),
        (1j, TypeError, "must be a number, got complex"),
    ],
)
def test_a_bad_label_smoothing_is_refused_when_the_loss_is_made(
    smoothing, error, message
):
    with pytest.raises(error, match="^label_smoothing " + message):
        CrossEntropy(label_smoothing=smoothing)


@pytest.mark.parametrize("smoothing", [0.5, np.float32(0.5), Fraction(1, 2)])
def test_label_smoothing_may_be_any_real_number_and_becomes_a_float(smoothing):
    assert type(CrossEntropy(smoothing).label_smoothing) is float
    assert CrossEntropy(smoothing) == CrossEntropy(label_smoothing=0.5)
    assert CrossEntropy() == CrossEntropy(0) != CrossEntropy(1)
    scores = np.zeros((1, 3), np.float32)
    assert CrossEntropy(smoothing).gradient(scores, [0]).dtype == np.float32


# The derivations

SIZE, XI = symbols("C", integer=True, positive=True), symbols("xi", nonnegative=True)
I_, J, K, Y = (Idx(name, (1, SIZE)) for name in "ijky")
Z, P, Q = (IndexedBase(name, real=True) for name in "zpq")
DERIVATIONS = {
    "hard": CrossEntropy().derivation(),
    "smoothed": CrossEntropy(0.1).derivation(),
    "softmax": softmax_derivation(),
}
STEPS = [(n, i) for n, d in DERIVATIONS.items() for i in range(2, len(d.lines) + 1)]


def planted(derivation, number, wrong, where=None):
    """The derivation with another expression in the line of that number, from 1."""
    lines = list(derivation.lines)
    right = lines[number - 1]
    lines[number - 1] = Line(wrong(right.expression), right.reason, right.wrt)
    return Derivation(derivation.name, lines, where or derivation.where)


@pytest.mark.parametrize("name", DERIVATIONS)
def test_every_line_of_the_derivations_is_proved(name):
    verdicts = DERIVATIONS[name].verify()
    assert verdicts[0] == "definition" and len(verdicts) > 3


@pytest.mark.parametrize("name, number", STEPS)
@pytest.mark.parametrize(
    "wrong", [lambda e: -e, lambda e: e + Rational(1, 10**15)], ids=["sign", "shifted"]
)
def test_a_slip_in_any_line_is_refused_in_that_line(name, number, wrong):
    with pytest.raises(DerivationError) as caught:
        planted(DERIVATIONS[name], number, wrong).verify()
    assert caught.value.line == number


with as_written():
    TOTAL = Sum(exp(Z[J]), J)
    SLIPS = [
        ("hard", 2, exp(Z[Y]) / TOTAL),  # no logarithm
        ("hard", 3, exp(Z[Y]) - Z[Y]),  # the sum forgotten
        ("hard", 3, Z[Y] - Sum(exp(Z[J]), J)),
        ("hard", 4, exp(Z[I_]) / TOTAL - 1),  # no delta
        ("hard", 4, exp(Z[I_]) / TOTAL - KroneckerDelta(I_, J)),  # the wrong index
        ("hard", 4, exp(Z[Y]) / TOTAL - KroneckerDelta(I_, Y)),
        ("hard", 4, 1 / TOTAL - KroneckerDelta(I_, Y)),  # no inner derivative
        ("hard", 5, P[I_]),
        ("hard", 5, P[I_] + KroneckerDelta(I_, Y)),
        ("hard", 5, KroneckerDelta(I_, Y) - P[I_]),
        ("hard", 5, P[Y] - KroneckerDelta(I_, Y)),
        ("hard", 5, P[I_] * (1 - KroneckerDelta(I_, Y))),
        ("smoothed", 3, TOTAL - Sum(Q[K] * Z[K], K)),
        ("smoothed", 4, exp(Z[I_]) / TOTAL - Q[I_] * Z[I_]),
        ("smoothed", 4, exp(Z[I_]) / TOTAL - Q[Y]),
        ("smoothed", 5, P[I_] - KroneckerDelta(I_, Y)),  # the smoothing forgotten
        ("smoothed", 5, P[I_] - (1 - XI) * KroneckerDelta(I_, Y)),
        ("smoothed", 5, P[I_] - (1 - XI) * KroneckerDelta(I_, Y) - XI),
        ("smoothed", 5, P[I_] - XI * KroneckerDelta(I_, Y) - (1 - XI) / SIZE),
        ("softmax", 2, KroneckerDelta(I_, J) * P[I_] - P[I_]),
        ("softmax", 2, P[I_] - P[I_] * P[J]),
        ("softmax", 3, KroneckerDelta(I_, J) * P[I_] - P[I_] ** 2),
        ("softmax", 4, KroneckerDelta(I_, J) - P[J]),  # the factor forgotten
        ("softmax", 4, P[I_] * (KroneckerDelta(I_, J) - P[I_])),
        ("softmax", 4, P[I_] * (1 - P[J])),
        ("softmax", 4, P[J] * (P[I_] - KroneckerDelta(I_, J))),
    ]


@pytest.mark.parametrize("name, number, wrong", SLIPS, ids=str)
def test_the_slips_that_people_make_are_refused(name, number, wrong):
    with pytest.raises(DerivationError) as caught:
        planted(DERIVATIONS[name], number, lambda _: wrong).verify()
    assert caught.value.line == number


@pytest.mark.parametrize(
    "wrong",
    [(1 - XI) * KroneckerDelta(I_, Y) + XI, KroneckerDelta(I_, Y) + XI / SIZE],
    ids=str,
)
def test_smoothed_targets_that_do_not_sum_to_one_are_refused(wrong):
    right = DERIVATIONS["smoothed"]
    with pytest.raises(DerivationError) as caught:
        planted(right, 1, lambda e: e, {**right.where, Q[I_]: wrong}).verify()
    assert caught.value.line == 3  # "the targets sum to one"


@pytest.mark.parametrize("n", [1, 2, 5])
def test_the_derivation_of_the_softmax_ends_in_its_jacobian(n):
    scores = np.random.default_rng(n).uniform(-5, 5, n)
    derivation = softmax_derivation()
    assert str(derivation.name) == "p_i"
    jacobian = [
        [
            float(derivation.evaluate({"z": scores, "C": n, "i": i, "j": j}))
            for j in range(1, n + 1)
        ]
        for i in range(1, n + 1)
    ]
    expected = torch.autograd.functional.jacobian(
        lambda z: torch.softmax(z, dim=0), torch.tensor(scores)
    )
    np.testing.assert_allclose(jacobian, expected, rtol=1e-13, atol=1e-15)


def test_no_warning_at_the_ends_of_float32_and_float64():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for dtype in (np.float32, np.float64):
            end = np.finfo(dtype).max / 2
            scores = np.array([[end, -end / 2, 0]] * 3, dtype=dtype)
            value, gradient = CrossEntropy().value_and_gradient(scores, [0, 1, 2])
            np.testing.assert_array_equal(value, dtype([0, 1.5 * end, end]))
            np.testing.assert_array_equal(gradient, [[0, 0, 0], [1, -1, 0], [1, 0, -1]])
