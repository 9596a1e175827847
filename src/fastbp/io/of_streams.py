"""`OnlineClassifier` and `OnlineRegressor` as trees."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import numpy as np

from ..network import Network, Solver
from ..network.checks import check_number, check_whole
from ..network.network import made_with
from ..online import OnlineClassifier, OnlineRegressor
from ..online.experts import NUMBERS_A_COLUMN, Expert, Experts, Kind
from ..online.labels import Labels
from ..online.model import OnlineModel
from ..online.names import Key, Names
from ..online.state import BUFFERS, MOST_EXPERTS
from .fields import Fields, finite
from .of_networks import network_of, network_tree
from .of_parameters import parameters_of, parameters_tree

CLASSES = {"OnlineClassifier": OnlineClassifier, "OnlineRegressor": OnlineRegressor}
LABELS = (str, bool, int, float)
NAMES = (str, int, float)
COUNTERS = ("n_steps", "recent_loss", "typical_error")  # of `_core.Expert`, and `watched`
WATCHED = ("n", "slow_loss", "fast_loss", "variance")
BITS = 2**64


def to_tree(model: OnlineModel) -> dict[str, Any]:
    """Return a model of a stream as a tree, whatever it has learned."""
    state = model.__getstate__()
    tree = {"parameters": parameters_tree(model, model._parameters), "learned": None}
    if "_state_of_loop" not in state:
        return tree
    n_rows, random, past = state["_state_of_loop"]
    labels, form = state["_labels"], state.get("_form", float)
    tree["learned"] = {
        "n_rows": int(n_rows),
        "random": int(random),
        "past": past,
        "names": _names_tree(state["_names"]),
        "labels": None if labels is None else list(labels.order),
        "targets": list(form) if isinstance(form, tuple) else form.__name__,
        "n_targets": int(state.get("_n_targets", 1)),
        "seed": int(state["_experts"].seed),
        "inputs": state["_experts"].inputs,
        "outputs": state["_experts"].outputs,
        "experts": [_expert_tree(expert) for expert in state["_experts"].all],
    }
    return tree


def _names_tree(names: Names) -> dict[str, Any]:
    return {
        "n_hashed": names.n_hashed,
        "names": [None if key is None else key[0] for key in names.keys],
        "texts": [None if key is None else key[1] for key in names.keys],
        "free": list(names.free),
        "n_changes": names.n_changes,
    }


def _expert_tree(expert: Expert) -> dict[str, Any]:
    kind = {
        field.name: getattr(expert.kind, field.name) for field in dataclasses.fields(expert.kind)
    }
    counters = expert.__getstate__()["counters"]
    return {
        "kind": {**kind, "solver": solver_tree(expert.kind.solver)},
        "network": network_tree(expert.network),
        "average": None if expert.average is None else network_tree(expert.average),
        **dict(zip(COUNTERS, counters[:3], strict=True)),
        "watched": dict(zip(WATCHED, map(float, counters[3]), strict=True)),
    }


def solver_tree(solver: Solver) -> dict[str, Any]:
    """Return a solver by the names of its options."""
    tree = solver.__getstate__()
    dropout = solver.dropout
    if not isinstance(dropout, (int, float)):
        tree["dropout"] = list(map(float, dropout))
    return {name: value.item() if hasattr(value, "item") else value for name, value in tree.items()}


def solver_of(fields: Fields) -> Solver:
    """Return the solver of a tree."""
    known = [field.name for field in dataclasses.fields(Solver)]
    for name in fields.tree:
        kinds = (int, float, str, bool, list) if name == "dropout" else (int, float, str, bool)
        if name not in known or type(fields.value(name)) not in kinds:
            fields.refuse(name, "is no option of a solver")
    fields.number("learning_rate", above=0)
    return Solver(**fields.tree)


# -- back ------------------------------------------------------------------------------------------


def from_tree(tree: Fields, name: str) -> OnlineModel:
    """Return the model of a tree."""
    kind: Any = CLASSES[name]
    own = tree.fields("parameters")
    model: OnlineModel = kind(**parameters_of(own, kind()._parameters))
    _check_parameters(own, model)
    learned = tree.optional("learned")
    if learned is not None:
        model.__setstate__(vars(model) | _learned(learned, model))
    return model


def stored_network_of(tree: Fields, name: str) -> Network:
    """Return a network of a stream's model, in its own units; of several the fast one."""
    model = from_tree(tree, name)
    if not model.is_started:
        tree.refuse("learned", "is missing: no row was learned, so there is no network yet")
    hidden = (number for number, one in enumerate(model._experts.all) if one.kind.has_hidden)
    return model._network_in_use(next(hidden, 0), model._sizes_in_use())


def _check_parameters(fields: Fields, model: Any) -> None:
    """Refuse parameters that the first row would refuse, as far as later ones need them."""
    if model.drift_detector is not None:
        fields.refuse("drift_detector", "must be missing")
    if model.missing not in ("error", "mean") or model.buffer not in BUFFERS:
        fields.refuse("buffer", "or missing is not known here")
    check_whole("buffer_size", model.buffer_size, at_least=0)
    for name in ("max_features", "max_classes", "hashed_features"):
        if getattr(model, name, None) is not None:
            check_whole(name, getattr(model, name))
    if hasattr(model, "quantile"):
        check_number("quantile", model.quantile, above=0, below=1)


def _learned(fields: Fields, model: Any) -> dict[str, Any]:
    """Return what `__setstate__` takes, besides the parameters."""
    experts, labels = _experts(fields), _labels(fields, model)
    names = _names(fields.fields("names"), model)
    if (labels is None) != isinstance(model, OnlineRegressor):
        fields.refuse("labels", "must be there for classes alone")
    for expert in experts.all:
        if expert.network.loss_name != getattr(model, "loss", "log_loss"):
            fields.refuse("experts", "do not learn such targets")
    n_rows, random = fields.whole("n_rows"), fields.whole("random", most=BITS - 1)
    state = {
        "_experts": experts,
        "_names": names,
        "_labels": labels,
        "_n_targets": 1,
        "_state_of_loop": (n_rows, random, _past(fields.fields("past"))),
    }
    if labels is None:
        form = _form(fields)
        state["_n_targets"] = fields.whole("n_targets", at_least=1)
        n = len(form) if isinstance(form, tuple) else 1 if form is float else state["_n_targets"]
        if n != state["_n_targets"]:
            fields.refuse("n_targets", f"must be {n}")
        state["_form"] = form
    return state


def _form(fields: Fields) -> Any:
    """Return what targets are given as: float, list, or the names of a dict."""
    form = fields.value("targets")
    if form in ("float", "list"):
        return {"float": float, "list": list}[form]
    names = fields.items("targets")
    fields.keys("targets", names)
    return tuple(names)


def _labels(fields: Fields, model: Any) -> Labels | None:
    if fields.value("labels") is None:
        return None
    order = fields.items("labels", LABELS)
    if len(set(map(type, order))) > 1 or any(label != label for label in order):
        fields.refuse("labels", "must be of one type")
    fields.keys("labels", order)
    labels = Labels(getattr(model, "max_classes", None))
    for label in order:
        labels.add(label)
    return labels


def _names(fields: Fields, model: Any) -> Names:
    hashed = fields.value("n_hashed")
    if hashed != model.hashed_features:
        fields.refuse("n_hashed", "must be hashed_features")
    names = Names(None if hashed is None else fields.whole("n_hashed", at_least=2))
    given = fields.items("names", (*NAMES, type(None)))
    texts, free = fields.items("texts", (str, type(None))), fields.items("free", int)
    if len(texts) != len(given) or (hashed is not None and given):
        fields.refuse("texts", "must be as many as names")
    keys: list[Key | None] = [
        None if name is None else (name, text) for name, text in zip(given, texts, strict=True)
    ]
    fields.keys("names", [key for key in keys if key is not None])
    numbers = sorted(key[0] for key in keys if key is not None and not isinstance(key[0], str))
    fields.keys("names", [name for name, _ in itertools.groupby(numbers)])
    if sorted(free) != [column for column, key in enumerate(keys) if key is None]:
        fields.refuse("free", "must list the columns without a name")
    for column, key in enumerate(keys):
        if key is not None:
            _put(names, key, column)
    names.keys, names.free = keys, free
    names.n_changes = fields.whole("n_changes")
    return names


def _put(names: Names, key: Key, column: int) -> None:
    name, text = key
    if text is None:
        names.numbers[name] = column
    else:
        names.texts.setdefault(name, {})[text] = column


def _experts(fields: Fields) -> Experts:
    """Return the networks, and what is known of their inputs and outputs."""
    experts = Experts.__new__(Experts)
    experts.seed = fields.whole("seed", most=BITS - 1)
    trees = fields.all_fields("experts")
    if not 1 <= len(trees) <= MOST_EXPERTS:
        fields.refuse("experts", f"must be 1 to {MOST_EXPERTS}")
    experts.all = [_expert(one, experts.seed) for one in trees]
    experts.inputs = fields.array("inputs", np.float64, (None, NUMBERS_A_COLUMN), finite)
    experts.outputs = fields.array("outputs", np.float64, (None, NUMBERS_A_COLUMN), finite)
    return experts


def _expert(fields: Fields, seed: int) -> Expert:
    kind = _kind(fields.fields("kind"))
    network, own = _network(fields.fields("network")), fields.optional("average")
    average = None if own is None else _network(own)
    if (average is None) != (kind.share == 1):
        fields.refuse("average", "must be there if the network takes a mean")
    if average is not None and made_with(average) != made_with(network):
        fields.refuse("average", "must be like the network")
    watched = fields.fields("watched")
    counters = (
        fields.whole("n_steps"),
        *(fields.number(name, finite=True) for name in COUNTERS[1:]),
        tuple(watched.number(name, finite=True) for name in WATCHED),
    )
    expert = Expert.__new__(Expert)
    expert.__setstate__(
        {
            "kind": kind,
            "seed": seed,
            "options": made_with(network, "layer_sizes", "dtype"),
            "network": network,
            "average": average,
            "counters": counters,
        }
    )
    return expert


def _network(fields: Fields) -> Network:
    network = network_of(fields)
    if network.dtype != np.float64 or network.out_activation == "logistic":
        fields.refuse("dtype", "and output do not belong to a stream")
    return network


def _kind(fields: Fields) -> Kind:
    solver = solver_of(fields.fields("solver"))
    if solver.drops_units or solver.batch_size != 1 or solver.by_weight:
        fields.refuse("solver", "must take steps of one row")
    share = fields.number("share", above=0)
    if not share <= 1:
        fields.refuse("share", "must be at most 1")
    return Kind(
        fields.text("name"),
        solver,
        fields.flag("has_hidden"),
        fields.whole("replay", most=2**31 - 1),
        fields.number("margin", finite=True),
        share,
    )


def _past(fields: Fields) -> dict[str, Any]:
    """Return the rows of the past, of which `check_past` looks at the rest."""
    weights = fields.array("weights", np.float64, (None,), lambda one: finite(one) & (one >= 0))
    n_rows = len(weights)
    columns = fields.array("columns", np.int32, (None,))
    return {
        "columns": columns,
        "values": fields.array("values", np.float64, (len(columns),), finite),
        "starts": fields.array(
            "starts", np.int64, (n_rows + 1,), lambda one: (one >= 0) & (one <= len(columns))
        ),
        "weights": weights,
        "targets": fields.array("targets", np.float64, (n_rows, None), finite),
        "oldest": fields.whole("oldest"),
        "n_seen": fields.whole("n_seen"),
    }
