"""The check accepts every right gradient, at kinks and close to them too, and refuses a
wrong one in the right rows."""

import functools
import itertools
import re
from dataclasses import dataclass, field
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lossbook.checks import (
    Agreement,
    GradientCheck,
    _agreement,
    check_gradient,
    check_parameter_gradients,
)
from lossbook.datasets import gaussians
from lossbook.derivation import Derivation, Line
from lossbook.linear import Linear
from lossbook.losses import (
    AbsoluteError,
    BinaryCrossEntropy,
    ClassBalancedLoss,
    CrossEntropy,
    HuberLoss,
    SquaredError,
)
from lossbook.losses._base import one_hot

RNG = np.random.default_rng(0)
SCORES, TARGETS = 3 * RNG.standard_normal((2, 60))
SCORES[:3] = TARGETS[:3] + [
    0,
    1,
    -1,
]  # on the kink of the absolute error, and where the Huber loss changes
PAIRS = [
    (SquaredError(), torch.nn.MSELoss(reduction="none")),
    (AbsoluteError(), torch.nn.L1Loss(reduction="none")),
    (HuberLoss(), torch.nn.HuberLoss(reduction="none")),
    (HuberLoss(0.2), torch.nn.HuberLoss(delta=0.2, reduction="none")),
]
LOSSES = [loss for loss, _ in PAIRS]
every_loss = pytest.mark.parametrize("loss", LOSSES, ids=str)
every_pair = pytest.mark.parametrize(
    "loss, reference", PAIRS, ids=[str(loss) for loss in LOSSES]
)


def refused(check):
    return {(row.compared, row.against) for row in check.rows if not row.agrees}


@every_pair
def test_a_right_gradient_agrees_with_autograd_differences_and_derivation(
    loss, reference
):
    check = check_gradient(loss, SCORES, TARGETS, reference=reference)
    assert check.agrees
    through = f"autograd of torch.nn.{type(reference).__name__}"
    assert [(row.compared, row.against) for row in check.rows] == [
        ("value", through.removeprefix("autograd of ")),
        ("gradient", through),
        ("gradient", "central differences"),
        ("gradient", "derivation"),
    ]


@every_loss
def test_without_a_reference_autograd_runs_through_the_value(loss):
    check = check_gradient(loss, SCORES, TARGETS)
    assert [row.against for row in check.rows] == [
        "autograd of value",
        "central differences",
        "derivation",
    ]
    assert check.agrees


near_a_kink = st.tuples(
    st.floats(-1e6, 1e6),
    st.sampled_from([-1, -0.2, 0, 0.2, 1]),
    st.one_of(st.just(0), st.floats(-3, 3)),
    st.one_of(st.just(0), st.floats(-100, 100)),
)


@every_loss
@given(st.lists(near_a_kink, min_size=5, max_size=20))
def test_a_right_gradient_is_never_refused_however_close_to_a_kink(loss, cases):
    targets, edges, steps, far = np.array(cases).T
    step = 6e-6 * np.maximum(1.0, np.abs(targets))  # about that of the differences
    scores = targets + edges + steps * step + far
    assert check_gradient(loss, scores, targets).agrees


@dataclass(frozen=True)
class Spoilt(HuberLoss):
    """A Huber loss whose gradient was spoilt."""

    spoil: object = field(default=None, compare=False)

    def _gradient(self, scores, targets):
        return self.spoil(super()._gradient(scores, targets))


def one_entry(gradient, value):
    spoilt = gradient.copy()
    spoilt[17] = value
    return spoilt


WRONG = {
    "sign": lambda g: -g,
    "factor 2": lambda g: 2 * g,
    "mean taken too early": lambda g: g / g.size,
    "relative 1e-9": lambda g: g * (1 + 1e-9),
    "shifted": lambda g: g + 1e-9,
    "entries in another order": lambda g: g[::-1],
    "one entry zero": lambda g: one_entry(g, 0.0),
    "one entry NaN": lambda g: one_entry(g, np.nan),
    "one entry infinite": lambda g: one_entry(g, np.inf),
}


@pytest.mark.parametrize("spoil", WRONG.values(), ids=WRONG)
def test_a_wrong_gradient_is_refused_by_every_comparison_and_a_right_value_by_none(
    spoil,
):
    reference = torch.nn.HuberLoss(reduction="none")
    check = check_gradient(Spoilt(spoil=spoil), SCORES, TARGETS, reference=reference)
    assert not check.agrees
    others = {"autograd of torch.nn.HuberLoss", "central differences", "derivation"}
    assert refused(check) == {("gradient", against) for against in others}


def test_the_worst_entry_is_named_with_its_error():
    check = check_gradient(
        Spoilt(spoil=lambda g: one_entry(g, g[17] + 0.25)), SCORES, TARGETS
    )
    for row in check.rows:
        assert row.where == f"score {SCORES[17]:.4g}, target {TARGETS[17]:.4g}"
    autograd = check.rows[0]
    assert autograd.absolute == pytest.approx(0.25)
    gradient = HuberLoss().gradient(SCORES[17], TARGETS[17])
    assert autograd.relative == pytest.approx(
        0.25 / max(abs(gradient), abs(gradient + 0.25))
    )
    assert autograd.allowed == pytest.approx(
        64 * 2.0**-52 * max(np.abs(SCORES).max(), np.abs(TARGETS).max())
    )


@pytest.mark.parametrize(
    "loss, score, target, largest, value",
    [
        (HuberLoss(), 1000.0, 1.0, 1000, 1000),
        (HuberLoss(), 1.0, 1000.0, 1000, 1000),
        (SquaredError(), 3.0, 0.0, 6, 9),  # the gradient; the value
        (HuberLoss(), 0.1, 0.2, 1, 1),
    ],
)
def test_rounding_is_that_of_the_largest_number_involved(
    loss, score, target, largest, value
):
    reference = {type(loss): pair for loss, pair in PAIRS[:3]}[type(loss)]
    rows = check_gradient(loss, [score], [target], reference=reference).rows
    ulp = 64 * 2.0**-52
    assert [rows[n].allowed / ulp for n in (0, 1, 3)] == [value, largest, largest]


@pytest.mark.parametrize(
    "loss, feature, weight, target, largest",
    [
        (HuberLoss(), 100.0, 0.0, 0.0, 100),
        (HuberLoss(), 0.0, 0.0, 500.0, 500),
        (HuberLoss(), 2.0, 300.0, 0.0, 600),  # the score
        (SquaredError(), 10.0, 1.0, 0.0, 200),  # the gradient
    ],
)
def test_rounding_in_a_parameter_is_that_of_the_largest_number_involved(
    loss, feature, weight, target, largest
):
    check = check_parameter_gradients(Linear([weight]), loss, [[feature]], [target])
    assert check.rows[0].allowed / (64 * 2.0**-52) == largest


STEP = 2.0 ** (-52 / 3)


@pytest.mark.parametrize("score", [0.0, 0.5, -0.5, 8.0, -1e3])
def test_what_a_difference_may_be_off_by_at_a_hit_is_its_rounding_alone(score):
    # the loss is 0 or next to it, and a parabola has the slope of a step twice as long
    smooth = check_gradient(SquaredError(), [score], [score]).rows[1]
    rounding = 2.0**-52 / (STEP * max(1, abs(score)))
    assert smooth.allowed == pytest.approx(6 * rounding, rel=1e-3)
    kink = check_gradient(AbsoluteError(), [score], [score]).rows[1]
    assert kink.allowed == pytest.approx(4 * rounding, rel=1e-3)


def test_what_a_difference_may_be_off_by_grows_with_the_loss_and_with_the_score():
    far = check_gradient(AbsoluteError(), [1000.0], [600.0]).rows[1]
    rounding = 2.0**-52 * (400 + 1000 + 1) / (STEP * 1000)
    assert far.allowed == pytest.approx(6 * rounding, rel=1e-3)


def test_what_a_difference_may_be_off_by_grows_with_the_curve_that_it_ignores():
    class Cubic(SquaredError):
        def _value(self, scores, targets):
            return (scores - targets) ** 3

        def _gradient(self, scores, targets):
            return 3 * (scores - targets) ** 2

    bent = check_gradient(Cubic(), [1e-3], [-1e3]).rows[1]
    flat = check_gradient(SquaredError(), [1e-3], [-1e3]).rows[1]
    # a step h is off by h^2, one twice as long by 4 h^2
    assert bent.absolute == pytest.approx(0, abs=bent.allowed / 2)
    assert bent.allowed > flat.allowed
    wide = check_gradient(Cubic(), [1e4], [1e4]).rows[1]
    h = STEP * 1e4
    assert wide.absolute == pytest.approx(h**2, rel=1e-6)
    assert wide.allowed == pytest.approx(6 * 3 * h**2, rel=1e-6)


def test_numbers_that_are_equal_have_no_error_and_no_place():
    hits = check_gradient(SquaredError(), [1.0, 2.0], [1.0, 2.0]).rows[0]
    assert (hits.absolute, hits.relative) == (0.0, 0.0)
    assert hits.where == "no difference"


def test_the_relative_error_is_the_largest_of_all_entries():
    def slip(gradient):
        return gradient + np.array([0.0, 1e-3, 0.5])

    scores, targets = [0.5, 0.001, 9.0], [0.5, 0.0, 0.0]  # gradients 0, 0.001 and 1
    row = check_gradient(Spoilt(spoil=slip), scores, targets).rows[0]
    assert row.absolute == pytest.approx(0.5)
    assert row.relative == pytest.approx(0.5)  # 0.001 of 0.002
    assert row.where == "score 9, target 0"
    lone = check_gradient(Spoilt(spoil=lambda g: g + 1e-3), [0.5], [0.5]).rows[0]
    assert (lone.absolute, lone.relative) == (1e-3, 1.0)
    infinite = check_gradient(Spoilt(spoil=lambda g: g * np.inf), [3.0], [0.0]).rows[0]
    assert (infinite.absolute, infinite.relative) == (np.inf, np.inf)


def test_of_entries_that_differ_the_worst_is_named_though_another_is_allowed_more():
    class Bent(SquaredError):
        def _value(self, scores, targets):
            return (scores > 100) * scores**3 + (scores - targets) ** 2

        def _gradient(self, scores, targets):
            slip = 1e-6 * (scores < 100)
            return (scores > 100) * 3 * scores**2 + 2 * (scores - targets) + slip

    row = check_gradient(Bent(), [1.0, 1e4], [0.0, 0.0]).rows[1]
    assert not row.agrees
    assert row.where == "score 1, target 0"
    assert row.absolute == pytest.approx(1e-6, rel=1e-3)
    both = check_gradient(Bent(), [1e4], [0.0]).rows[1]
    assert both.agrees and both.absolute > 1e-5


def test_any_slope_between_the_two_at_a_kink_is_a_subgradient_and_no_other_is():
    @dataclass(frozen=True)
    class AtTheKink(AbsoluteError):
        slope: float = 0.0

        def _gradient(self, scores, targets):
            return np.where(
                scores == targets, self.slope, super()._gradient(scores, targets)
            )

    def by_differences(slope):
        return check_gradient(AtTheKink(slope), SCORES, TARGETS).rows[1].agrees

    assert [by_differences(slope) for slope in (-1.0, -0.3, 0.0, 1.0)] == [True] * 4
    assert [by_differences(slope) for slope in (-1.1, 1.001, 2.0)] == [False] * 3


def test_differences_do_not_take_a_curve_for_a_kink():
    class Slip(SquaredError):
        def _gradient(self, scores, targets):
            return (
                super()._gradient(scores, targets) + 1e-6
            )  # less than the slope changes within a step

    assert ("gradient", "central differences") in refused(
        check_gradient(Slip(), [0.5], [0.0])
    )


def test_a_value_that_is_not_that_of_the_reference_is_refused():
    half = HuberLoss(delta=1e4)  # half the squared error
    check = check_gradient(
        half, SCORES, TARGETS, reference=torch.nn.MSELoss(reduction="none")
    )
    assert refused(check) == {
        ("value", "torch.nn.MSELoss"),
        ("gradient", "autograd of torch.nn.MSELoss"),
    }


def test_a_derivation_of_something_else_is_refused_in_its_row_alone():
    class WithTheWrongPage(SquaredError):
        def derivation(self):
            right = super().derivation()
            *lines, last = right.lines
            return Derivation(
                right.name, [*lines, Line(2 * last.expression, "a slip")], right.where
            )

    assert refused(check_gradient(WithTheWrongPage(), SCORES, TARGETS)) == {
        ("gradient", "derivation")
    }


def test_the_table_shows_every_comparison_and_says_which_differ():
    check = check_gradient(
        Spoilt(spoil=lambda g: -g),
        SCORES,
        TARGETS,
        reference=torch.nn.HuberLoss(reduction="none"),
    )
    html = check._repr_html_()
    head, body = ElementTree.fromstring(html)
    titles = [cell.text for cell in head[0]]
    cells = [[cell.text for cell in row] for row in body]
    assert "".join(ElementTree.fromstring(html).itertext()) == "".join(
        itertools.chain(titles, *cells)
    )
    assert titles == [
        *("compared", "against", "verdict", "largest error"),
        *("relative", "allowed", "worst at"),
    ]
    assert {cell.get("scope") for cell in head[0]} == {"col"}
    assert [row[2] for row in cells] == ["agrees", "DIFFERS", "DIFFERS", "DIFFERS"]
    assert [row[:2] for row in cells] == [
        [row.compared, row.against] for row in check.rows
    ]
    assert float(cells[1][3]) == pytest.approx(check.rows[1].absolute, rel=0.05)
    bound = float(cells[0][3].removeprefix("< "))
    assert bound == float(cells[0][5]) and check.rows[0].allowed <= bound < 1e-11
    assert cells[0][4] == cells[0][6] == "-"
    heading, *lines = repr(check).splitlines()
    for row, line in zip([titles, *cells], [heading, *lines], strict=True):
        assert re.split(r"\s{2,}", line) == row
        assert line == line.rstrip()
    for title in titles:  # a column starts in the same place in every line
        at = heading.index(title)
        assert all(line[at - 1 : at].strip() == "" != line[at] for line in lines)
    assert html.startswith('<table class="gradient-check"><thead>')


@pytest.mark.parametrize(
    "absolute, agrees, shown",
    [
        (5e-9, True, ["< 1e-07", "-", "-"]),
        (1e-8, True, ["1.0e-08", "2.0e-03", "here"]),
        (5e-9, False, ["5.0e-09", "2.0e-03", "here"]),
    ],
)
def test_an_error_that_may_be_rounding_is_shown_by_its_bound(absolute, agrees, shown):
    row = Agreement("a", "b", absolute, 2e-3, 3e-8, "here", agrees)
    cells = re.split(r"\s{2,}", repr(GradientCheck((row,))).splitlines()[1])
    assert cells[3:5] + cells[6:] == shown and cells[5] == "1e-07"


def test_two_infinities_do_not_agree():
    row = _agreement("a", "b", [np.inf, 1.0], [np.inf, 1.0], 1e-9, ["first", "second"])
    assert (row.absolute, row.where, row.agrees) == (np.inf, "first", False)


def test_the_targets_reach_the_derivation():
    loss = ClassBalancedLoss(BinaryCrossEntropy(), (90, 7))
    assert check_gradient(loss, [0.5, -1.0, 2.0], [0, 1, 1]).agrees


def test_arrays_that_run_backwards_are_checked_too():
    backwards = SCORES[::-1], TARGETS[::-1]
    assert check_gradient(SquaredError(), *backwards).agrees
    model, targets = MODELS["one score"]
    backwards = FEATURES[::-1], targets[::-1]
    assert check_parameter_gradients(model, SquaredError(), *backwards).agrees


@pytest.mark.parametrize(
    "check, error, message",
    [
        (
            lambda: check_gradient("loss", [1.0], [1.0]),
            TypeError,
            "loss must be a loss, with value_and_gradient and derivation, got",
        ),
        (
            lambda: check_parameter_gradients("model", SquaredError(), [[1.0]], [1.0]),
            TypeError,
            "model must be a model, with scores and gradients and parameters and ",
        ),
        (
            lambda: check_parameter_gradients(
                Linear([1e200]), SquaredError(), [[1e100]], [1.0]
            ),
            ValueError,
            "model must have a finite mean loss, got inf",
        ),
        (
            lambda: check_gradient(
                SquaredError(), [1.0], [1.0], reference=lambda s, t: 1.0
            ),
            ValueError,
            r"reference must give .* of shape \(1,\), got \('float',\)",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:overflow")
def test_what_cannot_be_checked_is_refused_by_name(check, error, message):
    with pytest.raises(error, match=f"^{message}"):
        check()


def test_the_table_escapes_what_it_shows():
    def less_than_1(scores, targets):
        return (scores - targets) ** 2

    less_than_1.__name__ = "<lambda>"
    html = check_gradient(
        SquaredError(), SCORES, TARGETS, reference=less_than_1
    )._repr_html_()
    assert "&lt;lambda&gt;" in html and "<lambda>" not in html


@pytest.mark.parametrize("shape", [(), (1,), (2, 3), (2, 1, 2)])
def test_scores_may_have_any_shape(shape):
    assert check_gradient(SquaredError(), np.full(shape, 1.5), np.zeros(shape)).agrees


def test_float32_scores_are_checked_in_float64():
    assert check_gradient(HuberLoss(), np.float32(SCORES), np.float32(TARGETS)).agrees


@pytest.mark.parametrize(
    "scores, targets, message",
    [
        ([], [], "scores must hold at least one number"),
        ([1.0], [1.0, 2.0], "targets must have the shape of scores"),
        ([np.nan], [1.0], "scores must be finite"),
        ([1.0], [np.inf], "targets must be finite"),
    ],
)
def test_bad_input_is_refused_by_name(scores, targets, message):
    with pytest.raises(ValueError, match=message):
        check_gradient(SquaredError(), scores, targets)


FEATURES = RNG.standard_normal((12, 3))
MODELS = {
    "one score": (Linear([0.5, -1.0, 2.0], 0.3), RNG.standard_normal(12)),
    "two scores": (
        Linear(RNG.standard_normal((3, 2)), [0.1, -0.2]),
        RNG.standard_normal((12, 2)),
    ),
}
every_model = pytest.mark.parametrize("model, targets", MODELS.values(), ids=MODELS)


@every_model
@every_pair
def test_right_parameter_gradients_agree(model, targets, loss, reference):
    check = check_parameter_gradients(
        model, loss, FEATURES, targets, reference=reference
    )
    assert check.agrees
    assert [row.compared for row in check.rows] == [
        "weights",
        "weights",
        "bias",
        "bias",
    ]
    assert check_parameter_gradients(model, loss, FEATURES, targets).agrees


def test_parameters_and_features_of_float32_are_checked_in_float64():
    model, targets = MODELS["one score"]
    model = Linear(np.float32(model.weights), np.float32(model.bias))
    features = np.float32(FEATURES)
    assert check_parameter_gradients(model, SquaredError(), features, targets).agrees


def test_the_reference_of_parameters_is_named_and_so_is_a_lone_bias():
    model = type("Slip", (Slips,), {"slip": "bias forgotten"})([0.5, -1.0, 2.0], 0.3)
    rows = check_parameter_gradients(
        model,
        SquaredError(),
        FEATURES,
        MODELS["one score"][1],
        reference=torch.nn.MSELoss(reduction="none"),
    ).rows
    assert [row.against for row in rows[::2]] == 2 * ["autograd of torch.nn.MSELoss"]
    assert [row.where for row in rows[2:]] == ["bias", "bias"]


def test_a_reference_without_a_name_is_called_the_reference():
    nameless = functools.partial(torch.nn.functional.mse_loss, reduction="none")
    value, through, *_ = check_gradient(
        SquaredError(), [1.0], [0.5], reference=nameless
    ).rows
    assert value.against == "the reference"
    assert through.against == "autograd of the reference"


def test_features_and_targets_may_be_lists_and_features_float32():
    model, targets = MODELS["one score"]
    for features in (FEATURES.tolist(), FEATURES.astype(np.float32)):
        assert check_parameter_gradients(
            model, SquaredError(), features, targets.tolist()
        ).agrees


class Slips(Linear):
    """A linear layer with one slip in its gradients."""

    slips = {
        "bias forgotten": lambda x, g, right: {**right, "bias": 0 * right["bias"]},
        "sum for mean": lambda x, g, right: {
            name: len(x) * value for name, value in right.items()
        },
        "wrong feature": lambda x, g, right: {
            **right,
            "weights": right["weights"][::-1],
        },
        "relative 1e-9": lambda x, g, right: {
            **right,
            "weights": right["weights"] * (1 + 1e-9),
        },
        "NaN": lambda x, g, right: {**right, "bias": right["bias"] * np.nan},
    }

    def gradients(self, features, score_gradient):
        return self.slips[self.slip](
            features, score_gradient, super().gradients(features, score_gradient)
        )


@pytest.mark.parametrize(
    "slip, parameters",
    [
        ("bias forgotten", {"bias"}),
        ("sum for mean", {"weights", "bias"}),
        ("wrong feature", {"weights"}),
        ("relative 1e-9", {"weights"}),
        ("NaN", {"bias"}),
    ],
)
def test_wrong_parameter_gradients_are_refused_in_their_rows(slip, parameters):
    model = type("Slip", (Slips,), {"slip": slip})([0.5, -1.0, 2.0], 0.3)
    check = check_parameter_gradients(
        model, SquaredError(), FEATURES, MODELS["one score"][1]
    )
    refusing = {
        name for name, against in refused(check) if against == "autograd of value"
    }
    assert refusing == parameters
    if slip != "relative 1e-9":  # a difference quotient cannot see as sharply
        assert refused(check) == {
            (name, against)
            for name in parameters
            for against in ("autograd of value", "central differences")
        }


def test_the_worst_parameter_is_named_by_its_index():
    class Slip(Linear):
        def gradients(self, features, score_gradient):
            right = super().gradients(features, score_gradient)
            return {**right, "weights": right["weights"] + [0, 0.5, 0]}

    check = check_parameter_gradients(
        Slip([0.5, -1.0, 2.0]), SquaredError(), FEATURES, MODELS["one score"][1]
    )
    assert [row.where for row in check.rows[:2]] == ["weights[1]", "weights[1]"]


# Losses of classes

LOGITS = 2 * RNG.standard_normal((30, 4))
LOGITS[:3] = [[0, 0, 0, 0], [1, 1, -2, 1], [0, 20, 0, -20]]
LABELS = np.arange(30) % 4
BITS = np.arange(60) % 2
OF_CLASSES = [
    (BinaryCrossEntropy(), torch.nn.BCEWithLogitsLoss(reduction="none"), SCORES, BITS),
    *(
        (
            CrossEntropy(ls),
            torch.nn.CrossEntropyLoss(reduction="none", label_smoothing=ls),
            LOGITS,
            LABELS,
        )
        for ls in (0.0, 0.1, 1.0)
    ),
]


@pytest.mark.parametrize(
    "loss, reference, scores, targets",
    OF_CLASSES,
    ids=[str(row[0]) for row in OF_CLASSES],
)
def test_a_right_gradient_of_a_loss_of_classes_agrees(loss, reference, scores, targets):
    check = check_gradient(loss, scores, targets, reference=reference)
    assert check.agrees
    name = f"torch.nn.{type(reference).__name__}"
    assert [(row.compared, row.against) for row in check.rows] == [
        ("value", name),
        ("gradient", f"autograd of {name}"),
        ("gradient", "central differences"),
        ("gradient", "derivation"),
    ]
    check = check_gradient(loss, scores.tolist(), targets.tolist())
    assert check.agrees
    assert check.rows[0].against == "autograd of value"


@settings(max_examples=40)
@given(
    scores=st.lists(
        st.one_of(st.floats(-300, 300), st.just(0.0)), min_size=1, max_size=4
    ),
    smoothing=st.one_of(st.just(0.0), st.floats(0, 1)),
    data=st.data(),
)
def test_a_right_gradient_of_a_loss_of_classes_is_never_refused(
    scores, smoothing, data
):
    target = data.draw(st.integers(0, len(scores) - 1))
    assert check_gradient(CrossEntropy(smoothing), [scores], [target]).agrees
    bits = [data.draw(st.integers(0, 1)) for _ in scores]
    assert check_gradient(BinaryCrossEntropy(), scores, bits).agrees


@pytest.mark.parametrize("shape", [(), (1,), (3,), (2, 3)])
@pytest.mark.parametrize("n_classes", [1, 2, 3])
def test_scores_of_classes_may_have_any_shape(shape, n_classes):
    scores = np.linspace(-2, 2, int(np.prod(shape)) * n_classes)
    targets = np.arange(int(np.prod(shape))).reshape(shape) % n_classes
    scores = scores.reshape(*shape, n_classes)
    assert check_gradient(CrossEntropy(0.2), scores, targets).agrees


def transposed(g):
    return g[:4].T.ravel().tolist() + g[4:].ravel().tolist()


@dataclass(frozen=True)
class SpoiltClasses(CrossEntropy):
    """A cross-entropy whose gradient was spoilt."""

    spoil: object = field(default=None, compare=False)

    def _value_and_gradient(self, scores, targets):
        value, gradient = super()._value_and_gradient(scores, targets)
        if isinstance(gradient, np.ndarray):
            gradient = self.spoil(gradient, scores, targets)
        return value, gradient

    def derivation_values(self, targets):
        return {"xi": self.label_smoothing}


def with_column(g, c, values):
    spoilt = g.copy()
    spoilt[:, c] = values
    return spoilt


WRONG_CLASSES = {
    "sign": lambda g, z, y: -g,
    "relative 1e-9": lambda g, z, y: g * (1 + 1e-9),
    "shifted": lambda g, z, y: g + 1e-9,
    "one class": lambda g, z, y: with_column(g, 2, g[:, 2] + 1e-6),
    "one class zero": lambda g, z, y: with_column(g, 3, 0.0),
    "classes turned": lambda g, z, y: g[:, ::-1],
    "transposed": lambda g, z, y: np.reshape(transposed(g), g.shape),
    "samples in another order": lambda g, z, y: g[::-1],
    "the next class": lambda g, z, y: CrossEntropy(0.1).gradient(z, (y + 1) % 4),
    "no smoothing": lambda g, z, y: CrossEntropy().gradient(z, y),
    "other smoothing": lambda g, z, y: CrossEntropy(0.1 + 1e-8).gradient(z, y),
    "smoothing over the other classes": lambda g, z, y: (
        g + 0.1 / 4 - np.where(one_hot(y, z), 0.1 / 4, 0.1 / 3)
    ),
    "divided by the classes": lambda g, z, y: g / 4,
    "the mean taken too early": lambda g, z, y: g / len(g),
    "NaN": lambda g, z, y: with_column(g, 1, np.nan),
}


@pytest.mark.parametrize("spoil", WRONG_CLASSES.values(), ids=WRONG_CLASSES)
def test_a_wrong_gradient_of_classes_is_refused_and_a_right_value_is_not(spoil):
    reference = torch.nn.CrossEntropyLoss(reduction="none", label_smoothing=0.1)
    loss = SpoiltClasses(0.1, spoil=spoil)
    check = check_gradient(loss, LOGITS, LABELS, reference=reference)
    by_autograd = ("gradient", "autograd of torch.nn.CrossEntropyLoss")
    others = {by_autograd, ("gradient", "derivation")}
    slight = spoil in (
        WRONG_CLASSES["relative 1e-9"],
        WRONG_CLASSES["shifted"],
        WRONG_CLASSES["other smoothing"],
    )
    if slight:  # about what a difference quotient can see
        assert (
            others <= refused(check) <= others | {("gradient", "central differences")}
        )
    else:
        assert refused(check) == others | {("gradient", "central differences")}


def test_the_worst_entry_of_classes_is_named_by_sample_and_class():
    def slip(g, scores, targets):
        spoilt = g.copy()
        spoilt[7, 2] += 0.25
        return spoilt

    check = check_gradient(SpoiltClasses(spoil=slip), LOGITS, LABELS)
    assert {row.where for row in check.rows} == {"scores[7, 2]"}
    assert check.rows[0].absolute == pytest.approx(0.25)
    other = torch.nn.CrossEntropyLoss(reduction="none", label_smoothing=0.5)
    value = check_gradient(CrossEntropy(), LOGITS, LABELS, reference=other).rows[0]
    assert not value.agrees and re.fullmatch(r"sample \[\d+\]", value.where)


def test_a_derivation_of_other_targets_is_refused_in_its_row_alone():
    class WithTheWrongPage(CrossEntropy):
        def derivation_values(self, targets):
            return {"xi": self.label_smoothing + 0.01}

    assert refused(check_gradient(WithTheWrongPage(0.1), LOGITS, LABELS)) == {
        ("gradient", "derivation")
    }


@pytest.mark.parametrize(
    "scores, targets, error, message",
    [
        (np.zeros((0, 3)), [], ValueError, "scores must hold at least one number"),
        ([[0.0, 1.0]], [2], ValueError, "targets must be classes from 0 to 1, got 2"),
        ([[0.0, 1.0]], [0.0], TypeError, "targets must be integer classes"),
        ([[0.0, 1.0]], [0, 1], ValueError, "targets must have the shape of scores"),
        ([[0.0, np.nan]], [0], ValueError, "scores must be finite"),
        ([[0.0, 1.0]], ["a"], TypeError, "targets must be an array or numbers"),
    ],
)
def test_bad_classes_are_refused_by_name(scores, targets, error, message):
    with pytest.raises(error, match=message):
        check_gradient(CrossEntropy(), scores, targets)


def test_parameter_gradients_of_losses_of_classes_agree():
    two = Linear([0.5, -1.0, 2.0], 0.3), BinaryCrossEntropy(), np.arange(12.0) % 2
    four = (
        Linear(RNG.standard_normal((3, 4)), [0.1, -0.2, 0, 1]),
        CrossEntropy(0.1),
        np.arange(12) % 4,
    )
    references = (
        torch.nn.BCEWithLogitsLoss(reduction="none"),
        torch.nn.CrossEntropyLoss(reduction="none", label_smoothing=0.1),
    )
    for (model, loss, targets), reference in zip((two, four), references, strict=True):
        for given_ in (reference, None):
            assert check_parameter_gradients(
                model, loss, FEATURES, targets, reference=given_
            ).agrees


def test_integer_classes_are_what_a_binary_reference_gets_as_floats():
    features, targets = gaussians([[0, 0], [2, 1]], np.eye(2), [5, 5], random_state=0)
    reference = torch.nn.BCEWithLogitsLoss(reduction="none")
    model = Linear([0.3, -0.2], 0.1)
    assert check_parameter_gradients(
        model, BinaryCrossEntropy(), features, targets, reference=reference
    ).agrees


@pytest.mark.filterwarnings("error")
def test_scores_beyond_the_range_of_the_exponential_agree_with_the_derivation():
    far = np.array([-800.0, 800.0, -1e4, 1e4])
    rows = check_gradient(BinaryCrossEntropy(), far, [1, 0, 0, 1]).rows
    assert [row.agrees for row in rows] == [True, True, True]
    rows = check_gradient(CrossEntropy(), [[1e4, 0, -1e4]], [0]).rows
    assert [row.agrees for row in rows] == [True, True, True]
