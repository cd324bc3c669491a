"""Cross-entropy in which the classes count for more or less."""

from dataclasses import dataclass

from lossbook._validation import (
    require_able,
    require_factor,
    require_instance,
    require_positives,
)
from lossbook.losses._base import BinaryLoss, SoftmaxLoss, of_class
from lossbook.losses.binary_classification import BinaryCrossEntropy
from lossbook.losses.multiclass_classification import CrossEntropy

BINARY, PLAIN = BinaryCrossEntropy(), CrossEntropy()


@dataclass(frozen=True)
class WeightedBinaryCrossEntropy(BinaryLoss):
    """The binary cross-entropy, times a weight for each of the two classes, in nats.

    pos_weight: positive, the factor of the samples of class 1. neg_weight: of class 0.

    Same as ``torch.nn.BCEWithLogitsLoss(pos_weight=..., reduction="none")`` where
    neg_weight is 1.

    Raises TypeError or ValueError when a weight is not a positive finite number.
    """

    pos_weight: float
    neg_weight: float = 1.0

    def __post_init__(self):
        for name in ("pos_weight", "neg_weight"):
            weight = require_factor(getattr(self, name), name)
            object.__setattr__(self, name, weight)

    def _weight(self, targets):
        return self.pos_weight * targets + self.neg_weight * (1 - targets)

    def _value_and_gradient(self, scores, targets):
        value, gradient = BINARY._value_and_gradient(scores, targets)
        weight = self._weight(targets)
        return weight * value, weight * gradient

    def derivation(self):
        """The binary cross-entropy with a factor on each term, differentiated in the
        logit."""
        from sympy import exp, log, symbols

        from lossbook.derivation import Derivation, Line, Partial, as_written

        ell, z, y, p = symbols("ell z y p", real=True)
        pos, neg = symbols("alpha_1 alpha_0", positive=True)
        with as_written():
            lines = [
                Line(
                    -pos * y * log(p) - neg * (1 - y) * log(1 - p),
                    "the cross-entropy, each class with its weight",
                ),
                Line(Partial(ell, p) * Partial(p, z), "chain rule", wrt=z),
                Line(
                    (-pos * (y / p) + neg * ((1 - y) / (1 - p))) * (p * (1 - p)),
                    "differentiate the logarithms; the slope of the sigmoid",
                ),
                Line(
                    -pos * y * (1 - p) + neg * (1 - y) * p,
                    "multiply out: each p cancels one",
                ),
            ]
            return Derivation(ell, lines, where={p: 1 / (1 + exp(-z))})

    def derivation_values(self, targets):
        """The two weights, by the symbols of `derivation`."""
        return {"alpha_1": self.pos_weight, "alpha_0": self.neg_weight}


@dataclass(frozen=True)
class WeightedCrossEntropy(SoftmaxLoss):
    """The cross-entropy of a class, times the weight of that class, in nats.

    weights: C positive numbers, a factor for each class.

    Same as ``torch.nn.CrossEntropyLoss(weight=..., reduction="none")``. With
    ``reduction="mean"`` PyTorch divides by the sum of the samples' weights, where the
    mean over samples divides by N.

    Raises TypeError or ValueError when the weights are not positive finite numbers, or
    not as many as there are classes.
    """

    weights: tuple

    def __post_init__(self):
        weights = require_positives(self.weights, "weights")
        object.__setattr__(self, "weights", weights)

    def _per_class(self):
        return {"weights": self.weights}

    def _value_and_gradient(self, scores, targets):
        value, gradient = PLAIN._value_and_gradient(scores, targets)
        weight = of_class(self.weights, targets, scores)
        return weight * value, weight[..., None] * gradient

    def derivation(self):
        """The cross-entropy times the weight of the class, differentiated in logit i."""
        from sympy import Idx, IndexedBase, symbols

        size = symbols("C", integer=True, positive=True)
        weights = IndexedBase("alpha", positive=True)
        return weighted_derivation(CrossEntropy(), weights[Idx("y", (1, size))])

    def derivation_values(self, targets):
        """The weights, by the symbol of `derivation`."""
        return {"alpha": self.weights}


def weighted_derivation(loss, weight):
    """The derivation of a loss, every line times a weight that the scores do not change.

    weight: a SymPy expression, such as α_y, the weight of the class y.

    Raises TypeError when either is something else.
    """
    from sympy import Expr, Mul, Symbol

    from lossbook.derivation import Derivation, Line, as_written

    require_able(loss, "loss", "a loss", "derivation")
    require_instance(weight, "weight", Expr, "a SymPy expression")
    plain = loss.derivation()
    with as_written():
        lines = [
            Line(Mul(weight, line.expression), line.reason, line.wrt)
            for line in plain.lines
        ]
        # the lines in the middle may speak of the loss without its weight
        where = {**plain.where, plain.name: plain.lines[0].expression}
    return Derivation(Symbol("ell_w", real=True), lines, where, plain.smallest_size)
