"""What describes a network cannot be assigned to; a saved state is checked like a new network."""

import copy
import os
import pickle
import signal
import threading

import numpy as np
import pytest

from fastbp import Network, _core, trace_step

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


def redirect(view, what):
    """Change how a caller's view reads the network's memory."""
    if what == "writeable":
        view.flags.writeable = False
    else:
        as_float32 = np.dtype("float32")
        setattr(view, what, {"shape": (1, view.size), "dtype": as_float32, "strides": (8, 8)}[what])


@pytest.mark.filterwarnings("ignore:Setting the:DeprecationWarning")
@pytest.mark.parametrize("what", ["shape", "dtype", "strides", "writeable"])
@pytest.mark.parametrize("kept", [False, True])
def test_what_a_caller_does_to_a_view_changes_only_that_view(what, kept):
    network, untouched, X, y = trained(), trained(), np.eye(3), np.ones(3)
    lists = [network.weights]
    redirect(lists[0][0], what)
    lists = lists if kept else None
    for use in (
        lambda n: n.forward(X),
        lambda n: n.sensitivity(X),
        lambda n: n.copy().forward(X),
        lambda n: pickle.loads(pickle.dumps(n)).forward(X),
        lambda n: n.gradients(X, y)[1][0],
        lambda n: trace_step(n, X[0], y[0], learning_rate=0.1).loss,
        lambda n: n.train_epoch(X, y, 0.1, momentum=0.5),
        lambda n: n.weights[0],
    ):
        np.testing.assert_array_equal(use(network), use(untouched))
    network.weights[0] = np.full((3, 4), 2.0)
    np.testing.assert_array_equal(network.weights[0], np.full((3, 4), 2.0))


def test_memory_that_kernels_point_to_cannot_be_resized():
    array = trained().weights[0]
    while isinstance(array, np.ndarray):
        with pytest.raises(ValueError, match="does not own its data"):
            array.resize((1,), refcheck=False)
        array = array.base


SOUND = [np.zeros((3, 4)), np.zeros(4), np.zeros((4, 1)), np.zeros(1)]
HOSTILE = {
    "dtype": ["float16", "int64", "O", ">f8x"],
    "layer_sizes": [(3, -4, 1), (3,), (3, 4.5, 1), None, (3, 2**40, 2**40), (3, 5, 1), "341"],
    "activation": [("step",), ("relu", "relu"), None, 3],
    "out_activation": ["softmax", 1, "step"],
    "loss_name": ["hinge", None],
    "huber_delta": [-1.0, "1", np.nan],
    "quantile": [0.0, 2, None],
    "n_samples": [-1, "many", 0.5, 2**60, 2**70],
    "parameters": [
        np.float64(1),
        np.zeros(()),
        [],
        None,
        [np.zeros(2)] * 4,
        [np.zeros((3, 4))] * 4,
        ["a"] * 4,
    ],
    "moments": [
        None,
        {"momenta": (0, {"velocities": SOUND})},
        {"plain": (0, {})},
        {"momentum": (0, {})},
        {"momentum": (0, [SOUND])},
        {"momentum": (0, {"first_moments": SOUND})},
        {"momentum": (-1, {"velocities": SOUND})},
        {"momentum": (2**60, {"velocities": SOUND})},
        {"momentum": (0, {"velocities": [np.zeros(1)] * 4})},
        {1: (0, {"velocities": SOUND})},
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


needs_fork = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork"),
    pytest.mark.filterwarnings("ignore:This process:DeprecationWarning"),
]


def exit_code_of_child(thread, is_there, do):
    """Start a thread, fork where it is there, and return 0 if the child process can do it."""
    thread.start()
    while thread.is_alive() and not is_there():
        pass
    child = os.fork()
    if child == 0:
        try:
            signal.alarm(30)  # ends a child that waits for ever
            os._exit(0 if do() else 3)
        except BaseException:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


class TestFork:
    pytestmark = needs_fork

    @pytest.mark.parametrize("duplicate", [lambda network: network, copy.copy, Network.copy])
    @pytest.mark.parametrize("options", [{}, {"batch_size": 256, "n_threads": 2}])
    def test_a_child_forked_while_a_network_trains_can_train_its_copy(self, duplicate, options):
        random = np.random.default_rng(0)
        X, y = random.normal(size=(20_000, 50)), random.normal(size=20_000)
        network = duplicate(Network((50, 64, 1), random_state=0))
        before, over = [W.copy() for W in network.weights], threading.Event()

        def train():
            while not over.is_set():
                network.train_epoch(X, y, 1e-6, **options)

        def near_and_trained():
            near = [
                np.allclose(a, b, atol=0.1) for a, b in zip(network.weights, before, strict=True)
            ]
            network.train_epoch(X[:1000], y[:1000], 1e-6, **options)
            return all(near)

        thread = threading.Thread(target=train)
        try:
            code = exit_code_of_child(thread, network._runner.lock.locked, near_and_trained)
        finally:
            over.set()
            thread.join()
        assert code == 0

    def test_a_piece_that_a_thread_of_the_parent_had_begun_is_undone(self):
        network = trained()
        before = [W.copy() for W in network.weights]
        network._runner._unfinished = network._state.save()
        for W in network.weights:
            W += 1.0
        network._runner.lock.acquire()
        network._runner.end_training_of_parent()
        for W, V in zip(network.weights, before, strict=True):
            np.testing.assert_array_equal(W, V)
        network.train_epoch(np.eye(3), np.ones(3), 0.1)

    def test_a_child_can_draw_from_the_generator_that_a_thread_shuffled_by(self):
        random, order = np.random.RandomState(0), np.arange(10_000_000)
        thread = threading.Thread(target=_core.shuffle, args=(order, random))
        lock = random._bit_generator.lock

        def is_locked():
            return not lock.acquire(blocking=False) or bool(lock.release())

        code = exit_code_of_child(thread, is_locked, lambda: 0 <= random.rand() < 1)
        thread.join()
        assert code == 0
        assert not is_locked()


def test_squares_of_gradients_that_overflowed_are_saved_and_loaded():
    network = Network((1, 1), dtype="float32", random_state=0)
    network.weights[0] = [[1e25]]
    network.train_epoch([[1.0]], [1e25], 1e-6, solver="adam", alpha=1e3)
    squares = network._state.moments["adam"].arenas["second_moments"]
    assert np.isinf(squares.weights[0]).all()
    loaded = pickle.loads(pickle.dumps(network))
    found, expected = (one._state.moments["adam"].values for one in (loaded, network))
    np.testing.assert_array_equal(found, expected)
    squares.weights[0][...] = np.nan  # which no solver leaves behind
    with pytest.raises(ValueError, match=r"NaN or infinity"):
        pickle.loads(pickle.dumps(network))


def test_a_network_that_is_there_keeps_its_memory():
    network, other = trained(), Network((3000, 50, 1), random_state=1)
    outputs, views = network.forward(np.eye(3)), network.weights
    with pytest.raises(ValueError, match=r"layer_sizes=\(3000, 50, 1\)"):
        network.__setstate__(other.__getstate__())
    with pytest.raises(TypeError, match="made once"):
        network.__init__((3000, 50, 1))
    np.testing.assert_array_equal(network.forward(np.eye(3)), outputs)
    alike = trained()
    alike.train_epoch(np.eye(3), np.ones(3), 0.1, momentum=0.5)
    network.__setstate__(alike.__getstate__())
    np.testing.assert_array_equal(network.forward(np.eye(3)), alike.forward(np.eye(3)))
    np.testing.assert_array_equal(views[0], alike.weights[0])
    for one in (network, alike):
        one.train_epoch(np.eye(3), np.zeros(3), 0.1, momentum=0.5)
    np.testing.assert_array_equal(network.weights[0], alike.weights[0])


def test_a_network_in_training_takes_no_state():
    network = trained()
    state = network.__getstate__()
    with network._runner.training(), pytest.raises(RuntimeError, match="trained by another thread"):
        network.__setstate__(state)
