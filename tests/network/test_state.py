"""`State`: all numbers of a network, saved, restored and grown."""

import numpy as np
import pytest

from fastbp.network import Network
from fastbp.network.rules import RULES
from fastbp.network.state import State

X = np.random.RandomState(0).uniform(-1, 1, (20, 3))
Y = X[:, 0] * X[:, 1]


def trained():
    """A network that was trained by three solvers, and with dropout."""
    network = Network((3, 4, 1), random_state=0)
    network.train_epoch(X, Y, 0.01, momentum=0.9, dropout=0.3)
    network.train_epoch(X, Y, 0.01, solver="adam", batch_size=7)
    network.train_epoch(X, Y, 0.01, solver="adagrad")
    return network


def numbers_of(state):
    return {
        "n_samples": state.n_samples,
        "parameters": state.parameters.values.copy(),
        **{rule: (kept.n_steps, kept.values.copy()) for rule, kept in state.moments.items()},
    }


def test_training_goes_on_from_what_was_saved():
    network = trained()
    saved, views = network._state.save(), network.weights
    before = numbers_of(saved)
    options = [{"momentum": 0.9, "dropout": 0.3}, {"solver": "adam"}, {"solver": "rmsprop"}]
    losses = [network.train_epoch(X, Y, 0.01, **option) for option in options]
    np.testing.assert_equal(numbers_of(saved), before)
    network._state.restore(saved)
    np.testing.assert_equal(numbers_of(network._state), before)
    assert np.shares_memory(views[0], network.weights[0])
    assert [network.train_epoch(X, Y, 0.01, **option) for option in options] == losses


def test_memory_that_is_used_again_holds_nothing_of_before():
    network, other = trained(), Network((3, 4, 1), random_state=1)
    saved = network._state.save()
    assert other._state.save(saved) is saved
    np.testing.assert_equal(numbers_of(saved), numbers_of(other._state))


def test_parameters_alone_are_restored_without_what_solvers_keep():
    network = trained()
    saved, n_samples = network._state.save_parameters(), network._state.n_samples
    network.train_epoch(X, Y, 0.01, dropout=0.3)
    network._state.restore(saved)
    assert np.array_equal(network._arena.values, saved.parameters.values)
    assert network._state.moments == {}
    assert network._state.n_samples == n_samples + 20


def test_a_dict_holds_all_numbers():
    state = trained()._state
    again = State.from_dict((3, 4, 1), np.dtype("float64"), state.to_dict())
    np.testing.assert_equal(numbers_of(again), numbers_of(state))
    assert set(again.moments) == {"momentum", "adam", "adagrad"}


def test_a_grown_state_has_every_number_where_its_unit_is():
    state = trained()._state
    grown = state.grown((5, 6, 2), lambda arena: arena.values.fill(7.0))
    pairs = [(state.parameters, grown.parameters, 7.0)]
    for rule, kept in state.moments.items():
        assert grown.moments[rule].n_steps == kept.n_steps
        assert list(kept.arenas) == list(RULES[rule].moments)
        pairs += [(arena, grown.moments[rule].arenas[n], 0.0) for n, arena in kept.arenas.items()]
    assert len(pairs) == 1 + 1 + 2 + 1
    for small, large, new in pairs:
        for ours, theirs in zip(
            [*small.weights, *small.biases], [*large.weights, *large.biases], strict=True
        ):
            corner = tuple(map(slice, ours.shape))
            assert np.array_equal(theirs[corner], ours)
            rest = np.ones(theirs.shape, bool)
            rest[corner] = False
            assert rest.any()
            assert (theirs[rest] == new).all()
    assert grown.n_samples == state.n_samples


@pytest.mark.parametrize("sizes", [(3, 4), (3, 4, 4, 1), (3, 3, 1), (2, 9, 9)])
def test_a_state_does_not_shrink(sizes):
    with pytest.raises(ValueError, match="cannot grow"):
        trained()._state.grown(sizes)
