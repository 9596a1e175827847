from typing import Any

import numpy as np
from numpy.typing import NDArray

def shuffle(order: NDArray[np.int64], random_state: Any) -> None: ...
def can_shuffle(order: NDArray[np.int64], random_state: Any) -> bool: ...
def unlock_generators() -> None: ...

class Rows:
    n: int
    sample_weight: NDArray[np.float64] | None
    sparse: bool
    values_per_row: float
    max_loss: float
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
