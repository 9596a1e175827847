"""One row of a stream, whatever it is given as, as a dict of plain names and values."""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NoReturn

import numpy as np

from .._printable import printable
from ..network.frames import DATES, frame_of, is_missing, is_pandas_series

Name = str | int | float
PlainRow = dict[Name, float | str]


def plain_row(x: Any, *, skips_gaps: bool) -> PlainRow:
    """Return a row by name: numbers and booleans as floats, text as it is, without gaps.

    Parameters
    ----------
    x : mapping, sequence, array of shape (n_features,), named tuple, Series or frame of one row
        A sequence names its values 0, 1, 2 ...
    skips_gaps : bool
        Whether None and NaN are left out, or refused.

    Raises
    ------
    TypeError, ValueError
        That name the value.
    """
    row: PlainRow = {}
    for name, value in _items(x):
        plain = plain_value(name, value)
        if plain is not None:
            row[plain_name(name)] = plain
        elif not skips_gaps:
            refuse_gap(name)
    return row


def _items(x: Any) -> Iterable[tuple[Any, Any]]:
    if isinstance(x, Mapping):
        return x.items()
    if isinstance(x, (str, bytes)):
        raise TypeError(f"x must be a mapping of names to values, or a row of them; got {x!r}")
    if hasattr(x, "_asdict"):
        named: dict[str, Any] = x._asdict()
        if type(x).__name__ == "Pandas":  # of itertuples, whose first field is no column
            named.pop("Index", None)
        return named.items()
    if is_pandas_series(x):
        pairs: Iterable[tuple[Any, Any]] = x.items()
        return pairs
    if (isinstance(x, np.ndarray) and x.ndim == 1) or isinstance(x, Sequence):
        return enumerate(x)
    frame = frame_of(x)
    if frame is not None and frame.n_rows == 1:
        return zip(frame.names, (column[0] for column in frame.columns()), strict=True)
    shape = f" of shape {x.shape}" if hasattr(x, "shape") else ""
    raise TypeError(
        "x must be one row: a mapping of names to values, a sequence or an array of one dimension; "
        f"got {type(x).__name__}{shape}. Tables are for learn_many and predict_many"
    )


def plain_name(name: Any) -> Name:
    """Return a name as a str, int or float; it may be a subclass of these, or NumPy's."""
    if isinstance(name, str):
        return str.__str__(name)
    if isinstance(name, numbers.Integral):
        return int(name)
    if isinstance(name, numbers.Real) and name == name:
        return float(name)
    raise TypeError(f"names of features must be text or numbers; got {printable(repr(name))}")


def plain_value(name: Any, value: Any) -> float | str | None:
    """Return a value as a finite float or as text; None for a gap."""
    if isinstance(value, str):
        return str.__str__(value)
    if is_missing(value):
        return None
    if isinstance(value, DATES) or (isinstance(value, np.generic) and value.dtype.kind in "mM"):
        raise TypeError(
            f"x[{name!r}] is a date or a duration: {value!r}. Turn it into numbers first, such as "
            "the days since a date, the weekday and the hour"
        )
    try:
        if isinstance(value, (complex, bytes, bytearray)):
            raise TypeError
        number = float(value)
    except (TypeError, ValueError):
        raise TypeError(
            f"x[{name!r}] must be a number, a boolean or text; got {printable(repr(value))}"
        ) from None
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(f"x[{name!r}] is infinite, or too large for a float")
    return number


def refuse_gap(name: Any, where: str = "") -> NoReturn:
    """Raise the error of a value that is missing."""
    raise ValueError(
        f"x[{name!r}]{where} is missing (NaN or None). Leave it out of the row, or choose "
        'missing="mean", with which it counts as left out'
    )
