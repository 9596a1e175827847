"""`Running`: how a model of a stream sees its inputs at one moment."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

FARTHEST = 1e30  # of what is not bounded: texts, which are 0, 1 or how many of them share an input


@dataclasses.dataclass(frozen=True, eq=False)
class Running:
    """``(x - center) * factor`` between -bound and bound; 0 where x is missing (NaN).

    Attributes
    ----------
    center, factor, bound : ndarray of float64 of shape (n_columns,)
        A factor of 0 is that of numbers that have always been alike: they become 1 where they are
        not 0.
    """

    center: NDArray[np.float64]
    factor: NDArray[np.float64]
    bound: NDArray[np.float64]

    @property
    def is_constant(self) -> NDArray[np.bool_]:
        """Which columns have always had the same value."""
        return np.asarray(self.factor == 0)

    def transform(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return rows (n, n_columns) in the units of the network, in their dtype."""
        with np.errstate(over="ignore"):  # of numbers that float32 does not hold
            center, factor, bound = (
                one.astype(values.dtype) for one in (self.center, self.factor, self.bound)
            )
        scaled = np.clip((values - center) * factor, -bound, bound)
        scaled = np.where(self.is_constant, values != 0, scaled)
        return np.where(np.isnan(values), 0, scaled).astype(values.dtype)
