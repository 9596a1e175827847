/* A network of one small hidden layer and one output: the whole step in registers, with the first
 * layer one row behind.
 *
 * A row's step is so short that what takes time is waiting for the row before. So the pass over W
 * that this row owes is left to overlap with the next: with x, x' this row and the next,
 * D = step * w2 f'(a) and c = 1 - learning_rate alpha,
 *
 *     W = c W + outer(x_last, D_last)                  what the last row owed
 *     z' = c (x' W) + b + (x . x' + 1) D               exact, and only the last term waits for delta
 *
 * W stands as W[input][NV * VL], zero behind n_out; there b, w2 and D stay zero too, because every
 * unit is 0 there: logistic(0), which is not, is made so. */

INLINE const real *dense_row(const fbp_data *data, int64_t r) {
    return (const real *)(data->X + r * data->X_row_bytes);
}

INLINE vec tiny_activate(vec z, const fbp_activation activation) {
    switch (activation) {
    case FBP_LOGISTIC: return v_logistic(z);
    case FBP_TANH: return v_tanh(z);
    case FBP_RELU: return v_max(v_set1(0), z);
    default: return z;
    }
}

/* w f'(z), in terms of a = f(z) */
INLINE vec tiny_derive(vec w, vec a, const fbp_activation activation) {
    switch (activation) {
    case FBP_LOGISTIC: return v_mul(w, v_fnma(a, a, a));
    case FBP_TANH: return v_mul(w, v_fnma(a, a, v_set1(1)));
    case FBP_RELU: return v_if_positive(a, w);
    default: return w;
    }
}

/* Loss and delta of the single output, whose z stands in the layer's scratch. */
INLINE double tiny_output(const fbp_net *net, const void *y, real *delta) {
    const fbp_layer *layer = net->layers + 1;
    real *z = layer->z, *a = layer->a;
    if (net->plain_output) {
        *delta = z[0] - *(const real *)y;
        return 0.5 * (double)*delta * *delta;
    }
    a[0] = z[0];
    layer->activate(a, 1);
    const double loss = net->output_delta(layer->delta, z, a, y, 1);
    layer->derive(layer->delta, a, 1);
    *delta = *(const real *)layer->delta;
    return loss;
}

INLINE int64_t tiny_rows(fbp_net *net, fbp_block *block, const fbp_data *data, const int64_t *order,
                         int64_t start, int64_t stop, const fbp_solver *solver, double *loss_sum,
                         const int NV, const fbp_activation ACTIVATION, const int DECAYS) {
    const fbp_layer *first = net->layers, *last = net->layers + 1;
    const int64_t n_in = first->n_in, width = NV * VL;
    const double eta = solver->learning_rate;
    const vec c = v_set1((real)(1 - eta * solver->alpha));
    real *W = block->W, *out = last->z, b2 = *(real *)last->b;
    const real *x = dense_row(data, order[start]), *x_last = x;
    vec b[4], w2[4], D[4], z[4], decay = v_set1(1);
    double sum = 0;
    int64_t r = start;
    real units[4 * VL];

    for (int64_t j = 0; j < width; j++) units[j] = j < first->n_out;
    const vec last_units = v_load(units + width - VL);
    UNROLL for (int q = 0; q < NV; q++) {
        b[q] = z[q] = v_load((real *)block->b + q * VL);
        w2[q] = v_load((real *)block->Z + q * VL);
        D[q] = v_set1(0);
    }
    for (int64_t i = 0; i < n_in; i++)
        UNROLL for (int q = 0; q < NV; q++)
            z[q] = v_fma(v_set1(x[i]), v_load(W + i * width + q * VL), z[q]);

    for (; r < stop; r++) {
        const int64_t row = order[r];
        const real *next = dense_row(data, order[r + 1 < stop ? r + 1 : r]);
        const double weight = data->weights ? data->weights[row] : 1;
        vec a[4], Z[4], sums = v_set1(0);
        real delta, gram = 1;

        UNROLL for (int q = 0; q < NV; q++) Z[q] = DECAYS ? v_set1(0) : b[q];
        for (int64_t i = 0; i < n_in; i++) {
            const vec to_last = v_set1(x_last[i]), to_next = v_set1(next[i]);
            real *w = W + i * width;
            gram += x[i] * next[i];
            UNROLL for (int q = 0; q < NV; q++) {
                const vec kept = v_load(w + q * VL);
                const vec written = v_fma(to_last, D[q], DECAYS ? v_mul(decay, kept) : kept);
                v_store(w + q * VL, written);
                Z[q] = v_fma(to_next, written, Z[q]);
            }
        }
        if (DECAYS)
            UNROLL for (int q = 0; q < NV; q++) Z[q] = v_fma(c, Z[q], b[q]);

        UNROLL for (int q = 0; q < NV; q++) {
            a[q] = tiny_activate(z[q], ACTIVATION);
            if (ACTIVATION == FBP_LOGISTIC && q == NV - 1) a[q] = v_mul(a[q], last_units);
            sums = v_fma(a[q], w2[q], sums);
        }
        out[0] = b2 + v_sum(sums);
        const double loss = tiny_output(net, data->y + row * data->y_row_bytes, &delta);
        const real scale = (real)(-eta * weight), step = scale * delta;
        if (!(loss <= solver->largest_loss)) break;
        sum += weight * loss;
        b2 += step;
        UNROLL for (int q = 0; q < NV; q++) {
            const vec slope = tiny_derive(w2[q], a[q], ACTIVATION);
            z[q] = v_fma(v_set1(delta), v_mul(v_set1(scale * gram), slope), Z[q]);
            D[q] = v_mul(v_set1(step), slope);
            b[q] = v_add(b[q], D[q]);
            w2[q] = v_fma(v_set1(step), a[q], DECAYS ? v_mul(c, w2[q]) : w2[q]);
        }
        decay = c;
        x_last = x;
        x = next;
    }
    const int owed = r == stop; /* before a break the pass has written everything */
    for (int64_t i = 0; owed && i < n_in; i++)
        UNROLL for (int q = 0; q < NV; q++) {
            real *w = W + i * width + q * VL;
            v_store(w, v_fma(v_set1(x_last[i]), D[q], v_mul(decay, v_load(w))));
        }
    UNROLL for (int q = 0; q < NV; q++) {
        v_store((real *)block->b + q * VL, b[q]);
        v_store((real *)block->Z + q * VL, w2[q]);
    }
    *(real *)last->b = b2;
    *loss_sum += sum;
    return r;
}

/* Columns of width NV * VL of W, b and the output's weights, to and from the layers. */
INLINE void tiny_copy(fbp_net *net, fbp_block *block, int64_t width, int loading) {
    const fbp_layer *first = net->layers, *last = net->layers + 1;
    const int64_t n = first->n_out;
    const struct { real *packed, *layer; int64_t rows; } parts[3] = {
        {block->W, first->W, first->n_in}, {block->b, first->b, 1}, {block->Z, last->W, 1}};
    for (int k = 0; k < 3; k++)
        for (int64_t i = 0; i < parts[k].rows; i++)
            for (int64_t j = 0; j < width; j++) {
                real *packed = parts[k].packed + i * width + j, *own = parts[k].layer + i * n + j;
                if (loading) *packed = j < n ? *own : 0;
                else if (j < n) *own = *packed;
            }
}

static int64_t train_tiny(fbp_net *net, fbp_block *block, const fbp_data *data, const int64_t *order,
                          int64_t start, int64_t stop, const fbp_solver *solver, double *loss_sum) {
    const int n_vectors = (int)((net->layers->n_out + VL - 1) / VL);
    int64_t stopped = start;
    if (start == stop) return start;
    tiny_copy(net, block, n_vectors * VL, 1);
#define ROWS(NV, ACTIVATION, DECAYS) \
    stopped = tiny_rows(net, block, data, order, start, stop, solver, loss_sum, NV, ACTIVATION, DECAYS)
#define WITH_ACTIVATION(NV, ACTIVATION)                     \
    case ACTIVATION:                                        \
        if (solver->alpha != 0) ROWS(NV, ACTIVATION, 1);    \
        else ROWS(NV, ACTIVATION, 0);                       \
        break;
#define WITH_VECTORS(NV)                         \
    case NV:                                     \
        switch ((int)net->first_activation) {    \
            WITH_ACTIVATION(NV, FBP_IDENTITY)    \
            WITH_ACTIVATION(NV, FBP_LOGISTIC)    \
            WITH_ACTIVATION(NV, FBP_TANH)        \
            WITH_ACTIVATION(NV, FBP_RELU)        \
        }                                        \
        break;
    switch (n_vectors) {
        WITH_VECTORS(1)
        WITH_VECTORS(2)
#if TINY_VECTORS == 4
        WITH_VECTORS(3)
        WITH_VECTORS(4)
#endif
    }
#undef ROWS
#undef WITH_ACTIVATION
#undef WITH_VECTORS
    tiny_copy(net, block, n_vectors * VL, 0);
    return stopped;
}
