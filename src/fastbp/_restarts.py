"""Restarts: training from several random initialisations, of which the best is kept.

NumPy only. Small networks are trained side by side, each in a lane of the machine's vectors; the
others one after another. Either way each of them ends as it would alone, to rounding.
"""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import _core
from ._training import Ending, History, Patience, Schedule, Validation, train_epochs
from .network import Network, Solver

# Where lanes pay: numbers a lane that the first cache holds for all of them, and the share of the
# lanes in use that makes up for their being slower than one network alone.
MOST_VALUES = 512
LEAST_SHARE = 0.5
ROWS = 2  # whose steps are taken together: pieces of an epoch are a multiple of it


@dataclasses.dataclass
class Restart:
    """One initialisation and what training has made of it.

    Attributes
    ----------
    network : Network
    history : History
    patience : Patience
    schedule : Schedule or None
    validation : Validation or None
    shuffle : RandomState or None
        What shuffles its rows; where its training ended, for going on from there.
    ending : str or None
        Why training ended, see `train_epochs`; None while it has not.
    """

    network: Network
    history: History
    patience: Patience
    schedule: Schedule | None = None
    validation: Validation | None = None
    shuffle: Any = None
    ending: Ending | None = None

    @property
    def loss(self) -> float:
        """Loss of its last whole epoch; infinite before the first."""
        return self.history.loss_curve[-1] if self.history.loss_curve else math.inf

    @property
    def best_loss(self) -> float:
        """Smallest loss of its whole epochs; infinite where none of them has a finite one."""
        return self.history.best_loss if self.history.best_loss < math.inf else math.inf

    @property
    def shortfall(self) -> float:
        """What the best has least of: its loss, or minus its best validation score."""
        if self.validation is not None and self.validation.stops:
            return -self.validation.best_score
        return self.loss

    def take(self, loss: float, n_rows: int) -> None:
        """Note an epoch, and whether training ends with it."""
        self.history.add([float(loss)], n_rows)
        if not math.isfinite(loss):
            self.ending = "diverged"
        elif self.patience.is_lost(loss):
            self.ending = "converged"


def draw_restarts(first: Restart, n_init: int, random: np.random.RandomState) -> list[Restart]:
    """Return ``n_init`` restarts: the one given, and others with parameters of their own.

    ``random`` is left as it is, so that the first of them trains as it would alone.
    """
    restarts = [first]
    if n_init == 1:
        return restarts
    own = np.random.RandomState(0)  # one for all: making one takes longer than an epoch may
    for seed in copy.deepcopy(random).randint(2**31 - 1, size=n_init - 1):
        network = first.network.copy()
        own.seed(seed)
        network._initialise(own)
        restarts.append(
            Restart(
                network,
                History(),
                dataclasses.replace(first.patience),
                first.schedule and dataclasses.replace(first.schedule),
                first.validation and dataclasses.replace(first.validation),
            )
        )
    return restarts


def best_of(restarts: list[Restart]) -> int:
    """Return which restart has the smallest loss, or best score; of equal ones the first.

    Where all have diverged, which has had the best epoch: that is what it has kept.
    """
    shortfalls = [restart.shortfall for restart in restarts]
    if min(shortfalls) == math.inf:
        shortfalls = [restart.best_loss for restart in restarts]
    return int(np.argmin(shortfalls))


def train_restarts(
    restarts: list[Restart],
    rows: _core.Rows,
    order: NDArray[np.int64],
    solver: Solver,
    *,
    max_iter: int,
    shuffle: Any = None,
    epochs: Any = None,
    verbose: bool = False,
    n_threads: int = 1,
) -> None:
    """Train every restart for up to ``max_iter`` epochs, in place, all in the same order of rows.

    Each stops by its own patience; where ``epochs`` asks to stop, those that follow do not begin.
    Parameters are those of `train_epochs`; when this returns, ``shuffle`` is as training the best
    alone would have left it. An interrupt leaves every network as far as it has come.
    """

    def train_alone(restart: Restart, most: int) -> None:
        if verbose and len(restarts) > 1:
            print(f"Restart {restarts.index(restart) + 1} of {len(restarts)}", flush=True)
        restart.ending = train_epochs(
            restart.network,
            rows,
            order,
            solver,
            restart.history,
            max_iter=most,
            shuffle=restart.shuffle,
            patience=restart.patience,
            schedule=restart.schedule,
            validation=restart.validation,
            epochs=epochs,
            verbose=verbose,
            n_threads=n_threads,
        )

    done, before = 0, None
    initial: list[NDArray[Any]] = []
    if epochs is None and len(restarts) > 1:  # callbacks follow one network at a time
        before = copy.deepcopy(shuffle)
        if restarts[0].network.n_parameters <= MOST_VALUES:  # else not in lanes anyway
            initial = [restart.network._arena.values.copy() for restart in restarts]
        done = _train_in_lanes(restarts, rows, order, solver, max_iter, shuffle, verbose)
    for restart in restarts:
        if restart.ending is not None:
            continue
        if done == max_iter:
            restart.ending, restart.shuffle = "max_iter", shuffle
            continue
        restart.shuffle = shuffle if len(restarts) == 1 else copy.deepcopy(shuffle)
        train_alone(restart, max_iter - done)
        if epochs is not None and epochs.is_stopped:  # which means the whole training
            break
    number = best_of(restarts)
    if done and restarts[number].ending == "diverged":  # and lanes keep no best epochs
        _begin_again(restarts[number], initial[number], before)
        train_alone(restarts[number], max_iter)
    best = restarts[best_of(restarts)]
    if shuffle is not None and best.shuffle is not shuffle:
        shuffle.set_state(best.shuffle.get_state())


def _begin_again(restart: Restart, initial: NDArray[Any], shuffle: Any) -> None:
    """Take a restart back to its initial parameters: trained alone, it keeps its best epoch."""
    np.copyto(restart.network._arena.values, initial)
    patience = restart.patience
    restart.history, restart.ending, restart.shuffle = History(), None, shuffle
    restart.patience = Patience(patience.tol, patience.n_iter_no_change)
    restart.network.reset_solver()


def _train_in_lanes(
    restarts: list[Restart],
    rows: _core.Rows,
    order: NDArray[np.int64],
    solver: Solver,
    max_iter: int,
    shuffle: Any,
    verbose: bool,
) -> int:
    """Train all restarts side by side for as long as that pays; return the number of epochs."""
    running, epoch = restarts, 0
    schedule = restarts[0].schedule or Schedule("constant", solver.learning_rate)
    if restarts[0].validation is not None or schedule.kind == "adaptive":  # restarts part ways
        return 0
    visit = order if shuffle is None else np.empty_like(order)
    team = None
    try:
        while epoch < max_iter and _lanes_pay(len(running), restarts[0].network, rows, solver):
            if team is None or team.is_roomy_for(len(running)):
                if team is not None:
                    team.leave()
                team = Team([restart.network for restart in running], solver)
                members = running
            if shuffle is not None:
                np.copyto(visit, order)
                _core.shuffle(visit, shuffle)
            losses = team.run_epoch(rows, visit, schedule.rate(running[0].history.n_rows))
            epoch += 1
            for number, restart in enumerate(members):
                if restart.ending is None:
                    restart.take(losses[number], len(visit))
                    if restart.ending is not None:
                        team.leave(number)
                        restart.shuffle = copy.deepcopy(shuffle)
            running = [restart for restart in running if restart.ending is None]
            if verbose:
                best = min(restart.loss for restart in restarts)
                print(
                    f"Iteration {epoch}, best loss = {best:.8f} of {len(restarts)} restarts, "
                    f"{len(running)} still training",
                    flush=True,
                )
    finally:
        if team is not None:
            team.leave()
    return epoch


def _lanes_pay(n: int, network: Network, rows: _core.Rows, solver: Solver) -> bool:
    """Whether n such networks are trained sooner side by side than one after another."""
    n_lanes = _core.lanes(_isa_for(n, network), network.dtype)
    return (
        n > 1
        and not rows.sparse
        and solver.batch_size == 1
        and solver.solver == "sgd"
        and not solver.drops_units
        and len(set(network.activation)) == 1
        and network.n_parameters <= MOST_VALUES
        and n >= LEAST_SHARE * n_lanes
    )


def _isa_for(n: int, network: Network) -> str:
    """Name of the instruction set for n networks side by side: wide vectors must not be empty."""
    if (
        _core.isa.ISA == "avx512"
        and not _core.isa.ISA_IS_FORCED
        and n <= _core.lanes("avx2", network.dtype)
    ):
        return "avx2"
    return _core.isa.ISA


class Team:
    """Networks of one shape in training side by side, each in a lane of the machine's vectors.

    Parameters
    ----------
    networks : list of Network
        Their parameters are what the lanes begin with.
    solver : Solver
        With ``batch_size=1``.
    """

    def __init__(self, networks: list[Network], solver: Solver) -> None:
        first = networks[0]
        self.networks: dict[int, Network] = dict(enumerate(networks))
        self._solver = solver
        self._lanes = _core.Lanes(
            first.layer_sizes,
            first.activation[0],
            first.out_activation,
            first._kernel_loss,
            first._loss_parameter,
            first.dtype,
            len(networks),
            solver.momentum > 0,
            _isa_for(len(networks), first),
        )
        self._before = self._lanes.values.copy()
        for number, network in self.networks.items():
            for lane, array in self._pairs(number, network):
                lane[...] = array

    def is_roomy_for(self, n: int) -> bool:
        """Whether n networks would leave a whole group of lanes empty."""
        return n <= (self._lanes.n_groups - 1) * self._lanes.n_lanes

    def leave(self, *numbers: int) -> None:
        """Copy what these lanes, or all, have learnt into those networks that are still here."""
        for number in numbers or tuple(self.networks):
            network = self.networks.pop(number, None)
            if network is None:
                continue
            for lane, array in self._pairs(number, network):
                array[...] = lane

    def run_epoch(
        self, rows: _core.Rows, order: NDArray[np.int64], learning_rate: float | None = None
    ) -> NDArray[np.float64]:
        """Run `Network.train_epoch` in all lanes; return their losses.

        Where no learning rate is given, with that of the solver.

        One that diverges leaves, with the weights from before the piece in which it did.
        """
        lanes, solver = self._lanes, self._solver
        sums = np.zeros((lanes.n_groups, lanes.n_lanes))
        some = next(iter(self.networks.values()))
        for start, stop in some._slices(rows, len(order), ROWS):
            np.copyto(self._before, lanes.values)
            lanes.train(
                rows,
                order,
                start,
                stop,
                solver.learning_rate if learning_rate is None else learning_rate,
                solver.momentum,
                solver.nesterov,
                solver.alpha,
                sums,
            )
            if not math.isfinite(sums.sum()):
                for number in np.flatnonzero(~np.isfinite(sums)).tolist():
                    if number in self.networks:
                        self._drop(number)
        return sums.ravel() / rows.weight(order)

    def _drop(self, number: int) -> None:
        """Let a network that has diverged leave with the weights from before."""
        group, lane = divmod(number, self._lanes.n_lanes)
        shape = (self._lanes.n_groups, -1, self._lanes.n_lanes)
        before = self._before.reshape(shape)[group, :, lane]
        self._lanes.values.reshape(shape)[group, :, lane] = before
        network = self.networks[number]
        self.leave(number)
        network.reset_solver()

    def _pairs(self, number: int, network: Network) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
        """Yield each array of a network beside the view of its lane."""
        lanes = self._lanes
        group, lane = divmod(number, lanes.n_lanes)
        pairs = [(lanes.weights, network.weights), (lanes.biases, network.biases)]
        moments = network._moments_of(self._solver)
        if moments is not None:
            velocities = moments.arenas[0]
            pairs += [
                (lanes.weight_velocities, velocities.weights),
                (lanes.bias_velocities, velocities.biases),
            ]
        for views, arrays in pairs:
            for view, array in zip(views, arrays, strict=True):
                yield view[group, ..., lane], array
