"""What a C source has for predictions: the arrays of each layer, and the calls for a row."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .c_layers import prediction_functions
from .c_source import Source
from .c_text import Writer
from .description import Description, Layer
from .int8 import Layer8
from .running import Running
from .shapes import blocks_of


class Layers:
    """How a source writes the layers of a network: constant weights, of shape (n_out, n_in).

    Parameters
    ----------
    described : Description
        Of one network.
    writer : Writer
    prefix : str, default=""
        Of the names of arrays, where there are several networks.
    """

    def __init__(self, described: Description, writer: Writer, prefix: str = "") -> None:
        self.of, self._w, self._prefix = described, writer, prefix

    def call(self, l: int, z: str, a: str) -> list[str]:
        """Return the call for layer l, z of a, and add its weights."""
        layer, w, prefix = self.of.layers[l], self._w, self._prefix
        blocks = blocks_of(layer)
        w.need("dense")
        W = w.array(f"{prefix}W{l}", _transposed(blocks), what=_shape(layer, len(blocks)))
        b = w.array(f"{prefix}b{l}", layer.biases)
        return _calls("@dense", layer, len(blocks), (z, W, b, a))


class LayersOfInt8(Layers):
    """Weights in whole numbers; what a layer is given is made whole before."""

    def __init__(
        self, described: Description, writer: Writer, eights: list[Layer8], prefix: str = ""
    ) -> None:
        super().__init__(described, writer, prefix)
        self._eights = eights

    def call(self, l: int, z: str, a: str) -> list[str]:
        """Return the calls for layer l, z of a, and add its weights."""
        layer, eight, w = self.of.layers[l], self._eights[l], self._w
        n_blocks = len(blocks_of(layer))
        blocks = blocks_of(Layer(eight.weights, eight.biases, ""), n_blocks)
        w.need("quantize", "dense8")
        W = w.array(f"{self._prefix}W{l}", _transposed(blocks), what=_shape(layer, n_blocks))
        scale = w.array(f"{self._prefix}scale{l}", eight.scales)
        arrays = (z, W, scale, w.array(f"{self._prefix}b{l}", eight.biases), "q")
        quantize = f"@quantize(q, {a}, K({eight.inverse_step!s}), {eight.zero}, {layer.n_in});"
        return [quantize, *_calls("@dense8", layer, n_blocks, arrays)]


def add_predictions(source: Source, networks: Sequence[Layers]) -> None:
    """Add ``outputs``, and what makes probabilities and labels of them."""
    described, w = source.of, source.w
    calls, buffers = _pass(described, w, networks)
    rooms = [f"real {one}[{n}];" for one, n in buffers.items() if n]
    n_bytes = w.dtype.itemsize * sum(buffers.values())
    if isinstance(networks[0], LayersOfInt8):
        widest = max(layer.n_in for one in described.networks for layer in one.layers)
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


def _pass(
    described: Description, w: Writer, networks: Sequence[Layers]
) -> tuple[list[str], dict[str, int]]:
    """Return the calls that make outputs of x, and the sizes of the buffers in between."""
    buffers = {"u": 0, "v": 0}
    if len(networks) == 1:
        calls, a = input_calls(described, w, "u"), "x"
        if calls:
            a, buffers["u"] = "u", described.n_columns
        calls += _chain(networks[0], w, a, "outputs", buffers)
    else:
        w.need("mix")
        buffers |= {"scaled": described.n_columns, "part": described.n_out}
        n = described.n_out
        calls = input_calls(described, w, "scaled")
        calls.append(f"for (int k = 0; k < {n}; k++) outputs[k] = 0;")
        for share, layers in zip(described.shares, networks, strict=True):
            calls += _chain(layers, w, "scaled", "part", buffers)
            calls.append(f"@mix(outputs, part, K({share!r}), {n});")
    if described.targets is not None:
        calls.append(_unscale_call(described, w))
    return calls, buffers


def _chain(layers: Layers, w: Writer, a: str, to: str, buffers: dict[str, int]) -> list[str]:
    """Return the calls that make the outputs of a network of its inputs a."""
    calls: list[str] = []
    for l, layer in enumerate(layers.of.layers):
        z = "v" if a == "u" else "u"
        if l == len(layers.of.layers) - 1:
            z = to
        else:
            buffers[z] = max(buffers[z], layer.n_out)
        calls += layers.call(l, z, a)
        calls += activate_calls(w, layer, z)
        a = z
    return calls


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
    if isinstance(scaling, Running):
        w.need("scale_running")
        arrays = [w.array("center", scaling.center, what="of the inputs")]
        arrays += [w.array("factor", scaling.factor), w.array("bound", scaling.bound)]
        calls.append(f"@scale_running({to}, {x}, {', '.join(arrays)}, {described.n_columns});")
    elif scaling is not None:
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
