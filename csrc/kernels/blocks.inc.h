/* The first layer, one block of rows behind: exact, at the speed of a matrix product.
 *
 * Its inputs are known before the rows above are trained, so a block's X W is computed in one pass
 * over W, and what the rows of the block change in W meanwhile is added as a correction. A row's
 * step is linear in W, its velocity V and its gradient (fbp_step), so that t rows are, with D_s the
 * weighted delta of row s (in block->unit), G = X X' and the step of n rows in steps[n]:
 *
 *     W_t = decay_t[0][0] W + decay_t[0][1] V + sum over s < t of rate_(t-s)[0] outer(x_s, D_s)
 *     z_t = decay_t[0][0] (X W)_t + decay_t[0][1] (X V)_t + b_t
 *                                           + sum over s < t of rate_(t-s)[0] G[t][s] D_s
 *
 * and V_t like W_t with the second row of decay and rate. W and V of the next block wait for the pass
 * over them that the next block's X W needs anyway: for dense rows in blocks_dense.inc.h, for
 * rows of non-zeros, without momentum, in blocks_sparse.inc.h. b is written row by row.
 *
 * W stands in panels of some vectors of outputs, W[panel][input][panel_width]: a row-major W has
 * its rows a power of two apart and loses to cache conflicts. With momentum every vector of W is
 * followed by the same of V, and so are those of Z = [X W | X V] and D. Z and D are row-major with
 * rows block.stride apart, for the same reason a little more than there are columns. */
#ifndef FASTBP_KERNELS_BLOCKS_INC_H
#define FASTBP_KERNELS_BLOCKS_INC_H

#include "arrays.inc.h"
#include "layer.inc.h"
#include "solvers.inc.h"

enum { BLOCK = VL > 8 ? VL : 8 }; /* rows */

/* The step of n rows, n = 0 to BLOCK, from that of one, for gradients that come times `unit`. */
INLINE void steps_of_rows(fbp_step *steps, const fbp_step *one, double unit) {
    const fbp_step none = {.decay = {{1, 0}, {0, 1}}, .rule = one->rule};
    steps[0] = none;
    for (int n = 1; n <= BLOCK; n++)
        for (int i = 0; i < 2; i++) {
            const double *row = steps[n - 1].decay[i];
            for (int j = 0; j < 2; j++)
                steps[n].decay[i][j] = row[0] * one->decay[0][j] + row[1] * one->decay[1][j];
            steps[n].rate[i] = (row[0] * one->rate[0] + row[1] * one->rate[1]) / unit;
            steps[n].rule = one->rule;
        }
}

/* Vectors of W, or pairs of vectors of W and V: every how many columns of Z and D one begins. */
INLINE int64_t spacing(const fbp_block *block) { return block->momentum ? 2 * VL : VL; }

/* The first n of VL weights in a row of W into their place in a panel, which is zero behind them; or back */
INLINE void copy_vector(real *panel, real *W, int64_t n, int loading) {
    if (n >= VL) {
        if (loading) v_store(panel, v_load(W));
        else v_store(W, v_load(panel));
        return;
    }
    for (int64_t k = 0; k < VL; k++) {
        if (loading) panel[k] = k < n ? W[k] : 0;
        else if (k < n) W[k] = panel[k];
    }
}

/* VL columns of W (n_in, n_out) from column j on into every input's place in a panel, or back */
INLINE void copy_columns(real *panel, int64_t panel_width, real *W, int64_t n_in, int64_t n_out,
                         int64_t j, int loading) {
    for (int64_t i = 0; i < n_in; i++) copy_vector(panel + i * panel_width, W + i * n_out + j, n_out - j, loading);
}

/* W of the layer (and V) into panels or back */
INLINE void copy_panels(const fbp_block *block, const fbp_layer *layer, int loading) {
    const int64_t n_in = layer->n_in, n_out = layer->n_out, step = spacing(block);
    enum { INPUTS = 16 }; /* whose rows of W stay in the nearest cache from panel to panel */
    for (int64_t first = 0; first < n_in; first += INPUTS)
        for (int64_t c = 0; c < block->n_columns; c += block->panel_width) {
            real *panel = (real *)block->W + c * n_in + first * block->panel_width;
            for (int64_t i = first; i < n_in && i < first + INPUTS; i++, panel += block->panel_width)
                for (int64_t q = 0; q < block->panel_width; q += step) {
                    const int64_t j = (c + q) / step * VL, at = i * n_out + j;
                    copy_vector(panel + q, (real *)layer->W + at, n_out - j, loading);
                    if (block->momentum) copy_vector(panel + q + VL, (real *)layer->V_W + at, n_out - j, loading);
                }
        }
}

/* z_t, or max(0, z_t), of NV vectors of outputs from output j on */
INLINE void correct_outputs(real *z, const fbp_block *block, int64_t j, int t, const real *coefficients,
                            const int NV, const int MOMENTUM, const int RELU) {
    const int64_t step = MOMENTUM ? 2 * VL : VL, at = MOMENTUM ? 2 * j : j;
    const real *Z = (const real *)block->Z + t * block->stride + at;
    const real *D = (const real *)block->D + at, *b = (const real *)block->b + j;
    const vec of_W = v_set1((real)(block->scale * block->steps[t].decay[0][0]));
    const vec of_V = v_set1((real)block->steps[t].decay[0][1]);
    vec sums[8];
    UNROLL for (int q = 0; q < NV; q++) {
        sums[q] = v_fma(of_W, v_load(Z + q * step), v_load(b + q * VL));
        if (MOMENTUM) sums[q] = v_fma(of_V, v_load(Z + q * step + VL), sums[q]);
    }
    for (int s = 0; s < t; s++, D += block->stride) {
        const vec g = v_set1(coefficients[s]);
        UNROLL for (int q = 0; q < NV; q++) sums[q] = v_fma(g, v_load(D + q * step), sums[q]);
    }
    UNROLL for (int q = 0; q < NV; q++) v_store(z + j + q * VL, RELU ? v_max(v_set1(0), sums[q]) : sums[q]);
}

INLINE void correct_all(real *z, const fbp_block *block, int t, const int MOMENTUM, const int RELU) {
    const int64_t n = MOMENTUM ? block->n_columns / 2 : block->n_columns;
    const real *G = (const real *)block->G + t * BLOCK;
    real coefficients[BLOCK];
    int64_t j = 0;
    for (int s = 0; s < t; s++) coefficients[s] = (real)block->steps[t - s].rate[0] * G[s];
    for (; j + 8 * VL <= n; j += 8 * VL) correct_outputs(z, block, j, t, coefficients, 8, MOMENTUM, RELU);
    for (; j + 2 * VL <= n; j += 2 * VL) correct_outputs(z, block, j, t, coefficients, 2, MOMENTUM, RELU);
    if (j < n) correct_outputs(z, block, j, t, coefficients, 1, MOMENTUM, RELU);
}

/* z_t, as above */
static void block_correct(const fbp_block *block, void *z, int t) {
    if (block->momentum) correct_all(z, block, t, 1, 0);
    else correct_all(z, block, t, 0, 0);
}

INLINE void store_delta(fbp_block *block, const real *delta, int t, double weight, const int RULE) {
    const int64_t step = spacing(block);
    real *D = (real *)block->D + t * block->stride, *b = block->b, *v = block->V_b;
    const vec w = v_set1((real)(weight * block->unit));
    const vec_step s = step_times(&block->steps[1], 1, 1);
    for (int64_t c = 0, j = 0; c < block->n_columns; c += step, j += VL) {
        const vec d = v_mul(w, v_load(delta + j));
        v_store(D + c, d);
        step_vector(b + j, v + j, d, &s, RULE, 0);
    }
}

/* D_t = weight unit delta; and b takes its step */
static void block_store(fbp_block *block, const void *delta, int t, double weight) {
    if (block->momentum) store_delta(block, delta, t, weight, FBP_MOMENTUM);
    else store_delta(block, delta, t, weight, FBP_PLAIN);
}

/* block->scale decays as the weights of sparse rows do; what leaves its range goes into W. */
INLINE void decay_block(fbp_block *block, int64_t n_in, double decay) {
    block->scale *= decay;
    if (fabs(block->scale) > MIN_SCALE && fabs(block->scale) < 1 / MIN_SCALE) return;
    scale(block->W, block->W, block->scale, n_in * block->n_columns);
    block->scale = 1;
}

/* D ready for W and V: rate_(n-s) D_s, zero behind the last row; often it is that already */
static void block_close(fbp_block *block, const fbp_layer *layer, int n_rows) {
    const int64_t step = spacing(block);
    if (block->sparse) decay_block(block, layer->n_in, block->steps[n_rows].decay[0][0]);
    for (int s = 0; s < BLOCK; s++) {
        real *D = (real *)block->D + s * block->stride;
        const double *rate = block->steps[s < n_rows ? n_rows - s : 0].rate;
        const vec of_W = v_set1((real)(rate[0] / block->scale));
        if (s < n_rows && rate[0] == block->scale && !block->momentum) continue;
        for (int64_t c = 0; c < block->n_columns; c += step) {
            const vec d = v_load(D + c);
            v_store(D + c, s < n_rows ? v_mul(of_W, d) : v_set1(0));
            if (block->momentum)
                v_store(D + c + VL, s < n_rows ? v_mul(v_set1((real)rate[1]), d) : v_set1(0));
        }
    }
    block->n_pending = n_rows;
}

#endif
