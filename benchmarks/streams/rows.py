"""How long a row takes fastbp: dicts, arrays, tables, text, with and without rows of the past."""

import time
from collections.abc import Callable

import numpy as np

from fastbp.online import OnlineClassifier

ROUNDS = 7  # of which the fastest counts: whatever else runs only adds to the others
N_ROWS = 4000


def times() -> dict[str, float]:
    """Return the processor time of a row in microseconds, by what the row is."""
    random = np.random.default_rng(0)
    X = random.normal(size=(N_ROWS, 8))
    y = (X[:, 0] * X[:, 1] > 0).astype(int)
    names = [f"x{k}" for k in range(8)]
    dicts = [dict(zip(names, map(float, row), strict=True)) for row in X]
    words = [f"word {k}" for k in range(10_000)]
    texts = [dict.fromkeys(random.choice(words, 40, replace=False).tolist(), 1) for _ in X]
    labels = y.tolist()
    large_X, large_y = np.tile(X, (25, 1)), np.tile(y, 25)
    one = {"replay": 0, "random_state": 0}
    kinds: dict[str, tuple[dict, Callable, int]] = {
        "a dict of 8 numbers, one network (`replay=0`)": (one, both(dicts, labels), N_ROWS),
        "an array of 8 numbers, one network": (one, both(list(X), labels), N_ROWS),
        "a row of a table of 8 numbers, `learn_many`, one network": (
            one,
            lambda model: model.learn_many(large_X, large_y),
            len(large_X),
        ),
        "a dict of 8 numbers, three networks, `replay=10`": (
            {"replay": 10, "random_state": 0},
            both(dicts, labels),
            N_ROWS,
        ),
        "a dict of 40 out of 10,000 words, one network": (one, both(texts, labels), N_ROWS),
    }
    return {
        name: best_of(OnlineClassifier(**options), run, n)
        for name, (options, run, n) in kinds.items()
    }


def both(rows: list, labels: list) -> Callable:
    """Return a function that predicts each row, then learns it."""

    def run(model: OnlineClassifier) -> None:
        for x, label in zip(rows, labels, strict=True):
            model.predict_one(x)
            model.learn_one(x, label)

    return run


def best_of(model: OnlineClassifier, run: Callable, n: int) -> float:
    """Return the least processor time of a row; in the first round names get their places."""
    run(model)
    found = []
    for _ in range(ROUNDS):
        began = time.process_time()
        run(model)
        found.append((time.process_time() - began) / n * 1e6)
    return min(found)


def table() -> str:
    """Return the times as Markdown."""
    lines = ["| a row is | us to predict and learn it |", "|---|---:|"]
    lines += [f"| {name} | {value:.2f} |" for name, value in times().items()]
    return "\n".join(lines)
