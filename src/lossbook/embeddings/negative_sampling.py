"""Skip-gram with negative sampling: each pair of neighbours against a few noise words.

The loss of a true pair (i, j) and K noise words is the binary cross-entropy of 1 + K
logits, <e_i, w_j> with the target 1 and <e_i, w_k> with the target 0 (Mikolov et al.
2013b, equation 4, with the sign turned). Nothing is averaged: losses are sums over pairs,
so that a learning rate of 0.025 means what it means in word2vec.

The same training in three ways: `pair_step` for one pair at a time, `minibatch_step` for
many pairs at once, `block_step` for blocks of a text whose pairs share their noise words.
"""

from dataclasses import dataclass
from functools import wraps
from math import ceil, floor
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from lossbook._validation import (
    array_namespace,
    as_numpy,
    finite_floats,
    float_array,
    float_numpy,
    floats_of_shape,
    refuse_where,
    require_able,
    require_choice,
    require_corpus,
    require_count,
    require_finite,
    require_flag,
    require_instance,
    require_integers,
    require_not_negative,
    require_number,
    require_one_kind,
    require_positive,
    require_rng,
    require_table,
    require_words,
    require_writeable,
)
from lossbook.corpora import Corpus
from lossbook.embeddings._rows import add_rows
from lossbook.embeddings._windows import window_pairs
from lossbook.losses import BinaryCrossEntropy

BLOCK = 32  # centre words in a block
MINIBATCH = 256  # pairs in a minibatch
LONGEST_STRIDE = 8  # of a shared noise word, see `NegativeSampling`
LARGEST_ENTRY = 50  # of a trained vector; those of a good training stay below 10
LAST_RATE = 1e-4  # the learning rate at the end, as a share of that at the start


@dataclass(frozen=True, eq=False)
class WordVectors:
    """What a word-embedding model learns. inputs: E, (V, D). outputs: W transposed,
    (V, D)."""

    inputs: np.ndarray
    outputs: np.ndarray


def noise_distribution(counts, power=0.75):
    """ν, the probability of each word as noise, (V,): its count to this power, scaled to
    sum to 1. Mikolov et al. (2013b) found 0.75 best; 1 is the unigram distribution, 0 the
    uniform one.

    counts: (V,) numbers of at least 0, not all 0.
    Raises TypeError or ValueError naming the argument that is no such number.
    """
    counts = float_numpy(counts, "counts", ndim=1)
    power = require_number(power, "power")
    refuse_where(counts < 0, counts, "counts", "not be negative")
    if not counts.any():
        raise ValueError("counts must not all be zero, got none that is not")
    with np.errstate(over="ignore"):
        weights = np.where(counts > 0, np.maximum(counts, 1e-300) ** power, 0)
        total = weights.sum()
    if not 0 < total < np.inf:
        raise ValueError(
            f"power must give finite weights that are not all 0, got {power} and {total}"
        )
    return weights / total


def keep_probability(counts, threshold=1e-3, *, as_code=False):
    """How probably an occurrence of each word is kept when frequent words are thinned
    out, (V,).

    With f the word's share of the text and t the threshold it is sqrt(t / f) in the paper
    (Mikolov et al. 2013b, equation 5), and sqrt(t / f) + t / f in the authors' code; at
    most 1.

    counts: (V,) numbers of at least 0, not all 0. Raises TypeError or ValueError naming
    the argument that is no such number.
    """
    threshold = require_positive(threshold, "threshold")
    as_code = require_flag(as_code, "as_code")
    ratio = threshold / np.maximum(noise_distribution(counts, power=1), 1e-300)
    return np.minimum(np.sqrt(ratio) + (ratio if as_code else 0), 1)


def subsample(words, sentences, keep, rng):
    """The text without the occurrences that are thinned out, (words, sentences); what was
    dropped leaves no gap, so windows reach further.

    words, sentences: (N,). keep: (V,) probabilities. rng: a NumPy Generator.

    Raises TypeError or ValueError naming the argument that is none of that.
    """
    keep = _probabilities(keep, "keep")
    words = require_words(words, "words", len(keep), ("N",))
    sentences = require_integers(sentences, "sentences", words.shape)
    rng = require_rng(rng, "rng")
    kept = rng.random(len(words)) < keep[words]
    return words[kept], sentences[kept]


def _refusing(check):
    """The function, called with its arguments as ``check``, a function of the same ones,
    returns them. A training makes a million steps of arguments that fit: it takes
    ``function.unchecked``."""

    def decorate(function):
        @wraps(function)
        def checked(*arguments, **named):
            return function(*check(*arguments, **named))

        checked.unchecked = function
        return checked

    return decorate


def _pair(vectors, centre, context, noise, learning_rate):
    n_words = _check_vectors(vectors, writeable=True)
    centre = require_words(centre, "centre", n_words, ())
    context = require_words(context, "context", n_words, ())
    noise = require_words(noise, "noise", n_words, ("K",))
    return vectors, centre, context, noise, _rate(learning_rate)


def _minibatch(vectors, centres, contexts, noise, learning_rate):
    n_words = _check_vectors(vectors, writeable=True)
    centres = require_words(centres, "centres", n_words, ("P",))
    contexts = require_words(contexts, "contexts", n_words, centres.shape)
    noise = require_words(noise, "noise", n_words, (*centres.shape, "K"))
    return vectors, centres, contexts, noise, _rate(learning_rate)


def _block(vectors, block, noise, n_noise, learning_rate):
    n_words = _check_vectors(vectors, writeable=True)
    require_instance(block, "block", Blocks, "a Blocks")
    centres = require_words(block.centres, "block.centres", n_words, ("B", "T"))
    n_blocks, length = centres.shape
    contexts = require_words(block.contexts, "block.contexts", n_words, (n_blocks, "U"))
    shape = n_blocks, length, contexts.shape[1]
    pairs = floats_of_shape(block.pairs, "block.pairs", shape)
    noise = _some(require_words(noise, "noise", n_words, ("S",)), "noise")
    n_noise = require_count(n_noise, "n_noise")
    block = Blocks(centres, contexts, pairs)
    return vectors, block, noise, n_noise, _rate(learning_rate)


def _gradients(e, w, noise, pairs, n_noise):
    e, w = finite_floats(e, "e", ndim=3), finite_floats(w, "w", ndim=3)
    (n_blocks, length, dimensions), around = e.shape, w.shape[1]
    w = floats_of_shape(w, "w", (n_blocks, around, dimensions))
    noise = _some(finite_floats(noise, "noise", ndim=2), "noise")
    noise = floats_of_shape(noise, "noise", (len(noise), dimensions))
    pairs = floats_of_shape(pairs, "pairs", (n_blocks, length, around))
    require_one_kind({"e": e, "w": w, "noise": noise})
    if array_namespace(pairs) is not array_namespace(e):
        raise TypeError(
            f"pairs must be the same kind of array as e, {type(e)}, got {type(pairs)}"
        )
    return e, w, noise, pairs, require_count(n_noise, "n_noise")


def _rate(learning_rate):
    return require_positive(learning_rate, "learning_rate")


def _some(words, name):
    if len(words) == 0:
        raise ValueError(f"{name} must hold at least one word, got none")
    return words


def _check_vectors(vectors, writeable=False):
    """V, when they are `WordVectors` of arrays (V, D)."""
    require_able(vectors, "vectors", "WordVectors", "inputs", "outputs")
    for name in ("inputs", "outputs"):
        array = getattr(vectors, name)
        require_instance(array, f"vectors.{name}", np.ndarray, "a NumPy array")
        if array.dtype.kind != "f":
            raise TypeError(f"vectors.{name} must be floats, got {array.dtype}")
        finite_floats(array, f"vectors.{name}", ndim=2)
        if writeable:
            require_writeable(array, f"vectors.{name}")
    floats_of_shape(vectors.outputs, "vectors.outputs", vectors.inputs.shape)
    return len(vectors.inputs)


def _probabilities(values, name, n_words=None):
    values = float_numpy(values, name, ndim=1)
    refuse_where((values < 0) | (values > 1), values, name, "be from 0 to 1")
    return values if n_words is None else floats_of_shape(values, name, (n_words,))


@_refusing(_pair)
def pair_step(vectors, centre, context, noise, learning_rate):
    """One step of gradient descent on the loss of one pair, in place.

    centre, context: two words. noise: (K,) words; those equal to context are skipped.
    """
    words = np.append(context, noise[noise != context])
    targets = np.zeros(len(words))
    targets[0] = 1
    e, w = vectors.inputs[centre], vectors.outputs[words]
    g = BinaryCrossEntropy().gradient(w @ e, targets)
    add_rows(vectors.outputs, words, -learning_rate * np.outer(g, e))
    vectors.inputs[centre] -= learning_rate * (g @ w)  # last, since e is a view of it


@_refusing(_minibatch)
def minibatch_step(vectors, centres, contexts, noise, learning_rate):
    """One step of gradient descent on the summed loss of many pairs, in place.

    centres, contexts: (P,) words. noise: (P, K) words; those equal to the context of
    their pair are skipped.
    """
    words = np.column_stack([contexts, noise])
    targets = np.zeros(words.shape)
    targets[:, 0] = 1
    e, w = vectors.inputs[centres], vectors.outputs[words]
    g = BinaryCrossEntropy().gradient((w @ e[:, :, None])[:, :, 0], targets)
    g[:, 1:] *= noise != contexts[:, None]
    add_rows(vectors.inputs, centres, -learning_rate * (g[:, None] @ w)[:, 0])
    updates = g[:, :, None] * e[:, None]
    add_rows(
        vectors.outputs, words.ravel(), -learning_rate * updates.reshape(-1, e.shape[1])
    )


@_refusing(_block)
def block_step(vectors, block, noise, n_noise, learning_rate):
    """One step of gradient descent on the summed loss of all pairs in some blocks, in
    place.

    block: a `Blocks`. noise: (S,) words that all pairs share, each counted K / S times.
    """
    centres, contexts = block.centres, block.contexts
    d_inputs, d_outputs, d_noise = block_gradients.unchecked(
        vectors.inputs[centres],
        vectors.outputs[contexts],
        vectors.outputs[noise],
        block.pairs,
        n_noise,
    )
    words = np.concatenate([contexts.ravel(), noise])
    d_outputs = np.concatenate([d_outputs.reshape(-1, d_outputs.shape[-1]), d_noise])
    d_inputs = d_inputs.reshape(-1, d_inputs.shape[-1])
    add_rows(vectors.inputs, centres.ravel(), -learning_rate * d_inputs)
    add_rows(vectors.outputs, words, -learning_rate * d_outputs)


@_refusing(_gradients)
def block_gradients(e, w, noise, pairs, n_noise):
    """The gradients of the summed loss of some blocks, all by matrix products (Ji et al.
    2016).

    e: (B, T, D) input vectors of the centres. w: (B, T + 2R, D) output vectors of the
    words around them. noise: (S, D) output vectors of the noise words. pairs: (B, T,
    T + 2R), 1 where two words are a pair, else 0. n_noise: K.

    Returns the gradients in e, w and noise. Arrays of NumPy or PyTorch.
    """
    xp = array_namespace(e)
    g = (_sigmoid(e @ w.mT, xp) - 1) * pairs
    shares = pairs.sum(-1)[..., None] * (n_noise / len(noise))
    g_noise = _sigmoid(e @ noise.mT, xp) * shares
    d_e = g @ w + g_noise @ noise
    d_noise = g_noise.reshape(-1, len(noise)).mT @ e.reshape(-1, e.shape[-1])
    return d_e, g.mT @ e, d_noise


def _sigmoid(scores, xp):
    return xp.sigmoid(scores) if hasattr(xp, "sigmoid") else 1 / (1 + xp.exp(-scores))


def expected_loss(vectors, counts, noise, n_noise):
    """The mean loss of a pair in nats, with the expectation over its noise words taken
    exactly: -log σ(s_ij) - K Σ_w ν_w log σ(-s_iw), with s_ij = <e_i, w_j>.

    vectors: `WordVectors`. counts: sparse (V, V), how often each pair occurs. noise: (V,)
        probabilities. n_noise: K.

    Raises TypeError or ValueError when one is no such argument, the shapes differ or
    there is no pair.
    """
    n_words, n_noise = _check_vectors(vectors), require_count(n_noise, "n_noise")
    noise, counts = _probabilities(noise, "noise"), _pairs(counts)
    if counts.shape != (n_words, n_words) or noise.shape != (n_words,):
        raise ValueError(
            f"counts and noise must be for {n_words} words, as the vectors are, "
            f"got {counts.shape} and {noise.shape}"
        )
    if counts.sum() <= 0:
        raise ValueError("counts must hold at least one pair, got none")
    of_centre, total = np.bincount(counts.row, counts.data, n_words), 0.0
    order = np.argsort(counts.row, kind="stable")
    row, column, data = (x[order] for x in (counts.row, counts.col, counts.data))
    for first in range(0, n_words, 1000):
        part = slice(first, first + 1000)
        scores = vectors.inputs[part] @ vectors.outputs.T
        total += n_noise * of_centre[part] @ (np.logaddexp(0, scores) @ noise)
        own = slice(*np.searchsorted(row, [first, first + 1000]))
        true = scores[row[own] - first, column[own]]
        total += data[own] @ np.logaddexp(0, -true)
    return float(total / counts.sum())


def _pairs(counts):
    """The table of counts, none negative."""
    table = require_table(counts)
    refuse_where(table.data < 0, table.data, "counts", "not be negative")
    return table


def shifted_pmi(counts, noise, n_noise):
    """The scores at which the `expected_loss` of a table of counts is least, if each cell
    may have a score of its own: log(M_ij / (M_i ν_j)) - log K, M_i the sum of row i.

    With the unigram distribution as noise it is the pointwise mutual information less
    log K (Levy and Goldberg 2014, section 3.1).

    counts: sparse (V, V), how often each pair occurs. noise: (V,) probabilities. n_noise:
        K.

    Returns a sparse coo_array (V, V) with the cells that occur; of others it would be
    minus infinity. Raises TypeError or ValueError when n_noise is not a positive integer,
    the shapes differ, or a word that occurs is never noise.
    """
    n_noise, noise = require_count(n_noise, "n_noise"), _probabilities(noise, "noise")
    counts = _pairs(counts)
    if counts.shape != (len(noise), len(noise)):
        raise ValueError(
            f"counts must have shape (V, V) and noise (V,), got {counts.shape} "
            f"and {noise.shape}"
        )
    cells = counts.copy()
    cells.sum_duplicates()
    cells.eliminate_zeros()
    if not (noise[cells.col] > 0).all():
        raise ValueError(
            "noise must be positive for every word that is a context, got 0 for one"
        )
    of_centre = np.bincount(cells.row, cells.data, len(noise))
    expected = n_noise * of_centre[cells.row] * noise[cells.col]
    cells.data = np.log(cells.data / expected)
    return cells


def find_phrases(corpus, *, discount=5, threshold=100):
    """Pairs of words that follow one another far more often than by chance: ``(pairs,
    scores)``, (P, 2) and (P,), the highest score first.

    The score of a, b is N (count(a b) - discount) / (count(a) count(b)): Mikolov et al.
    (2013b), equation 6, times the number of tokens N as in the authors' code, so that a
    threshold means the same in a longer text. Pairs above it are phrases; ``discount``
    keeps out pairs of rare words. Counts are those within sentences.

    corpus: a `lossbook.corpora.Corpus`. Raises TypeError or ValueError when discount is a
    negative number or none, or threshold not a positive one.
    """
    discount = require_not_negative(discount, "discount")
    threshold = require_positive(threshold, "threshold")
    require_corpus(corpus)
    keys = _keys_of_neighbours(corpus)
    found, together = np.unique(keys[keys >= 0], return_counts=True)
    pairs = np.stack(np.divmod(found, len(corpus.vocabulary)), axis=1)
    apart = corpus.counts[pairs].astype(np.float64).prod(axis=1)
    scores = len(corpus.words) * (together - discount) / apart
    order = np.argsort(-scores, kind="stable")
    order = order[scores[order] > threshold]
    return pairs[order], scores[order]


def join_phrases(corpus, pairs):
    """The text with each of these pairs as one word, a `lossbook.corpora.Corpus`; from
    left to right, so a word is in one phrase at most.

    pairs: (P, 2) words. Pair p becomes the word V + p, spelled ``a_b``; all other words
    keep their number.
    Raises TypeError or ValueError when corpus or pairs is no such argument.
    """
    pairs, n_words = as_numpy(pairs, "pairs"), len(require_corpus(corpus).vocabulary)
    if pairs.ndim != 2 or pairs.shape[1] != 2 or pairs.dtype.kind not in "iu":
        raise ValueError(
            f"pairs must be integers (P, 2), got {pairs.dtype} {pairs.shape}"
        )
    pairs = require_words(pairs, "pairs", n_words, ("P", 2))
    wanted = pairs @ [n_words, 1]
    order = np.argsort(wanted)
    keys = _keys_of_neighbours(corpus)
    place = np.searchsorted(wanted, keys, sorter=order).clip(max=len(pairs) - 1)
    starts = wanted[order][place] == keys if len(pairs) else np.zeros(len(keys), bool)
    places = np.arange(len(starts))
    run = np.maximum.accumulate(np.where(starts, 0, places + 1))
    # where a b and b c are both phrases, a b c is a_b c: every other one of a run
    starts &= (places - run) % 2 == 0
    words = corpus.words.copy()
    first = np.flatnonzero(starts)
    words[first] = n_words + order[place[first]]
    keep = np.ones(len(words), dtype=bool)
    keep[first + 1] = False
    names = (f"{corpus.vocabulary[a]}_{corpus.vocabulary[b]}" for a, b in pairs)
    return Corpus(words[keep], corpus.sentences[keep], (*corpus.vocabulary, *names))


def _keys_of_neighbours(corpus):
    """(N - 1,) a number for each two words that follow one another, first V + second; -1
    across the end of a sentence."""
    first, second = corpus.words[:-1], corpus.words[1:]
    same = corpus.sentences[:-1] == corpus.sentences[1:]
    return np.where(same, first * len(corpus.vocabulary) + second, -1)


class Blocks(NamedTuple):
    """Some blocks of a text. centres: (B, T) words. contexts: (B, T + 2R) words, the
    centres and R more on either side. pairs: (B, T, T + 2R) float32, 1 where a centre and
    a context are a pair."""

    centres: np.ndarray
    contexts: np.ndarray
    pairs: np.ndarray


def blocks(words, sentences, reach, n_blocks, rng):
    """Yield the text as `Blocks` of BLOCK centres, n_blocks at a time, each centre with a
    reach of its own, drawn from 1 to ``reach``.

    words, sentences: (N,). rng: a NumPy Generator.

    Raises TypeError or ValueError naming the argument that is none of that.
    """
    words = require_integers(words, "words", ("N",))
    sentences = require_integers(sentences, "sentences", words.shape)
    reach, n_blocks = require_count(reach, "reach"), require_count(n_blocks, "n_blocks")
    return _blocks(words, sentences, reach, n_blocks, require_rng(rng, "rng"))


def _blocks(words, sentences, reach, n_blocks, rng):
    tokens = n_blocks * BLOCK
    own = rng.integers(1, reach + 1, size=len(words))
    filled = -(-len(words) // tokens) * tokens
    # a place after the end reaches no other
    own = np.pad(own, (0, filled - len(words)))
    around = (reach, filled - len(words) + reach)
    words = np.pad(words, around)
    sentences = np.pad(sentences, around, constant_values=-1)
    place = BLOCK * np.arange(n_blocks)[:, None] + np.arange(BLOCK + 2 * reach)
    distance = np.abs(np.arange(BLOCK + 2 * reach) - reach - np.arange(BLOCK)[:, None])
    distance[distance == 0] = reach + 1  # no word is its own neighbour
    inner = slice(reach, reach + BLOCK)
    for start in range(0, filled, tokens):
        contexts, sentence = words[start + place], sentences[start + place]
        pairs = distance <= own[start : start + tokens].reshape(n_blocks, BLOCK, 1)
        pairs &= sentence[:, inner, None] == sentence[:, None]
        yield Blocks(contexts[:, inner], contexts, pairs.astype(np.float32))


def require_settled(vectors):
    """Refuse `WordVectors` of a training that went astray. It need not end in infinite
    numbers: the rate falls, and enormous vectors come to rest."""
    require_able(vectors, "vectors", "WordVectors", "inputs", "outputs")
    for name in ("inputs", "outputs"):
        array, name = getattr(vectors, name), f"{name} of the trained vectors"
        array = require_finite(float_array(array, name), name)
        largest = np.abs(array).max(initial=0)
        if largest > LARGEST_ENTRY:
            raise ValueError(
                f"{name} must be at most {LARGEST_ENTRY} in size, "
                f"got {largest:.3g}: the steps were too long, use a smaller "
                f"learning_rate, fewer n_blocks or more n_shared"
            )


@dataclass(frozen=True)
class NegativeSampling:
    """Skip-gram with negative sampling, and how it is trained.

    dimensions: D. reach: R of the dynamic window. n_noise: K. power: of the
        `noise_distribution`. threshold: of `keep_probability`, as the authors' code has
        it; None keeps every word. learning_rate: falls linearly over the epochs, almost
        to zero.
    n_blocks, n_shared: for `block_step`: how many blocks of 32 centres a step takes, and
        how many noise words they share.

    Raises TypeError or ValueError naming the argument that does not fit. A noise word is
    moved by all the pairs of a step at once, by about learning_rate * 32 * n_blocks *
    (reach + 1) * n_noise / n_shared times their mean gradient; where that is above 8 the
    vectors soon leave the finite numbers, so it is refused.
    """

    dimensions: int = 100
    reach: int = 5
    n_noise: int = 5
    power: float = 0.75
    threshold: float | None = 1e-3
    learning_rate: float = 0.025
    epochs: int = 5
    n_blocks: int = 8
    n_shared: int = 64

    def __post_init__(self):
        for name in "dimensions reach n_noise epochs n_blocks n_shared".split():
            require_count(getattr(self, name), name)
        rate = require_positive(self.learning_rate, "learning_rate")
        object.__setattr__(self, "learning_rate", rate)
        require_number(self.power, "power")
        if self.threshold is not None:
            require_positive(self.threshold, "threshold")
        pairs = BLOCK * self.n_blocks * (self.reach + 1)
        least = rate * pairs * self.n_noise / LONGEST_STRIDE
        least = ceil(round(least, 6))  # 24.000000000000004 is 24
        if self.n_shared < least:
            raise ValueError(
                f"n_shared must be at least {least} for {self.n_blocks} blocks a step at "
                f"this learning rate, got {self.n_shared}"
            )

    def fit(self, corpus, *, step="blocks", random_state):
        """Train on a `lossbook.corpora.Corpus`; returns float32 `WordVectors`.

        step: "pairs", "minibatches" or "blocks". Input vectors start uniform within
        0.5 / D of zero, output vectors at zero.

        Raises ValueError when step is another word, a step in blocks would be too long
        for the most frequent word of the corpus, or the vectors leave the finite numbers
        or are on their way.
        """
        take = {"pairs": pair_step, "minibatches": minibatch_step, "blocks": block_step}
        take = take[require_choice(step, "step", take)].unchecked
        rng = require_rng(random_state, "random_state")
        vectors = self.start(corpus, rng)
        with np.errstate(over="ignore"):  # exp(-score) may be infinite, its share is 0
            for arguments in self.steps(corpus, step, rng):
                take(vectors, *arguments)
        require_settled(vectors)
        return vectors

    def start(self, corpus, rng):
        """`WordVectors` to start from. Raises TypeError when one is no such argument."""
        require_corpus(corpus)
        rng = require_rng(rng, "rng")
        shape = len(corpus.vocabulary), self.dimensions
        inputs = (rng.random(shape, dtype=np.float32) - 0.5) / self.dimensions
        return WordVectors(inputs, np.zeros(shape, dtype=np.float32))

    def steps(self, corpus, step, rng):
        """Yield what each step of a training takes after the vectors: the pairs or
        blocks, their noise words, (for blocks K,) and the learning rate.

        Raises TypeError or ValueError when one is no such argument, or a step in blocks
        would be too long for the most frequent word of the corpus.
        """
        require_corpus(corpus)
        require_choice(step, "step", ("pairs", "minibatches", "blocks"))
        return self._steps(corpus, step, require_rng(rng, "rng"))

    def _steps(self, corpus, step, rng):
        keep = np.ones(len(corpus.vocabulary))
        if self.threshold is not None:
            keep = keep_probability(corpus.counts, self.threshold, as_code=True)
        if step == "blocks":
            self._refuse_long_strides(corpus.counts * keep)
        heaps = noise_distribution(corpus.counts, self.power).cumsum()

        def draw(*shape):
            noise = np.searchsorted(heaps, heaps[-1] * rng.random(shape), side="right")
            return np.minimum(noise, len(heaps) - 1)

        for epoch in tqdm(range(self.epochs), desc="epochs", delay=1, leave=False):
            text = subsample(corpus.words, corpus.sentences, keep, rng)
            for done, pairs in self._parts(*text, step, rng):
                share = max(1 - (epoch + done) / self.epochs, LAST_RATE)
                rate = self.learning_rate * share
                if step == "blocks":
                    yield *pairs, draw(self.n_shared), self.n_noise, rate
                elif step == "minibatches":
                    yield *pairs, draw(len(pairs[0]), self.n_noise), rate
                else:
                    yield *pairs, draw(self.n_noise), rate

    def _refuse_long_strides(self, counts):
        """The stride of the most frequent word in a step: what is said of a noise word in
        the class's docstring, for its own pairs and those that it is noise to."""
        share = counts.max() / counts.sum()
        pairs = BLOCK * self.n_blocks * share * (self.reach + 1)
        strides = self.learning_rate * pairs * (1 + self.n_noise)
        if strides > LONGEST_STRIDE:
            most = floor(10 * self.n_blocks * LONGEST_STRIDE / strides) / 10
            raise ValueError(
                f"n_blocks must be at most {most} "
                f"for a text of which one word makes up {share:.1%}, or threshold lower, "
                f"got {self.n_blocks}"
            )

    def _parts(self, words, sentences, step, rng):
        """Yield (share of the text that is done, what the next step trains on)."""
        if step == "blocks":
            parts = _blocks(words, sentences, self.reach, self.n_blocks, rng)
            for i, block in enumerate(parts):
                yield i * self.n_blocks * BLOCK / len(words), (block,)
            return
        centres, contexts = window_pairs(words, sentences, self.reach, rng)
        order = rng.permutation(len(centres))
        size = 1 if step == "pairs" else MINIBATCH
        for first in range(0, len(order), size):
            part = order[first] if step == "pairs" else order[first : first + size]
            yield first / len(order), (centres[part], contexts[part])
