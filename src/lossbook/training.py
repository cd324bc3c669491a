"""Gradient descent: one loop, for any loss and any model.

A model has `parameters` (a dict of arrays), `scores(features)` and `gradients(features,
score_gradient)`, and can be made again from its parameters, as `lossbook.linear.Linear`
can.
"""

from dataclasses import dataclass, replace

import numpy as np
from tqdm import tqdm

from lossbook._validation import NotFiniteError, require_count, require_positive


@dataclass(frozen=True, eq=False)
class History:
    """What a training run went through.

    models: the model before the first step and after every step, steps + 1 of them.
    losses: (steps + 1,) the mean loss of each.
    diverged: whether the run was stopped because the next model, or its loss, was no
        longer finite.
    """

    models: list
    losses: np.ndarray
    diverged: bool

    @property
    def model(self):
        """The last model, the trained one."""
        return self.models[-1]

    def parameter(self, name):
        """The path of one parameter, (steps + 1, *its shape). Raises ValueError when
        there is none of that name."""
        if name not in self.model.parameters:
            raise ValueError(
                f"name must be one of {', '.join(self.model.parameters)}, got {name!r}"
            )
        return np.stack([model.parameters[name] for model in self.models])


def mean_loss_and_gradients(model, loss, features, targets):
    """(mean loss, its gradients in the parameters): the forward and the backward pass,
    with the 1/N in plain sight.

    features: (N, D). targets: what the loss asks for, N of them.

    Raises ValueError when there are no samples, and what the model and the loss raise.
    """
    scores = model.scores(features)
    values, score_gradient = loss.value_and_gradient(scores, targets)
    n = len(scores)
    if n == 0:
        raise ValueError(
            "features must hold at least one sample to take a mean over, got none"
        )
    return float(values.sum() / n), model.gradients(features, score_gradient / n)


def gradient_descent(model, loss, features, targets, *, learning_rate, steps):
    """Full-batch gradient descent on the mean loss; returns the `History`.

    Each step subtracts learning_rate times its gradient from every parameter. A run
    that leaves the finite numbers is stopped and says so in `History.diverged`; what
    came before is kept. A progress bar appears after a second.

    Raises TypeError or ValueError naming the argument when learning_rate is not
    positive, steps is not a count, or the data do not fit the model or give it an
    infinite loss.
    """
    learning_rate = require_positive(learning_rate, "learning_rate")
    steps = require_count(steps, "steps", minimum=0)
    with np.errstate(over="ignore", invalid="ignore"):
        value, gradients = mean_loss_and_gradients(model, loss, features, targets)
        if not np.isfinite(value):
            raise ValueError(f"model must start from a finite mean loss, got {value}")
        models, losses, diverged = [model], [value], False
        for _ in tqdm(range(steps), desc="gradient descent", delay=1, leave=False):
            new = {
                name: p - learning_rate * gradients[name]
                for name, p in model.parameters.items()
            }
            try:
                model = replace(model, **new)
                value, gradients = mean_loss_and_gradients(
                    model, loss, features, targets
                )
                diverged = not np.isfinite(value)
            except NotFiniteError:
                diverged = True
            if diverged:
                break
            models.append(model)
            losses.append(value)
    return History(models, np.array(losses), diverged)
