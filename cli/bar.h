/* bar.h: one line that says how far something is, drawn over and over on a terminal. Where there is none (a pipe, a
 * file, TERM=dumb) it is a line of its own on standard error, once a minute. */
#ifndef LN_CLI_BAR_H
#define LN_CLI_BAR_H

#include "terminal.h"

typedef struct bar {
    FILE    *to;
    terminal look;
    double   drawn;   /* when, in seconds of the monotonic clock */
    bool     visible; /* it stands on the terminal's line */
} bar;

enum { BAR_MINUTE = 60 };

/* Seconds of the monotonic clock. */
double seconds_now(void);

/* To standard output where prefers_output and that is a terminal, else to standard error. */
bar bar_start(bool prefers_output);
/* Has it been long enough since it was drawn? It then counts as drawn now. */
bool bar_due(bar *b);
/* "head 43 % ━━━━───  figure  figure": as many figures, and as much of a bar, as the line has room for. */
void bar_draw(bar *b, const char *head, double share, const char *const *figures, size_t n);
/* Takes it away. */
void bar_clear(bar *b);

/* "0:12 left", of work that took so many seconds for this share; "" as long as that is 0. */
const char *bar_left(pool *owner, double seconds, double share);

#endif
