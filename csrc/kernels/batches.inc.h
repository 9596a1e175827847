/* Batches: every product of a layer is one on register tiles.
 *
 *     Z = A W + b        D_below = D W'        G = A' D, and W's step along it
 *
 * Forward and backward go through the layers with a group of up to FBP_GROUP blocks of rows at a time,
 * which threads share out among themselves: W comes near once for all of them, a chunk of inputs after
 * the other. The step takes all rows at once, and threads share out its inputs. No number depends on
 * how rows and inputs are shared out. W, its moments and G stand in panels as in
 * blocks_dense.inc.h, and W' as well, so that all products are tiles of that kind, but the last
 * panel is a single vector wide where that has room for its outputs; rows of Z (then A) and D are
 * `stride` apart. Rows of non-zeros leave their layer row-major: batches_sparse.inc.h. */
#ifndef FASTBP_KERNELS_BATCHES_INC_H
#define FASTBP_KERNELS_BATCHES_INC_H

#include "arrays.inc.h"
#include "batches_sparse.inc.h"
#include "blocks.inc.h"
#include "blocks_dense.inc.h"
#include "layer.inc.h"
#include "solvers.inc.h"

enum { STEP_CHUNK = 48 /* inputs: theirs of a batch's rows stay near while all panels pass */ };

/* How wide the panel is that begins with column j: two vectors, or the last one */
INLINE int64_t width_of_panel(int64_t n_columns, int64_t j) {
    return n_columns - j < DENSE_PANEL ? VL : DENSE_PANEL;
}

/* W (n_in, n_out) into panels, zero behind n_out, or back */
static void copy_panels_of_batch(real *panels, real *W, int64_t n_in, int64_t n_out, int64_t n_columns,
                                 int loading) {
    for (int64_t j = 0; j < n_columns; j += DENSE_PANEL) {
        const int64_t width = width_of_panel(n_columns, j), n = n_out - j < width ? n_out - j : width;
        for (int64_t i = 0; i < n_in; i++, panels += width) {
            real *w = W + i * n_out + j;
            if (n == DENSE_PANEL) { /* a length that is known */
                memcpy(loading ? panels : w, loading ? w : panels, DENSE_PANEL * sizeof(real));
                continue;
            }
            for (int64_t k = 0; k < width; k++) {
                if (loading) panels[k] = k < n ? w[k] : 0;
                else if (k < n) w[k] = panels[k];
            }
        }
    }
}

/* Rows at both ends of a panel that are all 0 are left out: of networks joined side by side, those of the
 * others. A NaN is not 0. */
static void find_span(int64_t *span, const real *panel, int64_t n, int64_t width) {
    int64_t first = 0, end = n * width;
    while (end > 0 && panel[end - 1] == 0) end--;
    while (first < end && panel[first] == 0) first++;
    span[0] = first / width;
    span[1] = (end + width - 1) / width;
}

/* out = X' P (+ b) for n_blocks blocks X[n][BLOCK] of columns and panels P of n rows, n_columns in all; only the
 * rows of a panel within its span are looked at, unless `spans` is NULL. */
static void tile_product(real *out, int64_t stride, const real *X, const real *panels, const real *b,
                         const int64_t *spans, int64_t n, int64_t n_columns, int n_blocks) {
    for (int64_t i = 0; i < n; i += CHUNK) {
        const int64_t stop = n - i < CHUNK ? n : i + CHUNK;
        for (int64_t j = 0; j < n_columns; j += DENSE_PANEL) {
            const int64_t width = width_of_panel(n_columns, j);
            const int64_t *span = spans ? spans + j / DENSE_PANEL * 2 : NULL;
            const int64_t first = span && span[0] > i ? span[0] : i;
            const int64_t m = (span && span[1] < stop ? span[1] : stop) - first;
            if (m <= 0 && i > 0) continue;
            const real *P = panels + j * n + first * width, *b_j = b ? b + j : NULL;
#define TILES(ROWS, NV)                                                                                 \
    for (int64_t t = 0; t < n_blocks * BLOCK; t += ROWS)                                                \
        forward_tile(out + t * stride + j, X + (t / BLOCK * n + first) * BLOCK + t % BLOCK, P, stride, \
                     m, i == 0, b_j, ROWS, NV)
            if (width == DENSE_PANEL) TILES(ROW_TILE, 2);
            else TILES(BLOCK, 1);
#undef TILES
        }
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

/* Transposes W of n inputs from i on into W', i at the beginning of one of its panels. */
static void transpose_inputs(const fbp_batch *batch, const fbp_layer *layer, int64_t i, int64_t n) {
    const int64_t n_in = layer->n_in, n_out = layer->n_out, all = (n_in + VL - 1) / VL * VL;
    for (const int64_t end = i + n; i < end; i += DENSE_PANEL) {
        const int64_t to_width = width_of_panel(all, i);
        real *to = (real *)batch->W_T + i * n_out;
        for (int64_t j = 0; j < n_out; j += DENSE_PANEL) {
            const int64_t width = width_of_panel(batch->n_columns, j);
            const real *W = (const real *)batch->W + j * n_in + i * width;
            for (int64_t c = 0; c < width && j + c < n_out; c++, to += to_width)
                for (int64_t k = 0; k < to_width; k++) to[k] = i + k < n_in ? W[k * width + c] : 0;
        }
    }
}

INLINE int blocks_of(int n_rows) { return (n_rows + BLOCK - 1) / BLOCK; }

/* All that the solver moves, from the layer into panels or back */
INLINE void exchange(const fbp_batch *batch, const fbp_layer *layer, int loading) {
    real *V = batch->V, *V_W = layer->V_W;
#define COPY(PANELS, W) copy_panels_of_batch(PANELS, W, layer->n_in, layer->n_out, batch->n_columns, loading)
    COPY(batch->W, layer->W);
    if (V) COPY(V, V_W);
    if (batch->state_stride) COPY(V + batch->state_stride, V_W + batch->layer_state_stride);
#undef COPY
}

static void batch_load(fbp_batch *batch, const fbp_layer *layer) {
    if (batch->sparse) return;
    exchange(batch, layer, 1);
    if (batch->spans)
        for (int64_t j = 0; j < batch->n_columns; j += DENSE_PANEL)
            find_span(batch->spans + j / DENSE_PANEL * 2, (const real *)batch->W + j * layer->n_in,
                      layer->n_in, width_of_panel(batch->n_columns, j));
    if (batch->W_T) transpose_inputs(batch, layer, 0, layer->n_in);
}

static void batch_unload(const fbp_batch *batch, const fbp_layer *layer) {
    if (!batch->sparse) exchange(batch, layer, 0);
}

/* Z = A W + b, for a group of n_rows rows of the layer below, or of X; they are the batch's from row t on. */
static void batch_forward(fbp_batch *batch, const fbp_layer *layer, const fbp_batch *below,
                          const fbp_row *x, int64_t t, int n_rows) {
    const int64_t n_in = layer->n_in, stride = batch->stride;
    const size_t b_bytes = (size_t)layer->n_out * sizeof(real);
    real *Z = batch->Z, *X = (real *)batch->X + t * n_in;
    if (batch->sparse) {
        for (int r = 0; r < n_rows; r++) memcpy(Z + r * stride, layer->b, b_bytes);
        sparse_products(batch, layer, x, n_rows);
        return;
    }
    if (below) pack_blocks(X, below->Z, below->stride, n_in, n_rows);
    else
        for (int r = 0; r < n_rows; r += BLOCK)
            pack_rows(X + r * n_in, x + r, n_in, n_rows - r < BLOCK ? n_rows - r : BLOCK);
    memcpy(batch->b, layer->b, b_bytes);
    tile_product(Z, stride, X, batch->W, batch->b, batch->spans, n_in, batch->n_columns, blocks_of(n_rows));
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
    tile_product((real *)below->D + t * below->stride, below->stride, batch->D_T, batch->W_T, NULL, NULL,
                 layer->n_out, below->n_columns, n_blocks);
}

/* G[0..INPUTS) += X' D over n_blocks blocks of rows, NV vectors of outputs; or = if it is the first */
INLINE void gradient_tile(real *G, const real *X, int64_t block_length, const real *D, int64_t stride,
                          int64_t n_blocks, int is_first, const int INPUTS, const int NV) {
    vec sums[2 * INPUT_TILE][2];
    UNROLL for (int i = 0; i < INPUTS; i++)
        UNROLL for (int q = 0; q < NV; q++)
            sums[i][q] = is_first ? v_set1(0) : v_load(G + (i * NV + q) * VL);
    for (int64_t b = 0; b < n_blocks; b++, X += block_length)
        UNROLL_TILE for (int t = 0; t < BLOCK; t++, D += stride) {
            vec d[2];
            UNROLL for (int q = 0; q < NV; q++) d[q] = v_load(D + q * VL);
            UNROLL for (int i = 0; i < INPUTS; i++) {
                const vec x = v_set1(X[i * BLOCK + t]);
                UNROLL for (int q = 0; q < NV; q++) sums[i][q] = v_fma(x, d[q], sums[i][q]);
            }
        }
    UNROLL for (int i = 0; i < INPUTS; i++)
        UNROLL for (int q = 0; q < NV; q++) v_store(G + (i * NV + q) * VL, sums[i][q]);
}

/* Weights that the step after the gradient will move come near meanwhile. */
INLINE void fetch_weights(const real *W, const real *V, int64_t state_stride, int64_t n, int n_moments) {
    const int64_t line = 64 / sizeof(real);
    for (int64_t k = 0; k < n; k += line) {
        PREFETCH(W + k);
        for (int q = 0; q < n_moments; q++) PREFETCH(V + q * state_stride + k);
    }
}

/* How many inputs the next tile takes of those left. Of one vector of outputs they are twice as many as
 * of two, so that as many sums go on side by side. */
INLINE int64_t inputs_of_tile(int64_t left, int64_t NV) {
    const int64_t upper = NV == 2 ? INPUT_TILE : 2 * INPUT_TILE;
    return left >= upper ? upper : left >= 4 && upper > 4 ? 4 : left >= 2 ? 2 : 1;
}

/* n inputs from i on, as inputs_of_tile says, of the panel from column j on: their gradients, and with a
 * step, W's along them. A gradient that only this step needs does not see memory. */
INLINE void update_tile_of_batch(const fbp_batch *batch, const fbp_layer *layer, int64_t n_blocks, int64_t i,
                                 int64_t n, int64_t j, int is_first, const vec_step *s, fbp_rule rule,
                                 const int NV) {
    real own[INPUT_TILE * DENSE_PANEL];
    const int64_t n_in = layer->n_in, at = j * n_in + i * NV * VL;
    const real *X = (const real *)batch->X + i * BLOCK, *D = (const real *)batch->D + j;
    real *G = s && is_first ? own : (real *)batch->G + at;
    const int n_moments = fbp_rules[rule].n_moments;
    real *W = (real *)batch->W + at, *V = n_moments ? (real *)batch->V + at : NULL;
    if (s) fetch_weights(W, V, s->state_stride, n * NV * VL, n_moments);
#define TILE(INPUTS) gradient_tile(G, X, n_in * BLOCK, D, batch->stride, n_blocks, is_first, INPUTS, NV)
    if (n == INPUT_TILE * 2 / NV) TILE(INPUT_TILE * 2 / NV);
    else if (n == 4) TILE(4);
    else if (n == 2) TILE(2);
    else TILE(1);
#undef TILE
    if (s && rule == FBP_PLAIN) step_along(W, V, G, n * NV * VL, s, FBP_PLAIN); /* the commonest: no call */
    else if (s) step_all(W, V, G, n * NV * VL, s, rule);
}

/* Gradients and steps of inputs i to i + n of every panel, a chunk after the other. */
static void update_panels(const fbp_batch *batch, const fbp_layer *layer, int64_t n_blocks, int64_t i,
                          int64_t n, int is_first, const vec_step *s, fbp_rule rule) {
    for (const int64_t end = i + n; i < end; i += STEP_CHUNK) {
        const int64_t stop = end - i < STEP_CHUNK ? end : i + STEP_CHUNK;
        for (int64_t j = 0, m; j < batch->n_columns; j += DENSE_PANEL) {
#define TILES(NV)                                                                     \
    for (int64_t k = i; k < stop; k += m) {                                           \
        m = inputs_of_tile(stop - k, NV);                                             \
        update_tile_of_batch(batch, layer, n_blocks, k, m, j, is_first, s, rule, NV); \
    }
            if (width_of_panel(batch->n_columns, j) == DENSE_PANEL) TILES(2)
            else TILES(1)
#undef TILES
        }
    }
}

INLINE void update_inputs_of_batch(const fbp_batch *batch, const fbp_layer *layer, const fbp_row *rows,
                                   int64_t n_rows, int64_t i, int64_t n, int is_first, const vec_step *s,
                                   int all, fbp_rule rule) {
    if (batch->sparse) update_sparse(batch, layer, rows, n_rows, i, n, is_first, s, all, rule);
    else update_panels(batch, layer, (n_rows + BLOCK - 1) / BLOCK, i, n, is_first, s, rule);
}

/* G += the sum of n_rows rows of D, NV vectors of outputs; or = if they are the first */
INLINE void sum_rows(real *G, const real *D, int64_t stride, int64_t n_rows, int is_first, const int NV) {
    vec sums[8];
    UNROLL for (int q = 0; q < NV; q++) sums[q] = is_first ? v_set1(0) : v_load(G + q * VL);
    for (int64_t r = 0; r < n_rows; r++, D += stride)
        UNROLL for (int q = 0; q < NV; q++) sums[q] = v_add(v_load(D + q * VL), sums[q]);
    UNROLL for (int q = 0; q < NV; q++) v_store(G + q * VL, sums[q]);
}

/* The gradient of b over n_rows rows, and with a step, b's along it */
static void update_bias_of_batch(const fbp_batch *batch, const fbp_layer *layer, int64_t n_rows, int is_first,
                                 double weight, const fbp_step *step) {
    const real *D = batch->D;
    real *G = batch->to_b;
    int64_t j = 0;
    for (; j + 8 * VL <= batch->n_columns; j += 8 * VL)
        sum_rows(G + j, D + j, batch->stride, n_rows, is_first, 8);
    for (; j < batch->n_columns; j += VL) sum_rows(G + j, D + j, batch->stride, n_rows, is_first, 1);
    if (step) take_steps(layer->b, layer->V_b, G, layer->n_out, weight, step, 1);
}

/* The gradients of n inputs from first_input on, over n_rows rows, are added to those before unless
 * these rows are the batch's first; then, with a step, W takes it for weight times their sum. */
static void batch_update(const fbp_batch *batch, const fbp_layer *layer, const fbp_row *rows, int64_t n_rows,
                         int64_t first_input, int64_t n, int is_first, double weight, const fbp_step *step) {
    if (first_input == 0) update_bias_of_batch(batch, layer, n_rows, is_first, weight, step);
    if (batch->sparse && is_first && step && step->rule == FBP_PLAIN && step->decay[0][0] == 1) {
        sparse_step(batch, layer, rows, n_rows, first_input, n, weight * step->rate[0]);
        return;
    }
    if (!step) {
        update_inputs_of_batch(batch, layer, rows, n_rows, first_input, n, is_first, NULL, 1, FBP_PLAIN);
        return;
    }
    vec_step s = step_times(step, weight, 0);
    if (!batch->sparse) s.state_stride = batch->state_stride;
    update_inputs_of_batch(batch, layer, rows, n_rows, first_input, n, is_first, &s, moves_all(step), step->rule);
    if (batch->W_T) transpose_inputs(batch, layer, first_input, n);
}

/* The sum of w^2 over n inputs of a panel, NV vectors wide, of which the last has n_tail outputs:
 * values behind them are not used. Summed as `dot` would, of a panel that is full. */
INLINE double squares_of_panel(const real *W, int64_t n, int n_tail, const int NV) {
    const int64_t n_vectors = n * NV;
    vec sums[4] = {v_set1(0), v_set1(0), v_set1(0), v_set1(0)};
    int64_t k = 0;
#define ADD(U, S)                                                                       \
    do {                                                                                \
        const vec w = v_load_part(W + (k + (U)) * VL, (U) % NV < NV - 1 ? VL : n_tail); \
        sums[S] = v_fma(w, w, sums[S]);                                                 \
    } while (0)
    for (; k + 4 <= n_vectors; k += 4)
        UNROLL for (int u = 0; u < 4; u++) ADD(u, u);
    for (; k < n_vectors; k += NV)
        UNROLL for (int u = 0; u < NV; u++) ADD(u, 0);
#undef ADD
    return v_sum(v_add(v_add(sums[0], sums[1]), v_add(sums[2], sums[3])));
}

/* The sum of w^2 over n inputs from first_input on */
static double batch_penalty(const fbp_batch *batch, const fbp_layer *layer, int64_t first_input, int64_t n) {
    const int64_t n_columns = batch->n_columns;
    double sum = 0;
    if (batch->sparse)
        return sum_squares((const real *)layer->W + first_input * layer->n_out, n * layer->n_out);
    for (int64_t j = 0; j < n_columns; j += DENSE_PANEL) {
        const int64_t width = width_of_panel(n_columns, j), n_last = layer->n_out - j - (width - VL);
        const real *W = (const real *)batch->W + j * layer->n_in + first_input * width;
        if (n_last >= VL) sum += sum_squares(W, n * width);
        else if (width == VL) sum += squares_of_panel(W, n, (int)n_last, 1);
        else sum += squares_of_panel(W, n, (int)n_last, 2);
    }
    return sum;
}

#endif
