/* What one layer does to vectors: forward, and backward with the update.
 *
 * W is row-major (n_in, n_out). Vectors run over outputs, a row of W at a time; a layer with a
 * single output is one column, so there vectors run over inputs. */

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

/* Which input the p-th value of a row belongs to. */
INLINE int64_t input_of(const fbp_row *x, int64_t p) { return x->columns ? x->columns[p] : p; }

/* z[0..width) = b + sum over the row's values x_i of x_i W[i, 0..width), for NV whole vectors and,
 * where n_tail is not 0, the first lanes of one more. A narrow sum takes UNROLLED inputs at a
 * time, each with accumulators of its own: one alone would wait for the FMA before it. */
INLINE void forward_columns(real *z, const real *W, const real *b, const fbp_row *x, int64_t n_out,
                            const int NV, const int TAIL, int n_tail) {
    enum { MOST = 8 };
    const int WIDE = NV + TAIL, UNROLLED = WIDE > 4 ? 1 : WIDE > 2 ? 2 : 4;
    const real *values = x->values;
    vec sums[MOST];
    UNROLL for (int k = 0; k < MOST; k++) sums[k] = v_set1(0);
    UNROLL for (int q = 0; q < NV; q++) sums[q] = v_load(b + q * VL);
    if (TAIL) sums[NV] = v_load_n(b + NV * VL, n_tail);

    int64_t p = 0;
    for (; p + UNROLLED <= x->n; p += UNROLLED) {
        UNROLL for (int u = 0; u < UNROLLED; u++) {
            const vec value = v_set1(values[p + u]);
            const real *w = W + input_of(x, p + u) * n_out;
            vec *sum = sums + u * WIDE;
            UNROLL for (int q = 0; q < NV; q++) sum[q] = v_fma(value, v_load(w + q * VL), sum[q]);
            if (TAIL) sum[NV] = v_fma(value, v_load_n(w + NV * VL, n_tail), sum[NV]);
        }
    }
    for (; p < x->n; p++) {
        const vec value = v_set1(values[p]);
        const real *w = W + input_of(x, p) * n_out;
        UNROLL for (int q = 0; q < NV; q++) sums[q] = v_fma(value, v_load(w + q * VL), sums[q]);
        if (TAIL) sums[NV] = v_fma(value, v_load_n(w + NV * VL, n_tail), sums[NV]);
    }
    UNROLL for (int q = 0; q < WIDE; q++) {
        UNROLL for (int u = 1; u < UNROLLED; u++) sums[q] = v_add(sums[q], sums[u * WIDE + q]);
        v_store(z + q * VL, sums[q]);
    }
}

/* z = x @ W + b, eight vectors of outputs at a time */
static void forward(const fbp_layer *layer, const fbp_row *x) {
    const int64_t n_out = layer->n_out;
    const real *W = layer->W, *b = layer->b;
    real *z = layer->z;
    if (n_out == 1 && !x->columns) {
        z[0] = b[0] + dot(W, x->values, x->n);
        return;
    }
    int64_t j = 0;
    for (; j + 8 * VL <= n_out; j += 8 * VL) forward_columns(z + j, W + j, b + j, x, n_out, 8, 0, 0);
    const int n_tail = (int)((n_out - j) % VL);
#define REST(NV)                                                                   \
    case NV:                                                                       \
        if (n_tail) forward_columns(z + j, W + j, b + j, x, n_out, NV, 1, n_tail); \
        else if (NV) forward_columns(z + j, W + j, b + j, x, n_out, NV, 0, 0);     \
        break;
    switch ((n_out - j) / VL) { REST(0) REST(1) REST(2) REST(3) REST(4) REST(5) REST(6) REST(7) }
#undef REST
}

/* The units of a above zero, as a row of values and columns. A unit of ReLU that is not among them
 * has a = 0 and f' = 0: it takes no part in the layer above, neither forward nor backward. */
static void list_active(fbp_layer *layer) {
    const real *a = layer->a;
    real *values = layer->active_values;
    int32_t *columns = layer->active_columns;
    int64_t n = 0;
    for (int64_t i = 0; i < layer->n_out; i++) {
        values[n] = a[i];
        columns[n] = (int32_t)i;
        n += !(a[i] <= 0); /* NaN is listed */
    }
    layer->row = (fbp_row){values, columns, n};
}

/* fbp_step in vectors, for gradients that come with a factor. */
typedef struct {
    vec keep[2][2], take[2];
    vec factor, decay, beta[2], rest[2], rate, epsilon; /* of Adam: rest = 1 - beta */
    int64_t squares;
} vec_step;

/* Which step a template takes. */
enum { PLAIN, MOMENTUM, ADAM };

/* The step times a factor on the gradient; a bias keeps all of itself. */
INLINE vec_step step_times(const fbp_step *step, double factor, int bias) {
    const vec_step s = {
        {{v_set1(bias ? 1 : (real)step->keep[0][0]), v_set1((real)step->keep[0][1])},
         {v_set1(bias ? 0 : (real)step->keep[1][0]), v_set1((real)step->keep[1][1])}},
        {v_set1((real)(step->take[0] * factor)), v_set1((real)(step->take[1] * factor))},
        v_set1((real)factor), v_set1(bias ? 0 : (real)step->decay),
        {v_set1((real)step->beta_1), v_set1((real)step->beta_2)},
        {v_set1((real)(1 - step->beta_1)), v_set1((real)(1 - step->beta_2))},
        v_set1((real)step->rate), v_set1((real)step->epsilon), step->squares};
    return s;
}

/* w' and v' (and Adam's s2') for the gradient g; without momentum v is left alone. */
INLINE void take_step(vec *w, vec *v, vec *s2, vec g, const vec_step *s, const int RULE) {
    const vec old = *w;
    if (RULE == ADAM) {
        g = v_fma(s->decay, old, v_mul(s->factor, g));
        *v = v_fma(s->beta[0], *v, v_mul(s->rest[0], g));
        *s2 = v_fma(s->beta[1], *s2, v_mul(s->rest[1], v_mul(g, g)));
        *w = v_fnma(s->rate, v_div(*v, v_add(v_sqrt(*s2), s->epsilon)), old);
    } else if (RULE == MOMENTUM) {
        *w = v_fma(s->take[0], g, v_fma(s->keep[0][1], *v, v_mul(s->keep[0][0], old)));
        *v = v_fma(s->take[1], g, v_fma(s->keep[1][1], *v, v_mul(s->keep[1][0], old)));
    } else {
        *w = v_fma(s->take[0], g, v_mul(s->keep[0][0], old));
    }
}

/* The step of t (and its velocities v) with the gradients g, VL of them or the first m. */
INLINE void step_vector(real *t, real *v, vec g, const vec_step *s, const int RULE) {
    vec new_t = v_load(t), new_v = RULE ? v_load(v) : v_set1(0);
    vec new_s = RULE == ADAM ? v_load(v + s->squares) : v_set1(0);
    take_step(&new_t, &new_v, &new_s, g, s, RULE);
    v_store(t, new_t);
    if (RULE) v_store(v, new_v);
    if (RULE == ADAM) v_store(v + s->squares, new_s);
}

INLINE void step_vector_n(real *t, real *v, vec g, const vec_step *s, const int RULE, int m) {
    vec new_t = v_load_n(t, m), new_v = RULE ? v_load_n(v, m) : v_set1(0);
    vec new_s = RULE == ADAM ? v_load_n(v + s->squares, m) : v_set1(0);
    take_step(&new_t, &new_v, &new_s, g, s, RULE);
    v_store_n(t, new_t, m);
    if (RULE) v_store_n(v, new_v, m);
    if (RULE == ADAM) v_store_n(v + s->squares, new_s, m);
}

/* The step of t with gradients that are g times a factor (in s). */
INLINE void step_along(real *t, real *v, const real *g, int64_t n, const vec_step *s, const int RULE) {
    int64_t j = 0;
    for (; j + VL <= n; j += VL) step_vector(t + j, v + j, v_load(g + j), s, RULE);
    if (j < n) {
        const int m = (int)(n - j);
        step_vector_n(t + j, v + j, v_load_n(g + j, m), s, RULE, m);
    }
}

/* One input's weights w: returns w . delta, then t takes its step; w may be t. */
INLINE real backward_update_input(const real *w, real *t, real *v, const real *delta, int64_t n,
                                  const vec_step *s, const int RULE) {
    vec sum = v_set1(0), sum2 = v_set1(0);
    int64_t j = 0;
    for (; j + 2 * VL <= n; j += 2 * VL) {
        const vec d = v_load(delta + j), d2 = v_load(delta + j + VL);
        sum = v_fma(v_load(w + j), d, sum);
        sum2 = v_fma(v_load(w + j + VL), d2, sum2);
        step_vector(t + j, v + j, d, s, RULE);
        step_vector(t + j + VL, v + j + VL, d2, s, RULE);
    }
    for (; j + VL <= n; j += VL) {
        const vec d = v_load(delta + j);
        sum = v_fma(v_load(w + j), d, sum);
        step_vector(t + j, v + j, d, s, RULE);
    }
    if (j < n) {
        const int m = (int)(n - j);
        const vec d = v_load_n(delta + j, m);
        sum2 = v_fma(v_load_n(w + j, m), d, sum2);
        step_vector_n(t + j, v + j, d, s, RULE, m);
    }
    return v_sum(v_add(sum, sum2));
}

/* The same for all inputs of one output: delta_in = delta w, then the step with gradients a_in. */
INLINE void backward_update_one_output(real *delta_in, const real *w, real *t, real *v, const real *a_in,
                                       int64_t n, real delta, const vec_step *s, const int RULE) {
    const vec d = v_set1(delta);
    int64_t i = 0;
    for (; i + VL <= n; i += VL) {
        v_store(delta_in + i, v_mul(d, v_load(w + i)));
        step_vector(t + i, v + i, v_load(a_in + i), s, RULE);
    }
    if (i < n) { /* delta_in is padded scratch, t is not */
        const int m = (int)(n - i);
        v_store(delta_in + i, v_mul(d, v_load_n(w + i, m)));
        step_vector_n(t + i, v + i, v_load_n(a_in + i, m), s, RULE, m);
    }
}

INLINE void update_bias(const fbp_layer *layer, double weight, const fbp_step *step, const int RULE) {
    const vec_step s = step_times(step, weight, 1);
    step_along(layer->to_b, layer->V_b, layer->delta, layer->n_out, &s, RULE);
}

INLINE void backward_update_template(const fbp_layer *layer, real *delta_in, const fbp_row *x,
                                     double weight, const fbp_step *step, const int RULE) {
    const int64_t n_in = layer->n_in, n_out = layer->n_out;
    const real *W = layer->W, *delta = layer->delta, *values = x->values;
    real *to_W = layer->to_W, *V = layer->V_W;
    if (n_out == 1 && !x->columns) {
        const vec_step s = step_times(step, weight * delta[0], 0);
        backward_update_one_output(delta_in, W, to_W, V, values, n_in, delta[0], &s, RULE);
    } else {
        if (x->columns) memset(delta_in, 0, (size_t)n_in * sizeof(real));
        for (int64_t p = 0; p < x->n; p++) {
            const int64_t i = input_of(x, p), at = i * n_out;
            const vec_step s = step_times(step, weight * values[p], 0);
            delta_in[i] = backward_update_input(W + at, to_W + at, V + at, delta, n_out, &s, RULE);
        }
    }
    update_bias(layer, weight, step, RULE);
}

/* delta_in = W @ delta;  to_W takes its step along weight outer(x, delta), to_b along weight delta */
static void backward_update(const fbp_layer *layer, void *delta_in, const fbp_row *x, double weight,
                            const fbp_step *step) {
    if (step->adam) backward_update_template(layer, delta_in, x, weight, step, ADAM);
    else if (step->momentum) backward_update_template(layer, delta_in, x, weight, step, MOMENTUM);
    else backward_update_template(layer, delta_in, x, weight, step, PLAIN);
}

INLINE void update_template(const fbp_layer *layer, const fbp_row *x, double weight, const fbp_step *step,
                            const int RULE) {
    const int64_t n_in = layer->n_in, n_out = layer->n_out;
    const real *delta = layer->delta, *values = x->values;
    const fbp_step kept = {.keep = {{1, 0}, {0, 0}}, .take = {step->take[0], 0}};
    real *to_W = layer->to_W, *V = layer->V_W;
    if (x->columns && step->keep[0][0] != 1) { /* what a sparse row leaves out decays too */
        for (int64_t k = 0; k < n_in * n_out; k++) to_W[k] *= (real)step->keep[0][0];
        step = &kept;
    }
    if (n_out == 1 && !x->columns) {
        const vec_step s = step_times(step, weight * delta[0], 0);
        step_along(to_W, V, values, x->n, &s, RULE);
    } else {
        for (int64_t p = 0; p < x->n; p++) {
            const int64_t at = input_of(x, p) * n_out;
            const vec_step s = step_times(step, weight * values[p], 0);
            if (RULE || values[p] != 0 || step->keep[0][0] != 1)
                step_along(to_W + at, V + at, delta, n_out, &s, RULE);
        }
    }
    update_bias(layer, weight, step, RULE);
}

/* to_W takes its step along weight outer(x, delta), to_b along weight delta; a row of non-zeros only
 * without momentum or Adam, with which the weights it leaves out move too */
static void update(const fbp_layer *layer, const fbp_row *x, double weight, const fbp_step *step) {
    if (step->adam) update_template(layer, x, weight, step, ADAM);
    else if (step->momentum) update_template(layer, x, weight, step, MOMENTUM);
    else update_template(layer, x, weight, step, PLAIN);
}
