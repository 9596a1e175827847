/* Rows and layers for the tests, and layers in double that show what must come out. */

/* A row of all values, or of half of them: of random columns, some twice, in any order; the same in
 * order; or in order and once each, as list_active lists. */
enum columns { ALL, UNSORTED, SORTED, ONCE };
static const char *const kinds[] = {"dense", "unsorted", "sorted", "active"};

typedef struct {
    array values;
    int32_t *columns;
    fbp_row row;
} random_row;

static int compare_columns(const void *a, const void *b) {
    const int32_t u = *(const int32_t *)a, v = *(const int32_t *)b;
    return (u > v) - (u < v);
}

static random_row new_row(int64_t n_in, enum columns kind, int shift) {
    const int64_t n = kind == ALL ? n_in : kind == ONCE ? n_in / 2 : (n_in + 1) / 2;
    random_row r = {.values = unpadded("x", n, shift)};
    if (kind != ALL) {
        r.columns = malloc(((size_t)n + 1) * sizeof *r.columns);
        if (!r.columns) abort();
        for (int64_t p = 0; p < n; p++)
            r.columns[p] = (int32_t)(kind == ONCE ? 2 * p + 1 : uniform(0, (double)n_in));
        if (kind == SORTED) qsort(r.columns, (size_t)n, sizeof *r.columns, compare_columns);
    }
    for (int64_t p = 0; p < n; p += 5) put(&r.values, p, 0);
    r.row = (fbp_row){r.values.at, r.columns, n};
    return r;
}

static void finish_row(random_row *r) {
    finish(&r->values, 0);
    free(r->columns);
}

/* The row as the dense vector it stands for, and the sum of the sizes behind each entry. */
static void spread(const random_row *r, double *x, double *size) {
    for (int64_t p = 0; p < r->row.n; p++) {
        const int64_t i = r->columns ? r->columns[p] : p;
        x[i] += get(r->values.at, p);
        size[i] += fabs(get(r->values.at, p));
    }
}

/* Weights, biases, their velocities, and for each the sum of the sizes of what it is made of. */
typedef struct {
    int64_t n_in, n_out;
    double *W, *b, *V_W, *V_b, *W_size, *b_size, *V_W_size, *V_b_size;
} naive_layer;

static double *copy_of(const array *a, int sizes) {
    double *p = numbers(a->n);
    for (int64_t k = 0; k < a->n; k++) p[k] = sizes ? fabs(get(a->at, k)) : get(a->at, k);
    return p;
}

/* Copies; without velocities those are 0. */
static naive_layer new_naive_layer(const array *W, const array *b, const array *V_W, const array *V_b) {
    return (naive_layer){W->n / b->n, b->n, copy_of(W, 0), copy_of(b, 0),
                         V_W ? copy_of(V_W, 0) : numbers(W->n), V_b ? copy_of(V_b, 0) : numbers(b->n),
                         copy_of(W, 1), copy_of(b, 1),
                         V_W ? copy_of(V_W, 1) : numbers(W->n), V_b ? copy_of(V_b, 1) : numbers(b->n)};
}

static void free_naive_layer(naive_layer *l) {
    free(l->W), free(l->b), free(l->V_W), free(l->V_b);
    free(l->W_size), free(l->b_size), free(l->V_W_size), free(l->V_b_size);
}

static void naive_forward(const naive_layer *l, const double *x, const double *x_size, double *z,
                          double *size) {
    for (int64_t j = 0; j < l->n_out; j++) {
        z[j] = l->b[j];
        size[j] = l->b_size[j];
        for (int64_t i = 0; i < l->n_in; i++) {
            z[j] += x[i] * l->W[i * l->n_out + j];
            size[j] += x_size[i] * l->W_size[i * l->n_out + j];
        }
    }
}

/* fbp_step of one weight or bias and its velocity */
static void naive_step(double *w, double *v, double g, const fbp_step *s, int bias) {
    const double old = *w, old_v = s->rule == FBP_MOMENTUM ? *v : 0;
    *w = (bias ? 1 : s->decay[0][0]) * old + s->decay[0][1] * old_v + s->rate[0] * g;
    if (s->rule == FBP_MOMENTUM) *v = (bias ? 0 : s->decay[1][0]) * old + s->decay[1][1] * old_v + s->rate[1] * g;
}

static void naive_update(naive_layer *l, const double *x, const double *x_size, const double *delta,
                         double weight, const fbp_step *s) {
    const fbp_step sizes = {.decay = {{fabs(s->decay[0][0]), fabs(s->decay[0][1])},
                                      {fabs(s->decay[1][0]), fabs(s->decay[1][1])}},
                            .rate = {fabs(s->rate[0]), fabs(s->rate[1])}, .rule = s->rule};
    for (int64_t j = 0; j < l->n_out; j++) {
        const double g = weight * delta[j], g_size = fabs(g);
        for (int64_t i = 0; i < l->n_in; i++) {
            const int64_t k = i * l->n_out + j;
            naive_step(&l->W[k], &l->V_W[k], x[i] * g, s, 0);
            naive_step(&l->W_size[k], &l->V_W_size[k], x_size[i] * g_size, &sizes, 0);
        }
        naive_step(&l->b[j], &l->V_b[j], g, s, 1);
        naive_step(&l->b_size[j], &l->V_b_size[j], g_size, &sizes, 1);
    }
}

static void expect_layer(const array *W, const array *b, const array *V_W, const array *V_b,
                         const naive_layer *l, double roundings) {
    expect_close(W, l->W, l->W_size, roundings);
    expect_close(b, l->b, l->b_size, roundings);
    if (V_W) expect_close(V_W, l->V_W, l->V_W_size, roundings);
    if (V_b) expect_close(V_b, l->V_b, l->V_b_size, roundings);
}

/* Plain, with decay, with momentum, with Nesterov's and decay; and sums of gradients. */
static const fbp_step STEPS[] = {
    {.decay = {{1, 0}, {0, 0}}, .rate = {-0.125, -0.125}},
    {.decay = {{0.75, 0}, {0, 0}}, .rate = {-0.125, -0.125}},
    {.decay = {{1, 0.75}, {0, 0.75}}, .rate = {-0.125, -0.125}, .rule = FBP_MOMENTUM},
    {.decay = {{0.875, 0.5}, {-0.0625, 0.75}}, .rate = {-0.25, -0.125}, .rule = FBP_MOMENTUM},
    {.decay = {{1, 0}, {0, 0}}, .rate = {1, 0}}};
enum { PLAIN, DECAY, MOMENTUM, NESTEROV, ADD, N_STEPS };
static const char *const step_names[] = {"plain", "decay", "momentum", "Nesterov", "add"};
