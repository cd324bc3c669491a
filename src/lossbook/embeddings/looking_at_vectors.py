"""Looking at word vectors: principal components, neighbours, analogies, and how often
they are right.

Vectors are rows, (V, D); near means a large cosine.
"""

from dataclasses import dataclass

import numpy as np

from lossbook._validation import (
    as_numpy,
    finite_floats,
    require_count,
    require_flag,
    require_instance,
    require_integers,
    require_words,
)
from lossbook.corpora import PlantedCorpus

AT_ONCE = 1000  # rows of the (rows, V) table of cosines


def _rows(vectors, name):
    """``vectors`` as a finite NumPy array of two dimensions."""
    return finite_floats(as_numpy(vectors, name), name, ndim=2)


@dataclass(frozen=True, eq=False)
class PrincipalComponents:
    """The directions in which samples vary most, the most first.

    mean: (D,). components: (n_components, D), unit vectors at right angles to each other.
    variances: (n_components,), the mean square of the samples' scores on each, in squared
        units of the features. total: the variances of all D, added up.
    """

    mean: np.ndarray
    components: np.ndarray
    variances: np.ndarray
    total: float

    @property
    def shares(self):
        """(n_components,), how much of the total variance each component holds."""
        return self.variances / self.total

    def transform(self, vectors):
        """The scores of vectors (N, D) on the components, (N, n_components).

        Raises TypeError or ValueError when vectors is no such array.
        """
        vectors = _rows(vectors, "vectors")
        if vectors.shape[1] != len(self.mean):
            raise ValueError(
                f"vectors must have shape (N, {len(self.mean)}), got {vectors.shape}"
            )
        return (vectors - self.mean) @ self.components.T

    def reconstruct(self, scores):
        """The points (N, D) on the plane of the components that have these scores,
        (N, n_components).

        Raises TypeError or ValueError when scores is no such array.
        """
        scores = _rows(scores, "scores")
        if scores.shape[1] != len(self.components):
            raise ValueError(
                f"scores must have shape (N, {len(self.components)}), "
                f"got {scores.shape}"
            )
        return self.mean + scores @ self.components


def principal_components(vectors, n_components):
    """The `PrincipalComponents` of vectors (N, D): eigenvectors of their covariance, with
    1/N in it. The largest entry of each is made positive.

    Raises TypeError or ValueError when vectors is not a finite array of N >= 2 rows that
    differ, or n_components not from 1 to D.
    """
    vectors = _rows(vectors, "vectors").astype(np.float64, copy=False)
    n_components = require_count(n_components, "n_components")
    if n_components > vectors.shape[1]:
        raise ValueError(
            f"n_components must be at most {vectors.shape[1]}, the length of a vector, "
            f"got {n_components}"
        )
    if len(vectors) < 2 or (vectors == vectors[0]).all():
        raise ValueError(
            "vectors must hold at least two rows that differ, "
            f"got shape {vectors.shape} with none"
        )
    mean = vectors.mean(axis=0)
    centred = vectors - mean
    covariance = centred.T @ centred / len(vectors)
    if not np.isfinite(covariance).all():
        raise ValueError(
            "vectors must have squares that are finite, "
            f"got entries up to {np.abs(vectors).max():.3g}"
        )
    variances, columns = np.linalg.eigh(covariance)  # rising
    components = columns.T[::-1][:n_components]
    size = np.abs(components)
    # of entries that differ by rounding alone, the first one counts as the largest
    largest = np.argmax(size > 0.999999 * size.max(axis=1, keepdims=True), axis=1)
    components = components * np.sign(components[range(n_components), largest])[:, None]
    variances = np.maximum(variances, 0)  # rounding can leave a zero below it
    return PrincipalComponents(
        mean, components, variances[::-1][:n_components], float(variances.sum())
    )


def variance_derivation():
    """The `lossbook.derivation.Derivation` of the slope of the variance along u, with a
    Lagrange multiplier for the length of u. The samples x have mean zero."""
    from sympy import Idx, IndexedBase, Sum, symbols

    from lossbook.derivation import Derivation, Line, Partial, as_written

    f = symbols("f", real=True)
    multiplier = symbols("lambda", real=True)
    n_samples, n_features = symbols("N D", integer=True, positive=True)
    n = Idx("n", (1, n_samples))
    i, j = (Idx(name, (1, n_features)) for name in "ij")
    x, u, s, sigma = (IndexedBase(name, real=True) for name in ("x", "u", "s", "Sigma"))
    with as_written():
        where = {
            s[n]: Sum(x[n, j] * u[j], j),
            sigma[i, j]: 1 / n_samples * Sum(x[n, i] * x[n, j], n),
        }
        lines = [
            Line(
                1 / n_samples * Sum(s[n] ** 2, n)
                - multiplier * (Sum(u[j] ** 2, j) - 1),
                "the variance of the scores; the multiplier is the price of length",
            ),
            Line(
                1 / n_samples * Sum(2 * s[n] * Partial(s[n], u[i]), n)
                - multiplier * (2 * u[i]),
                "chain rule through each score; one square of the length holds $u_i$",
                wrt=u[i],
            ),
            Line(
                2 * (1 / n_samples) * Sum(s[n] * x[n, i], n) - 2 * multiplier * u[i],
                "the slope of a score in $u_i$ is the feature",
            ),
            Line(
                2 * Sum(sigma[i, j] * u[j], j) - 2 * multiplier * u[i],
                "put the score in, and take the sum over samples first",
            ),
        ]
    return Derivation(f, lines, where)


def unit_rows(vectors):
    """The vectors scaled to length 1, (V, D); a vector of zeros stays one.

    Raises TypeError or ValueError when vectors is not a finite (V, D) array.
    """
    vectors = _rows(vectors, "vectors")
    # by powers of two, which change no digit: no square leaves the range of floats
    _, exponents = np.frexp(np.abs(vectors).max(axis=1, initial=0, keepdims=True))
    vectors = np.ldexp(vectors, -exponents)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(lengths > 0, lengths, 1)


def nearest(vectors, queries, n_neighbours, *, exclude=None):
    """The words whose vectors are nearest to each query, (Q, n_neighbours), best first.

    vectors: (V, D). queries: (Q, D) vectors. exclude: (Q, any number) words that are not
        allowed as the answer to each query, or None.

    Raises TypeError or ValueError naming the argument that does not fit.
    """
    vectors = unit_rows(vectors)
    queries = _rows(queries, "queries")
    n_neighbours = require_count(n_neighbours, "n_neighbours")
    n_words = len(vectors)
    if queries.shape[1] != vectors.shape[1]:
        raise ValueError(
            f"queries must have shape (Q, {vectors.shape[1]}), got {queries.shape}"
        )
    if exclude is not None:
        exclude = require_words(exclude, "exclude", n_words, (len(queries), None))
    n_excluded = 0 if exclude is None else exclude.shape[1]
    if n_neighbours > n_words - n_excluded:
        raise ValueError(
            f"n_neighbours must be at most {n_words - n_excluded}, the words left, "
            f"got {n_neighbours}"
        )
    found = np.empty((len(queries), n_neighbours), dtype=np.int64)
    for start in range(0, len(queries), AT_ONCE):
        part = slice(start, start + AT_ONCE)
        cosines = unit_rows(queries[part]) @ vectors.T
        if exclude is not None:
            np.put_along_axis(cosines, exclude[part], -np.inf, axis=1)
        if n_neighbours == 1:  # much faster than to sort
            found[part, 0] = np.argmax(cosines, axis=1)
        else:
            order = np.argsort(-cosines, axis=1, kind="stable")
            found[part] = order[:, :n_neighbours]
    return found


def neighbours(vectors, words, n_neighbours=10):
    """The nearest other words of each word, (Q, n_neighbours), best first.

    vectors: (V, D). words: (Q,) integers below V. Raises as `nearest` does.
    """
    vectors = _rows(vectors, "vectors")
    words = require_words(words, "words", len(vectors), (None,))
    return nearest(vectors, vectors[words], n_neighbours, exclude=words[:, None])


def analogy_answers(vectors, questions, *, exclude_queries=True):
    """The word that completes each analogy, (Q,): the nearest to b - a + c, for vectors
    of length 1, as Mikolov et al. (2013) have it.

    vectors: (V, D). questions: (Q, 4) words, a is to b as c is to d; d is not looked at.
    exclude_queries: whether a, b and c are not allowed as answers, as is usual.

    Raises TypeError or ValueError naming the argument that does not fit.
    """
    vectors = unit_rows(vectors)
    exclude_queries = require_flag(exclude_queries, "exclude_queries")
    a, b, c, _ = require_words(questions, "questions", len(vectors), (None, 4)).T
    exclude = np.stack([a, b, c], axis=1) if exclude_queries else None
    queries = vectors[b] - vectors[a] + vectors[c]
    return nearest(vectors, queries, 1, exclude=exclude)[:, 0]


def analogy_accuracy(vectors, questions, *, exclude_queries=True):
    """The share of analogies that the vectors complete, 0 to 1.

    vectors: (V, D). questions: (Q, 4) words, a is to b as c is to d: right when d is the
        answer of `analogy_answers`, with ``exclude_queries`` as there.

    Raises TypeError or ValueError naming the argument that does not fit.
    """
    answers = analogy_answers(vectors, questions, exclude_queries=exclude_queries)
    if len(answers) == 0:
        raise ValueError("questions must hold at least one analogy, got none")
    return float(np.mean(answers == as_numpy(questions, "questions")[:, 3]))


def precision_at_k(vectors, labels, k):
    """The mean share of a word's k nearest neighbours that have its label, 0 to 1.

    vectors: (V, D). labels: (V,) integers; words with a negative label are not asked, but
        are found as wrong neighbours.

    Raises TypeError or ValueError naming the argument that does not fit.
    """
    vectors = _rows(vectors, "vectors")
    labels = require_integers(labels, "labels", (len(vectors),))
    asked = np.flatnonzero(labels >= 0)
    if len(asked) == 0:
        raise ValueError("labels must hold at least one that is not negative, got none")
    found = labels[neighbours(vectors, asked, require_count(k, "k"))]
    return float(np.mean(found == labels[asked, None]))


def planted_scores(vectors, corpus, *, n_questions=2000, random_state=0):
    """How much of a `lossbook.corpora.PlantedCorpus` the vectors recovered, as a dict.

    "within", "across": accuracy of analogies within a group and across groups.
    "group", "entity": precision of the 10 nearest neighbours for the group, and of the 3
    nearest for the entity. Call it with ``corpus.vectors`` for what the true ones score.

    vectors: (V, D). Raises TypeError or ValueError naming the argument that does not fit.
    """
    require_instance(corpus, "corpus", PlantedCorpus, "a PlantedCorpus")
    vectors = _rows(vectors, "vectors")
    if len(vectors) != len(corpus.vocabulary):
        raise ValueError(
            f"vectors must be {len(corpus.vocabulary)}, one for each word of corpus, "
            f"got {len(vectors)}"
        )
    scores = {
        name: analogy_accuracy(
            vectors,
            corpus.analogies(n_questions, across=across, random_state=random_state),
        )
        for name, across in (("within", False), ("across", True))
    }
    scores["group"] = precision_at_k(vectors, corpus.groups, 10)
    scores["entity"] = precision_at_k(vectors, corpus.families, 3)
    return scores
