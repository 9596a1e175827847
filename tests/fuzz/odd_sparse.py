"""Sparse matrices with their arrays tampered with, as a damaged file may have them."""

import numpy as np
import scipy.sparse as sp

from .odd_values import odd_indices, odd_layout
from .subjects import N_FEATURES, N_ROWS


def odd_csr(random, X):
    """A CSR or CSC matrix made of X with its arrays tampered with, as a file may have them."""
    form = (sp.csr_array, sp.csr_matrix, sp.csc_array, sp.csc_matrix)[random.integers(4)]
    matrix = form(X)
    if random.random() < 0.4:
        matrix.indptr = odd_indices(random, matrix.indptr)
    if random.random() < 0.4:
        matrix.indices = odd_indices(random, matrix.indices)
    if random.random() < 0.15:
        matrix.data = odd_layout(random, matrix.data[: random.integers(0, len(matrix.data) + 1)])
    if random.random() < 0.1:
        matrix.data = np.asarray(matrix.data).astype(
            str(random.choice(["int8", "bool", "float32", "complex64", ">f8"]))
        )
    if random.random() < 0.1:
        matrix._shape = (
            N_ROWS + int(random.integers(-2, 3)),
            N_FEATURES + int(random.integers(-1, 2)),
        )
    if random.random() < 0.3:
        matrix.has_sorted_indices = bool(random.integers(2))
        matrix.has_canonical_format = bool(random.integers(2))
    return matrix


def odd_of_another_format(random, X):
    """A sparse matrix of another kind with its arrays tampered with."""
    kind = random.integers(5)
    if kind == 0:
        matrix = sp.coo_array(X)
        matrix.coords = tuple(
            odd_indices(random, c, "int32") if random.random() < 0.6 else c for c in matrix.coords
        )
    elif kind == 1:
        matrix = sp.bsr_array(X, blocksize=(1, 1) if random.integers(2) else (5, 5))
        matrix.indptr = odd_indices(random, matrix.indptr, "int32")
        if random.random() < 0.5:
            matrix.indices = odd_indices(random, matrix.indices, "int32")
    elif kind == 2:
        matrix = sp.lil_array(X)
        matrix.rows[random.integers(len(matrix.rows))] = [-1, 10**6, 3]
    elif kind == 3:
        matrix = sp.dia_array(X)
        matrix.offsets = odd_indices(random, matrix.offsets, "int32")
    else:
        matrix = sp.dok_array(X)
        matrix._dict[int(random.choice([-1, 0, N_ROWS])), int(random.choice([-7, 2, 99]))] = 1.0
    return matrix


def what_it_says(matrix):
    """The array that a CSR or CSC matrix stands for by the letter of its format, or None."""
    try:
        n_major, n_minor = matrix.shape if matrix.format == "csr" else matrix.shape[::-1]
        starts = [int(v) for v in np.asarray(matrix.indptr).tolist()]
        columns = [int(v) for v in np.asarray(matrix.indices).tolist()]
        values = np.asarray(matrix.data, dtype=np.float64).tolist()
    except (TypeError, ValueError, OverflowError):
        return None
    if len(starts) != n_major + 1 or starts[0] != 0 or starts != sorted(starts):
        return None
    if starts[-1] > min(len(columns), len(values)):
        return None
    dense = np.zeros((n_major, n_minor))
    for row in range(n_major):
        for k in range(starts[row], starts[row + 1]):
            if not 0 <= columns[k] < n_minor:
                return None
            dense[row, columns[k]] += values[k]
    return dense if matrix.format == "csr" else dense.T


def describe(matrix):
    return {name: getattr(matrix, name) for name in ("shape", "indptr", "indices", "data")}
