/* The vector words with one lane, in plain C: any machine, and the meaning of each word.
 *
 * The other files of this folder give the same words with VL lanes. A kernel written in these
 * words is compiled once for every instruction set and both dtypes (FBP_F32: float). */
#define VL 1
typedef real vec;

INLINE vec v_load(const real *p) { return *p; }          /* VL values from p, unaligned */
INLINE void v_store(real *p, vec v) { *p = v; }          /* VL values to p, unaligned */
INLINE vec v_load_n(const real *p, int n) { return n ? *p : 0; } /* the first n < VL, then zeros */
INLINE void v_store_n(real *p, vec v, int n) {           /* only the first n < VL */
    if (n) *p = v;
}
INLINE vec v_set1(real s) { return s; }
INLINE vec v_add(vec a, vec b) { return a + b; }
INLINE vec v_sub(vec a, vec b) { return a - b; }
INLINE vec v_mul(vec a, vec b) { return a * b; }
INLINE vec v_div(vec a, vec b) { return a / b; }
INLINE vec v_fma(vec a, vec b, vec c) { return a * b + c; }  /* fused where the machine can */
INLINE vec v_fnma(vec a, vec b, vec c) { return c - a * b; } /* two roundings */
INLINE vec v_max(vec a, vec b) { return a > b ? a : b; }     /* b where a is NaN */
INLINE vec v_min(vec a, vec b) { return a < b ? a : b; }     /* b where a is NaN */
INLINE vec v_if_positive(vec condition, vec x) { return condition > 0 ? x : 0; }
INLINE vec v_where_positive(vec condition, vec x, vec otherwise) {
    return condition > 0 ? x : otherwise;
}
INLINE real v_sum(vec a) { return a; }                   /* over the lanes, pairwise */
INLINE vec v_total(vec a) { return a; }                  /* the same in every lane */
INLINE vec v_pair_total(vec a) { return a; }             /* the first two lanes', in them */
INLINE real v_first(vec a) { return a; }                 /* the first lane */
INLINE void v_sums(real *to, vec a, vec b, vec c, vec d) { /* to[0..4) = v_sum of each */
    to[0] = a, to[1] = b, to[2] = c, to[3] = d;
}
/* v_rsqrt_seed, 1 / sqrt(a) of a normal a > 0: its square times a is within 0.0686 of 1. Only where HAS_RSQRT_SEED. */
/* v_transpose, of VL vectors: lane k of vector t becomes lane t of vector k. Only where HAS_TRANSPOSE. */

/* The lanes of a that are above 0 or NaN, side by side, and their numbers, lane 0 being number i;
 * returns how many. Writes up to VL of either. */
INLINE int v_list_positive(real *values, int32_t *numbers, vec a, int32_t i) {
    *values = a, *numbers = i;
    return !(a <= 0);
}

#ifdef FBP_F32
INLINE vec v_sqrt(vec a) { return sqrtf(a); }
INLINE vec v_abs(vec a) { return fabsf(a); }
INLINE vec v_copysign(vec size, vec sign) { return copysignf(size, sign); } /* size >= 0 */
INLINE vec v_round(vec a) { return rintf(a); }           /* to nearest, ties to even */
INLINE vec v_pow2(vec n) {                               /* 2^n, n whole, -126 <= n <= 127 */
    union { float value; uint32_t bits; } u = {n + (0x1.8p23f + 127)}; /* ends in n + 127 */
    u.bits <<= 23;
    return u.value;
}
#else
INLINE vec v_sqrt(vec a) { return sqrt(a); }
INLINE vec v_abs(vec a) { return fabs(a); }
INLINE vec v_copysign(vec size, vec sign) { return copysign(size, sign); }
INLINE vec v_round(vec a) { return rint(a); }
INLINE vec v_pow2(vec n) {                               /* -1022 <= n <= 1023 */
    union { double value; uint64_t bits; } u = {n + (0x1.8p52 + 1023)};
    u.bits <<= 52;
    return u.value;
}
#endif

/* Register tiles, each by two vectors: rows forward, inputs in the update of batches and of blocks. */
enum { ROW_TILE = 4, INPUT_TILE = 2, BLOCK_INPUT_TILE = 2 };

/* A loop over a tile's rows. */
#define UNROLL_TILE UNROLL

/* Hidden units of registers.inc.h, in vectors: none, for nothing of it pays for plain numbers. */
#define REGISTER_VECTORS 0

/* Units of lanes.inc.h that are done together, in vectors. */
enum { LANES_TILE = 4 };
