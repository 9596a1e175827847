"""Random networks and estimators of every kind that can be exported, from a seed."""

import numpy as np
from plain_models import BackpropClassifier, BackpropRegressor

import fastbp
from fastbp.network.scaling import Scaling
from fastbp.network.tables import DERIVATIVES, HIDDEN_ACTIVATIONS

ACTIVATIONS = list(DERIVATIVES)  # exp and softmax included
DTYPES = ("float64", "float32")
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
