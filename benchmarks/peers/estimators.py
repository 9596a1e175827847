"""Estimators with scikit-learn's interface, trained epoch by epoch through `partial_fit`."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ..task import Task


def given(kind: Callable[..., Any], task: Task, **more: Any) -> Any:
    """Return an unfitted estimator for the task; raises TypeError for parameters it lacks."""
    more = {"alpha": 0.0, "momentum": 0.0} | more
    more |= {"epsilon": task.epsilon} if task.solver != "sgd" else {}
    return kind(
        hidden_layer_sizes=task.hidden,
        activation=task.activation,
        solver=task.solver,
        batch_size=task.batch_size,
        learning_rate_init=task.learning_rate,
        random_state=0,
        **more,
    )


class EstimatorTrainer:
    """An epoch is one call of `partial_fit`; the first begins with what random_state=0 draws."""

    def __init__(self, model: Any, task: Task) -> None:
        self.model, self.task, self.n_rows = model, task, task.n_rows
        self.classes = {}
        if task.loss == "log_loss":
            self.classes = {"classes": np.arange(max(2, task.layer_sizes[-1]))}
        self.y = task.y.ravel() if task.layer_sizes[-1] == 1 else task.y

    def epoch(self) -> Any:
        return self.model.partial_fit(self.task.X, self.y, **self.classes)

    def in_order(self, order: np.ndarray) -> Any:
        self.model.set_params(shuffle=False)
        self.model.partial_fit(self.task.X[order], self.y[order], **self.classes)
        return self.model.set_params(shuffle=True)

    def parameters(self) -> list[np.ndarray]:
        return [*self.model.coefs_, *self.model.intercepts_]
