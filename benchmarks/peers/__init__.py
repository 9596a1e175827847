"""Who is measured: one module for each library, all with the same few functions.

A module has

    NAME                        as the tables name it
    INSTALL                     how to get it
    version()                   of what is installed; raises `Missing`, or ImportError, without it
    does(task)                  the task as this library does it, or None if it cannot
    trainer(task, exact=False)  a `Trainer` for what `does` returned; exact: with functions that
                                are computed, for libraries that otherwise look them up in tables
    COMPARABLE                  whether the same rows must give fastbp's parameters, to rounding;
                                where not, a trainer has `learns`, which must be true

To add a library, write such a module and name it in `MODULES`.
"""

import importlib
from functools import cache
from types import ModuleType
from typing import Any, Protocol

import numpy as np

MODULES = (
    "fastbp_itself",
    "scikit_learn",
    "torch_eager",
    "jax_scan",
    "numba_loops",
    "genann",
    "fann",
    "vowpal_wabbit",
    "fixed_sizes",
)


class Missing(Exception):
    """A library, or what it takes to use it, is not here."""


class Trainer(Protocol):
    """A network that a library trains, in the library's own memory."""

    n_rows: int  # of an epoch

    def epoch(self) -> Any:
        """Train on every row once, in a new random order."""

    def in_order(self, order: np.ndarray) -> Any:
        """Train on these rows, one after the other."""

    def parameters(self) -> list[np.ndarray]:
        """Return all weights (n_in, n_out) and then all biases (n_out,)."""


@cache
def installed() -> dict[str, ModuleType]:
    """Return the modules of all libraries that can be used here, fastbp first, by their names."""
    return {
        module.NAME: module for module in map(module_named, MODULES) if why_missing(module) is None
    }


def module_named(name: str) -> ModuleType:
    return importlib.import_module(f".{name}", __name__)


@cache
def why_missing(module: ModuleType) -> str | None:
    """Return what keeps a library from being used, or None."""
    try:
        module.version()
    except (ImportError, Missing) as reason:
        return f"{module.NAME} is left out: {reason}. {module.INSTALL}"
    return None


def missing() -> list[str]:
    """Return a line for each library that cannot be used, with how to get it."""
    lines = [why_missing(module_named(name)) for name in MODULES]
    return [line for line in lines if line is not None]
