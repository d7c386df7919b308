/* multistep: the rate falls by gamma at each milestone; factor = gamma^n, n the milestones that are at most the epoch,
 * epochs counted from 0. A milestone given twice counts twice.
 * Source: torch.optim.lr_scheduler.MultiStepLR. */
#include "optim/optim.h"

typedef struct multistep_args {
    ln_list milestones;
    double  gamma;
} multistep_args;

_Static_assert(sizeof(multistep_args) <= LN_MAX_SCHEDULE_ARGS, "ln_pace has room for a list");

static double factor(const void *args, const void *state, double base, ln_moment at) {
    (void)state, (void)base;
    const multistep_args *a = args;
    uint64_t              passed = 0;
    for (int i = 0; i < a->milestones.n; i++) passed += a->milestones.value[i] <= (double)at.epoch;
    return ln_power(a->gamma, passed);
}

static ln_status check(const void *args, double base, ln_error *error) {
    (void)base;
    const multistep_args *a = args;
    for (int i = 0; i < a->milestones.n; i++) {
        const double epoch = a->milestones.value[i];
        if (epoch != (double)(uint64_t)epoch)
            return ln_fail(error, LN_E_ARGUMENT,
                           "schedule multistep: milestone %g is no whole number: the rate falls between epochs, give "
                           "whole ones",
                           epoch);
    }
    return LN_OK;
}

static const ln_attr attrs[] = {{.key = "milestones",
                                 .type = LN_ATTR_LIST,
                                 .offset = offsetof(multistep_args, milestones),
                                 .required = true,
                                 .positional = true,
                                 .low = 1,
                                 .high = 1e9,
                                 .help = "epochs after which the rate falls"},
                                {.key = "gamma",
                                 .type = LN_ATTR_FLOAT,
                                 .offset = offsetof(multistep_args, gamma),
                                 .preset = 0.1,
                                 .low = 0,
                                 .high = 1,
                                 .help = "what the rate is multiplied by"},
                                {0}};

const ln_schedule ln_schedule_multistep = {
    .name = "multistep",
    .help = "the rate falls at given epochs",
    .attrs = attrs,
    .args_size = sizeof(multistep_args),
    .check = check,
    .factor = factor,
};
