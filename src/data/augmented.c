/* A data set as an epoch of a training sees it. */
#include "base/large.h"
#include "data/augment.h"
#include "data/data.h"

#include <string.h>

static ln_status read_augment(const ln_data *data, const char *text, ln_augment *augment, ln_frame *frame,
                              ln_error *error) {
    const ln_store *const s = data->store;
    const ln_status       status = ln_augment_parse(text, augment, error);
    *frame = (ln_frame){s->c, s->h, s->w, s->is_float ? sizeof(float) : 1};
    return status == LN_OK ? ln_augment_check(augment, frame, error) : status;
}

static void fill(const ln_data *data, const ln_augment *augment, const ln_frame *frame, ln_occasion at,
                 unsigned char *pixels, void *spare) {
    const size_t   n_bytes = data->store->image_bytes;
    const uint64_t mode = ln_fp_enter();
    for (size_t i = 0; i < data->n; i++) {
        at.image = ln_data_number(data, i);
        if (augment->n > 0) ln_augment_image(augment, frame, at, ln_data_values(data, i), pixels + i * n_bytes, spare);
        else memcpy(pixels + i * n_bytes, ln_data_values(data, i), n_bytes);
    }
    ln_fp_leave(mode);
}

/* As in the file: which of them are kept, and what they are called then, the result takes over. */
static void copy_labels(const ln_data *data, uint8_t *labels) {
    for (size_t i = 0; labels && i < data->n; i++) labels[i] = data->store->labels[ln_data_number(data, i)];
}

ln_data *ln_data_augmented(const ln_data *data, const char *text, uint64_t seed, uint64_t epoch, ln_error *error) {
    const ln_store *const s = data->store;
    ln_augment            augment;
    ln_frame              frame;
    if (epoch < 1) {
        ln_fail(error, LN_E_ARGUMENT, "ln_data_augmented: epoch 0, but epochs count from 1");
        return NULL;
    }
    if (read_augment(data, text, &augment, &frame, error) != LN_OK) return NULL;
    void           *pixels;
    uint8_t *const  labels = s->labels ? ln_allocate(s->context, data->n) : NULL;
    void *const     spare = ln_allocate(s->context, ln_augment_spare_bytes(&augment, &frame));
    ln_data        *made = NULL;
    const ln_status status =
        ln_allocate_large(s->context, "ln_data_augmented", data->n * s->image_bytes, &pixels, error);
    if (status == LN_OK && spare && (labels || !s->labels)) {
        const ln_data_parts parts = {.pixels = pixels,
                                     .labels = labels,
                                     .is_float = s->is_float,
                                     .own = true,
                                     .n = data->n,
                                     .c = s->c,
                                     .h = s->h,
                                     .w = s->w,
                                     .n_classes = s->n_classes};
        fill(data, &augment, &frame, (ln_occasion){.seed = seed, .epoch = epoch - 1}, pixels, spare);
        copy_labels(data, labels);
        made = ln_data_new(s->context, "ln_data_augmented", &parts, error);
        if (made) made->n_kept = data->n_kept, memcpy(made->kept, data->kept, sizeof made->kept);
    } else if (status == LN_OK) {
        ln_fail_memory(error, "ln_data_augmented", data->n);
    }
    ln_release(s->context, spare);
    if (!made) {
        ln_release(s->context, pixels);
        ln_release(s->context, labels);
    }
    return made;
}
