/* Fisher and Yates's shuffle with a generator of three shifts: what a C program would do. */
#include <stdint.h>

static uint64_t shuffle_state = 88172645463325252u;

static void shuffle(int64_t *order, int64_t n)
{
    for (int64_t i = n - 1; i > 0; i--) {
        shuffle_state ^= shuffle_state << 13;
        shuffle_state ^= shuffle_state >> 7;
        shuffle_state ^= shuffle_state << 17;
        int64_t j = (int64_t)(((shuffle_state >> 32) * (uint64_t)(i + 1)) >> 32);
        int64_t row = order[i];
        order[i] = order[j];
        order[j] = row;
    }
}
