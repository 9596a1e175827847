"""What workers do: functions of a partition and of what a fit has found out, without a state."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import math
import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, issparse
from sklearn.base import BaseEstimator
from sklearn.utils import check_consistent_length, column_or_1d
from sklearn.utils.validation import validate_data

from .._version import __version__
from ..distributed import RoundState, Settings, Shard, made_with
from ..distributed.layout import Segment
from ..distributed.statistics import Statistics, merge_statistics, statistics_of
from ..distributed.training import Outcome, RoundResult, Trained, merge_outcomes, outcome_of
from ..estimators.csr import MIN_FEATURES
from ..estimators.features import checked_features
from ..estimators.labels import check_no_text, checked_labels
from ..estimators.prepared import FitRequest
from ..estimators.units import check_numbers
from ..network.arrays import as_numbers, check_finite
from ..network.blocks import as_block
from ..network.data import as_summable_weights, as_weights
from ..network.scaling import Moments
from ..training.order import SampleRepeats

FLOAT64 = np.dtype(np.float64)


@dataclasses.dataclass(frozen=True, eq=False)
class Block:
    """The rows of a partition, checked.

    Attributes
    ----------
    number : int
        Of the partition.
    X : ndarray or CSR matrix of shape (n, n_features)
        Of float32 or float64.
    y : ndarray of shape (n,) or (n, n_outputs)
        Labels as they are given, or numbers.
    weights : ndarray of shape (n,), or None
    names : list of str, or None
        Of the columns.
    """

    number: int
    X: Any
    y: NDArray[Any]
    weights: NDArray[np.float64] | None
    names: list[str] | None

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return int(self.X.shape[0])


@contextlib.contextmanager
def naming(number: int, what: str = "Partition") -> Iterator[None]:
    """Say in errors which partition they are of."""
    try:
        yield
    except (ValueError, TypeError) as error:
        advice = '; the estimators take NaN with missing="indicator"'
        message = str(error).replace(advice, "")
        raise type(error)(f"{what} {number}: {message}") from None


def check_version(version: str) -> None:
    """Refuse to work for a client with another version, whose numbers may be others."""
    if version != __version__:
        raise RuntimeError(
            f"The client has fastbp {version}, but a worker has {__version__}: install the same "
            "version everywhere, since another one may give other numbers"
        )


def read_block(
    version: str, number: int, target: Any, is_classifier: bool, X: Any, y: Any, weights: Any
) -> Block:
    """Return a partition as `Block`: of arrays, frames, a pair (X, y), or the path of a file."""
    check_version(version)
    with naming(number):
        if y is None:
            X, y, own = as_block(_read(X), target)
            weights = own if weights is None else weights
        return _checked_block(number, X, y, weights, is_classifier)


def _read(part: Any) -> Any:
    if not (isinstance(part, str) or hasattr(part, "__fspath__")):
        return part
    from pyarrow.parquet import read_table

    return read_table(part)


def _checked_block(number: int, X: Any, y: Any, weights: Any, is_classifier: bool) -> Block:
    probe: Any = BaseEstimator()
    X = X if hasattr(X, "shape") else np.asarray(X)
    n_rows = X.shape[0]
    if len(X.shape) != 2:
        raise ValueError(f"X must have two dimensions, (rows, features); got {len(X.shape)}")
    validate_data(probe, X, skip_check_array=True)
    names = getattr(probe, "feature_names_in_", None)
    names = None if names is None else names.tolist()
    if y is None:
        raise ValueError("y must be the targets, one for each row of X; got None")
    n_targets = y.shape[0] if hasattr(y, "shape") else len(y)
    if n_rows != n_targets:
        raise ValueError(
            f"X has {n_rows} rows here, but y has {n_targets}: divide both alike, for instance "
            "with rechunk or repartition"
        )
    if not n_rows:
        X, y = np.empty((0, X.shape[1])), np.empty(0)
        return Block(number, X, y, None if weights is None else np.empty(0), names)
    X = checked_features(probe, X)
    check_numbers(X)
    own = as_weights(weights, n_rows, may_be_zero=True)
    if is_classifier:
        y, _ = checked_labels(y)
    else:
        check_no_text(y)
        y = as_numbers("y", y.toarray() if issparse(y) else y, FLOAT64)
        y = column_or_1d(y) if y.ndim == 2 and y.shape[1] == 1 else y
        check_finite("y", y)
    check_consistent_length(X, y)
    return Block(number, X, y, own, names)


@dataclasses.dataclass(frozen=True, eq=False)
class Survey:
    """What the first pass finds out about a partition, or about several.

    Attributes
    ----------
    number : int
        Of the first of these partitions that has rows.
    statistics : Statistics
    n_features : int
    names : list of str, or None
    dtype : dtype
        float32 where all partitions are, else float64.
    y_shape : tuple of int
        Of a row of y.
    y_kind : str
        Of the dtype of y.
    is_weighted : bool
    """

    number: int
    statistics: Statistics
    n_features: int
    names: list[str] | None
    dtype: Any
    y_shape: tuple[int, ...]
    y_kind: str
    is_weighted: bool
    is_sparse: bool


def survey_of(block: Block, n_some: int, is_classifier: bool) -> Survey | None:
    """Return what is found out about a partition; None where it has no rows."""
    if not block.n_rows:
        return None
    with naming(block.number):
        X, y = block.X, block.y
        counts = X.shape[1] >= MIN_FEATURES
        statistics = statistics_of(
            X, y, block.weights, n_some, is_classifier=is_classifier, counts_nonzeros=counts
        )
    weighted = block.weights is not None
    sparse = issparse(X)
    return Survey(
        block.number, statistics, X.shape[1], block.names, X.dtype, y.shape[1:], y.dtype.kind,
        weighted, sparse,
    )  # fmt: skip


def merge_surveys(parts: Sequence[Survey | None]) -> Survey | None:
    """Return what is found out about all of these partitions, which must be alike."""
    found = [part for part in parts if part is not None]
    if not found:
        return None
    first = found[0]
    for other in found[1:]:
        _check_alike(first, other)
    return dataclasses.replace(
        first,
        statistics=merge_statistics([part.statistics for part in found]),
        dtype=np.result_type(*(part.dtype for part in found)),
        y_kind=first.y_kind if len({part.y_kind for part in found}) == 1 else "O",
        is_sparse=any(part.is_sparse for part in found),
    )


def _check_alike(one: Survey, other: Survey) -> None:
    where = f"Partition {other.number}"
    if other.names != one.names and None not in (one.names, other.names):
        raise ValueError(f"{where} {_difference(one, other)}")
    if other.n_features != one.n_features:
        raise ValueError(
            f"{where} has {other.n_features} columns, but partition {one.number} has "
            f"{one.n_features}: give all partitions the same columns"
        )
    if other.names != one.names:
        raise ValueError(
            f"{where} and partition {one.number} differ: only one of them names its columns"
        )
    if other.y_shape != one.y_shape:
        raise ValueError(
            f"{where} has targets of shape (n, *{other.y_shape}), but partition {one.number} of "
            f"shape (n, *{one.y_shape})"
        )
    texts = {one.y_kind in "OU", other.y_kind in "OU"}
    if len(texts) > 1:
        raise ValueError(
            f"{where} and partition {one.number} differ: the labels of one are text, those of the "
            "other numbers. Make all of them text, or all numbers"
        )
    if other.is_sparse != one.is_sparse and other.n_features < MIN_FEATURES:
        raise ValueError(
            f"{where} and partition {one.number} differ: one is sparse, the other dense"
        )


def _difference(one: Survey, other: Survey) -> str:
    assert one.names is not None
    assert other.names is not None
    missing = [name for name in one.names if name not in other.names]
    added = [name for name in other.names if name not in one.names]
    if not missing and not added:
        return f"has the columns of partition {one.number} in another order: sort them first"
    words = [f"has no column {missing[0]!r}"] if missing else []
    words += [f"has a column {added[0]!r}, which partition {one.number} has not"] if added else []
    return " and ".join(words) + f" (partition {one.number} has {one.names[:10]})"


@dataclasses.dataclass(frozen=True, eq=False)
class Encoder:
    """Makes the shard of a partition that training reads.

    Attributes
    ----------
    model : estimator
        The ordinary one, with the classes, units and network of the fit.
    is_sparse : bool
        Whether rows become CSR matrices.
    weight_factor : float
        On the weights of rows.
    """

    model: Any
    is_sparse: bool
    weight_factor: float

    def shard(self, block: Block) -> Shard:
        """Return the rows as training reads them."""
        model = self.model
        X, targets, weights = self.encoded(block)
        repeats = SampleRepeats()
        if weights is not None:
            repeats = SampleRepeats.of_scaled(weights * self.weight_factor)
        scaling = None if model._units is None else model._units.inputs
        return Shard(X, targets, repeats, scaling, model.batch_size > 1)

    def encoded(self, block: Block) -> tuple[Any, NDArray[Any], NDArray[np.float64] | None]:
        """Return X, the targets as the network takes them, and the weights."""
        model, X = self.model, self.rows(block)
        if not block.n_rows:
            return X, np.empty(0), None
        with naming(block.number):
            request = FitRequest(warm_start=True, incremental=True)
            encoded = model._encoded_targets(block.y, block.weights, request)
        targets = encoded.targets
        if model._units is not None:
            targets = model._units.targets_of_fit(targets)
        return X, targets, encoded.sample_weight

    def rows(self, block: Block) -> Any:
        """Return X as the network takes it."""
        dtype = self.model.network_.dtype
        X = block.X.astype(dtype, copy=False)
        if block.n_rows and X.shape[1] != self.model.n_features_in_:
            raise ValueError(
                f"Partition {block.number} has {X.shape[1]} features, but the model was fitted "
                f"with {self.model.n_features_in_}"
            )
        if self.is_sparse and not issparse(X):
            return csr_array(X)
        return np.ascontiguousarray(X) if isinstance(X, np.ndarray) else X


def shard_of(encoder: Encoder, block: Block) -> Shard:
    """Return the rows of a block as training reads them."""
    return encoder.shard(block)


def visits_of(shard: Shard) -> int:
    """Return how many rows an epoch takes of a shard."""
    return shard.n_visits


class Sealed:
    """A value in a graph, which Dask need not look into to tell graphs apart.

    Parameters
    ----------
    key : str
        Of its task, which no other has.
    value : object
    """

    def __init__(self, key: str, value: Any) -> None:
        self.key, self.value = key, value

    def __dask_tokenize__(self) -> str:
        return self.key


def hold(sealed: Sealed) -> Any:
    """Return a value that came with the graph, to workers that need it."""
    return sealed.value


class Start(NamedTuple):
    """What a round begins with, one value for each worker to fetch."""

    last: RoundResult
    settings: Settings

    @property
    def state(self) -> RoundState:
        """The state that all shards begin with."""
        return self.last.state


def train(
    version: str,
    start: Start,
    before: Trained | None,
    shard: Shard,
    segment: tuple[int, ...],
) -> Trained:
    """Return what a shard has come to after one partition more; None is its first."""
    check_version(version)
    so_far = Trained(start.state) if before is None else before
    return so_far.after(shard, start.settings.plan(Segment(*segment)), time.perf_counter)


def merged(version: str, start: Start, *parts: Outcome | Trained | None) -> Outcome:
    """Return the outcome of shards that are next to one another; None has no rows."""
    check_version(version)
    return merge_outcomes([_outcome(start, part) for part in parts])


def _outcome(start: Start, part: Outcome | Trained | None) -> Outcome:
    if isinstance(part, Outcome):
        return part
    trained = Trained(start.state) if part is None else part
    return outcome_of(trained, start.state, start.settings)


def next_start(version: str, start: Start, *parts: Outcome | Trained | None) -> Start:
    """Return what the next round begins with, from what all shards have come to."""
    return start._replace(last=start.last.after(merged(version, start, *parts), start.settings))


@dataclasses.dataclass(frozen=True, eq=False)
class Judgement:
    """How a model does on rows held out: of a partition, or of several.

    Attributes
    ----------
    weight, loss_sum, good : float
        ``good`` is the weight of the rows predicted right, of a regression NaN.
    errors : ndarray of shape (n_outputs,), or None
        Sums of squared errors.
    targets : Moments or None
    """

    weight: float = 0.0
    loss_sum: float = 0.0
    good: float = 0.0
    errors: Any = None
    targets: Moments | None = None

    def joined(self, other: Judgement) -> Judgement:
        """Return that of both."""
        if not self.weight or not other.weight:
            return self if self.weight else other
        errors = targets = None
        if self.targets is not None and other.targets is not None:
            errors, targets = self.errors + other.errors, self.targets.joined(other.targets)
        return Judgement(
            self.weight + other.weight,
            self.loss_sum + other.loss_sum,
            self.good + other.good,
            errors,
            targets,
        )

    @property
    def loss(self) -> float:
        """Mean loss of a row."""
        return self.loss_sum / self.weight if self.weight else math.nan

    @property
    def score(self) -> float:
        """Accuracy, or R2."""
        if not self.weight:
            return math.nan
        if self.targets is None:
            return self.good / self.weight
        squares = self.targets.squares
        varies = squares > 0
        scores = 1 - self.errors / np.where(varies, squares, 1)
        # As r2_score has it, columns of one number are right or are not.
        return float(np.mean(np.where(varies, scores, self.errors == 0)))


def judge(encoder: Encoder, state: RoundState, block: Block) -> Judgement:
    """Return how the network of a state does on the rows of a partition."""
    if not block.n_rows:
        return Judgement()
    model = copy.copy(encoder.model)
    model.network_ = state.network(made_with(model.network_))
    X, targets, weights = encoder.encoded(block)
    network = model.network_
    rows = network._rows(X, targets, as_summable_weights(weights, block.n_rows))
    if model._units is not None:
        rows = model._units.inputs.rows(rows, network.dtype)
    found = _predicted(model, X, block.y, weights)
    return dataclasses.replace(found, loss_sum=found.weight * network._loss_of(rows))


def score(encoder: Encoder, block: Block) -> Judgement:
    """Return how a fitted model predicts the rows of a partition, whose labels it need not know."""
    if not block.n_rows:
        return Judgement()
    return _predicted(encoder.model, encoder.rows(block), block.y, block.weights)


def _predicted(
    model: Any, X: Any, y: NDArray[Any], weights: NDArray[np.float64] | None
) -> Judgement:
    """Return how rows are predicted, without their loss."""
    each = np.ones(len(y)) if weights is None else weights
    total, outputs = float(each.sum()), model._outputs(X)
    if hasattr(model, "classes_"):
        right = model._labels(outputs) == y
        right = right.all(axis=1) if right.ndim > 1 else right
        return Judgement(total, 0.0, float(each @ right))
    y = y.reshape(len(y), -1)
    errors = each @ np.square(outputs - y)
    moments = Moments.of_nothing(y.shape[1]).updated(y, weights)
    return Judgement(total, 0.0, math.nan, errors, moments)
