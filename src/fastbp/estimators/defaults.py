"""What the parameters that are "auto" stand for: found by measurement, see docs/decisions/0023."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from ..training.schedule import goes_to_the_end

AUTO = "auto"
# A fit that holds out rows: several small networks, joined into one.
N_NETWORKS, N_NETWORKS_OF_SMALL, SMALL, HIDDEN_LAYER_SIZES = 4, 8, 1000, (64, 64)
# Any other: a network of scikit-learn's size.
HIDDEN_LAYER_SIZES_OF_ONE = (100,)
# Steps of SGD on standardized rows: in a fit, and of a stream, whose rate never falls. The more
# inputs a row has, the farther a step moves its own output.
RATE, MOST_RATE_TIMES_INPUTS = 0.02, 10.0
RATE_OF_CALLS, MOST_RATE_OF_CALLS_TIMES_INPUTS = 0.01, 1.0
RATE_IN_RAW_UNITS = 0.001
RATES_OF_SOLVERS = {"adagrad": 0.01, "adam": 0.001, "adamw": 0.001, "rmsprop": 0.001}
# Epochs of a schedule that comes to an end with them: as many as make so many visits of rows.
VISITS, MIN_EPOCHS, MAX_EPOCHS = 100_000, 12, 200
MOST_VISITS, LEAST_EPOCHS = 5_000_000, 3  # of tables so long that even few epochs take long
EPOCHS_UP_TO_CONVERGENCE = 200
PATIENCE = 10  # epochs without progress, without a schedule that comes to an end
# With one, the share of its epochs in which rows that are held out have to show some, and at least:
PATIENT_SHARE, MIN_PATIENCE = 0.2, 5
MIN_ROWS_TO_HOLD_OUT = 20
LOOKS = 20  # at held-out rows: see Validation


@dataclasses.dataclass(frozen=True)
class Settings:
    """Parameters of an estimator as a fit, or a call of partial_fit, takes them.

    Attributes
    ----------
    hidden_layer_sizes : tuple of int
        Of each of the networks.
    n_networks : int
    max_iter : int
    n_iter_no_change : float
    holds_out : bool
        Whether rows are held out, of those that training is given.
    by_validation : bool
        Whether held-out rows say when training ends and which weights are kept, if there are any.
    by_loss : bool
        Whether the loss of held-out rows says which epoch is the best, not their score.
    """

    hidden_layer_sizes: tuple[int, ...]
    n_networks: int
    max_iter: int
    n_iter_no_change: float
    holds_out: bool
    by_validation: bool
    by_loss: bool
    is_fit: bool = True

    @property
    def looks(self) -> int | None:
        """How often the rows held out are looked at; see `Validation`."""
        return LOOKS if self.by_loss else None


def settings_of(
    model: Any, hidden: tuple[int, ...] | None, n_rows: int, *, is_fit: bool, can_hold_out: bool
) -> Settings:
    """Return the settings for so many rows.

    Parameters
    ----------
    model : estimator
        With valid parameters.
    hidden : tuple of int, or None
        Its ``hidden_layer_sizes``; None if they are "auto".
    n_rows : int
    is_fit : bool
        Else a call of partial_fit.
    can_hold_out : bool
        Whether none are held out by hand, and there are enough of them.
    """
    by_loss = bool(model.early_stopping == AUTO)
    holds_out = is_fit and can_hold_out and bool(model.early_stopping)
    ends = goes_to_the_end(model.learning_rate)
    n_networks = 1
    if is_fit and not model.warm_start:
        n_networks = n_networks_of(model, n_rows)
    if hidden is None:
        hidden = HIDDEN_LAYER_SIZES if n_networks > 1 else HIDDEN_LAYER_SIZES_OF_ONE
    epochs = epochs_of_rows(n_rows) if ends else EPOCHS_UP_TO_CONVERGENCE
    max_iter = epochs if model.max_iter == AUTO else int(model.max_iter)
    patience: float = PATIENCE
    if ends:
        patience = max(int(PATIENT_SHARE * max_iter), MIN_PATIENCE) if by_loss else math.inf
    return Settings(
        hidden,
        n_networks,
        max_iter,
        patience if model.n_iter_no_change == AUTO else model.n_iter_no_change,
        holds_out,
        bool(model.early_stopping),
        by_loss,
        is_fit,
    )


def epochs_of_rows(n_rows: int) -> int:
    """Return how many epochs a schedule that comes to an end makes of so many rows."""
    fewest = min(max(MOST_VISITS // n_rows, LEAST_EPOCHS), MIN_EPOCHS)
    return min(max(VISITS // n_rows, fewest), MAX_EPOCHS)


def n_networks_of(model: Any, n_rows: int) -> int:
    """Return how many networks a fit on so many rows joins."""
    if model.ensemble != AUTO:
        return int(model.ensemble)
    if model.early_stopping != AUTO or model.hidden_layer_sizes != AUTO or model.n_init > 1:
        return 1
    return N_NETWORKS_OF_SMALL if n_rows < SMALL else N_NETWORKS


def rate_of(model: Any, n_features: int, *, is_fit: bool) -> float:
    """Return the learning rate of a fit, or of a call of partial_fit, that begins."""
    if model.learning_rate_init != AUTO:
        return float(model.learning_rate_init)
    if model.solver != "sgd":
        return RATES_OF_SOLVERS[str(model.solver)]
    if not model.standardize:
        rate = RATE_IN_RAW_UNITS
    elif is_fit:
        rate = min(RATE, MOST_RATE_TIMES_INPUTS / n_features)
    else:
        rate = min(RATE_OF_CALLS, MOST_RATE_OF_CALLS_TIMES_INPUTS / n_features)
        # Each of the networks that were joined moves the output as far as one alone would.
        rate /= model._n_joined
    return rate * (1 - float(model.momentum))
