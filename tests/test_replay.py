"""Large batches: the recorded operations, repeated piece by piece, do what the loss does."""

import copy
import pickle
import threading
from dataclasses import dataclass

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lossbook import torch_loss
from lossbook._replay import record
from lossbook.losses import BinaryFocalLoss, HuberLoss, SquaredError
from lossbook.losses._base import RegressionLoss
from lossbook.torch_loss import TorchLoss
from tests.test_torch_loss import LOSSES, samples

PIECE = 64
every_type = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)


def elementwise(loss):
    scores, targets = samples(loss)
    of_each_class = scores.ndim > 1 and hasattr(loss, "base")
    return scores.shape == targets.shape and not of_each_class


ELEMENTWISE = [loss for loss in LOSSES if elementwise(loss)]
every_elementwise = pytest.mark.parametrize("loss", ELEMENTWISE, ids=str)


@pytest.fixture(autouse=True, scope="module")
def small_pieces():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch_loss, "PIECE", PIECE)
        yield


def whole(loss, scores, targets):
    """Value and gradient of all at once, from the loss itself."""
    with torch.no_grad():
        return loss._value_and_gradient(*loss._fitted(scores.detach(), targets))


def close(ours, theirs):
    digits = 1e-6 if theirs.dtype == torch.float32 else 1e-14
    torch.testing.assert_close(ours, theirs, rtol=digits, atol=digits * 1e-3)


def test_the_elementwise_losses_are_recorded_and_the_others_are_not():
    assert {type(loss) for loss in ELEMENTWISE} > {SquaredError, HuberLoss}
    for loss in LOSSES:
        program = record(loss, samples(loss)[0].detach(), PIECE)
        assert (program is not None) == elementwise(loss), loss


@every_elementwise
@every_type
@settings(max_examples=20)
@given(
    n=st.sampled_from([PIECE + 1, 2 * PIECE - 1, 2 * PIECE, 2 * PIECE + 1, 5 * PIECE]),
    seed=st.integers(0, 1000),
)
def test_repeated_operations_give_what_the_loss_gives(loss, dtype, n, seed):
    scores, targets = samples(loss, n, dtype, seed)
    value, gradient = whole(loss, scores, targets)
    for reduction, scale in (("none", 1), ("sum", 1), ("mean", n)):
        ours = TorchLoss(loss, reduction)(scores, targets)
        expected = value if reduction == "none" else value.double().sum().to(dtype)
        close(ours, expected / scale)
        (slope,) = torch.autograd.grad(ours.sum(), scores)
        close(slope * scale, gradient)


@every_elementwise
def test_a_buffer_is_used_again(loss):
    program = record(loss, samples(loss)[0].detach(), PIECE)
    assert program.n_buffers <= len(program.steps) / 4


@every_elementwise
def test_the_gradient_of_a_large_batch_passes_gradcheck(loss):
    scores, targets = samples(loss, n=PIECE + 3)
    module = TorchLoss(loss)
    assert torch.autograd.gradcheck(lambda s: module(s, targets), (scores,))


@pytest.mark.parametrize(
    "shape, layout",
    [
        ((3, 50), lambda x: x),
        ((3, 50), lambda x: x.T),
        ((200, 2), lambda x: x[:, 0]),
        ((1, 150), lambda x: x),
        ((150, 1), lambda x: x.expand(150, 3)),
        ((3, 2, 40), lambda x: x.permute(2, 0, 1)),
    ],
    ids=["rows", "transposed", "strided", "one row", "expanded", "permuted"],
)
@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_scores_and_targets_of_any_shape_and_layout(shape, layout, reduction):
    random = torch.Generator().manual_seed(0)
    scores = layout(torch.randn(shape, generator=random)).requires_grad_()
    targets = layout(torch.rand(shape, generator=random) < 0.3)
    value, gradient = whole(BinaryFocalLoss(), scores, targets)
    ours = TorchLoss(BinaryFocalLoss(), reduction)(scores, targets)
    close(ours, value if reduction == "none" else value.mean())
    (slope,) = torch.autograd.grad(ours.sum(), scores)
    close(slope * (value.numel() if reduction == "mean" else 1), gradient)


def test_targets_that_ask_for_a_gradient_get_none():
    scores, targets = samples(SquaredError(), n=3 * PIECE)
    targets.requires_grad_()
    TorchLoss(SquaredError())(scores, targets).backward()
    assert targets.grad is None and scores.grad is not None


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("factor", [1, 1024])
def test_the_backward_pass_of_a_large_batch_can_be_repeated(reduction, factor):
    loss = BinaryFocalLoss()
    scores, targets = samples(loss, n=3 * PIECE)
    _, gradient = whole(loss, scores, targets)
    expected = factor * gradient / (len(scores) if reduction == "mean" else 1)
    value = factor * TorchLoss(loss, reduction)(scores, targets)
    for repeat in (1, 2):  # adds up in .grad, and leaves what was kept as it was
        value.backward(retain_graph=True)
        close(scores.grad, repeat * expected)
    scores.grad.zero_()
    together = value + (scores**2).sum()  # the scores are used twice
    for _ in range(2):
        (slope,) = torch.autograd.grad(together, scores, retain_graph=True)
        close(slope, expected + 2 * scores.detach())


def test_a_kept_gradient_that_was_changed_is_refused():
    scores, targets = samples(BinaryFocalLoss(), n=3 * PIECE)
    value = TorchLoss(BinaryFocalLoss())(scores, targets)
    torch.autograd.grad(value, scores, retain_graph=True)[0].mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        torch.autograd.grad(value, scores)


def test_a_second_derivative_of_a_large_batch_is_refused():
    scores, targets = samples(BinaryFocalLoss(), n=3 * PIECE)
    value = TorchLoss(BinaryFocalLoss())(scores, targets)
    with pytest.raises(RuntimeError, match="can be differentiated once"):
        torch.autograd.grad(value, scores, create_graph=True)


def test_the_gradient_needs_no_pass_when_the_loss_itself_is_differentiated():
    scores, targets = samples(BinaryFocalLoss(), n=3 * PIECE)
    value = TorchLoss(BinaryFocalLoss())(scores, targets)
    kept = value.grad_fn.saved_tensors[0].data_ptr()
    value.backward()
    assert scores.grad.data_ptr() == kept


def test_many_gradients_at_once():
    scores, targets = samples(BinaryFocalLoss(), n=3 * PIECE)
    value = TorchLoss(BinaryFocalLoss())(scores, targets)
    (one,) = torch.autograd.grad(value, scores, retain_graph=True)
    factors = torch.tensor([1.0, -2.0], dtype=scores.dtype)
    (both,) = torch.autograd.grad(value, scores, factors, is_grads_batched=True)
    close(both, factors[:, None] * one)


def test_threads_at_work_at_once_do_not_disturb_each_other():
    module = TorchLoss(BinaryFocalLoss(), "none")
    found, start = {}, threading.Barrier(4)

    def work(seed):
        scores, targets = samples(module.loss, n=100 * PIECE, seed=seed)
        value, gradient = whole(module.loss, scores, targets)
        start.wait()
        for _ in range(20):
            ours = module(scores, targets)
            (slope,) = torch.autograd.grad(ours.sum(), scores)
            if not (torch.allclose(ours, value) and torch.allclose(slope, gradient)):
                return
        found[seed] = True

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [0, 1, 2, 3]


def test_a_module_can_be_copied_and_saved_after_it_was_used():
    module = TorchLoss(BinaryFocalLoss())
    scores, targets = samples(module.loss, n=3 * PIECE)
    value = module(scores, targets)
    saved = pickle.dumps(module)
    assert len(saved) < 1000  # no buffers in it
    for again in (copy.deepcopy(module), pickle.loads(saved)):
        assert torch.equal(again(scores, targets), value)


def test_a_loss_that_is_exchanged_is_recorded_anew():
    module = TorchLoss(SquaredError())
    scores, targets = samples(module.loss, n=3 * PIECE)
    module(scores, targets)
    module.loss = HuberLoss()
    expected = torch.nn.functional.huber_loss(scores, targets)
    torch.testing.assert_close(module(scores, targets), expected)


def test_training_after_inference_and_with_another_type():
    module = TorchLoss(BinaryFocalLoss())
    for dtype in (torch.float32, torch.float64):
        scores, targets = samples(module.loss, n=3 * PIECE, dtype=dtype)
        with torch.inference_mode():
            value = module(scores, targets)
        again = module(scores, targets)
        again.backward()
        assert torch.equal(again, value) and torch.isfinite(scores.grad).all()


def test_it_is_recorded_once_and_only_for_a_large_batch(monkeypatch):
    module = TorchLoss(BinaryFocalLoss())
    executed = []
    plain = BinaryFocalLoss._value_and_gradient

    def counted(self, scores, targets):
        executed.append(len(scores))
        return plain(self, scores, targets)

    monkeypatch.setattr(BinaryFocalLoss, "_value_and_gradient", counted)
    for n in (PIECE, 3 * PIECE, 3 * PIECE, 4 * PIECE + 1):
        module(*samples(module.loss, n))
    assert executed == [PIECE, 2]


@dataclass(frozen=True)
class Odd(RegressionLoss):
    """What a loss may do, and a recording must not get wrong."""

    way: str

    def _value_and_gradient(self, scores, targets):
        residual = scores - targets
        if self.way == "the scores as the gradient":
            return residual, scores
        if self.way == "one array for both":
            return residual, residual
        if self.way == "the same, twice, and one changed":
            other = scores - targets
            other *= 3
            return residual, other
        if self.way == "changed after use":
            value = 2 * residual
            residual *= targets
            value += residual
            return value, residual
        if self.way == "unused":
            torch.exp(residual)
            return residual + 1, residual * 0.5
        if self.way == "of the batch":
            return residual / residual.abs().amax(), residual
        if self.way == "a constant":
            half = torch.tensor(0.5, dtype=scores.dtype)
            return residual * half, half
        if self.way == "an array of ones":
            return residual, torch.ones_like(residual)
        if self.way == "a number for each class":
            return residual * torch.arange(2), residual
        if self.way == "a view":
            return residual.flip(0), residual
        raise AssertionError(self.way)


@pytest.mark.parametrize(
    "way, recorded",
    [
        ("the scores as the gradient", False),
        ("one array for both", False),
        ("the same, twice, and one changed", True),
        ("changed after use", True),
        ("unused", True),
        ("of the batch", False),
        ("a constant", False),
        ("an array of ones", False),
        ("a number for each class", False),
        ("a view", False),
    ],
)
def test_what_cannot_be_repeated_is_not(way, recorded):
    scores, targets = (x.detach() for x in samples(SquaredError(), n=3 * PIECE))
    program = record(Odd(way), scores, PIECE)
    assert (program is not None) == recorded
    if recorded:
        value, gradient = whole(Odd(way), scores, targets)
        ours = program(scores, targets, "none", 1)
        assert torch.equal(ours[0], value) and torch.equal(ours[1], gradient)
