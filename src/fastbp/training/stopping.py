"""When training ends, and which parameters are kept: by loss, or by held-out rows."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..network import Network
from ..network.arrays import blocks_of
from ..network.runner import Epochs
from ..network.state import State

Ending = Literal["converged", "diverged", "max_iter", "stopped"]


@dataclasses.dataclass
class EarlyStopping:
    """When to stop: after too many epochs in a row that did not improve the loss by over ``tol``.

    scikit-learn takes an epoch for better, unless ``counts_equal``, that improves it by just
    ``tol``: with 0, one that changes nothing.
    """

    tol: float
    n_iter_no_change: float
    judges_scores: bool = False
    best_loss: float = math.inf
    n_without: int = 0
    counts_equal: bool = True

    @property
    def epochs_left(self) -> float:
        """Epochs until training can stop at the earliest."""
        return max(1, self.n_iter_no_change + 1 - self.n_without)

    def update(self, loss: float) -> bool:
        """Note an epoch's loss; return whether training should stop."""
        most = self.best_loss - self.tol
        is_better = not (loss > most or (self.counts_equal and loss == most))
        self.n_without = 0 if is_better else self.n_without + 1
        self.best_loss = min(self.best_loss, loss)
        return self.n_without > self.n_iter_no_change


class BestEpoch:
    """The parameters of the best epoch so far, which a network gets back if training diverges.

    Of epochs that run together only the last one's are at hand. Where another was better, it is run
    again when it is needed, from the state before them.

    Parameters
    ----------
    network : Network
    rows : Rows
        Those that it trains on.
    """

    def __init__(self, network: Network, rows: _core.Rows) -> None:
        self._network, self._rows = network, rows
        self._initial = network._state.save_parameters()
        self._best: State | None = None
        self._run_again: Callable[[], object] | None = None
        self._loss = math.inf

    def begin(self, epochs: Epochs) -> None:
        """Take the epochs that are to be run."""
        self._epochs = epochs
        self._random = None if epochs.shuffle is None else epochs.shuffle.get_state(legacy=False)

    def note(self, losses: list[float]) -> None:
        """Take the losses of those that were."""
        best = int(np.argmin(losses))
        if not losses[best] < self._loss:
            return
        self._loss = losses[best]
        if best == sum(map(math.isfinite, losses)) - 1:  # one that diverges is taken back
            self._best = self._network._state.save_parameters(self._best)
            self._run_again = None
        else:
            self._run_again = self._replay(best + 1)

    def _replay(self, n: int) -> Callable[[], object]:
        """Return a function that runs the first n of these epochs again."""
        network, epochs, random = self._network, self._epochs, self._random
        assert network._runner.start is not None  # once epochs have been run
        start = network._runner.start.save()

        def run_again() -> None:
            network._state.restore(start)
            if epochs.shuffle is not None:
                epochs.shuffle.set_state(random)
            network._runner.run(epochs, n)

        return run_again

    def restore_best(self) -> None:
        """Give the network the best epoch's parameters, or the initial ones if they are better.

        An epoch's loss is that of its rows just before their steps: what the last steps of it have
        left may be far worse.
        """
        network, shuffle = self._network, self._epochs.shuffle
        n_samples, random = network._state.n_samples, None
        if self._run_again is not None:
            random = None if shuffle is None else shuffle.get_state(legacy=False)
            self._run_again()
            network._state.n_samples = n_samples
            if shuffle is not None:
                shuffle.set_state(random)
        elif self._best is not None:
            network._state.restore(self._best)
        found, loss = network._state.save_parameters(), network._loss_of(self._rows)
        network._state.restore(self._initial)
        if loss < network._loss_of(self._rows) and _core.all_finite(found.parameters.values):
            network._state.restore(found)


@dataclasses.dataclass(frozen=True)
class Score:
    """What makes a score, larger is better, of the outputs for held-out rows.

    Attributes
    ----------
    of_rows : callable
        Takes the outputs of some rows, and the number of their first; returns what counts of each.
    of_all : callable
        Takes that of all rows and returns the score.
    """

    of_rows: Callable[[NDArray[Any], int], NDArray[Any]]
    of_all: Callable[[NDArray[Any]], float]


@dataclasses.dataclass
class Validation:
    """Held-out rows, which show how a network does on rows that it is not trained on.

    Attributes
    ----------
    rows : Rows
    score : Score, or None
        None is minus the loss.
    stops : bool
        Training ends by the score, and with the parameters that had the best.
    looks : int or None
        Rows are looked at after each of the first so many epochs, and then after a share of 1 in so
        many epochs more; None is after every epoch.
    best_score : float
    best : State or None
        The parameters that had it, where they are to be kept.
    """

    rows: _core.Rows
    score: Score | None = None
    stops: bool = True
    looks: int | None = None
    best_score: float = -math.inf
    best: State | None = None

    def next_look(self, n_epochs: int) -> int:
        """Return the number of the epoch, of those after so many, that the next look follows."""
        return n_epochs + (1 if self.looks is None else max(1, n_epochs // self.looks))

    def evaluate(self, network: Network, n_threads: int = 1) -> tuple[float, float]:
        """Return the mean loss of the rows, and the score; keep the parameters of the best."""
        loss, score = self.measure(network, n_threads)
        if score > self.best_score:
            self.best_score = score
            self.best = network._state.save_parameters() if self.stops else None
        return loss, score

    def measure(self, network: Network, n_threads: int = 1) -> tuple[float, float]:
        """Return the mean loss of the rows, and the score."""
        loss = network._loss_of(self.rows)
        return loss, -loss if self.score is None else self._score(self.score, network, n_threads)

    def _score(self, score: Score, network: Network, n_threads: int) -> float:
        """Return the score, for which no more than a block of outputs is held at a time."""
        found = []
        n_bytes = self.rows.n * network.layer_sizes[-1] * network.dtype.itemsize
        for start, stop in blocks_of(self.rows.n, n_bytes):
            outputs = network._forward_rows(self.rows.part(start, stop), stop - start, n_threads)
            if not np.isfinite(outputs).all():
                return -math.inf
            found.append(score.of_rows(outputs, start))
        return score.of_all(np.concatenate(found))

    def restore_best(self, network: Network) -> None:
        """Set a network to the best parameters, and reset its solver."""
        if self.best is None:
            return
        if not np.array_equal(self.best.parameters.values, network._arena.values):
            network._state.restore(self.best)
