"""fastbp: its estimators, as the plain algorithm that its peers run."""

import functools
import inspect
import itertools
import sys
from typing import Any

import numpy as np

import fastbp

from ..plain import plain
from ..task import Task
from .estimators import EstimatorTrainer, given

NAME = "fastbp"
INSTALL = ""
COMPARABLE = True
MIN_EPOCHS, MAX_EPOCHS, N_EPOCHS_OF_BATCHES = 20, 100, 10
WEIGHTS_OF_A_FIT = 4e8  # met by row by row training, which is some 50 ms


def version() -> str:
    return fastbp.__version__


def does(task: Task) -> Task | None:
    """Return the task, None if this version does not know its solver."""
    try:
        trainer(task.first(2 * task.batch_size)).in_order(np.arange(task.batch_size))
    except (TypeError, ValueError) as reason:
        print(f"warning: fastbp is left out: {reason}", file=sys.stderr, flush=True)
        return None
    return task


class Fit(EstimatorTrainer):
    """An epoch is one of many in a call of `fit`, with all that a fit does besides."""

    def __init__(self, task: Task, sample_weight: np.ndarray | None = None, **more: Any) -> None:
        n_epochs = epochs_row_by_row(task) if task.batch_size == 1 else N_EPOCHS_OF_BATCHES
        many = {"max_iter": n_epochs, "n_iter_no_change": n_epochs, "tol": 0.0}
        super().__init__(estimator(task, **many, **more), task)
        self.n_rows, self.sample_weight = n_epochs * task.n_rows, sample_weight

    def epoch(self) -> Any:
        return self.model.fit(self.task.X, self.y, self.sample_weight)


def epochs_row_by_row(task: Task) -> int:
    """Return how many epochs a fit takes: not much longer than a bundle of its peers' epochs."""
    n_weights = sum(a * b for a, b in itertools.pairwise(task.layer_sizes))
    return int(min(MAX_EPOCHS, max(MIN_EPOCHS, WEIGHTS_OF_A_FIT / (task.n_rows * n_weights))))


def trainer(task: Task, exact: bool = False) -> EstimatorTrainer:
    return Fit(task)


def estimator(task: Task, **more: Any) -> Any:
    """Return an unfitted estimator for the task, with all threads that this version can use."""
    classes = {
        "squared_error": fastbp.BackpropRegressor,
        "log_loss": fastbp.BackpropClassifier,
    }
    if "n_threads" in inspect.signature(classes[task.loss]).parameters:
        more = {"n_threads": task.n_threads} | more
    return given(functools.partial(plain, classes[task.loss]), task, **more)
