/* Every operation of every table (fastbp.h) against naive loops in double.
 *
 * For each instruction set that this machine can run and both dtypes: every length from 0 (1
 * where there is always one) to four vectors plus one, and around the eight vectors that the
 * widest loop takes at once; data that starts at odd places; sparse rows with columns in any
 * order and twice. Arrays stand between guards:
 *
 *   - an output may change only where its header says: its own n values, or, in scratch, those
 *     and the padding to FBP_ALIGNMENT bytes. Inputs may not change at all.
 *   - around unpadded arrays stands NaN: whatever is read there and used shows in the result.
 *   - in the padding of scratch stand finite numbers that must not show.
 *
 * Prints every failure (up to a few) and "N passed, N failed"; exits with 1 after a failure. */
#include "guarded_arrays.h"
#include "naive_layer.h"
#include "test_layers.h"
#include "test_outputs.h"
#include "test_arrays.h"
#include "test_sparse.h"
#include "test_blocks.h"
#include "test_batches.h"
#include "naive_network.h"
#include "test_registers.h"
#include "test_lanes.h"

static void test_vectors(int64_t lanes) {
    for (int64_t n = 0; n <= 4 * lanes + 1; n++) {
        test_list_active(n);
        test_dropout(n, 0.5);
        test_dropout(n, 0.1);
        for (int f = 0; f < FBP_N_ACTIVATION; f++) {
            if (n == 0 && f == FBP_SOFTMAX) continue;
            test_activate(f, n, 1);
            test_activate(f, n, 20);
            test_activate_at_the_edges(f, n);
            test_derive(f, n);
        }
        for (int shift = 0; shift < 4; shift++) {
            for (int loss = 0; n && loss < FBP_N_LOSS; loss++) {
                test_output_delta(loss, n, 2, shift);
                test_output_delta(loss, n, loss == FBP_POISSON || loss == FBP_RATIO_POISSON ? 20 : 300, shift);
            }
            for (int step = 0; step < N_STEPS; step++)
                for (int biases = 0; biases < 2; biases++) test_take_steps(n, step, biases, shift);
            for (int rule = 0; rule < FBP_N_RULE; rule++)
                for (int biases = 0; biases < 2 && !fbp_rules[rule].linear; biases++)
                    test_rule((fbp_rule)rule, n, biases, shift);
            test_sum_squares(n, shift);
            test_hash_row(n, shift);
            test_scale(n, shift);
            test_all_finite(n, shift);
            test_largest_size(n, shift);
        }
    }
}

/* Whether this machine can run them, or plays one that does (emulated_avx512.h). */
static int usable(fbp_isa isa) {
#ifdef FBP_EMULATED
    if (isa == FBP_AVX512) return fbp_isa_built(isa);
#endif
    return fbp_isa_usable(isa);
}

int main(void) {
    int n_tables = 0;
    for (int isa = 0; isa < FBP_N_ISA; isa++) {
        if (!usable((fbp_isa)isa)) continue;
        for (int dtype = 0; dtype < FBP_N_DTYPE; dtype++) {
            const long passed_before = passed, failed_before = failed;
            ops = fbp_table((fbp_isa)isa, (fbp_dtype)dtype);
            is_float = dtype == FBP_FLOAT32;
            eps = is_float ? FLT_EPSILON : DBL_EPSILON;
            smallest = is_float ? 0x1p-149 : 0x1p-1074;
            begin_random();
            describe("table");
            check(!strcmp(ops->isa, fbp_isa_name((fbp_isa)isa)), "calls itself %s", ops->isa);
            check(ops->itemsize == (is_float ? 4 : 8), "itemsize is %d", ops->itemsize);
            check(ops->lanes >= 1 && ops->lanes * ops->itemsize <= FBP_ALIGNMENT,
                  "%d lanes do not fit the padding", ops->lanes);
            test_hashes();
            test_roots();
            test_layers(ops->lanes);
            test_vectors(ops->lanes);
            test_all_sparse(ops->lanes);
            test_blocks(ops->lanes, 0);
            for (int vectors = 2; vectors <= 8; vectors *= 2) test_blocks(ops->lanes, vectors);
            test_batches(ops->lanes);
            test_registers();
            test_block_rows();
            test_lanes();
            printf("%s float%d, %d lanes: %ld passed, %ld failed\n", ops->isa, is_float ? 32 : 64,
                   ops->lanes, passed - passed_before, failed - failed_before);
            n_tables++;
        }
    }
    printf("%ld passed, %ld failed\n", passed, failed);
    return failed || !n_tables;
}
