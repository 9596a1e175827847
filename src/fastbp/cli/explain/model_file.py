"""`step_of_model`: one step of a model from a file, on a row of another file."""

from __future__ import annotations

import argparse
import copy
import os
from pathlib import Path
from typing import Any

import numpy as np

from ... import Network, trace_step
from ...trace.inspected import is_model
from ..console import UserError, say
from ..model_file import loaded
from .names import named
from .row import Row, row_of_file
from .wrappers import descend, descend_without_row, held

LEARNING_RATE = 0.01  # of a Network, which has none of its own
WANTED = (
    "explain needs a fitted BackpropClassifier or BackpropRegressor, scikit-learn's MLPClassifier "
    "or MLPRegressor, a Network, or a pipeline or search that ends in one"
)


def step_of_model(options: argparse.Namespace) -> Any:
    """Return the trace of a step of the model in a file, on one row.

    Raises
    ------
    UserError
        If the model cannot be loaded or holds no network, or cannot take the row.
    """
    from sklearn.exceptions import NotFittedError

    model = _load(options.model)
    try:
        _check(model, options.model)
        if options.data is None:
            model, row = _row_in_the_middle(model)
        else:
            model, row = descend(model, row_of_file(options, model))
        model = _without_balance(model)
        y = _label(model, row, options.data)
        trace = trace_step(model, row.X, y, _learning_rate(model, options))
    except NotFittedError as error:
        raise UserError(f"the model in {options.model} is not fitted: {error}") from error
    except (ValueError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"the model in {options.model} cannot take this row: {reason}") from error
    return named(trace, row.names, None if hasattr(model, "classes_") else options.target)


def _load(path: Path) -> Any:
    """Return what is in a file that fastbp has saved, or pickle or joblib, compressed or not."""
    if path.suffix.lower() == ".fbp":
        return loaded(path)
    import joblib

    if not os.path.exists(path):
        raise UserError(f"there is no file {path}")
    if os.path.isdir(path):
        raise UserError(f"{path} is a folder; give the file of a model")
    try:
        return joblib.load(path)
    except Exception as error:  # a pickle runs code, and so raises what it likes
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise UserError(
            f"{path} cannot be loaded as a model written by pickle or joblib ({reason})"
        ) from error


def _check(model: Any, path: Path) -> None:
    """Refuse what holds no network, or one that was not fitted."""
    from sklearn.utils.validation import check_is_fitted

    if hasattr(model, "fit"):
        check_is_fitted(model)
    inner = model
    while not is_model(inner):
        where = "" if inner is model else f", in a {type(model).__name__}"
        what, inner = type(inner).__name__, held(inner)
        if inner is None:
            raise UserError(f"{path} holds a {what}{where}; {WANTED}")


def _learning_rate(model: Any, options: argparse.Namespace) -> float | None:
    if options.learning_rate is None and isinstance(model, Network):
        say(f"A Network has no learning rate of its own: {LEARNING_RATE:g}, see --learning-rate")
        return LEARNING_RATE
    rate: float | None = options.learning_rate
    return rate


def _without_balance(model: Any) -> Any:
    """Return the model without balanced class weights, which one row alone does not have."""
    weights = getattr(model, "class_weight", None)
    if not (isinstance(weights, str) and weights == "balanced"):
        return model
    say(
        'class_weight="balanced" counts all rows of a training: this step has the row with weight 1'
    )
    return copy.copy(model).set_params(class_weight=None)


def _label(model: Any, row: Row, path: Path) -> Any:
    """Return the row's target as the model takes it: of a classifier, one of its classes."""
    classes = getattr(model, "classes_", None)
    if classes is None or len(row.y) > 1:
        return np.asarray(row.y, dtype=float)
    (value,) = row.y
    for same in (
        lambda label: label == value,
        lambda label: str(label) == str(value),
        lambda label: _as_number(label) == _as_number(value),
    ):
        for label in classes:
            if same(label):
                return label
    known = ", ".join(map(str, classes[:12])) + (", ..." if len(classes) > 12 else "")
    raise UserError(f"the target in {path} is {value!r}, but the model knows {known}")


def _as_number(label: Any) -> float:
    """Return a label that a file may write in another way, NaN if it is no number."""
    try:
        return float(label)
    except (TypeError, ValueError):
        return float("nan")


def _row_in_the_middle(model: Any) -> tuple[Any, Row]:
    """Return the model inside, and a row for it: its inputs' centers, or zeros without scaling.

    Zeros are what inputs that were standardized before are on average. The target is the class that
    the model takes the row for, or the targets' center, or 0.
    """
    model, names_inside = descend_without_row(model)
    of_network = isinstance(model, Network)
    inputs = getattr(model, "input_scaling_", None)
    targets = getattr(model, "target_scaling_", None)
    n_in = model.layer_sizes[0] if of_network else model.n_features_in_
    x: Any = np.zeros((1, n_in)) if inputs is None else inputs.center[np.newaxis, :n_in]
    names = getattr(model, "feature_names_in_", None)
    if names is not None:
        import pandas as pd

        x = pd.DataFrame(x, columns=names)
    output = model.forward(x)[0] if of_network else model.predict(x)[0]
    if of_network and model.loss_name == "log_loss":
        y = output == output.max() if len(output) > 1 else output > 0.5
    else:
        y = output if hasattr(model, "classes_") else np.zeros_like(output)
        y = y if targets is None else targets.center
    target = ", ".join(
        f"{value:.5g}" if isinstance(value, np.floating) else f"{value}"
        for value in np.atleast_1d(y)
    )
    what = "all zeros, as standardized inputs are on average" if inputs is None else "their means"
    say(f"No --data: the inputs are {what}, the target is {target}.")
    return model, Row(x, list(np.atleast_1d(y)), names_inside)
