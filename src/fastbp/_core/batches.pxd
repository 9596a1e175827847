cimport cython
from libc.stdint cimport int64_t, uint64_t

from .kernels cimport fbp_batch, fbp_data, fbp_net, fbp_row, fbp_solver, fbp_step, fbp_tasks
from .layers cimport Layers


cdef struct Piece:
    # Inputs of a layer: a task's share of the weights.
    int layer
    int64_t first, n
    Py_ssize_t first_unit      # the number of its first panel of inputs, over all layers


cdef enum TaskKind:
    BACKPROPAGATE_ROWS, ADD_UP_WEIGHTS, MOVE_WEIGHTS, PREDICT_ROWS


cdef struct ThreadTeam:
    # Threads that train on batches together, and what they were called with.
    int n_threads
    fbp_net *nets              # one a thread
    fbp_batch *layers          # n_layers a thread
    Piece *pieces              # of the weights
    int n_pieces
    Py_ssize_t max_rows        # that are backpropagated before the weights move or sum up
    Py_ssize_t group_rows      # of a task
    fbp_row *rows              # as many as max_rows, or to predict a group a thread
    double *losses             # of their blocks
    double *penalties          # of panels of inputs, layer by layer
    Py_ssize_t n_units         # of these
    void *owner                # a BatchWorkspace
    bint interrupted
    const fbp_data *data
    const int64_t *order
    Py_ssize_t start, stop, batch_size
    int64_t first_sample       # number of the sample order[start], over all epochs
    fbp_solver solver
    char *out                  # of predictions
    # The current tasks, and places for workers: number 0 is thread 1's.
    fbp_tasks tasks, places
    TaskKind kind
    Py_ssize_t first_row, n_rows
    bint is_first, is_last     # rows of their batch
    double factor              # of the sum of gradients
    fbp_step step


ctypedef void (*Work)(ThreadTeam *team, void *context) noexcept nogil


@cython.final
cdef class BatchWorkspace:
    cdef ThreadTeam team
    cdef list memory
    cdef void **scratch            # of the threads: to release with PyMem_Free
    cdef object interruption
    cdef readonly tuple kind       # of the arguments
    cdef place_layer(self, Layers layers, int l)
    cdef void *zeros(self, size_t n_bytes)
    cdef divide_weights(self, list sizes, Py_ssize_t panel)
    cdef begin(self, Layers layers, char *moments, tuple dropout=*, uint64_t dropout_seed=*)
    cdef end(self)
    cdef call(self, workers, Work work, void *context)


cdef Py_ssize_t train_batches(ThreadTeam *team, double *loss_sum) noexcept nogil
cdef void unload_weights(ThreadTeam *team) noexcept nogil
cdef int n_groups(const ThreadTeam *team) noexcept nogil
cdef set_dropout(fbp_net *net, tuple dropout, uint64_t seed)
cdef void predict_all(ThreadTeam *team, void *_context) noexcept nogil
