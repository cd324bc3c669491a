"""The operations of an elementwise loss, written down once and repeated in little memory.

PyTorch executes one operation after the other, and each asks for new memory to put its
result in. A loss has some twenty. On a large batch their results do not fit into the
processor's cache, and new memory is slow when it is first written to. So `record` runs
the loss on two rows and writes down what is executed, and the `Program` does the same
with one piece of the batch after the other, in a few buffers that are used again as soon
as nobody needs what they hold. The loss itself is written in one place, as before.
"""

from dataclasses import dataclass, field

import torch
from torch.utils._python_dispatch import TorchDispatchMode


def rsub(x, y, out):
    """PyTorch's name for y - x where y is a single number."""
    return torch.sub(y, x, out=out)


# what can be repeated: works on each number by itself, and can be told where to write
ELEMENTWISE = {
    name: getattr(torch, name)
    for name in (
        *("abs", "sign", "neg", "exp", "log", "log1p", "logaddexp", "sigmoid", "pow"),
        *("add", "sub", "mul", "div", "maximum", "minimum", "clamp"),
    )
}
ELEMENTWISE["rsub"] = rsub
SCORES, TARGETS, GRADIENT, VALUE = range(4)  # places; then come buffers and constants


@dataclass(frozen=True)
class Program:
    """steps: (function, places of its inputs, place of its output), in order. n_buffers:
    how many of the places are buffers. constants: what the last places hold. piece: how
    many numbers are worked on at once."""

    steps: list
    n_buffers: int
    constants: list
    piece: int
    idle: list = field(default_factory=list)  # buffers: a set for each thread at work

    def __call__(self, scores, targets, reduction, divisor):
        """The loss of each entry, or the sum, and its gradient over the divisor."""
        try:
            buffers = self.idle.pop()
        except IndexError:
            buffers = scores.new_empty(1 + self.n_buffers, self.piece)
        gradient = torch.empty_like(scores, memory_format=torch.contiguous_format)
        arrays = [scores.reshape(-1), targets.reshape(-1), gradient.view(-1)]
        value = torch.empty_like(gradient) if reduction == "none" else 0
        if reduction == "none":
            arrays.append(value.view(-1))  # else the first buffer is VALUE
        for pieces in zip(*(array.split(self.piece) for array in arrays), strict=True):
            at = [*pieces, *buffers[:, : len(pieces[0])], *self.constants]
            for function, inputs, output in self.steps:
                function(*[at[place] for place in inputs], out=at[output])
            if divisor != 1:
                at[GRADIENT].div_(divisor)
            if reduction != "none":
                value += at[VALUE].sum()
        self.idle.append(buffers)
        return value, gradient


def record(loss, scores, piece):
    """The `Program` of the loss for rows of the shape and type of those of the scores;
    None when the loss does something that is not in `ELEMENTWISE`."""
    example = torch.zeros((2, *scores.shape[1:]), dtype=scores.dtype)
    targets = example.clone()
    recorder = _Recorder(example, targets)
    try:
        with recorder:
            value, gradient = loss._value_and_gradient(example, targets)
    except _UnknownError:
        return None
    results = [recorder.numbers.get(array, -1) for array in (gradient, value)]
    place = dict(zip((0, 1, *results), (SCORES, TARGETS, GRADIENT, VALUE), strict=True))
    if min(results) < 2 or len(place) < 4:
        return None  # not computed here, or one array for both
    # From the last step back: a result needs a place from the step that reads it last
    # to the step that makes it. Before that, another can have the place.
    steps, n_buffers, free = [], 0, []
    for (name, *inputs), output in reversed(recorder.steps.items()):
        if output not in place:
            continue  # nobody reads it
        target = place.pop(output)
        free.append(target)
        for number in inputs:
            if number >= 0 and number not in place:
                if not free:
                    n_buffers += 1
                    free.append(VALUE + n_buffers)
                place[number] = free.pop()
        sources = [place.get(number, number) for number in inputs]
        steps.insert(0, (ELEMENTWISE[name], sources, target))
    return Program(steps, n_buffers, recorder.constants[::-1], piece)


class _UnknownError(Exception):
    pass


class _Recorder(TorchDispatchMode):
    """Writes down what PyTorch executes in it, and numbers the results. The scores are 0
    and the targets 1; what is changed gets a new number; constants have -1, -2, ..."""

    def __init__(self, scores, targets):
        super().__init__()
        self.numbers, self.constants = {scores: 0, targets: 1}, []
        self.steps = {}  # (name, numbers of the inputs): number of the result

    def __torch_dispatch__(self, operation, types, inputs=(), options=None):
        output = operation(*inputs, **(options or {}))
        if not any(isinstance(x, torch.Tensor) and x.ndim for x in (output, *inputs)):
            return output  # a constant
        name = operation._schema.name.removeprefix("aten::").removesuffix("_")
        if name not in ELEMENTWISE or options:
            raise _UnknownError
        step = name, *map(self.number, inputs)
        self.numbers[output] = self.steps.setdefault(step, 2 + len(self.steps))
        return output

    def number(self, x):
        if x not in self.numbers:
            if isinstance(x, torch.Tensor) and x.ndim:
                raise _UnknownError  # it was not made here
            self.constants.append(x)
            self.numbers[x] = -len(self.constants)
        return self.numbers[x]
