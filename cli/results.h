/* results.h: results.csv of a run as columns of numbers. Any table of that kind is read: a heading of names, then rows
 * of as many numbers. An empty cell (nothing was measured) is NaN; what is no finite number is infinite. */
#ifndef LN_CLI_RESULTS_H
#define LN_CLI_RESULTS_H

#include "linnet.h"
#include "text.h"

enum { RESULTS_MAX_COLUMNS = 32, RESULTS_MAX_BYTES = 64 << 20 }; /* and so 512 MiB of numbers at most */

typedef struct results {
    size_t      n_rows, n_columns;
    const char *name[RESULTS_MAX_COLUMNS];
    double     *column[RESULTS_MAX_COLUMNS]; /* n_rows each */
} results;

/* bytes (n of them) of the file called path. Memory is the pool's. False, with "PATH:LINE: ...", when it is no such
 * table. */
bool results_parse(results *r, pool *owner, const char *path, const char *bytes, size_t n, ln_error *error);
bool results_read(results *r, pool *owner, const char *path, ln_error *error);
/* NULL: there is no such column. */
const double *results_column(const results *r, const char *name);
/* Seconds of training from the run's beginning, by row: the column seconds begins again in every epoch. NULL: it has no
 * such columns. */
double *results_seconds(const results *t, pool *owner);
/* "epoch, step, seconds, ...". */
const char *results_names(const results *r, pool *owner);

/* A regular file of at most max bytes, with a NUL behind them. NULL on error. */
char *results_file(pool *owner, const char *path, size_t max, size_t *n, ln_error *error);

#endif
