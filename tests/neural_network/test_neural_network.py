"""`fastbp.neural_network` next to scikit-learn's own classes: the same model from the same seed."""

import ast
import contextlib
import copy
import gc
import hashlib
import importlib.util
import inspect
import os
import pickle
import re
import signal
import textwrap
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest
import sklearn.neural_network as host
from cases import HIDDEN_ACTIVATIONS, counted, interrupted_at, pairwise
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, InconsistentVersionWarning
from sklearn.model_selection import GridSearchCV
from sklearn.utils.estimator_checks import estimator_checks_generator

import fastbp.neural_network as fast
from fastbp import _core
from fastbp.network.plan import EpochWorkload
from fastbp.network.runner import EpochRunner
from fastbp.network.threads import available_threads
from fastbp.neural_network import calls, mirror, perceptrons

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

HAS_WEIGHTS = "sample_weight" in inspect.signature(host.MLPClassifier.fit).parameters
HAS_POISSON = "loss" in host.MLPRegressor._parameter_constraints
N_ROWS, N_FEATURES = 47, 5
FEW_TO_PREDICT = perceptrons.FEW_TO_PREDICT
SOLVERS = {
    "sgd": {"solver": "sgd", "momentum": 0.0},
    "momentum": {"solver": "sgd", "momentum": 0.7, "nesterovs_momentum": False},
    "nesterov": {"solver": "sgd", "momentum": 0.9},
    "adam": {"solver": "adam"},
}


@pytest.fixture(autouse=True)
def _few_rows_are_predicted_fast_too(monkeypatch):
    monkeypatch.setattr(perceptrons, "FEW_TO_PREDICT", 0)


def rows(target, dtype=np.float64):
    """X and y for one kind of target."""
    random = np.random.RandomState(5)
    X = random.normal(size=(N_ROWS, N_FEATURES)).astype(dtype)
    y = {
        "binary": np.array(["no", "yes"])[(X[:, 0] > 0).astype(int)],
        "classes": (np.digitize(X[:, 0], [-0.5, 0.5]) * 10),
        "labels": (X[:, :3] > 0.2).astype(int),
        "number": (X[:, 0] - X[:, 1] ** 2).astype(dtype),
        "numbers": np.column_stack([X[:, 0], 2 * X[:, 1], X[:, 2] ** 2]).astype(dtype),
        "counts": random.poisson(np.exp(0.5 * X[:, 0])).astype(dtype),
    }[target]
    return X, y


TARGETS = ["binary", "classes", "labels", "number", "numbers", *["counts"] * HAS_POISSON]


def pair(target, **parameters):
    """Scikit-learn's own estimator and ours, with the same parameters."""
    name = "MLPRegressor" if target in ("number", "numbers", "counts") else "MLPClassifier"
    if target == "counts":
        parameters["loss"] = "poisson"
    settings = {"hidden_layer_sizes": (7, 4), "random_state": 3, "learning_rate_init": 0.002}
    return [getattr(module, name)(**{**settings, **parameters}) for module in (host, fast)]


def difference(theirs, ours):
    """The largest difference between arrays, relative to the largest number of each."""
    return max(
        float(np.abs(np.subtract(a, b)).max() / max(np.abs(a).max(), 1e-300))
        for a, b in zip(theirs, ours, strict=True)
    )


def state_of(random_state):
    name, key, *rest = random_state.get_state()
    return name, key.tolist(), *rest


def expect_same(theirs, ours, rtol):
    """Everything that the two have learnt, and that they note about it."""
    assert difference(theirs.coefs_, ours.coefs_) <= rtol
    assert difference(theirs.intercepts_, ours.intercepts_) <= rtol
    assert difference([theirs.loss_curve_], [ours.loss_curve_]) <= rtol
    assert theirs.n_iter_ == ours.n_iter_
    assert theirs.t_ == ours.t_
    assert state_of(theirs._random_state) == state_of(ours._random_state)
    assert set(vars(theirs)) == set(vars(ours))
    for name, value in vars(theirs).items():
        assert type(value) is type(vars(ours)[name]), name
    expect_same_optimizer(theirs._optimizer, ours._optimizer, rtol)


def expect_same_optimizer(theirs, ours, rtol):
    assert type(theirs) is type(ours)
    assert set(vars(theirs)) == set(vars(ours))
    for name, value in vars(theirs).items():
        own = vars(ours)[name]
        assert type(value) is type(own), name
        if name == "velocities" and theirs.momentum == 0:
            continue  # which no step looks at
        if isinstance(value, list):
            assert [a.dtype for a in value] == [a.dtype for a in own], name
            assert difference(value, own) <= 10 * rtol, name
        else:
            assert value == own, name


def tolerance(dtype, rtol=1e-12):
    return rtol if dtype == np.float64 else 3e-5


# -- the same model after one epoch ------------------------------------------------------------


@pairwise(
    {
        "target": TARGETS,
        "activation": HIDDEN_ACTIVATIONS,
        "solver": SOLVERS,
        "batch_size": (1, 16),
        "shuffle": (True, False),
        "weighted": (False, True) if HAS_WEIGHTS else (False,),
        "dtype": (np.float64, np.float32),
    }
)
def test_one_epoch_gives_the_same_model(
    target, activation, solver, batch_size, shuffle, weighted, dtype
):
    weights = np.random.RandomState(1).uniform(0.2, 3, N_ROWS)
    X, y = rows(target, dtype)
    theirs, ours = pair(
        target,
        activation=activation,
        batch_size=batch_size,
        shuffle=shuffle,
        max_iter=1,
        **SOLVERS[solver],
    )
    options = {"sample_weight": weights} if weighted else {}
    calls.clear()
    theirs.fit(X, y, **options)
    ours.fit(X, y, **options)
    assert calls == {"fast": 1}
    expect_same(theirs, ours, tolerance(dtype))
    assert theirs.coefs_[0].dtype == ours.coefs_[0].dtype == dtype


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("target", TARGETS)
def test_twenty_epochs_give_the_same_model_and_predictions(target, solver):
    X, y = rows(target)
    theirs, ours = pair(target, activation="tanh", max_iter=20, batch_size=8, **SOLVERS[solver])
    theirs.fit(X, y)
    ours.fit(X, y)
    expect_same(theirs, ours, 1e-7)
    if hasattr(theirs, "predict_proba"):
        assert np.array_equal(theirs.predict(X), ours.predict(X))
        assert ours.predict(X).dtype == theirs.predict(X).dtype
        assert difference([theirs.predict_proba(X)], [ours.predict_proba(X)]) < 1e-7
        assert difference([theirs.predict_log_proba(X)], [ours.predict_log_proba(X)]) < 1e-7
    else:
        assert difference([theirs.predict(X)], [ours.predict(X)]) < 1e-7
        assert theirs.predict(X).shape == ours.predict(X).shape


def test_weights_before_the_first_epoch_are_the_same_to_the_last_bit(monkeypatch):
    theirs, ours = pair("classes", max_iter=1)
    begun = []
    monkeypatch.setattr(
        mirror.Mirror,
        "run_epoch",
        lambda self, order: begun.append([W.copy() for W in self.model.coefs_]),
    )
    monkeypatch.setattr(
        host.MLPClassifier,
        "_fit_stochastic",
        lambda self, *_, **__: begun.append([W.copy() for W in self.coefs_]),
    )
    X, y = rows("classes")
    theirs.fit(X, y)
    monkeypatch.undo()
    monkeypatch.setattr(
        mirror.Mirror,
        "run_epoch",
        lambda self, order: begun.append([W.copy() for W in self.model.coefs_]),
    )
    ours.fit(X, y)
    assert all(np.array_equal(a, b) for a, b in zip(*begun, strict=True))


@pytest.mark.parametrize("schedule", ["constant", "invscaling", "adaptive"])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_schedules_and_early_stopping_go_the_same_way(schedule, early_stopping):
    X, y = rows("classes")
    theirs, ours = pair(
        "classes",
        solver="sgd",
        learning_rate=schedule,
        early_stopping=early_stopping,
        learning_rate_init=0.3,
        max_iter=80,
        tol=1e-3,
        n_iter_no_change=2,
        validation_fraction=0.3,
        batch_size=10,
        power_t=0.3,
    )
    theirs.fit(X, y)
    ours.fit(X, y)
    expect_same(theirs, ours, 1e-7)
    assert theirs._optimizer.learning_rate == ours._optimizer.learning_rate
    if early_stopping:
        assert theirs.validation_scores_ == ours.validation_scores_
        assert ours.coefs_ is ours._best_coefs


@pytest.mark.parametrize("target", ["labels", "number", "numbers"])
def test_early_stopping_where_rows_are_not_stratified(target):
    X, y = rows(target)
    theirs, ours = pair(target, early_stopping=True, max_iter=9, validation_fraction=0.2)
    theirs.fit(X, y)
    ours.fit(X, y)
    expect_same(theirs, ours, 1e-9)
    assert difference([theirs.validation_scores_], [ours.validation_scores_]) < 1e-9


@pytest.mark.skipif(not HAS_WEIGHTS, reason="this scikit-learn takes no weights")
def test_early_stopping_with_weights_splits_them_too():
    X, y = rows("number")
    weights = np.arange(1.0, N_ROWS + 1)
    theirs, ours = pair("number", early_stopping=True, max_iter=9, validation_fraction=0.2)
    theirs.fit(X, y, sample_weight=weights)
    ours.fit(X, y, sample_weight=weights)
    expect_same(theirs, ours, 1e-9)


def test_unscaled_data_clip_their_log_losses_as_scikit_learn_does():
    X, y = rows("binary")
    for target in ("binary", "classes", "labels"):
        X, y = rows(target)
        for dtype in (np.float64, np.float32):
            theirs, ours = pair(target, max_iter=2, learning_rate_init=1e-4)
            theirs.fit((1e3 * X).astype(dtype), y)
            ours.fit((1e3 * X).astype(dtype), y)
            assert theirs.loss_curve_[0] > 9
            expect_same(theirs, ours, tolerance(dtype, 1e-10))


@pytest.mark.parametrize("batch_size", ["auto", 7, N_ROWS, 1000])
def test_the_last_batch_is_what_remains_and_too_large_ones_are_clipped(batch_size):
    X, y = rows("number")
    models, messages = pair("number", batch_size=batch_size, max_iter=2), []
    for model in models:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model.fit(X, y)
        messages.append([(w.category, str(w.message), w.filename) for w in caught])
    assert messages[0] == messages[1]
    expect_same(*models, 1e-12)


# -- data as they come -------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [sparse.csr_matrix, sparse.csc_matrix, sparse.csr_array])
@pytest.mark.parametrize("batch_size", [1, 8])
@pytest.mark.parametrize("solver", SOLVERS)
def test_sparse_rows_train_the_same_model(kind, batch_size, solver):
    X, y = rows("classes")
    X[np.abs(X) < 0.7] = 0
    theirs, ours = pair("classes", batch_size=batch_size, max_iter=3, **SOLVERS[solver])
    calls.clear()
    theirs.fit(kind(X), y)
    ours.fit(kind(X), y)
    assert calls == {"fast": 1}
    expect_same(theirs, ours, 1e-11)
    assert difference([theirs.predict_proba(kind(X))], [ours.predict_proba(kind(X))]) < 1e-11


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("solver", SOLVERS)
def test_dense_rows_that_are_mostly_zeros_train_the_same_model(solver, dtype, monkeypatch):
    random = np.random.RandomState(7)
    X = random.normal(size=(N_ROWS, 150)).astype(dtype)
    X[random.uniform(size=X.shape) < 0.8] = 0
    y = np.arange(N_ROWS) % 3
    kinds = []
    opened = _core.Rows

    def noted(X, *args):
        kinds.append(type(X))
        return opened(X, *args)

    monkeypatch.setattr(_core, "Rows", noted)
    theirs, ours = pair(
        "classes", batch_size=13, max_iter=3, hidden_layer_sizes=(71, 9), **SOLVERS[solver]
    )
    expect_same(theirs.fit(X, y), ours.fit(X, y), 1e-12 if dtype == np.float64 else 1e-4)
    assert kinds[0] is tuple  # of lists of non-zeros


def test_arrays_in_any_layout_train_the_same_model():
    X, y = rows("numbers")
    wide = np.zeros((N_ROWS, 2 * N_FEATURES))
    wide[:, ::2] = X
    read_only = X.copy()
    read_only.flags.writeable = False
    for layout in (np.asfortranarray(X), wide[:, ::2], X[::-1][::-1], read_only):
        theirs, ours = pair("numbers", max_iter=2)
        theirs.fit(layout, np.asfortranarray(y))
        ours.fit(layout, np.asfortranarray(y))
        expect_same(theirs, ours, 1e-12)
        assert difference([theirs.predict(layout)], [ours.predict(layout)]) < 1e-12


def test_float32_data_with_float64_targets_keep_the_dtypes_of_scikit_learns_state():
    for weights in (None, np.ones(N_ROWS), np.ones(N_ROWS, np.float32)):
        for solver in SOLVERS:
            X, y = rows("number", np.float32)
            theirs, ours = pair("number", max_iter=3, **SOLVERS[solver])
            options = {"sample_weight": weights} if HAS_WEIGHTS and weights is not None else {}
            calls.clear()
            theirs.fit(X, y.astype(np.float64), **options)
            ours.fit(X, y.astype(np.float64), **options)
            assert calls == {"fast": 1}
            expect_same(theirs, ours, 3e-5)


@pytest.mark.parametrize("dtype", [np.float32, np.int64, np.uint8, bool])
def test_predictions_have_the_values_and_dtype_of_scikit_learns(dtype):
    X, y = rows("number")
    theirs, ours = pair("number", max_iter=2)
    theirs.fit(X, y)
    ours.fit(X, y)
    X = (10 * np.abs(X)).astype(dtype)
    assert theirs.predict(X).dtype == ours.predict(X).dtype
    assert difference([theirs.predict(X)], [ours.predict(X)]) < 1e-6


@pytest.mark.parametrize("n", [1, FEW_TO_PREDICT - 1, FEW_TO_PREDICT])
def test_few_rows_are_predicted_by_scikit_learns_own_code(n, monkeypatch):
    monkeypatch.setattr(perceptrons, "FEW_TO_PREDICT", FEW_TO_PREDICT)
    X, y = rows("classes")
    theirs, ours = pair("classes", max_iter=2)
    theirs.fit(X, y)
    ours.fit(X, y)
    for name in ("coefs_", "intercepts_"):
        setattr(ours, name, getattr(theirs, name))
    calls.clear()
    some = np.resize(X, (n, N_FEATURES))
    predictions = ours.predict_proba(some)
    assert calls == ({"fast": 1} if n == FEW_TO_PREDICT else {})
    if n < FEW_TO_PREDICT:
        np.testing.assert_array_equal(predictions, theirs.predict_proba(some))


def test_predictions_for_more_rows_than_a_block_are_the_same():
    X, y = rows("classes")
    theirs, ours = pair("classes", max_iter=2)
    theirs.fit(X, y)
    ours.fit(X, y)
    many = np.tile(X, (6000, 1))
    assert many.nbytes > 2**23
    assert np.array_equal(theirs.predict(many), ours.predict(many))
    assert difference([theirs.predict_proba(many)], [ours.predict_proba(many)]) < 1e-12


# -- sequences of calls ------------------------------------------------------------------------


def act(model, steps, X, y):
    """Apply a sequence of calls."""
    for step in steps:
        if step == "fit":
            model.fit(X, y)
        elif step == "partial":
            extra = {"classes": np.unique(y)} if hasattr(model, "predict_proba") else {}
            model.partial_fit(X[:20], y[:20], **extra)
        elif step == "row":
            model.partial_fit(X[:1], y[:1])
        elif step == "other":
            model.fit(X[:30], y[:30])
        else:
            model.set_params(**step)


@pytest.mark.filterwarnings("ignore:Got `batch_size` less")
@pytest.mark.parametrize("target", ["classes", "number"])
@pytest.mark.parametrize(
    "steps",
    [
        ["partial"] * 4,
        ["fit", "partial", "row", "row"],
        ["partial", "fit", "partial"],
        [{"warm_start": True}, "fit", "fit", "partial", "fit"],
        ["fit", {"solver": "sgd"}, "partial", "fit", "partial"],
        ["fit", {"learning_rate_init": 0.5, "alpha": 0.3}, "partial", "fit"],
        ["fit", {"activation": "tanh", "hidden_layer_sizes": (2, 2)}, "partial", "partial"],
        [{"warm_start": True, "early_stopping": True}, "fit", "fit"],
        ["fit", {"shuffle": False}, "partial", "other"],
        ["fit", {"random_state": None}],
    ],
)
def test_sequences_of_calls_end_in_the_same_model(target, steps):
    X, y = rows(target)
    models = pair(target, max_iter=4, batch_size=9)
    for model in models:
        np.random.seed(1)  # noqa: NPY002 - what random_state=None draws from
        act(model, steps, X, y)
    expect_same(*models, 1e-10)


@pytest.mark.parametrize("target", ["binary", "classes", "labels", "number", "numbers"])
@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_rows_one_by_one_train_the_same_model(target, solver):
    X, y = rows(target)
    theirs, ours = pair(target, solver=solver)
    for model in (theirs, ours):
        classes = [0, 1, 2] if target == "labels" else np.unique(y)
        extra = {"classes": classes} if hasattr(model, "predict_proba") else {}
        model.partial_fit(X, y, **extra)
        for i in range(N_ROWS):
            model.set_params(batch_size=1).partial_fit(X[i : i + 1], y[i : i + 1])
            model.predict(X)
    expect_same(theirs, ours, 1e-11)


def test_few_rows_are_refused_as_scikit_learn_refuses_them():
    X, y = rows("classes")
    bad = [
        (X[:2] * np.nan, y[:2]),
        (X[:2, :3], y[:2]),
        (X[:2], y[:3]),
        (X[:2], y[:2] + 1),
        (X[:0], y[:0]),
        (X[0], y[:1]),
        (X[:2], y[:2].astype(str)),
        (X[:2], y[:2] + 0.5),
    ]
    for given in bad:
        messages = []
        for model in pair("classes"):
            model.partial_fit(X, y, classes=np.unique(y))
            before = [W.copy() for W in model.coefs_]
            with pytest.raises((ValueError, TypeError)) as caught:
                model.partial_fit(*given)
            messages.append((caught.type, str(caught.value)))
            assert all(np.array_equal(a, b) for a, b in zip(before, model.coefs_, strict=True))
        assert messages[0] == messages[1]


def test_parameters_change_in_place_and_others_can_be_put_in_their_place():
    X, y = rows("number")
    theirs, ours = pair("number", max_iter=2, warm_start=True)
    for model in (theirs, ours):
        model.fit(X, y)
        held = model.coefs_[0]
        model.partial_fit(X, y)
        assert held is model.coefs_[0]
        model.coefs_ = [np.asfortranarray(W) + 0.1 for W in model.coefs_]
        model.intercepts_[0] = np.full(14, 0.5)[::2]
        model.fit(X, y)
    expect_same(theirs, ours, 1e-11)


def clip(model):
    for W in model.coefs_:
        np.clip(W, -0.2, 0.2, out=W)


def forget(model):
    for name in ("ms", "vs", "velocities"):
        for moment in getattr(model._optimizer, name, ()):
            moment[:] = 0


def replace(model):
    model.coefs_ = [W / 2 for W in model.coefs_]  # while the optimiser goes on with the others


def lose(model):
    if model.n_iter_ == 2:
        model.coefs_[0][0, 0] = np.nan


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("solver", ["momentum", "adam"])
@pytest.mark.parametrize("change", [clip, forget, replace])
def test_what_a_hook_changes_between_epochs_is_trained_on(change, solver, early_stopping):
    X, y = rows("number")
    trained = []
    for plain in pair("number", early_stopping=early_stopping, max_iter=5, **SOLVERS[solver]):

        class Hooked(type(plain)):
            def _update_no_improvement_count(self, *args):
                super()._update_no_improvement_count(*args)
                change(self)

        trained.append(Hooked(**plain.get_params()).fit(X, y))
    untouched = pair("number", early_stopping=early_stopping, max_iter=5, **SOLVERS[solver])[1]
    expect_same(*trained, 1e-11)
    assert difference([untouched.fit(X, y).loss_curve_], [trained[1].loss_curve_]) > 1e-6


def test_a_hook_of_one_model_sees_every_epoch():
    X, y = rows("number")
    seen = []
    for model in pair("number", max_iter=4):
        looks = []

        def hook(*args, model=model, looks=looks, usual=model._update_no_improvement_count):
            looks.append(np.abs(model.coefs_[0]).sum())
            usual(*args)

        model._update_no_improvement_count = hook
        model.fit(X, y)
        seen.append(looks)
    assert len(set(seen[1])) == 4
    np.testing.assert_allclose(seen[1], seen[0], rtol=1e-12)


def test_velocities_are_kept_where_the_rate_falls_to_nothing():
    X, y = rows("number")
    falling = {"learning_rate": "invscaling", "learning_rate_init": 1e-20, "power_t": 100.0}
    theirs, ours = pair("number", solver="sgd", max_iter=4, **falling)
    theirs.fit(X, y)
    ours.fit(X, y)
    assert difference(theirs._optimizer.velocities, ours._optimizer.velocities) < 1e-11


def test_a_weight_that_a_hook_loses_ends_training_as_in_scikit_learn():
    X, y = rows("number")
    for plain in pair("number", max_iter=5):

        class Hooked(type(plain)):
            def _update_no_improvement_count(self, *args):
                super()._update_no_improvement_count(*args)
                lose(self)

        model = Hooked(**plain.get_params())
        with pytest.raises(ValueError, match="non-finite"):
            model.fit(X, y)
        assert len(model.loss_curve_) == 5


@pytest.mark.parametrize("kind", ["MLPClassifier", "MLPRegressor"])
def test_a_subclass_whose_instances_have_no_hash(kind):
    class Equal(getattr(fast, kind)):
        def __eq__(self, other):
            return type(self) is type(other)

        __hash__ = None

    X, y = rows("binary" if kind == "MLPClassifier" else "number")
    ours = Equal(random_state=0, max_iter=3).fit(X, y)
    others = Equal(random_state=1, max_iter=3).fit(X, y)
    for seed, model in enumerate((ours, others)):
        theirs = getattr(host, kind)(random_state=seed, max_iter=3).fit(X, y)
        theirs.partial_fit(X, y)
        model.partial_fit(X, y)
        expect_same(theirs, model, 1e-11)
        assert difference([theirs.loss_], [model.loss_]) < 1e-11
        assert np.array_equal(theirs.predict(X), model.predict(X)) or kind == "MLPRegressor"


def test_networks_are_kept_as_long_as_their_models_live():
    X, y = rows("number")
    gc.collect()
    kept = [len(networks._networks) for networks in (mirror._for_training, mirror._for_predictions)]
    ours = pair("number")[1].partial_fit(X, y)
    ours.predict(X)
    for networks, before in zip((mirror._for_training, mirror._for_predictions), kept, strict=True):
        assert len(networks._networks) == before + 1
        network = networks.take(ours)
        networks.put(ours, network)
        assert networks.take(ours) is network
        networks.put(ours, network)
    del ours
    gc.collect()
    assert [
        len(networks._networks) for networks in (mirror._for_training, mirror._for_predictions)
    ] == kept


def test_a_fitted_model_may_be_given_another_activation():
    X, y = rows("number")
    theirs, ours = pair("number", max_iter=2, activation="relu", warm_start=True)
    for model in (theirs, ours):
        model.fit(X, y).predict(X)
        model.set_params(activation="tanh")
    assert difference([theirs.predict(X)], [ours.predict(X)]) < 1e-12
    theirs.fit(X, y)
    ours.fit(X, y)
    expect_same(theirs, ours, 1e-11)


@pytest.mark.skipif(not HAS_POISSON, reason="this scikit-learn has no Poisson loss")
def test_outputs_that_overflow_are_left_to_scikit_learn():
    X, y = rows("counts")
    theirs, ours = pair("counts", max_iter=2)
    theirs.fit(X, y)
    ours.fit(X, y)
    for model in (theirs, ours):
        model.intercepts_[-1][:] = 400.0  # e**400 is finite, but not its square
    calls.clear()
    found = ours.predict(X)
    assert calls == {"an output overflows, or nearly": 1}
    assert difference([theirs.predict(X)], [found]) < 1e-11


def test_copies_and_pickles_go_on_as_the_original_would():
    X, y = rows("classes")
    theirs, ours = pair("classes", max_iter=3)
    theirs.fit(X, y)
    ours.fit(X, y)
    for again in (copy.deepcopy(ours), pickle.loads(pickle.dumps(ours))):
        original = copy.deepcopy(theirs)
        again.partial_fit(X, y)
        original.partial_fit(X, y)
        expect_same(original, again, 1e-11)


def test_pickles_name_the_version_of_scikit_learn_that_made_them():
    X, y = rows("classes")
    _, ours = pair("classes", max_iter=3)
    state = ours.fit(X, y).__getstate__()
    older = fast.MLPClassifier()
    with pytest.warns(InconsistentVersionWarning, match=r"from version 1\.5\.0"):
        older.__setstate__({**state, "_sklearn_version": "1.5.0"})
    assert np.array_equal(older.predict(X), ours.predict(X))
    assert "_sklearn_version" not in vars(older)


# -- what scikit-learn's own code has to do ----------------------------------------------------


def expect_equal_bits(theirs, ours):
    for a, b in zip(
        [*theirs.coefs_, *theirs.intercepts_, theirs.loss_curve_],
        [*ours.coefs_, *ours.intercepts_, ours.loss_curve_],
        strict=True,
    ):
        assert np.array_equal(a, b, equal_nan=True)


def test_a_subclass_with_its_own_gradient_is_obeyed():
    class Halved(fast.MLPClassifier):
        def _compute_loss_grad(self, layer, *args):
            host.MLPClassifier._compute_loss_grad(self, layer, *args)
            args[-2][layer] /= 2

    X, y = rows("classes")
    ours = Halved(random_state=0, max_iter=2)
    calls.clear()
    ours.fit(X, y)
    assert calls == {"_compute_loss_grad is overridden": 1}

    class HostHalved(host.MLPClassifier):
        _compute_loss_grad = Halved._compute_loss_grad

    expect_equal_bits(HostHalved(random_state=0, max_iter=2).fit(X, y), ours)


def test_where_the_fast_path_does_not_go_the_bits_are_scikit_learns():
    X, y = rows("number")
    cases = {
        "X is more precise than the parameters": lambda m: m.partial_fit(X.astype(np.float32), y),
        "the solver's parameters are out of the engine's range": lambda m: m.set_params(
            solver="sgd", momentum=1.0
        ),
        "loss and activations do not belong together": lambda m: m.fit(X, y).__setattr__(
            "out_activation_", "tanh"
        ),
    }
    for reason, prepare in cases.items():
        models = pair("number", max_iter=2)
        for model in models:
            prepare(model)
            calls.clear()
            model.partial_fit(X, y)
        assert calls == {reason: 1}
        if reason.startswith("X is"):
            assert difference(models[0].coefs_, models[1].coefs_) < 1e-4  # began in float32
        else:
            expect_same(*models, 1e-12)


def test_read_only_parameters_are_refused_as_scikit_learn_refuses_them():
    X, y = rows("number")
    for model in pair("number", max_iter=2):
        model.fit(X, y)
        model.coefs_[0].flags.writeable = False
        with pytest.raises(ValueError, match="read-only"):
            model.partial_fit(X, y)


def test_an_unknown_scikit_learn_trains_by_itself_and_says_so(monkeypatch):
    monkeypatch.setattr(perceptrons, "IS_KNOWN", False)
    X, y = rows("classes")
    theirs, ours = pair("classes", max_iter=3)
    theirs.fit(X, y)
    with pytest.warns(UserWarning, match="does not know scikit-learn"):
        ours.fit(X, y)
    expect_equal_bits(theirs, ours)


def test_divergence_ends_as_it_does_in_scikit_learn():
    X, y = rows("number")
    seen = []
    for model in pair("number", solver="sgd", learning_rate_init=1e6, max_iter=6):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            with pytest.raises(ValueError, match="Solver produced non-finite parameter weights"):
                model.fit(X, y)
        seen.append([(w.category, str(w.message)) for w in caught])
    assert seen[0] == seen[1]


def test_steps_that_are_large_but_finite_stay_the_same():
    X, y = rows("number")
    theirs, ours = pair("number", solver="sgd", learning_rate_init=0.9, max_iter=4, momentum=0)
    for model in (theirs, ours):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                model.fit(1e3 * X, 1e6 * y)
            except ValueError as error:
                assert "non-finite" in str(error)  # noqa: PT017
    assert theirs.n_iter_ == ours.n_iter_


@pytest.mark.skipif(not HAS_WEIGHTS, reason="this scikit-learn takes no weights")
def test_a_batch_without_weight_raises_after_the_same_steps():
    X, y = rows("number")
    weights = np.ones(N_ROWS)
    weights[16:32] = 0
    models = pair("number", batch_size=8, shuffle=False, max_iter=3)
    for model in models:
        with pytest.raises(ZeroDivisionError):
            model.fit(X, y, sample_weight=weights)
    assert difference(models[0].coefs_, models[1].coefs_) < 1e-12
    some = np.where(np.arange(N_ROWS) % 4, 1.0, 0)
    theirs, ours = pair("number", batch_size=8, max_iter=3, shuffle=False)
    theirs.fit(X, y, sample_weight=some)
    ours.fit(X, y, sample_weight=some)
    expect_same(theirs, ours, 1e-11)


@pytest.mark.skipif(not HAS_WEIGHTS, reason="this scikit-learn takes no weights")
@pytest.mark.parametrize("in_the_table", ["one has none", "all have some"])
def test_batches_without_weight_are_those_of_the_shuffled_rows(in_the_table):
    X, y = rows("number")
    weights = (np.arange(N_ROWS) % 4 == 0).astype(float)
    if in_the_table == "one has none":
        weights.sort()
    failed = []
    for seed in range(12):
        theirs, ours = pair("number", batch_size=8, max_iter=1, random_state=seed)
        ends = []
        calls.clear()
        for model in (theirs, ours):
            try:
                model.fit(X, y, sample_weight=weights)
                ends.append(None)
            except ZeroDivisionError as error:
                ends.append(str(error))
        assert ends[0] == ends[1]
        assert difference(theirs.coefs_, ours.coefs_) < 1e-11
        failed.append(ends[1] is not None)
        assert calls["an epoch out of the ordinary"] == failed[-1]
    assert set(failed) == {True, False}


def one_by_one(*_):
    """In the place of Mirror.run_epochs: no epochs are run at once."""
    return []


TOGETHER = {
    "Adam": {},
    "Adam, batches of 1": {"batch_size": 1},
    "momentum": {"solver": "sgd", "alpha": 0.1},
    "batches of 1": {"solver": "sgd", "batch_size": 1, "momentum": 0},
    "invscaling": {"solver": "sgd", "learning_rate": "invscaling", "power_t": 0.3},
    "adaptive": {"solver": "sgd", "learning_rate": "adaptive", "tol": 0.1, "n_iter_no_change": 2},
    "a rate of float32": {
        "solver": "sgd",
        "learning_rate": "invscaling",
        "learning_rate_init": np.float32(0.01),
    },
    "in order": {"shuffle": False},
    "soon enough": {"tol": 0.5, "n_iter_no_change": 3, "max_iter": 100},
    "never enough": {"n_iter_no_change": np.inf, "max_iter": 30},
    "again": {"warm_start": True, "max_iter": 4},
}


@pytest.mark.parametrize("settings", TOGETHER.values(), ids=TOGETHER)
@pytest.mark.parametrize("kind", ["number", "classes"])
def test_epochs_that_run_at_once_are_to_the_bit_what_they_are_one_by_one(
    kind, settings, monkeypatch
):
    X, y = rows(kind)
    found = counted(monkeypatch, mirror.Mirror, "run_epochs")
    together = pair(kind, **settings)[1]
    alone = pair(kind, **settings)[1]
    for _ in range(2):
        together.fit(X, y)
    assert max(found) > 1
    monkeypatch.setattr(mirror.Mirror, "run_epochs", one_by_one)
    for _ in range(2):
        alone.fit(X, y)
    expect_equal_bits(alone, together)
    assert together._random_state.randint(2**31) == alone._random_state.randint(2**31)


def test_a_model_without_a_best_loss_fails_after_one_epoch_as_scikit_learns():
    X, y = rows("number")
    theirs, ours = pair("number", early_stopping=True, warm_start=True, max_iter=9)
    for model in (theirs, ours):
        model.fit(X, y)  # keeps a best score, and no best loss
        model.set_params(early_stopping=False)
        with pytest.raises(TypeError, match="NoneType"):
            model.fit(X, y)
    expect_same(theirs, ours, 1e-9)


@pytest.mark.parametrize("nth", range(2, 60, 3))
def test_ctrl_c_while_epochs_are_noted_waits_until_all_are(nth, monkeypatch):
    X, y = rows("number")
    ours = pair("number", max_iter=8)[1]
    real, chances = fast.MLPRegressor._note, [nth]

    def note(model, *args):
        if not chances:
            return real(model, *args)
        if interrupted_at(chances.pop(), real, model, *args):
            raise KeyboardInterrupt
        return False

    monkeypatch.setattr(fast.MLPRegressor, "_note", note)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ours.fit(X, y)
    assert ours.n_iter_ in (7, 8)  # the one that was being noted may be short of something
    assert ours.t_ == ours.n_iter_ * N_ROWS
    assert ours._optimizer.t == 8


def interrupt_second_piece(monkeypatch):
    """Have Ctrl-C pressed in the second piece of work."""
    pieces = iter([1, 2])

    @contextlib.contextmanager
    def interrupted_piece(tuner, n_rows):
        yield None
        if next(pieces) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr("fastbp.network.runner.timed", interrupted_piece)


@pytest.mark.parametrize("batch_size", [1, 8])
def test_ctrl_c_in_epochs_that_run_at_once_goes_back_to_before_them(batch_size, monkeypatch):
    X, y = rows("number")
    theirs, ours = pair(
        "number", max_iter=11, batch_size=batch_size
    )  # as many as surely take place
    interrupt_second_piece(monkeypatch)
    ours.set_params(max_iter=100)
    with pytest.warns(UserWarning, match="Training interrupted by user"):
        ours.fit(X, y)
    theirs.fit(X, y)
    assert (ours.n_iter_, ours.t_) == (11, 11 * N_ROWS)
    assert difference(theirs.coefs_, ours.coefs_) < 1e-11
    assert difference([theirs.loss_curve_], [ours.loss_curve_]) < 1e-11
    expect_same_optimizer(theirs._optimizer, ours._optimizer, 1e-11)


@pytest.mark.parametrize("solver", SOLVERS)
def test_an_epoch_that_fails_at_its_end_is_left_to_scikit_learn_from_its_beginning(
    solver, monkeypatch
):
    X, y = rows("number")
    theirs, ours = pair("number", batch_size=8, max_iter=5, **SOLVERS[solver])
    real, n_epochs = EpochRunner._advance, iter(range(9))

    class Lost:
        row = 0

        def __init__(self, run):
            self.run = run

        def advance(self, *args):
            assert self.run.advance(*args)
            self.run.restart()
            return False

    def advance(runner, run, *args):
        return real(runner, run if next(n_epochs) < 2 else Lost(run), *args)

    monkeypatch.setattr(EpochRunner, "_advance", advance)
    monkeypatch.setattr(mirror.Mirror, "run_epochs", one_by_one)
    calls.clear()
    expect_same(theirs.fit(X, y), ours.fit(X, y), 1e-11)
    assert calls == {"fast": 1, "an epoch out of the ordinary": 1}


@pytest.mark.parametrize("solver", SOLVERS)
def test_ctrl_c_in_an_epoch_keeps_weights_and_moments_of_one_time(solver, monkeypatch):
    X, y = rows("number")
    theirs, ours = pair("number", batch_size=8, shuffle=False, max_iter=2, **SOLVERS[solver])
    monkeypatch.setattr(mirror.Mirror, "run_epochs", one_by_one)
    interrupt_second_piece(monkeypatch)
    monkeypatch.setattr(EpochWorkload, "rows_of_piece", lambda *_: 16)
    with pytest.warns(UserWarning, match="Training interrupted by user"):
        ours.fit(X, y)
    theirs.set_params(max_iter=1).fit(X[:16], y[:16])  # what had been learnt until then
    assert (ours.n_iter_, ours.t_, ours.loss_curve_) == (0, 0, [])
    assert difference(theirs.coefs_, ours.coefs_) < 1e-12
    expect_same_optimizer(theirs._optimizer, ours._optimizer, 1e-12)


@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_ctrl_c_while_the_model_is_brought_up_to_date_loses_nothing(solver, monkeypatch):
    X, y = rows("number")
    expected = pair("number", max_iter=4, **SOLVERS[solver])[1].fit(X, y)
    real, n_interrupted = mirror.Mirror.write_back, 0
    for nth in range(1, 80):
        chances = [nth]

        def write_back(reference, chances=chances):
            if not chances:
                real(reference)
            elif interrupted_at(chances.pop(), real, reference):
                raise KeyboardInterrupt

        monkeypatch.setattr(mirror.Mirror, "write_back", write_back)
        model = pair("number", max_iter=4, **SOLVERS[solver])[1]
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model.fit(X, y)
        expect_same(expected, model, 0)
        n_interrupted += "Training interrupted by user." in [str(w.message) for w in caught]
    assert n_interrupted > 10


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT to send to one process")
def test_ctrl_c_keeps_what_was_learnt_and_warns():
    random = np.random.RandomState(0)
    X, y = random.normal(size=(200_000, 30)), random.normal(size=200_000)
    model = fast.MLPRegressor(batch_size=1, solver="sgd", max_iter=1000, random_state=0)
    timer = threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.warns(UserWarning, match="Training interrupted by user"):
        model.fit(X, y)
    assert model.n_iter_ == len(model.loss_curve_)
    assert model.t_ == model.n_iter_ * len(X)
    first = np.random.RandomState(0).uniform(-1, 1, (30, 100)) * np.sqrt(6 / 130)
    assert not np.array_equal(model.coefs_[0], first)
    assert np.isfinite(model.predict(X[:5])).all()


def test_scikit_learns_training_is_what_was_studied():
    """If this fails, scikit-learn has changed: compare, then add its digest and its version."""
    studied = {
        "_fit_stochastic": {"1.6": "6a385ce717fe", "1.7 to 1.9": "7e91d0f6744a"},
        "_backprop": {"1.6": "d95b5e8d524b", "1.7 to 1.9": "1d8116aa3450"},
        "_compute_loss_grad": {"1.6": "564bf5a45c65", "1.7 to 1.9": "ecf22ba01b6f"},
        "_forward_pass": {"1.6 to 1.9": "789a6ef3cf58"},
        "_forward_pass_fast": {"1.6 to 1.9": "39e2d9622ccc"},
        "_update_no_improvement_count": {"1.6": "adfb25298258", "1.7 to 1.9": "798dd71073a1"},
    }
    for name, digests in studied.items():
        code = ast.parse(textwrap.dedent(inspect.getsource(getattr(host.MLPClassifier, name))))
        assert digest_of(code) in digests.values(), (name, digest_of(code))


def digest_of(code):
    """A digest of what a method does: its comments, layout and docstring aside."""
    (function,) = code.body
    if ast.get_docstring(function) is not None:
        del function.body[0]
    return hashlib.sha256(ast.unparse(code).encode()).hexdigest()[:12]


# -- everything around -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limit", "expected"), [("", 3), ("2", 2), ("8", 3), ("1,4", 1), ("0", 1), ("many", 3)]
)
def test_threads_are_the_processors_or_as_many_as_openmp_may_use(limit, expected, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 5}, raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", limit)
    assert available_threads() == expected


def test_the_page_on_the_drop_in_runs():
    page = Path(__file__).parents[2] / "docs" / "drop_in.md"
    blocks = re.findall(r"^```python\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    assert len(blocks) == 4
    names = {}
    for block in blocks:
        if "sklearn.callback" in block and importlib.util.find_spec("sklearn.callback") is None:
            continue
        exec(
            compile(block.replace("random_state=0)", "random_state=0, max_iter=9)"), page, "exec"),
            names,
        )
    assert np.array_equal(names["plain"].predict(names["X"]), names["model"].predict(names["X"]))
    assert type(names["plain"]) is host.MLPClassifier


@pytest.mark.parametrize("settings", [{"early_stopping": True}, {"tol": 0.5}, {}])
@pytest.mark.parametrize("learning_rate", ["constant", "adaptive"])
def test_what_is_printed_is_the_same(settings, learning_rate, capsys):
    X, y = rows("classes")
    printed = []
    for model in pair(
        "classes",
        solver="sgd",
        learning_rate=learning_rate,
        n_iter_no_change=1,
        verbose=True,
        max_iter=12,
        **settings,
    ):
        model.fit(X, y)
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1]
    assert printed[0].startswith("Iteration 1, loss = ")


def test_warnings_come_from_scikit_learns_module():
    X, y = rows("classes")
    for model in pair("classes", max_iter=2):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.filterwarnings("ignore", module="sklearn", category=ConvergenceWarning)
            model.fit(X, y)
        with pytest.warns(ConvergenceWarning, match=r"Maximum iterations \(2\) reached"):
            model.fit(X, y)


@pytest.mark.parametrize("name", ["MLPClassifier", "MLPRegressor"])
def test_a_class_is_a_subclass_with_the_same_parameters_tags_and_docs(name):
    theirs, ours = getattr(host, name)(), getattr(fast, name)()
    assert isinstance(ours, getattr(host, name))
    assert ours.get_params() == theirs.get_params()
    assert repr(ours) == repr(theirs)
    assert ours.__sklearn_tags__() == theirs.__sklearn_tags__()
    assert ours._get_doc_link() == theirs._get_doc_link()
    assert ours.get_metadata_routing().fit.requests == theirs.get_metadata_routing().fit.requests
    assert "hidden_layer_sizes : array-like" in type(ours).__doc__
    assert clone(ours).get_params() == theirs.get_params()


@pytest.mark.filterwarnings("ignore:scipy.optimize. The `disp`:DeprecationWarning")  # in 1.6
def test_lbfgs_is_scikit_learns_own():
    X, y = rows("number")
    theirs, ours = pair("number", solver="lbfgs", max_iter=30)
    theirs.fit(X, y)
    calls.clear()
    ours.fit(X, y)
    assert calls == {"solver is lbfgs": 1}
    assert all(np.array_equal(a, b) for a, b in zip(theirs.coefs_, ours.coefs_, strict=True))
    assert theirs.n_iter_ == ours.n_iter_


def test_a_grid_search_finds_the_same():
    X, y = rows("classes")
    searches = [
        GridSearchCV(model, {"alpha": np.logspace(-4, 0, 3)}, cv=3).fit(X, y)
        for model in pair("classes", max_iter=5)
    ]
    assert searches[0].best_params_ == searches[1].best_params_
    scores = [search.cv_results_["mean_test_score"] for search in searches]
    assert difference([scores[0]], [scores[1]]) < 1e-9


def checks_of(module):
    """Scikit-learn's common checks, with the names of those it expects its own classes to fail."""
    for name in ("MLPClassifier", "MLPRegressor"):
        model = getattr(module, name)()
        yield from ((name, model, check) for model, check in estimator_checks_generator(model))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("model", "check"),
    [
        pytest.param(model, check, id=f"{name}-{check.func.__name__}-{i}")
        for i, (name, model, check) in enumerate(checks_of(fast))
    ],
)
def test_scikit_learns_common_checks_pass(model, check):
    check(clone(model))
