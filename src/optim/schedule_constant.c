/* constant: the base rate in every step; factor = 1. */
#include "optim/optim.h"

static double factor(const void *args, double base, uint64_t step, uint64_t total, uint64_t epoch, uint64_t n_epochs) {
    (void)args, (void)base, (void)step, (void)total, (void)epoch, (void)n_epochs;
    return 1;
}

static const ln_attr attrs[] = {{0}};

const ln_schedule ln_schedule_constant = {
    .name = "constant",
    .help = "the same rate throughout",
    .attrs = attrs,
    .factor = factor,
};
