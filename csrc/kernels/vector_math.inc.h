/* exp, logistic, tanh and log(1 + x) of a whole vector.
 *
 * At most 2 ulp from the exact value, on every instruction set and for both dtypes, for every
 * argument: subnormal results are right as well, and no finite argument gives infinity or NaN.
 * NaN gives NaN. There are no tables and no branches, and nothing relies on v_fma being fused.
 * The first three stand on one reduction, y = n ln 2 + r with n whole and |r| <= ln(2) / 2, and on
 *
 *     e^y            = 2^n (1 + p),                 p = e^r - 1
 *     1 / (1 + e^y)  = 2^-n / (1 + 2^-n + p)
 *     logistic(x)    = 1 / (1 + e^-x)
 *     tanh(x)        = 1 - 2 / (1 + e^2x)           |x| > 0.55
 *                    = x + x^3 P(x^2)               elsewhere, where the line above would cancel
 *     log(1 + x)     = 2 atanh(s),                  s = x / (2 + x); atanh(s) = s + s^3 P(s^2)
 *
 * The coefficients are minimax fits (Remez), rounded to the dtype: e^r to 2^-57 (float: 2^-28)
 * of itself, tanh to 2^-55 (2^-28), atanh, up to 3 - sqrt(8), to 2^-80 (2^-46). */
#ifndef FASTBP_KERNELS_VECTOR_MATH_INC_H
#define FASTBP_KERNELS_VECTOR_MATH_INC_H

#ifdef FBP_F32

#define N_TERMS 5
#define LN2_HIGH 0x1.62e4p-1f                /* so short that n times it is exact */
#define LN2_LOW 0x1.7f7d1cp-20f
#define LOG2_E 0x1.715476p+0f
#define EXP_OVERFLOW 0x1.62e42ep+6f          /* the last x with a finite e^x */
#define EXP_UNDERFLOW 104                    /* e^-104 is 0 */
#define MAX_POWER 100                        /* 2^100 and 2^-100 are well within range */

/* (e^r - 1 - r) / r^2 */
static const real expm1_terms[N_TERMS] = {
    0x1.fffffcp-2f, 0x1.555492p-3f, 0x1.5558f2p-5f, 0x1.123a20p-7f, 0x1.6a23d6p-10f,
};
/* (tanh(x) - x) / x^3 in powers of x^2 */
static const real tanh_terms[N_TERMS] = {
    -0x1.55554ap-2f, 0x1.110d18p-3f, -0x1.b92618p-5f, 0x1.5927f8p-6f, -0x1.9ab1ccp-8f,
};
/* (atanh(x) - x) / x^3 in powers of x^2 */
static const real atanh_terms[N_TERMS] = {
    0x1.555556p-2f, 0x1.999998p-3f, 0x1.249324p-3f, 0x1.c67adap-4f, 0x1.8c8c12p-4f,
};

#else /* double */

#define N_TERMS 10
#define LN2_HIGH 0x1.62e42fefa38p-1
#define LN2_LOW 0x1.ef35793c7673p-45
#define LOG2_E 0x1.71547652b82fep+0
#define EXP_OVERFLOW 0x1.62e42fefa39efp+9
#define EXP_UNDERFLOW 746
#define MAX_POWER 1000

static const real expm1_terms[N_TERMS] = {
    0x1.000000000000bp-1,  0x1.5555555555518p-3,  0x1.5555555550063p-5,  0x1.111111111e554p-7,
    0x1.6c16c185eef29p-10, 0x1.a01a0166e2283p-13, 0x1.a019953a598b7p-16, 0x1.71de89a382beap-19,
    0x1.28b1eeb548351p-22, 0x1.ae94e332e1977p-26,
};
static const real tanh_terms[N_TERMS] = {
    -0x1.5555555555497p-2, 0x1.111111110223bp-3,  -0x1.ba1ba1ad1876fp-5,  0x1.664f45b22b327p-6,
    -0x1.226ddb8554464p-7, 0x1.d6c5e47f8461cp-9,  -0x1.7cf1833b60d12p-10, 0x1.2f9531dbadd4dp-11,
    -0x1.b8b1b7a05b8d3p-13, 0x1.ab0b47571cc64p-15,
};
static const real atanh_terms[N_TERMS] = {
    0x1.5555555555555p-2, 0x1.999999999999ap-3, 0x1.2492492492486p-3, 0x1.c71c71c71f255p-4,
    0x1.745d17437e31ap-4, 0x1.3b13b261100c9p-4, 0x1.1110b8d10b6bbp-4, 0x1.e2029616bb132p-5,
    0x1.ab83e04a47f78p-5, 0x1.bedb01af0c1fep-5,
};

#endif

/* c[0] + c[1] x + c[2] x^2 + ..., paired (Estrin) so that few steps wait for one another. */
INLINE vec polynomial(vec x, const real *c) {
    const vec x2 = v_mul(x, x);
    const vec c01 = v_fma(v_set1(c[1]), x, v_set1(c[0]));
    const vec c23 = v_fma(v_set1(c[3]), x, v_set1(c[2]));
#ifdef FBP_F32
    return v_fma(v_fma(v_set1(c[4]), x2, c23), x2, c01);
#else
    const vec c45 = v_fma(v_set1(c[5]), x, v_set1(c[4]));
    const vec c67 = v_fma(v_set1(c[7]), x, v_set1(c[6]));
    const vec c89 = v_fma(v_set1(c[9]), x, v_set1(c[8]));
    const vec x4 = v_mul(x2, x2);
    return v_fma(v_fma(c89, x4, v_fma(c67, x2, c45)), x4, v_fma(c23, x2, c01));
#endif
}

/* p = high + rest and n of e^y = 2^n (1 + p). The leading term of p = r + r^2 (...) is high + low,
 * which has more digits than the rounded r. */
INLINE vec expm1_reduced(vec y, vec *n, vec *rest) {
    *n = v_round(v_mul(y, v_set1(LOG2_E)));
    const vec high = v_fnma(*n, v_set1(LN2_HIGH), y); /* exact */
    const vec low = v_mul(*n, v_set1(-LN2_LOW));
    const vec r = v_add(high, low);
    *rest = v_fma(v_mul(r, r), polynomial(r, expm1_terms), low);
    return high;
}

/* 2^n = power * rest, where n may lie beyond the exponents of the dtype. `rest` is 1 up to
 * MAX_POWER; past it, a product with `rest` is what rounds to a subnormal number, once. */
INLINE vec pow2_in_two(vec n, vec *rest) {
    const vec within = v_max(v_set1(-MAX_POWER), v_min(v_set1(MAX_POWER), n));
    *rest = v_pow2(v_sub(n, within));
    return v_pow2(within);
}

/* e^x. Past the last finite value it stays there, +inf included. */
INLINE vec v_exp(vec x) {
    vec n, low, rest;
    const vec y = v_max(v_set1(-EXP_UNDERFLOW), v_min(v_set1(EXP_OVERFLOW), x));
    const vec high = expm1_reduced(y, &n, &low);
    const vec power = pow2_in_two(n, &rest);
    return v_mul(v_fma(power, v_add(high, low), power), rest);
}

/* 1 / (1 + e^-x) */
INLINE vec v_logistic(vec x) {
    const vec zero = v_set1(0), one = v_set1(1);
    vec n, low, rest;
    /* From x = 40 on it is 1; the bound keeps 2^-n within MAX_POWER there. */
    const vec y = v_max(v_set1(-40), v_min(v_set1(EXP_UNDERFLOW), v_sub(zero, x)));
    const vec high = expm1_reduced(y, &n, &low);
    const vec power = pow2_in_two(v_sub(zero, n), &rest);
    /* 1 + power + p; what the first sum loses of a small power goes into the second. */
    const vec sum = v_add(one, power), lost = v_sub(power, v_sub(sum, one));
    return v_mul(v_div(power, v_add(sum, v_add(v_add(high, lost), low))), rest);
}

/* tanh x */
INLINE vec v_tanh(vec x) {
    const vec one = v_set1(1), size = v_abs(x);
    vec n, low;
    const vec y = v_min(v_set1(40), v_add(size, size)); /* tanh(20) is 1 */
    const vec high = expm1_reduced(y, &n, &low);
    const vec scale = v_pow2(v_sub(v_set1(0), n));
    const vec sum = v_add(v_add(v_add(one, scale), high), low); /* 1 + scale + p */
    const vec outer = v_fnma(v_set1(2), v_div(scale, sum), one);
    const vec x2 = v_mul(size, size);
    const vec inner = v_fma(size, v_mul(x2, polynomial(x2, tanh_terms)), size);
    return v_copysign(v_where_positive(v_sub(size, v_set1((real)0.55)), outer, inner), x);
}

/* m 2^n as it is, with half of m where that is above the root of 2; rest = m - 1 */
INLINE void v_halve(vec *m, vec *rest, vec *n) {
    const vec half = v_set1((real)0.5), one = v_set1(1);
    const vec over = v_sub(*m, v_set1((real)1.4142135623730951));
    *m = v_where_positive(over, v_mul(half, *m), *m);
    *rest = v_where_positive(over, v_sub(*m, one), *rest);
    *n = v_add(*n, v_if_positive(over, one));
}

/* log(1 + x) for 0 <= x <= upper: m 2^n = 1 + x with m about 1, log m = 2 atanh((m - 1) / (m + 1)) */
INLINE vec v_log1p(vec x, double upper) {
    vec m = v_add(v_set1(1), x), rest = x, n = v_set1(0);
    v_halve(&m, &rest, &n); /* once outside of the loop, which of an upper of 1 is all */
    for (double bound = 2; bound < 1 + upper; bound *= 2) v_halve(&m, &rest, &n);
    const vec s = v_div(rest, v_add(v_set1(2), rest)), s2 = v_mul(s, s);
    const vec atanh = v_fma(v_mul(s, s2), polynomial(s2, atanh_terms), s);
    return v_fma(n, v_set1((real)0.69314718055994531), v_add(atanh, atanh));
}

#ifdef HAS_RSQRT_SEED
/* The root of s >= 0 by products alone, in the time that the divider has for the root of another vector. At
 * most 1 ulp from the exact value from 2^-1022 on; 2^-511 for what is less, 0 included. With x about
 * 1 / sqrt(s) and h = 1 - s x^2, sqrt(s) = s x / sqrt(1 - h): first by a minimax fit for |h| < 0.0686, which
 * leaves |h| < 2.1e-6, and then by h / 2 + 3/8 h^2, which is 1 / sqrt(1 - h) - 1 to 3e-18. */
INLINE vec v_sqrt_by_products(vec s) {
    const vec one = v_set1(1), seed = v_rsqrt_seed(s);
    vec h = v_fnma(v_mul(s, seed), seed, one);
    const vec more = v_fma(v_fma(v_set1(0x1.41dc4735d4387p-2), h, v_set1(0x1.8113a1f64694bp-2)), h,
                           v_set1(0x1.ffff74fc19f41p-2));
    const vec x = v_fma(v_mul(seed, h), more, seed), root = v_mul(s, x);
    h = v_fnma(root, x, one);
    const vec better = v_fma(v_mul(root, h), v_fma(v_set1(0.375), h, v_set1(0.5)), root);
    /* Of smaller s what stands above falls short, and of infinity it has the wrong sign. */
    return v_max(better, v_fma(s, v_set1(0x1p-600), v_set1(0x1p-511)));
}
#endif

#endif
