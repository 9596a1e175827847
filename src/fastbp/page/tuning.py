"""What the page of a tuned system holds, ready for `json.dumps`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._printable import printable
from ..trace.to_json import jsonable
from .data import MAX_BYTES, spread

MAX_NODES = 14  # knobs and stages that are drawn
BYTES_A_NUMBER = 20  # in print, rather too much


def tuning_page_data(result: Any) -> dict[str, Any]:
    """Return what the page of a `TuningResult` holds.

    Of many stages the first few, with what feeds them; of many evaluations as many as fit, evenly
    spaced, first and last included.
    """
    stages = _shown(result.sensitivities)
    inputs = {source for stage in stages for source in result.sensitivities[stage]}
    knobs = [name for name in result.settings if name in inputs]
    names = [*knobs, *stages]
    n = len(result.history["error"])
    n_links = sum(len(result.sensitivities[stage]) for stage in stages)
    kept = spread(n, max(2, MAX_BYTES // (BYTES_A_NUMBER * (len(names) + n_links + 3))))
    data: dict[str, Any] = jsonable(
        {
            "format": "fastbp.tuning/1",
            "status": result.status,
            "message": result.message,
            "knobs": list(map(printable, knobs)),
            "stages": list(map(printable, stages)),
            "n_knobs": len(result.settings),
            "n_stages": len(result.values),
            "n_evaluations": n,
            "target": _by_name(result.target, [name for name in stages if name in result.target]),
            "bounds": _by_name(result.bounds, knobs),
            "sensitivities": {
                printable(stage): {
                    printable(name): past[kept]
                    for name, past in result.sensitivity_history[stage].items()
                }
                for stage in stages
            },
            "noise": _by_name(result.noise, stages),
            "evaluation": result.history["evaluation"][kept],
            "purpose": result.history["purpose"][kept],
            "error": result.history["error"][kept],
            "columns": {printable(name): result.history[name][kept] for name in names},
        }
    )
    return data


def _by_name(values: Mapping[str, Any], names: list[str]) -> dict[str, Any]:
    """Return the values of some names, by these names as the page shows them."""
    return {printable(name): values[name] for name in names}


def _shown(sensitivities: dict[str, dict[str, float]]) -> list[str]:
    """Return the stages that are drawn: the first, until they and their inputs are many."""
    shown: list[str] = []
    nodes: set[str] = set()
    for stage, inputs in sensitivities.items():
        with_this = nodes | {stage, *inputs}
        if shown and len(with_this) > MAX_NODES:
            break
        shown.append(stage)
        nodes = with_this
    return shown
