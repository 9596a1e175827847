"""`Gaps`: what a network sees where a value is missing."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, hstack, issparse

from ..network.arrays import blocks_of_rows
from ..network.sparse import check_n_features

ERROR, INDICATOR = MISSING = ("error", "indicator")


@dataclasses.dataclass(frozen=True, eq=False)
class Gaps:
    """Which inputs were missing in some rows, and the mean that stands for each.

    Rows get a column more, of 0 and 1, for each of these inputs: as by scikit-learn's
    ``SimpleImputer(add_indicator=True, keep_empty_features=True)``.

    Attributes
    ----------
    features : ndarray of int of shape (n_marked,)
        Numbers of the inputs that have a column of marks.
    means : ndarray of float64 of shape (n_features,)
        Of the values that there are, zeros of a CSR matrix included; 0 where there are none.
    weights : ndarray of float64 of shape (n_features,), or None
        How much each mean weighs, where partial_fit keeps them up; after `fit` they stay.
    """

    features: NDArray[np.intp]
    means: NDArray[np.float64]
    weights: NDArray[np.float64] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    def filled(self, X: Any) -> Any:
        """Return rows with the means in their gaps, and the marks beside them.

        Parameters
        ----------
        X : ndarray of shape (n_features,) or (n, n_features), or CSR matrix
            Of float64 or float32, as what is returned.
        """
        n = len(self.means)
        check_n_features(X.shape[-1], n)
        if issparse(X):
            return self._filled_csr(X)
        gaps = np.isnan(X)
        if not len(self.features):
            return np.where(gaps, self._means_of(X.dtype), X) if gaps.any() else X
        wide = np.empty((*X.shape[:-1], n + len(self.features)), X.dtype)
        wide[..., :n] = X
        np.copyto(wide[..., :n], self._means_of(X.dtype), where=gaps)
        wide[..., n:] = gaps[..., self.features]
        return wide

    def _filled_csr(self, X: Any) -> Any:
        gaps = np.isnan(X.data)
        data = np.where(gaps, self._means_of(X.dtype)[X.indices], X.data)
        filled = type(X)((data, X.indices, X.indptr), shape=X.shape)
        if not len(self.features):
            return filled
        places = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))[gaps], X.indices[gaps]
        marks = csr_array((np.ones(len(places[0]), X.dtype), places), shape=X.shape)
        wide = hstack([filled, marks[:, self.features]], format="csr", dtype=X.dtype)
        return type(X)((wide.data, wide.indices, wide.indptr), shape=wide.shape)

    def _means_of(self, dtype: Any) -> NDArray[Any]:
        if dtype not in self._of_dtype:
            self._of_dtype[dtype] = self.means.astype(dtype)
        return self._of_dtype[dtype]

    @functools.cached_property
    def _of_dtype(self) -> dict[Any, NDArray[Any]]:
        return {}

    def with_rows(self, X: Any, weights: NDArray[np.float64] | None = None) -> Gaps:
        """Return the gaps with more rows, for partial_fit; after `fit` they stay as they are."""
        if self.weights is None:
            return self
        sums, added = _sums_and_weights(X, weights)
        return self._with_sums(sums, added)

    def with_row(self, x: NDArray[Any]) -> Gaps:
        """Return the gaps with one row more, (n_features,), of weight 1: in microseconds."""
        if self.weights is None:
            return self
        gaps = np.isnan(x)
        return self._with_sums(np.where(gaps, 0, x), 1.0 - gaps)

    def _with_sums(self, sums: NDArray[Any], added: NDArray[np.float64]) -> Gaps:
        assert self.weights is not None
        total = self.weights + added
        with np.errstate(all="ignore"):  # of infinity, which is refused later
            change = (sums - added * self.means) / np.maximum(total, 1e-300)
        return Gaps(self.features, self.means + change, total)


def gaps_of(X: Any, weights: NDArray[np.float64] | None) -> Gaps:
    """Return the gaps of the rows of a fit; rows of weight 0 do not count."""
    sums, total = _sums_and_weights(X, weights)
    with np.errstate(all="ignore"):
        means = np.divide(sums, total, out=np.zeros(len(total)), where=total > 0)
    return Gaps(_features_with_gaps(X, weights), means)


def running_gaps(X: Any, weights: NDArray[np.float64] | None) -> Gaps:
    """Return the gaps for the first call of partial_fit: later ones may be in any input."""
    n_features = X.shape[1]
    nothing = Gaps(np.arange(n_features), *np.zeros((2, n_features)))
    return nothing.with_rows(X, weights)


def _sums_and_weights(
    X: Any, weights: NDArray[np.float64] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the weighted sum of the values of each column, and the sum of their weights."""
    n_rows, n_columns = X.shape
    each = np.ones(n_rows) if weights is None else weights
    if issparse(X):
        gaps, own = np.isnan(X.data), np.repeat(each, np.diff(X.indptr))
        values = np.where(gaps, 0, X.data) * own
        lost = np.bincount(X.indices, gaps * own, minlength=n_columns)
        found: NDArray[Any] = np.bincount(X.indices, values, minlength=n_columns)
        return found, each.sum() - lost
    sums, total = np.zeros((2, n_columns))
    for start, stop in blocks_of_rows(X):
        block, own = X[start:stop], each[start:stop]
        gaps = np.isnan(block)
        with np.errstate(all="ignore"):
            sums += own @ np.where(gaps, 0.0, block)
        total += own @ ~gaps
    return sums, total


def _features_with_gaps(X: Any, weights: NDArray[np.float64] | None) -> NDArray[np.intp]:
    """Return the numbers of the columns in which a row that counts has no value."""
    counts = np.ones(X.shape[0], bool) if weights is None else weights > 0
    if issparse(X):
        found = np.isnan(X.data) & np.repeat(counts, np.diff(X.indptr))
        return np.unique(X.indices[found]).astype(np.intp)
    any_gap = np.zeros(X.shape[1], bool)
    for start, stop in blocks_of_rows(X):
        any_gap |= np.isnan(X[start:stop][counts[start:stop]]).any(axis=0)
    return np.flatnonzero(any_gap)
