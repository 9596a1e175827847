"""Vowpal Wabbit, ``--nn``: tanh units, one output; passes over a cache file it writes first."""

import importlib.metadata
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from ..measure import seconds_a_call
from ..task import Task

NAME = "VW --nn"
INSTALL = "python -m pip install vowpalwabbit"
COMPARABLE = False  # it moves the output weights before it asks them for the hidden deltas
MAX_VALUES = 20_000  # written to a file, for an epoch
FEW, MANY = 2, 12  # passes


def version() -> str:
    import vowpalwabbit

    return str(getattr(vowpalwabbit, "__version__", importlib.metadata.version("vowpalwabbit")))


def does(task: Task) -> Task | None:
    one_output = task.layer_sizes[-1] == 1 and len(task.hidden) == 1
    if not one_output or task.solver != "sgd" or task.batch_size > 1 or task.dtype != "float64":
        return None
    return task.first(max(1, MAX_VALUES // (csr_array(task.X[:100]).nnz // 100 + 1)))


class trainer:
    """An epoch is one more pass over the cache, which the file's order is kept in."""

    def __init__(self, task: Task, exact: bool = False) -> None:
        self.task, self.n_rows = task, task.n_rows
        self.folder = tempfile.TemporaryDirectory(prefix="fastbp-vw-")
        self.data = Path(self.folder.name) / "rows.txt"
        self.data.write_text("\n".join(lines(task)) + "\n", encoding="ascii")
        self.run(1)

    def learns(self) -> bool:
        """Return whether the mean loss of several passes is below that of the first."""
        return self.run(MANY) / MANY < self.run(1)

    def run(self, passes: int) -> float:
        """Return the sum of all rows' losses, each before its own step."""
        import vowpalwabbit

        loss = {"squared_error": "squared", "log_loss": "logistic"}[self.task.loss]
        options = (
            f"--nn {self.task.hidden[0]} --sgd --power_t 0 --loss_function {loss} -b 24 --quiet "
        )
        options += f"-l {self.task.learning_rate} -d {self.data} --passes {passes} --holdout_off "
        options += f"--cache_file {self.data}.cache"
        workspace = vowpalwabbit.Workspace(options)
        loss_sum = float(workspace.get_sum_loss())
        workspace.finish()
        return loss_sum

    def seconds_a_row(self, at_least: float) -> float:
        """Return the time of passes over the cache, what every run begins with left out."""
        few = seconds_a_call(lambda: self.run(FEW), at_least)
        many = seconds_a_call(lambda: self.run(MANY), at_least)
        return (many - few) / ((MANY - FEW) * self.n_rows)


def lines(task: Task) -> Any:
    """Yield the rows as VW reads them."""
    X = csr_array(task.X)
    targets = 2 * task.y - 1 if task.loss == "log_loss" else task.y
    for row, target in enumerate(np.ravel(targets)):
        piece = slice(X.indptr[row], X.indptr[row + 1])
        values = zip(X.indices[piece], X.data[piece], strict=True)
        yield f"{target:g} | " + " ".join(f"{column}:{value:.6g}" for column, value in values)
