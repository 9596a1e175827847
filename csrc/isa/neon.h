/* The vector words on NEON (64-bit Arm). isa/scalar.h says what each word means. */
#ifdef FBP_F32

#define VL 4
typedef float32x4_t vec;

INLINE vec v_load(const real *p) { return vld1q_f32(p); }
INLINE void v_store(real *p, vec v) { vst1q_f32(p, v); }
INLINE vec v_load_n(const real *p, int n) {
    vec v = vdupq_n_f32(0);
    if (n > 0) v = vld1q_lane_f32(p, v, 0);
    if (n > 1) v = vld1q_lane_f32(p + 1, v, 1);
    if (n > 2) v = vld1q_lane_f32(p + 2, v, 2);
    return v;
}
INLINE void v_store_n(real *p, vec v, int n) {
    if (n > 0) vst1q_lane_f32(p, v, 0);
    if (n > 1) vst1q_lane_f32(p + 1, v, 1);
    if (n > 2) vst1q_lane_f32(p + 2, v, 2);
}
INLINE vec v_set1(real s) { return vdupq_n_f32(s); }
INLINE vec v_add(vec a, vec b) { return vaddq_f32(a, b); }
INLINE vec v_sub(vec a, vec b) { return vsubq_f32(a, b); }
INLINE vec v_mul(vec a, vec b) { return vmulq_f32(a, b); }
INLINE vec v_div(vec a, vec b) { return vdivq_f32(a, b); }
INLINE vec v_fma(vec a, vec b, vec c) { return vfmaq_f32(c, a, b); }
INLINE vec v_fnma(vec a, vec b, vec c) { return vfmsq_f32(c, a, b); }
INLINE vec v_max(vec a, vec b) { return vbslq_f32(vcgtq_f32(a, b), a, b); }
INLINE vec v_min(vec a, vec b) { return vbslq_f32(vcltq_f32(a, b), a, b); }
INLINE vec v_sqrt(vec a) { return vsqrtq_f32(a); }
INLINE vec v_abs(vec a) { return vabsq_f32(a); }
INLINE vec v_copysign(vec size, vec sign) {
    return vbslq_f32(vdupq_n_u32(0x80000000u), sign, size);
}
INLINE vec v_where_positive(vec condition, vec x, vec otherwise) {
    return vbslq_f32(vcgtzq_f32(condition), x, otherwise);
}
INLINE vec v_round(vec a) { return vrndnq_f32(a); }
INLINE vec v_pow2(vec n) {
    return vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(vcvtq_s32_f32(n), vdupq_n_s32(127)), 23));
}
INLINE real v_sum(vec a) { return vaddvq_f32(a); }
INLINE vec v_total(vec a) { return vdupq_n_f32(vaddvq_f32(a)); }
INLINE vec v_pair_total(vec a) { return vaddq_f32(a, vrev64q_f32(a)); }
INLINE real v_first(vec a) { return vgetq_lane_f32(a, 0); }
INLINE void v_sums(real *to, vec a, vec b, vec c, vec d) {
    v_store(to, vpaddq_f32(vpaddq_f32(a, b), vpaddq_f32(c, d)));
}

#else /* double */

#define VL 2
typedef float64x2_t vec;

INLINE vec v_load(const real *p) { return vld1q_f64(p); }
INLINE void v_store(real *p, vec v) { vst1q_f64(p, v); }
INLINE vec v_load_n(const real *p, int n) {
    const vec zero = vdupq_n_f64(0);
    return n ? vld1q_lane_f64(p, zero, 0) : zero;
}
INLINE void v_store_n(real *p, vec v, int n) {
    if (n) vst1q_lane_f64(p, v, 0);
}
INLINE vec v_set1(real s) { return vdupq_n_f64(s); }
INLINE vec v_add(vec a, vec b) { return vaddq_f64(a, b); }
INLINE vec v_sub(vec a, vec b) { return vsubq_f64(a, b); }
INLINE vec v_mul(vec a, vec b) { return vmulq_f64(a, b); }
INLINE vec v_div(vec a, vec b) { return vdivq_f64(a, b); }
INLINE vec v_fma(vec a, vec b, vec c) { return vfmaq_f64(c, a, b); }
INLINE vec v_fnma(vec a, vec b, vec c) { return vfmsq_f64(c, a, b); }
INLINE vec v_max(vec a, vec b) { return vbslq_f64(vcgtq_f64(a, b), a, b); }
INLINE vec v_min(vec a, vec b) { return vbslq_f64(vcltq_f64(a, b), a, b); }
INLINE vec v_sqrt(vec a) { return vsqrtq_f64(a); }
INLINE vec v_abs(vec a) { return vabsq_f64(a); }
INLINE vec v_copysign(vec size, vec sign) {
    return vbslq_f64(vdupq_n_u64(0x8000000000000000u), sign, size);
}
INLINE vec v_where_positive(vec condition, vec x, vec otherwise) {
    return vbslq_f64(vcgtzq_f64(condition), x, otherwise);
}
INLINE vec v_round(vec a) { return vrndnq_f64(a); }
INLINE vec v_pow2(vec n) {
    return vreinterpretq_f64_s64(vshlq_n_s64(vaddq_s64(vcvtq_s64_f64(n), vdupq_n_s64(1023)), 52));
}
INLINE real v_sum(vec a) { return vaddvq_f64(a); }
INLINE vec v_total(vec a) { return vdupq_n_f64(vaddvq_f64(a)); }
INLINE vec v_pair_total(vec a) { return v_total(a); }
INLINE real v_first(vec a) { return vgetq_lane_f64(a, 0); }
INLINE void v_sums(real *to, vec a, vec b, vec c, vec d) {
    v_store(to, vpaddq_f64(a, b));
    v_store(to + 2, vpaddq_f64(c, d));
}

#endif

INLINE vec v_if_positive(vec condition, vec x) {
    return v_where_positive(condition, x, v_set1(0));
}

INLINE int v_list_positive(real *values, int32_t *numbers, vec a, int32_t i) {
    int n = 0;
    real lanes[VL];
    v_store(lanes, a);
    for (int k = 0; k < VL; k++) {
        values[n] = lanes[k];
        numbers[n] = i + k;
        n += !(lanes[k] <= 0);
    }
    return n;
}

/* Register tiles, each by two vectors: rows forward, inputs in the update of batches and of blocks. */
enum { ROW_TILE = 8, INPUT_TILE = 12, BLOCK_INPUT_TILE = 12 };

/* A loop over a tile's rows. */
#define UNROLL_TILE UNROLL

/* Hidden units of registers.inc.h, in vectors. */
#define REGISTER_VECTORS 4

/* Units of lanes.inc.h that are done together, in vectors. */
enum { LANES_TILE = 8 };
