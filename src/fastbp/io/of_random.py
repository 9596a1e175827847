"""Generators of random numbers as trees."""

from __future__ import annotations

from typing import Any

import numpy as np

from .container import UnreadableFileError
from .fields import Fields

KEY_SIZE = 624  # of the Mersenne Twister
BITS = 2**128


def random_tree(random: Any, name: str = "random_state") -> Any:
    """Return a parameter ``random_state``, or a generator, as a tree.

    Raises
    ------
    TypeError
        For other generators than NumPy's usual ones; it calls the value ``name``.
    """
    if random is None or type(random) is int or isinstance(random, np.integer):
        return random if random is None else int(random)
    state = None
    if type(random) is np.random.RandomState:
        state = random.get_state(legacy=False)
    elif type(random) is np.random.Generator:
        state = dict(random.bit_generator.state)
    kind = None if state is None else state["bit_generator"]
    if state is not None and type(random) is np.random.RandomState and kind == "MT19937":
        return {
            "kind": "RandomState",
            "key": state["state"]["key"],
            "pos": int(state["state"]["pos"]),
            "has_gauss": int(state["has_gauss"]),
            "gauss": float(state["gauss"]),
        }
    if state is not None and type(random) is np.random.Generator and kind == "PCG64":
        own = {"state": state["state"]["state"], "inc": state["state"]["inc"]}
        return {
            "kind": "Generator",
            **own,
            "has_uint32": int(state["has_uint32"]),
            "uinteger": int(state["uinteger"]),
        }
    what = type(random).__name__ if kind is None else f"a {type(random).__name__} of {kind}"
    raise TypeError(
        f"{name} cannot be stored: {what}; files hold whole numbers, RandomState and the Generator "
        "of numpy.random.default_rng. Set it to a whole number first"
    )


def random_of(value: Any, path: str) -> Any:
    """Return the generator, number or None of a tree."""
    if value is None or type(value) is int:
        return value
    fields = Fields(value, path)
    if fields.text("kind", ("RandomState", "Generator")) == "RandomState":
        return _random_state(fields)
    bits = np.random.PCG64(0)
    own = {name: fields.whole(name, most=BITS - 1) for name in ("state", "inc")}
    if not own["inc"] % 2:
        fields.refuse("inc", "must be odd")
    state: Any = {
        "bit_generator": "PCG64",
        "state": own,
        "has_uint32": fields.whole("has_uint32", most=1),
        "uinteger": fields.whole("uinteger", most=2**32 - 1),
    }
    bits.state = state
    return np.random.Generator(bits)


def _random_state(fields: Fields) -> np.random.RandomState:
    random = np.random.RandomState(0)
    key = fields.array("key", np.uint32, (KEY_SIZE,))
    pos, has_gauss = fields.whole("pos", most=KEY_SIZE), fields.whole("has_gauss", most=1)
    random.set_state(("MT19937", key, pos, has_gauss, fields.number("gauss", finite=True)))
    return random


def random_state_of(value: Any, path: str) -> np.random.RandomState:
    """Return a RandomState."""
    random = random_of(value, path)
    if type(random) is not np.random.RandomState:
        raise UnreadableFileError(f"it is damaged: {path} must be a RandomState")
    return random
