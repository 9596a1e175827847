"""Calls with one row: as quick as a row is, and all they skip is what was checked right before."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
from cases import pairwise, parameters_of
from plain_models import BackpropClassifier, BackpropRegressor
from sklearn.base import clone
from sklearn.exceptions import DataConversionWarning, NotFittedError

import fastbp
from fastbp.estimators.base import Backprop

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(60, 4))
NUMBERS = np.arange(60) % 3
SMALL = {"hidden_layer_sizes": (6,), "max_iter": 2, "learning_rate_init": 0.05, "random_state": 0}


def model_and_targets(task, dtype="float64", **parameters):
    """A fitted model, and targets for the rows of X."""
    kind = BackpropRegressor
    if task == "one output":
        y = X[:, 0] * X[:, 1]
    elif task == "several outputs":
        y = np.sin(X[:, :2])
    elif task == "poisson":
        y = np.random.default_rng(1).poisson(1.0, 60).astype(float)
        parameters["loss"] = "poisson"
    else:
        kind = BackpropClassifier
        y = {
            "two classes": NUMBERS % 2,
            "names": np.array(["a", "b", "c"])[NUMBERS],
            "several labels": (X[:, :3] > 0).astype(int),
        }[task]
    return kind(**{**SMALL, **parameters}).fit(X.astype(dtype), y), y


TASKS = ["one output", "several outputs", "poisson", "two classes", "names", "several labels"]
QUICK = [task for task in TASKS if task != "several labels"]
DTYPES = pytest.mark.parametrize("dtype", ["float64", "float32"])


@pytest.fixture
def checked(monkeypatch):
    """How many calls have checked their data and parameters in full, as the only item of a list."""
    begin, calls = Backprop._prepare_training, [0]

    def counting(self, *arguments):
        calls[0] += 1
        return begin(self, *arguments)

    monkeypatch.setattr(Backprop, "_prepare_training", counting)
    return calls


def state_of(model):
    return (
        [p.tobytes() for p in parameters_of(model.network_)],
        model.loss_curve_,
        model.n_iter_,
        model.t_,
        model.loss_,
        str(model._random_state.get_state()),
    )


# -- partial_fit -------------------------------------------------------------------------------


ROW_BY_ROW = [
    {},
    {"alpha": 0.3},
    {"momentum": 0.9, "nesterovs_momentum": False, "learning_rate_init": 0.01},
    {"momentum": 0.5, "alpha": 0.1},
    {"solver": "adam", "learning_rate_init": 0.01},
    {"solver": "adamw", "alpha": 0.1, "learning_rate_init": 0.01},
    {"solver": "adagrad"},
    {"solver": "rmsprop", "alpha": 0.1, "learning_rate_init": 0.01},
]


@pairwise(
    {
        "task": TASKS,
        "options": ROW_BY_ROW,
        "hidden": [(), (3,), (40,), (20, 10)],
        "dtype": ["float64", "float32"],
    }
)
@pytest.mark.filterwarnings("ignore:Training ended in a network that gives the same output")
def test_a_row_is_learnt_as_in_a_call_that_checks_everything(task, hidden, options, dtype):
    quick, y = model_and_targets(task, dtype, hidden_layer_sizes=hidden, **options)
    slow = copy.deepcopy(quick)
    rows = X.astype(dtype)
    for i in range(20):
        quick.partial_fit(rows[i : i + 1], y[i : i + 1])
        slow.partial_fit(pd.DataFrame(rows[i : i + 1]).to_numpy(), y[i : i + 1], sample_weight=[1])
    assert state_of(quick) == state_of(slow)


@DTYPES
@pytest.mark.parametrize("task", QUICK)
def test_what_was_right_is_not_checked_again(checked, task, dtype):
    model, y = model_and_targets(task, dtype)
    for i in range(10):
        model.partial_fit(X[i : i + 1].astype(dtype), y[i : i + 1])
    assert checked == [2]  # fit and the first partial_fit
    assert model.n_iter_ == 12
    assert model.t_ == 2 * 60 + 10


@pytest.mark.parametrize("task", ["one output", "two classes", "names"])
def test_lists_of_one_target_are_as_good(checked, task):
    model, y = model_and_targets(task, hidden_layer_sizes=[6])
    other = copy.deepcopy(model)
    for i in range(5):
        model.partial_fit(X[i : i + 1], y[i : i + 1].tolist())
        other.partial_fit(X[i : i + 1], y[i : i + 1])
    assert checked == [3]  # one fit, two first calls
    assert state_of(model) == state_of(other)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"learning_rate_init": -1.0}, "learning_rate_init must be greater than 0"),
        ({"alpha": "much"}, "alpha must be a number"),
        ({"hidden_layer_sizes": (7,)}, "fitted with hidden_layer_sizes"),
        ({"activation": "tanh"}, "fitted with activation"),
        ({"shuffle": 1}, "shuffle must be True or False"),  # which equals True
        ({"batch_size": 1.0}, "batch_size must be a whole number"),  # which equals 1
    ],
)
@pytest.mark.parametrize("how", ["set_params", "assigned"])
@pytest.mark.parametrize("task", ["one output", "names"])
def test_parameters_that_change_are_checked(task, how, change, message):
    model, y = model_and_targets(task)
    for i in range(3):
        model.partial_fit(X[i : i + 1], y[i : i + 1])
    if how == "set_params":
        model.set_params(**change)
    else:
        vars(model).update(change)
    before = state_of(model)
    with pytest.raises((ValueError, TypeError), match=message):
        model.partial_fit(X[:1], y[:1])
    assert state_of(model) == before


def test_lists_that_change_are_checked():
    sizes = [6]
    model, y = model_and_targets("names", hidden_layer_sizes=sizes)
    model.partial_fit(X[:1], y[:1]).partial_fit(X[:1], y[:1])
    sizes.append(5)
    with pytest.raises(ValueError, match=r"hidden_layer_sizes \(6,\), now it is \(6, 5\)"):
        model.partial_fit(X[:1], y[:1])


def test_a_learning_rate_that_changes_is_taken():
    model, y = model_and_targets("one output")
    network = model.network_.copy()
    for i, rate in enumerate([0.05, 0.05, 0.01, 0.01, 0.2]):
        model.set_params(learning_rate_init=rate).partial_fit(X[i : i + 1], y[i : i + 1])
        network.step(X[i], y[i], rate)
        assert np.array_equal(model.coefs_[0], network.weights[0])


@pytest.mark.parametrize("task", QUICK)
def test_dropout_and_batches_take_the_long_way(checked, task):
    for i, parameters in enumerate([{"dropout": 0.5}, {"batch_size": 4}]):
        model, y = model_and_targets(task, learning_rate_init=0.01, **parameters)
        model.partial_fit(X[:1], y[:1]).partial_fit(X[:1], y[:1])
        assert checked == [3 * (i + 1)]


BAD_ROWS = [
    (X[:1, :3], "3 features"),
    (X[0], "2D array|two dimensions"),
    (X[:0], "0 sample"),
    (np.where(np.arange(4) == 2, np.nan, X[:1]), r"X\[0, 2\] is nan"),
    (np.where(np.arange(4) == 1, np.inf, X[:1]), r"X\[0, 1\] is inf"),
    (X[:1] + 1j, "Complex data not supported"),
    (np.array([["a", "b", "c", "d"]]), "must hold numbers|must be numbers|could not convert"),
    (None, "."),
]


@pytest.mark.filterwarnings("ignore")  # NumPy's, of a text that is no number
@pytest.mark.parametrize(("bad", "message"), BAD_ROWS)
@pytest.mark.parametrize("task", TASKS)
def test_bad_rows_are_refused_as_in_the_first_call(task, bad, message):
    fresh, y = model_and_targets(task)
    prepared = copy.deepcopy(fresh).partial_fit(X[:1], y[:1])
    errors = []
    for model in (fresh, prepared):
        before = state_of(model)
        with pytest.raises((ValueError, TypeError), match=message) as caught:
            model.partial_fit(bad, y[:1])
        errors.append(str(caught.value))
        assert state_of(model) == before
    assert errors[0] == errors[1]


BAD_TARGETS = {
    "one output": [[np.nan], [np.inf], ["b"], [1j], [], [1.0, 2.0], [10**400], None, 1.0],
    "several outputs": [[[1.0, 2.0, 3.0]], [1.0, 2.0], np.array([[np.nan, 1.0]]), np.ones((1, 3))],
    "poisson": [[-1.0], np.array([-1.0])],
    "two classes": [[2], [0.5], [np.nan], ["b"], [None], [], [[1, 0]], np.array([7]), None],
    "names": [["d"], [0], [b"a"], np.array([0.5]), np.array([["a", "b"]]), [["a", "b"]]],
    "several labels": [np.array([[0, 1, 2]]), np.array([[0, 1]]), np.array([1])],
}


@pytest.mark.parametrize(("task", "bad"), [(t, bad) for t in TASKS for bad in BAD_TARGETS[t]])
def test_bad_targets_are_refused_as_in_the_first_call(task, bad):
    fresh, y = model_and_targets(task)
    prepared = copy.deepcopy(fresh).partial_fit(X[:1], y[:1])
    errors = []
    for model in (fresh, prepared):
        before = state_of(model)
        with pytest.raises((ValueError, TypeError)) as caught:
            model.partial_fit(X[:1], bad)
        errors.append((type(caught.value), str(caught.value)))
        assert state_of(model) == before
    assert errors[0] == errors[1]


@pytest.mark.parametrize("task", TASKS)
def test_groups_of_rows_are_learnt_as_in_a_call_that_checks_everything(task):
    quick, y = model_and_targets(task, shuffle=False)
    slow = copy.deepcopy(quick)
    for start in range(0, 60, 12):
        part = slice(start, start + 12)
        quick.partial_fit(X[part], y[part])
        slow.partial_fit(X[part].tolist(), y[part].tolist(), sample_weight=np.ones(12))
        slow.__dict__.pop("_prepared")
    assert state_of(quick) == state_of(slow)
    before = state_of(quick)
    with pytest.raises(ValueError, match=r"inconsistent numbers of samples: \[12, 11\]"):
        quick.partial_fit(X[:12], y[:11])
    assert state_of(quick) == before


def test_an_unknown_class_among_others_is_refused_every_time():
    model, y = model_and_targets("names")
    wrong = np.where(np.arange(12) == 7, "d", y[:12])
    for _ in range(3):
        with pytest.raises(ValueError, match=r"does not know: \['d'\]"):
            model.partial_fit(X[:12], wrong)
        model.partial_fit(X[:12], y[:12])


def test_a_column_of_one_target_is_warned_of_every_time():
    model, y = model_and_targets("one output")
    for _ in range(3):
        with pytest.warns(DataConversionWarning):
            model.partial_fit(X[:1], y[:1, np.newaxis])


def test_missing_feature_names_are_warned_of_every_time():
    frame = pd.DataFrame(X, columns=list("abcd"))
    model = BackpropRegressor(**SMALL).fit(frame, X[:, 0])
    for _ in range(3):
        with pytest.warns(UserWarning, match="does not have valid feature names"):
            model.partial_fit(X[:1], X[:1, 0])
        with pytest.warns(UserWarning, match="does not have valid feature names"):
            model.predict(X[:1])


@DTYPES
@pytest.mark.parametrize("task", ["one output", "poisson"])
def test_a_row_that_diverges_does_so_as_in_the_first_call(task, dtype):
    fresh, y = model_and_targets(task, dtype)
    prepared = copy.deepcopy(fresh)
    prepared.partial_fit(X[:1].astype(dtype), y[:1])
    fresh.partial_fit(X[:1].astype(dtype), y[:1], sample_weight=[1])
    wild = 1e25 * X[:1].astype(dtype)
    for model, weight in ((fresh, [1]), (prepared, None)):
        before = parameters_of(model.network_)
        with pytest.warns(fastbp.exceptions.DivergenceWarning):
            model.partial_fit(wild, y[:1], sample_weight=weight)
        for p, q in zip(before, parameters_of(model.network_), strict=True):
            assert np.array_equal(p, q)
    assert state_of(fresh) == state_of(prepared)
    assert model.loss_ == np.inf


def test_weights_made_nan_are_found():
    model, y = model_and_targets("one output")
    model.partial_fit(X[:1], y[:1]).partial_fit(X[:1], y[:1])
    model.coefs_[0][1, 2] = np.nan
    with pytest.raises(ValueError, match=r"weights\[0\]\[1, 2\] is nan"):
        model.partial_fit(X[:1], y[:1])


@pytest.mark.parametrize("task", QUICK)
def test_what_was_right_is_forgotten_with_the_model(checked, task):
    model, y = model_and_targets(task)
    model.partial_fit(X[:1], y[:1]).partial_fit(X[:1], y[:1])
    for other in (pickle.loads(pickle.dumps(model)), copy.copy(model), copy.deepcopy(model)):
        assert "_prepared" not in vars(other)
        checked[0] = 0
        assert other.partial_fit(X[:1], y[:1]).n_iter_ == len(other.loss_curve_)
        assert checked == [1]
    assert not hasattr(clone(model), "network_")


def test_fitting_again_teaches_new_classes():
    model, y = model_and_targets("names")
    model.partial_fit(X[:1], y[:1]).partial_fit(X[:1], y[:1])
    model.fit(X, NUMBERS)
    with pytest.raises(ValueError, match=r"does not know: \['a'\]"):
        model.partial_fit(X[:1], y[:1])
    model.partial_fit(X[:1], [2])
    model.set_params(warm_start=True).fit(X, NUMBERS).partial_fit(X[:1], [2])
    with pytest.raises(ValueError, match=r"does not know: \[3\]"):
        model.partial_fit(X[:1], [3])


def test_a_class_of_any_type_that_equals_one_is_that_class():
    model, _ = model_and_targets("two classes")
    others = [copy.deepcopy(model) for _ in range(4)]
    forms = [[1], [1.0], np.array([True]), np.array([1], dtype=np.uint8)]
    for other, form in zip(others, forms, strict=True):
        other.partial_fit(X[:1], form).partial_fit(X[:1], form)
        assert state_of(other) == state_of(others[0])


# -- predictions of one row ----------------------------------------------------------------------


@DTYPES
@pytest.mark.parametrize("form", [np.asarray, np.ndarray.tolist, pd.Series, tuple])
@pytest.mark.parametrize("task", TASKS)
def test_predict_one_is_predict_of_one(task, form, dtype):
    model, _ = model_and_targets(task, dtype)
    expected = model.predict(X.astype(dtype))
    for row, prediction in zip(X.astype(dtype)[:20], expected, strict=False):
        found = model.predict_one(form(row))
        assert np.shape(found) == np.shape(prediction)
        if isinstance(model, BackpropClassifier):
            assert np.array_equal(found, prediction)
            assert type(found) is type(prediction)
            assert np.allclose(model.predict_proba_one(form(row)), model.predict_proba([row])[0])
        else:
            assert found == pytest.approx(prediction, rel=1e-5 if dtype == "float32" else 1e-12)
            assert type(found) is (float if task != "several outputs" else np.ndarray)


@pytest.mark.parametrize("task", TASKS)
def test_predict_one_refuses_what_is_not_a_row(task):
    model, _ = model_and_targets(task)
    methods = [model.predict_one]
    if isinstance(model, BackpropClassifier):
        methods.append(model.predict_proba_one)
    for method in methods:
        with pytest.raises(ValueError, match="X has 3 features, but this network was made for 4"):
            method(X[0, :3])
        with pytest.raises(ValueError, match=r"one row, of shape \(4,\); got \(1, 4\).*predict"):
            method(X[:1])
        with pytest.raises(ValueError, match=r"X\[0, 1\] is nan"):
            method([1, np.nan, 3, 4])
        with pytest.raises(ValueError, match=r"X must be an array of numbers|X must hold numbers"):
            method(["a", "b", "c", "d"])
        with pytest.raises(ValueError, match="two dimensions"):
            method(3.0)


def test_predict_one_needs_a_fitted_model():
    with pytest.raises(NotFittedError):
        BackpropRegressor().predict_one(X[0])
    with pytest.raises(NotFittedError):
        BackpropClassifier().predict_proba_one(X[0])


@DTYPES
@pytest.mark.parametrize("task", TASKS)
def test_one_row_is_predicted_as_among_others(task, dtype):
    model, _ = model_and_targets(task, dtype)
    rows = X.astype(dtype)
    together = model.predict(rows)
    for i in range(10):
        alone = model.predict(rows[i : i + 1])
        assert alone.dtype == together.dtype
        if isinstance(model, BackpropClassifier):
            assert np.array_equal(alone, together[i : i + 1])
        else:
            np.testing.assert_allclose(
                alone, together[i : i + 1], rtol=1e-5 if dtype == "float32" else 1e-12
            )
