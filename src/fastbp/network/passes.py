"""Passes over rows of data that leave the network as it is: outputs, losses and gradients.

A piece of work at a time, between which Ctrl-C is honoured.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .arena import Arena
from .plan import Workload
from .runner import EpochRunner, timed
from .threads import thread_count


def outputs_of(
    layers: _core.Layers,
    arena: Arena,
    runner: EpochRunner,
    rows: _core.Rows,
    n: int,
    n_threads: int,
) -> NDArray[Any]:
    """Return the activations of the output layer for the first n rows."""
    out = np.empty((n, arena.layer_sizes[-1]), dtype=arena.dtype)
    if n < 2 * layers.block_rows:  # too few to pay for panels
        layers.forward(rows.plain(0, n), 0, n, out)
        return out
    work = Workload(layers, arena, rows)
    batch_threads = thread_count(n_threads, 2.0 * work.used_parameters * n)
    batch = _core.BatchWorkspace(layers, rows.sparse, -1, n, batch_threads)
    tuner = runner.tuner(-1, batch_threads)
    for start, stop in work.pieces(n):
        with timed(tuner, stop - start) as others:
            for first, end in rows.blocks(start, stop):
                part = rows.plain(first, end)
                _core.forward_all(layers, batch, others, part, 0, part.n, out[first:end])
    return out


def loss_of(layers: _core.Layers, arena: Arena, rows: _core.Rows) -> float:
    """Return the (weighted) mean loss of a row."""
    total = 0.0
    for start, stop in Workload(layers, arena, rows).pieces(rows.n):
        piece = 0.0
        for first, end in rows.blocks(start, stop):
            piece = layers.loss_sum(rows.plain(first, end), 0, end - first, piece)
        total += piece
    return total / rows.weight()


def gradients_of(layers: _core.Layers, arena: Arena, rows: _core.Rows) -> tuple[float, Arena]:
    """Return the (weighted) mean loss of a row, and its derivatives as an arena."""
    total, piece, loss_sum = arena.zeros_like(), arena.zeros_like(), 0.0
    for start, stop in Workload(layers, arena, rows).pieces(rows.n):
        loss_sum += layers.sum_gradients(rows, start, stop, piece.values)
        total.values += piece.values
    weight = rows.weight()
    total.values /= weight
    return loss_sum / weight, total
