"""What a figure draws in the page, computed by `live.js` in V8, against Python."""

import json
from dataclasses import asdict
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from py_mini_racer import MiniRacer

from lossbook import live
from lossbook.datasets import straight_line
from lossbook.javascript import source
from lossbook.live import Bars, Clouds, Descent, LossCurves, Slider, TiltedLine
from lossbook.losses import (
    AbsoluteError,
    AsymmetricLoss,
    BinaryCrossEntropy,
    BinaryFocalLoss,
    ClassBalancedLoss,
    HuberLoss,
    LogitAdjustedLoss,
    SquaredError,
    WeightedBinaryCrossEntropy,
)

SCRIPT = Path(__file__).parents[1] / "book" / "_static" / "live.js"
SAMPLES = straight_line(
    20,
    slope=2.0,
    intercept=0.5,
    noise=0.3,
    n_outliers=3,
    outlier_shift=3.0,
    random_state=0,
)
LOGITS = [Slider(f"z[{c}]", -4, 4, 1 - c, 0.1) for c in range(3)]
LINE = [Slider("weight", -1, 5, 1, 0.05), Slider("bias", -1, 4, 0.5, 0.05)]

FIGURES = {
    "curves over the score": LossCurves(
        {
            "focal": BinaryFocalLoss(alpha=None),
            "asymmetric": AsymmetricLoss(),
            "cross-entropy": BinaryCrossEntropy(),
        },
        [
            Slider("gamma", 0, 5, 2, 0.1),
            Slider("margin", 0, 0.5, 0.05, 0.01),
            Slider("score", -5, 5, 1, 0.1),
            Slider("target", 0, 1, 1, 1),
        ],
        limits=((0, 5), (-1.5, 1.5)),
    ),
    "curves over the probability": LossCurves(
        {"surprise": BinaryCrossEntropy()},
        [Slider("probability", 0.01, 0.99, 0.5)],
        limits=((0, 5), (-1, 0)),
        over="probability",
    ),
    "curves over the residual": LossCurves(
        {"squared": SquaredError(), "Huber": HuberLoss()},
        [Slider("delta", 0.1, 3, 1, 0.1), Slider("residual", -3, 3, 1, 0.1)],
        limits=((0, 9), (-6, 6)),
        over="residual",
    ),
    "bars of the softmax": Bars(
        [
            {
                "softmax(z / T)": "Softmax3.value",
                "T = 1": ("Softmax3.value", {"T": 1.0}),
            },
            {"gradient": "CrossEntropy3.gradient"},
        ],
        [*LOGITS, Slider("T", 0.1, 5, 2, 0.1), Slider("y", 0, 2, 0, 1)],
        titles=["probability", "gradient"],
        limits=[(0, 1), (-1, 1)],
        fixed={"label_smoothing": 0.1},
    ),
    "bars of the adjusted softmax": Bars(
        [
            {"adjusted": "AdjustedSoftmax3.value"},
            {"gradient": "LogitAdjustedLoss3.gradient"},
        ],
        [
            *LOGITS,
            *[Slider(f"counts[{c}]", 1, 500, 100 // (c + 1), 1) for c in range(3)],
            Slider("tau", 0, 2, 1, 0.1),
        ],
        titles=["probability", "gradient"],
        limits=[(0, 1), (-1, 1)],
        fixed={"y": 2},
    ),
    "bars of the class weights": Bars(
        [{"weight": "ClassWeights3.value"}],
        [
            Slider("beta", 0, 0.9999, 0.99, 0.0001),
            *[Slider(f"counts[{c}]", 1, 500, 100 // (c + 1), 1) for c in range(3)],
        ],
        titles=["weight"],
        limits=[(0, 3)],
    ),
    "a tilted line": TiltedLine(
        *SAMPLES,
        {"squared": SquaredError(), "absolute": AbsoluteError()},
        LINE,
        limits=((0, 2), (-1, 9), (0, 12)),
    ),
    "a descent": Descent(
        *SAMPLES,
        {"squared": SquaredError(), "Huber": HuberLoss()},
        [
            Slider("learning_rate", 0.01, 0.7, 0.1),
            Slider("steps", 0, 60, 20, 1),
            *LINE,
        ],
    ),
    "two clouds": Clouds(
        {
            "weighted": WeightedBinaryCrossEntropy(pos_weight=5.0),
            "focal": BinaryFocalLoss(),
            "class-balanced": ClassBalancedLoss(BinaryCrossEntropy(), (1, 1)),
            "logit-adjusted": LogitAdjustedLoss((0.5, 0.5)),
        },
        [
            Slider("counts[0]", 10, 200, 150, 1, "class 0"),
            Slider("counts[1]", 2, 200, 20, 1, "class 1"),
            Slider("x", -4, 4, 1.5, 0.1),
            Slider("y", -4, 4, 1, 0.1),
            Slider("pos_weight", 1, 50, 5, 1),
            Slider("gamma", 0, 5, 2, 0.1),
            Slider("beta", 0, 0.9999, 0.99, 0.0001),
            Slider("tau", 0, 2, 1, 0.1),
            Slider("steps", 0, 60, 40, 1),
        ],
    ),
}


@pytest.fixture(scope="module")
def engine():
    context = MiniRacer()
    context.eval(source())
    context.eval(SCRIPT.read_text(encoding="utf-8"))
    context.eval(
        "const compute = (what, kind, spec, values) => "
        "JSON.stringify(lossbookLive.KINDS[kind][what](spec, values))"
    )
    return context


def settings(figure, n):
    """Where the sliders start, and n random places of theirs."""
    rng = np.random.default_rng(0)
    yield figure.values()
    for _ in range(n):
        changed = {}
        for s in figure.sliders:
            stops = round((s.high - s.low) / s.step)
            changed[s.name] = float(s.low + s.step * rng.integers(stops + 1))
        yield figure.values(**changed)


def in_page(engine, what, figure, values):
    # as the page reads them: through JSON
    spec = json.loads(json.dumps(figure.specification()))
    return json.loads(engine.call("compute", what, type(figure).__name__, spec, values))


def same_numbers(ours, theirs):
    def numbers(entries):
        return np.array([np.nan if u is None else u for u in entries], dtype=float)

    np.testing.assert_allclose(numbers(ours), numbers(theirs), rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("name", FIGURES)
def test_page_and_python_draw_the_same(engine, name):
    figure = FIGURES[name]
    for values in settings(figure, 12):
        panels = [asdict(panel) for panel in figure.panels(values)]
        for ours, theirs in zip(
            in_page(engine, "panels", figure, values), panels, strict=True
        ):
            assert ours.keys() == theirs.keys()
            assert ours["title"] == theirs["title"]
            assert ours["ticks"] == theirs["ticks"] and ours["drag"] == theirs["drag"]
            assert ours["x"] == list(theirs["x"]) and ours["y"] == list(theirs["y"])
            for mark, expected in zip(ours["marks"], theirs["marks"], strict=True):
                for key in ("kind", "label", "style"):
                    assert mark[key] == expected[key]
                same_numbers(mark["x"], expected["x"])
                same_numbers(mark["y"], expected["y"])


@pytest.mark.parametrize("name", FIGURES)
def test_page_and_python_read_out_the_same(engine, name):
    figure = FIGURES[name]
    for values in settings(figure, 12):
        columns, rows = in_page(engine, "readout", figure, values)
        expected_columns, expected = figure.readout(values)
        assert columns == list(expected_columns) and list(rows) == list(expected)
        for label, numbers in rows.items():
            same_numbers(numbers, expected[label])


@pytest.mark.parametrize("name", FIGURES)
def test_the_still_picture_shows_every_mark(name):
    figure = FIGURES[name]
    drawn = figure.draw()
    for ax, panel in zip(drawn.axes, figure.panels(figure.values()), strict=True):
        bars = sum(len(mark.x) for mark in panel.marks if mark.kind == "bars")
        lines = sum(mark.kind != "bars" for mark in panel.marks)
        assert len(ax.lines) == lines and len(ax.patches) == bars
        assert ax.get_xlim() == pytest.approx(panel.x[1:])
        assert ax.get_ylim() == pytest.approx(panel.y[1:])
    plt.close(drawn)


def test_on_a_page_a_figure_is_a_picture_and_its_form(monkeypatch):
    shown = []
    monkeypatch.setenv("LOSSBOOK_PAGE", "1")
    monkeypatch.setattr("IPython.display.display", lambda x, **_: shown.append(x))
    FIGURES["two clouds"]._ipython_display_()
    (bundle,) = shown
    assert "<svg" in bundle["image/svg+xml"]
    assert bundle["text/html"].startswith('<form class="live"')
    assert bundle["text/html"].count('type="range"') == 9


def test_in_a_notebook_the_same_sliders_are_widgets(monkeypatch):
    import ipywidgets

    shown = []
    monkeypatch.delenv("LOSSBOOK_PAGE", raising=False)
    monkeypatch.setattr("IPython.display.display", lambda x, **_: shown.append(x))
    figure = FIGURES["bars of the class weights"]
    figure._ipython_display_()
    box = shown[-1]
    sliders = [c for c in box.children if isinstance(c, ipywidgets.FloatSlider)]
    assert [(s.min, s.max, s.value) for s in sliders] == [
        (s.low, s.high, s.value) for s in figure.sliders
    ]


def test_a_specification_cannot_end_the_script_it_stands_in():
    figure = LossCurves(
        {"</script><b>": SquaredError()},
        [Slider("residual", -1, 1, 0)],
        limits=((0, 1), (-2, 2)),
        over="residual",
    )
    form = figure._form()
    assert form.count("</script>") == 1 and "<b>" not in form.split("<script")[0]


def test_a_slider_must_start_between_its_ends():
    with pytest.raises(ValueError, match="low to high"):
        Slider("gamma", 0, 5, 6)


def test_an_unknown_slider_is_named():
    with pytest.raises(ValueError, match="delta must be one of gamma"):
        FIGURES["curves over the score"].values(delta=1.0)


def test_counts_give_priors():
    arguments = live.gathered({"counts[0]": 3, "counts[1]": 1, "tau": 2})
    assert arguments == {"counts": [3, 1], "tau": 2, "priors": [0.75, 0.25]}
