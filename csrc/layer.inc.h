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

/* t = decay t + step v */
INLINE void scale_and_add(real *t, const real *v, int64_t n, real step, real decay) {
    const vec s = v_set1(step), d = v_set1(decay);
    int64_t j = 0;
    for (; j + VL <= n; j += VL)
        v_store(t + j, v_fma(s, v_load(v + j), v_mul(d, v_load(t + j))));
    if (j < n) {
        const int m = (int)(n - j);
        v_store_n(t + j, v_fma(s, v_load_n(v + j, m), v_mul(d, v_load_n(t + j, m))), m);
    }
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

/* to_b += scale delta */
INLINE void update_bias(const fbp_layer *layer, double scale) {
    scale_and_add(layer->to_b, layer->delta, layer->n_out, (real)scale, 1);
}

/* One input's weights w: returns w . delta, then t = decay t + step delta; w may be t. */
INLINE real backward_update_input(const real *w, real *t, const real *delta, int64_t n,
                                  real step, real decay) {
    const vec s = v_set1(step), c = v_set1(decay);
    vec sum = v_set1(0), sum2 = v_set1(0);
    int64_t j = 0;
    for (; j + 2 * VL <= n; j += 2 * VL) {
        const vec d = v_load(delta + j), d2 = v_load(delta + j + VL);
        sum = v_fma(v_load(w + j), d, sum);
        sum2 = v_fma(v_load(w + j + VL), d2, sum2);
        v_store(t + j, v_fma(s, d, v_mul(c, v_load(t + j))));
        v_store(t + j + VL, v_fma(s, d2, v_mul(c, v_load(t + j + VL))));
    }
    for (; j + VL <= n; j += VL) {
        const vec d = v_load(delta + j);
        sum = v_fma(v_load(w + j), d, sum);
        v_store(t + j, v_fma(s, d, v_mul(c, v_load(t + j))));
    }
    if (j < n) {
        const int m = (int)(n - j);
        const vec d = v_load_n(delta + j, m);
        sum2 = v_fma(v_load_n(w + j, m), d, sum2);
        v_store_n(t + j, v_fma(s, d, v_mul(c, v_load_n(t + j, m))), m);
    }
    return v_sum(v_add(sum, sum2));
}

/* The same where there is one output: delta_in = delta w, then t = decay t + (scale delta) a_in. */
INLINE void backward_update_one_output(real *delta_in, const real *w, real *t, const real *a_in,
                                       int64_t n, real delta, real step, real decay) {
    const vec s = v_set1(step), c = v_set1(decay), d = v_set1(delta);
    int64_t i = 0;
    for (; i + VL <= n; i += VL) {
        v_store(delta_in + i, v_mul(d, v_load(w + i)));
        v_store(t + i, v_fma(s, v_load(a_in + i), v_mul(c, v_load(t + i))));
    }
    if (i < n) { /* delta_in is padded scratch, t is not */
        const int m = (int)(n - i);
        v_store(delta_in + i, v_mul(d, v_load_n(w + i, m)));
        v_store_n(t + i, v_fma(s, v_load_n(a_in + i, m), v_mul(c, v_load_n(t + i, m))), m);
    }
}

/* What a sparse row leaves out decays too. */
INLINE void decay_all(const fbp_layer *layer, real decay) {
    real *to_W = layer->to_W;
    for (int64_t k = 0; k < layer->n_in * layer->n_out; k++) to_W[k] *= decay;
}

/* delta_in = W @ delta;  to_W = decay to_W + scale outer(x, delta);  to_b += scale delta */
static void backward_update(const fbp_layer *layer, void *delta_in, const fbp_row *x,
                            double scale, double decay) {
    const int64_t n_in = layer->n_in, n_out = layer->n_out;
    const real *W = layer->W, *delta = layer->delta, *values = x->values;
    real *to_W = layer->to_W, *below = delta_in;
    if (n_out == 1 && !x->columns) {
        backward_update_one_output(below, W, to_W, values, n_in, delta[0], (real)scale * delta[0],
                                   (real)decay);
    } else {
        if (x->columns) memset(below, 0, (size_t)n_in * sizeof(real));
        for (int64_t p = 0; p < x->n; p++) {
            const int64_t i = input_of(x, p);
            below[i] = backward_update_input(W + i * n_out, to_W + i * n_out, delta, n_out,
                                             (real)scale * values[p], (real)decay);
        }
    }
    update_bias(layer, scale);
}

/* to_W = decay to_W + scale outer(x, delta);  to_b += scale delta */
static void update(const fbp_layer *layer, const fbp_row *x, double scale, double decay) {
    const int64_t n_out = layer->n_out;
    const real *delta = layer->delta, *values = x->values;
    real *to_W = layer->to_W, c = (real)decay;
    if (x->columns && decay != 1) {
        decay_all(layer, c);
        c = 1;
    }
    if (n_out == 1 && !x->columns) {
        scale_and_add(to_W, values, x->n, (real)scale * delta[0], c);
    } else {
        for (int64_t p = 0; p < x->n; p++) {
            const real step = (real)scale * values[p];
            if (step != 0 || c != 1)
                scale_and_add(to_W + input_of(x, p) * n_out, delta, n_out, step, c);
        }
    }
    update_bias(layer, scale);
}
