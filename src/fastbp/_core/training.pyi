from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..network.threads import Workers
from .batches import BatchWorkspace
from .layers import Layers
from .rows import Rows
from .solver import CompiledSolver
from .workspaces import Workspace

class EpochRun:
    n_steps: int
    n_samples: int
    def __init__(
        self,
        layers: Layers,
        rows: Rows,
        order: NDArray[np.int64],
        solver: CompiledSolver,
        moments: NDArray[Any] | None = None,
        memory: Workspace | BatchWorkspace | None = None,
        rates: NDArray[np.float64] | None = None,
    ) -> None: ...
    @property
    def epoch(self) -> int: ...
    @property
    def row(self) -> int: ...
    @property
    def loss_sum(self) -> float: ...
    def change_rate_every(self, n_rows: int, first_row: int) -> None: ...
    def shuffle_by(self, random_state: Any, reshuffle_from_start: bool) -> None: ...
    def losses(self) -> list[float]: ...
    def advance(self, n_rows: int, workers: Workers | None = None) -> bool: ...
    def restart(self) -> None: ...
    def begin_within(self, row: int, loss_sum: float) -> None: ...
    def shuffle(self) -> None: ...

def forward_all(
    layers: Layers,
    batch: BatchWorkspace,
    workers: Workers | None,
    rows: Rows,
    start: int,
    stop: int,
    out: NDArray[Any],
) -> None: ...
