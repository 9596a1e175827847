/* From a batch's summed gradients to a step, and the check that all is still finite. */

/* One vector of solver_step; V and momentum are left out of plain gradient descent. */
INLINE vec moved(vec w, vec *v, vec G, const fbp_solver *solver) {
    const vec eta = v_set1((real)solver->learning_rate), mu = v_set1((real)solver->momentum);
    const vec g = v_mul(v_fma(v_set1((real)solver->alpha), w, G),
                        v_set1((real)(1 / solver->batch_size)));
    if (!v) return v_fnma(eta, g, w);
    *v = v_fnma(eta, g, v_mul(mu, *v));
    return v_add(w, solver->nesterov ? v_fnma(eta, g, v_mul(mu, *v)) : *v);
}

/* g = (G + alpha W) / batch_size;  V = momentum V - learning_rate g;
 * W += V, or with Nesterov's momentum W += momentum V - learning_rate g; V NULL: W -= learning_rate g */
static void solver_step(void *W_, void *V_, const void *G_, int64_t n, const fbp_solver *solver) {
    real *W = W_, *V = V_;
    const real *G = G_;
    int64_t k = 0;
    for (; k + VL <= n; k += VL) {
        vec v = V ? v_load(V + k) : v_set1(0);
        v_store(W + k, moved(v_load(W + k), V ? &v : NULL, v_load(G + k), solver));
        if (V) v_store(V + k, v);
    }
    if (k < n) {
        const int m = (int)(n - k);
        vec v = V ? v_load_n(V + k, m) : v_set1(0);
        v_store_n(W + k, moved(v_load_n(W + k, m), V ? &v : NULL, v_load_n(G + k, m), solver), m);
        if (V) v_store_n(V + k, v, m);
    }
}

/* to = factor * values */
static void scale(void *to_, const void *values_, double factor, int64_t n) {
    const real *values = values_;
    real *to = to_;
    for (int64_t k = 0; k < n; k++) to[k] = (real)factor * values[k];
}

/* 0 x is 0 for every finite x, and NaN for every other. */
static int all_finite(const void *values, int64_t n) {
    const real *x = values;
    vec sum = v_set1(0), sum2 = v_set1(0);
    int64_t k = 0;
    for (; k + 2 * VL <= n; k += 2 * VL) {
        sum = v_fma(v_load(x + k), v_set1(0), sum);
        sum2 = v_fma(v_load(x + k + VL), v_set1(0), sum2);
    }
    for (; k + VL <= n; k += VL) sum = v_fma(v_load(x + k), v_set1(0), sum);
    if (k < n) sum2 = v_fma(v_load_n(x + k, (int)(n - k)), v_set1(0), sum2);
    return v_sum(v_add(sum, sum2)) == 0;
}
