cimport cython

from cpython.mem cimport PyMem_Free

from .kernels cimport fbp_activation, fbp_net
from .backprop cimport ArenaBuffers


cdef enum:
    MAX_OUTPUTS_ACROSS = 16    # of a layer whose W is transposed: see layer_load


cdef struct StackScratch:
    # Room for `Layers.begin` on the stack: what a call of one row has time to get
    char at[4096]


cdef inline void release(void *block, StackScratch *room) noexcept:
    """Release what `Layers.begin` returned for this room."""
    if block != room:
        PyMem_Free(block)


@cython.final
cdef class Layers:
    cdef fbp_net net
    cdef ArenaBuffers memory
    cdef size_t scratch_bytes
    cdef object arena
    cdef int type_number
    cdef bint takes_classes         # targets may be numbers of classes
    cdef double min_target, max_target, min_rate, max_rate, large, largest_product
    cdef Py_ssize_t n_trusted      # steps until `is_moderate` looks again
    cdef fbp_activation out_activation
    cdef readonly str isa, dtype_name
    cdef readonly int n_lanes      # numbers in a vector
    # may run in registers: csrc/kernels/registers.inc.h
    cdef readonly bint fits_registers, fits_registers_with_momentum
    cdef readonly int block_rows   # of csrc/kernels/blocks.inc.h
    cdef void set_fits_registers(self, bint has_kernels) noexcept
    cdef void *begin(self, fbp_net *net, char *gradients=*, char *moments=*,
                     bint list_active=*, StackScratch *room=*) except NULL
    cdef bint is_moderate(self)
    cdef bint within(self, const void *values, Py_ssize_t n, double lower, double upper)
    cdef const void *one_row(self, object values, Py_ssize_t n)
    cdef const void *one_target(self, object y, Py_ssize_t n, void *scratch)
