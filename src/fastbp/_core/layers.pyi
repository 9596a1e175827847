from typing import Any

from numpy.typing import NDArray

from .rows import Rows
from .scaling import RowUnits

class Layers:
    isa: str
    dtype_name: str
    n_lanes: int
    fits_registers: bool
    fits_registers_with_momentum: bool
    block_rows: int
    def __init__(
        self,
        arena: NDArray[Any],
        weights: list[NDArray[Any]],
        biases: list[NDArray[Any]],
        activations: list[str],
        loss: str,
        loss_parameter: float,
        isa: str | None = None,
    ) -> None: ...
    def sum_gradients(
        self, rows: Rows, start: int, stop: int, gradients: NDArray[Any]
    ) -> float: ...
    def loss_sum(self, rows: Rows, start: int, stop: int, loss_sum: float = 0.0) -> float: ...
    def forward(self, rows: Rows, start: int, stop: int, out: NDArray[Any]) -> None: ...
    def sensitivities(
        self,
        rows: Rows,
        start: int,
        stop: int,
        transposed: list[NDArray[Any]],
        out: NDArray[Any],
    ) -> None: ...
    def forget_size(self) -> None: ...
    def forward_one(self, x: object, units: RowUnits | None = None) -> NDArray[Any] | None: ...
