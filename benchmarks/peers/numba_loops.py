"""numba: explicit loops, compiled for this machine with fast mathematics."""

import importlib.metadata
from functools import cache
from typing import Any

import numpy as np

from ..task import Task

NAME = "numba loops"
INSTALL = "python -m pip install numba"
COMPARABLE = True
WITH_ROOTS = ("adagrad", "rmsprop", "adam")


def version() -> str:
    return importlib.metadata.version("numba")


def does(task: Task) -> Task | None:
    plain = task.loss == "squared_error" and task.activation == "relu" and task.batch_size == 1
    if task.solver == "sgd":
        return task if plain and task.is_dense else None
    has_loops = task.solver in WITH_ROOTS and len(task.hidden) == 1
    return task if plain and has_loops else None


class trainer:
    def __init__(self, task: Task, exact: bool = False) -> None:
        self.task, self.n_rows = task, task.n_rows
        self.weights = tuple(W.copy() for W in task.parameters[0])
        self.biases = tuple(b.copy() for b in task.parameters[1])
        self.scratch = [
            tuple(np.zeros(n, task.dtype) for n in task.layer_sizes[1:]) for _ in range(2)
        ]
        self.order = np.arange(self.n_rows)
        if task.solver in WITH_ROOTS:
            layers = self.weights[0], self.biases[0], self.weights[1], self.biases[1]
            self.kept = tuple(tuple(map(np.zeros_like, layers)) for _ in range(2))
            self.n_steps = 0

    def epoch(self) -> None:
        self.train(self.order, True)

    def in_order(self, order: np.ndarray) -> None:
        self.train(order, False)

    def train(self, order: np.ndarray, shuffle: bool) -> None:
        if self.task.solver != "sgd":
            self.train_with_roots(order, shuffle)
            return
        X, y, rate = self.task.X, self.task.y, self.weights[0].dtype.type(self.task.learning_rate)
        if len(self.weights) == 2:
            layers = (self.weights[0], self.biases[0], self.weights[1], self.biases[1])
            one_hidden_layer()(X, y, order, shuffle, *layers, rate)
        else:
            any_layers()(X, y, order, shuffle, self.weights, self.biases, *self.scratch, rate)

    def train_with_roots(self, order: np.ndarray, shuffle: bool) -> None:
        task, X = self.task, self.task.X
        lists = (X.ravel(), order, order) if task.is_dense else (X.data, X.indices, X.indptr)
        layers = self.weights[0], self.biases[0], self.weights[1], self.biases[1]
        options = task.learning_rate, task.epsilon, self.n_steps
        loops = loops_with_roots(task.solver, task.is_dense)
        loops(lists, task.y, order, shuffle, layers, self.kept, options)
        self.n_steps += len(order)

    def parameters(self) -> list[np.ndarray]:
        return [*self.weights, *self.biases]


@cache
def one_hidden_layer() -> Any:
    """Return the compiled loops over rows and units of a network with one hidden layer."""
    import numba

    @numba.njit(fastmath=True)
    def train(X, y, order, shuffle, W1, b1, W2, b2, eta):
        if shuffle:
            np.random.shuffle(order)  # noqa: NPY002  which numba compiles
        n_in, n_hidden, n_out = W1.shape[0], W1.shape[1], W2.shape[1]
        a, delta, delta_out = np.empty_like(b1), np.empty_like(b1), np.empty_like(b2)
        for row in order:
            for j in range(n_hidden):
                a[j] = b1[j]
            for i in range(n_in):
                for j in range(n_hidden):
                    a[j] += X[row, i] * W1[i, j]
            for j in range(n_hidden):
                a[j] = max(a[j], a[j] * 0)
            for k in range(n_out):
                delta_out[k] = b2[k] - y[row, k]
            for j in range(n_hidden):
                for k in range(n_out):
                    delta_out[k] += a[j] * W2[j, k]
            for j in range(n_hidden):
                total = eta * 0
                for k in range(n_out):
                    total += W2[j, k] * delta_out[k]
                delta[j] = total if a[j] > 0 else eta * 0
            for j in range(n_hidden):
                for k in range(n_out):
                    W2[j, k] -= eta * a[j] * delta_out[k]
            for k in range(n_out):
                b2[k] -= eta * delta_out[k]
            for i in range(n_in):
                step = eta * X[row, i]
                for j in range(n_hidden):
                    W1[i, j] -= step * delta[j]
            for j in range(n_hidden):
                b1[j] -= eta * delta[j]

    return train


@cache
def any_layers() -> Any:
    """Return the compiled loops over rows and layers."""
    import numba

    @numba.njit(fastmath=True)
    def layer_forward(x, W, b, z):
        z[:] = b
        for i in range(W.shape[0]):
            for j in range(W.shape[1]):
                z[j] += x[i] * W[i, j]

    @numba.njit(fastmath=True)
    def layer_backward(a, W, delta, delta_in):
        for i in range(W.shape[0]):
            total = delta[0] * 0
            for j in range(W.shape[1]):
                total += W[i, j] * delta[j]
            delta_in[i] = total if a[i] > 0 else 0

    @numba.njit(fastmath=True)
    def layer_update(x, delta, W, b, eta):
        for i in range(W.shape[0]):
            for j in range(W.shape[1]):
                W[i, j] -= eta * x[i] * delta[j]
        for j in range(b.shape[0]):
            b[j] -= eta * delta[j]

    @numba.njit(fastmath=True)
    def train(X, y, order, shuffle, weights, biases, activations, deltas, eta):
        if shuffle:
            np.random.shuffle(order)  # noqa: NPY002  which numba compiles
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


@cache
def row_of_steps(solver: str) -> Any:
    """Return the compiled steps of the weights w along x g, with m and s kept beside them."""
    import numba

    @numba.njit(fastmath=True)
    def adagrad(w, m, s, x, g, rate, epsilon):
        for j in range(w.shape[0]):
            G = x * g[j]
            s[j] += G * G
            w[j] -= rate * G / (np.sqrt(s[j]) + epsilon)

    @numba.njit(fastmath=True)
    def rmsprop(w, m, s, x, g, rate, epsilon):
        for j in range(w.shape[0]):
            G = x * g[j]
            s[j] = 0.999 * s[j] + 0.001 * (G * G)
            w[j] -= rate * G / (np.sqrt(s[j]) + epsilon)

    @numba.njit(fastmath=True)
    def adam(w, m, s, x, g, rate, epsilon):
        for j in range(w.shape[0]):
            G = x * g[j]
            m[j] = 0.9 * m[j] + 0.1 * G
            s[j] = 0.999 * s[j] + 0.001 * (G * G)
            w[j] -= rate * m[j] / (np.sqrt(s[j]) + epsilon)

    return {"adagrad": adagrad, "rmsprop": rmsprop, "adam": adam}[solver]


@cache
def outputs_and_deltas() -> Any:
    """Return the compiled pass from the hidden layer's z, which becomes a, to all deltas."""
    import numba

    @numba.njit(fastmath=True)
    def run(a, W2, b2, y, delta, delta_out):
        n_hidden, n_out = W2.shape
        for j in range(n_hidden):
            a[j] = max(a[j], a[j] * 0)
        for k in range(n_out):
            delta_out[k] = b2[k] - y[k]
        for j in range(n_hidden):
            for k in range(n_out):
                delta_out[k] += a[j] * W2[j, k]
        for j in range(n_hidden):
            total = 0.0
            for k in range(n_out):
                total += W2[j, k] * delta_out[k]
            delta[j] = total if a[j] > 0 else 0.0

    return run


@cache
def loops_with_roots(solver: str, is_dense: bool) -> Any:
    """Return the loops of `one_hidden_layer` with the steps of a solver, dense or over CSR rows."""
    import numba

    steps, counts, dense = row_of_steps(solver), solver == "adam", is_dense
    deltas = outputs_and_deltas()

    @numba.njit(fastmath=True)
    def train(lists, y, order, shuffle, layers, kept, options):
        if shuffle:
            np.random.shuffle(order)  # noqa: NPY002  which numba compiles
        (X, columns, starts), (eta, epsilon, n_steps) = lists, options
        (W1, b1, W2, b2), ((M1, m1, M2, m2), (S1, s1, S2, s2)) = layers, kept
        n_in, n_hidden = W1.shape
        a, delta, delta_out = np.empty_like(b1), np.empty_like(b1), np.empty_like(b2)
        for row in order:
            n_steps += 1
            rate = eta
            if counts:
                rate = eta * np.sqrt(1 - 0.999**n_steps) / (1 - 0.9**n_steps)
            start = row * n_in if dense else starts[row]
            stop = start + n_in if dense else starts[row + 1]
            for j in range(n_hidden):
                a[j] = b1[j]
            for p in range(start, stop):
                w, x = W1[p - start if dense else columns[p]], X[p]
                for j in range(n_hidden):
                    a[j] += x * w[j]
            deltas(a, W2, b2, y[row], delta, delta_out)
            if len(delta_out) == 1:
                steps(W2[:, 0], M2[:, 0], S2[:, 0], delta_out[0], a, rate, epsilon)
            else:
                for j in range(n_hidden):
                    steps(W2[j], M2[j], S2[j], a[j], delta_out, rate, epsilon)
            steps(b2, m2, s2, 1.0, delta_out, rate, epsilon)
            for p in range(start, stop):
                i = p - start if dense else columns[p]
                steps(W1[i], M1[i], S1[i], X[p], delta, rate, epsilon)
            steps(b1, m1, s1, 1.0, delta, rate, epsilon)

    return train
