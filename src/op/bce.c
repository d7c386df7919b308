/* bce: binary cross-entropy of probabilities
 *
 * Shapes    x k×1×1 in [0, 1] (behind sigmoid or softmax), label 0 … k-1 (of one output: 0 or 1) → y 1×1×1, the loss
 *           of each image
 * Forward   y = (1/k) Σ ℓ[c] for reduction=mean, Σ ℓ[c] for sum;  ℓ = -log x where 1 is wanted (at the label, or of one
 *           output for label 1), -log(1 - x) elsewhere, and 100 at most
 * Backward  dx = (x - d) / max(x (1 - x), 10^-12) · weight,  d = 1 where 1 is wanted, 0 elsewhere;
 *           weight = 1/(n k) for the mean, over all values of n images; 1 for sum
 * An image is a hit when its label is the first of its largest outputs; of one output, when that lies on the label's
 * side of a half. An output outside [0, 1] makes the loss NaN. Where outputs saturate, bce_with_logits without the
 * sigmoid is the exact way. Source: Good, "Rational decisions", 1952; torch.nn.BCELoss. */
#include "op/loss.h"

#ifdef LN_DESCRIPTOR

static ln_status infer(ln_node *node, ln_error *error) { return loss_infer(node, "probability", 1, error); }

static const ln_attr attrs[] = {LOSS_REDUCTION("the batch's loss: mean over all outputs of all images, or their sum"),
                                {0}};

const ln_op ln_op_bce = {
    .name = "bce",
    .help = "binary cross-entropy of outputs from 0 to 1, such as a sigmoid's",
    .attrs = attrs,
    .args_size = sizeof(loss_args),
    .traits = LN_LOSS | LN_NEEDS_IN | LN_MIXES,
    .meaning = LN_PROBABILITIES,
    .n_inputs = 1,
    .infer = infer,
    .weight = loss_weight,
    .classes = loss_classes,
    .probabilities = loss_probabilities,
};

#else
#include "kernel/vmath.h"

/* v_max gives its second operand where one is NaN. */
LN_INLINE vec value(const ln_node *node, size_t c, vec x, vmask wanted) {
    (void)node, (void)c;
    const vec share = v_select(wanted, x, v_sub(v_splat(1), x));
    return v_neg(v_max(v_splat(-100), v_log(share)));
}

LN_INLINE vec slope(const ln_node *node, size_t c, vec x, vmask wanted) {
    (void)node, (void)c;
    const vec spread = v_max(v_splat((real)1e-12), v_mul(v_sub(v_splat(1), x), x));
    return v_div(v_select(wanted, v_sub(x, v_splat(1)), x), spread);
}

static void forward(const ln_task *t) { loss_forward(t, value, loss_share(t), (real)0.5); }
static void dinput(const ln_task *t) { loss_dinput(t, slope, loss_share(t)); }

const ln_kernel LN_KERNEL(bce) = {.forward = {{.run = forward}}, .dinput = {{.run = dinput}}};
#endif
