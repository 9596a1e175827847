"""Layers in whole numbers of 8 bits: weights with a scale for each output, inputs with one a layer.

An input is ``step (q - zero)``, from the smallest to the largest value that calibration has seen,
and a weight ``scale[j] q``. Then ``z[j] = step scale[j] sum_i q[i] q[i, j]`` and a number for each
output, which holds the bias and what the zeros of the inputs add. After each layer activations are
float32 again.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import forward
from .description import Description, Layer
from .forward import ACTIVATIONS, classes_of, layer_inputs, mixed

MOST_INPUTS = 131_000  # products of two bytes that a sum of 32 bits has room for

FUNCTIONS = {
    "quantize": (
        "",
        """
/* q = a / step + zero, to the nearest whole number of 8 bits */
static void @quantize(int8_t *q, const float *a, float inverse_step, int zero, int n) {
    const float lower = (float)(-128 - zero), upper = (float)(127 - zero);
    for (int i = 0; i < n; i++) {
        float t = a[i] * inverse_step;
        t = t > lower ? t : lower;
        t = t < upper ? t : upper;
        q[i] = (int8_t)((int)(t < 0 ? t - 0.5f : t + 0.5f) + zero);
    }
}""",
    ),
    "dense8": (
        "",
        """
/* z = scale (W a) + b, W of shape (n_out, n_in) */
static void @dense8(float *z, const int8_t *W, const float *scale, const float *b, const int8_t *a,
                    int n_in, int n_out) {
    for (int j = 0; j < n_out; j++) {
        int32_t sum = 0;
        for (int i = 0; i < n_in; i++) sum += W[j * n_in + i] * a[i];
        z[j] = (float)sum * scale[j] + b[j];
    }
}""",
    ),
}


@dataclasses.dataclass(frozen=True, eq=False)
class Layer8:
    """A layer in whole numbers.

    Attributes
    ----------
    weights : ndarray of int8 of shape (n_in, n_out)
    scales, biases : ndarray of float32 of shape (n_out,)
    inverse_step : float32
    zero : int
    activation : str
    """

    weights: NDArray[np.int8]
    scales: NDArray[np.float32]
    biases: NDArray[np.float32]
    inverse_step: np.float32
    zero: int
    activation: str


def quantized(described: Description, X: NDArray[Any]) -> list[Layer8]:
    """Return the layers of the first network in whole numbers, calibrated on rows (n, n_in)."""
    inputs = layer_inputs(described, X)
    return [
        _quantized_layer(layer, values)
        for layer, values in zip(described.layers, inputs, strict=False)
    ]


def _quantized_layer(layer: Layer, values: NDArray[Any]) -> Layer8:
    if layer.n_in > MOST_INPUTS:
        raise ValueError(
            f'dtype="int8" has room for {MOST_INPUTS} inputs of a layer, and one has '
            f'{layer.n_in}: take "float32"'
        )
    low, high = min(float(values.min()), 0.0), max(float(values.max()), 0.0)
    step = (high - low) / 255 or 1.0
    zero = round(-128 - low / step)
    largest = np.abs(layer.weights).max(axis=0)
    scale = np.where(largest > 0, largest, 1.0) / 127
    weights = np.rint(layer.weights / scale).astype(np.int8)
    offset = step * scale * zero * weights.sum(axis=0, dtype=np.int64)
    return Layer8(
        weights,
        (step * scale).astype(np.float32),
        (layer.biases - offset).astype(np.float32),
        np.float32(1 / step),
        zero,
        layer.activation,
    )


def outputs_of(described: Description, layers: list[Layer8], X: NDArray[Any]) -> NDArray[Any]:
    """Return the outputs of the layers in whole numbers as the C code has them, to rounding."""
    a = np.asarray(X, np.float32)
    if described.gaps is not None:
        a = described.gaps.filled(a)
    if described.inputs is not None:
        a = described.inputs.transform(a)
    for layer in layers:
        t = np.clip(a * layer.inverse_step, -128 - layer.zero, 127 - layer.zero)
        q = np.trunc(t + np.copysign(np.float32(0.5), t)).astype(np.int64) + layer.zero
        sums = (q @ layer.weights.astype(np.int64)).astype(np.float32)
        with np.errstate(over="ignore"):
            a = ACTIVATIONS[layer.activation](sums * layer.scales + layer.biases)
        a = a.astype(np.float32)
    return a if described.targets is None else described.targets.inverse(a)


def loss_of_accuracy(described: Description, networks: list[list[Layer8]], X: NDArray[Any]) -> str:
    """Return what becomes of predictions for rows in whole numbers, as a sentence."""
    exact = forward.outputs_of(described, X)
    found = mixed(described, [outputs_of(described, layers, X) for layers in networks])
    rows = f"{len(X)} calibration row{'s' if len(X) > 1 else ''}"
    if described.task == "numbers":
        error = np.sqrt(np.square(found - exact).mean())
        spread = exact.std(axis=0).max()
        share = f", {100 * error / spread:.2g} % of their standard deviation" if spread else ""
        return f"On {rows} outputs differ from those of the model by {error:.3g} (RMS){share}."
    same = classes_of(described, found) == classes_of(described, exact)
    what = "labels" if described.task == "labels" else "classes"
    return (
        f"On {rows} {100 * same.mean():.4g} % of the {what} are those of the model; probabilities "
        f"differ by up to {np.abs(found - exact).max():.2g}."
    )
