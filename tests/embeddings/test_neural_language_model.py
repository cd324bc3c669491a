"""The neural language model against sums written out, PyTorch and finite differences."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lossbook.checks import check_parameter_gradients
from lossbook.corpora import generated_language
from lossbook.embeddings.neural_language_model import (
    NeuralLanguageModel,
    contexts_and_targets,
    derivation,
    perplexity,
    surprises,
    tanh_derivation,
)
from lossbook.losses import CrossEntropy
from lossbook.training import mean_loss_and_gradients, stochastic_gradient_descent

CONTEXTS = np.array([[0, 1], [1, 1], [4, 0], [2, 2], [1, 0]])  # word 3 is in none
TARGETS = np.array([3, 1, 0, 4, 4])


def model(*, direct, n_words=5, n_context=2, dimensions=3, hidden=4, seed=0):
    """With all parameters random, so that none of the gradients is zero."""
    rng = np.random.default_rng(seed)
    start = NeuralLanguageModel.random(
        n_words,
        n_context,
        dimensions=dimensions,
        hidden=hidden,
        direct=direct,
        random_state=seed,
    )
    filled = {
        name: rng.standard_normal(p.shape) for name, p in start.parameters.items()
    }
    return replace(start, **filled)


class Network(torch.nn.Module):
    """The same model from PyTorch's own parts."""

    def __init__(self, ours):
        super().__init__()
        tensors = {name: torch.tensor(p) for name, p in ours.parameters.items()}
        self.embedding = torch.nn.Embedding.from_pretrained(
            tensors["embeddings"], freeze=False
        )
        self.hidden = _linear(tensors["hidden_weights"], tensors["hidden_bias"])
        self.output = _linear(tensors["output_weights"], tensors["output_bias"])
        self.direct = (
            None
            if ours.direct_weights is None
            else _linear(tensors["direct_weights"], None)
        )

    def forward(self, contexts):
        x = self.embedding(contexts).flatten(1)
        z = self.output(torch.tanh(self.hidden(x)))
        return z if self.direct is None else z + self.direct(x)

    def gradients(self):
        found = {
            "embeddings": self.embedding.weight.grad,
            "hidden_weights": self.hidden.weight.grad.T,
            "hidden_bias": self.hidden.bias.grad,
            "output_weights": self.output.weight.grad.T,
            "output_bias": self.output.bias.grad,
        }
        if self.direct is not None:
            found["direct_weights"] = self.direct.weight.grad.T
        return found


def _linear(weights, bias):
    layer = torch.nn.Linear(*weights.shape, bias=bias is not None, dtype=weights.dtype)
    layer.weight.data = weights.T.clone()
    if bias is not None:
        layer.bias.data = bias.clone()
    return layer


@pytest.mark.parametrize("direct", [False, True])
def test_scores_are_equation_1_of_the_paper_written_out(direct):
    m = model(direct=direct)
    for context, scores in zip(CONTEXTS, m.scores(CONTEXTS), strict=True):
        x = [entry for word in context for entry in m.embeddings[word]]
        a = [
            np.tanh(
                m.hidden_bias[k] + sum(x[i] * m.hidden_weights[i, k] for i in range(6))
            )
            for k in range(4)
        ]
        for j in range(5):
            z = m.output_bias[j] + sum(a[k] * m.output_weights[k, j] for k in range(4))
            if direct:
                z += sum(x[i] * m.direct_weights[i, j] for i in range(6))
            assert scores[j] == pytest.approx(z, rel=1e-12)


@pytest.mark.parametrize("direct", [False, True])
@settings(max_examples=60)
@given(
    n_words=st.integers(1, 6),
    n_context=st.integers(1, 3),
    sizes=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    n=st.integers(1, 6),
    seed=st.integers(0, 99),
)
def test_scores_and_gradients_are_those_of_pytorch(
    direct, n_words, n_context, sizes, n, seed
):
    m = model(
        direct=direct,
        n_words=n_words,
        n_context=n_context,
        dimensions=sizes[0],
        hidden=sizes[1],
        seed=seed,
    )
    rng = np.random.default_rng(seed)
    contexts = rng.integers(n_words, size=(n, n_context))
    targets = rng.integers(n_words, size=n)
    network = Network(m)
    z = network(torch.tensor(contexts))
    np.testing.assert_allclose(m.scores(contexts), z.detach(), rtol=1e-10, atol=1e-12)
    loss = torch.nn.functional.cross_entropy(z, torch.tensor(targets))
    loss.backward()
    value, ours = mean_loss_and_gradients(m, CrossEntropy(), contexts, targets)
    assert value == pytest.approx(loss.item(), rel=1e-12, abs=1e-12)
    theirs = network.gradients()
    assert ours.keys() == theirs.keys() == m.parameters.keys()
    for name, gradient in ours.items():
        np.testing.assert_allclose(gradient, theirs[name], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("direct", [False, True])
def test_gradients_are_those_of_autograd_and_differences(direct):
    reference = torch.nn.CrossEntropyLoss(reduction="none")
    check = check_parameter_gradients(
        model(direct=direct), CrossEntropy(), CONTEXTS, TARGETS, reference=reference
    )
    assert check.agrees, check
    assert len(check.rows) == 2 * (6 if direct else 5)


class LastWins(NeuralLanguageModel):
    def gradients(self, contexts, score_gradient):
        right = super().gradients(contexts, score_gradient)
        in_vectors = self._in_vectors(contexts, score_gradient)
        wrong = np.zeros_like(self.embeddings)
        wrong[contexts.ravel()] += in_vectors
        return right | {"embeddings": wrong}

    def _in_vectors(self, contexts, g):
        x, a = self._inputs_and_activations(contexts)
        in_x = (g @ self.output_weights.T * (1 - a * a)) @ self.hidden_weights.T
        return in_x.reshape(-1, self.embeddings.shape[1])


class NoSlope(NeuralLanguageModel):
    def gradients(self, contexts, score_gradient):
        right = super().gradients(contexts, score_gradient)
        in_sums = score_gradient @ self.output_weights.T
        return right | {"hidden_bias": in_sums.sum(axis=0)}


@pytest.mark.parametrize("wrong", [LastWins, NoSlope])
def test_a_planted_mistake_is_found_out(wrong):
    m = wrong(**model(direct=False).parameters)
    check = check_parameter_gradients(m, CrossEntropy(), CONTEXTS, TARGETS)
    assert not check.agrees
    if wrong is LastWins:  # where no word comes twice it is no mistake
        check = check_parameter_gradients(m, CrossEntropy(), CONTEXTS[:1], TARGETS[:1])
        assert check.agrees


def test_the_lookup_is_a_product_with_one_hot_rows():
    m = model(direct=True)
    g = np.random.default_rng(1).standard_normal((5, 5))
    in_sums = (g @ m.output_weights.T) * (
        1 - m._inputs_and_activations(CONTEXTS)[1] ** 2
    )
    in_x = in_sums @ m.hidden_weights.T + g @ m.direct_weights.T
    expected = sum(
        np.eye(5)[CONTEXTS[:, place]].T @ in_x[:, 3 * place : 3 * place + 3]
        for place in (0, 1)
    )
    ours = m.gradients(CONTEXTS, g)["embeddings"]
    np.testing.assert_allclose(ours, expected, rtol=1e-12)
    assert not ours[3].any()  # a word of no context


def test_without_hidden_units_it_is_a_linear_layer_on_the_vectors():
    m = model(direct=True, hidden=0)
    x = m.embeddings[CONTEXTS].reshape(5, -1)
    expected = x @ m.direct_weights + m.output_bias
    np.testing.assert_allclose(m.scores(CONTEXTS), expected, rtol=1e-13)
    g = np.random.default_rng(1).standard_normal((5, 5))
    gradients = m.gradients(CONTEXTS, g)
    np.testing.assert_allclose(gradients["direct_weights"], x.T @ g, rtol=1e-12)
    assert gradients["output_weights"].shape == (0, 5)


def test_the_start_has_no_opinion_and_its_units_are_not_saturated():
    start = NeuralLanguageModel.random(
        50, 3, dimensions=8, hidden=400, direct=True, random_state=0
    )
    contexts = np.random.default_rng(0).integers(50, size=(300, 3))
    np.testing.assert_array_equal(start.scores(contexts), np.zeros((300, 50)))
    x, _ = start._inputs_and_activations(contexts)
    assert np.var(x @ start.hidden_weights) == pytest.approx(1, abs=0.15)
    again = NeuralLanguageModel.random(
        50, 3, dimensions=8, hidden=400, direct=True, random_state=0
    )
    for name, parameter in start.parameters.items():
        np.testing.assert_array_equal(parameter, again.parameters[name])
    assert start.n_context == 3


def test_float32_stays():
    start = NeuralLanguageModel.random(
        6, 2, dimensions=2, hidden=3, direct=True, dtype=np.float32, random_state=0
    )
    contexts, targets = np.array([[0, 1], [5, 5]]), np.array([2, 3])
    _, gradients = mean_loss_and_gradients(start, CrossEntropy(), contexts, targets)
    history = stochastic_gradient_descent(
        start,
        CrossEntropy(),
        contexts,
        targets,
        learning_rate=0.1,
        batch_size=1,
        epochs=2,
        random_state=0,
    )
    for name, parameter in history.model.parameters.items():
        assert parameter.dtype == gradients[name].dtype == np.float32
    assert history.model.scores(contexts).dtype == np.float32


@pytest.mark.parametrize("make", [tanh_derivation, derivation])
def test_the_derivations_follow(make):
    assert len(make().verify()) == 4


def test_the_derivation_is_what_the_model_computes():
    m = model(direct=False, hidden=1)
    x, a = m._inputs_and_activations(CONTEXTS)
    scores = x @ m.hidden_weights + m.hidden_bias
    for n, (context, y) in enumerate(zip(CONTEXTS, TARGETS, strict=True)):
        value = derivation().evaluate(
            {
                "V": 5,
                "y": int(y) + 1,
                "s": scores[n, 0],
                "W": m.output_weights[0],
                "b": m.output_bias,
            }
        )
        g = CrossEntropy().gradient(m.scores(context[None]), np.array([y]))
        ours = m.gradients(context[None], g)["hidden_bias"][0]
        assert value == pytest.approx(ours, rel=1e-10)
        assert tanh_derivation().evaluate({"s": scores[n, 0]}) == pytest.approx(
            1 - a[n, 0] ** 2, rel=1e-10
        )


def test_contexts_and_targets_walk_along_the_text():
    contexts, targets = contexts_and_targets([5, 6, 7, 8, 9], 2)
    assert contexts.tolist() == [[5, 6], [6, 7], [7, 8]] and targets.tolist() == [
        7,
        8,
        9,
    ]
    contexts, targets = contexts_and_targets([5, 6], 0)
    assert contexts.shape == (2, 0) and targets.tolist() == [5, 6]


def test_perplexity_is_one_over_the_geometric_mean_of_the_probabilities():
    m = model(direct=True)
    contexts = np.random.default_rng(0).integers(5, size=(2345, 2))
    targets = np.random.default_rng(1).integers(5, size=2345)
    p = torch.tensor(m.scores(contexts)).softmax(1).numpy()[np.arange(2345), targets]
    expected = np.prod(p.astype(np.longdouble) ** (-1 / np.longdouble(2345)))
    assert perplexity(m, contexts, targets) == pytest.approx(float(expected), rel=1e-10)
    np.testing.assert_allclose(surprises(m, contexts, targets), -np.log(p), rtol=1e-10)


def test_a_model_without_opinion_is_as_uncertain_as_there_are_words():
    start = NeuralLanguageModel.random(5, 2, dimensions=3, hidden=4, random_state=0)
    assert perplexity(start, CONTEXTS, TARGETS) == pytest.approx(5, rel=1e-12)


def test_it_learns_a_language_better_than_its_word_frequencies_say():
    language = generated_language(8000, n_classes=3, n_words=8, random_state=0)
    contexts, targets = contexts_and_targets(language.words, 2)
    start = NeuralLanguageModel.random(24, 2, dimensions=4, hidden=8, random_state=0)
    history = stochastic_gradient_descent(
        start,
        CrossEntropy(),
        contexts,
        targets,
        learning_rate=1,
        batch_size=50,
        epochs=8,
        random_state=0,
    )
    frequencies = language.counts / len(language.words)
    unigram = -np.sum(frequencies * np.log(frequencies))
    reached = (unigram - history.losses[-1]) / (unigram - language.entropy_rate)
    assert 0.8 < reached < 1.1


def parameters(**changed):
    return model(direct=True).parameters | changed


@pytest.mark.parametrize(
    "changed, error, message",
    [
        ({"embeddings": np.zeros(5)}, ValueError, r"embeddings must have 2 dimension"),
        ({"embeddings": "words"}, TypeError, "embeddings must be .*got str"),
        (
            {"hidden_weights": np.zeros((7, 4))},
            ValueError,
            r"hidden_weights must have a row for each of the 3 .*got shape \(7, 4\)",
        ),
        ({"hidden_weights": np.zeros((0, 4))}, ValueError, "hidden_weights must have"),
        (
            {"hidden_bias": np.zeros(3)},
            ValueError,
            r"hidden_bias must have shape \(4,\), got \(3,\)",
        ),
        (
            {"output_weights": np.zeros((5, 4))},
            ValueError,
            r"output_weights must have shape \(4, 5\), got \(5, 4\)",
        ),
        (
            {"output_bias": np.full(5, np.nan)},
            ValueError,
            "output_bias must be finite",
        ),
        (
            {"direct_weights": np.zeros((3, 5))},
            ValueError,
            r"direct_weights must have shape \(6, 5\), got \(3, 5\)",
        ),
    ],
)
def test_parameters_that_do_not_fit_are_refused_by_name(changed, error, message):
    with pytest.raises(error, match=message):
        NeuralLanguageModel(**parameters(**changed))


MODEL = model(direct=False)


@pytest.mark.parametrize(
    "call, error, message",
    [
        (
            lambda: MODEL.scores([[0.0, 1.0]]),
            TypeError,
            "contexts must be integers, got float64",
        ),
        (
            lambda: MODEL.scores([[0, 1, 2]]),
            ValueError,
            r"contexts must have shape \(any, 2\), got \(1, 3\)",
        ),
        (
            lambda: MODEL.scores([[0, 5]]),
            ValueError,
            "contexts must be words from 0 to 4, got 5",
        ),
        (
            lambda: MODEL.scores([[0, -1]]),
            ValueError,
            "contexts must be words from 0 to 4, got -1",
        ),
        (
            lambda: MODEL.gradients(CONTEXTS, np.zeros((5, 4))),
            ValueError,
            r"score_gradient must have shape \(5, 5\), got \(5, 4\)",
        ),
        (
            lambda: MODEL.gradients(CONTEXTS, np.full((5, 5), np.inf)),
            ValueError,
            "score_gradient must be finite",
        ),
        (
            lambda: NeuralLanguageModel.random(
                0, 2, dimensions=1, hidden=1, random_state=0
            ),
            ValueError,
            "n_words must be at least 1",
        ),
        (
            lambda: NeuralLanguageModel.random(
                5, 0, dimensions=1, hidden=1, random_state=0
            ),
            ValueError,
            "n_context must be at least 1",
        ),
        (
            lambda: NeuralLanguageModel.random(
                5, 2, dimensions=1.5, hidden=1, random_state=0
            ),
            TypeError,
            "dimensions must be an integer",
        ),
        (
            lambda: NeuralLanguageModel.random(
                5, 2, dimensions=1, hidden=-1, random_state=0
            ),
            ValueError,
            "hidden must be at least 0",
        ),
        (
            lambda: contexts_and_targets([0.5, 1.5, 2.5], 2),
            TypeError,
            "words must be integers, got float64",
        ),
        (
            lambda: contexts_and_targets([0, 1], 2),
            ValueError,
            r"words must be a text of more than 2 words, got shape \(2,\)",
        ),
        (
            lambda: contexts_and_targets([[0, 1, 2]], 2),
            ValueError,
            r"words must be a text .* got shape \(1, 3\)",
        ),
        (
            lambda: surprises(MODEL, CONTEXTS, TARGETS[:4]),
            ValueError,
            "targets must hold a word for each context",
        ),
        (
            lambda: perplexity(MODEL, CONTEXTS[:0], TARGETS[:0]),
            ValueError,
            "targets must hold a word for each context, and at least one",
        ),
    ],
)
def test_bad_arguments_are_refused_by_name(call, error, message):
    with pytest.raises(error, match=message):
        call()
