"""`to_onnx`: a model as an ONNX file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import __version__
from ..io.files import checked_path, write_file
from .described import description_of
from .description import Description
from .onnx_graph import Graph, add_labels, add_outputs, add_probabilities

OPSET, IR_VERSION = 9, 4  # the oldest with all operators: Where came with 9
NEEDS_ONNX = (
    'to_onnx needs the package onnx, which is an extra: python -m pip install "fastbp[onnx]"'
)


def to_onnx(model: Any, path: Any = None, *, zipmap: bool = False) -> Any:
    """Return a model as a ModelProto: see `fastbp.network.exportable.Exportable.to_onnx`."""
    try:
        import onnx
    except ImportError as error:
        raise ImportError(NEEDS_ONNX) from error
    described = description_of(model)
    if zipmap and described.task != "classes":
        raise ValueError(
            "zipmap=True is for a classifier with one label a row; this model has no map from "
            "labels to probabilities. Leave zipmap=False"
        )
    if path is not None:
        checked_path(path)
    proto = _model_of(onnx, described, type(model).__name__, zipmap)
    if path is not None:
        write_file(path, proto.SerializeToString())
    return proto


class _Parts:
    """Nodes and constants for `onnx.helper.make_graph`."""

    def __init__(self, onnx: Any) -> None:
        self._onnx = onnx
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self._counts: dict[str, int] = {}

    def unique(self, name: str) -> str:
        n = self._counts[name] = self._counts.get(name, -1) + 1
        return f"{name}_{n}"

    def add_constant(self, name: str, values: NDArray[Any]) -> None:
        if values.dtype == object:
            tensor = self._onnx.helper.make_tensor(
                name,
                self._onnx.TensorProto.STRING,
                values.shape,
                [value.encode("utf-8") for value in values],
            )
        else:
            tensor = self._onnx.numpy_helper.from_array(np.ascontiguousarray(values), name)
        self.constants.append(tensor)

    def add_node(self, op: str, inputs: Sequence[str], output: str, attributes: Any) -> None:
        attributes = dict(attributes)
        if "to_type" in attributes:
            attributes["to"] = getattr(self._onnx.TensorProto, attributes.pop("to_type"))
        name = self.unique(f"node_{op}")
        node = self._onnx.helper.make_node(op, inputs, [output], name=name, **attributes)
        self.nodes.append(node)


def _model_of(onnx: Any, described: Description, producer: str, zipmap: bool) -> Any:
    parts = _Parts(onnx)
    graph = Graph(parts, described.dtype)
    real = onnx.helper.np_dtype_to_tensor_dtype(described.dtype)
    values = onnx.helper.make_tensor_value_info
    outputs = add_outputs(graph, described, "X")
    if described.task == "numbers":
        graph.node("Identity", outputs, to="variable")
        infos = [values("variable", real, ["n", described.n_out])]
    else:
        probabilities = add_probabilities(graph, described, outputs)
        graph.node("Identity", add_labels(graph, described, probabilities), to="label")
        shape = ["n", described.n_out] if described.task == "labels" else ["n"]
        infos = [values("label", _label_type(onnx, described), shape)]
        if zipmap:
            infos.append(_add_map(onnx, parts, described, probabilities))
        else:
            graph.node("Identity", probabilities, to="probabilities")
            columns = ["n", described.n_probabilities]
            infos.append(values("probabilities", real, columns))
    inputs = [values("X", real, ["n", described.n_in])]
    return _checked_model(
        onnx, onnx.helper.make_graph(parts.nodes, producer, inputs, infos, parts.constants),
        described, zipmap,
    )  # fmt: skip


def _checked_model(onnx: Any, graph: Any, described: Description, zipmap: bool) -> Any:
    opsets = [onnx.helper.make_opsetid("", OPSET)]
    if zipmap:
        opsets.append(onnx.helper.make_opsetid("ai.onnx.ml", 1))
    proto = onnx.helper.make_model(
        graph,
        opset_imports=opsets,
        ir_version=IR_VERSION,
        producer_name="fastbp",
        producer_version=__version__,
    )
    if described.feature_names is not None:
        names = json.dumps(described.feature_names)
        onnx.helper.set_model_props(proto, {"feature_names": names})
    onnx.checker.check_model(proto)
    return proto


def _label_type(onnx: Any, described: Description) -> int:
    types = onnx.TensorProto
    is_text = described.task == "classes" and isinstance(described.labels()[0], str)
    return int(types.STRING if is_text else types.INT64)


def _add_map(onnx: Any, parts: _Parts, described: Description, probabilities: str) -> Any:
    """Add ``probabilities`` as a map for each row, which ONNX has of float32 only."""
    labels = described.labels()
    key = "strings" if isinstance(labels[0], str) else "int64s"
    single = parts.unique("float32")
    parts.add_node("Cast", [probabilities], single, {"to_type": "FLOAT"})
    node = onnx.helper.make_node(
        "ZipMap",
        [single],
        ["probabilities"],
        name="node_ZipMap",
        domain="ai.onnx.ml",
        **{f"classlabels_{key}": labels},
    )
    parts.nodes.append(node)
    make, types = onnx.helper, onnx.TensorProto
    number = make.make_tensor_type_proto(types.FLOAT, [])
    of_row = make.make_map_type_proto(_label_type(onnx, described), number)
    return make.make_value_info("probabilities", make.make_sequence_type_proto(of_row))
