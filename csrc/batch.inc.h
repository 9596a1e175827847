/* Batches: every product of a layer is one on register tiles.
 *
 *     Z = A W + b        D_below = D W'        G = A' D, and W's step along it
 *
 * Forward and backward go through the layers with a group of up to FBP_GROUP blocks of rows at a time,
 * which threads share out among themselves: W comes near once for all of them, a chunk of inputs after
 * the other. The step takes all rows at once, and threads share out its inputs. No number depends on
 * how rows and inputs are shared out. W, its velocities and G stand in panels as in
 * first_layer_dense.inc.h, and W' as well, so that all products are tiles of that kind; rows of Z
 * (then A) and D are `stride` apart. Rows of non-zeros leave their layer row-major: batch_sparse.inc.h. */

enum { STEP_CHUNK = 48 /* inputs: theirs of a batch's rows stay near while all panels pass */ };

/* W (n_rows, n_columns) into panels, or with `transposed` W' */
static void load_panels(real *panels, const real *W, int64_t n_in, int64_t n_out, int transposed) {
    const int64_t rows = transposed ? n_out : n_in, columns = transposed ? n_in : n_out;
    for (int64_t j = 0; j < columns; j += DENSE_PANEL)
        for (int64_t i = 0; i < rows; i++, panels += DENSE_PANEL) {
            if (!transposed && j + DENSE_PANEL <= columns) {
                memcpy(panels, W + i * n_out + j, DENSE_PANEL * sizeof(real));
                continue;
            }
            for (int64_t k = 0; k < DENSE_PANEL; k++) {
                const int64_t c = j + k;
                panels[k] = c >= columns ? 0 : transposed ? W[c * n_out + i] : W[i * n_out + c];
            }
        }
}

static void unload_panels(real *W, const real *panels, int64_t n_in, int64_t n_out) {
    for (int64_t j = 0; j < n_out; j += DENSE_PANEL)
        for (int64_t i = 0; i < n_in; i++, panels += DENSE_PANEL) {
            if (j + DENSE_PANEL <= n_out) memcpy(W + i * n_out + j, panels, DENSE_PANEL * sizeof(real));
            else for (int64_t k = 0; j + k < n_out; k++) W[i * n_out + j + k] = panels[k];
        }
}

/* out = X' P for n_blocks blocks X[n][BLOCK] of columns and panels P of n rows, n_columns in all */
static void tile_product(real *out, int64_t stride, const real *X, const real *panels, int64_t n,
                         int64_t n_columns, int n_blocks) {
    for (int64_t i = 0; i < n; i += CHUNK) {
        const int64_t m = n - i < CHUNK ? n - i : CHUNK;
        for (int64_t j = 0; j < n_columns; j += DENSE_PANEL)
            for (int64_t t = 0; t < n_blocks * BLOCK; t += ROW_TILE)
                forward_tile(out + t * stride + j, X + (t / BLOCK * n + i) * BLOCK + t % BLOCK,
                             panels + j * n + i * DENSE_PANEL, stride, m, i == 0);
    }
}

/* Blocks of rows side by side, those of n_rows rows of Z or D. */
static void pack_blocks(real *X, const real *values, int64_t stride, int64_t n, int n_rows) {
    fbp_row rows[BLOCK];
    for (; n_rows > 0; n_rows -= BLOCK, values += BLOCK * stride, X += BLOCK * n) {
        for (int t = 0; t < BLOCK; t++) rows[t] = (fbp_row){values + t * stride, NULL, n};
        pack_rows(X, rows, n, n_rows < BLOCK ? n_rows : BLOCK);
    }
}

INLINE int blocks_of(int n_rows) { return (n_rows + BLOCK - 1) / BLOCK; }

static void batch_load(fbp_batch *batch, const fbp_layer *layer) {
    if (batch->sparse) return;
    const int64_t n_in = layer->n_in, n_out = layer->n_out;
    load_panels(batch->W, layer->W, n_in, n_out, 0);
    if (batch->W_T) load_panels(batch->W_T, layer->W, n_in, n_out, 1);
    if (batch->V) load_panels(batch->V, layer->V_W, n_in, n_out, 0);
    if (batch->squares)
        load_panels((real *)batch->V + batch->squares, (real *)layer->V_W + batch->squares_of_layer, n_in,
                    n_out, 0);
}

static void batch_unload(const fbp_batch *batch, const fbp_layer *layer) {
    if (batch->sparse) return;
    const int64_t n_in = layer->n_in, n_out = layer->n_out;
    unload_panels(layer->W, batch->W, n_in, n_out);
    if (batch->V) unload_panels(layer->V_W, batch->V, n_in, n_out);
    if (batch->squares)
        unload_panels((real *)layer->V_W + batch->squares_of_layer, (real *)batch->V + batch->squares, n_in,
                      n_out);
}

/* Z = A W + b, for a group of n_rows rows of the layer below, or of X; they are the batch's from row t on. */
static void batch_forward(fbp_batch *batch, const fbp_layer *layer, const fbp_batch *below,
                          const fbp_row *x, int64_t t, int n_rows) {
    const int64_t n_in = layer->n_in, n_out = layer->n_out, stride = batch->stride;
    const real *b = layer->b;
    real *Z = batch->Z, *X = (real *)batch->X + t * n_in;
    if (batch->sparse) {
        sparse_products(batch, layer, x, n_rows);
    } else {
        if (below) pack_blocks(X, below->Z, below->stride, n_in, n_rows);
        else
            for (int r = 0; r < n_rows; r += BLOCK)
                pack_rows(X + r * n_in, x + r, n_in, n_rows - r < BLOCK ? n_rows - r : BLOCK);
        tile_product(Z, stride, X, batch->W, n_in, batch->n_columns, blocks_of(n_rows));
    }
    for (int r = 0; r < n_rows; r++, Z += stride)
        for (int64_t j = 0; j < n_out; j++) Z[j] += b[j];
}

/* D_below = D W', for a group of n_rows rows from row t on; D is zero behind them, to the end of a block. */
static void batch_backward(const fbp_batch *batch, const fbp_layer *layer, fbp_batch *below, int64_t t,
                           int n_rows) {
    const int64_t stride = batch->stride;
    const int n_blocks = blocks_of(n_rows);
    real *D = (real *)batch->D + t * stride;
    for (int r = n_rows; r < n_blocks * BLOCK; r++)
        memset(D + r * stride, 0, (size_t)batch->n_columns * sizeof(real));
    if (!below) return;
    pack_blocks(batch->D_T, D, stride, layer->n_out, n_rows);
    tile_product((real *)below->D + t * below->stride, below->stride, batch->D_T, batch->W_T, layer->n_out,
                 below->n_columns, n_blocks);
}

/* G[0..INPUTS) += X' D over n_blocks blocks of rows, two vectors of outputs; or = if it is the first */
INLINE void gradient_tile(real *G, const real *X, int64_t block_length, const real *D, int64_t stride,
                          int64_t n_blocks, int is_first, const int INPUTS) {
    vec sums[INPUT_TILE][2];
    UNROLL for (int i = 0; i < INPUTS; i++) {
        sums[i][0] = is_first ? v_set1(0) : v_load(G + i * DENSE_PANEL);
        sums[i][1] = is_first ? v_set1(0) : v_load(G + i * DENSE_PANEL + VL);
    }
    for (int64_t b = 0; b < n_blocks; b++, X += block_length)
        for (int t = 0; t < BLOCK; t++, D += stride) {
            const vec d0 = v_load(D), d1 = v_load(D + VL);
            UNROLL for (int i = 0; i < INPUTS; i++) {
                const vec x = v_set1(X[i * BLOCK + t]);
                sums[i][0] = v_fma(x, d0, sums[i][0]);
                sums[i][1] = v_fma(x, d1, sums[i][1]);
            }
        }
    UNROLL for (int i = 0; i < INPUTS; i++) {
        v_store(G + i * DENSE_PANEL, sums[i][0]);
        v_store(G + i * DENSE_PANEL + VL, sums[i][1]);
    }
}

/* Weights that the step after the gradient will move come near meanwhile. */
INLINE void fetch_weights(const real *W, const real *V, int64_t squares, int64_t n, const int RULE) {
    const int64_t line = 64 / sizeof(real);
    for (int64_t k = 0; k < n; k += line) {
        PREFETCH(W + k);
        if (RULE) PREFETCH(V + k);
        if (RULE == ADAM) PREFETCH(V + squares + k);
    }
}

/* n = 1, 2 or INPUT_TILE inputs from i on, of the panel from column j on: their gradients, and with a
 * step, W's along them. A gradient that only this step needs does not see memory. */
INLINE void update_tile_of_batch(const fbp_batch *batch, const fbp_layer *layer, int64_t n_blocks, int64_t i,
                                 int64_t n, int64_t j, int is_first, const vec_step *s, const int RULE) {
    real own[INPUT_TILE * DENSE_PANEL];
    const int64_t n_in = layer->n_in, at = j * n_in + i * DENSE_PANEL;
    const real *X = (const real *)batch->X + i * BLOCK, *D = (const real *)batch->D + j;
    real *G = s && is_first ? own : (real *)batch->G + at;
    real *W = (real *)batch->W + at, *V = RULE ? (real *)batch->V + at : NULL;
    if (s) fetch_weights(W, V, s->squares, n * DENSE_PANEL, RULE);
#define TILE(INPUTS) gradient_tile(G, X, n_in * BLOCK, D, batch->stride, n_blocks, is_first, INPUTS)
    if (n == INPUT_TILE) TILE(INPUT_TILE);
    else if (n == 2) TILE(2);
    else TILE(1);
#undef TILE
    if (s) step_along(W, V, G, n * DENSE_PANEL, s, RULE);
}

/* The same for inputs i to i + n of every panel, a chunk after the other. */
INLINE void update_panels(const fbp_batch *batch, const fbp_layer *layer, int64_t n_blocks, int64_t i,
                          int64_t n, int is_first, const vec_step *s, const int RULE) {
    for (const int64_t end = i + n; i < end; i += STEP_CHUNK) {
        const int64_t stop = end - i < STEP_CHUNK ? end : i + STEP_CHUNK;
        for (int64_t j = 0; j < batch->n_columns; j += DENSE_PANEL)
            for (int64_t k = i, m; k < stop; k += m) {
                m = stop - k >= INPUT_TILE ? INPUT_TILE : stop - k >= 2 ? 2 : 1;
                update_tile_of_batch(batch, layer, n_blocks, k, m, j, is_first, s, RULE);
            }
    }
}

/* W' of n inputs from i on anew, i at the beginning of one of its panels. */
static void transpose_inputs(const fbp_batch *batch, const fbp_layer *layer, int64_t i, int64_t n) {
    real *to = (real *)batch->W_T + i * layer->n_out;
    for (const int64_t end = i + n; i < end; i += DENSE_PANEL)
        for (int64_t j = 0; j < layer->n_out; j++, to += DENSE_PANEL) {
            const real *W = (const real *)batch->W + j / DENSE_PANEL * DENSE_PANEL * layer->n_in + j % DENSE_PANEL;
            for (int64_t k = 0; k < DENSE_PANEL; k++) to[k] = i + k < layer->n_in ? W[(i + k) * DENSE_PANEL] : 0;
        }
}

INLINE void update_inputs_of_batch(const fbp_batch *batch, const fbp_layer *layer, const fbp_row *rows,
                                   int64_t n_rows, int64_t i, int64_t n, int is_first, const vec_step *s,
                                   const int RULE) {
    if (batch->sparse) update_sparse(batch, layer, rows, n_rows, i, n, is_first, s, RULE);
    else update_panels(batch, layer, (n_rows + BLOCK - 1) / BLOCK, i, n, is_first, s, RULE);
}

/* The gradient of b over n_rows rows, and with a step, b's along it */
static void update_bias_of_batch(const fbp_batch *batch, const fbp_layer *layer, int64_t n_rows, int is_first,
                                 double weight, const fbp_step *step) {
    const fbp_step one = {.keep = {{1, 0}, {0, 0}}, .take = {1, 0}};
    const vec_step add = step_times(&one, 1, 1);
    const real *D = batch->D;
    if (is_first) memset(batch->to_b, 0, (size_t)layer->n_out * sizeof(real));
    for (int64_t r = 0; r < n_rows; r++, D += batch->stride)
        step_along(batch->to_b, NULL, D, layer->n_out, &add, PLAIN);
    if (step) take_steps(layer->b, layer->V_b, batch->to_b, layer->n_out, weight, step, 1);
}

/* The gradients of n inputs from first_input on, over n_rows rows, are added to those before unless
 * these rows are the batch's first; then, with a step, W takes it for weight times their sum. */
static void batch_update(const fbp_batch *batch, const fbp_layer *layer, const fbp_row *rows, int64_t n_rows,
                         int64_t first_input, int64_t n, int is_first, double weight, const fbp_step *step) {
    if (first_input == 0) update_bias_of_batch(batch, layer, n_rows, is_first, weight, step);
    if (batch->sparse && is_first && step && !step->momentum && !step->adam && step->keep[0][0] == 1) {
        sparse_step(batch, layer, rows, n_rows, first_input, n, weight * step->take[0]);
        return;
    }
#define UPDATE(S, RULE) update_inputs_of_batch(batch, layer, rows, n_rows, first_input, n, is_first, S, RULE)
    if (!step) {
        UPDATE(NULL, PLAIN);
        return;
    }
    vec_step s = step_times(step, weight, 0);
    if (!batch->sparse) s.squares = batch->squares;
    if (step->adam) UPDATE(&s, ADAM);
    else if (step->momentum) UPDATE(&s, MOMENTUM);
    else UPDATE(&s, PLAIN);
#undef UPDATE
    if (batch->W_T) transpose_inputs(batch, layer, first_input, n);
}

/* The sum of w^2 over n inputs from first_input on */
static double batch_penalty(const fbp_batch *batch, const fbp_layer *layer, int64_t first_input, int64_t n) {
    double sum = 0;
    if (batch->sparse)
        return sum_squares((const real *)layer->W + first_input * layer->n_out, n * layer->n_out);
    for (int64_t j = 0; j < batch->n_columns; j += DENSE_PANEL)
        sum += sum_squares((const real *)batch->W + j * layer->n_in + first_input * DENSE_PANEL, n * DENSE_PANEL);
    return sum;
}
