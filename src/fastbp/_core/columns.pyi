from typing import Any

import numpy as np
from numpy.typing import NDArray

class RowReader:
    def __init__(
        self, names: dict[Any, int], texts: dict[Any, dict[str, int]], skips_gaps: bool
    ) -> None: ...
    def set_numbered(self, columns: NDArray[np.int32]) -> None: ...

class Table:
    n_values: int
    n_texts: int

    def __init__(
        self,
        values: NDArray[np.float64],
        codes: NDArray[np.int32],
        targets: NDArray[np.float64] | None = None,
        weights: NDArray[np.float64] | None = None,
    ) -> None: ...
    def set_columns(
        self,
        of_values: NDArray[np.int32],
        of_texts: NDArray[np.int32],
        text_starts: NDArray[np.int64],
    ) -> None: ...

def draw_uniform(seed: int, bound: float, n: int) -> NDArray[np.float64]: ...
