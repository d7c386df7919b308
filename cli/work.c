/* work.c: long work as it is seen. */
#include "work.h"

#include "bar.h"
#include "interrupt.h"

#include <string.h>

/* There is one standard error, and one piece of work at a time. */
static struct {
    bool        hidden;
    const char *what; /* NULL: none goes on */
    size_t      first, n;
    double      started; /* when `first` were done */
    bar         line;
} now;

static const double PATIENCE = 1; /* seconds until the bar appears */

static void begin(const char *what, size_t n_done, size_t n) {
    now.what = what;
    now.first = n_done;
    now.n = n;
    now.started = seconds_now();
    now.line = bar_start(false);
    if (now.line.look.is_terminal) now.line.drawn = now.started + PATIENCE;
}

static void draw(size_t n_done) {
    pool              owner = {0};
    const double      seconds = seconds_now() - now.started, done = (double)(n_done - now.first);
    const double      share = (double)n_done / (double)now.n;
    const char *const figures[] = {
        pool_format(&owner, "%3.0f %%", 100 * share),
        bar_left(&owner, seconds, done / (double)(now.n - now.first)),
        pool_format(&owner, "%s/s", text_count(&owner, (unsigned long long)(done / seconds))),
        pool_format(&owner, "%s of %s", text_count(&owner, n_done), text_count(&owner, now.n)),
    };
    bar_draw(&now.line, now.what, share, figures, sizeof figures / sizeof *figures);
    pool_free(&owner);
}

bool work_show(void *user, const char *what, size_t n_done, size_t n) {
    (void)user;
    if (n_done >= n) {
        bar_clear(&now.line);
        now.what = NULL;
    } else if (!now.hidden) {
        if (!now.what || strcmp(now.what, what) != 0 || n != now.n || n_done < now.first) {
            bar_clear(&now.line);
            begin(what, n_done, n);
        } else if (n_done > now.first && bar_due(&now.line)) draw(n_done);
    }
    return !interrupt_asked();
}

void work_hide(void) { now.hidden = true; }
