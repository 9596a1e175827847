"""Models in files: the same come back, to the bit, and go on as the others; the rest is refused."""

import contextlib
import json
import os
import subprocess
import sys
import threading
import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.exceptions import NotFittedError
from sklearn.preprocessing import StandardScaler

import fastbp
from fastbp import BackpropClassifier, BackpropRegressor, Network
from fastbp.io.models import KINDS, model_of, tree_of
from fastbp.io.tree import pack, unpack
from fastbp.network.tables import HIDDEN_ACTIVATIONS, LOSSES
from fastbp.neural_network import MLPRegressor
from fastbp.online import OnlineClassifier, OnlineRegressor

LIMIT = settings(max_examples=30, deadline=None)
RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))
NUMBERS = X @ [1.0, -2.0, 0.5]
CLASSES = (X[:, 0] > 0).astype(int) + (X[:, 1] > 1)
SMALL = {"hidden_layer_sizes": (4,), "ensemble": 1, "max_iter": 4, "random_state": 0}
GAPPY = np.where(RNG.random(X.shape) < 0.2, np.nan, X)
SPARSE = scipy.sparse.csr_array(np.where(X > 0.5, X, 0))
DATES = np.array(["2020-01-01", "2021-05-03", "2022-07-01"], "M8[D]")


def round_trip(model):
    return model_of(unpack(pack(tree_of(model))))


def content(model):
    """All of a model: as it would be written."""
    return bytes(pack(tree_of(model)))


def classifier(labels=("a", "b", "c"), X=X, **options):
    return BackpropClassifier(**{**SMALL, **options}).fit(X, np.array(labels)[CLASSES])


def regressor(X=X, y=NUMBERS, **options):
    return BackpropRegressor(**{**SMALL, **options}).fit(X, y)


FRAME = pd.DataFrame(X, columns=["a", "size (cm)", "\N{EURO SIGN}"])
ESTIMATORS = {
    "text labels": lambda: (classifier(), X, np.array(["a", "b", "c"])[CLASSES]),
    "object labels": lambda: (
        classifier(np.array(["a", "b", "c"], object)), X, np.array(["a", "b", "c"])[CLASSES]
    ),
    "texts of NumPy": lambda: (
        classifier(np.array([np.str_("a"), "b", "c"], object)),
        X, np.array(["a", "b", "c"])[CLASSES],
    ),
    "dates": lambda: (classifier(DATES), X, DATES[CLASSES]),
    "float labels": lambda: (classifier((5.0, 1.0, -3.0)), X, np.array([5.0, 1.0, -3])[CLASSES]),
    "two classes": lambda: (classifier((False, True, True)), X, CLASSES > 0),
    "several labels": lambda: (
        BackpropClassifier(**SMALL).fit(X, np.array([X[:, 0] > 0, X[:, 1] > 0]).T.astype(int)),
        X, np.array([X[:, 0] > 0, X[:, 1] > 0]).T.astype(int),
    ),
    "class weights": lambda: (classifier((0, 1, 2), class_weight={0: 2.0, 2: 0.5}), X, CLASSES),
    "an ensemble": lambda: (
        classifier((0, 1, 2), ensemble=3, hidden_layer_sizes="auto", early_stopping=True),
        X, CLASSES,
    ),
    "one network of some": lambda: (classifier((0, 1, 2), n_init=3), X, CLASSES),
    "float32": lambda: (regressor(X.astype(np.float32)), X.astype(np.float32), NUMBERS),
    "names": lambda: (regressor(FRAME), FRAME, NUMBERS),
    "several targets": lambda: (
        regressor(y=np.array([NUMBERS, -NUMBERS]).T), X, np.array([NUMBERS, -NUMBERS]).T
    ),
    "a CSR matrix": lambda: (regressor(SPARSE, momentum=0.5), SPARSE, NUMBERS),
    "gaps": lambda: (regressor(GAPPY, missing="indicator"), GAPPY, NUMBERS),
    "raw units": lambda: (
        regressor(standardize=False, learning_rate_init=0.01, solver="adam"), X, NUMBERS
    ),
    "dropout": lambda: (regressor(dropout=0.3), X, NUMBERS),
    "a huge target": lambda: (
        regressor(y=np.where(np.arange(60) == 3, 1e6, NUMBERS)), X, NUMBERS
    ),
    "quantile": lambda: (regressor(loss="quantile", quantile=0.9), X, NUMBERS),
    "counts": lambda: (regressor(y=np.exp(NUMBERS), loss="poisson"), X, np.exp(NUMBERS)),
    "schedule": lambda: (
        regressor(learning_rate="one_cycle", learning_rate_options={"pct_start": 0.5}), X, NUMBERS
    ),
    "adaptive": lambda: (regressor(learning_rate="adaptive", tol=0.1, max_iter=90), X, NUMBERS),
    "a generator": lambda: (
        regressor(random_state=np.random.RandomState(5)), X, NUMBERS
    ),
    "partial_fit": lambda: (
        BackpropRegressor(**SMALL).partial_fit(X, NUMBERS), X, NUMBERS
    ),
    "partial_fit of rows": lambda: (
        stream(BackpropRegressor(**SMALL, loss="huber"), NUMBERS), X, NUMBERS
    ),
    "partial_fit of float32": lambda: (
        BackpropRegressor(**SMALL).partial_fit(X.astype(np.float32), NUMBERS),
        X.astype(np.float32), NUMBERS,
    ),
    "partial_fit of gaps": lambda: (
        BackpropRegressor(**SMALL, missing="indicator").partial_fit(GAPPY, NUMBERS), GAPPY, NUMBERS
    ),
    "partial_fit of classes": lambda: (
        BackpropClassifier(**SMALL).partial_fit(X, CLASSES, classes=[0, 1, 2]), X, CLASSES
    ),
    "partial_fit of a CSR matrix": lambda: (
        BackpropRegressor(**SMALL, loss="poisson").partial_fit(SPARSE, np.exp(NUMBERS)),
        SPARSE, np.exp(NUMBERS),
    ),
    "fit_stream": lambda: (
        BackpropRegressor(**SMALL).fit_stream([(X, NUMBERS)] * 2), X, NUMBERS
    ),
}  # fmt: skip


def stream(model, y):
    for row, target in zip(X, y, strict=True):
        model.partial_fit(row[np.newaxis], [target])
    return model


@pytest.fixture
def quiet():
    """What these short trainings warn of is of no interest here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.mark.parametrize("name", ESTIMATORS)
def test_an_estimator_comes_back_and_goes_on_to_the_same_bits(name, quiet):
    model, X, y = ESTIMATORS[name]()
    loaded = round_trip(model)
    assert type(loaded) is type(model)
    assert content(loaded) == content(model)
    missing = set(vars(model)) - set(vars(loaded))
    assert missing <= {"_prepared"}  # what a call has checked
    for one in (model, loaded):
        one.set_params(warm_start=True, max_iter=2, early_stopping=False)
    for method in ("partial_fit", "fit", "partial_fit"):
        for one in (model, loaded):
            getattr(one, method)(X, y)
        np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
        assert content_without_times(loaded) == content_without_times(model)
    assert loaded.convergence_ == model.convergence_


def content_without_times(model):
    tree = tree_of(model)
    tree["fitted"]["history"]["seconds"] = None
    return bytes(pack(tree))


@pytest.mark.parametrize("name", ESTIMATORS)
def test_the_network_of_a_file_predicts_as_the_estimator(name, quiet, tmp_path):
    model, X, _ = ESTIMATORS[name]()
    network = Network.load(model.save(tmp_path / "model.fbp"))
    rows = X.toarray() if hasattr(X, "toarray") else np.asarray(X)
    np.testing.assert_array_equal(network.predict(rows), model.predict(X))
    np.testing.assert_array_equal(network.predict(rows[0]), model.predict(X[:1])[0])
    if hasattr(model, "classes_"):
        np.testing.assert_array_equal(network.predict_proba(rows), model.predict_proba(X))
    for other in (round_trip(network), network.copy()):
        np.testing.assert_array_equal(other.predict(rows), model.predict(X))
    names = getattr(model, "feature_names_in_", None)
    assert network.feature_names == (None if names is None else tuple(names))
    if names is not None:
        row = dict(zip(reversed(names), rows[0, ::-1], strict=True))
        np.testing.assert_array_equal(network.predict(row), model.predict(X[:1])[0])


def test_the_network_of_a_file_says_what_it_cannot_predict(tmp_path):
    network = Network.load(regressor().save(tmp_path / "model.fbp"))
    with pytest.raises(ValueError, match="rows of 3 values; got an array of shape"):
        network.predict(np.ones((2, 4)))
    with pytest.raises(ValueError, match="x must have the names"):
        network.predict({"a": 1})
    with pytest.raises(ValueError, match="NaN"):
        network.predict([np.nan, 1, 2])
    with pytest.raises(AttributeError, match="was not trained on classes"):
        network.predict_proba(X)


def test_the_fit_that_is_shared_with_a_generator_goes_on_sharing_it():
    model = regressor(random_state=np.random.RandomState(5))
    loaded = round_trip(model)
    assert loaded.random_state is loaded._random_state
    for one in (model, loaded):
        one.fit(X, NUMBERS)
    assert content_without_times(loaded) == content_without_times(model)


# -- networks, models of streams, recordings -------------------------------------------------------


@LIMIT
@given(
    st.lists(st.integers(1, 6), min_size=2, max_size=4),
    st.sampled_from(["float32", "float64"]),
    st.sampled_from([loss for loss in LOSSES if loss != "log_loss"]),
    st.sampled_from(HIDDEN_ACTIVATIONS),
    st.sampled_from(["sgd", "adam", "adagrad", "rmsprop", "adamw"]),
    st.sampled_from([0.0, 0.5]),
)
def test_a_network_comes_back_and_goes_on(sizes, dtype, loss, activation, solver, dropout):
    network = Network(sizes, dtype=dtype, loss=loss, activation=activation, random_state=0)
    rows, targets = X[:5, [0] * sizes[0]], np.abs(X[:5, [1] * sizes[-1]])
    options = {"learning_rate": 0.01, "solver": solver}
    options["dropout"] = dropout if len(sizes) > 2 else 0.0
    network.train_epoch(rows, targets, **options)
    loaded = round_trip(network)
    for one in (network, loaded):
        one.train_epoch(rows, targets, **options)
    assert content(loaded) == content(network)


ROWS = [
    {"length": float(row[0]), "color": "red" if row[1] > 0 else "blue", 7: float(row[2])}
    for row in X
]
STREAMS = {
    "classes": lambda: (OnlineClassifier(random_state=0), [f"class {n}" for n in CLASSES]),
    "numbers as labels": lambda: (OnlineClassifier(max_classes=5), CLASSES.tolist()),
    "numbers": lambda: (OnlineRegressor(random_state=0), NUMBERS.tolist()),
    "several targets": lambda: (
        OnlineRegressor((3, 2), loss="squared_error"),
        [{"u": float(n), "v": 1.0} for n in NUMBERS],
    ),
    "a list of targets": lambda: (OnlineRegressor(), [[float(n), 1.0] for n in NUMBERS]),
    "counts": lambda: (OnlineRegressor(loss="poisson"), np.exp(NUMBERS).tolist()),
    "one network": lambda: (OnlineRegressor(solver="sgd", replay=3), NUMBERS.tolist()),
    "hashed": lambda: (OnlineClassifier(hashed_features=32), CLASSES.tolist()),
    "few names": lambda: (OnlineClassifier(max_features=3, buffer="both"), CLASSES.tolist()),
}


@pytest.mark.parametrize("n_rows", [0, 40])
@pytest.mark.parametrize("name", STREAMS)
def test_a_model_of_a_stream_comes_back_and_goes_on(name, n_rows, tmp_path):
    model, targets = STREAMS[name]()
    if not n_rows and model.random_state is None:
        model.set_params(random_state=0)
    for row, target in zip(ROWS[:n_rows], targets, strict=False):
        model.learn_one(row, target)
    loaded = fastbp.load(model.save(tmp_path / "stream.fbp"))
    assert loaded.get_params() == model.get_params()
    for row, target in zip(ROWS, targets, strict=True):
        np.testing.assert_equal(loaded.predict_one(row), model.predict_one(row))
        for one in (loaded, model):
            one.learn_one(row, target)
    assert content(loaded) == content(model)
    assert isinstance(Network.load(model.save(tmp_path / "stream.fbp")), Network)


def test_a_stream_that_has_forgotten_names_goes_on():
    model = OnlineRegressor(max_features=4, random_state=0)
    for i in range(30):
        model.learn_one({f"x{i}": 1.0, "text": f"t{i % 3}"}, float(i))
    loaded = round_trip(model)
    for i in range(20, 60):
        for one in (model, loaded):
            one.learn_one({f"x{i}": 1.0, "text": f"t{i % 4}"}, float(i))
    assert content(loaded) == content(model)


@pytest.mark.parametrize(
    "make",
    [
        lambda: (BackpropClassifier(**SMALL), np.array(["a", "b", "c"])[CLASSES], {}),
        lambda: (BackpropRegressor(**{**SMALL, "batch_size": 7}), NUMBERS, {}),
        lambda: (Network((3, 4, 1), random_state=0), NUMBERS, {"learning_rate": 0.1, "epochs": 3}),
    ],
)
def test_a_recording_comes_back(make, tmp_path):
    model, y, options = make()
    recording = fastbp.record(model, X, y, max_snapshots=8, **options)
    loaded = fastbp.load(recording.save(tmp_path / "recording.fbp"))
    assert loaded.to_dict() == recording.to_dict()
    assert loaded.to_html() == recording.to_html()
    np.testing.assert_equal(loaded.trace(1).to_dict(), recording.trace(1).to_dict())
    network = Network.load(tmp_path / "recording.fbp")
    np.testing.assert_array_equal(network.weights[0], recording.weights(-1)[0])


def test_a_recording_of_a_stream_comes_back():
    rows = list(zip(ROWS[:9], map(str, CLASSES), strict=False))
    recording = fastbp.record_stream(OnlineClassifier(random_state=0), rows)
    assert round_trip(recording).to_dict() == recording.to_dict()


# -- files -----------------------------------------------------------------------------------------


def test_save_and_load_take_any_path_and_return_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = regressor()
    for path in ("model.fbp", tmp_path / "\N{EURO SIGN} model.fbp", b"bytes.fbp"):
        written = fastbp.save(model, path)
        assert written == type(written)(os.fsdecode(path))
        assert content(fastbp.load(path)) == content(model)
    assert {name for name in os.listdir() if name.startswith(".")} == set()


def test_other_libraries_read_the_arrays(tmp_path):
    numpy_of_safetensors = pytest.importorskip("safetensors.numpy")
    model = classifier()
    arrays = numpy_of_safetensors.load_file(model.save(tmp_path / "model.fbp"))
    np.testing.assert_array_equal(arrays["fitted.network.weights.0"], model.coefs_[0])
    np.testing.assert_array_equal(arrays["fitted.network.biases.1"], model.intercepts_[1])


PROGRAM = """
import sys, fastbp
network = fastbp.Network.load(sys.argv[1])
print(network.predict([1.0, 2.0, 3.0]))
heavy = {"sklearn", "scipy", "pandas", "joblib", "skops"} & set(sys.modules)
assert not heavy, heavy
if sys.argv[2] == "stream":
    fastbp.load(sys.argv[1])
    heavy = {"sklearn", "scipy", "pandas", "joblib", "skops"} & set(sys.modules)
    assert not heavy, heavy
"""


def test_a_network_is_loaded_without_scikit_learn(tmp_path):
    model = classifier()
    path = model.save(tmp_path / "model.fbp")
    command = [sys.executable, "-c", PROGRAM, str(path), "estimator"]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == model.predict([[1.0, 2.0, 3.0]])[0]


def test_a_model_of_a_stream_is_loaded_without_scikit_learn(tmp_path):
    model = OnlineRegressor().learn_one([1.0, 2.0, 3.0], 1.0)
    program = PROGRAM.replace("predict(", "forward(")
    command = [sys.executable, "-c", program, str(model.save(tmp_path / "m.fbp")), "stream"]
    subprocess.run(command, capture_output=True, text=True, check=True)


class Own(BackpropRegressor):
    pass


def rate(share):
    return 1 - 0.5 * share


def watched():
    from river.drift import ADWIN

    return OnlineRegressor(drift_detector=ADWIN()).learn_one({"a": 1.0}, 1.0)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: BackpropRegressor(), NotFittedError, "is not fitted yet"),
        (lambda: StandardScaler(), TypeError, "^a StandardScaler cannot be stored: fastbp.save "),
        (lambda: {"a": 1}, TypeError, "^a dict cannot be stored: "),
        (MLPRegressor, TypeError, r"^a MLPRegressor .*: fastbp.BackpropRegressor.from_sklearn\("),
        (lambda: Own(**SMALL).fit(X, NUMBERS), TypeError, "^a Own cannot be stored: "),
        (
            lambda: regressor(learning_rate=rate),
            TypeError,
            r"^learning_rate cannot be stored: it is a function.*learning_rate='cosine'\)$",
        ),
        (
            lambda: regressor().set_params(random_state=np.random.default_rng(1).bit_generator),
            TypeError,
            "^random_state cannot be stored: PCG64; .* Set it to a whole number first$",
        ),
        (lambda: regressor().set_params(alpha=-1), ValueError, "^alpha must be at least 0"),
        (watched, TypeError, "^drift_detector cannot be stored: .* made with drift_detector=None$"),
    ],
)
def test_what_cannot_be_stored_is_refused_by_name(make, error, message, tmp_path):
    model = make()
    before = {} if isinstance(model, dict) else vars(model).copy()
    path = tmp_path / "model.fbp"
    path.write_bytes(b"what was there")
    with pytest.raises(error, match=message):
        fastbp.save(model, path)
    assert path.read_bytes() == b"what was there"
    assert [one.name for one in tmp_path.iterdir()] == ["model.fbp"]
    if before:
        assert vars(model) == before


def test_a_path_that_cannot_be_written_is_refused_before_anything_else(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"cannot write .*there is no folder"):
        fastbp.save(BackpropRegressor(), tmp_path / "none" / "model.fbp")


def test_a_label_that_cannot_be_stored_is_refused_by_name():
    model = classifier()
    model.classes_ = np.array([1 + 2j, frozenset(), None], object)
    with pytest.raises(TypeError, match=r"^fitted.classes cannot be stored: "):
        tree_of(model) and pack(tree_of(model))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it is no model of fastbp: it is empty"),
        (b"\x80\x04\x95", "it is no model of fastbp: it is a pickle"),
        (bytes(pack([1, 2])), "its content has no fields"),
        (bytes(pack({"a": 1})), "class is missing"),
        (bytes(pack({"class": "Other"})), "it holds a Other, which this version"),
        (bytes(pack({"class": "Network", "network": {}})), "network.dtype is missing"),
    ],
)
def test_a_file_of_another_kind_is_refused_by_a_sentence(content, message, tmp_path):
    path = tmp_path / "model.fbp"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"^cannot read .*model.fbp: .*{message}"):
        fastbp.load(path)


def test_a_path_that_cannot_be_read_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"cannot read .*none.fbp: No such file"):
        fastbp.load(tmp_path / "none.fbp")
    with pytest.raises(OSError, match="cannot read"):
        fastbp.load(tmp_path)
    with pytest.raises(OSError, match="cannot read"):
        fastbp.load(os.devnull)


def test_every_class_of_the_table_is_where_it_says():
    for kind in KINDS:
        home = __import__(kind.home, fromlist=[kind.name])
        assert getattr(home, kind.name).__module__ == kind.home


# -- damaged files ---------------------------------------------------------------------------------


def changed(tree, place, value):
    """The content of a file with something else at one place of its tree."""
    inner = tree
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    return bytes(pack(tree))


FITTED = ("fitted",)
DAMAGES = [
    ((*FITTED, "network", "layer_sizes"), [10**9, 10**9]),
    ((*FITTED, "network", "layer_sizes"), [3, 4]),
    ((*FITTED, "network", "activation"), ["softmax"]),
    ((*FITTED, "network", "loss"), "squared_error"),
    ((*FITTED, "network", "huber_delta"), -1.0),
    ((*FITTED, "network", "n_samples"), -1),
    ((*FITTED, "network", "moments"), {"adam": {}}),
    ((*FITTED, "network", "weights"), []),
    ((*FITTED, "n_features"), 4),
    ((*FITTED, "n_features"), 10**9),
    ((*FITTED, "feature_names"), ["a", "b"]),
    ((*FITTED, "feature_names"), ["a", "b", "a"]),
    ((*FITTED, "feature_names"), ["a", "b", 3]),
    ((*FITTED, "classes"), None),
    ((*FITTED, "classes"), np.array(["a", "b"])),
    ((*FITTED, "classes"), np.array(["a", "b", "a"])),
    ((*FITTED, "classes"), np.array([1.0, 2.0, np.nan])),
    ((*FITTED, "classes"), np.array([["a", "b", "c"]])),
    ((*FITTED, "classes"), np.array(["a", 1, None], object)),
    ((*FITTED, "classes"), DATES[:2]),
    ((*FITTED, "units"), {}),
    ((*FITTED, "units", "inputs", "center"), np.zeros(2)),
    ((*FITTED, "units", "inputs", "center"), np.zeros(3, np.float32)),
    ((*FITTED, "units", "inputs", "center"), np.full(3, np.nan)),
    ((*FITTED, "units", "inputs", "scale"), np.array([1.0, 0.0, 2.0])),
    ((*FITTED, "units", "inputs", "limit"), -1.0),
    ((*FITTED, "units", "targets"), {"center": 1}),
    ((*FITTED, "units", "loss"), "huber"),
    ((*FITTED, "gaps"), {"means": np.zeros(3), "features": np.array([3]), "weights": None}),
    ((*FITTED, "history", "loss_curve"), [1.0, "2"]),
    ((*FITTED, "history", "gaps"), {10**6: 1}),
    ((*FITTED, "history", "validation_losses"), [1.0]),
    ((*FITTED, "history", "n_kept"), 10**6),
    ((*FITTED, "settings", "max_iter"), 0),
    ((*FITTED, "ending"), "never"),
    ((*FITTED, "dead_units"), [[1]]),
    ((*FITTED, "random"), "random_state"),
    ((*FITTED, "random", "key"), np.zeros(623, np.uint32)),
    ((*FITTED, "random", "pos"), 625),
    ((*FITTED, "random", "has_gauss"), 2),
    ((*FITTED, "random", "gauss"), np.nan),
    ((*FITTED, "seed"), -1),
    ((*FITTED, "rate"), 0.0),
    ((*FITTED, "best_init"), 7),
    (("parameters", "alpha"), -1.0),
    (("parameters", "n_threads"), np.ones(3)),
    (("parameters", "learning_rate"), "never"),
    (("parameters", "never"), 1),
    (("class",), "BackpropRegressor"),
    (("class",), ["Network"]),
]


@pytest.mark.parametrize(("place", "value"), DAMAGES, ids=lambda one: str(one)[:40])
def test_a_damaged_estimator_is_refused_by_a_sentence(place, value):
    data = changed(tree_of(classifier()), place, value)
    with pytest.raises(ValueError, match=r"^it (is|holds)") as caught:
        model_of(unpack(data))
    assert "\n" not in str(caught.value)


LEARNED = ("learned",)
DAMAGED_STREAMS = [
    ((*LEARNED, "n_rows"), -1),
    ((*LEARNED, "random"), 2**64),
    ((*LEARNED, "labels"), None),
    ((*LEARNED, "labels"), ["a", 1]),
    ((*LEARNED, "labels"), ["a"] * 3),
    ((*LEARNED, "labels"), [str(n) for n in range(9)]),
    ((*LEARNED, "names", "names"), ["a"]),
    ((*LEARNED, "names", "free"), [5]),
    ((*LEARNED, "names", "n_hashed"), 10**9),
    ((*LEARNED, "inputs"), np.zeros((10**3, 10))),
    ((*LEARNED, "outputs"), np.zeros((2, 10))),
    ((*LEARNED, "experts"), []),
    ((*LEARNED, "past", "n_seen"), -1),
    ((*LEARNED, "past", "columns"), np.zeros(3, np.int32)),
    ((*LEARNED, "past", "starts"), np.zeros(0, np.int64)),
    ((*LEARNED, "experts", 0, "n_steps"), -5),
    ((*LEARNED, "experts", 0, "average"), {}),
    ((*LEARNED, "experts", 0, "kind", "share"), 0.5),
    ((*LEARNED, "experts", 0, "kind", "replay"), -1),
    ((*LEARNED, "experts", 0, "kind", "solver", "learning_rate"), 0.0),
    ((*LEARNED, "experts", 0, "kind", "solver", "never"), 0.0),
    ((*LEARNED, "experts", 2, "average", "layer_sizes"), [3, 4, 2]),
    ((*LEARNED, "experts", 0, "network", "dtype"), "float32"),
    (("parameters", "buffer"), "none"),
    (("parameters", "buffer_size"), 2.5),
    (("parameters", "buffer_size"), 3),
    (("parameters", "hashed_features"), 3),
    (("parameters", "missing"), ["mean"]),
    (("parameters", "drift_detector"), 1),
]


@pytest.mark.parametrize(("place", "value"), DAMAGED_STREAMS, ids=lambda one: str(one)[:40])
def test_a_damaged_model_of_a_stream_is_refused_by_a_sentence(place, value):
    model = OnlineClassifier(random_state=0)
    for row, label in zip(ROWS, CLASSES, strict=True):
        model.learn_one(row, str(label))
    with pytest.raises(ValueError, match=r"^it is damaged") as caught:
        model_of(unpack(changed(tree_of(model), place, value)))
    assert "\n" not in str(caught.value)


def test_every_truncation_and_every_changed_byte_gives_a_model_or_a_sentence():
    file = content(Network((2, 3, 1), random_state=0))
    for length in range(len(file)):
        with pytest.raises(ValueError, match=r"^it "):
            unpack(file[:length])
    for place in range(len(file)):
        data = bytearray(file)
        data[place] ^= 1 + RNG.integers(255)
        with contextlib.suppress(ValueError):
            model_of(unpack(data)).forward(np.ones((1, 2)))


def test_the_description_in_a_file_can_be_read_by_people():
    data = bytes(pack(tree_of(classifier())))
    length = int.from_bytes(data[:8], "little")
    description = json.loads(json.loads(data[8 : 8 + length])["__metadata__"]["fastbp"])
    assert description["tree"]["class"] == "BackpropClassifier"
    assert description["tree"]["parameters"]["max_iter"] == 4


def test_of_a_search_the_best_estimator_is_to_be_saved(tmp_path):
    from sklearn.model_selection import GridSearchCV

    search = GridSearchCV(fastbp.BackpropClassifier(), {"alpha": [0.1]})
    search.best_estimator_ = None
    with pytest.raises(TypeError, match=r"GridSearchCV cannot be stored: save its best_estimator_"):
        fastbp.save(search, tmp_path / "search.fbp")


# -- what is no file, and what NumPy makes of values ----------------------------------------------


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="has no named pipes")
@pytest.mark.parametrize("load", [fastbp.load, Network.load])
def test_a_named_pipe_is_refused_rather_than_waited_for(load, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match=r"cannot read .*pipe: it is no regular file"):
        load(tmp_path / "pipe")


def test_a_name_that_no_file_can_have_is_refused_by_a_sentence():
    with pytest.raises(ValueError, match=r"cannot read a\\x00b: no file can have this name"):
        fastbp.load("a\0b")


def test_labels_of_one_hash_are_read(tmp_path):
    labels = np.array([0, 2**61 - 1, 2**62 - 2])
    assert len(set(map(hash, labels.tolist()))) == 1
    loaded = fastbp.load(classifier(labels).save(tmp_path / "model.fbp"))
    np.testing.assert_array_equal(loaded.classes_, labels)


def of_numpy(parameters):
    """Return parameters as scalars of NumPy, as `RandomizedSearchCV` draws them."""
    found = {}
    for name, value in parameters.items():
        is_scalar = type(value) in (bool, int, float, str)
        found[name] = np.array(value)[()] if is_scalar else value
    return found


SCALARS = {
    "defaults": (BackpropClassifier, {"max_iter": 3, "random_state": 0}),
    "a regressor": (BackpropRegressor, {"max_iter": 3, "random_state": 0}),
    "numbers": (
        BackpropClassifier,
        {**SMALL, "learning_rate_init": 0.01, "batch_size": 8, "early_stopping": True,
         "n_iter_no_change": 3, "activation": "tanh"},
    ),
    "a loss": (
        BackpropRegressor,
        {**SMALL, "loss": "huber", "early_stopping": False, "n_init": 2, "learning_rate": "cosine"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SCALARS)
def test_parameters_may_be_scalars_of_numpy(name, tmp_path):
    kind, parameters = SCALARS[name]
    path, run = tmp_path / "model.fbp", tmp_path / "run.fbp"
    model = kind(**of_numpy(kind(**parameters).get_params()))
    y = CLASSES if kind is BackpropClassifier else NUMBERS
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, y, checkpoint=run)
    others = fastbp.load(model.save(path)), fastbp.resume(run, X, y)
    expected = model.predict(X)
    for other in others:
        np.testing.assert_array_equal(other.predict(X), expected)


def test_a_warm_start_may_have_scalars_of_numpy(tmp_path):
    run = tmp_path / "run.fbp"
    model = classifier(activation=np.str_("tanh"), warm_start=np.True_, max_iter=np.int64(3))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, model.classes_[CLASSES], checkpoint=run)
        resumed = fastbp.resume(run, X, model.classes_[CLASSES])
    np.testing.assert_array_equal(resumed.predict_proba(X), model.predict_proba(X))


def test_networks_may_be_made_with_scalars_of_numpy(tmp_path):
    network = Network(
        np.array([3, 4, 2]),
        activation=np.str_("tanh"),
        loss=np.str_("log_loss"),
        out_activation=np.str_("softmax"),
        huber_delta=np.float32(1.5),
        quantile=np.float64(0.25),
        dtype=np.str_("float32"),
        random_state=np.int64(0),
    )
    loaded = fastbp.load(network.save(tmp_path / "network.fbp"))
    np.testing.assert_array_equal(loaded.forward(X), network.forward(X))
    names = (*network.activation, network.out_activation, network.loss_name)
    assert {type(name) for name in names} == {str}


def test_a_model_that_would_not_be_read_is_not_written(tmp_path):
    model, path = classifier(), tmp_path / "model.fbp"
    model._ending = "never"
    with pytest.raises(ValueError, match=r"this model cannot be stored: .*ending"):
        model.save(path)
    assert not path.exists()


def test_a_network_is_saved_as_it_is_between_two_epochs(monkeypatch):
    """Another thread waits for the end of one."""
    from fastbp.network.runner import EpochRunner

    network, advance, found = Network((3, 4, 1), random_state=0), EpochRunner._advance, []

    def advance_half(runner, *args):
        done = advance(runner, *args)
        weights = network.weights[0].copy()
        network.weights[0][...] = 7  # what nobody is to see
        reader = threading.Thread(target=lambda: found.append(network.__getstate__()))
        reader.start()
        reader.join(0.2)
        assert reader.is_alive()
        network.weights[0][...] = weights
        readers.append(reader)
        network.__getstate__()  # as of a handler of a signal, in the thread that trains
        return done

    readers = []
    monkeypatch.setattr(EpochRunner, "_advance", advance_half)
    network.train_epoch(X, NUMBERS, learning_rate=0.01)
    for reader in readers:
        reader.join()
    np.testing.assert_array_equal(found[0]["parameters"][0], network.weights[0])


def test_batches_may_be_larger_than_any_number_of_rows(tmp_path):
    expected = regressor(batch_size=len(X))
    path = regressor(batch_size=2**63).save(tmp_path / "model.fbp")
    np.testing.assert_array_equal(fastbp.load(path).predict(X), expected.predict(X))


def test_an_ensemble_that_no_memory_holds_is_refused():
    with pytest.raises(ValueError, match="ensemble must be at most 100,000; got 9007199254740992"):
        regressor(ensemble=2**53)
