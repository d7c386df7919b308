/* What a training watches of itself: does a measured column still improve, and is anything learnt at all? */
#ifndef LN_TRAIN_MONITOR_H
#define LN_TRAIN_MONITOR_H

#include "data/data.h"
#include "graph/run.h"

/* A column of measurements, row after row:
 *   best  the best value of all rows
 *   mark  the last value that was better than the mark before it by more than min_delta
 *   n_bad rows since then; patience of them end the training */
typedef struct ln_monitor {
    size_t column;
    size_t patience, n_bad; /* patience 0: never ends it */
    double min_delta, best, mark;
} ln_monitor;

/* options->monitor, or the default for the data that options have; fails where there are no such data. */
ln_status ln_monitor_new(const ln_train_options *options, ln_monitor *monitor, ln_error *error);
/* Takes a row in, and says in it what it is: monitor, monitor_best, stopped. */
void ln_monitor_observe(ln_monitor *monitor, ln_progress *row);
/* Does it look at the test images? */
bool ln_monitor_tests(const ln_monitor *monitor);

/* All parameters and buffers of a model, one after the other. */
size_t ln_copy_count(const ln_model *model);
void   ln_copy_take(const ln_model *model, float *copy);
void   ln_copy_put_back(ln_model *model, float *copy);

/* Signs that nothing is learnt:
 *   the outputs are the same for all images (to within LN_STALL_SPREAD, so that the loss is what guessing gives, to a
 *   thousandth), and either the weights are as long as they were after the first measured epoch (to within
 *   LN_STALL_CHANGE: no gradient has reached them), or the next holds as well;
 *   a whole epoch had no more hits than always naming the most frequent class has, but for luck (two deviations), when
 *   LN_STALL_STEPS steps and LN_STALL_IMAGES images were there to learn from. */
#define LN_STALL_SPREAD 1e-3
#define LN_STALL_CHANGE 1e-2
enum { LN_STALL_STEPS = 200, LN_STALL_IMAGES = 2000 };
/* How many images of data are of the class that has most. */
size_t ln_most_frequent(const ln_data *data);
/* The sum of the squares of all weights: biases and what begins as a constant are none. */
double ln_weight_squares(const ln_model *model);
/* The largest difference between two images in an output, over the first n images of the last step (at most LN_LANES);
 * outputs has room for LN_LANES images. */
double ln_output_spread(const ln_plan *plan, size_t n, float *outputs);

#endif
