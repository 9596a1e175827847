# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: binding=False, embedsignature=False, freethreading_compatible=True
"""Rows of data as pointers for C, and orders of rows."""
cimport cython
from cpython.pycapsule cimport PyCapsule_GetPointer
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
        if self.numbers is not None:
            part.numbers = self.numbers[start:stop]
        elif self.sparse:
            part.data.row_starts += start
        else:
            part.data.X += start * self.data.X_row_bytes
        if self.numbers is None and self.data.y_rows != NULL:
            part.data.y_rows += start
        elif self.numbers is None and self.data.y != NULL:
            part.data.y += start * self.data.y_row_bytes
        if self.sample_weight is not None:
            part.sample_weight = self.sample_weight[start:stop]
            part.data.weights += start
        return part

    def picked(self, cnp.ndarray numbers not None, sample_weight=None):
        """The rows of these numbers, an int64 array, with weights of their own: without a copy.

        `plain` copies some of them; kernels cannot read them as they are.
        """
        cdef Rows picked = self.part(0, self.n)
        picked.numbers, picked.n, picked.sample_weight = numbers, len(numbers), sample_weight
        picked.data.weights = NULL
        if sample_weight is not None:
            picked.data.weights = <const double *> cnp.PyArray_DATA(sample_weight)
        return picked

    def scaled(self, cnp.ndarray center not None, cnp.ndarray factor not None, double limit):
        """These rows with ``(x - center) * factor`` for x, worked out where they are read.

        Bounded to t / sqrt(1 + (t / limit)^2), unless the limit is infinite. Of a CSR matrix the
        factors alone count. The arrays have an item for each column, of the dtype of X; where they
        repeat all columns, so many rows are scaled at once.
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
        """Rows start..stop as kernels read them: where X is scaled, or rows are picked, a copy."""
        if self.numbers is not None:
            return self.gathered(start, stop)
        cdef Rows part = self.part(start, stop)
        if self.scaling_arrays is None:
            return part
        cdef Py_ssize_t n = stop - start, row_bytes = self.data.itemsize * self.data.n_features
        cdef int64_t first
        cdef cnp.ndarray values
        dtype = self.dtype()
        if self.sparse:
            first = part.data.row_starts[0]
            values = np.empty(part.data.row_starts[n] - first, dtype)
            scale_nonzeros(table_for(dtype, None), &part.data, &self.scaling, NULL, n,
                           <char *> cnp.PyArray_DATA(values))
            part.data.X = <const char *> cnp.PyArray_DATA(values) - first * self.data.itemsize
        else:
            values = np.empty((n, self.data.n_features), dtype)
            copy_rows(table_for(dtype, None), &part.data, &self.scaling, self.repeats(), NULL, n,
                      <char *> cnp.PyArray_DATA(values))
            part.data.X, part.data.X_row_bytes = <const char *> cnp.PyArray_DATA(values), row_bytes
        part.arrays += (values,)
        part.scaling_arrays = None
        return part

    def blocks(self, Py_ssize_t start, Py_ssize_t stop):
        """Yield where blocks of rows start..stop begin and end, for `plain` to copy: into a cache.

        All of them are one where it copies nothing.
        """
        cdef Py_ssize_t size = max(1, stop - start)
        if self.numbers is not None or self.is_scaled:
            size = max(COPIED_ROWS, <Py_ssize_t> (
                COPIED_BYTES / (1 + self.values_per_row * self.data.itemsize)))
        for first in range(start, stop, size):
            yield first, min(first + size, stop)

    cdef Py_ssize_t repeats(self):
        """How often its scaling repeats the columns; 1 if there is none."""
        if self.scaling_arrays is None:
            return 1
        return len(self.scaling_arrays[0]) // max(self.data.n_features, 1)

    cdef Py_ssize_t longest(self):
        """How many values the longest row of a CSR matrix has."""
        cdef Py_ssize_t r, most = 0
        for r in range(self.n):
            most = max(most, row_of(&self.data, r).n)
        return most

    cdef object dtype(self):
        return np.float32 if self.data.itemsize == sizeof(float) else np.float64

    cdef Rows gathered(self, Py_ssize_t start, Py_ssize_t stop):
        """Picked rows start..stop, side by side."""
        cdef Rows part = self.part(start, stop)
        cdef Py_ssize_t n = part.n, n_values, t
        cdef fbp_data *data = &part.data
        cdef const fbp_scaling *scaling = &self.scaling if self.is_scaled else NULL
        cdef const int64_t *order = <const int64_t *> cnp.PyArray_DATA(part.numbers)
        cdef cnp.ndarray values, columns, starts, targets
        cdef const fbp_ops *ops
        dtype = self.dtype()
        ops = table_for(dtype, None)
        targets = np.empty(n, np.int32)
        if data.y != NULL and data.y_rows == NULL:
            targets = np.empty((n, self.n_outputs), dtype)
        copy_targets(data, order, n, self.n_outputs * data.itemsize,
                     <char *> cnp.PyArray_DATA(targets))
        if self.sparse:
            n_values = 0
            for t in range(n):
                n_values += row_of(data, order[t]).n
            starts = np.empty(n + 1, np.int64)
            values, columns = np.empty(n_values, dtype), np.empty(n_values, np.int32)
            copy_columns(data, order, n, <int64_t *> cnp.PyArray_DATA(starts),
                         <int32_t *> cnp.PyArray_DATA(columns))
            scale_nonzeros(ops, data, scaling, order, n, <char *> cnp.PyArray_DATA(values))
            data.columns = <const int32_t *> cnp.PyArray_DATA(columns)
            data.row_starts = <const int64_t *> cnp.PyArray_DATA(starts)
            part.arrays += (columns, starts)
        else:
            values = np.empty((n, data.n_features), dtype)
            copy_rows(ops, data, scaling, self.repeats(), order, n,
                      <char *> cnp.PyArray_DATA(values))
            data.X_row_bytes = data.n_features * data.itemsize
        data.X = <const char *> cnp.PyArray_DATA(values)
        if data.y_rows != NULL:
            data.y_rows = <const int32_t *> cnp.PyArray_DATA(targets)
        elif data.y != NULL:
            data.y = <const char *> cnp.PyArray_DATA(targets)
            data.y_row_bytes = self.n_outputs * data.itemsize
        part.arrays += (values, targets)
        part.numbers = part.scaling_arrays = None
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

    def hash(self, Py_ssize_t start, Py_ssize_t stop, cnp.ndarray out not None,
             bint rounds=False):
        """64-bit hashes of x and y of rows start..stop into those items of the uint64 ``out``.

        ``rounds`` them first, where they are scaled, so that units make no difference.
        """
        cdef const fbp_ops *ops = table_for(self.dtype(), None)
        cdef uint64_t *hashes = <uint64_t *> cnp.PyArray_DATA(out)
        cdef const fbp_scaling *scaling = &self.scaling if self.is_scaled else NULL
        cdef Py_ssize_t most = max(self.data.n_features, self.n_outputs) * self.data.itemsize
        cdef Py_ssize_t n, repeats = self.repeats()
        cdef cnp.ndarray memory = np.empty(HASHED_ROWS * most, np.uint8)
        cdef char *buffer = <char *> cnp.PyArray_DATA(memory)
        while start < stop:
            n = min(HASHED_ROWS, stop - start)
            with nogil:
                hash_inputs(ops, &self.data, scaling, repeats, start, n, rounds, buffer, hashes)
                add_hashes_of_targets(ops, &self.data, self.n_outputs, start, n, rounds, buffer,
                                      hashes)
            start += n


cdef void hash_inputs(const fbp_ops *ops, const fbp_data *data, const fbp_scaling *scaling,
                      Py_ssize_t repeats, Py_ssize_t start, Py_ssize_t n, bint rounds,
                      char *buffer, uint64_t *hashes) noexcept nogil:
    """The hashes of n rows of X from start on."""
    cdef Py_ssize_t row_bytes = data.n_features * data.itemsize, r
    cdef fbp_data part = data[0]
    cdef fbp_row x
    if data.row_starts == NULL and (rounds or scaling != NULL):
        part.X += start * data.X_row_bytes
        copy_rows(ops, &part, scaling, repeats, NULL, n, buffer)
        if rounds:
            ops.count_steps(buffer, n * data.n_features)
    for r in range(start, start + n):
        x = row_of(data, r)
        if data.row_starts == NULL:
            if rounds or scaling != NULL:
                x.values = buffer + (r - start) * row_bytes
        elif rounds or scaling != NULL:
            if scaling != NULL:
                ops.scale_row(buffer, &x, scaling)
            else:
                memcpy(buffer, x.values, x.n * data.itemsize)
            if rounds:
                ops.count_steps(buffer, x.n)
            x.values = buffer
        hashes[r] = ops.hash_row(&x, 0)


cdef void add_hashes_of_targets(const fbp_ops *ops, const fbp_data *data, Py_ssize_t n_outputs,
                                Py_ssize_t start, Py_ssize_t n, bint rounds, char *buffer,
                                uint64_t *hashes) noexcept nogil:
    """And those of their targets."""
    cdef Py_ssize_t row_bytes = n_outputs * data.itemsize, r
    cdef fbp_row y
    y.columns, y.n = NULL, n_outputs
    if rounds:
        for r in range(n):
            memcpy(buffer + r * row_bytes, target_of(data, start + r), row_bytes)
        ops.count_steps(buffer, n * n_outputs)
    for r in range(start, start + n):
        y.values = target_of(data, r)
        if rounds:
            y.values = buffer + (r - start) * row_bytes
        hashes[r] += ops.hash_row(&y, data.n_features)


cdef void copy_rows(const fbp_ops *ops, const fbp_data *data, const fbp_scaling *scaling,
                    Py_ssize_t repeats, const int64_t *order, Py_ssize_t n,
                    char *X) noexcept nogil:
    """Dense rows order[0..n) of X, or those from 0 on, side by side; scaled, if they are to be.

    So many of them at once, as one row, as the scaling repeats its columns.
    """
    cdef Py_ssize_t t, row_bytes = data.n_features * data.itemsize
    cdef fbp_row x
    if order == NULL and data.X_row_bytes == row_bytes and scaling != NULL:
        scale_table(ops, scaling, data.n_features, repeats, row_bytes, n, data.X, X)
        return
    for t in range(n):
        if order != NULL and t + ROWS_AHEAD < n:
            fetch_row(data, order[t + ROWS_AHEAD])
        x = row_of(data, t if order == NULL else order[t])
        if scaling == NULL or repeats > 1:
            memcpy(X + t * row_bytes, x.values, row_bytes)
        else:
            ops.scale_row(X + t * row_bytes, &x, scaling)
    if scaling != NULL and repeats > 1:
        scale_table(ops, scaling, data.n_features, repeats, row_bytes, n, X, X)


cdef void scale_table(const fbp_ops *ops, const fbp_scaling *scaling, Py_ssize_t n_features,
                      Py_ssize_t repeats, Py_ssize_t row_bytes, Py_ssize_t n, const char *X,
                      char *out) noexcept nogil:
    """n rows of X, side by side and from 0 on, scaled; ``out`` may be X."""
    cdef fbp_row x
    cdef Py_ssize_t t = 0
    x.columns = NULL
    while t < n:
        x.n, x.values = min(repeats, n - t) * n_features, X + t * row_bytes
        ops.scale_row(out + t * row_bytes, &x, scaling)
        t += repeats


cdef void scale_nonzeros(const fbp_ops *ops, const fbp_data *data, const fbp_scaling *scaling,
                         const int64_t *order, Py_ssize_t n, char *values) noexcept nogil:
    """`copy_rows` of the values of a CSR matrix."""
    cdef Py_ssize_t t
    cdef fbp_row x
    for t in range(n):
        x = row_of(data, t if order == NULL else order[t])
        if scaling == NULL:
            memcpy(values, x.values, x.n * data.itemsize)
        else:
            ops.scale_row(values, &x, scaling)
        values += x.n * data.itemsize


cdef void copy_columns(const fbp_data *data, const int64_t *order, Py_ssize_t n,
                       int64_t *row_starts, int32_t *columns) noexcept nogil:
    """The columns of rows order[0..n) of a CSR matrix, side by side, and where each row begins."""
    cdef Py_ssize_t t
    cdef fbp_row x
    row_starts[0] = 0
    for t in range(n):
        x = row_of(data, order[t])
        memcpy(columns + row_starts[t], x.columns, x.n * sizeof(int32_t))
        row_starts[t + 1] = row_starts[t] + x.n


cdef void copy_targets(const fbp_data *data, const int64_t *order, Py_ssize_t n,
                       Py_ssize_t row_bytes, char *y) noexcept nogil:
    """The targets of rows order[0..n), of so many bytes, or the numbers of these, side by side."""
    cdef Py_ssize_t t
    for t in range(n):
        if data.y_rows != NULL:
            (<int32_t *> y)[t] = data.y_rows[order[t]]
        elif data.y != NULL:
            memcpy(y + t * row_bytes, target_of(data, order[t]), row_bytes)


cdef Py_ssize_t end_of_piece(const ScaledPiece *piece, const fbp_data *data, const int64_t *order,
                             Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    """Up to which of the rows order[start..stop) the piece has room for them."""
    cdef Py_ssize_t t, n_values = 0
    stop = min(stop, start + piece.most_rows)
    if data.row_starts != NULL:
        for t in range(start, stop):
            n_values += row_of(data, order[t]).n
            if n_values > piece.most_values:
                return t
    return stop


cdef void scale_piece(const fbp_ops *ops, ScaledPiece *piece, const fbp_data *data,
                      const fbp_scaling *scaling, const int64_t *order,
                      Py_ssize_t n) noexcept nogil:
    """Rows order[0..n) as rows 0 to n - 1 of the piece, with targets and weights."""
    cdef Py_ssize_t t
    if data.row_starts == NULL:
        copy_rows(ops, data, scaling, piece.repeats, order, n, piece.X)
    else:
        copy_columns(data, order, n, piece.row_starts, piece.columns)
        scale_nonzeros(ops, data, scaling, order, n, piece.X)
    copy_targets(data, order, n, piece.data.y_row_bytes, piece.y)
    if data.weights != NULL:
        for t in range(n):
            piece.weights[t] = data.weights[order[t]]


cdef enum:
    ROWS_AHEAD = 8
    HASHED_ROWS = 64            # side by side
    COPIED_BYTES = 1 << 17      # of rows that are copied at a time,
    COPIED_ROWS = 16            # but so many at least


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
            and state_is_as_known() and is_order(order)
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
    global IS_AS_KNOWN
    if IS_AS_KNOWN < 0:
        IS_AS_KNOWN = compared_state()
    return IS_AS_KNOWN


cdef bint compared_state() except -1:
    """Whether a generator's state has this layout."""
    cdef fbp_mt19937 *found
    bit_generator = np.random.MT19937(0)
    bit_generator.random_raw()
    state = bit_generator.state["state"]
    found = state_of(bit_generator)
    return found.pos == state["pos"] and all(
        found.key[i] == word for i, word in enumerate(state["key"].tolist()))


cdef int IS_AS_KNOWN = -1  # until it is needed: NumPy imports its generators when asked for them
