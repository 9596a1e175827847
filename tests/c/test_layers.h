/* forward, backward_update, update and list_active: csrc/kernels/layer.inc.h. */

static void test_forward(int64_t n_in, int64_t n_out, enum columns kind, int shift) {
    describe("forward %s, %ld x %ld, shift %d", kinds[kind], (long)n_in, (long)n_out, shift);
    random_row x = new_row(n_in, kind, shift);
    array W = unpadded("W", n_in * n_out, shift), b = unpadded("b", n_out, shift);
    array z = scratch("z", n_out);
    array *inputs[] = {&W, &b};
    const fbp_layer layer = {.n_in = n_in, .n_out = n_out, .width = n_out, .scale = 1,
                             .W = W.at, .b = b.at, .z = z.at};

    double *dense = numbers(n_in), *dense_size = numbers(n_in);
    double *expected = numbers(n_out), *size = numbers(n_out);
    spread(&x, dense, dense_size);
    for (int64_t j = 0; j < n_out; j++) {
        expected[j] = get(b.at, j);
        size[j] = fabs(expected[j]);
        for (int64_t i = 0; i < n_in; i++) {
            expected[j] += dense[i] * get(W.at, i * n_out + j);
            size[j] += dense_size[i] * fabs(get(W.at, i * n_out + j));
        }
    }
    ops->forward(&layer, &x.row);
    expect_close(&z, expected, size, 8 + (double)n_in);

    finish(&z, 1);
    finish_inputs(inputs, 2);
    finish_row(&x);
    free(dense), free(dense_size), free(expected), free(size);
}

/* A layer's parameters, velocities, and the sums beside them that a batch adds to. */
typedef struct {
    array W, b, V_W, V_b, sums_W, sums_b;
    fbp_layer layer;
} random_layer;

static random_layer new_layer(int64_t n_in, int64_t n_out, const array *delta, int in_place,
                              int momentum, int shift) {
    random_layer l = {
        unpadded("W", n_in * n_out, shift), unpadded("b", n_out, shift),
        unpadded("V_W", n_in * n_out, shift), unpadded("V_b", n_out, shift),
        unpadded("to_W", n_in * n_out, shift), unpadded("to_b", n_out, shift), {.n_in = n_in}};
    l.layer = (fbp_layer){.n_in = n_in, .n_out = n_out, .width = n_out, .scale = 1, .W = l.W.at, .b = l.b.at,
                          .delta = delta->at,
                          .to_W = in_place ? l.W.at : l.sums_W.at, .to_b = in_place ? l.b.at : l.sums_b.at,
                          .V_W = momentum ? l.V_W.at : NULL, .V_b = momentum ? l.V_b.at : NULL};
    return l;
}

static void finish_layer(random_layer *l, int in_place, int momentum) {
    finish(&l->W, in_place), finish(&l->b, in_place);
    finish(&l->sums_W, !in_place), finish(&l->sums_b, !in_place);
    finish(&l->V_W, momentum), finish(&l->V_b, momentum);
}

/* Of the layer: delta_in = W @ delta with `backward`, and the step, in place or (ADD) beside. */
static void test_update(int64_t n_in, int64_t n_out, enum columns kind, int backward, int which, int shift) {
    const fbp_step *step = &STEPS[which];
    const int in_place = which != ADD, momentum = step->rule == FBP_MOMENTUM;
    const double weight = 0.75;
    describe("%s %s, %ld x %ld, %s, shift %d", backward ? "backward_update" : "update", kinds[kind],
             (long)n_in, (long)n_out, step_names[which], shift);
    random_row x = new_row(n_in, kind, shift);
    array delta = scratch("delta", n_out), delta_in = scratch("delta_in", n_in);
    random_layer l = new_layer(n_in, n_out, &delta, in_place, momentum, shift);
    naive_layer naive = in_place ? new_naive_layer(&l.W, &l.b, &l.V_W, &l.V_b)
                                 : new_naive_layer(&l.sums_W, &l.sums_b, NULL, NULL);
    double *dense = numbers(n_in), *dense_size = numbers(n_in), *d = copy_of(&delta, 0);
    double *expected = numbers(n_in), *size = numbers(n_in);
    spread(&x, dense, dense_size);
    for (int64_t i = 0; i < n_in; i++) {
        if (kind == ONCE && i % 2 == 0) continue; /* left out: 0 */
        for (int64_t j = 0; j < n_out; j++) {     /* the weights before the update */
            expected[i] += get(l.W.at, i * n_out + j) * d[j];
            size[i] += fabs(get(l.W.at, i * n_out + j) * d[j]);
        }
    }
    naive_update(&naive, dense, dense_size, d, weight, step);

    if (backward) ops->backward_update(&l.layer, delta_in.at, &x.row, weight, step);
    else ops->update(&l.layer, &x.row, weight, step);
    if (backward) expect_close(&delta_in, expected, size, 8 + (double)n_out);
    if (in_place) expect_layer(&l.W, &l.b, momentum ? &l.V_W : NULL, momentum ? &l.V_b : NULL, &naive, 10);
    else expect_layer(&l.sums_W, &l.sums_b, NULL, NULL, &naive, 10);

    finish(&delta_in, backward), finish(&delta, 0);
    finish_layer(&l, in_place, momentum);
    finish_row(&x);
    free_naive_layer(&naive);
    free(dense), free(dense_size), free(d), free(expected), free(size);
}

/* A few rows through a layer that layer_load has packed, dense or listed, and back. */
static void test_packed_layer(int64_t n_in, int64_t n_out, int transposed, int listed, int which,
                              double decay) {
    fbp_step step = STEPS[which];
    if (decay < 1) step.decay[0][0] = decay;
    const int64_t lanes = ops->lanes, width = ((transposed ? n_in : n_out) + lanes - 1) / lanes * lanes;
    const int momentum = step.rule == FBP_MOMENTUM;
    describe("packed layer, %ld x %ld, transposed %d, listed %d, %s, keep %g", (long)n_in, (long)n_out,
             transposed, listed, step_names[which], step.decay[0][0]);
    array delta = scratch("delta", n_out), z = scratch("z", n_out), delta_in = scratch("delta_in", n_in);
    array W = unpadded("packed W", width * (transposed ? n_out : n_in), 0);
    array V = unpadded("packed V", momentum ? W.n : 0, 0);
    random_layer l = new_layer(n_in, n_out, &delta, 1, momentum, 1);
    naive_layer naive = new_naive_layer(&l.W, &l.b, &l.V_W, &l.V_b);
    fbp_layer packed = {.n_in = n_in, .n_out = n_out, .W = W.at, .V_W = V.at, .width = width,
                        .transposed = transposed};
    double *d = copy_of(&delta, 0);
    l.layer.z = z.at;
    ops->layer_load(&l.layer, &packed);
    for (int r = 0; r < 5; r++) {
        random_row x = new_row(n_in, listed ? ONCE : ALL, r % 4);
        double *dense = numbers(n_in), *dense_size = numbers(n_in);
        double *expected = numbers(n_out), *size = numbers(n_out);
        double *back = numbers(n_in), *back_size = numbers(n_in);
        spread(&x, dense, dense_size);
        naive_forward(&naive, dense, dense_size, expected, size);
        ops->forward(&l.layer, &x.row);
        expect_close(&z, expected, size, 32 + (double)n_in);
        for (int64_t i = 0; i < n_in; i++)
            for (int64_t j = 0; j < n_out && !(listed && i % 2 == 0); j++) {
                back[i] += naive.W[i * n_out + j] * d[j];
                back_size[i] += naive.W_size[i * n_out + j] * fabs(d[j]);
            }
        naive_update(&naive, dense, dense_size, d, 0.75, &step);
        ops->backward_update(&l.layer, delta_in.at, &x.row, 0.75, &step);
        expect_close(&delta_in, back, back_size, 32 + (double)n_out);
        finish_row(&x);
        free(dense), free(dense_size), free(expected), free(size), free(back), free(back_size);
    }
    ops->layer_unload(&l.layer, &packed);
    check(l.layer.W == l.W.at && packed.W == W.at, "W is not where it was");
    expect_layer(&l.W, &l.b, momentum ? &l.V_W : NULL, momentum ? &l.V_b : NULL, &naive, 32);
    finish(&z, 1), finish(&delta_in, 1), finish(&delta, 0), finish(&W, 1), finish(&V, 1);
    finish_layer(&l, 1, momentum);
    free_naive_layer(&naive);
    free(d);
}

static void test_packed_layers(int64_t lanes) {
    for (int64_t n = 1; n <= 5 * lanes + 1; n++)
        for (int step = 0; step < ADD; step++)
            for (int transposed = 0; transposed < 2; transposed++) {
                test_packed_layer(n, n % 11 + 1, transposed, 0, step, 1);
                test_packed_layer(n % 13 + 1, n, transposed, 0, step, 1);
                if (transposed || STEPS[step].rule == FBP_MOMENTUM) continue;
                test_packed_layer(n % 13 + 1, n, 0, 1, step, 1);
                test_packed_layer(n, 10, 0, 1, step, 1e-3); /* the scale leaves its range */
                test_packed_layer(n, 10, 0, 1, step, 0);
            }
}

static void test_list_active(int64_t n) {
    describe("list_active of %ld", (long)n);
    array a = scratch("a", n), values = scratch("active values", n), columns = scratch("columns", n);
    fbp_layer layer = {.n_out = n, .a = a.at, .active_values = values.at, .active_columns = columns.at};
    int64_t n_active = 0;
    for (int64_t i = 0; i < n; i++)
        if (uniform(0, 1) < 0.5) put(&a, i, uniform(0, 1) < 0.5 ? 0.0 : -0.0);
        else put(&a, i, i % 7 == 6 ? NAN : uniform(0.1, 2));
    ops->list_active(&layer);
    for (int64_t i = 0; i < n; i++) {
        const double ai = get(a.at, i);
        if (ai == 0) continue;
        const double value = n_active < layer.row.n ? get(layer.row.values, n_active) : 0;
        check(n_active < layer.row.n && layer.row.columns[n_active] == i &&
                  (value == ai || (isnan(value) && isnan(ai))),
              "unit %ld is not listed as number %ld", (long)i, (long)n_active);
        n_active++;
    }
    check(layer.row.n == n_active, "%ld listed, expected %ld", (long)layer.row.n, (long)n_active);
    finish(&a, 0), finish(&values, 1), finish(&columns, 1);
}

static void test_layer(int64_t n_in, int64_t n_out, int shift) {
    test_forward(n_in, n_out, ALL, shift);
    test_forward(n_in, n_out, UNSORTED, shift);
    for (int step = 0; step < N_STEPS; step++) {
        test_update(n_in, n_out, ALL, 1, step, shift);
        if (STEPS[step].rule == FBP_MOMENTUM) continue;
        test_update(n_in, n_out, ALL, 0, step, shift);
        if (step == DECAY) continue; /* test_packed_layer and test_sparse list what decays */
        test_update(n_in, n_out, UNSORTED, 0, step, shift);
        test_update(n_in, n_out, ONCE, 1, step, shift);
    }
}

static void test_layers(int64_t lanes) {
    test_packed_layers(lanes);
    const int64_t some[] = {1, 2, 3, 4, 5, 9, lanes + 1};
    const int n_some = sizeof some / sizeof *some;
    for (int64_t n = 1; n <= 9 * lanes + 1; n++)
        for (int i = 0; i < n_some; i++) {
            test_layer(some[i], n, (int)(n + i) % 4);
            test_layer(n, some[i], (int)(n + i) % 4);
        }
    for (int64_t n = 1; n <= 4 * lanes + 1; n++) test_layer(n, n, (int)n % 4);
    test_layer(3, 17 * lanes + 3, 1);
    for (int64_t n_out = 1; n_out <= 9 * lanes; n_out++) { /* a row without any value */
        test_forward(0, n_out, UNSORTED, 1);
        test_forward(0, n_out, ALL, 1);
    }
}
