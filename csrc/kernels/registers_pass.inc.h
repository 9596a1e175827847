/* What both loops of registers.inc.h are made of: the passes over W[1], a tile of some vectors of hidden units
 * at a time, and what a run is given. */
#ifndef FASTBP_KERNELS_REGISTERS_PASS_INC_H
#define FASTBP_KERNELS_REGISTERS_PASS_INC_H

#include "activations.inc.h"
#include "arrays.inc.h"
#include "blocks.inc.h"
#include "layer.inc.h"
#include "losses.inc.h"
#include "solvers.inc.h"
#include "rows.h"

/* How many rows ahead one is fetched. */
enum { AHEAD = 12 };

/* What train_registers is given, and what it returns. */
typedef struct {
    fbp_net *net;
    fbp_block *block;
    const fbp_data *data;
    const int64_t *order;
    int64_t start, stop;
    const fbp_step *step;
    double max_loss, loss_sum;
} registers_run;

/* What a step has besides gradients. */
enum { NEITHER, DECAYS = 1, MOVES = 2 };

/* w' and v' for the gradient whose steps are x D and x E */
INLINE void registers_step(vec *w, vec *v, vec x, vec D, vec E, const vec_step *s, const int KIND) {
    const vec old = *w;
    vec decayed = KIND & DECAYS ? v_mul(s->decay[0][0], old) : old;
    if (KIND & MOVES) {
        const vec decayed_v = v_mul(s->decay[1][1], *v);
        decayed = v_fma(s->decay[0][1], *v, decayed);
        *v = v_fma(x, E, KIND & DECAYS ? v_fma(s->decay[1][0], old, decayed_v) : decayed_v);
    }
    *w = v_fma(x, D, decayed);
}

/* w and v without a gradient */
INLINE vec registers_decayed(vec w, vec v, const vec_step *s, const int KIND) {
    const vec decayed = KIND & DECAYS ? v_mul(s->decay[0][0], w) : w;
    return KIND & MOVES ? v_fma(s->decay[0][1], v, decayed) : decayed;
}

enum {
    MAX_VECTORS = 2 * REGISTER_VECTORS, /* of hidden units */
    TILE_VECTORS = 6,                   /* of W that a pass has registers for */
};

/* How many of NV vectors are a tile; what remains is the last one. */
INLINE int registers_tile(int NV, int moves) {
    if (moves) return NV == 4 ? 2 : NV;
    return NV <= TILE_VECTORS ? NV : 4;
}

/* BODY(q, NQ) for each tile: its first vector, and how many. */
#define EACH_TILE(BODY)                                                  \
    do {                                                                 \
        UNROLL for (int q = 0; q + TILE <= NV; q += TILE) BODY(q, TILE); \
        if (NV % TILE) BODY((NV - NV % TILE), (NV % TILE));              \
    } while (0)

/* A tile of NQ vectors: every input's W takes the step of the row x_last; Z = next W, Z_V = next V. */
INLINE void registers_pass(vec *Z, vec *Z_V, real *W, int64_t n_in, const real *x_last, const real *next,
                           const vec *D, const vec *E, const vec_step *s, const int NQ, const int KIND) {
    const int64_t stride = KIND & MOVES ? 2 * NQ * VL : NQ * VL;
    UNROLL for (int q = 0; q < NQ; q++) {
        Z[q] = v_set1(0);
        if (KIND & MOVES) Z_V[q] = v_set1(0);
    }
    for (int64_t i = 0; i < n_in; i++, W += stride) {
        const vec to_last = v_set1(x_last[i]), to_next = v_set1(next[i]);
        UNROLL for (int q = 0; q < NQ; q++) {
            real *w_at = W + q * VL, *v_at = w_at + stride / 2;
            vec w = v_load(w_at), v = KIND & MOVES ? v_load(v_at) : w;
            registers_step(&w, &v, to_last, D[q], E[q], s, KIND);
            v_store(w_at, w);
            Z[q] = v_fma(to_next, w, Z[q]);
            if (KIND & MOVES) {
                v_store(v_at, v);
                Z_V[q] = v_fma(to_next, v, Z_V[q]);
            }
        }
    }
    UNROLL for (int q = 0; q < NQ; q++) {
        KEEP_IN_REGISTER(Z[q]);
        if (KIND & MOVES) KEEP_IN_REGISTER(Z_V[q]);
    }
}

/* What a run begins and ends with is no call: that would take registers from the rows between. Of vector q of
 * hidden units, W stands from the returned address on, every `stride` numbers. */
INLINE real *registers_vector(real *W, int64_t *stride, int64_t n_in, int q, int NV, int moves) {
    const int upper = registers_tile(NV, moves), tile = q / upper * upper;
    const int width = NV - tile < upper ? NV - tile : upper;
    *stride = (moves ? 2 : 1) * width * VL;
    return W + (moves ? 2 : 1) * n_in * tile * VL + (q - tile) * VL;
}

/* z of the first row, and Z of the next */
INLINE void registers_begin(vec *z, vec *Z, const registers_run *run, const vec_step *s, int NV, int kind) {
    const fbp_block *block = run->block;
    const int64_t *order = run->order, start = run->start, n_in = run->net->layers->n_in;
    const real *x = fbp_dense_row(run->data, order[start]), *b = block->b;
    const real *next = fbp_dense_row(run->data, order[start + 1 < run->stop ? start + 1 : start]);
    for (int q = 0; q < NV; q++) {
        int64_t stride;
        const real *w = registers_vector(block->W, &stride, n_in, q, NV, kind & MOVES);
        const real *v = kind & MOVES ? w + stride / 2 : w;
        vec Z_V = v_set1(0);
        z[q] = Z[q] = Z_V;
        for (int64_t i = 0; i < n_in; i++, w += stride, v += stride) {
            z[q] = v_fma(v_set1(x[i]), v_load(w), z[q]);
            Z[q] = v_fma(v_set1(next[i]), v_load(w), Z[q]);
            Z_V = v_fma(v_set1(next[i]), v_load(v), Z_V);
        }
        z[q] = v_add(z[q], v_load(b + q * VL));
        Z[q] = registers_decayed(Z[q], Z_V, s, kind);
    }
}

/* W takes the step of the last row, x D, without momentum. */
INLINE void registers_end(const registers_run *run, const real *x, const vec *D, int NV) {
    const int64_t n_in = run->net->layers->n_in;
    for (int q = 0; q < NV; q++) {
        int64_t stride;
        real *w = registers_vector(run->block->W, &stride, n_in, q, NV, 0);
        for (int64_t i = 0; i < n_in; i++, w += stride) v_store(w, v_fma(v_set1(x[i]), D[q], v_load(w)));
    }
}

/* The units of the last vector: 1 where there is one, and 0 behind them */
INLINE vec registers_last_units(const fbp_layer *layer, int NV) {
    real units[VL];
    for (int j = 0; j < VL; j++) units[j] = (NV - 1) * VL + j < layer->n_out;
    return v_load(units);
}

/* From or to where they belong. */
INLINE void registers_move(vec *parameter, real *at, const int NV, int loading) {
    UNROLL for (int q = 0; q < NV; q++) {
        if (loading) parameter[q] = v_load(at + q * VL);
        else v_store(at + q * VL, parameter[q]);
    }
}

#endif
