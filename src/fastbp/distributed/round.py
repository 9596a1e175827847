"""`train_round`: one round on one shard, a pure function of its arguments."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..network.runner import Epochs
from ..network.solver import Solver
from ..training.schedule import Schedule
from .shard import Shard
from .state import RoundState


@dataclasses.dataclass(frozen=True)
class Round:
    """What is done in one round with the rows of one partition.

    Attributes
    ----------
    made_with : mapping
        What the network is made with, see `made_with`.
    solver : Solver
    schedule : Schedule
        Of the learning rate, by the rows that the shard was trained on before.
    seed, epoch, partition : int
        All that is random follows from these three.
    start, stop : int
        Which rows of the partition's order in this epoch.
    n_before : int
        Rows that the shard was trained on before them, in all rounds.
    shuffle : bool
        Whether the order of an epoch is drawn; otherwise rows stay in theirs.
    n_threads : int
        Most threads to share batches among.
    """

    made_with: Mapping[str, Any]
    solver: Solver
    schedule: Schedule
    seed: int
    epoch: int
    partition: int
    start: int
    stop: int
    n_before: int
    shuffle: bool = True
    n_threads: int = 1

    def order(self, rows: Shard) -> NDArray[np.int64]:
        """Return the numbers of the rows, in the order in which they are taken."""
        if self.shuffle:
            return rows.shuffled(self.seeds, self.start, self.stop)
        return rows.order()[self.start : self.stop]

    @property
    def seeds(self) -> tuple[int, int, int]:
        """What is random for this partition in this epoch follows from these."""
        return self.seed, self.epoch, self.partition

    def solver_of_round(self) -> Solver:
        """Return the solver; units that are dropped are those of this partition and epoch."""
        if not self.solver.drops_units:
            return self.solver
        seed = int(np.random.RandomState(self.seeds).randint(2**31 - 1))
        return dataclasses.replace(self.solver, dropout_seed=seed)


def train_round(state: RoundState, rows: Shard, plan: Round) -> tuple[RoundState, int, float]:
    """Train on rows of a shard, from a state; nothing else is read or changed.

    Parameters
    ----------
    state : RoundState
    rows : Shard
    plan : Round

    Returns
    -------
    state : RoundState
        The state after the last row; where training diverged the one before.
    n_rows : int
        How many rows it was trained on.
    loss : float
        Mean loss of the rows before their steps; 0 of no rows, infinity where training diverged.
    """
    order = plan.order(rows)
    if not len(order):
        return state, 0, 0.0
    network = state.network(plan.made_with)
    solver = plan.solver_of_round()
    rates = plan.schedule.rates(plan.n_before, solver.batch_size)
    if rates.at(0) != solver.learning_rate:
        solver = solver.at_rate(rates.at(0))
    epochs = Epochs(rows.rows(network), order, solver, rates, n_threads=plan.n_threads)
    (loss,) = network._runner.run(epochs)
    return RoundState.of(network), len(order), loss
