"""`_core.shuffle` is NumPy's `RandomState.shuffle`, to the bit, generator included."""

import threading

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fastbp import _core

BLOCK = 624  # numbers that an MT19937 makes at once


def assert_same_state(random, expected):
    for ours, numpys in zip(random.get_state(), expected.get_state(), strict=True):
        np.testing.assert_array_equal(ours, numpys)


def assert_same_shuffle(n, random, times=1):
    expected = np.random.RandomState()
    expected.set_state(random.get_state())
    order, expected_order = np.arange(n), np.arange(n)
    for _ in range(times):
        _core.shuffle(order, random)
        expected.shuffle(expected_order)
        np.testing.assert_array_equal(order, expected_order)
        assert_same_state(random, expected)
    assert random.randint(2**31) == expected.randint(2**31)


@settings(deadline=None, derandomize=True, database=None)
@given(n=st.integers(0, 3000), seed=st.integers(0, 2**32 - 1), pos=st.integers(0, BLOCK))
@example(n=0, seed=0, pos=BLOCK)
@example(n=1, seed=0, pos=BLOCK)
@example(n=2, seed=0, pos=BLOCK)
@example(n=2, seed=0, pos=BLOCK - 1)
def test_any_order_and_state_are_numpys(n, seed, pos):
    random = np.random.RandomState(seed)
    name, key, *_ = random.get_state()
    random.set_state((name, key, pos, 0, 0.0))
    assert_same_shuffle(n, random, times=2)


@pytest.mark.parametrize("power", range(1, 19))
def test_lengths_around_powers_of_two_are_numpys(power):
    for n in (2**power - 1, 2**power, 2**power + 1, 2**power + 2):
        assert_same_shuffle(n, np.random.RandomState(power))


def test_what_was_drawn_before_and_after_is_numpys():
    random = np.random.RandomState(7)
    random.normal(size=3)  # an odd number: half a pair is kept for later
    random.uniform(size=11)
    assert_same_shuffle(1000, random, times=3)
    assert random.get_state()[3] == 1


def test_shuffles_compose():
    """An order shuffled again is a permutation of the order before."""
    random = np.random.RandomState(3)
    order, picks = np.arange(100)[::-1].copy(), np.arange(100)
    expected = order.copy()
    _core.shuffle(picks, np.random.RandomState(3))
    _core.shuffle(order, random)
    np.testing.assert_array_equal(order, expected[picks])


class Reversing:
    """A source of orders of its own."""

    def shuffle(self, order):
        order[:] = order[::-1].copy()


class ReversingState(np.random.RandomState):
    def shuffle(self, order):
        Reversing.shuffle(self, order)


def test_other_sources_shuffle_themselves():
    for make in (
        lambda: np.random.RandomState(np.random.PCG64(5)),
        lambda: np.random.default_rng(5),
        Reversing,
        lambda: ReversingState(5),
    ):
        order, expected = np.arange(200), np.arange(200)
        _core.shuffle(order, make())
        make().shuffle(expected)
        np.testing.assert_array_equal(order, expected)
        assert order.tolist() != list(range(200))


@pytest.mark.parametrize(
    "array",
    [
        np.arange(50, dtype=np.int32),
        np.arange(50.0),
        np.arange(100)[::2],
        np.arange(100).reshape(50, 2),
        np.arange(50, dtype=">i8"),
        np.arange(50).view(np.ma.MaskedArray),
        list(range(50)),
    ],
    ids=["int32", "float64", "strided", "2-D", "big-endian", "masked", "list"],
)
def test_other_arrays_are_shuffled_all_the_same(array):
    ours, expected = array.copy(), array.copy()
    random, numpys = np.random.RandomState(0), np.random.RandomState(0)
    _core.shuffle(ours, random)
    numpys.shuffle(expected)
    np.testing.assert_array_equal(ours, expected)
    assert_same_state(random, numpys)


def test_an_order_that_is_read_only_is_refused_and_nothing_drawn():
    order, random = np.arange(10), np.random.RandomState(0)
    order.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        _core.shuffle(order, random)
    assert order.tolist() == list(range(10))


def test_threads_may_share_a_generator():
    """Each draw is some thread's, and whole: as many numbers are used as one after another."""
    n, n_threads, random = 2, 4, np.random.RandomState(0)  # n = 2 always takes one number
    orders = [np.arange(n) for _ in range(n_threads)]

    def work(order):
        for _ in range(500):
            _core.shuffle(order, random)

    threads = [threading.Thread(target=work, args=[order]) for order in orders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected = np.random.RandomState(0)
    for _ in range(n_threads * 500):
        expected.shuffle(np.arange(n))
    assert_same_state(random, expected)
