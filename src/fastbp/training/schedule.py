"""`Schedule`: the learning rate from epoch to epoch."""

from __future__ import annotations

import dataclasses

SCHEDULES = ("constant", "invscaling", "adaptive")


@dataclasses.dataclass
class Schedule:
    """The learning rate from epoch to epoch.

    Attributes
    ----------
    kind : {"constant", "invscaling", "adaptive"}
        "invscaling": ``initial / (1 + rows visited) ** power_t``. "adaptive": ``initial``, and a
        fifth of it each time that training would end for want of progress, down to 1e-6.
    initial, power_t : float
    factor : float
        What "adaptive" has come to.
    """

    kind: str
    initial: float
    power_t: float = 0.5
    factor: float = 1.0

    def rate(self, n_rows: int) -> float:
        """Return the learning rate of an epoch that so many rows were visited before."""
        if self.kind == "invscaling":
            return float(self.initial / (1.0 + n_rows) ** self.power_t)
        return self.initial * self.factor

    def lower(self) -> bool:
        """Go on with a smaller rate instead of ending, if there is one."""
        if self.kind != "adaptive" or self.rate(0) <= 1e-6:
            return False
        self.factor /= 5
        return True
