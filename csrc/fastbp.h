/* fastbp: structs and the table of operations that training is made of.
 *
 * Notation, the same everywhere in the project. x = a[0] is one row of data; layer l = 1..L has
 * weights W (n_in, n_out), row-major, and a bias b (n_out,):
 *
 *     z[l] = a[l-1] @ W[l] + b[l]        pre-activation
 *     a[l] = f(z[l])                     activation
 *     E(a[L], y)                         loss of the row, a sum over outputs
 *     delta[l] = dE/dz[l]
 *     dE/dW[l] = outer(a[l-1], delta[l]),   dE/db[l] = delta[l]
 *     delta[l-1] = (W[l] @ delta[l]) * f'(z[l-1])
 *
 * Every operation exists once, as a template over `real` (double, float) and over the vector
 * words of an instruction set (isa/), and is compiled for each pair; a pair's functions stand in
 * one table (fbp_ops), chosen once per network. Arrays of reals are void pointers here, so that the
 * row loop in _core/backprop.pyx is the same for both dtypes. C never allocates: Python owns all memory. */
#ifndef FASTBP_H
#define FASTBP_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>

#include "tables/activations.h"
#include "tables/losses.h"
#include "tables/solvers.h"

typedef enum { FBP_SCALAR, FBP_AVX2, FBP_AVX512, FBP_NEON, FBP_N_ISA } fbp_isa;
typedef enum { FBP_FLOAT64, FBP_FLOAT32, FBP_N_DTYPE } fbp_dtype;

/* z, a and delta live in scratch that is padded to this many bytes, so that kernels may work on
 * whole vectors there; values behind n_out are finite and never used. */
#define FBP_ALIGNMENT 128

/* a = f(z), in place, over n units */
typedef void fbp_activate(void *z, int64_t n);
/* delta *= f'(z), the derivative written in terms of a = f(z), or of z: see tables/activations.h */
typedef void fbp_derive(void *delta, const void *a_or_z, int64_t n);
/* delta = dE/da, or dE/dz where loss and activation are a pair (logistic or softmax with log loss,
 * exp with poisson: delta = a - y); returns the row's loss E(a, y), worked out of z where that is
 * what cannot overflow. `parameter`: the loss's own number, such as huber's delta, see tables/losses.h. */
typedef double fbp_output_delta(void *delta, const void *z, const void *a, const void *y, int64_t n,
                                double parameter);

/* One row of values, dense (columns NULL), or the non-zeros of the given columns, in ascending order where
 * blocks or batches read them: a row of X, or the activations of a layer. */
typedef struct {
    const void *values;
    const int32_t *columns;
    int64_t n;
} fbp_row;

typedef struct {
    int64_t n_in, n_out;
    int64_t width;          /* from row to row of W: n_out, or more where layer_load has packed it */
    int transposed;         /* W is (n_out, width), of n_in columns, not (n_in, width) */
    double scale;           /* of W: the weights are scale * W */
    void *W, *b;            /* parameters */
    void *to_W, *to_b;      /* what the row's gradient is added to: W and b, or the batch's sums */
    void *V_W, *V_b;        /* the solver's moments, here and wherever there is a V: the first number that it
                             * keeps beside each weight and bias (a velocity, with momentum), or NULL */
    void *z, *a, *delta;    /* scratch of this row; z is kept apart from a in the output layer unless f is
                             * identity, and elsewhere if the derivative needs it */
    fbp_activate *activate;
    fbp_derive *derive;
    fbp_row row;            /* a as the layer above reads it */
    void *active_values;    /* where ReLU's units are mostly 0: room to list the others, or NULL */
    int32_t *active_columns;
    double dropout;         /* probability that training drops a unit: see dropout.inc.h */
    uint64_t dropout_seed;
    void *slopes_of;        /* what derive reads: a or z */
} fbp_layer;

/* Rows of data: X, y and weights. */
typedef struct {
    const char *X;              /* dense rows, or the values of a CSR matrix */
    int64_t X_row_bytes;
    const int32_t *columns;     /* CSR: column of each value */
    const int64_t *row_starts;  /* CSR: where each row begins in X and columns; NULL: dense */
    int64_t n_features;
    int itemsize;
    const char *y;
    int64_t y_row_bytes;
    const int32_t *y_rows;      /* which row of y belongs to each row of X; NULL: the same */
    const double *weights;      /* NULL: 1 each */
} fbp_data;

/* How the inputs of a row are scaled: see scaling.inc.h. */
typedef struct {
    const void *center, *factor;    /* one of each for every column, in the dtype of the rows */
    double inverse_limit;           /* 0: not bounded */
} fbp_scaling;

/* Rows of a table whose columns are added up: dense, of these weights (NULL: 1 each), which sum up to `weight`.
 * Those before first_row, the first of those that count, have weight 0. */
typedef struct {
    const void *X;
    int64_t row_bytes, n_rows, n_columns, first_row;
    const double *weights;
    double weight;
} fbp_columns;

/* Hyperparameters of a step: see step_of in _core/backprop.pyx. Training stops before a row whose loss
 * is above max_loss, or NaN: it has diverged. */
typedef struct {
    fbp_rule rule;              /* and its options: */
    double learning_rate, momentum, alpha, max_loss;
    int nesterov;
    double beta_1, beta_2, epsilon;
    int64_t state_stride;       /* from the first moment of a weight to its second one, in reals */
    int64_t n_steps;            /* that the moments have seen */
    int by_weight;              /* a batch's mean, of gradients and losses, is per weight of its rows,
                                 * not per row, and its loss includes alpha / 2 |W|^2 */
} fbp_solver;

/* What a row, or a batch, does to a weight w and its velocity v, for the weighted gradient g:
 *
 *     w' = decay[0][0] w + decay[0][1] v + rate[0] g
 *     v' = decay[1][0] w + decay[1][1] v + rate[1] g
 *
 * Without momentum there is no v, and w' = decay[0][0] w + rate[0] g. Biases are not penalised: for
 * them decay[0][0] is 1 and decay[1][0] is 0.
 *
 * The other rules are not linear in the gradient. With G = g + l2 w, no l2 for biases, and the
 * correction of the moments' start in the rate, Adam (Kingma and Ba, 2015) keeps v and s:
 *
 *     v' = beta_1 v + (1 - beta_1) G        s' = beta_2 s + (1 - beta_2) G^2
 *     w' = w - adaptive_rate v' / (sqrt(s') + epsilon)
 *
 * AdamW (Loshchilov and Hutter, 2019) has decay[0][0] w - .. instead, and no l2. AdaGrad (Duchi, Hazan
 * and Singer, 2011) and RMSprop (Tieleman and Hinton, 2012) keep s alone and move along G:
 *
 *     s' = s + G^2,  or  s' = beta_2 s + (1 - beta_2) G^2
 *     w' = w - adaptive_rate G / (sqrt(s') + epsilon) */
typedef struct {
    double decay[2][2], rate[2];
    fbp_rule rule;
    double l2, beta_1, beta_2, adaptive_rate, epsilon;
    int64_t state_stride;       /* s stands so many reals behind v */
} fbp_step;

#define FBP_MAX_BLOCK_ROWS 16
#define FBP_MAX_PANEL_BYTES 512 /* bytes: eight vectors */
#define FBP_FEW_OUTPUTS 4     /* whose deltas stay in registers */
#define FBP_GROUP 4          /* blocks of a batch's rows that go through a layer together */
#define FBP_POWERS 256        /* of a step, and of that many steps: see sparse.inc.h */

/* The first layer while it runs one block of rows behind: see blocks.inc.h. */
typedef struct {
    int64_t n_columns, panel_width; /* outputs (twice with momentum), padded to whole panels */
    int64_t stride;                 /* from row to row of Z and D */
    int sparse, momentum;
    fbp_step steps[FBP_MAX_BLOCK_ROWS + 1];  /* of n rows: decay applied n times, rate n - 1 times */
    void *W, *b, *V_b;              /* parameters, velocities of biases; those of W are beside it */
    void *Z, *G;                    /* X W and X X' of this block */
    void *D;                        /* deltas of this block's rows, times weight and unit */
    double unit;                    /* the learning rate and its sign; rates are in units of it */
    void *X[2];                     /* rows side by side, of this block and the last */
    fbp_row last_rows[FBP_MAX_BLOCK_ROWS];
    int current, n_pending;         /* X[current] is this block's; rows whose step is pending */
    double scale;                   /* of sparse rows: the weights are scale * W */
} fbp_block;

/* The first layer for rows of non-zeros, row by row: see sparse.inc.h. All of it is for momentum. */
typedef struct {
    int32_t clock;                  /* rows since all inputs were up to date */
    int32_t *last_updated;          /* and how many of these each input's W includes; NULL: no momentum */
    double *powers;                 /* (2, FBP_POWERS, 4) of decay */
} fbp_sparse;

/* One layer as one thread trains it on batches: see batches.inc.h. Threads share all but their scratch. */
typedef struct {
    int64_t n_columns, stride;  /* outputs, padded to whole vectors; from row to row of Z and D */
    int sparse;                 /* rows of non-zeros: W, V and G are row-major, like the layer's */
    void *W, *W_T, *V, *G;      /* panels: weights, also transposed but in the first layer, moments,
                                 * and sums of gradients */
    int64_t state_stride;       /* the second moment stands so many reals behind V, */
    int64_t layer_state_stride; /* and so many behind the layer's V_W */
    int64_t *spans;             /* from which input on, and up to which, a panel of W is not all 0; NULL: ask not */
    void *X;                    /* inputs, dense: a block of rows side by side, and then the next block */
    void *to_b;                 /* sums of b's gradients, padded like all that follows */
    void *D;                    /* delta of every row of X */
    void *Z, *D_T, *b;          /* scratch, a group of rows: z, then a; deltas side by side; and b */
    void *z;                    /* z beside a, where the derivative needs it, or NULL */
    fbp_row *parts;             /* sparse, scratch: as many as rows of X or D, cut to a few inputs, */
    void *G_near;               /* and the gradients of n_near inputs, */
    uint8_t *met;               /* and which of them the rows have */
    int64_t n_near;
} fbp_batch;

/* A network as one call sees it: layers[0] is layer l = 1 of the notation above. */
typedef struct fbp_ops fbp_ops;
typedef struct {
    const fbp_ops *ops;
    fbp_output_delta *output_delta;
    fbp_layer *layers;
    int n_layers;
    fbp_activation first_activation, last_activation;
    fbp_loss loss;
    int loss_pair;          /* output_delta hands back dE/dz */
    double loss_parameter;
    uint64_t sample;        /* with dropout: number of the sample, over all epochs */
} fbp_net;

/* A layer of networks side by side, each in a lane of its own: see lanes.inc.h. */
typedef struct {
    int64_t n_in, n_out;
    void *W, *b;                /* [n_in][n_out][lanes], [n_out][lanes] */
    void *V_W, *V_b;            /* velocities of momentum, of the same shapes */
    void *a, *z, *delta;        /* scratch: this row's a, the next one's z, deltas of both */
} fbp_lane_layer;

typedef struct {
    fbp_lane_layer *layers;
    int n_layers;
    fbp_activate *activate;     /* of all hidden layers */
    fbp_derive *derive;
    fbp_activation out_activation;
    fbp_loss loss;
    double loss_parameter;
    void *values;               /* all parameters and velocities, */
    int64_t n_values;           /* this many numbers a lane */
} fbp_lanes;

/* Rows order[start..stop), one after another; returns where it stopped, which is before the first
 * row whose loss is too large, and adds to the weighted sum of losses. */
typedef int64_t fbp_train_registers(fbp_net *net, fbp_block *block, const fbp_data *data,
                                    const int64_t *order, int64_t start, int64_t stop,
                                    const fbp_step *step, double max_loss, double *loss_sum);

/* The operations of one (dtype, instruction set). */
struct fbp_ops {
    const char *isa;
    int itemsize, lanes;

    /* layer.z = x @ W + b */
    void (*forward)(const fbp_layer *layer, const fbp_row *x);
    /* layer.row lists the active units of layer.a: those above zero */
    void (*list_active)(fbp_layer *layer);
    /* a[n_out] of this layer without the units that the sample drops, and `delta` on its way
     * back through them: see dropout.inc.h */
    void (*drop_units)(const fbp_layer *layer, void *a, uint64_t sample);
    void (*drop_deltas)(const fbp_layer *layer, void *delta, void *a, uint64_t sample);

    /* delta_in = W @ layer.delta (0 for inputs that the row x leaves out), and then the step with the
     * gradients weight * outer(x, delta) into to_W and weight * delta into to_b.
     * Where to_W is W itself, every weight is read before it is written. Where x lists its inputs,
     * weights decay by way of layer.scale, and the step is without momentum. */
    void (*backward_update)(fbp_layer *layer, void *delta_in, const fbp_row *x,
                            double weight, const fbp_step *step);
    /* The step alone, for the first layer, which has none below it. */
    void (*update)(const fbp_layer *layer, const fbp_row *x, double weight, const fbp_step *step);

    /* W and its moments into the layout of `packed`, for many rows, and back. In between the
     * parameters are in `packed`'s memory, and `packed` points to the layer's own. */
    void (*layer_load)(fbp_layer *layer, fbp_layer *packed);
    void (*layer_unload)(fbp_layer *layer, fbp_layer *packed);

    /* Packing, forward and backward of the first layer for a block of rows: see blocks.inc.h. */
    int block_rows;
    void (*block_load)(fbp_block *block, const fbp_layer *layer, const fbp_step *step);
    void (*block_forward)(fbp_block *block, const fbp_layer *layer, const fbp_row *rows, int n_rows);
    void (*block_correct)(const fbp_block *block, void *z, int t);
    void (*block_store)(fbp_block *block, const void *delta, int t, double weight);
    /* The last two and all that is between them, but backward only if the loss is not too large: of two
     * layers, the second one transposed and of FBP_FEW_OUTPUTS at most, without momentum, and of an activation
     * whose derivative is of a. */
    double (*block_row)(fbp_net *net, fbp_block *block, const void *y, int t, double weight,
                        const fbp_step *step, double max_loss);
    void (*block_close)(fbp_block *block, const fbp_layer *layer, int n_rows);
    void (*block_unload)(fbp_block *block, const fbp_layer *layer);

    /* Forward and step of the first layer for a row that lists its inputs: see sparse.inc.h. */
    void (*sparse_begin)(fbp_sparse *sparse, fbp_layer *layer, const fbp_step *step);
    void (*sparse_forward)(const fbp_sparse *sparse, const fbp_layer *layer, const fbp_row *x);
    void (*sparse_update)(fbp_sparse *sparse, fbp_layer *layer, const fbp_row *x, double weight,
                          const fbp_step *step);
    void (*sparse_end)(fbp_sparse *sparse, fbp_layer *layer);

    /* A layer and rows of a batch: see batches.inc.h. */
    int panel_width;
    void (*batch_load)(fbp_batch *batch, const fbp_layer *layer);
    void (*batch_forward)(fbp_batch *batch, const fbp_layer *layer, const fbp_batch *below,
                          const fbp_row *x, int64_t t, int n_rows);
    void (*batch_backward)(const fbp_batch *batch, const fbp_layer *layer, fbp_batch *below, int64_t t,
                           int n_rows);
    void (*batch_update)(const fbp_batch *batch, const fbp_layer *layer, const fbp_row *rows,
                         int64_t n_rows, int64_t first_input, int64_t n_inputs, int is_first,
                         double weight, const fbp_step *step);
    double (*batch_penalty)(const fbp_batch *batch, const fbp_layer *layer, int64_t first_input,
                            int64_t n_inputs);
    void (*batch_unload)(const fbp_batch *batch, const fbp_layer *layer);

    /* Whole networks of one small hidden layer, whose last layer layer_load has transposed: of up to
     * registers_units hidden units, other than identity, and one output; or without momentum of
     * registers_units_without_momentum of any kind, and of as many outputs as the scratch of a layer has room
     * for. Neither, and no function, without vectors. See registers.inc.h. */
    int registers_units, registers_units_without_momentum;
    fbp_train_registers *train_registers;

    /* Networks side by side: adds each lane's weighted losses to loss_sums, which become infinite
     * where a loss was too large or a parameter is no longer finite; see lanes.inc.h. */
    void (*train_lanes)(const fbp_lanes *net, const fbp_data *data, const int64_t *order,
                        int64_t start, int64_t stop, const fbp_step *step, double max_loss,
                        double *loss_sums);

    fbp_activate *activate[FBP_N_ACTIVATION];
    fbp_derive *derive[FBP_N_ACTIVATION];
    fbp_output_delta *output_delta[FBP_N_LOSS];

    /* the row's values, scaled; as many as the row has */
    void (*scale_row)(void *out, const fbp_row *x, const fbp_scaling *scaling);
    /* values = round(64 values) */
    void (*count_steps)(void *values, int64_t n);
    /* mean, squares, least and largest of each column, (4, n_columns): see scaling.inc.h */
    void (*column_moments)(double *out, const fbp_columns *columns);

    /* to = factor * values */
    void (*scale)(void *to, const void *values, double factor, int64_t n);

    /* W and V take the step for the gradients weight * G; as biases, which do not decay, if so. */
    void (*take_steps)(void *W, void *V, const void *G, int64_t n, double weight,
                       const fbp_step *step, int biases);

    /* the sum of x^2 over n values */
    double (*sum_squares)(const void *values, int64_t n);

    int (*all_finite)(const void *values, int64_t n);
    double (*largest_size)(const void *values, int64_t n); /* of finite ones */

    /* 64 bits that stand for the row's non-zero values and their columns, the first of which has
     * the number given; the same for every dtype and instruction set, dense or sparse */
    uint64_t (*hash_row)(const fbp_row *x, int64_t first_column);
};

/* tasks.c: tasks 0 to n - 1, which one thread hands out and any idle thread takes, one at a time; then
 * the next tasks. A suspended thread is not waited for unless it has taken one. Whatever was written before
 * fbp_hand_out is seen by those who take, and the other way round by the thread for which fbp_all_done has
 * returned. */
typedef struct {
    int64_t handed_out;         /* n, and in the lower half how many of them have been taken */
    int64_t n_done, is_over;
} fbp_tasks;
void fbp_begin_tasks(fbp_tasks *tasks);
void fbp_hand_out(fbp_tasks *tasks, int n);
int fbp_take(fbp_tasks *tasks);             /* a task, or -1 if none is left */
int fbp_wait_and_take(fbp_tasks *tasks);    /* a task, or -1 if there will be no more */
void fbp_done(fbp_tasks *tasks);            /* with the task taken last */
void fbp_all_done(fbp_tasks *tasks);        /* waits until all are */
void fbp_end_tasks(fbp_tasks *tasks);       /* there will be no more */

/* shuffle.c: the state of NumPy's MT19937, words of the last block and how many of them are used;
 * and the order that numpy.random.RandomState with this state shuffles n <= 2^32 items to, which
 * leaves it in the same state. */
#define FBP_MT19937_LENGTH 624
typedef struct {
    uint32_t key[FBP_MT19937_LENGTH];
    int pos;
} fbp_mt19937;
void fbp_shuffle(int64_t *order, int64_t n, fbp_mt19937 *generator);

/* dispatch.c: which tables were built, which of them this machine can run, and the tables. */
const char *fbp_isa_name(fbp_isa isa);
int fbp_isa_built(fbp_isa isa);
int fbp_isa_usable(fbp_isa isa);
const fbp_ops *fbp_table(fbp_isa isa, fbp_dtype dtype); /* NULL where it was not built */
const char *fbp_compiler(void);

#endif
