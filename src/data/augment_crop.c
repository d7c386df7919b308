/* crop: a part as large as the image, cut at random from the image with `padding` rows and columns added on all sides
 *
 *   y[c][i][j] = x̂[c][i + dy][j + dx], dy drawn evenly from -padding.h to padding.h, dx likewise; outside the image
 *   x̂ is 0 as stored (constant), the nearest pixel (edge), or the image mirrored at its first and last pixel (reflect)
 *
 * torchvision's RandomCrop(size, padding, padding_mode=…), the usual augmentation of CIFAR-10 with padding 4. */
#include "data/augment.h"

#include <string.h>

enum { CONSTANT, EDGE, REFLECT };

typedef struct crop_args {
    ln_size2 padding;
    int      mode;
} crop_args;

static const char *const modes[] = {"constant", "edge", "reflect", NULL};

static const ln_attr attrs[] = {{.key = "padding",
                                 .type = LN_ATTR_SIZE2,
                                 .offset = offsetof(crop_args, padding),
                                 .required = true,
                                 .positional = true,
                                 .low = 0,
                                 .high = 65535,
                                 .help = "rows and columns added on every side"},
                                {.key = "padding_mode",
                                 .type = LN_ATTR_CHOICE,
                                 .offset = offsetof(crop_args, mode),
                                 .preset = CONSTANT,
                                 .choices = modes,
                                 .help = "what is added: zeros as stored, the nearest pixel, or the image mirrored"},
                                {0}};

static ln_status check(const ln_augmentation *kind, const void *args, const ln_frame *f, ln_error *error) {
    (void)kind;
    const crop_args *const a = args;
    if (!f || ((size_t)a->padding.h < f->h && (size_t)a->padding.w < f->w)) return LN_OK;
    return ln_fail(error, LN_E_SHAPE,
                   "augmentation crop: %dx%d padding can leave nothing of images of %zux%zu; give less than these",
                   a->padding.h, a->padding.w, f->h, f->w);
}

static long draw(ln_random *random, int most) { return (long)ln_random_below(random, 2 * (uint64_t)most + 1) - most; }

/* The row or column of n that stands at place i of -n < i < 2 n - 1; -1 for zeros. */
static long inside(long i, long n, int mode) {
    if (i >= 0 && i < n) return i;
    if (mode == CONSTANT) return -1;
    if (mode == EDGE) return i < 0 ? 0 : n - 1;
    return i < 0 ? -i : 2 * (n - 1) - i;
}

/* Columns [lo, hi) of a row lie within the image by dx; the others are taken one by one. */
static void cut_row(const ln_frame *f, int mode, long dx, const char *from, char *to) {
    const long   w = (long)f->w, lo = dx < 0 ? -dx : 0, hi = dx > 0 ? w - dx : w;
    const size_t each = f->value_bytes;
    memcpy(to + (size_t)lo * each, from + (size_t)(lo + dx) * each, (size_t)(hi - lo) * each);
    for (long j = lo > 0 ? 0 : hi; j < (lo > 0 ? lo : w); j++) {
        const long at = inside(j + dx, w, mode);
        if (at < 0) memset(to + (size_t)j * each, 0, each);
        else memcpy(to + (size_t)j * each, from + (size_t)at * each, each);
    }
}

static void change(const void *args, const ln_frame *f, ln_random *random, const void *from, void *to, void *work) {
    const crop_args *const a = args;
    const long             dy = draw(random, a->padding.h), dx = draw(random, a->padding.w), h = (long)f->h;
    const size_t           row = f->w * f->value_bytes;
    const char            *x = from;
    char                  *y = to;
    (void)work;
    for (size_t c = 0; c < f->c; c++, x += f->h * row)
        for (long i = 0; i < h; i++, y += row) {
            const long at = inside(i + dy, h, a->mode);
            if (at < 0) memset(y, 0, row);
            else cut_row(f, a->mode, dx, x + (size_t)at * row, y);
        }
}

const ln_augmentation ln_augmentation_crop = {
    .name = "crop",
    .help = "a random part, as large as the image, of the image with a border around it",
    .attrs = attrs,
    .args_size = sizeof(crop_args),
    .check = check,
    .change = change,
};
