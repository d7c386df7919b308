/* bce_with_logits: sigmoid and binary cross-entropy in one
 *
 * Shapes    x k×1×1 (logits), label 0 … k-1 (of one output: 0 or 1) → y 1×1×1, the loss of each image
 * Forward   y = (1/k) Σ ℓ[c] for reduction=mean, Σ ℓ[c] for sum;  ℓ = p[c] log(1 + e^-x) where 1 is wanted (at the
 *           label, or of one output for label 1), with pos_weight p, and log(1 + e^x) elsewhere
 * Backward  dx = -p σ(-x) · weight where 1 is wanted, σ(x) · weight elsewhere;  weight = 1/(n k) for the mean, over all
 *           values of n images; 1 for sum
 * Nothing is subtracted, and log(1 + e^x) is max(x, 0) + log(1 + e^-|x|): neither overflows nor loses digits.
 * An image is a hit when its label is the first of its largest outputs; of one output, when it is above 0 for label 1.
 * Source: Cox, "The regression analysis of binary sequences", 1958; torch.nn.BCEWithLogitsLoss. */
#include "op/loss.h"

typedef struct bce_with_logits_args {
    int     reduction;
    ln_list pos_weight;
} bce_with_logits_args;

static inline const bce_with_logits_args *args_of(const ln_node *node) { return (const void *)node->args; }

#ifdef LN_DESCRIPTOR
#include "base/math.h"

static ln_status infer(ln_node *node, ln_error *error) {
    const ln_status status = loss_infer(node, "logit", 1, error);
    return status == LN_OK ? loss_check_list(node, "pos_weight", &args_of(node)->pos_weight, true, error) : status;
}

/* σ of every logit. A single one above 0 gets more than a half, however little, so that the larger of the two
 * probabilities is the answer. */
static void probabilities(const ln_node *node, const float *outputs, float *p) {
    const size_t k = node->in[0].c;
    const float  above = 0x1.000002p-1f; /* the float after a half */
    for (size_t c = 0; c < k; c++) {
        const bool   positive = outputs[c] > 0;
        const double e = (double)ln_expf(positive ? -outputs[c] : outputs[c]);
        p[c] = (float)((positive ? 1 : e) / (1 + e));
    }
    if (k > 1) return;
    p[1] = outputs[0] > 0 && p[0] < above ? above : p[0];
    p[0] = 1 - p[1];
}

static const ln_attr attrs[] = {LOSS_REDUCTION("the batch's loss: mean over all outputs of all images, or their sum"),
                                {.key = "pos_weight",
                                 .type = LN_ATTR_LIST,
                                 .offset = offsetof(bce_with_logits_args, pos_weight),
                                 .low = 0,
                                 .high = 1e6,
                                 .help = "for all outputs or each: what its loss is multiplied by where 1 is wanted"},
                                {0}};

const ln_op ln_op_bce_with_logits = {
    .name = "bce_with_logits",
    .help = "sigmoid and binary cross-entropy, exact for large logits too; one output tells two classes apart",
    .attrs = attrs,
    .args_size = sizeof(bce_with_logits_args),
    .traits = LN_LOSS | LN_NEEDS_IN | LN_MIXES,
    .meaning = LN_LOGITS,
    .n_inputs = 1,
    .infer = infer,
    .weight = loss_weight,
    .classes = loss_classes,
    .probabilities = probabilities,
};

#else
#include "kernel/vmath.h"

LN_INLINE vec pos_weight(const ln_node *node, size_t c) {
    const ln_list *const p = &args_of(node)->pos_weight;
    return v_splat((real)(p->n == 0 ? 1 : p->value[p->n == 1 ? 0 : c]));
}

LN_INLINE vec value(const ln_node *node, size_t c, vec x, vmask wanted) {
    const vec loss = v_softplus(v_select(wanted, v_neg(x), x));
    return v_select(wanted, v_mul(pos_weight(node, c), loss), loss);
}

LN_INLINE vec slope(const ln_node *node, size_t c, vec x, vmask wanted) {
    const vec share = v_sigmoid(v_select(wanted, v_neg(x), x));
    return v_select(wanted, v_mul(v_neg(pos_weight(node, c)), share), share);
}

static void forward(const ln_task *t) { loss_forward(t, value, loss_share(t), 0); }
static void dinput(const ln_task *t) { loss_dinput(t, slope, loss_share(t)); }

const ln_kernel LN_KERNEL(bce_with_logits) = {.forward = {{.run = forward}}, .dinput = {{.run = dinput}}};
#endif
