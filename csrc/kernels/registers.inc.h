/* A network of one small hidden layer: the whole step of a row in one piece, as much of it in
 * registers as they hold, with the first layer one row behind.
 *
 * A row's step is so short that what takes time is waiting for the row before. So nothing waits for
 * a row's delta but what must: with x, x' this row and the next, `decay` and `rate` of the step
 * (fbp_step; without momentum there is no V) and D = weight f'(a) sum over outputs of delta w2,
 *
 *     z' = Z + (x . x' + 1) rate[0] D                                              exact
 *     Z  = decay[0][0] x' W + decay[0][1] x' V + b, without this row's step
 *
 * where Z comes from the pass over W and V that applies the pending update of the row before, and
 * only D has to wait for delta. Whatever there is one of, such as a delta, stands in every lane of a vector;
 * where one or two units are added up without the other lanes, those have one of their own, which meets nothing
 * but zeros.
 *
 * Of several outputs the weights are scale * W and scale * w2, and L2 shrinks the scale alone. So a step
 * divides by it, and what is read is multiplied, both where nothing waits for it. A single output has a
 * loop of its own, in which its w2 and all biases stay in registers, and where only what has delta as a
 * factor waits for it.
 *
 * W stands in tiles of some vectors of units, W[tile][input][vectors * VL], with momentum as many of
 * V behind those of each input; zero behind n_out. There b, w2 and D stay zero too, because every
 * unit is 0 there: logistic(0), which is not, is made so. w2 is that of the layer, transposed
 * (layer_load): vectors run over units there as well. */
#ifndef FASTBP_KERNELS_REGISTERS_INC_H
#define FASTBP_KERNELS_REGISTERS_INC_H

#include "registers_one.inc.h"
#include "registers_several.inc.h"

/* W and b, with their velocities, to and from the first layer. */
INLINE void registers_copy(const fbp_net *net, fbp_block *block, int NV, int moves, int loading) {
    const fbp_layer *first = net->layers;
    const int64_t n_in = first->n_in, n_out = first->n_out, kinds = moves ? 2 : 1;
    const int upper = registers_tile(NV, moves);
    for (int64_t q = 0; q < NV; q++) {
        const int64_t tile = q / upper * upper, width = (NV - tile < upper ? NV - tile : upper) * VL;
        real *W = (real *)block->W + tile * VL * n_in * kinds + (q - tile) * VL;
        copy_columns(W, kinds * width, first->W, n_in, n_out, q * VL, loading);
        copy_columns((real *)block->b + q * VL, VL, first->b, 1, n_out, q * VL, loading);
        if (!moves) continue;
        copy_columns(W + width, kinds * width, first->V_W, n_in, n_out, q * VL, loading);
        copy_columns((real *)block->V_b + q * VL, VL, first->V_b, 1, n_out, q * VL, loading);
    }
}

/* Every template is a function of its own, by vectors, activation and what the step has besides gradients (KIND):
 * in one function of them all compilers run short of registers, each time somewhere else. */
typedef int64_t registers_template(registers_run *run);
#define ONE(NV, ACTIVATION, KIND)                                            \
    static int64_t registers_##NV##_##ACTIVATION##_##KIND(registers_run *run) { \
        return registers_rows_one(run, NV, FBP_##ACTIVATION, KIND);             \
    }
#define EACH_KIND(NV, ACTIVATION) \
    ONE(NV, ACTIVATION, 0) ONE(NV, ACTIVATION, 1) ONE(NV, ACTIVATION, 2) ONE(NV, ACTIVATION, 3)
#define EACH_ONE(NV) EACH_KIND(NV, LOGISTIC) EACH_KIND(NV, TANH) EACH_KIND(NV, RELU)
#define SEVERAL(NV) \
    static int64_t registers_several_##NV(registers_run *run) { return registers_rows(run, NV); }
EACH_ONE(1) EACH_ONE(2)
SEVERAL(1) SEVERAL(2) SEVERAL(3) SEVERAL(4)
#if REGISTER_VECTORS == 4
EACH_ONE(3) EACH_ONE(4)
SEVERAL(5) SEVERAL(6) SEVERAL(7) SEVERAL(8)
#endif
#undef ONE
#undef EACH_KIND
#undef EACH_ONE
#undef SEVERAL

/* By vectors, activation, and kind */
#define NAME(NV, ACTIVATION, KIND) registers_##NV##_##ACTIVATION##_##KIND
#define KINDS(NV, ACTIVATION)                                             \
    [FBP_##ACTIVATION] = {NAME(NV, ACTIVATION, 0), NAME(NV, ACTIVATION, 1), \
                          NAME(NV, ACTIVATION, 2), NAME(NV, ACTIVATION, 3)}
#define ONE(NV) {KINDS(NV, LOGISTIC), KINDS(NV, TANH), KINDS(NV, RELU)}
static registers_template *const registers_of_one[REGISTER_VECTORS][FBP_N_ACTIVATION][4] = {
    ONE(1), ONE(2),
#if REGISTER_VECTORS == 4
    ONE(3), ONE(4),
#endif
};
#undef ONE
#undef KINDS
#undef NAME
static registers_template *const registers_of_several[MAX_VECTORS] = {
    registers_several_1, registers_several_2, registers_several_3, registers_several_4,
#if REGISTER_VECTORS == 4
    registers_several_5, registers_several_6, registers_several_7, registers_several_8,
#endif
};

static int64_t train_registers(fbp_net *net, fbp_block *block, const fbp_data *data, const int64_t *order,
                               int64_t start, int64_t stop, const fbp_step *step, double max_loss,
                               double *loss_sum) {
    const int n_vectors = (int)((net->layers->n_out + VL - 1) / VL), moves = step->rule == FBP_MOMENTUM;
    const int kind = (step->decay[0][0] != 1 ? DECAYS : 0) | (moves ? MOVES : 0);
    registers_run run = {net, block, data, order, start, stop, step, max_loss, 0};
    registers_template *train = NULL;
    if (start == stop) return start;
    if (net->layers[1].n_out == 1 && n_vectors <= REGISTER_VECTORS)
        train = registers_of_one[n_vectors - 1][net->first_activation][kind];
    if (!train) train = registers_of_several[n_vectors - 1];
    registers_copy(net, block, n_vectors, moves, 1);
    const int64_t stopped = train(&run);
    registers_copy(net, block, n_vectors, moves, 0);
    *loss_sum += run.loss_sum;
    return stopped;
}

#endif
