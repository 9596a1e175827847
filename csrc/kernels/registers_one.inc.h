/* registers.inc.h for a single output, with momentum or without: its w2 and all biases stay in registers, and only
 * what has delta as a factor waits for it. */
#ifndef FASTBP_KERNELS_REGISTERS_ONE_INC_H
#define FASTBP_KERNELS_REGISTERS_ONE_INC_H

#include "registers_pass.inc.h"

/* Parameters of the last layer and biases, which stay in registers, each with its velocity. */
typedef struct {
    vec b[REGISTER_VECTORS], V_b[REGISTER_VECTORS], w2[REGISTER_VECTORS], V_w2[REGISTER_VECTORS], b2, V_b2;
} registers_parameters;

INLINE void registers_move_all(registers_parameters *p, const fbp_net *net, const fbp_block *block, const int NV,
                               const int KIND, int loading) {
    const fbp_layer *last = net->layers + 1;
    real *b2 = last->b, *V_b2 = last->V_b;
    registers_move(p->b, block->b, NV, loading);
    registers_move(p->w2, last->W, NV, loading);
    if (KIND & MOVES) registers_move(p->V_b, block->V_b, NV, loading);
    if (KIND & MOVES) registers_move(p->V_w2, last->V_W, NV, loading);
    if (loading) {
        p->b2 = v_set1(*b2);
        p->V_b2 = v_set1(KIND & MOVES ? *V_b2 : 0);
    } else {
        *b2 = v_first(p->b2);
        if (KIND & MOVES) *V_b2 = v_first(p->V_b2);
    }
}

/* What a row leaves to the next, and its activations. */
typedef struct {
    vec z[REGISTER_VECTORS], Z[REGISTER_VECTORS], Z_V[REGISTER_VECTORS], D[REGISTER_VECTORS], E[REGISTER_VECTORS];
    vec a[REGISTER_VECTORS];
} registers_row;

/* a = f(z), 0 behind the last unit */
INLINE void registers_activate(registers_row *row, vec last_units, const int NV, const fbp_activation ACTIVATION) {
    UNROLL for (int q = 0; q < NV; q++) row->a[q] = v_activate(row->z[q], ACTIVATION);
    if (!fbp_activations[ACTIVATION].at_0) row->a[NV - 1] = v_mul(row->a[NV - 1], last_units);
}

/* Delta and loss of a single output, from z. Nothing waits for the loss. A call, not inline: what it
 * calls itself would else cost the commonest output registers. */
static vec registers_output(const fbp_net *net, vec z, const real *y, double *loss) {
    const fbp_layer *layer = net->layers + 1;
    /* a call less where a row waits for it most often */
    const vec a = net->last_activation == FBP_LOGISTIC ? v_logistic(z) : v_activate_any(z, net->last_activation);
    v_store(layer->z, z);
    v_store(layer->a, a);
    *loss = net->output_delta(layer->delta, layer->z, layer->a, y, 1, net->loss_parameter);
    if (net->loss_pair && fbp_losses[net->loss].pair_is_difference) return v_sub(a, v_set1(*y));
    const vec delta = v_set1(*(const real *)layer->delta);
    return net->loss_pair ? delta : v_derive_any(delta, z, a, net->last_activation);
}

/* a . w2, in every lane, or in those of one or two hidden units: the next row waits for each step of it. */
INLINE vec registers_product(const vec *a, const vec *w2, int64_t n_units, const int NV) {
    vec product = v_mul(a[0], w2[0]);
    UNROLL for (int q = 1; q < NV; q++) product = v_fma(a[q], w2[q], product);
    if (NV > 1 || n_units > 2) return v_total(product);
    return n_units == 2 ? v_pair_total(product) : product;
}

/* D and E of this row, z of the next, and the steps of all that stays in registers */
INLINE void registers_turn(registers_row *row, registers_parameters *p, vec delta, vec gram, vec rate, vec rate_V,
                           const vec_step *s, const vec_step *s_bias, const int NV,
                           const fbp_activation ACTIVATION, const int KIND) {
    const vec one = v_set1(1);
    UNROLL for (int q = 0; q < NV; q++) {
        const vec slope = v_derive(p->w2[q], row->a[q], ACTIVATION);
        row->D[q] = v_mul(v_mul(rate, delta), slope);
        row->E[q] = KIND & MOVES ? v_mul(v_mul(rate_V, delta), slope) : row->D[q];
        /* biases do not decay */
        row->z[q] = v_add(row->Z[q], registers_decayed(p->b[q], p->V_b[q], s_bias, KIND & MOVES));
        row->z[q] = v_fma(delta, v_mul(v_mul(rate, gram), slope), row->z[q]);
        registers_step(&p->b[q], &p->V_b[q], one, row->D[q], row->E[q], s_bias, KIND & MOVES);
        registers_step(&p->w2[q], &p->V_w2[q], delta, v_mul(rate, row->a[q]), v_mul(rate_V, row->a[q]), s, KIND);
    }
    registers_step(&p->b2, &p->V_b2, delta, rate, rate_V, s_bias, KIND & MOVES);
}

/* train_registers for NV vectors of hidden units and a single output; KIND: what a step has besides gradients. */
INLINE int64_t registers_rows_one(registers_run *run, const int NV, const fbp_activation ACTIVATION,
                                  const int KIND) {
    fbp_net *net = run->net;
    const fbp_data *data = run->data;
    const fbp_step *step = run->step;
    const int64_t *order = run->order;
    const int64_t start = run->start, stop = run->stop, n_in = net->layers->n_in, n_units = net->layers->n_out;
    const int64_t per_vector = (KIND & MOVES ? 2 : 1) * n_in * VL;
    const int TILE = registers_tile(NV, KIND & MOVES);
    const vec_step s = step_times(step, 1, 0), s_bias = step_times(step, 1, 1);
    const vec last_units = registers_last_units(net->layers, NV);
    const double max_loss = run->max_loss;
    real *W = run->block->W;
    const real *x = fbp_dense_row(data, order[start]), *x_last = x, *next = x;
    registers_parameters p;
    registers_row row;
    vec z[REGISTER_VECTORS], Z[REGISTER_VECTORS];
    double sum = 0;
    int64_t r = start;

    registers_move_all(&p, net, run->block, NV, KIND, 1);
#define PASS(q, NQ)                                                                                         \
    do {                                                                                                    \
        registers_pass(row.Z + q, row.Z_V + q, W + q * per_vector, n_in, x_last, next, row.D + q, row.E + q, \
                       &s, NQ, KIND);                                                                       \
        UNROLL for (int u = q; u < q + NQ; u++) row.Z[u] = registers_decayed(row.Z[u], row.Z_V[u], &s, KIND); \
    } while (0)
    registers_begin(z, Z, run, &s, NV, KIND);
    UNROLL for (int q = 0; q < NV; q++) {
        row.z[q] = z[q];
        row.D[q] = row.E[q] = v_set1(0);
    }
    for (;; r++) {
        vec gram = v_set1(1), delta;
        double loss;
        next = fbp_dense_row(data, order[r + 1 < stop ? r + 1 : start]);
        if (r + AHEAD < stop) fbp_fetch_dense_row(data, order[r + AHEAD]);

        /* What comes first is taken up first: the activations of several vectors take longer than
         * the pass, which fills the gaps they leave. */
        if (NV > 1) registers_activate(&row, last_units, NV, ACTIVATION);
        if (r == start)
            UNROLL for (int q = 0; q < NV; q++) row.Z[q] = Z[q];
        else EACH_TILE(PASS);
        if (r == stop) break;
        if (NV == 1) registers_activate(&row, last_units, NV, ACTIVATION);
        for (int64_t i = 0; i < n_in; i++) gram = v_fma(v_set1(x[i]), v_set1(next[i]), gram);
        KEEP_IN_REGISTER(gram);

        const real *y = fbp_target_of(data, order[r]);
        const double weight = fbp_weight_of(data, order[r]);
        const vec product = registers_product(row.a, p.w2, n_units, NV);
        if (is_difference(net)) {
            delta = v_add(product, v_sub(p.b2, v_set1(*y)));
            loss = 0.5 * (double)v_first(delta) * v_first(delta);
        } else {
            delta = registers_output(net, v_add(product, p.b2), y, &loss);
        }
        if (!(loss <= max_loss)) break;
        sum += weight * loss;
        registers_turn(&row, &p, delta, gram, v_set1((real)(step->rate[0] * weight)),
                       v_set1((real)(step->rate[1] * weight)), &s, &s_bias, NV, ACTIVATION, KIND);
        x_last = x;
        x = next;
    }
#undef PASS
    registers_move_all(&p, net, run->block, NV, KIND, 0);
    run->loss_sum += sum;
    return r;
}

#endif
