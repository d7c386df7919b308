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
static size_t n_states(const void *args) { return ((const sgd_args *)args)->momentum > 0 ? 1 : 0; }

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
    .n_states = n_states,
    .lr = lr,
    .check = check,
};

#else
#include "optim/update.h"

typedef struct rule {
    vec minus_lr, momentum, share, weight_decay;
} rule;

LN_INLINE void plain(const void *rules, vectors *x) {
    const rule *by = rules;
    x->p = v_fma(by->minus_lr, v_fma(by->weight_decay, x->p, x->g), x->p);
}

LN_INLINE void momentum_any(const rule *by, vectors *x, bool nesterov) {
    const vec g = v_fma(by->weight_decay, x->p, x->g);
    const vec v = v_fma(by->momentum, x->state[0], v_mul(by->share, g));
    x->state[0] = v;
    x->p = v_fma(by->minus_lr, nesterov ? v_fma(by->momentum, v, g) : v, x->p);
}

LN_INLINE void momentum(const void *by, vectors *x) { momentum_any(by, x, false); }
LN_INLINE void nesterov(const void *by, vectors *x) { momentum_any(by, x, true); }

void LN_PASTE(ln_update_, sgd, LN_ISA_NAME)(const ln_update *u);

void LN_PASTE(ln_update_, sgd, LN_ISA_NAME)(const ln_update *u) {
    const sgd_args *a = u->args;
    const rule      by = {v_splat((real)-u->lr), v_splat((real)a->momentum),
                          v_splat(u->step == 1 ? (real)1 : (real)(1 - a->dampening)),
                          v_splat((real)update_decay(u, a->weight_decay))};
    if (a->momentum == 0) update_each(u, 0, plain, &by);
    else if (a->nesterov) update_each(u, 1, nesterov, &by);
    else update_each(u, 1, momentum, &by);
}
#endif
