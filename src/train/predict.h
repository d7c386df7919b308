/* Measuring a model again and again, for training's own use. */
#ifndef LN_TRAIN_PREDICT_H
#define LN_TRAIN_PREDICT_H

#include "base/work.h"
#include "train/batch.h"

enum { LN_MAX_BATCH = 1 << 20 };

typedef struct ln_evaluator {
    ln_model     *model;
    ln_plan      *plan;
    size_t        batch;
    ln_batch_room room;
    ln_work      *work;    /* who watches; NULL: nobody */
    bool          stopped; /* by whoever does, after n_done images: the metrics mean nothing */
    size_t        n_done;
} ln_evaluator;

ln_status  ln_evaluator_new(ln_model *model, size_t batch, ln_evaluator *evaluator, ln_error *error);
void       ln_evaluator_free(ln_evaluator *evaluator);
/* What a prediction in batches of this size takes. */
ln_status ln_predict_measure(ln_model *model, size_t batch, size_t *n_bytes, ln_error *error);
/* The model as it is now, over checked data. outputs (batch × outputs) and confusion go together, or are both NULL. */
ln_metrics ln_evaluator_run(ln_evaluator *evaluator, const ln_data *data, float *outputs, uint64_t *confusion);

#endif
