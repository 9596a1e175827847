"""What describes a network cannot be assigned to; a saved state is checked like a new network."""

import copy
import os
import pickle
import threading

import numpy as np
import pytest

from fastbp import Network

DESCRIBES = {
    "dtype": np.dtype("float32"),
    "layer_sizes": (3, 9, 1),
    "activation": ("tanh",),
    "out_activation": "relu",
    "loss_name": "huber",
    "huber_delta": 7.0,
    "quantile": 0.1,
    "n_parameters": 3,
}


def trained():
    network = Network((3, 4, 1), random_state=0)
    network.train_epoch(np.eye(3), np.ones(3), 0.1, momentum=0.5)
    return network


@pytest.mark.parametrize("name", DESCRIBES)
def test_what_describes_a_network_cannot_be_assigned_to(name):
    network = trained()
    before = getattr(network, name)
    with pytest.raises(AttributeError, match=name):
        setattr(network, name, DESCRIBES[name])
    with pytest.raises(AttributeError, match=name):
        delattr(network, name)
    assert getattr(network, name) == before
    assert repr(network.copy()) == repr(network)


def test_a_view_whose_shape_somebody_changed_leads_nowhere():
    network, X = trained(), np.eye(3)
    expected = network.sensitivity(X)
    for W in network.weights:
        W.shape = (1, W.size)
    np.testing.assert_array_equal(network.sensitivity(X), expected)


HOSTILE = {
    "dtype": ["float16", "int64", "O", ">f8x"],
    "layer_sizes": [(3, -4, 1), (3,), (3, 4.5, 1), None, (3, 2**40, 2**40), (3, 5, 1), "341"],
    "activation": [("step",), ("relu", "relu"), None, 3],
    "out_activation": ["softmax", 1, "step"],
    "loss_name": ["hinge", None],
    "huber_delta": [-1.0, "1", np.nan],
    "quantile": [0.0, 2, None],
    "_n_visits": [-1, "many", 0.5],
    "parameters": [[], None, [np.zeros(2)] * 4, [np.zeros((3, 4))] * 4, ["a"] * 4],
    "moments": [
        None,
        {3: (0, [[]] * 3)},
        {1: (0, [])},
        {1: (-1, None)},
        {"1": (0, [[]])},
        {1: (0, [[np.zeros(1)] * 4])},
    ],
}


@pytest.mark.parametrize(
    ("name", "value"), [(n, v) for n, values in HOSTILE.items() for v in values]
)
def test_a_state_that_is_not_sound_is_refused_and_leaves_the_network_as_it_was(name, value):
    network = trained()
    state, outputs = network.__getstate__(), network.forward(np.eye(3))
    with pytest.raises((ValueError, TypeError)):
        network.__setstate__({**state, name: value})
    np.testing.assert_array_equal(network.forward(np.eye(3)), outputs)
    network.train_epoch(np.eye(3), np.ones(3), 0.1, momentum=0.5)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_state_that_lacks_something_is_refused(name):
    state = trained().__getstate__()
    del state[name]
    with pytest.raises(ValueError, match=name):
        Network.__new__(Network).__setstate__(state)


@pytest.mark.parametrize(
    "duplicate", [copy.copy, copy.deepcopy, Network.copy, lambda n: pickle.loads(pickle.dumps(n))]
)
def test_copies_train_on_to_the_same_bits(duplicate):
    network = trained()
    other = duplicate(network)
    for one in (network, other):
        one.train_epoch(np.eye(3), np.zeros(3), 0.1, momentum=0.5)
    for W, V in zip(network.weights, other.weights, strict=True):
        np.testing.assert_array_equal(W, V)
        assert not np.shares_memory(W, V)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_child_forked_while_a_network_trains_can_train_its_copy():
    random = np.random.default_rng(0)
    X, y = random.normal(size=(20_000, 50)), random.normal(size=20_000)
    network = Network((50, 64, 1), random_state=0)
    before, over = [W.copy() for W in network.weights], threading.Event()
    started = threading.Event()

    def train():
        while not over.is_set():
            started.set()
            network.train_epoch(X, y, 1e-6)

    thread = threading.Thread(target=train)
    thread.start()
    try:
        started.wait()
        while not network._in_training.locked():
            pass
        child = os.fork()
        if child == 0:
            try:
                near = all(
                    np.allclose(a, b, atol=0.1)
                    for a, b in zip(network.weights, before, strict=True)
                )
                network.train_epoch(X[:100], y[:100], 1e-6)
                os._exit(0 if near else 3)
            except BaseException:
                os._exit(1)
        _, status = os.waitpid(child, 0)
    finally:
        over.set()
        thread.join()
    assert os.waitstatus_to_exitcode(status) == 0
