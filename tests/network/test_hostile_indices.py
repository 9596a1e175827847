"""Index arrays from damaged files or other threads: an error or a right result, never a crash."""

import subprocess
import sys
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from plain_models import BackpropClassifier, BackpropRegressor

import fastbp
from fastbp import Network, neural_network
from fastbp.network.data import as_order, as_rows, as_targets, indicators

TOP = 2**31 - 1
# Row starts of a matrix with four rows and three values.
DAMAGED_STARTS = {
    "differences wrap around": np.array([0, TOP, -TOP - 1, -1, 3], np.int32),
    "64 bits wrap around": np.array([0, 2**63 - 1, -(2**63), -1, 3], np.int64),
    "unsigned, descending": np.array([0, 3, 1, 3, 3], np.uint32),
    "unsigned and huge": np.array([0, 2**64 - 1, 2**64 - 1, 3, 3], np.uint64),
    "negative": np.array([0, -1, 2, 3, 3], np.int64),
    "beyond the values": np.array([0, 1, 2, 3, 4], np.int32),
    "too few": np.array([0, 1, 3], np.int32),
    "not whole": np.array([0.0, 1, 2, 3, 3]),
    "in two dimensions": np.array([[0, 1, 2, 3, 3]]),
    "first not 0": np.array([1, 1, 2, 3, 3], np.int32),
}
DAMAGED_COLUMNS = {
    "a list": [0, 1, 2],
    "masked": np.ma.masked_array([0, 1, 2], [False, True, False]),
    "negative": np.array([0, -1, 2], np.int32),
    "beyond": np.array([0, 5, 2], np.int32),
    "huge": np.array([0, 2**32, 2], np.int64),
    "unsigned and huge": np.array([0, 2**64 - 2, 2], np.uint64),
    "in two dimensions": np.array([[0, 1, 2]]),
    "not whole": np.array([0.0, 1, 2]),
}
DAMAGED = {"indptr": DAMAGED_STARTS, "indices": DAMAGED_COLUMNS}


def damaged(kind, **arrays):
    X = sp.csr_matrix(([1.0, 2.0, 3.0], [0, 1, 2], [0, 1, 2, 3, 3]), shape=(4, 5))
    X = X.asformat(kind)
    for name, array in arrays.items():
        setattr(X, name, array)
    return X


def ways_in():
    """Every public way that a sparse X goes, of models fitted on a sound one."""
    sound, y = damaged("csr"), np.array([0.0, 1.0, 0.0, 1.0])
    network = Network((5, 4, 1), random_state=0)
    own, drop_in = [
        [kind(hidden_layer_sizes=4, max_iter=2, random_state=0).fit(sound, y) for kind in kinds]
        for kinds in (
            (BackpropRegressor, BackpropClassifier),
            (neural_network.MLPRegressor, neural_network.MLPClassifier),
        )
    ]
    yield from (network.forward, network.sensitivity)
    yield lambda X: network.train_epoch(X, y, 0.1)
    yield lambda X: network.loss(X, y)
    yield lambda X: network.gradients(X, y)
    yield lambda X: fastbp.record(network, X, y, learning_rate=0.1)
    yield lambda X: fastbp.sensitivity_of_loss(network, X, y)
    for model in [*own, *drop_in]:
        yield model.predict
        yield lambda X, model=model: model.fit(X, y)
        yield lambda X, model=model: model.partial_fit(X, y)
    for model in own:
        yield model.sensitivity
        yield lambda X, model=model: model.fit(sound, y, X_val=X, y_val=y)


@pytest.fixture(scope="module")
def ways():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return list(ways_in())


@pytest.mark.parametrize(
    ("name", "damage"), [(name, one) for name in DAMAGED for one in DAMAGED[name]]
)
@pytest.mark.filterwarnings("ignore")
def test_row_starts_and_columns_that_do_not_fit_are_refused_everywhere(ways, name, damage):
    for way in ways:
        with pytest.raises(ValueError, match=r"not a valid CSR matrix"):
            way(damaged("csr", **{name: DAMAGED[name][damage]}))


@pytest.mark.parametrize(
    ("kind", "arrays"),
    [
        ("csc", {"indptr": np.array([0, TOP, -TOP - 1, -1, 3, 3], np.int32)}),
        ("csc", {"indices": np.array([0, 9, 2], np.int32)}),
        ("bsr", {"indptr": np.array([0, TOP, -TOP - 1, -1, 3], np.int32)}),
        ("bsr", {"indices": np.array([0, -3, 2], np.int32)}),
        ("coo", {"row": np.array([0, 10**6, 2], np.int32)}),
        ("coo", {"col": np.array([0, -5, 2], np.int32)}),
    ],
)
def test_other_sparse_formats_are_checked_before_scipy_converts_them(kind, arrays):
    network = Network((5, 4, 1), random_state=0)
    with pytest.raises(ValueError, match=f"not a valid {kind.upper()} matrix"):
        network.forward(damaged(kind, **arrays))


DIAGONALS = {
    "huge": np.array([2**62, 0]),
    "wrap around": np.array([2**31 - 1, -(2**31)]),
    "unsigned and huge": np.array([2**64 - 1, 0], np.uint64),
    "outside": np.array([0, 9]),
}


@pytest.mark.parametrize("offsets", DIAGONALS)
def test_diagonals_outside_of_a_matrix_are_empty(offsets):
    network, X = Network((5, 4, 1), random_state=0), sp.dia_array((np.ones((2, 5)), [1, 0]), (4, 5))
    X.offsets = DIAGONALS[offsets]
    expected = network.forward(np.eye(4, 5) if offsets != "wrap around" else np.zeros((4, 5)))
    for _ in range(20):
        np.testing.assert_array_equal(network.forward(X), expected)


@pytest.mark.parametrize("offsets", [[0], [0, 1, 2], [0.0, 1.0], [[0, 1]], [0, 0]])
def test_diagonals_that_do_not_fit_their_values_are_refused(offsets):
    X = sp.dia_array((np.ones((2, 5)), [0, 1]), (4, 5))
    X.offsets = np.array(offsets)
    with pytest.raises(ValueError, match="offset"):
        Network((5, 4, 1), random_state=0).forward(X)


def lists(n, values):
    array = np.empty(n, object)
    array[:] = [list(values) for _ in range(n)]
    return array


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("data", lists(4, [1.0] * 10**5)),
        ("data", lists(4, [])),
        ("data", np.empty(4, object)),
        ("rows", lists(10**5, [1])),
        ("rows", lists(4, [-1])),
        ("rows", lists(4, [7])),
    ],
)
def test_lists_of_a_sparse_matrix_that_do_not_fit_are_refused(name, value):
    X = sp.lil_array(np.eye(4, 5))
    setattr(X, name, value)
    with pytest.raises(ValueError, match=r"not a valid (LIL|CSR) matrix"):
        Network((5, 4, 1), random_state=0).forward(X)


@pytest.mark.parametrize("kind", ["csr", "csc", "bsr", "coo", "dia", "lil", "dok"])
@pytest.mark.parametrize("array", [sp.csr_matrix, sp.csr_array])
def test_every_format_is_read_like_its_dense_values(kind, array):
    network, dense = Network((6, 4, 1), random_state=0), np.zeros((4, 6))
    dense[[0, 0, 1, 3], [1, 5, 0, 3]] = 1.0, -2.0, 3.0, 0.5
    model = BackpropRegressor(hidden_layer_sizes=4, max_iter=2, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(dense, [0, 1, 2, 3])
    X = array(dense).asformat(kind)
    np.testing.assert_allclose(network.forward(X), network.forward(dense), rtol=1e-15)
    np.testing.assert_allclose(model.predict(X), model.predict(dense), rtol=1e-15)


@pytest.mark.filterwarnings("ignore")
def test_held_out_rows_of_other_formats_are_checked_too():
    sound, y = damaged("csr"), np.array([0.0, 1.0, 0.0, 1.0])
    model = BackpropRegressor(hidden_layer_sizes=4, max_iter=2, random_state=0)
    X_val = damaged("csc", indptr=np.array([0, TOP, -TOP - 1, -1, 3, 3], np.int32))
    with pytest.raises(ValueError, match="X_val is not a valid CSC matrix"):
        model.fit(sound, y, X_val=X_val, y_val=y)


@pytest.mark.parametrize("dtype", ["<i4", ">i4", "<i8", ">i8", "<u2", ">u4", "<u8", "i1"])
def test_sound_indices_of_any_whole_type_and_byte_order_are_read(dtype):
    network, sound = Network((5, 4, 1), random_state=0), damaged("csr")
    arrays = {name: getattr(sound, name).astype(dtype) for name in ("indptr", "indices")}
    for array in arrays.values():
        array.flags.writeable = False
    X = damaged("csr", **arrays)
    np.testing.assert_array_equal(network.forward(X), network.forward(sound))


def test_the_kernels_follow_copies_of_the_callers_indices():
    X, order = damaged("csr"), np.arange(4)
    _, columns, starts = as_rows(X, 5, np.dtype(np.float64))
    _, classes = as_targets(order, 4, 4, np.dtype(np.float64), "log_loss", "softmax")
    for own, given in (
        (columns, X.indices),
        (starts, X.indptr),
        (as_order(order, 4), order),
        (classes, order),
    ):
        assert not np.shares_memory(own, given)


@pytest.mark.parametrize(
    "order",
    [
        np.array([0, 2**64 - 1], np.uint64),
        np.array([0, -1]),
        np.array([0, 4]),
        np.array([[0, 1]]),
        np.array([0.0, 1.0]),
        np.array([True, False]),
        np.array([], np.int64),
    ],
)
def test_orders_that_leave_the_rows_are_refused(order):
    network = Network((5, 4, 1), random_state=0)
    before = network.weights[0].copy()
    with pytest.raises(ValueError, match="order must"):
        network.train_epoch(np.ones((4, 5)), np.zeros(4), 0.1, order=order)
    np.testing.assert_array_equal(network.weights[0], before)


@pytest.mark.parametrize("y", [[0, 3], [0, -1], [0, 2**40], [0, 1e300], [0.5, 1], [0, 2**63]])
def test_class_numbers_outside_of_the_classes_are_refused(y):
    network = Network((2, 3), loss="log_loss", random_state=0)
    with pytest.raises(ValueError, match=r"class numbers 0\.\.2"):
        network.train_epoch(np.ones((2, 2)), np.array(y), 0.1)


@pytest.mark.parametrize("n_classes", [1, 2, 3, 50])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_indicators_of_classes_are_an_identity_matrix_in_little_memory(n_classes, dtype):
    found = indicators(n_classes, np.dtype(dtype))
    np.testing.assert_array_equal(found, np.eye(n_classes, dtype=dtype))
    assert not found.flags.writeable
    low, high = np.lib.array_utils.byte_bounds(found)
    assert high - low == (2 * n_classes - 1) * found.itemsize


MEANWHILE = """
import threading, time, warnings
import numpy as np, scipy.sparse as sp
from fastbp import Network
warnings.simplefilter("ignore")
n, random = 20_000, np.random.default_rng(0)
order, wrong, over = np.arange(n), 10**12, False
X = sp.random(n, 30, density=0.2, format="csr", random_state=0)
columns, starts = X.indices.copy(), X.indptr.copy()
dense, y = random.normal(size=(n, 30)), random.integers(0, 3, n)
sound_y = y.copy()

def disturb():
    while not over:
        order[::100], X.indices[::50], X.indptr[1:-1:70], y[::90] = wrong, 2**30, 2**30, 2**30
        time.sleep(0.0005)
        order[:], X.indices[:], X.indptr[:], y[:] = np.arange(n), columns, starts, sound_y
        time.sleep(0.0005)

thread = threading.Thread(target=disturb)
thread.start()
network = Network((30, 16, 3), loss="log_loss", random_state=0)
tried, refused = 0, 0
for _ in range(40):
    for data in (dense, X):
        for options in ({"momentum": 0.5}, {"batch_size": 32}, {}):
            try:
                network.train_epoch(data, y, 1e-4, order=order, **options)
            except ValueError:
                refused += 1
            tried += 1
over = True
thread.join()
print("tried", tried)
"""


def test_indices_that_change_while_training_reads_them_are_no_way_out_of_memory():
    command = [sys.executable, "-X", "faulthandler", "-c", MEANWHILE]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr[-2000:]
    assert run.stdout == "tried 240\n"


class Untouchable(sp.csr_matrix):
    """A matrix whose own indices SciPy may not follow, since somebody may be writing to them."""

    is_the_callers = False


def _refuse(name):
    method = getattr(sp.csr_matrix, name)

    def refused(self, *args, **kwargs):
        assert not self.is_the_callers, f"{name} of the caller's matrix"
        return method(self, *args, **kwargs)

    return refused


for name in (
    *("__getitem__", "__matmul__", "__rmatmul__", "dot", "multiply", "sum", "transpose", "copy"),
    *("astype", "toarray", "tocoo", "tocsc", "sort_indices", "sum_duplicates", "check_format"),
):
    setattr(Untouchable, name, _refuse(name))


def test_scipy_follows_private_copies_of_the_callers_indices_only(ways):
    y = np.array([0.0, 1.0, 0.0, 1.0])
    stopped_early = {"early_stopping": True, "validation_fraction": 0.5, "max_iter": 2}
    kinds = (BackpropRegressor, BackpropClassifier)
    kinds += (neural_network.MLPRegressor, neural_network.MLPClassifier)
    stopped_early |= {"hidden_layer_sizes": 4, "random_state": 0}
    early = [kind(**stopped_early) for kind in kinds]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for way in (*ways, *(lambda X, model=model: model.fit(X, y) for model in early)):
            X = Untouchable(damaged("csr"))
            X.is_the_callers = True
            way(X)
    with pytest.raises(AssertionError, match="__getitem__"):
        X[:2]


@pytest.mark.parametrize("columns", [[99], [-9], [2**70], ["a"]])
@pytest.mark.filterwarnings("ignore")
def test_columns_in_lists_that_do_not_fit_are_refused_everywhere(ways, columns):
    X = damaged("lil")
    X.rows[0], X.data[0] = columns, [1.0]
    for way in ways:
        with pytest.raises(ValueError, match=r"not a valid LIL matrix"):
            way(X)


class Shifting(sp.csr_matrix):
    """A matrix that another thread gives another shape, or fewer values, after some readings."""

    readings = None

    def __getattribute__(self, name):
        value = super().__getattribute__(name)
        readings = super().__getattribute__("__dict__").get("readings")
        if readings is None or name not in readings:
            return value
        readings[name] -= 1
        return value if readings[name] >= 0 else {"data": value[:1], "shape": (4, 99)}[name]


@pytest.mark.parametrize("name", ["data", "shape"])
@pytest.mark.parametrize("n", range(6))
def test_what_was_checked_is_what_the_kernels_are_given(name, n):
    X = Shifting(damaged("csr"))
    X.readings = {name: n}
    try:
        values, columns, starts = as_rows(X, 5, np.dtype(np.float64))
    except ValueError:
        return
    assert len(values) == len(columns) == starts[-1] == 3
    assert columns.max() < 5
    assert X.readings[name] >= 0, "read again after it was checked"
