cimport cython
cimport numpy as cnp

from .kernels cimport fbp_ops, fbp_scaling


@cython.final
cdef class RowUnits:
    cdef const fbp_ops *ops
    cdef Py_ssize_t n_in
    cdef readonly Py_ssize_t n_out          # 0: targets are classes
    cdef readonly bint is_running
    cdef bint counts
    cdef double limit
    cdef readonly double weight             # of the rows so far
    cdef object dtype
    cdef tuple slots                        # of numbers now, and with one row more
    cdef int now
    cdef object row, target
    cdef fbp_scaling scaling(self, int slot)
    cdef double *numbers(self, int slot, int which)
    cdef rescale_inputs(self, int slot)
    cdef rescale_targets(self, int slot)
    cdef inverse(self, cnp.ndarray outputs)
