"""Threads that write to what others train on: numbers may be wrong meanwhile, but nothing crashes.

Afterwards networks work as if nothing had been. A crash is for the parent process to see; run this
in a child.
"""

import os
import sys
import threading
import time
import traceback
import warnings

import numpy as np
import scipy.sparse as sp
from plain_models import BackpropClassifier, BackpropRegressor

import fastbp
from fastbp import DivergenceWarning, Network

from .values import state_of

N_ROWS, N_FEATURES = 4000, 12
SECONDS = 0.15  # that each case goes on for
REFUSED = (ValueError, TypeError, RuntimeError)
ODD_INDICES = [-1, -(2**31), 2**31 - 1, 10**6, 2**40, N_FEATURES, N_ROWS]
ODD_VALUES = [np.nan, np.inf, -np.inf, 1e300, 5e-324, 0.0, -1e30]


class Scene:
    """Arrays that somebody trains on and somebody else writes to."""

    def __init__(self, random):
        dtype = str(random.choice(["float64", "float32"]))
        X = random.normal(size=(N_ROWS, N_FEATURES))
        X[random.random(X.shape) < random.choice([0.2, 0.9])] = 0
        self.X = X.astype(dtype)
        self.csr = sp.csr_matrix(self.X)
        if random.integers(2):
            self.csr.indptr = self.csr.indptr.astype(np.int64)
        self.numbers = random.integers(0, 3, N_ROWS).astype(
            str(random.choice(["i4", "i8", "f4", "f8"]))
        )
        self.labels = self.numbers.copy()
        self.order = random.permutation(N_ROWS).astype(str(random.choice(["i4", "i8"])))
        self.weights = random.uniform(0, 2, N_ROWS)
        self.y = self.X[:, :3].copy()
        hidden = (int(random.choice([5, 40])), *([7] if random.integers(2) else []))
        sizes = (N_FEATURES, *hidden, 3)
        self.network = Network(sizes, loss="log_loss", dtype=dtype, random_state=0)
        self.other = Network(sizes, dtype=dtype, random_state=0)
        self.regressor = BackpropRegressor(hidden_layer_sizes=5, max_iter=1, random_state=0)
        self.classifier = BackpropClassifier(hidden_layer_sizes=5, max_iter=1, random_state=0)
        self.regressor.fit(self.X[:50], self.y[:50])
        self.classifier.fit(self.X[:50], self.labels[:50])

    def writable(self):
        """Each array with what to write into it."""
        return {
            "X": (self.X, ODD_VALUES),
            "CSR values": (self.csr.data, ODD_VALUES),
            "CSR columns": (self.csr.indices, ODD_INDICES),
            "CSR row starts": (self.csr.indptr, ODD_INDICES),
            "class numbers": (self.numbers, [*ODD_INDICES, 0, 1]),
            "labels": (self.labels, [0, 1, 7]),
            "order": (self.order, ODD_INDICES),
            "sample weights": (self.weights, [*ODD_VALUES, -1.0]),
            "targets": (self.y, ODD_VALUES),
            "network's weights": (self.network.weights[0], ODD_VALUES),
            "other network's biases": (self.other.biases[-1], ODD_VALUES),
        }


def calls(scene, random):
    """What trains or looks meanwhile."""
    rows = scene.X if random.integers(2) else scene.csr
    n_threads = int(random.integers(1, 4))
    batch = {"batch_size": int(random.choice([5, 64])), "n_threads": n_threads}
    beside = {"order": scene.order, "sample_weight": scene.weights}
    return [
        lambda: scene.network.train_epoch(rows, scene.numbers, 1e-3, **beside),
        lambda: scene.network.train_epoch(rows, scene.numbers, 1e-3, **batch, **beside),
        lambda: scene.network.train_epoch(rows, scene.numbers, 1e-3, momentum=0.5, **beside),
        lambda: scene.network.train_epoch(rows, scene.numbers, 1e-3, dropout=0.3, **beside),
        lambda: scene.other.train_epoch(rows, scene.y, 1e-3, solver="adam", **batch),
        lambda: scene.other.train_epoch(rows, scene.y, 1e-3, alpha=0.1, **beside),
        lambda: scene.network.forward(rows, n_threads),
        lambda: scene.network.gradients(rows, scene.numbers, scene.weights),
        lambda: scene.network.loss(rows, scene.numbers),
        lambda: scene.other.sensitivity(rows, summary="mean"),
        lambda: scene.classifier.fit(rows, scene.labels, scene.weights),
        lambda: scene.classifier.partial_fit(rows, scene.labels),
        lambda: scene.regressor.set_params(batch_size=32, n_threads=n_threads).fit(rows, scene.y),
        lambda: scene.regressor.predict(rows),
        lambda: scene.classifier.predict_proba(rows),
        # of the array: SciPy itself follows indices that somebody writes to meanwhile
        lambda: fastbp.check_gradients(scene.other, scene.X[:50], scene.y[:50], 5),
        lambda: scene.network.copy().forward(rows),
    ]


class Writer(threading.Thread):
    """Writes odd numbers into an array and takes them back, again and again."""

    def __init__(self, array, values, seed, over):
        super().__init__(daemon=True)
        self.array, self.over = array, over
        self.random = np.random.default_rng(seed)
        with np.errstate(all="ignore"):
            self.values = np.array(values).astype(array.dtype)

    def run(self):
        sound = self.array.copy()
        with np.errstate(all="ignore"):
            while not self.over.is_set():
                step = int(self.random.choice([1, 7, 100]))
                self.array[int(self.random.integers(step)) :: step] = self.random.choice(
                    self.values
                )
                if self.random.integers(2):
                    time.sleep(self.random.choice([0, 1e-4, 1e-3]))
                self.array[...] = sound
                time.sleep(self.random.choice([0, 1e-4, 1e-3, 3e-3]))


def until_over(call, over, errors):
    """Call again and again; note what is neither an answer nor a refusal."""
    while not over.is_set():
        try:
            call()
        except REFUSED:
            continue
        except BaseException as error:
            errors.append(error)
            return


def check_writers(random):
    """Some write, some train and look, for a moment; then all must be as it should."""
    scene, over, errors = Scene(random), threading.Event(), []
    names = list(random.choice(list(scene.writable()), int(random.integers(1, 4)), replace=False))
    threads = [Writer(*scene.writable()[name], int(random.integers(2**31)), over) for name in names]
    chosen = random.choice(len(calls(scene, random)), int(random.integers(1, 4)), replace=False)
    threads += [
        threading.Thread(
            target=until_over, args=(calls(scene, random)[k], over, errors), daemon=True
        )
        for k in chosen
    ]
    for thread in threads:
        thread.start()
    over.wait(SECONDS)
    over.set()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive(), "a thread hangs"
    for error in errors:
        raise error
    assert_unharmed(scene)
    return f"{len(names)} writers"


def assert_unharmed(scene):
    """Networks whose weights are good once more train as new ones with the same weights do."""
    X = np.random.default_rng(0).normal(size=(60, N_FEATURES))
    y = np.full((60, 3), 1 / 3)
    for network in (scene.network, scene.other):
        fresh = network.__class__(
            network.layer_sizes,
            activation=network.activation,
            loss=network.loss_name,
            dtype=network.dtype,
            random_state=1,
        )
        network.weights, network.biases = fresh.weights, fresh.biases
        network.reset_solver()
        for options in ({}, {"momentum": 0.5, "batch_size": 9}, {"solver": "adam"}):
            assert network.train_epoch(X, y, 1e-3, **options) == fresh.train_epoch(
                X, y, 1e-3, **options
            )
        assert state_of(network)[1:] == state_of(fresh)[1:]


def check_fork(random):
    """A child that is forked in the midst of training can train the network itself."""
    scene, over, errors = Scene(random), threading.Event(), []
    call = calls(scene, random)[int(random.integers(2))]
    thread = threading.Thread(target=until_over, args=(call, over, errors), daemon=True)
    thread.start()
    time.sleep(random.uniform(0, 0.02))
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _report_to(writing, lambda: assert_unharmed(scene))
    os.close(writing)
    with open(reading) as pipe:
        report = pipe.read()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    over.set()
    thread.join(60)
    assert (code, report) == (0, ""), f"the forked child ended with {code}:\n{report}"
    return "forks"


def _report_to(pipe, call):
    """Make a call in a forked child, write what it raises into a pipe, and end."""
    try:
        call()
    except BaseException:
        os.write(pipe, traceback.format_exc().encode())
    finally:
        os._exit(0)


def check(seed):
    """Draw who writes and who trains."""
    random = np.random.default_rng(seed)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(float(random.choice([1e-5, 1e-3])))
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore", DivergenceWarning)
            warnings.simplefilter("ignore", RuntimeWarning)
            if random.random() < 0.1 and sys.platform == "linux":
                return check_fork(random)
            return check_writers(random)
    finally:
        sys.setswitchinterval(interval)
