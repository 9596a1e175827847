/* Inputs in units of their own, before they meet a weight. */
#ifndef FASTBP_KERNELS_SCALING_INC_H
#define FASTBP_KERNELS_SCALING_INC_H

#include "layer.inc.h"

/* t / sqrt(1 + (t / limit)^2): about t where it is small, and never beyond the limit. What is so large that
 * its square might not be a number is as good as the limit. */
INLINE vec bounded(vec t, vec inverse_limit) {
    const vec most = v_set1((real)1e9);
    const vec share = v_max(v_min(v_mul(t, inverse_limit), most), v_sub(v_set1(0), most));
    return v_div(share, v_mul(inverse_limit, v_sqrt(v_fma(share, share, v_set1(1)))));
}

/* out = (x - center) factor, bounded where there is a limit. Of a row that lists its inputs only the factors
 * are taken: a zero stays one. */
static void scale_row(void *out_, const fbp_row *x, const fbp_scaling *scaling) {
    const real *values = x->values, *center = scaling->center, *factor = scaling->factor;
    const vec inverse_limit = v_set1((real)scaling->inverse_limit);
    const int is_bounded = scaling->inverse_limit != 0;
    real *out = out_;
    if (x->columns) {
        for (int64_t p = 0; p < x->n; p++) {
            const vec t = v_set1(values[p] * factor[x->columns[p]]);
            out[p] = v_first(is_bounded ? bounded(t, inverse_limit) : t);
        }
        return;
    }
#define SCALED(LOAD) v_mul(v_sub(LOAD(values), LOAD(center)), LOAD(factor))
    int64_t i = 0;
    for (; i + VL <= x->n; i += VL) {
#define LOAD(p) v_load(p + i)
        const vec t = SCALED(LOAD);
#undef LOAD
        v_store(out + i, is_bounded ? bounded(t, inverse_limit) : t);
    }
    if (i < x->n) {
        const int n = (int)(x->n - i);
#define LOAD(p) v_load_n(p + i, n)
        const vec t = SCALED(LOAD);
#undef LOAD
        v_store_n(out + i, is_bounded ? bounded(t, inverse_limit) : t, n);
    }
#undef SCALED
}

#endif
