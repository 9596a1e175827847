/* An epoch of a C library that trains on one row a call. */
#include "shuffle.h"

void train_rows(void (*train)(void *, const double *, const double *), void *net,
                const double *X, int64_t n_in, const double *y, int64_t n_out,
                int64_t *order, int64_t n, int shuffled)
{
    if (shuffled)
        shuffle(order, n);
    for (int64_t t = 0; t < n; t++)
        train(net, X + order[t] * n_in, y + order[t] * n_out);
}

/* train_rows where every call is given the learning rate. */
void train_rows_at(void (*train)(void *, const double *, const double *, double), void *net,
                   const double *X, int64_t n_in, const double *y, int64_t n_out,
                   int64_t *order, int64_t n, int shuffled, double learning_rate)
{
    if (shuffled)
        shuffle(order, n);
    for (int64_t t = 0; t < n; t++)
        train(net, X + order[t] * n_in, y + order[t] * n_out, learning_rate);
}
