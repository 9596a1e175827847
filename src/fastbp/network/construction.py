"""Arguments with which a `Network` is made: sizes, the dtype, what draws the first parameters."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from .checks import check_whole


def sizes_in_one_sequence(init: Callable[..., None]) -> Callable[..., None]:
    """Return `Network.__init__` with an error that helps where sizes are given one by one."""

    @functools.wraps(init)
    def checked_init(self: Any, *sizes: Any, **options: Any) -> None:
        if "_layers" in self.__dict__:
            raise TypeError(
                "A Network is made once: other threads may use its memory. Make another"
            )
        if len(sizes) > 1:
            are_sizes = all(hasattr(size, "__index__") for size in sizes)
            example = f"({', '.join(map(repr, sizes))})" if are_sizes else "(8, 16, 1), loss=..."
            raise TypeError(
                "Network takes the sizes of its layers as one sequence, and all else by name: "
                f"Network({example})"
            )
        init(self, *sizes, **options)

    return checked_init


def float_dtype(dtype: DTypeLike) -> np.dtype[Any]:
    """Return a dtype that networks have."""
    try:
        kind = np.dtype(dtype)
    except TypeError:
        kind = None
    if kind is None or kind not in (np.dtype(np.float64), np.dtype(np.float32)):
        raise ValueError(f'dtype must be "float64" or "float32"; got {dtype!r}')
    return kind


def random_of(random_state: Any) -> Any:
    """Return a generator that has `uniform`."""
    if hasattr(random_state, "uniform"):
        return random_state
    if random_state is not None:
        random_state = check_whole("random_state", random_state, at_least=0)
    return np.random.RandomState(random_state)


class Undrawn:
    """A generator of zeros, for parameters that are loaded."""

    def uniform(self, low: float, high: float, shape: tuple[int, ...]) -> float:
        """Return what an array is filled with."""
        return 0.0
