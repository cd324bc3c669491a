"""Is the gradient right? The closed form against PyTorch autograd, against differences,
and against its derivation.

Every comparison states the error it allows and where that number comes from:

- Two float64 computations of the same gradient differ by rounding alone. Each of the
  few dozen operations in either one is off by at most half a unit in the last place of
  its result, so 64 units in the last place of the largest number involved are allowed
  (``64 * 2**-52 * max(1, |scores|, |targets|, |gradient|)``), about 1e-14 for numbers
  of order one. The mistakes that people make (a sign, a factor, a missing term) are
  larger by ten orders of magnitude.
- A central difference with step h has two errors of its own: rounding of the loss,
  divided by h, and the curvature that it ignores, which is estimated by taking the step
  twice as long. Six times their sum is allowed, entry by entry.
- Where the loss has a kink within the step, no difference quotient tends to a
  derivative. Any slope between the one on the left and the one on the right is then a
  subgradient, and is accepted.

`lossbook.diagnosis.diagnose`, which is importable from here too, says what is wrong with
a gradient that somebody computed.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from html import escape

import numpy as np

from lossbook._validation import (
    as_numpy,
    float_numpy,
    require_able,
    require_callable,
)
from lossbook.diagnosis import (  # noqa: F401 (what is wrong belongs with what is right)
    diagnose,
    diagnose_parameters,
    diagnose_value,
)
from lossbook.training import OF_A_MODEL, mean_loss_and_gradients

EPS = np.finfo(np.float64).eps
# Smaller errors come from rounding, and the processor decides on their digits.
ROUNDING = 1e-8


@dataclass(frozen=True)
class Agreement:
    """One comparison: what was compared with what, and how far apart the two were at
    the worst entry.

    absolute: the largest error; if any entry differs, the largest among those that do.
    where: the entry at which it was. allowed: the absolute error allowed there.
    relative: the largest relative error over all entries.
    agrees: whether every entry is within what is allowed.
    """

    compared: str
    against: str
    absolute: float
    relative: float
    allowed: float
    where: str
    agrees: bool


@dataclass(frozen=True)
class GradientCheck:
    """The comparisons of one check; shown as a table in a notebook. ``agrees`` is True
    when all of them do.

    The table shows only what is the same on every machine: what is allowed as a power
    of ten, and so the error too where it may come from rounding.
    """

    rows: tuple[Agreement, ...]

    @property
    def agrees(self) -> bool:
        """Whether every comparison agrees."""
        return all(row.agrees for row in self.rows)

    _HEADER = (
        "compared",
        "against",
        "verdict",
        "largest error",
        "relative",
        "allowed",
        "worst at",
    )

    def _cells(self):
        for row in self.rows:
            allowed = f"{10 ** np.ceil(np.log10(row.allowed)):.0e}"
            if row.agrees and row.absolute < ROUNDING:
                error, relative, where = f"< {allowed}", "-", "-"
            else:
                error, relative = f"{row.absolute:.1e}", f"{row.relative:.1e}"
                where = row.where
            verdict = "agrees" if row.agrees else "DIFFERS"
            yield row.compared, row.against, verdict, error, relative, allowed, where

    def _repr_html_(self):
        head = "".join(f'<th scope="col">{title}</th>' for title in self._HEADER)
        rows = "".join(
            "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"
            for cells in self._cells()
        )
        return f'<table class="gradient-check"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'

    def __repr__(self):
        rows = [self._HEADER, *self._cells()]
        widths = [
            max(len(row[column]) for row in rows) for column in range(len(self._HEADER))
        ]
        return "\n".join(
            "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip()
            for row in rows
        )


def check_gradient(
    loss, scores, targets, *, reference: Callable | None = None
) -> GradientCheck:
    """Compare ``loss.gradient`` with PyTorch autograd, with central differences, and
    with the loss's derivation.

    loss: a loss of `lossbook.losses`. scores, targets: what it takes, arrays or lists;
        the scores are taken as float64.
    reference: PyTorch's own loss, unreduced, such as
        ``torch.nn.MSELoss(reduction="none")``; autograd then runs through it, and the
        values are compared as well. Without it autograd runs through ``loss.value``.

    Raises what the loss raises for such scores and targets, and ValueError when there
    are none.
    """
    require_able(loss, "loss", "a loss", "value_and_gradient", "derivation")
    if reference is not None:
        require_callable(reference, "reference")
    scores, targets = float_numpy(scores, "scores"), as_numpy(targets, "targets")
    if scores.size == 0:
        raise ValueError("scores must hold at least one number, got none")
    value, gradient = loss.value_and_gradient(scores, targets)
    elementwise = value.shape == scores.shape
    if elementwise:  # PyTorch wants floats
        targets = targets.astype(np.float64)
        entries = zip(scores.ravel(), targets.ravel(), strict=True)
        places = samples = [f"score {s:.4g}, target {t:.4g}" for s, t in entries]
    else:
        samples = [f"sample {list(index)}" for index in np.ndindex(value.shape)]
        places = [f"scores{list(index)}" for index in np.ndindex(scores.shape)]

    reference_value, autograd = _autograd(
        reference or loss.value, scores, targets, value.shape
    )
    through = f"autograd of {_name(reference)}" if reference else "autograd of value"
    differences, allowed = _score_differences(
        loss, scores, targets, gradient, elementwise
    )
    derived = _derived(loss, scores, targets)
    rounding = _rounding(scores, targets, gradient)
    rows = [
        _agreement("gradient", through, gradient, autograd, rounding, places),
        _agreement(
            "gradient", "central differences", gradient, differences, allowed, places
        ),
        _agreement("gradient", "derivation", gradient, derived, rounding, places),
    ]
    if reference is not None:
        rounding = _rounding(scores, targets, value)
        against = _name(reference), value, reference_value, rounding, samples
        rows.insert(0, _agreement("value", *against))
    return GradientCheck(tuple(rows))


def check_parameter_gradients(
    model, loss, features, targets, *, reference: Callable | None = None
) -> GradientCheck:
    """Compare the gradients of the mean loss in every parameter of a model with
    autograd and central differences.

    model: a `lossbook.linear.Linear` or another model with ``scores`` and
        ``gradients``. features: (N, D).
    targets: what the loss asks for. reference: as in `check_gradient`.

    Raises what the model and the loss raise for such features and targets.
    """
    import torch

    if reference is not None:
        require_callable(reference, "reference")
    require_able(model, "model", "a model", *OF_A_MODEL)
    features, targets = as_numpy(features, "features"), as_numpy(targets, "targets")
    # copies, since PyTorch does not read an array backwards
    features = np.array(features, np.float64 if features.dtype.kind == "f" else None)
    targets = np.array(targets)
    mean, gradients = mean_loss_and_gradients(model, loss, features, targets)
    if not np.isfinite(mean):
        raise ValueError(f"model must have a finite mean loss, got {mean}")
    tensors = {
        name: torch.tensor(np.asarray(p), dtype=torch.float64, requires_grad=True)
        for name, p in model.parameters.items()
    }
    inputs, aims = torch.as_tensor(features), torch.as_tensor(targets)
    scores = replace(model, **tensors).scores(inputs)
    if aims.shape == scores.shape:  # elementwise: PyTorch wants floats
        aims = aims.to(torch.float64)
    shape = tuple(loss.value(scores.detach(), aims).shape)
    values = _called(reference or loss.value, scores, aims, shape)
    (values.sum() / len(scores)).backward()
    through = f"autograd of {_name(reference)}" if reference else "autograd of value"
    sizes = features, targets, model.scores(features)
    rows = []
    for name, parameter in model.parameters.items():
        parameter = np.asarray(parameter, dtype=np.float64)
        gradient = np.asarray(gradients[name])
        places = [
            f"{name}{list(index) if index else ''}"
            for index in np.ndindex(parameter.shape)
        ]
        autograd = tensors[name].grad.numpy()
        rounding = _rounding(*sizes, gradient)
        rows.append(_agreement(name, through, gradient, autograd, rounding, places))
        nearest, allowed = _parameter_differences(
            model, loss, features, targets, name, parameter, gradient
        )
        rows.append(
            _agreement(name, "central differences", gradient, nearest, allowed, places)
        )
    return GradientCheck(tuple(rows))


def _parameter_differences(model, loss, features, targets, name, parameter, gradient):
    nearest, allowed = np.empty_like(parameter), np.empty_like(parameter)
    for index in np.ndindex(parameter.shape):

        def mean_loss(entry, index=index):
            moved = parameter.copy()
            moved[index] = entry
            changed = replace(model, **{name: moved})
            return mean_loss_and_gradients(changed, loss, features, targets)[0]

        nearest[index], allowed[index] = _differences(
            mean_loss, parameter[index], gradient[index]
        )
    return nearest, allowed


def _differences(f, x, gradient):
    """(the slope of f at x that is nearest to ``gradient`` among those that differences
    allow, the error allowed).

    Elementwise: entry i of f(x) depends on entry i of x alone.
    """
    h = EPS ** (1 / 3) * np.maximum(1.0, np.abs(x))
    h = (x + h) - x  # a step that float64 holds exactly
    middle, left, right = f(x), f(x - h), f(x + h)
    slope = (right - left) / (2 * h)
    slope_of_twice = (f(x + 2 * h) - f(x - 2 * h)) / (4 * h)
    rounding = EPS * (np.abs(middle) + np.abs(x * gradient) + 1) / h
    allowed = 6 * (rounding + np.abs(slope - slope_of_twice))
    before, after = (middle - left) / h, (right - middle) / h
    gap = np.abs(after - before)
    gap_of_half = np.abs(f(x + h / 2) - 2 * middle + f(x - h / 2)) / (h / 2)
    # for a smooth loss, half the step is half the gap
    kink = (gap_of_half > 0.6 * gap) & (gap > 100 * rounding)
    between = np.clip(gradient, np.minimum(before, after), np.maximum(before, after))
    return np.where(kink, between, slope), np.where(kink, 4 * rounding, allowed)


def _autograd(function, scores, targets, shape):
    """(value, gradient) of a function of PyTorch tensors, as float64 NumPy arrays; the
    value of that shape."""
    import torch

    # copies, since PyTorch does not read an array backwards
    scores, targets = torch.tensor(np.array(scores)), torch.tensor(np.array(targets))
    value = _called(function, scores.requires_grad_(), targets, shape)
    value.sum().backward()
    return value.detach().numpy(), scores.grad.numpy()


def _called(function, scores, targets, shape):
    """The unreduced loss that a reference of PyTorch gives."""
    try:
        value = function(scores, targets)
    except Exception as error:
        raise ValueError(
            f"reference must take these scores and targets, got {error!r:.200}"
        ) from error
    came = tuple(getattr(value, "shape", [type(value).__name__]))
    if came != shape:
        raise ValueError(
            f"reference must give the loss of each sample, unreduced, of shape {shape}, "
            f"got {came}"
        )
    return value


def _score_differences(loss, scores, targets, gradient, elementwise):
    """`_differences` in every score; class by class where a sample's loss depends on all
    of its scores."""
    if elementwise:
        return _differences(lambda s: loss.value(s, targets), scores, gradient)

    def in_class(c):
        def value(entries):
            moved = scores.copy()
            moved[..., c] = entries
            return loss.value(moved, targets)

        return _differences(value, scores[..., c], gradient[..., c])

    columns = [in_class(c) for c in range(scores.shape[-1])]
    return tuple(np.stack(column, axis=-1) for column in zip(*columns, strict=True))


def _derived(loss, scores, targets):
    """The gradient as the last line of the loss's derivation has it."""
    derivation = loss.derivation()
    variable = next(line.wrt for line in derivation.lines if line.wrt is not None)
    values = loss.derivation_values(targets)
    if targets.shape == scores.shape:
        return derivation.evaluate({"y": targets, **values, str(variable): scores})
    gradient, n_classes = np.empty_like(scores), scores.shape[-1]
    name, index = str(variable.base.label), str(variable.indices[0].label)
    for y in np.unique(targets):
        logits = scores[targets == y].T
        values.update({name: logits, "C": n_classes, "y": int(y) + 1})
        for i in range(n_classes):
            gradient[targets == y, i] = derivation.evaluate({**values, index: i + 1})
    return gradient


def _rounding(*arrays):
    largest = max(1.0, *(float(np.max(np.abs(array))) for array in arrays))
    return 64 * EPS * largest


def _agreement(compared, against, ours, theirs, allowed, places):
    ours, theirs = np.ravel(ours), np.ravel(theirs)
    allowed = np.broadcast_to(np.ravel(allowed), ours.shape)
    finite = np.isfinite(ours) & np.isfinite(theirs)
    error = np.abs(
        np.subtract(ours, theirs, out=np.full(ours.shape, np.inf), where=finite)
    )
    size = np.maximum(np.abs(ours), np.abs(theirs))
    relative = np.divide(error, size, out=error.copy(), where=finite & (error > 0))
    wrong = ~finite | (error > allowed)
    agrees = not wrong.any()
    worst = int(np.argmax(error if agrees else np.where(wrong, error, -1)))
    return Agreement(
        compared,
        against,
        float(error[worst]),
        float(relative.max()),
        float(allowed[worst]),
        places[worst] if error[worst] else "no difference",
        agrees,
    )


def _name(reference):
    return (
        f"torch.nn.{type(reference).__name__}"
        if hasattr(reference, "forward")
        else getattr(reference, "__name__", "the reference")
    )
