/* The losses of one row, E(a, y) summed over its n outputs, and their derivatives.
 *
 * With the output activation that belongs to a loss (log loss: logistic, softmax; poisson: exp), where
 * tables/losses.h says `diff`, dE/dz is a - y: see fbp_output_delta in fastbp.h.
 * Losses are summed in double for both dtypes.
 *
 * scikit-learn's perceptrons report some of them differently, with the same delta: squared error is a mean
 * over outputs, log losses are those of probabilities clipped to eps .. 1 - eps, and Poisson's is infinite
 * where y / a is not a number of the dtype. */
#ifndef FASTBP_KERNELS_LOSSES_INC_H
#define FASTBP_KERNELS_LOSSES_INC_H

#include "vector_math.inc.h"

/* log(x), x > 0. libm's log would bind the wheel to a newer libc than its log1p does. */
INLINE double natural_log(double x) {
    int exponent;
    double m = frexp(x, &exponent); /* x = m 2^exponent, then m into [0.7, 1.4] */
    if (m < 0.70710678118654752) {
        m *= 2;
        exponent--;
    }
    return exponent * 0.69314718055994531 + log1p(m - 1);
}

/* sum of d^2, n of them, several at a time: one sum alone would wait for itself */
INLINE double squares_of(const real *d, int64_t n) {
    double sums[4] = {0, 0, 0, 0};
    int64_t k = 0;
    for (; k + 4 <= n; k += 4)
        UNROLL for (int u = 0; u < 4; u++) sums[u] += (double)d[k + u] * d[k + u];
    for (; k < n; k++) sums[k % 4] += (double)d[k] * d[k];
    return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

/* delta = a - y */
INLINE void difference(real *delta, const real *a, const real *y, int64_t n) {
    int64_t k = 0;
    for (; k + VL <= n; k += VL) v_store(delta + k, v_sub(v_load(a + k), v_load(y + k)));
    for (; k < n; k++) {
        real rest = a[k] - y[k];
        KEEP_IN_REGISTER(rest); /* for compilers: a few at most, which vectors of their own would delay */
        delta[k] = rest;
    }
}

/* E = 1/2 sum (a - y)^2;  dE/da = a - y */
static double squared_error_delta(void *delta, const void *z, const void *a, const void *y, int64_t n,
                                  double parameter) {
    (void)z, (void)parameter;
    if (n == 1) { /* the commonest: batches call this for each row */
        const real d = *(const real *)a - *(const real *)y;
        *(real *)delta = d;
        return 0.5 * ((double)d * d);
    }
    difference(delta, a, y, n);
    return 0.5 * squares_of(delta, n);
}

/* E = 1 / 2n sum (a - y)^2;  delta = a - y all the same */
static double mean_squared_error_delta(void *delta, const void *z, const void *a, const void *y, int64_t n,
                                       double parameter) {
    return squared_error_delta(delta, z, a, y, n, parameter) / n;
}

/* E = sum |a - y|;  dE/da = sign(a - y), 0 where they are equal */
static double absolute_error_delta(void *delta, const void *z, const void *a, const void *y, int64_t n,
                                   double parameter) {
    real *d = delta;
    double loss = 0;
    (void)z, (void)parameter;
    difference(delta, a, y, n);
    for (int64_t k = 0; k < n; k++) {
        loss += fabs((double)d[k]);
        d[k] = d[k] > 0 ? 1 : d[k] < 0 ? -1 : d[k]; /* d itself: 0 or NaN */
    }
    return loss;
}

/* E = sum d (r - d / 2),  r = a - y;  d = dE/da = r, but kept within -parameter..parameter
 *
 * That is 1/2 r^2, and further from 0 parameter |r| - 1/2 parameter^2 (Huber, 1964). */
static double huber_delta(void *delta, const void *z, const void *a, const void *y, int64_t n,
                          double parameter) {
    const real upper = (real)parameter;
    real *d = delta;
    double loss = 0;
    (void)z;
    difference(delta, a, y, n);
    for (int64_t k = 0; k < n; k++) {
        const double r = d[k];
        d[k] = d[k] > upper ? upper : d[k] < -upper ? -upper : d[k];
        loss += d[k] * (r - 0.5 * d[k]);
    }
    return loss;
}

/* E = sum parameter (y - a) where a < y, (1 - parameter) (a - y) where a > y
 * dE/da = -parameter, 1 - parameter, and 0 where they are equal (Koenker and Bassett, 1978) */
static double quantile_delta(void *delta, const void *z, const void *a, const void *y, int64_t n,
                             double parameter) {
    const real above = (real)(1 - parameter), below = (real)-parameter;
    real *d = delta;
    double loss = 0;
    (void)z;
    difference(delta, a, y, n);
    for (int64_t k = 0; k < n; k++) {
        const double r = d[k];
        d[k] = d[k] > 0 ? above : d[k] < 0 ? below : d[k]; /* d itself: 0 or NaN */
        loss += r * d[k];
    }
    return loss;
}

/* -log of a probability, if that had been clipped to eps .. 1 - eps; NaN stays. */
INLINE double clipped(double loss) {
    const double eps = sizeof(real) == sizeof(float) ? 0x1p-23 : 0x1p-52;
    const double lower = -log1p(-eps), upper = -natural_log(eps);
    return loss < lower ? lower : loss > upper ? upper : loss;
}

/* E = sum -y log a - (1 - y) log(1 - a),  a = logistic(z)
 *   = sum max(z, 0) - y z + log(1 + exp(-|z|)) */
INLINE double binary_log_loss(void *delta, const void *z_, const void *a, const void *y_, int64_t n,
                              const int CLIPPED) {
    const real *z = z_, *y = y_;
    double loss = 0;
    difference(delta, a, y, n);
    for (int64_t k = 0; k < n; k += VL) { /* z is padded to whole vectors */
        const vec zk = v_load(z + k);
        real logs[VL];
        v_store(logs, v_log1p(v_exp(v_sub(v_set1(0), v_abs(zk))), 1));
        for (int64_t i = k; i < n && i < k + VL; i++) {
            double one = ((z[i] > 0 ? z[i] : 0) - (double)y[i] * z[i]) + logs[i - k];
            if (CLIPPED && one > 8 && y[i] == 0) /* 1 - a has lost digits to the 1, and shows it */
                one = -natural_log(1 - ((const real *)a)[i]);
            loss += CLIPPED ? clipped(one) : one;
        }
    }
    return loss;
}

static double binary_log_loss_delta(void *delta, const void *z, const void *a, const void *y, int64_t n,
                                    double parameter) {
    (void)parameter;
    return binary_log_loss(delta, z, a, y, n, 0);
}

/* For y of 0 and 1 */
static double clipped_binary_log_loss_delta(void *delta, const void *z, const void *a, const void *y,
                                            int64_t n, double parameter) {
    (void)parameter;
    return binary_log_loss(delta, z, a, y, n, 1);
}

/* E = sum -y log a,  a = softmax(z);  dE/dz = (sum y) a - y, which is a - y of probabilities.
 * With m the largest z, and r the sum of all a but a_m: -log a_k = z_m - z_k + log(1 + r / a_m) */
static double log_loss_delta(void *delta, const void *z_, const void *a_, const void *y_, int64_t n,
                             double parameter) {
    const real *z = z_, *a = a_, *y = y_;
    real *d = delta;
    int64_t m = 0;
    double rest = 0, sum_y = 0, loss = 0;
    (void)parameter;
    for (int64_t k = 1; k < n; k++)
        if (z[k] > z[m]) m = k;
    for (int64_t k = 0; k < n; k++) {
        rest += k == m ? 0 : a[k];
        sum_y += y[k];
        loss += y[k] == 0 ? 0 : (double)y[k] * ((double)z[m] - z[k]);
    }
    for (int64_t k = 0; k < n; k++) d[k] = (real)sum_y * a[k] - y[k];
    return loss + sum_y * log1p(rest / a[m]);
}

/* For y of 0 but for one 1 */
static double clipped_log_loss_delta(void *delta, const void *z, const void *a, const void *y, int64_t n,
                                     double parameter) {
    return clipped(log_loss_delta(delta, z, a, y, n, parameter));
}

/* E = sum y log(y / a) - y + a,  a = exp(z): half the Poisson deviance */
static double poisson_delta(void *delta, const void *z_, const void *a_, const void *y_, int64_t n,
                            double parameter) {
    const real *z = z_, *a = a_, *y = y_;
    double loss = 0;
    (void)parameter;
    difference(delta, a, y, n);
    for (int64_t k = 0; k < n; k++)
        loss += a[k] + (y[k] > 0 ? y[k] * (natural_log(y[k]) - z[k] - 1) : 0);
    return loss;
}

/* The same, but infinite where y / a overflows or is 0 / 0: there scikit-learn's is infinite or NaN */
static double ratio_poisson_delta(void *delta, const void *z, const void *a_, const void *y_, int64_t n,
                                  double parameter) {
    const real *a = a_, *y = y_;
    double loss = poisson_delta(delta, z, a, y, n, parameter);
    for (int64_t k = 0; k < n; k++)
        if (!isfinite(y[k] / a[k])) loss = INFINITY;
    return loss;
}

/* Whether the last layer's delta is z - y, and its loss half the sum of their squares. */
INLINE int is_difference(const fbp_net *net) {
    return net->loss == FBP_SQUARED_ERROR && net->last_activation == FBP_IDENTITY;
}

/* The last layer's delta and loss, from its z, of any outputs. A call: it is large. */
static double output_delta(const fbp_net *net, const real *y) {
    const fbp_layer *layer = net->layers + net->n_layers - 1;
    if (layer->a != layer->z) memcpy(layer->a, layer->z, (size_t)layer->n_out * sizeof(real));
    layer->activate(layer->a, layer->n_out);
    const double loss = net->output_delta(layer->delta, layer->z, layer->a, y,
                                          layer->n_out, net->loss_parameter);
    layer->derive(layer->delta, layer->slopes_of, layer->n_out);
    return loss;
}

#endif
