/* What a reading asks for (ln_reading), done to a set that is in memory already. A folder of pictures has it done while
 * it is decoded, by the same functions. Bytes alone: what of a float would be turned over, or rounded, is not known. */
#include "base/large.h"
#include "base/math.h"
#include "data/data.h"
#include "data/picture.h"

#include <string.h>

static ln_status check(const ln_store *s, const char *name, const ln_reading *r, ln_error *error) {
    const char *const what = r->h ? "resize" : r->grayscale ? "grayscale" : "invert";
    if (s->is_float)
        return ln_fail(error, LN_E_UNSUPPORTED,
                       "%s: %s is for images of bytes, and these are floats: store them as whole numbers 0 to 255, or "
                       "do it before",
                       name, what);
    if ((r->h || r->grayscale) && s->c != 1 && s->c != 3)
        return ln_fail(error, LN_E_SHAPE, "%s: %s is for images of 1 or 3 channels, and these are %zux%zux%zu", name,
                       what, s->c, s->h, s->w);
    if (r->h > LN_PICTURE_MAX_SIDE || r->w > LN_PICTURE_MAX_SIDE || s->h > LN_PICTURE_MAX_SIDE ||
        s->w > LN_PICTURE_MAX_SIDE)
        return ln_fail(error, LN_E_SHAPE, "%s: resize takes sides of 1 to %d", name, LN_PICTURE_MAX_SIDE);
    return LN_OK;
}

/* Planes of s's image i as a picture, pixel by pixel, in samples. */
static ln_picture picture_of(const ln_store *s, size_t i, uint8_t *samples) {
    const uint8_t *const from = (const uint8_t *)s->pixels + i * s->image_bytes;
    const size_t         n = s->h * s->w;
    ln_picture           p = ln_picture_upright(s->h, s->w, (unsigned)s->c, 255);
    for (size_t k = 0; k < s->c; k++)
        for (size_t j = 0; j < n; j++) samples[j * s->c + k] = from[k * n + j];
    p.samples = samples;
    return p;
}

static void fill(const ln_store *s, const ln_data_parts *to, const ln_reading *r, uint8_t *spare, uint8_t *pixels) {
    const size_t count = to->c * to->h * to->w;
    for (size_t i = 0; i < s->n; i++, pixels += count) {
        if (r->h || r->grayscale) {
            const ln_picture p = picture_of(s, i, spare);
            ln_picture_scale(&p, to->c, to->h, to->w, pixels);
        } else {
            memcpy(pixels, (const uint8_t *)s->pixels + i * s->image_bytes, count);
        }
        for (size_t j = 0; r->invert && j < count; j++) pixels[j] = (uint8_t)(255 - pixels[j]);
    }
}

ln_status ln_data_prepare(ln_data **data, const char *name, const ln_reading *r, ln_error *error) {
    ln_store *const   s = (*data)->store;
    ln_context *const context = s->context;
    if (!r->h && !r->grayscale && !r->invert) return LN_OK;
    ln_status status = check(s, name, r, error);
    if (status != LN_OK) return status;
    ln_data_parts  parts = {.own = true,
                            .n = s->n,
                            .c = r->grayscale ? 1 : s->c,
                            .h = r->h ? r->h : s->h,
                            .w = r->h ? r->w : s->w,
                            .n_classes = s->n_classes,
                            .class_name = (const char *const *)s->class_name,
                            .image_name = (const char *const *)s->image_name};
    size_t         count = 0;
    const bool     fits = ln_multiply(parts.c * parts.h * parts.w, parts.n, &count);
    void          *pixels;
    uint8_t *const labels = ln_allocate(context, s->n);
    uint8_t *const spare = ln_allocate(context, s->image_bytes);
    ln_data       *made = NULL;
    status = ln_allocate_large(context, name, fits ? count : SIZE_MAX, &pixels, error);
    if (status == LN_OK && (!labels || !spare)) status = ln_fail_memory(error, name, s->n + s->image_bytes);
    if (status == LN_OK) {
        const uint64_t mode = ln_fp_enter();
        fill(s, &parts, r, spare, pixels);
        ln_fp_leave(mode);
        if (s->labels) memcpy(labels, s->labels, s->n);
        parts.pixels = pixels;
        parts.labels = s->labels ? labels : NULL;
        made = ln_data_new(context, name, &parts, error);
        status = made ? LN_OK : error ? error->status : LN_E_MEMORY;
    }
    ln_release(context, spare);
    if (!made || !s->labels) ln_release(context, labels);
    if (!made) ln_release(context, pixels);
    if (!made) return status;
    ln_data_free(*data);
    *data = made;
    return LN_OK;
}
