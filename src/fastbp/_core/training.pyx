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
from .layers cimport Engine
from .workspaces cimport BLOCKS, Layout, SPARSE_ROWS
from .batches cimport Batch, Team, predict_all, set_dropout, train_batches, unload_weights

from .isa import RULES

cnp.import_array()


cdef struct State:
    # Parameters, moments, an order or its generator, and what they were before an epoch.
    char *at
    char *before
    size_t n_bytes


cdef struct Course:
    # Epochs, one after another.
    const int64_t *order       # the rows that each visits,
    int64_t *visits            # and in which order this one does
    Py_ssize_t n_visits
    bint is_anew               # shuffled from `order`, not from where the last epoch left them
    fbp_mt19937 *generator     # of that, or NULL
    State state[4]             # whatever an epoch changes
    int n_states
    char *moments              # as `Engine.train` takes them, like what follows
    uint64_t dropout_seed
    int64_t first_visit
    Py_ssize_t batch_size
    const double *rates
    double *losses
    Py_ssize_t n_epochs


cdef struct Stopped:
    # What training on batches came to.
    Py_ssize_t at
    double loss_sum


cdef void train_some(Team *team, void *context) noexcept nogil:
    """Work of a team: the batches that it was prepared for."""
    cdef Stopped *stopped = <Stopped *> context
    stopped.at = train_batches(team, &stopped.loss_sum)


cdef struct Epochs:
    # A course for a team, and how many of its epochs took place.
    Course *course
    fbp_solver solver
    Py_ssize_t n_done


cdef void train_course(Team *team, void *context) noexcept nogil:
    """Work of a team: epochs, one after another."""
    cdef Epochs *epochs = <Epochs *> context
    epochs.n_done = epoch_by_epoch(team.nets, None, team, team.data, epochs.course,
                                   &epochs.solver)


def train(Engine engine not None, Rows rows not None, cnp.ndarray order not None, Py_ssize_t start,
          Py_ssize_t stop, double learning_rate, double momentum=0, bint nesterov=False,
          double alpha=0, Py_ssize_t batch_size=1, str rule=None, double beta_1=0.9,
          double beta_2=0.999, double epsilon=1e-8, int64_t n_steps=0, bint by_weight=False,
          double largest_loss=1e300, tuple dropout=(), uint64_t dropout_seed=0,
          int64_t first_visit=0, cnp.ndarray moments=None, Layout layout=None,
          Batch batch=None, helpers=None):
    """Train on rows ``order[start:stop]``.

    Row by row, with a ``layout`` in the way it is for; with ``batch``, batch by
    batch, by this thread and with ``helpers`` (network/threads.py) the others of its team.
    ``moments`` has what the solver keeps beside the weights, in one row an arena. Each hidden
    layer drops its units with a probability of ``dropout``, if any; ``order[start]`` is visit
    number ``first_visit``.

    Returns where it stopped (``stop``, or before a row or batch of too large a loss)
    and the weighted sum of the losses of the rows before that.
    """
    cdef fbp_solver solver = solver_of(learning_rate, momentum, nesterov, alpha, rule, beta_1,
                                       beta_2, epsilon, n_steps, by_weight, largest_loss,
                                       moments)
    cdef double loss_sum = 0
    cdef const int64_t *visits = <const int64_t *> cnp.PyArray_DATA(order)
    cdef char *V = <char *> cnp.PyArray_DATA(moments) if moments is not None else NULL
    cdef fbp_net net
    cdef Py_ssize_t stopped
    cdef Stopped ended
    memset(&ended, 0, sizeof(ended))
    if batch is not None:
        batch.prepare(rows, visits, start, stop, batch_size, first_visit, solver)
        batch.begin(engine, V, dropout, dropout_seed)
        try:
            batch.call(helpers, train_some, &ended)
            return ended.at, ended.loss_sum
        finally:
            batch.end(True)
    owed = begin_rows(engine, &net, V, &solver, dropout, dropout_seed, first_visit, layout)
    try:
        with nogil:
            stopped = train_piece(&net, layout, &rows.data, visits, start, stop, &solver,
                                  &loss_sum)
    finally:
        PyMem_Free(owed)
    return stopped, loss_sum


def train_epochs(Engine engine not None, Rows rows not None, cnp.ndarray order not None,
                 bint is_anew, cnp.ndarray rates not None, cnp.ndarray losses not None,
                 random_state, double learning_rate, double momentum=0, bint nesterov=False,
                 double alpha=0, Py_ssize_t batch_size=1, str rule=None, double beta_1=0.9,
                 double beta_2=0.999, double epsilon=1e-8, int64_t n_steps=0,
                 bint by_weight=False, double largest_loss=1e300, tuple dropout=(),
                 uint64_t dropout_seed=0, int64_t first_visit=0, cnp.ndarray moments=None,
                 Layout layout=None, Batch batch=None, helpers=None):
    """Train for an epoch with each of the learning rates ``rates``, and note the ``losses``.

    Both are float64. An epoch is like a call of `train` for all of ``order``, which
    ``random_state`` shuffles before each as `shuffle` does: anew, or else on from the order of
    the last epoch, in place. None keeps it.

    Returns the number of epochs, which ends before one that diverges. Whatever that has changed
    is as it was before it; or before the first, if Ctrl-C ends the call.
    """
    cdef fbp_solver solver = solver_of(learning_rate, momentum, nesterov, alpha, rule, beta_1,
                                       beta_2, epsilon, n_steps, by_weight, largest_loss,
                                       moments)
    cdef Course course
    cdef list kept = []
    memset(&course, 0, sizeof(course))
    visits = np.empty_like(order) if is_anew else order
    course.order = <const int64_t *> cnp.PyArray_DATA(order)
    course.visits = <int64_t *> cnp.PyArray_DATA(visits)
    course.n_visits, course.is_anew = cnp.PyArray_SIZE(order), is_anew
    course.rates = <const double *> cnp.PyArray_DATA(rates)
    course.losses, course.n_epochs = <double *> cnp.PyArray_DATA(losses), len(losses)
    course.first_visit, course.dropout_seed = first_visit, dropout_seed
    course.batch_size = batch_size
    add_state(&course, kept, engine.memory.parameters, engine.memory.n_bytes)
    if moments is not None:
        course.moments = <char *> cnp.PyArray_DATA(moments)
        add_state(&course, kept, course.moments, moments.nbytes)
    if not is_anew:
        add_state(&course, kept, course.visits, order.nbytes)
    if random_state is None:
        return run_until_divergence(engine, &course, &solver, rows, dropout, layout, batch, helpers)
    course.generator = state_of(random_state._bit_generator)
    add_state(&course, kept, course.generator, sizeof(fbp_mt19937))
    with _Drawing(random_state):
        return run_until_divergence(engine, &course, &solver, rows, dropout, layout, batch, helpers)


def forward_all(Engine engine not None, Batch batch not None, helpers, Rows rows not None,
                Py_ssize_t start, Py_ssize_t stop, cnp.ndarray out not None):
    """a[L] of rows start..stop into those rows of ``out``, by the batch's team."""
    batch.team.data, batch.team.out = &rows.data, <char *> cnp.PyArray_DATA(out)
    batch.team.first_row, batch.team.n_rows = start, stop - start
    batch.begin(engine, NULL)
    try:
        batch.call(helpers, predict_all, NULL)
    finally:
        batch.end(False)


cdef run_until_divergence(Engine engine, Course *course, const fbp_solver *solver, Rows rows,
                          tuple dropout, Layout layout, Batch batch, helpers):
    """Run a course; if an epoch of it diverges, once more up to there. Returns how many."""
    cdef Py_ssize_t n_done
    keep_state(course)
    while course.n_epochs > 0:
        n_done = 0
        try:
            n_done = run_once(engine, course, solver[0], rows, dropout, layout, batch, helpers)
        finally:
            if n_done < course.n_epochs:
                restore_state(course)
        if n_done == course.n_epochs:
            break
        course.n_epochs = n_done
    return course.n_epochs


cdef Py_ssize_t run_once(Engine engine, Course *course, fbp_solver solver, Rows rows,
                         tuple dropout, Layout layout, Batch batch, helpers) except -1:
    """Run a course up to its end, or to where an epoch diverges; returns how many before."""
    cdef fbp_net net
    cdef Epochs epochs
    cdef Py_ssize_t n_done
    if batch is not None:
        batch.prepare(rows, course.visits, 0, course.n_visits, course.batch_size,
                      course.first_visit, solver)
        epochs.course, epochs.solver, epochs.n_done = course, solver, 0
        batch.begin(engine, course.moments, dropout, course.dropout_seed)
        try:
            batch.call(helpers, train_course, &epochs)
            n_done = epochs.n_done
        finally:
            batch.end(True)
        return n_done
    owed = begin_rows(engine, &net, course.moments, &solver, dropout, course.dropout_seed,
                      course.first_visit, layout)
    try:
        with nogil:
            n_done = epoch_by_epoch(&net, layout, NULL, &rows.data, course, &solver)
    finally:
        PyMem_Free(owed)
    return n_done


cdef void *begin_rows(Engine engine, fbp_net *net, char *moments, const fbp_solver *solver,
                      tuple dropout, uint64_t dropout_seed, int64_t first_visit,
                      Layout layout) except NULL:
    """Like `begin`, for training row by row."""
    # What decays or has momentum moves in every row, that of inactive units too; laid-out
    # layers have a scale for what only decays.
    cdef bint decays = solver.alpha != 0 and (layout is None or solver.rule != FBP_PLAIN)
    cdef bint list_active = fbp_rules[<int> solver.rule].rests and not decays
    cdef void *owed = engine.begin(net, NULL, moments, list_active)
    set_dropout(net, dropout, dropout_seed)
    net.visit = first_visit
    return owed


cdef Py_ssize_t epoch_by_epoch(fbp_net *net, Layout layout, Team *team, const fbp_data *data,
                               Course *course, fbp_solver *solver) noexcept nogil:
    """Epoch by epoch, each in an order of its own; returns how many, which is before one that
    diverges: that has drawn its order already, and maybe moved weights."""
    cdef Py_ssize_t epoch, stopped, n = course.n_visits
    cdef Py_ssize_t n_steps = n if team == NULL else (n + team.batch_size - 1) // team.batch_size
    cdef double loss_sum, weight
    for epoch in range(course.n_epochs):
        if course.is_anew:
            memcpy(course.visits, course.order, n * sizeof(int64_t))
        if course.generator != NULL:
            fbp_shuffle(course.visits, n, course.generator)
        solver.learning_rate = course.rates[epoch]
        loss_sum = 0
        if team != NULL:
            team.order, team.solver = course.visits, solver[0]
            stopped = train_batches(team, &loss_sum)
            unload_weights(team)
            team.first_visit += n
        else:
            stopped = train_piece(net, layout, data, course.visits, 0, n, solver, &loss_sum)
        if stopped < n or not is_finite(net, &course.state[0]):
            return epoch
        if solver.by_weight and course.moments != NULL and not is_finite(net, &course.state[1]):
            return epoch
        solver.n_steps += n_steps
        weight = n if solver.by_weight else weight_of_rows(data, course.visits, 0, n)
        course.losses[epoch] = loss_sum / weight
    return course.n_epochs


cdef Py_ssize_t train_piece(fbp_net *net, Layout layout, const fbp_data *data,
                            const int64_t *order, Py_ssize_t start, Py_ssize_t stop,
                            const fbp_solver *solver, double *loss_sum) noexcept nogil:
    """Row by row, in whichever way the layers are laid out for."""
    cdef fbp_step step
    if layout is None:
        return train_rows(net, data, order, start, stop, solver, loss_sum)
    if layout.path == SPARSE_ROWS:
        return train_sparse(net, &layout.sparse, layout.packed, data, order, start, stop, solver,
                            loss_sum)
    if layout.path == BLOCKS:
        return train_blocks(net, &layout.block, layout.packed, data, order, start, stop, solver,
                            loss_sum)
    step = step_of(solver, 1, 1)
    load_above(net, layout.packed)
    stop = net.ops.train_tiny(net, &layout.block, data, order, start, stop, &step,
                              solver.largest_loss, loss_sum)
    unload_above(net, layout.packed)
    return stop


cdef inline void keep_state(Course *course) noexcept nogil:
    cdef int i
    for i in range(course.n_states):
        memcpy(course.state[i].before, course.state[i].at, course.state[i].n_bytes)


cdef inline void restore_state(Course *course) noexcept nogil:
    cdef int i
    for i in range(course.n_states):
        memcpy(course.state[i].at, course.state[i].before, course.state[i].n_bytes)


cdef add_state(Course *course, list kept, void *at, size_t n_bytes):
    """Has the course keep this memory too, beside it in an array that is added to the list."""
    before = np.empty(n_bytes, np.uint8)
    kept.append(before)
    cdef State *state = &course.state[course.n_states]
    state.at, state.n_bytes = <char *> at, n_bytes
    state.before = <char *> cnp.PyArray_DATA(before)
    course.n_states += 1


cdef inline bint is_finite(const fbp_net *net, const State *state) noexcept nogil:
    return net.ops.all_finite(state.at, state.n_bytes // net.ops.itemsize)


cdef fbp_solver solver_of(double learning_rate, double momentum, bint nesterov, double alpha,
                          rule, double beta_1, double beta_2, double epsilon, int64_t n_steps,
                          bint by_weight, double largest_loss, cnp.ndarray moments):
    """What a step does, as the kernels take it; see `fastbp.network.Solver`.

    Without the name of a rule it is plain, or has momentum.
    """
    cdef fbp_solver solver
    cdef int number = RULES[rule or ("momentum" if momentum else "plain")]
    memset(&solver, 0, sizeof(solver))
    solver.learning_rate, solver.momentum, solver.alpha = learning_rate, momentum, alpha
    solver.nesterov, solver.largest_loss, solver.by_weight = nesterov, largest_loss, by_weight
    solver.rule, solver.n_steps = <fbp_rule> number, n_steps
    solver.beta_1, solver.beta_2, solver.epsilon = beta_1, beta_2, epsilon
    solver.squares = cnp.PyArray_DIM(moments, 1) if fbp_rules[number].n_kept > 1 else 0
    return solver
