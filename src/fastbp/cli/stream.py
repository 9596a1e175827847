"""``fastbp stream``: rows predicted and learned as they come."""

from __future__ import annotations

import argparse
import csv
import io
import itertools
import os
import re
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .._messages import counted
from ..io.models import save
from .console import INTERRUPTED, UserError, mistakes_of_files, nobody_reads, say, say_result, tell
from .outputs import check_output
from .reading.dialect import COMMON, LINES_BEFORE_NAMES

FIRST_ROWS = 30  # that say whether the target is a class or a number
FEW = 5  # rows a value must have on average, if whole numbers are to be classes
WINDOW = 500  # rows that the score of the last ones is of
MOST_TOLD = 3  # rows passed over that are told one by one
NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d*")
CODE = re.compile(r"[+-]?0\d+|[+-]?\d{16,}")  # digits that are no number


def run(options: argparse.Namespace) -> int:
    """Learn a stream, and print scores on the way and at the end; return the exit code."""
    if options.save is not None:
        check_output(options.save, None if options.file == "-" else options.file, is_model=True)
    learner = _Learner(options)
    code = 0
    with _lines(options) as lines:
        try:
            learner.learn(_Rows(lines, options.target))
        except KeyboardInterrupt:
            code = INTERRUPTED
    learner.end()
    return code


@contextmanager
def _lines(options: argparse.Namespace) -> Iterator[Iterable[str]]:
    """Open what the stream comes from, line by line."""
    try:
        if options.file == "-":
            yield io.TextIOWrapper(sys.stdin.buffer, encoding=options.encoding, newline="")
            return
        if not os.path.exists(options.file):
            raise UserError(f"there is no file {options.file}")
        with open(options.file, encoding=options.encoding, newline="") as file:
            yield file
    except UnicodeDecodeError as error:
        raise UserError(
            f"{options.file} is not text in {options.encoding}: name its encoding with --encoding"
        ) from error
    except (OSError, LookupError) as error:
        raise UserError(f"{options.file} cannot be read: {error}") from error


class _Rows:
    """The rows of a stream of lines: pairs of named values and a target.

    Rows that do not have as many fields as there are names, or no target, are passed over.
    """

    def __init__(self, lines: Iterable[str], target: str) -> None:
        self.target = target
        self.n_passed_over = 0
        lines = iter(lines)
        self.delimiter, self.names = self._find_names(lines)
        self._reader = csv.reader(
            lines, delimiter=self.delimiter, skipinitialspace=True, strict=True
        )

    def _find_names(self, lines: Iterator[str]) -> tuple[str, list[str]]:
        first = ""
        for line in itertools.islice(lines, LINES_BEFORE_NAMES):
            first = first or line.strip()
            for delimiter in COMMON:
                fields = next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])
                names = [field.strip() for field in fields]
                if self.target in names:
                    self._check(names)
                    return delimiter, names
        if not first:
            raise UserError("the stream has no rows")
        raise UserError(
            f"no line of names with {self.target!r} in it; the stream begins with {first[:80]!r}"
        )

    def _check(self, names: list[str]) -> None:
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise UserError(f"more than one column is called {twice!r}: rename all but one")

    def __iter__(self) -> Iterator[tuple[dict[str, Any], str]]:
        width = len(self.names)
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
            if len(row) == width + 1 and row[-1] == "":
                row.pop()
            if len(row) != width:
                self.pass_over(f"has {counted(len(row), 'field')}, and there are {width} names")
                continue
            values = dict(zip(self.names, row, strict=True))
            target = values.pop(self.target).strip()
            if not target:
                self.pass_over(f"has no {self.target}")
                continue
            yield {name: self.value(text) for name, text in values.items() if text.strip()}, target

    def value(self, text: str) -> float | str:
        """Return a number, if the text is one."""
        text = text.strip()
        if CODE.fullmatch(text):
            return text
        if NUMBER.fullmatch(text):
            return float(text)
        if self.delimiter != "," and DECIMAL_COMMA.fullmatch(text):
            return float(text.replace(",", "."))
        return text

    def pass_over(self, why: str) -> None:
        """Count a row that is not learned, and tell why of the first."""
        self.n_passed_over += 1
        if self.n_passed_over <= MOST_TOLD:
            tell(f"line {self._reader.line_num + 1:,} {why}: passed over")


class _Learner:
    """A model, and how well it has predicted the rows before it learned them."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.rows: _Rows | None = None
        self.model: Any = None
        self.scores: Any = None
        self.n = self.n_told = 0

    def learn(self, rows: _Rows) -> None:
        """Learn all rows."""
        self.rows = rows
        stream = iter(rows)
        first: list[Any] = []
        try:
            first += itertools.islice(stream, 0 if self.options.task != "auto" else FIRST_ROWS)
        finally:
            self._begin([target for _, target in first])
            for x, target in first:
                self._learn_one(x, target)
        for x, target in stream:
            self._learn_one(x, target)
            if nobody_reads() and self.options.save is None:
                return  # nothing would come of it

    def _begin(self, targets: list[str]) -> None:
        from ..online import OnlineClassifier, OnlineRegressor
        from ..online.progress import Scores

        assert self.rows is not None
        self.classifies = self.options.task == "classification"
        if self.options.task == "auto":
            values = list(map(self.rows.value, targets))
            self.classifies = any(isinstance(value, str) for value in values) or (
                all(float(value).is_integer() for value in values)
                and len(set(values)) <= max(2, len(values) / FEW)
            )
        kind = OnlineClassifier if self.classifies else OnlineRegressor
        self.model = kind(random_state=self.options.seed)
        self.scores = Scores(self.classifies, WINDOW)
        what = "a class" if self.classifies else "a number"
        other = "regression" if self.classifies else "classification"
        say(f"{self.options.target}: {what} (--task {other} for another)")

    def _learn_one(self, x: dict[str, Any], target: str) -> None:
        assert self.rows is not None
        y: Any = target if self.classifies else self.rows.value(target)
        if not self.classifies and isinstance(y, str):
            return self.rows.pass_over(f"has {target[:40]!r} as {self.options.target}, no number")
        began = time.perf_counter()
        predicted = self.model.predict_one(x)
        self.model.learn_one(x, y)
        self.scores.progress.seconds += time.perf_counter() - began
        self.scores.add(y, predicted)
        self.n += 1
        if self.n % self.options.every == 0:
            self._say()
        return None

    def _say(self) -> None:
        self.scores.note(self.model, self.n)
        self.n_told = self.n
        say(str(self.scores.progress))

    def save(self) -> None:
        """Save the model, if asked to."""
        if self.options.save is not None:
            with mistakes_of_files():
                save(self.model, self.options.save)

    def end(self) -> None:
        """Print the last score, and save the model."""
        if self.rows is None or not self.n:
            raise UserError("the stream has no rows with a target")
        self.save()
        if self.n_told != self.n:
            self._say()
        if self.rows.n_passed_over:
            say(f"{counted(self.rows.n_passed_over, 'row')} passed over")
        if self.options.save is not None:
            say(f"saved: {Path(self.options.save)}")
        progress = self.scores.progress
        say_result(
            {
                "rows": self.n,
                "passed_over": self.rows.n_passed_over,
                "metric": progress.metric,
                "score": progress.score[-1],
                "baseline": progress.baseline[-1],
                "last_rows": progress.window_score[-1],
                "file": None if self.options.save is None else str(self.options.save),
            }
        )
