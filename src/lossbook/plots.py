"""The pictures that more than one chapter draws. Every function draws on axes that it
is given.

Lines differ in dash pattern as well as in colour (the colours of Okabe and Ito), so
that a figure reads in grey, and backgrounds are transparent, so that it reads on a dark
page.
"""

import matplotlib.pyplot as plt
import numpy as np
from cycler import cycler
from matplotlib_inline.backend_inline import set_matplotlib_formats

from lossbook._validation import (
    as_list,
    as_numpy,
    float_numpy,
    refuse_where,
    require_able,
    require_count,
    require_dict,
    require_filled,
    require_number,
    require_text,
)
from lossbook.linear import Linear

COLORS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000"]
DASHES = ["-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1))]
MARKERS = ["o", "^", "s", "D", "v"]
SAMPLE = {"color": "#7f7f7f", "s": 18, "zorder": 3, "linewidths": 0}


def use_style():
    """Set Matplotlib's defaults for the book: size, colours, dashes, and SVG output
    that is the same every time."""
    plt.rcParams.update(
        {
            "figure.figsize": (5.4, 3.2),
            "figure.constrained_layout.use": True,
            "figure.facecolor": "none",
            "axes.facecolor": "none",
            "savefig.facecolor": "none",
            "legend.framealpha": 0.0,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "grid.alpha": 0.3,
            "axes.prop_cycle": cycler(color=COLORS, linestyle=DASHES),
            "svg.hashsalt": "lossbook",
        }
    )
    set_matplotlib_formats("svg", metadata={"Date": None})


def loss_and_gradient(axes, losses, residuals, *, units=""):
    """Draw losses on the first of two axes, and their gradients on the second, against
    the residual.

    losses: a dict of names and elementwise regression losses. residuals: (M,)
        increasing, score minus target. units: of the target, for the axis labels.
    """
    residuals = float_numpy(residuals, "residuals", ndim=1)
    if not len(residuals):
        raise ValueError("residuals must hold at least one number, got none")
    axes = [_axes(ax, f"axes[{i}]") for i, ax in enumerate(as_list(axes, "axes"))]
    if len(axes) != 2:
        raise ValueError(f"axes must be two, got {len(axes)}")
    for name, loss in require_filled(losses, "losses").items():
        require_able(loss, f"losses[{name!r}]", "a loss", "value_and_gradient")
    require_text(units, "units")
    unit = f" ({units})" if units else ""
    for name, loss in losses.items():
        value, gradient = loss.value_and_gradient(residuals, np.zeros_like(residuals))
        axes[0].plot(residuals, value, label=name)
        jump = np.abs(np.diff(gradient)) > 0.25 * np.ptp(
            gradient
        )  # a kink of the loss: do not join the sides
        at = np.flatnonzero(jump) + 1
        axes[1].plot(
            np.insert(residuals, at, np.nan),
            np.insert(gradient, at, np.nan),
            label=name,
        )
    axes[0].set(xlabel=f"residual ŷ − y{unit}", ylabel="loss", title="loss")
    axes[1].set(xlabel=f"residual ŷ − y{unit}", ylabel="d loss / d ŷ", title="gradient")
    axes[0].legend()


def _axes(ax, name):
    return require_able(ax, name, "axes of Matplotlib", "plot", "scatter")


def _histories(histories):
    for name, history in require_dict(histories, "histories").items():
        require_able(
            history, f"histories[{name!r}]", "a History", "losses", "parameter"
        )
    return histories


def _range(ends, name):
    ends = as_list(ends, name)
    if len(ends) != 2:
        raise ValueError(f"{name} must be (low, high), got {len(ends)} numbers")
    return [require_number(end, f"{name}[{i}]") for i, end in enumerate(ends)]


def _line_data(features, targets):
    return _samples(features, float_numpy(targets, "targets"), 1)


def _samples(features, targets, n_features):
    """Features (N, n_features) and targets (N,) as NumPy arrays, N at least 1."""
    features, targets = float_numpy(features, "features"), as_numpy(targets, "targets")
    if features.ndim != 2 or features.shape[1] != n_features or len(features) == 0:
        raise ValueError(
            f"features must have shape (N, {n_features}), got {features.shape}"
        )
    if targets.shape != features.shape[:1]:
        raise ValueError(
            f"targets must have shape {features.shape[:1]}, got {targets.shape}"
        )
    return features, targets


def fits(ax, features, targets, models):
    """Draw samples (N, 1) with their targets (N,), and the line of each model in a dict
    of names and models."""
    features, targets = _line_data(features, targets)
    for name, model in require_dict(models, "models").items():
        require_able(model, f"models[{name!r}]", "a model", "scores")
    _axes(ax, "ax").scatter(features[:, 0], targets, label="samples", **SAMPLE)
    ends = np.array([[features.min()], [features.max()]])
    for name, model in models.items():
        ax.plot(ends[:, 0], model.scores(ends), label=name)
    ax.set(xlabel="feature x", ylabel="target y")
    ax.legend()


def loss_curves(ax, histories, *, ylabel="mean loss"):
    """Draw the mean loss after each step, on a logarithmic scale, of each `History` in
    a dict of names and histories."""
    _axes(ax, "ax")
    require_text(ylabel, "ylabel")
    for name, history in require_filled(_histories(histories), "histories").items():
        ax.plot(history.losses, label=name)
    ax.set(xlabel="step", ylabel=ylabel, yscale="log")
    ax.legend()


def contour_levels(height, n):
    """n levels of a mean loss, each as many times higher than the one before, for
    contours; none where it is the same everywhere.

    height: numbers of at least 0. Raises TypeError or ValueError when they are not.
    """
    height, n = float_numpy(height, "height"), require_count(n, "n")
    if height.size == 0 or height.min() < 0:
        raise ValueError(
            f"height must be numbers that are not negative, got shape {height.shape}"
            f"{f' and {height.min()}' if height.size else ''}"
        )
    least = max(height.min() * 1.02, height.max() * 1e-6)  # a fit may be perfect
    return np.geomspace(least, height.max(), n) if least < height.max() else np.zeros(0)


def loss_surface(ax, loss, features, targets, histories, *, weight, bias):
    """Draw contours of the mean loss over weight and bias of a straight line, and the
    paths that training took on it.

    features: (N, 1). histories: a dict of names and histories. weight, bias: the ranges
        shown, ``(low, high)``.
    """
    _axes(ax, "ax")
    require_able(loss, "loss", "a loss", "value")
    features, targets = _line_data(features, targets)
    _histories(histories)
    weight, bias = _range(weight, "weight"), _range(bias, "bias")
    weights, biases = np.linspace(*weight, 81), np.linspace(*bias, 81)
    grid_w, grid_b = (grid.ravel() for grid in np.meshgrid(weights, biases))
    scores = Linear(grid_w[None, :], grid_b).scores(features)  # a column for each point
    values = loss.value(scores, np.broadcast_to(targets[:, None], scores.shape))
    height = values.mean(axis=0).reshape(81, 81)
    if not np.isfinite(height).all():
        raise ValueError(
            f"weight and bias must be ranges where the mean loss is finite, got "
            f"{tuple(weight)} and {tuple(bias)}"
        )
    levels = contour_levels(height, 14)
    ax.contour(
        weights,
        biases,
        height,
        levels=levels,
        colors="#7f7f7f",
        linewidths=0.7,
        linestyles="-",
    )
    for color, (name, history) in zip(COLORS, histories.items(), strict=False):
        path = history.parameter("weights")[:, 0], history.parameter("bias")
        ax.plot(
            *path, "-", marker="o", markersize=3, linewidth=1, color=color, label=name
        )
    ax.set(xlabel="weight w", ylabel="bias b", xlim=weight, ylim=bias)
    ax.grid(False)
    if histories:
        ax.legend()


def decision_regions(ax, features, targets, model):
    """Draw samples of classes, a marker for each, on the regions where the model predicts
    them.

    features: (N, 2). targets: classes (N,). model: scores (N,) for the classes 0 and 1
    (which is predicted tells the sign of the logit), or (N, C) (the largest one does).
    """
    _axes(ax, "ax")
    require_able(model, "model", "a model", "scores")
    features, targets = _samples(features, targets, 2)
    low, high = features.min(axis=0) - 0.5, features.max(axis=0) + 0.5
    x, y = np.meshgrid(
        *(np.linspace(*ends, 200) for ends in zip(low, high, strict=True))
    )
    scores = model.scores(np.column_stack([x.ravel(), y.ravel()]))
    predicted = np.argmax(scores, axis=1) if scores.ndim == 2 else scores > 0
    n_classes = scores.shape[1] if scores.ndim == 2 else 2
    levels = np.arange(n_classes + 1) - 0.5
    refuse_where(
        ~np.isin(targets, range(n_classes)),
        targets,
        "targets",
        f"be classes from 0 to {n_classes - 1}",
    )
    regions = predicted.reshape(x.shape).astype(float)
    ax.contourf(x, y, regions, levels=levels, colors=COLORS[:n_classes], alpha=0.15)
    ax.contour(x, y, regions, levels=levels[1:-1], colors="#7f7f7f", linewidths=1)
    for c in range(n_classes):
        points = features[targets == c].T
        style = {"s": 14, "color": COLORS[c], "marker": MARKERS[c], "alpha": 0.7}
        ax.scatter(*points, label=f"class {c}", linewidths=0, **style)
    ax.set(xlabel="feature $x_1$", ylabel="feature $x_2$")
    ax.grid(False)
    ax.legend()


def decision_boundary(ax, model, *, label, **style):
    """Draw the line where the logit of a binary model of two features is zero.

    It is clipped to the limits that the axes have; ``style`` goes to ``ax.axline``.
    Raises ValueError when both weights are zero, since then there is no such line.
    """
    _axes(ax, "ax")
    require_text(label, "label")
    require_able(model, "model", "a linear model", "weights", "bias")
    if np.shape(model.weights) != (2,):
        raise ValueError(
            f"model must have weights of shape (2,), got {np.shape(model.weights)}"
        )
    (w1, w2), bias = model.weights, float(model.bias)
    length = w1**2 + w2**2
    if length == 0:
        raise ValueError("model must have a weight that is not zero to have a boundary")
    point = -bias / length * np.array([w1, w2])
    limits = ax.get_xlim(), ax.get_ylim()
    ax.axline(point, point + np.array([-w2, w1]), label=label, **style)
    ax.set(xlim=limits[0], ylim=limits[1])
