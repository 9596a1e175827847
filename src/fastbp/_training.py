"""Training over epochs: which rows are visited in which order, when to stop, what is reported.

NumPy only. An epoch itself is the network's; see `Network.train_epoch`.
"""

from __future__ import annotations

import contextvars
import dataclasses
import math
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from . import _core
from ._validation import as_weights
from .network import Network, Solver

MOST_VISITS = 8.0  # an epoch, on average over the rows that have a weight at all
Ending = Literal["converged", "diverged", "max_iter"]
# Runs an epoch in place of `Network._run_epoch` and looks on: see _recorder.py.
Watcher = Callable[[Network, _core.Rows, NDArray[np.int64], Solver, int], float]
WATCHER: contextvars.ContextVar[Watcher | None] = contextvars.ContextVar("watcher", default=None)
HASHED_AT_ONCE = 1_000_000  # values, between which Ctrl-C is honoured


@dataclasses.dataclass(frozen=True)
class Visits:
    """How often an epoch visits each row, and with what weight each time.

    Attributes
    ----------
    counts : ndarray of int of shape (n,), or None
        Visits an epoch; None is once each.
    weights : ndarray of float64 of shape (n,), or None
        Weight of one visit, at most 1; None is 1 each.
    """

    counts: NDArray[np.int64] | None = None
    weights: NDArray[np.float64] | None = None

    @classmethod
    def of(cls, sample_weight: Any, n_rows: int) -> Visits:
        """Divide each row's weight w over ceil(w) visits of weight w / ceil(w).

        So a whole weight is that many copies of the row, and no step is longer than that of a row
        of weight 1. Rows of weight 0 are not visited. Weights whose mean over the other rows is
        above `MOST_VISITS` are scaled down to that mean.
        """
        weights = as_weights(sample_weight, n_rows)
        if weights is None:
            return cls()
        largest = weights.max()
        mean = np.mean(weights[weights > 0] / largest)  # relative: a sum of weights may overflow
        if mean * largest > MOST_VISITS:
            weights = weights / largest * (MOST_VISITS / mean)
        counts = np.ceil(
            weights * (1 - 1e-9)
        )  # a weight of 1 may have been computed as 1.0000000001
        each = np.divide(weights, counts, out=np.zeros_like(weights), where=counts > 0)
        each = np.minimum(each, 1)
        whole = bool(np.all(each[counts > 0] == 1))
        return cls(counts.astype(np.int64), None if whole else each)

    def order(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the rows given, each as often as it is to be visited."""
        return rows if self.counts is None else np.repeat(rows, self.counts[rows])


def canonical_order(rows: _core.Rows) -> NDArray[np.int64]:
    """Return the rows ordered by their contents, wherever in the table they stand.

    By a 64-bit hash of features and targets, which is the same for dense and sparse rows, and then
    by the weight of a visit. Rows that are equal in all of this are equal to training, too.
    """
    hashes = np.empty(rows.n, dtype=np.uint64)
    size = 1 + int(HASHED_AT_ONCE / (1 + rows.values_per_row))
    for start in range(0, rows.n, size):
        rows.hash(start, min(start + size, rows.n), hashes)
    if rows.sample_weight is None:
        return order_of(hashes)
    return np.lexsort((rows.sample_weight, hashes))


def order_of(hashes: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return ``np.argsort(hashes)`` in about half its time: numbers alone are sorted faster.

    Each hash has its last bits replaced by its number, which are then read off what is sorted. Only
    those that agree in all other bits are left to `numpy.argsort`.
    """
    n = len(hashes)
    last_bits = np.uint64((1 << n.bit_length()) - 1)
    keys = hashes & ~last_bits
    keys |= np.arange(n, dtype=np.uint64)
    keys.sort()
    order = (keys & last_bits).astype(np.int64)
    alike = (keys[1:] ^ keys[:-1]) <= last_bits
    if alike.any():
        near = np.zeros(n, dtype=bool)
        near[1:] = alike
        near[:-1] |= alike
        numbers = order[near]
        order[near] = numbers[np.argsort(hashes[numbers])]
    return order


@dataclasses.dataclass
class History:
    """What training has come to so far, over all calls; kept up to date epoch by epoch.

    Attributes
    ----------
    loss_curve : list of float
        Loss of each whole epoch: infinite if training diverged in it.
    n_rows : int
        Rows visited in these epochs.
    """

    loss_curve: list[float] = dataclasses.field(default_factory=list)
    n_rows: int = 0

    def add(self, loss: float, n_rows: int) -> None:
        """Note one epoch."""
        self.n_rows += n_rows
        self.loss_curve.append(loss)


@dataclasses.dataclass
class Patience:
    """When to stop: after too many epochs in a row that did not improve the loss by ``tol``."""

    tol: float
    n_iter_no_change: int
    best_loss: float = math.inf
    n_without: int = 0

    def is_lost(self, loss: float) -> bool:
        """Take an epoch's loss; return whether training should stop."""
        self.n_without = self.n_without + 1 if loss > self.best_loss - self.tol else 0
        self.best_loss = min(self.best_loss, loss)
        return self.n_without > self.n_iter_no_change


def train_epochs(
    network: Network,
    rows: _core.Rows,
    order: NDArray[np.int64],
    solver: Solver,
    history: History,
    *,
    max_iter: int,
    shuffle: Any = None,
    patience: Patience | None = None,
    verbose: bool = False,
    n_threads: int = 1,
) -> Ending:
    """Train for up to ``max_iter`` epochs, in place.

    Parameters
    ----------
    network : Network
    rows : Rows
    order : ndarray of int64
        The rows an epoch visits.
    solver : Solver
    history : History
        Every finished epoch is added to it, so that it is right whenever training is interrupted.
    max_iter : int
    shuffle : RandomState, default=None
        Shuffles ``order`` anew for every epoch; None keeps it.
    patience : Patience, default=None
        Ends training early.
    verbose : bool, default=False
        Print a line an epoch.
    n_threads : int, default=1
        See `Network.train_epoch`.

    Returns
    -------
    {"converged", "diverged", "max_iter"}
        Why training ended: the loss no longer fell, it is not finite, or all epochs were made.
    """
    run_epoch = WATCHER.get() or Network._run_epoch
    visit = order if shuffle is None else np.empty_like(order)
    for _ in range(max_iter):
        if shuffle is not None:
            np.copyto(visit, order)
            _core.shuffle(visit, shuffle)
        loss = run_epoch(network, rows, visit, solver, n_threads)
        history.add(loss, len(visit))
        if verbose:
            print(f"Iteration {len(history.loss_curve)}, loss = {loss:.8f}", flush=True)
        if not math.isfinite(loss):
            return "diverged"
        if patience is not None and patience.is_lost(loss):
            if verbose:
                print(
                    f"Training loss did not improve more than tol={patience.tol:f} for "
                    f"{patience.n_iter_no_change} consecutive epochs. Stopping."
                )
            return "converged"
    return "max_iter"
