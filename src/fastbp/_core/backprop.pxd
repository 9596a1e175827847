from libc.stdint cimport int64_t

from .kernels cimport (
    fbp_block, fbp_data, fbp_layer, fbp_net, fbp_row, fbp_solver, fbp_sparse, fbp_step
)


cdef enum:
    ROWS_BETWEEN_SIGNALS = 1024


cdef struct ArenaBuffers:
    char *parameters           # the network's arena, and one more of the same layout
    char *gradients
    size_t n_bytes


cdef double forward(fbp_net *net, const fbp_row *x, const void *y) noexcept nogil
cdef double output(fbp_net *net, fbp_layer *layer, const void *y) noexcept nogil
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
