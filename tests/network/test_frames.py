"""Frames and series of pandas, polars and pyarrow: read as arrays, or refused by the column."""

import datetime
import decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from cases import parameters_of
from plain_models import BackpropClassifier, BackpropRegressor
from scipy.sparse import coo_array, csr_array
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fastbp
from fastbp import Network, measured, plot
from fastbp.network import frames

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RANDOM = np.random.default_rng(0)
N = 40
NAMES = ["age", "height", "income"]
X = RANDOM.normal(size=(N, 3))
Y = X[:, 0] - X[:, 1] * X[:, 2]
SMALL = {"hidden_layer_sizes": (5,), "max_iter": 3, "random_state": 0}

FRAMES = {
    "pandas": lambda columns: pd.DataFrame(columns),
    "nullable": lambda columns: pd.DataFrame(columns).convert_dtypes(),
    "arrow-backed": lambda columns: pd.DataFrame(columns).convert_dtypes(dtype_backend="pyarrow"),
    "polars": pl.DataFrame,
    "pyarrow": pa.table,
}
SERIES = {
    "pandas": pd.Series,
    "objects": lambda values: pd.Series(values, dtype=object),
    "nullable": lambda values: pd.Series(values).convert_dtypes(),
    "arrow-backed": lambda values: pd.Series(values).convert_dtypes(dtype_backend="pyarrow"),
    "categories": lambda values: pd.Series(values).astype("category"),
    "polars": pl.Series,
    "pyarrow": lambda values: pa.chunked_array([values]),
    "dictionary": lambda values: pa.chunked_array([pa.array(values).dictionary_encode()]),
}
ANY_FRAME = pytest.mark.parametrize("library", FRAMES)
ANY_SERIES = pytest.mark.parametrize("kind", SERIES)


def columns(**changed):
    return {**{name: X[:, i].tolist() for i, name in enumerate(NAMES)}, **changed}


def fitted(frame, y=Y, **parameters):
    return BackpropRegressor(**{**SMALL, **parameters}).fit(frame, y)


# -- X -------------------------------------------------------------------------------------------


@ANY_FRAME
def test_a_frame_is_learnt_as_the_array_that_it_holds(library):
    frame, model = FRAMES[library](columns()), fitted(X)
    of_frame = fitted(frame)
    assert of_frame.feature_names_in_.tolist() == NAMES
    for one, other in zip(
        parameters_of(model.network_), parameters_of(of_frame.network_), strict=True
    ):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(of_frame.predict(frame), model.predict(X))
    np.testing.assert_array_equal(of_frame.sensitivity(frame), model.sensitivity(X))
    of_frame.partial_fit(frame, Y)
    np.testing.assert_array_equal(of_frame.predict(frame), model.partial_fit(X, Y).predict(X))


@ANY_FRAME
def test_whole_numbers_and_bools_are_numbers(library):
    counts, flags = np.arange(N), np.arange(N) % 2 == 0
    mixed = columns(height=counts.tolist(), income=flags.tolist())
    array = np.column_stack([X[:, 0], counts / 1.0, flags])
    model = fitted(FRAMES[library](mixed))
    expected = fitted(array).predict(array)
    np.testing.assert_array_equal(model.predict(FRAMES[library](mixed)), expected)


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_a_frame_of_float32_makes_a_model_of_float32(library):
    halves = {name: X[:, i].astype(np.float32) for i, name in enumerate(NAMES)}
    model = fitted(FRAMES[library](halves))
    assert model.network_.dtype == np.float32
    expected = fitted(X.astype(np.float32)).predict(X.astype(np.float32))
    np.testing.assert_array_equal(model.predict(FRAMES[library](halves)), expected)


def test_categories_and_decimals_that_are_numbers():
    counts = np.arange(N) % 4
    array = np.column_stack([X[:, 0], counts, X[:, 2]])
    expected = fitted(array)
    exact = [decimal.Decimal(int(count)) for count in counts]
    for frame in (
        pd.DataFrame(columns(height=pd.Categorical(counts))),
        pa.table(columns(height=pa.array(counts).dictionary_encode())),
        pl.DataFrame(columns(height=exact)),
        pl.DataFrame(columns(height=counts), schema_overrides={"height": pl.Int128}),
    ):
        model = fitted(frame)
        for one, other in zip(
            parameters_of(expected.network_), parameters_of(model.network_), strict=True
        ):
            np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(model.predict(frame[:5]), expected.predict(array[:5]))


DATES = [datetime.date(2020, 1, 1 + i % 28) for i in range(N)]
MOMENTS = [datetime.datetime(2020, 1, 1 + i % 28) for i in range(N)]
BAD_COLUMNS = {
    "text": (["red"] * N, "column 'height' holds text, 'red' in row 0. .*OneHotEncoder"),
    "text further down": (["1"] * 5 + ["x"] * (N - 5), "'height' holds text, 'x' in row 5"),
    "dates": (DATES, "'height' holds dates or durations. .*days since a date"),
    "moments": (MOMENTS, "'height' holds dates or durations"),
    "durations": ([datetime.timedelta(1)] * N, "'height' holds dates or durations"),
    "times": ([datetime.time(1)] * N, "'height' holds dates or durations"),
    "lists": ([[1, 2]] * N, "'height' holds values of type"),
    "a gap": ([1.0] * 7 + [None] + [1.0] * (N - 8), "nan in column 'height', row 7"),
    "a gap among counts": ([1] * 7 + [None] + [1] * (N - 8), "nan in column 'height', row 7"),
    "a gap among bools": ([True] * 7 + [None] * (N - 7), "nan in column 'height', row 7"),
    "infinity": ([np.inf] * N, "inf in column 'height', row 0"),
}


@ANY_FRAME
@pytest.mark.parametrize("name", BAD_COLUMNS)
def test_a_column_that_holds_no_numbers_is_named(library, name):
    values, message = BAD_COLUMNS[name]
    bad = FRAMES[library](columns(height=values))
    with pytest.raises(ValueError, match=message):
        fitted(bad)
    model = fitted(FRAMES[library](columns()))
    for call in (model.predict, model.sensitivity, lambda X: model.partial_fit(X, Y)):
        with pytest.raises(ValueError, match=message):
            call(bad)
    message = message.replace("row 7", "row 0").replace("row 5", "row 0")
    for call in (model.predict_one, lambda x: fastbp.trace_step(model, x, Y[0])):
        with pytest.raises(ValueError, match=message):
            call(bad[7:8])


@ANY_FRAME
def test_columns_of_rows_held_out_are_named(library):
    for name in ("text", "dates", "a gap"):
        values, message = BAD_COLUMNS[name]
        bad = FRAMES[library](columns(height=values))
        with pytest.raises(ValueError, match=f"X_val .*{message}"):
            BackpropRegressor(**SMALL).fit(FRAMES[library](columns()), Y, X_val=bad, y_val=Y)


@ANY_FRAME
def test_columns_of_rows_held_out_in_other_units_are_named(library):
    held_out = FRAMES[library](columns(height=(1000 * X[:, 1]).tolist()))
    with pytest.warns(UserWarning, match="X_val lies far outside .*: column 'height' goes from"):
        BackpropRegressor(**SMALL).fit(FRAMES[library](columns()), Y, X_val=held_out, y_val=Y)


def test_rows_held_out_in_sparse_columns():
    sparse = pd.DataFrame(columns()).astype(pd.SparseDtype("float", 0.0))
    model = BackpropRegressor(**SMALL).fit(pd.DataFrame(columns()), Y, X_val=sparse, y_val=Y)
    of_array = BackpropRegressor(**SMALL).fit(X, Y, X_val=X, y_val=Y)
    np.testing.assert_allclose(model.validation_loss_curve_, of_array.validation_loss_curve_)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (pd.Categorical(["a", "b"] * (N // 2)), "'height' holds text, 'a' in row 0"),
        (pd.period_range("2020", periods=N, freq="D"), "'height' holds values of type Period"),
        (pd.Series([pd.NA] + [1] * (N - 1), dtype=object), "nan in column 'height', row 0"),
        (pd.date_range("2020", periods=N, tz="UTC"), "'height' holds dates"),
        (np.full(N, 1j), "Complex data not supported: column 'height'"),
    ],
)
def test_columns_that_only_pandas_has(values, message):
    with pytest.raises(ValueError, match=message):
        fitted(pd.DataFrame(columns(height=values)))


def test_gaps_among_categories_of_pyarrow_are_gaps():
    holed = pa.array([None, *range(N - 1)]).dictionary_encode()
    with pytest.raises(ValueError, match="nan in column 'height', row 0"):
        fitted(pa.table(columns(height=holed)))
    with pytest.raises(ValueError, match=r"y has NaN or infinity: y\[0\] is nan"):
        fitted(X, pa.chunked_array([holed]))


def test_columns_in_another_order_are_refused_by_every_library():
    for make in FRAMES.values():
        model = fitted(make(columns()))
        turned = make({name: columns()[name] for name in reversed(NAMES)})
        for call in (model.predict, model.sensitivity, lambda X, m=model: m.partial_fit(X, Y)):
            with pytest.raises(ValueError, match="must be in the same order as they were in fit"):
                call(turned)


def test_frames_of_one_library_predict_with_a_model_fitted_on_another():
    model = fitted(pd.DataFrame(columns()))
    for make in FRAMES.values():
        np.testing.assert_array_equal(
            model.predict(make(columns())), model.predict(pl.DataFrame(columns()))
        )


def test_what_a_transformer_hands_on_as_polars():
    scaler = StandardScaler().set_output(transform="polars")
    model = make_pipeline(scaler, BackpropRegressor(**SMALL)).fit(pl.DataFrame(columns()), Y)
    scaled = scaler.transform(pl.DataFrame(columns())).to_numpy()
    expected = fitted(scaled).predict(scaled)
    np.testing.assert_array_equal(model.predict(pl.DataFrame(columns())), expected)


def test_lazy_frames_are_to_be_collected_first():
    with pytest.raises(TypeError, match=r"lazy frame .LazyFrame. has no values yet.*collect"):
        fitted(pl.LazyFrame(columns()))


@pytest.mark.parametrize("form", [coo_array, csr_array])
def test_sparse_vectors_are_no_rows(form):
    vector, model = form(X[0]), fitted(X)
    for call in (
        lambda: fitted(vector),
        lambda: model.predict(vector),
        lambda: model.predict_one(vector),
    ):
        with pytest.raises(
            ValueError, match=r"Expected 2D input, got input with shape|two dimensions"
        ):
            call()


# -- y -------------------------------------------------------------------------------------------


@ANY_SERIES
def test_targets_of_any_library(kind):
    model = fitted(X, SERIES[kind](Y.tolist()))
    np.testing.assert_array_equal(model.predict(X), fitted(X).predict(X))


LABELS = {
    "text": ["a", "b"] * (N // 2),
    "whole numbers": [3, 5] * (N // 2),
    "bools": [True, False] * (N // 2),
}


@ANY_SERIES
@pytest.mark.parametrize("name", LABELS)
def test_labels_of_any_library_stay_what_they_are(kind, name):
    labels = LABELS[name]
    model = BackpropClassifier(**SMALL).fit(X, SERIES[kind](labels))
    assert model.classes_.tolist() == sorted(set(labels))
    assert [type(label) for label in model.classes_.tolist()] == [type(labels[0])] * 2
    expected = BackpropClassifier(**SMALL).fit(X, labels)
    np.testing.assert_array_equal(model.predict_proba(X), expected.predict_proba(X))
    model.partial_fit(X, SERIES[kind](labels))
    np.testing.assert_array_equal(
        model.predict_proba(X), expected.partial_fit(X, labels).predict_proba(X)
    )


@ANY_SERIES
@pytest.mark.parametrize("name", LABELS)
def test_gaps_among_labels_are_refused(kind, name):
    holed = [*LABELS[name][:6], None, *LABELS[name][7:]]
    with pytest.raises(ValueError, match=r"y has a gap: y\[6\] is"):
        BackpropClassifier(**SMALL).fit(X, SERIES[kind](holed))


@ANY_SERIES
def test_gaps_among_targets_are_refused(kind):
    with pytest.raises(ValueError, match=r"y has NaN or infinity: y\[6\] is nan"):
        fitted(X, SERIES[kind]([*Y[:6].tolist(), None, *Y[7:].tolist()]))


@ANY_FRAME
def test_several_targets_in_a_frame(library):
    two = np.column_stack([Y, -Y])
    model = fitted(X, FRAMES[library]({"a": Y, "b": -Y}))
    np.testing.assert_array_equal(model.predict(X), fitted(X, two).predict(X))


@ANY_FRAME
def test_scores_on_frames(library):
    frame, y = FRAMES[library](columns()), {"pyarrow": pa.array, "polars": pl.Series}
    y = y.get(library, pd.Series)(Y.tolist())
    assert fitted(frame, Y).score(frame, y) == fitted(X).score(X, Y)


@ANY_SERIES
def test_sample_weights_of_any_library(kind):
    weights = (1 + np.arange(N) % 3).tolist()
    model = BackpropRegressor(**SMALL).fit(X, Y, SERIES[kind](weights))
    expected = BackpropRegressor(**SMALL).fit(X, Y, weights)
    np.testing.assert_array_equal(model.predict(X), expected.predict(X))


# -- what looks at models ------------------------------------------------------------------------


@ANY_FRAME
def test_frames_where_models_are_looked_at(library):
    frame, model = FRAMES[library](columns()), fitted(X)
    of_frame = fitted(frame)
    trace = fastbp.trace_step(of_frame, frame[:1], Y[0])
    assert trace.names.features == tuple(NAMES)
    np.testing.assert_array_equal(trace.x, X[0])
    slopes = fastbp.sensitivity_of_loss(of_frame, frame, Y)
    assert slopes.loss == fastbp.sensitivity_of_loss(model, X, Y).loss
    prices = FRAMES[library]({"price": Y, "rent": -Y})
    recording = fastbp.record(BackpropRegressor(**SMALL), frame, prices)
    assert recording.names.features == tuple(NAMES)
    assert recording.names.outputs == ("price", "rent")
    display = plot.SensitivityDisplay.from_estimator(of_frame, frame)
    assert display.feature_names == NAMES


@ANY_FRAME
def test_a_network_takes_frames_of_numbers(library):
    network, frame = Network((3, 4, 1), random_state=0), FRAMES[library](columns())
    np.testing.assert_array_equal(network.forward(frame), network.forward(X))
    assert network.loss(frame, FRAMES[library]({"y": Y})) == network.loss(X, Y)
    with pytest.raises(ValueError, match="column 'height' holds dates"):
        network.forward(FRAMES[library](columns(height=DATES)))
    with pytest.raises(ValueError, match="column 'height' holds text, 'a' in row 0"):
        network.forward(FRAMES[library](columns(height=["a"] * N)))


def test_a_tuner_reads_series_by_name():
    def tuner(target):
        stages = [
            measured.Stage("a", lambda k: k, measured.Knob("k", 0, 9)),
            measured.Stage("b", lambda j: j, measured.Knob("j", 0, 9), upstream=()),
        ]
        return measured.ChainTuner(stages, target)

    turned = pd.Series({"b": 2.0, "a": 1.0})
    expected = tuner({"a": 1.0, "b": 2.0}).tune(50)
    assert tuner(turned).tune(50).settings == expected.settings
    one = tuner({"a": 1.0, "b": 2.0})
    one.ask()
    assert one.tell(turned).values == {"a": 1.0, "b": 2.0}


# -- without narwhals ----------------------------------------------------------------------------


@pytest.fixture
def no_narwhals(monkeypatch):
    monkeypatch.setattr(frames, "_narwhals", lambda: None)


@pytest.mark.usefixtures("no_narwhals")
def test_without_narwhals_polars_is_what_numpy_makes_of_it():
    frame = pl.DataFrame(columns())
    model = fitted(frame, pl.Series(Y))
    np.testing.assert_array_equal(model.predict(frame), fitted(X).predict(X))


@pytest.mark.usefixtures("no_narwhals")
def test_without_narwhals_columns_of_pandas_are_named():
    for name in ("text", "dates", "a gap"):
        values, message = BAD_COLUMNS[name]
        with pytest.raises(ValueError, match=message):
            fitted(pd.DataFrame(columns(height=values)))
