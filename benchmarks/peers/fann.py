"""FANN, a C library: incremental training in double."""

import ctypes
import ctypes.util
import dataclasses
from functools import cache
from itertools import pairwise

import numpy as np

from ..task import Task
from . import Missing
from .native import compiler
from .row_calls import RowCalls

NAME = "FANN"
INSTALL = "On Debian: apt-get install libfann-dev"
COMPARABLE = True

# of fann_data.h and fann_train.h
TRAIN_INCREMENTAL = 0
LINEAR, LOGISTIC, LOGISTIC_STEPWISE, TANH, TANH_STEPWISE = 0, 3, 4, 5, 6
LINEAR_ERROR = 0


class Connection(ctypes.Structure):
    """``struct fann_connection``: units are numbered layer by layer, each layer's bias last."""

    _fields_ = (
        ("from_unit", ctypes.c_uint),
        ("to_unit", ctypes.c_uint),
        ("weight", ctypes.c_double),
    )


def version() -> str:
    return str(opened()._name)


@cache
def opened() -> ctypes.CDLL:
    compiler()  # for the loop around it
    path = ctypes.util.find_library("doublefann")
    if path is None:
        raise Missing("libdoublefann was not found")
    library = ctypes.CDLL(path)
    library.fann_create_standard_array.restype = ctypes.c_void_p
    return library


def does(task: Task) -> Task | None:
    """Return the task with logistic units: the library has no ReLU."""
    plain = task.is_dense and task.loss == "squared_error" and task.dtype == "float64"
    plain = plain and task.solver == "sgd" and task.batch_size == 1
    return dataclasses.replace(task, activation="logistic") if plain else None


class trainer(RowCalls):
    def __init__(self, task: Task, exact: bool = False) -> None:
        library, sizes = opened(), task.layer_sizes
        units = (ctypes.c_uint * len(sizes))(*sizes)
        self.net = ctypes.c_void_p(library.fann_create_standard_array(len(sizes), units))
        library.fann_set_training_algorithm(self.net, TRAIN_INCREMENTAL)
        library.fann_set_train_error_function(self.net, LINEAR_ERROR)
        activation = LOGISTIC if exact else LOGISTIC_STEPWISE
        library.fann_set_activation_function_hidden(self.net, activation)
        library.fann_set_activation_function_output(self.net, LINEAR)
        # its logistic is 1 / (1 + exp(-2 s z)), and its identity s z, for a steepness s
        for set_steepness, steepness in (
            (library.fann_set_activation_steepness_hidden, 0.5),
            (library.fann_set_activation_steepness_output, 1.0),
        ):
            set_steepness(self.net, ctypes.c_double(steepness))
        library.fann_set_learning_rate(self.net, ctypes.c_float(task.learning_rate))
        self.connections = (Connection * library.fann_get_total_connections(self.net))()
        super().__init__(task, library.fann_train, self.net)
        self.set_parameters()

    def __del__(self) -> None:
        opened().fann_destroy(self.net)

    def places(self) -> list[tuple[int, int, int]]:
        """Return layer, input and output of each connection; the input after the last is 1."""
        starts = np.cumsum([0, *(size + 1 for size in self.task.layer_sizes)])
        found = []
        for one in self.connections:
            layer = int(np.searchsorted(starts, one.from_unit, side="right")) - 1
            into = one.to_unit - starts[layer + 1]
            found.append((layer, int(one.from_unit - starts[layer]), int(into)))
        return found

    def set_parameters(self) -> None:
        library = opened()
        library.fann_get_connection_array(self.net, self.connections)
        both = [np.vstack([W, b]) for W, b in zip(*self.task.parameters, strict=True)]
        for one, (layer, i, j) in zip(self.connections, self.places(), strict=True):
            one.weight = both[layer][i, j]
        library.fann_set_weight_array(self.net, self.connections, len(self.connections))

    def parameters(self) -> list[np.ndarray]:
        opened().fann_get_connection_array(self.net, self.connections)
        sizes = self.task.layer_sizes
        both = [np.empty((n + 1, m)) for n, m in pairwise(sizes)]
        for one, (layer, i, j) in zip(self.connections, self.places(), strict=True):
            both[layer][i, j] = one.weight
        return [one[:-1] for one in both] + [one[-1] for one in both]
