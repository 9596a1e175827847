"""genann, a small C library: from a shared library of it that FASTBP_GENANN names."""

import ctypes
import dataclasses
import os
from functools import cache
from itertools import pairwise

import numpy as np

from ..task import Task
from . import Missing
from .native import compiler
from .row_calls import RowCalls

NAME = "genann"
INSTALL = "Name a shared library built from a genann checkout with --genann, or in FASTBP_GENANN"
COMPARABLE = True


class Fields(ctypes.Structure):
    """``struct genann``."""

    _fields_ = (
        *((name, ctypes.c_int) for name in ("inputs", "hidden_layers", "hidden", "outputs")),
        *((name, ctypes.c_void_p) for name in ("activation_hidden", "activation_output")),
        *((name, ctypes.c_int) for name in ("total_weights", "total_neurons")),
        *((name, ctypes.POINTER(ctypes.c_double)) for name in ("weight", "output", "delta")),
    )


def version() -> str:
    opened()
    return "unversioned"


@cache
def opened() -> ctypes.CDLL:
    compiler()  # for the loop around it
    path = os.environ.get("FASTBP_GENANN")
    if not path:
        raise Missing("FASTBP_GENANN is not set")
    try:
        library = ctypes.CDLL(os.path.abspath(path))
        library.genann_init.restype = ctypes.POINTER(Fields)
        assert library.genann_train
    except (OSError, AttributeError) as reason:
        raise Missing(f"{path} is no shared library of genann ({reason})") from None
    return library


def has_relu() -> bool:
    return hasattr(opened(), "genann_act_relu")


def does(task: Task) -> Task | None:
    """Return the task with ReLU, or with logistic units in versions that do not know it."""
    plain = task.is_dense and task.loss == "squared_error" and task.dtype == "float64"
    plain = plain and task.solver == "sgd" and task.batch_size == 1 and len(set(task.hidden)) == 1
    if not plain or task.activation not in ("relu", "logistic"):
        return None
    activation = task.activation if has_relu() else "logistic"
    return dataclasses.replace(task, activation=activation)


class trainer(RowCalls):
    def __init__(self, task: Task, exact: bool = False) -> None:
        library = opened()
        sizes = task.layer_sizes
        self.net = library.genann_init(sizes[0], len(task.hidden), task.hidden[0], sizes[-1])
        looked_up = library.genann_act_sigmoid_cached
        logistic = library.genann_act_sigmoid if exact else looked_up
        hidden = library.genann_act_relu if task.activation == "relu" else logistic
        fields = self.net.contents
        fields.activation_hidden = ctypes.cast(hidden, ctypes.c_void_p)
        fields.activation_output = ctypes.cast(library.genann_act_linear, ctypes.c_void_p)
        self.weight = np.ctypeslib.as_array(fields.weight, (fields.total_weights,))
        units = [
            np.vstack([-b, W]).T.ravel() for W, b in zip(*task.parameters, strict=True)
        ]  # a unit's bias, of an input that is -1, before its weights
        self.weight[:] = np.concatenate(units)
        super().__init__(task, library.genann_train, self.net, task.learning_rate)

    def __del__(self) -> None:
        opened().genann_free(self.net)

    def parameters(self) -> list[np.ndarray]:
        weights, biases, start = [], [], 0
        for n_in, n_out in pairwise(self.task.layer_sizes):
            stop = start + (n_in + 1) * n_out
            units = self.weight[start:stop].reshape(n_out, n_in + 1)
            weights.append(units[:, 1:].T.copy())
            biases.append(-units[:, 0])
            start = stop
        return weights + biases
