/* run_folder.h: runs/NAME/: recipe.yaml, results.csv, weights/. Made when training is ready to begin, taken away again
 * when it cannot. Whoever writes it holds a lock on results.csv, which the system gives back when the process ends,
 * however it does. */
#ifndef LN_CLI_RUN_FOLDER_H
#define LN_CLI_RUN_FOLDER_H

#include "linnet.h"
#include "text.h"

/* What train says, and sweep looks for, of a run whose numbers were no longer finite. */
#define RUN_NOT_FINITE "the weights before that step are in"

typedef struct run_folder {
    ln_context *context;
    pool        owner;
    const char *path, *weights, *recipe, *results, *last, *best, *checkpoint; /* "runs/3", "runs/3/weights", … */
    int         csv;                                            /* results.csv, open for appending */
    const char *events;                                         /* TensorBoard's, or NULL */
    int         board;                                          /* the same, open for appending; -1: there is none */
} run_folder;

/* Makes the folder path and what is above it, as mkdir -p does. */
bool run_folder_parents(const char *path, ln_error *error);

/* What a sweep keeps of its runs, in a folder that they are in as well. */
#define SWEEP_DATABASE "sweep.db"
bool run_folder_holds_sweep(const char *path);

/* Makes project/name, where name NULL is the next free number, and writes the recipe and the table's heading. */
bool run_folder_make(run_folder *run, ln_context *context, const char *project, const char *name, const text *recipe,
                     ln_error *error);
/* Rows go into a file of events for TensorBoard as well from now on: events.out.tfevents.N.linnet with the next N;
 * TensorBoard reads such files in the order of their names. resumed: the run goes on after n_steps, and later rows of
 * the other files hold no more. */
bool run_folder_tensorboard(run_folder *run, bool resumed, size_t n_steps, ln_error *error);
/* The folder at path, which is there, to go on in: locked, and without what a killed process left half-written. */
bool run_folder_open(run_folder *run, ln_context *context, const char *path, ln_error *error);
/* Removes from a folder what a killed process left half-written. */
void run_folder_sweep(const char *path);
/* Cuts results.csv back to its first n_bytes (0: to its heading). *lost: it has not even those, and is let be. */
bool run_folder_cut(run_folder *run, size_t n_bytes, bool *lost, ln_error *error);
/* Bytes of results.csv. */
size_t run_folder_size(const run_folder *run);
/* One row of results.csv: wholly written or not at all. Epoch 0: of some steps, and its first column stays empty. */
bool run_folder_row(run_folder *run, const ln_progress *now, ln_error *error);
/* Removes what was made: training never began. */
void run_folder_discard(run_folder *run);
void run_folder_close(run_folder *run);

#endif
