/* progress.h: work as it is seen: a bar on a terminal, and of training one line an epoch everywhere. */
#ifndef LN_CLI_PROGRESS_H
#define LN_CLI_PROGRESS_H

#include "linnet.h"
#include "terminal.h"

typedef struct progress {
    terminal look;
    double   started, drawn; /* seconds of the monotonic clock; drawn: the bar's last time */
    bool     visible;        /* a bar stands on the line */
} progress;

/* Seconds of the monotonic clock. */
double   seconds_now(void);
progress progress_start(void);
/* Draws the bar where there is a terminal, at most ten times a second. */
void progress_step(progress *p, const ln_progress *now);
/* The epoch's line. */
void progress_epoch(progress *p, const ln_progress *now);
/* A bar for other work, once it has taken a second. what: "tensor". */
void progress_count(progress *p, const char *what, size_t n_done, size_t n);
/* The same for bytes that come in, with their rate and the time left; n_before were there when p was started. */
void progress_bytes(progress *p, const char *what, size_t n_done, size_t n, size_t n_before);
/* Takes the bar away. */
void progress_clear(progress *p);

#endif
