/* Rows of data: where one stands, and how it is fetched before its turn. */
#ifndef FASTBP_ROWS_H
#define FASTBP_ROWS_H

#include "compiler.h"
#include "fastbp.h"

INLINE const void *fbp_dense_row(const fbp_data *data, int64_t r) { return data->X + r * data->X_row_bytes; }

INLINE fbp_row fbp_row_of(const fbp_data *data, int64_t r) {
    const fbp_row dense = {fbp_dense_row(data, r), NULL, data->n_features};
    if (!data->row_starts) return dense;
    const int64_t start = data->row_starts[r];
    const fbp_row sparse = {data->X + start * data->itemsize, data->columns + start,
                            data->row_starts[r + 1] - start};
    return sparse;
}

INLINE const void *fbp_target_of(const fbp_data *data, int64_t r) {
    return data->y + (data->y_rows ? data->y_rows[r] : r) * data->y_row_bytes;
}

INLINE double fbp_weight_of(const fbp_data *data, int64_t r) {
    return data->weights ? data->weights[r] : 1;
}

/* Rows come in random order: a table that does not fit the caches is fetched some rows ahead, of a long row
 * the beginning, from which processors go on by themselves. Always inline: to gcc, a function that does
 * nothing else does nothing. */
INLINE void fbp_fetch(const void *values, int64_t n_bytes) {
    enum { LINE = 64, MAX_ITEMS = 2048 };
    const char *at = (const char *)values, *end = at + (n_bytes < MAX_ITEMS ? n_bytes : MAX_ITEMS);
    for (; at < end; at += LINE) PREFETCH(at);
    PREFETCH(end - 1);
}

INLINE void fbp_fetch_target(const fbp_data *data, int64_t r) {
    PREFETCH(fbp_target_of(data, r));
    if (data->weights) PREFETCH(data->weights + r);
}

INLINE void fbp_fetch_dense_row(const fbp_data *data, int64_t r) {
    fbp_fetch_target(data, r);
    fbp_fetch(fbp_dense_row(data, r), data->n_features * data->itemsize);
}

INLINE void fbp_fetch_row(const fbp_data *data, int64_t r) {
    const fbp_row row = fbp_row_of(data, r);
    fbp_fetch_target(data, r);
    fbp_fetch(row.values, row.n * data->itemsize);
    if (row.columns) fbp_fetch(row.columns, row.n * (int64_t)sizeof(int32_t));
}

#endif
