"""fastbp: `Network` row by row, an estimator for batches."""

import inspect
import sys
from typing import Any

import numpy as np

import fastbp

from ..task import Task
from .estimators import EstimatorTrainer, given

NAME = "fastbp"
INSTALL = ""
COMPARABLE = True


def version() -> str:
    return fastbp.__version__


def does(task: Task) -> Task | None:
    """Return the task, None if this version does not know its solver."""
    try:
        trainer(task.first(2 * task.batch_size)).epoch()
    except (TypeError, ValueError) as reason:
        print(f"warning: fastbp is left out: {reason}", file=sys.stderr, flush=True)
        return None
    return task


class NetworkTrainer:
    def __init__(self, task: Task) -> None:
        self.task, self.n_rows = task, task.n_rows
        self.network, self.random = task.network(), np.random.default_rng(0)

    def epoch(self) -> float:
        return self.in_order(self.random.permutation(self.n_rows))

    def in_order(self, order: np.ndarray) -> float:
        task = self.task
        return self.network.train_epoch(task.X, task.y, task.learning_rate, order=order)

    def parameters(self) -> list[np.ndarray]:
        return [*self.network.weights, *self.network.biases]


def trainer(task: Task, exact: bool = False) -> Any:
    if task.solver == "sgd" and task.batch_size == 1:
        return NetworkTrainer(task)
    return EstimatorTrainer(estimator(task), task)


def estimator(task: Task, **more: Any) -> Any:
    """Return an unfitted estimator for the task, with all threads that this version can use."""
    classes = {
        "squared_error": fastbp.BackpropRegressor,
        "log_loss": fastbp.BackpropClassifier,
    }
    if "n_threads" in inspect.signature(classes[task.loss]).parameters:
        more = {"n_threads": task.n_threads} | more
    return given(classes[task.loss], task, **more)
