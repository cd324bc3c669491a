"""The linear layer: scores from features, and the gradient of the scores pulled back to
weights and bias.

Rows are samples: features X (N, D), weights w (D,) for one score a sample or W (D, C)
for C, bias b () or (C,), scores s = X w + b of shape (N,) or (N, C).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from lossbook._validation import (
    finite_floats,
    floats_of_shape,
    require_count,
    require_one_kind,
)


@dataclass(frozen=True, eq=False)
class Linear:
    """Scores that are linear in the features, ``features @ weights + bias``.

    weights: (D,) or (D, C), in score units per feature unit. bias: () or (C,), in score
        units.

    Raises TypeError when either is not numbers, ValueError when their shapes do not fit
    or an entry is not finite.
    """

    weights: Any
    bias: Any = 0.0

    def __post_init__(self):
        weights = finite_floats(self.weights, "weights")
        bias = finite_floats(self.bias, "bias")
        if weights.ndim not in (1, 2):
            raise ValueError(
                f"weights must have shape (D,) or (D, C), got {tuple(weights.shape)}"
            )
        if bias.shape != weights.shape[1:]:
            raise ValueError(
                f"bias must have shape {tuple(weights.shape[1:])}, got {tuple(bias.shape)}"
            )
        require_one_kind({"weights": weights, "bias": bias})
        object.__setattr__(self, "weights", weights)
        object.__setattr__(self, "bias", bias)

    @classmethod
    def zeros(cls, n_features, n_outputs=None):
        """All parameters zero: weights (D,) and one bias, or (D, C) and C of them when
        n_outputs is given."""
        outputs = () if n_outputs is None else (require_count(n_outputs, "n_outputs"),)
        return cls(
            np.zeros((require_count(n_features, "n_features"), *outputs)),
            np.zeros(outputs),
        )

    @property
    def parameters(self):
        """The parameters by name, ``{"weights": ..., "bias": ...}``; `gradients` has
        the same keys and shapes."""
        return {"weights": self.weights, "bias": self.bias}

    def scores(self, features):
        """X w + b, of shape (N,) or (N, C). Raises ValueError when features is not (N,
        D)."""
        return self._checked(features) @ self.weights + self.bias

    def gradients(self, features, score_gradient):
        """The gradient of a loss in the parameters, from its gradient in the scores: Xᵀ
        g and the sum of g.

        features: (N, D). score_gradient: dL/ds, the shape of the scores, with any 1/N
            already in it.

        Raises ValueError when a shape does not fit.
        """
        features = self._checked(features)
        shape = (features.shape[0], *self.weights.shape[1:])
        score_gradient = floats_of_shape(score_gradient, "score_gradient", shape)
        require_one_kind({"features": features, "score_gradient": score_gradient})
        return {
            "weights": features.T @ score_gradient,
            "bias": score_gradient.sum(axis=0),
        }

    def _checked(self, features):
        features = finite_floats(features, "features", ndim=2)
        if features.shape[1] != self.weights.shape[0]:
            raise ValueError(
                f"features must have shape (N, {self.weights.shape[0]}), got {tuple(features.shape)}"
            )
        require_one_kind({"weights": self.weights, "features": features})
        return features


def derivation():
    """The gradient of a mean loss in one weight, by the chain rule through the scores.

    For any loss ℓ whose gradient in the score of sample n is g_n; the last line is
    entry j of Xᵀ g / N.
    """
    from sympy import Function, Idx, IndexedBase, Sum, symbols

    from lossbook.derivation import Derivation, Line, Partial, as_written

    size_n, size_d = symbols("N D", integer=True, positive=True)
    n, j, k = Idx("n", (1, size_n)), Idx("j", (1, size_d)), Idx("k", (1, size_d))
    x, w, s, y = (IndexedBase(name, real=True) for name in ("x", "w", "s", "y"))
    loss, b = symbols("L b", real=True)
    ell = Function("ell", real=True)
    with as_written():
        slope = Partial(ell(s[n], y[n]), s[n])
        lines = [
            Line(1 / size_n * Sum(ell(s[n], y[n]), n), "the mean loss of N samples"),
            Line(
                1 / size_n * Sum(slope * Partial(s[n], w[j]), n),
                "chain rule: a weight reaches the loss through every score",
                wrt=w[j],
            ),
            Line(
                1 / size_n * Sum(slope * x[n, j], n),
                "only one term of the score holds this weight",
            ),
        ]
        return Derivation(loss, lines, where={s[n]: Sum(x[n, k] * w[k], k) + b})
