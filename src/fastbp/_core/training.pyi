from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..network.threads import Workers
from .batches import BatchWorkspace
from .layers import Layers
from .rows import Rows
from .workspaces import Workspace

def train(
    layers: Layers,
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
    max_loss: float = 1e300,
    dropout: tuple[float, ...] = (),
    dropout_seed: int = 0,
    first_sample: int = 0,
    moments: NDArray[Any] | None = None,
    workspace: Workspace | None = None,
    batch: BatchWorkspace | None = None,
    workers: Workers | None = None,
) -> tuple[int, float]: ...
def train_epochs(
    layers: Layers,
    rows: Rows,
    order: NDArray[np.int64],
    reshuffle_from_start: bool,
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
    max_loss: float = 1e300,
    dropout: tuple[float, ...] = (),
    dropout_seed: int = 0,
    first_sample: int = 0,
    moments: NDArray[Any] | None = None,
    workspace: Workspace | None = None,
    batch: BatchWorkspace | None = None,
    workers: Workers | None = None,
) -> int: ...
def forward_all(
    layers: Layers,
    batch: BatchWorkspace,
    workers: Workers | None,
    rows: Rows,
    start: int,
    stop: int,
    out: NDArray[Any],
) -> None: ...
