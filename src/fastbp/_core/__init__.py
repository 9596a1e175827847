"""The compiled core: kernels' tables, rows of data, layers, and what trains them.

`backprop.pyx` is the algorithm, row by row; batches are in `batches.pyx`. This file has what Python
calls.
"""

from . import isa
from .batches import BatchWorkspace
from .columns import RowReader, Table, draw_uniform
from .experts import Expert
from .interleaved import Lanes
from .isa import (
    ACTIVATIONS,
    AUTOMATIC,
    FACTS_OF_ACTIVATIONS,
    FACTS_OF_LOSSES,
    FACTS_OF_RULES,
    ISAS,
    LOSSES,
    RULES,
    all_finite,
    apply_activation,
    apply_derivative,
    available_isas,
    built_isas,
    compiler,
    default_isa,
    isa_for,
    lanes,
    largest_size,
)
from .kept_rows import KeptRows
from .layers import Layers
from .online import OnlineLoop
from .rows import Rows, can_shuffle, shuffle, unlock_generators
from .scaling import (
    ENOUGH,
    FARTHEST,
    RowUnits,
    add_nonzeros,
    moments_with_row,
    moments_with_rows,
    scaled,
    spread_of,
)
from .solver import CompiledSolver
from .training import EpochRun, forward_all
from .workspaces import Workspace

__all__ = [
    "ACTIVATIONS",
    "AUTOMATIC",
    "ENOUGH",
    "FACTS_OF_ACTIVATIONS",
    "FACTS_OF_LOSSES",
    "FACTS_OF_RULES",
    "FARTHEST",
    "ISAS",
    "LOSSES",
    "RULES",
    "BatchWorkspace",
    "CompiledSolver",
    "EpochRun",
    "Expert",
    "KeptRows",
    "Lanes",
    "Layers",
    "OnlineLoop",
    "RowReader",
    "RowUnits",
    "Rows",
    "Table",
    "Workspace",
    "add_nonzeros",
    "all_finite",
    "apply_activation",
    "apply_derivative",
    "available_isas",
    "built_isas",
    "can_shuffle",
    "compiler",
    "default_isa",
    "draw_uniform",
    "forward_all",
    "isa",
    "isa_for",
    "lanes",
    "largest_size",
    "moments_with_row",
    "moments_with_rows",
    "scaled",
    "shuffle",
    "spread_of",
    "unlock_generators",
]
