"""`to_numpy`: a model as plain arrays, which a few lines of NumPy predict with."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..network.scaling import Scaling
from .description import Gaps, description_of


def to_numpy(model: Any) -> dict[str, NDArray[Any]]:
    """Return a model as arrays: see `fastbp.network.exportable.Exportable.to_numpy`."""
    described = description_of(model)
    inputs = described.inputs or _no_scaling(described.n_columns)
    targets = described.targets or _no_scaling(described.n_out)
    gaps = described.gaps or Gaps(np.full(described.n_in, np.nan), np.empty(0, np.intp))
    arrays = {
        "means": gaps.means,
        "marked": gaps.features,
        "activations": np.array([layer.activation for layer in described.layers]),
        "center": inputs.center.copy(),
        "scale": inputs.scale.copy(),
        "limit": np.array(inputs.limit),
        "target_center": targets.center.copy(),
        "target_scale": targets.scale.copy(),
    }
    for l, layer in enumerate(described.layers):
        arrays[f"W{l}"], arrays[f"b{l}"] = layer.weights, layer.biases
    if described.classes is not None:
        arrays["classes"] = _without_objects(described.classes)
    if described.feature_names is not None:
        arrays["feature_names"] = np.array(described.feature_names)
    return arrays


def _no_scaling(n: int) -> Scaling:
    return Scaling(np.zeros(n), np.ones(n), math.inf)


def _without_objects(classes: NDArray[Any]) -> NDArray[Any]:
    """Return classes as an array that np.load reads without pickles, where NumPy has a type."""
    return np.array(classes.tolist()) if classes.dtype == object else classes
