/* mse: mean squared error
 *
 * Shapes    x k×1×1, label 0 … k-1 (of one output: 0 or 1) → y 1×1×1, the loss of each image
 * Forward   y = (1/k) Σ (x[c] - d[c])²  for reduction=mean, Σ (x[c] - d[c])² for sum; d[c] is 1 at the label and 0
 *           elsewhere, and of one output the label itself
 * Backward  dx = 2 (x - d) / (n k) for the mean, over all values of n images; 2 (x - d) for sum
 * An image is a hit when its label is the first of its largest outputs; of one output, when that lies on the label's
 * side of a half. Source: Gauss, "Theoria motus", 1809; torch.nn.MSELoss. */
#include "op/loss.h"

#ifdef LN_DESCRIPTOR

static ln_status infer(ln_node *node, ln_error *error) { return loss_infer(node, "value", 1, error); }

static const ln_attr attrs[] = {LOSS_REDUCTION("the batch's loss: mean over all outputs of all images, or their sum"),
                                {0}};

const ln_op ln_op_mse = {
    .name = "mse",
    .help = "squared distance of the outputs from 1 at the label and 0 elsewhere",
    .attrs = attrs,
    .args_size = sizeof(loss_args),
    .traits = LN_LOSS | LN_NEEDS_IN | LN_MIXES,
    .n_inputs = 1,
    .infer = infer,
    .weight = loss_weight,
    .classes = loss_classes,
    .probabilities = loss_probabilities,
};

#else

LN_INLINE vec distance(vec x, vmask wanted) { return v_select(wanted, v_sub(x, v_splat(1)), x); }

LN_INLINE vec value(const ln_node *node, size_t c, vec x, vmask wanted) {
    (void)node, (void)c;
    return v_mul(distance(x, wanted), distance(x, wanted));
}

LN_INLINE vec slope(const ln_node *node, size_t c, vec x, vmask wanted) {
    (void)node, (void)c;
    return v_mul(v_splat(2), distance(x, wanted));
}

static void forward(const ln_task *t) { loss_forward(t, value, loss_share(t), (real)0.5); }
static void dinput(const ln_task *t) { loss_dinput(t, slope, loss_share(t)); }

const ln_kernel LN_KERNEL(mse) = {.forward = {{.run = forward}}, .dinput = {{.run = dinput}}};
#endif
