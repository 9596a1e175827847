"""How well networks that train apart do: score by workers, rows a round and outer momentum.

``python -m benchmarks.distributed simulate NAME...`` runs the rounds of 1 to 64 workers one after
another, which gives exactly the numbers of a cluster; ``cluster`` times two processes of Dask
against one, and ``rounds`` rounds without work.
"""

import argparse
import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator
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


@contextlib.contextmanager
def two_workers() -> Iterator[Any]:
    """Return a client of two processes with a thread each."""
    from distributed import Client, LocalCluster

    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        yield client


def fit_alone(kind: type, given: dict[str, Any], block: tuple[Any, Any]) -> float:
    """Return the seconds of an ordinary fit on some rows."""
    begin = time.perf_counter()
    kind(**given, early_stopping=False).fit(*block)
    return time.perf_counter() - begin


def time_cluster(name: str, times: int, n_epochs: int | None) -> None:
    """Print seconds and scores of one process, and of two of Dask with half of the rows each.

    Half of the rows are also learnt by an ordinary fit on each worker, both at once: two processors
    of a shared host do not give two.
    """
    from scipy.sparse import issparse, vstack

    import fastbp.dask

    one = problem(name)
    rows = [one.X] * times
    X = vstack(rows).tocsr() if issparse(one.X) else np.concatenate(rows)
    y = np.concatenate([one.y] * times)
    suffix = "Classifier" if one.is_classifier else "Regressor"
    local: Any = getattr(fastbp, f"Backprop{suffix}")
    several: Any = getattr(fastbp.dask, f"DaskBackprop{suffix}")
    given = {"hidden_layer_sizes": one.hidden, "random_state": 0, "ensemble": 1}
    given["max_iter"] = n_epochs or one.n_epochs
    with two_workers() as client:
        halves = [(X[k::2], y[k::2]) for k in range(2)]
        addresses = sorted(client.scheduler_info()["workers"])
        blocks = [
            client.scatter([half], workers=[address])[0]
            for half, address in zip(halves, addresses, strict=True)
        ]
        for _ in range(3):
            begin = time.perf_counter()
            model = local(**given, early_stopping=False).fit(X, y)
            alone = time.perf_counter() - begin
            print(f"{name},{len(y)},one,{alone:.2f},{model.score(one.X_test, one.y_test):.4f}")
            apart = client.gather(
                [client.submit(fit_alone, local, given, b, pure=False) for b in blocks]
            )
            print(f"{name},{len(y)},halves side by side,{max(apart):.2f},")
            for share in (0.2, 1.0):
                begin = time.perf_counter()
                model = several(**given, n_shards=2, rows_per_round=share).fit(blocks)
                seconds = time.perf_counter() - begin
                history = model.history_
                computing, moving = (
                    sum(history[f"seconds_{of}"]) for of in ("computing", "moving")
                )
                print(
                    f"{name},{len(y)},two in rounds of {share:g},{seconds:.2f},"
                    f"{model.score(one.X_test, one.y_test):.4f},{len(history['round'])},"
                    f"{computing:.2f},{moving:.2f}",
                    flush=True,
                )


def time_rounds(n_rounds: int = 61) -> None:
    """Print what a round without work takes, by the number of shards: mean, median, least."""
    from fastbp.dask import DaskBackpropRegressor

    random = np.random.default_rng(0)
    with two_workers() as client:
        for n_shards in (2, 8, 20, 64, 256):
            n = max(n_shards, 20)
            parts = [(random.normal(size=(50, 4)), random.normal(size=50)) for _ in range(n)]
            model = DaskBackpropRegressor((8,), random_state=0, n_shards=n_shards, rounds=n_rounds)
            model.fit(client.scatter(parts))
            seconds = 1e3 * np.array(model.history_["seconds"][1:])
            mean, median, least = seconds.mean(), np.median(seconds), seconds.min()
            print(f"{n_shards},{mean:.1f},{median:.1f},{least:.1f}", flush=True)


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("what", choices=("simulate", "cluster", "rounds"))
    add("names", nargs="*", metavar="NAME", help=f"of {', '.join(LOADERS)}; default: all")
    add("--workers", type=int, nargs="+", default=WORKERS, help="numbers of them to simulate")
    add("--times", type=int, default=1, help="how often a cluster has all rows")
    add("--epochs", type=int, help="of a cluster")
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(LOADERS)
    if unknown:
        parser.error(f"no such data: {', '.join(sorted(unknown))}")
    if arguments.what == "rounds":
        time_rounds()
        return
    for name in arguments.names or (*CHOSEN_ON, *HELD_BACK):
        if arguments.what == "simulate":
            print_scores(name, tuple(arguments.workers))
        else:
            time_cluster(name, arguments.times, arguments.epochs)


if __name__ == "__main__":
    main()
