"""`Recording` as a tree."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..network import Network
from ..network.construction import float_dtype
from ..network.network import made_with
from ..recording.recorder import Snapshot
from ..recording.recording import Recording
from ..trace.inspected import InspectedModel, Names
from .fields import Fields, finite, not_nan
from .of_networks import network_of, network_state, network_tree
from .of_streams import solver_of, solver_tree

ARRAYS = ("epochs", "running_losses", "losses")


def to_tree(recording: Recording) -> dict[str, Any]:
    """Return a recording as a tree."""
    return {
        "names": {
            "features": list(recording.names.features),
            "outputs": list(recording.names.outputs),
        },
        "solver": solver_tree(recording.solver),
        "every": int(recording.every),
        "n_steps": int(recording.n_steps),
        "epoch_losses": list(map(float, recording.epoch_losses)),
        "steps": recording.steps.astype(np.int64),
        **{name: np.asarray(getattr(recording, name), np.float64) for name in ARRAYS},
        "gradient_norms": np.asarray(recording.gradient_norms, np.float64),
        "probe_X": recording.probe_X,
        "probe_y": np.asarray(recording.probe_y),
        "note": recording.note,
        "snapshots": [
            _snapshot_tree(snapshot, rows, following)
            for snapshot, rows, following in zip(
                recording._snapshots, recording.rows, recording._next, strict=True
            )
        ],
    }


def _snapshot_tree(
    snapshot: Snapshot, rows: Any, following: InspectedModel | None
) -> dict[str, Any]:
    tree = {
        "network": network_tree(snapshot.network()),
        "step": int(snapshot.step),
        "rows": np.asarray(rows, np.int64),
        "loss_sum": float(snapshot.loss_sum),
        "weight": float(snapshot.weight),
        "learning_rate": float(snapshot.learning_rate),
        "next": None,
    }
    if following is not None:
        weight = following.sample_weight
        tree["next"] = {
            "X": np.asarray(following.X),
            "y": np.asarray(following.y),
            "sample_weight": None if weight is None else np.asarray(weight, np.float64),
        }
    return tree


# -- back ------------------------------------------------------------------------------------------


def from_tree(tree: Fields, name: str) -> Recording:
    """Return the recording of a tree."""
    snapshots = tree.all_fields("snapshots")
    if not snapshots:
        tree.refuse("snapshots", "must not be empty")
    first, n = network_of(snapshots[0].fields("network")), len(snapshots)
    solver, names = solver_of(tree.fields("solver")), _names(tree.fields("names"), first)
    dtype, n_in, n_out = first.dtype, first.layer_sizes[0], first.layer_sizes[-1]
    probe_X = tree.array("probe_X", dtype, (None, n_in), finite)
    note = tree.text("note")
    kept = [_snapshot(one, first) for one in snapshots]
    return Recording(
        layer_sizes=first.layer_sizes,
        activation=(*first.activation, first.out_activation),
        loss_name=first.loss_name,
        dtype=first.dtype.name,
        names=names,
        solver=solver,
        every=tree.whole("every", at_least=1),
        n_steps=tree.whole("n_steps"),
        epoch_losses=tree.items("epoch_losses", float),
        steps=tree.array("steps", np.int64, (n,), lambda steps: steps >= 0),
        **{name: tree.array(name, np.float64, (n,)) for name in ARRAYS},
        gradient_norms=tree.array("gradient_norms", np.float64, (n, len(first.weights)), not_nan),
        probe_X=probe_X,
        probe_y=tree.array("probe_y", dtype, (len(probe_X), n_out), finite),
        note=note,
        rows=[one.rows for one in kept],
        _snapshots=kept,
        _next=[_next(one.optional("next"), first, solver, names, note) for one in snapshots],
    )


def stored_network_of(tree: Fields, name: str) -> Network:
    """Return the network at the end of a recording, in its own units."""
    snapshots = tree.all_fields("snapshots")
    if not snapshots:
        tree.refuse("snapshots", "must not be empty")
    return network_of(snapshots[-1].fields("network"))


def _names(fields: Fields, network: Network) -> Names:
    features, outputs = fields.items("features", str), fields.items("outputs", str)
    if len(features) != network.layer_sizes[0] or len(outputs) != network.layer_sizes[-1]:
        fields.refuse("features", "and outputs must fit the network")
    return Names(tuple(features), tuple(outputs))


def _snapshot(fields: Fields, first: Network) -> Snapshot:
    saved = network_state(fields.fields("network"))
    if any(saved[name] != getattr(first, name) for name in ("dtype", "layer_sizes")):
        fields.refuse("network", "must be like the first")
    found = Snapshot(
        fields.whole("step"),
        saved,
        fields.array("rows", np.int64, (None,), lambda rows: rows >= 0),
        fields.number("loss_sum", may_be_nan=True),
        fields.number("weight", may_be_nan=True),
        fields.number("learning_rate"),
    )
    if made_with(found.network()) != made_with(first):
        fields.refuse("network", "must be like the first")
    return found


def _next(
    fields: Fields | None, network: Network, solver: Any, names: Names, note: str
) -> InspectedModel | None:
    """Return the row of the step that follows a snapshot."""
    if fields is None:
        return None
    dtype = float_dtype(network.dtype)
    X = fields.array("X", dtype, (1, network.layer_sizes[0]), finite)
    y = fields.array("y", dtype, (1, network.layer_sizes[-1]), finite)
    weight = fields.optional_array("sample_weight", np.float64, (1,), finite)
    return InspectedModel(network, X, y, weight, solver, names, note=note)
