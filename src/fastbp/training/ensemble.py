"""Networks trained in step, each without rows of its own, and joined side by side into one."""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .._messages import level_of_caller
from ..exceptions import DivergenceWarning
from ..network import Network, Solver
from ..network.state import State
from .epochs import train_epochs
from .run import History, Restart, line_of_epoch

SLOWER = 4  # divides the learning rate of a network that diverges, which then goes on,
MOST_SLOWER = 3  # at most so many times


def train_in_step(
    restarts: Sequence[Restart],
    rows: _core.Rows,
    orders: Sequence[NDArray[np.int64]],
    solver: Solver,
    *,
    max_iter: int,
    shuffle: Any = None,
    notifier: Any = None,
    verbose: bool = False,
    n_threads: int = 1,
) -> None:
    """Train networks for up to ``max_iter`` epochs, in place, some epochs of each at a time.

    All keep the parameters of the same epoch: that of the best mean score of the rows that each
    has held out, if they have; where there is no other score it is minus the loss. One that
    diverges goes on from its best epoch at a lower rate. Parameters are those of `train_epochs`; an
    interrupt leaves every network as it was in the best epoch so far, or else as far as it has
    come.
    """
    first, best, done = restarts[0], _BestLook(restarts), 0
    try:
        while done < max_iter and not best.is_over:
            stop = max_iter
            if first.validation is not None:
                stop = min(stop, first.validation.next_look(done))
            for restart, order in zip(restarts, orders, strict=True):
                restart.ending = train_epochs(
                    restart.network,
                    rows,
                    order,
                    solver,
                    restart.history,
                    max_iter=stop - done,
                    shuffle=shuffle,
                    schedule=restart.schedule,
                    notifier=notifier,
                    n_threads=n_threads,
                )
                if restart.ending == "diverged":
                    _slow_down(restart)
                if notifier is not None and notifier.is_stopped:
                    return
            done = stop
            best.look(done)
            if verbose:
                print(_line(restarts, done, max_iter), flush=True)
        for restart in restarts:
            if restart.ending != "diverged":
                restart.ending = "converged" if best.is_over else "max_iter"
    finally:
        best.restore()


class _BestLook:
    """Where the mean score of held-out rows was best, and the parameters there."""

    def __init__(self, restarts: Sequence[Restart]) -> None:
        self._restarts = restarts
        self._states: list[State | None] = [None] * len(restarts)
        self._score, self._epoch = -math.inf, 0
        self.is_over = False

    def look(self, n_epochs: int) -> None:
        """Look at the rows held out after so many epochs; note whether training is over."""
        scores = []
        for restart in self._restarts:
            if restart.validation is None:
                return
            loss, score = restart.validation.measure(restart.network)
            restart.history.add_validation(loss, score)
            scores.append(score)
        score = float(np.mean(scores))
        if score > self._score:
            self._score, self._epoch = score, n_epochs
            for k, restart in enumerate(self._restarts):
                self._states[k] = restart.network._state.save_parameters(self._states[k])
        elif n_epochs - self._epoch > self._restarts[0].stopping.n_iter_no_change:
            self.is_over = True

    def restore(self) -> None:
        """Give the networks their parameters there, if rows were held out."""
        for restart, state in zip(self._restarts, self._states, strict=True):
            if state is not None:
                restart.network._state.restore(state)


def _slow_down(restart: Restart) -> None:
    """Let a network that has diverged go on at a lower rate."""
    schedule = restart.schedule
    if schedule is None or restart.n_slower == MOST_SLOWER:
        return
    restart.n_slower += 1
    restart.schedule = dataclasses.replace(schedule, initial=schedule.initial / SLOWER)
    warnings.warn(
        f"Training diverged at a learning rate of {schedule.initial:g}, and goes on from the best "
        f"weights at {restart.schedule.initial:g}.",
        DivergenceWarning,
        stacklevel=level_of_caller(),
    )


def _line(restarts: Sequence[Restart], done: int, max_iter: int) -> str:
    """Return how far networks are, as a line to print."""
    held_out = [one.history for one in restarts if one.history.validation_epochs[-1:] == [done]]
    return line_of_epoch(
        done,
        max_iter,
        float(np.mean([one.loss for one in restarts])),
        [one.validation_losses[-1] for one in held_out],
        [one.validation_scores[-1] for one in held_out],
    )


def joined_network(networks: Sequence[Network]) -> Network:
    """Return one network whose z of the last layer is the mean of theirs.

    Hidden layers stand side by side, without weights from one network to another: of numbers the
    outputs are the mean, of classes the probabilities are geometric means, scaled to sum up to 1.

    Parameters
    ----------
    networks : sequence of Network
        Alike in all but their parameters.
    """
    first, n = networks[0], len(networks)
    if n == 1:
        return first
    sizes = first.layer_sizes
    joined = Network(
        (sizes[0], *(n * size for size in sizes[1:-1]), sizes[-1]),
        activation=first.activation,
        out_activation=first.out_activation,
        loss=first.loss_name,
        huber_delta=first.huber_delta,
        quantile=first.quantile,
        dtype=first.dtype,
        random_state=0,
    )
    last = len(sizes) - 2
    for l, (W, b) in enumerate(zip(joined.weights, joined.biases, strict=True)):
        W[...] = b[...] = 0
        for k, network in enumerate(networks):
            own_W, own_b = network.weights[l], network.biases[l]
            n_in, n_out = own_W.shape
            rows = slice(None) if l == 0 else slice(k * n_in, (k + 1) * n_in)
            if l == last:
                W[rows] += own_W / n
                b += own_b / n
            else:
                W[rows, k * n_out : (k + 1) * n_out] = own_W
                b[k * n_out : (k + 1) * n_out] = own_b
    return joined


def joined_history(histories: Sequence[History]) -> History:
    """Return the means of the losses, epoch by epoch; of one that has ended its last."""
    if len(histories) == 1:
        return histories[0]
    n_epochs = max(history.n_epochs for history in histories)
    longest = max(histories, key=lambda history: history.n_rows)
    joined = History.of_curve(
        _mean([history.loss_curve for history in histories], n_epochs), n_rows=longest.n_rows
    )
    joined.rates, joined.seconds = list(longest.rates), list(longest.seconds)
    joined.rows = list(longest.rows)
    if all(len(one.seconds) == n_epochs for one in histories):
        joined.seconds = np.sum([one.seconds for one in histories], axis=0).tolist()
    if all(len(one.gradient_norms) == n_epochs for one in histories):
        joined.gradient_norms = np.mean([one.gradient_norms for one in histories], axis=0).tolist()
    looks = [history for history in histories if history.validation_epochs]
    if looks:
        most = max(looks, key=lambda history: len(history.validation_epochs))
        n_looks = len(most.validation_epochs)
        joined.validation_epochs = list(most.validation_epochs)
        joined.validation_losses = _mean([one.validation_losses for one in looks], n_looks)
        joined.validation_scores = _mean([one.validation_scores for one in looks], n_looks)
    return joined


def _mean(curves: Sequence[list[float]], n: int) -> list[float]:
    """Return the mean of curves, which go on with their last value up to n."""
    whole = [curve + [curve[-1]] * (n - len(curve)) for curve in curves if curve]
    means: list[float] = np.mean(whole, axis=0).tolist() if whole else [math.nan] * n
    return means
