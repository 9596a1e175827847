"""scikit-learn's `MLPRegressor` and `MLPClassifier`."""

import importlib.metadata
from typing import Any

import numpy as np

from ..task import Task
from .estimators import EstimatorTrainer, given

NAME = "scikit-learn"
INSTALL = "python -m pip install scikit-learn"
COMPARABLE = True
MAX_ROWS = 200  # of an epoch row by row: each takes it longer than others need for a thousand
NOTHING = 1e-300  # as a learning rate: no weight moves


def version() -> str:
    return importlib.metadata.version("scikit-learn")


def does(task: Task) -> Task | None:
    if task.solver not in ("sgd", "adam"):
        return None
    return task.first(MAX_ROWS) if task.batch_size == 1 else task


class trainer(EstimatorTrainer):
    def __init__(self, task: Task, exact: bool = False) -> None:
        super().__init__(estimator(task), task)

    def in_order(self, order: np.ndarray) -> Any:
        """Train from the task's parameters: `fit` draws its own, and with warm_start goes on."""
        X, y = self.task.X[order], self.y[order]
        self.model.set_params(warm_start=True, max_iter=1, shuffle=False)
        self.model.set_params(learning_rate_init=NOTHING).fit(X, y)
        weights, biases = self.task.parameters
        for own, array in zip(self.parameters(), [*weights, *biases], strict=True):
            own[...] = array
        return self.model.set_params(learning_rate_init=self.task.learning_rate).fit(X, y)


def estimator(task: Task) -> Any:
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    classes = {"squared_error": MLPRegressor, "log_loss": MLPClassifier}
    return given(classes[task.loss], task)
