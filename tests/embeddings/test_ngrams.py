"""Kneser-Ney against the formula written out with dictionaries."""

from collections import Counter
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lossbook.embeddings.neural_language_model import contexts_and_targets, perplexity
from lossbook.embeddings.ngrams import KneserNey


def discount(counts):
    once = sum(c == 1 for c in counts.values())
    twice = sum(c == 2 for c in counts.values())
    return once / (once + 2 * twice) if once and twice else 0.5


def written_out(text, n_words, context, word, counts=None):
    """p(word | context), from counts of n-grams in dictionaries."""
    length = len(context) + 1
    if counts is None:
        counts = Counter(
            tuple(text[i : i + length]) for i in range(len(text) - length + 1)
        )
    d = discount(counts)
    after = {gram: c for gram, c in counts.items() if gram[:-1] == context}
    if context:
        shorter = Counter(gram[1:] for gram in counts)  # each different gram once
        lower = written_out(text, n_words, context[1:], word, shorter)
    else:
        lower = 1 / n_words
    if not after:
        return lower
    total = sum(after.values())
    mine = max(after.get((*context, word), 0) - d, 0) / total
    return mine + d * len(after) / total * lower


@given(
    text=st.lists(st.integers(0, 3), min_size=4, max_size=40),
    n_context=st.integers(0, 3),
)
def test_probabilities_are_the_formula_written_out(text, n_context):
    ours = KneserNey(text, 5, n_context)
    contexts = np.array(list(product(range(5), repeat=n_context)), dtype=int)
    p = ours.probabilities(contexts)
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-12)
    assert p.min() > 0
    for row in range(0, len(contexts), 7):
        context = tuple(contexts[row].tolist())
        for word in range(5):
            expected = written_out(text, 5, context, word)
            assert p[row, word] == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(np.exp(ours.log_probabilities(contexts)), p, rtol=1e-12)


def test_a_bigram_model_by_hand():
    # 0 1 0 2 0 1 0: after 0 stood 1 twice and 2 once, after 1 and 2 only 0
    text = [0, 1, 0, 2, 0, 1, 0]
    # of the pairs 01, 10, 02, 20 two were seen once, two twice: d = 2 / (2 + 4) = 1/3
    # different words before: 0 has two (1 and 2), 1 has one, 2 has one: one count is 2,
    # two are 1, d = 2 / (2 + 2) = 1/2, and three words of four are known
    lower = np.array([2 - 0.5, 1 - 0.5, 1 - 0.5, 0]) / 4 + 0.5 * 3 / 4 / 4
    expected = np.array([0, 2 - 1 / 3, 1 - 1 / 3, 0]) / 3 + 1 / 3 * 2 / 3 * lower
    p = KneserNey(text, 4, 1).probabilities([[0], [3]])
    np.testing.assert_allclose(p[0], expected, rtol=1e-13)
    np.testing.assert_allclose(p[1], lower, rtol=1e-13)  # never seen: the shorter one


def test_a_word_with_one_neighbour_is_not_expected_elsewhere():
    # 2 is frequent, but only after 1; 3 and 4 are rarer and stand after several words
    text = [1, 2] * 30 + [0, 3, 1, 3, 2, 3, 0, 4, 1, 4, 2, 4, 3, 4] * 2 + [5, 0]
    unseen = KneserNey(text, 6, 1).probabilities([[5]])[0]
    assert KneserNey(text, 6, 0).probabilities(np.zeros((1, 0), int))[0, 2] > 0.3
    assert unseen[4] > unseen[2] and unseen[3] > unseen[2]


def test_in_a_long_text_of_independent_words_every_length_finds_the_frequencies():
    q = np.array([0.5, 0.3, 0.15, 0.05])
    text = np.random.default_rng(0).choice(4, size=60_000, p=q)
    entropy = np.exp(-np.sum(q * np.log(q)))
    for n_context in (0, 1, 2):
        fresh = np.random.default_rng(1).choice(4, size=60_000, p=q)
        reached = perplexity(
            KneserNey(text, 4, n_context), *contexts_and_targets(fresh, n_context)
        )
        assert reached == pytest.approx(entropy, rel=0.01)


@pytest.mark.parametrize(
    "call, error, message",
    [
        (
            lambda: KneserNey([0, 1, 2], 3, -1),
            ValueError,
            "n_context must be at least 0",
        ),
        (lambda: KneserNey([0, 1, 2], 0, 1), ValueError, "n_words must be at least 1"),
        (lambda: KneserNey([0, 1, 3], 3, 1), ValueError, "words from 0 to 2, got 3"),
        (lambda: KneserNey([0.0, 1.0], 3, 1), TypeError, "words must be integers"),
        (lambda: KneserNey([0, 1], 3, 2), ValueError, "text of more than 2 words"),
        (
            lambda: KneserNey([0, 1] * 4, 2**16, 5),
            ValueError,
            "n_context is too long for 65536 words.*, got 5",
        ),
        (
            lambda: KneserNey([0, 1, 2], 3, 1).probabilities([[0, 1]]),
            ValueError,
            r"contexts must have shape \(any, 1\), got \(1, 2\)",
        ),
        (
            lambda: KneserNey([0, 1, 2], 3, 1).probabilities([[3]]),
            ValueError,
            "contexts must be words from 0 to 2, got 3",
        ),
    ],
)
def test_bad_arguments_are_refused_by_name(call, error, message):
    with pytest.raises(error, match=message):
        call()
