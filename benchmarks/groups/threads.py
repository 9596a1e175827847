"""n_threads: the time on one processor and on all, and whether the bits are the same."""

import dataclasses
import inspect
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

import fastbp

from .. import data
from ..machine import processors
from ..measure import COUNT, Case, Sample, seconds_a_row
from ..peers import fastbp_itself
from ..peers.estimators import EstimatorTrainer
from ..task import Task, name_of
from . import Options, batches
from .rows import NETWORKS, n_rows

TITLE = "n_threads: time for one row"
ALL_CORES = True
BITS = "parameters whose bits depend on n_threads"


def cases(options: Options) -> Iterator[Case]:
    if "n_threads" not in inspect.signature(fastbp.BackpropRegressor).parameters:
        return
    few = 1 if options.quick else None
    for sizes in NETWORKS[:few]:
        yield Case(f"{name_of(sizes)}, row by row", partial(row_by_row, sizes, options))
    for sizes, batch_size, n in batches.SHAPES[:few]:
        task = partial(batches.task, sizes, batch_size, 300 if options.quick else n)
        name = batches.name(sizes, batch_size)
        yield Case(name, partial(samples, task, options))
        yield Case(f"{name}: bits", partial(differences, task), unit=COUNT)


def row_by_row(sizes: tuple[int, ...], options: Options) -> dict[str, Sample]:
    task = Task(sizes, *data.regression(sizes, n_rows(sizes, options)))
    return samples(lambda n_threads: dataclasses.replace(task, n_threads=n_threads), options)


def trainer(task: Task) -> EstimatorTrainer:
    return EstimatorTrainer(fastbp_itself.estimator(task, n_threads=task.n_threads), task)


def samples(make: Callable[[int], Task], options: Options) -> dict[str, Sample]:
    counts = {"one thread": 1, "all processors": len(processors())}
    return {
        name: seconds_a_row(trainer(make(count)), options.seconds) for name, count in counts.items()
    }


def differences(make: Callable[[int], Task]) -> dict[str, Sample]:
    def count() -> float:
        one, other = (trainer(make(n)) for n in (1, len(processors())))
        one.epoch()
        other.epoch()
        pairs = zip(one.parameters(), other.parameters(), strict=True)
        return float(sum(np.sum(ours != theirs) for ours, theirs in pairs))

    return {BITS: count}
