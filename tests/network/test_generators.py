"""States of generators: what is saved of them, and which are refused."""

import copy
import math

import numpy as np
import pytest

from fastbp.io.of_random import random_of, random_tree
from fastbp.network.generators import KINDS, generator_of, generator_to_dict, set_generator

MADE = {
    **{
        kind: lambda kind=kind: np.random.RandomState(getattr(np.random, kind)(3)) for kind in KINDS
    },
    "Generator": lambda: np.random.Generator(np.random.PCG64(3)),
}
WRONG = [
    ("MT19937", "pos", 625),
    ("MT19937", "key", np.zeros(623, np.uint32)),
    ("MT19937", "key", np.zeros(624, np.int64)),
    ("MT19937", "has_gauss", 2),
    ("MT19937", "gauss", math.nan),
    ("MT19937", "bit_generator", "PCG64"),
    ("PCG64", "inc", 2),
    ("PCG64", "state", 2**128),
    ("PCG64", "uinteger", 2**32),
    ("PCG64DXSM", "state", -1),
    ("Philox", "buffer_pos", 5),
    ("SFC64", "has_uint32", 1.0),
    ("Generator", "inc", 2**128 + 1),
    ("Generator", "has_uint32", True),
]


def used(kind):
    """A generator that holds half of what it made last."""
    random = MADE[kind]()
    random.standard_normal(7)
    return random


@pytest.mark.parametrize("kind", KINDS)
def test_a_generator_goes_on_from_its_state(kind):
    random = used(kind)
    other = generator_of(generator_to_dict(random))
    np.testing.assert_array_equal(other.standard_normal(9), random.standard_normal(9))


@pytest.mark.parametrize("kind", ["MT19937", "Generator"])
def test_a_generator_of_a_file_goes_on_from_its_state(kind):
    random = used(kind)
    other = random_of(random_tree(random), "random_state")
    np.testing.assert_array_equal(other.standard_normal(9), random.standard_normal(9))


@pytest.mark.parametrize(("kind", "name", "value"), WRONG)
def test_a_wrong_state_is_refused_and_changes_nothing(kind, name, value):
    random = used(kind)
    state = copy.deepcopy(generator_to_dict(random))
    inner = state if name in state and name != "state" else state["state"]
    inner[name] = value
    before = repr(generator_to_dict(random))
    with pytest.raises((ValueError, TypeError), match=f"^{name} .*must be|the generator is a"):
        set_generator(random, state)
    assert repr(generator_to_dict(random)) == before


def test_a_file_says_what_is_wrong_with_its_generator():
    tree = random_tree(used("Generator")) | {"inc": 4}
    with pytest.raises(ValueError, match=r"^it is damaged: fitted\.random is no generator: inc "):
        random_of(tree, "fitted.random")
