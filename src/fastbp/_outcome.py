"""What is wrong with how training ended, said as a warning that names a way out."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.exceptions import ConvergenceWarning

from ._messages import counted, noun_for
from ._restarts import Restart
from ._validation import as_rows, dense_rows
from .exceptions import DivergenceWarning
from .network import Network, warn_of_divergence

ROWS_LOOKED_AT = 1000
ALIKE = 0.01  # of the standard deviation of the targets: outputs that differ by less are one answer
LARGE_TOL = 0.01  # of the loss of a constant prediction
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
    elif _answers_alike(run.network, X, targets):
        warnings.warn(
            "Training ended in a network that gives the same output for every row. Try another "
            f"learning_rate_init than {model.learning_rate_init:g}, a smaller tol or a larger "
            f"n_iter_no_change, activations other than {model.activation!r}, and {SCALE}.",
            DivergenceWarning,
            stacklevel=3,
        )
    elif run.ending == "max_iter" and math.isfinite(run.patience.n_iter_no_change):
        _warn_of_max_iter(model, run)
    elif run.ending == "converged" and not run.patience.judges_scores:
        _warn_of_large_tol(model, run.network.loss_name, targets)


def _answers_alike(network: Network, X: Any, targets: NDArray[Any]) -> bool:
    """Whether a network gives all rows one answer, though rows and targets differ."""
    if X.shape[0] < 2:
        return False
    for n_rows in (10, ROWS_LOOKED_AT):  # few are enough to see that they differ
        numbers = np.unique(np.linspace(0, X.shape[0] - 1, n_rows).astype(np.intp))
        outputs = network.forward(X[numbers])
        spread = _spread(targets[numbers], network)
        if np.any(np.ptp(outputs, axis=0) > ALIKE * spread):
            return False
    return bool(np.any(spread > 0)) and _differ(X[numbers], network)


def _spread(targets: NDArray[Any], network: Network) -> Any:
    """Return the standard deviation of the targets of each output."""
    n_outputs = network.layer_sizes[-1]
    if network.out_activation == "softmax":
        shares = np.bincount(targets.astype(np.intp), minlength=n_outputs) / len(targets)
        return np.sqrt(shares * (1 - shares))
    return np.asarray(targets, np.float64).reshape(len(targets), n_outputs).std(axis=0)


def _differ(X: Any, network: Network) -> bool:
    """Whether not all rows are equal."""
    n_in = network.layer_sizes[0]
    dense = dense_rows(as_rows(X, n_in, network.dtype), n_in, 0, X.shape[0]) if issparse(X) else X
    return bool(np.any(dense != dense[0]))


def _warn_of_max_iter(model: Any, run: Restart) -> None:
    judged = "validation score" if run.patience.judges_scores else "loss"
    n = run.patience.n_without
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


def _warn_of_large_tol(model: Any, loss: str, targets: NDArray[Any]) -> None:
    """Warn where a loss can hardly fall by ``tol``, since all targets lie within a small range."""
    if loss in ("log_loss", "poisson") or model.tol == 0:
        return
    values = np.asarray(targets, np.float64).reshape(len(targets), -1)
    away = values - values.mean(axis=0)
    each = 0.5 * np.square(away) if loss in ("squared_error", "huber") else 0.5 * np.abs(away)
    constant = float(each.mean(axis=0).sum())  # the loss of the mean, or about that of the median
    if 0 < constant and model.tol > LARGE_TOL * constant:
        warnings.warn(
            f"Training ended because the loss no longer fell by tol={model.tol:g} an epoch, which "
            f"is large beside the targets: the loss of a constant prediction is {constant:.3g}. "
            f"Choose a smaller tol, or {SCALE}.",
            ConvergenceWarning,
            stacklevel=4,
        )
