"""Frames and series of pandas, polars, pyarrow and others, as NumPy arrays.

Pandas is read directly, all others through narwhals, which scikit-learn brings from 1.9 on; without
it they are what NumPy makes of them. Neither is loaded for data that is none of theirs.
"""

from __future__ import annotations

import dataclasses
import datetime
import functools
import sys
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

NOT_FRAMES = (np.ndarray, np.generic, list, tuple, str, bytes, int, float, complex, type(None))
PLAIN_OF_POLARS = {
    "Boolean", "Float32", "Float64",
    "Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64",
}  # fmt: skip
DATES = (datetime.date, datetime.time, datetime.timedelta)


@dataclasses.dataclass(frozen=True)
class Frame:
    """A frame: the names of its columns, and their values.

    Attributes
    ----------
    names : list
        Text, or whatever pandas was given.
    n_rows : int
    columns : callable
        Returns an iterator over the values of each column, so that not all of them are in memory
        as objects.
    whole : callable
        Returns all values at once, as the library makes an array of them, or None.
    """

    names: list[Any]
    n_rows: int
    columns: Callable[[], Iterator[NDArray[Any]]]
    whole: Callable[[], NDArray[Any] | None] = lambda: None

    @property
    def has_names(self) -> bool:
        """Whether columns are named by text, not only numbered."""
        return all(isinstance(name, str) for name in self.names)

    def values(self) -> NDArray[Any]:
        """Return the values as they are, objects where columns differ in kind."""
        return _side_by_side(self.n_rows, list(self.columns()))

    def numbers(self, what: str) -> NDArray[Any]:
        """Return the values as numbers, gaps as NaN.

        Raises
        ------
        ValueError
            That names the column, for text, dates and anything else that is no number.
        """
        whole = self.whole()
        if whole is not None and whole.dtype.kind in "fiub":
            return whole
        columns = zip(self.names, self.columns(), strict=True)
        return _side_by_side(self.n_rows, [_as_numbers(what, *column) for column in columns])


def frame_of(data: Any) -> Frame | None:
    """Return a frame for reading, or None for what is none.

    Raises
    ------
    TypeError
        For a lazy frame, whose values are not known yet.
    """
    if isinstance(data, NOT_FRAMES) or is_pandas_series(data):
        return None
    if is_pandas_frame(data):
        columns = lambda: (column.to_numpy() for _, column in data.items())  # noqa: E731
        return Frame(list(data.columns), len(data), columns, data.to_numpy)
    frame = as_narwhals(data)
    if frame is None:
        return None
    return Frame(list(frame.columns), len(frame), lambda: map(_values, frame.iter_columns()))


def as_narwhals(data: Any) -> Any:
    """Return a frame of any library as one of narwhals, or None for what is none.

    Raises
    ------
    TypeError
        For a lazy frame.
    """
    narwhals = _narwhals()
    if narwhals is None:
        return None
    frame = narwhals.from_native(data, pass_through=True)
    if isinstance(frame, narwhals.LazyFrame):
        raise TypeError(
            f"A lazy frame ({type(data).__name__}) has no values yet: pass what its collect() "
            "returns"
        )
    return frame if isinstance(frame, narwhals.DataFrame) else None


def as_array_like(data: Any) -> Any:
    """Return a frame or series as an array of its values; anything else as it is.

    Only what NumPy itself would read as it should not is read here: pandas is left alone.
    """
    if isinstance(data, NOT_FRAMES) or is_pandas_series(data) or is_pandas_frame(data):
        return data
    frame = frame_of(data)
    if frame is not None:
        return frame.values()
    narwhals = _narwhals()
    if narwhals is None:
        return data
    series = narwhals.from_native(data, allow_series=True, pass_through=True)
    return _values(series) if isinstance(series, narwhals.Series) else data


def names_of_columns(data: Any) -> list[Any]:
    """Return what the columns of a frame are called, or the name of a series; else nothing."""
    frame = frame_of(data)
    if frame is not None:
        return frame.names
    name = getattr(data, "name", None)
    return [] if name in (None, "") else [name]


def as_mapping(data: Any) -> Any:
    """Return a series of pandas that has names as a dict of them; anything else as it is."""
    if is_pandas_series(data) and data.index.inferred_type == "string":
        return data.to_dict()
    return data


def plain_numbers(frame: Any, names: list[Any] | None, dtype: np.dtype[Any]) -> NDArray[Any] | None:
    """Return a frame of plain numbers in columns of these names as an array, in microseconds.

    None names are those of columns that are only numbered. Returns None for anything that needs a
    closer look: other names, columns with gaps or of another type, and what is no frame.
    """
    pandas, polars = sys.modules.get("pandas"), sys.modules.get("polars")
    if pandas is not None and type(frame) is pandas.DataFrame:
        found = frame.columns
        if found.tolist() != names if names is not None else found.inferred_type != "integer":
            return None
        array = frame.to_numpy() if _is_dense(frame) else None
    elif polars is not None and type(frame) is polars.DataFrame and frame.columns == names:
        array = frame.to_numpy() if PLAIN_OF_POLARS.issuperset(map(str, frame.dtypes)) else None
    else:
        return None
    if array is None or array.dtype.kind not in "fiubO":
        return None
    with np.errstate(over="ignore"):  # infinity is found as such
        return np.ascontiguousarray(array, dtype=dtype)


def _is_dense(frame: Any) -> bool:
    """Whether all columns of a pandas frame are NumPy's numbers, which are not sparse columns."""
    array = frame.to_numpy()
    if array.dtype.kind in "fiub" and np.may_share_memory(array, frame.to_numpy()):
        return True  # quicker to find than dtypes: all is one array, which is not copied
    return all(isinstance(one, np.dtype) and one.kind in "fiub" for one in frame.dtypes)


def plain_item(series: Any) -> Any:
    """Return the value in a series of pandas or polars of just one, in microseconds, or None."""
    if is_pandas_series(series):
        return series.to_numpy()[0] if len(series) == 1 else None
    polars = sys.modules.get("polars")
    if polars is not None and type(series) is polars.Series and len(series) == 1:
        return series[0]
    return None


def is_pandas_frame(data: Any) -> bool:
    """Whether it is a DataFrame of pandas."""
    pandas = sys.modules.get("pandas")  # what is not loaded has made no frame
    return pandas is not None and isinstance(data, pandas.DataFrame)


def is_pandas_series(data: Any) -> bool:
    """Whether it is a Series of pandas."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(data, pandas.Series)


def is_missing(value: Any) -> bool:
    """Whether a value is a gap: None, NaN, NaT or pandas.NA."""
    try:
        return value is None or bool(value != value)
    except TypeError:  # pandas.NA is neither equal to itself nor not
        return True
    except ValueError:  # an array
        return False


def refuse_pandas_dates(what: str, frame: Any) -> None:
    """Raise an error that names the first column of dates or durations, if there is one."""
    for name, dtype in frame.dtypes.items():
        if getattr(dtype, "kind", "") in "mM":
            _refuse_dates(what, name)


def floats_of_objects(
    values: NDArray[Any],
) -> NDArray[np.float64] | tuple[int, Any]:
    """Return objects as floats, gaps as NaN; or the position and value of the first that is none.

    Positions count the values in the order of their rows.
    """
    try:
        return values.astype(np.float64)
    except (TypeError, ValueError, OverflowError):
        floats = np.empty(values.size)
    for i, value in enumerate(values.flat):
        try:
            floats[i] = np.nan if is_missing(value) else float(value)
        except (TypeError, ValueError, OverflowError):
            return i, value
    return floats.reshape(values.shape)


def _refuse_dates(what: str, column: Any) -> NoReturn:
    raise ValueError(
        f"{what} must hold numbers, but column {column!r} holds dates or durations. Turn them into "
        "numbers first, for instance days since a date."
    )


def _as_numbers(what: str, column: Any, values: NDArray[Any]) -> NDArray[Any]:
    """Return the values of a column as numbers, or raise an error that names it."""
    if values.dtype.kind in "mM":
        _refuse_dates(what, column)
    if values.ndim == 1 and values.dtype.kind in "fiub":
        return values
    if values.ndim == 1 and values.dtype.kind == "c":
        raise ValueError(f"Complex data not supported: column {column!r} of {what} holds it")
    found = floats_of_objects(values) if values.ndim == 1 else (0, values[0])
    if not isinstance(found, tuple):
        return found
    row, value = found
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, DATES):
        _refuse_dates(what, column)
    kind, way = f"values of type {type(value).__name__}", ""
    if isinstance(value, (str, bytes)):
        kind = "text"
        way = " Encode text first, for instance with sklearn.preprocessing.OneHotEncoder."
    shown = repr(value)
    shown = shown if len(shown) < 60 else f"{shown[:56]} ..."
    raise ValueError(
        f"{what} must hold numbers: column {column!r} holds {kind}, {shown} in row {row}.{way}"
    )


def _side_by_side(n_rows: int, columns: list[NDArray[Any]]) -> NDArray[Any]:
    """Return columns as a matrix: of their common type of number, or else of objects."""
    if columns and all(values.dtype.kind in "fiub" for values in columns):
        return np.column_stack(columns)
    result = np.empty((n_rows, len(columns)), dtype=object if columns else np.float64)
    for i, values in enumerate(columns):
        result[:, i] = values
    return result


def _values(series: Any) -> NDArray[Any]:
    """Return the values of a narwhals series."""
    narwhals: Any = _narwhals()
    as_objects = (narwhals.Categorical, narwhals.Enum, narwhals.Int128, narwhals.UInt128)
    if series.dtype in as_objects:
        # Pyarrow's arrays of categories have the last category where there are gaps, and NumPy has
        # no whole numbers of 128 bits.
        items = series.to_list()
        if any(isinstance(item, (int, float)) for item in items):
            return np.array([np.nan if item is None else item for item in items])
        return np.array(items, dtype=object)
    values: NDArray[Any] = series.to_numpy()
    return values


@functools.cache
def _narwhals() -> Any:
    """Return narwhals, or None where it is not installed."""
    try:
        import narwhals.stable.v2 as narwhals
    except ImportError:
        return None
    return narwhals
