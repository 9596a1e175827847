"""`Solver`: what a step does with a gradient."""

from __future__ import annotations

import dataclasses
import functools
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .checks import (
    MIN_EPSILON,
    check_choice,
    check_dropout,
    check_fits_dtype,
    check_number,
    check_whole,
)
from .rules import OPTIONS, SOLVERS, Rule, rule_of

MAX_DECAY = 0.5  # in a row, of weights that decay by a scale, as those of small networks do


@dataclasses.dataclass(frozen=True)
class Solver:
    """What a step does with a gradient; the names are those of `Network.train_epoch`.

    ``by_weight``: a batch's mean is per weight of its rows, not per row, for gradients and losses,
    and its loss includes the L2 penalty. ``dropout_seed`` and the number of the sample, which
    the network counts, decide which units are dropped.
    """

    learning_rate: float
    momentum: float = 0.0
    nesterov: bool = False
    alpha: float = 0.0
    batch_size: int = 1
    solver: str = "sgd"
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    by_weight: bool = False
    dropout: float | Sequence[float] = 0.0
    dropout_seed: int = 0

    def __post_init__(self) -> None:
        numbers = {
            "learning_rate": check_number("learning_rate", self.learning_rate, above=0),
            "alpha": check_number("alpha", self.alpha, at_least=0),
            "batch_size": check_whole("batch_size", self.batch_size),
            "dropout_seed": check_whole("dropout_seed", self.dropout_seed, at_least=0),
        }
        for name, number in numbers.items():  # NumPy's own would round, or wrap around
            object.__setattr__(self, name, number)
        check_choice("solver", self.solver, SOLVERS)
        for name, option in OPTIONS.items():
            option.check(name, getattr(self, name))
        check_dropout(self.dropout)
        if self.dropout_seed >= 2**32:
            raise ValueError(f"dropout_seed must be below 2**32; got {self.dropout_seed}")

    def at_rate(self, learning_rate: float) -> Solver:
        """Return it at another learning rate, which alone is checked: schedules ask every epoch."""
        other = object.__new__(Solver)
        other.__dict__.update(self.__dict__)
        other.__dict__.pop("_compiled", None)
        other.__dict__["learning_rate"] = check_number("learning_rate", learning_rate, above=0)
        return other

    def check_dtype(self, dtype: np.dtype[Any], rate: str = "learning_rate") -> None:
        """Refuse numbers that steps of this dtype cannot be taken with; call the rate this."""
        if dtype == np.float64:
            return
        check_fits_dtype(rate, self.learning_rate, dtype)
        if self.alpha > 0:
            # A small one may count for nothing.
            check_fits_dtype("alpha", max(self.alpha, 1e-30), dtype)
        if "epsilon" in self.rule.options:
            check_fits_dtype("epsilon", self.epsilon, dtype, MIN_EPSILON)

    def __getstate__(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    # Read in every epoch, of which a small one takes microseconds.
    @functools.cached_property
    def drops_units(self) -> bool:
        """Whether there is any dropout."""
        return bool(np.any(self.dropout))

    @functools.cached_property
    def rule(self) -> Rule:
        """What a step does to each weight."""
        return rule_of(self.solver, self.momentum)

    @functools.cached_property
    def n_moments(self) -> int:
        """How many moments each weight has."""
        return len(self.rule.moments)

    @functools.cached_property
    def rests(self) -> bool:
        """Whether a row moves those weights alone that its values meet."""
        return self.rule.rests and self.alpha == 0 and not (self.drops_units or self.by_weight)

    def decays_slowly(self, learning_rate: Any = None) -> Any:
        """Whether a scale of all weights can do the decay, at the solver's or these rates."""
        rate = self.learning_rate if learning_rate is None else learning_rate
        return self.alpha * rate <= MAX_DECAY

    @property
    def takes_rows(self) -> bool:
        """Whether the step of a row depends on nothing but the row and the steps before it."""
        return self.batch_size == 1 and not self.by_weight and not self.drops_units

    def compiled(self, n_hidden: int) -> _core.CompiledSolver:
        """Return it as the kernels take it, for a network of so many hidden layers."""
        if self.drops_units:
            return _core.CompiledSolver(self, check_dropout(self.dropout, n_hidden))
        return self._compiled

    @functools.cached_property
    def _compiled(self) -> _core.CompiledSolver:
        return _core.CompiledSolver(self)


@dataclasses.dataclass(frozen=True)
class Rates:
    """Learning rates of epochs, which may change within one.

    Attributes
    ----------
    of : callable
        The rate from a row on: a multiple of ``every`` after the first row of an epoch.
    every : int
        Rows between two rates of an epoch: whole batches, whatever the pieces of work.
    first : int
        Number of the row in the epoch that row 0 is here.
    """

    of: Callable[[int], float]
    every: int = sys.maxsize
    first: int = 0

    def at(self, row: int) -> float:
        """Return the rate of a row."""
        return self.of((self.first + row) // self.every * self.every)

    def of_epochs(self, n_rows: int, n_epochs: int) -> NDArray[np.float64]:
        """Return the rates of epochs of so many rows, one epoch a row of the array."""
        within = range(self.first // self.every * self.every, self.first + n_rows, self.every)
        rates = [self.of(epoch * n_rows + row) for epoch in range(n_epochs) for row in within]
        return np.array(rates, np.float64).reshape(n_epochs, -1)

    def cut(self, pieces: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
        """Yield pieces of work in parts that have one rate each."""
        for start, stop in pieces:
            while start < stop:
                end = min(stop, start + self.every - (self.first + start) % self.every)
                yield start, end
                start = end

    def from_row(self, row: int) -> Rates:
        """Return the rates of what is left of the epoch from a row on."""
        return dataclasses.replace(self, first=self.first + row)


# What `Network.train_epoch` can be given.
OPTIONS_OF_STEPS = tuple(
    field.name for field in dataclasses.fields(Solver) if field.name != "by_weight"
)


def solver_of_options(values: Mapping[str, Any], **others: Any) -> Solver:
    """Return the solver of the options among these values; equal ones are checked once.

    Parameters
    ----------
    values : mapping
        Options by the names of `Network.train_epoch`, such as the arguments of a function that has
        them; what is no option is left out.
    **others
        Options that are not what they are called there.
    """
    options = {name: values[name] for name in OPTIONS_OF_STEPS if name in values} | others
    try:
        hash(tuple(options.values()))
    except TypeError:  # there is a list among them
        return Solver(**options)
    return _solver_once(**options)


_solver_once = functools.lru_cache(maxsize=64, typed=True)(Solver)
