"""Training against the NumPy reference: every step must be right for the last to be."""

import numpy as np
import pytest
from cases import (
    HIDDEN_ACTIVATIONS,
    PAIRS,
    copy_on,
    pairwise,
    parameters_of,
    random_case,
    worst_difference,
)
from reference import Reference
from scipy.sparse import csr_array

from fastbp import _core
from fastbp.network import Solver, threads
from fastbp.network.runner import Epochs

N_ROWS = 300
# Options of train_epoch, besides a learning rate.
PLAIN = {}
EVERYTHING = {"momentum": 0.8, "nesterov": True, "alpha": 0.01}
SOLVERS = {
    "L2": {"alpha": 0.02},
    "momentum": {"momentum": 0.9},
    "Nesterov": {"momentum": 0.9, "nesterov": True},
    "momentum and L2": {"momentum": 0.7, "alpha": 0.02},
    "batches of 7": {"batch_size": 7},
    "batches of 7, L2": {"batch_size": 7, "alpha": 0.05},
    "batches of 32 with a rest": {"batch_size": 32, "momentum": 0.9},
    "batches of 32, all": {"batch_size": 32, **EVERYTHING},
    "one batch": {"batch_size": N_ROWS},
    "Adam": {"solver": "adam", "alpha": 0.02},
    "Adam, batches of 7": {"solver": "adam", "batch_size": 7},
    "Adam, batches of 32": {"solver": "adam", "batch_size": 32, "alpha": 0.1, "beta_1": 0.8},
    "Adam, one batch": {"solver": "adam", "batch_size": N_ROWS, "beta_2": 0.9, "epsilon": 1e-4},
    "AdamW": {"solver": "adamw", "alpha": 0.1},
    "AdamW, batches of 7": {"solver": "adamw", "batch_size": 7, "alpha": 0.5, "epsilon": 1e-3},
    "AdamW, one batch": {"solver": "adamw", "batch_size": N_ROWS, "beta_1": 0.5, "beta_2": 0.9},
    "AdaGrad": {"solver": "adagrad"},
    "AdaGrad and L2": {"solver": "adagrad", "alpha": 0.02},
    "AdaGrad, batches of 7": {"solver": "adagrad", "batch_size": 7},
    "AdaGrad, batches of 32, L2": {"solver": "adagrad", "batch_size": 32, "alpha": 0.1},
    "RMSprop": {"solver": "rmsprop"},
    "RMSprop and L2": {"solver": "rmsprop", "alpha": 0.02, "beta_2": 0.9},
    "RMSprop, batches of 32": {"solver": "rmsprop", "batch_size": 32, "epsilon": 1e-4},
    "batches larger than the data": {"batch_size": 5 * N_ROWS, "momentum": 0.5},
}


def rows_of(
    loss,
    out_activation,
    activation="tanh",
    dtype="float64",
    layer_sizes=(6, 7, 5, 3),
    n_rows=N_ROWS,
):
    """A case of which half of X is 0, which CSR leaves out."""
    network, X, y = random_case(
        loss, out_activation, layer_sizes, n_rows, activation=activation, dtype=dtype, seed=2
    )
    X[np.random.default_rng(0).integers(0, 2, X.shape) == 0] = 0
    if out_activation == "relu":
        network.biases[-1][...] = 1  # lest an output is never active
    order = np.random.default_rng(1).permutation(n_rows)
    return network, X, y, order


def assert_same_training(network, X, y, learning_rate=0.02, tolerance=1e-10, **options):
    """Train reference and network, dense and CSR, on every instruction set; compare the outcomes.

    Momentum mu makes steps 1 / (1 - mu) times as long, in the end. Without less of a learning
    rate, training is chaotic: it blows up the last digit's rounding until it shows.
    """
    learning_rate *= 1 - options.get("momentum", 0)
    if options.get("solver", "sgd") != "sgd":  # whose steps are as long as the rate, or longer
        learning_rate *= 0.02 if options["solver"] == "rmsprop" else 0.1
    reference = Reference(network)
    expected_loss = reference.train_epoch(X, y, learning_rate, **options)
    assert (
        worst_difference(parameters_of(network), reference.parameters) > 1e-3
    )  # something happened
    for isa in _core.available_isas():
        for rows in (X, csr_array(X)):
            trained = copy_on(isa, network)
            loss = trained.train_epoch(rows, y, learning_rate, **options)
            assert worst_difference(parameters_of(trained), reference.parameters) < tolerance, isa
            assert loss == pytest.approx(expected_loss, rel=tolerance)


@pairwise(
    {
        "loss, out_activation": PAIRS,
        "activation": HIDDEN_ACTIVATIONS,
        "options": [PLAIN, EVERYTHING],
    }
)
def test_training_row_by_row_follows_the_reference(activation, loss, out_activation, options):
    network, X, y, order = rows_of(loss, out_activation, activation)
    assert_same_training(network, X, y, order=order, **options)


@pytest.mark.parametrize("options", [PLAIN, EVERYTHING], ids=["plain", "Nesterov and L2"])
@pytest.mark.parametrize(("loss", "out_activation"), [PAIRS[2], *PAIRS[8:11]])
def test_a_thousand_rows_follow_the_reference(loss, out_activation, options):
    network, X, y, order = rows_of(loss, out_activation, n_rows=1000)
    assert_same_training(network, X, y, order=order, **options)


@pytest.mark.parametrize("alpha", [0.0, 0.05])
@pytest.mark.parametrize("batch_size", [1, 32])
@pytest.mark.parametrize("solver", ["adam", "adamw", "adagrad", "rmsprop"])
def test_a_thousand_rows_follow_solvers_with_roots(solver, batch_size, alpha):
    options = {"solver": solver, "batch_size": batch_size, "alpha": alpha}
    for loss, out_activation, activation in (("log_loss", "softmax", "relu"), (*PAIRS[2], "tanh")):
        network, X, y, order = rows_of(loss, out_activation, activation, n_rows=1000)
        assert_same_training(network, X, y, order=order, **options)


@pairwise(
    {
        "loss, out_activation": [pair for pair in PAIRS if pair != PAIRS[9]],
        "activation": HIDDEN_ACTIVATIONS,
        "options": [PLAIN, {"alpha": 0.02}],
    }
)
def test_training_small_networks_in_registers_follows_the_reference(
    activation, loss, out_activation, options
):
    weights = np.random.default_rng(3).uniform(0, 2, N_ROWS)
    for n_hidden, sample_weight in ((3, None), (3, weights), (13, None)):
        sizes = (4, n_hidden, 1)
        network, X, y, order = rows_of(loss, out_activation, activation, layer_sizes=sizes)
        if n_hidden == 3:  # fits registers of four numbers
            for plan in (copy_on(isa, network).plan() for isa in _core.available_isas()):
                assert plan.path == ("registers" if plan.lanes > 1 else "rows")
        assert_same_training(
            network, X, y, 0.01, order=order, sample_weight=sample_weight, **options
        )


@pytest.mark.parametrize(
    "options", [PLAIN, {"alpha": 0.02}, {"batch_size": 7}], ids=["plain", "L2", "batches"]
)
@pytest.mark.parametrize("layer_sizes", [(4, 1), (4, 3), (200, 40, 2)])
@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_training_without_hidden_layers_and_with_wide_ones_follows_the_reference(
    activation, layer_sizes, options
):
    network, X, y, order = rows_of("squared_error", "identity", activation, layer_sizes=layer_sizes)
    for plan in (copy_on(isa, network).plan() for isa in _core.available_isas()):
        assert plan.path == ("blocks" if plan.lanes > 1 else "rows")
    assert_same_training(network, X, y, 0.3 / layer_sizes[0], order=order, **options)


@pytest.mark.parametrize("name", SOLVERS)
@pytest.mark.parametrize(("loss", "out_activation"), [PAIRS[2], PAIRS[7], *PAIRS[8:]])
def test_every_solver_follows_the_reference(loss, out_activation, name):
    network, X, y, order = rows_of(loss, out_activation)
    assert_same_training(network, X, y, 0.05, order=order, **SOLVERS[name])


@pytest.mark.parametrize(
    "options", [PLAIN, {"alpha": 0.02}, {"momentum": 0.9}, {"batch_size": 7, **EVERYTHING}], ids=str
)
@pytest.mark.parametrize(("loss", "out_activation"), [PAIRS[0], PAIRS[9]])
def test_weighted_rows_follow_the_reference(loss, out_activation, options):
    network, X, y, order = rows_of(loss, out_activation)
    weights = np.random.default_rng(3).uniform(0, 2, N_ROWS)
    weights[::5] = 0
    assert_same_training(network, X, y, order=order, sample_weight=weights, **options)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("alpha", [0.0, 0.3])
@pytest.mark.parametrize("batch_size", [1, 7, 64])
@pytest.mark.parametrize(
    "options", [PLAIN, {"momentum": 0.9, "nesterov": True}, {"solver": "adam"}], ids=str
)
def test_means_per_weight_follow_the_reference(options, batch_size, alpha, weighted):
    case, X, y, order = rows_of("log_loss", "softmax")
    weights = np.random.default_rng(3).uniform(0.5, 2, N_ROWS) if weighted else None
    options = {**options, "alpha": alpha, "batch_size": batch_size, "by_weight": True}
    reference = Reference(case)
    expected = [
        reference.train_epoch(X, y, 0.002, order=order, sample_weight=weights, **options)
        for _ in range(2)
    ]
    for isa in _core.available_isas():
        for rows in (X, csr_array(X)):
            network = copy_on(isa, case)
            laid_out = network._rows(rows, y, weights)
            solver = Solver(0.002, **options)
            losses = [network._run_epoch(Epochs(laid_out, order, solver)) for _ in range(2)]
            assert worst_difference(parameters_of(network), reference.parameters) < 1e-10
            assert losses == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    "options", [{"alpha": 0.1}, EVERYTHING, {"solver": "adam", "alpha": 0.1}], ids=str
)
def test_any_number_of_threads_gives_the_same_bits(options, dtype, isa, monkeypatch):
    monkeypatch.setattr(threads, "MIN_OPERATIONS", 1)
    case, X, y, order = rows_of("log_loss", "softmax", dtype=dtype, layer_sizes=(60, 50, 3))
    for rows in (X, csr_array(X)):
        for batch_size in (5, 64, 999):
            networks = []
            for n_threads in (1, 2, 3, 5):
                network = case.copy()
                plan = network.plan(
                    N_ROWS,
                    batch_size=batch_size,
                    sparse=rows is not X,
                    n_threads=n_threads,
                    solver=options.get("solver", "sgd"),
                )
                assert plan.n_threads == n_threads
                laid_out = network._rows(rows, y)
                solver = Solver(0.01, batch_size=batch_size, by_weight=True, **options)
                loss = network._run_epoch(Epochs(laid_out, order, solver, n_threads=n_threads))
                outputs = network.forward(rows, n_threads)
                networks.append((loss, outputs.tobytes(), network._arena.values.tobytes()))
            assert networks[1:] == networks[:-1]


def test_velocities_stay_between_epochs_of_every_kind(isa):
    network, X, y, _ = rows_of("squared_error", "identity")
    reference = Reference(network)
    for options in ({"batch_size": 7}, {}, {"batch_size": 32, "nesterov": True}, {"alpha": 0.1}):
        for rows in (X, csr_array(X), X[:5]):
            network.train_epoch(rows, y[: rows.shape[0]], 0.002, momentum=0.9, **options)
            n = rows.shape[0]
            reference.train_epoch(X[:n], y[:n], 0.002, momentum=0.9, **options)
            assert worst_difference(parameters_of(network), reference.parameters) < 1e-10


@pytest.mark.parametrize(("loss", "out_activation"), PAIRS)
def test_float32_training_stays_close_to_the_float64_reference(loss, out_activation):
    network, X, y, order = rows_of(loss, out_activation, dtype="float32")
    assert_same_training(network, X, y, 0.01, tolerance=1e-4, order=order)
