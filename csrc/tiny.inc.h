/* A network of one small hidden layer and one output: the whole step in registers, with the first
 * layer one row behind.
 *
 * A row's step is so short that what takes time is waiting for the row before. So nothing waits for
 * a row's delta but what must: with x, x' this row and the next, `keep` and `take` of the step
 * (fbp_step; without momentum there is no V) and D = weight delta w2 f'(a),
 *
 *     z' = keep[0][0] x' W + keep[0][1] x' V + b' + (x . x') take[0] D     exact
 *
 * where all but D is known before this row: b' is b after its own step, which is take[0] D as well,
 * and the pass that gives W and V their steps for the row before has computed x' W and x' V.
 *
 * W stands as W[input][NV * VL], with momentum W[input][2 * NV * VL] = [W | V], zero behind n_out;
 * there b, w2 and D stay zero too, because every unit is 0 there: logistic(0), which is not, is
 * made so. Whatever there is one of, such as delta, stands in every lane of a vector. */

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

/* Delta of the single output, and the row's loss. */
static vec tiny_output(const fbp_net *net, vec z, const real *y, double *loss) {
    const fbp_layer *layer = net->layers + 1;
    v_store(layer->z, z);
    v_store(layer->a, z);
    layer->activate(layer->a, 1);
    *loss = net->output_delta(layer->delta, layer->z, layer->a, y, 1);
    layer->derive(layer->delta, layer->a, 1);
    return v_set1(*(const real *)layer->delta);
}

/* What a step can hold, besides PLAIN gradients and MOMENTUM (and L2): L2 alone. */
enum { DECAYS = ADAM + 1 };

/* w' and v' for the gradient whose steps are x D and x E */
INLINE void tiny_step(vec *w, vec *v, vec x, vec D, vec E, const vec_step *s, const int KIND) {
    const vec old = *w;
    if (KIND == PLAIN) {
        *w = v_fma(x, D, old);
    } else if (KIND == DECAYS) {
        *w = v_fma(x, D, v_mul(s->keep[0][0], old));
    } else {
        *w = v_fma(x, D, v_fma(s->keep[0][1], *v, v_mul(s->keep[0][0], old)));
        *v = v_fma(x, E, v_fma(s->keep[1][1], *v, v_mul(s->keep[1][0], old)));
    }
}

/* w and v without a gradient */
INLINE vec tiny_kept(vec w, vec v, const vec_step *s, const int KIND) {
    if (KIND == PLAIN) return w;
    const vec kept = v_mul(s->keep[0][0], w);
    return KIND == MOMENTUM ? v_fma(s->keep[0][1], v, kept) : kept;
}

INLINE int64_t tiny_rows(fbp_net *net, fbp_block *block, const fbp_data *data, const int64_t *order,
                         int64_t start, int64_t stop, const fbp_step *step, double largest_loss,
                         double *loss_sum, const int NV, const fbp_activation ACTIVATION, const int KIND) {
    const int64_t n_in = net->layers->n_in, width = NV * VL, stride = KIND == MOMENTUM ? 2 * width : width;
    const int BIAS = KIND == MOMENTUM ? MOMENTUM : PLAIN; /* biases do not decay */
    const vec_step s = step_times(step, 1, 0), s_bias = step_times(step, 1, 1);
    real *W = block->W, *out_b = net->layers[1].b, *out_v = net->layers[1].V_b;
    const real *x = dense_row(data, order[start]);
    const real *next = dense_row(data, order[start + 1 < stop ? start + 1 : start]);
    vec b[4], V_b[4], w2[4], V_w2[4], z[4], Z[4], D[4], E[4];
    vec b2 = v_set1(*out_b), V_b2 = v_set1(KIND == MOMENTUM ? *out_v : 0), gram = v_set1(1);
    double sum = 0;
    int64_t r = start;
    real units[4 * VL];

    for (int64_t j = 0; j < width; j++) units[j] = j < net->layers->n_out;
    const vec last_units = v_load(units + width - VL);
    UNROLL for (int q = 0; q < NV; q++) {
        b[q] = z[q] = v_load((real *)block->b + q * VL);
        w2[q] = v_load((real *)block->Z + q * VL);
        V_b[q] = V_w2[q] = v_set1(0);
        if (KIND == MOMENTUM) {
            V_b[q] = v_load((real *)block->V_b + q * VL);
            V_w2[q] = v_load((real *)block->Z + width + q * VL);
        }
        Z[q] = tiny_kept(b[q], V_b[q], &s_bias, BIAS);
    }
    for (int64_t i = 0; i < n_in; i++) {
        gram = v_fma(v_set1(x[i]), v_set1(next[i]), gram);
        UNROLL for (int q = 0; q < NV; q++) {
            const real *w = W + i * stride + q * VL;
            const vec kept = tiny_kept(v_load(w), KIND == MOMENTUM ? v_load(w + width) : v_set1(0), &s, KIND);
            z[q] = v_fma(v_set1(x[i]), v_load(w), z[q]);
            Z[q] = v_fma(v_set1(next[i]), kept, Z[q]);
        }
    }

    for (; r < stop; r++) {
        const int64_t row = order[r];
        const real *after = dense_row(data, order[r + 2 < stop ? r + 2 : r]);
        const real *y = (const real *)(data->y + row * data->y_row_bytes);
        const double weight = data->weights ? data->weights[row] : 1;
        vec a[4], products[2];
        double loss;

        UNROLL for (int q = 0; q < NV; q++) {
            a[q] = tiny_activate(z[q], ACTIVATION);
            if (ACTIVATION == FBP_LOGISTIC && q == NV - 1) a[q] = v_mul(a[q], last_units);
            products[q & 1] = q < 2 ? v_mul(a[q], w2[q]) : v_fma(a[q], w2[q], products[q & 1]);
        }
        const vec product = v_total(NV > 1 ? v_add(products[0], products[1]) : products[0]);
        vec delta;
        if (net->plain_output) {
            delta = v_add(product, v_sub(b2, v_set1(*y)));
            loss = 0.5 * (double)v_first(delta) * v_first(delta);
        } else {
            delta = tiny_output(net, v_add(product, b2), y, &loss);
        }
        if (!(loss <= largest_loss)) break;
        sum += weight * loss;

        const vec take = v_set1((real)(step->take[0] * weight)), take_v = v_set1((real)(step->take[1] * weight));
        UNROLL for (int q = 0; q < NV; q++) {
            const vec slope = tiny_derive(w2[q], a[q], ACTIVATION);
            z[q] = v_fma(delta, v_mul(v_mul(take, gram), slope), Z[q]);
            D[q] = v_mul(v_mul(take, delta), slope);
            E[q] = KIND == MOMENTUM ? v_mul(v_mul(take_v, delta), slope) : D[q];
            tiny_step(&b[q], &V_b[q], v_set1(1), D[q], E[q], &s_bias, BIAS);
            tiny_step(&w2[q], &V_w2[q], delta, v_mul(take, a[q]), v_mul(take_v, a[q]), &s, KIND);
        }
        tiny_step(&b2, &V_b2, delta, take, take_v, &s_bias, BIAS);

        vec Z_V[4];
        UNROLL for (int q = 0; q < NV; q++) {
            Z[q] = KIND == PLAIN ? b[q] : v_set1(0);
            Z_V[q] = v_set1(0);
        }
        gram = v_set1(1);
        for (int64_t i = 0; i < n_in; i++) {
            const vec this_x = v_set1(x[i]), after_x = v_set1(after[i]);
            real *w = W + i * stride;
            gram = v_fma(v_set1(next[i]), after_x, gram);
            UNROLL for (int q = 0; q < NV; q++) {
                vec new_w = v_load(w + q * VL), new_v = KIND == MOMENTUM ? v_load(w + width + q * VL) : D[q];
                tiny_step(&new_w, &new_v, this_x, D[q], E[q], &s, KIND);
                v_store(w + q * VL, new_w);
                Z[q] = v_fma(after_x, new_w, Z[q]);
                if (KIND == MOMENTUM) {
                    v_store(w + width + q * VL, new_v);
                    Z_V[q] = v_fma(after_x, new_v, Z_V[q]);
                }
            }
        }
        if (KIND != PLAIN)
            UNROLL for (int q = 0; q < NV; q++)
                Z[q] = v_add(tiny_kept(Z[q], Z_V[q], &s, KIND), tiny_kept(b[q], V_b[q], &s_bias, BIAS));
        x = next;
        next = after;
    }
    UNROLL for (int q = 0; q < NV; q++) {
        v_store((real *)block->b + q * VL, b[q]);
        v_store((real *)block->Z + q * VL, w2[q]);
        if (KIND == MOMENTUM) {
            v_store((real *)block->V_b + q * VL, V_b[q]);
            v_store((real *)block->Z + width + q * VL, V_w2[q]);
        }
    }
    *out_b = v_first(b2);
    if (KIND == MOMENTUM) *out_v = v_first(V_b2);
    *loss_sum += sum;
    return r;
}

/* Rows of `width` numbers, every `stride` in the block, from or to rows of n in a layer. */
INLINE void tiny_copy_rows(real *packed, int64_t stride, int64_t width, real *own, int64_t n,
                           int64_t n_rows, int loading) {
    for (int64_t i = 0; i < n_rows; i++, packed += stride, own += n)
        for (int64_t j = 0; j < width; j++) {
            if (loading) packed[j] = j < n ? own[j] : 0;
            else if (j < n) own[j] = packed[j];
        }
}

/* W, b and the output's weights, with their velocities, to and from the layers. */
INLINE void tiny_copy(fbp_net *net, fbp_block *block, int64_t width, int momentum, int loading) {
    const fbp_layer *first = net->layers, *last = net->layers + 1;
    const int64_t n_in = first->n_in, n = first->n_out, stride = momentum ? 2 * width : width;
    real *W = block->W, *w2 = block->Z;
    tiny_copy_rows(W, stride, width, first->W, n, n_in, loading);
    tiny_copy_rows(block->b, width, width, first->b, n, 1, loading);
    tiny_copy_rows(w2, width, width, last->W, n, 1, loading);
    if (!momentum) return;
    tiny_copy_rows(W + width, stride, width, first->V_W, n, n_in, loading);
    tiny_copy_rows(block->V_b, width, width, first->V_b, n, 1, loading);
    tiny_copy_rows(w2 + width, width, width, last->V_W, n, 1, loading);
}

static int64_t train_tiny(fbp_net *net, fbp_block *block, const fbp_data *data, const int64_t *order,
                          int64_t start, int64_t stop, const fbp_step *step, double largest_loss,
                          double *loss_sum) {
    const int n_vectors = (int)((net->layers->n_out + VL - 1) / VL);
    int64_t stopped = start;
    if (start == stop) return start;
    tiny_copy(net, block, n_vectors * VL, step->momentum, 1);
#define ROWS(NV, ACTIVATION, KIND)                                                                     \
    stopped = tiny_rows(net, block, data, order, start, stop, step, largest_loss, loss_sum, NV, ACTIVATION, \
                        KIND)
#define WITH_ACTIVATION(NV, ACTIVATION)                        \
    case ACTIVATION:                                           \
        if (step->momentum) ROWS(NV, ACTIVATION, MOMENTUM);       \
        else if (step->keep[0][0] != 1) ROWS(NV, ACTIVATION, DECAYS); \
        else ROWS(NV, ACTIVATION, PLAIN);                      \
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
    tiny_copy(net, block, n_vectors * VL, step->momentum, 0);
    return stopped;
}
