"""What can be left out of a model without changing it: scaling that is linear, blocks of zeros."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..network.scaling import Scaling
from .description import Description, Layer
from .running import Running

MOST_BLOCKS = 64
FAR = 16  # scales from 0 to a center: beyond it sums lose digits where x is not centered first


def folded(described: Description) -> Description:
    """Return the description in float64 with scaling in the weights, where that can be.

    It has to be linear, and must not cost digits. Models of streams stay as they are: their inputs
    are bounded, and their targets are scaled once for all networks.
    """
    if isinstance(described.inputs, Running):
        return described
    layers = [
        Layer(one.weights.astype(np.float64), one.biases.astype(np.float64), one.activation)
        for one in described.layers
    ]
    inputs, targets = described.inputs, described.targets
    if inputs is not None and inputs.is_linear and _keeps_digits(inputs):
        first = layers[0]
        W = first.weights / inputs.scale[:, np.newaxis]
        layers[0] = Layer(W, first.biases - inputs.center @ W, first.activation)
        inputs = None
    if targets is not None:
        last, scale = layers[-1], np.where(np.isinf(targets.scale), 0, targets.scale)
        if last.activation == "identity":
            biases = last.biases * scale + targets.center
            layers[-1] = Layer(last.weights * scale, biases, last.activation)
            targets = None
        elif last.activation == "exp" and not targets.center.any() and scale.all():
            layers[-1] = Layer(last.weights, last.biases + np.log(scale), last.activation)
            targets = None
    return dataclasses.replace(described, layers=tuple(layers), inputs=inputs, targets=targets)


def _keeps_digits(inputs: Scaling) -> bool:
    return bool((np.abs(inputs.center) <= FAR * inputs.scale).all())


def blocks_of(layer: Layer, n_blocks: int | None = None) -> list[NDArray[Any]]:
    """Return the blocks of weights on the diagonal outside of which all are 0, as many as can be.

    Networks that were joined have them: one each. ``n_blocks`` says how many there are.
    """
    W = layer.weights
    if n_blocks is None:
        counts = [n for n in range(2, MOST_BLOCKS + 1) if not (layer.n_in % n or layer.n_out % n)]
        n_blocks = max((n for n in counts if _is_diagonal(W, n)), default=1)
    rows, columns = W.shape[0] // n_blocks, W.shape[1] // n_blocks
    return [W[k * rows : (k + 1) * rows, k * columns : (k + 1) * columns] for k in range(n_blocks)]


def _is_diagonal(W: NDArray[Any], n_blocks: int) -> bool:
    blocks = W.reshape(n_blocks, W.shape[0] // n_blocks, n_blocks, W.shape[1] // n_blocks)
    used = np.abs(blocks).max(axis=(1, 3)) > 0
    return bool((used <= np.eye(n_blocks, dtype=bool)).all())
