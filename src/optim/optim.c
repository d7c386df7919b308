/* The lists of optimizers and schedules, from optimizers.def and schedules.def. */
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

ln_status ln_schedule_parse(const char *text, ln_schedule_id *id, void *args, ln_error *error) {
    const char *names[LN_SCHEDULE_COUNT];
    ln_line     line;
    size_t      i;
    for (i = 0; i < LN_SCHEDULE_COUNT; i++) names[i] = ln_schedules[i]->name;
    ln_status status = split("schedule", text, names, LN_SCHEDULE_COUNT, &line, &i, error);
    if (status != LN_OK) return status;
    const ln_schedule *const s = ln_schedules[i];
    status = ln_attr_parse(line.rest, line.word, s->attrs, args, s->args_size, NULL, NULL, 0, error);
    if (status == LN_OK) *id = (ln_schedule_id)i;
    return status;
}
