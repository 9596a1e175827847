"""Rows, targets, weights and orders as the kernels read them."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .._messages import counted
from .arrays import as_indices, as_numbers, check_finite
from .sparse import as_csr_arrays, check_n_features, with_private_indices
from .tables import check_targets


def as_rows(
    X: Any, n_features: int, dtype: np.dtype[Any]
) -> NDArray[Any] | tuple[NDArray[Any], NDArray[np.int32], NDArray[np.int64]]:
    """Return X as the kernels read it: rows of contiguous values, or the three arrays of a CSR."""
    if hasattr(X, "tocsr"):
        _check_two_dimensions(X.ndim)
        if X.format != "csr":
            X = with_private_indices(X)
        return as_csr_arrays(X.tocsr(), n_features, dtype)
    array = as_numbers("X", X, dtype)
    _check_two_dimensions(array.ndim)
    check_n_features(array.shape[1], n_features)
    if array.strides[1] != array.itemsize:
        array = np.ascontiguousarray(array)
    check_finite("X", array)
    return array


def as_matrix_of_row(x: Any) -> Any:
    """Return one row without names, (n_features,), as a matrix of one row, which it may be."""
    if isinstance(x, Mapping):
        raise ValueError("x is a mapping of names to values, but a Network knows no names")
    shape = np.shape(x) if not hasattr(x, "shape") else x.shape
    if len(shape) == 2 and shape[0] == 1:
        return x
    if len(shape) != 1:
        raise ValueError(f"x must be one row; got an array of shape {tuple(shape)}")
    return np.asarray(x)[np.newaxis]


def dense_rows(
    X: NDArray[Any] | tuple[NDArray[Any], NDArray[np.int32], NDArray[np.int64]],
    n_features: int,
    start: int,
    stop: int,
) -> NDArray[Any]:
    """Return some rows of what `as_rows` returned as an array, with their zeros."""
    if not isinstance(X, tuple):
        return X[start:stop]
    values, columns, row_starts = X
    dense = np.zeros((stop - start, n_features), dtype=values.dtype)
    first, last = row_starts[start], row_starts[stop]
    numbers_ = np.repeat(np.arange(stop - start), np.diff(row_starts[start : stop + 1]))
    dense[numbers_, columns[first:last]] = values[first:last]
    return dense


def _check_two_dimensions(found: int) -> None:
    if found != 2:
        raise ValueError(
            f"X must have two dimensions, (rows, features); got {found}. "
            "Reshape one row with X.reshape(1, -1)."
        )


def as_targets(
    y: Any, n_rows: int, n_outputs: int, dtype: np.dtype[Any], loss: str, out_activation: str
) -> NDArray[Any] | tuple[NDArray[Any], NDArray[np.int32]]:
    """Return y as an array (n_rows, n_outputs) of values that the loss allows.

    Of class numbers: the indicators of each class, (n_outputs, n_outputs), see `indicators`, and
    for each row the number of its class.
    """
    array = as_numbers("y", y, dtype)
    if out_activation == "softmax" and array.shape == (n_rows,):
        return indicators(n_outputs, dtype), _class_numbers(array, n_outputs)
    if array.shape == (n_rows,) and n_outputs == 1:
        array = array.reshape(n_rows, 1)
    if array.shape != (n_rows, n_outputs):
        raise ValueError(
            f"y has shape {np.shape(y)}, but {counted(n_rows, 'row')} and "
            f"{counted(n_outputs, 'output')} need {(n_rows, n_outputs)}"
        )
    array = np.ascontiguousarray(array)
    check_finite("y", array)
    check_targets(loss, array)
    return array


@functools.lru_cache(maxsize=8)
def indicators(n_classes: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return the identity matrix as a read-only view on 2 n_classes - 1 numbers.

    All of them are 0 but for a 1 in the middle: the indicator of a class is the window of
    n_classes numbers that has the 1 at the class's place.
    """
    middle = n_classes - 1
    numbers_ = np.zeros(2 * n_classes - 1, dtype=dtype)
    numbers_[middle] = 1
    numbers_.flags.writeable = False
    shape, strides = (n_classes, n_classes), (-dtype.itemsize, dtype.itemsize)
    return np.ndarray(shape, dtype, numbers_, middle * dtype.itemsize, strides)


def _class_numbers(values: NDArray[Any], n_outputs: int) -> NDArray[np.int32]:
    check_finite("y", values)
    with np.errstate(invalid="ignore"):  # of what no int32 holds
        numbers_ = values.astype(np.int32)  # private: it is these that kernels take
    if len(values) and (
        numbers_.min() < 0 or numbers_.max() >= n_outputs or np.any(numbers_ != values)
    ):
        raise ValueError(
            f"y must hold class numbers 0..{n_outputs - 1}, or one column of probabilities per "
            "output"
        )
    return numbers_


def as_weights(
    sample_weight: Any, n_rows: int, name: str = "sample_weight", *, may_be_zero: bool = False
) -> NDArray[np.float64] | None:
    """Return the weights as float64 (n_rows,), finite, none negative, or None.

    All of them ``may_be_zero``, or that is an error.
    """
    if sample_weight is None:
        return None
    weights = as_numbers(name, sample_weight, np.dtype(np.float64))
    if weights.ndim == 0:
        weights = np.full(n_rows, float(weights))
    if weights.shape != (n_rows,):
        raise ValueError(f"{name} has shape {weights.shape}, but X has {counted(n_rows, 'row')}")
    weights = np.array(weights)  # private: what is checked stays so
    check_finite(name, weights)
    if np.any(weights < 0):
        raise ValueError(
            f"{name} must not be negative; {name}[{int(np.argmax(weights < 0))}] is "
            f"{weights[weights < 0][0]}"
        )
    if not (may_be_zero or weights.any()):
        raise ValueError(f"Every {name} is zero: there is nothing to learn from")
    return weights


def as_summable_weights(sample_weight: Any, n_rows: int) -> NDArray[np.float64] | None:
    """Return `as_weights`, whose sum is a number."""
    weights = as_weights(sample_weight, n_rows)
    if weights is not None and float(weights.max()) > 1e300 / max(n_rows, 1):
        raise ValueError("sample_weight is too large to sum up: scale the weights down")
    return weights


def as_order(order: Any, n_rows: int) -> NDArray[np.int64]:
    """Return the row numbers of an epoch, a private copy; by default all, from first to last."""
    if order is None:
        return np.arange(n_rows, dtype=np.int64)
    array = as_indices(order)
    if array is None or not len(array):
        raise ValueError("order must be a one-dimensional array of row numbers, at least one")
    if array.view(np.uint64).max() >= n_rows:  # as which negative numbers are the largest
        given = np.asarray(order)
        raise ValueError(
            f"order must hold row numbers 0..{n_rows - 1}; it goes from {given.min()} to "
            f"{given.max()}"
        )
    return array


def largest_target(targets: NDArray[Any] | tuple[NDArray[Any], NDArray[np.int32]]) -> float:
    """Return the size of the largest target; of classes it is 1."""
    if isinstance(targets, tuple):
        return 1.0
    return _core.largest_size(targets)
