"""C libraries that train on one row a call: the loop around them, in C as well."""

import ctypes
from functools import cache
from typing import Any

import numpy as np

from ..task import Task
from .native import doubles, indices, library


@cache
def loops() -> ctypes.CDLL:
    return library("row_loop.c", ["-O2"])


class RowCalls:
    """A network of such a library; a subclass makes it and tells its parameters."""

    def __init__(self, task: Task, train: Any, network: Any, rate: float | None = None) -> None:
        self.task, self.n_rows = task, task.n_rows
        self.order = np.arange(self.n_rows)
        self.train = ctypes.cast(train, ctypes.c_void_p)
        self.network = ctypes.cast(network, ctypes.c_void_p)
        self.loop = loops().train_rows if rate is None else loops().train_rows_at
        self.rate = () if rate is None else (ctypes.c_double(rate),)

    def epoch(self) -> None:
        self.run(self.order, shuffled=1)

    def in_order(self, order: np.ndarray) -> None:
        self.run(order, shuffled=0)

    def run(self, order: np.ndarray, shuffled: int) -> None:
        X, y = self.task.X, self.task.y
        n_in, n_out, n = (ctypes.c_int64(size) for size in (X.shape[1], y.shape[1], len(order)))
        data = (doubles(X), n_in, doubles(y), n_out, indices(order), n, shuffled)
        self.loop(self.train, self.network, *data, *self.rate)
