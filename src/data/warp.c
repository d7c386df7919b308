/* Warping an image: places clamped into a border of zeros, then four pixels each, some hundred places at a time. Apart
 * from the fetching of pixels all loops are ones that compilers make vectors of. */
#include "data/warp.h"

#include "base/math.h"

#include <string.h>

enum { AT_ONCE = 256 };
enum { BORDER = 3 }; /* one row and column before the image and two behind it */

ln_status ln_warp_check(const char *kind, const ln_frame *frame, ln_error *error) {
    if (!frame || (frame->h <= LN_WARP_MOST && frame->w <= LN_WARP_MOST)) return LN_OK;
    return ln_fail(error, LN_E_UNSUPPORTED,
                   "augmentation %s: the images are %zux%zu, and it changes images of up to %dx%d; leave it out", kind,
                   frame->h, frame->w, LN_WARP_MOST, LN_WARP_MOST);
}

static size_t padded_count(const ln_frame *f) { return f->c * (f->h + BORDER) * (f->w + BORDER); }

size_t ln_warp_bytes(const ln_frame *f) { return (padded_count(f) + 2 * f->h * f->w) * sizeof(float); }

static void widen(const uint8_t *restrict x, size_t n, float *restrict to) {
    for (size_t j = 0; j < n; j++) to[j] = x[j];
}

ln_warp ln_warp_of(const ln_frame *f, const void *from, void *work) {
    const size_t stride = f->w + BORDER;
    float *to = (float *)work + stride + 1, *const u = (float *)work + padded_count(f);
    memset(work, 0, padded_count(f) * sizeof(float));
    for (size_t c = 0, at = 0; c < f->c; c++, to += BORDER * stride)
        for (size_t i = 0; i < f->h; i++, at += f->w, to += stride) {
            if (f->value_bytes == 1) widen((const uint8_t *)from + at, f->w, to);
            else memcpy(to, (const float *)from + at, f->w * sizeof(float));
        }
    return (ln_warp){.frame = f, .padded = work, .u = u, .v = u + f->h * f->w};
}

/* Some places: the first of their four pixels in a padded channel, and how far they are from it. */
typedef struct places {
    size_t  n;
    int32_t x[AT_ONCE], y[AT_ONCE];
    float   fx[AT_ONCE], fy[AT_ONCE];
} places;

/* Counted from the border; those outside the image go to where all is 0. */
static void split(const float *restrict u, size_t n, float most, int32_t *restrict whole, float *restrict part) {
    for (size_t j = 0; j < n; j++) {
        float at = u[j] + 1;
        at = at > 0 ? at : 0;
        at = at < most ? at : most;
        whole[j] = (int32_t)at;
        part[j] = at - (float)whole[j];
    }
}

static void sample(const float *pixels, size_t stride, const places *p, float *restrict to) {
    for (size_t j = 0; j < p->n; j++) {
        const float *const a = pixels + (size_t)p->y[j] * stride + (size_t)p->x[j], *const b = a + stride;
        const float top = a[0] + p->fx[j] * (a[1] - a[0]), bottom = b[0] + p->fx[j] * (b[1] - b[0]);
        to[j] = top + p->fy[j] * (bottom - top);
    }
}

static void round_bytes(const float *restrict x, size_t n, uint8_t *restrict to) {
    for (size_t j = 0; j < n; j++) to[j] = ln_augment_byte(x[j]);
}

void ln_warp_sample(const ln_warp *warp, void *to) {
    const ln_frame *const f = warp->frame;
    const size_t          stride = f->w + BORDER, padded = (f->h + BORDER) * stride, n = f->h * f->w;
    places                p;
    float                 made[AT_ONCE];
    for (size_t i = 0; i < n; i += AT_ONCE) {
        p.n = n - i < AT_ONCE ? n - i : AT_ONCE;
        split(warp->u + i, p.n, (float)(int32_t)(f->w + 1), p.x, p.fx);
        split(warp->v + i, p.n, (float)(int32_t)(f->h + 1), p.y, p.fy);
        for (size_t c = 0; c < f->c; c++) {
            const bool is_float = f->value_bytes > 1;
            sample(warp->padded + c * padded, stride, &p, is_float ? (float *)to + c * n + i : made);
            if (!is_float) round_bytes(made, p.n, (uint8_t *)to + c * n + i);
        }
    }
}

/* The places of a row, from its first one on. */
static void walk(const ln_affine *map, double first_u, double first_v, size_t n, float *restrict u, float *restrict v) {
    const float first[2] = {(float)first_u, (float)first_v}, step[2] = {(float)map->xx, (float)map->yx};
    for (size_t j = 0; j < n; j++) {
        u[j] = first[0] + step[0] * (float)(int32_t)j;
        v[j] = first[1] + step[1] * (float)(int32_t)j;
    }
}

void ln_warp_affine(const ln_frame *f, const ln_affine *map, const void *from, void *to, void *work) {
    const ln_warp warp = ln_warp_of(f, from, work);
    const double  mid_x = (double)(f->w - 1) / 2, mid_y = (double)(f->h - 1) / 2;
    for (size_t i = 0; i < f->h; i++) {
        const double y = (double)i - mid_y;
        walk(map, mid_x - map->xx * mid_x + map->xy * y, mid_y - map->yx * mid_x + map->yy * y, f->w, warp.u + i * f->w,
             warp.v + i * f->w);
    }
    ln_warp_sample(&warp, to);
}

/* By their values at |x| ≤ 1 half turns: sin x = cos(x - ½). */
void ln_warp_turn(double degrees, double *sine, double *cosine) {
    const double x = (degrees < 0 ? -degrees : degrees) / 180, s = ln_cos_pi(x < 0.5 ? 0.5 - x : x - 0.5);
    *sine = degrees < 0 ? -s : s;
    *cosine = ln_cos_pi(x);
}
