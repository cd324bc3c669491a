"""Noise-contrastive estimation: a model of words is trained to tell the words of the text
from words drawn as noise, and learns to sum to one without ever being summed."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from lossbook._validation import (
    array_namespace,
    as_array,
    as_numpy,
    finite_floats,
    float_array,
    numpy_gradient,
    refuse_where,
    require_count,
    require_one_kind,
    require_positives,
    require_rng,
)
from lossbook.embeddings._rows import add_rows
from lossbook.losses._base import Loss, SoftmaxLoss, matching_arrays, one_hot
from lossbook.losses.binary_classification import _quick_sigmoid, _softplus


@dataclass(frozen=True)
class _AgainstNoise:
    """What the loss and its expectation share.

    noise: V positive numbers that sum to one, the probability ν_j of each word in the
        noise.
    n_noise: K, the noise words drawn for each true one.

    Raises TypeError or ValueError when noise or n_noise is not that.
    """

    noise: tuple
    n_noise: int

    def __post_init__(self):
        noise = require_positives(self.noise, "noise")
        total = math.fsum(noise)
        if abs(total - 1) > 1e-6:
            raise ValueError(f"noise must sum to one, got the sum {total:.9g}")
        object.__setattr__(self, "noise", noise)
        object.__setattr__(self, "n_noise", require_count(self.n_noise, "n_noise"))

    @cached_property
    def _log_expected(self):
        """(V,) the log of K ν_j, how often each word is expected among the noise words
        of one true word."""
        return np.log(self.noise) + np.log(self.n_noise)

    def _shift(self, scores):
        xp = array_namespace(scores)
        return xp.asarray(self._log_expected, dtype=scores.dtype, device=scores.device)


class NoiseContrastiveLoss(_AgainstNoise, Loss):
    """Noise-contrastive estimation (Gutmann and Hyvarinen 2012; for words Mnih and Teh
    2012): -log σ(z) for the true word minus the sum of log σ(-z) for K noise words, in
    nats, where the logit of word j is z_j = s_j - log(K ν_j).

    noise: V positive numbers that sum to one, the ν_j. n_noise: K. A noise word may be the
        true word; it stays.

    scores: (..., 1 + K), the unnormalised log-probability of the true word, then of the
        noise words; NumPy arrays or PyTorch tensors, float32 and float64 kept.
    targets: (..., 1 + K) integers, the words that the scores belong to, 0 to V - 1.
    value: (...), the sum over the 1 + K words. gradient: (..., 1 + K), nats per unit of
        the score.

    Raises TypeError when the scores are an array of another type, the targets are not
    integers or the two come from different libraries; ValueError when the shapes do not
    fit, a score is NaN or infinite, or a target is none of the words.
    """

    def candidates(self, words, rng):
        """Each word with K noise words drawn for it, (..., 1 + K): the ``targets``.

        words: (...) integers below V. rng: a NumPy Generator. Its ``choice`` sums the
        noise up once a call, which costs V steps, and searches for each draw, log V
        steps: call it for many words at once.

        Raises TypeError or ValueError when words are not integers from 0 to V - 1.
        """
        words, rng = self._words(words, "words"), require_rng(rng, "rng")
        noise = np.array(self.noise)
        shape = (*words.shape, self.n_noise)
        drawn = rng.choice(len(noise), size=shape, p=noise / noise.sum())
        return np.concatenate([words[..., None], drawn], axis=-1)

    def _fitted(self, scores, targets):
        scores, targets = matching_arrays(float_array(scores, "scores"), targets)
        if scores.ndim == 0 or scores.shape[-1] != 1 + self.n_noise:
            raise ValueError(
                f"scores must have shape (..., {1 + self.n_noise}), the true word and "
                f"n_noise others, got {tuple(scores.shape)}"
            )
        if not array_namespace(targets).isdtype(targets.dtype, "integral"):
            raise TypeError(f"targets must be integer words, got {targets.dtype}")
        if targets.shape != scores.shape:
            raise ValueError(
                f"targets must have the shape of scores, {tuple(scores.shape)}, "
                f"got {tuple(targets.shape)}"
            )
        return scores, targets

    def _check_targets(self, scores, targets):
        self._check_words(targets, "targets")

    def _words(self, words, name):
        words = as_numpy(words, name)
        if words.dtype.kind not in "iu":
            raise TypeError(f"{name} must be integers, got {words.dtype}")
        self._check_words(words, name)
        return words

    def _check_words(self, words, name):
        outside = (words < 0) | (words >= len(self.noise))
        refuse_where(outside, words, name, f"be words from 0 to {len(self.noise) - 1}")

    def _value_and_gradient(self, scores, targets):
        xp = array_namespace(scores)
        z = scores - self._shift(scores)[xp.astype(targets, xp.int64, copy=False)]
        place = xp.arange(scores.shape[-1], device=scores.device)
        sign = xp.astype(xp.where(place == 0, -1, 1), scores.dtype)
        toward_wrong = sign * z
        wrong = _quick_sigmoid(toward_wrong)
        value = xp.sum(_softplus(toward_wrong, wrong, 1 - wrong), axis=-1)
        return value, sign * wrong

    def derivation(self):
        """The loss of one of the 1 + K words, y being 1 for the true one and 0 for noise,
        differentiated in its score: σ(z) - y."""
        from sympy import exp, log, symbols

        from lossbook.derivation import Derivation, Line, Partial, as_written

        ell, s, u, y = symbols("ell s u y", real=True)
        K, nu = symbols("K nu", positive=True)
        with as_written():
            lines = [
                Line(
                    -y * log(u) - (1 - y) * log(1 - u),
                    "binary cross-entropy: is it the true word, or noise?",
                ),
                Line(Partial(ell, u) * Partial(u, s), "chain rule", wrt=s),
                Line(
                    (-(y / u) + (1 - y) / (1 - u)) * (u * (1 - u)),
                    "the logarithms; in $s$, $u$ is a sigmoid, since $K \\nu$ is fixed",
                ),
                Line(u - y, "multiply out, collect terms"),
                Line(
                    1 / (1 + exp(-(s - log(K * nu)))) - y,
                    "divide by $e^s$ above and below: the logit is "
                    "$s - \\log (K \\nu)$",
                ),
            ]
            return Derivation(ell, lines, where={u: exp(s) / (exp(s) + K * nu)})

    def derivation_values(self, targets):
        """K, and for each of the words ν and y."""
        targets = self._words(targets, "targets")
        if targets.shape[-1:] != (1 + self.n_noise,):
            raise ValueError(
                f"targets must have shape (..., {1 + self.n_noise}), got {targets.shape}"
            )
        y = np.broadcast_to(np.arange(1 + self.n_noise) == 0, targets.shape)
        nu = np.array(self.noise)[targets]
        return {"K": self.n_noise, "nu": nu, "y": y.astype(np.float64)}


class ExpectedNoiseContrastiveLoss(_AgainstNoise, SoftmaxLoss):
    """The `NoiseContrastiveLoss` of a word in the mean over all draws of its noise:
    -log σ(z_y) minus the sum over all words j of K ν_j log σ(-z_j), in nats.

    It needs the scores of the whole vocabulary, (..., V), so it is for small ones, and to
    see where the sampled loss tends. Its gradient in s_i is that of the cross-entropy of
    unnormalised probabilities, e^s_i - [i = y], times K ν_i / (e^s_i + K ν_i).

    noise, n_noise: as in `NoiseContrastiveLoss`.

    Raises as `SoftmaxLoss` does, and when there are not as many scores as noise has words.
    """

    def _per_class(self):
        return {"noise": self.noise}

    def _value_and_gradient(self, scores, targets):
        xp = array_namespace(scores)
        shift, truth = self._shift(scores), one_hot(targets, scores)
        z = scores - shift
        true, false = _quick_sigmoid(z), _quick_sigmoid(-z)
        counts = xp.exp(shift)  # K ν_j
        as_noise = counts * _softplus(z, true, false)
        as_true = xp.where(truth, _softplus(-z, false, true), 0)
        gradient = counts * true - xp.where(truth, false, 0)
        return xp.sum(as_noise + as_true, axis=-1), gradient

    def derivation(self):
        """Differentiated in score i: the cross-entropy's gradient, with a weight."""
        from sympy import Idx, IndexedBase, KroneckerDelta, Sum, exp, log, symbols

        from lossbook.derivation import Derivation, Line, as_written

        ell = symbols("ell", real=True)
        K = symbols("K", positive=True)
        size = symbols("V", integer=True, positive=True)
        i, j, y = (Idx(name, (1, size)) for name in "ijy")
        s, p = (IndexedBase(name, real=True) for name in "sp")
        nu = IndexedBase("nu", positive=True)
        with as_written():

            def noise(k):
                return K * nu[k]

            share = p[i] / (p[i] + noise(i))
            noise_loss = log(p[j] + noise(j)) - log(noise(j))
            lines = [
                Line(
                    -log(p[y] / (p[y] + noise(y)))
                    - Sum(noise(j) * log(noise(j) / (p[j] + noise(j))), j),
                    "the true word; each word $j$ as noise, $K \\nu_j$ times on average",
                ),
                Line(
                    log(p[y] + noise(y)) - s[y] + Sum(noise(j) * noise_loss, j),
                    "logs of quotients; $\\log p_y$ is the score",
                ),
                Line(
                    KroneckerDelta(i, y) * (share - 1) + noise(i) * share,
                    "$p_i = e^{s_i}$ is its own derivative; one term of the sum "
                    "holds $s_i$",
                    wrt=s[i],
                ),
                Line(
                    noise(i) / (p[i] + noise(i)) * (p[i] - KroneckerDelta(i, y)),
                    "$K \\nu_i / (p_i + K \\nu_i)$ is a factor of both terms",
                ),
            ]
            return Derivation(ell, lines, where={p[i]: exp(s[i])})

    def derivation_values(self, targets):
        """K, ν and V, by the symbols of `derivation`."""
        return {"K": self.n_noise, "nu": self.noise, "V": len(self.noise)}


@dataclass(frozen=True, eq=False)
class LogBilinear:
    """The score of a word after a context word, s = e_i · w_j + b_j: the log-bilinear
    model, as in Mnih and Hinton (2009), with a context of one word.

    inputs: (V, D), the rows e_i. outputs: (V, D), the rows w_j. bias: (V,).

    ``features`` are integers: (N,) context words, for the scores (N, V) of all words; or
    (N, 1 + M), a context word and M words in a row, for the scores (N, M) of those.

    Raises TypeError or ValueError when a parameter is not finite or the shapes do not fit.
    """

    inputs: Any
    outputs: Any
    bias: Any

    def __post_init__(self):
        for name, ndim in (("inputs", 2), ("outputs", 2), ("bias", 1)):
            array = finite_floats(getattr(self, name), name, ndim)
            object.__setattr__(self, name, array)
        require_one_kind(self.parameters)
        for name, shape in (
            ("outputs", tuple(self.inputs.shape)),
            ("bias", tuple(self.inputs.shape[:1])),
        ):
            came = tuple(getattr(self, name).shape)
            if came != shape:
                raise ValueError(f"{name} must have shape {shape}, got {came}")

    @property
    def parameters(self):
        """The parameters by name; `gradients` has the same keys and shapes."""
        return {"inputs": self.inputs, "outputs": self.outputs, "bias": self.bias}

    def scores(self, features):
        """(N, V) or (N, M), see above. Raises TypeError or ValueError when features are
        not words in one of the two shapes."""
        contexts, words = self._split(features)
        hidden = self.inputs[contexts]
        if words is None:
            return hidden @ self.outputs.T + self.bias
        return (self.outputs[words] @ hidden[..., None])[..., 0] + self.bias[words]

    def gradients(self, features, score_gradient):
        """The gradient of a loss in the parameters from its gradient in the scores, dL/ds
        in the shape of the scores; a word that occurs several times collects them all.

        Raises TypeError or ValueError when one does not fit.
        """
        contexts, words = self._split(features)
        shape = (len(contexts), len(self.outputs)) if words is None else words.shape
        g = numpy_gradient(score_gradient, shape, self.parameters)
        hidden = self.inputs[contexts]
        inputs, outputs, bias = (np.zeros_like(p) for p in self.parameters.values())
        if words is None:
            outputs, bias = g.T @ hidden, g.sum(axis=0)
            pulled = g @ self.outputs
        else:
            pushed = g[..., None] * hidden[:, None, :]
            add_rows(outputs, words.ravel(), pushed.reshape(-1, hidden.shape[1]))
            np.add.at(bias, words, g)
            pulled = (g[:, None, :] @ self.outputs[words])[:, 0]
        add_rows(inputs, contexts, pulled)
        return {"inputs": inputs, "outputs": outputs, "bias": bias}

    def _split(self, features):
        features = as_array(features, "features", dtype=None)
        if not array_namespace(features).isdtype(features.dtype, "integral"):
            raise TypeError(f"features must be integer words, got {features.dtype}")
        if features.ndim not in (1, 2) or (
            features.ndim == 2 and features.shape[1] < 2
        ):
            raise ValueError(
                f"features must have shape (N,) or (N, 1 + M), got "
                f"{tuple(features.shape)}"
            )
        n_words = self.inputs.shape[0]
        outside = (features < 0) | (features >= n_words)
        refuse_where(outside, features, "features", f"be words from 0 to {n_words - 1}")
        if features.ndim == 1:
            return features, None
        return features[:, 0], features[:, 1:]
