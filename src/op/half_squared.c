/* half_squared: half the squared error
 *
 * Shapes    x k×1×1, label 0 … k-1 (of one output: 0 or 1) → y 1×1×1, the loss of each image
 * Forward   y = ½ Σ (x[c] - d[c])²;  d[c] is 1 at the label and 0 elsewhere, and of one output the label itself
 * Backward  dx = (x - d) · weight;  weight = 1/n for reduction=mean over n images, 1 for sum
 * An image is a hit when its label is the first of its largest outputs; of one output, when that lies on the label's
 * side of a half. The half makes the gradient the error itself. It is k/2 times mse for the mean.
 * Source: Rumelhart, Hinton and Williams, "Learning representations by back-propagating errors", 1986. */
#include "op/loss.h"

#ifdef LN_DESCRIPTOR

static ln_status infer(ln_node *node, ln_error *error) { return loss_infer(node, "value", 1, error); }

static const ln_attr attrs[] = {LOSS_REDUCTION("the batch's loss: mean or sum of its images' losses"), {0}};

const ln_op ln_op_half_squared = {
    .name = "half_squared",
    .help = "half the squared distance of the outputs from 1 at the label and 0 elsewhere",
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

LN_INLINE vec slope(const ln_node *node, size_t c, vec x, vmask wanted) {
    (void)node, (void)c;
    return v_select(wanted, v_sub(x, v_splat(1)), x);
}

LN_INLINE vec value(const ln_node *node, size_t c, vec x, vmask wanted) {
    const vec distance = slope(node, c, x, wanted);
    return v_mul(distance, distance);
}

static void forward(const ln_task *t) { loss_forward(t, value, 0.5, (real)0.5); }
static void dinput(const ln_task *t) { loss_dinput(t, slope, 1); }

const ln_kernel LN_KERNEL(half_squared) = {.forward = {{.run = forward}}, .dinput = {{.run = dinput}}};
#endif
