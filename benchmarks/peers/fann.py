"""FANN, a C library: incremental training in double."""

import ctypes
import ctypes.util
import dataclasses
import re
import tempfile
from functools import cache
from itertools import pairwise
from pathlib import Path

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
CONNECTIONS = "connections (connected_to_neuron, weight)="  # in a file of a network


# struct fann_connection: units are numbered layer by layer, the bias of each after its others
CONNECTION = np.dtype([("from_unit", "u4"), ("to_unit", "u4"), ("weight", "f8")], align=True)


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
    library.fann_create_from_file.restype = ctypes.c_void_p
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
        self.task = task
        self.net = ctypes.c_void_p(library.fann_create_standard_array(len(sizes), units))
        self.set_parameters()
        library.fann_set_training_algorithm(self.net, TRAIN_INCREMENTAL)
        library.fann_set_train_error_function(self.net, LINEAR_ERROR)
        activation = LOGISTIC if exact else LOGISTIC_STEPWISE
        library.fann_set_activation_function_hidden(self.net, activation)
        library.fann_set_activation_function_output(self.net, LINEAR)
        # its logistic is 1 / (1 + exp(-2 s z)), and its identity s z, for a steepness s
        library.fann_set_activation_steepness_hidden(self.net, ctypes.c_double(0.5))
        library.fann_set_activation_steepness_output(self.net, ctypes.c_double(1.0))
        library.fann_set_learning_rate(self.net, ctypes.c_float(task.learning_rate))
        super().__init__(task, library.fann_train, self.net)

    def __del__(self) -> None:
        opened().fann_destroy(self.net)

    def connections(self) -> tuple[np.ndarray, list[np.ndarray], list[np.ndarray]]:
        """Return all connections, and of each layer which are its own and where in [W; b]."""
        n = opened().fann_get_total_connections(self.net)
        found, sizes = np.empty(n, CONNECTION), self.task.layer_sizes
        opened().fann_get_connection_array(self.net, ctypes.c_void_p(found.ctypes.data))
        starts = np.cumsum([0, *(size + 1 for size in sizes)])
        layer = np.searchsorted(starts, found["from_unit"], side="right") - 1
        i, j = found["from_unit"] - starts[layer], found["to_unit"] - starts[layer + 1]
        own = [np.flatnonzero(layer == l) for l in range(len(sizes) - 1)]
        places = [i[rows] * n_out + j[rows] for rows, n_out in zip(own, sizes[1:], strict=True)]
        return found, own, places

    def set_parameters(self) -> None:
        """Write the network to a file, change the weights there, and read it.

        The function that sets weights looks for each of them among all others.
        """
        found, own, places = self.connections()
        for rows, place, W, b in zip(own, places, *self.task.parameters, strict=True):
            found["weight"][rows] = np.vstack([W, b]).ravel()[place]
        weights = iter(found["weight"])
        with tempfile.TemporaryDirectory(prefix="fastbp-fann-") as folder:
            path = Path(folder) / "network"
            name = ctypes.c_char_p(bytes(path))
            opened().fann_save(self.net, name)
            before, mark, listed = path.read_text().partition(CONNECTIONS)
            listed = re.sub(r", [^)]*\)", lambda _: f", {next(weights):.20e})", listed)
            path.write_text(before + mark + listed)
            opened().fann_destroy(self.net)
            self.net = ctypes.c_void_p(opened().fann_create_from_file(name))

    def parameters(self) -> list[np.ndarray]:
        found, own, places = self.connections()
        both = [np.empty((n + 1, m)) for n, m in pairwise(self.task.layer_sizes)]
        for rows, place, one in zip(own, places, both, strict=True):
            one.ravel()[place] = found["weight"][rows]
        return [one[:-1] for one in both] + [one[-1] for one in both]
