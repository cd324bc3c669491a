"""GloVe: word vectors whose inner products are the logarithms of co-occurrence counts.

Input and output vectors are both rows here, (V, D). A cell is a pair of words, input and
output, with its count; cells without a count take no part.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import csc_array
from tqdm import tqdm

from lossbook._validation import (
    array_namespace,
    finite_floats,
    float_array,
    numpy_gradient,
    refuse_where,
    require_able,
    require_count,
    require_dict,
    require_finite,
    require_float_type,
    require_instance,
    require_not_negative,
    require_one_kind,
    require_positive,
    require_table,
    require_words,
    require_writeable,
)
from lossbook.embeddings._windows import window_counts
from lossbook.losses._base import RegressionLoss

TINY = 1e-10  # keeps AdaGrad from dividing 0 by 0, as in PyTorch


def cooccurrence_counts(corpus, reach):
    """How often word j stands near word i, (V, V), a symmetric ``scipy.sparse.csr_array``.

    corpus: a `lossbook.corpora.Corpus`. reach: the largest distance that is near, in
        words, to either side and within the sentence. A pair at distance d counts 1/d, as
        in Pennington et al. (2014), section 4.2; two equal words near each other count
        twice, since each is near the other.

    Raises TypeError or ValueError when reach is no such number.
    """
    return window_counts(corpus, reach, lambda distance: 1 / distance)


@dataclass(frozen=True)
class GloVeLoss(RegressionLoss):
    """The loss of a cell: its squared error in the logarithm of the count, weighted.

    ``f(M) (s - log M)**2`` for a score s and a count M, with the weight ``f(M) =
    min(1, (M / x_max)**alpha)``: equations 8 and 9 of Pennington et al. (2014). No factor
    1/2, as in the paper; the reference code has one.

    x_max: positive, the count from which on every cell weighs 1. alpha: at least 0, the
        exponent below it; 0 weighs all cells alike.

    Targets are counts, which must be positive. Value in squared nats.

    Raises TypeError or ValueError when x_max or alpha is no such number.
    """

    x_max: float = 100.0
    alpha: float = 0.75

    def __post_init__(self):
        object.__setattr__(self, "x_max", require_positive(self.x_max, "x_max"))
        object.__setattr__(self, "alpha", require_not_negative(self.alpha, "alpha"))

    def weights(self, counts):
        """f of each count, 0 to 1, in the shape of ``counts``. Raises TypeError or
        ValueError when they are not numbers of at least 0."""
        counts = finite_floats(counts, "counts")
        refuse_where(counts < 0, counts, "counts", "not be negative")
        return self._weights(counts)

    def _weights(self, counts):
        return array_namespace(counts).clip(counts / self.x_max, None, 1) ** self.alpha

    def _value_and_gradient(self, scores, targets):
        residual = scores - array_namespace(targets).log(targets)
        pull = self._weights(targets) * residual
        return pull * residual, 2 * pull

    def _check_targets(self, scores, targets):
        super()._check_targets(scores, targets)
        refuse_where(targets <= 0, targets, "targets", "be positive counts")

    def derivation(self):
        """Differentiated in the score: the weight is a number, the rest is a square."""
        from sympy import Min, log, symbols

        from lossbook.derivation import Derivation, Line, Partial, as_written

        ell, s, r, f = symbols("ell s r f", real=True)
        count, x_max = symbols("M x_max", positive=True)
        kappa = symbols("kappa", nonnegative=True)
        with as_written():
            lines = [
                Line(f * r**2, "the squared error of the logarithm, weighted"),
                Line(Partial(ell, r) * Partial(r, s), "chain rule", wrt=s),
                Line(
                    f * (2 * r) * 1,
                    "the weight depends on the count, and not on the score",
                ),
                Line(2 * f * (s - log(count)), "put the residual back"),
            ]
            weight = Min(1, (count / x_max) ** kappa)
            return Derivation(ell, lines, where={r: s - log(count), f: weight})

    def derivation_values(self, targets):
        """The counts M, and the hyper-parameters; α of the paper is κ in the book."""
        counts = finite_floats(targets, "targets")
        refuse_where(counts <= 0, counts, "targets", "be positive counts")
        return {"M": targets, "x_max": self.x_max, "kappa": self.alpha}


@dataclass(frozen=True, eq=False)
class GloVe:
    """Scores of cells, ``e_i · w_j + input_bias_i + output_bias_j``.

    inputs, outputs: (V, D). input_bias, output_bias: (V,). All in nats, together.

    Raises TypeError when one is not numbers, ValueError when their shapes do not fit or
    an entry is not finite.
    """

    inputs: Any
    outputs: Any
    input_bias: Any
    output_bias: Any

    def __post_init__(self):
        for name, array in self.parameters.items():
            array = finite_floats(array, name, ndim=1 if name.endswith("bias") else 2)
            object.__setattr__(self, name, array)
        require_one_kind(self.parameters)
        shape = tuple(self.inputs.shape)
        for name in ("outputs", "input_bias", "output_bias"):
            array = getattr(self, name)
            if tuple(array.shape) != shape[: array.ndim]:
                raise ValueError(
                    f"{name} must have shape {shape[: array.ndim]}, as inputs have, "
                    f"got {tuple(array.shape)}"
                )

    @classmethod
    def random(cls, n_words, dimensions, *, random_state, dtype=np.float64):
        """Small random numbers, as in the reference code: uniform and at most
        0.5 / (D + 1) in size, the biases too."""
        n_words = require_count(n_words, "n_words")
        dimensions = require_count(dimensions, "dimensions")
        dtype = require_float_type(dtype)
        rng = np.random.default_rng(require_count(random_state, "random_state", 0))
        shapes = 2 * [(n_words, dimensions)] + 2 * [(n_words,)]
        return cls(
            *(
                ((rng.random(shape) - 0.5) / (dimensions + 1)).astype(dtype)
                for shape in shapes
            )
        )

    @property
    def parameters(self):
        """The parameters by name; `gradients` has the same keys and shapes."""
        return {
            "inputs": self.inputs,
            "outputs": self.outputs,
            "input_bias": self.input_bias,
            "output_bias": self.output_bias,
        }

    def scores(self, cells):
        """The scores (N,) of cells (N, 2): an input and an output word each.

        Raises TypeError or ValueError when cells are not such words.
        """
        i, j = self._checked(cells).T
        products = (self.inputs[i] * self.outputs[j]).sum(-1)
        return products + self.input_bias[i] + self.output_bias[j]

    def gradients(self, cells, score_gradient):
        """The gradient of a loss in the parameters, from its gradient (N,) in the scores;
        what the cells of one word contribute is added up.

        Raises TypeError or ValueError when a shape does not fit.
        """
        i, j = self._checked(cells).T
        g = numpy_gradient(score_gradient, i.shape, self.parameters)
        n_words, every = len(self.inputs), np.arange(len(i) + 1)
        # column n holds the score gradient of cell n, in the row of its word
        of_input = csc_array((g, i, every), (n_words, len(i)))
        of_output = csc_array((g, j, every), (n_words, len(i)))
        return {
            "inputs": of_input @ self.outputs[j],
            "outputs": of_output @ self.inputs[i],
            "input_bias": of_input.sum(axis=1),
            "output_bias": of_output.sum(axis=1),
        }

    def _checked(self, cells):
        """``cells`` as an integer array (N, 2) of words."""
        return require_words(cells, "cells", len(self.inputs), ("N", 2))


def derivation():
    """The gradient of the mean loss of N cells in one entry of an input vector.

    f_ij is the weight of a cell and r_ij its residual; a cell without a count has the
    weight 0 and is left out of the sums.
    """
    from sympy import Idx, IndexedBase, Sum, log, symbols

    from lossbook.derivation import Derivation, Line, Partial, as_written

    n_words, size = symbols("V D", integer=True, positive=True)
    loss, n = symbols("L", real=True), symbols("N", positive=True)
    i, j, k = (Idx(name, (1, n_words)) for name in "ijk")
    d, other = Idx("d", (1, size)), Idx("d'", (1, size))
    e, w, r, f, b = (IndexedBase(name, real=True) for name in "ewrfb")
    tilde = IndexedBase("btilde", real=True)
    count = IndexedBase("M", positive=True)
    with as_written():
        residual = Sum(e[i, d] * w[d, j], d) + tilde[i] + b[j] - log(count[i, j])
        lines = [
            Line(
                1 / n * Sum(f[i, j] * r[i, j] ** 2, j, i), "the mean loss of the cells"
            ),
            Line(
                1 / n * Sum(2 * f[k, j] * r[k, j] * Partial(r[k, j], e[k, other]), j),
                "chain rule; only the cells of row $k$ hold its vector",
                wrt=e[k, other],
            ),
            Line(
                1 / n * Sum(2 * f[k, j] * r[k, j] * w[other, j], j),
                "one term of the inner product holds this entry",
            ),
        ]
        return Derivation(loss, lines, where={r[i, j]: residual})


@dataclass(frozen=True)
class AdaGrad:
    """Gradient descent with a step of its own for every parameter, Duchi et al. (2011).

    ``theta -= learning_rate * g / sqrt(sum of all g**2 so far)``, this gradient included.

    learning_rate: positive, in units of the parameter. initial_sum: at least 0, what the
        sum of squares starts with.

    Same as ``torch.optim.Adagrad(lr=..., initial_accumulator_value=...)``.

    Raises TypeError or ValueError when one is no such number.
    """

    learning_rate: float
    initial_sum: float = 0.0

    def __post_init__(self):
        rate = require_positive(self.learning_rate, "learning_rate")
        start = require_not_negative(self.initial_sum, "initial_sum")
        object.__setattr__(self, "learning_rate", rate)
        object.__setattr__(self, "initial_sum", start)

    @classmethod
    def of_reference_code(cls, eta=0.05):
        """What glove.c does with its rate eta, in terms of the published rule.

        The code starts its sums at 1, adds (eta g)**2 to them, and steps by eta g over
        their root, with half of our gradient for g. Divided by eta / 2, above and below,
        that is a learning rate of 1 with sums that start at (2 / eta)**2.
        """
        if require_positive(eta, "eta") < TINY:
            raise ValueError(f"eta must be at least {TINY}, got {eta}")
        return cls(1.0, (2 / eta) ** 2)

    def start(self, parameters):
        """The sums of squares before the first step, by the names of the parameters.

        Raises TypeError or ValueError when they are no arrays by name.
        """
        parameters = _arrays(parameters, "parameters")
        return {
            name: np.full_like(p, self.initial_sum) for name, p in parameters.items()
        }

    def step(self, parameters, gradients, sums):
        """Change parameters and sums, dicts of arrays, in place.

        Raises TypeError or ValueError when they, or the gradients, are no arrays by name,
        of equal shapes.
        """
        _check_step(parameters, gradients, sums)
        for name, g in gradients.items():
            sums[name] += g * g
            parameters[name] -= self.learning_rate * g / (np.sqrt(sums[name]) + TINY)


def _check_step(parameters, gradients, sums):
    """Refuse what a step cannot be made of."""
    _arrays(parameters, "parameters")
    _arrays(sums, "sums", parameters)
    _arrays(gradients, "gradients", parameters)
    for name, arrays in (("parameters", parameters), ("sums", sums)):
        for key, array in arrays.items():
            require_writeable(array, f"{name}[{key!r}]")


def _arrays(arrays, name, like=None):
    """A dict of arrays, with the names and shapes of another."""
    for key, array in require_dict(arrays, name, "arrays").items():
        key = f"{name}[{key!r}]"
        require_instance(array, key, np.ndarray, "a NumPy array")
        require_finite(float_array(array, key), key)
    if like is not None:
        shapes, came = ({k: a.shape for k, a in d.items()} for d in (like, arrays))
        if shapes != came:
            raise ValueError(f"{name} must have the shapes {shapes}, got {came}")
    return arrays


def fit(
    model,
    counts,
    *,
    epochs,
    loss=None,
    optimizer=None,
    batch_size=4096,
    random_state,
):
    """Train a `GloVe` on the cells of a table that hold a count; returns ``(model,
    losses)``: the trained model, and the mean loss of the cells in each epoch (epochs,),
    each cell's before it is learnt from.

    In every epoch the cells are shuffled and cut into batches. The losses of a batch are
    added up, not averaged, and their gradient makes one step of the optimizer.

    counts: (V, V), sparse or not. loss: a loss of counts; None for ``GloVeLoss()``.
        optimizer: an `AdaGrad`; None for that of the reference code.

    Raises TypeError or ValueError naming the argument when a number is not such a number,
    counts do not fit the model, or there are none.
    """
    epochs = require_count(epochs, "epochs")
    batch_size = require_count(batch_size, "batch_size")
    rng = np.random.default_rng(require_count(random_state, "random_state", 0))
    loss = GloVeLoss() if loss is None else loss
    optimizer = AdaGrad.of_reference_code() if optimizer is None else optimizer
    require_instance(model, "model", GloVe, "a GloVe")
    require_able(loss, "loss", "a loss", "value_and_gradient")
    require_able(optimizer, "optimizer", "an AdaGrad", "start", "step")
    table = require_table(counts, len(model.inputs))
    held = table.data != 0
    if not held.any():
        raise ValueError("counts must hold at least one that is not 0, got none")
    cells = np.stack([table.row[held], table.col[held]], axis=1)
    targets = table.data[held].astype(model.inputs.dtype)

    parameters = {name: p.copy() for name, p in model.parameters.items()}
    sums, losses = optimizer.start(parameters), []
    for _ in tqdm(range(epochs), desc="GloVe", delay=1, leave=False):
        order, total = rng.permutation(len(targets)), 0.0
        for start in range(0, len(order), batch_size):
            batch = order[start : start + batch_size]
            model = GloVe(**parameters)
            values, g = loss.value_and_gradient(
                model.scores(cells[batch]), targets[batch]
            )
            total += float(values.sum())
            optimizer.step(parameters, model.gradients(cells[batch], g), sums)
        losses.append(total / len(order))
    return GloVe(**parameters), np.array(losses)
