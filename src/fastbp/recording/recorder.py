"""`Recorder`: an epoch hook that keeps snapshots of the parameters."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..network import Network
from ..network.runner import Epochs


@dataclasses.dataclass
class Snapshot:
    """A network between two steps.

    Attributes
    ----------
    step : int
        Steps taken before.
    saved : dict
        What `Network` pickles: parameters, the solver's state.
    rows : ndarray of int
        Rows of the next step, none after the last.
    loss_sum, weight : float
        Of the rows since the previous snapshot.
    learning_rate : float
        Of the next step.
    """

    step: int
    saved: dict[str, Any]
    rows: NDArray[np.int64]
    loss_sum: float
    weight: float
    learning_rate: float

    @property
    def n_bytes(self) -> int:
        """Memory of the arrays."""
        return _n_bytes(self.saved)

    def network(self) -> Network:
        """Return a new network as it was then."""
        network = Network.__new__(Network)
        network.__setstate__(self.saved)
        return network


def _n_bytes(value: Any) -> int:
    """Return the memory of the arrays in nested dicts, lists and tuples."""
    if isinstance(value, np.ndarray):
        return value.nbytes
    if isinstance(value, dict):
        value = list(value.values())
    return sum(map(_n_bytes, value)) if isinstance(value, (list, tuple)) else 0


def _weight(epoch: Epochs) -> float:
    """Return what an epoch's loss is the mean over."""
    return len(epoch.order) if epoch.solver.by_weight else epoch.rows.weight(epoch.order)


class Recorder:
    """Runs epochs as the network does, and notes where the parameters are every few steps.

    Training itself is left alone: it does not even stop for a snapshot. Between the ends of epochs
    a copy of the network, that starts where the epoch starts, takes the same steps piece by piece.

    Parameters
    ----------
    every : int or None
        Steps between snapshots; None is 1 at first.
    max_snapshots, max_bytes : int
        When there are more, every second one is dropped, and ``every`` doubles.
    """

    def __init__(self, every: int | None, max_snapshots: int, max_bytes: int) -> None:
        self.every = every or 1
        self.max_snapshots, self.max_bytes = max_snapshots, max_bytes
        self.snapshots: list[Snapshot] = []
        self.epoch_losses: list[float] = []
        self.n_steps = self.steps_an_epoch = 0
        self._loss_sum = self._weight = self._learning_rate = 0.0

    def __call__(self, network: Network, epoch: Epochs) -> float:
        """Run an epoch; see `Network._run_epoch`."""
        order, solver = epoch.order, epoch.solver
        batch = min(solver.batch_size, len(order))
        self._learning_rate = solver.learning_rate
        if not self.snapshots:
            self._check_memory(network)
            self._keep(network, order[:batch])
        elif self.snapshots[-1].step == self.n_steps:
            self.snapshots[-1].rows = order[:batch].copy()
            self.snapshots[-1].learning_rate = solver.learning_rate
        self.steps_an_epoch = -(-len(order) // batch)
        loss_sum, weight = self._run_copy(network, epoch, batch)
        loss = network._run_epoch(epoch)
        self.n_steps += self.steps_an_epoch
        self.epoch_losses.append(loss)
        total = _weight(epoch)
        self._count(loss * total - loss_sum, total - weight)
        if self.n_steps % self.every == 0:
            self._keep(network, order[:0])
        return loss

    def finish(self, network: Network) -> None:
        """Keep where training ended."""
        if self.snapshots and self.snapshots[-1].step != self.n_steps:
            self._append(network, np.empty(0, dtype=np.int64), self.n_steps)
        elif self.epoch_losses and not math.isfinite(self.epoch_losses[-1]):
            self.snapshots[-1].saved = network.__getstate__()  # where training went back to

    def _run_copy(self, network: Network, epoch: Epochs, batch: int) -> tuple[float, float]:
        """Keep the snapshots within an epoch; return loss and weight of the rows up to there."""
        network_copy, position, loss_sum, total = network.copy(), 0, 0.0, 0.0
        for step in self._stops():
            part = epoch.part(position * batch, (step - self.n_steps) * batch)
            weight = _weight(part)
            loss = network_copy._run_epoch(part) * weight
            if not math.isfinite(loss):
                break
            position = step - self.n_steps
            loss_sum, total = loss_sum + loss, total + weight
            self._count(loss, weight)
            if epoch.rates is not None:
                self._learning_rate = epoch.rates.at(position * batch)
            rows = epoch.order[position * batch : (position + 1) * batch]
            self._keep(network_copy, rows, step)
        return loss_sum, total

    def _stops(self) -> Iterator[int]:
        """Yield the steps within this epoch at which snapshots are due."""
        step = self.n_steps
        while (step := (step // self.every + 1) * self.every) < self.n_steps + self.steps_an_epoch:
            yield step

    def _count(self, loss_sum: float, weight: float) -> None:
        self._loss_sum += loss_sum
        self._weight += weight

    def _keep(self, network: Network, rows: NDArray[np.int64], step: int | None = None) -> None:
        """Take a snapshot, and make room for more if that was the last there is room for."""
        self._append(network, rows, self.n_steps if step is None else step)
        n_bytes = self.snapshots[-1].n_bytes
        while len(self.snapshots) > 2 and (
            len(self.snapshots) >= self.max_snapshots
            or (len(self.snapshots) + 1) * n_bytes > self.max_bytes
        ):
            self._thin_out()

    def _append(self, network: Network, rows: NDArray[np.int64], step: int) -> None:
        saved = network.__getstate__()
        self.snapshots.append(
            Snapshot(step, saved, rows.copy(), self._loss_sum, self._weight, self._learning_rate)
        )
        self._loss_sum = self._weight = 0.0

    def _thin_out(self) -> None:
        """Drop every second snapshot; the one behind it takes over its losses."""
        self.every *= 2
        kept: list[Snapshot] = []
        loss_sum = weight = 0.0
        for snapshot in self.snapshots:
            loss_sum, weight = loss_sum + snapshot.loss_sum, weight + snapshot.weight
            if snapshot.step % self.every == 0:
                snapshot.loss_sum, snapshot.weight = loss_sum, weight
                kept.append(snapshot)
                loss_sum = weight = 0.0
        self.snapshots = kept
        self._count(loss_sum, weight)

    def _check_memory(self, network: Network) -> None:
        n_bytes = network._arena.values.nbytes
        if 4 * n_bytes > self.max_bytes:
            raise ValueError(
                f"max_bytes={self.max_bytes} is too little to record this network: a snapshot of "
                f"it takes {n_bytes} bytes, and there should be room for four at least"
            )


class Runs:
    """A recorder for each network that is trained: an estimator may try several.

    Attributes
    ----------
    recorders : list of Recorder
    """

    def __init__(self, every: int | None, max_snapshots: int, max_bytes: int) -> None:
        self._limits = every, max_snapshots, max_bytes
        self._networks: list[Network] = []
        self.recorders: list[Recorder] = []

    def __call__(self, network: Network, epoch: Epochs) -> float:
        """Run an epoch; see `Network._run_epoch`."""
        if not self._networks or network is not self._networks[-1]:
            self._finish()
            self._networks.append(network)
            self.recorders.append(Recorder(*self._limits))
        return self.recorders[-1](network, epoch)

    def of(self, network: Network) -> Recorder:
        """Return what was recorded of the network that training ended with."""
        self._finish()
        for recorded, recorder in zip(self._networks, self.recorders, strict=True):
            if recorded is network:
                return recorder
        raise RuntimeError(
            "The model is trained, but how could not be recorded: several small networks "
            "(n_init) are trained side by side. Record with n_init=1."
        )

    def _finish(self) -> None:
        if self._networks:
            self.recorders[-1].finish(self._networks[-1])
