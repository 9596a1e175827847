/* Row-by-row SGD of one network whose sizes the compiler knows: N_IN, N_HIDDEN and N_OUT.
 *
 * z[1] = x W[1] + b[1], a[1] = max(0, z[1]), a[2] = z[2] = a[1] W[2] + b[2], E = 1/2 |a[2] - y|^2.
 * Plain loops, as one would write them for one network and leave to the compiler. */
#include <string.h>

#include "shuffle.h"

static double W1[N_IN][N_HIDDEN], b1[N_HIDDEN], W2[N_HIDDEN][N_OUT], b2[N_OUT];

static void train_row(const double *restrict x, const double *restrict y, double eta)
{
    double a[N_HIDDEN], z[N_OUT], delta[N_HIDDEN], delta_out[N_OUT];

    memcpy(a, b1, sizeof a);
    for (int i = 0; i < N_IN; i++)
        for (int j = 0; j < N_HIDDEN; j++)
            a[j] += x[i] * W1[i][j];
    for (int j = 0; j < N_HIDDEN; j++)
        a[j] = a[j] > 0 ? a[j] : 0;

    memcpy(z, b2, sizeof z);
    for (int j = 0; j < N_HIDDEN; j++)
        for (int k = 0; k < N_OUT; k++)
            z[k] += a[j] * W2[j][k];
    for (int k = 0; k < N_OUT; k++)
        delta_out[k] = z[k] - y[k];

    for (int j = 0; j < N_HIDDEN; j++) {
        double sum = 0;
        for (int k = 0; k < N_OUT; k++)
            sum += W2[j][k] * delta_out[k];
        delta[j] = a[j] > 0 ? sum : 0;
    }
    for (int j = 0; j < N_HIDDEN; j++)
        for (int k = 0; k < N_OUT; k++)
            W2[j][k] -= eta * a[j] * delta_out[k];
    for (int k = 0; k < N_OUT; k++)
        b2[k] -= eta * delta_out[k];
    for (int i = 0; i < N_IN; i++)
        for (int j = 0; j < N_HIDDEN; j++)
            W1[i][j] -= eta * x[i] * delta[j];
    for (int j = 0; j < N_HIDDEN; j++)
        b1[j] -= eta * delta[j];
}

void train(const double *X, const double *y, int64_t *order, int64_t n, int shuffled, double eta)
{
    if (shuffled)
        shuffle(order, n);
    for (int64_t t = 0; t < n; t++)
        train_row(X + order[t] * N_IN, y + order[t] * N_OUT, eta);
}

/* Parameters in, or out: W[1], W[2], b[1], b[2], one after the other. */
void set_parameters(const double *from)
{
    memcpy(W1, from, sizeof W1), from += N_IN * N_HIDDEN;
    memcpy(W2, from, sizeof W2), from += N_HIDDEN * N_OUT;
    memcpy(b1, from, sizeof b1), from += N_HIDDEN;
    memcpy(b2, from, sizeof b2);
}

void get_parameters(double *to)
{
    memcpy(to, W1, sizeof W1), to += N_IN * N_HIDDEN;
    memcpy(to, W2, sizeof W2), to += N_HIDDEN * N_OUT;
    memcpy(to, b1, sizeof b1), to += N_HIDDEN;
    memcpy(to, b2, sizeof b2);
}
