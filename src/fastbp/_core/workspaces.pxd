cimport cython

from .kernels cimport fbp_block, fbp_layer, fbp_rule_facts, fbp_sparse
from .layers cimport Engine


cdef enum Path:
    REGISTERS, BLOCKS, SPARSE_ROWS


@cython.final
cdef class Layout:
    cdef Path path
    cdef fbp_block block
    cdef fbp_sparse sparse
    cdef fbp_layer *packed  # the layers above the first
    cdef list memory
    cdef make_block(self, Engine engine, bint sparse, bint momentum)
    cdef make_clock(self, Engine engine)
    cdef pack(self, Engine engine, int l, const fbp_rule_facts *facts)
