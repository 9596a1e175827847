"""scikit-learn's `MLPRegressor` and `MLPClassifier`."""

import importlib.metadata
from typing import Any

from ..task import Task
from .estimators import EstimatorTrainer, given

NAME = "scikit-learn"
INSTALL = "python -m pip install scikit-learn"
COMPARABLE = True
MOST_ROWS = 200  # of an epoch row by row: each takes it longer than others need for a thousand


def version() -> str:
    return importlib.metadata.version("scikit-learn")


def does(task: Task) -> Task:
    return task.first(MOST_ROWS) if task.batch_size == 1 else task


def trainer(task: Task, exact: bool = False) -> EstimatorTrainer:
    return EstimatorTrainer(estimator(task), task)


def estimator(task: Task) -> Any:
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    classes = {"squared_error": MLPRegressor, "log_loss": MLPClassifier}
    return given(classes[task.loss], task)
