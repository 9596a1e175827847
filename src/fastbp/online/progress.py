"""`learn_progressively`: predict each row of a stream, then learn it, and keep the score."""

from __future__ import annotations

import collections
import dataclasses
import math
import time
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._messages import counted
from ..network.checks import check_whole

MOST_POINTS = 1000


@dataclasses.dataclass
class StreamProgress:
    """How well a stream was predicted while it was learned, at some of its rows.

    Attributes
    ----------
    metric : {"accuracy", "mean absolute error"}
    rows : list of int
        How many rows there were.
    score : list of float
        Of all rows so far.
    window_score : list of float
        Of the last ``window`` rows.
    baseline : list of float
        Score of predicting what a row without inputs would: the last label, or the mean so far.
    n_features, n_classes : list of int
        Names and labels so far; 0 where a model does not say.
    window : int
    seconds : float
        Spent in the model.
    """

    metric: str
    window: int
    rows: list[int] = dataclasses.field(default_factory=list)
    score: list[float] = dataclasses.field(default_factory=list)
    window_score: list[float] = dataclasses.field(default_factory=list)
    baseline: list[float] = dataclasses.field(default_factory=list)
    n_features: list[int] = dataclasses.field(default_factory=list)
    n_classes: list[int] = dataclasses.field(default_factory=list)
    seconds: float = 0.0

    def __str__(self) -> str:
        if not self.rows:
            return "no rows"
        last = counted(min(self.window, self.rows[-1]), "row")
        per_row = self.seconds / self.rows[-1] * 1e6
        return (
            f"{counted(self.rows[-1], 'row')}: {self.metric} {self.score[-1]:.4f} "
            f"(baseline {self.baseline[-1]:.4f}, last {last} "
            f"{self.window_score[-1]:.4f}), {per_row:.1f} us a row"
        )


def learn_progressively(
    model: Any, stream: Iterable[tuple[Any, Any]], *, window: int = 500, every: int | None = None
) -> StreamProgress:
    """Predict each row, then learn it, and return the scores on the way.

    Parameters
    ----------
    model : OnlineClassifier or OnlineRegressor
        Or anything with `predict_one` and `learn_one`, such as an estimator of river. It learns on.
    stream : iterable of (x, y)
    window : int, default=500
        Rows that the score of the last ones is of.
    every : int, default=None
        Rows between two points. None: about a thousand points, whatever the length.

    Returns
    -------
    StreamProgress
    """
    window = check_whole("window", window)
    if hasattr(stream, "columns"):
        raise TypeError(
            "stream must yield pairs (x, y), one for each row; got a "
            f"{type(stream).__name__}. Pass for instance zip(frame.to_dict('records'), y)"
        )
    every_now = 1 if every is None else check_whole("every", every)
    score = None
    for n, (x, y) in enumerate(stream, start=1):
        begin = time.perf_counter()
        predicted = model.predict_one(x)
        model.learn_one(x, y)
        spent = time.perf_counter() - begin
        if score is None:
            score = Scores(hasattr(model, "predict_proba_one"), window)
        score.add(y, predicted)
        score.progress.seconds += spent
        if n % every_now == 0:
            score.note(model, n)
            if every is None and len(score.progress.rows) >= 2 * MOST_POINTS:
                _thin_out(score.progress)
                every_now *= 2
    if score is None:
        raise ValueError("the stream has no rows")
    if score.progress.rows[-1:] != [n]:
        score.note(model, n)
    return score.progress


class Scores:
    """Running scores of predictions and of the baseline."""

    def __init__(self, classifies: bool, window: int) -> None:
        metric = "accuracy" if classifies else "mean absolute error"
        self.progress = StreamProgress(metric, window)
        self.classifies, self.n = classifies, 0
        self.total = self.baseline_total = 0.0
        self.mean: Any = 0.0
        self.last: collections.deque[float] = collections.deque(maxlen=window)
        self.last_label: Any = None

    def add(self, y: Any, predicted: Any) -> None:
        """Count a prediction."""
        one, baseline = self._points(y, predicted)
        self.n += 1
        self.total += one
        self.baseline_total += baseline
        self.last.append(one)

    def _points(self, y: Any, predicted: Any) -> tuple[float, float]:
        if self.classifies:
            baseline = float(y == self.last_label)
            self.last_label = y
            return float(y == predicted), baseline
        target, guess = _numbers(y), _numbers(predicted)
        baseline = float(np.abs(target - self.mean).mean())
        self.mean = self.mean + (target - self.mean) / (self.n + 1)
        return float(np.abs(target - guess).mean()), baseline

    def note(self, model: Any, n: int) -> None:
        """Keep the scores of now."""
        progress = self.progress
        progress.rows.append(n)
        progress.score.append(self.total / n)
        progress.baseline.append(self.baseline_total / n)
        progress.window_score.append(math.fsum(self.last) / len(self.last))
        progress.n_features.append(getattr(model, "n_features_", 0))
        progress.n_classes.append(len(getattr(model, "classes_", ())))


def _numbers(y: Any) -> NDArray[np.float64]:
    """Return one target or several, by their names in order."""
    if isinstance(y, Mapping):
        y = [y[name] for name in sorted(y, key=str)]
    return np.asarray(y, np.float64)


def _thin_out(progress: StreamProgress) -> None:
    """Keep every other point."""
    for field in dataclasses.fields(progress):
        values = getattr(progress, field.name)
        if isinstance(values, list):
            del values[::2]
