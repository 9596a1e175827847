/* train_tiny: whole networks: csrc/tiny.inc.h. */

enum { TINY_ROWS = 5, TINY_VISITS = 9 };
static const struct { fbp_loss loss; fbp_activation activation; } outputs[] = {
    {FBP_SQUARED_ERROR, FBP_IDENTITY}, {FBP_SQUARED_ERROR, FBP_TANH}, {FBP_ABSOLUTE_ERROR, FBP_RELU},
    {FBP_HUBER, FBP_TANH}, {FBP_QUANTILE, FBP_IDENTITY},
    {FBP_BINARY_LOG_LOSS, FBP_LOGISTIC}, {FBP_POISSON, FBP_EXP}};
enum { N_OUTPUTS = sizeof outputs / sizeof *outputs };

/* The steps of STEPS, but small: training must not blow up roundings. */
static const fbp_step tiny_steps[] = {
    {.keep = {{1, 0}, {0, 0}}, .take = {-0.015625, 0}},
    {.keep = {{0.9921875, 0}, {0, 0}}, .take = {-0.015625, 0}},
    {.keep = {{1, 0.75}, {0, 0.75}}, .take = {-0.015625, -0.015625}, .momentum = 1},
    {.keep = {{0.984375, 0.5}, {-0.0078125, 0.75}}, .take = {-0.03125, -0.015625}, .momentum = 1}};

/* One row's step of both layers; returns the loss before it. */
static double naive_network_step(naive_layer *first, naive_layer *last, const double *x, double y, int f,
                                 int output, double weight, const fbp_step *step) {
    const fbp_loss loss = outputs[output].loss;
    const fbp_activation f_out = outputs[output].activation;
    double *a = numbers(first->n_out), *delta = numbers(first->n_out), *size = numbers(first->n_out);
    double z_out, a_out, delta_out;
    naive_forward(first, x, a, size);
    for (int64_t j = 0; j < first->n_out; j++) a[j] = activated(f, a[j]);
    naive_forward(last, a, &z_out, size);
    a_out = activated((int)f_out, z_out);
    const double value = output_loss((int)loss, &z_out, &a_out, &y, 1, 0, &delta_out);
    if (loss < FBP_BINARY_LOG_LOSS) delta_out *= derivative((int)f_out, a_out);
    if (isfinite(value)) {
        for (int64_t j = 0; j < first->n_out; j++) delta[j] = last->W[j] * delta_out * derivative(f, a[j]);
        naive_update(last, a, a, &delta_out, weight, step);
        naive_update(first, x, x, delta, weight, step);
    }
    free(a), free(delta), free(size);
    return value;
}

/* In two calls; with `bad` not negative, the loss of that visit is not finite. */
static void test_train_tiny(int64_t n_in, int64_t n_hidden, int f, int output, int which,
                            int bad) {
    const fbp_step *step = &tiny_steps[which];
    const int momentum = step->momentum;
    const double bound = 1000;
    const int64_t order[TINY_VISITS + 1] = {-1, 3, 0, 0, 2, 3, 1, 4, 2, 3};
    const int shift = (int)(n_hidden % 4);
    const int64_t row_length = n_in + shift;
    describe("train_tiny %ld-%ld-1, %s, %s, %s, bad visit %d", (long)n_in, (long)n_hidden,
             activations[f], losses[outputs[output].loss], step_names[which], bad);
    guarded_block g = new_block(n_in, n_hidden, 0, momentum, 2);
    array W1 = unpadded("W[1]", n_in * n_hidden, shift), b1 = unpadded("b[1]", n_hidden, shift);
    array W2 = unpadded("W[2]", n_hidden, shift), b2 = unpadded("b[2]", 1, shift);
    array V_W1 = unpadded("V_W[1]", n_in * n_hidden, shift), V_b1 = unpadded("V_b[1]", n_hidden, shift);
    array V_W2 = unpadded("V_W[2]", n_hidden, shift), V_b2 = unpadded("V_b[2]", 1, shift);
    array *const velocities[] = {&V_W1, &V_b1, &V_W2, &V_b2};
    array X = unpadded("X", TINY_ROWS * row_length, 0), y = unpadded("y", TINY_ROWS, shift);
    array z1 = scratch("z[1]", n_hidden), delta1 = scratch("delta[1]", n_hidden);
    array z2 = scratch("z[2]", 1), a2 = scratch("a[2]", 1), delta2 = scratch("delta[2]", 1);
    double weights[TINY_ROWS] = {1.5, 0, 0.5, 1, 2};
    for (int64_t k = 0; k < n_hidden; k++) put(&W2, k, get(W2.at, k) / (2 * (double)n_hidden));
    for (int i = 0; i < 4; i++)
        for (int64_t k = 0; k < velocities[i]->n; k++)
            put(velocities[i], k, get(velocities[i]->at, k) / (64 * (double)n_hidden));
    for (int64_t k = 0; k < X.n; k++) put(&X, k, get(X.at, k) / 4);
    for (int64_t k = 0; k < TINY_ROWS; k++) put(&y, k, random_target(outputs[output].loss, k) / 4);

    const fbp_activation f_out = outputs[output].activation;
    fbp_layer layers[2] = {
        {.n_in = n_in, .n_out = n_hidden, .W = W1.at, .b = b1.at, .V_W = V_W1.at, .V_b = V_b1.at, .z = z1.at, .a = z1.at,
         .delta = delta1.at, .activate = ops->activate[f], .derive = ops->derive[f]},
        {.n_in = n_hidden, .n_out = 1, .W = W2.at, .b = b2.at, .V_W = V_W2.at, .V_b = V_b2.at, .z = z2.at, .a = a2.at,
         .delta = delta2.at, .activate = ops->activate[f_out],
         .derive = ops->derive[outputs[output].loss < FBP_BINARY_LOG_LOSS ? f_out : FBP_IDENTITY]}};
    fbp_net net = {.ops = ops, .output_delta = ops->output_delta[outputs[output].loss],
                   .layers = layers, .n_layers = 2, .first_activation = (fbp_activation)f,
                   .last_activation = f_out, .loss = outputs[output].loss,
                   .loss_parameter = LOSS_PARAMETER};
    const fbp_data data = {.X = X.at, .X_row_bytes = row_length * ops->itemsize, .n_features = n_in,
                           .itemsize = ops->itemsize, .y = y.at, .y_row_bytes = ops->itemsize,
                           .weights = which ? weights : NULL};

    naive_layer first = new_naive_layer(&W1, &b1, &V_W1, &V_b1);
    naive_layer last = new_naive_layer(&W2, &b2, &V_W2, &V_b2);
    double *x = numbers(n_in), expected_sum = 0, sum = 0;
    int64_t expected_stop = TINY_VISITS + 1;
    if (bad >= 0) put(&y, order[bad + 1], INFINITY);
    for (int t = 1; t <= TINY_VISITS; t++) {
        const int64_t r = order[t];
        const double weight = which ? weights[r] : 1;
        for (int64_t i = 0; i < n_in; i++) x[i] = get(X.at, r * row_length + i);
        const double loss = naive_network_step(&first, &last, x, get(y.at, r), f, output, weight, step);
        if (!isfinite(loss)) {
            expected_stop = t;
            break;
        }
        expected_sum += weight * loss;
    }
    int64_t stop = ops->train_tiny(&net, &g.block, &data, order, 1, 4, step, 1e300, &sum);
    if (stop == 4)
        stop = ops->train_tiny(&net, &g.block, &data, order, 4, TINY_VISITS + 1, step, 1e300, &sum);
    check(stop == expected_stop, "stopped at %ld, expected %ld", (long)stop, (long)expected_stop);
    check(fabs(sum - expected_sum) <= bound * eps * (1 + fabs(expected_sum)),
          "losses add up to %.9g, expected %.9g", sum, expected_sum);
    for (int64_t k = 0; k < first.n_in * n_hidden; k++) first.W_size[k] = first.V_W_size[k] = 4;
    for (int64_t j = 0; j < n_hidden; j++)
        first.b_size[j] = first.V_b_size[j] = last.W_size[j] = last.V_W_size[j] = 4;
    last.b_size[0] = last.V_b_size[0] = 4;
    expect_layer(&W1, &b1, &V_W1, &V_b1, &first, bound);
    expect_layer(&W2, &b2, &V_W2, &V_b2, &last, bound);

    finish(&W1, 1), finish(&b1, 1), finish(&W2, 1), finish(&b2, 1);
    for (int i = 0; i < 4; i++) finish(velocities[i], momentum);
    finish(&z1, 1), finish(&delta1, 1), finish(&z2, 1), finish(&a2, 1), finish(&delta2, 1);
    finish(&X, 0), finish(&y, 0);
    finish_block(&g);
    free_naive_layer(&first), free_naive_layer(&last);
    free(x);
}

static void test_tiny(void) {
    for (int64_t n_hidden = 1; n_hidden <= ops->tiny_units; n_hidden++)
        for (int f = FBP_IDENTITY; f <= FBP_RELU; f++)
            for (int output = 0; output < N_OUTPUTS; output++)
                for (int64_t n_in = 1; n_in <= 3; n_in++)
                    for (int which = PLAIN; which <= NESTEROV; which++)
                        test_train_tiny(n_in, n_hidden, f, output, which, -1);
    for (int bad = 0; bad < TINY_VISITS; bad++)
        for (int which = PLAIN; which <= NESTEROV; which++)
            test_train_tiny(2, ops->tiny_units, FBP_TANH, 0, which, bad);
}
