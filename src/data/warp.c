/* Warping an image: places clamped into a border of zeros, then four pixels each, some hundred places at a time. A
 * pixel of bytes is laid out with its neighbours to the right and below, so that one fetch finds all four. */
#include "data/warp.h"

#include "base/math.h"

#include <string.h>

enum { BORDER = 3 }; /* one row and column before the image and two behind it */

ln_status ln_warp_check(const ln_augmentation *kind, const void *args, const ln_frame *frame, ln_error *error) {
    (void)args;
    if (!frame || (frame->h <= LN_WARP_MOST && frame->w <= LN_WARP_MOST)) return LN_OK;
    return ln_fail(error, LN_E_UNSUPPORTED,
                   "augmentation %s: the images are %zux%zu, and it changes images of up to %dx%d; leave it out",
                   kind->name, frame->h, frame->w, LN_WARP_MOST, LN_WARP_MOST);
}

static size_t stride_of(const ln_frame *f) { return f->w + BORDER; }
static size_t padded_count(const ln_frame *f) { return (f->h + BORDER) * stride_of(f); }

/* All channels, u and v, and a channel of padded bytes. */
size_t ln_warp_bytes(const void *args, const ln_frame *f) {
    (void)args;
    return (f->c * padded_count(f) + 2 * (f->h * f->w + LN_SPILL)) * sizeof(float) + padded_count(f);
}

/* The image's rows into the middle of a channel whose border is 0. */
static void lay_channel(const ln_frame *f, const unsigned char *from, unsigned char *padded) {
    const size_t stride = stride_of(f) * f->value_bytes, row = f->w * f->value_bytes;
    for (size_t i = 0; i < f->h; i++) memcpy(padded + (i + 1) * stride + f->value_bytes, from + i * row, row);
}

static void lay_floats(const ln_frame *f, const void *from, float *padded) {
    memset(padded, 0, f->c * padded_count(f) * sizeof(float));
    for (size_t c = 0; c < f->c; c++)
        lay_channel(f, (const unsigned char *)((const float *)from + c * f->h * f->w),
                    (unsigned char *)(padded + c * padded_count(f)));
}

static void lay_bytes(const ln_frame *f, const uint8_t *from, uint32_t *quads, uint8_t *padded) {
    const size_t n = padded_count(f);
    memset(padded, 0, n);
    for (size_t c = 0; c < f->c; c++) {
        lay_channel(f, from + c * f->h * f->w, padded);
        f->pixels->quads(padded, stride_of(f), n, quads + c * n);
    }
}

ln_warp ln_warp_of(const ln_frame *f, const void *from, void *work) {
    const size_t  n = f->h * f->w + LN_SPILL;
    float *const  u = (float *)work + f->c * padded_count(f);
    const ln_warp warp = {.frame = f, .padded = work, .u = u, .v = u + n};
    if (f->value_bytes > 1) lay_floats(f, from, work);
    else lay_bytes(f, from, work, (uint8_t *)(u + 2 * n));
    return warp;
}

void ln_warp_sample(const ln_warp *warp, void *to) {
    const ln_frame *const f = warp->frame;
    const size_t          stride = stride_of(f), padded = padded_count(f), n = f->h * f->w;
    ln_places             p;
    for (size_t i = 0; i < n; i += LN_PLACES) {
        f->pixels->find(warp->u + i, warp->v + i, n - i < LN_PLACES ? n - i : LN_PLACES, f->h, f->w, stride, &p);
        for (size_t c = 0; c < f->c; c++) {
            if (f->value_bytes > 1)
                f->pixels->sample_floats((const float *)warp->padded + c * padded, stride, &p, (float *)to + c * n + i);
            else f->pixels->sample_bytes((const uint32_t *)warp->padded + c * padded, &p, (uint8_t *)to + c * n + i);
        }
    }
}

void ln_warp_affine(const ln_frame *f, const ln_affine *map, const void *from, void *to, void *work) {
    const ln_warp warp = ln_warp_of(f, from, work);
    const double  mid_x = (double)(f->w - 1) / 2, mid_y = (double)(f->h - 1) / 2;
    for (size_t i = 0; i < f->h; i++) {
        const double y = (double)i - mid_y;
        const double first_u = mid_x - map->xx * mid_x + map->xy * y, first_v = mid_y - map->yx * mid_x + map->yy * y;
        f->pixels->line((float)first_u, (float)map->xx, f->w, warp.u + i * f->w);
        f->pixels->line((float)first_v, (float)map->yx, f->w, warp.v + i * f->w);
    }
    ln_warp_sample(&warp, to);
}

/* By their values at |x| ≤ 1 half turns: sin x = cos(x - ½). */
void ln_warp_turn(double degrees, double *sine, double *cosine) {
    const double x = (degrees < 0 ? -degrees : degrees) / 180, s = ln_cos_pi(x < 0.5 ? 0.5 - x : x - 0.5);
    *sine = degrees < 0 ? -s : s;
    *cosine = ln_cos_pi(x);
}
