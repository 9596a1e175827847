# What Cython takes from csrc/fastbp.h; formulas and meanings stand there.
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

cdef extern from "fastbp.h" nogil:
    enum: FBP_ALIGNMENT, FBP_MAX_PANEL_BYTES, FBP_MAX_BLOCK_ROWS, FBP_POWERS, FBP_GROUP
    enum: FBP_FEW_OUTPUTS
    ctypedef enum fbp_isa:
        FBP_N_ISA
    ctypedef enum fbp_dtype:
        FBP_FLOAT64, FBP_FLOAT32
    ctypedef enum fbp_activation:
        FBP_IDENTITY, FBP_RELU, FBP_EXP, FBP_SOFTMAX, FBP_N_ACTIVATION
    ctypedef enum fbp_loss:
        FBP_N_LOSS

    ctypedef struct fbp_activation_facts:
        const char *name
        int hidden, of_z, at_0
    const fbp_activation_facts *fbp_activations

    ctypedef struct fbp_loss_facts:
        const char *name
        fbp_activation pair
        double lower, upper
        const char *parameter
    const fbp_loss_facts *fbp_losses

    ctypedef void fbp_activate(void *z, int64_t n) noexcept nogil
    ctypedef void fbp_derive(void *delta, const void *a, int64_t n) noexcept nogil
    ctypedef double fbp_output_delta(void *delta, const void *z, const void *a, const void *y,
                                     int64_t n, double parameter) noexcept nogil

    ctypedef struct fbp_row:
        const void *values
        const int32_t *columns
        int64_t n

    ctypedef struct fbp_layer:
        int64_t n_in, n_out, width
        int transposed
        double scale
        void *W
        void *b
        void *to_W
        void *to_b
        void *V_W
        void *V_b
        void *z
        void *a
        void *delta
        void *slopes_of
        fbp_activate *activate
        fbp_derive *derive
        fbp_row row
        void *active_values
        int32_t *active_columns
        double dropout
        uint64_t dropout_seed

    ctypedef struct fbp_data:
        const char *X
        int64_t X_row_bytes
        const int32_t *columns
        const int64_t *row_starts
        int64_t n_features
        int itemsize
        const char *y
        int64_t y_row_bytes
        const int32_t *y_rows
        const double *weights

    ctypedef struct fbp_scaling:
        const void *center
        const void *factor
        double inverse_limit

    ctypedef struct fbp_columns:
        const void *X
        int64_t row_bytes, n_rows, n_columns, first_row
        const double *weights
        double weight

    ctypedef enum fbp_rule:
        FBP_PLAIN, FBP_MOMENTUM, FBP_ADAM, FBP_ADAMW, FBP_ADAGRAD, FBP_RMSPROP, FBP_N_RULE

    ctypedef struct fbp_rule_facts:
        const char *name
        int n_moments, rests, linear, counts

    const fbp_rule_facts *fbp_rules

    ctypedef struct fbp_solver:
        fbp_rule rule
        double learning_rate, momentum, alpha, max_loss
        int nesterov
        double beta_1, beta_2, epsilon
        int64_t state_stride, n_steps
        int by_weight

    ctypedef struct fbp_step:
        double decay[2][2]
        double rate[2]
        fbp_rule rule
        double l2, beta_1, beta_2, adaptive_rate, epsilon
        int64_t state_stride

    ctypedef struct fbp_block:
        int64_t n_columns, panel_width, stride
        int sparse, momentum
        void *W
        void *b
        void *V_b
        void *Z
        void *G
        void *D
        void *X[2]

    ctypedef struct fbp_sparse:
        int32_t *last_updated
        double *powers

    ctypedef struct fbp_batch:
        int64_t n_columns, stride
        int sparse
        void *W
        void *W_T
        void *V
        void *G
        int64_t state_stride, layer_state_stride
        int64_t *spans
        void *X
        void *to_b
        void *D
        void *Z
        void *D_T
        void *b
        void *z
        fbp_row *parts
        void *G_near
        uint8_t *met
        int64_t n_near

    ctypedef struct fbp_tasks:
        pass
    void fbp_begin_tasks(fbp_tasks *tasks)
    void fbp_hand_out(fbp_tasks *tasks, int n)
    int fbp_take(fbp_tasks *tasks)
    int fbp_wait_and_take(fbp_tasks *tasks)
    void fbp_done(fbp_tasks *tasks)
    void fbp_all_done(fbp_tasks *tasks)
    void fbp_end_tasks(fbp_tasks *tasks)

    ctypedef struct fbp_ops
    ctypedef struct fbp_net:
        const fbp_ops *ops
        fbp_output_delta *output_delta
        fbp_layer *layers
        int n_layers
        fbp_activation first_activation, last_activation
        fbp_loss loss
        int loss_pair
        double loss_parameter
        uint64_t sample

    ctypedef struct fbp_lane_layer:
        int64_t n_in, n_out
        void *W
        void *b
        void *V_W
        void *V_b
        void *a
        void *z
        void *delta

    ctypedef struct fbp_lanes:
        fbp_lane_layer *layers
        int n_layers
        fbp_activate *activate
        fbp_derive *derive
        fbp_activation out_activation
        fbp_loss loss
        double loss_parameter
        void *values
        int64_t n_values

    ctypedef int64_t fbp_train_registers(fbp_net *net, fbp_block *block, const fbp_data *data,
                                         const int64_t *order, int64_t start, int64_t stop,
                                         const fbp_step *step, double max_loss,
                                         double *loss_sum) noexcept nogil

    ctypedef struct fbp_ops:
        const char *isa
        int itemsize, lanes, block_rows
        void (*forward)(const fbp_layer *layer, const fbp_row *x) noexcept nogil
        void (*list_active)(fbp_layer *layer) noexcept nogil
        void (*drop_units)(const fbp_layer *layer, void *a, uint64_t sample) noexcept nogil
        void (*drop_deltas)(const fbp_layer *layer, void *delta, void *a,
                            uint64_t sample) noexcept nogil
        void (*backward_update)(fbp_layer *layer, void *delta_in, const fbp_row *x,
                                double weight, const fbp_step *step) noexcept nogil
        void (*update)(const fbp_layer *layer, const fbp_row *x, double weight,
                       const fbp_step *step) noexcept nogil
        void (*layer_load)(fbp_layer *layer, fbp_layer *packed) noexcept nogil
        void (*layer_unload)(fbp_layer *layer, fbp_layer *packed) noexcept nogil
        void (*block_load)(fbp_block *block, const fbp_layer *layer,
                           const fbp_step *step) noexcept nogil
        void (*block_forward)(fbp_block *block, const fbp_layer *layer, const fbp_row *rows,
                              int n_rows) noexcept nogil
        void (*block_correct)(const fbp_block *block, void *z, int t) noexcept nogil
        void (*block_store)(fbp_block *block, const void *delta, int t,
                            double weight) noexcept nogil
        double (*block_row)(fbp_net *net, fbp_block *block, const void *y, int t, double weight,
                            const fbp_step *step, double max_loss) noexcept nogil
        void (*block_close)(fbp_block *block, const fbp_layer *layer,
                            int n_rows) noexcept nogil
        void (*block_unload)(fbp_block *block, const fbp_layer *layer) noexcept nogil
        void (*sparse_begin)(fbp_sparse *sparse, fbp_layer *layer,
                             const fbp_step *step) noexcept nogil
        void (*sparse_forward)(const fbp_sparse *sparse, const fbp_layer *layer,
                               const fbp_row *x) noexcept nogil
        void (*sparse_update)(fbp_sparse *sparse, fbp_layer *layer, const fbp_row *x,
                              double weight, const fbp_step *step) noexcept nogil
        void (*sparse_end)(fbp_sparse *sparse, fbp_layer *layer) noexcept nogil
        int panel_width
        void (*batch_load)(fbp_batch *batch, const fbp_layer *layer) noexcept nogil
        void (*batch_forward)(fbp_batch *batch, const fbp_layer *layer, const fbp_batch *below,
                              const fbp_row *x, int64_t t, int n_rows) noexcept nogil
        void (*batch_backward)(const fbp_batch *batch, const fbp_layer *layer, fbp_batch *below,
                               int64_t t, int n_rows) noexcept nogil
        void (*batch_update)(const fbp_batch *batch, const fbp_layer *layer, const fbp_row *rows,
                             int64_t n_rows, int64_t first_input, int64_t n_inputs, int is_first,
                             double weight, const fbp_step *step) noexcept nogil
        double (*batch_penalty)(const fbp_batch *batch, const fbp_layer *layer,
                                int64_t first_input, int64_t n_inputs) noexcept nogil
        void (*batch_unload)(const fbp_batch *batch, const fbp_layer *layer) noexcept nogil
        int registers_units, registers_units_without_momentum
        fbp_train_registers *train_registers
        void (*train_lanes)(const fbp_lanes *net, const fbp_data *data, const int64_t *order,
                            int64_t start, int64_t stop, const fbp_step *step,
                            double max_loss, double *loss_sums) noexcept nogil
        fbp_activate **activate
        fbp_derive **derive
        fbp_output_delta **output_delta
        void (*scale_row)(void *out, const fbp_row *x,
                          const fbp_scaling *scaling) noexcept nogil
        void (*count_steps)(void *values, int64_t n) noexcept nogil
        void (*column_moments)(double *out, const fbp_columns *columns) noexcept nogil
        void (*scale)(void *to, const void *values, double factor, int64_t n) noexcept nogil
        void (*take_steps)(void *W, void *V, const void *G, int64_t n, double weight,
                           const fbp_step *step, int biases) noexcept nogil
        double (*sum_squares)(const void *values, int64_t n) noexcept nogil
        int (*all_finite)(const void *values, int64_t n) noexcept nogil
        double (*largest_size)(const void *values, int64_t n) noexcept nogil
        uint64_t (*hash_row)(const fbp_row *x, int64_t first_column) noexcept nogil

    enum: FBP_MT19937_LENGTH
    ctypedef struct fbp_mt19937:
        uint32_t key[FBP_MT19937_LENGTH]
        int pos
    void fbp_shuffle(int64_t *order, int64_t n, fbp_mt19937 *generator)

    const char *fbp_isa_name(fbp_isa isa)
    int fbp_isa_built(fbp_isa isa)
    int fbp_isa_usable(fbp_isa isa)
    const fbp_ops *fbp_table(fbp_isa isa, fbp_dtype dtype)
    const char *fbp_compiler()

cdef extern from "rows.h" nogil:
    fbp_row row_of "fbp_row_of"(const fbp_data *data, int64_t r)
    const void *target_of "fbp_target_of"(const fbp_data *data, int64_t r)
    double weight_of "fbp_weight_of"(const fbp_data *data, int64_t r)
    void fetch_row "fbp_fetch_row"(const fbp_data *data, int64_t r)

cdef extern from "numpy/random/bitgen.h":
    ctypedef struct bitgen_t:
        void *state
