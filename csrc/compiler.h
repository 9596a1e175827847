/* Compiler-specific annotations: inlining, unrolling, prefetching. */
#ifndef FASTBP_COMPILER_H
#define FASTBP_COMPILER_H

/* Whether GNU extensions are available: clang-cl has them without defining __GNUC__. */
#if defined(__GNUC__) || defined(__clang__)
#define GNU_C 1
#else
#define GNU_C 0
#endif

#if defined(_MSC_VER) && !defined(__clang__)
#define INLINE static __forceinline
#define RESTRICT __restrict
#else
#define INLINE static inline __attribute__((always_inline, unused))
#define RESTRICT restrict
#endif

/* A function that stays a call, one for all its callers: what is large and seldom done. */
#if defined(_MSC_VER) && !defined(__clang__)
#define CALLED static __declspec(noinline)
#elif defined(__clang__)
#define CALLED static __attribute__((noinline))
#else
#define CALLED static __attribute__((noinline, noclone))
#endif

/* A condition that nearly always holds: calls made where it does not are to cost the others no registers. */
#if defined(__has_builtin)
#if __has_builtin(__builtin_expect_with_probability)
#define USUALLY(condition) __builtin_expect_with_probability(!!(condition), 1, 0.999)
#endif
#endif
#ifndef USUALLY
#define USUALLY(condition) (condition)
#endif

/* Before a loop over a count known when compiled: accumulators then stay in registers. Before another,
 * whose counting costs as much as its work. */
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#define UNROLL_TWICE _Pragma("clang loop unroll_count(2)")
#elif defined(__GNUC__)
#define UNROLL _Pragma("GCC unroll 16")
#define UNROLL_TWICE _Pragma("GCC unroll 2")
#else
#define UNROLL
#define UNROLL_TWICE
#endif

/* Behind a loop, on a vector that it has added up: the same number, but another one to compilers. Else
 * they may keep it on the stack, in the loop as well, because they want the register behind it. Emulated
 * vectors have no register. */
#if defined(FBP_EMULATED)
#define KEEP_IN_REGISTER(v) ((void)(v))
#elif GNU_C && (defined(__x86_64__) || defined(__i386__))
#define KEEP_IN_REGISTER(v) __asm__("" : "+v"(v))
#elif GNU_C && defined(__aarch64__)
#define KEEP_IN_REGISTER(v) __asm__("" : "+w"(v))
#else
#define KEEP_IN_REGISTER(v) ((void)(v))
#endif

/* What will soon be read at p may be fetched now. */
#if GNU_C
#define PREFETCH(p) __builtin_prefetch(p)
#else
#define PREFETCH(p) ((void)(p))
#endif

#endif
