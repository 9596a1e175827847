/* Losses, one line each; losses.inc.h has NAME_delta, with the formula.
 *
 *   pair: the output activation with which the loss returns dE/dz instead of dE/da, or N_ACTIVATION;
 *   diff (pair_is_difference): whether that dE/dz is a - y, output by output: registers then need not wait for it;
 *   lower, upper: bounds of the targets that it allows;
 *   parameter: name of its own number, or NULL.
 *
 *   NAME                    name                     pair          diff  lower      upper     parameter */
#define FBP_LOSSES(E)                                                                                      \
    E(SQUARED_ERROR,           squared_error,           N_ACTIVATION, 0,    -INFINITY, INFINITY, NULL)     \
    E(ABSOLUTE_ERROR,          absolute_error,          N_ACTIVATION, 0,    -INFINITY, INFINITY, NULL)     \
    E(HUBER,                   huber,                   N_ACTIVATION, 0,    -INFINITY, INFINITY, "huber_delta")\
    E(QUANTILE,                quantile,                N_ACTIVATION, 0,    -INFINITY, INFINITY, "quantile")\
    E(BINARY_LOG_LOSS,         binary_log_loss,         LOGISTIC,     1,    0,         1,        NULL)     \
    E(LOG_LOSS,                log_loss,                SOFTMAX,      0,    0,         1,        NULL)     \
    E(POISSON,                 poisson,                 EXP,          1,    0,         INFINITY, NULL)     \
    /* as scikit-learn's perceptrons report them */                                                        \
    E(MEAN_SQUARED_ERROR,      mean_squared_error,      N_ACTIVATION, 0,    -INFINITY, INFINITY, NULL)     \
    E(CLIPPED_BINARY_LOG_LOSS, clipped_binary_log_loss, LOGISTIC,     1,    0,         1,        NULL)     \
    E(CLIPPED_LOG_LOSS,        clipped_log_loss,        SOFTMAX,      0,    0,         1,        NULL)     \
    E(RATIO_POISSON,           ratio_poisson,           EXP,          1,    0,         INFINITY, NULL)

#define FBP_ENUM_OF_LOSS(NAME, ...) FBP_##NAME,
typedef enum { FBP_LOSSES(FBP_ENUM_OF_LOSS) FBP_N_LOSS } fbp_loss;

typedef struct {
    const char *name;
    fbp_activation pair;
    int pair_is_difference;
    double lower, upper;
    const char *parameter;
} fbp_loss_facts;

#define FBP_FACTS_OF_LOSS(NAME, NAME_, PAIR, DIFF, LOWER, UPPER, PARAMETER) \
    {#NAME_, FBP_##PAIR, DIFF, LOWER, UPPER, PARAMETER},
static const fbp_loss_facts fbp_losses[] = {FBP_LOSSES(FBP_FACTS_OF_LOSS)};
