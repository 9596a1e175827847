"""`EpochLoop`: epoch after epoch, until there is no more progress or no more to do.

NumPy only. An epoch itself is run by the network's `EpochRunner` (network/runner.py).
"""

from __future__ import annotations

import contextvars
import dataclasses
import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..network import Network, Solver
from ..network.checks import check_whole
from ..network.pauses import Pauses, part_of
from ..network.runner import Epochs
from .run import History
from .schedule import Schedule
from .stopping import BestEpoch, EarlyStopping, Ending, Validation

# Runs an epoch in place of `Network._run_epoch` and observes it: see recording/recorder.py.
EpochHook = Callable[[Network, Epochs], float]
EPOCH_HOOK: contextvars.ContextVar[EpochHook | None] = contextvars.ContextVar(
    "epoch_hook", default=None
)


@dataclasses.dataclass(eq=False, kw_only=True)
class Loop:
    """What every loop over epochs is told.

    Parameters
    ----------
    max_iter : int
    shuffle : RandomState, default=None
        Shuffles the rows of an epoch before each; None keeps their order.
    notifier : default=None
        Its ``begin()`` is called when an epoch begins, and ``end()`` when it ends, which may return
        True to stop training.
    verbose : bool, default=False
        Print a line an epoch.
    n_threads : int, default=1
        See `Network.train_epoch`.
    pauses : Pauses, default=None
        When training is saved, and what it goes on from.
    """

    max_iter: int
    shuffle: Any = None
    notifier: Any = None
    verbose: bool = False
    n_threads: int = 1
    pauses: Pauses | None = None


@dataclasses.dataclass(eq=False)
class EpochLoop(Loop):
    """Epochs of a network, in place, and how far they have come.

    Parameters
    ----------
    network : Network
    rows : Rows
    order : ndarray of int64
        The rows of an epoch.
    solver : Solver
    history : History
        Every finished epoch is added to it, so that it is right whenever training is interrupted.
    stopping : EarlyStopping, default=None
        Ends training early, by the loss or, of a validation that stops, by its score.
    schedule : Schedule, default=None
        The learning rate; None is that of the solver.
    validation : Validation, default=None
        Held-out rows, evaluated after every epoch.
    is_call : bool, default=False
        The one epoch is a call of partial_fit, see `History.add_call`.
    **options
        See `Loop`.

    Attributes
    ----------
    left : int
        Epochs that may follow.
    next_look : int
        The number of the epoch that the next look at held-out rows follows, from 1.
    n_epochs : int
        How many the history has after the last of them.
    best : BestEpoch or None
        The parameters to go back to, if training diverges.
    """

    network: Network
    rows: _core.Rows
    order: NDArray[np.int64]
    solver: Solver
    history: History
    _: dataclasses.KW_ONLY
    stopping: EarlyStopping | None = None
    schedule: Schedule | None = None
    validation: Validation | None = None
    is_call: bool = False

    def __post_init__(self) -> None:
        self._pace = self.schedule or Schedule("constant", self.solver.learning_rate)
        self._hook = EPOCH_HOOK.get()
        self._judged_by_score = self.validation is not None and self.validation.stops
        self.left, self.next_look = self.max_iter, 1
        self.n_epochs = self.history.n_epochs + self.max_iter
        has_best = self.max_iter > 1 and not self._judged_by_score
        self.best = BestEpoch(self.network, self.rows) if has_best else None

    def to_dict(self) -> dict[str, Any]:
        """Return how far they have come, between two of them or within one."""
        return {
            "left": self.left,
            "next_look": self.next_look,
            "n_epochs": self.n_epochs,
            "best": None if self.best is None else self.best.to_dict(),
        }

    def load(self, saved: Mapping[str, Any]) -> None:
        """Go on from what `to_dict` has returned."""
        self.left = check_whole("left", saved["left"], at_least=0)
        if self.left > self.max_iter:
            raise ValueError(f"left must be at most {self.max_iter}; got {self.left}")
        self.next_look = check_whole("next_look", saved["next_look"])
        self.n_epochs = check_whole("n_epochs", saved["n_epochs"], at_least=0)
        if self.best is not None:
            self.best.load(saved["best"], self._epochs_of)

    def run(self) -> Ending:
        """Run epochs until training ends, and return why it does.

        Returns
        -------
        {"converged", "diverged", "max_iter", "stopped"}
            The loss no longer fell (or the score no longer rose), the loss is not finite, all
            epochs were made, or ``notifier`` said so; divergence also where it did.
        """
        if self.pauses is not None:
            self.pauses.restore("epochs", self.load)
        try:
            with part_of(self.pauses, "epochs", self.to_dict):
                while self.left > 0:
                    ending = self._run_some()
                    if ending is not None:
                        return ending
                    if self.pauses is not None:
                        self.pauses.look()
                return "max_iter"
        finally:
            if self.validation is not None:
                self.validation.restore_best(self.network)

    def _run_some(self) -> Ending | None:
        """Run an epoch, or several short ones; return why training ends with them, if it does."""
        history, n_rows = self.history, len(self.order)
        if self.notifier is not None:
            self.notifier.begin()
        pace = {"n_rows": history.n_rows, "factor": self._pace.factor}
        epochs = self._epochs_of(pace)
        if self.best is not None:
            self.best.begin(epochs, pace)
        begin = time.perf_counter()
        losses, norm = self._losses_of(epochs)
        is_finite = math.isfinite(losses[-1])
        if self.best is not None:
            self.best.note(losses)
        if not is_finite:
            self.network.reset_solver()
            if self.best is not None:
                self.best.restore_best()
        seconds = time.perf_counter() - begin
        # At once: before another Ctrl-C.
        if self.is_call:
            history.add_call(losses[0], n_rows)
        else:
            history.add(losses, n_rows, _rates_of(epochs, losses), seconds, norm)
        self.left -= len(losses)
        is_look = self._look_at_held_out_rows()
        if self.verbose:
            print(history.last_line(math.inf if self.is_call else self.n_epochs), flush=True)
        is_stopped = self.notifier is not None and self.notifier.end()
        if not is_finite:
            return "diverged"
        if is_stopped:
            return "stopped"
        return "converged" if self._has_converged(losses, is_look) else None

    def _epochs_of(self, pace: Mapping[str, Any]) -> Epochs:
        """Return the epochs that begin after so many rows, at rates of this factor."""
        schedule, solver = self._pace, self.solver
        if pace["factor"] != schedule.factor:
            schedule = dataclasses.replace(schedule, factor=pace["factor"])
        rates = schedule.rates(pace["n_rows"], solver.batch_size)
        if rates.at(0) != solver.learning_rate:
            solver = self.solver = solver.at_rate(rates.at(0))
        return Epochs(self.rows, self.order, solver, rates, self.shuffle, n_threads=self.n_threads)

    def _losses_of(self, epochs: Epochs) -> tuple[list[float], float]:
        """Run epochs; return their losses and the norm of their gradient, where it is known."""
        network = self.network
        if self._hook is not None:
            start = network._arena.values.copy()
            losses = [self._hook(network, epochs.shuffled())]
        else:
            losses = network._runner.run(epochs, self._max_epochs(), self.pauses)
            assert network._runner.start is not None
            start = network._runner.start.parameters.values
        if self.is_call or not math.isfinite(losses[-1]):
            return losses, math.nan
        return losses, gradient_norm(network._arena.values - start, epochs, len(losses))

    def _max_epochs(self) -> int:
        """Return how many may run before anything is to be done between two."""
        if self.notifier is not None or self.verbose:
            return 1
        most = self.left
        if self.stopping is not None:
            most = int(min(most, self.stopping.epochs_left))
        if self.validation is not None:
            most = min(most, self.next_look - (self.max_iter - self.left))
        return most

    def _look_at_held_out_rows(self) -> bool:
        """Look at rows held out, if there are any and it is time; return whether it is."""
        done = self.max_iter - self.left
        is_look = self.left == 0 or done >= self.next_look
        if self.validation is not None and is_look:
            found = self.validation.evaluate(self.network, self.n_threads)
            self.history.add_validation(*found)
            self.next_look = self.validation.next_look(done)
        return is_look

    def _has_converged(self, losses: list[float], is_look: bool) -> bool:
        """Take the losses of epochs for early stopping; return whether training ends by it."""
        stopping = self.stopping
        if stopping is None:
            return False
        judged = (_judged(loss, self.validation, self.history) for loss in losses)
        *_, is_over = map(stopping.update, judged)
        if not is_over or (self._judged_by_score and not is_look):  # no sooner: see `_max_epochs`
            return False
        if not self._pace.lower():
            return True
        stopping.n_without = 0
        if self.verbose:
            print("A fifth of the learning rate from here on.", flush=True)
        return False


def _rates_of(epochs: Epochs, losses: list[float]) -> list[float]:
    """Return the learning rates that these epochs began with."""
    assert epochs.rates is not None
    return [epochs.rates.of(k * len(epochs.order)) for k in range(len(losses))]


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
    total = float(
        (epochs.learning_rates(n_epochs) @ -(-rows // min(solver.batch_size, n_rows))).sum()
    )
    momentum = solver.momentum if solver.rule.is_linear else 0.0
    return float(np.linalg.norm(change.astype(np.float64))) / total * (1 - momentum)


def _judged(loss: float, validation: Validation | None, history: History) -> float:
    """Return the quantity that early stopping minimises."""
    if validation is None or not validation.stops or not history.validation_scores:
        return loss
    return -history.validation_scores[-1]
