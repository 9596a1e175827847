/* train_lanes: networks side by side: csrc/kernels/lanes.inc.h. Each lane against one network in double. */

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

/* Networks, one a lane, and the rows they are trained on; one lane has a weight that is not finite. */
enum { N_LANE_SCRATCH = 5 };
typedef struct {
    int64_t n_in, n_hidden;
    int f, output, lost;
    double alpha;
    fbp_step step;
    lane_arrays all;
    array scratch[N_LANE_SCRATCH], X, y; /* a[1], z[1], delta[1], a[2], delta[2] */
    double weights[N_CASE_ROWS];
    fbp_lane_layer layers[2];
    fbp_lanes net;
    fbp_data data;
} side_by_side;

static const int64_t lane_samples[REGISTERS_SAMPLES] = {3, 0, 0, 2, 3, 1, 4, 2, 3};

static void fill_lanes(side_by_side *s) {
    static const double weights[N_CASE_ROWS] = {1.5, 0, 0.5, 1, 2};
    const int lanes = ops->lanes;
    const int64_t n_hidden = s->n_hidden;
    const double eta = 0.015625;
    memcpy(s->weights, weights, sizeof weights);
    s->lost = lanes > 1 ? lanes - 1 : -1;
    s->step = (fbp_step){.decay = {{1 - eta * s->alpha, 0}, {0, 0}}, .rate = {-eta, 0}};
    s->all = new_lane_arrays(s->n_in, n_hidden, lanes);
    s->scratch[0] = unpadded("a[1]", n_hidden * lanes, 1), s->scratch[1] = unpadded("z[1]", n_hidden * lanes, 1);
    s->scratch[2] = unpadded("delta[1]", 2 * n_hidden * lanes, 1);
    s->scratch[3] = unpadded("a[2]", lanes, 1), s->scratch[4] = unpadded("delta[2]", lanes, 1);
    s->X = unpadded("X", N_CASE_ROWS * s->n_in, 0), s->y = unpadded("y", N_CASE_ROWS, 1);
    divide(&s->all.W2, 2 * (double)n_hidden), divide(&s->X, 4);
    for (int64_t k = 0; k < N_CASE_ROWS; k++) put(&s->y, k, random_target(outputs[s->output].loss, k) / 4);
    if (s->lost >= 0) put(&s->all.W1, s->lost, INFINITY);
}

static void set_lane_layers(side_by_side *s) {
    array *work = s->scratch;
    s->layers[0] = (fbp_lane_layer){.n_in = s->n_in, .n_out = s->n_hidden, .W = s->all.W1.at, .b = s->all.b1.at,
                                    .a = work[0].at, .z = work[1].at, .delta = work[2].at};
    s->layers[1] = (fbp_lane_layer){.n_in = s->n_hidden, .n_out = 1, .W = s->all.W2.at, .b = s->all.b2.at,
                                    .a = work[3].at, .delta = work[4].at};
    s->net = (fbp_lanes){.layers = s->layers, .n_layers = 2, .activate = ops->activate[s->f],
                         .derive = ops->derive[s->f], .out_activation = outputs[s->output].activation,
                         .loss = outputs[s->output].loss, .loss_parameter = LOSS_PARAMETER,
                         .values = s->all.W1.at, .n_values = s->n_in * s->n_hidden};
    s->data = (fbp_data){.X = s->X.at, .X_row_bytes = s->n_in * ops->itemsize, .n_features = s->n_in,
                         .itemsize = ops->itemsize, .y = s->y.at, .y_row_bytes = ops->itemsize,
                         .weights = s->alpha ? s->weights : NULL};
}

/* From the first state on, the first n samples, in two calls, of all samples the second of an odd number. */
static void train_side_by_side(side_by_side *s, int64_t n, double *sums) {
    array *outputs_of_it[] = {&s->all.W1, &s->all.b1, &s->all.W2, &s->all.b2};
    for (int i = 0; i < 4; i++) restore(outputs_of_it[i]);
    for (int i = 0; i < N_LANE_SCRATCH; i++) restore(&s->scratch[i]);
    memset(sums, 0, (size_t)ops->lanes * sizeof *sums);
    ops->train_lanes(&s->net, &s->data, lane_samples, 0, n < 4 ? n : 4, &s->step, 1e30, sums);
    if (n > 4) ops->train_lanes(&s->net, &s->data, lane_samples, 4, n, &s->step, 1e30, sums);
}

/* One lane's last sample of n, whose network had the numbers in `before`. */
static void expect_lane(side_by_side *s, int lane, int64_t n, lane_arrays *one, naive_layer *first,
                        naive_layer *last, naive_row *row, double sum_before, double sum) {
    const int64_t r = lane_samples[n - 1];
    const double weight = s->alpha ? s->weights[r] : 1, target = get(s->y.at, r);
    for (int64_t i = 0; i < s->n_in; i++) row->x[i] = get(s->X.at, r * s->n_in + i);
    copy_values(first, &one->W1, &one->b1, NULL, NULL), copy_values(last, &one->W2, &one->b2, NULL, NULL);
    naive_network_step(row, first, last, &target, s->f, s->output, weight, &s->step, DBL_MAX);
    const double expected = sum_before + weight * row->loss;
    check(fabs(sum - expected) <= weight * row->loss_error + 8 * eps * fabs(expected),
          "lane %d: losses up to sample %ld add up to %.9g, expected %.9g", lane, (long)n, sum, expected);
    copy_lane(one, &s->all, lane, 1);
    expect_step(&one->W1, &one->b1, NULL, NULL, first, row->x, NULL, row->delta, row->delta_error, weight,
                &s->step);
    expect_step(&one->W2, &one->b2, NULL, NULL, last, row->a, row->a_error, row->delta_out,
                row->delta_out_error, weight, &s->step);
}

/* Every third sample is compared, of every case others, and the last one. */
static void test_train_lanes(int64_t n_in, int64_t n_hidden, int f, int output, double alpha) {
    static int64_t n_cases;
    const int64_t current = n_cases++;
    const int lanes = ops->lanes;
    describe("train_lanes %ld-%ld-1, %s, %s, alpha %g", (long)n_in, (long)n_hidden, fbp_activations[f].name,
             fbp_losses[outputs[output].loss].name, alpha);
    side_by_side s = {.n_in = n_in, .n_hidden = n_hidden, .f = f, .output = output, .alpha = alpha};
    fill_lanes(&s), set_lane_layers(&s);
    double *sums_before = numbers(lanes), *sums = numbers(lanes);
    lane_arrays *one = malloc((size_t)lanes * sizeof *one);
    naive_row row = new_naive_row(n_in, n_hidden, 1);
    if (!one) abort();
    for (int lane = 0; lane < lanes; lane++) one[lane] = new_lane_arrays(n_in, n_hidden, 1);
    for (int64_t n = 1; n <= REGISTERS_SAMPLES; n++) {
        if ((n + current) % 3 && n < REGISTERS_SAMPLES) continue;
        train_side_by_side(&s, n - 1, sums_before);
        for (int lane = 0; lane < lanes; lane++) copy_lane(&one[lane], &s.all, lane, 1);
        train_side_by_side(&s, n, sums);
        for (int lane = 0; lane < lanes; lane++) {
            if (lane == s.lost) {
                check(sums[lane] == INFINITY, "lane %d is lost, and its losses add up to %g", lane, sums[lane]);
                continue;
            }
            naive_layer first = new_naive_layer(&one[lane].W1, &one[lane].b1, NULL, NULL);
            naive_layer last = new_naive_layer(&one[lane].W2, &one[lane].b2, NULL, NULL);
            expect_lane(&s, lane, n, &one[lane], &first, &last, &row, sums_before[lane], sums[lane]);
            free_naive_layer(&first), free_naive_layer(&last);
        }
    }
    for (int lane = 0; lane < lanes; lane++) finish_lane_arrays(&one[lane]);
    finish_lane_arrays(&s.all);
    for (int i = 0; i < N_LANE_SCRATCH; i++) finish(&s.scratch[i], 1);
    finish(&s.X, 0), finish(&s.y, 0);
    free_naive_row(&row), free(one), free(sums_before), free(sums);
}

static void test_lanes(void) {
    for (int64_t n_hidden = 1; n_hidden <= 17; n_hidden++)
        for (int f = FBP_IDENTITY; f <= FBP_RELU; f++)
            for (int output = 0; output < SOFTMAX_OUTPUT; output++)
                for (int64_t n_in = 1; n_in <= 3; n_in++) {
                    test_train_lanes(n_in, n_hidden, f, output, 0);
                    test_train_lanes(n_in, n_hidden, f, output, 0.5);
                }
}
