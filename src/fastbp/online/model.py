"""`OnlineModel`: learning and predicting, what the classifier and the regressor have in common."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ..network.blocks import Blocks
from ..network.checks import check_number, check_whole
from ..network.data import as_weights
from .exportable import ExportableStream
from .inspection import Inspection
from .rows import PlainRow
from .tables import StreamTable, stream_table

ROWS_A_PIECE = 2000  # of a table, between which Ctrl-C is honoured
MOST_WEIGHT = 1e9  # of a row, whose gradients still have squares


class OnlineModel(ExportableStream, Inspection):
    """A model that learns a stream, row by row; see its subclasses."""

    # -- learning ----------------------------------------------------------------------------

    def learn_one(self, x: Any, y: Any, sample_weight: float = 1.0) -> Self:
        """Learn one row.

        Parameters
        ----------
        x : mapping of names to numbers, booleans and text; or a sequence, array or Series
            Names are text or numbers; those of a sequence are 0, 1, 2 ...
        y : label, or number; for several targets a mapping or sequence of numbers
        sample_weight : float, >= 0, default=1.0
            Factor on the gradient, and weight in means and deviations.

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            If x or y cannot be learned. The model is as it was before.
        """
        if sample_weight != 1.0:
            sample_weight = check_number("sample_weight", sample_weight, at_least=0)
            _check_weight(sample_weight)
            if not sample_weight:
                return self
        if self.drift_detector is not None:
            return self._learn_watched(x, y, sample_weight)
        if self._loop is None or not self._loop.learn(x, y, sample_weight):
            row, target = self._plain_row(x), self._plain_target(y)
            with self._lock:
                self._learn_plain(row, target, sample_weight)
        return self

    def _learn_watched(self, x: Any, y: Any, weight: float) -> Self:
        """Learn a row, and let the drift detector see how it was predicted."""
        row, target = self._plain_row(x), self._plain_target(y)
        error = self._error(self.predict_one(row), target)
        with self._lock:
            self._learn_plain(row, target, weight)
            self.drift_detector.update(error)
            if self.drift_detector.drift_detected:
                self._past.clear()
        return self

    def _learn_plain(self, row: PlainRow, target: Any, weight: float) -> None:
        """Learn a row that may have something new."""
        self._prepare(row, target)
        learned = self._loop.learn(row, self._as_learned(target), weight)
        assert learned, "all of this row is known"

    def learn_many(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Learn the rows of a table, one after another, as a loop of `learn_one` does.

        Parameters
        ----------
        X : DataFrame of pandas, polars or pyarrow, dict of columns, or array of shape (n, n_inputs)
        y : sequence, array or Series of shape (n,), or of shape (n, n_targets)
        sample_weight : array-like of shape (n,), default=None

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            If a row cannot be learned. The model is as it was before.

        Notes
        -----
        Ctrl-C ends it between two rows: those before are learned.
        """
        self._learn_table(X, y, sample_weight)
        return self

    def _learn_table(self, X: Any, y: Any, sample_weight: Any) -> int:
        """Learn the rows of a table; return how many it has."""
        table = stream_table(X, skips_gaps=self.missing == "mean")
        targets = self._targets(y, len(table))
        self._check_width(table.widest() if len(table) else 0)
        weights = as_weights(sample_weight, len(table), may_be_zero=True)
        if weights is not None:
            _check_weight(float(weights.max(initial=0)))
        if self.drift_detector is not None:
            for r in range(len(table)):
                weight = 1.0 if weights is None else float(weights[r])
                self.learn_one(table.row(r), targets[r], weight)
            return len(table)
        row, compiled, n_changes = 0, None, -1
        while row < len(table):
            with self._lock:
                if self._loop is not None and self._names.n_changes != n_changes:
                    n_changes = self._names.n_changes  # some have lost their columns
                    compiled = self._compiled(table, targets, weights)
                stop = min(row + ROWS_A_PIECE, len(table))
                learned = 0 if compiled is None else self._loop.learn_table(compiled, row, stop)
                if learned <= row:  # there is something new in this row
                    weight = 1.0 if weights is None else float(weights[row])
                    if weight:
                        self._learn_plain(table.row(row), targets[row], weight)
                        if compiled is not None:
                            table.note_row(row, self._names)
                            targets.note_row(row, self._labels)
                    learned = row + 1
                row = learned
        return len(table)

    def _compiled(
        self, table: StreamTable, targets: Any, weights: NDArray[np.float64] | None
    ) -> Any:
        """Return a table as the loop reads it."""
        compiled = table.compiled(targets.numbers(self._labels), weights)
        table.set_columns(compiled, self._names)
        return compiled

    def fit_stream(self, blocks: Any, *, target: Any = None, n_epochs: int = 1) -> Self:
        """Learn blocks of rows with `learn_many`, while a thread reads the next one.

        Parameters
        ----------
        blocks : iterable of (X, y), (X, y, sample_weight) or tables; path; dataset; collection
            As of `BackpropClassifier.fit_stream`.
        target : str or list of str, default=None
            The column of tables that is y, or the columns.
        n_epochs : int, default=1
            Passes over the blocks; an iterator gives one.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            If a block cannot be learned. Those before it are.
        """
        source = Blocks(blocks, target)
        if check_whole("n_epochs", n_epochs) > 1:
            source.check_can_repeat()
        n_rows = 0
        for _ in range(n_epochs):
            for block in source.read_ahead():
                n_rows += self._learn_table(*block)
                del block  # before the next one is read
        if not n_rows:
            raise ValueError("blocks has no rows")
        return self

    # -- predictions -------------------------------------------------------------------------

    def _outputs(self, x: Any) -> NDArray[np.float64]:
        """Return what the network says of a row: all outputs, in the units of the targets."""
        out, plain = np.empty(len(self._experts.outputs)), False
        while not self._loop.predict(x, out):
            with self._lock:
                if type(x) is dict and plain:
                    raise AssertionError("a plain row can be predicted")
                x, plain = self._plain_row(x), True
                self._list_hashed(x)
                out = np.empty(len(self._experts.outputs))
        return out

    def _outputs_of_table(self, X: Any) -> NDArray[np.float64]:
        """Return the outputs for each row of a table, (n, n_outputs)."""
        table = stream_table(X, skips_gaps=self.missing == "mean")
        with self._lock:
            out = np.empty((len(table), len(self._experts.outputs)))
            compiled = table.compiled()
            table.set_columns(compiled, self._names)
            for start in range(0, len(table), ROWS_A_PIECE):
                stop = min(start + ROWS_A_PIECE, len(table))
                self._loop.predict_table(compiled, start, stop, out)
        return out

    # -- for subclasses ----------------------------------------------------------------------

    def _targets(self, y: Any, n: int) -> Any:
        """Return the targets of n rows, checked."""
        raise NotImplementedError

    def predict_one(self, x: Any) -> Any:
        """Return what is predicted for a row, and learn nothing."""
        raise NotImplementedError

    def _error(self, predicted: Any, target: Any) -> float:
        """Return how far a prediction was from the target."""
        raise NotImplementedError

    def _as_learned(self, target: Any) -> Any:
        """Return a target as the loop takes it."""
        return target


def _check_weight(largest: float) -> None:
    if largest > MOST_WEIGHT:
        raise ValueError(f"sample_weight must be at most {MOST_WEIGHT:g}; got {largest:g}")
