/* sweep.h: what the parts of linnet-sweep share. A sweep's axes (KEY=VALUES) give settings, a value of each key; a
 * setting is run once a seed. values.c reads axes, grid.c makes and checks settings and runs, store.c keeps them in
 * sweep.db, children.c trains them, ranking.c says what came out, main.c is the order of it all. */
#ifndef LN_SWEEP_SWEEP_H
#define LN_SWEEP_SWEEP_H

#include "cli.h"
#include "recipe.h"
#include "results.h"

enum { SWEEP_MAX_AXES = 16, SWEEP_MAX_VALUES = 10000, SWEEP_MAX_RUNS = 10000 };

/* ------------------------------------------------------------------ values */

/* KEY=VALUES: a list of values, or a range that samples are drawn from. */
typedef struct axis {
    const char  *written, *key; /* "lr=0.1,0.2", "lr" */
    const char **value;
    double      *number;    /* what the values say; NAN: no number */
    size_t       n;         /* values; 0: a range */
    double       low, high; /* of a range */
    bool         log;       /* drawn by its logarithm */
} axis;

/* pair is KEY=VALUES; a value alone is a list of one. */
bool        axis_read(axis *a, const char *pair, pool *owner, ln_error *error);
/* The value that number u of [0, 1) stands for. */
const char *axis_draw(const axis *a, double u, pool *owner);

/* ------------------------------------------------------------ settings, runs */

typedef struct setting { const char **value; } setting; /* of every axis */

typedef enum run_state { RUN_WAITING, RUN_RUNNING, RUN_FINISHED, RUN_DIVERGED, RUN_FAILED, RUN_STATES } run_state;

typedef struct sweep_run {
    size_t      setting;
    uint64_t    seed;
    run_state   state;
    const char *message; /* why it has not finished, or "" */
    double      seconds; /* of training */
    double      epochs;
    const char *recipe;  /* resolved, but for threads and pictures, which change no result */
} sweep_run;

typedef struct sweep {
    pool        owner;
    const char *file, *bytes; /* the recipe as it is */
    size_t      n_bytes;
    const char *path;   /* "runs/NAME" */
    const char **fixed; /* KEY=VALUE of every run */
    size_t      n_fixed;
    axis        axes[SWEEP_MAX_AXES];
    size_t      n_axes;
    setting    *settings;
    size_t      n_settings;
    size_t      repeats, samples; /* samples 0: every combination */
    uint64_t    seed;             /* of the recipe */
    sweep_run  *runs;             /* run i is called i + 1 */
    size_t      n_runs;
    size_t      threads;          /* that one run keeps busy, of those there are */
    size_t      own_threads;      /* that the recipe asks for, or 0 */
    bool        usage;            /* after an error: the command line is to blame */
} sweep;

/* Sorts the words into fixed values and axes, makes settings and runs, and reads the recipe of each; its model as well
 * where models is true. */
bool sweep_plan(sweep *s, const char *const *pairs, size_t n_pairs, ln_context *context, ln_error *error);
/* The words that stand for a run: fixed, then its values, then its seed (NULL: the recipe's own) where it is repeated.
 * NULL-terminated. */
const char **sweep_words(const sweep *s, size_t setting, const uint64_t *seed, pool *owner);
/* "lr=0.1 batch=32"; "the recipe as it is" where nothing varies. */
const char  *sweep_setting(const sweep *s, size_t setting, pool *owner);
/* The same with the seed, where runs are repeated. */
const char  *sweep_name(const sweep *s, const sweep_run *r, pool *owner);
/* "runs/NAME/001" and what end is. */
const char  *sweep_file(const sweep *s, size_t run, const char *end, pool *owner);
/* Makes s, which is planned, the continuation of old, which was kept: its settings and runs keep their numbers, and new
 * ones follow from *first_setting and *first_run on. False where s is another sweep, with the difference named. */
bool         sweep_continue(sweep *s, const sweep *old, size_t *first_setting, size_t *first_run, ln_error *error);
/* Can the first run's data be opened, and trained on? */
bool         sweep_try(const sweep *s, ln_context *context, ln_error *error);

/* ------------------------------------------------------------------- store */

typedef struct store store;

/* sweep.db at path; NULL on error. */
store *store_open(const char *path, ln_error *error);
void   store_close(store *db);
/* Whether anything is kept there. */
bool   store_is_empty(store *db);
/* Fills s with its axes' keys, settings and runs (whose memory is the sweep's). */
bool   store_load(store *db, sweep *s, ln_error *error);
/* Adds the settings and runs from number first_setting and first_run on, all or none. */
bool   store_add(store *db, const sweep *s, size_t first_setting, size_t first_run, ln_error *error);
bool   store_state(store *db, size_t run, const sweep_run *r, ln_error *error);
/* The run's end with its rows, all or none. */
bool   store_end(store *db, size_t run, const sweep_run *r, const results *rows, ln_error *error);
/* Columns of results: "epoch", ..., NULL. */
extern const char *const store_columns[];
/* What the column says of a run: of its last row that has it, or the best of all rows; NAN: nothing. */
bool   store_score(store *db, size_t run, const char *column, bool best, bool highest, double *score, ln_error *error);

/* ----------------------------------------------------------------- ranking */

typedef struct ranking { const char *column; bool best; } ranking; /* column NULL: what there is */

/* by= and at=; false: a message was written. */
bool ranking_read(const arguments *a, ranking *by);
/* "test_accuracy 95.78 %" of the run's rows. */
const char *ranking_of_rows(const ranking *by, const results *rows, pool *owner);
/* Prints the table and draws the picture. */
bool ranking_print(const sweep *s, store *db, const ranking *by, ln_error *error);

/* ---------------------------------------------------------------- children */

typedef struct crew {
    size_t         jobs, threads; /* runs at a time, and threads of each */
    const ranking *by;            /* what lines of ended runs say */
} crew;

/* Trains all waiting runs, until done or interrupted. */
bool children_train(sweep *s, store *db, const crew *c, ln_error *error);

#endif
