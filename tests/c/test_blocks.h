/* block_*: the first layer, one block of rows behind: csrc/kernels/blocks.inc.h. */

/* A block as _core.Workspace packs it, which begins with zeros. But what is in it must be written
 * before it is read, except for the padding of biases and X of sparse rows. */
enum { N_PARTS = 8, BIASES = 1, VELOCITIES, X_0 = 6, X_1 };
typedef struct {
    array parts[N_PARTS];
    fbp_block block;
} guarded_block;

static int64_t padded_to(int64_t n, int64_t multiple) { return (n + multiple - 1) / multiple * multiple; }

static void fill(array *a, double value) {
    for (int64_t k = 0; k < a->n; k++) put(a, k, value);
}

static guarded_block new_block(int64_t n_in, int64_t n_out, int sparse, int momentum, int panel_vectors) {
    const int64_t lanes = ops->lanes, width = panel_vectors * lanes, rows = ops->block_rows;
    const int64_t columns = padded_to(momentum ? 2 * padded_to(n_out, lanes) : n_out, width);
    const int64_t stride = columns + 64 / ops->itemsize;
    const int64_t sizes[N_PARTS] = {n_in * columns, columns, columns, rows * stride, rows * rows,
                                    rows * stride, n_in * rows, sparse ? 0 : n_in * rows};
    const char *const names[N_PARTS] = {"block W", "block b", "block V_b", "Z", "G", "D", "X[0]", "X[1]"};
    guarded_block g;
    for (int i = 0; i < N_PARTS; i++) {
        g.parts[i] = unpadded(names[i], sizes[i], 0);
        const int stays_zero = i == BIASES || i == VELOCITIES || (sparse && i == X_0);
        fill(&g.parts[i], stays_zero ? 0 : NAN);
    }
    g.block = (fbp_block){.n_columns = columns, .panel_width = width, .stride = stride,
                          .sparse = sparse, .momentum = momentum, .n_pending = 5,
                          .current = sparse ? 0 : (int)(n_out % 2),
                          .W = g.parts[0].at, .b = g.parts[1].at, .V_b = g.parts[2].at,
                          .Z = g.parts[3].at, .G = g.parts[4].at, .D = g.parts[5].at,
                          .X = {g.parts[X_0].at, g.parts[X_1].at}};
    return g;
}

static void finish_block(guarded_block *g) {
    for (int i = 0; i < N_PARTS; i++) finish(&g->parts[i], !(g->block.sparse && (i == X_0 || i == X_1)));
}

/* How a test of blocks goes; the last `untrained` rows are looked at in vain. */
typedef struct {
    int64_t n_in, n_out;
    int n_rows, untrained, step;
    int panel_vectors; /* 0: dense rows */
    int shift;
} block_case;

/* One block: every z must have all rows before it in it. */
static void train_block(guarded_block *g, const fbp_layer *layer, naive_layer *naive,
                        const random_row *rows, int n, int n_trained, const fbp_step *step,
                        double roundings) {
    fbp_row now[FBP_MAX_BLOCK_ROWS] = {{0}};
    double *x = numbers(naive->n_in), *x_size = numbers(naive->n_in);
    double *expected = numbers(naive->n_out), *size = numbers(naive->n_out);
    for (int t = 0; t < n; t++) now[t] = rows[t].row;
    ops->block_forward(&g->block, layer, now, n);
    for (int t = 0; t < n_trained; t++) {
        const double weight = 1 + t % 2;
        array z = panels("z", naive->n_out), delta = panels("delta", naive->n_out);
        double *d = copy_of(&delta, 0);
        memset(x, 0, (size_t)naive->n_in * sizeof *x);
        memset(x_size, 0, (size_t)naive->n_in * sizeof *x);
        spread(&rows[t], x, x_size);
        naive_forward(naive, x, x_size, expected, size);
        ops->block_correct(&g->block, z.at, t);
        expect_close(&z, expected, size, roundings);
        naive_update(naive, x, x_size, d, weight, step);
        ops->block_store(&g->block, delta.at, t, weight);
        finish(&z, 1), finish(&delta, 0);
        free(d);
    }
    ops->block_close(&g->block, layer, n_trained);
    free(x), free(x_size), free(expected), free(size);
}

static void test_block(block_case c) {
    const int n_rows = c.n_rows, sparse = c.panel_vectors != 0;
    const fbp_step *step = &STEPS[c.step];
    const double roundings = 16 + (double)c.n_in + 4 * n_rows;
    describe("block, %ld x %ld, %d rows, the last %d untrained, %s, panels of %d, shift %d",
             (long)c.n_in, (long)c.n_out, n_rows, c.untrained, step_names[c.step], c.panel_vectors, c.shift);
    guarded_block g = new_block(c.n_in, c.n_out, sparse, step->rule == FBP_MOMENTUM, sparse ? c.panel_vectors : 2);
    array none = scratch("delta", c.n_out);
    random_layer l = new_layer(c.n_in, c.n_out, &none, 1, step->rule == FBP_MOMENTUM, c.shift);
    naive_layer naive = new_naive_layer(&l.W, &l.b, &l.V_W, &l.V_b);
    random_row rows[3 * FBP_MAX_BLOCK_ROWS];
    for (int r = 0; r < n_rows; r++) rows[r] = new_row(c.n_in, sparse ? SORTED : ALL, c.shift);

    ops->block_load(&g.block, &l.layer, step);
    for (int start = 0; start < n_rows; start += ops->block_rows) {
        const int n = n_rows - start < ops->block_rows ? n_rows - start : ops->block_rows;
        const int n_trained = start + n == n_rows ? n - c.untrained : n;
        train_block(&g, &l.layer, &naive, rows + start, n, n_trained, step, roundings);
    }
    ops->block_unload(&g.block, &l.layer);
    expect_layer(&l.W, &l.b, step->rule == FBP_MOMENTUM ? &l.V_W : NULL,
                 step->rule == FBP_MOMENTUM ? &l.V_b : NULL, &naive,
                 roundings);

    for (int r = 0; r < n_rows; r++) finish_row(&rows[r]);
    finish_layer(&l, 1, step->rule == FBP_MOMENTUM);
    finish(&none, 0);
    finish_block(&g);
    free_naive_layer(&naive);
}

static void test_blocks(int64_t lanes, int panel_vectors) {
    static const int64_t some_inputs[] = {1, 2, 7}, long_rows[] = {95, 96, 97, 109, 192, 200};
    const int64_t some_outputs[] = {1, 2 * lanes + 1, 8 * lanes, 8 * lanes + 1, 17 * lanes + 3};
    const int rows = ops->block_rows, n_steps = panel_vectors ? DECAY + 1 : NESTEROV + 1;
    for (int step = 0; step < n_steps; step++) {
        for (int64_t n_out = 1; n_out <= 4 * lanes + 1; n_out++)
            for (int i = 0; i < 3; i++)
                test_block((block_case){some_inputs[i], n_out, 2 * rows + (int)n_out % rows + 1, 0, step,
                                        panel_vectors, i});
        for (int o = 0; o < 5; o++)
            for (int i = 0; i < 6; i++)
                test_block((block_case){long_rows[i], some_outputs[o], 2 * rows + 3, 1, step,
                                        panel_vectors, o % 4});
    }
    for (int o = 0; o < 5; o++) {
        const int64_t n_out = some_outputs[o];
        for (int64_t n_in = 1; n_in <= 30; n_in++)
            test_block((block_case){n_in, n_out, 2 * rows + (int)n_in % rows + 1, 0, (int)n_in % n_steps,
                                    panel_vectors, o % 4});
        for (int left = 1; left <= rows; left++) {
            test_block((block_case){3, n_out, 2 * rows + left, 0, DECAY, panel_vectors, 1});
            test_block((block_case){3, n_out, 2 * rows + left, 1, PLAIN, panel_vectors, 1});
            test_block((block_case){3, n_out, 2 * rows + left, left, n_steps - 1, panel_vectors, 1});
            test_block((block_case){3, n_out, left, left / 2, n_steps - 1, panel_vectors, 1});
        }
    }
    if (panel_vectors) /* sparse rows over several chunks of inputs */
        for (int i = 0; i < 4; i++)
            test_block((block_case){3000 + i, 1 + i % 2, 2 * rows + 3, 1, i / 2, panel_vectors, i});
}
