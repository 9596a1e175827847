cimport cython
from libc.stdint cimport int32_t, int64_t, uint64_t

cimport numpy as cnp


cdef enum:
    NUMBERS_A_COLUMN = 10


cdef struct Column:
    # What is known of an input, or of a target: a row of an array of float64.
    double weight               # of its values so far, at most the memory of `update_column`
    double mean, squares        # squares: the sum of the squared differences from the mean
    double center, factor       # scaled value = (value - center) factor, bounded
    double last_seen            # number of the row
    double is_number            # 0: of a text, which is 1 where it occurs, and not scaled
    double block_weight         # of a target: the same of the values of late
    double block_mean, block_squares


cdef struct Entry:
    # A value of a row, and its column.
    int32_t column
    double value


cdef uint64_t next_random(uint64_t *state) noexcept nogil
cdef void update_column(Column *column, double value, double weight, double memory) noexcept nogil
cdef void update_target(Column *column, double value, double weight, double memory) noexcept nogil
cdef double scaled_target(const Column *column, double value) noexcept nogil
cdef double scaled_value(const Column *column, double value, double limit) noexcept nogil
cdef Column *columns_of(cnp.ndarray array) except NULL


@cython.final
cdef class RowReader:
    cdef dict names, texts
    cdef bint skips_gaps
    cdef cnp.ndarray numbered           # the columns of the names 0, 1, 2, ..
    cdef Py_ssize_t n, room             # entries of the row that was read
    cdef Entry *row
    cdef bint reserve(self, Py_ssize_t n) except False
    cdef bint add(self, int32_t column, double value) except False
    cdef void sort(self) noexcept nogil
    cdef bint read(self, object x, bint must_know) except -1
    cdef int read_value(self, object name, object value, bint must_know) except -1


@cython.final
cdef class Table:
    cdef tuple arrays
    cdef const double *values
    cdef const int32_t *codes
    cdef const double *targets
    cdef const double *weights
    cdef const int32_t *value_columns
    cdef const int32_t *text_columns
    cdef const int64_t *text_starts
    cdef readonly Py_ssize_t n_values, n_texts
    cdef bint read_row(self, Py_ssize_t r, RowReader reader, bint must_know) noexcept nogil
