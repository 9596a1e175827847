"""What is wrong with how training ended, said as a warning that names a way out."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from scipy.special import entr
from sklearn.exceptions import ConvergenceWarning

from .._messages import counted, level_of_caller, noun_for
from ..exceptions import DivergenceWarning
from ..network import Network
from ..network.arrays import blocks_of
from ..network.data import as_rows, dense_rows
from ..network.tables import LOSSES
from ..training.run import Restart
from ..training.schedule import goes_to_the_end
from .defaults import AUTO
from .prepared import TrainingData

ROWS_LOOKED_AT = 1000
ALIKE = 0.01  # of the standard deviation of the targets: outputs that differ by less are one answer
LARGE_TOL = 0.01  # of the loss of a constant prediction
# Times where a loss began, or that of a constant prediction: then predictions are a thousand times
# as far away. The other losses grow as that, not as its square.
GROWN = 1e6
GROWN_OTHERS = 1e3
UP_TO_THE_END = ("constant", "cosine")  # schedules with which a rate counts in most epochs
SCALE_X = "sklearn.preprocessing.StandardScaler"
SCALE_Y = "sklearn.compose.TransformedTargetRegressor"
SCALE = f"scale inputs and targets (for instance with {SCALE_X} and {SCALE_Y})"
LARGE = 10.0  # root mean square of a column, or of targets, from which on scaling comes first
LARGE_PENALTY = 0.1  # beside the targets: then it is much of what moves the weights
LARGE_DECAY = 0.1  # share of a weight that the penalty takes off it in a step
LARGE_MOMENTUM = 0.9
MOSTLY_DEAD = 0.9  # share of a layer's units
HARDLY_BETTER = 0.9  # of the loss of a constant prediction, or more: the model is of no use


def warn_of_outcome(model: Any, run: Restart, data: TrainingData) -> None:
    """Give the warning that a fit deserves, if any, on behalf of the method that called `fit`.

    Parameters
    ----------
    model : estimator
    run : Restart
        The one that is kept.
    data : TrainingData
        What it was trained on.
    """
    X, targets = data.X, data.targets
    if run.ending == "diverged":
        _warn_of_divergence(model, run, data)
    elif _has_grown(run, *(constants := _losses_of_constants(run.network, targets))):
        first, last = _losses_of_fit(run)
        _warn(
            f"Training ended with a loss of {last:.3g}: its first epoch had {first:.3g}, and a "
            f"constant prediction has {constants[0]:.3g}.",
            _advice(model, run.network, X, targets),
        )
    elif _answers_alike(run.network, data):
        others = (
            f"another learning_rate_init than {model._rate:g}",
            "a smaller tol or a larger n_iter_no_change",
            f"activations other than {model.activation!r}",
        )
        _warn(
            "Training ended in a network that gives the same output for every row.",
            _advice(model, run.network, X, targets, others),
        )
    elif run.ending == "max_iter" and not _ends_as_planned(run):
        _warn_of_max_iter(model, run)
    elif run.ending == "max_iter" and _rate_is_too_small(model, run):
        _warn_of_small_rate(model, run)
    elif any(n_dead > MOSTLY_DEAD * n for n_dead, n in model._dead):
        _warn_of_dead_units(model)
    elif run.ending == "converged" and not run.stopping.judges_scores:
        _warn_of_large_tol(model, run.network, targets)


def _losses_of_constants(network: Network, targets: NDArray[Any]) -> tuple[float, float]:
    """Return the loss of the best constant prediction, and of what a network of zeros predicts."""
    n_outputs = network.layer_sizes[-1]
    if network.out_activation == "softmax":
        shares = np.bincount(targets.astype(np.intp), minlength=n_outputs) / len(targets)
        return float(entr(shares).sum()), math.log(n_outputs)
    y = np.asarray(targets, np.float64).reshape(len(targets), n_outputs)
    with np.errstate(over="ignore", invalid="ignore"):  # of targets that are huge
        rows = LOSSES[network.loss_name].of_constants(y, y.mean(axis=0))
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
    grown = GROWN if LOSSES[run.network.loss_name].grows else GROWN_OTHERS
    if not math.isfinite(last):
        return False
    if constant > 0 and last > grown * constant and last > 2 * zeros:  # more than far from trained
        return True
    return last > grown * first and last > (constant or zeros)


def _warn(*sentences: str, category: type[Warning] = DivergenceWarning) -> None:
    warnings.warn(" ".join(filter(None, sentences)), category, stacklevel=level_of_caller())


def _warn_of_divergence(model: Any, run: Restart, data: TrainingData) -> None:
    best = "of the best validation score" if run.stopping.judges_scores else "of the best epoch"
    _warn(
        f"Training diverged with learning_rate_init={model._rate:g}: the loss has "
        "grown beyond all bounds, or a weight is no longer finite. It stopped, and the weights "
        f"{best} (or, if they are better, the initial ones) are kept.",
        _verdict_on_kept(run.network, data),
        _advice(model, run.network, data.X, data.targets),
    )


def _verdict_on_kept(network: Network, data: TrainingData) -> str:
    """Say if the weights that are kept after divergence are of no use."""
    constant, _ = _losses_of_constants(network, data.targets)
    loss = network._loss_of(data.rows)
    if loss < HARDLY_BETTER * constant or not math.isfinite(constant):
        return ""
    return (
        "Do not use this model: it predicts hardly better than a constant, or worse (its loss is "
        f"{loss:.3g}, that of the best constant {constant:.3g})."
    )


def _have_scale(loss: str) -> bool:
    """Whether targets have units: neither classes nor counts."""
    return LOSSES[loss].scaled_by in ("deviation", "median")


def _advice(
    model: Any, network: Network, X: Any, targets: NDArray[Any], others: tuple[str, ...] = ()
) -> str:
    """Say what to try: first to scale what is large, then other parameters."""
    large_X = not model.standardize and _largest_size(X) > LARGE
    has_scale = _have_scale(network.loss_name)
    large_y = has_scale and not model.standardize and _largest_size(targets) > LARGE
    tries = list(others or (f"a smaller learning_rate_init than {model._rate:g}",))
    if _penalty_is_large(model, network, len(targets), targets):
        tries.append(f"a smaller alpha than {model.alpha:g}, whose penalty is large here")
    if model.solver == "sgd" and model.momentum > LARGE_MOMENTUM:
        tries.append(f"a smaller momentum than {model.momentum:g}")
    if model.standardize:
        return f"Try {', or '.join(tries)}."
    if not (large_X or large_y):
        return f"Try {', '.join([*tries, ''])}and {SCALE}."
    names = [name for name, is_large in (("inputs", large_X), ("targets", large_y)) if is_large]
    ways = [way for way, is_large in ((SCALE_X, large_X), (SCALE_Y, large_y)) if is_large]
    return (
        f"First scale the {' and the '.join(names)}, which are large (for instance with "
        f"{' and '.join(ways)}). Then try {', or '.join(tries)}."
    )


def _largest_size(values: Any) -> float:
    """Return the largest root mean square of the columns of some rows."""
    numbers = np.linspace(0, values.shape[0] - 1, min(ROWS_LOOKED_AT, values.shape[0]))
    some = values[numbers.astype(np.intp)].astype(np.float64)
    with np.errstate(over="ignore"):
        squares = some.multiply(some) if issparse(some) else np.square(some)
        return math.sqrt(squares.mean(axis=0).max())


def _penalty_is_large(model: Any, network: Network, n_rows: int, targets: NDArray[Any]) -> bool:
    """Whether the penalty may well be what pulls the weights to 0, or makes them oscillate."""
    penalty = model.alpha / min(model.batch_size, n_rows)  # beside the mean gradient of a row
    if model.solver == "adamw":  # whose penalty is apart from the gradient
        return bool(model.alpha > 1 or model._rate * model.alpha > LARGE_DECAY)
    with np.errstate(over="ignore"):  # of targets that are huge
        beside_targets = LARGE_PENALTY * np.max(_spread(targets, network))
    return bool(penalty > beside_targets or model._rate * penalty > LARGE_DECAY)


def _ends_as_planned(run: Restart) -> bool:
    """Whether training is meant to end after all epochs, not once there is no more progress."""
    schedule = run.schedule
    if math.isinf(run.stopping.n_iter_no_change):
        return True
    if schedule is None:
        return False
    kind = schedule.kind
    return goes_to_the_end(kind) or bool(schedule.options.get("warmup"))


def _answers_alike(network: Network, data: TrainingData) -> bool:
    """Whether a network gives all rows one answer, though rows and targets differ."""
    X, spread = data.X, _spread(data.targets, network)  # of all, a few of which may be alike
    differ = spread > 0
    if X.shape[0] < 2 or not differ.any():
        return False
    low, high = np.inf, -np.inf
    for numbers in _more_and_more(X.shape[0], 8 * max(network.layer_sizes)):
        outputs = network.forward(data.inputs(numbers))
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
    settings = model._settings
    n_epochs, patience = settings.max_iter, settings.n_iter_no_change
    judged = "validation score" if run.stopping.judges_scores else "loss"
    n = run.stopping.n_without
    still = f"in the last one, the {judged} still improved by more than tol={model.tol:g}"
    stood = f"it has not improved by more than tol={model.tol:g} for {counted(n, 'epoch')} so far"
    _warn(
        f"Training ended after max_iter={n_epochs} {noun_for(n_epochs, 'epoch')}, "
        f"before the {judged} had stopped improving for n_iter_no_change="
        f"{patience:g} {noun_for(int(patience), 'epoch')}: "
        f"{stood if n else still}. Raise max_iter, or choose a larger learning_rate_init or tol.",
        category=ConvergenceWarning,
    )


def _rate_is_too_small(model: Any, run: Restart) -> bool:
    """Whether all epochs have not led far, because of the learning rate that was asked for."""
    is_own_rate = model.learning_rate_init != AUTO and model.learning_rate in UP_TO_THE_END
    return is_own_rate and run.history.falls_as_at_first


def _warn_of_small_rate(model: Any, run: Restart) -> None:
    first, last = _losses_of_fit(run)
    n_epochs = run.history.n_epochs - run.history.n_before
    _warn(
        f"The loss fell from {first:.4g} to {last:.4g} in {counted(n_epochs, 'epoch')}, and at the "
        f"end as it did at first: learning_rate_init={model._rate:g} is too small for so few "
        "epochs. Choose a larger one (ten times as large), or raise max_iter.",
        category=ConvergenceWarning,
    )


def _warn_of_dead_units(model: Any) -> None:
    shares = [n_dead / n for n_dead, n in model._dead]
    layer = int(np.argmax(shares))
    n_dead, n = model._dead[layer]
    _warn(
        f"{n_dead} of {counted(n, 'unit')} of hidden layer {layer + 1} are dead: they give 0 for "
        "every row, and no longer learn. Try a smaller learning_rate_init than "
        f'{model._rate:g}, or activation="leaky_relu".',
        category=ConvergenceWarning,
    )


def _warn_of_large_tol(model: Any, network: Network, targets: NDArray[Any]) -> None:
    """Warn where a loss can hardly fall by ``tol``, since all targets lie within a small range."""
    if network.loss_name == "log_loss" or model.tol == 0:
        return
    constant, _ = _losses_of_constants(network, targets)
    way_out = f", or {SCALE}" if _have_scale(network.loss_name) else ""
    if 0 < constant and model.tol > LARGE_TOL * constant:
        _warn(
            f"Training ended because the loss no longer fell by tol={model.tol:g} an epoch, which "
            f"is large beside the targets: the loss of a constant prediction is {constant:.3g}. "
            f"Choose a smaller tol{way_out}.",
            category=ConvergenceWarning,
        )
