/* What the losses share: their arguments, what their outputs mean, labels, the answer that outputs give, and the loops
 * of losses that go value by value.
 *
 *   An image's loss is y; its gradient is dy/dx · weight, weight being 1/n for reduction=mean (n images; with class
 *   weights w: 1 / Σ w[label]), 1 for sum. A loss whose mean is over all n·k values of n images with k outputs takes
 *   y = (1/k) Σ over its outputs for mean, and Σ for sum: then the same holds.
 *   Several outputs: the class is the first of the largest. One output x, where a loss allows it: the class is 1 where
 *   x is above a half (of logits: above 0), and 0 elsewhere; what is wanted of x is then the label itself.
 *   Of a mixed image (LN_MIXES; ln_labels) loss and gradient are (1 - s) times those by its first label and s times
 *   those by its second, s ≤ ½ being the second one's share; a hit is one of the first.
 *   Dead lanes get loss, hit and gradient 0. */
#ifndef LN_OP_LOSS_H
#define LN_OP_LOSS_H

#include "op/op.h"

enum { LOSS_MEAN, LOSS_SUM };

/* With which every loss's arguments begin. */
typedef struct loss_args { int reduction; } loss_args;

/* ------------------------------------------------------------ the descriptors */

#ifdef LN_DESCRIPTOR

#define LOSS_REDUCTION(says)                                                                                           \
    {.key = "reduction", .type = LN_ATTR_CHOICE, .preset = LOSS_MEAN, .choices = loss_reductions, .help = says}

static const char *const loss_reductions[] = {"mean", "sum", NULL};

static inline double loss_weight(const ln_node *node, const ln_labels *labels, size_t n) {
    (void)labels;
    return ((const loss_args *)(const void *)node->args)->reduction == LOSS_MEAN ? 1 / (double)n : 1;
}

/* The same for a mean by class weights (none: all 1). Where they are 0 for a whole batch, nothing is learned of it. */
static inline double loss_weight_by_class(const ln_node *node, const ln_list *w, const ln_labels *labels, size_t n) {
    double sum = 0;
    if (w->n == 0 || ((const loss_args *)(const void *)node->args)->reduction == LOSS_SUM)
        return loss_weight(node, labels, n);
    for (size_t i = 0; i < n; i++) {
        const double first = w->value[labels->first[i]];
        sum += labels->second ? first + (double)labels->share[i] * (w->value[labels->second[i]] - first) : first;
    }
    return sum > 0 ? 1 / sum : 0;
}

/* Losses that take one output for two classes. */
static inline size_t loss_classes(const ln_node *node) { return node->in[0].c == 1 ? 2 : node->in[0].c; }

/* The outputs must be a row of what ("logit"), `least` of them at least. */
static inline ln_status loss_infer(ln_node *node, const char *what, size_t least, ln_error *error) {
    const ln_shape in = node->in[0];
    if (in.h != 1 || in.w != 1)
        return ln_fail_node(error, LN_E_SHAPE, node,
                            "the input is %zux%zux%zu, but one %s for each class (kx1x1) is wanted: end the model "
                            "with flatten and linear",
                            in.c, in.h, in.w, what);
    if (in.c < least)
        return ln_fail_node(error, LN_E_SHAPE, node,
                            "the input is one value, but there must be at least two classes: give the last layer one "
                            "output for each class, or take the loss bce_with_logits, where one output decides");
    node->out = (ln_shape){1, 1, 1};
    return LN_OK;
}

/* A list of one number for each output, or none; of (single) one number for all, too. */
static inline ln_status loss_check_list(const ln_node *node, const char *key, const ln_list *list, bool single,
                                        ln_error *error) {
    const size_t k = node->in[0].c;
    double       sum = 0;
    for (int i = 0; i < list->n; i++) sum += list->value[i];
    if (list->n > 0 && (size_t)list->n != k && !(single && list->n == 1))
        return ln_fail_node(error, LN_E_SHAPE, node,
                            "%s has %d number%s, and the input %zu value%s: give one number for each%s", key, list->n,
                            list->n == 1 ? "" : "s", k, k == 1 ? "" : "s", single ? ", or a single one" : " class");
    if (list->n > 0 && !(sum > 0))
        return ln_fail_node(error, LN_E_ARGUMENT, node,
                            "%s is 0 throughout, and nothing would be learned: leave it out, or make one number larger",
                            key);
    return LN_OK;
}

/* Outputs that are probabilities, or meant to be: as they are, or of class 0 and 1 where there is one. */
static inline void loss_probabilities(const ln_node *node, const float *outputs, float *p) {
    const size_t k = node->in[0].c;
    if (k == 1) {
        p[0] = 1 - outputs[0];
        p[1] = outputs[0];
    }
    for (size_t c = 0; c < k && k > 1; c++) p[c] = outputs[c];
}

/* ---------------------------------------------------------------- the kernels */

#else
#include "kernel/kernel.h"

/* Output c of a block. */
static inline const real *loss_output(const ln_task *t, size_t b, size_t c) { return view_row(&t->in[0], b, c, 0)->of; }

/* Labels as reals, exact below 2^24; -1, no class, in dead lanes. */
static inline lanes loss_reals(const ln_task *t, const int32_t *labels, size_t b) {
    lanes label;
    for (size_t l = 0; l < LN_LANES; l++)
        label.of[l] = t->live[b] >> l & 1 ? (real)labels[b * LN_LANES + l] : (real)-1;
    return label;
}

static inline lanes loss_labels(const ln_task *t, size_t b) { return loss_reals(t, t->label.first, b); }

/* What is wanted of a block's images; second and share are set where these are mixed. */
typedef struct loss_wants { lanes first, second, share; bool are_mixed; } loss_wants;

static inline loss_wants loss_wants_of(const ln_task *t, size_t b) {
    loss_wants w = {.first = loss_labels(t, b), .are_mixed = t->label.second != NULL};
    if (!w.are_mixed) return w;
    w.second = loss_reals(t, t->label.second, b);
    for (size_t l = 0; l < LN_LANES; l++)
        w.share.of[l] = t->live[b] >> l & 1 ? (real)t->label.share[b * LN_LANES + l] : (real)0;
    return w;
}

/* The same of the lanes from p. */
typedef struct loss_want { vec first, second, share; bool is_mixed; } loss_want;

LN_INLINE loss_want loss_want_of(const loss_wants *w, size_t p) {
    if (!w->are_mixed) return (loss_want){.first = v_load(w->first.of + p)};
    return (loss_want){v_load(w->first.of + p), v_load(w->second.of + p), v_load(w->share.of + p), true};
}

/* Of what the first label makes and what the second one makes. */
LN_INLINE vec loss_mix(const loss_want *want, vec first, vec second) {
    return v_fma(want->share, v_sub(second, first), first);
}

/* The weight of class c. */
static inline double loss_class_weight(const ln_list *w, size_t c) { return w->n ? w->value[c] : 1; }

/* Those of the labels; 0 in dead lanes. */
static inline lanes loss_label_weights(const ln_task *t, size_t b, const ln_list *w) {
    lanes weight;
    for (size_t l = 0; l < LN_LANES; l++)
        weight.of[l] =
            t->live[b] >> l & 1 ? (real)loss_class_weight(w, (size_t)t->label.first[b * LN_LANES + l]) : (real)0;
    return weight;
}

/* What a mean over all outputs multiplies their sum by. */
static inline double loss_share(const ln_task *t) {
    return ((const loss_args *)(const void *)t->node->args)->reduction == LOSS_MEAN ? 1 / (double)t->node->in[0].c : 1;
}

/* The class of each image, in the lanes from p; threshold: see the top, 0 or a half. */
LN_INLINE vec loss_answer(const ln_task *t, size_t b, size_t p, real threshold) {
    const size_t k = t->node->in[0].c;
    vec          best = v_load(loss_output(t, b, 0) + p), index = v_zero();
    if (k == 1) return v_select(v_gt(best, v_splat(threshold)), v_splat(1), index);
    for (size_t c = 1; c < k; c++) {
        const vec   x = v_load(loss_output(t, b, c) + p);
        const vmask leads = v_gt(x, best);
        best = v_select(leads, x, best);
        index = v_select(leads, v_splat((real)c), index);
    }
    return index;
}

/* Writes the losses of the lanes from p, and which of the answers are right (no class is -1: dead lanes never are). */
LN_INLINE void loss_write(const ln_task *t, size_t b, size_t p, vec loss, vec label, vec answer) {
    const vmask    live = mask_from_bits((unsigned)t->live[b] >> p);
    const unsigned hits = mask_bits(v_eq(answer, label));
    v_store(view_row(&t->out, b, 0, 0)->of + p, v_select(live, loss, v_zero()));
    for (size_t l = 0; l < LN_WIDTH; l++) t->hit[b * LN_LANES + p + l] = (uint8_t)(hits >> l & 1);
}

/* Writes or adds the gradient of output c in the lanes from p. */
LN_INLINE void loss_write_gradient(const ln_task *t, size_t b, size_t c, size_t p, vec gradient) {
    const vmask live = mask_from_bits((unsigned)t->live[b] >> p);
    const vec   value = v_select(live, gradient, v_zero());
    real       *dx = view_row(&t->din[0], b, c, 0)->of + p;
    v_store(dx, t->write[0] == LN_ADD ? v_add(v_load(dx), value) : value);
}

/* Losses that are a sum over outputs, y = share · Σ value(x, wanted): `wanted` is set where 1 is wanted of output c,
 * and clear where 0 is; slope is value's derivative by x. */
typedef vec (*loss_function)(const ln_node *node, size_t c, vec x, vmask wanted);

/* A single output stands for class 1. */
LN_INLINE vmask loss_wanted(const ln_task *t, size_t c, vec label) {
    return v_eq(label, v_splat((real)(t->node->in[0].c == 1 ? 1 : c)));
}

/* What of does for output c of the lanes from p, by one label or two. */
LN_INLINE vec loss_of_output(const ln_task *t, loss_function of, size_t b, size_t c, size_t p, const loss_want *want) {
    const vec x = v_load(loss_output(t, b, c) + p), first = of(t->node, c, x, loss_wanted(t, c, want->first));
    return want->is_mixed ? loss_mix(want, first, of(t->node, c, x, loss_wanted(t, c, want->second))) : first;
}

LN_INLINE void loss_forward(const ln_task *t, loss_function value, double share, real threshold) {
    const size_t k = t->node->in[0].c;
    for (size_t b = 0; b < t->n_blocks; b++) {
        const loss_wants wants = loss_wants_of(t, b);
        for (size_t p = 0; p < LN_LANES; p += LN_WIDTH) {
            const loss_want want = loss_want_of(&wants, p);
            vec             sum = v_zero();
            for (size_t c = 0; c < k; c++) sum = v_add(sum, loss_of_output(t, value, b, c, p, &want));
            loss_write(t, b, p, v_mul(sum, v_splat((real)share)), want.first, loss_answer(t, b, p, threshold));
        }
    }
}

LN_INLINE void loss_dinput(const ln_task *t, loss_function slope, double share) {
    const vec factor = v_splat((real)(share * t->weight));
    if (t->write[0] == LN_SKIP) return;
    for (size_t b = 0; b < t->n_blocks; b++) {
        const loss_wants wants = loss_wants_of(t, b);
        for (size_t p = 0; p < LN_LANES; p += LN_WIDTH) {
            const loss_want want = loss_want_of(&wants, p);
            for (size_t c = t->c_lo; c < t->c_hi; c++)
                loss_write_gradient(t, b, c, p, v_mul(loss_of_output(t, slope, b, c, p, &want), factor));
        }
    }
}

#endif
#endif
