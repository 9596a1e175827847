"""When training ends, and which parameters are kept: by loss, or by held-out rows."""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..network import Network
from ..network.arena import Arena
from ..network.arrays import blocks_of
from ..network.checks import check_whole
from ..network.generators import generator_to_dict, set_generator
from ..network.runner import Epochs
from ..network.state import State

Ending = Literal["converged", "diverged", "diverged_in_round", "max_iter", "stopped"]
ENDINGS = get_args(Ending)


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

    def to_dict(self) -> dict[str, Any]:
        """Return what training changes of it."""
        return {"best_loss": self.best_loss, "n_without": self.n_without}

    def load(self, saved: Mapping[str, Any]) -> None:
        """Take what `to_dict` has returned."""
        self.best_loss = float(saved["best_loss"])
        self.n_without = check_whole("n_without", saved["n_without"], at_least=0)

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
        self._replay: Replay | None = None
        self._loss = math.inf

    def begin(self, epochs: Epochs, pace: Mapping[str, Any]) -> None:
        """Take the epochs that are to be run, and what their rates are made of."""
        self._epochs, self._pace = epochs, pace
        self._generator = None if epochs.shuffle is None else generator_to_dict(epochs.shuffle)

    def to_dict(self) -> dict[str, Any]:
        """Return all of it but the network, with views of parameters."""
        best, replay = self._best, self._replay
        return {
            "initial": self._initial.to_dict(copied=False),
            "best": None if best is None else best.to_dict(copied=False),
            "replay": None if replay is None else replay.to_dict(),
            "loss": self._loss,
        }

    def load(
        self, saved: Mapping[str, Any], epochs_of: Callable[[Mapping[str, Any]], Epochs]
    ) -> None:
        """Take what `to_dict` returned; ``epochs_of`` makes epochs of what `begin` was given."""
        like = self._initial.parameters
        self._initial.load(saved["initial"])
        if saved["best"] is not None:
            self._best = State.from_dict(like.layer_sizes, like.dtype, saved["best"])
        if saved["replay"] is not None:
            self._replay = Replay.from_dict(saved["replay"], like, epochs_of)
        self._loss = float(saved["loss"])

    def note(self, losses: list[float]) -> None:
        """Take the losses of those that were."""
        best = int(np.argmin(losses))
        if not losses[best] < self._loss:
            return
        self._loss = losses[best]
        if best == sum(map(math.isfinite, losses)) - 1:  # one that diverges is taken back
            self._best = self._network._state.save_parameters(self._best)
            self._replay = None
        else:
            start = self._network._runner.start
            assert start is not None  # once epochs have been run
            self._replay = Replay(self._epochs, self._pace, start.save(), self._generator, best + 1)

    def restore_best(self) -> None:
        """Give the network the best epoch's parameters, or the initial ones if they are better.

        An epoch's loss is that of its rows just before their steps: what the last steps of it have
        left may be far worse.
        """
        network = self._network
        if self._replay is not None:
            self._replay.run(network)
        elif self._best is not None:
            network._state.restore(self._best)
        found, loss = network._state.save_parameters(), network._loss_of(self._rows)
        network._state.restore(self._initial)
        if loss < network._loss_of(self._rows) and _core.all_finite(found.parameters.values):
            network._state.restore(found)


@dataclasses.dataclass(frozen=True)
class Replay:
    """Epochs that can be run again, of which the last is one whose parameters were not kept.

    Attributes
    ----------
    epochs : Epochs
    pace : mapping
        What their rates are made of.
    start : State
        Before them.
    generator : dict or None
        The state of what shuffles their rows, before them.
    n : int
        How many are to be run.
    """

    epochs: Epochs
    pace: Mapping[str, Any]
    start: State
    generator: dict[str, Any] | None
    n: int

    def run(self, network: Network) -> None:
        """Run them; the generator, and the number of samples, stay as they are."""
        shuffle, n_samples = self.epochs.shuffle, network._state.n_samples
        after = None if shuffle is None else generator_to_dict(shuffle)
        network._state.restore(self.start)
        if shuffle is not None:
            shuffle.set_state(self.generator)
        network._runner.run(self.epochs, self.n)
        network._state.n_samples = n_samples
        if shuffle is not None:
            shuffle.set_state(after)

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values and views."""
        return {
            "pace": dict(self.pace),
            "start": self.start.to_dict(copied=False),
            "generator": self.generator,
            "n": self.n,
        }

    @classmethod
    def from_dict(
        cls,
        saved: Mapping[str, Any],
        like: Arena,
        epochs_of: Callable[[Mapping[str, Any]], Epochs],
    ) -> Replay:
        """Return what `to_dict` was called of; see `BestEpoch.load`."""
        start = State.from_dict(like.layer_sizes, like.dtype, saved["start"])
        epochs, generator = epochs_of(saved["pace"]), copy.deepcopy(saved["generator"])
        if generator is not None:
            set_generator(copy.deepcopy(epochs.shuffle), generator)  # to check it
        return cls(epochs, saved["pace"], start, generator, check_whole("n", saved["n"]))


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

    def to_dict(self) -> dict[str, Any]:
        """Return what training changes of it, with views of parameters."""
        best = None if self.best is None else self.best.to_dict(copied=False)
        return {"best_score": self.best_score, "best": best}

    def load(self, saved: Mapping[str, Any], network: Network) -> None:
        """Take what `to_dict` has returned, of a network like this."""
        self.best_score = float(saved["best_score"])
        best = saved["best"]
        sizes, dtype = network.layer_sizes, network.dtype
        self.best = None if best is None else State.from_dict(sizes, dtype, best)

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
