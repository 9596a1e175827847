"""`learn_many` is a loop of `learn_one`, to the bit, whatever the table; predictions agree, too."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastbp.online import OnlineClassifier, OnlineRegressor

VALUES = st.one_of(
    st.none(),
    st.sampled_from(["red", "green", "blue", ""]),
    st.floats(-1e6, 1e6, width=32),
    st.integers(-5, 5),
    st.booleans(),
)
ROWS = st.lists(st.lists(VALUES, min_size=4, max_size=4), min_size=1, max_size=40)


def learn_rows(model, rows, y, weights):
    for row, target, weight in zip(rows, y, weights, strict=True):
        x = {f"x{j}": value for j, value in enumerate(row) if value is not None}
        model.learn_one(x, target, weight)


def columns_of(rows):
    table = {}
    for j in range(4):
        column = np.empty(len(rows), dtype=object)
        column[:] = [row[j] for row in rows]
        table[f"x{j}"] = column
    return table


@settings(max_examples=60, deadline=None)
@given(ROWS, st.integers(0, 5), st.integers(1, 3), st.sampled_from([0, "auto"]))
def test_tables_of_anything(rows, seed, parts, replay):
    rng = np.random.default_rng(seed)
    rows = rows * 2
    y = rng.choice(["a", "b", "c"], len(rows)).tolist()
    weights = rng.choice([0.0, 1.0, 2.5], len(rows))
    options = {"missing": "mean", "random_state": seed, "replay": replay}
    loop, many = OnlineClassifier(**options), OnlineClassifier(**options)
    learn_rows(loop, rows, y, weights)
    for numbers in np.array_split(np.arange(len(rows)), parts):
        part = columns_of([rows[i] for i in numbers])
        many.learn_many(part, [y[i] for i in numbers], weights[numbers])
    assert loop.is_started == many.is_started
    assert loop.classes_ == many.classes_
    assert loop.feature_names_ == many.feature_names_
    for row in rows:
        x = {f"x{j}": value for j, value in enumerate(row)}
        assert loop.predict_proba_one(x) == many.predict_proba_one(x)
    if loop.is_started:
        found = many.predict_proba_many(columns_of(rows))
        x = {f"x{j}": value for j, value in enumerate(rows[-1])}
        assert found[-1].tolist() == list(many.predict_proba_one(x).values())


def numbers(n=300):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 3)).astype(np.float32)
    return X, X[:, 0] * 3 + np.abs(X[:, 1])


TABLES = {
    "array": lambda X: X,
    "list": lambda X: X.tolist(),
    "Fortran": np.asfortranarray,
    "pandas": lambda X: pd.DataFrame(X, columns=[0, 1, 2]),
    "dict": lambda X: {j: X[:, j] for j in range(3)},
}


@pytest.mark.parametrize("kind", TABLES)
def test_tables_of_numbers(kind):
    X, y = numbers()
    loop = OnlineRegressor(random_state=0)
    for x, target in zip(X, y, strict=True):
        loop.learn_one(x, target)
    many = OnlineRegressor(random_state=0).learn_many(TABLES[kind](X), y)
    expected = [loop.predict_one(x) for x in X]
    assert many.predict_many(TABLES[kind](X)).tolist() == expected
    assert [many.predict_one(list(map(float, x))) for x in X] == expected


@pytest.mark.parametrize("make", [pl.DataFrame, pa.table, pd.DataFrame])
def test_frames_with_categories_and_gaps(make):
    columns = {"a": [1.5, None, 2.0] * 20, "color": ["red", "blue", None] * 20}
    y = [0.5, 1.0, 2.0] * 20
    options = {"missing": "mean", "random_state": 0}
    loop = OnlineRegressor(**options)
    for a, color, target in zip(*columns.values(), y, strict=True):
        loop.learn_one({"a": a, "color": color}, target)
    frame = make(columns)
    if make is pd.DataFrame:
        frame["color"] = frame["color"].astype("category")
    many = OnlineRegressor(**options).learn_many(frame, y)
    expected = [
        loop.predict_one({"a": a, "color": c}) for a, c in zip(*columns.values(), strict=True)
    ]
    assert many.predict_many(frame).tolist() == expected


def test_rows_of_every_kind_are_the_same_row():
    X, y = numbers(50)
    model = OnlineRegressor(random_state=0).learn_many(pd.DataFrame(X, columns=list("abc")), y)
    row = pd.DataFrame(X, columns=list("abc")).iloc[3]
    named = next(pd.DataFrame(X, columns=list("abc")).iloc[3:].itertuples(index=False))
    expected = model.predict_one({name: float(row[name]) for name in "abc"})
    frame = pd.DataFrame(X, columns=list("abc")).iloc[3:4]
    for x in (row, named, frame, pl.DataFrame(frame.to_dict("list"))):
        assert model.predict_one(x) == expected


def test_several_targets():
    X, y = numbers()
    Y = pd.DataFrame({"u": y, "v": -y})
    loop = OnlineRegressor(random_state=0)
    for x, u in zip(X, y, strict=True):
        loop.learn_one(x, {"v": -u, "u": u})
    many = OnlineRegressor(random_state=0).learn_many(X, Y)
    assert loop.predict_one(X[0]).keys() == {"u", "v"}
    for name in "uv":
        assert many.predict_one(X[0])[name] == pytest.approx(loop.predict_one(X[0])[name])
    found = many.predict_many(X)
    assert found.shape == (300, 2)
    assert found[0].tolist() == list(many.predict_one(X[0]).values())
    as_lists = OnlineRegressor(random_state=0).learn_many(X, Y.to_numpy())
    assert as_lists.predict_one(X[0]).tolist() == found[0].tolist()


def test_nothing_learned():
    classifier, regressor = OnlineClassifier(), OnlineRegressor()
    assert classifier.predict_one({"a": 1}) is None
    assert classifier.predict_proba_one({"a": 1}) == {}
    assert classifier.predict_many({"a": [1, 2]}).tolist() == [None, None]
    assert classifier.predict_proba_many({"a": [1, 2]}).shape == (2, 0)
    assert regressor.predict_one({"a": 1}) == 0.0
    assert regressor.predict_many({"a": [1, 2]}).tolist() == [0.0, 0.0]
    classifier.learn_many({"a": []}, [])
    assert not classifier.is_started
    classifier.learn_one({"a": 1}, "x", 0.0)
    assert not classifier.is_started


def test_columns_of_targets_are_found_by_their_names():
    model = OnlineRegressor(random_state=0)
    for _ in range(5):
        model.learn_one({"a": 1.0}, {"v": 100.0, "u": -100.0})
    model.learn_many({"a": [1.0] * 50}, pd.DataFrame({"u": [-100.0] * 50, "v": [100.0] * 50}))
    assert model.predict_one({"a": 1.0}) == pytest.approx({"v": 100, "u": -100}, abs=1)


@pytest.mark.parametrize("y", [[3.0], {"u": 3.0}, 3.0])
def test_one_target_in_any_form(y):
    model = OnlineRegressor(random_state=0)
    for _ in range(60):
        model.learn_one({1.5: 2.0}, y)  # and a name that is a float
    found = model.predict_one({1.5: 2.0})
    values = found.values() if isinstance(found, dict) else np.atleast_1d(found)
    assert list(values) == pytest.approx([3.0], abs=0.1)
