"""`InProcess`: the rounds of any number of machines, run one after another in this one."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence
from typing import Any

from .average import grouped
from .shard import Shard
from .state import RoundState
from .training import Chain, Outcome, Settings, Trained, Training, merge_outcomes, outcome_of


class InProcess:
    """Runs the tasks of rounds here: exactly the numbers that a cluster gives.

    Parameters
    ----------
    shards : sequence of Shard
        The rows of each partition.
    """

    def __init__(self, shards: Sequence[Shard]) -> None:
        self.shards = shards
        self._kept: list[Mapping[str, Any]] | None = None

    def run(self, state: RoundState, chains: Sequence[Chain], settings: Settings) -> Outcome:
        """Run a round."""
        ends = []
        for shard, chain in enumerate(chains):
            start = state
            if self._kept is not None:
                start = dataclasses.replace(state, moments=self._kept[shard])
            trained = Trained(start)
            for segment in chain:
                rows, plan = self.shards[segment.partition], settings.plan(segment)
                trained = trained.after(rows, plan, time.perf_counter)
            ends.append(trained)
        if settings.moments == "keep":
            self._kept = [one.state.moments for one in ends]
        return merged([outcome_of(one, state, settings) for one in ends])


def merged(outcomes: Sequence[Outcome]) -> Outcome:
    """Return the outcome of a round, as a tree of tasks merges it."""
    level = list(outcomes)
    while len(level) > 1:
        level = [merge_outcomes(group) for group in grouped(level)]
    return level[0]


def run_all(training: Training, backend: InProcess) -> list[Outcome]:
    """Make all rounds that are left; return their outcomes, up to one that diverged."""
    outcomes = []
    while not training.is_over:
        outcomes.append(backend.run(training.state, training.chains(), training.settings))
        if not training.take(outcomes[-1]) and not training.slow_down():
            break
    return outcomes
