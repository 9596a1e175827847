"""Sparse matrices as the kernels read them: CSR, with private, checked indices."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._messages import counted
from .arrays import as_indices, as_numbers, check_finite


def check_n_features(found: int, n_features: int) -> None:
    """Refuse rows of another number of features."""
    if found != n_features:
        raise ValueError(
            f"X has {counted(found, 'feature')}, but this network was made for {n_features}"
        )


def with_private_indices(X: Any) -> Any:
    """Return a sparse matrix with checked copies of its indices, on the same data.

    Whatever takes a sparse matrix calls this first: SciPy's compiled code follows indices as they
    are, while another thread may write to the caller's.

    Raises
    ------
    ValueError
        If a row would begin or end outside of the values, or an index lies outside of the matrix.
    """
    if X.ndim != 2:
        return X
    if X.format in ("csr", "csc", "bsr"):
        shape = X.shape
        starts, indices, data = _private_compressed(X, shape)
        if starts[-1] <= np.iinfo(np.int32).max:  # else SciPy makes the indices int64, too
            starts = starts.astype(indices.dtype)
        return type(X)((data, indices, starts), shape=shape)
    private = {"coo": _private_coo, "dia": _private_dia, "lil": _private_lil}.get(X.format)
    return X if private is None else private(X)  # SciPy checks those of a DOK matrix


def _private_coo(X: Any) -> Any:
    places = []
    for name, axis in (("row", 0), ("col", 1)):
        places.append(_sparse_indices(getattr(X, name)))
        _check_indices(X, name, places[-1], X.shape[axis], len(X.data))
    return type(X)((X.data, tuple(places)), shape=X.shape)


def _private_dia(X: Any) -> Any:
    offsets = as_indices(X.offsets)
    if offsets is None or X.data.shape[:1] != offsets.shape:
        raise _not_valid(X, "its offsets must be whole numbers, one for each diagonal")
    # SciPy allows diagonals outside of the matrix, which are empty, but its C code overflows.
    inside = (offsets > -X.shape[0]) & (offsets < X.shape[1])
    return type(X)((X.data[inside], offsets[inside]), shape=X.shape)


def _private_lil(X: Any) -> Any:
    """Return a LIL matrix as CSR, of new lists, one of columns and one of values for each row."""
    private = type(X)(X.shape, dtype=X.dtype)
    for name, mine in (("rows", private.rows), ("data", private.data)):
        theirs = getattr(X, name)
        if np.shape(theirs) != mine.shape or any(type(one) is not list for one in theirs):
            raise _not_valid(X, f"its {name} must be an array of lists, one for each row")
        mine[:] = [one.copy() for one in theirs]
    if [len(one) for one in private.rows] != [len(one) for one in private.data]:
        raise _not_valid(X, "its rows must have as many columns as values")
    try:
        compressed = private.tocsr()
        _private_compressed(compressed, compressed.shape)  # lists may hold any columns
    except (TypeError, ValueError, OverflowError) as error:
        raise _not_valid(X, f"its rows must hold columns, 0..{X.shape[1] - 1}") from error
    return compressed


def _sparse_indices(values: Any, *, narrow: bool = True) -> NDArray[Any] | None:
    """Return `as_indices` of a sparse matrix's own, which must be a plain array, or None."""
    is_plain = isinstance(values, np.ndarray) and not isinstance(values, np.ma.MaskedArray)
    return as_indices(values, narrow=narrow) if is_plain else None


def _private_compressed(
    X: Any, shape: tuple[int, int]
) -> tuple[NDArray[np.int64], NDArray[Any], NDArray[Any]]:
    """Return checked private copies of the indptr and indices of a CSR, CSC or BSR matrix.

    And its data. Data and shape are read once: another thread may give X others after the check.
    """
    data = np.asarray(X.data)
    rows_a_block, columns_a_block = (max(n, 1) for n in getattr(X, "blocksize", (1, 1)))
    n_major, n_minor = shape[0] // rows_a_block, shape[1] // columns_a_block
    if X.format == "csc":
        n_major, n_minor = n_minor, n_major
    starts, indices = _sparse_indices(X.indptr, narrow=False), _sparse_indices(X.indices)
    if data.ndim != (3 if X.format == "bsr" else 1):
        raise _not_valid(X, "its data have too many or too few dimensions")
    if starts is None or indices is None:
        raise _not_valid(X, "its indptr and indices must be arrays of whole numbers")
    if (
        len(starts) != n_major + 1
        or len(data) != len(indices)
        or starts[0] != 0
        or starts[-1] > len(indices)
        or np.any(starts[1:] < starts[:-1])  # not by differences, which may wrap around
    ):
        raise _not_valid(X, "its indptr does not match its data")
    _check_indices(X, "indices", indices, n_minor, len(data))
    return starts, indices, data


def _check_indices(X: Any, name: str, indices: NDArray[Any] | None, n: int, n_values: int) -> None:
    if indices is None or len(indices) != n_values:
        raise _not_valid(X, f"its {name} must be whole numbers, one for each value")
    if len(indices) and not (0 <= indices.min() and indices.max() < n):
        raise _not_valid(X, f"it has {name} outside 0..{n - 1}")


def _not_valid(X: Any, what: str) -> ValueError:
    return ValueError(f"X is not a valid {X.format.upper()} matrix: {what}")


def as_csr_arrays(
    X: Any, n_features: int, dtype: np.dtype[Any]
) -> tuple[NDArray[Any], NDArray[np.int32], NDArray[np.int64]]:
    """Return values, columns and row starts of a CSR matrix: the two last are private copies."""
    shape = X.shape
    check_n_features(shape[1], n_features)
    starts, indices, data = _private_compressed(X, shape)
    if not _is_canonical(starts, indices):
        # of private arrays, which SciPy sorts in place; it remembers, also what is no longer so
        X = type(X)((np.array(data), indices, starts), shape=shape)
        X.has_canonical_format = X.has_sorted_indices = False
        X.sum_duplicates()
        starts, indices, data = X.indptr.astype(np.int64), X.indices, X.data
    values = np.ascontiguousarray(as_numbers("X", data, dtype))
    check_finite("X.data", values)
    return values, indices.astype(np.int32, copy=False), starts


def _is_canonical(starts: NDArray[np.int64], indices: NDArray[Any]) -> bool:
    """Whether every row has its columns in ascending order, each once, as the kernels need it."""
    ascending = indices[1:] > indices[:-1]
    inner = starts[1:-1]
    ascending[inner[(inner > 0) & (inner < len(indices))] - 1] = True
    return bool(ascending[: max(int(starts[-1]) - 1, 0)].all())
