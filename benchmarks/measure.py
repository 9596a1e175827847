"""Libraries measured in turns, so that what disturbs the machine disturbs them all."""

import dataclasses
import statistics
import sys
import time
from collections.abc import Callable, Iterator

from .peers import PEERS
from .workload import Workload


@dataclasses.dataclass(frozen=True)
class Timings:
    """Seconds a row of one library on one workload, one for each round."""

    workload: Workload
    library: str
    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    def times_faster_than(self, other: "Timings") -> float:
        """Return the median over rounds of the ratios within a round."""
        pairs = zip(other.seconds, self.seconds, strict=True)
        return statistics.median(theirs / ours for theirs, ours in pairs)


def interleaved(workload: Workload, *, rounds: int, seconds: float) -> list[Timings]:
    """Return timings of every library that is installed."""
    calls = dict(prepared(workload))
    taken: dict[str, list[float]] = {library: [] for library in calls}
    for _ in range(rounds):
        for library, (n_rows, call) in calls.items():
            taken[library].append(seconds_a_call(call, seconds) / n_rows)
    print(f"measured: {workload}", file=sys.stderr, flush=True)
    return [Timings(workload, library, tuple(times)) for library, times in taken.items()]


def prepared(workload: Workload) -> Iterator[tuple[str, tuple[int, Callable]]]:
    for library, prepare in PEERS[workload.task].items():
        try:
            n_rows, call = prepare(workload)
        except ImportError:
            continue
        call()
        yield library, (n_rows, call)


def seconds_a_call(call: Callable, at_least: float) -> float:
    """Return the mean over as many calls, made back to back, as fill the time."""
    n_calls, elapsed = 0, 0.0
    batch = 1
    while elapsed < at_least:
        began = time.perf_counter()
        for _ in range(batch):
            call()
        elapsed += time.perf_counter() - began
        n_calls += batch
        batch *= 2
    return elapsed / n_calls
