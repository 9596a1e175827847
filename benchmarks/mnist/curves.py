"""`Curve`: the accuracy on the test digits over the time that training took."""

import dataclasses
import statistics
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from .digits import Digits
from .learners import LEARNERS, Setting

Clock = Callable[[], float]
PIECE = 10_000  # rows between two looks at the test digits
GOALS = (0.97, 0.98)


@dataclasses.dataclass
class Curve:
    """One run. Lists with an item for each look at the test digits, which no time counts."""

    setting: Setting
    seed: int
    rows: list[int] = dataclasses.field(default_factory=list)
    seconds: list[float] = dataclasses.field(default_factory=list)
    accuracy: list[float] = dataclasses.field(default_factory=list)

    def time_to(self, goal: float) -> float:
        """Return the time when the goal was first reached; infinite if it was not."""
        return self.first(self.seconds, goal)

    def rows_to(self, goal: float) -> float:
        """Return the number of rows after which the goal was first reached."""
        return self.first(self.rows, goal)

    def first(self, measures: list[Any], goal: float) -> float:
        looks = zip(measures, self.accuracy, strict=True)
        return next((measure for measure, accuracy in looks if accuracy >= goal), float("inf"))

    def least_seconds_a_row(self) -> float:
        """Return the time of the fastest piece, but for the first, divided by its rows."""
        pieces = zip(pairwise(self.seconds), pairwise(self.rows), strict=True)
        return min((t[1] - t[0]) / (n[1] - n[0]) for t, n in pieces)


def run(
    setting: Setting, digits: Digits, seed: int, clock: Clock, most_seconds: float = float("inf")
) -> Curve:
    """Train to the end of the epochs; if seconds are limited, until all goals are reached."""
    learner, curve = LEARNERS[setting.library](setting, digits, seed), Curve(setting, seed)
    n_rows, done, seconds = len(digits.y_train), 0, 0.0
    for start in [*range(0, n_rows, PIECE)] * setting.epochs:
        rows = slice(start, min(start + PIECE, n_rows))
        rate = setting.learning_rate * (1 - done / (setting.epochs * n_rows))
        began = clock()
        learner.train(rows, rate)
        seconds += clock() - began
        done += rows.stop - rows.start
        curve.rows.append(done)
        curve.seconds.append(seconds)
        curve.accuracy.append(float((learner.predict() == digits.y_test).mean()))
        if seconds > most_seconds or (max(GOALS) <= curve.accuracy[-1] and most_seconds < 1e9):
            break
    return curve


def median_time(curves: list[Curve], goal: float) -> float:
    return statistics.median(one.time_to(goal) for one in curves)


def undisturbed_time(curves: list[Curve], goal: float) -> float:
    """Return the median rows to the goal, at the pace of the fastest piece of any of the runs.

    What else the machine does slows some pieces, and so the median time; hardly all of them.
    """
    rows = statistics.median(one.rows_to(goal) for one in curves)
    return rows * min(one.least_seconds_a_row() for one in curves)
