"""Row-by-row SGD next to every library: squared error, ReLU, float64, random order."""

from collections.abc import Iterator
from functools import partial

from .. import data
from ..measure import Case, Sample
from ..task import Task, name_of
from . import Options
from .training import samples_of

TITLE = "Row by row: time for one row"
ALL_CORES = False
NETWORKS = ((2, 2, 1), (8, 16, 1), (30, 64, 1), (64, 128, 10), (784, 128, 10))
ON_PIXELS = ((784, 128, 10), (784, 256, 128, 10))


def cases(options: Options) -> Iterator[Case]:
    for sizes in NETWORKS[: 2 if options.quick else None]:
        yield Case(name_of(sizes), partial(dense, sizes, options))
    for sizes in () if options.quick else ON_PIXELS:
        yield Case(f"{name_of(sizes)}, MNIST pixels", partial(pixels, sizes, options))


def n_rows(sizes: tuple[int, ...], options: Options) -> int:
    """Return as many rows as fit the nearer caches; growth in rows is measured elsewhere."""
    return 300 if options.quick else min(20_000, max(500, 200_000 // sizes[0]))


def dense(sizes: tuple[int, ...], options: Options) -> dict[str, Sample]:
    return samples_of(Task(sizes, *data.regression(sizes, n_rows(sizes, options))), options)


def pixels(sizes: tuple[int, ...], options: Options) -> dict[str, Sample]:
    return samples_of(Task(sizes, *data.pixels(n_rows(sizes, options))), options)
