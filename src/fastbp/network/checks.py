"""Checks of parameters: numbers, choices, flags, layer sizes."""

from __future__ import annotations

import itertools
import math
import numbers
import operator
from collections.abc import Mapping
from typing import Any

import numpy as np

from .._messages import advice_on, counted

MAX_COLUMNS = np.iinfo(np.int32).max
# The least and the largest number that a dtype holds, float32 to its usual precision.
LIMITS = {
    np.dtype(np.float64): (5e-324, float(np.finfo(np.float64).max)),
    np.dtype(np.float32): (float(np.finfo(np.float32).tiny), float(np.finfo(np.float32).max)),
}
# Adam divides by epsilon where the square of a gradient is 0 to float32, as it is below this.
MIN_EPSILON = math.sqrt(LIMITS[np.dtype(np.float32)][0])


def check_choice(
    name: str,
    value: Any,
    allowed: tuple[str, ...],
    *,
    of_what: str = "",
    elsewhere: Mapping[str, str] | None = None,
) -> str:
    """Return ``value`` if it is one of the allowed names; for the others see `advice_on`."""
    if not isinstance(value, str) or value not in allowed:
        raise ValueError(
            f"{name} must be one of {', '.join(allowed)}{of_what}; got {value!r}"
            f"{advice_on(name, value, allowed, elsewhere)}"
        )
    return str(value)  # and no text of NumPy


def check_whole(name: str, value: Any, *, at_least: int = 1, at_most: float = math.inf) -> int:
    """Return ``value`` as an int, if it is a whole number within the bounds."""
    try:
        if isinstance(value, (bool, np.bool_)):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        advice = advice_on(name, value)
        raise TypeError(f"{name} must be a whole number; got {value!r}{advice}") from None
    if number < at_least:
        raise ValueError(f"{name} must be at least {at_least}; got {number}")
    if number > at_most:
        raise ValueError(f"{name} must be at most {at_most:,}; got {number}")
    return number


def check_number(
    name: str,
    value: Any,
    *,
    above: float = -math.inf,
    at_least: float = -math.inf,
    below: float = math.inf,
) -> float:
    """Return ``value`` as a float, if it is a finite real number within the bounds."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be a number; got {value!r}{advice_on(name, value)}")
    try:
        number = float(value)
    except OverflowError:  # a whole number of hundreds of digits
        number = math.inf
    if not (math.isfinite(number) and above < number < below and number >= at_least):
        bounds = "finite"
        if above > -math.inf:
            bounds = f"greater than {above:g}"
        if at_least > -math.inf:
            bounds = f"at least {at_least:g}"
        if below < math.inf:
            bounds += f" and below {below:g}"
        raise ValueError(f"{name} must be {bounds}; got {value!r}")
    return number


def fits_dtype(number: float, dtype: Any) -> bool:
    """Whether a floating dtype holds a number: not as 0, unless it is 0, and not as infinity."""
    least, most = LIMITS[np.dtype(dtype)]
    return bool(number == 0 or least <= abs(number) <= most)


def check_fits_dtype(name: str, value: float, dtype: Any, least: float = 0.0) -> None:
    """Refuse a number that float32 takes for 0 or infinity, or that is below ``least`` there."""
    dtype = np.dtype(dtype)
    if fits_dtype(value, dtype) and (dtype == np.float64 or value >= least):
        return
    smallest, largest = LIMITS[dtype]
    raise ValueError(
        f"{name}={value:g} is out of the range of {dtype.name} arithmetic, "
        f"{max(smallest, least):.2g} to {largest:.2g}. Choose another one, or train in float64"
    )


def check_dropout(dropout: Any, n_hidden: int | None = None) -> tuple[float, ...]:
    """Return one probability a hidden layer; how many layers there are may not be known."""
    if isinstance(dropout, (numbers.Real, str)) or not hasattr(dropout, "__iter__"):
        return (check_number("dropout", dropout, at_least=0, below=1),) * (n_hidden or 0)
    listed = tuple(dropout)
    if n_hidden is not None and len(listed) != n_hidden:
        raise ValueError(
            f"dropout lists {counted(len(listed), 'number')}, but the network has "
            f"{counted(n_hidden, 'hidden layer')}"
        )
    return tuple(
        check_number(f"dropout[{i}]", one, at_least=0, below=1) for i, one in enumerate(listed)
    )


def check_flag(name: str, value: Any) -> bool:
    """Return ``value`` as a bool, if it is True or False."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be True or False; got {value!r}")
    return bool(value)


def check_layer_sizes(layer_sizes: Any, itemsize: int) -> tuple[int, ...]:
    """Return the sizes as a tuple of ints, if a network of these sizes can be addressed."""
    try:
        sizes = tuple(layer_sizes)
    except TypeError:
        raise TypeError(
            "layer_sizes must be a sequence such as (8, 16, 1): inputs, hidden units, outputs; "
            f"got {layer_sizes!r}"
        ) from None
    if len(sizes) < 2:
        raise ValueError(f"layer_sizes needs at least inputs and outputs; got {layer_sizes!r}")
    sizes = tuple(check_whole(f"layer_sizes[{i}]", size) for i, size in enumerate(sizes))
    n_parameters = sum((n_in + 1) * n_out for n_in, n_out in itertools.pairwise(sizes))
    if max(sizes) > MAX_COLUMNS or n_parameters * itemsize > np.iinfo(np.intp).max // 4:
        raise ValueError(f"layer_sizes {sizes} make a network too large to address")
    return sizes
