"""`Scaling`: the units in which a network sees inputs and targets."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .arrays import blocks_of, blocks_of_rows

TINY = 1e-150  # numbers that are smaller have no squares
LIMIT = 3.0  # of scaled inputs: RealMLP's (Holzmüller, Grinsztajn and Steinwart, 2024)
FAR = 10  # standard deviations from the mean: beyond it a column may have a few values that are
SQUEEZED = 20  # so large that so many times the spread of its middle half is a standard deviation
FEW = 0.01  # share of the rows, or one row
ROWS_LOOKED_AT = 10_000
MOST_LANES, WIDE = 16, 64  # of a vector; columns, of which the last vector may be nearly empty
NORMAL_QUARTILES = 1.349  # standard deviations between the quartiles of a normal distribution


@dataclasses.dataclass(frozen=True, eq=False)
class Scaling:
    """``t = (x - center) / scale``, column by column, bounded to ``t / sqrt(1 + (t / limit)**2)``.

    Attributes
    ----------
    center, scale : ndarray of float64 of shape (n_columns,)
        A column without spread has a scale of infinity: all its values become 0.
    limit : float, default=infinity
        No scaled value is larger; infinity leaves the scaling linear.
    """

    center: NDArray[np.float64]
    scale: NDArray[np.float64]
    limit: float = math.inf

    def __getstate__(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    @property
    def is_linear(self) -> bool:
        """Whether there is no limit."""
        return math.isinf(self.limit)

    @functools.cached_property
    def has_centers(self) -> bool:
        """Whether zeros do not stay zeros."""
        return bool(self.center.any())

    def transform(self, values: Any) -> Any:
        """Return values in the units of the network.

        Parameters
        ----------
        values : ndarray of shape (n_columns,) or (n, n_columns), or sparse matrix
            Of float64 or float32.

        Returns
        -------
        Array or CSR matrix of the same dtype; an array if there are centers: zeros do not stay
        """
        if hasattr(values, "tocsr"):
            if self.has_centers:
                return self.transform(as_dense(values))
            values = values.tocsr()
            center, factor = (one[values.indices] for one in self._arrays(values.dtype))
            data = _core.scaled(values.data, center, factor, self.limit)
            return type(values)((data, values.indices, values.indptr), shape=values.shape)
        return _core.scaled(values, *self._arrays(values.dtype), self.limit)

    def inverse(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return scaled values in their own units; of a linear scaling.

        Parameters
        ----------
        values : ndarray of shape (n_columns,) or (n, n_columns)
        """
        own: NDArray[Any] = values * self._finite_scale + self.center
        return own if own.dtype == values.dtype else own.astype(values.dtype)

    def slopes(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Return the derivative of each scaled value by the value.

        Parameters
        ----------
        values : ndarray of shape (n, n_columns)
        """
        if self.is_linear:
            return np.broadcast_to(1 / self.scale, values.shape)
        share = np.clip((values - self.center) / (self.limit * self.scale), -1e9, 1e9)
        slopes: NDArray[np.float64] = (1 + np.square(share)) ** -1.5 / self.scale
        return slopes

    def rows(self, rows: _core.Rows, dtype: np.dtype[Any]) -> _core.Rows:
        """Return rows of data, scaled where they are read; see `Rows.scaled`."""
        return rows.scaled(*self._arrays(dtype), self.limit)

    def _arrays(self, dtype: Any) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return centers and factors of the dtype, which single rows ask for again and again.

        Of few columns they are repeated, so that several rows fill whole vectors.
        """
        if dtype not in self._of_dtype:
            with np.errstate(over="ignore"):  # of numbers that float32 does not hold
                arrays = self.center.astype(dtype), (1 / self.scale).astype(dtype)
            repeats = 1 if len(self.center) >= WIDE else MOST_LANES
            self._of_dtype[dtype] = np.tile(arrays[0], repeats), np.tile(arrays[1], repeats)
        return self._of_dtype[dtype]

    @functools.cached_property
    def _of_dtype(self) -> dict[Any, tuple[NDArray[Any], NDArray[Any]]]:
        return {}

    @functools.cached_property
    def _finite_scale(self) -> NDArray[np.float64]:
        return np.where(np.isinf(self.scale), 0, self.scale)


def as_dense(X: Any) -> NDArray[Any]:
    """Return a sparse matrix as an array, or say why it had to be one, and what to do."""
    try:
        array: NDArray[Any] = X.toarray()
    except MemoryError as error:
        size = X.shape[0] * X.shape[1] * X.dtype.itemsize / 2**30
        raise MemoryError(
            "This model was begun with dense rows: it subtracts a mean from each column, so zeros "
            f"do not stay zeros, and X would take {size:.3g} GiB as an array. Pass fewer rows at a "
            "time, or train a model from the beginning on CSR matrices, which have no means."
        ) from error
    return array


@dataclasses.dataclass(frozen=True, eq=False)
class Moments:
    """Weighted mean, variance and range of columns, kept up while rows come.

    By the pairwise formulas of Chan, Golub and LeVeque (1979), a block of rows as one of a pair.

    Attributes
    ----------
    weight : float
        Sum of the weights of the rows so far.
    mean, squares, low, high : ndarray of float64 of shape (n_columns,)
        ``squares`` are the sums of the squared differences from the mean.
    """

    weight: float
    mean: NDArray[np.float64]
    squares: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]

    @classmethod
    def of_nothing(cls, n_columns: int) -> Moments:
        """Return the moments of no rows."""
        zeros, most = np.zeros(n_columns), np.full(n_columns, math.inf)
        return cls(0.0, zeros, zeros, most, -most)

    def updated(self, values: NDArray[Any], weights: NDArray[np.float64] | None = None) -> Moments:
        """Return the moments with more rows, (n, n_columns); those of weight 0 do not count."""
        found, weight = self.stacked(), self.weight
        for start, stop in blocks_of_rows(values):
            part = None if weights is None else weights[start:stop]
            weight = _core.moments_with_rows(weight, found, values[start:stop], part)
        return Moments(weight, *found)

    def joined(self, other: Moments) -> Moments:
        """Return the moments of both, of other rows each; of no rows those of the others."""
        if not other.weight or not self.weight:
            return self if self.weight else other
        total = self.weight + other.weight
        away, share = other.mean - self.mean, other.weight / total
        squares = self.squares + other.squares + np.square(away) * (self.weight * share)
        low, high = np.minimum(self.low, other.low), np.maximum(self.high, other.high)
        return Moments(total, self.mean + away * share, squares, low, high)

    def updated_by_call(
        self, values: NDArray[Any], weights: NDArray[np.float64] | None = None
    ) -> Moments:
        """Return `updated`, but a few values that are huge beside those before count as less.

        Else one of them makes all others alike for as long as the stream lasts.
        """
        if self.weight < _core.ENOUGH:
            bounds = _bounds_of_few(values, weights)
        else:
            reach = _core.FARTHEST * self.deviation()
            bounds = self.mean - reach, self.mean + reach
        low, high = np.minimum(bounds[0], self.low), np.maximum(bounds[1], self.high)
        far = (values < low) | (values > high)
        few = far.sum(axis=0) <= max(1, FEW * len(values))
        if (far & few).any():
            values = np.where(far & few, np.clip(values, low, high), values)
        return self.updated(values, weights)

    def with_row(self, x: NDArray[Any]) -> Moments:
        """Return the moments with one row more, (n_columns,), of weight 1; bounded, too."""
        return Moments(self.weight + 1, *_core.moments_with_row(self.weight, self.stacked(), x))

    def stacked(self) -> NDArray[np.float64]:
        """Return mean, squares, low and high as one new array, (4, n_columns)."""
        return np.stack([self.mean, self.squares, self.low, self.high])

    def deviation(self) -> NDArray[np.float64]:
        """Return the standard deviation of each column; infinity for a constant."""
        return _core.spread_of(self.weight, self.mean, self.squares, self.low, self.high, False)

    def spread(self) -> NDArray[np.float64]:
        """Return `deviation`, but of a column of two values how far apart they are."""
        return _core.spread_of(self.weight, self.mean, self.squares, self.low, self.high, True)

    def scaling(self, limit: float = LIMIT) -> Scaling:
        """Return the scaling to a mean of 0 and a standard deviation of 1, or a range of 1."""
        return Scaling(self.mean, self.spread(), limit)


@dataclasses.dataclass(frozen=True, eq=False)
class NonzeroMoments:
    """Number and squares of what is not zero in each column, kept up while rows come.

    Attributes
    ----------
    counts, squares, largest : ndarray of float64 of shape (n_columns,)
        ``largest`` is the largest absolute value.
    """

    counts: NDArray[np.float64]
    squares: NDArray[np.float64]
    largest: NDArray[np.float64]

    @classmethod
    def of_nothing(cls, n_columns: int) -> NonzeroMoments:
        """Return the moments of no rows."""
        return cls(*np.zeros((3, n_columns)))

    def updated(self, X: Any, weights: NDArray[np.float64] | None = None) -> NonzeroMoments:
        """Return the moments with more rows: of an array, or a CSR matrix; weights do not count."""
        counts, squares, largest = (one.copy() for one in (self.counts, self.squares, self.largest))
        for columns, values in _nonzeros(X):
            _core.add_nonzeros(columns, values, counts, squares, largest)
        return NonzeroMoments(counts, squares, largest)

    def joined(self, other: NonzeroMoments) -> NonzeroMoments:
        """Return the moments of both, of other rows each."""
        counts, squares = self.counts + other.counts, self.squares + other.squares
        return NonzeroMoments(counts, squares, np.maximum(self.largest, other.largest))

    def with_row(self, x: NDArray[Any]) -> NonzeroMoments:
        """Return the moments with one row more, (n_columns,)."""
        return self.updated(x[np.newaxis])

    def scaling(self, limit: float = LIMIT) -> Scaling:
        """Return the scaling to a root mean square of 1, without centers: zeros stay zeros."""
        scale = np.sqrt(self.squares / np.maximum(self.counts, 1))
        lost = ~np.isfinite(scale) | (scale < TINY)
        scale = np.where(lost, self.largest, scale)
        return Scaling(np.zeros(len(scale)), np.where(scale > 0, scale, math.inf), limit)


def _nonzeros(X: Any) -> Iterator[tuple[NDArray[np.int32], NDArray[Any]]]:
    """Yield the columns and the values of what is not zero, some at a time."""
    if hasattr(X, "tocsr"):
        for start, stop in blocks_of(len(X.data), X.data.nbytes):
            columns = X.indices[start:stop].astype(np.int32, copy=False)
            yield columns, np.ascontiguousarray(X.data[start:stop])
        return
    for start, stop in blocks_of_rows(X):
        rows, columns = np.nonzero(X[start:stop])
        yield columns.astype(np.int32), X[start:stop][rows, columns]


@dataclasses.dataclass(frozen=True)
class UnitsTrace:
    """A row and its target in their own units, and how they are scaled to those of the network.

    Attributes
    ----------
    x : ndarray of shape (n_in,)
    center, scale : ndarray of float64 of shape (n_in,)
    limit : float
        ``t = (x - center) / scale`` becomes ``t / sqrt(1 + (t / limit)**2)``.
    y, target_center, target_scale : ndarray of float64 of shape (n_out,), or None
        None where targets are classes.
    """

    x: NDArray[Any]
    center: NDArray[np.float64]
    scale: NDArray[np.float64]
    limit: float
    y: NDArray[Any] | None
    target_center: NDArray[np.float64] | None
    target_scale: NDArray[np.float64] | None

    def in_units_of_y(self, outputs: NDArray[Any]) -> NDArray[Any]:
        """Return outputs of the network, (n_out,), in the units of the targets."""
        if self.target_scale is None or self.target_center is None:
            return outputs
        scaled: NDArray[Any] = outputs * self.target_scale + self.target_center
        return scaled


def scaling_of_columns(
    X: NDArray[Any], weights: NDArray[np.float64] | None = None, limit: float = LIMIT
) -> Scaling:
    """Return the scaling of a table: by `Moments`, of some columns by quartiles.

    Those are columns whose mean and deviation are those of a few huge values.

    Parameters
    ----------
    X : ndarray of shape (n, n_columns)
    weights : ndarray of shape (n,), or None
    limit : float
    """
    moments = Moments.of_nothing(X.shape[1]).updated(X, weights)
    center, scale = moments.mean.copy(), moments.spread()
    for column, median, middle in _squeezed_columns(X, weights, moments):
        center[column], scale[column] = median, middle
    return Scaling(center, scale, limit)


def _squeezed_columns(
    X: NDArray[Any], weights: NDArray[np.float64] | None, moments: Moments
) -> Iterator[tuple[int, float, float]]:
    """Yield the columns whose deviation is that of a few huge values, and `middle_of` them."""
    spread, deviation = moments.spread(), moments.deviation()
    farthest = np.maximum(moments.high - moments.mean, moments.mean - moments.low)
    far = min(FAR, 0.5 * math.sqrt(len(X)))  # one of n is at most the root of n - 1 away
    for column in np.flatnonzero(farthest > far * deviation).tolist():
        median, middle = middle_of(X[:, column], weights)
        if 0 < SQUEEZED * middle < spread[column]:
            yield column, median, middle


def middle_of(
    values: NDArray[Any], weights: NDArray[np.float64] | None = None
) -> tuple[float, float]:
    """Return the median of values (n,), of some of them, and the deviation of their middle half."""
    some = np.linspace(0, len(values) - 1, min(len(values), ROWS_LOOKED_AT)).astype(np.intp)
    of_some = None if weights is None else weights[some]
    if of_some is not None and not of_some.any():
        return 0.0, 0.0
    lower, median, upper = quantiles(values[some], (0.25, 0.5, 0.75), of_some)
    return median, (upper - lower) / NORMAL_QUARTILES


def squeezed_by_few(
    values: NDArray[np.float64], scale: float, weights: NDArray[np.float64] | None = None
) -> tuple[float, float] | None:
    """Return `middle_of` values (n,) if a few huge ones, and no more, make their scale; else None.

    Parameters
    ----------
    values : ndarray of shape (n,)
    scale : float
        By which they would be divided.
    weights : ndarray of shape (n,), or None
    """
    median, middle = middle_of(values, weights)
    if not 0 < SQUEEZED * middle < scale:
        return None
    n_far = np.count_nonzero(np.abs(values - median) > FAR * middle)
    return (median, middle) if n_far <= max(1, FEW * len(values)) else None


def _bounds_of_few(
    values: NDArray[Any], weights: NDArray[np.float64] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the least and the most that values (n, n_columns) count as: infinite for most."""
    bounds = np.full((2, values.shape[1]), math.inf)
    bounds[0] *= -1
    if len(values) >= _core.ENOUGH:
        moments = Moments.of_nothing(values.shape[1]).updated(values, weights)
        for column, median, middle in _squeezed_columns(values, weights, moments):
            reach = _core.FARTHEST * middle
            bounds[:, column] = median - reach, median + reach
    return bounds[0], bounds[1]


def quantiles(
    values: NDArray[Any], shares: tuple[float, ...], weights: NDArray[np.float64] | None = None
) -> list[float]:
    """Return the smallest values (n,) that these shares of the weight do not exceed."""
    order = np.argsort(values)
    total = np.arange(1.0, len(values) + 1) if weights is None else np.cumsum(weights[order])
    places = np.searchsorted(total, np.multiply(shares, total[-1] * (1 - 1e-12)))
    return [float(value) for value in values[order[places]]]
