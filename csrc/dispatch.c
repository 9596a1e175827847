/* Which instruction sets were built and which of them this machine can run. */
#include "fastbp.h"

#if defined(__x86_64__) || defined(_M_X64)
#define X86 1
#else
#define X86 0
#endif
#if defined(__aarch64__) || defined(_M_ARM64)
#define ARM64 1
#else
#define ARM64 0
#endif

extern const fbp_ops fbp_ops_scalar_f64, fbp_ops_scalar_f32;
extern const fbp_ops fbp_ops_avx2_f64, fbp_ops_avx2_f32, fbp_ops_avx512_f64, fbp_ops_avx512_f32;
extern const fbp_ops fbp_ops_neon_f64, fbp_ops_neon_f32;

/* Tables that this build has: setup.py may leave some out. */
#define TABLES(ISA) {&fbp_ops_##ISA##_f64, &fbp_ops_##ISA##_f32}
#define NO_TABLES {NULL, NULL}
#ifndef FBP_WITHOUT_SCALAR
#define SCALAR_TABLES TABLES(scalar)
#else
#define SCALAR_TABLES NO_TABLES
#endif
#if X86 && !defined(FBP_WITHOUT_AVX2)
#define AVX2_TABLES TABLES(avx2)
#else
#define AVX2_TABLES NO_TABLES
#endif
#if X86 && !defined(FBP_WITHOUT_AVX512)
#define AVX512_TABLES TABLES(avx512)
#else
#define AVX512_TABLES NO_TABLES
#endif
#if ARM64 && !defined(FBP_WITHOUT_NEON)
#define NEON_TABLES TABLES(neon)
#else
#define NEON_TABLES NO_TABLES
#endif

static const struct {
    const char *name;
    const fbp_ops *tables[FBP_N_DTYPE];
} ISAS[FBP_N_ISA] = {
    [FBP_SCALAR] = {"scalar", SCALAR_TABLES},
    [FBP_AVX2] = {"avx2", AVX2_TABLES},
    [FBP_AVX512] = {"avx512", AVX512_TABLES},
    [FBP_NEON] = {"neon", NEON_TABLES},
};

/* CPUs are asked here, not through compilers' own __builtin_cpu_supports: zig's (0.17) says no to all. */
#if X86
#ifdef _MSC_VER
#include <immintrin.h>
#include <intrin.h>
static void ask_cpu(int words[4], int leaf) { __cpuidex(words, leaf, 0); }
static uint64_t saved_registers(void) { return _xgetbv(0); }
#else
#include <cpuid.h>
static void ask_cpu(int words[4], int leaf) { __cpuid_count(leaf, 0, words[0], words[1], words[2], words[3]); }
static uint64_t saved_registers(void) {
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}
#endif
#ifdef __APPLE__
enum { AVX2_SAVED = 0x6, AVX512_SAVED = 0x6 }; /* from the first use on, the rest is too */
#else
enum { AVX2_SAVED = 0x6, AVX512_SAVED = 0xe6 };
#endif
/* The CPU has the instructions, and the system saves the wide registers (XCR0). */
static int cpu_has(fbp_isa isa) {
    int leaf0[4], leaf1[4], leaf7[4];
    ask_cpu(leaf0, 0);
    if (leaf0[0] < 7) return 0;
    ask_cpu(leaf1, 1);
    ask_cpu(leaf7, 7);
    if (!(leaf1[2] >> 27 & 1)) return 0; /* OSXSAVE */
    const uint64_t saved = saved_registers();
    const int avx2 = (leaf1[2] >> 12 & 1) && (leaf7[1] >> 5 & 1) && (saved & AVX2_SAVED) == AVX2_SAVED;
    if (isa == FBP_AVX2) return avx2;
    return avx2 && (leaf7[1] >> 16 & 1) && (leaf7[1] >> 17 & 1) && (leaf7[1] >> 31 & 1) &&
           (saved & AVX512_SAVED) == AVX512_SAVED;
}
#else
static int cpu_has(fbp_isa isa) { return isa == FBP_NEON; } /* every 64-bit Arm has it */
#endif

const char *fbp_isa_name(fbp_isa isa) { return ISAS[isa].name; }

int fbp_isa_built(fbp_isa isa) { return ISAS[isa].tables[FBP_FLOAT64] != NULL; }

int fbp_isa_usable(fbp_isa isa) { return fbp_isa_built(isa) && (isa == FBP_SCALAR || cpu_has(isa)); }

const fbp_ops *fbp_table(fbp_isa isa, fbp_dtype dtype) { return ISAS[isa].tables[dtype]; }

#define WORDS_OF(x) #x
#define WORDS(x) WORDS_OF(x)

const char *fbp_compiler(void) {
#if defined(__clang__)
    return "clang " __clang_version__;
#elif defined(__GNUC__)
    return "gcc " __VERSION__;
#elif defined(_MSC_VER)
    return "MSVC " WORDS(_MSC_FULL_VER);
#else
    return "unknown";
#endif
}
