from typing import Any

from numpy.typing import NDArray

from .layers import Layers
from .solver import CompiledSolver

class Expert:
    n_steps: int
    recent_loss: float
    typical_error: float
    watched: tuple[float, float, float, float]

    def __init__(
        self,
        solver: CompiledSolver,
        rule: str,
        replay: int,
        margin: float,
        share: float,
        max_loss: float,
    ) -> None: ...
    def set_rate(self, learning_rate: float) -> None: ...
    def attach(
        self, layers: Layers, moments: NDArray[Any] | None, average: Layers | None
    ) -> None: ...
    def detach(self) -> None: ...
