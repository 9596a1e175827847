"""Prediction: one row a call, and many rows with all processors."""

import tracemalloc
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from .. import data
from ..machine import processors
from ..measure import BYTES, Case, Sample, timed
from ..peers import fastbp_itself, installed, scikit_learn, torch_eager
from ..task import Task, name_of
from . import Options

TITLE = "Prediction: time for one row"
ALL_CORES = True
ONE_ROW, MANY_ROWS = (30, 64, 2), (784, 128, 10)
N_MANY = 100_000
ONE = f"one row a call, {name_of(ONE_ROW)}"
MANY = f"100,000 rows a call, {name_of(MANY_ROWS)}"
MEMORY = f"{MANY}: memory besides the result"


def cases(options: Options) -> Iterator[Case]:
    yield Case(ONE, partial(one_row, options))
    yield Case(MANY, partial(many_rows, options))
    yield Case(MEMORY, partial(memory, options), unit=BYTES)


def one_row(options: Options) -> dict[str, Sample]:
    """Return samples of a call for one row, of everything that can be called."""
    X, y = data.classification(ONE_ROW[0], 2, 500)
    task = Task((*ONE_ROW[:-1], 1), X, y, loss="log_loss")
    network = Task(ONE_ROW, X, y, loss="log_loss").network()
    ours, x = fitted(fastbp_itself, task), X[0]
    calls: dict[str, Any] = {"Network.forward": partial(network.forward, x)}
    if hasattr(ours, "predict_one"):
        calls["predict_one"] = partial(ours.predict_one, x)
    calls["predict"] = partial(ours.predict, X[:1])
    calls["scikit-learn"] = partial(fitted(scikit_learn, task).predict, X[:1])
    if torch_eager.NAME in installed():
        calls[torch_eager.NAME] = torch_call(task, x)
    return {name: timed(call, options.seconds) for name, call in calls.items()}


def torch_call(task: Task, x: np.ndarray) -> Any:
    import torch

    _, network = torch_eager.network_of(task)
    row = torch.from_numpy(x)

    def call() -> Any:
        with torch.inference_mode():
            return network(row)

    return call


def many_rows(options: Options) -> dict[str, Sample]:
    task = digits(options)
    n, seconds = task.n_rows, options.seconds
    peers = (fastbp_itself, scikit_learn)
    found = {one.NAME: timed(predict_all(one, task), seconds, n) for one in peers}
    if torch_eager.NAME in installed():
        found[torch_eager.NAME] = timed(torch_call(task, task.X), seconds, n)
    return found


def memory(options: Options) -> dict[str, Sample]:
    task = digits(options)
    return {one.NAME: traced(predict_all(one, task)) for one in (fastbp_itself, scikit_learn)}


def digits(options: Options) -> Task:
    X, y = data.classification(MANY_ROWS[0], MANY_ROWS[-1], 1_000 if options.quick else N_MANY)
    return Task(MANY_ROWS, X, y, loss="log_loss", n_threads=len(processors()))


def predict_all(module: Any, task: Task) -> Any:
    return partial(fitted(module, task.first(500)).predict, task.X)


def fitted(module: Any, task: Task) -> Any:
    """Return a library's estimator after a step or two."""
    classes = np.arange(max(2, task.layer_sizes[-1]))
    return module.estimator(task).partial_fit(task.X[:20], task.y[:20], classes=classes)


def traced(call: Any) -> Sample:
    """Return a sample of what a call takes from NumPy and Python at most, besides its result."""

    def run() -> float:
        tracemalloc.start()
        try:
            result = call()
            return tracemalloc.get_traced_memory()[1] - result.nbytes
        finally:
            tracemalloc.stop()

    return run
