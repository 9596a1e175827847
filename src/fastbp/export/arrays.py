"""`to_numpy`: a model as plain arrays, which a few lines of NumPy predict with."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..network.scaling import Scaling
from .described import description_of
from .description import Description, Gaps
from .running import Running


def to_numpy(model: Any) -> dict[str, NDArray[Any]]:
    """Return a model as arrays: see `fastbp.network.exportable.Exportable.to_numpy`.

    For models of streams see `fastbp.online.exportable.ExportableStream.to_numpy`.
    """
    described = description_of(model)
    targets = described.targets or _no_scaling(described.n_out)
    is_stream = isinstance(described.inputs, Running)
    arrays = _of_stream(described) if is_stream else _of_network(described)
    arrays["target_center"] = targets.center.copy()
    arrays["target_scale"] = targets.scale.copy()
    if described.classes is not None:
        arrays["classes"] = _without_objects(described.classes)
    if described.feature_names is not None:
        arrays["feature_names"] = np.array(described.feature_names)
    return arrays


def _of_network(described: Description) -> dict[str, NDArray[Any]]:
    inputs = described.inputs or _no_scaling(described.n_columns)
    assert isinstance(inputs, Scaling)
    gaps = described.gaps or Gaps(np.full(described.n_in, np.nan), np.empty(0, np.intp))
    return {
        "means": gaps.means,
        "marked": gaps.features,
        "center": inputs.center.copy(),
        "scale": inputs.scale.copy(),
        "limit": np.array(inputs.limit),
        **_layers(described),
    }


def _of_stream(described: Description) -> dict[str, NDArray[Any]]:
    inputs = described.inputs
    assert isinstance(inputs, Running)
    arrays = {"center": inputs.center, "factor": inputs.factor, "bound": inputs.bound}
    arrays["shares"] = np.array(described.shares)
    for k, network in enumerate(described.networks):
        arrays |= {f"net{k}_{name}": array for name, array in _layers(network).items()}
    return arrays


def _layers(described: Description) -> dict[str, NDArray[Any]]:
    arrays = {"activations": np.array([layer.activation for layer in described.layers])}
    for l, layer in enumerate(described.layers):
        arrays[f"W{l}"], arrays[f"b{l}"] = layer.weights, layer.biases
    return arrays


def _no_scaling(n: int) -> Scaling:
    return Scaling(np.zeros(n), np.ones(n), math.inf)


def _without_objects(classes: NDArray[Any]) -> NDArray[Any]:
    """Return classes as an array that np.load reads without pickles, where NumPy has a type."""
    return np.array(classes.tolist()) if classes.dtype == object else classes
