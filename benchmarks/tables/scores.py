"""Accuracy or R2 of models at their defaults, and how long their fits took."""

import dataclasses
import statistics
import sys
import time
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from .datasets import CLASSES, Table
from .models import FASTBP, SCALED, Maker

TEST_SHARE = 0.3
LOWEST = -1.0  # of R2: how far it falls below says little
BEHIND = 0.02  # from which on a table is named as one where fastbp is behind
Split = tuple[Any, Any, np.ndarray, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Score:
    """What a model came to on a table: a score and the seconds of a fit for each split."""

    table: str
    kind: str
    shape: tuple[int, int]
    model: str
    scores: tuple[float, ...]
    seconds: tuple[float, ...]

    @property
    def mean(self) -> float:
        return statistics.fmean(self.scores)

    @property
    def time(self) -> float:
        return statistics.median(self.seconds)


def splits(table: Table, n_splits: int) -> Iterator[tuple[int, Split]]:
    """Yield seeds, and rows to train and to test on with their targets."""
    from sklearn.model_selection import train_test_split

    stratify = table.y if table.kind == CLASSES else None
    for seed in range(n_splits):
        yield (
            seed,
            train_test_split(
                table.X, table.y, test_size=TEST_SHARE, random_state=seed, stratify=stratify
            ),
        )


def timed_fit(model: Any, X: Any, y: np.ndarray) -> float:
    """Return the processor time of a fit in seconds; its warnings are of no interest."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        began = time.process_time()
        model.fit(X, y)
        return time.process_time() - began


def score_of(model: Any, kind: str, X: Any, y: np.ndarray) -> float:
    """Return the accuracy, or R2; of predictions that are not finite the lowest."""
    from sklearn.metrics import accuracy_score, r2_score

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        predicted = model.predict(X)
    if kind == CLASSES:
        return float(accuracy_score(y, predicted))
    if not np.isfinite(predicted).all():
        return LOWEST
    return max(LOWEST, float(r2_score(y, predicted)))


def measured(table: Table, models: dict[str, Maker], n_splits: int) -> list[Score]:
    """Fit all models to the same splits, in turns."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in models}
    for seed, (X_train, X_test, y_train, y_test) in splits(table, n_splits):
        for name, make in models.items():
            model = make(table.kind, seed)
            seconds = timed_fit(model, X_train, y_train)
            found[name].append((score_of(model, table.kind, X_test, y_test), seconds))
    results = []
    for name, pairs in found.items():
        scores, seconds = zip(*pairs, strict=True)
        results.append(Score(table.name, table.kind, table.X.shape, name, scores, seconds))
        print(
            f"{table.name:24s}{name:14s}{results[-1].mean:8.4f}{results[-1].time:9.3f} s",
            file=sys.stderr,
            flush=True,
        )
    return results


def by_table(results: list[Score]) -> dict[str, dict[str, Score]]:
    """Return the scores of each table, of each model."""
    found: dict[str, dict[str, Score]] = {}
    for one in results:
        found.setdefault(one.table, {})[one.model] = one
    return found


def markdown(results: list[Score]) -> list[str]:
    """Return a table: scores and times of all models, the best in bold, and means."""
    rows = by_table(results)
    names = list(next(iter(rows.values())))
    lines = [
        f"| table | rows x columns | score | {' | '.join(f'{name} | s' for name in names)} |",
        "|---|---|---|" + "---:|---:|" * len(names),
    ]
    for table, row in rows.items():
        first = row[names[0]]
        n_rows, n_columns = first.shape
        kind = "accuracy" if first.kind == CLASSES else "R²"
        best = max(round(one.mean, 3) for one in row.values())
        cells = [f"{cell(row[name].mean, best)} | {row[name].time:.2f}" for name in names]
        lines.append(f"| {table} | {n_rows:,} x {n_columns} | {kind} | {' | '.join(cells)} |")
    means = [statistics.fmean(row[name].mean for row in rows.values()) for name in names]
    sums = [sum(row[name].time for row in rows.values()) for name in names]
    cells = [
        f"{cell(mean, round(max(means), 3))} | {seconds:.2f}"
        for mean, seconds in zip(means, sums, strict=True)
    ]
    return [*lines, f"| **mean; sum of s** | | | {' | '.join(cells)} |"]


def cell(value: float, best: float) -> str:
    text = f"{value:.3f}"
    return f"**{text}**" if round(value, 3) == best else text


def comparison(results: list[Score]) -> list[str]:
    """Return a line for each other model: where fastbp is ahead of it, and where behind."""
    rows = by_table(results)
    lines = []
    for other in next(iter(rows.values())):
        if other == FASTBP:
            continue
        gaps = {name: row[FASTBP].mean - row[other].mean for name, row in rows.items()}
        ahead = sum(gap > BEHIND for gap in gaps.values())
        behind = [f"{name} ({gap:.3f})" for name, gap in gaps.items() if gap < -BEHIND]
        where = f"{len(behind)}: {', '.join(behind)}" if behind else "none"
        lines.append(
            f"- Against **{other}**, fastbp is ahead by more than {BEHIND} on {ahead} of "
            f"{len(rows)} tables, and behind by as much on {where}. "
            f"Largest deficit: {largest_deficit(gaps)}."
        )
    return lines


def largest_deficit(gaps: dict[str, float]) -> str:
    name, gap = min(gaps.items(), key=lambda pair: pair[1])
    return "none" if gap >= 0 else f"{-gap:.3f}, on {name}"


def spread(results: list[Score]) -> float:
    """Return by how much the lead over the scaled MLP varies from split to split: a median."""
    return statistics.median(
        statistics.stdev(
            ours - theirs
            for ours, theirs in zip(row[FASTBP].scores, row[SCALED].scores, strict=True)
        )
        for row in by_table(results).values()
    )
