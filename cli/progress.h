/* progress.h: training as it is seen by people: a bar while it goes on, and one line an epoch. */
#ifndef LN_CLI_PROGRESS_H
#define LN_CLI_PROGRESS_H

#include "bar.h"
#include "linnet.h"

typedef struct progress {
    bar    line;
    double started;
} progress;

progress progress_start(void);
/* After a step: the bar, when it is due. */
void progress_step(progress *p, const ln_progress *now);
/* The epoch's line. */
void progress_epoch(progress *p, const ln_progress *now);

#endif
