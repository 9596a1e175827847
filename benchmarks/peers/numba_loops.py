"""numba: the loops one would write by hand, compiled for this machine with fast mathematics."""

import importlib.metadata
from functools import cache
from typing import Any

import numpy as np

from ..task import Task

NAME = "numba loops"
INSTALL = "python -m pip install numba"
COMPARABLE = True


def version() -> str:
    return importlib.metadata.version("numba")


def does(task: Task) -> Task | None:
    plain = task.is_dense and task.loss == "squared_error" and task.activation == "relu"
    return task if plain and task.solver == "sgd" and task.batch_size == 1 else None


class trainer:
    def __init__(self, task: Task, exact: bool = False) -> None:
        self.task, self.n_rows = task, task.n_rows
        self.weights = tuple(W.copy() for W in task.parameters[0])
        self.biases = tuple(b.copy() for b in task.parameters[1])
        self.scratch = [
            tuple(np.zeros(n, task.dtype) for n in task.layer_sizes[1:]) for _ in range(2)
        ]
        self.order = np.arange(self.n_rows)

    def epoch(self) -> None:
        self.train(self.order, True)

    def in_order(self, order: np.ndarray) -> None:
        self.train(order, False)

    def train(self, order: np.ndarray, shuffle: bool) -> None:
        task = self.task
        loops()(
            task.X,
            task.y,
            order,
            shuffle,
            self.weights,
            self.biases,
            *self.scratch,
            self.weights[0].dtype.type(task.learning_rate),
        )

    def parameters(self) -> list[np.ndarray]:
        return [*self.weights, *self.biases]


@cache
def loops() -> Any:
    """Return the compiled loops over rows and layers."""
    import numba

    @numba.njit(fastmath=True, boundscheck=False)
    def layer_forward(x, W, b, z):
        z[:] = b
        for i in range(W.shape[0]):
            for j in range(W.shape[1]):
                z[j] += x[i] * W[i, j]

    @numba.njit(fastmath=True, boundscheck=False)
    def layer_backward(a, W, delta, delta_in):
        for i in range(W.shape[0]):
            total = delta[0] * 0
            for j in range(W.shape[1]):
                total += W[i, j] * delta[j]
            delta_in[i] = total if a[i] > 0 else 0

    @numba.njit(fastmath=True, boundscheck=False)
    def layer_update(x, delta, W, b, eta):
        for i in range(W.shape[0]):
            for j in range(W.shape[1]):
                W[i, j] -= eta * x[i] * delta[j]
        for j in range(b.shape[0]):
            b[j] -= eta * delta[j]

    @numba.njit(fastmath=True, boundscheck=False)
    def train(X, y, order, shuffle, weights, biases, activations, deltas, eta):
        if shuffle:
            np.random.shuffle(order)  # noqa: NPY002  what numba compiles
        last = len(weights) - 1
        for row in order:
            layer_forward(X[row], weights[0], biases[0], activations[0])
            for l in range(last):
                for j in range(activations[l].shape[0]):
                    activations[l][j] = max(activations[l][j], activations[l][j] * 0)
                layer_forward(activations[l], weights[l + 1], biases[l + 1], activations[l + 1])
            for k in range(deltas[last].shape[0]):
                deltas[last][k] = activations[last][k] - y[row, k]
            for l in range(last, 0, -1):
                layer_backward(activations[l - 1], weights[l], deltas[l], deltas[l - 1])
                layer_update(activations[l - 1], deltas[l], weights[l], biases[l], eta)
            layer_update(X[row], deltas[0], weights[0], biases[0], eta)

    return train
