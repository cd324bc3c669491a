"""Any loss of the book as a PyTorch module whose backward pass is the closed form."""

import torch

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
        if reduction not in REDUCTIONS:
            raise ValueError(
                f"reduction must be one of {', '.join(REDUCTIONS)}, got {reduction!r}"
            )
        self.loss = loss
        self.reduction = reduction

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
        return _ClosedForm.apply(scores, targets, self.loss, self.reduction)


class _ClosedForm(torch.autograd.Function):
    @staticmethod
    def forward(ctx, scores, targets, loss, reduction):
        value, gradient = _value_and_gradient(loss, scores, targets, reduction)
        ctx.save_for_backward(gradient)
        ctx.reduction, ctx.entries = reduction, targets.numel()
        return value / ctx.entries if reduction == "mean" else value

    @staticmethod
    def backward(ctx, upstream):
        if torch.is_grad_enabled() and not torch.compiler.is_compiling():
            raise RuntimeError(
                "TorchLoss can be differentiated once; for higher derivatives use "
                "loss.value, through which autograd runs"
            )
        (gradient,) = ctx.saved_tensors
        if ctx.reduction == "mean":
            upstream = upstream / ctx.entries
        elif ctx.reduction == "none" and upstream.ndim < gradient.ndim:
            upstream = upstream[..., None]  # one for all classes of a sample
        return gradient * upstream, None, None, None


def _value_and_gradient(loss, scores, targets, reduction):
    """The loss, summed or each entry's, and its gradient in every score."""
    if torch.compiler.is_compiling() or scores.is_cuda or scores.numel() <= PIECE:
        value, gradient = loss._value_and_gradient(scores, targets)
        return value if reduction == "none" else value.sum(), gradient
    rows = max(1, PIECE * len(scores) // scores.numel())
    gradient = torch.empty_like(scores)
    values = []
    for start in range(0, len(scores), rows):
        piece = slice(start, start + rows)
        value, gradient[piece] = loss._value_and_gradient(scores[piece], targets[piece])
        values.append(value if reduction == "none" else value.sum())
    return torch.cat(values) if reduction == "none" else sum(values), gradient
