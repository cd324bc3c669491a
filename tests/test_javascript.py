"""The printed JavaScript, run in V8, against the losses in NumPy."""

import json

import numpy as np
import pytest
from py_mini_racer import MiniRacer

from lossbook.javascript import formula_name, source
from lossbook.losses import (
    AbsoluteError,
    AsymmetricLoss,
    BinaryCrossEntropy,
    BinaryFocalLoss,
    ClassBalancedLoss,
    CrossEntropy,
    HuberLoss,
    LogitAdjustedLoss,
    SquaredError,
    WeightedBinaryCrossEntropy,
    softmax,
)

N = 2000


@pytest.fixture(scope="module")
def engine():
    context = MiniRacer()
    context.eval(source())
    context.eval(
        "const evaluate = (name, which, samples) => JSON.stringify("
        "samples.map(s => lossbookFormulas[name][which](s.z, s.y, s)))"
    )
    return context


def evaluate(engine, name, which, samples):
    """The formula at each sample, a dict of z, y and the parameters."""
    return np.array(json.loads(engine.call("evaluate", name, which, samples)))


def close(ours, theirs):
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)


# each draws the fields of a loss
ELEMENTWISE = {
    SquaredError: lambda rng: {},
    AbsoluteError: lambda rng: {},
    HuberLoss: lambda rng: {"delta": rng.uniform(0.05, 4)},
    BinaryCrossEntropy: lambda rng: {},
    WeightedBinaryCrossEntropy: lambda rng: {
        "pos_weight": rng.uniform(0.1, 100),
        "neg_weight": rng.uniform(0.1, 10),
    },
    BinaryFocalLoss: lambda rng: {
        "gamma": rng.choice([0, 0.5, 1, 2, rng.uniform(0, 5)]),
        "alpha": rng.uniform(),
    },
    AsymmetricLoss: lambda rng: {
        "gamma_pos": rng.choice([0, 1, rng.uniform(0, 5)]),
        "gamma_neg": rng.choice([0, 0.5, 4, rng.uniform(0, 5)]),
        "margin": rng.choice([0, 0.05, rng.uniform(0, 0.5)]),
    },
}


@pytest.mark.parametrize("kind", ELEMENTWISE)
@pytest.mark.parametrize("which", ["value", "gradient"])
def test_an_elementwise_loss_is_the_same_in_javascript(engine, kind, which):
    rng = np.random.default_rng(0)
    samples, expected = [], []
    for _ in range(N):
        parameters = {name: float(v) for name, v in ELEMENTWISE[kind](rng).items()}
        z = rng.uniform(-10, 10)
        real = kind in (SquaredError, AbsoluteError, HuberLoss)
        y = rng.normal() if real else float(rng.integers(2))
        samples.append({"z": z, "y": y, **parameters})
        expected.append(float(getattr(kind(**parameters), which)(z, y)))
    close(evaluate(engine, formula_name(kind(**parameters)), which, samples), expected)


@pytest.mark.parametrize("which", ["value", "gradient"])
def test_the_focal_loss_without_alpha_has_a_formula_of_its_own(engine, which):
    rng = np.random.default_rng(1)
    samples, expected = [], []
    for _ in range(N):
        z, y, gamma = rng.uniform(-10, 10), float(rng.integers(2)), rng.uniform(0, 5)
        loss = BinaryFocalLoss(gamma, alpha=None)
        samples.append({"z": z, "y": y, "gamma": gamma})
        expected.append(float(getattr(loss, which)(z, y)))
    close(evaluate(engine, formula_name(loss), which, samples), expected)


@pytest.mark.parametrize("which", ["value", "gradient"])
def test_the_class_balanced_loss_has_its_weights_written_out(engine, which):
    rng = np.random.default_rng(2)
    samples, expected = [], []
    for _ in range(N):
        z, y, beta = rng.uniform(-10, 10), int(rng.integers(2)), rng.uniform(0, 0.9999)
        counts = rng.integers(1, 500, size=2).tolist()
        loss = ClassBalancedLoss(BinaryCrossEntropy(), counts, beta)
        samples.append({"z": z, "y": y, "counts": counts, "beta": beta})
        expected.append(getattr(loss, which)(np.array([z]), np.array([y]))[0])
    close(evaluate(engine, formula_name(loss), which, samples), expected)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("which", ["value", "gradient"])
def test_the_logit_adjusted_loss_is_the_same_in_javascript(engine, which, n_classes):
    rng = np.random.default_rng(3)
    samples, expected = [], []
    for _ in range(N):
        z, y = rng.uniform(-8, 8, n_classes), int(rng.integers(n_classes))
        priors, tau = rng.dirichlet(np.ones(n_classes) * 2) + 1e-3, rng.uniform(0, 2)
        priors = (priors / priors.sum()).tolist()
        samples.append({"z": z.tolist(), "y": y, "priors": priors, "tau": tau})
        loss = LogitAdjustedLoss(priors, tau)
        expected.append(getattr(loss, which)(z, np.array(y)).tolist())
    close(
        evaluate(engine, formula_name(loss, n_classes), which, samples),
        np.array(expected),
    )


@pytest.mark.parametrize("which", ["value", "gradient"])
def test_the_cross_entropy_is_the_same_in_javascript(engine, which):
    rng = np.random.default_rng(4)
    samples, expected = [], []
    for _ in range(N):
        z, y, smoothing = rng.uniform(-8, 8, 3), int(rng.integers(3)), rng.uniform()
        samples.append({"z": z.tolist(), "y": y, "label_smoothing": smoothing})
        expected.append(
            getattr(CrossEntropy(smoothing), which)(z, np.array(y)).tolist()
        )
    close(evaluate(engine, "CrossEntropy3", which, samples), np.array(expected))


def test_what_the_bars_show_is_the_same_in_javascript(engine):
    rng = np.random.default_rng(5)
    samples, tempered, adjusted, weights = [], [], [], []
    for _ in range(N):
        z, temperature, tau = rng.uniform(-4, 4, 3), rng.uniform(0.1, 5), 1.5
        counts, beta = rng.integers(1, 500, size=3).tolist(), rng.uniform(0, 0.9999)
        priors = (np.array(counts) / sum(counts)).tolist()
        samples.append(
            {
                "z": z.tolist(),
                "T": temperature,
                "counts": counts,
                "beta": beta,
                "priors": priors,
                "tau": tau,
            }
        )
        tempered.append(softmax(z / temperature))
        adjusted.append(softmax(z + tau * np.log(priors)))
        weights.append(ClassBalancedLoss(CrossEntropy(), counts, beta).weights)
    close(evaluate(engine, "Softmax3", "value", samples), tempered)
    close(evaluate(engine, "AdjustedSoftmax3", "value", samples), adjusted)
    close(evaluate(engine, "ClassWeights3", "value", samples), weights)


def test_a_class_balanced_loss_of_another_base_is_refused():
    loss = ClassBalancedLoss(BinaryFocalLoss(), counts=(5, 5))
    with pytest.raises(ValueError, match="BinaryCrossEntropy"):
        formula_name(loss)
