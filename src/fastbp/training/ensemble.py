"""Networks trained in step, each without rows of its own, and joined side by side into one."""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .._messages import level_of_caller
from ..exceptions import DivergenceWarning
from ..network import Network, Solver
from ..network.checks import check_flag, check_whole
from ..network.generators import generator_to_dict, set_generator
from ..network.network import made_with
from ..network.pauses import part_of
from ..network.state import State
from .epochs import EpochLoop, Loop
from .run import History, Restart, line_of_epoch

SLOWER = 4  # divides the learning rate of a network that diverges, which then goes on,
MOST_SLOWER = 3  # at most so many times


@dataclasses.dataclass(eq=False)
class StepLoop(Loop):
    """Networks trained in place, some epochs of each at a time, and how far they have come.

    All keep the parameters of the same epoch: that of the best mean score of the rows that each
    has held out, if they have; where there is no other score it is minus the loss. One that
    diverges goes on from its best epoch at a lower rate. Parameters are those of `EpochLoop`; an
    interrupt leaves every network as it was in the best epoch so far, or else as far as it has
    come.

    Attributes
    ----------
    done : int
        Epochs that all of them have made.
    n_ahead : int
        Networks that have made those up to the next look, too.
    is_over : bool
    """

    restarts: Sequence[Restart]
    rows: _core.Rows
    orders: Sequence[NDArray[np.int64]]
    solver: Solver

    def __post_init__(self) -> None:
        self._best = _BestLook(self.restarts)
        self.done, self.n_ahead, self.is_over = 0, 0, False

    def to_dict(self) -> dict[str, Any]:
        """Return how far they have come, with views of the networks' numbers."""
        return {
            "done": self.done,
            "n_ahead": self.n_ahead,
            "is_over": self.is_over,
            "best": self._best.to_dict(),
            "restarts": [restart.to_dict() for restart in self.restarts],
            "generator": None if self.shuffle is None else generator_to_dict(self.shuffle),
        }

    def load(self, saved: Mapping[str, Any]) -> None:
        """Go on from what `to_dict` has returned."""
        self.done = check_whole("done", saved["done"], at_least=0)
        self.n_ahead = check_whole("n_ahead", saved["n_ahead"], at_least=0)
        self.is_over = check_flag("is_over", saved["is_over"])
        self._best.load(saved["best"])
        for restart, tree in zip(self.restarts, saved["restarts"], strict=True):
            restart.load(tree)
        if saved["generator"] is not None:
            set_generator(self.shuffle, saved["generator"])

    def run(self) -> None:
        """Train all networks."""
        if self.pauses is not None:
            self.pauses.restore("training", self.load)
        if self.is_over:
            return
        with part_of(self.pauses, "training", self.to_dict):
            try:
                self._run()
            finally:
                self._best.restore()
            self.is_over = True
            if self.pauses is not None:
                self.pauses.save()

    def _run(self) -> None:
        while self.done < self.max_iter and not self._best.is_over:
            stop = self._next_stop()
            while self.n_ahead < len(self.restarts):
                self._train(self.n_ahead, stop - self.done)
                self.n_ahead += 1
                if self.notifier is not None and self.notifier.is_stopped:
                    return
                if self.pauses is not None:
                    self.pauses.look()
            self.done, self.n_ahead = stop, 0
            self._best.look(stop)
            if self.verbose:
                print(_line(self.restarts, stop, self.max_iter), flush=True)
        for restart in self.restarts:
            if restart.ending != "diverged":
                restart.ending = "converged" if self._best.is_over else "max_iter"

    def _next_stop(self) -> int:
        """Return how many epochs all have made when they are looked at next."""
        validation = self.restarts[0].validation
        if validation is None:
            return self.max_iter
        return min(self.max_iter, validation.next_look(self.done))

    def _train(self, number: int, max_iter: int) -> None:
        """Train a network for so many epochs."""
        restart = self.restarts[number]
        restart.ending = EpochLoop(
            restart.network,
            self.rows,
            self.orders[number],
            self.solver,
            restart.history,
            max_iter=max_iter,
            shuffle=self.shuffle,
            schedule=restart.schedule,
            notifier=self.notifier,
            n_threads=self.n_threads,
            pauses=self.pauses,
        ).run()
        if restart.ending == "diverged":
            _slow_down(restart)


class _BestLook:
    """Where the mean score of held-out rows was best, and the parameters there."""

    def __init__(self, restarts: Sequence[Restart]) -> None:
        self._restarts = restarts
        self._states: list[State | None] = [None] * len(restarts)
        self._score, self._epoch = -math.inf, 0
        self.is_over = False

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values and views of parameters."""
        return {
            "score": self._score,
            "epoch": self._epoch,
            "is_over": self.is_over,
            "states": [
                None if state is None else state.to_dict(copied=False) for state in self._states
            ],
        }

    def load(self, saved: Mapping[str, Any]) -> None:
        """Take what `to_dict` has returned."""
        self._score = float(saved["score"])
        self._epoch = check_whole("epoch", saved["epoch"], at_least=0)
        self.is_over = check_flag("is_over", saved["is_over"])
        for k, (restart, tree) in enumerate(zip(self._restarts, saved["states"], strict=True)):
            if tree is not None:
                sizes, dtype = restart.network.layer_sizes, restart.network.dtype
                self._states[k] = State.from_dict(sizes, dtype, tree)

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
        **made_with(first, "layer_sizes"),
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
