/* The least that a solver with roots does to n weights besides what a plain step does, so many times: a root
 * and a quotient each, w = g / (sqrt(s) + epsilon). */
#include <math.h>
#include <stdint.h>

void divide_by_roots(double *restrict w, const double *restrict g, const double *restrict s, int64_t n,
                     int64_t n_times, double epsilon) {
    for (int64_t t = 0; t < n_times; t++) {
        for (int64_t k = 0; k < n; k++) w[k] = g[k] / (sqrt(s[k]) + epsilon);
        __asm__ volatile("" ::: "memory"); /* each time */
    }
}
