"""PyTorch, eager: the training loop that its tutorials teach."""

import importlib.metadata
from functools import partial
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
    if not task.is_dense:
        return None
    return task.first(MAX_ROWS) if task.batch_size == 1 else task


class trainer:
    def __init__(self, task: Task, exact: bool = False) -> None:
        import torch

        torch.set_num_threads(task.n_threads)
        self.task, self.n_rows = task, task.n_rows
        self.X, self.y = torch.from_numpy(task.X), torch.from_numpy(task.y)
        self.linear, self.network = network_of(task)
        self.loss = self.losses()
        kinds = {
            "sgd": torch.optim.SGD,
            "adam": partial(torch.optim.Adam, eps=task.epsilon),
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
            self.step(self.X[rows], self.y[rows])

    def step(self, x: Any, y: Any) -> None:
        self.optimizer.zero_grad()
        self.loss(self.network(x), y).backward()
        self.optimizer.step()

    def parameters(self) -> list[np.ndarray]:
        weights = [layer.weight.detach().numpy().T for layer in self.linear]
        return weights + [layer.bias.detach().numpy() for layer in self.linear]


def network_of(task: Task) -> tuple[list[Any], Any]:
    """Return the layers with weights, and the network of them and activations."""
    import torch

    activations = {"relu": torch.nn.ReLU, "tanh": torch.nn.Tanh, "logistic": torch.nn.Sigmoid}
    linear, layers = [], []
    for W, b in zip(*task.parameters, strict=True):
        layer = torch.nn.Linear(*W.shape, dtype=getattr(torch, task.dtype))
        with torch.no_grad():
            layer.weight[...] = torch.from_numpy(np.ascontiguousarray(W.T))
            layer.bias[...] = torch.from_numpy(b)
        linear.append(layer)
        layers += [layer, activations[task.activation]()]
    return linear, torch.nn.Sequential(*layers[:-1])
