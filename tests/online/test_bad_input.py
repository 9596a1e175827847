"""Models of streams refuse what they cannot learn, say what and why, and stay as they were."""

import datetime
import pickle
import threading

import numpy as np
import pandas as pd
import pytest

from fastbp.online import OnlineClassifier, OnlineRegressor, learn_progressively

NAN = float("nan")


def classifier(**options):
    model = OnlineClassifier(random_state=0, **options)
    for i in range(40):
        model.learn_one({"a": i % 3, "color": ["red", "blue"][i % 2]}, ["x", "y"][i % 2])
    return model


def regressor(**options):
    model = OnlineRegressor(random_state=0, **options)
    for i in range(40):
        model.learn_one({"a": i % 3, "b": i}, float(i % 3))
    return model


ROWS = {
    "NaN": ({"a": NAN}, ValueError, r"x\['a'\] is missing .* missing=\"mean\""),
    "None": ({"a": None}, ValueError, r"x\['a'\] is missing"),
    "infinity": ({"a": -np.inf}, ValueError, r"x\['a'\] is infinite"),
    "too large": ({"a": 10**400}, ValueError, r"x\['a'\] is infinite, or too large"),
    "date": ({"day": datetime.date(2026, 1, 1)}, TypeError, r"x\['day'\] is a date"),
    "numpy date": ({"day": np.datetime64("2026-01-01")}, TypeError, r"x\['day'\] is a date"),
    "list": ({"a": [1, 2]}, TypeError, r"x\['a'\] must be a number, a boolean or text"),
    "bytes": ({"a": b"red"}, TypeError, r"x\['a'\] must be a number, a boolean or text"),
    "complex": ({"a": 1j}, TypeError, r"x\['a'\] must be a number"),
    "name": ({("a", 1): 2.0}, TypeError, r"names of features must be text or numbers"),
    "text": ("red", TypeError, r"x must be a mapping of names to values"),
    "number": (3.0, TypeError, r"x must be one row"),
    "matrix": (np.zeros((2, 2)), TypeError, r"of shape \(2, 2\)\. Tables are for learn_many"),
}


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("make", [classifier, regressor])
def test_rows(name, make):
    x, error, message = ROWS[name]
    model = make()
    y = "x" if make is classifier else 1.0
    before = pickle.dumps(model)
    with pytest.raises(error, match=message):
        model.learn_one(x, y)
    with pytest.raises(error, match=message):
        model.predict_one(x)
    assert pickle.dumps(model) == before


@pytest.mark.parametrize(
    ("y", "error", "message"),
    [
        (3, TypeError, "labels were of type str so far, such as 'x'; got 3 of type int"),
        (None, ValueError, "y is missing"),
        (NAN, ValueError, "y is missing"),
        (["x"], TypeError, "a label must be text or a number"),
    ],
)
def test_labels(y, error, message):
    model = classifier()
    before = pickle.dumps(model)
    with pytest.raises(error, match=message):
        model.learn_one({"new": 1}, y)
    with pytest.raises(error, match=message):
        model.learn_many({"new": [1, 2]}, ["x", y])
    assert pickle.dumps(model) == before


@pytest.mark.parametrize(
    ("y", "error", "message"),
    [
        ("3", TypeError, "y must be a number; got '3'"),
        (NAN, ValueError, "y must be finite; got nan"),
        (np.inf, ValueError, "y must be finite; got inf"),
        (10**400, TypeError, "y must be a number"),
        ([1.0, 2.0], ValueError, "y was one number so far; got list of 2 numbers"),
        ({"u": 1.0}, ValueError, "y was one number so far; got dict of 1 number"),
    ],
)
def test_targets(y, error, message):
    model = regressor()
    before = pickle.dumps(model)
    with pytest.raises(error, match=message):
        model.learn_one({"new": 1}, y)
    assert pickle.dumps(model) == before


@pytest.mark.parametrize("row", [0, 3, 12, 30, 200])
@pytest.mark.parametrize("wrong", [99999.0, -999999.0, 1e300])
def test_one_wrong_target_does_no_lasting_harm(row, wrong):
    model = OnlineRegressor(random_state=0)
    rng, error = np.random.default_rng(0), 0.0
    for i in range(600):
        a = rng.normal()
        if i >= 400:
            error += abs(model.predict_one({"a": a}) - (44 + a)) / 200
        model.learn_one({"a": a}, wrong if i == row else 44 + a)
    assert error < 0.3


def test_huge_values_are_learned_and_do_no_lasting_harm():
    model, clean = regressor(), regressor()
    model.learn_one({"a": 1e300, "b": -1e200}, 1e300)
    for i in range(3000):
        for one in (model, clean):
            one.learn_one({"a": i % 3, "b": i % 5}, float(i % 3))
    for a in range(3):
        assert np.isfinite(model.predict_one({"a": a, "b": 1}))
        assert model.predict_one({"a": a, "b": 1}) == pytest.approx(a, abs=0.2)
        assert clean.predict_one({"a": a, "b": 1}) == pytest.approx(a, abs=0.2)


def test_value_that_changes_its_type_has_an_input_for_each():
    model = OnlineClassifier(random_state=0)
    for i in range(300):
        model.learn_one({"a": i % 2 if i % 3 else ("even", "odd")[i % 2]}, i % 2)
    assert sorted(map(str, model.feature_names_)) == ["('a', 'even')", "('a', 'odd')", "a"]
    assert model.predict_one({"a": 1}) == model.predict_one({"a": "odd"}) == 1


def test_numbers_as_text_are_warned_of():
    model = OnlineClassifier(random_state=0)
    with pytest.warns(
        UserWarning, match=r"x\['carat'\] is the text '0.23', which looks like a num"
    ):
        model.learn_one({"carat": "0.23", "cut": "Ideal"}, "x")
    model.learn_one({"carat": "0.24", "cut": "Good"}, "x")  # once


def test_parameters_stay_as_they_are_once_something_was_learned():
    model = classifier()
    for name, value in {"loss": "huber", "alpha": 0.1, "buffer_size": 3, "missing": "mean"}.items():
        if hasattr(model, name):
            with pytest.raises(ValueError, match=f"{name} is chosen when a model is made"):
                setattr(model, name, value)
    with pytest.raises(ValueError, match="mixes networks with rates of their own"):
        model.learning_rate_init = 0.5
    assert model.get_params()["buffer_size"] == 3000
    with pytest.raises(ValueError, match="has no parameter 'alfa'"):
        OnlineClassifier().set_params(alfa=1)
    assert OnlineClassifier().set_params(alpha=1.0).alpha == 1.0


def test_damaged_state_is_refused():
    model = classifier()
    state = model.__getstate__()
    state["buffer_size"] = 5
    with pytest.raises(ValueError, match="more rows of the past than the buffer has room for"):
        OnlineClassifier().__setstate__(state)


def test_targets_by_name_are_not_taken_by_position():
    model = OnlineRegressor(random_state=0)
    model.learn_one([1.0], {"b": 1.0, "a": 2.0})
    assert model.target_names_ == ["b", "a"]
    with pytest.raises(ValueError, match="y was a dict of 2 numbers so far; got list of 2"):
        model.learn_one([1.0], [1.0, 2.0])


def test_labels_that_pandas_made_floats():
    model = OnlineClassifier(random_state=0).learn_many({"a": [1, 2]}, [0, 1])
    model.learn_many({"a": [1, 2]}, np.array([0.0, 1.0]))
    assert model.classes_ == [0, 1]
    with pytest.raises(ValueError, match="y is missing"):
        model.learn_many({"a": [1, 2]}, np.array([0.0, NAN]))


def test_lists_of_dicts_are_tables():
    rows = [{"a": 1.0}, {"b": "red"}, {"a": 2.0, "b": "blue"}] * 5
    loop = OnlineRegressor(random_state=0)
    for i, x in enumerate(rows):
        loop.learn_one(x, i % 3)
    many = OnlineRegressor(random_state=0).learn_many(rows, [i % 3 for i in range(15)])
    assert many.predict_many(rows).tolist() == [loop.predict_one(x) for x in rows]


def test_empty_row_is_one_of_which_nothing_is_known():
    model = OnlineClassifier(random_state=0)
    for i in range(200):
        model.learn_one({}, "often" if i % 4 else "rare")
    assert model.predict_one({}) == "often"
    assert model.predict_one({"new": 3}) == "often"
    assert model.network_.layer_sizes[0] == 1


def test_missing_as_mean():
    model = OnlineRegressor(random_state=0, missing="mean")
    for i in range(200):
        model.learn_one({"a": i % 3, "b": NAN if i % 2 else 1.0, "c": None}, i % 3)
    without = model.predict_one({"b": 1.0})
    assert model.predict_one({"a": None, "b": 1.0}) == without
    assert model.predict_many(pd.DataFrame({"a": [NAN], "b": [1.0]})).tolist() == [without]
    assert "c" not in model.feature_names_


TABLES = {
    "gap": ({"a": [1.0, NAN]}, ValueError, r"x\['a'\] of row 1 is missing"),
    "gap in text": ({"a": ["u", None]}, ValueError, r"x\['a'\] of row 1 is missing"),
    "infinity": ({"a": [1.0, np.inf]}, ValueError, r"x\['a'\] is infinite"),
    "lengths": ({"a": [1, 2], "b": [1]}, ValueError, "column 'b' has 1 values, and others have 2"),
    "series": (pd.Series([1, 2]), TypeError, "X must be a table; got Series"),
    "vector": (np.zeros(2), ValueError, r"X must be a table of rows and columns; .* \(2,\)"),
    "dates": (
        pd.DataFrame({"day": pd.date_range("2026-01-01", periods=2)}),
        TypeError,
        r"x\['day'\] is a date",
    ),
    "twice": (
        pd.DataFrame([[1, 2], [3, 4]], columns=["a", "a"]),
        ValueError,
        "X has two columns 'a'",
    ),
}


@pytest.mark.parametrize("name", TABLES)
def test_tables(name):
    X, error, message = TABLES[name]
    model = classifier()
    before = pickle.dumps(model)
    with pytest.raises(error, match=message):
        model.learn_many(X, ["x", "new"])
    with pytest.raises(error, match=message):
        model.predict_many(X)
    assert pickle.dumps(model) == before


def test_tables_and_targets_of_other_lengths():
    with pytest.raises(ValueError, match="X has 2 rows, and y has 3 labels"):
        classifier().learn_many({"a": [1, 2]}, ["x", "y", "x"])
    with pytest.raises(ValueError, match="X has 2 rows, and y has the shape"):
        regressor().learn_many({"a": [1, 2]}, [1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="sample_weight"):
        regressor().learn_many({"a": [1, 2]}, [1.0, 2.0], [1.0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hidden_layer_sizes": (0,)}, "hidden_layer_sizes"),
        ({"activation": "step"}, "activation"),
        ({"solver": "newton"}, "solver must be one of"),
        ({"learning_rate_init": -1.0}, "learning_rate_init"),
        ({"alpha": -1.0}, "alpha"),
        ({"replay": -1}, "replay"),
        ({"buffer": "first"}, "buffer must be one of last, sample, both"),
        ({"buffer_size": -1}, "buffer_size"),
        ({"max_features": 0}, "max_features"),
        ({"max_classes": 0}, "max_classes"),
        ({"hashed_features": 0}, "hashed_features"),
        ({"hashed_features": 1}, "hashed_features must be at least 2"),
        ({"hashed_features": 8, "max_features": 8}, "max_features must be None"),
        ({"missing": "zero"}, "missing must be one of error, mean"),
        ({"random_state": -1}, "random_state"),
    ],
)
def test_parameters(options, message):
    model = OnlineClassifier(**options)
    with pytest.raises((ValueError, TypeError), match=message):
        model.learn_one({"a": 1}, "x")
    assert not model.is_started
    assert model.predict_one({"a": 1}) is None


def test_too_many_classes_and_features():
    model = OnlineClassifier(random_state=0, max_classes=2, max_features=3)
    model.learn_many({"a": [1, 2]}, ["x", "y"])
    with pytest.raises(ValueError, match="there are 2 classes, and y has 1 new one, such as 'z'"):
        model.learn_one({"a": 1}, "z")
    with pytest.raises(ValueError, match="1 new one, such as 'z': max_classes is 2"):
        model.learn_many({"a": [1, 1]}, ["x", "z"])
    with pytest.raises(ValueError, match="x has 4 features, and max_features is 3"):
        model.learn_one(dict.fromkeys("abcd", 1), "x")


def test_counts_below_0():
    model = OnlineRegressor(loss="poisson", random_state=0)
    model.learn_one({"a": 1}, 3)
    with pytest.raises(ValueError, match=r"y must be at least 0 with loss='poisson'; got -1"):
        model.learn_one({"a": 1}, -1)
    with pytest.raises(ValueError, match=r"y must be at least 0 with loss='poisson'; got -1"):
        model.learn_many({"a": [1]}, [-1.0])


def test_rate_that_is_far_too_large_gives_no_nan():
    model = OnlineRegressor(solver="sgd", learning_rate_init=1e6, random_state=0)
    for i in range(500):
        model.learn_one({"a": i % 7, "b": i % 3}, i % 5)
        assert np.isfinite(model.predict_one({"a": 1, "b": 2}))


def test_predictions_while_another_thread_learns():
    model = classifier()
    rng = np.random.default_rng(0)
    X = {"a": rng.normal(size=20_000), "color": ["red", "green"] * 10_000}
    thread = threading.Thread(target=model.learn_many, args=(X, ["x", "z"] * 10_000))
    thread.start()
    found = set()
    while thread.is_alive():
        found.add(model.predict_one({"a": 0.5, "color": "red", f"new {len(found)}": 1}))
        probabilities = model.predict_proba_one({"a": 0.5, "color": "green"})
        assert sum(probabilities.values()) == pytest.approx(1)
    thread.join()
    assert found <= {"x", "y", "z"}


def test_several_threads_learn():
    model = OnlineClassifier(random_state=0, replay=0)

    def learn(number):
        for i in range(500):
            model.learn_one({f"name {number} {i % 50}": 1.0, "a": i % 2}, i % 2)

    threads = [threading.Thread(target=learn, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert model.n_features_ == 201
    assert model.predict_one({"a": 1}) == 1


def test_stream_without_rows():
    with pytest.raises(ValueError, match="the stream has no rows"):
        learn_progressively(classifier(), [])
