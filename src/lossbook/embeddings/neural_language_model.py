"""The neural probabilistic language model: the next word from the vectors of the words
before it (Bengio et al. 2003).

A context is a row of B words, the oldest first; a token is a sample, and its target is
the word that comes next.
"""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from lossbook._validation import (
    array_namespace,
    as_numpy,
    finite_floats,
    numpy_gradient,
    require_able,
    require_count,
    require_flag,
    require_float_type,
    require_integers,
    require_one_kind,
    require_words,
)
from lossbook.embeddings._rows import add_rows
from lossbook.losses.multiclass_classification import log_softmax

AT_ONCE = 1000  # rows of the (rows, V) table of log probabilities


@dataclass(frozen=True, eq=False)
class NeuralLanguageModel:
    """Scores of the V words that may come next, from the B words before.

    With x the vectors of the context, one after the other, and Q hidden units:
    ``tanh(x @ hidden_weights + hidden_bias) @ output_weights + output_bias``, plus
    ``x @ direct_weights`` if there are direct connections (equation 1 of the paper).

    embeddings: (V, D), the vectors. hidden_weights: (B D, Q). hidden_bias: (Q,).
    output_weights: (Q, V). output_bias: (V,). direct_weights: (B D, V) or None.

    Raises TypeError when one is not numbers, ValueError when their shapes do not fit or
    an entry is not finite.
    """

    embeddings: Any
    hidden_weights: Any
    hidden_bias: Any
    output_weights: Any
    output_bias: Any
    direct_weights: Any = None

    def __post_init__(self):
        optional = {"direct_weights"} if self.direct_weights is None else set()
        for name in {f.name for f in fields(self)} - optional:
            ndim = 1 if name.endswith("bias") else 2
            array = finite_floats(getattr(self, name), name, ndim=ndim)
            object.__setattr__(self, name, array)
        require_one_kind(self.parameters)
        n_words, dimensions = self.embeddings.shape
        inputs, hidden = self.hidden_weights.shape
        if inputs == 0 or dimensions == 0 or inputs % dimensions:
            raise ValueError(
                f"hidden_weights must have a row for each of the {dimensions} entries of "
                f"each word of a context, got shape {tuple(self.hidden_weights.shape)}"
            )
        expected = {
            "hidden_bias": (hidden,),
            "output_weights": (hidden, n_words),
            "output_bias": (n_words,),
            "direct_weights": (inputs, n_words),
        }
        for name in expected.keys() & self.parameters.keys():
            shape = tuple(getattr(self, name).shape)
            if shape != expected[name]:
                raise ValueError(
                    f"{name} must have shape {expected[name]}, got {shape}"
                )

    @classmethod
    def random(
        cls,
        n_words,
        n_context,
        *,
        dimensions,
        hidden,
        direct=False,
        dtype=np.float64,
        random_state,
    ):
        """A model to start training from: standard normal vectors, hidden weights that
        give each unit a score of variance 1, and no opinion about the next word yet (all
        else is zero). Without hidden units, ``hidden=0``, there is only what is direct.
        """
        n_words = require_count(n_words, "n_words")
        dimensions = require_count(dimensions, "dimensions")
        inputs = require_count(n_context, "n_context") * dimensions
        hidden = require_count(hidden, "hidden", minimum=0)
        direct, dtype = require_flag(direct, "direct"), require_float_type(dtype)
        rng = np.random.default_rng(
            require_count(random_state, "random_state", minimum=0)
        )
        return cls(
            rng.standard_normal((n_words, dimensions)).astype(dtype),
            (rng.standard_normal((inputs, hidden)) / np.sqrt(inputs)).astype(dtype),
            np.zeros(hidden, dtype),
            np.zeros((hidden, n_words), dtype),
            np.zeros(n_words, dtype),
            np.zeros((inputs, n_words), dtype) if direct else None,
        )

    @property
    def parameters(self):
        """The parameters by name; `gradients` has the same keys and shapes."""
        names = (
            "embeddings",
            "hidden_weights",
            "hidden_bias",
            "output_weights",
            "output_bias",
            "direct_weights",
        )
        return {
            name: getattr(self, name)
            for name in names
            if getattr(self, name) is not None
        }

    @property
    def n_context(self):
        """B, the words of a context."""
        return self.hidden_weights.shape[0] // self.embeddings.shape[1]

    def scores(self, contexts):
        """(N, V) logits of the next word.

        contexts: (N, B) words. Raises TypeError or ValueError when they are no such words.
        """
        x, a = self._inputs_and_activations(self._checked(contexts))
        scores = a @ self.output_weights + self.output_bias
        if self.direct_weights is not None:
            scores = scores + x @ self.direct_weights
        return scores

    def gradients(self, contexts, score_gradient):
        """The gradient of a loss in the parameters, from its gradient in the scores.

        contexts: (N, B) words. score_gradient: dL/ds, (N, V), with any 1/N already in it.

        Raises TypeError or ValueError when one does not fit.
        """
        contexts = self._checked(contexts)
        shape = (len(contexts), len(self.embeddings))
        g = numpy_gradient(score_gradient, shape, self.parameters)
        x, a = self._inputs_and_activations(contexts)
        in_hidden = (g @ self.output_weights.T) * (1 - a * a)  # before the tanh
        in_x = in_hidden @ self.hidden_weights.T
        gradients = {
            "hidden_weights": x.T @ in_hidden,
            "hidden_bias": in_hidden.sum(axis=0),
            "output_weights": a.T @ g,
            "output_bias": g.sum(axis=0),
        }
        if self.direct_weights is not None:
            in_x += g @ self.direct_weights.T
            gradients["direct_weights"] = x.T @ g
        in_vectors = in_x.reshape(-1, self.embeddings.shape[1])  # a row for each word
        gradients["embeddings"] = np.zeros_like(self.embeddings)
        add_rows(gradients["embeddings"], contexts.ravel(), in_vectors)
        return gradients

    def log_probabilities(self, contexts):
        """(N, V) logarithms of the probabilities of the next word. Arguments and errors
        as in `scores`."""
        return log_softmax(self.scores(contexts))

    def _inputs_and_activations(self, contexts):
        xp = array_namespace(self.embeddings)
        x = self.embeddings[contexts]
        x = xp.reshape(x, (len(contexts), self.hidden_weights.shape[0]))
        return x, xp.tanh(x @ self.hidden_weights + self.hidden_bias)

    def _checked(self, contexts):
        shape = (None, self.n_context)
        return require_words(contexts, "contexts", len(self.embeddings), shape)


def contexts_and_targets(words, n_context):
    """Every n_context words of a text, (N, n_context), and the word that follows each,
    (N,); N is ``len(words) - n_context``.

    words: integers, as `lossbook.corpora.Corpus.words`. Raises TypeError or ValueError
    when they are not, or are too few.
    """
    words = as_numpy(words, "words")
    n_context = require_count(n_context, "n_context", minimum=0)
    if words.dtype.kind not in "iu":
        raise TypeError(f"words must be integers, got {words.dtype}")
    if words.ndim != 1 or len(words) <= n_context:
        raise ValueError(
            f"words must be a text of more than {n_context} words, got shape {words.shape}"
        )
    windows = np.lib.stride_tricks.sliding_window_view(words, n_context + 1)
    return windows[:, :-1], windows[:, -1]


def surprises(model, contexts, targets):
    """(N,) minus the log of the probability that a model gave to each word that came, in
    nats.

    model: anything with ``log_probabilities(contexts)``. contexts: (N, B) words.
    targets: (N,) words.

    Raises TypeError or ValueError when model is none, a target no word, there are none or
    not as many of both, and what the model raises.
    """
    require_able(model, "model", "a model", "log_probabilities")
    contexts = as_numpy(contexts, "contexts")
    targets = require_integers(targets, "targets", ("N",))
    if targets.shape != contexts.shape[:1] or len(targets) == 0:
        raise ValueError(
            f"targets must hold a word for each context, and at least one; got shape "
            f"{targets.shape} for contexts of shape {contexts.shape}"
        )
    parts = []
    for start in range(0, len(targets), AT_ONCE):
        log_p = model.log_probabilities(contexts[start : start + AT_ONCE])
        came = targets[start : start + AT_ONCE, None]
        require_words(came, "targets", log_p.shape[1], came.shape)
        parts.append(-np.take_along_axis(log_p, came, axis=1)[:, 0])
    return np.concatenate(parts)


def perplexity(model, contexts, targets):
    """The exponential of the mean of the `surprises`: among how many equally likely
    words the model would have been as uncertain. Arguments and errors as there."""
    return float(np.exp(surprises(model, contexts, targets).mean(dtype=np.float64)))


def tanh_derivation():
    """The slope of the tanh in terms of its own value, 1 - a²."""
    from sympy import exp, symbols

    from lossbook.derivation import Derivation, Line, as_written

    a, s = symbols("a s", real=True)
    with as_written():
        rise, fall = exp(s) - exp(-s), exp(s) + exp(-s)
        lines = [
            Line(rise / fall, "the hyperbolic tangent"),
            Line(
                (fall**2 - rise**2) / fall**2,
                "quotient rule: each of the two is the other's derivative",
                wrt=s,
            ),
            Line(1 - (rise / fall) ** 2, "divide term by term"),
            Line(1 - a**2, "the definition again"),
        ]
        return Derivation(a, lines)


def derivation():
    """The gradient of one token's cross-entropy in the score s that a hidden unit takes the
    tanh of, by the chain rule through all V logits.

    One unit a, with a weight W_j for each logit; what the other units add to logit j is in
    b_j. y is the word that came.
    """
    from sympy import Idx, IndexedBase, KroneckerDelta, Sum, exp, log, symbols, tanh

    from lossbook.derivation import Derivation, Line, Partial, as_written

    size = symbols("V", integer=True, positive=True)
    i, j, y = (Idx(name, (1, size)) for name in "ijy")
    b, p, w, z = (IndexedBase(name, real=True) for name in "bpWz")
    ell, a, s = symbols("ell a s", real=True)
    with as_written():
        pull = p[j] - KroneckerDelta(j, y)
        lines = [
            Line(
                log(Sum(exp(z[j]), j)) - z[y],
                "the cross-entropy of the word that came",
            ),
            Line(
                Sum(pull * Partial(z[j], s), j),
                "chain rule: a hidden unit reaches the loss through every logit",
                wrt=s,
            ),
            Line(
                Sum(pull * w[j] * Partial(a, s), j),
                "one term of each logit holds this unit",
            ),
            Line(
                Sum(pull * w[j], j) * (1 - a**2),
                "the slope of the tanh, the same for every logit",
            ),
        ]
        return Derivation(
            ell,
            lines,
            where={
                p[j]: exp(z[j]) / Sum(exp(z[i]), i),
                z[j]: a * w[j] + b[j],
                a: tanh(s),
            },
        )
