/* A data set as an epoch of a training sees it. */
#include "base/large.h"
#include "data/augment.h"
#include "data/data.h"

#include <string.h>

/* Some images of a set, and what is made of them. */
typedef struct view {
    const ln_data *data;
    size_t         first, n;
    ln_augment     augment;
    ln_frame       frame;
    void          *pixels;
    uint8_t       *labels;   /* NULL: the set has none */
    ln_mixture    *mixtures; /* NULL: nobody asks */
    void          *spare;
} view;

/* As in the file: which of them are kept, and what they are called then, the result takes over. */
static uint8_t label_of(const ln_data *data, size_t i) { return data->store->labels[ln_data_number(data, i)]; }

static void tell_mate(const view *v, size_t i, ln_mate mate) {
    const bool mixed = ln_augment_mixes(&v->augment);
    if (mixed && v->labels && mate.share > 0.5f) v->labels[i] = label_of(v->data, mate.place);
    if (v->mixtures)
        v->mixtures[i] =
            (ln_mixture){.other = mixed ? ln_data_label(v->data, mate.place) : -1, .share = (double)mate.share};
}

static void fill(const view *v, ln_occasion at) {
    const size_t   n_bytes = v->data->store->image_bytes;
    const uint64_t mode = ln_fp_enter();
    for (size_t i = 0; i < v->n; i++) {
        const void *const from = ln_data_values(v->data, v->first + i);
        void *const       to = (unsigned char *)v->pixels + i * n_bytes;
        ln_mate           mate = {0};
        at.image = ln_data_number(v->data, v->first + i);
        if (v->labels) v->labels[i] = label_of(v->data, v->first + i);
        if (v->augment.n > 0) mate = ln_augment_image(&v->augment, &v->frame, at, from, to, v->spare);
        else memcpy(to, from, n_bytes);
        tell_mate(v, i, mate);
    }
    ln_fp_leave(mode);
}

static ln_data *make(view *v, ln_occasion at, ln_error *error) {
    const ln_store *const s = v->data->store;
    if (ln_allocate_large(s->context, "ln_data_augmented", v->n * s->image_bytes, &v->pixels, error) != LN_OK)
        return NULL;
    v->labels = s->labels ? ln_allocate(s->context, v->n) : NULL;
    v->spare = ln_allocate(s->context, ln_augment_spare_bytes(&v->augment, &v->frame));
    if (!v->spare || (s->labels && !v->labels)) {
        ln_fail_memory(error, "ln_data_augmented", v->n);
        return NULL;
    }
    const ln_data_parts parts = {.pixels = v->pixels,
                                 .labels = v->labels,
                                 .is_float = s->is_float,
                                 .own = true,
                                 .n = v->n,
                                 .c = s->c,
                                 .h = s->h,
                                 .w = s->w,
                                 .n_classes = s->n_classes,
                                 .class_name = (const char *const *)s->class_name};
    fill(v, at);
    ln_data *const made = ln_data_new(s->context, "ln_data_augmented", &parts, error);
    if (made) made->n_kept = v->data->n_kept, memcpy(made->kept, v->data->kept, sizeof made->kept);
    return made;
}

ln_data *ln_data_augmented_rows(const ln_data *data, size_t first, size_t n, const char *text, uint64_t seed,
                                uint64_t epoch, ln_mixture *mixtures, ln_error *error) {
    ln_context *const context = data->store->context;
    view              v = {.data = data, .first = first, .n = n, .frame = ln_frame_of(data), .mixtures = mixtures};
    if (epoch < 1) {
        ln_fail(error, LN_E_ARGUMENT, "ln_data_augmented: epoch 0, but epochs count from 1");
        return NULL;
    }
    if (n == 0 || first >= data->n || n > data->n - first) {
        ln_fail(error, LN_E_SHAPE, "ln_data_augmented: %zu images from %zu on, but there are %zu; ask for some of them",
                n, first, data->n);
        return NULL;
    }
    if (ln_augment_parse(text, &v.augment, error) != LN_OK || ln_augment_check(&v.augment, &v.frame, error) != LN_OK)
        return NULL;
    ln_data *const made = make(&v, (ln_occasion){.seed = seed, .epoch = epoch - 1, .among = data}, error);
    ln_release(context, v.spare);
    if (!made) {
        ln_release(context, v.pixels);
        ln_release(context, v.labels);
    }
    return made;
}

ln_data *ln_data_augmented(const ln_data *data, const char *augment, uint64_t seed, uint64_t epoch, ln_error *error) {
    return ln_data_augmented_rows(data, 0, data->n, augment, seed, epoch, NULL, error);
}
