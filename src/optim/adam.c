/* adam: steps by the mean gradient over the root of the mean squared gradient; weight_decay is added to the gradient
 *
 * Formulas: optim/adam.h.
 * Source: Kingma and Ba, "Adam: a method for stochastic optimization", 2014; amsgrad: Reddi, Kale and Kumar, "On the
 * convergence of Adam and beyond", 2018; torch.optim.Adam. */
#include "optim/adam.h"

#ifdef LN_DESCRIPTOR

static const ln_attr attrs[] = {
    ADAM_FIRST_ATTRS,
    ADAM_ATTR(weight_decay, 0, 0, 1e6, "share of the parameter that is added to its gradient"),
    ADAM_LAST_ATTRS,
    {0}};

const ln_optimizer ln_optimizer_adam = {
    .name = "adam",
    .help = "steps by the mean gradient over its root mean square",
    .attrs = attrs,
    .args_size = sizeof(adam_args),
    .n_states = n_states,
    .lr = lr,
};

#else

LN_INLINE void any(const adam_rule *by, vectors *x, bool amsgrad) {
    adam_step(by, x, v_fma(by->decay, x->p, x->g), amsgrad);
}

LN_INLINE void two_moments(const void *by, vectors *x) { any(by, x, false); }
LN_INLINE void amsgrad(const void *by, vectors *x) { any(by, x, true); }

void LN_PASTE(ln_update_, adam, LN_ISA_NAME)(const ln_update *u);

void LN_PASTE(ln_update_, adam, LN_ISA_NAME)(const ln_update *u) {
    const adam_args *a = u->args;
    const adam_rule  by = adam_rule_of(u, update_decay(u, a->weight_decay));
    if (a->amsgrad) update_each(u, 3, amsgrad, &by);
    else update_each(u, 2, two_moments, &by);
}
#endif
