# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: binding=False, embedsignature=False, freethreading_compatible=True
"""Pieces of an epoch, and whole epochs, on any path."""
from cpython.mem cimport PyMem_Free
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcpy, memset

import numpy as np

cimport numpy as cnp

from .kernels cimport (
    FBP_PLAIN, fbp_data, fbp_mt19937, fbp_net, fbp_rule, fbp_rules, fbp_shuffle, fbp_solver,
    fbp_step
)
from .rows cimport Rows, _Drawing, state_of, weight_of_rows
from .backprop cimport load_above, step_of, train_blocks, train_rows, train_sparse, unload_above
from .layers cimport Layers
from .workspaces cimport BLOCKS, Workspace, SPARSE
from .batches cimport (
    BatchWorkspace, ThreadTeam, predict_all, set_dropout, train_batches, unload_weights
)

from .isa import RULES

cnp.import_array()


cdef struct Buffer:
    # Parameters, moments, an order or its generator, and what they were before an epoch.
    char *at
    char *snapshot
    size_t n_bytes


cdef struct EpochRun:
    # Epochs, one after another.
    const int64_t *order       # the rows of each epoch,
    int64_t *row_order         # and their order in this one
    Py_ssize_t n_samples
    bint reshuffle_from_start  # shuffled from `order`, not from where the last epoch left them
    fbp_mt19937 *generator     # of that, or NULL
    Buffer buffers[4]          # whatever an epoch changes
    int n_buffers
    char *moments              # as `train` takes them, like the next fields
    uint64_t dropout_seed
    int64_t first_sample
    Py_ssize_t batch_size
    const double *rates
    double *losses
    Py_ssize_t n_epochs


cdef struct Stopped:
    # Where training on batches ended, and the sum of the losses before that.
    Py_ssize_t at
    double loss_sum


cdef void train_some(ThreadTeam *team, void *context) noexcept nogil:
    """Work of a team: the batches that it was prepared for."""
    cdef Stopped *stopped = <Stopped *> context
    stopped.at = train_batches(team, &stopped.loss_sum)


cdef struct Epochs:
    # Epochs for a team to run, and how many took place.
    EpochRun *run
    fbp_solver solver
    Py_ssize_t n_done


cdef void run_epochs_of_batches(ThreadTeam *team, void *context) noexcept nogil:
    """Work of a team: epochs, one after another."""
    cdef Epochs *epochs = <Epochs *> context
    epochs.n_done = epoch_by_epoch(team.nets, None, team, team.data, epochs.run,
                                   &epochs.solver)


def train(Layers layers not None, Rows rows not None, cnp.ndarray order not None, Py_ssize_t start,
          Py_ssize_t stop, double learning_rate, double momentum=0, bint nesterov=False,
          double alpha=0, Py_ssize_t batch_size=1, str rule=None, double beta_1=0.9,
          double beta_2=0.999, double epsilon=1e-8, int64_t n_steps=0, bint by_weight=False,
          double max_loss=1e300, tuple dropout=(), uint64_t dropout_seed=0,
          int64_t first_sample=0, cnp.ndarray moments=None, Workspace workspace=None,
          BatchWorkspace batch=None, workers=None):
    """Train on rows ``order[start:stop]``.

    Row by row, with a ``workspace`` by the path that it was made for; with ``batch``, batch by
    batch, by this thread and, with ``workers`` (network/threads.py), the others of its team.
    ``moments`` has what the solver keeps beside the weights, in one row an arena. Each hidden
    layer drops its units with a probability of ``dropout``, if any; ``order[start]`` is
    sample number ``first_sample``.

    Returns where it stopped (``stop``, or before a row or batch of too large a loss)
    and the weighted sum of the losses of the rows before that.
    """
    cdef fbp_solver solver = solver_of(learning_rate, momentum, nesterov, alpha, rule, beta_1,
                                       beta_2, epsilon, n_steps, by_weight, max_loss,
                                       moments)
    cdef double loss_sum = 0
    cdef const int64_t *row_order = <const int64_t *> cnp.PyArray_DATA(order)
    cdef char *V = <char *> cnp.PyArray_DATA(moments) if moments is not None else NULL
    cdef fbp_net net
    cdef Py_ssize_t stopped
    cdef Stopped ended
    memset(&ended, 0, sizeof(ended))
    if batch is not None:
        batch.prepare(rows, row_order, start, stop, batch_size, first_sample, solver)
        batch.begin(layers, V, dropout, dropout_seed)
        try:
            batch.call(workers, train_some, &ended)
            return ended.at, ended.loss_sum
        finally:
            batch.end(True)
    scratch = begin_rows(layers, &net, V, &solver, dropout, dropout_seed, first_sample, workspace)
    try:
        with nogil:
            stopped = train_piece(&net, workspace, &rows.data, row_order, start, stop, &solver,
                                  &loss_sum)
    finally:
        PyMem_Free(scratch)
    return stopped, loss_sum


def train_epochs(Layers layers not None, Rows rows not None, cnp.ndarray order not None,
                 bint reshuffle_from_start, cnp.ndarray rates not None, cnp.ndarray losses not None,
                 random_state, double learning_rate, double momentum=0, bint nesterov=False,
                 double alpha=0, Py_ssize_t batch_size=1, str rule=None, double beta_1=0.9,
                 double beta_2=0.999, double epsilon=1e-8, int64_t n_steps=0,
                 bint by_weight=False, double max_loss=1e300, tuple dropout=(),
                 uint64_t dropout_seed=0, int64_t first_sample=0, cnp.ndarray moments=None,
                 Workspace workspace=None, BatchWorkspace batch=None, workers=None):
    """Train for an epoch with each of the learning rates ``rates``, and note the ``losses``.

    Both are float64. An epoch is like a call of `train` for all of ``order``, which
    ``random_state`` shuffles before each as `shuffle` does: from ``order`` itself if
    ``reshuffle_from_start``, else from the order of the last epoch, in place. None does not
    shuffle.

    Returns the number of epochs, which ends before one that diverges. Whatever that has changed
    is as it was before it; or before the first, if Ctrl-C ends the call.
    """
    cdef fbp_solver solver = solver_of(learning_rate, momentum, nesterov, alpha, rule, beta_1,
                                       beta_2, epsilon, n_steps, by_weight, max_loss,
                                       moments)
    cdef EpochRun run
    cdef list snapshots = []
    memset(&run, 0, sizeof(run))
    row_order = np.empty_like(order) if reshuffle_from_start else order
    run.order = <const int64_t *> cnp.PyArray_DATA(order)
    run.row_order = <int64_t *> cnp.PyArray_DATA(row_order)
    run.n_samples, run.reshuffle_from_start = cnp.PyArray_SIZE(order), reshuffle_from_start
    run.rates = <const double *> cnp.PyArray_DATA(rates)
    run.losses, run.n_epochs = <double *> cnp.PyArray_DATA(losses), len(losses)
    run.first_sample, run.dropout_seed = first_sample, dropout_seed
    run.batch_size = batch_size
    add_buffer(&run, snapshots, layers.memory.parameters, layers.memory.n_bytes)
    if moments is not None:
        run.moments = <char *> cnp.PyArray_DATA(moments)
        add_buffer(&run, snapshots, run.moments, moments.nbytes)
    if not reshuffle_from_start:
        add_buffer(&run, snapshots, run.row_order, order.nbytes)
    if random_state is None:
        return run_until_divergence(layers, &run, &solver, rows, dropout, workspace, batch, workers)
    run.generator = state_of(random_state._bit_generator)
    add_buffer(&run, snapshots, run.generator, sizeof(fbp_mt19937))
    with _Drawing(random_state):
        return run_until_divergence(layers, &run, &solver, rows, dropout, workspace, batch, workers)


def forward_all(Layers layers not None, BatchWorkspace batch not None, workers, Rows rows not None,
                Py_ssize_t start, Py_ssize_t stop, cnp.ndarray out not None):
    """a[L] of rows start..stop into those rows of ``out``, by the batch's team."""
    batch.team.data, batch.team.out = &rows.data, <char *> cnp.PyArray_DATA(out)
    batch.team.first_row, batch.team.n_rows = start, stop - start
    batch.begin(layers, NULL)
    try:
        batch.call(workers, predict_all, NULL)
    finally:
        batch.end(False)


cdef run_until_divergence(Layers layers, EpochRun *run, const fbp_solver *solver, Rows rows,
                          tuple dropout, Workspace workspace, BatchWorkspace batch, workers):
    """Run epochs; if one diverges, restore and run those before it. Returns how many."""
    cdef Py_ssize_t n_done
    save_buffers(run)
    while run.n_epochs > 0:
        n_done = 0
        try:
            n_done = run_once(layers, run, solver[0], rows, dropout, workspace, batch, workers)
        finally:
            if n_done < run.n_epochs:
                restore_buffers(run)
        if n_done == run.n_epochs:
            break
        run.n_epochs = n_done
    return run.n_epochs


cdef Py_ssize_t run_once(Layers layers, EpochRun *run, fbp_solver solver, Rows rows,
                         tuple dropout, Workspace workspace, BatchWorkspace batch,
                         workers) except -1:
    """Run epochs up to the last or to one that diverges; returns how many before."""
    cdef fbp_net net
    cdef Epochs epochs
    cdef Py_ssize_t n_done
    if batch is not None:
        batch.prepare(rows, run.row_order, 0, run.n_samples, run.batch_size,
                      run.first_sample, solver)
        epochs.run, epochs.solver, epochs.n_done = run, solver, 0
        batch.begin(layers, run.moments, dropout, run.dropout_seed)
        try:
            batch.call(workers, run_epochs_of_batches, &epochs)
            n_done = epochs.n_done
        finally:
            batch.end(True)
        return n_done
    scratch = begin_rows(layers, &net, run.moments, &solver, dropout, run.dropout_seed,
                         run.first_sample, workspace)
    try:
        with nogil:
            n_done = epoch_by_epoch(&net, workspace, NULL, &rows.data, run, &solver)
    finally:
        PyMem_Free(scratch)
    return n_done


cdef void *begin_rows(Layers layers, fbp_net *net, char *moments, const fbp_solver *solver,
                      tuple dropout, uint64_t dropout_seed, int64_t first_sample,
                      Workspace workspace) except NULL:
    """`Layers.begin` for training row by row."""
    # What decays or has momentum moves in every row, that of inactive units too; packed
    # layers have a scale for what only decays.
    cdef bint decays = solver.alpha != 0 and (workspace is None or solver.rule != FBP_PLAIN)
    cdef bint list_active = fbp_rules[<int> solver.rule].rests and not decays
    cdef void *scratch = layers.begin(net, NULL, moments, list_active)
    set_dropout(net, dropout, dropout_seed)
    net.sample = first_sample
    return scratch


cdef Py_ssize_t epoch_by_epoch(fbp_net *net, Workspace workspace, ThreadTeam *team,
                               const fbp_data *data,
                               EpochRun *run, fbp_solver *solver) noexcept nogil:
    """Epoch by epoch, each in an order of its own; returns how many, which is before one that
    diverges: that has drawn its order already, and maybe moved weights."""
    cdef Py_ssize_t epoch, stopped, n = run.n_samples
    cdef Py_ssize_t n_steps = n if team == NULL else (n + team.batch_size - 1) // team.batch_size
    cdef double loss_sum, weight
    for epoch in range(run.n_epochs):
        if run.reshuffle_from_start:
            memcpy(run.row_order, run.order, n * sizeof(int64_t))
        if run.generator != NULL:
            fbp_shuffle(run.row_order, n, run.generator)
        solver.learning_rate = run.rates[epoch]
        loss_sum = 0
        if team != NULL:
            team.order, team.solver = run.row_order, solver[0]
            stopped = train_batches(team, &loss_sum)
            unload_weights(team)
            team.first_sample += n
        else:
            stopped = train_piece(net, workspace, data, run.row_order, 0, n, solver, &loss_sum)
        if stopped < n or not is_buffer_finite(net, &run.buffers[0]):
            return epoch
        if solver.by_weight and run.moments != NULL and not is_buffer_finite(net, &run.buffers[1]):
            return epoch
        solver.n_steps += n_steps
        weight = n if solver.by_weight else weight_of_rows(data, run.row_order, 0, n)
        run.losses[epoch] = loss_sum / weight
    return run.n_epochs


cdef Py_ssize_t train_piece(fbp_net *net, Workspace workspace, const fbp_data *data,
                            const int64_t *order, Py_ssize_t start, Py_ssize_t stop,
                            const fbp_solver *solver, double *loss_sum) noexcept nogil:
    """Row by row, on the path of the workspace."""
    cdef fbp_step step
    if workspace is None:
        return train_rows(net, data, order, start, stop, solver, loss_sum)
    if workspace.path == SPARSE:
        return train_sparse(net, &workspace.sparse, workspace.packed, data, order, start, stop,
                            solver,
                            loss_sum)
    if workspace.path == BLOCKS:
        return train_blocks(net, &workspace.block, workspace.packed, data, order, start, stop,
                            solver,
                            loss_sum)
    step = step_of(solver, 1, 1)
    load_above(net, workspace.packed)
    stop = net.ops.train_registers(net, &workspace.block, data, order, start, stop, &step,
                                   solver.max_loss, loss_sum)
    unload_above(net, workspace.packed)
    return stop


cdef inline void save_buffers(EpochRun *run) noexcept nogil:
    cdef int i
    for i in range(run.n_buffers):
        memcpy(run.buffers[i].snapshot, run.buffers[i].at, run.buffers[i].n_bytes)


cdef inline void restore_buffers(EpochRun *run) noexcept nogil:
    cdef int i
    for i in range(run.n_buffers):
        memcpy(run.buffers[i].at, run.buffers[i].snapshot, run.buffers[i].n_bytes)


cdef add_buffer(EpochRun *run, list snapshots, void *at, size_t n_bytes):
    """Adds memory to save and restore, with an array for its snapshot."""
    snapshot = np.empty(n_bytes, np.uint8)
    snapshots.append(snapshot)
    cdef Buffer *buffers = &run.buffers[run.n_buffers]
    buffers.at, buffers.n_bytes = <char *> at, n_bytes
    buffers.snapshot = <char *> cnp.PyArray_DATA(snapshot)
    run.n_buffers += 1


cdef inline bint is_buffer_finite(const fbp_net *net, const Buffer *buffers) noexcept nogil:
    return net.ops.all_finite(buffers.at, buffers.n_bytes // net.ops.itemsize)


cdef fbp_solver solver_of(double learning_rate, double momentum, bint nesterov, double alpha,
                          rule, double beta_1, double beta_2, double epsilon, int64_t n_steps,
                          bint by_weight, double max_loss, cnp.ndarray moments):
    """What a step does, as the kernels take it; see `fastbp.network.Solver`.

    Without the name of a rule it is plain, or has momentum.
    """
    cdef fbp_solver solver
    cdef int number = RULES[rule or ("momentum" if momentum else "plain")]
    memset(&solver, 0, sizeof(solver))
    solver.learning_rate, solver.momentum, solver.alpha = learning_rate, momentum, alpha
    solver.nesterov, solver.max_loss, solver.by_weight = nesterov, max_loss, by_weight
    solver.rule, solver.n_steps = <fbp_rule> number, n_steps
    solver.beta_1, solver.beta_2, solver.epsilon = beta_1, beta_2, epsilon
    solver.state_stride = cnp.PyArray_DIM(moments, 1) if fbp_rules[number].n_kept > 1 else 0
    return solver
