/* step: the rate falls by gamma every size epochs; factor = gamma^floor(epoch / size), epochs counted from 0.
 * Source: torch.optim.lr_scheduler.StepLR. */
#include "optim/optim.h"

typedef struct step_args {
    int    size;
    double gamma;
} step_args;

static double factor(const void *args, double base, uint64_t step, uint64_t total, uint64_t epoch, uint64_t n_epochs) {
    (void)base, (void)step, (void)total, (void)n_epochs;
    const step_args *a = args;
    double           product = 1;
    for (uint64_t i = epoch / (uint64_t)a->size; i > 0 && product > 0; i--) product *= a->gamma;
    return product;
}

static const ln_attr attrs[] = {{.key = "size",
                                 .type = LN_ATTR_INT,
                                 .offset = offsetof(step_args, size),
                                 .required = true,
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
