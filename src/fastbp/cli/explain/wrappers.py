"""From a pipeline, a search or a scaler of targets down to the estimator with the network."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np

from ... import BackpropClassifier, BackpropRegressor
from ...trace.inspected import is_model
from .names import without_step
from .row import Row


def held(model: Any) -> Any:
    """Return the estimator that a pipeline, search or TransformedTargetRegressor holds, or None.

    A multilayer perceptron of scikit-learn's holds, in this sense, the same network as fastbp's.
    """
    if hasattr(model, "steps"):
        return model.steps[-1][1]
    if hasattr(model, "coefs_"):
        return _taken_over(model)
    return getattr(model, "best_estimator_", getattr(model, "regressor_", None))


def _taken_over(model: Any) -> Any:
    """Return scikit-learn's fitted perceptron as an estimator of fastbp; None for what is none."""
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    for host, kind in ((MLPClassifier, BackpropClassifier), (MLPRegressor, BackpropRegressor)):
        if isinstance(model, host):
            if model.solver == "lbfgs":  # which takes no steps row by row: plain ones are shown
                model = copy.copy(model).set_params(solver="sgd")
            return kind.from_sklearn(model)
    return None


def descend(model: Any, row: Row) -> tuple[Any, Row]:
    """Return the estimator with the network, and the row as that one gets it."""
    X, y, names = row.X, row.y, row.names
    while not is_model(model):
        if hasattr(model, "steps"):
            for step in _transformers(model):
                X, names = step.transform(X), _names_after(step, names)
        elif hasattr(model, "regressor_"):
            y = np.ravel(model.transformer_.transform(np.reshape(y, (1, -1)))).tolist()
        model = held(model)
    return model, Row(X, y, names)


def descend_without_row(model: Any) -> tuple[Any, list[str] | None]:
    """Return the estimator with the network, and what its inputs are called, if that is known."""
    names = getattr(model, "feature_names_in_", None)
    while not is_model(model):
        if hasattr(model, "steps"):
            for step in _transformers(model):
                names = None if names is None else _names_after(step, names)
        model = held(model)
    names = getattr(model, "feature_names_in_", names)
    return model, None if names is None else list(map(str, names))


def _transformers(pipeline: Any) -> Iterator[Any]:
    """Yield the steps before the last that do anything."""
    for _, step in pipeline.steps[:-1]:
        if step is not None and step != "passthrough":
            yield step


def _names_after(step: Any, names: Any) -> Any:
    """Return what a transformer calls its outputs, or None where it does not say."""
    try:
        known = step.get_feature_names_out(None if hasattr(step, "feature_names_in_") else names)
        return [without_step(name) for name in known]
    except (AttributeError, TypeError, ValueError):
        return None
