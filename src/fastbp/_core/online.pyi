from typing import Any

import numpy as np
from numpy.typing import NDArray

from .columns import RowReader, Table
from .experts import Expert
from .kept_rows import KeptRows

class OnlineLoop:
    n_rows: int
    random: int

    def __init__(
        self,
        experts: tuple[Expert, ...],
        reader: RowReader,
        past: KeptRows,
        labels: dict[Any, int] | None,
        n_targets: int,
        options: dict[str, Any],
        seed: int,
    ) -> None: ...
    def attach(self, inputs: NDArray[np.float64], outputs: NDArray[np.float64]) -> None: ...
    def detach(self) -> None: ...
    def learn(self, x: Any, y: Any, weight: float) -> bool: ...
    def predict(self, x: Any, out: NDArray[np.float64]) -> bool: ...
    def predict_best(self, x: Any) -> int: ...
    def learn_table(self, table: Table, start: int, stop: int) -> int: ...
    def predict_table(
        self, table: Table, start: int, stop: int, out: NDArray[np.float64]
    ) -> bool: ...
