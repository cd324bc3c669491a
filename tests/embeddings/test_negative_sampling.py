"""Skip-gram with negative sampling: each step against PyTorch autograd, the blocks against
a walk through the text, the expected loss against sums over the whole vocabulary."""

from collections import Counter
from dataclasses import FrozenInstanceError
from math import log

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_array, csr_array

from lossbook.corpora import Corpus, planted_corpus
from lossbook.embeddings import negative_sampling
from lossbook.embeddings._windows import window_counts, window_pairs
from lossbook.embeddings.looking_at_vectors import planted_scores
from lossbook.embeddings.negative_sampling import (
    BLOCK,
    Blocks,
    NegativeSampling,
    WordVectors,
    block_gradients,
    block_step,
    blocks,
    expected_loss,
    find_phrases,
    join_phrases,
    keep_probability,
    minibatch_step,
    noise_distribution,
    pair_step,
    shifted_pmi,
    subsample,
)

SMALL = planted_corpus(
    20_000, n_groups=4, n_entities=5, n_function_words=40, random_state=0
)


def corpus_of(words, sentences=None, n_words=None):
    words = np.asarray(words, dtype=np.int64)
    sentences = np.zeros(len(words), np.int64) if sentences is None else sentences
    n_words = n_words or int(words.max()) + 1
    return Corpus(words, np.asarray(sentences), tuple(f"w{i}" for i in range(n_words)))


def random_vectors(n_words=6, dimensions=3, seed=0, dtype=np.float64):
    values = np.random.default_rng(seed).standard_normal((2, n_words, dimensions))
    return WordVectors(*values.astype(dtype))


def copy_of(vectors):
    return WordVectors(vectors.inputs.copy(), vectors.outputs.copy())


def after_autograd(vectors, loss, rate):
    """The vectors after a step of torch.optim.SGD on loss(E, W)."""
    parameters = [
        torch.tensor(v, requires_grad=True) for v in (vectors.inputs, vectors.outputs)
    ]
    optimizer = torch.optim.SGD(parameters, lr=rate)
    loss(*parameters).backward()
    optimizer.step()
    return [p.detach().numpy() for p in parameters]


def pair_loss(E, W, centre, context, noise):
    """-log σ(true) - Σ log σ(-noise), noise equal to the context left out."""
    loss = -torch.nn.functional.logsigmoid(E[centre] @ W[context])
    for k in noise:
        if k != context:
            loss = loss - torch.nn.functional.logsigmoid(-(E[centre] @ W[k]))
    return loss


def assert_vectors(vectors, expected, tolerance=1e-12):
    np.testing.assert_allclose(vectors.inputs, expected[0], atol=tolerance)
    np.testing.assert_allclose(vectors.outputs, expected[1], atol=tolerance)


# the three steps

words = st.integers(0, 5)


@settings(max_examples=60)
@given(words, words, st.lists(words, max_size=6), st.floats(0.001, 1))
def test_a_pair_step_is_a_step_of_autograd(centre, context, noise, rate):
    vectors = random_vectors()
    expected = after_autograd(
        vectors, lambda E, W: pair_loss(E, W, centre, context, noise), rate
    )
    assert pair_step(vectors, centre, context, np.array(noise, int), rate) is None
    assert_vectors(vectors, expected)


@given(
    st.lists(st.tuples(words, words, words, words), min_size=1, max_size=8),
    st.floats(0.001, 1),
)
def test_a_minibatch_step_is_a_step_of_autograd_on_the_sum(rows, rate):
    vectors, rows = random_vectors(seed=1), np.array(rows)

    def loss(E, W):
        return sum(pair_loss(E, W, row[0], row[1], row[2:]) for row in rows)

    expected = after_autograd(vectors, loss, rate)
    minibatch_step(vectors, rows[:, 0], rows[:, 1], rows[:, 2:], rate)
    assert_vectors(vectors, expected)


def test_a_minibatch_of_one_is_a_pair_step():
    one, other = random_vectors(), random_vectors()
    noise = np.array([4, 4, 2, 1])
    pair_step(one, 3, 2, noise, 0.1)
    minibatch_step(other, np.array([3]), np.array([2]), noise[None], 0.1)
    assert_vectors(one, (other.inputs, other.outputs))


def some_block(seed=0, n_blocks=2, width=3, reach=2, n_words=6):
    rng = np.random.default_rng(seed)
    contexts = rng.integers(n_words, size=(n_blocks, width + 2 * reach))
    pairs = rng.integers(0, 2, size=(n_blocks, width, width + 2 * reach))
    return Blocks(contexts[:, reach:-reach], contexts, pairs.astype(float)), rng


@pytest.mark.parametrize("seed", range(5))
def test_a_block_step_is_a_step_of_autograd_with_shared_noise(seed):
    vectors, (block, rng) = random_vectors(seed=seed), some_block(seed)
    noise, n_noise, rate = rng.integers(6, size=4), 5, 0.3

    def loss(E, W):
        total = torch.zeros((), dtype=torch.float64)
        for b, t, u in np.argwhere(block.pairs):
            e = E[block.centres[b, t]]
            total -= torch.nn.functional.logsigmoid(e @ W[block.contexts[b, u]])
            shared = torch.nn.functional.logsigmoid(-(W[noise] @ e))
            total -= n_noise / len(noise) * shared.sum()
        return total

    expected = after_autograd(vectors, loss, rate)
    block_step(vectors, block, noise, n_noise, rate)
    assert_vectors(vectors, expected)


def test_the_gradients_of_a_block_are_the_same_in_pytorch():
    vectors, (block, rng) = random_vectors(), some_block()
    noise = vectors.outputs[rng.integers(6, size=4)]
    arrays = vectors.inputs[block.centres], vectors.outputs[block.contexts], noise
    ours = block_gradients(*arrays, block.pairs, 5)
    tensors = [torch.tensor(a) for a in (*arrays, block.pairs)]
    theirs = block_gradients(*tensors, 5)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b.numpy(), atol=1e-13)


def test_the_steps_keep_float32():
    vectors = random_vectors(dtype=np.float32)
    block, rng = some_block()
    block = block._replace(pairs=block.pairs.astype(np.float32))
    pair_step(vectors, 0, 1, np.array([2, 3]), 0.1)
    minibatch_step(vectors, np.array([0]), np.array([1]), np.array([[2, 3]]), 0.1)
    block_step(vectors, block, rng.integers(6, size=4), 5, 0.1)
    assert vectors.inputs.dtype == vectors.outputs.dtype == np.float32


@pytest.mark.parametrize("size", [40.0, 1e4])
def test_large_scores_give_finite_steps(size):
    for sign in (-1, 1):
        vectors = WordVectors(np.full((3, 1), sign), np.array([[size], [-size], [0.0]]))
        vectors = WordVectors(vectors.inputs.astype(float), vectors.outputs)
        pair_step(vectors, 0, 1, np.array([0, 0]), 0.1)
        block = Blocks(np.array([[0]]), np.array([[1, 0, 2]]), np.ones((1, 1, 3)))
        with np.errstate(over="ignore"):
            block_step(vectors, block, np.array([0, 1]), 2, 0.1)
        assert np.isfinite(vectors.inputs).all() and np.isfinite(vectors.outputs).all()


# blocks of a text


def pairs_slowly(text, sentences, own):
    found = Counter()
    for n, m in np.ndindex(len(text), len(text)):
        if 0 < abs(n - m) <= own[n] and sentences[n] == sentences[m]:
            found[int(text[n]), int(text[m])] += 1
    return found


def pairs_of(parts):
    found = Counter()
    for block in parts:
        for b, t, u in np.argwhere(block.pairs):
            found[int(block.centres[b, t]), int(block.contexts[b, u])] += 1
    return found


@given(
    length=st.integers(1, 150),
    reach=st.integers(1, 6),
    n_blocks=st.integers(1, 3),
    seed=st.integers(0, 99),
)
def test_blocks_hold_every_pair_once(length, reach, n_blocks, seed):
    rng = np.random.default_rng(seed)
    text = rng.integers(9, size=length)
    sentences = np.cumsum(rng.random(length) < 0.1)
    parts = list(blocks(text, sentences, reach, n_blocks, np.random.default_rng(5)))
    own = np.random.default_rng(5).integers(1, reach + 1, size=length)
    assert pairs_of(parts) == pairs_slowly(text, sentences, own)
    for part in parts:
        assert part.centres.shape == (n_blocks, BLOCK)
        assert part.contexts.shape == (n_blocks, BLOCK + 2 * reach)
        assert part.pairs.dtype == np.float32
    same = window_pairs(text, sentences, reach, np.random.default_rng(5))
    assert pairs_of(parts) == Counter(zip(*(a.tolist() for a in same), strict=True))


def test_the_mean_of_the_dynamic_window_is_the_window_weight():
    corpus, rng = corpus_of([0, 1, 2, 3, 0, 1], [0, 0, 0, 0, 0, 1]), None
    expected = window_counts(corpus, 3, lambda distance: (4 - distance) / 3).toarray()
    total, rng = np.zeros((4, 4)), np.random.default_rng(0)
    for _ in range(4000):
        pairs = window_pairs(corpus.words, corpus.sentences, 3, rng)
        np.add.at(total, pairs, 1)
    np.testing.assert_allclose(total / 4000, expected, atol=0.05)


# noise and thinning out


def test_noise_by_hand():
    np.testing.assert_allclose(noise_distribution([1, 16], 0.75), [1 / 9, 8 / 9])
    np.testing.assert_allclose(noise_distribution([1, 3], 1), [0.25, 0.75])
    # a word that never occurs is no noise, whatever the power
    np.testing.assert_allclose(noise_distribution([2, 0, 5], 0), [0.5, 0, 0.5])
    np.testing.assert_allclose(noise_distribution([1, 4, 0], -0.5), [2 / 3, 1 / 3, 0])


def test_kept_shares_by_hand():
    counts = [9000, 990, 10]  # shares 0.9, 0.099, 0.001
    paper = keep_probability(counts, 0.009)
    np.testing.assert_allclose(paper, [0.1, (1 / 11) ** 0.5, 1])
    code = keep_probability(counts, 0.009, as_code=True)
    np.testing.assert_allclose(code, [0.11, (1 / 11) ** 0.5 + 1 / 11, 1])
    assert keep_probability([5, 0])[1] == 1


def test_thinning_out_keeps_order_and_shares():
    text = np.tile([0, 1, 2], 20_000)
    sentences = np.arange(60_000) // 30
    keep = np.array([0.2, 1.0, 0.5])
    words, kept_sentences = subsample(text, sentences, keep, np.random.default_rng(0))
    np.testing.assert_allclose(np.bincount(words) / 20_000, keep, atol=0.02)
    assert (np.diff(kept_sentences) >= 0).all() and len(words) == len(kept_sentences)
    # what stays is a part of the text in its order
    marked, _ = subsample(
        np.arange(60), np.zeros(60, int), np.full(60, 0.5), np.random.default_rng(0)
    )
    assert (np.diff(marked) > 0).all()


# the expected loss and where it is least


def table_of(n_words=6, seed=0):
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 5, (n_words, n_words)).astype(float)
    noise = rng.random(n_words) + 0.1
    return counts, noise / noise.sum()


@pytest.mark.parametrize("seed", range(3))
def test_the_expected_loss_is_the_sum_over_all_words(seed):
    vectors, (counts, noise) = random_vectors(seed=seed), table_of(seed=seed)
    total = 0
    for i, j in np.ndindex(6, 6):
        loss = np.log1p(np.exp(-vectors.inputs[i] @ vectors.outputs[j]))
        for k in range(6):
            score = vectors.inputs[i] @ vectors.outputs[k]
            loss += 3 * noise[k] * np.log1p(np.exp(score))
        total += counts[i, j] * loss
    ours = expected_loss(vectors, csr_array(counts), noise, 3)
    assert ours == pytest.approx(total / counts.sum(), rel=1e-12)


def test_the_expected_loss_of_many_words_is_the_mean_of_draws():
    n_words, rng = 2300, np.random.default_rng(0)
    vectors = random_vectors(n_words, 4)
    i, j = rng.integers(n_words, size=(2, 400))
    counts = coo_array((np.ones(400), (i, j)), shape=(n_words, n_words)).tocsr()
    noise = noise_distribution(rng.integers(1, 50, n_words))
    drawn = rng.choice(n_words, size=(400, 2000), p=noise)
    true = (vectors.inputs[i] * vectors.outputs[j]).sum(1)
    scores = np.einsum("id,ikd->ik", vectors.inputs[i], vectors.outputs[drawn])
    mean = np.logaddexp(0, -true).mean() + 2 * np.logaddexp(0, scores).mean()
    assert expected_loss(vectors, counts, noise, 2) == pytest.approx(mean, rel=0.01)


def test_untrained_vectors_cost_log_two_for_every_answer():
    counts, noise = table_of()
    still = WordVectors(np.zeros((6, 2)), np.ones((6, 2)))
    ours = expected_loss(still, csr_array(counts), noise, 7)
    assert ours == pytest.approx(8 * log(2))


def test_nothing_pulls_at_the_shifted_pmi():
    counts, noise = table_of(5, seed=4)
    counts += 1
    scores = torch.tensor(
        shifted_pmi(csr_array(counts), noise, 3).toarray(), requires_grad=True
    )
    softplus = torch.nn.functional.softplus
    M, nu = torch.tensor(counts), torch.tensor(noise)
    loss = (M * softplus(-scores)).sum()
    loss = loss + 3 * (M.sum(1, keepdim=True) * nu * softplus(scores)).sum()
    loss.backward()
    assert scores.grad.abs().max() < 1e-12 * counts.sum()
    # and expected_loss agrees that it is least there
    at_least = WordVectors(scores.detach().numpy(), np.eye(5))
    least = expected_loss(at_least, csr_array(counts), noise, 3)
    assert least * counts.sum() == pytest.approx(loss.item())
    for seed in range(5):
        moved = at_least.inputs + 0.1 * np.random.default_rng(seed).standard_normal(
            (5, 5)
        )
        moved = WordVectors(moved, np.eye(5))
        assert expected_loss(moved, csr_array(counts), noise, 3) > least


def test_with_unigram_noise_it_is_the_pmi_less_log_k():
    counts = np.array([[0, 4, 2], [4, 0, 0], [2, 0, 0.0]])
    pmi = shifted_pmi(csr_array(counts), counts.sum(0) / 12, 5)
    assert pmi.nnz == 4
    assert pmi.toarray()[0, 1] == pytest.approx(log(4 * 12 / (6 * 4)) - log(5))
    assert pmi.toarray()[2, 0] == pytest.approx(log(2 * 12 / (2 * 6)) - log(5))


def test_cells_that_are_stored_twice_or_empty():
    rows, columns, data = [0, 0, 1, 1], [1, 1, 0, 1], [1.0, 2.0, 3.0, 0.0]
    counts = coo_array((data, (rows, columns)), shape=(2, 2))
    pmi = shifted_pmi(counts, np.array([0.5, 0.5]), 1)
    assert pmi.nnz == 2 and counts.nnz == 4
    np.testing.assert_allclose(pmi.data, [log(2), log(2)])


# phrases


def phrases_slowly(corpus, discount, threshold):
    pairs = Counter()
    for n in range(1, len(corpus.words)):
        if corpus.sentences[n - 1] == corpus.sentences[n]:
            pairs[tuple(corpus.words[n - 1 : n + 1].tolist())] += 1
    found = {}
    for (a, b), n in pairs.items():
        counts = int(corpus.counts[a]) * int(corpus.counts[b])
        score = len(corpus.words) * (n - discount) / counts
        if score > threshold:
            found[a, b] = score
    return found


def joined_slowly(corpus, pairs):
    pairs = [tuple(p) for p in pairs.tolist()]
    words, sentences, n = [], [], 0
    while n < len(corpus.words):
        sentences.append(int(corpus.sentences[n]))
        pair = tuple(corpus.words[n : n + 2].tolist())
        if pair in pairs and corpus.sentences[n] == corpus.sentences[n + 1]:
            words.append(len(corpus.vocabulary) + pairs.index(pair))
            n += 2
        else:
            words.append(int(corpus.words[n]))
            n += 1
    return words, sentences


@given(
    length=st.integers(1, 120),
    n_words=st.integers(1, 6),
    discount=st.integers(0, 3),
    seed=st.integers(0, 99),
)
def test_phrases_are_those_of_a_walk_through_the_text(length, n_words, discount, seed):
    rng = np.random.default_rng(seed)
    corpus = corpus_of(
        rng.integers(n_words, size=length), np.cumsum(rng.random(length) < 0.2), n_words
    )
    pairs, scores = find_phrases(corpus, discount=discount, threshold=0.7)
    slowly = phrases_slowly(corpus, discount, 0.7)
    ours = dict(zip(map(tuple, pairs.tolist()), scores, strict=True))
    assert ours == pytest.approx(slowly)
    assert (np.diff(scores) <= 0).all()
    joined = join_phrases(corpus, pairs)
    slow_words, slow_sentences = joined_slowly(corpus, pairs)
    np.testing.assert_array_equal(joined.words, slow_words)
    np.testing.assert_array_equal(joined.sentences, slow_sentences)
    assert len(joined.vocabulary) == n_words + len(pairs)


def test_phrases_by_hand():
    # new york is there three times, and once across two sentences
    text = [0, 1, 2, 0, 1, 3, 0, 1, 2, 3, 0, 1, 3]
    sentences = [0] * 11 + [1] * 2
    corpus = Corpus(np.array(text), np.array(sentences), ("new", "york", "in", "a"))
    pairs, scores = find_phrases(corpus, discount=1, threshold=1.5)
    assert pairs.tolist() == [[0, 1], [1, 2]]
    assert scores == pytest.approx([13 * (3 - 1) / (4 * 4), 13 * (2 - 1) / (4 * 2)])
    joined = join_phrases(corpus, pairs[:1])
    assert [joined.vocabulary[w] for w in joined.words] == (
        "new_york in new_york a new_york in a new york a".split()
    )
    np.testing.assert_array_equal(joined.sentences, [0] * 8 + [1, 1])


def test_a_word_is_in_one_phrase_at_most():
    corpus = corpus_of([0, 0, 0, 0, 0, 1, 0, 1])
    joined = join_phrases(corpus, np.array([[0, 0], [0, 1]]))
    assert joined.words.tolist() == [2, 2, 3, 3]


# training


def score_of(vectors, corpus=SMALL, training=None):
    training = training or NegativeSampling()
    counts = window_counts(corpus, training.reach, lambda distance: 1.0)
    noise = noise_distribution(corpus.counts, training.power)
    return expected_loss(vectors, counts, noise, training.n_noise)


def test_the_three_ways_learn_the_same():
    training = NegativeSampling(
        dimensions=8, reach=1, epochs=1, threshold=None, learning_rate=0.2, n_blocks=1
    )
    corpus = Corpus(SMALL.words[:4000], SMALL.sentences[:4000], SMALL.vocabulary)
    losses = {
        step: score_of(
            training.fit(corpus, step=step, random_state=0), corpus, training
        )
        for step in ("pairs", "minibatches", "blocks")
    }
    untrained = 6 * log(2)
    assert all(loss < 0.65 * untrained for loss in losses.values())
    assert max(losses.values()) - min(losses.values()) < 0.25


def test_training_is_seeded():
    training = NegativeSampling(dimensions=4, epochs=1)
    runs = [training.fit(SMALL, random_state=seed) for seed in (0, 0, 1)]
    np.testing.assert_array_equal(runs[0].inputs, runs[1].inputs)
    assert np.abs(runs[0].inputs - runs[2].inputs).max() > 1e-3
    assert runs[0].inputs.shape == runs[0].outputs.shape == (len(SMALL.vocabulary), 4)
    assert runs[0].inputs.dtype == np.float32


def test_it_starts_as_word2vec_does():
    start = NegativeSampling(dimensions=10).start(SMALL, np.random.default_rng(0))
    assert 0.045 < np.abs(start.inputs).max() <= 0.05
    assert not start.outputs.any()


@pytest.mark.parametrize("step", ["pairs", "minibatches", "blocks"])
def test_the_learning_rate_falls_over_all_epochs(step):
    corpus = Corpus(SMALL.words[:2000], SMALL.sentences[:2000], SMALL.vocabulary)
    training = NegativeSampling(epochs=2, learning_rate=0.04, n_blocks=1)
    steps = list(training.steps(corpus, step, np.random.default_rng(0)))
    rates = np.array([arguments[-1] for arguments in steps])
    assert rates[0] == 0.04 and (np.diff(rates) < 1e-12).all()
    half = len(rates) // 2
    assert rates[half] == pytest.approx(0.02, rel=0.1)
    assert 0 < rates[-1] < 0.04 * 0.05


def test_noise_is_drawn_from_its_distribution():
    training = NegativeSampling(n_shared=100, epochs=3, power=0.5)
    drawn = [arguments[1] for arguments in training.steps(SMALL, "blocks", _rng(1))]
    drawn = np.concatenate(drawn)
    shares = np.bincount(drawn, minlength=len(SMALL.vocabulary)) / len(drawn)
    noise = noise_distribution(SMALL.counts, 0.5)
    off = (shares - noise) / np.sqrt(noise / len(drawn))
    assert np.abs(off).max() < 4.5


def _rng(seed):
    return np.random.default_rng(seed)


def test_it_recovers_the_planted_vectors():
    corpus = planted_corpus(150_000, n_groups=5, n_function_words=60, random_state=0)
    training = NegativeSampling(dimensions=16, epochs=2, threshold=None)
    vectors = training.fit(corpus, random_state=0)
    assert planted_scores(vectors.inputs, corpus, n_questions=500)["within"] > 0.8


@pytest.fixture
def no_guard(monkeypatch):
    monkeypatch.setattr(negative_sampling, "LONGEST_STRIDE", np.inf)


def test_a_stride_beyond_the_guard_diverges(no_guard):
    wild = NegativeSampling(dimensions=8, epochs=2, n_shared=300, threshold=None)
    rng, strides = np.random.default_rng(0), {}
    for n_shared in (300, 4):
        vectors = wild.start(SMALL, rng)
        with np.errstate(all="ignore"):
            for block, noise, n_noise, rate in wild.steps(SMALL, "blocks", rng):
                block_step(vectors, block, noise[:n_shared], n_noise, rate)
        strides[n_shared] = np.abs(vectors.outputs).max()
    assert strides[300] < 10
    assert not strides[4] < 1e3


@pytest.mark.parametrize(
    "learning_rate, message", [(0.05, "at most 50"), (0.2, "finite")]
)
def test_a_training_that_went_astray_is_refused(learning_rate, message, no_guard):
    wild = NegativeSampling(
        dimensions=8, threshold=None, n_blocks=4, learning_rate=learning_rate
    )
    with np.errstate(all="ignore"), pytest.raises(ValueError, match=message):
        wild.fit(SMALL, random_state=0)


def test_the_training_is_frozen():
    with pytest.raises(FrozenInstanceError):
        NegativeSampling().epochs = 3


COUNTS = csr_array(np.ones((6, 6)))
NOISE = np.full(6, 1 / 6)


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda: noise_distribution([1, -1]), ValueError, "counts must not be neg"),
        (lambda: noise_distribution([[1, 1]]), ValueError, "counts must have 1"),
        (lambda: noise_distribution([1, np.nan]), ValueError, "counts must be fin"),
        (lambda: noise_distribution([0, 0]), ValueError, "counts must not all be zero"),
        (lambda: noise_distribution([1, 1], "1"), TypeError, "power must be a number"),
        (lambda: keep_probability([1], 0), ValueError, "threshold must be positive"),
        (
            lambda: expected_loss(random_vectors(5), COUNTS, NOISE, 5),
            ValueError,
            r"must be for 5 words, as the vectors are, got \(6, 6\) and \(6,\)",
        ),
        (
            lambda: expected_loss(random_vectors(), 0 * COUNTS, NOISE, 5),
            ValueError,
            "counts must hold at least one pair, got none",
        ),
        (
            lambda: shifted_pmi(COUNTS, NOISE[:5], 5),
            ValueError,
            r"counts must have shape \(V, V\) and noise \(V,\), got \(6, 6\) and \(5,\)",
        ),
        (
            lambda: shifted_pmi(COUNTS, np.eye(6)[0], 5),
            ValueError,
            "noise must be positive for every word that is a context",
        ),
        (lambda: shifted_pmi(-COUNTS, NOISE, 5), ValueError, "counts must not be neg"),
        (lambda: shifted_pmi(COUNTS, NOISE, 0), ValueError, "n_noise must be at least"),
        (lambda: find_phrases(SMALL, discount=-1), ValueError, "discount must not be"),
        (lambda: find_phrases(SMALL, threshold=0), ValueError, "threshold must be pos"),
        (
            lambda: join_phrases(SMALL, np.array([1, 2])),
            ValueError,
            r"pairs must be integers \(P, 2\), got int64 \(2,\)",
        ),
        (
            lambda: join_phrases(SMALL, np.array([[0, 10_000]])),
            ValueError,
            "pairs must be words from 0 to",
        ),
        (lambda: NegativeSampling(dimensions=0), ValueError, "dimensions must be at"),
        (lambda: NegativeSampling(reach=1.0), TypeError, "reach must be an integer"),
        (lambda: NegativeSampling(n_noise=0), ValueError, "n_noise must be at least 1"),
        (lambda: NegativeSampling(epochs=0), ValueError, "epochs must be at least 1"),
        (lambda: NegativeSampling(power=np.inf), ValueError, "power must be finite"),
        (lambda: NegativeSampling(threshold=0), ValueError, "threshold must be pos"),
        (lambda: NegativeSampling(learning_rate=0), ValueError, "learning_rate must"),
        (
            lambda: NegativeSampling(n_blocks=32, n_shared=64),
            ValueError,
            "n_shared must be at least 96 for 32 blocks a step at this learning rate, "
            "got 64",
        ),
        (
            lambda: NegativeSampling().fit(SMALL, step="block", random_state=0),
            ValueError,
            "step must be one of pairs, minibatches, blocks, got 'block'",
        ),
    ],
)
def test_bad_input_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_as_few_shared_noise_words_as_the_message_says_are_accepted():
    with pytest.raises(ValueError, match="n_shared must be at least 24"):
        NegativeSampling(n_blocks=8, n_shared=23)
    NegativeSampling(n_blocks=8, n_shared=24)


@pytest.mark.filterwarnings("error")
def test_a_learning_rate_of_half_precision_is_kept_as_a_float():
    rate = NegativeSampling(learning_rate=np.float16(0.025)).learning_rate
    assert type(rate) is float and rate == float(np.float16(0.025))


@pytest.mark.parametrize(
    "training",
    [
        NegativeSampling(threshold=None, learning_rate=0.05, n_shared=128),
        NegativeSampling(threshold=None, n_blocks=32, n_shared=256),
        NegativeSampling(threshold=None, n_noise=15, n_blocks=8, n_shared=128),
    ],
    ids=["rate", "blocks", "noise words"],
)
def test_a_step_too_long_for_a_frequent_word_is_refused(training):
    corpus = planted_corpus(2000, random_state=0)
    frequent = np.where(np.arange(len(corpus.words)) % 5 == 0, 0, corpus.words)
    text = Corpus(frequent, corpus.sentences, corpus.vocabulary)
    with pytest.raises(ValueError, match=r"n_blocks must be at most .* makes up 2\d"):
        training.fit(text, random_state=0)
