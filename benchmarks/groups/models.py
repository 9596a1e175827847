"""Many models: threads side by side, and restarts of which the best is kept."""

import inspect
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np

import fastbp

from .. import data
from ..measure import Case, Sample, timed
from ..plain import plain
from ..task import name_of
from . import Options

TITLE = "Many models: time for all of them"
ALL_CORES = True
RESTARTED = ((2, 2, 1), (4, 8, 1), (8, 16, 1))
N_INIT = 8


def cases(options: Options) -> Iterator[Case]:
    yield Case("a model a thread, 30-64-1", partial(threads, options))
    for sizes in RESTARTED if has_restarts() else ():
        yield Case(restarts_name(sizes), partial(restarts, sizes, options))


def threads(options: Options) -> dict[str, Sample]:
    """Return samples of an epoch of one model, and of one each of two models in two threads."""
    sizes = (30, 64, 1)
    X, y = data.regression(sizes, 300 if options.quick else 20_000)
    networks = [fastbp.Network(sizes, random_state=seed) for seed in range(2)]
    order = np.random.default_rng(0).permutation(len(X))
    pool = ThreadPoolExecutor(2)

    def train(network: Any) -> None:
        for _ in range(1 if options.quick else 10):
            network.train_epoch(X, y, 1e-3, order=order)

    return {
        "one model": timed(lambda: list(pool.map(train, networks[:1])), options.seconds),
        "two models": timed(lambda: list(pool.map(train, networks)), options.seconds),
    }


def has_restarts() -> bool:
    return "n_init" in inspect.signature(fastbp.BackpropRegressor).parameters


def restarts_name(sizes: tuple[int, ...]) -> str:
    return f"n_init={N_INIT}, {name_of(sizes)}"


def restarts(sizes: tuple[int, ...], options: Options) -> dict[str, Sample]:
    X, y = data.regression(sizes, 300 if options.quick else 5_000)
    y = y.ravel()

    def fit(n_init: int) -> Sample:
        model = plain(
            fastbp.BackpropRegressor,
            hidden_layer_sizes=sizes[1:-1],
            max_iter=20,
            n_iter_no_change=20,
            tol=0.0,
            n_init=n_init,
            random_state=0,
        )
        return timed(lambda: model.fit(X, y), options.seconds)

    return {"one fit": fit(1), "eight fits in one": fit(N_INIT)}
