"""Noise-contrastive estimation: the sampled loss against PyTorch and the sum over the
whole vocabulary, the expected loss against its limit, the maximum-likelihood gradient."""

import itertools
import math
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from lossbook.checks import check_gradient, check_parameter_gradients
from lossbook.embeddings.noise_contrastive_estimation import (
    ExpectedNoiseContrastiveLoss,
    LogBilinear,
    NoiseContrastiveLoss,
)
from lossbook.losses import BinaryCrossEntropy, CrossEntropy, softmax
from lossbook.torch_loss import TorchLoss

NOISE = (0.4, 0.3, 0.2, 0.07, 0.03)
TRUTH = np.array([0.1, 0.35, 0.25, 0.1, 0.2])
V = len(NOISE)
numbers = st.floats(-30, 30)


def torch_nce(noise, n_noise):
    """The loss as the papers write it: h = p / (p + K ν) for each word, by autograd."""

    def reference(scores, targets):
        expected = n_noise * torch.tensor(noise, dtype=scores.dtype)[targets]
        z = scores - torch.log(expected)
        log_sigmoid = torch.nn.functional.logsigmoid
        return -log_sigmoid(z[..., 0]) - log_sigmoid(-z[..., 1:]).sum(-1)

    return reference


def expected_over(truth, loss, scores):
    """Value and gradient in the mean over words drawn from ``truth``."""
    rows = np.tile(scores, (len(truth), 1))
    value, gradient = loss.value_and_gradient(rows, np.arange(len(truth)))
    return truth @ value, truth @ gradient


def random_rows(seed, n=40, n_noise=3, scale=3.0):
    rng = np.random.default_rng(seed)
    words = rng.integers(V, size=(n, 1 + n_noise))
    return scale * rng.standard_normal(words.shape), words


@pytest.mark.parametrize("shape", [(4,), (7, 4), (2, 3, 4)])
def test_it_is_the_binary_cross_entropy_of_shifted_scores(shape):
    rng = np.random.default_rng(1)
    words, scores = rng.integers(V, size=shape), rng.standard_normal(shape)
    loss = NoiseContrastiveLoss(NOISE, 3)
    z = scores - np.log(3 * np.array(NOISE))[words]
    labels = np.broadcast_to([1, 0, 0, 0], shape)
    binary = BinaryCrossEntropy()
    value, gradient = loss.value_and_gradient(scores, words)
    assert value.shape == shape[:-1] and gradient.shape == shape
    np.testing.assert_allclose(value, binary.value(z, labels).sum(-1), rtol=1e-13)
    np.testing.assert_allclose(gradient, binary.gradient(z, labels), rtol=1e-12)


def test_value_and_gradient_are_those_of_autograd():
    scores, words = random_rows(2)
    loss = NoiseContrastiveLoss(NOISE, 3)
    tensor = torch.tensor(scores, requires_grad=True)
    value = torch_nce(NOISE, 3)(tensor, torch.tensor(words))
    value.sum().backward()
    ours = loss.value_and_gradient(scores, words)
    np.testing.assert_allclose(ours[0], value.detach(), rtol=1e-13)
    np.testing.assert_allclose(ours[1], tensor.grad, rtol=1e-11, atol=1e-15)


def test_the_gradient_is_the_last_line_of_the_derivation_and_that_of_differences():
    scores, words = random_rows(3, n=10)
    loss = NoiseContrastiveLoss(NOISE, 3)
    derivation = loss.derivation()
    derivation.verify()
    gradient = loss.gradient(scores, words)
    values = {**loss.derivation_values(words), "s": scores}
    np.testing.assert_allclose(gradient, derivation.evaluate(values), rtol=1e-12)
    for index in np.ndindex(scores.shape):
        step = np.zeros_like(scores)
        step[index] = 1e-5
        up, down = (loss.value(scores + d, words).sum() for d in (step, -step))
        assert (up - down) / 2e-5 == pytest.approx(gradient[index], abs=1e-8)


def test_a_noise_word_that_is_the_true_word_stays_and_counts_on_both_sides():
    loss = NoiseContrastiveLoss((0.5, 0.5), 2)
    gradient = loss.gradient([0.0, 0.0, 0.0], [1, 1, 0])  # K ν = 1, so z = 0
    np.testing.assert_allclose(gradient, [-0.5, 0.5, 0.5], rtol=1e-15)


@pytest.mark.parametrize("n_noise", [1, 2, 3])
def test_the_expected_loss_is_the_sum_over_every_draw_of_the_noise(n_noise):
    scores = np.array([0.3, -1.0, 0.5, 0.0, -2.0])
    loss = NoiseContrastiveLoss(NOISE, n_noise)
    expected = ExpectedNoiseContrastiveLoss(NOISE, n_noise)
    for y in range(V):
        value, gradient, total = 0.0, np.zeros(V), 0.0
        for drawn in itertools.product(range(V), repeat=n_noise):
            chance = math.prod(NOISE[j] for j in drawn)
            words = np.array([y, *drawn])
            one, slopes = loss.value_and_gradient(scores[words], words)
            value, total = value + chance * one, total + chance
            np.add.at(gradient, words, chance * slopes)
        assert total == pytest.approx(1)
        ours = expected.value_and_gradient(scores, np.array(y))
        np.testing.assert_allclose(ours[0], value, rtol=1e-12)
        np.testing.assert_allclose(ours[1], gradient, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("n_noise", [1, 4, 100])
def test_the_expected_loss_agrees_with_autograd_differences_and_derivation(n_noise):
    rng = np.random.default_rng(4)
    loss = ExpectedNoiseContrastiveLoss(NOISE, n_noise)
    scores, words = 2 * rng.standard_normal((30, V)), rng.integers(V, size=30)
    assert check_gradient(loss, scores, words).agrees

    class Unweighted(ExpectedNoiseContrastiveLoss):
        def value_and_gradient(self, scores, targets):
            value, _ = super().value_and_gradient(scores, targets)
            return value, np.exp(scores) - np.eye(V)[targets]

    assert not check_gradient(Unweighted(NOISE, n_noise), scores, words).agrees


@given(
    st.lists(numbers, min_size=V, max_size=V),
    st.integers(0, V - 1),
    st.integers(1, 10**6),
)
def test_the_gradient_is_the_likelihoods_times_a_weight(scores, y, n_noise):
    scores, expected = np.array(scores), n_noise * np.array(NOISE)
    p = np.exp(scores)
    gradient = ExpectedNoiseContrastiveLoss(NOISE, n_noise).gradient(scores, y)
    weighted = expected / (p + expected) * (p - np.eye(V)[y])
    scale = 1e-12 * np.maximum(1, np.minimum(p, expected))
    assert (np.abs(gradient - weighted) <= scale).all()


@pytest.mark.parametrize("n_noise", [1, 5, 1000])
@pytest.mark.parametrize("power", [0, 0.75, 1])
def test_at_the_truth_nothing_pulls_and_elsewhere_something_does(n_noise, power):
    noise = TRUTH**power / (TRUTH**power).sum()
    loss = ExpectedNoiseContrastiveLoss(noise, n_noise)
    _, gradient = expected_over(TRUTH, loss, np.log(TRUTH))
    np.testing.assert_allclose(gradient, 0, atol=1e-15)
    _, gradient = expected_over(TRUTH, loss, np.log(TRUTH) + 0.1)
    assert (gradient > 1e-3).all()  # a wrong normaliser is felt

    def total(scores):
        return expected_over(TRUTH, loss, scores)

    found = minimize(total, np.zeros(V), jac=True, method="BFGS", tol=1e-10).x
    np.testing.assert_allclose(np.exp(found), TRUTH, rtol=1e-5)


def test_without_the_log_of_the_noise_the_truth_is_missed_by_it():
    # uniform noise and K = 1 / ν_j, so that log(K ν) = 0: negative sampling
    plain = ExpectedNoiseContrastiveLoss((1 / V,) * V, V)
    z = np.log(TRUTH / (7 * np.array(NOISE)))  # the optimum of the plain sigmoid
    binary = BinaryCrossEntropy()
    slope = TRUTH * binary.gradient(z, np.ones(V)) + 7 * np.array(
        NOISE
    ) * binary.gradient(z, np.zeros(V))
    np.testing.assert_allclose(slope, 0, atol=1e-15)
    _, gradient = expected_over(TRUTH, plain, np.log(TRUTH))
    np.testing.assert_allclose(gradient, 0, atol=1e-15)


def test_with_many_noise_words_it_is_the_likelihoods_gradient_at_the_rate_of_1_over_k():
    scores = np.array([0.3, -1.0, 0.5, 0.0, -2.0])
    scores -= np.log(np.exp(scores).sum())  # sums to one
    likelihood = softmax(scores) - TRUTH
    gaps = []
    for n_noise in (10**3, 10**4, 10**5):
        loss = ExpectedNoiseContrastiveLoss(NOISE, n_noise)
        gaps.append(n_noise * (expected_over(TRUTH, loss, scores)[1] - likelihood))
    limit = -likelihood * np.exp(scores) / np.array(NOISE)  # first order in 1/K
    np.testing.assert_allclose(gaps[-1], limit, rtol=1e-3)
    assert np.abs(gaps[1] - limit).max() < 0.2 * np.abs(gaps[0] - limit).max()
    _, cross_entropy = CrossEntropy().value_and_gradient(
        np.tile(scores, (V, 1)), np.arange(V)
    )
    np.testing.assert_allclose(TRUTH @ cross_entropy, likelihood, atol=1e-15)


def test_the_mean_of_sampled_gradients_is_the_expected_one_within_its_error():
    rng = np.random.default_rng(5)
    scores = np.array([0.3, -1.0, 0.5, 0.0, -2.0])
    loss, draws = NoiseContrastiveLoss(NOISE, 2), 20_000
    true = rng.choice(V, size=draws, p=TRUTH)
    words = loss.candidates(true, rng)
    slopes = loss.gradient(scores[words], words)
    each = np.zeros((draws, V))
    np.add.at(each, (np.arange(draws)[:, None], words), slopes)
    _, expected = expected_over(TRUTH, ExpectedNoiseContrastiveLoss(NOISE, 2), scores)
    error = each.std(axis=0) / math.sqrt(draws)
    assert (np.abs(each.mean(axis=0) - expected) < 4.5 * error).all()


def test_candidates_are_the_word_and_then_noise_in_its_proportions():
    loss, rng = NoiseContrastiveLoss(NOISE, 4), np.random.default_rng(6)
    words = np.tile(np.arange(V), (2000, 1))
    found = loss.candidates(words, rng)
    assert found.shape == (2000, V, 5)
    np.testing.assert_array_equal(found[..., 0], words)
    drawn = np.bincount(found[..., 1:].ravel(), minlength=V) / (2000 * V * 4)
    error = np.sqrt(np.array(NOISE) / (2000 * V * 4))
    assert (np.abs(drawn - NOISE) < 4.5 * error).all()
    assert loss.candidates(3, rng).shape == (5,)


def test_float32_noise_can_be_drawn_from():
    noise = np.random.default_rng(7).random(5000, dtype=np.float32)
    loss = NoiseContrastiveLoss(noise / noise.sum(), 2)
    assert loss.candidates([1, 2], np.random.default_rng(0)).shape == (2, 3)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("library", [np.asarray, torch.tensor], ids=["NumPy", "torch"])
def test_extreme_scores_stay_finite_and_types_are_kept(dtype, library):
    extremes = np.array([1e4, -1e4, 88, -746, 0], dtype=dtype)
    scores = np.array(list(itertools.product(extremes, repeat=3)), dtype=dtype)
    words = np.tile([0, 4, 2], (len(scores), 1))
    for loss, targets in (
        (NoiseContrastiveLoss(NOISE, 2), words),
        (ExpectedNoiseContrastiveLoss((0.5, 0.3, 0.2), 2), np.arange(125) % 3),
    ):
        value, gradient = loss.value_and_gradient(library(scores), library(targets))
        assert value.dtype == gradient.dtype == library(scores).dtype
        assert np.isfinite(np.asarray(value)).all() and (np.asarray(value) >= 0).all()
        assert np.isfinite(np.asarray(gradient)).all()
        double = loss.value_and_gradient(scores.astype(np.float64), targets)
        close = (
            {"rtol": 3e-6, "atol": 1e-6}
            if dtype == np.float32
            else {"rtol": 1e-14, "atol": 1e-15}
        )
        np.testing.assert_allclose(np.asarray(value), double[0], **close)
        np.testing.assert_allclose(np.asarray(gradient), double[1], **close)


def test_torch_loss_trains_with_it():
    scores, words = random_rows(8)
    loss = NoiseContrastiveLoss(NOISE, 3)
    tensor = torch.tensor(scores, requires_grad=True)
    module = TorchLoss(loss, reduction="sum")
    module(tensor, torch.tensor(words)).backward()
    np.testing.assert_allclose(tensor.grad, loss.gradient(scores, words), rtol=1e-14)
    tensor.grad = None
    TorchLoss(loss, reduction="none")(tensor, torch.tensor(words)).mean().backward()
    np.testing.assert_allclose(
        tensor.grad, loss.gradient(scores, words) / 40, rtol=1e-14
    )


def random_model(seed, n_words=V, size=3):
    rng = np.random.default_rng(seed)
    shapes = (n_words, size), (n_words, size), (n_words,)
    return LogBilinear(*(rng.standard_normal(shape) for shape in shapes))


def test_the_scores_of_some_words_are_those_of_all_and_so_are_the_gradients():
    rng, model = np.random.default_rng(9), random_model(9)
    contexts = rng.integers(V, size=20)
    everything = np.column_stack([contexts, np.tile(np.arange(V), (20, 1))])
    np.testing.assert_allclose(model.scores(everything), model.scores(contexts))
    by_hand = model.inputs[contexts[3]] @ model.outputs[2] + model.bias[2]
    assert model.scores(contexts)[3, 2] == pytest.approx(by_hand)
    g = rng.standard_normal((20, V))
    for name, gradient in model.gradients(everything, g).items():
        np.testing.assert_allclose(gradient, model.gradients(contexts, g)[name])


def test_the_parameters_gradients_agree_with_autograd_and_differences():
    rng, model = np.random.default_rng(10), random_model(10)
    contexts, words = rng.integers(V, size=(2, 30))
    for loss in (CrossEntropy(), ExpectedNoiseContrastiveLoss(NOISE, 3)):
        assert check_parameter_gradients(model, loss, contexts, words).agrees


def test_a_word_that_stands_twice_in_a_row_collects_both_gradients():
    rng, model = np.random.default_rng(11), random_model(11)
    loss = NoiseContrastiveLoss(NOISE, 3)
    words = loss.candidates(rng.integers(V, size=30), rng)
    assert any(len(set(row)) < 4 for row in words.tolist())
    features = np.column_stack([rng.integers(V, size=30), words])
    tensors = {
        name: torch.tensor(p, requires_grad=True)
        for name, p in model.parameters.items()
    }
    scores = LogBilinear(**tensors).scores(torch.tensor(features))
    torch_nce(NOISE, 3)(scores, torch.tensor(words)).sum().backward()
    ours = model.gradients(features, loss.gradient(model.scores(features), words))
    for name, tensor in tensors.items():
        np.testing.assert_allclose(ours[name], tensor.grad, rtol=1e-12, atol=1e-14)


GOOD = NoiseContrastiveLoss(NOISE, 2)
EXPECTED = ExpectedNoiseContrastiveLoss(NOISE, 2)
MODEL = random_model(12)


@pytest.mark.parametrize(
    "make, error, message",
    [
        (
            lambda: NoiseContrastiveLoss((0.5, 0.5, 0.0), 1),
            ValueError,
            r"noise\[2\] must",
        ),
        (
            lambda: NoiseContrastiveLoss((0.5, 0.4), 1),
            ValueError,
            "noise must sum to one",
        ),
        (lambda: ExpectedNoiseContrastiveLoss((3, 1), 1), ValueError, "got the sum 4"),
        (lambda: NoiseContrastiveLoss((), 1), ValueError, "noise must hold"),
        (lambda: NoiseContrastiveLoss(0.5, 1), TypeError, "noise must be a sequence"),
        (
            lambda: NoiseContrastiveLoss(NOISE, 0),
            ValueError,
            "n_noise must be at least",
        ),
        (lambda: NoiseContrastiveLoss(NOISE, 2.0), TypeError, "n_noise must be an int"),
        (
            lambda: GOOD.value(np.zeros((2, 4)), np.zeros((2, 4), int)),
            ValueError,
            r"scores must have shape \(..., 3\), .* got \(2, 4\)",
        ),
        (lambda: GOOD.value(0.0, 1), ValueError, r"scores must have shape .* got \(\)"),
        (
            lambda: GOOD.value(np.zeros((2, 3)), np.zeros(2, int)),
            ValueError,
            r"targets must have the shape of scores, \(2, 3\), got \(2,\)",
        ),
        (
            lambda: GOOD.value(np.zeros(3), np.zeros(3)),
            TypeError,
            "targets must be integer words, got float64",
        ),
        (
            lambda: GOOD.value(np.zeros(3), [0, 5, 0]),
            ValueError,
            r"targets must be words from 0 to 4, got 5 at index \(1,\)",
        ),
        (
            lambda: GOOD.value([0, np.nan, 0], [0, 1, 0]),
            ValueError,
            "scores must be fin",
        ),
        (
            lambda: GOOD.value(np.zeros(3), torch.zeros(3, dtype=torch.int64)),
            TypeError,
            "targets must be the same kind",
        ),
        (
            lambda: GOOD.candidates([0, -1], np.random.default_rng(0)),
            ValueError,
            "words must be words from 0 to 4, got -1",
        ),
        (
            lambda: GOOD.candidates([0.0], np.random.default_rng(0)),
            TypeError,
            "words must be integers",
        ),
        (
            lambda: EXPECTED.value(np.zeros((2, 4)), np.zeros(2, int)),
            ValueError,
            "scores must have 5 classes .* as noise",
        ),
        (
            lambda: EXPECTED.value(np.zeros((2, 5)), [0, 5]),
            ValueError,
            "targets must be classes from 0 to 4",
        ),
        (
            lambda: LogBilinear(np.zeros((3, 2)), np.zeros((3, 4)), np.zeros(3)),
            ValueError,
            r"outputs must have shape \(3, 2\), got \(3, 4\)",
        ),
        (
            lambda: LogBilinear(np.zeros((3, 2)), np.zeros((3, 2)), np.zeros(2)),
            ValueError,
            r"bias must have shape \(3,\), got \(2,\)",
        ),
        (lambda: MODEL.scores([0.0]), TypeError, "features must be integer words"),
        (lambda: MODEL.scores([5]), ValueError, "features must be words from 0 to 4"),
        (lambda: MODEL.scores([[1], [2]]), ValueError, r"\(N,\) or \(N, 1 \+ M\)"),
    ],
)
def test_bad_input_is_refused_by_name(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_a_loss_is_a_value():
    again = pickle.loads(pickle.dumps(GOOD))
    assert again == GOOD and hash(again) == hash(GOOD)
    assert NoiseContrastiveLoss(np.array(NOISE), 2) == GOOD != EXPECTED
