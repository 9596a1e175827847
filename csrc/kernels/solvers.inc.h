/* What a step does to a weight: one function for each line of tables/solvers.h. A rule is given the weight
 * w, the numbers s[0], s[1] that it keeps beside it, and the gradient g; it returns the new weight.
 * Whatever moves weight by weight goes through step_vector, so that a rule is there at once. */
#ifndef FASTBP_KERNELS_SOLVERS_INC_H
#define FASTBP_KERNELS_SOLVERS_INC_H

#include "vector_math.inc.h"

/* TAKE(RULE), a macro, for the rule that is known when the program runs */
#define TAKE_RULE(NAME, ...) case FBP_##NAME: TAKE(FBP_##NAME); break;
#define WITH_RULE(rule) switch (rule) { FBP_RULES(TAKE_RULE) default: break; }

/* fbp_step in vectors, for gradients that come with a factor. */
typedef struct {
    vec decay[2][2], rate[2];
    vec factor, l2, beta[2], rest[2], adaptive_rate, epsilon; /* rest = 1 - beta */
    int64_t state_stride;
} vec_step;

/* Whether the step moves weights whose gradient is 0. */
INLINE int moves_all(const fbp_step *step) {
    return !fbp_rules[step->rule].rests || step->decay[0][0] != 1 || step->l2 != 0;
}

/* The step times a factor on the gradient; a bias does not decay. */
INLINE vec_step step_times(const fbp_step *step, double factor, int bias) {
    const vec_step s = {
        {{v_set1(bias ? 1 : (real)step->decay[0][0]), v_set1((real)step->decay[0][1])},
         {v_set1(bias ? 0 : (real)step->decay[1][0]), v_set1((real)step->decay[1][1])}},
        {v_set1((real)(step->rate[0] * factor)), v_set1((real)(step->rate[1] * factor))},
        v_set1((real)factor), v_set1(bias ? 0 : (real)step->l2),
        {v_set1((real)step->beta_1), v_set1((real)step->beta_2)},
        {v_set1((real)(1 - step->beta_1)), v_set1((real)(1 - step->beta_2))},
        v_set1((real)step->adaptive_rate), v_set1((real)step->epsilon), step->state_stride};
    return s;
}

/* w' = w + rate g */
INLINE vec_step plain_step(double rate) {
    const vec one = v_set1(1), zero = v_set1(0);
    return (vec_step){.decay = {{one, zero}, {zero, zero}}, .rate = {v_set1((real)rate), zero}};
}

/* The step for gradients that are x times as large. */
INLINE vec_step step_along_x(const vec_step *s, vec x) {
    vec_step own = *s;
    own.rate[0] = v_mul(s->rate[0], x);
    own.rate[1] = v_mul(s->rate[1], x);
    own.factor = v_mul(s->factor, x);
    return own;
}

/* Roots and quotients wait for one divider, and roots the longest. So of two vectors one may have its root
 * BY_PRODUCTS meanwhile, where that was found to be faster: decisions/0019. It is right to 1 ulp. Adam's
 * rules, which have more products of their own, gain nothing by it. */
INLINE vec root_of(vec s, const int BY_PRODUCTS) {
#ifdef HAS_RSQRT_SEED
    if (BY_PRODUCTS) return v_sqrt_by_products(s);
#endif
    (void)BY_PRODUCTS;
    return v_sqrt(s);
}

/* The gradient with what the penalty adds to it */
INLINE vec penalised(vec w, vec g, const vec_step *p) { return v_fma(p->l2, w, v_mul(p->factor, g)); }

/* Kingma and Ba (2015): what Adam takes off a weight, for the gradient g */
INLINE vec adam_move(vec *s, vec g, const vec_step *p) {
    s[0] = v_fma(p->beta[0], s[0], v_mul(p->rest[0], g));
    s[1] = v_fma(p->beta[1], s[1], v_mul(p->rest[1], v_mul(g, g)));
    return v_div(s[0], v_add(v_sqrt(s[1]), p->epsilon));
}

/* -- the rules ------------------------------------------------------------------------------------ */

INLINE vec rule_PLAIN(vec w, vec *s, vec g, const vec_step *p, const int BY_PRODUCTS) {
    (void)s, (void)BY_PRODUCTS;
    return v_fma(p->rate[0], g, v_mul(p->decay[0][0], w));
}

INLINE vec rule_MOMENTUM(vec w, vec *s, vec g, const vec_step *p, const int BY_PRODUCTS) {
    (void)BY_PRODUCTS;
    const vec new_w = v_fma(p->rate[0], g, v_fma(p->decay[0][1], s[0], v_mul(p->decay[0][0], w)));
    s[0] = v_fma(p->rate[1], g, v_fma(p->decay[1][1], s[0], v_mul(p->decay[1][0], w)));
    return new_w;
}

INLINE vec rule_ADAM(vec w, vec *s, vec g, const vec_step *p, const int BY_PRODUCTS) {
    (void)BY_PRODUCTS;
    return v_fnma(p->adaptive_rate, adam_move(s, penalised(w, g, p), p), w);
}

/* Loshchilov and Hutter (2019): the decay is not part of the gradient */
INLINE vec rule_ADAMW(vec w, vec *s, vec g, const vec_step *p, const int BY_PRODUCTS) {
    (void)BY_PRODUCTS;
    return v_fnma(p->adaptive_rate, adam_move(s, v_mul(p->factor, g), p), v_mul(p->decay[0][0], w));
}

/* Duchi, Hazan and Singer (2011) */
INLINE vec rule_ADAGRAD(vec w, vec *s, vec g, const vec_step *p, const int BY_PRODUCTS) {
    g = penalised(w, g, p);
    s[0] = v_fma(g, g, s[0]);
    return v_fnma(p->adaptive_rate, v_div(g, v_add(root_of(s[0], BY_PRODUCTS), p->epsilon)), w);
}

/* Tieleman and Hinton (2012) */
INLINE vec rule_RMSPROP(vec w, vec *s, vec g, const vec_step *p, const int BY_PRODUCTS) {
    g = penalised(w, g, p);
    s[0] = v_fma(p->beta[1], s[0], v_mul(p->rest[1], v_mul(g, g)));
    return v_fnma(p->adaptive_rate, v_div(g, v_add(root_of(s[0], BY_PRODUCTS), p->epsilon)), w);
}

/* ------------------------------------------------------------------------------------------------- */

INLINE vec new_weight(vec w, vec *s, vec g, const vec_step *p, const int RULE, const int BY_PRODUCTS) {
#define CASE(NAME, ...) case FBP_##NAME: return rule_##NAME(w, s, g, p, BY_PRODUCTS);
    switch (RULE) { FBP_RULES(CASE) }
#undef CASE
    return w;
}

/* In the place of a rule: the weights stay as they are. */
enum { NO_STEP = FBP_N_RULE };

/* Whether a step is a few products: loops are unrolled for those only. */
INLINE int is_linear(const int RULE) { return RULE != NO_STEP && fbp_rules[RULE].linear; }

/* The step of t, and of what is kept beside it, from v on and `state_stride` apart, with the gradients g: VL of
 * them, or the first m. Of neighbours, every other one BY_PRODUCTS. */
INLINE void step_vector(real *t, real *v, vec g, const vec_step *p, const int RULE, const int BY_PRODUCTS) {
    if (RULE == NO_STEP) return;
    vec s[2] = {v_set1(0), v_set1(0)};
    UNROLL for (int k = 0; k < fbp_rules[RULE].n_moments; k++) s[k] = v_load(v + k * p->state_stride);
    v_store(t, new_weight(v_load(t), s, g, p, RULE, BY_PRODUCTS));
    UNROLL for (int k = 0; k < fbp_rules[RULE].n_moments; k++) v_store(v + k * p->state_stride, s[k]);
}

INLINE void step_vector_n(real *t, real *v, vec g, const vec_step *p, const int RULE, int m) {
    if (RULE == NO_STEP) return;
    vec s[2] = {v_set1(0), v_set1(0)};
    UNROLL for (int k = 0; k < fbp_rules[RULE].n_moments; k++) s[k] = v_load_n(v + k * p->state_stride, m);
    v_store_n(t, new_weight(v_load_n(t, m), s, g, p, RULE, 0), m);
    UNROLL for (int k = 0; k < fbp_rules[RULE].n_moments; k++) v_store_n(v + k * p->state_stride, s[k], m);
}

/* The step of t with gradients that are g times a factor (in s). */
INLINE void step_along(real *t, real *v, const real *g, int64_t n, const vec_step *s, const int RULE) {
    const vec_step own = *s; /* for compilers: what is written cannot be this one, which stays in registers */
    int64_t j = 0;
    for (; j + 2 * VL <= n; j += 2 * VL) {
        step_vector(t + j, v + j, v_load(g + j), &own, RULE, 0);
        step_vector(t + j + VL, v + j + VL, v_load(g + j + VL), &own, RULE, 1);
    }
    for (; j + VL <= n; j += VL) step_vector(t + j, v + j, v_load(g + j), &own, RULE, 0);
    if (j < n) {
        const int m = (int)(n - j);
        step_vector_n(t + j, v + j, v_load_n(g + j, m), &own, RULE, m);
    }
}

/* The same for a rule that is known when the program runs: one loop a rule, for all who call it. */
static void step_all(real *t, real *v, const real *g, int64_t n, const vec_step *s, fbp_rule rule) {
#define TAKE(RULE) step_along(t, v, g, n, s, RULE)
    WITH_RULE(rule)
#undef TAKE
}

#endif
