"""Gradient descent: one loop, for any loss and any model.

A model has `parameters` (a dict of arrays), `scores(features)` and `gradients(features,
score_gradient)`, and can be made again from its parameters, as `lossbook.linear.Linear`
can.
"""

from dataclasses import dataclass, replace

import numpy as np
from tqdm import tqdm

from lossbook._validation import (
    NotFiniteError,
    as_numpy,
    require_able,
    require_choice,
    require_count,
    require_positive,
)

# what the loops need of one; it is a dataclass, and so can be made again
OF_A_MODEL = ("scores", "gradients", "parameters", "__dataclass_fields__")


@dataclass(frozen=True, eq=False)
class History:
    """What a training run went through.

    models: the model before the first step and after every step, steps + 1 of them; in
        `stochastic_gradient_descent` after every epoch, epochs + 1 of them.
    losses: the mean loss of each, over all samples.
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
        """The path of one parameter, (models, *its shape). Raises ValueError when
        there is none of that name."""
        require_choice(name, "name", self.model.parameters)
        return np.stack([model.parameters[name] for model in self.models])


def mean_loss_and_gradients(model, loss, features, targets):
    """(mean loss, its gradients in the parameters): the forward and the backward pass,
    with the 1/N in plain sight.

    features: (N, D). targets: what the loss asks for, N of them.

    Raises TypeError when model or loss is something else, ValueError when there are no
    samples, and what the model and the loss raise.
    """
    require_able(model, "model", "a model", "scores", "gradients")
    require_able(loss, "loss", "a loss", "value_and_gradient")
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
    require_able(model, "model", "a model", *OF_A_MODEL)
    with np.errstate(over="ignore", invalid="ignore"):
        value, gradients = mean_loss_and_gradients(model, loss, features, targets)
        if not np.isfinite(value):
            raise ValueError(f"model must start from a finite mean loss, got {value}")
        models, losses, diverged = [model], [value], False
        for _ in tqdm(range(steps), desc="gradient descent", delay=1, leave=False):
            try:
                model = _step(model, gradients, learning_rate)
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


def stochastic_gradient_descent(
    model,
    loss,
    features,
    targets,
    *,
    learning_rate,
    batch_size,
    epochs,
    random_state,
):
    """Gradient descent on the mean loss of one minibatch after another; returns the
    `History`, with an entry for every epoch.

    An epoch is one pass over the samples, in a new random order, batch_size at a time
    (the last batch may be smaller). Each step subtracts learning_rate times the gradient
    of the mean loss of its batch from every parameter. A run that leaves the finite
    numbers is stopped as in `gradient_descent`. A progress bar appears after a second.

    Raises TypeError or ValueError naming the argument when learning_rate is not
    positive, batch_size or epochs is not a count, or the data do not fit the model or
    give it an infinite loss.
    """
    learning_rate = require_positive(learning_rate, "learning_rate")
    batch_size = require_count(batch_size, "batch_size")
    epochs = require_count(epochs, "epochs", minimum=0)
    rng = np.random.default_rng(require_count(random_state, "random_state", minimum=0))
    require_able(model, "model", "a model", *OF_A_MODEL)
    require_able(loss, "loss", "a loss", "value", "value_and_gradient")
    features, targets = as_numpy(features, "features"), as_numpy(targets, "targets")
    n = len(features) if features.ndim else 0
    if n == 0 or targets.shape[:1] != (n,):
        raise ValueError(
            f"features must hold at least one sample, and targets as many, "
            f"got {n} and {len(targets) if targets.ndim else 'a number'}"
        )

    def mean_loss(model):
        total = 0.0
        for start in range(0, n, batch_size):
            part = slice(start, start + batch_size)
            total += loss.value(model.scores(features[part]), targets[part]).sum()
        return float(total / n)

    with np.errstate(over="ignore", invalid="ignore"):
        value = mean_loss(model)
        if not np.isfinite(value):
            raise ValueError(f"model must start from a finite mean loss, got {value}")
        models, losses, diverged = [model], [value], False
        for _ in tqdm(range(epochs), desc="epochs", delay=1, leave=False):
            order = rng.permutation(n)
            try:
                for start in range(0, n, batch_size):
                    batch = order[start : start + batch_size]
                    _, gradients = mean_loss_and_gradients(
                        model, loss, features[batch], targets[batch]
                    )
                    model = _step(model, gradients, learning_rate)
                value = mean_loss(model)
                diverged = not np.isfinite(value)
            except NotFiniteError:
                diverged = True
            if diverged:
                break
            models.append(model)
            losses.append(value)
    return History(models, np.array(losses), diverged)


def _step(model, gradients, learning_rate):
    """The model after one step against the gradients."""
    new = {
        name: p - learning_rate * gradients[name]
        for name, p in model.parameters.items()
    }
    return replace(model, **new)
