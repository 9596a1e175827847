/* Plain C, float. */
#include <math.h>
#include <string.h>
#include "../fastbp.h"

#define FBP_F32
#define FBP_ISA_NAME "scalar"
#define FBP_TABLE fbp_ops_scalar_f32

#include "target_push.h"
#include "../kernels/real.h"
#include "../isa/scalar.h"
#include "../kernels/table.inc.h"
#include "target_pop.h"
