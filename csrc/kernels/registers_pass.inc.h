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

/* Z = next W and Z_V = next V, without a step. */
INLINE void registers_forward(vec *Z, vec *Z_V, const real *W, int64_t n_in, const real *next, const int NQ,
                              const int KIND) {
    const int64_t stride = KIND & MOVES ? 2 * NQ * VL : NQ * VL;
    UNROLL for (int q = 0; q < NQ; q++) {
        Z[q] = v_set1(0);
        if (KIND & MOVES) Z_V[q] = v_set1(0);
    }
    for (int64_t i = 0; i < n_in; i++, W += stride) {
        const vec x = v_set1(next[i]);
        UNROLL for (int q = 0; q < NQ; q++) {
            Z[q] = v_fma(x, v_load(W + q * VL), Z[q]);
            if (KIND & MOVES) Z_V[q] = v_fma(x, v_load(W + q * VL + stride / 2), Z_V[q]);
        }
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
