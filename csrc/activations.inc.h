/* Activations a = f(z), in place, and delta *= f'(z) with the derivative written in terms of a.
 *
 * Loops run over whole vectors, into the padding of the scratch (fastbp.h); finite padding stays
 * finite. */

/* a = z */
static void activate_identity(void *z, int64_t n) {
    (void)z;
    (void)n;
}

/* a = 1 / (1 + exp(-z)) */
static void activate_logistic(void *z_, int64_t n) {
    real *z = z_;
    for (int64_t i = 0; i < n; i += VL) v_store(z + i, v_logistic(v_load(z + i)));
}

/* a = tanh(z) */
static void activate_tanh(void *z_, int64_t n) {
    real *z = z_;
    for (int64_t i = 0; i < n; i += VL) v_store(z + i, v_tanh(v_load(z + i)));
}

/* a = max(0, z), NaN where z is NaN */
static void activate_relu(void *z_, int64_t n) {
    real *z = z_;
    const vec zero = v_set1(0);
    for (int64_t i = 0; i < n; i += VL) v_store(z + i, v_max(zero, v_load(z + i)));
}

/* a = exp(z), at most the largest finite number */
static void activate_exp(void *z_, int64_t n) {
    real *z = z_;
    for (int64_t i = 0; i < n; i += VL) v_store(z + i, v_exp(v_load(z + i)));
}

/* max z, NaN left out; -inf of nothing */
INLINE real largest(const real *z, int64_t n) {
    real lanes[VL], top;
    vec tops = v_set1(-INFINITY);
    int64_t i = 0;
    for (; i + VL <= n; i += VL) tops = v_max(v_load(z + i), tops);
    v_store(lanes, tops);
    top = lanes[0];
    for (int k = 1; k < VL; k++) top = lanes[k] > top ? lanes[k] : top;
    for (; i < n; i++) top = z[i] > top ? z[i] : top;
    return top;
}

/* a = exp(z - max z) / sum exp(z - max z) */
static void activate_softmax(void *z_, int64_t n) {
    real *z = z_;
    const vec top = v_set1(largest(z, n));
    vec sum = v_set1(0);
    for (int64_t i = 0; i < n; i += VL) {
        const vec e = v_exp(v_sub(v_load(z + i), top));
        v_store(z + i, e);
        sum = v_add(sum, n - i < VL ? v_load_n(z + i, (int)(n - i)) : e);
    }
    const vec scale = v_set1(1 / v_sum(sum));
    for (int64_t i = 0; i < n; i += VL) v_store(z + i, v_mul(v_load(z + i), scale));
}

/* f' = 1; also of exp and softmax, whose losses give dE/dz at once */
static void derive_identity(void *delta, const void *a, int64_t n) {
    (void)delta;
    (void)a;
    (void)n;
}

/* f' = a (1 - a) */
static void derive_logistic(void *delta_, const void *a_, int64_t n) {
    real *delta = delta_;
    const real *a = a_;
    const vec one = v_set1(1);
    for (int64_t i = 0; i < n; i += VL) {
        const vec ai = v_load(a + i);
        v_store(delta + i, v_mul(v_load(delta + i), v_mul(ai, v_sub(one, ai))));
    }
}

/* f' = 1 - a^2 */
static void derive_tanh(void *delta_, const void *a_, int64_t n) {
    real *delta = delta_;
    const real *a = a_;
    const vec one = v_set1(1);
    for (int64_t i = 0; i < n; i += VL) {
        const vec ai = v_load(a + i);
        v_store(delta + i, v_mul(v_load(delta + i), v_fnma(ai, ai, one)));
    }
}

/* f' = 1 where a > 0, else 0 */
static void derive_relu(void *delta_, const void *a_, int64_t n) {
    real *delta = delta_;
    const real *a = a_;
    for (int64_t i = 0; i < n; i += VL)
        v_store(delta + i, v_if_positive(v_load(a + i), v_load(delta + i)));
}
