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

/* What will soon be read at p may be fetched now. */
#if defined(__GNUC__)
#define PREFETCH(p) __builtin_prefetch(p)
#else
#define PREFETCH(p) ((void)(p))
#endif
