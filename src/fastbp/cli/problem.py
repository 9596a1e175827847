"""`Problem`: the columns of a table to learn from, and the one to predict."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np

from .._messages import counted
from .._printable import display_width, padded, printable, shortened
from .console import UserError
from .reading.columns import DATES, NUMBERS, PLAIN, TEXT, Column
from .reading.table import Table, read_table

FEWEST_ROWS = 10
FEW_ROWS_OF_A_VALUE = 4  # on average: fewer determine their target by chance
ON_A_LINE = 1 - 1e-9  # correlation
MAX_CLASSES = 20  # different whole numbers that are still taken for classes
MAX_CATEGORIES = 50  # of a column that is not suspected to be free text
MOST_LINES = 60  # about columns
LONGEST_NAME = 32
MOST_WORDS = 3  # that count as missing, named in a line


@dataclasses.dataclass
class Problem:
    """What is to be learned from a table.

    Attributes
    ----------
    table : Table
    target : str
    is_classification : bool
    X : DataFrame
        Of the rows with a target and the columns of use.
    y : Series
        Numbers, or the names of classes as they stand in the file.
    groups : dict of str to list of str
        Columns of ``X`` by what they are: "numbers", "dates" and "texts".
    left_out : dict of str to str
        Why other columns are of no use.
    telling : set of str
        Columns that determine the target, so that it may be hidden in them.
    n_without_target : int
        Rows that are left out.
    """

    table: Table
    target: str
    is_classification: bool
    X: Any
    y: Any
    groups: dict[str, list[str]]
    left_out: dict[str, str]
    telling: set[str]
    n_without_target: int = 0

    def report(self) -> list[str]:
        """Return what became of the file: a line for it, and one for each column."""
        table = self.table
        size = f"{counted(len(table.frame), 'row')}, {counted(len(table.columns), 'column')}"
        lines = [f"{table.path}: {size}", *(f"  {note}" for note in table.notes)]
        shown = list(table.columns)[:MOST_LINES]
        names = [shortened(printable(name), LONGEST_NAME) for name in shown]
        width = max(map(display_width, names))
        for name, short in zip(shown, names, strict=True):
            lines.append(f"  {padded(short, width)}  {self.about(name)}")
        if len(table.columns) > len(shown):
            lines.append(f"  and {len(table.columns) - len(shown):,} more")
        return lines

    def about(self, name: str) -> str:
        """Return what became of a column."""
        column = self.table.columns[name]
        if name == self.target:
            return f"the target: {self._about_target(column)}"
        if name in self.left_out:
            return f"left out: it {self.left_out[name]}"
        tells = f"; it determines {self.target} (--without leaves it out)"
        return about_column(column, self.X[name]) + (tells if name in self.telling else "")

    def as_dict(self) -> dict[str, Any]:
        """Return what `report` says, for machines."""
        return {
            "rows": len(self.table.frame),
            "notes": self.table.notes,
            "columns": {name: self.about(name) for name in self.table.columns},
            "target": self.target,
            "task": "classification" if self.is_classification else "regression",
        }

    def _about_target(self, column: Column) -> str:
        gaps = ""
        if self.n_without_target:
            gaps = f"; left out: {counted(self.n_without_target, 'row')} without it"
        words = words_of(column)
        if not self.is_classification:
            low, high = self.y.min(), self.y.max()
            return f"a number from {low:g} to {high:g}{_notation(column)}{gaps}{words}"
        classes = list(self.y.value_counts().index[:4])
        shown = ", ".join(map(str, classes))
        n = self.y.nunique()
        more = ", ..." if n > len(classes) else ""
        digits = column.kind == NUMBERS
        choice = " (--task regression takes it as a number)" if digits else _gap_words(column)
        return f"one of {n} classes, {shown}{more}{choice}{gaps}"


def about_column(column: Column, values: Any) -> str:
    """Return what a column becomes, and what of it counts as missing."""
    gaps = f"; {counted(column.n_gaps, 'gap')}" if column.n_gaps else ""
    words = words_of(column)
    if column.kind == TEXT:
        n = values.nunique()
        rare = f" (the rarest of {n} share one)" if n > MAX_CATEGORIES else ""
        n = min(n, MAX_CATEGORIES)
        why = f" ({column.why_text}, such as {column.example})" if column.why_text else ""
        value = "; a gap is one of them" if column.n_gaps else ""
        return f"text{why}: an input for each of {n} values{rare}{value}{_gap_words(column)}"
    if column.kind == DATES:
        order = "; the month may be first as well" if column.is_ambiguous else ""
        form = f" ({column.date_format}{order})" if column.date_format else ""
        return f"dates, such as {column.example}{form}, as days{gaps}{words}"
    return f"numbers{_notation(column)}{gaps}{words}"


def _notation(column: Column) -> str:
    if column.kind == NUMBERS and column.notation is not PLAIN:
        return f" with {column.notation.called}, such as {column.example}"
    return ""


def words_of(column: Column) -> str:
    """Return what is neither a number nor a date and counts as missing."""
    if not column.n_unread or not column.unread:
        return ""
    shown = ", ".join(repr(word) for word in column.unread[:MOST_WORDS])
    return f"; read as missing: {counted(column.n_unread, 'value')} such as {shown}"


def _gap_words(column: Column) -> str:
    if not column.gap_words:
        return ""
    shown = ", ".join(repr(word) for word in column.gap_words)
    verb = "is a value, not a gap" if len(column.gap_words) == 1 else "are values, not gaps"
    return f"; {shown} {verb}"


def problem_of(options: argparse.Namespace) -> Problem:
    """Return what the command line asks to learn.

    Parameters
    ----------
    options : Namespace
        With ``file``, ``target``, ``task``, ``without``, ``encoding`` and ``no_names``.

    Raises
    ------
    UserError
        If the file cannot be read or the column cannot be learned.
    """
    wanted = options.target

    def is_class(name: str, column: Column) -> bool:
        is_target = name == wanted or printable(name) == wanted
        return is_target and _is_classification(column, options.task)

    table = read_table(
        options.file,
        [] if wanted is None else [wanted],
        leave_text=is_class,
        encoding=options.encoding,
        has_names=not options.no_names,
    )
    target = table.name_of(wanted)
    is_classification = _is_classification(table.columns[target], options.task)
    y = table.frame[target]
    missing = y.str.strip() == "" if is_classification else y.isna()
    kept = ~missing
    y = y[kept]
    _check_target(y, target, table.columns[target], is_classification)
    without = {table.name_of(name) for name in getattr(options, "without", None) or ()}
    if target in without:
        raise UserError(f"{target} is the column to predict: it cannot be left out")
    X, left_out = _features(table, target, kept, without)
    telling = {name for name in X.columns if _determines(X[name], y)}
    n_missing = int(missing.sum())
    problem = Problem(table, target, is_classification, X, y, {}, left_out, telling, n_missing)
    for group, kind in (("numbers", NUMBERS), ("dates", DATES), ("texts", TEXT)):
        names = [name for name in X.columns if table.columns[name].kind == kind]
        if names:
            problem.groups[group] = names
    return problem


def _is_classification(column: Column, kind: str) -> bool:
    """Decide by the values, unless given: text, two values or a few whole numbers are classes."""
    if kind != "auto":
        return kind == "classification"
    if column.kind == TEXT:
        return True
    if column.kind == DATES or column.distinct is None:
        return False
    return len(column.distinct) == 2 or (
        len(column.distinct) <= MAX_CLASSES and all(map(_is_whole, column.distinct))
    )


def _is_whole(text: str) -> bool:
    try:
        return float(text).is_integer()
    except ValueError:
        return False


def _check_target(y: Any, target: str, column: Column, is_classification: bool) -> None:
    if len(y) < FEWEST_ROWS:
        raise UserError(f"{len(y)} rows with a {target} are too few; {FEWEST_ROWS} are needed")
    if not is_classification and column.kind == TEXT:
        raise UserError(
            f"{target} is text, for example {column.example!r}; regression needs numbers"
        )
    n_values = y.nunique()
    if n_values == 1:
        raise UserError(f"{target} is the same in every row: there is nothing to learn")
    if is_classification and n_values > len(y) / 4:
        is_text = column.kind == TEXT
        is_what = f"is text, for example {column.example!r}, and " if is_text else ""
        raise UserError(
            f"{target} {is_what}has {n_values:,} different values in {len(y):,} rows: too many "
            "for classes"
        )


def _features(
    table: Table, target: str, kept: Any, without: set[str]
) -> tuple[Any, dict[str, str]]:
    """Return a data frame of what can be learned from, and why other columns are not in it."""
    frame = table.frame.drop(columns=target)
    left_out = dict(_useless(frame, kept)) | dict.fromkeys(without, "is not wanted")
    y = table.frame[target].astype(str)
    for name in frame.columns:
        if name not in left_out and bool((frame[name].astype(str) == y).all()):
            left_out[name] = f"is the same as {target} in every row"
    X = frame.loc[kept, [name for name in frame.columns if name not in left_out]]
    if not X.shape[1]:
        raise UserError("no column is left to learn from")
    return X, left_out


def _determines(values: Any, y: Any) -> bool:
    """Return whether equal values always have equal targets, or a line goes through all numbers."""
    n_values, n_rows = values.nunique(dropna=False), len(values)
    if 1 < n_values <= n_rows / FEW_ROWS_OF_A_VALUE:
        return bool(y.groupby(values, dropna=False).nunique().max() == 1)
    if values.dtype == object or y.dtype == object or not values.notna().all():
        return False
    with np.errstate(all="ignore"):  # of numbers whose squares are infinite
        return bool(abs(np.corrcoef(values, y)[0, 1]) > ON_A_LINE)


def _useless(frame: Any, kept: Any) -> Iterator[tuple[str, str]]:
    """Yield columns that say nothing about other rows, and why.

    Whether a column is an identifier shows in all rows, with a target or without.
    """
    for name in frame.columns:
        reason = why_useless(frame[name]) or why_useless(frame[name][kept])
        if reason:
            yield name, reason


def why_useless(values: Any) -> str | None:
    """Return why a column says nothing about other rows, or None."""
    is_text = values.dtype == object
    missing = values == "" if is_text else values.isna()
    n_rows, n_values = len(values), values.nunique()
    if missing.all():
        return "has no values"
    if values.nunique(dropna=False) == 1:
        return "is the same in every row"
    if is_text and n_values > max(MAX_CATEGORIES, n_rows / 2):
        return f"is an identifier or free text ({n_values:,} different values)"
    if n_values == n_rows > MAX_CATEGORIES and not is_text:
        is_whole = bool((values == values.round()).all())
        if is_whole and values.max() - values.min() == n_rows - 1:
            return "numbers the rows"
    return None
