/* Long work, and who watches it: a loop over images (or files, or probes) says how far it is, and is told whether to go
 * on. The watcher is the context's; see ln_context_watch. */
#ifndef LN_BASE_WORK_H
#define LN_BASE_WORK_H

#include "base/context.h"

typedef struct ln_work {
    ln_context *context;
    const char *what; /* "predicting": what is done with the n things */
    size_t      n;
    double      told; /* the time of the last call of the watcher, or of the beginning */
    bool        seen; /* it was called */
} ln_work;

ln_work ln_work_begin(ln_context *context, const char *what, size_t n);
/* On the calling thread, as often as it likes: tells the watcher when a while has passed. false: it wants an end. */
bool ln_work_goes_on(ln_work *work, size_t n_done);
/* The last word to a watcher that was called. */
void ln_work_end(const ln_work *work);
/* LN_E_INTERRUPTED. */
ln_status ln_work_stop(const ln_work *work, size_t n_done, ln_error *error);

#endif
