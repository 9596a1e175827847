"""`Dialect`: how a text file is cut into fields, and which line has the names."""

from __future__ import annotations

import collections
import csv
import dataclasses
import io
import re
from collections.abc import Iterator, Sequence
from typing import Any

from ..._printable import printable
from ..console import UserError

COMMON = (",", ";", "\t", "|")
QUOTES, ESCAPES = ('"', "'"), ("\\",)
SAMPLE = 20_000  # characters that the detector sees
LINES_BEFORE_NAMES = 50
COMMENTS = ("#", "%", "//")
PIP = 'python -m pip install "fastbp[cli]"'


@dataclasses.dataclass(frozen=True)
class Dialect:
    """How a file is cut into fields.

    Attributes
    ----------
    delimiter, quotechar, escapechar : str
        The last may be empty.
    skip, skip_rows : int
        Lines before the line of names, and rows, since a quoted value may have line ends.
    names : tuple of str
        As that line has them.
    """

    delimiter: str
    quotechar: str = '"'
    escapechar: str = ""
    skip: int = 0
    skip_rows: int = 0
    names: tuple[str, ...] = ()

    def reader(self, lines: Any, *, strict: bool = True) -> Any:
        """Return a `csv.reader`, which may refuse quotes that do not fit."""
        return csv.reader(
            lines,
            delimiter=self.delimiter,
            quotechar=self.quotechar,
            escapechar=self.escapechar or None,
            skipinitialspace=True,
            strict=strict,
        )


@dataclasses.dataclass(frozen=True)
class _Row:
    fields: list[str]
    line: int  # lines before it
    number: int  # rows before it, empty ones included

    def has(self, wanted: Sequence[str]) -> int:
        return sum(map({*self.fields, *map(printable, self.fields)}.__contains__, wanted))


def detected(sample: str, wanted: Sequence[str] = (), *, has_names: bool = True) -> Dialect:
    """Return the dialect of a text that begins like this.

    clevercsv finds the delimiter and the quotes. Names that are known to be in the file are looked
    for, too: a delimiter that cuts them wrong cannot be the right one.

    Raises
    ------
    UserError
        Without the package clevercsv, or if the text has no table.
    """
    excel = re.match(r"sep=(.)\r?\n", sample)
    candidates = [Dialect(excel[1])] if excel and excel[1].isascii() else [_by_clevercsv(sample)]
    others = (Dialect(one) for one in COMMON)
    candidates += [one for one in others if one.delimiter != candidates[0].delimiter]
    best, most = None, -1
    for dialect in candidates:
        rows = list(_rows(dialect, sample))
        if not rows:
            continue
        row = _row_of_names(rows, wanted) if has_names else _first_row(rows)
        n = row.has(wanted)
        if n > most:
            names = tuple(row.fields) if has_names else ()
            most = n
            best = dataclasses.replace(dialect, names=names, skip=row.line, skip_rows=row.number)
        if n == len(wanted) or not has_names:
            break
    if best is None:
        raise UserError("no table was found in it")
    return best


def _by_clevercsv(sample: str) -> Dialect:
    try:
        import clevercsv
    except ImportError:
        raise UserError(
            f"reading CSV files needs clevercsv, which is not installed: {PIP}"
        ) from None
    text = _whole_lines(sample)
    try:
        found = clevercsv.Sniffer().sniff(text, verbose=False)
    except clevercsv.Error:
        found = None
    if found is None:
        return Dialect(",")
    # Without quotes in the sample, there may be some behind it. Other characters are taken for
    # quotes and escapes as well, by mistake, and would be missing in what is read.
    quotechar = found.quotechar if found.quotechar in QUOTES else '"'
    escapechar = found.escapechar if found.escapechar in ESCAPES else ""
    delimiter = found.delimiter or ","  # pandas takes a single byte
    return Dialect(delimiter if delimiter.isascii() else ",", quotechar, escapechar)


def _whole_lines(sample: str) -> str:
    if len(sample) <= SAMPLE:
        return sample
    text = sample[:SAMPLE]
    return text[: max(text.rfind("\n"), text.rfind("\r")) + 1] or text


def _rows(dialect: Dialect, sample: str) -> Iterator[_Row]:
    """Yield the rows of the sample that are not empty, up to where it cannot be cut."""
    reader = dialect.reader(io.StringIO(_whole_lines(sample), newline=""), strict=False)
    before = 0
    try:
        for number, fields in enumerate(reader):
            if any(field.strip() for field in fields):
                yield _Row([field.strip() for field in fields], before, number)
            before = reader.line_num
    except csv.Error:  # told when the file is read
        return


def _width(rows: list[_Row]) -> int:
    """Return how many fields most rows have; of those equally frequent, the most."""
    counts = collections.Counter(len(row.fields) for row in rows)
    return max(counts, key=lambda n: (counts[n], n))


def _row_of_names(rows: list[_Row], wanted: Sequence[str]) -> _Row:
    """Return the first row that is as wide as the table and no comment.

    One that is mostly empty, such as a title, is passed over where a later one has wanted names.
    """
    width = _width(rows)
    wide = [row for row in rows if len(row.fields) == width]
    if all(row.fields[-1] == "" for row in wide):  # rows end in a delimiter; the names may not
        wide = [row for row in rows if len(row.fields) in (width, width - 1)]
    for row in wide[:LINES_BEFORE_NAMES]:
        if row.has(wanted):
            return row
        if not _is_comment(row) and 2 * row.fields.count("") <= width:
            break
    return next((row for row in wide if not _is_comment(row)), wide[0])


def _is_comment(row: _Row) -> bool:
    return row.fields[0].startswith(COMMENTS)


def _first_row(rows: list[_Row]) -> _Row:
    width = _width(rows)
    return next(row for row in rows if len(row.fields) == width)
