/* activate, derive and output_delta: csrc/kernels/activations.inc.h, csrc/kernels/losses.inc.h. */

static double activated(int f, double z) {
    switch (f) {
    case FBP_LOGISTIC: return 1 / (1 + exp(-z));
    case FBP_TANH: return tanh(z);
    case FBP_RELU: return z > 0 ? z : 0;
    case FBP_EXP: return exp(z);
    case FBP_LEAKY_RELU: return z > 0 ? z : 0.01 * z;
    case FBP_ELU: return z > 0 ? z : expm1(z);
    case FBP_SELU: return 1.0507009873554805 * (z > 0 ? z : 1.6732632423543772 * expm1(z));
    case FBP_SOFTPLUS: return fmax(z, 0) + log1p(exp(-fabs(z)));
    case FBP_SILU: return z / (1 + exp(-z));
    case FBP_GELU: return z * erfc(-z / sqrt(2)) / 2;
    case FBP_MISH: return z * tanh(activated(FBP_SOFTPLUS, z));
    default: return z;
    }
}

/* f'(z) of a, or of z where the table says so */
static double derivative(int f, double a) {
    const double z = a, s = 1 / (1 + exp(-z)), t = tanh(log1p(exp(z)));
    switch (f) {
    case FBP_LOGISTIC: return a * (1 - a);
    case FBP_TANH: return 1 - a * a;
    case FBP_RELU: return a > 0;
    case FBP_LEAKY_RELU: return a > 0 ? 1 : 0.01;
    case FBP_ELU: return a > 0 ? 1 : a + 1;
    case FBP_SELU: return a > 0 ? 1.0507009873554805 : a + 1.7580993408473769;
    case FBP_SOFTPLUS: return s;
    case FBP_SILU: return s * (1 + z * (1 - s));
    case FBP_GELU: return erfc(-z / sqrt(2)) / 2 + z * exp(-z * z / 2) / sqrt(8 * atan(1));
    case FBP_MISH: return t + z * s * (1 - t * t);
    default: return 1; /* exp and softmax: the pair's delta is dE/dz already */
    }
}

/* The rounding of z - max z shows in the result as many times as it is large. */
static void expect_softmax(const array *a) {
    double *expected = numbers(a->n), *size = numbers(a->n), largest = -INFINITY, sum = 0;
    for (int64_t k = 0; k < a->n; k++) largest = before(a, k) > largest ? before(a, k) : largest;
    for (int64_t k = 0; k < a->n; k++) sum += exp(before(a, k) - largest);
    for (int64_t k = 0; k < a->n; k++) {
        expected[k] = exp(before(a, k) - largest) / sum;
        size[k] = expected[k] * (1 + largest - before(a, k));
    }
    expect_close(a, expected, size, 8 + (double)a->n);
    free(expected), free(size);
}

static void test_activate(int f, int64_t n, double spread_over) {
    describe("%s of %ld values up to %g", fbp_activations[f].name, (long)n, spread_over);
    array z = scratch("z", n);
    for (int64_t k = 0; k < n; k++) put(&z, k, uniform(-spread_over, spread_over));
    ops->activate[f](z.at, n);
    if (f == FBP_SOFTMAX) {
        expect_softmax(&z);
    } else {
        double *expected = numbers(n), *size = numbers(n);
        for (int64_t k = 0; k < n; k++) {
            expected[k] = activated(f, before(&z, k));
            size[k] = fabs(expected[k]);
            if (f == FBP_GELU) size[k] *= 1 + pow(before(&z, k), 2); /* what a rounding of z makes of it */
        }
        expect_close(&z, expected, size, f == FBP_IDENTITY || f == FBP_RELU ? 0 : f <= FBP_SOFTMAX ? 4 : 16);
        free(expected), free(size);
    }
    finish(&z, 1);
}

/* Finite stays finite, however large; NaN shows. */
static void test_activate_at_the_edges(int f, int64_t n) {
    const double largest_value = (is_float ? FLT_MAX : DBL_MAX) / 2;
    const double edges[] = {largest_value, -largest_value, 1e4, -1e4, 750, -750, 0.0, -0.0, largest_value * eps,
                            1 / largest_value};
    const int n_edges = sizeof edges / sizeof *edges;
    describe("%s of %ld values at the edges", fbp_activations[f].name, (long)n);
    for (int e = 0; e < n_edges; e++) {
        array z = scratch("z", n);
        int finite = 1;
        for (int64_t k = 0; k < n; k++) put(&z, k, edges[(e + k) % n_edges]);
        ops->activate[f](z.at, n);
        for (int64_t k = 0; k < n; k++) finite &= isfinite(get(z.at, k)) != 0;
        check(finite, "not finite, from %g onwards", edges[e]);
        finish(&z, 1);
    }
    for (int64_t at = 0; at < n; at++) {
        array z = scratch("z", n);
        put(&z, at, NAN);
        ops->activate[f](z.at, n);
        check(isnan(get(z.at, at)), "NaN at %ld is lost", (long)at);
        finish(&z, 1);
    }
}

static void test_derive(int f, int64_t n) {
    describe("derivative of %s, %ld values", fbp_activations[f].name, (long)n);
    array delta = scratch("delta", n), a = scratch("a", n);
    double *expected = numbers(n), *size = numbers(n);
    for (int64_t k = 0; k < n; k++) {
        const double z = uniform(-3, 3);
        put(&a, k, !(k % 4) ? 0 : fbp_activations[f].of_z ? z : activated(f, z));
        expected[k] = before(&delta, k) * derivative(f, get(a.at, k));
        size[k] = fabs(before(&delta, k));
    }
    ops->derive[f](delta.at, a.at, n);
    expect_close(&delta, expected, size, f <= FBP_SOFTMAX ? 4 : 16);
    finish(&delta, 1), finish(&a, 0);
    free(expected), free(size);
}

/* -log p, of p clipped as in clipped_log_loss_delta. */
static double clipped_to_eps(double loss) { return fmin(fmax(loss, -log1p(-eps)), -log(eps)); }

static double log_of_logistic(double z) { return fmin(z, 0) - log1p(exp(-fabs(z))); }

#define LOSS_PARAMETER 0.375 /* of huber and quantile; a float holds it */

/* The loss of output k and, in `delta`, its derivative; z and a belong to the loss. */
static double output_loss(int loss, const double *z, const double *a, const double *y, int64_t n,
                          int64_t k, double *delta) {
    double sum_y = 0, sum = 0, top = -INFINITY;
    *delta = a[k] - y[k];
    switch (loss) {
    case FBP_SQUARED_ERROR: return (a[k] - y[k]) * (a[k] - y[k]) / 2;
    case FBP_ABSOLUTE_ERROR:
        *delta = (a[k] > y[k]) - (a[k] < y[k]);
        return fabs(a[k] - y[k]);
    case FBP_HUBER:
        if (fabs(*delta) <= LOSS_PARAMETER) return *delta * *delta / 2;
        *delta = *delta > 0 ? LOSS_PARAMETER : -LOSS_PARAMETER;
        return LOSS_PARAMETER * (fabs(a[k] - y[k]) - LOSS_PARAMETER / 2);
    case FBP_QUANTILE:
        *delta = (a[k] > y[k]) - LOSS_PARAMETER * (a[k] != y[k]);
        return fmax(LOSS_PARAMETER * (y[k] - a[k]), (LOSS_PARAMETER - 1) * (y[k] - a[k]));
    case FBP_BINARY_LOG_LOSS:
        return -y[k] * log_of_logistic(z[k]) - (1 - y[k]) * log_of_logistic(-z[k]);
    case FBP_MEAN_SQUARED_ERROR: return (a[k] - y[k]) * (a[k] - y[k]) / 2 / (double)n;
    case FBP_CLIPPED_BINARY_LOG_LOSS:
        sum = -log_of_logistic(y[k] == 1 ? z[k] : -z[k]);
        return clipped_to_eps(sum > 8 && y[k] == 0 ? -log(1 - a[k]) : sum);
    case FBP_LOG_LOSS:
    case FBP_CLIPPED_LOG_LOSS:
        for (int64_t j = 0; j < n; j++) {
            top = z[j] > top ? z[j] : top;
            sum_y += y[j];
        }
        for (int64_t j = 0; j < n; j++) sum += exp(z[j] - top);
        *delta = sum_y * a[k] - y[k];
        sum = -y[k] * (z[k] - top - log(sum));
        return y[k] == 0 ? 0 : loss == FBP_LOG_LOSS ? sum : clipped_to_eps(sum);
    default: return (y[k] == 0 ? 0 : y[k] * (log(y[k]) - z[k])) - y[k] + a[k];
    }
}

static double random_target(int loss, int64_t k) {
    switch (loss) {
    case FBP_BINARY_LOG_LOSS: return k % 3 == 0 ? 0 : k % 3 == 1 ? 1 : uniform(0, 1);
    case FBP_LOG_LOSS: return k % 2 ? 0 : uniform(0, 1);
    case FBP_CLIPPED_BINARY_LOG_LOSS: return k % 2;
    case FBP_CLIPPED_LOG_LOSS: return k == 0;
    case FBP_POISSON:
    case FBP_RATIO_POISSON: return k % 3 ? floor(uniform(0, 9)) : 0;
    default: return uniform(-2, 2);
    }
}

static void test_output_delta(int loss, int64_t n, double spread_over, int shift) {
    const fbp_activation pair = fbp_losses[loss].pair, f = pair == FBP_N_ACTIVATION ? FBP_IDENTITY : pair;
    describe("%s of %ld outputs, z up to %g, shift %d", fbp_losses[loss].name, (long)n, spread_over, shift);
    array z = scratch("z", n), a = scratch("a", n), delta = scratch("delta", n);
    array y = unpadded("y", n, shift);
    array *inputs[] = {&z, &a, &y};
    double *dz = numbers(n), *da = numbers(n), *dy = numbers(n);
    double *expected = numbers(n), *size = numbers(n), total = 0, total_size = 0;
    for (int64_t k = 0; k < n; k++) {
        put(&z, k, uniform(-spread_over, spread_over));
        put(&a, k, get(z.at, k));
        put(&y, k, random_target(loss, k));
    }
    ops->activate[f](a.at, n);
    const int is_kinked = loss == FBP_ABSOLUTE_ERROR || loss == FBP_QUANTILE;
    if (is_kinked && n > 2) put(&y, 2, get(a.at, 2)); /* equal: derivative 0 */
    memcpy(a.before, a.block, a.n_bytes);
    for (int64_t k = 0; k < n; k++)
        dz[k] = get(z.at, k), da[k] = get(a.at, k), dy[k] = get(y.at, k);
    for (int64_t k = 0; k < n; k++) {
        const double one = output_loss(loss, dz, da, dy, n, k, &expected[k]);
        total += one;
        total_size += fabs(one) + fabs(da[k]) + fabs(dy[k]) * (1 + fabs(dz[k]));
        size[k] = fabs(da[k]) * (double)n + fabs(dy[k]);
    }
    const double got = ops->output_delta[loss](delta.at, z.at, a.at, y.at, n, LOSS_PARAMETER);
    expect_close(&delta, expected, size, is_kinked ? 0 : 4);
    check(fabs(got - total) <= 8 * (eps * total_size + (double)n * smallest), "loss is %.17g, expected %.17g",
          got, total);
    finish(&delta, 1);
    finish_inputs(inputs, 3);
    free(dz), free(da), free(dy), free(expected), free(size);
}

/* Dropout: csrc/kernels/dropout.inc.h. Which units go is the reference's own draw; a comes back to rounding. */
static uint64_t splitmix(uint64_t k) {
    k = (k ^ (k >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    k = (k ^ (k >> 27)) * UINT64_C(0x94D049BB133111EB);
    return k ^ (k >> 31);
}

static void test_dropout(int64_t n, double dropout) {
    const uint64_t seed = UINT64_C(0x3000000ff), sample = UINT64_C(1) << 40;
    const fbp_layer layer = {.n_out = n, .dropout = dropout, .dropout_seed = seed};
    describe("dropout %g of %ld units", dropout, (long)n);
    array a = scratch("a", n), delta = scratch("delta", n);
    double *expected = numbers(n), *size = numbers(n), *factor = numbers(n);
    uint64_t draw = splitmix(splitmix(seed) + sample);
    for (int64_t j = 0; j < n; j++) {
        draw += UINT64_C(0x9E3779B97F4A7C15);
        factor[j] = ldexp((double)(splitmix(draw) >> 11), -53) < dropout ? 0 : 1 / (1 - dropout);
        put(&a, j, uniform(-1, 1)), put(&delta, j, uniform(-1, 1));
        expected[j] = factor[j] * get(a.at, j), size[j] = fabs(expected[j]);
    }
    memcpy(a.before, a.block, a.n_bytes), memcpy(delta.before, delta.block, delta.n_bytes);
    ops->drop_units(&layer, a.at, sample);
    expect_close(&a, expected, size, 4);
    ops->drop_deltas(&layer, delta.at, a.at, sample);
    for (int64_t j = 0; j < n; j++) expected[j] = factor[j] ? before(&a, j) : 0, size[j] = fabs(expected[j]);
    expect_close(&a, expected, size, 4);
    for (int64_t j = 0; j < n; j++) expected[j] = factor[j] * before(&delta, j), size[j] = fabs(expected[j]);
    expect_close(&delta, expected, size, 4);
    finish(&a, 1), finish(&delta, 1);
    free(expected), free(size), free(factor);
}
