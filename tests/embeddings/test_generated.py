"""Every embedding model with a size, parameters and words that are drawn, and what is
computed from its vectors, against PyTorch's autograd and loops over all words."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array
from torch.nn.functional import softplus

from lossbook.embeddings.cbow_skip_gram import (
    CBOW,
    NO_WORD,
    SkipGram,
    skip_gram_loss_and_gradients,
)
from lossbook.embeddings.glove import GloVe
from lossbook.embeddings.looking_at_vectors import precision_at_k
from lossbook.embeddings.negative_sampling import (
    WordVectors,
    block_gradients,
    expected_loss,
    keep_probability,
    noise_distribution,
    shifted_pmi,
)
from lossbook.embeddings.neural_language_model import (
    NeuralLanguageModel,
    perplexity,
    surprises,
)
from lossbook.embeddings.noise_contrastive_estimation import LogBilinear

seeds = st.integers(0, 2**32 - 1)
sizes = st.integers(1, 5)
types = st.sampled_from([np.float32, np.float64])


def words_of(rng, n_words, n):
    return rng.integers(n_words, size=n)


def contexts_of(rng, n_words, n):
    """Up to four words, at least one of them, -1 for the others."""
    contexts = rng.integers(n_words, size=(n, 4))
    absent = rng.random((n, 4)) < 0.4
    absent[np.arange(n), rng.integers(4, size=n)] = False
    return np.where(absent, NO_WORD, contexts)


def mean_of_context(inputs, contexts):
    rows = [inputs[[w for w in row if w != NO_WORD]].mean(0) for row in contexts]
    return torch.stack(rows)


MODELS = {  # model, shapes of its parameters, its features, its scores by PyTorch
    "skip-gram": (
        SkipGram,
        ("VD", "VD"),
        words_of,
        lambda words, E, W: E[words] @ W.T,
    ),
    "CBOW": (
        CBOW,
        ("VD", "VD"),
        contexts_of,
        lambda contexts, E, W: mean_of_context(E, contexts) @ W.T,
    ),
    "log-bilinear, all words": (
        LogBilinear,
        ("VD", "VD", "V"),
        words_of,
        lambda words, E, W, b: E[words] @ W.T + b,
    ),
    "log-bilinear, some words": (
        LogBilinear,
        ("VD", "VD", "V"),
        lambda rng, n_words, n: rng.integers(n_words, size=(n, 4)),
        lambda rows, E, W, b: (
            (E[rows[:, :1]] * W[rows[:, 1:]]).sum(-1) + b[rows[:, 1:]]
        ),
    ),
    "GloVe": (
        GloVe,
        ("VD", "VD", "V", "V"),
        lambda rng, n_words, n: rng.integers(n_words, size=(n, 2)),
        lambda cells, E, W, b, c: (
            (E[cells[:, 0]] * W[cells[:, 1]]).sum(-1) + b[cells[:, 0]] + c[cells[:, 1]]
        ),
    ),
    "neural": (
        NeuralLanguageModel,
        ("VD", "XH", "H", "HV", "V", "XV"),
        lambda rng, n_words, n: rng.integers(n_words, size=(n, 2)),
        lambda words, E, A, a, B, b, C: (
            torch.tanh(E[words].flatten(1) @ A + a) @ B + b + E[words].flatten(1) @ C
        ),
    ),
}


@pytest.mark.parametrize("name", MODELS)
@given(
    n_words=sizes,
    dimensions=sizes,
    n=sizes,
    dtype=types,
    seed=seeds,
    listed=st.booleans(),
)
def test_scores_and_gradients_of_a_model_are_those_of_autograd(
    name, n_words, dimensions, n, dtype, seed, listed
):
    model, shapes, features_of, scores_of = MODELS[name]
    rng = np.random.default_rng(seed)
    axes = {"V": n_words, "D": dimensions, "H": 3, "X": 2 * dimensions}
    arrays = [
        rng.standard_normal([axes[axis] for axis in shape]).astype(dtype)
        for shape in shapes
    ]
    for array in arrays:
        array.flags.writeable = False
    features = features_of(rng, n_words, n)
    tensors = [torch.tensor(a, dtype=torch.float64, requires_grad=True) for a in arrays]
    expected = scores_of(features, *tensors)
    pull = rng.standard_normal(expected.shape).astype(dtype)
    (expected * torch.tensor(pull)).sum().backward()
    model = model(*arrays)
    given_features = features.tolist() if listed else features
    rounding = {"rtol": 16 * np.finfo(dtype).eps, "atol": 64 * np.finfo(dtype).eps}
    scores = model.scores(given_features)
    assert scores.dtype == dtype
    np.testing.assert_allclose(scores, expected.detach(), **rounding)
    gradients = model.gradients(given_features, pull)
    for (parameter, gradient), tensor in zip(
        sorted(
            gradients.items(), key=lambda item: list(model.parameters).index(item[0])
        ),
        tensors,
        strict=True,
    ):
        assert gradient.dtype == dtype, parameter
        np.testing.assert_allclose(gradient, tensor.grad, **rounding)


def some_counts(rng, n_words):
    """A table with at least one count, and words that never occur."""
    counts = rng.integers(0, 9, size=(n_words, n_words)) * (rng.random(n_words) < 0.8)
    counts[rng.integers(n_words), rng.integers(n_words)] += 1
    return counts.astype(np.float64)


@given(n_words=sizes, dimensions=sizes, seed=seeds, sparse=st.booleans())
def test_skip_gram_of_a_whole_text_is_the_mean_of_its_pairs(
    n_words, dimensions, seed, sparse
):
    rng = np.random.default_rng(seed)
    counts = some_counts(rng, n_words)
    arrays = rng.standard_normal((2, n_words, dimensions))
    inputs, outputs = (torch.tensor(a, requires_grad=True) for a in arrays)
    log_p = torch.log_softmax(inputs @ outputs.T, -1)
    mean = -(torch.tensor(counts) * log_p).sum() / counts.sum()
    mean.backward()
    table = csr_array(counts) if sparse else counts
    loss, gradients = skip_gram_loss_and_gradients(SkipGram(*arrays), table)
    assert loss == pytest.approx(mean.item(), rel=1e-12, abs=1e-13)
    np.testing.assert_allclose(gradients["inputs"], inputs.grad, atol=1e-13)
    np.testing.assert_allclose(gradients["outputs"], outputs.grad, atol=1e-13)


@given(n_words=sizes, dimensions=sizes, seed=seeds, n_noise=st.integers(1, 9))
def test_the_expected_loss_is_the_mean_of_its_pairs_and_least_at_the_shifted_pmi(
    n_words, dimensions, seed, n_noise
):
    rng = np.random.default_rng(seed)
    counts, noise = some_counts(rng, n_words), rng.dirichlet(np.ones(n_words) + 1)
    inputs, outputs = rng.standard_normal((2, n_words, dimensions))
    scores, total = inputs @ outputs.T, 0.0
    for i, j in zip(*counts.nonzero(), strict=True):
        as_noise = n_noise * noise @ np.logaddexp(0, scores[i])
        total += counts[i, j] * (np.logaddexp(0, -scores[i, j]) + as_noise)
    vectors, table = WordVectors(inputs, outputs), csr_array(counts)
    loss = expected_loss(vectors, table, noise, n_noise)
    assert loss == pytest.approx(total / counts.sum(), rel=1e-12)
    best = shifted_pmi(table, noise, n_noise).tocoo()
    assert sorted(zip(best.row, best.col, strict=True)) == sorted(
        zip(*counts.nonzero(), strict=True)
    )
    # a cell is met counts times as true, and n_noise times its row's sum as noise
    p = 1 / (1 + np.exp(-best.data))
    as_true = counts[best.row, best.col]
    as_noise = n_noise * counts.sum(axis=1)[best.row] * noise[best.col]
    np.testing.assert_allclose(as_noise * p, as_true * (1 - p), rtol=1e-11)


@given(
    n_blocks=sizes,
    n=sizes,
    reach=st.integers(0, 3),
    n_noise=sizes,
    seed=seeds,
    dtype=types,
)
def test_the_gradients_of_blocks_are_those_of_autograd(
    n_blocks, n, reach, n_noise, seed, dtype
):
    rng = np.random.default_rng(seed)
    shapes = (n_blocks, n, 3), (n_blocks, n + 2 * reach, 3), (2 * n_noise, 3)
    arrays = [rng.standard_normal(shape).astype(dtype) for shape in shapes]
    pairs = (rng.random((n_blocks, n, n + 2 * reach)) < 0.5).astype(dtype)
    e, w, noise = (
        torch.tensor(a, dtype=torch.float64, requires_grad=True) for a in arrays
    )
    true, shares = torch.tensor(pairs), torch.tensor(pairs.sum(-1) * 0.5)
    loss = (true * softplus(-e @ w.mT)).sum()
    loss = loss + (shares[..., None] * softplus(e @ noise.T)).sum()
    expected = torch.autograd.grad(loss, (e, w, noise))
    eps = np.finfo(dtype).eps
    as_tensors = block_gradients(*map(torch.tensor, (*arrays, pairs)), n_noise)
    for results in (block_gradients(*arrays, pairs, n_noise), as_tensors):
        for ours, theirs in zip(results, expected, strict=True):
            assert np.asarray(ours).dtype == dtype
            np.testing.assert_allclose(ours, theirs, rtol=64 * eps, atol=64 * eps)


@given(
    counts=st.lists(st.integers(0, 10**6), min_size=1, max_size=8).filter(any),
    power=st.floats(-1, 2),
    threshold=st.floats(1e-6, 10),
)
def test_noise_and_thinning_are_their_formulas_word_by_word(counts, power, threshold):
    powers = [n**power if n else 0.0 for n in counts]
    expected = [p / math.fsum(powers) for p in powers]
    np.testing.assert_allclose(noise_distribution(counts, power), expected, rtol=1e-12)
    shares = [n / sum(counts) for n in counts]
    for as_code in (False, True):
        keep = [
            min(1, math.sqrt(threshold / f) + as_code * threshold / f) if f else 1
            for f in shares
        ]
        ours = keep_probability(counts, threshold, as_code=as_code)
        np.testing.assert_allclose(ours, keep, rtol=1e-12)


@given(n_words=st.integers(2, 6), n=sizes, seed=seeds)
def test_perplexity_is_one_over_the_geometric_mean_of_the_probabilities(
    n_words, n, seed
):
    rng = np.random.default_rng(seed)
    model = LogProbabilities(np.log(rng.dirichlet(np.ones(n_words), size=n_words)))
    contexts = rng.integers(n_words, size=(n, 1))
    targets = rng.integers(n_words, size=n)
    p = [math.exp(model.table[i, j]) for (i,), j in zip(contexts, targets, strict=True)]
    np.testing.assert_allclose(surprises(model, contexts, targets), -np.log(p))
    expected = math.prod(p) ** (-1 / n)
    assert perplexity(model, contexts, targets) == pytest.approx(expected)


class LogProbabilities:
    def __init__(self, table):
        self.table = table

    def log_probabilities(self, contexts):
        return self.table[contexts[:, 0]]


@given(n_words=st.integers(3, 8), seed=seeds, data=st.data())
def test_precision_is_the_share_of_right_neighbours_counted_one_by_one(
    n_words, seed, data
):
    rng = np.random.default_rng(seed)
    k = data.draw(st.integers(1, n_words - 1))
    vectors, labels = rng.standard_normal((n_words, 3)), rng.integers(-1, 2, n_words)
    labels[0] = 1
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    right = []
    for word in np.flatnonzero(labels >= 0):
        others = [other for other in range(n_words) if other != word]
        others.sort(key=lambda other, word=word: -units[other] @ units[word])
        right += [labels[other] == labels[word] for other in others[:k]]
    assert precision_at_k(vectors, labels, k) == pytest.approx(np.mean(right))
