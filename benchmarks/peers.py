"""Who is measured: one small function for each library and task.

To add a library, write a function that takes a `Workload` and returns how many rows one call
treats, and the call; and register it with ``@runs(task, library)``. What it imports, it imports
itself: a library that is not installed is left out.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from .workload import EPOCH, FORWARD, STEP, Workload

Call = tuple[int, Callable[[], Any]]
PEERS: dict[str, dict[str, Callable[[Workload], Call]]] = {EPOCH: {}, STEP: {}, FORWARD: {}}


def runs(task: str, library: str) -> Callable:
    """Register a function as this library's way to do a task."""

    def register(prepare: Callable[[Workload], Call]) -> Callable[[Workload], Call]:
        PEERS[task][library] = prepare
        return prepare

    return register


# -- fastbp ----------------------------------------------------------------------------------


def fastbp_network(work: Workload) -> Any:
    import fastbp

    return fastbp.Network(work.layer_sizes, dtype=work.dtype, random_state=0)


@runs(EPOCH, "fastbp")
def _(work: Workload) -> Call:
    network, (X, y), random = fastbp_network(work), work.rows(), np.random.RandomState(0)

    def epoch() -> float:
        return network.train_epoch(X, y, work.learning_rate, order=random.permutation(len(X)))

    return len(X), epoch


@runs(STEP, "fastbp")
def _(work: Workload) -> Call:
    network, (X, y) = fastbp_network(work), work.rows(1)
    x, y = X[0], np.atleast_1d(y[0])
    return 1, lambda: network.step(x, y, work.learning_rate)


@runs(FORWARD, "fastbp")
def _(work: Workload) -> Call:
    network, (X, _) = fastbp_network(work), work.rows(1)
    x = X[0]
    return 1, lambda: network.forward(x)


# -- scikit-learn ----------------------------------------------------------------------------


def scikit_learn_mlp(work: Workload, X: np.ndarray, y: np.ndarray) -> Any:
    from sklearn.neural_network import MLPRegressor

    model = MLPRegressor(
        hidden_layer_sizes=work.layer_sizes[1:-1],
        solver="sgd",
        batch_size=1,
        momentum=0.0,
        alpha=0.0,
        learning_rate_init=work.learning_rate,
        random_state=0,
    )
    return model.partial_fit(X, y)


@runs(EPOCH, "scikit-learn")
def _(work: Workload) -> Call:
    X, y = work.rows(500)
    model = scikit_learn_mlp(work, X, y)
    return len(X), lambda: model.partial_fit(X, y)


@runs(STEP, "scikit-learn")
def _(work: Workload) -> Call:
    X, y = work.rows(1)
    model = scikit_learn_mlp(work, X, y)
    return 1, lambda: model.partial_fit(X, y)


@runs(FORWARD, "scikit-learn")
def _(work: Workload) -> Call:
    X, y = work.rows(1)
    model = scikit_learn_mlp(work, X, y)
    return 1, lambda: model.predict(X)


# -- PyTorch, eager --------------------------------------------------------------------------


def torch_network(work: Workload, n_rows: int) -> tuple[Any, Any, Any]:
    """Return the network, X and y, and a function that trains on one row."""
    import torch

    torch.set_num_threads(1)
    dtype = getattr(torch, work.dtype)
    n_in, n_hidden, n_out = work.layer_sizes
    layers = (torch.nn.Linear(n_in, n_hidden), torch.nn.ReLU(), torch.nn.Linear(n_hidden, n_out))
    network = torch.nn.Sequential(*layers).to(dtype)
    X, y = work.rows(n_rows)
    return network, torch.from_numpy(X), torch.from_numpy(y.reshape(len(X), n_out))


def torch_stepper(work: Workload, network: Any) -> Callable[[Any, Any], None]:
    import torch

    optimizer = torch.optim.SGD(network.parameters(), lr=work.learning_rate)

    def step(x: Any, y: Any) -> None:
        optimizer.zero_grad()
        loss = 0.5 * ((network(x) - y) ** 2).sum()
        loss.backward()
        optimizer.step()

    return step


@runs(EPOCH, "PyTorch eager")
def _(work: Workload) -> Call:
    network, X, y = torch_network(work, 500)
    step, random = torch_stepper(work, network), np.random.RandomState(0)

    def epoch() -> None:
        for row in random.permutation(len(X)):
            step(X[row], y[row])

    return len(X), epoch


@runs(STEP, "PyTorch eager")
def _(work: Workload) -> Call:
    network, X, y = torch_network(work, 1)
    step, x, y = torch_stepper(work, network), X[0], y[0]
    return 1, lambda: step(x, y)


@runs(FORWARD, "PyTorch eager")
def _(work: Workload) -> Call:
    import torch

    network, X, _ = torch_network(work, 1)
    x = X[0]

    def forward() -> Any:
        with torch.inference_mode():
            return network(x)

    return 1, forward
