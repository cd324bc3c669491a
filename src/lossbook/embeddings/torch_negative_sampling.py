"""Skip-gram with negative sampling in blocks, by PyTorch: the same steps on its threads."""

import torch
from torch.nn.functional import embedding

from lossbook._validation import require_instance, require_rng
from lossbook.embeddings.negative_sampling import (
    NegativeSampling,
    WordVectors,
    block_gradients,
    require_settled,
)


@torch.inference_mode()
def fit(training, corpus, *, random_state, device="cpu"):
    """What ``training.fit(corpus, random_state=random_state)`` returns, to rounding.

    training: a `lossbook.embeddings.negative_sampling.NegativeSampling`. corpus: a
        `lossbook.corpora.Corpus`. device: where PyTorch computes.

    Raises TypeError or ValueError when one is no such argument, PyTorch has no such
    device, or the vectors leave the finite numbers or are on their way.
    """
    require_instance(training, "training", NegativeSampling, "a NegativeSampling")
    rng = require_rng(random_state, "random_state")
    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, TypeError, ValueError):
        raise ValueError(
            f"device must be one that PyTorch has here, got {device!r}"
        ) from None
    first = training.start(corpus, rng)
    inputs = torch.from_numpy(first.inputs).to(device)
    outputs = torch.from_numpy(first.outputs).to(device)
    for block, noise, n_noise, rate in training.steps(corpus, "blocks", rng):
        arrays = (*block, noise)
        centres, contexts, pairs, noise = (
            torch.from_numpy(array).to(device) for array in arrays
        )
        d_inputs, d_outputs, d_noise = block_gradients.unchecked(
            embedding(centres, inputs),
            embedding(contexts, outputs),
            embedding(noise, outputs),
            pairs,
            n_noise,
        )
        _add_rows(inputs, centres, -rate * d_inputs)
        _add_rows(outputs, contexts, -rate * d_outputs)
        _add_rows(outputs, noise, -rate * d_noise)
    vectors = WordVectors(inputs.cpu().numpy(), outputs.cpu().numpy())
    require_settled(vectors)
    return vectors


def _add_rows(matrix, rows, updates):
    """PyTorch's `add_rows`: index_add_ would do as well, at twice the time."""
    updates = updates.reshape(-1, updates.shape[-1])
    matrix.scatter_add_(0, rows.reshape(-1, 1).expand_as(updates), updates)
