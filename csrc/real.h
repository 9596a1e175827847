/* The number type of this compilation, and how its templates are written. */
#ifdef FBP_F32
typedef float real;
#else
typedef double real;
#endif

#if defined(_MSC_VER) && !defined(__clang__)
#define INLINE static __forceinline
#define RESTRICT __restrict
#else
#define INLINE static inline __attribute__((always_inline, unused))
#define RESTRICT restrict
#endif

/* Before a loop over a count known when compiled: accumulators then stay in registers. */
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#elif defined(__GNUC__)
#define UNROLL _Pragma("GCC unroll 16")
#else
#define UNROLL
#endif

/* Behind a loop, on a vector that it has added up: the same number, but another one to compilers. Else
 * they may keep it on the stack, in the loop as well, because they want the register behind it. */
#if defined(__GNUC__) && (defined(__x86_64__) || defined(__i386__))
#define SETTLE(v) __asm__("" : "+v"(v))
#elif defined(__GNUC__) && defined(__aarch64__)
#define SETTLE(v) __asm__("" : "+w"(v))
#else
#define SETTLE(v) ((void)(v))
#endif

/* What will soon be read at p may be fetched now. */
#if defined(__GNUC__)
#define PREFETCH(p) __builtin_prefetch(p)
#else
#define PREFETCH(p) ((void)(p))
#endif
