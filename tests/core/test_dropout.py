"""Dropout against a NumPy reference that draws the same masks, and what it leaves alone."""

import itertools
import pickle

import numpy as np
import pytest
from cases import copy_on, parameters_of, random_case, worst_difference
from plain_models import BackpropRegressor
from reference import Reference
from scipy.sparse import csr_array

import fastbp
from fastbp import _core
from fastbp.network import Solver, threads
from fastbp.network.runner import Epochs

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

SIZES, N_ROWS, RATE = (4, 9, 6, 3), 150, 0.05
DROPOUT, SEED = (0.5, 0.25), 123_456_789


def mixed(k):
    """The finaliser of SplitMix64 on an array of uint64."""
    k = (k ^ (k >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    k = (k ^ (k >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return k ^ (k >> np.uint64(31))


def masks_of(samples, sizes=SIZES, dropout=DROPOUT, seed=SEED):
    """For each hidden layer the factors of its units for these samples, (samples, units)."""
    masks = []
    for layer, (n, p) in enumerate(zip(sizes[1:-1], dropout, strict=True)):
        layer_seed = np.array([seed + (layer << 32)], dtype=np.uint64)
        start = mixed(mixed(layer_seed) + np.asarray(samples, dtype=np.uint64))[:, np.newaxis]
        numbers = np.arange(1, n + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        drawn = (mixed(start + numbers) >> np.uint64(11)) / 2**53
        masks.append(np.where(drawn < p, 0, 1 / (1 - p)))
    return masks


def case(loss="squared_error", out_activation="identity", activation="tanh", **options):
    return random_case(loss, out_activation, SIZES, N_ROWS, activation=activation, **options)


# -- the masks -----------------------------------------------------------------------------------


def test_the_share_of_units_that_are_dropped_is_the_probability():
    (mask,) = masks_of(np.arange(20_000), (1, 50, 1), (0.3,))
    assert np.mean(mask == 0) == pytest.approx(0.3, abs=0.002)
    assert mask.mean() == pytest.approx(1, abs=0.005)
    shares = np.mean(mask == 0, axis=0)
    assert np.abs(shares - 0.3).max() < 0.02
    together = np.mean((mask[:, :-1] == 0) & (mask[:, 1:] == 0), axis=0)
    assert np.abs(together - 0.09).max() < 0.015
    in_a_row = np.mean((mask[:-1] == 0) & (mask[1:] == 0))
    assert in_a_row == pytest.approx(0.09, abs=0.003)


SOLVERS = {
    "sgd": {},
    "L2": {"alpha": 0.1},
    "momentum": {"momentum": 0.9, "nesterov": True},
    "adam": {"solver": "adam"},
}


@pytest.mark.parametrize("batch_size", [1, 7, 64, N_ROWS])
@pytest.mark.parametrize("name", SOLVERS)
@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
def test_two_epochs_follow_the_reference_with_the_same_masks(activation, name, batch_size):
    network, X, y = case("log_loss", "softmax", activation)
    options = {**SOLVERS[name], "batch_size": batch_size}
    order = np.random.default_rng(1).permutation(N_ROWS)
    rate = 0.005 if name != "sgd" else RATE
    reference = Reference(network)
    expected = []
    for epoch in range(2):
        masks = masks_of(np.arange(N_ROWS) + epoch * N_ROWS)
        expected.append(reference.train_epoch(X, y, rate, order=order, masks=masks, **options))
    assert worst_difference(parameters_of(network), reference.parameters) > 1e-3
    for isa, rows in itertools.product(_core.available_isas(), (X, csr_array(X))):
        trained = copy_on(isa, network)
        losses = [
            trained.train_epoch(
                rows, y, rate, order=order, dropout=DROPOUT, dropout_seed=SEED, **options
            )
            for _ in range(2)
        ]
        assert losses == pytest.approx(expected, rel=1e-10)
        assert worst_difference(parameters_of(trained), reference.parameters) < 1e-10


@pytest.mark.parametrize(
    ("loss", "out_activation"), [("huber", "tanh"), ("quantile", "identity"), ("poisson", "exp")]
)
def test_float32_drops_the_same_units(loss, out_activation):
    network, X, y = case(loss, out_activation, dtype="float32")
    reference = Reference(network)
    reference.train_epoch(X, y, RATE, masks=masks_of(np.arange(N_ROWS)))
    for isa in _core.available_isas():
        trained = copy_on(isa, network)
        trained.train_epoch(X, y, RATE, dropout=DROPOUT, dropout_seed=SEED)
        assert worst_difference(parameters_of(trained), reference.parameters) < 1e-4


def test_means_per_weight_follow_the_reference_with_the_same_masks():
    network, X, y = case()
    weights = np.random.default_rng(3).uniform(0.5, 2, N_ROWS)
    order = np.arange(N_ROWS)
    for batch_size in (1, 16):
        reference, trained = Reference(network), network.copy()
        options = {"alpha": 0.1, "batch_size": batch_size, "by_weight": True}
        expected = reference.train_epoch(
            X, y, RATE, sample_weight=weights, masks=masks_of(order), **options
        )
        solver = Solver(RATE, dropout=DROPOUT, dropout_seed=SEED, **options)
        loss = trained._run_epoch(Epochs(trained._rows(X, y, weights), order, solver))
        assert loss == pytest.approx(expected, rel=1e-10)
        assert worst_difference(parameters_of(trained), reference.parameters) < 1e-10


@pytest.mark.parametrize("activation", ["logistic", "tanh", "relu"])
def test_gradients_under_a_fixed_mask_equal_central_differences(activation):
    network, X, y = case(activation=activation)
    options = {"dropout": DROPOUT, "dropout_seed": SEED, "batch_size": N_ROWS}

    def loss():
        return network.copy().train_epoch(X, y, 1e-300, **options)

    trained = network.copy()
    trained.train_epoch(X, y, 1.0, **options)
    for parameter, moved in zip(parameters_of(network), parameters_of(trained), strict=True):
        gradient = parameter - moved
        live = next(p for p in (*network.weights, *network.biases) if np.array_equal(p, parameter))
        for index in np.ndindex(parameter.shape):
            kept, h = live[index], 1e-5
            live[index] = kept + h
            above = loss()
            live[index] = kept - h
            below = loss()
            live[index] = kept
            assert (above - below) / (2 * h) == pytest.approx(gradient[index], rel=1e-5, abs=1e-8)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_any_number_of_threads_gives_the_same_bits(solver, dtype, monkeypatch):
    monkeypatch.setattr(threads, "MIN_OPERATIONS", 1)
    network, X, y = random_case("squared_error", "identity", (30, 50, 40, 2), 300, dtype=dtype)
    options = {"dropout": 0.4, "dropout_seed": 5, "batch_size": 100, "solver": solver}
    results = []
    for n_threads in (1, 2, 3):
        trained = network.copy()
        assert trained.plan(300, n_threads=n_threads, **{
            key: options[key] for key in ("batch_size", "solver", "dropout")
        }).n_threads == n_threads  # fmt: skip
        losses = [trained.train_epoch(X, y, 0.01, n_threads=n_threads, **options) for _ in "ab"]
        results.append((losses, trained._arena.values.tobytes()))
    assert results[1:] == results[:-1]


def test_another_seed_and_the_next_epoch_drop_other_units():
    network, X, y = case()

    def trained(*seeds):
        reference = network.copy()
        for seed in seeds:
            reference.train_epoch(X, y, RATE, dropout=0.5, dropout_seed=seed)
        return reference._arena.values.tobytes()

    assert trained(1) == trained(1)
    assert trained(1) != trained(2)
    first, second = (masks_of(np.arange(10) + start)[0] for start in (0, 10))
    assert not np.array_equal(first, second)
    assert not np.array_equal(masks_of(np.arange(10), dropout=(0.5, 0.5))[0][:, :6],
                              masks_of(np.arange(10), dropout=(0.5, 0.5))[1])  # fmt: skip


# -- what it leaves alone ------------------------------------------------------------------------


def test_without_dropout_nothing_changes():
    network, X, y = case()
    assert network.plan() == network.plan(dropout=0.0) == network.plan(dropout=[0.0, 0.0])
    plan = network.plan()
    assert plan.path == ("blocks" if plan.lanes > 1 else "rows")
    assert network.plan(dropout=[0.0, 0.1]).path == "rows"
    for dropout in (0, [0.0, 0.0]):
        one, other = network.copy(), network.copy()
        one.train_epoch(X, y, RATE, dropout=dropout, dropout_seed=7)
        other.train_epoch(X, y, RATE)
        assert one._arena.values.tobytes() == other._arena.values.tobytes()


def test_predictions_losses_and_gradients_are_those_of_all_units():
    network, X, y = case()
    network.train_epoch(X, y, RATE, dropout=0.5)
    reference = Reference(network)
    assert np.allclose(network.forward(X), reference.forward(X)[1][-1], rtol=1e-12)
    assert network.loss(X, y) == pytest.approx(reference.loss(X, y), rel=1e-12)
    _, grad_weights, grad_biases = network.gradients(X, y)
    assert worst_difference([*grad_weights, *grad_biases], reference.gradients(X, y)) < 1e-12


def test_copies_and_pickles_go_on_with_the_same_masks():
    network, X, y = case()
    options = {"dropout": 0.5, "dropout_seed": 3}
    network.train_epoch(X, y, RATE, **options)
    others = [network.copy(), pickle.loads(pickle.dumps(network))]
    network.train_epoch(X, y, RATE, **options)
    for other in others:
        other.train_epoch(X, y, RATE, **options)
        assert other._arena.values.tobytes() == network._arena.values.tobytes()


def test_a_network_without_hidden_layers_has_none_to_drop():
    network, other = (fastbp.Network((3, 1), random_state=0) for _ in "ab")
    X = np.random.default_rng(0).normal(size=(20, 3))
    network.train_epoch(X, X[:, 0], RATE, dropout=0.9)
    other.train_epoch(X, X[:, 0], RATE)
    assert np.allclose(network.weights[0], other.weights[0], rtol=1e-13)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dropout": 1.0}, "dropout must be at least 0 and below 1; got 1.0"),
        ({"dropout": -0.1}, "dropout must be at least 0"),
        ({"dropout": "half"}, "dropout must be a number; got 'half'"),
        ({"dropout": [0.1, 1.5]}, r"dropout\[1\] must be at least 0 and below 1"),
        ({"dropout": [0.1]}, "dropout lists 1 number, but the network has 2 hidden layers"),
        ({"dropout": 0.1, "dropout_seed": -1}, "dropout_seed must be at least 0"),
        ({"dropout": 0.1, "dropout_seed": 2**32}, r"dropout_seed must be below 2\*\*32"),
    ],
)
def test_a_dropout_that_cannot_be_is_refused_before_anything_changes(options, message):
    network, X, y = case()
    before = network._arena.values.copy()
    with pytest.raises((ValueError, TypeError), match=message):
        network.train_epoch(X, y, RATE, **options)
    assert np.array_equal(network._arena.values, before)


# -- estimators ----------------------------------------------------------------------------------


def regression(n_rows=120):
    random = np.random.default_rng(0)
    X = random.normal(size=(n_rows, 3))
    return X, np.sin(X @ random.normal(size=3))


def regressor(**options):
    small = {"hidden_layer_sizes": (12, 8), "learning_rate_init": 0.02, "max_iter": 6, "tol": 0}
    return BackpropRegressor(**{"random_state": 0, "dropout": 0.3, **small, **options})


def bits(model):
    return model.network_._arena.values.tobytes()


@pytest.mark.parametrize("options", [{}, {"batch_size": 10, "solver": "adam"}], ids=str)
def test_a_random_state_decides_which_units_are_dropped(options):
    X, y = regression()
    assert bits(regressor(**options).fit(X, y)) == bits(regressor(**options).fit(X, y))
    plain = regressor(dropout=0, **options).fit(X, y)
    dropped = regressor(**options).fit(X, y)
    assert bits(plain) != bits(dropped)
    assert bits(regressor(dropout=[0.3, 0.3], **options).fit(X, y)) == bits(dropped)
    assert bits(regressor(dropout=[0.3, 0.0], **options).fit(X, y)) != bits(dropped)
    drawn = [regressor(random_state=s, max_iter=1, learning_rate_init=1e-300, dropout=0.5,
                       **options).fit(X, y).loss_ for s in (0, 1)]  # fmt: skip
    assert drawn[0] != drawn[1]


def test_a_warm_start_and_a_pickle_go_on_where_training_was():
    X, y = regression()
    whole = regressor(max_iter=5).fit(X, y)
    parts = regressor(max_iter=2, warm_start=True).fit(X, y)
    again = pickle.loads(pickle.dumps(parts))
    for model in (parts, again):
        model.set_params(max_iter=3).fit(X, y)
        assert bits(model) == bits(whole)


def test_one_row_of_partial_fit_drops_units_as_well():
    X, y = regression()
    model, plain = regressor().fit(X, y), regressor()
    network, seed = model.network_.copy(), model._seed
    for i in range(5):
        model.partial_fit(X[i : i + 1], y[i : i + 1])
        network.train_epoch(X[i : i + 1], y[i : i + 1], 0.02, dropout=0.3, dropout_seed=seed)
    assert bits(model) == network._arena.values.tobytes()
    assert plain.get_params()["dropout"] == 0.3


def test_several_initialisations_are_trained_one_after_another():
    X, y = regression()
    model = regressor(n_init=8, hidden_layer_sizes=4, dropout=0.2).fit(X, y)
    single = regressor(n_init=1, hidden_layer_sizes=4, dropout=0.2).fit(X, y)
    assert model.init_losses_[0] == single.loss_
    assert len(set(model.init_losses_)) == 8


def test_recording_leaves_the_bits_as_they_are_and_traces_show_the_whole_network():
    X, y = regression()
    model, other = regressor(), regressor().fit(X, y)
    recording = fastbp.record(model, X, y)
    assert bits(model) == bits(other)
    assert recording.epoch_losses == other.loss_curve_
    with pytest.raises(ValueError, match="drops units at random"):
        fastbp.trace_step(model, X[0], y[0], dropout=0.5)
    shown = fastbp.trace_step(model, X[0], y[0])
    assert "without the dropout of training" in str(shown)
    whole = fastbp.trace_step(model, X[0], y[0], dropout=0)
    assert "without the dropout" not in str(whole)
    assert shown.to_dict() == {**whole.to_dict(), "dropout_off": True}
    assert recording.trace(0).dropout_off
    note = '"dropout_off":true'
    assert note in recording.to_html()
    assert note in shown.to_html()
    assert note not in whole.to_html()


def test_it_keeps_a_network_from_learning_without_generalising():
    random = np.random.default_rng(0)
    X, X_test = random.normal(size=(2, 100, 20))
    y, y_test = (np.sin(rows[:, 0]) + rows[:, 1] for rows in (X, X_test))
    y += 0.5 * random.normal(size=100)
    options = {"hidden_layer_sizes": 100, "learning_rate_init": 0.005, "max_iter": 300}
    plain, dropped = (
        regressor(dropout=dropout, n_iter_no_change=300, **options).fit(X, y)
        for dropout in (0.0, 0.5)
    )
    assert plain.score(X, y) > 0.999 > dropped.score(X, y)
    assert dropped.score(X_test, y_test) > plain.score(X_test, y_test) + 0.04
