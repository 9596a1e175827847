"""Poisson and quantile losses of `BackpropRegressor` next to those of gradient-boosted trees."""

import dataclasses
import statistics
import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from .datasets import Table
from .models import FASTBP, TREES, encoded
from .scores import splits, timed_fit

CONSTANT = "constant"  # the best one on the rows trained on
QUANTILES = (0.1, 0.5, 0.9)


@dataclasses.dataclass(frozen=True)
class Loss:
    """A loss, as both models take it, and what judges predictions on held-out rows."""

    name: str
    parameters: dict[str, Any]
    constant: Callable[[np.ndarray], float]
    of: Callable[[np.ndarray, np.ndarray], float]


def mean_poisson_deviance(y: np.ndarray, predicted: np.ndarray) -> float:
    from sklearn import metrics

    # A mean of zero, to which a tiny one may be rounded, would have an infinite deviance.
    return float(metrics.mean_poisson_deviance(y, np.maximum(predicted, 1e-9)))


def quantile_loss(quantile: float) -> Loss:
    from sklearn.metrics import mean_pinball_loss

    return Loss(
        f"quantile {quantile}",
        {"loss": "quantile", "quantile": quantile},
        lambda y: float(np.quantile(y, quantile)),
        lambda y, predicted: float(mean_pinball_loss(y, predicted, alpha=quantile)),
    )


def losses() -> list[Loss]:
    poisson = Loss(
        "Poisson", {"loss": "poisson"}, lambda y: float(np.mean(y)), mean_poisson_deviance
    )
    return [poisson, *(quantile_loss(quantile) for quantile in QUANTILES)]


@dataclasses.dataclass(frozen=True)
class Result:
    """Losses on held-out rows and seconds of a fit, each a list over the splits, by model."""

    table: str
    shape: tuple[int, int]
    loss: str
    values: dict[str, list[float]]
    seconds: dict[str, list[float]]


def makers(loss: Loss) -> dict[str, Callable[[int], Any]]:
    from sklearn.ensemble import HistGradientBoostingRegressor

    from fastbp import BackpropRegressor

    return {
        FASTBP: lambda seed: encoded(BackpropRegressor(random_state=seed, **loss.parameters)),
        TREES: lambda seed: encoded(
            HistGradientBoostingRegressor(random_state=seed, **loss.parameters)
        ),
    }


def measured(table: Table, loss: Loss, n_splits: int) -> Result:
    """Fit both models to the same splits, in turns."""
    models = makers(loss)
    values: dict[str, list[float]] = {name: [] for name in (CONSTANT, *models)}
    seconds: dict[str, list[float]] = {name: [] for name in models}
    for seed, (X_train, X_test, y_train, y_test) in splits(table, n_splits):
        constant = np.full(len(y_test), loss.constant(y_train))
        values[CONSTANT].append(loss.of(y_test, constant))
        for name, make in models.items():
            model = make(seed)
            seconds[name].append(timed_fit(model, X_train, y_train))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                values[name].append(loss.of(y_test, model.predict(X_test)))
    means = "   ".join(f"{name} {statistics.fmean(one):.4g}" for name, one in values.items())
    print(f"{table.name:24s}{loss.name:14s}{means}", file=sys.stderr, flush=True)
    return Result(table.name, table.X.shape, loss.name, values, seconds)


def markdown(results: list[Result]) -> list[str]:
    """Return a table: the loss on held-out rows, smaller is better, in bold the smallest."""
    lines = [
        f"| table | rows x columns | loss | {CONSTANT} | {FASTBP} | s | {TREES} | s "
        f"| {FASTBP} / {TREES} |",
        "|---|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for one in results:
        means = {name: statistics.fmean(values) for name, values in one.values.items()}
        times = {name: statistics.median(values) for name, values in one.seconds.items()}
        ratio = means[FASTBP] / means[TREES]
        least = min(means.values())
        shown = {
            name: f"**{value:.4g}**" if value == least else f"{value:.4g}"
            for name, value in means.items()
        }
        n_rows, n_columns = one.shape
        lines.append(
            f"| {one.table} | {n_rows:,} x {n_columns} | {one.loss} | {shown[CONSTANT]} "
            f"| {shown[FASTBP]} | {times[FASTBP]:.2f} | {shown[TREES]} | {times[TREES]:.2f} "
            f"| {ratio:.3f} |"
        )
    return lines
