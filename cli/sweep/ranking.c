/* ranking.c: what a sweep found: settings by the mean of a column over their runs, best first, and the curves of the
 * best. The deviation is that of a sample: the root of the squares' sum by n - 1. */
#include "program.h"
#include "sweep.h"
#include "terminal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PICTURE_RUNS = 200, PICTURE_SETTINGS = 10, PICTURE_SECONDS = 60, MESSAGES = 10 };

static const char *const usual[] = {"val_accuracy", "test_accuracy", "train_accuracy", NULL};

typedef struct score {
    size_t setting, n, count[RUN_STATES]; /* n: runs that count */
    double mean, deviation, seconds;
    size_t rank;
} score;

/* ------------------------------------------------------------------ columns */

static bool is_accuracy(const char *column) { return ends_in(column, "_accuracy"); }

static bool is_column(const char *word) {
    for (size_t i = 0; store_columns[i]; i++)
        if (strcmp(store_columns[i], word) == 0) return true;
    return false;
}

bool ranking_read(const arguments *a, ranking *by) {
    const char *const at = argument(a, "at");
    by->column = argument(a, "by");
    by->best = at && strcmp(at, "best") == 0;
    if (at && !by->best && strcmp(at, "last") != 0) return say_usage(a->verb, "at=%s: must be last or best", at), false;
    if (!by->column || is_column(by->column)) return true;
    text t = {0};
    for (size_t i = 0; store_columns[i]; i++) text_add(&t, "%s%s", i ? ", " : "", store_columns[i]);
    say_usage(a->verb, "by=%s: must be one of %s", by->column, t.bytes);
    text_free(&t);
    return false;
}

static bool is_time(const ranking *by) { return strcmp(by->column, "seconds") == 0; }

/* 95.78 of an accuracy, other values as they are. */
static const char *value_text(const char *column, double value, pool *owner) {
    return is_accuracy(column)              ? pool_format(owner, "%.2f", 100 * value)
           : strcmp(column, "seconds") == 0 ? pool_format(owner, value < 10 ? "%.2f" : "%.1f", value)
                                            : pool_format(owner, "%.4g", value);
}

/* As many places as the mean has, or two digits. */
static const char *deviation_text(const char *column, double value, pool *owner) {
    return is_accuracy(column) || strcmp(column, "seconds") == 0 ? value_text(column, value, owner)
                                                                 : pool_format(owner, "%.2g", value);
}

/* Of the rows the last value, or the best; NAN: none. */
static double value_of(const results *rows, const char *column, bool best) {
    const double *const values = results_column(rows, column), *const epoch = results_column(rows, "epoch");
    double value = NAN;
    for (size_t i = 0; values && epoch && i < rows->n_rows; i++) {
        const bool better = isnan(value) || !best || (is_accuracy(column) ? values[i] > value : values[i] < value);
        if (!isnan(epoch[i]) && !isnan(values[i]) && better) value = values[i];
    }
    return value;
}

const char *ranking_of_rows(const ranking *by, const results *rows, pool *owner) {
    for (size_t i = by->column ? 2 : 0; usual[i]; i++) {
        const char *const column = by->column ? by->column : usual[i];
        const double      value = value_of(rows, column, by->best);
        if (!isnan(value))
            return pool_format(owner, "%s %s%s", column, value_text(column, value, owner),
                               is_accuracy(column) ? " %" : "");
    }
    return "nothing measured";
}

/* ------------------------------------------------------------------- scores */

static bool score_of(store *db, size_t run, const ranking *by, double *value, ln_error *error) {
    return store_score(db, run, by->column, by->best, is_accuracy(by->column), value, error);
}

/* The first of the usual columns that a finished run has. */
static bool choose_column(const sweep *s, store *db, ranking *by, ln_error *error) {
    for (size_t i = 0; !by->column && usual[i]; i++) {
        ranking try = {.column = usual[i]};
        double  value = NAN;
        for (size_t k = 0; k < s->n_runs && isnan(value); k++)
            if (s->runs[k].state == RUN_FINISHED && !score_of(db, k, &try, &value, error)) return false;
        if (!isnan(value)) by->column = usual[i];
    }
    if (!by->column) by->column = usual[2];
    return true;
}

static bool measure(const sweep *s, store *db, const ranking *by, score *scores, ln_error *error) {
    double *const values = take(s->n_runs, sizeof *values);
    bool          good = true;
    for (size_t i = 0; i < s->n_settings; i++) scores[i].setting = i;
    for (size_t k = 0; k < s->n_runs && good; k++) {
        score *const to = &scores[s->runs[k].setting];
        values[k] = NAN;
        to->count[s->runs[k].state]++;
        if (s->runs[k].state == RUN_FINISHED) good = score_of(db, k, by, &values[k], error);
        if (!isfinite(values[k])) continue;
        to->n++;
        to->mean += (values[k] - to->mean) / (double)to->n;
        to->seconds += (s->runs[k].seconds - to->seconds) / (double)to->n;
    }
    for (size_t k = 0; k < s->n_runs && good; k++)
        if (isfinite(values[k])) {
            score *const to = &scores[s->runs[k].setting];
            to->deviation += (values[k] - to->mean) * (values[k] - to->mean);
        }
    for (size_t i = 0; i < s->n_settings; i++)
        scores[i].deviation = scores[i].n > 1 ? sqrt(scores[i].deviation / (double)(scores[i].n - 1)) : 0;
    free(values);
    return good;
}

/* Better first; what has no value last; equals by their settings. */
static int better(const score *a, const score *b) {
    if (!a->n || !b->n) return (a->n == 0) - (b->n == 0);
    return (a->mean > b->mean) - (a->mean < b->mean);
}

static int ascending(const void *a, const void *b) {
    const score *const x = a, *const y = b;
    const int order = better(x, y);
    return order ? order : x->setting < y->setting ? -1 : x->setting > y->setting;
}

static int descending(const void *a, const void *b) {
    const score *const x = a, *const y = b;
    const int order = x->n && y->n ? better(y, x) : better(x, y);
    return order ? order : x->setting < y->setting ? -1 : x->setting > y->setting;
}

/* Means of the same values may differ in their last bits. */
static bool is_tie(const score *a, const score *b) {
    return a->n > 0 && b->n > 0 && fabs(a->mean - b->mean) <= 1e-12 * fabs(a->mean);
}

static void sort(score *scores, size_t n, bool highest) {
    qsort(scores, n, sizeof *scores, highest ? descending : ascending);
    for (size_t i = 0; i < n; i++)
        scores[i].rank = i > 0 && is_tie(&scores[i - 1], &scores[i]) ? scores[i - 1].rank : i + 1;
}

/* -------------------------------------------------------------------- table */

/* "2 diverged, 1 waiting". */
static const char *remarks(const score *c, pool *owner) {
    static const char *const words[RUN_STATES] = {
        [RUN_WAITING] = "waiting", [RUN_RUNNING] = "running", [RUN_DIVERGED] = "diverged", [RUN_FAILED] = "failed"};
    text t = {0};
    for (size_t i = 0; i < RUN_STATES; i++)
        if (words[i] && c->count[i]) text_add(&t, "%s%zu %s", t.n ? ", " : "", c->count[i], words[i]);
    const char *const copy = t.n ? pool_copy(owner, t.bytes, t.n) : "";
    text_free(&t);
    return copy;
}

static void add_row(table *t, const sweep *s, const score *c, const ranking *by, bool any_remarks) {
    pool              owner = {0};
    const terminal    look = terminal_of(stdout);
    const char *const sign = look.utf8 ? "±" : "+-";
    table_add(t, "%s", c->n ? pool_format(&owner, "%zu", c->rank) : "");
    for (size_t k = 0; k < s->n_axes; k++) table_add(t, "%s", s->settings[c->setting].value[k]);
    table_add(t, "%zu", c->n);
    if (c->n > 1)
        table_add(t, "%s %s %s", value_text(by->column, c->mean, &owner), sign,
                  deviation_text(by->column, c->deviation, &owner));
    else table_add(t, "%s", c->n ? value_text(by->column, c->mean, &owner) : "");
    if (!is_time(by)) table_add(t, "%s", c->n ? value_text("seconds", c->seconds, &owner) : "");
    if (any_remarks) table_add(t, "%s", remarks(c, &owner));
    pool_free(&owner);
}

static void print_table(const sweep *s, const score *scores, const ranking *by) {
    pool  owner = {0};
    char *align = pool_take(&owner, s->n_axes + 8);
    bool  any = false;
    for (size_t i = 0; i < s->n_settings; i++) any |= scores[i].count[RUN_FINISHED] < s->repeats;
    memset(align, 'r', s->n_axes + 4 - is_time(by));
    if (any) align[strlen(align)] = 'l';
    table t = {.align = align};
    table_add(&t, "rank");
    for (size_t k = 0; k < s->n_axes; k++) table_add(&t, "%s", s->axes[k].key);
    table_add(&t, "n"), table_add(&t, "%s%s", by->column, is_accuracy(by->column) ? " %" : "");
    if (!is_time(by)) table_add(&t, "seconds");
    if (any) table_add(&t, "%s", "");
    for (size_t i = 0; i < s->n_settings; i++) add_row(&t, s, &scores[i], by, any);
    table_print(&t, stdout);
    pool_free(&owner);
}

static void print_messages(const sweep *s) {
    size_t n = 0;
    pool   owner = {0};
    for (size_t i = 0; i < s->n_runs; i++) {
        const sweep_run *const r = &s->runs[i];
        if (r->state != RUN_DIVERGED && r->state != RUN_FAILED) continue;
        if (n++ < MESSAGES)
            printf("%03zu  %s  %s: %s\n", i + 1, sweep_name(s, r, &owner),
                   r->state == RUN_DIVERGED ? "diverged" : "failed", r->message);
    }
    if (n > MESSAGES) printf("... and %zu more: %s/sweep.db has their messages\n", n - MESSAGES, s->path);
    pool_free(&owner);
}

/* ------------------------------------------------------------------ picture */

/* Curves of the best settings, of each the mean of its runs. */
static void draw(const sweep *s, const score *scores, const ranking *by) {
    pool              owner = {0};
    const char      **words = pool_take(&owner, (PICTURE_RUNS + 8) * sizeof *words);
    const char *const file = pool_format(&owner, "%s/comparison.png", s->path);
    const char *const y =
        is_time(by) || strcmp(by->column, "epoch") == 0 || strcmp(by->column, "step") == 0 ? usual[2] : by->column;
    size_t n = 0, n_runs = 0;
    words[n++] = "plot";
    words[n++] = pool_format(&owner, "y=%s", y);
    if (s->repeats > 1) words[n++] = "seeds=mean";
    words[n++] = pool_format(&owner, "out=%s", file);
    words[n++] = "--";
    for (size_t i = 0; i < s->n_settings && i < PICTURE_SETTINGS; i++)
        for (size_t k = 0; k < s->n_runs && scores[i].n > 0 && n_runs < PICTURE_RUNS; k++)
            if (s->runs[k].setting == scores[i].setting && s->runs[k].state == RUN_FINISHED)
                words[n + n_runs++] = sweep_file(s, k, "", &owner);
    const long process = n_runs ? program_start("plot", words, &owner) : 0;
    if (process < 0) say("warning: no picture is drawn: linnet-plot is not beside linnet, or cannot be started");
    else if (process > 0 && program_wait(process, PICTURE_SECONDS, NULL) == STATUS_OK) printf("picture in %s\n", file);
    else if (process > 0) say("warning: %s could not be drawn: linnet plot says why", file);
    pool_free(&owner);
}

/* -------------------------------------------------------------------- print */

bool ranking_print(const sweep *s, store *db, const ranking *wanted, ln_error *error) {
    ranking      by = *wanted;
    score *const scores = take(s->n_settings, sizeof *scores);
    const bool   good = choose_column(s, db, &by, error) && measure(s, db, &by, scores, error);
    if (good) {
        const terminal look = terminal_of(stdout);
        sort(scores, s->n_settings, is_accuracy(by.column));
        printf("\n%s%s%s%s:\n", by.column,
               is_time(&by) ? " of training"
               : by.best    ? ", best epoch"
                            : ", last epoch",
               s->repeats > 1
                   ? look.utf8 ? ", mean ± standard deviation of n seeds" : ", mean +- standard deviation of n seeds"
                   : "",
               ", best first");
        print_table(s, scores, &by);
        print_messages(s);
        printf("results in %s/sweep.db\n", s->path);
        fflush(stdout);
        draw(s, scores, &by);
    }
    free(scores);
    return good;
}
