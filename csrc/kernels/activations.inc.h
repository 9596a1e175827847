/* Activations a = f(z), in place, and delta *= f'(z): loops over the lines of tables/activations.h.
 *
 * Loops run over whole vectors, into the padding of the scratch (fastbp.h); finite padding stays
 * finite. */
#ifndef FASTBP_KERNELS_ACTIVATIONS_INC_H
#define FASTBP_KERNELS_ACTIVATIONS_INC_H

#include "vector_math.inc.h"

/* e^z - 1 for z < 0 and 0 above, without losing the digits of a small z: 2 t / (1 - t), t = tanh(z / 2) */
INLINE vec v_expm1_below(vec z) {
    const vec t = v_tanh(v_mul(v_set1((real)0.5), v_min(v_set1(0), z)));
    return v_div(v_add(t, t), v_sub(v_set1(1), t));
}

/* Klambauer et al. (2017): lambda, and lambda alpha */
#define SELU_SCALE ((real)1.0507009873554804934193349852946)
#define SELU_BELOW ((real)1.7580993408473768599402175208123)

/* log(1 + e^z) */
INLINE vec v_softplus(vec z) {
    const vec zero = v_set1(0);
    return v_add(v_max(zero, z), v_log1p(v_exp(v_sub(zero, v_abs(z))), 1));
}

/* of z logistic(z) (Elfwing, Uchibe and Doya, 2018) */
INLINE vec v_silu_slope(vec z) {
    return v_mul(v_logistic(z), v_fma(z, v_logistic(v_sub(v_set1(0), z)), v_set1(1)));
}

/* The normal distribution's share below z; erf is libm's, a number at a time. */
INLINE vec v_normal(vec z) {
    real values[VL];
    v_store(values, z);
    for (int k = 0; k < VL; k++)
        values[k] = (real)(0.5 * erfc(-0.70710678118654752 * (double)values[k]));
    return v_load(values);
}

/* of z v_normal(z) (Hendrycks and Gimpel, 2016) */
INLINE vec v_gelu_slope(vec z) {
    const vec density = v_mul(v_set1((real)0.39894228040143268), v_exp(v_mul(v_set1((real)-0.5), v_mul(z, z))));
    return v_fma(z, density, v_normal(z));
}

/* tanh(log(1 + e^z)) = n / (n + 2), n = e^z (e^z + 2); from z = 20 on it is 1 */
INLINE vec v_tanh_of_softplus(vec z) {
    const vec e = v_exp(v_min(v_set1(20), z)), n = v_mul(e, v_add(e, v_set1(2)));
    return v_div(n, v_add(n, v_set1(2)));
}

/* of z tanh(softplus(z)) (Misra, 2020): with the same n, 1 - tanh^2 = 4 (n + 1) / (n + 2)^2 */
INLINE vec v_mish_slope(vec z) {
    const vec y = v_min(v_set1(20), z), e = v_exp(y), n = v_mul(e, v_add(e, v_set1(2))), one = v_set1(1);
    const vec rest = v_div(v_set1(2), v_add(n, v_set1(2)));
    const vec slope = v_mul(v_mul(v_mul(rest, rest), v_add(n, one)), v_mul(y, v_logistic(y)));
    return v_add(v_sub(one, rest), slope);
}

#define NOTHING(...)

/* a = f(z) of a vector; of what is known for whole rows only, z */
INLINE vec v_activate(vec z, const fbp_activation activation) {
#define CASE(NAME, NAME_, HIDDEN, OF_Z, AT_0, A, W) case FBP_##NAME: return A;
    switch (activation) {
        FBP_ACTIVATIONS(CASE, NOTHING)
    default: return z;
    }
#undef CASE
}

/* w f'(z) of a vector, in terms of a or z. Of logistic with one rounding less than its line has: small
 * networks wait for it. */
INLINE vec v_derive_of(vec w, vec z, vec a, const fbp_activation activation, const int ANY) {
    (void)z;
    if (activation == FBP_LOGISTIC) return v_mul(w, v_fnma(a, a, a));
#define CASE(NAME, NAME_, HIDDEN, OF_Z, AT_0, A, W) case FBP_##NAME: return !OF_Z || ANY ? W : w;
    switch (activation) {
        FBP_ACTIVATIONS(CASE, NOTHING)
    default: return w;
    }
#undef CASE
}

/* Of those whose derivative is written in terms of a: inner loops have registers for no more. */
INLINE vec v_derive(vec w, vec a, const fbp_activation activation) {
    return v_derive_of(w, a, a, activation, 0);
}

/* The same of an activation that is known when the program runs: calls, for all of them are large. */
static vec v_activate_any(vec z, fbp_activation activation) { return v_activate(z, activation); }
static vec v_derive_any(vec w, vec z, vec a, fbp_activation activation) {
    return v_derive_of(w, z, a, activation, 1);
}

#define LOOPS(NAME, NAME_, HIDDEN, OF_Z, AT_0, A, W)                   \
    static void activate_##NAME(void *values_, int64_t n) {            \
        real *values = values_;                                        \
        if (FBP_##NAME == FBP_IDENTITY) return;                        \
        for (int64_t i = 0; i < n; i += VL) {                          \
            const vec z = v_load(values + i);                          \
            v_store(values + i, A);                                    \
        }                                                              \
    }                                                                  \
    static void derive_##NAME(void *delta_, const void *of, int64_t n) { \
        real *delta = delta_;                                          \
        if (FBP_##NAME == FBP_IDENTITY || !HIDDEN) return;             \
        for (int64_t i = 0; i < n; i += VL) {                          \
            const vec w = v_load(delta + i), z = v_load((const real *)of + i), a = z; \
            (void)z, (void)a;                                          \
            v_store(delta + i, W);                                     \
        }                                                              \
    }
FBP_ACTIVATIONS(LOOPS, NOTHING)
#undef LOOPS
#undef NOTHING

/* The loss gives dE/dz at once. */
static void derive_SOFTMAX(void *delta, const void *a, int64_t n) { (void)delta, (void)a, (void)n; }

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
static void activate_SOFTMAX(void *z_, int64_t n) {
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

#endif
