/* adamw: Adam whose weight decay shrinks the parameter itself, apart from the gradient
 *
 * Formulas: optim/adam.h.
 * Source: Loshchilov and Hutter, "Decoupled weight decay regularization", 2017; torch.optim.AdamW. */
#include "optim/adam.h"

#ifdef LN_DESCRIPTOR

static const ln_attr attrs[] = {
    ADAM_FIRST_ATTRS,
    ADAM_ATTR(weight_decay, 0.01, 0, 1e6, "share of the parameter, times lr, that is taken away in every step"),
    ADAM_LAST_ATTRS,
    {0}};

const ln_optimizer ln_optimizer_adamw = {
    .name = "adamw",
    .help = "Adam with weight decay apart from the gradient",
    .attrs = attrs,
    .args_size = sizeof(adam_args),
    .n_states = n_states,
    .lr = lr,
};

#else

LN_INLINE void any(const adam_rule *by, vectors *x, bool amsgrad) {
    x->p = v_fma(by->decay, x->p, x->p);
    adam_step(by, x, x->g, amsgrad);
}

LN_INLINE void two_moments(const void *by, vectors *x) { any(by, x, false); }
LN_INLINE void amsgrad(const void *by, vectors *x) { any(by, x, true); }

void LN_PASTE(ln_update_, adamw, LN_ISA_NAME)(const ln_update *u);

void LN_PASTE(ln_update_, adamw, LN_ISA_NAME)(const ln_update *u) {
    const adam_args *a = u->args;
    const adam_rule  by = adam_rule_of(u, -u->lr * update_decay(u, a->weight_decay));
    if (a->amsgrad) update_each(u, 3, amsgrad, &by);
    else update_each(u, 2, two_moments, &by);
}
#endif
