"""CBOW and skip-gram: gradients against autograd and PyTorch's own layers, contexts
against a walk through the text, the table of counts against every pair by itself."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

from lossbook.checks import check_parameter_gradients
from lossbook.corpora import planted_corpus
from lossbook.derivation import Derivation, DerivationError, Line
from lossbook.embeddings import cbow_skip_gram
from lossbook.embeddings._windows import window_counts, window_pairs
from lossbook.embeddings.cbow_skip_gram import (
    CBOW,
    SkipGram,
    fit_skip_gram,
    skip_gram_loss_and_gradients,
    window_contexts,
)
from lossbook.embeddings.looking_at_vectors import planted_scores
from lossbook.losses import CrossEntropy
from lossbook.losses.information import entropy
from lossbook.training import mean_loss_and_gradients, stochastic_gradient_descent

plain = torch.nn.CrossEntropyLoss(reduction="none")
both_types = pytest.mark.parametrize("dtype", [np.float32, np.float64])
texts = st.lists(st.tuples(st.integers(0, 4), st.booleans()), max_size=30)
V, D = 6, 3


def arrays(seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((2, V, D)).astype(dtype)


def some_contexts(n, seed=0):
    """Contexts of 1 to 4 words, with words that occur twice."""
    rng = np.random.default_rng(seed)
    contexts = rng.integers(-1, V, size=(n, 4))
    contexts[np.arange(n), rng.integers(4, size=n)] = rng.integers(V, size=n)
    assert (contexts == -1).any(axis=1).any() and (contexts >= 0).all(axis=1).any()
    return contexts, rng.integers(V, size=n)


# scores and gradients


def test_by_hand():
    """The three words of the chapter: p is (0.4, 0.4, 0.2), the second word is right."""
    outputs = [[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]
    inputs = [[np.log(2), 0.0], [2 * np.log(2), 1.0], [0.0, -1.0]]
    for model, features, rows in (
        (SkipGram(inputs, outputs), [0], {0: [-0.2, -0.4]}),
        (CBOW(inputs, outputs), [[1, 2]], {1: [-0.1, -0.2], 2: [-0.1, -0.2]}),
    ):
        loss, gradients = mean_loss_and_gradients(
            model, CrossEntropy(), np.array(features), np.array([1])
        )
        assert loss == pytest.approx(-np.log(0.4))
        expected = np.zeros((3, 2))
        for row, numbers in rows.items():
            expected[row] = numbers
        np.testing.assert_allclose(gradients["inputs"], expected, atol=1e-15)
        of_outputs = np.outer([0.4, -0.6, 0.2], [np.log(2), 0])
        np.testing.assert_allclose(gradients["outputs"], of_outputs, atol=1e-15)


def test_scores_are_inner_products():
    inputs, outputs = arrays()
    contexts, _ = some_contexts(30)
    scores = CBOW(inputs, outputs).scores(contexts)
    for context, row in zip(contexts, scores, strict=True):
        mean = np.mean([inputs[word] for word in context if word >= 0], axis=0)
        np.testing.assert_allclose(row, [mean @ w for w in outputs], rtol=1e-12)
    scores = SkipGram(inputs, outputs).scores([3, 3, 0])
    np.testing.assert_allclose(scores, inputs[[3, 3, 0]] @ outputs.T)


def test_one_word_of_context_is_skip_gram():
    words, targets = np.array([2, 2, 5, 0]), np.array([0, 1, 5, 5])
    alone = np.full((4, 3), -1)
    alone[range(4), [0, 1, 2, 1]] = words
    pairs = SkipGram(*arrays()), words
    contexts = CBOW(*arrays()), alone
    one, other = (
        mean_loss_and_gradients(model, CrossEntropy(), features, targets)
        for model, features in (pairs, contexts)
    )
    assert one[0] == pytest.approx(other[0])
    for name in ("inputs", "outputs"):
        np.testing.assert_allclose(one[1][name], other[1][name], atol=1e-15)


def test_gradients_against_autograd_and_differences():
    contexts, targets = some_contexts(25)
    for model, features in (
        (SkipGram(*arrays()), contexts.max(axis=1)),
        (CBOW(*arrays()), contexts),
    ):
        check = check_parameter_gradients(
            model, CrossEntropy(), features, targets, reference=plain
        )
        assert check.agrees, check


class Undivided(CBOW):
    """Each context word gets the whole gradient, as in word2vec's C code."""

    def _pulled_back(self, contexts, hidden_gradient):
        size = (contexts >= 0).sum(axis=1, keepdims=True)
        return super()._pulled_back(contexts, hidden_gradient * size)


class LastOnly(SkipGram):
    """The statement that keeps one gradient of a repeated row."""

    def _pulled_back(self, words, hidden_gradient):
        gradient = np.zeros_like(self.inputs)
        gradient[words] += hidden_gradient
        return gradient


class LastWord(CBOW):
    """The place without a word reads the last row."""

    def _hidden(self, contexts):
        return self.inputs[contexts].mean(axis=1)


@pytest.mark.parametrize("model", [Undivided, LastOnly, LastWord])
def test_the_mistakes_of_the_chapter_are_found_out(model):
    contexts, targets = some_contexts(25)
    features = contexts.max(axis=1) if issubclass(model, SkipGram) else contexts
    assert not check_parameter_gradients(
        model(*arrays()), CrossEntropy(), features, targets, reference=plain
    ).agrees


@both_types
def test_the_layers_of_pytorch(dtype):
    contexts, targets = some_contexts(40, seed=1)
    inputs, outputs = arrays(1, dtype)
    bag = torch.nn.EmbeddingBag.from_pretrained(
        torch.tensor(np.vstack([inputs, np.zeros((1, D), dtype)])),
        freeze=False,
        mode="mean",
        padding_idx=V,
    )
    row = torch.nn.Embedding.from_pretrained(torch.tensor(inputs), freeze=False)
    padded = torch.tensor(np.where(contexts < 0, V, contexts))
    words = contexts.max(axis=1)
    for model, features, layer, asked in (
        (CBOW(inputs, outputs), contexts, bag, padded),
        (SkipGram(inputs, outputs), words, row, torch.tensor(words)),
    ):
        softmax = torch.nn.Linear(D, V, bias=False)
        softmax.weight.data = torch.tensor(outputs)
        scores = softmax(layer(asked))
        loss = torch.nn.functional.cross_entropy(scores, torch.tensor(targets))
        loss.backward()
        ours, gradients = mean_loss_and_gradients(
            model, CrossEntropy(), features, targets
        )
        tolerance = {"rtol": 0, "atol": 2e-6 if dtype == np.float32 else 1e-14}
        assert model.scores(features).dtype == dtype
        assert ours == pytest.approx(loss.item(), abs=tolerance["atol"])
        for name, theirs in (("inputs", layer.weight), ("outputs", softmax.weight)):
            assert gradients[name].dtype == dtype
            theirs = theirs.grad.numpy()[:V]
            np.testing.assert_allclose(gradients[name], theirs, **tolerance)


def test_training_is_that_of_a_pytorch_loop():
    contexts, targets = some_contexts(50, seed=2)
    start = CBOW.random(V, D, random_state=0)
    settings = {"learning_rate": 2.0, "batch_size": 8, "epochs": 3, "random_state": 5}
    history = stochastic_gradient_descent(
        start, CrossEntropy(), contexts, targets, **settings
    )
    inputs, outputs = (
        torch.tensor(p, requires_grad=True) for p in start.parameters.values()
    )
    optimizer = torch.optim.SGD([inputs, outputs], lr=2.0)
    rng = np.random.default_rng(5)
    for _ in range(3):
        order = rng.permutation(50)
        for first in range(0, 50, 8):
            batch = order[first : first + 8]
            there = torch.tensor(contexts[batch] >= 0)[:, :, None]
            rows = inputs[torch.tensor(contexts[batch]).clamp(min=0)] * there
            scores = rows.sum(1) / there.sum(1) @ outputs.T
            optimizer.zero_grad()
            plain(scores, torch.tensor(targets[batch])).mean().backward()
            optimizer.step()
    for ours, theirs in zip(
        history.model.parameters.values(), (inputs, outputs), strict=True
    ):
        np.testing.assert_allclose(ours, theirs.detach().numpy(), atol=1e-13)


def test_the_start():
    for model in (SkipGram, CBOW):
        start = model.random(50, 8, random_state=3, dtype=np.float32)
        assert start.inputs.dtype == start.outputs.dtype == np.float32
        assert np.abs(start.inputs).max() <= 0.5 / 8 and np.ptp(start.inputs) > 0.9 / 8
        assert not start.outputs.any()
        assert isinstance(start, model) and isinstance(replace(start), model)
        again = model.random(50, 8, random_state=3)
        np.testing.assert_allclose(start.inputs, again.inputs, rtol=1e-6)


# contexts


def test_contexts_by_hand():
    contexts, centres = window_contexts(
        np.array([3, 1, 4, 0, 2]), np.array([0, 0, 0, 0, 1]), 2
    )
    expected = [[-1, -1, 1, 4], [-1, 3, 4, 0], [3, 1, 0, -1], [1, 4, -1, -1]]
    np.testing.assert_array_equal(contexts, expected)
    np.testing.assert_array_equal(centres, [3, 1, 4, 0])  # 2 stands alone


@given(texts, st.integers(1, 6), st.one_of(st.none(), st.integers(0, 5)))
def test_contexts_are_those_of_a_walk_through_the_text(tokens, reach, seed):
    words = np.array([word for word, _ in tokens], dtype=np.int64)
    sentences = np.cumsum([begins for _, begins in tokens], dtype=np.int64)
    own = np.full(len(words), reach)
    if seed is not None:
        own = np.random.default_rng(seed).integers(1, reach + 1, size=len(words))
    expected, middles = [], []
    for n in range(len(words)):
        row = [-1] * (2 * reach)
        for place, m in enumerate([*range(n - reach, n), *range(n + 1, n + reach + 1)]):
            inside = 0 <= m < len(words) and abs(n - m) <= own[n]
            if inside and sentences[n] == sentences[m]:
                row[place] = words[m]
        if max(row) >= 0:
            expected.append(row)
            middles.append(words[n])
    contexts, centres = window_contexts(words, sentences, reach, seed)
    np.testing.assert_array_equal(contexts, np.reshape(expected, (-1, 2 * reach)))
    np.testing.assert_array_equal(centres, middles)


# the table of counts


def small_table(seed=0):
    """Counts with zeros, a row that is empty, and no symmetry."""
    counts = np.random.default_rng(seed).poisson(1.5, size=(V, V)).astype(float)
    counts[4] = 0
    return counts


def pairs_of(counts):
    """Every pair of a table of whole numbers by itself."""
    i, j = np.indices(counts.shape).reshape(2, -1)
    times = counts.ravel().astype(int)
    return i.repeat(times), j.repeat(times)


@pytest.mark.parametrize("kind", [np.asarray, csr_array])
def test_the_table_is_the_sum_over_its_pairs(kind):
    model, counts = SkipGram(*arrays()), small_table()
    words, targets = pairs_of(counts)
    loss, gradients = skip_gram_loss_and_gradients(model, kind(counts))
    expected = mean_loss_and_gradients(model, CrossEntropy(), words, targets)
    assert loss == pytest.approx(expected[0], rel=1e-13)
    for name, gradient in expected[1].items():
        np.testing.assert_allclose(gradients[name], gradient, atol=1e-14)


def test_the_table_is_not_read_transposed():
    model, counts = SkipGram(*arrays()), small_table()
    there = skip_gram_loss_and_gradients(model, counts)[0]
    back = skip_gram_loss_and_gradients(model, counts.T)[0]
    assert abs(there - back) > 0.01


def test_autograd_through_the_table():
    counts = torch.tensor(small_table(1))
    inputs, outputs = (torch.tensor(p, requires_grad=True) for p in arrays(1))
    log_p = (inputs @ outputs.T).log_softmax(1)
    (-(counts * log_p).sum() / counts.sum()).backward()
    _, gradients = skip_gram_loss_and_gradients(SkipGram(*arrays(1)), counts.numpy())
    for name, theirs in (("inputs", inputs), ("outputs", outputs)):
        np.testing.assert_allclose(gradients[name], theirs.grad.numpy(), atol=1e-15)


def test_no_overflow():
    inputs, outputs = arrays()
    model = SkipGram(1e4 * inputs, outputs)
    loss, gradients = skip_gram_loss_and_gradients(model, small_table())
    assert np.isfinite(loss)
    assert all(np.isfinite(gradient).all() for gradient in gradients.values())


def test_the_floor_is_the_conditional_entropy():
    """Vectors as long as there are words can give every probability of the table."""
    counts = small_table() + 0.5
    of_word = counts.sum(axis=1)
    floor = of_word @ entropy(counts / of_word[:, None]) / of_word.sum()
    perfect = SkipGram(np.eye(V), np.log(counts).T)
    loss, gradients = skip_gram_loss_and_gradients(perfect, counts)
    assert loss == pytest.approx(floor, rel=1e-13)
    for gradient in gradients.values():
        np.testing.assert_allclose(gradient, 0, atol=1e-14)
    model, losses = fit_skip_gram(counts, V, random_state=0)
    assert floor <= losses[-1] < floor + 1e-4
    assert losses[0] == pytest.approx(np.log(V), abs=1e-3)
    assert (np.diff(losses) <= 0).all()
    assert losses[-1] == pytest.approx(skip_gram_loss_and_gradients(model, counts)[0])


def test_the_fit_stands_still_where_a_smaller_step_finds_nothing_better():
    counts = small_table() + 0.5
    model, losses = fit_skip_gram(counts, 2, random_state=0)
    _, gradients = skip_gram_loss_and_gradients(model, counts)
    assert max(np.abs(gradient).max() for gradient in gradients.values()) < 1e-3
    others = [fit_skip_gram(counts, 2, random_state=seed)[1][-1] for seed in (1, 2, 3)]
    assert losses[-1] < min(others) + 0.02


def test_the_sum_of_the_output_vectors_stays_where_it_starts():
    start = SkipGram(*arrays())
    _, gradients = skip_gram_loss_and_gradients(start, small_table())
    np.testing.assert_allclose(gradients["outputs"].sum(axis=0), 0, atol=1e-14)


def test_planted_vectors_are_recovered():
    corpus = planted_corpus(
        100_000, n_groups=4, n_entities=5, n_function_words=30, random_state=0
    )
    counts = window_counts(corpus, 5, lambda distance: (6 - distance) / 5)
    model, _ = fit_skip_gram(counts, 12, random_state=0)
    start = SkipGram.random(110, 12, random_state=0).inputs
    ours, true, chance = (
        planted_scores(v, corpus)["across"]
        for v in (model.inputs, corpus.vectors, start)
    )
    assert true > 0.9 and ours > 0.8 and chance < 0.1


def test_a_pass_over_the_pairs_approaches_the_loss_of_the_table():
    corpus = planted_corpus(
        10_000, n_groups=2, n_entities=3, n_function_words=6, random_state=0
    )
    counts = window_counts(corpus, 3, lambda distance: (4 - distance) / 3)
    _, losses = fit_skip_gram(counts, 4, random_state=0)
    words, targets = window_pairs(corpus.words, corpus.sentences, 3, 0)
    start = SkipGram.random(len(corpus.vocabulary), 4, random_state=0)
    history = stochastic_gradient_descent(
        *(start, CrossEntropy(), words, targets),
        learning_rate=3,
        batch_size=256,
        epochs=3,
        random_state=0,
    )
    reached = skip_gram_loss_and_gradients(history.model, counts)[0]
    assert losses[-1] - 1e-6 < reached < losses[-1] + 0.05 < losses[0] - 0.1


# derivations


def test_the_derivation_is_the_gradient_of_the_inputs():
    derivation = cbow_skip_gram.derivation()
    assert "definition" in derivation.verify()
    inputs, outputs = arrays(3)
    for context in ([2], [1, 4, 5]):
        features, target = np.array([context]), np.array([3])
        _, gradients = mean_loss_and_gradients(
            CBOW(inputs, outputs), CrossEntropy(), features, target
        )
        rows = inputs[context]
        values = {
            **{"V": V, "B": len(context), "y": 4, "e": rows[0, 1]},
            **{"v": rows[1:, 1].sum(), "w": outputs[:, 1]},
            "b": np.delete(outputs, 1, 1) @ np.delete(rows.mean(axis=0), 1),
        }
        ours = gradients["inputs"][context[0], 1]
        assert derivation.evaluate(values) == pytest.approx(ours, rel=1e-12)


def test_the_derivation_of_the_table_is_verified():
    assert len(cbow_skip_gram.counts_derivation().verify()) == 4


def test_a_derivation_without_the_mean_is_refused():
    derivation = cbow_skip_gram.derivation()
    *good, last = derivation.lines
    wrong = Line(last.expression.args[-1], "forget the mean")
    with pytest.raises(DerivationError):
        Derivation(derivation.name, [*good, wrong], derivation.where).verify()


# bad input


@pytest.mark.parametrize(
    "make, error, message",
    [
        (
            lambda: SkipGram(np.ones((3, 2)), np.ones((2, 3))),
            ValueError,
            r"outputs must have the shape of inputs, \(3, 2\), got \(2, 3\)",
        ),
        (lambda: CBOW(np.ones(3), np.ones(3)), ValueError, "inputs must have 2"),
        (lambda: CBOW([[np.nan]], [[1.0]]), ValueError, "inputs must be finite"),
        (lambda: SkipGram([["a"]], [[1.0]]), TypeError, "inputs must be an array"),
        (lambda: CBOW.random(0, 2, random_state=0), ValueError, "n_words must be"),
        (lambda: CBOW.random(2, 2.0, random_state=0), TypeError, "dimensions must be"),
        (
            lambda: SkipGram(*arrays()).scores([0, V]),
            ValueError,
            "features must be words from 0 to 5, got 6",
        ),
        (
            lambda: SkipGram(*arrays()).scores([-1]),
            ValueError,
            "features must be words",
        ),
        (lambda: SkipGram(*arrays()).scores([0.0]), TypeError, "features must be int"),
        (lambda: SkipGram(*arrays()).scores([[0]]), ValueError, "features must have"),
        (lambda: CBOW(*arrays()).scores([0]), ValueError, "features must have"),
        (lambda: CBOW(*arrays()).scores([[-2]]), ValueError, "features must be words"),
        (lambda: CBOW(*arrays()).scores([[0.5]]), TypeError, "features must be int"),
        (
            lambda: CBOW(*arrays()).scores([[0, 1], [-1, -1]]),
            ValueError,
            "features must have a word in each context",
        ),
        (
            lambda: CBOW(*arrays()).gradients([[0]], np.ones((2, V))),
            ValueError,
            r"score_gradient must have shape \(1, 6\), got \(2, 6\)",
        ),
        (
            lambda: skip_gram_loss_and_gradients(SkipGram(*arrays()), np.ones((2, 2))),
            ValueError,
            r"counts must have shape \(6, 6\), got \(2, 2\)",
        ),
        (
            lambda: fit_skip_gram(np.ones((2, 3)), 1, random_state=0),
            ValueError,
            r"counts must have shape \(2, 2\), got \(2, 3\)",
        ),
        (
            lambda: fit_skip_gram(-np.eye(2), 1, random_state=0),
            ValueError,
            "counts must not be negative",
        ),
        (
            lambda: fit_skip_gram(np.zeros((2, 2)), 1, random_state=0),
            ValueError,
            "counts must not all be zero",
        ),
        (
            lambda: fit_skip_gram(np.eye(2), 0, random_state=0),
            ValueError,
            "dimensions must be at least 1",
        ),
        (
            lambda: fit_skip_gram(np.eye(2), 1, random_state=-1),
            ValueError,
            "random_state must be at least 0",
        ),
        (
            lambda: window_contexts(np.arange(3), np.zeros(3, int), 0),
            ValueError,
            "reach must be at least 1",
        ),
    ],
)
def test_bad_input_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()
