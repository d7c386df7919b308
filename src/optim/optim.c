/* The lists of optimizers and schedules, from optimizers.def and schedules.def; and the rate of a step, with warm-up.
 *
 * First a straight line to the schedule's first rate, torch.optim.lr_scheduler.LinearLR; from there the schedule runs
 * as though the training began at that step, as under SequentialLR. With n steps of warm-up of n_steps in all:
 *   rate = base · factor(0) · (from + (1 - from)·step/n)                                 step < n
 *   rate = base · factor(step - n of n_steps - n, epoch ⌊(step - n) / per_epoch⌋)        otherwise */
#include "optim/optim.h"

#include <stdio.h>
#include <string.h>

#define LN_OPTIMIZER(name) extern const ln_optimizer ln_optimizer_##name;
#include "optim/optimizers.def"
#undef LN_OPTIMIZER
#define LN_SCHEDULE(name) extern const ln_schedule ln_schedule_##name;
#include "optim/schedules.def"
#undef LN_SCHEDULE

const ln_optimizer *const ln_optimizers[LN_OPTIMIZER_COUNT] = {
#define LN_OPTIMIZER(name) [LN_OPTIMIZER_##name] = &ln_optimizer_##name,
#include "optim/optimizers.def"
#undef LN_OPTIMIZER
};

const ln_schedule *const ln_schedules[LN_SCHEDULE_COUNT] = {
#define LN_SCHEDULE(name) [LN_SCHEDULE_##name] = &ln_schedule_##name,
#include "optim/schedules.def"
#undef LN_SCHEDULE
};

/* Index of word among names, or an error that lists them. */
static ln_status find(const char *who, const char *word, const char *const *names, size_t n, size_t *index,
                      ln_error *error) {
    char   list[400] = "";
    size_t length = 0;
    for (size_t i = 0; i < n; i++) {
        if (strcmp(names[i], word) == 0) {
            *index = i;
            return LN_OK;
        }
        if (length < sizeof list)
            length += (size_t)snprintf(list + length, sizeof list - length, "%s%s", i ? ", " : "", names[i]);
    }
    const char *const near = ln_nearest(word, names, n);
    return ln_fail(error, LN_E_ARGUMENT, "unknown %s '%s'; allowed: %s%s%s%s", who, word, list,
                   near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

/* Splits text, finds its word among names, and refuses what belongs to layers. */
static ln_status split(const char *who, const char *text, const char *const *names, size_t n, ln_line *line,
                       size_t *index, ln_error *error) {
    const ln_status status = ln_line_split(text, who, line, error);
    if (status != LN_OK) return status;
    if (line->from[0] || line->as[0])
        return ln_fail(error, LN_E_ARGUMENT, "%s %s: takes neither 'from' nor 'as'", who, line->word);
    return find(who, line->word, names, n, index, error);
}

ln_status ln_optimizer_parse(const char *text, ln_optimizer_id *id, void *args, ln_error *error) {
    const char *names[LN_OPTIMIZER_COUNT];
    ln_line     line;
    size_t      i;
    for (i = 0; i < LN_OPTIMIZER_COUNT; i++) names[i] = ln_optimizers[i]->name;
    ln_status status = split("optimizer", text, names, LN_OPTIMIZER_COUNT, &line, &i, error);
    if (status != LN_OK) return status;
    const ln_optimizer *const o = ln_optimizers[i];
    status = ln_attr_parse(line.rest, line.word, o->attrs, args, o->args_size, NULL, NULL, 0, error);
    if (status == LN_OK && o->check) status = o->check(args, error);
    if (status == LN_OK) *id = (ln_optimizer_id)i;
    return status;
}

const ln_attr ln_warmup_attrs[] = {
    {.key = "warmup",
     .type = LN_ATTR_FLOAT,
     .offset = offsetof(ln_warmup, epochs),
     .low = 0,
     .high = 1e6,
     .help = "epochs in which the rate first rises to the schedule's; 0.5 is half of one"},
    {.key = "warmup_from",
     .type = LN_ATTR_FLOAT,
     .offset = offsetof(ln_warmup, from),
     .preset = 1.0 / 3,
     .low = 0,
     .high = 1,
     .help = "share of the rate with which warmup begins"},
    {0}};

ln_status ln_schedule_parse(const char *text, ln_pace *pace, ln_error *error) {
    const char *names[LN_SCHEDULE_COUNT];
    ln_line     line;
    size_t      i;
    ln_pace     found = {0};
    for (i = 0; i < LN_SCHEDULE_COUNT; i++) names[i] = ln_schedules[i]->name;
    ln_status status = split("schedule", text, names, LN_SCHEDULE_COUNT, &line, &i, error);
    if (status != LN_OK) return status;
    const ln_schedule *const s = found.schedule = ln_schedules[i];
    status = ln_attr_parse(line.rest, line.word, s->attrs, found.args, s->args_size, ln_warmup_attrs, &found.warmup,
                           sizeof found.warmup, error);
    if (status == LN_OK) *pace = found;
    return status;
}

/* ------------------------------------------------------------------ running */

ln_status ln_pace_check(const ln_pace *pace, double base, size_t n_epochs, ln_error *error) {
    const ln_schedule *const s = pace->schedule;
    if (pace->warmup.epochs > 0 && pace->warmup.epochs >= (double)n_epochs)
        return ln_fail(error, LN_E_ARGUMENT,
                       "schedule %s: warmup=%g leaves nothing of %zu epoch%s: give a shorter warmup or more epochs",
                       s->name, pace->warmup.epochs, n_epochs, n_epochs == 1 ? "" : "s");
    return s->check ? s->check(pace->args, base, error) : LN_OK;
}

/* Steps of warmup: its epochs' steps to the nearest whole number. */
static uint64_t warmup_steps(const ln_pace *pace, uint64_t per_epoch) {
    return (uint64_t)(pace->warmup.epochs * (double)per_epoch + 0.5);
}

double ln_pace_rate(const ln_pace *pace, double base, uint64_t step, uint64_t per_epoch, uint64_t n_epochs) {
    const ln_warmup *const w = &pace->warmup;
    const uint64_t         n = warmup_steps(pace, per_epoch), n_steps = per_epoch * n_epochs;
    const uint64_t         since = step > n ? step - n : 0;
    const ln_moment        at = {since, n_steps > n ? n_steps - n : 0, since / per_epoch};
    const double           rate = base * pace->schedule->factor(pace->args, pace->state, base, at);
    return step < n ? rate * (w->from + (1 - w->from) * ((double)step / (double)n)) : rate;
}

bool ln_pace_watches(const ln_pace *pace) { return pace->schedule->observe != NULL; }

void ln_pace_observe(ln_pace *pace, double base, uint64_t step, uint64_t per_epoch, const ln_metrics *measured) {
    if (ln_pace_watches(pace) && step > warmup_steps(pace, per_epoch))
        pace->schedule->observe(pace->args, pace->state, base, measured);
}
