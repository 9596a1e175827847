"""What a column of a table means: numbers, categories, dates, or nothing to learn from."""

from __future__ import annotations

from typing import Any

import numpy as np

MISSING = "(missing)"
MOSTLY = 0.95  # share of a text column's values that makes it a column of numbers, or of dates
MOST_CATEGORIES = 50  # of a column that is not suspected to be free text


def as_values(column: Any) -> Any:
    """Return a column as float64 with NaN, or as text with `MISSING`.

    Truth values become 0 and 1; dates and durations become days; text that is mostly numbers or
    dates becomes numbers. Infinities count as missing.
    """
    import pandas as pd
    from pandas.api import types

    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(object)
    if types.is_datetime64_any_dtype(column.dtype):
        return _days(column)
    if types.is_timedelta64_dtype(column.dtype):
        return column / pd.Timedelta(days=1)
    if types.is_bool_dtype(column.dtype) or types.is_any_real_numeric_dtype(column.dtype):
        numbers = column.astype(object).where(column.notna(), np.nan).astype(float)
        return numbers.where(np.isfinite(numbers))
    return _from_text(column)


def _from_text(column: Any) -> Any:
    present = column.notna()
    texts = column[present].astype(str).str.strip()
    for converted in (_numbers(texts), _dates(texts)):
        if len(texts) and converted.notna().mean() >= MOSTLY:
            return converted.reindex(column.index)
    return texts.astype(object).reindex(column.index).where(present, MISSING)


def _numbers(texts: Any) -> Any:
    import pandas as pd

    numbers = pd.to_numeric(texts, errors="coerce").astype(float)
    return numbers.where(np.isfinite(numbers))


def _dates(texts: Any) -> Any:
    import pandas as pd

    return _days(pd.to_datetime(texts, errors="coerce", format="ISO8601", utc=True))


def _days(dates: Any) -> Any:
    """Return days since the start of 1970."""
    import pandas as pd

    if dates.dt.tz is not None:
        dates = dates.dt.tz_convert(None)
    return (dates - pd.Timestamp(0)) / pd.Timedelta(days=1)


def is_text(values: Any) -> bool:
    """Return whether `as_values` made text of a column."""
    return bool(values.dtype == object)


def is_missing(values: Any) -> Any:
    """Return which of the values that `as_values` returned are missing."""
    return values == MISSING if is_text(values) else values.isna()


def why_useless(values: Any) -> str | None:
    """Return why a column says nothing about other rows, or None."""
    n_rows, n_values = len(values), values.nunique()
    if is_missing(values).all():
        return "has no values"
    if values.nunique(dropna=False) == 1:
        return "is the same in every row"
    if is_text(values) and n_values > max(MOST_CATEGORIES, n_rows / 2):
        return f"is an identifier or free text ({n_values:,} different values)"
    if n_values == n_rows > MOST_CATEGORIES and not is_text(values):
        is_whole = bool((values == values.round()).all())
        if is_whole and values.max() - values.min() == n_rows - 1:
            return "numbers the rows"
    return None
