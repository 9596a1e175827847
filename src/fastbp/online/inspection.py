"""`Inspection`: looking into a model of a stream, and single rows as its networks see them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..network import Network
from .experts import CENTER, FACTOR, IS_NUMBER
from .rows import PlainRow
from .snapshot import Snapshot
from .state import LIMIT, OnlineState


class Inspection(OnlineState):
    """What can be seen of a model: names, networks, scaled rows."""

    @property
    def feature_names_(self) -> list[Any]:
        """Names of the inputs, in the order of their columns; of text the name and the text."""
        if self._loop is None:
            return []
        keys = [key for key in self._names.keys if key is not None]
        return [name if text is None else (name, text) for name, text in keys]

    @property
    def n_features_(self) -> int:
        """Number of inputs in use."""
        return 0 if self._loop is None else len(self._names)

    @property
    def network_(self) -> Network:
        """A copy of the network that predicts best of late, on scaled inputs and targets."""
        if self._loop is None:
            raise AttributeError(f"this {type(self).__name__} has learned nothing: no network_ yet")
        losses = [expert.compiled.recent_loss for expert in self._experts.all]
        return self._network_in_use(int(np.argmin(losses)), self._sizes_in_use())

    def _sizes_in_use(self) -> tuple[int, int]:
        """Return how many inputs and outputs have been given names."""
        return self._names.n_hashed or len(self._names.keys), self._n_outputs()

    def _keys_in_use(self) -> list[Any]:
        """Return the name and text of each input, None for one that is free or shared."""
        return [None] * self._names.n_hashed if self._names.n_hashed else self._names.keys

    def _network_in_use(self, number: int, sizes: tuple[int, int]) -> Network:
        """Return a copy of one of the networks, of the first inputs and outputs."""
        network: Network = self._change(lambda: self._experts.all[number].in_use(*sizes))
        return network

    def _snapshot(self) -> Snapshot:
        """Return copies of all that predictions depend on now."""
        if self._loop is None:
            raise ValueError(
                f"this {type(self).__name__} has learned nothing yet: call learn_one or learn_many "
                "first"
            )
        snapshot: Snapshot = self._change(self._detached_snapshot)
        return snapshot

    def _detached_snapshot(self) -> Snapshot:
        keys, sizes = self._keys_in_use(), self._sizes_in_use()
        is_used = [key is not None or bool(self._names.n_hashed) for key in keys]
        columns = np.flatnonzero(is_used)
        losses = np.array([expert.compiled.recent_loss for expert in self._experts.all])
        shares = np.exp(losses.min() - losses)
        inputs, outputs = self._experts.inputs[columns], self._experts.outputs[: sizes[1]]
        is_regression = self._labels is None
        return Snapshot(
            [expert.in_use(*sizes) for expert in self._experts.all],
            shares / shares.sum(),
            [keys[column] for column in columns],
            columns,
            inputs[:, CENTER],
            inputs[:, FACTOR],
            inputs[:, IS_NUMBER] != 0,
            LIMIT,
            outputs[:, CENTER].copy() if is_regression else None,
            outputs[:, FACTOR].copy() if is_regression else None,
            None if self._labels is None else list(self._labels.order),
        )

    def _network_before(self, x: Any, y: Any, number: int, sizes: tuple[int, int]) -> Network:
        """Return one of the networks as it is before it learns a row, whose names it has."""
        with self._lock:
            self._prepare(self._plain_row(x), self._plain_target(y))
            return self._network_in_use(number, sizes)

    def _add_all_names(self, rows: list[tuple[Any, Any]]) -> None:
        """Have an input for all names of some rows."""
        with self._lock:
            if self._loop is None:
                self._prepare(self._plain_row(rows[0][0]), self._plain_target(rows[0][1]))
            for x, _ in rows:
                self._add_names(self._plain_row(x))

    def _recorded_expert(self) -> int:
        """Return the number of a network that takes one step a row, and is not linear."""
        for number, expert in enumerate(self._experts.all):
            if not expert.kind.replay and expert.kind.has_hidden:
                return number
        raise ValueError(
            "This network learns rows of the past again after each row, and a recording shows one "
            "step a row: choose replay=0"
        )

    def _as_seen(self, x: Any, y: Any, n_inputs: int) -> tuple[NDArray[np.float64], Any]:
        """Return a row and its target as the networks see them by now."""
        return self._scaled_row(self._plain_row(x), n_inputs), self._scaled_target(y)

    def _scaled_row(self, row: PlainRow, n_inputs: int) -> NDArray[np.float64]:
        scaled = np.zeros(n_inputs)
        for name, value in row.items():
            column = self._names.column((name, value if isinstance(value, str) else None))
            if column is None:
                continue
            scaled[column] = 1.0
            if not isinstance(value, str):
                center, factor = self._experts.inputs[column, [CENTER, FACTOR]]
                scaled[column] = np.clip((value - center) * factor, -LIMIT, LIMIT)
                if factor == 0:
                    scaled[column] = value != 0
        return scaled
