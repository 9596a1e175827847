/* take_steps, scale, all_finite, largest_size and hash_row: csrc/kernels/arrays.inc.h, csrc/kernels/hash.inc.h. */

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
    ops->take_steps(W.at, step->rule == FBP_MOMENTUM ? V.at : NULL, G.at, n, 0.375, step, biases);
    expect_close(&W, w, size, 4);
    expect_close(&V, v, size, 4);
    finish(&W, 1), finish(&V, step->rule == FBP_MOMENTUM), finish(&G, 0);
    free(w), free(v), free(size);
}

/* One step of a rule that is not linear, of a weight w and what is kept beside it, m and s. */
static void naive_rule(double *w, double *m, double *s, double gradient, const fbp_step *p, int bias) {
    const double g = gradient + (bias ? 0 : p->l2) * *w;
    if (!bias) *w *= p->decay[0][0];
    if (p->rule == FBP_ADAGRAD || p->rule == FBP_RMSPROP) {
        *m = p->rule == FBP_ADAGRAD ? *m + g * g : p->beta_2 * *m + (1 - p->beta_2) * g * g;
        *w -= p->adaptive_rate * g / (sqrt(*m) + p->epsilon);
        return;
    }
    *m = p->beta_1 * *m + (1 - p->beta_1) * g;
    *s = p->beta_2 * *s + (1 - p->beta_2) * g * g;
    *w -= p->adaptive_rate * *m / (sqrt(*s) + p->epsilon);
}

static void test_rule(fbp_rule rule, int64_t n, int biases, int shift) {
    const int n_moments = fbp_rules[rule].n_moments, decouples = rule == FBP_ADAMW;
    const fbp_step step = {.rule = rule, .decay = {{decouples ? 0.75 : 1, 0}, {0, 0}},
                           .l2 = decouples ? 0 : 0.25, .beta_1 = 0.75, .beta_2 = 0.875, .adaptive_rate = 0.125,
                           .epsilon = 0.0625, .state_stride = n};
    describe("%s's step of %ld %s, shift %d", fbp_rules[rule].name, (long)n, biases ? "biases" : "weights", shift);
    array W = unpadded("W", n, shift), M = unpadded("kept", n_moments * n, shift), G = unpadded("G", n, shift);
    for (int64_t k = n_moments > 1 ? n : 0; k < n_moments * n; k++) set(M.at, k, fabs(get(M.at, k)));
    double *w = copy_of(&W, 0), *m = copy_of(&M, 0), *size = numbers(2 * n);
    for (int64_t k = 0; k < n; k++) {
        double *s = n_moments > 1 ? &m[n + k] : NULL;
        const double g = 0.375 * get(G.at, k) + (biases ? 0 : 0.25) * w[k];
        size[k] = size[n + k] = 1 + fabs(w[k]) + fabs(m[k]) + (s ? fabs(*s) : 0) + g * g;
        naive_rule(&w[k], &m[k], s, 0.375 * get(G.at, k), &step, biases);
    }
    ops->take_steps(W.at, M.at, G.at, n, 0.375, &step, biases);
    expect_close(&W, w, size, 64);
    expect_close(&M, m, size, 8);
    finish(&W, 1), finish(&M, 1), finish(&G, 0);
    free(w), free(m), free(size);
}

/* RMSprop whose mean of squares stays what it is, s: w' = -g / (sqrt(s) + epsilon), for s between the smallest
 * normal number and the largest one; then for s with which only epsilon counts, and for one with which no weight
 * moves. */
static void test_roots(void) {
    enum { N_OTHERS = 67 }; /* in every lane of two vectors, and behind the last whole one */
    const int low = is_float ? -126 : -1022, n_powers = is_float ? 254 : 2046;
    const int64_t n = n_powers + N_OTHERS;
    describe("roots and quotients");
    array W = unpadded("W", n, 0), S = unpadded("s", n, 0), G = unpadded("G", n, 0);
    double *expected = numbers(n), *size = numbers(n);
    for (int with_epsilon = 0; with_epsilon < 2; with_epsilon++) {
        const fbp_step step = {.rule = FBP_RMSPROP, .decay = {{1, 0}, {0, 0}}, .beta_2 = 1, .adaptive_rate = 1,
                               .epsilon = with_epsilon ? 0x1p-10 : 0, .state_stride = n};
        for (int64_t k = 0; k < n; k++) {
            const double power = ldexp(uniform(1, 2), low + (int)k);
            put(&W, k, 0), put(&G, k, 0.75);
            put(&S, k, k < n_powers ? power : !with_epsilon ? 1 : k / 2 % 2 ? INFINITY : 0);
            expected[k] = -0.75 / (sqrt(get(S.at, k)) + step.epsilon);
            size[k] = fabs(expected[k]);
        }
        ops->take_steps(W.at, S.at, G.at, n, 1, &step, 1);
        expect_close(&W, expected, size, 3);
    }
    finish(&W, 1), finish(&S, 1), finish(&G, 0);
    free(expected), free(size);
}

static void test_sum_squares(int64_t n, int shift) {
    describe("sum_squares of %ld, shift %d", (long)n, shift);
    array values = unpadded("values", n, shift);
    double expected = 0;
    for (int64_t k = 0; k < n; k++) expected += get(values.at, k) * get(values.at, k);
    array sum = unpadded("sum", 1, 0);
    set(sum.at, 0, ops->sum_squares(values.at, n));
    expect_close(&sum, &expected, &expected, 4 + (double)n);
    finish(&sum, 1), finish(&values, 0);
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
    const double largest_value = is_float ? FLT_MAX : DBL_MAX, wrong[] = {NAN, INFINITY, -INFINITY};
    describe("all_finite of %ld, shift %d", (long)n, shift);
    array x = unpadded("x", n, shift);
    for (int64_t k = 0; k < n; k++) put(&x, k, k % 3 ? -largest_value : k % 2 ? largest_value : 1 / largest_value);
    check(ops->all_finite(x.at, n), "false of finite values");
    for (int64_t k = 0; k < n; k++)
        for (int w = 0; w < 3; w++) {
            const double decayed = get(x.at, k);
            put(&x, k, wrong[w]);
            check(!ops->all_finite(x.at, n), "true with %g at %ld", wrong[w], (long)k);
            put(&x, k, decayed);
        }
    finish(&x, 0);
}

static void test_largest_size(int64_t n, int shift) {
    describe("largest_size of %ld, shift %d", (long)n, shift);
    array x = unpadded("x", n, shift);
    for (int64_t k = 0; k < n; k++) put(&x, k, -1);
    check(ops->largest_size(x.at, n) == (n ? 1 : 0), "not 1, nor 0 of none");
    for (int64_t k = 0; k < n; k++) {
        put(&x, k, k % 2 ? 3 : -3);
        check(ops->largest_size(x.at, n) == 3, "not that at %ld", (long)k);
        put(&x, k, -1);
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
        const double decayed = get(x.at, k);
        put(&x, k, decayed + 1);
        check(hash != ops->hash_row(&dense, 0), "the same with another value at %ld", (long)k);
        put(&x, k, decayed);
    }
    finish(&x, 0), finish(&values, 0);
    free(columns);
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
