"""What users give as arrays of finite numbers, whatever it is made of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .frames import (
    NOT_FRAMES,
    as_array_like,
    floats_of_objects,
    frame_of,
    names_of_columns,
    plain_item,
)

BLOCK_BYTES = 2**23  # of data that is looked at, or converted, at once


def as_numbers(name: str, values: Any, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return an array of native ``dtype``; refuse text, objects and complex numbers."""
    if type(values) is np.ndarray and values.dtype is dtype and values.flags.aligned:
        return values  # what each of many short epochs is given
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


def read_once(values: Any) -> Any:
    """Return the array that an object hands over; arrays, frames and all else as they are.

    For what is read twice: such an object may hand over another one when it is asked again.
    """
    if isinstance(values, NOT_FRAMES) or not hasattr(values, "__array__"):
        return values
    return values if names_of_columns(values) else np.asarray(values)


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
    """Return the number or text in a list, tuple, 1-D array or series of one, or else None."""
    if type(values) is np.ndarray:
        return values.item() if values.shape == (1,) and values.dtype.kind in "fiubU" else None
    if type(values) in (list, tuple):
        item = values[0] if len(values) == 1 else None
    else:
        item = plain_item(values)
    if isinstance(item, np.generic):
        item = item.item()
    return item if isinstance(item, (int, float, str)) else None


def check_finite(
    name: str,
    values: NDArray[Any],
    first: int = 0,
    columns: Sequence[Any] | None = None,
    *,
    allow_nan: bool = False,
) -> None:
    """Raise a ValueError that names the first value that is infinite, or NaN unless allowed.

    Reads a block of rows after the other: no temporary is larger than one, and Ctrl-C is honoured
    in between. ``first`` is what row 0 is called; ``columns`` are the names of columns, if any.
    """
    if values.nbytes <= BLOCK_BYTES and _is_finite(values):  # at once
        return
    for start, stop in blocks_of_rows(values):
        block = values[start:stop] if values.ndim else values
        is_odd = np.isinf if allow_nan else lambda values: ~np.isfinite(values)
        odd = [] if _is_finite(block) else np.argwhere(is_odd(block)).tolist()
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
            way = ""
            if name[0] in "Xx":
                way = " (for instance with sklearn.impute.SimpleImputer)"
                way += '; the estimators take NaN with missing="indicator"' * bool(np.isnan(value))
            raise ValueError(
                f"{name} has NaN or infinity: {found_there}. Remove or fill such values first{way}."
            )


def _is_finite(values: NDArray[Any]) -> bool:
    if values.flags.c_contiguous and values.dtype.char in "fd":
        return _core.all_finite(values)
    return bool(np.isfinite(values).all())


def blocks_of_rows(array: NDArray[Any]) -> Iterator[tuple[int, int]]:
    """Cut the rows of an array into even blocks of up to `BLOCK_BYTES`, or of one row."""
    return blocks_of(len(array) if array.ndim else 1, array.nbytes)


def blocks_of(n_rows: int, n_bytes: int) -> Iterator[tuple[int, int]]:
    """Cut so many rows, of so many bytes together, into even blocks of up to `BLOCK_BYTES`."""
    n_blocks = min(max(1, n_rows), 1 + n_bytes // BLOCK_BYTES)
    size = -(-n_rows // n_blocks)
    for start in range(0, n_rows, size or 1):
        yield start, min(start + size, n_rows)


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
