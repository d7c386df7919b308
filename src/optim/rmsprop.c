/* rmsprop: steps by the gradient over the root of its mean square, with momentum if asked
 *
 * For each element, with g the gradient, p the parameter, s the mean square, a the mean gradient and b the velocity
 * (kept; 0 before the first step):
 *   g ← g + weight_decay·p                      (rounded once)
 *   s ← alpha·s + (1 - alpha)·g²
 *   w = s, or centered: a ← a + (1 - alpha)·(g - a), w = max(s - a², 0)
 *   d = g / (√w + eps)
 *   p ← p - lr·d, or with momentum b ← momentum·b + d, p ← p - lr·b
 * The variance s - a² is held at 0, as rounding may take it below, where torch.optim.RMSprop gives NaN.
 * Source: Tieleman and Hinton, "Lecture 6.5: RMSProp", 2012; centered: Graves, "Generating sequences with recurrent
 * neural networks", 2013; torch.optim.RMSprop, whose formulas these are. */
#include "optim/optim.h"

typedef struct rmsprop_args {
    double lr, alpha, eps, weight_decay, momentum;
    bool   centered;
} rmsprop_args;

#ifdef LN_DESCRIPTOR

static double lr(const void *args) { return ((const rmsprop_args *)args)->lr; }

static size_t n_states(const void *args) {
    const rmsprop_args *a = args;
    return 1 + (size_t)(a->momentum > 0) + a->centered;
}

static const ln_attr attrs[] = {{.key = "lr",
                                 .type = LN_ATTR_FLOAT,
                                 .offset = offsetof(rmsprop_args, lr),
                                 .preset = 0.01,
                                 .low = 0,
                                 .high = 1e6,
                                 .help = "learning rate"},
                                {.key = "alpha",
                                 .type = LN_ATTR_FLOAT,
                                 .offset = offsetof(rmsprop_args, alpha),
                                 .preset = 0.99,
                                 .low = 0,
                                 .high = 0.999999,
                                 .help = "share of the mean square that is kept"},
                                {.key = "eps",
                                 .type = LN_ATTR_FLOAT,
                                 .offset = offsetof(rmsprop_args, eps),
                                 .preset = 1e-8,
                                 .low = 1e-30,
                                 .high = 1,
                                 .help = "what is added to the root of the mean square"},
                                {.key = "weight_decay",
                                 .type = LN_ATTR_FLOAT,
                                 .offset = offsetof(rmsprop_args, weight_decay),
                                 .low = 0,
                                 .high = 1e6,
                                 .help = "share of the parameter that is added to its gradient"},
                                {.key = "momentum",
                                 .type = LN_ATTR_FLOAT,
                                 .offset = offsetof(rmsprop_args, momentum),
                                 .low = 0,
                                 .high = 1,
                                 .help = "share of the velocity that is kept"},
                                {.key = "centered",
                                 .type = LN_ATTR_BOOL,
                                 .offset = offsetof(rmsprop_args, centered),
                                 .help = "divide by the deviation, not by the root mean square"},
                                {0}};

const ln_optimizer ln_optimizer_rmsprop = {
    .name = "rmsprop",
    .help = "steps by the gradient over its root mean square",
    .attrs = attrs,
    .args_size = sizeof(rmsprop_args),
    .n_states = n_states,
    .lr = lr,
};

#else
#include "optim/update.h"

typedef struct rule {
    vec minus_lr, keep, share, eps, weight_decay, momentum;
} rule;

/* States: the mean square, then the velocity, then the mean, those that there are. */
LN_INLINE void any(const rule *by, vectors *x, bool momentum, bool centered) {
    const vec g = v_fma(by->weight_decay, x->p, x->g);
    const vec s = v_fma(v_mul(by->share, g), g, v_mul(by->keep, x->state[0]));
    vec       w = s;
    x->state[0] = s;
    if (centered) {
        vec *const mean = &x->state[momentum ? 2 : 1];
        *mean = v_fma(by->share, v_sub(g, *mean), *mean);
        w = v_max(v_zero(), v_fma(v_neg(*mean), *mean, s)); /* NaN stays */
    }
    vec d = v_div(g, v_add(v_sqrt(w), by->eps));
    if (momentum) d = x->state[1] = v_fma(by->momentum, x->state[1], d);
    x->p = v_fma(by->minus_lr, d, x->p);
}

LN_INLINE void plain(const void *by, vectors *x) { any(by, x, false, false); }
LN_INLINE void with_momentum(const void *by, vectors *x) { any(by, x, true, false); }
LN_INLINE void centered(const void *by, vectors *x) { any(by, x, false, true); }
LN_INLINE void centered_with_momentum(const void *by, vectors *x) { any(by, x, true, true); }

void LN_PASTE(ln_update_, rmsprop, LN_ISA_NAME)(const ln_update *u);

void LN_PASTE(ln_update_, rmsprop, LN_ISA_NAME)(const ln_update *u) {
    const rmsprop_args *a = u->args;
    const rule          by = {v_splat((real)-u->lr),
                              v_splat((real)a->alpha),
                              v_splat((real)(1 - a->alpha)),
                              v_splat((real)a->eps),
                              v_splat((real)update_decay(u, a->weight_decay)),
                              v_splat((real)a->momentum)};
    if (a->momentum > 0 && a->centered) update_each(u, 3, centered_with_momentum, &by);
    else if (a->momentum > 0) update_each(u, 2, with_momentum, &by);
    else if (a->centered) update_each(u, 2, centered, &by);
    else update_each(u, 1, plain, &by);
}
#endif
