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

#include "activations.inc.h"
#include "arrays.inc.h"
#include "blocks.inc.h"
#include "layer.inc.h"
#include "losses.inc.h"
#include "solvers.inc.h"
#include "rows.h"

/* How many rows ahead one is fetched. */
enum { AHEAD = 12 };

/* What a template has besides gradients. */
enum { NEITHER, DECAYS = 1, MOVES = 2 };

/* w' and v' for the gradient whose steps are x D and x E */
INLINE void registers_step(vec *w, vec *v, vec x, vec D, vec E, const vec_step *s, const int KIND) {
    const vec old = *w;
    vec decayed = KIND & DECAYS ? v_mul(s->decay[0][0], old) : old;
    if (KIND & MOVES) {
        const vec decayed_v = v_mul(s->decay[1][1], *v);
        decayed = v_fma(s->decay[0][1], *v, decayed);
        *v = v_fma(x, E, KIND & DECAYS ? v_fma(s->decay[1][0], old, decayed_v) : decayed_v);
    }
    *w = v_fma(x, D, decayed);
}

/* w and v without a gradient */
INLINE vec registers_decayed(vec w, vec v, const vec_step *s, const int KIND) {
    const vec decayed = KIND & DECAYS ? v_mul(s->decay[0][0], w) : w;
    return KIND & MOVES ? v_fma(s->decay[0][1], v, decayed) : decayed;
}

enum {
    MAX_VECTORS = 2 * REGISTER_VECTORS, /* of hidden units */
    TILE_VECTORS = 6,                /* of W that a pass has registers for */
};

/* How many of NV vectors are a tile; what remains is the last one. */
INLINE int registers_tile(int NV, int moves) {
    if (moves) return NV == 4 ? 2 : NV;
    return NV <= TILE_VECTORS ? NV : 4;
}

/* BODY(q, NQ) for each tile: its first vector, and how many. */
#define EACH_TILE(BODY)                                                  \
    do {                                                                 \
        UNROLL for (int q = 0; q + TILE <= NV; q += TILE) BODY(q, TILE); \
        if (NV % TILE) BODY((NV - NV % TILE), (NV % TILE));              \
    } while (0)

/* A tile of NQ vectors: every input's W takes the step of the row x_last; Z = next W, Z_V = next V. */
INLINE void registers_pass(vec *Z, vec *Z_V, real *W, int64_t n_in, const real *x_last, const real *next,
                           const vec *D, const vec *E, const vec_step *s, const int NQ, const int KIND) {
    const int64_t stride = KIND & MOVES ? 2 * NQ * VL : NQ * VL;
    UNROLL for (int q = 0; q < NQ; q++) {
        Z[q] = v_set1(0);
        if (KIND & MOVES) Z_V[q] = v_set1(0);
    }
    for (int64_t i = 0; i < n_in; i++, W += stride) {
        const vec to_last = v_set1(x_last[i]), to_next = v_set1(next[i]);
        UNROLL for (int q = 0; q < NQ; q++) {
            real *w_at = W + q * VL, *v_at = w_at + stride / 2;
            vec w = v_load(w_at), v = KIND & MOVES ? v_load(v_at) : w;
            registers_step(&w, &v, to_last, D[q], E[q], s, KIND);
            v_store(w_at, w);
            Z[q] = v_fma(to_next, w, Z[q]);
            if (KIND & MOVES) {
                v_store(v_at, v);
                Z_V[q] = v_fma(to_next, v, Z_V[q]);
            }
        }
    }
    UNROLL for (int q = 0; q < NQ; q++) {
        KEEP_IN_REGISTER(Z[q]);
        if (KIND & MOVES) KEEP_IN_REGISTER(Z_V[q]);
    }
}

/* Z = next W and Z_V = next V, without a step. */
INLINE void registers_forward(vec *Z, vec *Z_V, const real *W, int64_t n_in, const real *next, const int NQ,
                              const int KIND) {
    const int64_t stride = KIND & MOVES ? 2 * NQ * VL : NQ * VL;
    UNROLL for (int q = 0; q < NQ; q++) {
        Z[q] = v_set1(0);
        if (KIND & MOVES) Z_V[q] = v_set1(0);
    }
    for (int64_t i = 0; i < n_in; i++, W += stride) {
        const vec x = v_set1(next[i]);
        UNROLL for (int q = 0; q < NQ; q++) {
            Z[q] = v_fma(x, v_load(W + q * VL), Z[q]);
            if (KIND & MOVES) Z_V[q] = v_fma(x, v_load(W + q * VL + stride / 2), Z_V[q]);
        }
    }
}

/* a = f(z), 0 behind the last unit; KNOWN: when compiled. */
INLINE void registers_activate_all(vec *a, const vec *z, const fbp_layer *layer, vec last_units, const int NV,
                                   const fbp_activation activation, const int KNOWN) {
    real values[MAX_VECTORS * VL];
    if (KNOWN || activation == FBP_RELU) {
        UNROLL for (int q = 0; q < NV; q++) a[q] = v_activate(z[q], KNOWN ? activation : FBP_RELU);
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

/* Whether the last layer's delta is z - y. */
INLINE int registers_is_difference(const fbp_net *net) {
    return net->loss == FBP_SQUARED_ERROR && net->last_activation == FBP_IDENTITY;
}

/* Delta and loss of a single output, from z. Nothing waits for the loss. A call, not inline: what it
 * calls itself would else cost the commonest output registers. */
static vec registers_output(const fbp_net *net, vec z, const real *y, double *loss) {
    const fbp_layer *layer = net->layers + 1;
    const vec a = v_activate_any(z, net->last_activation);
    v_store(layer->z, z);
    v_store(layer->a, a);
    *loss = net->output_delta(layer->delta, layer->z, layer->a, y, 1, net->loss_parameter);
    if (net->loss_pair) return v_sub(a, v_set1(*y));
    return v_derive_any(v_set1(*(const real *)layer->delta), z, a, net->last_activation);
}

/* Parameters of the last layer and biases, which stay in registers, each with its velocity. */
typedef struct {
    vec b[REGISTER_VECTORS], V_b[REGISTER_VECTORS], w2[REGISTER_VECTORS], V_w2[REGISTER_VECTORS], b2, V_b2;
} registers_parameters;

/* From or to where they belong. */
INLINE void registers_move(vec *parameter, real *at, const int NV, int loading) {
    UNROLL for (int q = 0; q < NV; q++) {
        if (loading) parameter[q] = v_load(at + q * VL);
        else v_store(at + q * VL, parameter[q]);
    }
}

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

/* train_registers for NV vectors of hidden units and a single output. */
INLINE int64_t registers_rows_one(fbp_net *net, fbp_block *block, const fbp_data *data, const int64_t *order,
                                  int64_t start, int64_t stop, const fbp_step *step, double max_loss,
                                  double *loss_sum, const int NV, const fbp_activation ACTIVATION, const int KIND) {
    const int BIAS = KIND & MOVES; /* biases do not decay */
    const int TILE = registers_tile(NV, KIND & MOVES);
    const int64_t n_in = net->layers->n_in, per_vector = (KIND & MOVES ? 2 : 1) * n_in * VL;
    const vec_step s = step_times(step, 1, 0), s_bias = step_times(step, 1, 1);
    const vec one = v_set1(1);
    const int64_t n_units = net->layers->n_out;
    real *W = block->W, units[VL];
    const real *x = fbp_dense_row(data, order[start]), *x_last = x, *next = x;
    registers_parameters p;
    vec z[REGISTER_VECTORS], Z[REGISTER_VECTORS], Z_V[REGISTER_VECTORS], D[REGISTER_VECTORS], E[REGISTER_VECTORS];
    double sum = 0;
    int64_t r = start;

    for (int j = 0; j < VL; j++) units[j] = (NV - 1) * VL + j < net->layers->n_out;
    const vec last_units = v_load(units);
    registers_move_all(&p, net, block, NV, KIND, 1);
#define FORWARD(q, NQ) registers_forward(Z + q, Z_V + q, W + q * per_vector, n_in, next, NQ, KIND)
#define PASS(q, NQ) \
    registers_pass(Z + q, Z_V + q, W + q * per_vector, n_in, x_last, next, D + q, E + q, &s, NQ, KIND)
    EACH_TILE(FORWARD);
    UNROLL for (int q = 0; q < NV; q++) {
        z[q] = v_add(Z[q], p.b[q]);
        D[q] = E[q] = v_set1(0);
    }
    for (;; r++) {
        vec a[REGISTER_VECTORS], product, gram = one, delta;
        double loss;
        next = fbp_dense_row(data, order[r + 1 < stop ? r + 1 : start]);
        if (r + AHEAD < stop) fbp_fetch_dense_row(data, order[r + AHEAD]);

        /* What comes first is taken up first: the activations of several vectors take longer than
         * the pass, which fills the gaps they leave. */
        if (NV > 1) registers_activate_all(a, z, net->layers, last_units, NV, ACTIVATION, 1);
        if (r > start) EACH_TILE(PASS);
        else EACH_TILE(FORWARD);
        UNROLL for (int q = 0; q < NV; q++) Z[q] = registers_decayed(Z[q], Z_V[q], &s, KIND);
        if (r == stop) break;
        if (NV == 1) registers_activate_all(a, z, net->layers, last_units, NV, ACTIVATION, 1);
        for (int64_t i = 0; i < n_in; i++) gram = v_fma(v_set1(x[i]), v_set1(next[i]), gram);
        KEEP_IN_REGISTER(gram);

        const int64_t row = order[r];
        const real *y = fbp_target_of(data, row);
        const double weight = fbp_weight_of(data, row);
        const vec rate = v_set1((real)(step->rate[0] * weight));
        const vec rate_V = v_set1((real)(step->rate[1] * weight));
        product = v_mul(a[0], p.w2[0]);
        UNROLL for (int q = 1; q < NV; q++) product = v_fma(a[q], p.w2[q], product);
        if (NV > 1 || n_units > 2) product = v_total(product);
        else if (n_units == 2) product = v_pair_total(product); /* the next row waits for each step of it */
        if (registers_is_difference(net)) {
            delta = v_add(product, v_sub(p.b2, v_set1(*y)));
            loss = 0.5 * (double)v_first(delta) * v_first(delta);
        } else {
            delta = registers_output(net, v_add(product, p.b2), y, &loss);
        }
        if (!(loss <= max_loss)) break;
        sum += weight * loss;
        UNROLL for (int q = 0; q < NV; q++) {
            const vec slope = v_derive(p.w2[q], a[q], ACTIVATION);
            D[q] = v_mul(v_mul(rate, delta), slope);
            E[q] = KIND & MOVES ? v_mul(v_mul(rate_V, delta), slope) : D[q];
            z[q] = v_add(Z[q], registers_decayed(p.b[q], p.V_b[q], &s_bias, BIAS));
            z[q] = v_fma(delta, v_mul(v_mul(rate, gram), slope), z[q]);
            registers_step(&p.b[q], &p.V_b[q], one, D[q], E[q], &s_bias, BIAS);
            registers_step(&p.w2[q], &p.V_w2[q], delta, v_mul(rate, a[q]), v_mul(rate_V, a[q]), &s, KIND);
        }
        registers_step(&p.b2, &p.V_b2, delta, rate, rate_V, &s_bias, BIAS);
        x_last = x;
        x = next;
    }
#undef FORWARD
#undef PASS
    registers_move_all(&p, net, block, NV, KIND, 0);
    *loss_sum += sum;
    return r;
}

/* Several outputs. */

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

/* The output layer's delta and loss, from its z, of any outputs. A call: it is large. */
static double registers_output_delta(const fbp_net *net, const real *y) {
    const fbp_layer *layer = net->layers + 1;
    if (layer->a != layer->z) memcpy(layer->a, layer->z, (size_t)layer->n_out * sizeof(real));
    layer->activate(layer->a, layer->n_out);
    const double loss = net->output_delta(layer->delta, layer->z, layer->a, y,
                                          layer->n_out, net->loss_parameter);
    layer->derive(layer->delta, layer->slopes_of, layer->n_out);
    return loss;
}

/* The output layer's delta and loss, from the hidden layer's a. */
INLINE double registers_outputs(const fbp_net *net, const vec *a, real scale, const real *y, int is_difference,
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
    if (!is_difference) return registers_output_delta(net, y);
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
    if (n_few) {
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

/* D, the next row's z and b's step, for NQ vectors from q on. */
INLINE void registers_hidden_step(registers_state *p, const vec *back, const registers_rates *rate, vec gram,
                                  vec decayed, int q,
                                  const int NQ, const fbp_activation activation) {
    UNROLL for (int u = 0; u < NQ; u++) {
        const vec slope = v_derive(back[u], p->a[q + u], activation);
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
INLINE int64_t registers_rows(fbp_net *net, fbp_block *block, const fbp_data *data, const int64_t *order,
                              int64_t start, int64_t stop, const fbp_step *step, double max_loss,
                              double *loss_sum, const int NV) {
    const int TILE = registers_tile(NV, 0);
    const fbp_layer *last = net->layers + 1;
    const fbp_activation activation = net->first_activation;
    const int64_t n_in = net->layers->n_in, per_vector = n_in * VL;
    const int is_difference = registers_is_difference(net);
    const int n_few = is_difference && last->n_out <= FBP_FEW_OUTPUTS ? (int)last->n_out : 0;
    const double decay = step->decay[0][0];
    const vec_step s = step_times(step, 1, 0);
    const real *x = fbp_dense_row(data, order[start]), *x_last = x, *next = x;
    real *W = block->W, units[VL];
    const int is_plain = decay == 1 && !data->weights;
    registers_state p;
    registers_rates rate = rates_of(step, 1, 1, decay);
    vec back[TILE_VECTORS], delta[FBP_FEW_OUTPUTS];
    double sum = 0, scale = 1;
    int64_t r = start;

    for (int j = 0; j < VL; j++) units[j] = (NV - 1) * VL + j < net->layers->n_out;
    const vec last_units = v_load(units);
    registers_move(p.b, block->b, NV, 1);
    UNROLL for (int k = 0; k < FBP_FEW_OUTPUTS; k++) delta[k] = v_set1(0); /* for compilers: n_few are read */
#define FORWARD(q, NQ) registers_forward(p.Z + q, NULL, W + q * per_vector, n_in, next, NQ, NEITHER)
#define PASS(q, NQ) \
    registers_pass(p.Z + q, NULL, W + q * per_vector, n_in, x_last, next, p.D + q, p.D + q, &s, NQ, NEITHER)
#define TURN(q, NQ)                                                    \
    do {                                                               \
        registers_back(back, last, delta, n_few, p.a, rate.w2, q, NQ);      \
        registers_hidden_step(&p, back, &rate, gram, decayed, q, NQ, activation);     \
    } while (0)
    EACH_TILE(FORWARD);
    UNROLL for (int q = 0; q < NV; q++) {
        p.z[q] = v_add(p.Z[q], p.b[q]);
        p.D[q] = v_set1(0);
    }
    for (;; r++) {
        vec gram = v_set1(1);
        double loss;
        next = fbp_dense_row(data, order[r + 1 < stop ? r + 1 : start]);
        if (r + AHEAD < stop) fbp_fetch_dense_row(data, order[r + AHEAD]);
        if (r == stop) {
            EACH_TILE(PASS);
            break;
        }

        const int64_t row = order[r];
        const real *y = fbp_target_of(data, row);
        const double weight = fbp_weight_of(data, row);
        if (!is_plain) rate = rates_of(step, weight, scale, decay);
        const vec scales = v_set1((real)scale), decayed = v_set1((real)(scale * decay));
        registers_activate_all(p.a, p.z, net->layers, last_units, NV, activation, 0);
        for (int64_t i = 0; i < n_in; i++) gram = v_fma(v_set1(x[i]), v_set1(next[i]), gram);
        KEEP_IN_REGISTER(gram);
        if (n_few) loss = registers_few_outputs(delta, last, p.a, scales, y, n_few, NV);
        else loss = registers_outputs(net, p.a, (real)scale, y, is_difference, NV);
        EACH_TILE(PASS); /* which fills the gaps that outputs leave: they wait for one another */
        if (!(loss <= max_loss)) break;
        sum += weight * loss;
        EACH_TILE(TURN);
        if (n_few) update_few_biases(last, (real)(step->rate[0] * weight), n_few);
        else update_bias(last, weight, step, FBP_PLAIN);
        scale *= decay;
        if (scale < MIN_SCALE) {
            registers_unscale(&p, net, block, scale, NV);
            scale = 1;
        }
        x_last = x;
        x = next;
    }
#undef FORWARD
#undef PASS
#undef TURN
    registers_unscale(&p, net, block, scale, NV);
    registers_move(p.b, block->b, NV, 0);
    *loss_sum += sum;
    return r;
}

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

/* Every template is a function of its own, in tables by vectors, activation and what the step has besides
 * gradients: in one function of them all compilers run short of registers, each time somewhere else. */
#define PARAMETERS                                                                              \
    fbp_net *net, fbp_block *block, const fbp_data *data, const int64_t *order, int64_t start, \
        int64_t stop, const fbp_step *step, double max_loss, double *loss_sum
#define ARGUMENTS net, block, data, order, start, stop, step, max_loss, loss_sum
#define ONE(NV, ACTIVATION, KIND)                                          \
    static int64_t registers_##NV##_##ACTIVATION##_##KIND(PARAMETERS) {          \
        return registers_rows_one(ARGUMENTS, NV, FBP_##ACTIVATION, KIND);           \
    }
#define SEVERAL(NV) \
    static int64_t registers_several_##NV(PARAMETERS) { return registers_rows(ARGUMENTS, NV); }
#define EACH_KIND(OF, NV, ACTIVATION) \
    OF(NV, ACTIVATION, 0) OF(NV, ACTIVATION, 1) OF(NV, ACTIVATION, 2) OF(NV, ACTIVATION, 3)
#define EACH_TEMPLATE(NV) EACH_KIND(ONE, NV, LOGISTIC) EACH_KIND(ONE, NV, TANH) EACH_KIND(ONE, NV, RELU)
EACH_TEMPLATE(1) EACH_TEMPLATE(2)
SEVERAL(1) SEVERAL(2) SEVERAL(3) SEVERAL(4)
#if REGISTER_VECTORS == 4
EACH_TEMPLATE(3) EACH_TEMPLATE(4)
SEVERAL(5) SEVERAL(6) SEVERAL(7) SEVERAL(8)
#endif

#define NAME(NV, ACTIVATION, KIND) registers_##NV##_##ACTIVATION##_##KIND,
#define KINDS(NV, ACTIVATION) [FBP_##ACTIVATION] = {EACH_KIND(NAME, NV, ACTIVATION)}
#define ACTIVATIONS(NV) {KINDS(NV, LOGISTIC), KINDS(NV, TANH), KINDS(NV, RELU)}
static fbp_train_registers *const registers_of_one[REGISTER_VECTORS][FBP_N_ACTIVATION][4] = {
    ACTIVATIONS(1), ACTIVATIONS(2),
#if REGISTER_VECTORS == 4
    ACTIVATIONS(3), ACTIVATIONS(4),
#endif
};
static fbp_train_registers *const registers_of_several[MAX_VECTORS] = {
    registers_several_1, registers_several_2, registers_several_3, registers_several_4,
#if REGISTER_VECTORS == 4
    registers_several_5, registers_several_6, registers_several_7, registers_several_8,
#endif
};
#undef ACTIVATIONS
#undef KINDS
#undef NAME
#undef EACH_TEMPLATE
#undef EACH_KIND
#undef SEVERAL
#undef ONE

static int64_t train_registers(PARAMETERS) {
    const int n_vectors = (int)((net->layers->n_out + VL - 1) / VL);
    const int moves = step->rule == FBP_MOMENTUM;
    const int kind = (step->decay[0][0] != 1 ? DECAYS : 0) | (moves ? MOVES : 0);
    fbp_train_registers *train = NULL;
    if (start == stop) return start;
    if (net->layers[1].n_out == 1 && n_vectors <= REGISTER_VECTORS)
        train = registers_of_one[n_vectors - 1][net->first_activation][kind];
    if (!train) train = registers_of_several[n_vectors - 1];
    registers_copy(net, block, n_vectors, moves, 1);
    const int64_t stopped = train(ARGUMENTS);
    registers_copy(net, block, n_vectors, moves, 0);
    return stopped;
}
#undef ARGUMENTS
#undef PARAMETERS

#endif
