"""`Training`: round after round, over anything that runs the tasks of a round."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..network.solver import Solver
from ..training.ensemble import MOST_SLOWER, SLOWER
from ..training.schedule import Schedule
from .average import Part, adagrad_weights, as_state, merge, part_of
from .layout import Layout, Segment
from .outer import OuterStep
from .round import Round, train_round
from .shard import Shard
from .state import RoundState

Moments = Literal["average", "keep", "reset"]
Chain = Sequence[Segment]  # of a shard, one after another


@dataclasses.dataclass(frozen=True)
class Settings:
    """How networks that are trained apart become one.

    Attributes
    ----------
    made_with : mapping
    solver : Solver
    schedule : Schedule
        Its ``n_an_epoch`` and ``n_epochs`` are set by shard.
    rounds_an_epoch, n_rounds : int
        ``n_rounds`` is the number of all of them.
    seed : int
    shuffle : bool
    outer : OuterStep
    moments : {"average", "keep", "reset"}
        What becomes of a solver's moments at the end of a round.
    by_squares : bool
        Whether AdaGrad's sums of a round are the weights of its parameters.
    n_threads : int
    """

    made_with: Mapping[str, Any]
    solver: Solver
    schedule: Schedule
    rounds_an_epoch: int
    n_rounds: int
    seed: int = 0
    shuffle: bool = True
    outer: OuterStep = dataclasses.field(default_factory=OuterStep)
    moments: Moments = "average"
    by_squares: bool = False
    n_threads: int = 1

    def schedule_of(self, n_an_epoch: int) -> Schedule:
        """Return the schedule of a shard with so many rows in an epoch."""
        n_epochs = self.n_rounds / self.rounds_an_epoch
        return dataclasses.replace(self.schedule, n_an_epoch=n_an_epoch, n_epochs=n_epochs)

    def slower(self) -> Settings:
        """Return these settings at a smaller learning rate."""
        solver = self.solver.at_rate(self.solver.learning_rate / SLOWER)
        schedule = dataclasses.replace(self.schedule, initial=self.schedule.initial / SLOWER)
        return dataclasses.replace(self, solver=solver, schedule=schedule)

    def plan(self, segment: Segment) -> Round:
        """Return what is done with rows of one partition."""
        return Round(
            self.made_with,
            self.solver,
            self.schedule_of(segment.n_an_epoch),
            self.seed,
            segment.epoch,
            segment.partition,
            segment.start,
            segment.stop,
            segment.n_before,
            self.shuffle,
            self.n_threads,
        )


@dataclasses.dataclass(frozen=True, eq=False)
class Trained:
    """What a shard has come to in a round, so far.

    Attributes
    ----------
    state : RoundState
    n_rows : int
    loss_sum : float
    seconds : float
        Of computing.
    """

    state: RoundState
    n_rows: int = 0
    loss_sum: float = 0.0
    seconds: float = 0.0

    def after(self, rows: Shard, plan: Round, clock: Callable[[], float]) -> Trained:
        """Return what it has come to after some rows more."""
        begin = clock()
        state, n_rows, loss = train_round(self.state, rows, plan)
        seconds = self.seconds + clock() - begin
        loss_sum = self.loss_sum + (n_rows * loss if n_rows else 0.0)
        return Trained(state, self.n_rows + n_rows, loss_sum, seconds)


@dataclasses.dataclass(frozen=True, eq=False)
class Outcome:
    """What shards have come to in a round: of one, of some, and in the end of all.

    Attributes
    ----------
    part : Part
        The mean of their states.
    n_rows : int
    loss_sum : float
        Of the losses of all rows, infinity where training diverged.
    seconds : float
        Of computing, of the shard that took longest.
    """

    part: Part
    n_rows: int
    loss_sum: float
    seconds: float

    @property
    def loss(self) -> float:
        """Mean loss of a row."""
        return self.loss_sum / max(self.n_rows, 1)


def outcome_of(trained: Trained, start: RoundState, settings: Settings) -> Outcome:
    """Return what a shard brings to the average."""
    of_values = adagrad_weights(trained.state, start) if settings.by_squares else None
    state = trained.state if settings.moments == "average" else trained.state.without_moments()
    part = part_of(state, trained.n_rows, of_values)
    return Outcome(part, trained.n_rows, trained.loss_sum, trained.seconds)


def merge_outcomes(outcomes: Sequence[Outcome]) -> Outcome:
    """Return the outcome of all of these shards, which are in a fixed order: see `merge`."""
    return Outcome(
        merge([one.part for one in outcomes]),
        sum(one.n_rows for one in outcomes),
        sum(one.loss_sum for one in outcomes),
        max(one.seconds for one in outcomes),
    )


@dataclasses.dataclass(frozen=True, eq=False)
class RoundResult:
    """What a round has come to, which is what the next one begins with.

    Attributes
    ----------
    state : RoundState
        After the outer step.
    velocity : ndarray or None
        Of the outer step.
    n_rows : int
    loss : float
        Mean loss of a row.
    seconds : float
        Of computing, of the shard that took longest.
    diverged : bool
        Whether the loss or the average was not finite: then the state is that before the round.
    """

    state: RoundState
    velocity: NDArray[np.float64] | None = None
    n_rows: int = 0
    loss: float = math.nan
    seconds: float = 0.0
    diverged: bool = False

    @property
    def nbytes(self) -> int:
        """Memory of its arrays."""
        moments = sum(values.nbytes for _, values in self.state.moments.values())
        velocity = 0 if self.velocity is None else self.velocity.nbytes
        return int(self.state.values.nbytes + moments + velocity)

    def after(self, outcome: Outcome, settings: Settings) -> RoundResult:
        """Return what the next round comes to."""
        average = as_state(outcome.part, self.state.values.dtype)
        if settings.moments != "average":
            average = average.without_moments()
        with np.errstate(over="ignore", invalid="ignore"):
            state, velocity = settings.outer.step(self.state, average, self.velocity)
        n_rows, loss, seconds = outcome.n_rows, outcome.loss, outcome.seconds
        if math.isfinite(loss) and np.isfinite(state.values).all():
            return RoundResult(state, velocity, n_rows, loss, seconds)
        return RoundResult(self.state, self.velocity, n_rows, loss, seconds, diverged=True)


class Training:
    """The rounds of a fit: what the next one is, and what is made of its outcome.

    Whatever runs the tasks of a round, and however often: the numbers are the same.

    Parameters
    ----------
    settings : Settings
    layout : Layout
    state : RoundState
        To begin with.

    Attributes
    ----------
    last : RoundResult
        To go on from.
    number : int
        Of the next round, from 0.
    n_slower : int
        How often the learning rate was made smaller, since a round had diverged.
    """

    def __init__(self, settings: Settings, layout: Layout, state: RoundState) -> None:
        self.settings, self.layout = settings, layout
        self.last, self.number, self.n_slower = RoundResult(state), 0, 0

    @property
    def state(self) -> RoundState:
        """The state to go on from."""
        return self.last.state

    @property
    def is_over(self) -> bool:
        """Whether all rounds were made."""
        return self.number >= self.settings.n_rounds

    @property
    def epoch(self) -> int:
        """Number of the epoch of the next round, from 0."""
        return self.number // self.settings.rounds_an_epoch

    @property
    def n_left_in_epoch(self) -> int:
        """Number of rounds up to the end of this epoch, or of training."""
        left = self.settings.rounds_an_epoch - self.number % self.settings.rounds_an_epoch
        return min(left, self.settings.n_rounds - self.number)

    @property
    def ends_an_epoch(self) -> bool:
        """Whether an epoch has ended with the last round, or all have."""
        return self.number % self.settings.rounds_an_epoch == 0 or self.is_over

    def chains(self, ahead: int = 0) -> list[Chain]:
        """Return which rows each shard takes, one segment after another.

        Parameters
        ----------
        ahead : int, default=0
            In the next round, or so many rounds later.
        """
        epoch, number = divmod(self.number + ahead, self.settings.rounds_an_epoch)
        return [
            self.layout.segments(shard, epoch, number, self.settings.rounds_an_epoch)
            for shard in range(self.layout.n_shards)
        ]

    def rate(self) -> float:
        """Return the learning rate at the beginning of the next round."""
        n_an_epoch = max(self.layout.largest, 1)
        before = int(self.number / self.settings.rounds_an_epoch * n_an_epoch)
        schedule = self.settings.schedule_of(n_an_epoch)
        return schedule.rates(before, self.settings.solver.batch_size).at(0)

    def take(self, outcome: Outcome) -> bool:
        """Go on to the next round; return False, and change nothing, where training diverged."""
        return self.accept(self.last.after(outcome, self.settings))

    def accept(self, result: RoundResult) -> bool:
        """Go on from the result of a round, unless it diverged."""
        if not result.diverged:
            self.last, self.number = result, self.number + 1
        return not result.diverged

    def slow_down(self) -> bool:
        """Go on at a smaller learning rate, and with momentum of the averages from 0 again.

        Returns
        -------
        bool
            False where that was done as often as it is worth.
        """
        if self.n_slower == MOST_SLOWER:
            return False
        self.n_slower += 1
        self.settings = self.settings.slower()
        self.last = dataclasses.replace(self.last, velocity=None)
        return True
