/* AVX-512, double. */
#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#include <math.h>
#include <string.h>
#include "../fastbp.h"

#define FBP_ISA_NAME "avx512"
#define FBP_TABLE fbp_ops_avx512_f64
#define FBP_TARGET "avx512f,avx512dq,avx512vl,avx2,fma,popcnt"

/* Batches of 32 rows take 5 % longer with -O2. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("O3")
#endif

#include "target_push.h"
#include "../kernels/real.h"
#include "../isa/avx512.h"
#include "../kernels/table.inc.h"
#include "target_pop.h"
#endif
