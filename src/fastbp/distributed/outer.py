"""`OuterStep`: what is made of the average of a round."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from .state import RoundState


@dataclasses.dataclass(frozen=True)
class OuterStep:
    """A step from the state before a round towards the average after it, with momentum.

    With ``d`` the difference from the average to the state before: ``v = momentum v + d``, and
    ``W -= learning_rate v`` (SlowMo: Wang et al., 2020), or with Nesterov's momentum
    ``W -= learning_rate (d + momentum v)`` (DiLoCo: Douillard et al., 2023).

    Attributes
    ----------
    learning_rate, momentum : float
        1 and 0 leave the average as it is, to the bit.
    nesterov : bool
    """

    learning_rate: float = 1.0
    momentum: float = 0.0
    nesterov: bool = True

    @property
    def is_plain(self) -> bool:
        """Whether it leaves the average as it is."""
        return self.learning_rate == 1 and self.momentum == 0

    def step(
        self, before: RoundState, average: RoundState, velocity: NDArray[np.float64] | None
    ) -> tuple[RoundState, NDArray[np.float64] | None]:
        """Return the state to go on from, and the velocity, None at first."""
        if self.is_plain:
            return average, None
        start = before.values.astype(np.float64, copy=False)
        way = start - average.values  # d
        if velocity is None:
            velocity = way
        else:
            velocity = velocity * self.momentum
            velocity += way
        way = way + self.momentum * velocity if self.nesterov else velocity
        way = self.learning_rate * way
        values = np.subtract(start, way, out=way).astype(average.values.dtype, copy=False)
        return dataclasses.replace(average, values=values), velocity
