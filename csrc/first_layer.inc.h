/* The first layer, one block of rows behind: exact, at the speed of a matrix product.
 *
 * Its inputs are known before the rows above are trained, so a block's X W is computed in one pass
 * over W, and what the rows of the block change in W meanwhile is added as a correction. With
 * D_s = -learning_rate * weight_s * delta_s of row s, G = X X' and decay c = 1 - learning_rate alpha:
 *
 *     z_t = c^t (X W)_t + b + sum over s < t of (c^(t-1-s) G[t][s] + 1) D_s
 *     W   = c^n W + sum over s of c^(n-1-s) outer(x_s, D_s),     b = b + sum of D_s
 *
 * (the 1 is the bias, which does not decay). The second line is done in the pass over W that the
 * next block's X W needs anyway, a chunk of inputs at a time while it is in the nearest cache.
 *
 * W stands in panels of two vectors of outputs, W[panel][input][PANEL], X as X[input][row]; Z and D
 * as [panel][row][PANEL]. */

enum {
    PANEL = 2 * VL,
    BLOCK = VL > 8 ? VL : 8, /* rows */
    CHUNK = 96               /* inputs */
};

/* W[0..INPUTS) = c W + X D */
INLINE void update_tile(real *W, const real *X, const real *D, real decay, const int INPUTS) {
    vec sums[12][2];
    const vec c = v_set1(decay);
    UNROLL for (int i = 0; i < INPUTS; i++) {
        sums[i][0] = v_mul(c, v_load(W + i * PANEL));
        sums[i][1] = v_mul(c, v_load(W + i * PANEL + VL));
    }
    for (int s = 0; s < BLOCK; s++) {
        const vec d0 = v_load(D + s * PANEL), d1 = v_load(D + s * PANEL + VL);
        UNROLL for (int i = 0; i < INPUTS; i++) {
            const vec x = v_set1(X[i * BLOCK + s]);
            sums[i][0] = v_fma(x, d0, sums[i][0]);
            sums[i][1] = v_fma(x, d1, sums[i][1]);
        }
    }
    UNROLL for (int i = 0; i < INPUTS; i++) {
        v_store(W + i * PANEL, sums[i][0]);
        v_store(W + i * PANEL + VL, sums[i][1]);
    }
}

/* W = c W + X D, n inputs of one panel */
static void update_panel(real *W, const real *X, const real *D, real decay, int64_t n) {
    int64_t i = 0;
    for (; i + INPUT_TILE <= n; i += INPUT_TILE)
        update_tile(W + i * PANEL, X + i * BLOCK, D, decay, INPUT_TILE);
    for (; i + 4 <= n; i += 4) update_tile(W + i * PANEL, X + i * BLOCK, D, decay, 4);
    for (; i + 2 <= n; i += 2) update_tile(W + i * PANEL, X + i * BLOCK, D, decay, 2);
    if (i < n) update_tile(W + i * PANEL, X + i * BLOCK, D, decay, 1);
}

/* Z[0..ROW_TILE) += X W over n inputs of one panel; from zero for the first of them */
INLINE void forward_tile(real *Z, const real *X, const real *W, int64_t n, int first) {
    vec sums[ROW_TILE][2];
    UNROLL for (int t = 0; t < ROW_TILE; t++) {
        sums[t][0] = first ? v_set1(0) : v_load(Z + t * PANEL);
        sums[t][1] = first ? v_set1(0) : v_load(Z + t * PANEL + VL);
    }
    for (int64_t i = 0; i < n; i++) {
        const vec w0 = v_load(W + i * PANEL), w1 = v_load(W + i * PANEL + VL);
        UNROLL for (int t = 0; t < ROW_TILE; t++) {
            const vec x = v_set1(X[i * BLOCK + t]);
            sums[t][0] = v_fma(x, w0, sums[t][0]);
            sums[t][1] = v_fma(x, w1, sums[t][1]);
        }
    }
    UNROLL for (int t = 0; t < ROW_TILE; t++) {
        v_store(Z + t * PANEL, sums[t][0]);
        v_store(Z + t * PANEL + VL, sums[t][1]);
    }
}

/* G[t][s] = x_t . x_s for the ROW_TILE rows from t on and all s up to them, in NV vectors of s */
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

/* W of the layer into panels, and b; what stands behind n_out is zero. */
static void block_load(fbp_block *block, const fbp_layer *layer) {
    const int64_t n_in = layer->n_in, n_out = layer->n_out;
    const real *W = layer->W;
    real *to = block->W;
    for (int64_t p = 0; p < block->n_panels; p++) {
        const int64_t width = n_out - p * PANEL < PANEL ? n_out - p * PANEL : PANEL;
        for (int64_t i = 0; i < n_in; i++, to += PANEL)
            for (int64_t j = 0; j < PANEL; j++) to[j] = j < width ? W[i * n_out + p * PANEL + j] : 0;
    }
    memset(block->b, 0, (size_t)block->n_panels * PANEL * sizeof(real));
    memcpy(block->b, layer->b, (size_t)n_out * sizeof(real));
    block->n_pending = 0;
}

/* The rows side by side, X[i][t]; rows behind the last are zero. */
INLINE void pack_rows(real *X, const void *const *rows, int64_t n_in, int n_rows) {
    const real *x[BLOCK];
    if (n_rows < BLOCK) {
        for (int t = 0; t < BLOCK; t++)
            for (int64_t i = 0; i < n_in; i++)
                X[i * BLOCK + t] = t < n_rows ? ((const real *)rows[t])[i] : 0;
        return;
    }
    for (int t = 0; t < BLOCK; t++) x[t] = rows[t];
    for (int64_t i = 0; i < n_in; i++)
        UNROLL for (int t = 0; t < BLOCK; t++) X[i * BLOCK + t] = x[t][i];
}

/* Write what the last block left, D_s already times c^(n-1-s); then Z = X W and G of the rows. */
static void block_forward(fbp_block *block, const fbp_layer *layer, const void *const *rows,
                          int n_rows, double decay) {
    const int64_t n_in = layer->n_in;
    const real *X_last = block->X[block->turn], *D_last = block->D[block->turn];
    block->turn ^= 1;
    real *X = block->X[block->turn], *Z = block->Z, *G = block->G;
    real pending_decay = 1;
    for (int s = 0; s < block->n_pending; s++) pending_decay *= (real)decay;

    pack_rows(X, rows, n_in, n_rows);
    for (int64_t i = 0; i < n_in; i += CHUNK) {
        const int64_t n = n_in - i < CHUNK ? n_in - i : CHUNK;
        for (int64_t p = 0; p < block->n_panels; p++) {
            real *W = (real *)block->W + (p * n_in + i) * PANEL;
            if (block->n_pending)
                update_panel(W, X_last + i * BLOCK, D_last + p * BLOCK * PANEL, pending_decay, n);
            for (int t = 0; t < BLOCK; t += ROW_TILE)
                forward_tile(Z + (p * BLOCK + t) * PANEL, X + i * BLOCK + t, W, n, i == 0);
        }
    }
    for (int t = 0; t < BLOCK; t += 4) {
        switch ((t + 4 + VL - 1) / VL) { /* whole vectors of s */
        case 1: gram_tile(G, X, n_in, t, 1); break;
        case 2: gram_tile(G, X, n_in, t, BLOCK / VL < 2 ? BLOCK / VL : 2); break;
        default: gram_tile(G, X, n_in, t, BLOCK / VL);
        }
    }
    block->n_pending = 0;
}

/* z_t, NP panels from panel p on */
INLINE void correct_panels(real *z, const fbp_block *block, int64_t p, int t, real decay_t,
                           const real *coefficients, const int NP) {
    const real *Z = (const real *)block->Z + (p * BLOCK + t) * PANEL;
    const real *D = (const real *)block->D[block->turn] + p * BLOCK * PANEL;
    const real *b = (const real *)block->b + p * PANEL;
    const vec c = v_set1(decay_t);
    vec sums[8];
    UNROLL for (int q = 0; q < 2 * NP; q++)
        sums[q] = v_fma(c, v_load(Z + q / 2 * BLOCK * PANEL + q % 2 * VL), v_load(b + q * VL));
    for (int s = 0; s < t; s++) {
        const vec g = v_set1(coefficients[s]);
        UNROLL for (int q = 0; q < 2 * NP; q++)
            sums[q] = v_fma(g, v_load(D + (q / 2 * BLOCK + s) * PANEL + q % 2 * VL), sums[q]);
    }
    UNROLL for (int q = 0; q < 2 * NP; q++) v_store(z + p * PANEL + q * VL, sums[q]);
}

/* z_t = c^t Z_t + b + sum over s < t of (c^(t-1-s) G[t][s] + 1) D_s */
static void block_correct(const fbp_block *block, void *z, int t, double decay) {
    const real *G = (const real *)block->G + t * BLOCK;
    real coefficients[BLOCK], power = 1;
    for (int s = t - 1; s >= 0; s--, power *= (real)decay) coefficients[s] = power * G[s] + 1;
    int64_t p = 0;
    for (; p + 4 <= block->n_panels; p += 4) correct_panels(z, block, p, t, power, coefficients, 4);
    for (; p < block->n_panels; p++) correct_panels(z, block, p, t, power, coefficients, 1);
}

/* D_t = scale delta */
static void block_keep(fbp_block *block, const void *delta_, int t, double scale) {
    const real *delta = delta_;
    const vec s = v_set1((real)scale);
    real *D = (real *)block->D[block->turn] + t * PANEL;
    for (int64_t p = 0; p < block->n_panels; p++, D += BLOCK * PANEL, delta += PANEL) {
        v_store(D, v_mul(s, v_load(delta)));
        v_store(D + VL, v_mul(s, v_load(delta + VL)));
    }
}

/* b += sum of D; and D ready for the update of W: D_s c^(n-1-s), zero behind the last row */
static void block_close(fbp_block *block, int n_rows, double decay) {
    real *D = block->D[block->turn], *b = block->b, powers[BLOCK];
    real power = 1;
    for (int s = BLOCK - 1; s >= 0; s--) {
        powers[s] = s < n_rows ? power : 0;
        if (s < n_rows) power *= (real)decay;
    }
    for (int64_t p = 0; p < block->n_panels; p++, b += PANEL) {
        vec b0 = v_load(b), b1 = v_load(b + VL);
        for (int s = 0; s < BLOCK; s++, D += PANEL) {
            const vec d0 = v_load(D), d1 = v_load(D + VL), c = v_set1(powers[s]);
            if (s < n_rows) {
                b0 = v_add(b0, d0);
                b1 = v_add(b1, d1);
            }
            if (powers[s] != 1) {
                v_store(D, v_mul(c, d0));
                v_store(D + VL, v_mul(c, d1));
            }
        }
        v_store(b, b0);
        v_store(b + VL, b1);
    }
    block->n_pending = n_rows;
}

/* Write what is pending, without another block. */
static void write_pending(fbp_block *block, int64_t n_in, double decay) {
    real pending_decay = 1;
    for (int s = 0; s < block->n_pending; s++) pending_decay *= (real)decay;
    if (block->n_pending)
        for (int64_t p = 0; p < block->n_panels; p++)
            update_panel((real *)block->W + p * n_in * PANEL, block->X[block->turn],
                         (const real *)block->D[block->turn] + p * BLOCK * PANEL, pending_decay, n_in);
    block->n_pending = 0;
}

/* What is pending into the panels, and these back into W and b of the layer. */
static void block_unload(fbp_block *block, const fbp_layer *layer, double decay) {
    const int64_t n_in = layer->n_in, n_out = layer->n_out;
    const real *from = block->W;
    real *W = layer->W;
    write_pending(block, n_in, decay);
    memcpy(layer->b, block->b, (size_t)n_out * sizeof(real));
    for (int64_t p = 0; p < block->n_panels; p++) {
        const int64_t width = n_out - p * PANEL < PANEL ? n_out - p * PANEL : PANEL;
        for (int64_t i = 0; i < n_in; i++, from += PANEL)
            for (int64_t j = 0; j < width; j++) W[i * n_out + p * PANEL + j] = from[j];
    }
}
