from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..network.threads import Helpers
from .batches import Batch
from .layers import Engine
from .rows import Rows
from .workspaces import Layout

def train(
    engine: Engine,
    rows: Rows,
    order: NDArray[np.int64],
    start: int,
    stop: int,
    learning_rate: float,
    momentum: float = 0.0,
    nesterov: bool = False,
    alpha: float = 0.0,
    batch_size: int = 1,
    rule: str | None = None,
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
    engine: Engine,
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
    rule: str | None = None,
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
    engine: Engine,
    batch: Batch,
    helpers: Helpers | None,
    rows: Rows,
    start: int,
    stop: int,
    out: NDArray[Any],
) -> None: ...
