cimport cython

from .kernels cimport fbp_activation, fbp_net
from .backprop cimport Memory


cdef enum:
    MOST_OUTPUTS_ACROSS = 16   # of a layer whose W is transposed: see layer_load


@cython.final
cdef class Engine:
    cdef fbp_net net
    cdef Memory memory
    cdef size_t scratch_bytes
    cdef object arena
    cdef int type_number
    cdef bint takes_classes         # targets may be numbers of classes
    cdef double least_target, most_target, large
    cdef fbp_activation out_activation
    cdef readonly str isa
    # may run in registers: csrc/kernels/registers.inc.h
    cdef readonly bint tiny, tiny_with_momentum
    cdef readonly int block_rows   # of csrc/kernels/blocks.inc.h
    cdef void *begin(self, fbp_net *net, char *gradients=*, char *velocities=*,
                     bint list_active=*) except NULL
    cdef bint within(self, const void *values, Py_ssize_t n, double least, double most)
    cdef const void *one_row(self, object values, Py_ssize_t n)
    cdef const void *one_target(self, object y, Py_ssize_t n, void *room)
