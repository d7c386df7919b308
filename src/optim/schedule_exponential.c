/* exponential: the rate falls by gamma every epoch; factor = gamma^epoch, epochs counted from 0.
 * Source: torch.optim.lr_scheduler.ExponentialLR. */
#include "optim/optim.h"

typedef struct exponential_args {
    double gamma;
} exponential_args;

static double factor(const void *args, const void *state, double base, ln_moment at) {
    (void)state, (void)base;
    return ln_power(((const exponential_args *)args)->gamma, at.epoch);
}

static const ln_attr attrs[] = {{.key = "gamma",
                                 .type = LN_ATTR_FLOAT,
                                 .offset = offsetof(exponential_args, gamma),
                                 .required = true,
                                 .positional = true,
                                 .low = 0,
                                 .high = 1,
                                 .help = "what the rate is multiplied by"},
                                {0}};

const ln_schedule ln_schedule_exponential = {
    .name = "exponential",
    .help = "the rate falls by the same factor every epoch",
    .attrs = attrs,
    .args_size = sizeof(exponential_args),
    .factor = factor,
};
