"""How well networks that train apart do: score by workers, rows a round and outer momentum.

``python -m benchmarks.distributed simulate NAME...`` runs the rounds of 1 to 64 workers one after
another, which gives exactly the numbers of a cluster; ``cluster`` times two processes of Dask
against one.
"""

import argparse
import dataclasses
import time
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from benchmarks.data import mnist
from fastbp import Network
from fastbp.distributed import (
    InProcess,
    Layout,
    OuterStep,
    RoundState,
    Settings,
    Shard,
    Training,
    made_with,
    run_all,
)
from fastbp.estimators.units import units_of
from fastbp.network import Solver
from fastbp.training.schedule import Schedule

WORKERS = (1, 2, 4, 8, 16, 32, 64)
CHOSEN_ON, HELD_BACK = ("digits", "diamonds", "text"), ("mnist", "friedman", "words")
N_PARTITIONS = 64


@dataclasses.dataclass(frozen=True)
class Problem:
    """Rows in their own units, those to be tested on, and a network for them."""

    name: str
    X: Any
    y: np.ndarray
    X_test: Any
    y_test: np.ndarray
    hidden: tuple[int, ...]
    n_epochs: int
    is_classifier: bool


@cache
def problem(name: str, share: float = 1.0) -> Problem:
    """Return one of the data sets; a share of its rows."""
    X, y, hidden, n_epochs, is_classifier = LOADERS[name]()
    random = np.random.default_rng(0)
    order = random.permutation(X.shape[0])[: int(share * X.shape[0])]
    n_test = len(order) // 5
    test, train = order[:n_test], order[n_test:]
    return Problem(name, X[train], y[train], X[test], y[test], hidden, n_epochs, is_classifier)


def load_mnist() -> tuple[Any, ...]:
    from scipy.sparse import csr_array

    rows = mnist(60_000)
    if rows is None:
        return load_digits()
    X, y = rows
    return csr_array(X.astype(np.float32)), y, (128,), 5, True


def load_digits() -> tuple[Any, ...]:
    from sklearn.datasets import load_digits as digits

    X, y = digits(return_X_y=True)
    return X, y, (64,), 40, True


def load_diamonds() -> tuple[Any, ...]:
    try:
        from plotnine.data import diamonds
    except ImportError:
        return load_friedman()
    frame = diamonds.copy()
    for name in ("cut", "color", "clarity"):
        frame[name] = frame[name].cat.codes
    y = np.log(frame.pop("price").to_numpy(np.float64))
    return frame.to_numpy(np.float64), y, (64,), 10, False


def load_friedman() -> tuple[Any, ...]:
    from sklearn.datasets import make_friedman1

    X, y = make_friedman1(40_000, 10, noise=1.0, random_state=1)
    return X, y, (64,), 10, False


def load_text(n_words: int = 20_000, n_classes: int = 6, n: int = 40_000) -> tuple[Any, ...]:
    """Return rows like bags of words: frequencies by Zipf's law, some of each class's own."""
    from scipy.sparse import csr_array

    random = np.random.default_rng(n_words)
    frequency = np.cumsum(1 / np.arange(1, n_words + 1))
    labels, lengths = random.integers(n_classes, size=n), 5 + random.poisson(40, n)
    row = np.repeat(np.arange(n), lengths)
    words = np.searchsorted(frequency, random.random(len(row)) * frequency[-1])
    is_own = random.random(len(row)) < 0.1
    for k in range(n_classes):  # the same law for words in another order
        own = is_own & (labels[row] == k)
        words[own] = random.permutation(n_words)[words[own]]
    X = csr_array((np.ones(len(row)), (row, words)), shape=(n, n_words))
    return X, labels, (32,), 5, True


LOADERS: dict[str, Callable[[], tuple[Any, ...]]] = {
    "mnist": load_mnist,
    "diamonds": load_diamonds,
    "text": load_text,
    "digits": load_digits,
    "friedman": load_friedman,
    "words": lambda: load_text(5_000, 2, 20_000),
}


# -- simulation ------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Way:
    """How networks that train apart become one."""

    workers: int
    rounds_an_epoch: int = 5
    solver: str = "sgd"
    rate: float | None = None
    momentum: float = 0.0
    outer: OuterStep = dataclasses.field(default_factory=OuterStep)
    moments: Any = "average"
    by_squares: bool = False
    n_partitions: int = 64


def simulate(one: Problem, way: Way, seed: int = 0) -> dict[str, float]:
    """Run all rounds of so many workers; return the score of rows held out, and the time."""
    loss = "log_loss" if one.is_classifier else "squared_error"
    units = units_of(one.X, one.y, None, loss)
    targets = units.targets_of_fit(one.y)
    n_out = len(np.unique(one.y)) if one.is_classifier else 1
    n_out = 1 if n_out == 2 else n_out
    n_in = one.X.shape[1]
    network = Network((n_in, *one.hidden, n_out), loss=loss, dtype=one.X.dtype, random_state=seed)
    shards = [
        Shard(one.X[k :: way.n_partitions], targets[k :: way.n_partitions], scaling=units.inputs)
        for k in range(way.n_partitions)
    ]
    rate = way.rate or min(0.02, 10 / n_in)
    settings = Settings(
        made_with(network),
        Solver(rate, solver=way.solver, momentum=way.momentum),
        Schedule("cosine", rate),
        way.rounds_an_epoch,
        way.rounds_an_epoch * one.n_epochs,
        seed=seed,
        outer=way.outer,
        moments=way.moments,
        by_squares=way.by_squares,
    )
    layout = Layout(tuple(shard.n_visits for shard in shards), way.workers, seed)
    training = Training(settings, layout, RoundState.of(network))
    begin = time.process_time()
    outcomes = run_all(training, InProcess(shards))
    seconds = time.process_time() - begin
    trained = training.state.network(settings.made_with)
    return {"score": score(one, trained, units), "loss": outcomes[-1].loss, "seconds": seconds}


def score(one: Problem, network: Network, units: Any) -> float:
    """Return the accuracy, or R2, for rows held out."""
    outputs = network.forward(units.inputs.transform(one.X_test))
    if not one.is_classifier:
        errors = np.square(units.outputs(outputs)[:, 0] - one.y_test).mean()
        return float(1 - errors / np.var(one.y_test))
    if outputs.shape[1] == 1:
        return float(np.mean((outputs[:, 0] > 0.5) == one.y_test))
    return float(np.mean(outputs.argmax(axis=1) == one.y_test))


def print_scores(name: str, workers: tuple[int, ...] = WORKERS) -> None:
    """Print lines of CSV: of averages alone, and of the defaults, which have momentum."""
    one = problem(name)
    rate = min(0.02, 10 / one.X.shape[1])
    for n in workers:
        for rounds in (5, 20):
            momentum = min(0.9, 1 - 1 / n)
            ways = {
                "plain": Way(n, rounds, rate=rate),
                "defaults": Way(n, rounds, rate=rate * (1 + (n > 1)), outer=OuterStep(1, momentum)),
            }
            for label, way in ways.items():
                found = simulate(one, way)
                numbers = f"{found['score']:.4f},{found['seconds']:.2f}"
                print(f"{name},{n},{rounds},{label},{numbers}", flush=True)


# -- a cluster -------------------------------------------------------------------------------------


def time_cluster(name: str, n_parts: int = 20) -> None:
    """Print seconds, processor's seconds and scores of one process, and of two of Dask."""
    from distributed import Client, LocalCluster

    from fastbp import BackpropClassifier, BackpropRegressor
    from fastbp.dask import DaskBackpropClassifier, DaskBackpropRegressor

    one = problem(name)
    given = {"hidden_layer_sizes": one.hidden, "random_state": 0, "max_iter": one.n_epochs}
    local: Any = BackpropClassifier if one.is_classifier else BackpropRegressor
    several: Any = DaskBackpropClassifier if one.is_classifier else DaskBackpropRegressor
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        parts = [(one.X[k::n_parts], one.y[k::n_parts]) for k in range(n_parts)]
        blocks = client.scatter([list(part) for part in parts])
        for _ in range(3):
            for label, model in (("one", local(**given)), ("two", several(**given))):
                begin, used = time.perf_counter(), time.process_time()
                rows = (one.X, one.y) if label == "one" else (blocks,)
                options = {"early_stopping": False} if label == "one" else {}
                model.set_params(ensemble=1, **options).fit(*rows)
                seconds, used = time.perf_counter() - begin, time.process_time() - used
                line = f"{name},{label},{seconds:.2f},{used:.2f}"
                line += f",{model.score(one.X_test, one.y_test):.4f}"
                if label == "two":
                    history = model.history_
                    computing = sum(history["seconds_computing"])
                    moving = sum(history["seconds_moving"])
                    line += f",{len(history['round'])},{computing:.2f},{moving:.2f}"
                print(line, flush=True)


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("simulate", "cluster"))
    parser.add_argument("names", nargs="*", choices=(*LOADERS,))
    parser.add_argument("--workers", type=int, nargs="+", default=WORKERS)
    arguments = parser.parse_args()
    for name in arguments.names or (*CHOSEN_ON, *HELD_BACK):
        if arguments.what == "simulate":
            print_scores(name, tuple(arguments.workers))
        else:
            time_cluster(name)


if __name__ == "__main__":
    main()
