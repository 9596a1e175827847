"""What a model of a stream makes of one row, as text."""

from __future__ import annotations

from typing import Any

import numpy as np

from .rows import plain_row

MOST_LINES = 20


def explanation_of_row(model: Any, x: Any) -> str:
    """Return each input of a row, scaled, and how much the prediction changes with it.

    The derivatives are those of the probability of the most probable class, or of the first target,
    by the scaled inputs, and exact.
    """
    if not model.is_started:
        return "Nothing was learned yet."
    row = plain_row(x, skips_gaps=True)
    with model._lock:
        network = model.network_
        scaled = model._scaled_row(row, network.layer_sizes[0])
        lines = []
        for name, value in row.items():
            column = model._names.column((name, value if isinstance(value, str) else None))
            if column is not None:
                lines.append((name, value, column))
    outputs = network.forward(scaled)
    best = int(outputs.argmax()) if model._labels is not None else 0
    slopes = network.sensitivity(scaled[np.newaxis])[0, best]
    lines.sort(key=lambda line: -abs(scaled[line[2]] * slopes[line[2]]))
    table = [f"{'input':<24} {'value':>12} {'scaled':>8} {'derivative':>11}"]
    for name, value, column in lines[:MOST_LINES]:
        shown = value if isinstance(value, str) else f"{value:.6g}"
        table.append(
            f"{str(name)[:24]:<24} {shown[:12]:>12} {scaled[column]:>8.3f} {slopes[column]:>11.4g}"
        )
    if len(lines) > MOST_LINES:
        table.append(f"... and {len(lines) - MOST_LINES} more")
    return "\n".join([f"Prediction: {model.predict_one(x)!r}", *table])
