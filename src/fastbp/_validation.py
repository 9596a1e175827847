"""Input checks at the boundary: what was wrong, where, and what to do. NumPy only."""

from __future__ import annotations

import functools
import itertools
import math
import numbers
import operator
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import _core
from ._frames import NOT_FRAMES, as_array_like, floats_of_objects, frame_of, plain_item
from ._messages import advice_on, counted

BLOCK_BYTES = 2**23  # of data that is looked at, or converted, at once
MOST_COLUMNS = np.iinfo(np.int32).max
# The least and the largest number that a dtype holds, float32 to its usual precision.
LIMITS = {
    np.dtype(np.float64): (5e-324, float(np.finfo(np.float64).max)),
    np.dtype(np.float32): (float(np.finfo(np.float32).tiny), float(np.finfo(np.float32).max)),
}
# Adam divides by epsilon where the square of a gradient is 0 to float32, as it is below this.
LEAST_EPSILON = math.sqrt(LIMITS[np.dtype(np.float32)][0])


def check_choice(
    name: str,
    value: Any,
    allowed: tuple[str, ...],
    *,
    of_what: str = "",
    elsewhere: Mapping[str, str] | None = None,
) -> str:
    """Return ``value`` if it is one of the allowed names; for the others see `advice_on`."""
    if not isinstance(value, str) or value not in allowed:
        raise ValueError(
            f"{name} must be one of {', '.join(allowed)}{of_what}; got {value!r}"
            f"{advice_on(name, value, allowed, elsewhere)}"
        )
    return value


def check_whole(name: str, value: Any, *, at_least: int = 1) -> int:
    """Return ``value`` as an int, if it is a whole number of at least ``at_least``."""
    try:
        if isinstance(value, (bool, np.bool_)):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        advice = advice_on(name, value)
        raise TypeError(f"{name} must be a whole number; got {value!r}{advice}") from None
    if number < at_least:
        raise ValueError(f"{name} must be at least {at_least}; got {number}")
    return number


def check_number(
    name: str,
    value: Any,
    *,
    above: float = -math.inf,
    at_least: float = -math.inf,
    below: float = math.inf,
) -> float:
    """Return ``value`` as a float, if it is a finite real number within the bounds."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be a number; got {value!r}{advice_on(name, value)}")
    try:
        number = float(value)
    except OverflowError:  # a whole number of hundreds of digits
        number = math.inf
    if not (math.isfinite(number) and above < number < below and number >= at_least):
        bounds = "finite"
        if above > -math.inf:
            bounds = f"greater than {above:g}"
        if at_least > -math.inf:
            bounds = f"at least {at_least:g}"
        if below < math.inf:
            bounds += f" and below {below:g}"
        raise ValueError(f"{name} must be {bounds}; got {value!r}")
    return number


def is_held(number: float, dtype: Any) -> bool:
    """Whether a floating dtype holds a number: not as 0, unless it is 0, and not as infinity."""
    least, most = LIMITS[np.dtype(dtype)]
    return bool(number == 0 or least <= abs(number) <= most)


def check_held(name: str, value: float, dtype: Any, least: float = 0.0) -> None:
    """Refuse a number that float32 takes for 0 or infinity, or that is below ``least`` there."""
    dtype = np.dtype(dtype)
    if is_held(value, dtype) and (dtype == np.float64 or value >= least):
        return
    smallest, largest = LIMITS[dtype]
    raise ValueError(
        f"{name}={value:g} is out of the range of {dtype.name} arithmetic, "
        f"{max(smallest, least):.2g} to {largest:.2g}. Choose another one, or train in float64"
    )


def check_dropout(dropout: Any, n_hidden: int | None = None) -> tuple[float, ...]:
    """Return one probability a hidden layer; how many layers there are may not be known."""
    if isinstance(dropout, (numbers.Real, str)) or not hasattr(dropout, "__iter__"):
        return (check_number("dropout", dropout, at_least=0, below=1),) * (n_hidden or 0)
    listed = tuple(dropout)
    if n_hidden is not None and len(listed) != n_hidden:
        raise ValueError(
            f"dropout lists {counted(len(listed), 'number')}, but the network has "
            f"{counted(n_hidden, 'hidden layer')}"
        )
    return tuple(
        check_number(f"dropout[{i}]", one, at_least=0, below=1) for i, one in enumerate(listed)
    )


def check_flag(name: str, value: Any) -> bool:
    """Return ``value`` as a bool, if it is True or False."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be True or False; got {value!r}")
    return bool(value)


def check_layer_sizes(layer_sizes: Any, itemsize: int) -> tuple[int, ...]:
    """Return the sizes as a tuple of ints, if a network of these sizes can be addressed."""
    try:
        sizes = tuple(layer_sizes)
    except TypeError:
        raise TypeError(
            "layer_sizes must be a sequence such as (8, 16, 1): inputs, hidden units, outputs; "
            f"got {layer_sizes!r}"
        ) from None
    if len(sizes) < 2:
        raise ValueError(f"layer_sizes needs at least inputs and outputs; got {layer_sizes!r}")
    sizes = tuple(check_whole(f"layer_sizes[{i}]", size) for i, size in enumerate(sizes))
    n_parameters = sum((n_in + 1) * n_out for n_in, n_out in itertools.pairwise(sizes))
    if max(sizes) > MOST_COLUMNS or n_parameters * itemsize > np.iinfo(np.intp).max // 4:
        raise ValueError(f"layer_sizes {sizes} make a network too large to address")
    return sizes


def as_numbers(name: str, values: Any, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return an array of native ``dtype``; refuse text, objects and complex numbers."""
    frame = None if isinstance(values, NOT_FRAMES) else frame_of(values)
    try:
        array = np.asarray(as_array_like(values)) if frame is None else frame.numbers(name)
    except (TypeError, OverflowError) as error:
        raise ValueError(f"{name} must be an array of numbers: {error}") from error
    except ValueError as error:
        if frame is not None:  # which names the column
            raise
        raise ValueError(f"{name} must be an array of numbers: {error}") from error
    if array.dtype.kind == "O":
        array = _numbers_of_objects(name, array)
    if array.dtype.kind == "c":
        raise ValueError(f"Complex data not supported: {name} has dtype {array.dtype}")
    if array.dtype.kind not in "fiub":
        raise ValueError(f"{name} must hold numbers; got dtype {array.dtype}")
    if array.dtype != dtype:
        with np.errstate(over="ignore"):  # what does not fit becomes infinity, and is found as such
            array = array.astype(dtype)
    return array if array.flags.aligned else array.copy()


def _numbers_of_objects(name: str, array: NDArray[Any]) -> NDArray[np.float64]:
    """Return objects that are numbers or gaps as floats."""
    for value in array.flat:
        if isinstance(value, (str, bytes)):
            raise ValueError(f"{name} must be an array of numbers: it holds text, {value!r}")
    found = floats_of_objects(array)
    if not isinstance(found, tuple):
        return found
    _, value = found
    what = f"it holds {value!r}, of type {type(value).__name__}" if array.ndim else f"got {value!r}"
    raise ValueError(f"{name} must be an array of numbers: {what}")


def only_item(values: Any) -> Any:
    """Return the number or text in a list, 1-D array or series of just one, or else None."""
    if type(values) is np.ndarray:
        return values.item() if values.shape == (1,) and values.dtype.kind in "fiubU" else None
    item = (values[0] if len(values) == 1 else None) if type(values) is list else plain_item(values)
    if isinstance(item, np.generic):
        item = item.item()
    return item if isinstance(item, (int, float, str)) else None


def check_finite(
    name: str, values: NDArray[Any], first: int = 0, columns: Sequence[Any] | None = None
) -> None:
    """Raise a ValueError that names the first value that is NaN or infinite.

    Reads a block of rows after the other: no temporary is larger than one, and Ctrl-C is honoured
    in between. ``first`` is what row 0 is called; ``columns`` are the names of columns, if any.
    """
    for start, stop in blocks_of_rows(values):
        block = values[start:stop] if values.ndim else values
        if block.flags.c_contiguous and block.dtype in (np.float32, np.float64):
            finite = _core.all_finite(block)
        else:
            finite = bool(np.isfinite(block).all())
        odd = [] if finite else np.argwhere(~np.isfinite(block)).tolist()
        if odd:  # or another thread has written numbers there in the meantime
            where, value = odd[0], block[tuple(odd[0])]
            if where:
                where[0] += first + start
            or_too_large = " (or was too large for float32)" if values.dtype == np.float32 else ""
            if name == "y" and values.shape[1:] == (1,):  # a column, which y itself need not be
                where = where[:1]
            found_there = f"{name}{where} is {value}{or_too_large}"
            if columns is not None:
                column = columns[where[1]]
                found_there = f"{value}{or_too_large} in column {column!r}, row {where[0]}"
            way = " (for instance with sklearn.impute.SimpleImputer)" if name[0] == "X" else ""
            raise ValueError(
                f"{name} has NaN or infinity: {found_there}. Remove or fill such values first{way}."
            )


def blocks_of_rows(array: NDArray[Any]) -> Iterator[tuple[int, int]]:
    """Cut the rows of an array into even blocks of up to `BLOCK_BYTES`, or of one row."""
    return blocks_of(len(array) if array.ndim else 1, array.nbytes)


def blocks_of(n_rows: int, n_bytes: int) -> Iterator[tuple[int, int]]:
    """Cut so many rows, of so many bytes together, into even blocks of up to `BLOCK_BYTES`."""
    n_blocks = min(max(1, n_rows), 1 + n_bytes // BLOCK_BYTES)
    size = -(-n_rows // n_blocks)
    for start in range(0, n_rows, size or 1):
        yield start, min(start + size, n_rows)


def as_rows(
    X: Any, n_features: int, dtype: np.dtype[Any]
) -> NDArray[Any] | tuple[NDArray[Any], NDArray[np.int32], NDArray[np.int64]]:
    """Return X as the kernels read it: rows of contiguous values, or the three arrays of a CSR."""
    if hasattr(X, "tocsr"):
        _check_two_dimensions(X.ndim)
        if X.format != "csr":
            X = with_private_indices(X)
        return _as_csr_arrays(X.tocsr(), n_features, dtype)
    array = as_numbers("X", X, dtype)
    _check_two_dimensions(array.ndim)
    _check_n_features(array.shape[1], n_features)
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


def _check_n_features(found: int, n_features: int) -> None:
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
        starts, indices = _private_compressed(X)
        return type(X)((X.data, indices, starts), shape=X.shape)
    private = {"coo": _private_coo, "dia": _private_dia, "lil": _private_lil}.get(X.format)
    return X if private is None else private(X)  # SciPy checks those of a DOK matrix


def _private_coo(X: Any) -> Any:
    places = []
    for name, axis in (("row", 0), ("col", 1)):
        places.append(_sparse_indices(getattr(X, name)))
        _check_indices(X, name, places[-1], X.shape[axis])
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
        _private_compressed(compressed)  # lists may hold any columns
    except (TypeError, ValueError, OverflowError) as error:
        raise _not_valid(X, f"its rows must hold columns, 0..{X.shape[1] - 1}") from error
    return compressed


def as_indices(values: Any, *, narrow: bool = False) -> NDArray[Any] | None:
    """Return a private copy of an array of whole numbers as int64, or None if it is none.

    Kernels follow indices without the GIL, while another thread may write to the caller's array:
    they follow a copy, and it is the copy that is checked. What int64 cannot hold becomes the
    largest number that it can.
    ``narrow`` makes it int32 where that holds all numbers of the array's type.
    """
    array = np.asarray(values)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        return None
    if array.dtype == np.uint64:
        array = np.minimum(array, np.uint64(np.iinfo(np.int64).max))
    fits = narrow and np.can_cast(array.dtype, np.int32)
    return np.array(array, dtype=np.int32 if fits else np.int64)


def _sparse_indices(values: Any, *, narrow: bool = True) -> NDArray[Any] | None:
    """Return `as_indices` of a sparse matrix's own, which must be a plain array, or None."""
    is_plain = isinstance(values, np.ndarray) and not isinstance(values, np.ma.MaskedArray)
    return as_indices(values, narrow=narrow) if is_plain else None


def _private_compressed(X: Any) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Return checked private copies of the indptr and indices of a CSR, CSC or BSR matrix."""
    rows_a_block, columns_a_block = (max(n, 1) for n in getattr(X, "blocksize", (1, 1)))
    n_major, n_minor = X.shape[0] // rows_a_block, X.shape[1] // columns_a_block
    if X.format == "csc":
        n_major, n_minor = n_minor, n_major
    starts, indices = _sparse_indices(X.indptr, narrow=False), _sparse_indices(X.indices)
    if np.ndim(X.data) != (3 if X.format == "bsr" else 1):
        raise _not_valid(X, "its data have too many or too few dimensions")
    if starts is None or indices is None:
        raise _not_valid(X, "its indptr and indices must be arrays of whole numbers")
    if (
        len(starts) != n_major + 1
        or len(X.data) != len(indices)
        or starts[0] != 0
        or starts[-1] > len(indices)
        or np.any(starts[1:] < starts[:-1])  # not by differences, which may wrap around
    ):
        raise _not_valid(X, "its indptr does not match its data")
    _check_indices(X, "indices", indices, n_minor)
    return starts, indices


def _check_indices(X: Any, name: str, indices: NDArray[Any] | None, n: int) -> None:
    if indices is None or len(indices) != len(X.data):
        raise _not_valid(X, f"its {name} must be whole numbers, one for each value")
    if len(indices) and not (0 <= indices.min() and indices.max() < n):
        raise _not_valid(X, f"it has {name} outside 0..{n - 1}")


def _not_valid(X: Any, what: str) -> ValueError:
    return ValueError(f"X is not a valid {X.format.upper()} matrix: {what}")


def _as_csr_arrays(
    X: Any, n_features: int, dtype: np.dtype[Any]
) -> tuple[NDArray[Any], NDArray[np.int32], NDArray[np.int64]]:
    """Return values, columns and row starts of a CSR matrix: the two last are private copies."""
    _check_n_features(X.shape[1], n_features)
    starts, indices = _private_compressed(X)
    data = X.data
    if not _is_canonical(starts, indices):
        # of private arrays, which SciPy sorts in place; it remembers, also what is no longer so
        X = type(X)((np.array(data), indices, starts), shape=X.shape)
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
    if loss == "log_loss" and array.size and not (array.min() >= 0 and array.max() <= 1):
        raise ValueError(
            "log_loss needs targets between 0 and 1 (probabilities or class indicators)"
        )
    if loss == "poisson" and array.size and array.min() < 0:
        raise ValueError("poisson loss needs targets of at least 0")
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
    sample_weight: Any, n_rows: int, name: str = "sample_weight"
) -> NDArray[np.float64] | None:
    """Return the weights as float64 (n_rows,), finite, none negative, not all zero; or None."""
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
    if not weights.any():
        raise ValueError(f"Every {name} is zero: there is nothing to learn from")
    return weights


def as_order(order: Any, n_rows: int) -> NDArray[np.int64]:
    """Return the row numbers to visit, a private copy; by default all, from first to last."""
    if order is None:
        return np.arange(n_rows, dtype=np.int64)
    array = as_indices(order)
    if array is None or not len(array):
        raise ValueError("order must be a one-dimensional array of row numbers, at least one")
    if array.min() < 0 or array.max() >= n_rows:
        given = np.asarray(order)
        raise ValueError(
            f"order must hold row numbers 0..{n_rows - 1}; it goes from {given.min()} to "
            f"{given.max()}"
        )
    return array
