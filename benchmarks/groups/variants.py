"""fastbp against itself: activations, losses, dtypes, momentum, penalty, weights; row by row."""

import dataclasses
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from .. import data
from ..measure import Case, Sample, seconds_a_row
from ..peers.fastbp_itself import Fit
from ..task import Task, name_of
from . import Options
from .rows import NETWORKS, n_rows

TITLE = "fastbp's own variants, row by row: time for one row"
ALL_CORES = False
SOLVERS: dict[str, dict[str, Any]] = {
    "plain SGD": {},
    "momentum": {"momentum": 0.9},
    "L2 penalty": {"alpha": 1e-4},
}


def cases(options: Options) -> Iterator[Case]:
    for sizes in NETWORKS[: 1 if options.quick else None]:
        yield Case(name_of(sizes), partial(variants, sizes, options))
        yield Case(f"{name_of(sizes)}, log loss", partial(losses, sizes, options))


def variants(sizes: tuple[int, ...], options: Options) -> dict[str, Sample]:
    X, y = data.regression(sizes, n_rows(sizes, options))
    task, weights = Task(sizes, X, y), np.random.default_rng(1).uniform(0.5, 1, len(X))
    single = dataclasses.replace(task, X=X.astype("float32"), y=y.astype("float32"))
    found = {name: epoch(task, options, **more) for name, more in SOLVERS.items()}
    found["sample weights"] = epoch(task, options, sample_weight=weights)
    found["float32"] = epoch(single, options)
    for activation in ("tanh", "logistic"):
        found[activation] = epoch(dataclasses.replace(task, activation=activation), options)
    return found


def losses(sizes: tuple[int, ...], options: Options) -> dict[str, Sample]:
    """Return squared error and cross-entropy of as many classes as outputs, at least two."""
    sizes = (*sizes[:-1], max(2, sizes[-1]))
    X, classes = data.classification(sizes[0], sizes[-1], n_rows(sizes, options))
    squared = Task(sizes, X, np.eye(sizes[-1])[classes])
    softmax = Task(sizes, X, classes, loss="log_loss")
    return {
        "squared error": epoch(squared, options),
        "softmax, cross-entropy": epoch(softmax, options),
    }


def epoch(task: Task, options: Options, **more: Any) -> Sample:
    """Return a sample of the time of a row in a fit."""
    return seconds_a_row(Fit(task, **more), options.seconds)
