"""What is measured, a module for each group of cases.

A module has

    TITLE           what the report says above its table
    ALL_CORES       whether it may use all processors, or is kept on one
    cases(options)  yields a `Case` for each row of the table
"""

import dataclasses
import importlib
from types import ModuleType

NAMES = (
    "agreement",
    "rows",
    "sparse",
    "shapes",
    "solvers",
    "variants",
    "growth",
    "batches",
    "gemm",
    "predict",
    "partial_fit",
    "models",
    "threads",
    "memory",
)


@dataclasses.dataclass(frozen=True)
class Options:
    """How long to measure."""

    quick: bool = False

    @property
    def seconds(self) -> float:
        """Return the least time of one figure."""
        return 0.002 if self.quick else 0.25


def module_named(name: str) -> ModuleType:
    return importlib.import_module(f".{name}", __name__)
