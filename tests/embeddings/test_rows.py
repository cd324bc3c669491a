"""Updates of repeated rows are all added up."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lossbook.embeddings._rows import add_rows


@given(
    rows=st.lists(st.integers(0, 6), max_size=30),
    dimensions=st.integers(1, 4),
    dtype=st.sampled_from([np.float32, np.float64]),
    seed=st.integers(0, 9),
)
def test_it_is_numpy_add_at(rows, dimensions, dtype, seed):
    rng = np.random.default_rng(seed)
    matrix = rng.standard_normal((7, dimensions)).astype(dtype)
    updates = rng.standard_normal((len(rows), dimensions)).astype(dtype)
    expected = matrix.astype(np.float64)
    np.add.at(expected, np.array(rows, dtype=np.int64), updates.astype(np.float64))
    assert add_rows(matrix, np.array(rows, dtype=np.int64), updates) is None
    assert matrix.dtype == dtype
    np.testing.assert_allclose(matrix, expected, atol=100 * np.finfo(dtype).eps)


def test_rows_that_are_not_named_stay_as_they_are():
    matrix = np.full((4, 2), 0.1, dtype=np.float32)
    add_rows(matrix, np.array([2, 2]), np.ones((2, 2), np.float32))
    np.testing.assert_array_equal(matrix[[0, 1, 3]], np.full((3, 2), np.float32(0.1)))
    np.testing.assert_array_equal(matrix[2], np.full(2, np.float32(0.1) + 2))
