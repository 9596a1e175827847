"""Goals next to what was measured."""

import dataclasses
import math
import statistics
from collections.abc import Callable
from itertools import pairwise

import numpy as np

from .goals import EVERY, GOALS, Goal
from .groups import solvers
from .measure import SHOWN, Figures
from .peers import fixed_sizes

Case = dict[str, Figures]  # the subjects of one case
BEST_PEER = "best peer"


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What a goal's figure came to: None where it was not measured."""

    goal: Goal
    case: str
    value: float | None

    @property
    def met(self) -> bool | None:
        if self.value is None:
            return None
        if self.goal.at_least is not None:
            return self.value >= self.goal.at_least
        assert self.goal.at_most is not None
        return self.value <= self.goal.at_most


def verdicts(figures: list[Figures]) -> list[Verdict]:
    return [verdict(goal, figures) for goal in GOALS]


def verdict(goal: Goal, figures: list[Figures]) -> Verdict:
    """Return a goal's verdict; of several cases, that of the one furthest from it."""
    values = {}
    for name, case in cases_of(goal.group, figures).items():
        value = figure(goal.figure, case) if goal.case in (name, EVERY) else None
        if value is not None:
            values[name] = value
    if not values:
        return Verdict(goal, goal.case, None)
    furthest = min if goal.at_least is not None else max
    worst = furthest(values, key=lambda name: values[name])
    return Verdict(goal, worst, values[worst])


def cases_of(group: str, figures: list[Figures]) -> dict[str, Case]:
    """Return the cases of a group, in the order in which they were measured."""
    found: dict[str, Case] = {}
    for one in figures:
        if one.group == group:
            found.setdefault(one.case, {})[one.subject] = one
    return found


def figure(name: str, case: Case) -> float | None:
    """Return a figure of a case as it is shown, None if a subject it takes was not measured."""
    if name in OF_A_SERIES:
        return OF_A_SERIES[name](case)
    if " / " not in name:
        return case[name].median * SHOWN[case[name].unit][1] if name in case else None
    over, under = name.split(" / ")
    if over == BEST_PEER:
        over = best_peer(case, under)
    if over not in case or under not in case:
        return None
    return ratio(case[over], case[under])


def ratio(over: Figures, under: Figures) -> float:
    """Return the median over rounds of the ratios within a round."""
    return statistics.median(a / b for a, b in zip(over.values, under.values, strict=True))


def best_peer(case: Case, ours: str) -> str:
    """Return the fastest subject besides ours; programs for one network are no library."""
    no_peers = (ours, fixed_sizes.NAME, solvers.SINGLE, solvers.FLOOR)
    others = [one for one in case.values() if one.subject not in no_peers]
    return min(others, key=lambda one: one.median).subject if others else ""


def medians(case: Case) -> list[float]:
    return [one.median for one in case.values()]


def slope(case: Case) -> float:
    sizes = [math.log(float(subject)) for subject in case]
    return float(np.polyfit(sizes, np.log(medians(case)), 1)[0])


def steepest_step(case: Case) -> float:
    times = medians(case)
    return max(after / before for before, after in pairwise(times))


OF_A_SERIES: dict[str, Callable[[Case], float]] = {
    "largest": lambda case: max(medians(case)),
    "largest / smallest": lambda case: max(medians(case)) / min(medians(case)),
    "slope": slope,
    "steepest step": steepest_step,
}
