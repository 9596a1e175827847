"""What a solver keeps beside the weights, and copies of it and of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .parameters import Arena


class Moments:
    """What a solver keeps beside the weights, such as velocities: of `Rule.kept`, in its order."""

    def __init__(self, arena: Arena, n: int) -> None:
        self.values, self.arenas = arena.state_arrays(n)
        self.n_steps = 0


def empty_like(kept: list[NDArray[Any]], arrays: list[NDArray[Any]]) -> list[NDArray[Any]]:
    """Return uninitialised arrays like the given ones: the previous ones, if they still fit."""
    if [room.shape for room in kept] == [array.shape for array in arrays]:
        return kept
    return [np.empty_like(array) for array in arrays]


def copy_each(to: Sequence[NDArray[Any]], arrays: Sequence[NDArray[Any]]) -> None:
    """Copy each array into its counterpart."""
    for place, values in zip(to, arrays, strict=True):
        np.copyto(place, values)
