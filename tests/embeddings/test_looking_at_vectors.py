"""Principal components against scikit-learn and against what they promise; neighbours and
analogies against loops that look at every word."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import cdist
from sklearn.decomposition import PCA

from lossbook.corpora import planted_corpus
from lossbook.embeddings import looking_at_vectors
from lossbook.embeddings.looking_at_vectors import (
    analogy_accuracy,
    analogy_answers,
    nearest,
    neighbours,
    planted_scores,
    precision_at_k,
    principal_components,
    unit_rows,
    variance_derivation,
)

MARKS = np.array([[7.0, 6], [3, 4], [6, 7], [4, 3], [6, 4], [4, 6]])
HALF = np.sqrt(0.5)


def stretched(seed, n=200, d=6):
    """(n, d) correlated samples with a mean."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, d)) @ rng.standard_normal((d, d)) + rng.normal(
        size=d
    )


# ---- principal components


def test_an_example_by_hand():
    # covariance ((2, 1), (1, 2)): eigenvalues 3 and 1 along the diagonals
    components = principal_components(MARKS, 2)
    np.testing.assert_allclose(components.mean, [5, 5])
    np.testing.assert_allclose(components.variances, [3, 1], rtol=1e-14)
    np.testing.assert_allclose(
        components.components, [[HALF, HALF], [HALF, -HALF]], rtol=1e-14
    )
    np.testing.assert_allclose(components.shares, [0.75, 0.25], rtol=1e-14)
    np.testing.assert_allclose(
        components.transform(MARKS)[:, 0], np.array([3, -3, 3, -3, 0, 0]) * HALF
    )
    np.testing.assert_allclose(components.transform([[6, 4]]), [[0, 2 * HALF]])


@pytest.mark.parametrize("shape", [(200, 6), (50, 6), (7, 6), (6, 6), (3, 6), (2, 6)])
@pytest.mark.parametrize("seed", [0, 1])
def test_it_is_the_pca_of_scikit_learn_with_one_over_n(shape, seed):
    samples = stretched(seed, *shape)
    k = min(shape[0] - 1, shape[1])
    ours, theirs = principal_components(samples, k), PCA(k).fit(samples)
    n = len(samples)
    np.testing.assert_allclose(
        ours.variances, theirs.explained_variance_ * (n - 1) / n, rtol=1e-10
    )
    np.testing.assert_allclose(
        ours.shares, theirs.explained_variance_ratio_, rtol=1e-10
    )
    np.testing.assert_allclose(ours.mean, theirs.mean_, rtol=1e-12)
    signs = np.sign(np.sum(ours.components * theirs.components_, axis=1))
    np.testing.assert_allclose(
        ours.components, signs[:, None] * theirs.components_, atol=1e-7
    )
    np.testing.assert_allclose(
        ours.transform(samples), signs * theirs.transform(samples), atol=1e-7
    )


@given(
    arrays(np.float64, (8, 3), elements=st.floats(-100, 100)).filter(
        lambda x: np.ptp(x, axis=0).max() > 1e-3
    )
)
def test_components_are_orthonormal_and_their_scores_uncorrelated(samples):
    components = principal_components(samples, 3)
    u = components.components
    np.testing.assert_allclose(u @ u.T, np.eye(3), atol=1e-12)
    scores = components.transform(samples)
    np.testing.assert_allclose(
        scores.T @ scores / 8,
        np.diag(components.variances),
        atol=1e-10 * components.total,
    )
    assert components.variances.sum() == pytest.approx(components.total)
    assert components.total == pytest.approx(samples.var(axis=0).sum())
    assert (np.diff(components.variances) <= 0).all()
    assert (components.variances >= 0).all()


def test_no_direction_has_more_variance_and_none_at_right_angles_has_more_than_the_next():
    samples = stretched(3)
    components = principal_components(samples, 6)
    rng = np.random.default_rng(0)
    for k in range(6):
        found = components.components[:k]
        directions = rng.standard_normal((3000, 6))
        directions -= directions @ found.T @ found
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        variances = (samples @ directions.T).var(axis=0)
        assert variances.max() <= components.variances[k] * (1 + 1e-12)
    best = (samples @ components.components.T).var(axis=0)
    np.testing.assert_allclose(best, components.variances, rtol=1e-12)


def test_no_plane_is_nearer_to_the_samples():
    samples = stretched(4)
    components = principal_components(samples, 2)
    nearest_point = components.reconstruct(components.transform(samples))
    error = np.sum((samples - nearest_point) ** 2, axis=1).mean()
    assert error == pytest.approx(components.total - components.variances.sum())
    rng = np.random.default_rng(0)
    for _ in range(300):
        plane = np.linalg.qr(rng.standard_normal((6, 2)))[0]
        centred = samples - samples.mean(axis=0)
        rest = centred - centred @ plane @ plane.T
        assert np.sum(rest**2, axis=1).mean() >= error


def test_with_all_components_nothing_is_lost():
    samples = stretched(5)
    components = principal_components(samples, 6)
    again = components.reconstruct(components.transform(samples))
    np.testing.assert_allclose(again, samples, atol=1e-12)


def test_a_turned_cloud_has_turned_components_and_a_shifted_one_the_same():
    samples = stretched(6)
    turn = np.linalg.qr(np.random.default_rng(0).standard_normal((6, 6)))[0]
    plain, turned, shifted = (
        principal_components(x, 6) for x in (samples, samples @ turn, samples + 100)
    )
    np.testing.assert_allclose(turned.variances, plain.variances, rtol=1e-10)
    overlap = np.abs(turned.components @ turn.T @ plain.components.T)
    np.testing.assert_allclose(overlap, np.eye(6), atol=1e-8)
    np.testing.assert_allclose(shifted.components, plain.components, atol=1e-9)


@pytest.mark.parametrize("seed", range(10))
def test_the_largest_entry_is_positive_whatever_the_sign_of_the_samples(seed):
    samples = stretched(seed)
    plain, mirrored = (principal_components(x, 6) for x in (samples, -samples))
    np.testing.assert_allclose(mirrored.components, plain.components, atol=1e-9)
    rows = range(6), np.argmax(np.abs(plain.components), axis=1)
    assert (plain.components[rows] > 0).all()


def test_of_entries_of_one_size_the_first_is_positive():
    rng = np.random.default_rng(0)
    for _ in range(50):  # in every order the sums round differently
        components = principal_components(rng.permutation(MARKS) * 0.1, 2).components
        np.testing.assert_allclose(components, [[HALF, HALF], [HALF, -HALF]])


def test_directions_without_variance_have_variance_zero():
    samples = np.outer(np.arange(5.0), [1.0, 2.0, 2.0])
    components = principal_components(samples, 3)
    np.testing.assert_allclose(components.components[0], [1 / 3, 2 / 3, 2 / 3])
    np.testing.assert_allclose(components.shares, [1, 0, 0], atol=1e-14)
    assert (components.variances >= 0).all()


def test_the_multiplier_is_the_eigenvalue():
    derivation = variance_derivation()
    derivation.verify()
    samples = stretched(7, 3, 2)
    samples -= samples.mean(axis=0)
    components = principal_components(samples, 2)
    rng = np.random.default_rng(0)

    def slope(u, multiplier):
        values = {"x": samples, "u": u, "N": 3, "D": 2, "lambda": multiplier}
        return [derivation.evaluate({**values, "i": i}) for i in (1, 2)]

    for u, variance in zip(components.components, components.variances, strict=True):
        np.testing.assert_allclose(slope(u, variance), 0, atol=1e-12)
    u, multiplier, h = rng.standard_normal(2), 0.7, 1e-6

    def value(v):
        return np.mean((samples @ v) ** 2) - multiplier * (v @ v - 1)

    quotient = [(value(u + h * e) - value(u - h * e)) / (2 * h) for e in np.eye(2)]
    np.testing.assert_allclose(slope(u, multiplier), quotient, rtol=1e-6)


def test_numbers_of_other_types_are_taken():
    for samples in (MARKS.astype(np.float32), MARKS.astype(int), MARKS.tolist()):
        components = principal_components(samples, 1)
        np.testing.assert_allclose(components.variances, [3])
        assert components.transform(samples).shape == (6, 1)


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda: principal_components(MARKS, 0), ValueError, "n_components must be at"),
        (
            lambda: principal_components(MARKS, 3),
            ValueError,
            "n_components must be at most 2",
        ),
        (
            lambda: principal_components(MARKS, 1.0),
            TypeError,
            "n_components must be an",
        ),
        (
            lambda: principal_components(MARKS[:1], 1),
            ValueError,
            "vectors must hold at least two rows that differ",
        ),
        (
            lambda: principal_components(np.ones((5, 3)), 1),
            ValueError,
            "vectors must hold at least two rows that differ",
        ),
        (
            lambda: principal_components(np.zeros((0, 3)), 1),
            ValueError,
            "vectors must hold at least two rows that differ",
        ),
        (lambda: principal_components(MARKS[0], 1), ValueError, "vectors must have 2"),
        (
            lambda: principal_components(MARKS * np.nan, 1),
            ValueError,
            "vectors must be finite",
        ),
        (lambda: principal_components("ab", 1), TypeError, "vectors must be an array"),
        (
            lambda: principal_components(MARKS, 1).transform(np.ones((2, 3))),
            ValueError,
            r"vectors must have shape \(N, 2\)",
        ),
        (
            lambda: principal_components(MARKS, 1).transform(np.ones(2)),
            ValueError,
            "vectors must have 2 dim",
        ),
        (
            lambda: principal_components(MARKS, 1).reconstruct(np.ones((2, 2))),
            ValueError,
            r"scores must have shape \(N, 1\)",
        ),
    ],
)
def test_bad_samples_are_refused_by_name(call, error, message):
    with pytest.raises(error, match=message):
        call()


# ---- neighbours


def by_hand(vectors, query, n, forbidden=()):
    """The n words with the largest cosine, one word at a time."""
    cosines = {
        word: sum(v * q for v, q in zip(vector, query, strict=True))
        / (np.sqrt(sum(v * v for v in vector)) or 1)
        for word, vector in enumerate(vectors)
        if word not in forbidden
    }
    return sorted(cosines, key=lambda word: (-cosines[word], word))[:n]


@given(st.integers(0, 10**6), st.integers(1, 5))
def test_the_nearest_are_those_of_a_loop_over_all_words(seed, n):
    rng = np.random.default_rng(seed)
    vectors, queries = rng.standard_normal((12, 3)), rng.standard_normal((4, 3))
    found = nearest(vectors, queries, n)
    assert found.tolist() == [by_hand(vectors, query, n) for query in queries]
    exclude = rng.integers(12, size=(4, 3))
    found = nearest(vectors, queries, n, exclude=exclude)
    assert found.tolist() == [
        by_hand(vectors, query, n, set(words))
        for query, words in zip(queries, exclude.tolist(), strict=True)
    ]


def test_neighbours_agree_with_the_cosine_distance_of_scipy():
    vectors = np.random.default_rng(0).standard_normal((300, 20))
    distance = cdist(vectors, vectors, "cosine")
    np.fill_diagonal(distance, np.inf)
    expected = np.argsort(distance, axis=1)[:, :7]
    np.testing.assert_array_equal(neighbours(vectors, np.arange(300), 7), expected)


def test_parts_give_what_the_whole_gives(monkeypatch):
    rng = np.random.default_rng(0)
    vectors, words = rng.standard_normal((50, 5)), rng.integers(50, size=23)
    whole = neighbours(vectors, words, 4)
    monkeypatch.setattr(looking_at_vectors, "AT_ONCE", 7)
    np.testing.assert_array_equal(neighbours(vectors, words, 4), whole)


def test_a_word_is_not_its_own_neighbour_though_others_be_equal():
    vectors = np.array([[1.0, 0], [2.0, 0], [1.0, 0], [0, 1.0]])
    assert neighbours(vectors, [0, 1, 2], 2).tolist() == [[1, 2], [0, 2], [0, 1]]


def test_of_equally_near_words_the_first_ones_are_named():
    vectors = np.tile([1.0, 0.0], (500, 1))
    assert neighbours(vectors, [250, 3], 5).tolist() == [
        [0, 1, 2, 3, 4],
        [0, 1, 2, 4, 5],
    ]


@given(st.integers(0, 10**6))
def test_length_and_rotation_change_no_neighbour(seed):
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((10, 4))
    turn = np.linalg.qr(rng.standard_normal((4, 4)))[0]
    lengths = rng.uniform(0.1, 10, size=(10, 1))
    words = np.arange(10)
    np.testing.assert_array_equal(
        neighbours(vectors, words, 9), neighbours(lengths * vectors @ turn, words, 9)
    )


def test_unit_rows_have_length_one_and_zero_stays_zero():
    units = unit_rows([[3.0, 4.0], [0.0, 0.0], [-1e-8, 0.0]])
    np.testing.assert_allclose(units, [[0.6, 0.8], [0, 0], [-1, 0]])
    assert neighbours([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]], [1], 2).tolist() == [[2, 0]]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("size", [1e-310, 1e-300, 1e300, 1e308])
def test_unit_rows_of_very_short_and_long_vectors_have_length_one(size):
    np.testing.assert_allclose(unit_rows([[0.3 * size, 0.4 * size]]), [[0.6, 0.8]])


def test_unit_rows_are_rounded_as_the_plain_quotient_is():
    vectors = np.random.default_rng(0).standard_normal((50, 6)).astype(np.float32)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    np.testing.assert_array_equal(unit_rows(vectors), vectors / lengths)


# ---- analogies


def test_a_parallelogram_is_completed_and_a_broken_one_is_not():
    vectors = np.array(
        [[2.0, 0, 2], [0, 2.0, 2], [2.0, 0, -2], [0, 2.0, -2], [1, 1, 0]]
    )
    questions = np.array([[0, 1, 2, 3], [2, 3, 0, 1], [1, 0, 3, 2]])
    assert analogy_answers(vectors, questions).tolist() == [3, 1, 2]
    assert analogy_accuracy(vectors, questions) == 1
    assert analogy_accuracy(vectors, [[0, 1, 2, 4], [0, 1, 2, 3]]) == 0.5


@given(st.integers(0, 10**6), st.booleans())
def test_answers_are_those_of_a_loop_over_all_words(seed, exclude):
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((9, 3)) * rng.uniform(0.1, 10, size=(9, 1))
    questions = rng.integers(9, size=(5, 4))
    units = [v / np.sqrt(v @ v) for v in vectors]
    expected = [
        by_hand(units, units[b] - units[a] + units[c], 1, {a, b, c} if exclude else ())
        for a, b, c, _ in questions.tolist()
    ]
    found = analogy_answers(vectors, questions, exclude_queries=exclude)
    assert found.tolist() == [answer for (answer,) in expected]
    accuracy = analogy_accuracy(vectors, questions, exclude_queries=exclude)
    assert accuracy == np.mean(found == questions[:, 3])


def test_a_small_step_leads_back_to_c_unless_the_query_words_are_excluded():
    # the two steps point the same way by chance only
    rng = np.random.default_rng(0)
    first = rng.standard_normal((50, 30))
    second = first + 0.3 * rng.standard_normal((50, 30))
    vectors = np.concatenate([first, second])
    i, j = np.arange(50), np.roll(np.arange(50), 1)
    questions = np.stack([i, 50 + i, j, 50 + j], axis=1)
    allowed = analogy_answers(vectors, questions, exclude_queries=False)
    assert np.mean(allowed == j) > 0.9
    assert analogy_accuracy(vectors, questions) > 0.9


def test_c_wins_over_d_just_when_the_steps_agree_too_little():
    # with unit vectors: d is nearer than c when delta . delta' > |delta'|^2 / 2
    rng = np.random.default_rng(1)
    a, b, c = unit_rows(rng.standard_normal((3 * 500, 4))).reshape(3, 500, 4)
    d = unit_rows((c + b - a) + 0.8 * rng.standard_normal((500, 4)))
    query, step = b - a + c, d - c
    nearer = np.sum(query * d, axis=1) > np.sum(query * c, axis=1)
    agree = np.sum((b - a) * step, axis=1) > np.sum(step**2, axis=1) / 2
    assert 0.1 < nearer.mean() < 0.9
    np.testing.assert_array_equal(nearer, agree)


# ---- precision and the planted scores


def test_precision_at_k_by_hand():
    vectors = np.array([[1.0, 0], [1.0, 0.1], [1.0, 0.2], [0, 1.0], [0.1, 1.0]])
    labels = np.array([0, 0, 1, 1, -1])
    # nearest two: 0: 1, 2; 1: 0, 2 (by angle); 2: 1, 0; 3: 4, 2
    assert precision_at_k(vectors, labels, 2) == pytest.approx((1 + 1 + 0 + 1) / 8)


@pytest.mark.parametrize("k", [1, 3, 9])
def test_precision_at_k_is_chance_for_noise_and_one_for_clear_groups(k):
    labels = np.repeat(np.arange(20), 10)
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((200, 10))
    clear = np.eye(20)[labels] + 0.01 * rng.standard_normal((200, 20))
    assert precision_at_k(clear, labels, k) == 1
    assert precision_at_k(noise, labels, k) == pytest.approx(9 / 199, abs=0.05)


@pytest.fixture(scope="module")
def corpus():
    return planted_corpus(20, noise=0.01, dimensions=40, random_state=0)


def test_the_true_vectors_score_almost_everything_and_noise_almost_nothing(corpus):
    truth = planted_scores(corpus.vectors, corpus, n_questions=500)
    assert truth["within"] > 0.99 and truth["across"] > 0.99
    noise = np.random.default_rng(0).standard_normal(corpus.vectors.shape)
    scores = planted_scores(noise, corpus, n_questions=500)
    assert scores["within"] < 0.03 and scores["across"] < 0.03
    # chance: 39 other words of the group, or 3 of the entity, among 679
    assert scores["group"] == pytest.approx(39 / 679, abs=0.02)
    assert scores["entity"] == pytest.approx(3 / 679, abs=0.02)


def test_planted_scores_are_the_four_that_they_are_said_to_be():
    size = {"n_groups": 3, "n_entities": 4, "n_attributes": 4, "n_function_words": 12}
    corpus = planted_corpus(20, **size, random_state=0)
    rng = np.random.default_rng(1)
    vectors = corpus.vectors + rng.standard_normal(corpus.vectors.shape)
    scores = planted_scores(vectors, corpus, n_questions=300, random_state=5)
    for name, across in (("within", False), ("across", True)):
        questions = corpus.analogies(300, across=across, random_state=5)
        assert scores[name] == analogy_accuracy(vectors, questions)
    for name, labels, k in (
        ("group", corpus.groups, 10),
        ("entity", corpus.families, 3),
    ):
        hits = [
            labels[word] == labels[other]
            for word in corpus.content
            for other in by_hand(vectors, vectors[word], k, {word})
        ]
        assert scores[name] == pytest.approx(np.mean(hits))


V = np.random.default_rng(0).standard_normal((5, 3))


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda: unit_rows([1.0, 2.0]), ValueError, "vectors must have 2 dim"),
        (lambda: unit_rows([[np.inf]]), ValueError, "vectors must be finite"),
        (lambda: unit_rows(None), TypeError, "vectors must be an array"),
        (lambda: nearest(V, V[0], 1), ValueError, "queries must have 2 dim"),
        (
            lambda: nearest(V, V[:, :2], 1),
            ValueError,
            r"queries must have shape \(Q, 3",
        ),
        (lambda: nearest(V, V, 0), ValueError, "n_neighbours must be at least 1"),
        (lambda: nearest(V, V, 6), ValueError, "n_neighbours must be at most 5"),
        (
            lambda: nearest(V, V, 5, exclude=np.zeros((5, 1), int)),
            ValueError,
            "n_neighbours must be at most 4",
        ),
        (
            lambda: nearest(V, V, 1, exclude=np.zeros((4, 1), int)),
            ValueError,
            r"exclude must have shape \(5, any\)",
        ),
        (
            lambda: nearest(V, V, 1, exclude=np.full((5, 1), 5)),
            ValueError,
            "exclude must be words from 0 to 4, got 5",
        ),
        (lambda: neighbours(V, [0.0], 1), TypeError, "words must be integers"),
        (lambda: neighbours(V, [-1], 1), ValueError, "words must be words from 0 to 4"),
        (lambda: neighbours(V, 2, 1), ValueError, r"words must have shape \(any\)"),
        (
            lambda: analogy_accuracy(V, [[0, 1, 2]]),
            ValueError,
            r"questions must have shape \(any, 4\)",
        ),
        (
            lambda: analogy_accuracy(V, np.zeros((0, 4), int)),
            ValueError,
            "questions must hold at least one",
        ),
        (
            lambda: analogy_accuracy(V, [[0, 1, 2, 5]]),
            ValueError,
            "questions must be words from 0 to 4, got 5",
        ),
        (
            lambda: precision_at_k(V, [0, 1], 1),
            ValueError,
            r"labels must have shape \(5",
        ),
        (
            lambda: precision_at_k(V, [-1] * 5, 1),
            ValueError,
            "labels must hold at least",
        ),
        (lambda: precision_at_k(V, [0] * 5, 5), ValueError, "n_neighbours must be at"),
        (lambda: precision_at_k(V, [0] * 5, 0), ValueError, "k must be at least 1"),
    ],
)
def test_bad_input_is_refused_by_name(call, error, message):
    with pytest.raises(error, match=message):
        call()
