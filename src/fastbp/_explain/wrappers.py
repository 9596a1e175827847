"""From a pipeline, a search or a scaler of targets down to the estimator with the network."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._subject import is_model
from .names import without_step
from .row import Row


def held(model: Any) -> Any:
    """Return the estimator that a pipeline, search or TransformedTargetRegressor holds, or None."""
    if hasattr(model, "steps"):
        return model.steps[-1][1]
    return getattr(model, "best_estimator_", getattr(model, "regressor_", None))


def descend(model: Any, row: Row) -> tuple[Any, Row]:
    """Return the estimator with the network, and the row as that one gets it."""
    X, y, names = row.X, row.y, row.names
    while not is_model(model):
        if hasattr(model, "steps"):
            for _, step in model.steps[:-1]:
                if step is not None and step != "passthrough":
                    X, names = step.transform(X), _names_after(step, names)
        elif hasattr(model, "regressor_"):
            y = np.ravel(model.transformer_.transform(np.reshape(y, (1, -1)))).tolist()
        model = held(model)
    return model, Row(X, y, names)


def _names_after(step: Any, names: Any) -> Any:
    """Return what a transformer calls its outputs, or None where it does not say."""
    try:
        known = step.get_feature_names_out(None if hasattr(step, "feature_names_in_") else names)
        return [without_step(name) for name in known]
    except (AttributeError, TypeError, ValueError):
        return None
