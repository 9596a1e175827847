from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .rows import Rows
from .solver import CompiledSolver

class Lanes:
    isa: str
    n_lanes: int
    n_groups: int
    values: NDArray[Any]
    weights: list[NDArray[Any]]
    biases: list[NDArray[Any]]
    weight_velocities: list[NDArray[Any]]
    bias_velocities: list[NDArray[Any]]
    def __init__(
        self,
        layer_sizes: tuple[int, ...],
        activation: str,
        out_activation: str,
        loss: str,
        loss_parameter: float,
        dtype: DTypeLike,
        n: int,
        momentum: bool,
        isa: str | None = None,
    ) -> None: ...
    def train(
        self,
        rows: Rows,
        order: NDArray[np.int64],
        start: int,
        stop: int,
        solver: CompiledSolver,
        learning_rate: float,
        loss_sums: NDArray[np.float64],
    ) -> None: ...
