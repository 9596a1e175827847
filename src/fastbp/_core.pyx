# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: binding=False, embedsignature=False, freethreading_compatible=True
"""The algorithm: rows x layers. Forward, loss, chain rule backwards, update in place.

This page is the whole of backpropagation as fastbp runs it; the notation stands in
``csrc/fastbp.h``. What one layer does to vectors is a call of ``net.ops``, the table of compiled
operations for the network's dtype and this machine's instruction set. Below the page stands the
thin class that Python calls.
"""
cimport cython
from cpython.exc cimport PyErr_CheckSignals
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.float cimport DBL_MAX
from libc.math cimport expm1, log1p, sqrt
from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.string cimport memcpy, memset

import os

import numpy as np

cimport numpy as cnp

cnp.import_array()

# --------------------------------------------------------------------------------------------
# The page: row by row
# --------------------------------------------------------------------------------------------


cdef double forward(fbp_net *net, const fbp_row *x, const void *y) noexcept nogil:
    """a[L] of one row, layer by layer; its loss; and dE/dz[L] in the last layer's delta."""
    net.ops.forward(net.layers, x)                          # z[1] = x @ W[1] + b[1]
    return forward_above(net, y)


cdef double forward_above(fbp_net *net, const void *y) noexcept nogil:
    """The same from z[1] on."""
    cdef fbp_layer *layer = net.layers
    cdef fbp_layer *below
    cdef int _l
    for _l in range(1, net.n_layers):
        below, layer = layer, layer + 1
        below.activate(below.a, below.n_out)                # a[l-1] = f(z[l-1])
        if below.dropout:                                   # but for units that this visit drops
            net.ops.drop_units(below, below.a, net.visit)
        if below.active_values != NULL:                     # ReLU: the units that are not 0
            net.ops.list_active(below)
        net.ops.forward(layer, &below.row)                  # z[l] = a[l-1] @ W[l] + b[l]
    return output(net, layer, y)


cdef inline double output(fbp_net *net, fbp_layer *layer, const void *y) noexcept nogil:
    """The same from z[L] on, in the last layer."""
    cdef double loss = 0
    if layer.a != layer.z:                                  # identity leaves nothing to keep
        memcpy(layer.a, layer.z, layer.n_out * net.ops.itemsize)
    layer.activate(layer.a, layer.n_out)                    # a[L] = f(z[L])
    if y != NULL:
        loss = net.output_delta(layer.delta, layer.z, layer.a, y, layer.n_out,
                                net.loss_parameter)
        layer.derive(layer.delta, layer.a, layer.n_out)     # delta[L] = dE/da[L] * f'(z[L])
    return loss


cdef void backward(fbp_net *net, const fbp_row *x, double weight,
                   const fbp_step *step) noexcept nogil:
    """The chain rule, from the last layer to the first; every layer takes its step on the way.

    Each delta is computed from the weights as they were before this row.
    """
    backward_above(net, weight, step)
    net.ops.update(net.layers, x, weight, step)             # step of W[1]: outer(x, delta[1])


cdef void backward_above(fbp_net *net, double weight, const fbp_step *step) noexcept nogil:
    """The same down to delta[1]."""
    cdef fbp_layer *layer = net.layers + net.n_layers - 1
    cdef fbp_layer *below
    while layer != net.layers:
        below = layer - 1
        # delta[l-1] = (W[l] @ delta[l]) * f'(z[l-1]);  step of W[l]: outer(a[l-1], delta[l])
        net.ops.backward_update(layer, below.delta, &below.row, weight, step)
        if below.dropout:
            net.ops.drop_deltas(below, below.delta, below.a, net.visit)
        below.derive(below.delta, below.a, below.n_out)
        layer = below


cdef fbp_step step_of(const fbp_solver *solver, double batch_size, int64_t n_steps) noexcept nogil:
    """What a batch of mean gradient g (or a row: a batch of one) does to a weight w.

    Without momentum w' = w - learning_rate G, where G = g + alpha w / batch_size. With momentum
    v' = momentum v - learning_rate G and w' = w + v', or if it is Nesterov's
    w' = w + momentum v' - learning_rate G. Adam's step number n_steps: csrc/fastbp.h.
    """
    cdef double eta = solver.learning_rate, mu = solver.momentum
    cdef double alpha = solver.alpha / batch_size
    cdef double ahead = mu if solver.nesterov else 0    # how much of v' is taken once more
    cdef fbp_step step
    memset(&step, 0, sizeof(step))
    step.keep[0][0], step.keep[0][1] = 1 - eta * alpha * (1 + ahead), mu * (ahead or 1)
    step.keep[1][0], step.keep[1][1] = -eta * alpha, mu
    step.take[0], step.take[1] = -eta * (1 + ahead), -eta
    step.momentum = mu != 0
    step.adam = solver.adam
    if step.adam:
        step.beta_1, step.beta_2 = solver.beta_1, solver.beta_2
        step.decay, step.epsilon, step.squares = alpha, solver.epsilon, solver.squares
        # The moments begin at 0: what their means lack for that after n steps is made up for here.
        step.rate = (eta * sqrt(missing(step.beta_2, n_steps, solver.by_weight))
                     / missing(step.beta_1, n_steps, solver.by_weight))
    return step


cdef inline double missing(double beta, int64_t n, bint of_rounded_power) noexcept nogil:
    """1 - beta ** n. libm's pow would bind the wheel to a newer libc than these do.

    scikit-learn's has lost the digits that beta ** n is rounded to: many, where that is about 1.
    """
    cdef double rest = -expm1(n * log1p(beta - 1)), power = 1 - rest
    return 1 - power if of_rounded_power else rest


cdef fbp_step ADD                                       # w' = w + g: to sum up gradients
ADD.keep[0][:] = [1, 0]
ADD.keep[1][:] = [0, 0]
ADD.take[:] = [1, 0]
ADD.momentum = ADD.adam = 0


cdef Py_ssize_t train_rows(fbp_net *net, const fbp_data *data, const int64_t *order,
                           Py_ssize_t start, Py_ssize_t stop, const fbp_solver *solver,
                           double *loss_sum) noexcept nogil:
    """Row by row: every row's step is taken before the next row is looked at.

    Visits rows order[start:stop]; returns where it stopped, which is before the first row whose
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
        if not loss <= solver.largest_loss:             # nor NaN
            return t
        if solver.by_weight:                            # its mean over this one row
            loss += 0.5 * solver.alpha * penalty(net) / weight
            if not loss <= solver.largest_loss:
                return t
            step = step_of(solver, weight, solver.n_steps + 1 + t - start)
            loss_sum[0] += loss
            weight = 1
        else:
            loss_sum[0] += weight * loss
            if step.adam:
                step = step_of(solver, 1, solver.n_steps + 1 + t - start)
        backward(net, &x, weight, &step)
        net.visit += 1
    return stop


cdef Py_ssize_t train_blocks(fbp_net *net, fbp_block *block, fbp_layer *packed,
                             const fbp_data *data,
                             const int64_t *order, Py_ssize_t start, Py_ssize_t stop,
                             const fbp_solver *solver, double *loss_sum) noexcept nogil:
    """Row by row all the same, with the first layer written one block of rows behind.

    The numbers are those of train_rows, to rounding: csrc/first_layer.inc.h has the formulas. The
    layers above stand in packed[l] meanwhile.
    """
    cdef fbp_step step = step_of(solver, 1, 1)
    cdef double loss, weight
    cdef fbp_row rows[FBP_MOST_BLOCK_ROWS]
    cdef fbp_layer *first = net.layers
    cdef const void *y
    cdef int t, n
    cdef bint at_once = (net.n_layers == 2 and packed[1].transposed and not block.momentum
                         and packed[1].n_out <= FBP_FEW_OUTPUTS)
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
                loss = net.ops.block_row(net, block, y, t, weight, &step, solver.largest_loss)
            else:
                net.ops.block_correct(block, first.z, t)    # z[1], with the rows before t in it
                loss = forward_above(net, y)
            if not loss <= solver.largest_loss:
                n = t
                stop = start + t
                break
            loss_sum[0] += weight * loss
            if not at_once:
                backward_above(net, weight, &step)
                net.ops.block_keep(block, first.delta, t, weight)   # step of b[1]; W[1] is owed its
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

    The numbers are those of train_rows, to rounding: csrc/sparse_rows.inc.h says how the other
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
        if not loss <= solver.largest_loss:
            stop = t
            break
        loss_sum[0] += weight * loss
        backward_above(net, weight, &step)
        net.ops.sparse_update(sparse, first, &x, weight, &step)
    net.ops.sparse_end(sparse, first)
    unload_above(net, packed)
    return stop


cdef void load_above(fbp_net *net, fbp_layer *packed) noexcept nogil:
    """The layers above the first stand in packed[l] from here on."""
    cdef int l
    for l in range(1, net.n_layers):
        net.ops.layer_load(&net.layers[l], &packed[l])


cdef void unload_above(fbp_net *net, fbp_layer *packed) noexcept nogil:
    """They stand where they belong again."""
    cdef int l
    for l in range(1, net.n_layers):
        net.ops.layer_unload(&net.layers[l], &packed[l])


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


cdef Py_ssize_t train_epochs(fbp_net *net, Layout layout, Team *team, const fbp_data *data,
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


# --------------------------------------------------------------------------------------------
# Batches
# --------------------------------------------------------------------------------------------


cdef Py_ssize_t train_batches(Team *team, double *loss_sum) noexcept nogil:
    """Batch by batch: gradients of batch_size rows are summed, then the solver takes one step.

    The work of a batch is tasks, which the threads of the team take as they come: groups of rows
    on the way forward and back, then pieces of the weights. A task's numbers do not depend on who
    does it, or on how much of the work it is.
    """
    cdef const fbp_data *data = team.data
    cdef const fbp_solver *solver = &team.solver
    cdef Py_ssize_t start = team.start, end, t, n
    cdef int64_t n_steps = solver.n_steps
    cdef double loss, weight, divisor
    while start < team.stop:
        end = min(start + team.batch_size, team.stop)
        weight = weight_of_rows(data, team.order, start, end)
        loss, t = 0, start
        while t < end:
            n = min(team.most_rows, end - t)
            team.first_row, team.n_rows = t, n
            team.is_first, team.is_last = t == start, t + n == end
            hand_out(team, FOLLOW_ROWS, n_groups(team))     # all rows have their delta[l]
            loss += sum_of(team.losses, n_blocks(team))
            team.factor = 1
            if team.is_last:
                if solver.by_weight:
                    hand_out(team, ADD_UP_WEIGHTS, team.n_pieces)
                    loss += 0.5 * solver.alpha * sum_of(team.penalties, team.n_units)
                if not loss <= solver.largest_loss * weight:
                    return start
                n_steps += 1
                divisor = weight if solver.by_weight else end - start
                team.step, team.factor = step_of(solver, divisor, n_steps), 1 / divisor
                if solver.by_weight:
                    loss *= (end - start) / weight
                loss_sum[0] += loss
            hand_out(team, MOVE_WEIGHTS, team.n_pieces)     # all weights have taken their step
            if t // ROWS_BETWEEN_SIGNALS != (t + n) // ROWS_BETWEEN_SIGNALS:
                heed_signals(team)
            if team.interrupted:
                return start
            t += n
        start = end
    return start


cdef void unload_weights(Team *team) noexcept nogil:
    """Weights, and what the solver keeps beside them, also stand where they belong."""
    cdef int l
    for l in range(team.nets.n_layers):
        team.nets.ops.batch_unload(&team.layers[l], &team.nets.layers[l])


cdef void hand_out(Team *team, TaskKind kind, int n_tasks) noexcept nogil:
    """Tasks 0 to n_tasks of a kind, done by this thread and those of the team that have time."""
    cdef int task
    team.kind = kind
    fbp_hand_out(&team.tasks, n_tasks)
    task = fbp_take(&team.tasks)
    while task >= 0:
        do_task(team, 0, task)
        task = fbp_take(&team.tasks)
    fbp_all_done(&team.tasks)


cdef void do_task(Team *team, int me, int task) noexcept nogil:
    """Do one of the tasks, in this thread's scratch, and say so."""
    cdef Py_ssize_t t = task * team.group_rows, n = min(team.group_rows, team.n_rows - t)
    if team.kind == FOLLOW_ROWS:
        follow_rows(team, me, t, <int> n)
    elif team.kind == MOVE_WEIGHTS:
        move_weights(team, me, &team.pieces[task])
    elif team.kind == ADD_UP_WEIGHTS:
        add_up_weights(team, me, &team.pieces[task])
    else:
        predict_rows(team, me, t, <int> n)
    fbp_done(&team.tasks)


cdef void follow_rows(Team *team, int me, Py_ssize_t t, int n) noexcept nogil:
    """Rows t to t + n of those in hand, whole blocks: forward, loss, and back to delta[1]."""
    cdef fbp_net *net = &team.nets[me]
    cdef fbp_batch *batch = team.layers + me * net.n_layers
    cdef const int64_t *order = team.order + team.first_row + t
    cdef int itemsize = net.ops.itemsize, block_rows = net.ops.block_rows
    cdef int last = net.n_layers - 1, l, k
    cdef fbp_layer *layer = &net.layers[last]
    cdef double weight
    cdef double *loss
    cdef char *a
    cdef char *delta = <char *> batch[last].D + t * batch[last].stride * itemsize
    net.visit = team.first_visit + team.first_row - team.start
    for k in range(n):
        team.rows[t + k] = row_of(team.data, order[k])
    forward_group(net, batch, team.rows + t, t, n)
    for k in range(n):                                      # E, and delta[L] times the weight
        loss = &team.losses[(t + k) // block_rows]
        if k % block_rows == 0:
            loss[0] = 0
        weight = weight_of(team.data, order[k])
        loss[0] += weight * output_of_row(net, &batch[last], k, target_of(team.data, order[k]))
        net.ops.scale(delta + k * batch[last].stride * itemsize, layer.delta, weight, layer.n_out)
    for l in range(last, -1, -1):
        net.ops.batch_backward(&batch[l], &net.layers[l], &batch[l - 1] if l else NULL, t, n)
        if l:
            layer = &net.layers[l - 1]
            a = <char *> batch[l - 1].Z
            delta = <char *> batch[l - 1].D + t * batch[l - 1].stride * itemsize
            for k in range(n):                              # delta[l-1] *= f'(z[l-1])
                if layer.dropout:
                    net.ops.drop_deltas(layer, delta, a, net.visit + t + k)
                layer.derive(delta, a, layer.n_out)
                a += batch[l - 1].stride * itemsize
                delta += batch[l - 1].stride * itemsize


cdef void forward_group(fbp_net *net, fbp_batch *batch, const fbp_row *rows, Py_ssize_t t,
                        int n) noexcept nogil:
    """z[L] of these n rows, a group or less, which are the batch's from row t on."""
    cdef fbp_layer *layer
    cdef char *a
    cdef int l, k
    for l in range(net.n_layers):
        layer = &net.layers[l]
        net.ops.batch_forward(&batch[l], layer, &batch[l - 1] if l else NULL, rows, t, n)
        if l < net.n_layers - 1:
            a = <char *> batch[l].Z
            for k in range(n):                              # a[l] = f(z[l])
                layer.activate(a, layer.n_out)
                if layer.dropout:
                    net.ops.drop_units(layer, a, net.visit + t + k)
                a += batch[l].stride * net.ops.itemsize


cdef double output_of_row(fbp_net *net, const fbp_batch *batch, int k,
                          const void *y) noexcept nogil:
    """The loss of row k of the group, with a[L] and delta[L] in the last layer's scratch."""
    cdef fbp_layer *layer = &net.layers[net.n_layers - 1]
    cdef size_t row_bytes = batch.stride * net.ops.itemsize
    memcpy(layer.z, <char *> batch.Z + k * row_bytes, layer.n_out * net.ops.itemsize)
    return output(net, layer, y)


cdef void move_weights(Team *team, int me, const Piece *piece) noexcept nogil:
    """The rows' gradients for a piece of the weights, and after the batch's last rows its step."""
    cdef fbp_net *net = &team.nets[me]
    net.ops.batch_update(&team.layers[me * net.n_layers + piece.layer], &net.layers[piece.layer],
                         team.rows, team.n_rows, piece.first, piece.n, team.is_first, team.factor,
                         &team.step if team.is_last else NULL)


cdef void add_up_weights(Team *team, int me, const Piece *piece) noexcept nogil:
    """The squares of a piece of the weights, panel by panel of inputs."""
    cdef fbp_net *net = &team.nets[me]
    cdef int64_t width = net.ops.panel_width, end = piece.first + piece.n, i = piece.first
    while i < end:
        team.penalties[piece.first_unit + (i - piece.first) // width] = net.ops.batch_penalty(
            &team.layers[me * net.n_layers + piece.layer], &net.layers[piece.layer], i,
            min(width, end - i))
        i += width


cdef void predict_rows(Team *team, int me, Py_ssize_t t, int n) noexcept nogil:
    """a[L] of rows t to t + n of those in hand into team.out."""
    cdef fbp_net *net = &team.nets[me]
    cdef fbp_batch *batch = team.layers + me * net.n_layers
    cdef const fbp_layer *last = net.layers + net.n_layers - 1
    cdef size_t row_bytes = last.n_out * net.ops.itemsize
    cdef fbp_row *rows = team.rows + me * team.group_rows
    cdef Py_ssize_t first = team.first_row + t
    cdef int k
    for k in range(n):
        rows[k] = row_of(team.data, first + k)
    forward_group(net, batch, rows, me * team.group_rows, n)
    for k in range(n):
        output_of_row(net, &batch[net.n_layers - 1], k, NULL)
        memcpy(team.out + (first + k) * row_bytes, last.a, row_bytes)


cdef inline int n_blocks(const Team *team) noexcept nogil:
    cdef int block_rows = team.nets.ops.block_rows
    return <int> ((team.n_rows + block_rows - 1) // block_rows)


cdef inline int n_groups(const Team *team) noexcept nogil:
    return <int> ((team.n_rows + team.group_rows - 1) // team.group_rows)


cdef double sum_of(const double *values, Py_ssize_t n) noexcept nogil:
    cdef double total = 0
    cdef Py_ssize_t k
    for k in range(n):
        total += values[k]
    return total


cdef double penalty(const fbp_net *net) noexcept nogil:
    """The sum of w^2 over all weights."""
    cdef double total = 0
    cdef int l
    for l in range(net.n_layers):
        total += net.ops.sum_squares(net.layers[l].W, net.layers[l].n_in * net.layers[l].n_out)
    return total


cdef double sum_gradients(fbp_net *net, Memory *memory, const fbp_data *data, const int64_t *order,
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


# --------------------------------------------------------------------------------------------
# Sensitivities
# --------------------------------------------------------------------------------------------


cdef void sensitivities(fbp_net *net, fbp_activation activation, const fbp_layer *transposed,
                        const fbp_row *x, char *out) noexcept nogil:
    """da[L]/dx of one row, (n_out, n_in): the chain rule down to the inputs, once for each output.

    transposed[l] is layer l the other way round: W[l] @ delta[l] is its forward pass, whose z is
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
                layer.derive(layer.delta, layer.a, layer.n_out)
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
    ops.derive[<int> activation](layer.delta, layer.a, layer.n_out)


# --------------------------------------------------------------------------------------------
# Where things are in memory
# --------------------------------------------------------------------------------------------

cdef enum:
    ROWS_BETWEEN_SIGNALS = 1024
    NEAR_BYTES = 1 << 16       # of gradients of non-zeros, which their step takes at once
    CHUNK_BYTES = 4 << 20
    PIECES_A_THREAD = 4        # of the weights, so that threads finish at about the same time
    LEAST_OUTPUTS_TO_LIST = 4  # of the layer above: else listing costs more than it saves,
    LEAST_UNITS_TO_LIST = 64   # as it does of fewer units, whose layer above can be transposed
    MOST_OUTPUTS_ACROSS = 16   # of a layer whose W is transposed: see layer_load
    MOST_TINY_VECTORS = 160    # of W[1], with several outputs: past it, blocks of rows cost less

cdef int check_signals() except -1 with gil:
    """Raises KeyboardInterrupt if Ctrl-C was pressed."""
    return PyErr_CheckSignals()


cdef struct Piece:
    # Inputs of a layer: a task's share of the weights.
    int layer
    int64_t first, n
    Py_ssize_t first_unit      # the number of its first panel of inputs, over all layers


cdef enum TaskKind:
    FOLLOW_ROWS, ADD_UP_WEIGHTS, MOVE_WEIGHTS, PREDICT_ROWS


cdef struct Team:
    # Threads that train on batches together, and what they were called with.
    int n_threads
    fbp_net *nets              # one a thread
    fbp_batch *layers          # n_layers a thread
    Piece *pieces              # of the weights
    int n_pieces
    Py_ssize_t most_rows       # that are followed before the weights move or sum up
    Py_ssize_t group_rows      # of a task
    fbp_row *rows              # as many as most_rows, or to predict a group a thread
    double *losses             # of their blocks
    double *penalties          # of panels of inputs, layer by layer
    Py_ssize_t n_units         # of these
    void *owner                # a Batch
    bint interrupted
    const fbp_data *data
    const int64_t *order
    Py_ssize_t start, stop, batch_size
    int64_t first_visit        # number of the visit to order[start], over all epochs
    fbp_solver solver
    char *out                  # of predictions
    # What is being done, and places for helpers to do it: number 0 is thread 1's.
    fbp_tasks tasks, places
    TaskKind kind
    Py_ssize_t first_row, n_rows
    bint is_first, is_last     # rows of their batch
    double factor              # of the sum of gradients
    fbp_step step


cdef void heed_signals(Team *team) noexcept with gil:
    """Keeps what Ctrl-C raises until all threads have stopped."""
    try:
        PyErr_CheckSignals()
    except BaseException as error:
        (<Batch> team.owner).interruption = error
        team.interrupted = True


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


cdef struct Memory:
    char *parameters           # the network's arena, and one more of the same layout
    char *gradients
    size_t n_bytes


cdef double weight_of_rows(const fbp_data *data, const int64_t *order, Py_ssize_t start,
                           Py_ssize_t stop) noexcept nogil:
    cdef double total = 0
    cdef Py_ssize_t t
    for t in range(start, stop):
        total += weight_of(data, order[t])
    return total


cdef inline double real_at(const void *values, int64_t k, int itemsize) noexcept nogil:
    return (<const double *> values)[k] if itemsize == 8 else (<const float *> values)[k]


cdef inline void set_real(void *values, int64_t k, double value, int itemsize) noexcept nogil:
    if itemsize == 8:
        (<double *> values)[k] = value
    else:
        (<float *> values)[k] = <float> value


cdef inline size_t padded_to(size_t n, size_t multiple) noexcept nogil:
    return (n + multiple - 1) // multiple * multiple


cdef inline size_t padded(size_t n_bytes) noexcept nogil:
    return padded_to(n_bytes, FBP_ALIGNMENT)


cdef inline size_t scratch_bytes_of(const fbp_layer *layer, const fbp_ops *ops, int l):
    """Bytes for a row of z, a or delta; in the first layer for a whole panel of it."""
    return padded_to(layer.n_out * ops.itemsize, FBP_ALIGNMENT if l else FBP_WIDEST_PANEL)


cdef inline void *room_for_target(fbp_net *net):
    """Memory for one row of targets, after Engine.begin."""
    cdef int last = net.n_layers - 1
    return <char *> net.layers[last].delta + 2 * scratch_bytes_of(&net.layers[last], net.ops, last)


# --------------------------------------------------------------------------------------------
# Instruction sets
# --------------------------------------------------------------------------------------------

ACTIVATIONS = {"identity": FBP_IDENTITY, "logistic": FBP_LOGISTIC, "tanh": FBP_TANH,
               "relu": FBP_RELU, "exp": FBP_EXP, "softmax": FBP_SOFTMAX}
# Targets that a loss allows; any that is not named here.
TARGETS = {"binary_log_loss": (0, 1), "log_loss": (0, 1), "poisson": (0, np.inf),
           "clipped_binary_log_loss": (0, 1), "clipped_log_loss": (0, 1),
           "ratio_poisson": (0, np.inf)}
LOSSES = {"squared_error": FBP_SQUARED_ERROR, "absolute_error": FBP_ABSOLUTE_ERROR,
          "huber": FBP_HUBER, "quantile": FBP_QUANTILE,
          "binary_log_loss": FBP_BINARY_LOG_LOSS, "log_loss": FBP_LOG_LOSS,
          "poisson": FBP_POISSON,
          "mean_squared_error": FBP_MEAN_SQUARED_ERROR,
          "clipped_binary_log_loss": FBP_CLIPPED_BINARY_LOG_LOSS,
          "clipped_log_loss": FBP_CLIPPED_LOG_LOSS,
          "ratio_poisson": FBP_RATIO_POISSON}
ISAS = {fbp_isa_name(isa).decode(): isa for isa in range(FBP_N_ISA)}
AUTOMATIC = ("avx512", "avx2", "neon", "scalar")  # preferred first


def built_isas():
    """Names of the instruction sets that this build holds kernels for."""
    return tuple(name for name, isa in ISAS.items() if fbp_isa_built(isa))


def available_isas():
    """Names of those among them that this machine can run."""
    return tuple(name for name, isa in ISAS.items() if fbp_isa_usable(isa))


def default_isa():
    """Name of the instruction set in use: ``FASTBP_ISA``, or else the best this machine has."""
    forced = os.environ.get("FASTBP_ISA")
    if forced and forced not in available_isas():
        raise ImportError(
            f"FASTBP_ISA={forced!r} cannot be used: this build has kernels for "
            f"{', '.join(built_isas())}, and of these this machine can run "
            f"{', '.join(available_isas())}. Unset FASTBP_ISA to let fastbp choose."
        )
    usable = [name for name in AUTOMATIC if name in available_isas()]
    if not usable:
        raise ImportError(
            f"this machine can run none of the kernels of this build, which are for "
            f"{', '.join(built_isas())}: build fastbp without FASTBP_ISAS."
        )
    return forced or usable[0]


def lanes(isa, dtype):
    """Numbers of this dtype in one vector of this instruction set."""
    return table_for(dtype, isa).lanes


def compiler():
    """Name and version of the compiler of the kernels."""
    return fbp_compiler().decode()


cdef const fbp_ops *table_for(object dtype, object isa) except NULL:
    cdef fbp_dtype kind = FBP_FLOAT32 if np.dtype(dtype) == SINGLE else FBP_FLOAT64
    return fbp_table(ISAS[isa or ISA], kind)


SINGLE = np.dtype(np.float32)  # which takes longer to make than a small network's step
ISA = default_isa()
ISA_IS_FORCED = bool(os.environ.get("FASTBP_ISA"))


def isa_for(layer_sizes, dtype):
    """Name of the instruction set that a network of these sizes is best run with.

    The one in use; but a hidden layer that fits a single vector of AVX2 waits longer for the
    wider vectors of AVX-512, unless these were asked for.
    """
    if (ISA == "avx512" and not ISA_IS_FORCED and len(layer_sizes) == 3
            and "avx2" in available_isas() and layer_sizes[1] <= lanes("avx2", dtype)):
        return "avx2"
    return ISA


def apply_activation(name, z, isa=None):
    """f(z) of a 1-D array, through the kernels of one instruction set."""
    cdef const fbp_ops *ops = table_for(z.dtype, isa)
    cdef cnp.ndarray a = padded_copy(z)
    ops.activate[ACTIVATIONS[name]](cnp.PyArray_DATA(a), len(z))
    return a[:len(z)].copy()


def apply_derivative(name, delta, a, isa=None):
    """delta * f'(z) of 1-D arrays, where a = f(z), likewise.

    Of exp and softmax the kernels hand back delta as it is: their losses give dE/dz at once.
    """
    cdef const fbp_ops *ops = table_for(a.dtype, isa)
    cdef cnp.ndarray product = padded_copy(delta), a_padded = padded_copy(a)
    ops.derive[ACTIVATIONS[name]](cnp.PyArray_DATA(product), cnp.PyArray_DATA(a_padded), len(a))
    return product[:len(a)].copy()


cdef cnp.ndarray padded_copy(object values):
    """A copy of a 1-D array with room behind it for the kernels' whole vectors."""
    cdef cnp.ndarray copy = np.zeros(
        padded(len(values) * values.itemsize) // values.itemsize, values.dtype)
    copy[:len(values)] = values
    return copy


def all_finite(cnp.ndarray values not None, isa=None):
    """Whether every value of a contiguous float32 or float64 array is finite."""
    cdef const fbp_ops *ops = table_for(values.dtype, isa)
    cdef const void *data = cnp.PyArray_DATA(values)
    cdef Py_ssize_t n = cnp.PyArray_SIZE(values)
    with nogil:
        finite = ops.all_finite(data, n)
    return bool(finite)


# --------------------------------------------------------------------------------------------
# Random orders
# --------------------------------------------------------------------------------------------


def shuffle(order, random_state):
    """Shuffle a 1-D int64 array in place as ``random_state.shuffle(order)`` does, but faster.

    The same order, to the bit, and the same state of the generator afterwards. Other arrays, and
    whatever is not a ``RandomState`` on an ``MT19937``, are left to ``random_state`` itself.

    Parameters
    ----------
    order : ndarray of int64 of shape (n,)
    random_state : RandomState, or anything else that has ``shuffle``
    """
    cdef fbp_mt19937 *generator
    cdef int64_t *items
    cdef int64_t n
    if can_shuffle(order, random_state):
        items, n = <int64_t *> cnp.PyArray_DATA(order), cnp.PyArray_SIZE(order)
        generator = state_of(random_state._bit_generator)
        with _Drawing(random_state), nogil:
            fbp_shuffle(items, n, generator)
        return
    random_state.shuffle(order)


cdef set DRAWN_FROM = set()


cdef class _Drawing:
    """Context in which kernels draw from a RandomState without the GIL: that of its lock.

    Meanwhile the lock is in ``DRAWN_FROM``, for `unlock_generators`.
    """

    cdef object lock

    def __init__(self, random_state):
        self.lock = random_state._bit_generator.lock

    def __enter__(self):
        self.lock.acquire()
        DRAWN_FROM.add(self.lock)

    def __exit__(self, *_):
        DRAWN_FROM.discard(self.lock)
        self.lock.release()


def unlock_generators():
    """In a forked process: unlock the generators that threads of its parent were drawing from.

    One of them may be NumPy's global generator, which a child process would wait for, for ever.
    """
    for lock in DRAWN_FROM:
        lock._at_fork_reinit()
    DRAWN_FROM.clear()


def can_shuffle(order, random_state):
    """Whether `shuffle` does this by itself."""
    return (type(random_state) is np.random.RandomState
            and type(random_state._bit_generator) is np.random.MT19937
            and STATE_IS_AS_KNOWN and is_order(order)
            and 0 <= state_of(random_state._bit_generator).pos <= FBP_MT19937_LENGTH)


cdef bint is_order(object order):
    """Whether it is what `fbp_shuffle` can write to."""
    return (cnp.PyArray_CheckExact(order) and cnp.PyArray_NDIM(order) == 1
            and cnp.PyArray_TYPE(order) == cnp.NPY_INT64 and cnp.PyArray_ISCARRAY(order)
            and cnp.PyArray_SIZE(order) <= <int64_t> 1 << 32)


cdef fbp_mt19937 *state_of(object bit_generator) except NULL:
    """Where an MT19937 keeps its state, by the interface that NumPy offers to C."""
    cdef bitgen_t *interface = <bitgen_t *> PyCapsule_GetPointer(
        bit_generator.capsule, "BitGenerator")
    return <fbp_mt19937 *> interface.state


cdef bint state_is_as_known() except -1:
    """Whether this NumPy lays the state out as fastbp.h does: nothing promises that it will."""
    cdef fbp_mt19937 *found
    bit_generator = np.random.MT19937(0)
    bit_generator.random_raw()
    state = bit_generator.state["state"]
    found = state_of(bit_generator)
    return found.pos == state["pos"] and all(
        found.key[i] == word for i, word in enumerate(state["key"].tolist()))


cdef bint STATE_IS_AS_KNOWN = state_is_as_known()


# --------------------------------------------------------------------------------------------
# What Python calls
# --------------------------------------------------------------------------------------------


@cython.final
cdef class Rows:
    """Rows of data laid open for the kernels: pointers into arrays that it keeps alive.

    Parameters
    ----------
    X : ndarray of shape (n, n_features), rows contiguous; or (data, indices, indptr) of a CSR
        matrix, with indices of int32 and indptr of int64
    n_features : int
    y : ndarray of shape (n, n_out) and the dtype of X, rows contiguous; or a table (m, n_out) of
        such targets and, as int32, the row of it that belongs to each row of X; or None
    sample_weight : contiguous float64 ndarray of shape (n,), or None
    """

    cdef fbp_data data
    cdef tuple arrays
    cdef readonly Py_ssize_t n
    cdef readonly object sample_weight
    cdef readonly bint sparse
    cdef readonly double values_per_row
    cdef public double largest_loss  # of a row that training takes a step along
    cdef Py_ssize_t n_outputs

    def __init__(self, X, n_features, y=None, sample_weight=None):
        self.arrays = (X, y)
        self.largest_loss = 1e300
        self.sample_weight = sample_weight
        self.data.n_features = n_features
        self.sparse = isinstance(X, tuple)
        if self.sparse:
            values, columns, row_starts = X
            self.n = len(row_starts) - 1
            self.data.columns = <const int32_t *> cnp.PyArray_DATA(columns)
            self.data.row_starts = <const int64_t *> cnp.PyArray_DATA(row_starts)
        else:
            values = X
            self.n = len(X)
            self.data.X_row_bytes = X.strides[0]
        self.data.X = <const char *> cnp.PyArray_DATA(values)
        self.data.itemsize = values.itemsize
        self.values_per_row = <double> len(values) / max(self.n, 1) if self.sparse else n_features
        if isinstance(y, tuple):
            y, numbers = y
            self.data.y_rows = <const int32_t *> cnp.PyArray_DATA(numbers)
        if y is not None:
            self.data.y = <const char *> cnp.PyArray_DATA(y)
            self.data.y_row_bytes = y.strides[0]
            self.n_outputs = y.shape[1]
        if sample_weight is not None:
            self.data.weights = <const double *> cnp.PyArray_DATA(sample_weight)

    def part(self, Py_ssize_t start, Py_ssize_t stop):
        """Rows start..stop of these, which lie where they lie."""
        cdef Rows part = Rows.__new__(Rows)
        part.data, part.arrays, part.n = self.data, self.arrays, stop - start
        part.sparse, part.values_per_row = self.sparse, self.values_per_row
        part.largest_loss, part.n_outputs = self.largest_loss, self.n_outputs
        if self.sparse:
            part.data.row_starts += start
        else:
            part.data.X += start * self.data.X_row_bytes
        if self.data.y_rows != NULL:
            part.data.y_rows += start
        elif self.data.y != NULL:
            part.data.y += start * self.data.y_row_bytes
        if self.sample_weight is not None:
            part.data.weights += start
            part.sample_weight = self.sample_weight[start:stop]
        return part

    def weight(self, cnp.ndarray order=None):
        """The sum of the weights of the rows visited in this order, or of all: 1 each, or float.

        Rows are added up in the order they are visited in.
        """
        cdef const int64_t *visits
        cdef Py_ssize_t n = self.n if order is None else cnp.PyArray_SIZE(order)
        cdef double total
        if self.sample_weight is None:
            return n
        if order is None:
            return float(self.sample_weight.sum())
        visits = <const int64_t *> cnp.PyArray_DATA(order)
        with nogil:
            total = weight_of_rows(&self.data, visits, 0, n)
        return total

    def hash(self, Py_ssize_t start, Py_ssize_t stop, cnp.ndarray out not None):
        """64-bit hashes of x and y of rows start..stop into those items of the uint64 ``out``."""
        cdef bint single = self.data.itemsize == sizeof(float)
        cdef const fbp_ops *ops = table_for(np.float32 if single else np.float64, None)
        cdef uint64_t *hashes = <uint64_t *> cnp.PyArray_DATA(out)
        cdef fbp_row x, y
        cdef Py_ssize_t r
        y.columns = NULL
        y.n = self.n_outputs
        with nogil:
            for r in range(start, stop):
                x = row_of(&self.data, r)
                y.values = target_of(&self.data, r)
                hashes[r] = ops.hash_row(&x, 0) + ops.hash_row(&y, self.data.n_features)


cdef enum Path:
    REGISTERS, BLOCKS, SPARSE_ROWS

PATHS = {"registers": REGISTERS, "blocks": BLOCKS, "rows": SPARSE_ROWS}


@cython.final
cdef class Layout:
    """Where an engine's layers stand while it trains row by row, and memory for that.

    Parameters
    ----------
    engine : Engine
    path : "registers" (csrc/tiny.inc.h), "blocks" (the first layer one block of rows behind:
        csrc/first_layer.inc.h) or, for sparse rows, "rows" (csrc/sparse_rows.inc.h)
    sparse : bool, whether rows are those of a CSR matrix
    momentum : bool, whether weights have velocities
    """

    cdef Path path
    cdef fbp_block block
    cdef fbp_sparse sparse
    cdef fbp_layer *packed  # the layers above the first
    cdef list memory

    def __init__(self, Engine engine not None, str path, bint sparse, bint momentum):
        self.path = PATHS[path]
        self.memory = []
        if self.path == BLOCKS and sparse and momentum:
            raise ValueError("blocks of sparse rows know no momentum")
        if self.path != SPARSE_ROWS:
            self.make_block(engine, sparse, momentum)
        elif momentum:
            self.make_clock(engine)
        self.packed = <fbp_layer *> PyMem_Malloc(engine.net.n_layers * sizeof(fbp_layer))
        if self.packed == NULL:
            raise MemoryError()
        for l in range(1, engine.net.n_layers):
            self.pack(engine, l, momentum)

    cdef make_block(self, Engine engine, bint sparse, bint momentum):
        """Room for a block of rows, and for W[1] in panels."""
        cdef const fbp_ops *ops = engine.net.ops
        cdef Py_ssize_t n_in = engine.net.layers.n_in, n_out = engine.net.layers.n_out
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
        self.memory.append(carve(places, [
            n_in * columns, columns, columns, rows * row, rows * rows, rows * row, n_in * rows,
            0 if sparse else n_in * rows], ops.itemsize))

    cdef make_clock(self, Engine engine):
        """Room for how far each input's weights have come."""
        cdef void **places[2]
        places[:] = [<void **> &self.sparse.reached, <void **> &self.sparse.powers]
        self.memory.append(carve(places, [
            engine.net.layers.n_in * sizeof(int32_t), 8 * FBP_POWERS * sizeof(double)], 1))

    cdef pack(self, Engine engine, int l, bint momentum):
        """Lay out layer l: whole vectors of outputs, or of inputs where outputs are few.

        Inputs that are listed (ReLU, unless weights move anyway) need the former; in the smallest
        networks none are.
        """
        cdef const fbp_ops *ops = engine.net.ops
        cdef fbp_layer *layer = self.packed + l
        cdef void **places[2]
        layer[0] = engine.net.layers[l]
        listed = (engine.net.layers[l - 1].active_values != NULL and not momentum
                  and self.path != REGISTERS)
        layer.transposed = not listed and layer.n_out <= MOST_OUTPUTS_ACROSS
        if layer.transposed:
            layer.width, n_rows = padded_to(layer.n_in, ops.lanes), layer.n_out
        else:
            layer.width, n_rows = padded_to(layer.n_out, ops.lanes), layer.n_in
        places[:] = [&layer.W, &layer.V_W]
        size = layer.width * n_rows
        self.memory.append(carve(places, [size, size if momentum else 0], ops.itemsize))

    def __dealloc__(self):
        PyMem_Free(self.packed)


@cython.final
cdef class Batch:
    """Memory for the layers of an engine while a team of threads trains it on batches.

    Parameters
    ----------
    engine : Engine
    sparse : bool, whether rows are those of a CSR matrix
    n_moments : int, numbers that the solver keeps beside a weight: momentum 1, Adam 2; or -1 to
        go forward only
    batch_size : int
    n_threads : int
    """

    cdef Team team
    cdef list memory
    cdef void **owed               # what PyMem_Free is owed for the threads' scratch
    cdef object interruption
    cdef readonly tuple kind       # of the arguments

    def __init__(self, Engine engine not None, bint sparse, int n_moments, Py_ssize_t batch_size,
                 int n_threads):
        cdef const fbp_ops *ops = engine.net.ops
        cdef int n_layers = engine.net.n_layers, l, me
        cdef bint trains = n_moments >= 0
        cdef Py_ssize_t rows = ops.block_rows, lanes = ops.lanes, most, group, n_in, n_out
        cdef Py_ssize_t length, columns
        cdef fbp_batch *first
        cdef fbp_batch *layer
        cdef void **places[7]
        self.kind = (sparse, n_moments, batch_size, n_threads)
        self.memory = []
        sizes = [(engine.net.layers[l].n_in, engine.net.layers[l].n_out) for l in range(n_layers)]
        # Rows of a long batch come in chunks that a cache can hold.
        per_row = sum([n_in + padded_to(n_out, lanes) for n_in, n_out in sizes])
        per_row -= sizes[0][0] if sparse else 0         # of X, which stays where it is
        most = max(1, <Py_ssize_t> (CHUNK_BYTES // ops.itemsize // per_row // rows)) * rows
        most = min(most, <Py_ssize_t> padded_to(batch_size, rows))
        group = min(FBP_GROUP, (most // rows + n_threads - 1) // n_threads) * rows
        if not trains:
            most = n_threads * group
        self.team.n_threads, self.team.most_rows, self.team.owner = n_threads, most, <void *> self
        self.team.group_rows = group
        self.team.layers = <fbp_batch *> self.room(n_threads * n_layers * sizeof(fbp_batch))
        self.team.nets = <fbp_net *> self.room(n_threads * sizeof(fbp_net))
        self.owed = <void **> self.room(n_threads * sizeof(void *))
        self.team.rows = <fbp_row *> self.room(most * sizeof(fbp_row))
        self.team.losses = <double *> self.room(most // rows * sizeof(double))
        for l in range(n_layers):
            first = layer = self.team.layers + l
            n_in, n_out = sizes[l]
            layer.n_columns = columns = padded_to(n_out, lanes)
            # An odd number of cache lines: a panel's part of many rows finds room side by side.
            layer.stride = ((columns * ops.itemsize + 63) // 64 | 1) * 64 // ops.itemsize
            layer.sparse = sparse and l == 0
            length = 0 if layer.sparse else n_in * columns
            sums = 0 if batch_size <= most else n_in * n_out if layer.sparse else length
            layer.n_near = max(1, <Py_ssize_t> (NEAR_BYTES // ops.itemsize // n_out))
            layer.squares = length if n_moments == 2 else 0
            places[:] = [&layer.W, &layer.V, &layer.G, &layer.W_T, &layer.X, &layer.D, &layer.to_b]
            self.memory.append(carve(places, [
                length, max(n_moments, 0) * length, sums if trains else 0,
                padded_to(n_in, lanes) * n_out if l and trains else 0,
                0 if layer.sparse else n_in * most, most * layer.stride if trains else 0, columns,
            ], ops.itemsize))
            if n_moments < 1:
                layer.V = NULL
            if l == 0 or not trains:
                layer.W_T = NULL
            for me in range(n_threads):
                layer = self.team.layers + me * n_layers + l
                layer[0] = first[0]
                places[:] = [&layer.Z, &layer.D_T, &layer.b, &layer.G_near, NULL, NULL, NULL]
                self.memory.append(carve(places, [
                    group * layer.stride, n_out * group, columns,
                    layer.n_near * n_out if layer.sparse and trains else 0,
                ], ops.itemsize))
                if layer.sparse:
                    layer.parts = <fbp_row *> self.room(most * sizeof(fbp_row))
        if trains:
            self.cut_up(sizes, ops.panel_width)

    cdef void *room(self, size_t n_bytes):
        """Zeros that live as long as this object."""
        cdef void *at
        cdef void **places[1]
        places[0] = &at
        self.memory.append(carve(places, [n_bytes], 1))
        return at

    cdef cut_up(self, list sizes, Py_ssize_t panel):
        """Cuts the weights into pieces, whole panels of a layer's inputs, some for each thread."""
        cdef Piece *pieces
        cdef Py_ssize_t before = 0
        wanted = 1 if self.team.n_threads == 1 else PIECES_A_THREAD * self.team.n_threads
        most = -(-sum([n_in * n_out for n_in, n_out in sizes]) // wanted)
        cuts = []
        for l, (n_in, n_out) in enumerate(sizes):
            width = max(panel, most // n_out // panel * panel) if wanted > 1 else n_in
            cuts += [(l, first, min(width, n_in - first), before + first // panel)
                     for first in range(0, n_in, width)]
            before += <Py_ssize_t> padded_to(n_in, panel) // panel
        self.team.n_pieces, self.team.n_units = len(cuts), before
        self.team.penalties = <double *> self.room(before * sizeof(double))
        self.team.pieces = pieces = <Piece *> self.room(len(cuts) * sizeof(Piece))
        for i, (l, first, n, unit) in enumerate(cuts):
            pieces[i].layer, pieces[i].first, pieces[i].n = l, first, n
            pieces[i].first_unit = unit

    cdef prepare(self, Rows rows, const int64_t *order, Py_ssize_t start, Py_ssize_t stop,
                 Py_ssize_t batch_size, int64_t first_visit, fbp_solver solver):
        """Say what `call` shall train on, and how."""
        self.team.data, self.team.order, self.team.solver = &rows.data, order, solver
        self.team.start, self.team.stop, self.team.batch_size = start, stop, batch_size
        self.team.first_visit = first_visit

    cdef begin(self, Engine engine, char *velocities, tuple dropout=(), uint64_t dropout_seed=0):
        """Opens the engine's layers for every thread, and loads their weights."""
        cdef int me, l
        for me in range(self.team.n_threads):
            self.owed[me] = engine.begin(&self.team.nets[me], NULL, velocities, False)
            set_dropout(&self.team.nets[me], dropout, dropout_seed)
        for l in range(self.team.nets.n_layers):
            self.team.layers[l].squares_of_layer = self.team.solver.squares
            self.team.nets.ops.batch_load(&self.team.layers[l], &self.team.nets.layers[l])
        self.team.interrupted = False

    cdef end(self, bint has_trained):
        """Gives the weights back."""
        cdef int me
        if has_trained:
            unload_weights(&self.team)
        for me in range(self.team.n_threads):
            PyMem_Free(self.owed[me])
            self.owed[me] = NULL

    def help(self):
        """What a helping thread does, if there is a place for it: tasks, till there are no more."""
        cdef int me, task
        with nogil:
            me = fbp_take(&self.team.places) + 1
            if me > 0:
                task = fbp_wait_and_take(&self.team.tasks)
                while task >= 0:
                    do_task(&self.team, me, task)
                    task = fbp_wait_and_take(&self.team.tasks)
                fbp_done(&self.team.places)

    cdef call(self, helpers, bint trains, Course *course=NULL):
        """Training or prediction, by this thread and, with helpers, the others of the team.

        Returns where training stopped and the sum of losses; or of a course how many epochs, and 0.
        """
        cdef double loss_sum = 0
        cdef Py_ssize_t stopped = 0
        cdef fbp_solver solver = self.team.solver
        cdef int _me
        fbp_begin_tasks(&self.team.tasks)
        fbp_begin_tasks(&self.team.places)
        try:
            if helpers is not None:
                fbp_hand_out(&self.team.places, self.team.n_threads - 1)
                for _me in range(1, self.team.n_threads):
                    try:
                        helpers.submit(self.help)
                    except RuntimeError:                # no more threads are to be had
                        break
            with nogil:
                if course != NULL:
                    stopped = train_epochs(self.team.nets, None, &self.team, self.team.data, course,
                                           &solver)
                elif trains:
                    stopped = train_batches(&self.team, &loss_sum)
                else:
                    hand_out(&self.team, PREDICT_ROWS, n_groups(&self.team))
        finally:  # Ctrl-C may come while helpers are asked, too
            dismiss_helpers(&self.team)
        if self.interruption is not None:
            interruption, self.interruption = self.interruption, None
            raise interruption
        return stopped, loss_sum


cdef void dismiss_helpers(Team *team) noexcept nogil:
    """Waits until all helpers have left; who has not come yet finds no place any more."""
    fbp_end_tasks(&team.tasks)
    while fbp_take(&team.places) >= 0:
        fbp_done(&team.places)
    fbp_all_done(&team.places)


cdef fbp_solver solver_of(double learning_rate, double momentum, bint nesterov, double alpha,
                          bint adam, double beta_1, double beta_2, double epsilon, int64_t n_steps,
                          bint by_weight, double largest_loss, cnp.ndarray moments):
    """What a step does, as the kernels take it; see `fastbp.network.Solver`."""
    cdef fbp_solver solver
    memset(&solver, 0, sizeof(solver))
    solver.learning_rate, solver.momentum, solver.alpha = learning_rate, momentum, alpha
    solver.nesterov, solver.largest_loss, solver.by_weight = nesterov, largest_loss, by_weight
    solver.adam, solver.n_steps = adam, n_steps
    solver.beta_1, solver.beta_2, solver.epsilon = beta_1, beta_2, epsilon
    solver.squares = cnp.PyArray_DIM(moments, 1) if adam else 0
    return solver


cdef set_dropout(fbp_net *net, tuple dropout, uint64_t seed):
    """Lets the hidden layers drop their units with these probabilities."""
    cdef int l
    for l in range(len(dropout)):
        net.layers[l].dropout = dropout[l]
        net.layers[l].dropout_seed = seed + (<uint64_t> l << 32)


cdef object carve(void ***places, list lengths, int itemsize):
    """An array that begins with the parts of these lengths, each aligned; places point at them."""
    cdef Py_ssize_t i
    sizes = [padded(length * itemsize) for length in lengths]
    memory = np.zeros(sum(sizes) + FBP_ALIGNMENT, np.uint8)
    cdef char *at = <char *> padded(<size_t> cnp.PyArray_DATA(memory))
    for i in range(len(sizes)):
        places[i][0] = at
        at += <Py_ssize_t> sizes[i]
    return memory


@cython.final
cdef class Engine:
    """The layers of one network, on the arena that holds its parameters.

    Parameters
    ----------
    arena : 1-D ndarray, aligned to 64 bytes, float32 or float64
    weights, biases : lists of ndarrays, contiguous views on the arena
    activations : one name a layer
    loss : name of the loss
    loss_parameter : float, of those losses that have one
    paired : bool, whether loss and output activation are a pair (delta = a - y)
    isa : name of an instruction set, or None for the one in use
    """

    cdef fbp_net net
    cdef Memory memory
    cdef size_t scratch_bytes
    cdef object arena
    cdef int type_number
    cdef bint takes_classes         # targets may be numbers of classes
    cdef double least_target, most_target, large
    cdef fbp_activation out_activation
    cdef readonly str isa
    cdef readonly bint tiny, tiny_with_momentum  # may run in registers: csrc/tiny.inc.h
    cdef readonly int block_rows   # of csrc/first_layer.inc.h

    def __init__(self, arena, weights, biases, activations, loss, double loss_parameter, paired,
                 isa=None):
        cdef fbp_layer *layer
        cdef int l
        self.arena = arena
        self.type_number = arena.dtype.num
        self.isa = isa or ISA
        self.net.ops = table_for(arena.dtype, isa)
        self.block_rows = self.net.ops.block_rows
        self.net.output_delta = self.net.ops.output_delta[LOSSES[loss]]
        self.least_target, self.most_target = TARGETS.get(loss, (-np.inf, np.inf))
        # Rows, losses and rates below this cannot take a sound weight out of the dtype.
        self.large = 1e9 if arena.dtype == np.float32 else 1e30
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
            self.scratch_bytes += 5 * scratch_bytes_of(layer, self.net.ops, l)
        for l in range(self.net.n_layers - 1):
            layer = self.net.layers + l
            if (activations[l] == "relu" and layer[1].n_out >= LEAST_OUTPUTS_TO_LIST
                    and (layer.n_out >= LEAST_UNITS_TO_LIST
                         or layer[1].n_out > MOST_OUTPUTS_ACROSS)):
                layer.active_values = layer.W
        self.takes_classes = activations[self.net.n_layers - 1] == "softmax"
        self.net.first_activation = ACTIVATIONS[activations[0]]
        self.out_activation = ACTIVATIONS[activations[self.net.n_layers - 1]]
        self.net.last_activation = self.out_activation
        self.net.loss, self.net.loss_parameter = LOSSES[loss], loss_parameter
        units, n_outputs = self.net.layers.n_out, self.net.layers[self.net.n_layers - 1].n_out
        self.tiny_with_momentum = (len(weights) == 2 and n_outputs == 1
                                   and units <= self.net.ops.tiny_units
                                   and activations[0] != "identity")
        self.tiny = self.tiny_with_momentum or (
            len(weights) == 2 and n_outputs <= MOST_OUTPUTS_ACROSS and self.net.ops.lanes > 1
            and units <= self.net.ops.tiny_units_at_rest
            and self.net.layers.n_in * padded_to(units, self.net.ops.lanes)
            <= MOST_TINY_VECTORS * self.net.ops.lanes)
        layer = self.net.layers + self.net.n_layers - 1
        if paired:  # the loss hands back dE/dz itself
            layer.derive = self.net.ops.derive[<int> FBP_IDENTITY]

    def __dealloc__(self):
        PyMem_Free(self.net.layers)

    cdef void *begin(self, fbp_net *net, char *gradients=NULL, char *velocities=NULL,
                     bint list_active=True) except NULL:
        """A copy of the layers with scratch of its own, so that calls may run side by side.

        Returns what PyMem_Free is owed. Rows write their gradients into the arena given, or else
        take steps of W and b, and of their velocities if given.
        """
        cdef void *block = PyMem_Malloc(self.scratch_bytes)
        if block == NULL:
            raise MemoryError()
        cdef char *at = <char *> padded(<size_t> block)
        cdef size_t layers_bytes = self.net.n_layers * sizeof(fbp_layer)
        cdef size_t row_bytes
        cdef fbp_layer *layer
        cdef int l
        memset(at, 0, self.scratch_bytes - FBP_ALIGNMENT)
        memcpy(at, self.net.layers, layers_bytes)
        net[0] = self.net
        net.layers = <fbp_layer *> at
        at += padded(layers_bytes)
        for l in range(net.n_layers):
            layer = net.layers + l
            row_bytes = scratch_bytes_of(layer, net.ops, l)
            layer.z = layer.a = at
            layer.delta = at + row_bytes
            at += 2 * row_bytes
            layer.row.values, layer.row.columns, layer.row.n = layer.a, NULL, layer.n_out
            if layer.active_values != NULL:  # a mark so far: see __init__
                layer.active_values = at if list_active else NULL
                layer.active_columns = <int32_t *> (at + row_bytes)
                at += 2 * row_bytes
            if gradients != NULL:
                layer.to_W = gradients + (<char *> layer.W - self.memory.parameters)
                layer.to_b = gradients + (<char *> layer.b - self.memory.parameters)
            if velocities != NULL:
                layer.V_W = velocities + (<char *> layer.W - self.memory.parameters)
                layer.V_b = velocities + (<char *> layer.b - self.memory.parameters)
        if net.last_activation != FBP_IDENTITY:
            layer.a = at  # the output layer keeps z beside a; behind it is room for a target
        return block

    def train(self, Rows rows not None, cnp.ndarray order not None, Py_ssize_t start,
              Py_ssize_t stop, double learning_rate, double momentum=0, bint nesterov=False,
              double alpha=0, Py_ssize_t batch_size=1, bint adam=False, double beta_1=0.9,
              double beta_2=0.999, double epsilon=1e-8, int64_t n_steps=0, bint by_weight=False,
              double largest_loss=1e300, tuple dropout=(), uint64_t dropout_seed=0,
              int64_t first_visit=0, cnp.ndarray moments=None, Layout layout=None,
              Batch batch=None, helpers=None):
        """Train on rows ``order[start:stop]``.

        Row by row, with a ``layout`` in the way it is for; with ``batch``, batch by
        batch, by this thread and with ``helpers`` (_threads.py) the others of its team.
        ``moments`` has velocities, or Adam's moments, in one row an arena. Each hidden layer drops
        its units with a probability of ``dropout``, if any; ``order[start]`` is visit number
        ``first_visit``.

        Returns where it stopped (``stop``, or before a row or batch of too large a loss)
        and the weighted sum of the losses of the rows before that.
        """
        cdef fbp_solver solver = solver_of(learning_rate, momentum, nesterov, alpha, adam, beta_1,
                                           beta_2, epsilon, n_steps, by_weight, largest_loss,
                                           moments)
        cdef double loss_sum = 0
        cdef const int64_t *visits = <const int64_t *> cnp.PyArray_DATA(order)
        cdef char *V = <char *> cnp.PyArray_DATA(moments) if moments is not None else NULL
        cdef fbp_net net
        cdef Py_ssize_t stopped
        if batch is not None:
            batch.prepare(rows, visits, start, stop, batch_size, first_visit, solver)
            batch.begin(self, V, dropout, dropout_seed)
            try:
                return batch.call(helpers, True)
            finally:
                batch.end(True)
        owed = self.begin_rows(&net, V, alpha, dropout, dropout_seed, first_visit, layout)
        try:
            with nogil:
                stopped = train_piece(&net, layout, &rows.data, visits, start, stop, &solver,
                                      &loss_sum)
        finally:
            PyMem_Free(owed)
        return stopped, loss_sum

    def train_epochs(self, Rows rows not None, cnp.ndarray order not None, bint is_anew,
                     cnp.ndarray rates not None, cnp.ndarray losses not None, random_state,
                     double learning_rate, double momentum=0, bint nesterov=False,
                     double alpha=0, Py_ssize_t batch_size=1, bint adam=False, double beta_1=0.9,
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
        cdef fbp_solver solver = solver_of(learning_rate, momentum, nesterov, alpha, adam, beta_1,
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
        add_state(&course, kept, self.memory.parameters, self.memory.n_bytes)
        if moments is not None:
            course.moments = <char *> cnp.PyArray_DATA(moments)
            add_state(&course, kept, course.moments, moments.nbytes)
        if not is_anew:
            add_state(&course, kept, course.visits, order.nbytes)
        if random_state is None:
            return self.run_sound(&course, &solver, rows, dropout, layout, batch, helpers)
        course.generator = state_of(random_state._bit_generator)
        add_state(&course, kept, course.generator, sizeof(fbp_mt19937))
        with _Drawing(random_state):
            return self.run_sound(&course, &solver, rows, dropout, layout, batch, helpers)

    cdef run_sound(self, Course *course, const fbp_solver *solver, Rows rows, tuple dropout,
                   Layout layout, Batch batch, helpers):
        """Run a course; if an epoch of it diverges, once more up to there. Returns how many."""
        cdef Py_ssize_t n_done
        keep_state(course)
        while course.n_epochs > 0:
            n_done = 0
            try:
                n_done = self.run(course, solver[0], rows, dropout, layout, batch, helpers)
            finally:
                if n_done < course.n_epochs:
                    restore_state(course)
            if n_done == course.n_epochs:
                break
            course.n_epochs = n_done
        return course.n_epochs

    cdef Py_ssize_t run(self, Course *course, fbp_solver solver, Rows rows, tuple dropout,
                        Layout layout, Batch batch, helpers) except -1:
        """Run a course up to its end, or to where an epoch diverges; returns how many before."""
        cdef fbp_net net
        cdef Py_ssize_t n_done
        if batch is not None:
            batch.prepare(rows, course.visits, 0, course.n_visits, course.batch_size,
                          course.first_visit, solver)
            batch.begin(self, course.moments, dropout, course.dropout_seed)
            try:
                n_done, _ = batch.call(helpers, True, course)
            finally:
                batch.end(True)
            return n_done
        owed = self.begin_rows(&net, course.moments, solver.alpha, dropout, course.dropout_seed,
                               course.first_visit, layout)
        try:
            with nogil:
                n_done = train_epochs(&net, layout, NULL, &rows.data, course, &solver)
        finally:
            PyMem_Free(owed)
        return n_done

    cdef void *begin_rows(self, fbp_net *net, char *moments, double alpha, tuple dropout,
                          uint64_t dropout_seed, int64_t first_visit, Layout layout) except NULL:
        """Like `begin`, for training row by row."""
        # What decays or has momentum moves in every row, that of inactive units too; laid-out
        # layers have a scale for what only decays.
        cdef bint list_active = moments == NULL and (alpha == 0 or layout is not None)
        cdef void *owed = self.begin(net, NULL, moments, list_active)
        set_dropout(net, dropout, dropout_seed)
        net.visit = first_visit
        return owed

    def forward_all(self, Batch batch not None, helpers, Rows rows not None, Py_ssize_t start,
                    Py_ssize_t stop, cnp.ndarray out not None):
        """a[L] of rows start..stop into those rows of ``out``, by the batch's team."""
        batch.team.data, batch.team.out = &rows.data, <char *> cnp.PyArray_DATA(out)
        batch.team.first_row, batch.team.n_rows = start, stop - start
        batch.begin(self, NULL)
        try:
            batch.call(helpers, False)
        finally:
            batch.end(False)

    def sum_gradients(self, Rows rows not None, Py_ssize_t start, Py_ssize_t stop,
                      cnp.ndarray gradients not None):
        """The weighted sum of the gradients of rows start..stop, into the arena ``gradients``.

        Returns the weighted sum of their losses.
        """
        cdef cnp.ndarray order = np.arange(start, stop, dtype=np.int64)
        cdef const int64_t *visits = <const int64_t *> cnp.PyArray_DATA(order)
        cdef Memory memory = self.memory
        cdef fbp_net net
        cdef double loss_sum
        memory.gradients = <char *> cnp.PyArray_DATA(gradients)
        block = self.begin(&net, memory.gradients)
        try:
            with nogil:
                loss_sum = sum_gradients(&net, &memory, &rows.data, visits, 0, stop - start)
        finally:
            PyMem_Free(block)
        return loss_sum

    def loss_sum(self, Rows rows not None, Py_ssize_t start, Py_ssize_t stop):
        """The weighted sum of the losses of rows start..stop."""
        cdef fbp_net net
        cdef fbp_row x
        cdef double loss_sum = 0
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

    cdef bint within(self, const void *values, Py_ssize_t n, double least, double most):
        """Whether all n values are numbers from least to most."""
        cdef Py_ssize_t k
        cdef double value
        for k in range(n):
            value = real_at(values, k, self.net.ops.itemsize)
            if not least <= value <= most:
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

    def forward_one(self, x):
        """a[L] of one row as a new array, or None where x is not a row as the kernels need it."""
        cdef const fbp_layer *last
        cdef fbp_net net
        cdef fbp_row row
        cdef cnp.npy_intp n_out = self.net.layers[self.net.n_layers - 1].n_out
        row.n = self.net.layers.n_in
        row.columns = NULL
        row.values = self.one_row(x, row.n)
        if row.values == NULL:
            return None
        out = cnp.PyArray_SimpleNew(1, &n_out, self.type_number)
        block = self.begin(&net)
        forward(&net, &row, NULL)
        last = net.layers + net.n_layers - 1
        memcpy(cnp.PyArray_DATA(out), last.a, n_out * net.ops.itemsize)
        PyMem_Free(block)
        return out if net.ops.all_finite(cnp.PyArray_DATA(out), n_out) else None

    cdef const void *one_target(self, object y, Py_ssize_t n, void *room):
        """Where n targets stand that the loss allows, or NULL.

        For a number that is in the room given: the target of one output, or of as many as there
        are classes the indicators of that class.
        """
        cdef const void *target
        cdef Py_ssize_t k = 0
        cdef double value
        if isinstance(y, (int, float)):
            try:
                value = y
            except OverflowError:
                return NULL
            if n > 1:
                if not (self.takes_classes and isinstance(y, int) and 0 <= value < n):
                    return NULL
                k, value = <Py_ssize_t> value, 1
            memset(room, 0, n * self.net.ops.itemsize)
            if self.net.ops.itemsize == sizeof(double):
                (<double *> room)[k] = value
            else:
                (<float *> room)[k] = <float> value
            target = room if self.net.ops.all_finite(room, n) else NULL
        else:
            target = self.one_row(y, n)
        if target == NULL or not self.within(target, n, self.least_target, self.most_target):
            return NULL
        return target

    def step(self, x, y, double learning_rate, double alpha=0, double largest_loss=DBL_MAX):
        """One row's step; returns the loss before it, or None where x or y need preparing.

        No step is taken where the loss is above the largest, or a new weight is not finite: that
        returns the loss, NaN or infinity.
        Holds the GIL: releasing it costs as much as a small network's step.
        """
        cdef fbp_net net
        cdef fbp_row row
        cdef const void *target
        cdef fbp_solver solver
        memset(&solver, 0, sizeof(solver))
        cdef fbp_step step
        cdef double loss
        cdef Py_ssize_t n_out = self.net.layers[self.net.n_layers - 1].n_out
        kept = None
        row.n = self.net.layers.n_in
        row.columns = NULL
        row.values = self.one_row(x, row.n)
        if row.values == NULL:
            return None
        block = self.begin(&net, NULL, NULL, alpha == 0)
        try:
            target = self.one_target(y, n_out, room_for_target(&net))
            if target == NULL:
                return None
            loss = forward(&net, &row, target)
            if loss <= largest_loss:                    # nor NaN, nor infinity
                solver.learning_rate, solver.alpha = learning_rate, alpha
                step = step_of(&solver, 1, 1)
                if (max(loss, learning_rate, alpha) > self.large
                        or not self.within(row.values, row.n, -self.large, self.large)):
                    kept = self.arena.copy()
                backward(&net, &row, 1, &step)
        finally:
            PyMem_Free(block)
        if kept is not None and not all_finite(self.arena):
            self.arena[...] = kept
            return np.inf
        return loss


@cython.final
cdef class Lanes:
    """Networks of one shape side by side, one in each lane of a vector: csrc/restarts.inc.h.

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
    weight_velocities, bias_velocities : likewise; empty without momentum
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
        cdef fbp_lane_layer *layer
        cdef Py_ssize_t at = 0, k
        cdef char *start
        cdef char *scratch
        cdef int l
        self.isa = isa or ISA
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
        units = sum(layer_sizes[1:])

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

        self.net.layers = <fbp_lane_layer *> PyMem_Malloc(
            self.net.n_layers * sizeof(fbp_lane_layer))
        if self.net.layers == NULL:
            raise MemoryError()
        scratch = start + k + <Py_ssize_t> (self.n_groups * group_bytes)
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
              Py_ssize_t stop, double learning_rate, double momentum, bint nesterov, double alpha,
              cnp.ndarray loss_sums not None):
        """Train all networks on rows ``order[start:stop]``, row by row.

        Adds to ``loss_sums``, of float64 and shape (n_groups, n_lanes), each network's weighted
        sum of losses: infinity if it has diverged.
        """
        cdef const int64_t *visits = <const int64_t *> cnp.PyArray_DATA(order)
        cdef double *sums = <double *> cnp.PyArray_DATA(loss_sums)
        cdef fbp_solver solver
        cdef fbp_step step
        cdef int group
        cdef Py_ssize_t group_bytes = self.values.nbytes // self.n_groups
        memset(&solver, 0, sizeof(solver))
        solver.learning_rate, solver.momentum, solver.alpha = learning_rate, momentum, alpha
        solver.nesterov = nesterov
        step = step_of(&solver, 1, 1)
        with nogil:
            for group in range(self.n_groups):
                self.shift(group * group_bytes)
                self.ops.train_lanes(&self.net, &rows.data, visits, start, stop, &step,
                                     rows.largest_loss, sums + group * self.n_lanes)
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
