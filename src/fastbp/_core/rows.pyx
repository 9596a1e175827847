# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: binding=False, embedsignature=False, freethreading_compatible=True
"""Rows of data as pointers for C, and orders of rows."""
cimport cython
from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.stdint cimport int32_t, int64_t, uint64_t

import numpy as np

cimport numpy as cnp

from .kernels cimport (
    FBP_MT19937_LENGTH, bitgen_t, fbp_data, fbp_mt19937, fbp_ops, fbp_row, fbp_shuffle, row_of,
    target_of, weight_of
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
        """64-bit hashes of x and y of rows start..stop into those items of the uint64 ``out``."""
        cdef bint single = self.data.itemsize == sizeof(float)
        cdef const fbp_ops *ops = table_for(np.float32 if single else np.float64, None)
        cdef uint64_t *hashes = <uint64_t *> cnp.PyArray_DATA(out)
        cdef fbp_row x, y
        cdef Py_ssize_t r
        y.columns = NULL
        y.n = self.n_outputs
        with nogil:
            for r in range(start, stop):
                x = row_of(&self.data, r)
                y.values = target_of(&self.data, r)
                hashes[r] = ops.hash_row(&x, 0) + ops.hash_row(&y, self.data.n_features)


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
