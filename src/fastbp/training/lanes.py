"""Restarts of a small network, interleaved: one in each lane of a vector."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..network import Network, Solver
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


def train_in_lanes(
    restarts: list[Restart],
    rows: _core.Rows,
    order: NDArray[np.int64],
    solver: Solver,
    max_iter: int,
    shuffle: Any,
    verbose: bool,
) -> int:
    """Train all restarts interleaved for as long as that pays; return the number of epochs."""
    running, epoch = restarts, 0
    schedule = restarts[0].schedule or Schedule("constant", solver.learning_rate)
    if restarts[0].validation is not None or schedule.kind == "adaptive":  # restarts part ways
        return 0
    shuffled = order if shuffle is None else np.empty_like(order)
    lane_group = None
    try:
        while epoch < max_iter and _lanes_pay(len(running), restarts[0].network, rows, solver):
            if lane_group is None or lane_group.has_spare_group_for(len(running)):
                if lane_group is not None:
                    lane_group.copy_back()
                lane_group = LaneGroup([restart.network for restart in running], solver)
                members = running
            if shuffle is not None:
                np.copyto(shuffled, order)
                _core.shuffle(shuffled, shuffle)
            n_rows = running[0].history.n_rows
            losses = lane_group.run_epoch(rows, shuffled, schedule.rates(n_rows, 1))
            epoch += 1
            for number, restart in enumerate(members):
                if restart.ending is None:
                    restart.record(losses[number], len(shuffled))
                    if restart.ending is not None:
                        lane_group.copy_back(number)
                        restart.shuffle = copy.deepcopy(shuffle)
            running = [restart for restart in running if restart.ending is None]
            if verbose:
                best = min(restart.loss for restart in restarts)
                print(
                    f"Epoch {epoch} of {max_iter}, loss = {best:.8f}, "
                    f"the best of {len(restarts)} restarts, "
                    f"{len(running)} still training",
                    flush=True,
                )
    finally:
        if lane_group is not None:
            lane_group.copy_back()
    return epoch


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

    def run_epoch(
        self, rows: _core.Rows, order: NDArray[np.int64], rates: Rates | None = None
    ) -> NDArray[np.float64]:
        """Run `Network.train_epoch` in all lanes, at these rates or the solver's; return losses.

        A network that diverges leaves, with its weights before that piece.
        """
        lanes, solver = self._lanes, self._solver
        sums = np.zeros((lanes.n_groups, lanes.n_lanes))
        some = next(iter(self.networks.values()))
        rates = rates or Rates(lambda _: solver.learning_rate)
        work = Workload(some._layers, some._arena, rows)
        for start, stop in rates.cut(work.pieces(len(order), ROWS)):
            np.copyto(self._before, lanes.values)
            lanes.train(rows, order, start, stop, solver.compiled(0), rates.at(start), sums)
            if not math.isfinite(sums.sum()):
                for number in np.flatnonzero(~np.isfinite(sums)).tolist():
                    if number in self.networks:
                        self._drop(number)
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
