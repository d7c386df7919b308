/* constant: the base rate in every step; factor = 1. */
#include "optim/optim.h"

static double factor(const void *args, const void *state, double base, ln_moment at) {
    (void)args, (void)state, (void)base, (void)at;
    return 1;
}

static const ln_attr attrs[] = {{0}};

const ln_schedule ln_schedule_constant = {
    .name = "constant",
    .help = "the same rate throughout",
    .attrs = attrs,
    .factor = factor,
};
