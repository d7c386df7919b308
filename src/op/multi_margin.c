/* multi_margin: the hinge for several classes
 *
 * Shapes    x k×1×1 (scores), label 0 … k-1 → y 1×1×1, the loss of each image
 * Forward   y = (w[label] / k) Σ max(0, v[c])^p over c ≠ label;  v[c] = margin - x[label] + x[c], p 1 or 2, with class
 *           weights w (none: 1)
 * Backward  dx[c] = (w[label] / k) g[c] · weight for c ≠ label, g[c] = 1 (p = 1) or 2 v[c] (p = 2) where v[c] > 0, else
 *           0; dx[label] is minus the sum of the others;  weight = 1/n for reduction=mean over n images, 1 for sum
 * Forward keeps a bit for each output, whether v > 0: the choice that makes the kink. An image is a hit when its label
 * is the first of its largest outputs. Source: Crammer and Singer, "On the algorithmic implementation of multiclass
 * kernel-based vector machines", 2001; torch.nn.MultiMarginLoss. */
#include "op/loss.h"

typedef struct multi_margin_args {
    int     reduction, p;
    double  margin;
    ln_list weight;
} multi_margin_args;

static inline const multi_margin_args *args_of(const ln_node *node) { return (const void *)node->args; }

#ifdef LN_DESCRIPTOR

static ln_status infer(ln_node *node, ln_error *error) {
    const ln_status status = loss_infer(node, "score", 2, error);
    return status == LN_OK ? loss_check_list(node, "weight", &args_of(node)->weight, false, error) : status;
}

/* What softmax would make of the scores. */
static void probabilities(const ln_node *node, const float *outputs, float *p) {
    ln_softmax(outputs, 1, node->in[0].c, p);
}

static const ln_attr attrs[] = {LOSS_REDUCTION("the batch's loss: mean or sum of its images' losses"),
                                {.key = "p",
                                 .type = LN_ATTR_INT,
                                 .offset = offsetof(multi_margin_args, p),
                                 .preset = 1,
                                 .low = 1,
                                 .high = 2,
                                 .help = "power of each class's excess"},
                                {.key = "margin",
                                 .type = LN_ATTR_FLOAT,
                                 .offset = offsetof(multi_margin_args, margin),
                                 .preset = 1,
                                 .low = -1e6,
                                 .high = 1e6,
                                 .help = "by how much the right class's score is to lead"},
                                {.key = "weight",
                                 .type = LN_ATTR_LIST,
                                 .offset = offsetof(multi_margin_args, weight),
                                 .low = 0,
                                 .high = 1e6,
                                 .help = "what the loss of each class is multiplied by"},
                                {0}};

const ln_op ln_op_multi_margin = {
    .name = "multi_margin",
    .help = "multi-class hinge: what other classes' scores lack to lie a margin below the right one's",
    .attrs = attrs,
    .args_size = sizeof(multi_margin_args),
    .traits = LN_LOSS | LN_NEEDS_IN | LN_KINKS,
    .n_inputs = 1,
    .infer = infer,
    .weight = loss_weight,
    .probabilities = probabilities,
};

#else

static void prepare(const ln_node *node, ln_need *need) {
    if (need->training) need->saved = node->in[0].c * sizeof(uint16_t);
}

static uint16_t *bits_of(const ln_task *t, size_t b) { return (uint16_t *)(void *)(t->saved + b * t->saved_stride); }

static inline vec right_of(const ln_task *t, size_t b, size_t p, vec label) {
    vec right = v_zero();
    for (size_t c = 0; c < t->node->in[0].c; c++)
        right = v_select(v_eq(label, v_splat((real)c)), v_load(loss_output(t, b, c) + p), right);
    return right;
}

/* v[c] above. */
static inline vec excess(const ln_task *t, size_t b, size_t c, size_t p, vec right) {
    return v_add(v_splat((real)args_of(t->node)->margin), v_sub(v_load(loss_output(t, b, c) + p), right));
}

/* The loss of the lanes from p; bits may be NULL. v_max gives its second operand where one is NaN. */
static inline vec loss_of(const ln_task *t, size_t b, size_t p, vec label, vec weight, uint16_t *bits) {
    const size_t k = t->node->in[0].c;
    const bool   squares = args_of(t->node)->p == 2;
    const vec    right = right_of(t, b, p, label);
    vec          sum = v_zero();
    for (size_t c = 0; c < k; c++) {
        const vec   v = excess(t, b, c, p, right), over = v_max(v_zero(), v);
        const vmask other = mask_not(v_eq(label, v_splat((real)c)));
        sum = v_select(other, v_add(sum, squares ? v_mul(over, over) : over), sum);
        if (bits) bits[c] = (uint16_t)(bits[c] | mask_bits(mask_and(other, v_gt(v, v_zero()))) << p);
    }
    return v_mul(sum, v_mul(weight, v_splat((real)(1 / (double)k))));
}

static void forward(const ln_task *t) {
    for (size_t b = 0; b < t->n_blocks; b++) {
        const lanes     labels = loss_labels(t, b), weights = loss_label_weights(t, b, &args_of(t->node)->weight);
        uint16_t *const bits = t->training ? bits_of(t, b) : NULL;
        for (size_t c = 0; c < t->node->in[0].c && bits; c++) bits[c] = 0;
        for (size_t p = 0; p < LN_LANES; p += LN_WIDTH) {
            const vec label = v_load(labels.of + p);
            loss_write(t, b, p, loss_of(t, b, p, label, v_load(weights.of + p), bits), label, loss_answer(t, b, p, 0));
        }
    }
}

/* The gradient of output c, not the label's, before its factor. */
static inline vec slope(const ln_task *t, size_t b, size_t c, size_t p, vec right) {
    const vmask over = mask_from_bits((unsigned)bits_of(t, b)[c] >> p);
    const vec   v = excess(t, b, c, p, right);
    return v_select(over, args_of(t->node)->p == 2 ? v_add(v, v) : v_splat(1), v_zero());
}

static void dinput(const ln_task *t) {
    const size_t k = t->node->in[0].c;
    const vec    share = v_splat((real)(t->weight / (double)k));
    if (t->write[0] == LN_SKIP) return;
    for (size_t b = 0; b < t->n_blocks; b++) {
        const lanes labels = loss_labels(t, b), weights = loss_label_weights(t, b, &args_of(t->node)->weight);
        for (size_t p = 0; p < LN_LANES; p += LN_WIDTH) {
            const vec label = v_load(labels.of + p), right = right_of(t, b, p, label);
            const vec factor = v_mul(v_load(weights.of + p), share);
            vec       sum = v_zero();
            for (size_t c = 0; c < k; c++) sum = v_add(sum, slope(t, b, c, p, right));
            for (size_t c = t->c_lo; c < t->c_hi; c++) {
                const vmask is_right = v_eq(label, v_splat((real)c));
                const vec   value = v_select(is_right, v_neg(sum), slope(t, b, c, p, right));
                loss_write_gradient(t, b, c, p, v_mul(value, factor));
            }
        }
    }
}

const ln_kernel LN_KERNEL(multi_margin) = {
    .prepare = prepare,
    .forward = {{.run = forward}},
    .dinput = {{.run = dinput}},
};
#endif
