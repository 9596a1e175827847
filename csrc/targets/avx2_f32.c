/* AVX2 and FMA, float. */
#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#include <math.h>
#include <string.h>
#include "../fastbp.h"

#define FBP_F32
#define FBP_ISA_NAME "avx2"
#define FBP_TABLE fbp_ops_avx2_f32
#define FBP_TARGET "avx2,fma,popcnt"

#include "target_push.h"
#include "../kernels/real.h"
#include "../isa/avx2.h"
#include "../kernels/table.inc.h"
#include "target_pop.h"
#endif
