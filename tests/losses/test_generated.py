"""Every loss and embedding objective with hyper-parameters, scores, targets and kinds of
arrays that are drawn, against PyTorch, differences and what it must equal."""

import functools
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.special import expit

import lossbook.losses
from lossbook.comparison import OneAgainstRest, Shifted, Weighted
from lossbook.embeddings.glove import GloVeLoss
from lossbook.embeddings.hierarchical_softmax import HierarchicalSoftmax, Tree
from lossbook.embeddings.noise_contrastive_estimation import (
    ExpectedNoiseContrastiveLoss,
    NoiseContrastiveLoss,
)
from lossbook.losses import (
    AbsoluteError,
    AsymmetricLoss,
    BinaryCrossEntropy,
    BinaryFocalLoss,
    ClassBalancedLoss,
    CrossEntropy,
    FocalLoss,
    HuberLoss,
    LogitAdjustedLoss,
    SquaredError,
    WeightedBinaryCrossEntropy,
    WeightedCrossEntropy,
    adjust_logits,
)
from lossbook.losses._base import BinaryLoss, Loss, RegressionLoss, SoftmaxLoss
from lossbook.torch_loss import REDUCTIONS, TorchLoss
from tests.embeddings.test_glove import torch_glove
from tests.embeddings.test_hierarchical_softmax import torch_loss as torch_tree
from tests.embeddings.test_hierarchical_softmax import trees
from tests.embeddings.test_noise_contrastive_estimation import torch_nce
from tests.losses import test_contract as contract

WEIGHT = st.floats(0.01, 100)
GAMMA = st.one_of(st.integers(0, 4), st.floats(0, 6))
# a margin below the normal numbers, in float32 1e-38, counts as the smallest of them
MARGIN = st.one_of(st.just(0), st.floats(1e-30, 0.95))
FRACTION = st.one_of(st.sampled_from([0, 1]), st.floats(0, 1))
SMOOTHED = st.builds(CrossEntropy, FRACTION)
BINARY_FOCAL = st.builds(BinaryFocalLoss, GAMMA, st.none() | FRACTION)
ASYMMETRIC = st.builds(AsymmetricLoss, GAMMA, GAMMA, MARGIN)
COUNT, BETA = st.integers(1, 2000), st.one_of(st.just(0), st.floats(0, 0.9999))


def each(numbers, n):
    return st.lists(numbers, min_size=n, max_size=n)


@functools.cache
def shares(n):
    return each(WEIGHT, n).map(lambda weights: np.array(weights) / sum(weights))


def focal(n):
    return st.builds(FocalLoss, GAMMA, st.none() | each(WEIGHT, n))


DRAWN = {  # the layout of scores and targets, see `samples`; the loss for n classes
    "squared error": ("real", lambda n: st.builds(SquaredError)),
    "absolute error": ("real", lambda n: st.builds(AbsoluteError)),
    "Huber": ("real", lambda n: st.builds(HuberLoss, st.floats(1e-3, 1e3))),
    "GloVe": (
        "count",
        lambda n: st.builds(GloVeLoss, st.floats(1, 1e3), st.floats(0, 2)),
    ),
    "binary cross-entropy": ("binary", lambda n: st.builds(BinaryCrossEntropy)),
    "weighted binary": (
        "binary",
        lambda n: st.builds(WeightedBinaryCrossEntropy, WEIGHT, WEIGHT),
    ),
    "binary focal": ("binary", lambda n: BINARY_FOCAL),
    "asymmetric": ("binary", lambda n: ASYMMETRIC),
    "class-balanced binary": (
        "samples",
        lambda n: st.builds(
            ClassBalancedLoss, BINARY_FOCAL | ASYMMETRIC, each(COUNT, 2), BETA
        ),
    ),
    "class-balanced one-hot": (
        "one-hot",
        lambda n: st.builds(
            ClassBalancedLoss, BINARY_FOCAL | ASYMMETRIC, each(COUNT, n), BETA
        ),
    ),
    "weighted labels": (
        "labels",
        lambda n: st.builds(Weighted, BINARY_FOCAL, WEIGHT, each(WEIGHT, n)),
    ),
    "shifted labels": (
        "labels",
        lambda n: st.builds(Shifted, BINARY_FOCAL, each(st.floats(-5, 5), n)),
    ),
    "cross-entropy": ("class", lambda n: SMOOTHED),
    "weighted": ("class", lambda n: st.builds(WeightedCrossEntropy, each(WEIGHT, n))),
    "focal": ("class", focal),
    "class-balanced": (
        "class",
        lambda n: st.builds(
            ClassBalancedLoss, SMOOTHED | focal(n), each(COUNT, n), BETA
        ),
    ),
    "logit-adjusted": (
        "class",
        lambda n: st.builds(LogitAdjustedLoss, shares(n), st.floats(0, 3)),
    ),
    "one against the rest": (
        "class",
        lambda n: st.builds(OneAgainstRest, BINARY_FOCAL | ASYMMETRIC),
    ),
    "expected noise-contrastive": (
        "class",
        lambda n: st.builds(ExpectedNoiseContrastiveLoss, shares(n), COUNT),
    ),
    "noise-contrastive": (
        "noise words",
        lambda n: st.builds(NoiseContrastiveLoss, shares(n), st.integers(1, 3)),
    ),
    "hierarchical softmax": (
        "leaves",
        lambda n: st.builds(HierarchicalSoftmax, trees(n + 1, n + 1)),
    ),
}


@functools.cache
def losses_of(name, n):
    return DRAWN[name][1](n)


every_loss = pytest.mark.parametrize("name", DRAWN)
BY_CLASS = "cross-entropy", "weighted", "focal", "class-balanced", "logit-adjusted"


def reference_of(loss):
    """The loss by PyTorch, for tensors of float64."""
    return REFERENCES.get(type(loss), contract.REFERENCES.get(type(loss)))(loss)


def exact(numbers):
    return torch.tensor(numbers, dtype=torch.float64)


def torch_class_balanced(loss):
    if not isinstance(loss.base, BinaryLoss):
        return contract.torch_class_balanced(loss)
    inverse = [1 / np.sum(loss.beta ** np.arange(n)) for n in loss.counts]
    weights = exact(inverse) * len(inverse) / sum(inverse)

    def reference(scores, targets):
        if targets.ndim > 1:  # one-hot
            weight = weights[targets.argmax(-1)][..., None]
        else:
            weight = weights[targets.long()]
        return weight * reference_of(loss.base)(scores, targets)

    return reference


def torch_expected_noise_contrastive(loss):
    def reference(scores, targets):
        expected = loss.n_noise * exact(loss.noise)
        z = scores - torch.log(expected)
        true = z.gather(-1, targets[..., None])[..., 0]
        log_sigmoid = torch.nn.functional.logsigmoid
        return -log_sigmoid(true) - (expected * log_sigmoid(-z)).sum(-1)

    return reference


def torch_weighted(loss):
    negative, positive = map(exact, (loss.negative, loss.positive))
    base = reference_of(loss.base)
    return lambda scores, targets: (
        torch.where(targets == 1, positive, negative) * base(scores, targets)
    )


def torch_one_against_rest(loss):
    def reference(scores, targets):
        ones = torch.nn.functional.one_hot(targets, scores.shape[-1]).double()
        return reference_of(loss.base)(scores, ones).sum(-1)

    return reference


REFERENCES = {
    ClassBalancedLoss: torch_class_balanced,
    GloVeLoss: torch_glove,
    NoiseContrastiveLoss: lambda loss: torch_nce(loss.noise, loss.n_noise),
    ExpectedNoiseContrastiveLoss: torch_expected_noise_contrastive,
    HierarchicalSoftmax: lambda loss: torch_tree(loss.tree),
    Weighted: torch_weighted,
    Shifted: lambda loss: (
        lambda s, y: reference_of(loss.base)(s + exact(loss.shift), y)
    ),
    OneAgainstRest: torch_one_against_rest,
}


def numbers(rng, shape, limit, dtype):
    """From -limit to limit, of every size; the ends, zeros and the smallest among them."""
    info = np.finfo(dtype)
    special = [0, info.smallest_subnormal, info.tiny, info.eps / 8, 1e-4, 1, limit]
    size = 10 ** rng.uniform(-9, np.log10(limit), shape)
    size = np.where(rng.random(shape) < 0.3, rng.choice(special, shape), size)
    return np.array(rng.choice([-1, 1], shape) * size, dtype)


@st.composite
def samples(draw, name, dtype=np.float64, limit=1e4):
    """(loss, scores, targets), NumPy arrays. A batch may be one sample, all of its samples
    of one class, or the class the only one."""
    layout, n = DRAWN[name][0], draw(st.integers(1, 4))
    loss = draw(losses_of(name, n))
    shape = draw(st.sampled_from([(), (1,), (3,), (2, 2), (1, 2, 1)]))
    if layout == "samples":  # with two axes it would be one-hot
        shape = shape[:1]
    if layout == "one-hot":
        shape = shape or (1,)
    last = (1 + loss.n_noise,) if layout == "noise words" else (n,)
    if layout in ("real", "count", "binary", "samples"):
        last = ()
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    scores = numbers(rng, shape + last, limit, dtype)
    if layout == "real":
        hit, targets = rng.random(shape) < 0.3, numbers(rng, shape, limit, dtype)
        return loss, scores, np.where(hit, scores, targets)
    if layout == "count":
        return loss, scores, np.asarray(np.abs(scores) % 1e3 + 1e-3, dtype)
    n_classes = {"leaves": n + 1, "class": n, "one-hot": n, "noise words": n}
    whole = layout in ("binary", "samples", "labels", "noise words")
    targets = rng.integers(n_classes.get(layout, 2), size=shape + last * whole)
    if layout == "one-hot":
        targets = targets[..., None] == np.arange(n)
    integer = layout in ("class", "leaves", "noise words")
    return loss, scores, targets if integer else np.asarray(targets, dtype)


def weight_of(loss):
    """The largest number that a loss is multiplied by."""
    numbers = [1.0]
    for name in ("weights", "negative", "positive", "pos_weight", "neg_weight"):
        if name in vars(loss) and vars(loss)[name] is not None:
            numbers += np.ravel(vars(loss)[name]).tolist()
    if isinstance(loss, ExpectedNoiseContrastiveLoss):
        numbers.append(loss.n_noise)
    return max(numbers) * (weight_of(loss.base) if hasattr(loss, "base") else 1)


def assert_close(ours, theirs, loss, scores, dtype):
    """To the rounding of the type; PyTorch and ours add numbers as large as the scores, or
    subtract them from 1."""
    eps, largest = np.finfo(dtype).eps, np.abs(scores).max(initial=1)
    added = eps if shifts(loss) else np.finfo(np.float64).eps
    allowed = 64 * weight_of(loss) * (eps + added * largest)
    np.testing.assert_allclose(ours, theirs, rtol=64 * eps, atol=allowed)


def shifts(loss):
    """Whether something is added to the scores, which rounds as coarsely as they are."""
    kinds = LogitAdjustedLoss, Shifted, NoiseContrastiveLoss, GloVeLoss
    return isinstance(loss, (*kinds, ExpectedNoiseContrastiveLoss))


def limit_of(name):
    added = "logit-adjusted", "shifted labels", "noise-contrastive", "GloVe"
    return 50 if name.removeprefix("expected ") in added else 1e4


def off_the_margin(loss, scores, distance):
    """Refuse a case with a probability so close to the margin of an asymmetric loss, where
    its power of p - margin has no digits, or no slope."""
    loss = getattr(loss, "base", loss)
    if getattr(loss, "margin", 0):
        assume((np.abs(expit(scores) - loss.margin) > distance).all())


def by_autograd(loss, scores, targets):
    """(value, gradient) by PyTorch, in float64, as arrays."""
    scores = torch.tensor(scores, dtype=torch.float64, requires_grad=True)
    targets = torch.tensor(targets)
    if targets.is_floating_point():
        targets = targets.double()
    value = reference_of(loss)(scores, targets)
    return value.detach().numpy(), torch.autograd.grad(value.sum(), scores)[0].numpy()


@every_loss
@contract.both_types
@given(data=st.data())
def test_value_and_gradient_are_those_of_pytorch(name, dtype, data):
    loss, scores, targets = data.draw(samples(name, dtype, limit_of(name)))
    off_the_margin(loss, scores, 1e-3)
    ours = loss.value_and_gradient(scores, targets)
    for our, their in zip(ours, by_autograd(loss, scores, targets), strict=True):
        assert our.dtype == dtype and our.shape == their.shape
        assert_close(our, their, loss, scores, dtype)


@every_loss
@given(data=st.data())
def test_the_gradient_is_that_of_differences(name, data):
    loss, scores, targets = data.draw(samples(name, limit=20))
    off_the_margin(loss, scores, 1e-2)
    if isinstance(loss, AbsoluteError | HuberLoss):  # off their kinks too
        edge = getattr(loss, "delta", 0)
        distance = np.abs(np.abs(scores - targets) - edge)
        scores = scores + 1e-3 * (distance < 1e-4)
        assume((np.abs(np.abs(scores - targets) - edge) > 1e-4).all())
    direction = np.random.default_rng(scores.size).standard_normal(scores.shape)
    up, down = scores + 1e-5 * direction, scores - 1e-5 * direction
    rise = loss.value(up, targets).sum() - loss.value(down, targets).sum()
    along = (loss.gradient(scores, targets) * direction).sum()
    assert abs(along - rise / 2e-5) < 1e-5 * weight_of(loss) * max(
        1, np.abs(scores).max() ** 2
    )


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


FORMS = {
    "list": lambda array: array.tolist(),
    "by columns": lambda array: array.copy(order="F"),
    "every other": lambda a: np.repeat(a, 2, axis=-1)[..., ::2] if a.ndim else a,
    "backwards": lambda array: np.flip(np.flip(array).copy()),
    "read-only": read_only,
    "tensor": torch.tensor,
    "tensor by columns": lambda array: torch.tensor(array.T).permute(
        tuple(range(array.ndim)[::-1])
    ),
    "tensor with gradient": lambda array: torch.tensor(array).requires_grad_(),
}


@every_loss
@contract.both_types
@given(data=st.data(), form=st.sampled_from(list(FORMS)), listed=st.booleans())
def test_the_kind_and_layout_of_the_arrays_do_not_matter(
    name, dtype, data, form, listed
):
    loss, scores, targets = data.draw(samples(name, dtype, limit_of(name)))
    off_the_margin(loss, scores, 1e-3)
    before = scores.copy(), targets.copy()
    of_targets = "list" if listed else form.removesuffix(" with gradient")
    ours = loss.value_and_gradient(FORMS[form](scores), FORMS[of_targets](targets))
    expected = loss.value_and_gradient(scores, targets)
    for our, their in zip(ours, expected, strict=True):
        if "tensor" in form:
            assert isinstance(our, torch.Tensor)
            our = our.detach().numpy()
        assert our.dtype == (np.float64 if form == "list" else dtype)
        assert our.shape == their.shape
        assert_close(our, their, loss, scores, dtype)
    np.testing.assert_array_equal(scores, before[0])
    np.testing.assert_array_equal(targets, before[1])


@every_loss
@contract.both_types
@given(data=st.data())
def test_autograd_through_the_value_gives_the_gradient(name, dtype, data):
    loss, scores, targets = data.draw(samples(name, dtype, limit_of(name)))
    off_the_margin(loss, scores, 1e-3)
    tensor = torch.tensor(scores, requires_grad=True)
    value, gradient = loss.value_and_gradient(tensor, torch.tensor(targets))
    (slope,) = torch.autograd.grad(value.sum(), tensor)
    assert_close(slope.numpy(), gradient.detach().numpy(), loss, scores, dtype)


@every_loss
@given(
    data=st.data(),
    dtype=st.sampled_from(
        [torch.float16, torch.bfloat16, torch.float32, torch.float64]
    ),
    reduction=st.sampled_from(REDUCTIONS),
)
def test_the_module_is_pytorchs_loss_under_autocast_too(name, data, dtype, reduction):
    kept = np.float64 if dtype == torch.float64 else np.float32
    loss, scores, targets = data.draw(samples(name, kept, min(limit_of(name), 1e3)))
    tensor = torch.tensor(scores, requires_grad=True)
    with torch.autocast("cpu", dtype=dtype, enabled=dtype.itemsize < 4):
        out = (tensor[..., None] @ torch.ones(1, 1, dtype=tensor.dtype))[..., 0]
        value = TorchLoss(loss, reduction)(out, torch.tensor(targets))
    assert out.dtype == dtype and value.numpy(force=True).dtype == kept
    value.sum().backward()
    rounded = out.detach().double().numpy()
    off_the_margin(loss, rounded, 1e-3)
    expected, slope = by_autograd(loss, rounded, targets)
    if reduction == "mean":
        slope = slope / expected.size
    if reduction != "none":
        expected = getattr(expected, reduction)()
    assert_close(value.numpy(force=True), expected, loss, rounded, kept)
    as_stored = torch.tensor(slope).to(dtype).double().numpy()
    spacing = torch.finfo(dtype).eps * np.abs(slope) + torch.finfo(dtype).tiny
    gradient = tensor.grad.double().numpy()
    off = np.abs(gradient - as_stored) > spacing  # it may be rounded the other way
    assert_close(gradient[off], slope[off], loss, rounded, kept)


SQUARES = "squared error", "GloVe"  # which overflow, as they do in PyTorch


@pytest.mark.parametrize("name", [name for name in DRAWN if name not in SQUARES])
@contract.both_types
@pytest.mark.filterwarnings("ignore:overflow")
@given(data=st.data())
def test_no_score_is_too_large(name, dtype, data):
    limit = float(np.finfo(dtype).max) / 1e6
    loss, scores, targets = data.draw(samples(name, dtype, limit))
    value, gradient = loss.value_and_gradient(scores, targets)
    assert np.isfinite(value).all() and np.isfinite(gradient).all()
    assert (value >= 0).all()


def assert_same(first, second, tolerance=1e-11):
    for our, their in zip(first, second, strict=True):
        np.testing.assert_allclose(our, their, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", BY_CLASS)
@given(data=st.data(), shift=st.floats(-1e3, 1e3))
def test_a_shift_of_all_logits_changes_nothing(name, data, shift):
    loss, scores, targets = data.draw(samples(name, limit=100))
    shifted = loss.value_and_gradient(scores + shift, targets)
    expected = loss.value_and_gradient(scores, targets)
    assert_same(shifted, expected, 1e-11 * weight_of(loss))


@pytest.mark.parametrize("name", [name for name in DRAWN if DRAWN[name][0] == "class"])
@given(data=st.data())
def test_the_order_of_the_classes_does_not_matter(name, data):
    loss, scores, targets = data.draw(samples(name, limit=100))
    order = data.draw(st.permutations(range(scores.shape[-1])))
    value, gradient = loss.value_and_gradient(scores, targets)
    other = reordered(loss, order).value_and_gradient(
        scores[..., order], np.argsort(order)[targets]
    )
    assert_same(other, (value, gradient[..., order]), 1e-11 * weight_of(loss))


def reordered(loss, order):
    """The loss whose class k is class order[k] of this one."""
    new = {}
    for field in fields(loss):
        numbers = getattr(loss, field.name)
        if isinstance(numbers, tuple):
            new[field.name] = [numbers[k] for k in order]
        if field.name == "base":
            new["base"] = reordered(numbers, order)
    return replace(loss, **new)


@every_loss
@given(data=st.data())
def test_the_order_of_the_samples_does_not_matter(name, data):
    loss, scores, targets = data.draw(samples(name))
    assume(np.ndim(loss.value(scores, targets)))
    assume(DRAWN[name][0] != "labels" or targets.ndim > 1)
    turned = loss.value_and_gradient(scores[::-1], targets[::-1])
    value, gradient = loss.value_and_gradient(scores, targets)
    for our, their in zip(turned, (value[::-1], gradient[::-1]), strict=True):
        np.testing.assert_allclose(our, their, rtol=1e-13)


MIRRORED = {
    BinaryCrossEntropy: lambda loss: loss,
    WeightedBinaryCrossEntropy: lambda loss: type(loss)(
        loss.neg_weight, loss.pos_weight
    ),
    BinaryFocalLoss: lambda loss: type(loss)(
        loss.gamma, None if loss.alpha is None else 1 - loss.alpha
    ),
    AsymmetricLoss: lambda loss: type(loss)(loss.gamma_neg, loss.gamma_pos, 0),
}


@pytest.mark.parametrize("name", [name for name in DRAWN if DRAWN[name][0] == "binary"])
@given(data=st.data())
def test_with_the_classes_exchanged_it_is_its_mirror_image(name, data):
    loss, scores, targets = data.draw(samples(name))
    if isinstance(loss, AsymmetricLoss):
        loss = replace(loss, margin=0)
    value, gradient = loss.value_and_gradient(scores, targets)
    mirrored = MIRRORED[type(loss)](loss).value_and_gradient(-scores, 1 - targets)
    for our, their in zip(mirrored, (value, -gradient), strict=True):
        np.testing.assert_allclose(our, their, rtol=1e-12, atol=1e-15)


@functools.cache
def limits(n):
    """Pairs of losses that are the same up to a factor, for n classes."""
    a, weights = st.floats(0.01, 0.99), each(WEIGHT, n)
    plain, binary = CrossEntropy(), BinaryCrossEntropy()
    return {
        "binary": st.one_of(
            a.map(lambda a: (BinaryFocalLoss(0, a), Weighted(binary, 1 - a, a), 1)),
            GAMMA.map(lambda g: (BinaryFocalLoss(g, None), BinaryFocalLoss(g, 0.5), 2)),
            GAMMA.map(lambda g: (AsymmetricLoss(g, g, 0), BinaryFocalLoss(g, None), 1)),
            WEIGHT.map(lambda w: (WeightedBinaryCrossEntropy(w, w), binary, w)),
            st.just((AsymmetricLoss(0, 0, 0), binary, 1)),
            st.just((Shifted(binary, 0), binary, 1)),
        ),
        "real": st.just((HuberLoss(3e4), SquaredError(), 1 / 2)),
        "class": st.one_of(
            weights.map(lambda w: (FocalLoss(0, w), WeightedCrossEntropy(w), 1)),
            WEIGHT.map(lambda w: (WeightedCrossEntropy(n * [w]), plain, w)),
            each(COUNT, n).map(lambda c: (ClassBalancedLoss(plain, c, 0), plain, 1)),
            st.tuples(COUNT, BETA).map(
                lambda c: (ClassBalancedLoss(plain, n * [c[0]], c[1]), plain, 1)
            ),
            each(COUNT, n).map(
                lambda c: (
                    ClassBalancedLoss(plain, c, 1 - 1e-12),
                    WeightedCrossEntropy(n / np.array(c) / sum(1 / np.array(c))),
                    1,
                )
            ),
            shares(n).map(lambda p: (LogitAdjustedLoss(p, 0), plain, 1)),
            st.floats(0, 3).map(
                lambda tau: (LogitAdjustedLoss(n * [1 / n], tau), plain, 1)
            ),
        ),
    }


PLAINEST = {"binary": "binary cross-entropy", "real": "squared error"}


@pytest.mark.parametrize("layout", ["real", "binary", "class"])
@given(data=st.data())
def test_at_the_limit_of_a_parameter_it_is_the_simpler_loss(layout, data):
    name = PLAINEST.get(layout, "cross-entropy")
    _, scores, targets = data.draw(samples(name))
    n = scores.shape[-1] if layout == "class" else 1
    loss, simpler, factor = data.draw(limits(n)[layout])
    expected = [factor * array for array in simpler.value_and_gradient(scores, targets)]
    for our, their in zip(
        loss.value_and_gradient(scores, targets), expected, strict=True
    ):
        np.testing.assert_allclose(our, their, rtol=1e-8, atol=1e-11 * factor)


@given(data=st.data(), weights=each(WEIGHT, 2), gamma=GAMMA, tau=st.floats(0, 3))
def test_of_two_classes_it_is_the_loss_of_the_difference(data, weights, gamma, tau):
    _, z, y = data.draw(samples("binary cross-entropy", limit=100))
    scores, classes = np.stack([np.zeros_like(z), z], axis=-1), y.astype(int)
    binary, counts = BinaryCrossEntropy(), [40, 3]
    shift = tau * np.log(weights[1] / weights[0])
    for softmax, sigmoid in (
        (CrossEntropy(), binary),
        (WeightedCrossEntropy(weights), Weighted(binary, *weights)),
        (FocalLoss(gamma, weights), Weighted(BinaryFocalLoss(gamma, None), *weights)),
        (
            ClassBalancedLoss(CrossEntropy(), counts),
            Weighted(binary, *ClassBalancedLoss(binary, counts).weights),
        ),
        (
            LogitAdjustedLoss(np.array(weights) / sum(weights), tau),
            Shifted(binary, shift),
        ),
    ):
        value, gradient = softmax.value_and_gradient(scores, classes)
        ours = value, gradient[..., 1]
        assert_same(ours, sigmoid.value_and_gradient(z, y))
        assert_same((-gradient[..., 0],), ours[1:])
    tree = HierarchicalSoftmax(Tree(np.array([[1, 0]])))  # the first child is class 1
    ours = tree.value_and_gradient(z[..., None], classes)
    assert_same((ours[0], ours[1][..., 0]), binary.value_and_gradient(z, y))


@given(data=st.data(), smoothing=FRACTION)
def test_label_smoothing_is_a_mean_over_the_classes(data, smoothing):
    _, scores, targets = data.draw(samples("cross-entropy"))
    n, plain = scores.shape[-1], CrossEntropy()
    of_each = [
        plain.value_and_gradient(scores, np.full_like(targets, c)) for c in range(n)
    ]
    of_true = plain.value_and_gradient(scores, targets)
    expected = [
        (1 - smoothing) * true + smoothing * sum(each) / n
        for true, *each in zip(of_true, *of_each, strict=True)
    ]
    assert_same(CrossEntropy(smoothing).value_and_gradient(scores, targets), expected)


@given(data=st.data(), tau=st.floats(0, 3))
def test_adjusting_the_logits_undoes_the_logit_adjusted_loss(data, tau):
    _, scores, targets = data.draw(samples("cross-entropy", limit=50))
    priors = data.draw(shares(scores.shape[-1]))
    adjusted = adjust_logits(scores, priors, tau)
    ours = LogitAdjustedLoss(priors, tau).value_and_gradient(adjusted, targets)
    assert_same(ours, CrossEntropy().value_and_gradient(scores, targets))


def below(kind):
    return {kind}.union(*map(below, kind.__subclasses__()))


@settings(max_examples=5)
@given(data=st.data())
def test_every_loss_of_the_package_is_drawn(data):
    for name in lossbook.losses.__all__:  # which are loaded when they are asked for
        getattr(lossbook.losses, name)
    losses = {c for c in below(Loss) if c.__module__.startswith("lossbook.")}
    drawn = {type(data.draw(losses_of(name, 2))) for name in DRAWN}
    assert losses - {Loss, RegressionLoss, BinaryLoss, SoftmaxLoss} == drawn
