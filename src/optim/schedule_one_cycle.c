/* one_cycle: the rate rises to the optimizer's lr, then falls far below where it began, anew in every step.
 *
 *   begin = 1/div_factor, end = begin/final_div_factor                    as factors, of total steps from 0
 *   two phases:    begin → 1 until step pct_start·total - 1, 1 → end until step total - 1
 *   three phases:  begin → 1 until pct_start·total - 1, 1 → begin until 2·pct_start·total - 2,
 *                  begin → end until total - 1
 *   within a phase from a to b, x the share of it that is done:
 *     cos: b + (a - b)·(1 + cos(π·x))/2        linear: a + (b - a)·x
 * PyTorch's cycle_momentum, which moves the momentum against the rate, is left out: momentum stays as it is given.
 * Source: Smith and Topin, "Super-convergence", 2017; torch.optim.lr_scheduler.OneCycleLR (max_lr is the optimizer's
 * lr), stepped once a step. */
#include "base/math.h"
#include "optim/optim.h"

enum { COS, LINEAR };

typedef struct one_cycle_args {
    double pct_start, div_factor, final_div_factor;
    int    anneal_strategy;
    bool   three_phase;
} one_cycle_args;

static double between(const one_cycle_args *a, double from, double to, double x) {
    if (a->anneal_strategy == LINEAR) return from + (to - from) * x;
    return to + (from - to) / 2 * (1 + ln_cos_pi(x));
}

static double factor(const void *args, const void *state, double base, ln_moment at) {
    (void)state, (void)base;
    const one_cycle_args *a = args;
    const double          begin = 1 / a->div_factor, end = begin / a->final_div_factor;
    const double          total = (double)at.n_steps, up = a->pct_start * total - 1;
    const double          until[] = {up, a->three_phase ? 2 * a->pct_start * total - 2 : total - 1, total - 1};
    const double          rate[] = {begin, 1, a->three_phase ? begin : end, end};
    const int             last = a->three_phase ? 2 : 1;
    const double          step = (double)at.step;
    double                start = 0;
    int                   phase = 0;
    for (; phase < last && step > until[phase]; phase++) start = until[phase];
    if (step >= until[phase]) return rate[phase + 1];
    return between(a, rate[phase], rate[phase + 1], (step - start) / (until[phase] - start));
}

static ln_status check(const void *args, double base, ln_error *error) {
    (void)base;
    const one_cycle_args *a = args;
    if (!a->three_phase || a->pct_start <= 0.5) return LN_OK;
    return ln_fail(error, LN_E_ARGUMENT,
                   "schedule one_cycle: pct_start=%g with three_phase=true leaves no time to fall: give at most 0.5",
                   a->pct_start);
}

static const char *const strategies[] = {"cos", "linear", NULL};

static const ln_attr attrs[] = {{.key = "pct_start",
                                 .type = LN_ATTR_FLOAT,
                                 .offset = offsetof(one_cycle_args, pct_start),
                                 .preset = 0.3,
                                 .low = 0,
                                 .high = 1,
                                 .help = "share of the training in which the rate rises"},
                                {.key = "anneal_strategy",
                                 .type = LN_ATTR_CHOICE,
                                 .offset = offsetof(one_cycle_args, anneal_strategy),
                                 .choices = strategies,
                                 .help = "along half a cosine, or a straight line"},
                                {.key = "div_factor",
                                 .type = LN_ATTR_FLOAT,
                                 .offset = offsetof(one_cycle_args, div_factor),
                                 .preset = 25,
                                 .low = 1,
                                 .high = 1e9,
                                 .help = "how much lower than lr the rate begins"},
                                {.key = "final_div_factor",
                                 .type = LN_ATTR_FLOAT,
                                 .offset = offsetof(one_cycle_args, final_div_factor),
                                 .preset = 1e4,
                                 .low = 1,
                                 .high = 1e9,
                                 .help = "how much lower than it began the rate ends"},
                                {.key = "three_phase",
                                 .type = LN_ATTR_BOOL,
                                 .offset = offsetof(one_cycle_args, three_phase),
                                 .help = "fall as fast as it rose, and only then to the end"},
                                {0}};

const ln_schedule ln_schedule_one_cycle = {
    .name = "one_cycle",
    .help = "the rate rises to lr and falls to almost nothing",
    .attrs = attrs,
    .args_size = sizeof(one_cycle_args),
    .check = check,
    .factor = factor,
    .spans = true,
};
