/* From a data set to the batches that a plan runs on. */
#ifndef LN_TRAIN_BATCH_H
#define LN_TRAIN_BATCH_H

#include "data/augment.h"
#include "data/data.h"
#include "graph/run.h"

/* Room for one batch: pointers to images, their labels and numbers. */
typedef struct ln_batch_room {
    size_t         capacity;
    const void   **rows;
    int32_t       *labels;
    uint32_t      *images;
    unsigned char *augmented; /* NULL, or capacity images, and what each thread wants beside */
    size_t         spare_at, spare_bytes; /* where that begins, and how much it is */
    int32_t       *second;    /* NULL, or of mixed images another label, in augmented too */
    float         *share;     /* and its share */
    ln_frame       frame;     /* what these have in common */
} ln_batch_room;

ln_status ln_batch_room_new(ln_context *context, size_t capacity, ln_batch_room *room, ln_error *error);
/* Room for images of data changed by augment too. */
ln_status ln_batch_room_augmented(ln_context *context, const ln_data *data, const ln_augment *augment,
                                  ln_batch_room *room, ln_error *error);
void      ln_batch_room_free(ln_context *context, ln_batch_room *room);

/* Images order[0 … n) of data (order NULL: first, first + 1, …). n ≤ capacity. */
ln_batch ln_batch_of(const ln_batch_room *room, const ln_model *model, const ln_data *data, const uint32_t *order,
                     size_t first, size_t n);

/* Augments the n images of the batch in room, whose pointers then lead to what has become of them; of mixed images the
 * first label is the one with the larger share. at says seed, epoch and among; augment->n ≥ 1. */
void ln_batch_augment(ln_threads *threads, int n_threads, const ln_batch_room *room, const ln_augment *augment,
                      ln_occasion at, size_t n);
/* Do the images fit the model's input, and (labelled) the labels its outputs? who begins the message. */
ln_status ln_batch_check(const char *who, const ln_model *model, const ln_data *data, bool labelled, ln_error *error);

/* The context's kernels. */
const ln_kernels *ln_context_kernels(const ln_context *context);

#endif
