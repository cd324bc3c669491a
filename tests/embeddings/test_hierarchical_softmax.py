"""The tree, Huffman's and the balanced one, and the loss on them: against walks written
out, all trees of a few words, a heap, and PyTorch."""

import heapq
import math
from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster.hierarchy import linkage
from scipy.stats import entropy

from lossbook.checks import check_gradient, check_parameter_gradients
from lossbook.embeddings._rows import add_rows
from lossbook.embeddings.hierarchical_softmax import (
    HierarchicalSoftmax,
    Tree,
    balanced_tree,
    huffman_tree,
)
from lossbook.linear import Linear
from lossbook.losses import sigmoid
from lossbook.torch_loss import TorchLoss

LOG2 = math.log(2)


@st.composite
def trees(draw, largest=12, smallest=2):
    """Any tree: two of the nodes without a parent are joined, again and again."""
    n_words = draw(st.integers(smallest, largest))
    free, merges = list(range(n_words)), []
    while len(free) > 1:
        pair = [free.pop(draw(st.integers(0, len(free) - 1))) for _ in range(2)]
        free.append(n_words + len(merges))
        merges.append(pair)
    return Tree(np.array(merges))


def walks(tree):
    """For each word the list of (inner node, digit) from the root, by recursion."""
    found = {}

    def down(node, path):
        if node < tree.n_words:
            found[node] = path
            return
        k = node - tree.n_words
        for digit, child in enumerate(tree.merges[k].tolist()):
            down(child, [*path, (k, digit)])

    down(2 * tree.n_words - 2, [])
    return [found[word] for word in range(tree.n_words)]


def probability(tree, scores, word):
    """The product of the decisions, in plain floats."""
    p = 1.0
    for k, digit in walks(tree)[word]:
        left = 1 / (1 + math.exp(-scores[k]))
        p *= 1 - left if digit else left
    return p


def torch_loss(tree):
    """The same by PyTorch, decision by decision."""
    paths = walks(tree)

    def reference(scores, targets):
        flat = scores.reshape(-1, scores.shape[-1])
        rows = [
            sum(
                -torch.nn.functional.logsigmoid(-row[k] if digit else row[k])
                for k, digit in paths[word]
            )
            for row, word in zip(flat, targets.reshape(-1).tolist(), strict=True)
        ]
        return torch.stack(rows).reshape(targets.shape)

    return reference


def some_scores(tree, rows, seed=0, scale=3.0):
    rng = np.random.default_rng(seed)
    scores = scale * rng.standard_normal((rows, tree.n_words - 1))
    return scores, rng.integers(tree.n_words, size=rows)


@given(trees())
def test_paths_are_the_walks_from_the_root(tree):
    for word, walk in enumerate(walks(tree)):
        length = tree.lengths[word]
        assert length == len(walk)
        assert tree.nodes[word, :length].tolist() == [k for k, _ in walk]
        assert tree.signs[word, :length].tolist() == [1 - 2 * d for _, d in walk]
        assert not tree.nodes[word, length:].any()
        assert not tree.signs[word, length:].any()
        assert tree.code(word) == "".join(str(digit) for _, digit in walk)


@given(trees(), st.integers(0, 2**32 - 1), st.sampled_from([0.1, 3, 100]))
def test_leaves_sum_to_one(tree, seed, scale):
    scores, _ = some_scores(tree, 3, seed, scale)
    log_p = HierarchicalSoftmax(tree).log_probabilities(scores)
    assert log_p.shape == (3, tree.n_words)
    np.testing.assert_allclose(np.exp(log_p).sum(axis=-1), 1, rtol=1e-13)


@given(trees(), st.integers(0, 2**32 - 1))
def test_value_is_minus_the_log_of_the_product(tree, seed):
    scores, _ = some_scores(tree, 1, seed)
    words = np.arange(tree.n_words)
    loss = HierarchicalSoftmax(tree)
    every = loss.value(np.repeat(scores, tree.n_words, axis=0), words)
    expected = [-math.log(probability(tree, scores[0], word)) for word in words]
    np.testing.assert_allclose(every, expected, rtol=1e-11)
    np.testing.assert_allclose(-loss.log_probabilities(scores[0]), every, rtol=1e-13)


@pytest.mark.parametrize("score", [-20.0, 20.0])
def test_a_probability_next_to_one_keeps_the_digits_of_its_logarithm(score):
    log_p = HierarchicalSoftmax(balanced_tree([0, 1])).log_probabilities([score])
    likely = -math.log1p(math.exp(-20))
    np.testing.assert_allclose(log_p.max(), likely, rtol=1e-15)


@given(trees(), st.integers(0, 2**32 - 1))
def test_any_distribution_is_reached_by_one_vector_of_logits(tree, seed):
    p = np.random.default_rng(seed).dirichlet(np.ones(tree.n_words)) + 1e-6
    below = np.concatenate([p / p.sum(), np.zeros(tree.n_words - 1)])
    scores = np.zeros(tree.n_words - 1)
    for k, (a, b) in enumerate(tree.merges):
        below[tree.n_words + k] = below[a] + below[b]
        scores[k] = np.log(below[a] / below[b])
    reached = np.exp(HierarchicalSoftmax(tree).log_probabilities(scores))
    np.testing.assert_allclose(reached, below[: tree.n_words], rtol=1e-10)


@settings(max_examples=15)
@given(trees(largest=6), st.integers(0, 2**32 - 1))
def test_gradient_agrees_with_autograd_differences_and_derivation(tree, seed):
    scores, targets = some_scores(tree, 3, seed)
    check = check_gradient(
        HierarchicalSoftmax(tree), scores, targets, reference=torch_loss(tree)
    )
    assert check.agrees, check


def test_parameter_gradients_through_the_linear_layer():
    tree = huffman_tree([9, 5, 3, 3, 1])
    rng = np.random.default_rng(0)
    model = Linear(rng.standard_normal((3, 4)), rng.standard_normal(4))
    features, words = rng.standard_normal((20, 3)), rng.integers(5, size=20)
    check = check_parameter_gradients(
        model, HierarchicalSoftmax(tree), features, words, reference=torch_loss(tree)
    )
    assert check.agrees, check


def test_the_derivation_is_proved():
    assert len(HierarchicalSoftmax(balanced_tree([0, 1])).derivation().verify()) == 5


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("library", ["NumPy", "torch"])
@pytest.mark.filterwarnings("error")
def test_extreme_scores_and_types(dtype, library):
    tree = huffman_tree([8, 4, 2, 1, 1])
    rows = np.array([[1e4] * 4, [-1e4] * 4, [0] * 4, [1e4, -1e4, 1e4, -1e4]])
    scores, words = np.repeat(rows, 5, axis=0).astype(dtype), np.tile(np.arange(5), 4)
    truth = HierarchicalSoftmax(tree).value_and_gradient(scores.astype(float), words)
    if library == "torch":
        scores, words = torch.tensor(scores), torch.tensor(words)
    loss = HierarchicalSoftmax(tree)
    value, gradient = loss.value_and_gradient(scores, words)
    assert value.dtype == gradient.dtype == scores.dtype
    log_p = loss.log_probabilities(scores)
    assert log_p.dtype == scores.dtype
    for ours, expected in zip((value, gradient), truth, strict=True):
        assert np.isfinite(np.asarray(ours)).all()
        np.testing.assert_allclose(np.asarray(ours), expected, rtol=1e-6)
    picked = np.asarray(log_p)[np.arange(20), np.asarray(words)]
    np.testing.assert_allclose(-picked, np.asarray(value), rtol=1e-6)


def test_shapes_are_those_of_the_contract():
    tree = balanced_tree([0, 1, 2])
    loss = HierarchicalSoftmax(tree)
    for shape in ((), (0,), (4,), (2, 3)):
        value, gradient = loss.value_and_gradient(
            np.zeros((*shape, 2)), np.zeros(shape, dtype=int)
        )
        assert value.shape == shape
        assert gradient.shape == (*shape, 2)
    assert loss.value([0.0, 0.0], 0) == pytest.approx(math.log(2))
    np.testing.assert_allclose(
        loss.value(np.zeros((3, 2)), [0, 1, 2]), np.array([1, 2, 2]) * LOG2
    )


def test_two_words_are_the_binary_cross_entropy():
    loss = HierarchicalSoftmax(balanced_tree([0, 1]))
    z = np.array([-3.0, 0.5, 40.0])
    both = loss.value_and_gradient(z[:, None], [0, 0, 0])
    plain = torch.nn.functional.binary_cross_entropy_with_logits(
        torch.tensor(z), torch.ones(3, dtype=torch.float64), reduction="none"
    )
    np.testing.assert_allclose(both[0], plain, rtol=1e-12)
    np.testing.assert_allclose(both[1][:, 0], sigmoid(z) - 1, atol=1e-15)


def test_as_a_torch_module():
    tree = huffman_tree([5, 3, 1, 1])
    scores, words = some_scores(tree, 6)
    leaf = torch.tensor(scores, requires_grad=True)
    TorchLoss(HierarchicalSoftmax(tree))(leaf, torch.tensor(words)).backward()
    gradient = HierarchicalSoftmax(tree).gradient(scores, words) / 6
    np.testing.assert_allclose(leaf.grad.numpy(), gradient, rtol=1e-14)


@given(trees(), st.integers(0, 2**32 - 1), st.sampled_from([np.float32, np.float64]))
def test_along_paths_is_the_dense_form(tree, seed, dtype):
    rng = np.random.default_rng(seed)
    hidden = rng.standard_normal((7, 3)).astype(dtype)
    vectors = rng.standard_normal((tree.n_words - 1, 3)).astype(dtype)
    words = rng.integers(tree.n_words, size=7)
    loss = HierarchicalSoftmax(tree)
    value, hidden_gradient, nodes, node_gradients = loss.along_paths(
        hidden, vectors, words
    )
    assert {a.dtype for a in (value, hidden_gradient, node_gradients)} == {
        np.dtype(dtype)
    }
    assert sorted(nodes) == sorted(k for w in words for k, _ in walks(tree)[w])
    dense, slopes = loss.value_and_gradient(hidden @ vectors.T, words)
    close = {"rtol": 1e-4, "atol": 1e-5} if dtype is np.float32 else {"atol": 1e-12}
    np.testing.assert_allclose(value, dense, **close)
    np.testing.assert_allclose(hidden_gradient, slopes @ vectors, **close)
    summed = np.zeros_like(vectors)
    add_rows(summed, nodes, node_gradients)
    np.testing.assert_allclose(summed, slopes.T @ hidden, **close)


def test_the_step_is_that_of_word2vec():
    # g = (1 - code - f) alpha at each node of the path: added g h to its row, and to the
    # input g times the row as it was
    tree, rng = huffman_tree([7, 4, 2, 2, 1]), np.random.default_rng(1)
    h, vectors, rate = rng.standard_normal(4), rng.standard_normal((4, 4)), 0.025
    for word in range(5):
        rows, error = vectors.copy(), np.zeros(4)
        for k, digit in walks(tree)[word]:
            g = (1 - digit - sigmoid(rows[k] @ h)) * rate
            error += g * rows[k]
            rows[k] += g * h
        ours = vectors.copy()
        _, hidden_gradient, nodes, gradients = HierarchicalSoftmax(tree).along_paths(
            h[None], vectors, np.array([word])
        )
        add_rows(ours, nodes, -rate * gradients)
        np.testing.assert_allclose(ours, rows, rtol=1e-13)
        np.testing.assert_allclose(-rate * hidden_gradient[0], error, rtol=1e-13)


def shortest_by_brute_force(counts):
    """The least sum of count times depth over all binary trees of the words."""

    @cache
    def least(words):
        if len(words) == 1:
            return 0
        total = sum(counts[w] for w in words)
        first, *rest = words
        splits = []
        for mask in range(2 ** len(rest) - 1):
            left = (first, *(w for i, w in enumerate(rest) if mask >> i & 1))
            right = tuple(w for i, w in enumerate(rest) if not mask >> i & 1)
            splits.append(least(left) + least(right))
        return total + min(splits)

    return least(tuple(range(len(counts))))


@settings(max_examples=40)
@given(st.lists(st.integers(0, 30), min_size=2, max_size=7))
def test_huffman_is_the_shortest_of_all_trees(counts):
    assert np.dot(counts, huffman_tree(counts).lengths) == shortest_by_brute_force(
        counts
    )


@given(st.lists(st.integers(1, 10**6), min_size=2, max_size=200))
def test_huffman_against_a_heap_and_the_entropy(counts):
    heap, total = list(counts), 0
    heapq.heapify(heap)
    while len(heap) > 1:
        joined = heapq.heappop(heap) + heapq.heappop(heap)
        total += joined
        heapq.heappush(heap, joined)
    lengths = huffman_tree(counts).lengths
    assert np.dot(counts, lengths) == total
    assert sum(2.0 ** -int(n) for n in lengths) == 1
    mean, bits = total / sum(counts), entropy(counts, base=2)
    assert bits - 1e-9 <= mean < bits + 1
    lightest_first = np.argsort(counts, kind="stable")
    assert (np.diff(lengths[lightest_first]) <= 0).all()


def test_huffman_of_the_weather_report():
    tree = huffman_tree([4, 2, 1, 1])
    assert [tree.code(word) for word in range(4)] == ["0", "10", "110", "111"]
    assert huffman_tree([1, 1, 2, 4]).code(3) == "0"


@given(st.permutations(range(11)))
def test_balanced_tree_halves_and_keeps_the_order(order):
    tree = balanced_tree(order)
    assert set(tree.lengths) <= {3, 4}
    by_code = sorted(range(11), key=tree.code)
    assert by_code == order
    assert set(balanced_tree(range(16)).lengths) == {4}


def test_merges_of_a_clustering_are_a_tree():
    points = np.array([0.0, 0.1, 5.0, 5.2, 5.3])[:, None]
    tree = Tree(linkage(points)[:, :2].astype(int))
    assert tree.n_words == 5
    assert tree.code(0)[0] == tree.code(1)[0] != tree.code(4)[0]
    assert len({tree.code(word)[0] for word in (2, 3, 4)}) == 1


def test_untrained_it_gives_each_word_two_to_the_minus_length():
    tree = huffman_tree([50, 20, 10, 5, 3, 1])
    log_p = HierarchicalSoftmax(tree).log_probabilities(np.zeros(5))
    np.testing.assert_allclose(np.exp(log_p), 0.5**tree.lengths, rtol=1e-14)


@pytest.mark.parametrize("mistake", ["label is the digit", "padding is counted"])
def test_mistakes_are_found_out(mistake):
    tree = huffman_tree([8, 4, 2, 1])

    class Wrong(HierarchicalSoftmax):
        def value_and_gradient(self, scores, targets):
            value, gradient = super().value_and_gradient(scores, targets)
            signs = self.tree.signs[targets]
            if mistake == "padding is counted":
                return value + LOG2 * (signs == 0).sum(axis=-1), gradient
            on_path = gradient != 0
            p = sigmoid(np.asarray(scores))
            return value, np.where(on_path, 2 * p - 1 - gradient, 0)

        def value(self, scores, targets):
            return self.value_and_gradient(scores, targets)[0]

    scores, targets = some_scores(tree, 4)
    right = HierarchicalSoftmax(tree)
    reference = torch_loss(tree)
    assert check_gradient(right, scores, targets, reference=reference).agrees
    wrong = check_gradient(Wrong(tree), scores, np.zeros(4, int), reference=reference)
    assert not wrong.agrees


LOSS = HierarchicalSoftmax(balanced_tree([0, 1, 2]))


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda: Tree([[0.0, 1.0]]), TypeError, "merges must be integers"),
        (lambda: Tree("ab"), TypeError, "merges must be an array"),
        (lambda: Tree([0, 1]), ValueError, r"merges must have shape \(V - 1, 2\)"),
        (lambda: Tree(np.zeros((0, 2), int)), ValueError, "V at least 2"),
        (lambda: Tree([[0, 2]]), ValueError, "merges must join nodes .* got 2"),
        (lambda: Tree([[0, -1]]), ValueError, "merges must join nodes .* got -1"),
        (lambda: Tree([[0, 1], [0, 2]]), ValueError, "once, got node 0 twice"),
        (lambda: balanced_tree([0, 2]), ValueError, "order must hold each"),
        (lambda: balanced_tree([0]), ValueError, "order must hold each"),
        (lambda: balanced_tree([[0, 0], [1, 2]]), ValueError, "order must hold each"),
        (lambda: balanced_tree([0.0, 1.0]), TypeError, "order must be integers"),
        (lambda: huffman_tree([1, -1]), ValueError, "counts must not be negative"),
        (lambda: huffman_tree([1, np.nan]), ValueError, "counts must be finite"),
        (lambda: huffman_tree([1]), ValueError, "counts must have at least two words"),
        (lambda: huffman_tree([[1, 2]]), ValueError, "counts must have 1 dim"),
        (lambda: HierarchicalSoftmax([[0, 1]]), TypeError, "tree must be a Tree"),
        (lambda: LOSS.value([[0.0]], [0]), ValueError, "scores must have one for each"),
        (
            lambda: LOSS.value([[0.0, 0.0]], [3]),
            ValueError,
            "targets must be words from",
        ),
        (lambda: LOSS.value([[0.0, 0.0]], [-1]), ValueError, "words from 0 to 2"),
        (lambda: LOSS.value([[0.0, 0.0]], [0.5]), TypeError, "targets must be integer"),
        (
            lambda: LOSS.value([[0.0, 0.0]], 0),
            ValueError,
            "targets must have the shape",
        ),
        (lambda: LOSS.value([[0.0, np.nan]], [0]), ValueError, "scores must be finite"),
        (
            lambda: LOSS.log_probabilities([[0.0]]),
            ValueError,
            "scores must have one for each of the 2 inner nodes",
        ),
        (lambda: LOSS.log_probabilities(0.0), ValueError, "scores must have shape"),
        (
            lambda: LOSS.along_paths(np.zeros(3), np.zeros((2, 3)), [0]),
            ValueError,
            r"hidden must have shape \(N, D\)",
        ),
        (
            lambda: LOSS.along_paths(np.zeros((1, 3)), np.zeros((3, 3)), [0]),
            ValueError,
            r"vectors must have shape \(2, 3\)",
        ),
        (
            lambda: LOSS.along_paths(np.zeros((1, 3)), np.zeros((2, 3)), [0.0]),
            TypeError,
            "targets must be integers",
        ),
        (
            lambda: LOSS.along_paths(np.zeros((1, 3)), np.zeros((2, 3)), [0, 1]),
            ValueError,
            r"targets must have shape \(1,\)",
        ),
        (
            lambda: LOSS.along_paths(np.zeros((1, 3)), np.zeros((2, 3)), [3]),
            ValueError,
            "targets must be words from 0 to 2",
        ),
    ],
)
def test_bad_input_is_refused_by_name(make, error, message):
    with pytest.raises(error, match=message):
        make()
