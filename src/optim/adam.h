/* The mathematics that adam and adamw share; they differ in what weight_decay does.
 *
 * For each element, with g the gradient, p the parameter, m and v the moments (kept; 0 before the first step), t the
 * step, from 1:
 *   adam:   g ← g + weight_decay·p              (rounded once)
 *   adamw:  p ← p - lr·weight_decay·p           (rounded once)
 *   m ← m + (1 - beta1)·(g - m)
 *   v ← beta2·v + (1 - beta2)·g²
 *   w = v, or with amsgrad w ← max(w, v)        (kept)
 *   p ← p - lr/(1 - beta1^t) · m / (√w/√(1 - beta2^t) + eps)
 * The factors of m and √w are computed in double, once a step. A gradient beyond 10^19 makes v infinite, as in PyTorch:
 * then that parameter stays. */
#ifndef LN_OPTIM_ADAM_H
#define LN_OPTIM_ADAM_H

#include "optim/optim.h"

typedef struct adam_args {
    double lr, beta1, beta2, eps, weight_decay;
    bool   amsgrad;
} adam_args;

#ifdef LN_DESCRIPTOR

static double lr(const void *args) { return ((const adam_args *)args)->lr; }
static size_t n_states(const void *args) { return ((const adam_args *)args)->amsgrad ? 3 : 2; }

/* The rows of the table, which are the same but for weight_decay's. */
#define ADAM_ATTR(name, value, lowest, highest, text) \
    {.key = #name, .type = LN_ATTR_FLOAT, .offset = offsetof(adam_args, name), .preset = value, .low = lowest, \
     .high = highest, .help = text}
#define ADAM_FIRST_ATTRS \
    ADAM_ATTR(lr, 0.001, 0, 1e6, "learning rate"), \
    ADAM_ATTR(beta1, 0.9, 0, 0.999999, "share of the mean gradient that is kept"), \
    ADAM_ATTR(beta2, 0.999, 0, 0.999999, "share of the mean squared gradient that is kept")
#define ADAM_LAST_ATTRS \
    ADAM_ATTR(eps, 1e-8, 1e-30, 1, "what is added to the root of the mean square"), \
    {.key = "amsgrad", .type = LN_ATTR_BOOL, .offset = offsetof(adam_args, amsgrad), \
     .help = "divide by the largest mean square so far"}

#else
#include "base/math.h"
#include "optim/update.h"

typedef struct adam_rule {
    vec minus_rate, to_mean, keep_square, to_square, per_root, eps, decay;
} adam_rule;

/* decay: what g (adam) or p (adamw) gets of p. */
static inline adam_rule adam_rule_of(const ln_update *u, double decay) {
    const adam_args *const a = u->args;
    const double           first = 1 - ln_power(a->beta1, u->step), second = 1 - ln_power(a->beta2, u->step);
    return (adam_rule){v_splat((real)(-u->lr / first)), v_splat((real)(1 - a->beta1)), v_splat((real)a->beta2),
                       v_splat((real)(1 - a->beta2)),   v_splat((real)(1 / ln_sqrt(second))), v_splat((real)a->eps),
                       v_splat((real)decay)};
}

LN_INLINE void adam_step(const adam_rule *by, vectors *x, vec g, bool amsgrad) {
    const vec m = v_fma(by->to_mean, v_sub(g, x->state[0]), x->state[0]);
    const vec v = v_fma(v_mul(by->to_square, g), g, v_mul(by->keep_square, x->state[1]));
    x->state[0] = m;
    x->state[1] = v;
    if (amsgrad) x->state[2] = v_max(x->state[2], v); /* NaN in v stays */
    const vec root = v_sqrt(amsgrad ? x->state[2] : v);
    x->p = v_fma(by->minus_rate, v_div(m, v_fma(root, by->per_root, by->eps)), x->p);
}
#endif
#endif
