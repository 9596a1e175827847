cimport cython
from libc.stdint cimport int64_t

from .kernels cimport fbp_data, fbp_mt19937


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


cdef class _Drawing:
    cdef object lock


cdef double weight_of_rows(const fbp_data *data, const int64_t *order, Py_ssize_t start,
                           Py_ssize_t stop) noexcept nogil
cdef fbp_mt19937 *state_of(object bit_generator) except NULL
