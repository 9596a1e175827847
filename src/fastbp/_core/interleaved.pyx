# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: binding=False, embedsignature=False, freethreading_compatible=True
"""Interleaved networks of one shape, one in each lane of a vector."""
cimport cython
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.stdint cimport int64_t

import numpy as np

cimport numpy as cnp

from .kernels cimport (
    FBP_ALIGNMENT, fbp_lane_layer, fbp_lanes, fbp_ops, fbp_solver, fbp_step
)
from .memory cimport padded
from .isa cimport table_for
from .rows cimport Rows
from .backprop cimport step_of
from .solver cimport CompiledSolver

from . import isa as instruction_sets
from .isa import ACTIVATIONS, LOSSES

cnp.import_array()


@cython.final
cdef class Lanes:
    """Interleaved networks of one shape, one in each lane of a vector: csrc/kernels/lanes.inc.h.

    Parameters
    ----------
    layer_sizes : tuple of at least 3 ints
    activation : name, of all hidden layers
    out_activation : name
    loss : name of the loss
    loss_parameter : float, of those losses that have one
    dtype : float32 or float64
    n : number of networks
    momentum : bool, whether there are velocities
    isa : name of an instruction set, or None for the one in use

    Attributes
    ----------
    n_lanes, n_groups : int
        Networks that are trained together, and how many times as many there is room for.
    weights, biases : lists of ndarrays of shape (n_groups, n_in, n_out, n_lanes) and
        (n_groups, n_out, n_lanes): writable views, one a layer
    weight_velocities, bias_velocities : lists of views of the same shapes; empty without momentum
    values : ndarray, all of these
    """

    cdef fbp_lanes net
    cdef const fbp_ops *ops
    cdef object scratch
    cdef readonly str isa
    cdef readonly int n_lanes, n_groups
    cdef readonly cnp.ndarray values
    cdef readonly list weights, biases, weight_velocities, bias_velocities

    def __init__(self, layer_sizes, activation, out_activation, loss, double loss_parameter, dtype,
                 Py_ssize_t n, bint momentum, isa=None):
        cdef char *scratch
        self.isa = isa or instruction_sets.ISA
        self.ops = table_for(dtype, self.isa)
        self.net.n_layers = len(layer_sizes) - 1
        self.net.activate = self.ops.activate[ACTIVATIONS[activation]]
        self.net.derive = self.ops.derive[ACTIVATIONS[activation]]
        self.net.out_activation = ACTIVATIONS[out_activation]
        self.net.loss, self.net.loss_parameter = LOSSES[loss], loss_parameter
        self.n_lanes = self.ops.lanes
        self.n_groups = (n + self.n_lanes - 1) // self.n_lanes
        shapes = [shape for n_in, n_out in zip(layer_sizes, layer_sizes[1:])
                  for shape in ((n_in, n_out), (n_out,))] * (1 + momentum)
        self.net.n_values = sum(int(np.prod(shape)) for shape in shapes)
        scratch = self.place_values(shapes, sum(layer_sizes[1:]), dtype)
        self.place_layers(layer_sizes, momentum, scratch)

    cdef char *place_values(self, list shapes, Py_ssize_t units, dtype) except NULL:
        """Allocate the parameters of all groups; return where the scratch of the rows begins."""
        cdef Py_ssize_t at = 0, k
        cdef char *start
        lane_bytes = self.n_lanes * self.ops.itemsize
        group_bytes = self.net.n_values * lane_bytes
        raw = np.zeros(self.n_groups * group_bytes + 4 * units * lane_bytes + FBP_ALIGNMENT,
                       np.uint8)
        start = <char *> cnp.PyArray_DATA(raw)
        k = <Py_ssize_t> padded(<size_t> start) - <Py_ssize_t> start
        self.scratch = raw  # what `values` is part of, and behind it that of the rows
        self.values = raw[k:k + self.n_groups * group_bytes].view(dtype)
        self.net.values = cnp.PyArray_DATA(self.values)
        groups = self.values.reshape(self.n_groups, self.net.n_values, self.n_lanes)
        views = []
        for shape in shapes:
            size = int(np.prod(shape))
            views.append(groups[:, at:at + size].reshape(self.n_groups, *shape, self.n_lanes))
            at += size
        kinds = 2 * self.net.n_layers
        self.weights, self.biases = views[0:kinds:2], views[1:kinds:2]
        self.weight_velocities, self.bias_velocities = views[kinds::2], views[kinds + 1::2]
        return start + k + <Py_ssize_t> (self.n_groups * group_bytes)

    cdef int place_layers(self, layer_sizes, bint momentum, char *scratch) except -1:
        """Say where the first group's parameters, and what the layers compute, stand."""
        cdef fbp_lane_layer *layer
        cdef Py_ssize_t lane_bytes = self.n_lanes * self.ops.itemsize
        cdef int l
        self.net.layers = <fbp_lane_layer *> PyMem_Malloc(
            self.net.n_layers * sizeof(fbp_lane_layer))
        if self.net.layers == NULL:
            raise MemoryError()
        for l in range(self.net.n_layers):
            layer = self.net.layers + l
            layer.n_in, layer.n_out = layer_sizes[l], layer_sizes[l + 1]
            layer.W = cnp.PyArray_DATA(self.weights[l])
            layer.b = cnp.PyArray_DATA(self.biases[l])
            layer.V_W = cnp.PyArray_DATA(self.weight_velocities[l]) if momentum else NULL
            layer.V_b = cnp.PyArray_DATA(self.bias_velocities[l]) if momentum else NULL
            layer.a = scratch
            layer.z = scratch + <Py_ssize_t> (layer.n_out * lane_bytes)
            layer.delta = scratch + <Py_ssize_t> (2 * layer.n_out * lane_bytes)
            scratch += <Py_ssize_t> (4 * layer.n_out * lane_bytes)

    def __dealloc__(self):
        PyMem_Free(self.net.layers)

    def train(self, Rows rows not None, cnp.ndarray order not None, Py_ssize_t start,
              Py_ssize_t stop, CompiledSolver solver not None, double learning_rate,
              cnp.ndarray loss_sums not None):
        """Train all networks on rows ``order[start:stop]``, row by row, at this learning rate.

        Adds to ``loss_sums``, of float64 and shape (n_groups, n_lanes), each network's weighted
        sum of losses: infinity if it has diverged.
        """
        cdef const int64_t *order_data = <const int64_t *> cnp.PyArray_DATA(order)
        cdef double *sums = <double *> cnp.PyArray_DATA(loss_sums)
        cdef fbp_solver at = solver.at
        cdef fbp_step step
        cdef int group
        cdef Py_ssize_t group_bytes = self.values.nbytes // self.n_groups
        at.learning_rate = learning_rate
        step = step_of(&at, 1, 1)
        with nogil:
            for group in range(self.n_groups):
                self.shift(group * group_bytes)
                self.ops.train_lanes(&self.net, &rows.data, order_data, start, stop, &step,
                                     rows.max_loss, sums + group * self.n_lanes)
                self.shift(-group * group_bytes)

    cdef void shift(self, Py_ssize_t n_bytes) noexcept nogil:
        """Point at another group's parameters, so far ahead of this one's."""
        cdef fbp_lane_layer *layer = self.net.layers
        cdef int l
        self.net.values = <char *> self.net.values + n_bytes
        for l in range(self.net.n_layers):
            layer = self.net.layers + l
            layer.W = <char *> layer.W + n_bytes
            layer.b = <char *> layer.b + n_bytes
            if layer.V_W != NULL:
                layer.V_W = <char *> layer.V_W + n_bytes
                layer.V_b = <char *> layer.V_b + n_bytes
