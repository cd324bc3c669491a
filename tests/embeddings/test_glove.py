"""GloVe: counts against a walk through the text, gradients against autograd and finite
differences, training against PyTorch and against the reference code, typed again."""

from dataclasses import FrozenInstanceError

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.sparse import coo_array, csr_array

from lossbook.checks import check_gradient, check_parameter_gradients
from lossbook.corpora import Corpus, planted_corpus
from lossbook.derivation import DerivationError
from lossbook.embeddings import glove
from lossbook.embeddings.glove import (
    AdaGrad,
    GloVe,
    GloVeLoss,
    cooccurrence_counts,
    fit,
)
from lossbook.embeddings.looking_at_vectors import planted_scores
from lossbook.torch_loss import TorchLoss

both_types = pytest.mark.parametrize("dtype", [np.float32, np.float64])
LOSSES = [GloVeLoss(), GloVeLoss(x_max=5, alpha=0), GloVeLoss(x_max=0.3, alpha=1.7)]
every_loss = pytest.mark.parametrize("loss", LOSSES, ids=str)


def corpus_of(words, sentences, n_words):
    names = tuple(f"w{i}" for i in range(n_words))
    return Corpus(np.asarray(words), np.asarray(sentences), names)


# the table of counts


def counted_slowly(corpus, reach):
    table = np.zeros(2 * (len(corpus.vocabulary),))
    for n, word in enumerate(corpus.words):
        for m, other in enumerate(corpus.words):
            near = 0 < abs(n - m) <= reach
            if near and corpus.sentences[n] == corpus.sentences[m]:
                table[word, other] += 1 / abs(n - m)
    return table


def test_counts_by_hand():
    corpus = corpus_of([0, 1, 2, 0, 0], [0, 0, 0, 0, 1], 4)
    counts = cooccurrence_counts(corpus, reach=2)
    expected = [[0, 1.5, 1.5, 0], [1.5, 0, 1, 0], [1.5, 1, 0, 0], [0, 0, 0, 0]]
    np.testing.assert_array_equal(counts.toarray(), expected)
    assert isinstance(counts, csr_array) and counts.nnz == 6


def test_two_equal_words_near_each_other_count_for_both():
    counts = cooccurrence_counts(corpus_of([0, 0], [0, 0], 1), reach=1)
    assert counts[0, 0] == 2


@given(
    st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=1, max_size=30),
    st.integers(1, 40),
)
def test_counts_are_those_of_a_walk_through_the_text(tokens, reach):
    words, ends = zip(*tokens, strict=True)
    corpus = corpus_of(words, np.cumsum(ends), 5)
    counts = cooccurrence_counts(corpus, reach).toarray()
    np.testing.assert_allclose(counts, counted_slowly(corpus, reach), rtol=1e-13)
    np.testing.assert_array_equal(counts, counts.T)


@pytest.mark.parametrize(
    "reach, error, message",
    [
        (0, ValueError, "reach must be at least 1, got 0"),
        (2.0, TypeError, "reach must be an integer, got float: 2.0"),
        (True, TypeError, "reach must be an integer"),
    ],
)
def test_a_bad_reach_is_refused(reach, error, message):
    with pytest.raises(error, match=message):
        cooccurrence_counts(corpus_of([0], [0], 1), reach)


# the loss


def torch_glove(loss):
    """Equations 8 and 9 of the paper, for autograd."""

    def reference(scores, counts):
        below = (counts / loss.x_max) ** loss.alpha
        weight = torch.where(counts < loss.x_max, below, torch.ones_like(counts))
        return weight * (scores - torch.log(counts)) ** 2

    return reference


def test_values_by_hand():
    scores = [0.0, 0.0, 3.0, np.log(16)]
    value, gradient = GloVeLoss(x_max=16, alpha=0.5).value_and_gradient(
        scores, [1.0, 4.0, 400.0, 16.0]
    )
    far = np.log(4), 3 - np.log(400)
    np.testing.assert_allclose(value, [0, far[0] ** 2 / 2, far[1] ** 2, 0], atol=1e-15)
    np.testing.assert_allclose(gradient, [0, -far[0], 2 * far[1], 0], atol=1e-15)


def test_the_weight_is_that_of_figure_1_of_the_paper():
    counts = np.array([1.0, 10.0, 100.0, 1e5])
    expected = [100**-0.75, 10**-0.75, 1, 1]
    np.testing.assert_allclose(GloVeLoss().weights(counts), expected, rtol=1e-15)
    np.testing.assert_array_equal(GloVeLoss(alpha=0).weights(counts), np.ones(4))


@every_loss
@given(
    data=st.data(),
    counts=arrays(np.float64, st.integers(1, 8), elements=st.floats(1e-3, 1e6)),
)
def test_value_and_gradient_are_those_of_autograd(loss, data, counts):
    scores = data.draw(
        arrays(np.float64, counts.shape, elements=st.floats(-1e4, 1e4)), "scores"
    )
    tensor = torch.tensor(scores, requires_grad=True)
    expected = torch_glove(loss)(tensor, torch.tensor(counts))
    expected.sum().backward()
    value, gradient = loss.value_and_gradient(scores, counts)
    np.testing.assert_allclose(value, expected.detach(), rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(gradient, tensor.grad, rtol=1e-12, atol=1e-15)


@every_loss
def test_the_gradient_passes_the_check_of_the_book(loss):
    rng = np.random.default_rng(0)
    scores, counts = 4 * rng.standard_normal(40), np.exp(3 * rng.standard_normal(40))
    assert check_gradient(loss, scores, counts, reference=torch_glove(loss)).agrees


def test_the_check_finds_a_gradient_with_the_factor_2_dropped():
    class Halved(GloVeLoss):
        def value_and_gradient(self, scores, targets):
            value, gradient = super().value_and_gradient(scores, targets)
            return value, gradient / 2

    found = check_gradient(Halved(), [0.5, 2.0], [3.0, 200.0])
    assert not any(row.agrees for row in found.rows)


@every_loss
@both_types
@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("library", [np.asarray, torch.tensor], ids=["NumPy", "torch"])
def test_the_type_is_kept_and_nothing_overflows(loss, dtype, library):
    scores = library(np.array([1e4, -1e4, 0, 1e4], dtype=dtype))
    counts = library(np.array([1, 1e6, np.finfo(dtype).tiny, 0.2], dtype=dtype))
    for result in loss.value_and_gradient(scores, counts):
        assert result.dtype == scores.dtype and type(result) is type(scores)
        assert np.isfinite(np.asarray(result)).all()


def test_as_a_module_of_pytorch():
    scores = torch.tensor([0.5, -2.0], requires_grad=True)
    counts = torch.tensor([3.0, 250.0])
    TorchLoss(GloVeLoss(), reduction="sum")(scores, counts).backward()
    expected = GloVeLoss().gradient(scores.detach(), counts)
    assert torch.equal(scores.grad, expected)


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda: GloVeLoss(x_max=0), ValueError, "x_max must be positive, got 0"),
        (lambda: GloVeLoss(x_max="x"), TypeError, "x_max must be a number, got str"),
        (lambda: GloVeLoss(alpha=-1), ValueError, "alpha must not be negative, got -1"),
        (lambda: GloVeLoss(alpha=np.nan), ValueError, "alpha must be finite, got nan"),
        (
            lambda: GloVeLoss().value([1.0, 2.0], [1.0, 0.0]),
            ValueError,
            r"targets must be positive counts, got 0.0 at index \(1,\)",
        ),
        (
            lambda: GloVeLoss().gradient([1.0], [-2.0]),
            ValueError,
            "targets must be positive counts, got -2.0",
        ),
        (
            lambda: GloVeLoss().value([np.nan], [1.0]),
            ValueError,
            "scores must be finite, got nan",
        ),
        (
            lambda: GloVeLoss().value([1.0], [np.inf]),
            ValueError,
            "targets must be finite, got inf",
        ),
        (
            lambda: GloVeLoss().value([1.0], [1.0, 2.0]),
            ValueError,
            r"targets must have the shape of scores, \(1,\), got \(2,\)",
        ),
        (
            lambda: GloVeLoss().weights([1.0, np.nan]),
            ValueError,
            "counts must be finite",
        ),
    ],
)
def test_bad_input_of_the_loss_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_the_loss_is_a_value():
    assert GloVeLoss() == GloVeLoss(100, 0.75) != GloVeLoss(10)
    with pytest.raises(FrozenInstanceError):
        GloVeLoss().alpha = 1


# the model


def example(dtype=np.float64, n_words=5, dimensions=3, n_cells=30, seed=0):
    rng = np.random.default_rng(seed)
    shapes = 2 * [(n_words, dimensions)] + 2 * [(n_words,)]
    model = GloVe(*(rng.standard_normal(shape).astype(dtype) for shape in shapes))
    cells = rng.integers(0, n_words, (n_cells, 2))
    return model, cells, np.exp(2 * rng.standard_normal(n_cells)).astype(dtype)


def test_scores_written_out():
    model, cells, _ = example()
    for (i, j), score in zip(cells, model.scores(cells), strict=True):
        product = sum(model.inputs[i, d] * model.outputs[j, d] for d in range(3))
        expected = product + model.input_bias[i] + model.output_bias[j]
        assert score == pytest.approx(expected, rel=1e-14)


def test_gradients_in_all_parameters_pass_the_check_with_many_cells_of_a_word():
    model, cells, counts = example()
    assert len(np.unique(cells, axis=0)) < len(cells)
    assert check_parameter_gradients(model, GloVeLoss(), cells, counts).agrees


def test_the_check_finds_a_gradient_that_drops_duplicates():
    class Drops(GloVe):
        def gradients(self, cells, score_gradient):
            right = super().gradients(cells, score_gradient)
            right["inputs"] = np.zeros_like(self.inputs)
            update = score_gradient[:, None] * self.outputs[cells[:, 1]]
            right["inputs"][cells[:, 0]] += update
            return right

    model, cells, counts = example()
    found = check_parameter_gradients(
        Drops(**model.parameters), GloVeLoss(), cells, counts
    )
    assert {row.compared for row in found.rows if not row.agrees} == {"inputs"}


@both_types
def test_the_model_keeps_the_type(dtype):
    model, cells, counts = example(dtype)
    assert model.scores(cells).dtype == dtype
    gradients = model.gradients(cells, np.ones(len(cells), dtype))
    assert all(g.dtype == dtype for g in gradients.values())
    trained, _ = fit(model, np.eye(5), epochs=2, random_state=0)
    assert all(p.dtype == dtype for p in trained.parameters.values())


def test_a_random_model_is_small_and_seeded():
    model = GloVe.random(200, 9, random_state=3)
    again = GloVe.random(200, 9, random_state=3)
    for name, p in model.parameters.items():
        assert 0.04 < np.abs(p).max() <= 0.05
        np.testing.assert_array_equal(p, again.parameters[name])
    assert model.inputs.shape == model.outputs.shape == (200, 9)
    assert GloVe.random(2, 9, random_state=3, dtype=np.float32).inputs.dtype == "f4"


MODEL = example()[0]
PARTS = MODEL.parameters


@pytest.mark.parametrize(
    "make, error, message",
    [
        (
            lambda: GloVe(**{**PARTS, "outputs": np.zeros((4, 3))}),
            ValueError,
            r"outputs must have shape \(5, 3\), as inputs have, got \(4, 3\)",
        ),
        (
            lambda: GloVe(**{**PARTS, "output_bias": np.zeros(4)}),
            ValueError,
            r"output_bias must have shape \(5,\), as inputs have, got \(4,\)",
        ),
        (
            lambda: GloVe(**{**PARTS, "inputs": np.zeros(5)}),
            ValueError,
            r"inputs must have 2 dimension\(s\), got shape \(5,\)",
        ),
        (
            lambda: GloVe(**{**PARTS, "input_bias": [0, 0, 0, 0, np.inf]}),
            ValueError,
            "input_bias must be finite, got inf",
        ),
        (lambda: GloVe(**{**PARTS, "inputs": "x"}), TypeError, "inputs must be an"),
        (
            lambda: GloVe.random(0, 3, random_state=0),
            ValueError,
            "n_words must be at least 1, got 0",
        ),
        (
            lambda: GloVe.random(3, 1.5, random_state=0),
            TypeError,
            "dimensions must be an integer",
        ),
        (
            lambda: GloVe.random(3, 2, random_state=None),
            TypeError,
            "random_state must be an integer",
        ),
        (
            lambda: MODEL.scores([[0, 5]]),
            ValueError,
            r"cells must be words from 0 to 4, got 5 at index \(0, 1\)",
        ),
        (
            lambda: MODEL.scores([[-1, 0]]),
            ValueError,
            "cells must be words from 0 to 4, got -1",
        ),
        (lambda: MODEL.scores([0, 1]), ValueError, r"cells must have shape \(N, 2\)"),
        (lambda: MODEL.scores([[0.0, 1]]), TypeError, "cells must be integers"),
        (
            lambda: MODEL.gradients([[0, 1]], [1.0, 2.0]),
            ValueError,
            r"score_gradient must have shape \(1,\), got \(2,\)",
        ),
    ],
)
def test_bad_input_of_the_model_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


# the derivations


def test_the_derivation_of_the_objective_is_what_the_model_computes():
    rng = np.random.default_rng(1)
    model, counts = example(n_words=3, dimensions=2)[0], np.exp(rng.random((3, 3)))
    derivation = glove.derivation()
    derivation.verify()
    cells, loss = np.argwhere(counts > 0), GloVeLoss(x_max=2)
    ours = model.gradients(cells, loss.gradient(model.scores(cells), counts.ravel()))
    values = {
        "e": model.inputs,
        "w": model.outputs.T,
        "btilde": model.input_bias,
        "b": model.output_bias,
        "M": counts,
        "f": loss.weights(counts),
    }
    for k, d in ((0, 1), (2, 0)):
        at = {"V": 3, "D": 2, "N": 9, "k": k + 1, "d'": d + 1}
        derived = derivation.evaluate({**values, **at})
        assert derived == pytest.approx(ours["inputs"][k, d] / 9, rel=1e-13)


def test_a_derivation_that_forgets_the_weight_is_refused():
    from dataclasses import replace

    right = GloVeLoss().derivation()
    lines = list(right.lines)
    (f,) = (symbol for symbol in right.where if str(symbol) == "f")
    lines[-1] = replace(lines[-1], expression=lines[-1].expression / f)
    with pytest.raises(DerivationError, match="line 4"):
        type(right)(right.name, lines, right.where).verify()


# AdaGrad and training


def table_of(n_words=6, seed=0):
    rng = np.random.default_rng(seed)
    counts = rng.exponential(20, (n_words, n_words)) * (
        rng.random((n_words,) * 2) < 0.7
    )
    return counts + counts.T


@pytest.mark.parametrize(
    "optimizer",
    [AdaGrad(0.05), AdaGrad(1.0), AdaGrad.of_reference_code()],
    ids=str,
)
def test_training_is_that_of_a_loop_in_pytorch(optimizer):
    counts, start = table_of(), GloVe.random(6, 3, random_state=1)
    model, losses = fit(
        start, counts, epochs=5, optimizer=optimizer, batch_size=7, random_state=2
    )
    table = coo_array(counts)
    i, j, x = (torch.tensor(a) for a in (table.row, table.col, table.data))
    i, j = i.long(), j.long()
    E, W, b_in, b_out = parameters = [
        torch.tensor(p, requires_grad=True) for p in start.parameters.values()
    ]
    torch_optimizer = torch.optim.Adagrad(
        parameters,
        lr=optimizer.learning_rate,
        initial_accumulator_value=optimizer.initial_sum,
        eps=glove.TINY,
    )
    rng, torch_losses = np.random.default_rng(2), []
    for _ in range(5):
        order, total = torch.tensor(rng.permutation(len(x))), 0.0
        for n in order.split(7):
            scores = (E[i[n]] * W[j[n]]).sum(1) + b_in[i[n]] + b_out[j[n]]
            loss = torch_glove(GloVeLoss())(scores, x[n]).sum()
            torch_optimizer.zero_grad()
            loss.backward()
            torch_optimizer.step()
            total += loss.item()
        torch_losses.append(total / len(x))
    np.testing.assert_allclose(losses, torch_losses, rtol=1e-10)
    for ours, theirs in zip(model.parameters.values(), parameters, strict=True):
        np.testing.assert_allclose(ours, theirs.detach(), rtol=1e-8, atol=1e-10)


def reference_code(model, cells, counts, order, eta, *, add_first):
    """The inner loop of glove.c, cell by cell, with its factor 1/2; the square is added
    after the step there (add_first False)."""
    vectors = [
        np.hstack([model.inputs, np.ones((6, 1)), model.input_bias[:, None]]),
        np.hstack([model.outputs, model.output_bias[:, None], np.ones((6, 1))]),
    ]
    free = np.ones((2, vectors[0].shape[1]))  # the ones that multiply the biases stay
    free[0, -2] = free[1, -1] = 0
    sums = [np.ones_like(v) for v in vectors]
    for n in order:
        i, j = cells[n]
        difference = vectors[0][i] @ vectors[1][j] - np.log(counts[n])
        pull = eta * min(1, (counts[n] / 100) ** 0.75) * difference
        temps = pull * vectors[1][j], pull * vectors[0][i]
        for side, row in enumerate((i, j)):
            temp = temps[side] * free[side]
            if add_first:
                sums[side][row] += temp**2
            vectors[side][row] -= temp / np.sqrt(sums[side][row])
            if not add_first:
                sums[side][row] += temp**2
    return vectors


@pytest.mark.parametrize("eta", [0.05, 0.3])
def test_with_one_cell_at_a_time_it_is_the_reference_code(eta):
    counts, start = table_of(), GloVe.random(6, 3, random_state=1)
    table = coo_array(counts)
    cells = np.stack([table.row, table.col], axis=1)
    order = np.random.default_rng(2).permutation(len(cells))
    model, _ = fit(
        start,
        counts,
        epochs=1,
        optimizer=AdaGrad.of_reference_code(eta),
        batch_size=1,
        random_state=2,
    )
    first, after = (
        reference_code(start, cells, table.data, order, eta, add_first=flag)
        for flag in (True, False)
    )
    np.testing.assert_allclose(model.inputs, first[0][:, :3], rtol=1e-9)
    np.testing.assert_allclose(model.outputs, first[1][:, :3], rtol=1e-9)
    np.testing.assert_allclose(model.input_bias, first[0][:, -1], rtol=1e-9)
    np.testing.assert_allclose(model.output_bias, first[1][:, -2], rtol=1e-9)
    # when the square is added matters little
    assert np.abs(model.inputs - after[0][:, :3]).max() < 0.1


def test_the_published_rule_does_not_see_the_scale_of_the_loss():
    class Scaled(GloVeLoss):
        def value_and_gradient(self, scores, targets):
            value, gradient = super().value_and_gradient(scores, targets)
            return 1000 * value, 1000 * gradient

    counts, start = table_of(), GloVe.random(6, 3, random_state=1)
    for optimizer, same in ((AdaGrad(0.3), True), (AdaGrad(0.3, 10.0), False)):
        models = [
            fit(
                start, counts, epochs=3, loss=loss, optimizer=optimizer, random_state=0
            )[0]
            for loss in (GloVeLoss(), Scaled())
        ]
        close = np.allclose(models[0].inputs, models[1].inputs, rtol=1e-5)
        assert close is same


def test_a_step_by_hand():
    parameters, sums = {"u": np.array([1.0, 1.0])}, {"u": np.array([9.0, 0.0])}
    AdaGrad(0.5).step(parameters, {"u": np.array([4.0, 0.0])}, sums)
    np.testing.assert_allclose(parameters["u"], [1 - 0.5 * 4 / 5, 1.0])
    np.testing.assert_array_equal(sums["u"], [25.0, 0.0])


def test_training_reaches_a_table_that_the_model_can_express():
    truth = example(n_words=12, dimensions=2, seed=4)[0]
    every = np.argwhere(np.ones((12, 12)))
    counts = np.exp(truth.scores(every)).reshape(12, 12)
    model, losses = fit(
        GloVe.random(12, 2, random_state=0),
        counts,
        epochs=600,
        optimizer=AdaGrad(0.3),
        batch_size=36,
        random_state=0,
    )
    assert losses[-1] < 1e-4 * losses[0]
    np.testing.assert_allclose(model.scores(every), truth.scores(every), atol=0.2)


def test_cells_without_a_count_take_no_part():
    counts = table_of()
    stored = csr_array(counts)
    explicit = coo_array(
        (counts.ravel(), np.divmod(np.arange(36), 6)), shape=(6, 6)
    )  # zeros stored
    assert explicit.nnz == 36 > stored.nnz
    start = GloVe.random(6, 2, random_state=0)
    models = [
        fit(start, table, epochs=2, random_state=0)[0]
        for table in (counts, stored, explicit)
    ]
    for model in models[1:]:
        np.testing.assert_array_equal(model.inputs, models[0].inputs)


def test_training_is_seeded_and_leaves_its_input_alone():
    counts, start = table_of(), GloVe.random(6, 2, random_state=0)
    before = {name: p.copy() for name, p in start.parameters.items()}
    runs = [fit(start, counts, epochs=3, random_state=s) for s in (0, 0, 1)]
    np.testing.assert_array_equal(runs[0][1], runs[1][1])
    np.testing.assert_array_equal(runs[0][0].inputs, runs[1][0].inputs)
    assert len(runs[0][1]) == 3
    for name, p in start.parameters.items():
        np.testing.assert_array_equal(p, before[name])
        assert not np.shares_memory(p, runs[0][0].parameters[name])


def test_it_recovers_the_planted_vectors():
    corpus = planted_corpus(300_000, n_groups=6, n_function_words=100, random_state=0)
    counts = cooccurrence_counts(corpus, 5)
    start = GloVe.random(340, 16, random_state=0, dtype=np.float32)
    scores = {}
    for name, optimizer in (
        ("reference", None),
        ("published, 1", AdaGrad(1.0)),
        ("published, 0.05", AdaGrad(0.05)),
    ):
        model, _ = fit(start, counts, epochs=10, optimizer=optimizer, random_state=0)
        vectors = model.inputs + model.outputs
        scores[name] = planted_scores(vectors, corpus, n_questions=500)["within"]
    assert scores["published, 1"] > 0.9
    assert scores["reference"] > 0.8
    assert scores["published, 0.05"] < scores["reference"]


COUNTS = np.eye(5)


def training(**changes):
    settings = {"epochs": 1, "random_state": 0, **changes}
    return lambda: fit(
        settings.pop("model", MODEL), settings.pop("counts", COUNTS), **settings
    )


@pytest.mark.parametrize(
    "make, error, message",
    [
        (training(epochs=0), ValueError, "epochs must be at least 1, got 0"),
        (training(batch_size=1.5), TypeError, "batch_size must be an integer"),
        (training(random_state=-1), ValueError, "random_state must be at least 0"),
        (
            training(counts=np.eye(4)),
            ValueError,
            r"counts must have shape \(5, 5\), got \(4, 4\)",
        ),
        (
            training(counts=np.zeros((5, 5))),
            ValueError,
            "counts must hold at least one that is not 0, got none",
        ),
        (
            training(counts=-COUNTS),
            ValueError,
            "targets must be positive counts, got -1.0",
        ),
        (lambda: AdaGrad(0), ValueError, "learning_rate must be positive, got 0"),
        (
            lambda: AdaGrad(1, -1),
            ValueError,
            "initial_sum must not be negative, got -1",
        ),
        (
            lambda: AdaGrad.of_reference_code(eta=None),
            TypeError,
            "eta must be a number, got NoneType",
        ),
    ],
)
def test_bad_input_of_training_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()
