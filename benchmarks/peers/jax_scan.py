"""JAX: an epoch is one compiled `lax.scan` over rows."""

import importlib.metadata
from typing import Any

import numpy as np

from ..task import Task

NAME = "JAX lax.scan"
INSTALL = "python -m pip install jax"
COMPARABLE = True
N_KEPT = {"sgd": 0, "adagrad": 1, "rmsprop": 1, "adam": 2}  # numbers beside each weight


def version() -> str:
    return importlib.metadata.version("jax")


def does(task: Task) -> Task | None:
    row_by_row = task.loss == "squared_error" and task.batch_size == 1
    if task.is_dense:
        return task if row_by_row and task.solver in N_KEPT else None
    # Compiled for one number of non-zeros in a row
    fixed = row_by_row and task.solver == "adagrad" and len(set(np.diff(task.X.indptr))) == 1
    return task if fixed else None


class trainer:
    def __init__(self, task: Task, exact: bool = False) -> None:
        import jax

        jax.config.update("jax_enable_x64", True)
        self.n_rows = task.n_rows
        X = task.X
        if not task.is_dense:
            X = (X.indices.reshape(task.n_rows, -1), X.data.reshape(task.n_rows, -1))
        self.data = jax.device_put((X, task.y))
        copies = [(W.copy(), b.copy()) for W, b in zip(*task.parameters, strict=True)]
        zeros = [jax.tree.map(np.zeros_like, copies) for _ in range(N_KEPT[task.solver])]
        self.state = jax.device_put((copies, zeros, 0.0))
        self.train = (compiled if task.is_dense else compiled_for_columns)(task)
        self.order = np.random.default_rng(0).permutation

    def epoch(self) -> None:
        self.in_order(self.order(self.n_rows))

    def in_order(self, order: np.ndarray) -> None:
        self.state = self.train(self.state, *self.data, order)
        self.state[0][0][0].block_until_ready()

    def parameters(self) -> list[np.ndarray]:
        weights, biases = zip(*self.state[0], strict=True)
        return [np.asarray(array) for array in (*weights, *biases)]


def loss_of(task: Task) -> Any:
    """Return the loss as a function of the layers, z of the first and y."""
    import jax
    from jax import numpy as jnp

    activations = {"relu": jax.nn.relu, "tanh": jnp.tanh, "logistic": jax.nn.sigmoid}
    f = activations[task.activation]

    def loss(layers_above: Any, z: Any, y: Any) -> Any:
        for W, b in layers_above:
            z = f(z) @ W + b
        return 0.5 * ((z - y) ** 2).sum()

    return loss


def compiled(task: Task) -> Any:
    """Return a function of the state, X, y and an order that returns the state after it."""
    import jax

    step_of, loss_above = rule(task), loss_of(task)

    def loss(layers: Any, x: Any, y: Any) -> Any:
        (W, b), *above = layers
        return loss_above(above, x @ W + b, y)

    def epoch(state: Any, X: Any, y: Any, order: Any) -> Any:
        def step(state: Any, row: Any) -> Any:
            layers, kept, n_steps = state
            gradients = jax.grad(loss)(layers, X[row], y[row])
            kept, moves = step_of(kept, gradients, n_steps + 1)
            return (jax.tree.map(lambda p, m: p - m, layers, moves), kept, n_steps + 1), None

        return jax.lax.scan(step, state, order)[0]

    return jax.jit(epoch, donate_argnums=0)


def compiled_for_columns(task: Task) -> Any:
    """Return the same for AdaGrad and rows of columns and values: only their W[1] moves."""
    import jax

    step_of, loss_above = rule(task), loss_of(task)

    def loss(layers: Any, values: Any, y: Any) -> Any:
        (W_met, b), *above = layers
        return loss_above(above, values @ W_met + b, y)

    def epoch(state: Any, X: Any, y: Any, order: Any) -> Any:
        def step(state: Any, row: Any) -> Any:
            ((W, b), *above), [((S, S_b), *S_above)], n_steps = state
            columns, values = X[0][row], X[1][row]
            met, kept = [(W[columns], b), *above], [[(S[columns], S_b), *S_above]]
            gradients = jax.grad(loss)(met, values, y[row])
            [kept], moves = step_of(kept, gradients, n_steps + 1)
            (W_met, b), *above = jax.tree.map(lambda p, m: p - m, met, moves)
            (S_met, S_b), *S_above = kept
            layers = [(W.at[columns].set(W_met), b), *above]
            return (layers, [[(S.at[columns].set(S_met), S_b), *S_above]], n_steps + 1), None

        return jax.lax.scan(step, state, order)[0]

    return jax.jit(epoch, donate_argnums=0)


def rule(task: Task) -> Any:
    """Return a function of what is kept, gradients and the step's number: the same, and moves."""
    import jax
    from jax import numpy as jnp

    rate, epsilon, tree = task.learning_rate, task.epsilon, jax.tree

    def along(numerator: Any, squares: Any, rate: Any) -> Any:
        return tree.map(lambda m, s: rate * m / (jnp.sqrt(s) + epsilon), numerator, squares)

    def mean(beta: float, old: Any, new: Any) -> Any:
        return tree.map(lambda m, g: beta * m + (1 - beta) * g, old, new)

    def plain(kept: Any, g: Any, n: Any) -> Any:
        return kept, tree.map(lambda g: rate * g, g)

    def adagrad(kept: Any, g: Any, n: Any) -> Any:
        squares = tree.map(lambda s, g: s + g * g, kept[0], g)
        return [squares], along(g, squares, rate)

    def rmsprop(kept: Any, g: Any, n: Any) -> Any:
        squares = mean(0.999, kept[0], tree.map(jnp.square, g))
        return [squares], along(g, squares, rate)

    def adam(kept: Any, g: Any, n: Any) -> Any:
        means, squares = mean(0.9, kept[0], g), mean(0.999, kept[1], tree.map(jnp.square, g))
        return [means, squares], along(means, squares, rate * jnp.sqrt(1 - 0.999**n) / (1 - 0.9**n))

    return {"sgd": plain, "adagrad": adagrad, "rmsprop": rmsprop, "adam": adam}[task.solver]
