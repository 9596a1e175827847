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

/* z += sum of x_i W[i] over the row's non-zeros x_i; from zero for the first of them */
INLINE void sparse_product(real *z, const real *W, const fbp_row *x, int first, const int NV) {
    const real *values = x->values;
    vec sums[8];
    UNROLL for (int q = 0; q < NV; q++) sums[q] = first ? v_set1(0) : v_load(z + q * VL);
    for (int64_t p = 0; p < x->n; p++) {
        const vec value = v_set1(values[p]);
        const real *w = W + (int64_t)x->columns[p] * NV * VL;
        UNROLL for (int q = 0; q < NV; q++) sums[q] = v_fma(value, v_load(w + q * VL), sums[q]);
    }
    UNROLL for (int q = 0; q < NV; q++) v_store(z + q * VL, sums[q]);
}

/* The parts of some rows that lie in one chunk of inputs. */
typedef struct {
    fbp_row rows[BLOCK];
    int n;
} sparse_parts;

/* The next parts: what of the rows comes before column `end`. */
INLINE void next_parts(sparse_parts *parts, const fbp_row *rows, int64_t end) {
    for (int t = 0; t < parts->n; t++) {
        fbp_row *part = &parts->rows[t];
        part->values = (const real *)part->values + part->n;
        part->columns += part->n;
        const int64_t left = rows[t].columns + rows[t].n - part->columns;
        int64_t n = 0;
        while (n < left && part->columns[n] < end) n++;
        part->n = n;
    }
}

INLINE void start_parts(sparse_parts *parts, const fbp_row *rows, int n_rows) {
    parts->n = n_rows;
    for (int t = 0; t < n_rows; t++) parts->rows[t] = (fbp_row){rows[t].values, rows[t].columns, 0};
}

/* The pass over one panel: what the last rows owe, then Z of these. */
INLINE void sparse_panel(fbp_block *block, real *W, int64_t j, const sparse_parts *last,
                         const sparse_parts *now, int first, const int NV) {
    for (int s = 0; s < last->n; s++)
        sparse_update(W, &last->rows[s], (const real *)block->D + s * block->stride + j, NV);
    for (int t = 0; t < now->n; t++)
        sparse_product((real *)block->Z + t * block->stride + j, W, &now->rows[t], first, NV);
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

/* Every weight decays, used or not. */
INLINE void sparse_decay(fbp_block *block, int64_t n_in) {
    const double keep = block->steps[block->n_pending].keep[0][0];
    real *W = block->W;
    if (keep == 1) return;
    for (int64_t k = 0; k < block->n_columns * n_in; k += VL)
        v_store(W + k, v_mul(v_set1((real)keep), v_load(W + k)));
}

/* How many inputs to take at a time: so many that a panel's part of W stays in the nearest cache,
 * unless rows have too few non-zeros in so many. */
INLINE int64_t sparse_chunk(const fbp_block *block, int64_t n_in, const fbp_row *rows, int n_rows) {
    enum { CACHE = 40 * 1024, LEAST = 16 };
    int64_t non_zeros = 1, chunk = CACHE / (block->panel_width * (int64_t)sizeof(real));
    for (int t = 0; t < n_rows; t++) non_zeros += rows[t].n;
    const int64_t least = LEAST * n_in * (n_rows ? n_rows : 1) / non_zeros;
    return chunk > least ? chunk : least + 1;
}

static void sparse_pass(fbp_block *block, const fbp_layer *layer, const fbp_row *rows, int n_rows) {
    const int64_t n_in = layer->n_in, panel = block->panel_width;
    const int64_t chunk = sparse_chunk(block, n_in, rows, n_rows);
    sparse_parts last, now;
    start_parts(&last, block->last_rows, block->n_pending);
    start_parts(&now, rows, n_rows);
    sparse_decay(block, n_in);
    for (int64_t i = 0; i < n_in; i += chunk) {
        const int64_t end = i + chunk < n_in ? i + chunk : INT64_MAX;
        next_parts(&last, block->last_rows, end);
        next_parts(&now, rows, end);
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

/* W is given what the last block owes, then Z = X W and G of these rows. */
static void sparse_forward(fbp_block *block, const fbp_layer *layer, const fbp_row *rows, int n_rows) {
    sparse_pass(block, layer, rows, n_rows);
    sparse_gram(block->G, block->X[0], rows, n_rows);
    memcpy(block->last_rows, rows, (size_t)n_rows * sizeof(fbp_row));
}

/* W is given what the last block owes, without a next. */
static void sparse_finish(fbp_block *block, const fbp_layer *layer) {
    sparse_pass(block, layer, NULL, 0);
}

/* The operations of fastbp.h, for either kind of rows. */

static void block_load(fbp_block *block, const fbp_layer *layer, const fbp_step *step) {
    const size_t bytes = (size_t)layer->n_out * sizeof(real);
    copy_panels(block, layer, 1);
    memcpy(block->b, layer->b, bytes);
    if (block->momentum) memcpy(block->V_b, layer->V_b, bytes);
    steps_of_rows(block->steps, step);
    block->n_pending = 0;
}

static void block_forward(fbp_block *block, const fbp_layer *layer, const fbp_row *rows, int n_rows) {
    (block->sparse ? sparse_forward : dense_forward)(block, layer, rows, n_rows);
}

static void block_unload(fbp_block *block, const fbp_layer *layer) {
    const size_t bytes = (size_t)layer->n_out * sizeof(real);
    (block->sparse ? sparse_finish : dense_finish)(block, layer);
    copy_panels(block, layer, 0);
    memcpy(layer->b, block->b, bytes);
    if (block->momentum) memcpy(layer->V_b, block->V_b, bytes);
}
