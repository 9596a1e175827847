"""`record_stream`: how a model of a stream learns its next rows, step by step."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..network.checks import check_whole
from ..online.model import OnlineModel
from ..trace.inspected import InspectedModel, Names
from .recorder import Recorder
from .recording import Recording, recording_of

MAX_BYTES = 2**31  # of all snapshots
NOTE = (
    "Inputs and targets are shown as the network sees them: scaled by the means and standard "
    "deviations so far."
)


def record_stream(
    model: OnlineModel,
    stream: Iterable[tuple[Any, Any]],
    *,
    max_rows: int = 100,
    n_probe: int = 64,
) -> Recording:
    """Learn some rows of a stream, and record the network before each.

    Parameters
    ----------
    model : OnlineClassifier or OnlineRegressor
        It learns these rows, and may have learned others before. Of several networks that are mixed
        the recording follows the fast one.
    stream : iterable of (x, y)
    max_rows : int, default=100
        Where to stop; each row takes memory for a copy of the network.
    n_probe : int, default=64
        Rows, evenly spaced, whose mean loss is noted for each snapshot.

    Returns
    -------
    Recording
        A snapshot before each row, and one after the last. All features of these rows have their
        inputs from the first on (unless ``max_features`` forgets some); a class takes part once it
        has appeared, and has a probability of 1e-13 until then.

    Raises
    ------
    ValueError
        If there are no rows, or for a single network that replays rows of the past, which takes
        several steps a row: choose ``replay=0``.
    """
    if not isinstance(model, OnlineModel):
        raise TypeError(
            f"model must be an OnlineClassifier or OnlineRegressor; got {type(model).__name__}"
        )
    check_whole("max_rows", max_rows)
    check_whole("n_probe", n_probe)
    rows = [row for _, row in zip(range(max_rows), stream, strict=False)]
    if not rows:
        raise ValueError("the stream has no rows")
    after = copy.deepcopy(model)  # how many inputs and outputs there will be
    for x, y in rows:
        after.learn_one(x, y)
    number, sizes = after._recorded_expert(), after._sizes_in_use()
    solver = after._experts.all[number].kind.solver
    recorder = Recorder(1, max_rows + 2, MAX_BYTES)
    recorder._learning_rate = solver.learning_rate
    model._add_all_names(rows)
    seen: list[tuple[Any, Any]] = []
    for x, y in rows:
        before = model._network_before(x, y, number, sizes)
        recorder._append(before, np.array([len(seen)]), recorder.n_steps)
        model.learn_one(x, y)
        scaled_x, scaled_y = model._as_seen(x, y, sizes[0])
        recorder._count(before.loss([scaled_x], [scaled_y]), 1.0)
        seen.append((scaled_x, scaled_y))
        recorder.n_steps += 1
    recorder.steps_an_epoch = len(rows)
    network = model._network_in_use(number, sizes)
    recorder.finish(network)
    X, targets = (np.array(values) for values in zip(*seen, strict=True))
    names = Names(tuple(map(_name, model._keys_in_use())), model._output_names(sizes[1]))
    inspected = InspectedModel(network, X, targets, None, solver, names, note=NOTE)
    return recording_of(recorder, inspected, solver, n_probe)


def _name(key: Any) -> str:
    if key is None:
        return "(unused)"
    name, text = key
    return str(name) if text is None else f"{name}={text}"
