/* reduce_on_plateau: the rate falls by factor when a measured value has not improved for more than patience epochs.
 *
 * The value is the loss (smaller is better) or accuracy (larger is better) of the validation images, or of the training
 * where there are none. After each epoch, of validation images each that measures them:
 *   better:  now < best·(1 - threshold), or now < best - threshold with threshold_mode=abs
 *            accuracy: now > best·(1 + threshold), now > best + threshold
 *   bad ← 0 if better (and best ← now), else bad + 1; in the cooldown epochs after a fall bad stays 0
 *   if bad > patience: rate ← max(rate·factor, min_lr), unless that changes it by no more than eps; bad ← 0
 * Source: torch.optim.lr_scheduler.ReduceLROnPlateau. */
#include "optim/optim.h"

enum { LOSS, ACCURACY };
enum { RELATIVE, ABSOLUTE };

typedef struct plateau_args {
    double factor, threshold, min_lr, eps;
    int    monitor, patience, threshold_mode, cooldown;
} plateau_args;

typedef struct plateau_state {
    double rate, best, n_seen, n_bad, n_cool; /* nothing but n_seen is set before the first epoch */
} plateau_state;

_Static_assert(sizeof(plateau_state) <= LN_MAX_SCHEDULE_STATES * sizeof(double), "ln_pace has room for what was seen");

static double factor(const void *args, const void *state, double base, ln_moment at) {
    (void)args, (void)at;
    const plateau_state *s = state;
    return s->n_seen > 0 && base > 0 ? s->rate / base : 1;
}

static bool is_better(const plateau_args *a, double now, double best) {
    const bool   relative = a->threshold_mode == RELATIVE;
    const double down = relative ? best * (1 - a->threshold) : best - a->threshold;
    const double up = relative ? best * (1 + a->threshold) : best + a->threshold;
    return a->monitor == LOSS ? now < down : now > up;
}

static void fall(const plateau_args *a, plateau_state *s) {
    const double lower = s->rate * a->factor, rate = lower > a->min_lr ? lower : a->min_lr;
    if (s->rate - rate > a->eps) s->rate = rate;
    s->n_cool = a->cooldown;
    s->n_bad = 0;
}

static void observe(const void *args, void *state, double base, const ln_metrics *measured) {
    const plateau_args *a = args;
    plateau_state      *s = state;
    const double        now = a->monitor == LOSS ? measured->loss : measured->accuracy;
    if (s->n_seen <= 0) s->rate = base;
    const bool better = s->n_seen <= 0 || is_better(a, now, s->best);
    s->n_seen = 1;
    s->n_bad = better ? 0 : s->n_bad + 1;
    if (better) s->best = now;
    if (s->n_cool > 0) {
        s->n_cool--;
        s->n_bad = 0;
    }
    if (s->n_bad > a->patience) fall(a, s);
}

static ln_status check(const void *args, double base, ln_error *error) {
    const plateau_args *a = args;
    if (!(a->factor < 1))
        return ln_fail(error, LN_E_ARGUMENT,
                       "schedule reduce_on_plateau: factor=%g lowers no rate: give a factor below 1", a->factor);
    if (a->min_lr <= base) return LN_OK;
    return ln_fail(error, LN_E_ARGUMENT,
                   "schedule reduce_on_plateau: min_lr=%g is greater than the optimizer's lr=%g: give a smaller min_lr "
                   "or a larger lr",
                   a->min_lr, base);
}

static const char *const monitors[] = {"loss", "accuracy", NULL}, *const modes[] = {"rel", "abs", NULL};

static const ln_attr attrs[] = {
    {.key = "monitor",
     .type = LN_ATTR_CHOICE,
     .offset = offsetof(plateau_args, monitor),
     .choices = monitors,
     .help = "what is watched, of validation where there is one, else of training"},
    {.key = "factor",
     .type = LN_ATTR_FLOAT,
     .offset = offsetof(plateau_args, factor),
     .preset = 0.1,
     .low = 0,
     .high = 1,
     .help = "what the rate is multiplied by"},
    {.key = "patience",
     .type = LN_ATTR_INT,
     .offset = offsetof(plateau_args, patience),
     .preset = 10,
     .low = 0,
     .high = 1e6,
     .help = "epochs without improvement that are borne; of validation images, those that measure them"},
    {.key = "threshold",
     .type = LN_ATTR_FLOAT,
     .offset = offsetof(plateau_args, threshold),
     .preset = 1e-4,
     .low = 0,
     .high = 1e6,
     .help = "what counts as an improvement"},
    {.key = "threshold_mode",
     .type = LN_ATTR_CHOICE,
     .offset = offsetof(plateau_args, threshold_mode),
     .choices = modes,
     .help = "threshold as a share of the best value, or as a difference"},
    {.key = "cooldown",
     .type = LN_ATTR_INT,
     .offset = offsetof(plateau_args, cooldown),
     .low = 0,
     .high = 1e6,
     .help = "such epochs after a fall that do not count"},
    {.key = "min_lr",
     .type = LN_ATTR_FLOAT,
     .offset = offsetof(plateau_args, min_lr),
     .low = 0,
     .high = 1e6,
     .help = "the lowest rate"},
    {.key = "eps",
     .type = LN_ATTR_FLOAT,
     .offset = offsetof(plateau_args, eps),
     .preset = 1e-8,
     .low = 0,
     .high = 1,
     .help = "a fall by no more than this is left out"},
    {0}};

const ln_schedule ln_schedule_reduce_on_plateau = {
    .name = "reduce_on_plateau",
    .help = "the rate falls when the loss no longer does",
    .attrs = attrs,
    .args_size = sizeof(plateau_args),
    .check = check,
    .factor = factor,
    .observe = observe,
};
