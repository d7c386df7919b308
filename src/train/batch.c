/* From a data set to the batches that a plan runs on. */
#include "train/batch.h"

ln_status ln_batch_room_new(ln_context *context, size_t capacity, ln_batch_room *room, ln_error *error) {
    const size_t each = sizeof(void *) + sizeof(int32_t) + sizeof(uint32_t);
    void *const  memory = ln_allocate(context, capacity * each);
    if (!memory) return ln_fail_memory(error, "batch", capacity * each);
    room->capacity = capacity;
    room->rows = memory;
    room->labels = (int32_t *)(void *)(room->rows + capacity);
    room->images = (uint32_t *)(void *)(room->labels + capacity);
    return LN_OK;
}

ln_status ln_batch_room_augmented(ln_context *context, const ln_data *data, const ln_augment *augment,
                                  ln_batch_room *room, ln_error *error) {
    room->frame = ln_frame_of(data);
    room->spare_at = (room->capacity * data->store->image_bytes + 63) / 64 * 64;
    room->spare_bytes = ln_augment_spare_bytes(augment, &room->frame);
    const size_t labels_at = room->spare_at + (size_t)ln_context_threads(context) * room->spare_bytes;
    const size_t each = ln_augment_mixes(augment) ? sizeof *room->second + sizeof *room->share : 0;
    room->augmented = ln_allocate(context, labels_at + room->capacity * each);
    if (!room->augmented) return ln_fail_memory(error, "batch of augmented images", labels_at + room->capacity * each);
    if (each > 0) {
        room->second = (int32_t *)(void *)(room->augmented + labels_at);
        room->share = (float *)(void *)(room->second + room->capacity);
    }
    return LN_OK;
}

void ln_batch_room_free(ln_context *context, ln_batch_room *room) {
    ln_release(context, room->rows);
    ln_release(context, room->augmented);
}

ln_batch ln_batch_of(const ln_batch_room *room, const ln_model *model, const ln_data *data, const uint32_t *order,
                     size_t first, size_t n) {
    const bool labelled = data->store->labels != NULL;
    for (size_t i = 0; i < n; i++) {
        const size_t image = order ? order[i] : first + i;
        room->rows[i] = ln_data_values(data, image);
        room->images[i] = ln_data_number(data, image);
        if (labelled) room->labels[i] = ln_data_label(data, image);
    }
    return (ln_batch){.rows = room->rows,
                      .is_float = data->store->is_float,
                      .labels = labelled ? room->labels : NULL,
                      .second = room->second,
                      .share = room->share,
                      .images = room->images,
                      .n = n,
                      .preprocess = model->preprocess};
}

/* ------------------------------------------------------------- augmentation */

typedef struct augment_job {
    const ln_batch_room *room;
    const ln_augment    *augment;
    ln_occasion          at;
    size_t               n, n_threads;
} augment_job;

/* The label with the larger share is the first. One without any share is not to be looked at: it is the first again. */
static void mix_labels(const ln_batch_room *room, size_t i, ln_mate mate, const ln_data *among) {
    const int32_t own = room->labels[i], other = ln_data_label(among, mate.place);
    const bool    leads = mate.share > 0.5f;
    room->labels[i] = leads ? other : own;
    room->second[i] = leads ? own : other;
    room->share[i] = leads ? 1 - mate.share : mate.share;
    if (room->share[i] <= 0) room->second[i] = room->labels[i];
}

/* Each thread takes its share of the images; which one takes an image changes nothing of it. */
static void augment_work(void *argument, int t) {
    const augment_job *const   job = argument;
    const ln_batch_room *const room = job->room;
    const ln_frame *const      f = &room->frame;
    const size_t               image_bytes = f->c * f->h * f->w * f->value_bytes;
    unsigned char *const       spare = room->augmented + room->spare_at + (size_t)t * room->spare_bytes;
    const uint64_t             mode = ln_fp_enter();
    ln_occasion                at = job->at;
    size_t                     lo, hi;
    ln_part(job->n, (size_t)t, job->n_threads, &lo, &hi);
    for (size_t i = lo; i < hi; i++) {
        unsigned char *const to = room->augmented + i * image_bytes;
        at.image = room->images[i];
        const ln_mate mate = ln_augment_image(job->augment, f, at, room->rows[i], to, spare);
        if (room->second) mix_labels(room, i, mate, at.among);
        room->rows[i] = to;
    }
    ln_fp_leave(mode);
}

void ln_batch_augment(ln_threads *threads, int n_threads, const ln_batch_room *room, const ln_augment *augment,
                      ln_occasion at, size_t n) {
    augment_job job = {.room = room, .augment = augment, .at = at, .n = n, .n_threads = (size_t)n_threads};
    ln_threads_run(threads, n_threads, augment_work, &job);
}

/* ------------------------------------------------------------------ checks */

ln_status ln_batch_check(const char *who, const ln_model *model, const ln_data *data, bool labelled, ln_error *error) {
    const ln_data_info info = ln_data_describe(data);
    const ln_shape     s = model->input;
    if (info.n == 0) return ln_fail(error, LN_E_ARGUMENT, "%s: the data hold no image; give at least one", who);
    if (info.c != s.c || info.h != s.h || info.w != s.w)
        return ln_fail(error, LN_E_SHAPE,
                       "%s: the images are %zux%zux%zu, and the model wants %zux%zux%zu; change the model's "
                       "input or the images",
                       who, info.c, info.h, info.w, s.c, s.h, s.w);
    if (!labelled) return LN_OK;
    if (!info.has_labels)
        return ln_fail(error, LN_E_ARGUMENT, "%s: the data have no labels, and measuring a loss needs them", who);
    const size_t known = ln_model_class_count(model), outputs = ln_model_outputs(model);
    if ((size_t)info.n_classes > known && known != outputs)
        return ln_fail(error, LN_E_SHAPE,
                       "%s: the data have %d classes, and the loss %s tells %zu apart; choose another one", who,
                       info.n_classes, model->loss.op->name, known);
    if ((size_t)info.n_classes > known)
        return ln_fail(error, LN_E_SHAPE,
                       "%s: the data have %d classes, and the model %zu outputs; give its last layer %d", who,
                       info.n_classes, outputs, info.n_classes);
    return LN_OK;
}

const ln_kernels *ln_context_kernels(const ln_context *context) { return ln_kernels_of(context->isa); }
