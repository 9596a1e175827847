/* Whole networks of two layers: train_registers of csrc/kernels/registers.inc.h, and block_row of
 * csrc/kernels/blocks_row.inc.h. */

enum { N_CASE_ROWS = 5, REGISTERS_SAMPLES = 9, BLOCKS_SAMPLES = 3 + FBP_MAX_BLOCK_ROWS + 3 };

/* The steps of STEPS, but small. */
static const fbp_step small_steps[] = {
    {.decay = {{1, 0}, {0, 0}}, .rate = {-0.015625, -0.015625}},
    {.decay = {{0.9921875, 0}, {0, 0}}, .rate = {-0.015625, -0.015625}},
    {.decay = {{1, 0.75}, {0, 0.75}}, .rate = {-0.015625, -0.015625}, .rule = FBP_MOMENTUM},
    {.decay = {{0.984375, 0.5}, {-0.0078125, 0.75}}, .rate = {-0.03125, -0.015625}, .rule = FBP_MOMENTUM}};

/* What train_registers does, by block_row; blocks are those of the rows up to `end`, also where it stops before.
 * */
static int64_t train_block_rows(fbp_net *net, fbp_block *block, const fbp_data *data, const int64_t *order,
                                int64_t start, int64_t stop, int64_t end, const fbp_step *step,
                                double max_loss, double *loss_sum) {
    ops->block_load(block, net->layers, step);
    for (int n; start < stop; start += n) {
        fbp_row rows[FBP_MAX_BLOCK_ROWS];
        n = end - start < ops->block_rows ? (int)(end - start) : ops->block_rows;
        for (int t = 0; t < n; t++)
            rows[t] = (fbp_row){data->X + order[start + t] * data->X_row_bytes, NULL, data->n_features};
        ops->block_forward(block, net->layers, rows, n);
        if (stop - start < n) n = (int)(stop - start);
        for (int t = 0; t < n; t++) {
            const int64_t r = order[start + t];
            const double weight = data->weights ? data->weights[r] : 1;
            const double loss = ops->block_row(net, block, data->y + r * data->y_row_bytes, t, weight, step,
                                               max_loss);
            if (loss <= max_loss) *loss_sum += weight * loss;
            else n = t, stop = start + t;
        }
        ops->block_close(block, net->layers, n);
    }
    ops->block_unload(block, net->layers);
    return stop;
}

/* A network, and how to train it; the loss of sample `bad` is too large, if `bad` is odd not finite; or -1. */
typedef struct {
    int by_blocks;
    int64_t n_in, n_hidden, n_out;
    int f, output, which, bad;
} network_case;

/* Its arrays, all that the kernels work with, and rows. */
enum { N_PARAMETERS = 4, N_SCRATCH = 7, CASE_X = N_PARAMETERS, CASE_Y };
typedef struct {
    network_case c;
    guarded_block g;
    array parameters[N_PARAMETERS], velocities[N_PARAMETERS]; /* of W[1], b[1], W[2], b[2] */
    array scratch[N_SCRATCH];                                 /* packed W[2], V_W[2], z[1], delta[1], ... */
    array X, y;
    int64_t row_length, width;
    double weights[N_CASE_ROWS];
    fbp_layer layers[2], packed;
    fbp_net net;
    fbp_data data;
} small_network;

static const double MAX_LOSS = 1e4;
static const int64_t samples[BLOCKS_SAMPLES + 1] = {-1, 3, 0, 0, 2, 3, 1, 4, 2, 3, 3, 1, 0,
                                                    4, 2, 1, 2, 0, 4, 3, 1, 1, 0};

static int samples_of(const network_case *c) { return c->by_blocks ? BLOCKS_SAMPLES : REGISTERS_SAMPLES; }

static void divide(array *a, double by) {
    for (int64_t k = 0; k < a->n; k++) put(a, k, get(a->at, k) / by);
}

static void fill_rows(small_network *s) {
    const network_case *c = &s->c;
    static const double weights[N_CASE_ROWS] = {1.5, 0, 0.5, 1, 2};
    memcpy(s->weights, weights, sizeof weights);
    s->row_length = c->n_in + c->n_hidden % 4;
    s->X = unpadded("X", N_CASE_ROWS * s->row_length, 0);
    s->y = unpadded("y", N_CASE_ROWS * c->n_out, (int)(c->n_hidden % 4));
    divide(&s->X, 4);
    for (int64_t k = 0; k < s->y.n; k++) put(&s->y, k, random_target(outputs[c->output].loss, k) / 4);
    if (c->bad >= 0) put(&s->y, samples[c->bad + 1] * c->n_out, c->bad % 2 ? INFINITY : 1000);
    s->data = (fbp_data){.X = s->X.at, .X_row_bytes = s->row_length * ops->itemsize, .n_features = c->n_in,
                         .itemsize = ops->itemsize, .y = s->y.at, .y_row_bytes = c->n_out * ops->itemsize,
                         .weights = c->which || c->n_hidden % 2 ? s->weights : NULL};
}

static void fill_parameters(small_network *s) {
    const network_case *c = &s->c;
    static const char *const names[] = {"W[1]", "b[1]", "W[2]", "b[2]", "V_W[1]", "V_b[1]", "V_W[2]", "V_b[2]"};
    const int64_t sizes[] = {c->n_in * c->n_hidden, c->n_hidden, c->n_hidden * c->n_out, c->n_out};
    const int momentum = small_steps[c->which].rule == FBP_MOMENTUM, shift = (int)(c->n_hidden % 4);
    for (int i = 0; i < N_PARAMETERS; i++) {
        s->parameters[i] = unpadded(names[i], sizes[i], shift);
        s->velocities[i] = unpadded(names[N_PARAMETERS + i], sizes[i], shift);
        divide(&s->velocities[i], 64 * (double)c->n_hidden);
    }
    divide(&s->parameters[2], 2 * (double)c->n_hidden);
    s->width = padded_to(c->n_hidden, ops->lanes);
    s->scratch[0] = unpadded("packed W[2]", s->width * c->n_out, 0);
    s->scratch[1] = unpadded("packed V_W[2]", momentum ? s->width * c->n_out : 0, 0);
    fill(&s->scratch[0], 0), fill(&s->scratch[1], 0); /* as memory begins */
    s->scratch[2] = panels("z[1]", c->n_hidden), s->scratch[3] = scratch("delta[1]", c->n_hidden);
    s->scratch[4] = scratch("z[2]", c->n_out), s->scratch[5] = scratch("a[2]", c->n_out);
    s->scratch[6] = scratch("delta[2]", c->n_out);
    s->g = new_block(c->n_in, c->n_hidden, 0, momentum, 2);
}

static void set_layers(small_network *s) {
    const network_case *c = &s->c;
    const fbp_activation f_out = outputs[c->output].activation;
    const fbp_loss loss = outputs[c->output].loss;
    array *p = s->parameters, *v = s->velocities, *work = s->scratch;
    s->layers[0] = (fbp_layer){
        .n_in = c->n_in, .n_out = c->n_hidden, .W = p[0].at, .b = p[1].at, .V_W = v[0].at, .V_b = v[1].at,
        .z = work[2].at, .a = work[2].at, .delta = work[3].at, .activate = ops->activate[c->f],
        .derive = ops->derive[c->f], .slopes_of = work[2].at};
    s->layers[1] = (fbp_layer){
        .n_in = c->n_hidden, .n_out = c->n_out, .width = c->n_out, .scale = 1, .W = p[2].at, .b = p[3].at,
        .to_b = p[3].at, .V_W = small_steps[c->which].rule == FBP_MOMENTUM ? v[2].at : NULL, .V_b = v[3].at,
        .z = work[4].at, .a = f_out == FBP_IDENTITY ? work[4].at : work[5].at, .delta = work[6].at,
        .activate = ops->activate[f_out],
        .derive = ops->derive[fbp_losses[loss].pair == f_out ? FBP_IDENTITY : f_out]};
    s->layers[1].slopes_of = s->layers[1].a;
    s->packed = (fbp_layer){.n_in = c->n_hidden, .n_out = c->n_out, .W = work[0].at, .V_W = work[1].at,
                            .width = s->width, .transposed = 1};
    s->net = (fbp_net){.ops = ops, .output_delta = ops->output_delta[loss], .layers = s->layers,
                       .n_layers = 2, .first_activation = (fbp_activation)c->f, .last_activation = f_out,
                       .loss = loss, .loss_pair = fbp_losses[loss].pair == f_out,
                       .loss_parameter = LOSS_PARAMETER};
}

/* From the first state on, the first n samples, in two calls; returns the sample that it stopped at. */
static int64_t train_network(small_network *s, int64_t n, double *sum) {
    const fbp_step *step = &small_steps[s->c.which];
    const int64_t starts[] = {1, 4, samples_of(&s->c) + 1};
    fbp_block block = s->g.block;
    int64_t stop = 1;
    for (int i = 0; i < N_PARAMETERS; i++) restore(&s->parameters[i]), restore(&s->velocities[i]);
    for (int i = 0; i < N_SCRATCH; i++) restore(&s->scratch[i]);
    for (int i = 0; i < N_PARTS; i++) restore(&s->g.parts[i]);
    set_layers(s);
    *sum = 0;
    ops->layer_load(&s->layers[1], &s->packed);
    for (int call = 0; call < 2 && stop == starts[call]; call++) {
        const int64_t end = starts[call + 1], until = n + 1 < end ? n + 1 : end;
        stop = s->c.by_blocks ? train_block_rows(&s->net, &block, &s->data, samples, stop, until, end, step,
                                                 MAX_LOSS, sum)
                              : ops->train_registers(&s->net, &block, &s->data, samples, stop, until, step,
                                                     MAX_LOSS, sum);
    }
    ops->layer_unload(&s->layers[1], &s->packed);
    return stop;
}

static void finish_network(small_network *s) {
    const int momentum = small_steps[s->c.which].rule == FBP_MOMENTUM;
    for (int i = 0; i < N_PARAMETERS; i++) finish(&s->parameters[i], 1), finish(&s->velocities[i], momentum);
    for (int i = 0; i < N_SCRATCH; i++) finish(&s->scratch[i], i == 1 ? momentum : 1);
    finish(&s->X, 0), finish(&s->y, 0);
    finish_block(&s->g);
}

/* All samples before t; the naive network gets the kernel's numbers. Returns the sum of losses. */
static double train_before(small_network *s, int64_t t, naive_layer *first, naive_layer *last) {
    const array *p = s->parameters, *v = s->velocities;
    double sum;
    const int64_t stop = train_network(s, t - 1, &sum);
    check(stop == t, "stopped at %ld, before sample %ld", (long)stop, (long)t);
    copy_values(first, &p[0], &p[1], &v[0], &v[1]);
    copy_values(last, &p[2], &p[3], &v[2], &v[3]);
    return sum;
}

/* Sample t as the kernels take it, after all before it, against the naive network, which has if `taken`; else
 * the weight is 0. */
static void expect_sample(small_network *s, int64_t t, int taken, double sum_before, const naive_row *r,
                          const naive_layer *first, const naive_layer *last, double weight) {
    const array *p = s->parameters, *v = s->velocities;
    const fbp_step *step = &small_steps[s->c.which];
    double sum;
    const int64_t stop = train_network(s, t, &sum);
    const double expected = sum_before + weight * r->loss;
    check(stop == t + taken, "stopped at %ld, expected %ld", (long)stop, (long)(t + taken));
    check(taken ? fabs(sum - expected) <= weight * r->loss_error + 4 * DBL_EPSILON * expected : sum == sum_before,
          "losses up to sample %ld add up to %.9g, expected %.9g", (long)t, sum, expected);
    expect_step(&p[0], &p[1], &v[0], &v[1], first, r->x, NULL, r->delta, r->delta_error, weight, step);
    expect_step(&p[2], &p[3], &v[2], &v[3], last, r->a, r->a_error, r->delta_out, r->delta_out_error, weight,
                step);
}

/* Every third sample is compared, of every case others, and the last one. */
static void test_network(int by_blocks, int64_t n_in, int64_t n_hidden, int64_t n_out, int f, int output,
                         int which, int bad) {
    static int64_t n_cases;
    const int64_t current = n_cases++;
    small_network s = {.c = {by_blocks, n_in, n_hidden, n_out, f, output, which, bad}};
    describe("%s %ld-%ld-%ld, %s, %s, %s, bad sample %d", by_blocks ? "block_row" : "train_registers", (long)n_in,
             (long)n_hidden, (long)n_out, fbp_activations[f].name, fbp_losses[outputs[output].loss].name, step_names[which], bad);
    fill_parameters(&s), fill_rows(&s);
    array *p = s.parameters, *v = s.velocities;
    naive_layer first = new_naive_layer(&p[0], &p[1], &v[0], &v[1]);
    naive_layer last = new_naive_layer(&p[2], &p[3], &v[2], &v[3]);
    naive_row row = new_naive_row(n_in, n_hidden, n_out);
    double *target = numbers(n_out), sum = 0;
    int taken = 1;
    for (int64_t t = 1; t <= samples_of(&s.c) && taken; t++) {
        const int64_t r = samples[t];
        const double weight = s.data.weights ? s.weights[r] : 1;
        const int compared = (t + current) % 3 == 0 || t == samples_of(&s.c);
        for (int64_t i = 0; i < n_in; i++) row.x[i] = get(s.X.at, r * s.row_length + i);
        for (int64_t k = 0; k < n_out; k++) target[k] = get(s.y.at, r * n_out + k);
        if (compared) sum = train_before(&s, t, &first, &last);
        taken = naive_network_step(&row, &first, &last, target, f, output, weight, &small_steps[which],
                                   MAX_LOSS);
        if (!taken && !compared) sum = train_before(&s, t, &first, &last);
        if (!taken || compared) expect_sample(&s, t, taken, sum, &row, &first, &last, taken ? weight : 0);
    }
    finish_network(&s);
    free_naive_layer(&first), free_naive_layer(&last), free_naive_row(&row);
    free(target);
}

static void test_train_registers(int64_t n_in, int64_t n_hidden, int64_t n_out, int f, int output, int which,
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
    for (int bad = 0; bad < BLOCKS_SAMPLES; bad++)
        for (int which = PLAIN; which <= DECAY; which++)
            test_network(1, 2, 2 * lanes + 1, 2, FBP_RELU, 0, which, bad);
}

/* Every width of the hidden layer, of one output and of several. */
static void test_registers(void) {
    for (int64_t n_hidden = 1; n_hidden <= ops->registers_units; n_hidden++)
        for (int f = FBP_LOGISTIC; f <= FBP_RELU; f++)
            for (int output = 0; output < SOFTMAX_OUTPUT; output++)
                for (int64_t n_in = 1; n_in <= 3; n_in++)
                    for (int which = PLAIN; which <= NESTEROV; which++)
                        test_train_registers(n_in, n_hidden, 1, f, output, which, -1);
    for (int64_t n_hidden = 1; n_hidden <= ops->registers_units_without_momentum; n_hidden++)
        for (int f = FBP_IDENTITY; f <= FBP_RELU; f++)
            for (int output = 0; output < N_OUTPUTS; output++)
                for (int64_t n_out = n_hidden > ops->registers_units || f == FBP_IDENTITY ? 1 : 2; n_out <= 11;
                     n_out += 1 + n_out / 5)
                    for (int which = PLAIN; which <= DECAY; which++)
                        test_train_registers(n_hidden % 3 + 1, n_hidden, n_out, f, output, which, -1);
    for (int bad = 0; ops->registers_units && bad < REGISTERS_SAMPLES; bad++) {
        for (int which = PLAIN; which <= NESTEROV; which++)
            test_train_registers(2, ops->registers_units, 1, FBP_TANH, 0, which, bad);
        for (int which = PLAIN; which <= DECAY; which++)
            for (int64_t n_out = 2; n_out <= 6; n_out += 4)
                test_train_registers(2, ops->registers_units_without_momentum, n_out, FBP_TANH, 0, which, bad);
    }
}
