from .kernels cimport fbp_ops


cdef const fbp_ops *table_for(object dtype, object isa) except NULL
