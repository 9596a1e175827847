from libc.stdint cimport int64_t
from libc.string cimport memcpy

from .kernels cimport (
    fbp_block, fbp_data, fbp_layer, fbp_net, fbp_row, fbp_solver, fbp_sparse, fbp_step
)


cdef enum:
    ROWS_BETWEEN_SIGNALS = 1024


cdef struct ArenaBuffers:
    char *parameters           # the network's arena, and one more of the same layout
    char *gradients
    size_t n_bytes


cdef inline double output(fbp_net *net, fbp_layer *layer, const void *y) noexcept nogil:
    """a[L], loss and delta[L] from z[L], in the last layer."""
    cdef double loss = 0
    if layer.a != layer.z:                                  # identity leaves nothing to keep
        memcpy(layer.a, layer.z, layer.n_out * net.ops.itemsize)
    layer.activate(layer.a, layer.n_out)                    # a[L] = f(z[L])
    if y != NULL:
        loss = net.output_delta(layer.delta, layer.z, layer.a, y, layer.n_out,
                                net.loss_parameter)
        layer.derive(layer.delta, layer.slopes_of, layer.n_out)  # delta[L] = dE/da[L] * f'(z[L])
    return loss


cdef double forward(fbp_net *net, const fbp_row *x, const void *y) noexcept nogil
cdef void backward(fbp_net *net, const fbp_row *x, double weight,
                   const fbp_step *step) noexcept nogil
cdef fbp_step step_of(const fbp_solver *solver, double batch_size, int64_t n_steps) noexcept nogil
cdef Py_ssize_t train_rows(fbp_net *net, const fbp_data *data, const int64_t *order,
                           Py_ssize_t start, Py_ssize_t stop, const fbp_solver *solver,
                           double *loss_sum) noexcept nogil
cdef Py_ssize_t train_blocks(fbp_net *net, fbp_block *block, fbp_layer *packed,
                             const fbp_data *data,
                             const int64_t *order, Py_ssize_t start, Py_ssize_t stop,
                             const fbp_solver *solver, double *loss_sum) noexcept nogil
cdef Py_ssize_t train_sparse(fbp_net *net, fbp_sparse *sparse, fbp_layer *packed,
                             const fbp_data *data, const int64_t *order, Py_ssize_t start,
                             Py_ssize_t stop, const fbp_solver *solver,
                             double *loss_sum) noexcept nogil
cdef void load_above(fbp_net *net, fbp_layer *packed) noexcept nogil
cdef void unload_above(fbp_net *net, fbp_layer *packed) noexcept nogil
cdef double sum_gradients(fbp_net *net, ArenaBuffers *memory, const fbp_data *data,
                          const int64_t *order,
                          Py_ssize_t start, Py_ssize_t stop) except? -1 nogil
