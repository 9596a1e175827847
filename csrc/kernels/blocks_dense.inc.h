/* blocks.inc.h for dense rows: the pass over W is two matrix products on register tiles.
 *
 * Panels are two vectors wide: of W, or with momentum one of W and one of V. The block's rows stand side by
 * side, X[input][row], and inputs are taken a chunk at a time, which both products pass over while it is in
 * the nearest cache. */
#ifndef FASTBP_KERNELS_BLOCKS_DENSE_INC_H
#define FASTBP_KERNELS_BLOCKS_DENSE_INC_H

#include "blocks.inc.h"
#include "solvers.inc.h"

enum { DENSE_PANEL = 2 * VL, CHUNK = 96 /* inputs */ };

/* W[0..INPUTS) = decay W + X D: two vectors of W, or with momentum one of W and one of V */
INLINE void update_tile(real *W, const real *X, const real *D, int64_t stride, const vec_step *s,
                        const int INPUTS, const int MOMENTUM) {
    vec sums[BLOCK_INPUT_TILE][2];
    UNROLL for (int i = 0; i < INPUTS; i++) {
        const vec w0 = v_load(W + i * DENSE_PANEL), w1 = v_load(W + i * DENSE_PANEL + VL);
        sums[i][0] = v_mul(s->decay[0][0], w0);
        sums[i][1] = v_mul(MOMENTUM ? s->decay[1][1] : s->decay[0][0], w1);
        if (MOMENTUM) {
            sums[i][0] = v_fma(s->decay[0][1], w1, sums[i][0]);
            sums[i][1] = v_fma(s->decay[1][0], w0, sums[i][1]);
        }
    }
    UNROLL for (int t = 0; t < BLOCK; t++, D += stride) { /* -O2 would keep the loop: 5 to 8 % more instructions */
        const vec d0 = v_load(D), d1 = v_load(D + VL);
        UNROLL for (int i = 0; i < INPUTS; i++) {
            const vec x = v_set1(X[i * BLOCK + t]);
            sums[i][0] = v_fma(x, d0, sums[i][0]);
            sums[i][1] = v_fma(x, d1, sums[i][1]);
        }
    }
    UNROLL for (int i = 0; i < INPUTS; i++) {
        v_store(W + i * DENSE_PANEL, sums[i][0]);
        v_store(W + i * DENSE_PANEL + VL, sums[i][1]);
    }
}

/* update_tile for n inputs of one panel. */
INLINE void update_inputs(real *W, const real *X, const real *D, int64_t stride, const vec_step *s,
                          int64_t n, const int MOMENTUM) {
    int64_t i = 0;
#define TILES(INPUTS)                    \
    for (; i + INPUTS <= n; i += INPUTS) \
        update_tile(W + i * DENSE_PANEL, X + i * BLOCK, D, stride, s, INPUTS, MOMENTUM);
    TILES(BLOCK_INPUT_TILE)
    TILES(2)
    TILES(1)
#undef TILES
}

/* The last block's pending update of n inputs from input i on, in the panel that begins at column j. */
static void update_panel(const fbp_block *block, real *W, const real *X, int64_t j, int64_t n) {
    const vec_step step = step_times(&block->steps[block->n_pending], 1, 0);
    const real *D = (const real *)block->D + j;
    if (block->momentum) update_inputs(W, X, D, block->stride, &step, n, 1);
    else update_inputs(W, X, D, block->stride, &step, n, 0);
}

/* Z[0..ROWS) += X W over n inputs of one panel, NV vectors wide; the first of them begin from b, or from
 * zero if it is NULL */
INLINE void forward_tile(real *Z, const real *X, const real *W, int64_t stride, int64_t n, int first,
                         const real *b, const int ROWS, const int NV) {
    vec sums[BLOCK][2];
    UNROLL for (int t = 0; t < ROWS; t++)
        UNROLL for (int q = 0; q < NV; q++)
            sums[t][q] = !first ? v_load(Z + t * stride + q * VL) : b ? v_load(b + q * VL) : v_set1(0);
    UNROLL_TWICE for (int64_t i = 0; i < n; i++) {
        vec w[2];
        UNROLL for (int q = 0; q < NV; q++) w[q] = v_load(W + (i * NV + q) * VL);
        UNROLL for (int t = 0; t < ROWS; t++) {
            const vec x = v_set1(X[i * BLOCK + t]);
            UNROLL for (int q = 0; q < NV; q++) sums[t][q] = v_fma(x, w[q], sums[t][q]);
        }
    }
    UNROLL for (int t = 0; t < ROWS; t++)
        UNROLL for (int q = 0; q < NV; q++) v_store(Z + t * stride + q * VL, sums[t][q]);
}

/* G[t][s] = x_t . x_s for four rows from t on, and s in the first NV vectors */
INLINE void gram_tile(real *G, const real *X, int64_t n_in, int t, const int NV) {
    vec sums[4][BLOCK / VL];
    UNROLL for (int r = 0; r < 4; r++)
        UNROLL for (int q = 0; q < NV; q++) sums[r][q] = v_set1(0);
    for (int64_t i = 0; i < n_in; i++) {
        UNROLL for (int r = 0; r < 4; r++) {
            const vec x = v_set1(X[i * BLOCK + t + r]);
            UNROLL for (int q = 0; q < NV; q++)
                sums[r][q] = v_fma(x, v_load(X + i * BLOCK + q * VL), sums[r][q]);
        }
    }
    UNROLL for (int r = 0; r < 4; r++)
        UNROLL for (int q = 0; q < NV; q++) v_store(G + (t + r) * BLOCK + q * VL, sums[r][q]);
}

/* G[t][s] for all s < t: one vector of s where that reaches far enough, else all */
static void dense_gram(real *G, const real *X, int64_t n_in) {
    for (int t = 0; t < BLOCK; t += 4) {
        if (t + 4 <= VL) gram_tile(G, X, n_in, t, 1);
        else gram_tile(G, X, n_in, t, BLOCK / VL);
    }
}

/* VL inputs of VL rows, which begin at x, side by side. */
#ifdef HAS_TRANSPOSE
INLINE void pack_square(real *X, const real *const *x, int64_t i) {
    vec square[VL];
    UNROLL for (int t = 0; t < VL; t++) square[t] = v_load(x[t] + i);
    v_transpose(square);
    UNROLL for (int k = 0; k < VL; k++) v_store(X + (i + k) * BLOCK, square[k]);
}
#endif

/* The rows side by side, X[i][t]; rows behind the last are zero. */
static void pack_rows(real *X, const fbp_row *rows, int64_t n_in, int n_rows) {
    const real *x[BLOCK];
    int64_t i = 0;
    for (int t = 0; t < BLOCK; t++) x[t] = t < n_rows ? rows[t].values : NULL;
    if (n_rows == BLOCK) {
#ifdef HAS_TRANSPOSE
        for (; i + VL <= n_in; i += VL)
            UNROLL for (int t = 0; t < BLOCK; t += VL) pack_square(X + t, x + t, i);
#endif
        for (; i < n_in; i++)
            UNROLL for (int t = 0; t < BLOCK; t++) X[i * BLOCK + t] = x[t][i];
    } else {
        for (; i < n_in; i++)
            for (int t = 0; t < BLOCK; t++) X[i * BLOCK + t] = x[t] ? x[t][i] : 0;
    }
}

/* Applies the last block's pending update to W, then computes Z = X W and G of these rows. */
static void dense_forward(fbp_block *block, const fbp_layer *layer, const fbp_row *rows, int n_rows) {
    const int64_t n_in = layer->n_in, stride = block->stride;
    const real *X_last = block->X[block->current];
    real *X = block->X[block->current ^= 1], *Z = block->Z;

    pack_rows(X, rows, n_in, n_rows);
    for (int64_t i = 0; i < n_in; i += CHUNK) {
        const int64_t n = n_in - i < CHUNK ? n_in - i : CHUNK;
        for (int64_t j = 0; j < block->n_columns; j += DENSE_PANEL) {
            real *W = (real *)block->W + j * n_in + i * DENSE_PANEL;
            if (block->n_pending) update_panel(block, W, X_last + i * BLOCK, j, n);
            for (int t = 0; t < BLOCK; t += ROW_TILE)
                forward_tile(Z + t * stride + j, X + i * BLOCK + t, W, stride, n, i == 0, NULL,
                             ROW_TILE, 2);
        }
    }
    dense_gram(block->G, X, n_in);
    block->n_pending = 0;
}

/* Applies the last block's pending update to W. */
static void dense_finish(fbp_block *block, const fbp_layer *layer) {
    if (!block->n_pending) return;
    for (int64_t j = 0; j < block->n_columns; j += DENSE_PANEL)
        update_panel(block, (real *)block->W + j * layer->n_in, block->X[block->current], j, layer->n_in);
    block->n_pending = 0;
}

#endif
