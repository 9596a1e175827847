from typing import Any

from numpy.typing import NDArray

from ..network.solver import Solver
from .layers import Layers

class CompiledSolver:
    def __init__(self, solver: Solver, dropout: tuple[float, ...] = ()) -> None: ...
    def take_row(
        self,
        layers: Layers,
        x: object,
        y: object,
        learning_rate: float,
        moments: NDArray[Any] | None = None,
        n_steps: int = 0,
        max_loss: float = ...,
    ) -> float | None: ...
