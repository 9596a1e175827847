"""Rows of a CSR matrix: text-like, two classes."""

from collections.abc import Iterator
from functools import partial

from .. import data
from ..measure import Case, Sample
from ..task import Task
from . import Options
from .training import samples_of

TITLE = "Row by row on a CSR matrix: time for one row"
ALL_CORES = False
SIZES = (20_000, 64, 1)
NON_ZEROS = 40


def cases(options: Options) -> Iterator[Case]:
    if not options.quick:
        yield Case("CSR, 20,000 features, 40 non-zeros", partial(samples, options))


def samples(options: Options) -> dict[str, Sample]:
    X, y = data.sparse_classification(SIZES[0], NON_ZEROS, 10_000)
    return samples_of(Task(SIZES, X, y, loss="log_loss"), options)
