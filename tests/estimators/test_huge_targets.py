"""A few huge values among ordinary ones decide neither the units nor the steps of the others."""

import warnings

import numpy as np
import pytest
from sklearn.compose import TransformedTargetRegressor

import fastbp
from fastbp import BackpropRegressor
from fastbp.network.scaling import Moments, scaling_of_columns

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RANDOM = np.random.RandomState(0)
X = RANDOM.normal(size=(1000, 5))
Y = X @ [1, 2, 0, 0, 0.5] + 0.1 * RANDOM.normal(size=1000)
X_LATER = RANDOM.normal(size=(500, 5))
Y_LATER = X_LATER @ [1, 2, 0, 0, 0.5]
HUGE = Y.copy()
HUGE[17] = 1e6
QUICK = {"hidden_layer_sizes": (32,), "max_iter": 30, "random_state": 0}
SAYS = r"y\[17\] is 1e\+06, but half of all targets lie between"


def regressor(**options):
    return BackpropRegressor(**{**QUICK, **options})


# -- fit -------------------------------------------------------------------------------------------


def test_one_huge_target_is_named_and_does_no_harm():
    with pytest.warns(UserWarning, match=SAYS):
        model = regressor().fit(X, HUGE)
    assert model.score(X_LATER, Y_LATER) > 0.98
    assert 1 < model.target_scaling_.scale[0] < 4


@pytest.mark.parametrize("n_rows", [30, 100, 1000])
def test_it_does_none_in_tables_of_any_size(n_rows):
    with pytest.warns(UserWarning, match=SAYS):
        model = regressor().fit(X[:n_rows], HUGE[:n_rows])
    assert model.target_scaling_.scale[0] < 4


@pytest.mark.parametrize("loss", ["absolute_error", "huber", "quantile"])
def test_losses_by_absolute_values_need_no_warning(loss):
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        model = regressor(loss=loss).fit(X, HUGE)
    assert model.score(X_LATER, Y_LATER) > 0.95


def test_one_huge_count_does_no_harm():
    counts = RANDOM.poisson(np.exp(X[:, 0])).astype(float)
    counts[17] = 1e7
    with pytest.warns(UserWarning, match=r"y\[17\] is 1e\+07"):
        model = regressor(loss="poisson").fit(X, counts)
    found = model.predict(X_LATER)
    assert np.corrcoef(np.log(found), X_LATER[:, 0])[0, 1] > 0.9
    assert found.max() < 1000


def test_each_output_is_looked_at():
    with pytest.warns(UserWarning, match=r"y\[17, 1\] is 1e\+06"):
        model = regressor().fit(X, np.column_stack([Y, HUGE]))
    assert (model.target_scaling_.scale < 4).all()


def test_rows_of_weight_0_are_not_warned_of():
    weights = np.ones(1000)
    weights[17] = 0
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        regressor(max_iter=2).fit(X, HUGE, sample_weight=weights)


@pytest.mark.parametrize(
    "draw",
    [
        lambda random, f: f + random.standard_t(3, len(f)),
        lambda random, f: np.exp(1.5 * f + random.normal(size=len(f))),
        lambda random, f: np.where(random.uniform(size=len(f)) < 0.9, 0, np.exp(2 * f)),
    ],
    ids=["t", "lognormal", "mostly 0"],
)
def test_skewed_and_heavy_tailed_targets_stay_as_they_are(draw):
    y = draw(np.random.RandomState(0), X[:, 0])
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        model = regressor(max_iter=2).fit(X, y)
    assert model.target_scaling_.scale[0] == pytest.approx(y.std())


def test_a_huge_value_of_an_input_is_found_in_small_tables_too():
    columns = np.column_stack([X[:40, 0], X[:40, 1]])
    columns[3, 1] = 1e9
    assert (scaling_of_columns(columns).scale < 3).all()


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "poisson"])
@pytest.mark.parametrize("ensemble", [1, 3])
def test_constant_targets_are_met_exactly(loss, ensemble):
    y = np.full(len(X), 42.1)
    model = regressor(loss=loss, ensemble=ensemble).fit(X, y)
    assert set(model.predict(X_LATER)) == {42.1}
    assert not model.sensitivity(X_LATER).any()


def test_what_was_constant_can_be_learnt_later():
    model = regressor().fit(X, np.zeros(len(X)))
    for _ in range(10):
        model.partial_fit(X, Y / 10)
    assert model.score(X_LATER, Y_LATER / 10) > 0.9


# -- streams ---------------------------------------------------------------------------------------


def stream_of(X, y, n_at_a_time, model=None):
    model = model or regressor(shuffle=False)
    for k in range(0, len(X), n_at_a_time):
        model.partial_fit(X[k : k + n_at_a_time], y[k : k + n_at_a_time])
    return model


@pytest.mark.parametrize("n_at_a_time", [1, 100, 1000])
@pytest.mark.parametrize("where", [17, 900])
def test_one_huge_target_does_a_stream_no_harm(n_at_a_time, where):
    y = Y.copy()
    y[where] = -1e6
    model = stream_of(X, y, n_at_a_time)
    expected = stream_of(X, Y, n_at_a_time).score(X_LATER, Y_LATER)
    assert model.target_scaling_.scale[0] < 4
    assert model.score(X_LATER, Y_LATER) > expected - 0.1


@pytest.mark.parametrize("n_at_a_time", [1, 100])
def test_one_huge_target_after_a_fit_does_no_harm(n_at_a_time):
    model = stream_of(X, HUGE, n_at_a_time, regressor(shuffle=False).fit(X, Y))
    assert model.score(X_LATER, Y_LATER) > 0.95


@pytest.mark.parametrize("n_at_a_time", [1, 100])
def test_one_huge_value_of_an_input_does_a_stream_no_harm(n_at_a_time):
    rows = X.copy()
    rows[500, 1] = 1e9
    model = stream_of(rows, Y, n_at_a_time)
    assert model.input_scaling_.scale[1] < 2
    assert model.score(X_LATER, Y_LATER) > 0.9


@pytest.mark.parametrize("n_outputs", [1, 2])
def test_a_trace_of_a_huge_target_is_the_step_of_partial_fit(n_outputs):
    y = Y if n_outputs == 1 else np.column_stack([Y, -Y])
    model = stream_of(X, y, 1)
    row, target = X_LATER[:1], np.full((1, 2), 1e6)[:, :n_outputs]
    trace = fastbp.trace_step(model, row[0], target[0])
    model.partial_fit(row, target if n_outputs > 1 else target[0])
    for layer, W in zip(trace.layers, model.coefs_, strict=True):
        np.testing.assert_allclose(layer.new_W, W, rtol=1e-12)
    assert np.abs(trace.y).max() < 20
    assert "so far off that it is taken as" in str(trace)


def test_a_stream_follows_targets_that_move_to_another_level():
    model = stream_of(X, Y, 1)
    for _ in range(5):
        stream_of(X, Y + 1000, 1, model)
    assert abs(np.median(model.predict(X_LATER) - Y_LATER) - 1000) < 100


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_row_far_from_all_others_counts_as_less_far(dtype):
    moments = Moments.of_nothing(2).updated(X[:100, :2])
    row = np.array([0.5, 1e6], dtype)
    found, deviation = moments.with_row(row), moments.deviation()
    expected = moments.with_row(np.array([0.5, moments.mean[1] + 20 * deviation[1]], np.float64))
    np.testing.assert_array_equal(found.mean, expected.mean)
    np.testing.assert_array_equal(found.squares, expected.squares)
    assert found.high[1] < 30
    assert row[1] == dtype(1e6)  # as it was


def test_a_value_within_those_before_counts_as_it_is():
    values = np.concatenate([np.zeros(1000), [100.0]])[:, np.newaxis]
    moments = Moments.of_nothing(1).updated(values)
    found = moments.with_row(np.array([100.0]))
    np.testing.assert_allclose(found.mean, 200 / 1002)


def test_many_far_values_of_a_call_are_no_exception():
    moments = Moments.of_nothing(1).updated(X[:, :1])
    found = moments.updated_by_call(X[:500, :1] + 1000)
    np.testing.assert_allclose(found.mean, np.concatenate([X[:, 0], X[:500, 0] + 1000]).mean())


# -- skewed targets --------------------------------------------------------------------------------


def test_the_logarithm_of_skewed_targets_helps_where_relative_errors_matter():
    y = np.exp(3 + 2 * X[:, 0] + X[:, 1])
    model = regressor()
    logarithm = TransformedTargetRegressor(model, func=np.log1p, inverse_func=np.expm1)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        plain, other = (
            np.median(abs(one.fit(X[:700], y[:700]).predict(X[700:]) / y[700:] - 1))
            for one in (model, logarithm)
        )
    assert other < 0.3 * plain
    assert model.target_scaling_.center[0] == pytest.approx(y[:700].mean())  # nothing is done
