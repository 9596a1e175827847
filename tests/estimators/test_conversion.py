"""Models of scikit-learn's own classes, there and back: what goes across, and what goes on."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn.neural_network
from plain_models import BackpropClassifier, BackpropRegressor
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

import fastbp
from fastbp import patch_sklearn, unpatch_sklearn

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

HAS_LOSS = "loss" in MLPRegressor().get_params()  # since scikit-learn 1.7


def features(n_rows=90, seed=0):
    return np.random.default_rng(seed).normal(size=(n_rows, 4))


X = features()
TARGETS = {
    "one output": np.sin(X[:, 0]) + X[:, 1],
    "two outputs": np.column_stack([np.sin(X[:, 0]), X[:, 1]]),
    "two classes": np.where(X[:, 0] > 0, "yes", "no"),
    "three classes": np.digitize(X[:, 0], [-0.5, 0.5]) * 10,
    "several labels": (X[:, :3] > 0).astype(int),
}
SOLVERS = {
    "Adam": {"batch_size": 16},
    "Nesterov": {"solver": "sgd", "batch_size": 16},
    "momentum": {"solver": "sgd", "nesterovs_momentum": False, "momentum": 0.5, "batch_size": 9},
    "plain": {"solver": "sgd", "momentum": 0.0, "batch_size": 9, "alpha": 0.1},
    "inverse scaling": {
        "solver": "sgd",
        "learning_rate": "invscaling",
        "power_t": 0.2,
        "batch_size": 16,
    },
    "adaptive": {
        "solver": "sgd",
        "learning_rate": "adaptive",
        "tol": 0.1,
        "n_iter_no_change": 1,
        "batch_size": 16,
    },
}
KINDS = {
    "ours": (BackpropClassifier, BackpropRegressor),
    "theirs": (MLPClassifier, MLPRegressor),
}


def kind_for(target, whose):
    return KINDS[whose][target.endswith(("output", "outputs"))]


def fitted(target, whose="theirs", **options):
    shared = {"hidden_layer_sizes": (7, 5), "activation": "tanh", "learning_rate_init": 0.01}
    model = kind_for(target, whose)(random_state=0, **{**shared, "max_iter": 6, **options})
    return model.fit(X, TARGETS[target])


def assert_same_arrays(ours, theirs):
    for one, other in zip(ours, theirs, strict=True):
        assert one.dtype == other.dtype
        assert np.array_equal(one, other)


def assert_same_model(ours, mlp):
    assert_same_arrays(ours.coefs_, mlp.coefs_)
    assert_same_arrays(ours.intercepts_, mlp.intercepts_)
    for name in ("n_iter_", "t_", "n_layers_", "n_outputs_", "out_activation_", "n_features_in_"):
        assert getattr(ours, name) == getattr(mlp, name), name
    assert ours.loss_curve_ == mlp.loss_curve_
    assert ours.loss_ == mlp.loss_
    if hasattr(mlp, "classes_"):
        assert np.array_equal(ours.classes_, mlp.classes_)
        assert ours.classes_.dtype == mlp.classes_.dtype
        assert np.array_equal(ours.predict(X), mlp.predict(X))
        assert np.allclose(ours.predict_proba(X), mlp.predict_proba(X), rtol=1e-10, atol=1e-14)
    else:
        assert np.allclose(ours.predict(X), mlp.predict(X), rtol=1e-10, atol=1e-12)


def assert_same_training(ours, mlp, target):
    """Two more epochs on the same rows in the same order end in the same weights."""
    for model in (ours, mlp):
        model.set_params(shuffle=False, early_stopping=False, tol=0, n_iter_no_change=50)
        for _ in range(2):
            model.partial_fit(X, TARGETS[target])
    for W, expected in zip(ours.coefs_, mlp.coefs_, strict=True):
        assert np.allclose(W, expected, rtol=1e-9, atol=1e-11)


# -- both ways -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SOLVERS)
@pytest.mark.parametrize("target", TARGETS)
def test_a_model_of_scikit_learn_goes_on_here(target, name):
    mlp = fitted(target, **SOLVERS[name])
    before = pickle.dumps(mlp)
    ours = kind_for(target, "ours").from_sklearn(mlp)
    assert pickle.dumps(mlp) == before
    assert_same_model(ours, mlp)
    assert_same_training(ours, mlp, target)


@pytest.mark.parametrize("name", SOLVERS)
@pytest.mark.parametrize("target", TARGETS)
def test_a_model_goes_on_in_scikit_learn(target, name):
    ours = fitted(target, "ours", **{"momentum": 0.9, **SOLVERS[name]})
    mlp = ours.to_sklearn()
    assert type(mlp) is kind_for(target, "theirs")
    assert_same_model(ours, mlp)
    assert_same_training(ours, mlp, target)


@pytest.mark.parametrize("name", SOLVERS)
@pytest.mark.parametrize("target", TARGETS)
def test_there_and_back_again_is_the_same_model(target, name):
    mlp = fitted(target, **SOLVERS[name])
    again = kind_for(target, "ours").from_sklearn(mlp).to_sklearn()
    for key, value in mlp.get_params().items():
        assert again.get_params()[key] == value, key
    assert set(vars(again)) == set(vars(mlp))
    assert_same_arrays(again.coefs_ + again.intercepts_, mlp.coefs_ + mlp.intercepts_)
    for key in ("velocities", "ms", "vs") if SOLVERS[name].get("momentum") != 0 else ():
        if hasattr(mlp._optimizer, key):
            assert_same_arrays(getattr(again._optimizer, key), getattr(mlp._optimizer, key))
    if SOLVERS[name].get("solver") == "sgd":
        assert again._optimizer.learning_rate == pytest.approx(mlp._optimizer.learning_rate)
    else:
        assert again._optimizer.t == mlp._optimizer.t
    assert_same_arrays([again._random_state.get_state()[1]], [mlp._random_state.get_state()[1]])
    pickle.loads(pickle.dumps(again)).partial_fit(X, TARGETS[target])


WAYS = {
    "fit": [("fit", {})],
    "partial_fit": [("partial_fit", {})] * 3,
    "fit, partial_fit": [("fit", {}), *[("partial_fit", {})] * 2],
    "warm start": [("fit", {"warm_start": True}), ("fit", {"warm_start": True, "max_iter": 4})],
    "one row": [("fit", {}), ("partial_fit", {}), ("one row", {})],
}


def go(model, target, way):
    """Make the calls of one of the `WAYS`."""
    y = TARGETS[target]
    for call, parameters in WAYS[way]:
        model.set_params(**parameters)
        classes = {}
        if target.endswith("classes") and call == "partial_fit" and not hasattr(model, "coefs_"):
            classes = {"classes": np.unique(y)}
        if call == "one row":
            model.partial_fit(X[:1], y[:1])
        else:
            getattr(model, call)(X, y, **classes)
    return model


@pytest.mark.filterwarnings("ignore:Got .batch_size. less than 1 or larger:UserWarning")
@pytest.mark.parametrize("tol", [1e-4, 0.05, 10.0])
@pytest.mark.parametrize("name", ["Adam", "Nesterov", "adaptive"])
@pytest.mark.parametrize(
    ("way", "early_stopping"),
    [*((way, False) for way in WAYS), ("fit", True), ("warm start", True)],
)
@pytest.mark.parametrize("target", ["one output", "three classes"])
def test_counts_of_epochs_come_back(target, way, name, tol, early_stopping):
    options = {**SOLVERS[name], "tol": tol, "n_iter_no_change": 2, "max_iter": 6}
    mlp = kind_for(target, "theirs")(
        hidden_layer_sizes=5,
        random_state=0,
        early_stopping=early_stopping,
        learning_rate_init=0.01,
        **options,
    )
    go(mlp, target, way)
    ours = kind_for(target, "ours").from_sklearn(mlp)
    assert ours.n_iter_ == len(mlp.loss_curve_)
    again = ours.to_sklearn()
    for key in ("n_iter_", "t_", "loss_curve_", "_no_improvement_count", "best_loss_"):
        assert getattr(again, key) == getattr(mlp, key), key
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for model in (mlp, again):
            model.set_params(warm_start=True).fit(X, TARGETS[target])
    assert again.n_iter_ == mlp.n_iter_
    assert_same_arrays(again.coefs_, mlp.coefs_)


@pytest.mark.parametrize("way", WAYS)
def test_scikit_learn_is_told_the_epochs_of_the_last_call(way):
    ours = BackpropRegressor(hidden_layer_sizes=5, random_state=0, max_iter=6)
    mlp = go(ours, "one output", way).to_sklearn()
    last = WAYS[way][-1]
    assert mlp.n_iter_ == (last[1].get("max_iter", 6) if last[0] == "fit" else 1)
    assert len(mlp.loss_curve_) == ours.n_iter_


def test_float32_stays_float32():
    mlp = MLPClassifier((6,), random_state=0, max_iter=3)
    mlp.fit(X.astype(np.float32), TARGETS["three classes"])
    ours = BackpropClassifier.from_sklearn(mlp)
    assert ours.network_.dtype == np.float32
    assert_same_arrays(ours.coefs_, mlp.coefs_)
    assert_same_arrays(ours.to_sklearn().coefs_, mlp.coefs_)


def test_nothing_is_shared():
    mlp = fitted("one output")
    ours = BackpropRegressor.from_sklearn(mlp)
    ours.partial_fit(X, TARGETS["one output"])
    assert not any(np.array_equal(a, b) for a, b in zip(ours.coefs_, mlp.coefs_, strict=True))
    back = ours.to_sklearn()
    back.coefs_[0][:] = 0
    assert ours.coefs_[0].any()
    assert ours.loss_curve_ is not back.loss_curve_


def test_names_of_features_go_across():
    frame = pd.DataFrame(X, columns=list("abcd"))
    mlp = MLPRegressor(hidden_layer_sizes=(5,), max_iter=2, random_state=0).fit(
        frame, TARGETS["one output"]
    )
    ours = BackpropRegressor.from_sklearn(mlp)
    assert ours.predict(frame).shape == (90,)
    with pytest.raises(ValueError, match="feature names"):
        ours.predict(frame[list("dcba")])
    assert ours.to_sklearn().feature_names_in_.tolist() == list("abcd")


@pytest.mark.parametrize("name", ["Adam", "Nesterov"])
def test_early_stopping_goes_across(name):
    mlp = fitted("three classes", early_stopping=True, **SOLVERS[name])
    ours = BackpropClassifier.from_sklearn(mlp)
    assert ours.early_stopping
    assert ours.validation_scores_ == mlp.validation_scores_
    assert ours.best_validation_score_ == mlp.best_validation_score_
    back = ours.to_sklearn()
    assert back.validation_scores_ == mlp.validation_scores_
    assert back.best_loss_ is None
    own = fitted("three classes", "ours", early_stopping=True).to_sklearn()
    assert own.best_validation_score_ == max(own.validation_scores_)


@pytest.mark.skipif(not HAS_LOSS, reason="this scikit-learn has squared error only")
def test_poisson_goes_across():
    y = np.exp(X[:, 0])
    mlp = MLPRegressor(loss="poisson", hidden_layer_sizes=(5,), max_iter=4, random_state=0).fit(
        X, y
    )
    ours = BackpropRegressor.from_sklearn(mlp)
    assert ours.loss == "poisson"
    assert np.allclose(ours.predict(X), mlp.predict(X), rtol=1e-10)
    assert ours.to_sklearn().loss == "poisson"


@pytest.mark.skipif(HAS_LOSS, reason="this scikit-learn has a Poisson loss")
def test_poisson_is_refused_where_scikit_learn_has_none():
    model = BackpropRegressor(loss="poisson", max_iter=2).fit(X, np.exp(X[:, 0]))
    with pytest.raises(ValueError, match="MLPRegressor has no loss='poisson'"):
        model.to_sklearn()


def test_a_fit_after_conversion_trains_as_scikit_learn_does():
    """Parameters keep their meaning: a whole fit of either is the same model.

    But for two classes, where the output layer's weights are drawn from another range.
    """
    for target in ("one output", "two outputs", "three classes"):
        mlp = fitted(target, shuffle=False, batch_size=16, alpha=0.01, max_iter=10)
        ours = kind_for(target, "ours").from_sklearn(mlp)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ours.fit(X, TARGETS[target])
        for W, expected in zip(ours.coefs_, mlp.coefs_, strict=True):
            assert np.allclose(W, expected, rtol=1e-7, atol=1e-9)


def test_what_is_not_fitted_becomes_what_is_not_fitted():
    ours = BackpropClassifier.from_sklearn(MLPClassifier(alpha=0.5, n_iter_no_change=np.inf))
    assert not hasattr(ours, "network_")
    assert (ours.alpha, ours.solver, ours.batch_size, ours.momentum) == (0.5, "adam", 200, 0.9)
    assert ours.fit(X, TARGETS["two classes"]).n_iter_ == 200
    mlp = BackpropRegressor(activation=["relu", "relu"], hidden_layer_sizes=[3, 3]).to_sklearn()
    assert not hasattr(mlp, "coefs_")
    assert (mlp.activation, mlp.batch_size, mlp.momentum) == ("relu", 1, 0.0)
    assert mlp.set_params(max_iter=2).fit(X, TARGETS["one output"]).n_iter_ == 2


def test_subclasses_of_either_side_keep_their_class():
    class Theirs(MLPClassifier):
        pass

    class Ours(BackpropClassifier):
        pass

    mlp = Theirs((5,), max_iter=2, random_state=0).fit(X, TARGETS["two classes"])
    ours = Ours.from_sklearn(mlp)
    assert type(ours) is Ours
    assert type(ours.to_sklearn()) is MLPClassifier
    assert np.array_equal(ours.predict(X), mlp.predict(X))


def test_a_patch_changes_nothing():
    plain = fitted("two classes")
    ours = fitted("one output", "ours")
    patch_sklearn()
    try:
        assert isinstance(BackpropClassifier.from_sklearn(plain), BackpropClassifier)
        assert type(ours.to_sklearn()) is MLPRegressor
        fast = sklearn.neural_network.MLPClassifier(max_iter=2).fit(X, TARGETS["two classes"])
        assert type(fast) is not MLPClassifier
        again = BackpropClassifier.from_sklearn(fast).to_sklearn()
    finally:
        unpatch_sklearn()
    assert type(again) is MLPClassifier
    assert_same_arrays(again.coefs_, fast.coefs_)


# -- what cannot go across -----------------------------------------------------------------------


@pytest.mark.parametrize("kind", [BackpropClassifier, BackpropRegressor])
def test_other_models_are_refused(kind):
    other = MLPRegressor() if kind is BackpropClassifier else MLPClassifier()
    for model in (other, kind(), None):
        with pytest.raises(TypeError, match=f"{kind.__name__}.from_sklearn takes a sklearn"):
            kind.from_sklearn(model)


def test_lbfgs_is_refused_but_its_weights_can_be_had():
    mlp = fitted("one output", solver="lbfgs")
    with pytest.raises(ValueError, match=r"no solver='lbfgs'.*set_params"):
        BackpropRegressor.from_sklearn(mlp)
    ours = BackpropRegressor.from_sklearn(mlp.set_params(solver="sgd"))
    assert np.allclose(ours.predict(X), mlp.predict(X), rtol=1e-10)
    assert np.isfinite(ours.partial_fit(X, TARGETS["one output"]).loss_)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loss": "huber"}, "MLPRegressor has no loss='huber'"),
        ({"loss": "quantile"}, "MLPRegressor has no loss='quantile'"),
        ({"loss": "absolute_error"}, "MLPRegressor has no loss='absolute_error'"),
        ({"activation": ["relu", "tanh"]}, r"MLPRegressor has no activation=\['relu', 'tanh'\]"),
        ({"dropout": 0.1}, r"MLPRegressor has no dropout=0.1: set_params\(dropout=0.0\) first"),
        ({"dropout": [0.1, 0]}, r"MLPRegressor has no dropout=\[0.1, 0\]"),
    ],
)
def test_what_scikit_learn_lacks_is_named(options, message):
    for model in (fitted("one output", "ours", **options), BackpropRegressor(**options)):
        with pytest.raises(ValueError, match=message):
            model.to_sklearn()


def test_weights_of_classes_are_named():
    model = fitted("two classes", "ours", class_weight="balanced")
    with pytest.raises(ValueError, match="MLPClassifier has no class_weight='balanced'"):
        model.to_sklearn()
    assert model.set_params(class_weight=None).to_sklearn().predict(X).shape == (90,)


def test_a_model_of_one_class_is_refused():
    mlp = MLPClassifier((3,), max_iter=2).fit(X, np.zeros(90))
    with pytest.raises(ValueError, match="only one class"):
        BackpropClassifier.from_sklearn(mlp)


# -- pipelines -----------------------------------------------------------------------------------


def with_gaps(rows):
    return np.where(np.random.default_rng(1).uniform(size=rows.shape) < 0.1, np.nan, rows)


@pytest.mark.parametrize("missing", ["error", "indicator"])
@pytest.mark.parametrize("target", TARGETS)
def test_a_pipeline_comes_back_as_the_model_that_made_it(target, missing):
    is_regression = target.endswith(("output", "outputs"))
    kind = fastbp.BackpropRegressor if is_regression else fastbp.BackpropClassifier
    rows = 5 + 10 * X
    rows = with_gaps(rows) if missing == "indicator" else rows
    options = {"hidden_layer_sizes": (7,), "max_iter": 4, "random_state": 0, "missing": missing}
    model = kind(**options).fit(pd.DataFrame(rows, columns=list("abcd")), TARGETS[target])
    back = kind.from_sklearn(model.to_sklearn())
    given = pd.DataFrame(rows, columns=list("abcd"))
    predict = "predict_proba" if hasattr(model, "predict_proba") else "predict"
    expected = getattr(model, predict)(given)
    np.testing.assert_allclose(getattr(back, predict)(given), expected, rtol=1e-9)
    assert back.feature_names_in_.tolist() == list("abcd")
    assert back.missing == missing
    np.testing.assert_allclose(getattr(back.to_sklearn(), predict)(given), expected, rtol=1e-9)
    back.partial_fit(given, TARGETS[target])


@pytest.mark.parametrize("options", [{}, {"with_mean": False}, {"with_std": False}])
def test_a_standard_scaler_before_the_mlp_goes_across(options):
    rows = 5 + 10 * X
    pipeline = make_pipeline(
        StandardScaler(**options),
        MLPRegressor(hidden_layer_sizes=(7,), max_iter=20, random_state=0),
    ).fit(rows, TARGETS["one output"])
    model = BackpropRegressor.from_sklearn(pipeline)
    np.testing.assert_allclose(model.predict(rows), pipeline.predict(rows), rtol=1e-9)
    assert model.standardize
    slopes = model.sensitivity(rows[:3])[:, 0]
    steps = 1e-6 * np.eye(4)
    for k, step in enumerate(steps):
        difference = (pipeline.predict(rows[:3] + step) - pipeline.predict(rows[:3])) / 1e-6
        np.testing.assert_allclose(slopes[:, k], difference, atol=1e-3)


def test_a_pipeline_that_is_not_fitted_becomes_a_model_that_scales():
    pipeline = make_pipeline(StandardScaler(), MLPRegressor(hidden_layer_sizes=(7,)))
    model = BackpropRegressor.from_sklearn(pipeline)
    assert model.standardize
    assert model.hidden_layer_sizes == (7,)
    assert not hasattr(model, "n_features_in_")


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([PCA()], "this one has PCA"),
        ([StandardScaler(), PCA()], "this one has StandardScaler, PCA"),
        ([SimpleImputer(strategy="median")], "Of SimpleImputer only"),
        ([FunctionTransformer()], "the one that to_sklearn makes"),
    ],
)
def test_other_steps_are_refused(steps, message):
    pipeline = make_pipeline(*steps, MLPRegressor(hidden_layer_sizes=(7,), max_iter=2))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pipeline.fit(X, TARGETS["one output"])
    with pytest.raises(ValueError, match=message):
        BackpropRegressor.from_sklearn(pipeline)
