"""`Graph`: nodes and constants of an ONNX graph as they are added, and a model's own among them.

Functions that some opsets or runtimes lack, or have in float32 only, are built from primitives.
Opset 9 has all of these, and no later one gives them another meaning here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..network.scaling import Scaling
from .description import Description, Gaps
from .normal import SHIFT, terms_of
from .running import Running

SELU_SCALE, SELU_BELOW = 1.0507009873554804934, 1.7580993408473768599
MOST = 1e9  # a scaled input that is larger, in limits, is as good as the limit


class Container(Protocol):
    """Where nodes and constants go: an ONNX model, or the container of skl2onnx."""

    def unique(self, name: str) -> str:
        """Return a name that nothing else has."""

    def add_constant(self, name: str, values: NDArray[Any]) -> None:
        """Add an array of float, int64 or text."""

    def add_node(self, op: str, inputs: Sequence[str], output: str, attributes: Any) -> None:
        """Add a node with one output, of the default domain."""


class Graph:
    """A graph that is being built, in one dtype.

    Parameters
    ----------
    container : Container
    dtype : dtype
        float64 or float32.
    """

    def __init__(self, container: Container, dtype: np.dtype[Any]) -> None:
        self._container, self.dtype = container, dtype
        self.real = "DOUBLE" if dtype == np.float64 else "FLOAT"
        self._numbers: dict[float, str] = {}

    def node(self, op: str, *inputs: str | float, to: str | None = None, **attributes: Any) -> str:
        """Add a node; return the name of its output, ``to`` if that is given."""
        names = [self._number(x) if not isinstance(x, str) else x for x in inputs]
        output = self._container.unique(op.lower()) if to is None else to
        self._container.add_node(op, names, output, attributes)
        return output

    def constant(self, name: str, values: NDArray[Any]) -> str:
        """Add an array; return its name."""
        name = self._container.unique(name)
        self._container.add_constant(name, values)
        return name

    def _number(self, value: float) -> str:
        if value not in self._numbers:
            array = np.array([value], dtype=self.dtype)
            self._numbers[value] = self.constant("number", array)
        return self._numbers[value]

    def floats(self, name: str, values: NDArray[Any]) -> str:
        """Add an array of numbers in the graph's dtype; return its name."""
        with np.errstate(over="ignore"):  # of numbers that float32 does not hold
            return self.constant(name, values.astype(self.dtype))


def add_outputs(graph: Graph, described: Description, x: str) -> str:
    """Add scaling and layers; return the outputs, in the units of the targets."""
    a = x if described.gaps is None else _filled(graph, described.gaps, x)
    if isinstance(described.inputs, Running):
        a = _scaled_by_running(graph, described.inputs, a)
    elif described.inputs is not None:
        a = _scaled(graph, described.inputs, a)
    outputs = _mixture(graph, described, [_layers(graph, one, a) for one in described.networks])
    if described.targets is None:
        return outputs
    scale = np.where(np.isinf(described.targets.scale), 0, described.targets.scale)
    own = graph.node("Mul", outputs, graph.floats("target_scale", scale))
    return graph.node("Add", own, graph.floats("target_center", described.targets.center))


def _layers(graph: Graph, described: Description, a: str) -> str:
    for l, layer in enumerate(described.layers):
        W = graph.floats(f"W{l}", layer.weights)
        z = graph.node("Gemm", a, W, graph.floats(f"b{l}", layer.biases))
        a = ACTIVATIONS[layer.activation](graph, z)
    return a


def _mixture(graph: Graph, described: Description, outputs: Sequence[str]) -> str:
    first, *others = outputs
    if not others:
        return first
    total = graph.node("Mul", first, described.shares[0])
    for share, one in zip(described.shares[1:], others, strict=True):
        total = graph.node("Add", total, graph.node("Mul", one, share))
    return total


def add_probabilities(graph: Graph, described: Description, outputs: str) -> str:
    """Add what makes two columns of the probability of the second class."""
    if described.n_probabilities == described.n_out:
        return outputs
    return graph.node("Concat", graph.node("Sub", 1.0, outputs), outputs, axis=1)


def add_labels(graph: Graph, described: Description, probabilities: str) -> str:
    """Add what makes labels of probabilities; return them, int64 or text."""
    if described.task == "labels":
        return graph.node("Cast", graph.node("Greater", probabilities, 0.5), to_type="INT64")
    labels = described.labels()
    values = np.array(labels, dtype=object if isinstance(labels[0], str) else np.int64)
    # The larger of 1 - p and p is that of p > 0.5: for p from there on 1 - p is exact.
    number = graph.node("ArgMax", probabilities, axis=1, keepdims=0)
    return graph.node("Gather", graph.constant("classes", values), number, axis=0)


def _filled(graph: Graph, gaps: Gaps, x: str) -> str:
    """Add what puts means in place of NaN, and a column of marks for some inputs."""
    is_number = _is_number(graph, x)
    filled = graph.node("Where", is_number, x, graph.floats("means", gaps.means))
    if not len(gaps.features):
        return filled
    marks = graph.node("Cast", graph.node("Not", is_number), to_type=graph.real)
    features = graph.constant("marked", gaps.features.astype(np.int64))
    return graph.node("Concat", filled, graph.node("Gather", marks, features, axis=1), axis=1)


def _is_number(graph: Graph, x: str) -> str:
    """Any number is below 1 or above 0, and NaN is neither: runtimes may lack IsNaN in float64."""
    return graph.node("Or", graph.node("Less", x, 1.0), graph.node("Greater", x, 0.0))


def _scaled_by_running(graph: Graph, running: Running, x: str) -> str:
    center, bound = graph.floats("center", running.center), graph.floats("bound", running.bound)
    filled = graph.node("Where", _is_number(graph, x), x, center)
    t = graph.node("Mul", graph.node("Sub", filled, center), graph.floats("factor", running.factor))
    t = graph.node("Max", graph.node("Min", t, bound), graph.floats("bound", -running.bound))
    if not running.is_constant.any():
        return t
    occurs = graph.node("Or", graph.node("Less", x, 0.0), graph.node("Greater", x, 0.0))
    marks = graph.node("Cast", occurs, to_type=graph.real)
    is_constant = graph.floats("is_constant", running.is_constant)
    return graph.node("Add", t, graph.node("Mul", marks, is_constant))


def _scaled(graph: Graph, scaling: Scaling, x: str) -> str:
    centered = graph.node("Sub", x, graph.floats("center", scaling.center))
    factor = 1 / scaling.scale
    if scaling.is_linear:
        return graph.node("Mul", centered, graph.floats("factor", factor))
    t = graph.node("Mul", centered, graph.floats("factor", factor))
    share = graph.node("Mul", t, 1 / scaling.limit)
    share = graph.node("Max", graph.node("Min", share, MOST), -MOST)
    root = graph.node("Sqrt", graph.node("Add", graph.node("Mul", share, share), 1.0))
    return graph.node("Div", share, graph.node("Mul", root, 1 / scaling.limit))


# -- activations -----------------------------------------------------------------------------------


def _logistic(graph: Graph, z: str) -> str:
    """1 / (1 + e^-z), which keeps its digits far below 0, where runtimes cut Sigmoid off."""
    e = graph.node("Exp", graph.node("Neg", z))
    return graph.node("Div", 1.0, graph.node("Add", e, 1.0))


def _exp(graph: Graph, z: str) -> str:
    """At most the largest number, as in training."""
    most = math.log(np.finfo(graph.dtype).max)
    return graph.node("Exp", graph.node("Min", z, np.nextafter(graph.dtype.type(most), 0)))


def _leaky_relu(graph: Graph, z: str) -> str:
    return graph.node("Max", graph.node("Mul", z, 0.01), z)


def _expm1_below(graph: Graph, z: str) -> str:
    """e^z - 1 of what is below 0, and 0 above: 2 t / (1 - t), t = tanh(z / 2)."""
    t = graph.node("Tanh", graph.node("Mul", graph.node("Min", z, 0.0), 0.5))
    return graph.node("Div", graph.node("Add", t, t), graph.node("Sub", 1.0, t))


def _elu(graph: Graph, z: str) -> str:
    return graph.node("Add", graph.node("Max", z, 0.0), _expm1_below(graph, z))


def _selu(graph: Graph, z: str) -> str:
    above = graph.node("Mul", graph.node("Max", z, 0.0), SELU_SCALE)
    return graph.node("Add", above, graph.node("Mul", _expm1_below(graph, z), SELU_BELOW))


def _softplus(graph: Graph, z: str) -> str:
    """max(z, 0) + log(1 + e), e = e^-|z|: log(u) - ((u - 1) - e) / u of the rounded u = 1 + e."""
    e = graph.node("Exp", graph.node("Neg", graph.node("Abs", z)))
    u = graph.node("Add", e, 1.0)
    lost = graph.node("Sub", graph.node("Sub", u, 1.0), e)
    log = graph.node("Sub", graph.node("Log", u), graph.node("Div", lost, u))
    return graph.node("Add", graph.node("Max", z, 0.0), log)


def _silu(graph: Graph, z: str) -> str:
    return graph.node("Mul", z, _logistic(graph, z))


def _gelu(graph: Graph, z: str) -> str:
    """Z times the normal distribution's share below it: see `normal`."""
    x = graph.node("Mul", graph.node("Abs", z), math.sqrt(0.5))
    t = graph.node("Div", SHIFT, graph.node("Add", x, SHIFT))
    u = graph.node("Sub", graph.node("Add", t, t), 1.0)
    *terms, value = terms_of(graph.dtype)
    total: str | float = value
    for term in reversed(terms):
        total = graph.node("Add", graph.node("Mul", u, total), term)
    density = graph.node("Exp", graph.node("Neg", graph.node("Mul", x, x)))
    tail = graph.node("Mul", graph.node("Mul", density, 0.5), graph.node("Mul", t, total))
    below = graph.node("Less", z, 0.0)
    share = graph.node("Where", below, tail, graph.node("Sub", 1.0, tail))
    return graph.node("Mul", z, share)


def _mish(graph: Graph, z: str) -> str:
    """Z tanh(log(1 + e^z)) = z n / (n + 2), n = e^z (e^z + 2); from z = 20 on it is z."""
    e = graph.node("Exp", graph.node("Min", z, 20.0))
    n = graph.node("Mul", e, graph.node("Add", e, 2.0))
    return graph.node("Mul", z, graph.node("Div", n, graph.node("Add", n, 2.0)))


def _operator(op: str, **attributes: Any) -> Callable[[Graph, str], str]:
    return lambda graph, z: graph.node(op, z, **attributes)


ACTIVATIONS: dict[str, Callable[[Graph, str], str]] = {
    "identity": lambda graph, z: z,
    "logistic": _logistic,
    "tanh": _operator("Tanh"),
    "relu": _operator("Relu"),
    "exp": _exp,
    "softmax": _operator("Softmax", axis=1),
    "leaky_relu": _leaky_relu,
    "elu": _elu,
    "selu": _selu,
    "softplus": _softplus,
    "silu": _silu,
    "gelu": _gelu,
    "mish": _mish,
}
