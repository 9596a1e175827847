"""``fastbp export``: a saved model as ONNX or C."""

from __future__ import annotations

import argparse
import copy
from typing import Any

import numpy as np

from ..io.files import write_file
from .console import UserError, mistakes_of_files, say, say_result
from .encoding import groups_of, inputs_of
from .model_file import loaded
from .outputs import check_output
from .progress import Waiting

PIP = 'python -m pip install "fastbp[onnx]"'


def run(options: argparse.Namespace) -> int:
    """Write the model in another format; return the exit code."""
    path = options.onnx or options.c
    check_output(path, options.model)
    if options.c:
        check_output(path.with_suffix(".h"), options.model)
    model = loaded(options.model)
    try:
        names: dict[str, str] = {}
        if options.onnx:
            inputs, names = _to_onnx(model, path)
        else:
            inputs = _to_c(model, path, options.name)
    except (ValueError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"the model in {options.model} cannot be exported: {reason}") from error
    say(f"{path}: {path.stat().st_size / 1000:,.0f} kB", *(f"  {line}" for line in inputs))
    say_result({"file": str(path), "inputs": inputs, "names": names})
    return 0


def _to_c(model: Any, path: Any, name: str | None) -> list[str]:
    """Write C from the encoded columns on, whose meaning stands in the comment."""
    last = model
    if hasattr(model, "steps"):
        last = copy.copy(model.steps[-1][1])
        inputs = [f"{one}: {what}" if what else one for one, what in _inputs(model, last)]
        last.feature_names_in_ = np.array(inputs, dtype=object)
    if not hasattr(last, "to_c"):
        raise UserError(f"a {type(last).__name__} cannot be written as C")
    with mistakes_of_files():
        last.to_c(path, name=name)
    return ["C99; the inputs and what they mean are in its first comment"]


def _inputs(model: Any, last: Any) -> list[tuple[str, str]]:
    if groups_of(model):
        return inputs_of(model)
    names = [str(name) for name in model[:-1].get_feature_names_out()]
    return [(name, "") for name in names] if len(names) == last.n_features_in_ else []


def _to_onnx(model: Any, path: Any) -> tuple[list[str], dict[str, str]]:
    """Write ONNX: a pipeline with an input for each column, anything else with one matrix.

    Return what to say of the inputs, and the name of that of each column, which skl2onnx changes
    where the column's is no identifier.
    """
    groups = groups_of(model)
    if not groups:
        if not hasattr(model, "to_onnx"):
            raise UserError("only pipelines of fastbp fit and fastbp's models are written as ONNX")
        with mistakes_of_files():
            model.to_onnx(path)
        return ["X: all columns"], {}
    try:
        from skl2onnx import convert_sklearn
        from skl2onnx.common.data_types import DoubleTensorType, StringTensorType
    except ImportError:
        raise UserError(f"ONNX needs onnx and skl2onnx, which are not installed: {PIP}") from None
    types = []
    for group, names in groups.items():
        kind = StringTensorType if group == "texts" else DoubleTensorType
        types += [(name, kind([None, 1])) for name in names]
    options = {id(model.steps[-1][1]): {"zipmap": False}} if hasattr(model, "classes_") else {}
    with Waiting("Converting"):
        proto = convert_sklearn(model, initial_types=types, options=options)
    with mistakes_of_files():
        write_file(path, proto.SerializeToString())
    shown = {"texts": "text", "numbers": "float64", "dates": "float64, days since 1970-01-01"}
    kinds = {name: shown[group] for group, names in groups.items() for name in names}
    inputs = dict(zip(kinds, (one.name for one in proto.graph.input), strict=True))
    return [
        f"{name} -> {inputs[name]}: {kind}" if inputs[name] != name else f"{name}: {kind}"
        for name, kind in kinds.items()
    ], inputs
