/* Plain C, double. */
#include <math.h>
#include <string.h>
#include "../fastbp.h"

#define FBP_ISA_NAME "scalar"
#define FBP_TABLE fbp_ops_scalar_f64

/* Loops over plain numbers become vectors of the baseline wherever that pays, at -O2 as well. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("tree-vectorize", "vect-cost-model=dynamic")
#endif

#include "target_push.h"
#include "../kernels/real.h"
#include "../isa/scalar.h"
#include "../kernels/table.inc.h"
#include "target_pop.h"
