"""The steps of scikit-learn's optimisers as a `Solver`, where the engine can take them."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from ..network import Solver
from ..network.checks import MIN_EPSILON, fits_dtype
from . import sklearn_internals

FLOATS = (np.dtype(np.float64), np.dtype(np.float32))
# Beyond this, losses and learning rates are left to the host: its own arithmetic may overflow, and
# has to say how.
LARGE = dict(zip(FLOATS, (1e100, 1e18), strict=True))


def solver_of(optimizer: Any, alpha: float, batch_size: int, dtype: np.dtype[Any]) -> Solver | None:
    """Return what steps the optimiser takes, or None for one that the engine does not know."""
    own: tuple[Any, ...]
    if isinstance(optimizer, sklearn_internals.AdamOptimizer):
        rate, solver = optimizer.learning_rate_init, "adam"
        own = 0.0, False, optimizer.beta_1, optimizer.beta_2, optimizer.epsilon
    else:
        rate, solver = optimizer.learning_rate, "sgd"
        own = optimizer.momentum, bool(optimizer.nesterov), 0.9, 0.999, 1e-8
    return _solver_or_none(dtype, rate, alpha, batch_size, solver, *own)


@functools.lru_cache(maxsize=16)
def _solver_or_none(
    dtype: np.dtype[Any],
    rate: float,
    alpha: float,
    batch_size: int,
    solver: str,
    momentum: float,
    nesterov: bool,
    beta_1: float,
    beta_2: float,
    epsilon: float,
) -> Solver | None:
    """Return the solver, checked once for all its epochs, or None for what the engine refuses."""
    if not _fits(dtype, rate, alpha, solver, momentum, beta_1, beta_2, epsilon):
        return None
    try:
        return Solver(
            rate,
            momentum=momentum,
            nesterov=nesterov,
            alpha=alpha,
            batch_size=batch_size,
            solver=solver,
            beta_1=beta_1,
            beta_2=beta_2,
            epsilon=epsilon,
            by_weight=True,
        )
    except (ValueError, TypeError):  # a momentum of 1, a rate that has shrunk to 0
        return None


def _fits(
    dtype: np.dtype[Any],
    rate: float,
    alpha: float,
    solver: str,
    momentum: float,
    beta_1: float,
    beta_2: float,
    epsilon: float,
) -> bool:
    """Whether steps of this dtype are, to rounding, those of scikit-learn.

    With float32 data its gradients are float64 wherever the targets are not float32, and with them
    moments and steps: these know numbers that float32 takes for 0 or for infinity. A second moment
    is the square of a gradient, which float32 may take for 0 where epsilon is no larger.
    """
    if rate > LARGE[dtype]:
        return False
    if dtype == np.float64:
        return True
    numbers = (rate, alpha, momentum, beta_1, beta_2, epsilon)
    fits = all(fits_dtype(number, dtype) for number in numbers)
    return fits and (solver != "adam" or epsilon >= MIN_EPSILON)
