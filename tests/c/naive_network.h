/* A network of two layers in double, and how far from it the roundings of one row may take a kernel.
 *
 * Before every row that is compared, the naive network gets the kernel's weights. So the bound is that of
 * one row's step, whatever the rows before it have done: it holds as well where training is unstable and
 * would turn roundings into large differences. Errors are carried through the row to first order, by
 * |f'| <= 1 and the slope of dE/dz; where f' or dE/dz jumps within reach of an error, both sides are
 * right. Sizes of weights add up over rows, because kernels keep the steps of a block apart for a while. */

static const struct { fbp_loss loss; fbp_activation activation; } outputs[] = {
    {FBP_SQUARED_ERROR, FBP_IDENTITY}, {FBP_SQUARED_ERROR, FBP_TANH}, {FBP_ABSOLUTE_ERROR, FBP_RELU},
    {FBP_HUBER, FBP_TANH}, {FBP_QUANTILE, FBP_IDENTITY},
    {FBP_BINARY_LOG_LOSS, FBP_LOGISTIC}, {FBP_POISSON, FBP_EXP}, {FBP_LOG_LOSS, FBP_SOFTMAX}};
enum { N_OUTPUTS = sizeof outputs / sizeof *outputs, SOFTMAX_OUTPUT = N_OUTPUTS - 1 };

/* One row's numbers, and a bound of each one's error: of hidden units, then of outputs. */
typedef struct {
    int64_t n_in, n_hidden, n_out;
    double *x, *x_size; /* the row, |x| */
    double *a, *a_size, *a_error, *delta, *delta_error;
    double *z_out, *z_out_error, *a_out, *a_out_error, *delta_out, *delta_out_error;
    double loss, loss_error;
} naive_row;

static naive_row new_naive_row(int64_t n_in, int64_t n_hidden, int64_t n_out) {
    naive_row r = {.n_in = n_in, .n_hidden = n_hidden, .n_out = n_out,
                   .x = numbers(2 * n_in + 5 * n_hidden + 6 * n_out)};
    r.x_size = r.x + n_in, r.a = r.x_size + n_in, r.a_size = r.a + n_hidden;
    r.a_error = r.a_size + n_hidden, r.delta = r.a_error + n_hidden, r.delta_error = r.delta + n_hidden;
    r.z_out = r.delta_error + n_hidden, r.z_out_error = r.z_out + n_out;
    r.a_out = r.z_out_error + n_out, r.a_out_error = r.a_out + n_out;
    r.delta_out = r.a_out_error + n_out, r.delta_out_error = r.delta_out + n_out;
    return r;
}

static void free_naive_row(naive_row *r) { free(r->x); }

/* Of a layer's z, or of a weight: summands of up to a block of rows, and what stands around them. */
static double roundings_of(int64_t n_in) { return 16 + (double)n_in + FBP_MAX_BLOCK_ROWS; }

static double derivative_error(int f, double a, double error) {
    if (f == FBP_RELU) return a <= error;
    return f == FBP_LOGISTIC || f == FBP_TANH ? 2 * error + 4 * eps : 0;
}

/* a = f(z) of the hidden layer, from x */
static void naive_hidden(naive_row *r, const naive_layer *first, int f) {
    for (int64_t i = 0; i < r->n_in; i++) r->x_size[i] = fabs(r->x[i]);
    naive_forward(first, r->x, r->x_size, r->a, r->a_error);
    for (int64_t j = 0; j < r->n_hidden; j++) {
        r->a[j] = activated(f, r->a[j]);
        r->a_size[j] = fabs(r->a[j]);
        r->a_error[j] = roundings_of(first->n_in) * eps * r->a_error[j] + 4 * eps * r->a_size[j];
    }
}

/* z and a of the outputs */
static void naive_outputs(naive_row *r, const naive_layer *last, int f) {
    double sum = 0, top = -INFINITY, z_error = 0;
    naive_forward(last, r->a, r->a_size, r->z_out, r->z_out_error);
    for (int64_t k = 0; k < r->n_out; k++) {
        r->z_out_error[k] *= roundings_of(last->n_in) * eps;
        for (int64_t j = 0; j < r->n_hidden; j++)
            r->z_out_error[k] += fabs(last->W[j * r->n_out + k]) * r->a_error[j];
        sum += exp(r->z_out[k]);
        top = fmax(top, r->z_out[k]);
        z_error = fmax(z_error, r->z_out_error[k]);
    }
    for (int64_t k = 0; k < r->n_out; k++) {
        const double z = r->z_out[k], a = f == FBP_SOFTMAX ? exp(z) / sum : activated(f, z);
        r->a_out[k] = a;
        if (f == FBP_SOFTMAX)
            r->a_out_error[k] = a * (expm1(2 * z_error) + (8 + (double)r->n_out) * eps * (1 + top - z));
        else if (f == FBP_EXP) r->a_out_error[k] = a * (expm1(r->z_out_error[k]) + 4 * eps);
        else r->a_out_error[k] = r->z_out_error[k] + 4 * eps * fabs(a);
    }
}

/* The loss of output k, and dE/dz there */
static void naive_output_delta(naive_row *r, const double *y, int64_t k, int output) {
    const fbp_loss loss = outputs[output].loss;
    const int f = (int)outputs[output].activation;
    double *delta = &r->delta_out[k], *error = &r->delta_out_error[k], sum_y = 1;
    const double z = r->z_out[k], a = r->a_out[k];
    const double one = output_loss((int)loss, r->z_out, r->a_out, y, r->n_out, k, delta);
    if (loss == FBP_LOG_LOSS) {
        sum_y = 0;
        for (int64_t j = 0; j < r->n_out; j++) sum_y += y[j];
    }
    const double reach = fmax(1, sum_y) * r->a_out_error[k] + 4 * eps * (fmax(1, sum_y) * fabs(a) + fabs(y[k]));
    const int is_kinked = loss == FBP_ABSOLUTE_ERROR || loss == FBP_QUANTILE;
    const double slope = 1 + fabs(*delta) + fabs(y[k]), moved = fmax(reach, r->z_out_error[k]);
    r->loss += one;
    r->loss_error += 2 * slope * moved + moved * moved + 8 * eps * (fabs(one) + fabs(a) + fabs(y[k]) * (1 + fabs(z)));
    *error = is_kinked ? (fabs(a - y[k]) <= reach ? 2 : 0) : reach;
    if (fbp_losses[loss].pair == outputs[output].activation) return; /* dE/dz already */
    *error += (fabs(*delta) + *error) * derivative_error(f, a, r->a_out_error[k]);
    *delta *= derivative(f, a);
    *error += 4 * eps * fabs(*delta);
}

/* delta of the hidden layer */
static void naive_backward(naive_row *r, const naive_layer *last, int f) {
    for (int64_t j = 0; j < r->n_hidden; j++) {
        double back = 0, size = 0, error = 0;
        for (int64_t k = 0; k < r->n_out; k++) {
            const int64_t at = j * r->n_out + k;
            back += last->W[at] * r->delta_out[k];
            size += last->W_size[at] * fabs(r->delta_out[k]);
            error += fabs(last->W[at]) * r->delta_out_error[k];
        }
        error += roundings_of(r->n_out) * eps * size;
        r->delta[j] = back * derivative(f, r->a[j]);
        r->delta_error[j] = error + (fabs(back) + error) * derivative_error(f, r->a[j], r->a_error[j]);
    }
}

/* The step of both layers for the row r->x, unless its loss is too large; returns whether it was taken. */
static int naive_network_step(naive_row *r, naive_layer *first, naive_layer *last, const double *y, int f,
                              int output, double weight, const fbp_step *step, double max_loss) {
    naive_hidden(r, first, f);
    naive_outputs(r, last, (int)outputs[output].activation);
    r->loss = r->loss_error = 0;
    for (int64_t k = 0; k < r->n_out; k++) naive_output_delta(r, y, k, output);
    if (!(r->loss <= max_loss)) return 0;
    naive_backward(r, last, f);
    naive_update(last, r->a, r->a_size, r->delta_out, weight, step);
    naive_update(first, r->x, r->x_size, r->delta, weight, step);
    return 1;
}

/* What W and V of one weight may differ by, in units of eps: what W stands for, and its gradient's error. */
static void add_gradient_error(double *W_size, double *V_size, double error, double weight,
                               const fbp_step *step) {
    if (weight == 0) return; /* the error may be infinite */
    *W_size += fabs(step->rate[0]) * weight * error / eps;
    *V_size += fabs(step->rate[1]) * weight * error / eps;
}

/* After naive_update with x and delta: the arrays are within the errors of that step. */
static void expect_step(const array *W, const array *b, const array *V_W, const array *V_b,
                        const naive_layer *l, const double *x, const double *x_error, const double *delta,
                        const double *delta_error, double weight, const fbp_step *step) {
    const int64_t n = l->n_in * l->n_out;
    double *W_size = numbers(n), *b_size = numbers(l->n_out);
    double *V_W_size = numbers(n), *V_b_size = numbers(l->n_out);
    const double roundings = roundings_of(l->n_in);
    for (int64_t j = 0; j < l->n_out; j++) {
        for (int64_t i = 0; i < l->n_in; i++) {
            const int64_t k = i * l->n_out + j;
            const double moved = x_error ? x_error[i] : 0;
            W_size[k] = roundings * l->W_size[k], V_W_size[k] = roundings * (l->V_W_size[k] + l->W_size[k]);
            add_gradient_error(&W_size[k], &V_W_size[k],
                               (fabs(x[i]) + moved) * delta_error[j] + moved * fabs(delta[j]), weight, step);
        }
        b_size[j] = roundings * l->b_size[j], V_b_size[j] = roundings * (l->V_b_size[j] + l->b_size[j]);
        add_gradient_error(&b_size[j], &V_b_size[j], delta_error[j], weight, step);
    }
    expect_close(W, l->W, W_size, 1);
    expect_close(b, l->b, b_size, 1);
    if (V_W) expect_close(V_W, l->V_W, V_W_size, 1);
    if (V_b) expect_close(V_b, l->V_b, V_b_size, 1);
    free(W_size), free(b_size), free(V_W_size), free(V_b_size);
}

/* The layer's values become the arrays'; sizes stay. */
static void copy_values(naive_layer *l, const array *W, const array *b, const array *V_W, const array *V_b) {
    for (int64_t k = 0; k < W->n; k++) l->W[k] = get(W->at, k);
    for (int64_t k = 0; k < b->n; k++) l->b[k] = get(b->at, k);
    for (int64_t k = 0; V_W && k < V_W->n; k++) l->V_W[k] = get(V_W->at, k);
    for (int64_t k = 0; V_b && k < V_b->n; k++) l->V_b[k] = get(V_b->at, k);
}
