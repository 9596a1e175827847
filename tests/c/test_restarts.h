/* train_lanes: networks side by side: csrc/restarts.inc.h. Each lane against one network in double. */

typedef struct { array W1, b1, W2, b2; } lane_arrays;

/* One lane's numbers, out of the arrays of all lanes or into them. */
static void copy_lane(lane_arrays *one, lane_arrays *all, int lane, int outward) {
    array *own[4] = {&one->W1, &one->b1, &one->W2, &one->b2};
    array *shared[4] = {&all->W1, &all->b1, &all->W2, &all->b2};
    for (int k = 0; k < 4; k++)
        for (int64_t p = 0; p < own[k]->n; p++) {
            if (outward) put(own[k], p, get(shared[k]->at, p * ops->lanes + lane));
            else put(shared[k], p * ops->lanes + lane, get(own[k]->at, p));
        }
}

static lane_arrays new_lane_arrays(int64_t n_in, int64_t n_hidden, int64_t lanes) {
    lane_arrays p = {unpadded("W[1]", n_in * n_hidden * lanes, 1), unpadded("b[1]", n_hidden * lanes, 1),
                     unpadded("W[2]", n_hidden * lanes, 1), unpadded("b[2]", lanes, 1)};
    return p;
}

static void finish_lane_arrays(lane_arrays *p) {
    finish(&p->W1, 1), finish(&p->b1, 1), finish(&p->W2, 1), finish(&p->b2, 1);
}

/* In two calls, the second of an odd number of rows; one lane has a weight that is not finite. */
static void test_train_lanes(int64_t n_in, int64_t n_hidden, int f, int output, double alpha) {
    const double eta = 0.015625, bound = 1000;
    const int64_t order[TINY_VISITS] = {3, 0, 0, 2, 3, 1, 4, 2, 3};
    const int lanes = ops->lanes, lost = lanes > 1 ? lanes - 1 : -1;
    const fbp_step step = {.keep = {{1 - eta * alpha, 0}, {0, 0}}, .take = {-eta, 0}};
    describe("train_lanes %ld-%ld-1, %s, %s, alpha %g", (long)n_in, (long)n_hidden, activations[f],
             losses[outputs[output].loss], alpha);
    lane_arrays all = new_lane_arrays(n_in, n_hidden, lanes);
    array a1 = unpadded("a[1]", n_hidden * lanes, 1), z1 = unpadded("z[1]", n_hidden * lanes, 1);
    array delta1 = unpadded("delta[1]", 2 * n_hidden * lanes, 1);
    array a2 = unpadded("a[2]", lanes, 1), delta2 = unpadded("delta[2]", lanes, 1);
    array X = unpadded("X", TINY_ROWS * n_in, 0), y = unpadded("y", TINY_ROWS, 1);
    double weights[TINY_ROWS] = {1.5, 0, 0.5, 1, 2}, *x = numbers(n_in), *sums = numbers(lanes);
    double largest_loss = 1e30;
    for (int64_t k = 0; k < all.W2.n; k++) put(&all.W2, k, get(all.W2.at, k) / (2 * (double)n_hidden));
    for (int64_t k = 0; k < X.n; k++) put(&X, k, get(X.at, k) / 4);
    for (int64_t k = 0; k < TINY_ROWS; k++) put(&y, k, random_target(outputs[output].loss, k) / 4);
    if (lost >= 0) put(&all.W1, lost, INFINITY);

    fbp_lane_layer layers[2] = {
        {.n_in = n_in, .n_out = n_hidden, .W = all.W1.at, .b = all.b1.at, .a = a1.at, .z = z1.at,
         .delta = delta1.at},
        {.n_in = n_hidden, .n_out = 1, .W = all.W2.at, .b = all.b2.at, .a = a2.at, .delta = delta2.at}};
    const fbp_lanes net = {.layers = layers, .n_layers = 2, .activate = ops->activate[f],
                           .derive = ops->derive[f], .out_activation = outputs[output].activation,
                           .loss = outputs[output].loss, .loss_parameter = LOSS_PARAMETER,
                           .values = all.W1.at, .n_values = n_in * n_hidden};
    const fbp_data data = {.X = X.at, .X_row_bytes = n_in * ops->itemsize, .n_features = n_in,
                           .itemsize = ops->itemsize, .y = y.at, .y_row_bytes = ops->itemsize,
                           .weights = alpha ? weights : NULL};
    naive_layer *first = malloc((size_t)lanes * sizeof *first), *last = malloc((size_t)lanes * sizeof *last);
    lane_arrays *one = malloc((size_t)lanes * sizeof *one);
    if (!first || !last || !one) abort();
    for (int lane = 0; lane < lanes; lane++) {
        one[lane] = new_lane_arrays(n_in, n_hidden, 1);
        copy_lane(&one[lane], &all, lane, 1);
        first[lane] = new_naive_layer(&one[lane].W1, &one[lane].b1, NULL, NULL);
        last[lane] = new_naive_layer(&one[lane].W2, &one[lane].b2, NULL, NULL);
    }
    ops->train_lanes(&net, &data, order, 0, 4, &step, largest_loss, sums);
    ops->train_lanes(&net, &data, order, 4, TINY_VISITS, &step, largest_loss, sums);
    for (int lane = 0; lane < lanes; lane++) {
        double expected = 0;
        for (int t = 0; t < TINY_VISITS; t++) {
            const double weight = alpha ? weights[order[t]] : 1;
            for (int64_t i = 0; i < n_in; i++) x[i] = get(X.at, order[t] * n_in + i);
            const double target = get(y.at, order[t]);
            expected += weight * naive_network_step(&first[lane], &last[lane], x, &target, f,
                                                    output, weight, &step, DBL_MAX);
        }
        if (lane == lost) {
            check(sums[lane] == INFINITY, "lane %d is lost, and its losses add up to %g", lane, sums[lane]);
        } else {
            check(fabs(sums[lane] - expected) <= bound * eps * (1 + fabs(expected)),
                  "lane %d: losses add up to %.9g, expected %.9g", lane, sums[lane], expected);
            copy_lane(&one[lane], &all, lane, 1);
            for (int64_t k = 0; k < n_in * n_hidden; k++) first[lane].W_size[k] = 4;
            for (int64_t j = 0; j < n_hidden; j++) first[lane].b_size[j] = last[lane].W_size[j] = 4;
            last[lane].b_size[0] = 4;
            expect_layer(&one[lane].W1, &one[lane].b1, NULL, NULL, &first[lane], bound);
            expect_layer(&one[lane].W2, &one[lane].b2, NULL, NULL, &last[lane], bound);
        }
        finish_lane_arrays(&one[lane]);
        free_naive_layer(&first[lane]), free_naive_layer(&last[lane]);
    }
    finish_lane_arrays(&all);
    finish(&a1, 1), finish(&z1, 1), finish(&delta1, 1), finish(&a2, 1), finish(&delta2, 1);
    finish(&X, 0), finish(&y, 0);
    free(first), free(last), free(one), free(x), free(sums);
}

static void test_restarts(void) {
    for (int64_t n_hidden = 1; n_hidden <= 17; n_hidden++)
        for (int f = FBP_IDENTITY; f <= FBP_RELU; f++)
            for (int output = 0; output < SOFTMAX_OUTPUT; output++)
                for (int64_t n_in = 1; n_in <= 3; n_in++) {
                    test_train_lanes(n_in, n_hidden, f, output, 0);
                    test_train_lanes(n_in, n_hidden, f, output, 0.5);
                }
}
