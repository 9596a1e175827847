"""What a column of text holds: numbers in one notation or another, dates, or text."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

MOSTLY = 0.95  # share of a column's values that makes it one of numbers, or of dates
MOST_DISTINCT = 1000  # values that are counted
LARGEST_EXACT = 2.0**53  # whole numbers from here on are not all different as floats

NUMBERS, DATES, TEXT = "numbers", "dates", "text"
SPACES = " '\u2019\u00a0\u202f"  # that may part thousands, besides a point or a comma
GAP_WORDS = {"na", "n/a", "nan", "null", "none", "nil", "missing", "?", "-", "--", "."}
FORMATS = (
    *("%d.%m.%Y", "%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M:%S", "%d.%m.%y"),
    *("%d/%m/%Y", "%d/%m/%Y %H:%M", "%d/%m/%Y %H:%M:%S", "%m/%d/%Y", "%m/%d/%Y %H:%M"),
    *("%m/%d/%Y %H:%M:%S", "%m/%d/%Y %I:%M:%S %p", "%d-%m-%Y", "%Y/%m/%d", "%Y/%m/%d %H:%M:%S"),
    *("%d %b %Y", "%b %d, %Y", "%d-%b-%Y"),
)
ISO = "ISO8601"
INFINITE, NAN = 'float("inf")', 'float("nan")'  # in programs


@dataclasses.dataclass(frozen=True)
class Notation:
    """How numbers are written.

    Attributes
    ----------
    separators : str
        Of thousands.
    point : str
    """

    separators: str
    point: str
    called: str

    def numbers(self, texts: Any) -> Any:
        """Return texts as numbers, NaN for those that are none."""
        whole = rf"(?:\d+|[1-9]\d{{0,2}}(?:[{self.separators}]\d{{3}})+)"
        fit = texts.str.fullmatch(rf"[+-]?{whole}(?:[{self.point}]\d*)?(?:[eE][+-]?\d+)?")
        return _finite(self.plain(texts[fit])).reindex(texts.index)

    def plain(self, texts: Any) -> Any:
        """Return texts in plain notation."""
        without = texts.str.replace(f"[{self.separators}]", "", regex=True)
        return without.str.replace(self.point, ".", regex=False)

    def code(self, texts: str) -> str:
        """Return what `plain` does to texts that are numbers, as Python code."""
        point = "" if self.point == "." else f".str.replace({self.point!r}, '.')"
        return f"{texts}.str.replace('[^0-9{self.point}eE+-]', '', regex=True){point}"


PLAIN = Notation("", ".", "")
COMMA = Notation("." + SPACES, ",", "a decimal comma")
THOUSANDS = Notation("," + SPACES, ".", "thousands separators")


@dataclasses.dataclass(frozen=True)
class Column:
    """What a column holds.

    Attributes
    ----------
    kind : {"numbers", "dates", "text"}
    notation : Notation
        Of numbers.
    date_format : str
        Of dates, as pandas takes it.
    is_ambiguous : bool
        Whether the values are dates with the month first, too.
    example : str
        A value that shows the notation or the format, or why the column is text.
    why_text : str
        What makes digits a text.
    unread : tuple of str
        Values that are neither numbers nor dates, and count as missing.
    n_unread, n_gaps : int
        How many there are of those, and of fields that are empty.
    gap_words : tuple of str
        Values of a text that may have been meant as gaps.
    distinct : tuple of str, or None
        All values, if there are few.
    """

    kind: str
    notation: Notation = PLAIN
    date_format: str = ""
    is_ambiguous: bool = False
    example: str = ""
    why_text: str = ""
    unread: tuple[str, ...] = ()
    n_unread: int = 0
    n_gaps: int = 0
    gap_words: tuple[str, ...] = ()
    distinct: tuple[str, ...] | None = None


class Survey:
    """The different values of a column, and how often each occurs.

    Parameters
    ----------
    values : Series
        As they stand in the file.
    """

    def __init__(self, values: Any) -> None:
        counts = values.value_counts(sort=False)
        is_gap = counts.index.str.strip() == ""
        self.n_gaps = int(counts[is_gap].sum())
        self.counts = counts[~is_gap].to_numpy()
        self.texts = counts.index[~is_gap].to_series(index=range(len(self.counts)))
        self.plain = _finite(self.texts)

    def result(self, *, has_decimal_comma: bool = False, kind: str | None = None) -> Column:
        """Return what the values are.

        Parameters
        ----------
        has_decimal_comma : bool
            Whether other columns of the file have: ``1,234`` is then a little more than 1.
        kind : {"numbers", "dates", "text"}, optional
            What they are to be, whatever they look like.
        """
        is_few = len(self.texts) <= MOST_DISTINCT
        common = {"n_gaps": self.n_gaps, "distinct": tuple(self.texts) if is_few else None}
        if kind in (None, NUMBERS):
            numbers = self._as_numbers(has_decimal_comma, common)
            if kind == NUMBERS or (self._is_most(numbers.n_unread) and not any(self._codes())):
                return numbers
        if kind in (None, DATES):
            dates = self._as_dates(common)
            if kind == DATES or (dates.date_format and self._is_most(dates.n_unread)):
                return dates
        return self._as_text(common)

    def _is_most(self, n_unread: int) -> bool:
        n = self.counts.sum()
        return bool(n > 0 and n_unread <= (1 - MOSTLY) * n)

    def _codes(self) -> tuple[str, str]:
        """Return digits that are no numbers: with leading zeros, and too many for a float."""
        plain = self.texts[self.plain.notna()]
        # In "01.5" the zero tells nothing, in "007" it is a part of a code.
        zeros = plain[plain.str.fullmatch(r"\s*[+-]?0\d+\s*")]
        long = self.texts[self.plain.abs() >= LARGEST_EXACT]
        return _first(zeros), _first(long[long.str.fullmatch(r"\s*[+-]?\d+\s*")])

    def _as_numbers(self, has_decimal_comma: bool, common: dict[str, Any]) -> Column:
        """Return numbers in the notation in which most values are some."""
        best, read, most = PLAIN, self.plain, self._n(self.plain)
        others = [COMMA, THOUSANDS] if has_decimal_comma else [THOUSANDS, COMMA]
        if not has_decimal_comma and self.plain.notna().all():
            others = []
        for notation in others:
            numbers = notation.numbers(self.texts.str.strip())
            n = self._n(numbers)
            # Where all points stand for thousands if commas are decimal, the file decides.
            grouped = self.texts[numbers.notna() & self.plain.notna()]
            is_like_file = has_decimal_comma and notation is COMMA and n == most
            if n > most or (is_like_file and grouped.str.contains(".", regex=False).any()):
                best, read, most = notation, numbers, n
        example = _first(self.texts[read.notna() & self.plain.isna()])
        if not example and best is not PLAIN:  # such as 1.234, which is a plain number, too
            other = self.texts[read.notna() & (read != self.plain)]
            example = f"{_first(other)}, read as {float(read[other.index].iloc[0]):.15g}"
        return Column(NUMBERS, best, example=example, **self._unread(read), **common)

    def _as_dates(self, common: dict[str, Any]) -> Column:
        """Return dates in the format in which most texts are some."""
        texts = self.texts[self.plain.isna()]
        best, read, most = "", texts[:0], 0
        for date_format in (ISO, *FORMATS):
            if any(is_date(text, date_format) for text in texts[:20]):
                dates = dates_of(texts, date_format)
                if (n := self._n(dates)) > most:
                    best, read, most = date_format, dates, n
        known = texts[read.notna()] if best else read
        swapped = best.replace("%d/%m", "%m/%d").replace("%d-%m", "%m-%d")
        both = swapped != best and bool(dates_of(known, swapped).notna().all())
        words = self._unread(read.reindex(self.texts.index))
        return Column(DATES, PLAIN, best, both, _first(known), **words, **common)

    def _as_text(self, common: dict[str, Any]) -> Column:
        texts = self.texts[self.plain.isna()]
        why, example = "", _first(texts)
        if not len(texts):
            zeros, long = self._codes()
            why = "digits with leading zeros" if zeros else ""
            why = why or ("whole numbers of more than 15 digits" if long else "")
            example = zeros or long or _first(self.texts)
        words = tuple(texts[texts.str.strip().str.lower().isin(GAP_WORDS)])
        return Column(TEXT, example=example, why_text=why, gap_words=words, **common)

    def _n(self, read: Any) -> int:
        """Return how many values there are of those that could be read."""
        return int(self.counts[read.index[read.notna()]].sum())

    def _unread(self, read: Any) -> dict[str, Any]:
        """Return the values that could not be read, and their number."""
        missing = read.isna()
        return {
            "unread": tuple(self.texts[missing]),
            "n_unread": int(self.counts[missing.to_numpy()].sum()),
        }


def columns_of(frame: Any, kinds: Mapping[str, str]) -> dict[str, Column]:
    """Return what columns of text hold; where one has decimal commas, all are read in this light.

    Parameters
    ----------
    frame : DataFrame
    kinds : mapping of str to {"numbers", "dates", "text"}
        What columns are to be read as; the others as they look.
    """
    surveys = {name: Survey(frame[name]) for name in frame.columns}

    def read(**options: bool) -> dict[str, Column]:
        return {
            name: survey.result(kind=kinds.get(name), **options) for name, survey in surveys.items()
        }

    columns = read()
    has_comma = any(one.kind == NUMBERS and one.notation is COMMA for one in columns.values())
    return read(has_decimal_comma=True) if has_comma else columns


def values_of(texts: Any, column: Column) -> Any:
    """Return the texts of a column as what it holds: numbers, days since 1970 or texts."""
    import pandas as pd

    if column.kind == DATES:
        return (dates_of(texts, column.date_format) - pd.Timestamp(0)) / pd.Timedelta(days=1)
    if column.kind == NUMBERS:
        is_plain = column.notation is PLAIN
        return _finite(texts) if is_plain else column.notation.numbers(texts.str.strip())
    return texts.astype(object)


def code_of_values(values: str, column: Column) -> str:
    """Return the Python for `values_of`, or nothing where it does nothing."""
    unread = ', errors="coerce"' if column.unread or column.n_gaps else ""
    if column.kind == DATES:
        how = f"format={column.date_format!r}, utc=True{unread}"
        dates = f"pd.to_datetime({values}.str.strip(), {how})"
        return f"({dates} - pd.Timestamp(0, tz='UTC')) / pd.Timedelta(days=1)"
    if column.kind == TEXT:
        return ""
    texts = values
    if column.notation is not PLAIN:
        known = f"{values}.mask({values}.isin({list(column.unread)!r}))"
        texts = column.notation.code(known if column.unread else values)
    numbers = f"pd.to_numeric({texts}{unread})"
    infinite = any("inf" in text.lower() for text in column.unread)
    return f"{numbers}.replace([{INFINITE}, -{INFINITE}], {NAN})" if infinite else numbers


def _first(values: Iterable[Any]) -> str:
    return next((str(value).strip() for value in values), "")


def _finite(texts: Any) -> Any:
    import pandas as pd

    numbers = pd.to_numeric(texts, errors="coerce").astype(float)
    return numbers.where(np.isfinite(numbers))


def is_date(text: str, date_format: str) -> bool:
    """Return whether a text may be a date of a format, which is quickly seen."""
    if date_format == ISO:
        return bool(re.match(r"\s*\d{4}-\d\d-\d\d", text))
    separator = re.sub(r"%[dmYyb]", "", date_format)[:1]
    return separator in text


def dates_of(texts: Any, date_format: str) -> Any:
    """Return texts as dates, NaT for those that are none."""
    import pandas as pd

    dates = pd.to_datetime(texts.str.strip(), format=date_format, errors="coerce", utc=True)
    return dates.dt.tz_localize(None)
