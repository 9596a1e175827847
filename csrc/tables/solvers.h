/* What a step does to a weight, one line a rule. The rule itself stands in solvers.inc.h, what it makes of
 * learning rate and options in step_of (_core/backprop.pyx), and what users know it as in network/rules.py.
 *
 *   moments: numbers that are kept beside each weight;
 *   rests: a weight whose gradient is 0 stays as it is, and so do its moments, if there is no penalty;
 *   linear: in weight, gradient and moments, so that steps can be taken several at a time;
 *   counts: its coefficients depend on how many steps there were before.
 *
 *        NAME      name     moments  rests  linear  counts */
#define FBP_RULES(RULE)                          \
    RULE(PLAIN,    "plain",    0,    1,     1,      0) \
    RULE(MOMENTUM, "momentum", 1,    0,     1,      0) \
    RULE(ADAM,     "adam",     2,    0,     0,      1) \
    RULE(ADAMW,    "adamw",    2,    0,     0,      1) \
    RULE(ADAGRAD,  "adagrad",  1,    1,     0,      0) \
    RULE(RMSPROP,  "rmsprop",  1,    0,     0,      0)

#define FBP_ENUM_OF_RULE(NAME, ...) FBP_##NAME,
typedef enum { FBP_RULES(FBP_ENUM_OF_RULE) FBP_N_RULE } fbp_rule;

typedef struct {
    const char *name;
    int n_moments, rests, linear, counts;
} fbp_rule_facts;

#define FBP_FACTS_OF_RULE(NAME, ...) {__VA_ARGS__},
static const fbp_rule_facts fbp_rules[] = {FBP_RULES(FBP_FACTS_OF_RULE)};
