"""Adding gradients to the rows of a matrix, when a row may be asked for twice."""

import numpy as np
from scipy.sparse import csc_array


def add_rows(matrix, rows, updates):
    """``matrix[rows] += updates``, in place, with all updates of a row added up.

    NumPy's own statement keeps only the last of them. ``numpy.add.at`` is right and slow;
    here the updates of equal rows are summed by one sparse product.

    matrix: (V, D). rows: (n,) integers below V. updates: (n, D).
    """
    own, place = np.unique(rows, return_inverse=True)
    ones = np.ones(len(rows), dtype=updates.dtype)
    gather = csc_array((ones, place, np.arange(len(rows) + 1)), (len(own), len(rows)))
    matrix[own] += gather @ updates
