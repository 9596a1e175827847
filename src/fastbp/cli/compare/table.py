"""`table_task`: a problem as a task for both libraries."""

from __future__ import annotations

import numpy as np

from ..._printable import printable
from ..encoding import scaled_encoder
from ..problem import Problem
from ..task import Task, split

EPOCHS = 20
HIDDEN_LAYER_SIZES = (32,)


def table_task(problem: Problem, seed: int) -> Task:
    """Return the task of predicting the target from the other columns.

    Parameters
    ----------
    problem : Problem
    seed : int
        Of the split into rows to train on and rows held out.
    """
    classes: tuple[str, ...] = ()
    labels = problem.y.to_numpy()
    if problem.is_classification:
        names, labels = np.unique(labels.astype(str), return_inverse=True)
        classes = tuple(map(str, names))
    X, path = problem.X, problem.table.path
    return Task(
        printable(path.name.lstrip(".").split(".")[0] or path.name),
        *split(X, labels, is_classification=problem.is_classification, seed=seed),
        preprocessing=scaled_encoder(problem.groups),
        is_classification=problem.is_classification,
        hidden_layer_sizes=HIDDEN_LAYER_SIZES,
        epochs=EPOCHS,
        learning_rate=min(0.01, 1 / X.shape[1]),  # a step grows with the squares of the inputs
        class_names=classes,
    )
