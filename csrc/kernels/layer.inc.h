/* What one layer does to vectors: forward, and backward with the update.
 *
 * W is row-major (n_in, width), what stands behind n_out never used: vectors run over outputs, a row
 * of W at a time. Or it is transposed, (n_out, width), and vectors run over inputs: so for a single
 * output, and in the long run for few outputs of inputs that are seldom zero (layer_load).
 *
 * The weights are scale * W. Where a row lists its inputs, L2 shrinks the scale: the weights of the
 * inputs it leaves out are not touched. */
#ifndef FASTBP_KERNELS_LAYER_INC_H
#define FASTBP_KERNELS_LAYER_INC_H

#include "solvers.inc.h"

/* sum over i of u[i] v[i] */
INLINE real dot(const real *u, const real *v, int64_t n) {
    vec s0 = v_set1(0), s1 = v_set1(0), s2 = v_set1(0), s3 = v_set1(0);
    int64_t i = 0;
    for (; i + 4 * VL <= n; i += 4 * VL) {
        s0 = v_fma(v_load(u + i), v_load(v + i), s0);
        s1 = v_fma(v_load(u + i + VL), v_load(v + i + VL), s1);
        s2 = v_fma(v_load(u + i + 2 * VL), v_load(v + i + 2 * VL), s2);
        s3 = v_fma(v_load(u + i + 3 * VL), v_load(v + i + 3 * VL), s3);
    }
    for (; i + VL <= n; i += VL) s0 = v_fma(v_load(u + i), v_load(v + i), s0);
    if (i < n) s1 = v_fma(v_load_n(u + i, (int)(n - i)), v_load_n(v + i, (int)(n - i)), s1);
    return v_sum(v_add(v_add(s0, s1), v_add(s2, s3)));
}

/* The first m of VL values, all of them where m is VL. */
INLINE vec v_load_part(const real *p, int m) { return m == VL ? v_load(p) : v_load_n(p, m); }

/* Which input the p-th value of a row belongs to. */
INLINE int64_t input_of(const fbp_row *x, int64_t p) { return x->columns ? x->columns[p] : p; }

/* Whether vectors run over inputs: a single column is a transposed row. */
INLINE int over_inputs(const fbp_layer *layer, const fbp_row *x) {
    return layer->transposed || (layer->width == 1 && !x->columns);
}

/* z[0..OUTPUTS) of a transposed W: b + sum over i of W[k][i] x_i */
INLINE void forward_outputs(real *z, const real *W, int64_t width, const real *b, const real *x,
                            int64_t n, const int OUTPUTS) {
    vec sums[4][2];
    real totals[4];
    UNROLL for (int k = 0; k < 4; k++) sums[k][0] = sums[k][1] = v_set1(0);
    int64_t i = 0;
    for (; i + 2 * VL <= n; i += 2 * VL) {
        const vec x0 = v_load(x + i), x1 = v_load(x + i + VL);
        UNROLL for (int k = 0; k < OUTPUTS; k++) {
            sums[k][0] = v_fma(x0, v_load(W + k * width + i), sums[k][0]);
            sums[k][1] = v_fma(x1, v_load(W + k * width + i + VL), sums[k][1]);
        }
    }
    for (; i < n; i += VL) {
        const int m = n - i < VL ? (int)(n - i) : VL;
        const vec x0 = v_load_part(x + i, m);
        UNROLL for (int k = 0; k < OUTPUTS; k++)
            sums[k][0] = v_fma(x0, v_load_part(W + k * width + i, m), sums[k][0]);
    }
    UNROLL for (int k = 0; k < 4; k++) sums[k][0] = v_add(sums[k][0], sums[k][1]);
    v_sums(totals, sums[0][0], sums[1][0], sums[2][0], sums[3][0]);
    UNROLL for (int k = 0; k < OUTPUTS; k++) z[k] = b[k] + totals[k];
}

static void forward_transposed(const fbp_layer *layer, const real *x) {
    const int64_t n_in = layer->n_in, n_out = layer->n_out, width = layer->width;
    const real *W = layer->W, *b = layer->b;
    real *z = layer->z;
    int64_t k = 0;
    for (; k + 4 <= n_out; k += 4) forward_outputs(z + k, W + k * width, width, b + k, x, n_in, 4);
    for (; k + 2 <= n_out; k += 2) forward_outputs(z + k, W + k * width, width, b + k, x, n_in, 2);
    if (k < n_out) z[k] = b[k] + dot(W + k * width, x, n_in);
}

/* z = b + scale * sum over the row's values x_i of x_i W[i], for NV vectors of outputs; of the last,
 * n_tail are outputs, where that is not 0, and MASKED says that W has no more. A narrow sum takes
 * UNROLLED inputs at a time, each with accumulators of its own: one alone would wait for the FMA
 * before it. */
INLINE void forward_columns(real *z, const fbp_layer *layer, int64_t j, const fbp_row *x, const int NV,
                            const int MASKED, int n_tail) {
    enum { MAX_ITEMS = 8 };
    const int UNROLLED = NV > 4 ? 1 : NV > 2 ? 2 : 4, WHOLE = NV - MASKED;
    const real *values = x->values, *W = (const real *)layer->W + j, *b = (const real *)layer->b + j;
    const int64_t width = layer->width;
    const vec scale = v_set1((real)layer->scale);
    vec sums[MAX_ITEMS];
    UNROLL for (int k = 0; k < MAX_ITEMS; k++) sums[k] = v_set1(0);

    int64_t p = 0;
    for (; p + UNROLLED <= x->n; p += UNROLLED) {
        UNROLL for (int u = 0; u < UNROLLED; u++) {
            const vec value = v_set1(values[p + u]);
            const real *w = W + input_of(x, p + u) * width;
            vec *sum = sums + u * NV;
            UNROLL for (int q = 0; q < WHOLE; q++) sum[q] = v_fma(value, v_load(w + q * VL), sum[q]);
            if (MASKED) sum[WHOLE] = v_fma(value, v_load_n(w + WHOLE * VL, n_tail), sum[WHOLE]);
        }
    }
    for (; p < x->n; p++) {
        const vec value = v_set1(values[p]);
        const real *w = W + input_of(x, p) * width;
        UNROLL for (int q = 0; q < WHOLE; q++) sums[q] = v_fma(value, v_load(w + q * VL), sums[q]);
        if (MASKED) sums[WHOLE] = v_fma(value, v_load_n(w + WHOLE * VL, n_tail), sums[WHOLE]);
    }
    UNROLL for (int q = 0; q < NV; q++) {
        const vec bias = n_tail && q == NV - 1 ? v_load_n(b + q * VL, n_tail) : v_load(b + q * VL);
        UNROLL for (int u = 1; u < UNROLLED; u++) sums[q] = v_add(sums[q], sums[u * NV + q]);
        v_store(z + q * VL, v_fma(scale, sums[q], bias));
    }
}

/* Whether a row of W has whole vectors for all outputs. */
INLINE int has_whole_vectors(const fbp_layer *layer) {
    return layer->width >= (layer->n_out + VL - 1) / VL * VL;
}

/* z = x @ W + b, eight vectors of outputs at a time */
static void forward(const fbp_layer *layer, const fbp_row *x) {
    const int64_t n_out = layer->n_out;
    real *z = layer->z;
    if (over_inputs(layer, x)) {
        forward_transposed(layer, x->values);
        return;
    }
    int64_t j = 0;
    for (; j + 8 * VL <= n_out; j += 8 * VL) forward_columns(z + j, layer, j, x, 8, 0, 0);
    const int n_tail = (int)((n_out - j) % VL), masked = n_tail && !has_whole_vectors(layer);
#define REST(NV)                                                     \
    case NV:                                                         \
        if (masked) forward_columns(z + j, layer, j, x, NV, 1, n_tail); \
        else forward_columns(z + j, layer, j, x, NV, 0, n_tail);     \
        break;
    switch ((n_out - j + VL - 1) / VL) { REST(1) REST(2) REST(3) REST(4) REST(5) REST(6) REST(7) REST(8) }
#undef REST
}

/* The units of a above zero, as a row of values and columns. A unit of ReLU that is not among them
 * has a = 0 and f' = 0: it takes no part in the layer above, neither forward nor backward. */
static void list_active(fbp_layer *layer) {
    const real *a = layer->a;
    real *values = layer->active_values;
    int32_t *columns = layer->active_columns;
    const int64_t n_units = layer->n_out;
    int64_t n = 0, i = 0;
    for (; i + VL <= n_units; i += VL)
        n += v_list_positive(values + n, columns + n, v_load(a + i), (int32_t)i);
    if (i < n_units)
        n += v_list_positive(values + n, columns + n, v_load_n(a + i, (int)(n_units - i)), (int32_t)i);
    layer->row = (fbp_row){values, columns, n};
}

/* Scales of W are kept between this and its inverse. */
#define MIN_SCALE 0x1p-20

/* One input's weights w: returns w . delta, then t takes its step; w may be t. */
INLINE real backward_update_input(const real *w, real *t, real *v, const real *delta, int64_t n,
                                  const vec_step *s, const int RULE) {
    vec sum = v_set1(0), sum2 = v_set1(0);
    int64_t j = 0;
    for (; j + 2 * VL <= n; j += 2 * VL) {
        const vec d = v_load(delta + j), d2 = v_load(delta + j + VL);
        sum = v_fma(v_load(w + j), d, sum);
        sum2 = v_fma(v_load(w + j + VL), d2, sum2);
        step_vector(t + j, v + j, d, s, RULE, 0);
        step_vector(t + j + VL, v + j + VL, d2, s, RULE, 1);
    }
    for (; j + VL <= n; j += VL) {
        const vec d = v_load(delta + j);
        sum = v_fma(v_load(w + j), d, sum);
        step_vector(t + j, v + j, d, s, RULE, 0);
    }
    if (j < n) {
        const int m = (int)(n - j);
        const vec d = v_load_n(delta + j, m);
        sum2 = v_fma(v_load_n(w + j, m), d, sum2);
        step_vector_n(t + j, v + j, d, s, RULE, m);
    }
    return v_sum(v_add(sum, sum2));
}

/* delta_in and the step of INPUTS = 1 or 4 inputs of a narrow layer, from the row's p-th value on: delta, zero
 * behind the last output, stays in NV registers. */
INLINE void backward_update_inputs(const fbp_layer *layer, real *delta_in, const fbp_row *x, int64_t p,
                                   const vec *delta, const vec_step *s, const int NV, const int INPUTS,
                                   const int RULE) {
    const real *values = (const real *)x->values + p, *W = layer->W;
    real *to_W = layer->to_W, *V = layer->V_W, sums[4];
    vec sum[4] = {v_set1(0), v_set1(0), v_set1(0), v_set1(0)};
    UNROLL for (int u = 0; u < INPUTS; u++) {
        const int64_t at = input_of(x, p + u) * layer->width;
        const vec_step own = step_along_x(s, v_set1(values[u]));
        UNROLL for (int q = 0; q < NV; q++) {
            sum[u] = v_fma(v_load(W + at + q * VL), delta[q], sum[u]);
            step_vector(to_W + at + q * VL, V + at + q * VL, delta[q], &own, RULE, (u + q) % 2);
        }
    }
    if (INPUTS == 1) sums[0] = v_sum(sum[0]);
    else v_sums(sums, sum[0], sum[1], sum[2], sum[3]);
    UNROLL for (int u = 0; u < INPUTS; u++)
        delta_in[input_of(x, p + u)] = (real)layer->scale * sums[u];
}

INLINE void backward_update_narrow(const fbp_layer *layer, real *delta_in, const fbp_row *x,
                                   const vec_step *s, const int NV, const int RULE) {
    const real *d = layer->delta;
    vec delta[4];
    UNROLL for (int q = 0; q < NV; q++)
        delta[q] = v_load_part(d + q * VL, q < NV - 1 ? VL : (int)(layer->n_out - q * VL));
    int64_t p = 0;
    for (; p + 4 <= x->n; p += 4)
        backward_update_inputs(layer, delta_in, x, p, delta, s, NV, 4, RULE);
    for (; p < x->n; p++) backward_update_inputs(layer, delta_in, x, p, delta, s, NV, 1, RULE);
}

/* One input's weights w, some vectors: returns lanes that add up to w . delta, then t takes its step. */
INLINE vec backward_update_vectors(const real *w, real *t, real *v, const vec *delta, int n_vectors,
                                   const vec_step *s, const int RULE, const int BY_PRODUCTS) {
    vec sum = v_set1(0);
    for (int q = 0; q < n_vectors; q += 2, w += 2 * VL, t += 2 * VL, v += 2 * VL) {
        sum = v_fma(v_load(w), delta[q], sum);
        step_vector(t, v, delta[q], s, RULE, BY_PRODUCTS);
        if (q + 1 == n_vectors) break;
        sum = v_fma(v_load(w + VL), delta[q + 1], sum);
        step_vector(t + VL, v + VL, delta[q + 1], s, RULE, !BY_PRODUCTS);
    }
    return sum;
}

/* backward_update_narrow in one loop for all widths. Rules that are not linear wait for roots and quotients,
 * longer than for the loop, and are too large to be unrolled. */
INLINE void backward_update_narrow_looped(const fbp_layer *layer, real *delta_in, const fbp_row *x,
                                          const vec_step *s, int n_vectors, const int RULE) {
    const int64_t in_fours = x->n / 4 * 4;
    const real *values = x->values, *W = layer->W, *d = layer->delta, scale = (real)layer->scale;
    real *to_W = layer->to_W, *V = layer->V_W, sums[4];
    vec delta[4], sum[4];
    for (int q = 0; q < n_vectors; q++)
        delta[q] = v_load_part(d + q * VL, q < n_vectors - 1 ? VL : (int)(layer->n_out - q * VL));
    for (int64_t p = 0; p < x->n; p++) {
        const int u = p < in_fours ? (int)(p % 4) : 0;
        const int64_t i = input_of(x, p), at = i * layer->width;
        const vec_step own = step_along_x(s, v_set1(values[p]));
#define INPUT(BY_PRODUCTS) \
    backward_update_vectors(W + at, to_W + at, V + at, delta, n_vectors, &own, RULE, BY_PRODUCTS)
        if (u % 2) sum[u] = INPUT(1);
        else sum[u] = INPUT(0);
#undef INPUT
        if (p >= in_fours) delta_in[i] = scale * v_sum(sum[0]);
        if (u < 3) continue;
        v_sums(sums, sum[0], sum[1], sum[2], sum[3]);
        for (int k = 0; k < 4; k++) delta_in[input_of(x, p - 3 + k)] = scale * sums[k];
    }
}

/* delta_in = W @ delta and the step of W, row by row of W */
INLINE void backward_update_rows(const fbp_layer *layer, real *delta_in, const fbp_row *x,
                                 const vec_step *s, const int RULE) {
    const int64_t n_out = layer->n_out;
    const real *W = layer->W, *values = x->values;
    real *to_W = layer->to_W, *V = layer->V_W;
    const int n_vectors = has_whole_vectors(layer) ? (int)((n_out + VL - 1) / VL) : 0;
    if (x->columns) memset(delta_in, 0, (size_t)layer->n_in * sizeof(real));
    if (!is_linear(RULE)) {
        if (n_vectors >= 1 && n_vectors <= 4) {
            backward_update_narrow_looped(layer, delta_in, x, s, n_vectors, RULE);
            return;
        }
    } else {
        switch (n_vectors) {
        case 1: backward_update_narrow(layer, delta_in, x, s, 1, RULE); return;
        case 2: backward_update_narrow(layer, delta_in, x, s, 2, RULE); return;
        case 3: backward_update_narrow(layer, delta_in, x, s, 3, RULE); return;
        case 4: backward_update_narrow(layer, delta_in, x, s, 4, RULE); return;
        }
    }
    for (int64_t p = 0; p < x->n; p++) {
        const int64_t i = input_of(x, p), at = i * layer->width;
        const vec_step own = step_along_x(s, v_set1(values[p]));
        delta_in[i] = (real)layer->scale * backward_update_input(W + at, to_W + at, V + at, layer->delta,
                                                                 n_out, &own, RULE);
    }
}

/* delta_in and the step of a transposed W, for NV vectors of inputs from input i on, or a part of one. */
INLINE void backward_update_columns(const fbp_layer *layer, real *delta_in, const real *x, int64_t i,
                                    const vec_step *s, const int NV, int n_part, const int RULE) {
    const real *W = (const real *)layer->W + i, *delta = layer->delta;
    real *to_W = (real *)layer->to_W + i, *V = (real *)layer->V_W + i;
    vec a[4], sums[4];
    UNROLL for (int q = 0; q < NV; q++) {
        a[q] = v_load_part(x + i + q * VL, n_part);
        sums[q] = v_set1(0);
    }
    for (int64_t k = 0, at = 0; k < layer->n_out; k++, at += layer->width) {
        const vec d = v_set1(delta[k]);
        const vec_step own = step_along_x(s, d);
        UNROLL for (int q = 0; q < NV; q++) {
            const int64_t here = at + q * VL;
            sums[q] = v_fma(d, v_load_part(W + here, n_part), sums[q]);
            if (n_part == VL) step_vector(to_W + here, V + here, a[q], &own, RULE, q % 2);
            else step_vector_n(to_W + here, V + here, a[q], &own, RULE, n_part);
        }
    }
    UNROLL for (int q = 0; q < NV; q++) v_store(delta_in + i + q * VL, sums[q]); /* padded scratch */
}

INLINE void backward_update_transposed(const fbp_layer *layer, real *delta_in, const real *x,
                                       const vec_step *s, const int RULE) {
    const int64_t n = layer->n_in;
    const int UPPER = is_linear(RULE) ? 4 : 2;
    int64_t i = 0;
    for (; i + UPPER * VL <= n; i += UPPER * VL)
        backward_update_columns(layer, delta_in, x, i, s, UPPER, VL, RULE);
    for (; i + VL <= n; i += VL) backward_update_columns(layer, delta_in, x, i, s, 1, VL, RULE);
    if (i < n) backward_update_columns(layer, delta_in, x, i, s, 1, (int)(n - i), RULE);
}

/* b along weight delta */
INLINE void update_bias(const fbp_layer *layer, double weight, const fbp_step *step, fbp_rule rule) {
    const vec_step s = step_times(step, weight, 1);
    if (rule == FBP_PLAIN) step_along(layer->to_b, layer->V_b, layer->delta, layer->n_out, &s, FBP_PLAIN);
    else step_all(layer->to_b, layer->V_b, layer->delta, layer->n_out, &s, rule);
}

INLINE void backward_update_weights(const fbp_layer *layer, real *delta_in, const fbp_row *x,
                                    const vec_step *s, const int RULE) {
    if (over_inputs(layer, x))
        backward_update_transposed(layer, delta_in, x->values, s, RULE);
    else backward_update_rows(layer, delta_in, x, s, RULE);
}

/* The moments of a row's p-th input come near. Its weights are: forward has read them. */
INLINE void fetch_moments(const fbp_layer *layer, const fbp_row *x, int64_t p, const vec_step *s, const int RULE) {
    if (p >= x->n) return;
    const real *V = (const real *)layer->V_W + input_of(x, p) * layer->width;
    for (int64_t j = 0; j < layer->n_out; j += 64 / (int64_t)sizeof(real))
        UNROLL for (int k = 0; k < fbp_rules[RULE].n_moments; k++) PREFETCH(V + k * s->state_stride + j);
}

/* W takes its step along outer(x, delta), for the row's values that are not 0 or for all. The inputs that a
 * row lists may be anywhere: they are fetched some steps ahead. */
INLINE void update_rows(const fbp_layer *layer, const fbp_row *x, const vec_step *s, int all, const int RULE) {
    enum { INPUTS_AHEAD = 3 };
    const int fetches = x->columns && fbp_rules[RULE].n_moments;
    const real *values = x->values;
    for (int64_t p = 0; fetches && p < INPUTS_AHEAD; p++) fetch_moments(layer, x, p, s, RULE);
    for (int64_t p = 0; p < x->n; p++) {
        if (fetches) fetch_moments(layer, x, p + INPUTS_AHEAD, s, RULE);
        if (values[p] == 0 && !all) continue;
        const vec_step own = step_along_x(s, v_set1(values[p]));
        const int64_t at = input_of(x, p) * layer->width;
        step_along((real *)layer->to_W + at, (real *)layer->V_W + at, layer->delta, layer->n_out, &own, RULE);
    }
}

INLINE void update_weights(const fbp_layer *layer, const fbp_row *x, const vec_step *s, int all,
                           const int RULE) {
    if (!over_inputs(layer, x)) {
        update_rows(layer, x, s, all, RULE);
        return;
    }
    for (int64_t k = 0, at = 0; k < layer->n_out; k++, at += layer->width) {
        const vec_step own = step_along_x(s, v_set1(((const real *)layer->delta)[k]));
        step_along((real *)layer->to_W + at, (real *)layer->V_W + at, x->values, x->n, &own, RULE);
    }
}

/* to = factor values; they may be the same */
static void scale_values(real *to, const real *values, real factor, int64_t n) {
    int64_t k = 0;
    for (; k + VL <= n; k += VL) v_store(to + k, v_mul(v_set1(factor), v_load(values + k)));
    for (; k < n; k++) to[k] = factor * values[k];
}

/* W = factor W */
INLINE void scale_weights(const fbp_layer *layer, double factor) {
    scale_values(layer->to_W, layer->to_W, (real)factor, layer->n_in * layer->width);
}

/* delta_in = W @ delta, and W' = W + rate outer(x, delta): compilers see that it keeps all of W. */
CALLED void backward_update_plain(const fbp_layer *layer, real *delta_in, const fbp_row *x, double rate) {
    const vec_step plain = plain_step(rate);
    backward_update_weights(layer, delta_in, x, &plain, FBP_PLAIN);
}

/* delta_in = W @ delta alone */
CALLED void backward_alone(const fbp_layer *layer, real *delta_in, const fbp_row *x) {
    const vec_step none = plain_step(0);
    backward_update_weights(layer, delta_in, x, &none, NO_STEP);
}

/* backward_update of a row that lists its inputs, where all weights decay: with c = decay, scale' =
 * c scale, and W' = W + rate / scale' g is the step of scale * W. */
static void backward_update_decaying(fbp_layer *layer, real *delta_in, const fbp_row *x, double rate,
                                     double decay) {
    const double scale = decay * layer->scale;
    if (fabs(scale) > MIN_SCALE && fabs(scale) < 1 / MIN_SCALE) {
        backward_update_plain(layer, delta_in, x, rate / scale);
        layer->scale = scale;
    } else { /* into W with it, before the step */
        const vec_step s = plain_step(rate);
        backward_alone(layer, delta_in, x);
        scale_weights(layer, scale);
        layer->scale = 1;
        update_rows(layer, x, &s, 0, FBP_PLAIN);
    }
}

/* to_W takes its step along weight outer(x, delta), to_b along weight delta; where the weights that a row
 * leaves out move too, it must not list its inputs */
static void update(const fbp_layer *layer, const fbp_row *x, double weight, const fbp_step *step) {
    const int all = moves_all(step);
    const vec_step s = step_times(step, weight, 0);
#define TAKE(RULE) update_weights(layer, x, &s, all, RULE)
    WITH_RULE(step->rule)
#undef TAKE
    update_bias(layer, weight, step, step->rule);
}

/* delta_in = W @ delta;  to_W takes its step along weight outer(x, delta), to_b along weight delta */
static void backward_update(fbp_layer *layer, void *delta_in, const fbp_row *x, double weight,
                            const fbp_step *step) {
    const double rate = weight * step->rate[0], decay = step->decay[0][0];
    const vec_step s = step_times(step, weight, 0);
    if (step->rule == FBP_PLAIN && (decay == 1 || x->columns)) {
        if (decay == 1) backward_update_plain(layer, delta_in, x, rate);
        else backward_update_decaying(layer, delta_in, x, rate, decay);
    } else {
#define TAKE(RULE) backward_update_weights(layer, delta_in, x, &s, RULE)
        WITH_RULE(step->rule)
#undef TAKE
    }
    update_bias(layer, weight, step, step->rule);
}

/* W[i][j] of one layout from or to the other */
INLINE void copy_weights(real *packed, real *W, const fbp_layer *layout, double scale, int loading) {
    const int64_t n_in = layout->n_in, n_out = layout->n_out;
    for (int64_t i = 0; i < n_in; i++)
        for (int64_t j = 0; j < n_out; j++) {
            real *p = packed + (layout->transposed ? j * layout->width + i : i * layout->width + j);
            if (loading) *p = W[i * n_out + j];
            else W[i * n_out + j] = (real)scale * *p;
        }
}

/* The layer's parameters are those of `packed`, and the other way round. */
static void swap_places(fbp_layer *layer, fbp_layer *packed) {
    const fbp_layer was = *layer;
    layer->W = layer->to_W = packed->W;
    layer->V_W = was.V_W ? packed->V_W : NULL;
    layer->width = packed->width, layer->transposed = packed->transposed;
    packed->W = was.W, packed->width = was.width, packed->transposed = was.transposed;
    if (was.V_W) packed->V_W = was.V_W;
}

static void layer_load(fbp_layer *layer, fbp_layer *packed) {
    copy_weights(packed->W, layer->W, packed, 1, 1);
    if (layer->V_W) copy_weights(packed->V_W, layer->V_W, packed, 1, 1);
    swap_places(layer, packed);
    layer->scale = 1;
}

static void layer_unload(fbp_layer *layer, fbp_layer *packed) {
    copy_weights(layer->W, packed->W, layer, layer->scale, 0);
    if (layer->V_W) copy_weights(layer->V_W, packed->V_W, layer, 1, 0);
    swap_places(layer, packed);
    layer->scale = 1;
}

#endif
