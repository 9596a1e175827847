"""Whether libraries train the same network: how far their parameters are from fastbp's."""

from collections.abc import Iterator
from functools import partial

from .. import agreement, data
from ..measure import COUNT, Case, Sample
from ..peers import fastbp_itself, installed
from ..task import Task
from . import Options

TITLE = f"Agreement: largest difference of a parameter after {agreement.N_ROWS} rows, relative"
ALL_CORES = False


def tasks() -> dict[str, Task]:
    """Return one task of every kind that libraries are measured with."""
    outputs, classes = data.regression((30, 2), 300), data.classification(30, 3, 300)
    return {
        "row by row": Task((30, 64, 2), *outputs),
        "row by row, two hidden layers": Task((30, 64, 16, 2), *outputs),
        "row by row, one output": Task((8, 16, 1), *data.regression((8, 1), 300)),
        "row by row, zeros": Task((30, 64, 2), *data.regression((30, 2), 300, non_zeros=0.2)),
        "row by row, log loss": Task((30, 64, 3), *classes, loss="log_loss"),
        "row by row, CSR, log loss": Task(
            (2_000, 64, 1), *data.sparse_classification(2_000, 40, 300), loss="log_loss"
        ),
        "batches of 32, log loss": Task((30, 64, 3), *classes, loss="log_loss", batch_size=32),
        "batches of 32, Adam, log loss": Task(
            (30, 64, 3), *classes, loss="log_loss", batch_size=32, solver="adam"
        ),
        "batches of 9, Adam, two classes": Task(
            (30, 64, 1),
            *data.classification(30, 2, 300),
            loss="log_loss",
            batch_size=9,
            solver="adam",
        ),
    }


def cases(options: Options) -> Iterator[Case]:
    for name, task in tasks().items():
        yield Case(name, partial(differences, task), unit=COUNT)


def differences(task: Task) -> dict[str, Sample]:
    if fastbp_itself.does(task) is None:
        return {}
    done = {name: module.does(task) for name, module in installed().items()}
    return {
        name: partial(agreement.difference, installed()[name], one)
        for name, one in done.items()
        if one is not None and installed()[name].COMPARABLE and name != fastbp_itself.NAME
    }
