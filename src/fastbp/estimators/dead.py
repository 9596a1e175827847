"""Units that have come to give 0 for every row, and so no longer learn."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.sparse import issparse

from ..network import Network
from .prepared import TrainingData

ROWS_LOOKED_AT = 500


def dead_units(networks: Sequence[Network], data: TrainingData) -> list[tuple[int, int]]:
    """Return how many of how many units of each hidden layer are 0 for all rows looked at.

    Of networks that are to be joined the sums. Only units of ReLU can be dead, and only layers
    below the first one with another activation are looked at.
    """
    numbers = np.linspace(0, data.X.shape[0] - 1, min(data.X.shape[0], ROWS_LOOKED_AT))
    rows = data.inputs(np.unique(numbers.astype(np.intp)))
    rows = rows.toarray() if issparse(rows) else rows
    counts = np.array([_of_network(network, rows) for network in networks])
    return [(int(n_dead), int(n)) for n_dead, n in counts.sum(axis=0)] if counts.size else []


def _of_network(network: Network, a: np.ndarray) -> list[tuple[int, int]]:
    counts = []
    for activation, W, b in zip(network.activation, network.weights, network.biases, strict=False):
        if activation != "relu":
            break
        with np.errstate(all="ignore"):  # after divergence
            a = np.maximum(a @ W + b, 0)
        counts.append((int((~a.any(axis=0)).sum()), len(b)))
    return counts
