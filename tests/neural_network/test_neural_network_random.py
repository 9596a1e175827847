"""The drop-in beside scikit-learn where numbers are odd: random configurations and known traps."""

import warnings

import numpy as np
import pytest
import sklearn.neural_network as host
from fuzz import drop_in
from plain_models import BackpropRegressor

import fastbp.neural_network as fast
from fastbp import Network, record, trace_step
from fastbp.neural_network import calls, perceptrons
from fastbp.neural_network import solver as solver_module

pytestmark = pytest.mark.filterwarnings("ignore")

HAS_POISSON = "loss" in host.MLPRegressor._parameter_constraints
N_SEEDS, GROUPS = 192, 8


@pytest.fixture(autouse=True)
def _few_rows_are_predicted_fast_too(monkeypatch):
    monkeypatch.setattr(perceptrons, "FEW_TO_PREDICT", 0)


def rows(dtype="float64", n=10, n_features=8):
    random = np.random.RandomState(0)
    X = random.normal(size=(n, n_features)).astype(dtype)
    return X, X[:, 0].astype(np.float64)


def both(X, y, *, kind="MLPRegressor", calls_of_fit=1, **parameters):
    """Scikit-learn's model and ours, fitted alike, or the errors in their place."""
    settings = {"hidden_layer_sizes": 7, "random_state": 0, "max_iter": 5, "batch_size": 5}
    found = []
    for module in (host, fast):
        model = getattr(module, kind)(**{**settings, **parameters})
        try:
            for _ in range(calls_of_fit):
                model.fit(X, y)
        except ValueError as error:
            model.error = str(error)
        found.append(model)
    return found


def expect_alike(theirs, ours, rtol):
    assert getattr(theirs, "error", None) == getattr(ours, "error", None)
    assert theirs.n_iter_ == ours.n_iter_
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=rtol)
    for a, b in zip(theirs.coefs_, ours.coefs_, strict=True):
        np.testing.assert_allclose(b, a, rtol=0, atol=rtol * np.abs(a).max())


@pytest.mark.parametrize("group", range(GROUPS))
def test_random_configurations_end_as_in_scikit_learn(group):
    for seed in range(group, N_SEEDS, GROUPS):
        drop_in.check(seed)


# -- what float32 cannot hold --------------------------------------------------------------------


@pytest.mark.parametrize("betas", [(0.9, 0.999), (0.0, 0.999), (0.9, 0.0), (0.5, 0.5)])
@pytest.mark.parametrize("epsilon", [1e-300, 1e-45, 1e-30, 1e-8, 1.0, 1e300])
def test_float32_trains_alike_whatever_adam_is_told(epsilon, betas):
    X, y = rows("float32")
    beta_1, beta_2 = betas
    options = {"epsilon": epsilon, "beta_1": beta_1, "beta_2": beta_2, "activation": "logistic"}
    theirs, ours = both(X, y, **options)
    assert np.isfinite(ours.loss_curve_).all()
    expect_alike(theirs, ours, 1e-3)


def test_epsilon_is_as_good_as_0_only_where_scikit_learn_takes_it_for_that():
    X, y = rows("float32")
    X[:, 3] = 0  # whose weights have gradients of 0
    for target in (y, y.astype(np.float32)):  # moments of float64, and of float32
        theirs, ours = both(X, target, epsilon=1e-300, alpha=0)
        assert hasattr(theirs, "error") == (target.dtype == np.float32)
        assert getattr(theirs, "error", None) == getattr(ours, "error", None)


def test_padding_of_weights_takes_no_part_in_the_penalty(monkeypatch):
    monkeypatch.setattr(solver_module, "_fits", lambda *_: True)
    solver_module._solver_or_none.cache_clear()
    X, y = rows("float32")
    calls.clear()
    theirs, ours = both(X, y, epsilon=1e-300, alpha=0.1, activation="tanh")
    solver_module._solver_or_none.cache_clear()
    assert calls["fast"]
    assert not calls["an epoch out of the ordinary"]
    expect_alike(theirs, ours, 1e-3)


@pytest.mark.parametrize("rate", [1e-300, 1e-40, 1e30, 1e300])
@pytest.mark.parametrize("solver", ["sgd", "adam"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_absurd_rates_lose_no_model_that_scikit_learn_keeps(dtype, solver, rate):
    X, y = rows(dtype)
    for activation in ("tanh", "identity"):
        theirs, ours = (
            module.MLPRegressor(
                random_state=0, solver=solver, learning_rate_init=rate, activation=activation
            )
            for module in (host, fast)
        )
        for _ in range(3):
            ends = []
            for model in (theirs, ours):
                try:
                    model.partial_fit(X[:1], y[:1])
                    ends.append(None)
                except ValueError as error:
                    ends.append(str(error))
            assert ends[0] == ends[1]
            for a, b in zip(theirs.coefs_, ours.coefs_, strict=True):
                assert np.array_equal(np.isfinite(a), np.isfinite(b))


OUT_OF_RANGE = "the solver's parameters are out of the engine's range"


@pytest.mark.parametrize(
    ("dtype", "solver", "options", "reason"),
    [
        ("float32", "adam", {}, "fast"),
        ("float32", "adam", {"epsilon": 1.2e-19}, "fast"),
        ("float32", "adam", {"epsilon": 1e-19}, OUT_OF_RANGE),
        ("float32", "adam", {"epsilon": 1e-40}, OUT_OF_RANGE),
        ("float32", "adam", {"epsilon": 1e39}, OUT_OF_RANGE),
        ("float32", "adam", {"beta_1": 1e-40}, OUT_OF_RANGE),
        ("float32", "adam", {"beta_2": 1e-40}, OUT_OF_RANGE),
        ("float32", "adam", {"beta_1": 0.0, "beta_2": 0.0}, "fast"),
        ("float32", "sgd", {"epsilon": 1e-19}, "fast"),  # which looks at none
        ("float32", "sgd", {"momentum": 1e-40}, OUT_OF_RANGE),
        ("float32", "sgd", {"alpha": 1e-40}, OUT_OF_RANGE),
        ("float32", "sgd", {"learning_rate_init": 1e-40}, OUT_OF_RANGE),
        ("float32", "sgd", {"learning_rate_init": 2e18}, OUT_OF_RANGE),
        ("float64", "sgd", {"learning_rate_init": 2e100}, OUT_OF_RANGE),
        ("float64", "adam", {"learning_rate_init": 2e100}, OUT_OF_RANGE),
        ("float64", "adam", {"epsilon": 1e-300, "beta_1": 1e-300, "alpha": 1e-300}, "fast"),
        ("float64", "sgd", {"learning_rate_init": 1e-300, "momentum": 1e-300}, "fast"),
    ],
)
def test_a_solver_runs_fast_where_the_dtype_holds_its_numbers(dtype, solver, options, reason):
    X, y = rows(dtype)
    calls.clear()
    theirs, ours = both(X, y.astype(dtype), solver=solver, max_iter=1, **options)
    assert calls[reason] == 1
    assert sum(calls.values()) == 1
    assert getattr(theirs, "error", None) == getattr(ours, "error", None)


@pytest.mark.parametrize("max_iter", [1, 4])  # epochs, of which several run together
@pytest.mark.parametrize("batch_size", [1, 5])
def test_moments_that_are_not_finite_leave_the_epoch_to_scikit_learn(batch_size, max_iter):
    X, _ = rows("float32")
    X, y = 1e13 * (1 + np.abs(X)), np.full(len(X), 1e7)
    options = {"hidden_layer_sizes": (), "warm_start": True, "solver": "adam"}
    options |= {"learning_rate_init": 1e-10, "max_iter": max_iter, "batch_size": batch_size}
    models = [module.MLPRegressor(random_state=0, **options) for module in (host, fast)]
    for model in models:
        model.fit(X / 1e13, y / 1e7)
        model.coefs_[0][...] = 0  # outputs are 0, and losses small; but squares of gradients 1e40
        calls.clear()
        model.fit(X, y)
    theirs, ours = models
    assert calls == {"fast": 1, "an epoch out of the ordinary": 1}
    expect_alike(theirs, ours, 1e-3)
    for a, b in zip(theirs._optimizer.vs, ours._optimizer.vs, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-3)


# -- what scikit-learn's own arithmetic decides --------------------------------------------------


@pytest.mark.parametrize("beta", [1 - 1e-8, 1 - 1e-16, 0.5, 1e-300, 0.0])
@pytest.mark.parametrize("name", ["beta_1", "beta_2"])
@pytest.mark.parametrize("batch_size", [1, 5])
def test_the_bias_correction_is_rounded_as_scikit_learns(batch_size, name, beta):
    X, y = rows()
    expect_alike(*both(X, y, **{name: beta}, batch_size=batch_size, max_iter=3), 1e-11)


@pytest.mark.skipif(not HAS_POISSON, reason="this scikit-learn has no Poisson loss")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("count", [0, 3])
def test_a_poisson_loss_is_infinite_where_scikit_learns_is(count, dtype):
    X, _ = rows(dtype)
    y = np.full(len(X), count, X.dtype)
    X = (X**2 + 1) * np.asarray(1e4, X.dtype)  # e**z is 0 at once, of weights that are negative
    for seed in range(4):
        models = both(X, y, loss="poisson", hidden_layer_sizes=[], random_state=seed, solver="sgd")
        theirs, ours = models
        np.testing.assert_array_equal(
            np.isfinite(theirs.loss_curve_), np.isfinite(ours.loss_curve_)
        )
        assert theirs._no_improvement_count == ours._no_improvement_count


def test_a_penalty_that_overflows_in_float32_is_infinite_here_too():
    X, y = rows("float32")
    theirs, ours = both(
        X,
        (y > 0).astype(int),
        kind="MLPClassifier",
        solver="sgd",
        alpha=1e5,
        learning_rate_init=0.5,
        max_iter=9,
        activation="tanh",
    )
    assert not np.isfinite(theirs.loss_curve_).all()
    np.testing.assert_array_equal(np.isfinite(theirs.loss_curve_), np.isfinite(ours.loss_curve_))
    assert getattr(theirs, "error", None) == getattr(ours, "error", None)


def test_second_moments_that_overflow_are_scikit_learns():
    X, y = rows("float32")
    X *= 1e17  # gradients of 1e20, which float32 cannot square; scikit-learn's are float64
    expect_alike(*both(X, 1e3 * y, activation="identity", max_iter=1, batch_size=10), 1e-3)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_weights_whose_products_overflow_predict_what_scikit_learns_do(dtype):
    X, y = rows(dtype)
    for activation in ("identity", "tanh", "relu"):
        theirs, ours = both(X, y, activation=activation)
        most = np.finfo(dtype).max
        for model in (theirs, ours):
            model.coefs_[0][...] = np.where(np.arange(8)[:, None] % 2, most, -most)
        calls.clear()
        found = ours.predict(X)
        assert not calls["fast"]
        np.testing.assert_array_equal(found, theirs.predict(X))


@pytest.mark.parametrize("y_dtype", ["float64", "int64"])
@pytest.mark.parametrize("scale", [1e6, 1e9])
def test_a_loss_that_only_float64_sees_fall_goes_on_falling(scale, y_dtype):
    X, y = rows("float32", n=40)
    y = (scale * (y + 4)).astype(y_dtype)  # and predictions of about 1
    for target in (y, -y):
        calls.clear()
        options = {"max_iter": 15, "n_iter_no_change": 2, "solver": "adam", "batch_size": 20}
        theirs, ours = both(X, target, activation="tanh", **options)
        assert theirs.n_iter_ == ours.n_iter_ == 15
        reason = "fast" if scale < 2**24 / 8 else "y is large, and more precise than float32"
        assert calls[reason] == 1
        if scale > 1e6:
            np.testing.assert_array_equal(theirs.loss_curve_, ours.loss_curve_)


@pytest.mark.parametrize("where", ["coefs_", "intercepts_"])
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("dtype", "most"), [("float32", 1e18), ("float64", 1e100)])
def test_parameters_predict_fast_up_to_a_bound(dtype, most, sign, where):
    X, y = rows(dtype)
    theirs, ours = both(X, y, activation="tanh")
    large = "a parameter is large or not finite"
    for value, reason in (
        (0.9 * most, "fast"),
        (1.1 * most, large),
        (np.inf, large),
        (np.nan, large),
    ):
        for model in (theirs, ours):
            getattr(model, where)[0].flat[-1] = sign * value
        calls.clear()
        found = ours.predict(X)
        assert calls == {reason: 1}
        np.testing.assert_allclose(found, theirs.predict(X), rtol=1e-4)
        assert found.dtype == dtype


# -- the other family: what float32 cannot hold is refused ---------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("learning_rate", 1e-50),
        ("learning_rate", 1e50),
        ("epsilon", 1e-30),
        ("epsilon", 1e50),
        ("alpha", 1e50),
    ],
)
def test_a_step_in_float32_refuses_what_float32_cannot_hold(name, value):
    X, y = rows("float32")
    options = {"learning_rate": 0.01, "solver": "adam", name: value}
    network = Network((8, 3, 1), dtype="float32", random_state=0)
    before = network.weights[0].copy()
    with pytest.raises(ValueError, match=rf"{name}=.*float32.*float64"):
        network.train_epoch(X, y, **options)
    assert np.array_equal(before, network.weights[0])
    renamed = {"learning_rate": "learning_rate_init"}.get(name, name)
    model = BackpropRegressor(solver="adam", max_iter=2, random_state=0)
    model.set_params(**{renamed: value})
    with pytest.raises(ValueError, match=rf"{renamed}=.*float32.*float64"):
        model.fit(X, y)
    assert not hasattr(model, "network_")
    fitted = BackpropRegressor(solver="adam", max_iter=2, random_state=0, hidden_layer_sizes=3)
    fitted.fit(X, y).set_params(**{renamed: value})
    for act in (
        lambda: trace_step(network, X[0], y[0], **options),
        lambda: record(network, X, y, **options),
    ):
        with pytest.raises(ValueError, match=rf"{name}=.*float32.*float64"):
            act()
    with pytest.raises(ValueError, match=rf"{renamed}=.*float32.*float64"):
        trace_step(fitted, X[0], y[0])
    with pytest.raises(ValueError, match=rf"{name}=.*float32.*float64"):
        trace_step(fitted, X[0], y[0], **{name: value})
    assert np.array_equal(before, network.weights[0])
    if value < 1:  # float64 holds it
        trace_step(Network((8, 3, 1), random_state=0), X[0], y[0], **options)
        model.fit(X.astype(np.float64), y)
        Network((8, 3, 1), random_state=0).train_epoch(X, y, **options)


def test_a_step_of_one_row_refuses_a_rate_that_float32_cannot_hold():
    X, y = rows("float32")
    network = Network((8, 3, 1), dtype="float32", random_state=0)
    for rate in (1e-50, 1e50):
        with pytest.raises(ValueError, match=r"learning_rate=.*float32"):
            network.step(X[0], y[0], rate)
    Network((8, 3, 1), random_state=0).step(X[0], y[0], 1e-50)


def test_losses_refuse_parameters_that_float32_cannot_hold():
    for options in (
        {"loss": "huber", "huber_delta": 1e-50},
        {"loss": "huber", "huber_delta": 1e50},
        {"loss": "quantile", "quantile": 1e-50},
    ):
        with pytest.raises(ValueError, match="float32"):
            Network((8, 1), dtype="float32", **options)
        assert Network((8, 1), **options).dtype == np.float64


def test_a_rate_that_a_schedule_lowers_to_nothing_is_allowed_in_float32():
    X, y = rows("float32")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = BackpropRegressor(learning_rate="invscaling", power_t=40.0, max_iter=4).fit(X, y)
    assert np.isfinite(model.loss_curve_).all()
