"""Generators of random numbers as trees: their states, with the names that files have for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from .._printable import printable, shortened
from ..network.generators import generator_to_dict, set_generator

if TYPE_CHECKING:
    from ..network.generators import Random
from .container import UnreadableFileError
from .fields import Fields

# Those that files hold.
STORED: dict[str, Callable[[], Random]] = {
    "RandomState": lambda: np.random.RandomState(np.random.MT19937(0)),
    "Generator": lambda: np.random.Generator(np.random.PCG64(0)),
}


def random_tree(random: Any, name: str = "random_state") -> Any:
    """Return a parameter ``random_state``, or a generator, as a tree.

    Raises
    ------
    TypeError
        For other generators than NumPy's usual ones; it calls the value ``name``.
    """
    if random is None or type(random) is int or isinstance(random, np.integer):
        return random if random is None else int(random)
    what = kind = type(random).__name__
    if type(random) in (np.random.RandomState, np.random.Generator):
        state = generator_to_dict(random)
        bits = state.pop("bit_generator")
        if bits == generator_to_dict(STORED[kind]())["bit_generator"]:
            return {"kind": kind, **state.pop("state"), **state}
        what = f"a {kind} of {bits}"
    raise TypeError(
        f"{name} cannot be stored: {what}; files hold whole numbers, RandomState and the Generator "
        "of numpy.random.default_rng. Set it to a whole number first"
    )


def random_of(value: Any, path: str) -> Any:
    """Return the generator, number or None of a tree."""
    if value is None or type(value) is int:
        return value
    fields = Fields(value, path)
    random = STORED[fields.text("kind", STORED)]()
    state = generator_to_dict(random)
    own = {name: fields.value(name) for name in state.pop("state")}
    bits = state.pop("bit_generator")
    rest = {name: fields.value(name) for name in state}
    try:
        set_generator(random, {"bit_generator": bits, "state": own, **rest})
    except (ValueError, TypeError) as error:
        fields.refuse("", f"is no generator: {shortened(printable(str(error)), 200)}")
    return random


def random_state_of(value: Any, path: str) -> np.random.RandomState:
    """Return a RandomState."""
    random = random_of(value, path)
    if type(random) is not np.random.RandomState:
        raise UnreadableFileError(f"it is damaged: {path} must be a RandomState")
    return random
