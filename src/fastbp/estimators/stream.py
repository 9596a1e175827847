"""`fit_stream`: training on blocks of rows, such as those of a table larger than memory."""

from __future__ import annotations

import math
import time
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_consistent_length

from .. import _core
from ..network.arrays import as_numbers
from ..network.blocks import Block, Blocks
from ..network.checks import check_number, check_whole
from ..network.data import as_rows
from ..training.order import hashes_of

FLOAT64 = np.dtype(np.float64)
SECONDS_BETWEEN_LINES = 10.0  # of progress, with `verbose`


class Streaming:
    """Training on blocks of rows, one in memory and the next being read."""

    stream_history_: dict[str, list[Any]]
    warm_start: bool
    verbose: bool
    _rate_factor: float
    _prepared: Any

    def fit_stream(
        self,
        blocks: Any,
        *,
        target: Any = None,
        classes: ArrayLike | None = None,
        n_epochs: int = 1,
        held_out: float = 0.05,
    ) -> Self:
        """Train from new weights on blocks of rows, of which two are in memory at most.

        Each block is shuffled and trained on as `partial_fit` does it, while a thread reads the
        next one. With ``warm_start=True`` training goes on from the present weights.

        Parameters
        ----------
        blocks : iterable of (X, y), (X, y, sample_weight) or tables; path; dataset; collection
            Tables are chunks of pandas, frames of polars, tables or record batches of pyarrow. A
            path is that of a Parquet file, a folder of these, or a pattern such as "day*.parquet";
            it may also be an item of the iterable. A dataset is one of pyarrow, a collection one of
            Dask, whose partitions are computed one by one. An iterator, such as a generator, gives
            one pass only.
        target : str or list of str, default=None
            The column of tables that is y, or the columns.
        classes : array-like, default=None
            All labels, for a classifier; None finds them in a first pass over the blocks.
        n_epochs : int, default=1
            Passes over the blocks. With more than one the learning rate falls along half a period
            of the cosine.
        held_out : float in [0, 1), default=0.05
            Share of the rows, chosen by a hash of their inputs, that is not trained on: each block
            is judged by its own, in every pass the same.

        Returns
        -------
        self
            ``stream_history_`` is a dict of lists, an item for each pass: "epoch", "rows" trained
            on, "loss", "score" on rows held out (accuracy, or R2; NaN without any), "seconds".

        Raises
        ------
        ValueError, TypeError
            For parameters or blocks that cannot be used. What was learned from blocks before is
            kept, if there were any; otherwise the model is as it was.
        KeyboardInterrupt
            What was learned until then is kept. Call it with ``warm_start=True`` to go on; of an
            iterator the block that was being read ahead is lost.
        """
        source = Blocks(blocks, target)
        check_whole("n_epochs", n_epochs)
        check_number("held_out", held_out, at_least=0, below=1)
        if n_epochs > 1:
            source.check_can_repeat()
        classes = self._classes_of_stream(source, classes)
        before = dict(vars(self))
        if not self.warm_start:
            self._forget_fit()
        run = _Passes(self, source, classes, n_epochs, held_out)
        self.verbose = False  # of each block
        try:
            run.run()
        except BaseException:
            if not run.n_blocks:
                self.__dict__ = before
            raise
        finally:
            self.verbose, self._rate_factor, self._prepared = run.verbose, 1.0, None
        return self

    def _forget_fit(self) -> None:
        """Drop what `fit` has set."""
        for name in [name for name in vars(self) if name.endswith("_") and name[:1] != "_"]:
            delattr(self, name)
        for name in ("_history", "_units", "_gaps"):
            vars(self).pop(name, None)

    def _classes_of_stream(self, source: Blocks, classes: Any) -> Any:
        """Return the labels for the first call of partial_fit; None for a regression."""
        return None


class _Passes:
    """The passes over the blocks of one call."""

    def __init__(
        self, model: Any, source: Blocks, classes: Any, n_epochs: int, held_out: float
    ) -> None:
        self.model, self.source, self.classes = model, source, classes
        self.n_epochs, self.held_out = n_epochs, held_out
        self.verbose, self.n_blocks = model.verbose, 0
        self.rows_a_pass = math.inf  # not known in the first
        self.said = time.monotonic()

    def run(self) -> None:
        """Make all passes."""
        names = ("epoch", "rows", "loss", "score", "seconds")
        history: dict[str, list[Any]] = {name: [] for name in names}
        for epoch in range(self.n_epochs):
            begin = time.perf_counter()
            rows, loss, score = self.run_pass(epoch)
            if not rows:
                raise ValueError("blocks has no rows")
            self.rows_a_pass = rows
            row = (epoch + 1, rows, loss, score, time.perf_counter() - begin)
            for name, value in zip(names, row, strict=True):
                history[name].append(value)
            self.model.stream_history_ = history
            self.say(f"Epoch {epoch + 1}", rows, loss, score)

    def run_pass(self, epoch: int) -> tuple[int, float, float]:
        """Train on every block; return the number of rows, their mean loss and the score."""
        model, score = self.model, model_score(self.model)
        n_rows, loss_sum = 0, 0.0
        for block in self.source.read_ahead():
            left, kept = split_block(block, self.held_out)
            n = n_rows_of(left[0])
            if n:
                self.set_rate(epoch, n_rows)
                is_first = self.classes is not None and not hasattr(model, "network_")
                options = {"classes": self.classes} if is_first else {}
                model.partial_fit(left[0], left[1], sample_weight=left[2], **options)
                loss_sum += n * model.loss_curve_[-1]
                n_rows += n
                self.n_blocks += 1
            if n_rows and n_rows_of(kept[0]):
                score.add(kept[1], model.predict(kept[0]), kept[2])
            if time.monotonic() > self.said + SECONDS_BETWEEN_LINES:
                self.say(f"Epoch {epoch + 1}, so far", n_rows, loss_sum / n_rows, score.value())
            del block, left, kept  # before the next one is read
        return n_rows, loss_sum / max(n_rows, 1), score.value()

    def set_rate(self, epoch: int, n_rows: int) -> None:
        """Lower the learning rate, along half a period of the cosine."""
        done = (epoch + min(1.0, n_rows / self.rows_a_pass)) / self.n_epochs
        factor = 1.0 if self.n_epochs == 1 else 0.5 + 0.5 * math.cos(math.pi * done)
        self.model._rate_factor, self.model._prepared = max(factor, 1e-6), None

    def say(self, what: str, n_rows: int, loss: float, score: float) -> None:
        """Print how far it is."""
        if self.verbose:
            self.said = time.monotonic()
            held_out = "" if math.isnan(score) else f", score of rows held out {score:.4f}"
            print(f"{what}: {n_rows:,} rows, loss {loss:.6g}{held_out}")


def n_rows_of(X: Any) -> int:
    """Return the number of rows of an array, a sparse matrix or a table."""
    return int(X.shape[0]) if hasattr(X, "shape") else len(X)


def split_block(block: Block, held_out: float) -> tuple[Block, Block]:
    """Return the rows to train on and those held out, by a hash of their inputs."""
    X, y, weights = block
    X = X if hasattr(X, "shape") else np.asarray(X)
    if not held_out or not n_rows_of(X):
        return (X, y, weights), (X[:0], y, None)
    check_consistent_length(X, y, weights)
    if hasattr(X, "tocsr"):
        values = X.tocsr(copy=True)
        values.data = np.nan_to_num(values.data)
    else:
        values = np.nan_to_num(as_numbers("X", X, FLOAT64))
    hashes = hashes_of(_core.Rows(as_rows(values, X.shape[1], FLOAT64), X.shape[1], None, None))
    # Their upper bits, as a share of the largest.
    is_held_out = (hashes >> np.uint64(11)) * 2.0**-53 < held_out
    return _part(X, y, weights, ~is_held_out), _part(X, y, weights, is_held_out)


def _part(X: Any, y: Any, weights: Any, chosen: NDArray[np.bool_]) -> Block:
    numbers = np.flatnonzero(chosen)
    own = None if weights is None else _rows(weights, numbers)
    return _rows(X, numbers), _rows(y, numbers), own


def _rows(data: Any, numbers: NDArray[np.intp]) -> Any:
    """Return some rows of an array, sparse matrix, frame or series."""
    if hasattr(data, "iloc"):
        return data.iloc[numbers]
    if hasattr(data, "take") and not isinstance(data, np.ndarray):  # of pyarrow
        return data.take(numbers)
    if isinstance(data, (list, tuple)):
        data = np.asarray(data)
    return data[numbers]


def model_score(model: Any) -> RunningAccuracy | RunningR2:
    """Return what sums up a model's predictions: accuracy of a classifier, else R2."""
    return RunningAccuracy() if hasattr(model, "predict_proba") else RunningR2()


class RunningAccuracy:
    """The share of labels that are predicted right."""

    def __init__(self) -> None:
        self.right = self.total = 0.0

    def add(self, y: Any, predicted: NDArray[Any], weights: Any = None) -> None:
        """Count some rows more."""
        n = len(predicted)
        is_right = np.asarray(y).reshape(n, -1) == np.asarray(predicted).reshape(n, -1)
        is_right = is_right.all(axis=1)
        weights = np.ones(len(is_right)) if weights is None else np.asarray(weights)
        self.right += float(weights @ is_right)
        self.total += float(weights.sum())

    def value(self) -> float:
        """Return the accuracy so far; NaN of no rows."""
        return self.right / self.total if self.total else math.nan


class RunningR2:
    """1 - (squared errors) / (squared differences from the mean), the mean over outputs."""

    def __init__(self) -> None:
        self.errors: Any = 0.0
        self.weight = 0.0
        self.mean: Any = 0.0
        self.squares: Any = 0.0

    def add(self, y: Any, predicted: NDArray[Any], weights: Any = None) -> None:
        """Count some rows more (Chan, Golub and LeVeque, 1979)."""
        target = np.asarray(y, np.float64).reshape(len(predicted), -1)
        weights = np.ones(len(target)) if weights is None else np.asarray(weights, np.float64)
        weight = float(weights.sum())
        if not weight:
            return
        self.errors = self.errors + weights @ np.square(predicted.reshape(target.shape) - target)
        mean = weights @ target / weight
        total, shift = self.weight + weight, mean - self.mean
        squares = weights @ np.square(target - mean)
        self.squares = self.squares + squares + np.square(shift) * (self.weight * weight / total)
        self.mean = self.mean + shift * (weight / total)
        self.weight = total

    def value(self) -> float:
        """Return R2 so far; NaN of no rows, or of targets that are all equal."""
        with np.errstate(all="ignore"):
            return float(np.mean(1 - self.errors / self.squares)) if self.weight else math.nan
