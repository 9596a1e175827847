# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: binding=False, embedsignature=False, freethreading_compatible=True
"""The algorithm: rows x layers. Forward, loss, chain rule backwards, update in place.

This page is backpropagation, row by row; ``csrc/fastbp.h`` has the notation. What one layer does to
vectors is a call of ``net.ops``, the table of compiled operations for the network's dtype and its
instruction set. `train_rows` is the plain algorithm. Two faster ways to the same numbers follow:
`train_blocks`, which updates the first layer one block of rows behind, and `train_sparse`, for rows
that list their non-zeros. The smallest networks run in csrc/kernels/registers.inc.h, batches in
batches.pyx.
"""
from cpython.exc cimport PyErr_CheckSignals
from libc.math cimport expm1, log1p, sqrt
from libc.stdint cimport int64_t
from libc.string cimport memcpy, memset

from .kernels cimport (
    FBP_ADAM, FBP_ADAMW, FBP_FEW_OUTPUTS, FBP_MAX_BLOCK_ROWS, FBP_PLAIN, fbp_activations,
    fbp_block, fbp_data, fbp_layer, fbp_net, fbp_row, fbp_rules, fbp_solver, fbp_sparse, fbp_step,
    fetch_row, row_of, target_of, weight_of
)


cdef double forward(fbp_net *net, const fbp_row *x, const void *y) noexcept nogil:
    """a[L] of one row, layer by layer; its loss; and dE/dz[L] in the last layer's delta."""
    net.ops.forward(net.layers, x)                          # z[1] = x @ W[1] + b[1]
    return forward_above(net, y)


cdef double forward_above(fbp_net *net, const void *y) noexcept nogil:
    """forward() from z[1] on."""
    cdef fbp_layer *layer = net.layers
    cdef fbp_layer *below
    cdef int _l
    for _l in range(1, net.n_layers):
        below, layer = layer, layer + 1
        if below.a != below.z:                              # f' needs z
            memcpy(below.a, below.z, below.n_out * net.ops.itemsize)
        below.activate(below.a, below.n_out)                # a[l-1] = f(z[l-1])
        if below.dropout:                                   # but for units that this sample drops
            net.ops.drop_units(below, below.a, net.sample)
        if below.active_values != NULL:                     # ReLU: the units that are not 0
            net.ops.list_active(below)
        net.ops.forward(layer, &below.row)                  # z[l] = a[l-1] @ W[l] + b[l]
    return output(net, layer, y)                            # in backprop.pxd


cdef void backward(fbp_net *net, const fbp_row *x, double weight,
                   const fbp_step *step) noexcept nogil:
    """The chain rule, from the last layer to the first; every layer takes its step on the way.

    Each delta is computed from the weights as they were before this row.
    """
    backward_above(net, weight, step)
    net.ops.update(net.layers, x, weight, step)             # step of W[1]: outer(x, delta[1])


cdef void backward_above(fbp_net *net, double weight, const fbp_step *step) noexcept nogil:
    """backward() down to delta[1], without the first layer's step."""
    cdef fbp_layer *layer = net.layers + net.n_layers - 1
    cdef fbp_layer *below
    while layer != net.layers:
        below = layer - 1
        # delta[l-1] = (W[l] @ delta[l]) * f'(z[l-1]);  step of W[l]: outer(a[l-1], delta[l])
        net.ops.backward_update(layer, below.delta, &below.row, weight, step)
        if below.dropout:
            net.ops.drop_deltas(below, below.delta, below.a, net.sample)
        below.derive(below.delta, below.slopes_of, below.n_out)
        layer = below


cdef fbp_step step_of(const fbp_solver *solver, double batch_size, int64_t n_steps) noexcept nogil:
    """What a batch of mean gradient g (or a row: a batch of one) does to a weight w: csrc/fastbp.h.

    Plain w' = w - learning_rate G, where G = g + alpha w / batch_size. With momentum
    v' = momentum v - learning_rate G and w' = w + v', or if it is Nesterov's
    w' = w + momentum v' - learning_rate G. This is step number n_steps.
    """
    cdef double eta = solver.learning_rate, mu = solver.momentum
    cdef double alpha = solver.alpha / batch_size
    cdef double ahead = mu if solver.nesterov else 0    # how much of v' is taken once more
    cdef fbp_step step
    memset(&step, 0, sizeof(step))
    step.rule, step.state_stride = solver.rule, solver.state_stride
    step.decay[0][0], step.adaptive_rate, step.epsilon = 1, eta, solver.epsilon
    step.beta_1, step.beta_2 = solver.beta_1, solver.beta_2
    if fbp_rules[<int> solver.rule].linear:             # plain is momentum 0
        step.decay[0][0], step.decay[0][1] = 1 - eta * alpha * (1 + ahead), mu * (ahead or 1)
        step.decay[1][0], step.decay[1][1] = -eta * alpha, mu
        step.rate[0], step.rate[1] = -eta * (1 + ahead), -eta
    elif solver.rule == FBP_ADAM:
        step.l2, step.adaptive_rate = alpha, rate_of_moments(solver, n_steps)
    elif solver.rule == FBP_ADAMW:                      # off the weight itself, whatever the batch
        step.decay[0][0], step.adaptive_rate = 1 - eta * solver.alpha, rate_of_moments(solver,
                                                                                       n_steps)
        step.epsilon *= sqrt(missing(solver.beta_2, n_steps, False))
    else:                                               # AdaGrad, RMSprop
        step.l2 = alpha
    return step


cdef double rate_of_moments(const fbp_solver *solver, int64_t n_steps) noexcept nogil:
    """The moments begin at 0: what their means lack for that after n steps is made up for here."""
    return (solver.learning_rate * sqrt(missing(solver.beta_2, n_steps, solver.by_weight))
            / missing(solver.beta_1, n_steps, solver.by_weight))


cdef inline double missing(double beta, int64_t n, bint of_rounded_power) noexcept nogil:
    """1 - beta ** n. libm's pow would bind the wheel to a newer libc than these do.

    scikit-learn's has lost the digits that beta ** n is rounded to: many, where that is about 1.
    """
    if n * (1 - beta) > 40:                             # beta ** n < e^-40, which 1 does not see
        return 1
    cdef double rest = -expm1(n * log1p(beta - 1)), power = 1 - rest
    return 1 - power if of_rounded_power else rest


cdef fbp_step ADD                                       # w' = w + g: to sum up gradients
memset(&ADD, 0, sizeof(ADD))
ADD.rule, ADD.decay[0][0], ADD.rate[0] = FBP_PLAIN, 1, 1


cdef Py_ssize_t train_rows(fbp_net *net, const fbp_data *data, const int64_t *order,
                           Py_ssize_t start, Py_ssize_t stop, const fbp_solver *solver,
                           double *loss_sum) noexcept nogil:
    """Row by row: every row's step is taken before the next row is looked at.

    Trains on rows order[start:stop]; returns where it stopped, which is before the first row whose
    loss is too large.
    """
    cdef fbp_step step = step_of(solver, 1, 1)
    cdef double loss, weight
    cdef fbp_row x
    cdef Py_ssize_t t
    for t in range(start, stop):
        x = row_of(data, order[t])
        weight = weight_of(data, order[t])
        loss = forward(net, &x, target_of(data, order[t]))
        if not loss <= solver.max_loss:                 # nor NaN
            return t
        if solver.by_weight:                            # its mean over this one row
            loss += 0.5 * solver.alpha * penalty(net) / weight
            if not loss <= solver.max_loss:
                return t
            step = step_of(solver, weight, solver.n_steps + 1 + t - start)
            loss_sum[0] += loss
            weight = 1
        else:
            loss_sum[0] += weight * loss
            if fbp_rules[<int> step.rule].counts:
                step = step_of(solver, 1, solver.n_steps + 1 + t - start)
        backward(net, &x, weight, &step)
        net.sample += 1
    return stop


cdef Py_ssize_t train_blocks(fbp_net *net, fbp_block *block, fbp_layer *packed,
                             const fbp_data *data,
                             const int64_t *order, Py_ssize_t start, Py_ssize_t stop,
                             const fbp_solver *solver, double *loss_sum) noexcept nogil:
    """Row by row, with the first layer written one block of rows behind.

    The numbers are those of train_rows, to rounding: csrc/kernels/blocks.inc.h has the formulas.
    Meanwhile the layers above use the memory of packed[l].
    """
    cdef fbp_step step = step_of(solver, 1, 1)
    cdef double loss, weight
    cdef fbp_row rows[FBP_MAX_BLOCK_ROWS]
    cdef fbp_layer *first = net.layers
    cdef const void *y
    cdef int t, n
    cdef bint at_once = (net.n_layers == 2 and packed[1].transposed and not block.momentum
                         and packed[1].n_out <= FBP_FEW_OUTPUTS
                         and not fbp_activations[<int> net.first_activation].of_z)
    net.ops.block_load(block, first, &step)
    load_above(net, packed)
    while start < stop:
        n = min(net.ops.block_rows, stop - start)
        for t in range(n):
            rows[t] = row_of(data, order[start + t])
        net.ops.block_forward(block, first, rows, n)    # the last block's steps of W[1]; X @ W[1]
        for t in range(n):
            if start + n + t < stop:
                fetch_row(data, order[start + n + t])
            y, weight = target_of(data, order[start + t]), weight_of(data, order[start + t])
            if at_once:                                 # what stands below, in one call
                loss = net.ops.block_row(net, block, y, t, weight, &step, solver.max_loss)
            else:
                net.ops.block_correct(block, first.z, t)    # z[1], with the rows before t in it
                loss = forward_above(net, y)
            if not loss <= solver.max_loss:
                n = t
                stop = start + t
                break
            loss_sum[0] += weight * loss
            if not at_once:
                backward_above(net, weight, &step)
                # step of b[1]; W[1]'s is pending
                net.ops.block_store(block, first.delta, t, weight)
        net.ops.block_close(block, first, n)
        start += n
    net.ops.block_unload(block, first)
    unload_above(net, packed)
    return stop


cdef Py_ssize_t train_sparse(fbp_net *net, fbp_sparse *sparse, fbp_layer *packed,
                             const fbp_data *data, const int64_t *order, Py_ssize_t start,
                             Py_ssize_t stop, const fbp_solver *solver,
                             double *loss_sum) noexcept nogil:
    """Row by row, where rows list what is not zero, and of W[1] meet only the weights of that.

    The numbers are those of train_rows, to rounding: csrc/kernels/sparse.inc.h says how the other
    weights move. The layers above stand in packed[l] meanwhile.
    """
    cdef fbp_step step = step_of(solver, 1, 1)
    cdef double loss, weight
    cdef fbp_row x
    cdef fbp_layer *first = net.layers
    cdef Py_ssize_t t
    net.ops.sparse_begin(sparse, first, &step)
    load_above(net, packed)
    for t in range(start, stop):
        x = row_of(data, order[t])
        weight = weight_of(data, order[t])
        net.ops.sparse_forward(sparse, first, &x)       # z[1] = x @ W[1] + b[1]
        loss = forward_above(net, target_of(data, order[t]))
        if not loss <= solver.max_loss:
            stop = t
            break
        loss_sum[0] += weight * loss
        backward_above(net, weight, &step)
        net.ops.sparse_update(sparse, first, &x, weight, &step)
    net.ops.sparse_end(sparse, first)
    unload_above(net, packed)
    return stop


cdef void load_above(fbp_net *net, fbp_layer *packed) noexcept nogil:
    """Copy the layers above the first into packed[l], which training uses from here on."""
    cdef int l
    for l in range(1, net.n_layers):
        net.ops.layer_load(&net.layers[l], &packed[l])


cdef void unload_above(fbp_net *net, fbp_layer *packed) noexcept nogil:
    """Write the layers above the first back into the network's memory."""
    cdef int l
    for l in range(1, net.n_layers):
        net.ops.layer_unload(&net.layers[l], &packed[l])


cdef double penalty(const fbp_net *net) noexcept nogil:
    """The sum of w^2 over all weights."""
    cdef double total = 0
    cdef int l
    for l in range(net.n_layers):
        total += net.ops.sum_squares(net.layers[l].W, net.layers[l].n_in * net.layers[l].n_out)
    return total


cdef double sum_gradients(fbp_net *net, ArenaBuffers *memory, const fbp_data *data,
                          const int64_t *order,
                          Py_ssize_t start, Py_ssize_t stop) except? -1 nogil:
    """The weighted sum of gradients into memory.gradients; returns that of the rows' losses."""
    cdef double loss_sum = 0, weight
    cdef fbp_row x
    cdef Py_ssize_t t
    memset(memory.gradients, 0, memory.n_bytes)
    for t in range(start, stop):
        x = row_of(data, order[t])
        weight = weight_of(data, order[t])
        loss_sum += weight * forward(net, &x, target_of(data, order[t]))
        backward(net, &x, weight, &ADD)
        if (t - start + 1) % ROWS_BETWEEN_SIGNALS == 0:
            check_signals()
    return loss_sum


cdef int check_signals() except -1 with gil:
    """Raises KeyboardInterrupt if Ctrl-C was pressed."""
    return PyErr_CheckSignals()
