/* shift: the image moved by whole pixels, dy down and dx to the right
 *
 *   y[c][i][j] = x[c][i - dy][j - dx], and 0, as stored, where that lies outside
 *
 * dy is drawn evenly from -pixels.h to pixels.h, dx likewise; all channels move together. Stored zeros are what the
 * background of MNIST is made of, so a border looks like more of it also when it has been normalised. */
#include "data/augment.h"

#include <stdlib.h>
#include <string.h>

typedef struct shift_args {
    ln_size2 pixels;
} shift_args;

static const ln_attr attrs[] = {{.key = "pixels",
                                 .type = LN_ATTR_SIZE2,
                                 .offset = offsetof(shift_args, pixels),
                                 .required = true,
                                 .positional = true,
                                 .low = 0,
                                 .high = 65535,
                                 .help = "most rows up or down, and columns to either side"},
                                {0}};

static ln_status check(const ln_augmentation *kind, const void *args, const ln_frame *f, ln_error *error) {
    (void)kind;
    const shift_args *const a = args;
    if (!f) return LN_OK;
    if ((size_t)a->pixels.h < f->h && (size_t)a->pixels.w < f->w) return LN_OK;
    return ln_fail(error, LN_E_SHAPE,
                   "augmentation shift: %dx%d pixels can move images of %zux%zu out of sight; give fewer than these",
                   a->pixels.h, a->pixels.w, f->h, f->w);
}

/* Evenly from -most to most. */
static long draw(ln_random *random, int most) { return (long)ln_random_below(random, 2 * (uint64_t)most + 1) - most; }

/* One channel of f->h rows. It moves as one piece, `by` bytes on, so that what leaves a row on one side comes in at the
 * next one's other side; there it is cleared. */
static void move(const ln_frame *f, long dy, long dx, const char *from, char *to) {
    const size_t row = f->w * f->value_bytes, n = f->h * row;
    const long   by = (dy * (long)f->w + dx) * (long)f->value_bytes;
    const size_t forth = by > 0 ? (size_t)by : 0, back = by < 0 ? (size_t)-by : 0;
    const size_t wrong = (size_t)labs(dx) * f->value_bytes;
    memset(to, 0, forth);
    memcpy(to + forth, from + back, n - forth - back);
    memset(to + n - back, 0, back);
    for (char *side = dx > 0 ? to : to + row - wrong; wrong > 0 && side < to + n; side += row) memset(side, 0, wrong);
}

static void change(const void *args, const ln_frame *f, ln_random *random, const void *from, void *to, void *work) {
    const shift_args *const a = args;
    const long              dy = draw(random, a->pixels.h), dx = draw(random, a->pixels.w);
    const size_t            channel = f->h * f->w * f->value_bytes;
    (void)work;
    for (size_t c = 0; c < f->c; c++) move(f, dy, dx, (const char *)from + c * channel, (char *)to + c * channel);
}

const ln_augmentation ln_augmentation_shift = {
    .name = "shift",
    .help = "the image moved by whole pixels; what comes in is 0 as stored",
    .attrs = attrs,
    .args_size = sizeof(shift_args),
    .check = check,
    .change = change,
};
