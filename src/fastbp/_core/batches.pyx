# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: binding=False, embedsignature=False, freethreading_compatible=True
"""Training and prediction batch by batch, by a team of threads."""
cimport cython
from cpython.exc cimport PyErr_CheckSignals
from cpython.mem cimport PyMem_Free
from libc.stdint cimport int64_t, uint64_t, uint8_t
from libc.string cimport memcpy

from .kernels cimport (
    FBP_GROUP, fbp_all_done, fbp_batch, fbp_begin_tasks, fbp_data, fbp_done, fbp_end_tasks,
    fbp_hand_out, fbp_layer, fbp_net, fbp_ops, fbp_row, fbp_solver, fbp_take, fbp_wait_and_take,
    row_of, target_of, weight_of
)
from .memory cimport place, padded_to
from .rows cimport weight_of_rows
from .backprop cimport ROWS_BETWEEN_SIGNALS, output, step_of
from .layers cimport Layers


cdef enum:
    NEAR_BYTES = 1 << 16       # of gradients of non-zeros, which their step takes at once
    CHUNK_BYTES = 4 << 20
    PIECES_A_THREAD = 4        # of the weights, so that threads finish at about the same time


cdef Py_ssize_t train_batches(ThreadTeam *team, double *loss_sum) noexcept nogil:
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
            n = min(team.max_rows, end - t)
            team.first_row, team.n_rows = t, n
            team.is_first, team.is_last = t == start, t + n == end
            hand_out(team, BACKPROPAGATE_ROWS, n_groups(team))  # all rows have their delta[l]
            loss += sum_of(team.losses, n_blocks(team))
            team.factor = 1
            if team.is_last:
                if solver.by_weight:
                    hand_out(team, ADD_UP_WEIGHTS, team.n_pieces)
                    loss += 0.5 * solver.alpha * sum_of(team.penalties, team.n_units)
                if not loss <= solver.max_loss * weight:
                    return start
                n_steps += 1
                divisor = weight if solver.by_weight else end - start
                team.step, team.factor = step_of(solver, divisor, n_steps), 1 / divisor
                if solver.by_weight:
                    loss *= (end - start) / weight
                loss_sum[0] += loss
            hand_out(team, MOVE_WEIGHTS, team.n_pieces)     # all weights have taken their step
            if t // ROWS_BETWEEN_SIGNALS != (t + n) // ROWS_BETWEEN_SIGNALS:
                check_interrupt(team)
            if team.interrupted:
                return start
            t += n
        start = end
    return start


cdef void unload_weights(ThreadTeam *team) noexcept nogil:
    """Weights, and their moments, also stand where they belong."""
    cdef int l
    for l in range(team.nets.n_layers):
        team.nets.ops.batch_unload(&team.layers[l], &team.nets.layers[l])


cdef void hand_out(ThreadTeam *team, TaskKind kind, int n_tasks) noexcept nogil:
    """Tasks 0 to n_tasks of a kind, done by this thread and those of the team that have time."""
    cdef int task
    team.kind = kind
    fbp_hand_out(&team.tasks, n_tasks)
    task = fbp_take(&team.tasks)
    while task >= 0:
        do_task(team, 0, task)
        task = fbp_take(&team.tasks)
    fbp_all_done(&team.tasks)


cdef void do_task(ThreadTeam *team, int me, int task) noexcept nogil:
    """Do one of the tasks, in this thread's scratch, and say so."""
    cdef Py_ssize_t t = task * team.group_rows, n = min(team.group_rows, team.n_rows - t)
    if team.kind == BACKPROPAGATE_ROWS:
        backpropagate_rows(team, me, t, <int> n)
    elif team.kind == MOVE_WEIGHTS:
        move_weights(team, me, &team.pieces[task])
    elif team.kind == ADD_UP_WEIGHTS:
        add_up_weights(team, me, &team.pieces[task])
    else:
        predict_rows(team, me, t, <int> n)
    fbp_done(&team.tasks)


cdef void backpropagate_rows(ThreadTeam *team, int me, Py_ssize_t t, int n) noexcept nogil:
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
    cdef char *slopes_of
    cdef char *delta = <char *> batch[last].D + t * batch[last].stride * itemsize
    net.sample = team.first_sample + team.first_row - team.start
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
            slopes_of = a if batch[l - 1].z == NULL else <char *> batch[l - 1].z
            delta = <char *> batch[l - 1].D + t * batch[l - 1].stride * itemsize
            for k in range(n):                              # delta[l-1] *= f'(z[l-1])
                if layer.dropout:
                    net.ops.drop_deltas(layer, delta, a, net.sample + t + k)
                layer.derive(delta, slopes_of, layer.n_out)
                a += batch[l - 1].stride * itemsize
                slopes_of += batch[l - 1].stride * itemsize
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
            if batch[l].z != NULL:                          # f' needs z
                memcpy(batch[l].z, a, n * batch[l].stride * net.ops.itemsize)
            for k in range(n):                              # a[l] = f(z[l])
                layer.activate(a, layer.n_out)
                if layer.dropout:
                    net.ops.drop_units(layer, a, net.sample + t + k)
                a += batch[l].stride * net.ops.itemsize


cdef double output_of_row(fbp_net *net, const fbp_batch *batch, int k,
                          const void *y) noexcept nogil:
    """The loss of row k of the group, with a[L] and delta[L] in the last layer's scratch."""
    cdef fbp_layer *layer = &net.layers[net.n_layers - 1]
    cdef size_t row_bytes = batch.stride * net.ops.itemsize
    memcpy(layer.z, <char *> batch.Z + k * row_bytes, layer.n_out * net.ops.itemsize)
    return output(net, layer, y)


cdef void move_weights(ThreadTeam *team, int me, const Piece *piece) noexcept nogil:
    """The rows' gradients for a piece of the weights, and after the batch's last rows its step."""
    cdef fbp_net *net = &team.nets[me]
    net.ops.batch_update(&team.layers[me * net.n_layers + piece.layer], &net.layers[piece.layer],
                         team.rows, team.n_rows, piece.first, piece.n, team.is_first, team.factor,
                         &team.step if team.is_last else NULL)


cdef void add_up_weights(ThreadTeam *team, int me, const Piece *piece) noexcept nogil:
    """The squares of a piece of the weights, panel by panel of inputs."""
    cdef fbp_net *net = &team.nets[me]
    cdef int64_t width = net.ops.panel_width, end = piece.first + piece.n, i = piece.first
    while i < end:
        team.penalties[piece.first_unit + (i - piece.first) // width] = net.ops.batch_penalty(
            &team.layers[me * net.n_layers + piece.layer], &net.layers[piece.layer], i,
            min(width, end - i))
        i += width


cdef void predict_rows(ThreadTeam *team, int me, Py_ssize_t t, int n) noexcept nogil:
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


cdef inline int n_blocks(const ThreadTeam *team) noexcept nogil:
    cdef int block_rows = team.nets.ops.block_rows
    return <int> ((team.n_rows + block_rows - 1) // block_rows)


cdef int n_groups(const ThreadTeam *team) noexcept nogil:
    return <int> ((team.n_rows + team.group_rows - 1) // team.group_rows)


cdef double sum_of(const double *values, Py_ssize_t n) noexcept nogil:
    cdef double total = 0
    cdef Py_ssize_t k
    for k in range(n):
        total += values[k]
    return total


cdef void check_interrupt(ThreadTeam *team) noexcept with gil:
    """Stores what Ctrl-C raises until all threads have stopped."""
    try:
        PyErr_CheckSignals()
    except BaseException as error:
        (<BatchWorkspace> team.owner).interruption = error
        team.interrupted = True


@cython.final
cdef class BatchWorkspace:
    """Memory for training layers on batches, by a team of threads.

    Parameters
    ----------
    layers : Layers
    sparse : bool, whether rows are those of a CSR matrix
    n_moments : int, of each weight; or -1 to go forward only
    batch_size : int
    n_threads : int
    """

    def __init__(self, Layers layers not None, bint sparse, int n_moments, Py_ssize_t batch_size,
                 int n_threads):
        cdef const fbp_ops *ops = layers.net.ops
        cdef int n_layers = layers.net.n_layers, l
        cdef Py_ssize_t rows = ops.block_rows, max_rows, group
        self.kind = (sparse, n_moments, batch_size, n_threads)
        self.memory = []
        sizes = [(layers.net.layers[l].n_in, layers.net.layers[l].n_out) for l in range(n_layers)]
        # Rows of a long batch come in chunks that a cache can hold.
        per_row = sum([n_in + padded_to(n_out, ops.lanes) for n_in, n_out in sizes])
        per_row -= sizes[0][0] if sparse else 0         # of X, which stays where it is
        max_rows = max(1, <Py_ssize_t> (CHUNK_BYTES // ops.itemsize // per_row // rows)) * rows
        max_rows = min(max_rows, <Py_ssize_t> padded_to(batch_size, rows))
        group = min(FBP_GROUP, (max_rows // rows + n_threads - 1) // n_threads) * rows
        if n_moments < 0:
            max_rows = n_threads * group
        self.team.n_threads, self.team.max_rows = n_threads, max_rows
        self.team.owner = <void *> self
        self.team.group_rows = group
        self.team.layers = <fbp_batch *> self.zeros(n_threads * n_layers * sizeof(fbp_batch))
        self.team.nets = <fbp_net *> self.zeros(n_threads * sizeof(fbp_net))
        self.scratch = <void **> self.zeros(n_threads * sizeof(void *))
        self.team.rows = <fbp_row *> self.zeros(max_rows * sizeof(fbp_row))
        self.team.losses = <double *> self.zeros(max_rows // rows * sizeof(double))
        for l in range(n_layers):
            self.place_layer(layers, l)
        if n_moments >= 0:
            self.divide_weights(sizes, ops.panel_width)

    cdef place_layer(self, Layers layers, int l):
        """Allocate a layer's panels, which threads share, and the scratch of each thread."""
        cdef const fbp_ops *ops = layers.net.ops
        cdef int n_layers = layers.net.n_layers, n_moments = self.kind[1], me
        cdef Py_ssize_t batch_size = self.kind[2]
        cdef Py_ssize_t max_rows = self.team.max_rows, group = self.team.group_rows, length
        cdef Py_ssize_t n_in = layers.net.layers[l].n_in, n_out = layers.net.layers[l].n_out
        cdef Py_ssize_t columns = padded_to(n_out, ops.lanes)
        cdef bint trains = n_moments >= 0
        cdef bint keeps_z = layers.net.layers[l].slopes_of != NULL and l < n_layers - 1
        cdef fbp_batch *first = self.team.layers + l
        cdef fbp_batch *layer = first
        cdef void **places[7]
        layer.n_columns = columns
        # An odd number of cache lines: a panel's part of many rows finds room side by side.
        layer.stride = ((columns * ops.itemsize + 63) // 64 | 1) * 64 // ops.itemsize
        layer.sparse = self.kind[0] and l == 0
        length = 0 if layer.sparse else n_in * columns
        sums = 0 if batch_size <= max_rows else n_in * n_out if layer.sparse else length
        layer.n_near = max(1, <Py_ssize_t> (NEAR_BYTES // ops.itemsize // n_out))
        layer.state_stride = length if n_moments == 2 else 0
        places[:] = [&layer.W, &layer.V, &layer.G, &layer.W_T, &layer.X, &layer.D, &layer.to_b]
        self.memory.append(place(places, [
            length, max(n_moments, 0) * length, sums if trains else 0,
            padded_to(n_in, ops.lanes) * n_out if l and trains else 0,
            0 if layer.sparse else n_in * max_rows, max_rows * layer.stride if trains else 0,
            columns,
        ], ops.itemsize))
        if not (trains or layer.sparse):
            layer.spans = <int64_t *> self.zeros(
                2 * sizeof(int64_t) * (padded_to(columns, ops.panel_width) // ops.panel_width))
        if n_moments < 1:
            layer.V = NULL
        if l == 0 or not trains:
            layer.W_T = NULL
        for me in range(self.team.n_threads):
            layer = self.team.layers + me * n_layers + l
            layer[0] = first[0]
            places[:] = [&layer.Z, &layer.D_T, &layer.b, &layer.G_near, &layer.z, NULL, NULL]
            self.memory.append(place(places, [
                group * layer.stride, n_out * group, columns,
                layer.n_near * n_out if layer.sparse and trains else 0,
                group * layer.stride if keeps_z else 0,
            ], ops.itemsize))
            if not keeps_z:
                layer.z = NULL
            if layer.sparse:
                layer.met = <uint8_t *> self.zeros(layer.n_near)
                layer.parts = <fbp_row *> self.zeros(max_rows * sizeof(fbp_row))

    cdef void *zeros(self, size_t n_bytes):
        """Zeros that live as long as this object."""
        cdef void *at
        cdef void **places[1]
        places[0] = &at
        self.memory.append(place(places, [n_bytes], 1))
        return at

    cdef divide_weights(self, list sizes, Py_ssize_t panel):
        """Cuts the weights into pieces, whole panels of a layer's inputs, some for each thread."""
        cdef Piece *pieces
        cdef Py_ssize_t before = 0
        n_wanted = 1 if self.team.n_threads == 1 else PIECES_A_THREAD * self.team.n_threads
        max_rows = -(-sum([n_in * n_out for n_in, n_out in sizes]) // n_wanted)
        cuts = []
        for l, (n_in, n_out) in enumerate(sizes):
            width = max(panel, max_rows // n_out // panel * panel) if n_wanted > 1 else n_in
            cuts += [(l, first, min(width, n_in - first), before + first // panel)
                     for first in range(0, n_in, width)]
            before += <Py_ssize_t> padded_to(n_in, panel) // panel
        self.team.n_pieces, self.team.n_units = len(cuts), before
        self.team.penalties = <double *> self.zeros(before * sizeof(double))
        self.team.pieces = pieces = <Piece *> self.zeros(len(cuts) * sizeof(Piece))
        for i, (l, first, n, unit) in enumerate(cuts):
            pieces[i].layer, pieces[i].first, pieces[i].n = l, first, n
            pieces[i].first_unit = unit

    cdef begin(self, Layers layers, char *moments, tuple dropout=(), uint64_t dropout_seed=0):
        """Opens the network's layers for every thread, and loads their weights."""
        cdef int me, l
        for me in range(self.team.n_threads):
            self.scratch[me] = layers.begin(&self.team.nets[me], NULL, moments, False)
            set_dropout(&self.team.nets[me], dropout, dropout_seed)
        for l in range(self.team.nets.n_layers):
            self.team.layers[l].layer_state_stride = self.team.solver.state_stride
            self.team.nets.ops.batch_load(&self.team.layers[l], &self.team.nets.layers[l])
        self.team.interrupted = False

    cdef end(self):
        """Releases scratch; weights that were trained have been unloaded."""
        cdef int me
        for me in range(self.team.n_threads):
            PyMem_Free(self.scratch[me])
            self.scratch[me] = NULL

    def help(self):
        """Runs in a worker thread, if there is a place for it: tasks until there are no more."""
        cdef int me, task
        with nogil:
            me = fbp_take(&self.team.places) + 1
            if me > 0:
                task = fbp_wait_and_take(&self.team.tasks)
                while task >= 0:
                    do_task(&self.team, me, task)
                    task = fbp_wait_and_take(&self.team.tasks)
                fbp_done(&self.team.places)

    cdef call(self, workers, Work work, void *context):
        """Does the work in this thread and, with ``workers``, in the others of the team."""
        cdef int _me
        fbp_begin_tasks(&self.team.tasks)
        fbp_begin_tasks(&self.team.places)
        try:
            if workers is not None:
                fbp_hand_out(&self.team.places, self.team.n_threads - 1)
                for _me in range(1, self.team.n_threads):
                    try:
                        workers.submit(self.help)
                    except RuntimeError:                # no more threads are to be had
                        break
            with nogil:
                work(&self.team, context)
        finally:  # Ctrl-C may come while work is submitted, too
            dismiss_workers(&self.team)
        if self.interruption is not None:
            interruption, self.interruption = self.interruption, None
            raise interruption


cdef void dismiss_workers(ThreadTeam *team) noexcept nogil:
    """Waits until all workers have left; later ones find no place."""
    fbp_end_tasks(&team.tasks)
    while fbp_take(&team.places) >= 0:
        fbp_done(&team.places)
    fbp_all_done(&team.places)


cdef set_dropout(fbp_net *net, tuple dropout, uint64_t seed):
    """Lets the hidden layers drop their units with these probabilities."""
    cdef int l
    for l in range(len(dropout)):
        net.layers[l].dropout = dropout[l]
        net.layers[l].dropout_seed = seed + (<uint64_t> l << 32)


cdef void predict_all(ThreadTeam *team, void *_context) noexcept nogil:
    """Work of a team: a[L] of the rows in hand."""
    hand_out(team, PREDICT_ROWS, n_groups(team))
