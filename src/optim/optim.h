/* Optimizers and schedules: one file each, one line in optimizers.def or schedules.def.
 *
 * An optimizer has two halves like an op: the descriptor, compiled once, and the update, compiled per instruction
 * set over `real`. Formulas are PyTorch's. */
#ifndef LN_OPTIM_OPTIM_H
#define LN_OPTIM_OPTIM_H

#include "base/attr.h"

enum { LN_MAX_OPTIM_STATES = 2, LN_MAX_OPTIM_ARGS = 64 };

typedef struct ln_update {
    const void *args;                        /* the optimizer's argument struct */
    void       *param;                       /* real */
    const void *gradient;
    void       *state[LN_MAX_OPTIM_STATES];  /* zero before the first step */
    size_t      lo, hi;                      /* the elements to update: any split gives the same bits */
    double      lr;                          /* of this step */
    uint64_t    step;                        /* counts from 1 */
} ln_update;

typedef struct ln_optimizer {
    const char    *name, *help;
    const ln_attr *attrs;
    size_t         args_size, n_states;
    double (*lr)(const void *args);          /* the base rate */
    ln_status (*check)(const void *args, ln_error *error); /* combinations of arguments; NULL: all are fine */
} ln_optimizer;

typedef struct ln_schedule {
    const char    *name, *help;
    const ln_attr *attrs;
    size_t         args_size;
    ln_status (*check)(const void *args, double base, ln_error *error); /* NULL: all arguments are fine */
    /* What the base rate is multiplied by in step (from 0) of total, in epoch (from 0) of n_epochs. */
    double (*factor)(const void *args, double base, uint64_t step, uint64_t total, uint64_t epoch, uint64_t n_epochs);
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

/* Reads "sgd lr=0.1 momentum=0.9": which optimizer, and its arguments (LN_MAX_OPTIM_ARGS bytes). */
ln_status ln_optimizer_parse(const char *text, ln_optimizer_id *id, void *args, ln_error *error);
ln_status ln_schedule_parse(const char *text, ln_schedule_id *id, void *args, ln_error *error);

extern const ln_optimizer *const ln_optimizers[LN_OPTIMIZER_COUNT];
extern const ln_schedule *const  ln_schedules[LN_SCHEDULE_COUNT];

#endif
