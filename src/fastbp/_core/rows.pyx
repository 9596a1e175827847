# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: binding=False, embedsignature=False, freethreading_compatible=True
"""Rows of data as pointers for C, and orders of rows."""
cimport cython
from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.math cimport rint
from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.string cimport memcpy

import numpy as np

cimport numpy as cnp

from .kernels cimport (
    FBP_MT19937_LENGTH, bitgen_t, fbp_data, fbp_mt19937, fbp_ops, fbp_row, fbp_scaling,
    fbp_shuffle, fetch_row, row_of, target_of, weight_of
)
from .isa cimport table_for

cnp.import_array()


cdef double weight_of_rows(const fbp_data *data, const int64_t *order, Py_ssize_t start,
                           Py_ssize_t stop) noexcept nogil:
    cdef double total = 0
    cdef Py_ssize_t t
    for t in range(start, stop):
        total += weight_of(data, order[t])
    return total


@cython.final
cdef class Rows:
    """Rows of data as pointers for C, into arrays that it keeps alive.

    Parameters
    ----------
    X : ndarray of shape (n, n_features), rows contiguous; or (data, indices, indptr) of a CSR
        matrix, with indices of int32 and indptr of int64
    n_features : int
    y : ndarray of shape (n, n_out) and the dtype of X, rows contiguous; or a table (m, n_out) of
        such targets and, as int32, the row of it that belongs to each row of X; or None
    sample_weight : contiguous float64 ndarray of shape (n,), or None
    """

    def __init__(self, X, n_features, y=None, sample_weight=None):
        self.arrays = (X, y)
        self.max_loss = 1e300
        self.sample_weight = sample_weight
        self.data.n_features = n_features
        self.sparse = isinstance(X, tuple)
        if self.sparse:
            values, columns, row_starts = X
            self.n = len(row_starts) - 1
            self.data.columns = <const int32_t *> cnp.PyArray_DATA(columns)
            self.data.row_starts = <const int64_t *> cnp.PyArray_DATA(row_starts)
        else:
            values = X
            self.n = len(X)
            self.data.X_row_bytes = X.strides[0]
        self.data.X = <const char *> cnp.PyArray_DATA(values)
        self.data.itemsize = values.itemsize
        self.values_per_row = <double> len(values) / max(self.n, 1) if self.sparse else n_features
        if isinstance(y, tuple):
            y, numbers = y
            self.data.y_rows = <const int32_t *> cnp.PyArray_DATA(numbers)
        if y is not None:
            self.data.y = <const char *> cnp.PyArray_DATA(y)
            self.data.y_row_bytes = y.strides[0]
            self.n_outputs = y.shape[1]
        if sample_weight is not None:
            self.data.weights = <const double *> cnp.PyArray_DATA(sample_weight)

    def part(self, Py_ssize_t start, Py_ssize_t stop):
        """Rows start..stop of these, without copying them."""
        cdef Rows part = Rows.__new__(Rows)
        part.data, part.arrays, part.n = self.data, self.arrays, stop - start
        part.sparse, part.values_per_row = self.sparse, self.values_per_row
        part.max_loss, part.n_outputs = self.max_loss, self.n_outputs
        part.scaling, part.scaling_arrays = self.scaling, self.scaling_arrays
        if self.sparse:
            part.data.row_starts += start
        else:
            part.data.X += start * self.data.X_row_bytes
        if self.data.y_rows != NULL:
            part.data.y_rows += start
        elif self.data.y != NULL:
            part.data.y += start * self.data.y_row_bytes
        if self.sample_weight is not None:
            part.data.weights += start
            part.sample_weight = self.sample_weight[start:stop]
        return part

    def scaled(self, cnp.ndarray center not None, cnp.ndarray factor not None, double limit):
        """These rows with ``(x - center) * factor`` for x, worked out where they are read.

        Bounded to t / sqrt(1 + (t / limit)^2), unless the limit is infinite. Of a CSR matrix the
        factors alone count. The arrays have an item for each column, of the dtype of X.
        """
        cdef Rows rows = self.part(0, self.n)
        rows.scaling_arrays = center, factor
        rows.scaling.center = cnp.PyArray_DATA(center)
        rows.scaling.factor = cnp.PyArray_DATA(factor)
        rows.scaling.inverse_limit = 1 / limit
        return rows

    @property
    def is_scaled(self):
        """Whether X is scaled where it is read."""
        return self.scaling_arrays is not None

    def unscaled(self):
        """These rows as they are given."""
        cdef Rows rows = self.part(0, self.n)
        rows.scaling_arrays = None
        return rows

    def plain(self, Py_ssize_t start, Py_ssize_t stop):
        """Rows start..stop, as X is read: where that is scaled, with a copy."""
        cdef Rows part = self.part(start, stop)
        if self.scaling_arrays is None:
            return part
        cdef Py_ssize_t n = stop - start, row_bytes = self.data.itemsize * self.data.n_features
        cdef int64_t first
        cdef cnp.ndarray values
        dtype = np.float32 if self.data.itemsize == sizeof(float) else np.float64
        if self.sparse:
            first = part.data.row_starts[0]
            values = np.empty(part.data.row_starts[n] - first, dtype)
            scale_nonzeros(table_for(dtype, None), &part.data, &self.scaling, n,
                           <char *> cnp.PyArray_DATA(values))
            part.data.X = <const char *> cnp.PyArray_DATA(values) - first * self.data.itemsize
        else:
            values = np.empty((n, self.data.n_features), dtype)
            scale_rows(table_for(dtype, None), &part.data, &self.scaling, NULL, n,
                       <char *> cnp.PyArray_DATA(values))
            part.data.X, part.data.X_row_bytes = <const char *> cnp.PyArray_DATA(values), row_bytes
        part.arrays += (values,)
        part.scaling_arrays = None
        return part

    def weight(self, cnp.ndarray order=None):
        """The sum of the weights of the rows in ``order``, or of all: 1 each, or float.

        They are added up in that order.
        """
        cdef const int64_t *order_data
        cdef Py_ssize_t n = self.n if order is None else cnp.PyArray_SIZE(order)
        cdef double total
        if self.sample_weight is None:
            return n
        if order is None:
            return float(self.sample_weight.sum())
        order_data = <const int64_t *> cnp.PyArray_DATA(order)
        with nogil:
            total = weight_of_rows(&self.data, order_data, 0, n)
        return total

    def hash(self, Py_ssize_t start, Py_ssize_t stop, cnp.ndarray out not None):
        """64-bit hashes of x and y of rows start..stop into those items of the uint64 ``out``.

        What is scaled is rounded first, so that units make no difference.
        """
        cdef bint single = self.data.itemsize == sizeof(float), rounds = self.is_scaled
        cdef int itemsize = self.data.itemsize
        cdef const fbp_ops *ops = table_for(np.float32 if single else np.float64, None)
        cdef uint64_t *hashes = <uint64_t *> cnp.PyArray_DATA(out)
        cdef Py_ssize_t n_values = max(self.data.n_features, self.n_outputs) if rounds else 0
        cdef cnp.ndarray rounded = np.empty(n_values * itemsize, np.uint8)
        cdef void *buffer = cnp.PyArray_DATA(rounded)
        cdef fbp_row x, y
        cdef Py_ssize_t r
        y.columns = NULL
        y.n = self.n_outputs
        with nogil:
            for r in range(start, stop):
                x = row_of(&self.data, r)
                if rounds:
                    ops.scale_row(buffer, &x, &self.scaling)
                    round_values(buffer, x.n, itemsize)
                    x.values = buffer
                hashes[r] = ops.hash_row(&x, 0)
                y.values = target_of(&self.data, r)
                if rounds:
                    memcpy(buffer, y.values, y.n * itemsize)
                    round_values(buffer, y.n, itemsize)
                    y.values = buffer
                hashes[r] += ops.hash_row(&y, self.data.n_features)


cdef void round_values(void *values, Py_ssize_t n, int itemsize) noexcept nogil:
    """To multiples of 2^-6: far coarser than what rounding adds to scaled values."""
    cdef Py_ssize_t i
    for i in range(n):
        if itemsize == sizeof(float):
            (<float *> values)[i] = <float> rint((<float *> values)[i] * 64.0)
        else:
            (<double *> values)[i] = rint((<double *> values)[i] * 64.0)


cdef void scale_rows(const fbp_ops *ops, const fbp_data *data, const fbp_scaling *scaling,
                     const int64_t *order, Py_ssize_t n, char *X) noexcept nogil:
    """Dense rows order[0..n) of X, or those from 0 on, scaled and side by side."""
    cdef Py_ssize_t t, row_bytes = data.n_features * data.itemsize
    cdef fbp_row x
    for t in range(n):
        if order != NULL and t + ROWS_AHEAD < n:
            fetch_row(data, order[t + ROWS_AHEAD])
        x = row_of(data, t if order == NULL else order[t])
        ops.scale_row(X + t * row_bytes, &x, scaling)


cdef void scale_nonzeros(const fbp_ops *ops, const fbp_data *data, const fbp_scaling *scaling,
                         Py_ssize_t n, char *values) noexcept nogil:
    """The values of n rows of a CSR matrix, scaled."""
    cdef Py_ssize_t t
    cdef fbp_row x
    for t in range(n):
        x = row_of(data, t)
        ops.scale_row(values, &x, scaling)
        values += x.n * data.itemsize


cdef void scale_piece(const fbp_ops *ops, ScaledPiece *piece, const fbp_data *data,
                      const fbp_scaling *scaling, const int64_t *order,
                      Py_ssize_t n) noexcept nogil:
    """Rows order[0..n) of dense data as rows 0 to n - 1 of the piece, with targets and weights."""
    cdef Py_ssize_t t
    scale_rows(ops, data, scaling, order, n, piece.X)
    for t in range(n):
        if data.y_rows != NULL:
            piece.y_rows[t] = data.y_rows[order[t]]
        else:
            memcpy(piece.y + t * piece.data.y_row_bytes, target_of(data, order[t]),
                   piece.data.y_row_bytes)
        if data.weights != NULL:
            piece.weights[t] = data.weights[order[t]]


cdef enum:
    ROWS_AHEAD = 8


def shuffle(order, random_state):
    """Shuffle a 1-D int64 array in place as ``random_state.shuffle(order)`` does, but faster.

    The same order, to the bit, and the same state of the generator afterwards. Other arrays, and
    whatever is not a ``RandomState`` on an ``MT19937``, are left to ``random_state`` itself.

    Parameters
    ----------
    order : ndarray of int64 of shape (n,)
    random_state : RandomState, or anything else that has ``shuffle``
    """
    cdef fbp_mt19937 *generator
    cdef int64_t *items
    cdef int64_t n
    if can_shuffle(order, random_state):
        items, n = <int64_t *> cnp.PyArray_DATA(order), cnp.PyArray_SIZE(order)
        generator = state_of(random_state._bit_generator)
        with _Drawing(random_state), nogil:
            fbp_shuffle(items, n, generator)
        return
    random_state.shuffle(order)


cdef set DRAWN_FROM = set()


cdef class _Drawing:
    """Context in which kernels draw from a RandomState without the GIL: that of its lock.

    Meanwhile the lock is in ``DRAWN_FROM``, for `unlock_generators`.
    """

    def __init__(self, random_state):
        self.lock = random_state._bit_generator.lock

    def __enter__(self):
        self.lock.acquire()
        DRAWN_FROM.add(self.lock)

    def __exit__(self, *_):
        DRAWN_FROM.discard(self.lock)
        self.lock.release()


def unlock_generators():
    """In a forked process: unlock the generators that threads of its parent were drawing from.

    One of them may be NumPy's global generator, which a child process would wait for, for ever.
    """
    for lock in DRAWN_FROM:
        lock._at_fork_reinit()
    DRAWN_FROM.clear()


def can_shuffle(order, random_state):
    """Whether `shuffle` does this by itself."""
    return (type(random_state) is np.random.RandomState
            and type(random_state._bit_generator) is np.random.MT19937
            and STATE_IS_AS_KNOWN and is_order(order)
            and 0 <= state_of(random_state._bit_generator).pos <= FBP_MT19937_LENGTH)


cdef bint is_order(object order):
    """Whether it is what `fbp_shuffle` can write to."""
    return (cnp.PyArray_CheckExact(order) and cnp.PyArray_NDIM(order) == 1
            and cnp.PyArray_TYPE(order) == cnp.NPY_INT64 and cnp.PyArray_ISCARRAY(order)
            and cnp.PyArray_SIZE(order) <= <int64_t> 1 << 32)


cdef fbp_mt19937 *state_of(object bit_generator) except NULL:
    """Where an MT19937 keeps its state, by the interface that NumPy offers to C."""
    cdef bitgen_t *interface = <bitgen_t *> PyCapsule_GetPointer(
        bit_generator.capsule, "BitGenerator")
    return <fbp_mt19937 *> interface.state


cdef bint state_is_as_known() except -1:
    """Whether this NumPy's state has the layout in fastbp.h: NumPy does not promise it."""
    cdef fbp_mt19937 *found
    bit_generator = np.random.MT19937(0)
    bit_generator.random_raw()
    state = bit_generator.state["state"]
    found = state_of(bit_generator)
    return found.pos == state["pos"] and all(
        found.key[i] == word for i, word in enumerate(state["key"].tolist()))


cdef bint STATE_IS_AS_KNOWN = state_is_as_known()
