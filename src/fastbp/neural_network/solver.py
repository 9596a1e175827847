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
NUMBERS = ("learning_rate", "alpha", "momentum", "beta_1", "beta_2", "epsilon")  # of a step


def solver_of(optimizer: Any, alpha: float, batch_size: int, dtype: np.dtype[Any]) -> Solver | None:
    """Return what steps the optimiser takes, or None for one that the engine does not know."""
    options: dict[str, Any]
    if isinstance(optimizer, sklearn_internals.AdamOptimizer):
        options = {name: getattr(optimizer, name) for name in ("beta_1", "beta_2", "epsilon")}
        options |= {"learning_rate": optimizer.learning_rate_init, "solver": "adam"}
    else:
        options = {name: getattr(optimizer, name) for name in ("learning_rate", "momentum")}
        options |= {"nesterov": bool(optimizer.nesterov)}
    return _solver_or_none(dtype, alpha=alpha, batch_size=batch_size, **options)


@functools.lru_cache(maxsize=16)
def _solver_or_none(dtype: np.dtype[Any], **options: Any) -> Solver | None:
    """Return the solver, checked once for all its epochs, or None for what the engine refuses."""
    if not _fits(dtype, options):
        return None
    try:
        return Solver(**options, by_weight=True)
    except (ValueError, TypeError):  # a momentum of 1, a rate that has shrunk to 0
        return None


def _fits(dtype: np.dtype[Any], options: dict[str, Any]) -> bool:
    """Whether steps of this dtype are, to rounding, those of scikit-learn.

    With float32 data its gradients are float64 wherever the targets are not float32, and with them
    moments and steps: these know numbers that float32 takes for 0 or for infinity. A second moment
    is the square of a gradient, which float32 may take for 0 where epsilon is no larger.
    """
    if options["learning_rate"] > LARGE[dtype]:
        return False
    if dtype == np.float64:
        return True
    fits = all(fits_dtype(options[name], dtype) for name in NUMBERS if name in options)
    return fits and options.get("epsilon", MIN_EPSILON) >= MIN_EPSILON
