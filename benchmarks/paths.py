"""fastbp against itself: its paths, instruction sets and kinds of rows, in turns.

python -m benchmarks.paths [--rounds N]

The figures of docs/decisions: ns a row of row-by-row SGD (squared error, ReLU, float64, random
order), median of rounds, in one pinned process.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
from scipy.sparse import csr_array

from fastbp import Network, _core
from fastbp._training import canonical_order
from fastbp.network import Solver

from . import machine

NETWORKS = ((2, 2, 1), (8, 16, 1), (30, 64, 1), (64, 128, 10), (784, 128, 10), (784, 256, 128, 10))
NON_ZEROS = 0.19  # of MNIST's pixels
SOLVER = Solver(learning_rate=1e-5)


def rows_for(layer_sizes: tuple[int, ...], share: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Return X and y of as many rows as fit the nearer caches."""
    random = np.random.default_rng(0)
    n_rows = min(20_000, max(480, 400_000 // layer_sizes[0]))
    X = random.uniform(-1, 1, (n_rows, layer_sizes[0]))
    X[random.uniform(size=X.shape) >= share] = 0
    return X, random.uniform(-1, 1, (n_rows, layer_sizes[-1]))


def epoch(
    layer_sizes: tuple[int, ...], X: object, y: np.ndarray, *, plain: bool = False
) -> Callable:
    """Return a call that trains one epoch and returns ns a row; plain: every layer row by row."""
    network = Network(layer_sizes, random_state=0)
    rows = network._rows(X, y)
    order = np.random.default_rng(1).permutation(rows.n)

    def run() -> float:
        began = time.perf_counter()
        if plain:
            network._engine.train(rows, order, 0, rows.n, SOLVER.learning_rate)
        else:
            network._run_epoch(rows, order, SOLVER)
        return (time.perf_counter() - began) / rows.n * 1e9

    return run


def hash_of_rows(X: np.ndarray, y: np.ndarray) -> Callable:
    """Return a call that puts rows in canonical order and returns ns a row."""
    rows = Network((X.shape[1], 1, y.shape[1]), random_state=0)._rows(X, y)

    def run() -> float:
        began = time.perf_counter()
        canonical_order(rows)
        return (time.perf_counter() - began) / rows.n * 1e9

    return run


def calls() -> dict[str, Callable]:
    """Return everything measured with the instruction set in use, by name."""
    found = {}
    for sizes in NETWORKS:
        name = "-".join(map(str, sizes))
        X, y = rows_for(sizes)
        found[f"{name}, every layer row by row"] = epoch(sizes, X, y, plain=True)
        found[f"{name}, {Network(sizes).plan()}"] = epoch(sizes, X, y)
    for sizes in NETWORKS[-2:]:
        name = "-".join(map(str, sizes))
        X, y = rows_for(sizes, NON_ZEROS)
        found[f"{name}, {NON_ZEROS:.0%} not zero, dense"] = epoch(sizes, X, y)
        found[f"{name}, {NON_ZEROS:.0%} not zero, lists"] = epoch(sizes, csr_array(X), y)
    found["canonical order of rows of 784"] = hash_of_rows(*rows_for((784, 1)))
    return found


def measure(rounds: int) -> None:
    """Print a line for every call: ns a row and what was measured."""
    taken = {name: (call, []) for name, call in calls().items()}
    for _ in range(rounds):
        for call, times in taken.values():
            times.append(min(call() for _ in range(3)))
    for name, (_, times) in taken.items():
        print(f"{statistics.median(times):>10,.1f}  {name}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.paths", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, metavar="N")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    machine.pin_to_one_processor()
    if options.here:
        measure(options.rounds)
        return
    print("\n".join(machine.description()), flush=True)
    for isa in _core.available_isas():  # chosen at import: a process for each
        print(f"\n{isa}, ns a row", flush=True)
        command = [
            sys.executable,
            "-m",
            "benchmarks.paths",
            "--here",
            "--rounds",
            str(options.rounds),
        ]
        subprocess.run(command, check=True, env=os.environ | {"FASTBP_ISA": isa})


if __name__ == "__main__":
    main()
