"""Mini-batches: Adam, cross-entropy, random order, all processors."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from .. import data
from ..machine import processors
from ..measure import Case, Sample
from ..task import Task, name_of
from . import Options
from .training import samples_of

TITLE = "Mini-batches, Adam, cross-entropy: time for one row"
ALL_CORES = True
# layers (two classes are one output), rows of a batch, rows of an epoch
SHAPES = (
    ((20, 100, 2), 32, 10_000),
    ((20, 100, 2), 200, 10_000),
    ((54, 256, 128, 7), 200, 20_000),
    ((784, 128, 10), 32, 10_000),
    ((784, 100, 10), 200, 10_000),
)
ON_PIXELS = SHAPES[3:]


def cases(options: Options) -> Iterator[Case]:
    for sizes, batch_size, n_rows in SHAPES[: 1 if options.quick else None]:
        n_rows = 300 if options.quick else n_rows
        samples = partial(epochs, sizes, batch_size, n_rows, options)
        yield Case(name(sizes, batch_size), samples)
    for sizes, batch_size, n_rows in () if options.quick else ON_PIXELS:
        samples = partial(epochs, sizes, batch_size, n_rows, options, data.digits)
        yield Case(name(sizes, batch_size, ", MNIST pixels"), samples)


def name(sizes: tuple[int, ...], batch_size: int, rows: str = "") -> str:
    return f"{name_of(sizes)}{rows}, batches of {batch_size}"


def task(
    sizes: tuple[int, ...],
    batch_size: int,
    n_rows: int,
    n_threads: int,
    drawn: Callable[[int, int, int], tuple[np.ndarray, np.ndarray]] = data.classification,
) -> Task:
    """Return the task; two classes take one logistic output, in every library here."""
    X, y = drawn(sizes[0], sizes[-1], n_rows)
    sizes = (*sizes[:-1], 1) if sizes[-1] == 2 else sizes
    return Task(
        sizes,
        X,
        y,
        loss="log_loss",
        solver="adam",
        batch_size=batch_size,
        n_threads=n_threads,
    )


def epochs(
    sizes: tuple[int, ...], batch_size: int, n_rows: int, options: Options, *drawn: Any
) -> dict[str, Sample]:
    return samples_of(task(sizes, batch_size, n_rows, len(processors()), *drawn), options)
