/* Dropout of hidden units while training (Srivastava et al., 2014), scaled so that predicting needs to
 * know nothing of it. With m = 1 / (1 - dropout) for a unit that stays, and 0 for one that is dropped:
 *
 *     forward    a = m f(z)
 *     backward   dE/dz = m dE/da f'(z)
 *
 * Whether unit j stays for a sample follows from their numbers and the seed alone, by the numbers of
 * SplitMix64 (see hash.inc.h): nothing is kept, any thread may ask, and every dtype, instruction set
 * and batch size drops the same units. */
#ifndef FASTBP_KERNELS_DROPOUT_INC_H
#define FASTBP_KERNELS_DROPOUT_INC_H

#include "hash.inc.h"

/* The number that a sample's draws for a layer start from. */
INLINE uint64_t dropout_start(const fbp_layer *layer, uint64_t sample) {
    return mixed(mixed(layer->dropout_seed) + sample);
}

/* values = m values; a table of both factors, since branches would be predicted wrongly half the time */
INLINE void drop(const fbp_layer *layer, real *values, uint64_t sample) {
    const uint64_t start = dropout_start(layer, sample), limit = (uint64_t)(layer->dropout * 0x1p53);
    const real factors[2] = {(real)(1 / (1 - layer->dropout)), 0};
    for (int64_t j = 0; j < layer->n_out; j++) {
        const uint64_t drawn = mixed(start + (uint64_t)(j + 1) * UINT64_C(0x9E3779B97F4A7C15));
        values[j] *= factors[drawn >> 11 < limit];
    }
}

/* a = m a */
static void drop_units(const fbp_layer *layer, void *a, uint64_t sample) { drop(layer, a, sample); }

/* delta = m delta, and a = f(z) again where the unit stays, for f'(z) is written in terms of it */
static void drop_deltas(const fbp_layer *layer, void *delta, void *a_, uint64_t sample) {
    const real keep = (real)(1 - layer->dropout);
    real *a = a_;
    drop(layer, delta, sample);
    for (int64_t j = 0; j < layer->n_out; j++) a[j] *= keep;
}

#endif
