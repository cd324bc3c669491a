"""Which words stand near which: the pairs in a window, and how often each occurs."""

import numpy as np
from scipy.sparse import coo_array, csr_array

from lossbook._validation import (
    require_corpus,
    require_count,
    require_integers,
    require_rng,
)


def neighbouring(sentences, reach):
    """Yield, for each distance from 1 to reach, ``(distance, left)``: the places that
    have a neighbour of the same sentence that far to the right."""
    for distance in range(1, min(reach, len(sentences) - 1) + 1):
        yield (
            distance,
            np.flatnonzero(sentences[:-distance] == sentences[distance:]),
        )


def window_pairs(words, sentences, reach, random_state=None):
    """The pairs (centre, context) of all windows, two int64 arrays of shape (P,).

    words, sentences: (N,), as in `lossbook.corpora.Corpus`. reach: words to either side.
    random_state: an integer or a Generator draws the reach of each centre from 1 to reach,
        the dynamic window of Mikolov et al. (2013a); None takes the whole reach.

    Pairs are in the order of their distance. Raises TypeError or ValueError when one is no
    such argument.
    """
    words = require_integers(words, "words", ("N",))
    sentences = require_integers(sentences, "sentences", words.shape)
    reach = require_count(reach, "reach")
    own = np.full(len(words), reach)
    if random_state is not None:
        rng = require_rng(random_state, "random_state")
        own = rng.integers(1, reach + 1, size=len(words))
    centres, contexts = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for distance, left in neighbouring(sentences, reach):
        right = left + distance
        for centre, context in ((left, right), (right, left)):
            within = own[centre] >= distance
            centres.append(words[centre[within]])
            contexts.append(words[context[within]])
    return np.concatenate(centres), np.concatenate(contexts)


def window_counts(corpus, reach, weight):
    """M, how often each word occurs near each other one: sparse (V, V) float64, the row
    the centre and the column its neighbour; symmetric, since windows are.

    weight: a function of the distance, 1 to reach: what an occurrence there counts.

    Raises TypeError or ValueError when corpus is none, or reach not a positive integer.
    """
    require_corpus(corpus)
    reach = require_count(reach, "reach")
    shape = 2 * (len(corpus.vocabulary),)
    after = csr_array(shape)
    for distance, left in neighbouring(corpus.sentences, reach):
        pairs = corpus.words[left], corpus.words[left + distance]
        occurrences = coo_array((np.ones(len(left)), pairs), shape).tocsr()
        after += float(weight(distance)) * occurrences
    return after + after.T
