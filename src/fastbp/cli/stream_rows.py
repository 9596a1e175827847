"""`opened` and `Rows`: a file or a pipe, row by row, as names and values."""

from __future__ import annotations

import argparse
import collections
import csv
import io
import itertools
import math
import os
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .._messages import counted
from .._printable import printable
from .console import UserError, tell
from .reading.columns import GAP_WORDS
from .reading.dialect import COMMON, SAMPLE, Dialect, detected
from .reading.table import PARQUET, about_missing
from .reading.text import TextFile, text_file

OF_PIPES = "utf-8-sig"  # encoding
LINES_BEFORE_NAMES = 10  # of a pipe, as many as `tail -f` begins with
MOST_TOLD = 3  # rows passed over that are told one by one
SURE = 30  # numbers, after which a text in their column is taken for a mistake
NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d*")
CODE = re.compile(r"[+-]?0\d+|[+-]?\d{16,}")  # digits that are no number


@contextmanager
def opened(options: argparse.Namespace) -> Iterator[Rows]:
    """Open what a stream comes from: a pipe, or a file, whose dialect is found out first."""
    try:
        if options.file == "-":
            yield _rows_of_pipe(_pipe(options.encoding), options)
        elif (file := _text_file(Path(options.file), options.encoding)) is None:
            with open(options.file, encoding=options.encoding or OF_PIPES, newline="") as lines:
                yield _rows_of_pipe(lines, options)
        else:
            with file.opened() as lines:
                dialect = detected(lines.read(2 * SAMPLE), [options.target])
            with file.opened() as lines:
                yield _rows_of_file(lines, dialect, options)
    except UnicodeDecodeError as error:
        raise UserError(
            f"{options.file} is not text in {error.encoding}: name its encoding with --encoding"
        ) from error
    except (OSError, LookupError) as error:
        raise UserError(f"{options.file} cannot be read: {error}") from error


def _pipe(encoding: str | None) -> Iterable[str]:
    return io.TextIOWrapper(sys.stdin.buffer, encoding=encoding or OF_PIPES, newline="")


def _text_file(path: Path, encoding: str | None) -> TextFile | None:
    """Return what a file is, None for one that can be read only once."""
    if os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path):
        return None
    if path.suffix.lower() in PARQUET:
        raise UserError(f"{path} is a Parquet file: stream reads text, such as CSV; fit reads both")
    return text_file(path, encoding)


def _rows_of_file(lines: Iterable[str], dialect: Dialect, options: argparse.Namespace) -> Rows:
    lines = iter(lines)
    list(itertools.islice(lines, dialect.skip))
    reader = dialect.reader(lines)
    next(filter(None, reader), None)
    names = list(dialect.names)
    if options.target not in names and options.target not in map(printable, names):
        raise UserError(about_missing(options.file, options.target, names))
    return Rows(reader, names, options, dialect.delimiter, n_before=dialect.skip)


def _rows_of_pipe(lines: Iterable[str], options: argparse.Namespace) -> Rows:
    """Return the rows behind the first line that has the target among its names."""
    lines = iter(lines)
    first = ""
    for number, line in enumerate(itertools.islice(lines, LINES_BEFORE_NAMES), 1):
        first = first or line.strip()
        for delimiter in COMMON:
            fields = next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])
            names = [field.strip() for field in fields]
            if options.target in names:
                reader = Dialect(delimiter).reader(lines)
                return Rows(reader, names, options, delimiter, n_before=number)
    if not first:
        raise UserError("the stream has no rows")
    raise UserError(
        f"no line of names with {options.target!r} in it; the stream begins with {first[:80]!r}. "
        "Of a file that grows, `tail -n +1 -f` gives the names, too"
    )


class Rows:
    """The rows of a stream: pairs of named values and a target.

    Rows that do not have as many fields as there are names, or no target, are passed over.

    Parameters
    ----------
    reader : csv.reader
        Behind the line of names.
    names : list of str
    options : Namespace
        With ``target`` and ``without``.
    delimiter : str
    n_before : int
        Lines before those that the reader counts.

    Attributes
    ----------
    n_passed_over : int
    n_unread : Counter of str
        How many words among the numbers of each column count as missing.
    """

    def __init__(
        self,
        reader: Any,
        names: list[str],
        options: argparse.Namespace,
        delimiter: str,
        n_before: int,
    ) -> None:
        self._reader, self.names, self._n_before = reader, names, n_before
        self.target = next(name for name in names if options.target in (name, printable(name)))
        self._has_decimal_comma = delimiter != ","
        self._check(options.without or ())
        self._left_out = {self.target, *(options.without or ())}
        self._seen = {name: _Seen() for name in names}
        self.n_passed_over = 0
        self.n_unread: collections.Counter[str] = collections.Counter()

    def _check(self, without: Iterable[str]) -> None:
        twice = next((name for name in self.names if self.names.count(name) > 1), None)
        if twice is not None:
            raise UserError(f"more than one column is called {twice!r}: rename all but one")
        for name in without:
            if name not in self.names:
                raise UserError(about_missing("the stream", name, self.names))
            if name == self.target:
                raise UserError(f"{name} is the column to predict: it cannot be left out")

    def note_features(self, features: Iterable[Any]) -> None:
        """Take over which columns have had numbers, and which texts, from a model's features."""
        for feature in features:
            name, is_text = (feature[0], True) if isinstance(feature, tuple) else (feature, False)
            if (seen := self._seen.get(name)) is not None:
                seen.is_text |= is_text
                seen.n_numbers += 0 if is_text else SURE

    def __iter__(self) -> Iterator[tuple[dict[str, Any], str]]:
        while True:
            try:
                row = next(self._reader)
            except StopIteration:
                return
            except csv.Error as error:
                self.pass_over(f"cannot be read ({error})")
                continue
            if not row or row == [""]:
                continue
            if len(row) == len(self.names) + 1 and row[-1] == "":
                row.pop()
            if len(row) != len(self.names):
                fields = counted(len(row), "field")
                self.pass_over(f"has {fields}, and there are {len(self.names)} names")
                continue
            texts = dict(zip(self.names, row, strict=True))
            target = texts[self.target].strip()
            if not target:
                self.pass_over(f"has no {self.target}")
                continue
            yield dict(self._values(texts)), target

    def _values(self, texts: dict[str, str]) -> Iterator[tuple[str, float | str]]:
        """Yield the values of a row that has some."""
        for name, text in texts.items():
            value = self.value(text)
            if value == "" or name in self._left_out:
                continue
            seen = self._seen[name]
            if isinstance(value, float):
                seen.n_numbers += 1
            elif seen.is_text:
                pass
            elif CODE.fullmatch(value):
                seen.is_text = True
                tell(
                    f"{name}: digits such as {value[:40]!r} are text, an input for each; --without "
                    "leaves a column out"
                )
            elif value.lower() in GAP_WORDS or seen.n_numbers >= SURE:
                self._pass_over_word(name, value)
                continue
            else:
                seen.is_text = True
            yield name, value

    def _pass_over_word(self, name: str, word: str) -> None:
        """Count a value as missing, and tell of the first of a column that is no usual gap."""
        self.n_unread[name] += 1
        if word.lower() not in GAP_WORDS and not self._seen[name].is_told:
            self._seen[name].is_told = True
            tell(
                f"line {self._line():,}: {name} is {word[:40]!r}, and was a number before: counted "
                "as missing"
            )

    def value(self, text: str) -> float | str:
        """Return a number, if the text is one."""
        return value_of(text, has_decimal_comma=self._has_decimal_comma)

    def _line(self) -> int:
        line: int = self._n_before + self._reader.line_num
        return line

    def pass_over(self, why: str) -> None:
        """Count a row that is not learned, and tell why of the first."""
        self.n_passed_over += 1
        if self.n_passed_over <= MOST_TOLD:
            tell(f"line {self._line():,} {why}: passed over")

    def remarks(self) -> list[str]:
        """Return what of the stream was not learned, in a line each."""
        lines = [
            f"{name}: read as missing: {counted(n, 'value')}" for name, n in self.n_unread.items()
        ]
        if self.n_passed_over:
            lines.insert(0, f"{counted(self.n_passed_over, 'row')} passed over")
        return lines


class _Seen:
    """What a column has had so far."""

    def __init__(self) -> None:
        self.n_numbers = 0
        self.is_text = self.is_told = False


def value_of(text: str, *, has_decimal_comma: bool = False) -> float | str:
    """Return a text as a number, if it is one."""
    text = text.strip()
    if CODE.fullmatch(text):
        return text
    number = math.inf
    if NUMBER.fullmatch(text):
        number = float(text)
    elif has_decimal_comma and DECIMAL_COMMA.fullmatch(text):
        number = float(text.replace(",", "."))
    return number if math.isfinite(number) else text
