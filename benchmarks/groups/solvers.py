"""Solvers that divide by roots, row by row, next to libraries and to their roots and quotients."""

import ctypes
import dataclasses
import itertools
from collections.abc import Iterator
from functools import partial

import numpy as np

from .. import data
from ..measure import Case, Sample, seconds_a_row, timed
from ..peers import Missing, fastbp_itself, native
from ..task import Task, name_of
from . import Options
from .rows import n_rows
from .training import samples_of

TITLE = "Solvers, row by row: time for one row"
ALL_CORES = False
NETWORKS = ((8, 16, 1), (64, 128, 10))
SOLVERS = {"adagrad": "AdaGrad", "rmsprop": "RMSprop", "adam": "Adam"}
COLUMNS = (20_000, 64, 1)
NON_ZEROS = 40
ON_COLUMNS = "AdaGrad, CSR, 20,000 features, 40 non-zeros"
SINGLE, FLOOR = "fastbp float32", "plain row + roots"
FLAGS = ("-O3", "-march=native", "-fno-math-errno", "-fno-trapping-math")


def cases(options: Options) -> Iterator[Case]:
    for sizes in NETWORKS[: 1 if options.quick else None]:
        for solver, name in SOLVERS.items():
            yield Case(f"{name}, {name_of(sizes)}", partial(dense, sizes, solver, options))
    if not options.quick:
        yield Case(ON_COLUMNS, partial(columns, options))


def dense(sizes: tuple[int, ...], solver: str, options: Options) -> dict[str, Sample]:
    task = Task(sizes, *data.regression(sizes, n_rows(sizes, options)), solver=solver)
    met = sum((n_in + 1) * n_out for n_in, n_out in itertools.pairwise(sizes))
    return samples(task, met, options)


def columns(options: Options) -> dict[str, Sample]:
    X, classes = data.sparse_classification(COLUMNS[0], NON_ZEROS, 10_000)
    task = Task(COLUMNS, X, classes[:, None] - 0.5, solver="adagrad")
    met = (NON_ZEROS + 1) * COLUMNS[1] + (COLUMNS[1] + 1) * COLUMNS[2]
    return samples(task, met, options)


def samples(task: Task, met: int, options: Options) -> dict[str, Sample]:
    """Return samples of all libraries, of float32, and of what a row cannot do without.

    ``met`` weights take a step in a row. What else a row does, one of plain gradient descent does.
    """
    found = samples_of(task, options)
    if fastbp_itself.NAME not in found:
        return {}
    single = dataclasses.replace(task, X=task.X.astype("float32"), y=task.y.astype("float32"))
    found[SINGLE] = seconds_a_row(fastbp_itself.trainer(single), options.seconds)
    plain = seconds_a_row(
        fastbp_itself.trainer(dataclasses.replace(task, solver="sgd")), options.seconds
    )
    try:
        roots = roots_and_quotients(met, options)
    except Missing:
        return found
    found[FLOOR] = lambda: plain() + roots()
    return found


def roots_and_quotients(n: int, options: Options) -> Sample:
    """Return a sample of the time that n roots and quotients take by a loop in C."""
    library = native.library("roots.c", FLAGS)
    random = np.random.default_rng(0)
    arrays = np.zeros(n), random.normal(size=n), random.uniform(size=n)
    n_times = max(1, 100_000 // n)  # so that a call from Python costs nothing
    sizes = ctypes.c_int64(n), ctypes.c_int64(n_times), ctypes.c_double(1e-8)

    def run() -> None:
        library.divide_by_roots(*map(native.doubles, arrays), *sizes)

    return timed(run, options.seconds, n_times)
