# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: binding=False, embedsignature=False, freethreading_compatible=True
"""The layers of a network on its parameters: predictions, gradients, one row's step."""
cimport cython
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.float cimport DBL_MAX, FLT_MAX, FLT_MIN
from libc.math cimport INFINITY
from libc.stdint cimport int32_t, int64_t
from libc.string cimport memcpy, memset

import numpy as np

cimport numpy as cnp

from .kernels cimport (
    FBP_ALIGNMENT, FBP_EXP, FBP_IDENTITY, FBP_SOFTMAX, fbp_activation, fbp_layer, fbp_losses,
    fbp_net, fbp_ops, fbp_row, fbp_scaling, row_of, target_of, weight_of
)
from .memory cimport (
    padded, padded_copy, padded_to, real_at, scratch_bytes_of, set_real
)
from .isa cimport table_for
from .rows cimport Rows
from .scaling cimport RowUnits
from .backprop cimport ArenaBuffers, forward, sum_gradients

from . import isa as instruction_sets
from .isa import ACTIVATIONS, FACTS_OF_ACTIVATIONS, FACTS_OF_LOSSES, LOSSES

cnp.import_array()


cdef enum:
    MIN_OUTPUTS_TO_LIST = 4    # of the layer above: else listing costs more than it saves,
    MIN_UNITS_TO_LIST = 64     # as it does of fewer units, whose layer above can be transposed
    BYTES_A_STEP = 1 << 14     # of weights, through which a step may look
    MAX_REGISTERS_VECTORS = 160  # of W[1], with several outputs: past it, blocks of rows cost less


# with templates of their own: csrc/kernels/registers.inc.h
IN_REGISTERS = ("logistic", "tanh", "relu")


@cython.final
cdef class Layers:
    """The layers of one network, on the arena that holds its parameters.

    Parameters
    ----------
    arena : 1-D ndarray, aligned to 64 bytes, float32 or float64
    weights, biases : lists of ndarrays, contiguous views on the arena
    activations : one name a layer
    loss : name of the loss
    loss_parameter : float, of those losses that have one
    isa : name of an instruction set, or None for the one in use
    """

    def __init__(self, arena, weights, biases, activations, loss, double loss_parameter, isa=None):
        cdef fbp_layer *layer
        cdef int l, n_rows
        self.arena = arena
        self.type_number = arena.dtype.num
        self.isa = isa or instruction_sets.ISA
        self.net.ops = table_for(arena.dtype, isa)
        self.block_rows, self.n_lanes = self.net.ops.block_rows, self.net.ops.lanes
        self.dtype_name = arena.dtype.name
        self.net.output_delta = self.net.ops.output_delta[LOSSES[loss]]
        self.min_target, self.max_target = FACTS_OF_LOSSES[loss][:2]
        # Rows, losses and rates below this cannot take a moderate weight out of the dtype.
        single = arena.dtype == np.float32
        self.large, self.largest_product = (1e9, 1e20) if single else (1e30, 1e300)
        # Rates that the dtype holds, float32 to its usual precision.
        self.min_rate = FLT_MIN if single else 5e-324
        self.max_rate = FLT_MAX if single else DBL_MAX
        self.net.n_layers = len(weights)
        self.memory.parameters = <char *> cnp.PyArray_DATA(arena)
        self.memory.n_bytes = arena.nbytes
        self.net.layers = <fbp_layer *> PyMem_Malloc(len(weights) * sizeof(fbp_layer))
        if self.net.layers == NULL:
            raise MemoryError()
        memset(self.net.layers, 0, len(weights) * sizeof(fbp_layer))
        self.scratch_bytes = FBP_ALIGNMENT + padded(len(weights) * sizeof(fbp_layer))
        for l in range(self.net.n_layers):
            layer = self.net.layers + l
            layer.n_in, layer.n_out = weights[l].shape
            layer.width, layer.scale = layer.n_out, 1
            layer.W = layer.to_W = cnp.PyArray_DATA(weights[l])
            layer.b = layer.to_b = cnp.PyArray_DATA(biases[l])
            layer.activate = self.net.ops.activate[ACTIVATIONS[activations[l]]]
            layer.derive = self.net.ops.derive[ACTIVATIONS[activations[l]]]
            layer.slopes_of = layer.W if FACTS_OF_ACTIVATIONS[activations[l]][1] else NULL
        for l in range(self.net.n_layers - 1):
            layer = self.net.layers + l
            if (activations[l] == "relu" and layer[1].n_out >= MIN_OUTPUTS_TO_LIST
                    and (layer.n_out >= MIN_UNITS_TO_LIST
                         or layer[1].n_out > MAX_OUTPUTS_ACROSS)):
                layer.active_values = layer.W
        for l in range(self.net.n_layers):  # as `begin` gives it out
            layer = self.net.layers + l
            n_rows = 4 if l == self.net.n_layers - 1 else 2 + (layer.slopes_of != NULL)
            n_rows += 2 * (layer.active_values != NULL)
            self.scratch_bytes += n_rows * scratch_bytes_of(layer, self.net.ops, l)
        self.takes_classes = activations[self.net.n_layers - 1] == "softmax"
        self.net.first_activation = ACTIVATIONS[activations[0]]
        self.out_activation = ACTIVATIONS[activations[self.net.n_layers - 1]]
        self.net.last_activation = self.out_activation
        self.net.loss, self.net.loss_parameter = LOSSES[loss], loss_parameter
        self.net.loss_pair = fbp_losses[<int> self.net.loss].pair == self.out_activation
        if self.net.n_layers == 2:
            self.set_fits_registers(activations[0] in IN_REGISTERS)
        layer = self.net.layers + self.net.n_layers - 1
        if self.net.loss_pair:  # the loss returns dE/dz itself
            layer.derive = self.net.ops.derive[<int> FBP_IDENTITY]

    cdef void set_fits_registers(self, bint has_kernels) noexcept:
        """Say whether the processor's registers hold this network of one hidden layer.

        With momentum only those of one output, whose activation there are kernels for.
        """
        cdef const fbp_ops *ops = self.net.ops
        cdef int64_t units = self.net.layers.n_out, n_outputs = self.net.layers[1].n_out
        self.fits_registers_with_momentum = (has_kernels and n_outputs == 1
                                             and units <= ops.registers_units)
        self.fits_registers = self.fits_registers_with_momentum or (
            self.net.layers.slopes_of == NULL and ops.lanes > 1
            and n_outputs <= MAX_OUTPUTS_ACROSS
            and units <= ops.registers_units_without_momentum
            and self.net.layers.n_in * padded_to(units, ops.lanes)
            <= MAX_REGISTERS_VECTORS * ops.lanes)

    def __dealloc__(self):
        PyMem_Free(self.net.layers)

    cdef void *begin(self, fbp_net *net, char *gradients=NULL, char *moments=NULL,
                     bint list_active=True, StackScratch *room=NULL) except NULL:
        """A copy of the layers with scratch of its own, so that calls may run side by side.

        Returns a block to release with PyMem_Free, unless it is the room given, where that is
        enough. Rows write their gradients into the arena given,
        or else take steps of W and b, and of the solver's moments beside them if given.
        """
        cdef void *block = room
        if room == NULL or self.scratch_bytes > sizeof(StackScratch):
            block = PyMem_Malloc(self.scratch_bytes)
        if block == NULL:
            raise MemoryError()
        cdef char *at = <char *> padded(<size_t> block)
        cdef size_t layers_bytes = self.net.n_layers * sizeof(fbp_layer)
        cdef size_t row_bytes
        cdef fbp_layer *layer
        cdef bint keeps_z
        cdef int l
        memset(at, 0, self.scratch_bytes - FBP_ALIGNMENT)
        memcpy(at, self.net.layers, layers_bytes)
        net[0] = self.net
        net.layers = <fbp_layer *> at
        at += padded(layers_bytes)
        for l in range(net.n_layers):
            layer = net.layers + l
            row_bytes = scratch_bytes_of(layer, net.ops, l)
            keeps_z = layer.slopes_of != NULL  # a mark so far: see __init__
            layer.z = layer.a = at
            layer.delta = at + row_bytes
            at += 2 * row_bytes
            if l == net.n_layers - 1 and net.last_activation != FBP_IDENTITY:
                layer.a = at  # the output layer keeps z beside a; behind it is room for a target
            elif keeps_z:
                layer.a = at
                at += row_bytes
            layer.slopes_of = layer.z if keeps_z else layer.a
            layer.row.values, layer.row.columns, layer.row.n = layer.a, NULL, layer.n_out
            if layer.active_values != NULL:  # a mark, too
                layer.active_values = at if list_active else NULL
                layer.active_columns = <int32_t *> (at + row_bytes)
                at += 2 * row_bytes
            if gradients != NULL:
                layer.to_W = gradients + (<char *> layer.W - self.memory.parameters)
                layer.to_b = gradients + (<char *> layer.b - self.memory.parameters)
            if moments != NULL:
                layer.V_W = moments + (<char *> layer.W - self.memory.parameters)
                layer.V_b = moments + (<char *> layer.b - self.memory.parameters)
        return block

    def sum_gradients(self, Rows rows not None, Py_ssize_t start, Py_ssize_t stop,
                      cnp.ndarray gradients not None):
        """The weighted sum of the gradients of rows start..stop, into the arena ``gradients``.

        Returns the weighted sum of their losses.
        """
        cdef cnp.ndarray order = np.arange(start, stop, dtype=np.int64)
        cdef const int64_t *order_data = <const int64_t *> cnp.PyArray_DATA(order)
        cdef ArenaBuffers memory = self.memory
        cdef fbp_net net
        cdef double loss_sum
        memory.gradients = <char *> cnp.PyArray_DATA(gradients)
        block = self.begin(&net, memory.gradients)
        try:
            with nogil:
                loss_sum = sum_gradients(&net, &memory, &rows.data, order_data, 0, stop - start)
        finally:
            PyMem_Free(block)
        return loss_sum

    def loss_sum(self, Rows rows not None, Py_ssize_t start, Py_ssize_t stop,
                 double loss_sum=0):
        """The weighted sum of the losses of rows start..stop, added to that of those before."""
        cdef fbp_net net
        cdef fbp_row x
        cdef Py_ssize_t r
        block = self.begin(&net)
        try:
            with nogil:
                for r in range(start, stop):
                    x = row_of(&rows.data, r)
                    loss_sum += weight_of(&rows.data, r) * forward(
                        &net, &x, target_of(&rows.data, r))
        finally:
            PyMem_Free(block)
        return loss_sum

    def forward(self, Rows rows not None, Py_ssize_t start, Py_ssize_t stop,
                cnp.ndarray out not None):
        """a[L] of rows start..stop into those rows of the contiguous array ``out``."""
        cdef fbp_net net
        cdef fbp_row x
        cdef const fbp_layer *last
        cdef char *to = <char *> cnp.PyArray_DATA(out)
        cdef size_t row_bytes
        cdef Py_ssize_t r
        block = self.begin(&net)
        last = net.layers + net.n_layers - 1
        row_bytes = last.n_out * net.ops.itemsize
        try:
            with nogil:
                for r in range(start, stop):
                    x = row_of(&rows.data, r)
                    forward(&net, &x, NULL)
                    memcpy(to + r * row_bytes, last.a, row_bytes)
        finally:
            PyMem_Free(block)

    def sensitivities(self, Rows rows not None, Py_ssize_t start, Py_ssize_t stop,
                      list transposed not None, cnp.ndarray out not None):
        """da[L]/dx of rows start..stop into the contiguous array ``out``, (rows, n_out, n_in).

        ``transposed`` holds W[l].T of each layer, contiguous.
        """
        cdef fbp_net net
        cdef fbp_row x
        cdef char *to = <char *> cnp.PyArray_DATA(out)
        cdef size_t row_bytes = out.strides[0]
        cdef Py_ssize_t r
        cdef int l
        widest = max(max(W.shape) for W in transposed)
        cdef cnp.ndarray no_bias = padded_copy(np.zeros(widest, out.dtype))
        cdef cnp.ndarray bottom = padded_copy(np.zeros(widest, out.dtype))
        cdef cnp.ndarray layers = np.zeros(len(transposed) * sizeof(fbp_layer), np.uint8)
        cdef fbp_layer *turned = <fbp_layer *> cnp.PyArray_DATA(layers)
        block = self.begin(&net)
        for l in range(net.n_layers):
            turned[l].n_in, turned[l].n_out = net.layers[l].n_out, net.layers[l].n_in
            turned[l].width, turned[l].scale = turned[l].n_out, 1
            turned[l].W, turned[l].b = cnp.PyArray_DATA(transposed[l]), cnp.PyArray_DATA(no_bias)
            turned[l].z = net.layers[l - 1].delta if l else cnp.PyArray_DATA(bottom)
        try:
            with nogil:
                for r in range(start, stop):
                    x = row_of(&rows.data, r)
                    sensitivities(&net, self.out_activation, turned, &x,
                                  to + (r - start) * row_bytes)
        finally:
            PyMem_Free(block)

    cdef bint is_moderate(self):
        """Whether a row that is not large cannot take a weight out of the dtype.

        Of |delta[l-1]| <= |W[l]| |delta[l]|, by the norm of Frobenius, the squares are multiplied;
        those of the first layer have to be finite. What large networks are found to be holds for
        some steps more, so that a step takes no longer for it: epochs and new weights end that.
        """
        cdef double product = 1, squares
        cdef const fbp_layer *layer
        cdef int l
        if self.n_trusted > 0:
            self.n_trusted -= 1
            return True
        for l in range(self.net.n_layers):
            layer = self.net.layers + l
            squares = self.net.ops.sum_squares(layer.W, layer.n_in * layer.n_out)
            if not squares < INFINITY:
                return False
            if l > 0:
                product *= max(1, squares)
        if not product <= self.largest_product:
            return False
        self.n_trusted = self.memory.n_bytes // BYTES_A_STEP
        return True

    def forget_size(self):
        """Weights may have become large: `is_moderate` has to look again."""
        self.n_trusted = 0

    cdef bint within(self, const void *values, Py_ssize_t n, double lower, double upper):
        """Whether all n values are numbers from lower to upper."""
        cdef Py_ssize_t k
        cdef double value
        for k in range(n):
            value = real_at(values, k, self.net.ops.itemsize)
            if not lower <= value <= upper:
                return False
        return True

    cdef const void *one_row(self, object values, Py_ssize_t n):
        """Where n finite values stand that the kernels can read, or NULL."""
        if not cnp.PyArray_CheckExact(values):
            return NULL
        cdef cnp.ndarray array = values
        if not (cnp.PyArray_TYPE(array) == self.type_number and cnp.PyArray_SIZE(array) == n
                and array.ndim == 1 and cnp.PyArray_ISCARRAY_RO(array)
                and self.net.ops.all_finite(cnp.PyArray_DATA(array), n)):
            return NULL
        return cnp.PyArray_DATA(array)

    def forward_one(self, x, RowUnits units=None):
        """a[L] of one row as a new array, or None where x is not a row as the kernels need it.

        With units, of the scaled row, and in those of the targets.
        """
        cdef fbp_scaling scaling
        cdef fbp_row scaled
        cdef const fbp_layer *last
        cdef StackScratch room
        cdef fbp_net net
        cdef fbp_row row
        cdef cnp.npy_intp n_out = self.net.layers[self.net.n_layers - 1].n_out
        row.n = self.net.layers.n_in
        row.columns = NULL
        row.values = self.one_row(x, row.n)
        if row.values == NULL or (units is not None and units.n_in != row.n):
            return None
        out = cnp.PyArray_SimpleNew(1, &n_out, self.type_number)
        block = self.begin(&net, NULL, NULL, True, &room)
        scaled = row
        if units is not None:
            scaled.values = PyMem_Malloc(row.n * net.ops.itemsize)
            if scaled.values == NULL:
                release(block, &room)
                raise MemoryError()
            scaling = units.scaling(units.now)
            net.ops.scale_row(<void *> scaled.values, &row, &scaling)
        forward(&net, &scaled, NULL)
        last = net.layers + net.n_layers - 1
        memcpy(cnp.PyArray_DATA(out), last.a, n_out * net.ops.itemsize)
        release(block, &room)
        if units is not None:
            PyMem_Free(<void *> scaled.values)
            units.inverse(out)
        return out if net.ops.all_finite(cnp.PyArray_DATA(out), n_out) else None

    cdef const void *one_target(self, object y, Py_ssize_t n, void *scratch):
        """Where n targets stand that the loss allows, or NULL.

        A number becomes an array in ``scratch``: one output's target, or for softmax the
        indicators of that class.
        """
        cdef const void *target
        cdef Py_ssize_t k = 0
        cdef double value
        if isinstance(y, (int, float, np.integer)):
            try:
                value = y
            except OverflowError:
                return NULL
            if n > 1:
                if not (self.takes_classes and not isinstance(y, float) and 0 <= value < n):
                    return NULL
                k, value = <Py_ssize_t> value, 1
            memset(scratch, 0, n * self.net.ops.itemsize)
            if self.net.ops.itemsize == sizeof(double):
                (<double *> scratch)[k] = value
            else:
                (<float *> scratch)[k] = <float> value
            target = scratch if self.net.ops.all_finite(scratch, n) else NULL
        else:
            target = self.one_row(y, n)
        if target == NULL or not self.within(target, n, self.min_target, self.max_target):
            return NULL
        return target


cdef void sensitivities(fbp_net *net, fbp_activation activation, const fbp_layer *transposed,
                        const fbp_row *x, char *out) noexcept nogil:
    """da[L]/dx of one row, (n_out, n_in): the chain rule down to the inputs, once for each output.

    transposed[l] is layer l with W[l] transposed: W[l] @ delta[l] is its forward pass, whose z is
    the delta of the layer below, or at the bottom what is looked for.
    """
    cdef fbp_layer *layer = net.layers + net.n_layers - 1
    cdef size_t n_bytes = net.layers.n_in * net.ops.itemsize
    cdef fbp_row delta
    cdef int64_t k, n_outputs = layer.n_out
    cdef int l
    forward(net, x, NULL)
    for k in range(n_outputs):
        for l in range(net.n_layers - 1, -1, -1):
            layer = net.layers + l
            if l == net.n_layers - 1:                       # delta[L] = da_k/dz[L]
                output_derivative(net.ops, activation, layer, k)
            else:                                           # delta[l] = da_k/da[l] * f'(z[l])
                layer.derive(layer.delta, layer.slopes_of, layer.n_out)
            delta.values, delta.columns, delta.n = layer.delta, NULL, layer.n_out
            net.ops.forward(&transposed[l], &delta)         # da_k/da[l-1] = W[l] @ delta[l]
        memcpy(out + k * n_bytes, transposed[0].z, n_bytes)


cdef void output_derivative(const fbp_ops *ops, fbp_activation activation, fbp_layer *layer,
                            int64_t k) noexcept nogil:
    """layer.delta = da_k/dz: only softmax's a_k depends on every z: a_k ((j == k) - a_j)."""
    cdef double a_k = real_at(layer.a, k, ops.itemsize)
    if activation == FBP_SOFTMAX:
        ops.scale(layer.delta, layer.a, -a_k, layer.n_out)
        set_real(layer.delta, k, a_k * (1 - a_k), ops.itemsize)
        return
    memset(layer.delta, 0, layer.n_out * ops.itemsize)
    set_real(layer.delta, k, a_k if activation == FBP_EXP else 1, ops.itemsize)
    ops.derive[<int> activation](layer.delta, layer.slopes_of, layer.n_out)
