from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ._threads import Helpers

ACTIVATIONS: dict[str, int]
LOSSES: dict[str, int]
ISAS: dict[str, int]
AUTOMATIC: tuple[str, ...]
ISA: str
ISA_IS_FORCED: bool

def built_isas() -> tuple[str, ...]: ...
def available_isas() -> tuple[str, ...]: ...
def default_isa() -> str: ...
def isa_for(layer_sizes: tuple[int, ...], dtype: DTypeLike) -> str: ...
def lanes(isa: str, dtype: DTypeLike) -> int: ...
def compiler() -> str: ...
def apply_activation(name: str, z: NDArray[Any], isa: str | None = None) -> NDArray[Any]: ...
def apply_derivative(
    name: str, delta: NDArray[Any], a: NDArray[Any], isa: str | None = None
) -> NDArray[Any]: ...
def all_finite(values: NDArray[Any], isa: str | None = None) -> bool: ...
def shuffle(order: NDArray[np.int64], random_state: Any) -> None: ...
def can_shuffle(order: NDArray[np.int64], random_state: Any) -> bool: ...
def unlock_generators() -> None: ...

class Rows:
    n: int
    sample_weight: NDArray[np.float64] | None
    sparse: bool
    values_per_row: float
    largest_loss: float
    def __init__(
        self,
        X: NDArray[Any] | tuple[NDArray[Any], NDArray[np.int32], NDArray[np.int64]],
        n_features: int,
        y: NDArray[Any] | tuple[NDArray[Any], NDArray[np.int32]] | None = None,
        sample_weight: NDArray[np.float64] | None = None,
    ) -> None: ...
    def part(self, start: int, stop: int) -> Rows: ...
    def weight(self, order: NDArray[np.int64] | None = None) -> float: ...
    def hash(self, start: int, stop: int, out: NDArray[np.uint64]) -> None: ...

class Layout:
    def __init__(self, engine: Engine, path: str, sparse: bool, momentum: bool) -> None: ...

class Batch:
    kind: tuple[bool, int, int, int] | tuple[()]
    def __init__(
        self, engine: Engine, sparse: bool, n_moments: int, batch_size: int, n_threads: int
    ) -> None: ...
    def help(self) -> None: ...

class Engine:
    isa: str
    tiny: bool
    tiny_with_momentum: bool
    block_rows: int
    def __init__(
        self,
        arena: NDArray[Any],
        weights: list[NDArray[Any]],
        biases: list[NDArray[Any]],
        activations: list[str],
        loss: str,
        loss_parameter: float,
        paired: bool,
        isa: str | None = None,
    ) -> None: ...
    def train(
        self,
        rows: Rows,
        order: NDArray[np.int64],
        start: int,
        stop: int,
        learning_rate: float,
        momentum: float = 0.0,
        nesterov: bool = False,
        alpha: float = 0.0,
        batch_size: int = 1,
        adam: bool = False,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_steps: int = 0,
        by_weight: bool = False,
        largest_loss: float = 1e300,
        dropout: tuple[float, ...] = (),
        dropout_seed: int = 0,
        first_visit: int = 0,
        moments: NDArray[Any] | None = None,
        layout: Layout | None = None,
        batch: Batch | None = None,
        helpers: Helpers | None = None,
    ) -> tuple[int, float]: ...
    def train_epochs(
        self,
        rows: Rows,
        order: NDArray[np.int64],
        is_anew: bool,
        rates: NDArray[np.float64],
        losses: NDArray[np.float64],
        random_state: Any,
        learning_rate: float,
        momentum: float = 0.0,
        nesterov: bool = False,
        alpha: float = 0.0,
        batch_size: int = 1,
        adam: bool = False,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_steps: int = 0,
        by_weight: bool = False,
        largest_loss: float = 1e300,
        dropout: tuple[float, ...] = (),
        dropout_seed: int = 0,
        first_visit: int = 0,
        moments: NDArray[Any] | None = None,
        layout: Layout | None = None,
        batch: Batch | None = None,
        helpers: Helpers | None = None,
    ) -> int: ...
    def forward_all(
        self,
        batch: Batch,
        helpers: Helpers | None,
        rows: Rows,
        start: int,
        stop: int,
        out: NDArray[Any],
    ) -> None: ...
    def sum_gradients(
        self, rows: Rows, start: int, stop: int, gradients: NDArray[Any]
    ) -> float: ...
    def loss_sum(self, rows: Rows, start: int, stop: int) -> float: ...
    def forward(self, rows: Rows, start: int, stop: int, out: NDArray[Any]) -> None: ...
    def sensitivities(
        self,
        rows: Rows,
        start: int,
        stop: int,
        transposed: list[NDArray[Any]],
        out: NDArray[Any],
    ) -> None: ...
    def forward_one(self, x: object) -> NDArray[Any] | None: ...
    def step(
        self,
        x: object,
        y: object,
        learning_rate: float,
        alpha: float = 0.0,
        largest_loss: float = ...,
    ) -> float | None: ...

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
        learning_rate: float,
        momentum: float,
        nesterov: bool,
        alpha: float,
        loss_sums: NDArray[np.float64],
    ) -> None: ...
