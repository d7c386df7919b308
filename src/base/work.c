/* Long work, and who watches it. Invariant: a watcher that was called is called once more when the work ends, however
 * it does, with everything done: what it shows can be taken away then. */
#include "base/work.h"

#include "base/clock.h"

static const double INTERVAL = 0.1; /* seconds between two calls at least */

ln_work ln_work_begin(ln_context *context, const char *what, size_t n) {
    return (ln_work){.context = context, .what = what, .n = n, .told = context->watch ? ln_seconds_now() : 0};
}

bool ln_work_goes_on(ln_work *work, size_t n_done) {
    const ln_context *const c = work->context;
    if (!c->watch) return true;
    const double now = ln_seconds_now();
    if (now - work->told < INTERVAL) return true;
    work->told = now;
    work->seen = true;
    return c->watch(c->watch_user, work->what, n_done, work->n);
}

void ln_work_end(const ln_work *work) {
    const ln_context *const c = work->context;
    if (work->seen && c->watch) (void)c->watch(c->watch_user, work->what, work->n, work->n);
}

ln_status ln_work_stop(const ln_work *work, size_t n_done, ln_error *error) {
    return ln_fail(error, LN_E_INTERRUPTED, "%s was stopped after %zu of %zu", work->what, n_done, work->n);
}
