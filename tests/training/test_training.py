"""Repeats of rows, their order, when training stops, and what is reported on the way."""

import itertools
import math

import numpy as np
import pytest
from cases import counted, interrupted_at, parameters_of
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

import fastbp
from fastbp import _core
from fastbp.network import Solver
from fastbp.network.data import as_rows
from fastbp.network.plan import EpochWorkload
from fastbp.network.runner import EpochRunner, Epochs
from fastbp.network.solver import Rates
from fastbp.training import order as order_module
from fastbp.training.epochs import EpochLoop
from fastbp.training.order import SampleRepeats, canonical_order, order_of
from fastbp.training.run import History
from fastbp.training.schedule import Schedule
from fastbp.training.stopping import EarlyStopping

# -- repeats -----------------------------------------------------------------------------------


def test_without_weights_every_row_is_seen_once():
    repeats = SampleRepeats.of(None, 4)
    assert repeats.weights is None
    assert repeats.order(np.array([2, 0, 3, 1])).tolist() == [2, 0, 3, 1]


def test_a_whole_weight_is_that_many_repeats_of_weight_one():
    repeats = SampleRepeats.of([1, 0, 3, 2], 4)
    assert repeats.weights is None
    assert repeats.order(np.array([2, 0, 3, 1])).tolist() == [2, 2, 2, 0, 3, 3]


def test_other_weights_are_divided_over_the_next_whole_number_of_repeats():
    repeats = SampleRepeats.of([0.25, 2.5, 1], 3)
    assert repeats.counts.tolist() == [1, 3, 1]
    assert repeats.weights.tolist() == [0.25, 2.5 / 3, 1]


def test_weights_of_a_large_mean_are_scaled_down():
    repeats = SampleRepeats.of([1000, 3000, 0], 3)
    assert repeats.counts.tolist() == [4, 12, 0]


@settings(deadline=None, derandomize=True, database=None)
@given(st.lists(st.floats(0, 1e308, allow_subnormal=False), min_size=1, max_size=20).filter(any))
def test_repeats_keep_the_proportions_of_any_weights(weights):
    weights = np.array(weights)
    repeats = SampleRepeats.of(weights, len(weights))
    each = np.where(repeats.counts > 0, 1.0, 0) if repeats.weights is None else repeats.weights
    total = repeats.counts * each
    assert repeats.counts.sum() <= (order_module.MAX_REPEATS + 1) * len(weights)
    assert each.max() <= 1
    largest = weights.argmax()
    assert np.allclose(total / total[largest], weights / weights[largest], rtol=1e-12)


# -- canonical order ---------------------------------------------------------------------------


def rows_of(X, y, sample_weight=None):
    X, y = np.asarray(X) if isinstance(X, list) else X, np.asarray(y, dtype=np.float64)
    dtype = np.dtype(np.float32 if X.dtype == np.float32 else np.float64)
    checked = as_rows(X, X.shape[1], dtype)
    return _core.Rows(checked, X.shape[1], y.reshape(X.shape[0], -1).astype(dtype), sample_weight)


def some_rows(seed=0, shape=(50, 6), zeros=0.4):
    random = np.random.default_rng(seed)
    X = random.normal(size=shape) * (random.uniform(size=shape) > zeros)
    return X.astype(np.float32).astype(np.float64), random.integers(0, 5, shape[0]).astype(float)


def hashes_of(rows):
    hashes = np.empty(rows.n, dtype=np.uint64)
    rows.hash(0, rows.n, hashes)
    return hashes


@pytest.mark.parametrize("n", [0, 1, 2, 7, 1000, 4097])
@pytest.mark.parametrize("bits", [64, 20, 12, 1])
def test_hashes_are_ordered_as_argsort_does_however_many_are_alike(n, bits):
    hashes = np.random.default_rng(n).integers(0, 2**bits, n, dtype=np.uint64)
    order = order_of(hashes)
    np.testing.assert_array_equal(np.sort(order), np.arange(n))
    np.testing.assert_array_equal(hashes[order], np.sort(hashes))
    high = hashes << np.uint64(64 - bits)
    np.testing.assert_array_equal(high[order_of(high)], np.sort(high))


def test_canonical_order_follows_the_rows_wherever_they_stand():
    X, y = some_rows()
    moved = np.random.default_rng(1).permutation(len(X))
    order, order_of_moved = (
        canonical_order(rows_of(X, y)),
        canonical_order(rows_of(X[moved], y[moved])),
    )
    assert sorted(order) == list(range(len(X)))
    assert order.tolist() == moved[order_of_moved].tolist()
    assert order.tolist() != list(range(len(X)))


def test_canonical_order_is_the_same_for_dense_and_sparse_rows_of_both_dtypes(isa):
    X, y = some_rows()
    expected = hashes_of(rows_of(X, y)).tolist()
    assert len(set(expected)) == len(X)
    for same in (csr_array(X), X.astype(np.float32), csr_array(X.astype(np.float32))):
        assert hashes_of(rows_of(same, y)).tolist() == expected


def test_minus_zero_is_zero_to_the_canonical_order():
    assert hashes_of(rows_of([[0.0, 1.0]], [0.0])) == hashes_of(rows_of([[-0.0, 1.0]], [-0.0]))


def test_stored_zeros_of_a_sparse_row_do_not_count():
    stored = csr_array((np.array([0.0, 1.0]), np.array([0, 1]), np.array([0, 2])), shape=(1, 2))
    assert hashes_of(rows_of(stored, [2.0])) == hashes_of(rows_of([[0.0, 1.0]], [2.0]))


@pytest.mark.parametrize(
    ("X", "y"),
    [([[2.0, 1.0]], [3.0]), ([[1.0, 2.0]], [2.0]), ([[1.0, 3.0]], [2.0]), ([[1.0, 0.0]], [3.0])],
)
def test_other_values_columns_or_targets_give_another_hash(X, y):
    assert hashes_of(rows_of(X, y)) != hashes_of(rows_of([[1.0, 2.0]], [3.0]))


def test_equal_rows_are_ordered_by_the_weight_of_a_repeat():
    X, y = np.ones((4, 2)), np.ones(4)
    order = canonical_order(rows_of(X, y, np.array([0.7, 0.1, 0.9, 0.3])))
    assert order.tolist() == [1, 3, 0, 2]


def test_rows_are_hashed_in_pieces_that_fit_together(monkeypatch):
    X, y = some_rows()
    expected = canonical_order(rows_of(X, y)).tolist()
    monkeypatch.setattr(order_module, "HASHED_AT_ONCE", 40)
    assert canonical_order(rows_of(X, y)).tolist() == expected


# -- when to stop --------------------------------------------------------------------------------


def stopped_after(losses, **options):
    stopping = EarlyStopping(**{"tol": 0.1, "n_iter_no_change": 2, **options})
    return next((i for i, loss in enumerate(losses, 1) if stopping.update(loss)), None)


def test_training_stops_after_more_epochs_without_improvement_than_allowed():
    assert stopped_after([5, 4, 3.95, 3.92, 3.91]) == 5
    assert stopped_after([5, 4, 3.95, 3.92]) is None


def test_an_improvement_by_tol_starts_the_count_again():
    assert stopped_after([5, 4.95, 4.92, 4.8, 4.75, 4.74, 4.73]) == 7


def test_improvement_is_measured_against_the_best_loss():
    assert stopped_after([1, 5, 4, 3]) == 4


# -- epochs --------------------------------------------------------------------------------------


def a_run(loss="squared_error", **options):
    X, y = some_rows()
    network = fastbp.Network((6, 5, 1), activation="tanh", random_state=0)
    history = History()
    rows = network._rows(X, y)
    order = np.arange(len(X))
    solver = Solver(options.pop("learning_rate", 0.01))
    ending = EpochLoop(network, rows, order, solver, history, **{"max_iter": 3, **options}).run()
    return network, history, ending


def by_hand(orders, learning_rate=0.01):
    X, y = some_rows()
    network = fastbp.Network((6, 5, 1), activation="tanh", random_state=0)
    return network, [network.train_epoch(X, y, learning_rate, order=order) for order in orders]


def test_epochs_are_those_of_the_network():
    network, history, ending = a_run()
    expected, losses = by_hand([None] * 3)
    assert history == History.of_curve(losses, n_rows=150)
    assert ending == "max_iter"
    for p, q in zip(parameters_of(network), parameters_of(expected), strict=True):
        assert np.array_equal(p, q)


def test_every_epoch_shuffles_the_same_order_again():
    random = np.random.RandomState(3)
    orders = []
    for _ in range(3):
        orders.append(np.arange(50))
        random.shuffle(orders[-1])
    _, losses = by_hand(orders)
    assert a_run(shuffle=np.random.RandomState(3))[1].loss_curve == losses


def test_patience_ends_training():
    _, history, ending = a_run(stopping=EarlyStopping(tol=1e9, n_iter_no_change=4), max_iter=50)
    assert ending == "converged"
    assert len(history.loss_curve) == 6  # the first improves on nothing yet


@pytest.mark.parametrize("learning_rate", [1e3, 1e200, 1e308])
def test_divergence_ends_training_with_finite_weights(learning_rate):
    network, history, ending = a_run(learning_rate=learning_rate, max_iter=50)
    assert ending == "diverged"
    assert history.loss_curve == [math.inf]
    assert all(np.isfinite(p).all() for p in parameters_of(network))


def test_verbose_prints_a_line_an_epoch_and_why_it_stops(capsys):
    _, history, _ = a_run(
        stopping=EarlyStopping(tol=1e9, n_iter_no_change=1), max_iter=9, verbose=True
    )
    lines = capsys.readouterr().out.splitlines()
    curve = enumerate(history.loss_curve, 1)
    assert lines == [f"Epoch {i} of 9, loss = {x:.8f}" for i, x in curve]


def test_nothing_is_printed_unless_asked_for(capsys):
    a_run()
    assert capsys.readouterr().out == ""


# -- epochs without observers -------------------------------------------------------------------


class Onlooker:
    """Wants to know when an epoch begins and ends, so that each is run by itself."""

    def begin(self):
        pass

    def end(self):
        return False


SHORT = {
    "registers": ((6, 5, 1), {}, {}),
    "registers, several outputs": ((6, 5, 3), {}, {"alpha": 0.1}),
    "registers, momentum": ((6, 5, 1), {}, {"momentum": 0.9}),
    "registers, L2": ((6, 12, 1), {}, {"alpha": 0.1}),
    "registers, much L2": ((6, 5, 1), {}, {"alpha": 3.0}),
    "blocks": ((6, 40, 1), {}, {}),
    "blocks, momentum": ((6, 40, 2), {}, {"momentum": 0.9, "nesterov": True, "alpha": 0.1}),
    "blocks, CSR": ((6, 40, 20), {"sparse": True}, {"alpha": 0.1}),
    "rows of non-zeros, L2": ((6, 40, 20), {"sparse": True, "density": 0.1}, {"alpha": 0.1}),
    "rows of non-zeros, momentum": ((6, 40, 20), {"sparse": True}, {"momentum": 0.5}),
    "rows": ((6, 20, 40, 20, 1), {"n": 9}, {}),
    "rows, Adam": ((6, 5, 1), {}, {"solver": "adam"}),
    "rows, dropout": ((6, 20, 20, 1), {}, {"dropout": [0.5, 0.1], "dropout_seed": 3}),
    "rows, by weight": ((6, 5, 1), {}, {"by_weight": True, "alpha": 0.1}),
    "batches": ((6, 5, 1), {}, {"batch_size": 7}),
    "batches, momentum": ((6, 5, 2), {}, {"batch_size": 7, "momentum": 0.9, "alpha": 0.1}),
    "batches, Adam": ((6, 40, 20, 3), {}, {"batch_size": 32, "solver": "adam", "alpha": 0.1}),
    "batches, CSR": ((6, 40, 20), {"sparse": True}, {"batch_size": 8, "alpha": 0.1}),
    "batches, CSR, Adam": ((6, 40, 20), {"sparse": True}, {"batch_size": 1, "solver": "adam"}),
    "batches, dropout": ((6, 20, 1), {}, {"batch_size": 9, "dropout": [0.5], "dropout_seed": 3}),
    "batches, by weight": ((6, 5, 1), {}, {"batch_size": 7, "by_weight": True, "alpha": 0.1}),
}


def short_rows(case, network, weighted=False):
    sizes, kind, _ = SHORT[case]
    random = np.random.default_rng(0)
    X = random.standard_normal((kind.get("n", 50), 6)) * (random.random(6) < 0.8)
    y = random.standard_normal((len(X), sizes[-1]))
    weights = random.random(len(X)) if weighted else None
    X[random.random(X.shape) > kind.get("density", 1)] = 0
    return network._rows(csr_array(X) if kind.get("sparse") else X, y, weights)


def run_short(case, looked_at, *, weighted=False, dtype="float64", rate=0.01, **options):
    sizes, _, solver = SHORT[case]
    network = fastbp.Network(sizes, dtype=dtype, random_state=0)
    rows = short_rows(case, network, weighted)
    history, shuffle = History(), np.random.RandomState(2)
    ending = EpochLoop(
        network,
        rows,
        np.arange(rows.n),
        Solver(rate, **solver),
        history,
        **{"max_iter": 40, "shuffle": shuffle, **options},
        notifier=Onlooker() if looked_at else None,
    ).run()
    return network, history, ending, shuffle


def assert_the_same(run, other):
    (network, history, ending, shuffle), (expected, losses, how, random) = run, other
    assert history == losses
    assert ending == how
    assert shuffle.randint(2**31) == random.randint(2**31)
    state, state_expected = network.__getstate__(), expected.__getstate__()
    assert state["n_samples"] == state_expected["n_samples"]
    np.testing.assert_equal(state["parameters"], state_expected["parameters"])
    np.testing.assert_equal(state["moments"], state_expected["moments"])


@pytest.fixture
def n_together(monkeypatch):
    """How many epochs each call has run together."""
    return counted(monkeypatch, EpochRunner, "run")


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("case", SHORT)
def test_together_they_are_to_the_bit_what_they_are_one_by_one(case, weighted, dtype, n_together):
    network = fastbp.Network(SHORT[case][0], dtype=dtype)
    options = {"weighted": weighted, "dtype": dtype}
    one_by_one = run_short(case, True, **options)
    assert set(n_together) == {1}
    n_together.clear()
    assert_the_same(run_short(case, False, **options), one_by_one)
    assert sum(n_together) == 40
    assert min(n_together) > 1  # several calls where plain numbers take long
    has_vectors = network.plan().lanes > 1
    assert network._layers.fits_registers or "registers" not in case or not has_vectors


def test_together_they_change_their_path_at_the_rate_where_one_by_one_they_do(n_together):
    def run(looked_at):
        pace = Schedule(
            "invscaling", 0.2, power_t=0.03
        )  # times alpha below a half from epoch 10 on
        return run_short("registers, much L2", looked_at, rate=0.2, schedule=pace)

    alone = run(True)
    n_together.clear()
    assert_the_same(run(False), alone)
    assert len(n_together) == 2
    assert min(n_together) > 2


def epochs_at_once(network, rows, n_rows, solver):
    work = EpochWorkload(network._layers, network._arena, rows, n_rows, solver)
    work.choose(1)
    return work.rows_of_piece(10**6) / n_rows


def test_epochs_of_many_parameters_are_not_run_together():
    network = fastbp.Network((500, 1000, 1), random_state=0)
    rows = network._rows(np.ones((2, 500)), np.ones(2))
    for solver in (Solver(0.1), Solver(0.1, solver="adam")):
        assert epochs_at_once(network, rows, 2, solver) < 100  # each a millisecond at least
    small = fastbp.Network((2, 4, 1), random_state=0)
    rows = small._rows(np.ones((1, 2)), np.ones(1))
    assert epochs_at_once(small, rows, 1, Solver(0.1)) == 1000


@pytest.mark.parametrize("kind", ["invscaling", "adaptive"])
def test_together_they_follow_schedule_and_patience(kind, n_together):
    def run(looked_at):
        pace = Schedule(kind, 0.01, power_t=0.3)
        stopping = EarlyStopping(tol=1e-2, n_iter_no_change=3)
        options = {"schedule": pace, "stopping": stopping, "max_iter": 500}
        return *run_short("registers", looked_at, **options), pace, stopping

    *alone, pace, stopping = run(True)
    n_together.clear()
    *together, same_pace, same_patience = run(False)
    assert_the_same(together, alone)
    assert (same_pace, same_patience) == (pace, stopping)
    assert alone[2] == "converged"
    assert max(n_together) == 4


@pytest.mark.parametrize(
    "case",
    [
        "registers, momentum",
        "blocks",
        "rows, dropout",
        "rows of non-zeros, momentum",
        "batches, momentum",
        "batches, CSR",
        "batches, dropout",
    ],
)
def test_together_they_end_where_one_of_them_diverges(case):
    def run(looked_at):
        return run_short(case, looked_at, schedule=Schedule("invscaling", 1e-6, power_t=-2.5))

    together = run(False)
    assert_the_same(together, run(True))
    assert together[2] == "diverged"
    assert 2 < len(together[1].loss_curve) < 40


@pytest.mark.parametrize("case", ["registers, momentum", "rows of non-zeros, L2", "batches, Adam"])
def test_an_order_that_goes_on_is_left_as_it_was_before_one_that_diverges(case):
    sizes, _, solver = SHORT[case]
    network = fastbp.Network(sizes, random_state=0)
    rows = short_rows(case, network)
    order, shuffle = np.arange(50), np.random.RandomState(2)

    def rate(n_rows):
        return 1e-6 * (1 + n_rows / 50) ** 4

    epochs = Epochs(rows, order, Solver(1e-6, **solver), Rates(rate), shuffle, in_place=True)
    losses = [loss for loss in network._runner.run(epochs, 60) if loss < np.inf]
    assert 2 < len(losses) < 60
    expected, same = np.arange(50), np.random.RandomState(2)
    for _ in losses:
        same.shuffle(expected)
    assert np.array_equal(order, expected)
    assert shuffle.randint(2**31) == same.randint(2**31)


@pytest.mark.parametrize("in_place", [False, True])
def test_an_interrupt_at_any_call_leaves_weights_generator_and_order_of_one_time(in_place):
    for nth in itertools.count(1):
        network = fastbp.Network((6, 5, 1), random_state=0)
        rows, before = short_rows("registers", network), network._arena.values.copy()
        order, shuffle = np.arange(50), np.random.RandomState(2)
        solver = Solver(0.01, momentum=0.9)
        epochs = Epochs(rows, order, solver, shuffle=shuffle, in_place=in_place)
        if not interrupted_at(nth, network._runner.run, epochs, 5):
            break
        if np.array_equal(network._arena.values, before):
            expected, drawn = np.arange(50), 0
            assert not network._state.moments or not network._state.moments["momentum"].n_steps
        else:  # when all was done
            expected, drawn = order, 5
            assert network._state.moments["momentum"].n_steps == 250
        np.testing.assert_array_equal(order, expected)
        same = np.random.RandomState(2)
        for _ in range(drawn):
            same.shuffle(np.arange(50))
        assert shuffle.randint(2**31) == same.randint(2**31), nth
    assert nth > 30


def test_together_threads_do_not_change_a_bit(monkeypatch, n_together):
    # Any work is worth several threads.
    monkeypatch.setattr("fastbp.network.threads.MIN_OPERATIONS", 1)
    alone, shared = (run_short("batches, Adam", False, n_threads=n) for n in (1, 3))
    assert sum(n_together) == 80
    assert shared[0].plan(50, batch_size=32, solver="adam", n_threads=3).n_threads == 3
    assert_the_same(shared, alone)


def test_other_generators_shuffle_them_one_by_one(n_together):
    def shuffle():
        return np.random.RandomState(np.random.PCG64(3))

    assert_the_same(
        run_short("registers", False, shuffle=shuffle()),
        run_short("registers", True, shuffle=shuffle()),
    )
    assert set(n_together) == {1}


def test_an_interrupt_takes_back_what_history_does_not_know_of(monkeypatch):
    network = fastbp.Network((6, 5, 1), random_state=0)
    before, history = network._arena.values.copy(), History()
    X, y = some_rows()
    rows, order = network._rows(X, y), np.arange(len(X))
    solver = Solver(0.01, dropout=0.5)  # for which the engine makes no memory

    class Interrupted:  # by Ctrl-C, when the epochs are done
        def __init__(self, tuner, n_rows):
            pass

        def __enter__(self):
            return None

        def __exit__(self, *_):
            raise KeyboardInterrupt

    options = {"max_iter": 10, "shuffle": np.random.RandomState(0)}
    with monkeypatch.context() as patched:
        patched.setattr("fastbp.network.runner.timed", Interrupted)
        with pytest.raises(KeyboardInterrupt):
            EpochLoop(network, rows, order, solver, history, **options).run()
    assert np.array_equal(network._arena.values, before)
    assert history == History()
    assert EpochLoop(network, rows, order, solver, history, **options).run() == "max_iter"
    assert history.n_rows == 500
