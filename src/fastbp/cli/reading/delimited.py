"""`read_delimited`: a CSV file, looked at as a whole and then read by pandas."""

from __future__ import annotations

import csv
import dataclasses
import itertools
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..._messages import counted
from ..console import UserError
from ..progress import Bar
from .columns import DATES, PLAIN, TEXT, Column, Survey, classified, code_of_values, values_of
from .dialect import SAMPLE, Dialect, detected
from .text import TextFile, errors_of_reading

LeaveText = Callable[[str, Column], bool]
Code = Callable[[Collection[str]], list[str]]

ROWS_OF_A_BLOCK = 20_000


def never(name: str, column: Column) -> bool:
    """Leave no column as it stands in the file."""
    return False


@dataclasses.dataclass(frozen=True)
class Delimited:
    """A CSV file as it was read.

    Attributes
    ----------
    frame : DataFrame
        Numbers as such, dates as days since the start of 1970, texts as they stand in the file.
    columns : dict of str to Column
    code : callable
        Given the names of columns, returns lines of Python that read these the same way.
    notes : list of str
        What was unusual about the file.
    """

    frame: Any
    columns: dict[str, Column]
    code: Code
    notes: list[str]


def read_delimited(
    file: TextFile,
    wanted: Sequence[str] = (),
    kinds: Mapping[str, str] | None = None,
    *,
    leave_text: LeaveText = never,
    has_names: bool = True,
) -> Delimited:
    """Return what a CSV file holds.

    Parameters
    ----------
    file : TextFile
    wanted : sequence of str
        Names that the file should have, by which the line of names is found.
    kinds : mapping of str to {"numbers", "dates", "text"}, optional
        What columns are to be read as; the others as they look.
    leave_text : callable
        Given a name and a `Column`, returns whether its values are left as they stand in the file.
    has_names : bool
        Whether the file has a line of names.

    Raises
    ------
    UserError
        If rows have different numbers of fields, or the file cannot be read for another reason.
    """
    with errors_of_reading(file.path):
        with file.opened() as lines:
            sample = lines.read(2 * SAMPLE)
        dialect = detected(sample, wanted, has_names=has_names)
        rows = _count(file, dialect)
        plan = _Plan(file, dialect, len(rows.surveys), ends_in_delimiter=rows.ends_in_delimiter)
        names = plan.find_names()
        chosen = [(kinds or {}).get(name) for name in names]
        plan.columns = dict(zip(names, classified(rows.surveys, chosen), strict=True))
        plan.left = {name for name in names if leave_text(name, plan.columns[name])}
        frame = plan.frame()
    if len(frame) != rows.n_rows:
        raise UserError(
            f"{file.path} has {counted(rows.n_rows, 'row')} of which pandas reads "
            f"{len(frame):,}: its quotes or line ends are not what they seem; save it again as CSV"
        )
    return Delimited(frame, plan.columns, plan.code, _notes(file, dialect, names, rows))


@dataclasses.dataclass
class _Counted:
    surveys: list[Survey] = dataclasses.field(default_factory=list)
    n_rows: int = 0
    ends_in_delimiter: bool = False


def _count(file: TextFile, dialect: Dialect) -> _Counted:
    """Look at all rows: they must have as many fields as there are names."""
    result = _Counted()
    with file.opened() as lines, Bar(f"Reading {file.path}", _size(file.path)) as bar:
        list(itertools.islice(lines, dialect.skip))
        reader = dialect.reader(lines)
        try:
            names: Any = next(filter(None, reader), []) if dialect.names else None
            checked = _checked(file.path, reader, result, names, dialect.skip)
            while block := list(itertools.islice(checked, ROWS_OF_A_BLOCK)):
                for survey, values in zip(result.surveys, zip(*block, strict=False), strict=False):
                    survey.add(values)
                result.n_rows += len(block)
                bar.show(_position(lines, file))
        except csv.Error as error:
            line = dialect.skip + reader.line_num
            raise UserError(
                f"{file.path} cannot be read near line {line:,}: {_said(error)}"
            ) from error
    if not result.n_rows:
        raise UserError(f"{file.path} has no rows")
    return result


def _checked(path: Path, reader: Any, result: _Counted, names: Any, skipped: int) -> Any:
    """Yield rows without the empty field behind a last delimiter; refuse those of other lengths."""
    width = len(names) if names is not None else 0
    more = 0
    for row in reader:
        if not row or row == [""]:
            continue
        if not result.surveys:
            width = width or len(row)
            more = 1 if len(row) == width + 1 and row[-1] == "" else 0
            result.ends_in_delimiter = bool(more)
            result.surveys = [Survey() for _ in range(width)]
        if len(row) != width + more or (more and row[-1] != ""):
            raise UserError(_about_lengths(path, row, width, skipped + reader.line_num, names))
        yield row


def _about_lengths(path: Path, row: list[str], width: int, line: int, names: Any) -> str:
    of_what = "the line of names has" if names is not None else "the first has"
    fields = len(row) - (len(row) > width and row[-1] == "")
    much = "a value with a delimiter needs quotes" if fields > width else "some are missing"
    return (
        f"line {line:,} of {path} has {counted(len(row), 'field')}, and {of_what} {width}: {much}. "
        "Mend the line, or take it out"
    )


def _said(error: csv.Error) -> str:
    text = str(error)
    if "unexpected end of data" in text or "field larger" in text:
        return "a quote is opened and never closed"
    if "expected after" in text:
        return "text follows a closing quote; quotes inside of a value have to be doubled"
    return text


def _size(path: Path) -> int:
    return path.stat().st_size


def _position(lines: Any, file: TextFile) -> int:
    """Return how many bytes of the file have been read, compressed or not."""
    raw = lines.buffer
    position: Callable[[], int] = getattr(raw, "fileobj", raw).tell
    return 0 if file.compression in ("bz2", "xz") else position()


def _notes(file: TextFile, dialect: Dialect, names: list[str], rows: _Counted) -> list[str]:
    """Return what was unusual about the file, in a line each."""
    notes = []
    if file.encoding not in ("utf-8", "utf-8-sig"):
        example = f", such as {file.example!r}" if file.example else ""
        notes.append(f"text: {file.encoding}{example} (--encoding for another)")
    if dialect.delimiter != ",":
        notes.append(f"fields: parted by {dialect.delimiter!r}")
    if dialect.skip:
        notes.append(f"names: in line {dialect.skip + 1}; {counted(dialect.skip, 'line')} skipped")
    if rows.ends_in_delimiter:
        notes.append("rows: end in a delimiter, which the line of names does not")
    for written, name in zip(dialect.names, names, strict=False):
        if written and written != name and written in names:
            notes.append(f"names: {written} occurs more than once; the next is called {name}")
    return notes


class _Plan:
    """What to tell pandas so that it reads a file that has been looked at."""

    def __init__(
        self, file: TextFile, dialect: Dialect, width: int, *, ends_in_delimiter: bool
    ) -> None:
        self.file, self.dialect, self.width = file, dialect, width
        self.ends_in_delimiter = ends_in_delimiter
        self.columns: dict[str, Column] = {}
        self.names: list[str] = []
        self.left: set[str] = set()

    def find_names(self) -> list[str]:
        """Return names as pandas makes them, all different and none empty, without spaces."""
        import pandas as pd

        self.names = [f"column {i}" for i in range(1, self.width + 1)]
        if self.dialect.names:
            frame = pd.read_csv(self.file.path, **self._of_file(), nrows=0)
            self.names = [str(name) for name in frame.columns]
        return [name.strip() for name in self.names]

    def frame(self) -> Any:
        """Return the file as a frame."""
        import pandas as pd

        frame = pd.read_csv(self.file.path, **self._arguments(self.columns), low_memory=False)
        frame.columns = list(self.columns)
        for name, column in self.columns.items():
            if self._is_left(name):
                frame[name] = frame[name].astype(object)
            elif column.kind == DATES or column.notation is not PLAIN:
                frame[name] = values_of(frame[name], column)
        return frame

    def code(self, names: Collection[str]) -> list[str]:
        """Return lines of Python that do the same as `frame` to the columns of these names."""
        arguments = self._arguments(names)
        lines = ["frame = pd.read_csv(", f"    {str(self.file.path)!r},"]
        lines += [f"    {key}={value!r}," for key, value in arguments.items()]
        lines.append(")")
        if not self.dialect.names:
            made = f'[f"column {{i}}" for i in range(1, {self.width + 1})]'
            lines.append(f"frame.columns = {made}")
        elif list(self.columns) != self.names:
            lines.append("frame.columns = frame.columns.str.strip()")
        for name, column in self.columns.items():
            if name in names and not self._is_left(name):
                made = code_of_values(f"frame[{name!r}]", column)
                lines += [f"frame[{name!r}] = {made}"] if made else []
        return lines

    def _is_left(self, name: str) -> bool:
        return name in self.left or self.columns[name].kind == TEXT

    def _of_file(self) -> dict[str, Any]:
        """Return the arguments of `pandas.read_csv` that do not depend on the columns."""
        file, dialect = self.file, self.dialect
        chosen: dict[str, Any] = {
            "sep": (dialect.delimiter, ","),
            "encoding": (file.encoding, "utf-8"),
            "compression": (file.compression, None),
            "quotechar": (dialect.quotechar, '"'),
            "escapechar": (dialect.escapechar or None, None),
            "skiprows": (dialect.skip_rows, 0),
            "skipinitialspace": (True, False),
        }
        arguments = {key: value for key, (value, usual) in chosen.items() if value != usual}
        if not dialect.names:
            arguments["header"] = None
        if self.ends_in_delimiter:
            arguments["usecols"] = range(self.width)
        return arguments

    def _arguments(self, names: Collection[str]) -> dict[str, Any]:
        types, gaps = {}, {}
        keys = self.names if self.dialect.names else range(self.width)
        for key, (name, column) in zip(keys, self.columns.items(), strict=True):
            if name not in names:
                continue
            is_left = self._is_left(name)
            if is_left or column.kind == DATES or column.notation is not PLAIN:
                types[key] = "str"
            if not is_left and (column.n_gaps or column.unread):
                gaps[key] = ["", *column.unread]
        arguments = self._of_file() | {"keep_default_na": False}
        if types:
            arguments["dtype"] = types
        if gaps:
            arguments["na_values"] = gaps
        return arguments
