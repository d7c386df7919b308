/* run_folder.h: runs/NAME/: recipe.yaml, results.csv, weights/. Made when training is ready to begin, taken away again
 * when it cannot. */
#ifndef LN_CLI_RUN_FOLDER_H
#define LN_CLI_RUN_FOLDER_H

#include "linnet.h"
#include "text.h"

typedef struct run_folder {
    ln_context *context;
    pool        owner;
    const char *path, *weights, *recipe, *results, *last, *best; /* "runs/3", "runs/3/weights", … */
    int         csv;                                            /* results.csv, open for appending */
    const char *events;                                         /* TensorBoard's, or NULL */
    int         board;                                          /* the same, open for appending; -1: there is none */
} run_folder;

/* Makes project/name, where name NULL is the next free number, and writes the recipe and the table's heading. */
bool run_folder_make(run_folder *run, ln_context *context, const char *project, const char *name, const text *recipe,
                     ln_error *error);
/* Rows go into a file of events for TensorBoard as well from now on: events.out.tfevents.N.linnet with the next N. */
bool run_folder_tensorboard(run_folder *run, ln_error *error);
/* One row of results.csv: wholly written or not at all. Epoch 0: of some steps, and its first column stays empty. */
bool run_folder_row(run_folder *run, const ln_progress *now, ln_error *error);
/* Removes what was made: training never began. */
void run_folder_discard(run_folder *run);
void run_folder_close(run_folder *run);

#endif
