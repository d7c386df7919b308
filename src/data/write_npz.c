/* A data set as NumPy's arrays: x and y, or x_train, y_train, x_test, y_test; class_names, where classes have names. */
#include "data/write.h"

#include "base/large.h"

#include <string.h>

/* The arrays of one part. x and y: memory of their own, where a view had to be gathered; y always. */
typedef struct part {
    void    *x;
    uint8_t *y;
} part;

/* The shape that is read back as the same images: channels stand before rows and columns, but where the columns could
 * be taken for channels it is a row of values an image. */
static void set_shape(const ln_store *s, size_t n, ln_array *a) {
    const bool flat = (s->h == 1 && s->w == 1) || (s->c > 1 && (s->w == 1 || s->w == 3));
    a->shape[0] = n;
    if (flat) {
        a->rank = 2;
        a->shape[1] = s->c * s->h * s->w;
    } else {
        a->rank = s->c > 1 ? 4 : 3;
        a->shape[1] = s->c;
        a->shape[a->rank - 2] = s->h;
        a->shape[a->rank - 1] = s->w;
    }
}

/* The view's images, adjacent. */
static ln_status gather(ln_context *context, const char *path, const ln_data *data, part *p, const void **x,
                        ln_error *error) {
    const ln_store *const s = data->store;
    *x = s->pixels;
    if (!data->index) return LN_OK;
    const ln_status status = ln_allocate_large(context, path, data->n * s->image_bytes, &p->x, error);
    if (status != LN_OK) return status;
    for (size_t i = 0; i < data->n; i++)
        memcpy((unsigned char *)p->x + i * s->image_bytes, ln_data_values(data, i), s->image_bytes);
    *x = p->x;
    return LN_OK;
}

/* Adds one or two arrays. */
static ln_status add(ln_context *context, const char *path, const ln_data *data, const char *const names[2], part *p,
                     ln_array *arrays, size_t *n, ln_error *error) {
    const void     *x;
    const ln_status status = gather(context, path, data, p, &x, error);
    if (status != LN_OK) return status;
    ln_array *const images = &arrays[(*n)++];
    *images = (ln_array){.name = names[0]};
    if (data->store->is_float) images->floats = x;
    else images->bytes = x;
    set_shape(data->store, data->n, images);
    if (!data->store->labels) return LN_OK;
    p->y = ln_allocate(context, data->n);
    if (!p->y) return ln_fail_memory(error, path, data->n);
    for (size_t i = 0; i < data->n; i++) p->y[i] = (uint8_t)ln_data_written_label(data, i);
    arrays[(*n)++] = (ln_array){.name = names[1], .n = data->n, .k = 1, .bytes = p->y};
    return LN_OK;
}

ln_status ln_arrays_write(ln_context *context, const char *path, const ln_data *data, const ln_data *test,
                          ln_error *error) {
    static const char *const names[3][2] = {{"x", "y"}, {"x_train", "y_train"}, {"x_test", "y_test"}};
    const ln_store *const    s = data->store;
    ln_array                 arrays[5];
    part                     parts[2] = {{0}};
    size_t                   n = 0;
    ln_status                status = add(context, path, data, names[test != NULL], &parts[0], arrays, &n, error);
    if (status == LN_OK && test) status = add(context, path, test, names[2], &parts[1], arrays, &n, error);
    if (s->labels && s->class_name)
        arrays[n++] =
            (ln_array){.name = "class_names", .n = (size_t)s->n_classes, .texts = (const char *const *)s->class_name};
    if (status == LN_OK) status = ln_npz_write(context, path, arrays, n, error);
    for (size_t i = 0; i < 2; i++) {
        ln_release(context, parts[i].x);
        ln_release(context, parts[i].y);
    }
    return status;
}
