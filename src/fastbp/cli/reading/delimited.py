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
from ..progress import Bar, Waiting
from .columns import Column, code_of_values, columns_of, values_of
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
    import pandas as pd

    with errors_of_reading(file.path):
        with file.opened() as lines:
            sample = lines.read(2 * SAMPLE)
        dialect = detected(sample, wanted, has_names=has_names)
        shape = _check(file, dialect)
        arguments = _arguments(file, dialect, shape)
        with Waiting(f"Reading {file.path}"):
            frame = pd.read_csv(file.path, **arguments)
    if len(frame) != shape.n_rows:
        raise UserError(
            f"{file.path} has {counted(shape.n_rows, 'row')} of which pandas reads "
            f"{len(frame):,}: its quotes or line ends are not what they seem; save it again as CSV"
        )
    written = [str(name) for name in frame.columns]
    frame.columns = [
        name.strip() if dialect.names else f"column {i}" for i, name in enumerate(written, 1)
    ]
    with Waiting(f"Reading {file.path}"):
        columns = columns_of(frame, kinds or {})
    left = {name for name, column in columns.items() if leave_text(name, column)}
    for name, column in columns.items():
        frame[name] = frame[name].astype(object) if name in left else values_of(frame[name], column)

    def code(names: Collection[str]) -> list[str]:
        lines = ["frame = pd.read_csv(", f"    {str(file.path)!r},"]
        lines += [f"    {key}={value!r}," for key, value in arguments.items()] + [")"]
        if not dialect.names:
            lines.append(f'frame.columns = [f"column {{i}}" for i in range(1, {shape.width + 1})]')
        elif written != list(columns):
            lines.append("frame.columns = frame.columns.str.strip()")
        return lines + _code_of_columns({n: columns[n] for n in names if n not in left})

    return Delimited(frame, columns, code, _notes(file, dialect, list(columns), shape))


def _code_of_columns(columns: Mapping[str, Column]) -> list[str]:
    """Return lines of Python that turn texts into what columns hold, alike ones in a loop."""
    alike: dict[str, list[str]] = {}
    for name, column in columns.items():
        alike.setdefault(code_of_values("frame[name]", column), []).append(name)
    lines = []
    for made, names in alike.items():
        if made and len(names) == 1:
            name = f"frame[{names[0]!r}]"
            lines.append(f"{name} = {made.replace('frame[name]', name)}")
        elif made:
            lines += [f"for name in {names!r}:", f"    frame[name] = {made}"]
    return lines


@dataclasses.dataclass(frozen=True)
class _Shape:
    width: int
    n_rows: int
    ends_in_delimiter: bool


def _check(file: TextFile, dialect: Dialect) -> _Shape:
    """Refuse a file whose rows do not all have as many fields as there are names.

    pandas fills short rows up, and cuts long ones.
    """
    n_rows, more = 0, False
    with file.opened() as lines, Bar(f"Reading {file.path}", _size(file.path)) as bar:
        list(itertools.islice(lines, dialect.skip))
        reader = dialect.reader(lines)
        try:
            names: Any = next(filter(None, reader), []) if dialect.names else None
            width = len(names or ())
            for row in reader:
                if not row or row == [""]:
                    continue
                if not n_rows:
                    width = width or len(row)
                    more = len(row) == width + 1 and row[-1] == ""
                if len(row) != width + more or (more and row[-1]):
                    line = dialect.skip + reader.line_num
                    raise UserError(_about_lengths(file.path, row, width, line, names))
                n_rows += 1
                if n_rows % ROWS_OF_A_BLOCK == 0:
                    bar.show(_position(lines, file))
        except csv.Error as error:
            line = dialect.skip + reader.line_num
            raise UserError(
                f"{file.path} cannot be read near line {line:,}: {_said(error)}"
            ) from error
    if not n_rows:
        raise UserError(f"{file.path} has no rows")
    return _Shape(width, n_rows, more)


def _arguments(file: TextFile, dialect: Dialect, shape: _Shape) -> dict[str, Any]:
    """Return the arguments of `pandas.read_csv` that are not the usual ones."""
    chosen: dict[str, Any] = {
        "sep": (dialect.delimiter, ","),
        "encoding": (file.encoding, "utf-8"),
        "compression": (file.compression, None),
        "quotechar": (dialect.quotechar, '"'),
        "escapechar": (dialect.escapechar or None, None),
        "skiprows": (dialect.skip_rows, 0),
        "header": (0 if dialect.names else None, 0),
        "usecols": (range(shape.width) if shape.ends_in_delimiter else None, None),
        "skipinitialspace": (True, False),
        "dtype": ("str", None),
        "keep_default_na": (False, True),
    }
    return {key: value for key, (value, usual) in chosen.items() if value != usual}


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


def _notes(file: TextFile, dialect: Dialect, names: list[str], shape: _Shape) -> list[str]:
    """Return what was unusual about the file, in a line each."""
    notes = []
    if file.encoding not in ("utf-8", "utf-8-sig"):
        example = f", such as {file.example!r}" if file.example else ""
        notes.append(f"text: {file.encoding}{example} (--encoding for another)")
    if dialect.delimiter != ",":
        notes.append(f"fields: parted by {dialect.delimiter!r}")
    if dialect.quotechar != '"':
        notes.append(f"quotes: {dialect.quotechar}")
    if dialect.escapechar:
        notes.append(f"quotes: those inside of a value have a {dialect.escapechar} before them")
    if dialect.skip:
        notes.append(f"names: in line {dialect.skip + 1}; {counted(dialect.skip, 'line')} skipped")
    if shape.ends_in_delimiter:
        notes.append("rows: end in a delimiter, which the line of names does not")
    for written, name in zip(dialect.names, names, strict=False):
        if written and written != name and written in names:
            notes.append(f"names: {written} occurs more than once; the next is called {name}")
    return notes
