"""Figures taken in turns, so that what disturbs the machine disturbs everybody alike."""

import dataclasses
import statistics
import time
from collections.abc import Callable
from typing import Any

Sample = Callable[[], float]  # takes one more figure

SECONDS, BYTES, COUNT = "s", "bytes", "count"
MICROSECONDS, MEGABYTES, NUMBER = "us", "MB", ""
# What a figure is measured in: what it is shown in, and how many of that make one.
SHOWN = {SECONDS: (MICROSECONDS, 1e6), BYTES: (MEGABYTES, 1e-6), COUNT: (NUMBER, 1.0)}
BUNDLES = 5  # at most, that a figure is the fastest of


@dataclasses.dataclass(frozen=True)
class Case:
    """What is compared: subjects, each with a way to take one more figure of it.

    ``prepare`` loads data and libraries, so that cases that are not selected cost nothing.
    """

    name: str
    prepare: Callable[[], dict[str, Sample]]
    unit: str = SECONDS


@dataclasses.dataclass(frozen=True)
class Figures:
    """What was measured of one subject, one value for each round."""

    group: str
    case: str
    subject: str
    unit: str
    values: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.values)


def interleaved(group: str, case: Case, rounds: int) -> list[Figures]:
    """Return the figures of all subjects of a case, taken in turns, the first round dropped."""
    samples = case.prepare()
    taken: dict[str, list[float]] = {subject: [] for subject in samples}
    warm_up = 1 if rounds > 1 else 0
    for number in range(-warm_up, rounds):
        for subject, sample in samples.items():
            value = sample()
            if number >= 0:
                taken[subject].append(value)
    return [
        Figures(group, case.name, subject, case.unit, tuple(values))
        for subject, values in taken.items()
    ]


def seconds_a_call(call: Callable[[], Any], at_least: float) -> float:
    """Return the time of a call: the fastest bundle of calls that takes a part of this time.

    As many bundles are tried as fill the time. What is slower was disturbed; so that all who are
    compared have as many chances of a quiet moment, bundles take about equally long.
    """
    bundle = at_least / BUNDLES
    began = time.perf_counter()
    n_calls, fastest = 1, float("inf")
    while True:
        start = time.perf_counter()
        for _ in range(n_calls):
            call()
        stop = time.perf_counter()
        if stop - start >= bundle / 2:
            fastest = min(fastest, (stop - start) / n_calls)
            if stop - began >= at_least:
                return fastest
        else:  # which the first call, or a slow one, did not tell
            n_calls = 1 + int(n_calls * bundle / max(stop - start, 1e-7))


def timed(call: Callable[[], Any], at_least: float, n: float = 1) -> Sample:
    """Return a sample of the seconds that a call takes for each of the n things it does."""
    return lambda: seconds_a_call(call, at_least) / n


def seconds_a_row(trainer: Any, at_least: float) -> Sample:
    """Return a sample of the seconds a row takes in a trainer's epoch."""
    if hasattr(trainer, "seconds_a_row"):
        return lambda: trainer.seconds_a_row(at_least)
    return timed(trainer.epoch, at_least, trainer.n_rows)
