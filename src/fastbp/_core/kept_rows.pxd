cimport cython
from libc.stdint cimport int64_t, uint64_t

from .columns cimport Entry


cdef struct KeptRow:
    # A row of the past in one block of memory: its entries, and behind them the targets.
    Entry *entries
    double *targets
    int64_t n, n_bytes
    double weight


@cython.final
cdef class KeptRows:
    cdef KeptRow *rows
    cdef Py_ssize_t n, n_targets
    cdef Py_ssize_t n_last, n_sampled           # room for each; the sample stands first
    cdef int64_t n_seen                         # rows since all were forgotten
    cdef Py_ssize_t widest                      # entries of the longest row so far
    cdef Py_ssize_t oldest                      # slot of the last ones that comes next, once full
    cdef void keep_last(self, Py_ssize_t n) noexcept nogil
    cdef void keep(self, const Entry *row, Py_ssize_t n, const double *targets, double weight,
                   uint64_t *random) noexcept nogil
    cdef void put(self, Py_ssize_t slot, const Entry *row, Py_ssize_t n, const double *targets,
                  double weight) noexcept nogil
