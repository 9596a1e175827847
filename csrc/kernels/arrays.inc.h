/* What is done to whole arrays of parameters or data. */
#ifndef FASTBP_KERNELS_ARRAYS_INC_H
#define FASTBP_KERNELS_ARRAYS_INC_H

#include "layer.inc.h"
#include "solvers.inc.h"

/* W and V take the step for the gradients weight * G */
static void take_steps(void *W, void *V, const void *G, int64_t n, double weight,
                       const fbp_step *step, int biases) {
    const vec_step s = step_times(step, weight, biases);
    step_all(W, V, G, n, &s, step->rule);
}

/* the sum of x^2 over n values */
static double sum_squares(const void *values, int64_t n) {
    return dot(values, values, n);
}

/* to = factor * values */
static void scale(void *to_, const void *values_, double factor, int64_t n) {
    scale_values(to_, values_, (real)factor, n);
}

/* 0 x is 0 for every finite x, and NaN for every other. */
static int all_finite(const void *values, int64_t n) {
    const real *x = values;
    vec sum = v_set1(0), sum2 = v_set1(0);
    int64_t k = 0;
    for (; k + 2 * VL <= n; k += 2 * VL) {
        sum = v_fma(v_load(x + k), v_set1(0), sum);
        sum2 = v_fma(v_load(x + k + VL), v_set1(0), sum2);
    }
    for (; k + VL <= n; k += VL) sum = v_fma(v_load(x + k), v_set1(0), sum);
    if (k < n) sum2 = v_fma(v_load_n(x + k, (int)(n - k)), v_set1(0), sum2);
    return v_sum(v_add(sum, sum2)) == 0;
}

/* max |x| of finite values, 0 of none */
static double largest_size(const void *values, int64_t n) {
    const real *x = values;
    real lanes[VL], top = 0;
    vec tops = v_set1(0), tops2 = v_set1(0);
    int64_t k = 0;
    for (; k + 2 * VL <= n; k += 2 * VL) {
        tops = v_max(v_abs(v_load(x + k)), tops);
        tops2 = v_max(v_abs(v_load(x + k + VL)), tops2);
    }
    for (; k + VL <= n; k += VL) tops = v_max(v_abs(v_load(x + k)), tops);
    if (k < n) tops2 = v_max(v_abs(v_load_n(x + k, (int)(n - k))), tops2);
    v_store(lanes, v_max(tops, tops2));
    for (int j = 0; j < VL; j++) top = lanes[j] > top ? lanes[j] : top;
    return top;
}

#endif
