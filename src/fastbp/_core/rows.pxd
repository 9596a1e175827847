cimport cython
from libc.stdint cimport int32_t, int64_t

cimport numpy as cnp

from .kernels cimport fbp_data, fbp_mt19937, fbp_ops, fbp_scaling


@cython.final
cdef class Rows:
    cdef fbp_data data
    cdef tuple arrays
    cdef readonly Py_ssize_t n
    cdef readonly object sample_weight
    cdef readonly bint sparse
    cdef readonly double values_per_row
    cdef public double max_loss      # of a row that training takes a step along
    cdef Py_ssize_t n_outputs
    cdef fbp_scaling scaling         # of X
    cdef tuple scaling_arrays        # that this points into; None if X is as it is
    cdef cnp.ndarray numbers         # of these rows among those that data has; None: all of them
    cdef Py_ssize_t repeats(self)
    cdef Py_ssize_t longest(self)
    cdef object dtype(self)
    cdef Rows gathered(self, Py_ssize_t start, Py_ssize_t stop)


cdef class _Drawing:
    cdef object lock


cdef double weight_of_rows(const fbp_data *data, const int64_t *order, Py_ssize_t start,
                           Py_ssize_t stop) noexcept nogil
cdef fbp_mt19937 *state_of(object bit_generator) except NULL


cdef struct ScaledPiece:
    # Rows of an order, scaled and side by side, as training takes them a piece at a time.
    fbp_data data
    Py_ssize_t repeats          # of the columns in the scaling
    Py_ssize_t most_rows, most_values   # of a CSR matrix
    int64_t *order              # 0, 1, 2, ..
    char *X
    int32_t *columns            # of a CSR matrix
    int64_t *row_starts
    char *y                     # targets, or the numbers of them
    double *weights

cdef void scale_table(const fbp_ops *ops, const fbp_scaling *scaling, Py_ssize_t n_features,
                      Py_ssize_t repeats, Py_ssize_t row_bytes, Py_ssize_t n, const char *X,
                      char *out) noexcept nogil
cdef Py_ssize_t end_of_piece(const ScaledPiece *piece, const fbp_data *data, const int64_t *order,
                             Py_ssize_t start, Py_ssize_t stop) noexcept nogil
cdef void scale_piece(const fbp_ops *ops, ScaledPiece *piece, const fbp_data *data,
                      const fbp_scaling *scaling, const int64_t *order,
                      Py_ssize_t n) noexcept nogil
