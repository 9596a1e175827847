/* blocks.inc.h for rows of non-zeros: the same pass over W, only where there is something.
 *
 * For rows of which several meet the same weights in most blocks; sparse.inc.h takes emptier ones,
 * and those with momentum. L2 moves the weights that have no gradient as well, but all by a factor, which
 * block->scale collects.
 *
 * Panels are wider, so that finding an input's weights is paid for by several vectors. X[input][row]
 * is kept all zero, and holds one block's non-zeros for a moment: so each row meets those before it. */
#ifndef FASTBP_KERNELS_BLOCKS_SPARSE_INC_H
#define FASTBP_KERNELS_BLOCKS_SPARSE_INC_H

#include "arrays.inc.h"
#include "blocks.inc.h"
#include "blocks_dense.inc.h"
#include "sparse.inc.h"

/* The next parts of n rows, each behind its last one: what comes before column `end`. */
INLINE void next_parts(fbp_row *parts, const fbp_row *rows, int64_t n, int64_t end) {
    for (int64_t t = 0; t < n; t++) {
        fbp_row *part = &parts[t];
        part->values = (const real *)part->values + part->n;
        part->columns += part->n;
        const int64_t left = rows[t].columns + rows[t].n - part->columns;
        int64_t n_here = 0;
        while (n_here < left && part->columns[n_here] < end) n_here++;
        part->n = n_here;
    }
}

/* Parts without anything in them, before the rows' first columns. */
INLINE void start_parts(fbp_row *parts, const fbp_row *rows, int64_t n) {
    for (int64_t t = 0; t < n; t++) parts[t] = (fbp_row){rows[t].values, rows[t].columns, 0};
}

/* Rows, cut to the chunk of inputs in hand. */
typedef struct {
    fbp_row parts[BLOCK];
    int n;
} block_parts;

/* The pass over one panel: the pending update of the last rows, then Z of these. */
INLINE void sparse_panel(fbp_block *block, real *W, int64_t j, const block_parts *last,
                         const block_parts *now, int first, const int NV) {
    for (int s = 0; s < last->n; s++)
        strip_update(W, NV * VL, 0, &last->parts[s], (const real *)block->D + s * block->stride + j, 1, NV);
    for (int t = 0; t < now->n; t++)
        strip_product((real *)block->Z + t * block->stride + j, W, NV * VL, &now->parts[t], first, NV);
}

/* G[t][s] = x_t . x_s for s < t */
static void sparse_gram(real *G, real *X, const fbp_row *rows, int n_rows) {
    for (int t = 0; t < n_rows; t++) {
        const real *values = rows[t].values;
        vec sums[BLOCK / VL];
        UNROLL for (int q = 0; q < BLOCK / VL; q++) sums[q] = v_set1(0);
        for (int64_t p = 0; p < rows[t].n; p++) {
            const vec value = v_set1(values[p]);
            const real *met = X + (int64_t)rows[t].columns[p] * BLOCK;
            UNROLL for (int q = 0; q < BLOCK / VL; q++)
                sums[q] = v_fma(value, v_load(met + q * VL), sums[q]);
        }
        UNROLL for (int q = 0; q < BLOCK / VL; q++) v_store(G + t * BLOCK + q * VL, sums[q]);
        for (int64_t p = 0; p < rows[t].n; p++) /* a column may stand in a row twice */
            X[(int64_t)rows[t].columns[p] * BLOCK + t] += values[p];
    }
    for (int t = 0; t < n_rows; t++)
        for (int64_t p = 0; p < rows[t].n; p++) X[(int64_t)rows[t].columns[p] * BLOCK + t] = 0;
}

/* How many inputs to take at a time: so many that the part of W in a panel of this width stays in the
 * nearest cache, unless rows have too few non-zeros in so many. */
INLINE int64_t sparse_chunk(int64_t panel, int64_t n_in, const fbp_row *rows, int64_t n_rows) {
    enum { CACHE = 40 * 1024, MIN_ITEMS = 16 };
    int64_t non_zeros = 1, chunk = CACHE / (panel * (int64_t)sizeof(real));
    for (int64_t t = 0; t < n_rows; t++) non_zeros += rows[t].n;
    const int64_t lower = MIN_ITEMS * n_in * (n_rows ? n_rows : 1) / non_zeros;
    return chunk > lower ? chunk : lower + 1;
}

static void sparse_pass(fbp_block *block, const fbp_layer *layer, const fbp_row *rows, int n_rows) {
    const int64_t n_in = layer->n_in, panel = block->panel_width;
    const int64_t chunk = sparse_chunk(panel, n_in, rows, n_rows);
    block_parts last = {.n = block->n_pending}, now = {.n = n_rows};
    start_parts(last.parts, block->last_rows, last.n);
    start_parts(now.parts, rows, now.n);
    for (int64_t i = 0; i < n_in; i += chunk) {
        const int64_t end = i + chunk < n_in ? i + chunk : INT64_MAX;
        next_parts(last.parts, block->last_rows, last.n, end);
        next_parts(now.parts, rows, now.n, end);
        for (int64_t j = 0; j < block->n_columns; j += panel) {
            real *W = (real *)block->W + j * n_in;
            switch (panel / VL) {
            case 2: sparse_panel(block, W, j, &last, &now, i == 0, 2); break;
            case 4: sparse_panel(block, W, j, &last, &now, i == 0, 4); break;
            default: sparse_panel(block, W, j, &last, &now, i == 0, 8);
            }
        }
    }
    block->n_pending = 0;
}

/* Applies the last block's pending update to W, then computes Z = X W and G of these rows. */
static void sparse_block_forward(fbp_block *block, const fbp_layer *layer, const fbp_row *rows, int n_rows) {
    sparse_pass(block, layer, rows, n_rows);
    sparse_gram(block->G, block->X[0], rows, n_rows);
    memcpy(block->last_rows, rows, (size_t)n_rows * sizeof(fbp_row));
}

/* Applies the last block's pending update to W. */
static void sparse_block_finish(fbp_block *block, const fbp_layer *layer) {
    sparse_pass(block, layer, NULL, 0);
    scale(block->W, block->W, block->scale, layer->n_in * block->n_columns);
}

/* The operations of fastbp.h, for either kind of rows. */

static void block_load(fbp_block *block, const fbp_layer *layer, const fbp_step *step) {
    const size_t bytes = (size_t)layer->n_out * sizeof(real);
    copy_panels(block, layer, 1);
    memcpy(block->b, layer->b, bytes);
    if (block->momentum) memcpy(block->V_b, layer->V_b, bytes);
    block->unit = step->rate[1] != 0 ? step->rate[1] : 1; /* a rate of 0 has no direction */
    steps_of_rows(block->steps, step, block->unit);
    block->n_pending = 0;
    block->scale = 1;
}

static void block_forward(fbp_block *block, const fbp_layer *layer, const fbp_row *rows, int n_rows) {
    (block->sparse ? sparse_block_forward : dense_forward)(block, layer, rows, n_rows);
}

static void block_unload(fbp_block *block, const fbp_layer *layer) {
    const size_t bytes = (size_t)layer->n_out * sizeof(real);
    (block->sparse ? sparse_block_finish : dense_finish)(block, layer);
    copy_panels(block, layer, 0);
    memcpy(layer->b, block->b, bytes);
    if (block->momentum) memcpy(layer->V_b, block->V_b, bytes);
}

#endif
