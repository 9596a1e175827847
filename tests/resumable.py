"""Fits of every kind, to be stopped and gone on with, and what they come to, bit by bit."""

from __future__ import annotations

import dataclasses
import hashlib
import math
import pickle
import warnings
from typing import Any

import numpy as np
import scipy.sparse as sp

import fastbp
from fastbp.network.plan import Workload

PLAIN = {"ensemble": 1, "early_stopping": False}
SMALL = {**PLAIN, "hidden_layer_sizes": (6,), "max_iter": 12}


@dataclasses.dataclass(frozen=True)
class Case:
    """A fit.

    Attributes
    ----------
    name : str
    parameters : dict
    n_rows : int
    classes : int
        0 is a regression of ``outputs`` numbers.
    sparse, gaps, weights, held_out, names, warm : bool
        A CSR matrix; missing values; a sample_weight; X_val and y_val; a warm start.
    seconds : float or None
        How long a piece of work is; None is as ever. Short ones divide epochs of a few rows.
    """

    name: str
    parameters: dict[str, Any]
    n_rows: int = 400
    classes: int = 0
    outputs: int = 1
    dtype: str = "float64"
    sparse: bool = False
    gaps: bool = False
    weights: bool = False
    held_out: bool = False
    names: bool = False
    warm: bool = False
    seconds: float | None = 1e-6

    def data(self) -> tuple[Any, Any, dict[str, Any]]:
        """Return X, y and the other arguments of fit."""
        random = np.random.default_rng(len(self.name))
        n_features = 40 if self.sparse else 5
        X = random.normal(size=(self.n_rows + 60, n_features))
        z = X[:, :3] @ random.normal(size=(3, max(self.classes, self.outputs))) + np.sin(X[:, :1])
        y = z if self.outputs > 1 else z[:, 0]
        if self.classes:
            y = np.array(["one", "two", "three", "four"])[z[:, : self.classes].argmax(axis=1)]
        if self.parameters.get("loss") == "poisson":
            y = random.poisson(np.exp(np.clip(y, -2, 2))).astype(float)
        if self.sparse:
            X[random.random(X.shape) < 0.9] = 0
        X = X.astype(self.dtype)
        if self.gaps:
            X[random.random(X.shape) < 0.1] = np.nan
        options = {}
        if self.weights:
            options["sample_weight"] = random.uniform(0, 3, self.n_rows)
        if self.sparse:
            X = sp.csr_matrix(X)
        X, X_val, y, y_val = X[: self.n_rows], X[self.n_rows :], y[: self.n_rows], y[self.n_rows :]
        if self.held_out:
            options |= {"X_val": X_val, "y_val": y_val}
        if self.names:
            import pandas as pd

            X = pd.DataFrame(X, columns=[f"column {i}" for i in range(n_features)])
        return X, y, options

    def estimator(self) -> Any:
        """Return the estimator, for a warm start a fitted one."""
        kind = fastbp.BackpropClassifier if self.classes else fastbp.BackpropRegressor
        model = kind(**{"random_state": 3, **self.parameters})
        if self.warm:
            X, y, _ = self.data()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model.set_params(max_iter=3).fit(X, y)
            model.set_params(max_iter=self.parameters["max_iter"])
        return model


def pieces_of(case: Case, patch: Any) -> None:
    """Let pieces of work be as long as a case says; ``patch(object, name, value)`` does it."""
    if case.seconds is not None:
        patch(Workload, "seconds_at_once", lambda *_: case.seconds)


def outcome(model: Any, case: Case) -> dict[str, str]:
    """Return a hash of everything that a fit has come to, by what it is."""
    X, y, _ = case.data()
    history = model._history.to_dict()
    del history["seconds"]
    found = {
        "state": model.network_._state.to_dict(),
        "history": history,
        "predictions": model.predict(X),
        "generator": model._random_state.get_state(legacy=False),
        "losses": [model.init_losses_, model.best_init_] if hasattr(model, "init_losses_") else [],
        "ending": [model.convergence_, model.dead_units_, model.learning_rate_],
        "parameters": {
            name: value for name, value in model.get_params().items() if name != "random_state"
        },
        "seed": [model._seed, model._rate_factor, model._n_joined],
    }
    if not case.weights:
        found["further"] = _further(pickle.loads(pickle.dumps(model)), X, y)
    return {name: _hash(value) for name, value in found.items()}


def _further(model: Any, X: Any, y: Any) -> Any:
    """Return what further training comes to."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if model.early_stopping is not True:
            model.partial_fit(X, y)
        model.set_params(warm_start=True, max_iter=2, n_init=1, ensemble=1).fit(X, y)
    return model.network_._state.to_dict()


def _hash(value: Any) -> str:
    digest = hashlib.sha1()
    _add(digest, value)
    return digest.hexdigest()


def _add(digest: Any, value: Any) -> None:
    if isinstance(value, dict):
        for key in sorted(value, key=str):
            digest.update(str(key).encode())
            _add(digest, value[key])
    elif isinstance(value, (list, tuple)):
        for one in value:
            _add(digest, one)
    elif isinstance(value, np.ndarray) and value.dtype.kind != "U":
        digest.update(value.dtype.str.encode() + np.ascontiguousarray(value).tobytes())
    else:
        digest.update(repr(value).encode())


def cases() -> list[Case]:
    """Return all of them."""
    return [
        Case("defaults", {"max_iter": 4}, seconds=1e-4),
        Case("defaults of a classifier", {"max_iter": 3}, classes=3, seconds=1e-4),
        Case("defaults of more rows", {"max_iter": 5}, n_rows=1500, seconds=1e-4),
        Case(
            "ensemble that diverges",
            {
                "ensemble": 3,
                "learning_rate": "one_cycle",
                "learning_rate_init": 0.5,
                "max_iter": 8,
            },
            seconds=1e-5,
        ),
        Case("sgd", {**SMALL}),
        Case("short epochs together", {**SMALL, "max_iter": 300}, n_rows=30, seconds=3e-5),
        Case("momentum", {**SMALL, "momentum": 0.9}),
        Case("nesterov off", {**SMALL, "momentum": 0.5, "nesterovs_momentum": False}),
        Case("adagrad", {**SMALL, "solver": "adagrad"}),
        Case("rmsprop", {**SMALL, "solver": "rmsprop"}, classes=2),
        Case("adam", {**SMALL, "solver": "adam"}, classes=4),
        Case("adamw", {**SMALL, "solver": "adamw", "alpha": 1e-3}),
        Case("adam in batches", {**SMALL, "solver": "adam", "batch_size": 16}),
        Case("batches and momentum", {**SMALL, "batch_size": 7, "momentum": 0.9, "alpha": 1e-3}),
        Case(
            "two threads",
            {**SMALL, "hidden_layer_sizes": (64, 64), "batch_size": 64, "n_threads": 2},
            n_rows=1500,
            seconds=1e-4,
        ),
        Case("dropout", {**SMALL, "dropout": 0.3, "hidden_layer_sizes": (20,)}),
        Case(
            "dropout, adam, batches", {**SMALL, "dropout": 0.2, "solver": "adam", "batch_size": 8}
        ),
        Case("adaptive", {**SMALL, "learning_rate": "adaptive", "max_iter": 60, "tol": 0.01}),
        Case("invscaling", {**SMALL, "learning_rate": "invscaling", "learning_rate_init": 0.05}),
        Case("one cycle", {**SMALL, "learning_rate": "one_cycle", "solver": "rmsprop"}),
        Case(
            "steps and warmup",
            {
                **SMALL,
                "learning_rate": "step",
                "learning_rate_options": {"step_size": 3, "warmup": 0.2},
            },
        ),
        Case("exponential", {**SMALL, "learning_rate": "exponential", "alpha": 0.01}),
        Case("constant", {**SMALL, "learning_rate": "constant", "max_iter": 60}),
        Case("early stopping by score", {**SMALL, "early_stopping": True, "max_iter": 30}),
        Case(
            "early stopping by class",
            {**SMALL, "early_stopping": True, "learning_rate": "constant", "max_iter": 60},
            classes=3,
        ),
        Case("held out by hand", {**SMALL, "early_stopping": "auto"}, held_out=True),
        Case("held out, ensemble", {"ensemble": 3, "max_iter": 8}, classes=3, held_out=True),
        Case("restarts in lanes", {**SMALL, "n_init": 9}, n_rows=150),
        Case(
            "restarts in lanes that end",
            {**SMALL, "n_init": 12, "learning_rate": "constant", "momentum": 0.5, "max_iter": 90},
            n_rows=80,
        ),
        Case(
            "restarts in lanes that diverge",
            {**SMALL, "n_init": 9, "learning_rate": "one_cycle", "learning_rate_init": 1.0},
            n_rows=80,
        ),
        Case("restarts alone", {**SMALL, "n_init": 3, "hidden_layer_sizes": (200,)}, n_rows=150),
        Case(
            "restarts, adam, held out",
            {**SMALL, "n_init": 3, "solver": "adam", "early_stopping": True},
            classes=3,
        ),
        Case("csr", {**SMALL, "standardize": False}, sparse=True),
        Case("csr, momentum", {**SMALL, "momentum": 0.9}, sparse=True, classes=3),
        Case("csr, adagrad", {**SMALL, "solver": "adagrad"}, sparse=True, weights=True),
        Case("csr in batches", {**SMALL, "batch_size": 16, "solver": "adam"}, sparse=True),
        Case("float32", {**SMALL, "momentum": 0.9}, dtype="float32", classes=3),
        Case("weights", {**SMALL}, weights=True, classes=3),
        Case("in the order given", {**SMALL, "shuffle": False}, names=True),
        Case("warm start", {**SMALL, "warm_start": True, "solver": "adam"}, warm=True),
        Case(
            "warm start, held out",
            {**SMALL, "warm_start": True, "early_stopping": True, "momentum": 0.5},
            warm=True,
            classes=3,
        ),
        Case("gaps", {**SMALL, "missing": "indicator"}, gaps=True),
        Case("several outputs", {**SMALL, "hidden_layer_sizes": (8, 4)}, outputs=3),
        Case("counts", {**SMALL, "loss": "poisson", "solver": "rmsprop"}),
        Case("no hidden layer", {**SMALL, "hidden_layer_sizes": ()}),
        Case(
            "one that diverges",
            {**SMALL, "learning_rate": "one_cycle", "learning_rate_init": 0.3, "max_iter": 40},
        ),
        Case(
            "short epochs together that diverge",
            {**SMALL, "learning_rate": "one_cycle", "learning_rate_init": 0.5, "max_iter": 40},
            n_rows=60,
            seconds=1e-5,
        ),
        Case(
            "a huge epoch",
            {**SMALL, "hidden_layer_sizes": (60,), "max_iter": 2, "momentum": 0.5},
            n_rows=20_000,
            seconds=1e-3,
        ),
        Case(
            "a huge epoch in lanes",
            {**SMALL, "n_init": 8, "max_iter": 2},
            n_rows=10_000,
            seconds=2e-4,
        ),
        Case(
            "patience without end",
            {**SMALL, "n_iter_no_change": math.inf, "learning_rate": "constant"},
        ),
    ]


CASES = {case.name: case for case in cases()}
