"""`Statistics`: what one pass over all partitions finds out, merged in a fixed order."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..network.scaling import Moments, NonzeroMoments


@dataclasses.dataclass(frozen=True, eq=False)
class Statistics:
    """Of the rows of a partition, or of several: counts, moments and some of the rows.

    Attributes
    ----------
    n_rows : int
    inputs : Moments or None
        Of dense rows.
    nonzeros : NonzeroMoments or None
        Of CSR matrices, and of dense rows with so many columns that they may be mostly zeros.
    targets : Moments or None
        Of a regression.
    classes : dict of label to (int, float)
        How many rows have each, and the sum of their weights.
    weight, largest_weight, n_weighted : float, float, int
        Sum of the weights, the largest, and how many are above 0; of rows without weights NaN.
    some_X, some_y, some_weights : ndarray or None
        Rows taken at equal distances, for medians and quartiles; X of dense rows only.
    """

    n_rows: int
    inputs: Moments | None
    nonzeros: NonzeroMoments | None
    targets: Moments | None = None
    classes: dict[Any, tuple[int, float]] = dataclasses.field(default_factory=dict)
    weight: float = math.nan
    largest_weight: float = math.nan
    n_weighted: int = 0
    some_X: NDArray[Any] | None = None
    some_y: NDArray[Any] | None = None
    some_weights: NDArray[np.float64] | None = None

    @property
    def nonzero_share(self) -> float:
        """Share of the values that are not zero."""
        if self.nonzeros is None:
            return 1.0
        counts = self.nonzeros.counts
        return float(counts.sum()) / max(self.n_rows * len(counts), 1)


def statistics_of(
    X: Any,
    y: NDArray[Any],
    weights: NDArray[np.float64] | None,
    n_some: int,
    *,
    is_classifier: bool,
    counts_nonzeros: bool,
) -> Statistics:
    """Return the statistics of the rows of a partition.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n, n_features)
    y : ndarray of shape (n,) or (n, n_outputs)
        Labels of classes, or numbers.
    weights : ndarray of shape (n,), or None
    n_some : int
        How many rows are kept at most.
    is_classifier : bool
        Whether y holds labels, which are counted.
    counts_nonzeros : bool
        Whether to look for zeros in dense rows, too.
    """
    n_rows, is_sparse = X.shape[0], hasattr(X, "tocsr")
    some = np.linspace(0, n_rows - 1, min(n_rows, n_some)).astype(np.intp)
    inputs = None if is_sparse else Moments.of_nothing(X.shape[1]).updated(X, weights)
    nonzeros = None
    if is_sparse or counts_nonzeros:
        nonzeros = NonzeroMoments.of_nothing(X.shape[1]).updated(X)
    of_targets, classes = None, {}
    if is_classifier:
        classes = _counted(y, weights) if y.ndim == 1 else {}
    else:
        columns = np.asarray(y, np.float64)
        columns = columns[:, np.newaxis] if columns.ndim == 1 else columns
        of_targets = Moments.of_nothing(columns.shape[1]).updated(columns, weights)
    return Statistics(
        n_rows,
        inputs,
        nonzeros,
        of_targets,
        classes,
        math.nan if weights is None else float(weights.sum()),
        math.nan if weights is None else float(weights.max(initial=0)),
        n_rows if weights is None else int(np.count_nonzero(weights)),
        None if is_sparse else X[some],
        None if is_classifier else y[some],
        None if weights is None else weights[some],
    )


def merge_statistics(parts: Sequence[Statistics]) -> Statistics:
    """Return the statistics of all parts: of neighbours, then of those of neighbours, and so on.

    So they do not depend on which part is known first. Parts without rows do not count.
    """
    level = [one for one in parts if one.n_rows] or list(parts[:1])
    while len(level) > 1:
        pairs = [level[i : i + 2] for i in range(0, len(level), 2)]
        level = [functools.reduce(_of_two, pair) for pair in pairs]
    return level[0]


def _of_two(one: Statistics, other: Statistics) -> Statistics:
    classes = dict(one.classes)
    for label, (n, weight) in other.classes.items():
        n_before, before = classes.get(label, (0, 0.0))
        classes[label] = n_before + n, before + weight
    inputs = None
    if one.inputs is not None and other.inputs is not None:
        inputs = one.inputs.joined(other.inputs)
    nonzeros = None
    if one.nonzeros is not None and other.nonzeros is not None:
        nonzeros = one.nonzeros.joined(other.nonzeros)
    targets = None
    if one.targets is not None and other.targets is not None:
        targets = one.targets.joined(other.targets)
    return Statistics(
        one.n_rows + other.n_rows,
        inputs,
        nonzeros,
        targets,
        classes,
        one.weight + other.weight,
        max(one.largest_weight, other.largest_weight),
        one.n_weighted + other.n_weighted,
        _both(one.some_X, other.some_X),
        _both(one.some_y, other.some_y),
        _both(one.some_weights, other.some_weights),
    )


def _both(one: NDArray[Any] | None, other: NDArray[Any] | None) -> NDArray[Any] | None:
    return None if one is None or other is None else np.concatenate([one, other])


def _counted(
    labels: NDArray[Any], weights: NDArray[np.float64] | None
) -> dict[Any, tuple[int, float]]:
    found, numbers, counts = np.unique(labels, return_inverse=True, return_counts=True)
    sums = np.bincount(numbers, weights=weights, minlength=len(found))
    return {
        label: (int(n), float(weight))
        for label, n, weight in zip(found.tolist(), counts, sums, strict=True)
    }
