from typing import Any

import numpy as np
from numpy.typing import NDArray

ENOUGH: int
FARTHEST: int

def scaled(
    X: NDArray[Any], center: NDArray[Any], factor: NDArray[Any], limit: float
) -> NDArray[Any]: ...
def add_nonzeros(
    columns: NDArray[np.int32],
    values: NDArray[Any],
    counts: NDArray[np.float64],
    squares: NDArray[np.float64],
    largest: NDArray[np.float64],
) -> None: ...
def moments_with_row(
    weight: float, moments: NDArray[np.float64], x: NDArray[Any]
) -> NDArray[np.float64]: ...
def moments_with_rows(
    weight: float,
    moments: NDArray[np.float64],
    X: NDArray[Any],
    weights: NDArray[np.float64] | None = None,
) -> float: ...
def spread_of(
    weight: float,
    mean: NDArray[np.float64],
    squares: NDArray[np.float64],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    looks_for_pairs: bool,
) -> NDArray[np.float64]: ...

class RowUnits:
    n_out: int
    is_running: bool
    weight: float
    def __init__(
        self,
        dtype: object,
        limit: float,
        counts: bool,
        weight: float,
        is_running: bool,
        inputs: NDArray[np.float64],
        targets: NDArray[np.float64] | None = None,
    ) -> None: ...
    def state(self) -> tuple[float, NDArray[np.float64], NDArray[np.float64] | None]: ...
    def seen(self, x: object, y: Any) -> tuple[NDArray[Any], Any] | None: ...
    def commit(self) -> None: ...
