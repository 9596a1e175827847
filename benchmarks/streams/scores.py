"""Prequential scores: every row is predicted first, then learned."""

import dataclasses
import json
import statistics
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from ..tables.datasets import CLASSES
from . import models
from .sources import Stream

Known = dict[str, dict[str, Any]]  # of each stream, of each model: scores, seconds, version


@dataclasses.dataclass(frozen=True)
class Score:
    """What a model came to on a stream: for each seed a score, and the seconds of a row."""

    stream: str
    kind: str
    shape: tuple[int, int]
    model: str
    scores: tuple[float, ...]
    seconds: tuple[float, ...]

    @property
    def mean(self) -> float:
        return statistics.fmean(self.scores)

    @property
    def spread(self) -> float:
        return statistics.stdev(self.scores) if len(self.scores) > 1 else 0.0

    @property
    def microseconds(self) -> float:
        return 1e6 * statistics.median(self.seconds)


def run(stream: Stream, make: models.Maker, seed: int) -> tuple[float, float] | None:
    """Return the accuracy or the mean absolute error, and the processor time of a row."""
    model = make(stream, seed)
    if model is None:
        return None
    predicted = []
    began = time.process_time()
    for x, y in stream.rows:
        predicted.append(model.predict_one(x))
        model.learn_one(x, y)
    seconds = (time.process_time() - began) / len(stream.rows)
    return score_of(stream, predicted), seconds


def score_of(stream: Stream, predicted: list[Any]) -> float:
    targets = [y for _, y in stream.rows]
    if stream.kind == CLASSES:
        return statistics.fmean(one == y for one, y in zip(predicted, targets, strict=True))
    # Forests predict nothing before they have learned: that counts as 0.
    values = np.array([0.0 if one is None else one for one in predicted])
    return float(np.abs(values - targets).mean())


def measured(
    stream: Stream, makers: dict[str, models.Maker], n_seeds: int, known: Known
) -> list[Score]:
    """Run all models that are installed; take up, and add to, what is known of the others."""
    found = []
    for name, make in makers.items():
        entry = known.get(stream.name, {}).get(name)
        if entry is None:
            if not models.version(name) and name not in models.BASELINES:
                continue
            entry = measured_model(stream, name, make, n_seeds if name == models.FASTBP else 1)
            if entry is None:
                continue
            if name != models.FASTBP:
                known.setdefault(stream.name, {})[name] = entry
        shape = (len(stream.rows), len(stream.rows[0][0]))
        found.append(
            Score(
                stream.name,
                stream.kind,
                shape,
                name,
                tuple(entry["scores"]),
                tuple(entry["seconds"]),
            )
        )
    return found


def measured_model(
    stream: Stream, name: str, make: models.Maker, n_seeds: int
) -> dict[str, Any] | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pairs = [run(stream, make, seed) for seed in range(n_seeds)]
    complete = [pair for pair in pairs if pair is not None]
    if not complete:
        return None
    scores, seconds = zip(*complete, strict=True)
    text = f"{stream.name:20s}{name:20s}{scores[0]:10.4f}{1e6 * statistics.median(seconds):9.1f} us"
    print(text, file=sys.stderr, flush=True)
    return {"scores": scores, "seconds": seconds, "version": models.version(name)}


def read(file: Path | None) -> Known:
    return json.loads(file.read_text(encoding="utf-8")) if file and file.exists() else {}


def write(file: Path | None, known: Known) -> None:
    if file:
        file.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")


def by_stream(results: list[Score]) -> dict[str, dict[str, Score]]:
    """Return the scores of each stream, of each model."""
    found: dict[str, dict[str, Score]] = {}
    for one in results:
        found.setdefault(one.stream, {})[one.model] = one
    return found


def ranks(results: list[Score]) -> dict[str, list[float]]:
    """Return the places of each model, 1 for the best of a stream; equal ones share theirs."""
    from scipy.stats import rankdata

    places: dict[str, list[float]] = {}
    for row in by_stream(results).values():
        compared = [one for one in row.values() if one.model not in models.BASELINES]
        costs = [-one.mean if one.kind == CLASSES else one.mean for one in compared]
        for one, place in zip(compared, rankdata(costs), strict=True):
            places.setdefault(one.model, []).append(float(place))
    return places


def better(one: Score, other: Score) -> bool:
    return one.mean > other.mean if one.kind == CLASSES else one.mean < other.mean
