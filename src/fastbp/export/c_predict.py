"""What a C source has for predictions: the arrays of each layer, and the calls for a row."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .c_layers import prediction_functions
from .c_source import Source
from .c_text import Writer
from .description import Description, Layer
from .int8 import Layer8
from .shapes import blocks_of


class Layers:
    """How a source writes its layers: weights that are constant, of shape (n_out, n_in)."""

    def __init__(self, described: Description, writer: Writer) -> None:
        self._of, self._w = described, writer

    def call(self, l: int, z: str, a: str) -> list[str]:
        """Return the call for layer l, z of a, and add its weights."""
        layer, w = self._of.layers[l], self._w
        blocks = blocks_of(layer)
        w.need("dense")
        W = w.array(f"W{l}", _transposed(blocks), what=_shape(layer, len(blocks)))
        return _calls("@dense", layer, len(blocks), (z, W, w.array(f"b{l}", layer.biases), a))


class LayersOfInt8(Layers):
    """Weights in whole numbers; what a layer is given is made whole before."""

    def __init__(self, described: Description, writer: Writer, eights: list[Layer8]) -> None:
        super().__init__(described, writer)
        self._eights = eights

    def call(self, l: int, z: str, a: str) -> list[str]:
        """Return the calls for layer l, z of a, and add its weights."""
        layer, eight, w = self._of.layers[l], self._eights[l], self._w
        n_blocks = len(blocks_of(layer))
        blocks = blocks_of(Layer(eight.weights, eight.biases, ""), n_blocks)
        w.need("quantize", "dense8")
        W = w.array(f"W{l}", _transposed(blocks), what=_shape(layer, n_blocks))
        arrays = (z, W, w.array(f"scale{l}", eight.scales), w.array(f"b{l}", eight.biases), "q")
        quantize = f"@quantize(q, {a}, K({eight.inverse_step!s}), {eight.zero}, {layer.n_in});"
        return [quantize, *_calls("@dense8", layer, n_blocks, arrays)]


def add_predictions(source: Source, layers: Layers) -> None:
    """Add ``outputs``, and what makes probabilities and labels of them."""
    described, w = source.of, source.w
    calls, buffers = _pass(described, w, layers)
    rooms = [f"real {one}[{n}];" for one, n in buffers.items() if n]
    n_bytes = w.dtype.itemsize * sum(buffers.values())
    if isinstance(layers, LayersOfInt8):
        widest = max(layer.n_in for layer in described.layers)
        rooms.append(f"int8_t q[{widest}];")
        n_bytes += widest
    head = "void @outputs(const real *x, real *outputs)"
    lines = [f"    {line}" for line in (*rooms, *calls)]
    body = "\n".join([f"{head} {{", *lines, "}"])
    source.add("the outputs of the network for one row", head, body)
    functions = prediction_functions(described.task, described.n_out)
    for comment, (declaration, definition) in functions.items():
        source.add(comment, declaration, definition)
    source.use_stack(n_bytes + (w.dtype.itemsize * described.n_out if functions else 0))


def _pass(described: Description, w: Writer, layers: Layers) -> tuple[list[str], dict[str, int]]:
    """Return the calls that make outputs of x, and the sizes of the two buffers between layers."""
    calls, a = [], "x"
    buffers = {"u": 0, "v": 0}
    calls += input_calls(described, w, "u")
    if calls:
        a, buffers["u"] = "u", described.n_columns
    for l, layer in enumerate(described.layers):
        z = "v" if a == "u" else "u"
        if l == len(described.layers) - 1:
            z = "outputs"
        else:
            buffers[z] = max(buffers[z], layer.n_out)
        calls += layers.call(l, z, a)
        calls += activate_calls(w, layer, z)
        a = z
    if described.targets is not None:
        calls.append(_unscale_call(described, w))
    return calls, buffers


def input_calls(described: Description, w: Writer, to: str) -> list[str]:
    """Return the calls that make the inputs of the first layer of x, if they differ."""
    calls, x = [], "x"
    gaps, scaling = described.gaps, described.inputs
    if gaps is not None:
        w.need("fill")
        calls.append(f"@fill({to}, x, {w.array('means', gaps.means)}, {described.n_in});")
        x = to
    if gaps is not None and len(gaps.features):
        w.need("mark")
        marked, n = w.array("marked", gaps.features), len(gaps.features)
        calls.append(f"@mark({to} + {described.n_in}, x, {marked}, {n});")
    if scaling is not None:
        w.need("scale")
        center = w.array("center", scaling.center, what="of the inputs")
        factor = w.array("factor", 1 / scaling.scale)
        calls.append(f"@scale({to}, {x}, {center}, {factor}, {described.n_columns});")
    return calls


def activate_calls(w: Writer, layer: Layer, values: str) -> list[str]:
    """Return the call of an activation, which identity has none of."""
    if layer.activation == "identity":
        return []
    w.need(f"activate_{layer.activation}")
    return [f"@activate_{layer.activation}({values}, {layer.n_out});"]


def _unscale_call(described: Description, w: Writer) -> str:
    scaling = described.targets
    assert scaling is not None
    w.need("unscale")
    scale = np.where(np.isinf(scaling.scale), 0, scaling.scale)
    center = w.array("target_center", scaling.center, what="of the targets")
    return f"@unscale(outputs, {center}, {w.array('target_scale', scale)}, {described.n_out});"


def _transposed(blocks: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    return np.concatenate([block.T.ravel() for block in blocks])


def _shape(layer: Layer, n_blocks: int) -> str:
    shape = f"{layer.n_out // n_blocks} x {layer.n_in // n_blocks}"
    return shape if n_blocks == 1 else f"{n_blocks} blocks of {shape}: the others are zeros"


def _calls(function: str, layer: Layer, n_blocks: int, arrays: tuple[str, ...]) -> list[str]:
    """Return a call for all weights, or a loop of calls for their blocks."""
    n_in, n_out = layer.n_in // n_blocks, layer.n_out // n_blocks
    if n_blocks == 1:
        return [f"{function}({', '.join(arrays)}, {n_in}, {n_out});"]
    strides = [n_out, n_in * n_out, *[n_out] * (len(arrays) - 3), n_in]
    moved = [f"{one} + k * {stride}" for one, stride in zip(arrays, strides, strict=True)]
    call = f"    {function}({', '.join(moved)}, {n_in}, {n_out});"
    return [f"for (int k = 0; k < {n_blocks}; k++)", call]
