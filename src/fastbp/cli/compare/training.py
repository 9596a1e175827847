"""The same network, the same epochs, one row at a time: learned by fastbp and by scikit-learn."""

from __future__ import annotations

import dataclasses
import math
import statistics
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..progress import epochs_of
from ..task import Task

PROBE_ROWS = 1000  # enough to tell a library's speed
STEADY_SECONDS = 0.1  # of training are timed at least
BUDGET_SECONDS = 40.0  # for scikit-learn on one data set; beyond that only its speed is measured
# What scikit-learn's perceptron does: steps in the units of the rows, at one rate, of all rows.
PLAIN: dict[str, Any] = {"standardize": False, "learning_rate": "constant", "early_stopping": False}
ABSURD_LOSS = 1000.0  # of an epoch; guessing classes or a scaled target has a few at most


@dataclasses.dataclass(frozen=True)
class Run:
    """What came of one training.

    Attributes
    ----------
    rows_per_second : float
    seconds : float
        That training took; where it was not run, that it would have taken.
    score : float or None
        On the held-out rows; None where training was not run, NaN where it diverged.
    loss_curve : list of float
        Mean loss of each epoch.
    layer_sizes : tuple of int
    """

    rows_per_second: float
    seconds: float
    score: float | None
    loss_curve: list[float]
    layer_sizes: tuple[int, ...]

    @property
    def diverged(self) -> bool:
        """Whether training ended in a network of no use."""
        return self.score is not None and not math.isfinite(self.score)


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What fastbp and scikit-learn made of one task."""

    task: Task
    fastbp: Run
    scikit_learn: Run

    @property
    def has_curves(self) -> bool:
        """Whether there is a learning curve to draw."""
        return any(run.loss_curve and not run.diverged for run in (self.fastbp, self.scikit_learn))

    @property
    def network(self) -> str:
        """Layer sizes, such as ``64-32-10``."""
        return "-".join(map(str, self.fastbp.layer_sizes))

    @property
    def ratio(self) -> float | None:
        """How many times as many rows a second as scikit-learn; None if one diverged."""
        if self.fastbp.diverged or self.scikit_learn.diverged:
            return None
        return self.fastbp.rows_per_second / self.scikit_learn.rows_per_second


def fastbp_model(task: Task, epochs: int, seed: int) -> Any:
    """Return fastbp's estimator for a task, to be trained for exactly so many epochs."""
    return _for_target(fastbp_estimator(task, epochs, seed), task)


def fastbp_estimator(task: Task, epochs: int, seed: int) -> Any:
    """Return the model without the scaling of targets."""
    from ... import BackpropClassifier, BackpropRegressor

    kind = BackpropClassifier if task.is_classification else BackpropRegressor
    return kind(**_settings(task, epochs, seed), **PLAIN)


def scikit_learn_model(task: Task, epochs: int, seed: int) -> Any:
    """Return scikit-learn's estimator for a task: plain SGD, a batch of one row, no penalty."""
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    kind = MLPClassifier if task.is_classification else MLPRegressor
    plain_sgd = {"solver": "sgd", "batch_size": 1, "momentum": 0.0, "alpha": 0.0}
    return _for_target(kind(**_settings(task, epochs, seed), **plain_sgd), task)


def _settings(task: Task, epochs: int, seed: int) -> dict[str, Any]:
    return {
        "hidden_layer_sizes": task.hidden_layer_sizes,
        "learning_rate_init": task.learning_rate,
        "max_iter": epochs,
        "n_iter_no_change": epochs + 1,
        "random_state": seed,
    }


def _for_target(model: Any, task: Task) -> Any:
    """Have a regressor learn a scaled target, so that one learning rate suits all."""
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.preprocessing import StandardScaler

    if task.is_classification:
        return model
    return TransformedTargetRegressor(model, transformer=StandardScaler())


def train_fastbp(task: Task, X: Any, seed: int) -> Run:
    """Return how fastbp did; X is what the task's preprocessing made of the rows to train on."""
    _speed_of_an_epoch(fastbp_model(task, 1, seed), task, X)
    return _run(fastbp_model(task, task.epochs, seed), task, X, "fastbp")


def train_scikit_learn(task: Task, X: Any, seed: int) -> Run:
    """Return how scikit-learn did, or only its speed if training would take too long."""
    model = scikit_learn_model(task, 1, seed)
    speed = _speed_of_an_epoch(model, task, X)
    seconds = task.epochs * len(task.y_train) / speed
    if seconds > BUDGET_SECONDS:
        return Run(speed, seconds, None, [], _layer_sizes(model, X))
    return _run(scikit_learn_model(task, task.epochs, seed), task, X, "scikit-learn")


def _speed_of_an_epoch(model: Any, task: Task, X: Any) -> float:
    """Return rows per second of training once on some rows, after a first go on a few.

    The first go loads what is loaded on first use, so that it is not counted.
    """
    import numpy as np

    by_y = np.argsort(task.y_train, kind="stable")  # so that all but rare classes are among them
    for n_rows in (PROBE_ROWS // 10, PROBE_ROWS):
        n_rows = min(n_rows, len(by_y))
        some = by_y[np.linspace(0, len(by_y) - 1, n_rows).astype(int)]
        seconds, _ = _fit(model, X[some], task.y_train[some])
    return n_rows / seconds


def _run(model: Any, task: Task, X: Any, label: str) -> Run:
    from sklearn.pipeline import make_pipeline

    times: list[float] = []
    diverged = False
    with epochs_of(label, model, task.epochs):
        while sum(times) < STEADY_SECONDS and not diverged:  # again: it comes out the same
            seconds, diverged = _fit(model, X, task.y_train)
            times.append(seconds)
    seconds = statistics.median(times)
    curve = [float(loss) for loss in _inner(model).loss_curve_]
    score = math.nan
    if not diverged and all(loss < ABSURD_LOSS for loss in curve):
        score = float(make_pipeline(task.preprocessing, model).score(task.X_test, task.y_test))
    speed = len(task.y_train) * len(curve) / seconds
    return Run(speed, seconds, score, curve, _layer_sizes(model, X))


def _fit(model: Any, X: Any, y: Any) -> tuple[float, bool]:
    """Fit, and return the seconds it took and whether the library said that it diverged."""
    from ... import DivergenceWarning

    diverged = False
    began = time.perf_counter()
    with warnings_for_users():
        try:
            model.fit(X, y)
        except DivergenceWarning:
            diverged = True
        except ValueError as error:
            if "non-finite" not in str(error):  # scikit-learn's way to say so
                raise
            diverged = True
    return time.perf_counter() - began, diverged


@contextmanager
def warnings_for_users() -> Iterator[None]:
    """Suppress warnings about what the demo requests; keep divergence and Ctrl-C.

    scikit-learn turns Ctrl-C into a warning and ends training as if nothing had happened.
    """
    from sklearn.exceptions import ConvergenceWarning

    from ... import DivergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", RuntimeWarning)
        warnings.simplefilter("error", DivergenceWarning)
        warnings.filterwarnings("error", "Training interrupted by user")
        try:
            yield
        except UserWarning as warning:
            raise KeyboardInterrupt from warning


def _inner(model: Any) -> Any:
    """Return the fitted network's estimator, without what scales its target."""
    return getattr(model, "regressor_", model)


def _layer_sizes(model: Any, X: Any) -> tuple[int, ...]:
    inner = _inner(model)
    return (X.shape[1], *inner.hidden_layer_sizes, inner.n_outputs_)
