"""What a column of a table means: numbers, categories, dates, or nothing to learn from."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

MISSING = "(missing)"
MOSTLY = 0.95  # share of a text column's values that makes it a column of numbers, or of dates
MAX_CATEGORIES = 50  # of a column that is not suspected to be free text

NUMBERS, DATES, TEXT = "numbers", "dates, as days", "text, one input for each value"
DECIMAL_COMMA = "numbers with a decimal comma"
THOUSANDS = "numbers with thousands separators"
SPACES = " '\u2019\u00a0\u202f"  # that may part thousands, besides a point or a comma
NOTATIONS = {THOUSANDS: ("," + SPACES, "."), DECIMAL_COMMA: ("." + SPACES, ",")}


@dataclasses.dataclass(frozen=True)
class Column:
    """A column as a network can take it.

    Attributes
    ----------
    values : Series
        Of float64 with NaN, or of text with `MISSING`.
    kind : str
        `NUMBERS`, `DECIMAL_COMMA`, `THOUSANDS`, `DATES` or `TEXT`.
    example : str
        A value that shows why it is of this kind.
    n_unread : int
        Values that are there, but are no numbers or dates: they count as missing.
    unread : str
        One of them.
    """

    values: Any
    kind: str
    example: str = ""
    n_unread: int = 0
    unread: str = ""


def read_column(column: Any, has_decimal_comma: bool = False) -> Column:
    """Return a column as numbers or text.

    Truth values become 0 and 1; dates and durations become days; text that is mostly numbers or
    dates becomes numbers. Infinities count as missing.

    ``1,234`` is read as 1234 and ``1.234`` as a little more than 1, but in a table that has decimal
    commas elsewhere it is the other way round.
    """
    import pandas as pd
    from pandas.api import types

    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(object)
    if types.is_datetime64_any_dtype(column.dtype):
        return Column(_days(column), DATES)
    if types.is_timedelta64_dtype(column.dtype):
        return Column(column / pd.Timedelta(days=1), NUMBERS)
    if types.is_bool_dtype(column.dtype) or types.is_any_real_numeric_dtype(column.dtype):
        numbers = column.astype(object).where(column.notna(), np.nan).astype(float)
        return _with_unread(column, Column(numbers.where(np.isfinite(numbers)), NUMBERS))
    return _with_unread(column, _from_text(column, has_decimal_comma))


def _with_unread(column: Any, read: Column) -> Column:
    unread = column[column.notna() & is_missing(read.values)]
    if not len(unread):
        return read
    return dataclasses.replace(read, n_unread=len(unread), unread=str(unread.iloc[0]).strip())


def _from_text(column: Any, has_decimal_comma: bool) -> Column:
    present = column.notna()
    texts = column[present].astype(str).str.strip()
    plain = _numbers(texts)
    kind, numbers = NUMBERS, plain
    if has_decimal_comma or plain.isna().any():
        kind, numbers = _most_numbers(texts, plain, has_decimal_comma)
    unread = texts[numbers.isna()]
    if len(texts) and len(unread) <= (1 - MOSTLY) * len(texts):
        example = texts[numbers.notna() & (numbers != plain)].iloc[:1]
        return Column(numbers.reindex(column.index), kind, "".join(example))
    dates = _dates(texts)
    if len(texts) and dates.notna().mean() >= MOSTLY:
        return Column(dates.reindex(column.index), DATES)
    values = texts.astype(object).reindex(column.index).where(present, MISSING)
    return Column(values, TEXT, "".join(unread.iloc[:1]))


def _numbers(texts: Any) -> Any:
    import pandas as pd

    numbers = pd.to_numeric(texts, errors="coerce").astype(float)
    return numbers.where(np.isfinite(numbers))


def _most_numbers(texts: Any, plain: Any, has_decimal_comma: bool) -> tuple[str, Any]:
    """Return the notation in which most of the texts are numbers, and these."""
    readings = {NUMBERS: plain}
    readings |= {kind: _numbers_in(texts, *how) for kind, how in NOTATIONS.items()}
    order = list(readings)[:: -1 if has_decimal_comma else 1]  # the first of equals is taken
    best = max(order, key=lambda kind: readings[kind].notna().sum())
    return (NUMBERS, plain) if readings[best].equals(plain) else (best, readings[best])


def _numbers_in(texts: Any, separators: str, point: str) -> Any:
    """Return numbers whose thousands may be parted by any of the separators."""
    whole = rf"(?:\d+|[1-9]\d{{0,2}}(?:[{separators}]\d{{3}})+)"
    fit = texts.str.fullmatch(rf"[+-]?{whole}(?:[{point}]\d*)?(?:[eE][+-]?\d+)?")
    digits = texts[fit].str.replace(rf"[{separators}]", "", regex=True)
    return _numbers(digits.str.replace(point, ".", regex=False)).reindex(texts.index)


def _dates(texts: Any) -> Any:
    """Return days for 2001-02-03 (ISO 8601) and for 03.02.2001, with or without a time."""
    import pandas as pd

    day_first = r"^(\d\d?)\.(\d\d?)\.(\d{4})\b"
    iso = texts.str.replace(day_first, lambda m: f"{m[3]}-{m[2]:0>2}-{m[1]:0>2}", regex=True)
    return _days(pd.to_datetime(iso, errors="coerce", format="ISO8601", utc=True))


def _days(dates: Any) -> Any:
    """Return days since the start of 1970."""
    import pandas as pd

    if dates.dt.tz is not None:
        dates = dates.dt.tz_convert(None)
    return (dates - pd.Timestamp(0)) / pd.Timedelta(days=1)


def is_text(values: Any) -> bool:
    """Return whether the values of a column are text."""
    return bool(values.dtype == object)


def is_missing(values: Any) -> Any:
    """Return which values of a column are missing."""
    return values == MISSING if is_text(values) else values.isna()


def why_useless(values: Any) -> str | None:
    """Return why a column says nothing about other rows, or None."""
    n_rows, n_values = len(values), values.nunique()
    if is_missing(values).all():
        return "has no values"
    if values.nunique(dropna=False) == 1:
        return "is the same in every row"
    if is_text(values) and n_values > max(MAX_CATEGORIES, n_rows / 2):
        return f"is an identifier or free text ({n_values:,} different values)"
    if n_values == n_rows > MAX_CATEGORIES and not is_text(values):
        is_whole = bool((values == values.round()).all())
        if is_whole and values.max() - values.min() == n_rows - 1:
            return "numbers the rows"
    return None
