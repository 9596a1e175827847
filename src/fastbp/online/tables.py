"""Rows side by side as arrays: what `learn_many` and `predict_many` are given."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..network.frames import frame_of, is_pandas_series
from .names import Names
from .rows import Name, PlainRow, plain_name, plain_value, refuse_gap


@dataclasses.dataclass
class StreamTable:
    """Numbers and texts of a table, by the names of their columns.

    Attributes
    ----------
    number_names, text_names : list of Name
        A column of objects may have both.
    values : ndarray of float64 of shape (n, len(number_names))
        NaN is a gap, or a text.
    codes : ndarray of int32 of shape (n, len(text_names))
        Numbers of the texts in each column; -1 is a gap, or a number.
    texts : list of list of str
        The texts of each column of ``codes``.
    """

    number_names: list[Name]
    values: NDArray[np.float64]
    text_names: list[Name]
    codes: NDArray[np.int32]
    texts: list[list[str]]
    of_values: NDArray[np.int32] = dataclasses.field(init=False)  # see `set_columns`
    of_texts: NDArray[np.int32] = dataclasses.field(init=False)
    text_starts: NDArray[np.int64] = dataclasses.field(init=False)

    def __len__(self) -> int:
        return len(self.values)

    def widest(self) -> int:
        """Return how many features the row has that has most."""
        n_values = (self.values == self.values).sum(axis=1)
        return int((n_values + (self.codes >= 0).sum(axis=1)).max())

    def row(self, r: int) -> PlainRow:
        """Return one row as a dict."""
        row: PlainRow = {
            name: float(value)
            for name, value in zip(self.number_names, self.values[r], strict=True)
            if value == value
        }
        for name, code, texts in zip(self.text_names, self.codes[r], self.texts, strict=True):
            if code >= 0:
                row[name] = texts[code]
        return row

    def compiled(self, targets: Any = None, weights: Any = None) -> _core.Table:
        """Return the table as the compiled loop reads it; `set_columns` comes next."""
        return _core.Table(self.values, self.codes, targets, weights)

    def note_row(self, r: int, names: Names) -> None:
        """Note which columns the names of a row have, since they were given some."""
        for j, name in enumerate(self.number_names):
            column = names.column((name, None))
            self.of_values[j] = -1 if column is None else column
        for j, (name, texts) in enumerate(zip(self.text_names, self.texts, strict=True)):
            code = self.codes[r, j]
            if code >= 0:
                column = names.column((name, texts[code]))
                self.of_texts[self.text_starts[j] + code] = -1 if column is None else column

    def set_columns(self, table: _core.Table, names: Names) -> None:
        """Tell the compiled table which columns of the network there are by now."""
        known = [names.column((name, None)) for name in self.number_names]
        of_values = np.array([-1 if column is None else column for column in known], np.int32)
        starts = np.cumsum([0, *map(len, self.texts)], dtype=np.int64)
        of_texts = np.full(max(1, int(starts[-1])), -1, np.int32)
        for name, start, texts in zip(self.text_names, starts, self.texts, strict=False):
            for code, text in enumerate(texts):
                column = names.column((name, text))
                of_texts[start + code] = -1 if column is None else column
        table.set_columns(of_values, of_texts, starts)
        self.of_values, self.of_texts, self.text_starts = of_values, of_texts, starts


def stream_table(X: Any, *, skips_gaps: bool) -> StreamTable:
    """Return a table as arrays.

    Parameters
    ----------
    X : DataFrame of pandas, polars or pyarrow, dict of columns, list of dicts, or array
        The columns of an array of shape (n, n_features) are named 0, 1, 2 ...
    skips_gaps : bool
        Whether None and NaN are left out, or refused.

    Raises
    ------
    TypeError, ValueError
        That name the column and the row.
    """
    numbers: dict[Name, NDArray[np.float64]] = {}
    texts: dict[Name, tuple[NDArray[np.int32], list[str]]] = {}
    n = 0 if isinstance(X, Mapping) or not hasattr(X, "__len__") else len(X)  # without columns
    if type(X) is np.ndarray and X.ndim == 2 and X.dtype.kind in "fiub":
        values = np.ascontiguousarray(X, np.float64)
        if np.isfinite(values).all():  # quicker than column by column
            names: list[Name] = list(range(X.shape[1]))
            return StreamTable(names, values, [], np.empty((len(X), 0), np.int32), [])
    for i, (name, column) in enumerate(_columns_of(X)):
        if name in numbers or name in texts:
            raise ValueError(f"X has two columns {name!r}")
        if i and len(column) != n:
            raise ValueError(f"column {name!r} has {len(column)} values, and others have {n}")
        n = len(column)
        _read(name, column, numbers, texts)
        if not skips_gaps:
            _check_gaps(name, column, numbers, texts)
    values = np.column_stack(list(numbers.values())) if numbers else np.empty((n, 0))
    codes = [column for column, _ in texts.values()]
    return StreamTable(
        list(numbers),
        np.ascontiguousarray(values, np.float64),
        list(texts),
        np.ascontiguousarray(np.column_stack(codes)) if codes else np.empty((n, 0), np.int32),
        [found for _, found in texts.values()],
    )


class _LeftOut:
    """Stands for what a row leaves out, which is no gap."""


LEFT_OUT = _LeftOut()


def _columns_of_rows(rows: Sequence[Mapping[Any, Any]]) -> list[tuple[Name, NDArray[Any]]]:
    """Return the columns of a list of dicts."""
    columns: dict[Name, NDArray[Any]] = {}
    for r, row in enumerate(rows):
        for given, value in row.items():
            name = plain_name(given)
            if name not in columns:
                columns[name] = np.full(len(rows), LEFT_OUT, dtype=object)
            columns[name][r] = value
    return list(columns.items())


def _columns_of(X: Any) -> list[tuple[Name, NDArray[Any]]]:
    if isinstance(X, Mapping):
        return [(plain_name(name), _column(name, values)) for name, values in X.items()]
    frame = frame_of(X)
    if frame is not None:
        return [
            (plain_name(name), values)
            for name, values in zip(frame.names, frame.columns(), strict=True)
        ]
    if isinstance(X, (list, tuple)) and X and all(isinstance(row, Mapping) for row in X):
        return _columns_of_rows(X)
    if hasattr(X, "tocsr"):
        raise TypeError(
            "X is a sparse matrix: pass rows as dicts of what is not zero, or X.toarray() in parts"
        )
    if is_pandas_series(X) or isinstance(X, (str, bytes)):
        raise TypeError(
            f"X must be a table; got {type(X).__name__}. One row is for learn_one and predict_one"
        )
    array = np.asarray(X)
    if array.ndim != 2:
        raise ValueError(
            f"X must be a table of rows and columns; got an array of shape {array.shape}. "
            "One row is for learn_one and predict_one"
        )
    return list(enumerate(array.T))


def _column(name: Any, values: Any) -> NDArray[Any]:
    column = np.asarray(values)
    if column.dtype.kind in "US":  # which makes text of numbers beside text
        column = np.array(list(values), dtype=object)
    if column.ndim != 1:
        raise ValueError(
            f"column {name!r} must be a list of values; got {type(values).__name__} of shape "
            f"{column.shape}. One row is for learn_one and predict_one"
        )
    return column


def _read(
    name: Name,
    column: NDArray[Any],
    numbers: dict[Name, NDArray[np.float64]],
    texts: dict[Name, tuple[NDArray[np.int32], list[str]]],
) -> None:
    """Read a column into numbers, texts, or both."""
    if column.dtype.kind in "fiub":
        values = column.astype(np.float64)
        if np.isinf(values).any():
            row = int(np.flatnonzero(np.isinf(values))[0])
            plain_value(name, float(values[row]))  # which raises
        numbers[name] = values
        return
    found: dict[str, int] = {}
    values, codes = np.full(len(column), np.nan), np.full(len(column), -1, np.int32)
    for row, value in enumerate(column.tolist() if column.dtype.kind in "US" else column):
        plain = None if value is LEFT_OUT else plain_value(name, value)
        if isinstance(plain, str):
            codes[row] = found.setdefault(plain, len(found))
        elif plain is not None:
            values[row] = plain
    if found:
        texts[name] = codes, list(found)
    if not found or not np.isnan(values).all():
        numbers[name] = values


def _check_gaps(
    name: Name,
    column: NDArray[Any],
    numbers: dict[Name, NDArray[np.float64]],
    texts: dict[Name, tuple[NDArray[np.int32], list[str]]],
) -> None:
    is_gap = np.ones(len(column), bool)
    if column.dtype.kind == "O":
        is_gap = np.array([value is not LEFT_OUT for value in column], bool)
    if name in numbers:
        is_gap &= np.isnan(numbers[name])
    if name in texts:
        is_gap &= texts[name][0] < 0
    if is_gap.any():
        refuse_gap(name, f" of row {int(np.flatnonzero(is_gap)[0])}")
