"""Live figures: a picture of a loss with sliders.

On the book's site a figure is drawn in the browser, by `book/_static/live.js` with the
formulas of `lossbook.javascript`; where scripts are off the still picture stands. In a
notebook the same sliders are ipywidgets, and NumPy and the losses themselves compute.
Both compute the same panels, and the tests compare them.

A figure is a pure function of its sliders. `panels` gives, for their values, what is
drawn, and `readout` a table of the numbers in it.
"""

import html
import io
import json
import math
import os
from dataclasses import asdict, dataclass, field, fields, replace

import matplotlib.pyplot as plt
import numpy as np

from lossbook._validation import (
    as_list,
    float_numpy,
    floats_of_shape,
    require_choice,
    require_count,
    require_dict,
    require_filled,
    require_instance,
    require_list,
    require_number,
    require_positive,
    require_text,
)
from lossbook.javascript import formula_name
from lossbook.linear import Linear
from lossbook.losses import (
    ClassBalancedLoss,
    CrossEntropy,
    LogitAdjustedLoss,
    softmax,
)
from lossbook.losses._base import Loss, SoftmaxLoss
from lossbook.plots import COLORS, DASHES, MARKERS, contour_levels
from lossbook.training import gradient_descent, mean_loss_and_gradients


@dataclass(frozen=True)
class Slider:
    """A number that the reader sets.

    name: the field of a loss, or the argument of the figure, that it is; an entry of a
        list is ``"counts[0]"``.
    low, high, value, step: its ends, where it starts, and the distance of its stops.
    label: what is written beside it; the name when it is empty.
    """

    name: str
    low: float
    high: float
    value: float
    step: float = 0.01
    label: str = ""

    def __post_init__(self):
        require_text(self.name, "name")
        require_text(self.label, "label")
        for name in ("low", "high", "value", "step"):
            require_number(getattr(self, name), name)
        if not self.low <= self.value <= self.high or self.step <= 0:
            raise ValueError(
                f"value must lie from low to high and step be positive, got {self}"
            )


@dataclass(frozen=True)
class Mark:
    """Something drawn: kind "line", "points" or "bars", its place in the book's order of
    colours, and its coordinates; a line is broken where one of them is None."""

    kind: str
    label: str
    style: int
    x: list
    y: list

    def __post_init__(self):
        require_choice(self.kind, "kind", ("line", "points", "bars"))
        require_text(self.label, "label")
        if require_count(self.style, "style", minimum=-1) >= len(COLORS):
            raise ValueError(
                f"style must be below {len(COLORS)}, the colours, got {self.style}"
            )
        if len(require_list(self.x, "x")) != len(require_list(self.y, "y")):
            raise ValueError(
                f"y must have as many entries as x, {len(self.x)}, got {len(self.y)}"
            )


@dataclass(frozen=True)
class Panel:
    """A pair of axes: ``x`` and ``y`` are (label, low, high); ``ticks`` are names for the
    places 0, 1, ... of x; ``drag`` names the sliders that a pointer moves, in x and y."""

    title: str
    x: tuple
    y: tuple
    marks: list
    ticks: list = field(default_factory=list)
    drag: list = field(default_factory=list)

    def __post_init__(self):
        require_text(self.title, "title")
        for name in ("x", "y"):
            axis = require_list(getattr(self, name), name)
            if len(axis) != 3:
                raise ValueError(f"{name} must be (label, low, high), got {axis}")
            require_text(axis[0], f"{name}[0]")
            _range(axis[1:], name)
        for name in ("ticks", "drag"):
            for i, word in enumerate(require_list(getattr(self, name), name)):
                require_text(word, f"{name}[{i}]")
        for i, mark in enumerate(require_list(self.marks, "marks")):
            require_instance(mark, f"marks[{i}]", Mark, "a Mark")


class Figure:
    """What the figures share: sliders, the still picture, the page and the notebook.

    A figure is a dataclass with the field ``sliders``. It defines ``panels(values)``, a
    list of `Panel`, ``readout(values)``, a table as ``(columns, {row: numbers})``, and
    ``specification()``, from which `live.js` computes the same two. ``values`` are the
    numbers of the sliders by name.
    """

    play = ""  # the slider that a button moves from end to end

    def values(self, **changed):
        """The numbers of the sliders by name: where they start, or as given.

        Raises TypeError or ValueError when there is no slider of a name, or it cannot
        stand at such a number.
        """
        values = {slider.name: slider.value for slider in self.sliders}
        for name in changed:
            if name not in values:
                raise ValueError(
                    f"{name} must be one of {', '.join(values)}, got {changed[name]!r}"
                )
        return self._numbers(values | changed)

    def _numbers(self, values):
        """``values`` themselves: a number for each slider, where it can stand."""
        sliders = {slider.name: slider for slider in self.sliders}
        if require_dict(values, "values").keys() != sliders.keys():
            raise ValueError(
                f"values must be for {', '.join(sliders)}, got {', '.join(values)}"
            )
        for name, slider in sliders.items():
            number = require_number(values[name], f"values[{name!r}]")
            rounding = 1e-9 * (slider.high - slider.low)  # of low + n steps
            if not slider.low - rounding <= number <= slider.high + rounding:
                raise ValueError(
                    f"values[{name!r}] must be from {slider.low} to {slider.high}, "
                    f"got {number}"
                )
        return values

    def _check(self, *names):
        """Refuse sliders that are none, or without one of these names, and losses that
        are none."""
        for i, slider in enumerate(require_list(self.sliders, "sliders")):
            require_instance(slider, f"sliders[{i}]", Slider, "a Slider")
        have = [slider.name for slider in self.sliders]
        if not set(names) <= set(have) or len(set(have)) < len(have):
            raise ValueError(
                f"sliders must have different names, {', '.join(names)} among them, "
                f"got {', '.join(have)}"
            )
        if hasattr(self, "losses"):
            for label, loss in require_filled(self.losses, "losses").items():
                require_instance(loss, f"losses[{label!r}]", Loss, "a loss")

    def _slider(self, name):
        return next(slider for slider in self.sliders if slider.name == name)

    def draw(self, values=None):
        """The figure for these numbers of the sliders, drawn by Matplotlib."""
        panels = self.panels(self.values() if values is None else values)
        size = (5.4 if len(panels) == 1 else 4.2 * len(panels), 3.2)
        figure, axes = plt.subplots(1, len(panels), figsize=size, squeeze=False)
        for ax, panel in zip(axes[0], panels, strict=True):
            _draw_panel(ax, panel)
        return figure

    def _ipython_display_(self):
        from IPython.display import display

        if os.environ.get("LOSSBOOK_PAGE"):
            # book/_ext/live_figures.py puts the form above the picture
            bundle = {"image/svg+xml": self._picture(), "text/html": self._form()}
            display(bundle, raw=True)
        else:
            _show_widgets(self)

    def _picture(self):
        figure, file = self.draw(), io.StringIO()
        figure.savefig(file, format="svg", bbox_inches="tight", metadata={"Date": None})
        plt.close(figure)
        return file.getvalue()

    def _form(self):
        """The sliders as HTML, with the specification for `live.js` beside them."""
        controls = "".join(_slider_html(slider) for slider in self.sliders)
        if self.play:
            controls += f'<button type="button" data-play="{self.play}">Play</button>'
        data = {"kind": type(self).__name__, **self.specification()}
        return (
            f'<form class="live" aria-label="Controls of the figure" '
            f'data-panels="{len(self.panels(self.values()))}">'
            f'<div class="live-controls">{controls}'
            '<button type="reset">Reset</button></div>'
            f'<output class="live-readout">{_table(*self.readout(self.values()))}</output>'
            f'<script type="application/json">{_script_safe(data)}</script></form>'
        )


@dataclass(frozen=True)
class LossCurves(Figure):
    """Losses and their gradients over the score of one sample.

    losses: {label: elementwise loss}. A slider sets the field of its name in every loss
        that has it. sliders: one of them is called as ``over``: it moves a point along
        the curves. over: "score"; "probability", the same with the model's probability
        of the positive class along the axis; or "residual", the score of a target 0.
    targets: 0 or 1; or a slider called "target" is among the sliders.
    limits: (low, high) of the loss, and of the gradient.
    """

    losses: dict
    sliders: list
    limits: tuple
    over: str = "score"
    target: float = 1.0

    def __post_init__(self):
        require_choice(self.over, "over", ("score", "probability", "residual"))
        require_number(self.target, "target")
        self._check(self.over)
        _ranges(self.limits, "limits", 2)
        probe = self._slider(self.over)
        if self.over == "probability" and not 0 < probe.low < probe.high < 1:
            raise ValueError(
                "sliders must keep the probability above 0 and below 1, "
                f"got {probe.low} to {probe.high}"
            )

    def _scores(self, places):
        places = np.asarray(places, dtype=np.float64)
        return np.log(places / (1 - places)) if self.over == "probability" else places

    def _computed(self, places, values):
        scores = self._scores(places)
        target = values.get("target", 0 if self.over == "residual" else self.target)
        for label, loss in self.losses.items():
            targets = np.full_like(scores, target)
            loss = with_values(loss, values)
            yield label, *loss.value_and_gradient(scores, targets)

    def panels(self, values):
        self._numbers(values)
        probe = self._slider(self.over)
        places = np.linspace(probe.low, probe.high, 241)
        names = {"score": "score z", "residual": "residual ŷ − y"}
        x = names.get(self.over, "probability p"), probe.low, probe.high
        curves = list(self._computed(places, values))
        points = list(self._computed([values[self.over]], values))
        panels = []
        for which, title in enumerate(["loss", "gradient in the score"]):
            marks = []
            for style, (curve, point) in enumerate(zip(curves, points, strict=True)):
                y = curve[1 + which].tolist()
                marks.append(Mark("line", curve[0], style, places.tolist(), y))
                at = [values[self.over]], point[1 + which].tolist()
                marks.append(Mark("points", "", style, *at))
            y = title, *self.limits[which]
            panels.append(Panel(title, x, y, marks, drag=[self.over, ""]))
        return panels

    def readout(self, values):
        self._numbers(values)
        points = self._computed([values[self.over]], values)
        rows = {label: [value[0], slope[0]] for label, value, slope in points}
        return ["loss", "gradient"], rows

    def specification(self):
        return {
            "losses": [_loss_specification(*item) for item in self.losses.items()],
            "probe": asdict(self._slider(self.over)),
            "over": self.over,
            "target": 0 if self.over == "residual" else self.target,
            "limits": self.limits,
        }


# What the bars show, by the name of the same formula in JavaScript.
BARS = {
    "Softmax3.value": lambda a: softmax(np.array(a["z"], float) / a["T"]),
    "AdjustedSoftmax3.value": lambda a: softmax(
        np.array(a["z"], float) + a["tau"] * np.log(a["priors"])
    ),
    "CrossEntropy3.gradient": lambda a: CrossEntropy(a["label_smoothing"]).gradient(
        np.array(a["z"], float), int(a["y"])
    ),
    "LogitAdjustedLoss3.gradient": lambda a: LogitAdjustedLoss(
        a["priors"], a["tau"]
    ).gradient(np.array(a["z"], float), int(a["y"])),
    "ClassWeights3.value": lambda a: np.array(
        ClassBalancedLoss(CrossEntropy(), a["counts"], a["beta"]).weights
    ),
}


@dataclass(frozen=True)
class Bars(Figure):
    """A number for each of three classes, as bars.

    series: for each panel {label: name}, with the name one of `BARS`, or a pair of it and
        of arguments that this series has for itself. sliders: the arguments ("z[0]",
        "T", "counts[0]", ...); with counts there are also priors, their shares. fixed:
        arguments without a slider. titles, limits: one for each panel.
    """

    series: list
    sliders: list
    titles: list
    limits: list
    fixed: dict = field(default_factory=dict)
    classes: tuple = ("class 0", "class 1", "class 2")

    def __post_init__(self):
        self._check()
        require_dict(self.fixed, "fixed")
        n_panels = len(require_list(self.series, "series"))
        for i, series in enumerate(self.series):
            for label, entry in require_dict(series, f"series[{i}]").items():
                called = f"series[{i}][{label!r}]"
                parts = (
                    [entry] if isinstance(entry, str) else require_list(entry, called)
                )
                require_choice(parts[0] if parts else None, called, BARS)
                require_dict(parts[1] if len(parts) > 1 else {}, called)
        for name in ("titles", "classes"):
            for i, title in enumerate(require_list(getattr(self, name), name)):
                require_text(title, f"{name}[{i}]")
        if len(self.titles) != n_panels or len(self.classes) != 3:
            raise ValueError(
                f"titles must be {n_panels}, as many as series, and classes 3, "
                f"got {len(self.titles)} and {len(self.classes)}"
            )
        _ranges(self.limits, "limits", n_panels)

    def _computed(self, series, values):
        for label, entry in series.items():
            name, own = (entry, {}) if isinstance(entry, str) else entry
            yield label, BARS[name](gathered(self.fixed | values | own)).tolist()

    def panels(self, values):
        self._numbers(values)
        panels = []
        for series, title, limits in zip(
            self.series, self.titles, self.limits, strict=True
        ):
            width = 0.8 / len(series)
            marks = []
            for style, (label, heights) in enumerate(self._computed(series, values)):
                shift = width * (style + 0.5) - 0.4
                places = [c + shift for c in range(len(heights))]
                marks.append(Mark("bars", label, style, places, heights))
            x = "", -0.6, len(self.classes) - 0.4
            panels.append(
                Panel(title, x, (title, *limits), marks, ticks=list(self.classes))
            )
        return panels

    def readout(self, values):
        self._numbers(values)
        rows = {}
        for series in self.series:
            rows |= dict(self._computed(series, values))
        return list(self.classes), rows

    def specification(self):
        series = [
            [
                {"label": label, "formula": entry, "own": {}}
                if isinstance(entry, str)
                else {"label": label, "formula": entry[0], "own": entry[1]}
                for label, entry in panel.items()
            ]
            for panel in self.series
        ]
        return {
            "series": series,
            "titles": self.titles,
            "limits": self.limits,
            "fixed": self.fixed,
            "classes": self.classes,
        }


class LineFigure(Figure):
    """A figure of samples of a line: the fields ``features`` (N, 1) and ``targets`` (N,)."""

    def _check(self, *names):
        super()._check(*names)
        features = float_numpy(self.features, "features", ndim=2)
        if features.shape[1] != 1 or len(features) == 0:
            raise ValueError(f"features must have shape (N, 1), got {features.shape}")
        targets = float_numpy(self.targets, "targets")
        floats_of_shape(targets, "targets", features.shape[:1])
        object.__setattr__(self, "features", features)
        object.__setattr__(self, "targets", targets)

    def _data(self):
        """Features and targets, with the digits that the page has."""
        return np.round(self.features, 3), np.round(self.targets, 3)


@dataclass(frozen=True)
class TiltedLine(LineFigure):
    """A straight line through samples, and what each loss thinks of its slope.

    features (N, 1), targets (N,): the samples. losses: {label: regression loss}.
    sliders: two of them are called "weight" and "bias".
    limits: (low, high) of the feature, of the target and of the mean loss.
    """

    features: np.ndarray
    targets: np.ndarray
    losses: dict
    sliders: list
    limits: tuple

    def __post_init__(self):
        self._check("weight", "bias")
        _ranges(self.limits, "limits", 3)

    def _model(self, values):
        return Linear([values["weight"]], values["bias"])

    def _computed(self, model, values):
        data = self._data()
        for label, loss in self.losses.items():
            mean, slopes = mean_loss_and_gradients(
                model, with_values(loss, values), *data
            )
            yield label, mean, float(slopes["weights"][0]), float(slopes["bias"])

    def panels(self, values):
        self._numbers(values)
        (low, high), target, height = self.limits
        features, y = self._data()
        x = features[:, 0]
        weight, bias = values["weight"], values["bias"]
        predictions = (weight * x + bias).tolist()
        pairs = zip(x.tolist(), y.tolist(), predictions, strict=True)
        residuals = [(a, b, c) for a, b, c in pairs]
        broken_x = [u for a, _, _ in residuals for u in (a, a, None)]
        broken_y = [u for _, b, c in residuals for u in (b, c, None)]
        fit = [
            Mark("points", "samples", 4, x.tolist(), y.tolist()),
            Mark("line", "residuals", 3, broken_x, broken_y),
            Mark(
                "line",
                "the line",
                4,
                [low, high],
                [weight * low + bias, weight * high + bias],
            ),
        ]
        slider = self._slider("weight")
        slopes = np.linspace(slider.low, slider.high, 81).tolist()
        columns = [
            list(self._computed(Linear([w], bias), values)) for w in slopes
        ]  # a column for each slope, a row for each loss
        reach = (slider.high - slider.low) / 8
        curves = []
        for style, (label, mean, slope, _) in enumerate(
            self._computed(self._model(values), values)
        ):
            means = [column[style][1] for column in columns]
            curves.append(Mark("line", label, style, slopes, means))
            ends = [weight - reach, weight + reach]
            tangent = [mean - slope * reach, mean + slope * reach]
            curves.append(Mark("line", "", 4, ends, tangent))
            curves.append(Mark("points", "", style, [weight], [mean]))
        return [
            Panel(
                "the line",
                ("feature x", low, high),
                ("target y", *target),
                fit,
            ),
            Panel(
                "mean loss over the weight",
                ("weight w", slider.low, slider.high),
                ("mean loss", *height),
                curves,
                drag=["weight", ""],
            ),
        ]

    def readout(self, values):
        self._numbers(values)
        rows = {
            label: list(numbers)
            for label, *numbers in self._computed(self._model(values), values)
        }
        return ["mean loss", "gradient in w", "gradient in b"], rows

    def specification(self):
        features, targets = self._data()
        return {
            "features": features[:, 0].tolist(),
            "targets": targets.tolist(),
            "losses": [_loss_specification(*item) for item in self.losses.items()],
            "weight": asdict(self._slider("weight")),
            "limits": self.limits,
        }


@dataclass(frozen=True)
class Descent(LineFigure):
    """Gradient descent on the mean loss over the weight and the bias of a line, a panel
    for each loss.

    features (N, 1), targets (N,): the samples. losses: {label: regression loss}.
    sliders: called "learning_rate", "steps", and "weight" and "bias" of the start.
    """

    features: np.ndarray
    targets: np.ndarray
    losses: dict
    sliders: list
    play = "steps"

    def __post_init__(self):
        self._check("learning_rate", "steps", "weight", "bias")

    def _history(self, loss, values):
        start = Linear([values["weight"]], values["bias"])
        return gradient_descent(
            start,
            loss,
            *self._data(),
            learning_rate=values["learning_rate"],
            steps=int(values["steps"]),
        )

    def _contours(self, loss):
        """The lines of equal mean loss, as one broken line."""
        x, y = self._slider("weight"), self._slider("bias")
        weights, biases = np.linspace(x.low, x.high, 61), np.linspace(y.low, y.high, 61)
        grid_w, grid_b = (grid.ravel() for grid in np.meshgrid(weights, biases))
        features, targets = self._data()
        scores = Linear(grid_w[None, :], grid_b).scores(features)
        values = loss.value(scores, np.broadcast_to(targets[:, None], scores.shape))
        height = values.mean(axis=0).reshape(61, 61)
        levels = contour_levels(height, 12)
        figure = plt.figure()
        lines = figure.gca().contour(weights, biases, height, levels=levels).allsegs
        plt.close(figure)
        xs, ys = [], []
        for segment in (np.round(s, 3) for level in lines for s in level):
            xs += [*segment[::2, 0].tolist(), None]
            ys += [*segment[::2, 1].tolist(), None]
        return xs, ys

    def panels(self, values):
        self._numbers(values)
        x, y = self._slider("weight"), self._slider("bias")
        panels = []
        for style, (label, loss) in enumerate(self.losses.items()):
            history = self._history(loss, values)
            path = history.parameter("weights")[:, 0], history.parameter("bias")
            w, b = (coordinates.tolist() for coordinates in path)
            marks = [
                Mark("line", "", -1, *self._contours(loss)),
                Mark("line", "", style, w, b),
                Mark("points", "", style, w, b),
            ]
            panels.append(
                Panel(
                    label,
                    ("weight w", x.low, x.high),
                    ("bias b", y.low, y.high),
                    marks,
                    drag=["weight", "bias"],
                )
            )
        return panels

    def readout(self, values):
        self._numbers(values)
        rows = {}
        for label, loss in self.losses.items():
            history = self._history(loss, values)
            w, b = history.model.weights[0], history.model.bias
            rows[label] = [float(w), float(b), float(history.losses[-1])]
        return ["w", "b", "mean loss"], rows

    def specification(self):
        features, targets = self._data()
        losses = [
            _loss_specification(*item) | {"contours": self._contours(item[1])}
            for item in self.losses.items()
        ]
        return {
            "features": features[:, 0].tolist(),
            "targets": targets.tolist(),
            "losses": losses,
            "weight": asdict(self._slider("weight")),
            "bias": asdict(self._slider("bias")),
        }


@dataclass(frozen=True)
class Clouds(Figure):
    """Two Gaussian clouds, and the boundary that each loss draws between them after some
    steps of gradient descent from zero.

    losses: {label: loss}, binary or of two classes; counts and priors of a loss are those
        of the clouds. sliders: called "counts[0]" and "counts[1]", "x" and "y" (the mean
        of the cloud of class 1; the other's is 0), "steps", and fields of the losses.
    learning_rate: of the training. random_state: of the samples, which are moved and
        left out, never drawn again.
    """

    losses: dict
    sliders: list
    learning_rate: float = 0.5
    random_state: int = 0
    play = "steps"

    def __post_init__(self):
        self._check("counts[0]", "counts[1]", "x", "y", "steps")
        require_positive(self.learning_rate, "learning_rate")
        require_count(self.random_state, "random_state", minimum=0)

    def _noise(self):
        rng = np.random.default_rng(self.random_state)
        largest = [
            int(s.high) for s in self.sliders if s.name in ("counts[0]", "counts[1]")
        ]
        return [np.round(rng.standard_normal((n, 2)), 2) for n in largest]

    def _samples(self, values):
        clouds = [
            noise[: int(values[f"counts[{c}]"])]
            for c, noise in enumerate(self._noise())
        ]
        clouds[1] = clouds[1] + [values["x"], values["y"]]
        return np.concatenate(clouds), np.repeat([0, 1], [len(c) for c in clouds])

    def _models(self, values):
        features, targets = self._samples(values)
        for label, loss in self.losses.items():
            loss = with_values(loss, values)
            n_outputs = 2 if isinstance(loss, SoftmaxLoss) else None
            model = gradient_descent(
                Linear.zeros(2, n_outputs),
                loss,
                features,
                targets,
                learning_rate=self.learning_rate,
                steps=int(values["steps"]),
            ).model
            if n_outputs:
                weights = model.weights[:, 1] - model.weights[:, 0]
                model = Linear(weights, model.bias[1] - model.bias[0])
            yield label, model

    def panels(self, values):
        features, targets = self._samples(self._numbers(values))
        marks = [
            Mark("points", f"class {c}", c, *features[targets == c].T.tolist())
            for c in (0, 1)
        ]
        for style, (label, model) in enumerate(self._models(values)):
            (w1, w2), bias = model.weights.tolist(), float(model.bias)
            marks.append(Mark("line", label, style, *boundary(w1, w2, bias)))
        return [
            Panel(
                "samples and boundaries",
                ("feature x₁", -LIMIT, LIMIT),
                ("feature x₂", -LIMIT, LIMIT),
                marks,
                drag=["x", "y"],
            )
        ]

    def readout(self, values):
        features, targets = self._samples(self._numbers(values))
        rows = {}
        for label, model in self._models(values):
            positive = model.scores(features) > 0
            right = [
                float((~positive[targets == 0]).mean()),
                float(positive[targets == 1].mean()),
            ]
            rows[label] = [*right, sum(right) / 2]
        return ["recall of class 0", "recall of class 1", "their mean"], rows

    def specification(self):
        losses = []
        for label, loss in self.losses.items():
            classes = 2 if isinstance(loss, SoftmaxLoss) else None
            losses.append(_loss_specification(label, loss, classes))
        return {
            "losses": losses,
            "noise": [noise.tolist() for noise in self._noise()],
            "learning_rate": self.learning_rate,
            "limit": LIMIT,
        }


LIMIT = 7.0


def _range(ends, name):
    """Refuse what is not two numbers, the lower first."""
    ends = require_list(ends, name)
    if len(ends) != 2 or require_number(ends[0], name) >= require_number(ends[1], name):
        raise ValueError(f"{name} must be (low, high), got {tuple(ends)}")


def _ranges(limits, name, n):
    """Refuse what is not n pairs of numbers."""
    if len(require_list(limits, name)) != n:
        raise ValueError(f"{name} must be {n} pairs (low, high), got {len(limits)}")
    for i, ends in enumerate(limits):
        _range(ends, f"{name}[{i}]")


def boundary(w1, w2, bias):
    """Where w1 x + w2 y + bias is 0, as a line far beyond the panel; nowhere when both
    weights are 0. Returns its (x, y), two coordinates each.

    Raises TypeError or ValueError when one is no number.
    """
    w1, w2 = require_number(w1, "w1"), require_number(w2, "w2")
    bias = require_number(bias, "bias")
    length = w1 * w1 + w2 * w2
    if length == 0 or not math.isfinite(length * bias):
        return [], []
    x, y = -bias * w1 / length, -bias * w2 / length
    far = 4 * LIMIT / length**0.5
    return [x - far * w2, x + far * w2], [y + far * w1, y - far * w1]


def gathered(values):
    """The sliders' numbers as arguments: ``counts[0]`` and ``counts[1]`` as the list
    ``counts``, and the shares of the counts as ``priors``.

    Raises TypeError or ValueError when values are no dict, or a count is not positive.
    """
    arguments = {}
    for name, value in require_dict(values, "values").items():
        name, _, place = name.partition("[")
        if place:
            arguments.setdefault(name, []).append(value)
        else:
            arguments[name] = value
    if "counts" in arguments:
        for c, count in enumerate(as_list(arguments["counts"], "counts")):
            require_positive(count, f"values: counts[{c}]")
        total = sum(arguments["counts"])
        arguments["priors"] = [n / total for n in arguments["counts"]]
    return arguments


def with_values(loss, values):
    """The loss with the sliders' numbers in the fields that have their names.

    Raises TypeError or ValueError when it is no loss, or allows no such number.
    """
    require_instance(loss, "loss", Loss, "a loss of lossbook.losses")
    names = {f.name for f in fields(loss)}
    return replace(loss, **{k: v for k, v in gathered(values).items() if k in names})


def _loss_specification(label, loss, n_classes=None):
    numbers = {
        f.name: getattr(loss, f.name)
        for f in fields(loss)
        if isinstance(getattr(loss, f.name), int | float)
    }
    return {"label": label, "formula": formula_name(loss, n_classes), "fields": numbers}


def _slider_html(slider):
    numbers = {key: format(getattr(slider, key), "g") for key in ("low", "high")}
    label = html.escape(slider.label or slider.name)
    return (
        f'<label><span>{label}</span><input type="range" name="{slider.name}" '
        f'min="{numbers["low"]}" max="{numbers["high"]}" step="{slider.step:g}" '
        f'value="{slider.value:g}"><span class="live-value">{slider.value:g}</span></label>'
    )


def _script_safe(data):
    """JSON that cannot end the element it stands in."""
    return json.dumps(data).replace("</", "<\\/")


def _table(columns, rows):
    head = "".join(f'<th scope="col">{html.escape(c)}</th>' for c in columns)
    body = "".join(
        f'<tr><th scope="row">{html.escape(label)}</th>'
        + "".join(f"<td>{number:.4g}</td>" for number in numbers)
        + "</tr>"
        for label, numbers in rows.items()
    )
    return (
        f"<table><thead><tr><td></td>{head}</tr></thead><tbody>{body}</tbody></table>"
    )


def _draw_panel(ax, panel):
    n_bars = sum(mark.kind == "bars" for mark in panel.marks)
    for mark in panel.marks:
        style = {"label": mark.label or "_nolegend_"}
        if mark.style < 0:
            style |= {"color": "#7f7f7f", "linewidth": 0.7, "linestyle": "-"}
        else:
            style["color"] = COLORS[mark.style]
        if mark.kind == "line":
            if mark.style >= 0:
                style["linestyle"] = DASHES[mark.style]
            x, y = (
                [np.nan if u is None else u for u in side] for side in (mark.x, mark.y)
            )
            ax.plot(x, y, **style)
        elif mark.kind == "points":
            marker = MARKERS[mark.style]
            ax.plot(mark.x, mark.y, marker, markersize=4, alpha=0.7, **style)
        else:
            ax.bar(mark.x, mark.y, 0.75 / n_bars, **style)
    xlabel, *xlim = panel.x
    ylabel, *ylim = panel.y
    ax.set(xlabel=xlabel, ylabel=ylabel, xlim=xlim, ylim=ylim, title=panel.title)
    if panel.ticks:
        ax.set_xticks(range(len(panel.ticks)), panel.ticks)
    if any(mark.label for mark in panel.marks):
        ax.legend()


def _show_widgets(figure):
    """The figure with ipywidgets, or its still picture where they are not installed."""
    from IPython.display import display

    try:
        import ipywidgets
    except ImportError:
        display(figure.draw())
        plt.close()
        return
    controls = {
        slider.name: ipywidgets.FloatSlider(
            value=slider.value,
            min=slider.low,
            max=slider.high,
            step=slider.step,
            description=slider.label or slider.name,
            continuous_update=False,
            style={"description_width": "initial"},
        )
        for slider in figure.sliders
    }

    play = []
    if figure.play:
        moved = controls[figure.play]
        play = [ipywidgets.Play(min=int(moved.min), max=int(moved.max), interval=50)]
        ipywidgets.jslink((play[0], "value"), (moved, "value"))

    def show(**values):
        columns, rows = figure.readout(values)
        display(figure.draw(values))
        plt.close()
        for label, numbers in rows.items():
            pairs = zip(columns, numbers, strict=True)
            print(f"{label}: {', '.join(f'{c} {n:.4g}' for c, n in pairs)}")

    out = ipywidgets.interactive_output(show, controls)
    display(ipywidgets.VBox([*controls.values(), *play, out]))
