# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: binding=False, embedsignature=False, freethreading_compatible=True
"""Memory for the faster ways of training row by row."""
cimport cython
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.stdint cimport int32_t

from .kernels cimport FBP_MOMENTUM, FBP_POWERS, fbp_layer, fbp_ops, fbp_rule_facts, fbp_rules
from .memory cimport place, padded_to
from .layers cimport Layers, MAX_OUTPUTS_ACROSS

from .isa import RULES


# Path "rows" of sparse rows; that of dense rows needs no workspace.
PATHS = {"registers": REGISTERS, "blocks": BLOCKS, "rows": SPARSE}


@cython.final
cdef class Workspace:
    """Memory for training row by row, and where the layers are in it meanwhile.

    Parameters
    ----------
    layers : Layers
    path : "registers" (csrc/kernels/registers.inc.h), "blocks" (csrc/kernels/blocks.inc.h) or, for
    sparse rows, "rows" (csrc/kernels/sparse.inc.h)
    sparse : bool, whether rows are those of a CSR matrix
    rule : name of what a step does: csrc/tables/solvers.h
    """

    def __init__(self, Layers layers not None, str path, bint sparse, str rule):
        cdef const fbp_rule_facts *facts = &fbp_rules[<int> RULES[rule]]
        cdef bint momentum = RULES[rule] == FBP_MOMENTUM
        self.path = PATHS[path]
        self.memory = []
        if self.path != SPARSE and not facts.linear:
            raise ValueError(f"{path} do not support solvers that are not linear, such as {rule}")
        if facts.n_moments > 1:
            raise ValueError(f"{path} do not support solvers that keep two numbers, such as {rule}")
        if self.path == BLOCKS and sparse and momentum:
            raise ValueError("blocks of sparse rows do not support momentum")
        if self.path != SPARSE:
            self.make_block(layers, sparse, momentum)
        elif momentum:
            self.make_sparse(layers)
        self.packed = <fbp_layer *> PyMem_Malloc(layers.net.n_layers * sizeof(fbp_layer))
        if self.packed == NULL:
            raise MemoryError()
        for l in range(1, layers.net.n_layers):
            self.pack(layers, l, facts)

    cdef make_block(self, Layers layers, bint sparse, bint momentum):
        """Memory for a block of rows, and for W[1] in panels."""
        cdef const fbp_ops *ops = layers.net.ops
        cdef Py_ssize_t n_in = layers.net.layers.n_in, n_out = layers.net.layers.n_out
        cdef Py_ssize_t rows = ops.block_rows, row, columns
        if momentum:  # a vector of velocities behind each vector of weights
            n_out = 2 * padded_to(n_out, ops.lanes)
        # Wide panels serve non-zeros best, if they are not wide for nothing.
        widths = [vectors * ops.lanes for vectors in ([8, 4, 2] if sparse else [2])]
        self.block.panel_width = min(widths, key=lambda width: padded_to(n_out, width))
        self.block.n_columns = columns = padded_to(n_out, self.block.panel_width)
        self.block.stride = row = columns + 64 // ops.itemsize
        self.block.sparse, self.block.momentum = sparse, momentum
        cdef void **places[8]
        places[:] = [&self.block.W, &self.block.b, &self.block.V_b, &self.block.Z, &self.block.G,
                     &self.block.D, &self.block.X[0], &self.block.X[1]]
        self.memory.append(place(places, [
            n_in * columns, columns, columns, rows * row, rows * rows, rows * row, n_in * rows,
            0 if sparse else n_in * rows], ops.itemsize))

    cdef make_sparse(self, Layers layers):
        """last_updated and powers, for the lazy update of momentum."""
        cdef void **places[2]
        places[:] = [<void **> &self.sparse.last_updated, <void **> &self.sparse.powers]
        self.memory.append(place(places, [
            layers.net.layers.n_in * sizeof(int32_t), 8 * FBP_POWERS * sizeof(double)], 1))

    cdef pack(self, Layers layers, int l, const fbp_rule_facts *facts):
        """Lay out layer l: whole vectors of outputs, or of inputs where outputs are few.

        Inputs that are listed (ReLU, unless weights move anyway) need the former; in the smallest
        networks none are.
        """
        cdef const fbp_ops *ops = layers.net.ops
        cdef fbp_layer *layer = self.packed + l
        cdef void **places[2]
        layer[0] = layers.net.layers[l]
        lists_inputs = (layers.net.layers[l - 1].active_values != NULL and facts.rests
                        and self.path != REGISTERS)
        layer.transposed = not lists_inputs and layer.n_out <= MAX_OUTPUTS_ACROSS
        if layer.transposed:
            layer.width, n_rows = padded_to(layer.n_in, ops.lanes), layer.n_out
        else:
            layer.width, n_rows = padded_to(layer.n_out, ops.lanes), layer.n_in
        places[:] = [&layer.W, &layer.V_W]
        size = layer.width * n_rows
        self.memory.append(place(places, [size, size * facts.n_moments], ops.itemsize))

    def __dealloc__(self):
        PyMem_Free(self.packed)
