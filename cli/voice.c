/* voice.c: what all voices share, and the one that says nothing. */
#include "voice.h"

#include "cli.h"

void voice_start(voice *v) { v->progress = progress_start(); }

void voice_pause(voice *v) { bar_clear(&v->progress.line); }

void voice_warn(voice *v, const char *format, ...) {
    text    sentence = {0};
    va_list list;
    va_start(list, format);
    text_add_list(&sentence, format, list);
    va_end(list);
    voice_pause(v);
    say("warning: %s", sentence.bytes);
    v->kind->warn(v, sentence.bytes);
    text_free(&sentence);
}

void voice_warn_stalled(voice *v, const char *file, const ln_progress *now) {
    const double loss = now->train.loss;
    switch (now->stalled) {
    case LN_STALL_NONE: return;
    case LN_STALL_NOTHING:
        voice_warn(v,
                   "nothing is learnt: the loss stays at %.4g, as from the first step to epoch %zu every image gets "
                   "the very same outputs: a layer lets nothing through, as dropout 1 does, or weights of 0 (linnet "
                   "check %s shows where the signal is lost)",
                   loss, now->epoch, file);
        return;
    case LN_STALL_SMALL:
        voice_warn(v,
                   "nothing is learnt: the loss stays at %.4g, as after epoch %zu every image still gets the same "
                   "outputs and the weights are as they were; they are probably too small for gradients to pass, or "
                   "the rate is: try another init, such as kaiming_normal, or a higher lr (linnet check %s shows where "
                   "the signal is lost)",
                   loss, now->epoch, file);
        return;
    case LN_STALL_LOST:
        voice_warn(v,
                   "nothing is learnt: the loss is %.4g, as after epoch %zu every image gets the same outputs, which "
                   "at the first step were not the same: the rate is probably too high for these weights: try a lower "
                   "lr, such as a tenth of it, or another init or seed",
                   loss, now->epoch);
        return;
    case LN_STALL_GUESSING:
        voice_warn(v,
                   "nothing is learnt so far: the loss of epoch %zu is %.4g, and %.2f %% of its images were right, "
                   "where always naming the most frequent class gets %.2f %%: the rate is probably too low for these "
                   "weights, or too high: try ten times the lr or a tenth of it, or another init (linnet check %s "
                   "shows how large the gradients are)",
                   now->epoch, loss, 100 * now->train.accuracy, 100 * now->most_frequent, file);
    }
}

void voice_stop_early(voice *v, size_t patience, double min_delta, const ln_progress *now) {
    pool              owner = {0};
    const char *const by = min_delta > 0 ? pool_format(&owner, "by more than %g ", min_delta) : "";
    v->kind->stop(v, "patience",
                  pool_format(&owner, "stopped early after epoch %zu: %s has not improved %sfor %zu %s", now->epoch,
                              now->monitor, by, patience, patience == 1 ? "row" : "rows"));
    pool_free(&owner);
}

/* ------------------------------------------------------------------- nothing */

static void begin(voice *v, const voice_facts *facts) { (void)v, (void)facts; }
static void go_on(voice *v, size_t n_done, size_t n_steps) { (void)v, (void)n_done, (void)n_steps; }
static void step(voice *v, const ln_progress *now) { (void)v, (void)now; }
static void warn(voice *v, const char *sentence) { (void)v, (void)sentence; }
static void stop(voice *v, const char *why, const char *sentence) { (void)v, (void)why, (void)sentence; }
static void end(voice *v, const voice_end *how) { (void)v, (void)how; }

const voice_kind voice_quiet = {begin, go_on, step, step, step, warn, stop, end};
