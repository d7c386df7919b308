/* nll: negative log-likelihood
 *
 * Shapes    x k×1×1 (logarithms of probabilities, behind log_softmax), label 0 … k-1 → y 1×1×1, the loss of each image
 * Forward   y = -w[label] x[label], with class weights w (none: 1)
 * Backward  dx = -w[label] [c = label] · weight;  weight = 1/n for reduction=mean over n images, with class weights
 *           1 / Σ w[label] over the batch, and 1 for sum
 * An image is a hit when its label is the first of its largest outputs. A NaN in any output makes the loss NaN.
 * log_softmax and nll are cross_entropy in two steps. Source: Fisher, "On the mathematical foundations of theoretical
 * statistics", 1922; torch.nn.NLLLoss. */
#include "op/loss.h"

typedef struct nll_args {
    int     reduction;
    ln_list weight;
} nll_args;

static inline const nll_args *args_of(const ln_node *node) { return (const void *)node->args; }

#ifdef LN_DESCRIPTOR
#include "base/math.h"

static ln_status infer(ln_node *node, ln_error *error) {
    const ln_status status = loss_infer(node, "log-probability", 2, error);
    return status == LN_OK ? loss_check_list(node, "weight", &args_of(node)->weight, false, error) : status;
}

static double weight(const ln_node *node, const ln_labels *labels, size_t n) {
    return loss_weight_by_class(node, &args_of(node)->weight, labels, n);
}

static void probabilities(const ln_node *node, const float *outputs, float *p) {
    for (size_t c = 0; c < node->in[0].c; c++) p[c] = ln_expf(outputs[c]);
}

static const ln_attr attrs[] = {
    LOSS_REDUCTION("the batch's loss: mean (by the labels' weights) or sum of its images' losses"),
    {.key = "weight",
     .type = LN_ATTR_LIST,
     .offset = offsetof(nll_args, weight),
     .low = 0,
     .high = 1e6,
     .help = "what the loss of each class is multiplied by"},
    {0}};

const ln_op ln_op_nll = {
    .name = "nll",
    .help = "negative of the right class's output, which is a logarithm, such as log_softmax's",
    .attrs = attrs,
    .args_size = sizeof(nll_args),
    .traits = LN_LOSS | LN_MIXES,
    .meaning = LN_LOG_PROBABILITIES,
    .n_inputs = 1,
    .infer = infer,
    .weight = weight,
    .probabilities = probabilities,
};

#else

/* -w[c] where class c is the label, 0 elsewhere; of a mixed image, of both labels. */
static inline vec slope(const ln_task *t, size_t c, const loss_want *want) {
    const vec is = v_splat((real)c), weight = v_splat((real)-loss_class_weight(&args_of(t->node)->weight, c));
    const vec first = v_select(v_eq(want->first, is), weight, v_zero());
    return want->is_mixed ? loss_mix(want, first, v_select(v_eq(want->second, is), weight, v_zero())) : first;
}

/* Where nothing is wanted of a class its output may be -infinity; a NaN is kept. */
static inline vec loss_of(const ln_task *t, size_t b, size_t p, const loss_want *want) {
    vec sum = v_zero(), bad = v_zero();
    for (size_t c = 0; c < t->node->in[0].c; c++) {
        const vec x = v_load(loss_output(t, b, c) + p), by = slope(t, c, want);
        sum = v_select(v_lt(by, v_zero()), v_fma(by, x, sum), sum);
        bad = v_select(v_is_nan(x), x, bad);
    }
    return v_add(sum, bad);
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
    const vec factor = v_splat((real)t->weight);
    if (t->write[0] == LN_SKIP) return;
    for (size_t b = 0; b < t->n_blocks; b++) {
        const loss_wants wants = loss_wants_of(t, b);
        for (size_t p = 0; p < LN_LANES; p += LN_WIDTH) {
            const loss_want want = loss_want_of(&wants, p);
            for (size_t c = t->c_lo; c < t->c_hi; c++)
                loss_write_gradient(t, b, c, p, v_mul(slope(t, c, &want), factor));
        }
    }
}

const ln_kernel LN_KERNEL(nll) = {.forward = {{.run = forward}}, .dinput = {{.run = dinput}}};
#endif
