# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: binding=False, embedsignature=False, freethreading_compatible=True
"""Epochs on any path: a cursor that advances over rows and epochs."""
cimport cython
from cpython.mem cimport PyMem_Free
from libc.stdint cimport int32_t, int64_t
from libc.string cimport memcpy

import numpy as np

cimport numpy as cnp

from .kernels cimport (
    FBP_PLAIN, fbp_data, fbp_mt19937, fbp_net, fbp_ops, fbp_rules, fbp_scaling, fbp_shuffle,
    fbp_solver, fbp_step
)
from .memory cimport place
from .rows cimport (
    Rows, ScaledPiece, _Drawing, end_of_piece, scale_piece, state_of, weight_of_rows
)
from .backprop cimport (
    load_above, step_of, train_blocks, train_rows, train_sparse, unload_above
)
from .layers cimport Layers
from .solver cimport CompiledSolver, place_of_moments
from .workspaces cimport BLOCKS, Workspace, SPARSE
from .batches cimport (
    BatchWorkspace, ThreadTeam, predict_all, set_dropout, train_batches, unload_weights
)

cnp.import_array()


cdef enum:
    SCALED_BYTES = 1 << 18      # of rows that are scaled together: they stay in a cache
    SCALED_VALUES = 1 << 18     # of a CSR matrix, of which a piece may be checked for all weights
    SCALED_SPARSE_ROWS = 1 << 14


cdef struct Cursor:
    # Epochs, one after another, and how far they have come.
    const fbp_data *data
    const fbp_scaling *scaling  # of the rows, or NULL
    ScaledPiece scaled          # those that are trained on next
    const fbp_ops *ops
    const int64_t *order       # the rows of each epoch,
    int64_t *row_order         # and their order in this one
    Py_ssize_t n_rows
    bint reshuffle_from_start  # shuffled from `order`, not from where the last epoch left them
    fbp_mt19937 *generator     # of that, or NULL
    const double *rates        # rates_an_epoch for each epoch: one for each rows_a_rate rows
    Py_ssize_t rates_an_epoch, rows_a_rate, first_row
    double *losses
    const char *parameters
    const char *moments        # of the solver, or NULL
    size_t n_parameters, n_moments
    fbp_solver solver
    Py_ssize_t batch_size
    Py_ssize_t epoch, row
    double loss_sum
    int64_t sample


cdef struct Advance:
    # Rows for a team to train on, and whether it did.
    Cursor *run
    Py_ssize_t n_rows
    bint is_finite


cdef void advance_batches(ThreadTeam *team, void *context) noexcept nogil:
    """Work of a team: the next rows, batch by batch."""
    cdef Advance *advance = <Advance *> context
    advance.is_finite = advance_by(team.nets, None, team, advance.run, advance.n_rows)


@cython.final
cdef class EpochRun:
    """A cursor over epochs: rows are trained on as far as it advances, on any path.

    Parameters
    ----------
    layers : Layers
    rows : Rows
    order : ndarray of int64
        The rows of an epoch.
    solver : CompiledSolver
    moments : ndarray, default=None
        Those of the solver, in one row an arena.
    memory : Workspace or BatchWorkspace, default=None
        That of the path; None takes every layer row by row.
    rates : ndarray of float64 of shape (n_epochs, rates an epoch), default=None
        Learning rates; None is that of the solver, for one epoch.

    Attributes
    ----------
    epoch, row : int
        Epochs that have ended, and rows of the next that were trained on.
    loss_sum : float
        The weighted sum of the losses of these rows.
    n_steps, n_samples : int
        Steps that the solver has taken, and rows before: to be set if there were any.
    """

    cdef Cursor at, at_start
    cdef Layers layers
    cdef Workspace workspace
    cdef BatchWorkspace batch
    cdef CompiledSolver solver
    cdef object random_state
    cdef tuple arrays                   # that the cursor points into
    cdef cnp.ndarray saved_order, order_in_use, losses_of_epochs
    cdef fbp_mt19937 saved_generator
    cdef double own_rate
    cdef object scaled_memory

    def __init__(self, Layers layers not None, Rows rows not None, cnp.ndarray order not None,
                 CompiledSolver solver not None, cnp.ndarray moments=None, memory=None,
                 cnp.ndarray rates=None):
        cdef Cursor *at = &self.at
        self.layers, self.solver = layers, solver
        if isinstance(memory, BatchWorkspace):
            self.batch = memory
        else:
            self.workspace = memory
        self.order_in_use = order
        self.losses_of_epochs = np.empty(1 if rates is None else len(rates))
        self.arrays = rows, order, rates, moments
        at.data, at.n_rows = &rows.data, cnp.PyArray_SIZE(order)
        at.order = <const int64_t *> cnp.PyArray_DATA(order)
        at.row_order = <int64_t *> cnp.PyArray_DATA(order)
        self.own_rate = solver.at.learning_rate
        at.rates, at.rates_an_epoch = &self.own_rate, 1
        if rates is not None:
            at.rates = <const double *> cnp.PyArray_DATA(rates)
            at.rates_an_epoch = cnp.PyArray_DIM(rates, 1)
        at.rows_a_rate, at.first_row = max(at.n_rows, 1), 0
        at.losses = <double *> cnp.PyArray_DATA(self.losses_of_epochs)
        at.parameters = layers.memory.parameters
        at.n_parameters = layers.memory.n_bytes // layers.net.ops.itemsize
        at.solver, at.solver.max_loss = solver.at, rows.max_loss
        at.batch_size = 1 if self.batch is None else max(1, min(solver.batch_size, at.n_rows))
        at.moments = place_of_moments(moments, &at.solver)
        at.n_moments = 0 if moments is None else cnp.PyArray_SIZE(moments)
        if rows.is_scaled:
            self.scale_pieces(rows)

    cdef scale_pieces(self, Rows rows):
        """Get memory for rows that are scaled before they are trained on: whole batches."""
        cdef ScaledPiece *piece = &self.at.scaled
        cdef Py_ssize_t row_bytes = rows.data.n_features * rows.data.itemsize, batch, x_bytes
        cdef void **places[6]
        self.at.scaling, self.at.ops = &rows.scaling, self.layers.net.ops
        batch = self.at.batch_size
        piece.data, piece.repeats = rows.data, rows.repeats()
        if rows.sparse:
            if batch > 1:
                raise ValueError("batches of a CSR matrix are scaled before training: Rows.plain")
            piece.most_rows = min(SCALED_SPARSE_ROWS, max(self.at.n_rows, 1))
            piece.most_values = max(SCALED_VALUES, rows.longest())
            x_bytes = piece.most_values * rows.data.itemsize
        else:
            piece.most_rows = batch * max(1, SCALED_BYTES // max(1, batch * row_bytes))
            piece.most_rows = min(piece.most_rows, (self.at.n_rows + batch - 1) // batch * batch)
            x_bytes = row_bytes * piece.most_rows
        piece.data.X_row_bytes = row_bytes
        piece.data.y_row_bytes = rows.n_outputs * rows.data.itemsize
        places[0], places[1] = <void **> &piece.X, <void **> &piece.y
        places[2], places[3] = <void **> &piece.weights, <void **> &piece.order
        places[4], places[5] = <void **> &piece.columns, <void **> &piece.row_starts
        y_bytes = 4 if rows.data.y_rows != NULL else piece.data.y_row_bytes
        self.scaled_memory = place(places, [
            x_bytes, y_bytes * piece.most_rows, 8 * piece.most_rows, 8 * piece.most_rows,
            4 * piece.most_values, 8 * (piece.most_rows + 1) if rows.sparse else 0,
        ], 1)
        piece.data.X = piece.X
        if rows.sparse:
            piece.data.columns, piece.data.row_starts = piece.columns, piece.row_starts
        if rows.data.y_rows != NULL:
            piece.data.y_rows = <const int32_t *> piece.y
            piece.data.y_row_bytes = rows.data.y_row_bytes
        else:
            piece.data.y = piece.y
        if rows.data.weights != NULL:
            piece.data.weights = piece.weights
        for t in range(piece.most_rows):
            piece.order[t] = t

    def change_rate_every(self, Py_ssize_t n_rows, Py_ssize_t first_row):
        """Take the next learning rate at each multiple of n_rows; row 0 is number first_row."""
        self.at.rows_a_rate, self.at.first_row = n_rows, first_row

    def shuffle_by(self, random_state, bint reshuffle_from_start):
        """Shuffle the rows before each epoch, as `shuffle` does.

        From the order given if ``reshuffle_from_start``, else from that of the last epoch, in
        place.
        """
        self.random_state = random_state
        self.at.generator = state_of(random_state._bit_generator)
        self.at.reshuffle_from_start = reshuffle_from_start
        if reshuffle_from_start:
            self.order_in_use = np.empty_like(self.order_in_use)
            self.at.row_order = <int64_t *> cnp.PyArray_DATA(self.order_in_use)

    @property
    def epoch(self):
        return self.at.epoch

    @property
    def row(self):
        return self.at.row

    @property
    def loss_sum(self):
        return self.at.loss_sum

    @property
    def n_steps(self):
        return self.at.solver.n_steps

    @n_steps.setter
    def n_steps(self, int64_t n):
        self.at.solver.n_steps = n

    @property
    def n_samples(self):
        return self.at.sample

    @n_samples.setter
    def n_samples(self, int64_t n):
        self.at.sample = n

    def losses(self):
        """The mean losses of the epochs that have ended."""
        return self.losses_of_epochs[:self.at.epoch].tolist()

    def advance(self, Py_ssize_t n_rows, workers=None):
        """Train on the next n_rows, over the ends of epochs; return whether all went well.

        If a row's or batch's loss is too large, or a weight no longer finite, it ends there: the
        caller restores parameters and moments. ``workers`` (network/threads.py) share batches.
        """
        if self.random_state is None or 0 < self.at.row <= self.at.n_rows - n_rows:
            self.save()
            return self.run(n_rows, workers)
        with _Drawing(self.random_state):
            self.save()
            return self.run(n_rows, workers)

    cdef save(self):
        """Where an epoch begins: keep what `restart` goes back to."""
        if self.at.row > 0:
            return
        if self.random_state is not None:
            self.saved_generator = self.at.generator[0]
            if not self.at.reshuffle_from_start:
                self.saved_order = self.order_in_use.copy()
        self.at_start = self.at

    def restart(self):
        """Go back to where `advance` last began an epoch: position, order and generator."""
        if self.at_start.data == NULL:  # it has not begun
            return
        self.at = self.at_start
        if self.random_state is None:
            return
        with _Drawing(self.random_state):
            self.at.generator[0] = self.saved_generator
            if self.saved_order is not None:
                self.order_in_use[...] = self.saved_order

    def begin_within(self, Py_ssize_t row, double loss_sum):
        """Begin the first epoch, whose order is drawn, after a row and this sum of losses."""
        if not 0 < row < self.at.n_rows:
            raise ValueError(f"row {row} is not within an epoch of {self.at.n_rows} rows")
        self.shuffle()
        self.at.row, self.at.loss_sum = row, loss_sum

    def shuffle(self):
        """Draw the order of an epoch, as one does that diverges."""
        if self.random_state is not None:
            with _Drawing(self.random_state):
                shuffle_rows(&self.at)

    cdef bint run(self, Py_ssize_t n_rows, workers) except -1:
        cdef fbp_net net
        cdef Advance advance
        cdef CompiledSolver solver = self.solver
        cdef bint is_finite
        self.layers.n_trusted = 0
        if self.batch is not None:
            advance.run, advance.n_rows, advance.is_finite = &self.at, n_rows, False
            self.batch.team.data, self.batch.team.solver = self.at.data, self.at.solver
            self.batch.team.batch_size = self.at.batch_size
            self.batch.begin(self.layers, <char *> self.at.moments, solver.dropout,
                             solver.dropout_seed)
            try:
                self.batch.call(workers, advance_batches, &advance)
            finally:
                self.batch.end()
            return advance.is_finite
        scratch = begin_rows(self.layers, &net, self.workspace, &self.at, solver)
        try:
            with nogil:
                is_finite = advance_by(&net, self.workspace, NULL, &self.at, n_rows)
        finally:
            PyMem_Free(scratch)
        return is_finite


def forward_all(Layers layers not None, BatchWorkspace batch not None, workers, Rows rows not None,
                Py_ssize_t start, Py_ssize_t stop, cnp.ndarray out not None):
    """a[L] of rows start..stop into those rows of ``out``, by the batch's team."""
    batch.team.data, batch.team.out = &rows.data, <char *> cnp.PyArray_DATA(out)
    batch.team.first_row, batch.team.n_rows = start, stop - start
    batch.begin(layers, NULL)
    try:
        batch.call(workers, predict_all, NULL)
    finally:
        batch.end()


cdef void *begin_rows(Layers layers, fbp_net *net, Workspace workspace, const Cursor *run,
                      CompiledSolver solver) except NULL:
    """`Layers.begin` for training row by row."""
    # What decays or has momentum moves in every row, that of inactive units too; packed
    # layers have a scale for what only decays.
    cdef bint decays = run.solver.alpha != 0 and (workspace is None
                                                  or run.solver.rule != FBP_PLAIN)
    cdef bint list_active = fbp_rules[<int> run.solver.rule].rests and not decays
    cdef void *scratch = layers.begin(net, NULL, <char *> run.moments, list_active)
    set_dropout(net, solver.dropout, solver.dropout_seed)
    return scratch


cdef bint advance_by(fbp_net *net, Workspace workspace, ThreadTeam *team, Cursor *run,
                     Py_ssize_t n_rows) noexcept nogil:
    """The next n_rows: pieces that end where an epoch or the time of a rate does.

    Returns whether none of them diverged, at which it ends.
    """
    cdef Py_ssize_t first = run.first_row, every = run.rows_a_rate, stop, stopped
    cdef double loss_sum
    while n_rows > 0:
        if run.row == 0:
            shuffle_rows(run)
            run.loss_sum = 0
        stop = min(run.row + n_rows, run.n_rows)
        stop = min(stop, ((first + run.row) // every + 1) * every - first)
        if run.scaling != NULL:
            stop = min(stop, end_of_piece(&run.scaled, run.data, run.row_order, run.row, stop))
        run.solver.learning_rate = run.rates[
            run.epoch * run.rates_an_epoch + (first + run.row) // every - first // every]
        loss_sum = 0
        stopped = train_piece(net, workspace, team, run, stop, &loss_sum)
        if stopped < stop or not is_finite(net, run):
            run.row = stopped
            run.loss_sum += loss_sum
            return False
        n_rows -= stop - run.row
        run.solver.n_steps += (stop - run.row + run.batch_size - 1) // run.batch_size
        run.sample += stop - run.row
        run.loss_sum += loss_sum
        run.row = stop
        if stop == run.n_rows:
            run.losses[run.epoch] = run.loss_sum / total_weight(run)
            run.epoch += 1
            run.row = 0
    return True


cdef void shuffle_rows(Cursor *run) noexcept nogil:
    """The order of the next epoch."""
    if run.generator == NULL:
        return
    if run.reshuffle_from_start:
        memcpy(run.row_order, run.order, run.n_rows * sizeof(int64_t))
    fbp_shuffle(run.row_order, run.n_rows, run.generator)


cdef double total_weight(const Cursor *run) noexcept nogil:
    """What an epoch's loss is the mean over: the weights of its rows, or their number."""
    if run.solver.by_weight or run.data.weights == NULL:
        return run.n_rows
    return weight_of_rows(run.data, run.row_order, 0, run.n_rows)


cdef inline bint is_finite(const fbp_net *net, const Cursor *run) noexcept nogil:
    """Whether all parameters are, and by weight all moments: there a weight may rest for ever."""
    if not net.ops.all_finite(run.parameters, run.n_parameters):
        return False
    return (not run.solver.by_weight or run.moments == NULL
            or net.ops.all_finite(run.moments, run.n_moments))


cdef Py_ssize_t train_piece(fbp_net *net, Workspace workspace, ThreadTeam *team,
                            const Cursor *run, Py_ssize_t stop, double *loss_sum) noexcept nogil:
    """Rows from the cursor's to `stop`, in batches or on the path of the workspace.

    Returns where it stopped: before a row or batch of too large a loss.
    """
    cdef Py_ssize_t start = run.row
    if run.scaling == NULL:
        return train_in_order(net, workspace, team, run, run.data, run.row_order, start, stop,
                              loss_sum)
    scale_piece(run.ops, &run.scaled, run.data, run.scaling, run.row_order + start, stop - start)
    return start + train_in_order(net, workspace, team, run, &run.scaled.data, run.scaled.order, 0,
                                  stop - start, loss_sum)


cdef Py_ssize_t train_in_order(fbp_net *net, Workspace workspace, ThreadTeam *team,
                               const Cursor *run, const fbp_data *data, const int64_t *order,
                               Py_ssize_t start, Py_ssize_t stop,
                               double *loss_sum) noexcept nogil:
    """`train_piece` on rows order[start:stop] of the data."""
    cdef const fbp_solver *solver = &run.solver
    cdef fbp_step step
    if team != NULL:
        team.data, team.order, team.start, team.stop = data, order, start, stop
        team.solver, team.first_sample = solver[0], run.sample
        stop = train_batches(team, loss_sum)
        unload_weights(team)
        return stop
    net.sample = run.sample
    if workspace is None:
        return train_rows(net, data, order, start, stop, solver, loss_sum)
    if workspace.path == SPARSE:
        return train_sparse(net, &workspace.sparse, workspace.packed, data, order, start, stop,
                            solver, loss_sum)
    if workspace.path == BLOCKS:
        return train_blocks(net, &workspace.block, workspace.packed, data, order, start, stop,
                            solver, loss_sum)
    step = step_of(solver, 1, 1)
    load_above(net, workspace.packed)
    stop = net.ops.train_registers(net, &workspace.block, data, order, start, stop, &step,
                                   solver.max_loss, loss_sum)
    unload_above(net, workspace.packed)
    return stop
