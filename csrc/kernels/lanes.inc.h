/* Networks of one shape trained side by side on the same rows, each in a lane of its own.
 *
 * A row's step is that of layer.inc.h with a vector in the place of every number: nothing is ever
 * summed up across lanes, and what happens in one lane, divergence for instance, no other notices.
 * Arrays of a layer are W[n_in][n_out][VL], b[n_out][VL] and so on. The gradient is scaled once, at
 * the output, and with it everything that follows from it:
 *
 *     delta[L] = rate[0] weight dE/dz[L]
 *     w' = decay[0][0] w + decay[0][1] v + a delta
 *     v' = decay[1][0] w + decay[1][1] v + (rate[1] / rate[0]) a delta
 *
 * One pass over W of the first layer takes the steps of two rows and goes on to z of the next two, or
 * with momentum of one: loading and storing W would take longer than the arithmetic. */
#ifndef FASTBP_KERNELS_LANES_INC_H
#define FASTBP_KERNELS_LANES_INC_H

#include "activations.inc.h"
#include "losses.inc.h"
#include "solvers.inc.h"
#include "vector_math.inc.h"
#include "rows.h"

/* What happens to a weight before a gradient is added: nothing, L2 decay, or momentum. */
enum { LANES_PLAIN, LANES_DECAY, LANES_MOMENTUM };

/* The weight w takes its steps along ROWS a delta; returns the new value. */
INLINE vec lane_update(real *w, real *v, const vec *a, const vec *delta, int next_delta, const vec_step *s,
                       const int ROWS, const int KIND) {
    vec weight = v_load(w), velocity = KIND == LANES_MOMENTUM ? v_load(v) : weight;
    UNROLL for (int t = 0; t < ROWS; t++) {
        const vec d = delta[t * next_delta];
        vec decayed = KIND == LANES_PLAIN ? weight : v_mul(s->decay[0][0], weight);
        if (KIND == LANES_MOMENTUM) {
            const vec own = v_fma(s->decay[1][1], velocity, v_mul(s->decay[1][0], weight));
            decayed = v_fma(s->decay[0][1], velocity, decayed);
            velocity = v_fma(a[t], v_mul(s->rate[1], d), own);
        }
        weight = v_fma(a[t], d, decayed);
    }
    v_store(w, weight);
    if (KIND == LANES_MOMENTUM) v_store(v, velocity);
    return weight;
}

/* Units k, ..., k + NU - 1 of the first layer: the steps of ROWS rows x, then a of the next row (but
 * for RELU only z) and, in z, x @ W of the one after that. */
INLINE void lane_first_units(const fbp_lane_layer *layer, int64_t k, const real *const *x,
                             const real *const *next, const vec_step steps[2], const int NU,
                             const int ROWS, const int KIND, const int RELU) {
    const int64_t at = k * VL, stride = layer->n_out * VL, n_in = layer->n_in;
    const int has_v = KIND == LANES_MOMENTUM;
    const vec ones[2] = {v_set1(1), v_set1(1)};
    const real *x_0 = x[0], *x_1 = x[ROWS - 1], *next_0 = next[0], *next_1 = next[ROWS - 1];
    real *w = (real *)layer->W + at, *v = has_v ? (real *)layer->V_W + at : NULL;
    real *b = (real *)layer->b + at, *v_b = has_v ? (real *)layer->V_b + at : NULL;
    vec delta[2 * 8], z[2 * 8];
    UNROLL for (int q = 0; q < NU; q++) {
        UNROLL for (int t = 0; t < ROWS; t++)
            delta[t * 8 + q] = v_load((const real *)layer->delta + t * stride + at + q * VL);
        z[q] = lane_update(b + q * VL, has_v ? v_b + q * VL : NULL, ones, delta + q, 8, &steps[1], ROWS,
                           has_v ? LANES_MOMENTUM : LANES_PLAIN);
        z[8 + q] = v_set1(0);
    }
    for (int64_t i = 0; i < n_in; i++) {
        const vec xi[2] = {v_set1(x_0[i]), v_set1(x_1[i])};
        const vec next_i[2] = {v_set1(next_0[i]), v_set1(next_1[i])};
        UNROLL for (int q = 0; q < NU; q++) {
            const vec updated = lane_update(w + q * VL, has_v ? v + q * VL : NULL, xi, delta + q, 8,
                                            &steps[0], ROWS, KIND);
            UNROLL for (int t = 0; t < ROWS; t++) z[t * 8 + q] = v_fma(next_i[t], updated, z[t * 8 + q]);
        }
        w += stride;
        if (has_v) v += stride;
    }
    UNROLL for (int q = 0; q < NU; q++) {
        v_store((real *)layer->a + at + q * VL, RELU ? v_max(v_set1(0), z[q]) : z[q]);
        if (ROWS == 2) v_store((real *)layer->z + at + q * VL, z[8 + q]);
    }
}

/* Units in tiles of LANES_TILE vectors a row, and what is left in halves. */
INLINE void lane_first(const fbp_lane_layer *layer, const real *const *x, const real *const *next,
                       const vec_step steps[2], const int ROWS, const int KIND, const int RELU) {
    int64_t k = 0;
#define UNITS(NU)                                                                        \
    if ((NU) * ROWS <= LANES_TILE)                                                       \
        for (; k + (NU) <= layer->n_out; k += (NU))                                      \
            lane_first_units(layer, k, x, next, steps, NU, ROWS, KIND, RELU);
    UNITS(8)
    UNITS(4)
    UNITS(2)
    UNITS(1)
#undef UNITS
}

/* a of the second of two rows (but for RELU only z): layer.z stands for W as it was before the first
 * row's step, so that z' = keep z + b + (x . x' + 1) delta */
INLINE void lane_second(const fbp_lane_layer *layer, const real *const *x, const vec_step steps[2],
                        const int KIND, const int RELU) {
    real gram = 1;
    for (int64_t i = 0; i < layer->n_in; i++) gram += x[0][i] * x[1][i];
    const real *z = layer->z, *b = layer->b, *delta = layer->delta;
    real *a = layer->a;
    const int64_t n = layer->n_out * VL;
    for (int64_t at = 0; at < n; at += VL) {
        const vec z_at = v_load(z + at), b_at = v_load(b + at);
        const vec decayed = KIND == LANES_PLAIN ? v_add(z_at, b_at) : v_fma(steps[0].decay[0][0], z_at, b_at);
        const vec exact = v_fma(v_set1(gram), v_load(delta + at), decayed);
        v_store(a + at, RELU ? v_max(v_set1(0), exact) : exact);
    }
}

/* z of the first layer for the row x, without b. */
INLINE void lane_product(const fbp_lane_layer *layer, real *z, const real *x) {
    for (int64_t k = 0; k < layer->n_out; k++) {
        vec sum = v_set1(0);
        for (int64_t i = 0; i < layer->n_in; i++)
            sum = v_fma(v_set1(x[i]), v_load((const real *)layer->W + (i * layer->n_out + k) * VL), sum);
        v_store(z + k * VL, sum);
    }
}

/* z = b + a_below @ W, summed up in four parts. */
INLINE void lane_forward(const fbp_lane_layer *layer, const real *below, const int ONE) {
    const int64_t n_in = layer->n_in, n_out = ONE ? 1 : layer->n_out, stride = n_out * VL;
    for (int64_t k = 0; k < n_out; k++) {
        const real *w = (const real *)layer->W + k * VL;
        vec z[4] = {v_load((const real *)layer->b + k * VL), v_set1(0), v_set1(0), v_set1(0)};
        int64_t i = 0;
        for (; i + 4 <= n_in; i += 4)
            UNROLL for (int p = 0; p < 4; p++)
                z[p] = v_fma(v_load(below + (i + p) * VL), v_load(w + (i + p) * stride), z[p]);
        for (; i < n_in; i++) z[1] = v_fma(v_load(below + i * VL), v_load(w + i * stride), z[1]);
        v_store((real *)layer->a + k * VL, v_add(v_add(z[0], z[1]), v_add(z[2], z[3])));
    }
}

/* delta of the layer below = (W @ delta), for RELU times f'(z), and the step of W and b. */
INLINE void lane_backward_update(const fbp_lane_layer *layer, real *delta_below, const real *below,
                                 const vec_step steps[2], const int KIND, const int RELU, const int ONE) {
    const int64_t n_out = ONE ? 1 : layer->n_out;
    const int has_v = KIND == LANES_MOMENTUM;
    const vec one = v_set1(1);
    real *W = layer->W, *b = layer->b, *V = has_v ? layer->V_W : NULL, *V_b = has_v ? layer->V_b : NULL;
    const real *deltas = layer->delta;
    const int64_t n_in = layer->n_in;
    const vec first = v_load(deltas);
    for (int64_t j = 0; j < n_in; j++) {
        const vec a = v_load(below + j * VL);
        vec sum = v_set1(0);
        for (int64_t k = 0; k < n_out; k++) {
            const int64_t at = (j * n_out + k) * VL;
            const vec delta = ONE ? first : v_load(deltas + k * VL);
            sum = v_fma(v_load(W + at), delta, sum);
            lane_update(W + at, has_v ? V + at : NULL, &a, &delta, 0, &steps[0], 1, KIND);
        }
        v_store(delta_below + j * VL, RELU ? v_if_positive(a, sum) : sum);
    }
    for (int64_t at = 0; at < n_out * VL; at += VL) {
        const vec delta = v_load((const real *)layer->delta + at);
        lane_update(b + at, has_v ? V_b + at : NULL, &one, &delta, 0, &steps[1], 1,
                    has_v ? LANES_MOMENTUM : LANES_PLAIN);
    }
}

/* Loss and dE/dz of a softmax layer, E = sum -y log a, whose n z stand in z:
 * with m the largest, -log a_k = z_m - z_k + log(1 + rest), rest = the other exp(z_k - z_m). */
static vec lane_log_loss(real *delta, const real *z, const real *y, int64_t n) {
    vec top = v_load(z), rest = v_set1(-1), linear = v_set1(0);
    real sum_y = 0;
    for (int64_t k = 1; k < n; k++) top = v_max(v_load(z + k * VL), top);
    for (int64_t k = 0; k < n; k++) {
        const vec below = v_sub(top, v_load(z + k * VL));
        const vec e = v_exp(v_sub(v_set1(0), below));
        v_store(delta + k * VL, e);
        rest = v_add(rest, v_where_positive(below, v_set1(0), v_set1(1))); /* m is left out once */
        linear = y[k] == 0 ? linear : v_fma(v_set1(y[k]), below, linear);
        sum_y += y[k];
    }
    for (int64_t k = 0; k < n; k++)
        rest = v_add(rest, v_if_positive(v_sub(top, v_load(z + k * VL)), v_load(delta + k * VL)));
    const vec factor = v_div(v_set1(sum_y), v_add(v_set1(1), rest));
    for (int64_t k = 0; k < n; k++) {
        const vec e = v_load(delta + k * VL);
        v_store(delta + k * VL, v_sub(v_mul(factor, e), v_set1(y[k])));
    }
    return v_fma(v_set1(sum_y), v_log1p(rest, (double)n - 1), linear);
}

INLINE vec lane_huber(vec z, vec y, const fbp_lanes *net, vec *delta) {
    const vec a = v_activate_any(z, net->out_activation);
    const vec upper = v_set1((real)net->loss_parameter), r = v_sub(a, y);
    const vec d = v_max(v_sub(v_set1(0), upper), v_min(upper, r)); /* NaN stays in r */
    *delta = v_derive_any(d, z, a, net->out_activation);
    return v_mul(d, v_fnma(v_set1((real)0.5), d, r));
}

INLINE vec lane_quantile(vec z, vec y, const fbp_lanes *net, vec *delta) {
    const vec a = v_activate_any(z, net->out_activation);
    const vec r = v_sub(a, y), q = v_set1((real)net->loss_parameter);
    const vec below = v_if_positive(v_sub(v_set1(0), r), v_sub(v_set1(0), q));
    const vec d = v_where_positive(r, v_set1((real)(1 - net->loss_parameter)), below);
    *delta = v_derive_any(d, z, a, net->out_activation);
    return v_mul(r, d);
}

/* Loss and dE/dz of one output: losses.inc.h has the formulas. */
INLINE vec lane_output_unit(const fbp_lanes *net, vec z, real y, vec *delta) {
    const vec target = v_set1(y), zero = v_set1(0);
    vec a, difference;
    switch (net->loss) {
    case FBP_BINARY_LOG_LOSS:
        *delta = v_sub(v_logistic(z), target);
        return v_add(v_fnma(target, z, v_max(z, zero)), v_log1p(v_exp(v_sub(zero, v_abs(z))), 1));
    case FBP_POISSON:
        a = v_exp(z);
        *delta = v_sub(a, target);
        return y > 0 ? v_fma(target, v_sub(v_set1((real)(natural_log(y) - 1)), z), a) : a;
    case FBP_ABSOLUTE_ERROR:
        a = v_activate_any(z, net->out_activation);
        difference = v_sub(a, target);
        *delta = v_where_positive(v_abs(difference), v_copysign(v_set1(1), difference), difference);
        *delta = v_derive_any(*delta, z, a, net->out_activation);
        return v_abs(difference);
    case FBP_HUBER: return lane_huber(z, target, net, delta);
    case FBP_QUANTILE: return lane_quantile(z, target, net, delta);
    /* Not one by one, or of the drop-in alone, which has no lanes. No default: compilers then name a new loss. */
    case FBP_LOG_LOSS:
    case FBP_MEAN_SQUARED_ERROR:
    case FBP_CLIPPED_BINARY_LOG_LOSS:
    case FBP_CLIPPED_LOG_LOSS:
    case FBP_RATIO_POISSON:
    case FBP_N_LOSS:
    case FBP_SQUARED_ERROR: break;
    }
    a = v_activate_any(z, net->out_activation);
    difference = v_sub(a, target);
    *delta = v_derive_any(difference, z, a, net->out_activation);
    return v_mul(v_mul(v_set1((real)0.5), difference), difference);
}

/* The row's loss; dE/dz of all outputs, times scale, into delta. Not inlined: it is large, and a call
 * is short. */
static vec lane_output(const fbp_lanes *net, const real *y, vec scale) {
    const fbp_lane_layer *last = net->layers + net->n_layers - 1;
    const real *z = last->a;
    real *delta = last->delta;
    vec loss = v_set1(0);
    if (net->loss == FBP_LOG_LOSS) loss = lane_log_loss(delta, z, y, last->n_out);
    else
        for (int64_t k = 0; k < last->n_out; k++) {
            vec d;
            loss = v_add(loss, lane_output_unit(net, v_load(z + k * VL), y[k], &d));
            v_store(delta + k * VL, d);
        }
    for (int64_t k = 0; k < last->n_out; k++) v_store(delta + k * VL, v_mul(scale, v_load(delta + k * VL)));
    return loss;
}

/* lane_output for a single identity output and squared error, without the call. */
INLINE vec lane_difference(const fbp_lane_layer *last, const real *y, vec scale) {
    const vec delta = v_sub(v_load(last->a), v_set1(*y));
    v_store(last->delta, v_mul(scale, delta));
    return v_mul(v_mul(v_set1((real)0.5), delta), delta);
}

/* One row's step of all layers above the first, whose a (but for RELU only z) stands there; delta[1]
 * into `to`. Returns the row's loss. */
INLINE vec lane_step_above(const fbp_lanes *net, const fbp_data *data, int64_t row, real *to, vec scale,
                           const vec_step steps[2], const int KIND, const int RELU) {
    const fbp_lane_layer *first = net->layers, *last = first + net->n_layers - 1;
    if (!RELU) net->activate(first->a, first->n_out * VL);
    for (const fbp_lane_layer *layer = first + 1; layer <= last; layer++) {
        if (layer->n_out == 1) lane_forward(layer, layer[-1].a, 1);
        else lane_forward(layer, layer[-1].a, 0);
        if (layer != last) net->activate(layer->a, layer->n_out * VL);
    }
    const real *y = fbp_target_of(data, row);
    const int is_difference = last->n_out == 1 && net->loss == FBP_SQUARED_ERROR &&
                              net->out_activation == FBP_IDENTITY;
    const vec loss = is_difference ? lane_difference(last, y, scale) : lane_output(net, y, scale);
    for (const fbp_lane_layer *layer = last, *below = last - 1; layer != first; layer = below--) {
        real *delta = below == first ? to : below->delta;
        if (layer->n_out == 1) lane_backward_update(layer, delta, below->a, steps, KIND, RELU, 1);
        else lane_backward_update(layer, delta, below->a, steps, KIND, RELU, 0);
        if (!RELU) net->derive(delta, below->a, below->n_out * VL);
    }
    return loss;
}

/* 0 where all parameters of a lane are finite, else NaN. */
INLINE vec lane_finite(const fbp_lanes *net) {
    const real *values = net->values;
    vec sum = v_set1(0);
    for (int64_t k = 0; k < net->n_values; k++) sum = v_fma(v_load(values + k * VL), v_set1(0), sum);
    return sum;
}

/* sums += lanes */
INLINE void lane_add(double *sums, vec v) {
    real lanes[VL];
    v_store(lanes, v);
    for (int k = 0; k < VL; k++) sums[k] += lanes[k];
}

/* a of the row order[start] (but for RELU only z), and z of the next. */
INLINE void lane_begin(const fbp_lane_layer *first, const fbp_data *data, const int64_t *order,
                       int64_t start, int64_t stop, const int RELU) {
    lane_product(first, first->a, fbp_dense_row(data, order[start]));
    lane_product(first, first->z, fbp_dense_row(data, order[start + 1 < stop ? start + 1 : start]));
    for (int64_t at = 0; at < first->n_out * VL; at += VL) {
        const vec z = v_add(v_load((const real *)first->a + at), v_load((const real *)first->b + at));
        v_store((real *)first->a + at, RELU ? v_max(v_set1(0), z) : z);
    }
}

/* Losses are summed in `real` over so few rows that float keeps the last of them. */
enum { LANES_ROWS_SUMMED = 64 };

INLINE void lane_rows(const fbp_lanes *net, const fbp_data *data, const int64_t *order, int64_t start,
                      int64_t stop, const fbp_step *step, double max_loss, double *loss_sums,
                      const int KIND, const int RELU) {
    const fbp_lane_layer *first = net->layers;
    const vec_step steps[2] = {step_times(step, 1 / step->rate[0], 0), step_times(step, 1 / step->rate[0], 1)};
    const int ROWS = KIND == LANES_MOMENTUM ? 1 : 2;
    vec sum = v_set1(0), worst = v_set1(0);
    double not_finite[VL] = {0};
    int64_t n;
    lane_begin(first, data, order, start, stop, RELU);
    for (int64_t r = start; r < stop; r += n) {
        const real *x[2], *next[2];
        n = stop - r < ROWS ? stop - r : ROWS;
        for (int64_t t = 0; t < ROWS; t++) {
            x[t] = fbp_dense_row(data, order[r + t < stop ? r + t : stop - 1]);
            next[t] = fbp_dense_row(data, order[r + n + t < stop ? r + n + t : stop - 1]);
        }
        for (int64_t t = 0; t < n; t++) {
            const int64_t row = order[r + t];
            const double weight = fbp_weight_of(data, row);
            if (t) lane_second(first, x, steps, KIND, RELU);
            const vec loss = lane_step_above(net, data, row, (real *)first->delta + t * first->n_out * VL,
                                             v_set1((real)(step->rate[0] * weight)), steps, KIND, RELU);
            sum = v_fma(v_set1((real)weight), loss, sum);
            worst = v_max(loss, worst);
        }
        if (n == 2) lane_first(first, x, next, steps, ROWS, KIND, RELU);
        else lane_first(first, x, next, steps, 1, KIND, RELU);
        if ((r + n - start) % LANES_ROWS_SUMMED == 0 || r + n == stop) {
            lane_add(loss_sums, sum);
            sum = v_set1(0);
        }
    }
    lane_add(not_finite, v_add(worst, lane_finite(net)));
    for (int k = 0; k < VL; k++)
        if (!(not_finite[k] <= max_loss && loss_sums[k] < INFINITY)) loss_sums[k] = INFINITY;
}

static void train_lanes(const fbp_lanes *net, const fbp_data *data, const int64_t *order, int64_t start,
                        int64_t stop, const fbp_step *step, double max_loss, double *loss_sums) {
    const int kind = step->rule == FBP_MOMENTUM ? LANES_MOMENTUM : step->decay[0][0] != 1 ? LANES_DECAY : LANES_PLAIN;
    if (start == stop) return;
#define ROWS(KIND, RELU) \
    lane_rows(net, data, order, start, stop, step, max_loss, loss_sums, KIND, RELU)
#define WITH_KIND(KIND)                                            \
    case KIND:                                                      \
        if (net->activate == activate_RELU && net->n_layers == 2) ROWS(KIND, 1); \
        else ROWS(KIND, 0);                                         \
        break;
    switch (kind) {
        WITH_KIND(LANES_PLAIN)
        WITH_KIND(LANES_DECAY)
        WITH_KIND(LANES_MOMENTUM)
    }
#undef ROWS
#undef WITH_KIND
}

#endif
