/* sparse_*: the first layer for rows of non-zeros, row by row: csrc/kernels/sparse.inc.h. */

/* Rows with columns in any order, some of them twice. keep, if it is below 1, stands for the step's. */
static void test_sparse(int64_t n_in, int64_t n_out, int which, double decay, int n_rows, int shift) {
    fbp_step step = STEPS[which];
    if (decay < 1) step.decay[0][0] = decay;
    const int momentum = step.rule == FBP_MOMENTUM;
    const double roundings = 16 + 4 * (double)(n_in + n_rows);
    describe("sparse rows, %ld x %ld, %d of them, %s, keep %g, shift %d", (long)n_in, (long)n_out, n_rows,
             step_names[which], step.decay[0][0], shift);
    array delta = scratch("delta", n_out), z = scratch("z", n_out);
    array powers = unpadded("powers", 8 * FBP_POWERS * (int64_t)sizeof(double) / ops->itemsize, 0);
    array last_updated = unpadded("reached", n_in, 0); /* room enough for 32 bits each */
    random_layer l = new_layer(n_in, n_out, &delta, 1, momentum, shift);
    naive_layer naive = new_naive_layer(&l.W, &l.b, &l.V_W, &l.V_b);
    fbp_sparse sparse = {.clock = 7, .last_updated = momentum ? last_updated.at : NULL, .powers = powers.at};
    double *d = copy_of(&delta, 0), *expected = numbers(n_out), *size = numbers(n_out);
    l.layer.z = z.at;
    ops->sparse_begin(&sparse, &l.layer, &step);
    for (int r = 0; r < n_rows; r++) {
        const double weight = 1 + r % 2;
        random_row x = new_row(n_in, UNSORTED, r % 4);
        double *dense = numbers(n_in), *dense_size = numbers(n_in);
        spread(&x, dense, dense_size);
        naive_forward(&naive, dense, dense_size, expected, size);
        ops->sparse_forward(&sparse, &l.layer, &x.row);
        expect_close(&z, expected, size, roundings);
        naive_update(&naive, dense, dense_size, d, weight, &step);
        ops->sparse_update(&sparse, &l.layer, &x.row, weight, &step);
        finish_row(&x);
        free(dense), free(dense_size);
    }
    ops->sparse_end(&sparse, &l.layer);
    check(l.layer.scale == 1, "the scale is left at %g", l.layer.scale);
    expect_layer(&l.W, &l.b, momentum ? &l.V_W : NULL, momentum ? &l.V_b : NULL, &naive, roundings);
    finish(&delta, 0), finish(&z, 1), finish(&powers, momentum), finish(&last_updated, momentum);
    finish_layer(&l, 1, momentum);
    free_naive_layer(&naive);
    free(d), free(expected), free(size);
}

static void test_all_sparse(int64_t lanes) {
    for (int step = 0; step < ADD; step++) {
        for (int64_t n_out = 1; n_out <= 9 * lanes + 1; n_out++)
            test_sparse(1 + n_out % 7, n_out, step, 1, 5, (int)n_out % 4);
        for (int64_t n_in = 1; n_in <= 30; n_in++) test_sparse(n_in, lanes + 1, step, 1, 12, 1);
        test_sparse(300, 17 * lanes + 3, step, 1, 9, 1);      /* most inputs miss many rows */
        test_sparse(50, 2, step, 1, 0, 0);
    }
    test_sparse(20, 2 * lanes + 1, DECAY, 1e-3, 9, 1);      /* the scale leaves its range */
    test_sparse(20, 2 * lanes + 1, DECAY, 0, 9, 1);
}
