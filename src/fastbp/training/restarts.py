"""Restarts: training from several random initialisations, of which the best is kept.

NumPy only. Small networks are trained interleaved, each in a lane of the machine's vectors; the
others one after another. Either way each of them ends as it would alone, to rounding.
"""

from __future__ import annotations

import copy
import dataclasses
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..network import Solver
from ..network.state import State
from .epochs import train_epochs
from .lanes import MAX_VALUES, train_in_lanes
from .run import History, Restart
from .stopping import EarlyStopping


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


def train_restarts(
    restarts: list[Restart],
    rows: _core.Rows,
    order: NDArray[np.int64],
    solver: Solver,
    *,
    max_iter: int,
    shuffle: Any = None,
    notifier: Any = None,
    verbose: bool = False,
    n_threads: int = 1,
) -> None:
    """Train every restart for up to ``max_iter`` epochs, in place, all in the same order of rows.

    Each stops by itself; where ``notifier`` asks to stop, those that follow do not begin.
    Parameters are those of `train_epochs`; when this returns, ``shuffle`` is as training the best
    alone would have left it. An interrupt leaves every network as far as it has come.
    """

    def train_alone(restart: Restart, max_epochs: int) -> None:
        if verbose and len(restarts) > 1:
            print(f"Restart {restarts.index(restart) + 1} of {len(restarts)}", flush=True)
        restart.ending = train_epochs(
            restart.network,
            rows,
            order,
            solver,
            restart.history,
            max_iter=max_epochs,
            shuffle=restart.shuffle,
            stopping=restart.stopping,
            schedule=restart.schedule,
            validation=restart.validation,
            notifier=notifier,
            verbose=verbose,
            n_threads=n_threads,
        )

    done, before = 0, None
    initial: list[State] = []
    if notifier is None and len(restarts) > 1:  # callbacks follow one network at a time
        before = copy.deepcopy(shuffle)
        if restarts[0].network.n_parameters <= MAX_VALUES:  # else not in lanes anyway
            initial = [restart.network._state.save_parameters() for restart in restarts]
        done = train_in_lanes(restarts, rows, order, solver, max_iter, shuffle, verbose)
    for restart in restarts:
        if restart.ending is not None:
            continue
        if done == max_iter:
            restart.ending, restart.shuffle = "max_iter", shuffle
            continue
        restart.shuffle = shuffle if len(restarts) == 1 else copy.deepcopy(shuffle)
        train_alone(restart, max_iter - done)
        if notifier is not None and notifier.is_stopped:  # which means the whole training
            break
    number = best_of(restarts)
    if done and restarts[number].ending == "diverged":  # and lanes keep no best epochs
        _begin_again(restarts[number], initial[number], before)
        train_alone(restarts[number], max_iter)
    best = restarts[best_of(restarts)]
    if shuffle is not None and best.shuffle is not shuffle:
        shuffle.set_state(best.shuffle.get_state())


def _begin_again(restart: Restart, initial: State, shuffle: Any) -> None:
    """Take a restart back to its initial parameters: trained alone, it keeps its best epoch."""
    restart.network._state.restore(initial)
    stopping = restart.stopping
    restart.history, restart.ending, restart.shuffle = History(), None, shuffle
    restart.stopping = EarlyStopping(stopping.tol, stopping.n_iter_no_change)
