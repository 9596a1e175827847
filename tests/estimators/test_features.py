"""Features of rows: names where a row has some, and quick ways that find what the slow find."""

import copy
import pickle
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from plain_models import BackpropClassifier, BackpropRegressor
from sklearn.exceptions import NotFittedError

import fastbp
from fastbp import Network
from fastbp.estimators import base, features, fitted

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(40, 3))
NAMES = ["age", "height", "income"]
FRAME = pd.DataFrame(X, columns=NAMES)
Y = 3 * X[:, 0] - X[:, 2]
SMALL = {"hidden_layer_sizes": (5,), "max_iter": 3, "random_state": 0}
TURNED = ["income", "height", "age"]


@pytest.fixture
def model():
    return BackpropRegressor(**SMALL).fit(FRAME, Y)


@pytest.fixture
def classifier():
    return BackpropClassifier(**SMALL).fit(FRAME, (Y > 0).astype(int))


def calls_with_one_row(model, classifier):
    """Everything that takes one row, by name."""
    return {
        "predict_one": model.predict_one,
        "predict_one of classes": classifier.predict_one,
        "predict_proba_one": classifier.predict_proba_one,
        "trace_step": lambda x: fastbp.trace_step(model, x, 1.0).x,
        "trace_step of classes": lambda x: fastbp.trace_step(classifier, x, 1).x,
    }


NAMED_ROWS = {
    "Series": FRAME.iloc[3],
    "Series of objects": FRAME.iloc[3].astype(object),
    "frame": FRAME.iloc[3:4],
    "polars": pl.DataFrame(X, schema=NAMES)[3:4],
    "dict": dict(zip(NAMES, X[3], strict=True)),
    "dict in another order": dict(zip(TURNED, X[3, ::-1], strict=True)),
    "dict of Python's numbers": dict(zip(NAMES, X[3].tolist(), strict=True)),
}


@pytest.mark.parametrize("form", NAMED_ROWS)
@pytest.mark.filterwarnings(
    "ignore:X does not have valid feature names"
)  # of trace_step, of arrays
def test_a_row_with_names_is_the_row_without(form, model, classifier):
    for name, call in calls_with_one_row(model, classifier).items():
        np.testing.assert_array_equal(call(NAMED_ROWS[form]), call(X[3]), err_msg=name)


REFUSED_ROWS = {
    "Series in another order": (FRAME.iloc[3][TURNED], "must be in the same order as"),
    "frame in another order": (FRAME.iloc[3:4][TURNED], "must be in the same order as"),
    "polars in another order": (pl.DataFrame(FRAME)[3:4].select(TURNED), "in the same order as"),
    "Series without a name": (FRAME.iloc[3][:2], "now missing:\n- income"),
    "Series of other names": (FRAME.iloc[3].rename({"age": "size"}), "unseen at fit time:\n- size"),
    "dict without a name": ({"age": 1.0, "height": 2.0}, "now missing:\n- income"),
    "dict of other names": ({**FRAME.iloc[3], "size": 1.0}, "unseen at fit time:\n- size"),
    "dict with a gap": ({**FRAME.iloc[3], "age": None}, "nan in column 'age'"),
    "dict with NaN": ({**FRAME.iloc[3], "income": np.nan}, "nan in column 'income'"),
    "dict with text": ({**FRAME.iloc[3], "height": "tall"}, "'height' holds text, 'tall'"),
    "Series with a gap": (FRAME.iloc[3].replace(X[3, 1], np.nan), "nan in column 'height'"),
    "Series with text": (FRAME.iloc[3].astype(object).replace(X[3, 1], "tall"), "text, 'tall'"),
}


@pytest.mark.parametrize("form", REFUSED_ROWS)
def test_a_row_with_other_names_or_gaps_is_refused(form, model, classifier):
    row, message = REFUSED_ROWS[form]
    for call in calls_with_one_row(model, classifier).values():
        with pytest.raises(ValueError, match=message):
            call(row)


def test_names_of_a_mapping_are_told_apart_as_those_of_a_frame_are(model):
    wrong = {"age": 1.0, "size": 2.0, "weight": 3.0}
    with pytest.raises(ValueError, match="feature names") as of_frame:
        model.predict(pd.DataFrame([wrong]))
    with pytest.raises(ValueError, match="feature names") as of_mapping:
        model.predict_one(wrong)
    assert str(of_mapping.value) == str(of_frame.value)


def test_names_that_a_model_without_names_does_not_know():
    model = BackpropRegressor(**SMALL).fit(X, Y)
    with pytest.raises(ValueError, match="this model was fitted without names"):
        model.predict_one(NAMED_ROWS["dict"])
    for row in (FRAME.iloc[3], FRAME.iloc[3:4]):  # as predict does
        with pytest.warns(UserWarning, match="X has feature names, but BackpropRegressor was fit"):
            assert model.predict_one(row) == model.predict_one(X[3])
    with pytest.raises(ValueError, match="a Network knows no names"):
        fastbp.trace_step(Network((3, 1)), NAMED_ROWS["dict"], 1.0, 0.1)


def test_a_series_that_is_only_numbered_has_no_names(model):
    assert model.predict_one(pd.Series(X[3])) == model.predict_one(X[3])
    unnamed = BackpropRegressor(**SMALL).fit(X, Y)
    assert unnamed.predict_one(pd.Series(X[3])) == unnamed.predict_one(X[3])
    assert unnamed.predict_one(pl.Series(X[3])) == unnamed.predict_one(X[3])


def test_several_rows_are_no_row(model):
    for rows in (X[:2], FRAME[:2], pl.DataFrame(FRAME)[:2], X[:2].tolist()):
        with pytest.raises(
            ValueError, match=r"x must be one row, .*predict|x must be one row; got"
        ):
            model.predict_one(rows)


def test_rows_of_a_model_that_is_not_fitted():
    for row in NAMED_ROWS.values():
        with pytest.raises(NotFittedError):
            BackpropRegressor().predict_one(row)


# -- quick ways ----------------------------------------------------------------------------------


@pytest.fixture
def slow(monkeypatch):
    """How many times features were checked in full, as the only item of a list."""
    check, calls = fitted.checked_features, [0]

    def counting(*arguments, **options):
        calls[0] += 1
        return check(*arguments, **options)

    monkeypatch.setattr(fitted, "checked_features", counting)
    return calls


def forms_of(rows, names):
    """The same rows in all forms that are quick, by name; with names or without."""
    if not names:
        return {
            "array": rows,
            "list": rows.tolist(),
            "tuple": tuple(map(tuple, rows.tolist())),
            "pandas": pd.DataFrame(rows),
            "Fortran": np.asfortranarray(rows),
        }
    frame = pd.DataFrame(rows, columns=names)
    mixed = frame.assign(height=frame["height"].astype(np.float32).astype(float))
    return {
        "pandas": frame,
        "slice": pd.concat([frame, frame])[: len(rows)],
        "columns apart": pd.DataFrame({name: frame[name].to_numpy() for name in names}),
        "mixed": mixed.astype({"age": frame["age"].dtype}),
        "polars": pl.DataFrame(rows, schema=names),
    }


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("names", [None, NAMES])
def test_quick_ways_find_what_the_slow_way_finds(slow, monkeypatch, dtype, names):
    rows = X[:4].astype(np.float32).astype(float)
    first = X.astype(dtype) if names is None else FRAME.astype(dtype)
    model = BackpropRegressor(**SMALL).fit(first, Y)
    before = slow[0]
    quick = {name: model.predict(form) for name, form in forms_of(rows, names).items()}
    assert slow[0] == before
    monkeypatch.setattr(fitted, "plain_features", lambda model, X: None)
    for name, form in forms_of(rows, names).items():
        np.testing.assert_array_equal(quick[name], model.predict(form), err_msg=name)
    assert slow[0] > before


@pytest.mark.parametrize(
    "rows",
    [
        pd.DataFrame({"age": [1], "height": [True], "income": [2.5]}),
        pd.DataFrame({"age": [1], "height": [2], "income": [3]}),
        pl.DataFrame({"age": [1], "height": [True], "income": [2.5]}),
        FRAME[:1].astype(np.float16),
    ],
)
def test_numbers_of_any_type_are_quick(slow, model, rows):
    before = slow[0]
    values = rows.to_numpy().astype(float)
    assert model.predict(rows)[0] == model.predict_one(values[0])
    assert slow[0] == before


def test_what_needs_a_closer_look_gets_it(slow, model):
    sparse = FRAME[:4].astype(pd.SparseDtype("float", 0.0))
    np.testing.assert_allclose(model.predict(sparse), model.predict(FRAME[:4]), rtol=1e-12)
    model.predict(FRAME[:4].convert_dtypes())
    model.predict(pl.DataFrame(FRAME[:4]).with_columns(pl.col("age").cast(pl.Decimal(10, 2))))
    assert slow == [4]  # one for fit
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        model.predict(X[:4])


@pytest.mark.parametrize("parameters", [{}, {"momentum": 0.5}])
def test_rows_of_a_stream_in_any_form_are_learnt_alike(slow, parameters):
    models = {}
    for form in forms_of(X, NAMES):
        model = models[form] = BackpropRegressor(**SMALL, **parameters).fit(FRAME, Y)
        model.partial_fit(FRAME[:1], Y[:1])
        before = slow[0]
        for i in range(5):
            row = forms_of(X[i : i + 1], NAMES)
            y = {"polars": pl.Series, "pandas": pd.Series, "slice": list}.get(form, np.array)
            model.partial_fit(row["pandas" if form == "mixed" else form], y(Y[i : i + 1]))
        assert slow[0] == before
    states = [pickle.dumps(model.network_.weights) for model in models.values()]
    assert states == states[:1] * len(states)


@pytest.fixture
def checked(monkeypatch):
    """How many calls of partial_fit have gone the long way, as the only item of a list."""
    begin, calls = base.Backprop._prepare_training, [0]

    def counting(self, *arguments):
        calls[0] += 1
        return begin(self, *arguments)

    monkeypatch.setattr(base.Backprop, "_prepare_training", counting)
    return calls


CLASSES = [
    [0, 1], [1, 0], (0, 1), np.array([0, 1]), [0.0, 1.0], [0, 1, 1],
    pd.Series([1, 0]), pd.Index([0, 1]), pd.array([0, 1], dtype="Int64"), pl.Series([0, 1]),
]  # fmt: skip


@pytest.mark.parametrize("classes", CLASSES)
def test_classes_given_at_every_call_cost_nothing(checked, classes):
    model, other = (BackpropClassifier(**SMALL) for _ in range(2))
    for i in range(10):
        y = [int(Y[i] > 0)]
        model.partial_fit(X[i : i + 1], y, classes=classes)
        other.partial_fit(X[i : i + 1], y, **({} if i else {"classes": [0, 1]}))
    assert checked == [2]
    np.testing.assert_array_equal(model.predict_proba(X), other.predict_proba(X))


@pytest.mark.parametrize("classes", [[0, 1, 2], [0], ["0", "1"], [0, 1, "1"], [0, None], 2])
def test_other_classes_are_refused_at_every_call(classes):
    model = BackpropClassifier(**SMALL).partial_fit(X[:1], [0], classes=[0, 1])
    model.partial_fit(X[:1], [0], classes=[0, 1])
    before = copy.deepcopy(model)
    for _ in range(2):
        with pytest.raises(ValueError, match=r"classes (is|has|mixes|must)"):
            model.partial_fit(X[:1], [0], classes=classes)
    np.testing.assert_array_equal(model.predict_proba(X), before.predict_proba(X))


@pytest.mark.parametrize(
    "make", [list, tuple, pd.Series, pl.Series, np.array, lambda y: [np.int64(y[0])]]
)
def test_one_label_in_any_form_is_a_quick_row(checked, make):
    model = BackpropClassifier(**SMALL).partial_fit(X[:1], [0], classes=[0, 1])
    model.partial_fit(X[:1], [0])
    for i in range(5):
        model.partial_fit(X[i : i + 1], make([int(Y[i] > 0)]))
    assert checked == [1]
    names = BackpropClassifier(**SMALL).partial_fit(X[:1], ["a"], classes=["a", "b"])
    names.partial_fit(X[:1], ["a"])
    names.partial_fit(X[:1], pd.Series(["b"]))
    assert checked == [2]


@pytest.mark.parametrize("form", [np.asarray, np.ndarray.tolist])
@pytest.mark.parametrize(("kind", "dtype"), [(BackpropClassifier, int), (BackpropRegressor, float)])
def test_one_row_of_several_outputs_is_quick_and_learnt_alike(checked, kind, dtype, form):
    targets = (np.column_stack([Y, -Y, Y]) > 0).astype(dtype)
    quick, careful = (kind(**SMALL).fit(X, targets) for _ in range(2))
    checked[0] = 0
    for i in range(6):
        quick.partial_fit(X[i : i + 1], form(targets[i : i + 1]))
    assert checked == [1]
    for i in range(6):
        careful._prepared = None
        careful.partial_fit(X[i : i + 1], targets[i : i + 1])
    np.testing.assert_array_equal(quick.predict(X), careful.predict(X))
    np.testing.assert_allclose(quick.loss_curve_, careful.loss_curve_, rtol=1e-12)


@pytest.mark.parametrize("bad", [[[0, 2, 1]], [["0", "1", "0"]], [[0.5, 0, 1]]])
def test_bad_labels_of_one_row_are_refused_at_every_call(bad):
    model = BackpropClassifier(**SMALL).fit(X, (np.column_stack([Y, -Y, Y]) > 0).astype(int))
    for _ in range(3):
        model.partial_fit(X[:1], [[0, 1, 0]])
        with pytest.raises(ValueError, match=r"y |label|target"):
            model.partial_fit(X[:1], bad)


def test_a_series_of_numbers_of_several_types_is_quick(monkeypatch, model):
    mixed = FRAME.assign(height=FRAME.height > 0, income=FRAME.income.astype(object))
    expected = model.predict(mixed[:1].astype(float)).item()
    monkeypatch.setattr(features, "checked_features", None)  # the slow way
    assert model.predict_one(mixed.iloc[0]) == expected


def test_names_are_checked_at_every_call_of_partial_fit(model):
    model.partial_fit(FRAME[:1], Y[:1])
    with pytest.raises(ValueError, match="must be in the same order as"):
        model.partial_fit(FRAME[TURNED][:1], Y[:1])
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        model.partial_fit(X[:1], Y[:1])
    renamed = model.set_params(alpha=0.0)
    renamed.feature_names_in_ = np.array(TURNED, dtype=object)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        renamed.partial_fit(FRAME[TURNED][:1], Y[:1])


def test_a_named_tuple_is_read_by_name(model):
    expected = model.predict(FRAME[:1]).item()
    turned = next(FRAME[TURNED].itertuples(index=False))
    assert model.predict_one(turned) == expected
    assert fastbp.trace_step(model, turned, 1.0).x.tolist() == FRAME.iloc[0].tolist()
    with pytest.raises(ValueError, match=r"unseen at fit time:\n- Index"):
        model.predict_one(next(FRAME.itertuples()))
    unnamed = BackpropRegressor(**SMALL).fit(X, Y)
    assert unnamed.predict_one(next(FRAME.itertuples(index=False))) == unnamed.predict_one(X[0])


@pytest.mark.parametrize("kind", [pd.CategoricalIndex, lambda names: pd.Index(names, dtype=object)])
def test_the_names_of_a_series_count_whatever_they_are_kept_in(model, kind):
    turned = pd.Series(FRAME.iloc[0][TURNED].to_numpy(), kind(TURNED))
    with pytest.raises(ValueError, match="same order"):
        model.predict_one(turned)
    with pytest.raises(TypeError, match="string names"):
        model.predict_one(turned.set_axis(["income", 1, "age"]))


def test_names_in_errors_are_plain_to_see(model):
    with pytest.raises(ValueError, match="fit time") as caught:
        model.predict_one({"pay\x1b[31m": 1.0})
    assert "\x1b" not in str(caught.value)
    assert r"- pay\x1b[31m" in str(caught.value)
