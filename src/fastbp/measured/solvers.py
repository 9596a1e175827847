"""From gradients to moves: plain, with momentum, or with AdaGrad's rates."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .tree import Floats


class PlainSolver:
    """``move = -eta dE/dknob``."""

    def rates(self, grad: Floats) -> Floats:
        """Return the factors of eta, knob by knob, given dE/dknob."""
        return np.ones_like(grad)

    def move(self, step: Floats, grad: Floats) -> Floats:
        """Return the move, given the step ``-eta rates dE/dknob``."""
        return step


class MomentumSolver(PlainSolver):
    """``move = momentum * last move - eta dE/dknob``; a last move that leads uphill is dropped.

    Source of the latter: B. O'Donoghue and E. Candes, "Adaptive restart for accelerated gradient
    schemes", Foundations of Computational Mathematics 15 (2015), the gradient scheme.
    """

    def __init__(self, n_knobs: int, momentum: float) -> None:
        self._momentum = momentum
        self._last = np.zeros(n_knobs)

    def move(self, step: Floats, grad: Floats) -> Floats:
        """Return the move, given the step ``-eta rates dE/dknob``."""
        kept = self._momentum * self._last if self._last @ grad < 0 else 0
        self._last = step + kept
        return self._last


class AdaGradSolver(PlainSolver):
    """``move = -eta dE/dknob / sqrt(sum of the squares of all dE/dknob until now)``.

    Source: J. Duchi, E. Hazan and Y. Singer, "Adaptive subgradient methods for online learning and
    stochastic optimization", Journal of Machine Learning Research 12 (2011).
    """

    def __init__(self, n_knobs: int) -> None:
        self._squares: NDArray[np.float64] = np.zeros(n_knobs)

    def rates(self, grad: Floats) -> Floats:
        """Return the factors of eta, knob by knob, given dE/dknob."""
        self._squares += grad * grad
        root = np.sqrt(self._squares)
        return np.divide(1, root, out=np.zeros_like(root), where=root > 0)


SOLVERS = ("sgd", "momentum", "adagrad")


def solver_of(name: str, n_knobs: int, momentum: float) -> PlainSolver:
    """Return the solver of that name."""
    if name == "momentum":
        return MomentumSolver(n_knobs, momentum)
    return AdaGradSolver(n_knobs) if name == "adagrad" else PlainSolver()
