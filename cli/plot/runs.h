/* runs.h: the runs that names on the command line stand for. */
#ifndef LN_CLI_PLOT_RUNS_H
#define LN_CLI_PLOT_RUNS_H

#include "linnet.h"
#include "text.h"

/* Why path, a sweep's folder, is not what was asked for, and what to do instead: a sentence; NULL: it is none. */
const char *sweep_instead(const char *path, pool *owner);

/* Folders of runs with rows to draw. */
typedef struct runs { const char **path; size_t n; } runs;

/* The folder of a sweep stands for its runs. Of several names those that stand for nothing to draw are left out, which
 * is said on standard error; a name alone is taken as it is. Memory is the pool's. False, with the error filled, where
 * none is left. */
bool runs_find(runs *found, pool *owner, const char *const *words, size_t n, ln_error *error);

#endif
