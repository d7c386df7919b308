/* step: the rate falls by gamma every size epochs; factor = gamma^floor(epoch / size), epochs counted from 0.
 * Source: torch.optim.lr_scheduler.StepLR. */
#include "optim/optim.h"

typedef struct step_args {
    int    size;
    double gamma;
} step_args;

static double factor(const void *args, const void *state, double base, ln_moment at) {
    (void)state, (void)base;
    const step_args *a = args;
    return ln_power(a->gamma, at.epoch / (uint64_t)a->size);
}

static const ln_attr attrs[] = {{.key = "size",
                                 .type = LN_ATTR_INT,
                                 .offset = offsetof(step_args, size),
                                 .required = true,
                                 .positional = true,
                                 .low = 1,
                                 .high = 1e9,
                                 .help = "epochs between falls"},
                                {.key = "gamma",
                                 .type = LN_ATTR_FLOAT,
                                 .offset = offsetof(step_args, gamma),
                                 .preset = 0.1,
                                 .low = 0,
                                 .high = 1,
                                 .help = "what the rate is multiplied by"},
                                {0}};

const ln_schedule ln_schedule_step = {
    .name = "step",
    .help = "the rate falls every few epochs",
    .attrs = attrs,
    .args_size = sizeof(step_args),
    .factor = factor,
};
