/* NumPy's legacy shuffle, bit for bit, without a branch that depends on the numbers drawn.
 *
 * RandomState.shuffle exchanges order[i] with order[j] for i = n - 1 down to 1, j uniform in
 * 0..i: the first 32-bit number of the generator whose bits under mask, the smallest 2^k - 1 >= i,
 * are not above i. Up to half of the numbers are turned down, at random; here these exchange
 * order[i] with itself and leave i as it is, which costs less than a wrongly predicted branch.
 *
 * The generator is the MT19937 of Matsumoto and Nishimura (1998), a block of numbers at a time. */
#include "fastbp.h"

enum { LENGTH = FBP_MT19937_LENGTH, SHIFT = 397 };

/* The recurrence's new word for two neighbours of the last block: the top bit of the one and the
 * others of the next, times the matrix A. */
static inline uint32_t twisted(uint32_t word, uint32_t next) {
    const uint32_t y = (word & 0x80000000u) | (next & 0x7fffffffu);
    return (y >> 1) ^ ((0u - (y & 1u)) & 0x9908b0dfu);
}

/* key[i] = key[i + SHIFT] ^ twisted(key[i], key[i + 1]), indices modulo LENGTH */
static void next_block(uint32_t *key) {
    for (int i = 0; i < LENGTH - SHIFT; i++) key[i] = key[i + SHIFT] ^ twisted(key[i], key[i + 1]);
    for (int i = LENGTH - SHIFT; i < LENGTH - 1; i++)
        key[i] = key[i + SHIFT - LENGTH] ^ twisted(key[i], key[i + 1]);
    key[LENGTH - 1] = key[SHIFT - 1] ^ twisted(key[LENGTH - 1], key[0]);
}

/* The block's numbers, from its words. */
static void temper(uint32_t *numbers, const uint32_t *key) {
    for (int i = 0; i < LENGTH; i++) {
        uint32_t y = key[i];
        y ^= y >> 11;
        y ^= (y << 7) & 0x9d2c5680u;
        y ^= (y << 15) & 0xefc60000u;
        numbers[i] = y ^ (y >> 18);
    }
}

void fbp_shuffle(int64_t *order, int64_t n, fbp_mt19937 *generator) {
    uint32_t numbers[LENGTH], mask = 1;
    int64_t i = n - 1;
    if (i < 1) return;
    while (mask < (uint64_t)i) mask = 2 * mask + 1;
    temper(numbers, generator->key);
    for (; i > 0; mask >>= 1) {
        const int64_t last = mask >> 1; /* up to where the mask is the same */
        while (i > last) {
            if (generator->pos == LENGTH) {
                next_block(generator->key);
                temper(numbers, generator->key);
                generator->pos = 0;
            }
            int pos = generator->pos;
            while (pos < LENGTH && i > last) {
                const int64_t drawn = numbers[pos++] & mask;
                const int64_t j = drawn <= i ? drawn : i, moved = order[i];
                order[i] = order[j];
                order[j] = moved;
                i -= drawn <= i;
            }
            generator->pos = pos;
        }
    }
}
