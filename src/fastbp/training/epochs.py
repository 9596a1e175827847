"""`train_epochs`: epoch after epoch, until there is no more progress or no more to do.

NumPy only. An epoch itself is run by the network's `EpochRunner` (network/runner.py).
"""

from __future__ import annotations

import contextvars
import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..network import Network, Solver
from ..network.runner import Epochs
from ..network.solver import Rates
from .run import History
from .schedule import Schedule
from .stopping import BestEpoch, EarlyStopping, Ending, Validation

# Runs an epoch in place of `Network._run_epoch` and observes it: see recording/recorder.py.
EpochHook = Callable[[Network, Epochs], float]
EPOCH_HOOK: contextvars.ContextVar[EpochHook | None] = contextvars.ContextVar(
    "epoch_hook", default=None
)


def train_epochs(
    network: Network,
    rows: _core.Rows,
    order: NDArray[np.int64],
    solver: Solver,
    history: History,
    *,
    max_iter: int,
    shuffle: Any = None,
    stopping: EarlyStopping | None = None,
    schedule: Schedule | None = None,
    validation: Validation | None = None,
    notifier: Any = None,
    verbose: bool = False,
    n_threads: int = 1,
    is_call: bool = False,
) -> Ending:
    """Train for up to ``max_iter`` epochs, in place.

    Parameters
    ----------
    network : Network
    rows : Rows
    order : ndarray of int64
        The rows of an epoch.
    solver : Solver
    history : History
        Every finished epoch is added to it, so that it is right whenever training is interrupted.
    max_iter : int
    shuffle : RandomState, default=None
        Shuffles ``order`` for every epoch; None keeps it.
    stopping : EarlyStopping, default=None
        Ends training early, by the loss or, of a validation that stops, by its score.
    schedule : Schedule, default=None
        The learning rate; None is that of the solver.
    validation : Validation, default=None
        Held-out rows, evaluated after every epoch.
    notifier : default=None
        Its ``begin()`` is called when an epoch begins, and ``end()`` when it ends, which may return
        True to stop training.
    verbose : bool, default=False
        Print a line an epoch.
    n_threads : int, default=1
        See `Network.train_epoch`.
    is_call : bool, default=False
        The one epoch is a call of partial_fit, see `History.add_call`.

    Returns
    -------
    {"converged", "diverged", "max_iter", "stopped"}
        Why training ended: the loss no longer fell (or the score no longer rose), the loss is not
        finite, all epochs were made, or ``notifier`` said so; divergence also where it did.
    """
    hook = EPOCH_HOOK.get()
    is_observed = notifier is not None or verbose or hook is not None
    pace = schedule or Schedule("constant", solver.learning_rate)
    left, next_look, n_epochs = max_iter, 1, history.n_epochs + max_iter
    judged_by_score = validation is not None and validation.stops
    best = BestEpoch(network, rows) if max_iter > 1 and not judged_by_score else None
    try:
        while left > 0:
            if notifier is not None:
                notifier.begin()
            rates = pace.rates(history.n_rows, solver.batch_size)
            if rates.at(0) != solver.learning_rate:
                solver = solver.at_rate(rates.at(0))
            epochs = Epochs(rows, order, solver, rates, shuffle, n_threads=n_threads)
            max_epochs = left if stopping is None else int(min(left, stopping.epochs_left))
            if validation is not None:
                max_epochs = min(max_epochs, next_look - (max_iter - left))
            if best is not None:
                best.begin(epochs)
            parameters = None if is_call else network._arena.values.copy()
            begin = time.perf_counter()
            if hook is not None:
                losses = [hook(network, epochs.shuffled())]
            else:
                losses = network._runner.run(epochs, 1 if is_observed else max_epochs)
            norm = math.nan
            if parameters is not None and math.isfinite(losses[-1]):
                norm = gradient_norm(network._arena.values - parameters, epochs, len(losses))
            if best is not None:
                best.note(losses)
            if not math.isfinite(losses[-1]):
                network.reset_solver()
                if best is not None:
                    best.restore_best()
            seconds = time.perf_counter() - begin
            # At once: before another Ctrl-C.
            if is_call:
                history.add_call(losses[0], len(order))
            else:
                history.add(losses, len(order), _rates_of(rates, losses, len(order)), seconds, norm)
            left -= len(losses)
            is_look = left == 0 or max_iter - left >= next_look
            if validation is not None and is_look:
                history.add_validation(*validation.evaluate(network, n_threads))
                next_look = validation.next_look(max_iter - left)
            if verbose:
                print(history.last_line(math.inf if is_call else n_epochs), flush=True)
            is_stopped = notifier is not None and notifier.end()
            if not math.isfinite(losses[-1]):
                return "diverged"
            if is_stopped:
                return "stopped"
            if stopping is not None:
                is_over = [stopping.update(_judged(loss, validation, history)) for loss in losses]
                if is_over[-1] and (is_look or not judged_by_score):  # no sooner: see `max_epochs`
                    if not pace.lower():
                        return "converged"
                    stopping.n_without = 0
                    if verbose:
                        print("A fifth of the learning rate from here on.", flush=True)
        return "max_iter"
    finally:
        if validation is not None:
            validation.restore_best(network)


def _rates_of(rates: Rates, losses: list[float], n_rows: int) -> list[float]:
    """Return the learning rates that these epochs began with."""
    return [rates.of(k * n_rows) for k in range(len(losses))]


def gradient_norm(change: NDArray[Any], epochs: Epochs, n_epochs: int) -> float:
    """Return the norm of the mean gradient that the steps of some epochs have followed.

    Of their change of all parameters, divided by the sum of the learning rates of all steps. So it
    costs next to nothing; gradients are those of each step at its own parameters, penalty included.
    With momentum, whose steps are that much longer, times ``1 - momentum``. Of solvers that scale
    each gradient it is the norm of the mean step at a rate of 1.

    Parameters
    ----------
    change : ndarray
        Of all parameters, in these epochs.
    epochs : Epochs
    n_epochs : int
    """
    n_rows, solver = len(epochs.order), epochs.solver
    every = n_rows if epochs.rates is None else min(epochs.rates.every, n_rows)
    rows = np.full(-(-n_rows // every), every)
    rows[-1] = n_rows - every * (len(rows) - 1)
    total = float((epochs.learning_rates(n_epochs) @ -(-rows // solver.batch_size)).sum())
    momentum = solver.momentum if solver.rule.is_linear else 0.0
    return float(np.linalg.norm(change.astype(np.float64))) / total * (1 - momentum)


def _judged(loss: float, validation: Validation | None, history: History) -> float:
    """Return the quantity that early stopping minimises."""
    if validation is None or not validation.stops or not history.validation_scores:
        return loss
    return -history.validation_scores[-1]
