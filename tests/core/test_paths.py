"""Every path of an epoch gives the numbers of the plain one: every layer, row by row."""

import numpy as np
import pytest
from cases import HIDDEN_ACTIVATIONS, pairwise, plan_of, worst_difference
from scipy.sparse import csr_array

from fastbp import _core
from fastbp.network import Network, Solver
from fastbp.network.runner import Epochs

RATE = 0.01
TOLERANCE = {"float64": 1e-9, "float32": 2e-3}
PAIRS = [
    ("squared_error", None),
    ("absolute_error", None),
    ("squared_error", "tanh"),
    ("log_loss", None),
    ("log_loss", "logistic"),
    ("poisson", None),
    ("huber", "logistic"),
    ("quantile", None),
]


def data(network, n_rows, density=1.0, seed=0):
    random = np.random.RandomState(seed)
    X = random.uniform(-1, 1, (n_rows, network.layer_sizes[0]))
    X[random.uniform(size=X.shape) >= density] = 0
    n_outputs = network.layer_sizes[-1]
    if network.out_activation == "softmax":
        return X, np.eye(n_outputs)[random.randint(n_outputs, size=n_rows)]
    return X, random.uniform(0, 1, (n_rows, n_outputs))


def train_plainly(network, X, y, order, sample_weight=None, **options):
    """Train every layer row by row; return the mean of the losses."""
    return network.train_epoch(
        X, y, RATE, order, sample_weight=sample_weight, plan="rows", **options
    )


def assert_sparse_rows_same_as_plain(network, n_rows, density, **options):
    path = "rows" if density < 1 / 8 or "momentum" in options else "blocks"
    assert_same_as_plain(network, path, n_rows, density=density, **options)


def assert_same_as_plain(network, path, n_rows, *, density=None, weighted=False, **options):
    X, y = data(network, n_rows, density or 1.0)
    rows = X if density is None else csr_array(X)
    sample_weight = np.random.RandomState(1).uniform(0, 2, n_rows) if weighted else None
    order = np.random.RandomState(2).permutation(n_rows)
    before, plain = network.copy(), network.copy()
    momentum = options.get("momentum", 0.0)
    plan = plan_of(network, network._rows(rows, y), n_rows, Solver(RATE, momentum=momentum))
    if plan.lanes == 1 and density is None and not momentum and path == "blocks":
        path = "rows"
    assert plan.path == path

    expected = train_plainly(plain, X, y, order, sample_weight, **options)
    loss = network.train_epoch(rows, y, RATE, order=order, sample_weight=sample_weight, **options)

    tolerance = TOLERANCE[network.dtype.name]
    assert loss == pytest.approx(expected, rel=tolerance)
    difference = worst_difference(state_of(network), state_of(plain))
    if difference > tolerance:  # more than the plain path makes of the last digit of its weights?
        drifts = []
        for seed in range(5):
            nudged = with_other_last_digits(before, seed)
            train_plainly(nudged, X, y, order, sample_weight, **options)
            drifts.append(worst_difference(state_of(nudged), state_of(plain)))
        assert difference < min(4 * max(drifts), 1e-6)


def state_of(network):
    """Weights, biases and their velocities, if any."""
    moments = network._state.moments.values()
    arenas = [network._arena, *(arena for kept in moments for arena in kept.arenas.values())]
    return [array for arena in arenas for array in arena.arrays()]


def with_other_last_digits(network, seed):
    """A copy whose parameters differ by a rounding up or down."""
    nudged = network.copy()
    values = nudged._arena.values
    ways = np.random.RandomState(seed).choice([-np.inf, np.inf], values.shape)
    values[...] = np.nextafter(values, ways.astype(values.dtype))
    return nudged


MOMENTUM = {"momentum": 0.9, "weighted": True}
NESTEROV = {"momentum": 0.7, "nesterov": True, "alpha": 0.5}


@pairwise(
    {
        "loss, out_activation": PAIRS,
        "activation": HIDDEN_ACTIVATIONS,
        "options": [{}, {"alpha": 0.5}, {"weighted": True}, MOMENTUM, NESTEROV],
    }
)
def test_two_thousand_rows_follow_the_plain_path(loss, out_activation, activation, options):
    settings = {
        "activation": activation,
        "loss": loss,
        "huber_delta": 0.3,
        "quantile": 0.8,
        "out_activation": out_activation,
        "random_state": 0,
    }
    for sizes in ((7, 70, 3), (7, 30, 20, 3)):
        assert_same_as_plain(Network(sizes, **settings), "blocks", 2003, **options)
        for density in (0.3, 0.1):
            assert_sparse_rows_same_as_plain(Network(sizes, **settings), 2003, density, **options)
    for sizes in ((7, 3, 1), (7, 5, 3), (7, 6, 6), (7, 7, 1)):
        network = Network(sizes, **settings)
        plan = network.plan(momentum=options.get("momentum", 0.0))
        path = plan.path
        any_kind = activation != "identity" or "momentum" not in options
        if sizes == (7, 3, 1) and any_kind and plan.lanes > 1:
            assert path == "registers"  # which of the others are depends on the machine's vectors
        assert_same_as_plain(network, path, 2003, **options)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("n_hidden", range(1, 71))
def test_every_width_follows_the_plain_path(n_hidden, dtype, isa):
    for sizes in ((n_hidden % 13 + 1, n_hidden, 2), (71 - n_hidden, n_hidden, 5, 1)):
        initial = Network(sizes, dtype=dtype, random_state=0)
        path = "registers" if initial.plan().path == "registers" else "blocks"
        assert_same_as_plain(initial.copy(), path, 45, alpha=0.1)
        assert_same_as_plain(initial.copy(), "blocks", 45, **NESTEROV)
        for density, options in ((0.4, {"alpha": 0.1}), (0.1, {"alpha": 0.1}), (0.2, NESTEROV)):
            assert_sparse_rows_same_as_plain(initial.copy(), 45, density, **options)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("n_hidden", range(1, 71))
def test_batches_of_every_width_are_summed_up_rows(n_hidden, dtype, isa):
    for sizes in ((n_hidden % 13 + 1, n_hidden, 2), (71 - n_hidden, n_hidden, 5, 1)):
        for options in ({"alpha": 0.3}, {"momentum": 0.9}, NESTEROV):
            network = Network(sizes, dtype=dtype, random_state=0)
            plain = network.copy()
            X, y = data(network, 45)
            network.train_epoch(X, y, RATE, batch_size=n_hidden % 19 + 2, **options)
            plain.train_epoch(csr_array(X), y, RATE, batch_size=n_hidden % 19 + 2, **options)
            for ours, theirs in zip(network._arena.arrays(), plain._arena.arrays(), strict=True):
                atol = TOLERANCE[dtype] * np.abs(theirs).max()
                np.testing.assert_allclose(ours, theirs, rtol=0, atol=atol)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_every_small_network_follows_the_plain_path(dtype, isa):
    for n_hidden in range(1, 17):
        network = Network((n_hidden % 5 + 1, n_hidden, 1), dtype=dtype, random_state=0)
        for options in ({}, {"alpha": 0.1, "weighted": True}, MOMENTUM, NESTEROV):
            if network.plan(momentum=options.get("momentum", 0.0)).path == "registers":
                assert_same_as_plain(network.copy(), "registers", 30, **options)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_every_small_network_of_several_outputs_follows_the_plain_path(dtype, isa):
    for n_hidden in range(1, 33):
        sizes = (n_hidden % 5 + 1, n_hidden, n_hidden % 11 + 1)
        network = Network(sizes, dtype=dtype, random_state=0)
        if network.plan().path == "registers":
            for options in ({}, {"alpha": 0.1, "weighted": True}, {"alpha": 40.0}):
                assert_same_as_plain(network.copy(), "registers", 75, **options)


def test_small_networks_run_in_registers_and_others_in_blocks():
    plans = {sizes: Network(sizes).plan() for sizes in ((3, 8, 2), (3, 8, 17), (600, 8, 2))}
    if plans[3, 8, 2].lanes > 1:
        assert [plan.path for plan in plans.values()] == ["registers", "blocks", "blocks"]
    else:
        assert {plan.path for plan in plans.values()} == {"rows"}


@pytest.mark.parametrize("loss", ["squared_error", "log_loss"])
def test_a_small_network_whose_weights_vanish_within_a_few_rows_is_run_row_by_row(loss):
    for sizes in ((3, 4, 2), (3, 4, 1)):
        network = Network(sizes, loss=loss if sizes[-1] > 1 else "squared_error", random_state=0)
        X, y = data(network, 45)
        plain = network.copy()
        train_plainly(plain, X, y, np.arange(45), alpha=90.0)
        network.train_epoch(X, y, RATE, alpha=90.0)
        for ours, theirs in zip(network._arena.arrays(), plain._arena.arrays(), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12)


def test_layers_of_many_panels_and_chunks(isa):
    for sizes in ((300, 150, 3), (97, 257, 2), (5000, 20, 2)):
        initial, moved = Network(sizes, random_state=0), {"momentum": 0.3, "alpha": 0.1}
        for options in ({}, moved):
            assert_same_as_plain(initial.copy(), "blocks", 43, **options)
        for density, options in ((0.15, {}), (0.05, {}), (0.01, moved)):
            assert_sparse_rows_same_as_plain(initial.copy(), 43, density, **options)


@pytest.mark.parametrize("alpha", [50.0, 100.0, 150.0], ids="alpha {}".format)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_decay_that_leaves_the_range_of_a_scale_follows_the_plain_path(alpha, dtype, isa):
    network = Network((7, 30, 20, 5), dtype=dtype, random_state=0)
    assert_same_as_plain(network.copy(), "blocks", 75, alpha=alpha)
    for density in (0.3, 0.1):
        assert_sparse_rows_same_as_plain(network.copy(), 75, density, alpha=alpha)


@pytest.mark.parametrize("alpha", [0.0, 0.1])
def test_inputs_that_are_seldom_used_catch_up_over_many_rows(alpha, isa):
    n_rows = 70_000  # more than any that an input may be behind
    random = np.random.RandomState(0)
    columns = np.minimum(random.geometric(0.3, n_rows) - 1, 39)
    X = csr_array((random.uniform(-1, 1, n_rows), columns, np.arange(n_rows + 1)), (n_rows, 40))
    y = random.uniform(size=(n_rows, 2))
    network = Network((40, 3, 2), random_state=0)
    plain = network.copy()
    order = np.arange(n_rows)
    options = {"momentum": 0.9, "alpha": alpha}
    train_plainly(plain, X.toarray(), y, order, **options)
    network.train_epoch(X, y, RATE, plan="rows", **options)
    assert worst_difference(state_of(network), state_of(plain)) < 1e-9


def test_rows_of_which_an_eighth_is_not_zero_are_not_nearly_empty():
    network = Network((12, 20, 30, 2), random_state=0)
    X = np.zeros((40, 12))
    X[:, 0] = X[::2, 1] = 1  # one and a half a row
    rows = network._rows(csr_array(X), np.zeros((40, 2)))
    assert plan_of(network, rows, 40, Solver(RATE)).path == "blocks"
    X[0, 0] = 0
    rows = network._rows(csr_array(X), np.zeros((40, 2)))
    assert plan_of(network, rows, 40, Solver(RATE)).path == "rows"


@pytest.mark.parametrize("n_rows", range(16, 34))
def test_blocks_of_rows_may_end_anywhere(n_rows, isa):
    sizes = (3, 17, 5, 2)  # too deep for registers
    if n_rows >= 2 * Network(sizes)._layers.block_rows:
        assert_same_as_plain(Network(sizes, random_state=0), "blocks", n_rows, alpha=0.3)
        network = Network(sizes, random_state=0)
        assert_sparse_rows_same_as_plain(network, n_rows, 0.5, alpha=0.3)


@pytest.mark.parametrize("options", [{}, {"alpha": 0.3}, NESTEROV], ids=str)
@pytest.mark.parametrize("n_features", [600, 60])
def test_unsorted_and_repeated_columns_follow_the_plain_path(n_features, options):
    random = np.random.RandomState(0)
    columns = random.randint(n_features, size=(40, 30))
    values = random.uniform(-1, 1, columns.shape)
    X = csr_array((values.ravel(), columns.ravel(), np.arange(0, 1201, 30)), (40, n_features))
    y = random.uniform(size=(40, 2))
    network = Network((n_features, 40, 2), random_state=0)
    plain = network.copy()
    train_plainly(plain, X.toarray(), y, np.arange(40), **options)
    network.train_epoch(X, y, RATE, **options)
    np.testing.assert_allclose(network.weights[0], plain.weights[0], rtol=0, atol=1e-12)


SIZES = {"registers": [(3, 4, 1), (3, 20, 2)], "blocks": [(3, 70, 2), (3, 70, 5), (3, 50, 9, 1)]}
ON_PATHS = pytest.mark.parametrize(
    ("sizes", "path"), [(sizes, path) for path, each in SIZES.items() for sizes in each]
)


def trained_on_its_path(network, path, rows, rate=RATE, **options):
    """Train 40 rows in their order as `path` does; return where that stopped."""
    solver = Solver(RATE, **options)
    plan = plan_of(network, rows, 40, solver)
    assert plan.path == path or plan.lanes == 1
    workspace = None
    if plan.path != "rows":
        workspace = _core.Workspace(network._layers, plan.path, False, "plain")
    run = _core.EpochRun(
        network._layers,
        rows,
        np.arange(40),
        solver.compiled(1),
        memory=workspace,
        rates=np.array([[rate]]),
    )
    return 40 if run.advance(40) else run.row


@ON_PATHS
@pytest.mark.parametrize("bad_row", [0, 3, 8, 21, 39])
@pytest.mark.parametrize(("target", "max_loss"), [(1e200, 1e300), (1e60, 1e100)])
def test_rows_before_a_loss_that_is_too_large_are_kept(sizes, path, bad_row, target, max_loss):
    network = Network(sizes, activation="tanh", random_state=0)
    X, y = data(network, 40)
    y[bad_row] = target
    plain = network.copy()
    rows = network._rows(X, y)
    rows.max_loss = max_loss
    assert trained_on_its_path(network, path, rows) == bad_row
    if bad_row:
        train_plainly(plain, X, y, np.arange(bad_row))
    for ours, theirs in zip(network.weights, plain.weights, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12)


@ON_PATHS
def test_a_weight_that_is_not_a_number_stops_training_at_once(sizes, path):
    network = Network(sizes, activation="relu", random_state=0)
    rows = network._rows(*data(network, 40))
    network.weights[0][0, 1] = np.nan
    assert trained_on_its_path(network, path, rows) == 0


@ON_PATHS
@pytest.mark.parametrize("options", [{}, {"alpha": 0.3}], ids=str)
def test_a_rate_of_zero_changes_nothing(sizes, path, options):
    network = Network(sizes, random_state=0)
    before = network.copy()
    rows = network._rows(*data(network, 40))
    assert trained_on_its_path(network, path, rows, rate=0.0, **options) == 40
    for ours, theirs in zip(network.weights, before.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_the_same_bits_however_long_an_epoch_takes():
    networks = []
    for _ in range(2):
        network = Network((5, 40, 1), random_state=0)
        X, y = data(network, 20_000)
        rows = network._rows(X, y)
        network._run_epoch(Epochs(rows, np.arange(20_000), Solver(RATE)))
        networks.append(network)
    for a, b in zip(networks[0].weights, networks[1].weights, strict=True):
        assert a.tobytes() == b.tobytes()


@pytest.mark.parametrize("path", ["registers", "blocks", "rows", "batches"])
def test_a_path_that_is_given_is_taken(path, monkeypatch):
    network, taken = Network((4, 6, 1), random_state=0), []
    X, y = data(network, 40)
    if network.plan().lanes == 1 and path == "registers":
        pytest.skip("too large for the registers of plain numbers")
    expected = network.copy()
    expected.train_epoch(X, y, RATE)
    begin = _core.EpochRun
    monkeypatch.setattr(_core, "EpochRun", lambda *args: taken.append(args[5]) or begin(*args))
    plan = network.plan(path=path)
    assert plan.path == path
    for chosen in (path, plan):
        same = network.copy()
        same.train_epoch(X, y, RATE, plan=chosen)
        assert worst_difference(state_of(same), state_of(expected)) < 1e-12
    kinds = {"rows": type(None), "batches": _core.BatchWorkspace}
    assert {type(memory) for memory in taken} == {kinds.get(path, _core.Workspace)}


@pytest.mark.parametrize(
    ("path", "sparse", "options"),
    [
        ("registers", False, {"batch_size": 2}),
        ("registers", True, {}),
        ("registers", False, {"alpha": 80.0}),
        ("blocks", False, {"solver": "adam"}),
        ("blocks", True, {"momentum": 0.9}),
        ("rows", True, {"dropout": 0.5}),
        ("rows", False, {"batch_size": 2}),
    ],
)
def test_a_path_that_is_not_possible_is_refused(path, sparse, options):
    network = Network((4, 6, 1), random_state=0)
    X, y = data(network, 40)
    before = network._arena.values.copy()
    with pytest.raises(ValueError, match=f"{path!r} cannot be taken here"):
        network.train_epoch(csr_array(X) if sparse else X, y, RATE, plan=path, **options)
    assert np.array_equal(network._arena.values, before)


def test_an_unknown_path_is_refused():
    with pytest.raises(ValueError, match="plan must be one of registers, blocks, rows, batches"):
        Network((4, 6, 1)).plan(path="lanes")
