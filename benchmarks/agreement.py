"""Whether others train the same network: their parameters after some rows next to fastbp's."""

import dataclasses
from types import ModuleType

import numpy as np

from .peers import fastbp_itself
from .task import Task

N_ROWS = 100
TOLERANCE = {"float64": 1e-9, "float32": 1e-4}


class Disagreement(Exception):
    """A library ends up with other parameters: what it takes its time for is something else."""


def difference(module: ModuleType, task: Task) -> float:
    """Return the largest difference of a parameter after some rows, relative to the largest.

    ``task`` is one that the library does. All rows are taken in one random order; batches are
    compared after one epoch, Adam's with an epsilon that does not matter: libraries do not all add
    it in the same place.
    """
    task = task.first(max(N_ROWS, 3 * task.batch_size))
    task = dataclasses.replace(task, epsilon=1e-100)
    order = np.random.default_rng(1).permutation(task.n_rows)
    ours, theirs = fastbp_itself.trainer(task), module.trainer(task, exact=True)
    ours.in_order(order)
    theirs.in_order(order)
    pairs = list(zip(ours.parameters(), theirs.parameters(), strict=True))
    largest = max(float(np.abs(one).max()) for one, _ in pairs)
    return max(float(np.abs(one - other).max()) for one, other in pairs) / largest


def check(module: ModuleType, task: Task) -> float | None:
    """Return the difference, None where the library's algorithm is another one that learns, too.

    Raises
    ------
    Disagreement
    """
    if not module.COMPARABLE:
        if not module.trainer(task).learns():
            raise Disagreement(f"{module.NAME} is left out: its loss does not fall")
        return None
    found = difference(module, task)
    if not found <= TOLERANCE[task.dtype]:
        raise Disagreement(
            f"{module.NAME} is left out: its parameters after {N_ROWS} rows differ by {found:.1e}"
        )
    return found
