"""Evaluations until the shower is right: fastbp.measured, Nelder-Mead, finite differences.

python -m benchmarks.shower

Counts, not times, since every evaluation turns real valves. All methods begin at the same
settings, know the same bounds, take the shower to be free of noise, and are done at the first
evaluation within a thousandth of the target. Gradient descent takes forward differences. It was
given all cases with each of many learning rates; the rate with the lowest total stands in the
table, which a user could only know afterwards.
"""

import contextlib
import functools
import itertools
import statistics
from collections.abc import Callable, Iterator

import numpy as np
from scipy import optimize

from fastbp.measured import ChainTuner, Knob, Stage

LOW, HIGH = 1.0, 10.0
MOST = 5_000  # evaluations, after which a method has failed
STARTS = (2.0, 4.0, 7.0)  # of both valves, in all combinations
TARGETS = (1.5, 3.0, 4.5)
RATES = tuple(m * 10.0**e for e in range(-2, 2) for m in (1, 1.5, 2, 3, 5, 7))


def house_flow(main_valve: float) -> float:
    return 7.75 * (1 - np.exp(-main_valve / 4))


def shower_flow(house_flow: float, handle: float) -> float:
    return house_flow * (handle / 10) ** 1.5


class FoundIt(Exception):
    pass


class Shower:
    """The shower as a function of both valves, which counts and says when it is right."""

    def __init__(self, target: float) -> None:
        self.target = target
        self.n_evaluations = 0

    def deviation(self, valves: np.ndarray) -> float:
        self.n_evaluations += 1
        main_valve, handle = np.clip(valves, LOW, HIGH)
        deviation = shower_flow(house_flow(main_valve), handle) - self.target
        if abs(deviation) <= 1e-3 * self.target or self.n_evaluations >= MOST:
            raise FoundIt
        return deviation

    def absolute(self, valves: np.ndarray) -> float:
        return abs(self.deviation(valves))

    def squared(self, valves: np.ndarray) -> float:
        return 0.5 * self.deviation(valves) ** 2


def measured(
    shower: Shower, start: tuple[float, float], learning_rate: float | str = "auto"
) -> None:
    stages = [
        Stage("house_flow", house_flow, Knob("main_valve", LOW, HIGH, start[0]), noise=0),
        Stage("shower_flow", shower_flow, Knob("handle", LOW, HIGH, start[1]), noise=0),
    ]
    tuner = ChainTuner(stages, shower.target, learning_rate=learning_rate)
    shower.n_evaluations = tuner.tune(MOST).n_evaluations


def scipy(shower: Shower, start: tuple[float, float], method: str, loss: str) -> None:
    options = {"xatol": 0, "fatol": 0, "maxfev": MOST} if method == "Nelder-Mead" else {}
    bounds = [(LOW, HIGH)] * 2
    optimize.minimize(
        getattr(shower, loss), np.array(start), method=method, bounds=bounds, options=options
    )
    shower.n_evaluations = MOST  # it gave up before the shower was right


def gradient_descent(shower: Shower, start: tuple[float, float], rate: float, loss: str) -> None:
    error: Callable[[np.ndarray], float] = getattr(shower, loss)
    valves, h = np.array(start), 1e-6
    while True:
        here = error(valves)
        grad = np.array([(error(valves + h * unit) - here) / h for unit in np.eye(2)])
        valves = np.clip(valves - rate * grad, LOW, HIGH)


def evaluations(method: Callable) -> list[int]:
    """Return the number of evaluations of every case."""
    counts = []
    for *start, target in itertools.product(STARTS, STARTS, TARGETS):
        shower = Shower(target)
        with contextlib.suppress(FoundIt):
            method(shower, tuple(start))
        counts.append(shower.n_evaluations)
    return counts


def methods() -> Iterator[tuple[str, list[int]]]:
    """Yield every method with its counts; our own first."""
    yield 'fastbp.measured, `learning_rate="auto"`', evaluations(measured)
    for loss in ("absolute", "squared"):
        run = functools.partial(scipy, method="Nelder-Mead", loss=loss)
        yield f"SciPy Nelder-Mead, {loss} error", evaluations(run)
    for loss in ("absolute", "squared"):
        tried = {
            rate: evaluations(functools.partial(gradient_descent, rate=rate, loss=loss))
            for rate in RATES
        }
        best = min(tried, key=lambda rate: sum(tried[rate]))
        yield f"finite-difference gradient descent, {loss} error, rate {best:g}", tried[best]
    run = functools.partial(scipy, method="L-BFGS-B", loss="squared")
    yield "SciPy L-BFGS-B with finite differences, squared error", evaluations(run)
    yield (
        "finite-difference gradient descent, absolute error, rate 0.01",
        evaluations(functools.partial(gradient_descent, rate=1e-2, loss="absolute")),
    )
    yield (
        "fastbp.measured, absolute error, rate 0.01",
        evaluations(functools.partial(measured, learning_rate=1e-2)),
    )


def table(rows: list[tuple[str, list[int]]]) -> str:
    """Return a Markdown table: a row a method, evaluations next to those of the first."""
    lines = ["| method | median | all cases | times ours | most | times ours in one case |"]
    lines += ["|---|---:|---:|---:|---:|---:|"]
    ours = rows[0][1]
    for name, counts in rows:
        ratios = [theirs / own for theirs, own in zip(counts, ours, strict=True)]
        cells = [
            name,
            f"{statistics.median(counts):,.0f}",
            f"{sum(counts):,}",
            f"{sum(counts) / sum(ours):.1f}",
            f"{max(counts):,}",
            f"{min(ratios):.1f} to {max(ratios):,.1f}",
        ]
        lines += [f"| {' | '.join(cells)} |"]
    return "\n".join(lines)


if __name__ == "__main__":
    print(table(list(methods())))
