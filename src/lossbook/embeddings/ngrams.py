"""Counting: n-gram models of text with Kneser-Ney smoothing."""

import numpy as np
from scipy.sparse import csr_array

from lossbook._validation import require_count, require_words
from lossbook.embeddings.neural_language_model import contexts_and_targets


class KneserNey:
    """Probabilities of the next word from counts of a text, interpolated Kneser-Ney with
    one discount for each length (Chen and Goodman 1999, section 2.7).

    With c(h, w) the count of word w after the context h, d a discount from 0 to 1 and h'
    the context without its oldest word::

        p(w | h) = max(c(h, w) - d, 0) / c(h) + d n(h) / c(h) * p(w | h')

    where c(h) is the sum of c(h, w) over all w, and n(h) the number of them that are not
    zero. In the shorter contexts c(h', w) does not count tokens but the different words
    that stood before h' w. The last p, without any context, is 1 / V. d is
    n_1 / (n_1 + 2 n_2), n_k the number of entries c(h, w) that are k (one half where n_1
    or n_2 is 0).

    words: the text, integers below n_words. n_context: the words of a context; 2 gives a
        trigram model, 0 one that knows how often words are and nothing else.

    Raises TypeError or ValueError naming the argument that does not fit.
    """

    def __init__(self, words, n_words, n_context):
        self.n_words = require_count(n_words, "n_words")
        self.n_context = require_count(n_context, "n_context", minimum=0)
        grams = np.column_stack(contexts_and_targets(words, self.n_context))
        require_words(grams, "words", self.n_words, (None, None))
        if self.n_words**self.n_context > np.iinfo(np.int64).max:
            raise ValueError(
                f"n_context is too long for {n_words} words: more contexts than int64 "
                f"can number, got {n_context}"
            )
        grams, counts = np.unique(grams, axis=0, return_counts=True)
        self._levels = [_Level(grams, counts, self.n_words)]
        while grams.shape[1] > 1:
            grams, counts = np.unique(grams[:, 1:], axis=0, return_counts=True)
            self._levels.append(_Level(grams, counts, self.n_words))

    def probabilities(self, contexts):
        """(N, V) probabilities of the next word.

        contexts: (N, n_context) words. Raises TypeError or ValueError when they are no
        such words.
        """
        contexts = require_words(
            contexts, "contexts", self.n_words, (None, self.n_context)
        )
        p = np.full((len(contexts), self.n_words), 1 / self.n_words)
        for level in reversed(self._levels):
            p = level.interpolated(contexts[:, self.n_context - level.n_context :], p)
        return p

    def log_probabilities(self, contexts):
        """(N, V) their logarithms."""
        return np.log(self.probabilities(contexts))


class _Level:
    """The counts of one length of context, as the two terms of the formula need them."""

    def __init__(self, grams, counts, n_words):
        self.n_context = grams.shape[1] - 1
        self._place_values = n_words ** np.arange(self.n_context)
        codes = grams[:, :-1] @ self._place_values  # a number for each context
        self._codes, rows = np.unique(codes, return_inverse=True)
        once, twice = np.sum(counts == 1), np.sum(counts == 2)
        d = once / (once + 2 * twice) if once and twice else 0.5
        totals = np.bincount(rows, counts)
        self._seen = csr_array(
            ((counts - d) / totals[rows], (rows, grams[:, -1])),
            shape=(len(self._codes), n_words),
        )
        self._left = d * np.bincount(rows) / totals

    def interpolated(self, contexts, shorter):
        """(N, V), from the probabilities after the shorter contexts; a context that was
        never seen has the same."""
        codes = contexts @ self._place_values
        rows = np.searchsorted(self._codes, codes).clip(max=len(self._codes) - 1)
        known = self._codes[rows] == codes
        rows = rows[known]
        p = shorter.copy()
        p[known] *= self._left[rows, None]
        p[known] += self._seen[rows].toarray()
        return p
