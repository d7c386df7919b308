/* batchnorm2d: every channel less its mean over the batch and its pixels, divided by its deviation, times a weight,
 * plus a bias
 *
 * Shapes    x c×h×w → y c×h×w, see batchnorm.h, where the mathematics is.
 * Source: torch.nn.BatchNorm2d. */
#include "op/batchnorm.h"

#ifdef LN_DESCRIPTOR

static ln_status infer(ln_node *node, ln_error *error) {
    (void)error;
    batchnorm_infer_any(node);
    return LN_OK;
}

const ln_op ln_op_batchnorm2d = {
    .name = "batchnorm2d",
    .help = "channels normalised over the batch and their pixels",
    .attrs = batchnorm_attrs,
    .args_size = sizeof(batchnorm),
    .traits = LN_LOCAL | LN_CROSS_BATCH | LN_IN_PLACE | LN_NEEDS_IN | LN_LEARNS,
    .n_inputs = 1,
    .infer = infer,
    .least_batch = batchnorm_least_batch,
};

#else

const ln_kernel LN_KERNEL(batchnorm2d) = BATCHNORM_KERNEL;
#endif
