"""The texts of the last part: one planted, whose vectors are known, one generated, whose
probabilities are known, and one real, the English in the docstrings of the packages that
the book installs."""

import ast
import contextlib
import hashlib
import os
import re
import warnings
from bisect import bisect
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from tqdm import tqdm

from lossbook._validation import (
    require_count,
    require_flag,
    require_not_negative,
    require_positive,
    require_words,
)
from lossbook.losses.multiclass_classification import softmax

PACKAGES = {
    "numpy": "numpy",
    "scipy": "scipy",
    "sklearn": "scikit-learn",
    "matplotlib": "matplotlib",
    "torch": "torch",
    "sympy": "sympy",
}
MINIMUM_COUNT = 5
SENTENCE = 20  # tokens in a planted sentence
STILL = 5  # tokens for which the context of a planted sentence stays where it is
N_KINDS = 4  # of words in a generated language


@dataclass(frozen=True, eq=False)
class Corpus:
    """A text as numbers.

    words: (N,) int64, the word that stands at each place, 0 to V - 1.
    sentences: (N,) int64, the sentence that each place belongs to; never falls.
    vocabulary: V strings, the words by their numbers.
    """

    words: np.ndarray
    sentences: np.ndarray
    vocabulary: tuple[str, ...]

    @cached_property
    def counts(self):
        """(V,) int64, how often each word occurs."""
        return np.bincount(self.words, minlength=len(self.vocabulary))

    def number(self, word):
        """The number of a word; ValueError when the vocabulary does not have it."""
        try:
            return self._numbers[word]
        except (KeyError, TypeError):  # a list, for one, cannot be looked up
            raise ValueError(
                f"word must be one of the {len(self.vocabulary)} of the vocabulary, "
                f"got {word!r}"
            ) from None

    @cached_property
    def _numbers(self):
        return {word: number for number, word in enumerate(self.vocabulary)}


@dataclass(frozen=True, eq=False)
class PlantedCorpus(Corpus):
    """A `Corpus` whose words were given vectors before it was drawn.

    vectors: (V, D) float64, the true ones. log_weights: (V,), b_w in p(w | c), nats.
    groups, entities, attributes: (V,) int64, what each word is made of; -1 for function
        words. An entity's number counts within its group.
    """

    vectors: np.ndarray
    log_weights: np.ndarray
    groups: np.ndarray
    entities: np.ndarray
    attributes: np.ndarray

    @cached_property
    def content(self):
        """The numbers of the words that are not function words."""
        return np.flatnonzero(self.groups >= 0)

    @cached_property
    def families(self):
        """(V,) int64: a number for each entity of each group; -1 for function words."""
        family = self.groups * (self.entities.max() + 1) + self.entities
        return np.where(self.groups >= 0, family, -1)

    def analogies(self, n_questions, *, across, random_state):
        """(n_questions, 4) words a, b, c, d, drawn at random: a is to b as c is to d.

        a and b are one entity with two attributes, c and d another entity with the same
        two; of the same group, or of another group if ``across``.

        Raises TypeError when across is neither True nor False.
        """
        across = require_flag(across, "across")
        n_questions = require_count(n_questions, "n_questions")
        rng = np.random.default_rng(
            require_count(random_state, "random_state", minimum=0)
        )
        table = np.full(
            (self.groups.max() + 1, self.entities.max() + 1, self.attributes.max() + 1),
            -1,
        )
        content = self.content
        place = self.groups[content], self.entities[content], self.attributes[content]
        table[place] = content
        n_groups, n_entities, n_attributes = table.shape
        if n_attributes < 2 or (n_groups if across else n_entities) < 2:
            raise ValueError(
                f"the corpus must have two attributes and two "
                f"{'groups' if across else 'entities a group'} for such analogies"
            )
        attributes = _two_of(n_attributes, n_questions, rng)
        if across:
            groups = _two_of(n_groups, n_questions, rng)
            entities = rng.integers(n_entities, size=(n_questions, 2))
        else:
            groups = rng.integers(n_groups, size=(n_questions, 1)).repeat(2, axis=1)
            entities = _two_of(n_entities, n_questions, rng)
        return table[
            groups[:, [0, 0, 1, 1]],
            entities[:, [0, 0, 1, 1]],
            attributes[:, [0, 1, 0, 1]],
        ]


def _two_of(n, rows, rng):
    """(rows, 2) pairs of different numbers below n."""
    first = rng.integers(n, size=rows)
    return np.stack([first, (first + rng.integers(1, n, size=rows)) % n], axis=1)


def planted_corpus(
    n_tokens=1_000_000,
    *,
    n_groups=12,
    n_entities=10,
    n_attributes=4,
    n_function_words=200,
    dimensions=16,
    scale=2.2,
    noise=0.05,
    random_state,
):
    """A text drawn from word vectors that are known, by the model of Arora et al. (2016).

    A content word is an attribute of an entity of a group. Its vector is ``scale`` times
    the sum of three directions and ``noise`` times a standard normal one: base of the
    group, entity, attribute; each of expected length about 1. Function words have vectors
    of length ``scale / 5`` and no direction in common. Their log weights are the highest:
    b_w = -log(rank + 2.7). In a sentence of 20 tokens a context c moves slowly,
    c <- 0.8 c + 0.6 (standard normal), every 5 tokens; each token is drawn from
    p(w | c), which is proportional to exp(b_w + <v_w, c>).

    n_tokens is rounded up to whole sentences. Returns the `PlantedCorpus`.

    Raises TypeError or ValueError naming the argument that is no such number.
    """
    n_tokens = require_count(n_tokens, "n_tokens")
    n_groups = require_count(n_groups, "n_groups")
    n_entities = require_count(n_entities, "n_entities")
    n_attributes = require_count(n_attributes, "n_attributes")
    n_function = require_count(n_function_words, "n_function_words", minimum=0)
    dimensions = require_count(dimensions, "dimensions")
    scale = require_positive(scale, "scale")
    noise = require_not_negative(noise, "noise")
    rng = np.random.default_rng(require_count(random_state, "random_state", minimum=0))

    def directions(*shape):
        return rng.standard_normal((*shape, dimensions)) / np.sqrt(dimensions)

    shape = n_groups, n_entities, n_attributes
    content = (
        directions(n_groups)[:, None, None]
        + directions(n_groups, n_entities)[:, :, None]
        + directions(n_attributes)
        + noise * np.sqrt(dimensions) * directions(*shape)
    )
    function = directions(n_function) / 5
    vectors = scale * np.concatenate([function, content.reshape(-1, dimensions)])
    made_of = np.indices(shape).reshape(3, -1)
    made_of = np.concatenate([np.full((3, n_function), -1), made_of], axis=1)
    ranks = np.concatenate(
        [np.arange(n_function), n_function + rng.permutation(content[..., 0].size)]
    )
    log_weights = -np.log(ranks + 2.7)
    names = [f"f{i}" for i in range(n_function)]
    names += [f"g{g}e{e}a{a}" for g, e, a in made_of[:, n_function:].T]

    n_sentences = -(-n_tokens // SENTENCE)
    words = np.concatenate(
        [
            _sentences(min(2000, n_sentences - start), vectors, log_weights, rng)
            for start in range(0, n_sentences, 2000)
        ]
    )
    return PlantedCorpus(
        words.ravel(),
        np.repeat(np.arange(n_sentences), SENTENCE),
        tuple(names),
        vectors,
        log_weights,
        *made_of,
    )


def _sentences(n_sentences, vectors, log_weights, rng):
    """(n_sentences, SENTENCE) words."""
    c = rng.standard_normal((n_sentences, vectors.shape[1]))
    parts = []
    for _ in range(SENTENCE // STILL):
        weights = np.exp(c @ vectors.T + log_weights)
        heaps = weights.cumsum(axis=1)
        heaps /= heaps[:, -1:]
        # one search for all rows: row i of the heaps lies between i and i + 1
        row = np.arange(n_sentences)[:, None]
        draws = row + rng.random((n_sentences, STILL))
        place = np.searchsorted((heaps + row).ravel(), draws.ravel(), side="right")
        words = place.reshape(draws.shape) - row * len(vectors)
        parts.append(np.minimum(words, len(vectors) - 1))
        c = 0.8 * c + 0.6 * rng.standard_normal(c.shape)
    return np.concatenate(parts, axis=1)


@dataclass(frozen=True, eq=False)
class GeneratedLanguage(Corpus):
    """A `Corpus` drawn from a language whose conditional probabilities are known.

    classes, kinds: (V,) int64, the class of each word, and the kind in which neighbours
        agree.
    class_probabilities: (C, C, C), of the next class after two; kind_probabilities:
        (4, 4, 4), the same for kinds. The older of the two comes first.
    shares: (V,), the probability of a word among those of its class and kind.
    """

    classes: np.ndarray
    kinds: np.ndarray
    class_probabilities: np.ndarray
    kind_probabilities: np.ndarray
    shares: np.ndarray

    def log_probabilities(self, contexts):
        """(N, V) exact logarithms of the probabilities of every word after two others.

        contexts: (N, 2) words, the older one first. Raises TypeError or ValueError when
        they are no such words.
        """
        shape = ("N", 2)
        contexts = require_words(contexts, "contexts", len(self.vocabulary), shape)
        older, last = contexts.T
        of_class = np.log(self.class_probabilities)[
            self.classes[older], self.classes[last]
        ]
        of_kind = np.log(self.kind_probabilities)[self.kinds[older], self.kinds[last]]
        return of_class[:, self.classes] + of_kind[:, self.kinds] + np.log(self.shares)

    @cached_property
    def entropy_rate(self):
        """The mean surprise of the next word to one who knows the language, in nats; its
        exponential is the true perplexity. Exact: no text is drawn for it."""
        entropy = 0.0
        singles = []
        for conditional in (self.class_probabilities, self.kind_probabilities):
            pairs = _stationary_pairs(conditional)
            entropy -= np.sum(pairs[:, :, None] * conditional * np.log(conditional))
            singles.append(pairs.sum(axis=0))
        often = singles[0][self.classes] * singles[1][self.kinds] * self.shares
        return float(entropy - np.sum(often * np.log(self.shares)))


def generated_language(n_tokens, *, n_classes=12, n_words=60, random_state):
    """A text from a language in which the next word depends on the two before it.

    A word has a class (as a noun or a verb is one) and one of 4 kinds (as masculine
    plural is one). The next class is drawn from a softmax; its logits are the sum of a
    row for the last class and a row for the class before it, all normal numbers of
    standard deviation 1.5. The next kind is that of the last word with probability 0.7,
    that of the word before it with 0.2, else any of the four. Among the words of that
    class and kind, the one of rank r is drawn with a probability proportional to 1 / r,
    whatever went before: such words are interchangeable.

    n_words: words in a class. Returns the `GeneratedLanguage`, one long sentence.

    Raises TypeError or ValueError naming the argument that is no such number.
    """
    n_tokens = require_count(n_tokens, "n_tokens", minimum=2)
    n_classes = require_count(n_classes, "n_classes")
    n_words = require_count(n_words, "n_words", minimum=N_KINDS)
    rng = np.random.default_rng(require_count(random_state, "random_state", minimum=0))

    after_last, after_older = 1.5 * rng.standard_normal((2, n_classes, n_classes))
    next_class = softmax(after_last[None] + after_older[:, None])
    same = np.eye(N_KINDS)
    next_kind = 0.7 * same[None] + 0.2 * same[:, None] + 0.1 / N_KINDS
    classes, within = np.divmod(np.arange(n_classes * n_words), n_words)
    ranks, kinds = np.divmod(within, N_KINDS)
    families = classes * N_KINDS + kinds
    shares = 1 / (ranks + 1)
    shares /= np.bincount(families, shares)[families]

    drawn = _chain(next_class, n_tokens, rng) * N_KINDS + _chain(
        next_kind, n_tokens, rng
    )
    words = np.empty(n_tokens, dtype=np.int64)
    for family in range(n_classes * N_KINDS):
        here, own = drawn == family, np.flatnonzero(families == family)
        words[here] = rng.choice(own, size=here.sum(), p=shares[own])
    spelled = zip(classes, kinds, ranks, strict=True)
    return GeneratedLanguage(
        words,
        np.zeros(n_tokens, dtype=np.int64),
        tuple(f"c{c}k{k}r{r + 1}" for c, k, r in spelled),
        classes,
        kinds,
        next_class,
        next_kind,
        shares,
    )


def _chain(conditional, length, rng):
    """(length,) states, each drawn from its probabilities after the two before it; the
    first two as they stand in the long run."""
    n_states = len(conditional)
    pairs = _stationary_pairs(conditional)
    chain = list(divmod(int(rng.choice(pairs.size, p=pairs.ravel())), n_states))
    heaps = conditional.cumsum(axis=2)[..., :-1].tolist()
    for draw in rng.random(length - 2).tolist():
        chain.append(bisect(heaps[chain[-2]][chain[-1]], draw))
    return np.array(chain)


def _stationary_pairs(conditional):
    """(S, S) long-run probabilities of two neighbouring states, of a chain in which
    conditional[i, j] are the probabilities after i, j."""
    n_states = len(conditional)
    first, second, third = np.indices(conditional.shape).reshape(3, -1)
    moves = np.zeros((n_states**2, n_states**2))
    moves[first * n_states + second, second * n_states + third] = conditional.ravel()
    equations = np.vstack([moves.T - np.eye(len(moves)), np.ones(len(moves))])
    right = np.append(np.zeros(len(moves)), 1.0)
    return np.linalg.lstsq(equations, right)[0].reshape(n_states, n_states)


def docstring_corpus():
    """The English in the docstrings of numpy, scipy, scikit-learn, matplotlib, torch and
    sympy, as a `Corpus`; words by falling count.

    Lower-cased words of letters; lines of examples (``>>>`` and what follows it) and
    docstrings that occur a second time are dropped, and so are words that occur fewer
    than 5 times. A sentence ends at a full stop, a colon or an empty line.

    The first call reads some thousand source files, which takes most of a minute; the
    result is kept in the user's cache folder (``$XDG_CACHE_HOME`` or ``~/.cache``, under
    ``lossbook``) until a version of a package changes. The text changes with the
    versions, so do its numbers.
    """
    versions = ", ".join(f"{p} {version(p)}" for p in PACKAGES.values())
    key = hashlib.sha256((versions + Path(__file__).read_text()).encode()).hexdigest()
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    kept = base / "lossbook" / f"docstrings-{key[:16]}.npz"
    try:
        with np.load(kept, allow_pickle=False) as stored:
            parts = {name: stored[name] for name in stored.files}
        return Corpus(
            parts["words"], parts["sentences"], tuple(parts["vocabulary"].tolist())
        )
    except Exception:  # not there, or not whole: it is made again
        corpus = _corpus_of(_docstrings())
    _keep(kept, corpus)
    return corpus


def _keep(path, corpus):
    """Write the file under another name first, so that no half of it is ever read; where
    that is not allowed, do without."""
    own = path.with_name(f"{path.stem}-{os.getpid()}.npz")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(
            own,
            words=corpus.words,
            sentences=corpus.sentences,
            vocabulary=np.array(corpus.vocabulary),
        )
        os.replace(own, path)
    except OSError:
        with contextlib.suppress(OSError):
            own.unlink(missing_ok=True)


def _docstrings():
    """Every docstring of the packages, in the order of their files."""
    files = []
    for package in PACKAGES:
        for folder in find_spec(package).submodule_search_locations:
            files += sorted(Path(folder).rglob("*.py"))
    for path in tqdm(files, desc="docstrings", delay=1, leave=False):
        try:
            with warnings.catch_warnings(action="ignore"):
                tree = ast.parse(path.read_text(encoding="utf-8"))
        except (SyntaxError, UnicodeDecodeError, OSError):
            continue
        for node in ast.walk(tree):
            if isinstance(
                node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
            ):
                text = ast.get_docstring(node)
                if text:
                    yield text


def _corpus_of(texts):
    """The `Corpus` of a sequence of docstrings."""
    numbers, words, sentences, n_sentences = {}, [], [], 0
    for text in dict.fromkeys(texts):
        for sentence in _sentences_of(text):
            words += [numbers.setdefault(word, len(numbers)) for word in sentence]
            sentences += [n_sentences] * len(sentence)
            n_sentences += 1
    words, sentences = np.array(words, np.int64), np.array(sentences, np.int64)
    counts = np.bincount(words, minlength=len(numbers))
    order = np.argsort(-counts, kind="stable")
    order = order[counts[order] >= MINIMUM_COUNT]
    new = np.full(len(numbers), -1)
    new[order] = np.arange(len(order))
    spelled = list(numbers)
    words = new[words]
    return Corpus(
        words[words >= 0],
        sentences[words >= 0],
        tuple(spelled[word] for word in order),
    )


def _sentences_of(text):
    """The sentences of a docstring, each a list of its words."""
    lines, example = [], False
    for line in text.lower().splitlines():
        example = bool(line.strip()) and (example or line.lstrip().startswith(">>>"))
        lines.append("" if example else line)
    for sentence in re.split(r"[.:;!?]\s|\n\s*\n", "\n".join(lines)):
        found = re.findall(r"[a-z]+(?:'[a-z]+)?", sentence)
        if found:
            yield found
