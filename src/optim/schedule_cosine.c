/* cosine: the rate glides from base to min over the whole training, half a cosine, anew in every step.
 *
 *   factor = m + (1 - m) · (1 + cos(π · step/total)) / 2,   m = min/base, step from 0 to total - 1, then min
 * Source: Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", 2016 (without restarts);
 * torch.optim.lr_scheduler.CosineAnnealingLR, stepped once a step, with eta_min = min and T_max = total. */
#include "base/math.h"
#include "optim/optim.h"

typedef struct cosine_args {
    double min;
} cosine_args;

static double factor(const void *args, const void *state, double base, ln_moment at) {
    (void)state;
    const cosine_args *a = args;
    const double       m = base > 0 ? a->min / base : 0;
    const double       x = at.step < at.n_steps ? (double)at.step / (double)at.n_steps : 1;
    return m + (1 - m) * (0.5 * (1 + ln_cos_pi(x)));
}

static ln_status check(const void *args, double base, ln_error *error) {
    const cosine_args *a = args;
    if (a->min <= base) return LN_OK;
    return ln_fail(error, LN_E_ARGUMENT,
                   "schedule cosine: min=%g is greater than the optimizer's lr=%g: give a smaller min or a larger lr",
                   a->min, base);
}

static const ln_attr attrs[] = {{.key = "min",
                                 .type = LN_ATTR_FLOAT,
                                 .offset = offsetof(cosine_args, min),
                                 .low = 0,
                                 .high = 1e6,
                                 .help = "the rate at the end"},
                                {0}};

const ln_schedule ln_schedule_cosine = {
    .name = "cosine",
    .help = "the rate falls along half a cosine over the whole training",
    .attrs = attrs,
    .args_size = sizeof(cosine_args),
    .check = check,
    .factor = factor,
    .spans = true,
};
