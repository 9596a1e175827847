"""`read_table`: a CSV or Parquet file as a data frame, and what each of its columns is."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..._printable import printable
from ..console import UserError
from .columns import (
    DATES,
    LARGEST_EXACT,
    MOST_DISTINCT,
    NUMBERS,
    TEXT,
    Column,
    Survey,
    code_of_values,
    values_of,
)
from .delimited import Code, LeaveText, never, read_delimited
from .dialect import PIP
from .text import check_is_file, errors_of_reading, text_file

PARQUET = {".parquet", ".parq", ".pq"}
MOST_NAMES = 20  # in a message
DAY = "pd.Timedelta(days=1)"


@dataclasses.dataclass(frozen=True)
class Table:
    """A file as a table.

    Attributes
    ----------
    path : Path
    frame : DataFrame
        Numbers as such, dates as days since the start of 1970, and texts.
    columns : dict of str to Column
    code : callable
        Given the names of columns, returns lines of Python that read these the same way, with
        pandas as ``pd``.
    notes : list of str
        What was unusual about the file.
    """

    path: Path
    frame: Any
    columns: dict[str, Column]
    code: Code
    notes: list[str]

    def name_of(self, name: str | None) -> str:
        """Return a column's name as it is, given so or as `printable` shows it.

        Raises
        ------
        UserError
            If there is no such column, or more than one.
        """
        names = list(self.columns)
        as_shown = {printable(one): one for one in reversed(names)}
        found = name if name in self.columns else as_shown.get(name or "")
        if found is not None:
            again = [f"names: {found} occurs more than once" in note for note in self.notes]
            if any(again):
                raise UserError(
                    f"{self.path} has more than one column {found}: rename all but the one to "
                    "predict, since the others may tell it"
                )
            return found
        raise UserError(about_missing(self.path, name, names))


def about_missing(path: Any, name: str | None, names: list[str]) -> str:
    """Return a sentence about a column that a file does not have."""
    near = similar(name or "", names)
    shown = ", ".join((near or names)[:MOST_NAMES])
    shown += ", ..." if len(near or names) > MOST_NAMES else ""
    if name is None:
        return f"say which column to predict, with --target; {path} has {shown}"
    if near:
        return f"{path} has no column {name!r}; did you mean {shown}?"
    return f"{path} has no column {name!r}; it has {shown}{_if_no_names(names)}"


def similar(name: str, names: list[str]) -> list[str]:
    """Return the names that may be meant by one that is not among them."""
    by_lower_case = {one.lower(): one for one in reversed(names)}
    close = difflib.get_close_matches(name.lower(), by_lower_case, cutoff=0.5)
    return [by_lower_case[one] for one in close]


def _if_no_names(names: list[str]) -> str:
    if not any(one.replace(".", "").replace("-", "").isdigit() for one in names):
        return ""
    return '. If its first row is one of values, call columns "column 1" and so on: --no-names'


def read_table(
    path: Path,
    wanted: Sequence[str] = (),
    kinds: Mapping[str, str] | None = None,
    *,
    leave_text: LeaveText = never,
    encoding: str | None = None,
    has_names: bool = True,
) -> Table:
    """Return the file's table: see `read_delimited` for the parameters.

    Raises
    ------
    UserError
        If there is no such file, it has no rows, or it cannot be read.
    """
    try:
        import pandas  # noqa: F401
    except ImportError:
        raise UserError(f"reading {path} needs pandas, which is not installed: {PIP}") from None
    if path.suffix.lower() in PARQUET:
        return _read_parquet(path, kinds or {}, leave_text)
    file = text_file(path, encoding)
    read = read_delimited(file, wanted, kinds, leave_text=leave_text, has_names=has_names)
    return Table(path, read.frame, read.columns, read.code, read.notes)


def _read_parquet(path: Path, kinds: Mapping[str, str], leave_text: LeaveText) -> Table:
    import pandas as pd

    check_is_file(path)
    code = [f"frame = pd.read_parquet({str(path)!r})"]
    try:
        with errors_of_reading(path):
            frame = pd.read_parquet(path)
    except ImportError:
        raise UserError(f"reading {path} needs pyarrow, which is not installed: {PIP}") from None
    except Exception as error:  # of pyarrow's own kinds
        reason = " ".join(str(error).split())
        raise UserError(f"{path} cannot be read: {reason}") from error
    if frame.index.names != [None]:
        frame = frame.reset_index()
        code.append("frame = frame.reset_index()")
    if not len(frame):
        raise UserError(f"{path} has no rows")
    frame.columns = frame.columns.map(str)
    columns, steps = {}, {}
    for name in frame.columns:
        of = f"frame[{name!r}]"
        values, columns[name], steps[name] = _typed(frame[name], of, kinds.get(name))
        if leave_text(name, columns[name]):
            values, steps[name] = _as_text(frame[name], of)
        frame[name] = values

    def code_of(names: Collection[str]) -> list[str]:
        lines = [line for name, line in steps.items() if name in names]
        return code + [line for of_column in lines for line in of_column.split("\n")]

    return Table(path, frame, columns, code_of, [])


def _typed(values: Any, of: str, kind: str | None) -> tuple[Any, Column, str]:
    """Return values as they are learned from, what they are, and the lines of Python for it."""
    import pandas as pd
    from pandas.api import types

    if types.is_datetime64_any_dtype(values.dtype) and kind != TEXT:
        zone = "" if values.dt.tz is None else ', tz="UTC"'
        days = (values - pd.Timestamp(0, tz="UTC" if zone else None)) / pd.Timedelta(days=1)
        line = f"{of} = ({of} - pd.Timestamp(0{zone})) / {DAY}"
        return days, _column_of(values, days, DATES), line
    if types.is_timedelta64_dtype(values.dtype) and kind != TEXT:
        days = values / pd.Timedelta(days=1)
        return days, _column_of(values, days, NUMBERS), f"{of} = {of} / {DAY}"
    is_number = types.is_any_real_numeric_dtype(values.dtype) or types.is_bool_dtype(values.dtype)
    is_code = types.is_integer_dtype(values.dtype) and (values.abs() >= LARGEST_EXACT).any()
    if is_number and not is_code and kind != TEXT:
        line = f'{of} = {of}.astype("float64").replace([float("inf"), -float("inf")], float("nan"))'
        numbers = values.astype("float64").replace([float("inf"), -float("inf")], float("nan"))
        return numbers, _column_of(values, numbers, NUMBERS), line
    return _from_text(values, of, kind)


def _from_text(values: Any, of: str, kind: str | None) -> tuple[Any, Column, str]:
    """Return what texts mean, as in a CSV file."""
    texts, line = _as_text(values, of)
    column = Survey(texts).result(kind=kind)
    made = code_of_values(of, column)
    return values_of(texts, column), column, f"{line}\n{of} = {made}" if made else line


def _as_text(values: Any, of: str) -> tuple[Any, str]:
    line = f'{of} = {of}.astype(object).where({of}.notna(), "").map(str)'
    return values.astype(object).where(values.notna(), "").map(str).astype(object), line


def _column_of(values: Any, numbers: Any, kind: str) -> Column:
    present = values[numbers.notna()]
    distinct = tuple(map(str, present.unique())) if present.nunique() <= MOST_DISTINCT else None
    example = str(present.iloc[0]) if len(present) else ""
    n_gaps = len(values) - len(present)
    return Column(kind, example=example, n_gaps=n_gaps, distinct=distinct)
