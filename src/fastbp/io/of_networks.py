"""`Network` as a tree, and `StoredNetwork`: the network of any model, with its units and names."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from ..network import Network
from ..network.checks import check_layer_sizes
from ..network.construction import float_dtype
from ..network.rules import RULES
from ..network.scaling import Scaling
from ..network.stored import StoredNetwork
from ..network.tables import LOSS_PARAMETERS
from .fields import Fields, above_zero, finite


def to_tree(network: Network) -> dict[str, Any]:
    """Return a `Network` or `StoredNetwork` as a tree."""
    if isinstance(network, StoredNetwork):
        return _stored_tree(network)
    return {"network": network_tree(network)}


def from_tree(tree: Fields, name: str) -> Network:
    """Return the network of a tree."""
    if name == "StoredNetwork":
        return stored_network_of(tree, name)
    return network_of(tree.fields("network"))


def network_tree(network: Network) -> dict[str, Any]:
    """Return a network with all that training changes."""
    state = Network.__getstate__(network)
    return {
        "layer_sizes": list(state["layer_sizes"]),
        "activation": list(state["activation"]),
        "out_activation": state["out_activation"],
        "loss": state["loss_name"],
        **{name: state[name] for name in LOSS_PARAMETERS},
        "dtype": state["dtype"],
        **_layers(state["parameters"]),
        "n_samples": state["n_samples"],
        "moments": {
            rule: {"n_steps": n_steps, **{name: _layers(one) for name, one in arrays.items()}}
            for rule, (n_steps, arrays) in state["moments"].items()
        },
    }


def _layers(arrays: list[Any]) -> dict[str, Any]:
    return {"weights": arrays[0::2], "biases": arrays[1::2]}


def network_of(fields: Fields, kind: type[Network] = Network) -> Network:
    """Return the network of a tree."""
    network = kind.__new__(kind)
    Network.__setstate__(network, network_state(fields))
    return network


def network_state(fields: Fields) -> dict[str, Any]:
    """Return what `Network.__setstate__` takes; the arrays fit the sizes of the layers."""
    dtype = float_dtype(fields.text("dtype", ("float32", "float64")))
    sizes = check_layer_sizes(fields.items("layer_sizes", int), dtype.itemsize)
    return {
        "dtype": dtype,
        "layer_sizes": sizes,
        "activation": tuple(fields.items("activation", str)),
        "out_activation": fields.text("out_activation"),
        "loss_name": fields.text("loss"),
        **{name: fields.number(name) for name in LOSS_PARAMETERS},
        "n_samples": fields.whole("n_samples"),
        "parameters": _arrays(fields, sizes, dtype),
        "moments": dict(_moments(fields.fields("moments"), sizes, dtype)),
    }


def _moments(fields: Fields, sizes: tuple[int, ...], dtype: Any) -> Any:
    for rule in fields.tree:
        own = fields.fields(rule)
        names = RULES[rule].moments if rule in RULES else ()
        if not names or set(own.tree) != {"n_steps", *names}:
            fields.refuse(rule, "is what no solver keeps")
        arrays = {name: _arrays(own.fields(name), sizes, dtype) for name in names}
        yield rule, (own.whole("n_steps"), arrays)


def _arrays(fields: Fields, sizes: tuple[int, ...], dtype: Any) -> list[Any]:
    """Return weights and biases in turn."""
    weights = fields.arrays("weights", dtype, list(itertools.pairwise(sizes)))
    biases = fields.arrays("biases", dtype, [(size,) for size in sizes[1:]])
    return [array for pair in zip(weights, biases, strict=True) for array in pair]


# -- with units and names --------------------------------------------------------------------------


def scaling_tree(scaling: Scaling | None) -> dict[str, Any] | None:
    """Return a scaling, or None."""
    if scaling is None:
        return None
    return {"center": scaling.center, "scale": scaling.scale, "limit": float(scaling.limit)}


def scaling_of(fields: Fields | None, n_columns: int) -> Scaling | None:
    """Return the scaling of so many columns, or None."""
    if fields is None:
        return None
    center = fields.array("center", np.float64, (n_columns,), finite)
    scale = fields.array("scale", np.float64, (n_columns,), above_zero)
    return Scaling(center, scale, fields.number("limit", above=0))


def _stored_tree(network: StoredNetwork) -> dict[str, Any]:
    """Return a `StoredNetwork`, in the words of the files of estimators."""
    gaps = None
    if network.fill_values is not None:
        gaps = {"means": network.fill_values, "features": network.marked_features}
    units = None
    if network.input_scaling is not None:
        inputs, targets = map(scaling_tree, (network.input_scaling, network.target_scaling))
        units = {"inputs": inputs, "targets": targets}
    names = network.feature_names
    return {
        "fitted": {
            "network": network_tree(network),
            "n_features": network.n_features,
            "feature_names": None if names is None else list(names),
            "classes": network.classes,
            "gaps": gaps,
            "units": units,
        }
    }


def stored_network_of(tree: Fields, name: str) -> StoredNetwork:
    """Return the network of an estimator's file, or of its own, with its units and names."""
    if name == "Network":
        network = network_of(tree.fields("network"), StoredNetwork)
        assert isinstance(network, StoredNetwork)
        network.n_features = network.layer_sizes[0]
        return network
    fields = tree.fields("fitted")
    network = network_of(fields.fields("network"), StoredNetwork)
    assert isinstance(network, StoredNetwork)
    n_in, n_out = network.layer_sizes[0], network.layer_sizes[-1]
    network.n_features = fields.whole("n_features", at_least=1)
    network.feature_names = feature_names_of(fields, network.n_features)
    gaps, units = fields.optional("gaps"), fields.optional("units")
    if gaps is not None:
        network.fill_values, network.marked_features = gaps_arrays(gaps, network.n_features)
    check_n_columns(fields, network.n_features, network.marked_features, n_in)
    if units is not None:
        network.input_scaling = scaling_of(units.fields("inputs"), n_in)
        network.target_scaling = scaling_of(units.optional("targets"), n_out)
    network.classes = classes_of(fields, network)
    return network


def check_n_columns(fields: Fields, n_features: int, marked: Any, n_in: int) -> None:
    """Refuse features, and marks of missing ones, that are not the inputs of the network."""
    if n_features + (0 if marked is None else len(marked)) != n_in:
        fields.refuse("n_features", f"does not fit the {n_in} inputs of the network")


def feature_names_of(fields: Fields, n_features: int) -> tuple[str, ...] | None:
    """Return the names of the features, or None."""
    if fields.value("feature_names") is None:
        return None
    names = fields.items("feature_names", str)
    if len(names) != n_features:
        fields.refuse("feature_names", f"must hold {n_features} names")
    fields.keys("feature_names", names)
    return tuple(names)


def gaps_arrays(fields: Fields, n_features: int) -> tuple[Any, Any]:
    """Return what stands for missing values, and which inputs have marks."""
    means = fields.array("means", np.float64, (n_features,), finite)
    features = fields.value("features")
    features = fields.checked_array(
        "features", features, np.int64, (None,), lambda one: (one >= 0) & (one < n_features)
    )
    if (np.diff(features) <= 0).any():
        fields.refuse("features", "must be in order")
    return means, features.astype(np.intp)


def classes_of(fields: Fields, network: Network) -> Any:
    """Return the labels of a network's outputs, or None."""
    classes = fields.value("classes")
    if classes is None:
        return None
    if type(classes) is not np.ndarray or classes.ndim != 1:
        fields.refuse("classes", "must be an array of labels")
    n_out = network.layer_sizes[-1]
    if len(classes) != max(2, n_out) or network.loss_name != "log_loss":
        fields.refuse("classes", f"do not fit the {n_out} outputs of the network")
    labels = classes.tolist()
    if any(label is None or label != label for label in labels):
        fields.refuse("classes", "must not be missing")
    if len({isinstance(label, str) for label in labels}) > 1:
        fields.refuse("classes", "must be of one type")
    fields.keys("classes", labels)
    return classes
