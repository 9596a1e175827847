# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: binding=False, embedsignature=False, freethreading_compatible=True
"""Learning from a stream: each row is scaled and learned, and some rows of the past once more.

A row lists the columns of the inputs that it has. What it leaves out is 0 after scaling: the mean
of a number, a text that does not occur. Several networks, the experts, may learn the same rows,
each in its way; what they predict is mixed by how well they predicted of late.
"""
cimport cython
from cpython.pythread cimport (
    NOWAIT_LOCK, WAIT_LOCK, PyThread_acquire_lock, PyThread_allocate_lock, PyThread_free_lock,
    PyThread_release_lock, PyThread_type_lock
)
from libc.math cimport expm1, isfinite
from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.stdlib cimport calloc, free

cimport numpy as cnp

from .kernels cimport fbp_row
from .memory cimport place, set_real
from .columns cimport (
    Column, Entry, RowReader, Table, columns_of, next_random, scaled_target, scaled_value,
    update_column,
    update_target
)
from .experts cimport (
    Expert, ExpertNet, loss_jumps, move_average, outputs_of, put_label, put_target, take_step
)
from .kept_rows cimport KeptRow, KeptRows

cnp.import_array()


cdef enum:
    MOST_EXPERTS = 4
    ROWS_BEFORE_REPLAY = 20     # that are kept
    ROWS_AFTER_JUMP = 100       # of the loss: so many of the last ones stay
cdef double LOSS_KEPT = 0.99    # how much of its recent loss an expert keeps at each row
cdef double MOST_ERROR = 3      # in units of the target's spread: larger ones count as this


@cython.final
cdef class OnlineLoop:
    """Learns rows one by one, on networks whose unused inputs and outputs wait for names.

    Parameters
    ----------
    experts : tuple of Expert
    reader : RowReader
    past : KeptRows
    labels : dict of label to number of the output; None for a regression
    n_targets : int
    options : dict
        ``memory``: rows that moments remember; ``limit`` of scaled inputs; ``min_target``;
        ``scales_by_mean``: whether targets are; ``quantile``: what is predicted;
        ``is_hashed``: whether all names have a column; ``kind``: float for one target, or the type
        that several are in.
    seed : int
        Of which rows are replayed.
    """

    cdef tuple experts                  # and what of them the loop needs:
    cdef ExpertNet *nets[MOST_EXPERTS]
    cdef int n_experts
    cdef RowReader reader
    cdef KeptRows past
    cdef dict labels
    cdef type kind                      # of labels; of targets: float, or what several are in
    cdef Py_ssize_t n_targets, n_known  # n_known: labels so far
    # the columns, while attached
    cdef bint attached
    cdef cnp.ndarray inputs, outputs
    cdef Column *columns
    cdef Column *target_columns
    cdef Py_ssize_t n_outputs
    # how it learns
    cdef double memory, limit, min_target, quantile
    cdef bint scales_by_mean, must_know
    cdef public int64_t n_rows
    cdef public uint64_t random
    # the row that is looked at
    cdef object scaled_memory
    cdef void *scaled
    cdef int32_t *scaled_columns
    cdef Py_ssize_t room
    cdef int itemsize
    cdef double *targets
    cdef double *predictions            # of each expert, and behind them the mixture
    cdef PyThread_type_lock lock        # of all that is above

    def __init__(self, tuple experts not None, RowReader reader not None, KeptRows past not None,
                 labels, Py_ssize_t n_targets, dict options not None, uint64_t seed):
        cdef int e
        self.experts, self.reader, self.past = experts, reader, past
        self.n_experts = len(experts)
        if not 1 <= self.n_experts <= MOST_EXPERTS:
            raise ValueError(f"there may be 1 to {MOST_EXPERTS} networks; got {self.n_experts}")
        for e in range(self.n_experts):
            self.nets[e] = &(<Expert> experts[e]).at
        self.labels, self.n_targets, self.kind = labels, n_targets, options["kind"]
        self.memory, self.limit = options["memory"], options["limit"]
        self.min_target, self.scales_by_mean = options["min_target"], options["scales_by_mean"]
        self.quantile, self.must_know = options["quantile"], options["is_hashed"]
        self.random = seed
        self.targets = <double *> calloc(n_targets, sizeof(double))
        self.lock = PyThread_allocate_lock()
        if self.targets == NULL or self.lock == NULL:
            raise MemoryError()

    def __dealloc__(self):
        free(self.targets)
        free(self.predictions)
        if self.lock != NULL:
            PyThread_free_lock(self.lock)

    # -- the networks ------------------------------------------------------------------------

    def attach(self, cnp.ndarray inputs not None, cnp.ndarray outputs not None):
        """Learn from here on, until `detach`; the experts are attached to their networks.

        ``inputs`` and ``outputs`` are arrays of `Column`.
        """
        self.inputs, self.outputs = inputs, outputs
        self.columns, self.target_columns = columns_of(inputs), columns_of(outputs)
        self.n_outputs = cnp.PyArray_DIM(outputs, 0)
        self.itemsize = self.nets[0].net.ops.itemsize
        free(self.predictions)
        self.predictions = <double *> calloc((self.n_experts + 1) * self.n_outputs, sizeof(double))
        if self.predictions == NULL:
            raise MemoryError()
        if self.labels:
            self.kind = type(next(iter(self.labels)))
        self.reserve(1)
        self.attached = True

    def detach(self):
        """Learn and predict nothing until `attach`; waits for calls of other threads."""
        self.begin_call()
        self.attached = False
        PyThread_release_lock(self.lock)

    cdef void begin_call(self):
        """Wait for other threads' calls, which may have released the GIL."""
        if not PyThread_acquire_lock(self.lock, NOWAIT_LOCK):
            with nogil:
                PyThread_acquire_lock(self.lock, WAIT_LOCK)

    # -- one row, given by Python ------------------------------------------------------------

    def learn(self, x, y, double weight):
        """Learn a row; False, and nothing is changed, where Python has to look at x or y."""
        self.begin_call()
        try:
            if (not self.attached or not self.take_target(y)
                    or not self.reader.read(x, True)):
                return False
            self.reserve(self.reader.n)
            self.learn_row(weight)
            return True
        finally:
            PyThread_release_lock(self.lock)

    def predict(self, x, cnp.ndarray out not None):
        """What is predicted for a row, into ``out``; or False, as `learn`, or if it is too small.

        Of a regression in the targets' units.
        """
        self.begin_call()
        try:
            if (not self.attached or cnp.PyArray_SIZE(out) < self.n_outputs
                    or not self.reader.read(x, self.must_know)):
                return False
            self.reserve(self.reader.n)
            self.predict_row(<double *> cnp.PyArray_DATA(out))
            return True
        finally:
            PyThread_release_lock(self.lock)

    def predict_best(self, x):
        """The number of the most probable label of a row; -1 where Python has to look at x."""
        cdef Py_ssize_t k, best = 0
        cdef double *out
        self.begin_call()
        try:
            if not self.attached or not self.reader.read(x, self.must_know):
                return -1
            self.reserve(self.reader.n)
            out = self.predictions + self.n_experts * self.n_outputs
            self.predict_row(out)
            for k in range(1, self.n_known):
                if out[k] > out[best]:
                    best = k
            return best
        finally:
            PyThread_release_lock(self.lock)

    cdef bint take_target(self, y) except -1:
        """Whether y is the target, which is taken: a label that is known, or finite numbers."""
        cdef Py_ssize_t k
        if self.labels is not None:
            if type(y) is not self.kind:                # True is 1 for a dict
                return False
            number = self.labels.get(y)
            if number is None:
                return False
            self.targets[0] = number
            return 0 <= self.targets[0] < self.n_outputs
        if self.kind is float:
            return self.take_number(0, y)
        if type(y) is not self.kind or len(y) != self.n_targets:
            return False
        for k in range(self.n_targets):
            if not self.take_number(k, y[k]):
                return False
        return True

    cdef bint take_number(self, Py_ssize_t k, y) except -1:
        """Whether y is a number that target k may be, which is taken."""
        if not isinstance(y, (float, int)):
            return False
        try:
            self.targets[k] = y
        except OverflowError:                           # of a whole number of hundreds of digits
            return False
        return isfinite(self.targets[k]) and self.targets[k] >= self.min_target

    cdef Py_ssize_t n_classes(self):
        """How many labels are known; 0 of a regression."""
        return 0 if self.labels is None else len(self.labels)

    cdef reserve(self, Py_ssize_t n):
        """Memory for a row of n entries, read and scaled."""
        cdef void **places[2]
        n = max(n, self.past.widest)            # which may be replayed
        self.reader.reserve(n)
        self.n_known = min(self.n_classes(), self.n_outputs)
        if n <= self.room:
            return
        # Even a row of nothing lists its columns, for which the address must not be NULL.
        self.room = max(16, 2 * n)
        places[:] = [&self.scaled, <void **> &self.scaled_columns]
        self.scaled_memory = place(places, [self.room, self.room], 8)

    # -- rows of a table ---------------------------------------------------------------------

    def learn_table(self, Table table not None, Py_ssize_t start, Py_ssize_t stop):
        """Learn rows from start on; returns where it stopped: at `stop`, or a name or label new."""
        cdef Py_ssize_t r = start, k
        self.begin_call()
        try:
            if not self.attached:
                return start
            self.reserve(table.n_values + table.n_texts)
            with nogil:
                while r < stop:
                    if table.weights != NULL and table.weights[r] == 0:
                        r += 1
                        continue
                    if not table.read_row(r, self.reader, True):
                        break
                    for k in range(self.n_targets):
                        self.targets[k] = table.targets[r * self.n_targets + k]
                    if self.labels is not None and not 0 <= self.targets[0] < self.n_known:
                        break
                    self.learn_row(1 if table.weights == NULL else table.weights[r])
                    r += 1
            return r
        finally:
            PyThread_release_lock(self.lock)

    def predict_table(self, Table table not None, Py_ssize_t start, Py_ssize_t stop,
                      cnp.ndarray out not None):
        """What is predicted for rows from start to stop, into those of ``out``; False if detached.
        """
        cdef Py_ssize_t r
        cdef double *to = <double *> cnp.PyArray_DATA(out)
        self.begin_call()
        try:
            if not self.attached or cnp.PyArray_DIM(out, 1) != self.n_outputs:
                return False
            self.reserve(table.n_values + table.n_texts)
            with nogil:
                for r in range(start, stop):
                    table.read_row(r, self.reader, False)
                    self.predict_row(to + r * self.n_outputs)
            return True
        finally:
            PyThread_release_lock(self.lock)

    # -- the algorithm: learning -------------------------------------------------------------

    cdef void learn_row(self, double weight) noexcept nogil:
        """Learn the row that was read, with its targets, and then some rows of the past."""
        cdef Entry *row = self.reader.row
        cdef Py_ssize_t n = self.reader.n
        cdef ExpertNet *net
        cdef KeptRow *old
        cdef fbp_row x
        cdef int e
        cdef int64_t _i, n_replayed
        cdef double least_error
        if self.n_experts > 1:
            self.judge_experts(row, n)
        self.update_columns(row, n, weight)
        for e in range(self.n_experts):
            x = self.scaled_row(row, n)
            self.learn_scaled(self.nets[e], &x, self.targets, weight, 0)
        for e in range(self.n_experts):
            net = self.nets[e]
            n_replayed = net.replay if self.past.n >= ROWS_BEFORE_REPLAY else 0
            least_error = net.margin * (1 if self.labels is not None else net.typical_error)
            for _i in range(n_replayed):
                old = self.past.rows + self.draw(self.past.n)
                x = self.scaled_row(old.entries, old.n)
                self.learn_scaled(net, &x, old.targets, old.weight, least_error)
            if net.share < 1:
                x = self.scaled_row(row, n)
                move_average(net, &x, max(1.0 / (self.n_rows + 1), net.share))
        self.past.keep(row, n, self.targets, weight, &self.random)
        self.n_rows += 1

    cdef void judge_experts(self, const Entry *row, Py_ssize_t n) noexcept nogil:
        """Note how well each expert predicts a row that is not learned yet.

        Where an expert that learns rows of the past becomes much worse, they are forgotten.
        """
        cdef ExpertNet *net
        cdef double loss
        cdef int e
        self.predict_experts(row, n)
        for e in range(self.n_experts):
            net, loss = self.nets[e], self.loss_of(self.predictions + e * self.n_outputs)
            net.recent_loss = LOSS_KEPT * net.recent_loss + loss
            if net.replay > 0 and loss_jumps(net, loss):
                self.past.keep_last(ROWS_AFTER_JUMP)    # the others are of another world

    cdef double loss_of(self, const double *predicted) noexcept nogil:
        """Half of Brier's score of probabilities (1950), or the error of numbers, bounded."""
        cdef double loss = 0, error
        cdef Py_ssize_t k
        if self.labels is not None:
            for k in range(self.n_known):
                error = predicted[k] - (k == <Py_ssize_t> self.targets[0])
                loss += 0.5 * error * error
            return loss
        for k in range(self.n_targets):
            error = scaled_target(self.target_columns + k, self.targets[k]) - predicted[k]
            error *= 2 * (self.quantile if error > 0 else self.quantile - 1)
            loss += min(error, MOST_ERROR) / self.n_targets
        return loss

    cdef void update_columns(self, const Entry *row, Py_ssize_t n, double weight) noexcept nogil:
        """Count the row in the columns that it has, and in those of the targets."""
        cdef Column *column
        cdef Py_ssize_t p, k
        for p in range(n):
            column = self.columns + row[p].column
            column.last_seen = self.n_rows
            if column.is_number:
                update_column(column, row[p].value, weight, self.memory)
        if self.labels is None:
            for k in range(self.n_targets):
                column = self.target_columns + k
                update_target(column, self.targets[k], weight, self.memory)
                if self.scales_by_mean:                 # counts stay counts
                    column.center = 0
                    column.factor = 1 / column.mean if column.mean > 0 else 0

    cdef fbp_row scaled_row(self, const Entry *row, Py_ssize_t n) noexcept nogil:
        """A row as the networks see it, until the next one."""
        cdef fbp_row x
        cdef Py_ssize_t p
        for p in range(n):
            self.scaled_columns[p] = row[p].column
            set_real(self.scaled, p,
                     scaled_value(self.columns + row[p].column, row[p].value, self.limit),
                     self.itemsize)
        x.values, x.columns, x.n = self.scaled, self.scaled_columns, n
        return x

    cdef void learn_scaled(self, ExpertNet *net, const fbp_row *x, const double *targets,
                           double weight, double least_error) noexcept nogil:
        """One step of one expert along one row."""
        cdef Py_ssize_t k
        if self.labels is not None:
            put_label(net, <int64_t> targets[0], self.n_known)
        else:
            for k in range(self.n_targets):
                put_target(net, k, scaled_target(self.target_columns + k, targets[k]))
        take_step(net, x, weight, least_error)

    cdef Py_ssize_t draw(self, Py_ssize_t n) noexcept nogil:
        """A random number below n."""
        return <Py_ssize_t> (next_random(&self.random) % <uint64_t> n)

    # -- the algorithm: predicting -----------------------------------------------------------

    cdef void predict_row(self, double *out) noexcept nogil:
        """The experts' predictions for the row that was read, mixed, into n_outputs numbers."""
        cdef Column *column
        cdef Py_ssize_t k
        cdef double total = 0
        cdef double weights[MOST_EXPERTS]
        cdef int e
        self.predict_experts(self.reader.row, self.reader.n)
        for k in range(self.n_outputs):
            out[k] = 0
        for e in range(self.n_experts):
            weights[e] = self.weight_of(e)
            total += weights[e]
        for e in range(self.n_experts):
            for k in range(self.n_outputs):
                out[k] += weights[e] / total * self.predictions[e * self.n_outputs + k]
        if self.labels is None:
            for k in range(self.n_targets):
                column = self.target_columns + k
                out[k] = out[k] / column.factor + column.center if column.factor else column.center

    cdef void predict_experts(self, const Entry *row, Py_ssize_t n) noexcept nogil:
        """What each expert predicts for a row, in scaled units."""
        cdef fbp_row x = self.scaled_row(row, n)
        cdef int e
        for e in range(self.n_experts):
            outputs_of(self.nets[e], &x, self.n_known, self.predictions + e * self.n_outputs)

    cdef double weight_of(self, int e) noexcept nogil:
        """How much an expert counts: less the more it lost of late than the best one."""
        cdef double least = self.nets[0].recent_loss
        cdef int other
        for other in range(1, self.n_experts):
            least = min(least, self.nets[other].recent_loss)
        # exp itself would bind the wheel to a newer libc than all else does.
        return 1 + expm1(least - self.nets[e].recent_loss)
