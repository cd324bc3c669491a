"""The planted text is drawn from the distribution that it claims, so is the generated
one, and the real one holds the words that stand in the docstrings."""

import errno
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lossbook import corpora
from lossbook.corpora import (
    Corpus,
    docstring_corpus,
    generated_language,
    planted_corpus,
)

TINY = {
    "n_groups": 2,
    "n_entities": 2,
    "n_attributes": 2,
    "n_function_words": 2,
    "dimensions": 2,
}
SMALL = {
    "n_groups": 3,
    "n_entities": 4,
    "n_attributes": 3,
    "n_function_words": 10,
    "dimensions": 8,
}
seeds = st.integers(0, 2**32 - 1)


def exact_probabilities(corpus, contexts):
    """(M, V), p(w | c) of Arora et al. (2016) word by word, for contexts (M, D)."""
    table = np.empty((len(contexts), len(corpus.vectors)))
    for word, (vector, log_weight) in enumerate(
        zip(corpus.vectors, corpus.log_weights, strict=True)
    ):
        table[:, word] = np.exp(log_weight + sum(contexts.T * vector[:, None]))
    return table / table.sum(axis=1, keepdims=True)


def within_five_errors(found, expected, n):
    """Whether shares among n sentences are as expected."""
    error = np.sqrt(expected * (1 - expected) / n)
    return bool((np.abs(found - expected) < 5 * error + 1e-9).all())


def shares_of_pairs(first, second):
    """(10, 10), how often which word goes with which."""
    table = np.zeros((10, 10))
    np.add.at(table, (first, second), 1 / len(first))
    return table


# the planted corpus


def test_a_word_is_drawn_with_the_probability_that_its_context_gives_it():
    corpus = planted_corpus(400_000, **TINY, random_state=3)
    words = corpus.words.reshape(-1, 20)
    contexts = np.random.default_rng(0).standard_normal((200_000, 2))
    expected = exact_probabilities(corpus, contexts).mean(axis=0)
    # the walk keeps the standard normal, so all places have the same shares
    for place in (0, 4, 5, 19):
        found = np.bincount(words[:, place], minlength=10) / len(words)
        assert within_five_errors(found, expected, len(words))


@pytest.mark.parametrize("steps", [0, 1, 2, 3])
def test_two_words_share_as_much_of_their_context_as_the_walk_leaves(steps):
    corpus = planted_corpus(400_000, **TINY, random_state=4)
    words = corpus.words.reshape(-1, 20)
    rng = np.random.default_rng(1)
    early = rng.standard_normal((200_000, 2))
    late = early
    for _ in range(steps):
        late = 0.8 * late + 0.6 * rng.standard_normal(late.shape)
    p_early, p_late = (exact_probabilities(corpus, c) for c in (early, late))
    expected = p_early.T @ p_late / len(early)
    found = shares_of_pairs(words[:, 0], words[:, 5 * steps + 4])
    assert within_five_errors(found, expected, len(words))


def test_sentences_are_independent_of_each_other():
    corpus = planted_corpus(400_000, **TINY, random_state=6)
    words = corpus.words.reshape(-1, 20)
    contexts = np.random.default_rng(3).standard_normal((200_000, 2))
    alone = exact_probabilities(corpus, contexts).mean(axis=0)
    found = shares_of_pairs(words[:-1, 19], words[1:, 0])
    assert within_five_errors(found, np.outer(alone, alone), len(words))


@pytest.mark.parametrize("n_tokens", [1, 20, 21, 100_001])
def test_a_text_is_whole_sentences_of_twenty(n_tokens):
    corpus = planted_corpus(n_tokens, **SMALL, random_state=0)
    n_sentences = -(-n_tokens // 20)
    np.testing.assert_array_equal(corpus.sentences, np.repeat(range(n_sentences), 20))
    assert corpus.words.shape == corpus.sentences.shape
    assert corpus.words.dtype == corpus.sentences.dtype == np.int64
    assert 0 <= corpus.words.min() and corpus.words.max() < len(corpus.vocabulary)


def test_a_vector_is_base_plus_entity_plus_attribute_and_a_little_noise():
    made = {**SMALL, "dimensions": 50, "scale": 3.0, "random_state": 0}
    exact = planted_corpus(20, noise=0, **made)
    content = exact.content
    place = exact.groups[content], exact.entities[content], exact.attributes[content]
    table = np.full((3, 4, 3, 50), np.nan)
    table[place] = exact.vectors[content]
    assert np.isfinite(table).all()  # every combination occurs
    # base and entity cancel: an attribute is the same step everywhere
    steps = table - table[:, :, :1]
    np.testing.assert_allclose(steps, np.broadcast_to(steps[0, 0], table.shape))
    # and an entity is another step in every group
    entities = (table - table[:, :1])[:, 1, 0]
    assert np.abs(entities[0] - entities[1]).max() > 1
    # three directions, each of expected length about 1, times the scale
    assert np.linalg.norm(table, axis=-1).mean() == pytest.approx(3 * 3**0.5, rel=0.15)
    noisy = planted_corpus(20, noise=0.1, **made)
    gap = (noisy.vectors - exact.vectors)[content] / 3.0
    assert gap.std() == pytest.approx(0.1, rel=0.05)
    np.testing.assert_array_equal(noisy.vectors[:10], exact.vectors[:10])


def test_function_words_are_short_and_come_first():
    corpus = planted_corpus(20, dimensions=50, scale=2.0, random_state=0)
    lengths = np.linalg.norm(corpus.vectors, axis=1)
    assert lengths[:200].mean() == pytest.approx(2.0 / 5, rel=0.05)
    assert (lengths[200:] > 1).all()
    assert corpus.log_weights[:200].min() > corpus.log_weights[200:].max()
    np.testing.assert_array_equal(corpus.content, np.arange(200, 680))
    for numbers in (corpus.groups, corpus.entities, corpus.attributes, corpus.families):
        assert (numbers[:200] == -1).all() and (numbers[200:] >= 0).all()
    ranks = np.sort(np.exp(-corpus.log_weights) - 2.7)
    np.testing.assert_allclose(ranks, np.arange(680), atol=1e-9)


def test_names_say_what_words_are_made_of():
    corpus = planted_corpus(20, **SMALL, random_state=0)
    assert corpus.vocabulary[:2] == ("f0", "f1")
    for word in corpus.content:
        g, e, a = (x[word] for x in (corpus.groups, corpus.entities, corpus.attributes))
        assert corpus.vocabulary[word] == f"g{g}e{e}a{a}"
        assert corpus.number(f"g{g}e{e}a{a}") == word
    assert len(set(corpus.vocabulary)) == len(corpus.vocabulary) == 46


def test_families_tell_entities_of_different_groups_apart():
    corpus = planted_corpus(20, **SMALL, random_state=0)
    families = corpus.families[corpus.content]
    pairs = np.stack([corpus.groups, corpus.entities], axis=1)[corpus.content]
    assert len(set(families)) == len(np.unique(pairs, axis=0)) == 12
    assert (np.bincount(families) == 3).all()  # a word for each attribute


@settings(max_examples=20)
@given(
    n_tokens=st.integers(1, 60),
    sizes=st.tuples(*3 * [st.integers(1, 3)]),
    n_function_words=st.integers(0, 4),
    seed=seeds,
)
def test_any_planted_corpus_has_a_word_for_each_attribute_of_each_entity(
    n_tokens, sizes, n_function_words, seed
):
    corpus = planted_corpus(
        n_tokens,
        **dict(zip(("n_groups", "n_entities", "n_attributes"), sizes, strict=True)),
        n_function_words=n_function_words,
        dimensions=3,
        random_state=seed,
    )
    assert len(corpus.words) == len(corpus.sentences) == 20 * -(-n_tokens // 20)
    assert corpus.counts.sum() == len(corpus.words)
    assert Counter(np.bincount(corpus.sentences).tolist()).keys() == {20}
    parts = np.stack([corpus.groups, corpus.entities, corpus.attributes], axis=1)
    plain = [-1, -1, -1]
    expected = sorted([*n_function_words * [plain], *map(list, np.ndindex(sizes))])
    assert sorted(parts.tolist()) == expected
    assert len(set(corpus.vocabulary)) == len(expected) == len(corpus.vectors)


def test_the_same_random_state_gives_the_same_text_and_another_another():
    one, same, other = (planted_corpus(200, **SMALL, random_state=s) for s in (7, 7, 8))
    for name in ("words", "vectors", "log_weights"):
        np.testing.assert_array_equal(getattr(one, name), getattr(same, name))
    assert (one.words != other.words).any() and (one.vectors != other.vectors).any()


def test_a_longer_text_has_the_same_truth():
    short, long = (planted_corpus(n, **SMALL, random_state=7) for n in (200, 400))
    np.testing.assert_array_equal(short.vectors, long.vectors)
    np.testing.assert_array_equal(short.log_weights, long.log_weights)


@pytest.mark.parametrize("across", [False, True])
def test_analogies_are_right_by_construction(across):
    corpus = planted_corpus(20, **SMALL, noise=0, random_state=0)
    questions = corpus.analogies(3000, across=across, random_state=1)
    assert questions.shape == (3000, 4)
    assert (corpus.groups[questions] >= 0).all()
    a, b, c, d = questions.T
    of = corpus.attributes
    assert (of[a] == of[c]).all() and (of[b] == of[d]).all() and (of[a] != of[b]).all()
    for x, y in ((a, b), (c, d)):
        assert (corpus.families[x] == corpus.families[y]).all()
    assert (corpus.families[a] != corpus.families[c]).all()
    assert ((corpus.groups[a] != corpus.groups[c]) == across).all()
    steps = corpus.vectors[b] - corpus.vectors[a], corpus.vectors[d] - corpus.vectors[c]
    np.testing.assert_allclose(*steps, atol=1e-12)


@pytest.mark.parametrize("across", [False, True])
def test_every_possible_analogy_is_asked_equally_often(across):
    corpus = planted_corpus(20, **TINY, random_state=0)
    questions = corpus.analogies(8000, across=across, random_state=1)
    seen = Counter(map(tuple, questions.tolist()))
    # a and b: 4 entities, 2 orders; c: the other of the group, or the 2 of the other
    possible = 4 * 2 * (2 if across else 1)
    assert len(seen) == possible
    mean = 8000 / possible
    assert all(abs(n - mean) < 5 * np.sqrt(mean) for n in seen.values())


def test_analogies_are_drawn_anew_with_another_random_state():
    corpus = planted_corpus(20, **SMALL, random_state=0)
    one, same, other = (
        corpus.analogies(50, across=True, random_state=s) for s in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


@pytest.mark.parametrize(
    "change, across",
    [
        ({"n_attributes": 1}, False),
        ({"n_attributes": 1}, True),
        ({"n_entities": 1}, False),
        ({"n_groups": 1}, True),
    ],
)
def test_a_corpus_without_analogies_says_so(change, across):
    corpus = planted_corpus(20, **{**SMALL, **change}, random_state=0)
    with pytest.raises(ValueError, match="corpus must have two attributes and two"):
        corpus.analogies(10, across=across, random_state=0)


def test_a_single_entity_is_enough_across_groups():
    corpus = planted_corpus(20, **{**SMALL, "n_entities": 1}, random_state=0)
    assert corpus.analogies(10, across=True, random_state=0).shape == (10, 4)


@pytest.mark.parametrize(
    "change, error, message",
    [
        ({"n_tokens": 0}, ValueError, "n_tokens must be at least 1"),
        ({"n_tokens": 1e6}, TypeError, "n_tokens must be an integer"),
        ({"n_groups": 0}, ValueError, "n_groups must be at least 1"),
        ({"n_entities": -1}, ValueError, "n_entities must be at least 1"),
        ({"n_attributes": True}, TypeError, "n_attributes must be an integer"),
        ({"n_function_words": -1}, ValueError, "n_function_words must be at least 0"),
        ({"dimensions": 0}, ValueError, "dimensions must be at least 1"),
        ({"scale": 0}, ValueError, "scale must be positive"),
        ({"scale": np.nan}, ValueError, "scale must be finite"),
        ({"noise": -0.1}, ValueError, "noise must not be negative"),
        ({"noise": "0.1"}, TypeError, "noise must be a number"),
        ({"random_state": -1}, ValueError, "random_state must be at least 0"),
        ({"random_state": None}, TypeError, "random_state must be an integer"),
    ],
)
def test_a_bad_plan_is_refused_by_name(change, error, message):
    with pytest.raises(error, match=message):
        planted_corpus(**{"n_tokens": 20, "random_state": 0, **change})


@pytest.mark.parametrize(
    "n_questions, random_state, error, message",
    [
        (0, 0, ValueError, "n_questions must be at least 1"),
        (2.0, 0, TypeError, "n_questions must be an integer"),
        (2, -1, ValueError, "random_state must be at least 0"),
    ],
)
def test_bad_questions_are_refused_by_name(n_questions, random_state, error, message):
    corpus = planted_corpus(20, **SMALL, random_state=0)
    with pytest.raises(error, match=message):
        corpus.analogies(n_questions, across=True, random_state=random_state)


def test_there_need_be_no_function_words():
    corpus = planted_corpus(40, **{**SMALL, "n_function_words": 0}, random_state=0)
    assert (corpus.groups >= 0).all()
    assert len(corpus.content) == len(corpus.vocabulary) == 36


@pytest.mark.filterwarnings("error")
def test_long_vectors_do_not_break_the_draw():
    corpus = planted_corpus(400, **SMALL, scale=30.0, random_state=0)
    assert 0 <= corpus.words.min() and corpus.words.max() < len(corpus.vocabulary)


# any corpus


def test_counts_and_numbers():
    corpus = Corpus(np.array([2, 0, 2]), np.zeros(3, int), ("a", "b", "c", "d"))
    np.testing.assert_array_equal(corpus.counts, [1, 0, 2, 0])
    assert corpus.number("c") == 2
    with pytest.raises(ValueError, match="one of the 4 of the vocabulary, got 'e'"):
        corpus.number("e")


# the docstrings


def test_a_sentence_ends_at_a_stop_a_colon_or_an_empty_line():
    text = "Sum of squares. It's\nslow: use a.b\n\nNext paragraph!  Why? Because; so"
    assert list(corpora._sentences_of(text)) == [
        ["sum", "of", "squares"],
        ["it's", "slow"],
        ["use", "a", "b"],
        ["next", "paragraph"],
        ["why"],
        ["because"],
        ["so"],
    ]


def test_words_are_letters_only():
    found = list(corpora._sentences_of("x2 = np.array([1, 2]) # don't! 'quoted' A_b ß"))
    assert found == [["x", "np", "array", "don't"], ["quoted", "a", "b"]]


def test_examples_are_left_out_up_to_the_next_empty_line():
    text = """Before it.
        >>> secret(1)
        ... hidden
        output
        \t
        After it.
        >>> last"""
    assert list(corpora._sentences_of(text)) == [["before", "it"], ["after", "it"]]


def test_a_text_without_words_has_no_sentences():
    assert list(corpora._sentences_of(" 1.0 \n\n -- ")) == []


def test_words_are_numbered_by_falling_count_and_rare_ones_are_dropped():
    texts = ["beta " * 6 + "alpha " * 9 + "rare " * 4, "gamma " * 5 + "alpha"]
    corpus = corpora._corpus_of(texts)
    assert corpus.vocabulary == ("alpha", "beta", "gamma")
    np.testing.assert_array_equal(corpus.counts, [10, 6, 5])
    np.testing.assert_array_equal(corpus.words, [1] * 6 + [0] * 9 + [2] * 5 + [0])
    np.testing.assert_array_equal(corpus.sentences, [0] * 15 + [1] * 6)
    assert corpus.words.dtype == corpus.sentences.dtype == np.int64


def test_equal_counts_keep_the_order_of_the_text():
    corpus = corpora._corpus_of(["zeta alpha mu " * 5])
    assert corpus.vocabulary == ("zeta", "alpha", "mu")


def test_a_docstring_that_occurs_again_counts_once():
    text = "word " * 5
    once, twice = corpora._corpus_of([text]), corpora._corpus_of([text, "other", text])
    np.testing.assert_array_equal(once.words, twice.words)
    np.testing.assert_array_equal(once.sentences, twice.sentences)


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A small package in place of the six, and a cache folder that is not there yet:
    (a list that grows when the package is read, the folder)."""
    source = tmp_path / "source" / "tiny_package"
    source.mkdir(parents=True)
    (source / "__init__.py").write_text(
        '"""Alpha alpha alpha."""\n\nclass A:\n    """Beta beta beta beta beta."""\n'
        '    def f(self):\n        """Alpha alpha."""\n\n'
        'async def g():\n    """Gamma gamma gamma gamma gamma."""\n\n'
        'def h():\n    "Beta."\n    "No docstring. " * 9\n'
    )
    (source / "broken.py").write_text("def (:\n")
    (source / "latin.py").write_bytes(b'"""caf\xe9 """\n')
    (source / "notes.txt").write_text("delta " * 9)
    monkeypatch.syspath_prepend(tmp_path / "source")
    monkeypatch.setattr(corpora, "PACKAGES", {"tiny_package": "numpy"})
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    reads, read = [], corpora._docstrings

    def counted():
        reads.append(1)
        return read()

    monkeypatch.setattr(corpora, "_docstrings", counted)
    return reads, tmp_path / "cache" / "lossbook"


def check_tiny(corpus):
    assert corpus.vocabulary == ("beta", "alpha", "gamma")
    np.testing.assert_array_equal(corpus.counts, [6, 5, 5])
    assert (np.diff(corpus.sentences) >= 0).all()
    assert all(type(word) is str for word in corpus.vocabulary)


def test_the_docstrings_of_modules_classes_and_functions_are_read_once(package):
    reads, folder = package
    first, second = docstring_corpus(), docstring_corpus()
    check_tiny(first)
    check_tiny(second)
    assert len(reads) == 1
    (kept,) = folder.iterdir()
    assert kept.name.startswith("docstrings-") and kept.suffix == ".npz"
    for name in ("words", "sentences"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
        assert getattr(first, name).dtype == getattr(second, name).dtype


@pytest.mark.parametrize("damage", ["empty", "garbage", "cut", "other arrays"])
def test_a_damaged_file_is_made_again(package, damage):
    reads, folder = package
    docstring_corpus()
    (kept,) = folder.iterdir()
    whole = kept.read_bytes()
    if damage == "other arrays":
        np.savez(kept, words=np.arange(3))
    else:
        parts = {"empty": b"", "garbage": b"x" * 99, "cut": whole[: len(whole) // 2]}
        kept.write_bytes(parts[damage])
    check_tiny(docstring_corpus())
    check_tiny(docstring_corpus())
    assert len(reads) == 2
    assert list(folder.iterdir()) == [kept]


def test_another_version_of_a_package_makes_it_anew(package, monkeypatch):
    reads, folder = package
    docstring_corpus()
    monkeypatch.setattr(corpora, "version", lambda _: "99.0")
    docstring_corpus()
    assert len(reads) == 2 and len(list(folder.iterdir())) == 2


def test_where_the_folder_may_not_be_written_it_does_without(package, monkeypatch):
    reads, folder = package

    def refuse(path, **kwargs):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(corpora.Path, "mkdir", refuse)
    check_tiny(docstring_corpus())
    check_tiny(docstring_corpus())
    assert len(reads) == 2 and not folder.exists()


def test_where_no_folder_can_be_made_it_does_without(package):
    reads, folder = package
    folder.parent.write_text("a file where the folder should be")
    check_tiny(docstring_corpus())
    check_tiny(docstring_corpus())
    assert len(reads) == 2


def test_on_a_read_only_file_system_it_does_without(package, monkeypatch):
    def refuse(path, **kwargs):
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    for change in ("mkdir", "unlink"):
        monkeypatch.setattr(corpora.Path, change, refuse)
    check_tiny(docstring_corpus())
    check_tiny(docstring_corpus())
    assert len(package[0]) == 2


def test_a_write_that_fails_half_way_leaves_nothing_behind(package, monkeypatch):
    def full(path, **arrays):
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(corpora.np, "savez_compressed", full)
    check_tiny(docstring_corpus())
    assert list(package[1].iterdir()) == []


def test_without_the_variable_the_cache_is_in_the_home_folder(
    package, monkeypatch, tmp_path
):
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    docstring_corpus()
    assert len(list((tmp_path / ".cache" / "lossbook").iterdir())) == 1


# the generated language


@pytest.fixture(scope="module")
def language():
    return generated_language(400_000, n_classes=3, n_words=6, random_state=0)


def test_it_has_as_many_words_classes_and_kinds_as_it_says(language):
    assert len(language.words) == len(language.sentences) == 400_000
    assert len(language.vocabulary) == len(set(language.vocabulary)) == 18
    assert np.bincount(language.classes).tolist() == [6, 6, 6]
    assert np.bincount(language.kinds).tolist() == [6, 6, 3, 3]
    assert not language.sentences.any()
    assert language.counts.sum() == 400_000


def test_its_probabilities_are_the_frequencies_of_its_text(language):
    pairs = np.indices((18, 18)).reshape(2, -1).T
    exact = np.exp(language.log_probabilities(pairs)).reshape(18, 18, 18)
    np.testing.assert_allclose(exact.sum(axis=2), 1, rtol=1e-12)
    counts = np.zeros((18, 18, 18))
    np.add.at(
        counts,
        tuple(language.words[i : len(language.words) - 2 + i] for i in range(3)),
        1,
    )
    expected = counts.sum(axis=2, keepdims=True) * exact
    deviations = (counts - expected) / np.sqrt(np.maximum(expected * (1 - exact), 1e-9))
    common = expected > 20
    assert common.sum() > 1000
    assert np.abs(deviations[common]).max() < 5
    assert abs(np.mean(deviations[common] ** 2) - 1) < 0.1


def test_its_entropy_rate_is_the_mean_surprise_of_its_text(language):
    surprise = []
    for start in range(0, 399_000, 50_000):
        part = language.words[start : start + 50_000]
        log_p = language.log_probabilities(np.stack([part[:-2], part[1:-1]], axis=1))
        surprise.append(-log_p[np.arange(len(log_p)), part[2:]])
    surprise = np.concatenate(surprise)
    error = surprise.std() / np.sqrt(len(surprise))
    assert abs(surprise.mean() - language.entropy_rate) < 5 * error < 0.01


def test_its_entropy_rate_is_that_of_a_chain_of_pairs_of_words():
    small = generated_language(2, n_classes=2, n_words=4, random_state=1)
    v = 8
    pairs = np.indices((v, v)).reshape(2, -1).T
    p = np.exp(small.log_probabilities(pairs))
    share = np.full(v * v, 1 / (v * v))
    for _ in range(2000):
        moved = np.zeros((v, v))
        for (_, last), often, row in zip(pairs, share, p, strict=True):
            moved[last] += often * row
        share = moved.ravel()
    expected = -np.sum(share[:, None] * p * np.log(p))
    assert small.entropy_rate == pytest.approx(expected, rel=1e-10)


def test_words_of_one_class_and_kind_are_interchangeable(language):
    alike = np.flatnonzero((language.classes == 1) & (language.kinds == 0))
    assert len(alike) == 2
    for place in (0, 1):
        contexts = np.array([[5, 5], [5, 5]])
        contexts[:, place] = alike
        first, second = language.log_probabilities(contexts)
        np.testing.assert_array_equal(first, second)
    difference = np.subtract(
        *language.log_probabilities([[0, 9], [4, 2], [17, 3]])[:, alike].T
    )
    np.testing.assert_allclose(difference, np.log(2), rtol=1e-12)  # ranks 1 and 2


@settings(max_examples=20)
@given(
    n_tokens=st.integers(2, 60),
    n_classes=st.integers(1, 3),
    n_words=st.integers(4, 7),
    seed=seeds,
)
def test_any_generated_language_has_the_probabilities_of_its_classes_and_kinds(
    n_tokens, n_classes, n_words, seed
):
    language = generated_language(
        n_tokens, n_classes=n_classes, n_words=n_words, random_state=seed
    )
    assert len(language.words) == n_tokens
    np.testing.assert_array_equal(
        language.counts,
        [np.sum(language.words == w) for w in range(len(language.kinds))],
    )
    older, last = np.random.default_rng(seed).integers(n_classes * n_words, size=2)
    p = np.exp(language.log_probabilities([[older, last]])[0])
    assert p.sum() == pytest.approx(1)
    for c, of_class in enumerate(
        language.class_probabilities[language.classes[older], language.classes[last]]
    ):
        assert p[language.classes == c].sum() == pytest.approx(of_class)
    agree = p[language.kinds == language.kinds[last]].sum()
    same = language.kinds[older] == language.kinds[last]
    assert agree == pytest.approx(0.7 + 0.2 * same + 0.1 / 4)


def test_the_same_state_gives_the_same_text_and_another_another():
    one, same, other = (
        generated_language(500, n_classes=3, n_words=6, random_state=state).words
        for state in (0, 0, 1)
    )
    assert np.array_equal(one, same) and not np.array_equal(one, other)


@pytest.mark.parametrize(
    "changed, error, message",
    [
        ({"n_tokens": 1}, ValueError, "n_tokens must be at least 2, got 1"),
        ({"n_classes": 0}, ValueError, "n_classes must be at least 1"),
        ({"n_words": 3}, ValueError, "n_words must be at least 4, got 3"),
        ({"n_words": 6.0}, TypeError, "n_words must be an integer, got float"),
        ({"random_state": -1}, ValueError, "random_state must be at least 0"),
        ({"random_state": None}, TypeError, "random_state must be an integer"),
    ],
)
def test_a_language_of_no_such_size_is_refused(changed, error, message):
    with pytest.raises(error, match=message):
        generated_language(**({"n_tokens": 10, "random_state": 0} | changed))


@pytest.mark.parametrize(
    "contexts, error, message",
    [
        ([[0.0, 1.0]], TypeError, "contexts must be integers, got float64"),
        ([0, 1], ValueError, r"contexts must have shape \(N, 2\), got \(2,\)"),
        ([[0, 1, 2]], ValueError, r"contexts must have shape \(N, 2\), got \(1, 3\)"),
        ([[0, 18]], ValueError, "contexts must be words from 0 to 17, got 18"),
        ([[-1, 0]], ValueError, "contexts must be words from 0 to 17, got -1"),
    ],
)
def test_contexts_that_are_no_words_are_refused(language, contexts, error, message):
    with pytest.raises(error, match=message):
        language.log_probabilities(contexts)
