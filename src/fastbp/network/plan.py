"""How an epoch of a network is run: `Plan`, the table of `PATHS`, and how long a piece of work is.

Every decision on the way that rows take stands here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

from .. import _core
from .._messages import counted
from .arena import Arena
from .checks import check_choice
from .solver import Solver
from .threads import thread_count

# Measured, to tell how much work a piece of training is: see Workload.rows_at_once.
SECONDS_PER_PARAMETER, SECONDS_PER_PARAMETER_IN_SCALARS = 2.5e-10, 1.25e-9  # that a row meets,
SPARSE_FACTOR = 2.5  # so much longer one by one,
SECONDS_TO_SAVE = 2e-9  # and to copy and check a number before and after an epoch
MIN_FULL = 1 / 8  # of values that are not zero, from which on blocks of sparse rows pay
MAX_TOGETHER = 1000  # epochs, whose losses are noted together


@dataclasses.dataclass(frozen=True)
class Plan:
    """How an epoch of a network is run on this machine.

    Attributes
    ----------
    path : {"registers", "blocks", "rows", "batches"}
        "registers": the whole network, which is small, its first layer one row behind; "blocks":
        the first layer one block of rows behind; "rows": every layer row by row, for a
        CSR matrix by lists of non-zeros (`train_rows` and `train_sparse` of the core), which suits
        rows that are nearly empty, few, or trained with momentum; "batches": one step a batch. The
        first three give the same numbers, to rounding.
    rows : int
        Rows that the first layer takes together.
    isa, lanes, dtype
        Instruction set, numbers in one of its vectors, and their type.
    n_threads : int
        Most threads to share the work of a batch among. Training times itself with and without the
        others, and goes on alone where that is faster: on a machine that has much else to do.
    """

    path: str
    rows: int
    isa: str
    lanes: int
    dtype: str
    n_threads: int = 1

    def __str__(self) -> str:
        rows = f" of {counted(self.rows, 'row')}" if self.path in ("blocks", "batches") else ""
        threads = f", {self.n_threads} threads" if self.n_threads > 1 else ""
        path = f"{self.path}{rows}"
        return f"{path}, {self.dtype}, {self.isa} x {self.lanes}{threads}"


class Workload:
    """Rows for a network to process, and about how long that takes.

    Attributes
    ----------
    layers : Layers
    sparse : bool
    n_parameters : int
    used_parameters : float
        How many of them a row meets, on average.
    is_nearly_empty : bool
        Whether less than `MIN_FULL` of the values are not zero.
    """

    def __init__(self, layers: _core.Layers, parameters: Arena, rows: _core.Rows | bool) -> None:
        n_in, n_first = parameters.layer_sizes[:2]
        self.layers, self.n_parameters = layers, parameters.n_parameters
        if isinstance(rows, bool):  # only whether they are sparse
            self.sparse, per_row, self.weighted = rows, float(n_in), False
        else:
            self.sparse, per_row = rows.sparse, rows.values_per_row
            self.weighted = rows.sample_weight is not None
        self.is_nearly_empty = isinstance(rows, bool) or per_row < MIN_FULL * n_in
        self.used_parameters = self.n_parameters - (n_in - per_row) * n_first

    def seconds_per_row(self, moved: float = 0.0) -> float:
        """Return about how long a row takes, on a processor of some 3 GHz.

        ``moved`` is how many of the parameters it moves besides those it meets.
        """
        has_vectors = self.layers.n_lanes > 1
        each = SECONDS_PER_PARAMETER if has_vectors else SECONDS_PER_PARAMETER_IN_SCALARS
        each *= SPARSE_FACTOR if self.sparse else 1.0
        return 2e-8 + each * (self.used_parameters + moved)

    def seconds_at_once(self, packed: float = 0.0) -> float:
        """Return how long a piece of work may be, which Ctrl-C waits for."""
        return min(0.1, max(0.02, 8e-8 * self.n_parameters, 2.5e-7 * packed))

    def rows_at_once(self, multiple: int = 1, moved: float = 0.0, packed: float = 0.0) -> int:
        """Return how many rows are a piece of work: 20 ms, or more where ``packed`` numbers are.

        Estimated, not measured: rounding depends on where a piece begins, and the same training
        must give the same bits every time.
        """
        n = int(self.seconds_at_once(packed) / self.seconds_per_row(moved))
        return max(1, n // multiple) * multiple

    def pieces(self, n_rows: int, multiple: int = 1) -> Iterator[tuple[int, int]]:
        """Cut range(n_rows) into pieces of work."""
        size = self.rows_at_once(multiple)
        for start in range(0, n_rows, size):
            yield start, min(start + size, n_rows)


class EpochWorkload(Workload):
    """An epoch for a network to be trained, and the path that it takes.

    Attributes
    ----------
    n_rows : int
    solver : Solver
    decays_slowly : bool
        Whether a scale of all weights can do the decay.
    has_moments, fits_registers : bool
        Whether the solver keeps anything, and a template in registers serves it and the network.
    needs_plain_rows : bool
        Row by row without a faster path: a step that is not linear in the gradient, units that
        are dropped, or a step or a loss that depends on the penalty of all weights.
    path : Path
    n_threads : int
        Most of them to share a batch among.
    """

    def __init__(
        self,
        layers: _core.Layers,
        parameters: Arena,
        rows: _core.Rows | bool,
        n_rows: int,
        solver: Solver,
    ) -> None:
        super().__init__(layers, parameters, rows)
        self.n_rows, self.solver = n_rows, solver
        self.decays_slowly, self.has_moments = solver.decays_slowly(), solver.n_moments > 0
        self.fits_registers = layers.fits_registers
        if self.has_moments:
            self.fits_registers = layers.fits_registers_with_momentum
        self.needs_plain_rows = (
            not solver.rule.is_linear
            or solver.drops_units
            or (solver.by_weight and (solver.alpha > 0 or self.weighted))
        )

    def choose(self, n_threads: int, path: str | Plan | None = None) -> None:
        """Set path and threads: the fastest path, or if it can be taken the one given."""
        if path is None:
            self.path = _fastest_path(self)
        else:
            self.path = _path_named(path.path if isinstance(path, Plan) else path, self)
        self.n_threads = 1
        if self.path.in_batches and n_threads > 1:
            batch_rows = min(self.solver.batch_size, self.n_rows)
            self.n_threads = thread_count(n_threads, 6.0 * self.used_parameters * batch_rows)

    def plan(self) -> Plan:
        """Return the choice, to show it."""
        layers = self.layers
        rows = self.path.rows(self)
        return Plan(
            self.path.name, rows, layers.isa, layers.n_lanes, layers.dtype_name, self.n_threads
        )

    def rows_of_piece(self, max_epochs: int) -> int:
        """Return how many rows are a piece of work: part of the epoch, or whole short epochs."""
        rows = self.path.rows(self)
        moved, kept = self.path.moved(self) / rows, self.n_parameters * (1 + self.solver.n_moments)
        packed = kept if self.path.in_batches else 0
        seconds = self.n_rows * self.seconds_per_row(moved) + SECONDS_TO_SAVE * kept
        n_epochs = min(MAX_TOGETHER, max_epochs, int(self.seconds_at_once(packed) / seconds))
        if n_epochs > 1:
            return n_epochs * self.n_rows
        return min(self.n_rows, self.rows_at_once(rows, moved, packed))


@dataclasses.dataclass(frozen=True)
class Path:
    """A way to run an epoch.

    Attributes
    ----------
    name : str
        As in `Plan`.
    is_possible : callable
        Whether an `EpochWorkload` can take it.
    pays : callable
        Whether that is then the fastest, after those before it in `PATHS`.
    rows : callable
        Rows that the first layer takes together.
    moved : callable
        Parameters that a step moves besides those that its rows meet.
    in_batches : bool
        Whether it has the memory of batches, and threads.
    has_workspace : bool
        Whether it has memory of its own for rows.
    """

    name: str
    is_possible: Callable[[EpochWorkload], bool]
    pays: Callable[[EpochWorkload], bool]
    rows: Callable[[EpochWorkload], int] = lambda _: 1
    moved: Callable[[EpochWorkload], float] = lambda _: 0.0
    in_batches: bool = False
    has_workspace: bool = True


def _moved_by_batches(work: EpochWorkload) -> float:
    moves_all = not work.solver.rests if work.sparse else work.has_moments
    return 4.0 * work.n_parameters if moves_all else 0.0


def _moved_by_rows(work: EpochWorkload) -> float:
    return float(work.n_parameters) if work.solver.alpha > 0 or work.has_moments else 0.0


def _is_row_by_row(work: EpochWorkload) -> bool:
    return work.solver.batch_size == 1 and not work.needs_plain_rows


def _blocks_pay(work: EpochWorkload) -> bool:
    if work.n_rows < 2 * work.layers.block_rows:
        return False
    if work.sparse:
        return not work.is_nearly_empty
    return not work.fits_registers and (work.layers.n_lanes > 1 or work.has_moments)


REGISTERS = Path(
    "registers",
    lambda work: (
        _is_row_by_row(work)
        and not work.sparse
        and work.fits_registers
        and (work.decays_slowly or work.has_moments)
    ),
    pays=lambda work: work.n_rows > 1,
)
BLOCKS = Path(
    "blocks",
    lambda work: _is_row_by_row(work) and not (work.sparse and work.has_moments),
    pays=_blocks_pay,
    rows=lambda work: work.layers.block_rows,
)
SPARSE = Path(  # of CSR rows, by their non-zeros: train_sparse in _core/backprop.pyx
    "rows",
    lambda work: (
        work.sparse
        and work.solver.batch_size == 1
        and (not work.needs_plain_rows or work.solver.rests)
    ),
    pays=lambda _: True,
)
ROWS = Path(  # train_rows there
    "rows",
    lambda work: not work.sparse and work.solver.batch_size == 1,
    pays=lambda _: True,
    moved=_moved_by_rows,
    has_workspace=False,
)
BATCHES = Path(
    "batches",
    lambda _: True,
    pays=lambda _: True,
    rows=lambda work: work.solver.batch_size,
    moved=_moved_by_batches,
    in_batches=True,
)
PATHS = (REGISTERS, BLOCKS, SPARSE, ROWS, BATCHES)
NAMES = tuple(dict.fromkeys(path.name for path in PATHS))


def _fastest_path(work: EpochWorkload) -> Path:
    """Return the first path that can be taken and pays."""
    for path in PATHS:
        if path.is_possible(work) and path.pays(work):
            return path
    return BATCHES


def _path_named(name: str, work: EpochWorkload) -> Path:
    """Return the path of this name, if it can be taken."""
    check_choice("plan", name, NAMES)
    for path in PATHS:
        if path.name == name and path.is_possible(work):
            return path
    possible = dict.fromkeys(path.name for path in PATHS if path.is_possible(work))
    raise ValueError(
        f"The path {name!r} cannot be taken here: this network, solver and kind of rows can be "
        f"trained by {', '.join(possible)}"
    )
