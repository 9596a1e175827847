/* A whole row, from z[1] on, while the first layer runs a block behind (blocks.inc.h) and only a layer
 * of a few outputs stands above it, transposed (layer_load): three passes over the hidden units instead
 * of eight. Rows of such networks are so short that calls and passes would be a third of their time. */
#ifndef FASTBP_KERNELS_BLOCKS_ROW_INC_H
#define FASTBP_KERNELS_BLOCKS_ROW_INC_H

#include "activations.inc.h"
#include "blocks.inc.h"
#include "layer.inc.h"
#include "losses.inc.h"

/* The loss, and the layer's delta, from a. */
INLINE double few_outputs(const fbp_net *net, const real *y, const int OUTPUTS) {
    const fbp_layer *layer = net->layers + 1;
    forward_transposed(layer, net->layers->a);
    if (!is_difference(net)) return output_delta(net, y);
    difference(layer->delta, layer->z, y, OUTPUTS);
    return 0.5 * squares_of(layer->delta, OUTPUTS);
}

/* Steps of W[2] and b[1], and D_t. */
INLINE void few_backward(const fbp_net *net, fbp_block *block, int t, double weight, const fbp_step *step,
                         const int OUTPUTS) {
    const fbp_layer *layer = net->layers + 1;
    const fbp_activation activation = net->first_activation;
    const int64_t n = layer->n_in, width = layer->width;
    const real *a = net->layers->a, *delta = layer->delta;
    real *W = layer->W, *b = block->b, *D = (real *)block->D + t * block->stride;
    const vec decay = v_set1((real)step->decay[0][0]), unit = v_set1((real)(weight * block->unit));
    const vec rate_b = v_set1((real)block->steps[1].rate[0]);
    vec d[FBP_FEW_OUTPUTS], rate[FBP_FEW_OUTPUTS];
    UNROLL for (int k = 0; k < OUTPUTS; k++) {
        d[k] = v_set1(delta[k]);
        rate[k] = v_set1((real)(weight * step->rate[0]) * delta[k]);
    }
    int64_t j = 0;
    for (; j < n; j += VL) {
        const vec aj = v_load_part(a + j, n - j < VL ? (int)(n - j) : VL);
        vec back = v_set1(0);
        UNROLL for (int k = 0; k < OUTPUTS; k++) {
            real *w_at = W + k * width + j;
            const vec w = v_load(w_at);
            back = v_fma(d[k], w, back);
            v_store(w_at, v_fma(rate[k], aj, v_mul(decay, w)));
        }
        const vec D_t = v_mul(unit, v_derive(back, aj, activation));
        v_store(D + j, D_t);
        v_store(b + j, v_fma(rate_b, D_t, v_load(b + j)));
    }
    for (; j < block->n_columns; j += VL) v_store(D + j, v_set1(0));
    update_bias(layer, weight, step, FBP_PLAIN);
}

/* Forward, loss and, unless that is too large, backward. */
static double block_row(fbp_net *net, fbp_block *block, const void *y, int t, double weight,
                        const fbp_step *step, double max_loss) {
    fbp_layer *first = net->layers;
    double loss;
    if (net->first_activation == FBP_RELU) {
        correct_all(first->a, block, t, 0, 1);
    } else {
        block_correct(block, first->z, t);
        first->activate(first->a, first->n_out);
    }
#define OUTPUTS(N)                                                            \
    case N:                                                                   \
        loss = few_outputs(net, y, N);                                        \
        if (loss <= max_loss) few_backward(net, block, t, weight, step, N); \
        break;
    switch (net->layers[1].n_out) {
        OUTPUTS(1)
        OUTPUTS(2)
        OUTPUTS(3)
        OUTPUTS(4)
    default: loss = NAN;
    }
#undef OUTPUTS
    return loss;
}

#endif
