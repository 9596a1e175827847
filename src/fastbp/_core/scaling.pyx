# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: binding=False, embedsignature=False, freethreading_compatible=True
"""Arrays in units of their own, and the moments of columns that these are made of."""
cimport cython
from libc.math cimport INFINITY, fabs, isfinite, sqrt
from libc.stdint cimport int32_t
from libc.string cimport memcpy

import numpy as np

cimport numpy as cnp

from .kernels cimport fbp_columns, fbp_ops, fbp_row, fbp_scaling
from .isa cimport table_for
from .memory cimport real_at, set_real
from .rows cimport scale_table

cnp.import_array()


cdef double ALIKE = 1e-14   # of a column's size: a spread that is smaller is that of rounding
cdef double PAIR = 1e-6     # by which the variance of two values may be too small, from rounding
cdef double TINY = 1e-290   # squares that are smaller have lost their digits


cdef enum:
    BLOCK_BYTES = 1 << 15   # of rows whose moments are found together
    ENOUGH_ROWS = 10        # from which on one more that is far from all of them counts as less far
    FARTHEST_SPREADS = 20   # standard deviations from the mean, which it counts as

ENOUGH, FARTHEST = ENOUGH_ROWS, FARTHEST_SPREADS


def scaled(cnp.ndarray X not None, cnp.ndarray center not None, cnp.ndarray factor not None,
           double limit):
    """A new array of X, (n_features,) or (n, n_features), scaled as in `Rows.scaled`.

    All arrays have the same dtype, float64 or float32; those of the scaling may repeat the columns.
    """
    cdef fbp_scaling scaling
    cdef fbp_row x
    cdef Py_ssize_t t, n = 1 if X.ndim == 1 else X.shape[0], n_features = X.shape[X.ndim - 1]
    cdef const fbp_ops *ops = table_for(X.dtype, None)
    if X.strides[X.ndim - 1] != X.itemsize:
        X = np.ascontiguousarray(X)
    cdef cnp.ndarray out = np.empty((<object> X).shape, X.dtype)
    cdef Py_ssize_t stride = 0 if X.ndim == 1 else X.strides[0], row_bytes = n_features * X.itemsize
    cdef const char *values = <const char *> cnp.PyArray_DATA(X)
    cdef char *to = <char *> cnp.PyArray_DATA(out)
    cdef Py_ssize_t repeats = cnp.PyArray_SIZE(center) // max(1, n_features)
    scaling.center, scaling.factor = cnp.PyArray_DATA(center), cnp.PyArray_DATA(factor)
    scaling.inverse_limit = 1 / limit
    x.columns, x.n = NULL, n_features
    if stride == row_bytes:
        with nogil:
            scale_table(ops, &scaling, n_features, repeats, row_bytes, n,
                        values, to)
        return out
    with nogil:
        for t in range(n):
            x.values = values + t * stride
            ops.scale_row(to + t * row_bytes, &x, &scaling)
    return out


cdef void add_row(double *to, const double *of, double weight, const void *x, Py_ssize_t n,
                  int itemsize) noexcept nogil:
    """Moments (4, n) with one row x more, of weight 1, by the formulas of Welford (1962)."""
    cdef Py_ssize_t i
    cdef double value, shift
    for i in range(n):
        value = real_at(x, i, itemsize)
        if weight >= ENOUGH_ROWS and not of[2 * n + i] <= value <= of[3 * n + i]:
            value = nearer(value, of[n + i] / weight, of[i], of[2 * n + i], of[3 * n + i])
        shift = value - of[i]
        to[i] = of[i] + shift / (weight + 1)
        to[n + i] = of[n + i] + shift * (value - to[i])
        to[2 * n + i] = min(of[2 * n + i], value)
        to[3 * n + i] = max(of[3 * n + i], value)


cdef double nearer(double value, double variance, double mean, double low,
                   double high) noexcept nogil:
    """A value that is farther from the mean than all before, at most FARTHEST_SPREADS away.

    A column of one value is left alone.
    """
    cdef double reach = FARTHEST_SPREADS * spread_of_column(variance, mean, low, high, False)
    if reach == INFINITY:
        return value
    return max(min(value, max(high, mean + reach)), min(low, mean - reach))


def moments_with_row(double weight, cnp.ndarray moments not None, cnp.ndarray x not None):
    """Moments (4, n_columns) of rows of this weight with one row x more, as a new array.

    x is contiguous, of float64 or float32.
    """
    cdef cnp.ndarray out = np.empty_like(moments)
    add_row(<double *> cnp.PyArray_DATA(out), <const double *> cnp.PyArray_DATA(moments), weight,
            cnp.PyArray_DATA(x), moments.shape[1], x.itemsize)
    return out


cdef enum:                      # a `RowUnits` has of inputs and of targets, each in this order:
    CENTER = 4                  # moments (4, n), center and scale
    SCALE = 5


@cython.final
cdef class RowUnits:
    """Scales single rows and their targets; what is running takes each row into its moments.

    Parameters
    ----------
    dtype : dtype of rows
    limit : float
    counts : bool
        Targets are divided by their mean.
    weight : float
        Sum of the weights of the rows so far.
    is_running : bool
        Else center and scale stay, and there need not be moments.
    inputs : ndarray of float64 of shape (6, n_in)
        Moments, as `moments_with_rows` has them, center and scale.
    targets : ndarray of float64 of shape (6, n_out), or None
        None: they are classes.
    """

    def __init__(self, dtype, double limit, bint counts, double weight, bint is_running,
                 cnp.ndarray inputs not None, targets=None):
        self.dtype, self.limit, self.counts = np.dtype(dtype), limit, counts
        self.weight, self.is_running = weight, is_running
        self.ops = table_for(self.dtype, None)
        self.n_in = inputs.shape[1]
        self.n_out = 0 if targets is None else targets.shape[1]
        other = np.empty((6, self.n_out)) if targets is None else np.array(targets, float)
        with np.errstate(over="ignore"):  # of numbers that float32 does not hold
            factors = np.stack([inputs[CENTER], 1 / inputs[SCALE]]).astype(self.dtype)
        first = np.array(inputs, float), other, factors
        self.slots = first, tuple([one.copy() for one in first])
        self.row, self.target = np.empty(self.n_in, self.dtype), np.empty(self.n_out)
        self.now = 0

    def __reduce__(self):
        inputs, targets, _ = self.slots[self.now]
        return RowUnits, (self.dtype, self.limit, self.counts, self.weight, self.is_running,
                          inputs, targets if self.n_out else None)

    def state(self):
        """The weight of the rows so far, and copies of ``inputs`` and ``targets``."""
        inputs, targets, _ = self.slots[self.now]
        return self.weight, inputs.copy(), targets.copy() if self.n_out else None

    cdef double *numbers(self, int slot, int which):
        return <double *> cnp.PyArray_DATA(<cnp.ndarray> (<tuple> self.slots[slot])[which])

    cdef fbp_scaling scaling(self, int slot):
        cdef fbp_scaling scaling
        cdef cnp.ndarray factors = (<tuple> self.slots[slot])[2]
        scaling.center = cnp.PyArray_DATA(factors)
        scaling.factor = <const char *> scaling.center + self.n_in * self.ops.itemsize
        scaling.inverse_limit = 1 / self.limit
        return scaling

    def seen(self, x, y):
        """A row (n_in,) and its target as the network sees them, or None where x is no such row.

        The target is a number, or (n_out,). What is running counts the row, once `commit` is
        called. The arrays are overwritten by the next call.
        """
        cdef int slot = self.now
        cdef fbp_row row
        cdef fbp_scaling scaling
        cdef double *own
        cdef double *of_y
        cdef Py_ssize_t k
        if not (type(x) is np.ndarray and (<cnp.ndarray> x).ndim == 1
                and cnp.PyArray_ISCARRAY_RO(x) and cnp.PyArray_SIZE(x) == self.n_in
                and (<cnp.ndarray> x).dtype == self.dtype
                and self.ops.all_finite(cnp.PyArray_DATA(x), self.n_in)):
            return None
        if self.n_out:
            if not (type(y) is np.ndarray and y.shape == self.target.shape
                    or self.n_out == 1 and isinstance(y, (int, float))):
                return None
            self.target[...] = y
        if self.is_running:
            slot = 1 - slot
            own = self.numbers(slot, 0)
            add_row(own, self.numbers(self.now, 0), self.weight, cnp.PyArray_DATA(x), self.n_in,
                    self.ops.itemsize)
            self.rescale_inputs(slot)
            if self.n_out:
                add_row(self.numbers(slot, 1), self.numbers(self.now, 1), self.weight,
                        cnp.PyArray_DATA(<cnp.ndarray> self.target), self.n_out, sizeof(double))
                self.rescale_targets(slot)
        scaling = self.scaling(slot)
        row.values, row.columns, row.n = cnp.PyArray_DATA(x), NULL, self.n_in
        self.ops.scale_row(cnp.PyArray_DATA(<cnp.ndarray> self.row), &row, &scaling)
        if not self.n_out:
            return self.row, y
        own, of_y = self.numbers(slot, 1), <double *> cnp.PyArray_DATA(<cnp.ndarray> self.target)
        for k in range(self.n_out):
            of_y[k] = (of_y[k] - own[CENTER * self.n_out + k]) / own[SCALE * self.n_out + k]
        if type(y) is not np.ndarray:
            return self.row, of_y[0]
        return self.row, self.target.astype(y.dtype)

    def commit(self):
        """Count the row that was seen last."""
        if self.is_running:
            self.now, self.weight = 1 - self.now, self.weight + 1

    cdef rescale_inputs(self, int slot):
        """Center and scale from the moments of this many rows and one more."""
        cdef double *own = self.numbers(slot, 0)
        cdef double spread
        cdef void *factors = <void *> self.scaling(slot).center
        cdef Py_ssize_t i, n = self.n_in
        for i in range(n):
            spread = spread_of_column(own[n + i] / (self.weight + 1), own[i], own[2 * n + i],
                                      own[3 * n + i], True)
            own[CENTER * n + i], own[SCALE * n + i] = own[i], spread
            set_real(factors, i, own[i], self.ops.itemsize)
            set_real(factors, n + i, 1 / spread, self.ops.itemsize)

    cdef rescale_targets(self, int slot):
        cdef double *own = self.numbers(slot, 1)
        cdef double mean, spread
        cdef Py_ssize_t k, n = self.n_out
        for k in range(n):
            mean = own[k]
            spread = spread_of_column(own[n + k] / (self.weight + 1), mean, own[2 * n + k],
                                      own[3 * n + k], False)
            own[CENTER * n + k] = 0 if self.counts else mean
            own[SCALE * n + k] = spread if isfinite(spread) else 1
            if self.counts:
                own[SCALE * n + k] = mean if mean > 0 else 1

    cdef inverse(self, cnp.ndarray outputs):
        """Outputs (n_out,) of the network in the units of the targets, in place."""
        cdef double *own = self.numbers(self.now, 1)
        cdef void *values = cnp.PyArray_DATA(outputs)
        cdef Py_ssize_t k, n = self.n_out
        cdef int itemsize = self.ops.itemsize
        cdef double scale
        for k in range(n):
            scale = own[SCALE * n + k]
            set_real(values, k, real_at(values, k, itemsize) * (scale if isfinite(scale) else 0)
                     + own[CENTER * n + k], itemsize)


def add_nonzeros(cnp.ndarray columns not None, cnp.ndarray values not None,
                 cnp.ndarray counts not None, cnp.ndarray squares not None,
                 cnp.ndarray largest not None):
    """Add values, of float64 or float32, and their squares, to the counts of their columns.

    All are contiguous; columns of int32, and the last three of float64, with an item a column.
    """
    cdef const int32_t *column = <const int32_t *> cnp.PyArray_DATA(columns)
    cdef double *counts_at = <double *> cnp.PyArray_DATA(counts)
    cdef double *squares_at = <double *> cnp.PyArray_DATA(squares)
    cdef double *largest_at = <double *> cnp.PyArray_DATA(largest)
    cdef const void *data = cnp.PyArray_DATA(values)
    cdef int itemsize = values.itemsize
    cdef Py_ssize_t p, n = cnp.PyArray_SIZE(values)
    cdef double value
    with nogil:
        for p in range(n):
            value = real_at(data, p, itemsize)
            counts_at[column[p]] += value != 0
            squares_at[column[p]] += value * value
            largest_at[column[p]] = max(largest_at[column[p]], fabs(value))


def moments_with_rows(double weight, cnp.ndarray moments not None, cnp.ndarray X not None,
                      cnp.ndarray weights=None):
    """Add rows of X, (n, n_columns) of float64 or float32, to moments (4, n_columns), in place.

    Those are mean, squared differences, smallest and largest value of rows of this weight. Returns
    the new weight. ``weights`` are contiguous; rows of weight 0 do not count. By the formulas of
    Chan, Golub and LeVeque (1979), for blocks that a cache holds.
    """
    cdef fbp_columns columns
    cdef const fbp_ops *ops = table_for(X.dtype, None)
    if X.strides[1] != X.itemsize:
        X = np.ascontiguousarray(X)
    cdef Py_ssize_t n_rows = X.shape[0], n = X.shape[1], t, block, start
    cdef Py_ssize_t size = max(16, BLOCK_BYTES // max(1, n * X.itemsize))
    cdef cnp.ndarray of_block = np.empty((4, n))
    cdef double *found = <double *> cnp.PyArray_DATA(of_block)
    cdef double *total = <double *> cnp.PyArray_DATA(moments)
    cdef const double *weights_at = NULL
    if weights is not None:
        weights_at = <const double *> cnp.PyArray_DATA(weights)
    columns.n_columns, columns.row_bytes = n, X.strides[0]
    with nogil:
        for block in range((n_rows + size - 1) // size):
            start = block * size
            columns.X = <const char *> cnp.PyArray_DATA(X) + start * columns.row_bytes
            columns.n_rows, columns.first_row = min(size, n_rows - start), 0
            columns.weight, columns.weights = columns.n_rows, NULL
            if weights_at != NULL:
                columns.weights, columns.weight = weights_at + start, 0
                for t in range(columns.n_rows):
                    columns.weight += columns.weights[t]
                if columns.weight == 0:
                    continue
                while columns.weights[columns.first_row] == 0:
                    columns.first_row += 1
            ops.column_moments(found, &columns)
            for t in range(n):
                if not isfinite(found[t]):              # of values whose difference is not
                    found[t] = found[2 * n + t] / 2 + found[3 * n + t] / 2
            merge_moments(total, weight, found, columns.weight, n)
            weight += columns.weight
    return weight


cdef void merge_moments(double *to, double weight, const double *other, double other_weight,
                        Py_ssize_t n) noexcept nogil:
    """Moments (4, n) of rows of two weights as those of all of them."""
    cdef double total = weight + other_weight, share = other_weight / total, shift
    cdef Py_ssize_t i
    if weight == 0:
        memcpy(to, other, 4 * n * sizeof(double))
        return
    for i in range(n):
        shift = other[i] - to[i]
        to[i] += shift * share
        to[n + i] += other[n + i] + shift * shift * (weight * share)
        to[2 * n + i] = min(to[2 * n + i], other[2 * n + i])
        to[3 * n + i] = max(to[3 * n + i], other[3 * n + i])


def spread_of(double weight, cnp.ndarray mean not None, cnp.ndarray squares not None,
              cnp.ndarray low not None, cnp.ndarray high not None, bint looks_for_pairs):
    """Standard deviation of each column; of one that has two values only how far apart they are.

    The latter if ``looks_for_pairs``. Infinity for a column of one value.
    """
    cdef Py_ssize_t i, n = mean.shape[0]
    cdef cnp.ndarray out = np.empty(n)
    cdef double *to = <double *> cnp.PyArray_DATA(out)
    cdef const double *mean_at = <const double *> cnp.PyArray_DATA(mean)
    cdef const double *squares_at = <const double *> cnp.PyArray_DATA(squares)
    cdef const double *low_at = <const double *> cnp.PyArray_DATA(low)
    cdef const double *high_at = <const double *> cnp.PyArray_DATA(high)
    for i in range(n):
        to[i] = spread_of_column(squares_at[i] / weight, mean_at[i], low_at[i], high_at[i],
                                 looks_for_pairs)
    return out


cdef double spread_of_column(double variance, double mean, double low, double high,
                             bint looks_for_pairs) noexcept nogil:
    cdef double spread = sqrt(variance)
    # Of two values it is (mean - low) (high - mean), and of others less.
    if looks_for_pairs and variance >= (1 - PAIR) * (mean - low) * (high - mean):
        spread = high - low
    if not isfinite(spread) or variance < TINY:     # squares that overflowed, or underflowed
        spread = high / 2 - low / 2
    return spread if spread > ALIKE * max(fabs(low), fabs(high)) else INFINITY
