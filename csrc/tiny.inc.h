/* A network of one small hidden layer and one output: the whole step in registers, with the first
 * layer one row behind.
 *
 * A row's step is so short that what takes time is waiting for the row before. So nothing waits for
 * a row's delta but what must: with x, x' this row and the next, `keep` and `take` of the step
 * (fbp_step; without momentum there is no V) and D = weight delta w2 f'(a),
 *
 *     z' = Z + (x . x' + 1) take[0] D                                              exact
 *     Z  = keep[0][0] x' W + keep[0][1] x' V + b, kept likewise, without this row's step
 *
 * where Z comes from the pass over W and V that the row before was owed, and only D has to wait for
 * delta. Whatever there is one of, such as delta, stands in every lane of a vector.
 *
 * W stands as W[input][NV * VL], with momentum W[input][2 * NV * VL] = [W | V], zero behind n_out;
 * there b, w2 and D stay zero too, because every unit is 0 there: logistic(0), which is not, is
 * made so. */

INLINE const real *dense_row(const fbp_data *data, int64_t r) {
    return (const real *)(data->X + r * data->X_row_bytes);
}

INLINE const real *target_row(const fbp_data *data, int64_t r) {
    return (const real *)(data->y + (data->y_rows ? data->y_rows[r] : r) * data->y_row_bytes);
}

/* Rows come in random order: a table that does not fit the nearest cache is fetched this far ahead. */
enum { AHEAD = 12 };

INLINE void fetch_row(const fbp_data *data, int64_t r) {
    const char *x = data->X + r * data->X_row_bytes;
    const int64_t n_bytes = data->n_features * data->itemsize;
    PREFETCH(target_row(data, r));
    if (data->weights) PREFETCH(data->weights + r);
    for (int64_t at = 0; at < n_bytes; at += 64) PREFETCH(x + at);
    PREFETCH(x + n_bytes - 1);
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

/* Delta and loss of the single output. Nothing waits for the loss. */
static vec tiny_output(const fbp_net *net, vec z, const real *y, double *loss) {
    const fbp_layer *layer = net->layers + 1;
    const vec a = net->last_activation == FBP_EXP ? v_exp(z) : tiny_activate(z, net->last_activation);
    v_store(layer->z, z);
    v_store(layer->a, a);
    *loss = net->output_delta(layer->delta, layer->z, layer->a, y, 1, net->loss_parameter);
    if (net->loss >= FBP_BINARY_LOG_LOSS) return v_sub(a, v_set1(*y)); /* a pair */
    return tiny_derive(v_set1(*(const real *)layer->delta), a, net->last_activation);
}

/* What there is besides gradients. */
enum { DECAYS = 1, MOVES = 2 }; /* neither: PLAIN */

/* w' and v' for the gradient whose steps are x D and x E */
INLINE void tiny_step(vec *w, vec *v, vec x, vec D, vec E, const vec_step *s, const int KIND) {
    const vec old = *w;
    vec kept = KIND & DECAYS ? v_mul(s->keep[0][0], old) : old;
    if (KIND & MOVES) {
        const vec kept_v = v_mul(s->keep[1][1], *v);
        kept = v_fma(s->keep[0][1], *v, kept);
        *v = v_fma(x, E, KIND & DECAYS ? v_fma(s->keep[1][0], old, kept_v) : kept_v);
    }
    *w = v_fma(x, D, kept);
}

/* w and v without a gradient */
INLINE vec tiny_kept(vec w, vec v, const vec_step *s, const int KIND) {
    const vec kept = KIND & DECAYS ? v_mul(s->keep[0][0], w) : w;
    return KIND & MOVES ? v_fma(s->keep[0][1], v, kept) : kept;
}

/* NQ vectors of columns: every input's W takes the step of the row x_last; returns in Z what the
 * row `next` makes of that, W and V kept once more. */
INLINE void tiny_pass(vec *Z, real *W, int64_t stride, int64_t n_in, const real *x_last, const real *next,
                      const vec *D, const vec *E, const vec_step *s, const int NQ, const int KIND) {
    vec Z_V[4];
    UNROLL for (int q = 0; q < NQ; q++) Z[q] = Z_V[q] = v_set1(0);
    for (int64_t i = 0; i < n_in; i++, W += stride) {
        const vec to_last = v_set1(x_last[i]), to_next = v_set1(next[i]);
        UNROLL for (int q = 0; q < NQ; q++) {
            real *w_at = W + q * VL, *v_at = w_at + stride / 2;
            vec w = v_load(w_at), v = KIND & MOVES ? v_load(v_at) : w;
            tiny_step(&w, &v, to_last, D[q], E[q], s, KIND);
            v_store(w_at, w);
            Z[q] = v_fma(to_next, w, Z[q]);
            if (KIND & MOVES) {
                v_store(v_at, v);
                Z_V[q] = v_fma(to_next, v, Z_V[q]);
            }
        }
    }
    UNROLL for (int q = 0; q < NQ; q++) Z[q] = tiny_kept(Z[q], Z_V[q], s, KIND);
}

/* The sum over inputs of x W, one vector of columns. */
INLINE vec tiny_product(const real *W, int64_t stride, const real *x, int64_t n_in) {
    vec sum = v_set1(0);
    for (int64_t i = 0; i < n_in; i++) sum = v_fma(v_set1(x[i]), v_load(W + i * stride), sum);
    return sum;
}

/* a = f(z), 0 behind the last unit */
INLINE void tiny_activate_all(vec *a, const vec *z, vec last_units, const int NV,
                              const fbp_activation ACTIVATION) {
    UNROLL for (int q = 0; q < NV; q++) a[q] = tiny_activate(z[q], ACTIVATION);
    if (ACTIVATION == FBP_LOGISTIC) a[NV - 1] = v_mul(a[NV - 1], last_units);
}

/* Parameters that stay in registers, each with its velocity. */
typedef struct {
    vec b[4], V_b[4], w2[4], V_w2[4], b2, V_b2;
} tiny_parameters;

INLINE void tiny_load(tiny_parameters *p, const fbp_net *net, const fbp_block *block, const int NV,
                      const int KIND) {
    const fbp_layer *last = net->layers + 1;
    const real *b = block->b, *V_b = block->V_b, *w2 = block->Z;
    UNROLL for (int q = 0; q < NV; q++) {
        p->b[q] = v_load(b + q * VL);
        p->w2[q] = v_load(w2 + q * VL);
        p->V_b[q] = KIND & MOVES ? v_load(V_b + q * VL) : v_set1(0);
        p->V_w2[q] = KIND & MOVES ? v_load(w2 + (NV + q) * VL) : v_set1(0);
    }
    p->b2 = v_set1(*(const real *)last->b);
    p->V_b2 = v_set1(KIND & MOVES ? *(const real *)last->V_b : 0);
}

INLINE void tiny_store(const tiny_parameters *p, const fbp_net *net, fbp_block *block, const int NV,
                       const int KIND) {
    const fbp_layer *last = net->layers + 1;
    real *b = block->b, *V_b = block->V_b, *w2 = block->Z;
    UNROLL for (int q = 0; q < NV; q++) {
        v_store(b + q * VL, p->b[q]);
        v_store(w2 + q * VL, p->w2[q]);
        if (KIND & MOVES) v_store(V_b + q * VL, p->V_b[q]);
        if (KIND & MOVES) v_store(w2 + (NV + q) * VL, p->V_w2[q]);
    }
    *(real *)last->b = v_first(p->b2);
    if (KIND & MOVES) *(real *)last->V_b = v_first(p->V_b2);
}

/* fbp_train_tiny for NV vectors of hidden units. */
INLINE int64_t tiny_rows(fbp_net *net, fbp_block *block, const fbp_data *data, const int64_t *order,
                         int64_t start, int64_t stop, const fbp_step *step, double largest_loss,
                         double *loss_sum, const int NV, const fbp_activation ACTIVATION, const int KIND) {
    const int BIAS = KIND & MOVES; /* biases do not decay */
    const int NQ = KIND & MOVES && NV == 4 ? 2 : NV; /* what a pass has registers for */
    const int64_t n_in = net->layers->n_in, stride = KIND & MOVES ? 2 * NV * VL : NV * VL;
    const vec_step s = step_times(step, 1, 0), s_bias = step_times(step, 1, 1);
    const vec one = v_set1(1);
    real *W = block->W, units[4 * VL];
    const real *x = dense_row(data, order[start]), *x_last = x;
    tiny_parameters p;
    vec z[4], Z[4], D[4], E[4];
    double sum = 0;
    int64_t r = start;

    for (int64_t j = 0; j < NV * VL; j++) units[j] = j < net->layers->n_out;
    const vec last_units = v_load(units + (NV - 1) * VL);
    tiny_load(&p, net, block, NV, KIND);
    UNROLL for (int q = 0; q < NV; q++) {
        z[q] = v_add(tiny_product(W + q * VL, stride, x, n_in), p.b[q]);
        Z[q] = D[q] = E[q] = v_set1(0);
    }
    for (;; r++) {
        const real *next = dense_row(data, order[r + 1 < stop ? r + 1 : start]);
        vec a[4], product, gram = one, delta;
        double loss;

        if (r + AHEAD < stop) fetch_row(data, order[r + AHEAD]);

        /* What comes first is taken up first: the activations of several vectors take longer than
         * the pass, which fills the gaps they leave. */
        if (NV > 1) tiny_activate_all(a, z, last_units, NV, ACTIVATION);
        if (r > start)
            UNROLL for (int q = 0; q < NV; q += NQ)
                tiny_pass(Z + q, W + q * VL, stride, n_in, x_last, next, D + q, E + q, &s, NQ, KIND);
        else
            UNROLL for (int q = 0; q < NV; q++)
                Z[q] = tiny_kept(tiny_product(W + q * VL, stride, next, n_in),
                                 KIND & MOVES ? tiny_product(W + (NV + q) * VL, stride, next, n_in) : one,
                                 &s, KIND);
        if (r == stop) break;
        if (NV == 1) tiny_activate_all(a, z, last_units, NV, ACTIVATION);
        for (int64_t i = 0; i < n_in; i++) gram = v_fma(v_set1(x[i]), v_set1(next[i]), gram);

        const int64_t row = order[r];
        const real *y = target_row(data, row);
        const double weight = data->weights ? data->weights[row] : 1;
        const vec take = v_set1((real)(step->take[0] * weight));
        const vec take_V = v_set1((real)(step->take[1] * weight));
        product = v_mul(a[0], p.w2[0]);
        UNROLL for (int q = 1; q < NV; q++) product = v_fma(a[q], p.w2[q], product);
        product = v_total(product);
        if (net->loss == FBP_SQUARED_ERROR && net->last_activation == FBP_IDENTITY) {
            delta = v_add(product, v_sub(p.b2, v_set1(*y)));
            loss = 0.5 * (double)v_first(delta) * v_first(delta);
        } else {
            delta = tiny_output(net, v_add(product, p.b2), y, &loss);
        }
        if (!(loss <= largest_loss)) break;
        sum += weight * loss;
        UNROLL for (int q = 0; q < NV; q++) {
            const vec slope = tiny_derive(p.w2[q], a[q], ACTIVATION);
            D[q] = v_mul(v_mul(take, delta), slope);
            E[q] = KIND & MOVES ? v_mul(v_mul(take_V, delta), slope) : D[q];
            z[q] = v_add(Z[q], tiny_kept(p.b[q], p.V_b[q], &s_bias, BIAS));
            z[q] = v_fma(delta, v_mul(v_mul(take, gram), slope), z[q]);
            tiny_step(&p.b[q], &p.V_b[q], one, D[q], E[q], &s_bias, BIAS);
            tiny_step(&p.w2[q], &p.V_w2[q], delta, v_mul(take, a[q]), v_mul(take_V, a[q]), &s, KIND);
        }
        tiny_step(&p.b2, &p.V_b2, delta, take, take_V, &s_bias, BIAS);
        x_last = x;
        x = next;
    }
    tiny_store(&p, net, block, NV, KIND);
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
    const int kind = (step->keep[0][0] != 1 ? DECAYS : 0) | (step->momentum ? MOVES : 0);
    int64_t stopped = start;
    if (start == stop) return start;
    tiny_copy(net, block, n_vectors * VL, step->momentum, 1);
#define ROWS(NV, ACTIVATION, KIND)                                                                \
    case KIND:                                                                                    \
        stopped = tiny_rows(net, block, data, order, start, stop, step, largest_loss, loss_sum, NV, \
                            ACTIVATION, KIND);                                                    \
        break;
#define WITH_ACTIVATION(NV, ACTIVATION)            \
    case ACTIVATION:                               \
        switch (kind) {                            \
            ROWS(NV, ACTIVATION, PLAIN)            \
            ROWS(NV, ACTIVATION, DECAYS)           \
            ROWS(NV, ACTIVATION, MOVES)            \
            ROWS(NV, ACTIVATION, (DECAYS | MOVES)) \
        }                                          \
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
