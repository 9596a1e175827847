"""Random networks and estimators of every kind that can be exported, from a seed."""

import numpy as np
from plain_models import BackpropClassifier, BackpropRegressor

import fastbp
from fastbp.network.scaling import Scaling
from fastbp.network.tables import DERIVATIVES, HIDDEN_ACTIVATIONS, LOSSES
from fastbp.neural_network import MLPClassifier, MLPRegressor

ACTIVATIONS = list(DERIVATIVES)  # exp and softmax included
DTYPES = ("float64", "float32")
TOLERANCE = {"float64": 1e-12, "float32": 1e-5}
LOSS_OF = {"exp": "poisson", "softmax": "log_loss"}
LABELS = {
    "two texts": np.array(["no", "yes"]),
    "texts": np.array(["in stock", "Größe 1", '"quoted" \\n ??/']),
    "whole numbers": np.array([-7, 0, 3, 2**40]),
    "bools": np.array([False, True]),
    "whole floats": np.array([0.0, 2.0, 5.0]),
    "several": None,
    "numbers": None,
}


def random_network(rng, activation=None, dtype=None):
    """Return a network of up to four layers, with activations that differ."""
    sizes = rng.integers(1, 12, size=rng.integers(2, 6)).tolist()
    hidden = rng.choice(HIDDEN_ACTIVATIONS, size=len(sizes) - 2).tolist()
    out = activation or str(rng.choice(ACTIVATIONS))
    sizes[-1] += out == "softmax" and sizes[-1] == 1
    if activation in HIDDEN_ACTIVATIONS:
        hidden = [activation] * len(hidden)
    network = fastbp.Network(
        sizes,
        activation=hidden,
        out_activation=out,
        loss=LOSS_OF.get(out, "squared_error"),
        dtype=dtype or str(rng.choice(DTYPES)),
        random_state=int(rng.integers(2**31)),
    )
    for W in network.weights:
        W *= rng.uniform(0.5, 2)
    return network


def random_rows(rng, n_rows, n_features, dtype):
    return (2 * rng.normal(size=(n_rows, n_features))).astype(dtype)


def random_estimator(rng, kind, dtype="float64", **options):
    """Return an estimator with labels of this kind after two epochs, and the rows of these.

    Some rows have gaps. Where inputs are not scaled, they have units alike.
    """
    n_features = int(rng.integers(1, 9))
    options = {
        "hidden_layer_sizes": tuple(rng.integers(1, 12, size=rng.integers(0, 3)).tolist()),
        "activation": str(rng.choice(HIDDEN_ACTIVATIONS)),
        "standardize": bool(rng.integers(4)),
        "missing": str(rng.choice(["indicator", "error"], p=[0.3, 0.7])),
        "max_iter": 2,
        "random_state": int(rng.integers(2**31)),
    } | options
    X = rng.normal(size=(40, n_features))
    if options["standardize"]:
        X = X * rng.choice([1e-3, 1, 1e3], n_features) + rng.choice([0, 100], n_features)
    if options["missing"] == "indicator":
        X[rng.random(X.shape) < 0.1] = np.nan
    X = X.astype(dtype)
    if kind == "numbers":
        n_outputs = int(rng.integers(1, 4))
        y = rng.poisson(3.0, size=(40, n_outputs)) * 10.0 + 1
        loss = str(rng.choice(["squared_error", "poisson", "huber"]))
        return BackpropRegressor(loss=loss, **options).fit(X, y.squeeze()), X
    y = rng.integers(0, 2, size=(40, 3))
    if kind != "several":
        labels = LABELS[kind]
        y = labels[np.arange(40) % len(labels)]
    return BackpropClassifier(**options).fit(X, y), X


def spread_outputs(model, rng):
    """Give the last layer weights with which outputs differ from row to row."""
    network = getattr(model, "network_", model)
    for W in network.weights:
        W *= rng.uniform(1, 3)
    return model


def linear_scaling(model):
    """Let the inputs of an estimator be scaled without a limit, as for a linear model."""
    units = model._units
    object.__setattr__(units, "inputs", Scaling(units.inputs.center, units.inputs.scale))
    return model


def networks_of_every_activation():
    """Networks of every activation, hidden and in the output layer, with libm and without."""
    rng, cases = np.random.default_rng(0), []
    for k, activation in enumerate(ACTIVATIONS):
        for dtype in ("float64", "float32"):
            network = random_network(rng, activation, dtype)
            X = random_rows(rng, 20, network.layer_sizes[0], dtype)
            cases += [(f"n{k}_{dtype}_{math}", network, X, {"math": math}) for math in (0, 1)]
    return cases


def estimators_of_every_kind():
    """Estimators of every kind of labels, with inputs scaled in three ways."""
    rng, cases = np.random.default_rng(1), []
    for k, kind in enumerate([*LABELS] * 3):
        dtype = ("float64", "float32")[k % 2]
        model, X = random_estimator(rng, kind, dtype, standardize=k >= len(LABELS))
        spread_outputs(model, rng)
        if k >= 2 * len(LABELS):
            linear_scaling(model)
        cases.append((f"e{k}", model, X, {"math": bool(k % 3)}))
    model, X = random_estimator(rng, "texts", missing="indicator")
    assert len(model.missing_features_)
    cases.append(("gaps", model, np.where(rng.random(X.shape) < 0.3, np.nan, X), {}))
    X = rng.normal(size=(60, 4))
    texts = np.array(["a", "b", "c"])[np.arange(60) % 3]
    ensemble = fastbp.BackpropClassifier(max_iter=2, random_state=0).fit(X, texts)
    cases.append(("ensemble", ensemble, X, {}))
    cases.append(("drop_in", MLPClassifier(max_iter=2, random_state=0).fit(X, texts), X, {}))
    cases.append(("regressor", MLPRegressor(max_iter=2, random_state=0).fit(X, X[:, :2]), X, {}))
    return cases


def network_that_learns(rng, k):
    """A network of any loss; every third one has wide layers of ReLU, which are listed."""
    wide = k % 3 == 0
    sizes = rng.integers(1, 80 if wide else 12, size=rng.integers(2, 5)).tolist()
    if k % 12 == 1:  # every width up to two groups of eight, and one
        sizes = list(range(17, 0, -1))
    loss = list(LOSSES.values())[k % len(LOSSES)]
    out = str(rng.choice(HIDDEN_ACTIVATIONS))
    if out not in loss.out_activations:
        out = loss.out_activations[-1] if k % 4 == 0 else None
    names = ["relu"] if wide else HIDDEN_ACTIVATIONS
    return fastbp.Network(
        sizes,
        activation=rng.choice(names, size=len(sizes) - 2).tolist(),
        out_activation=out,
        loss=loss.name,
        dtype=("float64", "float32")[k // len(LOSSES) % 2],
        huber_delta=0.7,
        quantile=0.3,
        random_state=k,
    )


def outputs_of(model, X):
    """What a network or a regressor returns for rows, (n, n_outputs)."""
    if isinstance(model, fastbp.Network):
        return model.forward(X)
    return model.predict(X).reshape(len(X), -1)


def assert_predicts(found, model, X):
    """Outputs, or probabilities and labels, by name as C or ONNX has them, are those of a model.

    To the tolerance of the dtype, of the largest number; labels but for rows that lie on a boundary
    to rounding.
    """
    tolerance = TOLERANCE[X.dtype.name]
    if not hasattr(model, "classes_"):
        expected = outputs_of(model, X)
        largest = np.abs(expected).max(initial=1e-30)
        outputs = found.get("outputs", found.get("variable"))
        np.testing.assert_allclose(outputs, expected, rtol=0, atol=tolerance * largest)
        return
    probabilities, labels = model.predict_proba(X), model.predict(X)
    np.testing.assert_allclose(found["probabilities"], probabilities, rtol=0, atol=tolerance)
    if labels.ndim == 2:
        is_clear = np.abs(probabilities - 0.5) > tolerance
        ours = found.get("labels", found.get("label"))
    else:
        best = np.sort(probabilities, axis=1)
        is_clear = best[:, -1] - best[:, -2] > 2 * tolerance
        ours = found["label"] if "label" in found else model.classes_[found["class"]]
    assert (ours == labels)[is_clear].all()
