"""States of NumPy's generators: saved as plain values, and checked when they return."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .checks import check_whole

KINDS = ("MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64")  # of bits, all that NumPy has


def generator_to_dict(random: np.random.RandomState) -> dict[str, Any]:
    """Return the state of a generator."""
    state: dict[str, Any] = random.get_state(legacy=False)
    return state


def generator_of(state: Mapping[str, Any]) -> np.random.RandomState:
    """Return a new generator with this state."""
    kind = state["bit_generator"]
    if kind not in KINDS:
        raise ValueError(f"bit_generator is {kind!r}, which is none of NumPy's: {', '.join(KINDS)}")
    random = np.random.RandomState(getattr(np.random, kind)(0))
    set_generator(random, state)
    return random


def set_generator(random: np.random.RandomState, state: Mapping[str, Any]) -> None:
    """Give a generator a state, checked: NumPy would read beyond the end of a wrong one."""
    own = random.get_state(legacy=False)
    if state["bit_generator"] != own["bit_generator"]:
        raise ValueError(
            f"the state is that of a {state['bit_generator']}, but the generator is a "
            f"{own['bit_generator']}"
        )
    _check_like(own, state)
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
        elif name in ("pos", "buffer_pos"):
            # An index into the array beside it.
            n_words = len(own["key"] if name == "pos" else own["buffer"])
            if check_whole(name, found, at_least=0) > n_words:
                raise ValueError(f"{name} of a generator must be at most {n_words}; got {found}")
        elif isinstance(value, int):
            check_whole(name, found, at_least=0)
