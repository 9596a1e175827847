"""`training_on`: a small network learns from a file, and is watched."""

from __future__ import annotations

import argparse
import dataclasses
from typing import Any

import numpy as np

from ... import DivergenceWarning, record, trace_step
from ..compare.table import table_task
from ..compare.training import fastbp_estimator, warnings_for_users
from ..console import UserError, say
from ..problem import problem_of
from ..progress import epochs_of
from ..task import Task
from .names import named, without_step

HIDDEN_LAYER_SIZES = (8,)  # few enough to look at each of them
MAX_NUMBERS = 30_000  # parameters times snapshots: a page of some 0.7 MB


def training_on(options: argparse.Namespace) -> Any:
    """Return the recording of a training on a file, or a step on one row after it.

    Raises
    ------
    UserError
        If the file cannot be learned from, or does not have the row.
    """
    if len(options.target) > 1:
        raise UserError("without a MODEL there is one --target; fit a model for several, save it")
    (target,) = options.target
    asked = argparse.Namespace(
        **{**vars(options), "file": options.data, "target": target, "task": "auto"}
    )
    problem = problem_of(asked)
    say(*problem.report())
    task = table_task(problem, seed=0)
    task = dataclasses.replace(task, hidden_layer_sizes=HIDDEN_LAYER_SIZES)
    _check_row(options, task)
    X = _inputs(task, task.preprocessing.fit_transform(task.X_train))
    y = _Targets(task)
    model = fastbp_estimator(task, task.epochs, seed=0)
    n_parameters = HIDDEN_LAYER_SIZES[0] * (X.shape[1] + 1 + max(len(task.class_names), 1))
    snapshots = int(np.clip(MAX_NUMBERS / n_parameters, 12, 200))
    say(f"Training on {len(X):,} rows, {task.epochs} epochs")
    try:
        with epochs_of("fastbp", model, task.epochs), warnings_for_users():
            recording = record(model, X, y.of(task.y_train), max_snapshots=snapshots)
    except DivergenceWarning as warning:
        raise UserError(f"training diverged: {warning}") from warning
    outputs = None if task.is_classification else (target,)
    if options.row is None:
        numbers = task.X_train.index.to_numpy()  # in the file
        rows = [numbers[of_step] for of_step in recording.rows]
        recording = dataclasses.replace(recording, rows=rows, note=_note(task))
        return named(recording, outputs=outputs)
    x, label = _row(task, options.row)
    x = _inputs(task, task.preprocessing.transform(x))
    trace = trace_step(model, x, y.of(label)[0], options.learning_rate)
    return named(dataclasses.replace(trace, note=_note(task)), outputs=outputs)


def _note(task: Task) -> str:
    """Return what was done to the numbers of the file."""
    what = (
        "Inputs that are numbers are"
        if task.is_classification
        else "The target and all inputs that are numbers are"
    )
    return (
        f"{what} standardised: 0 is the mean of the rows trained on, 1 a standard deviation more. "
        "Gaps in them are filled with the median. Text is an input for each value: 0 or 1."
    )


class _Targets:
    """Targets as the network learns them: the names of classes, or scaled numbers."""

    def __init__(self, task: Task) -> None:
        self._names = np.array(task.class_names) if task.is_classification else None
        self._mean, self._spread = np.mean(task.y_train), np.std(task.y_train) or 1.0

    def of(self, y: Any) -> Any:
        """Return the targets for classes by number, or for numbers as they stand in the file."""
        if self._names is not None:
            return self._names[y]
        return (np.asarray(y) - self._mean) / self._spread


def _inputs(task: Task, transformed: Any) -> Any:
    """Return transformed rows as a data frame that names the network's inputs."""
    import pandas as pd

    dense = transformed.toarray() if hasattr(transformed, "toarray") else transformed
    names = map(without_step, task.preprocessing.get_feature_names_out())
    return pd.DataFrame(dense, columns=list(names))


def _check_row(options: argparse.Namespace, task: Task) -> None:
    rows = task.X_train.index.union(task.X_test.index)
    if options.row is not None and options.row not in rows:
        raise UserError(
            f"{options.data} has no row {options.row} with a {options.target[0]}; its rows are "
            f"{rows.min()} to {rows.max()}"
        )


def _row(task: Task, number: int) -> tuple[Any, Any]:
    """Return a row of the file by its number, whether it was trained on or held out."""
    for X, y in ((task.X_train, task.y_train), (task.X_test, task.y_test)):
        if number in X.index:
            return X.loc[[number]], y[X.index.get_indexer([number])]
    raise AssertionError(number)  # _check_row has looked for it
