/* Running a plan. Nothing here allocates or fails. */
#ifndef LN_GRAPH_RUN_H
#define LN_GRAPH_RUN_H

#include "graph/plan.h"

/* The images of one step: n ≤ the plan's batch. */
typedef struct ln_batch {
    const void *const *rows;   /* n pointers to c*h*w pixels */
    bool               is_float;
    const int32_t     *labels; /* n, or NULL when there is no loss */
    const int32_t     *second; /* of mixed images n more, and their shares (ln_labels), or NULL */
    const float       *share;
    const uint32_t    *images; /* n numbers in the data set, or NULL for 0, 1, … */
    size_t             n;
    ln_preprocess      preprocess;
} ln_batch;

typedef struct ln_step {
    const ln_batch     *batch;
    uint64_t            seed, number; /* number counts from 1 */
    const ln_update    *update;       /* args, lr, step; NULL: gradients only */
    ln_optimizer_id     optimizer;
    double clip_norm, clip_value; /* of all gradients together (needs options.squares), of each element; 0: none */
    double l2;                    /* times each weight is added to its gradient (needs options.squares) */
    bool   decay_weights_only;    /* the optimizer's weight decay spares what is no weight */
    double average;               /* the share of its average that is kept (needs options.average); 0: none */
} ln_step;

/* Copies the model's parameters into a plan of another element size, and packs them for the kernels: to be called
 * when the model's values were changed by others than the plan's own steps. */
void ln_run_load_parameters(ln_plan *plan);

/* Outputs (and losses) of a batch. */
void ln_run_forward(ln_plan *plan, const ln_batch *batch);

/* One training step: gradients, then, if everything is finite, the update. False: something was not, and no parameter
 * has changed. */
bool ln_run_step(ln_plan *plan, const ln_step *step);

/* The update alone, by the gradients that lie there, to be timed: nothing is looked at, settled or packed. */
void ln_run_update(ln_plan *plan, const ln_step *step);

/* For plans that keep all, after a step: packs the parameters as they are now and runs forward again from the input
 * that lies in memory, so that parameters and input may be moved a little and the loss measured. */
void ln_run_probe(ln_plan *plan, const ln_step *step);

/* Results of the last run. */
void   ln_run_outputs(const ln_plan *plan, size_t n, float *outputs); /* n × outputs, by image */
double ln_run_loss(const ln_plan *plan, size_t n, size_t *n_correct);  /* sum over n images, in order */
/* Sum of the squares of all weights before the last step, if that had an l2. */
double ln_run_weight_squares(const ln_plan *plan);
/* The first parameter whose gradient was not finite: node and parameter index; false when all were. */
bool ln_run_culprit(const ln_plan *plan, size_t *node, size_t *param);

/* Memory of tensors in plans that keep all: block b of value (or gradient) t begins at … + b * ln_slot_lanes. */
void *ln_run_tensor(const ln_plan *plan, bool gradient, size_t tensor);
/* What node kept from forward to backward: need.saved bytes, rounded up to 64, for each block. */
const unsigned char *ln_run_saved(const ln_plan *plan, size_t node);
/* Gradient of parameter k of node i, as the plan's reals. */
void *ln_run_gradient(const ln_plan *plan, size_t node, size_t k);
/* Parameter k of node i as the kernels see it (the model's own floats, or the plan's copy). */
void *ln_run_parameter(const ln_plan *plan, size_t node, size_t k);
/* State j of parameter k of node i, with the average behind those of the optimizer: floats. */
float *ln_run_state(const ln_plan *plan, size_t node, size_t k, size_t j);
/* Exchanges the model's parameters and their moving average (options.average); done twice, all is as it was. */
void ln_run_swap_average(ln_plan *plan);
/* Packs parameters again after their values were written. */
void ln_run_pack(ln_plan *plan);

#endif
