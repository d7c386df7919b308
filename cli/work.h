/* work.h: long work (ln_context_watch) as it is seen: once it has taken a second, a bar with time left and rate on
 * standard error; where that is no terminal, a line a minute. */
#ifndef LN_CLI_WORK_H
#define LN_CLI_WORK_H

#include <stdbool.h>
#include <stddef.h>

/* The watch of every context of the command, and of its own loops: what is done to n things, and how many of them are
 * done; with all of them the bar is taken away. false after Ctrl-C, where that is listened to (interrupt.h). */
bool work_show(void *user, const char *what, size_t n_done, size_t n);
/* From now on nothing is shown. */
void work_hide(void);

#endif
