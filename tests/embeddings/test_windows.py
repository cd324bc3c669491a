"""Windows, against a walk through the text word by word."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lossbook.corpora import Corpus
from lossbook.embeddings._windows import neighbouring, window_counts, window_pairs

texts = st.lists(st.tuples(st.integers(0, 4), st.booleans()), max_size=30)
some_text = st.lists(
    st.tuples(st.integers(0, 4), st.booleans()), min_size=1, max_size=30
)
reaches = st.integers(1, 8)


def text_of(tokens):
    """(words, sentences); a token that is marked begins a sentence."""
    words = np.array([word for word, _ in tokens], dtype=np.int64)
    return words, np.cumsum([begins for _, begins in tokens], dtype=np.int64)


def pairs_slowly(words, sentences, own):
    """Counter of (centre, context), when place n reaches own[n] words to either side."""
    return Counter(
        (int(words[n]), int(words[m]))
        for n in range(len(words))
        for m in range(len(words))
        if 0 < abs(n - m) <= own[n] and sentences[n] == sentences[m]
    )


def as_counter(centres, contexts):
    return Counter(zip(centres.tolist(), contexts.tolist(), strict=True))


@given(texts, reaches)
def test_pairs_of_whole_windows(tokens, reach):
    words, sentences = text_of(tokens)
    centres, contexts = window_pairs(words, sentences, reach)
    expected = pairs_slowly(words, sentences, [reach] * len(words))
    assert as_counter(centres, contexts) == expected
    assert centres.dtype == contexts.dtype == np.int64


@given(texts, reaches, st.integers(0, 10))
def test_pairs_of_drawn_windows(tokens, reach, seed):
    words, sentences = text_of(tokens)
    own = np.random.default_rng(seed).integers(1, reach + 1, size=len(words))
    pairs = window_pairs(words, sentences, reach, seed)
    assert as_counter(*pairs) == pairs_slowly(words, sentences, own)
    again = window_pairs(words, sentences, reach, np.random.default_rng(seed))
    np.testing.assert_array_equal(pairs, again)


def test_pairs_come_in_the_order_of_their_distance():
    places = np.arange(12)
    centres, contexts = window_pairs(places, np.zeros(12, int), 4)
    assert (np.diff(np.abs(centres - contexts)) >= 0).all()


def test_each_reach_is_drawn_equally_often():
    places = np.arange(30_000)
    centres, contexts = window_pairs(places, np.zeros(30_000, int), 3, 0)
    share = np.bincount(np.abs(centres - contexts))[1:] / (2 * 30_000)
    np.testing.assert_allclose(share, [1, 2 / 3, 1 / 3], atol=0.015)


def test_the_reach_is_the_centres_own():
    """Skip-gram's input stands still while its neighbours change: the pair (1, 0) may be
    there without (0, 1)."""
    found = {
        tuple(as_counter(*window_pairs(np.arange(3), np.zeros(3, int), 2, seed)))
        for seed in range(20)
    }
    assert any((0, 2) in pairs and (2, 0) not in pairs for pairs in found)


@given(some_text, reaches)
def test_counts(tokens, reach):
    words, sentences = text_of(tokens)
    corpus = Corpus(words, sentences, tuple("abcde"))
    counts = window_counts(corpus, reach, lambda distance: 1 / (1 + distance**2))
    expected = np.zeros((5, 5))
    for n in range(len(words)):
        for m in range(len(words)):
            if 0 < abs(n - m) <= reach and sentences[n] == sentences[m]:
                expected[words[n], words[m]] += 1 / (1 + (n - m) ** 2)
    np.testing.assert_allclose(counts.toarray(), expected, rtol=1e-13)
    assert counts.dtype == np.float64


@given(some_text, reaches)
def test_unweighted_counts_are_the_pairs_of_whole_windows(tokens, reach):
    words, sentences = text_of(tokens)
    counts = window_counts(
        Corpus(words, sentences, tuple("abcde")), reach, lambda _: 1
    ).toarray()
    pairs = np.zeros((5, 5))
    np.add.at(pairs, window_pairs(words, sentences, reach), 1)
    np.testing.assert_array_equal(counts, pairs)


def test_counts_are_the_expected_pairs_of_drawn_windows():
    rng = np.random.default_rng(0)
    words, sentences = rng.integers(0, 4, 60), np.repeat(np.arange(5), 12)
    corpus = Corpus(words, sentences, tuple("abcd"))
    expected = window_counts(corpus, 3, lambda distance: (4 - distance) / 3).toarray()
    total, draws = np.zeros((4, 4)), 2000
    for _ in range(draws):
        np.add.at(total, window_pairs(words, sentences, 3, rng), 1)
    np.testing.assert_allclose(total / draws, expected, atol=0.25)
    assert expected.min() > 2


@given(texts, reaches)
def test_neighbouring_yields_every_distance_once(tokens, reach):
    _, sentences = text_of(tokens)
    distances = [distance for distance, _ in neighbouring(sentences, reach)]
    assert distances == list(range(1, min(reach, max(len(tokens) - 1, 0)) + 1))


def test_occurrences_are_counted_before_they_are_weighted():
    corpus = Corpus(np.arange(200) % 2, np.arange(200) // 2, tuple("ab"))
    counts = window_counts(corpus, 1, lambda _: 0.1)
    assert counts[0, 1] == 100 * 0.1 != sum(100 * [0.1])


@pytest.mark.parametrize(
    "reach, error, message",
    [
        (0, ValueError, "reach must be at least 1, got 0"),
        (2.0, TypeError, "reach must be an integer, got float: 2.0"),
        (True, TypeError, "reach must be an integer, got bool"),
    ],
)
def test_a_bad_reach_is_refused(reach, error, message):
    words, sentences = np.arange(3), np.zeros(3, int)
    with pytest.raises(error, match=message):
        window_pairs(words, sentences, reach)
    with pytest.raises(error, match=message):
        window_counts(Corpus(words, sentences, tuple("abc")), reach, lambda _: 1)
