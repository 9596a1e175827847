/* batch_*: one layer of a batch: csrc/kernels/batches.inc.h. */

/* A layer as _core.BatchWorkspace packs it, for up to `max_rows` rows, a whole number of blocks; `below` only has
 * what the layer above uses of it. G is there if a batch may have more rows than that. */
enum { N_BATCH_PARTS = 11, BATCH_G = 1, BATCH_TO_B = 5, BATCH_Z = 6, BATCH_D, BATCH_NEAR = 9 };
typedef struct {
    array parts[N_BATCH_PARTS];
    fbp_row *rows; /* scratch, as many as `max_rows` */
    fbp_batch batch;
} guarded_batch;

static guarded_batch new_batch(int64_t n_in, int64_t n_out, int momentum, int has_below, int64_t max_rows,
                               int sparse) {
    const int64_t lanes = ops->lanes, rows = ops->block_rows, columns = padded_to(n_out, lanes);
    const int64_t stride = columns + 64 / ops->itemsize;
    const int64_t length = sparse ? 0 : n_in * columns, n_near = 1 + n_in / 3;
    const int64_t sizes[N_BATCH_PARTS] = {length, sparse ? n_in * n_out : length, momentum ? length : 0,
                                          has_below ? padded_to(n_in, lanes) * n_out : 0,
                                          sparse ? 0 : n_in * max_rows, columns, rows * stride, max_rows * stride,
                                          n_out * rows, sparse ? n_near * n_out : 0, columns};
    const char *const names[N_BATCH_PARTS] = {"batch W", "G", "batch V", "W_T", "X",
                                              "to_b", "Z", "D", "D_T", "G_near", "b"};
    guarded_batch g = {.rows = malloc((size_t)max_rows * sizeof(fbp_row))};
    for (int i = 0; i < N_BATCH_PARTS; i++) {
        g.parts[i] = unpadded(names[i], sizes[i], 0);
        fill(&g.parts[i], i == BATCH_D ? 0 : NAN); /* behind n_out, D is read, though not used */
    }
    g.batch = (fbp_batch){.n_columns = columns, .stride = stride, .W = g.parts[0].at, .G = g.parts[1].at,
                          .V = momentum ? g.parts[2].at : NULL, .W_T = has_below ? g.parts[3].at : NULL,
                          .X = g.parts[4].at, .to_b = g.parts[BATCH_TO_B].at, .Z = g.parts[BATCH_Z].at,
                          .D = g.parts[BATCH_D].at, .D_T = g.parts[8].at, .sparse = sparse,
                          .parts = g.rows, .G_near = g.parts[BATCH_NEAR].at, .n_near = n_near,
                          .b = g.parts[10].at};
    return g;
}

static void finish_batch(guarded_batch *g) {
    for (int i = 0; i < N_BATCH_PARTS; i++) finish(&g->parts[i], 1);
    free(g->rows);
}

/* Row t of Z or D, as an array of its own for expect_close. */
static array row_of(array *whole, int64_t stride, int t, int64_t n) {
    const array row = {.name = whole->name, .at = (char *)whole->at + t * stride * ops->itemsize, .n = n};
    return row;
}

/* n rows of a batch, from row `at` of the layer's chunk on, through the layer and back; their gradients
 * are added to G_W and G_b. */
static void batch_rows(guarded_batch *g, guarded_batch *below, const random_layer *l,
                       const naive_layer *naive, const random_row *rows, fbp_row *now, int64_t at, int n,
                       double *G_W, double *G_b, double *sizes_W, double *sizes_b) {
    const int64_t n_in = naive->n_in, n_out = naive->n_out;
    double *x = numbers(n_in), *x_size = numbers(n_in), *d = numbers(n_out), *z = numbers(n_out);
    double *size = numbers(n_out), *d_below = numbers(n * n_in), *below_size = numbers(n * n_in);
    for (int t = 0; t < n; t++)
        for (int64_t i = 0; below && i < n_in; i++)
            set((char *)below->batch.Z + (t * below->batch.stride + i) * ops->itemsize, 0, get(rows[t].values.at,
                                                                                               i));
    ops->batch_forward(&g->batch, &l->layer, below ? &below->batch : NULL, below ? NULL : now, at, n);
    for (int t = 0; t < n; t++) {
        array Z = row_of(&g->parts[BATCH_Z], g->batch.stride, t, n_out);
        array D = row_of(&g->parts[BATCH_D], g->batch.stride, (int)at + t, n_out);
        memset(x, 0, (size_t)n_in * sizeof *x), memset(x_size, 0, (size_t)n_in * sizeof *x_size);
        spread(&rows[t], x, x_size);
        naive_forward(naive, x, x_size, z, size);
        expect_close(&Z, z, size, 8 + (double)n_in);
        for (int64_t j = 0; j < n_out; j++) {
            set(D.at, j, uniform(-1, 1));
            d[j] = get(D.at, j);
            G_b[j] += d[j];
            sizes_b[j] += fabs(d[j]);
            for (int64_t i = 0; i < n_in; i++) {
                G_W[i * n_out + j] += x[i] * d[j];
                sizes_W[i * n_out + j] += fabs(x_size[i] * d[j]);
                d_below[t * n_in + i] += naive->W[i * n_out + j] * d[j];
                below_size[t * n_in + i] += naive->W_size[i * n_out + j] * fabs(d[j]);
            }
        }
    }
    ops->batch_backward(&g->batch, &l->layer, below ? &below->batch : NULL, at, n);
    for (int t = 0; below && t < n; t++) {
        array D = row_of(&below->parts[BATCH_D], below->batch.stride, (int)at + t, n_in);
        expect_close(&D, d_below + t * n_in, below_size + t * n_in, 8 + (double)n_out);
    }
    free(x), free(x_size), free(d), free(z), free(size), free(d_below), free(below_size);
}

/* The step of a chunk in two shares of its inputs, as two threads take it. */
static void batch_update_in_shares(const guarded_batch *g, const random_layer *l, const fbp_row *rows,
                                   int64_t n_rows, int is_first, double weight, const fbp_step *step) {
    const int64_t n_in = l->layer.n_in, width = ops->panel_width, half = (n_in + width) / (2 * width) * width;
    if (half) ops->batch_update(&g->batch, &l->layer, rows, n_rows, 0, half, is_first, weight, step);
    ops->batch_update(&g->batch, &l->layer, rows, n_rows, half, n_in - half, is_first, weight, step);
}

/* Three batches of n_rows, dense or of non-zeros (SORTED), in chunks of up to `max_rows`. */
static void test_batch(int64_t n_in, int64_t n_out, int has_below, int which, int n_rows, int max_rows,
                       enum columns kind) {
    const int momentum = STEPS[which].rule == FBP_MOMENTUM;
    const double weight = 1.0 / n_rows, roundings = 32 + (double)(n_in + n_out) + 4 * n_rows;
    describe("batch %ld x %ld, %s, %d rows %s, %s", (long)n_in, (long)n_out, step_names[which], n_rows,
             kinds[kind], has_below ? "above another" : "the first");
    array none = scratch("delta", n_out);
    random_layer l = new_layer(n_in, n_out, &none, 0, momentum, (int)n_out % 4);
    naive_layer naive = new_naive_layer(&l.W, &l.b, &l.V_W, &l.V_b);
    guarded_batch g = new_batch(n_in, n_out, momentum, has_below, max_rows, kind != ALL);
    guarded_batch below = new_batch(1, n_in, 0, 0, max_rows, 0);
    random_row *rows = malloc((size_t)n_rows * sizeof *rows);
    fbp_row *chunk = malloc((size_t)max_rows * sizeof *chunk);
    ops->batch_load(&g.batch, &l.layer);
    for (int batch = 0; batch < 3; batch++) {
        double *G_W = numbers(n_in * n_out), *G_b = numbers(n_out);
        double *sizes_W = numbers(n_in * n_out), *sizes_b = numbers(n_out);
        for (int t = 0; t < n_rows; t += ops->block_rows) {
            const int n = n_rows - t < ops->block_rows ? n_rows - t : ops->block_rows;
            const int at = t % max_rows, end = t + n;
            for (int k = 0; k < n; k++) {
                rows[t + k] = new_row(n_in, kind, k % 4);
                chunk[at + k] = rows[t + k].row;
            }
            batch_rows(&g, has_below ? &below : NULL, &l, &naive, rows + t, chunk + at, at, n, G_W, G_b,
                       sizes_W, sizes_b);
            if (end < n_rows && end % max_rows == 0)
                batch_update_in_shares(&g, &l, chunk, at + n, t < max_rows, 1, NULL);
            if (end == n_rows)
                batch_update_in_shares(&g, &l, chunk, at + n, t < max_rows, weight, &STEPS[which]);
        }
        for (int t = 0; t < n_rows; t++) finish_row(&rows[t]);
        array to_b = row_of(&g.parts[BATCH_TO_B], 0, 0, n_out);
        expect_close(&to_b, G_b, sizes_b, (double)n_rows);
        for (int64_t k = 0; k < n_in * n_out; k++) {
            naive.W_size[k] += sizes_W[k] + naive.V_W_size[k];
            naive.V_W_size[k] += naive.W_size[k];
            naive_step(&naive.W[k], &naive.V_W[k], weight * G_W[k], &STEPS[which], 0);
        }
        for (int64_t j = 0; j < n_out; j++) {
            naive.b_size[j] += sizes_b[j] + naive.V_b_size[j];
            naive.V_b_size[j] += naive.b_size[j];
            naive_step(&naive.b[j], &naive.V_b[j], weight * G_b[j], &STEPS[which], 1);
        }
        free(G_W), free(G_b), free(sizes_W), free(sizes_b);
    }
    ops->batch_unload(&g.batch, &l.layer);
    expect_layer(&l.W, &l.b, momentum ? &l.V_W : NULL, momentum ? &l.V_b : NULL, &naive, roundings);

    finish(&l.W, 1), finish(&l.b, 1), finish(&l.V_W, momentum), finish(&l.V_b, momentum);
    finish(&l.sums_W, 0), finish(&l.sums_b, 0), finish(&none, 0);
    finish_batch(&g), finish_batch(&below);
    free(rows), free(chunk);
    free_naive_layer(&naive);
}

static void test_batches(int64_t lanes) {
    const int64_t some[] = {1, 3, 2 * lanes + 1, 97};
    const int rows = ops->block_rows;
    for (int step = 0; step <= NESTEROV; step++)
        for (int i = 0; i < 4; i++)
            for (int64_t n = 1; n <= 4 * lanes + 1; n++) {
                test_batch(n, some[i], (int)n % 2, step, rows + (int)n % rows, 2 * rows, ALL);
                test_batch(some[i], n, (int)(n + 1) % 2, step, rows + (int)n % rows, rows, ALL);
            }
    for (int step = 0; step <= NESTEROV; step++)
        for (int64_t n = 1; n <= 16 * lanes + 1; n += n < 4 * lanes ? 1 : lanes) {
            test_batch(n, 3, 0, step, rows + (int)n % rows, 2 * rows, SORTED);
            test_batch(5, n, 0, step, rows + (int)n % rows, (int)(1 + n % 2) * rows, SORTED);
        }
    for (int n_rows = 1; n_rows <= 3 * rows; n_rows++) test_batch(5, 7, 1, PLAIN, n_rows, 2 * rows, ALL);
    for (int64_t n = 94; n <= 98; n++) test_batch(n, 2 * lanes + 3, 1, NESTEROV, rows + 1, rows, ALL);
    test_batch(6000, 2 * lanes + 3, 0, PLAIN, rows, rows, SORTED); /* several chunks of inputs */
}
