"""The computation of a loss or its gradient, in pieces that can be spoilt one by one.

Every gradient of a classification loss in the book is a product,

    weight * (modulation * reach + slope) * (p - q)

of the weight of the class, the modulating factor and the factor's own slope (1 and 0
where there is none), and the probability minus the target. The value is ``weight *
modulation * surprise``.
"""

from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np

from lossbook._validation import (
    as_numpy,
    require_callable,
    require_choice,
    require_dict,
    require_instance,
    require_list,
    require_number,
)
from lossbook.losses._base import Loss, RegressionLoss, SoftmaxLoss

OF = ("gradient", "value", "weights", "bias")


def _sigmoid(z):
    """1 / (1 + exp(-z))."""
    return np.exp(-np.logaddexp(0, -z))


def _softmax(z, axis=-1):
    """exp(z), scaled to sum to one over an axis."""
    powers = np.exp(z - z.max(axis=axis, keepdims=True))
    return powers / powers.sum(axis=axis, keepdims=True)


def _class_weights(loss):
    if getattr(loss, "weights", None) is not None:
        return np.array(loss.weights)
    if hasattr(loss, "pos_weight"):
        return np.array([loss.neg_weight, loss.pos_weight])
    if getattr(loss, "alpha", None) is not None:
        return np.array([1 - loss.alpha, loss.alpha])
    return None


class _piece:  # noqa: N801 (a decorator, as property is)
    """A step of the computation, done once, which `Case.given` can replace."""

    def __init__(self, compute):
        self.compute, self.name = compute, compute.__name__
        self.__doc__ = compute.__doc__

    def __get__(self, case, owner=None):
        if case is None:
            return self
        changed = case.changed.get(self.name)
        value = self.compute(case) if changed is None else changed
        case.__dict__[self.name] = value  # found there from now on
        return value


@dataclass(frozen=True, eq=False)
class Case:
    """The computation that a hypothesis spoils: a loss, or the gradient of one, in pieces
    that can be changed one by one.

    loss, scores, targets: as the loss takes them, NumPy arrays, the scores float64.
    of: what is computed: "gradient" in the scores, "value", or the "weights" or "bias" of
        a linear layer, which are the gradients of the mean loss in them.
    got: the numbers under examination. features: (N, D), for weights and bias.
    """

    loss: Loss
    scores: np.ndarray
    targets: np.ndarray
    of: str = "gradient"
    got: Any = None
    features: Any = None
    changed: dict = field(default_factory=dict)
    answer: Any = None
    finish: tuple = ()
    jitter: float = 0.0  # a relative error of the probabilities, to see what it does

    def __post_init__(self):
        require_instance(self.loss, "loss", Loss, "a loss of lossbook.losses")
        for name in ("scores", "targets"):
            require_instance(getattr(self, name), name, np.ndarray, "a NumPy array")
        require_choice(self.of, "of", OF)
        require_dict(self.changed, "changed")
        require_number(self.jitter, "jitter")
        for i, change in enumerate(require_list(self.finish, "finish")):
            require_callable(change, f"finish[{i}]")

    def given(self, **changes):
        """The same case with other pieces, by name, or another ``loss``, ``scores`` or
        ``targets``. Raises NameError when there is no such piece."""
        own = {name: changes.pop(name) for name in _FIELDS & changes.keys()}
        for name in changes:
            if not isinstance(vars(Case).get(name), _piece):
                raise NameError(f"a case has no piece {name!r}")
        if "p" in changes:
            changes["exact_p"] = changes.pop("p")
        return replace(self, changed={**self.changed, **changes}, **own)

    def hyper(self, **changes):
        """The same case with other hyper-parameters, each a number or a function of the
        right one; None where the loss has none of that name, or allows no such value."""
        for owner in (self.loss, self.base):
            names = {f.name for f in fields(owner)}
            if not changes.keys() <= names:
                continue
            old = {name: getattr(owner, name) for name in changes}
            new = {k: v(old[k]) if callable(v) else v for k, v in changes.items()}
            if None in old.values() or new == old:
                return None
            try:
                mistaken = replace(owner, **new)
            except (TypeError, ValueError):
                return None
            whole = owner is self.loss
            loss = mistaken if whole else replace(self.loss, base=mistaken)
            return self.given(loss=loss)
        return None

    def then(self, change):
        """The same case whose result, at the very end, goes through a function."""
        require_callable(change, "change")
        return replace(self, finish=(*self.finish, change))

    @_piece
    def kind(self):
        """ "regression", "sigmoid" or "softmax"."""
        if isinstance(self.base, RegressionLoss):
            return "regression"
        return "softmax" if isinstance(self.base, SoftmaxLoss) else "sigmoid"

    @_piece
    def base(self):
        """The loss, without the class-balanced weights where it has them."""
        return getattr(self.loss, "base", self.loss)

    @property
    def n(self):
        """N, the length of the first axis; 1 for a single score."""
        return len(self.targets) if self.targets.ndim else 1

    @property
    def n_classes(self):
        """C: the last axis of the scores; 2 for a single logit a sample."""
        if self.kind == "sigmoid" and self.scores.ndim < 2:
            return 2
        return self.scores.shape[-1] if self.scores.ndim else 1

    @_piece
    def y(self):
        """The targets as the formulas have them: 0 and 1, for classes one-hot."""
        if self.kind != "softmax":
            return self.targets.astype(np.float64)
        classes = np.arange(self.scores.shape[-1])
        return (classes == self.targets[..., None]).astype(np.float64)

    @_piece
    def z(self):
        """The logits, with the log-priors where the loss adds them."""
        if not hasattr(self.base, "priors"):
            return self.scores
        return self.scores + self.base.tau * np.log(self.base.priors)

    @_piece
    def exact_p(self):
        """The probabilities: sigmoid or softmax of z."""
        return _softmax(self.z) if self.kind == "softmax" else _sigmoid(self.z)

    @_piece
    def p(self):
        """The probabilities, with the jitter."""
        return self.exact_p * (1 + self.jitter * (1 + np.abs(self.z)))

    @property
    def rest(self):
        """1 - p."""
        if self.kind == "sigmoid" and not self.jitter and "exact_p" not in self.changed:
            return _sigmoid(-self.z)
        return 1 - self.p

    @_piece
    def q(self):
        """What p is compared with: y, or the smoothed targets."""
        smoothing = getattr(self.base, "label_smoothing", 0)
        if not smoothing:
            return self.y
        return (1 - smoothing) * self.y + smoothing / self.n_classes

    @_piece
    def p_y(self):
        """The probability of the true class; for classes (..., 1)."""
        if self.kind == "softmax":
            return np.sum(np.where(self.y == 1, self.p, 0), axis=-1, keepdims=True)
        return np.where(self.y == 1, self.p, self.rest)

    @_piece
    def wrong(self):
        """What is missing to one: 1 - p_y, for a negative of the asymmetric loss p minus
        the margin, but at least 0."""
        if self.kind == "softmax":
            return 1 - self.p_y
        lowered = np.clip(self.p - self.margin, 0, None)
        return np.where(self.y == 1, self.rest, lowered)

    @property
    def margin(self):
        """The margin of the asymmetric loss, 0 for others."""
        return getattr(self.base, "margin", 0.0)

    @_piece
    def gamma(self):
        """The focusing exponent, 0 where there is none."""
        if hasattr(self.base, "gamma_pos"):
            return np.where(self.y == 1, self.base.gamma_pos, self.base.gamma_neg)
        return np.float64(getattr(self.base, "gamma", 0.0))

    @_piece
    def surprise(self):
        """-log of the true class's probability, or of the smoothed targets' ones."""
        if self.kind == "softmax":
            terms = np.where(self.q == 0, 0, self.q * np.log(self.p))
            return -np.sum(terms, axis=-1, keepdims=True)
        return -np.log(1 - self.wrong if self.margin else self.p_y)

    @_piece
    def modulation(self):
        """The modulating factor, wrong ** gamma."""
        return np.where(self.gamma == 0, 1.0, self.wrong**self.gamma)

    @_piece
    def reach(self):
        """How far the logarithm's slope reaches the logit: 1, but for negatives of the
        asymmetric loss (1 - p) / (1 - p_m), and 0 below the margin."""
        if not self.margin:
            return 1.0
        inside = np.where(self.wrong > 0, self.rest / (1 - self.wrong), 0)
        return np.where(self.y == 1, 1.0, inside)

    @_piece
    def slope(self):
        """What the modulating factor's own derivative adds."""
        moves = (self.gamma != 0) & (self.wrong != 0)
        power = np.where(moves, self.wrong, 1) ** (self.gamma - 1)
        surprise = np.where(moves, self.surprise, 0)
        return self.gamma * self.p_y * power * surprise

    @_piece
    def weights(self):
        """The weights of the classes, (C,); None where the loss has none."""
        return _class_weights(self.loss)

    def weight_of(self, y):
        """The weight of each sample by the formula, for targets y."""
        y = as_numpy(y, "y")
        weight = np.float64(1)
        inner = None if self.base is self.loss else _class_weights(self.base)
        for weights, whole in ((self.weights, self.loss), (inner, self.base)):
            if weights is None:
                continue
            weights = np.asarray(weights, dtype=np.float64)
            rows = hasattr(whole, "counts") and self.scores.ndim > 1
            if self.kind == "softmax" or rows:
                weight = weight * np.sum(weights * y, axis=-1, keepdims=True)
            else:
                weight = weight * (weights[0] * (1 - y) + weights[1] * y)
        return weight

    @_piece
    def weight(self):
        """The weight of each sample, in a shape that fits the scores."""
        return self.weight_of(self.y)

    @property
    def residual(self):
        """scores - targets, for a regression."""
        return self.scores * (1 + self.jitter) - self.targets * (1 - self.jitter)

    @_piece
    def factor(self):
        """What multiplies p - q in the gradient."""
        return self.weight * (self.modulation * self.reach + self.slope)

    @_piece
    def value(self):
        """The loss of each sample."""
        if self.kind == "regression":
            return self.loss.value(self.residual, 0 * self.residual)
        value = self.weight * self.modulation * self.surprise
        if self.kind == "softmax":
            return value[..., 0]
        return value * np.ones_like(self.scores)

    @_piece
    def gradient(self):
        """Its gradient in the scores."""
        if self.kind == "regression":
            return self.loss.gradient(self.residual, 0 * self.residual)
        return self.factor * (self.p - self.q)

    @property
    def numbers(self):
        """The value, or the gradient in the scores, as the mistakes so far make them."""
        if self.answer is not None:
            return self.answer
        return self.value if self.of == "value" else self.gradient

    @_piece
    def pull(self):
        """From the gradient in the scores to that in the weights or the bias: a function
        of features and gradient."""
        if self.of == "weights":
            return lambda features, g: features.T @ g / len(features)
        return lambda features, g: g.sum(axis=0) / len(features)

    def result(self, numbers=None, features=None):
        """What is compared in the end: the numbers, pulled back to the parameter."""
        numbers = self.numbers if numbers is None else as_numpy(numbers, "numbers")
        if features is None:
            features = self.features
        elif (features := as_numpy(features, "features")).shape[:1] != numbers.shape[
            :1
        ]:
            raise ValueError(
                f"features must be as many as numbers, {numbers.shape[:1]}, "
                f"got {features.shape}"
            )
        if self.features is not None:
            numbers = self.pull(features, numbers)
        for change in self.finish:
            numbers = change(numbers)
        return np.asarray(numbers, dtype=np.float64)


_FIELDS = {f.name for f in fields(Case)} - {"changed"}
