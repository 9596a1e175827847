"""Missing values: refused, or filled with means and marked, whatever the rows come in."""

import copy
import pickle

import numpy as np
import pandas as pd
import plain_models
import polars as pl
import pytest
from scipy import sparse
from sklearn.datasets import load_diabetes
from sklearn.impute import SimpleImputer
from sklearn.utils.estimator_checks import check_estimator

import fastbp
from fastbp import BackpropClassifier, BackpropRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

WHOLE, Y = load_diabetes(return_X_y=True, scaled=False)
NAMES = load_diabetes().feature_names
WITH_GAPS = [2, 5, 7]
X = WHOLE.copy()
X[:, WITH_GAPS] = np.where(np.random.RandomState(0).rand(len(X), 3) < 0.2, np.nan, X[:, WITH_GAPS])
LABELS = np.array(["low", "middle", "high"])[np.digitize(Y, [100, 200])]
QUICK = {"hidden_layer_sizes": (8,), "max_iter": 10, "random_state": 0}


def regressor(**options):
    return BackpropRegressor(**{**QUICK, "missing": "indicator", **options})


def classifier(**options):
    return BackpropClassifier(**{**QUICK, "missing": "indicator", **options})


# -- the model -------------------------------------------------------------------------------------


@pytest.mark.parametrize("standardize", [True, False])
def test_a_gap_is_the_mean_of_its_column_and_a_mark_of_its_own(standardize):
    imputer = SimpleImputer(add_indicator=True).fit(X)
    options = {"standardize": standardize}
    if not standardize:  # rows are ordered by their bits
        options |= {"learning_rate_init": 1e-6, "shuffle": False, "early_stopping": False}
    expected = regressor(missing="error", **options).fit(imputer.transform(X), Y)
    found = regressor(**options).fit(X, Y)
    np.testing.assert_allclose(found.predict(X), expected.predict(imputer.transform(X)))
    assert found.missing_features_.tolist() == WITH_GAPS
    assert found.n_features_in_ == 10
    assert found.coefs_[0].shape == (13, 8)


def test_gaps_are_refused_by_default_with_a_way_out():
    with pytest.raises(ValueError, match=r'X\[.*\] is nan.*missing="indicator"'):
        regressor(missing="error").fit(X, Y)
    with pytest.raises(ValueError, match=r'nan in column \'s4\', row 4.*missing="indicator"'):
        regressor(missing="error").fit(pd.DataFrame(X, columns=NAMES), Y)
    with pytest.raises(ValueError, match="missing must be one of error, indicator"):
        regressor(missing="mean").fit(X, Y)


def test_infinity_is_no_gap():
    rows = X.copy()
    rows[5, 0] = np.inf
    with pytest.raises(ValueError, match=r"X\[5, 0\] is inf"):
        regressor().fit(rows, Y)
    with pytest.raises(ValueError, match="inf in column 'age', row 5"):
        regressor().fit(pd.DataFrame(rows, columns=NAMES), Y)
    model = regressor().fit(X, Y)
    for predict in (model.predict, lambda rows: model.predict_one(rows[5])):
        with pytest.raises(ValueError, match="inf"):
            predict(rows)


def test_a_gap_that_first_appears_later_is_the_mean():
    model = regressor().fit(X, Y)
    rows, filled = X[:5].copy(), X[:5].copy()
    rows[:, 0], filled[:, 0] = np.nan, WHOLE[:, 0].mean()
    np.testing.assert_allclose(model.predict(rows), model.predict(filled))


def test_a_column_without_any_value_says_nothing():
    nothing = np.column_stack([X, np.full(len(X), np.nan)])
    model = regressor().fit(nothing, Y)
    other = nothing.copy()
    other[:, -1] = 0
    assert np.isfinite(model.predict(nothing)).all()
    assert not model.sensitivity(other)[:, :, -1].any()


def test_a_table_without_gaps_gives_the_model_of_the_default():
    expected = regressor(missing="error").fit(WHOLE, Y).predict(WHOLE)
    np.testing.assert_array_equal(regressor().fit(WHOLE, Y).predict(WHOLE), expected)


def test_weights_count_as_copies_in_means():
    weights = np.random.RandomState(1).randint(0, 3, len(X))
    options = {"early_stopping": False, "learning_rate": "constant"}
    expected = regressor(**options).fit(np.repeat(X, weights, axis=0), np.repeat(Y, weights))
    found = regressor(**options).fit(X, Y, sample_weight=weights)
    np.testing.assert_allclose(found.predict(X), expected.predict(X), rtol=1e-9)


def test_rows_held_out_by_hand_may_have_gaps():
    model = regressor().fit(X[:300], Y[:300], X_val=X[300:], y_val=Y[300:])
    outputs = model.predict(X[300:])
    best = 0.5 * np.mean(((outputs - Y[300:]) / model.target_scaling_.scale) ** 2)
    np.testing.assert_allclose(min(model.validation_loss_curve_), best, rtol=1e-6)


@pytest.mark.filterwarnings("ignore")  # the checks train on data made to provoke warnings
@pytest.mark.parametrize("kind", ["BackpropRegressor", "BackpropClassifier"])
def test_scikit_learn_finds_that_it_follows_its_rules(kind):
    estimator = getattr(plain_models, kind)(missing="indicator", max_iter=20)
    assert estimator.__sklearn_tags__().input_tags.allow_nan
    assert not type(estimator)().__sklearn_tags__().input_tags.allow_nan
    check_estimator(estimator, on_skip=None)


# -- forms of rows ---------------------------------------------------------------------------------


def as_nullable(rows):
    return pd.DataFrame(rows, columns=NAMES).convert_dtypes()


def as_objects(rows):
    return pd.DataFrame(np.where(np.isnan(rows), None, rows), columns=NAMES)


def as_polars(rows):
    return pl.DataFrame({name: list(column) for name, column in zip(NAMES, rows.T, strict=True)})


FORMS = {
    "lists": lambda rows: np.where(np.isnan(rows), None, rows).tolist(),
    "pandas": lambda rows: pd.DataFrame(rows, columns=NAMES),
    "nullable": as_nullable,
    "objects": as_objects,
    "polars": as_polars,
    "fortran": np.asfortranarray,
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_rows_gives_one_model(form):
    expected = regressor().fit(X, Y).predict(X)
    rows = FORMS[form](X)
    model = regressor().fit(rows, Y)
    np.testing.assert_allclose(model.predict(rows), expected)
    np.testing.assert_allclose(model.predict(FORMS[form](X[:1])), expected[:1])


def test_a_row_with_names_may_have_gaps():
    model = regressor().fit(pd.DataFrame(X, columns=NAMES), Y)
    k = int(np.flatnonzero(np.isnan(X[:, 2]))[0])
    row = dict(zip(NAMES, X[k], strict=True))
    expected = model.predict(pd.DataFrame(X[k : k + 1], columns=NAMES))[0]
    for x in (row, {**row, "bmi": None}, {**row, "bmi": pd.NA}, pd.Series(row)):
        np.testing.assert_allclose(model.predict_one(x), expected)


@pytest.mark.parametrize("make", [sparse.csr_array, sparse.csr_matrix, sparse.csc_array])
def test_sparse_rows_may_have_gaps(make):
    rows = np.where(np.random.RandomState(2).rand(*X.shape) < 0.8, 0, X)
    imputer = SimpleImputer(add_indicator=True, keep_empty_features=True)
    filled = sparse.csr_array(imputer.fit_transform(sparse.csc_array(rows)))
    given = make(rows)
    expected = regressor(missing="error").fit(filled, Y).predict(filled)
    model = regressor().fit(given, Y)
    np.testing.assert_allclose(model.predict(given), expected)
    np.testing.assert_array_equal(given.toarray(), rows)  # as they were


def test_dense_and_csr_forms_of_a_table_of_zeros_give_one_model():
    random = np.random.RandomState(0)
    rows = np.where(random.rand(300, 70) < 0.9, 0, random.randn(300, 70))
    rows[random.rand(300, 70) < 0.02] = np.nan
    y = np.nansum(rows, axis=1)
    expected = regressor().fit(rows, y).predict(rows)
    found = regressor().fit(sparse.csr_array(rows), y).predict(rows)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_duplicates_of_a_sparse_gap_are_one_gap():
    twice = sparse.csr_array(
        (np.array([np.nan, np.nan, 1.0]), np.array([0, 0, 1]), np.array([0, 2, 3])), shape=(2, 2)
    )
    model = regressor(early_stopping=False).fit(twice, [0.0, 1.0])
    expected = model.predict(np.array([[np.nan, 0.0], [0.0, 1.0]]))
    np.testing.assert_allclose(model.predict(twice), expected)


def test_rows_in_float32_stay_so():
    model = regressor().fit(X.astype(np.float32), Y)
    assert model.network_.dtype == np.float32
    assert model.predict(X.astype(np.float32)).dtype == np.float32


def test_rows_of_another_width_are_refused():
    model = regressor().fit(X, Y)
    wide = np.zeros(13)  # as many as the network has
    with pytest.raises(ValueError, match="13 features"):
        model.predict_one(wide)
    with pytest.raises(ValueError, match="13 features"):
        model.predict(wide[np.newaxis])


# -- streams ---------------------------------------------------------------------------------------


def test_a_stream_fills_gaps_with_running_means():
    model = regressor(shuffle=False)
    for row, y in zip(X[:50], Y[:50], strict=True):
        model.partial_fit(row[np.newaxis], [y])
    row = np.full((1, 10), np.nan)
    filled = np.nanmean(X[:50], axis=0)[np.newaxis]
    assert model.missing_features_.tolist() == list(range(10))
    np.testing.assert_allclose(model._gaps.filled(row)[:, :10], filled)
    assert (model._gaps.filled(row)[:, 10:] == 1).all()
    assert np.isfinite(model.predict(row)).all()


def test_rows_and_blocks_of_a_stream_give_the_same_means():
    one_by_one, block = regressor(shuffle=False), regressor(shuffle=False)
    for row, y in zip(X[:50], Y[:50], strict=True):
        one_by_one.partial_fit(row[np.newaxis], [y])
    block.partial_fit(X[:20], Y[:20])
    block.partial_fit(sparse.csr_array(X[20:50]), Y[20:50])
    np.testing.assert_allclose(one_by_one._gaps.means, block._gaps.means)


def test_a_row_that_is_refused_leaves_the_means():
    model = regressor().partial_fit(X[:20], Y[:20])
    before = model._gaps
    row = X[:1].copy()
    row[0, 1] = np.inf
    with pytest.raises(ValueError, match="inf"):
        model.partial_fit(row, [1.0])
    assert model._gaps is before


def test_calls_after_a_fit_keep_its_means():
    model = regressor().fit(X, Y)
    means = model._gaps.means
    model.partial_fit(X[:1], Y[:1]).partial_fit(X[:9], Y[:9])
    assert model._gaps.means is means


@pytest.mark.parametrize("begin", ["fit", "partial_fit"])
def test_a_trace_is_the_step_of_partial_fit(begin):
    model = getattr(regressor(shuffle=False), begin)(X, Y)
    k = int(np.flatnonzero(np.isnan(X[:, 2]))[0])
    trace = fastbp.trace_step(model, X[k], Y[k])
    names = trace.names.features
    assert names[2] == "2"
    assert f"x[{model.missing_features_[0]}] missing" == names[10]
    model.partial_fit(X[k : k + 1], Y[k : k + 1])
    for layer, W in zip(trace.layers, model.coefs_, strict=True):
        np.testing.assert_array_equal(layer.new_W, W)


# -- what else there is ----------------------------------------------------------------------------


@pytest.mark.parametrize("make", [regressor, classifier])
def test_sensitivities_are_of_the_columns_of_the_user(make):
    model = make().fit(X, Y if make is regressor else LABELS)
    predict = model.predict if make is regressor else model.predict_proba
    found, step = model.sensitivity(X), 1e-5 * WHOLE[:, 0].std()
    assert found.shape[::2] == (len(X), 10)
    assert model.sensitivity(X, summary="mean_absolute").shape[1] == 10
    up, down = X.copy(), X.copy()
    up[:, 0] += step
    down[:, 0] -= step
    slopes = (predict(up) - predict(down)) / (2 * step)
    np.testing.assert_allclose(
        found[:, :, 0], slopes.reshape(len(X), -1), atol=1e-4 * abs(slopes).max()
    )


def test_copies_and_pickles_predict_the_same():
    model = regressor().fit(X, Y)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(other.predict(X), model.predict(X))


@pytest.mark.parametrize("rows", [X, pd.DataFrame(X, columns=NAMES), sparse.csr_array(X)])
@pytest.mark.parametrize(
    "options", [{}, {"hidden_layer_sizes": ()}, {"standardize": False, "learning_rate_init": 1e-6}]
)
def test_scikit_learn_gets_a_pipeline_that_fills_and_marks(options, rows):
    model = regressor(**options).fit(rows, Y)
    pipeline = model.to_sklearn()
    np.testing.assert_allclose(pipeline.predict(rows), model.predict(rows), rtol=1e-9)
    later = np.array(WHOLE[:5])
    later[:, 0] = np.nan
    if not isinstance(rows, pd.DataFrame):
        np.testing.assert_allclose(pipeline.predict(later), model.predict(later), rtol=1e-9)


def test_a_warm_start_goes_on_with_the_means_of_the_fit():
    model = regressor(warm_start=True).fit(X, Y)
    means = model._gaps.means
    model.fit(X[:100], Y[:100])
    assert model._gaps.means is means
    model.set_params(warm_start=False, missing="error").fit(WHOLE, Y)
    assert model.missing_features_ is None
    assert len(model.coefs_[0]) == 10


def test_figures_of_sensitivities_name_the_columns_of_the_user():
    plot = pytest.importorskip("fastbp.plot")
    rows = pd.DataFrame(X, columns=NAMES)
    display = plot.SensitivityDisplay.from_estimator(regressor().fit(rows, Y), rows)
    assert list(display.feature_names) == list(NAMES)


@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array], ids=["dense", "CSR"])
def test_blocks_of_a_stream_may_have_gaps(make):
    model = BackpropRegressor(missing="indicator", random_state=0)
    blocks = [(make(X[k : k + 100]), Y[k : k + 100]) for k in range(0, 400, 100)]
    model.fit_stream(blocks, n_epochs=2, held_out=0.2)
    assert model.missing_features_.tolist() == list(range(10))
    assert np.isfinite(model.stream_history_["score"]).all()
    assert np.isfinite(model.predict(make(X))).all()
