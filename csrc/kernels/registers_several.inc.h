/* registers.inc.h for several outputs, or more hidden units than have a loop for one, without momentum. */
#ifndef FASTBP_KERNELS_REGISTERS_SEVERAL_INC_H
#define FASTBP_KERNELS_REGISTERS_SEVERAL_INC_H

#include "registers_pass.inc.h"

/* a = f(z), 0 behind the last unit */
INLINE void registers_activate_all(vec *a, const vec *z, const fbp_layer *layer, vec last_units, const int NV,
                                   fbp_activation activation) {
    real values[MAX_VECTORS * VL];
    if (USUALLY(activation == FBP_RELU)) {
        UNROLL for (int q = 0; q < NV; q++) a[q] = v_activate(z[q], FBP_RELU);
    } else {
        UNROLL for (int q = 0; q < NV; q++) v_store(values + q * VL, z[q]);
        layer->activate(values, NV * VL);
        UNROLL for (int q = 0; q < NV; q++) a[q] = v_load(values + q * VL);
    }
    if (!fbp_activations[activation].at_0) a[NV - 1] = v_mul(a[NV - 1], last_units);
}

/* sums[k]: lanes that add up to a . w2[k], for OUTPUTS outputs */
INLINE void registers_products(vec *sums, const real *w2, int64_t width, const vec *a, const int NV,
                               const int OUTPUTS) {
    vec odd[4];
    UNROLL for (int k = 0; k < OUTPUTS; k++) {
        sums[k] = v_mul(a[0], v_load(w2 + k * width));
        odd[k] = v_set1(0);
    }
    UNROLL for (int q = 1; q < NV; q++)
        UNROLL for (int k = 0; k < OUTPUTS; k++) {
            vec *sum = q % 2 ? odd + k : sums + k;
            *sum = v_fma(a[q], v_load(w2 + k * width + q * VL), *sum);
        }
    UNROLL for (int k = 0; k < OUTPUTS; k++) sums[k] = v_add(sums[k], odd[k]);
}

/* What a row leaves to the next. */
typedef struct {
    vec z[MAX_VECTORS], Z[MAX_VECTORS], a[MAX_VECTORS], D[MAX_VECTORS], b[MAX_VECTORS];
} registers_state;

/* What a row's gradients are multiplied by, in every lane: as W and w2 want it, which are scaled, and as
 * b and z do, whose gradients are worked out of a w2 without its scale. */
typedef struct {
    vec W, w2, b;
} registers_rates;

INLINE registers_rates rates_of(const fbp_step *step, double weight, double scale, double decay) {
    const double rate = step->rate[0] * weight;
    const registers_rates takes = {v_set1((real)(rate / decay)), v_set1((real)(rate / (scale * decay))),
                                   v_set1((real)(rate * scale))};
    return takes;
}

/* Loss and delta = z - y of n outputs, a few at most, in every lane of a vector each and in the layer. */
INLINE double registers_few_outputs(vec *delta, const fbp_layer *layer, const vec *a, vec scale, const real *y,
                                    int n, const int NV) {
    const real *b = layer->b;
    double loss = 0;
    switch (n) {
    case 1: registers_products(delta, layer->W, layer->width, a, NV, 1); break;
    case 2: registers_products(delta, layer->W, layer->width, a, NV, 2); break;
    case 3: registers_products(delta, layer->W, layer->width, a, NV, 3); break;
    default: registers_products(delta, layer->W, layer->width, a, NV, 4);
    }
    UNROLL for (int k = 0; k < FBP_FEW_OUTPUTS; k++) {
        if (k == n) break;
        delta[k] = v_fma(scale, v_total(delta[k]), v_set1(b[k] - y[k]));
        const real d = v_first(delta[k]);
        ((real *)layer->delta)[k] = d;
        loss += (double)d * d;
    }
    return 0.5 * loss;
}

/* Their biases take their step: by plain numbers, which the next row reads. */
INLINE void update_few_biases(const fbp_layer *layer, real rate, int n) {
    const real *delta = layer->delta;
    real *b = layer->b;
    UNROLL for (int k = 0; k < FBP_FEW_OUTPUTS; k++) {
        if (k == n) break;
        b[k] += rate * delta[k];
    }
}

/* The output layer's delta and loss, from the hidden layer's a. */
INLINE double registers_outputs(const fbp_net *net, const vec *a, real scale, const real *y, int is_difference_of,
                                const int NV) {
    const fbp_layer *layer = net->layers + 1;
    const int64_t n = layer->n_out, width = layer->width;
    const real *w2 = layer->W, *b = layer->b;
    real *z = layer->z, *delta = layer->delta, totals[4];
    vec sums[4];
    int64_t k = 0;
    for (; k + 4 <= n; k += 4, w2 += 4 * width) {
        registers_products(sums, w2, width, a, NV, 4);
        v_sums(totals, sums[0], sums[1], sums[2], sums[3]);
        UNROLL for (int u = 0; u < 4; u++) z[k + u] = b[k + u] + scale * totals[u];
    }
    for (; k < n; k++, w2 += width) {
        registers_products(sums, w2, width, a, NV, 1);
        z[k] = b[k] + scale * v_sum(sums[0]);
    }
    if (!USUALLY(is_difference_of)) return output_delta(net, y);
    difference(delta, z, y, n);
    return 0.5 * squares_of(delta, n);
}

/* back = sum over outputs of delta w2, and w2 takes its step: NQ vectors from q on, of n_few outputs, whose
 * deltas are in registers, or if that is 0 all. */
INLINE void registers_back(vec *back, const fbp_layer *layer, const vec *delta, int n_few, const vec *a, vec rate,
                           int q, const int NQ) {
    const real *deltas = layer->delta;
    real *w2 = (real *)layer->W + q * VL;
    vec taken[TILE_VECTORS];
    UNROLL for (int u = 0; u < NQ; u++) {
        back[u] = v_set1(0);
        taken[u] = v_mul(rate, a[q + u]);
    }
#define OUTPUT(DELTA)                                \
    const vec d = DELTA;                             \
    UNROLL for (int u = 0; u < NQ; u++) {            \
        const vec w = v_load(w2 + u * VL);           \
        back[u] = v_fma(d, w, back[u]);              \
        v_store(w2 + u * VL, v_fma(d, taken[u], w)); \
    }                                                \
    w2 += layer->width
    if (USUALLY(n_few)) {
        UNROLL for (int k = 0; k < FBP_FEW_OUTPUTS; k++) {
            if (k == n_few) break;
            OUTPUT(delta[k]);
        }
    } else {
        for (int64_t k = 0; k < layer->n_out; k++) {
            OUTPUT(v_set1(deltas[k]));
        }
    }
#undef OUTPUT
}

/* slopes = back f'(z), without a call: that would take registers from every row */
INLINE void registers_slopes(vec *slopes, const vec *back, const vec *a, const int NQ, fbp_activation activation) {
    if (USUALLY(activation == FBP_RELU)) {
        UNROLL for (int u = 0; u < NQ; u++) slopes[u] = v_derive(back[u], a[u], FBP_RELU);
        return;
    }
    UNROLL for (int u = 0; u < NQ; u++) slopes[u] = v_derive(back[u], a[u], activation);
}

/* D, the next row's z and b's step, for NQ vectors from q on. */
INLINE void registers_hidden_step(registers_state *p, const vec *back, const registers_rates *rate, vec gram,
                                  vec decayed, int q,
                                  const int NQ, const fbp_activation activation) {
    vec slopes[TILE_VECTORS];
    registers_slopes(slopes, back, p->a + q, NQ, activation);
    UNROLL for (int u = 0; u < NQ; u++) {
        const vec slope = slopes[u];
        p->D[q + u] = v_mul(rate->W, slope);
        p->z[q + u] = v_fma(slope, v_mul(rate->b, gram), v_fma(decayed, p->Z[q + u], p->b[q + u]));
        p->b[q + u] = v_fma(rate->b, slope, p->b[q + u]);
    }
}

/* Multiplies W, w2 and W's pending update D by the scale. */
INLINE void registers_unscale(registers_state *p, const fbp_net *net, fbp_block *block, double factor,
                              const int NV) {
    const fbp_layer *layer = net->layers + 1;
    scale(block->W, block->W, factor, net->layers->n_in * NV * VL);
    UNROLL for (int q = 0; q < NV; q++) p->D[q] = v_mul(v_set1((real)factor), p->D[q]);
    scale(layer->W, layer->W, factor, layer->n_out * layer->width);
}

/* train_registers for NV vectors of hidden units and any outputs, without momentum. */
INLINE int64_t registers_rows(registers_run *run, const int NV) {
    fbp_net *net = run->net;
    fbp_block *block = run->block;
    const fbp_data *data = run->data;
    const fbp_step *step = run->step;
    const int64_t *order = run->order, start = run->start, stop = run->stop;
    const int TILE = registers_tile(NV, 0);
    const fbp_layer *last = net->layers + 1;
    const fbp_activation activation = net->first_activation;
    const int64_t n_in = net->layers->n_in, per_vector = n_in * VL;
    const int is_difference_of = is_difference(net);
    const int n_few = is_difference_of && last->n_out <= FBP_FEW_OUTPUTS ? (int)last->n_out : 0;
    const double decay = step->decay[0][0];
    const vec_step s = step_times(step, 1, 0);
    const vec last_units = registers_last_units(net->layers, NV);
    const real *x = fbp_dense_row(data, order[start]), *x_last = x, *next = x;
    real *W = block->W;
    const int is_plain = decay == 1 && !data->weights;
    registers_state p;
    registers_rates rate = rates_of(step, 1, 1, decay);
    vec back[TILE_VECTORS], delta[FBP_FEW_OUTPUTS], z[MAX_VECTORS], Z[MAX_VECTORS];
    const double max_loss = run->max_loss;
    double sum = 0, scale = 1;
    int64_t r = start;

    registers_move(p.b, block->b, NV, 1);
#define PASS(q, NQ) \
    registers_pass(p.Z + q, NULL, W + q * per_vector, n_in, x_last, next, p.D + q, p.D + q, &s, NQ, NEITHER)
#define TURN(q, NQ)                                                    \
    do {                                                               \
        registers_back(back, last, delta, n_few, p.a, rate.w2, q, NQ);      \
        registers_hidden_step(&p, back, &rate, gram, decayed, q, NQ, activation);     \
    } while (0)
    registers_begin(z, Z, run, &s, NV, NEITHER);
    UNROLL for (int q = 0; q < NV; q++) {
        p.z[q] = z[q];
        p.D[q] = v_set1(0);
    }
    for (;; r++) {
        vec gram = v_set1(1);
        double loss;
        next = fbp_dense_row(data, order[r + 1 < stop ? r + 1 : start]);
        if (r + AHEAD < stop) fbp_fetch_dense_row(data, order[r + AHEAD]);
        if (r == stop) {
            UNROLL for (int q = 0; q < NV; q++) z[q] = p.D[q];
            registers_end(run, x_last, z, NV);
            break;
        }

        const int64_t row = order[r];
        const real *y = fbp_target_of(data, row);
        const double weight = fbp_weight_of(data, row);
        if (!USUALLY(is_plain)) rate = rates_of(step, weight, scale, decay);
        const vec scales = v_set1((real)scale), decayed = v_set1((real)(scale * decay));
        registers_activate_all(p.a, p.z, net->layers, last_units, NV, activation);
        for (int64_t i = 0; i < n_in; i++) gram = v_fma(v_set1(x[i]), v_set1(next[i]), gram);
        KEEP_IN_REGISTER(gram);
        /* here, so that no delta outlives its row: it would do so on the stack */
        UNROLL for (int k = 0; k < FBP_FEW_OUTPUTS; k++) delta[k] = v_set1(0);
        if (USUALLY(n_few)) loss = registers_few_outputs(delta, last, p.a, scales, y, n_few, NV);
        else loss = registers_outputs(net, p.a, (real)scale, y, is_difference_of, NV);
        EACH_TILE(PASS); /* which fills the gaps that outputs leave: they wait for one another */
        if (!(loss <= max_loss)) break;
        sum += weight * loss;
        EACH_TILE(TURN);
        if (USUALLY(n_few)) update_few_biases(last, (real)(step->rate[0] * weight), n_few);
        else update_bias(last, weight, step, FBP_PLAIN);
        scale *= decay;
        if (!USUALLY(scale >= MIN_SCALE)) {
            registers_unscale(&p, net, block, scale, NV);
            scale = 1;
        }
        x_last = x;
        x = next;
    }
#undef PASS
#undef TURN
    registers_unscale(&p, net, block, scale, NV);
    registers_move(p.b, block->b, NV, 0);
    run->loss_sum += sum;
    return r;
}

#endif
