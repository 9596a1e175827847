/* The vector words on AVX-512 (F, DQ, VL). isa/scalar.h says what each word means. */
#ifdef FBP_F32

#define VL 16
typedef __m512 vec;

INLINE vec v_load(const real *p) { return _mm512_loadu_ps(p); }
INLINE void v_store(real *p, vec v) { _mm512_storeu_ps(p, v); }
INLINE vec v_load_n(const real *p, int n) {
    return _mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), p);
}
INLINE void v_store_n(real *p, vec v, int n) {
    _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), v);
}
INLINE vec v_set1(real s) { return _mm512_set1_ps(s); }
INLINE vec v_add(vec a, vec b) { return _mm512_add_ps(a, b); }
INLINE vec v_sub(vec a, vec b) { return _mm512_sub_ps(a, b); }
INLINE vec v_mul(vec a, vec b) { return _mm512_mul_ps(a, b); }
INLINE vec v_div(vec a, vec b) { return _mm512_div_ps(a, b); }
INLINE vec v_fma(vec a, vec b, vec c) { return _mm512_fmadd_ps(a, b, c); }
INLINE vec v_fnma(vec a, vec b, vec c) { return _mm512_fnmadd_ps(a, b, c); }
INLINE vec v_max(vec a, vec b) { return _mm512_max_ps(a, b); }
INLINE vec v_min(vec a, vec b) { return _mm512_min_ps(a, b); }
INLINE vec v_sqrt(vec a) { return _mm512_sqrt_ps(a); }
INLINE vec v_abs(vec a) { return _mm512_andnot_ps(_mm512_set1_ps(-0.0f), a); }
INLINE vec v_copysign(vec size, vec sign) {
    return _mm512_or_ps(size, _mm512_and_ps(_mm512_set1_ps(-0.0f), sign));
}
INLINE vec v_if_positive(vec condition, vec x) {
    return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(condition, _mm512_setzero_ps(), _CMP_GT_OQ), x);
}
INLINE vec v_where_positive(vec condition, vec x, vec otherwise) {
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(condition, _mm512_setzero_ps(), _CMP_GT_OQ),
                                otherwise, x);
}
INLINE vec v_round(vec a) {
    return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
INLINE vec v_pow2(vec n) {
    const __m512 biased = _mm512_add_ps(n, _mm512_set1_ps(0x1.8p23f + 127)); /* ends in n + 127 */
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_castps_si512(biased), 23));
}
INLINE real v_sum(vec a) { return _mm512_reduce_add_ps(a); }
INLINE vec v_total(vec a) {
    vec s = _mm512_add_ps(a, _mm512_shuffle_f32x4(a, a, _MM_SHUFFLE(1, 0, 3, 2)));
    s = _mm512_add_ps(s, _mm512_shuffle_f32x4(s, s, _MM_SHUFFLE(2, 3, 0, 1)));
    s = _mm512_add_ps(s, _mm512_permute_ps(s, _MM_SHUFFLE(1, 0, 3, 2)));
    return _mm512_add_ps(s, _mm512_permute_ps(s, _MM_SHUFFLE(2, 3, 0, 1)));
}
INLINE vec v_pair_total(vec a) { return _mm512_add_ps(a, _mm512_permute_ps(a, _MM_SHUFFLE(2, 3, 0, 1))); }
INLINE real v_first(vec a) { return _mm512_cvtss_f32(a); }
INLINE __m256 fold(vec a) {
    return _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
}
INLINE void v_sums(real *to, vec a, vec b, vec c, vec d) {
    const __m256 s = _mm256_hadd_ps(_mm256_hadd_ps(fold(a), fold(b)), _mm256_hadd_ps(fold(c), fold(d)));
    _mm_storeu_ps(to, _mm_add_ps(_mm256_castps256_ps128(s), _mm256_extractf128_ps(s, 1)));
}
INLINE int v_list_positive(real *values, int32_t *numbers, vec a, int32_t i) {
    const __mmask16 listed = _mm512_cmp_ps_mask(a, _mm512_setzero_ps(), _CMP_NLE_UQ);
    const __m512i lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    _mm512_storeu_ps(values, _mm512_maskz_compress_ps(listed, a));
    _mm512_storeu_si512(numbers, _mm512_maskz_compress_epi32(
                                     listed, _mm512_add_epi32(lanes, _mm512_set1_epi32(i))));
    return _mm_popcnt_u32(listed);
}

#else /* double */

#define VL 8
typedef __m512d vec;

INLINE vec v_load(const real *p) { return _mm512_loadu_pd(p); }
INLINE void v_store(real *p, vec v) { _mm512_storeu_pd(p, v); }
INLINE vec v_load_n(const real *p, int n) {
    return _mm512_maskz_loadu_pd((__mmask8)((1u << n) - 1), p);
}
INLINE void v_store_n(real *p, vec v, int n) {
    _mm512_mask_storeu_pd(p, (__mmask8)((1u << n) - 1), v);
}
INLINE vec v_set1(real s) { return _mm512_set1_pd(s); }
INLINE vec v_add(vec a, vec b) { return _mm512_add_pd(a, b); }
INLINE vec v_sub(vec a, vec b) { return _mm512_sub_pd(a, b); }
INLINE vec v_mul(vec a, vec b) { return _mm512_mul_pd(a, b); }
INLINE vec v_div(vec a, vec b) { return _mm512_div_pd(a, b); }
INLINE vec v_fma(vec a, vec b, vec c) { return _mm512_fmadd_pd(a, b, c); }
INLINE vec v_fnma(vec a, vec b, vec c) { return _mm512_fnmadd_pd(a, b, c); }
INLINE vec v_max(vec a, vec b) { return _mm512_max_pd(a, b); }
INLINE vec v_min(vec a, vec b) { return _mm512_min_pd(a, b); }
INLINE vec v_sqrt(vec a) { return _mm512_sqrt_pd(a); }
INLINE vec v_abs(vec a) { return _mm512_andnot_pd(_mm512_set1_pd(-0.0), a); }
INLINE vec v_copysign(vec size, vec sign) {
    return _mm512_or_pd(size, _mm512_and_pd(_mm512_set1_pd(-0.0), sign));
}
INLINE vec v_if_positive(vec condition, vec x) {
    return _mm512_maskz_mov_pd(_mm512_cmp_pd_mask(condition, _mm512_setzero_pd(), _CMP_GT_OQ), x);
}
INLINE vec v_where_positive(vec condition, vec x, vec otherwise) {
    return _mm512_mask_blend_pd(_mm512_cmp_pd_mask(condition, _mm512_setzero_pd(), _CMP_GT_OQ),
                                otherwise, x);
}
INLINE vec v_round(vec a) {
    return _mm512_roundscale_pd(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
INLINE vec v_pow2(vec n) {
    const __m512d biased = _mm512_add_pd(n, _mm512_set1_pd(0x1.8p52 + 1023)); /* ends in n + 1023 */
    return _mm512_castsi512_pd(_mm512_slli_epi64(_mm512_castpd_si512(biased), 52));
}
INLINE real v_sum(vec a) { return _mm512_reduce_add_pd(a); }
INLINE vec v_total(vec a) {
    vec s = _mm512_add_pd(a, _mm512_shuffle_f64x2(a, a, _MM_SHUFFLE(1, 0, 3, 2)));
    s = _mm512_add_pd(s, _mm512_shuffle_f64x2(s, s, _MM_SHUFFLE(2, 3, 0, 1)));
    return _mm512_add_pd(s, _mm512_permute_pd(s, 0x55));
}
INLINE vec v_pair_total(vec a) { return _mm512_add_pd(a, _mm512_permute_pd(a, 0x55)); }
INLINE real v_first(vec a) { return _mm512_cvtsd_f64(a); }
INLINE __m256d fold(vec a) {
    return _mm256_add_pd(_mm512_castpd512_pd256(a), _mm512_extractf64x4_pd(a, 1));
}
INLINE void v_sums(real *to, vec a, vec b, vec c, vec d) {
    const __m256d s = _mm256_hadd_pd(fold(a), fold(b)), t = _mm256_hadd_pd(fold(c), fold(d));
    _mm256_storeu_pd(to, _mm256_add_pd(_mm256_permute2f128_pd(s, t, 0x20),
                                       _mm256_permute2f128_pd(s, t, 0x31)));
}
INLINE int v_list_positive(real *values, int32_t *numbers, vec a, int32_t i) {
    const __mmask8 listed = _mm512_cmp_pd_mask(a, _mm512_setzero_pd(), _CMP_NLE_UQ);
    const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    _mm512_storeu_pd(values, _mm512_maskz_compress_pd(listed, a));
    _mm256_storeu_si256((__m256i *)numbers, _mm256_maskz_compress_epi32(
                                                listed, _mm256_add_epi32(lanes, _mm256_set1_epi32(i))));
    return _mm_popcnt_u32(listed);
}

#endif

/* Register tiles, each by two vectors: rows forward, inputs in the update of batches and of blocks. */
enum { ROW_TILE = 8, INPUT_TILE = 12, BLOCK_INPUT_TILE = 12 };

/* A loop over a tile's rows, which would keep some of its sums on the stack if it were unrolled: batches took
 * 5 to 10 % longer. */
#define UNROLL_TILE

/* Hidden units of registers.inc.h, in vectors. */
#define REGISTER_VECTORS 2

/* Units of lanes.inc.h that are done together, in vectors. */
enum { LANES_TILE = 8 };
