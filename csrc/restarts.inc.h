/* Networks of one shape trained side by side on the same rows, each in a lane of its own.
 *
 * A row's step is that of layer.inc.h with a vector in the place of every number: nothing is ever
 * summed up across lanes, and what happens in one lane, divergence for instance, no other notices.
 * Arrays of a layer are W[n_in][n_out][LANES], b[n_out][LANES] and so on, LANES = NV * VL. The
 * gradient is scaled once, at the output, and with it everything that follows from it:
 *
 *     delta[L] = take[0] weight dE/dz[L]
 *     w' = keep[0][0] w + keep[0][1] v + a delta
 *     v' = keep[1][0] w + keep[1][1] v + (take[1] / take[0]) a delta
 *
 * One pass over W of the first layer takes the steps of two rows and goes on to z of the next two, or
 * with momentum of one: loading and storing W would take longer than the arithmetic. */

/* What keeps a weight as it is before a step is added: nothing to do, L2, or momentum. */
enum { LANES_KEEP, LANES_DECAY, LANES_MOMENTUM };

/* The weight w, whose value is `old`, takes its steps along ROWS a delta; returns the new value. */
INLINE vec lane_update(real *w, real *v, vec old, const vec *a, const vec *delta, int next_delta,
                       const vec_step *s, const int ROWS, const int KEEPS) {
    vec weight = old, velocity = KEEPS == LANES_MOMENTUM ? v_load(v) : old;
    UNROLL for (int t = 0; t < ROWS; t++) {
        const vec d = delta[t * next_delta];
        vec kept = KEEPS == LANES_KEEP ? weight : v_mul(s->keep[0][0], weight);
        if (KEEPS == LANES_MOMENTUM) {
            const vec own = v_fma(s->keep[1][1], velocity, v_mul(s->keep[1][0], weight));
            kept = v_fma(s->keep[0][1], velocity, kept);
            velocity = v_fma(a[t], v_mul(s->take[1], d), own);
        }
        weight = v_fma(a[t], d, kept);
    }
    v_store(w, weight);
    if (KEEPS == LANES_MOMENTUM) v_store(v, velocity);
    return weight;
}

/* Units k, ..., k + NU - 1 of the first layer: the steps of ROWS rows x, then a of the next row and,
 * in z, x @ W of the one after that. */
INLINE void lane_first_units(const fbp_lane_layer *layer, int64_t k, const real *const *x,
                             const real *const *next, const vec_step steps[2], const int NU, const int NV,
                             const int ROWS, const int KEEPS, const fbp_activation ACTIVATION) {
    const int64_t at = k * NV * VL, stride = layer->n_out * NV * VL;
    const int has_v = KEEPS == LANES_MOMENTUM;
    const vec ones[2] = {v_set1(1), v_set1(1)};
    real *w = (real *)layer->W + at, *v = has_v ? (real *)layer->V_W + at : NULL;
    real *b = (real *)layer->b + at, *v_b = has_v ? (real *)layer->V_b + at : NULL;
    vec delta[2 * 8], z[2 * 8];
    UNROLL for (int q = 0; q < NU * NV; q++) {
        UNROLL for (int t = 0; t < ROWS; t++)
            delta[t * 8 + q] = v_load((const real *)layer->delta + t * stride + at + q * VL);
        z[q] = lane_update(b + q * VL, has_v ? v_b + q * VL : NULL, v_load(b + q * VL), ones, delta + q, 8,
                           &steps[1], ROWS, has_v ? LANES_MOMENTUM : LANES_KEEP);
        z[8 + q] = v_set1(0);
    }
    for (int64_t i = 0; i < layer->n_in; i++) {
        vec xi[2], next_i[2];
        UNROLL for (int t = 0; t < ROWS; t++) {
            xi[t] = v_set1(x[t][i]);
            next_i[t] = v_set1(next[t][i]);
        }
        UNROLL for (int q = 0; q < NU * NV; q++) {
            const vec updated = lane_update(w + q * VL, has_v ? v + q * VL : NULL, v_load(w + q * VL), xi,
                                            delta + q, 8, &steps[0], ROWS, KEEPS);
            UNROLL for (int t = 0; t < ROWS; t++) z[t * 8 + q] = v_fma(next_i[t], updated, z[t * 8 + q]);
        }
        w += stride;
        if (has_v) v += stride;
    }
    UNROLL for (int q = 0; q < NU * NV; q++) {
        v_store((real *)layer->a + at + q * VL, tiny_activate(z[q], ACTIVATION));
        if (ROWS == 2) v_store((real *)layer->z + at + q * VL, z[8 + q]);
    }
}

/* Units in tiles of LANES_TILE vectors a row, and what is left in halves. */
INLINE void lane_first(const fbp_lane_layer *layer, const real *const *x, const real *const *next,
                       const vec_step steps[2], const int NV, const int ROWS, const int KEEPS,
                       const fbp_activation ACTIVATION) {
    int64_t k = 0;
#define UNITS(NU)                                                   \
    if ((NU) * NV * ROWS <= LANES_TILE || (NU) == 1)                \
        for (; k + (NU) <= layer->n_out; k += (NU))                 \
            lane_first_units(layer, k, x, next, steps, NU, NV, ROWS, KEEPS, ACTIVATION);
    UNITS(8)
    UNITS(4)
    UNITS(2)
    UNITS(1)
#undef UNITS
}

/* a of the second of two rows: z stands for W as it was before the first row's step, so that
 *
 *     z' = keep z + b + (x . x' + 1) delta */
INLINE void lane_second(const fbp_lane_layer *layer, const real *const *x, const vec_step steps[2],
                        const int NV, const int KEEPS, const fbp_activation ACTIVATION) {
    real gram = 1;
    for (int64_t i = 0; i < layer->n_in; i++) gram += x[0][i] * x[1][i];
    for (int64_t at = 0; at < layer->n_out * NV * VL; at += VL) {
        const vec z = v_load((const real *)layer->z + at), b = v_load((const real *)layer->b + at);
        const vec kept = KEEPS == LANES_KEEP ? v_add(z, b) : v_fma(steps[0].keep[0][0], z, b);
        const vec delta = v_load((const real *)layer->delta + at);
        v_store((real *)layer->a + at, tiny_activate(v_fma(v_set1(gram), delta, kept), ACTIVATION));
    }
}

/* z = b + below @ W, or where the row x is what is below, its product with W alone. */
INLINE void lane_forward(const fbp_lane_layer *layer, real *to, const real *below, const real *x,
                         const int NV) {
    const int64_t n_in = layer->n_in, lanes = NV * VL, stride = layer->n_out * lanes;
    for (int64_t k = 0; k < layer->n_out; k++)
        UNROLL for (int q = 0; q < NV; q++) {
            const int64_t at = k * lanes + q * VL;
            const real *w = (const real *)layer->W + at;
            vec z[4] = {x ? v_set1(0) : v_load((const real *)layer->b + at), v_set1(0), v_set1(0), v_set1(0)};
            for (int64_t i = 0; i < n_in; i += 4)
                UNROLL for (int p = 0; p < 4; p++) {
                    if (i + p == n_in) break;
                    const vec a = x ? v_set1(x[i + p]) : v_load(below + (i + p) * lanes + q * VL);
                    z[p] = v_fma(a, v_load(w + (i + p) * stride), z[p]);
                }
            v_store(to + at, v_add(v_add(z[0], z[1]), v_add(z[2], z[3])));
        }
}

/* delta of the layer below = (W @ delta) f'(z), and the step of W and b. */
INLINE void lane_backward_update(const fbp_lane_layer *layer, const fbp_lane_layer *below, real *delta_below,
                                 const vec_step steps[2], const int NV, const int KEEPS,
                                 const fbp_activation ACTIVATION) {
    const int64_t n_out = layer->n_out, lanes = NV * VL;
    const int has_v = KEEPS == LANES_MOMENTUM;
    const vec one = v_set1(1);
    const real *deltas = layer->delta;
    real *V = has_v ? layer->V_W : NULL, *V_b = has_v ? layer->V_b : NULL;
    for (int64_t j = 0; j < layer->n_in; j++)
        UNROLL for (int q = 0; q < NV; q++) {
            const vec a = v_load((const real *)below->a + j * lanes + q * VL);
            vec sum = v_set1(0);
            for (int64_t k = 0; k < n_out; k++) {
                const int64_t at = (j * n_out + k) * lanes + q * VL;
                real *w = (real *)layer->W + at;
                const vec delta = v_load(deltas + k * lanes + q * VL), old = v_load(w);
                sum = v_fma(old, delta, sum);
                lane_update(w, has_v ? V + at : NULL, old, &a, &delta, 0, &steps[0], 1, KEEPS);
            }
            v_store(delta_below + j * lanes + q * VL, tiny_derive(sum, a, ACTIVATION));
        }
    for (int64_t at = 0; at < n_out * lanes; at += VL) {
        real *b = (real *)layer->b + at;
        const vec delta = v_load(deltas + at);
        lane_update(b, has_v ? V_b + at : NULL, v_load(b), &one, &delta, 0, &steps[1], 1,
                    has_v ? LANES_MOMENTUM : LANES_KEEP);
    }
}

/* Loss and dE/dz of a softmax layer, E = sum -y log a, whose n z stand in a, `stride` apart:
 * with m the largest, -log a_k = z_m - z_k + log(1 + rest), rest = the other exp(z_k - z_m). */
static vec lane_log_loss(real *z, real *delta, const real *y, int64_t n, int64_t stride) {
    vec top = v_load(z), rest = v_set1(-1), linear = v_set1(0);
    real sum_y = 0;
    for (int64_t k = 1; k < n; k++) top = v_max(v_load(z + k * stride), top);
    for (int64_t k = 0; k < n; k++) {
        const vec below = v_sub(top, v_load(z + k * stride));
        const vec e = v_exp(v_sub(v_set1(0), below));
        v_store(delta + k * stride, e);
        rest = v_add(rest, v_where_positive(below, v_set1(0), v_set1(1))); /* m is left out once */
        linear = y[k] == 0 ? linear : v_fma(v_set1(y[k]), below, linear);
        sum_y += y[k];
    }
    for (int64_t k = 0; k < n; k++)
        rest = v_add(rest, v_if_positive(v_sub(top, v_load(z + k * stride)), v_load(delta + k * stride)));
    const vec factor = v_div(v_set1(sum_y), v_add(v_set1(1), rest));
    for (int64_t k = 0; k < n; k++) {
        const vec e = v_load(delta + k * stride);
        v_store(delta + k * stride, v_sub(v_mul(factor, e), v_set1(y[k])));
    }
    return v_fma(v_set1(sum_y), v_log1p(rest, (double)n - 1), linear);
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
        a = tiny_activate(z, net->out_activation);
        difference = v_sub(a, target);
        *delta = v_where_positive(v_abs(difference), v_copysign(v_set1(1), difference), difference);
        *delta = tiny_derive(*delta, a, net->out_activation);
        return v_abs(difference);
    default:
        a = tiny_activate(z, net->out_activation);
        difference = v_sub(a, target);
        *delta = tiny_derive(difference, a, net->out_activation);
        return v_mul(v_mul(v_set1((real)0.5), difference), difference);
    }
}

/* The loss of one vector of lanes; dE/dz of all outputs, times scale, into delta. */
static vec lane_output(const fbp_lanes *net, real *z, real *delta, const real *y, int64_t n, int64_t stride,
                       vec scale) { /* not inlined: it is large, and a call is short */
    vec loss = v_set1(0);
    if (net->loss == FBP_LOG_LOSS) {
        loss = lane_log_loss(z, delta, y, n, stride);
        for (int64_t k = 0; k < n; k++) v_store(delta + k * stride, v_mul(scale, v_load(delta + k * stride)));
        return loss;
    }
    for (int64_t k = 0; k < n; k++) {
        vec d;
        loss = v_add(loss, lane_output_unit(net, v_load(z + k * stride), y[k], &d));
        v_store(delta + k * stride, v_mul(scale, d));
    }
    return loss;
}

/* a = f(z) of a hidden layer, in place */
INLINE void lane_activate(const fbp_lane_layer *layer, const int NV, const fbp_activation ACTIVATION) {
    for (int64_t at = 0; at < layer->n_out * NV * VL; at += VL) {
        real *a = (real *)layer->a + at;
        v_store(a, tiny_activate(v_load(a), ACTIVATION));
    }
}

/* One row's step of all layers above the first, whose a[1] stands there; delta[1] as that of row t. */
INLINE void lane_step_above(const fbp_lanes *net, const fbp_data *data, int64_t row, int t, const fbp_step *step,
                            const vec_step steps[2], vec *sums, vec *worst, const int NV, const int KEEPS,
                            const fbp_activation ACTIVATION) {
    const fbp_lane_layer *first = net->layers, *last = first + net->n_layers - 1;
    const double weight = data->weights ? data->weights[row] : 1;
    const vec scale = v_set1((real)(step->take[0] * weight));
    for (const fbp_lane_layer *layer = first + 1; layer <= last; layer++) {
        lane_forward(layer, layer->a, layer[-1].a, NULL, NV);
        if (layer != last) lane_activate(layer, NV, ACTIVATION);
    }
    UNROLL for (int q = 0; q < NV; q++) {
        const vec loss = lane_output(net, (real *)last->a + q * VL, (real *)last->delta + q * VL,
                                     (const real *)(data->y + row * data->y_row_bytes), last->n_out, NV * VL, scale);
        sums[q] = v_fma(v_set1((real)weight), loss, sums[q]);
        worst[q] = v_max(loss, worst[q]);
    }
    for (const fbp_lane_layer *layer = last; layer != first; layer--)
        lane_backward_update(layer, layer - 1,
                             (real *)layer[-1].delta + (layer - 1 == first ? t * first->n_out * NV * VL : 0),
                             steps, NV, KEEPS, ACTIVATION);
}

/* 0 where all parameters of a lane are finite, else NaN. */
INLINE vec lane_soundness(const fbp_lanes *net, int q, const int NV) {
    const real *values = (const real *)net->values + q * VL;
    vec sum = v_set1(0);
    for (int64_t k = 0; k < net->n_values; k++) sum = v_fma(v_load(values + k * NV * VL), v_set1(0), sum);
    return sum;
}

/* Sums are taken over so few rows at a time that float keeps the last of them. */
enum { LANES_ROWS_SUMMED = 64 };

INLINE void lane_rows(const fbp_lanes *net, const fbp_data *data, const int64_t *order, int64_t start,
                      int64_t stop, const fbp_step *step, double largest_loss, double *loss_sums,
                      const int NV, const int KEEPS, const fbp_activation ACTIVATION) {
    const fbp_lane_layer *first = net->layers;
    const vec_step steps[2] = {step_times(step, 1 / step->take[0], 0), step_times(step, 1 / step->take[0], 1)};
    vec sums[2] = {v_set1(0), v_set1(0)}, worst[2] = {v_set1(0), v_set1(0)};
    real lanes[2 * VL];
    const int ROWS = KEEPS == LANES_MOMENTUM ? 1 : 2;
    int64_t r = start, n;
    lane_forward(first, first->a, NULL, dense_row(data, order[start]), NV);
    lane_forward(first, first->z, NULL, dense_row(data, order[start + 1 < stop ? start + 1 : start]), NV);
    for (int64_t at = 0; at < first->n_out * NV * VL; at += VL)
        v_store((real *)first->a + at,
                v_add(v_load((real *)first->a + at), v_load((const real *)first->b + at)));
    lane_activate(first, NV, ACTIVATION);
    for (; r < stop; r += n) {
        const real *x[2], *next[2];
        n = stop - r < ROWS ? stop - r : ROWS;
        for (int64_t t = 0; t < ROWS; t++) {
            x[t] = dense_row(data, order[r + t < stop ? r + t : stop - 1]);
            next[t] = dense_row(data, order[r + n + t < stop ? r + n + t : stop - 1]);
        }
        for (int t = 0; t < n; t++) {
            if (t) lane_second(first, x, steps, NV, KEEPS, ACTIVATION);
            lane_step_above(net, data, order[r + t], t, step, steps, sums, worst, NV, KEEPS, ACTIVATION);
        }
        if (n == 2) lane_first(first, x, next, steps, NV, ROWS, KEEPS, ACTIVATION);
        else lane_first(first, x, next, steps, NV, 1, KEEPS, ACTIVATION);
        if ((r + n - start) % LANES_ROWS_SUMMED == 0 || r + n == stop)
            UNROLL for (int q = 0; q < NV; q++) {
                v_store(lanes, sums[q]);
                for (int k = 0; k < VL; k++) loss_sums[q * VL + k] += lanes[k];
                sums[q] = v_set1(0);
            }
    }
    UNROLL for (int q = 0; q < NV; q++)
        v_store(lanes + q * VL, v_add(worst[q], lane_soundness(net, q, NV)));
    for (int k = 0; k < NV * VL; k++)
        if (!(lanes[k] <= largest_loss && loss_sums[k] < INFINITY)) loss_sums[k] = INFINITY;
}

static void train_lanes(const fbp_lanes *net, const fbp_data *data, const int64_t *order, int64_t start,
                        int64_t stop, const fbp_step *step, double largest_loss, double *loss_sums) {
    if (start == stop) return;
#define ROWS(NV, KEEPS, ACTIVATION) \
    lane_rows(net, data, order, start, stop, step, largest_loss, loss_sums, NV, KEEPS, ACTIVATION)
#define WITH_KEEPS(NV, ACTIVATION)                                            \
    case ACTIVATION:                                                          \
        if (step->momentum) ROWS(NV, LANES_MOMENTUM, ACTIVATION);             \
        else if (step->keep[0][0] != 1) ROWS(NV, LANES_DECAY, ACTIVATION);    \
        else ROWS(NV, LANES_KEEP, ACTIVATION);                                \
        break;
#define WITH_VECTORS(NV)                       \
    switch ((int)net->activation) {            \
        WITH_KEEPS(NV, FBP_IDENTITY)           \
        WITH_KEEPS(NV, FBP_LOGISTIC)           \
        WITH_KEEPS(NV, FBP_TANH)               \
        WITH_KEEPS(NV, FBP_RELU)               \
    }
    if (net->n_vectors == 1) {
        WITH_VECTORS(1)
    } else {
        WITH_VECTORS(2)
    }
#undef ROWS
#undef WITH_KEEPS
#undef WITH_VECTORS
}
