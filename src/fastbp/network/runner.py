"""`EpochRunner`: runs epochs of a network, a piece of work at a time."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
import threading
import weakref
from collections.abc import Hashable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .generators import generator_to_dict, set_generator
from .pauses import Pauses, part_of, refusing_damage
from .plan import EpochWorkload, Plan
from .solver import Rates, Solver
from .state import State
from .threads import ThreadTuner, Workers


@dataclasses.dataclass(frozen=True)
class Epochs:
    """What epochs train on, and how.

    Attributes
    ----------
    rows : Rows
    order : ndarray of int64
        The rows of an epoch.
    solver : Solver
    rates : Rates or None
        Learning rates; None is that of the solver.
    shuffle : RandomState or None
        Shuffles the rows before each epoch.
    in_place : bool
        Whether ``order`` is shuffled itself, on from the order of the last epoch, and is as before
        where an epoch diverges. Otherwise it stays.
    n_threads : int
    path : str, Plan or None
        The path to be taken; None is the fastest.
    """

    rows: _core.Rows
    order: NDArray[np.int64]
    solver: Solver
    rates: Rates | None = None
    shuffle: Any = None
    in_place: bool = False
    n_threads: int = 1
    path: str | Plan | None = None

    def part(self, start: int, stop: int) -> Epochs:
        """Return an epoch of these rows of the order alone, by one thread."""
        rates = None if self.rates is None else self.rates.from_row(start)
        return dataclasses.replace(self, order=self.order[start:stop], rates=rates, n_threads=1)

    def learning_rates(self, n_epochs: int) -> NDArray[np.float64]:
        """Return the rates of so many epochs, one epoch a row of the array."""
        if self.rates is None:
            return np.full((n_epochs, 1), self.solver.learning_rate)
        return self.rates.of_epochs(len(self.order), n_epochs)

    def shuffled(self) -> Epochs:
        """Return an epoch in an order that is drawn now, by whatever has ``shuffle``."""
        if self.shuffle is None:
            return self
        order = self.order if self.in_place else self.order.copy()
        _core.shuffle(order, self.shuffle)
        return dataclasses.replace(self, order=order, shuffle=None)


class Position:
    """Where an epoch stands between two pieces of work, to be saved and to go on from.

    Parameters
    ----------
    shuffle : RandomState or None
        Which is about to shuffle the rows, or did so and is taken back to where it was before.
    saved : dict, default=None
        A position that `to_dict` has returned.
    """

    def __init__(self, shuffle: Any, saved: Mapping[str, Any] | None = None) -> None:
        self._saved = saved
        if saved is not None and shuffle is not None:
            with refusing_damage():
                set_generator(shuffle, saved["generator"])
        self._generator = None if shuffle is None else generator_to_dict(shuffle)

    def begin(self, run: _core.EpochRun, start: State) -> bool:
        """Let a cursor go on from here, and ``start`` be the state before the epoch, if saved."""
        self._run, self._start = run, start
        if self._saved is None:
            return False
        with refusing_damage():
            start.load(self._saved["start"])
            run.begin_within(self._saved["row"], self._saved["loss_sum"])
        self._saved = None
        return True

    def to_dict(self) -> dict[str, Any]:
        """Return it, with views of the state before the epoch."""
        return {
            "row": self._run.row,
            "loss_sum": self._run.loss_sum,
            "generator": self._generator,
            "start": self._start.to_dict(copied=False),
        }


class EpochRunner:
    """Runs epochs of a network; has memory for its paths, and what an interrupt goes back to.

    Parameters
    ----------
    layers : Layers
    state : State
        The network's own.
    """

    def __init__(self, layers: _core.Layers, state: State) -> None:
        self._layers, self._state = layers, state
        self.lock = threading.Lock()  # held in training
        self._trainer: int | None = None  # the thread that runs epochs
        self._workspaces: dict[Hashable, _core.Workspace] = {}
        self._batch: _core.BatchWorkspace | None = None
        self._tuners: dict[tuple[int, int], ThreadTuner] = {}
        self.start: State | None = None  # the state before the epochs that were run last
        self._unfinished: State | None = None  # what to restore where a piece of work is cut off
        _alive.add(self)

    def training(self) -> threading.Lock:
        """Return the lock that training holds; raise if it is held.

        Use it in a ``with``: Ctrl-C may come between ``acquire`` and ``try``.
        """
        if self.lock.locked():
            raise RuntimeError(
                "This network is being trained by another thread. Give each thread a network of "
                "its own, for instance a copy."
            )
        return self.lock

    @contextlib.contextmanager
    def at_rest(self) -> Iterator[None]:
        """Return the context in which no other thread trains the network.

        Of the thread that does, a handler of a signal may be at work.
        """
        if self._trainer == threading.get_ident():
            yield
        else:
            with self.lock:
                yield

    def end_training_of_parent(self) -> None:
        """In a child process: release the lock, and undo an unfinished piece of work."""
        self.lock, self._trainer = threading.Lock(), None
        # A thread of the parent may have been using these.
        self._batch, self._workspaces = None, {}
        if self._unfinished is not None:
            self._state.restore(self._unfinished)
            self._unfinished = None

    def run(self, epochs: Epochs, max_epochs: int = 1, pauses: Pauses | None = None) -> list[float]:
        """Run an epoch, or up to so many if they are short; return their losses.

        Ctrl-C is honoured between pieces of work: before it, the state is restored as it was when
        the piece began. If an epoch diverges, it is the last one: its loss is infinite, and the
        state is as before it. ``pauses`` may save it, and go on, within a long epoch.
        """
        with self.training():
            try:
                self._trainer = threading.get_ident()
                return self._run(epochs, max_epochs, pauses)
            finally:
                self._trainer = None

    def _run(self, epochs: Epochs, max_epochs: int, pauses: Pauses | None) -> list[float]:
        position = None if pauses is None else Position(epochs.shuffle, pauses.take("epoch"))
        if epochs.shuffle is not None and not _core.can_shuffle(epochs.order, epochs.shuffle):
            epochs, max_epochs = epochs.shuffled(), 1
        _check_weights(epochs)
        run, work, n_rows = self._begin(epochs, max_epochs)
        start = before = self.start = self._state.save(self.start)
        if position is not None and position.begin(run, start):
            n_rows = min(n_rows, work.n_rows)
        with part_of(pauses, "epoch", position.to_dict if position else dict):
            while run.epoch == 0:
                if run.row:  # of a long epoch
                    before = self._state.save(None if before is start else before)
                n = n_rows if n_rows > work.n_rows else min(n_rows, work.n_rows - run.row)
                if not self._advance(run, n, work, before):
                    return self._end_diverged(run, epochs, work, start)
                if pauses is not None and run.epoch == 0:
                    pauses.look()
        return run.losses()

    def _begin(self, epochs: Epochs, max_epochs: int) -> tuple[_core.EpochRun, EpochWorkload, int]:
        """Choose the path; return the cursor, the work and how many rows to advance at once."""
        solver, n = epochs.solver, len(epochs.order)
        work = EpochWorkload(self._layers, self._state.parameters, epochs.rows, n, solver)
        rates = None if epochs.rates is None else epochs.rates.of_epochs(n, 1)
        if rates is not None:
            work.decays_slowly = bool(solver.decays_slowly(rates.max()))
        work.choose(epochs.n_threads, epochs.path)
        n_rows = work.rows_of_piece(max_epochs)
        if n_rows > n:  # short epochs together, up to one whose rate changes the path
            rates = epochs.learning_rates(n_rows // n)
            other = solver.decays_slowly(rates.max(axis=1)) != work.decays_slowly
            n_rows = n * int(other.argmax() if other.any() else len(rates))
        return self._cursor(epochs, work, rates), work, n_rows

    def _cursor(
        self, epochs: Epochs, work: EpochWorkload, rates: NDArray[np.float64] | None
    ) -> _core.EpochRun:
        """Return the cursor at the beginning of the epochs."""
        moments = self._state.moments_of(epochs.solver.rule)
        run = _core.EpochRun(
            self._layers,
            epochs.rows,
            epochs.order,
            epochs.solver.compiled(len(self._state.parameters.layer_sizes) - 2),
            None if moments is None else moments.values,
            self._memory(work),
            rates,
        )
        run.n_steps = 0 if moments is None else moments.n_steps
        run.n_samples = self._state.n_samples or 0
        if epochs.rates is not None:
            run.change_rate_every(epochs.rates.every, epochs.rates.first)
        if epochs.shuffle is not None:
            run.shuffle_by(epochs.shuffle, not epochs.in_place)
        return run

    def _advance(
        self, run: _core.EpochRun, n_rows: int, work: EpochWorkload, before: State
    ) -> bool:
        """Do a piece of work; if it diverges or is interrupted, restore the state before it."""
        moments = self._state.moments_of(work.solver.rule)
        tuner = self.tuner(min(work.solver.batch_size, work.n_rows), work.n_threads)
        begins, is_finite, is_done = run.row == 0, False, False
        try:
            self._unfinished = before
            with timed(tuner, n_rows) as workers:
                is_finite = run.advance(n_rows, workers)
            if is_finite and moments is not None:
                moments.n_steps = run.n_steps
            if is_finite and work.solver.drops_units:
                self._state.n_samples = run.n_samples
            is_done = True
        finally:
            if not (is_finite and is_done):
                self._state.restore(before)
            if begins and not is_done:  # Ctrl-C, maybe at the very end
                run.restart()
            self._unfinished = None
        return is_finite

    def _end_diverged(
        self, run: _core.EpochRun, epochs: Epochs, work: EpochWorkload, start: State
    ) -> list[float]:
        """Go back to where the epoch began that diverges; return the losses up to it."""
        losses = run.losses()
        self._state.restore(start)
        if losses or epochs.in_place:
            run.restart()
        if losses:
            self._advance(run, len(losses) * work.n_rows, work, start)
            if not epochs.in_place:
                run.shuffle()
        return [*losses, math.inf]

    def _memory(self, work: EpochWorkload) -> _core.Workspace | _core.BatchWorkspace | None:
        """Return memory for the path."""
        path, solver, sparse = work.path, work.solver, work.sparse
        if path.in_batches:
            kind = sparse, solver.n_moments, min(solver.batch_size, work.n_rows), work.n_threads
            if self._batch is None or self._batch.kind != kind:
                self._batch = _core.BatchWorkspace(self._layers, *kind)
            return self._batch
        if not path.has_workspace:
            return None
        key = path.name, sparse, solver.rule.name
        if key not in self._workspaces:
            self._workspaces[key] = _core.Workspace(self._layers, *key)
        return self._workspaces[key]

    def tuner(self, batch_size: int, n_threads: int) -> ThreadTuner | None:
        """Return the tuner of threads for such batches (-1: predictions)."""
        if n_threads == 1:
            return None
        return self._tuners.setdefault((batch_size, n_threads), ThreadTuner())


def _check_weights(epochs: Epochs) -> None:
    rows = epochs.rows
    if not (epochs.solver.by_weight or rows.sample_weight is None or rows.weight(epochs.order)):
        raise ValueError("Every row of order has sample_weight 0: nothing to learn from")


def timed(
    tuner: ThreadTuner | None, n_rows: int
) -> contextlib.AbstractContextManager[Workers | None]:
    """Return the context of a piece of work on so many rows: its worker threads, or None."""
    return _NO_WORKERS if tuner is None else tuner.timed(n_rows)


_NO_WORKERS = contextlib.nullcontext()


_alive: weakref.WeakSet[EpochRunner] = weakref.WeakSet()


def _end_training_of_parent() -> None:
    _core.unlock_generators()
    for runner in list(_alive):
        runner.end_training_of_parent()


if hasattr(os, "register_at_fork"):  # a child process has none of its parent's threads
    os.register_at_fork(after_in_child=_end_training_of_parent)
