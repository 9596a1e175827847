"""Restarts: training from several random initialisations, of which the best is kept.

NumPy only. Small networks are trained interleaved, each in a lane of the machine's vectors; the
others one after another. Either way each of them ends as it would alone, to rounding.
"""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..network import Solver
from ..network.checks import check_choice, check_whole
from ..network.generators import generator_of, generator_to_dict, set_generator
from ..network.pauses import part_of
from ..network.state import State
from .epochs import EpochLoop, Loop
from .lanes import MAX_VALUES, LanesLoop
from .run import History, Restart
from .stopping import EarlyStopping

PHASES = ("lanes", "alone", "again", "over")


def draw_restarts(first: Restart, n_init: int, random: np.random.RandomState) -> list[Restart]:
    """Return ``n_init`` restarts: the one given, and others with parameters of their own.

    ``random`` is left as it is, so that the first of them trains as it would alone.
    """
    restarts = [first]
    if n_init == 1:
        return restarts
    own = np.random.RandomState(0)  # one for all: making one takes longer than an epoch may
    for seed in copy.deepcopy(random).randint(2**31 - 1, size=n_init - 1):
        network = first.network.copy()
        own.seed(seed)
        network._initialise(own)
        restarts.append(
            Restart(
                network,
                History(),
                dataclasses.replace(first.stopping),
                first.schedule and dataclasses.replace(first.schedule),
                first.validation and dataclasses.replace(first.validation),
            )
        )
    return restarts


def best_of(restarts: list[Restart]) -> int:
    """Return which restart has the smallest loss, or best score; of equal ones the first.

    Where all have diverged, which has had the best epoch: that is what it has kept.
    """
    objectives = [restart.objective for restart in restarts]
    if min(objectives) == math.inf:
        objectives = [restart.best_loss for restart in restarts]
    return int(np.argmin(objectives))


@dataclasses.dataclass(eq=False)
class RestartsLoop(Loop):
    """Restarts trained in place, all in the same order of rows, and how far this has come.

    Each stops by itself, after up to ``max_iter`` epochs; where ``notifier`` asks to stop, those
    that follow do not begin. Parameters are those of `EpochLoop`; in the end ``shuffle`` is as
    training the best alone would have left it. An interrupt leaves every network as far as it has
    come.

    Attributes
    ----------
    phase : {"lanes", "alone", "again", "over"}
        What runs: the restarts that can be are trained side by side; the others one after another;
        the best again, which diverged in a lane; nothing more.
    done : int
        Epochs that were made in lanes.
    """

    restarts: list[Restart]
    rows: _core.Rows
    order: NDArray[np.int64]
    solver: Solver

    def __post_init__(self) -> None:
        self.phase, self.done = "lanes", 0
        self._before: Any = None
        self._initial: list[State] = []
        if self.notifier is None and len(self.restarts) > 1:  # callbacks follow one at a time
            self._before = copy.deepcopy(self.shuffle)
            if self.restarts[0].network.n_parameters <= MAX_VALUES:  # else not in lanes anyway
                self._initial = [one.network._state.save_parameters() for one in self.restarts]

    def to_dict(self) -> dict[str, Any]:
        """Return how far it has come, with views of the networks' numbers."""
        generators = [self.shuffle, *(restart.shuffle for restart in self.restarts)]
        return {
            "phase": self.phase,
            "done": self.done,
            "restarts": [restart.to_dict() for restart in self.restarts],
            "generators": [None if one is None else generator_to_dict(one) for one in generators],
        }

    def load(self, saved: Mapping[str, Any]) -> None:
        """Go on from what `to_dict` has returned."""
        self.phase = check_choice("phase", saved["phase"], PHASES)
        self.done = check_whole("done", saved["done"], at_least=0)
        own, *others = saved["generators"]
        if own is not None:
            set_generator(self.shuffle, own)
        for restart, tree, generator in zip(self.restarts, saved["restarts"], others, strict=True):
            restart.load(tree)
            if generator is not None:
                is_alone = len(self.restarts) == 1
                restart.shuffle = self.shuffle if is_alone else generator_of(generator)

    def run(self) -> None:
        """Train all restarts."""
        if self.pauses is not None:
            self.pauses.restore("training", self.load)
        if self.phase == "over":
            return
        with part_of(self.pauses, "training", self.to_dict):
            if self.phase == "lanes":
                self._train_in_lanes()
            if self.phase == "alone":
                self._train_one_after_another()
            if self.phase == "again":
                again = next(one for one in self.restarts if one.ending is None)
                self._train_alone(again, self.max_iter)
            best = self.restarts[best_of(self.restarts)]
            if self.shuffle is not None and best.shuffle is not self.shuffle:
                self.shuffle.set_state(best.shuffle.get_state())
            self.phase = "over"
            if self.pauses is not None:
                self.pauses.save()

    def _train_in_lanes(self) -> None:
        if self.notifier is None and len(self.restarts) > 1:
            self.done = LanesLoop(
                self.restarts,
                self.rows,
                self.order,
                self.solver,
                max_iter=self.max_iter,
                shuffle=self.shuffle,
                verbose=self.verbose,
                pauses=self.pauses,
            ).run()
        self.phase = "alone"

    def _train_one_after_another(self) -> None:
        for restart in self.restarts:
            if restart.ending is not None:
                continue
            if self.done == self.max_iter:
                restart.ending, restart.shuffle = "max_iter", self.shuffle
                continue
            if restart.shuffle is None:
                is_alone = len(self.restarts) == 1
                restart.shuffle = self.shuffle if is_alone else copy.deepcopy(self.shuffle)
            self._train_alone(restart, self.max_iter - self.done)
            if self.notifier is not None and self.notifier.is_stopped:  # the whole training
                break
        number = best_of(self.restarts)
        if self.done and self.restarts[number].ending == "diverged":
            # Lanes keep no best epochs.
            _begin_again(self.restarts[number], self._initial[number], self._before)
            self.phase = "again"

    def _train_alone(self, restart: Restart, max_epochs: int) -> None:
        if self.verbose and len(self.restarts) > 1:
            print(f"Restart {self.restarts.index(restart) + 1} of {len(self.restarts)}", flush=True)
        restart.ending = EpochLoop(
            restart.network,
            self.rows,
            self.order,
            self.solver,
            restart.history,
            max_iter=max_epochs,
            shuffle=restart.shuffle,
            stopping=restart.stopping,
            schedule=restart.schedule,
            validation=restart.validation,
            notifier=self.notifier,
            verbose=self.verbose,
            n_threads=self.n_threads,
            pauses=self.pauses,
        ).run()


def _begin_again(restart: Restart, initial: State, shuffle: Any) -> None:
    """Take a restart back to its initial parameters: trained alone, it keeps its best epoch."""
    restart.network._state.restore(initial)
    stopping = restart.stopping
    restart.history, restart.ending, restart.shuffle = History(), None, shuffle
    restart.stopping = EarlyStopping(stopping.tol, stopping.n_iter_no_change)
