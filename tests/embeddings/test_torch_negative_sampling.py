"""The PyTorch training takes the same steps as the NumPy one."""

from dataclasses import replace

import numpy as np
import pytest

from lossbook.corpora import planted_corpus
from lossbook.embeddings import negative_sampling, torch_negative_sampling
from lossbook.embeddings.negative_sampling import NegativeSampling

CORPUS = planted_corpus(
    6000, n_groups=3, n_entities=4, n_function_words=20, random_state=0
)
TRAINING = NegativeSampling(
    dimensions=8, reach=3, epochs=2, n_blocks=2, n_shared=32, learning_rate=0.05
)


@pytest.mark.parametrize("changes", [{}, {"threshold": None, "power": 0.0}])
def test_it_returns_what_the_numpy_training_returns(changes):
    training = replace(TRAINING, **changes)
    ours = training.fit(CORPUS, random_state=3)
    theirs = torch_negative_sampling.fit(training, CORPUS, random_state=3)
    for name in ("inputs", "outputs"):
        a, b = getattr(ours, name), getattr(theirs, name)
        assert b.dtype == np.float32
        assert np.abs(a).max() > 0.1  # it has moved
        np.testing.assert_allclose(a, b, atol=2e-4)
    other = torch_negative_sampling.fit(training, CORPUS, random_state=4)
    assert np.abs(other.inputs - theirs.inputs).max() > 0.01


def test_vectors_that_leave_the_finite_numbers_are_refused(monkeypatch):
    monkeypatch.setattr(negative_sampling, "LONGEST_STRIDE", np.inf)
    wild = replace(TRAINING, learning_rate=100.0)
    with pytest.raises(ValueError, match="of the trained vectors must be finite"):
        torch_negative_sampling.fit(wild, CORPUS, random_state=0)
