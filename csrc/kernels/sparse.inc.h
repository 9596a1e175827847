/* The first layer for rows of non-zeros, row by row: each non-zero meets the weights of its input, and no
 * others, where they stand in the layer.
 *
 * L2 and momentum move the weights that have no gradient as well, but alike. L2 alone does it by a factor,
 * which layer->scale collects. With momentum each pair of a weight W and its velocity V moves by the matrix
 * `decay`, once a row, and the update is lazy: an input's pairs catch up with all the rows that they have missed
 * at the next row that has the input (catch_up, whose step_vector in solvers.inc.h writes the weights), or when
 * a piece of work ends (catch_up_all); until then they are read as if they were up to date. */
#ifndef FASTBP_KERNELS_SPARSE_INC_H
#define FASTBP_KERNELS_SPARSE_INC_H

#include "layer.inc.h"
#include "solvers.inc.h"

/* W[i] += x_i factor d for the row's non-zeros x_i, NV vectors of the `width` numbers that each input has
 * in W, from first_input on */
INLINE void strip_update(real *W, int64_t width, int64_t first_input, const fbp_row *x, const real *d,
                         real factor, const int NV) {
    const real *values = x->values;
    vec step[8];
    UNROLL for (int q = 0; q < NV; q++) step[q] = v_mul(v_set1(factor), v_load(d + q * VL));
    for (int64_t p = 0; p < x->n; p++) {
        const vec value = v_set1(values[p]);
        real *w = W + (x->columns[p] - first_input) * width;
        UNROLL for (int q = 0; q < NV; q++)
            v_store(w + q * VL, v_fma(value, step[q], v_load(w + q * VL)));
    }
}

/* z += sum of x_i W[i] over the row's non-zeros x_i; from zero for the first of them */
INLINE void strip_product(real *z, const real *W, int64_t width, const fbp_row *x, int first, const int NV) {
    const real *values = x->values;
    vec sums[8];
    UNROLL for (int q = 0; q < NV; q++) sums[q] = first ? v_set1(0) : v_load(z + q * VL);
    for (int64_t p = 0; p < x->n; p++) {
        const vec value = v_set1(values[p]);
        const real *w = W + x->columns[p] * width;
        UNROLL for (int q = 0; q < NV; q++) sums[q] = v_fma(value, v_load(w + q * VL), sums[q]);
    }
    UNROLL for (int q = 0; q < NV; q++) v_store(z + q * VL, sums[q]);
}

/* z[0..m) += sum of x_i W[i], with less than a vector of outputs; z is padded to a whole one */
INLINE void strip_product_n(real *z, const real *W, int64_t width, const fbp_row *x, int m) {
    const real *values = x->values;
    vec sum = v_load(z);
    for (int64_t p = 0; p < x->n; p++)
        sum = v_fma(v_set1(values[p]), v_load_n(W + x->columns[p] * width, m), sum);
    v_store(z, sum);
}

/* W[i][0..m) += x_i factor d, less than a vector of outputs */
INLINE void strip_update_n(real *W, int64_t width, int64_t first_input, const fbp_row *x, const real *d,
                           real factor, int m) {
    const real *values = x->values;
    const vec step = v_mul(v_set1(factor), v_load_n(d, m));
    for (int64_t p = 0; p < x->n; p++) {
        real *w = W + (x->columns[p] - first_input) * width;
        v_store_n(w, v_fma(v_set1(values[p]), step, v_load_n(w, m)), m);
    }
}

/* BODY(8), (4), (2), (1) for strips of so many whole vectors of n outputs from output j on, and LAST(m)
 * for the m that are left */
#define EACH_STRIP(n, BODY, LAST)                        \
    int64_t j = 0;                                       \
    for (; j + 8 * VL <= (n); j += 8 * VL) BODY(8);      \
    if (j + 4 * VL <= (n)) { BODY(4); j += 4 * VL; }     \
    if (j + 2 * VL <= (n)) { BODY(2); j += 2 * VL; }     \
    if (j + VL <= (n)) { BODY(1); j += VL; }             \
    if (j < (n)) LAST((int)((n) - j))

/* decay = a b, of matrices (2, 2) */
INLINE void decay_product(double *decay, const double *a, const double *b) {
    const double product[4] = {a[0] * b[0] + a[1] * b[2], a[0] * b[1] + a[1] * b[3],
                               a[2] * b[0] + a[3] * b[2], a[2] * b[1] + a[3] * b[3]};
    memcpy(decay, product, sizeof product);
}

/* The n-th powers of decay, n below FBP_POWERS; then those of decay ^ FBP_POWERS */
static void load_powers(double *powers, const fbp_step *step) {
    static const double one[4] = {1, 0, 0, 1};
    double base[4] = {step->decay[0][0], step->decay[0][1], step->decay[1][0], step->decay[1][1]};
    for (int part = 0; part < 2; part++, powers += 4 * FBP_POWERS) {
        memcpy(powers, one, sizeof one);
        for (int n = 1; n < FBP_POWERS; n++) decay_product(powers + 4 * n, powers + 4 * (n - 1), base);
        decay_product(base, powers + 4 * (FBP_POWERS - 1), base);
    }
}

INLINE int has_momentum(const fbp_sparse *sparse) {
    return sparse->last_updated != NULL;
}

static void sparse_begin(fbp_sparse *sparse, fbp_layer *layer, const fbp_step *step) {
    layer->scale = 1;
    if (!has_momentum(sparse)) return;
    load_powers(sparse->powers, step);
    memset(sparse->last_updated, 0, (size_t)layer->n_in * sizeof *sparse->last_updated);
    sparse->clock = 0;
}

/* decay to the power of the number of rows that W and V of input i have missed up to the clock */
INLINE void missed_decay(double *decay, const fbp_sparse *sparse, int64_t i) {
    const int32_t n = sparse->clock - sparse->last_updated[i];
    decay_product(decay, sparse->powers + 4 * (n % FBP_POWERS),
                  sparse->powers + 4 * (FBP_POWERS + n / FBP_POWERS));
}

/* W and V of input i decay as all rows since their last update make them, up to the clock; then the step
 * along rate delta, where HAS_GRADIENT: that of the present row. */
INLINE void catch_up(const fbp_sparse *sparse, const fbp_layer *layer, int64_t i, const double *rate,
                     const int HAS_GRADIENT) {
    const int64_t n_out = layer->n_out, at = i * n_out;
    const real *delta = layer->delta;
    real *w = (real *)layer->W + at, *v = (real *)layer->V_W + at;
    double decay[4];
    missed_decay(decay, sparse, i);
    const fbp_step step = {.decay = {{decay[0], decay[1]}, {decay[2], decay[3]}}, .rate = {rate[0], rate[1]}};
    const vec_step s = step_times(&step, 1, 0);
#define GRADIENT (HAS_GRADIENT ? v_load(delta + j) : v_set1(0))
    int64_t j = 0;
    for (; j + VL <= n_out; j += VL) step_vector(w + j, v + j, GRADIENT, &s, FBP_MOMENTUM, 0);
    if (j < n_out) step_vector_n(w + j, v + j, GRADIENT, &s, FBP_MOMENTUM, (int)(n_out - j));
#undef GRADIENT
    sparse->last_updated[i] = sparse->clock;
}

static void catch_up_all(fbp_sparse *sparse, const fbp_layer *layer) {
    static const double none[2] = {0, 0};
    for (int64_t i = 0; i < layer->n_in; i++)
        if (sparse->last_updated[i] != sparse->clock) catch_up(sparse, layer, i, none, 0);
    memset(sparse->last_updated, 0, (size_t)layer->n_in * sizeof *sparse->last_updated);
    sparse->clock = 0;
}

/* z = b + sum of x_i W[i], had W and V been given all rows; NV vectors from output j on, or m numbers of one */
INLINE void strip_of_pairs(const fbp_sparse *sparse, const fbp_layer *layer, const fbp_row *x, int64_t j,
                           const int NV, int m) {
    const real *values = x->values, *b = (const real *)layer->b + j;
    const int64_t n_out = layer->n_out;
    vec sums[8];
    UNROLL for (int q = 0; q < NV; q++) sums[q] = v_load_part(b + q * VL, m);
    for (int64_t p = 0; p < x->n; p++) {
        const int64_t i = x->columns[p];
        const real *w = (const real *)layer->W + i * n_out + j, *v = (const real *)layer->V_W + i * n_out + j;
        double decay[4];
        missed_decay(decay, sparse, i);
        const vec of_W = v_set1((real)(values[p] * decay[0])), of_V = v_set1((real)(values[p] * decay[1]));
        UNROLL for (int q = 0; q < NV; q++) {
            sums[q] = v_fma(of_W, v_load_part(w + q * VL, m), sums[q]);
            sums[q] = v_fma(of_V, v_load_part(v + q * VL, m), sums[q]);
        }
    }
    UNROLL for (int q = 0; q < NV; q++) v_store((real *)layer->z + j + q * VL, sums[q]);
}

/* z = x W + b */
static void sparse_forward(const fbp_sparse *sparse, const fbp_layer *layer, const fbp_row *x) {
    if (!has_momentum(sparse)) {
        forward(layer, x);
        return;
    }
#define STRIP(NV) strip_of_pairs(sparse, layer, x, j, NV, VL)
#define LAST(m) strip_of_pairs(sparse, layer, x, j, 1, m)
    EACH_STRIP(layer->n_out, STRIP, LAST);
#undef STRIP
#undef LAST
}

/* W[i] += x_i factor delta for the row's non-zeros */
static void add_gradient(const fbp_layer *layer, const fbp_row *x, real factor) {
    const real *delta = layer->delta;
    real *W = layer->W;
#define STRIP(NV) strip_update(W + j, layer->n_out, 0, x, delta + j, factor, NV)
#define LAST(m) strip_update_n(W + j, layer->n_out, 0, x, delta + j, factor, m)
    EACH_STRIP(layer->n_out, STRIP, LAST);
#undef STRIP
#undef LAST
}

/* layer->scale decays as the weights do; what leaves its range goes into W. */
INLINE void decay_scale(fbp_layer *layer, double decay) {
    layer->scale *= decay;
    if (fabs(layer->scale) > MIN_SCALE && fabs(layer->scale) < 1 / MIN_SCALE) return;
    scale_weights(layer, layer->scale);
    layer->scale = 1;
}

/* W and b take their step along weight outer(x, delta) and weight delta. */
static void sparse_update(fbp_sparse *sparse, fbp_layer *layer, const fbp_row *x, double weight,
                          const fbp_step *step) {
    const real *values = x->values;
    if (!fbp_rules[step->rule].linear) { /* AdaGrad without penalty: weights of no value stay as they are */
        update(layer, x, weight, step);
        return;
    }
    if (!has_momentum(sparse)) {
        decay_scale(layer, step->decay[0][0]);
        add_gradient(layer, x, (real)(weight * step->rate[0] / layer->scale));
        update_bias(layer, weight, step, FBP_PLAIN);
        return;
    }
    sparse->clock++;
    for (int64_t p = 0; p < x->n; p++) { /* a column may stand in a row twice: it catches up once */
        const double factor = weight * values[p], rate[2] = {factor * step->rate[0], factor * step->rate[1]};
        catch_up(sparse, layer, x->columns[p], rate, 1);
    }
    if (sparse->clock == FBP_POWERS * (FBP_POWERS - 1)) catch_up_all(sparse, layer);
    update_bias(layer, weight, step, FBP_MOMENTUM);
}

/* W, and V, as they are when all weights have taken every step. */
static void sparse_end(fbp_sparse *sparse, fbp_layer *layer) {
    if (has_momentum(sparse)) catch_up_all(sparse, layer);
    else if (layer->scale != 1) scale_weights(layer, layer->scale);
    layer->scale = 1;
}

#endif
