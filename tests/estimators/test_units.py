"""Units do not matter: inputs and targets are scaled inside the model, and all it says is not."""

import copy
import pickle
import re
import tracemalloc
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.pipeline import Pipeline

import fastbp
from fastbp import BackpropClassifier, BackpropRegressor
from fastbp.estimators.defaults import epochs_of_rows

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, Y = load_diabetes(return_X_y=True, scaled=False)
LABELS = np.array(["low", "middle", "high"])[np.digitize(Y, [100, 200])]
QUICK = {"hidden_layer_sizes": (8,), "max_iter": 10, "random_state": 0}


def regressor(**options):
    return BackpropRegressor(**{**QUICK, **options})


def classifier(**options):
    return BackpropClassifier(**{**QUICK, **options})


# -- other units, the same model -------------------------------------------------------------------


@pytest.mark.parametrize(("factor", "shift"), [(1e6, 0), (1e-6, 0), (1, 1e6)])
@pytest.mark.parametrize("column", [0, 1, 5])
def test_a_column_in_other_units_changes_predictions_by_rounding(column, factor, shift):
    other = X.copy()
    other[:, column] = other[:, column] * factor + shift
    expected = regressor().fit(X, Y).predict(X)
    np.testing.assert_allclose(regressor().fit(other, Y).predict(other), expected, rtol=1e-6)
    expected = classifier().fit(X, LABELS).predict_proba(X)
    found = classifier().fit(other, LABELS).predict_proba(other)
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize(
    "loss", ["squared_error", "absolute_error", "quantile", "huber", "poisson"]
)
@pytest.mark.parametrize(("factor", "shift"), [(1e6, 0), (1e-6, 0), (1, 1e6)])
def test_targets_in_other_units_give_predictions_in_these(loss, factor, shift):
    if loss == "poisson" and shift:
        pytest.skip("counts that are shifted are other counts")
    expected = regressor(loss=loss).fit(X, Y).predict(X)
    found = regressor(loss=loss).fit(X, Y * factor + shift).predict(X)
    np.testing.assert_allclose((found - shift) / factor, expected, rtol=1e-6)


def test_rows_in_another_order_give_the_same_model():
    moved = np.random.default_rng(0).permutation(len(X))
    expected = regressor().fit(X, Y)
    found = regressor().fit(X[moved], Y[moved])
    np.testing.assert_allclose(found.predict(X), expected.predict(X), rtol=1e-9)
    two = np.round(X[:, :2])  # in which many rows are rounded alike
    expected, found = regressor().fit(two, Y), regressor().fit(two[moved], Y[moved])
    np.testing.assert_allclose(found.predict(two), expected.predict(two), rtol=1e-9)


def test_weights_count_as_copies():
    weights = np.random.default_rng(0).integers(0, 4, len(X))
    copies = np.repeat(np.arange(len(X)), weights)
    options = {"early_stopping": False}
    for loss in ("squared_error", "absolute_error"):
        found = regressor(loss=loss, **options).fit(X, Y, sample_weight=weights)
        expected = regressor(loss=loss, **options).fit(X[copies], Y[copies])
        np.testing.assert_allclose(found.predict(X), expected.predict(X), rtol=1e-6)


def test_dense_and_csr_forms_of_a_table_of_zeros_give_one_model():
    table = sparse.random(300, 80, 0.1, format="csr", random_state=0) * 1000
    y = table @ np.random.default_rng(0).normal(size=80)
    found = regressor().fit(table, y)
    expected = regressor().fit(table.toarray(), y)
    np.testing.assert_allclose(found.predict(table), expected.predict(table.toarray()), rtol=1e-8)
    assert found.score(table, y) > 0.5


def test_a_table_that_is_scaled_where_it_is_read_trains_as_a_copy(monkeypatch):
    expected = regressor().fit(X, Y).predict(X)
    monkeypatch.setattr("fastbp.estimators.units.MAX_KEPT", 0)
    np.testing.assert_allclose(regressor().fit(X, Y).predict(X), expected, rtol=1e-9)


def peak_of_a_fit(table, **options):
    """Return the most bytes that a fit takes besides the table."""
    y = np.asarray(table[:, [0]].sum(axis=1)).ravel()
    tracemalloc.start()
    regressor(max_iter=1, **options).fit(table, y)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


def test_a_large_table_is_not_copied():
    table = np.random.default_rng(0).normal(size=(150_000, 40))
    options = {"shuffle": False, "early_stopping": False}
    assert peak_of_a_fit(table, **options) < table.nbytes / 2


def test_nor_are_the_rows_that_networks_hold_out():
    table = np.random.default_rng(0).normal(size=(40_000, 100))
    of_rows = 80 * len(table)  # their orders, hashes and targets
    peak = peak_of_a_fit(table, hidden_layer_sizes=(8,), ensemble=4)
    assert peak < of_rows + 2**23  # a block; a network's rows would be 6.4 MB, and a mask 4


def test_of_a_large_csr_matrix_only_the_indices_are_copied():
    table = sparse.random(100_000, 60, 0.4, format="csr", random_state=0)
    peak = peak_of_a_fit(table, ensemble=4)
    of_values = 2 * 4 * table.nnz  # a private copy, and another as kernels read them
    assert peak < of_values + 80 * table.shape[0] + 2**23  # all values would be 19 MB


# -- what is said is in the user's units -----------------------------------------------------------


def test_predictions_are_in_units_of_the_targets():
    model = BackpropRegressor(random_state=0).fit(X, Y)
    assert model.score(X, Y) > 0.4
    assert abs(model.predict(X).mean() - Y.mean()) < 20
    one = [model.predict_one(row) for row in X[:5]]
    np.testing.assert_allclose(one, model.predict(X[:5]), rtol=1e-10)
    blocks = np.concatenate([model.predict(X[:100]), model.predict(X[100:])])
    np.testing.assert_allclose(model.predict(X), blocks, rtol=1e-10)


def test_several_outputs_have_units_of_their_own():
    y = np.column_stack([Y, 1e6 * Y[::-1] + 1e7, np.full(len(Y), 3.0)])
    model = regressor(max_iter=60).fit(X, y)
    errors = np.abs(model.predict(X) - y).mean(axis=0)
    assert (errors[:2] < y.std(axis=0)[:2]).all()
    assert errors[2] < 0.5


@pytest.mark.parametrize("make", [regressor, classifier])
def test_sensitivities_are_derivatives_of_predictions_by_given_inputs(make):
    model = make().fit(X, Y if make is regressor else LABELS)
    outputs = model.predict if make is regressor else model.predict_proba
    rows, found = X[:4], model.sensitivity(X[:4])
    for i in range(X.shape[1]):
        step = np.zeros(X.shape[1])
        step[i] = 1e-5 * X[:, i].std()
        ahead, behind = outputs(rows + step), outputs(rows - step)
        expected = (ahead - behind).reshape(4, -1) / (2 * step[i])
        np.testing.assert_allclose(found[:, :, i], expected, rtol=1e-4, atol=1e-7)
    relative = model.sensitivity(rows, relative=True)
    values = outputs(rows).reshape(4, -1, 1)
    np.testing.assert_allclose(relative, found * rows[:, np.newaxis] / values, rtol=1e-9)
    summary = model.sensitivity(rows, summary="mean_absolute")
    np.testing.assert_allclose(summary, np.abs(found).mean(axis=0), rtol=1e-9)


@pytest.mark.parametrize("begin", ["fit", "partial_fit"])
def test_a_trace_is_the_step_of_partial_fit_to_the_bit(begin):
    model = regressor(shuffle=False)
    model = model.fit(X, Y) if begin == "fit" else model.partial_fit(X[:50], Y[:50])
    trace = fastbp.trace_step(model, X[60], Y[60])
    model.partial_fit(X[60:61], Y[60:61])
    for layer, W in zip(trace.layers, model.coefs_, strict=True):
        np.testing.assert_array_equal(layer.new_W, W)
    units = trace.units
    np.testing.assert_array_equal(units.x, X[60])
    t = (X[60] - units.center) / units.scale
    np.testing.assert_allclose(trace.x, t / np.sqrt(1 + (t / units.limit) ** 2), rtol=1e-12)
    assert trace.y[0] == pytest.approx((Y[60] - units.target_center[0]) / units.target_scale[0])
    text = str(trace)
    assert "Scaling: t = (value - center) / scale, t / sqrt(1 + (t / 3)^2)" in text
    assert "prediction = a x scale + center" in text
    assert trace.to_dict()["units"]["limit"] == 3.0


def test_a_trace_of_a_classifier_has_no_scale_of_targets():
    trace = fastbp.trace_step(classifier().fit(X, LABELS), X[0], LABELS[0])
    assert trace.units.y is None
    assert "prediction" not in str(trace)
    plain = classifier(standardize=False, learning_rate_init=1e-6).fit(X, LABELS)
    assert fastbp.trace_step(plain, X[0], LABELS[0]).units is None


def test_attributes_say_how_it_is_scaled():
    model = regressor().fit(X, Y)
    scaling = model.input_scaling_
    np.testing.assert_allclose(scaling.center, X.mean(axis=0))
    deviation = X.std(axis=0)
    deviation[1] = np.ptp(X[:, 1])  # of two values
    np.testing.assert_allclose(scaling.scale, deviation)
    np.testing.assert_allclose(model.target_scaling_.scale, Y.std())
    inside = scaling.transform(X)
    outputs = model.network_.forward(inside)[:, 0]
    np.testing.assert_allclose(model.target_scaling_.inverse(outputs), model.predict(X))
    plain = regressor(standardize=False, learning_rate_init=1e-7).fit(X, Y)
    assert plain.input_scaling_ is None
    assert plain.target_scaling_ is None
    assert classifier().fit(X, LABELS).target_scaling_ is None


# -- what is done with a model ---------------------------------------------------------------------


def test_copies_and_pickles_predict_the_same():
    model = regressor().fit(X, Y)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(other.predict(X), model.predict(X))


@pytest.mark.parametrize("make", [regressor, classifier])
def test_scikit_learn_gets_a_pipeline_that_predicts_the_same(make):
    model = make().fit(X, Y if make is regressor else LABELS)
    other = model.to_sklearn()
    assert isinstance(other, Pipeline)
    np.testing.assert_allclose(
        *((one.predict if make is regressor else one.predict_proba)(X) for one in (model, other)),
        rtol=1e-9,
    )
    assert len(pickle.loads(pickle.dumps(other)).predict(X)) == len(X)


def test_scikit_learn_takes_the_parameters_of_a_model_of_the_defaults():
    other = BackpropRegressor(hidden_layer_sizes=8, random_state=0).fit(X, Y).to_sklearn()
    # Its targets are not scaled, so that steps are longer there.
    other.set_params(mlp__max_iter=2, mlp__warm_start=True, mlp__learning_rate_init=1e-6)
    assert other.fit(X, Y).score(X, Y) > 0.4


def test_a_linear_scaling_is_folded_into_the_weights():
    model = regressor(loss="poisson").fit(X, Y)
    model._units = fastbp.estimators.units.Units(
        fastbp.network.scaling.Scaling(model.input_scaling_.center, model.input_scaling_.scale),
        model.target_scaling_,
    )
    other = model.to_sklearn()
    assert not isinstance(other, Pipeline)
    np.testing.assert_allclose(other.predict(X), model.predict(X), rtol=1e-9)


def test_going_on_keeps_the_units_of_the_fit():
    model = regressor(warm_start=True).fit(X, Y)
    before = model.input_scaling_
    model.partial_fit(X[:1] * 1000, Y[:1])
    model.fit(X * 2, Y)
    np.testing.assert_array_equal(model.input_scaling_.center, before.center)
    np.testing.assert_array_equal(model.input_scaling_.scale, before.scale)


def test_a_stream_keeps_up_the_moments_of_its_rows():
    model = regressor(shuffle=False)
    for start in range(0, 400, 1):
        model.partial_fit(X[start : start + 1], Y[start : start + 1])
    np.testing.assert_allclose(model.input_scaling_.center, X[:400].mean(axis=0), rtol=1e-9)
    np.testing.assert_allclose(model.target_scaling_.scale, Y[:400].std(), rtol=1e-9)
    assert model.score(X[400:], Y[400:]) > 0
    blocks = regressor(shuffle=False)
    for start in range(0, 400, 50):
        blocks.partial_fit(X[start : start + 50], Y[start : start + 50])
    np.testing.assert_allclose(blocks.input_scaling_.center, model.input_scaling_.center)
    np.testing.assert_allclose(blocks.input_scaling_.scale, model.input_scaling_.scale)


@pytest.mark.parametrize("make", [regressor, classifier])
def test_a_call_that_fails_leaves_the_units_as_they_were(make):
    y = Y if make is regressor else LABELS
    model = make().partial_fit(X, y, **({} if make is regressor else {"classes": np.unique(y)}))
    before = copy.deepcopy(model)
    with pytest.raises(ValueError, match="features"):
        model.partial_fit(X[:, 1:], y)
    for rows, targets, text in (
        (X * np.nan, y, "NaN or infinity"),
        (X[:9] * np.inf, y[:9], "NaN or infinity"),
        (X, y[:-1], "inconsistent numbers of samples"),
    ):
        for call in (model.partial_fit, model.fit):
            with pytest.raises(ValueError, match=text):
                call(rows, targets)
        if len(rows) == len(targets):
            for call in (model.predict, model.sensitivity, lambda X: model.predict_one(X[0])):
                with pytest.raises(ValueError, match=text):
                    call(rows)
    np.testing.assert_array_equal(model.predict(X), before.predict(X))
    np.testing.assert_array_equal(model.input_scaling_.center, before.input_scaling_.center)


def test_held_out_rows_are_scaled_alike():
    model = regressor(max_iter=30).fit(X[:300], Y[:300], X_val=X[300:], y_val=Y[300:])
    error = np.square(model.predict(X[300:]) - Y[300:]).mean()
    expected = 0.5 * error / model.target_scaling_.scale[0] ** 2
    assert min(model.validation_loss_curve_) == pytest.approx(expected, rel=1e-6)


# -- odd tables ------------------------------------------------------------------------------------


def odd_tables():
    rng = np.random.default_rng(0)
    constant, huge, many = X.copy(), X.copy(), np.eye(500)[rng.integers(0, 500, len(X))]
    constant[:, 3] = 7.0
    huge[11, 4] = 1e12
    return {
        "a constant column": constant,
        "a huge value": huge,
        "squares that overflow": X * [1e200, *[1] * 9],
        "tiny numbers": X * 1e-200,
        "numbers of rows": np.column_stack([X, np.arange(len(X)) + 1e6]),
        "one-hot columns": np.column_stack([X, many]),
        "float32": X.astype(np.float32),
        "whole numbers": X.astype(int),
    }


@pytest.mark.parametrize("name", odd_tables())
def test_odd_columns_do_no_harm(name):
    table = odd_tables()[name]
    with np.errstate(all="raise"):
        model = BackpropRegressor(random_state=0).fit(table[::2], Y[::2])
        score = model.score(table[1::2], Y[1::2])
    assert score > 0.25


def test_constant_targets_are_predicted():
    model = regressor(max_iter=100).fit(X, np.full(len(X), 42.0))
    np.testing.assert_allclose(model.predict(X), 42, atol=0.5)


def test_few_rows_are_learnt_without_holding_any_out():
    model = BackpropRegressor(random_state=0).fit(X[:3], Y[:3])
    assert np.isfinite(model.predict(X[:5])).all()
    assert model.validation_loss_curve_ is None
    BackpropClassifier(random_state=0).fit(X[:2], ["a", "b"])
    rare = np.array(["often"] * 99 + ["once"])
    assert BackpropClassifier(random_state=0).fit(X[:100], rare).score(X[:100], rare) > 0.9


def test_a_stream_that_drifts_by_ten_orders_of_magnitude_stays_sane():
    model = regressor(shuffle=False)
    for k, factor in enumerate(np.geomspace(1e-5, 1e5, 300)):
        model.partial_fit(X[k : k + 1] * factor, Y[k : k + 1] * factor)
        assert np.isfinite(model.predict_one(X[k] * factor))
    assert np.isfinite(model.network_.weights[0]).all()


@pytest.mark.parametrize("load", [load_breast_cancer])
def test_the_defaults_learn_raw_tables(load):
    rows, y = load(return_X_y=True)
    assert (
        BackpropClassifier(random_state=0).fit(rows[::2], y[::2]).score(rows[1::2], y[1::2]) > 0.93
    )


@pytest.mark.parametrize("value", ["yes", 1.5, None])
def test_what_is_no_flag_is_refused(value):
    with pytest.raises((TypeError, ValueError), match="standardize"):
        regressor(standardize=value).fit(X, Y)


def test_rows_of_zeros_that_are_rounded_alike_are_told_apart():
    rng = np.random.default_rng(0)
    table = np.where(rng.random((200, 80)) < 0.05, rng.integers(1, 3, (200, 80)), 0.0)
    table[:100, 0] = 1 + 1e-6 * rng.random(100)
    table[1::2, 1:] = table[::2, 1:]
    y = rng.integers(0, 2, 200)
    moved = rng.permutation(200)
    expected = classifier().fit(table, y).predict_proba(table)
    found = classifier().fit(table[moved], y[moved]).predict_proba(table)
    np.testing.assert_allclose(found, expected, atol=1e-9)


# -- what is kept of training ----------------------------------------------------------------------


def test_the_history_has_a_row_for_each_epoch():
    model = BackpropRegressor(random_state=0, max_iter=12).fit(X, Y)
    table = model.history_
    assert {len(column) for column in table.values()} == {model.n_iter_}
    assert table["loss"] == model.loss_curve_
    assert table["learning_rate"][0] == model.learning_rate_ == 0.02
    assert np.all(np.diff(table["learning_rate"]) < 0)
    assert table["rows"][-1] == model.t_
    assert set(np.diff([0, *table["rows"]])) == {table["rows"][0]}
    assert min(table["seconds"]) > 0
    looked = [value for value in table["validation_loss"] if not np.isnan(value)]
    assert looked == model.validation_loss_curve_
    pandas = pytest.importorskip("pandas")
    assert len(pandas.DataFrame(table)) == model.n_iter_


def test_the_best_epoch_of_all_networks_is_kept():
    model = BackpropRegressor(random_state=0, max_iter=30, n_iter_no_change=np.inf).fit(X, Y)
    curve = model.validation_loss_curve_
    assert min(curve) < curve[-1]
    other = BackpropRegressor(
        random_state=0, max_iter=30, n_iter_no_change=np.inf, early_stopping=False, ensemble=8
    ).fit(X, Y)
    assert model.score(X[::7], Y[::7]) < other.score(X[::7], Y[::7])  # which has learnt the noise


def test_a_network_that_diverges_goes_on_at_a_lower_rate():
    with pytest.warns(fastbp.DivergenceWarning, match="goes on from the best weights at"):
        model = BackpropRegressor(random_state=0, learning_rate_init=3.0, ensemble=2).fit(X, Y)
    assert model.score(X, Y) > 0.3


def test_the_same_seed_gives_the_same_bits():
    first, second = (BackpropClassifier(random_state=3).fit(X, LABELS) for _ in range(2))
    for own, other in zip(first.coefs_, second.coefs_, strict=True):
        np.testing.assert_array_equal(own, other)
    verbose = BackpropClassifier(random_state=3, verbose=True).fit(X, LABELS)
    np.testing.assert_array_equal(first.coefs_[1], verbose.coefs_[1])


def test_sizes_that_are_given_are_those_of_one_network():
    assert regressor().fit(X, Y).network_.layer_sizes == (10, 8, 1)
    assert regressor(ensemble=3).fit(X, Y).network_.layer_sizes == (10, 24, 1)
    assert BackpropRegressor(early_stopping=False).fit(X, Y).network_.layer_sizes == (10, 100, 1)
    sizes = BackpropRegressor().fit(X, Y).network_.layer_sizes
    assert sizes == (10, 512, 512, 1)
    with pytest.raises(ValueError, match="one of the two must be 1"):
        regressor(ensemble=2, n_init=2).fit(X, Y)


def test_a_recording_follows_one_network():
    with pytest.raises(ValueError, match="ensemble=1"):
        fastbp.record(BackpropRegressor(), X, Y)
    assert len(fastbp.record(regressor(), X, Y)) > 2


def test_why_training_ended_is_said_in_words():
    model = BackpropRegressor(random_state=0).fit(X, Y)
    curve, epochs = model.validation_loss_curve_, model._history.validation_epochs
    best = epochs[int(np.argmin(curve))]
    assert model.convergence_ == (
        f"Training ended after {model.n_iter_} epochs: the loss of held-out rows had not improved "
        f"in the last 40. The weights are those of epoch {best}, which had the best loss of "
        "held-out rows."
    )
    assert best + 40 < model.n_iter_ <= 200
    model = regressor(early_stopping=False).fit(X, Y)
    assert model.convergence_ == "All 10 epochs were made. The weights are those of the last epoch."
    model = regressor(early_stopping=True, n_iter_no_change=np.inf).fit(X, Y)
    assert "which had the best score of held-out rows" in model.convergence_
    assert "partial_fit" in regressor().partial_fit(X, Y).convergence_


@pytest.mark.parametrize("n_features", [20, 500, 1500])
def test_the_rate_of_a_stream_falls_with_the_number_of_inputs(n_features):
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(900, n_features))
    y = 1e3 * rows[:, :3].sum(axis=1)
    model = BackpropRegressor(random_state=0)
    for start in range(0, 600, 10):
        model.partial_fit(rows[start : start + 10], y[start : start + 10])
    assert model.learning_rate_ == min(0.01, 1 / n_features)
    assert model.score(rows[600:], y[600:]) > -0.5


@pytest.mark.parametrize("solver", ["adam", "adamw", "adagrad", "rmsprop"])
def test_each_solver_has_a_rate_that_learns(solver):
    model = BackpropRegressor(random_state=0, solver=solver).fit(X[::2], Y[::2])
    assert model.score(X[1::2], Y[1::2]) > 0.3
    assert BackpropRegressor(momentum=0.5).fit(X, Y).learning_rate_ == 0.01


@pytest.mark.parametrize("value", [np.inf, np.nan])
def test_a_single_row_that_is_not_finite_is_refused(value):
    model = regressor().partial_fit(X[:50], Y[:50])
    row = X[60:61].copy()
    model.partial_fit(row, Y[60:61])
    before = copy.deepcopy(model)
    row[0, 3] = value
    with pytest.raises(ValueError, match="NaN or infinity"):
        model.partial_fit(row, Y[60:61])
    np.testing.assert_array_equal(model.predict(X), before.predict(X))


def test_networks_of_an_ensemble_are_not_alike():
    model = regressor(ensemble=3, max_iter=1, learning_rate_init=1e-9).fit(X, Y)
    first, second, third = np.split(model.coefs_[0], 3, axis=1)
    assert not np.allclose(first, second)
    assert not np.allclose(second, third)


@pytest.mark.parametrize("begin", ["CSR", "arrays"])
def test_a_stream_of_csr_rows_is_scaled_without_centers(begin):
    table = sparse.random(400, 30, 0.2, format="csr", random_state=0) * 1e4
    y = table @ np.random.default_rng(0).normal(size=30)
    model = BackpropRegressor(random_state=0)
    for start in range(0, 400, 20):
        rows = table[start : start + 20]
        as_array = start > 200 if begin == "CSR" else start < 200
        model.partial_fit(rows.toarray() if as_array else rows, y[start : start + 20])
    model.partial_fit(table[:1].toarray(), y[:1])
    if begin == "CSR":
        dense = np.vstack([table.toarray(), table[:1].toarray()])
        expected = np.sqrt(np.square(dense).sum(axis=0) / (dense != 0).sum(axis=0))
        np.testing.assert_allclose(model.input_scaling_.scale, expected)
        np.testing.assert_array_equal(model.input_scaling_.center, 0)
    else:
        rows = np.vstack([table.toarray(), table[:1].toarray()])
        # but for a value that was far beyond all of the first 20 rows
        np.testing.assert_allclose(model.input_scaling_.center, rows.mean(axis=0), rtol=0.01)
    np.testing.assert_allclose(model.predict(table), model.predict(table.toarray()), rtol=1e-9)
    assert model.score(table, y) > 0.2
    assert fastbp.trace_step(model, table[:1], y[0]).units.limit == 3.0


def test_targets_that_float32_does_not_hold_are_refused():
    with pytest.raises(ValueError, match="too large for float32"):
        regressor().fit(X.astype(np.float32), Y * 1e60)


def test_sparse_columns_whose_squares_overflow_are_scaled_by_their_size():
    table = sparse.csr_matrix(np.where(X > np.median(X, axis=0), X, 0) * [1e200, *[1] * 8, 1e-200])
    found = regressor().fit(table, Y).input_scaling_.transform(table)
    assert np.isfinite(found.data).all()
    assert np.abs(found.toarray()).max(axis=0).min() > 0.1


@pytest.mark.parametrize("form", [sparse.csr_matrix, sparse.csc_array, sparse.coo_array])
def test_sparse_forms_of_rows_give_a_model_of_arrays_the_same_numbers(form):
    model, other = regressor().fit(X, Y), regressor().fit(X, Y)
    rows = form(X)
    np.testing.assert_allclose(model.predict(rows), model.predict(X), rtol=1e-9)
    np.testing.assert_allclose(model.sensitivity(rows), model.sensitivity(X), rtol=1e-9)
    model.partial_fit(rows, Y)
    other.partial_fit(X, Y)
    np.testing.assert_allclose(model.predict(X), other.predict(X), rtol=1e-9)
    fits = [regressor().fit(X, Y, X_val=held_out, y_val=Y) for held_out in (X, rows)]
    assert fits[0].validation_loss_curve_ == pytest.approx(fits[1].validation_loss_curve_)


@pytest.mark.parametrize(
    ("n_rows", "n_epochs"), [(3, 200), (150, 200), (1000, 100), (10**5, 12), (10**6, 5), (10**8, 3)]
)
def test_epochs_depend_on_the_number_of_rows(n_rows, n_epochs):
    assert epochs_of_rows(n_rows) == n_epochs


def test_a_linear_model_is_linear():
    rows = np.random.default_rng(0).normal(size=(300, 3))
    y = rows @ [1.0, 2.0, 3.0]
    for model in (
        BackpropRegressor(hidden_layer_sizes=(), random_state=0).fit(rows, y),
        BackpropRegressor(hidden_layer_sizes=()).partial_fit(rows, y).partial_fit(rows, y),
    ):
        near, far = model.predict([[0, 0, 0], [100, 100, 100]])
        middle = model.predict_one([50, 50, 50])
        assert middle == pytest.approx((near + far) / 2)
        assert model.input_scaling_.is_linear
    assert not isinstance(model.to_sklearn(), Pipeline)


def test_one_row_after_a_fit_does_not_undo_it():
    model = BackpropRegressor(random_state=0).fit(X, Y)
    score = model.score(X, Y)
    for k in range(0, 40, 2):
        model.partial_fit(X[k : k + 1], Y[k : k + 1])
    assert model.score(X, Y) > score - 0.05
    assert model.learning_rate_ == 0.01 / 8


@pytest.mark.parametrize("loss", ["absolute_error", "huber", "quantile", "poisson"])
def test_outputs_of_other_sizes_are_learnt_alike(loss):
    y = np.column_stack([Y, Y * 1e6])
    model = BackpropRegressor(random_state=0, loss=loss).fit(X, y)
    first, second = model.predict(X).T
    np.testing.assert_allclose(second, first * 1e6, rtol=0.3)
    assert np.abs(first - Y).mean() < np.abs(Y - np.median(Y)).mean()


def test_a_frame_goes_through_what_scikit_learn_gets():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=list("abcdefghij"))
    model = regressor().fit(frame, Y)
    other = model.to_sklearn()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_allclose(other.predict(frame), model.predict(frame), rtol=1e-9)


def test_an_ensemble_that_diverges_says_not_to_use_it():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        BackpropRegressor(random_state=0, standardize=False, ensemble=2).fit(X * 1e6, Y)
    assert "Do not use this model" in str(caught[-1].message)
    assert {warning.filename for warning in caught} == {__file__}


def test_columns_of_large_numbers_that_differ_are_not_constants():
    rows = np.random.default_rng(0).normal(size=(300, 3))
    model = regressor(max_iter=40).fit(rows + 1e12, rows[:, 0])
    assert np.isfinite(model.input_scaling_.scale).all()
    assert model.score(rows + 1e12, rows[:, 0]) > 0.9


@pytest.mark.parametrize(
    "name", ["hidden_layer_sizes", "learning_rate_init", "max_iter", "early_stopping", "ensemble"]
)
def test_a_wrong_text_is_told_that_there_is_auto(name):
    with pytest.raises(ValueError, match=f'{name} must be "auto", or'):
        BackpropRegressor(**{name: "big"}).fit(X, Y)


def test_what_a_call_and_rows_held_out_by_hand_leave_is_said_as_well():
    model = BackpropRegressor(random_state=0).fit(X, Y)
    assert model.partial_fit(X, Y).convergence_.startswith("The last call was partial_fit")
    model = regressor(n_iter_no_change=np.inf, max_iter=60)
    model.fit(X[:300], Y[:300], X_val=X[300:], y_val=Y[300:])
    best = model._history.validation_epochs[int(np.argmin(model.validation_loss_curve_))]
    assert f"The weights are those of epoch {best}," in model.convergence_


def test_an_ensemble_keeps_the_epoch_of_the_best_score_where_that_decides(monkeypatch):
    model = classifier(ensemble=3, early_stopping=True, max_iter=30).fit(X, LABELS)
    best = model._history.validation_epochs[int(np.argmax(model.validation_scores_))]
    assert best != model._history.validation_epochs[int(np.argmin(model.validation_loss_curve_))]
    shorter = classifier(
        ensemble=3, early_stopping=True, max_iter=best, learning_rate=_cosine_of_30_epochs(best)
    )
    monkeypatch.setattr("fastbp.training.ensemble._BestLook.restore", lambda _: None)
    shorter.fit(X, LABELS)  # which ends there, and keeps its last epoch
    np.testing.assert_allclose(model.predict_proba(X), shorter.predict_proba(X), atol=1e-6)
    assert f"of epoch {best}, which had the best score" in model.convergence_


def _cosine_of_30_epochs(n_epochs):
    return lambda done: 0.5 * (1 + np.cos(np.pi * done * n_epochs / 30))


# -- what is said --------------------------------------------------------------------------------


@pytest.mark.parametrize("ensemble", [1, 3])
@pytest.mark.parametrize("early_stopping", ["auto", False])
def test_verbose_has_one_format_for_one_network_and_for_several(ensemble, early_stopping, capsys):
    model = regressor(ensemble=ensemble, early_stopping=early_stopping, verbose=True).fit(X, Y)
    *lines, last = capsys.readouterr().out.splitlines()
    held_out = r", validation loss = \d\.\d{8}" if early_stopping else ""
    assert len(lines) == (model.n_iter_ if early_stopping or ensemble == 1 else 1)
    for line in lines:
        assert re.fullmatch(rf"Epoch \d+ of 10, loss = \d\.\d{{8}}{held_out}", line)
    assert f"loss = {model.loss_:.8f}" in lines[-1]
    assert last == model.convergence_


def test_a_row_with_names_has_sensitivities():
    frame = pd.DataFrame(X, columns=[f"c{k}" for k in range(10)])
    model = regressor().fit(frame, Y)
    expected = model.sensitivity(frame[3:4])
    for row in (frame.iloc[3], frame.iloc[3].to_dict()):
        np.testing.assert_array_equal(model.sensitivity(row), expected)


def test_whole_weights_are_copies_for_what_is_auto_too():
    weights = np.full(300, 4.0)
    model = BackpropRegressor(random_state=0).fit(X[:300], Y[:300], sample_weight=weights)
    copies = BackpropRegressor(random_state=0).fit(
        np.repeat(X[:300], 4, axis=0), np.repeat(Y[:300], 4)
    )
    assert model._settings == copies._settings


@pytest.mark.parametrize("weight", [0.01, 1.0, 1e9])
def test_large_weights_take_no_more_steps(weight):
    expected = BackpropRegressor(random_state=0, n_iter_no_change=np.inf).fit(X, Y).t_
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = BackpropRegressor(random_state=0, n_iter_no_change=np.inf)
        model.fit(X, Y, sample_weight=np.full(len(X), weight))
    assert model.t_ < 1.4 * expected


def test_a_sparse_matrix_too_large_to_center_says_what_to_do():
    wide = sparse.random(50, 10, 0.2, format="csr", random_state=0)
    model = regressor().fit(X, Y)

    class TooLarge(sparse.csr_matrix):
        def toarray(self, *arguments, **options):
            raise MemoryError

    with pytest.raises(MemoryError, match=r"begun with dense rows.*Pass fewer rows"):
        model.input_scaling_.transform(TooLarge(wide))


def test_a_recording_of_several_networks_says_how_to_record_one():
    with pytest.raises(ValueError, match=r"set_params\(ensemble=1, hidden_layer_sizes=\(64, 64\)"):
        fastbp.record(BackpropRegressor(random_state=0), X, Y)


STREAMS = {
    "numbers": (BackpropRegressor, {}, Y),
    "counts": (BackpropRegressor, {"loss": "poisson"}, np.round(Y)),
    "two outputs": (BackpropRegressor, {}, np.column_stack([Y, -Y])),
    "linear": (BackpropRegressor, {"hidden_layer_sizes": ()}, Y),
    "classes": (BackpropClassifier, {}, LABELS),
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", STREAMS)
def test_single_rows_of_a_stream_are_scaled_like_blocks_of_one(name, dtype, monkeypatch):
    kind, options, y = STREAMS[name]
    table = X.astype(dtype)
    classes = {"classes": np.unique(y)} if kind is BackpropClassifier else {}
    found, expected = (kind(**{**QUICK, **options}) for _ in range(2))
    for model in (found, expected):
        model.partial_fit(table[:20], y[:20], **classes)
    for row in range(20, 60):
        found.partial_fit(table[row : row + 1], y[row : row + 1])
    with monkeypatch.context() as patch:
        patch.setattr("fastbp.estimators.base.try_row", lambda *_: False)
        for row in range(20, 60):
            expected.partial_fit(table[row : row + 1], y[row : row + 1])
    close = {"rtol": 1e-8} if dtype == "float64" else {"rtol": 1e-3}
    np.testing.assert_allclose(found.input_scaling_.scale, expected.input_scaling_.scale, **close)
    if found.target_scaling_ is not None:
        scales = (model.target_scaling_.scale for model in (found, expected))
        np.testing.assert_allclose(*scales, **close)
    np.testing.assert_allclose(found.coefs_[0], expected.coefs_[0], atol=1e-4, **close)
    method = "predict_one" if kind is BackpropRegressor else "predict_proba_one"
    ones = np.array([getattr(found, method)(row) for row in table[:9]])
    of_block = getattr(found, method.removesuffix("_one"))(table[:9])
    np.testing.assert_allclose(ones, of_block, **close)


def test_a_copy_of_a_stream_goes_on_by_itself():
    model = regressor()
    for row in range(50):
        model.partial_fit(X[row : row + 1], Y[row : row + 1])
    other, center = pickle.loads(pickle.dumps(model)), model.input_scaling_.center
    for one in (model, other):
        one.partial_fit(X[50:51], Y[50:51])
    np.testing.assert_array_equal(other.input_scaling_.center, model.input_scaling_.center)
    assert other.predict_one(X[0]) == model.predict_one(X[0])
    other.partial_fit(X[51:52], Y[51:52])
    np.testing.assert_allclose(model.input_scaling_.center, X[:51].mean(axis=0), rtol=1e-12)
    assert (center != model.input_scaling_.center).any()  # what was asked for before stays


@pytest.mark.parametrize("row", [[np.nan] * 10, [1e308] * 10])
def test_a_row_that_is_refused_or_diverges_does_not_count(row):
    model = regressor(max_iter=1).partial_fit(X[:30], Y[:30])
    model.partial_fit(X[30:31], Y[30:31])
    before, y = model.input_scaling_, [np.nan]
    with pytest.raises(ValueError, match="NaN"):
        model.partial_fit(np.array([row]), y)
    np.testing.assert_array_equal(model.input_scaling_.center, before.center)
    np.testing.assert_array_equal(model.input_scaling_.scale, before.scale)


def test_single_rows_after_a_fit_leave_its_units():
    model = regressor().fit(X, Y)
    center, expected = model.input_scaling_.center, model.predict(X[:1])
    assert model.predict_one(X[0]) == pytest.approx(expected[0], rel=1e-12)
    model.partial_fit(X[:1] * 10, Y[:1])
    np.testing.assert_array_equal(model.input_scaling_.center, center)
