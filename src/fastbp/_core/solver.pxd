cimport cython
from libc.stdint cimport uint64_t

cimport numpy as cnp

from .kernels cimport fbp_solver


@cython.final
cdef class CompiledSolver:
    cdef fbp_solver at
    cdef tuple dropout
    cdef uint64_t dropout_seed
    cdef Py_ssize_t batch_size


cdef char *place_of_moments(cnp.ndarray moments, fbp_solver *solver) noexcept
