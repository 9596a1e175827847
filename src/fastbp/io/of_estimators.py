"""`BackpropClassifier` and `BackpropRegressor` as trees."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from ..estimators import BackpropClassifier, BackpropRegressor
from ..estimators.base import Backprop
from ..estimators.defaults import Settings
from ..estimators.gaps import Gaps
from ..estimators.units import RunningUnits, Units
from ..network import Network
from ..network.scaling import Moments, NonzeroMoments
from ..training.run import History
from ..training.stopping import Ending
from .fields import Fields, above_zero, not_nan, not_negative
from .of_networks import (
    check_n_columns,
    classes_of,
    feature_names_of,
    gaps_arrays,
    network_of,
    network_tree,
    scaling_of,
    scaling_tree,
)
from .of_parameters import parameters_of, parameters_tree
from .of_random import random_state_of, random_tree

CLASSES = {"BackpropClassifier": BackpropClassifier, "BackpropRegressor": BackpropRegressor}
# What scikit-learn keeps in an estimator that cannot be stored, and what users call it.
NOT_STORED = {"_skl_callbacks": "callbacks", "_metadata_request": "metadata requests"}
ENDINGS = get_args(Ending)
FLOATS = (float, np.float64)
COLUMNS = ("epoch", "rows", "loss", "score", "seconds")  # of `stream_history_`
MOMENTS, ROWS = 4, 6  # numbers of a column: see `RowUnits`


def to_tree(model: Backprop) -> dict[str, Any]:
    """Return a fitted estimator as a tree."""
    model._check_is_fitted()
    for name, what in NOT_STORED.items():
        if getattr(model, name, None):
            raise TypeError(f"{what} cannot be stored: save a model without them, such as a clone")
    parameters = parameters_tree(model, model._get_param_names())
    model._check_parameters(incremental=False)  # which is done when it is loaded
    return {"parameters": parameters, "fitted": _fitted_tree(model)}


def _fitted_tree(model: Backprop) -> dict[str, Any]:
    own = vars(model)
    names, dead = own.get("feature_names_in_"), [list(map(int, one)) for one in model._dead]
    random: Any = "random_state"  # which goes on where training has left it
    if model._random_state is not model.random_state:
        random = random_tree(model._random_state)
    return {
        "network": network_tree(model.network_),
        "n_features": int(model.n_features_in_),
        "feature_names": None if names is None else [str(name) for name in names],
        "classes": own.get("classes_"),
        "gaps": _gaps_tree(model._gaps),
        "units": _units_tree(model._units),
        "history": _history_tree(model._history),
        "settings": _settings_tree(model._settings),
        "ending": model._ending,
        "dead_units": dead,
        "random": random,
        "seed": int(model._seed),
        "n_joined": int(model._n_joined),
        "rate": float(model._rate),
        "rate_factor": float(model._rate_factor),
        "init_losses": own.get("init_losses_"),
        "best_init": None if "best_init_" not in own else int(own["best_init_"]),
        "stream_history": own.get("stream_history_"),
    }


def _gaps_tree(gaps: Gaps | None) -> dict[str, Any] | None:
    if gaps is None:
        return None
    return {**vars_of(gaps), "features": gaps.features.astype(np.int64)}


def vars_of(one: Any) -> dict[str, Any]:
    """Return the fields of a dataclass by name, without those that it caches."""
    return {field.name: getattr(one, field.name) for field in dataclasses.fields(one)}


def _history_tree(history: History) -> dict[str, Any]:
    tree = vars_of(history)
    for name, value in tree.items():
        if isinstance(value, list):
            kind = int if name in ("rows", "validation_epochs") else float
            tree[name] = list(map(kind, value))
    return {**tree, "best_loss": float(history.best_loss), "n_rows": int(history.n_rows)}


def _settings_tree(settings: Settings) -> dict[str, Any]:
    tree = vars_of(settings)
    return {
        **tree,
        "hidden_layer_sizes": list(map(int, settings.hidden_layer_sizes)),
        "n_iter_no_change": float(settings.n_iter_no_change),
    }


def _units_tree(units: Units | None) -> dict[str, Any] | None:
    if units is None:
        return None
    tree = {
        "inputs": scaling_tree(units.inputs),
        "targets": scaling_tree(units.targets),
        "loss": units.loss,
        "limit": float(units.limit),
    }
    if isinstance(units, RunningUnits):
        return {**tree, "running": _running_tree(units)}
    return {**tree, "running": None, "most": units.most, "constant": units.constant}


def _running_tree(units: RunningUnits) -> dict[str, Any]:
    saved = units.saved()
    inputs, targets = saved["moments"]
    tree: dict[str, Any] = {"dtype": saved["dtype"].name, "weight": None, "nonzeros": None}
    if isinstance(inputs, NonzeroMoments):
        tree["nonzeros"] = vars_of(inputs)
        if targets is not None:
            tree["targets"] = {"weight": float(targets.weight), "moments": targets.stacked()}
        return {"targets": None, **tree}
    weight, of_inputs, of_targets = saved["rows"]
    return {**tree, "weight": float(weight), "inputs": of_inputs, "targets": of_targets}


# -- back ------------------------------------------------------------------------------------------


def from_tree(tree: Fields, name: str) -> Backprop:
    """Return the estimator of a tree."""
    kind: Any = CLASSES[name]
    model: Backprop = kind(**parameters_of(tree.fields("parameters"), kind._get_param_names()))
    model._check_parameters(incremental=False)
    fields = tree.fields("fitted")
    network = network_of(fields.fields("network"))
    model.__dict__.update(_fitted(fields, network, model))
    if "classes_" in model.__dict__:
        if kind is not BackpropClassifier:
            fields.refuse("classes", "must be missing in a regressor")
    elif kind is not BackpropRegressor or network.loss_name == "log_loss":
        fields.refuse("classes", "must be there in a classifier, and in no other model")
    return model


def _fitted(fields: Fields, network: Network, model: Backprop) -> dict[str, Any]:
    """Return the fitted attributes by name."""
    n_features = fields.whole("n_features", at_least=1)
    gaps = _gaps(fields.optional("gaps"), n_features)
    marked = None if gaps is None else gaps.features
    check_n_columns(fields, n_features, marked, network.layer_sizes[0])
    ending = fields.value("ending")
    if ending is not None:
        ending = fields.text("ending", ENDINGS)
    found = {
        "network_": network,
        "n_features_in_": n_features,
        "_gaps": gaps,
        "_units": _units(fields.optional("units"), network),
        "_history": _history(fields.fields("history")),
        "_settings": _settings(fields.fields("settings")),
        "_ending": ending,
        "_dead": _dead(fields),
        "_random_state": _random(fields, model),
        "_seed": fields.whole("seed", most=2**32 - 1),
        "_n_joined": fields.whole("n_joined", at_least=1),
        "_rate": fields.number("rate", above=0, finite=True),
        "_rate_factor": fields.number("rate_factor", above=0, finite=True),
    }
    return found | _optional(fields, network, n_features)


def _optional(fields: Fields, network: Network, n_features: int) -> dict[str, Any]:
    """Return the attributes that not every model has."""
    found: dict[str, Any] = {}
    names, classes = feature_names_of(fields, n_features), classes_of(fields, network)
    if names is not None:
        found["feature_names_in_"] = np.array(names, object)
    if classes is not None:
        found["classes_"] = classes
    if fields.value("init_losses") is not None:
        losses = fields.array("init_losses", np.float64, (None,))
        found["init_losses_"] = losses
        found["best_init_"] = fields.whole("best_init", most=max(0, len(losses) - 1))
    if fields.value("stream_history") is not None:
        history = fields.fields("stream_history")
        found["stream_history_"] = {
            name: history.items(name, (int, *FLOATS)) for name in history.tree if name in COLUMNS
        }
    return found


def _random(fields: Fields, model: Backprop) -> np.random.RandomState:
    if fields.value("random") != "random_state":
        return random_state_of(fields.value("random"), "fitted.random")
    if type(model.random_state) is not np.random.RandomState:
        fields.refuse("random", "is no generator")
    random: np.random.RandomState = model.random_state
    return random


def _dead(fields: Fields) -> list[tuple[int, int]]:
    pairs = fields.items("dead_units", list)
    if not all(len(one) == 2 and all(type(n) is int and n >= 0 for n in one) for one in pairs):
        fields.refuse("dead_units", "must hold pairs of numbers")
    return [(n_dead, n_units) for n_dead, n_units in pairs]


def _gaps(fields: Fields | None, n_features: int) -> Gaps | None:
    if fields is None:
        return None
    means, features = gaps_arrays(fields, n_features)
    weights = fields.optional_array("weights", np.float64, (n_features,), not_negative)
    return Gaps(features, means, weights)


def _history(fields: Fields) -> History:
    curve = fields.items("loss_curve", float)
    gaps = fields.value("gaps")
    if type(gaps) is not dict or not all(
        type(position) is type(n) is int and 0 <= position < len(curve) and 0 < n < 2**53
        for position, n in gaps.items()
    ):
        fields.refuse("gaps", "must say how many losses are left out")
    found: dict[str, Any] = {
        "loss_curve": curve,
        "best_loss": fields.number("best_loss", may_be_nan=True),
        "n_kept": fields.whole("n_kept", most=len(curve)),
        "gaps": gaps,
    }
    for name in ("n_rows", "n_before", "n_epochs"):
        found[name] = fields.whole(name)
    for name in ("rates", "seconds", "gradient_norms", "validation_losses", "validation_scores"):
        found[name] = fields.items(name, float)
    for name in ("rows", "validation_epochs"):
        found[name] = fields.items(name, int)
    if len({len(found[name]) for name in found if name.startswith("validation")}) > 1:
        fields.refuse("validation_epochs", "must be as many as losses and scores")
    return History(**found)


def _settings(fields: Fields) -> Settings:
    found: dict[str, Any] = {
        "hidden_layer_sizes": tuple(fields.items("hidden_layer_sizes", int)),
        "n_networks": fields.whole("n_networks", at_least=1),
        "max_iter": fields.whole("max_iter", at_least=1),
        "n_iter_no_change": fields.number("n_iter_no_change", above=0),
    }
    if found["n_iter_no_change"] < math.inf and found["n_iter_no_change"].is_integer():
        found["n_iter_no_change"] = int(found["n_iter_no_change"])
    for name in ("holds_out", "by_validation", "by_loss", "is_fit"):
        found[name] = fields.flag(name)
    return Settings(**found)


def _units(fields: Fields | None, network: Network) -> Units | None:
    if fields is None:
        return None
    n_in, n_out = network.layer_sizes[0], network.layer_sizes[-1]
    loss, limit = fields.text("loss", (network.loss_name,)), fields.number("limit", above=0)
    inputs = scaling_of(fields.fields("inputs"), n_in)
    targets = scaling_of(fields.optional("targets"), n_out)
    assert inputs is not None
    if (targets is None) != (loss == "log_loss"):
        fields.refuse("targets", "must be scaled if they are numbers")
    running = fields.optional("running")
    if running is not None:
        return _running(running, network, loss, limit)
    most = fields.optional_array("most", np.float64, (n_out,), above_zero)
    constant = fields.optional_array("constant", bool, (n_out,))
    return Units(inputs, targets, loss, limit, most, constant)


def _running(fields: Fields, network: Network, loss: str, limit: float) -> RunningUnits:
    n_in, n_out = network.layer_sizes[0], network.layer_sizes[-1]
    has_targets, dtype = loss != "log_loss", np.dtype(fields.text("dtype", ("float32", "float64")))
    nonzeros = fields.optional("nonzeros")
    if nonzeros is None:
        weight = fields.number("weight", above=0, finite=True)
        inputs = fields.array("inputs", np.float64, (ROWS, n_in), _can_scale)
        targets = None
        if has_targets:
            targets = fields.array("targets", np.float64, (ROWS, n_out), _can_scale)
        return RunningUnits.of_rows(weight, inputs, targets, loss, limit, dtype)
    names = [field.name for field in dataclasses.fields(NonzeroMoments)]
    moments = NonzeroMoments(
        *(nonzeros.array(name, np.float64, (n_in,), not_negative) for name in names)
    )
    of_targets = None
    if has_targets:
        own = fields.fields("targets")
        rows = own.array("moments", np.float64, (MOMENTS, n_out), not_nan)
        of_targets = Moments(own.number("weight", above=0, finite=True), *rows)
    return RunningUnits((moments, of_targets), loss, limit, dtype)


def _can_scale(rows: NDArray[Any]) -> Any:
    """Return whether moments, and a center and a scale below them, are numbers that can be."""
    center, scale = rows[MOMENTS:]
    return not_nan(rows) & np.isfinite(center) & (scale > 0)
