/* voice.h: what a training says while it goes on, and to whom: lines and a bar for people, JSON for programs, or
 * nothing. Messages about what went wrong are written to standard error besides, by whoever finds it. */
#ifndef LN_CLI_VOICE_H
#define LN_CLI_VOICE_H

#include "progress.h"
#include "run_folder.h"

/* What is known before the first step. */
typedef struct voice_facts {
    const char       *recipe, *isa;
    const run_folder *run;
    size_t            n_parameters, n_images, n_validation, n_test, batch, n_epochs;
    int               n_threads;
    const char       *weights; /* that it begins with; NULL: drawn ones */
    table            *fitted;  /* with weights: what each layer begins with */
    size_t            step, n_steps; /* step: where it goes on, counted through all epochs */
    bool              resumes;
} voice_facts;

/* How it ended. */
typedef struct voice_end {
    const run_folder *run;
    const char       *how;            /* "done", "stopped" (Ctrl-C) or "failed" */
    bool              began, pictures; /* began: a step was taken; pictures are being drawn */
    double            best_epoch;     /* of best.safetensors; 0: there is none */
    double            restored_epoch; /* with restore_best: of the weights that were put back; 0: none were */
    const char       *monitor;
    const char       *of;             /* "test", "validation" or "training": the images counted in n */
    double            n, n_correct;   /* n 0: none were */
} voice_end;

typedef struct voice voice;

typedef struct voice_kind {
    void (*begin)(voice *v, const voice_facts *facts);
    /* At the first step of a run that goes on after others: until then its checkpoint may still be refused. */
    void (*go_on)(voice *v, size_t n_done, size_t n_steps);
    void (*step)(voice *v, const ln_progress *now);
    void (*row)(voice *v, const ln_progress *row); /* of train.log_steps, as results.csv has it */
    void (*epoch)(voice *v, const ln_progress *now);
    void (*warn)(voice *v, const char *sentence); /* which stands on standard error already */
    /* why: "patience", "signal" or "error"; the sentence of the last two stands on standard error already. */
    void (*stop)(voice *v, const char *why, const char *sentence);
    void (*end)(voice *v, const voice_end *end);
} voice_kind;

struct voice {
    const voice_kind *kind;
    progress          progress;
    double            said;    /* when the last step was */
    bool              by_rows; /* steps are told as rows */
};

extern const voice_kind voice_lines, voice_json, voice_quiet;

/* Ready for the first step. */
void voice_start(voice *v);
/* The bar away, if there is one: something else is written. */
void voice_pause(voice *v);
/* A warning to standard error and to the voice. */
void voice_warn(voice *v, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* After a measured epoch of the recipe in file: why its loss is what guessing gives, where it is. */
void voice_warn_stalled(voice *v, const char *file, const ln_progress *now);
/* After the epoch at which early stopping ends the training. */
void voice_stop_early(voice *v, size_t patience, double min_delta, const ln_progress *now);

#endif
