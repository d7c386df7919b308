/* tensorboard.h: rows of results as TensorBoard reads them. */
#ifndef LN_CLI_TENSORBOARD_H
#define LN_CLI_TENSORBOARD_H

#include "linnet.h"
#include "text.h"

/* Adds what a file of events begins with; time: seconds since 1970. */
void tensorboard_begin(text *to, double time);
/* Adds that the run goes on with this step (counted from 1): rows of it and later ones that were written before, to
 * whichever file, hold no more. */
void tensorboard_resume(text *to, double time, uint64_t step);
/* Adds a row of results.csv as scalars: loss/train, accuracy/val, …, lr; of some steps (epoch 0): loss/steps,
 * accuracy/steps, lr. */
void tensorboard_row(text *to, double time, const ln_progress *row);

#endif
