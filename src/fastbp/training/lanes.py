"""Restarts of a small network, interleaved: one in each lane of a vector."""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..network import Network, Solver
from ..network.checks import check_whole
from ..network.generators import generator_to_dict, set_generator
from ..network.pauses import Pauses, part_of
from ..network.plan import Workload
from ..network.solver import Rates
from ..network.tables import is_of_z
from .run import Restart
from .schedule import Schedule

# Where lanes pay: numbers a lane that the first cache holds for all of them, and the share of the
# lanes in use that makes up for their being slower than one network alone.
MAX_VALUES = 512
MIN_FILLED_LANES = 0.5
ROWS = 2  # whose steps are taken together: pieces of an epoch are a multiple of it


@dataclasses.dataclass(eq=False)
class LanesLoop:
    """Epochs of interleaved restarts, for as long as that pays, and how far they have come.

    Parameters are those of `EpochLoop`.

    Attributes
    ----------
    epoch : int
        Epochs that were made.
    members : list of int
        Numbers of the restarts that have a lane, lane by lane; some of them may have ended.
    """

    restarts: list[Restart]
    rows: _core.Rows
    order: NDArray[np.int64]
    solver: Solver
    _: dataclasses.KW_ONLY
    max_iter: int
    shuffle: Any = None
    verbose: bool = False
    pauses: Pauses | None = None

    def __post_init__(self) -> None:
        self._schedule = self.restarts[0].schedule or Schedule(
            "constant", self.solver.learning_rate
        )
        self._shuffled = self.order if self.shuffle is None else np.empty_like(self.order)
        self._generator: dict[str, Any] | None = None  # before the rows were shuffled
        self._group: LaneGroup | None = None
        self.epoch, self.members = 0, list(range(len(self.restarts)))

    def to_dict(self) -> dict[str, Any]:
        """Return how far they have come; the networks get the numbers of their lanes."""
        assert self._group is not None  # once an epoch has begun
        self._group.write_back()
        return {
            "epoch": self.epoch,
            "members": self.members,
            "left": sorted(set(range(len(self.members))) - set(self._group.networks)),
            "row": self._group.row,
            "sums": self._group.losses,
            "generator": self._generator,
        }

    def load(self, saved: Mapping[str, Any]) -> None:
        """Go on from what `to_dict` has returned; the restarts have done so already."""
        self.epoch = check_whole("epoch", saved["epoch"], at_least=0)
        self.members = [check_whole("member", one, at_least=0) for one in saved["members"]]
        group = self._group = self._new_group()
        for number in saved["left"]:
            del group.networks[number]
        group.begin_within(saved["row"], saved["sums"])
        if saved["row"] and saved["generator"] is not None:
            set_generator(self.shuffle, saved["generator"])

    def run(self) -> int:
        """Run epochs for as long as lanes pay; return their number."""
        if self.restarts[0].validation is not None or self._schedule.kind == "adaptive":
            return 0  # restarts part ways
        if self.pauses is not None:
            self.pauses.restore("lanes", self.load)
        try:
            with part_of(self.pauses, "lanes", self.to_dict):
                self._run()
        finally:
            if self._group is not None:
                self._group.copy_back()
        return self.epoch

    def _run(self) -> None:
        first = self.restarts[0].network
        while self.epoch < self.max_iter:
            running = [k for k, one in enumerate(self.restarts) if one.ending is None]
            is_within = self._group is not None and self._group.row > 0
            if not is_within and not _lanes_pay(len(running), first, self.rows, self.solver):
                return
            if self._group is None or self._group.has_spare_group_for(len(running)):
                if self._group is not None:
                    self._group.copy_back()
                self.members = running
                self._group = self._new_group()
            self._run_epoch(self._group, self.restarts[running[0]].history.n_rows)
            if self.verbose:
                self._print()
            if self.pauses is not None:
                self.pauses.look()

    def _new_group(self) -> LaneGroup:
        return LaneGroup([self.restarts[k].network for k in self.members], self.solver)

    def _run_epoch(self, group: LaneGroup, n_rows: int) -> None:
        """Run an epoch after so many rows, and note which restarts end with it."""
        shuffle, shuffled = self.shuffle, self._shuffled
        if shuffle is not None:
            if self.pauses is not None:
                self._generator = generator_to_dict(shuffle)
            np.copyto(shuffled, self.order)
            _core.shuffle(shuffled, shuffle)
        losses = group.run_epoch(self.rows, shuffled, self._schedule.rates(n_rows, 1), self.pauses)
        self.epoch += 1
        for lane, number in enumerate(self.members):
            restart = self.restarts[number]
            if restart.ending is None:
                restart.record(losses[lane], len(shuffled))
                if restart.ending is not None:
                    group.copy_back(lane)
                    restart.shuffle = copy.deepcopy(shuffle)

    def _print(self) -> None:
        restarts = self.restarts
        best = min(restart.loss for restart in restarts)
        n_running = sum(restart.ending is None for restart in restarts)
        print(
            f"Epoch {self.epoch} of {self.max_iter}, loss = {best:.8f}, "
            f"the best of {len(restarts)} restarts, {n_running} still training",
            flush=True,
        )


def _lanes_pay(n: int, network: Network, rows: _core.Rows, solver: Solver) -> bool:
    """Whether n such networks are trained sooner interleaved than one after another."""
    n_lanes = _core.lanes(_isa_for(n, network), network.dtype)
    return (
        n > 1
        and not (rows.sparse or rows.is_scaled)
        and solver.batch_size == 1
        and solver.rule.is_linear
        and not solver.drops_units
        and len(set(network.activation)) == 1
        and not is_of_z(network.activation[0])
        and network.n_parameters <= MAX_VALUES
        and n >= MIN_FILLED_LANES * n_lanes
    )


def _isa_for(n: int, network: Network) -> str:
    """Name of the instruction set for n interleaved networks: wide vectors must not be empty."""
    if (
        _core.isa.ISA == "avx512"
        and not _core.isa.ISA_IS_FORCED
        and n <= _core.lanes("avx2", network.dtype)
    ):
        return "avx2"
    return _core.isa.ISA


class LaneGroup:
    """Interleaved networks of one shape, each in a lane of the machine's vectors.

    Parameters
    ----------
    networks : list of Network
        Their parameters are what the lanes begin with.
    solver : Solver
        With ``batch_size=1``.

    Attributes
    ----------
    networks : dict of int to Network
        Those that have not left, by lane.
    row : int
        Rows that they were trained on in this epoch; 0 between two.
    sums : ndarray of float64 of shape (n_groups, n_lanes)
        Of the losses of these rows.
    losses : ndarray of float64
        Of these, network by network: whatever the width of the machine's vectors.
    """

    def __init__(self, networks: list[Network], solver: Solver) -> None:
        first = self._first = networks[0]
        self.networks: dict[int, Network] = dict(enumerate(networks))
        self._solver, self._n_networks = solver, len(networks)
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
        self.row, self.sums = 0, np.zeros((self._lanes.n_groups, self._lanes.n_lanes))
        for number, network in self.networks.items():
            for lane, array in self._pairs(number, network):
                lane[...] = array

    def has_spare_group_for(self, n: int) -> bool:
        """Whether n networks would leave a whole group of lanes empty."""
        return n <= (self._lanes.n_groups - 1) * self._lanes.n_lanes

    def copy_back(self, *numbers: int) -> None:
        """Copy the parameters of these lanes, or of all, back; their networks leave."""
        for number in numbers or tuple(self.networks):
            network = self.networks.pop(number, None)
            if network is None:
                continue
            for lane, array in self._pairs(number, network):
                array[...] = lane

    def write_back(self) -> None:
        """Copy the parameters of all lanes back, whose networks stay."""
        for number, network in self.networks.items():
            for lane, array in self._pairs(number, network):
                array[...] = lane

    @property
    def losses(self) -> NDArray[np.float64]:
        """A view of the sums, network by network."""
        return self.sums.reshape(-1)[: self._n_networks]

    def begin_within(self, row: int, losses: NDArray[np.float64]) -> None:
        """Let the next epoch go on after a row, and these sums of losses, network by network."""
        self.row = check_whole("row", row, at_least=0)
        if np.shape(losses) != self.losses.shape:
            raise ValueError(f"sums must be {self.losses.shape}, and are {np.shape(losses)}")
        self.losses[...] = losses

    def run_epoch(
        self,
        rows: _core.Rows,
        order: NDArray[np.int64],
        rates: Rates | None = None,
        pauses: Pauses | None = None,
    ) -> NDArray[np.float64]:
        """Run `Network.train_epoch` in all lanes, at these rates or the solver's; return losses.

        A network that diverges leaves, with its weights before that piece.
        """
        lanes, solver, sums = self._lanes, self._solver, self.sums
        rates = rates or Rates(lambda _: solver.learning_rate)
        work = Workload(self._first._layers, self._first._arena, rows)
        if not self.row:
            sums[...] = 0
        for start, stop in rates.cut(work.pieces(len(order), ROWS)):
            if stop <= self.row:
                continue
            start = max(start, self.row)  # whose pieces were of another length
            np.copyto(self._before, lanes.values)
            lanes.train(rows, order, start, stop, solver.compiled(0), rates.at(start), sums)
            if not math.isfinite(sums.sum()):
                for number in np.flatnonzero(~np.isfinite(sums)).tolist():
                    if number in self.networks:
                        self._drop(number)
            self.row = stop
            if pauses is not None and stop < len(order):
                pauses.look()
        self.row = 0
        return sums.ravel() / rows.weight(order)

    def _drop(self, number: int) -> None:
        """Remove a network that has diverged, with its previous weights."""
        group, lane = divmod(number, self._lanes.n_lanes)
        shape = (self._lanes.n_groups, -1, self._lanes.n_lanes)
        before = self._before.reshape(shape)[group, :, lane]
        self._lanes.values.reshape(shape)[group, :, lane] = before
        network = self.networks[number]
        self.copy_back(number)
        network.reset_solver()

    def _pairs(self, number: int, network: Network) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
        """Yield each array of a network beside the view of its lane."""
        lanes = self._lanes
        group, lane = divmod(number, lanes.n_lanes)
        pairs = [(lanes.weights, network.weights), (lanes.biases, network.biases)]
        moments = network._state.moments_of(self._solver.rule)
        if moments is not None:
            velocities = moments.arenas["velocities"]
            pairs += [
                (lanes.weight_velocities, velocities.weights),
                (lanes.bias_velocities, velocities.biases),
            ]
        for views, arrays in pairs:
            for view, array in zip(views, arrays, strict=True):
                yield view[group, ..., lane], array
