"""The comparison keeps its own rules, and its results file is what the code would write.

The adaptors and measures are compared with the losses of the package, with scikit-learn,
SciPy and sums written out; the file with a brute-force reading of itself, with theory,
and with a round that is played again.
"""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm, ttest_1samp
from sklearn.metrics import (
    average_precision_score,
    balanced_accuracy_score,
    f1_score,
    log_loss,
    recall_score,
)

from lossbook import comparison
from lossbook.datasets import bayes_classifier, error_rates, gaussians
from lossbook.linear import Linear
from lossbook.losses import (
    AsymmetricLoss,
    BinaryCrossEntropy,
    BinaryFocalLoss,
    ClassBalancedLoss,
    LogitAdjustedLoss,
    WeightedBinaryCrossEntropy,
    WeightedCrossEntropy,
)

DOCUMENT = comparison.load()
RESULTS = DOCUMENT["results"]
GROUPS = [(p, s) for p in RESULTS for s in RESULTS[p]]
ENTRIES = [
    (p, s, name) for p, s in GROUPS for name in RESULTS[p][s] if name != "ceiling"
]
FLOOR = norm.cdf(-1)  # the two means are two standard deviations apart
RNG = np.random.default_rng(0)
SCORES, ONES = 3 * RNG.standard_normal((40, 3)), RNG.integers(0, 2, (40, 3)) * 1.0
COUNTS = np.array([[90.0, 50.0, 97.0], [10.0, 50.0, 3.0]])


# The results file


def test_the_file_was_written_with_the_settings_that_the_module_has_now():
    assert DOCUMENT["settings"] == comparison.settings()


def test_every_contender_has_the_same_budget_of_different_candidates():
    for problem in comparison.PROBLEMS.values():
        for contender in problem.contenders.values():
            assert len(set(contender.candidates)) == comparison.BUDGET


def test_every_contender_was_played_in_every_setting_with_every_seed():
    for name, problem in comparison.PROBLEMS.items():
        assert list(RESULTS[name]) == [str(s) for s in comparison.SETTINGS[name]]
        for group in RESULTS[name].values():
            assert set(group) - {"ceiling"} == set(problem.contenders)
            for entry in group.values():
                assert {len(row) for row in entry.values()} == {comparison.SEEDS[name]}
        assert comparison.SEEDS[name] >= 10


@pytest.mark.parametrize(("problem", "setting", "name"), ENTRIES)
def test_the_candidate_taken_is_the_first_of_the_best_on_validation(
    problem, setting, name
):
    entry = RESULTS[problem][setting][name]
    for row, chosen in zip(entry["validation"], entry["chosen"], strict=True):
        assert len(row) == comparison.BUDGET
        assert row[chosen] == min(row)
        assert min(row) not in row[:chosen]


def test_no_error_on_the_gaussians_is_below_the_exact_floor():
    for group in RESULTS["gaussians"].values():
        for entry in group.values():
            assert np.min(entry["test"]) >= FLOOR - 0.5e-4
    best = bayes_classifier(comparison.MEANS, comparison.COVARIANCE, [1, 1])
    errors = error_rates(best, comparison.MEANS, comparison.COVARIANCE)
    assert errors.mean() == pytest.approx(FLOOR, rel=1e-12)


def test_no_mean_average_precision_is_above_that_of_the_true_probabilities():
    for group in RESULTS["labels"].values():
        ceiling = np.array(group["ceiling"]["test"])
        for name in set(group) - {"ceiling"}:
            assert np.all(comparison.chosen_test(group, name) > ceiling)


def test_groups_add_up_to_the_error():
    for group in RESULTS["gaussians"].values():
        for name, entry in group.items():
            mean = (np.array(entry["common"]) + entry["rare"]) / 2
            assert mean == pytest.approx(comparison.chosen_test(group, name), abs=2e-4)
    for problem, sizes in (("digits", (3, 4, 3)), ("labels", (7, 6, 7))):
        for group in RESULTS[problem].values():
            for name in set(group) - {"ceiling"}:
                parts = [group[name][part] for part in ("head", "middle", "tail")]
                right = np.average(parts, axis=0, weights=sizes)
                wrong = comparison.chosen_test(group, name)
                assert 1 - right == pytest.approx(wrong, abs=2e-4)


@pytest.mark.parametrize("setting", ["1", "10"])
def test_a_round_of_the_gaussians_played_again_gives_the_stored_numbers(setting):
    played = comparison.play("gaussians", int(setting), 1)
    for name, numbers in played.items():
        stored = RESULTS["gaussians"][setting][name]
        for measure, number in numbers.items():
            expected = stored[measure][1]
            assert number == pytest.approx(expected, abs=1e-3), (name, measure)


def test_two_plays_of_a_round_with_a_network_are_equal(monkeypatch):
    monkeypatch.setattr(comparison, "STEPS", (1, 3))
    first, second = (comparison.play("digits", 50, 0) for _ in range(2))
    assert first == second


# The rules


class Cards:
    """A problem whose models are (loss, decay, step), after one, two and three steps."""

    usual_decay = 7
    seen = []

    def __init__(self, setting, seed):
        self.counts = None
        self.seen.clear()

    def fit(self, loss, decay):
        self.seen.append((loss, decay))
        return [(loss, decay, step) for step in (1, 2, 3)]

    def adjust(self, model, candidate):
        return (*model, candidate)

    def validate(self, model):
        loss, decay, step, *after = model
        return abs(loss - 30) + decay / 100 + abs(step - 2) + sum(after)

    def test(self, model):
        return 1.0

    def measure(self, model):
        return {"model": model}


def test_the_rules_on_a_problem_that_can_be_worked_out_by_hand(monkeypatch):
    def of(loss, *candidates):
        return comparison.Contender(loss, candidates, "")

    Cards.contenders = {
        "plain": of(lambda _, counts: 10, 5, 3, 4),
        "post-hoc": of(lambda _, counts: 10, 2, 1, 3),
        "other": of(lambda c, counts: c, 20, 40, 31),
    }
    monkeypatch.setitem(comparison.PROBLEMS, "cards", Cards)
    played = comparison.play("cards", 0, 0)
    # plain tunes its decay; the others have the usual one; two steps are best
    assert played["plain"]["model"] == (10, 3, 2)
    assert played["plain"]["validation"] == [20.05, 20.03, 20.04]
    # post-hoc starts from plain with its first decay, and trains nothing
    assert played["post-hoc"]["model"] == (10, 5, 2, 1)
    assert played["other"]["model"] == (31, 7, 2)
    assert [p["chosen"] for p in played.values()] == [1, 1, 2]
    assert Cards.seen == [(10, 5), (10, 3), (10, 4), (20, 7), (40, 7), (31, 7)]


# The adaptors


def assert_same(loss, reference, scores, targets):
    for ours, theirs in zip(
        loss.value_and_gradient(scores, targets), reference, strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-15)


def columns(losses):
    pairs = [
        loss.value_and_gradient(SCORES[:, c], ONES[:, c])
        for c, loss in enumerate(losses)
    ]
    return [np.stack(both, axis=1) for both in zip(*pairs, strict=True)]


def test_weighted_is_the_loss_of_the_package_label_by_label():
    loss = comparison.BINARY["weighted"].loss(1.0, COUNTS)
    each = [
        WeightedBinaryCrossEntropy(50 / positive, 50 / negative)
        for negative, positive in COUNTS.T
    ]
    assert_same(loss, columns(each), SCORES, ONES)


def test_class_balanced_is_the_loss_of_the_package_label_by_label():
    loss = comparison.BINARY["class-balanced"].loss(0.9, COUNTS)
    each = [ClassBalancedLoss(BinaryCrossEntropy(), tuple(c), 0.9) for c in COUNTS.T]
    assert_same(loss, columns(each), SCORES, ONES)


def test_weighted_focal_is_the_focal_loss_with_weights_in_the_given_ratio():
    loss = comparison.BINARY["weighted focal"].loss((2.0, 0.5), COUNTS[:, 0])
    alpha = 3 / 4  # (90 / 10) ** 0.5 = 3 to 1
    ours = loss.gradient(SCORES, ONES)
    theirs = BinaryFocalLoss(2.0, alpha).gradient(SCORES, ONES)
    ratio = ours / theirs
    np.testing.assert_allclose(ratio, ratio[0, 0], rtol=1e-12)


def test_shifted_is_the_logit_adjusted_loss_of_two_classes():
    loss = comparison.BINARY["logit-adjusted"].loss(0.75, COUNTS[:, 0])
    two = np.stack([np.zeros(40), SCORES[:, 0]], axis=1)
    value, gradient = LogitAdjustedLoss((0.9, 0.1), 0.75).value_and_gradient(
        two, ONES[:, 0].astype(int)
    )
    assert_same(loss, (value, gradient[:, 1]), SCORES[:, 0], ONES[:, 0])


def test_one_against_rest_sums_a_binary_loss_over_the_classes():
    classes = RNG.integers(0, 3, 40)
    base = AsymmetricLoss(0.0, 4.0, 0.05)
    value, gradient = base.value_and_gradient(SCORES, np.eye(3)[classes])
    loss = comparison.OneAgainstRest(base)
    assert_same(loss, (value.sum(axis=1), gradient), SCORES, classes)


def test_gradients_of_the_adaptors_are_those_of_their_values():
    for name in ("weighted", "class-balanced", "logit-adjusted"):
        contender = comparison.BINARY[name]
        loss = contender.loss(contender.candidates[0], COUNTS)
        scores = torch.tensor(SCORES, requires_grad=True)
        loss.value(scores, torch.tensor(ONES)).sum().backward()
        np.testing.assert_allclose(
            loss.gradient(SCORES, ONES), scores.grad.numpy(), rtol=1e-10, atol=1e-14
        )


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0])
def test_inverse_frequency(exponent):
    weights = comparison.inverse_frequency([80, 20], exponent)
    assert weights[1] / weights[0] == pytest.approx(4**exponent)
    assert 0.8 * weights[0] + 0.2 * weights[1] == pytest.approx(1)


def test_the_exponent_one_gives_the_balanced_weights_of_scikit_learn():
    from sklearn.utils.class_weight import compute_class_weight

    classes = np.repeat([0, 1, 2], [50, 30, 5])
    theirs = compute_class_weight("balanced", classes=np.arange(3), y=classes)
    loss = comparison.SOFTMAX["weighted"].loss(1.0, [50, 30, 5])
    assert isinstance(loss, WeightedCrossEntropy)
    assert loss.weights == pytest.approx(theirs)


# The measures


def test_balanced_error_and_f1_and_average_precision_are_those_of_scikit_learn():
    truth, guess = RNG.integers(0, 4, 90), RNG.integers(0, 4, 90)
    assert comparison.balanced_error(guess, truth, 4) == pytest.approx(
        1 - balanced_accuracy_score(truth, guess)
    )
    np.testing.assert_allclose(
        comparison.f1_scores(SCORES > 0, ONES),
        f1_score(ONES, SCORES > 0, average=None),
    )
    np.testing.assert_allclose(
        comparison.average_precisions(SCORES, ONES),
        average_precision_score(ONES, SCORES, average=None),
    )


@given(
    n=st.integers(1, 12), n_classes=st.integers(1, 4), seed=st.integers(0, 2**32 - 1)
)
def test_measures_of_any_predictions_are_those_of_scikit_learn(n, n_classes, seed):
    rng = np.random.default_rng(seed)
    truth = np.concatenate([np.arange(n_classes), rng.integers(0, n_classes, n)])
    guess = rng.integers(0, n_classes, len(truth))
    assert comparison.balanced_error(guess, truth, n_classes) == pytest.approx(
        1 - recall_score(truth, guess, average="macro")
    )
    labels, scores = rng.random((n, 3)) < rng.random(3), rng.standard_normal((n, 3))
    np.testing.assert_allclose(
        comparison.f1_scores(scores > 0, labels),
        f1_score(labels, scores > 0, average=None, zero_division=0),
    )
    ours = comparison.average_precisions(scores, labels)
    for c in range(3):
        if labels[:, c].any():
            theirs = average_precision_score(labels[:, c], scores[:, c])
            assert ours[c] == pytest.approx(theirs)
        else:
            assert np.isnan(ours[c])


@given(
    pairs=st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=20),
    bins=st.integers(1, 20),
)
def test_calibration_error_is_the_sum_over_the_bins_of_their_gaps(pairs, bins):
    gaps = {}
    for confidence, right in pairs:
        place = min(int(confidence * bins), bins - 1)
        gaps.setdefault(place, []).append(confidence - right)
    expected = sum(abs(math.fsum(gap)) for gap in gaps.values()) / len(pairs)
    confidence, right = map(np.array, zip(*pairs, strict=True))
    ours = comparison.calibration_error(confidence, right, bins)
    assert ours == pytest.approx(expected, abs=1e-12)


def test_f1_without_any_positive_is_zero():
    assert comparison.f1_scores(np.zeros((5, 1)), np.zeros((5, 1))) == [0]


def test_calibration_error_by_hand():
    confidence = np.array([0.95, 0.95, 0.95, 0.95, 0.55, 1.0])
    right = np.array([1, 1, 1, 0, 0, 1])
    # above 0.9: five, of which four are right, mean confidence 0.96; and one at 0.55
    expected = (5 * abs(0.96 - 0.8) + 1 * 0.55) / 6
    assert comparison.calibration_error(confidence, right) == pytest.approx(expected)


def test_the_best_model_is_exactly_calibrated_and_a_sharper_one_is_not():
    best = bayes_classifier(comparison.MEANS, comparison.COVARIANCE, [3, 1])
    logit = Linear(best.weights @ [-1, 1], best.bias @ [-1, 1])
    priors = 0.75, 0.25
    error, loss = comparison.exact_calibration(logit, priors)
    assert error == pytest.approx(0, abs=1e-6)
    sharper = Linear(2 * logit.weights, 2 * logit.bias)
    error_of_sharper, loss_of_sharper = comparison.exact_calibration(sharper, priors)
    assert error_of_sharper > 0.05
    assert loss_of_sharper > loss
    counts = [300_000, 100_000]
    x, y = gaussians(comparison.MEANS, comparison.COVARIANCE, counts, random_state=0)
    p = 1 / (1 + np.exp(-sharper.scores(x)))
    assert log_loss(y, p) == pytest.approx(loss_of_sharper, abs=0.005)
    assert comparison.calibration_error(p, y) == pytest.approx(
        error_of_sharper, abs=0.005
    )


@settings(max_examples=20)
@given(seed=st.integers(0, 2**32 - 1))
def test_exact_calibration_of_any_line_is_the_integral_over_its_logit(seed):
    rng = np.random.default_rng(seed)
    model, priors = Linear(rng.normal(size=2), rng.normal()), rng.dirichlet([2, 2])
    centers = np.array(comparison.MEANS) @ model.weights + model.bias
    spread = math.sqrt(model.weights @ comparison.COVARIANCE @ model.weights)

    def joint(z):
        """The density of each class at this logit, times its prior."""
        return priors * np.exp(-(((z - centers) / spread) ** 2) / 2) / scale

    def gap(z):
        return abs(joint(z).sum() / (1 + math.exp(-z)) - joint(z)[1])

    def cost(z):
        return joint(z) @ np.logaddexp(0, [z, -z])

    scale = spread * math.sqrt(2 * math.pi)
    ends = centers.min() - 9 * spread, centers.max() + 9 * spread
    expected = [quad(f, *ends, limit=500, epsabs=1e-9)[0] for f in (gap, cost)]
    ours = comparison.exact_calibration(model, priors)
    np.testing.assert_allclose(ours, expected, atol=1e-5)


def test_the_interval_is_that_of_the_t_test():
    values = RNG.standard_normal(12)
    mean, half = comparison.interval(values)
    low, high = ttest_1samp(values, 0).confidence_interval(0.95)
    assert (mean - half, mean + half) == pytest.approx((low, high))


# The problems


def test_the_linear_model_is_at_the_minimum():
    data = comparison.Gaussians(10, 0)
    loss = data.contenders["weighted"].loss(1.0, data.counts)
    (model,) = data.fit(loss, 1e-3)
    features, targets = data.training
    g = loss.gradient(model.scores(features), targets) / len(targets)
    assert np.abs(features.T @ g + 1e-3 * model.weights).max() < 1e-5
    assert abs(g.sum()) < 1e-5


def test_moving_the_logit_afterwards_equals_the_logit_adjusted_loss_of_a_free_bias():
    for group in RESULTS["gaussians"].values():
        np.testing.assert_allclose(
            group["post-hoc"]["test"], group["logit-adjusted"]["test"], atol=2e-3
        )


def test_labels_have_the_frequencies_asked_for_and_the_missing_ones_are_missing():
    clean, holed = (comparison.Labels(missing, 3) for missing in (0.0, 0.3))
    expected = np.geomspace(*comparison.FREQUENCIES, comparison.N_LABELS)
    n = len(clean.tested[1])
    allowed = 5 * np.sqrt(expected / n) + 0.01
    assert np.all(np.abs(clean.tested[1].mean(axis=0) - expected) < allowed)
    np.testing.assert_array_equal(clean.tested[1], holed.tested[1])
    before, after = clean.training[1], holed.training[1]
    assert np.all(after <= before)
    share = 1 - after.sum() / before.sum()
    assert abs(share - 0.3) < 5 * math.sqrt(0.3 * 0.7 / before.sum())
    n = comparison.LABELLED["training"]
    np.testing.assert_array_equal(holed.counts.sum(axis=0), n)


def test_the_network_is_the_one_of_pytorch_with_its_own_loss(monkeypatch):
    monkeypatch.setattr(comparison, "STEPS", (2, 5))
    data = comparison.Digits(10, 0)
    parts = (data.tested[0],)
    loss = comparison.SOFTMAX["weighted"].loss(0.5, data.counts)
    ours = comparison.train_network(loss, *data.training, parts, 10, 4, 0.1)

    torch.manual_seed(4)
    width, rate = comparison.HIDDEN, comparison.RATE
    layers = torch.nn.Linear(64, width), torch.nn.ReLU(), torch.nn.Linear(width, 10)
    network = torch.nn.Sequential(*layers).double()
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=0.1)
    x, y = map(torch.tensor, data.training)
    weight = torch.tensor(loss.weights, dtype=torch.float64)
    criterion = torch.nn.CrossEntropyLoss(weight, reduction="none")
    for step in range(1, 6):
        optimizer.zero_grad()
        criterion(network(x), y).mean().backward()
        optimizer.step()
        if step in (2, 5):
            expected = network(torch.tensor(data.tested[0])).detach().numpy()
            got = ours[(2, 5).index(step)][0]
            np.testing.assert_allclose(got, expected, atol=1e-9)
