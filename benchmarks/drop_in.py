"""Twelve real fits by scikit-learn's perceptrons and by fastbp's in their place: times and models.

python -m benchmarks.drop_in [--rounds N] [--only TEXT] [--docs FOLDER] [--processor-time]
"""

import argparse
import dataclasses
import os
import platform
import statistics
import time
import warnings
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from .machine import THREAD_VARIABLES, processor

BEGIN, END = "<!-- from python -m benchmarks.drop_in -->", "<!-- to here -->"
MAX_EPOCHS = 200  # scikit-learn's default


@dataclasses.dataclass(frozen=True)
class Fit:
    """A data set, and parameters to learn it with where they are not scikit-learn's defaults."""

    data: str
    parameters: dict[str, Any]
    epochs: int = MAX_EPOCHS  # at most; fewer where scikit-learn takes minutes

    @property
    def settings(self) -> str:
        solver = {"adam": "Adam", "sgd": "SGD"}[self.parameters.get("solver", "adam")]
        batch = self.parameters.get("batch_size", "default")
        layers = self.parameters.get("hidden_layer_sizes", (100,))
        return f"{solver}, batch {batch}, {'-'.join(map(str, layers))}"


FITS = [
    Fit("digits", {}),
    Fit("breast cancer", {}),
    Fit("diabetes", {}),
    Fit("Friedman", {}),
    Fit("wine", {"solver": "sgd"}),
    Fit("digits", {"solver": "sgd", "batch_size": 32}),
    Fit("breast cancer", {"batch_size": 32}),
    Fit("Friedman", {"solver": "sgd", "batch_size": 1}, 3),
    Fit("linnerud", {"batch_size": 1}),
    Fit("MNIST", {}, 3),
    Fit("MNIST", {"solver": "sgd", "batch_size": 200, "hidden_layer_sizes": (256, 256)}, 3),
    Fit("text-like", {"solver": "sgd", "batch_size": 32}, 3),
]


def load(name: str) -> tuple[Any, Any] | None:
    """Return X, standardised where it is dense, and y; None where the data are not at hand."""
    from sklearn import datasets
    from sklearn.preprocessing import StandardScaler

    from .data import mnist, sparse_classification

    loaders: dict[str, Callable[[], tuple[Any, Any] | None]] = {
        "digits": lambda: datasets.load_digits(return_X_y=True),
        "breast cancer": lambda: datasets.load_breast_cancer(return_X_y=True),
        "wine": lambda: datasets.load_wine(return_X_y=True),
        "diabetes": lambda: datasets.load_diabetes(return_X_y=True),
        "linnerud": lambda: datasets.load_linnerud(return_X_y=True),
        "Friedman": lambda: datasets.make_friedman1(2000, noise=1.0, random_state=0),
        "MNIST": lambda: mnist(10_000),
        "text-like": lambda: sparse_classification(5000, 60, 2000),
    }
    found = loaders[name]()
    if found is None or name in ("MNIST", "text-like"):
        return found
    X, y = found
    if y.dtype.kind == "f":
        y = (y - y.mean(axis=0)) / y.std(axis=0)
    return StandardScaler().fit_transform(X), y


@dataclasses.dataclass(frozen=True)
class Measured:
    fit: Fit
    shape: tuple[int, int]
    seconds: list[tuple[float, float]]  # scikit-learn's and fastbp's, round by round
    difference: float
    epochs: int

    @property
    def ratio(self) -> float:
        return statistics.median(theirs / ours for theirs, ours in self.seconds)


def measured(fit: Fit, rounds: int, clock: Callable[[], float]) -> Measured | None:
    """Fit both in turns; compare the models of the last round."""
    from sklearn import neural_network as host

    from fastbp import neural_network as fast

    data = load(fit.data)
    if data is None:
        return None
    X, y = data
    name = "MLPRegressor" if np.asarray(y).dtype.kind == "f" else "MLPClassifier"
    models, seconds = [], []
    for _ in range(rounds + 1):  # of which the first warms up
        models = [
            getattr(module, name)(max_iter=fit.epochs, random_state=0, **fit.parameters)
            for module in (host, fast)
        ]
        taken = []
        for model in models:
            began = clock()
            model.fit(X, y)
            taken.append(clock() - began)
        seconds.append((taken[0], taken[1]))
    return Measured(fit, X.shape, seconds[1:], difference(*models), models[1].n_iter_)


def difference(theirs: Any, ours: Any) -> float:
    """Return the largest difference of a parameter, relative to the largest of its array."""
    pairs = zip(
        [*theirs.coefs_, *theirs.intercepts_], [*ours.coefs_, *ours.intercepts_], strict=True
    )
    return max(float(np.abs(a - b).max() / np.abs(a).max()) for a, b in pairs)


def table(results: list[Measured]) -> list[str]:
    lines = [
        "| data | rows x features | settings | epochs | scikit-learn | fastbp | ratio "
        "| difference |",
        "|---|---|---|---:|---:|---:|---:|---:|",
    ]
    for one in results:
        theirs, ours = (statistics.median(column) for column in zip(*one.seconds, strict=True))
        rows, features = one.shape
        lines.append(
            f"| {one.fit.data} | {rows:,} x {features:,} | {one.fit.settings} | {one.epochs} "
            f"| {shown(theirs)} | {shown(ours)} | {one.ratio:.1f} | {one.difference:.0e} |"
        )
    return lines


def shown(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{1000 * seconds:.3g} ms"


def text(results: list[Measured], rounds: int, processor_time: bool) -> str:
    """Return the table, its rows in the order of `FITS`, and how it was made."""
    results = sorted(results, key=lambda one: FITS.index(one.fit))
    times = "processor time, one thread each" if processor_time else "time that passed, all threads"
    n_rounds = "one round" if rounds == 1 else f"the medians of {rounds} rounds"
    packages = ", ".join(f"{name} {version(name)}" for name in ("scikit-learn", "numpy"))
    about = (
        f"{processor()}, {os.cpu_count()} processors; {packages}, "
        f"Python {platform.python_version()}; {time.strftime('%Y-%m-%d', time.gmtime())}. "
        f"{times[0].upper()}{times[1:]}: {n_rounds}, after one to warm up"
    )
    return "\n".join([*table(results), "", about + "."])


def renew(page: Path, found: str) -> None:
    """Put the table into the page, between its marks."""
    before, _, rest = page.read_text().partition(BEGIN)
    page.write_text(f"{before}{BEGIN}\n\n{found}\n\n{END}{rest.partition(END)[2]}")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.drop_in", description=__doc__)
    add = parser.add_argument
    add("--rounds", type=int, default=5, metavar="N", help="both in turns, so often (default: 5)")
    add("--only", default="", metavar="TEXT", help="data sets with TEXT in their names")
    add("--docs", type=Path, metavar="FOLDER", help="where to renew drop_in.md")
    add(
        "--processor-time",
        action="store_true",
        help="one thread for both, and its processor time: for a machine that others use, too",
    )
    options = parser.parse_args(arguments)
    if options.rounds < 1:
        parser.error(f"--rounds must be at least 1, not {options.rounds}")
    if options.only and options.docs:
        parser.error("--docs needs all rows of the table; --only measures some of them")
    if not any(options.only in fit.data for fit in FITS):
        names = ", ".join(dict.fromkeys(fit.data for fit in FITS))
        parser.error(f"no data set has {options.only!r} in its name; there are: {names}")
    if options.processor_time:
        os.environ |= dict.fromkeys(THREAD_VARIABLES, "1")  # before NumPy's BLAS is first used
        from threadpoolctl import threadpool_limits

        threadpool_limits(1)
    clock = time.process_time if options.processor_time else time.perf_counter
    warnings.simplefilter("ignore")  # fits are cut short
    results = []
    for fit in FITS:
        if options.only in fit.data:
            one = measured(fit, options.rounds, clock)
            if one is not None:
                results.append(one)
                print(table([one])[-1], flush=True)
    if options.docs:
        renew(options.docs / "drop_in.md", text(results, options.rounds, options.processor_time))


if __name__ == "__main__":
    main()
