"""What is most likely wrong with a gradient, found by making every known mistake on
purpose.

`diagnose` and its relatives, also importable from `lossbook.checks`, compare the numbers
that someone computed with the right ones and then with what each of the `HYPOTHESES`
would give, one at a time and then two at a time. Only a mistake that reproduces all the
numbers to rounding error is named.

How large is rounding error? Each answer is computed three times: as it is, and with every
probability (for a regression every score) off by one unit in the last place, up and down,
of the type that the numbers came in. 32 times what that moves an entry is allowed. An
entry that this moves by more than half its digits says nothing about a mistake and is left
out; there may be fewer of those than of the others.
"""

from dataclasses import dataclass, replace
from html import escape
from itertools import combinations, product

import numpy as np

from lossbook._validation import (
    as_list,
    as_numpy,
    finite_floats,
    require_instance,
)
from lossbook.case import Case
from lossbook.hypotheses import HYPOTHESES, Hypothesis
from lossbook.losses._base import Loss
from lossbook.training import mean_loss_and_gradients

EPS = {name: float(np.finfo(name).eps) for name in ("float32", "float64")}
ULPS = 32  # how many times the effect of one unit in the last place is rounding
ALIKE = 3  # so many other explanations are named at most
ROUNDING = 1e-8  # an error below is shown without its digits
DIGITS = 8  # what the numbers must hold in all before a pair of mistakes is believed


@dataclass(frozen=True)
class Evidence:
    """The worst entry of what was diagnosed.

    of: "gradient", "value", "weights" or "bias". where: its index. got, right: the number
        there, and the one that belongs there. error: the largest error, with nothing
        assumed. All three None where the shape is wrong.
    left: the largest error once the mistakes are assumed; None where none was found.
    """

    of: str
    where: str
    got: float | None
    right: float | None
    error: float | None
    left: float | None


@dataclass(frozen=True)
class Diagnosis:
    """What was found; shown as a sentence and a small table.

    right: whether the numbers are right to rounding error. sentence: the finding.
    hypotheses: the mistakes that together reproduce the numbers, none, one or two.
    alike: others that look the same on these inputs. evidence: a row for each array.
    """

    right: bool
    sentence: str
    hypotheses: tuple[str, ...]
    alike: tuple[str, ...]
    evidence: tuple[Evidence, ...]

    _HEADER = ("diagnosed", "worst at", "got", "right", "error", "error explained")

    def _cells(self):
        for row in self.evidence:
            # the digits of a rounding error, and its place, are the processor's
            rounding = ROUNDING * max(1.0, abs(row.right or 0.0))
            if row.error is not None and row.error < rounding:
                yield row.of, "-", "-", "-", "rounding", "none to explain"
                continue
            left = "nothing fits" if row.left is None else f"all but {row.left:.1e}"
            if row.left is not None and row.left < rounding:
                left = "all but rounding"
            yield (
                row.of,
                row.where,
                _shown(row.got, ".6g"),
                _shown(row.right, ".6g"),
                _shown(row.error, ".1e"),
                "none to explain" if self.right else left,
            )

    def __repr__(self):
        rows = [self._HEADER, *self._cells()]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]
        return "\n".join([self.sentence, *lines])

    def _repr_html_(self):
        head = "".join(f'<th scope="col">{title}</th>' for title in self._HEADER)
        rows = "".join(
            "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"
            for cells in self._cells()
        )
        return (
            f"<p>{escape(self.sentence)}</p>"
            f'<table class="gradient-check"><thead><tr>{head}</tr></thead>'
            f"<tbody>{rows}</tbody></table>"
        )


def _shown(number, digits):
    return "no such entry" if number is None else format(number, digits)


def diagnose(gradient, loss, scores, targets, *, hypotheses=None) -> Diagnosis:
    """What is most likely wrong with a gradient in the scores, in one sentence.

    gradient: what was computed, NumPy or PyTorch, float32 or float64, or lists; of any
        shape. loss: the loss of `lossbook.losses` that it should be the gradient of.
    scores, targets: what the loss takes; a few samples of every class with different
        scores tell most.
    hypotheses: the mistakes to look for, the simplest first; None for `HYPOTHESES`.

    Raises what the loss raises for such scores and targets, TypeError when loss is none
    or the gradient is not numbers, ValueError when there are no scores.
    """
    case = _case(gradient, "gradient", loss, scores, targets)
    right = loss.gradient(case.scores, case.targets)
    return _diagnosed(_Exam(case, right), _mistakes(hypotheses))


def diagnose_value(value, loss, scores, targets, *, hypotheses=None) -> Diagnosis:
    """What is most likely wrong with a value of the loss: unreduced, or one number for
    the batch.

    Arguments and errors as in `diagnose`, with the value in the gradient's place.
    """
    case = _case(value, "value", loss, scores, targets)
    right = loss.value(case.scores, case.targets)
    return _diagnosed(_Exam(case, right), _mistakes(hypotheses))


def diagnose_parameters(
    weights_gradient,
    bias_gradient,
    model,
    loss,
    features,
    targets,
    *,
    hypotheses=None,
) -> Diagnosis:
    """What is most likely wrong with the gradients of the mean loss in the parameters of a
    linear layer.

    weights_gradient, bias_gradient: what was computed, of any shape. model: a
        `lossbook.linear.Linear`. features: (N, D). targets: what the loss takes.

    Raises what the model and the loss raise, and as `diagnose` does.
    """
    features, targets = as_numpy(features, "features"), as_numpy(targets, "targets")
    right = mean_loss_and_gradients(model, loss, features, targets)[1]
    features = np.asarray(features, dtype=np.float64)
    scores, exams = model.scores(features), []
    for name, got in (("weights", weights_gradient), ("bias", bias_gradient)):
        case = _case(got, f"{name}_gradient", loss, scores, targets)
        case = replace(case, features=features)
        exams.append(_Exam(case, right[name]))
    with np.errstate(all="ignore"):
        return _together(*exams, _mistakes(hypotheses))


def _together(weights, bias, hypotheses):
    """One diagnosis of two: what explains both, where there is such a thing."""
    if not (weights.right_to() or bias.right_to()) and (
        found := _explained(weights, hypotheses, beside=bias)
    ):
        return replace(found, sentence=f"Weights and bias: {_small(found.sentence)}")
    first, second = (_diagnosed(exam, hypotheses) for exam in (weights, bias))
    sentence = f"Weights: {_small(first.sentence)} Bias: {_small(second.sentence)}"
    if first.right and second.right:
        sentence = (
            "Right: the gradients in the weights and the bias are those of the mean "
            f"{weights.case.loss}, to rounding error."
        )
    return Diagnosis(
        first.right and second.right,
        sentence,
        tuple(dict.fromkeys(first.hypotheses + second.hypotheses)),
        tuple(dict.fromkeys(first.alike + second.alike)),
        first.evidence + second.evidence,
    )


def _small(sentence):
    return sentence[0].lower() + sentence[1:]


def _mistakes(hypotheses):
    """The hypotheses, or all where there are none."""
    found = as_list(HYPOTHESES if hypotheses is None else hypotheses, "hypotheses")
    for i, hypothesis in enumerate(found):
        require_instance(hypothesis, f"hypotheses[{i}]", Hypothesis, "a Hypothesis")
    return found or HYPOTHESES


def _case(got, name, loss, scores, targets):
    if not isinstance(loss, Loss):
        raise TypeError(f"loss must be a loss of lossbook.losses, got {loss!r:.60}")
    scores = finite_floats(as_numpy(scores, "scores"), "scores").astype(np.float64)
    targets = as_numpy(targets, "targets")
    if scores.size == 0:
        raise ValueError("scores must hold at least one number, got none")
    got = as_numpy(got, name)
    if got.dtype.kind in "iub":
        got = got.astype(np.float64)
    if got.dtype.name not in EPS:
        raise TypeError(f"{name} must be float32 or float64, got {got.dtype}")
    scores, targets = loss._checked(scores, targets)
    return Case(loss, scores, targets, name.removesuffix("_gradient"), got)


@dataclass(frozen=True)
class _Attempt:
    """What a chain of mistakes would give: the numbers, their size, by type of float how
    far rounding may move them, and the type to which they fit."""

    chain: tuple
    numbers: np.ndarray
    size: float
    room: dict
    type: str | None = None

    @property
    def names(self):
        return tuple(hypothesis.mistake for hypothesis in self.chain)

    def times(self, factor):
        """The same, every number times a factor, which was itself found from numbers."""
        size = abs(factor)
        room = {name: 2 * size * room for name, room in self.room.items()}
        return _Attempt(self.chain, factor * self.numbers, size * self.size, room)


class _Exam:
    """The numbers of a case, held against what mistakes would make of it.

    right: what they should be.
    """

    def __init__(self, case, right):
        self.case, self.right = case, np.asarray(right, dtype=np.float64)
        self.got = np.asarray(case.got, dtype=np.float64)
        self.finite = np.isfinite(self.got)
        self.same_shape = self.got.shape == self.right.shape
        # numbers that came as float64 may have been computed in float32
        self.types = ["float64", "float32"][case.got.dtype == np.float32 :]
        with np.errstate(all="ignore"):
            self.rounding = self._rounding()

    def _rounding(self):
        """By type, how far a right computation may be off, entry by entry."""
        attempt, allowed = self.attempt(()), {}
        for name, epsilon in EPS.items():
            size = np.maximum(attempt.size, np.abs(self.right))
            floor = ULPS * epsilon * np.abs(self.right) + np.finfo(name).tiny
            # p itself, about one, is off by its rounding, however small p - y may be
            least = 0 if self.case.kind == "regression" else ULPS * epsilon
            most = max(np.sqrt(epsilon) * np.max(size, initial=0), least)
            room = np.fmin(attempt.room[name], most)
            allowed[name] = np.fmax(room, floor)
            if self.case.kind == "regression":  # any slope at a kink
                either = attempt.room[name] / (2 * ULPS)
                allowed[name] = np.fmax(allowed[name], either)
        return allowed

    def numbers(self, chain):
        """What making these mistakes one after the other gives; None where they cannot
        be made."""
        made = self._made(chain)
        return None if made is None else self._result(made)

    def attempt(self, chain):
        """The `_Attempt` of mistakes that can be made."""
        made = self._made(chain)
        size = self._result(made, np.abs(made.numbers))
        room = {name: self._room(chain, made, name) for name in EPS}
        largest = float(np.max(np.abs(size), initial=0, where=np.isfinite(size)))
        return _Attempt(chain, self._result(made), largest, room)

    def _made(self, chain, jitter=0.0):
        case = replace(self.case, jitter=jitter)
        for hypothesis in chain:
            case = hypothesis.apply(case)
            if case is None:
                return None
        return case

    def _result(self, made, numbers=None):
        """What comes out, None where the shapes do not fit; for given numbers, with all
        features positive, so that nothing cancels."""
        features = self.case.features
        if numbers is not None and features is not None:
            features = np.abs(features)
        try:
            return made.result(numbers, features)
        except (ArithmeticError, IndexError, TypeError, ValueError):
            return None

    def near(self, numbers, size=0.0, where=True):
        """Whether at least half of the numbers are not far off. size: of what was added
        up to them."""
        counts = self.finite & where
        if numbers is None or numbers.shape != self.got.shape or not counts.any():
            return False
        numbers = numbers[counts]
        error = np.sort(np.abs(self.got[counts] - numbers))
        far = 1e-2 * np.max(np.abs(numbers)) + 1e-6 * size
        return error[(error.size - 1) // 2] <= far

    def made_near(self, made, where=True):
        """Whether what comes of mistakes is near to the numbers."""
        if made is None:
            return False
        size = np.max(np.abs(made.numbers), initial=0)
        return self.near(self._result(made), size, where)

    def _room(self, chain, made, name):
        """How far rounding may move the result, from one unit in the last place of the
        probabilities."""
        epsilon, numbers = EPS[name], made.numbers
        spread = epsilon * np.abs(numbers)
        for jitter in (epsilon, -epsilon):
            moved = self._made(chain, jitter)
            spread = spread + np.abs(moved.numbers - numbers)
        spread = np.where(np.isnan(spread), np.inf, spread)
        room = ULPS * np.abs(self._result(made, spread))
        return room if self.case.features is None else np.max(room) + 0 * room

    def fitted(self, attempt, where=True):
        """The attempt with the finest type whose rounding error explains what is left;
        None if none does."""
        error = np.abs(self.got - attempt.numbers)
        for name in self.types:
            tells = self._tells(attempt, name) & where
            if 2 * tells.sum() <= (self.finite & where).sum():
                continue
            if self.same_shape and not np.any(tells & ~self.good()):
                continue
            if np.all(error[tells] <= attempt.room[name][tells]):
                return replace(attempt, type=name)
        return None

    def _tells(self, attempt, name):
        """The entries where rounding leaves half the digits."""
        least = np.sqrt(EPS[name]) * attempt.size
        return self.finite & (attempt.room[name] <= least)

    def left(self, attempt):
        """The largest error that an attempt leaves."""
        return float(np.max(np.abs(self.got - attempt.numbers)[self.finite]))

    def tells_pairs_apart(self, attempt):
        """Whether the numbers hold enough digits to believe in a pair of mistakes."""
        name = attempt.type
        tells = self._tells(attempt, name)
        size = np.fmax(np.abs(attempt.numbers), attempt.size * np.sqrt(EPS[name]))[
            tells
        ]
        room = np.fmax(attempt.room[name][tells], EPS[name] * size)
        _, distinct = np.unique(np.float32(self.got[tells]), return_index=True)
        return np.sum(np.log10(size / room)[distinct]) >= DIGITS

    def right_to(self, where=True):
        """The finest type to whose rounding error the numbers are right; None if they
        are not."""
        if not self.same_shape:
            return None
        for name in self.types:
            if np.all(self.good(name)[np.broadcast_to(where, self.got.shape)]):
                return name
        return None

    def good(self, name=None):
        """Which entries are right to rounding error."""
        error = np.abs(self.got - self.right)
        return self.finite & (error <= self.rounding[name or self.types[-1]])

    def singles(self, hypotheses, where=True):
        """The attempts with one mistake that fit, those to the finest type first."""
        return self._fitting(((h,) for h in hypotheses), where)

    def pairs(self, hypotheses):
        """The attempts with two, in either order."""
        alone = {h: h.apply(self.case) for h in hypotheses}
        able = [h for h, made in alone.items() if made is not None]
        chains = []
        for pair in combinations(able, 2):
            for first, second in (pair, pair[::-1]):
                # an answer that is given already would hide a piece that is changed
                if alone[first].answer is not None and alone[second].answer is None:
                    continue
                if self.made_near(second.apply(alone[first])):
                    chains.append((first, second))
        return self._fitting(chains)

    def same(self, names, hypotheses, factor=1.0):
        """The attempt with mistakes of these names, times a factor, if it fits."""
        chain = []
        for name in names:
            able = [h for h in hypotheses if h.mistake == name and h.apply(self.case)]
            chain += able[:1]
        numbers = self.numbers(chain)
        if len(chain) < len(names) or numbers is None:
            return None
        if numbers.shape != self.got.shape:
            return None
        return self.fitted(self.attempt(tuple(chain)).times(factor))

    def _fitting(self, chains, where=True):
        found = []
        for chain in chains:
            if self.made_near(self._made(chain), where):
                attempt = self.fitted(self.attempt(chain), where)
                found += [attempt] if attempt else []
        finest = min((self.types.index(attempt.type) for attempt in found), default=0)
        return [a for a in found if a.type == self.types[finest]]


def _diagnosed(exam, hypotheses):
    with np.errstate(all="ignore"):
        name = exam.right_to()
        if name is not None:
            return _found_right(exam, name, hypotheses)
        if not exam.finite.all():
            return _not_finite(exam, hypotheses)
        found = _explained(exam, hypotheses)
        return found or _local(exam, hypotheses) or _unexplained(exam)


def _found_right(exam, name, hypotheses):
    alike = _names(exam, hypotheses)
    sentence = f"Right: it is the {_named(exam)}, to rounding error."
    if name == "float32" and "float64" in exam.types:
        sentence = (
            f"Right, to the precision of float32: it is the {_named(exam)}, and what is "
            "left is rounding."
        )
    if not exam.right.any():
        sentence += (
            " But every entry is 0 here, and with a wrong sign or factor it would be too:"
            " take other scores."
        )
    return _diagnosis(exam, sentence, right=True, alike=alike)


def _names(exam, hypotheses):
    """The single mistakes that nobody could see in these numbers."""
    names = []
    for hypothesis in hypotheses:
        numbers = exam.numbers((hypothesis,))
        if numbers is not None and numbers.shape == exam.right.shape:
            error = np.abs(numbers - exam.right)
            if np.all(error <= exam.rounding["float64"]):
                names.append(hypothesis.mistake)
    return tuple(dict.fromkeys(names))


def _named(exam):
    loss, of = str(exam.case.loss), exam.case.of
    if of in ("gradient", "value"):
        return f"{of} of {loss}"
    return f"gradient of the mean {loss} in the {of}"


def _explained(exam, hypotheses, beside=None):
    """One mistake that fits, or two, or one and a factor; None when there is none.

    beside: another exam, which it must fit too.
    """

    def fit_beside(attempt, factor=1.0):
        return beside is None or beside.same(attempt.names, hypotheses, factor)

    if singles := list(filter(fit_beside, exam.singles(hypotheses))):
        return _with_mistakes(exam, singles, hypotheses, beside)
    pairs = list(filter(fit_beside, exam.pairs(hypotheses)))
    if clear := list(filter(exam.tells_pairs_apart, pairs)):
        return _with_mistakes(exam, clear, hypotheses, beside)
    for attempt, factor in _scaled(exam, hypotheses):
        if not fit_beside(attempt, factor):
            continue
        mistake = f"every entry is multiplied by {_written(factor, exam)}"
        return _with_mistakes(exam, [attempt], hypotheses, beside, factor, (mistake,))
    if pairs and beside is None:
        one, other = pairs[0].names
        sentence = (
            "These numbers cannot tell: no one mistake fits, and two would, for example "
            f"{one}, and {other}, but so few digits fit by chance. Take more samples."
        )
        return _diagnosis(exam, sentence)
    return None


def _with_mistakes(exam, attempts, hypotheses, beside, factor=1.0, more=()):
    first, alike = attempts[0], _alike(attempts)
    names = first.names + more
    if not more and all(h.reduction for h in first.chain):
        sentence = f"Right but for the reduction: {'; and '.join(names)}."
    elif len(names) > 1:
        sentence = f"Most likely two mistakes: {'; and '.join(names)}."
    elif more:
        sentence = f"Right but for a factor: {names[0]}."
    else:
        sentence = f"Most likely one mistake: {names[0]}."
    if alike:
        several = "; or ".join(alike[:ALIKE])
        sentence += f" On these numbers this would look the same: {several}."
    found = _diagnosis(exam, sentence, names, alike, exam.left(first))
    if beside is None:
        return found
    left = beside.left(beside.same(first.names, hypotheses, factor))
    other = _diagnosis(beside, sentence, left=left)
    return replace(found, evidence=found.evidence + other.evidence)


def _alike(attempts):
    """The names of all attempts after the first that are not the same in other words: in
    the other order, or with another detail after a comma."""
    alike = {}
    for attempt in attempts:
        heads = frozenset(name.partition(",")[0] for name in attempt.names)
        alike.setdefault(heads, ", and ".join(attempt.names))
    return tuple(alike.values())[1:]


def _scaled(exam, hypotheses):
    """The right numbers, and those of one mistake, times a factor that is in no table,
    with the factor."""
    for chain in [(), *((h,) for h in hypotheses)]:
        numbers = exam.numbers(chain)
        if numbers is None or numbers.shape != exam.got.shape:
            continue
        if len(np.unique(np.float32(np.abs(numbers[numbers != 0])))) < 3:
            continue
        counts = exam.finite & np.isfinite(numbers)
        factor = np.sum((exam.got * numbers)[counts]) / np.sum(numbers[counts] ** 2)
        if factor == 0 or not exam.near(factor * numbers):
            continue
        attempt = exam.fitted(exam.attempt(chain).times(factor))
        if attempt is not None and exam.tells_pairs_apart(attempt):
            yield attempt, factor


def _written(factor, exam):
    """A factor in terms of 2, N and C where it can be, else in digits."""
    case, sign = exam.case, "-" if factor < 0 else ""
    powers = product((0, 1, -1), (0, 1, -1, -2), (0, 1, -1))
    for two, n, c in sorted(powers, key=lambda powers: sum(map(abs, powers))):
        if c and case.kind == "regression":
            continue
        known = 2.0**two * float(case.n) ** n * float(case.n_classes) ** c
        if abs(abs(factor) / known - 1) < ULPS * EPS[exam.types[-1]]:
            names = list(zip(("2", "N", "C"), (two, n, c), strict=True))
            above = " ".join(name for name, power in names if power > 0) or "1"
            below = " ".join(
                " ".join(-power * [name]) for name, power in names if power < 0
            )
            below = f"({below})" if " " in below else below
            return f"{sign}{above}" + (f" / {below}" if below else "")
    return f"{factor:.6g}"


def _not_finite(exam, hypotheses):
    """Where NaN or infinity stands, why, and what of the rest."""
    bad = np.argwhere(~exam.finite)
    first = tuple(bad[0].tolist())
    are = "is" if len(bad) == 1 else "are"
    entries = f"{len(bad)} of {exam.got.size} entries {are} not finite"
    sentence = f"{entries}, the first {exam.got[first]} at {list(first)}{_reason(exam, first)}."
    mistakes, alike, left = (), (), None
    if exam.finite.any():
        if exam.right_to(exam.finite):
            sentence += " The other entries are right."
            left = float(np.max(np.abs(exam.got - exam.right)[exam.finite]))
        elif found := _explained(exam, hypotheses):
            mistakes, alike = found.hypotheses, found.alike
            left = found.evidence[0].left
            sentence += f" As to the other entries: {_small(found.sentence)}"
        else:
            sentence += " The other entries are wrong too, and no known mistake fits."
    return _diagnosis(exam, sentence, mistakes, alike, left, worst=first)


def _reason(exam, index):
    """Why an entry may have become infinite or NaN."""
    case, dtype = exam.case, exam.case.got.dtype
    if not exam.same_shape or case.features is not None:
        return ""
    place = index[: case.targets.ndim]
    scores, target = case.scores[place], case.targets[place]
    shown = np.array2string(scores, precision=4)
    at = f", where the score is {shown} and the target {target:g}"
    if case.kind == "regression":
        return at + (": 0 / 0, where the two are equal" if scores == target else "")
    if np.max(np.abs(scores)) > np.log(np.finfo(dtype).max):
        return f"{at}: exp of such a number overflows in {dtype}, exp of minus it is 0"
    p = case.p[place].astype(dtype)
    if np.any((p == 0) | (p == 1)):
        return (
            f"{at}: there the probability is 0 or 1 in {dtype}, and a logarithm or a "
            "quotient of it is infinite; compute from the score"
        )
    return f"{at}: look for 0 / 0 and for the logarithm of 0 or less"


def _local(exam, hypotheses):
    """What is wrong in a part of the numbers, where the others are right."""
    case, good = exam.case, exam.good() if exam.same_shape else np.array(False)
    if not good.any() or case.features is not None:
        return None
    return (
        _in_the_tail(exam, good, 8.0 if case.kind != "regression" else 0.0)
        or _in_a_class(exam, good, hypotheses)
        or _in_the_tail(exam, good, 0.0)
    )


def _spread_out(exam, per_sample):
    """Something of each sample, in the shape of the numbers."""
    extra = exam.got.ndim - np.ndim(per_sample)
    return np.broadcast_to(
        np.reshape(per_sample, np.shape(per_sample) + (1,) * extra), exam.got.shape
    )


def _in_the_tail(exam, good, least):
    """Right up to some distance, wrong beyond it."""
    case = exam.case
    if case.kind == "regression":
        distances = {"the size of the residual": np.abs(case.residual)}
    elif case.kind == "sigmoid":
        lean = (1 - 2 * case.y) * case.z
        distances = {
            "the size of the score": np.abs(lean),
            "how far the score leans to the wrong side": lean,
            "how far the score leans to the right side": -lean,
        }
    else:
        true = np.sum(case.y * case.z, axis=-1, keepdims=True)
        lead = np.max(np.where(case.y == 1, -np.inf, case.z), axis=-1) - true[..., 0]
        distances = {
            "the score's distance from the best other one": np.abs(lead),
            "how far the best other score is ahead": lead,
            "how far the true score is ahead": -lead,
        }
    for name, distance in distances.items():
        distance = _spread_out(exam, distance)
        near, far = distance[good], distance[~good]
        several = good.sum() > 1 and (far.size > 1 or far.min() >= 8)
        if several and near.max() < far.min() and far.min() >= least:
            hint = ""
            if case.kind != "regression" and far.min() >= 8:
                hint = (
                    ", as when a probability is clamped, or rounded to 0 or 1; compute "
                    "from the score"
                )
            sentence = (
                f"Right where {name} is at most {near.max():.4g}, and wrong in the tail, "
                f"from {far.min():.4g} on{hint}."
            )
            return _diagnosis(exam, sentence)
    return None


def _in_a_class(exam, good, hypotheses):
    """Right for some targets, wrong for others."""
    case = exam.case
    if case.kind == "regression":
        return None
    targets = _spread_out(exam, case.targets)
    wrong_ones = np.unique(targets[~good])
    where = np.isin(targets, wrong_ones)
    if where.all() or 2 * (where & ~good).sum() < where.sum():
        return None
    classes = ", ".join(f"{t:g}" for t in wrong_ones)
    start = f"Right but for the samples of class {classes}"
    if singles := exam.singles(hypotheses, where):
        name = singles[0].names[0]
        left = float(np.max(np.abs(exam.got - singles[0].numbers)[where]))
        return _diagnosis(exam, f"{start}: there {name}.", (name,), left=left)
    return _diagnosis(exam, f"{start}: there no known mistake fits.")


def _unexplained(exam):
    shape, expected = exam.got.shape, exam.right.shape
    if not exam.same_shape:
        numbers = "no known mistake gives these numbers"
        if exam.got.size == exam.right.size:
            off = np.abs(exam.got.ravel() - exam.right.ravel())
            if np.all(off <= np.ravel(exam.rounding[exam.types[-1]])):
                numbers = "its numbers, in their order, are right"
        return _diagnosis(
            exam, f"The shape is {shape}, it should be {expected}; {numbers}."
        )
    wrong, size = int((~exam.good()).sum()), exam.got.size
    sentence = f"Not right, and no known mistake fits: {wrong} of {size} entries wrong."
    if wrong < size:
        sentence = f"Right but for {wrong} of {size} entries; no known mistake fits."
    return _diagnosis(exam, sentence)


def _diagnosis(
    exam, sentence, hypotheses=(), alike=(), left=None, right=False, worst=None
):
    where = f"shape {exam.got.shape}, not {exam.right.shape}"
    evidence = Evidence(exam.case.of, where, None, None, None, left)
    if exam.same_shape and exam.got.size:
        error = np.abs(exam.got - exam.right)
        if worst is None:
            worst = np.unravel_index(
                np.argmax(np.where(exam.finite, error, -1)), error.shape
            )
        place = list(map(int, worst))
        largest = float(np.max(error[exam.finite])) if exam.finite.any() else None
        evidence = Evidence(
            exam.case.of,
            str(place) if place else "the one number",
            float(exam.got[worst]),
            float(exam.right[worst]),
            largest,
            largest if right else left,
        )
    return Diagnosis(right, sentence, tuple(hypotheses), tuple(alike), (evidence,))
