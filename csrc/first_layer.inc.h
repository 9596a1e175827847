/* The first layer, one block of rows behind: exact, at the speed of a matrix product.
 *
 * Its inputs are known before the rows above are trained, so a block's X W is computed in one pass
 * over W, and what the rows of the block change in W meanwhile is added as a correction. With
 * D_s = -learning_rate * weight_s * delta_s of row s, G = X X' and decay c = 1 - learning_rate alpha:
 *
 *     z_t = c^t (X W)_t + b + sum over s < t of (c^(t-1-s) G[t][s] + 1) D_s
 *     W   = c^n W + sum over s of c^(n-1-s) outer(x_s, D_s),     b = b + sum of D_s
 *
 * (the 1 is the bias, which does not decay). The second line waits for the pass over W that the next
 * block's X W needs anyway: for dense rows in first_layer_dense.inc.h, for rows of non-zeros in
 * first_layer_sparse.inc.h.
 *
 * W stands in panels of some vectors of outputs, W[panel][input][panel_width]: a row-major W has
 * its rows a power of two apart and loses to cache conflicts. Z = X W and D are row-major with
 * rows block.stride apart, for the same reason a little more than there are columns. */

enum { BLOCK = VL > 8 ? VL : 8 }; /* rows */

/* c^n */
INLINE real decay_power(double decay, int n) {
    real power = 1;
    for (int s = 0; s < n; s++) power *= (real)decay;
    return power;
}

/* W of the layer into panels and back; what stands behind n_out is zero. */
INLINE void copy_panels(const fbp_block *block, const fbp_layer *layer, int loading) {
    const int64_t n_in = layer->n_in, n_out = layer->n_out, panel = block->panel_width;
    real *packed = block->W, *W = layer->W;
    for (int64_t first = 0; first < block->n_columns; first += panel) {
        const int64_t width = n_out - first < panel ? n_out - first : panel;
        for (int64_t i = 0; i < n_in; i++, packed += panel) {
            real *own = W + i * n_out + first;
            for (int64_t j = 0; j < width; j++) {
                if (loading) packed[j] = own[j];
                else own[j] = packed[j];
            }
            if (loading)
                for (int64_t j = width > 0 ? width : 0; j < panel; j++) packed[j] = 0;
        }
    }
}

/* z_t, NV vectors of outputs from column j on */
INLINE void correct_columns(real *z, const fbp_block *block, int64_t j, int t, real decay_t,
                            const real *coefficients, const int NV) {
    const real *Z = (const real *)block->Z + t * block->stride + j;
    const real *D = (const real *)block->D + j, *b = (const real *)block->b + j;
    const vec c = v_set1(decay_t);
    vec sums[8];
    UNROLL for (int q = 0; q < NV; q++)
        sums[q] = v_fma(c, v_load(Z + q * VL), v_load(b + q * VL));
    for (int s = 0; s < t; s++, D += block->stride) {
        const vec g = v_set1(coefficients[s]);
        UNROLL for (int q = 0; q < NV; q++) sums[q] = v_fma(g, v_load(D + q * VL), sums[q]);
    }
    UNROLL for (int q = 0; q < NV; q++) v_store(z + j + q * VL, sums[q]);
}

/* z_t = c^t Z_t + b + sum over s < t of (c^(t-1-s) G[t][s] + 1) D_s */
static void block_correct(const fbp_block *block, void *z, int t, double decay) {
    const real *G = (const real *)block->G + t * BLOCK;
    real coefficients[BLOCK], power = 1;
    for (int s = t - 1; s >= 0; s--, power *= (real)decay) coefficients[s] = power * G[s] + 1;
    int64_t j = 0;
    for (; j + 8 * VL <= block->n_columns; j += 8 * VL)
        correct_columns(z, block, j, t, power, coefficients, 8);
    for (; j < block->n_columns; j += 2 * VL)
        correct_columns(z, block, j, t, power, coefficients, 2);
}

/* D_t = scale delta */
static void block_keep(fbp_block *block, const void *delta_, int t, double scale) {
    const real *delta = delta_;
    real *D = (real *)block->D + t * block->stride;
    const vec s = v_set1((real)scale);
    for (int64_t j = 0; j < block->n_columns; j += VL) v_store(D + j, v_mul(s, v_load(delta + j)));
}

/* b += sum of D; and D ready for W: D_s c^(n-1-s), zero behind the last row */
static void block_close(fbp_block *block, int n_rows, double decay) {
    real *b = block->b, power = 1;
    for (int s = BLOCK - 1; s >= 0; s--) {
        real *D = (real *)block->D + s * block->stride;
        if (s >= n_rows) {
            memset(D, 0, (size_t)block->n_columns * sizeof(real));
            continue;
        }
        for (int64_t j = 0; j < block->n_columns; j += VL) {
            const vec d = v_load(D + j);
            v_store(b + j, v_add(v_load(b + j), d));
            if (decay != 1) v_store(D + j, v_mul(v_set1(power), d));
        }
        power *= (real)decay;
    }
    block->n_pending = n_rows;
}
