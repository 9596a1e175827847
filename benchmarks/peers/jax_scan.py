"""JAX: an epoch is one compiled `lax.scan` over rows."""

import importlib.metadata
from typing import Any

import numpy as np

from ..task import Task

NAME = "JAX lax.scan"
INSTALL = "python -m pip install jax"
COMPARABLE = True


def version() -> str:
    return importlib.metadata.version("jax")


def does(task: Task) -> Task | None:
    rows_of_numbers = task.is_dense and task.loss == "squared_error"
    return task if rows_of_numbers and task.solver == "sgd" and task.batch_size == 1 else None


class trainer:
    def __init__(self, task: Task, exact: bool = False) -> None:
        import jax

        jax.config.update("jax_enable_x64", True)
        self.n_rows = task.n_rows
        self.data = jax.device_put((task.X, task.y))
        copies = [(W.copy(), b.copy()) for W, b in zip(*task.parameters, strict=True)]
        self.layers = jax.device_put(copies)
        self.train = compiled(task)
        self.order = np.random.default_rng(0).permutation

    def epoch(self) -> None:
        self.in_order(self.order(self.n_rows))

    def in_order(self, order: np.ndarray) -> None:
        self.layers = self.train(self.layers, *self.data, order)
        self.layers[0][0].block_until_ready()

    def parameters(self) -> list[np.ndarray]:
        weights, biases = zip(*self.layers, strict=True)
        return [np.asarray(array) for array in (*weights, *biases)]


def compiled(task: Task) -> Any:
    """Return a function of layers, X, y and an order that returns the layers after it."""
    import jax
    from jax import numpy as jnp

    activations = {"relu": jax.nn.relu, "tanh": jnp.tanh, "logistic": jax.nn.sigmoid}
    f = activations[task.activation]

    def loss(layers: Any, x: Any, y: Any) -> Any:
        *hidden, (W, b) = layers
        for W_below, b_below in hidden:
            x = f(x @ W_below + b_below)
        return 0.5 * ((x @ W + b - y) ** 2).sum()

    def epoch(layers: Any, X: Any, y: Any, order: Any) -> Any:
        def step(layers: Any, row: Any) -> Any:
            gradients = jax.grad(loss)(layers, X[row], y[row])
            return jax.tree.map(lambda p, g: p - task.learning_rate * g, layers, gradients), None

        return jax.lax.scan(step, layers, order)[0]

    return jax.jit(epoch, donate_argnums=0)
