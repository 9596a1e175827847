# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: binding=False, embedsignature=False, freethreading_compatible=True
"""One network that learns a stream: its steps, a mean of its weights, and what it predicts."""
cimport cython
from cpython.mem cimport PyMem_Free
from libc.math cimport fabs, sqrt
from libc.stdint cimport int64_t
from libc.string cimport memset

cimport numpy as cnp

from .kernels cimport FBP_PLAIN, fbp_layer, fbp_net, fbp_row, fbp_rules, fbp_step
from .memory cimport real_at, scratch_for_target, set_real
from .backprop cimport backward, forward, load_above, step_of, unload_above
from .layers cimport Layers
from .solver cimport CompiledSolver, place_of_moments
from .workspaces cimport Workspace

cnp.import_array()


cdef double ERROR_KEPT = 0.99   # how much of its typical error it keeps at each row
cdef double SLOW = 0.001        # shares of a loss in means of losses,
cdef double FAST = 0.02         # of which the fast one jumps where it is further above the slow one
cdef double JUMP = 5            # than so many of its standard deviations,
cdef double FIRST_JUMP = 100    # after so many rows


@cython.final
cdef class Expert:
    """A network of a stream.

    Parameters
    ----------
    solver : CompiledSolver
    rule : name of what a step does
    replay : int
        Rows of the past that are learned again after each row.
    margin : float
        Of these the ones that are predicted well are not: whose probabilities are all less than
        this from the label, or whose numbers are less than this times the typical error of new rows
        from the target.
    share : float
        How much the weights of now count at least in the mean that predicts; 1 takes no mean.
    max_loss : float
        Of a row that a step is taken along.
    """

    def __init__(self, CompiledSolver solver not None, str rule, Py_ssize_t replay,
                 double margin, double share, double max_loss):
        memset(&self.at, 0, sizeof(self.at))
        self.rule = rule
        self.at.solver = solver.at
        self.at.solver.max_loss = max_loss
        self.at.replay, self.at.margin, self.at.share = replay, margin, share
        facts = &fbp_rules[<int> solver.at.rule]
        self.at.counts_steps = facts.counts
        self.lists_active = facts.rests and solver.at.alpha == 0
        # A plain step with a penalty shrinks the scale of packed weights, which would be rounded.
        self.is_packed = facts.n_moments <= 1 and not (facts.linear and solver.at.alpha)

    def __dealloc__(self):
        PyMem_Free(self.scratch)
        PyMem_Free(self.average_scratch)

    @property
    def n_steps(self):
        return self.at.solver.n_steps

    @n_steps.setter
    def n_steps(self, int64_t n):
        self.at.solver.n_steps = n

    @property
    def typical_error(self):
        return self.at.typical_error

    @typical_error.setter
    def typical_error(self, double error):
        self.at.typical_error = error

    @property
    def recent_loss(self):
        return self.at.recent_loss

    @recent_loss.setter
    def recent_loss(self, double loss):
        self.at.recent_loss = loss

    @property
    def watched(self):
        """What is known of its losses: their number, two means and a variance."""
        return self.at.n_watched, self.at.slow_loss, self.at.fast_loss, self.at.variance

    @watched.setter
    def watched(self, tuple watched):
        self.at.n_watched, self.at.slow_loss, self.at.fast_loss, self.at.variance = watched

    def set_rate(self, double learning_rate):
        """Take steps at this rate from here on."""
        self.at.solver.learning_rate = learning_rate
        self.at.step = step_of(&self.at.solver, 1, max(1, self.at.solver.n_steps))

    def attach(self, Layers layers not None, cnp.ndarray moments, Layers average):
        """Learn on these layers, whose arena is not up to date again until `detach`.

        ``moments`` are those of the solver; ``average`` the layers of the mean, or None.
        """
        self.layers, self.moments, self.average_layers = layers, moments, average
        self.scratch = layers.begin(&self.at.net, NULL, place_of_moments(moments, &self.at.solver),
                                    self.lists_active)
        self.at.target = scratch_for_target(&self.at.net)
        if self.is_packed:
            self.packed = Workspace(layers, "rows", True, self.rule)
            load_above(&self.at.net, self.packed.packed)
        if average is not None:
            self.average_scratch = average.begin(&self.at.average, NULL, NULL, self.lists_active)
            if self.is_packed:
                self.average_packed = Workspace(average, "rows", True, self.rule)
                load_above(&self.at.average, self.average_packed.packed)
        self.at.step = step_of(&self.at.solver, 1, max(1, self.at.solver.n_steps))

    def detach(self):
        """Write all numbers into the arenas; `attach` before the next row."""
        if self.is_packed:
            unload_above(&self.at.net, self.packed.packed)
            if self.average_layers is not None:
                unload_above(&self.at.average, self.average_packed.packed)
        PyMem_Free(self.scratch)
        PyMem_Free(self.average_scratch)
        self.scratch = self.average_scratch = NULL
        self.at.net.layers = self.at.average.layers = NULL
        self.layers = self.average_layers = None
        self.packed = self.average_packed = None


cdef bint loss_jumps(ExpertNet *expert, double loss) noexcept nogil:
    """Note one more loss of a new row; whether those of late are far above those before."""
    cdef double share, shift = loss - expert.slow_loss
    expert.n_watched += 1
    share = max(1 / expert.n_watched, SLOW)
    expert.slow_loss += share * shift
    expert.variance += share * (shift * (loss - expert.slow_loss) - expert.variance)
    expert.fast_loss += max(1 / expert.n_watched, FAST) * (loss - expert.fast_loss)
    if (expert.n_watched < FIRST_JUMP or expert.fast_loss
            <= expert.slow_loss + JUMP * sqrt(FAST / (2 - FAST) * expert.variance)):
        return False
    expert.slow_loss, expert.n_watched = expert.fast_loss, FIRST_JUMP / 2
    return True


cdef void put_target(ExpertNet *expert, int64_t k, double value) noexcept nogil:
    """Set one target of the row that comes next."""
    set_real(expert.target, k, value, expert.net.ops.itemsize)


cdef void put_label(ExpertNet *expert, int64_t label, int64_t n_classes) noexcept nogil:
    """Set the target of the row that comes next."""
    cdef int64_t k
    for k in range(n_classes):
        set_real(expert.target, k, k == label, expert.net.ops.itemsize)


cdef void take_step(ExpertNet *expert, const fbp_row *x, double weight,
                    double least_error) noexcept nogil:
    """Learn one row, whose target was put, unless its error is less than this."""
    cdef double loss = forward(&expert.net, x, expert.target), error
    if not loss <= expert.solver.max_loss:              # nor NaN
        return
    if expert.replay > 0:
        error = largest_delta(&expert.net)
        if error < least_error:
            return
        if least_error == 0:                            # it is a new row
            expert.typical_error += (1 - ERROR_KEPT) * (error - expert.typical_error)
    expert.solver.n_steps += 1
    if expert.counts_steps:
        expert.step = step_of(&expert.solver, 1, expert.solver.n_steps)
    backward(&expert.net, x, weight, &expert.step)


cdef double largest_delta(const fbp_net *net) noexcept nogil:
    """The largest derivative of the loss by an output's z, without its sign."""
    cdef const fbp_layer *last = net.layers + net.n_layers - 1
    cdef double largest = 0
    cdef int64_t k
    for k in range(last.n_out):
        largest = max(largest, fabs(real_at(last.delta, k, net.ops.itemsize)))
    return largest


cdef void move_average(ExpertNet *expert, const fbp_row *x, double share) noexcept nogil:
    """mean = mean + share (weights - mean), for all weights that this row meets."""
    cdef fbp_layer *to = expert.average.layers
    cdef const fbp_layer *now = expert.net.layers
    cdef int itemsize = expert.net.ops.itemsize
    cdef fbp_step step
    cdef int64_t p, at, size
    cdef int l
    if to == NULL:
        return
    memset(&step, 0, sizeof(step))
    step.rule, step.decay[0][0], step.rate[0] = FBP_PLAIN, 1 - share, share
    for l in range(expert.net.n_layers):
        expert.net.ops.take_steps(to[l].b, NULL, now[l].b, now[l].n_out, 1, &step, False)
        if l > 0:
            size = now[l].width * (now[l].n_out if now[l].transposed else now[l].n_in)
            expert.net.ops.take_steps(to[l].W, NULL, now[l].W, size, 1, &step, False)
    size = now.width * itemsize
    for p in range(x.n):
        at = x.columns[p] * size
        expert.net.ops.take_steps(<char *> to.W + at, NULL, <char *> now.W + at, now.n_out, 1,
                                  &step, False)


cdef void outputs_of(ExpertNet *expert, const fbp_row *x, int64_t n_classes,
                     double *out) noexcept nogil:
    """What it predicts for a row: the outputs, or probabilities of the classes so far."""
    cdef fbp_net *net = &expert.net if expert.average.layers == NULL else &expert.average
    cdef const fbp_layer *last = net.layers + net.n_layers - 1
    cdef int64_t k
    forward(net, x, NULL)
    for k in range(n_classes or last.n_out):
        out[k] = real_at(last.a, k, net.ops.itemsize)
