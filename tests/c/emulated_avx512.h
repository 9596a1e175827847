/* Included before everything else: AVX-512 for x86-64 machines that lack it. The kernels are the same
 * source, with vectors of the same length; SIMDe makes its intrinsics of AVX2's. What it (0.7.4) has no
 * name for follows below, as plain loops that say what Intel's reference does. */
#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx512.h>
#include <simde/x86/fma.h>
#include <string.h>

#define EMULATED static inline __attribute__((always_inline, unused))

/* For vectors of single numbers and of double ones. */
#define EMULATED_WORDS(SUFFIX, NUMBER, VECTOR, MASK, LANES, PER_128)                                       \
    typedef struct { NUMBER lane[LANES]; } lanes_##SUFFIX;                                                 \
    EMULATED lanes_##SUFFIX to_lanes_##SUFFIX(VECTOR v) {                                                  \
        lanes_##SUFFIX l;                                                                                  \
        simde_mm512_storeu_##SUFFIX(l.lane, v);                                                            \
        return l;                                                                                          \
    }                                                                                                      \
    EMULATED VECTOR emulated_maskz_loadu_##SUFFIX(MASK k, const NUMBER *p) {                               \
        lanes_##SUFFIX l;                                                                                  \
        for (int i = 0; i < LANES; i++) l.lane[i] = k >> i & 1 ? p[i] : 0;                                 \
        return simde_mm512_loadu_##SUFFIX(l.lane);                                                         \
    }                                                                                                      \
    EMULATED void emulated_mask_storeu_##SUFFIX(NUMBER *p, MASK k, VECTOR v) {                             \
        const lanes_##SUFFIX l = to_lanes_##SUFFIX(v);                                                     \
        for (int i = 0; i < LANES; i++)                                                                    \
            if (k >> i & 1) p[i] = l.lane[i];                                                              \
    }                                                                                                      \
    EMULATED NUMBER emulated_reduce_add_##SUFFIX(VECTOR v) {                                               \
        lanes_##SUFFIX l = to_lanes_##SUFFIX(v);                                                           \
        for (int half = LANES / 2; half; half /= 2)                                                        \
            for (int i = 0; i < half; i++) l.lane[i] += l.lane[i + half];                                  \
        return l.lane[0];                                                                                  \
    }                                                                                                      \
    EMULATED NUMBER emulated_first_##SUFFIX(VECTOR v) { return to_lanes_##SUFFIX(v).lane[0]; }             \
    EMULATED VECTOR emulated_shuffle_128_##SUFFIX(VECTOR a, VECTOR b, int imm) {                           \
        const lanes_##SUFFIX from_a = to_lanes_##SUFFIX(a), from_b = to_lanes_##SUFFIX(b);                 \
        lanes_##SUFFIX l;                                                                                  \
        for (int i = 0; i < LANES; i++) {                                                                  \
            const int block = i / PER_128, from = (imm >> 2 * block & 3) * PER_128 + i % PER_128;          \
            l.lane[i] = block < 2 ? from_a.lane[from] : from_b.lane[from];                                 \
        }                                                                                                  \
        return simde_mm512_loadu_##SUFFIX(l.lane);                                                         \
    }
EMULATED_WORDS(ps, float, simde__m512, simde__mmask16, 16, 4)
EMULATED_WORDS(pd, double, simde__m512d, simde__mmask8, 8, 2)

EMULATED simde__m512 emulated_permute_ps(simde__m512 v, int imm) {
    const lanes_ps from = to_lanes_ps(v);
    lanes_ps l;
    for (int i = 0; i < 16; i++) l.lane[i] = from.lane[i / 4 * 4 + (imm >> 2 * (i % 4) & 3)];
    return simde_mm512_loadu_ps(l.lane);
}

EMULATED simde__m512d emulated_permute_pd(simde__m512d v, int imm) {
    const lanes_pd from = to_lanes_pd(v);
    lanes_pd l;
    for (int i = 0; i < 8; i++) l.lane[i] = from.lane[i / 2 * 2 + (imm >> i & 1)];
    return simde_mm512_loadu_pd(l.lane);
}

EMULATED simde__m256 emulated_extractf32x8_ps(simde__m512 v, int half) {
    return simde_mm256_loadu_ps(to_lanes_ps(v).lane + 8 * half);
}

#define _mm512_maskz_loadu_ps emulated_maskz_loadu_ps
#define _mm512_maskz_loadu_pd emulated_maskz_loadu_pd
#define _mm512_mask_storeu_ps emulated_mask_storeu_ps
#define _mm512_mask_storeu_pd emulated_mask_storeu_pd
#define _mm512_reduce_add_ps emulated_reduce_add_ps
#define _mm512_reduce_add_pd emulated_reduce_add_pd
#define _mm512_cvtss_f32 emulated_first_ps
#define _mm512_cvtsd_f64 emulated_first_pd
#define _mm512_shuffle_f32x4 emulated_shuffle_128_ps
#define _mm512_shuffle_f64x2 emulated_shuffle_128_pd
#define _mm512_permute_ps emulated_permute_ps
#define _mm512_permute_pd emulated_permute_pd
#define _mm512_extractf32x8_ps emulated_extractf32x8_ps
