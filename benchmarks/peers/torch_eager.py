"""PyTorch, eager: the training loop that its tutorials teach.

Rows of a CSR matrix are what `EmbeddingBag` takes: the rows of W[1] that their non-zeros meet, and
sparse gradients.
"""

import importlib.metadata
from functools import cache, partial
from typing import Any

import numpy as np

from ..task import Task

NAME = "PyTorch"
INSTALL = "python -m pip install torch"
COMPARABLE = True
MAX_ROWS = 200  # of an epoch row by row


def version() -> str:
    return importlib.metadata.version("torch")


def does(task: Task) -> Task | None:
    if not task.is_dense and (task.solver != "adagrad" or task.batch_size > 1):
        return None
    return task.first(MAX_ROWS) if task.batch_size == 1 else task


class trainer:
    def __init__(self, task: Task, exact: bool = False) -> None:
        import torch

        torch.set_num_threads(task.n_threads)
        self.task, self.n_rows = task, task.n_rows
        self.y = torch.from_numpy(task.y)
        if task.is_dense:
            self.X = torch.from_numpy(task.X)
        self.linear, self.network = network_of(task)
        self.loss = self.losses()
        kinds = {
            "sgd": torch.optim.SGD,
            "adam": partial(torch.optim.Adam, eps=task.epsilon),
            "adagrad": partial(torch.optim.Adagrad, eps=task.epsilon),
            "rmsprop": partial(torch.optim.RMSprop, alpha=0.999, eps=task.epsilon),
        }
        self.optimizer = kinds[task.solver](self.network.parameters(), lr=task.learning_rate)
        self.order = np.random.default_rng(0).permutation

    def losses(self) -> Any:
        import torch

        if self.task.loss == "squared_error":
            return lambda z, y: 0.5 * ((z - y) ** 2).sum() / len(y)
        if self.task.layer_sizes[-1] > 1:
            return torch.nn.functional.cross_entropy
        self.y = self.y.reshape(-1, 1).to(self.X.dtype)
        return torch.nn.functional.binary_cross_entropy_with_logits

    def epoch(self) -> None:
        self.in_order(self.order(self.n_rows))

    def in_order(self, order: np.ndarray) -> None:
        import torch

        for rows in torch.split(torch.from_numpy(order), self.task.batch_size):
            self.step(self.X[rows] if self.task.is_dense else self.row(rows), self.y[rows])

    def row(self, rows: Any) -> tuple[Any, Any]:
        """Return columns and values of the one row of a CSR matrix, each (1, n)."""
        import torch

        X = self.task.X
        span = slice(X.indptr[int(rows)], X.indptr[int(rows) + 1])
        return torch.from_numpy(X.indices[span])[None], torch.from_numpy(X.data[span])[None]

    def step(self, x: Any, y: Any) -> None:
        self.optimizer.zero_grad()
        self.loss(self.network(x), y).backward()
        self.optimizer.step()

    def parameters(self) -> list[np.ndarray]:
        weights = [
            layer.weight.detach().numpy()
            if takes_columns(layer)
            else layer.weight.detach().numpy().T
            for layer in self.linear
        ]
        return weights + [layer.bias.detach().numpy() for layer in self.linear]


def network_of(task: Task) -> tuple[list[Any], Any]:
    """Return the layers with weights, and the network of them and activations."""
    import torch

    activations = {"relu": torch.nn.ReLU, "tanh": torch.nn.Tanh, "logistic": torch.nn.Sigmoid}
    linear, layers = [], []
    for W, b in zip(*task.parameters, strict=True):
        of_columns = not task.is_dense and not linear
        kind = columns_layer() if of_columns else torch.nn.Linear
        layer = kind(*W.shape, dtype=getattr(torch, task.dtype))
        with torch.no_grad():
            layer.weight[...] = torch.from_numpy(W if of_columns else np.ascontiguousarray(W.T))
            layer.bias[...] = torch.from_numpy(b)
        linear.append(layer)
        layers += [layer, activations[task.activation]()]
    return linear, torch.nn.Sequential(*layers[:-1])


def takes_columns(layer: Any) -> bool:
    return hasattr(layer, "mode")  # which `EmbeddingBag` alone has


@cache
def columns_layer() -> Any:
    """Return the class of a linear layer of columns and values of rows."""
    import torch

    class ColumnsLayer(torch.nn.EmbeddingBag):
        def __init__(self, n_in: int, n_out: int, dtype: Any) -> None:
            super().__init__(n_in, n_out, mode="sum", sparse=True, dtype=dtype)
            self.bias = torch.nn.Parameter(torch.empty(n_out, dtype=dtype))

        def forward(self, row: tuple[Any, Any]) -> Any:
            columns, values = row
            return super().forward(columns, per_sample_weights=values) + self.bias

    return ColumnsLayer
