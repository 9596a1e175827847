"""ONNX models against the models they were made of, through onnxruntime."""

import json

import numpy as np
import pytest
from exported_models import (
    ACTIVATIONS,
    DTYPES,
    LABELS,
    linear_scaling,
    random_estimator,
    random_network,
    random_rows,
    spread_outputs,
)
from onnx_models import run
from sklearn.exceptions import NotFittedError

import fastbp
from fastbp.neural_network import MLPClassifier, MLPRegressor

onnx = pytest.importorskip("onnx", reason="ONNX models are made by onnx, of the extra onnx")
pytest.importorskip("onnxruntime", reason="onnxruntime has no wheel for this Python")

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning", "ignore::fastbp.DivergenceWarning"
)
TOLERANCE = {"float64": 1e-12, "float32": 1e-5}


def assert_close(found, expected, dtype):
    """To the tolerance, of the largest number of an array."""
    assert found.dtype == dtype
    assert found.shape == expected.shape
    if expected.size:
        largest = max(float(np.abs(expected).max()), 1e-30)
        assert float(np.abs(found - expected).max()) <= TOLERANCE[str(dtype)] * largest


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_networks_of_every_activation_predict_the_same(activation, dtype):
    rng = np.random.default_rng(ACTIVATIONS.index(activation))
    for n_rows in (0, 1, 2, 3, 50, 300):
        network = random_network(rng, activation, dtype)
        X = random_rows(rng, n_rows, network.layer_sizes[0], dtype)
        assert_close(run(network.to_onnx(), X)["variable"], network.forward(X), network.dtype)


@pytest.mark.parametrize("seed", range(100))
def test_random_networks_predict_the_same(seed):
    rng = np.random.default_rng(seed)
    network = random_network(rng)
    X = random_rows(rng, 20, network.layer_sizes[0], network.dtype)
    assert_close(run(network.to_onnx(), X)["variable"], network.forward(X), network.dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations_keep_their_digits_far_from_0(activation, dtype):
    n = 1 + (activation == "softmax")
    loss = {"exp": "poisson", "softmax": "log_loss"}.get(activation, "squared_error")
    network = fastbp.Network((1, n), out_activation=activation, loss=loss, dtype=dtype)
    for W, b in zip(network.weights, network.biases, strict=True):
        W[...], b[...] = [[1.0, -1.0][:n]], 0
    z = np.linspace(-20, 20, 401).astype(dtype)[:, np.newaxis]
    expected = network.forward(z)
    found = run(network.to_onnx(), z)["variable"]
    tolerance = {"float64": 1e-12, "float32": 2e-6}[dtype]
    if activation == "gelu":  # the square of z has lost digits to exp
        tolerance *= 50
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=1e-37)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", LABELS)
@pytest.mark.parametrize("seed", range(5))
def test_estimators_predict_the_same(kind, dtype, seed):
    rng = np.random.default_rng(seed)
    model, X = random_estimator(rng, kind, dtype)
    spread_outputs(model, rng)
    if seed == 0:
        model, X = random_estimator(rng, kind, dtype, standardize=True)
        linear_scaling(model)
    for rows in (X[:0], X[:1], X):
        found = run(model.to_onnx(), rows)
        if kind == "numbers":
            expected = model.predict(X).reshape(len(X), -1)[: len(rows)]
            assert_close(found["variable"], expected, rows.dtype)
            continue
        probabilities, labels = model.predict_proba(X)[: len(rows)], model.predict(X)[: len(rows)]
        assert_close(found["probabilities"], probabilities, rows.dtype)
        assert found["label"].shape == labels.shape
        assert found["label"].dtype == (object if labels.dtype.kind == "U" else np.int64)
        unclear = np.abs(probabilities - 0.5).min(axis=1) < 1e-5
        same = found["label"] == labels
        assert ((same.all(axis=1) if same.ndim == 2 else same) | unclear).all()


@pytest.mark.parametrize("kind", [kind for kind in LABELS if kind not in ("numbers", "several")])
def test_zipmap_gives_a_map_from_label_to_probability(kind):
    model, X = random_estimator(np.random.default_rng(1), kind)
    found = run(model.to_onnx(zipmap=True), X)
    assert len(found["probabilities"]) == len(X)
    expected = dict(zip(model.classes_.tolist(), model.predict_proba(X)[3], strict=True))
    assert found["probabilities"][3] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_drop_ins_predict_the_same(dtype):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4)).astype(dtype)
    texts = np.array(["a", "b", "c"])[np.arange(60) % 3]
    for y in (texts, np.arange(60) % 2, (X > 0).astype(int)):
        model = MLPClassifier(max_iter=2, random_state=0).fit(X, y)
        found = run(model.to_onnx(), X)
        assert_close(found["probabilities"], model.predict_proba(X), X.dtype)
        assert (found["label"] == model.predict(X)).all()
    for y in (X[:, 0], X[:, :2]):
        model = MLPRegressor(max_iter=2, random_state=0, activation="tanh").fit(X, y)
        expected = model.predict(X).reshape(60, -1)
        assert_close(run(model.to_onnx(), X)["variable"], expected, X.dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_missing_values_are_filled_and_marked(dtype):
    rng = np.random.default_rng(0)
    model, X = random_estimator(rng, "texts", dtype, missing="indicator")
    X = X.copy()
    X[rng.random(X.shape) < 0.3] = np.nan  # also of inputs that were never missing in fit
    assert len(model.missing_features_)
    found = run(model.to_onnx(), X)
    assert_close(found["probabilities"], model.predict_proba(X), X.dtype)


def test_the_default_ensemble_predicts_the_same():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(150, 3)) * [1, 1e4, 1e-4]
    model = fastbp.BackpropClassifier(random_state=0, max_iter=3).fit(X, X[:, 0] > 0)
    found = run(model.to_onnx(), X)
    assert_close(found["probabilities"], model.predict_proba(X), X.dtype)


def test_the_file_is_the_model_and_names_the_features(tmp_path):
    pd = pytest.importorskip("pandas")
    model, X = random_estimator(np.random.default_rng(2), "numbers")
    model.fit(pd.DataFrame(X, columns=[f"größe {i}" for i in range(X.shape[1])]), np.arange(40.0))
    proto = model.to_onnx(tmp_path / "model.onnx")
    assert onnx.load(tmp_path / "model.onnx") == proto
    (names,) = proto.metadata_props
    assert json.loads(names.value) == model.feature_names_in_.tolist()
    assert [(one.domain, one.version) for one in proto.opset_import] == [("", 9)]


def test_bad_input_leaves_no_file(tmp_path):
    path = tmp_path / "model.onnx"
    with pytest.raises(NotFittedError, match="not fitted"):
        fastbp.BackpropRegressor().to_onnx(path)
    with pytest.raises(NotFittedError, match="not fitted"):
        MLPClassifier().to_onnx(path)
    model, _ = random_estimator(np.random.default_rng(0), "two texts")
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        model.to_onnx(tmp_path / "nowhere" / "model.onnx")
    network = fastbp.Network((2, 1))
    with pytest.raises(ValueError, match="zipmap=True is for a classifier"):
        network.to_onnx(path, zipmap=True)
    network.weights[0][0, 0] = np.nan
    with pytest.raises(ValueError, match=r"weights\[0\]"):
        network.to_onnx(path)
    for classes, message in (
        ([0.5, 1.5], "classes must be text or whole numbers"),
        (["a", "b\udc80"], "no valid Unicode"),
        ([0, 2**63], "whole numbers of 64 bits"),
        (["a", "b\0c"], "zero byte"),
    ):
        model.classes_ = np.array(classes, dtype=object)
        with pytest.raises(ValueError, match=message):
            model.to_onnx(path)
    assert list(tmp_path.iterdir()) == []


def test_without_onnx_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    with pytest.raises(ImportError, match=r"fastbp\[onnx\]"):
        fastbp.Network((2, 1)).to_onnx()
