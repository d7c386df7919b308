/* interrupt.h: Ctrl-C (and SIGTERM, SIGHUP) as a wish: what goes on ends where nothing is half-done. */
#ifndef LN_CLI_INTERRUPT_H
#define LN_CLI_INTERRUPT_H

#include <stdbool.h>

/* From here on the first signal is a wish; the second one, of whichever kind, does what it does to any program. What
 * came ignored, as under nohup, stays so. Without a reader of its output, the program goes on. */
void interrupt_listen(void);
bool interrupt_asked(void);
/* Set by a signal from now on: for program_wait. */
const volatile int *interrupt_anew(void);

#endif
