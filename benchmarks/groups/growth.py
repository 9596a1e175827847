"""How the time of a row grows with rows, non-zeros, parameters and the width of a layer."""

from collections.abc import Iterator
from functools import partial

import numpy as np

from .. import data
from ..measure import Case, Sample, timed
from ..plain import plain
from ..task import Task
from . import Options

TITLE = "Growth: time for one row"
ALL_CORES = False

ROWS = "rows, 8-16-1"
NON_ZEROS = "non-zeros a row, CSR 20,000-64-1"
PARAMETERS = "parameters, n-n-1"
WIDTH = "hidden units, 30-n-1"
WIDTHS = range(1, 301)


def cases(options: Options) -> Iterator[Case]:
    yield Case(ROWS, partial(rows, options))
    yield Case(NON_ZEROS, partial(non_zeros, options))
    yield Case(PARAMETERS, partial(parameters, options))
    yield Case(WIDTH, partial(widths, options))


def rows(options: Options) -> dict[str, Sample]:
    """Return samples by rows: of one `fit`, five epochs or as many as make a million rows."""
    most = 10**3 if options.quick else 10**7
    return {str(10**k): fit(10**k, most) for k in range(2, 8) if 10**k <= most}


def fit(n_rows: int, most: int) -> Sample:
    import fastbp

    n_epochs = max(5, min(10**6, most) // n_rows)
    model = plain(
        fastbp.BackpropRegressor,
        hidden_layer_sizes=16,
        max_iter=n_epochs,
        n_iter_no_change=n_epochs,
        tol=0.0,
        random_state=0,
    )

    X, y = data.regression((8, 1), n_rows)
    y = y.ravel()
    return timed(lambda: model.fit(X, y), 1e-9, n_rows * n_epochs)


def epoch(task: Task, options: Options) -> Sample:
    """Return a sample of the time of a row in an epoch in one and the same random order."""
    network, order = task.network(), np.random.default_rng(0).permutation(task.n_rows)
    call = partial(network.train_epoch, task.X, task.y, task.learning_rate, order=order)
    return timed(call, options.seconds, task.n_rows)


def non_zeros(options: Options) -> dict[str, Sample]:
    found = {}
    for n_values in (10, 20) if options.quick else (10, 20, 50, 100, 200, 500, 1000):
        n_rows = 200 if options.quick else max(200, 100_000 // n_values)
        X, y = data.sparse_classification(20_000, n_values, n_rows)
        found[str(n_values)] = epoch(Task((20_000, 64, 1), X, y, loss="log_loss"), options)
    return found


def parameters(options: Options) -> dict[str, Sample]:
    """Return samples by the number of parameters, from where a row is work to beyond the caches."""
    found = {}
    for n in (8, 16) if options.quick else (16, 32, 64, 128, 256, 512, 1024):
        task = Task((n, n, 1), *data.regression((n, 1), max(200, 200_000 // n)))
        n_parameters = sum(array.size for arrays in task.parameters for array in arrays)
        found[str(n_parameters)] = epoch(task, options)
    return found


def widths(options: Options) -> dict[str, Sample]:
    X, y = data.regression((30, 1), 300 if options.quick else 2_000)
    found = {}
    for n in WIDTHS[: 3 if options.quick else None]:
        sample = epoch(Task((30, n, 1), X, y), Options(quick=True))
        found[str(n)] = smallest(sample, 1 if options.quick else 5)
    return found


def smallest(sample: Sample, n: int) -> Sample:
    """Return a sample that is the smallest of n: for differences from one width to the next."""
    return lambda: float(np.min([sample() for _ in range(n)]))
