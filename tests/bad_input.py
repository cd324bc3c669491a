"""The table of `test_bad_input`: a right call of everything public in the package, and for
each kind of argument the ways to misuse it.

`CALLS` has a right call for each function, class and method. What kind of thing an argument
is, its name tells (`KINDS`), or `of(kind, value)` does. A kind is a list of groups: the error,
what its message says was expected, and the wrong values that must end in it.
"""

from dataclasses import dataclass, replace
from typing import Any

import matplotlib
import numpy as np
import torch
from scipy.sparse import csr_array
from sympy import IndexedBase, Symbol

from lossbook import comparison, live, losses
from lossbook.case import Case
from lossbook.corpora import Corpus, generated_language, planted_corpus
from lossbook.derivation import Derivation, Line
from lossbook.embeddings import negative_sampling as sampling
from lossbook.embeddings.cbow_skip_gram import CBOW, SkipGram
from lossbook.embeddings.glove import AdaGrad, GloVe, GloVeLoss
from lossbook.embeddings.hierarchical_softmax import HierarchicalSoftmax, Tree
from lossbook.embeddings.looking_at_vectors import principal_components
from lossbook.embeddings.neural_language_model import NeuralLanguageModel
from lossbook.embeddings.ngrams import KneserNey
from lossbook.embeddings.noise_contrastive_estimation import (
    ExpectedNoiseContrastiveLoss,
    LogBilinear,
    NoiseContrastiveLoss,
)
from lossbook.hypotheses import Hypothesis
from lossbook.linear import Linear
from lossbook.torch_loss import TorchLoss
from lossbook.training import gradient_descent

matplotlib.use("agg")


@dataclass
class Changed:
    """A wrong value made of the right one; wrong by itself, or only together with the
    other arguments."""

    change: Any
    together: bool = False


@dataclass
class Made:
    """A right value that is made again for each call, since the call may change it."""

    make: Any


@dataclass
class of:  # noqa: N801 (it reads as a word of the table)
    """A right value of a kind that the argument's name does not tell."""

    kind: list
    value: Any


# Kinds of arguments


def at(index, entry):
    """The array with another first or last entry."""

    def change(right):
        wrong = np.array(np.array(right) + (0.0 if isinstance(entry, float) else 0))
        wrong.reshape(-1)[index] = entry
        return wrong

    return Changed(change)


class Strange:
    """Looks like an array and is none."""

    __array__ = None


RAGGED = [[1.0, 2.0], [3.0]]
RECORDS_OF_NUMPY = np.array([(1, 2.0)], dtype=[("a", int), ("b", float)])
NO_ARRAYS = (
    *("three", None, {"a": 1.0}, {1.0}, RAGGED, [None], [1j], ["1"], len, Strange()),
    *(np.array(["1"]), np.array([1j]), np.array([None]), np.datetime64("2026-01-01")),
    *(np.ma.masked_array([1.0, 2.0]), RECORDS_OF_NUMPY),
    *(torch.float32, torch.nn.ReLU(), torch.ones(3).to_sparse()),
)
NO_OBJECTS = (None, "it", 3, [1.0], np.zeros(2), object())
LONGER = Changed(lambda right: np.repeat(right, 2, axis=0), together=True)
DEEPER = Changed(lambda right: np.asarray(right)[None], together=True)
BROADCAST = Changed(lambda right: np.asarray(right)[..., None])
NO_NUMBERS = (None, "2", True, 2j, [2.0], np.array([2.0, 3.0]), {}, len)
NO_INTEGERS = (*NO_NUMBERS, 2.5, float("nan"))
BEYOND = (float("nan"), float("inf"), -float("inf"), 10**400)
EXTREMES = (at(-1, np.nan), at(0, np.inf))

META = torch.ones(3, device="meta")

NUMBER = [(TypeError, "a number", *NO_NUMBERS), (ValueError, "finite", *BEYOND)]
POSITIVE = [*NUMBER, (ValueError, "positive", 0, -1.5)]
NOT_NEGATIVE = [*NUMBER, (ValueError, "not be negative", -1e-9, -3)]
FACTOR = [*POSITIVE, (ValueError, "at most", 1e31)]
EXPONENT = [*NOT_NEGATIVE, (ValueError, "at most", 1e31)]
SHARE = [*NUMBER, (ValueError, "from 0 to", -0.1, 1.1)]
BELOW_ONE = [*NUMBER, (ValueError, "from 0 to below 1|below 1|negative", -0.1, 1, 2.0)]
COUNT = [
    (TypeError, "an integer", *NO_INTEGERS),
    (ValueError, "at least", 0, -1),
    (ValueError, "at most", 10**400),
]
SEED = [(TypeError, "an integer", *NO_INTEGERS), (ValueError, "at least", -1)]
RNG = [(TypeError, "Generator|integer", *NO_INTEGERS), (ValueError, "at least", -1)]
FLAG = [(TypeError, "True or False", None, "no", 1, 0.0, [], np.zeros(2))]
CHOICE = [(ValueError, "one of", None, "nothing", "", 3, ["mean"], np.zeros(2))]
TEXT = [(TypeError, "text", None, 3, ["mean"], np.zeros(2))]
FUNCTION = [(TypeError, "a function", None, "len", 3, np.zeros(2))]
OBJECT = [(TypeError, "must be", *NO_OBJECTS)]
LOSS = [*OBJECT, (TypeError, "a loss", losses.HuberLoss)]
MODEL = [*OBJECT, (TypeError, "model|Linear|SkipGram|GloVe", Linear)]
DTYPE = [(TypeError, "float32 or float64", None, "x", int, np.float16, 3, "f2", len)]

# arrays: of any shape, of a number of dimensions, of the shape that others have
ARRAY = [
    (TypeError, "array|numbers|float|sequence|tensor|dense", *NO_ARRAYS),
    (ValueError, "finite", *EXTREMES),
]
MATRIX = [*ARRAY, (ValueError, "dimension|shape|as many", DEEPER, 1.0)]
FITTING = [*MATRIX, (ValueError, "shape|as many|number|two", LONGER)]
SCORES = [
    *ARRAY,
    (ValueError, "hold numbers|finite", META),
    (ValueError, "shape|classes|one for each", DEEPER, LONGER),
]
REAL = [
    *ARRAY,
    (ValueError, "shape|as many|at least one", DEEPER, BROADCAST, LONGER, []),
]
BINARY = [*REAL[:1], *REAL[2:], (ValueError, "0 or 1|finite", *EXTREMES, at(0, -1))]
INTEGERS = [
    (
        TypeError,
        "integer|an array|real|dense",
        *NO_ARRAYS,
        Changed(lambda r: np.array(r) * 1.0),
    ),
    (ValueError, "shape|each of the words|2\\)", DEEPER),
]
WORDS = [*INTEGERS, (ValueError, "from 0 to|made before", at(0, -2), at(-1, 10**6))]
CLASSES = [*WORDS, (ValueError, "shape", BROADCAST, LONGER)]
COUNTS = [*MATRIX, (ValueError, "negative|positive|at least", at(0, -1))]
PER_CLASS = [
    (TypeError, "sequence|number|integer", "three", None, 3j, {"a": 1}, RAGGED, ["1"]),
    (ValueError, "finite|positive|whole", [1.0, np.nan], [0.5, np.inf]),
    (ValueError, "positive|negative|at least", [1, -1]),
    (ValueError, "number", []),
]
TABLE = [
    (TypeError, "array|real|dense", "three", None, RAGGED, {"a": 1}),
    (
        ValueError,
        "shape|dimension|words",
        np.ones(3),
        np.ones((2, 3)),
        csr_array((9, 9)),
    ),
    (ValueError, "finite", csr_array(np.full((6, 6), np.nan)), np.full((6, 6), np.inf)),
]
TENSOR = [(TypeError, "a tensor", None, "x", 3, [1.0], np.zeros(2))]
DICT = [(TypeError, "a dict", None, "it", 3, [1.0], np.zeros(2), {1: 2})]
FILLED = [*DICT, (ValueError, "at least one", {})]
LIST = [(TypeError, "sequence|list", None, "it", 3, {"a": 1}, IndexedBase("z"))]
EXPRESSION = [
    (TypeError, "a SymPy expression", None, "z", "1 +", [1], np.zeros(2), len)
]
NOT_READ = []  # by this function: any value is as good as another

# Right values

X = np.array([[0.5], [1.0], [2.0]])
PLANE = np.array([[0.5, 1.0], [1.0, -1.0], [2.0, 0.0]])
Y = np.array([1.0, 2.0, 2.5])
BITS = np.array([0.0, 1.0, 1.0])
Z = np.array([0.5, -1.0, 2.0])
LOGITS = np.array([[0.5, -1.0, 2.0], [0.0, 1.0, -1.0]])
LABELS = np.array([0, 2])
THREE = (0.7, 0.2, 0.1)
Q = np.array([[0.5, 0.25, 0.25]])
RNG_MADE = Made(lambda: np.random.default_rng(0))
AX = Made(lambda: matplotlib.figure.Figure().subplots())
TWO_AXES = Made(lambda: matplotlib.figure.Figure().subplots(1, 2))

LINE = Linear([1.0], 0.5)
TWO_FEATURES = Linear([1.0, 0.5], 0.5)
SE, BCE, CE = losses.SquaredError(), losses.BinaryCrossEntropy(), losses.CrossEntropy()
HISTORY = gradient_descent(LINE, SE, X, Y, learning_rate=0.1, steps=1)

E = np.linspace(-1, 1, 12).reshape(6, 2)
W = E[::-1].copy()
TEXT_WORDS = np.array([0, 1, 2, 3, 4, 5, 1, 0])
SENTENCES = np.array([0, 0, 0, 0, 1, 1, 1, 1])
CORPUS = Corpus(TEXT_WORDS, SENTENCES, tuple("abcdef"))
PLANTED = planted_corpus(200, n_groups=2, n_function_words=3, random_state=0)
LANGUAGE = generated_language(20, n_classes=2, n_words=4, random_state=0)
M = csr_array(np.ones((6, 6)))
NOISE = np.full(6, 1 / 6)
VECTORS = Made(lambda: sampling.WordVectors(E.copy(), W.copy()))
TREE = Tree([[0, 1], [2, 3]])
BLOCK = sampling.Blocks(
    np.array([[0, 1]]), np.array([[0, 1, 2]]), np.ones((1, 2, 3), np.float32)
)
NLM = NeuralLanguageModel.random(6, 2, dimensions=2, hidden=3, random_state=0)
CONTEXTS = np.array([[0, 1], [2, 3]])
G = np.full((2, 6), 0.1)
SMALL = dict(
    dimensions=2, reach=1, n_noise=1, epochs=1, n_blocks=1, learning_rate=0.001
)
TRAINING = sampling.NegativeSampling(**SMALL)
SPOILT = [
    (TypeError, "corpus", *NO_OBJECTS, Corpus),
    (TypeError, "integers", replace(CORPUS, words=0.5 * TEXT_WORDS)),
    (ValueError, "words from", replace(CORPUS, vocabulary=("a",))),
    (ValueError, "shape", replace(CORPUS, sentences=SENTENCES[:3])),
]
SPOILT_VECTORS = [
    (TypeError, "WordVectors", *NO_OBJECTS, sampling.WordVectors),
    (TypeError, "array|float", sampling.WordVectors(E.tolist(), W)),
    (ValueError, "finite", sampling.WordVectors(E * np.nan, W)),
]
SPOILT_PAIR = [*SPOILT_VECTORS, (ValueError, "shape", sampling.WordVectors(E, W[:3]))]

DERIVATION = losses.CrossEntropy().derivation()
SYMBOL, S = Symbol("x", real=True), Symbol("s", real=True)
CASE = Case(BCE, Z, BITS)
SLIDER = live.Slider("score", -1, 1, 0)
LINE_SLIDERS = [
    live.Slider("weight", -1, 1, 0.5),
    live.Slider("bias", -1, 1, 0),
    live.Slider("learning_rate", 0.01, 1, 0.1),
    live.Slider("steps", 0, 5, 2, 1),
]
CLOUD_SLIDERS = [
    live.Slider("counts[0]", 1, 5, 3, 1),
    live.Slider("counts[1]", 1, 5, 2, 1),
    live.Slider("x", -1, 1, 1),
    live.Slider("y", -1, 1, 1),
    live.Slider("steps", 0, 5, 2, 1),
]
MARK = live.Mark("line", "", 0, [0.0, 1.0], [1.0, 2.0])
AXIS = ("x", 0.0, 1.0)
CURVES = dict(losses={"BCE": BCE}, sliders=[SLIDER], limits=((0, 1), (-1, 1)))
BARS = dict(
    series=[{"p": "Softmax3.value"}],
    sliders=[live.Slider("T", 0.5, 2, 1)],
    titles=["p"],
    limits=[(0, 1)],
    fixed={"z[0]": 0.0, "z[1]": 1.0, "z[2]": 2.0},
)
SAMPLES = dict(features=X, targets=Y, losses={"SE": SE})
TILTED = dict(SAMPLES, sliders=LINE_SLIDERS[:2], limits=((0, 2), (0, 3), (0, 9)))
DESCENT = dict(SAMPLES, sliders=LINE_SLIDERS)
CLOUDS = dict(losses={"BCE": BCE}, sliders=CLOUD_SLIDERS)
FIGURES = {
    "LossCurves": CURVES,
    "Bars": BARS,
    "TiltedLine": TILTED,
    "Descent": DESCENT,
    "Clouds": CLOUDS,
}
LABELS_OF = [
    (TypeError, "list|sequence|text", None, "it", 3, [1]),
    (ValueError, "as many", []),
]
SERIES = [
    (TypeError, "list|a dict", None, "it", 3, ["p"]),
    (ValueError, "one of", [{"p": "nothing"}], [{"p": []}], [{"p": [3]}]),
]
DRAWN = dict(features=of(FITTING, X), targets=of(REAL, Y))
MORE = {
    "LossCurves": dict(over=of(CHOICE, "score"), target=of(NUMBER, 1.0)),
    "Bars": dict(
        series=of(SERIES, BARS["series"]),
        titles=of(LABELS_OF, BARS["titles"]),
        fixed=of(DICT, BARS["fixed"]),
        classes=of(LABELS_OF, ("a", "b", "c")),
    ),
    "TiltedLine": DRAWN,
    "Descent": DRAWN,
    "Clouds": dict(learning_rate=0.5, random_state=0),
}
SLIDERS = [
    *LIST,
    (TypeError, "a Slider", ["score"], [None]),
    (ValueError, "name", [SLIDER, SLIDER]),
]
LIMITS = [*LIST, (ValueError, "low, high", [], [(0, 1)] * 7)]
LOSSES = [
    *FILLED,
    (TypeError, "a loss", {"a": None}, {"a": "BCE"}, {"a": losses.HuberLoss}),
]
VALUES = [
    *DICT,
    (ValueError, "be for", {}, {"nothing": 0.0}),
    (TypeError, "a number", Changed(lambda right: {k: "0" for k in right})),
    (ValueError, "from", Changed(lambda right: {k: 1e6 for k in right})),
    (ValueError, "finite", Changed(lambda right: {k: np.nan for k in right})),
]

CLOUDS_DATA = comparison.Gaussians(1, 0)
DIGITS_DATA = comparison.Digits(10, 0)
LABELS_DATA = comparison.Labels(0.0, 0)
DIGIT_SCORES = [
    np.eye(10)[part[1]] for part in (DIGITS_DATA.validation, DIGITS_DATA.tested)
]
LABEL_SCORES = [part[1] + 0.0 for part in (LABELS_DATA.validation, LABELS_DATA.tested)]
PARTS = [
    *LIST,
    (
        ValueError,
        "two|shape",
        [],
        DIGIT_SCORES[:1],
        [np.zeros((2, 3)), np.zeros((2, 3))],
    ),
    (ValueError, "finite", Changed(lambda right: [part * np.nan for part in right])),
]
GROUP = {
    n: {"test": [[0.1, 0.2], [0.3, 0.1]], "chosen": [0, 1]} for n in ("plain", "τ")
}
GROUPS = [
    *DICT,
    (TypeError, "a dict", {"plain": 3, "τ": 3}),
    (ValueError, "test and chosen", {"plain": {}, "τ": {}}),
]
BASE = [(TypeError, "a binary loss", *NO_OBJECTS, SE, losses.BinaryCrossEntropy)]
PER_LABEL = [
    (TypeError, "array|numbers", "three", None, RAGGED, [1j]),
    (ValueError, "finite", [1.0, np.nan]),
    (ValueError, "number", np.ones((2, 2))),
]
WEIGHT = [*PER_LABEL, (ValueError, "not be negative", -1.0)]

# Right calls: of each loss, with its scores, its targets, and the kind of the targets

FITTED = {
    "SquaredError": ({}, Z, Y, REAL),
    "AbsoluteError": ({}, Z, Y, REAL),
    "HuberLoss": (dict(delta=of(POSITIVE, 1.0)), Z, Y, REAL),
    "BinaryCrossEntropy": ({}, Z, BITS, BINARY),
    "WeightedBinaryCrossEntropy": (
        dict(pos_weight=of(FACTOR, 2.0), neg_weight=of(FACTOR, 1.0)),
        *(Z, BITS, BINARY),
    ),
    "BinaryFocalLoss": (
        dict(
            gamma=2.0, alpha=of([(TypeError, "a number", "x", True), *SHARE[1:]], 0.25)
        ),
        *(Z, BITS, BINARY),
    ),
    "AsymmetricLoss": (
        dict(gamma_pos=0.0, gamma_neg=4.0, margin=of(BELOW_ONE, 0.05)),
        *(Z, BITS, BINARY),
    ),
    "CrossEntropy": (dict(label_smoothing=of(SHARE, 0.1)), LOGITS, LABELS, CLASSES),
    "WeightedCrossEntropy": (dict(weights=THREE), LOGITS, LABELS, CLASSES),
    "FocalLoss": (
        dict(
            gamma=2.0,
            weights=of([(TypeError, "sequence", 3, "x"), *PER_CLASS[1:]], THREE),
        ),
        *(LOGITS, LABELS, CLASSES),
    ),
    "ClassBalancedLoss": (
        dict(
            base=of(LOSS, CE), counts=of(PER_CLASS, (9, 3, 1)), beta=of(BELOW_ONE, 0.9)
        ),
        *(LOGITS, LABELS, CLASSES),
    ),
    "LogitAdjustedLoss": (dict(priors=THREE, tau=1.0), LOGITS, LABELS, CLASSES),
    "GloVeLoss": (
        dict(x_max=of(POSITIVE, 9.0), alpha=of(NOT_NEGATIVE, 0.75)),
        Z,
        Y,
        REAL,
    ),
    "HierarchicalSoftmax": (
        dict(tree=of(OBJECT, TREE)),
        LOGITS[:, :2],
        LABELS,
        CLASSES,
    ),
    "NoiseContrastiveLoss": (
        dict(noise=of(PER_CLASS, THREE), n_noise=1),
        *(LOGITS[:, :2], np.array([[0, 1], [2, 0]]), CLASSES),
    ),
    "ExpectedNoiseContrastiveLoss": (
        dict(noise=of(PER_CLASS, THREE), n_noise=1),
        *(LOGITS, LABELS, CLASSES),
    ),
    "Weighted": (
        dict(
            base=of(BASE, BCE),
            negative=of(WEIGHT, 1.0),
            positive=of(WEIGHT, [1.0, 2.0, 3.0]),
        ),
        *(Z, BITS, BINARY),
    ),
    "Shifted": (dict(base=of(BASE, BCE), shift=of(PER_LABEL, 1.0)), Z, BITS, BINARY),
    "OneAgainstRest": (dict(base=of(BASE, BCE)), LOGITS, LABELS, CLASSES),
}
# whose `derivation_values` reads the targets; of the others any will do
READS_TARGETS = {"GloVeLoss": REAL[:2], "NoiseContrastiveLoss": WORDS[:1] + WORDS[2:]}


def values(arguments):
    """The right values of a call, without their kinds and made anew."""
    plain = {k: v.value if isinstance(v, of) else v for k, v in arguments.items()}
    return {k: v.make() if isinstance(v, Made) else v for k, v in plain.items()}


def loss_calls(classes):
    """The calls of these loss classes and of their methods, by name."""
    calls = {}
    for cls in classes:
        name = f"{cls.__module__.removeprefix('lossbook.')}.{cls.__name__}"
        hyper, scores, targets, kind = FITTED[cls.__name__]
        calls[name] = hyper
        loss = cls(**values(hyper))
        for method in ("value", "gradient", "value_and_gradient"):
            both = dict(scores=of(SCORES, scores), targets=of(kind, targets))
            calls[f"{name}.{method}"] = dict(self=loss, **both)
        read = of(READS_TARGETS.get(cls.__name__, NOT_READ), targets)
        calls[f"{name}.derivation_values"] = dict(self=loss, targets=read)
    return calls


def figure_calls():
    """The calls of the live figures and of their methods."""
    calls = {}
    for name, arguments in FIGURES.items():
        figure = getattr(live, name)(**arguments)
        calls[f"live.{name}"] = arguments | MORE.get(name, {})
        for method in ("panels", "readout"):
            right = of(VALUES, figure.values())
            calls[f"live.{name}.{method}"] = dict(self=figure, values=right)
        optional = of([(TypeError, "a dict", "it", 3), *VALUES[1:]], figure.values())
        calls[f"live.{name}.draw"] = dict(self=figure, values=optional)
        first = figure.sliders[0]
        start = {first.name: of(NUMBER, first.value)}
        calls[f"live.{name}.values"] = dict(self=figure, **start)
    return calls


# What an argument is, by its name, where no `of` says otherwise

KINDS = {
    "learning_rate": POSITIVE,
    "random_state": SEED,
    "seed": SEED,
    **dict.fromkeys(("gamma", "gamma_pos", "gamma_neg"), EXPONENT),
    "tau": EXPONENT,
    "decay": NOT_NEGATIVE,
    "priors": PER_CLASS,
    "weights": PER_CLASS,
    "loss": LOSS,
    "model": MODEL,
    "corpus": SPOILT,
    "vectors": MATRIX,
    "rng": RNG,
    "dtype": DTYPE,
    "ax": OBJECT,
    "losses": LOSSES,
    "sliders": SLIDERS,
    "limits": LIMITS,
    "group": GROUPS,
    "step": CHOICE,
    **dict.fromkeys(
        ("n_samples", "largest", "n_features", "n_classes", "n_words"), COUNT
    ),
    **dict.fromkeys(("dimensions", "reach", "n_noise", "epochs", "batch_size"), COUNT),
    **dict.fromkeys(("n_tokens", "n_groups", "n_entities", "n_attributes", "k"), COUNT),
    **dict.fromkeys(("n_blocks", "n_shared", "n_components", "n_neighbours"), COUNT),
    **dict.fromkeys(("n_questions", "bins", "n_outputs", "processes"), COUNT),
    **dict.fromkeys(("steps", "n_outliers", "hidden", "n_context"), SEED),
    "n_function_words": SEED,
    **dict.fromkeys(("noise", "discount"), NOT_NEGATIVE),
    **dict.fromkeys(("slope", "intercept", "outlier_shift", "power"), NUMBER),
    **dict.fromkeys(("exclude_queries", "as_code", "direct", "across"), FLAG),
    **dict.fromkeys(("units", "ylabel", "label", "title", "mistake", "tunes"), TEXT),
}
REFERENCE = [
    (TypeError, "a function", "len", 3),
    (ValueError, "take these", len, torch.nn.ReLU()),
    (ValueError, "unreduced", torch.nn.MSELoss()),
]
HYPOTHESES = [(TypeError, "sequence|a Hypothesis", "it", 3, ["it"], [None])]
A_VALUE = [*ARRAY[:1], (TypeError, "float32 or float64", np.zeros(2, np.float16))]
NUMPY = [(TypeError, "a NumPy array", None, "x", [1.0], torch.ones(3))]
NUMERIC = [(TypeError, "array|numbers|dense", *NO_ARRAYS)]
OR_NONE = [(TypeError, "array|numbers|dense", "x", [None], RAGGED)]
INPUTS = [*MATRIX, (ValueError, "shape|row", Changed(lambda right: right[:, :1], True))]
ON_PLANE = [
    FITTING[0],
    *FITTING[2:],
    (ValueError, "be classes", at(0, np.nan), at(0, 9)),
]
SAME = [*FITTING, (TypeError, "same kind|NumPy", Changed(torch.as_tensor))]
GRADIENT = SAME
ON_A_LINE = dict(ax=AX, features=of(FITTING, X), targets=of(FITTING, Y))
OPTIONAL_SEED = [(TypeError, "Generator|integer", "2", 2.5, [1]), *RNG[1:]]
PAIR = [
    *LIST,
    (ValueError, "low, high", [], [1.0]),
    (TypeError, "a number", ["0", "1"]),
]
STEP = dict(vectors=of(SPOILT_PAIR, VECTORS), learning_rate=0.1)
A_WORD = [*INTEGERS, (ValueError, "words from", -1, 6)]
BLOCK_ARRAY = [
    (TypeError, "array|float|numbers|dense", *NO_ARRAYS),
    (ValueError, "finite", *EXTREMES),
    (ValueError, "dimension|shape", DEEPER),
]
COUNTS_BY_PROBLEM = [
    *DICT,
    (ValueError, "be for", {}),
    (TypeError, "an integer", dict.fromkeys(comparison.PROBLEMS, "3")),
]
FREE = [
    (TypeError, "a dict of integers", "it", 3),
    (TypeError, "integer", {SYMBOL: "1"}),
]
TEXT_OF = dict(words=of(INTEGERS, TEXT_WORDS), sentences=of(CLASSES[:1], SENTENCES))
ROUND = dict(loss=CE, n_outputs=3, seed=0, decay=0.1)
TABLES = dict(
    counts=of(TABLE, M),
    noise=of([*MATRIX, (ValueError, "from 0 to 1", at(0, -1), at(0, 2))], NOISE),
    n_noise=2,
)
PARAMETERS = {"a": Z}
ARRAYS = [
    *DICT,
    (TypeError, "array|float", {"a": [1.0]}, {"a": None}, {"a": np.array(["x"])}),
    (ValueError, "finite", {"a": Z * np.nan}),
]
SAME_ARRAYS = [*ARRAYS, (ValueError, "shapes", {"a": Z[:2]}, {"b": Z})]

# fmt: off
CALLS = {
    **loss_calls([getattr(losses, n) for n in losses.__all__ if n[0].isupper()]),
    **loss_calls([GloVeLoss, HierarchicalSoftmax, NoiseContrastiveLoss]),
    **loss_calls(
        [ExpectedNoiseContrastiveLoss, comparison.Weighted, comparison.Shifted]
    ),
    **loss_calls([comparison.OneAgainstRest]),
    **figure_calls(),
    "losses.binary_classification.sigmoid": dict(scores=of(ARRAY, Z)),
    "losses.multiclass_classification.softmax": dict(scores=of(ARRAY, LOGITS)),
    "losses.multiclass_classification.log_softmax": dict(scores=of(ARRAY, LOGITS)),
    "losses.class_balanced.effective_number": dict(
        counts=of(PER_CLASS, [3, 5]), beta=of(BELOW_ONE, 0.9),
    ),
    "losses.information.entropy": dict(q=of(ARRAY, Q), unit=of(CHOICE, "bits")),
    "losses.information.cross_entropy": dict(
        q=of(SCORES, Q), p=of(SCORES, Q), unit=of(CHOICE, "bits"),
    ),
    "losses.information.kl_divergence": dict(
        q=of(SCORES, Q), p=of(SCORES, Q), unit=of(CHOICE, "bits"),
    ),
    "losses.logit_adjusted.adjust_logits": dict(
        scores=of(ARRAY, LOGITS), priors=THREE, tau=1,
    ),
    "losses.weighted_cross_entropy.weighted_derivation": dict(
        loss=SE, weight=of(EXPRESSION[:1], SYMBOL),
    ),
    "torch_loss.TorchLoss": dict(loss=SE, reduction=of(CHOICE, "sum")),
    "torch_loss.TorchLoss.forward": dict(
        self=TorchLoss(SE),
        scores=of(
            [*TENSOR, (TypeError, "float32", torch.ones(3).int())], torch.ones(3),
        ),
        targets=of([*TENSOR, (ValueError, "shape", torch.ones(3, 1))], torch.ones(3)),
    ),
    "linear.Linear": dict(
        weights=of(ARRAY, [1.0, 2.0]),
        bias=of([*ARRAY, (ValueError, "shape", [0.5])], 0.5),
    ),
    "linear.Linear.zeros": dict(
        n_features=2, n_outputs=of([(TypeError, "integer", "2", 2.5), *COUNT[1:]], 3),
    ),
    "linear.Linear.scores": dict(self=LINE, features=of(INPUTS[:3], X)),
    "linear.Linear.gradients": dict(
        self=LINE, features=of(FITTING, X), score_gradient=of(FITTING, Y),
    ),
    "training.History.parameter": dict(self=HISTORY, name=of(CHOICE, "weights")),
    "training.mean_loss_and_gradients": dict(
        model=LINE, loss=SE, features=of(FITTING, X), targets=of(REAL, Y),
    ),
    "training.gradient_descent": dict(
        model=LINE, loss=SE, features=of(FITTING, X), targets=of(REAL, Y),
        learning_rate=0.1, steps=1,
    ),
    "training.stochastic_gradient_descent": dict(
        model=LINE, loss=SE, features=of(FITTING, X), targets=of(REAL, Y),
        learning_rate=0.1, batch_size=2, epochs=of(SEED, 1), random_state=0,
    ),
    "datasets.straight_line": dict(
        n_samples=5, slope=1.0, intercept=0.0, noise=0.1, n_outliers=1,
        outlier_shift=2.0, random_state=0,
    ),
    "datasets.gaussians": dict(
        means=of(FITTING, PLANE[:2]), covariances=of(FITTING, np.eye(2)),
        counts=of(PER_CLASS[2:], [2, 3]), random_state=0,
    ),
    "datasets.bayes_classifier": dict(
        means=of(FITTING, PLANE[:2]), covariance=of(FITTING, np.eye(2)),
        priors=[0.5, 0.5],
    ),
    "datasets.error_rates": dict(
        model=TWO_FEATURES, means=of(FITTING, PLANE[:2]),
        covariance=of(FITTING, np.eye(2)),
    ),
    "datasets.long_tailed_counts": dict(
        largest=9, n_classes=3, ratio=of([*NUMBER, (ValueError, "at least", 0.5)], 10),
    ),
    "datasets.long_tailed_digits": dict(
        ratio=of([*NUMBER, (ValueError, "at least", 0.5)], 10), random_state=0,
    ),
    "checks.check_gradient": dict(
        loss=SE, scores=of(REAL, Z), targets=of(REAL, Y), reference=of(REFERENCE, None),
    ),
    "checks.check_parameter_gradients": dict(
        model=LINE, loss=SE, features=of(FITTING, X), targets=of(REAL, Y),
        reference=of(REFERENCE, None),
    ),
    "diagnosis.diagnose": dict(
        gradient=of(A_VALUE, Z), loss=SE, scores=of(REAL, Z), targets=of(REAL, Y),
        hypotheses=of(HYPOTHESES, None),
    ),
    "diagnosis.diagnose_value": dict(
        value=of(A_VALUE, Z), loss=SE, scores=of(REAL, Z), targets=of(REAL, Y),
        hypotheses=of(HYPOTHESES, None),
    ),
    "diagnosis.diagnose_parameters": dict(
        weights_gradient=of(A_VALUE, [1.0]), bias_gradient=of(A_VALUE, 1.0), model=LINE,
        loss=SE, features=of(FITTING, X), targets=of(REAL, Y),
        hypotheses=of(HYPOTHESES, None),
    ),
    "hypotheses.Hypothesis": dict(
        mistake="it is halved", make=of(FUNCTION, len), kinds=of(TEXT, "softmax"),
        of=of(TEXT, "value"), reduction=of(FLAG, True),
    ),
    "hypotheses.Hypothesis.apply": dict(
        self=Hypothesis("it is halved", lambda case: case.numbers / 2),
        case=of(OBJECT, CASE),
    ),
    "case.Case": dict(
        loss=BCE, scores=of(NUMPY, Z), targets=of(NUMPY, BITS), of=of(CHOICE, "value"),
        got=of(NOT_READ, Z), features=of(NOT_READ, None), changed=of(DICT, {}),
        answer=of(NOT_READ, None), jitter=of(NUMBER, 0.0),
        finish=of([*LIST, (TypeError, "a function", ["len"])], ()),
    ),
    "case.Case.given": dict(
        self=CASE, scores=of(NUMPY, Z),
    ),
    "case.Case.hyper": dict(self=CASE, nothing=of(NOT_READ, 3)),
    "case.Case.result": dict(
        self=CASE, numbers=of(OR_NONE, None), features=of(OR_NONE, None),
    ),
    "case.Case.then": dict(self=CASE, change=of(FUNCTION, len)),
    "case.Case.weight_of": dict(self=CASE, y=of(NUMERIC, BITS)),
    "javascript.formula_name": dict(
        loss=CE, n_classes=of([(TypeError, "integer", "2", 2.5), *COUNT[1:2]], 3),
    ),
    "derivation.Partial": dict(
        expression=of(EXPRESSION, S), variable=of(EXPRESSION, SYMBOL),
    ),
    "derivation.Line": dict(
        expression=of(EXPRESSION, SYMBOL),
        reason=of([(ValueError, "in words", None, "", 3)], "a"),
        wrt=of([(TypeError, "a symbol", "x", 3, SYMBOL + 1)], SYMBOL),
    ),
    "derivation.Derivation": dict(
        name=of([(TypeError, "a SymPy symbol", "x", None, SYMBOL + 1)], S),
        lines=of([*LIST, (TypeError, "Line", [], [SYMBOL])], [Line(SYMBOL, "start")]),
        where=of(
            [
                (
                    TypeError, "a dict|a symbol|expression", "it", 3, {"x": S},
                    {SYMBOL: "1 +"},
                ),
                (ValueError, "by itself", {SYMBOL: SYMBOL + 1}, {SYMBOL: S}),
            ],
            {SYMBOL: Symbol("t")},
        ),
        smallest_size=of(COUNT, 1),
    ),
    "derivation.Derivation.evaluate": dict(
        self=DERIVATION,
        values=of(
            [
                *DICT, (ValueError, "no value", {}, {"z": [0.0]}),
                (TypeError, "integer|numbers", {"z": "x", "C": 2, "i": 1, "y": 1}),
                (TypeError, "an integer", {"z": [0.0, 1.0], "C": "2", "i": 1, "y": 1}),
                (ValueError, "finite", {"z": [0.0, np.nan], "C": 2, "i": 1, "y": 1}),
            ],
            {"z": [0.0, 1.0], "C": 2, "i": 1, "y": 1},
        ),
    ),
    "derivation.Derivation.written_out": dict(
        self=Derivation(S, [Line(SYMBOL, "start")]), expression=of(EXPRESSION, SYMBOL),
        integers=of(FREE, {}),
    ),
    "plots.loss_and_gradient": dict(
        axes=of(
            [*LIST[:1], (TypeError, "axes", [1, 2]), (ValueError, "two", [])], TWO_AXES,
        ),
        losses=of(LOSSES, {"SE": SE}), units="m",
        residuals=of([*FITTING[:3], (ValueError, "at least one", [])], Z),
    ),
    "plots.fits": dict(
        **ON_A_LINE,
        models=of([*DICT, (TypeError, "a model", {"a": None})], {"a": LINE}),
    ),
    "plots.loss_curves": dict(
        ax=AX, ylabel="loss",
        histories=of([*FILLED, (TypeError, "a History", {"a": None})], {"a": HISTORY}),
    ),
    "plots.loss_surface": dict(
        **ON_A_LINE, loss=SE, weight=of(PAIR, (0, 1)), bias=of(PAIR, (0, 1)),
        histories=of([*DICT, (TypeError, "a History", {"a": None})], {"a": HISTORY}),
    ),
    "plots.contour_levels": dict(
        height=of(COUNTS[:2] + COUNTS[-1:], PLANE**2), n=of(COUNT, 3),
    ),
    "plots.decision_regions": dict(
        ax=AX, model=TWO_FEATURES, features=of(FITTING, PLANE),
        targets=of(ON_PLANE, np.array([0, 1, 1])),
    ),
    "plots.decision_boundary": dict(ax=AX, model=TWO_FEATURES, label="a"),
    # live figures
    "live.Slider": dict(
        name=of(TEXT, "a"), low=of(NUMBER, 0), high=of(NUMBER, 2), value=of(NUMBER, 1),
        step=of([*NUMBER, (ValueError, "positive", 0, -1)], 0.1), label="a",
    ),
    "live.Mark": dict(
        kind=of(CHOICE, "line"), label="",
        style=of([*SEED[:1], (ValueError, "below", 9)], 0),
        x=of([*LIST, LIMITS[1][:1] + ("entries", [])], [0.0]),
        y=of([*LIST, (ValueError, "entries", [])], [0.0]),
    ),
    "live.Panel": dict(
        title="a", x=of([*LIST, (ValueError, "low, high", [])], AXIS),
        y=of(
            [*LIST, (TypeError, "text", (1, 2, 3)), (ValueError, "low", ("y", 1, 0))],
            AXIS,
        ),
        marks=of([*LIST, (TypeError, "a Mark", ["line"])], [MARK]),
        ticks=of([*LIST, (TypeError, "text", [1])], ["a"]),
        drag=of([*LIST, (TypeError, "text", [1])], ["a", ""]),
    ),
    "live.boundary": dict(w1=of(NUMBER, 1), w2=of(NUMBER, 1), bias=of(NUMBER, 0)),
    "live.gathered": dict(
        values=of(
            [*DICT, (ValueError, "positive", {"counts[0]": 0})], {"counts[0]": 1},
        ),
    ),
    "live.with_values": dict(loss=losses.HuberLoss(), values=of(DICT, {"delta": 1.0})),
    # the comparison
    "comparison.Contender": dict(
        loss=of(FUNCTION, len), candidates=of(LIST, (1, 2)), tunes="τ",
    ),
    "comparison.inverse_frequency": dict(
        counts=of([*COUNTS, (ValueError, "positive", at(0, 0))], [9.0, 3.0]),
        exponent=of(NOT_NEGATIVE, 1),
    ),
    "comparison.log_odds": dict(counts=of([*COUNTS[:2], *COUNTS[-1:]], [9.0, 3.0])),
    "comparison.Gaussians": dict(ratio=of(COUNT, 1), seed=0),
    "comparison.Gaussians.fit": dict(self=CLOUDS_DATA, loss=BCE, decay=0.1),
    "comparison.Gaussians.adjust": dict(
        self=CLOUDS_DATA, model=TWO_FEATURES, tau=of(NUMBER, 1),
    ),
    **{
        f"comparison.Gaussians.{m}": dict(self=CLOUDS_DATA, model=TWO_FEATURES)
        for m in ("validate", "test", "measure")
    },
    "comparison.Digits": dict(
        ratio=of([*NUMBER, (ValueError, "at least", 0.5)], 10), seed=0,
    ),
    "comparison.Digits.fit": dict(self=DIGITS_DATA, loss=CE, decay=0.1),
    "comparison.Digits.adjust": dict(
        self=DIGITS_DATA, scores=of(PARTS, DIGIT_SCORES), tau=of(NUMBER, 1),
    ),
    "comparison.Labels": dict(missing=of(BELOW_ONE, 0.0), seed=0),
    "comparison.Labels.fit": dict(self=LABELS_DATA, loss=BCE, decay=0.1),
    **{
        f"comparison.{type(data).__name__}.{m}": dict(
            self=data, scores=of(PARTS, scores)
        )
        for data, scores in ((DIGITS_DATA, DIGIT_SCORES), (LABELS_DATA, LABEL_SCORES))
        for m in ("validate", "test", "measure")
    },
    "comparison.balanced_error": dict(
        predicted=of(CLASSES, [0, 1, 1]), targets=of(CLASSES, [0, 1, 0]), n_classes=2,
    ),
    "comparison.calibration_error": dict(
        confidence=of([*REAL[:3], (ValueError, "from 0 to 1", at(0, 2))], [0.5, 0.7]),
        right=of([*BINARY, (ValueError, "0 or 1", at(0, 2))], [0, 1]), bins=3,
    ),
    "comparison.exact_calibration": dict(model=TWO_FEATURES, priors=[0.5, 0.5]),
    "comparison.average_precisions": dict(
        scores=of(REAL[:3], LOGITS), targets=of(BINARY, np.eye(3)[:2]),
    ),
    "comparison.f1_scores": dict(
        predicted=of(BINARY, np.eye(3)[:2]), targets=of(BINARY, np.eye(3)[:2]),
    ),
    "comparison.train_network": dict(
        **ROUND, features=of(FITTING, PLANE), targets=of(CLASSES, [0, 1, 2]),
        parts=of([*LIST, (ValueError, "shape|dimension", [Z], [X])], [PLANE]),
    ),
    "comparison.play": dict(
        problem=of(CHOICE, "gaussians"), setting=of(NUMBER, 1), seed=0,
    ),
    "comparison.play_all": dict(
        seeds=of(COUNTS_BY_PROBLEM, dict.fromkeys(comparison.PROBLEMS, 0)), processes=1,
    ),
    "comparison.load": dict(
        path=of(
            [
                (TypeError, "a path", None, 0, 3.5, ["x"]),
                (ValueError, "a file of results", __file__),
            ],
            comparison.RESULTS,
        ),
    ),
    "comparison.interval": dict(
        values=of([*FITTING[:3], (ValueError, "at least two", [], [1.0])], [0.1, 0.2]),
    ),
    "comparison.chosen_test": dict(group=GROUP, name=of(CHOICE, "plain")),
    "comparison.usual_test": dict(group=GROUP, name=of(CHOICE, "plain")),
    "comparison.summary": dict(group=GROUP),
    # texts
    "corpora.Corpus.number": dict(
        self=CORPUS, word=of([(ValueError, "one of", "no", 3, [0])], "a"),
    ),
    "corpora.PlantedCorpus.number": dict(
        self=PLANTED, word=of([(ValueError, "one of", "no", 3, [0])], "f0"),
    ),
    "corpora.GeneratedLanguage.number": dict(
        self=LANGUAGE, word=of([(ValueError, "one of", "no", 3, [0])], "c0k0r1"),
    ),
    "corpora.PlantedCorpus.analogies": dict(
        self=PLANTED, n_questions=2, across=True, random_state=0,
    ),
    "corpora.planted_corpus": dict(
        n_tokens=20, n_groups=2, n_entities=2, n_attributes=2, n_function_words=1,
        dimensions=2, scale=of(POSITIVE, 1), noise=0.1, random_state=0,
    ),
    "corpora.generated_language": dict(
        n_tokens=9, n_classes=2, n_words=4, random_state=0,
    ),
    "corpora.GeneratedLanguage.log_probabilities": dict(
        self=LANGUAGE, contexts=of(WORDS, CONTEXTS),
    ),
    # word embeddings
    **{
        call: arguments
        for cls, words in ((SkipGram, np.array([0, 5])), (CBOW, CONTEXTS))
        for name in [f"embeddings.cbow_skip_gram.{cls.__name__}"]
        for call, arguments in {
            name: dict(inputs=of(SAME, E), outputs=of(SAME, W)),
            f"{name}.random": dict(
                n_words=6, dimensions=2, random_state=0, dtype=np.float32
            ),
            f"{name}.scores": dict(self=cls(E, W), features=of(WORDS, words)),
            f"{name}.gradients": dict(
                self=cls(E, W),
                features=of([*WORDS, CLASSES[-1]][:3], words),
                score_gradient=of(GRADIENT, G),
            ),
        }.items()
    },
    "embeddings.cbow_skip_gram.window_contexts": dict(
        **TEXT_OF, reach=1, random_state=of(OPTIONAL_SEED, 0),
    ),
    "embeddings.cbow_skip_gram.skip_gram_loss_and_gradients": dict(
        model=SkipGram(E, W), counts=of([*TABLE, (ValueError, "negative", -M)], M),
    ),
    "embeddings.cbow_skip_gram.fit_skip_gram": dict(
        counts=of([*TABLE[:1], *TABLE[2:], (ValueError, "negative", -M)], M),
        dimensions=1, random_state=0,
    ),
    "embeddings.glove.cooccurrence_counts": dict(corpus=CORPUS, reach=1),
    "embeddings.glove.GloVeLoss.weights": dict(
        self=GloVeLoss(), counts=of([*ARRAY, COUNTS[-1]], Y),
    ),
    "embeddings.glove.GloVe": dict(
        inputs=of(SAME, E), outputs=of(SAME, W), input_bias=of(SAME, E[:, 0]),
        output_bias=of(SAME, E[:, 0]),
    ),
    "embeddings.glove.GloVe.random": dict(
        n_words=6, dimensions=2, random_state=0, dtype=np.float32,
    ),
    "embeddings.glove.GloVe.scores": dict(
        self=GloVe(E, W, E[:, 0], E[:, 0]), cells=of(WORDS, CONTEXTS),
    ),
    "embeddings.glove.GloVe.gradients": dict(
        self=GloVe(E, W, E[:, 0], E[:, 0]), cells=of(WORDS, CONTEXTS),
        score_gradient=of(GRADIENT, G[0, :2]),
    ),
    "embeddings.glove.AdaGrad": dict(
        learning_rate=0.1, initial_sum=of(NOT_NEGATIVE, 0.0),
    ),
    "embeddings.glove.AdaGrad.of_reference_code": dict(eta=of(POSITIVE, 0.1)),
    "embeddings.glove.AdaGrad.start": dict(
        self=AdaGrad(0.1), parameters=of(ARRAYS, PARAMETERS),
    ),
    "embeddings.glove.AdaGrad.step": dict(
        self=AdaGrad(0.1), parameters=of(ARRAYS, Made(lambda: {"a": Z.copy()})),
        gradients=of(SAME_ARRAYS, PARAMETERS),
        sums=of(SAME_ARRAYS, Made(lambda: {"a": Y.copy()})),
    ),
    "embeddings.glove.fit": dict(
        model=GloVe(E, W, E[:, 0], E[:, 0]),
        counts=of(
            [*TABLE, (ValueError, "positive", -M), (ValueError, "not 0", 0 * M)], M,
        ),
        epochs=1, loss=of([(TypeError, "a loss", "it", GloVeLoss)], GloVeLoss()),
        optimizer=of([(TypeError, "an AdaGrad", "it", AdaGrad)], AdaGrad(0.1)), batch_size=9, random_state=0,
    ),
    "embeddings.hierarchical_softmax.Tree": dict(
        merges=of([*WORDS, (ValueError, "once", [[0, 1], [0, 2]])], [[0, 1], [2, 3]]),
    ),
    "embeddings.hierarchical_softmax.Tree.code": dict(
        self=TREE, word=of([*INTEGERS, (ValueError, "words from", -1, 3)], 0),
    ),
    "embeddings.hierarchical_softmax.balanced_tree": dict(
        order=of(
            [*INTEGERS[:1], (ValueError, "each of the words", [0, 0], [0, 2], [0])],
            [0, 1],
        ),
    ),
    "embeddings.hierarchical_softmax.huffman_tree": dict(
        counts=of(COUNTS, [2.0, 1.0, 3.0]),
    ),
    "embeddings.hierarchical_softmax.HierarchicalSoftmax.log_probabilities": dict(
        self=HierarchicalSoftmax(TREE), scores=of(ARRAY, LOGITS[:, :2]),
    ),
    "embeddings.hierarchical_softmax.HierarchicalSoftmax.along_paths": dict(
        self=HierarchicalSoftmax(TREE), hidden=of(FITTING, LOGITS),
        vectors=of(FITTING, LOGITS), targets=of(CLASSES, LABELS),
    ),
    "embeddings.looking_at_vectors.PrincipalComponents.transform": dict(
        self=principal_components(E, 1), vectors=of(INPUTS, E),
    ),
    "embeddings.looking_at_vectors.PrincipalComponents.reconstruct": dict(
        self=principal_components(E, 1), scores=of(MATRIX, E[:, :1]),
    ),
    "embeddings.looking_at_vectors.principal_components": dict(
        vectors=E, n_components=1,
    ),
    "embeddings.looking_at_vectors.unit_rows": dict(vectors=E),
    "embeddings.looking_at_vectors.nearest": dict(
        vectors=of(INPUTS, E), queries=of(INPUTS, E[:2]), n_neighbours=1,
        exclude=of(
            [(TypeError, "array|integer", "x", 2.5, RAGGED), *CLASSES[1:3]], [[0], [1]],
        ),
    ),
    "embeddings.looking_at_vectors.neighbours": dict(
        vectors=E, words=of(WORDS, [0, 1]), n_neighbours=2,
    ),
    "embeddings.looking_at_vectors.analogy_answers": dict(
        vectors=E, questions=of(WORDS, [[0, 1, 2, 3]]), exclude_queries=True,
    ),
    "embeddings.looking_at_vectors.analogy_accuracy": dict(
        vectors=E, questions=of(WORDS, [[0, 1, 2, 3]]), exclude_queries=True,
    ),
    "embeddings.looking_at_vectors.precision_at_k": dict(
        vectors=E, labels=of([*INTEGERS, CLASSES[-1]], [0, 1, 0, 1, 0, 1]), k=1,
    ),
    "embeddings.looking_at_vectors.planted_scores": dict(
        vectors=PLANTED.vectors, corpus=of(SPOILT[:1], PLANTED), n_questions=2,
        random_state=0,
    ),
    "embeddings.negative_sampling.noise_distribution": dict(
        counts=of(COUNTS, [2.0, 1.0]),
        power=of([*NUMBER, (ValueError, "finite", 1e6)], 1),
    ),
    "embeddings.negative_sampling.keep_probability": dict(
        counts=of(COUNTS, [2.0, 1.0]), threshold=of(POSITIVE, 0.1), as_code=True,
    ),
    "embeddings.negative_sampling.subsample": dict(
        words=of(CLASSES[:3], TEXT_WORDS), sentences=of(INTEGERS, SENTENCES),
        keep=of([*MATRIX, (ValueError, "from 0 to 1", at(0, 2))], NOISE), rng=RNG_MADE,
    ),
    "embeddings.negative_sampling.pair_step": dict(
        **STEP, centre=of(A_WORD, 0), context=of(A_WORD, 1), noise=of(WORDS, [2, 3]),
    ),
    "embeddings.negative_sampling.minibatch_step": dict(
        **STEP, centres=of(CLASSES, [0, 1]), contexts=of(CLASSES, [1, 2]),
        noise=of(CLASSES, [[2], [3]]),
    ),
    "embeddings.negative_sampling.block_step": dict(
        **STEP, block=of(OBJECT, BLOCK),
        noise=of([*WORDS, (TypeError, "int", [])], [2, 3]), n_noise=2,
    ),
    "embeddings.negative_sampling.block_gradients": dict(
        e=of(BLOCK_ARRAY, E[None, :2]), w=of(BLOCK_ARRAY, W[None, :3]),
        noise=of(BLOCK_ARRAY, E[:2]), pairs=of(BLOCK_ARRAY, BLOCK.pairs), n_noise=2,
    ),
    "embeddings.negative_sampling.expected_loss": dict(
        vectors=of(SPOILT_PAIR, VECTORS), **TABLES,
    ),
    "embeddings.negative_sampling.shifted_pmi": TABLES,
    "embeddings.negative_sampling.find_phrases": dict(
        corpus=CORPUS, discount=1, threshold=of(POSITIVE, 1),
    ),
    "embeddings.negative_sampling.join_phrases": dict(
        corpus=CORPUS,
        pairs=of(
            [
                (TypeError, "array|numbers", "x", None, RAGGED),
                (ValueError, "integers", [0, 1], [[0.5, 1.0]], [[0, 1, 2]]),
                (ValueError, "words from", [[0, 9]], [[-1, 0]]),
            ],
            [[0, 1]],
        ),
    ),
    "embeddings.negative_sampling.blocks": dict(
        **TEXT_OF, reach=1, n_blocks=1, rng=RNG_MADE,
    ),
    "embeddings.negative_sampling.require_settled": dict(
        vectors=of(
            [
                SPOILT_VECTORS[0], SPOILT_VECTORS[2],
                (ValueError, "at most", sampling.WordVectors(99 * E, W)),
            ],
            VECTORS,
        ),
    ),
    "embeddings.negative_sampling.NegativeSampling": dict(
        SMALL, n_shared=64, power=0.75,
        threshold=of([*POSITIVE[1:], (TypeError, "a number", "x")], 0.1),
    ),
    "embeddings.negative_sampling.NegativeSampling.fit": dict(
        self=TRAINING, corpus=CORPUS, step="pairs", random_state=of(RNG, 0),
    ),
    "embeddings.negative_sampling.NegativeSampling.start": dict(
        self=TRAINING, corpus=CORPUS, rng=RNG_MADE,
    ),
    "embeddings.negative_sampling.NegativeSampling.steps": dict(
        self=TRAINING, corpus=CORPUS, step="pairs", rng=RNG_MADE,
    ),
    "embeddings.torch_negative_sampling.fit": dict(
        training=of(OBJECT, TRAINING), corpus=CORPUS, random_state=of(RNG, 0),
        device=of(
            [(ValueError, "one that PyTorch has", "gpu9", "cuda:99", 3.5, 2**63)], "cpu",
        ),
    ),
    "embeddings.neural_language_model.NeuralLanguageModel": dict(
        embeddings=of(INPUTS[:2], NLM.embeddings),
        hidden_weights=of(SAME, NLM.hidden_weights),
        hidden_bias=of(SAME, NLM.hidden_bias),
        output_weights=of(SAME, NLM.output_weights),
        output_bias=of(SAME, NLM.output_bias),
        direct_weights=of(SAME[1:], np.ones((4, 6))),
    ),
    "embeddings.neural_language_model.NeuralLanguageModel.random": dict(
        n_words=6, n_context=of(COUNT, 2), dimensions=2, hidden=3, direct=True,
        dtype=np.float32, random_state=0,
    ),
    "embeddings.neural_language_model.NeuralLanguageModel.scores": dict(
        self=NLM, contexts=of(WORDS, CONTEXTS),
    ),
    "embeddings.neural_language_model.NeuralLanguageModel.log_probabilities": dict(
        self=NLM, contexts=of(WORDS, CONTEXTS),
    ),
    "embeddings.neural_language_model.NeuralLanguageModel.gradients": dict(
        self=NLM, contexts=of(WORDS, CONTEXTS), score_gradient=of(GRADIENT, G),
    ),
    "embeddings.neural_language_model.contexts_and_targets": dict(
        words=of(INTEGERS, TEXT_WORDS), n_context=2,
    ),
    **{
        f"embeddings.neural_language_model.{name}": dict(
            model=NLM, contexts=of(WORDS, CONTEXTS), targets=of(CLASSES, LABELS)
        )
        for name in ("surprises", "perplexity")
    },
    "embeddings.ngrams.KneserNey": dict(
        words=of(WORDS, TEXT_WORDS), n_words=6, n_context=1,
    ),
    "embeddings.ngrams.KneserNey.probabilities": dict(
        self=KneserNey(TEXT_WORDS, 6, 2), contexts=of(WORDS, CONTEXTS),
    ),
    "embeddings.ngrams.KneserNey.log_probabilities": dict(
        self=KneserNey(TEXT_WORDS, 6, 2), contexts=of(WORDS, CONTEXTS),
    ),
    "embeddings.noise_contrastive_estimation.NoiseContrastiveLoss.candidates": dict(
        self=NoiseContrastiveLoss(THREE, 1), words=of([WORDS[0], WORDS[2]], LABELS),
        rng=RNG_MADE,
    ),
    "embeddings.noise_contrastive_estimation.LogBilinear": dict(
        inputs=of(SAME, E), outputs=of(SAME, W), bias=of(SAME, E[:, 0]),
    ),
    "embeddings.noise_contrastive_estimation.LogBilinear.scores": dict(
        self=LogBilinear(E, W, E[:, 0]), features=of(WORDS, CONTEXTS),
    ),
    "embeddings.noise_contrastive_estimation.LogBilinear.gradients": dict(
        self=LogBilinear(E, W, E[:, 0]), features=of(WORDS, CONTEXTS),
        score_gradient=of(GRADIENT, G[:, :1]),
    ),
}
# fmt: on

# What holds results, or is made by the function beside it: it is checked where it is given
# to a function.
RECORDS = {
    "checks.Agreement": "check_gradient",
    "checks.GradientCheck": "check_gradient",
    "corpora.Corpus": "docstring_corpus",
    "corpora.PlantedCorpus": "planted_corpus",
    "corpora.GeneratedLanguage": "generated_language",
    "derivation.DerivationError": "Derivation.verify",
    "diagnosis.Diagnosis": "diagnose",
    "diagnosis.Evidence": "diagnose",
    "embeddings.looking_at_vectors.PrincipalComponents": "principal_components",
    "embeddings.negative_sampling.Blocks": "blocks",
    "embeddings.negative_sampling.WordVectors": "NegativeSampling.fit",
    "training.History": "gradient_descent",
}
# Only inherited from: their methods are in the table of each class that does.
ABSTRACT = ("live.Figure", "live.LineFigure")
# Right calls that train networks: `test_comparison` makes them.
SLOW = {"comparison.Digits.fit", "comparison.Labels.fit", "comparison.play"}
SLOW |= {"comparison.train_network", "comparison.play_all"}
