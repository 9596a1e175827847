/* Every operation of every table (fastbp.h) against naive loops in double.
 *
 * For each instruction set that this machine can run and both dtypes: every length from 0 (1
 * where there is always one) to four vectors plus one, and around the eight vectors that the
 * widest loop takes at once; data that starts at odd places; sparse rows with columns in any
 * order and twice. Arrays stand between guards:
 *
 *   - an output may change only where its header says: its own n values, or, in scratch, those
 *     and the padding to FBP_ALIGNMENT bytes. Inputs may not change at all.
 *   - around unpadded arrays stands NaN: whatever is read there and used shows in the result.
 *   - in the padding of scratch stand finite numbers that must not show.
 *
 * Prints every failure (up to a few) and "N passed, N failed"; exits with 1 after a failure. */
#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fastbp.h"

#define GUARD 256 /* bytes on either side */
#define MOST_SHOWN 20

/* ------------------------------------------------------------------------------------------ */
/* What is being tested, and the count                                                          */
/* ------------------------------------------------------------------------------------------ */

static const fbp_ops *ops;
static int is_float;
static double eps, smallest; /* of the dtype: rounding, and the least number above 0 */
static long passed, failed;
static char label[200]; /* operation and sizes */

static void describe(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(label, sizeof label, format, arguments);
    va_end(arguments);
}

static void check(int good, const char *format, ...) {
    va_list arguments;
    if (good) {
        passed++;
        return;
    }
    if (failed++ >= MOST_SHOWN) return;
    printf("FAILED %s float%d: %s: ", ops->isa, is_float ? 32 : 64, label);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    printf("\n");
}

/* ------------------------------------------------------------------------------------------ */
/* Arrays between guards                                                                        */
/* ------------------------------------------------------------------------------------------ */

typedef struct {
    const char *name;
    unsigned char *block, *before; /* the whole block, and what it held before the call */
    size_t n_bytes, first, after;  /* where in it the values begin, and where they may change */
    void *at;                      /* the values */
    int64_t n;
} array;

static double get(const void *p, int64_t i) {
    return is_float ? ((const float *)p)[i] : ((const double *)p)[i];
}

static void set(void *p, int64_t i, double value) {
    if (is_float) ((float *)p)[i] = (float)value;
    else ((double *)p)[i] = value;
}

static double before(const array *a, int64_t i) { return get(a->before + a->first, i); }

static uint64_t state = 88172645463325252u;

static double uniform(double low, double high) { /* xorshift64 */
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return low + (high - low) * (double)(state >> 11) * 0x1p-53;
}

/* n random values, `shift` values behind a multiple of FBP_ALIGNMENT. Scratch is never shifted, may
 * change up to a multiple of `scratch` bytes, and holds numbers there. */
static array new_array(const char *name, int64_t n, int shift, size_t scratch) {
    const size_t item = (size_t)ops->itemsize, own = (size_t)n * item;
    const size_t padding = scratch ? (scratch - own % scratch) % scratch : 0;
    array a = {.name = name, .n = n};
    a.first = GUARD + (size_t)shift * item;
    a.after = a.first + own + padding;
    a.n_bytes = (a.after + GUARD + FBP_ALIGNMENT - 1) / FBP_ALIGNMENT * FBP_ALIGNMENT;
    a.block = aligned_alloc(FBP_ALIGNMENT, a.n_bytes);
    a.before = aligned_alloc(FBP_ALIGNMENT, a.n_bytes);
    if (!a.block || !a.before) abort();
    memset(a.block, 0xff, a.n_bytes); /* NaN in both dtypes */
    a.at = a.block + a.first;
    for (int64_t i = 0; i < n; i++) set(a.at, i, uniform(-2, 2));
    for (size_t i = 0; i < padding / item; i++) set(a.at, n + (int64_t)i, uniform(-2, 2));
    memcpy(a.before, a.block, a.n_bytes);
    return a;
}

static array unpadded(const char *name, int64_t n, int shift) { return new_array(name, n, shift, 0); }
static array scratch(const char *name, int64_t n) { return new_array(name, n, 0, FBP_ALIGNMENT); }
static array panels(const char *name, int64_t n) { return new_array(name, n, 0, FBP_WIDEST_PANEL); }

static void put(array *a, int64_t i, double value) {
    set(a->at, i, value);
    set(a->before + a->first, i, value);
}

/* Where in a stretch of bytes the first change is, or -1. */
static long changed(const array *a, size_t from, size_t to) {
    if (!memcmp(a->block + from, a->before + from, to - from)) return -1;
    while (a->block[from] == a->before[from]) from++;
    return (long)from;
}

/* Nothing but the output's own room has changed; then the array is no longer needed. */
static void finish(array *a, int is_output) {
    long at = changed(a, 0, is_output ? a->first : a->n_bytes);
    if (is_output && at < 0) at = changed(a, a->after, a->n_bytes);
    check(at < 0, "%s changed at byte %ld of its %ld", a->name, at - (long)a->first,
          (long)a->n * ops->itemsize);
    free(a->block);
    free(a->before);
}

static void finish_inputs(array *arrays[], int n) {
    for (int i = 0; i < n; i++) finish(arrays[i], 0);
}

/* The values are the expected ones, each within a number of roundings of its size. */
static void expect_close(const array *a, const double *expected, const double *size, double roundings) {
    for (int64_t i = 0; i < a->n; i++) {
        const double got = get(a->at, i), bound = roundings * (eps * size[i] + smallest);
        if (!(fabs(got - expected[i]) <= bound)) {
            check(0, "%s[%ld] is %.17g, expected %.17g", a->name, (long)i, got, expected[i]);
            return;
        }
    }
    check(1, "");
}

static double *numbers(int64_t n) {
    double *p = calloc((size_t)n + 1, sizeof *p);
    if (!p) abort();
    return p;
}

/* ------------------------------------------------------------------------------------------ */
/* Layers and rows                                                                              */
/* ------------------------------------------------------------------------------------------ */

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

/* ------------------------------------------------------------------------------------------ */
/* forward: z = x @ W + b                                                                       */
/* ------------------------------------------------------------------------------------------ */

static void test_forward(int64_t n_in, int64_t n_out, enum columns kind, int shift) {
    describe("forward %s, %ld x %ld, shift %d", kinds[kind], (long)n_in, (long)n_out, shift);
    random_row x = new_row(n_in, kind, shift);
    array W = unpadded("W", n_in * n_out, shift), b = unpadded("b", n_out, shift);
    array z = scratch("z", n_out);
    array *inputs[] = {&W, &b};
    const fbp_layer layer = {.n_in = n_in, .n_out = n_out, .W = W.at, .b = b.at, .z = z.at};

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

/* ------------------------------------------------------------------------------------------ */
/* A layer in double, for what follows                                                          */
/* ------------------------------------------------------------------------------------------ */

/* Weights, biases, their velocities, and for each the sum of the sizes of what it is made of. */
typedef struct {
    int64_t n_in, n_out;
    double *W, *b, *V_W, *V_b, *W_size, *b_size, *V_W_size, *V_b_size;
} naive_layer;

static double *copy_of(const array *a, int sizes) {
    double *p = numbers(a ? a->n : 0);
    for (int64_t k = 0; a && k < a->n; k++) p[k] = sizes ? fabs(get(a->at, k)) : get(a->at, k);
    return p;
}

static naive_layer new_naive_layer(const array *W, const array *b, const array *V_W, const array *V_b) {
    return (naive_layer){W->n / b->n, b->n, copy_of(W, 0), copy_of(b, 0), copy_of(V_W, 0), copy_of(V_b, 0),
                         copy_of(W, 1), copy_of(b, 1), copy_of(V_W, 1), copy_of(V_b, 1)};
}

static void free_naive_layer(naive_layer *l) {
    free(l->W), free(l->b), free(l->V_W), free(l->V_b);
    free(l->W_size), free(l->b_size), free(l->V_W_size), free(l->V_b_size);
}

static void naive_forward(const naive_layer *l, const double *x, double *z, double *size) {
    for (int64_t j = 0; j < l->n_out; j++) {
        z[j] = l->b[j];
        size[j] = l->b_size[j];
        for (int64_t i = 0; i < l->n_in; i++) {
            z[j] += x[i] * l->W[i * l->n_out + j];
            size[j] += fabs(x[i]) * l->W_size[i * l->n_out + j];
        }
    }
}

/* fbp_step of one weight or bias and its velocity */
static void naive_step(double *w, double *v, double g, const fbp_step *s, int bias) {
    const double old = *w, old_v = s->momentum ? *v : 0;
    *w = (bias ? 1 : s->keep[0][0]) * old + s->keep[0][1] * old_v + s->take[0] * g;
    if (s->momentum) *v = (bias ? 0 : s->keep[1][0]) * old + s->keep[1][1] * old_v + s->take[1] * g;
}

static void naive_update(naive_layer *l, const double *x, const double *x_size, const double *delta,
                         double weight, const fbp_step *s) {
    const fbp_step sizes = {{{fabs(s->keep[0][0]), fabs(s->keep[0][1])},
                             {fabs(s->keep[1][0]), fabs(s->keep[1][1])}},
                            {fabs(s->take[0]), fabs(s->take[1])}, s->momentum};
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
    {{{1, 0}, {0, 0}}, {-0.125, 0}, 0},
    {{{0.75, 0}, {0, 0}}, {-0.125, 0}, 0},
    {{{1, 0.75}, {0, 0.75}}, {-0.125, -0.125}, 1},
    {{{0.875, 0.5}, {-0.0625, 0.75}}, {-0.25, -0.125}, 1},
    {{{1, 0}, {0, 0}}, {1, 0}, 0}};
enum { PLAIN, DECAY, MOMENTUM, NESTEROV, ADD, N_STEPS };
static const char *const step_names[] = {"plain", "decay", "momentum", "Nesterov", "add"};

/* ------------------------------------------------------------------------------------------ */
/* backward_update, update, list_active                                                         */
/* ------------------------------------------------------------------------------------------ */

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
    l.layer = (fbp_layer){.n_in = n_in, .n_out = n_out, .W = l.W.at, .b = l.b.at, .delta = delta->at,
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
    const int in_place = which != ADD, momentum = step->momentum;
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

/* ------------------------------------------------------------------------------------------ */
/* activate, derive                                                                             */
/* ------------------------------------------------------------------------------------------ */

static const char *const activations[] = {"identity", "logistic", "tanh", "relu", "exp", "softmax"};

static double activated(int f, double z) {
    switch (f) {
    case FBP_LOGISTIC: return 1 / (1 + exp(-z));
    case FBP_TANH: return tanh(z);
    case FBP_RELU: return z > 0 ? z : 0;
    case FBP_EXP: return exp(z);
    default: return z;
    }
}

static double derivative(int f, double a) {
    switch (f) {
    case FBP_LOGISTIC: return a * (1 - a);
    case FBP_TANH: return 1 - a * a;
    case FBP_RELU: return a > 0;
    default: return 1; /* exp and softmax: the pair's delta is dE/dz already */
    }
}

/* The rounding of z - max z shows in the result as many times as it is large. */
static void expect_softmax(const array *a) {
    double *expected = numbers(a->n), *size = numbers(a->n), largest = -INFINITY, sum = 0;
    for (int64_t k = 0; k < a->n; k++) largest = before(a, k) > largest ? before(a, k) : largest;
    for (int64_t k = 0; k < a->n; k++) sum += exp(before(a, k) - largest);
    for (int64_t k = 0; k < a->n; k++) {
        expected[k] = exp(before(a, k) - largest) / sum;
        size[k] = expected[k] * (1 + largest - before(a, k));
    }
    expect_close(a, expected, size, 8 + (double)a->n);
    free(expected), free(size);
}

static void test_activate(int f, int64_t n, double spread_over) {
    describe("%s of %ld values up to %g", activations[f], (long)n, spread_over);
    array z = scratch("z", n);
    for (int64_t k = 0; k < n; k++) put(&z, k, uniform(-spread_over, spread_over));
    ops->activate[f](z.at, n);
    if (f == FBP_SOFTMAX) {
        expect_softmax(&z);
    } else {
        double *expected = numbers(n), *size = numbers(n);
        for (int64_t k = 0; k < n; k++) {
            expected[k] = activated(f, before(&z, k));
            size[k] = fabs(expected[k]);
        }
        expect_close(&z, expected, size, f == FBP_IDENTITY || f == FBP_RELU ? 0 : 4);
        free(expected), free(size);
    }
    finish(&z, 1);
}

/* Finite stays finite, however large; NaN shows. */
static void test_activate_at_the_edges(int f, int64_t n) {
    const double most = is_float ? FLT_MAX : DBL_MAX;
    const double edges[] = {most, -most, 1e4, -1e4, 750, -750, 0.0, -0.0, most * eps, 1 / most};
    const int n_edges = sizeof edges / sizeof *edges;
    describe("%s of %ld values at the edges", activations[f], (long)n);
    for (int e = 0; e < n_edges; e++) {
        array z = scratch("z", n);
        int finite = 1;
        for (int64_t k = 0; k < n; k++) put(&z, k, edges[(e + k) % n_edges]);
        ops->activate[f](z.at, n);
        for (int64_t k = 0; k < n; k++) finite &= isfinite(get(z.at, k)) != 0;
        check(finite, "not finite, from %g onwards", edges[e]);
        finish(&z, 1);
    }
    for (int64_t at = 0; at < n; at++) {
        array z = scratch("z", n);
        put(&z, at, NAN);
        ops->activate[f](z.at, n);
        check(isnan(get(z.at, at)), "NaN at %ld is lost", (long)at);
        finish(&z, 1);
    }
}

static void test_derive(int f, int64_t n) {
    describe("derivative of %s, %ld values", activations[f], (long)n);
    array delta = scratch("delta", n), a = scratch("a", n);
    double *expected = numbers(n), *size = numbers(n);
    for (int64_t k = 0; k < n; k++) {
        put(&a, k, k % 4 ? activated(f, uniform(-3, 3)) : 0);
        expected[k] = before(&delta, k) * derivative(f, get(a.at, k));
        size[k] = fabs(before(&delta, k));
    }
    ops->derive[f](delta.at, a.at, n);
    expect_close(&delta, expected, size, 4);
    finish(&delta, 1), finish(&a, 0);
    free(expected), free(size);
}

/* ------------------------------------------------------------------------------------------ */
/* output_delta: the loss of a row, and dE/da or dE/dz                                          */
/* ------------------------------------------------------------------------------------------ */

static const char *const losses[] = {"squared error", "absolute error", "binary log loss",
                                     "log loss", "poisson"};

static double log_of_logistic(double z) { return fmin(z, 0) - log1p(exp(-fabs(z))); }

/* The loss of output k and, in `delta`, its derivative; z and a belong to the loss. */
static double output_loss(int loss, const double *z, const double *a, const double *y, int64_t n,
                          int64_t k, double *delta) {
    double sum_y = 0, sum = 0, top = -INFINITY;
    *delta = a[k] - y[k];
    switch (loss) {
    case FBP_SQUARED_ERROR: return (a[k] - y[k]) * (a[k] - y[k]) / 2;
    case FBP_ABSOLUTE_ERROR:
        *delta = (a[k] > y[k]) - (a[k] < y[k]);
        return fabs(a[k] - y[k]);
    case FBP_BINARY_LOG_LOSS:
        return -y[k] * log_of_logistic(z[k]) - (1 - y[k]) * log_of_logistic(-z[k]);
    case FBP_LOG_LOSS:
        for (int64_t j = 0; j < n; j++) {
            top = z[j] > top ? z[j] : top;
            sum_y += y[j];
        }
        for (int64_t j = 0; j < n; j++) sum += exp(z[j] - top);
        *delta = sum_y * a[k] - y[k];
        return y[k] == 0 ? 0 : -y[k] * (z[k] - top - log(sum));
    default: return (y[k] == 0 ? 0 : y[k] * (log(y[k]) - z[k])) - y[k] + a[k];
    }
}

static double random_target(int loss, int64_t k) {
    switch (loss) {
    case FBP_BINARY_LOG_LOSS: return k % 3 == 0 ? 0 : k % 3 == 1 ? 1 : uniform(0, 1);
    case FBP_LOG_LOSS: return k % 2 ? 0 : uniform(0, 1);
    case FBP_POISSON: return k % 3 ? floor(uniform(0, 9)) : 0;
    default: return uniform(-2, 2);
    }
}

static void test_output_delta(int loss, int64_t n, double spread_over, int shift) {
    static const int paired[] = {FBP_IDENTITY, FBP_IDENTITY, FBP_LOGISTIC, FBP_SOFTMAX, FBP_EXP};
    describe("%s of %ld outputs, z up to %g, shift %d", losses[loss], (long)n, spread_over, shift);
    array z = scratch("z", n), a = scratch("a", n), delta = scratch("delta", n);
    array y = unpadded("y", n, shift);
    array *inputs[] = {&z, &a, &y};
    double *dz = numbers(n), *da = numbers(n), *dy = numbers(n);
    double *expected = numbers(n), *size = numbers(n), total = 0, total_size = 0;
    for (int64_t k = 0; k < n; k++) {
        put(&z, k, uniform(-spread_over, spread_over));
        put(&a, k, get(z.at, k));
        put(&y, k, random_target(loss, k));
    }
    ops->activate[paired[loss]](a.at, n);
    if (loss == FBP_ABSOLUTE_ERROR && n > 2) put(&y, 2, get(a.at, 2)); /* equal: derivative 0 */
    memcpy(a.before, a.block, a.n_bytes);
    for (int64_t k = 0; k < n; k++)
        dz[k] = get(z.at, k), da[k] = get(a.at, k), dy[k] = get(y.at, k);
    for (int64_t k = 0; k < n; k++) {
        const double one = output_loss(loss, dz, da, dy, n, k, &expected[k]);
        total += one;
        total_size += fabs(one) + fabs(da[k]) + fabs(dy[k]) * (1 + fabs(dz[k]));
        size[k] = fabs(da[k]) * (double)n + fabs(dy[k]);
    }
    const double got = ops->output_delta[loss](delta.at, z.at, a.at, y.at, n);
    expect_close(&delta, expected, size, loss == FBP_ABSOLUTE_ERROR ? 0 : 4);
    check(fabs(got - total) <= 8 * (eps * total_size + (double)n * smallest), "loss is %.17g, expected %.17g", got, total);
    finish(&delta, 1);
    finish_inputs(inputs, 3);
    free(dz), free(da), free(dy), free(expected), free(size);
}

/* ------------------------------------------------------------------------------------------ */
/* take_steps, scale, all_finite, hash_row                                                      */
/* ------------------------------------------------------------------------------------------ */

static void test_take_steps(int64_t n, int which, int biases, int shift) {
    const fbp_step *step = &STEPS[which];
    describe("take_steps of %ld %s, %s, shift %d", (long)n, biases ? "biases" : "weights",
             step_names[which], shift);
    array W = unpadded("W", n, shift), V = unpadded("V", n, shift), G = unpadded("G", n, shift);
    double *w = copy_of(&W, 0), *v = copy_of(&V, 0), *size = numbers(n);
    for (int64_t k = 0; k < n; k++) {
        size[k] = fabs(w[k]) + fabs(v[k]) + fabs(get(G.at, k));
        naive_step(&w[k], &v[k], 0.375 * get(G.at, k), step, biases);
    }
    ops->take_steps(W.at, step->momentum ? V.at : NULL, G.at, n, 0.375, step, biases);
    expect_close(&W, w, size, 4);
    expect_close(&V, v, size, 4);
    finish(&W, 1), finish(&V, step->momentum), finish(&G, 0);
    free(w), free(v), free(size);
}

static void test_scale(int64_t n, int shift) {
    describe("scale of %ld, shift %d", (long)n, shift);
    array to = unpadded("to", n, shift), values = unpadded("values", n, 3 - shift);
    double *expected = copy_of(&values, 0), *size = copy_of(&values, 1);
    for (int64_t k = 0; k < n; k++) expected[k] *= 0.3;
    ops->scale(to.at, values.at, 0.3, n);
    expect_close(&to, expected, size, 2);
    finish(&to, 1), finish(&values, 0);
    free(expected), free(size);
}

static void test_all_finite(int64_t n, int shift) {
    const double most = is_float ? FLT_MAX : DBL_MAX, wrong[] = {NAN, INFINITY, -INFINITY};
    describe("all_finite of %ld, shift %d", (long)n, shift);
    array x = unpadded("x", n, shift);
    for (int64_t k = 0; k < n; k++) put(&x, k, k % 3 ? -most : k % 2 ? most : 1 / most);
    check(ops->all_finite(x.at, n), "false of finite values");
    for (int64_t k = 0; k < n; k++)
        for (int w = 0; w < 3; w++) {
            const double kept = get(x.at, k);
            put(&x, k, wrong[w]);
            check(!ops->all_finite(x.at, n), "true with %g at %ld", wrong[w], (long)k);
            put(&x, k, kept);
        }
    finish(&x, 0);
}

/* The same number for a dense row and its non-zeros, and another once a value or its place changes. */
static void test_hash_row(int64_t n, int shift) {
    describe("hash_row of %ld, shift %d", (long)n, shift);
    array x = unpadded("x", n, shift), values = unpadded("values", n, 0);
    int32_t *columns = malloc(((size_t)n + 1) * sizeof *columns);
    if (!columns) abort();
    int64_t n_values = 0;
    for (int64_t k = 0; k < n; k++) {
        put(&x, k, k % 3 == 1 ? -0.0 : (float)get(x.at, k));
        if (k % 3 == 1) continue;
        put(&values, n_values, get(x.at, k));
        columns[n_values++] = (int32_t)k;
    }
    const fbp_row dense = {x.at, NULL, n}, sparse = {values.at, columns, n_values};
    const uint64_t hash = ops->hash_row(&dense, 0);
    check(hash == ops->hash_row(&sparse, 0), "not that of its non-zeros");
    check(n == 0 || hash != ops->hash_row(&dense, 1), "the same from another column on");
    for (int64_t k = 0; k < n; k++) {
        const double kept = get(x.at, k);
        put(&x, k, kept + 1);
        check(hash != ops->hash_row(&dense, 0), "the same with another value at %ld", (long)k);
        put(&x, k, kept);
    }
    finish(&x, 0), finish(&values, 0);
    free(columns);
}

/* ------------------------------------------------------------------------------------------ */
/* block_*: the first layer, one block of rows behind                                           */
/* ------------------------------------------------------------------------------------------ */

/* A block as _core.Block lays it out. What is in it must be written before it is read, but for X of
 * a sparse one, which is all zero between calls. */
enum { N_PARTS = 8, X_0 = 6, X_1 };
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
        fill(&g.parts[i], sparse && i == X_0 ? 0 : NAN);
    }
    g.block = (fbp_block){.n_columns = columns, .panel_width = width, .stride = stride,
                          .sparse = sparse, .momentum = momentum, .n_pending = 5,
                          .turn = sparse ? 0 : (int)(n_out % 2),
                          .W = g.parts[0].at, .b = g.parts[1].at, .V_b = g.parts[2].at,
                          .Z = g.parts[3].at, .G = g.parts[4].at, .D = g.parts[5].at,
                          .X = {g.parts[X_0].at, g.parts[X_1].at}};
    return g;
}

static void finish_block(guarded_block *g) {
    for (int i = 0; i < N_PARTS; i++) finish(&g->parts[i], !(g->block.sparse && i >= X_0));
}

/* How a test of blocks goes: two of them and `left` rows of a third, of which the last `untrained`
 * are looked at in vain. */
typedef struct {
    int64_t n_in, n_out;
    int left, untrained, step;
    int panel_vectors; /* 0: dense rows */
    int shift;
} block_case;

/* One block: every z must have all rows before it in it. */
static void train_block(guarded_block *g, const fbp_layer *layer, naive_layer *naive,
                        const random_row *rows, int n, int n_trained, const fbp_step *step,
                        double roundings) {
    fbp_row now[FBP_MOST_BLOCK_ROWS];
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
        naive_forward(naive, x, expected, size);
        ops->block_correct(&g->block, z.at, t);
        expect_close(&z, expected, size, roundings);
        naive_update(naive, x, x_size, d, weight, step);
        ops->block_keep(&g->block, delta.at, t, weight);
        finish(&z, 1), finish(&delta, 0);
        free(d);
    }
    ops->block_close(&g->block, n_trained);
    free(x), free(x_size), free(expected), free(size);
}

static void test_block(block_case c) {
    const int n_rows = 2 * ops->block_rows + c.left, sparse = c.panel_vectors != 0;
    const fbp_step *step = &STEPS[c.step];
    const double roundings = 16 + (double)c.n_in + 4 * n_rows;
    describe("block, %ld x %ld, %d rows, the last %d untrained, %s, panels of %d, shift %d",
             (long)c.n_in, (long)c.n_out, n_rows, c.untrained, step_names[c.step], c.panel_vectors, c.shift);
    guarded_block g = new_block(c.n_in, c.n_out, sparse, step->momentum, sparse ? c.panel_vectors : 2);
    array none = scratch("delta", c.n_out);
    random_layer l = new_layer(c.n_in, c.n_out, &none, 1, step->momentum, c.shift);
    naive_layer naive = new_naive_layer(&l.W, &l.b, &l.V_W, &l.V_b);
    random_row rows[3 * FBP_MOST_BLOCK_ROWS];
    for (int r = 0; r < n_rows; r++) rows[r] = new_row(c.n_in, sparse ? SORTED : ALL, c.shift);

    ops->block_load(&g.block, &l.layer, step);
    for (int start = 0; start < n_rows; start += ops->block_rows) {
        const int n = n_rows - start < ops->block_rows ? n_rows - start : ops->block_rows;
        const int n_trained = start + n == n_rows ? n - c.untrained : n;
        train_block(&g, &l.layer, &naive, rows + start, n, n_trained, step, roundings);
    }
    ops->block_unload(&g.block, &l.layer);
    expect_layer(&l.W, &l.b, step->momentum ? &l.V_W : NULL, step->momentum ? &l.V_b : NULL, &naive,
                 roundings);

    for (int r = 0; r < n_rows; r++) finish_row(&rows[r]);
    finish_layer(&l, 1, step->momentum);
    finish(&none, 0);
    finish_block(&g);
    free_naive_layer(&naive);
}

/* ------------------------------------------------------------------------------------------ */
/* batch_*: one layer of a batch                                                                */
/* ------------------------------------------------------------------------------------------ */

/* A layer as _core.Batch lays it out; `below` only has what the layer above uses of it. */
enum { N_BATCH_PARTS = 8, BATCH_X = 4, BATCH_D_T, BATCH_Z, BATCH_D };
typedef struct {
    array parts[N_BATCH_PARTS];
    fbp_batch batch;
} guarded_batch;

static guarded_batch new_batch(int64_t n_in, int64_t n_out, int momentum, int has_below) {
    const int64_t panel = 2 * ops->lanes, rows = ops->block_rows, columns = padded_to(n_out, panel);
    const int64_t stride = columns + 64 / ops->itemsize;
    const int64_t sizes[N_BATCH_PARTS] = {n_in * columns, n_in * columns, momentum ? n_in * columns : 0,
                                          has_below ? padded_to(n_in, panel) * n_out : 0, n_in * rows,
                                          n_out * rows, rows * stride, rows * stride};
    const char *const names[N_BATCH_PARTS] = {"batch W", "G", "batch V", "W_T", "X", "D_T", "Z", "D"};
    guarded_batch g;
    for (int i = 0; i < N_BATCH_PARTS; i++) {
        g.parts[i] = unpadded(names[i], sizes[i], 0);
        fill(&g.parts[i], NAN);
    }
    g.batch = (fbp_batch){.n_columns = columns, .stride = stride, .W = g.parts[0].at,
                          .G = g.parts[1].at, .V = g.parts[2].at,
                          .W_T = has_below ? g.parts[3].at : NULL, .X = g.parts[BATCH_X].at,
                          .D_T = g.parts[BATCH_D_T].at, .Z = g.parts[BATCH_Z].at,
                          .D = g.parts[BATCH_D].at};
    return g;
}

static void finish_batch(guarded_batch *g) {
    for (int i = 0; i < N_BATCH_PARTS; i++) finish(&g->parts[i], 1);
}

/* Row t of Z or D, as an array of its own for expect_close. */
static array row_of(array *whole, int64_t stride, int t, int64_t n) {
    const array row = {.name = whole->name, .at = (char *)whole->at + t * stride * ops->itemsize, .n = n};
    return row;
}

/* n rows of a batch through the layer and back; their gradients go to G_W and G_b. */
static void batch_rows(guarded_batch *g, guarded_batch *below, const random_layer *l, const naive_layer *naive,
                       int n, double *G_W, double *G_b, double *sizes_W, double *sizes_b) {
    const int64_t n_in = naive->n_in, n_out = naive->n_out;
    double *x = numbers(n_in), *d = numbers(n_out), *z = numbers(n_out), *size = numbers(n_out);
    double *d_below = numbers(n * n_in), *below_size = numbers(n * n_in);
    random_row rows[FBP_MOST_BLOCK_ROWS];
    fbp_row now[FBP_MOST_BLOCK_ROWS];
    for (int t = 0; t < n; t++) {
        rows[t] = new_row(n_in, ALL, t % 4);
        now[t] = rows[t].row;
        for (int64_t i = 0; below && i < n_in; i++)
            set((char *)below->batch.Z + (t * below->batch.stride + i) * ops->itemsize, 0, get(rows[t].values.at, i));
    }
    ops->batch_forward(&g->batch, &l->layer, below ? &below->batch : NULL, below ? NULL : now, n);
    for (int t = 0; t < n; t++) {
        array Z = row_of(&g->parts[BATCH_Z], g->batch.stride, t, n_out);
        array D = row_of(&g->parts[BATCH_D], g->batch.stride, t, n_out);
        for (int64_t i = 0; i < n_in; i++) x[i] = get(rows[t].values.at, i);
        naive_forward(naive, x, z, size);
        expect_close(&Z, z, size, 8 + (double)n_in);
        for (int64_t j = 0; j < n_out; j++) {
            set(D.at, j, uniform(-1, 1));
            d[j] = get(D.at, j);
            G_b[j] += d[j];
            sizes_b[j] += fabs(d[j]);
            for (int64_t i = 0; i < n_in; i++) {
                G_W[i * n_out + j] += x[i] * d[j];
                sizes_W[i * n_out + j] += fabs(x[i] * d[j]);
                d_below[t * n_in + i] += naive->W[i * n_out + j] * d[j];
                below_size[t * n_in + i] += naive->W_size[i * n_out + j] * fabs(d[j]);
            }
        }
    }
    ops->batch_backward(&g->batch, &l->layer, below ? &below->batch : NULL, n);
    for (int t = 0; below && t < n; t++) {
        array D = row_of(&below->parts[BATCH_D], below->batch.stride, t, n_in);
        expect_close(&D, d_below + t * n_in, below_size + t * n_in, 8 + (double)n_out);
    }
    for (int t = 0; t < n; t++) finish_row(&rows[t]);
    free(x), free(d), free(z), free(size), free(d_below), free(below_size);
}

/* Three batches, each of a whole block of rows and `left` more. */
static void test_batch(int64_t n_in, int64_t n_out, int has_below, int which, int left) {
    const int momentum = STEPS[which].momentum, n_rows = ops->block_rows + left;
    const double weight = 1.0 / n_rows, roundings = 32 + (double)(n_in + n_out) + 4 * n_rows;
    describe("batch %ld x %ld, %s, %d rows, %s", (long)n_in, (long)n_out, step_names[which], n_rows,
             has_below ? "above another" : "the first");
    array none = scratch("delta", n_out);
    random_layer l = new_layer(n_in, n_out, &none, 0, momentum, (int)n_out % 4);
    naive_layer naive = new_naive_layer(&l.W, &l.b, &l.V_W, &l.V_b);
    guarded_batch g = new_batch(n_in, n_out, momentum, has_below);
    guarded_batch below = new_batch(1, n_in, 0, 0);
    ops->batch_load(&g.batch, &l.layer);
    fill(&l.sums_b, 0);
    for (int batch = 0; batch < 3; batch++) {
        double *G_W = numbers(n_in * n_out), *G_b = numbers(n_out);
        double *sizes_W = numbers(n_in * n_out), *sizes_b = numbers(n_out);
        memset(l.sums_b.at, 0, (size_t)(n_out * ops->itemsize));
        for (int t = 0; t < n_rows; t += ops->block_rows) {
            const int n = n_rows - t < ops->block_rows ? n_rows - t : ops->block_rows;
            batch_rows(&g, has_below ? &below : NULL, &l, &naive, n, G_W, G_b, sizes_W, sizes_b);
        }
        expect_close(&l.sums_b, G_b, sizes_b, (double)n_rows);
        ops->batch_step(&g.batch, &l.layer, weight, &STEPS[which]);
        for (int64_t k = 0; k < n_in * n_out; k++) {
            naive.W_size[k] += sizes_W[k] + naive.V_W_size[k];
            naive.V_W_size[k] += naive.W_size[k];
            naive_step(&naive.W[k], &naive.V_W[k], weight * G_W[k], &STEPS[which], 0);
        }
        free(G_W), free(G_b), free(sizes_W), free(sizes_b);
    }
    ops->batch_unload(&g.batch, &l.layer);
    expect_close(&l.W, naive.W, naive.W_size, roundings);
    if (momentum) expect_close(&l.V_W, naive.V_W, naive.V_W_size, roundings);

    finish(&l.W, 1), finish(&l.b, 0), finish(&l.V_W, momentum), finish(&l.V_b, 0);
    finish(&l.sums_W, 0), finish(&l.sums_b, 1), finish(&none, 0);
    finish_batch(&g), finish_batch(&below);
    free_naive_layer(&naive);
}

/* ------------------------------------------------------------------------------------------ */
/* train_tiny: whole networks                                                                   */
/* ------------------------------------------------------------------------------------------ */

enum { TINY_ROWS = 5, TINY_VISITS = 9 };
static const struct { fbp_loss loss; fbp_activation activation; } outputs[] = {
    {FBP_SQUARED_ERROR, FBP_IDENTITY}, {FBP_SQUARED_ERROR, FBP_TANH}, {FBP_ABSOLUTE_ERROR, FBP_RELU},
    {FBP_BINARY_LOG_LOSS, FBP_LOGISTIC}, {FBP_POISSON, FBP_EXP}};
enum { N_OUTPUTS = sizeof outputs / sizeof *outputs };

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
    if (loss <= FBP_ABSOLUTE_ERROR) delta_out *= derivative((int)f_out, a_out);
    if (isfinite(value)) {
        for (int64_t j = 0; j < first->n_out; j++) delta[j] = last->W[j] * delta_out * derivative(f, a[j]);
        naive_update(last, a, a, &delta_out, weight, step);
        naive_update(first, x, x, delta, weight, step);
    }
    free(a), free(delta), free(size);
    return value;
}

/* In two calls; with `bad` not negative, the loss of that visit is not finite. */
static void test_train_tiny(int64_t n_in, int64_t n_hidden, int f, int output, double alpha, int bad) {
    const double eta = 0.015625, bound = 1000; /* small steps: training must not blow up roundings */
    const int64_t order[TINY_VISITS + 1] = {-1, 3, 0, 0, 2, 3, 1, 4, 2, 3};
    const int shift = (int)(n_hidden % 4);
    const int64_t row_length = n_in + shift;
    describe("train_tiny %ld-%ld-1, %s, %s, alpha %g, bad visit %d", (long)n_in, (long)n_hidden,
             activations[f], losses[outputs[output].loss], alpha, bad);
    guarded_block g = new_block(n_in, n_hidden, 0, 0, 2);
    array W1 = unpadded("W[1]", n_in * n_hidden, shift), b1 = unpadded("b[1]", n_hidden, shift);
    array W2 = unpadded("W[2]", n_hidden, shift), b2 = unpadded("b[2]", 1, shift);
    array X = unpadded("X", TINY_ROWS * row_length, 0), y = unpadded("y", TINY_ROWS, shift);
    array z1 = scratch("z[1]", n_hidden), delta1 = scratch("delta[1]", n_hidden);
    array z2 = scratch("z[2]", 1), a2 = scratch("a[2]", 1), delta2 = scratch("delta[2]", 1);
    double weights[TINY_ROWS] = {1.5, 0, 0.5, 1, 2};
    for (int64_t k = 0; k < n_hidden; k++) put(&W2, k, get(W2.at, k) / (2 * (double)n_hidden));
    for (int64_t k = 0; k < X.n; k++) put(&X, k, get(X.at, k) / 4);
    for (int64_t k = 0; k < TINY_ROWS; k++) put(&y, k, random_target(outputs[output].loss, k) / 4);

    const fbp_activation f_out = outputs[output].activation;
    fbp_layer layers[2] = {
        {.n_in = n_in, .n_out = n_hidden, .W = W1.at, .b = b1.at, .z = z1.at, .a = z1.at,
         .delta = delta1.at, .activate = ops->activate[f], .derive = ops->derive[f]},
        {.n_in = n_hidden, .n_out = 1, .W = W2.at, .b = b2.at, .z = z2.at, .a = a2.at,
         .delta = delta2.at, .activate = ops->activate[f_out],
         .derive = ops->derive[outputs[output].loss <= FBP_ABSOLUTE_ERROR ? f_out : FBP_IDENTITY]}};
    fbp_net net = {.ops = ops, .output_delta = ops->output_delta[outputs[output].loss],
                   .layers = layers, .n_layers = 2, .first_activation = (fbp_activation)f,
                   .plain_output = output == 0};
    const fbp_data data = {.X = X.at, .X_row_bytes = row_length * ops->itemsize, .n_features = n_in,
                           .itemsize = ops->itemsize, .y = y.at, .y_row_bytes = ops->itemsize,
                           .weights = alpha ? weights : NULL};
    const fbp_solver solver = {.learning_rate = eta, .alpha = alpha};

    const fbp_step step = {{{1 - eta * alpha, 0}, {0, 0}}, {-eta, 0}, 0};
    naive_layer first = new_naive_layer(&W1, &b1, NULL, NULL), last = new_naive_layer(&W2, &b2, NULL, NULL);
    double *x = numbers(n_in), expected_sum = 0, sum = 0;
    int64_t expected_stop = TINY_VISITS + 1;
    if (bad >= 0) put(&y, order[bad + 1], INFINITY);
    for (int t = 1; t <= TINY_VISITS; t++) {
        const int64_t r = order[t];
        const double weight = alpha ? weights[r] : 1;
        for (int64_t i = 0; i < n_in; i++) x[i] = get(X.at, r * row_length + i);
        const double loss = naive_network_step(&first, &last, x, get(y.at, r), f, output, weight, &step);
        if (!isfinite(loss)) {
            expected_stop = t;
            break;
        }
        expected_sum += weight * loss;
    }
    int64_t stop = ops->train_tiny(&net, &g.block, &data, order, 1, 4, &solver, &sum);
    if (stop == 4) stop = ops->train_tiny(&net, &g.block, &data, order, 4, TINY_VISITS + 1, &solver, &sum);
    check(stop == expected_stop, "stopped at %ld, expected %ld", (long)stop, (long)expected_stop);
    check(fabs(sum - expected_sum) <= bound * eps * (1 + fabs(expected_sum)),
          "losses add up to %.9g, expected %.9g", sum, expected_sum);
    for (int64_t k = 0; k < first.n_in * n_hidden; k++) first.W_size[k] = 4;
    for (int64_t j = 0; j < n_hidden; j++) first.b_size[j] = last.W_size[j] = 4;
    last.b_size[0] = 4;
    expect_layer(&W1, &b1, NULL, NULL, &first, bound);
    expect_layer(&W2, &b2, NULL, NULL, &last, bound);

    finish(&W1, 1), finish(&b1, 1), finish(&W2, 1), finish(&b2, 1);
    finish(&z1, 1), finish(&delta1, 1), finish(&z2, 1), finish(&a2, 1), finish(&delta2, 1);
    finish(&X, 0), finish(&y, 0);
    finish_block(&g);
    free_naive_layer(&first), free_naive_layer(&last);
    free(x);
}

/* ------------------------------------------------------------------------------------------ */
/* All of it                                                                                    */
/* ------------------------------------------------------------------------------------------ */

static void test_layer(int64_t n_in, int64_t n_out, int shift) {
    test_forward(n_in, n_out, ALL, shift);
    test_forward(n_in, n_out, UNSORTED, shift);
    for (int step = 0; step < N_STEPS; step++) {
        test_update(n_in, n_out, ALL, 1, step, shift);
        if (STEPS[step].momentum) continue;
        test_update(n_in, n_out, ALL, 0, step, shift);
        test_update(n_in, n_out, UNSORTED, 0, step, shift);
        if (step != DECAY) test_update(n_in, n_out, ONCE, 1, step, shift);
    }
}

static void test_layers(int64_t lanes) {
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

static void test_vectors(int64_t lanes) {
    for (int64_t n = 0; n <= 4 * lanes + 1; n++) {
        test_list_active(n);
        for (int f = 0; f < FBP_N_ACTIVATION; f++) {
            if (n == 0 && f == FBP_SOFTMAX) continue;
            test_activate(f, n, 1);
            test_activate(f, n, 20);
            test_activate_at_the_edges(f, n);
            test_derive(f, n);
        }
        for (int shift = 0; shift < 4; shift++) {
            for (int loss = 0; n && loss < FBP_N_LOSS; loss++) {
                test_output_delta(loss, n, 2, shift);
                test_output_delta(loss, n, loss == FBP_POISSON ? 20 : 300, shift);
            }
            for (int step = 0; step < N_STEPS; step++)
                for (int biases = 0; biases < 2; biases++) test_take_steps(n, step, biases, shift);
            test_hash_row(n, shift);
            test_scale(n, shift);
            test_all_finite(n, shift);
        }
    }
}

static void test_blocks(int64_t lanes, int panel_vectors) {
    static const int64_t some_inputs[] = {1, 2, 7}, long_rows[] = {95, 96, 97, 109, 192, 200};
    const int64_t some_outputs[] = {1, 2 * lanes + 1, 8 * lanes, 8 * lanes + 1, 17 * lanes + 3};
    const int rows = ops->block_rows, n_steps = panel_vectors ? DECAY + 1 : NESTEROV + 1;
    for (int step = 0; step < n_steps; step++) {
        for (int64_t n_out = 1; n_out <= 4 * lanes + 1; n_out++)
            for (int i = 0; i < 3; i++)
                test_block((block_case){some_inputs[i], n_out, (int)n_out % rows + 1, 0, step,
                                        panel_vectors, i});
        for (int o = 0; o < 5; o++)
            for (int i = 0; i < 6; i++)
                test_block((block_case){long_rows[i], some_outputs[o], 3, 1, step, panel_vectors, o % 4});
    }
    for (int o = 0; o < 5; o++) {
        const int64_t n_out = some_outputs[o];
        for (int64_t n_in = 1; n_in <= 30; n_in++)
            test_block((block_case){n_in, n_out, (int)n_in % rows + 1, 0, (int)n_in % n_steps,
                                    panel_vectors, o % 4});
        for (int left = 1; left <= rows; left++) {
            test_block((block_case){3, n_out, left, 0, DECAY, panel_vectors, 1});
            test_block((block_case){3, n_out, left, 1, PLAIN, panel_vectors, 1});
            test_block((block_case){3, n_out, left, left, n_steps - 1, panel_vectors, 1});
        }
    }
    if (panel_vectors) /* sparse rows over several chunks of inputs */
        for (int i = 0; i < 4; i++)
            test_block((block_case){3000 + i, 1 + i % 2, 3, 1, i / 2, panel_vectors, i});
}

static void test_batches(int64_t lanes) {
    const int64_t some[] = {1, 3, 2 * lanes + 1, 97};
    for (int step = 0; step <= NESTEROV; step++)
        for (int i = 0; i < 4; i++)
            for (int64_t n = 1; n <= 4 * lanes + 1; n++) {
                test_batch(n, some[i], (int)n % 2, step, (int)n % ops->block_rows);
                test_batch(some[i], n, (int)(n + 1) % 2, step, (int)n % ops->block_rows);
            }
    for (int left = 0; left < ops->block_rows; left++) test_batch(5, 7, 1, PLAIN, left);
    for (int64_t n = 94; n <= 98; n++) test_batch(n, 2 * lanes + 3, 1, NESTEROV, 1);
}

static void test_tiny(void) {
    for (int64_t n_hidden = 1; n_hidden <= ops->tiny_units; n_hidden++)
        for (int f = FBP_IDENTITY; f <= FBP_RELU; f++)
            for (int output = 0; output < N_OUTPUTS; output++)
                for (int64_t n_in = 1; n_in <= 3; n_in++) {
                    test_train_tiny(n_in, n_hidden, f, output, 0, -1);
                    test_train_tiny(n_in, n_hidden, f, output, 0.5, -1);
                }
    for (int bad = 0; bad < TINY_VISITS; bad++) {
        test_train_tiny(2, ops->tiny_units, FBP_TANH, 0, 0, bad);
        test_train_tiny(2, ops->tiny_units, FBP_TANH, 0, 0.5, bad);
    }
}

/* Rows hash alike in every table: those of the scalar one in double, which comes first. */
static void test_hashes(void) {
    static uint64_t of_first;
    static const double row[] = {0.5, -3, 0, 1024, -0.0, 7.25, 1e30};
    enum { N = sizeof row / sizeof *row };
    double storage[N];
    for (int64_t k = 0; k < N; k++) set(storage, k, (float)row[k]);
    const uint64_t hash = ops->hash_row(&(fbp_row){storage, NULL, N}, 3);
    describe("hash_row");
    if (!of_first) of_first = hash;
    check(hash == of_first, "not that of other dtypes and instruction sets");
}

int main(void) {
    int n_tables = 0;
    for (int isa = 0; isa < FBP_N_ISA; isa++) {
        if (!fbp_isa_usable((fbp_isa)isa)) continue;
        for (int dtype = 0; dtype < FBP_N_DTYPE; dtype++) {
            const long passed_before = passed, failed_before = failed;
            ops = fbp_table((fbp_isa)isa, (fbp_dtype)dtype);
            is_float = dtype == FBP_FLOAT32;
            eps = is_float ? FLT_EPSILON : DBL_EPSILON;
            smallest = is_float ? 0x1p-149 : 0x1p-1074;
            describe("table");
            check(!strcmp(ops->isa, fbp_isa_name((fbp_isa)isa)), "calls itself %s", ops->isa);
            check(ops->itemsize == (is_float ? 4 : 8), "itemsize is %d", ops->itemsize);
            check(ops->lanes >= 1 && ops->lanes * ops->itemsize <= FBP_ALIGNMENT,
                  "%d lanes do not fit the padding", ops->lanes);
            test_hashes();
            test_layers(ops->lanes);
            test_vectors(ops->lanes);
            test_blocks(ops->lanes, 0);
            for (int vectors = 2; vectors <= 8; vectors *= 2) test_blocks(ops->lanes, vectors);
            test_batches(ops->lanes);
            test_tiny();
            printf("%s float%d, %d lanes: %ld passed, %ld failed\n", ops->isa, is_float ? 32 : 64,
                   ops->lanes, passed - passed_before, failed - failed_before);
            n_tables++;
        }
    }
    printf("%ld passed, %ld failed\n", passed, failed);
    return failed || !n_tables;
}
