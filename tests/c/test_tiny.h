/* Whole networks of two layers: train_tiny of csrc/tiny.inc.h, and block_row of csrc/block_row.inc.h. */

enum { TINY_ROWS = 5, TINY_VISITS = 9, BLOCK_VISITS = 3 + FBP_MOST_BLOCK_ROWS + 3 };
static const struct { fbp_loss loss; fbp_activation activation; } outputs[] = {
    {FBP_SQUARED_ERROR, FBP_IDENTITY}, {FBP_SQUARED_ERROR, FBP_TANH}, {FBP_ABSOLUTE_ERROR, FBP_RELU},
    {FBP_HUBER, FBP_TANH}, {FBP_QUANTILE, FBP_IDENTITY},
    {FBP_BINARY_LOG_LOSS, FBP_LOGISTIC}, {FBP_POISSON, FBP_EXP}, {FBP_LOG_LOSS, FBP_SOFTMAX}};
enum { N_OUTPUTS = sizeof outputs / sizeof *outputs, SOFTMAX_OUTPUT = N_OUTPUTS - 1 };

/* The steps of STEPS, but small: training must not blow up roundings. */
static const fbp_step tiny_steps[] = {
    {.keep = {{1, 0}, {0, 0}}, .take = {-0.015625, -0.015625}},
    {.keep = {{0.9921875, 0}, {0, 0}}, .take = {-0.015625, -0.015625}},
    {.keep = {{1, 0.75}, {0, 0.75}}, .take = {-0.015625, -0.015625}, .momentum = 1},
    {.keep = {{0.984375, 0.5}, {-0.0078125, 0.75}}, .take = {-0.03125, -0.015625}, .momentum = 1}};

/* a = f(z) of the outputs */
static void naive_outputs(double *a, const double *z, int64_t n, int f) {
    double sum = 0;
    for (int64_t k = 0; k < n; k++) sum += exp(z[k]);
    for (int64_t k = 0; k < n; k++) a[k] = f == FBP_SOFTMAX ? exp(z[k]) / sum : activated(f, z[k]);
}

/* One row's step of both layers, unless its loss is too large; returns the loss before it. */
static double naive_network_step(naive_layer *first, naive_layer *last, const double *x, const double *y,
                                 int f, int output, double weight, const fbp_step *step,
                                 double largest_loss) {
    const fbp_loss loss = outputs[output].loss;
    const fbp_activation f_out = outputs[output].activation;
    const int64_t n_hidden = first->n_out, n_out = last->n_out;
    double *a = numbers(n_hidden), *delta = numbers(n_hidden), *size = numbers(n_hidden + n_out);
    double *z_out = numbers(n_out), *a_out = numbers(n_out), *delta_out = numbers(n_out);
    naive_forward(first, x, x, a, size);
    for (int64_t j = 0; j < n_hidden; j++) a[j] = activated(f, a[j]);
    naive_forward(last, a, a, z_out, size);
    naive_outputs(a_out, z_out, n_out, (int)f_out);
    double value = 0;
    for (int64_t k = 0; k < n_out; k++) {
        value += output_loss((int)loss, z_out, a_out, y, n_out, k, &delta_out[k]);
        if (loss < FBP_BINARY_LOG_LOSS) delta_out[k] *= derivative((int)f_out, a_out[k]);
    }
    if (value <= largest_loss) {
        for (int64_t j = 0; j < n_hidden; j++) {
            for (int64_t k = 0; k < n_out; k++) delta[j] += last->W[j * n_out + k] * delta_out[k];
            delta[j] *= derivative(f, a[j]);
        }
        naive_update(last, a, a, delta_out, weight, step);
        naive_update(first, x, x, delta, weight, step);
    }
    free(a), free(delta), free(size), free(z_out), free(a_out), free(delta_out);
    return value;
}

/* What train_tiny does, by block_row. */
static int64_t train_block_rows(fbp_net *net, fbp_block *block, const fbp_data *data, const int64_t *order,
                                int64_t start, int64_t stop, const fbp_step *step, double largest_loss,
                                double *loss_sum) {
    ops->block_load(block, net->layers, step);
    for (int n; start < stop; start += n) {
        fbp_row rows[FBP_MOST_BLOCK_ROWS];
        n = stop - start < ops->block_rows ? (int)(stop - start) : ops->block_rows;
        for (int t = 0; t < n; t++)
            rows[t] = (fbp_row){data->X + order[start + t] * data->X_row_bytes, NULL, data->n_features};
        ops->block_forward(block, net->layers, rows, n);
        for (int t = 0; t < n; t++) {
            const int64_t r = order[start + t];
            const double weight = data->weights ? data->weights[r] : 1;
            const double loss = ops->block_row(net, block, data->y + r * data->y_row_bytes, t, weight, step,
                                               largest_loss);
            if (loss <= largest_loss) *loss_sum += weight * loss;
            else n = t, stop = start + t;
        }
        ops->block_close(block, net->layers, n);
    }
    ops->block_unload(block, net->layers);
    return stop;
}

/* In two calls; with `bad` not negative, the loss of that visit is too large, if `bad` is odd not finite. */
static void test_network(int by_blocks, int64_t n_in, int64_t n_hidden, int64_t n_out, int f, int output,
                         int which, int bad) {
    fbp_train_tiny *const train = by_blocks ? train_block_rows : ops->train_tiny;
    const int n_visits = by_blocks ? BLOCK_VISITS : TINY_VISITS;
    const fbp_step *step = &tiny_steps[which];
    const int momentum = step->momentum;
    const double bound = 1000, largest_loss = 1e4;
    const int weighted = which || n_hidden % 2;
    const int64_t order[BLOCK_VISITS + 1] = {-1, 3, 0, 0, 2, 3, 1, 4, 2, 3, 3, 1, 0,
                                             4, 2, 1, 2, 0, 4, 3, 1, 1, 0};
    const int shift = (int)(n_hidden % 4);
    const int64_t row_length = n_in + shift, width = padded_to(n_hidden, ops->lanes);
    describe("%s %ld-%ld-%ld, %s, %s, %s, bad visit %d", by_blocks ? "block_row" : "train_tiny", (long)n_in,
             (long)n_hidden, (long)n_out,
             activations[f], losses[outputs[output].loss], step_names[which], bad);
    guarded_block g = new_block(n_in, n_hidden, 0, momentum, 2);
    array W1 = unpadded("W[1]", n_in * n_hidden, shift), b1 = unpadded("b[1]", n_hidden, shift);
    array W2 = unpadded("W[2]", n_hidden * n_out, shift), b2 = unpadded("b[2]", n_out, shift);
    array V_W1 = unpadded("V_W[1]", n_in * n_hidden, shift), V_b1 = unpadded("V_b[1]", n_hidden, shift);
    array V_W2 = unpadded("V_W[2]", n_hidden * n_out, shift), V_b2 = unpadded("V_b[2]", n_out, shift);
    array *const velocities[] = {&V_W1, &V_b1, &V_W2, &V_b2};
    array X = unpadded("X", TINY_ROWS * row_length, 0), y = unpadded("y", TINY_ROWS * n_out, shift);
    array w2 = unpadded("packed W[2]", width * n_out, 0);
    array V_w2 = unpadded("packed V_W[2]", momentum ? width * n_out : 0, 0);
    array z1 = panels("z[1]", n_hidden), delta1 = scratch("delta[1]", n_hidden);
    array z2 = scratch("z[2]", n_out), a2 = scratch("a[2]", n_out), delta2 = scratch("delta[2]", n_out);
    double weights[TINY_ROWS] = {1.5, 0, 0.5, 1, 2};
    fill(&w2, 0), fill(&V_w2, 0); /* as memory begins */
    for (int64_t k = 0; k < W2.n; k++) put(&W2, k, get(W2.at, k) / (2 * (double)n_hidden));
    for (int i = 0; i < 4; i++)
        for (int64_t k = 0; k < velocities[i]->n; k++)
            put(velocities[i], k, get(velocities[i]->at, k) / (64 * (double)n_hidden));
    for (int64_t k = 0; k < X.n; k++) put(&X, k, get(X.at, k) / 4);
    for (int64_t k = 0; k < y.n; k++) put(&y, k, random_target(outputs[output].loss, k) / 4);

    const fbp_activation f_out = outputs[output].activation;
    fbp_layer layers[2] = {
        {.n_in = n_in, .n_out = n_hidden, .W = W1.at, .b = b1.at, .V_W = V_W1.at, .V_b = V_b1.at,
         .z = z1.at, .a = z1.at, .delta = delta1.at, .activate = ops->activate[f], .derive = ops->derive[f]},
        {.n_in = n_hidden, .n_out = n_out, .width = n_out, .scale = 1, .W = W2.at, .b = b2.at, .to_b = b2.at,
         .V_W = momentum ? V_W2.at : NULL, .V_b = V_b2.at,
         .z = z2.at, .a = f_out == FBP_IDENTITY ? z2.at : a2.at,
         .delta = delta2.at, .activate = ops->activate[f_out],
         .derive = ops->derive[outputs[output].loss < FBP_BINARY_LOG_LOSS ? f_out : FBP_IDENTITY]}};
    fbp_layer packed = {.n_in = n_hidden, .n_out = n_out, .W = w2.at, .V_W = V_w2.at, .width = width,
                        .transposed = 1};
    fbp_net net = {.ops = ops, .output_delta = ops->output_delta[outputs[output].loss],
                   .layers = layers, .n_layers = 2, .first_activation = (fbp_activation)f,
                   .last_activation = f_out, .loss = outputs[output].loss,
                   .loss_parameter = LOSS_PARAMETER};
    const fbp_data data = {.X = X.at, .X_row_bytes = row_length * ops->itemsize, .n_features = n_in,
                           .itemsize = ops->itemsize, .y = y.at, .y_row_bytes = n_out * ops->itemsize,
                           .weights = weighted ? weights : NULL};

    naive_layer first = new_naive_layer(&W1, &b1, &V_W1, &V_b1);
    naive_layer last = new_naive_layer(&W2, &b2, &V_W2, &V_b2);
    double *x = numbers(n_in), *target = numbers(n_out), expected_sum = 0, sum = 0;
    int64_t expected_stop = n_visits + 1;
    if (bad >= 0) put(&y, order[bad + 1] * n_out, bad % 2 ? INFINITY : 1000);
    for (int t = 1; t <= n_visits; t++) {
        const int64_t r = order[t];
        const double weight = weighted ? weights[r] : 1;
        for (int64_t i = 0; i < n_in; i++) x[i] = get(X.at, r * row_length + i);
        for (int64_t k = 0; k < n_out; k++) target[k] = get(y.at, r * n_out + k);
        const double loss = naive_network_step(&first, &last, x, target, f, output, weight, step,
                                               largest_loss);
        if (!(loss <= largest_loss)) {
            expected_stop = t;
            break;
        }
        expected_sum += weight * loss;
    }
    ops->layer_load(&layers[1], &packed);
    int64_t stop = train(&net, &g.block, &data, order, 1, 4, step, largest_loss, &sum);
    if (stop == 4) stop = train(&net, &g.block, &data, order, 4, n_visits + 1, step, largest_loss, &sum);
    ops->layer_unload(&layers[1], &packed);
    check(stop == expected_stop, "stopped at %ld, expected %ld", (long)stop, (long)expected_stop);
    check(fabs(sum - expected_sum) <= bound * eps * (1 + fabs(expected_sum)),
          "losses add up to %.9g, expected %.9g", sum, expected_sum);
    for (int64_t k = 0; k < first.n_in * n_hidden; k++) first.W_size[k] = first.V_W_size[k] = 4;
    for (int64_t j = 0; j < n_hidden; j++) first.b_size[j] = first.V_b_size[j] = 4;
    for (int64_t k = 0; k < W2.n; k++) last.W_size[k] = last.V_W_size[k] = 4;
    for (int64_t k = 0; k < n_out; k++) last.b_size[k] = last.V_b_size[k] = 4;
    expect_layer(&W1, &b1, &V_W1, &V_b1, &first, bound);
    expect_layer(&W2, &b2, &V_W2, &V_b2, &last, bound);

    finish(&W1, 1), finish(&b1, 1), finish(&W2, 1), finish(&b2, 1);
    for (int i = 0; i < 4; i++) finish(velocities[i], momentum);
    finish(&z1, 1), finish(&delta1, 1), finish(&z2, 1), finish(&a2, 1), finish(&delta2, 1);
    finish(&X, 0), finish(&y, 0), finish(&w2, 1), finish(&V_w2, momentum);
    finish_block(&g);
    free_naive_layer(&first), free_naive_layer(&last);
    free(x), free(target);
}

static void test_train_tiny(int64_t n_in, int64_t n_hidden, int64_t n_out, int f, int output, int which,
                            int bad) {
    test_network(0, n_in, n_hidden, n_out, f, output, which, bad);
}

/* Every width of the hidden layer that leaves another part of a vector or a panel. */
static void test_block_rows(void) {
    const int64_t lanes = ops->lanes;
    for (int64_t n_hidden = 1; n_hidden <= 9 * lanes + 1; n_hidden += n_hidden < 4 * lanes ? 1 : lanes)
        for (int f = FBP_IDENTITY; f <= FBP_RELU; f++)
            for (int output = 0; output < N_OUTPUTS; output++)
                for (int64_t n_out = 1; n_out <= FBP_FEW_OUTPUTS; n_out++)
                    for (int which = PLAIN; which <= DECAY; which++)
                        test_network(1, n_hidden % 3 + 1, n_hidden, n_out, f, output, which, -1);
    for (int bad = 0; bad < BLOCK_VISITS; bad++)
        for (int which = PLAIN; which <= DECAY; which++)
            test_network(1, 2, 2 * lanes + 1, 2, FBP_RELU, 0, which, bad);
}

/* Every width of the hidden layer, of one output and of several. */
static void test_tiny(void) {
    for (int64_t n_hidden = 1; n_hidden <= ops->tiny_units; n_hidden++)
        for (int f = FBP_LOGISTIC; f <= FBP_RELU; f++)
            for (int output = 0; output < SOFTMAX_OUTPUT; output++)
                for (int64_t n_in = 1; n_in <= 3; n_in++)
                    for (int which = PLAIN; which <= NESTEROV; which++)
                        test_train_tiny(n_in, n_hidden, 1, f, output, which, -1);
    for (int64_t n_hidden = 1; n_hidden <= ops->tiny_units_at_rest; n_hidden++)
        for (int f = FBP_IDENTITY; f <= FBP_RELU; f++)
            for (int output = 0; output < N_OUTPUTS; output++)
                for (int64_t n_out = n_hidden > ops->tiny_units || f == FBP_IDENTITY ? 1 : 2; n_out <= 11;
                     n_out += 1 + n_out / 5)
                    for (int which = PLAIN; which <= DECAY; which++)
                        test_train_tiny(n_hidden % 3 + 1, n_hidden, n_out, f, output, which, -1);
    for (int bad = 0; bad < TINY_VISITS; bad++) {
        for (int which = PLAIN; which <= NESTEROV; which++)
            test_train_tiny(2, ops->tiny_units, 1, FBP_TANH, 0, which, bad);
        for (int which = PLAIN; which <= DECAY; which++)
            for (int64_t n_out = 2; n_out <= 6; n_out += 4)
                test_train_tiny(2, ops->tiny_units_at_rest, n_out, FBP_TANH, 0, which, bad);
    }
}
