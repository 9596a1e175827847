/* A row's contents as one number: rows can then be put in an order that is not the table's. */
#ifndef FASTBP_KERNELS_HASH_INC_H
#define FASTBP_KERNELS_HASH_INC_H

#include "layer.inc.h"

/* Each bit of the result depends on every bit of k: the finaliser of SplitMix64 (Steele, Lea and
 * Flood, "Fast splittable pseudorandom number generators", 2014). */
INLINE uint64_t mixed(uint64_t k) {
    k = (k ^ (k >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    k = (k ^ (k >> 27)) * UINT64_C(0x94D049BB133111EB);
    return k ^ (k >> 31);
}

/* sum over the row's non-zero values v of mixed(column of v, v): the same for a dense row and its
 * non-zeros alone, and for the same values as float and double. Columns count from first_column. */
static uint64_t hash_row(const fbp_row *x, int64_t first_column) {
    const real *values = x->values;
    uint64_t sum = 0;
    for (int64_t p = 0; p < x->n; p++) {
        const union { double number; uint64_t bits; } value = {.number = values[p]};
        const uint64_t column = (uint64_t)(first_column + input_of(x, p)) + 1;
        const uint64_t h = mixed(value.bits ^ (column * UINT64_C(0x9E3779B97F4A7C15)));
        sum += value.number != 0 ? h : 0;
    }
    return sum;
}

#endif
