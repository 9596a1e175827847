"""`Parameters`: those that both estimators have, their checks, and what they say of training."""

from __future__ import annotations

import dataclasses
import math
import numbers
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from .._messages import advice_on
from ..network import Solver
from ..network.catalogue import hidden_activations
from ..network.checks import check_choice, check_dropout, check_flag, check_number, check_whole
from ..network.rules import OPTIONS, SOLVERS
from ..network.solver import solver_of_options
from ..training.run import History
from ..training.schedule import OF_SCIKIT_LEARN, Schedule, check_schedule
from ..training.stopping import EarlyStopping
from .defaults import AUTO, Settings, n_networks_of, rate_of
from .gaps import MISSING

# Parameters that have "auto" as a value, and what else they are.
MAY_BE_AUTO = {
    "hidden_layer_sizes": "the sizes of hidden layers, such as (100,)",
    "learning_rate_init": "a number above 0",
    "max_iter": "a whole number of epochs",
    "n_iter_no_change": "a whole number of epochs",
    "early_stopping": "True or False",
    "ensemble": "a whole number of networks",
}
MOST_NETWORKS = 100_000  # of an ensemble, which are made before any is trained


class Parameters:
    """Parameters of `__init__`, which only `fit` and `partial_fit` check."""

    hidden_layer_sizes: int | Sequence[int]
    activation: str | Sequence[str]
    solver: str
    alpha: float
    batch_size: int
    learning_rate: str | Callable[[float], float]
    learning_rate_init: float
    power_t: float
    learning_rate_options: Mapping[str, Any] | None
    max_iter: int
    shuffle: bool
    random_state: Any
    tol: float
    n_iter_no_change: int
    early_stopping: bool
    validation_fraction: float
    verbose: bool
    warm_start: bool
    momentum: float
    nesterovs_momentum: bool
    beta_1: float
    beta_2: float
    epsilon: float
    dropout: float | Sequence[float]
    n_threads: int
    n_init: int
    standardize: bool
    ensemble: int | str
    missing: str

    get_params: Any  # of scikit-learn
    _history: History
    _seed: int = 0  # of which units are dropped and which rows are held out
    _rate_factor: float = 1.0  # see Schedule
    _n_joined: int = 1  # networks that the fitted one was made of

    def _set_parameters(self, parameters: dict[str, Any]) -> None:
        """Set what `__init__` was given: its ``locals()``."""
        for name, value in parameters.items():
            if name != "self":
                setattr(self, name, value)

    def _check_parameters(self, incremental: bool) -> tuple[int, ...] | None:
        """Check the parameters; return the sizes of the hidden layers, None if they are "auto"."""
        for name in MAY_BE_AUTO:
            value = getattr(self, name)
            if isinstance(value, str) and value != AUTO:
                what, advice = MAY_BE_AUTO[name], advice_on(name, value)
                raise ValueError(f'{name} must be "auto", or {what}; got {value!r}{advice}')
        hidden = _hidden_sizes(self.hidden_layer_sizes)
        if hidden is None:
            for name in ("activation", "dropout"):
                if isinstance(getattr(self, name), (list, tuple)):
                    raise ValueError(
                        f"A list as {name} has an item for each hidden layer: it needs "
                        "hidden_layer_sizes, such as (100,)"
                    )
        n_hidden = 1 if hidden is None else len(hidden)
        hidden_activations(self.activation, n_hidden)
        check_choice("solver", self.solver, SOLVERS)
        check_number("alpha", self.alpha, at_least=0)
        check_whole("batch_size", self.batch_size)
        check_schedule(self.learning_rate, self.learning_rate_options)
        if not _is_auto(self.learning_rate_init):
            check_number("learning_rate_init", self.learning_rate_init, above=0)
        check_number("power_t", self.power_t, at_least=0)
        if not _is_auto(self.max_iter):
            check_whole("max_iter", self.max_iter)
        check_flag("shuffle", self.shuffle)
        check_number("tol", self.tol, at_least=0)
        if not _is_auto(self.n_iter_no_change) and self.n_iter_no_change != math.inf:
            check_whole("n_iter_no_change", self.n_iter_no_change)  # infinity makes all epochs
        if not _is_auto(self.early_stopping):
            check_flag("early_stopping", self.early_stopping)
        check_number("validation_fraction", self.validation_fraction, above=0, below=1)
        check_whole("n_init", self.n_init)
        n_networks: Any = 1 if _is_auto(self.ensemble) else self.ensemble
        joins = check_whole("ensemble", n_networks, at_most=MOST_NETWORKS) > 1
        if joins and self.n_init > 1:
            raise ValueError(
                "n_init keeps the best of several networks, and ensemble joins all of them: one of "
                "the two must be 1"
            )
        check_flag("standardize", self.standardize)
        check_choice("missing", self.missing, MISSING)
        if not isinstance(self.verbose, (bool, np.bool_)):
            check_whole("verbose", self.verbose, at_least=0)
        check_flag("warm_start", self.warm_start)
        for name, option in OPTIONS.items():
            name = "nesterovs_momentum" if name == "nesterov" else name
            option.check(name, getattr(self, name))
        check_dropout(self.dropout, n_hidden)
        check_whole("n_threads", self.n_threads)
        return hidden

    def _joins_networks(self) -> bool:
        """Whether `fit` trains several networks."""
        return not self.warm_start and n_networks_of(self, 1) > 1

    def _initial_rate(self, *, is_fit: bool = False) -> float:
        """Return the learning rate that a call of partial_fit, or a fit, begins with."""
        return rate_of(self, getattr(self, "n_features_in_", 1), is_fit=is_fit)

    def _schedule(self, *, is_fit: bool = False) -> Schedule:
        kind = self.learning_rate
        if self.solver != "sgd" and kind in OF_SCIKIT_LEARN:
            kind = "constant"
        initial, power_t = self._initial_rate(is_fit=is_fit), float(self.power_t)
        return Schedule(kind, initial, power_t, self._rate_factor)

    def _schedule_of_fit(self, n_rows: int, settings: Settings) -> Schedule:
        """Return the schedule of a fit that begins here, of so many rows in each epoch."""
        return dataclasses.replace(
            self._schedule(is_fit=True),
            options=self.learning_rate_options or {},
            n_before=self._history.n_rows,
            n_an_epoch=n_rows,
            n_epochs=settings.max_iter,
        )

    def _stopping(self, settings: Settings, by_validation: bool) -> EarlyStopping:
        n = settings.n_iter_no_change  # as a plain number: NumPy's small ones wrap around
        n = n if n == math.inf else int(n)
        tol = 0.0 if settings.by_loss and by_validation else float(self.tol)
        return EarlyStopping(tol, n, by_validation)

    def _solver(self) -> Solver:
        """Return the solver that the parameters describe, with the learning rate of now."""
        n_rows = self._history.n_rows if hasattr(self, "_history") else 0
        return solver_of_options(
            self.get_params(deep=False),
            learning_rate=self._schedule().rate(n_rows),
            nesterov=self.nesterovs_momentum,
            dropout_seed=self._seed,
        )


def _is_auto(value: Any) -> bool:
    return isinstance(value, str) and value == AUTO


def _hidden_sizes(sizes: Any) -> tuple[int, ...] | None:
    """Return the sizes of the hidden layers, of which none is a linear model; None for "auto"."""
    if _is_auto(sizes):
        return None
    if isinstance(sizes, numbers.Integral):
        return (check_whole("hidden_layer_sizes", sizes),)
    if isinstance(sizes, (str, bytes)) or not hasattr(sizes, "__iter__"):
        raise TypeError(
            "hidden_layer_sizes must be a whole number or a sequence of whole numbers, such as "
            f"(100,); got {sizes!r}"
        )
    return tuple(check_whole(f"hidden_layer_sizes[{i}]", size) for i, size in enumerate(sizes))
