/* Batches of dense rows: every product of a layer is one on register tiles, BLOCK rows at a time.
 *
 *     Z = A W + b        G += A' D        D_below = D W'
 *
 * W and the sums of gradients G stand in panels as in first_layer_dense.inc.h, and W' as well, so
 * that all three are the tiles of that file. The rows of Z (then A) and D are `stride` apart. */

/* W (n_rows, n_columns) into panels, or with `transposed` W' */
static void load_panels(real *panels, const real *W, int64_t n_in, int64_t n_out, int transposed) {
    const int64_t rows = transposed ? n_out : n_in, columns = transposed ? n_in : n_out;
    for (int64_t j = 0; j < columns; j += DENSE_PANEL)
        for (int64_t i = 0; i < rows; i++, panels += DENSE_PANEL)
            for (int64_t k = 0; k < DENSE_PANEL; k++) {
                const int64_t c = j + k;
                panels[k] = c >= columns ? 0 : transposed ? W[c * n_out + i] : W[i * n_out + c];
            }
}

static void unload_panels(real *W, const real *panels, int64_t n_in, int64_t n_out) {
    for (int64_t j = 0; j < n_out; j += DENSE_PANEL)
        for (int64_t i = 0; i < n_in; i++, panels += DENSE_PANEL)
            for (int64_t k = 0; k < DENSE_PANEL && j + k < n_out; k++) W[i * n_out + j + k] = panels[k];
}

/* out = X' P for the BLOCK columns of X[n][BLOCK] and panels P of n rows, n_columns in all */
static void tile_product(real *out, int64_t stride, const real *X, const real *panels, int64_t n,
                         int64_t n_columns) {
    for (int64_t i = 0; i < n; i += CHUNK) {
        const int64_t m = n - i < CHUNK ? n - i : CHUNK;
        for (int64_t j = 0; j < n_columns; j += DENSE_PANEL)
            for (int t = 0; t < BLOCK; t += ROW_TILE)
                forward_tile(out + t * stride + j, X + i * BLOCK + t,
                             panels + j * n + i * DENSE_PANEL, stride, m, i == 0);
    }
}

/* The rows of a block of Z, A or D, as pack_rows takes them. */
INLINE void rows_of(fbp_row *rows, const real *values, int64_t stride, int64_t n) {
    for (int t = 0; t < BLOCK; t++) rows[t] = (fbp_row){values + t * stride, NULL, n};
}

static void batch_load(fbp_batch *batch, const fbp_layer *layer) {
    load_panels(batch->W, layer->W, layer->n_in, layer->n_out, 0);
    if (layer->V_W) load_panels(batch->V, layer->V_W, layer->n_in, layer->n_out, 0);
    if (batch->W_T) load_panels(batch->W_T, layer->W, layer->n_in, layer->n_out, 1);
    memset(batch->G, 0, (size_t)(batch->n_columns * layer->n_in) * sizeof(real));
}

static void batch_unload(const fbp_batch *batch, const fbp_layer *layer) {
    unload_panels(layer->W, batch->W, layer->n_in, layer->n_out);
    if (layer->V_W) unload_panels(layer->V_W, batch->V, layer->n_in, layer->n_out);
}

/* Z = A W + b, for n_rows <= BLOCK rows of the layer below, or of X */
static void batch_forward(fbp_batch *batch, const fbp_layer *layer, const fbp_batch *below,
                          const fbp_row *x, int n_rows) {
    const real *b = layer->b;
    real *Z = batch->Z;
    fbp_row rows[BLOCK];
    if (below) {
        rows_of(rows, below->Z, below->stride, layer->n_in);
        x = rows;
    }
    pack_rows(batch->X, x, layer->n_in, n_rows);
    tile_product(Z, batch->stride, batch->X, batch->W, layer->n_in, batch->n_columns);
    for (int t = 0; t < n_rows; t++, Z += batch->stride)
        for (int64_t j = 0; j < layer->n_out; j++) Z[j] += b[j];
}

/* G += A' D, to_b += sum of D; and D_below = D W' */
static void batch_backward(fbp_batch *batch, const fbp_layer *layer, fbp_batch *below, int n_rows) {
    const vec_step add = {{{v_set1(1), v_set1(0)}, {v_set1(0), v_set1(0)}}, {v_set1(1), v_set1(0)}};
    const int64_t n_in = layer->n_in, stride = batch->stride;
    real *D = batch->D, *G = batch->G;
    fbp_row rows[BLOCK];
    for (int t = n_rows; t < BLOCK; t++) memset(D + t * stride, 0, (size_t)batch->n_columns * sizeof(real));
    for (int t = 0; t < n_rows; t++) step_along(layer->to_b, NULL, D + t * stride, layer->n_out, &add, 0);
    for (int64_t j = 0; j < batch->n_columns; j += DENSE_PANEL)
        update_inputs(G + j * n_in, batch->X, D + j, stride, &add, n_in, 0);
    if (!below) return;
    rows_of(rows, D, stride, layer->n_out);
    pack_rows(batch->D_T, rows, layer->n_out, n_rows);
    tile_product(below->D, below->stride, batch->D_T, batch->W_T, layer->n_out, below->n_columns);
}

/* W takes the step for the gradients weight * G, and G is zero again. */
static void batch_step(fbp_batch *batch, const fbp_layer *layer, double weight, const fbp_step *step) {
    const int64_t n = batch->n_columns * layer->n_in;
    take_steps(batch->W, batch->V, batch->G, n, weight, step, 0);
    memset(batch->G, 0, (size_t)n * sizeof(real));
    if (!batch->W_T) return;
    real *to = batch->W_T;
    for (int64_t i = 0; i < layer->n_in; i += DENSE_PANEL) /* W' anew, from panel to panel */
        for (int64_t j = 0; j < layer->n_out; j++, to += DENSE_PANEL) {
            const real *W = (const real *)batch->W + j / DENSE_PANEL * DENSE_PANEL * layer->n_in + j % DENSE_PANEL;
            for (int64_t k = 0; k < DENSE_PANEL; k++)
                to[k] = i + k < layer->n_in ? W[(i + k) * DENSE_PANEL] : 0;
        }
}
