"""Pipelines, searches and ensembles of scikit-learn with models of fastbp, through skl2onnx."""

import pickle
import warnings

import numpy as np
import pytest
from onnx_models import run
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    AdaBoostRegressor,
    BaggingClassifier,
    BaggingRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, TunedThresholdClassifierCV
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier, MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fastbp
from fastbp.export import register
from fastbp.neural_network import MLPClassifier, MLPRegressor

pytest.importorskip("onnxruntime", reason="onnxruntime has no wheel for this Python")

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning", "ignore::fastbp.DivergenceWarning"
)
DTYPES = ("float64", "float32")
OPTIONS = {"hidden_layer_sizes": (8,), "max_iter": 3, "random_state": 0}
KINDS = {
    "ours": (fastbp.BackpropClassifier, fastbp.BackpropRegressor),
    "theirs": (MLPClassifier, MLPRegressor),
}


@pytest.fixture
def skl2onnx():
    """The package, as if it had not seen any model of fastbp yet."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = pytest.importorskip("skl2onnx", reason="skl2onnx is not installed")
        forget_models()
        yield module
        forget_models()


def forget_models():
    from skl2onnx import _parse, _supported_operators

    for table in (_supported_operators.sklearn_operator_name_map, _parse.sklearn_parsers_map):
        for kind in [kind for kind in table if kind.__module__.startswith("fastbp")]:
            del table[kind]


def rows():
    """Rows, and of each a text, a number of two, and two of two."""
    X = np.random.default_rng(0).normal(size=(60, 4))
    texts = np.array(["a", "b", "c"])[np.digitize(X[:, 0] + 0.3 * X[:, 1], [-0.5, 0.5])]
    return X, texts, (X[:, 0] > 0).astype(int), (X[:, :2] > 0).astype(int)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("whose", ["ours", "theirs"])
def test_pipelines_and_searches_are_converted(skl2onnx, whose, dtype):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4))
    texts = np.array(["a", "b", "c"])[np.digitize(X[:, 0], [-0.5, 0.5])]
    ours = (fastbp.BackpropClassifier, fastbp.BackpropRegressor)
    classifier, regressor = ours if whose == "ours" else (MLPClassifier, MLPRegressor)
    options = {"max_iter": 2, "random_state": 0}
    pipeline = make_pipeline(StandardScaler(), regressor(**options))
    for model, y in (
        (classifier(**options), texts),
        (classifier(**options), X[:, 0] > 0),
        (classifier(**options), (X[:, :2] > 0).astype(int)),
        (GridSearchCV(classifier(**options), {}, cv=2), texts),
        (GridSearchCV(pipeline, {}, cv=2), X[:, 0]),
        (pipeline, X[:, :2]),
    ):
        model.fit(X, y)
        zipmap = {"zipmap": False} if hasattr(model, "classes_") else None
        proto = skl2onnx.to_onnx(model, X[:1].astype(dtype), options=zipmap)
        found = list(run(proto, X.astype(dtype)).values())
        if zipmap:
            assert (found[0] == model.predict(X)).all()
        expected = model.predict_proba(X) if zipmap else model.predict(X).reshape(60, -1)
        assert found[-1].dtype == dtype
        tolerance = {"float64": 1e-12, "float32": 1e-5}[dtype]
        np.testing.assert_allclose(
            found[-1], expected, rtol=0, atol=tolerance * np.abs(expected).max()
        )


def classifiers(kind):
    """Ensembles that skl2onnx can convert, with members of a kind, and in pipelines."""

    def one():
        return kind(**OPTIONS)

    scaled = make_pipeline(StandardScaler(), one())
    two = [("a", one()), ("b", scaled)]
    return {
        "soft votes": VotingClassifier(two, voting="soft", flatten_transform=False),
        "hard votes": VotingClassifier(
            [*two, ("c", LogisticRegression())], flatten_transform=False
        ),
        "stacking": StackingClassifier(two, cv=2),
        "final": StackingClassifier([("c", LogisticRegression())], one(), cv=2),
        "bagging": BaggingClassifier(one(), 2, max_features=2, random_state=0),
        "calibration": CalibratedClassifierCV(one(), cv=2),
        "calibrated pipeline": CalibratedClassifierCV(scaled, cv=2),
        "one against the rest": OneVsRestClassifier(one()),
        "in a pipeline": make_pipeline(StandardScaler(), BaggingClassifier(one(), 2)),
        "in a search": GridSearchCV(BaggingClassifier(one(), 2), {}, cv=2),
    }


def regressors(kind):
    """The same of regressors."""
    scaled = make_pipeline(StandardScaler(), kind(**OPTIONS))
    two = [("a", kind(**OPTIONS)), ("b", scaled)]
    return {
        "votes": VotingRegressor(two),
        "stacking": StackingRegressor(two, cv=2),
        "bagging": BaggingRegressor(kind(**OPTIONS), 2, random_state=0),
        "boosting": AdaBoostRegressor(kind(**OPTIONS), n_estimators=2, random_state=0),
        "several outputs": MultiOutputRegressor(kind(**OPTIONS)),
    }


def converted(skl2onnx, model, X):
    has_map = hasattr(model, "classes_") and not isinstance(model, MultiOutputClassifier)
    options = {"zipmap": False} if has_map else None
    return run(skl2onnx.to_onnx(model, X[:1], options=options), X)


@pytest.mark.parametrize("whose", KINDS)
def test_ensembles_of_classifiers_are_converted_without_registration(skl2onnx, whose):
    X, texts, two, _ = rows()
    for name, model in classifiers(KINDS[whose][0]).items():
        for y, dtype, tolerance in ((texts, "float64", 1e-12), (two, "float32", 1e-5)):
            forget_models()
            model.fit(X.astype(dtype), y)
            found = converted(skl2onnx, model, X.astype(dtype))
            label, probabilities = found.values()
            assert (label == model.predict(X.astype(dtype))).all(), name
            if hasattr(model, "predict_proba"):
                expected = model.predict_proba(X.astype(dtype))
                np.testing.assert_allclose(
                    probabilities, expected, rtol=0, atol=tolerance, err_msg=name
                )


@pytest.mark.parametrize("whose", KINDS)
def test_ensembles_of_regressors_are_converted_without_registration(skl2onnx, whose):
    X, *_ = rows()
    for name, model in regressors(KINDS[whose][1]).items():
        y = X[:, :2] if name == "several outputs" else X[:, 0]
        forget_models()
        model.fit(X, y)
        (found,) = converted(skl2onnx, model, X).values()
        np.testing.assert_allclose(found.reshape(y.shape), model.predict(X), rtol=0, atol=1e-12)


@pytest.mark.parametrize("whose", KINDS)
def test_other_meta_estimators_choose_the_same_classes(skl2onnx, whose):
    X, _, two, several = rows()
    kind = KINDS[whose][0]
    three = np.digitize(X[:, 0], [-0.5, 0.5])
    for model, y in (
        (OneVsOneClassifier(kind(**OPTIONS)), three),
        (MultiOutputClassifier(kind(**OPTIONS)), several),
        (TunedThresholdClassifierCV(kind(**OPTIONS), cv=2, random_state=0), two),
    ):
        forget_models()
        model.fit(X, y)
        if isinstance(model, TunedThresholdClassifierCV):
            model.best_threshold_ = 0.5  # others are not skl2onnx's
        found = next(iter(converted(skl2onnx, model, X).values()))
        assert (found.reshape(y.shape) == model.predict(X)).all()


@pytest.mark.parametrize("later", ["predict", "unpickled", "register"])
def test_ensembles_that_were_fitted_before_skl2onnx_was_imported(skl2onnx, later):
    X, texts, *_ = rows()
    model = BaggingClassifier(fastbp.BackpropClassifier(**OPTIONS), 2, random_state=0)
    model.fit(X, texts)
    expected = model.predict_proba(X)
    forget_models()
    with pytest.raises(KeyError, match="BackpropClassifier"):
        skl2onnx.to_onnx(model, X[:1])
    if later == "predict":
        model.predict(X)
    elif later == "unpickled":
        model = pickle.loads(pickle.dumps(model))
    else:
        register()
    found = converted(skl2onnx, model, X)["probabilities"]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


def test_a_subclass_is_known_from_its_definition(skl2onnx):
    from skl2onnx._supported_operators import sklearn_operator_name_map

    class Mine(fastbp.BackpropRegressor):
        pass

    assert Mine in sklearn_operator_name_map
    del sklearn_operator_name_map[Mine]


def test_what_somebody_has_registered_stays(skl2onnx):
    from skl2onnx import update_registered_converter
    from skl2onnx._supported_operators import sklearn_operator_name_map

    def shapes(operator):
        pass

    def convert(scope, operator, container):
        pass

    update_registered_converter(fastbp.BackpropRegressor, "Own", shapes, convert)
    register()
    assert sklearn_operator_name_map[fastbp.BackpropRegressor] == "Own"
