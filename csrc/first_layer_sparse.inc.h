/* first_layer.inc.h for rows of non-zeros: the same pass over W, only where there is something.
 *
 * Panels are wider, so that finding an input's weights is paid for by several vectors. X[input][row]
 * is kept all zero, and holds one block's non-zeros for a moment: so each row meets those before it. */

/* W[i] += x_i d for the row's non-zeros x_i */
INLINE void sparse_update(real *W, const fbp_row *x, const real *d, const int NV) {
    const real *values = x->values;
    vec step[8];
    UNROLL for (int q = 0; q < NV; q++) step[q] = v_load(d + q * VL);
    for (int64_t p = 0; p < x->n; p++) {
        const vec value = v_set1(values[p]);
        real *w = W + (int64_t)x->columns[p] * NV * VL;
        UNROLL for (int q = 0; q < NV; q++)
            v_store(w + q * VL, v_fma(value, step[q], v_load(w + q * VL)));
    }
}

/* z = sum of x_i W[i] over the row's non-zeros x_i */
INLINE void sparse_product(real *z, const real *W, const fbp_row *x, const int NV) {
    const real *values = x->values;
    vec sums[8];
    UNROLL for (int q = 0; q < NV; q++) sums[q] = v_set1(0);
    for (int64_t p = 0; p < x->n; p++) {
        const vec value = v_set1(values[p]);
        const real *w = W + (int64_t)x->columns[p] * NV * VL;
        UNROLL for (int q = 0; q < NV; q++) sums[q] = v_fma(value, v_load(w + q * VL), sums[q]);
    }
    UNROLL for (int q = 0; q < NV; q++) v_store(z + q * VL, sums[q]);
}

/* The pass over one panel: what the last rows owe, then Z of these. */
INLINE void sparse_panel(fbp_block *block, real *W, int64_t j, const fbp_row *rows, int n_rows,
                         const int NV) {
    for (int s = 0; s < block->n_pending; s++)
        sparse_update(W, &block->last_rows[s], (const real *)block->D + s * block->stride + j, NV);
    for (int t = 0; t < n_rows; t++)
        sparse_product((real *)block->Z + t * block->stride + j, W, &rows[t], NV);
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

static void sparse_pass(fbp_block *block, const fbp_layer *layer, const fbp_row *rows, int n_rows,
                        double decay) {
    const int64_t panel = block->panel_width;
    if (decay != 1 && block->n_pending) { /* every weight decays, used or not */
        const vec c = v_set1(decay_power(decay, block->n_pending));
        real *W = block->W;
        for (int64_t k = 0; k < block->n_columns * layer->n_in; k += VL)
            v_store(W + k, v_mul(c, v_load(W + k)));
    }
    for (int64_t j = 0; j < block->n_columns; j += panel) {
        real *W = (real *)block->W + j * layer->n_in;
        switch (panel / VL) {
        case 2: sparse_panel(block, W, j, rows, n_rows, 2); break;
        case 4: sparse_panel(block, W, j, rows, n_rows, 4); break;
        default: sparse_panel(block, W, j, rows, n_rows, 8);
        }
    }
    block->n_pending = 0;
}

/* W is given what the last block owes, then Z = X W and G of these rows. */
static void sparse_forward(fbp_block *block, const fbp_layer *layer, const fbp_row *rows,
                           int n_rows, double decay) {
    sparse_pass(block, layer, rows, n_rows, decay);
    sparse_gram(block->G, block->X[0], rows, n_rows);
    memcpy(block->last_rows, rows, (size_t)n_rows * sizeof(fbp_row));
}

/* W is given what the last block owes, without a next. */
static void sparse_finish(fbp_block *block, const fbp_layer *layer, double decay) {
    sparse_pass(block, layer, NULL, 0, decay);
}

/* The operations of fastbp.h, for either kind of rows. */

static void block_load(fbp_block *block, const fbp_layer *layer) {
    copy_panels(block, layer, 1);
    memset(block->b, 0, (size_t)block->n_columns * sizeof(real));
    memcpy(block->b, layer->b, (size_t)layer->n_out * sizeof(real));
    block->n_pending = 0;
}

static void block_forward(fbp_block *block, const fbp_layer *layer, const fbp_row *rows, int n_rows,
                          double decay) {
    (block->sparse ? sparse_forward : dense_forward)(block, layer, rows, n_rows, decay);
}

static void block_unload(fbp_block *block, const fbp_layer *layer, double decay) {
    (block->sparse ? sparse_finish : dense_finish)(block, layer, decay);
    copy_panels(block, layer, 0);
    memcpy(layer->b, block->b, (size_t)layer->n_out * sizeof(real));
}
