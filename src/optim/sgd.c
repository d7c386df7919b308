/* sgd: stochastic gradient descent with momentum, Nesterov's variant and weight decay
 *
 * For each element, with g the gradient, p the parameter, v the velocity (kept; 0 before the first step):
 *   g ← g + weight_decay·p                      (rounded once)
 *   v ← momentum·v + share·g                    share = 1 - dampening, 1 in the first step; only with momentum
 *   d = g + momentum·v with nesterov, v without it, g without momentum
 *   p ← p - lr·d                                (rounded once)
 * Source: Sutskever et al., "On the importance of initialization and momentum in deep learning", 2013;
 * torch.optim.SGD, whose formulas these are. */
#include "optim/optim.h"

typedef struct sgd_args {
    double lr, momentum, dampening, weight_decay;
    bool   nesterov;
} sgd_args;

#ifdef LN_DESCRIPTOR

static double lr(const void *args) { return ((const sgd_args *)args)->lr; }

static ln_status check(const void *args, ln_error *error) {
    const sgd_args *a = args;
    if (!a->nesterov || (a->momentum > 0 && a->dampening == 0)) return LN_OK;
    return ln_fail(error, LN_E_ARGUMENT,
                   "optimizer sgd: nesterov=true with momentum=%g dampening=%g has no meaning: give a momentum greater "
                   "than 0 and no dampening, or leave nesterov out",
                   a->momentum, a->dampening);
}

static const ln_attr attrs[] = {{.key = "lr",
                                 .type = LN_ATTR_FLOAT,
                                 .offset = offsetof(sgd_args, lr),
                                 .required = true,
                                 .low = 0,
                                 .high = 1e6,
                                 .help = "learning rate"},
                                {.key = "momentum",
                                 .type = LN_ATTR_FLOAT,
                                 .offset = offsetof(sgd_args, momentum),
                                 .low = 0,
                                 .high = 1,
                                 .help = "share of the velocity that is kept"},
                                {.key = "dampening",
                                 .type = LN_ATTR_FLOAT,
                                 .offset = offsetof(sgd_args, dampening),
                                 .low = 0,
                                 .high = 1,
                                 .help = "share of the gradient that the velocity does not take"},
                                {.key = "weight_decay",
                                 .type = LN_ATTR_FLOAT,
                                 .offset = offsetof(sgd_args, weight_decay),
                                 .low = 0,
                                 .high = 1e6,
                                 .help = "share of the parameter that is added to its gradient"},
                                {.key = "nesterov",
                                 .type = LN_ATTR_BOOL,
                                 .offset = offsetof(sgd_args, nesterov),
                                 .help = "look ahead along the velocity"},
                                {0}};

const ln_optimizer ln_optimizer_sgd = {
    .name = "sgd",
    .help = "stochastic gradient descent with momentum",
    .attrs = attrs,
    .args_size = sizeof(sgd_args),
    .n_states = 1,
    .lr = lr,
    .check = check,
};

#else
#include "kernel/kernel.h"

#include <string.h>

typedef struct rule {
    vec minus_lr, momentum, share, weight_decay;
} rule;

/* One vector of p, given its gradient and (with momentum) its velocity. */
LN_INLINE void step(const rule *by, real *p, const real *gradient, real *velocity, bool nesterov) {
    const vec old = v_load(p);
    vec       d = v_fma(by->weight_decay, old, v_load(gradient));
    if (velocity) {
        const vec v = v_fma(by->momentum, v_load(velocity), v_mul(by->share, d));
        v_store(velocity, v);
        d = nesterov ? v_fma(by->momentum, v, d) : v;
    }
    v_store(p, v_fma(by->minus_lr, d, old));
}

/* The last elements, fewer than a vector: through a vector of copies, so that their bits are those of any split. */
LN_INLINE void step_few(const rule *by, real *p, const real *gradient, real *velocity, size_t n, bool nesterov) {
    real copy[3][LN_WIDTH] = {{0}};
    memcpy(copy[0], p, n * sizeof(real));
    memcpy(copy[1], gradient, n * sizeof(real));
    if (velocity) memcpy(copy[2], velocity, n * sizeof(real));
    step(by, copy[0], copy[1], velocity ? copy[2] : NULL, nesterov);
    memcpy(p, copy[0], n * sizeof(real));
    if (velocity) memcpy(velocity, copy[2], n * sizeof(real));
}

LN_INLINE void run(const ln_update *u, const rule *by, bool momentum, bool nesterov) {
    real       *p = u->param, *velocity = u->state[0];
    const real *gradient = u->gradient;
    size_t      i = u->lo;
    for (; i + LN_WIDTH <= u->hi; i += LN_WIDTH)
        step(by, p + i, gradient + i, momentum ? velocity + i : NULL, nesterov);
    if (i < u->hi) step_few(by, p + i, gradient + i, momentum ? velocity + i : NULL, u->hi - i, nesterov);
}

void LN_PASTE(ln_update_, sgd, LN_ISA_NAME)(const ln_update *u);

void LN_PASTE(ln_update_, sgd, LN_ISA_NAME)(const ln_update *u) {
    const sgd_args *a = u->args;
    const rule      by = {v_splat((real)-u->lr), v_splat((real)a->momentum),
                          v_splat(u->step == 1 ? (real)1 : (real)(1 - a->dampening)), v_splat((real)a->weight_decay)};
    if (a->momentum == 0) run(u, &by, false, false);
    else if (a->nesterov) run(u, &by, true, true);
    else run(u, &by, true, false);
}
#endif
