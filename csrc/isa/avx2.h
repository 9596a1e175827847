/* The vector words on AVX2 + FMA. isa/scalar.h says what each word means. */
/* For each set of four lanes, as bits: their numbers, side by side. */
static const uint8_t lanes_of[16][4] = {{0},       {0},       {1},       {0, 1},    {2},    {0, 2},
                                        {1, 2},    {0, 1, 2}, {3},       {0, 3},    {1, 3}, {0, 1, 3},
                                        {2, 3},    {0, 2, 3}, {1, 2, 3}, {0, 1, 2, 3}};
INLINE __m128i lanes_in(int set) {
    int32_t four;
    memcpy(&four, lanes_of[set], sizeof four);
    return _mm_cvtepu8_epi32(_mm_cvtsi32_si128(four));
}

#ifdef FBP_F32

#define VL 8
typedef __m256 vec;

INLINE vec v_load(const real *p) { return _mm256_loadu_ps(p); }
INLINE void v_store(real *p, vec v) { _mm256_storeu_ps(p, v); }
INLINE vec v_set1(real s) { return _mm256_set1_ps(s); }
INLINE vec v_add(vec a, vec b) { return _mm256_add_ps(a, b); }
INLINE vec v_sub(vec a, vec b) { return _mm256_sub_ps(a, b); }
INLINE vec v_mul(vec a, vec b) { return _mm256_mul_ps(a, b); }
INLINE vec v_div(vec a, vec b) { return _mm256_div_ps(a, b); }
INLINE vec v_fma(vec a, vec b, vec c) { return _mm256_fmadd_ps(a, b, c); }
INLINE vec v_fnma(vec a, vec b, vec c) { return _mm256_fnmadd_ps(a, b, c); }
INLINE vec v_max(vec a, vec b) { return _mm256_max_ps(a, b); }
INLINE vec v_min(vec a, vec b) { return _mm256_min_ps(a, b); }
INLINE vec v_sqrt(vec a) { return _mm256_sqrt_ps(a); }
INLINE vec v_abs(vec a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a); }
INLINE vec v_copysign(vec size, vec sign) {
    return _mm256_or_ps(size, _mm256_and_ps(_mm256_set1_ps(-0.0f), sign));
}
INLINE vec v_if_positive(vec condition, vec x) {
    return _mm256_and_ps(_mm256_cmp_ps(condition, _mm256_setzero_ps(), _CMP_GT_OQ), x);
}
INLINE vec v_where_positive(vec condition, vec x, vec otherwise) {
    return _mm256_blendv_ps(otherwise, x,
                            _mm256_cmp_ps(condition, _mm256_setzero_ps(), _CMP_GT_OQ));
}
INLINE vec v_round(vec a) { return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
INLINE vec v_pow2(vec n) {
    const __m256 biased = _mm256_add_ps(n, _mm256_set1_ps(0x1.8p23f + 127)); /* ends in n + 127 */
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(biased), 23));
}
INLINE real v_sum(vec a) {
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}
INLINE vec v_total(vec a) {
    vec s = _mm256_add_ps(a, _mm256_permute2f128_ps(a, a, 1));
    s = _mm256_add_ps(s, _mm256_permute_ps(s, _MM_SHUFFLE(1, 0, 3, 2)));
    return _mm256_add_ps(s, _mm256_permute_ps(s, _MM_SHUFFLE(2, 3, 0, 1)));
}
INLINE vec v_pair_total(vec a) { return _mm256_add_ps(a, _mm256_permute_ps(a, _MM_SHUFFLE(2, 3, 0, 1))); }
INLINE real v_first(vec a) { return _mm256_cvtss_f32(a); }
INLINE void v_sums(real *to, vec a, vec b, vec c, vec d) {
    const vec s = _mm256_hadd_ps(_mm256_hadd_ps(a, b), _mm256_hadd_ps(c, d));
    _mm_storeu_ps(to, _mm_add_ps(_mm256_castps256_ps128(s), _mm256_extractf128_ps(s, 1)));
}
INLINE int v_list_positive(real *values, int32_t *numbers, vec a, int32_t i) {
    const int listed = _mm256_movemask_ps(_mm256_cmp_ps(a, _mm256_setzero_ps(), _CMP_NLE_UQ));
    const int n_low = _mm_popcnt_u32(listed & 15);
    const __m128i low = lanes_in(listed & 15), high = lanes_in(listed >> 4);
    _mm_storeu_ps(values, _mm_permutevar_ps(_mm256_castps256_ps128(a), low));
    _mm_storeu_ps(values + n_low, _mm_permutevar_ps(_mm256_extractf128_ps(a, 1), high));
    _mm_storeu_si128((__m128i *)numbers, _mm_add_epi32(low, _mm_set1_epi32(i)));
    _mm_storeu_si128((__m128i *)(numbers + n_low), _mm_add_epi32(high, _mm_set1_epi32(i + 4)));
    return _mm_popcnt_u32(listed);
}
INLINE __m256i first_lanes(int n) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
INLINE vec v_load_n(const real *p, int n) { return _mm256_maskload_ps(p, first_lanes(n)); }
/* A masked store costs some forty micro-operations on several AMD cores: store by halves. */
INLINE void v_store_n(real *p, vec v, int n) {
    __m128 half = _mm256_castps256_ps128(v);
    if (n & 4) {
        _mm_storeu_ps(p, half);
        half = _mm256_extractf128_ps(v, 1);
        p += 4;
    }
    if (n & 2) {
        _mm_storel_pi((__m64 *)p, half);
        half = _mm_movehl_ps(half, half);
        p += 2;
    }
    if (n & 1) _mm_store_ss(p, half);
}

#define HAS_TRANSPOSE 1
INLINE void v_transpose(vec *v) {
    vec pairs[8], fours[8];
    UNROLL for (int r = 0; r < 8; r += 2) {
        pairs[r] = _mm256_unpacklo_ps(v[r], v[r + 1]);
        pairs[r + 1] = _mm256_unpackhi_ps(v[r], v[r + 1]);
    }
    UNROLL for (int r = 0; r < 8; r += 4) {
        UNROLL for (int k = 0; k < 2; k++) {
            fours[r + 2 * k] = _mm256_shuffle_ps(pairs[r + k], pairs[r + 2 + k], _MM_SHUFFLE(1, 0, 1, 0));
            fours[r + 2 * k + 1] = _mm256_shuffle_ps(pairs[r + k], pairs[r + 2 + k], _MM_SHUFFLE(3, 2, 3, 2));
        }
    }
    UNROLL for (int r = 0; r < 4; r++) {
        v[r] = _mm256_permute2f128_ps(fours[r], fours[r + 4], 0x20);
        v[r + 4] = _mm256_permute2f128_ps(fours[r], fours[r + 4], 0x31);
    }
}

#else /* double */

#define VL 4
typedef __m256d vec;

INLINE vec v_load(const real *p) { return _mm256_loadu_pd(p); }
INLINE void v_store(real *p, vec v) { _mm256_storeu_pd(p, v); }
INLINE vec v_set1(real s) { return _mm256_set1_pd(s); }
INLINE vec v_add(vec a, vec b) { return _mm256_add_pd(a, b); }
INLINE vec v_sub(vec a, vec b) { return _mm256_sub_pd(a, b); }
INLINE vec v_mul(vec a, vec b) { return _mm256_mul_pd(a, b); }
INLINE vec v_div(vec a, vec b) { return _mm256_div_pd(a, b); }
INLINE vec v_fma(vec a, vec b, vec c) { return _mm256_fmadd_pd(a, b, c); }
INLINE vec v_fnma(vec a, vec b, vec c) { return _mm256_fnmadd_pd(a, b, c); }
INLINE vec v_max(vec a, vec b) { return _mm256_max_pd(a, b); }
INLINE vec v_min(vec a, vec b) { return _mm256_min_pd(a, b); }
INLINE vec v_sqrt(vec a) { return _mm256_sqrt_pd(a); }
INLINE vec v_abs(vec a) { return _mm256_andnot_pd(_mm256_set1_pd(-0.0), a); }
INLINE vec v_copysign(vec size, vec sign) {
    return _mm256_or_pd(size, _mm256_and_pd(_mm256_set1_pd(-0.0), sign));
}
INLINE vec v_if_positive(vec condition, vec x) {
    return _mm256_and_pd(_mm256_cmp_pd(condition, _mm256_setzero_pd(), _CMP_GT_OQ), x);
}
INLINE vec v_where_positive(vec condition, vec x, vec otherwise) {
    return _mm256_blendv_pd(otherwise, x,
                            _mm256_cmp_pd(condition, _mm256_setzero_pd(), _CMP_GT_OQ));
}
#define HAS_RSQRT_SEED 1
INLINE vec v_rsqrt_seed(vec a) {
    const __m256i half = _mm256_srli_epi64(_mm256_castpd_si256(a), 1); /* of the exponent, and of its digits */
    return _mm256_castsi256_pd(_mm256_sub_epi64(_mm256_set1_epi64x(0x5fe6e750c7b537a9), half));
}
INLINE vec v_round(vec a) { return _mm256_round_pd(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
INLINE vec v_pow2(vec n) {
    const __m256d biased = _mm256_add_pd(n, _mm256_set1_pd(0x1.8p52 + 1023)); /* ends in n + 1023 */
    return _mm256_castsi256_pd(_mm256_slli_epi64(_mm256_castpd_si256(biased), 52));
}
INLINE real v_sum(vec a) {
    const __m128d s = _mm_add_pd(_mm256_castpd256_pd128(a), _mm256_extractf128_pd(a, 1));
    return _mm_cvtsd_f64(_mm_add_sd(s, _mm_unpackhi_pd(s, s)));
}
INLINE vec v_total(vec a) {
    const vec s = _mm256_add_pd(a, _mm256_permute2f128_pd(a, a, 1));
    return _mm256_add_pd(s, _mm256_permute_pd(s, 5));
}
INLINE vec v_pair_total(vec a) { return _mm256_add_pd(a, _mm256_permute_pd(a, 5)); }
INLINE real v_first(vec a) { return _mm256_cvtsd_f64(a); }
INLINE void v_sums(real *to, vec a, vec b, vec c, vec d) {
    const vec s = _mm256_hadd_pd(a, b), t = _mm256_hadd_pd(c, d);
    v_store(to, v_add(_mm256_permute2f128_pd(s, t, 0x20), _mm256_permute2f128_pd(s, t, 0x31)));
}
INLINE int v_list_positive(real *values, int32_t *numbers, vec a, int32_t i) {
    const int listed = _mm256_movemask_pd(_mm256_cmp_pd(a, _mm256_setzero_pd(), _CMP_NLE_UQ));
    const __m128i lanes = lanes_in(listed);
    const __m256i first = _mm256_slli_epi64(_mm256_cvtepu32_epi64(lanes), 1); /* half of each */
    const __m256i second = _mm256_add_epi64(_mm256_slli_epi64(first, 32), _mm256_set1_epi64x(1ll << 32));
    const __m256i halves = _mm256_or_si256(first, second);
    v_store(values, _mm256_castps_pd(_mm256_permutevar8x32_ps(_mm256_castpd_ps(a), halves)));
    _mm_storeu_si128((__m128i *)numbers, _mm_add_epi32(lanes, _mm_set1_epi32(i)));
    return _mm_popcnt_u32(listed);
}
INLINE __m256i first_lanes(int n) {
    return _mm256_cmpgt_epi64(_mm256_set1_epi64x(n), _mm256_setr_epi64x(0, 1, 2, 3));
}
INLINE vec v_load_n(const real *p, int n) { return _mm256_maskload_pd(p, first_lanes(n)); }
/* A masked store costs some forty micro-operations on several AMD cores: store by halves. */
INLINE void v_store_n(real *p, vec v, int n) {
    __m128d half = _mm256_castpd256_pd128(v);
    if (n & 2) {
        _mm_storeu_pd(p, half);
        half = _mm256_extractf128_pd(v, 1);
        p += 2;
    }
    if (n & 1) _mm_store_sd(p, half);
}

#define HAS_TRANSPOSE 1
INLINE void v_transpose(vec *v) {
    const vec a = _mm256_unpacklo_pd(v[0], v[1]), b = _mm256_unpackhi_pd(v[0], v[1]);
    const vec c = _mm256_unpacklo_pd(v[2], v[3]), d = _mm256_unpackhi_pd(v[2], v[3]);
    v[0] = _mm256_permute2f128_pd(a, c, 0x20);
    v[1] = _mm256_permute2f128_pd(b, d, 0x20);
    v[2] = _mm256_permute2f128_pd(a, c, 0x31);
    v[3] = _mm256_permute2f128_pd(b, d, 0x31);
}

#endif

/* Register tiles, each by two vectors: rows forward, inputs in the update of batches and of blocks. */
enum { ROW_TILE = 4, INPUT_TILE = 6, BLOCK_INPUT_TILE = 4 };

/* A loop over a tile's rows. */
#define UNROLL_TILE UNROLL

/* Hidden units of registers.inc.h, in vectors. */
#define REGISTER_VECTORS 4

/* Units of lanes.inc.h that are done together, in vectors. */
enum { LANES_TILE = 4 };
