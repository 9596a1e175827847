"""The learning rate in training: formulas, who remembers it, scikit-learn's and PyTorch's rates."""

import math
import pickle

import numpy as np
import pytest
from plain_models import BackpropClassifier, BackpropRegressor
from scipy.sparse import csr_matrix
from sklearn.base import clone
from sklearn.neural_network import MLPRegressor

import fastbp
from fastbp.network.solver import Solver
from fastbp.training.lanes import LaneGroup
from fastbp.training.schedule import OPTIONS, SCHEDULES, Schedule, options_of

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


def test_inverse_scaling_divides_by_a_power_of_the_rows_seen():
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


def rates_of_epochs(kind, n_epochs, **options):
    """Rates from 1 at the beginning of each epoch of a fit, and of one that would follow."""
    schedule = Schedule(kind, 1.0, options=options, n_before=7, n_an_epoch=13, n_epochs=n_epochs)
    return [schedule.rate(7 + 13 * epoch) for epoch in range(n_epochs + 1)]


@pytest.mark.parametrize(
    ("kind", "options", "expected"),
    [
        ("cosine", {}, [1, 0.75, 0.25, 0]),  # (1 + cos(60 degrees)) / 2
        ("exponential", {"gamma": 0.5}, [1, 0.5, 0.25, 0.125]),
        ("step", {"step_size": 2, "gamma": 0.1}, [1, 1, 0.1, 0.1, 0.01, 0.01, 0.001]),
        ("one_cycle", {"pct_start": 0.5, "div_factor": 5, "final_div_factor": 2},
         [0.2, 0.6, 1, 0.55, 0.1]),
        ("constant", {"warmup": 0.75}, [0.25, 0.5, 0.75, 1, 1]),
        ("cosine", {"warmup": 1 / 3}, [0.5, 0.75, 0.25, 0]),
        (lambda done: 3 - 2 * done, {}, [3, 2.5, 2, 1.5, 1]),
        (lambda done: 1 - done / 2, {"warmup": 0.25}, [0.5, 0.875, 0.75, 0.625, 0.5]),
    ],
)  # fmt: skip
def test_rates_worked_by_hand(kind, options, expected):
    rates = rates_of_epochs(kind, len(expected) - 1, **options)
    assert rates == pytest.approx(expected, rel=1e-14, abs=1e-15)


def test_defaults_are_those_of_pytorch_where_it_has_some():
    assert options_of("one_cycle") == {
        "pct_start": 0.3, "div_factor": 25.0, "final_div_factor": 1e4
    }  # fmt: skip
    assert options_of("step")["gamma"] == 0.1
    rates = rates_of_epochs("one_cycle", 10)
    assert rates[0] == pytest.approx(1 / 25)
    assert rates[3] == max(rates) == 1
    assert rates[10] == pytest.approx(1 / 25 / 1e4)
    assert rates_of_epochs("exponential", 1)[1] == 0.98
    assert rates_of_epochs("step", 30)[29:] == [1, pytest.approx(0.1)]


def test_cosine_is_pytorchs_cosine_annealing():
    rate, n = 1.0, 50
    for epoch, found in enumerate(rates_of_epochs("cosine", n)):
        if epoch:  # CosineAnnealingLR.get_lr, with T_max = n and eta_min = 0
            rate *= (1 + math.cos(math.pi * epoch / n)) / (1 + math.cos(math.pi * (epoch - 1) / n))
        assert found == pytest.approx(rate, rel=1e-9, abs=1e-15)


def test_one_cycle_is_pytorchs_of_as_many_steps_as_there_could_be():
    n_steps, n = 10**6, 20
    peak, last = 0.3 * n_steps - 1, n_steps - 1.0
    found = rates_of_epochs("one_cycle", n)[:n]

    def annealed(start, end, share):  # OneCycleLR._annealing_cos
        return end + (start - end) / 2 * (1 + math.cos(math.pi * share))

    for epoch, rate in enumerate(found):
        number = epoch * n_steps // n
        if number <= peak:
            expected = annealed(1 / 25, 1, number / peak)
        else:
            expected = annealed(1, 1 / 25 / 1e4, (number - peak) / (last - peak))
        assert rate == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("kind", list(SCHEDULES))
def test_rates_stay_above_zero_to_the_end(kind):
    schedule = Schedule(kind, 1e-3, 0.5, n_an_epoch=10**6, n_epochs=10**6)
    assert 0 < schedule.rate(10**12 - 1) <= schedule.rate(10**12 // 3)
    assert schedule.rate(10**12) >= math.ulp(0.0)


def test_every_option_has_a_check():
    named = {option for kind in SCHEDULES for option in options_of(kind)}
    assert set(OPTIONS) == named | {"warmup"}


def test_every_schedule_is_described():
    for kind in SCHEDULES:
        assert f'- "{kind}": ' in BackpropClassifier.__doc__
    assert "``pct_start=0.3``, ``div_factor=25``" in " ".join(BackpropRegressor.__doc__.split())


# -- in training ---------------------------------------------------------------------------------


def half(done):
    """A schedule of a user's own."""
    return 1 - done / 2


NEW = {
    "cosine": {"learning_rate": "cosine"},
    "one_cycle": {"learning_rate": "one_cycle", "learning_rate_options": {"div_factor": 3}},
    "exponential": {"learning_rate": "exponential", "learning_rate_options": {"gamma": 0.7}},
    "step": {
        "learning_rate": "step", "learning_rate_options": {"step_size": 2, "gamma": 0.5},
    },
    "a function": {"learning_rate": half},
    "warmup": {"learning_rate_options": {"warmup": 0.5}},
}  # fmt: skip


def schedule_of(options, n_rows, n_epochs):
    return Schedule(
        options.get("learning_rate", "constant"),
        0.05,
        options=options.get("learning_rate_options", {}),
        n_an_epoch=n_rows,
        n_epochs=n_epochs,
    )


@pytest.mark.parametrize("solver", ["sgd", "adam", "adagrad"])
@pytest.mark.parametrize("name", NEW)
def test_epochs_have_the_rates_of_the_schedule(name, solver):
    X, y = regression()
    options = {"solver": solver, "batch_size": 8 if solver == "adam" else 1, "tol": 0}
    model = regressor(**NEW[name], **options).fit(X, y)
    network, schedule = fastbp.Network((3, 6, 1), random_state=0), schedule_of(NEW[name], 60, 5)
    del options["tol"]
    losses = [network.train_epoch(X, y, schedule.rate(60 * e), **options) for e in range(5)]
    assert model.loss_curve_ == losses
    assert bits(model) == network._arena.values.tobytes()
    assert len({schedule.rate(60 * e) for e in range(5)}) >= 3
    looked_at = regressor(**NEW[name], solver=solver, batch_size=options["batch_size"], tol=0)
    looked_at.fit(X, y, X_val=X, y_val=y)  # one by one
    assert bits(looked_at) == bits(model)


@pytest.mark.parametrize("options", [{}, {"batch_size": 48}, {"alpha": 0.01}], ids=str)
@pytest.mark.parametrize("name", NEW)
def test_a_long_epoch_changes_the_rate_every_ten_thousand_rows(name, options):
    X, y = regression(25_000)
    model = regressor(**NEW[name], **options, max_iter=2, tol=0).fit(X, y)
    network, schedule = fastbp.Network((3, 6, 1), random_state=0), schedule_of(NEW[name], 25_000, 2)
    every = 10_032 if options.get("batch_size") == 48 else 10_000
    for epoch in range(2):
        loss = 0.0
        for first in range(0, 25_000, every):
            rows = np.arange(first, min(first + every, 25_000))
            rate = schedule.rate(25_000 * epoch + first)
            loss += len(rows) * network.train_epoch(X, y, rate, order=rows, **options)
        assert model.loss_curve_[epoch] == pytest.approx(loss / 25_000, rel=1e-12)
    for W, expected in zip(model.coefs_, network.weights, strict=True):
        assert np.allclose(W, expected, rtol=1e-11, atol=1e-13)
    sparse = regressor(**NEW[name], **options, max_iter=2, tol=0).fit(csr_matrix(X), y)
    assert sparse.loss_curve_ == pytest.approx(model.loss_curve_, rel=1e-9)


@pytest.mark.filterwarnings("ignore::fastbp.DivergenceWarning")  # it answers all rows alike
def test_a_long_epoch_is_run_so_that_its_largest_rate_is_possible():
    X, y = regression(30_000)
    options = {"alpha": 4.0, "learning_rate_init": 0.0625, "max_iter": 1}
    model = regressor(learning_rate=lambda done: 2 ** round(3 * done), **options).fit(X, y)
    network = fastbp.Network((3, 6, 1), random_state=0)
    for first, rate in ((0, 0.0625), (10_000, 0.125), (20_000, 0.25)):  # decay by 1/4, 1/2 and 1
        rows = np.arange(first, first + 10_000)
        network.train_epoch(X, y, rate, order=rows, alpha=4.0)
    for W, expected in zip(model.coefs_, network.weights, strict=True):
        assert np.allclose(W, expected, rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("n_rows", [60, 12_000])
@pytest.mark.parametrize("name", NEW)
def test_restarts_interleaved_have_the_rates_too(name, n_rows, monkeypatch):
    X, y = regression(n_rows)
    options = {**NEW[name], "activation": "tanh", "max_iter": 3, "tol": 0}
    run_epoch, in_lanes = LaneGroup.run_epoch, []
    monkeypatch.setattr(LaneGroup, "run_epoch", lambda *a: in_lanes.append(1) or run_epoch(*a))
    model = regressor(n_init=8, **options).fit(X, y)
    alone = regressor(**options).fit(X, y)
    assert len(in_lanes) == 3
    assert model.init_losses_[0] == pytest.approx(alone.loss_, rel=1e-9)


def test_early_stopping_goes_with_a_schedule():
    X, y = regression(200)
    model = regressor(learning_rate="one_cycle", early_stopping=True, max_iter=8).fit(X, y)
    assert len(model.validation_scores_) == model.n_iter_ == 8


def test_a_classifier_has_schedules():
    X, y = regression(12_000)
    for kind in ("cosine", "one_cycle"):
        model = BackpropClassifier(hidden_layer_sizes=8, learning_rate=kind, random_state=0)
        model.set_params(learning_rate_init=0.05, max_iter=3).fit(X, y > 0)
        assert model.score(X, y > 0) > 0.97


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


def test_restarts_interleaved_follow_the_schedule():
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


@pytest.mark.parametrize("name", NEW)
def test_partial_fit_steps_with_the_initial_rate(name):
    X, y = regression(30)
    model = regressor(**NEW[name])
    network = fastbp.Network((3, 6, 1), random_state=0)
    for i in range(30):
        model.partial_fit(X[i : i + 1], y[i : i + 1])
        network.step(X[i], y[i], 0.05)
    assert bits(model) == network._arena.values.tobytes()
    model.fit(X, y)
    assert fastbp.trace_step(model, X[0], y[0]).solver.learning_rate == 0.05
    network = model.network_.copy()
    network.step(X[0], y[0], 0.05)
    assert bits(model.partial_fit(X[:1], y[:1])) == network._arena.values.tobytes()


def test_a_warm_start_begins_the_schedule_again():
    X, y = regression()
    model = (
        regressor(learning_rate="cosine", warm_start=True, max_iter=2, tol=0).fit(X, y).fit(X, y)
    )
    network = fastbp.Network((3, 6, 1), random_state=0)
    for share in (0, 0.5, 0, 0.5):
        network.train_epoch(X, y, Schedule("cosine", 0.05, n_epochs=1).rate(share))
    assert bits(model) == network._arena.values.tobytes()


@pytest.mark.parametrize("name", NEW)
def test_clones_and_pickles_have_the_schedule(name):
    X, y = regression()
    model = regressor(**NEW[name]).fit(X, y)
    assert bits(clone(model).fit(X, y)) == bits(model)
    loaded = pickle.loads(pickle.dumps(model))
    assert bits(loaded) == bits(model)
    assert bits(loaded.fit(X, y)) == bits(model)


@pytest.mark.parametrize("name", NEW)
def test_a_recording_has_the_rates_within_an_epoch(name):
    X, y = regression(21_000)
    model, schedule = regressor(**NEW[name], max_iter=2, tol=0), schedule_of(NEW[name], 21_000, 2)
    recording = fastbp.record(model, X, y, every=3500)
    assert bits(model) == bits(regressor(**NEW[name], max_iter=2, tol=0).fit(X, y))
    assert recording.epoch_losses == model.loss_curve_
    steps = [snapshot.step for snapshot in recording._snapshots[:-1]]
    assert steps == list(range(0, 42_000, 3500))
    expected = [schedule.rate(n // 21_000 * 21_000 + n % 21_000 // 10_000 * 10_000) for n in steps]
    assert [one.learning_rate for one in recording._snapshots[:-1]] == expected
    inside, again = recording._snapshots[4].network(), fastbp.Network((3, 6, 1), random_state=0)
    again.train_epoch(X, y, schedule.rate(0), order=np.arange(10_000))
    again.train_epoch(X, y, schedule.rate(10_000), order=np.arange(10_000, 14_000))
    assert np.allclose(inside._arena.values, again._arena.values, rtol=1e-11, atol=1e-13)


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
        ({"learning_rate": "cosin"}, "or a function; got 'cosin'. Did you mean 'cosine'"),
        ({"learning_rate": "Exponential"}, "Did you mean 'exponential'"),
        ({"learning_rate_init": "one_cycle"}, "A schedule is learning_rate='one_cycle'"),
        ({"learning_rate": lambda done: -1.0}, r"learning_rate\(0\) returned -1.0. It must return"),
        ({"learning_rate": lambda done: math.nan}, r"learning_rate\(0\) returned nan"),
        ({"learning_rate": lambda done: None}, r"learning_rate\(0\) returned None"),
        ({"learning_rate": float}, r"learning_rate\(0\) returned 0.0"),
        (
            {"learning_rate_options": 0.1},
            "must be None or a dict, such as {'warmup': 0.1}; got 0.1",
        ),
        (
            {"learning_rate": "step", "learning_rate_options": {"gama": 0.1}},
            "for learning_rate='step' must be one of step_size, gamma, warmup; got 'gama'. Did you"
            " mean 'gamma'",
        ),
        ({"learning_rate": "cosine", "learning_rate_options": {"gamma": 1}}, "one of warmup; got"),
        (
            {"learning_rate": half, "learning_rate_options": {1: 1}},
            "=a function must be one of war",
        ),
        (
            {"learning_rate": "step", "learning_rate_options": {"step_size": 0.5}},
            r"learning_rate_options\['step_size'\] must be a whole number",
        ),
        (
            {"learning_rate": "exponential", "learning_rate_options": {"gamma": 0}},
            r"learning_rate_options\['gamma'\] must be greater than 0; got 0",
        ),
        (
            {"learning_rate": "one_cycle", "learning_rate_options": {"pct_start": 1}},
            r"\['pct_start'\] must be greater than 0 and below 1; got 1",
        ),
        ({"learning_rate_options": {"warmup": 1}}, r"\['warmup'\] must be at least 0 and below 1"),
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


def test_what_a_function_returns_is_checked_in_training_as_well():
    X, y = regression()
    model = regressor(learning_rate=lambda done: 1 if done < 0.5 else math.inf, max_iter=4)
    with pytest.raises(
        ValueError, match=r"learning_rate\(0.5\) returned inf. It must return a fin"
    ):
        model.fit(X, y)


@pytest.mark.parametrize("name", NEW)
def test_scikit_learn_does_not_have_the_others(name):
    X, y = regression()
    refused = "learning_rate_options=" if name == "warmup" else "learning_rate="
    models = [regressor(**NEW[name]), regressor(**NEW[name]).fit(X, y)]
    if name == "cosine":  # the default, for which a fit that is over has no more use
        assert models.pop().to_sklearn().learning_rate == "constant"
    for model in models:
        with pytest.raises(ValueError, match=rf"neural_network.MLPRegressor has no {refused}"):
            model.to_sklearn()


def test_a_solver_at_another_rate_is_that_solver_made_with_it():
    solver = Solver(0.1, momentum=0.5, batch_size=3, alpha=0.2)
    assert not solver.drops_units  # which it remembers
    first = solver.compiled(1)
    other = solver.at_rate(np.float64(0.03))
    assert other == Solver(0.03, momentum=0.5, batch_size=3, alpha=0.2)
    assert solver.learning_rate == 0.1
    assert type(other.learning_rate) is float
    assert other.compiled(1) is not first
    with pytest.raises(ValueError, match="learning_rate"):
        solver.at_rate(0.0)
