"""What skl2onnx asks a model for that it does not know: its outputs, their types, and its graph.

It looks for the methods ``onnx_parser``, ``onnx_shape_calculator`` and ``onnx_converter`` of a
model before it reports that there is no converter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..network.exportable import ExportableEstimator
from .described import description_of
from .description import Description
from .onnx_graph import Graph, add_labels, add_outputs, add_probabilities


def register(*kinds: type) -> None:
    """Let skl2onnx find estimators inside of ensembles, such as `VotingClassifier`.

    These look their members up in a table of skl2onnx, not at their methods. Classes of fastbp get
    there by themselves if skl2onnx is imported before they are fitted, loaded from a file or asked
    for their tags; call this if it was imported after that.

    Parameters
    ----------
    *kinds : type
        Classes of estimators with the methods above; by default all of fastbp that are in use. What
        the table has already stays as it is.

    Raises
    ------
    ImportError
        Without the package skl2onnx.
    """
    from skl2onnx import update_registered_converter
    from skl2onnx._supported_operators import sklearn_operator_name_map

    for kind in kinds or _subclasses_of(ExportableEstimator):
        if kind in sklearn_operator_name_map:
            continue
        update_registered_converter(
            kind,
            f"Fastbp{kind.__name__}",
            _shapes_of_registered,
            _convert_registered,
            parser=_parse_registered,
            options={"zipmap": [False]},  # what everybody passes for a classifier; nothing else is
        )


def _subclasses_of(kind: type) -> Iterator[type]:
    one: type
    for one in kind.__subclasses__():
        yield one
        yield from _subclasses_of(one)


def _parse_registered(
    scope: Any, model: Any, inputs: Sequence[Any], custom_parsers: Any = None
) -> Any:
    """Parse a model as one that is not registered."""
    from skl2onnx._parse import _parse_sklearn_simple_model

    return _parse_sklearn_simple_model(scope, model, inputs, custom_parsers)


def _shapes_of_registered(operator: Any) -> None:
    shape_calculator_of(operator.raw_operator)(operator)


def _convert_registered(scope: Any, operator: Any, container: Any) -> None:
    converter_of(operator.raw_operator)(scope, operator, container)


def parser_of(model: Any) -> Callable[..., list[Any]]:
    """Return a function that declares the outputs of a model, with skl2onnx's names."""

    def parse(scope: Any, inputs: Sequence[Any]) -> list[Any]:
        register(type(model))  # a search looks its estimator up after this call
        described = description_of(model)
        names = ["variable"] if described.task == "numbers" else ["label", "probabilities"]
        types = _types_of(described, inputs[0].type)
        if described.task == "classes":  # those of shape_calculator_of come later: in between
            types[0] = _whole_numbers([None])  # skl2onnx expects this of every classifier
        return [
            scope.declare_local_variable(name, kind)
            for name, kind in zip(names, types, strict=True)
        ]

    return parse


def shape_calculator_of(model: Any) -> Callable[[Any], None]:
    """Return a function that sets the types and shapes of the outputs of an operator."""

    def calculate(operator: Any) -> None:
        types = _types_of(description_of(model), operator.inputs[0].type)
        n_rows = operator.inputs[0].get_first_dimension()
        for output, kind in zip(operator.outputs, types, strict=True):
            kind.shape = [n_rows, *kind.shape[1:]]
            output.type = kind

    return calculate


def converter_of(model: Any) -> Callable[[Any, Any, Any], None]:
    """Return a function that adds the nodes of a model to skl2onnx's container."""

    def convert(scope: Any, operator: Any, container: Any) -> None:
        described = description_of(model)
        graph = Graph(_Parts(scope, container), described.dtype)
        own = "DOUBLE" if described.dtype == np.float64 else "FLOAT"
        asked = _real_type(operator.inputs[0].type)
        x = graph.node("Cast", operator.inputs[0].full_name, to_type=own)
        outputs = add_outputs(graph, described, x)
        names = [output.full_name for output in operator.outputs]
        if described.task != "numbers":
            outputs = add_probabilities(graph, described, outputs)
            graph.node("Identity", add_labels(graph, described, outputs), to=names[0])
        graph.node("Cast", outputs, to=names[-1], to_type=asked)

    return convert


class _Parts:
    """Nodes and constants for skl2onnx's container."""

    def __init__(self, scope: Any, container: Any) -> None:
        self._scope, self._container = scope, container

    def unique(self, name: str) -> str:
        return str(self._scope.get_unique_variable_name(name))

    def add_constant(self, name: str, values: NDArray[Any]) -> None:
        types = _tensor_types()
        kind = {"O": types.STRING, "i": types.INT64}.get(values.dtype.kind)
        if kind is None:
            kind = types.DOUBLE if values.dtype == np.float64 else types.FLOAT
        content = values.ravel()
        if values.dtype == object:
            content = np.array([value.encode("utf-8") for value in values], dtype=object)
        self._container.add_initializer(name, kind, list(values.shape), content.tolist())

    def add_node(self, op: str, inputs: Sequence[str], output: str, attributes: Any) -> None:
        attributes = dict(attributes)
        if "to_type" in attributes:
            attributes["to"] = getattr(_tensor_types(), attributes.pop("to_type"))
        name = self._scope.get_unique_operator_name(op)
        self._container.add_node(op, list(inputs), output, name=name, **attributes)


def _tensor_types() -> Any:
    from onnx import TensorProto

    return TensorProto


def _real_type(kind: Any) -> str:
    """Return the type of the outputs, which skl2onnx takes from that of the inputs."""
    return "DOUBLE" if type(kind).__name__ == "DoubleTensorType" else "FLOAT"


def _types_of(described: Description, input_type: Any) -> list[Any]:
    from skl2onnx.common import data_types

    is_double = _real_type(input_type) == "DOUBLE"
    real = data_types.DoubleTensorType if is_double else data_types.FloatTensorType
    if described.task == "numbers":
        return [real([None, described.n_out])]
    if described.task == "labels":
        return [_whole_numbers([None, described.n_out]), real([None, described.n_out])]
    is_text = isinstance(described.labels()[0], str)
    label = data_types.StringTensorType([None]) if is_text else _whole_numbers([None])
    return [label, real([None, described.n_probabilities])]


def _whole_numbers(shape: list[int | None]) -> Any:
    from skl2onnx.common.data_types import Int64TensorType

    return Int64TensorType(shape)
