"""Hierarchical softmax: a word is found by a walk down a binary tree, and its probability
is the product of the decisions on the way.

A tree over V words has V - 1 inner nodes. Each has a logit z; the walk goes to the first
child with probability sigmoid(z) and to the second with the rest.
"""

from collections import deque
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lossbook._validation import (
    array_namespace,
    as_numpy,
    float_array,
    float_numpy,
    floating,
    refuse_where,
    require_finite,
    require_words,
)
from lossbook.losses._base import SoftmaxLoss
from lossbook.losses.binary_classification import _quick_sigmoid, _softplus


@dataclass(frozen=True, eq=False)
class Tree:
    """A binary tree whose leaves are the words 0 to V - 1.

    merges: (V - 1, 2) integers. Row k joins two nodes into inner node k, which from then
        on has the number V + k; the last row makes the root. The first two columns of
        ``scipy.cluster.hierarchy.linkage`` are in this form.

    The first child of a node has the digit 0 and the sign +1, the second 1 and -1.

    Raises TypeError when merges is not integers, ValueError when it is not such a table:
    each node but the root is joined exactly once, after it was made.
    """

    merges: np.ndarray

    def __post_init__(self):
        merges = as_numpy(self.merges, "merges")
        if merges.dtype.kind not in "iu":
            raise TypeError(f"merges must be integers, got {merges.dtype}")
        if merges.ndim != 2 or merges.shape[1] != 2 or len(merges) == 0:
            raise ValueError(
                f"merges must have shape (V - 1, 2) with V at least 2, got {merges.shape}"
            )
        made = len(merges) + 1 + np.arange(len(merges))[:, None]
        unmade = (merges < 0) | (merges >= made)
        refuse_where(unmade, merges, "merges", "join nodes that were made before")
        joined, times = np.unique(merges, return_counts=True)
        if len(joined) < merges.size:
            raise ValueError(
                f"merges must join each node once, got node {joined[times > 1][0]} twice"
            )
        object.__setattr__(self, "merges", merges.astype(np.int64))

    @property
    def n_words(self):
        """V."""
        return len(self.merges) + 1

    @cached_property
    def lengths(self):
        """(V,) int64, the number of decisions on the way to each word."""
        return self._depths[: self.n_words]

    @cached_property
    def nodes(self):
        """(V, longest) int64, the inner nodes on the way to each word, the root first;
        padded with 0."""
        return self._paths[0]

    @cached_property
    def signs(self):
        """(V, longest) int64, which child is taken at each of `nodes`: +1 the first, -1
        the second; padded with 0."""
        return self._paths[1]

    def code(self, word):
        """The digits on the way to a word, as text: 0 the first child, 1 the second.

        Raises TypeError or ValueError when word is none from 0 to V - 1.
        """
        word = require_words(word, "word", self.n_words, ())
        return "".join("01"[int(sign < 0)] for sign in self.signs[word] if sign)

    @cached_property
    def _depths(self):
        depths = np.zeros(2 * self.n_words - 1, dtype=np.int64)
        for k in reversed(range(len(self.merges))):
            depths[self.merges[k]] = depths[self.n_words + k] + 1
        return depths

    @cached_property
    def _paths(self):
        n_words, root = self.n_words, 2 * self.n_words - 2
        parents, sides = np.zeros((2, root + 1), dtype=np.int64)
        parents[self.merges] = np.arange(n_words - 1)[:, None]
        sides[self.merges] = 1, -1
        nodes, signs = np.zeros((2, n_words, self.lengths.max()), dtype=np.int64)
        words = at = np.arange(n_words)
        while len(words):  # all words climb together; who is at the root leaves
            step = words, self._depths[at] - 1
            nodes[step], signs[step] = parents[at], sides[at]
            at = n_words + parents[at]
            words, at = words[at < root], at[at < root]
        return nodes, signs


def balanced_tree(order):
    """The tree that halves the words again and again.

    order: (V,) the words 0 to V - 1 in any order, from left to right. Words that are near
        in it are near in the tree. Every path has log2(V) decisions, rounded up or down.

    Raises TypeError or ValueError when order is not such a permutation.
    """
    order = as_numpy(order, "order")
    if order.dtype.kind not in "iu":
        raise TypeError(f"order must be integers, got {order.dtype}")
    n_words = order.size
    if n_words < 2 or not np.array_equal(np.sort(order, None), np.arange(n_words)):
        raise ValueError(
            f"order must hold each of the words 0 to V - 1 once, V at least 2, "
            f"got {order!r:.60}"
        )
    merges = []

    def join(words):
        if len(words) == 1:
            return words[0]
        middle = len(words) // 2
        merges.append((join(words[:middle]), join(words[middle:])))
        return n_words + len(merges) - 1

    join(order.tolist())
    return Tree(np.array(merges))


def huffman_tree(counts):
    """The tree with the shortest expected path when words come as often as counted.

    counts: (V,) numbers, none negative, V at least 2. Among equals a word is joined before
        an inner node.

    Source: Huffman (1952); with two queues in place of a search, as in word2vec's C code.

    Raises TypeError or ValueError when counts is not such numbers.
    """
    counts = float_numpy(counts, "counts", ndim=1)
    if len(counts) < 2:
        raise ValueError(f"counts must have at least two words, got {len(counts)}")
    refuse_where(counts < 0, counts, "counts", "not be negative")
    weights = counts.tolist()
    # both queues are in order of weight: inner nodes are made ever heavier
    words, inner = deque(np.argsort(counts, kind="stable").tolist()), deque()

    def lightest():
        take_word = words and not (inner and weights[inner[0]] < weights[words[0]])
        return (words if take_word else inner).popleft()

    merges = []
    for _ in range(len(counts) - 1):
        pair = lightest(), lightest()
        inner.append(len(weights))
        weights.append(weights[pair[0]] + weights[pair[1]])
        merges.append(pair)
    return Tree(np.array(merges))


@dataclass(frozen=True)
class HierarchicalSoftmax(SoftmaxLoss):
    """Minus the log of a word's probability under a tree of decisions, in nats.

    tree: a `Tree` over V words.
    scores: logits of the inner nodes, (..., V - 1). targets: words (...), 0 to V - 1.
    value: (...). gradient: (..., V - 1), zero at nodes that are not on the word's path.

    Source: Morin and Bengio (2005); in this form Mikolov et al. (2013b), equation 3.

    Raises TypeError when tree is no Tree, and as `SoftmaxLoss` does.
    """

    tree: Tree

    def __post_init__(self):
        if not isinstance(self.tree, Tree):
            raise TypeError(f"tree must be a Tree, got {type(self.tree).__name__}")

    def _fitted(self, scores, targets):
        scores, targets = super()._fitted(scores, targets)
        self._check_nodes(scores, "scores")
        return scores, targets

    def _check_nodes(self, scores, name):
        expected = self.tree.n_words - 1
        if scores.shape[-1] != expected:
            raise ValueError(
                f"{name} must have one for each of the {expected} inner nodes on the last "
                f"axis, got {tuple(scores.shape)}"
            )

    def _check_targets(self, scores, targets):
        n_words = self.tree.n_words
        outside = (targets < 0) | (targets >= n_words)
        refuse_where(outside, targets, "targets", f"be words from 0 to {n_words - 1}")

    def _value_and_gradient(self, scores, targets):
        xp = array_namespace(scores)
        rows = xp.reshape(scores, (-1, scores.shape[-1]))
        words = xp.astype(xp.reshape(targets, (-1,)), xp.int64, copy=False)
        nodes = xp.asarray(self.tree.nodes, device=scores.device)[words]
        signs = xp.asarray(self.tree.signs, device=scores.device)[words]
        row = xp.arange(len(rows), device=scores.device)[:, None] + 0 * nodes
        value, slope = _decisions(rows[row, nodes], xp.astype(signs, scores.dtype))
        gradient = xp.zeros_like(rows)
        on_path = signs != 0
        gradient[row[on_path], nodes[on_path]] = slope[on_path]
        return xp.reshape(value, targets.shape), xp.reshape(gradient, scores.shape)

    def log_probabilities(self, scores):
        """The logarithms of the probabilities of all words, (..., V), in nats, from the
        root down.

        Raises TypeError or ValueError when scores is not finite floats (..., V - 1).
        """
        scores = floating(scores, "scores", axis_of_classes=True)
        self._check_nodes(scores, "scores")
        xp, n_words = array_namespace(scores), self.tree.n_words
        p, rest = _quick_sigmoid(scores), _quick_sigmoid(-scores)
        second, first = -_softplus(scores, p, rest), -_softplus(-scores, rest, p)
        log_p = [xp.zeros_like(scores[..., 0])] * (2 * n_words - 1)  # the root's is 0
        for k in reversed(range(n_words - 1)):
            a, b = self.tree.merges[k]
            log_p[a] = log_p[n_words + k] + first[..., k]
            log_p[b] = log_p[n_words + k] + second[..., k]
        return xp.stack(log_p[:n_words], axis=-1)

    def along_paths(self, hidden, vectors, targets):
        """The loss of scores ``hidden @ vectors.T`` without making them: only the rows of
        ``vectors`` on the words' paths are read.

        hidden: (N, D). vectors: (V - 1, D), a row for each inner node. targets: (N,)
            words. NumPy arrays.

        Returns (value, hidden_gradient, nodes, node_gradients): (N,) in nats, (N, D), and
        the M decisions on all paths together, (M,) inner nodes and (M, D) gradients in
        their rows. A node comes as often as it is on a path, so give the two to
        `lossbook.embeddings._rows.add_rows`.

        Raises TypeError or ValueError when types or shapes do not fit, or a number that
        is read is not finite.
        """
        hidden = float_array(as_numpy(hidden, "hidden"), "hidden")
        vectors = float_array(as_numpy(vectors, "vectors"), "vectors")
        targets = as_numpy(targets, "targets")
        n_words = self.tree.n_words
        if hidden.ndim != 2:
            raise ValueError(f"hidden must have shape (N, D), got {hidden.shape}")
        if vectors.shape != (n_words - 1, hidden.shape[1]):
            raise ValueError(
                f"vectors must have shape ({n_words - 1}, {hidden.shape[1]}), "
                f"got {vectors.shape}"
            )
        if targets.dtype.kind not in "iu":
            raise TypeError(f"targets must be integers, got {targets.dtype}")
        if targets.shape != hidden.shape[:1]:
            raise ValueError(
                f"targets must have shape {hidden.shape[:1]}, got {targets.shape}"
            )
        self._check_targets(None, targets)
        with np.errstate(invalid="ignore"):
            found = self._along_paths(hidden, vectors, targets)
        require_finite(hidden, "hidden")
        # of the vectors only those that were read, which are in here
        if not np.isfinite(found[1]).all():
            raise ValueError(
                "vectors must be finite at the nodes of the paths, got NaN or infinity"
            )
        return found

    def _along_paths(self, hidden, vectors, targets):
        nodes, signs = self.tree.nodes[targets], self.tree.signs[targets]
        on_path = vectors[nodes]  # (N, longest, D)
        scores = (on_path @ hidden[:, :, None])[..., 0]
        value, slope = _decisions(scores, signs.astype(scores.dtype))
        hidden_gradient = (slope[:, None] @ on_path)[:, 0]
        row, step = np.nonzero(signs)
        node_gradients = slope[row, step, None] * hidden[row]
        return value, hidden_gradient, nodes[row, step], node_gradients

    def derivation(self):
        """-log of the product of the decisions, differentiated in the logit of one node:
        its sigmoid minus its label, if it is on the path."""
        from sympy import Idx, IndexedBase, Product, Sum, exp, log, symbols

        from lossbook.derivation import Derivation, Line, as_written

        ell = symbols("ell", real=True)
        size = symbols("V", integer=True, positive=True)
        with as_written():
            inner = size - 1
        i, j = (Idx(name, (1, inner)) for name in "ij")
        y = Idx("y", (1, size))
        z, sigma, d, chi, u = (
            IndexedBase(name, real=True) for name in ("z", "sigma", "d", "chi", "u")
        )
        with as_written():
            by_log = (1 - d[y, i]) / sigma[i] - d[y, i] / (1 - sigma[i])
            lines = [
                Line(
                    -log(Product(u[j] ** chi[y, j], j)),
                    "minus the log of the product of the decisions on the path",
                ),
                Line(-Sum(chi[y, j] * log(u[j]), j), "the log of a product"),
                Line(
                    -chi[y, i] * by_log * (sigma[i] * (1 - sigma[i])),
                    "chain rule in the one term that holds $z_i$",
                    wrt=z[i],
                ),
                Line(
                    -chi[y, i] * ((1 - d[y, i]) * (1 - sigma[i]) - d[y, i] * sigma[i]),
                    "multiply out: each factor cancels one",
                ),
                Line(chi[y, i] * (sigma[i] - (1 - d[y, i])), "collect terms"),
            ]
            where = {
                u[j]: sigma[j] ** (1 - d[y, j]) * (1 - sigma[j]) ** d[y, j],
                sigma[j]: 1 / (1 + exp(-z[j])),
            }
        return Derivation(ell, lines, where, smallest_size=2)

    def derivation_values(self, targets):
        """V, and for every word and node whether it is on the path, χ, and the digit d."""
        n_words = self.tree.n_words
        signs = np.zeros((n_words, n_words - 1))
        word, step = np.nonzero(self.tree.signs)
        signs[word, self.tree.nodes[word, step]] = self.tree.signs[word, step]
        return {"V": n_words, "chi": signs**2, "d": (signs < 0) * 1.0}


def _decisions(scores, signs):
    """(loss of each row, its slope in each score) for the decisions of paths, (N, longest)
    each; a sign of 0 is padding."""
    xp = array_namespace(scores)
    toward_wrong = -signs * scores
    wrong = _quick_sigmoid(toward_wrong)
    surprise = _softplus(toward_wrong, wrong, 1 - wrong)
    value = xp.sum(xp.where(signs != 0, surprise, 0), axis=-1)
    return value, -signs * wrong
