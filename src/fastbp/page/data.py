"""What a page holds, ready for `json.dumps`: steps, of large networks and long training a part."""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._printable import printable
from ..trace import LayerTrace
from ..trace.chain_rule import strongest
from ..trace.to_json import jsonable

MAX_UNITS = 12  # of a layer that are drawn
MAX_BYTES = 1_150_000  # of data; a page has some 0.15 MB besides
FEWEST_FRAMES = 24  # below so many steps, whole networks are left out first, then drawn units
MAX_POINTS = 256  # rows of the 2-D view
MAX_OF_CURVE = 2000  # points of the loss curve, more than a screen has columns for it
BYTES_OF_PLACE = 200  # of a frame: which snapshot it is

DrawnUnits = list[list[int]]  # numbers of the units drawn of each layer, inputs first
Frame = dict[str, Any]


def step_page_data(trace: Any) -> dict[str, Any]:
    """Return what the page of a `StepTrace` holds."""
    shown = _shown([trace])
    frame = _frame(trace, shown)
    whole = None if _is_all(shown, trace) else _packed(trace)
    frame["units"] = _units(trace.units, shown)
    frame["whole"] = whole if whole is not None and len(whole) <= MAX_BYTES else None
    return {**_head("step", trace, shown), "note": trace.note, "frames": [frame]}


def recording_page_data(recording: Any, trace_at: Callable[[int], Any]) -> dict[str, Any]:
    """Return what the page of a `Recording` holds.

    Parameters
    ----------
    recording : Recording
    trace_at : callable
        Snapshot's number to `StepTrace`. For the last one it is a step that training did not take.

    Returns
    -------
    dict
        Of the steps that follow snapshots as many as fit, evenly spaced, first and last included.
    """
    n = len(recording)
    first, last = trace_at(0), trace_at(n - 1)
    shown = _shown([trace_at(k) for k in spread(n, 8)])
    curve, points = _curve(recording), _points(recording, shown)
    room = MAX_BYTES - _n_bytes(curve) - _n_bytes(points)
    needs_whole = not _is_all(shown, first)
    size = max(_n_bytes(_frame(trace, shown)) for trace in (first, last)) + BYTES_OF_PLACE
    with_whole = size + (len(_packed(last)) if needs_whole else 0)
    holds_whole = needs_whole and with_whole * min(n, FEWEST_FRAMES) <= room
    n_max = max(2, room // (with_whole if holds_whole else size))
    frames = []
    for k in spread(n, n_max):
        trace = trace_at(k)
        whole = _packed(trace) if holds_whole else None
        frames.append({**_frame(trace, shown), **_place(recording, k), "whole": whole})
    return {
        **_head("recording", first, shown),
        "note": recording.note,
        "diverged_in": len(recording.epoch_losses) if recording.diverged else None,
        "frames": frames,
        "n_snapshots": n,
        "n_steps": recording.n_steps,
        "curve": curve,
        "points": points,
    }


def _n_bytes(data: Any) -> int:
    return len(json.dumps(data))


def _place(recording: Any, k: int) -> dict[str, Any]:
    """Return where in training snapshot k is, and the rows that follow: their first and number."""
    place: dict[str, Any] = jsonable(
        {
            "snapshot": k,
            "step": recording.steps[k],
            "epoch": recording.epochs[k],
            "probe_loss": recording.losses[k],
            "row": recording.rows[k][0] if len(recording.rows[k]) else None,
            "n_rows": len(recording.rows[k]),
        }
    )
    return place


def _head(kind: str, trace: Any, shown: DrawnUnits) -> dict[str, Any]:
    """Return what is the same for all steps."""
    features, outputs = trace.names.features, trace.names.outputs
    head: dict[str, Any] = jsonable(
        {
            "format": "fastbp.page/1",
            "kind": kind,
            "layer_sizes": trace.layer_sizes,
            "activation": [layer.activation for layer in trace.layers],
            "loss_name": trace.loss_name,
            "loss_parameter": trace.loss_parameter,
            "dtype": trace.dtype,
            "dropout_off": trace.dropout_off,
            "solver": _solver(trace.solver),
            "shown": shown,
            "names": {
                "features": [printable(features[i]) for i in shown[0]],
                "outputs": [printable(outputs[j]) for j in shown[-1]],
            },
        }
    )
    return head


def _solver(solver: Any) -> dict[str, Any]:
    """Return the options of a step, and what the page says of its rule."""
    rule = solver.rule
    texts = {
        "rule": rule.name,
        "kept": rule.moments,
        "formula": rule.text(solver.alpha, solver.nesterov),
    }
    return {**dataclasses.asdict(solver), **texts}


def _shown(traces: Iterable[Any]) -> DrawnUnits:
    """Return the units to draw: those that pass on most in these steps, outputs by their delta."""
    strengths: list[Any] = []
    for trace in traces:
        with np.errstate(over="ignore", invalid="ignore"):  # of weights that are huge
            of_links = [np.abs(layer.x[:, None] * layer.W).sum(axis=1) for layer in trace.layers]
        ones = [*of_links, np.abs(trace.layers[-1].delta)]
        ones = [np.nan_to_num(one.astype(np.float64)) for one in ones]
        strengths = [a + b for a, b in zip(strengths, ones, strict=True)] if strengths else ones
    return [strongest(strength, MAX_UNITS)[0] for strength in strengths]


def _is_all(shown: DrawnUnits, trace: Any) -> bool:
    return [len(units) for units in shown] == list(trace.layer_sizes)


def _frame(trace: Any, shown: DrawnUnits) -> Frame:
    """Return a step, of each layer the units that are drawn."""
    frame: Frame = jsonable(
        {
            "x": trace.x[shown[0]],
            "y": trace.y[shown[-1]],
            "weight": trace.weight,
            "n_steps": trace.n_steps,
            "learning_rate": trace.solver.learning_rate,
            "loss": trace.loss,
            "new_loss": trace.new_loss,
            "refused": trace.refused,
            "layers": [
                _part(layer, shown[layer.layer - 1], shown[layer.layer]) for layer in trace.layers
            ],
        }
    )
    return frame


def _units(units: Any, shown: DrawnUnits) -> dict[str, Any] | None:
    """Return how the row and its target were scaled, of the inputs and outputs that are drawn."""
    if units is None:
        return None
    inputs = {name: getattr(units, name)[shown[0]] for name in ("x", "center", "scale")}
    targets = dict.fromkeys(("y", "target_center", "target_scale"))
    if units.y is not None:
        targets = {name: getattr(units, name)[shown[-1]] for name in targets}
    scaled: dict[str, Any] = jsonable({**inputs, **targets, "limit": units.limit})
    return scaled


def _part(layer: LayerTrace, inputs: list[int], units: list[int]) -> dict[str, Any]:
    """Return the numbers of these inputs and units of a layer."""
    links = np.ix_(inputs, units)
    derivative = layer.derivative
    return {
        **{name: getattr(layer, name)[units] for name in ("z", "a", "dE_da", "delta")},
        "derivative": derivative[np.ix_(units, units) if derivative.ndim == 2 else units],
        **{name: getattr(layer, name)[links] for name in ("W", "grad_W", "new_W")},
        **{name: getattr(layer, name)[units] for name in ("b", "grad_b", "new_b")},
        **{
            when: {
                name: {"W": W[links], "b": b[units]}
                for name, (W, b) in getattr(layer, when).items()
            }
            for when in ("state", "new_state")
        },
    }


def _packed(trace: Any) -> str:
    """Return x, y and all parameters, then the solver's state, as base64 of little-endian numbers.

    What the page computes steps of a network from that it draws in part.
    """
    arrays: list[NDArray[Any]] = [trace.x, trace.y]
    arrays += [array for layer in trace.layers for array in (layer.W, layer.b)]
    for name in trace.layers[0].state:
        arrays += [array for layer in trace.layers for array in layer.state[name]]
    dtype = np.dtype(trace.dtype).newbyteorder("<")
    flat = np.concatenate([np.ravel(array) for array in arrays]).astype(dtype)
    return base64.b64encode(flat.tobytes()).decode("ascii")


def spread(n: int, n_max: int) -> list[int]:
    """Return at most so many of the numbers 0 to n - 1, evenly spaced, both ends included."""
    numbers: list[int] = np.unique(
        np.linspace(0, n - 1, min(n, n_max)).round().astype(int)
    ).tolist()
    return numbers


def _curve(recording: Any) -> dict[str, Any]:
    """Return the loss curve, of many snapshots as many as can be distinguished."""
    some = spread(len(recording), MAX_OF_CURVE)
    curve: dict[str, Any] = jsonable(
        {
            "epochs": recording.epochs[some],
            "losses": recording.losses[some],
            "n_probe": len(recording.probe_X),
        }
    )
    return curve


def _points(recording: Any, shown: DrawnUnits) -> dict[str, Any] | None:
    """Return rows for the 2-D view, or None if rows are no points in a plane."""
    if recording.layer_sizes[0] != 2:
        return None
    some = spread(len(recording.probe_X), MAX_POINTS)
    y = recording.probe_y[np.ix_(some, shown[-1])]
    points: dict[str, Any] = jsonable({"X": recording.probe_X[some], "y": y})
    return points
