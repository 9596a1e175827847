"""The rows of an epoch: how often and in which order."""

from __future__ import annotations

import dataclasses
import math
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .._messages import counted, level_of_caller
from ..network.data import as_weights

MAX_REPEATS = 8.0  # an epoch, on average over the rows that have a weight at all
MIN_MEAN_WEIGHT = 0.1  # below which steps are too short for the rates that people choose
HASHED_AT_ONCE = 1_000_000  # values, between which Ctrl-C is honoured


@dataclasses.dataclass(frozen=True)
class SampleRepeats:
    """How often an epoch repeats each row, and with what weight each time.

    Attributes
    ----------
    counts : ndarray of int of shape (n,), or None
        Repeats an epoch; None is once each.
    weights : ndarray of float64 of shape (n,), or None
        Weight of one repeat, at most 1; None is 1 each.
    """

    counts: NDArray[np.int64] | None = None
    weights: NDArray[np.float64] | None = None

    @classmethod
    def of(cls, sample_weight: Any, n_rows: int) -> SampleRepeats:
        """Divide each row's weight w over ceil(w) repeats of weight w / ceil(w).

        So a whole weight is that many copies of the row, and no step is longer than that of a row
        of weight 1. Rows of weight 0 are left out. Weights whose mean over the other rows is
        above `MAX_REPEATS` are scaled down to that mean.
        """
        weights = as_weights(sample_weight, n_rows)
        if weights is None:
            return cls()
        largest = weights.max()
        mean = np.mean(weights[weights > 0] / largest)  # relative: a sum of weights may overflow
        if mean * largest > MAX_REPEATS:
            weights = weights / largest * (MAX_REPEATS / mean)
        return cls.of_scaled(weights)

    @classmethod
    def of_scaled(cls, weights: NDArray[np.float64]) -> SampleRepeats:
        """Return `of` weights, (n,), that were checked, and whose mean is low enough."""
        # A weight of 1 may have been computed as 1.0000000001.
        counts = np.ceil(weights * (1 - 1e-9))
        each = np.divide(weights, counts, out=np.zeros_like(weights), where=counts > 0)
        each = np.minimum(each, 1)
        whole = bool(np.all(each[counts > 0] == 1))
        return cls(counts.astype(np.int64), None if whole else each)

    @property
    def total(self) -> float:
        """Sum of the weights as they are taken: a whole weight is that many rows; NaN for none."""
        if self.counts is None:
            return math.nan
        each = 1.0 if self.weights is None else self.weights
        return float(np.sum(self.counts * each))

    def order(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the rows given, each as often as it is repeated."""
        return rows if self.counts is None else np.repeat(rows, self.counts[rows])


def weights_of_shares(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rows' weights as `fit` takes them.

    Weights that sum up to 1 are shares of the rows, as boosting hands them on: multiplied by the
    number of rows they have the mean of weights that are not given, which is 1.
    """
    n, total = len(weights), float(weights.sum())
    if weights.max() < 1 and math.isclose(total, 1, rel_tol=1e-6):
        return weights * n
    return weights


def warn_of_small_weights(weights: NDArray[np.float64]) -> None:
    """Warn where the rows' weights, times those of their classes, make every step tiny."""
    total = float(weights.sum())
    n = int(np.count_nonzero(weights))  # rows of weight 0 take no step at all
    if total < MIN_MEAN_WEIGHT * n:
        warnings.warn(
            f"The weights of rows, sample_weight times class_weight, sum up to {total:.3g} for "
            f"{counted(n, 'row')}: every step is that much shorter, and little is learned. "
            f"Multiply the weights by {n / total:.3g} to give them a mean of 1.",
            stacklevel=level_of_caller(),
        )


def canonical_order(
    rows: _core.Rows,
    given: _core.Rows | None = None,
    X: Any = None,
    targets: NDArray[Any] | None = None,
) -> NDArray[np.int64]:
    """Return the rows ordered by their contents, wherever in the table they stand.

    By a 64-bit hash of features and targets, which is the same for dense and sparse rows, and then
    by the weight of a repeat. Rows that are equal in all of this are equal to training, too. Where
    they are scaled from those that were ``given``, those that are rounded alike are ordered by
    ``X`` and ``targets`` themselves.
    """
    hashes = hashes_of(rows, rounds=given is not None)
    order = order_of(hashes)
    if given is not None and targets is not None:
        ascending = hashes[order]
        if (ascending[1:] == ascending[:-1]).any():
            _tell_apart(hashes, given, X, targets)
            order = order_of(hashes)
    if rows.sample_weight is None:
        return order
    return np.lexsort((rows.sample_weight, hashes))


def hashes_of(rows: _core.Rows, *, rounds: bool = False) -> NDArray[np.uint64]:
    """Return a 64-bit hash of the contents of each row, which may be rounded before."""
    hashes = np.empty(rows.n, dtype=np.uint64)
    size = 1 + int(HASHED_AT_ONCE / (1 + rows.values_per_row))
    for start in range(0, rows.n, size):
        rows.hash(start, min(start + size, rows.n), hashes, rounds)
    return hashes


def _tell_apart(
    hashes: NDArray[np.uint64], given: _core.Rows, X: Any, targets: NDArray[Any]
) -> None:
    """Give rows that are not equal, but have one hash, hashes in the order of their values."""
    _, groups, sizes = np.unique(hashes, return_inverse=True, return_counts=True)
    shared = np.flatnonzero(sizes[groups] > 1)
    exact = hashes_of(given)
    first = np.zeros(len(sizes), np.uint64)
    first[groups[shared]] = exact[shared]
    differs = np.zeros(len(sizes), bool)
    np.logical_or.at(differs, groups[shared], exact[shared] != first[groups[shared]])
    unequal = shared[differs[groups[shared]]]
    if not len(unequal):
        return
    columns = X[unequal].toarray() if hasattr(X, "toarray") else X[unequal]
    values = np.column_stack([columns, targets.reshape(len(targets), -1)[unequal]])
    order = np.lexsort((*values.T[::-1], hashes[unequal]))
    values, found = values[order], hashes[unequal][order]
    is_new = np.ones(len(found), bool)
    is_new[1:] = (found[1:] != found[:-1]) | (values[1:] != values[:-1]).any(axis=1)
    begins = np.ones(len(found), bool)
    begins[1:] = found[1:] != found[:-1]
    ranks = np.cumsum(is_new)
    ranks -= np.maximum.accumulate(np.where(begins, ranks, 0))
    hashes[unequal[order]] = found + ranks.astype(np.uint64)


def order_of(hashes: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return ``np.argsort(hashes)`` in about half its time: numbers alone are sorted faster.

    Each hash has its last bits replaced by its number, which are then read off what is sorted. Only
    those that agree in all other bits are left to `numpy.argsort`.
    """
    n = len(hashes)
    last_bits = np.uint64((1 << n.bit_length()) - 1)
    keys = hashes & ~last_bits
    keys |= np.arange(n, dtype=np.uint64)
    keys.sort()
    order = (keys & last_bits).astype(np.int64)
    alike = (keys[1:] ^ keys[:-1]) <= last_bits
    if alike.any():
        near = np.zeros(n, dtype=bool)
        near[1:] = alike
        near[:-1] |= alike
        numbers = order[near]
        order[near] = numbers[np.argsort(hashes[numbers])]
    return order
