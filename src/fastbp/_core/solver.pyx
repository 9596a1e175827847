# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: binding=False, embedsignature=False, freethreading_compatible=True
"""What a step does, and the step of one row."""
cimport cython
from cpython.pyport cimport PY_SSIZE_T_MAX
from libc.float cimport DBL_MAX
from libc.stdint cimport int64_t
from libc.string cimport memset

import numpy as np

cimport numpy as cnp

from .kernels cimport fbp_net, fbp_row, fbp_rule, fbp_rules, fbp_solver, fbp_step
from .memory cimport scratch_for_target
from .backprop cimport backward, forward, step_of
from .layers cimport Layers, StackScratch, release

from .isa import RULES, all_finite

cnp.import_array()


cdef enum:
    LARGE_STEP = 1000       # a loss, or a rate, after which weights have to be looked at again


@cython.final
cdef class CompiledSolver:
    """What a step does, as the kernels take it.

    Parameters
    ----------
    solver : fastbp.network.Solver
    dropout : tuple of one probability a hidden layer; empty if no units are dropped
    """

    def __init__(self, solver, tuple dropout=()):
        cdef int rule = RULES[solver.rule.name]
        memset(&self.at, 0, sizeof(self.at))
        self.at.rule = <fbp_rule> rule
        self.at.learning_rate, self.at.alpha = solver.learning_rate, solver.alpha
        self.at.momentum, self.at.nesterov = solver.momentum, solver.nesterov
        self.at.beta_1, self.at.beta_2 = solver.beta_1, solver.beta_2
        self.at.epsilon, self.at.by_weight = solver.epsilon, solver.by_weight
        self.batch_size = min(solver.batch_size, PY_SSIZE_T_MAX)
        self.dropout, self.dropout_seed = dropout, solver.dropout_seed

    def take_row(self, Layers layers not None, x, y, learning_rate,
                 cnp.ndarray moments=None, int64_t n_steps=0, double max_loss=DBL_MAX):
        """One row's step, without dropout; returns the loss before it.

        Or None where x, y or the rate need preparing, or are refused. ``moments`` are those of the
        solver, and ``n_steps`` how many steps it has taken. No step is taken where the loss is
        above max_loss, or a new weight is not finite: that returns the loss, NaN or infinity.
        Holds the GIL: releasing it costs as much as a small network's step.
        """
        cdef StackScratch room
        cdef fbp_net net
        cdef fbp_row row
        cdef const void *target
        cdef fbp_solver solver = self.at
        cdef fbp_step step
        cdef double loss, rate
        cdef Py_ssize_t n_out = layers.net.layers[layers.net.n_layers - 1].n_out
        saved = saved_moments = None
        if not isinstance(learning_rate, float):
            return None
        rate = learning_rate
        if not layers.min_rate <= rate <= layers.max_rate:
            return None
        row.n = layers.net.layers.n_in
        row.columns = NULL
        row.values = layers.one_row(x, row.n)
        if row.values == NULL:
            return None
        block = layers.begin(&net, NULL, place_of_moments(moments, &solver),
                             fbp_rules[<int> solver.rule].rests and solver.alpha == 0, &room)
        try:
            target = layers.one_target(y, n_out, scratch_for_target(&net))
            if target == NULL:
                return None
            loss = forward(&net, &row, target)
            if loss <= max_loss:                        # nor NaN, nor infinity
                solver.learning_rate = rate
                step = step_of(&solver, 1, n_steps + 1)
                if (moments is not None or not layers.is_moderate()
                        or max(loss, rate, solver.alpha) > layers.large
                        or not layers.within(row.values, row.n, -layers.large, layers.large)):
                    saved = layers.arena.copy()
                    saved_moments = None if moments is None else moments.copy()
                if max(loss, rate, solver.alpha) > LARGE_STEP:
                    layers.n_trusted = 0
                backward(&net, &row, 1, &step)
        finally:
            release(block, &room)
        if saved is not None and not all_finite(layers.arena):
            layers.arena[...] = saved
            if moments is not None:
                moments[...] = saved_moments
            return np.inf
        return loss


cdef char *place_of_moments(cnp.ndarray moments, fbp_solver *solver) noexcept:
    """Where moments stand, or NULL; lets the solver know how far apart the two of a weight are."""
    if moments is None:
        return NULL
    if fbp_rules[<int> solver.rule].n_moments > 1:
        solver.state_stride = cnp.PyArray_DIM(moments, 1)
    return <char *> cnp.PyArray_DATA(moments)
