cimport cython

from .kernels cimport fbp_block, fbp_layer, fbp_rule_facts, fbp_sparse
from .layers cimport Layers


cdef enum Path:
    REGISTERS, BLOCKS, SPARSE


@cython.final
cdef class Workspace:
    cdef Path path
    cdef fbp_block block
    cdef fbp_sparse sparse
    cdef fbp_layer *packed  # the layers above the first
    cdef list memory
    cdef make_block(self, Layers layers, bint sparse, bint momentum)
    cdef make_sparse(self, Layers layers)
    cdef pack(self, Layers layers, int l, const fbp_rule_facts *facts)
