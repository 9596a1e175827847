"""fastbp against itself: its paths, instruction sets and kinds of rows, in turns.

python -m benchmarks.paths [--runs N]

The figures of docs/decisions: ns a row of row-by-row SGD (squared error, ReLU, float64, random
order), median of runs, in one pinned process for each instruction set.
"""

import argparse
import subprocess
import sys
from functools import partial

import numpy as np
from scipy.sparse import csr_array

from fastbp import Network, _core
from fastbp.network import Solver
from fastbp.network.runner import Epochs
from fastbp.training.order import canonical_order

from . import data, machine
from .groups import Options
from .groups.rows import NETWORKS, ON_PIXELS, n_rows
from .measure import Case, Sample, interleaved, timed
from .task import name_of

SOLVER = Solver(learning_rate=1e-5)


def epoch(sizes: tuple[int, ...], X: object, y: np.ndarray, *, plain: bool = False) -> Sample:
    """Return a sample of the time of a row; plain: every layer row by row."""
    network = Network(sizes, random_state=0)
    rows = network._rows(X, y)
    order = np.random.default_rng(1).permutation(rows.n)
    epochs = Epochs(rows, order, SOLVER, path="rows" if plain else None)
    run = partial(network._run_epoch, epochs)
    return timed(run, Options().seconds, rows.n)


def paths(sizes: tuple[int, ...]) -> dict[str, Sample]:
    """Return samples of the path that a network takes, and of the plain one."""
    X, y = data.regression(sizes, n_rows(sizes, Options()))
    return {
        "every layer row by row": epoch(sizes, X, y, plain=True),
        str(Network(sizes).plan()): epoch(sizes, X, y),
    }


def kinds_of_rows(sizes: tuple[int, ...]) -> dict[str, Sample]:
    """Return samples of rows with zeros, dense and as lists of what is not zero."""
    X, y = data.regression(sizes, n_rows(sizes, Options()), non_zeros=data.MNIST_NON_ZEROS)
    return {"dense": epoch(sizes, X, y), "lists": epoch(sizes, csr_array(X), y)}


def hash_of_rows() -> dict[str, Sample]:
    """Return a sample of the time it takes to put rows in canonical order."""
    X, y = data.regression((784, 1), 2_000)
    rows = Network((784, 1, 1), random_state=0)._rows(X, y)
    return {"hash": timed(partial(canonical_order, rows), Options().seconds, rows.n)}


def cases() -> list[Case]:
    found = [Case(name_of(sizes), partial(paths, sizes)) for sizes in (*NETWORKS, ON_PIXELS[-1])]
    share = f"{data.MNIST_NON_ZEROS:.0%} not zero"
    found += [
        Case(f"{name_of(sizes)}, {share}", partial(kinds_of_rows, sizes)) for sizes in ON_PIXELS
    ]
    return [*found, Case("canonical order of rows of 784", hash_of_rows)]


def measure(runs: int) -> None:
    """Print a line for everything: ns a row, and what was measured."""
    for case in cases():
        for one in interleaved("paths", case, runs):
            print(f"{1e9 * one.median:>10,.1f}  {one.case}, {one.subject}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.paths", description=__doc__)
    parser.add_argument("--runs", type=int, default=5, metavar="N")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.here:
        machine.pin(all_cores=False)
        measure(options.runs)
        return
    print("\n".join(machine.description()), flush=True)
    command = [sys.executable, "-m", "benchmarks.paths", "--here", f"--runs={options.runs}"]
    for isa in _core.available_isas():  # chosen at import: a process for each
        print(f"\n{isa}, ns a row", flush=True)
        environment = machine.environment(all_cores=False) | {"FASTBP_ISA": isa}
        subprocess.run(command, check=True, env=environment)


if __name__ == "__main__":
    main()
