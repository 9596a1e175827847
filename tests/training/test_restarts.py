"""Training from several initialisations: each ends as it would alone, and the best is kept."""

import copy
import itertools
import warnings

import numpy as np
import pytest
from cases import HIDDEN_ACTIVATIONS, PAIRS, pairwise, parameters_of, random_case, worst_difference
from numpy.testing import assert_allclose, assert_array_equal
from plain_models import BackpropClassifier, BackpropRegressor
from scipy.sparse import csr_array
from sklearn.exceptions import ConvergenceWarning

from fastbp import DivergenceWarning, Network
from fastbp.network import Solver
from fastbp.network.runner import EpochRunner, Epochs
from fastbp.training import restarts as restarts_module
from fastbp.training.epochs import EpochLoop
from fastbp.training.lanes import LaneGroup
from fastbp.training.restarts import RestartsLoop, best_of, draw_restarts
from fastbp.training.run import History, Restart
from fastbp.training.stopping import EarlyStopping

MAX_DIFFERENCE = {"float64": 1e-9, "float32": 3e-4}
STEPS = {
    "plain": {},
    "L2": {"alpha": 0.3},
    "momentum": {"momentum": 0.8, "alpha": 0.1},
    "Nesterov": {"momentum": 0.8, "nesterov": True},
}


def several(n, loss, out_activation, layer_sizes, activation="tanh", dtype="float64", n_rows=40):
    """n networks of one shape, and rows for them."""
    made = [
        random_case(loss, out_activation, layer_sizes, n_rows, activation, dtype, seed)
        for seed in range(n)
    ]
    return [network for network, _, _ in made], *made[0][1:]


def check_lanes_against_networks(networks, X, y, solver, sample_weight=None):
    """Two epochs side by side, the second in two pieces, are two epochs of every network alone."""
    alone = [network.copy() for network in networks]
    rows = networks[0]._rows(X, y, sample_weight)
    order = np.random.default_rng(1).permutation(np.repeat(np.arange(len(X)), 3))
    lane_group = LaneGroup(networks, solver)
    losses = np.array(
        [lane_group.run_epoch(rows, order), lane_group.run_epoch(rows, order[::-1].copy())]
    )
    lane_group.copy_back()
    expected = np.array(
        [
            [n._run_epoch(Epochs(rows, shuffled, solver)) for n in alone]
            for shuffled in (order, order[::-1].copy())
        ]
    )
    most = MAX_DIFFERENCE[networks[0].dtype.name]
    assert np.isfinite(expected).all()
    assert_allclose(losses[:, : len(networks)], expected, rtol=most)
    for network, other in zip(networks, alone, strict=True):
        assert worst_difference(parameters_of(network), parameters_of(other)) < most
        if solver.momentum:
            found, expected = (one._state.moments["momentum"].values for one in (network, other))
            assert_allclose(found, expected, atol=most)


@pairwise({"loss, out_activation": PAIRS, "activation": HIDDEN_ACTIVATIONS, "step": STEPS})
def test_lanes_train_like_networks_alone(loss, out_activation, activation, step, isa):
    n_outputs = 3 if out_activation == "softmax" else 1 if activation == "relu" else 2
    networks, X, y = several(5, loss, out_activation, (3, 4, n_outputs), activation)
    solver = Solver(learning_rate=0.02, **STEPS[step])
    check_lanes_against_networks(networks, X, y, solver)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("n", [1, 2, 8, 9, 19, 33])
def test_any_number_of_networks_fills_the_lanes(n, dtype, step, isa):
    networks, X, y = several(n, "log_loss", "softmax", (2, 3, 5), "relu", dtype)
    check_lanes_against_networks(networks, X, y, Solver(0.02, **STEPS[step]))


@pytest.mark.parametrize("hidden", [1, 2, 3, 5, 8, 15, 16, 17])
@pytest.mark.parametrize("n_in", [1, 3, 4, 9])
def test_lanes_take_any_width(n_in, hidden, isa):
    networks, X, y = several(4, "squared_error", "identity", (n_in, hidden, 2), "logistic")
    check_lanes_against_networks(networks, X, y, Solver(0.02))


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("hidden", [(3, 5), (1, 1, 2), (6, 2, 3, 4)])
def test_lanes_take_any_depth(hidden, step, isa):
    networks, X, y = several(4, "log_loss", "logistic", (3, *hidden, 1))
    check_lanes_against_networks(networks, X, y, Solver(0.02, **STEPS[step]))


@pytest.mark.parametrize("loss", ["squared_error", "log_loss"])
def test_lanes_weigh_rows(loss, isa):
    networks, X, y = several(3, loss, None, (3, 4, 1))
    weights = np.random.default_rng(0).uniform(0, 2, len(X))
    check_lanes_against_networks(networks, X, y, Solver(0.02, alpha=0.1), weights)


def test_small_losses_are_as_exact_as_large_ones(isa):
    """Certain and right: the loss is log(1 + e) of an e far below 1, or of several."""
    for n_outputs, out_activation in ((1, "logistic"), (6, "softmax")):
        networks, X, y = several(3, "log_loss", out_activation, (2, 2, n_outputs))
        y = np.eye(n_outputs)[np.zeros(len(X), dtype=int)]
        for k, network in enumerate(networks):
            network.biases[-1][0] = 10.0 * (k + 1)
        check_lanes_against_networks(networks, X, y, Solver(1e-3))


def test_a_lane_that_diverges_leaves_the_others_alone(isa):
    networks, X, y = several(8, "squared_error", "identity", (3, 4, 1), "identity")
    alone = [network.copy() for network in networks]
    for network in (networks[2], alone[2]):
        network.weights[1][...] = 1e4
    start = parameters_of(networks[2])
    rows, order, solver = networks[0]._rows(X, y), np.arange(len(X)), Solver(0.01, momentum=0.1)
    lane_group = LaneGroup(networks, solver)
    for _ in range(2):
        losses = lane_group.run_epoch(rows, order)
        expected = [n._run_epoch(Epochs(rows, order, solver)) for n in alone[:2]]
        assert losses[2] == np.inf
        assert_allclose(losses[:2], expected, rtol=1e-9)
    lane_group.copy_back()
    assert_array_equal(np.concatenate([p.ravel() for p in parameters_of(networks[2])]),
                       np.concatenate([p.ravel() for p in start]))  # fmt: skip
    assert not networks[2]._state.moments
    for network, other in zip(networks[:2], alone[:2], strict=True):
        assert worst_difference(parameters_of(network), parameters_of(other)) < 1e-9


# -- estimators ----------------------------------------------------------------------------------


def regression(n_rows=60, n_features=3, seed=0):
    random = np.random.default_rng(seed)
    X = random.normal(size=(n_rows, n_features))
    return X, np.sin(X @ random.normal(size=n_features)) + 0.1 * random.normal(size=n_rows)


def quietly(model, *args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(*args, **kwargs)


def one_by_one(model, X, y, n_init):
    """What n_init fits make of the initialisations that one fit draws."""

    class Single(type(model)):
        def _train(self, restarts, data, warm_start, notifier, keeper):
            first = Restart(
                self.network_, History(), EarlyStopping(self.tol, self.n_iter_no_change)
            )
            self.singles = draw_restarts(first, n_init, self._random_state)
            for single in self.singles:
                EpochLoop(
                    single.network, data.rows, data.members[0].order, self._solver(),
                    single.history,
                    max_iter=self.max_iter, stopping=single.stopping,
                    shuffle=copy.deepcopy(self._random_state) if self.shuffle else None,
                ).run()  # fmt: skip
            return self.singles[0]

    return Single(**model.get_params()).fit(X, y).singles


LANES = {
    "small": {"hidden_layer_sizes": 4},
    "momentum": {"hidden_layer_sizes": 4, "momentum": 0.5, "alpha": 0.01},
    "deep": {"hidden_layer_sizes": (4, 3), "activation": "tanh"},
    "unshuffled": {"hidden_layer_sizes": 4, "shuffle": False},
}
ALONE = {
    "linear": {"hidden_layer_sizes": ()},
    "wide": {"hidden_layer_sizes": 300},
    "batches": {"hidden_layer_sizes": 4, "batch_size": 7, "momentum": 0.5},
    "activations": {"hidden_layer_sizes": (4, 3), "activation": ["tanh", "relu"]},
}


@pytest.mark.parametrize("name", [*LANES, *ALONE])
def test_restarts_end_as_they_would_alone(name, monkeypatch):
    X, y = regression()
    options = {"learning_rate_init": 0.01, "max_iter": 30, "random_state": 5, "tol": 1e-3}
    options |= {"n_iter_no_change": 3, **LANES.get(name, {}), **ALONE.get(name, {})}
    notifier = []
    run_epoch = LaneGroup.run_epoch
    monkeypatch.setattr(
        LaneGroup, "run_epoch", lambda *args: notifier.append(1) or run_epoch(*args)
    )
    model = quietly(BackpropRegressor(n_init=8, **options), X, y)
    assert bool(notifier) == (name in LANES)

    singles = one_by_one(model, X, y, 8)
    losses = [single.history.loss_curve[-1] for single in singles]
    best = int(np.argmin(losses))
    assert_allclose(model.init_losses_, losses, rtol=1e-9)
    assert model.best_init_ == best
    assert_allclose(model.loss_curve_, singles[best].history.loss_curve, rtol=1e-9)
    assert model.loss_ == model.init_losses_[best] == model.init_losses_.min()
    assert model.n_iter_ == len(singles[best].history.loss_curve)
    assert (
        worst_difference(parameters_of(model.network_), parameters_of(singles[best].network)) < 1e-9
    )
    if name in LANES:
        assert len({len(single.history.loss_curve) for single in singles}) > 1  # ends differ


@pytest.mark.parametrize("name", [*LANES, *ALONE])
def test_the_first_initialisation_is_that_of_a_single_fit(name):
    X, y = regression()
    options = {"learning_rate_init": 0.01, "max_iter": 5, "random_state": 2}
    options |= {**LANES.get(name, {}), **ALONE.get(name, {})}
    single = quietly(BackpropRegressor(**options), X, y)
    model = quietly(BackpropRegressor(n_init=6, **options), X, y)
    assert single.init_losses_.tolist() == [single.loss_]
    assert single.best_init_ == 0
    assert_allclose(model.init_losses_[0], single.loss_, rtol=1e-9)
    assert len(set(model.init_losses_.round(12))) == 6
    assert model.loss_ <= single.loss_ * (1 + 1e-9)


def test_going_on_is_going_on_from_the_best_alone():
    X, y = regression()
    options = {"hidden_layer_sizes": 4, "learning_rate_init": 0.01, "max_iter": 7, "tol": 0}
    random = np.random.RandomState(3)
    model = BackpropRegressor(n_init=8, warm_start=True, random_state=random, **options)
    quietly(model, X, y)
    single = one_by_one(model.set_params(random_state=np.random.RandomState(3)), X, y, 8)
    losses = model.init_losses_.copy()
    again = model.network_.copy()
    state = np.random.RandomState(3)
    Network((3, 4, 1), random_state=state)
    repeats = [state.permutation(60) for _ in range(7)]  # as many numbers as 7 shuffles take
    assert len(repeats) == 7
    assert_array_equal(random.get_state()[1], state.get_state()[1])
    model.set_params(random_state=random)
    quietly(model, X, y)
    assert model.n_iter_ == 14
    assert_array_equal(model.init_losses_, losses)
    assert (
        worst_difference(parameters_of(single[model.best_init_].network), parameters_of(again))
        < 1e-9
    )
    model.partial_fit(X, y)
    assert model.n_iter_ == 15


def test_the_same_seed_gives_the_same_bits():
    X, y = regression()
    made = [
        quietly(BackpropRegressor(hidden_layer_sizes=3, n_init=9, random_state=1), X, y)
        for _ in range(2)
    ]
    assert_array_equal(made[0].init_losses_, made[1].init_losses_)
    assert_array_equal(made[0].coefs_[0], made[1].coefs_[0])


@pytest.mark.parametrize("as_X", [np.asarray, csr_array, lambda X: X.astype(np.float32)])
def test_a_classifier_restarts_with_any_kind_of_rows(as_X):
    X, y = regression(n_rows=90)
    labels = np.digitize(y, [-0.4, 0.4])
    options = {"hidden_layer_sizes": 5, "learning_rate_init": 0.05, "random_state": 0}
    options |= {"max_iter": 20, "class_weight": "balanced"}
    model = quietly(BackpropClassifier(n_init=5, **options), as_X(X), labels)
    singles = one_by_one(model, as_X(X), labels, 5)
    losses = [single.history.loss_curve[-1] for single in singles]
    most = 1e-3 if model.coefs_[0].dtype == np.float32 else 1e-9
    assert_allclose(model.init_losses_, losses, rtol=most)
    assert model.best_init_ == np.argmin(losses)


@pytest.mark.parametrize("hidden", [4, (4, 300)])
def test_networks_that_diverge_lose(hidden):
    X, y = regression()
    options = {"hidden_layer_sizes": hidden, "activation": "identity", "max_iter": 4}
    for rate in np.geomspace(0.05, 2, 60):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = BackpropRegressor(learning_rate_init=rate, n_init=8, random_state=1, **options)
            model.fit(X, y)
        is_over = np.isinf(model.init_losses_)
        if 0 < is_over.sum() < 8:
            break
    assert 0 < is_over.sum() < 8
    assert np.isfinite(model.loss_)
    assert all(np.isfinite(W).all() for W in model.coefs_)


@pytest.mark.parametrize("hidden", [4, (4, 300)])
def test_where_all_diverge_the_first_is_kept_and_said_to_have_diverged(hidden):
    X, y = regression()
    options = {"hidden_layer_sizes": hidden, "activation": "identity", "learning_rate_init": 50.0}
    with pytest.warns(DivergenceWarning, match="learning_rate_init=50"):
        model = BackpropRegressor(n_init=5, random_state=1, **options).fit(X, y)
    with pytest.warns(DivergenceWarning):
        single = BackpropRegressor(random_state=1, **options).fit(X, y)
    assert_array_equal(model.init_losses_, [np.inf] * 5)
    assert model.best_init_ == 0
    assert_array_equal(model.coefs_[0], single.coefs_[0])


@pytest.mark.parametrize("hidden", [4, (4, 300)])
def test_where_all_diverge_that_of_the_best_epoch_is_kept(hidden):
    X, y = regression()
    X, y = 0.8 * X[:6], y[:6]
    options = {"hidden_layer_sizes": hidden, "tol": 0, "n_iter_no_change": np.inf}
    options |= {"activation": "tanh", "learning_rate_init": 0.9 if hidden == 4 else 0.5}
    kept = []
    for seed in range(4):
        model = BackpropRegressor(n_init=5, random_state=seed, **options)
        with pytest.warns(DivergenceWarning, match="weights of the best epoch"):
            model.fit(X, y)
        assert_array_equal(model.init_losses_, [np.inf] * 5)
        singles = one_by_one(model, X, y, 5)
        losses = [single.history.best_loss for single in singles]
        assert model.best_init_ == np.argmin(losses)
        assert_allclose(model.best_loss_, min(losses), rtol=1e-9)
        best = singles[model.best_init_].network
        assert worst_difference(parameters_of(model.network_), parameters_of(best)) < 1e-9
        kept.append(model.best_init_)
    assert len(set(kept)) > 1


@pytest.mark.parametrize("hidden", [4, 300])
def test_an_interrupt_keeps_the_best_so_far(hidden, monkeypatch):
    X, y = regression()
    count = itertools.count()
    for owner, name in ((LaneGroup, "run_epoch"), (EpochRunner, "run")):
        run = getattr(owner, name)

        def interrupted(*args, run=run, n_arguments=4 if owner is LaneGroup else 2):
            if next(count) == 12:
                raise KeyboardInterrupt
            return run(*args[:n_arguments])  # one by one

        monkeypatch.setattr(owner, name, interrupted)
    model = BackpropRegressor(
        hidden_layer_sizes=hidden, n_init=8, random_state=0, max_iter=9 if hidden == 300 else 20
    )
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    assert model.loss_ == model.init_losses_.min() < np.inf
    assert model.n_iter_ == (9 if hidden == 300 else 12)
    assert_allclose(model.network_.loss(X, y), np.mean((model.predict(X) - y) ** 2) / 2, rtol=1e-12)
    assert model.network_.loss(X, y) < model.loss_curve_[0]


def test_few_that_go_on_long_are_trained_alone(monkeypatch):
    """Lanes of which most are empty are slower than one network after another."""
    X, y = regression()
    models = [Network((3, 4, 1), random_state=seed) for seed in range(8)]
    restarts = [
        Restart(n, History(), EarlyStopping(1e9 if k else 0, 0)) for k, n in enumerate(models)
    ]
    notifier = []
    run_epoch = LaneGroup.run_epoch
    monkeypatch.setattr(
        LaneGroup, "run_epoch", lambda *args: notifier.append(1) or run_epoch(*args)
    )
    rows, order = models[0]._rows(X, y), np.arange(len(X))
    RestartsLoop(restarts, rows, order, Solver(1e-3), max_iter=30).run()
    assert len(notifier) == 2
    assert [len(restart.history.loss_curve) for restart in restarts] == [30] + 7 * [2]
    assert [restart.ending for restart in restarts] == ["max_iter"] + 7 * ["converged"]
    assert best_of(restarts) == int(np.argmin([restart.loss for restart in restarts]))


def test_groups_of_lanes_that_run_empty_are_closed(isa, monkeypatch):
    X, y = regression()
    n = 4 * restarts_module._core.lanes(isa, "float64") + 1
    models = [Network((3, 4, 1), random_state=seed) for seed in range(n)]
    alone = [network.copy() for network in models]
    restarts = [
        Restart(network, History(), EarlyStopping(0 if k % 2 else 1e9, 0))
        for k, network in enumerate(models)
    ]
    rows, order, solver = models[0]._rows(X, y), np.arange(len(X)), Solver(1e-3)
    RestartsLoop(restarts, rows, order, solver, max_iter=6).run()
    for k, network in enumerate(alone):
        for _ in range(6 if k % 2 else 2):
            loss = network._run_epoch(Epochs(rows, order, solver))
        assert_allclose(restarts[k].loss, loss, rtol=1e-9)
        assert worst_difference(parameters_of(models[k]), parameters_of(network)) < 1e-9


@pytest.mark.parametrize(("hidden", "line"), [(4, "the best of 8"), (300, "Restart 2 of 8")])
def test_verbose_says_how_restarts_are_doing(hidden, line, capsys):
    X, y = regression()
    options = {"hidden_layer_sizes": hidden, "max_iter": 2, "n_init": 8, "verbose": True}
    model = BackpropRegressor(learning_rate_init=0.01, random_state=0, **options)
    quietly(model, X, y)
    printed = capsys.readouterr().out
    assert line in printed
    assert f"{model.loss_:.8f}" in printed


@pytest.mark.parametrize("bad", [0, -1, 1.5, "2", None, True])
def test_n_init_must_be_a_whole_number_of_at_least_1(bad):
    with pytest.raises((TypeError, ValueError), match="n_init must be"):
        BackpropRegressor(n_init=bad).fit([[0.0], [1.0]], [0.0, 1.0])


def test_restarts_escape_the_bad_minima_of_xor():
    X, y = np.array([[0, 0], [0, 1], [1, 0], [1, 1]]), np.array([0, 1, 1, 0])
    options = {"hidden_layer_sizes": 2, "activation": "tanh", "learning_rate_init": 0.2}
    options |= {"max_iter": 600, "tol": 0}
    model = quietly(BackpropClassifier(n_init=16, random_state=0, **options), X, y)
    assert model.score(X, y) == 1
    assert 1 <= np.sum(model.init_losses_ > 0.3) < 16  # some are stuck, and were not kept


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("n_init", [1, 3])
def test_losses_are_floats_of_python(n_init):
    X = np.random.default_rng(0).normal(size=(30, 4))
    model = BackpropRegressor(hidden_layer_sizes=5, max_iter=3, n_init=n_init, random_state=0)
    curve = model.fit(X, X[:, 0]).loss_curve_
    assert [type(loss) for loss in curve] == [float] * len(curve)
