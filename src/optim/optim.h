/* Optimizers and schedules: one file each, one line in optimizers.def or schedules.def.
 *
 * An optimizer has two halves like an op: the descriptor, compiled once, and the update, compiled per instruction
 * set over `real` (optim/update.h has its loop). Formulas are PyTorch's. */
#ifndef LN_OPTIM_OPTIM_H
#define LN_OPTIM_OPTIM_H

#include "base/attr.h"

enum {
    LN_MAX_OPTIM_STATES = 4, /* of an optimizer, and one for the moving average of the weights */
    LN_MAX_OPTIM_ARGS = 64,
    LN_MAX_SCHEDULE_ARGS = 320,
    LN_MAX_SCHEDULE_STATES = 8
};

/* What is done to every element of a gradient before the optimizer sees it:
 *   g ← g·scale, then held within ±limit (0: not held), then g + l2·p */
typedef struct ln_correction { double scale, limit, l2; } ln_correction;

typedef struct ln_update {
    const void *args;                        /* the optimizer's argument struct */
    void       *param;                       /* real */
    const void *gradient;
    void       *state[LN_MAX_OPTIM_STATES];  /* zero before the first step */
    size_t      lo, hi;                      /* the elements to update: any split gives the same bits */
    double      lr;                          /* of this step */
    uint64_t    step;                        /* counts from 1 */
    const ln_correction *correction;         /* NULL: the gradient as it is */
    bool        spared;                      /* from the optimizer's own weight decay */
} ln_update;

typedef struct ln_optimizer {
    const char    *name, *help;
    const ln_attr *attrs;
    size_t         args_size;
    size_t (*n_states)(const void *args);    /* that these arguments need, the first ones of ln_update.state */
    double (*lr)(const void *args);          /* the base rate */
    ln_status (*check)(const void *args, ln_error *error); /* combinations of arguments; NULL: all are fine */
} ln_optimizer;

/* Where a training is: step (from 0) of n_steps in all, in epoch (from 0). */
typedef struct ln_moment { uint64_t step, n_steps, epoch; } ln_moment;

typedef struct ln_schedule {
    const char    *name, *help;
    const ln_attr *attrs;
    size_t         args_size;
    ln_status (*check)(const void *args, double base, ln_error *error); /* NULL: all arguments are fine */
    /* What the base rate is multiplied by at that moment. */
    double (*factor)(const void *args, const void *state, double base, ln_moment at);
    /* After an epoch, what was measured in it; state is LN_MAX_SCHEDULE_STATES doubles, zero before the first, which
     * checkpoints keep: they may come from a hostile file. NULL: the schedule looks at nothing. */
    void (*observe)(const void *args, void *state, double base, const ln_metrics *measured);
    bool spans; /* its rates depend on how long the training is: what has begun cannot be made longer */
} ln_schedule;

#define LN_OPTIMIZER(name) LN_OPTIMIZER_##name,
typedef enum ln_optimizer_id {
#include "optim/optimizers.def"
    LN_OPTIMIZER_COUNT
} ln_optimizer_id;
#undef LN_OPTIMIZER
#define LN_SCHEDULE(name) LN_SCHEDULE_##name,
typedef enum ln_schedule_id {
#include "optim/schedules.def"
    LN_SCHEDULE_COUNT
} ln_schedule_id;
#undef LN_SCHEDULE

/* What every schedule takes beside its own arguments: a rate that rises in a straight line before it begins. */
typedef struct ln_warmup { double epochs, from; } ln_warmup;
extern const ln_attr ln_warmup_attrs[];

/* A schedule with its arguments, and what it has seen. */
typedef struct ln_pace {
    const ln_schedule *schedule;
    ln_warmup          warmup;
    _Alignas(16) unsigned char args[LN_MAX_SCHEDULE_ARGS];
    double             state[LN_MAX_SCHEDULE_STATES];
} ln_pace;

/* Reads "sgd lr=0.1 momentum=0.9": which optimizer, and its arguments (LN_MAX_OPTIM_ARGS bytes). */
ln_status ln_optimizer_parse(const char *text, ln_optimizer_id *id, void *args, ln_error *error);
/* Reads "cosine min=0.001 warmup=2". */
ln_status ln_schedule_parse(const char *text, ln_pace *pace, ln_error *error);
/* Can it run for that many epochs with that base rate? */
ln_status ln_pace_check(const ln_pace *pace, double base, size_t n_epochs, ln_error *error);
/* The rate of step (from 0) of a training of n_epochs epochs of per_epoch steps. */
double    ln_pace_rate(const ln_pace *pace, double base, uint64_t step, uint64_t per_epoch, uint64_t n_epochs);
/* Does it look at what epochs have come to? Then it is told after each, when step steps are done; what it is told of
 * epochs that end in its warmup it lets pass. */
bool      ln_pace_watches(const ln_pace *pace);
void      ln_pace_observe(ln_pace *pace, double base, uint64_t step, uint64_t per_epoch, const ln_metrics *measured);

/* x to the n, by squares. */
static inline double ln_power(double x, uint64_t n) {
    double power = 1;
    for (; n > 0; n >>= 1, x *= x)
        if (n & 1) power *= x;
    return power;
}

extern const ln_optimizer *const ln_optimizers[LN_OPTIMIZER_COUNT];
extern const ln_schedule *const  ln_schedules[LN_SCHEDULE_COUNT];

#endif
