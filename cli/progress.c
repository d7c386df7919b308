/* progress.c: training as it is seen. */
#include "progress.h"

progress progress_start(void) { return (progress){.line = bar_start(true), .started = seconds_now()}; }

static double rate_of(const ln_progress *now) { return now->seconds > 0 ? (double)now->train.n / now->seconds : 0; }

/* Four places, and where the loss is huge four digits. */
static const char *loss_text(pool *owner, double loss) {
    return pool_format(owner, loss < 1e4 ? "%.4f" : "%.4g", loss);
}

void progress_step(progress *p, const ln_progress *now) {
    if (!bar_due(&p->line)) return;
    pool         owner = {0};
    const double all = (double)now->n_epochs * (double)now->n_steps, share = (double)now->step / (double)now->n_steps;
    const char *const figures[] = {
        pool_format(&owner, "%3.0f %%", 100 * share),
        bar_left(&owner, seconds_now() - p->started, (double)now->total_step / all),
        pool_format(&owner, "loss %s", loss_text(&owner, now->train.loss)),
        pool_format(&owner, "%5.2f %%", 100 * now->train.accuracy),
        pool_format(&owner, "%.0f images/s", rate_of(now)),
    };
    bar_draw(&p->line, pool_format(&owner, "epoch %zu/%zu", now->epoch, now->n_epochs), share, figures,
             sizeof figures / sizeof *figures);
    pool_free(&owner);
}

static void print_metrics(const char *name, const ln_metrics *m) {
    pool owner = {0};
    printf("  %s %s %5.2f %%", name, loss_text(&owner, m->loss), 100 * m->accuracy);
    pool_free(&owner);
}

void progress_epoch(progress *p, const ln_progress *now) {
    bar_clear(&p->line);
    printf("epoch %zu/%zu  %.2f s  %.0f images/s", now->epoch, now->n_epochs, now->seconds, rate_of(now));
    print_metrics("train", &now->train);
    if (now->has_validation) print_metrics("val", &now->validation);
    if (now->has_test) print_metrics("test", &now->test);
    printf("%s\n", now->best ? "  best" : "");
    fflush(stdout);
    if (!p->line.look.is_terminal) p->line.drawn = seconds_now(); /* that was a sign of life */
}
