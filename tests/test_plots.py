"""What is drawn is the data that it stands for, with words on the axes."""

import io

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest

from lossbook import plots
from lossbook.datasets import straight_line
from lossbook.linear import Linear
from lossbook.losses import AbsoluteError, HuberLoss, SquaredError
from lossbook.training import gradient_descent

FEATURES, TARGETS = straight_line(12, slope=2, intercept=1, noise=0.3, random_state=0)
RESIDUALS = np.linspace(-3, 3, 61)
LOSSES = {"squared": SquaredError(), "absolute": AbsoluteError(), "Huber": HuberLoss()}
RUNS = {
    f"rate {rate}": gradient_descent(
        Linear.zeros(1), SquaredError(), FEATURES, TARGETS, learning_rate=rate, steps=9
    )
    for rate in (0.05, 0.2)
}


@pytest.fixture(autouse=True)
def figures():
    with matplotlib.rc_context():
        plots.use_style()
        yield
    plt.close("all")


def drawn(ax):
    """The lines on the axes by their names."""
    return {line.get_label(): line.get_xydata() for line in ax.get_lines()}


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_losses_and_gradients_are_drawn_against_the_residual():
    _, axes = plt.subplots(1, 2)
    plots.loss_and_gradient(axes, LOSSES, RESIDUALS, units="€")
    values, gradients = drawn(axes[0]), drawn(axes[1])
    assert list(values) == list(gradients) == legend(axes[0]) == list(LOSSES)
    for name, loss in LOSSES.items():
        np.testing.assert_array_equal(
            values[name],
            np.column_stack([RESIDUALS, loss.value(RESIDUALS, 0 * RESIDUALS)]),
        )
        slopes = gradients[name][~np.isnan(gradients[name]).any(axis=1)]
        np.testing.assert_array_equal(
            slopes,
            np.column_stack([RESIDUALS, loss.gradient(RESIDUALS, 0 * RESIDUALS)]),
        )
    assert [ax.get_xlabel() for ax in axes] == ["residual ŷ − y (€)"] * 2
    assert "loss" in axes[0].get_ylabel() and "d loss / d ŷ" in axes[1].get_ylabel()


@pytest.mark.parametrize(
    "residuals",
    [RESIDUALS, np.linspace(-3, 3, 60)],
    ids=["through zero", "around zero"],
)
def test_a_jump_of_the_gradient_is_not_joined_by_a_line_and_a_smooth_gradient_is(
    residuals,
):
    _, axes = plt.subplots(1, 2)
    plots.loss_and_gradient(axes, LOSSES, residuals)
    gradients = drawn(axes[1])
    lifted = residuals[np.abs(residuals) > 1e-9]
    left, right = lifted[lifted < 0].max(), lifted[lifted > 0].min()
    breaks = np.flatnonzero(np.isnan(gradients["absolute"]).any(axis=1))
    assert len(breaks) >= 1
    x = gradients["absolute"][:, 0]
    assert all(left <= x[b - 1] < x[b + 1] <= right for b in breaks)
    y = gradients["absolute"][:, 1]
    assert np.nanmax(np.abs(np.diff(y))) == 0
    assert (
        not np.isnan(gradients["squared"]).any()
        and not np.isnan(gradients["Huber"]).any()
    )


def test_without_units_the_label_has_no_empty_brackets():
    _, axes = plt.subplots(1, 2)
    plots.loss_and_gradient(axes, LOSSES, RESIDUALS)
    assert axes[0].get_xlabel() == "residual ŷ − y"


def test_fits_are_drawn_through_the_samples_from_end_to_end():
    _, ax = plt.subplots()
    models = {"flat": Linear([0.0], 1.5), "steep": Linear([4.0], -1.0)}
    plots.fits(ax, FEATURES, TARGETS, models)
    np.testing.assert_array_equal(
        ax.collections[0].get_offsets(), np.column_stack([FEATURES[:, 0], TARGETS])
    )
    ends = np.array([FEATURES.min(), FEATURES.max()])
    np.testing.assert_allclose(drawn(ax)["flat"], np.column_stack([ends, [1.5, 1.5]]))
    np.testing.assert_allclose(
        drawn(ax)["steep"], np.column_stack([ends, 4 * ends - 1])
    )
    assert legend(ax) == ["samples", "flat", "steep"]
    assert ax.get_xlabel() and ax.get_ylabel()


def test_loss_curves_are_the_losses_on_a_logarithmic_scale():
    _, ax = plt.subplots()
    plots.loss_curves(ax, RUNS, ylabel="mean squared error (€²)")
    for name, run in RUNS.items():
        np.testing.assert_array_equal(
            drawn(ax)[name], np.column_stack([np.arange(10), run.losses])
        )
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_yscale()) == (
        "step",
        "mean squared error (€²)",
        "log",
    )


def test_the_surface_has_the_height_of_the_mean_loss_and_the_paths_of_training(
    monkeypatch,
):
    _, ax = plt.subplots()
    seen = {}
    contour = ax.contour
    monkeypatch.setattr(
        ax,
        "contour",
        lambda *args, **how: seen.update(args=args, **how) or contour(*args, **how),
    )
    plots.loss_surface(
        ax, AbsoluteError(), FEATURES, TARGETS, RUNS, weight=(-1, 4), bias=(0, 3)
    )
    weights, biases, height = (np.asarray(a) for a in seen["args"])
    assert (weights[0], weights[-1], biases[0], biases[-1]) == (-1, 4, 0, 3)
    for row, column in [(0, 0), (0, -1), (-1, 0), (40, 13)]:
        line = weights[column] * FEATURES[:, 0] + biases[row]
        assert height[row, column] == pytest.approx(
            np.mean(np.abs(line - TARGETS)), rel=1e-13
        )
    assert height.min() < seen["levels"][0] and seen["levels"][-1] <= height.max()
    for name, run in RUNS.items():
        path = np.column_stack([run.parameter("weights")[:, 0], run.parameter("bias")])
        np.testing.assert_array_equal(drawn(ax)[name], path)
    assert (ax.get_xlim(), ax.get_ylim()) == ((-1, 4), (0, 3))
    assert ax.get_xlabel() == "weight w" and ax.get_ylabel() == "bias b"


def test_a_surface_may_have_no_paths(recwarn):
    _, ax = plt.subplots()
    ends = dict(weight=(-1, 4), bias=(0, 3))
    plots.loss_surface(ax, AbsoluteError(), FEATURES, TARGETS, {}, **ends)
    assert ax.get_legend() is None and not recwarn


def test_lines_differ_in_dashes_as_well_as_in_colour():
    _, ax = plt.subplots()
    lines = [ax.plot([0, 1])[0] for _ in range(5)]
    assert len({line.get_color() for line in lines}) == 5
    assert len({str(line._dash_pattern) for line in lines}) == 5


def test_the_same_figure_is_the_same_file_every_time():
    def svg():
        figure, axes = plt.subplots(1, 2)
        plots.loss_and_gradient(axes, LOSSES, RESIDUALS)
        plots.loss_surface(
            axes[1],
            SquaredError(),
            FEATURES,
            TARGETS,
            RUNS,
            weight=(-1, 4),
            bias=(0, 3),
        )
        file = io.BytesIO()
        figure.savefig(file, format="svg", metadata={"Date": None})
        return file.getvalue()

    first = svg()
    assert first == svg()
    assert b"<svg" in first


POINTS = np.random.default_rng(3).uniform(-3, 3, (90, 2))
BINARY = Linear([1.0, -2.0], 0.5)
THREE = Linear([[1.0, -1.0, 0.2], [0.5, 0.3, -2.0]], [0.2, 0.0, -0.1])
LABELS = np.arange(90) % 3


def predicted(model, points):
    scores = model.scores(points)
    return scores.argmax(axis=1) if scores.ndim == 2 else (scores > 0).astype(int)


@pytest.mark.parametrize("model", [BINARY, THREE], ids=["two classes", "three classes"])
def test_regions_are_where_the_model_predicts_the_class(model, monkeypatch):
    _, ax = plt.subplots()
    contourf, seen = ax.contourf, []
    monkeypatch.setattr(
        ax,
        "contourf",
        lambda *a, **k: seen.append((a, contourf(*a, **k))) or seen[-1][1],
    )
    n_classes = 3 if model is THREE else 2
    plots.decision_regions(ax, POINTS, LABELS % n_classes, model)
    (arguments, filled) = seen[0]
    x, y, regions = (np.asarray(a) for a in arguments)
    grid = np.column_stack([x.ravel(), y.ravel()])
    np.testing.assert_array_equal(regions.ravel(), predicted(model, grid))
    assert set(regions.ravel()) == set(range(n_classes))
    assert (grid.min(axis=0) < POINTS.min(axis=0)).all()
    assert (grid.max(axis=0) > POINTS.max(axis=0)).all()
    # what is drawn, and in which colour: the path of each class holds its points
    scores = model.scores(POINTS)
    by_size = np.sort(scores, axis=-1)
    margin = by_size[:, -1] - by_size[:, -2] if n_classes == 3 else np.abs(scores)
    clear = POINTS[margin > 0.4]
    for c, path in enumerate(filled.get_paths()):
        inside = path.contains_points(clear)
        np.testing.assert_array_equal(inside, predicted(model, clear) == c)
        color = matplotlib.colors.to_rgb(plots.COLORS[c])
        np.testing.assert_allclose(filled.get_facecolor()[c, :3], color)
    assert ax.get_xlabel() == "feature $x_1$" and ax.get_ylabel() == "feature $x_2$"


@pytest.mark.parametrize("model", [BINARY, THREE], ids=["two classes", "three classes"])
def test_the_samples_of_a_class_have_its_colour_a_marker_and_a_name(model):
    _, ax = plt.subplots()
    n_classes = 3 if model is THREE else 2
    labels = LABELS % n_classes
    plots.decision_regions(ax, POINTS, labels, model)
    clouds = [c for c in ax.collections if str(c.get_label()).startswith("class ")]
    assert legend(ax) == [f"class {c}" for c in range(n_classes)]
    shapes = set()
    for c, cloud in enumerate(clouds):
        np.testing.assert_array_equal(cloud.get_offsets(), POINTS[labels == c])
        color = matplotlib.colors.to_rgb(plots.COLORS[c])
        np.testing.assert_allclose(cloud.get_facecolor()[0, :3], color)
        shapes.add(cloud.get_paths()[0].vertices.tobytes())
    assert len(clouds) == len(shapes) == n_classes


@pytest.mark.parametrize(
    "weights, bias",
    [([1.0, -2.0], 0.5), ([3.0, 0.0], -1.0), ([0.0, -0.1], 0.05), ([1e3, 2e3], 0.0)],
)
def test_the_boundary_is_where_the_logit_is_zero(weights, bias):
    _, ax = plt.subplots()
    ax.set(xlim=(-4, 3), ylim=(-2, 5))
    model = Linear(weights, bias)
    plots.decision_boundary(ax, model, label="logit 0", color="black")
    (line,) = ax.get_lines()
    ends = np.array([line.get_xy1(), line.get_xy2()])
    assert np.linalg.norm(ends[1] - ends[0]) > 0
    along = ends[0] + np.linspace(-3, 3, 7)[:, None] * (ends[1] - ends[0])
    scale = np.abs(along).max() * np.abs(weights).max()
    np.testing.assert_allclose(model.scores(along), 0, atol=1e-13 * scale)
    assert (ax.get_xlim(), ax.get_ylim()) == ((-4, 3), (-2, 5))
    assert line.get_label() == "logit 0" and line.get_color() == "black"


def test_a_model_without_a_slope_has_no_boundary():
    _, ax = plt.subplots()
    with pytest.raises(ValueError, match="model must have a weight that is not zero"):
        plots.decision_boundary(ax, Linear([0.0, 0.0], 1.0), label="none")


def test_the_boundary_parts_the_regions():
    _, ax = plt.subplots()
    plots.decision_regions(ax, POINTS, LABELS % 2, BINARY)
    limits = ax.get_xlim(), ax.get_ylim()
    plots.decision_boundary(ax, BINARY, label="boundary")
    assert (ax.get_xlim(), ax.get_ylim()) == limits
    edges = [c for c in ax.collections if hasattr(c, "levels") and not c.filled]
    step = max(np.ptp(limit) for limit in limits) / 199
    slope = np.linalg.norm(BINARY.weights)
    vertices = np.vstack([path.vertices for path in edges[0].get_paths()])
    assert len(vertices) > 50
    assert np.abs(BINARY.scores(vertices)).max() <= 2 * step * slope
