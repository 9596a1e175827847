"""States of NumPy's generators: saved as plain values, and checked when they return."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from .checks import check_number, check_whole

KINDS = ("MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64")  # of bits, all that NumPy has

if TYPE_CHECKING:  # predictions need no numpy.random, which takes 20 ms to import
    Random = np.random.RandomState | np.random.Generator

# Whole numbers that are kept in fewer bits than Python's; "state" and "inc" are those of PCG64.
MOST = {
    "has_gauss": 1,
    "has_uint32": 1,
    "uinteger": 2**32 - 1,
    "state": 2**128 - 1,
    "inc": 2**128 - 1,
}


def generator_to_dict(random: Random) -> dict[str, Any]:
    """Return the state of a generator."""
    if isinstance(random, np.random.Generator):
        return dict(random.bit_generator.state)
    return dict(random.get_state(legacy=False))


def generator_of(state: Mapping[str, Any]) -> np.random.RandomState:
    """Return a new generator with this state."""
    kind = state["bit_generator"]
    if kind not in KINDS:
        raise ValueError(f"bit_generator is {kind!r}, which is none of NumPy's: {', '.join(KINDS)}")
    random = np.random.RandomState(getattr(np.random, kind)(0))
    set_generator(random, state)
    return random


def set_generator(random: Random, state: Mapping[str, Any]) -> None:
    """Give a generator a state, checked: NumPy would read beyond the end of a wrong one.

    Raises
    ------
    ValueError, TypeError, KeyError
        For a wrong one; the generator is as it was.
    """
    own = generator_to_dict(random)
    if state["bit_generator"] != own["bit_generator"]:
        raise ValueError(
            f"the state is that of a {state['bit_generator']}, but the generator is a "
            f"{own['bit_generator']}"
        )
    _check_like(own, state)
    if isinstance(random, np.random.Generator):
        random.bit_generator.state = dict(state)
    else:
        random.set_state(dict(state))


def _check_like(own: Mapping[str, Any], state: Mapping[str, Any]) -> None:
    """Refuse a state whose values are not of the kind and shape of those of a generator."""
    for name, value in own.items():
        found = state[name]
        if isinstance(value, Mapping):
            _check_like(value, found)
        elif isinstance(value, np.ndarray):
            if np.shape(found) != value.shape or np.asarray(found).dtype != value.dtype:
                raise ValueError(f"{name} of a generator must be {value.shape} of {value.dtype}")
        elif isinstance(value, float):
            check_number(name, found)
        elif isinstance(value, int):
            check_whole(name, found, at_least=0, at_most=_most(name, own))
            if name == "inc" and not found % 2:
                raise ValueError(f"inc of a generator must be odd; got {found}")


def _most(name: str, own: Mapping[str, Any]) -> int:
    """Return the largest value of a whole number: an index points into the array beside it."""
    if name in ("pos", "buffer_pos"):
        return len(own["key"] if name == "pos" else own["buffer"])
    return MOST[name]
