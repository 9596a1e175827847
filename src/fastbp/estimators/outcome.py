"""What is wrong with how training ended, said as a warning that names a way out."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import entr, xlogy
from sklearn.exceptions import ConvergenceWarning

from .._messages import counted, noun_for
from ..exceptions import DivergenceWarning
from ..network import Network
from ..network.arrays import blocks_of
from ..network.data import as_rows, dense_rows
from ..network.network import warn_of_divergence
from ..training.run import Restart

ROWS_LOOKED_AT = 1000
ALIKE = 0.01  # of the standard deviation of the targets: outputs that differ by less are one answer
LARGE_TOL = 0.01  # of the loss of a constant prediction
# Times where a loss began, or that of a constant prediction: then predictions are a thousand times
# as far away. The other losses grow as that, not as its square.
GROWN = {"squared_error": 1e6, "poisson": 1e6}
GROWN_OTHERS = 1e3
SCALE = (
    "scale inputs and targets (for instance with sklearn.preprocessing.StandardScaler and "
    "sklearn.compose.TransformedTargetRegressor)"
)


def warn_of_outcome(model: Any, run: Restart, X: Any, targets: NDArray[Any]) -> None:
    """Give the warning that a fit deserves, if any, on behalf of the method that called `fit`.

    Parameters
    ----------
    model : estimator
    run : Restart
        The one that is kept.
    X, targets : array or CSR matrix, ndarray
        What it was trained on.
    """
    if run.ending == "diverged":
        warn_of_divergence(
            "learning_rate_init",
            model.learning_rate_init,
            stacklevel=4,
            kept="of the best epoch so far (or, if they are better, the initial ones)",
        )
    elif _has_grown(run, *(constants := _losses_of_constants(run.network, targets))):
        _warn_of_growth(model, run, constants[0])
    elif _answers_alike(run.network, X, targets):
        warnings.warn(
            "Training ended in a network that gives the same output for every row. Try another "
            f"learning_rate_init than {model.learning_rate_init:g}, a smaller tol or a larger "
            f"n_iter_no_change, activations other than {model.activation!r}, and {SCALE}.",
            DivergenceWarning,
            stacklevel=3,
        )
    elif run.ending == "max_iter" and math.isfinite(run.stopping.n_iter_no_change):
        _warn_of_max_iter(model, run)
    elif run.ending == "converged" and not run.stopping.judges_scores:
        _warn_of_large_tol(model, run.network, targets)


def _losses_of_constants(network: Network, targets: NDArray[Any]) -> tuple[float, float]:
    """Return the losses of the best constant prediction, and of what a network of zeros predicts.

    Of losses by absolute values about that; of Huber's that of squared error, which is no less.
    """
    n_outputs, loss = network.layer_sizes[-1], network.loss_name
    if network.out_activation == "softmax":
        shares = np.bincount(targets.astype(np.intp), minlength=n_outputs) / len(targets)
        return float(entr(shares).sum()), math.log(n_outputs)
    y = np.asarray(targets, np.float64).reshape(len(targets), n_outputs)
    with np.errstate(over="ignore", invalid="ignore"):  # of targets that are huge
        mean = y.mean(axis=0)
        if loss == "log_loss":
            return float((entr(mean) + entr(1 - mean)).sum()), n_outputs * math.log(2)
        if loss == "poisson":
            ratios = y / np.where(mean > 0, mean, 1)
            rows = xlogy(y, ratios), xlogy(y, y) - y + 1
        elif loss in ("squared_error", "huber"):
            rows = 0.5 * np.square(y - mean), 0.5 * np.square(y)
        else:
            rows = 0.5 * np.abs(y - mean), np.abs(y)
        best, zeros = (float(each.mean(axis=0).sum()) for each in rows)
    return best, zeros


def _losses_of_fit(run: Restart) -> tuple[float, float]:
    """Return the loss of the first epoch of a fit, and of the one whose weights are kept."""
    history = run.history
    n_epochs = history.n_epochs - history.n_before
    losses = history.loss_curve[len(history.loss_curve) - n_epochs :]
    if not losses:
        return math.inf, 0.0
    if not run.stopping.judges_scores:
        return losses[0], losses[-1]
    return losses[0], losses[int(np.argmax(history.validation_scores[-n_epochs:]))]


def _has_grown(run: Restart, constant: float, zeros: float) -> bool:
    """Whether the loss is finite, but so large that training must have gone out of control."""
    first, last = _losses_of_fit(run)
    grown = GROWN.get(run.network.loss_name, GROWN_OTHERS)
    if not math.isfinite(last):
        return False
    if constant > 0 and last > grown * constant and last > 2 * zeros:  # more than far from trained
        return True
    return last > grown * first and last > (constant or zeros)


def _warn_of_growth(model: Any, run: Restart, constant: float) -> None:
    first, last = _losses_of_fit(run)
    warnings.warn(
        f"Training ended with a loss of {last:.3g}: its first epoch had {first:.3g}, and a "
        f"constant prediction has {constant:.3g}. Try a smaller learning_rate_init than "
        f"{model.learning_rate_init:g}, and {SCALE}.",
        DivergenceWarning,
        stacklevel=4,
    )


def _answers_alike(network: Network, X: Any, targets: NDArray[Any]) -> bool:
    """Whether a network gives all rows one answer, though rows and targets differ."""
    spread = _spread(targets, network)  # of all, a few of which may be alike
    differ = spread > 0
    if X.shape[0] < 2 or not differ.any():
        return False
    low, high = np.inf, -np.inf
    for numbers in _more_and_more(X.shape[0], 8 * max(network.layer_sizes)):
        outputs = network.forward(X[numbers])
        low, high = np.minimum(low, outputs.min(axis=0)), np.maximum(high, outputs.max(axis=0))
        with np.errstate(invalid="ignore"):  # of outputs that overflow
            if np.any((high - low)[differ] > (ALIKE * spread)[differ]):
                return False
    return _differ(X, network)


def _more_and_more(n_rows: int, n_bytes_each: int) -> Iterator[Any]:
    """Yield numbers of a few rows, which mostly differ already, of more, and then of all.

    Of no more at a time than have outputs of `BLOCK_BYTES` together.
    """
    some = np.unique(np.linspace(0, n_rows - 1, ROWS_LOOKED_AT).astype(np.intp))
    yield some[:: max(1, len(some) // 10)]
    for start, stop in blocks_of(len(some), len(some) * n_bytes_each):
        yield some[start:stop]
    if len(some) < n_rows:
        for start, stop in blocks_of(n_rows, n_rows * n_bytes_each):
            yield slice(start, stop)


def _spread(targets: NDArray[Any], network: Network) -> Any:
    """Return the standard deviation of the targets of each output."""
    n_outputs = network.layer_sizes[-1]
    if network.out_activation == "softmax":
        shares = np.bincount(targets.astype(np.intp), minlength=n_outputs) / len(targets)
        return np.sqrt(shares * (1 - shares))
    return np.asarray(targets, np.float64).reshape(len(targets), n_outputs).std(axis=0)


def _differ(X: Any, network: Network) -> bool:
    """Whether not all rows are equal."""
    n_in, first = network.layer_sizes[0], None
    rows = as_rows(X, n_in, network.dtype)
    for start, stop in blocks_of(X.shape[0], X.shape[0] * n_in * network.dtype.itemsize):
        block = dense_rows(rows, n_in, start, stop)
        first = block[0].copy() if first is None else first
        if np.any(block != first):
            return True
    return False


def _warn_of_max_iter(model: Any, run: Restart) -> None:
    judged = "validation score" if run.stopping.judges_scores else "loss"
    n = run.stopping.n_without
    still = f"while the {judged} still improved by more than tol={model.tol:g}"
    stood = (
        f"before it was sure that the {judged} no longer improves: it has not improved by more "
        f"than tol={model.tol:g} for {counted(n, 'epoch')}, and "
        f"n_iter_no_change is {model.n_iter_no_change}"
    )
    warnings.warn(
        f"Training ended after max_iter={model.max_iter} {noun_for(model.max_iter, 'epoch')} "
        f"{stood if n else still}. Raise "
        "max_iter, or choose a larger learning_rate_init or tol.",
        ConvergenceWarning,
        stacklevel=4,
    )


def _warn_of_large_tol(model: Any, network: Network, targets: NDArray[Any]) -> None:
    """Warn where a loss can hardly fall by ``tol``, since all targets lie within a small range."""
    if network.loss_name == "log_loss" or model.tol == 0:
        return
    constant, _ = _losses_of_constants(network, targets)
    way_out = "" if network.loss_name == "poisson" else f", or {SCALE}"  # counts have no scale
    if 0 < constant and model.tol > LARGE_TOL * constant:
        warnings.warn(
            f"Training ended because the loss no longer fell by tol={model.tol:g} an epoch, which "
            f"is large beside the targets: the loss of a constant prediction is {constant:.3g}. "
            f"Choose a smaller tol{way_out}.",
            ConvergenceWarning,
            stacklevel=4,
        )
