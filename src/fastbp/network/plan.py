"""`Plan`: how an epoch of a network is run on this machine."""

from __future__ import annotations

import dataclasses
import functools

from .. import _core
from .._messages import counted


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


# Measured, to tell how much work a piece of training is: see Network._rows_at_once.
SECONDS_PER_PARAMETER, SECONDS_PER_PARAMETER_IN_SCALARS = 2.5e-10, 1.25e-9  # that a row meets,
SPARSE_FACTOR = 2.5  # so much longer one by one,
SECONDS_TO_KEEP = 2e-9  # and to copy and check a number before and after an epoch
MIN_FULL = 1 / 8  # of values that are not zero, from which on blocks of sparse rows pay
MAX_TOGETHER = 1000  # epochs, whose losses are noted together


@functools.lru_cache(maxsize=64)
def plan_of(
    isa: str,
    dtype: str,
    block_rows: int,
    fits_registers: bool,
    decays_slowly: bool,
    n_rows: int,
    batch_size: int,
    is_sparse: bool,
    is_nearly_empty: bool,
    needs_plain_rows: bool,
    rests: bool,
    has_moments: bool,
    batch_threads: int,
) -> Plan:
    """Return the plan for a network of such sizes; see `Network._plan`."""
    lanes = _core.lanes(isa, dtype)
    together = n_rows >= 2 * block_rows
    path, rows, n_threads = "rows", 1, 1
    if batch_size > 1 or (is_sparse and needs_plain_rows and not rests):
        path, rows, n_threads = "batches", batch_size, batch_threads
    elif needs_plain_rows or (is_sparse and (is_nearly_empty or has_moments)):
        pass
    elif fits_registers and not is_sparse:
        if n_rows > 1 and (decays_slowly or has_moments):
            path = "registers"
    elif together and (lanes > 1 or is_sparse or has_moments):
        path, rows = "blocks", block_rows  # which do not pay for plain numbers
    return Plan(path, rows, isa, lanes, dtype, n_threads)
