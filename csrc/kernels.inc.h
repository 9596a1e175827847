/* Every operation for one dtype and one instruction set, and their table. A file of targets/ has
 * chosen both: `real`, VL and the vector words are defined. */
#include "vector_math.inc.h"
#include "activations.inc.h"
#include "losses.inc.h"
#include "layer.inc.h"
#include "solvers.inc.h"

const fbp_ops FBP_TABLE = {
    .isa = FBP_ISA_NAME,
    .itemsize = sizeof(real),
    .lanes = VL,
    .forward = forward,
    .forward_row = forward_row,
    .backward_update = backward_update,
    .update_row = update_row,
    .activate = {activate_identity, activate_logistic, activate_tanh, activate_relu,
                 activate_exp, activate_softmax},
    .derive = {derive_identity, derive_logistic, derive_tanh, derive_relu,
               derive_identity, derive_identity}, /* exp and softmax: in the pair's delta */
    .output_delta = {squared_error_delta, absolute_error_delta, binary_log_loss_delta,
                     log_loss_delta, poisson_delta},
    .solver_step = solver_step,
    .all_finite = all_finite,
};
