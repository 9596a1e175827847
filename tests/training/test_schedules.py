"""The learning rate from epoch to epoch: formulas, who remembers it, scikit-learn's own rates."""

import numpy as np
import pytest
from sklearn.neural_network import MLPRegressor

import fastbp
from fastbp import BackpropRegressor
from fastbp.training.schedule import Schedule

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def regression(n_rows=60):
    random = np.random.default_rng(0)
    X = random.normal(size=(n_rows, 3))
    return X, np.sin(X @ random.normal(size=3))


def regressor(**options):
    small = {"hidden_layer_sizes": 6, "learning_rate_init": 0.05, "shuffle": False}
    return BackpropRegressor(**{**small, "random_state": 0, "max_iter": 5, **options})


def bits(model):
    return model.network_._arena.values.tobytes()


def rates_of(model, X, y):
    """The learning rate of each epoch of a fit, as a recording has it."""
    recording = fastbp.record(model, X, y, every=len(X))
    return [snapshot.learning_rate for snapshot in recording._snapshots[:-1]]


# -- formulas ------------------------------------------------------------------------------------


def test_a_constant_rate_stays():
    schedule = Schedule("constant", 0.3)
    assert schedule.rate(0) == schedule.rate(1000) == 0.3
    assert not schedule.lower()


def test_inverse_scaling_divides_by_a_power_of_the_rows_visited():
    schedule = Schedule("invscaling", 0.5, power_t=0.5)
    assert schedule.rate(0) == 0.5
    assert schedule.rate(99) == pytest.approx(0.05)
    assert Schedule("invscaling", 0.5, power_t=1).rate(99) == pytest.approx(0.005)
    assert not schedule.lower()


def test_an_adaptive_rate_is_a_fifth_each_time_down_to_a_millionth():
    schedule = Schedule("adaptive", 0.001)
    rates = [schedule.rate(0)]
    while schedule.lower():
        rates.append(schedule.rate(10**6))
    assert rates == pytest.approx([0.001 / 5**k for k in range(6)])
    assert rates[-2] > 1e-6 >= rates[-1]


# -- in training ---------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"batch_size": 8, "momentum": 0.9}], ids=str)
def test_inverse_scaling_is_the_epochs_of_these_rates(options):
    X, y = regression()
    model = regressor(learning_rate="invscaling", power_t=0.3, **options).fit(X, y)
    network = fastbp.Network((3, 6, 1), random_state=0)
    for epoch in range(5):
        rate = 0.05 / (1 + 60 * epoch) ** 0.3
        network.train_epoch(
            X, y, rate, nesterov=True, **{k: v for k, v in options.items() if k != "shuffle"}
        )
    assert bits(model) == network._arena.values.tobytes()
    assert bits(model) != bits(regressor(**options).fit(X, y))


def test_adaptive_goes_on_where_constant_ends():
    X, y = regression()
    options = {"tol": 0.02, "n_iter_no_change": 2, "max_iter": 300}
    constant = regressor(**options).fit(X, y)
    adaptive = regressor(learning_rate="adaptive", **options).fit(X, y)
    n = constant.n_iter_
    assert adaptive.loss_curve_[:n] == constant.loss_curve_
    assert n < adaptive.n_iter_ < 300
    rates = rates_of(regressor(learning_rate="adaptive", **options), X, y)
    assert rates[:n] == [0.05] * n
    assert rates[n] == pytest.approx(0.01)
    assert rates[-1] <= 1e-6 < rates[-1] * 5
    assert len(set(rates)) == 8


@pytest.mark.parametrize(
    ("learning_rate", "options"),
    [
        ("constant", {}),
        ("invscaling", {"power_t": 0.1}),
        ("adaptive", {"tol": 0.01, "n_iter_no_change": 2}),
    ],
)
def test_rates_and_models_are_those_of_scikit_learn(learning_rate, options):
    X, y = regression()
    shared = {
        "hidden_layer_sizes": (6,), "activation": "tanh", "solver": "sgd", "shuffle": False,
        "learning_rate": learning_rate, "learning_rate_init": 0.05, "max_iter": 40, "alpha": 0.0,
        "random_state": 0, "batch_size": 10, "momentum": 0.5, **options,
    }  # fmt: skip
    ours, theirs = BackpropRegressor(**shared), MLPRegressor(**shared)
    ours.fit(X, y), theirs.fit(X, y)
    assert ours.n_iter_ == theirs.n_iter_
    assert ours.loss_curve_ == pytest.approx(theirs.loss_curve_, rel=1e-7)
    for W, expected in zip(ours.coefs_, theirs.coefs_, strict=True):
        assert np.allclose(W, expected, rtol=1e-7, atol=1e-9)


def test_adam_has_no_schedule():
    X, y = regression()
    options = {"solver": "adam", "batch_size": 10}
    constant = regressor(**options).fit(X, y)
    assert bits(regressor(learning_rate="invscaling", **options).fit(X, y)) == bits(constant)


def test_restarts_side_by_side_follow_the_schedule():
    X, y = regression()
    model = regressor(learning_rate="invscaling", power_t=0.2, n_init=8).fit(X, y)
    alone = regressor(learning_rate="invscaling", power_t=0.2).fit(X, y)
    assert model.init_losses_[0] == pytest.approx(alone.loss_, rel=1e-9)
    assert model.init_losses_[0] != pytest.approx(regressor().fit(X, y).loss_, rel=1e-3)


@pytest.mark.parametrize("learning_rate", ["constant", "adaptive"])
def test_restarts_each_have_an_adaptive_rate_of_their_own(learning_rate):
    X, y = regression()
    options = {"tol": 0.02, "n_iter_no_change": 2, "max_iter": 100, "n_init": 4}
    model = regressor(learning_rate=learning_rate, **options).fit(X, y)
    alone = regressor(learning_rate=learning_rate, **{**options, "n_init": 1}).fit(X, y)
    assert model.init_losses_[0] == pytest.approx(alone.loss_, rel=1e-9)


# -- who remembers it ----------------------------------------------------------------------------


def test_a_warm_start_goes_on_with_inverse_scaling():
    X, y = regression()
    whole = regressor(learning_rate="invscaling").fit(X, y)
    parts = regressor(learning_rate="invscaling", max_iter=2, warm_start=True).fit(X, y)
    parts.set_params(max_iter=3).fit(X, y)
    assert bits(parts) == bits(whole)


def test_partial_fit_row_by_row_follows_inverse_scaling():
    X, y = regression(30)
    model, network = (
        regressor(learning_rate="invscaling"),
        fastbp.Network((3, 6, 1), random_state=0),
    )
    for i in range(30):
        model.partial_fit(X[i : i + 1], y[i : i + 1])
        loss = network.step(X[i], y[i], 0.05 / (1 + i) ** 0.5)
        assert model.loss_ == loss
    assert bits(model) == network._arena.values.tobytes()


def test_partial_fit_goes_on_with_the_rate_that_fit_has_come_to():
    X, y = regression()
    options = {"tol": 0.02, "n_iter_no_change": 2, "max_iter": 300}
    model = regressor(learning_rate="adaptive", **options).fit(X, y)
    network = model.network_.copy()
    rate = model._solver().learning_rate
    assert rate < 1e-5
    assert fastbp.trace_step(model, X[0], y[0]).solver.learning_rate == rate
    model.partial_fit(X[:1], y[:1])
    network.step(X[0], y[0], rate)
    assert bits(model) == network._arena.values.tobytes()
    again = model.set_params(max_iter=1, warm_start=True)
    before = network.copy()
    again.fit(X, y)  # begins with learning_rate_init again
    before.train_epoch(X, y, 0.05)
    assert bits(again) == before._arena.values.tobytes()


def test_a_trace_of_a_recording_has_the_rate_of_its_step():
    X, y = regression()
    model = regressor(learning_rate="invscaling", max_iter=3)
    recording = fastbp.record(model, X, y, every=60)
    assert recording.solver.learning_rate == 0.05
    assert recording.trace(1).solver.learning_rate == pytest.approx(0.05 / 61**0.5)
    following = recording.to_dict()["snapshots"][1]["next"]
    assert following["learning_rate"] == pytest.approx(0.05 / 61**0.5)


def test_verbose_says_when_the_rate_falls(capsys):
    X, y = regression()
    options = {"tol": 0.5, "n_iter_no_change": 1, "max_iter": 5, "verbose": True}
    regressor(learning_rate="adaptive", **options).fit(X, y)
    assert "A fifth of the learning rate from here on." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"learning_rate": "linear"},
            "learning_rate must be one of constant, invscaling, adaptive",
        ),
        ({"learning_rate": 0.01}, "learning_rate must be one of constant, invscaling, adaptive"),
        ({"power_t": -1}, "power_t must be at least 0; got -1"),
        ({"power_t": "half"}, "power_t must be a number"),
    ],
)
def test_schedules_that_do_not_exist(options, message):
    X, y = regression()
    model = regressor().fit(X, y)
    before = bits(model)
    with pytest.raises((ValueError, TypeError), match=message):
        model.set_params(**options).fit(X, y)
    assert bits(model) == before
    with pytest.raises((ValueError, TypeError), match=message):
        regressor(**options).partial_fit(X, y)
