"""`Task`: a network, its starting parameters and the rows it is trained on, the same for all."""

import dataclasses
from functools import cached_property
from typing import Any

import numpy as np

import fastbp


@dataclasses.dataclass(frozen=True, eq=False)
class Task:
    """One way to train one network; every library begins with `Task.parameters`.

    X is (n, n_in), an array or a CSR matrix; y is (n, n_out), or with the log loss class numbers
    (n,). Outputs are those that belong to the loss: identity, logistic (two classes), softmax.
    """

    layer_sizes: tuple[int, ...]
    X: Any
    y: np.ndarray
    activation: str = "relu"
    loss: str = "squared_error"
    solver: str = "sgd"
    learning_rate: float = 2.0**-10  # which float32 has exactly, and so FANN
    epsilon: float = 1e-8  # of every solver but "sgd"
    batch_size: int = 1
    n_threads: int = 1

    @property
    def n_rows(self) -> int:
        return self.X.shape[0]

    @property
    def is_dense(self) -> bool:
        return isinstance(self.X, np.ndarray)

    @property
    def hidden(self) -> tuple[int, ...]:
        return self.layer_sizes[1:-1]

    @property
    def dtype(self) -> str:
        return str(self.X.dtype)

    @cached_property
    def parameters(self) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Weights and biases to begin with: those that random_state=0 draws."""
        network = self.network()
        return network.weights, network.biases

    def network(self) -> fastbp.Network:
        return fastbp.Network(
            self.layer_sizes,
            activation=self.activation,
            loss=self.loss,
            dtype=self.dtype,
            random_state=0,
        )

    def first(self, n_rows: int) -> "Task":
        """Return the same with fewer rows, for those who need long for each."""
        return dataclasses.replace(self, X=self.X[:n_rows], y=self.y[:n_rows])


def name_of(layer_sizes: tuple[int, ...]) -> str:
    return "-".join(map(str, layer_sizes))
