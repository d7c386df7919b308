/* cross_entropy: how unlikely the right class is under softmax
 *
 * Shapes    x k×1×1 (logits of k classes), label 0 … k-1 → y 1×1×1, the loss of each image
 * Forward   m = max x;  z = Σ exp(x - m);  y = Σ q[c] (log z - (x[c] - m)),
 *           q[c] = w[c] ((1 - s) [c = label] + s/k) with label_smoothing s and class weights w: without them
 *           y = log z - (x[label] - m). An image is a hit when its label is the first of its largest logits.
 * Backward  dx = (Q exp(x - m) / z - q) · weight, Q = Σ q;  weight = 1/n for reduction=mean over n images, with class
 *           weights 1 / Σ w[label] over the batch, and 1 for sum
 * m and z are taken anew in the backward pass, which costs less than keeping them: sums run over c in order. Dead
 * lanes get loss, hit and gradient 0. A logit that is NaN or infinite makes its image's loss NaN or infinite.
 * Source: Bridle, "Probabilistic interpretation of feedforward classification network outputs", 1990; Szegedy et al.,
 * "Rethinking the Inception architecture", 2016 (smoothing); torch.nn.CrossEntropyLoss. */
#include "op/loss.h"

typedef struct cross_entropy_args {
    int     reduction;
    double  label_smoothing;
    ln_list weight;
} cross_entropy_args;

static inline const cross_entropy_args *args_of(const ln_node *node) { return (const void *)node->args; }

#ifdef LN_DESCRIPTOR
#include "base/math.h"

static ln_status infer(ln_node *node, ln_error *error) {
    const ln_status status = loss_infer(node, "logit", 2, error);
    return status == LN_OK ? loss_check_list(node, "weight", &args_of(node)->weight, false, error) : status;
}

static double weight(const ln_node *node, const ln_labels *labels, size_t n) {
    return loss_weight_by_class(node, &args_of(node)->weight, labels, n);
}

/* The forward pass above for people's rows of floats, in plain C: one code, so the same bits on every machine. */
void ln_softmax(const float *logits, size_t n, size_t k, float *probabilities) {
    const uint64_t mode = ln_fp_enter();
    for (size_t i = 0; i < n; i++) {
        const float *x = logits + i * k;
        float       *p = probabilities + i * k;
        float        m = k > 0 ? x[0] : 0;
        double       z = 0;
        for (size_t c = 1; c < k; c++) m = x[c] > m ? x[c] : m;
        for (size_t c = 0; c < k; c++) z += (double)(p[c] = ln_expf(x[c] - m));
        for (size_t c = 0; c < k; c++) p[c] = (float)((double)p[c] / z);
    }
    ln_fp_leave(mode);
}

static void probabilities(const ln_node *node, const float *outputs, float *p) {
    ln_softmax(outputs, 1, node->in[0].c, p);
}

static const ln_attr attrs[] = {
    LOSS_REDUCTION("the batch's loss: mean (by the labels' weights) or sum of its images' losses"),
    {.key = "label_smoothing",
     .type = LN_ATTR_FLOAT,
     .offset = offsetof(cross_entropy_args, label_smoothing),
     .low = 0,
     .high = 1,
     .help = "share of the label that is spread evenly over all classes"},
    {.key = "weight",
     .type = LN_ATTR_LIST,
     .offset = offsetof(cross_entropy_args, weight),
     .low = 0,
     .high = 1e6,
     .help = "what the loss of each class is multiplied by"},
    {0}};

const ln_op ln_op_cross_entropy = {
    .name = "cross_entropy",
    .help = "softmax and the negative logarithm of the right class's share",
    .attrs = attrs,
    .args_size = sizeof(cross_entropy_args),
    .traits = LN_LOSS | LN_NEEDS_IN | LN_MIXES,
    .meaning = LN_LOGITS,
    .n_inputs = 1,
    .infer = infer,
    .weight = weight,
    .probabilities = probabilities,
};

#else
#include "kernel/vmath.h"

/* m and z above, for the lanes from p. */
static inline void normalizer(const ln_task *t, size_t b, size_t p, vec *m, vec *z) {
    const size_t k = t->node->in[0].c;
    vec          top = v_load(loss_output(t, b, 0) + p), sum = v_zero();
    for (size_t c = 1; c < k; c++) top = v_max(v_load(loss_output(t, b, c) + p), top);
    for (size_t c = 0; c < k; c++) sum = v_add(sum, v_exp(v_sub(v_load(loss_output(t, b, c) + p), top)));
    *m = top;
    *z = sum;
}

/* q[c] above, of a mixed image that of both labels. */
static inline vec wanted(const ln_task *t, size_t c, const loss_want *want) {
    const cross_entropy_args *a = args_of(t->node);
    const double              w = loss_class_weight(&a->weight, c), all = a->label_smoothing / (double)t->node->in[0].c;
    const vec right = v_splat((real)(w * (1 - a->label_smoothing + all))), other = v_splat((real)(w * all));
    const vec first = v_select(v_eq(want->first, v_splat((real)c)), right, other);
    if (!want->is_mixed) return first;
    return loss_mix(want, first, v_select(v_eq(want->second, v_splat((real)c)), right, other));
}

/* The loss of the lanes from p. Where nothing is wanted of a class its logit may be -infinity; z tells of NaN. */
static inline vec loss_of(const ln_task *t, size_t b, size_t p, const loss_want *want) {
    const size_t k = t->node->in[0].c;
    vec          m, z;
    normalizer(t, b, p, &m, &z);
    const vec log_z = v_log(z);
    vec       sum = v_mul(z, v_zero());
    for (size_t c = 0; c < k; c++) {
        const vec q = wanted(t, c, want), x = v_load(loss_output(t, b, c) + p);
        const vec term = v_mul(q, v_sub(log_z, v_sub(x, m)));
        sum = v_select(v_gt(q, v_zero()), v_add(sum, term), sum);
    }
    return sum;
}

static void forward(const ln_task *t) {
    for (size_t b = 0; b < t->n_blocks; b++) {
        const loss_wants wants = loss_wants_of(t, b);
        for (size_t p = 0; p < LN_LANES; p += LN_WIDTH) {
            const loss_want want = loss_want_of(&wants, p);
            loss_write(t, b, p, loss_of(t, b, p, &want), want.first, loss_answer(t, b, p, 0));
        }
    }
}

static void dinput(const ln_task *t) {
    const size_t k = t->node->in[0].c;
    const vec    weight = v_splat((real)t->weight);
    if (t->write[0] == LN_SKIP) return;
    for (size_t b = 0; b < t->n_blocks; b++) {
        const loss_wants wants = loss_wants_of(t, b);
        for (size_t p = 0; p < LN_LANES; p += LN_WIDTH) {
            const loss_want want = loss_want_of(&wants, p);
            vec             m, z, all = v_zero();
            normalizer(t, b, p, &m, &z);
            for (size_t c = 0; c < k; c++) all = v_add(all, wanted(t, c, &want));
            for (size_t c = t->c_lo; c < t->c_hi; c++) {
                const vec share = v_div(v_exp(v_sub(v_load(loss_output(t, b, c) + p), m)), z);
                const vec value = v_sub(v_mul(all, share), wanted(t, c, &want));
                loss_write_gradient(t, b, c, p, v_mul(value, weight));
            }
        }
    }
}

const ln_kernel LN_KERNEL(cross_entropy) = {.forward = {{.run = forward}}, .dinput = {{.run = dinput}}};
#endif
