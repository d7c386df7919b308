/* batchnorm1d: every feature less its mean over the batch, divided by its deviation, times a weight, plus a bias
 *
 * Shapes    x c×1×1 → y c×1×1, see batchnorm.h, where the mathematics is.
 * Source: torch.nn.BatchNorm1d. */
#include "op/batchnorm.h"

#ifdef LN_DESCRIPTOR

static ln_status infer(ln_node *node, ln_error *error) {
    const ln_shape s = node->in[0];
    if (s.h != 1 || s.w != 1)
        return ln_fail_node(error, LN_E_SHAPE, node,
                            "its input is %zux%zux%zu, and it wants one row of features; use batchnorm2d, or put "
                            "flatten before it",
                            s.c, s.h, s.w);
    batchnorm_infer_any(node);
    return LN_OK;
}

const ln_op ln_op_batchnorm1d = {
    .name = "batchnorm1d",
    .help = "features normalised over the batch",
    .attrs = batchnorm_attrs,
    .args_size = sizeof(batchnorm),
    .traits = LN_LOCAL | LN_CROSS_BATCH | LN_IN_PLACE | LN_NEEDS_IN | LN_LEARNS,
    .n_inputs = 1,
    .infer = infer,
    .least_batch = batchnorm_least_batch,
};

#else

const ln_kernel LN_KERNEL(batchnorm1d) = BATCHNORM_KERNEL;
#endif
