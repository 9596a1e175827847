"""`to_c`: a model as one C source, and its header."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..io.files import check_writable, write_file
from ..network.data import as_rows
from ..network.scaling import Scaling
from .c_layers import layer_functions
from .c_learn import learning_functions
from .c_math import functions_for
from .c_predict import Layers, LayersOfInt8, add_predictions
from .c_source import Source
from .c_step import LayersThatLearn, add_step
from .c_text import Writer, checked_name, name_of_file
from .described import description_of
from .description import Description
from .int8 import FUNCTIONS as FUNCTIONS_OF_INT8
from .int8 import loss_of_accuracy, quantized
from .running import Running
from .shapes import folded

DTYPES = ("float32", "float64", "int8")
RULES = {False: "", True: "sgd", "sgd": "sgd", "adagrad": "adagrad"}


def to_c(
    model: Any,
    path: Any = None,
    name: str | None = None,
    dtype: str = "float32",
    *,
    math: bool = True,
    learn: bool | str = False,
    calibration: Any = None,
) -> str:
    """Return a model as C source: see `fastbp.network.exportable.Exportable.to_c`."""
    name = name_of_file(path) if name is None else checked_name(name)
    rule = _checked_options(dtype, learn, calibration)
    described = description_of(model)
    if rule:
        _check_can_learn(described)
    rows = None
    if dtype == "int8":
        rows = _calibration_rows(calibration, described)
    header = _header_path(path)
    if path is not None:
        check_writable(path)
        check_writable(header)
    source = _source_of(described, name, dtype, libm=bool(math), rule=rule, rows=rows)
    if path is not None:
        include = f'#include "{os.path.basename(header)}"'
        write_file(header, source.header())
        write_file(path, source.text(include))
    return source.text(source.declarations())


def _checked_options(dtype: Any, learn: Any, calibration: Any) -> str:
    """Return the rule of steps, "" for none."""
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise ValueError(f'dtype must be "float32", "float64" or "int8"; got {dtype!r}')
    if not isinstance(learn, (bool, str)) or learn not in RULES:
        raise ValueError(f'learn must be False, True, "sgd" or "adagrad"; got {learn!r}')
    if dtype == "int8" and learn:
        raise ValueError('learn needs dtype="float32" or "float64": steps are too small for int8')
    if dtype == "int8" and calibration is None:
        raise ValueError(
            'dtype="int8" needs calibration: some hundred rows of X, which show what values occur'
        )
    if dtype != "int8" and calibration is not None:
        raise ValueError(f'calibration is for dtype="int8"; got dtype={dtype!r}')
    return RULES[learn]


def _check_can_learn(described: Description) -> None:
    if isinstance(described.inputs, Running):
        raise ValueError(
            "learn=True is not for models of streams: each row changes their scaling and the "
            "mixture of their networks, too. Export it without, or a BackpropClassifier or "
            "BackpropRegressor with it"
        )
    if described.loss is None:
        raise ValueError("learn needs a loss that networks have; this model has another one")


def _calibration_rows(X: Any, described: Description) -> NDArray[Any]:
    names = described.feature_names
    if names is not None and hasattr(X, "columns"):
        missing = [name for name in names if name not in X.columns]
        if missing:
            raise ValueError(f"calibration has no column {missing[0]!r}, which the model needs")
        X = X[list(names)]
    X = X.toarray() if hasattr(X, "toarray") else np.asarray(X)
    is_gap = np.zeros(X.shape, bool)
    if described.gaps is not None or isinstance(described.inputs, Running):  # else NaN is refused
        is_gap = np.isnan(X.astype(np.float64))
    checked = as_rows(np.where(is_gap, 0, X), described.n_in, np.dtype(np.float64))
    if not len(checked):
        raise ValueError("calibration has no rows")
    return np.where(is_gap, np.nan, checked)


def _header_path(path: Any) -> str:
    if path is None:
        return ""
    stem, extension = os.path.splitext(os.fsdecode(path))
    if extension != ".c":
        raise ValueError(f'path must end in ".c", such as "model.c"; got {os.fsdecode(path)!r}')
    return f"{stem}.h"


def _source_of(
    described: Description, name: str, dtype: str, *, libm: bool, rule: str, rows: Any
) -> Source:
    """Return the source for a rule of steps, or "", and for rows of calibration, or None."""
    real = np.dtype(np.float64 if dtype == "float64" else np.float32)
    if not rule and rows is None:
        described = folded(described)
    limit = described.inputs.limit if isinstance(described.inputs, Scaling) else None
    functions = dict(functions_for(real, libm=libm, as_kernels=bool(rule)))
    functions |= layer_functions(real, limit) | FUNCTIONS_OF_INT8
    functions |= learning_functions(name, rule) if rule else {}
    writer = Writer(name, real, functions)
    source = Source(described, writer, dtype, libm=libm)
    if rule:
        that_learn = LayersThatLearn(described, writer)
        add_predictions(source, [that_learn])
        add_step(source, that_learn, rule)
    elif rows is not None:
        eights = [quantized(one, rows) for one in described.networks]
        source.notes.append(loss_of_accuracy(described, eights, rows))
        parts = zip(described.networks, eights, _prefixes(described), strict=True)
        networks = [LayersOfInt8(one, writer, eight, prefix) for one, eight, prefix in parts]
        add_predictions(source, networks)
    else:
        named = zip(described.networks, _prefixes(described), strict=True)
        add_predictions(source, [Layers(one, writer, prefix) for one, prefix in named])
    return source


def _prefixes(described: Description) -> list[str]:
    """Return what the names of the arrays of each network begin with."""
    n = len(described.networks)
    return [""] if n == 1 else [f"net{k}_" for k in range(n)]
