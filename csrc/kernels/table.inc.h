/* Every operation for one dtype and one instruction set, and their table. A file of targets/ has
 * chosen both: `real`, VL and the vector words are defined. */
#ifndef FASTBP_KERNELS_TABLE_INC_H
#define FASTBP_KERNELS_TABLE_INC_H

#include "activations.inc.h"
#include "arrays.inc.h"
#include "batches.inc.h"
#include "batches_sparse.inc.h"
#include "blocks.inc.h"
#include "blocks_dense.inc.h"
#include "blocks_row.inc.h"
#include "blocks_sparse.inc.h"
#include "dropout.inc.h"
#include "hash.inc.h"
#include "lanes.inc.h"
#include "layer.inc.h"
#include "losses.inc.h"
#if REGISTER_VECTORS
#include "registers.inc.h"
#endif
#include "scaling.inc.h"
#include "solvers.inc.h"
#include "sparse.inc.h"
#include "vector_math.inc.h"

#define ACTIVATE(NAME, ...) activate_##NAME,
#define DERIVE(NAME, ...) derive_##NAME,
#define DELTA(NAME, NAME_, ...) NAME_##_delta,
const fbp_ops FBP_TABLE = {
    .isa = FBP_ISA_NAME,
    .itemsize = sizeof(real),
    .lanes = VL,
    .forward = forward,
    .list_active = list_active,
    .drop_units = drop_units,
    .drop_deltas = drop_deltas,
    .backward_update = backward_update,
    .update = update,
    .layer_load = layer_load,
    .layer_unload = layer_unload,
    .block_rows = BLOCK,
    .block_load = block_load,
    .block_forward = block_forward,
    .block_correct = block_correct,
    .block_store = block_store,
    .block_row = block_row,
    .block_close = block_close,
    .block_unload = block_unload,
    .sparse_begin = sparse_begin,
    .sparse_forward = sparse_forward,
    .sparse_update = sparse_update,
    .sparse_end = sparse_end,
    .panel_width = DENSE_PANEL,
    .batch_load = batch_load,
    .batch_forward = batch_forward,
    .batch_backward = batch_backward,
    .batch_update = batch_update,
    .batch_penalty = batch_penalty,
    .batch_unload = batch_unload,
    .registers_units = REGISTER_VECTORS * VL,
    .registers_units_without_momentum = 2 * REGISTER_VECTORS * VL,
#if REGISTER_VECTORS
    .train_registers = train_registers,
#endif
    .train_lanes = train_lanes,
    .activate = {FBP_ACTIVATIONS(ACTIVATE, ACTIVATE)},
    .derive = {FBP_ACTIVATIONS(DERIVE, DERIVE)},
    .output_delta = {FBP_LOSSES(DELTA)},
    .scale_row = scale_row,
    .count_steps = count_steps,
    .column_moments = column_moments,
    .scale = scale,
    .take_steps = take_steps,
    .sum_squares = sum_squares,
    .all_finite = all_finite,
    .largest_size = largest_size,
    .hash_row = hash_row,
};
#undef ACTIVATE
#undef DERIVE
#undef DELTA

#endif
