/* batches.inc.h's first layer for rows of non-zeros, dense ones that are mostly zeros among them: each
 * non-zero meets the weights of its input, and no others.
 *
 * W and its gradients stay row-major. A chunk of inputs is taken at a time, which all rows in hand go
 * through strip by strip of up to eight vectors of outputs: so that a strip's part of W, or of the
 * gradients, stays in the nearest cache. */
#ifndef FASTBP_KERNELS_BATCHES_SPARSE_INC_H
#define FASTBP_KERNELS_BATCHES_SPARSE_INC_H

#include "blocks_sparse.inc.h"
#include "solvers.inc.h"
#include "sparse.inc.h"

/* Z += X W over the parts of n_rows rows in one chunk of inputs */
static void product_of_parts(const fbp_batch *batch, const fbp_layer *layer, int64_t n_rows) {
    const fbp_row *parts = batch->parts;
    const int64_t n_out = layer->n_out, stride = batch->stride;
    const real *W = layer->W;
    real *Z = batch->Z;
#define ROWS(NV)                           \
    for (int64_t r = 0; r < n_rows; r++)   \
        if (parts[r].n) strip_product(Z + r * stride + j, W + j, n_out, &parts[r], 0, NV)
#define ROWS_N(m)                          \
    for (int64_t r = 0; r < n_rows; r++)   \
        if (parts[r].n) strip_product_n(Z + r * stride + j, W + j, n_out, &parts[r], m)
    EACH_STRIP(n_out, ROWS, ROWS_N);
#undef ROWS
#undef ROWS_N
}

/* G += factor X' D over the parts, where G begins with first_input */
static void gradients_of_parts(real *G, int64_t first_input, const fbp_batch *batch, int64_t n_out,
                               int64_t n_rows, real factor) {
    const fbp_row *parts = batch->parts;
    const int64_t stride = batch->stride;
    const real *D = batch->D;
#define ROWS(NV)                                                                              \
    for (int64_t r = 0; r < n_rows; r++)                                                      \
        if (parts[r].n)                                                                       \
            strip_update(G + j, n_out, first_input, &parts[r], D + r * stride + j, factor, NV)
#define ROWS_N(m)                                                                             \
    for (int64_t r = 0; r < n_rows; r++)                                                      \
        if (parts[r].n)                                                                       \
            strip_update_n(G + j, n_out, first_input, &parts[r], D + r * stride + j, factor, m)
    EACH_STRIP(n_out, ROWS, ROWS_N);
#undef ROWS
#undef ROWS_N
}

/* Z += X W of a group of rows */
static void sparse_products(const fbp_batch *batch, const fbp_layer *layer, const fbp_row *rows, int n_rows) {
    const int64_t n_in = layer->n_in, chunk = sparse_chunk(8 * VL, n_in, rows, n_rows);
    start_parts(batch->parts, rows, n_rows);
    for (int64_t i = 0; i < n_in; i += chunk) {
        next_parts(batch->parts, rows, n_rows, i + chunk);
        product_of_parts(batch, layer, n_rows);
    }
}

/* W += factor X' D for n inputs from i on */
static void sparse_step(const fbp_batch *batch, const fbp_layer *layer, const fbp_row *rows, int64_t n_rows,
                        int64_t i, int64_t n, double factor) {
    const int64_t chunk = sparse_chunk(8 * VL, layer->n_in, rows, n_rows), end = i + n;
    start_parts(batch->parts, rows, n_rows);
    next_parts(batch->parts, rows, n_rows, i);
    for (; i < end; i += chunk) {
        next_parts(batch->parts, rows, n_rows, i + chunk < end ? i + chunk : end);
        gradients_of_parts(layer->W, 0, batch, layer->n_out, n_rows, (real)factor);
    }
}

/* The step of m inputs from i on, of those alone that a row has, for a rule that lets the others rest. */
static void step_met(const fbp_batch *batch, real *W, real *V, int64_t n_out, int64_t n_rows, int64_t i,
                     int64_t m, const vec_step *s, fbp_rule rule) {
    const fbp_row *parts = batch->parts;
    real *G = batch->G_near;
    uint8_t *met = batch->met;
    memset(met, 0, (size_t)m);
    for (int64_t r = 0; r < n_rows; r++)
        for (int64_t p = 0; p < parts[r].n; p++) met[parts[r].columns[p] - i] = 1;
    for (int64_t k = 0; k < m; k++)
        if (met[k]) memset(G + k * n_out, 0, (size_t)n_out * sizeof(real));
    gradients_of_parts(G, i, batch, n_out, n_rows, 1);
    for (int64_t k = 0; k < m; k++)
        if (met[k]) step_all(W + k * n_out, V + k * n_out, G + k * n_out, n_out, s, rule);
}

/* The same as update_panels in batches.inc.h: the gradients of n inputs from i on, and with a step, W's
 * along them, of all weights or of those alone that have a gradient. Gradients that only this step needs are
 * summed up near by, a few inputs' at a time. */
static void update_sparse(const fbp_batch *batch, const fbp_layer *layer, const fbp_row *rows, int64_t n_rows,
                          int64_t i, int64_t n, int is_first, const vec_step *s, int all, fbp_rule rule) {
    const int64_t n_out = layer->n_out;
    const int is_whole = !(s && is_first);
    start_parts(batch->parts, rows, n_rows);
    next_parts(batch->parts, rows, n_rows, i);
    for (int64_t end = i + n, m; i < end; i += m) {
        m = end - i < batch->n_near ? end - i : batch->n_near;
        real *W = (real *)layer->W + i * n_out;
        real *V = fbp_rules[rule].n_moments ? (real *)layer->V_W + i * n_out : NULL;
        next_parts(batch->parts, rows, n_rows, i + m);
        if (fbp_rules[rule].rests && !is_whole && !all) {
            step_met(batch, W, V, n_out, n_rows, i, m, s, rule);
            continue;
        }
        real *G = is_whole ? (real *)batch->G + i * n_out : batch->G_near;
        if (is_first) memset(G, 0, (size_t)(m * n_out) * sizeof(real));
        gradients_of_parts(G, i, batch, n_out, n_rows, 1);
        if (s) step_all(W, V, G, m * n_out, s, rule);
    }
}

#endif
