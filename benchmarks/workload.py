"""`Workload`: a network, the data it is trained on, and what is done with them."""

import dataclasses

import numpy as np

EPOCH, STEP, FORWARD = "epoch", "step", "forward"
TASKS = {
    EPOCH: "training on many rows, one at a time, in random order",
    STEP: "one call from Python that trains on one row",
    FORWARD: "one call from Python that predicts one row",
}
NETWORKS = ((2, 2, 1), (8, 16, 1), (30, 64, 1), (64, 128, 10), (784, 128, 10))
DTYPES = ("float64", "float32")


@dataclasses.dataclass(frozen=True)
class Workload:
    """One hidden layer of ReLU, identity outputs, half the squared error, dense random rows."""

    task: str
    layer_sizes: tuple[int, ...]
    dtype: str
    n_rows: int
    learning_rate: float = 0.001

    @property
    def network(self) -> str:
        return "-".join(map(str, self.layer_sizes))

    def __str__(self) -> str:
        return f"{self.task} {self.network} {self.dtype}"

    def rows(self, n_rows: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Return X and y, all rows or the first few; y is (n,) for one output."""
        random = np.random.default_rng(0)
        n_in, n_out = self.layer_sizes[0], self.layer_sizes[-1]
        X = random.uniform(-1, 1, (self.n_rows, n_in)).astype(self.dtype)
        y = np.tanh(X @ random.normal(size=(n_in, n_out)) / n_in**0.5).astype(self.dtype)
        y = y[:, 0] if n_out == 1 else y
        return X[:n_rows], np.ascontiguousarray(y[:n_rows])


def workloads(*, quick: bool) -> list[Workload]:
    """Return all combinations of task, network and dtype."""
    return [
        Workload(task, sizes, dtype, n_rows=500 if quick else 2_000_000 // (sizes[0] + 100))
        for task in TASKS
        for dtype in DTYPES
        for sizes in NETWORKS
    ]
