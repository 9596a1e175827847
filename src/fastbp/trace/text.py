"""A step as a derivation to read in a terminal: forward, loss, backward, update."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..network.rules import LETTERS
from ..network.tables import DERIVATIVES, LOSSES
from .chain_rule import number, strongest
from .layers import LayerTrace

REFUSED = """\
This step is refused: it leads to numbers that are not finite, or to a loss beyond all bounds.
The parameters after it are those before."""
MAX_UNITS, MAX_PARAMETERS, MAX_VALUES = 8, 25, 10  # that are printed, of a layer or a row


def derivation(trace: Any) -> str:
    """Return the text of a `StepTrace`."""
    parts = [_head(trace), *_scaling(trace), "\nForward: z = x @ W + b, a = f(z)"]
    for layer in trace.layers:
        parts += _units(layer, ["z", "a"])
    loss = LOSSES[trace.loss_name]
    parts.append(f"\nLoss: E = {loss.formula}, summed over outputs = {number(trace.loss)}")
    parts += _prediction(trace)
    parts.append("\nBackward: delta = dE/dz = dE/da x f'(z)")
    for layer in reversed(trace.layers):
        last = layer is trace.layers[-1]
        origin = (
            f"dE/da is {loss.slope_formula}" if last else f"dE/da = W[{layer.layer + 1}] @ delta"
        )
        parts.append(f"  {origin}; f'(z) = {DERIVATIVES[layer.activation]}")
        parts += _units(layer, ["dE_da", "derivative", "delta"])
    parts.append(f"\nUpdate: {_rule(trace)}")
    for layer in trace.layers:
        parts += _parameters(layer)
    parts.append(f"\nLoss after the step: {number(trace.new_loss)} (before: {number(trace.loss)})")
    if trace.refused:
        parts.append(REFUSED)
    return "\n".join(parts)


def _head(trace: Any) -> str:
    sizes = "-".join(map(str, trace.layer_sizes))
    weight = f"  weight = {number(trace.weight)}" if trace.weight != 1 else ""
    dropout = ", without the dropout of training" if trace.dropout_off else ""
    return (
        f"One step on one row: {sizes}, {_loss_name(trace)}, {trace.dtype}{dropout}\n"
        f"x = {_values(trace.x)}  y = {_values(trace.y)}{weight}"
    )


def _scaling(trace: Any) -> list[str]:
    """Return how the row was scaled, where it was."""
    units = trace.units
    if units is None:
        return []
    bounded = "" if np.isinf(units.limit) else f", t / sqrt(1 + (t / {number(units.limit)})^2)"
    shown = range(min(len(units.x), MAX_VALUES))
    table = {
        "input": [trace.names.features[i] for i in shown],
        "value": [number(units.x[i]) for i in shown],
        "center": [number(units.center[i]) for i in shown],
        "scale": [number(units.scale[i]) for i in shown],
        "x": [number(trace.x[i]) for i in shown],
    }
    more = f": the first {MAX_VALUES} of {len(units.x)}" if len(units.x) > MAX_VALUES else ""
    parts = [f"\nScaling: t = (value - center) / scale{bounded}{more}", *_table(table)]
    if units.y is not None:
        parts.append(f"  y = (target - center) / scale: {_scaled_targets(units, trace.y)}")
    return parts


def _scaled_targets(units: Any, y: NDArray[Any]) -> str:
    numbers = zip(units.y, units.target_center, units.target_scale, y, strict=True)
    lines = [
        f"({number(value)} - {number(center)}) / {number(scale)} = "
        f"{_as_taken((value - center) / scale, scaled)}"
        for value, center, scale, scaled in numbers
    ]
    return ", ".join(lines[:MAX_VALUES])


def _as_taken(exact: float, taken: float) -> str:
    """Return a scaled target, and what it was taken as where a huge one was brought nearer."""
    if np.isclose(exact, taken, rtol=1e-3):
        return number(taken)
    return f"{number(exact)}, so far off that it is taken as {number(taken)}"


def _prediction(trace: Any) -> list[str]:
    """Return the outputs in the units of the targets, where these were scaled."""
    units = trace.units
    if units is None or units.y is None:
        return []
    outputs = _values(units.in_units_of_y(trace.layers[-1].a))
    return [f"  prediction = a x scale + center = {outputs}, of {_values(units.y)}"]


def _loss_name(trace: Any) -> str:
    own = LOSSES[trace.loss_name].parameter
    name: str = trace.loss_name
    return f"{name} ({own} = {number(trace.loss_parameter)})" if own else name


def _values(values: NDArray[Any]) -> str:
    shown = ", ".join(number(value) for value in values[:MAX_VALUES])
    more = f", ... {len(values)} in all" if len(values) > MAX_VALUES else ""
    return f"[{shown}{more}]"


def _rule(trace: Any) -> str:
    """Return the update as a formula, for the solver's options."""
    solver = trace.solver
    options = [f"learning_rate = {number(solver.learning_rate)}"]
    if solver.alpha:
        options.append(f"alpha = {number(solver.alpha)} (weights only)")
    rule = solver.rule
    names = [name for name in rule.options if name != "nesterov"]
    options += [f"{name} = {number(getattr(solver, name))}" for name in names]
    if rule.counts_steps:
        options.append(f"t = {trace.n_steps + 1}")
    return f"{rule.text(solver.alpha, solver.nesterov)}\n  with {', '.join(options)}"


def _units(layer: LayerTrace, names: list[str]) -> list[str]:
    """Return a line for each unit, or for those of the largest |delta|."""
    shown, n_more = strongest(np.abs(layer.delta), MAX_UNITS)
    columns = {}
    for name in names:
        values = getattr(layer, name)
        columns[name.replace("dE_da", "dE/da").replace("derivative", "f'(z)")] = (
            [number(values[j]) for j in shown] if values.ndim == 1 else ["-"] * len(shown)
        )
    title = f"layer {layer.layer}, {layer.activation}"
    if n_more:
        title += f": the {len(shown)} of {len(layer.z)} units with the largest |delta|"
    return [f"  {title}", *_table({"unit": [str(j) for j in shown], **columns})]


def _parameters(layer: LayerTrace) -> list[str]:
    """Return a line for each weight and bias, or for those of the largest gradients."""
    table = layer.parameters()
    shown, n_more = strongest(np.abs(table["gradient"]), MAX_PARAMETERS)
    names = [
        f"b[{table['j'][k]}]" if table["i"][k] is None else f"W[{table['i'][k]}, {table['j'][k]}]"
        for k in shown
    ]
    columns = {"": names}
    for name, values in table.items():
        if name not in ("layer", "kind", "i", "j"):
            columns[_letters(name)] = [number(values[k]) for k in shown]
    title = f"layer {layer.layer}: gradient = a x delta"
    if n_more:
        title += f"; the {len(shown)} largest of {len(table['gradient'])}"
    return [f"  {title}", *_table(columns)]


def _letters(name: str) -> str:
    """Return a column's name as the formula of the update has it, for the solver's state."""
    state, _, when = name.rpartition("_")
    letter = LETTERS.get(state)
    return name if letter is None else letter + "'" * (when == "after")


def _table(columns: dict[str, list[str]]) -> list[str]:
    widths = [max(len(name), *map(len, cells)) for name, cells in columns.items()]
    rows = [list(columns), *zip(*columns.values(), strict=True)]
    return [
        "    " + "  ".join(f"{cell:>{w}}" for cell, w in zip(row, widths, strict=True))
        for row in rows
    ]
