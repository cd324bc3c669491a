"""TorchLoss: the closed form as a module of PyTorch, held against autograd through the
definition and against PyTorch's own losses."""

import copy
import pickle

import numpy as np
import pytest
import torch

from lossbook import torch_loss
from lossbook.losses import (
    AbsoluteError,
    AsymmetricLoss,
    BinaryCrossEntropy,
    BinaryFocalLoss,
    ClassBalancedLoss,
    CrossEntropy,
    FocalLoss,
    HuberLoss,
    LogitAdjustedLoss,
    SquaredError,
    WeightedBinaryCrossEntropy,
    WeightedCrossEntropy,
)
from lossbook.torch_loss import TorchLoss

COUNTS = (40, 20, 8, 2)
LOSSES = [
    SquaredError(),
    AbsoluteError(),
    HuberLoss(0.7),
    BinaryCrossEntropy(),
    WeightedBinaryCrossEntropy(3.0, 0.5),
    BinaryFocalLoss(),
    BinaryFocalLoss(gamma=0.5, alpha=None),
    AsymmetricLoss(),
    AsymmetricLoss(gamma_pos=1, gamma_neg=0.5, margin=0.1),
    CrossEntropy(),
    CrossEntropy(label_smoothing=0.2),
    WeightedCrossEntropy((1.0, 2.0, 0.5, 9.0)),
    FocalLoss(),
    FocalLoss(gamma=0.5, weights=(1.0, 2.0, 0.5, 9.0)),
    ClassBalancedLoss(CrossEntropy(), COUNTS),
    ClassBalancedLoss(FocalLoss(), COUNTS, beta=0.9),
    ClassBalancedLoss(BinaryFocalLoss(), COUNTS),  # one-hot
    ClassBalancedLoss(BinaryCrossEntropy(), (40, 3)),
    LogitAdjustedLoss((0.6, 0.2, 0.15, 0.05)),
]
every_loss = pytest.mark.parametrize("loss", LOSSES, ids=str)
every_reduction = pytest.mark.parametrize("reduction", ["mean", "sum", "none"])


def base(loss):
    return getattr(loss, "base", loss)


def samples(loss, n=12, dtype=torch.float64, seed=0):
    """Scores and targets as the loss takes them; no score on a kink."""
    random = torch.Generator().manual_seed(seed)
    softmax = isinstance(base(loss), CrossEntropy | WeightedCrossEntropy | FocalLoss)
    softmax = softmax or isinstance(loss, LogitAdjustedLoss)
    one_hot = isinstance(loss, ClassBalancedLoss) and len(loss.counts) > 2
    shape = (n, 4) if softmax or one_hot else (n,)
    scores = 2 * torch.randn(shape, generator=random, dtype=torch.float64)
    classes = torch.randint(4, (n,), generator=random)
    if softmax:
        targets = classes
    elif one_hot:
        targets = torch.nn.functional.one_hot(classes, 4)
    elif isinstance(loss, SquaredError | AbsoluteError | HuberLoss):
        targets = torch.randn(n, generator=random, dtype=torch.float64).to(dtype)
    else:
        targets = classes == 0
    return scores.to(dtype).requires_grad_(), targets


def reduced(values, reduction):
    return values if reduction == "none" else getattr(values, reduction)()


@every_loss
@every_reduction
def test_value_and_gradient_are_those_of_autograd_through_the_definition(
    loss, reduction
):
    scores, targets = samples(loss)
    value = TorchLoss(loss, reduction)(scores, targets)
    expected = reduced(loss.value(scores, targets), reduction)
    torch.testing.assert_close(value, expected, rtol=1e-14, atol=1e-15)
    along = torch.linspace(0.5, 2, value.numel(), dtype=torch.float64)
    along = along.reshape(value.shape)
    (gradient,) = torch.autograd.grad((value * along).sum(), scores)
    (slope,) = torch.autograd.grad((expected * along).sum(), scores)
    torch.testing.assert_close(gradient, slope, rtol=1e-12, atol=1e-15)


@every_loss
@every_reduction
def test_the_gradient_passes_gradcheck(loss, reduction):
    scores, targets = samples(loss, n=5)
    module = TorchLoss(loss, reduction)
    assert torch.autograd.gradcheck(lambda s: module(s, targets), (scores,))


@pytest.mark.parametrize(
    "loss, theirs",
    [
        (SquaredError(), torch.nn.MSELoss),
        (HuberLoss(), torch.nn.HuberLoss),
        (BinaryCrossEntropy(), torch.nn.BCEWithLogitsLoss),
        (CrossEntropy(), torch.nn.CrossEntropyLoss),
    ],
)
@every_reduction
def test_the_reductions_are_those_of_pytorch(loss, theirs, reduction):
    scores, targets = samples(loss)
    if isinstance(loss, BinaryCrossEntropy):
        targets = targets.double()
    value = TorchLoss(loss, reduction)(scores, targets)
    torch.testing.assert_close(value, theirs(reduction=reduction)(scores, targets))


@pytest.mark.parametrize("shape", [(4,), (3, 5), (2, 3, 4), ()])
def test_an_elementwise_mean_is_over_all_entries(shape):
    scores, targets = torch.randn(shape, requires_grad=True), torch.zeros(shape)
    value = TorchLoss(SquaredError())(scores, targets)
    torch.testing.assert_close(value, torch.nn.functional.mse_loss(scores, targets))


@every_loss
@every_reduction
def test_a_large_batch_in_pieces_is_the_batch_as_a_whole(loss, reduction, monkeypatch):
    scores, targets = samples(loss, n=37)
    results = []
    for piece in (10**6, 40, 1):
        monkeypatch.setattr(torch_loss, "PIECE", piece)
        value = TorchLoss(loss, reduction)(scores, targets)
        results.append((value, *torch.autograd.grad(value.sum(), scores)))
    for other in results[1:]:
        for ours, whole in zip(other, results[0], strict=True):
            torch.testing.assert_close(ours, whole, rtol=1e-13, atol=1e-16)


@every_loss
def test_one_tensor_of_the_size_of_the_scores_is_kept_for_the_backward_pass(loss):
    scores, targets = samples(loss)
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(
        lambda t: kept.append(t.shape) or t, lambda t: t
    ):
        TorchLoss(loss)(scores, targets)
    assert kept == [scores.shape]


@every_loss
@pytest.mark.parametrize("half", [torch.float16, torch.bfloat16])
def test_half_precision_scores_are_computed_in_float32(loss, half):
    scores, targets = samples(loss, dtype=half)
    value = TorchLoss(loss)(scores, targets)
    value.backward()
    wide = scores.detach().float().requires_grad_()
    expected = TorchLoss(loss)(wide, targets)
    expected.backward()
    assert value.dtype == torch.float32 and scores.grad.dtype == half
    assert torch.equal(value, expected)
    assert torch.equal(scores.grad, wide.grad.to(half))


@every_loss
@pytest.mark.parametrize("half", [torch.float16, torch.bfloat16])
def test_under_autocast_a_model_and_its_loss_train(loss, half):
    scores, targets = samples(loss)
    layer = torch.nn.Linear(3, scores.shape[-1] if scores.ndim == 2 else 1)
    features = torch.randn(len(scores), 3)
    with torch.autocast("cpu", dtype=half):
        out = layer(features)
        assert out.dtype == half
        value = TorchLoss(loss)(out if scores.ndim == 2 else out[:, 0], targets)
    value.backward()
    assert value.dtype == torch.float32
    assert torch.isfinite(layer.weight.grad).all() and layer.weight.grad.abs().sum() > 0


@every_loss
def test_it_compiles_in_one_graph_to_the_same_numbers(loss):
    torch._dynamo.reset()
    module = TorchLoss(loss)
    compiled = torch.compile(module, fullgraph=True, backend="aot_eager")
    results = []
    for function in (module, compiled):
        scores, targets = samples(loss, dtype=torch.float32)
        value = function(scores, targets)
        value.backward()
        results.append((value.detach(), scores.grad))
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-7)


@every_loss
def test_extreme_logits_give_finite_values_and_gradients(loss):
    shape = samples(loss)[0].shape
    extremes = torch.tensor([1e4, -1e4, 0, 88, -104, 1e-40]).repeat(8)
    scores = extremes[: shape.numel()].reshape(shape).requires_grad_()
    value = TorchLoss(loss, "sum")(scores, samples(loss)[1])
    value.backward()
    assert torch.isfinite(value) and torch.isfinite(scores.grad).all()


def test_scores_that_need_no_gradient_and_evaluation_without_one():
    scores, targets = samples(FocalLoss())
    module = TorchLoss(FocalLoss())
    with torch.no_grad():
        value = module(scores, targets)
    assert not value.requires_grad
    assert torch.equal(value, module(scores.detach(), targets))


def test_a_second_derivative_is_refused_instead_of_wrong():
    scores, targets = samples(BinaryFocalLoss())
    value = TorchLoss(BinaryFocalLoss())(scores**2, targets)
    with pytest.raises(RuntimeError, match="TorchLoss can be differentiated once"):
        torch.autograd.grad(value, scores, create_graph=True)


def test_the_backward_pass_can_be_repeated():
    scores, targets = samples(FocalLoss())
    value = TorchLoss(FocalLoss())(scores, targets)
    first = torch.autograd.grad(value, scores, retain_graph=True)[0].clone()
    assert torch.equal(first, torch.autograd.grad(value, scores)[0])


def test_it_is_a_module_that_can_be_copied_saved_and_shown():
    module = TorchLoss(ClassBalancedLoss(FocalLoss(), COUNTS), reduction="sum")
    scores, targets = samples(module.loss)
    for again in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        assert torch.equal(again(scores, targets), module(scores, targets))
    assert "FocalLoss(gamma=2.0" in repr(module) and "reduction='sum'" in repr(module)
    assert list(module.parameters()) == [] and module.state_dict() == {}


FLOATS = torch.zeros(3)
REFUSED = [
    (
        "loss",
        lambda: TorchLoss(torch.nn.MSELoss()),
        TypeError,
        "loss must be .*MSELoss",
    ),
    ("class", lambda: TorchLoss(FocalLoss), TypeError, "loss must be a loss"),
    (
        "reduction",
        lambda: TorchLoss(FocalLoss(), "avg"),
        ValueError,
        "reduction must be one of mean, sum, none, got 'avg'",
    ),
    (
        "array",
        lambda: TorchLoss(BinaryCrossEntropy())(np.zeros(3), FLOATS),
        TypeError,
        "scores must be a tensor, got ndarray",
    ),
    (
        "list",
        lambda: TorchLoss(BinaryCrossEntropy())(FLOATS, [0, 1, 1]),
        TypeError,
        "targets must be a tensor, got list",
    ),
    (
        "integers",
        lambda: TorchLoss(BinaryCrossEntropy())(FLOATS.long(), FLOATS),
        TypeError,
        "scores must be float32 or float64, got torch.int64",
    ),
    (
        "shapes",
        lambda: TorchLoss(BinaryCrossEntropy())(FLOATS[:, None], FLOATS),
        ValueError,
        r"targets must have the shape of scores, \(3, 1\), got \(3,\)",
    ),
    (
        "floats as classes",
        lambda: TorchLoss(CrossEntropy())(torch.zeros(3, 2), FLOATS),
        TypeError,
        "targets must be integer classes, got torch.float32",
    ),
    (
        "number of classes",
        lambda: TorchLoss(LogitAdjustedLoss((0.5, 0.5)))(
            torch.zeros(3, 4), FLOATS.long()
        ),
        ValueError,
        "scores must have 2 classes",
    ),
    (
        "mean of nothing",
        lambda: TorchLoss(CrossEntropy())(torch.zeros(0, 4), torch.zeros(0).long()),
        ValueError,
        "scores must hold a sample to take a mean over, got none",
    ),
]


@pytest.mark.parametrize(
    "call, error, message",
    [row[1:] for row in REFUSED],
    ids=[row[0] for row in REFUSED],
)
def test_bad_input_is_refused_by_name(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_the_sum_of_nothing_is_zero_and_none_of_nothing_is_empty():
    scores, targets = torch.zeros(0, 4, requires_grad=True), torch.zeros(0).long()
    total = TorchLoss(CrossEntropy(), "sum")(scores, targets)
    total.backward()
    assert total == 0 and scores.grad.shape == (0, 4)
    assert TorchLoss(CrossEntropy(), "none")(scores, targets).shape == (0,)


def test_a_step_of_training_is_that_of_the_plain_loop():
    random = torch.Generator().manual_seed(0)
    features = torch.randn(50, 2, generator=random, dtype=torch.float64)
    targets = torch.randint(3, (50,), generator=random)
    paths = []
    for criterion in (TorchLoss(CrossEntropy()), torch.nn.CrossEntropyLoss()):
        torch.manual_seed(0)
        model = torch.nn.Linear(2, 3, dtype=torch.float64)
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
        for _ in range(20):
            optimizer.zero_grad()
            criterion(model(features), targets).backward()
            optimizer.step()
        paths.append(model.weight.detach())
    torch.testing.assert_close(*paths, rtol=1e-10, atol=1e-12)
