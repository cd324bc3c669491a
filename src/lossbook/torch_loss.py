"""Any loss of the book as a PyTorch module whose backward pass is the closed form."""

import torch

from lossbook._validation import require_choice
from lossbook.losses._base import Loss

REDUCTIONS = ("mean", "sum", "none")
PIECE = 2**17  # numbers that are worked on at once, so that they stay in the cache


class TorchLoss(torch.nn.Module):
    """A loss of `lossbook.losses` for a training loop in PyTorch.

    loss: the loss. reduction: "mean" divides the sum by the number of entries of the
        loss's value (samples; or all entries, where the loss is elementwise), "sum" does
        not, "none" returns each entry.

    ``module(scores, targets)`` takes tensors on one device, of the shapes that the loss
    takes, and returns the loss, which can be differentiated once (RuntimeError the second
    time). float16 and bfloat16 scores, as under autocast, are computed in float32, and so
    is the loss; the gradient has the type of the scores. Only shapes and types are checked, since reading values
    would stall a GPU: a target that is out of range, or a score that is NaN, is not
    refused here. Works under ``torch.compile``.

    Raises TypeError or ValueError when loss is no loss, reduction is another word, scores
    and targets are not tensors of fitting shapes and types, or the mean of nothing is
    asked for.
    """

    def __init__(self, loss, reduction="mean"):
        super().__init__()
        if not isinstance(loss, Loss):
            raise TypeError(f"loss must be a loss of lossbook.losses, got {loss!r:.60}")
        self.loss = loss
        self.reduction = require_choice(reduction, "reduction", REDUCTIONS)
        self._programs = {}

    def extra_repr(self):
        return f"{self.loss}, reduction={self.reduction!r}"

    def forward(self, scores, targets):
        for name, tensor in (("scores", scores), ("targets", targets)):
            if not isinstance(tensor, torch.Tensor):
                raise TypeError(f"{name} must be a tensor, got {type(tensor).__name__}")
        if scores.dtype in (torch.float16, torch.bfloat16):
            scores = scores.float()
        scores, targets = self.loss._fitted(scores, targets)
        if self.reduction == "mean" and targets.numel() == 0:
            raise ValueError("scores must hold a sample to take a mean over, got none")
        return _ClosedForm.apply(scores, targets, self)

    def _program(self, scores):
        """The loss as a `lossbook._replay.Program` for such scores, made the first time;
        None where that is not possible."""
        from lossbook._replay import record  # needed here alone, for large batches

        if type(scores.detach()) is not torch.Tensor:
            return None  # of a subclass, which may do more
        key = id(self.loss), scores.dtype, scores.shape[1:]
        if key not in self._programs:  # the loss is kept, so that its id is its own
            self._programs[key] = self.loss, record(self.loss, scores, PIECE)
        return self._programs[key][1]

    def __getstate__(self):  # what is copied or saved makes its own
        return {**self.__dict__, "_programs": {}}


class _ClosedForm(torch.autograd.Function):
    @staticmethod
    def forward(ctx, scores, targets, module):
        ctx.reduction, ctx.divisor = module.reduction, 1
        on_cpu = scores.device.type == "cpu" and not torch.compiler.is_compiling()
        if on_cpu and scores.numel() > PIECE:
            value, gradient = _in_pieces(module, scores, targets)
        else:
            value, gradient = module.loss._value_and_gradient(scores, targets)
            if module.reduction == "mean":  # the gradient waits for the backward pass
                ctx.divisor = value.numel()
            if module.reduction != "none":
                value = value.sum() / ctx.divisor
        ctx.save_for_backward(gradient)
        return value

    @staticmethod
    def backward(ctx, upstream):
        if torch.is_grad_enabled() and not torch.compiler.is_compiling():
            raise RuntimeError(
                "TorchLoss can be differentiated once; for higher derivatives use "
                "loss.value, through which autograd runs"
            )
        (gradient,) = ctx.saved_tensors
        if ctx.reduction == "none":
            if upstream.ndim < gradient.ndim:
                upstream = upstream[..., None]  # one for all classes of a sample
        elif ctx.divisor > 1:
            upstream = upstream / ctx.divisor
        elif not torch.compiler.is_compiling() and _is_one(upstream):
            return gradient, None, None
        return gradient * upstream, None, None


def _in_pieces(module, scores, targets):
    """The loss, reduced, and its gradient in every score, worked on in pieces that stay
    in the processor's cache."""
    reduction, divisor = module.reduction, 1
    program = module._program(scores)
    if program is not None:
        if reduction == "mean":
            divisor = scores.numel()
        value, gradient = program(scores, targets, reduction, divisor)
        return value / divisor if reduction == "mean" else value, gradient
    rows = max(1, PIECE * len(scores) // scores.numel())
    gradient, values = torch.empty_like(scores), []
    for start in range(0, len(scores), rows):
        piece = slice(start, start + rows)
        value, whole = module.loss._value_and_gradient(scores[piece], targets[piece])
        if reduction == "mean":
            divisor = len(scores) * value[0].numel()
        torch.div(whole, divisor, out=gradient[piece])
        values.append(value if reduction == "none" else value.sum() / divisor)
    return torch.cat(values) if reduction == "none" else sum(values), gradient


def _is_one(upstream):
    """Whether it is a number on the CPU, and 1: as when the loss is what is
    differentiated."""
    try:
        return upstream.device.type == "cpu" and upstream.item() == 1
    except RuntimeError:  # it stands for many numbers, under torch.vmap
        return False
