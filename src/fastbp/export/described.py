"""`description_of`: what a trained model computes, read from its attributes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..network import Network
from ..network.arrays import check_finite
from ..network.scaling import Scaling
from ..network.tables import LOSSES, parameter_of
from .description import Description, Gaps, Layer
from .running import FARTHEST, Running


def description_of(model: Any) -> Description:
    """Return the description of a network, or of a fitted estimator.

    Parameters
    ----------
    model : Network, or a model of `fastbp`, `fastbp.online`, `fastbp.river` or \
            `fastbp.neural_network`; or an MLPRegressor or MLPClassifier of scikit-learn

    Raises
    ------
    sklearn.exceptions.NotFittedError
        If it is not fitted.
    TypeError
        For anything else.
    ValueError
        If a parameter is not finite; of a model of a stream, if it has learned nothing, or one
        class only.
    """
    if hasattr(model, "_snapshot"):
        return _checked(_of_stream(model))
    if hasattr(model, "_check_is_fitted"):
        model._check_is_fitted()
    network = model if isinstance(model, Network) else getattr(model, "network_", None)
    if network is None and not hasattr(model, "coefs_"):
        raise TypeError(
            f"a {type(model).__name__} cannot be exported: it is neither a network nor a fitted "
            "perceptron"
        )
    return _checked(_of_perceptron(model) if network is None else _of_network(network, model))


def _checked(described: Description) -> Description:
    for one in described.networks:
        for l, layer in enumerate(one.layers):
            check_finite(f"weights[{l}]", layer.weights)
            check_finite(f"biases[{l}]", layer.biases)
    return described


def _of_stream(model: Any) -> Description:
    """Return the description of a model of a stream as it is now."""
    now = model._snapshot()
    if not len(now.columns):
        raise ValueError(
            f"this {type(model).__name__} has no inputs yet: it has learned rows without any value"
        )
    if now.labels is not None and len(now.labels) < 2:
        raise ValueError(
            f"this {type(model).__name__} has learned one class only, {now.labels[0]!r}, and an "
            "exported classifier has two at least: learn rows of another one first"
        )
    networks = [_layers_of_stream(network, now.columns) for network in now.networks]
    bound = np.where(now.is_number, now.limit, FARTHEST)
    center = np.where(now.is_number, now.center, 0.0)
    return Description(
        networks[0],
        "numbers" if now.labels is None else "classes",
        Running(center, np.where(now.is_number, now.factor, 1.0), bound),
        None if now.target_factor is None else _targets(now.target_center, now.target_factor),
        None if now.labels is None else np.array(now.labels),
        now.input_names(),
        others=tuple(networks[1:]),
        shares=tuple(now.shares.tolist()),
    )


def _layers_of_stream(network: Network, columns: NDArray[np.intp]) -> tuple[Layer, ...]:
    first, *rest = network.weights
    activations = [*network.activation, network.out_activation]
    return _layers([first[columns], *rest], network.biases, activations)


def _targets(center: NDArray[np.float64], factor: NDArray[np.float64]) -> Scaling:
    scale = np.where(factor != 0, 1 / np.where(factor != 0, factor, 1), np.inf)
    return Scaling(center, scale)


def _of_network(network: Network, model: Any) -> Description:
    layers = _layers(network.weights, network.biases, [*network.activation, network.out_activation])
    units = getattr(model, "_units", None)
    return Description(
        layers,
        _task(model, network.out_activation, layers[-1].n_out),
        None if units is None else _copied(units.inputs),
        None if units is None else _copied(units.targets),
        *_classes_and_names(model),
        network.loss_name,
        parameter_of(network.loss_name, network),
        _gaps(model),
    )


def _copied(scaling: Scaling | None) -> Scaling | None:
    """Return a scaling that a stream does not change."""
    if scaling is None:
        return None
    return Scaling(scaling.center.copy(), scaling.scale.copy(), scaling.limit)


def _gaps(model: Any) -> Gaps | None:
    gaps = getattr(model, "_gaps", None)
    return None if gaps is None else Gaps(gaps.means.copy(), gaps.features.copy())


def _of_perceptron(model: Any) -> Description:
    """Return the description of what has scikit-learn's attributes."""
    n_hidden = len(model.coefs_) - 1
    activations = [model.activation] * n_hidden + [model.out_activation_]
    classes, names = _classes_and_names(model)
    loss = "log_loss" if classes is not None else str(getattr(model, "loss", "squared_error"))
    return Description(
        _layers(model.coefs_, model.intercepts_, activations),
        _task(model, model.out_activation_, int(model.n_outputs_)),
        classes=classes,
        feature_names=names,
        loss=loss if loss in LOSSES else None,
    )


def _layers(weights: Any, biases: Any, activations: list[str]) -> tuple[Layer, ...]:
    dtype = np.float32 if weights[0].dtype == np.float32 else np.float64
    return tuple(
        Layer(np.array(W, dtype), np.array(b, dtype), activation)
        for W, b, activation in zip(weights, biases, activations, strict=True)
    )


def _task(model: Any, out_activation: str, n_out: int) -> str:
    if not hasattr(model, "classes_"):
        return "numbers"
    return "labels" if n_out > 1 and out_activation == "logistic" else "classes"


def _classes_and_names(model: Any) -> tuple[NDArray[Any] | None, tuple[str, ...] | None]:
    classes, names = getattr(model, "classes_", None), getattr(model, "feature_names_in_", None)
    return (
        None if classes is None else np.array(classes),
        None if names is None else tuple(map(str, names)),
    )
