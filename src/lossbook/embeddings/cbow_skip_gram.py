"""CBOW and skip-gram with a full softmax: a word from its neighbours, or its neighbours
from a word, by inner products alone (Mikolov et al. 2013a).

Input and output vectors are both rows here, (V, D). There is no bias.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import minimize

from lossbook._validation import (
    array_namespace,
    finite_floats,
    numpy_gradient,
    refuse_where,
    require_count,
    require_float_type,
    require_instance,
    require_integers,
    require_one_kind,
    require_table,
    require_words,
)
from lossbook.embeddings._rows import add_rows
from lossbook.embeddings._windows import window_pairs
from lossbook.losses.multiclass_classification import _softmax_and_log

NO_WORD = -1  # fills up a context that has fewer words than the others


@dataclass(frozen=True, eq=False)
class _TwoVectorsAWord:
    """Scores of all words, ``hidden @ outputs.T``; subclasses say what is hidden.

    inputs, outputs: (V, D), the vectors that a word has on either side.

    Raises TypeError when one is not numbers, ValueError when their shapes differ or an
    entry is not finite.
    """

    inputs: Any
    outputs: Any

    def __post_init__(self):
        for name, array in self.parameters.items():
            object.__setattr__(self, name, finite_floats(array, name, ndim=2))
        require_one_kind(self.parameters)
        if self.inputs.shape != self.outputs.shape:
            raise ValueError(
                f"outputs must have the shape of inputs, {tuple(self.inputs.shape)}, "
                f"got {tuple(self.outputs.shape)}"
            )

    @classmethod
    def random(cls, n_words, dimensions, *, random_state, dtype=np.float64):
        """The start of word2vec: inputs uniform within 0.5 / D of zero, outputs zero."""
        n_words = require_count(n_words, "n_words")
        dimensions = require_count(dimensions, "dimensions")
        dtype = require_float_type(dtype)
        rng = np.random.default_rng(require_count(random_state, "random_state", 0))
        inputs = (rng.random((n_words, dimensions)) - 0.5) / dimensions
        return cls(inputs.astype(dtype), np.zeros((n_words, dimensions), dtype))

    @property
    def parameters(self):
        """The parameters by name; `gradients` has the same keys and shapes."""
        return {"inputs": self.inputs, "outputs": self.outputs}

    def scores(self, features):
        """(N, V), a score for each word of the vocabulary. Raises TypeError or ValueError
        when features are not what the model takes."""
        return self._hidden(self._checked(features)) @ self.outputs.T

    def gradients(self, features, score_gradient):
        """The gradient of a loss in the parameters, from its gradient in the scores;
        what the samples contribute to the vector of one word is added up.

        score_gradient: dL/ds, (N, V), with any 1/N already in it.

        Raises TypeError or ValueError when one does not fit.
        """
        features = self._checked(features)
        shape = (len(features), len(self.outputs))
        g = numpy_gradient(score_gradient, shape, self.parameters)
        return {
            "inputs": self._pulled_back(features, g @ self.outputs),
            "outputs": g.T @ self._hidden(features),
        }


class SkipGram(_TwoVectorsAWord):
    """The words around a word from that word: score j is ``inputs[i] @ outputs[j]``.

    inputs, outputs: (V, D). ``features`` are words (N,); each pair of a word and one
    neighbour is a sample, with the neighbour as its target.

    Raises TypeError or ValueError when the parameters are no such arrays.
    """

    def _hidden(self, words):
        return self.inputs[words]

    def _pulled_back(self, words, hidden_gradient):
        gradient = np.zeros_like(self.inputs)
        add_rows(gradient, words, hidden_gradient)
        return gradient

    def _checked(self, features):
        return require_words(features, "features", len(self.inputs), (None,))


class CBOW(_TwoVectorsAWord):
    """A word from the words around it: score j is the mean of their input vectors, times
    ``outputs[j]``.

    inputs, outputs: (V, D). ``features`` are contexts (N, B), -1 where there is no word;
    the target is the word in the middle. `window_contexts` makes both.

    Raises TypeError or ValueError when the parameters are no such arrays.
    """

    def _hidden(self, contexts):
        present = contexts != NO_WORD
        shares = present / present.sum(axis=1, keepdims=True)
        xp = array_namespace(self.inputs)
        shares = xp.asarray(shares, dtype=self.inputs.dtype)
        return (shares[:, None] @ self.inputs[contexts])[:, 0]

    def _pulled_back(self, contexts, hidden_gradient):
        gradient = np.zeros_like(self.inputs)
        sample, place = np.nonzero(contexts != NO_WORD)
        share = hidden_gradient / (contexts != NO_WORD).sum(axis=1, keepdims=True)
        add_rows(gradient, contexts[sample, place], share[sample])
        return gradient

    def _checked(self, features):
        contexts = require_integers(features, "features", (None,) * 2)
        present = contexts != NO_WORD
        words = np.where(present, contexts, 0)
        require_words(words, "features", len(self.inputs), (None,) * 2)
        empty = ~present.any(axis=1)
        refuse_where(empty, contexts[:, :1], "features", "have a word in each context")
        return contexts


def window_contexts(words, sentences, reach, random_state=None):
    """What `CBOW` learns from: (contexts, centres), of shape (N', 2 reach) and (N',).

    The words to the left of a centre come before those to the right, as in the text; -1
    where the window or the sentence has no word. A centre without any neighbour is left
    out. words, sentences, reach, random_state: as in `window_pairs`, whose pairs these
    are.

    Raises TypeError or ValueError when one is no such argument.
    """
    words = require_integers(words, "words", ("N",))
    centres, neighbours = window_pairs(
        np.arange(len(words)), sentences, reach, random_state
    )
    contexts = np.full((len(words), 2 * reach), NO_WORD)
    offset = neighbours - centres
    contexts[centres, reach + offset - (offset > 0)] = words[neighbours]
    some = (contexts != NO_WORD).any(axis=1)
    return contexts[some], words[some]


def skip_gram_loss_and_gradients(model, counts):
    """(mean loss, its gradients in the parameters) of a `SkipGram` over all pairs of a
    text at once, in nats.

    counts: (V, V) numbers of at least 0, dense or sparse: how often word j, the column,
        is the target when word i, the row, is given. `window_counts` makes them.

    Raises TypeError or ValueError when counts are no such numbers, or all are 0.
    """
    require_instance(model, "model", SkipGram, "a SkipGram")
    counts = _counts(counts, len(model.inputs))
    every_word, of_word = np.arange(len(counts)), counts.sum(axis=1, keepdims=True)
    p, log_p = _softmax_and_log(model.scores(every_word))
    total = counts.sum()
    loss = -float((counts * log_p).sum() / total)
    return loss, model.gradients(every_word, (of_word * p - counts) / total)


def fit_skip_gram(counts, dimensions, *, random_state):
    """The `SkipGram` to which the loss of `skip_gram_loss_and_gradients` descends, and
    the losses on the way: (model, (steps + 1,) array).

    By L-BFGS, which builds up an estimate of the curvature, until a step gains less than
    a 100-millionth of the loss. Both matrices start at normal numbers of standard
    deviation 0.1: with outputs of zero it sits still for a long time.

    dimensions: D. counts: as there. random_state: of the start.

    Raises TypeError or ValueError when one is no such number.
    """
    counts = _counts(counts, None)
    dimensions = require_count(dimensions, "dimensions")
    rng = np.random.default_rng(require_count(random_state, "random_state", 0))

    def unpacked(theta):
        return SkipGram(*theta.reshape(2, len(counts), dimensions))

    def loss_and_gradient(theta):
        loss, gradients = skip_gram_loss_and_gradients(unpacked(theta), counts)
        return loss, np.concatenate([g.ravel() for g in gradients.values()])

    start = 0.1 * rng.standard_normal(2 * len(counts) * dimensions)
    losses = [loss_and_gradient(start)[0]]
    found = minimize(
        loss_and_gradient,
        start,
        jac=True,
        method="L-BFGS-B",
        callback=lambda intermediate_result: losses.append(intermediate_result.fun),
        options={"ftol": 1e-8, "gtol": 0, "maxiter": 500},
    )
    return unpacked(found.x), np.array(losses)


def _counts(counts, n_words):
    """``counts`` as a dense float64 array (V, V)."""
    counts = require_table(counts, n_words).toarray().astype(np.float64, copy=False)
    refuse_where(counts < 0, counts, "counts", "not be negative")
    if not counts.any():
        raise ValueError("counts must not all be zero, got none that is not")
    return counts


def derivation():
    """The gradient of one sample of CBOW in one entry, e, of the input vector of one of
    the B words of its context. Skip-gram is the case B = 1 with v = 0.

    v is the sum of this entry over the other words of the context, so that u is the mean.
    w_j is the same entry of output vector j; what all other entries add to score j is in
    b_j. y is the word that is to be guessed.
    """
    from sympy import Idx, IndexedBase, KroneckerDelta, Sum, exp, log, symbols

    from lossbook.derivation import Derivation, Line, Partial, as_written

    size = symbols("V", integer=True, positive=True)
    i, j, y = (Idx(name, (1, size)) for name in "ijy")
    b, p, s, w = (IndexedBase(name, real=True) for name in "bpsw")
    ell, e, u, v = symbols("ell e u v", real=True)
    n_context = symbols("B", positive=True)
    with as_written():
        pull = p[j] - KroneckerDelta(j, y)
        lines = [
            Line(log(Sum(exp(s[j]), j)) - s[y], "the cross-entropy of the right word"),
            Line(
                Sum(pull * Partial(s[j], u) * Partial(u, e), j),
                "chain rule: the mean reaches the loss through every score",
                wrt=e,
            ),
            Line(
                Sum(pull * w[j] * (1 / n_context), j),
                "one term of each score holds $u$; one of $B$ terms of the mean holds "
                "$e$",
            ),
            Line(
                1 / n_context * Sum(pull * w[j], j), "$B$ is the same for every score"
            ),
        ]
        where = {
            u: (e + v) / n_context,
            s[j]: u * w[j] + b[j],
            p[j]: exp(s[j]) / Sum(exp(s[i]), i),
        }
    return Derivation(ell, lines, where)


def counts_derivation():
    """The gradient of skip-gram's mean loss over all pairs of a text in one score s_ij,
    from the table M of their counts: N_i of the N pairs have the input word i."""
    from sympy import Idx, IndexedBase, Sum, exp, log, symbols

    from lossbook.derivation import Derivation, Line, as_written

    size = symbols("V", integer=True, positive=True)
    i, j, k, other_i, other_j = (
        Idx(name, (1, size)) for name in ("i j k i' j'".split())
    )
    s = IndexedBase("s", real=True)
    m, n_i, p, q = (IndexedBase(name, positive=True) for name in "MNpq")
    loss, total = symbols("L", real=True), symbols("N", positive=True)
    with as_written():
        row = log(Sum(exp(s[other_i, k]), k))
        lines = [
            Line(
                -(1 / total)
                * Sum(m[other_i, other_j] * log(p[other_i, other_j]), other_j, other_i),
                "equal pairs have equal losses: count them",
            ),
            Line(
                1
                / total
                * Sum(
                    n_i[other_i] * row
                    - Sum(m[other_i, other_j] * s[other_i, other_j], other_j),
                    other_i,
                ),
                "the log of the softmax; the counts of a row add up to $N_i$",
            ),
            Line(
                1 / total * (n_i[i] * exp(s[i, j]) / Sum(exp(s[i, k]), k) - m[i, j]),
                "one row holds $s_{ij}$; chain rule in the logarithm",
                wrt=s[i, j],
            ),
            Line(
                n_i[i] / total * (p[i, j] - q[i, j]),
                "take the share of word $i$ out; the softmax again",
            ),
        ]
        where = {
            p[i, j]: exp(s[i, j]) / Sum(exp(s[i, k]), k),
            n_i[i]: Sum(m[i, k], k),
            q[i, j]: m[i, j] / n_i[i],
        }
    return Derivation(loss, lines, where)
