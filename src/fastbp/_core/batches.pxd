cimport cython
from libc.stdint cimport int64_t, uint64_t

from .kernels cimport fbp_batch, fbp_data, fbp_net, fbp_row, fbp_solver, fbp_step, fbp_tasks
from .rows cimport Rows
from .layers cimport Engine


cdef struct Piece:
    # Inputs of a layer: a task's share of the weights.
    int layer
    int64_t first, n
    Py_ssize_t first_unit      # the number of its first panel of inputs, over all layers


cdef enum TaskKind:
    FOLLOW_ROWS, ADD_UP_WEIGHTS, MOVE_WEIGHTS, PREDICT_ROWS


cdef struct Team:
    # Threads that train on batches together, and what they were called with.
    int n_threads
    fbp_net *nets              # one a thread
    fbp_batch *layers          # n_layers a thread
    Piece *pieces              # of the weights
    int n_pieces
    Py_ssize_t most_rows       # that are followed before the weights move or sum up
    Py_ssize_t group_rows      # of a task
    fbp_row *rows              # as many as most_rows, or to predict a group a thread
    double *losses             # of their blocks
    double *penalties          # of panels of inputs, layer by layer
    Py_ssize_t n_units         # of these
    void *owner                # a Batch
    bint interrupted
    const fbp_data *data
    const int64_t *order
    Py_ssize_t start, stop, batch_size
    int64_t first_visit        # number of the visit to order[start], over all epochs
    fbp_solver solver
    char *out                  # of predictions
    # What is being done, and places for helpers to do it: number 0 is thread 1's.
    fbp_tasks tasks, places
    TaskKind kind
    Py_ssize_t first_row, n_rows
    bint is_first, is_last     # rows of their batch
    double factor              # of the sum of gradients
    fbp_step step


ctypedef void (*Work)(Team *team, void *context) noexcept nogil


@cython.final
cdef class Batch:
    cdef Team team
    cdef list memory
    cdef void **owed               # what PyMem_Free is owed for the threads' scratch
    cdef object interruption
    cdef readonly tuple kind       # of the arguments
    cdef void *room(self, size_t n_bytes)
    cdef cut_up(self, list sizes, Py_ssize_t panel)
    cdef prepare(self, Rows rows, const int64_t *order, Py_ssize_t start, Py_ssize_t stop,
                 Py_ssize_t batch_size, int64_t first_visit, fbp_solver solver)
    cdef begin(self, Engine engine, char *velocities, tuple dropout=*, uint64_t dropout_seed=*)
    cdef end(self, bint has_trained)
    cdef call(self, helpers, Work work, void *context)


cdef Py_ssize_t train_batches(Team *team, double *loss_sum) noexcept nogil
cdef void unload_weights(Team *team) noexcept nogil
cdef int n_groups(const Team *team) noexcept nogil
cdef set_dropout(fbp_net *net, tuple dropout, uint64_t seed)
cdef void predict_all(Team *team, void *_context) noexcept nogil
