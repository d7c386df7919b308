/* flip: the image as a mirror shows it, with probability p; upside down where direction is vertical
 *
 *   y[c][i][j] = x[c][i][w - 1 - j], or x[c][h - 1 - i][j] */
#include "data/augment.h"

#include <string.h>

enum { HORIZONTAL, VERTICAL };

typedef struct flip_args {
    double p;
    int    direction;
} flip_args;

static const char *const directions[] = {"horizontal", "vertical", NULL};

static const ln_attr attrs[] = {{.key = "p",
                                 .type = LN_ATTR_FLOAT,
                                 .offset = offsetof(flip_args, p),
                                 .positional = true,
                                 .preset = 0.5,
                                 .low = 0,
                                 .high = 1,
                                 .help = "probability"},
                                {.key = "direction",
                                 .type = LN_ATTR_CHOICE,
                                 .offset = offsetof(flip_args, direction),
                                 .preset = HORIZONTAL,
                                 .choices = directions,
                                 .help = "horizontal exchanges left and right, vertical top and bottom"},
                                {0}};

static void mirror_bytes(const uint8_t *restrict from, size_t w, uint8_t *restrict to) {
    for (size_t j = 0; j < w; j++) to[j] = from[w - 1 - j];
}

static void mirror_floats(const float *restrict from, size_t w, float *restrict to) {
    for (size_t j = 0; j < w; j++) to[j] = from[w - 1 - j];
}

static void mirror(const ln_frame *f, const void *from, void *to) {
    for (size_t row = 0; row < f->c * f->h * f->w; row += f->w) {
        if (f->value_bytes == 1) mirror_bytes((const uint8_t *)from + row, f->w, (uint8_t *)to + row);
        else mirror_floats((const float *)from + row, f->w, (float *)to + row);
    }
}

static void turn_over(const ln_frame *f, const char *from, char *to) {
    const size_t row = f->w * f->value_bytes;
    for (size_t c = 0; c < f->c; c++, from += f->h * row)
        for (size_t i = 0; i < f->h; i++, to += row) memcpy(to, from + (f->h - 1 - i) * row, row);
}

static void change(const void *args, const ln_frame *f, ln_random *random, const void *from, void *to, void *work) {
    const flip_args *const a = args;
    (void)work;
    if (!(ln_random_uniform(random) < a->p)) memcpy(to, from, f->c * f->h * f->w * f->value_bytes);
    else if (a->direction == HORIZONTAL) mirror(f, from, to);
    else turn_over(f, from, to);
}

const ln_augmentation ln_augmentation_flip = {
    .name = "flip",
    .help = "the image mirrored, or upside down, or as it is",
    .attrs = attrs,
    .args_size = sizeof(flip_args),
    .change = change,
};
