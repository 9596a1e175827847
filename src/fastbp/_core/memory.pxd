from libc.stdint cimport int64_t

cimport numpy as cnp

from .kernels cimport FBP_ALIGNMENT, FBP_MAX_PANEL_BYTES, fbp_layer, fbp_net, fbp_ops


cdef inline double real_at(const void *values, int64_t k, int itemsize) noexcept nogil:
    return (<const double *> values)[k] if itemsize == 8 else (<const float *> values)[k]


cdef inline void set_real(void *values, int64_t k, double value, int itemsize) noexcept nogil:
    if itemsize == 8:
        (<double *> values)[k] = value
    else:
        (<float *> values)[k] = <float> value


cdef inline size_t padded_to(size_t n, size_t multiple) noexcept nogil:
    return (n + multiple - 1) // multiple * multiple


cdef inline size_t padded(size_t n_bytes) noexcept nogil:
    return padded_to(n_bytes, FBP_ALIGNMENT)


cdef inline size_t scratch_bytes_of(const fbp_layer *layer, const fbp_ops *ops, int l):
    """Bytes for a row of z, a or delta; in the first layer for a whole panel of it."""
    return padded_to(layer.n_out * ops.itemsize, FBP_ALIGNMENT if l else FBP_MAX_PANEL_BYTES)


cdef inline void *scratch_for_target(fbp_net *net):
    """Scratch for one row of targets, after Layers.begin."""
    cdef int last = net.n_layers - 1
    return <char *> net.layers[last].delta + 2 * scratch_bytes_of(&net.layers[last], net.ops, last)


cdef cnp.ndarray padded_copy(object values)
cdef object place(void ***places, list lengths, int itemsize)
