/* cross_entropy: how unlikely the right class is under softmax
 *
 * Shapes    x k×1×1 (logits of k classes), label 0 … k-1 → y 1×1×1, the loss of each image
 * Forward   m = max x;  z = Σ exp(x - m);  y = log z - (x[label] - m)
 *           An image is a hit when its label is the first of its largest logits.
 * Backward  dx = (exp(x - m) / z - [c = label]) · scale;  scale = 1/batch for reduction=mean, 1 for sum
 * m and z are taken anew in the backward pass, which costs less than keeping them: sums run over c in order. Dead
 * lanes get loss, hit and gradient 0. A logit that is NaN or infinite makes its image's loss NaN or infinite.
 * Source: Bridle, "Probabilistic interpretation of feedforward classification network outputs", 1990;
 * torch.nn.CrossEntropyLoss. */
#include "op/op.h"

typedef struct cross_entropy_args {
    int reduction;
} cross_entropy_args;
enum { REDUCTION_MEAN, REDUCTION_SUM };

#ifdef LN_DESCRIPTOR
#include "base/math.h"

static ln_status infer(ln_node *node, ln_error *error) {
    const ln_shape in = node->in[0];
    if (in.h != 1 || in.w != 1)
        return ln_fail_node(error, LN_E_SHAPE, node,
                            "the input is %zux%zux%zu, but one logit for each class (kx1x1) is wanted: end the model "
                            "with flatten and linear",
                            in.c, in.h, in.w);
    if (in.c < 2)
        return ln_fail_node(error, LN_E_SHAPE, node,
                            "the input is one value, but there must be at least two classes: give the last layer one "
                            "output for each class");
    node->out = (ln_shape){1, 1, 1};
    return LN_OK;
}

static double weight(const ln_node *node, size_t batch) {
    const cross_entropy_args *const a = (const void *)node->args;
    return a->reduction == REDUCTION_MEAN ? 1 / (double)batch : 1;
}

static const char *const reductions[] = {"mean", "sum", NULL};

static const ln_attr attrs[] = {{.key = "reduction",
                                 .type = LN_ATTR_CHOICE,
                                 .offset = offsetof(cross_entropy_args, reduction),
                                 .preset = REDUCTION_MEAN,
                                 .choices = reductions,
                                 .help = "the batch's loss: mean or sum of its images' losses"},
                                {0}};

const ln_op ln_op_cross_entropy = {
    .name = "cross_entropy",
    .help = "softmax and the negative logarithm of the right class's share",
    .attrs = attrs,
    .args_size = sizeof(cross_entropy_args),
    .traits = LN_LOSS | LN_NEEDS_IN,
    .n_inputs = 1,
    .infer = infer,
    .weight = weight,
};

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

#else
#include "kernel/kernel.h"
#include "kernel/vmath.h"

/* Logit c of a block. */
static const real *logit(const ln_task *t, size_t b, size_t c) { return view_row(&t->in[0], b, c, 0)->of; }

/* m and z above, for the lanes from p. */
static inline void normalizer(const ln_task *t, size_t b, size_t p, vec *m, vec *z) {
    const size_t k = t->node->in[0].c;
    vec          top = v_load(logit(t, b, 0) + p), sum = v_zero();
    for (size_t c = 1; c < k; c++) top = v_max(v_load(logit(t, b, c) + p), top);
    for (size_t c = 0; c < k; c++) sum = v_add(sum, v_exp(v_sub(v_load(logit(t, b, c) + p), top)));
    *m = top;
    *z = sum;
}

/* Labels as reals, exact below 2^24; -1, no class, in dead lanes. */
static lanes labels_of(const ln_task *t, size_t b) {
    lanes label;
    for (size_t l = 0; l < LN_LANES; l++)
        label.of[l] = t->live[b] >> l & 1 ? (real)t->label[b * LN_LANES + l] : (real)-1;
    return label;
}

/* The label's logit (0 where no class has that number) and the first of the largest ones. */
static inline void pick(const ln_task *t, size_t b, size_t p, vec label, vec *right, vec *first) {
    const size_t k = t->node->in[0].c;
    vec          best = v_load(logit(t, b, 0) + p), index = v_zero(), found = v_zero();
    for (size_t c = 0; c < k; c++) {
        const vec   x = v_load(logit(t, b, c) + p), number = v_splat((real)c);
        const vmask leads = v_gt(x, best);
        best = v_select(leads, x, best);
        index = v_select(leads, number, index);
        found = v_select(v_eq(label, number), x, found);
    }
    *right = found;
    *first = index;
}

static void forward(const ln_task *t) {
    for (size_t b = 0; b < t->n_blocks; b++) {
        const lanes label = labels_of(t, b);
        lanes      *loss = view_row(&t->out, b, 0, 0);
        for (size_t p = 0; p < LN_LANES; p += LN_WIDTH) {
            const vmask live = mask_from_bits((unsigned)t->live[b] >> p);
            const vec   lab = v_load(label.of + p);
            vec         m, z, right, first;
            normalizer(t, b, p, &m, &z);
            pick(t, b, p, lab, &right, &first);
            v_store(loss->of + p, v_select(live, v_sub(v_log(z), v_sub(right, m)), v_zero()));
            const unsigned hits = mask_bits(v_eq(first, lab)); /* no class is -1: dead lanes never hit */
            for (size_t l = 0; l < LN_WIDTH; l++) t->hit[b * LN_LANES + p + l] = (uint8_t)(hits >> l & 1);
        }
    }
}

static void dinput(const ln_task *t) {
    const cross_entropy_args *a = (const void *)t->node->args;
    const bool                adds = t->write[0] == LN_ADD;
    const vec                 scale = v_splat(a->reduction == REDUCTION_MEAN ? (real)1 / (real)t->batch : (real)1);
    if (t->write[0] == LN_SKIP) return;
    for (size_t b = 0; b < t->n_blocks; b++) {
        const lanes label = labels_of(t, b);
        for (size_t p = 0; p < LN_LANES; p += LN_WIDTH) {
            const vmask live = mask_from_bits((unsigned)t->live[b] >> p);
            const vec   lab = v_load(label.of + p);
            vec         m, z;
            normalizer(t, b, p, &m, &z);
            for (size_t c = t->c_lo; c < t->c_hi; c++) {
                const vec   share = v_div(v_exp(v_sub(v_load(logit(t, b, c) + p), m)), z);
                const vmask is_right = v_eq(lab, v_splat((real)c));
                const vec   wanted = v_select(is_right, v_splat(1), v_zero());
                const vec   value = v_select(live, v_mul(v_sub(share, wanted), scale), v_zero());
                real       *dx = view_row(&t->din[0], b, c, 0)->of + p;
                v_store(dx, adds ? v_add(v_load(dx), value) : value);
            }
        }
    }
}

const ln_kernel LN_KERNEL(cross_entropy) = {.forward = {{.run = forward}}, .dinput = {{.run = dinput}}};
#endif
