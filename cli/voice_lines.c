/* voice_lines.c: training told to people: what begins, a bar and a line an epoch, what came of it. */
#include "voice.h"

#include <string.h>

static void begin(voice *v, const voice_facts *f) {
    pool owner = {0};
    (void)v;
    printf("%s: %s parameter%s, %s image%s, %d thread%s (%s), into %s\n", f->recipe,
           text_count(&owner, f->n_parameters), f->n_parameters == 1 ? "" : "s", text_count(&owner, f->n_images),
           f->n_images == 1 ? "" : "s", f->n_threads, f->n_threads == 1 ? "" : "s", f->isa, f->run->path);
    if (f->fitted->n_cells > 0) printf("begins with %s:\n", f->weights);
    if (f->fitted->n_cells > 0) table_print(f->fitted, stdout);
    if (f->resumes && f->step == 0) puts("goes on from the beginning, as there is no checkpoint yet");
    fflush(stdout);
    pool_free(&owner);
}

static void go_on(voice *v, size_t n_done, size_t n_steps) {
    (void)v;
    printf("goes on after step %zu of %zu\n", n_done, n_steps);
    fflush(stdout);
}

static void step(voice *v, const ln_progress *now) { progress_step(&v->progress, now); }
static void row(voice *v, const ln_progress *now) { (void)v, (void)now; } /* results.csv has it */
static void epoch(voice *v, const ln_progress *now) { progress_epoch(&v->progress, now); }
static void warn(voice *v, const char *sentence) { (void)v, (void)sentence; }

static void stop(voice *v, const char *why, const char *sentence) {
    (void)v;
    if (strcmp(why, "patience") == 0) puts(sentence);
}

static void end(voice *v, const voice_end *e) {
    (void)v;
    if (strcmp(e->how, "done") != 0) return;
    if (!e->began) printf("%s was finished before: nothing was left to do\n", e->run->path);
    if (e->restored_epoch > 0)
        printf("the weights of epoch %.0f, whose %s is the best, are put back\n", e->restored_epoch, e->monitor);
    if (e->best_epoch > 0)
        printf("the weights of epoch %.0f, whose val_accuracy is the best, in %s\n", e->best_epoch, e->run->best);
    printf("weights in %s\n", e->run->last);
    if (e->pictures) printf("pictures in %s/pictures\n", e->run->path);
    printf("%.0f %s image%s, %.0f correct (%.2f %%)\n", e->n, e->of, e->n > 1 ? "s" : "", e->n_correct,
           100 * (e->n_correct / e->n));
    fflush(stdout);
}

const voice_kind voice_lines = {begin, go_on, step, row, epoch, warn, stop, end};
