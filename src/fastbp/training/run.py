"""`History`, what training has come to, and `Restart`, one network and its training."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..network import Network
from ..network.checks import check_choice, check_whole
from .schedule import Schedule
from .stopping import ENDINGS, EarlyStopping, Ending, Validation

LEAST_EPOCHS, MOSTLY, STEADY, LEFT = 5, 0.9, 0.4, 1 / 3  # see History.falls_as_at_first
CURVES: dict[str, type[np.generic]] = {
    **dict.fromkeys(("loss_curve", "rates", "seconds", "gradient_norms"), np.float64),
    **dict.fromkeys(("validation_losses", "validation_scores"), np.float64),
    **dict.fromkeys(("rows", "validation_epochs"), np.int64),
}
MAX_COUNT = 2**53  # of rows and epochs: doubles and 64-bit integers hold them all
MAX_CALLS = 1000  # of partial_fit, whose losses a history keeps at least


@dataclasses.dataclass
class History:
    """What training has come to so far, over all calls; kept up to date epoch by epoch.

    Attributes
    ----------
    loss_curve : list of float
        Loss of each whole epoch: infinite if training diverged in it. Of calls of partial_fit, each
        an epoch of its own, about the last `MAX_CALLS`: a stream has no end.
    n_epochs, best_loss : int, float
        Of all epochs, also of those that are no longer in the curve.
    n_rows : int
        Rows seen in these epochs.
    n_before : int
        Epochs that were made before the last call.
    n_kept : int
        Losses at the beginning of the curve that stay: up to the last epoch of `fit`.
    gaps : dict of int to int
        How many losses are no longer in the curve, by the position that they were left out at.
    rates, seconds : list of float
        Learning rate at the beginning of each epoch of `fit`, and how long it took: one of several
        that ran together its share. NaN where that is not known.
    gradient_norms : list of float
        Of these epochs, see `gradient_norm`; those that ran together have one.
    rows : list of int
        Rows seen up to the end of each epoch of `fit`.
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
    rates: list[float] = dataclasses.field(default_factory=list, compare=False)
    seconds: list[float] = dataclasses.field(default_factory=list, compare=False)
    gradient_norms: list[float] = dataclasses.field(default_factory=list, compare=False)
    rows: list[int] = dataclasses.field(default_factory=list, compare=False)
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

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain values, and the curves as arrays."""
        saved = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        saved["gaps"] = dict(self.gaps)
        for name, dtype in CURVES.items():
            saved[name] = np.array(saved[name], dtype)
        return saved

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> History:
        """Return the history that `to_dict` was called of, checked."""
        names = [field.name for field in dataclasses.fields(cls)]
        history = cls(**{name: saved[name] for name in names})
        for name, dtype in CURVES.items():
            values = np.asarray(saved[name])
            if values.ndim != 1 or values.dtype != dtype:
                raise ValueError(f"{name} of a history must be one row of {np.dtype(dtype)}")
            setattr(history, name, values.tolist())
        for name in ("n_rows", "n_before", "n_epochs", "n_kept"):
            number = check_whole(name, saved[name], at_least=0)
            if number > MAX_COUNT:
                raise ValueError(f"{name} of a history must be at most {MAX_COUNT}; got {number}")
            setattr(history, name, number)
        history.best_loss = float(saved["best_loss"])
        history.gaps = {int(position): int(n) for position, n in saved["gaps"].items()}
        return history

    def begin_call(self) -> None:
        """Note that another call goes on from here."""
        self.n_before = self.n_epochs

    def add(
        self,
        losses: list[float],
        n_rows: int,
        rates: list[float] | None = None,
        seconds: float = math.nan,
        gradient_norm: float = math.nan,
    ) -> None:
        """Note epochs of so many rows each, which took so long together."""
        self.loss_curve += losses
        n = len(losses)
        self.rates += rates or [math.nan] * n
        self.seconds += [seconds / max(n, 1)] * n
        self.gradient_norms += [gradient_norm] * n
        self.rows += [self.n_rows + n_rows * (i + 1) for i in range(n)]
        self.n_kept = len(self.loss_curve)
        self._count(losses, n_rows)

    def add_call(self, loss: float, n_rows: int) -> None:
        """Note a call of partial_fit, of which the curve keeps only so many."""
        self.loss_curve.append(loss)
        if len(self.loss_curve) > self.n_kept + 2 * MAX_CALLS:
            n_left_out = len(self.loss_curve) - MAX_CALLS - self.n_kept
            self.gaps[self.n_kept] = self.gaps.get(self.n_kept, 0) + n_left_out
            del self.loss_curve[self.n_kept : -MAX_CALLS]
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

    def table(self) -> dict[str, list[Any]]:
        """Return the epochs of `fit` as columns: what `Fitted.history_` promises."""
        n = len(self.rates)
        looks = dict(zip(self.validation_epochs, range(len(self.validation_epochs)), strict=True))
        at = [looks.get(epoch) for epoch in range(1, n + 1)]
        return {
            "epoch": list(range(1, n + 1)),
            "rows": self.rows[:n],
            "loss": self.loss_curve[:n],
            "validation_loss": [math.nan if k is None else self.validation_losses[k] for k in at],
            "validation_score": [math.nan if k is None else self.validation_scores[k] for k in at],
            "learning_rate": list(self.rates),
            "gradient_norm": list(self.gradient_norms),
            "seconds": list(self.seconds),
        }

    @property
    def falls_as_at_first(self) -> bool:
        """Whether the loss of the last call's epochs fell on to the end as it did in the beginning.

        By the steps made, which a schedule may shorten: at least two fifths of the fall were in the
        second half of the sum of the learning rates, and a third of the loss is left. Of a loss
        that nears its end exponentially that is less than one time constant.
        """
        n = self.n_epochs - self.n_before
        losses = np.array(self.loss_curve[len(self.loss_curve) - n :])
        rates = np.array(self.rates[len(self.rates) - n :])
        if n < LEAST_EPOCHS or len(rates) < n or not np.isfinite([*losses, *rates]).all():
            return False
        falls = losses[:-1] > losses[1:]
        if falls.mean() < MOSTLY or losses[-1] < LEFT * losses[0]:
            return False
        done = np.cumsum(rates) - rates[0]
        middle = np.interp(done[-1] / 2, done, losses)
        return bool(middle - losses[-1] >= STEADY * (losses[0] - losses[-1]))

    def last_line(self, n_epochs: float = math.inf) -> str:
        """Return the last epoch, of so many, as a line to print."""
        held_out = self.validation_losses[-1:], self.validation_scores[-1:]
        if self.validation_epochs[-1:] != [self.n_epochs]:
            held_out = [], []
        return line_of_epoch(self.n_epochs, n_epochs, self.loss_curve[-1], *held_out)


def line_of_epoch(
    number: int,
    n_epochs: float,
    loss: float,
    validation_losses: Sequence[float],
    validation_scores: Sequence[float],
) -> str:
    """Return an epoch as a line to print; of several networks the means of what they have.

    A score that is minus the loss is left out; so is the number of epochs if it is not known.
    """
    line = f"Epoch {number}"
    line += f" of {n_epochs}" if n_epochs < math.inf else ""
    line += f", loss = {loss:.8f}"
    if len(validation_losses):
        validation_loss, score = np.mean(validation_losses), np.mean(validation_scores)
        line += f", validation loss = {validation_loss:.8f}"
        line += f", score = {score:.6f}" if score != -validation_loss else ""
    return line


@dataclasses.dataclass
class Restart:
    """One initialisation and what training has made of it.

    Attributes
    ----------
    network : Network
    history : History
    stopping : EarlyStopping
    schedule : Schedule or None
    validation : Validation or None
    shuffle : RandomState or None
        What shuffles its rows; where its training ended, for going on from there.
    ending : str or None
        Why training ended, see `EpochLoop`; None while it has not.
    n_slower : int
        How often its learning rate was lowered because it diverged.
    """

    network: Network
    history: History
    stopping: EarlyStopping
    schedule: Schedule | None = None
    validation: Validation | None = None
    shuffle: Any = None
    ending: Ending | None = None
    n_slower: int = 0

    @property
    def loss(self) -> float:
        """Loss of its last whole epoch; infinite before the first."""
        return self.history.loss_curve[-1] if self.history.loss_curve else math.inf

    @property
    def best_loss(self) -> float:
        """Smallest loss of its whole epochs; infinite where none of them has a finite one."""
        return self.history.best_loss if self.history.best_loss < math.inf else math.inf

    @property
    def objective(self) -> float:
        """What the best restart minimises: its loss, or minus its best validation score."""
        if self.validation is not None and self.validation.stops:
            return -self.validation.best_score
        return self.loss

    def to_dict(self) -> dict[str, Any]:
        """Return what training has made of it, with views of the network's numbers.

        Not the generator, which restarts may share.
        """
        return {
            "state": self.network._state.to_dict(copied=False),
            "history": self.history.to_dict(),
            "stopping": self.stopping.to_dict(),
            "schedule": None if self.schedule is None else self.schedule.to_dict(),
            "validation": None if self.validation is None else self.validation.to_dict(),
            "ending": self.ending,
            "n_slower": self.n_slower,
        }

    def load(self, saved: Mapping[str, Any]) -> None:
        """Go back to where it was when `to_dict` was called."""
        self.network._state.load(saved["state"])
        self.history = History.from_dict(saved["history"])
        self.stopping.load(saved["stopping"])
        if self.schedule is not None:
            self.schedule.load(saved["schedule"])
        if self.validation is not None:
            self.validation.load(saved["validation"], self.network)
        if saved["ending"] is not None:
            check_choice("ending", saved["ending"], ENDINGS)
        self.ending = saved["ending"]
        self.n_slower = check_whole("n_slower", saved["n_slower"], at_least=0)

    def record(self, loss: float, n_rows: int) -> None:
        """Note an epoch, and whether training ends with it."""
        self.history.add([float(loss)], n_rows)
        if not math.isfinite(loss):
            self.ending = "diverged"
        elif self.stopping.update(loss):
            self.ending = "converged"
