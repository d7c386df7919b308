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

void ln_batch_room_free(ln_context *context, ln_batch_room *room) { ln_release(context, room->rows); }

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
                      .images = room->images,
                      .n = n,
                      .preprocess = model->preprocess};
}

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
