/* NEON, float. */
#if defined(__aarch64__) || defined(_M_ARM64)
#include <arm_neon.h>
#include <math.h>
#include <string.h>
#include "../fastbp.h"

#define FBP_F32
#define FBP_ISA_NAME "neon"
#define FBP_TABLE fbp_ops_neon_f32

#include "target_push.h"
#include "../kernels/real.h"
#include "../isa/neon.h"
#include "../kernels/table.inc.h"
#include "target_pop.h"
#endif
