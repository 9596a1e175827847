"""Networks of 40 shapes next to C programs whose sizes the compiler knows."""

from collections.abc import Iterator
from functools import partial

from .. import data
from ..measure import Case, Sample
from ..peers import fastbp_itself, fixed_sizes
from ..task import Task, name_of
from . import Options
from .rows import n_rows
from .training import samples_of

TITLE = "Row by row, 40 shapes: time for one row"
ALL_CORES = False
SHAPES = (
    *((1, 1, 1), (1, 4, 1), (1, 16, 1), (1, 64, 1), (2, 2, 1), (2, 3, 1), (2, 8, 1), (2, 32, 2)),
    *((3, 5, 2), (4, 4, 3), (4, 8, 1), (4, 8, 3), (5, 7, 1), (5, 20, 5), (6, 12, 1), (7, 13, 1)),
    *((8, 8, 1), (8, 16, 1), (8, 16, 4), (8, 45, 1), (10, 10, 10), (10, 31, 1), (12, 24, 2)),
    *((13, 17, 1), (13, 50, 1), (16, 16, 1), (16, 46, 2), (20, 33, 1), (20, 100, 2), (30, 15, 1)),
    *((30, 64, 1), (30, 64, 2), (33, 65, 3), (54, 100, 7), (64, 32, 10), (64, 128, 10)),
    *((100, 100, 1), (200, 50, 5), (256, 128, 1), (784, 128, 10)),
)


def cases(options: Options) -> Iterator[Case]:
    for sizes in SHAPES[::20] if options.quick else SHAPES:
        yield Case(name_of(sizes), partial(against_c, sizes, options))


def against_c(sizes: tuple[int, ...], options: Options) -> dict[str, Sample]:
    task = Task(sizes, *data.regression(sizes, n_rows(sizes, options)))
    return samples_of(task, options, (fastbp_itself.NAME, fixed_sizes.NAME))
