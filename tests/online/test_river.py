"""`fastbp.river`: river's own checks, none skipped, and its pipelines, metrics and ensembles."""

import pickle

import pandas as pd
import polars as pl
import pytest

pytest.importorskip("river", reason="river is not installed")

from river import (
    checks,
    compose,
    datasets,
    ensemble,
    evaluate,
    metrics,
    preprocessing,
)

from fastbp.online import OnlineClassifier
from fastbp.river import MLPClassifier, MLPRegressor

CHECKS = [
    pytest.param(kind, check, id=f"{kind.__name__}-{number}-{check.__name__}")
    for kind in (MLPClassifier, MLPRegressor)
    for number, check in enumerate(checks.yield_checks(kind()))
]


@pytest.mark.parametrize(("kind", "check"), CHECKS)
def test_checks_of_river(kind, check):
    assert not kind()._unit_test_skips()
    check(kind())


def test_names_and_bits_are_those_of_the_online_model():
    own, other = MLPClassifier(seed=3), OnlineClassifier(random_state=3)
    for x, y in datasets.Phishing().take(100):
        assert own.predict_proba_one(x) == other.predict_proba_one(x)
        assert own.learn_one(x, y) is None
        other.learn_one(x, y)


def test_pipelines_metrics_and_ensembles():
    model = preprocessing.StandardScaler() | MLPClassifier(seed=0)
    accuracy = evaluate.progressive_val_score(datasets.Phishing(), model, metrics.Accuracy())
    assert accuracy.get() > 0.88
    bagging = ensemble.BaggingClassifier(MLPClassifier(seed=0, replay=0), n_models=3, seed=0)
    evaluate.progressive_val_score(datasets.Phishing().take(300), bagging, metrics.Accuracy())
    error = evaluate.progressive_val_score(
        datasets.TrumpApproval(), MLPRegressor(seed=0), metrics.MAE()
    )
    assert error.get() < 0.4
    parts = compose.Select("gallup", "ipsos") + compose.SelectType(str)
    regression = parts | MLPRegressor(seed=0)
    error = evaluate.progressive_val_score(datasets.TrumpApproval(), regression, metrics.MAE())
    assert error.get() < 1


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame])
def test_tables_of_any_library(make):
    rows = list(datasets.Phishing().take(200))
    X = make([x for x, _ in rows])
    y = [bool(label) for _, label in rows]
    series = pd.Series(y) if make is pd.DataFrame else pl.Series(y)
    loop, many = MLPClassifier(seed=0), MLPClassifier(seed=0)
    for x, label in rows:
        loop.learn_one(x, bool(label))
    many.learn_many(X, series)
    predicted = many.predict_many(X)
    assert isinstance(predicted, pd.Series if make is pd.DataFrame else pl.Series)
    assert predicted.to_list() == [loop.predict_one(x) for x, _ in rows]
    probabilities = many.predict_proba_many(X)
    assert isinstance(probabilities, make)
    assert [str(name) for name in probabilities.columns] == ["True", "False"]
    many.learn_many(X, series, w=0.5)


def test_pandas_index_is_kept():
    X = pd.DataFrame({"a": [1.0, 2.0, 3.0]}, index=[7, 8, 9])
    model = MLPRegressor(seed=0)
    model.learn_many(X, pd.Series([1.0, 2.0, 3.0], index=X.index))
    assert model.predict_many(X).index.tolist() == [7, 8, 9]


def test_rate_may_be_changed_while_it_learns():
    model, same = MLPRegressor(seed=0, replay=0), MLPRegressor(seed=0, replay=0)
    rows = list(datasets.TrumpApproval().take(60))
    for x, y in rows[:30]:
        model.learn_one(x, y)
        same.learn_one(x, y)
    model.mutate({"learning_rate_init": 0.5})
    for x, y in rows[30:]:
        model.learn_one(x, y)
        same.learn_one(x, y)
    assert model.predict_one(rows[0][0]) != same.predict_one(rows[0][0])
    assert pickle.loads(pickle.dumps(model)).learning_rate_init == 0.5


def test_debug_one_explains_a_row():
    model = MLPRegressor(seed=0)
    assert model.debug_one({"a": 1}) == "Nothing was learned yet."
    for x, y in datasets.TrumpApproval().take(60):
        model.learn_one(x, y)
    text = model.debug_one(x)
    assert text.startswith("Prediction: ")
    assert all(name in text for name in x)
