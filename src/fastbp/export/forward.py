"""Predictions of a `Description` by NumPy: what calibration looks at, layer by layer."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .description import Description
from .normal import SHIFT, TERMS_OF_FLOAT64


def _logistic(z: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(1 / (1 + np.exp(-z)))


def _softmax(z: NDArray[Any]) -> NDArray[Any]:
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return np.asarray(e / e.sum(axis=1, keepdims=True))


def _gelu(z: NDArray[Any]) -> NDArray[Any]:
    x = np.abs(z) * math.sqrt(0.5)
    t = SHIFT / (x + SHIFT)
    tail = 0.5 * np.exp(-x * x) * t * np.polynomial.Polynomial(TERMS_OF_FLOAT64)(2 * t - 1)
    return np.asarray(z * np.where(z < 0, tail, 1 - tail))


def _elu(z: NDArray[Any]) -> NDArray[Any]:
    return np.where(z > 0, z, np.expm1(np.minimum(z, 0)))


ACTIVATIONS: dict[str, Callable[[NDArray[Any]], NDArray[Any]]] = {
    "identity": lambda z: z,
    "logistic": _logistic,
    "tanh": np.tanh,
    "relu": lambda z: np.maximum(z, 0),
    "leaky_relu": lambda z: np.maximum(0.01 * z, z),
    "elu": _elu,
    "selu": lambda z: 1.0507009873554805 * np.where(z > 0, z, 1.6732632423543772 * _elu(z)),
    "softplus": lambda z: np.logaddexp(0, z),
    "silu": lambda z: z * _logistic(z),
    "gelu": _gelu,
    "mish": lambda z: z * np.tanh(np.logaddexp(0, z)),
    "exp": np.exp,
    "softmax": _softmax,
}


def outputs_of(described: Description, X: NDArray[Any]) -> NDArray[Any]:
    """Return the outputs for rows (n, n_in), in the units of the targets and in float64."""
    return mixed(described, [layer_inputs(one, X)[-1] for one in described.networks])


def mixed(described: Description, outputs: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Return the mixture of the outputs of each network."""
    if len(outputs) == 1:
        return outputs[0]
    return np.asarray(
        sum(share * one for share, one in zip(described.shares, outputs, strict=True))
    )


def layer_inputs(described: Description, X: NDArray[Any]) -> list[NDArray[Any]]:
    """Return what each layer of the first network is given, and behind them its outputs.

    Outputs are in the units of the targets. All in float64.
    """
    a = np.asarray(X, np.float64)
    if described.gaps is not None:
        a = described.gaps.filled(a)
    if described.inputs is not None:
        a = described.inputs.transform(a)
    inputs = [a]
    for layer in described.layers:
        with np.errstate(over="ignore"):
            a = ACTIVATIONS[layer.activation](a @ layer.weights + layer.biases)
        inputs.append(a)
    if described.targets is not None:
        inputs[-1] = described.targets.inverse(a)
    return inputs


def classes_of(described: Description, outputs: NDArray[Any]) -> NDArray[Any]:
    """Return the number of the class of each row, or which labels it has."""
    if described.task == "labels" or described.n_out == 1:
        return np.asarray(outputs > 0.5)
    return np.asarray(outputs.argmax(axis=1))
