"""Who learns: each library behind ``train(rows, rate)`` and ``predict(X)``.

All have one hidden layer of ReLU, softmax and cross-entropy, and a learning rate that falls to 0 in
a straight line. What they train on is in memory, in their own form, before the clock starts.
"""

import dataclasses
from typing import Any

import numpy as np

from ..plain import plain
from .digits import Digits


@dataclasses.dataclass(frozen=True)
class Setting:
    """What may be chosen of a run."""

    library: str
    units: int
    dtype: str
    optimizer: str  # "SGD": for the others with Nesterov's momentum of 0.9; or "Adam"
    batch_size: int
    learning_rate: float
    epochs: int

    def __str__(self) -> str:
        rows = "row by row" if self.batch_size == 1 else f"batches of {self.batch_size}"
        return (
            f"{self.library}, {self.units} units, {self.dtype}, {self.optimizer}, {rows}, "
            f"rate {self.learning_rate:g}, {self.epochs} epochs"
        )


class Fastbp:
    def __init__(self, setting: Setting, digits: Digits, seed: int) -> None:
        from fastbp import BackpropClassifier

        self.digits = digits.of(setting.dtype, sparse=True)
        self.model = plain(BackpropClassifier, hidden_layer_sizes=setting.units, random_state=seed)

    def train(self, rows: slice, rate: float) -> None:
        X, y = self.digits.X_train[rows], self.digits.y_train[rows]
        self.model.set_params(learning_rate_init=rate).partial_fit(X, y, classes=range(10))

    def predict(self) -> np.ndarray:
        return self.model.predict(self.digits.X_test)


class ScikitLearn:
    def __init__(self, setting: Setting, digits: Digits, seed: int) -> None:
        from sklearn.neural_network import MLPClassifier

        self.digits = digits.of(setting.dtype)
        self.model = MLPClassifier(
            (setting.units,),
            solver=setting.optimizer.lower(),
            batch_size=setting.batch_size,
            learning_rate_init=setting.learning_rate,
            alpha=0.0,
            random_state=seed,
        )

    def train(self, rows: slice, rate: float) -> None:
        if hasattr(self.model, "_optimizer"):  # which a schedule can only set directly
            self.model._optimizer.learning_rate = rate
            self.model._optimizer.learning_rate_init = rate
        X, y = self.digits.X_train[rows], self.digits.y_train[rows]
        self.model.partial_fit(X, y, classes=range(10))

    def predict(self) -> np.ndarray:
        return self.model.predict(self.digits.X_test)


class PyTorch:
    def __init__(self, setting: Setting, digits: Digits, seed: int) -> None:
        import torch

        self.torch, self.batch_size = torch, setting.batch_size
        torch.manual_seed(seed)
        of_dtype = digits.of(setting.dtype)
        self.X, self.X_test = map(torch.from_numpy, (of_dtype.X_train, of_dtype.X_test))
        self.y = torch.from_numpy(digits.y_train)
        nn = torch.nn
        layers = nn.Linear(784, setting.units), nn.ReLU(), nn.Linear(setting.units, 10)
        self.network = nn.Sequential(*layers).to(self.X.dtype)
        parameters, rate = self.network.parameters(), setting.learning_rate
        if setting.optimizer == "Adam":
            self.optimizer: Any = torch.optim.Adam(parameters, lr=rate, fused=True)
        else:
            self.optimizer = torch.optim.SGD(
                parameters, lr=rate, momentum=0.9, nesterov=True, fused=True
            )

    def train(self, rows: slice, rate: float) -> None:
        torch, optimizer = self.torch, self.optimizer
        optimizer.param_groups[0]["lr"] = rate
        order = torch.randperm(rows.stop - rows.start) + rows.start
        for batch in order.split(self.batch_size):
            optimizer.zero_grad(set_to_none=True)
            loss = torch.nn.functional.cross_entropy(self.network(self.X[batch]), self.y[batch])
            loss.backward()
            optimizer.step()

    def predict(self) -> np.ndarray:
        with self.torch.inference_mode():
            return self.network(self.X_test).argmax(1).numpy()


LEARNERS = {"fastbp": Fastbp, "scikit-learn": ScikitLearn, "PyTorch": PyTorch}
