"""Derivatives of outputs with respect to inputs, a block of rows after the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .arena import Arena
from .checks import check_choice, check_flag
from .data import dense_rows

SUMMARIES = ("mean", "mean_absolute")
BLOCK_BYTES = 2**22  # of derivatives that are summarised at a time
BLOCK_WORK = 2**24  # multiplications, between which Ctrl-C is honoured


def sensitivities(
    layers: _core.Layers,
    arena: Arena,
    X: Any,
    summary: str | None,
    relative: bool,
    units: Any = None,
) -> NDArray[Any]:
    """Return what `Network.sensitivity` promises; X is what `as_rows` returned.

    ``units`` have ``inputs``, a `Scaling`, ``targets``, another or None, and ``outputs``: how X and
    what is returned are scaled to what the network sees.
    """
    check_flag("relative", relative)
    if summary is not None:
        check_choice("summary", summary, SUMMARIES)
    n_in, n_out = arena.layer_sizes[0], arena.layer_sizes[-1]
    rows = _core.Rows(X, n_in)
    if units is not None:
        rows = units.inputs.rows(rows, arena.dtype)
    if summary and not rows.n:
        raise ValueError("X has no rows: there is nothing to take the mean of")
    transposed = [np.ascontiguousarray(W.T) for W in arena.weights]
    outputs = np.empty((rows.n if relative else 0, n_out), arena.dtype)
    result = np.empty((0 if summary else rows.n, n_out, n_in), arena.dtype)
    total = np.zeros((n_out, n_in))
    for start, stop in _blocks(rows.n, arena):
        shape = (stop - start, n_out, n_in)
        block = np.empty(shape, arena.dtype) if summary else result[start:stop]
        part = rows.plain(start, stop)
        layers.sensitivities(part, 0, part.n, transposed, block)
        if units is not None:
            _rescale(block, dense_rows(X, n_in, start, stop), units)
        if relative:
            found = outputs[start:stop]
            layers.forward(part, 0, part.n, found)
            if units is not None:
                found[...] = units.outputs(found)
            _make_relative(block, dense_rows(X, n_in, start, stop), found, start)
        if summary:
            total += (np.abs(block) if summary == "mean_absolute" else block).sum(0, np.float64)
    return total / rows.n if summary else result


def _blocks(n_rows: int, arena: Arena) -> Iterator[tuple[int, int]]:
    """Cut range(n_rows) into blocks of little memory and some 20 ms of work."""
    n_in, n_out = arena.layer_sizes[0], arena.layer_sizes[-1]
    by_memory = BLOCK_BYTES // (n_in * n_out * arena.dtype.itemsize)
    by_work = BLOCK_WORK // (arena.values.size * n_out)
    size = max(1, min(by_memory, by_work))
    for start in range(0, n_rows, size):
        yield start, min(start + size, n_rows)


def _rescale(block: NDArray[Any], X: NDArray[Any], units: Any) -> None:
    """Turn derivatives by scaled inputs into those in the units of the data, in place."""
    block *= units.inputs.slopes(X)[:, np.newaxis, :]
    if units.targets is not None:
        block *= units.targets.scale[:, np.newaxis]


def _make_relative(block: NDArray[Any], X: NDArray[Any], outputs: NDArray[Any], first: int) -> None:
    """Turn da/dx into da/dx * x/a, in place."""
    if not outputs.all():
        row, output = np.argwhere(outputs == 0)[0]
        raise ValueError(
            f"relative=True divides by the outputs, but output {output} of row {first + row} is 0. "
            "Leave such rows out, or use relative=False."
        )
    block *= X[:, np.newaxis, :]
    block /= outputs[:, :, np.newaxis]
