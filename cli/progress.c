/* progress.c: training as it is seen. */
#include "progress.h"

#include <string.h>
#include <time.h>

enum { BAR_MAX = 40, BAR_MIN = 5 };

double seconds_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

progress progress_start(void) { return (progress){.look = terminal_of(stdout), .started = seconds_now()}; }

static double rate_of(const ln_progress *now) { return now->seconds > 0 ? (double)now->train.n / now->seconds : 0; }

/* Four places, and where the loss is huge four digits. */
static const char *loss_text(pool *owner, double loss) {
    return pool_format(owner, loss < 1e4 ? "%.4f" : "%.4g", loss);
}

static void add_bar(text *line, const terminal *look, double share, size_t width) {
    const size_t full = (size_t)(share * (double)width);
    text_add(line, "%s", look->utf8 ? "" : "[");
    text_add(line, "%s", terminal_style(look, STYLE_GOOD));
    for (size_t i = 0; i < full; i++) text_add(line, "%s", look->utf8 ? "━" : "#");
    text_add(line, "%s%s", terminal_style(look, STYLE_PLAIN), terminal_style(look, STYLE_DIM));
    for (size_t i = full; i < width; i++) text_add(line, "%s", look->utf8 ? "─" : "-");
    text_add(line, "%s%s", terminal_style(look, STYLE_PLAIN), look->utf8 ? "" : "]");
}

/* Rate, time left, loss and accuracy: as many of them as fit into width columns. */
static void add_figures(text *figures, const progress *p, const ln_progress *now, size_t width) {
    const double             elapsed = seconds_now() - p->started;
    const double             all = (double)now->n_epochs * (double)now->n_steps;
    const double             left = now->total_step ? elapsed * (all / (double)now->total_step - 1) : 0;
    const unsigned long long s = left > 0 ? (unsigned long long)(left + 0.5) : 0;
    pool                     owner = {0};
    const char              *pieces[] = {
                     pool_format(&owner, "  %3.0f %%", 100 * (double)now->step / (double)now->n_steps),
        s >= 3600 ? pool_format(&owner, "  %llu:%02llu:%02llu left", s / 3600, s / 60 % 60, s % 60)
                               : pool_format(&owner, "  %llu:%02llu left", s / 60, s % 60),
                     pool_format(&owner, "  loss %s", loss_text(&owner, now->train.loss)),
                     pool_format(&owner, "  %5.2f %%", 100 * now->train.accuracy),
                     pool_format(&owner, "  %.0f images/s", rate_of(now)),
    };
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++)
        if (figures->n + strlen(pieces[i]) <= width) text_add(figures, "%s", pieces[i]);
    pool_free(&owner);
}

/* Is there a terminal, and was the bar last drawn a while ago? */
static bool is_due(progress *p) {
    const double time = seconds_now();
    if (!p->look.is_terminal || time - p->drawn < 0.1) return false;
    p->drawn = time;
    return true;
}

void progress_step(progress *p, const ln_progress *now) {
    if (!is_due(p)) return;
    const size_t width = terminal_width(stdout);
    text         line = {0}, figures = {0};
    text_add(&line, "\repoch %zu/%zu ", now->epoch, now->n_epochs);
    const size_t head = line.n; /* with \r: leaves the last column free, or the line would wrap */
    if (head < width) add_figures(&figures, p, now, width - head);
    const size_t used = head + figures.n + 2;
    if (used + BAR_MIN <= width)
        add_bar(&line, &p->look, (double)now->step / (double)now->n_steps,
                width - used < BAR_MAX ? width - used : BAR_MAX);
    if (head < width) {
        text_add(&line, "%s\033[K", figures.n ? figures.bytes : "");
        fputs(line.bytes, stdout);
        fflush(stdout);
        p->visible = true;
    }
    text_free(&figures);
    text_free(&line);
}

void progress_count(progress *p, const char *what, size_t n_done, size_t n) {
    if (seconds_now() - p->started < 1 || !is_due(p)) return;
    const size_t width = terminal_width(stdout);
    text         line = {0};
    text_add(&line, "\r%s %zu/%zu ", what, n_done < n ? n_done + 1 : n, n);
    const size_t used = line.n + 2;
    if (used + BAR_MIN <= width)
        add_bar(&line, &p->look, (double)n_done / (double)n, width - used < BAR_MAX ? width - used : BAR_MAX);
    if (used <= width) {
        text_add(&line, "\033[K");
        fputs(line.bytes, stdout);
        fflush(stdout);
        p->visible = true;
    }
    text_free(&line);
}

/* What has come, how fast, and how long the rest takes: as many of them as fit into width columns. */
static void add_stream(text *figures, double seconds, size_t n_done, size_t n, size_t n_before, size_t width) {
    const double             rate = seconds > 0 ? (double)(n_done - n_before) / seconds : 0;
    const unsigned long long left = rate > 0 ? (unsigned long long)((double)(n - n_done) / rate + 0.5) : 0;
    pool                     owner = {0};
    const char              *pieces[] = {
                     pool_format(&owner, "  %3.0f %%", 100 * (double)n_done / (double)n),
        rate > 0 ? pool_format(&owner, "  %llu:%02llu left", left / 60, left % 60) : "",
                     pool_format(&owner, "  %.1f MB/s", rate / 1e6),
    };
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++)
        if (figures->n + strlen(pieces[i]) <= width) text_add(figures, "%s", pieces[i]);
    pool_free(&owner);
}

void progress_bytes(progress *p, const char *what, size_t n_done, size_t n, size_t n_before) {
    const double seconds = seconds_now() - p->started;
    if (n_done < n_before || n_done > n || seconds < 0.3 || !is_due(p)) return;
    const size_t width = terminal_width(stdout);
    text         line = {0}, figures = {0};
    text_add(&line, "\r%s ", what);
    const size_t head = line.n;
    if (head < width) add_stream(&figures, seconds, n_done, n, n_before, width - head);
    const size_t used = head + figures.n + 2;
    if (used + BAR_MIN <= width)
        add_bar(&line, &p->look, (double)n_done / (double)n, width - used < BAR_MAX ? width - used : BAR_MAX);
    if (head < width) {
        text_add(&line, "%s\033[K", figures.n ? figures.bytes : "");
        fputs(line.bytes, stdout);
        fflush(stdout);
        p->visible = true;
    }
    text_free(&figures);
    text_free(&line);
}

void progress_clear(progress *p) {
    if (p->visible) fputs("\r\033[K", stdout);
    p->visible = false;
}

static void print_metrics(const char *name, const ln_metrics *m) {
    pool owner = {0};
    printf("  %s %s %5.2f %%", name, loss_text(&owner, m->loss), 100 * m->accuracy);
    pool_free(&owner);
}

void progress_epoch(progress *p, const ln_progress *now) {
    progress_clear(p);
    printf("epoch %zu/%zu  %.2f s  %.0f images/s", now->epoch, now->n_epochs, now->seconds, rate_of(now));
    print_metrics("train", &now->train);
    if (now->has_validation) print_metrics("val", &now->validation);
    if (now->has_test) print_metrics("test", &now->test);
    printf("%s\n", now->best ? "  best" : "");
    fflush(stdout);
}
