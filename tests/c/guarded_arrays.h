/* The count of what passed and failed, and arrays between guards. */
#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fastbp.h"

#ifdef _WIN32
#include <malloc.h>
#define aligned_alloc(alignment, n_bytes) _aligned_malloc(n_bytes, alignment)
#define aligned_free _aligned_free
#else
#define aligned_free free
#endif

#define GUARD 256 /* bytes on either side */
#define MAX_SHOWN 20

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
    if (failed++ >= MAX_SHOWN) return;
    printf("FAILED %s float%d: %s: ", ops->isa, is_float ? 32 : 64, label);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    printf("\n");
}

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

static uint64_t state;

/* Data do not depend on which tables were tested before. */
static void begin_random(void) { state = 88172645463325252u; }

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
static array panels(const char *name, int64_t n) { return new_array(name, n, 0, FBP_MAX_PANEL_BYTES); }

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

/* Whether the padding is finite, or some value is not: that may spread. */
static int finite_padding(const array *a) {
    const int64_t n_padded = (int64_t)(a->after - a->first) / ops->itemsize;
    int finite = 1;
    for (int64_t i = a->n; i < n_padded; i++) finite &= isfinite(get(a->at, i)) != 0;
    for (int64_t i = 0; !finite && i < a->n; i++) finite = !isfinite(get(a->at, i));
    return finite;
}

/* An output as it was before the call, for another one; what stands around it has not changed. */
static void restore(array *a) {
    const int stayed = changed(a, 0, a->first) < 0 && changed(a, a->after, a->n_bytes) < 0;
    check(stayed, "%s changed around its own room", a->name);
    memcpy(a->block, a->before, a->n_bytes);
}

/* Nothing but the output's own room has changed; then the array is no longer needed. */
static void finish(array *a, int is_output) {
    long at = changed(a, 0, is_output ? a->first : a->n_bytes);
    if (is_output && at < 0) at = changed(a, a->after, a->n_bytes);
    check(at < 0, "%s changed at byte %ld of its %ld", a->name, at - (long)a->first,
          (long)a->n * ops->itemsize);
    check(!is_output || finite_padding(a), "the padding of %s is not finite", a->name);
    aligned_free(a->block);
    aligned_free(a->before);
}

static void finish_inputs(array *arrays[], int n) {
    for (int i = 0; i < n; i++) finish(arrays[i], 0);
}

/* The values are the expected ones, each within a number of roundings of its size. */
static void expect_close(const array *a, const double *expected, const double *size, double roundings) {
    for (int64_t i = 0; i < a->n; i++) {
        const double got = get(a->at, i), bound = roundings * (eps * size[i] + smallest);
        if (!(fabs(got - expected[i]) <= bound)) {
            check(0, "%s[%ld] is %.17g, expected %.17g, within %.3g", a->name, (long)i, got, expected[i], bound);
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
