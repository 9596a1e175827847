# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: binding=False, embedsignature=False, freethreading_compatible=True
"""Arrays in units of their own, and the moments of columns that these are made of."""
from libc.math cimport INFINITY, fabs, isfinite, sqrt
from libc.stdint cimport int32_t

import numpy as np

cimport numpy as cnp

from .kernels cimport fbp_ops, fbp_row, fbp_scaling
from .isa cimport table_for
from .memory cimport real_at

cnp.import_array()


cdef double ALIKE = 1e-14   # of a column's size: a spread that is smaller is that of rounding
cdef double PAIR = 1e-6     # by which the variance of two values may be too small, from rounding
cdef double TINY = 1e-290   # squares that are smaller have lost their digits


def scaled(cnp.ndarray X not None, cnp.ndarray center not None, cnp.ndarray factor not None,
           double limit):
    """A new array of X, (n_features,) or (n, n_features), scaled as in `Rows.scaled`.

    All arrays have the same dtype, float64 or float32.
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
    scaling.center, scaling.factor = cnp.PyArray_DATA(center), cnp.PyArray_DATA(factor)
    scaling.inverse_limit = 1 / limit
    x.columns, x.n = NULL, n_features
    with nogil:
        for t in range(n):
            x.values = values + t * stride
            ops.scale_row(to + t * row_bytes, &x, &scaling)
    return out


def moments_with_row(double weight, cnp.ndarray mean not None, cnp.ndarray squares not None,
                     cnp.ndarray low not None, cnp.ndarray high not None, cnp.ndarray x not None):
    """Mean, squared differences, smallest and largest value with one row x more, of weight 1.

    In a new array (4, n_columns). ``weight`` is that of the rows before; x is contiguous, of
    float64 or float32. By the formulas of Welford (1962).
    """
    cdef Py_ssize_t i, n = mean.shape[0]
    cdef cnp.ndarray out = np.empty((4, n))
    cdef double *to = <double *> cnp.PyArray_DATA(out)
    cdef const double *mean_at = <const double *> cnp.PyArray_DATA(mean)
    cdef const double *squares_at = <const double *> cnp.PyArray_DATA(squares)
    cdef const double *low_at = <const double *> cnp.PyArray_DATA(low)
    cdef const double *high_at = <const double *> cnp.PyArray_DATA(high)
    cdef double value, shift
    for i in range(n):
        value = real_at(cnp.PyArray_DATA(x), i, x.itemsize)
        shift = value - mean_at[i]
        to[i] = mean_at[i] + shift / (weight + 1)
        to[n + i] = squares_at[i] + shift * (value - to[i])
        to[2 * n + i] = min(low_at[i], value)
        to[3 * n + i] = max(high_at[i], value)
    return out


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
