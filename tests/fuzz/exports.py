"""Random models of every kind, as ONNX and as C, next to Python.

A seed draws eight models: networks, estimators, ensembles, drop-ins, pipelines, models of streams
and networks that learn. Needs onnxruntime and skl2onnx, and a compiler for C.
"""

import os
import tempfile
from pathlib import Path
from unittest import mock

import numpy as np
from c_programs import COMPILERS, assert_learned, exported, program_that_learns, run
from exported_models import (
    LABELS,
    assert_predicts,
    linear_scaling,
    network_that_learns,
    random_estimator,
    random_network,
    random_rows,
    spread_outputs,
)
from onnx_models import run as run_onnx
from sklearn.ensemble import BaggingClassifier, BaggingRegressor, VotingRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fastbp import _core
from fastbp.export import description_of
from fastbp.export.int8 import outputs_of, quantized
from fastbp.neural_network import MLPClassifier, MLPRegressor

from . import streams

N_MODELS = 8
COMPILER = os.environ.get("FUZZ_CC", next(iter(COMPILERS), ""))
KINDS = {
    "network": 4,
    "estimator": 6,
    "ensemble": 2,
    "drop-in": 2,
    "stream": 3,
    "pipeline": 2,
    "learning": 3,
    "int8": 2,
}


class OfStream:
    """A model of a stream with the methods of an estimator, for rows as exported models see them.

    What it predicts is taken before, of rows with names.
    """

    def __init__(self, model, rows):
        self.model, self.to_c, self.to_onnx = model, model.to_c, model.to_onnx
        self._snapshot = model._snapshot
        if hasattr(model, "classes_"):
            self.classes_ = np.array(model.classes_)
            self._probabilities = model.predict_proba_many(rows)
        self._predictions = model.predict_many(rows)

    def predict(self, X):
        return self._predictions

    def predict_proba(self, X):
        return self._probabilities


def draw_network(rng):
    network = random_network(rng)
    return network, random_rows(rng, 25, network.layer_sizes[0], network.dtype)


def draw_estimator(rng, **options):
    kind, dtype = str(rng.choice(list(LABELS))), str(rng.choice(["float64", "float32"]))
    model, X = random_estimator(rng, kind, dtype, **options)
    if model._units is not None and model._units.inputs is not None and rng.random() < 0.2:
        linear_scaling(model)
    return spread_outputs(model, rng), X


def draw_ensemble(rng):
    return draw_estimator(rng, ensemble=int(rng.integers(2, 5)))


def draw_drop_in(rng):
    X = rng.normal(size=(40, int(rng.integers(1, 6)))).astype(rng.choice(["float64", "float32"]))
    options = {
        "hidden_layer_sizes": tuple(rng.integers(1, 12, size=rng.integers(0, 3)).tolist()),
        "activation": str(rng.choice(["identity", "logistic", "tanh", "relu"])),
        "solver": str(rng.choice(["adam", "sgd", "lbfgs"])),
        "max_iter": 3,
        "random_state": 0,
    }
    if rng.random() < 0.4:
        model = MLPRegressor(**options).fit(X, rng.normal(size=(40, 2)))
    else:
        targets = [np.arange(40) % 2, np.array(["a", "b", "ü"])[np.arange(40) % 3]]
        targets.append(rng.integers(0, 2, (40, 3)))
        model = MLPClassifier(**options).fit(X, targets[rng.integers(3)])
    return model, X.astype(model.coefs_[0].dtype)  # L-BFGS makes them float64


def draw_stream(rng):
    model, rows, X = streams.draw_exportable(rng)
    return OfStream(model, rows), X


def rarest(labels):
    """How often a label occurs at least; 0 where all are the same."""
    _, counts = np.unique(labels, return_counts=True)
    return counts.min() if len(counts) > 1 else 0


def draw_pipeline(rng):
    """Draw a pipeline or an ensemble of scikit-learn, which skl2onnx converts."""
    while True:
        model, X = draw_estimator(rng, missing="error")
        y = model.predict(X)
        if y.ndim == 1 and not (hasattr(model, "classes_") and rarest(y) < 10):
            break
    kinds = [lambda one: make_pipeline(StandardScaler(), one)]
    if hasattr(model, "classes_"):
        if y.dtype.kind == "f":  # skl2onnx calls these whole numbers
            y = y.astype(int)
        if y.dtype.kind == "i":
            y = np.minimum(y, 9)  # and has them in 32 bits
        kinds.append(lambda one: BaggingClassifier(one, 2, random_state=0))
    else:
        kinds.append(lambda one: BaggingRegressor(one, 2, random_state=0))
        kinds.append(lambda one: VotingRegressor([("a", one)]))
    return kinds[rng.integers(len(kinds))](model).fit(X, y), X


DRAWN = {
    "network": draw_network,
    "estimator": draw_estimator,
    "ensemble": draw_ensemble,
    "drop-in": draw_drop_in,
    "stream": draw_stream,
    "pipeline": draw_pipeline,
    "int8": draw_estimator,
}


def check_onnx(model, X, kind):
    """A model of any size of batch, the smallest included."""
    if kind == "pipeline":
        import skl2onnx

        options = {"zipmap": False} if hasattr(model, "classes_") else None
        proto = skl2onnx.to_onnx(model, X[:1], options=options)
    else:
        proto = model.to_onnx()
    found = run_onnx(proto, X)
    assert_predicts(found, model, X)
    one = run_onnx(proto, X[:1])
    assert all(len(values) == 1 for values in one.values())


def check(seed):
    """Check some models; return what they were."""
    rng, programs, checks = np.random.default_rng(seed), [], []
    kinds = rng.choice(list(KINDS), N_MODELS, p=np.array([*KINDS.values()]) / sum(KINDS.values()))
    for k, kind in enumerate(kinds.tolist()):
        name = f"m{k}"
        if kind == "learning":
            program, compare = learning_of(rng, name)
            programs.append(program)
            checks.append(compare)
            continue
        model, X = DRAWN[kind](rng)
        check_onnx(model, X, kind)
        if kind == "pipeline":
            continue
        options = {"math": bool(rng.integers(2))}
        if kind == "int8":
            options |= {"dtype": "int8", "calibration": X}
            X = X.astype(np.float32)
        programs.append(exported(name, model, X, **options))
        checks.append(whole_numbers_of(model, X) if kind == "int8" else predictions_of(model, X))
    if COMPILER and programs:
        with tempfile.TemporaryDirectory() as folder:
            for values, one in zip(run(programs, Path(folder), COMPILER), checks, strict=True):
                one(values)
    return f"of {N_MODELS} models"


def predictions_of(model, X):
    return lambda values: assert_predicts(values, model, X)


def whole_numbers_of(model, X):
    """Return what compares whole numbers with NumPy's, some of which are rounded otherwise."""
    described = description_of(model)
    expected = outputs_of(described, quantized(described, X), X)

    def compare(values):
        error = np.abs(values["outputs"] - expected) / (np.abs(expected).max() + 1e-30)
        found = np.quantile(error, [0.5, 0.9])
        assert (found < [1e-3, 0.05]).all(), found

    return compare


def learning_of(rng, name):
    """Return a program that takes steps, and what compares its weights with those of `Network`."""
    with mock.patch.object(_core, "isa_for", return_value="scalar"):
        network = network_that_learns(rng, int(rng.integers(1000)))
    rule = str(rng.choice(["sgd", "adagrad"]))
    one = program_that_learns(rng, name, network, rule)
    return one, lambda values: assert_learned(values, one, network, rule)
