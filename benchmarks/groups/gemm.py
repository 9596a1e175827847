"""Batches next to the machine's matrix products: the same multiplications, done by NumPy alone."""

from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import threadpoolctl

from ..machine import processors
from ..measure import Case, Sample, seconds_a_row, timed
from ..peers import fastbp_itself
from . import Options, batches

TITLE = "Batches next to NumPy's matrix products: time for a row's multiplications"
ALL_CORES = True
SIZES, BATCH_SIZE = (784, 100, 10), 200


def cases(options: Options) -> Iterator[Case]:
    yield Case(batches.name(SIZES, BATCH_SIZE), partial(samples, options))


def samples(options: Options) -> dict[str, Sample]:
    n_rows = BATCH_SIZE if options.quick else 10_000
    found = products(options)
    task = fastbp_itself.does(batches.task(SIZES, BATCH_SIZE, n_rows, len(processors())))
    if task is not None:
        trainer = fastbp_itself.trainer(task)
        found["fastbp"] = seconds_a_row(trainer, options.seconds)
    return found


def products(options: Options) -> dict[str, Sample]:
    """Return samples of `numpy.matmul` into memory it is given: Z = X W, and grad W = X' D."""
    n_in, n_hidden = SIZES[:2]
    random = np.random.default_rng(0)
    X, W = random.normal(size=(BATCH_SIZE, n_in)), random.normal(size=(n_in, n_hidden))
    Z, grad_W = np.empty((BATCH_SIZE, n_hidden)), np.empty_like(W)
    share = multiplications() / (n_in * n_hidden)  # of those of one product
    calls = {
        "X W": partial(np.matmul, X, W, out=Z),
        "X' D": partial(np.matmul, X.T, Z, out=grad_W),
    }
    return {
        f"{name}, {n_threads} threads": limited(call, n_threads, options, BATCH_SIZE / share)
        for name, call in calls.items()
        for n_threads in {1, len(processors())}
    }


def multiplications() -> float:
    """Return a row's multiplications: forward, gradients, and deltas of all but the first layer."""
    sizes = [n_in * n_out for n_in, n_out in pairwise(SIZES)]
    return 3 * sum(sizes) - sizes[0]


def limited(call: Any, n_threads: int, options: Options, n: float) -> Sample:
    """Return a sample with BLAS on so many threads."""
    sample = timed(call, options.seconds, n)

    def run() -> float:
        with threadpoolctl.threadpool_limits(n_threads):
            return sample()

    return run
