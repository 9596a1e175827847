"""Training over epochs: which rows are visited in which order, when to stop, what is reported.

NumPy only. An epoch itself is the network's; see `Network.train_epoch`.
"""

from __future__ import annotations

import contextvars
import dataclasses
import functools
import math
import warnings
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from . import _core
from ._validation import as_weights, blocks_of
from .network import Network, Solver, copy_each

MOST_VISITS = 8.0  # an epoch, on average over the rows that have a weight at all
Ending = Literal["converged", "diverged", "max_iter", "stopped"]
SCHEDULES = ("constant", "invscaling", "adaptive")
# Runs an epoch in place of `Network._run_epoch` and looks on: see _recorder.py.
Watcher = Callable[[Network, _core.Rows, NDArray[np.int64], Solver, int], float]
WATCHER: contextvars.ContextVar[Watcher | None] = contextvars.ContextVar("watcher", default=None)
LEAST_MEAN_WEIGHT = 0.1  # below which steps are too short for the rates that people choose
MOST_CALLS = 1000  # of partial_fit, whose losses a history keeps at least
HASHED_AT_ONCE = 1_000_000  # values, between which Ctrl-C is honoured


@dataclasses.dataclass(frozen=True)
class Visits:
    """How often an epoch visits each row, and with what weight each time.

    Attributes
    ----------
    counts : ndarray of int of shape (n,), or None
        Visits an epoch; None is once each.
    weights : ndarray of float64 of shape (n,), or None
        Weight of one visit, at most 1; None is 1 each.
    """

    counts: NDArray[np.int64] | None = None
    weights: NDArray[np.float64] | None = None

    @classmethod
    def of(cls, sample_weight: Any, n_rows: int) -> Visits:
        """Divide each row's weight w over ceil(w) visits of weight w / ceil(w).

        So a whole weight is that many copies of the row, and no step is longer than that of a row
        of weight 1. Rows of weight 0 are not visited. Weights whose mean over the other rows is
        above `MOST_VISITS` are scaled down to that mean.
        """
        weights = as_weights(sample_weight, n_rows)
        if weights is None:
            return cls()
        largest = weights.max()
        mean = np.mean(weights[weights > 0] / largest)  # relative: a sum of weights may overflow
        if mean * largest > MOST_VISITS:
            weights = weights / largest * (MOST_VISITS / mean)
        counts = np.ceil(
            weights * (1 - 1e-9)
        )  # a weight of 1 may have been computed as 1.0000000001
        each = np.divide(weights, counts, out=np.zeros_like(weights), where=counts > 0)
        each = np.minimum(each, 1)
        whole = bool(np.all(each[counts > 0] == 1))
        return cls(counts.astype(np.int64), None if whole else each)

    def order(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the rows given, each as often as it is to be visited."""
        return rows if self.counts is None else np.repeat(rows, self.counts[rows])


def weights_of_fit(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rows' weights as `fit` takes them, or warn where they make every step tiny.

    Weights that sum up to 1 are shares of the rows, as boosting hands them on: multiplied by the
    number of rows they have the mean of weights that are not given, which is 1.
    """
    n, total = len(weights), float(weights.sum())
    if weights.max() < 1 and math.isclose(total, 1, rel_tol=1e-6):
        return weights * n
    n = int(np.count_nonzero(weights))  # rows of weight 0 take no step at all
    if total < LEAST_MEAN_WEIGHT * n:
        warnings.warn(
            f"The sum of sample_weight is {total:.3g} for {n} rows: every step is that much "
            "shorter, and little is learned. Multiply the weights by "
            f"{n / total:.3g} to give them a mean of 1.",
            stacklevel=6,
        )
    return weights


def canonical_order(rows: _core.Rows) -> NDArray[np.int64]:
    """Return the rows ordered by their contents, wherever in the table they stand.

    By a 64-bit hash of features and targets, which is the same for dense and sparse rows, and then
    by the weight of a visit. Rows that are equal in all of this are equal to training, too.
    """
    hashes = np.empty(rows.n, dtype=np.uint64)
    size = 1 + int(HASHED_AT_ONCE / (1 + rows.values_per_row))
    for start in range(0, rows.n, size):
        rows.hash(start, min(start + size, rows.n), hashes)
    if rows.sample_weight is None:
        return order_of(hashes)
    return np.lexsort((rows.sample_weight, hashes))


def order_of(hashes: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return ``np.argsort(hashes)`` in about half its time: numbers alone are sorted faster.

    Each hash has its last bits replaced by its number, which are then read off what is sorted. Only
    those that agree in all other bits are left to `numpy.argsort`.
    """
    n = len(hashes)
    last_bits = np.uint64((1 << n.bit_length()) - 1)
    keys = hashes & ~last_bits
    keys |= np.arange(n, dtype=np.uint64)
    keys.sort()
    order = (keys & last_bits).astype(np.int64)
    alike = (keys[1:] ^ keys[:-1]) <= last_bits
    if alike.any():
        near = np.zeros(n, dtype=bool)
        near[1:] = alike
        near[:-1] |= alike
        numbers = order[near]
        order[near] = numbers[np.argsort(hashes[numbers])]
    return order


@dataclasses.dataclass
class History:
    """What training has come to so far, over all calls; kept up to date epoch by epoch.

    Attributes
    ----------
    loss_curve : list of float
        Loss of each whole epoch: infinite if training diverged in it. Of calls of partial_fit, each
        an epoch of its own, about the last `MOST_CALLS`: a stream has no end.
    n_epochs, best_loss : int, float
        Of all epochs, also of those that are no longer in the curve.
    n_rows : int
        Rows visited in these epochs.
    n_before : int
        Epochs that were made before the last call.
    n_kept : int
        Losses at the beginning of the curve that stay: up to the last epoch of `fit`.
    gaps : dict of int to int
        How many losses are no longer in the curve, by the position that they were left out at.
    validation_losses, validation_scores : list of float
        After each epoch for which there were held-out rows, on these.
    validation_epochs : list of int
        The numbers of these epochs, of which 1 is the first.
    """

    loss_curve: list[float] = dataclasses.field(default_factory=list)
    n_rows: int = 0
    n_before: int = 0
    n_epochs: int = 0
    best_loss: float = math.nan
    n_kept: int = 0
    gaps: dict[int, int] = dataclasses.field(default_factory=dict)
    validation_losses: list[float] = dataclasses.field(default_factory=list)
    validation_scores: list[float] = dataclasses.field(default_factory=list)
    validation_epochs: list[int] = dataclasses.field(default_factory=list)

    @classmethod
    def of_curve(cls, losses: list[float], **others: Any) -> History:
        """Return the history of epochs with these losses."""
        history = cls(**others)
        n_rows, history.n_rows = history.n_rows, 0
        history.add(losses, 0)
        history.n_rows = n_rows
        return history

    def begin_call(self) -> None:
        """Note that another call goes on from here."""
        self.n_before = self.n_epochs

    def add(self, losses: list[float], n_rows: int) -> None:
        """Note epochs of so many rows each."""
        self.loss_curve += losses
        self.n_kept = len(self.loss_curve)
        self._count(losses, n_rows)

    def add_call(self, loss: float, n_rows: int) -> None:
        """Note a call of partial_fit, of which the curve keeps only so many."""
        self.loss_curve.append(loss)
        if len(self.loss_curve) > self.n_kept + 2 * MOST_CALLS:
            n_left_out = len(self.loss_curve) - MOST_CALLS - self.n_kept
            self.gaps[self.n_kept] = self.gaps.get(self.n_kept, 0) + n_left_out
            del self.loss_curve[self.n_kept : -MOST_CALLS]
        self._count([loss], n_rows)

    @property
    def epochs(self) -> NDArray[np.int64]:
        """Number of the epoch of each loss in the curve, of which 1 is the first."""
        steps = np.ones(len(self.loss_curve), dtype=np.int64)
        for position, n_left_out in self.gaps.items():
            steps[position] += n_left_out
        return np.cumsum(steps)

    def _count(self, losses: list[float], n_rows: int) -> None:
        self.n_rows += n_rows * len(losses)
        self.n_epochs += len(losses)
        for loss in losses:
            if not loss >= self.best_loss:  # NaN at first
                self.best_loss = loss

    def add_validation(self, loss: float, score: float) -> None:
        """Note what held-out rows showed after it."""
        self.validation_losses.append(loss)
        self.validation_scores.append(score)
        self.validation_epochs.append(self.n_epochs)

    def last_line(self) -> str:
        """Return the last epoch as a line to print."""
        line = f"Iteration {self.n_epochs}, loss = {self.loss_curve[-1]:.8f}"
        if self.validation_losses:
            line += f", validation loss = {self.validation_losses[-1]:.8f}"
            line += f", score = {self.validation_scores[-1]:.6f}"
        return line


@dataclasses.dataclass
class Patience:
    """When to stop: after too many epochs in a row that did not improve the loss by ``tol``."""

    tol: float
    n_iter_no_change: float
    judges_scores: bool = False
    best_loss: float = math.inf
    n_without: int = 0

    @property
    def n_left(self) -> float:
        """Epochs until it can be lost at the earliest."""
        return max(1, self.n_iter_no_change + 1 - self.n_without)

    def is_lost(self, loss: float) -> bool:
        """Take an epoch's loss; return whether training should stop."""
        self.n_without = self.n_without + 1 if loss > self.best_loss - self.tol else 0
        self.best_loss = min(self.best_loss, loss)
        return self.n_without > self.n_iter_no_change


class BestEpoch:
    """The parameters of the best epoch so far, which a network gets back if training diverges.

    Of epochs that run together only the last one's are at hand. Where another was better, it is run
    again when it is asked for, from what there was before them.

    Parameters
    ----------
    network : Network
    rows : Rows
        Those that it trains on.
    """

    def __init__(self, network: Network, rows: _core.Rows) -> None:
        self._network, self._rows = network, rows
        self._initial = network._arena.values.copy()
        self._best: NDArray[Any] | None = None
        self._run_again: Callable[[], object] | None = None
        self._loss = math.inf

    def note(
        self, losses: list[float], replay: Callable[[], Callable[[int], object]] | None = None
    ) -> None:
        """Take the losses of epochs that just ended.

        `replay` returns what runs so many of them once more; one epoch alone needs none.
        """
        best = int(np.argmin(losses))
        if not losses[best] < self._loss:
            return
        self._loss = losses[best]
        if best == len(losses) - 1:
            values = self._network._arena.values
            self._best = values.copy() if self._best is None else self._best
            np.copyto(self._best, values)
            self._run_again = None
        elif replay is not None:
            self._run_again = functools.partial(replay(), best + 1)

    def restore(self) -> None:
        """Give the network the best epoch's parameters, or the initial ones if they are better.

        An epoch's loss is that of its rows just before their steps: what the last steps of it have
        left may be far worse.
        """
        network, values = self._network, self._network._arena.values
        if self._run_again is not None:
            self._run_again()
        elif self._best is not None:
            np.copyto(values, self._best)
        found, loss = values.copy(), network._loss_of(self._rows)
        np.copyto(values, self._initial)
        if loss < network._loss_of(self._rows) and _core.all_finite(found):
            np.copyto(values, found)
        network.reset_solver()


@dataclasses.dataclass
class Schedule:
    """The learning rate from epoch to epoch.

    Attributes
    ----------
    kind : {"constant", "invscaling", "adaptive"}
        "invscaling": ``initial / (1 + rows visited) ** power_t``. "adaptive": ``initial``, and a
        fifth of it each time that training would end for want of progress, down to 1e-6.
    initial, power_t : float
    factor : float
        What "adaptive" has come to.
    """

    kind: str
    initial: float
    power_t: float = 0.5
    factor: float = 1.0

    def rate(self, n_rows: int) -> float:
        """Return the learning rate of an epoch that so many rows were visited before."""
        if self.kind == "invscaling":
            return float(self.initial / (1.0 + n_rows) ** self.power_t)
        return self.initial * self.factor

    def lower(self) -> bool:
        """Go on with a smaller rate instead of ending, if there is one."""
        if self.kind != "adaptive" or self.rate(0) <= 1e-6:
            return False
        self.factor /= 5
        return True


@dataclasses.dataclass(frozen=True)
class Score:
    """What makes a score, larger is better, of the outputs for held-out rows.

    Attributes
    ----------
    of_rows : callable
        Takes the outputs of some rows, and the number of their first; returns what counts of each.
    of_all : callable
        Takes that of all rows and returns the score.
    """

    of_rows: Callable[[NDArray[Any], int], NDArray[Any]]
    of_all: Callable[[NDArray[Any]], float]


@dataclasses.dataclass
class Validation:
    """Held-out rows, which show how a network does on rows that it is not trained on.

    Attributes
    ----------
    rows : Rows
    score : Score, or None
        None is minus the loss.
    stops : bool
        Training ends by the score, and with the parameters that had the best.
    best_score : float
    best : ndarray or None
        The parameters that had it, where they are to be kept.
    """

    rows: _core.Rows
    score: Score | None = None
    stops: bool = True
    best_score: float = -math.inf
    best: NDArray[Any] | None = None

    def look(self, network: Network, n_threads: int = 1) -> tuple[float, float]:
        """Return the mean loss of the rows, and the score."""
        loss = network._loss_of(self.rows)
        score = -loss
        if self.score is not None:
            score = self._score(self.score, network, n_threads)
        if score > self.best_score:
            self.best_score = score
            self.best = network._arena.values.copy() if self.stops else None
        return loss, score

    def _score(self, score: Score, network: Network, n_threads: int) -> float:
        """Return the score, for which no more than a block of outputs is held at a time."""
        found = []
        n_bytes = self.rows.n * network.layer_sizes[-1] * network.dtype.itemsize
        for start, stop in blocks_of(self.rows.n, n_bytes):
            outputs = network._forward_rows(self.rows.part(start, stop), stop - start, n_threads)
            if not np.isfinite(outputs).all():
                return -math.inf
            found.append(score.of_rows(outputs, start))
        return score.of_all(np.concatenate(found))

    def restore(self, network: Network) -> None:
        """Give a network the best parameters back; what its solver knows of others goes."""
        if self.best is not None and not np.array_equal(self.best, network._arena.values):
            np.copyto(network._arena.values, self.best)
            network.reset_solver()


def train_epochs(
    network: Network,
    rows: _core.Rows,
    order: NDArray[np.int64],
    solver: Solver,
    history: History,
    *,
    max_iter: int,
    shuffle: Any = None,
    patience: Patience | None = None,
    schedule: Schedule | None = None,
    validation: Validation | None = None,
    epochs: Any = None,
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
        The rows an epoch visits.
    solver : Solver
    history : History
        Every finished epoch is added to it, so that it is right whenever training is interrupted.
    max_iter : int
    shuffle : RandomState, default=None
        Shuffles ``order`` anew for every epoch; None keeps it.
    patience : Patience, default=None
        Ends training early, by the loss or, of a validation that stops, by its score.
    schedule : Schedule, default=None
        Learning rate of each epoch; None is that of the solver.
    validation : Validation, default=None
        Held-out rows that are looked at after every epoch.
    epochs : default=None
        Is told when an epoch begins, ``begin()``, and when it ends, where ``end()`` may return True
        to stop training.
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
        finite, all epochs were made, or ``epochs`` said so; divergence also where it did.
    """
    watched = validation is not None or epochs is not None or verbose or WATCHER.get() is not None
    visit = order if shuffle is None else np.empty_like(order)
    pace = schedule or Schedule("constant", solver.learning_rate)
    left = max_iter
    judged_by_score = validation is not None and validation.stops
    best = BestEpoch(network, rows) if max_iter > 1 and not judged_by_score else None

    def rate(n_rows: int) -> float:  # when so many more rows will have been visited
        return pace.rate(history.n_rows + n_rows)

    try:
        while left > 0:
            if epochs is not None:
                epochs.begin()
            if rate(0) != solver.learning_rate:
                solver = dataclasses.replace(solver, learning_rate=rate(0))
            most = 1 if watched else left if patience is None else int(min(left, patience.n_left))
            start = None if best is None else _Start(network, shuffle, history.n_rows, pace)
            losses = network._run_epochs(rows, order, solver, most, shuffle, rate, n_threads)
            if best is not None and start is not None and losses:
                after = functools.partial(start.after, rows, order, visit, solver, n_threads)
                best.note(losses, after)
            if not losses:
                losses = [_run_epoch(network, rows, order, visit, solver, shuffle, n_threads)]
                if best is not None:
                    best.note(losses)
            if best is not None and not math.isfinite(losses[-1]):
                best.restore()
            _note_epochs(history, losses, len(order), is_call)  # at once: before another Ctrl-C
            left -= len(losses)
            if validation is not None:
                history.add_validation(*validation.look(network, n_threads))
            if verbose:
                print(history.last_line(), flush=True)
            is_stopped = epochs is not None and epochs.end()
            if not math.isfinite(losses[-1]):
                return "diverged"
            if is_stopped:
                return "stopped"
            if patience is not None:
                lost = [patience.is_lost(_judged(loss, validation, history)) for loss in losses]
                if lost[-1]:  # no sooner: see `most`
                    if verbose:
                        print(_why_stopped(patience, pace, validation), flush=True)
                    if not pace.lower():
                        return "converged"
                    patience.n_without = 0
        return "max_iter"
    finally:
        if validation is not None:
            validation.restore(network)


class _Start:
    """What epochs that run together begin with, to run some of them once more."""

    def __init__(self, network: Network, shuffle: Any, n_rows: int, pace: Schedule) -> None:
        self._network, self._shuffle = network, shuffle
        self._n_rows, self._pace = n_rows, dataclasses.replace(pace)
        self._random = None if shuffle is None else shuffle.get_state(legacy=False)
        self._n_visits = network._n_visits
        self._n_steps = {n: moments.n_steps for n, moments in network._moments.items()}

    def after(
        self,
        rows: _core.Rows,
        order: NDArray[np.int64],
        visit: NDArray[np.int64],
        solver: Solver,
        n_threads: int,
    ) -> Callable[[int], None]:
        """Return what runs so many of the epochs again that just ran together."""
        state = [array.copy() for array in self._network._before]

        def rate(n_rows: int) -> float:
            return self._pace.rate(self._n_rows + n_rows)

        def run_again(n: int) -> None:
            network, shuffle = self._network, self._shuffle
            random = None if shuffle is None else shuffle.get_state(legacy=False)
            moments = network._moments_of(solver)
            copy_each(network._state(moments), state)
            if moments is not None:
                moments.n_steps = self._n_steps.get(solver.n_moments, 0)
            n_visits, network._n_visits = network._n_visits, self._n_visits
            if shuffle is not None:
                shuffle.set_state(self._random)
            done = network._run_epochs(rows, order, solver, n, shuffle, rate, n_threads)
            if not done:
                _run_epoch(network, rows, order, visit, solver, shuffle, n_threads)
            network._n_visits = n_visits
            if shuffle is not None:
                shuffle.set_state(random)

        return run_again


def _note_epochs(history: History, losses: list[float], n_rows: int, is_call: bool) -> None:
    if is_call:
        history.add_call(losses[0], n_rows)
    else:
        history.add(losses, n_rows)


def _run_epoch(
    network: Network,
    rows: _core.Rows,
    order: NDArray[np.int64],
    visit: NDArray[np.int64],
    solver: Solver,
    shuffle: Any,
    n_threads: int,
) -> float:
    """Run one epoch, in an order of its own in ``visit``."""
    if shuffle is not None:
        np.copyto(visit, order)
        _core.shuffle(visit, shuffle)
    run = WATCHER.get() or Network._run_epoch
    return run(network, rows, visit, solver, n_threads)


def _judged(loss: float, validation: Validation | None, history: History) -> float:
    """Return what an epoch is judged by: the smaller, the better."""
    if validation is None or not validation.stops:
        return loss
    return -history.validation_scores[-1]


def _why_stopped(patience: Patience, pace: Schedule, validation: Validation | None) -> str:
    what = "Validation score" if validation is not None and validation.stops else "Training loss"
    lowers = dataclasses.replace(pace).lower()
    then = "A fifth of the learning rate from here on." if lowers else "Stopping."
    return (
        f"{what} did not improve more than tol={patience.tol:f} for "
        f"{patience.n_iter_no_change} consecutive epochs. {then}"
    )
