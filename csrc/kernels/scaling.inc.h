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

/* Whole multiples of 2^-6, as numbers of them: far coarser than what rounding adds to scaled values. */
static void count_steps(void *values_, int64_t n) {
    const vec steps = v_set1(64);
    real *values = values_;
    int64_t i = 0;
    for (; i + VL <= n; i += VL) v_store(values + i, v_round(v_mul(v_load(values + i), steps)));
    if (i < n) {
        const int rest = (int)(n - i);
        v_store_n(values + i, v_round(v_mul(v_load_n(values + i, rest), steps)), rest);
    }
}

enum { MOMENT_TILE = 4 };   /* vectors of columns, whose sums do not wait for each other */

/* column_moments of the columns from i on: of `tile` vectors, or of n < VL columns. The differences from the first
 * row are what is added up, and those from the mean are squared: neither loses the digits of columns far from 0. */
INLINE void moments_of_tile(double *out, const fbp_columns *columns, int64_t i, const int tile, int n) {
    const char *X = (const char *)columns->X + i * (int64_t)sizeof(real);
    const double *weights = columns->weights;
    const int64_t row_bytes = columns->row_bytes, n_rows = columns->n_rows;
    const vec each = v_set1((real)(1 / columns->weight));
    vec first[MOMENT_TILE], sum[MOMENT_TILE], squares[MOMENT_TILE], low[MOMENT_TILE], high[MOMENT_TILE];
#define LOAD(r, v) (n < VL ? v_load_n((const real *)(X + (r) * row_bytes), n) \
                           : v_load((const real *)(X + (r) * row_bytes) + (v) * VL))
    for (int v = 0; v < tile; v++) {
        first[v] = low[v] = high[v] = LOAD(columns->first_row, v);
        sum[v] = squares[v] = v_set1(0);
    }
    for (int64_t r = columns->first_row; r < n_rows; r++) {
        if (weights && weights[r] == 0) continue;
        const vec weight = v_set1(weights ? (real)weights[r] : 1);
        for (int v = 0; v < tile; v++) {
            const vec x = LOAD(r, v);
            low[v] = v_min(low[v], x);
            high[v] = v_max(high[v], x);
            sum[v] = v_add(sum[v], v_mul(weight, v_sub(x, first[v])));
        }
    }
    for (int v = 0; v < tile; v++) sum[v] = v_mul(sum[v], each);
    for (int64_t r = columns->first_row; r < n_rows; r++) {
        if (weights && weights[r] == 0) continue;
        const vec weight = v_set1(weights ? (real)weights[r] : 1);
        for (int v = 0; v < tile; v++) {
            const vec difference = v_sub(v_sub(LOAD(r, v), first[v]), sum[v]);
            squares[v] = v_add(squares[v], v_mul(weight, v_mul(difference, difference)));
        }
    }
#undef LOAD
    const int64_t n_columns = columns->n_columns;
    for (int v = 0; v < tile; v++) {
        real lanes[5][VL];
        v_store(lanes[0], first[v]);
        v_store(lanes[1], sum[v]);
        v_store(lanes[2], squares[v]);
        v_store(lanes[3], low[v]);
        v_store(lanes[4], high[v]);
        for (int lane = 0; lane < n && lane < VL; lane++) {
            double *to = out + i + v * VL + lane;
            to[0] = (double)lanes[0][lane] + (double)lanes[1][lane];
            for (int k = 1; k < 4; k++) to[k * n_columns] = lanes[k + 1][lane];
        }
    }
}

/* Of each column of some rows: the weighted mean, the sum of the weighted squares of the differences from it, the
 * least and the largest value, into out (4, n_columns). Every instruction set adds up in the same order. */
static void column_moments(double *out, const fbp_columns *columns) {
    const int64_t n = columns->n_columns;
    int64_t i = 0;
    for (; i + MOMENT_TILE * VL <= n; i += MOMENT_TILE * VL)
        moments_of_tile(out, columns, i, MOMENT_TILE, MOMENT_TILE * VL);
    for (; i + VL <= n; i += VL) moments_of_tile(out, columns, i, 1, VL);
    if (i < n) moments_of_tile(out, columns, i, 1, (int)(n - i));
}

#endif
