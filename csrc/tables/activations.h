/* Activations, one line each: a = f(z), and w f'(z) for what comes back as w, in the vector words of isa/.
 *
 *   hidden: layers of any kind may have it; the others are for output layers, whose losses give dE/dz at once;
 *   of_z: its derivative is written in terms of z, not of a. Then z is kept beside a, and networks with such
 *   hidden layers are trained neither in registers nor in lanes;
 *   at_0: whether f(0) = 0.
 *
 *      NAME        name        hidden  of_z  at_0  a                     w f'(z) */
#define FBP_ACTIVATIONS(F, F_OF_ROW)                                                                         \
    F(IDENTITY,   identity,   1, 0, 1, z,                    w)                                               \
    F(LOGISTIC,   logistic,   1, 0, 0, v_logistic(z),        v_mul(w, v_mul(a, v_sub(v_set1(1), a))))         \
    F(TANH,       tanh,       1, 0, 1, v_tanh(z),            v_mul(w, v_fnma(a, a, v_set1(1))))               \
    F(RELU,       relu,       1, 0, 1, v_max(v_set1(0), z),  v_if_positive(a, w))                             \
    F(EXP,        exp,        0, 0, 0, v_exp(z),             w)                                               \
    F_OF_ROW(SOFTMAX, softmax, 0, 0, 0)                                                                      \
    F(LEAKY_RELU, leaky_relu, 1, 0, 1, v_max(v_mul(v_set1((real)0.01), z), z),                                \
      v_where_positive(a, w, v_mul(v_set1((real)0.01), w)))                                                  \
    F(ELU,        elu,        1, 0, 1, v_where_positive(z, z, v_expm1_below(z)),                              \
      v_where_positive(a, w, v_fma(w, a, w)))                                                                \
    F(SELU,       selu,       1, 0, 1,                                                                       \
      v_where_positive(z, v_mul(v_set1(SELU_SCALE), z), v_mul(v_set1(SELU_BELOW), v_expm1_below(z))),        \
      v_where_positive(a, v_mul(v_set1(SELU_SCALE), w), v_mul(w, v_add(a, v_set1(SELU_BELOW)))))             \
    F(SOFTPLUS,   softplus,   1, 1, 0, v_softplus(z),        v_mul(w, v_logistic(z)))                         \
    F(SILU,       silu,       1, 1, 1, v_mul(z, v_logistic(z)), v_mul(w, v_silu_slope(z)))                    \
    F(GELU,       gelu,       1, 1, 1, v_mul(z, v_normal(z)), v_mul(w, v_gelu_slope(z)))                      \
    F(MISH,       mish,       1, 1, 1, v_mul(z, v_tanh_of_softplus(z)), v_mul(w, v_mish_slope(z)))

#define FBP_ENUM_OF_ACTIVATION(NAME, ...) FBP_##NAME,
typedef enum {
    FBP_ACTIVATIONS(FBP_ENUM_OF_ACTIVATION, FBP_ENUM_OF_ACTIVATION) FBP_N_ACTIVATION
} fbp_activation;

typedef struct {
    const char *name;
    int hidden, of_z, at_0;
} fbp_activation_facts;

#define FBP_FACTS_OF_ROW(NAME, NAME_, HIDDEN, OF_Z, AT_0) {#NAME_, HIDDEN, OF_Z, AT_0},
#define FBP_FACTS_OF_UNIT(NAME, NAME_, HIDDEN, OF_Z, AT_0, A, W) {#NAME_, HIDDEN, OF_Z, AT_0},
static const fbp_activation_facts fbp_activations[] = {FBP_ACTIVATIONS(FBP_FACTS_OF_UNIT, FBP_FACTS_OF_ROW)};
