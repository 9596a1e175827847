"""What a column of text holds: numbers in one notation or another, dates, or text."""

from __future__ import annotations

import collections
import dataclasses
import re
from collections.abc import Iterable, Sequence
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
    """Counts of the values of a column, to which blocks of values are added."""

    def __init__(self) -> None:
        self.n = self.n_gaps = 0
        self.texts: collections.Counter[str] = collections.Counter()  # that are no plain numbers
        self.distinct: dict[str, None] | None = {}
        self.code = self.long = ""  # examples of digits that are no numbers
        self.n_grouped = self.n_pointed = 0  # plain numbers such as 1.234 and 1.5
        self.pointed: dict[str, None] = {}  # some of the latter

    def add(self, values: Iterable[str]) -> None:
        """Count values, as they stand in the file."""
        import pandas as pd

        counts = collections.Counter(values)
        self.n_gaps += sum(counts.pop(gap, 0) for gap in [key for key in counts if not key.strip()])
        self.n += counts.total()
        if self.distinct is not None:
            self.distinct |= dict.fromkeys(counts)
            if len(self.distinct) > MOST_DISTINCT:
                self.distinct = None
        texts = pd.Series(list(counts), dtype=object)
        numbers = _finite(texts)
        is_plain = numbers.notna().to_numpy()
        plain = texts[is_plain]
        long = plain[(numbers[is_plain].abs() >= LARGEST_EXACT).to_numpy()]
        # In "01.5" the zero tells nothing, in "007" it is a part of a code.
        self.code = self.code or _first(plain[plain.str.fullmatch(r"\s*[+-]?0\d+\s*")])
        self.long = self.long or _first(long[long.str.fullmatch(r"\s*[+-]?\d+\s*")])
        self.texts.update({text: counts[text] for text in texts[~is_plain]})
        with_point = plain[plain.str.contains(".", regex=False)]
        is_grouped = COMMA.numbers(with_point.str.strip()).notna()
        self.n_grouped += sum(counts[text] for text in with_point[is_grouped])
        self.n_pointed += sum(counts[text] for text in with_point[~is_grouped])
        room = MOST_DISTINCT - len(self.pointed)
        self.pointed |= dict.fromkeys(with_point[~is_grouped].iloc[:room])

    def result(self, *, has_decimal_comma: bool = False, kind: str | None = None) -> Column:
        """Return what the values are.

        Parameters
        ----------
        has_decimal_comma : bool
            Whether other columns of the file have: ``1,234`` is then a little more than 1.
        kind : {"numbers", "dates", "text"}, optional
            What they are to be, whatever they look like.
        """
        common = {"n_gaps": self.n_gaps, "distinct": self.distinct and tuple(self.distinct)}
        if kind in (None, NUMBERS):
            numbers = self._as_numbers(has_decimal_comma, common)
            is_code = self.code or self.long
            if kind == NUMBERS or (not is_code and self._is_most(numbers.n_unread)):
                return numbers
        if kind in (None, DATES):
            dates = self._as_dates(common)
            if kind == DATES or (dates.date_format and self._is_most(dates.n_unread)):
                return dates
        return self._as_text(common)

    def _is_most(self, n_unread: int) -> bool:
        return self.n > 0 and n_unread <= (1 - MOSTLY) * self.n

    def _as_numbers(self, has_decimal_comma: bool, common: dict[str, Any]) -> Column:
        """Return numbers in the notation in which most values are some."""
        texts, counts = self._series()
        n_plain = self._n_plain()
        best, unread, most = PLAIN, texts, n_plain
        for notation in (COMMA, THOUSANDS) if has_decimal_comma else (THOUSANDS, COMMA):
            is_number = notation.numbers(texts.str.strip()).notna()
            n_read = int(counts[is_number].sum())
            n = n_read + n_plain - (self.n_pointed if notation is COMMA else 0)
            # Where all points stand for thousands if commas are decimal, the file decides.
            is_like_file = has_decimal_comma and notation is COMMA and n == most and self.n_grouped
            if n > most or is_like_file:
                best, unread, most = notation, texts[~is_number], n
        example = _first(texts.drop(unread.index)) if best is not PLAIN else ""
        words = self._unread(unread)
        if best is COMMA:
            words["unread"] += tuple(self.pointed)
            words["n_unread"] += self.n_pointed
        return Column(NUMBERS, best, example=example, **words, **common)

    def _series(self) -> tuple[Any, Any]:
        """Return the different values that are no plain numbers, and how often each occurs."""
        import pandas as pd

        texts = pd.Series(list(self.texts), dtype=object)
        return texts, pd.Series(self.texts.values(), dtype=int)

    def _n_plain(self) -> int:
        return self.n - self.texts.total()

    def _as_dates(self, common: dict[str, Any]) -> Column:
        """Return dates in the format in which most texts are some."""
        texts, counts = self._series()
        best, unread, most = "", texts, 0
        for date_format in (ISO, *FORMATS):
            if not any(is_date(text, date_format) for text in texts[:20]):
                continue
            known = dates_of(texts, date_format).notna()
            n = int(counts[known].sum())
            if n > most:
                best, unread, most = date_format, texts[~known], n
        words = self._unread(unread)
        words["n_unread"] += self._n_plain()
        known = texts.drop(unread.index)
        swapped = best.replace("%d/%m", "%m/%d").replace("%d-%m", "%m-%d")
        both = swapped != best and bool(dates_of(known, swapped).notna().all())
        return Column(DATES, PLAIN, best, both, _first(known), **words, **common)

    def _as_text(self, common: dict[str, Any]) -> Column:
        why, example = "", _first(list(self.texts))
        if self.code and not self.texts:
            why, example = "digits with leading zeros", self.code
        elif self.long and not self.texts:
            why, example = "whole numbers of more than 15 digits", self.long
        words = tuple(word for word in self.texts if word.strip().lower() in GAP_WORDS)
        return Column(TEXT, example=example, why_text=why, gap_words=words, **common)

    def _unread(self, texts: Any) -> dict[str, Any]:
        words = tuple(texts)
        return {"unread": words, "n_unread": sum(self.texts[word] for word in words)}


def classified(surveys: Sequence[Survey], kinds: Sequence[str | None]) -> list[Column]:
    """Return what columns hold; where one has decimal commas, all are read in this light."""
    columns = [one.result(kind=kind) for one, kind in zip(surveys, kinds, strict=True)]
    if all(column.kind != NUMBERS or column.notation is not COMMA for column in columns):
        return columns
    return [
        one.result(has_decimal_comma=True, kind=kind)
        for one, kind in zip(surveys, kinds, strict=True)
    ]


def values_of(texts: Any, column: Column) -> Any:
    """Return the texts of a column as what it holds: numbers, days since 1970 or texts."""
    import pandas as pd

    if column.kind == DATES:
        return (dates_of(texts, column.date_format) - pd.Timestamp(0)) / pd.Timedelta(days=1)
    if column.kind == NUMBERS:
        is_plain = column.notation is PLAIN
        return _finite(texts) if is_plain else column.notation.numbers(texts.str.strip())
    return texts.astype(object)


def code_of_values(values: str, column: Column, *, coerce: bool = False) -> str:
    """Return the Python for `values_of`, of values that are numbers already if they are plain.

    With ``coerce``, what cannot be read is among the values.
    """
    errors = ', errors="coerce"' if coerce else ""
    if column.kind == DATES:
        how = f"format={column.date_format!r}, utc=True{errors}"
        dates = f"pd.to_datetime({values}.str.strip(), {how})"
        return f"({dates} - pd.Timestamp(0, tz='UTC')) / pd.Timedelta(days=1)"
    if column.kind == NUMBERS and column.notation is not PLAIN:
        return f"pd.to_numeric({column.notation.code(values)}{errors})"
    return f"pd.to_numeric({values}{errors})" if column.kind == NUMBERS and coerce else ""


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
